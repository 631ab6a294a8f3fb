/* SPDX-License-Identifier: Apache-2.0 */
/* Unpredictable branches and exchanges: quicksort, heapsort, insertion sort. Default n: 10, on a device 1. */
#include "kernel.h"

#define COUNT 20000

static int32_t values[COUNT], copy[COUNT];

static void insertion_sort(int32_t *v, int count)
{
	for (int i = 1; i < count; i++) {
		int32_t x = v[i];
		int j = i;

		for (; j > 0 && v[j - 1] > x; j--) {
			v[j] = v[j - 1];
		}
		v[j] = x;
	}
}

static void quicksort(int32_t *v, int low, int high)
{
	while (high - low > 12) {
		int32_t pivot = v[low + (high - low) / 2];
		int i = low, j = high;

		while (i <= j) {
			while (v[i] < pivot) {
				i++;
			}
			while (v[j] > pivot) {
				j--;
			}
			if (i <= j) {
				int32_t t = v[i];

				v[i++] = v[j];
				v[j--] = t;
			}
		}
		quicksort(v, low, j);
		low = i;
	}
	insertion_sort(v + low, high - low + 1);
}

static void sift(int32_t *v, int root, int count)
{
	int32_t x = v[root];

	for (;;) {
		int child = 2 * root + 1;

		if (child >= count) {
			break;
		}
		if (child + 1 < count && v[child + 1] > v[child]) {
			child++;
		}
		if (v[child] <= x) {
			break;
		}
		v[root] = v[child];
		root = child;
	}
	v[root] = x;
}

static void heapsort(int32_t *v, int count)
{
	for (int i = count / 2 - 1; i >= 0; i--) {
		sift(v, i, count);
	}
	for (int i = count - 1; i > 0; i--) {
		int32_t t = v[0];

		v[0] = v[i];
		v[i] = t;
		sift(v, 0, i);
	}
}

int run(int n)
{
	uint32_t random = 5, sum = 0;

	for (int round = 0; round < n; round++) {
		for (int i = 0; i < COUNT; i++) {
			values[i] = (int32_t)kernel_random(&random);
			copy[i] = values[i] >> 8;
		}
		quicksort(values, 0, COUNT - 1);
		heapsort(copy, COUNT);
		for (int i = 0; i < COUNT; i += 97) {
			sum = kernel_mix(sum, (uint32_t)values[i] ^ (uint32_t)copy[i]);
		}
	}
	return (int)sum;
}
