/* SPDX-License-Identifier: Apache-2.0 */
/* Backtracking with bit sets, and shortest paths over a grid with a queue: searching. Default
 * n: 120, on a device 1. */
#include "kernel.h"

#define SIDE 48

static uint8_t wall[SIDE][SIDE];
static int16_t distance[SIDE][SIDE];
static uint16_t queue[SIDE * SIDE];

static int place(uint32_t all, uint32_t columns, uint32_t left, uint32_t right)
{
	uint32_t free = all & ~(columns | left | right);
	int count = columns == all;

	while (free != 0) {
		uint32_t bit = free & (0u - free);

		free ^= bit;
		count += place(all, columns | bit, (left | bit) << 1, (right | bit) >> 1);
	}
	return count;
}

static void visit(int row, int column, int steps, int *tail)
{
	if (row < 0 || column < 0 || row >= SIDE || column >= SIDE || wall[row][column] ||
	    distance[row][column] >= 0) {
		return;
	}
	distance[row][column] = (int16_t)steps;
	queue[(*tail)++] = (uint16_t)(row * SIDE + column);
}

static uint32_t flood(void)
{
	int head = 0, tail = 0;
	uint32_t sum = 0;

	for (int i = 0; i < SIDE * SIDE; i++) {
		distance[i / SIDE][i % SIDE] = -1;
	}
	visit(0, 0, 0, &tail);
	while (head < tail) {
		int row = queue[head] / SIDE, column = queue[head] % SIDE;
		int steps = distance[row][column] + 1;

		head++;
		sum += (uint32_t)steps;
		visit(row - 1, column, steps, &tail);
		visit(row + 1, column, steps, &tail);
		visit(row, column - 1, steps, &tail);
		visit(row, column + 1, steps, &tail);
	}
	return sum;
}

int run(int n)
{
	uint32_t sum = 0, random = 23;

	for (int round = 0; round < n; round++) {
		for (int i = 0; i < SIDE * SIDE; i++) {
			wall[i / SIDE][i % SIDE] = i > 0 && kernel_random(&random) % 4 == 0;
		}
		for (int k = 0; k < 10; k++) {
			wall[k * 3][k * 5 % SIDE] ^= k > 0;
			sum = kernel_mix(sum, flood());
		}
		sum = kernel_mix(sum, (uint32_t)place(255, 0, 0, 0));
	}
	return (int)sum;
}
