/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on numbers that C lacks, as the specification has them: for handlers and for native code. 4.3 */
#ifndef ROTOR_NUMERIC_H
#define ROTOR_NUMERIC_H

#include "base/base.h"
#include "rotor/rotor.h"

static inline uint32_t rotl32(uint32_t a, uint32_t b)
{
	return a << (b & 31) | a >> (-b & 31);
}

#if defined(ROTOR_SMALL) && UINTPTR_MAX <= UINT32_MAX
#define NUMERIC_WIDE __attribute__((noinline, unused)) static
#else
#define NUMERIC_WIDE static inline
#endif

NUMERIC_WIDE uint64_t rotl64(uint64_t a, uint64_t b)
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

enum round {
	ROUND_CEIL,
	ROUND_FLOOR,
	ROUND_TRUNC,
	ROUND_NEAREST /* ties to even */
};

/* To an integer, on the bits: C libraries for small devices get some of these wrong. */
double f64_round(double a, enum round how);

/* Which integer a float becomes. */
enum integer {
	INTEGER_SIGNED = 1,
	INTEGER_WIDE = 2,
	INTEGER_SATURATED = 4 /* what does not fit is the nearest that does, NaN 0: no trap */
};
#define INTEGER_OF(type)                                                                           \
	(((type)-1 < (type)1 ? INTEGER_SIGNED : 0) | (sizeof(type) == 8 ? INTEGER_WIDE : 0))

/* Rounds a towards zero; *out is sign-extended. Slower than a processor's own, but of all kinds. */
enum rotor_trap f64_to_integer(double a, unsigned how, uint64_t *out);

#if defined(ROTOR_SMALL) && UINTPTR_MAX <= UINT32_MAX
#define SAT_(name, from, to, low, high, low_value, high_value)                                     \
	static inline to name(from a)                                                              \
	{                                                                                          \
		uint64_t v;                                                                        \
		(void)f64_to_integer((double)a, INTEGER_OF(to) | INTEGER_SATURATED, &v);           \
		return (to)v;                                                                      \
	}
#else
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
#endif
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

#endif
