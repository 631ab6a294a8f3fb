/* SPDX-License-Identifier: Apache-2.0 */
/* Moving memory in bytes and in words, forwards, backwards and overlapping. Default n: 2000, on a device 5. */
#include "kernel.h"

#define BYTES 32768

static uint32_t words[BYTES / 4 + 16], other[BYTES / 4 + 16];

/* volatile keeps the compiler from making one library call of it. */
static void copy_bytes(volatile uint8_t *to, const uint8_t *from, int count)
{
	for (int i = 0; i < count; i++) {
		to[i] = from[i];
	}
}

static void copy_words(volatile uint32_t *to, const uint32_t *from, int count)
{
	for (int i = count - 1; i >= 0; i--) {
		to[i] = from[i];
	}
}

int run(int n)
{
	uint32_t sum = 0;

	for (int i = 0; i < BYTES / 4; i++) {
		words[i] = (uint32_t)i * 2654435761u;
	}
	for (int round = 0; round < n; round++) {
		copy_bytes((uint8_t *)other, (const uint8_t *)words + round % 13, BYTES - 16);
		copy_words(words + 3, other, BYTES / 4 - 8);
		sum = kernel_mix(sum, words[(round * 37) % (BYTES / 4)]);
	}
	return (int)sum;
}
