/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers that do two operations. B_ is one operation's body, its first unit at u. */
#include "rotor/exec.h"

/* A product and a sum are two operations, each rounded. */
#if defined(ROTOR_DISPATCH_GOTO)
/* One function: exec_goto.c has it. */
#elif defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off")
#endif

#if defined(EXEC_HANDLERS) && !defined(ROTOR_PAIRS)

#define UNIT_K(u) ((int16_t)PC[u])

#define B_MOV32(u) SLOT(u32, (u) + 2) = SLOT(u32, (u) + 1);
#define B_I32_ADD_SKS(u)                                                                           \
	{                                                                                          \
		uint32_t r = SLOT(u32, (u) + 1) + (uint32_t)UNIT_K((u) + 2);                       \
		SLOT(u32, (u) + 3) = r;                                                            \
		SETA_u32(r);                                                                       \
	}
#define B_I32_SHL_SKA(u)   SETA_u32(SLOT(u32, (u) + 1) << PC[(u) + 2]);
#define B_I32_SHL_AKA(u)   SETA_u32(GETA_u32 << PC[(u) + 1]);
#define B_I32_SHR_U_SKA(u) SETA_u32(SLOT(u32, (u) + 1) >> PC[(u) + 2]);
#define B_F32_MUL_ASA(u)   SETA_f32(GETA_f32 *SLOT(f32, (u) + 1));
#define B_F32_MUL_SSA(u)   SETA_f32(SLOT(f32, (u) + 1) * SLOT(f32, (u) + 2));
#define B_F64_MUL_ASA(u)   SETA_f64(GETA_f64 *SLOT(f64, (u) + 1));
#define B_F64_MUL_SSA(u)   SETA_f64(SLOT(f64, (u) + 1) * SLOT(f64, (u) + 2));

/* Seconds: body and what follows. */
#define E_MOV32(u)                                                                                 \
	B_MOV32(u)                                                                                 \
	NEXT((u) + 3)
#define E_I32_ADD_SKS(u)                                                                           \
	B_I32_ADD_SKS(u)                                                                           \
	NEXT((u) + 4)
#define E_I32_SHL_SKA(u)                                                                           \
	B_I32_SHL_SKA(u)                                                                           \
	NEXT((u) + 3)
#define E_BR_LOOP(u) JUMP_LOOP((u) + 1)
#define BACK_IF(u, cond)                                                                           \
	if (cond) {                                                                                \
		JUMP_BACK(u);                                                                      \
	}                                                                                          \
	NEXT((u) + 2)
#define E_BACKNZ_A(u)          BACK_IF((u) + 1, GETA_u32 != 0)
#define E_BACK_I32_NE_AKA(u)   BACK_IF((u) + 2, GETA_u32 != (uint32_t)UNIT_K((u) + 1))
#define E_BACK_I32_NE_ASA(u)   BACK_IF((u) + 2, GETA_u32 != SLOT(u32, (u) + 1))
#define E_BACK_I32_LT_S_ASA(u) BACK_IF((u) + 2, GETA_i32 < SLOT(i32, (u) + 1))
#define E_BACK_I32_LT_U_ASA(u) BACK_IF((u) + 2, GETA_u32 < SLOT(u32, (u) + 1))

/* A load from a, which is a sum; result r. */
#define LOAD32_                                                                                    \
	uint32_t r;                                                                                \
	ACCESS(0, 4, 0);                                                                           \
	__builtin_memcpy(&r, at, 4);                                                               \
	SETA_u32(r);
#define E_I32_LOAD_ALA(u)                                                                          \
	uint32_t a = GETA_u32 + LONG_u32((u) + 1);                                                 \
	LOAD32_                                                                                    \
	NEXT((u) + 3)
#define E_I32_LOAD_ALS(u)                                                                          \
	uint32_t a = GETA_u32 + LONG_u32((u) + 1);                                                 \
	LOAD32_                                                                                    \
	SLOT(u32, (u) + 3) = r;                                                                    \
	NEXT((u) + 4)
#define E_I32_LOAD_ASA(u)                                                                          \
	uint32_t a = GETA_u32 + SLOT(u32, (u) + 1);                                                \
	LOAD32_                                                                                    \
	NEXT((u) + 2)
#define E_I32_LOAD_ASS(u)                                                                          \
	uint32_t a = GETA_u32 + SLOT(u32, (u) + 1);                                                \
	LOAD32_                                                                                    \
	SLOT(u32, (u) + 2) = r;                                                                    \
	NEXT((u) + 3)

/* An operation with the accumulator and a slot; result r. */
#define ACC_SLOT_(u, type, expr)                                                                   \
	ctype_##type a = GETA_##type, b = SLOT(type, (u) + 1), r = (expr);                         \
	CALLED                                                                                     \
	SETA_##type(r);
#define TO_ACC_(u, type, expr)                                                                     \
	ACC_SLOT_(u, type, expr)                                                                   \
	NEXT((u) + 2)
#define TO_SLOT_(u, type, expr)                                                                    \
	ACC_SLOT_(u, type, expr)                                                                   \
	SLOT(type, (u) + 2) = r;                                                                   \
	NEXT((u) + 3)
#define E_I32_XOR_ASA(u) TO_ACC_(u, u32, a ^ b)
#define E_I32_XOR_ASS(u) TO_SLOT_(u, u32, a ^ b)
#define E_F32_ADD_ASA(u) TO_ACC_(u, f32, a + b)
#define E_F32_ADD_ASS(u) TO_SLOT_(u, f32, a + b)
#define E_F64_ADD_ASA(u) TO_ACC_(u, f64, a + b)
#define E_F64_ADD_ASS(u) TO_SLOT_(u, f64, a + b)
#define E_F64_SUB_SAA(u) TO_ACC_(u, f64, b - a)
#define E_F64_SUB_SAS(u) TO_SLOT_(u, f64, b - a)

#define P(kind, first, second)                                                                     \
	HANDLER(first##__##second)                                                                 \
	{                                                                                          \
		B_##first(0) E_##second(U_##first - 1);                                            \
	}
FORM_PAIR_LIST(P)

#endif
