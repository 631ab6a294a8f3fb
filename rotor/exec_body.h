/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the form's operations do, apart from going on to the next: functions that are inlined into
 * handlers, so that one handler can do two operations. Included by exec_wide.c.
 *
 * b_NAME does operation NAME, its operands beginning at pc[1]: 0; 1 plus the number of places in the
 * map before the one that trapped, X->address being where; or BODY_JUMP plus the unit of a jump's
 * distance. c_NAME tells whether branch NAME is taken.
 * Spec: WebAssembly 2.0 4.3, 4.4.
 */
#ifndef ROTOR_EXEC_BODY_H
#define ROTOR_EXEC_BODY_H

#include "rotor/numeric.h"

#if defined(__clang__)
/* A product and a sum are two operations, each rounded; GCC has an option for that. */
#pragma STDC FP_CONTRACT OFF
#endif

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "linear memory is read as it is: only little-endian machines are supported"
#endif

enum {
	BODY_JUMP = 256
};

#define INLINE     static inline __attribute__((always_inline, unused))
#define BODY(name) INLINE uint32_t b_##name(BODY_PARAMS)
#define TEST(name) INLINE bool c_##name(BODY_PARAMS)

/* A forward branch that is followed by another operation. */
#define BRANCH(name)                                                                               \
	BODY(name)                                                                                 \
	{                                                                                          \
		return c_##name(BODY_ARGS(0)) ? BODY_JUMP + U_##name - 2 : 0;                      \
	}

/* ---- arithmetic and comparisons ---- */

#define B_BIN(operands, result, name, in, out, ...)                                                \
	BODY(name##_##operands##result)                                                            \
	{                                                                                          \
		GET_##operands(in);                                                                \
		ctype_##out r = (ctype_##out)(__VA_ARGS__);                                        \
		PUT_##result(out, 1 + UNITS_##operands);                                           \
		return 0;                                                                          \
	}
#define R(name, in, out, set, ...) SET_##set(B_BIN, name, in, out, __VA_ARGS__)
FORM_BIN_LIST(R)
FORM_UN_LIST(R)
#undef R
#define R(name, in, set, expr, inverse, mirror) SET_##set(B_BIN, name, in, u32, expr)
FORM_CMP_LIST(R)
#undef R

#define B_TEST(operands, result, name, in, ...)                                                    \
	TEST(name##_##operands##result)                                                            \
	{                                                                                          \
		GET_##operands(in);                                                                \
		return __VA_ARGS__;                                                                \
	}
#define B_BRANCH(operands, result, name) BRANCH(name##_##operands##result)
#define R(name, in, set, expr, inverse, mirror)                                                    \
	SET_BR_##set(B_TEST, BR_##name, in, expr) SET_BR_##set(B_BRANCH, BR_##name)                \
		SET_BACK_##set(B_TEST, BACK_##name, in, expr)
FORM_CMP_LIST(R)
#undef R

#define B_ZERO(name, value)                                                                        \
	TEST(name)                                                                                 \
	{                                                                                          \
		return value;                                                                      \
	}
B_ZERO(BRNZ_S, SLOT(u32, 1) != 0)
B_ZERO(BRNZ_A, GETA_u32 != 0)
B_ZERO(BRZ_S, SLOT(u32, 1) == 0)
B_ZERO(BRZ_A, GETA_u32 == 0)
B_ZERO(BACKNZ_S, SLOT(u32, 1) != 0)
B_ZERO(BACKNZ_A, GETA_u32 != 0)
B_ZERO(BACKZ_S, SLOT(u32, 1) == 0)
B_ZERO(BACKZ_A, GETA_u32 == 0)
BRANCH(BRNZ_S)
BRANCH(BRNZ_A)
BRANCH(BRZ_S)
BRANCH(BRZ_A)

/* The first operand if the condition holds. */
#define B_SELECT(operands, result, name, type)                                                     \
	BODY(name##_##operands##result)                                                            \
	{                                                                                          \
		GET_##operands(u32);                                                               \
		ctype_##type r = a != 0 ? SLOT(type, 1 + UNITS_##operands)                         \
					: SLOT(type, 2 + UNITS_##operands);                        \
		PUT_##result(type, 3 + UNITS_##operands);                                          \
		return 0;                                                                          \
	}
#define R(name, type, set) SET_##set(B_SELECT, name, type)
FORM_SELECT_LIST(R)
#undef R

/* ---- loads and stores ---- */

/* The address of a load. */
#define ADDRESS_S  uint32_t a = SLOT(u32, 1)
#define ADDRESS_A  uint32_t a = GETA_u32
#define ADDRESS_SS uint32_t a = SLOT(u32, 1) + SLOT(u32, 2)
#define ADDRESS_AS uint32_t a = GETA_u32 + SLOT(u32, 1)
#define ADDRESS_SL uint32_t a = SLOT(u32, 1) + LONG_u32(2)
#define ADDRESS_AL uint32_t a = GETA_u32 + LONG_u32(1)
#define ADDRESS_L  uint32_t a = LONG_u32(1)

#define B_LOAD(operands, result, name, mtype, out)                                                 \
	BODY(name##_##operands##result)                                                            \
	{                                                                                          \
		ADDRESS_##operands;                                                                \
		mtype v;                                                                           \
		ACCESS(LOAD_OFFSET_##operands, sizeof(mtype), 1 + UNITS_##operands);               \
		memcpy(&v, at, sizeof(v));                                                         \
		ctype_##out r = (ctype_##out)v;                                                    \
		PUT_##result(out, U_##name##_##operands##result - UNITS_##result);                 \
		return 0;                                                                          \
	}
#define R(name, mtype, out, set) SET_##set(B_LOAD, name, mtype, out)
FORM_LOAD_LIST(R)
#undef R

/* The address and the value of a store. */
#define STORE_SS(type)                                                                             \
	ADDRESS_S;                                                                                 \
	ctype_##type v = SLOT(type, 2)
#define STORE_AS(type)                                                                             \
	ADDRESS_A;                                                                                 \
	ctype_##type v = SLOT(type, 1)
#define STORE_SA(type)                                                                             \
	ADDRESS_S;                                                                                 \
	ctype_##type v = GETA_##type
#define STORE_SK(type)                                                                             \
	ADDRESS_S;                                                                                 \
	ctype_##type v = (ctype_##type)(int16_t)PC[2]
#define STORE_AK(type)                                                                             \
	ADDRESS_A;                                                                                 \
	ctype_##type v = (ctype_##type)(int16_t)PC[1]
#define STORE_SLS(type)                                                                            \
	ADDRESS_SL;                                                                                \
	ctype_##type v = SLOT(type, 4)
#define STORE_SLA(type)                                                                            \
	ADDRESS_SL;                                                                                \
	ctype_##type v = GETA_##type
#define STORE_SSS(type)                                                                            \
	ADDRESS_SS;                                                                                \
	ctype_##type v = SLOT(type, 3)
#define STORE_SLK(type)                                                                            \
	ADDRESS_SL;                                                                                \
	ctype_##type v = (ctype_##type)(int16_t)PC[4]
#define STORE_SSA(type)                                                                            \
	ADDRESS_SS;                                                                                \
	ctype_##type v = GETA_##type

#define STORE_LS(type)                                                                             \
	ADDRESS_L;                                                                                 \
	ctype_##type v = SLOT(type, 3)
#define STORE_LA(type)                                                                             \
	ADDRESS_L;                                                                                 \
	ctype_##type v = GETA_##type

#define B_STORE(operands, result, name, mtype, type)                                               \
	BODY(name##_##operands##result)                                                            \
	{                                                                                          \
		STORE_##operands(type);                                                            \
		mtype m = (mtype)v;                                                                \
		ACCESS(STORE_OFFSET_##operands, sizeof(mtype), 1 + UNITS_##operands);              \
		memcpy(at, &m, sizeof(m));                                                         \
		return 0;                                                                          \
	}
#define R(name, mtype, type, set) SET_##set(B_STORE, name, mtype, type)
FORM_STORE_LIST(R)
#undef R

BODY(ADDR_S)
{
	uint32_t sum;

	if (UNLIKELY(!add_offset(X, SLOT(u32, 1), PC + 2, &sum))) {
		return 1;
	}
	SETA_u32(sum);
	return 0;
}

BODY(ADDR_A)
{
	uint32_t sum;

	if (UNLIKELY(!add_offset(X, GETA_u32, PC + 1, &sum))) {
		return 1;
	}
	SETA_u32(sum);
	return 0;
}

/* ---- slots and constants ---- */

BODY(MOV32)
{
	SLOT(u32, 2) = SLOT(u32, 1);
	return 0;
}

BODY(MOV64)
{
	SLOT(u64, 2) = SLOT(u64, 1);
	return 0;
}

BODY(LEA_SL)
{
	SLOT(u32, 4) = SLOT(u32, 1) + LONG_u32(2);
	return 0;
}

BODY(LEA_SS)
{
	SLOT(u32, 3) = SLOT(u32, 1) + SLOT(u32, 2);
	return 0;
}

BODY(K16_32)
{
	SLOT(i32, 2) = (int16_t)PC[1];
	return 0;
}

BODY(K32_32)
{
	SLOT(u32, 3) = *(const unit32 *)&PC[1];
	return 0;
}

BODY(K16_64)
{
	SLOT(i64, 2) = (int16_t)PC[1];
	return 0;
}

BODY(K32_64)
{
	SLOT(i64, 3) = (int32_t) * (const unit32 *)&PC[1];
	return 0;
}

BODY(K64_64)
{
	SLOT(u64, 5) = *(const unit32 *)&PC[1] | (uint64_t) * (const unit32 *)&PC[3] << 32;
	return 0;
}

BODY(KA_I32)
{
	SETA_u32(*(const unit32 *)&PC[1]);
	return 0;
}

BODY(KA_I64)
{
	SETA_i64((int32_t) * (const unit32 *)&PC[1]);
	return 0;
}

BODY(KA_F32)
{
	float v;

	memcpy(&v, &PC[1], sizeof(v));
	SETA_f32(v);
	return 0;
}

BODY(KA_F64)
{
	double v;

	memcpy(&v, &PC[1], sizeof(v));
	SETA_f64(v);
	return 0;
}

#define H_STA(name, type)                                                                          \
	BODY(name)                                                                                 \
	{                                                                                          \
		SLOT(type, 1) = GETA_##type;                                                       \
		return 0;                                                                          \
	}
H_STA(STA_I32, u32)
H_STA(STA_I64, u64)
H_STA(STA_F32, f32)
H_STA(STA_F64, f64)

#define H_LDA(name, type)                                                                          \
	BODY(name)                                                                                 \
	{                                                                                          \
		SETA_##type(SLOT(type, 1));                                                        \
		return 0;                                                                          \
	}
H_LDA(LDA_I32, u32)
H_LDA(LDA_I64, u64)
H_LDA(LDA_F32, f32)
H_LDA(LDA_F64, f64)

/* ---- globals ---- */

#define GLOBAL(type) (*(cell_##type *)&X->globals[PC[1]])

BODY(GGET32_A)
{
	SETA_u32(GLOBAL(u32));
	return 0;
}

BODY(GGET32_S)
{
	uint32_t v = GLOBAL(u32);

	SLOT(u32, 2) = v;
	SETA_u32(v);
	return 0;
}

BODY(GGET64_A)
{
	SETA_u64(GLOBAL(u64));
	return 0;
}

BODY(GGET64_S)
{
	uint64_t v = GLOBAL(u64);

	SLOT(u64, 2) = v;
	SETA_u64(v);
	return 0;
}

BODY(GSET32_S)
{
	GLOBAL(u32) = SLOT(u32, 2);
	return 0;
}

BODY(GSET32_A)
{
	GLOBAL(u32) = GETA_u32;
	return 0;
}

BODY(GSET64_S)
{
	GLOBAL(u64) = SLOT(u64, 2);
	return 0;
}

BODY(GSET64_A)
{
	GLOBAL(u64) = GETA_u64;
	return 0;
}

/* ---- two operations ---- */

#define BOTH_PLAIN(first, second)                                                                  \
	BODY(first##__##second)                                                                    \
	{                                                                                          \
		uint32_t how = b_##first(BODY_ARGS(0));                                            \
		if (how != 0) {                                                                    \
			return how;                                                                \
		}                                                                                  \
		how = b_##second(BODY_ARGS(U_##first - 1));                                        \
		return how == 0 ? 0 : how + (how >= BODY_JUMP ? U_##first - 1 : M_##first);        \
	}
#define BOTH_BR BOTH_PLAIN
#define BOTH_BACK(first, second)
#define BOTH_JUMP(first, second)
#define BOTH_LOOP(first, second)
#define BOTH_HANDLER(first, second)
#define P(kind, first, second) BOTH_##kind(first, second)
FORM_PAIR_LIST(P)
#undef P

#endif
