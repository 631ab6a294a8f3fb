/* SPDX-License-Identifier: Apache-2.0 */
/* The main program of a kernel's native build for an emulated board: prints "result R" and "ticks T". Argument: n. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/kernels/kernel.h"
#include "test/device/board.h"

int main(int argc, char **argv)
{
	char **texts;

	if (board_arguments(argc, argv, &texts) < 1) {
		return 64;
	}
	int n = atoi(texts[0]);
	uint64_t start = board_ticks();
	int result = run(n);

	printf("result %d\nticks %llu\n", result, (unsigned long long)(board_ticks() - start));
	return 0;
}
