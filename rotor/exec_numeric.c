/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of the numeric operations, from the rows of opcode_list.h. Spec: WebAssembly 2.0 4.3. */
#include "rotor/exec.h"

static inline uint32_t rotl32(uint32_t a, uint32_t b)
{
	return a << (b & 31) | a >> (-b & 31);
}

static inline uint64_t rotl64(uint64_t a, uint64_t b)
{
	return a << (b & 63) | a >> (-b & 63);
}

static inline uint32_t clz32(uint32_t a)
{
	return a == 0 ? 32 : (uint32_t)__builtin_clz(a);
}

static inline uint32_t ctz32(uint32_t a)
{
	return a == 0 ? 32 : (uint32_t)__builtin_ctz(a);
}

static inline uint64_t clz64(uint64_t a)
{
	return a == 0 ? 64 : (uint64_t)__builtin_clzll(a);
}

static inline uint64_t ctz64(uint64_t a)
{
	return a == 0 ? 64 : (uint64_t)__builtin_ctzll(a);
}

#define BITS_(name, from_type, to_type)                                                            \
	static inline to_type name(from_type v)                                                    \
	{                                                                                          \
		to_type r;                                                                         \
		memcpy(&r, &v, sizeof(r));                                                         \
		return r;                                                                          \
	}
BITS_(f32_bits, float, uint32_t)
BITS_(f64_bits, double, uint64_t)
BITS_(f32_from, uint32_t, float)
BITS_(f64_from, uint64_t, double)

/* NaN if either is NaN; -0 below +0 (4.3.3). */
#define MIN_MAX_(name, type, better, signs)                                                        \
	static inline type name(type a, type b)                                                    \
	{                                                                                          \
		if (a != a || b != b) {                                                            \
			return a + b;                                                              \
		}                                                                                  \
		if (a == b) {                                                                      \
			return signs ? a : b;                                                      \
		}                                                                                  \
		return better ? a : b;                                                             \
	}
MIN_MAX_(f32_min, float, a < b, __builtin_signbit(a))
MIN_MAX_(f32_max, float, a > b, !__builtin_signbit(a))
MIN_MAX_(f64_min, double, a < b, __builtin_signbit(a))
MIN_MAX_(f64_max, double, a > b, !__builtin_signbit(a))

/* Saturating conversion; NaN gives 0. */
#define SAT_(name, from, to, low, high, low_value, high_value)                                     \
	static inline to name(from a)                                                              \
	{                                                                                          \
		if (a != a) {                                                                      \
			return 0;                                                                  \
		}                                                                                  \
		if (!(low)) {                                                                      \
			return low_value;                                                          \
		}                                                                                  \
		return a < high ? (to)a : high_value;                                              \
	}
SAT_(sat_i32_f32, float, int32_t, a >= -2147483648.0f, 2147483648.0f, INT32_MIN, INT32_MAX)
SAT_(sat_u32_f32, float, uint32_t, a > -1.0f, 4294967296.0f, 0, UINT32_MAX)
SAT_(sat_i32_f64, double, int32_t, a > -2147483649.0, 2147483648.0, INT32_MIN, INT32_MAX)
SAT_(sat_u32_f64, double, uint32_t, a > -1.0, 4294967296.0, 0, UINT32_MAX)
SAT_(sat_i64_f32, float, int64_t, a >= -9223372036854775808.0f, 9223372036854775808.0f, INT64_MIN,
     INT64_MAX)
SAT_(sat_u64_f32, float, uint64_t, a > -1.0f, 18446744073709551616.0f, 0, UINT64_MAX)
SAT_(sat_i64_f64, double, int64_t, a >= -9223372036854775808.0, 9223372036854775808.0, INT64_MIN,
     INT64_MAX)
SAT_(sat_u64_f64, double, uint64_t, a > -1.0, 18446744073709551616.0, 0, UINT64_MAX)

#define H_BIN(operands, result, name, in, out, ...)                                                \
	HANDLER(name##_##operands##result)                                                         \
	{                                                                                          \
		GET_##operands(in);                                                                \
		ctype_##out r = (ctype_##out)(__VA_ARGS__);                                        \
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

#define H_UN(operands, result, name, in, out, ...)                                                 \
	HANDLER(name##_##operands##result)                                                         \
	{                                                                                          \
		GET_##operands(in);                                                                \
		ctype_##out r = (ctype_##out)(__VA_ARGS__);                                        \
		PUT_##result(out, 1 + UNITS_##operands);                                           \
		NEXT(1 + UNITS_##operands + UNITS_##result);                                       \
	}
#define R(name, in, out, set, ...) SET_##set(H_UN, name, in, out, __VA_ARGS__)
FORM_UN_LIST(R)
#undef R

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
			PC += (int32_t) * (const unit32 *)&PC[1 + UNITS_##operands] + 1 +          \
			      UNITS_##operands;                                                    \
			GO;                                                                        \
		}                                                                                  \
		NEXT(3 + UNITS_##operands);                                                        \
	}
#define R(name, in, set, expr, inverse, mirror) SET_##set(H_BR, name, in, expr)
FORM_CMP_LIST(R)
#undef R

/* And as backward ones, which are charged. */
#define H_BACK(operands, result, name, in, ...)                                                    \
	HANDLER(BACK_##name##_##operands##result)                                                  \
	{                                                                                          \
		GET_##operands(in);                                                                \
		if (__VA_ARGS__) {                                                                 \
			uint32_t cost = PC[1 + UNITS_##operands];                                  \
			PC -= PC[2 + UNITS_##operands];                                            \
			CHARGE_AND_GO(cost);                                                       \
		}                                                                                  \
		NEXT(3 + UNITS_##operands);                                                        \
	}
#define R(name, in, set, expr, inverse, mirror) SET_##set(H_BACK, name, in, expr)
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
