/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract between generated native code and the engine: the context it is handed, the requests it makes, the image
 * it comes in. Version ROTOR_NATIVE_ABI; docs/native-image.md has it byte by byte.
 *
 * Rules: 1. Native code touches only its context, its stack, linear memory within the bounds it checks, globals, tables.
 *        2. Everything else is a request: it fills the fields below and calls leave, which switches to the engine's
 *           stack; the engine answers and enters again, or never does (trap, stop).
 *        3. The fields' order is the ABI; rotorc/gen.c lists the same order.
 */
#ifndef ROTOR_NATIVE_H
#define ROTOR_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROTOR_NATIVE_ABI 2u

/* A function as native code sees it, for indirect calls: a row of the image. */
struct rotor_native_func {
	uint32_t text; /* offset in the text; 0 bit set for Thumb code. UINT32_MAX: imported */
	uint32_t type; /* index of the first type of the module that is equal to the function's */
	uint32_t cost; /* fuel that entering it takes */
};

struct rotor_native_ctx {
	/* Pointers, read by native code. */
	void (*leave)(struct rotor_native_ctx *ctx); /* hands a request to the engine */
	/* The request FUEL with the fuel that is left (below 0); returns the new amount. Keeps all registers but the
	 * result's, as LLVM's preserve_all or preserve_most has it. */
	int32_t (*fuel_stop)(struct rotor_native_ctx *ctx, int32_t fuel);
	uint8_t *memory; /* linear memory 0 */
	size_t memory_bytes;
	uint32_t *globals; /* cells of all globals but imported mutable ones, in order */
	const uint64_t
		*imported_globals; /* for each imported global, 8 bytes: where its cells are */
	const uint64_t *tables;    /* for each table, 8 bytes: where it is; there 8 bytes: where its
				   elements are, then their count */
	const struct rotor_native_func *funcs; /* one for each function, imported ones first */
	const uint8_t *text;
	void (*const *helpers)(void);
	uintptr_t stack_limit;     /* a frame that reaches below is a trap */
	uint32_t *cells;           /* arguments and results of a request */
	const uint32_t *interrupt; /* not 0: stop */
	/* 32-bit fields, read and written by native code. */
	int32_t fuel;      /* left of the slice; below 0: ask for more */
	uint32_t request;  /* enum rotor_native_request */
	uint32_t operand;  /* of the request */
	uint32_t operand2; /* the type that CALL_TABLE asks for */
	uint32_t operand3; /* and the table */
	uint32_t offset;   /* byte offset in the module of the instruction that asks; not of FUEL */
	uint32_t self;     /* references with these high bits are the instance's own functions */
	uint32_t
		reserve; /* fuel that rotor_native_fuel gives out, a slice at a time, without leaving */
	/* The rest is the engine's; the switches between stacks know these two places. */
	uintptr_t native_sp; /* where native code stopped: its saved registers lie there */
	uintptr_t engine_sp; /* where the engine waits */
	uint32_t slice;      /* fuel given at a time, in units */
	uint32_t tick;       /* the processor's counter at the last stop, where it has one */
};

/* Places of the two in the context, for the assembly. */
#define ROTOR_NATIVE_SP_64 136
#define ROTOR_ENGINE_SP_64 144
#define ROTOR_NATIVE_SP_32 84
#define ROTOR_ENGINE_SP_32 88

/*
 * Fuel that is given at a time, so that an interrupt is noticed; the assembly knows it. On 64-bit processors, which tell the
 * time cheaply, it is where slices begin: one that took few microseconds is followed by one twice as long, up to 131072
 * units, and one that took many by one of these. A loop with a large body pays for all of it even where it runs little of it.
 */
enum {
	ROTOR_NATIVE_SLICE = 8192
};

/* Goes on in native code until it leaves. In assembly, one file for each kind of processor. */
void rotor_native_enter(struct rotor_native_ctx *ctx);
/* What native code calls; not to be called from C. */
void rotor_native_leave(struct rotor_native_ctx *ctx);
int32_t rotor_native_fuel(struct rotor_native_ctx *ctx, int32_t fuel);

/* Lays out a new stack below top (aligned to 16) so that the next enter runs thunk(ctx, func, cells) and then leaves with
 * the request DONE. Returns the value for native_sp. */
uintptr_t rotor_native_prepare(struct rotor_native_ctx *ctx, uintptr_t top, uintptr_t thunk,
			       uintptr_t func, uint32_t *cells);

/* A frame of stopped native code: where it goes on, and its frame pointer. */
struct rotor_native_frame {
	uintptr_t pc, fp;
};
/* The innermost frame, from native_sp; then each caller. False at the end of the chain; low and high bound the stack. */
bool rotor_native_frame_first(const struct rotor_native_ctx *ctx, struct rotor_native_frame *out);
bool rotor_native_frame_next(struct rotor_native_frame *f, uintptr_t low, uintptr_t high);

/* Requests. The trap reasons (enum rotor_trap) stand for themselves; others begin here. */
enum rotor_native_request {
	ROTOR_NATIVE_DONE = 100, /* the called function returned */
	ROTOR_NATIVE_FUEL,       /* fuel is below 0 */
	ROTOR_NATIVE_CALL, /* call imported function operand; cells: arguments, then results */
	/* Call element operand of table operand3 as type operand2, where it is not a function of our own of that type. */
	ROTOR_NATIVE_CALL_TABLE,
	ROTOR_NATIVE_MEMORY_GROW, /* cells[0]: pages, then the answer */
	ROTOR_NATIVE_MEMORY_SIZE, /* cells[0]: the answer */
	ROTOR_NATIVE_MEMORY_FILL, /* cells[0..2] as on the stack */
	ROTOR_NATIVE_MEMORY_COPY,
	ROTOR_NATIVE_MEMORY_INIT, /* operand: segment */
	ROTOR_NATIVE_DATA_DROP,   /* operand: segment */
	ROTOR_NATIVE_TABLE_GET, /* operand: table; cells as on the stack; the answer in cells[0] */
	ROTOR_NATIVE_TABLE_SET,
	ROTOR_NATIVE_TABLE_SIZE,
	ROTOR_NATIVE_TABLE_GROW,
	ROTOR_NATIVE_TABLE_FILL,
	ROTOR_NATIVE_TABLE_COPY, /* operand: destination << 16 | source */
	ROTOR_NATIVE_TABLE_INIT, /* operand: table << 16 | segment */
	ROTOR_NATIVE_ELEM_DROP,
	ROTOR_NATIVE_REF_FUNC, /* operand: function; cells[0]: the reference */
};

#endif
