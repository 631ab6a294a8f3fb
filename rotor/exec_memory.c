/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers that move values: loads, stores, slots, constants, globals. Spec: WebAssembly 2.0 4.4.7. */
#include "rotor/exec.h"

#if defined(EXEC_HANDLERS)

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "linear memory is read as it is: only little-endian machines are supported"
#endif

/* The address of a load. */
#define ADDRESS_S  uint32_t a = SLOT(u32, 1)
#define ADDRESS_A  uint32_t a = GETA_u32
#define ADDRESS_SS uint32_t a = SLOT(u32, 1) + SLOT(u32, 2)
#define ADDRESS_AS uint32_t a = GETA_u32 + SLOT(u32, 1)
#define ADDRESS_SL uint32_t a = SLOT(u32, 1) + LONG_u32(2)
#define ADDRESS_AL uint32_t a = GETA_u32 + LONG_u32(1)
#define ADDRESS_L  uint32_t a = LONG_u32(1)

#define H_LOAD(operands, result, name, mtype, out)                                                 \
	HANDLER(name##_##operands##result)                                                         \
	{                                                                                          \
		ADDRESS_##operands;                                                                \
		mtype v;                                                                           \
		ACCESS(LOAD_OFFSET_##operands, sizeof(mtype), 1 + UNITS_##operands);               \
		__builtin_memcpy(&v, at, sizeof(v));                                               \
		ctype_##out r = (ctype_##out)v;                                                    \
		PUT_##result(out, U_##name##_##operands##result - UNITS_##result);                 \
		NEXT(U_##name##_##operands##result);                                               \
	}
#define R(name, mtype, out, set) SET_##set(H_LOAD, name, mtype, out)
FORM_LOAD_LIST(R)
#undef R

/* The address of a store; the value, which is read behind the check. */
#define STORE_AT_SS  ADDRESS_S
#define STORE_AT_AS  ADDRESS_A
#define STORE_AT_SA  ADDRESS_S
#define STORE_AT_SK  ADDRESS_S
#define STORE_AT_AK  ADDRESS_A
#define STORE_AT_SLS ADDRESS_SL
#define STORE_AT_SLA ADDRESS_SL
#define STORE_AT_SSS ADDRESS_SS
#define STORE_AT_SLK ADDRESS_SL
#define STORE_AT_SSA ADDRESS_SS
#define STORE_AT_LS  ADDRESS_L
#define STORE_AT_LA  ADDRESS_L

#define VALUE_SS(type)  SLOT(type, 2)
#define VALUE_AS(type)  SLOT(type, 1)
#define VALUE_SA(type)  GETA_##type
#define VALUE_SK(type)  (ctype_##type)(int16_t) PC[2]
#define VALUE_AK(type)  (ctype_##type)(int16_t) PC[1]
#define VALUE_SLS(type) SLOT(type, 4)
#define VALUE_SLA(type) GETA_##type
#define VALUE_SSS(type) SLOT(type, 3)
#define VALUE_SLK(type) (ctype_##type)(int16_t) PC[4]
#define VALUE_SSA(type) GETA_##type
#define VALUE_LS(type)  SLOT(type, 3)
#define VALUE_LA(type)  GETA_##type

#define H_STORE(operands, result, name, mtype, type)                                               \
	HANDLER(name##_##operands##result)                                                         \
	{                                                                                          \
		STORE_AT_##operands;                                                               \
		ACCESS(STORE_OFFSET_##operands, sizeof(mtype), 1 + UNITS_##operands);              \
		mtype m = (mtype)(VALUE_##operands(type));                                         \
		__builtin_memcpy(at, &m, sizeof(m));                                               \
		NEXT(U_##name##_##operands##result);                                               \
	}
#define R(name, mtype, type, set) SET_##set(H_STORE, name, mtype, type)
FORM_STORE_LIST(R)
#undef R

HANDLER(ADDR_S)
{
	uint32_t sum;

	if (UNLIKELY(!add_offset(X, SLOT(u32, 1), PC + 2, &sum))) {
		CALL(cold_trap_memory);
	}
	SETA_u32(sum);
	NEXT(4);
}

HANDLER(ADDR_A)
{
	uint32_t sum;

	if (UNLIKELY(!add_offset(X, GETA_u32, PC + 1, &sum))) {
		CALL(cold_trap_memory);
	}
	SETA_u32(sum);
	NEXT(3);
}

/* ---- slots and constants ---- */

HANDLER(MOV32)
{
	SLOT(u32, 2) = SLOT(u32, 1);
	NEXT(3);
}

HANDLER(MOV64)
{
	SLOT(u64, 2) = SLOT(u64, 1);
	NEXT(3);
}

HANDLER(LEA_SL)
{
	SLOT(u32, 4) = SLOT(u32, 1) + LONG_u32(2);
	NEXT(5);
}

HANDLER(LEA_SS)
{
	SLOT(u32, 3) = SLOT(u32, 1) + SLOT(u32, 2);
	NEXT(4);
}

HANDLER(K16_32)
{
	SLOT(i32, 2) = (int16_t)PC[1];
	NEXT(3);
}

HANDLER(K32_32)
{
	SLOT(u32, 3) = *(const unit32 *)&PC[1];
	NEXT(4);
}

HANDLER(K16_64)
{
	SLOT(i64, 2) = (int16_t)PC[1];
	NEXT(3);
}

HANDLER(K32_64)
{
	SLOT(i64, 3) = (int32_t) * (const unit32 *)&PC[1];
	NEXT(4);
}

HANDLER(K64_64)
{
	SLOT(u64, 5) = *(const unit32 *)&PC[1] | (uint64_t) * (const unit32 *)&PC[3] << 32;
	NEXT(6);
}

HANDLER(KA_I32)
{
	SETA_u32(*(const unit32 *)&PC[1]);
	NEXT(3);
}

HANDLER(KA_I64)
{
	SETA_i64((int32_t) * (const unit32 *)&PC[1]);
	NEXT(3);
}

HANDLER(KA_F32)
{
	float v;

	__builtin_memcpy(&v, &PC[1], sizeof(v));
	SETA_f32(v);
	NEXT(3);
}

HANDLER(KA_F64)
{
	double v;

	__builtin_memcpy(&v, &PC[1], sizeof(v));
	SETA_f64(v);
	NEXT(5);
}

#define H_STA(name, type)                                                                          \
	HANDLER(name)                                                                              \
	{                                                                                          \
		SLOT(type, 1) = GETA_##type;                                                       \
		NEXT(2);                                                                           \
	}
H_STA(STA_I32, u32)
H_STA(STA_I64, u64)
H_STA(STA_F32, f32)
H_STA(STA_F64, f64)

#define H_LDA(name, type)                                                                          \
	HANDLER(name)                                                                              \
	{                                                                                          \
		SETA_##type(SLOT(type, 1));                                                        \
		NEXT(2);                                                                           \
	}
H_LDA(LDA_I32, u32)
H_LDA(LDA_I64, u64)
H_LDA(LDA_F32, f32)
H_LDA(LDA_F64, f64)

/* ---- globals ---- */

#define GLOBAL(type) (*(cell_##type *)&X->globals[PC[1]])

HANDLER(GGET32_A)
{
	SETA_u32(GLOBAL(u32));
	NEXT(2);
}

HANDLER(GGET32_S)
{
	uint32_t v = GLOBAL(u32);

	SLOT(u32, 2) = v;
	SETA_u32(v);
	NEXT(3);
}

HANDLER(GGET64_A)
{
	SETA_u64(GLOBAL(u64));
	NEXT(2);
}

HANDLER(GGET64_S)
{
	uint64_t v = GLOBAL(u64);

	SLOT(u64, 2) = v;
	SETA_u64(v);
	NEXT(3);
}

HANDLER(GSET32_S)
{
	GLOBAL(u32) = SLOT(u32, 2);
	NEXT(3);
}

HANDLER(GSET32_A)
{
	GLOBAL(u32) = GETA_u32;
	NEXT(2);
}

HANDLER(GSET64_S)
{
	GLOBAL(u64) = SLOT(u64, 2);
	NEXT(3);
}

HANDLER(GSET64_A)
{
	GLOBAL(u64) = GETA_u64;
	NEXT(2);
}

#endif
