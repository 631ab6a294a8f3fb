/* SPDX-License-Identifier: Apache-2.0 */
/* What native code calls for numbers that its processor cannot compute: the rows of native_helper_list.h. Spec: 4.3 */
#include "rotor/native_run.h"
#include "rotor/numeric.h"

#define BINARY_(size, bits, name, expr)                                                            \
	static bits help_f##size##_##name(bits ab, bits bb)                                        \
	{                                                                                          \
		F##size a = f##size##_from(ab), b = f##size##_from(bb);                            \
		return f##size##_bits(expr);                                                       \
	}
#define COMPARE_(size, bits, name, op)                                                             \
	static uint32_t help_f##size##_##name(bits ab, bits bb)                                    \
	{                                                                                          \
		return f##size##_from(ab) op f##size##_from(bb);                                   \
	}
#define UNARY_(size, bits, name, function)                                                         \
	static bits help_f##size##_##name(bits ab)                                                 \
	{                                                                                          \
		F##size a = f##size##_from(ab);                                                    \
		return f##size##_bits(a != a ? a + a : function(a));                               \
	}
#define ROUND_(size, bits, name, how)                                                              \
	static bits help_f##size##_##name(bits ab)                                                 \
	{                                                                                          \
		F##size a = f##size##_from(ab);                                                    \
		return f##size##_bits((F##size)f64_round(a, how));                                 \
	}
#define FLOATS_(size, bits, suffix)                                                                \
	BINARY_(size, bits, add, a + b)                                                            \
	BINARY_(size, bits, sub, a - b)                                                            \
	BINARY_(size, bits, mul, a *b)                                                             \
	BINARY_(size, bits, div, a / b)                                                            \
	BINARY_(size, bits, min, f##size##_min(a, b))                                              \
	BINARY_(size, bits, max, f##size##_max(a, b))                                              \
	UNARY_(size, bits, sqrt, __builtin_sqrt##suffix)                                           \
	ROUND_(size, bits, ceil, ROUND_CEIL)                                                       \
	ROUND_(size, bits, floor, ROUND_FLOOR)                                                     \
	ROUND_(size, bits, trunc, ROUND_TRUNC)                                                     \
	ROUND_(size, bits, nearest, ROUND_NEAREST)                                                 \
	COMPARE_(size, bits, eq, ==)                                                               \
	COMPARE_(size, bits, ne, !=)                                                               \
	COMPARE_(size, bits, lt, <)                                                                \
	COMPARE_(size, bits, gt, >)                                                                \
	COMPARE_(size, bits, le, <=)                                                               \
	COMPARE_(size, bits, ge, >=)

typedef float F32;
typedef double F64;
FLOATS_(32, uint32_t, f)
FLOATS_(64, uint64_t, )

/* ---- to integers ---- */

/* low is the last value below that fits, or the first that does not, by what exclusive says. */
static uint32_t trunc_check(double a, double low, bool exclusive, double high)
{
	if (a != a) {
		return 1;
	}
	return (exclusive ? a > low : a >= low) && a < high ? 0 : 2;
}

static uint32_t check(double a, uint32_t kind)
{
	switch (kind) {
	case 0:
		return trunc_check(a, -2147483649.0, true, 2147483648.0);
	case 1:
		return trunc_check(a, -1.0, true, 4294967296.0);
	case 2:
		return trunc_check(a, -9223372036854775808.0, false, 9223372036854775808.0);
	default:
		return trunc_check(a, -1.0, true, 18446744073709551616.0);
	}
}

static uint32_t help_f32_trunc_check(uint32_t a, uint32_t kind)
{
	return check((double)f32_from(a), kind);
}

static uint32_t help_f64_trunc_check(uint64_t a, uint32_t kind)
{
	return check(f64_from(a), kind);
}

#define SATURATE_(to, out, from, bits, letter, ctype)                                              \
	static out help_##to##_trunc_sat_##from##_##letter(bits a)                                 \
	{                                                                                          \
		return (out)sat_##ctype##_##from(from##_from(a));                                  \
	}
SATURATE_(i32, uint32_t, f32, uint32_t, s, i32)
SATURATE_(i32, uint32_t, f32, uint32_t, u, u32)
SATURATE_(i32, uint32_t, f64, uint64_t, s, i32)
SATURATE_(i32, uint32_t, f64, uint64_t, u, u32)
SATURATE_(i64, uint64_t, f32, uint32_t, s, i64)
SATURATE_(i64, uint64_t, f32, uint32_t, u, u64)
SATURATE_(i64, uint64_t, f64, uint64_t, s, i64)
SATURATE_(i64, uint64_t, f64, uint64_t, u, u64)

/* ---- to floats ---- */

#define CONVERT_(to, out, type, name, from, as)                                                    \
	static out help_##to##_convert_##name(from a)                                              \
	{                                                                                          \
		return to##_bits((type)(as)a);                                                     \
	}
CONVERT_(f32, uint32_t, float, i32_s, uint32_t, int32_t)
CONVERT_(f32, uint32_t, float, i32_u, uint32_t, uint32_t)
CONVERT_(f32, uint32_t, float, i64_s, uint64_t, int64_t)
CONVERT_(f32, uint32_t, float, i64_u, uint64_t, uint64_t)
CONVERT_(f64, uint64_t, double, i32_s, uint32_t, int32_t)
CONVERT_(f64, uint64_t, double, i32_u, uint32_t, uint32_t)
CONVERT_(f64, uint64_t, double, i64_s, uint64_t, int64_t)
CONVERT_(f64, uint64_t, double, i64_u, uint64_t, uint64_t)

static uint32_t help_f32_demote_f64(uint64_t a)
{
	return f32_bits((float)f64_from(a));
}

static uint64_t help_f64_promote_f32(uint32_t a)
{
	return f64_bits((double)f32_from(a));
}

/* ---- integers of 64 bits ---- */

static uint64_t help_i64_div_s(uint64_t a, uint64_t b)
{
	return (uint64_t)((int64_t)a / (int64_t)b);
}

static uint64_t help_i64_div_u(uint64_t a, uint64_t b)
{
	return a / b;
}

static uint64_t help_i64_rem_s(uint64_t a, uint64_t b)
{
	return (uint64_t)((int64_t)a % (int64_t)b);
}

static uint64_t help_i64_rem_u(uint64_t a, uint64_t b)
{
	return a % b;
}

static uint64_t help_i64_mul(uint64_t a, uint64_t b)
{
	return a * b;
}

static uint64_t help_i64_shl(uint64_t a, uint64_t b)
{
	return a << (b & 63);
}

static uint64_t help_i64_shr_s(uint64_t a, uint64_t b)
{
	return (uint64_t)((int64_t)a >> (b & 63));
}

static uint64_t help_i64_shr_u(uint64_t a, uint64_t b)
{
	return a >> (b & 63);
}

const struct rotor_native_helpers rotor_native_helpers = {{
#define HELPER(name, type) (void (*)(void)) help_##name,
#include "rotor/native_helper_list.h"
#undef HELPER
}};
