/* SPDX-License-Identifier: Apache-2.0 */
/* Branches and bytes of memory: the sieve of Eratosthenes, then gaps between primes. Default n: 60, on a device 1.
 */
#include "kernel.h"

#define SIZE 200000

static uint8_t composite[SIZE];

static void sieve(void)
{
	for (int i = 0; i < SIZE; i++) {
		composite[i] = 0;
	}
	for (int i = 2; i * i < SIZE; i++) {
		if (composite[i]) {
			continue;
		}
		for (int j = i * i; j < SIZE; j += i) {
			composite[j] = 1;
		}
	}
}

int run(int n)
{
	uint32_t sum = 1;

	for (int round = 0; round < n; round++) {
		int last = 2;

		sieve();
		for (int i = 2; i < SIZE; i++) {
			if (!composite[i]) {
				sum += (uint32_t)(i - last) * (uint32_t)(round + 1);
				last = i;
			}
		}
	}
	return (int)sum;
}
