/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C library's rounding functions, which Zephyr's minimal libc does not have; IEEE 754 by bits.
 *
 * Rules: 1. A NaN comes back quiet, infinities and integers as they are; the sign of zero is kept.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

double ceil(double x);
double floor(double x);
double trunc(double x);
double rint(double x);
float ceilf(float x);
float floorf(float x);
float truncf(float x);
float rintf(float x);

static uint64_t bits_of(double x)
{
	uint64_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

static double of_bits(uint64_t bits)
{
	double x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

double trunc(double x)
{
	uint64_t bits = bits_of(x);
	int exponent = (int)(bits >> 52 & 0x7ff) - 1023;

	if (exponent >= 52) {
		return x + 0; /* an integer, infinite, or a NaN, made quiet */
	}
	if (exponent < 0) {
		return of_bits(bits & 1ull << 63);
	}
	return of_bits(bits & ~((1ull << (52 - exponent)) - 1));
}

double floor(double x)
{
	double t = trunc(x);

	return t > x ? t - 1 : t;
}

double ceil(double x)
{
	double t = trunc(x);

	return t < x ? t + 1 : t;
}

/* To nearest, ties to even: adding and taking away 2^52 rounds. */
double rint(double x)
{
	uint64_t sign = bits_of(x) & 1ull << 63;
	volatile double big = of_bits(sign | (uint64_t)(1023 + 52) << 52), sum;

	if ((bits_of(x) >> 52 & 0x7ff) >= 1023 + 52) {
		return x + 0;
	}
	sum = x + big;
	sum = sum - big;
	return of_bits(bits_of(sum) | sign);
}

/* A float's rounding is the double's: both are exact. */
float truncf(float x)
{
	return (float)trunc(x);
}

float floorf(float x)
{
	return (float)floor(x);
}

float ceilf(float x)
{
	return (float)ceil(x);
}

float rintf(float x)
{
	return (float)rint(x);
}
