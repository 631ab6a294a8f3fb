/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks of native code on AArch64.
 *
 *     native_sp -> x29 x30 x19..x28 d8..d15 | frames...; a frame: x29 -> caller's x29, return address
 */
#include "rotor/native.h"

#include "rotor/rotor.h"

_Static_assert(offsetof(struct rotor_native_ctx, native_sp) == ROTOR_NATIVE_SP_64,
	       "the assembly knows");
_Static_assert(offsetof(struct rotor_native_ctx, engine_sp) == ROTOR_ENGINE_SP_64,
	       "the assembly knows");
_Static_assert(offsetof(struct rotor_native_ctx, interrupt) == 96, "the assembly knows");
_Static_assert(offsetof(struct rotor_native_ctx, fuel) == 104, "the assembly knows");
_Static_assert(offsetof(struct rotor_native_ctx, reserve) == 132, "the assembly knows");
_Static_assert(offsetof(struct rotor_native_ctx, slice) == 152, "the assembly knows");
_Static_assert(offsetof(struct rotor_native_ctx, tick) == 156, "the assembly knows");
_Static_assert(offsetof(struct rotor_native_ctx, request) == 108, "the assembly knows");

void rotor_native_start(void);

uint16_t rotor_image_target(void)
{
	return 2;
}

uintptr_t rotor_native_prepare(struct rotor_native_ctx *ctx, uintptr_t top, uintptr_t thunk,
			       uintptr_t func, uint32_t *cells)
{
	uintptr_t *sp = (uintptr_t *)(top & ~(uintptr_t)15) - 20;

	for (int i = 0; i < 20; i++) {
		sp[i] = 0;
	}
	sp[1] = (uintptr_t)rotor_native_start;
	sp[2] = (uintptr_t)ctx;
	sp[3] = thunk;
	sp[4] = func;
	sp[5] = (uintptr_t)cells;
	return (uintptr_t)sp;
}

bool rotor_native_frame_first(const struct rotor_native_ctx *ctx, struct rotor_native_frame *out)
{
	const uintptr_t *sp = (const uintptr_t *)ctx->native_sp;

	out->fp = sp[0];
	out->pc = sp[1];
	return true;
}

bool rotor_native_frame_next(struct rotor_native_frame *f, uintptr_t low, uintptr_t high)
{
	const uintptr_t *frame = (const uintptr_t *)f->fp;

	if (f->fp < low || f->fp > high - 2 * sizeof(uintptr_t) || f->fp % sizeof(uintptr_t) != 0) {
		return false;
	}
	f->fp = frame[0];
	f->pc = frame[1];
	return true;
}
