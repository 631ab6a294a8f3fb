/* SPDX-License-Identifier: Apache-2.0 */
/* 64-bit floats in memory: matrix multiplication and an LU factorisation. Default n: 40, on a device 1. */
#include "kernel.h"

#define SIZE 100

static int size; /* a number the compiler does not know, so that it does not unroll */
static double a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];

static void multiply(void)
{
	for (int i = 0; i < size; i++) {
		for (int j = 0; j < size; j++) {
			double sum = 0;

			for (int k = 0; k < size; k++) {
				sum += a[i][k] * b[k][j];
			}
			c[i][j] = sum;
		}
	}
}

static void factorise(void)
{
	for (int k = 0; k < size; k++) {
		for (int i = k + 1; i < size; i++) {
			double factor = c[i][k] / c[k][k];

			c[i][k] = factor;
			for (int j = k + 1; j < size; j++) {
				c[i][j] -= factor * c[k][j];
			}
		}
	}
}

int run(int n)
{
	double sum = 0;

	size = SIZE - (n & 3);
	for (int i = 0; i < size; i++) {
		for (int j = 0; j < size; j++) {
			a[i][j] = (i == j ? size : 0) + 1.0 / (i + j + 1);
			b[i][j] = (i == j ? size : 0) + 1.0 / (i * 2 + j + 2);
		}
	}
	for (int round = 0; round < n; round++) {
		multiply();
		factorise();
		a[round % size][0] += 0.5;
		sum += c[round % size][(round * 3) % size];
	}
	return (int)(sum * 100);
}
