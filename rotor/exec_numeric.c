/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of the numeric operations, from the rows of opcode_list.h. Spec: WebAssembly 2.0 4.3. */
#include "rotor/exec.h"
#include "rotor/numeric.h"

#if defined(EXEC_HANDLERS)

/* By the operands' type: exec_shared.h may have others. */
#define H_BIN(operands, result, name, in, ...) H_BIN_##in(operands, result, name, in, __VA_ARGS__)
#define H_UN(operands, result, name, in, ...)  H_UN_##in(operands, result, name, in, __VA_ARGS__)
#define H_BIN_u32                              H_BIN_OWN
#define H_BIN_i32                              H_BIN_OWN
#define H_BIN_u64                              H_BIN_OWN
#define H_BIN_i64                              H_BIN_OWN
#define H_UN_u32                               H_UN_OWN
#define H_UN_i32                               H_UN_OWN
#define H_UN_u64                               H_UN_OWN
#define H_UN_i64                               H_UN_OWN
#if !defined(H_BIN_f32)
#define H_BIN_f32 H_BIN_FLOAT
#define H_BIN_f64 H_BIN_FLOAT
#define H_UN_f32  H_UN_FLOAT
#define H_UN_f64  H_UN_FLOAT
#endif

/* Constant counts of shifts are less than the type's bits: translate.c takes care of that. */
#define COUNT_BELOW(name, first, bits)                                                             \
	if ((unsigned)G_##name - G_##first##_SHL <= G_##first##_ROTL - G_##first##_SHL &&          \
	    (uint64_t)b >= (bits)) {                                                               \
		__builtin_unreachable();                                                           \
	}
#define COUNT_SK(name)                                                                             \
	COUNT_BELOW(name, I32, 32)                                                                 \
	COUNT_BELOW(name, I64, 64)
#define COUNT_AK COUNT_SK
#define COUNT_SS(name)
#define COUNT_AS(name)
#define COUNT_SA(name)
#define COUNT_SL(name)
#define COUNT_AL(name)

#define H_BIN_OWN(operands, result, name, in, out, ...)                                            \
	HANDLER(name##_##operands##result)                                                         \
	{                                                                                          \
		GET_##operands(in);                                                                \
		COUNT_##operands(name);                                                            \
		ctype_##out r = (ctype_##out)(__VA_ARGS__);                                        \
		PUT_##result(out, 1 + UNITS_##operands);                                           \
		NEXT(1 + UNITS_##operands + UNITS_##result);                                       \
	}
#define H_BIN_FLOAT(operands, result, name, in, out, ...)                                          \
	HANDLER(name##_##operands##result)                                                         \
	{                                                                                          \
		GET_##operands(in);                                                                \
		ctype_##out r = (ctype_##out)(__VA_ARGS__);                                        \
		CALLED                                                                             \
		PUT_##result(out, 1 + UNITS_##operands);                                           \
		NEXT(1 + UNITS_##operands + UNITS_##result);                                       \
	}
#define R(name, in, out, set, ...) SET_##set(H_BIN, name, in, out, __VA_ARGS__)
FORM_BIN_LIST(R)
#undef R

#define H_DIV(operands, result, name, in, out, expr, bad1, why1, bad2, why2)                       \
	HANDLER(name##_##operands##result)                                                         \
	{                                                                                          \
		GET_##operands(in);                                                                \
		if (UNLIKELY(bad1)) {                                                              \
			TRAP(why1);                                                                \
		}                                                                                  \
		if (UNLIKELY(bad2)) {                                                              \
			TRAP(why2);                                                                \
		}                                                                                  \
		ctype_##out r = (ctype_##out)(expr);                                               \
		PUT_##result(out, 1 + UNITS_##operands);                                           \
		NEXT(1 + UNITS_##operands + UNITS_##result);                                       \
	}
#define R(name, in, out, set, expr, bad1, why1, bad2, why2)                                        \
	SET_##set(H_DIV, name, in, out, expr, bad1, why1, bad2, why2)
FORM_DIV_LIST(R)
#undef R

#define H_UN_OWN(operands, result, name, in, out, ...)                                             \
	HANDLER(name##_##operands##result)                                                         \
	{                                                                                          \
		GET_##operands(in);                                                                \
		ctype_##out r = (ctype_##out)(__VA_ARGS__);                                        \
		PUT_##result(out, 1 + UNITS_##operands);                                           \
		NEXT(1 + UNITS_##operands + UNITS_##result);                                       \
	}
#define H_UN_FLOAT(operands, result, name, in, out, ...)                                           \
	HANDLER(name##_##operands##result)                                                         \
	{                                                                                          \
		GET_##operands(in);                                                                \
		ctype_##out r = (ctype_##out)(__VA_ARGS__);                                        \
		CALLED                                                                             \
		PUT_##result(out, 1 + UNITS_##operands);                                           \
		NEXT(1 + UNITS_##operands + UNITS_##result);                                       \
	}
#define R(name, in, out, set, ...) SET_##set(H_UN, name, in, out, __VA_ARGS__)
FORM_UN_LIST(R)
#undef R

#if !defined(H_TRUNC)
#define H_TRUNC(operands, result, name, in, out, to, low, high)                                    \
	HANDLER(name##_##operands##result)                                                         \
	{                                                                                          \
		GET_##operands(in);                                                                \
		if (UNLIKELY(a != a)) {                                                            \
			TRAP(CONVERSION);                                                          \
		}                                                                                  \
		if (UNLIKELY(!(low) || a >= high)) {                                               \
			TRAP(OVERFLOW);                                                            \
		}                                                                                  \
		ctype_##out r = (ctype_##out)(to)a;                                                \
		PUT_##result(out, 1 + UNITS_##operands);                                           \
		NEXT(1 + UNITS_##operands + UNITS_##result);                                       \
	}
#endif
#define R(name, in, out, set, to, low, high) SET_##set(H_TRUNC, name, in, out, to, low, high)
FORM_TRUNC_LIST(R)
#undef R

/* Comparisons as values. */
#define H_CMP(operands, result, name, in, ...)                                                     \
	HANDLER(name##_##operands##result)                                                         \
	{                                                                                          \
		GET_##operands(in);                                                                \
		uint32_t r = (__VA_ARGS__);                                                        \
		SETA_u32(r);                                                                       \
		NEXT(1 + UNITS_##operands);                                                        \
	}
#define R(name, in, set, expr, inverse, mirror) SET_##set(H_CMP, name, in, expr)
FORM_CMP_LIST(R)
#undef R

/* The same as forward branches. */
#define H_BR(operands, result, name, in, ...)                                                      \
	HANDLER(BR_##name##_##operands##result)                                                    \
	{                                                                                          \
		GET_##operands(in);                                                                \
		if (__VA_ARGS__) {                                                                 \
			JUMP(1 + UNITS_##operands);                                                \
		}                                                                                  \
		NEXT(3 + UNITS_##operands);                                                        \
	}
#define R(name, in, set, expr, inverse, mirror) SET_BR_##set(H_BR, name, in, expr)
FORM_CMP_LIST(R)
#undef R

/* And as backward ones, which are charged. */
#define H_BACK(operands, result, name, in, ...)                                                    \
	HANDLER(BACK_##name##_##operands##result)                                                  \
	{                                                                                          \
		GET_##operands(in);                                                                \
		if (__VA_ARGS__) {                                                                 \
			JUMP_BACK(1 + UNITS_##operands);                                           \
		}                                                                                  \
		NEXT(3 + UNITS_##operands);                                                        \
	}
#define R(name, in, set, expr, inverse, mirror) SET_BACK_##set(H_BACK, name, in, expr)
FORM_CMP_LIST(R)
#undef R

/* The first operand if the condition holds. */
#define H_SELECT(operands, result, name, type)                                                     \
	HANDLER(name##_##operands##result)                                                         \
	{                                                                                          \
		GET_##operands(u32);                                                               \
		ctype_##type r = a != 0 ? SLOT(type, 1 + UNITS_##operands)                         \
					: SLOT(type, 2 + UNITS_##operands);                        \
		PUT_##result(type, 3 + UNITS_##operands);                                          \
		NEXT(3 + UNITS_##operands + UNITS_##result);                                       \
	}
#define R(name, type, set) SET_##set(H_SELECT, name, type)
FORM_SELECT_LIST(R)
#undef R

#endif
