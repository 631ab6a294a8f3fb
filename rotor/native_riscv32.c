/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks of native code on RISC-V, 32 bits.
 *
 *     native_sp -> ra s0 s1..s11 | frames...; a frame: before s0 lie the return address and the caller's s0
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

void rotor_native_start(void);

uint16_t rotor_image_target(void)
{
	return 6;
}

uintptr_t rotor_native_prepare(struct rotor_native_ctx *ctx, uintptr_t top, uintptr_t thunk,
			       uintptr_t func, uint32_t *cells)
{
	uintptr_t *sp = (uintptr_t *)(top & ~(uintptr_t)15) - 16;

	for (int i = 0; i < 16; i++) {
		sp[i] = 0;
	}
	sp[0] = (uintptr_t)rotor_native_start;
	sp[2] = (uintptr_t)ctx;
	sp[3] = thunk;
	sp[4] = func;
	sp[5] = (uintptr_t)cells;
	return (uintptr_t)sp;
}

bool rotor_native_frame_first(const struct rotor_native_ctx *ctx, struct rotor_native_frame *out)
{
	const uintptr_t *sp = (const uintptr_t *)ctx->native_sp;

	out->fp = sp[1];
	out->pc = sp[0];
	return true;
}

bool rotor_native_frame_next(struct rotor_native_frame *f, uintptr_t low, uintptr_t high)
{
	const uintptr_t *frame = (const uintptr_t *)f->fp;

	if (f->fp < low + 2 * sizeof(uintptr_t) || f->fp > high || f->fp % sizeof(uintptr_t) != 0) {
		return false;
	}
	f->pc = frame[-1];
	f->fp = frame[-2];
	return true;
}
