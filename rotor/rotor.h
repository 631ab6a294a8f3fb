/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rotor: an embedded WebAssembly engine.
 *
 *     module bytes --rotor_load--> module --rotor_instantiate--> instance --rotor_run--> DONE |
 * TRAP | FUEL | HOST
 *
 * In:    module bytes, whole or piece by piece; blocks of memory of the caller's; a table of host
 * functions. Out:   results, traps with a backtrace, the fuel used. Owns:  nothing. Everything
 * lives in blocks that the caller hands over; freeing the block frees all. Rules: 1. No OS, no
 * malloc, no mutable static data: any number of instances, each used by one thread at a time.
 *        2. A malformed or invalid module is refused with a reason and harms nothing.
 *        3. rotor_run returns within a bounded number of instructions after rotor_interrupt.
 *        4. No host pointer that matters lives in an instance's block (rotor_attach sets the few
 * there are).
 *        5. The fuel a program uses is the same number on every machine.
 * Spec:  WebAssembly 2.0 without SIMD; tail calls; extended constant expressions; custom page
 * sizes.
 */
#ifndef ROTOR_ROTOR_H
#define ROTOR_ROTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROTOR_MUST_USE __attribute__((warn_unused_result))

/* ---- errors
 * ------------------------------------------------------------------------------------------- */

enum rotor_err {
	ROTOR_OK = 0,
	ROTOR_ERR_MALFORMED,   /* the bytes are not a WebAssembly module */
	ROTOR_ERR_INVALID,     /* a module, but against the validation rules */
	ROTOR_ERR_UNSUPPORTED, /* a feature that this build leaves out */
	ROTOR_ERR_LIMIT,       /* more of something than the engine or the caller's limits allow */
	ROTOR_ERR_MEMORY,   /* the caller's block is too small; diag says how many bytes would do if
			       known */
	ROTOR_ERR_LINK,     /* an import is unknown or of another type */
	ROTOR_ERR_ARGUMENT, /* the caller's argument: no such export, wrong number of arguments...
			     */
	ROTOR_ERR_STATE,    /* not now: for example a call while another one is running */
};

/* What went wrong, for people. */
struct rotor_diag {
	enum rotor_err code;
	uint32_t offset; /* byte offset in the module; 0 where that means nothing */
	char text[112];  /* one plain sentence, ended by 0 */
};

/* ---- types and values
 * --------------------------------------------------------------------------------- */

enum rotor_type { /* Wasm 2.0 5.3.1, 5.3.3 */
	ROTOR_I32 = 0x7f,
	ROTOR_I64 = 0x7e,
	ROTOR_F32 = 0x7d,
	ROTOR_F64 = 0x7c,
	ROTOR_FUNCREF = 0x70,
	ROTOR_EXTERNREF = 0x6f,
};

enum rotor_kind {
	ROTOR_FUNC = 0,
	ROTOR_TABLE = 1,
	ROTOR_MEMORY = 2,
	ROTOR_GLOBAL = 3
};

#define ROTOR_REF_NULL 0u /* a null reference; other references are opaque and never 0 */

struct rotor_value {
	enum rotor_type type;
	union {
		int32_t i32;
		int64_t i64;
		float f32;
		double f64;
		uint32_t u32, f32_bits, ref;
		uint64_t u64, f64_bits;
	};
};

/* A function's type: the parameters' types, then the results'. Lent by the module. */
struct rotor_functype {
	uint16_t param_count, result_count;
	const uint8_t *types; /* enum rotor_type, param_count + result_count of them */
};

/* ---- modules
 * ------------------------------------------------------------------------------------------ */

struct rotor_module;
struct rotor_loader;

enum {
	/* The module's bytes stay where they are, unchanged, as long as the module is used (flash,
	 * a mapped file); only rotor_load takes it. Names and data segments are then not copied. */
	ROTOR_LOAD_BYTES_STAY = 1u << 0,
};

/* Loads a module that is in memory as a whole. The module lies at the beginning of block (aligned
 * to 8), which the module keeps; what lies above rotor_module_bytes() is the caller's again. diag
 * may be NULL. On error *out is untouched and the block holds nothing. */
ROTOR_MUST_USE enum rotor_err rotor_load(void *block, size_t block_bytes, const void *wasm,
					 size_t wasm_bytes, unsigned flags,
					 const struct rotor_module **out, struct rotor_diag *diag);

/* Loads a module as its bytes arrive, in pieces of any size. The loader's own state lies at the end
 * of block until rotor_load_end. After an error every further call returns that error. */
ROTOR_MUST_USE enum rotor_err rotor_load_begin(void *block, size_t block_bytes,
					       struct rotor_loader **out);
ROTOR_MUST_USE enum rotor_err rotor_load_feed(struct rotor_loader *loader, const void *piece,
					      size_t bytes);
ROTOR_MUST_USE enum rotor_err rotor_load_end(struct rotor_loader *loader,
					     const struct rotor_module **out);
/* The last error of a loader; lent until the next call. */
const struct rotor_diag *rotor_load_diag(const struct rotor_loader *loader);

/* ---- native images: modules compiled ahead of time by rotorc ---- */

/* What a loader accepts. */
struct rotor_image_policy {
	uint16_t target;     /* number of this processor in images: rotor_image_target() */
	const uint8_t *keys; /* trusted Ed25519 public keys, 32 bytes each */
	uint32_t key_count;
	bool allow_unsigned;  /* an unsigned image is as powerful as the program that loads it */
	bool allow_unmetered; /* code without fuel cannot be stopped: for measuring only */
	const uint8_t
		*wasm_digest; /* SHA-256 of the module it must have been made from; NULL: any */
	/* Checks an Ed25519 signature (64 bytes) over bytes; NULL: signed images are refused. */
	bool (*verify)(void *user, const uint8_t *key, const uint8_t *signature, const void *bytes,
		       size_t count);
	void *user;
};

/* The number of the processor that this build runs on; 0: native code cannot be run here. */
uint16_t rotor_image_target(void);

/* Its name, as rotorc and messages have it; NULL: there is no such processor. */
const char *rotor_image_target_name(uint16_t target);
/* The version of the contract with native code that this engine has. */
uint32_t rotor_image_abi(void);

/* True if bytes begin like a native image. */
bool rotor_is_image(const void *bytes, size_t count);

/* Loads a native image, which stays where it is (at a multiple of 8, in memory that can be executed) as long as the
 * module is used. The module then behaves as one loaded from Wasm. Refuses with a reason what is truncated, altered,
 * for another processor, engine or module, or not signed by a trusted key. */
ROTOR_MUST_USE enum rotor_err rotor_load_image(void *block, size_t block_bytes, const void *image,
					       size_t image_bytes,
					       const struct rotor_image_policy *policy,
					       const struct rotor_module **out,
					       struct rotor_diag *diag);

/* Bytes of the block that the module takes, from its beginning; a multiple of 8. */
size_t rotor_module_bytes(const struct rotor_module *module);

/* Facts of a module, for people and for admission. */
struct rotor_module_info {
	uint32_t wasm_bytes; /* length of the module */
	uint32_t code_bytes; /* of its code section */
	uint32_t form_bytes; /* of the translated form, with its maps */
	uint32_t func_count; /* imported and defined */
	uint32_t import_count, export_count;
	uint32_t table_count, global_count;
	bool has_memory, memory_imported, memory_grows; /* grows: memory.grow occurs in it */
	uint32_t page_bytes;                            /* 65536, or 1 with custom page sizes */
	uint64_t memory_bytes_min;                      /* declared minimum */
	uint64_t memory_bytes_max;                      /* declared maximum; UINT64_MAX if none */
	uint64_t memory_bytes_used; /* what it declares it uses: data end, __heap_base, initial
				       stack pointer */
	bool has_start;
	uint32_t native_bytes; /* of an instance's stack that native code needs beside what the
				  program uses; 0: interpreted */
};
void rotor_module_info(const struct rotor_module *module, struct rotor_module_info *out);

/* Import and export i, in the module's order; false when there is none. Names are lent, not ended
 * by 0. */
struct rotor_import {
	const char *module, *name;
	uint32_t module_bytes, name_bytes;
	enum rotor_kind kind;
	struct rotor_functype type; /* of functions */
};
struct rotor_export {
	const char *name;
	uint32_t name_bytes;
	enum rotor_kind kind;
	uint32_t idx; /* in the index space of its kind */
};
bool rotor_module_import(const struct rotor_module *module, uint32_t i, struct rotor_import *out);
bool rotor_module_export(const struct rotor_module *module, uint32_t i, struct rotor_export *out);

/* The export of that name and kind; false when there is none. */
bool rotor_module_find(const struct rotor_module *module, const char *name, enum rotor_kind kind,
		       uint32_t *idx);

/* The type of function idx (< func_count). */
struct rotor_functype rotor_module_functype(const struct rotor_module *module, uint32_t idx);

/* The name of function idx from the name section, else its export's, else its import's; false if it
 * has none. Lent, not ended by 0. */
bool rotor_module_funcname(const struct rotor_module *module, uint32_t idx, const char **name,
			   uint32_t *bytes);

/* ---- host functions
 * ----------------------------------------------------------------------------------- */

struct rotor_instance;

enum rotor_host {
	ROTOR_HOST_DONE = 0, /* answered: the results are in cells */
	ROTOR_HOST_LATER,    /* not yet: rotor_run returns HOST; rotor_answer goes on */
	ROTOR_HOST_TRAP,     /* ends the program; rotor_set_trap said why */
	ROTOR_HOST_AGAIN, /* a part is done: it is called again with its cells as it left them, at
				once or, after a stop, in the next rotor_run */
};

/* What a host function gets. cells holds the arguments, packed: i32, f32 and references take one
 * 32-bit cell, i64 and f64 two, low half first. Results are written to cells from [0] on, over the
 * arguments. */
struct rotor_call {
	struct rotor_instance *instance;
	void *user;      /* of struct rotor_imports */
	uint32_t *cells; /* borrowed during the call */
	const struct rotor_host_func *func;
};

typedef enum rotor_host (*rotor_host_fn)(struct rotor_call *call);

/* One row of a table of host functions. */
struct rotor_host_func {
	const char *module, *name;
	const char *type; /* parameters ')' results: "iiI)i"; i i32, I i64, f f32, F f64, r
			     externref, p funcref */
	rotor_host_fn fn;
};

/* Something that another instance exports, for an import. */
struct rotor_extern {
	const char *module, *name; /* the import's names */
	struct rotor_instance *instance;
	uint32_t export_idx; /* which export of that instance's module, in order */
};

/* What the imports of an instance are looked up in, in order: tables of functions, then externs.
 * Borrowed as long as the instance is used. */
struct rotor_imports {
	const struct rotor_host_func *const *tables; /* each ended by a row whose name is NULL */
	uint32_t table_count;
	const struct rotor_extern *externs;
	uint32_t extern_count;
	void *user; /* handed to every host function */
};

/* Reading arguments and writing results; cell is the index of the value's first cell. */
static inline uint32_t rotor_arg_u32(const struct rotor_call *call, unsigned cell)
{
	return call->cells[cell];
}
static inline uint64_t rotor_arg_u64(const struct rotor_call *call, unsigned cell)
{
	return call->cells[cell] | (uint64_t)call->cells[cell + 1] << 32;
}
static inline float rotor_arg_f32(const struct rotor_call *call, unsigned cell)
{
	union {
		uint32_t u;
		float f;
	} v = {call->cells[cell]};
	return v.f;
}
static inline double rotor_arg_f64(const struct rotor_call *call, unsigned cell)
{
	union {
		uint64_t u;
		double f;
	} v = {rotor_arg_u64(call, cell)};
	return v.f;
}
static inline void rotor_result_u32(struct rotor_call *call, uint32_t v)
{
	call->cells[0] = v;
}
static inline void rotor_result_u64(struct rotor_call *call, uint64_t v)
{
	call->cells[0] = (uint32_t)v;
	call->cells[1] = (uint32_t)(v >> 32);
}
static inline void rotor_result_f32(struct rotor_call *call, float v)
{
	union {
		float f;
		uint32_t u;
	} b = {v};
	call->cells[0] = b.u;
}
static inline void rotor_result_f64(struct rotor_call *call, double v)
{
	union {
		double f;
		uint64_t u;
	} b = {v};
	rotor_result_u64(call, b.u);
}

/* Charges fuel for work in proportion to what a program asked for, so that its limits hold for host
 * functions too: bulk operations cost one unit for 64 bytes. Once per answer, and the same for the
 * same arguments, or fuel would differ between machines. */
void rotor_charge(struct rotor_instance *instance, uint32_t units);

/* Two words for a host function that does its work in parts, so that it can be stopped between them
 * (ROTOR_HOST_AGAIN): 0 in the first part, then as it left them. They are saved with the instance. */
uint32_t *rotor_progress(struct rotor_instance *instance);

/* The one check for pointers from a module: bytes [at, at + bytes) of memory 0, or NULL if any lies
 * outside. Lent until the program runs on (memory can move no earlier). bytes 0 at the very end is
 * inside. */
void *rotor_memory_at(struct rotor_instance *instance, uint32_t at, uint32_t bytes);
/* The same of the pointer in a call's cell. NULL: the trap is set, answer ROTOR_HOST_TRAP. */
void *rotor_arg_memory(struct rotor_call *call, unsigned cell, uint32_t bytes);

/* A string ended by 0 in memory 0, its length in *bytes; NULL if the end is not inside the memory.
 */
const char *rotor_memory_str(struct rotor_instance *instance, uint32_t at, uint32_t *bytes);

/* ---- instances
 * ---------------------------------------------------------------------------------------- */

struct rotor_limits {
	uint32_t stack_bytes; /* for frames of the program; 0: 16384 */
	uint32_t heap_bytes;  /* for malloc of the libc subset, inside linear memory; 0: none */
	uint64_t memory_bytes_max; /* of linear memory with heap; 0: only what the module declares
				      as minimum */
	uint32_t table_elems_max;  /* of all tables together; 0: only what the module declares as
				      minimum */
	bool memory_used_only; /* back only memory_bytes_used of a memory that never grows: access
				  beyond is a trap */
	bool block_is_zero;    /* the block's bytes are 0 already */
};

/* Bytes that rotor_instantiate needs for this module and these limits; a multiple of 8. SIZE_MAX:
 * cannot be. */
size_t rotor_instance_bytes(const struct rotor_module *module, const struct rotor_limits *limits);

/* Makes an instance in block (aligned to 8), which it keeps. The module and the imports must
 * outlive it. Segments are placed and the start function runs in the first rotor_run, where they
 * may trap. diag may be NULL. Instances that import from each other hold pointers to each other:
 * all of them end together. */
ROTOR_MUST_USE enum rotor_err
rotor_instantiate(void *block, size_t block_bytes, const struct rotor_module *module,
		  const struct rotor_imports *imports, const struct rotor_limits *limits,
		  struct rotor_instance **out, struct rotor_diag *diag);

/* Goes on with an instance whose block was copied to another place: sets the few host pointers
 * anew. The module must be of the same bytes and the same imports be there. The block is trusted:
 * what came over a network or a disk is authenticated first. */
ROTOR_MUST_USE enum rotor_err rotor_attach(void *block, size_t block_bytes,
					   const struct rotor_module *module,
					   const struct rotor_imports *imports,
					   struct rotor_instance **out, struct rotor_diag *diag);

const struct rotor_module *rotor_instance_module(const struct rotor_instance *instance);

/* ---- running
 * ------------------------------------------------------------------------------------------ */

enum rotor_status {
	ROTOR_DONE, /* the call ended; its results can be read; the next rotor_call is welcome */
	ROTOR_TRAP, /* the call ended with a trap; memory and globals can still be read */
	ROTOR_FUEL, /* the fuel is used up or an interrupt came; call again to go on */
	ROTOR_HOST, /* a host function said LATER; after rotor_answer call again */
};

/* Prepares a call of an exported function (by its function index). args are count values of the
 * parameters' types. Errors: ARGUMENT wrong count or type, STATE a call is running, LIMIT no stack.
 * While a host function is pending (HOST) a nested call may be prepared; when it is DONE the outer
 * one can be answered. */
ROTOR_MUST_USE enum rotor_err rotor_call(struct rotor_instance *instance, uint32_t func_idx,
					 const struct rotor_value *args, uint32_t count,
					 struct rotor_diag *diag);

/* The same of the exported function of that name. */
ROTOR_MUST_USE enum rotor_err rotor_call_name(struct rotor_instance *instance, const char *name,
					      const struct rotor_value *args, uint32_t count,
					      struct rotor_diag *diag);

/* Runs until something is to be told, or until about fuel units are used. One unit is one
 * WebAssembly instruction; loops and calls are charged in advance for their whole body, bulk
 * operations by length. Never blocks. Native code runs on the stack in the instance's block: where the
 * system delivers signals, their handlers on a thread that runs it need a stack of their own
 * (sigaltstack, SA_ONSTACK). */
enum rotor_status rotor_run(struct rotor_instance *instance, uint64_t fuel);

/* After HOST: the pending call, to read its arguments and write its results; then rotor_answer says
 * how it ended (DONE or TRAP). */
struct rotor_call *rotor_pending(struct rotor_instance *instance);
void rotor_answer(struct rotor_instance *instance, enum rotor_host how);

/* After DONE: the results of the call, count as the function's type says. Writes at most cap,
 * returns how many there are. */
uint32_t rotor_results(struct rotor_instance *instance, struct rotor_value *out, uint32_t cap);

/* Makes rotor_run return FUEL soon. From any thread or interrupt; the flag is cleared when
 * rotor_run returns for it. */
void rotor_interrupt(struct rotor_instance *instance);

/* Ends whatever the instance is doing, without a trap; its memory and globals stay readable. */
void rotor_reset(struct rotor_instance *instance);

/* Fuel used since instantiation. */
uint64_t rotor_fuel_used(const struct rotor_instance *instance);
/* The highest use of the stack so far, in bytes. */
uint32_t rotor_stack_peak(const struct rotor_instance *instance);

/* ---- traps
 * -------------------------------------------------------------------------------------------- */

enum rotor_trap {
	ROTOR_TRAP_NONE = 0,
	ROTOR_TRAP_UNREACHABLE,
	ROTOR_TRAP_MEMORY,     /* out of bounds memory access */
	ROTOR_TRAP_TABLE,      /* out of bounds table access */
	ROTOR_TRAP_ELEMENT,    /* undefined element */
	ROTOR_TRAP_NULL,       /* uninitialized element */
	ROTOR_TRAP_SIGNATURE,  /* indirect call type mismatch */
	ROTOR_TRAP_DIV_ZERO,   /* integer divide by zero */
	ROTOR_TRAP_OVERFLOW,   /* integer overflow */
	ROTOR_TRAP_CONVERSION, /* invalid conversion to integer */
	ROTOR_TRAP_STACK,      /* call stack exhausted */
	ROTOR_TRAP_UNBACKED,   /* memory that the limits left without bytes (memory_used_only) */
	ROTOR_TRAP_HOST,       /* a host function refused; rotor_set_trap's text */
	ROTOR_TRAP_EXIT,       /* the program ended itself: rotor_exit_code */
};

enum rotor_trap rotor_trap(const struct rotor_instance *instance);
/* The reason in the words of the specification's tests; lent, static. */
const char *rotor_trap_text(enum rotor_trap trap);
/* For host functions that return TRAP: why. text is copied, up to 63 bytes. */
void rotor_set_trap(struct rotor_instance *instance, enum rotor_trap trap, const char *text);
/* What rotor_set_trap was told; "" if nothing. */
const char *rotor_trap_detail(const struct rotor_instance *instance);
/* For proc_exit and exit: sets the code; the host function then returns TRAP. */
void rotor_set_exit(struct rotor_instance *instance, int32_t code);
int32_t rotor_exit_code(const struct rotor_instance *instance);

/* Frame i of the backtrace of a trap (or of a program that has stopped otherwise), 0 the innermost.
 */
struct rotor_frame {
	uint32_t func_idx;
	uint32_t offset;  /* byte offset in the module of the instruction */
	const char *name; /* lent, not ended by 0; NULL if it has none */
	uint32_t name_bytes;
};
bool rotor_frame(const struct rotor_instance *instance, uint32_t i, struct rotor_frame *out);

/* ---- looking inside
 * ----------------------------------------------------------------------------------- */

/* Linear memory 0: its first byte and its size now; NULL and 0 if there is none. Lent until the
 * program runs on. */
void *rotor_memory(struct rotor_instance *instance, uint64_t *bytes);
/* Grows memory 0 by pages; the old size in pages, or UINT32_MAX when the limits do not allow it. */
uint32_t rotor_memory_grow(struct rotor_instance *instance, uint32_t pages);
/* Global idx of the instance. ARGUMENT: no such global; set: also not mutable or of another type.
 */
ROTOR_MUST_USE enum rotor_err rotor_global_get(struct rotor_instance *instance, uint32_t idx,
					       struct rotor_value *out);
ROTOR_MUST_USE enum rotor_err rotor_global_set(struct rotor_instance *instance, uint32_t idx,
					       struct rotor_value value);
/* The function index a funcref of this instance stands for; false if it is null or not this
 * instance's. */
bool rotor_ref_func(const struct rotor_instance *instance, uint32_t ref, uint32_t *func_idx);
/* The region of linear memory that malloc of the libc subset uses; 0 bytes if there is none. */
void rotor_heap(const struct rotor_instance *instance, uint32_t *at, uint32_t *bytes);

#endif
