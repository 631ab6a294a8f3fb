/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of branches, calls and returns. Spec: WebAssembly 2.0 4.4.8, 4.4.10; tail calls. */
#include "rotor/exec.h"

#if defined(EXEC_HANDLERS)

/* ---- branches ---- */

HANDLER(BR)
{
	JUMP(1);
}

HANDLER(BR_LOOP)
{
	JUMP_LOOP(1);
}

#define H_TEST(name, value, n, op)                                                                 \
	HANDLER(BR##name)                                                                          \
	{                                                                                          \
		if ((value)op 0) {                                                                 \
			JUMP(n);                                                                   \
		}                                                                                  \
		NEXT((n) + 2);                                                                     \
	}                                                                                          \
	HANDLER(BACK##name)                                                                        \
	{                                                                                          \
		if ((value)op 0) {                                                                 \
			JUMP_BACK(n);                                                              \
		}                                                                                  \
		NEXT((n) + 2);                                                                     \
	}
H_TEST(NZ_S, SLOT(u32, 1), 2, !=)
H_TEST(NZ_A, GETA_u32, 1, !=)
H_TEST(Z_S, SLOT(u32, 1), 2, ==)
H_TEST(Z_A, GETA_u32, 1, ==)

HANDLER(BR_TABLE)
{
	uint32_t i = SLOT(u32, 1), last = *(const unit32 *)&PC[2];

	i = i < last ? i : last;
	PC += 2 * (size_t)i;
	PC += (int32_t) * (const unit32 *)&PC[4];
	NEXT(4);
}

/* ---- calls ---- */

#if !defined(FREE_ACCUMULATOR)
#define FREE_ACCUMULATOR ACC32 = 0
#endif
#if !defined(ZERO)
#define ZERO(at, count)                                                                            \
	do {                                                                                       \
		FP = (at);                                                                         \
		for (int32_t left_ = (count); left_ > 0; left_ -= 4) {                             \
			*(cells4 *)FP = (cells4){0, 0, 0, 0};                                      \
			FP += 4;                                                                   \
		}                                                                                  \
	} while (0)
#endif

/* Goes into own function f at place, whose frame begins at callee; units: of the call operation. No
 * accumulator outlives a call, which frees registers. Where there is a branch prediction, four cells
 * are zeroed whatever there is to zero, as most functions have no more: what lies behind is not in
 * use yet; all is read before the first cell is written, which may be anywhere for all the compiler
 * knows; the table's address is made anew. */
#if defined(ROTOR_DISPATCH_TAIL)
#define ENTER(f, place, callee, units)                                                             \
	do {                                                                                       \
		uint32_t *zero_, *link_;                                                           \
		table = &exec_table;                                                               \
		if (UNLIKELY((callee) + (f)->frame_cells > X->stack_end)) {                        \
			TRAP(STACK);                                                               \
		}                                                                                  \
		zero_ = (callee) + (f)->zero_from;                                                 \
		link_ = zero_ + (f)->zero_count;                                                   \
		do {                                                                               \
			*(cells4 *)zero_ = (cells4){0, 0, 0, 0};                                   \
			zero_ += 4;                                                                \
		} while (UNLIKELY(zero_ < link_));                                                 \
		const uint16_t *form_ = X->form;                                                   \
		*link_ = (uint32_t)(PC + (units)-form_);                                           \
		PC = form_ + (place);                                                              \
		FP = (callee);                                                                     \
		CHARGE_AND_GO((f)->cost);                                                          \
	} while (0)
#else
#define ENTER(f, place, callee, units)                                                             \
	do {                                                                                       \
		if (UNLIKELY((callee) + (f)->frame_cells > X->stack_end)) {                        \
			TRAP(STACK);                                                               \
		}                                                                                  \
		const uint16_t *form_ = X->form;                                                   \
		uint32_t *zero_ = (callee) + (f)->zero_from, count_ = (f)->zero_count;             \
		uint32_t *link_ = zero_ + count_;                                                  \
		IN_REGISTER(link_);                                                                \
		ZERO(zero_, count_);                                                               \
		FP = (callee);                                                                     \
		*link_ = (uint32_t)(PC + (units)-form_);                                           \
		PC = form_ + (place);                                                              \
		CHARGE_AND_GO((f)->cost);                                                          \
	} while (0)
#endif

#if !defined(ENTER_RARE)
#define ENTER_RARE(f, units)                                                                       \
	do {                                                                                       \
		uint32_t *callee = FP + PC[(units)-1];                                             \
		ENTER(f, (f)->form, callee, units);                                                \
	} while (0)
#define REENTER_RARE(idx, from, cells, link_slot)                                                  \
	do {                                                                                       \
		const struct func *f = &X->funcs[idx];                                             \
		IN_REGISTER(f);                                                                    \
		REENTER(f, from, cells, link_slot);                                                \
	} while (0)
#endif

HANDLER(CALL)
{
	FREE_ACCUMULATOR;
	const struct func *f = &X->funcs[PC[1]];
	IN_REGISTER(f);
	uint32_t *callee = FP + PC[2 + FORM_CALL_PLACE];

	ENTER(f, (FORM_CALL_PLACE != 0 ? LONG_u32(2) : f->form), callee, U_CALL);
}

HANDLER(CALL_FAR)
{
	uint32_t func = *(const unit32 *)&PC[1];

	if (func < X->func_imports) {
		CALL(cold_import_far);
	}
	ENTER_RARE(&X->funcs[func], 4);
}

HANDLER(RETURN)
{
	PC = X->form + FP[PC[1]];
	FP -= PC[-1];
	GO;
}

HANDLER(RETURN32)
{
	const uint16_t *back = X->form + FP[PC[2]];

	FP[0] = SLOT(u32, 1);
	PC = back;
	FP -= PC[-1];
	GO;
}

HANDLER(RETURN64)
{
	const uint16_t *back = X->form + FP[PC[2]];

	*(cell_u64 *)FP = SLOT(u64, 1);
	PC = back;
	FP -= PC[-1];
	GO;
}

HANDLER(CALL_IMPORT)
{
	CALL(cold_import);
}

HANDLER(ENTER_IMPORT)
{
	CALL(cold_enter_import);
}

HANDLER(CALL_INDIRECT)
{
	const struct table *t = instance_table(X->in, PC[3]);
	uint32_t i = SLOT(u32, 1), nth;
	const struct func *f;

	if (UNLIKELY(i >= t->count)) {
		TRAP(ELEMENT);
	}
	/* Own functions only: others have another number, null gives no valid index. */
	nth = t->elems[i] - X->own_refs;
	if (UNLIKELY(nth >= X->func_own)) {
		CALL(cold_indirect);
	}
	f = &X->own_funcs[nth];
	IN_REGISTER(f);
	if (UNLIKELY(f->type != PC[2])) {
		CALL(cold_indirect);
	}
	ENTER_RARE(f, 5);
}

/* Goes into func in place of the running function, with cells arguments from slot from on. */
#define REENTER(f, from, cells, link_slot)                                                         \
	do {                                                                                       \
		uint32_t link = FP[link_slot], *zero = FP + (f)->zero_from;                        \
		uint32_t count = (f)->zero_count;                                                  \
		if (UNLIKELY((f)->frame_cells > X->stack_end - FP)) {                              \
			TRAP(STACK);                                                               \
		}                                                                                  \
		for (uint32_t i_ = 0; i_ < (cells); i_++) {                                        \
			FP[i_] = FP[(from) + i_];                                                  \
		}                                                                                  \
		zero[count] = link;                                                                \
		while (count > 0) {                                                                \
			zero[--count] = 0;                                                         \
		}                                                                                  \
		PC = X->form + (f)->form;                                                          \
		CHARGE_AND_GO((f)->cost);                                                          \
	} while (0)

HANDLER(TAIL_CALL)
{
	REENTER_RARE(*(const unit32 *)&PC[1], PC[3], PC[4], PC[5]);
}

HANDLER(TAIL_INDIRECT)
{
	if (exec_target(X, SLOT(u32, 1), PC[2], PC[3]) != TARGET_OWN) {
		CALL(cold_tail_elsewhere);
	}
	REENTER_RARE(X->target, PC[6], PC[4], PC[5]);
}

#endif
