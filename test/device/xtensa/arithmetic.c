/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the compilers call and Debian's libgcc for lx106 lacks (that chip has it in ROM): integers of 64 bits, floats of 64
 * bits, division. In the ABI without register windows, as the rest of that library.
 * Spec: IEEE 754-2019, rounding to nearest, ties to even; a NaN that comes in goes on, quiet.
 */
#include <stdbool.h>
#include <stdint.h>

#define SIGN  (1ull << 63)
#define INF   (0x7ffull << 52)
#define NAN64 (0x7ff8ull << 48)
#define TOP   (1ull << 62)

uint32_t __udivsi3(uint32_t a, uint32_t b);
uint32_t __umodsi3(uint32_t a, uint32_t b);
int32_t __divsi3(int32_t a, int32_t b);
uint64_t __umulsidi3(uint32_t a, uint32_t b);
uint64_t __muldi3(uint64_t a, uint64_t b);
uint64_t __udivdi3(uint64_t a, uint64_t b);
uint64_t __umoddi3(uint64_t a, uint64_t b);
int64_t __divdi3(int64_t a, int64_t b);
uint64_t __adddf3(uint64_t a, uint64_t b);
uint64_t __subdf3(uint64_t a, uint64_t b);
uint64_t __muldf3(uint64_t a, uint64_t b);
uint64_t __divdf3(uint64_t a, uint64_t b);
uint64_t __extendsfdf2(uint32_t a);
uint32_t __truncdfsf2(uint64_t a);
uint32_t __addsf3(uint32_t a, uint32_t b);
uint32_t __subsf3(uint32_t a, uint32_t b);
uint32_t __mulsf3(uint32_t a, uint32_t b);
uint64_t __floatunsidf(uint32_t a);
uint64_t __floatsidf(int32_t a);
uint32_t __fixunsdfsi(uint64_t a);
int32_t __fixdfsi(uint64_t a);

/* Quotient and remainder bit by bit. */
static uint64_t divide(uint64_t a, uint64_t b, uint64_t *rest)
{
	int up = b != 0 && b <= a ? __builtin_clzll(b) - __builtin_clzll(a) : -1;
	uint64_t q = 0;

	for (; up >= 0; up--) {
		q <<= 1;
		if (a >= b << up) {
			a -= b << up;
			q |= 1;
		}
	}
	*rest = a;
	return q;
}

uint32_t __udivsi3(uint32_t a, uint32_t b)
{
	uint64_t rest;

	return (uint32_t)divide(a, b, &rest);
}

uint32_t __umodsi3(uint32_t a, uint32_t b)
{
	uint64_t rest;

	divide(a, b, &rest);
	return (uint32_t)rest;
}

int32_t __divsi3(int32_t a, int32_t b)
{
	uint32_t q = __udivsi3(a < 0 ? 0 - (uint32_t)a : (uint32_t)a,
			       b < 0 ? 0 - (uint32_t)b : (uint32_t)b);

	return (int32_t)((a < 0) != (b < 0) ? 0 - q : q);
}

uint64_t __udivdi3(uint64_t a, uint64_t b)
{
	uint64_t rest;

	return divide(a, b, &rest);
}

uint64_t __umoddi3(uint64_t a, uint64_t b)
{
	uint64_t rest;

	divide(a, b, &rest);
	return rest;
}

int64_t __divdi3(int64_t a, int64_t b)
{
	uint64_t q = __udivdi3(a < 0 ? 0 - (uint64_t)a : (uint64_t)a,
			       b < 0 ? 0 - (uint64_t)b : (uint64_t)b);

	return (int64_t)((a < 0) != (b < 0) ? 0 - q : q);
}

uint64_t __umulsidi3(uint32_t a, uint32_t b)
{
	uint32_t low = (a & 0xffff) * (b & 0xffff);
	uint32_t mid = (a >> 16) * (b & 0xffff) + (low >> 16);
	uint32_t mid2 = (a & 0xffff) * (b >> 16) + (mid & 0xffff);
	uint32_t high = (a >> 16) * (b >> 16) + (mid >> 16) + (mid2 >> 16);

	return (uint64_t)high << 32 | mid2 << 16 | (low & 0xffff);
}

uint64_t __muldi3(uint64_t a, uint64_t b)
{
	uint32_t cross = (uint32_t)(a >> 32) * (uint32_t)b + (uint32_t)a * (uint32_t)(b >> 32);

	return __umulsidi3((uint32_t)a, (uint32_t)b) + ((uint64_t)cross << 32);
}

/* A number: m * 2^(exponent - 1023 - 62); normal if m lies in [2^62, 2^63). */
struct number {
	uint64_t sign, m;
	int exponent;
};

static struct number unpack(uint64_t bits)
{
	struct number n = {bits & SIGN, (bits << 12) >> 2, (int)(bits >> 52 & 0x7ff)};

	if (n.exponent == 0) {
		n.exponent = 1;
	} else {
		n.m |= TOP;
	}
	return n;
}

static struct number normal(struct number n)
{
	if (n.m != 0) {
		int up = __builtin_clzll(n.m) - 1;

		n.m <<= up;
		n.exponent -= up;
	}
	return n;
}

/* Shifted right; what falls off stays as the last bit. */
static uint64_t shift_sticky(uint64_t m, int by)
{
	if (by == 0) {
		return m;
	}
	return by > 63 ? m != 0 : m >> by | (m << (64 - by) != 0);
}

/* m below 2^63; rounds. */
static uint64_t pack(struct number n)
{
	uint64_t rest, m;

	if (n.exponent < 1) {
		n.m = shift_sticky(n.m, 1 - n.exponent);
		n.exponent = 1;
	}
	if (n.exponent >= 0x7ff) {
		return n.sign | INF;
	}
	rest = n.m & 0x3ff;
	m = n.m >> 10;
	m += rest > 0x200 || (rest == 0x200 && (m & 1) != 0);
	return n.sign | (((uint64_t)(n.exponent - 1) << 52) + m);
}

static bool is_nan(uint64_t bits)
{
	return (bits & ~SIGN) > INF;
}

/* The NaN that goes on, if there is one. */
static uint64_t take_nan(uint64_t a, uint64_t b)
{
	return (is_nan(a) ? a : b) | 1ull << 51;
}

uint64_t __adddf3(uint64_t a, uint64_t b)
{
	struct number x = unpack(a), y = unpack(b), t;

	if (is_nan(a) || is_nan(b)) {
		return take_nan(a, b);
	}
	if (x.exponent == 0x7ff || y.exponent == 0x7ff) {
		bool opposed = x.exponent == y.exponent && x.sign != y.sign;

		return opposed ? NAN64 : x.exponent == 0x7ff ? a : b;
	}
	if ((a & ~SIGN) < (b & ~SIGN)) {
		t = x, x = y, y = t;
	}
	y.m = shift_sticky(y.m, x.exponent - y.exponent);
	if (x.sign == y.sign) {
		x.m += y.m;
		if (x.m >> 63 != 0) {
			x.m = shift_sticky(x.m, 1);
			x.exponent++;
		}
		return pack(x);
	}
	x.m -= y.m;
	return x.m == 0 ? 0 : pack(normal(x));
}

uint64_t __subdf3(uint64_t a, uint64_t b)
{
	return __adddf3(a, is_nan(b) ? b : b ^ SIGN);
}

uint64_t __muldf3(uint64_t a, uint64_t b)
{
	struct number x = normal(unpack(a)), y = normal(unpack(b));
	uint64_t sign = (a ^ b) & SIGN;

	if (is_nan(a) || is_nan(b)) {
		return take_nan(a, b);
	}
	if ((a & ~SIGN) == INF || (b & ~SIGN) == INF) {
		return (a & ~SIGN) == 0 || (b & ~SIGN) == 0 ? NAN64 : sign | INF;
	}
	if (x.m == 0 || y.m == 0) {
		return sign;
	}
	/* 2^63 and 2^62 as the highest bits, so that the product's upper half has 2^61 or 2^62. */
	x.m <<= 1;
	uint32_t x1 = (uint32_t)(x.m >> 32), x0 = (uint32_t)x.m, y1 = (uint32_t)(y.m >> 32),
		 y0 = (uint32_t)y.m;
	uint64_t low = __umulsidi3(x0, y0), mid = __umulsidi3(x1, y0) + (low >> 32);
	uint64_t mid2 = __umulsidi3(x0, y1) + (uint32_t)mid;
	struct number n = {sign, __umulsidi3(x1, y1) + (mid >> 32) + (mid2 >> 32),
			   x.exponent + y.exponent - 1022};

	if ((n.m & TOP) == 0) {
		n.m = n.m << 1 | (uint32_t)mid2 >> 31;
		mid2 = (uint32_t)mid2 << 1;
		n.exponent--;
	}
	n.m |= (uint32_t)mid2 != 0 || (uint32_t)low != 0;
	return pack(n);
}

uint64_t __divdf3(uint64_t a, uint64_t b)
{
	struct number x = normal(unpack(a)), y = normal(unpack(b));
	uint64_t sign = (a ^ b) & SIGN;

	if (is_nan(a) || is_nan(b)) {
		return take_nan(a, b);
	}
	if ((a & ~SIGN) == INF || (b & ~SIGN) == 0) {
		return (a & ~SIGN) == (b & ~SIGN) ? NAN64 : sign | INF;
	}
	if ((b & ~SIGN) == INF || x.m == 0) {
		return sign;
	}
	struct number n = {sign, 0, x.exponent - y.exponent + 1023};

	if (x.m < y.m) {
		x.m <<= 1;
		n.exponent--;
	}
	for (int i = 0; i < 63; i++) {
		n.m <<= 1;
		if (x.m >= y.m) {
			x.m -= y.m;
			n.m |= 1;
		}
		x.m <<= 1;
	}
	n.m |= x.m != 0;
	return pack(n);
}

uint64_t __extendsfdf2(uint32_t a)
{
	struct number n = {(uint64_t)(a >> 31) << 63, (uint64_t)(a << 9) << 30,
			   (int)(a >> 23 & 0xff)};

	if (n.exponent == 0xff) {
		return n.sign | INF | (uint64_t)(a << 9) << 20 | (n.m != 0 ? 1ull << 51 : 0);
	}
	if (n.exponent == 0) {
		n.exponent = 1;
	} else {
		n.m |= TOP;
	}
	n = normal(n);
	n.exponent += 1023 - 127;
	return n.m == 0 ? n.sign : pack(n);
}

uint32_t __truncdfsf2(uint64_t a)
{
	uint32_t sign = (uint32_t)(a >> 32) & 0x80000000u, m;
	struct number n = unpack(a);
	uint64_t rest;

	if (is_nan(a)) {
		return sign | 0x7fc00000u | ((uint32_t)(a >> 29) & 0x3fffffu);
	}
	n.exponent -= 1023 - 127;
	if (n.exponent >= 0xff) {
		return sign | 0x7f800000u;
	}
	if (n.exponent < 1) {
		n.m = shift_sticky(n.m, 1 - n.exponent);
		n.exponent = 1;
	}
	rest = n.m & 0x7fffffffffull;
	m = (uint32_t)(n.m >> 39);
	m += rest > 1ull << 38 || (rest == 1ull << 38 && (m & 1) != 0);
	return sign | (((uint32_t)(n.exponent - 1) << 23) + m);
}

uint64_t __floatunsidf(uint32_t a)
{
	struct number n = {0, a, 1023 + 62};

	return a == 0 ? 0 : pack(normal(n));
}

uint64_t __floatsidf(int32_t a)
{
	return a < 0 ? SIGN | __floatunsidf(0 - (uint32_t)a) : __floatunsidf((uint32_t)a);
}

uint32_t __fixunsdfsi(uint64_t a)
{
	struct number n = unpack(a);

	return n.exponent < 1023         ? 0
	       : n.exponent >= 1023 + 32 ? UINT32_MAX
					 : (uint32_t)(n.m >> (1023 + 62 - n.exponent));
}

int32_t __fixdfsi(uint64_t a)
{
	uint32_t m = __fixunsdfsi(a & ~SIGN);

	return (int32_t)((a & SIGN) != 0 ? 0 - m : m);
}

/* Floats of 32 bits: rounding to 53 bits first and then to 24 is rounding once, for these operations. */
uint32_t __addsf3(uint32_t a, uint32_t b)
{
	return __truncdfsf2(__adddf3(__extendsfdf2(a), __extendsfdf2(b)));
}

uint32_t __subsf3(uint32_t a, uint32_t b)
{
	return __truncdfsf2(__subdf3(__extendsfdf2(a), __extendsfdf2(b)));
}

uint32_t __mulsf3(uint32_t a, uint32_t b)
{
	return __truncdfsf2(__muldf3(__extendsfdf2(a), __extendsfdf2(b)));
}
