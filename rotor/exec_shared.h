/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small choice on small machines, where floats are computed by functions: the handlers of floats
 * say which function, and go on in code that is common to all of them. Included by exec_goto.c.
 */
#ifndef ROTOR_EXEC_SHARED_H
#define ROTOR_EXEC_SHARED_H

/* A function for each row of two operands; those of integers are dropped. */
#define R(name, in, out, set, ...)                                                                 \
	__attribute__((noinline, unused)) static ctype_##out fn_##name(ctype_##in a, ctype_##in b) \
	{                                                                                          \
		return (ctype_##out)(__VA_ARGS__);                                                 \
	}
FORM_BIN_LIST(R)
#undef R

/* What a handler hands to the common code. */
#define EXEC_SHARED_LOCALS                                                                         \
	ctype_f32 (*fn_f32_f32)(ctype_f32, ctype_f32) = NULL;                                      \
	ctype_f64 (*fn_f64_f64)(ctype_f64, ctype_f64) = NULL;                                      \
	ctype_u32 (*fn_f32_u32)(ctype_f32, ctype_f32) = NULL;                                      \
	ctype_u32 (*fn_f64_u32)(ctype_f64, ctype_f64) = NULL;                                      \
	double real = 0;                                                                           \
	unsigned to_integer = 0;                                                                   \
	const struct func *entered = NULL;                                                         \
	uint32_t call_units = 0, from = 0;

#define SHARED_BIN_(operands, result, name, in, out, ...)                                          \
	HANDLER(name##_##operands##result)                                                         \
	{                                                                                          \
		fn_##in##_##out = fn_##name;                                                       \
		goto bin_##in##_##out##_##operands;                                                \
	}
#define H_BIN_f32 SHARED_BIN_
#define H_BIN_f64 SHARED_BIN_

#define SHARED_UN_(operands, result, name, in, out, ...)                                           \
	HANDLER(name##_##operands##result)                                                         \
	{                                                                                          \
		GET_##operands(in);                                                                \
		ctype_##out r = (ctype_##out)(__VA_ARGS__);                                        \
		PUT_##result(out, 1);                                                              \
		goto next_##operands##result;                                                      \
	}
#define H_UN_f32 SHARED_UN_
#define H_UN_f64 SHARED_UN_

#define H_TRUNC(operands, result, name, in, out, to, low, high)                                    \
	HANDLER(name##_##operands##result)                                                         \
	{                                                                                          \
		GET_##operands(in);                                                                \
		real = (double)a;                                                                  \
		to_integer = INTEGER_OF(to);                                                       \
		goto trunc_##operands##result;                                                     \
	}

#define ENTER_RARE(f, units)                                                                       \
	do {                                                                                       \
		entered = f;                                                                       \
		call_units = units;                                                                \
		goto enter_own;                                                                    \
	} while (0)
/* Cells and link are the same units of both operations. */
#define REENTER_RARE(func, from_slot, cells, link_slot)                                            \
	do {                                                                                       \
		entered = &X->funcs[func];                                                         \
		from = from_slot;                                                                  \
		goto reenter_own;                                                                  \
	} while (0)

#define BIN_END_(in, out, operands)                                                                \
	bin_##in##_##out##_##operands:                                                             \
	{                                                                                          \
		GET_##operands(in);                                                                \
		ctype_##out r = fn_##in##_##out(a, b);                                             \
		SETA_##out(r);                                                                     \
		NEXT(1 + UNITS_##operands);                                                        \
	}
#define EXEC_SHARED_ENDS                                                                           \
	BIN_END_(f32, f32, SS)                                                                     \
	BIN_END_(f32, f32, AS)                                                                     \
	BIN_END_(f32, f32, SA)                                                                     \
	BIN_END_(f64, f64, SS)                                                                     \
	BIN_END_(f64, f64, AS)                                                                     \
	BIN_END_(f64, f64, SA)                                                                     \
	BIN_END_(f32, u32, SS)                                                                     \
	BIN_END_(f64, u32, SS)                                                                     \
	trunc_AA: {                                                                                \
		uint64_t v;                                                                        \
		X->trap = (uint8_t)f64_to_integer(real, to_integer, &v);                           \
		if (X->trap != ROTOR_TRAP_NONE) {                                                  \
			CALL(cold_trap);                                                           \
		}                                                                                  \
		SETA_u64(v);                                                                       \
		SETA_u32(v);                                                                       \
		goto next_AA;                                                                      \
	}                                                                                          \
	enter_own: {                                                                               \
		uint32_t *callee = FP + PC[call_units - 1];                                        \
		ENTER(entered, entered->form, callee, call_units);                                 \
	}                                                                                          \
	reenter_own: {                                                                             \
		REENTER(entered, from, PC[4], PC[5]);                                              \
	}                                                                                          \
	next_AA:                                                                                   \
	NEXT(1);

#endif
