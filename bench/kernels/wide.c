/* SPDX-License-Identifier: Apache-2.0 */
/* 64-bit integers: xorshift, multiplication modulo, powers, rotations. Default n: 100000, on a device 100. */
#include "kernel.h"

#define PRIME 4294967291ull

static uint64_t next(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 2685821657736338717ull;
}

static uint64_t power(uint64_t base, uint32_t exponent)
{
	uint64_t result = 1;

	for (; exponent != 0; exponent >>= 1) {
		if (exponent & 1) {
			result = result * base % PRIME;
		}
		base = base * base % PRIME;
	}
	return result;
}

static uint64_t avalanche(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdull;
	x = (x << 31) | (x >> 33);
	x *= 0xc4ceb9fe1a85ec53ull;
	return x ^ x >> 29;
}

int run(int n)
{
	uint64_t state = 88172645463325252ull, sum = 0;

	for (int i = 0; i < n; i++) {
		for (int k = 0; k < 60; k++) {
			sum = avalanche(sum + next(&state)) - (uint64_t)k;
		}
		sum += power(next(&state) % PRIME, (uint32_t)i & 0xffff);
	}
	return (int)(sum ^ sum >> 32);
}
