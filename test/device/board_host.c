/* SPDX-License-Identifier: Apache-2.0 */
/* The board of an ordinary process. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#include "board.h"

#define MEMORY_BYTES (96u << 20)

static uint64_t memory[MEMORY_BYTES / 8] __attribute__((aligned(1 << 20)));

int board_arguments(int argc, char **argv, char ***out)
{
	*out = argv + 1;
	return argc - 1;
}

void *board_memory(size_t *bytes)
{
	*bytes = sizeof(memory);
	return memory;
}

uint64_t board_ticks(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int board_protect(void *at, size_t bytes)
{
	return mprotect(at, bytes, PROT_READ | PROT_EXEC);
}

long board_read(const char *path, void *at, size_t capacity)
{
	FILE *f = fopen(path, "rb");

	if (f == NULL) {
		return -1;
	}
	size_t bytes = fread(at, 1, capacity, f);
	int more = fgetc(f);
	fclose(f);
	return more == EOF ? (long)bytes : -1;
}
