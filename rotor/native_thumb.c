/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks of native code on Thumb-2.
 *
 *     native_sp -> r4..r11 lr | frames...; a frame: r7 -> caller's r7, return address
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
	return 3;
}

uintptr_t rotor_native_prepare(struct rotor_native_ctx *ctx, uintptr_t top, uintptr_t thunk,
			       uintptr_t func, uint32_t *cells)
{
	uintptr_t *sp = (uintptr_t *)(top & ~(uintptr_t)7) - 10;

	for (int i = 0; i < 9; i++) {
		sp[i + 1] = 0;
	}
	sp++;
	sp[0] = (uintptr_t)ctx;
	sp[1] = thunk;
	sp[2] = func;
	sp[4] = (uintptr_t)cells;
	sp[8] = (uintptr_t)rotor_native_start;
	return (uintptr_t)sp;
}

bool rotor_native_frame_first(const struct rotor_native_ctx *ctx, struct rotor_native_frame *out)
{
	const uintptr_t *sp = (const uintptr_t *)ctx->native_sp;

	out->fp = sp[3];
	out->pc = sp[8];
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
