/* SPDX-License-Identifier: Apache-2.0 */
/* Integer matrices of 16 and 32 bits: multiply, transpose, copy, add a constant. Default n: 100, on a device 1. */
#include "kernel.h"

#define SIZE 64

static int size; /* a number the compiler does not know, so that it does not unroll */
static int16_t a[SIZE][SIZE], b[SIZE][SIZE];
static int32_t c[SIZE][SIZE];

static void multiply(void)
{
	for (int i = 0; i < size; i++) {
		for (int j = 0; j < size; j++) {
			uint32_t sum = 0;

			for (int k = 0; k < size; k++) {
				sum += (uint32_t)(a[i][k] * b[k][j]);
			}
			c[i][j] = (int32_t)sum;
		}
	}
}

static void transpose(void)
{
	for (int i = 0; i < size; i++) {
		for (int j = i + 1; j < size; j++) {
			int16_t t = b[i][j];

			b[i][j] = b[j][i];
			b[j][i] = t;
		}
	}
}

static void narrow(void)
{
	for (int i = 0; i < size; i++) {
		for (int j = 0; j < size; j++) {
			a[i][j] = (int16_t)((c[i][j] >> 4) + i - j);
		}
	}
}

int run(int n)
{
	uint32_t sum = 0, random = 42;

	size = SIZE - (n & 3);
	for (int i = 0; i < SIZE * SIZE; i++) {
		a[i / SIZE][i % SIZE] = (int16_t)kernel_random(&random);
		b[i / SIZE][i % SIZE] = (int16_t)kernel_random(&random);
	}
	for (int round = 0; round < n; round++) {
		multiply();
		transpose();
		narrow();
		sum = kernel_mix(sum, (uint32_t)c[round % size][(round * 7) % size]);
	}
	return (int)sum;
}
