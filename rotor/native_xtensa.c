/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks of native code on Xtensa with register windows.
 *
 *     a frame, at its stack pointer: -16 the caller's a0..a3, once they have left the registers | 0 what is its own
 *     native_sp -> return address | frames...
 *
 * Rules: 1. A return address has the size of the call in its two highest bits; all code lies in the same gigabyte.
 *        2. Of a stack that is not in use nothing lies in registers: who leaves it has them written there.
 * Spec:  Xtensa Instruction Set Architecture Reference Manual, 4.7.1 and 8.1.
 */
#include "rotor/native.h"

#include "rotor/rotor.h"

_Static_assert(offsetof(struct rotor_native_ctx, native_sp) == ROTOR_NATIVE_SP_32,
	       "the assembly knows");
_Static_assert(offsetof(struct rotor_native_ctx, engine_sp) == ROTOR_ENGINE_SP_32,
	       "the assembly knows");
_Static_assert(offsetof(struct rotor_native_ctx, interrupt) == 48, "the assembly knows");
_Static_assert(offsetof(struct rotor_native_ctx, fuel) == 52, "the assembly knows");
_Static_assert(offsetof(struct rotor_native_ctx, reserve) == 80, "the assembly knows");
_Static_assert(ROTOR_NATIVE_SLICE == 8192, "the assembly knows");
_Static_assert(offsetof(struct rotor_native_ctx, request) == 56, "the assembly knows");

#define CALL4       ((uintptr_t)1 << 30)
#define SAME_REGION (((uintptr_t)1 << 30) - 1)

/* Words of the new stack, by distance from the stack pointer of rotor_native_start's frame. */
enum {
	ENTERED = -8, /* the frame that enter finds */
	START = 0,
	OUTER = 16, /* no frame; a4..a7 of START have their place below it */
	SAVED = -4, /* of any: the caller's registers */
};

void rotor_native_start(void);

uint16_t rotor_image_target(void)
{
	return 8;
}

static uintptr_t code_address(uintptr_t return_address)
{
	return (return_address & SAME_REGION) | ((uintptr_t)rotor_native_start & ~SAME_REGION);
}

uintptr_t rotor_native_prepare(struct rotor_native_ctx *ctx, uintptr_t top, uintptr_t thunk,
			       uintptr_t func, uint32_t *cells)
{
	uintptr_t *start = (uintptr_t *)(top & ~(uintptr_t)15) - OUTER, *entered = start + ENTERED;

	start[0] = thunk;
	start[1] = func;
	start[SAVED] = 0;
	start[SAVED + 1] = (uintptr_t)(start + OUTER);
	entered[0] = ((uintptr_t)rotor_native_start & SAME_REGION) | CALL4;
	entered[SAVED] = 0;
	entered[SAVED + 1] = (uintptr_t)start;
	entered[SAVED + 2] = (uintptr_t)ctx;
	entered[SAVED + 3] = (uintptr_t)cells;
	return (uintptr_t)entered;
}

bool rotor_native_frame_first(const struct rotor_native_ctx *ctx, struct rotor_native_frame *out)
{
	out->fp = ctx->native_sp;
	out->pc = code_address(*(const uintptr_t *)ctx->native_sp);
	return true;
}

bool rotor_native_frame_next(struct rotor_native_frame *f, uintptr_t low, uintptr_t high)
{
	const uintptr_t *frame = (const uintptr_t *)f->fp;

	if (f->fp < low + 4 * sizeof(uintptr_t) || f->fp > high || f->fp % 16 != 0) {
		return false;
	}
	f->pc = code_address(frame[SAVED]);
	f->fp = frame[SAVED + 1];
	return true;
}
