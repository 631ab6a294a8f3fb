/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every kernel shares: its one entry, a random generator, a checksum.
 *
 * A kernel is one freestanding C file with `int run(int n)`: work in proportion to n, and a
 * checksum of it. It uses no library, so that the native build and the WebAssembly build do the
 * same work. Its first comment says "Default n: N, on a device M": N is about 25 ms natively, M a second on an emulated board.
 */
#ifndef BENCH_KERNEL_H
#define BENCH_KERNEL_H

#include <stddef.h>
#include <stdint.h>

int run(int n);

/* xorshift32; *state must not be 0. */
static inline uint32_t kernel_random(uint32_t *state)
{
	uint32_t x = *state;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	*state = x;
	return x;
}

static inline uint32_t kernel_mix(uint32_t sum, uint32_t v)
{
	return (sum ^ v) * 16777619u;
}

/* The compiler may turn a loop or an assignment into these. */
#ifdef __wasm__
__attribute__((weak)) void *memset(void *to, int c, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		((volatile char *)to)[i] = (char)c;
	}
	return to;
}

__attribute__((weak)) void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		((volatile char *)to)[i] = ((const char *)from)[i];
	}
	return to;
}
#endif

#endif
