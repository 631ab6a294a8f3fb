/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The emulated boards: arguments and files through semihosting.
 * Spec: Semihosting for AArch32 and AArch64; RISC-V Semihosting.
 */
#include <semihost.h>
#include <stdint.h>

#include "board.h"
#include "board_clock.h"

/* The library's start-up code has asked the host for them. */
int board_arguments(int argc, char **argv, char ***out)
{
	board_clock_start();
	*out = argv + 1;
	return argc - 1;
}

void *board_memory(size_t *bytes)
{
	*bytes = BOARD_MEMORY_BYTES;
	return BOARD_MEMORY;
}

uint64_t board_ticks(void)
{
	return board_clock_read();
}

int board_protect(void *at, size_t bytes)
{
	if (bytes < 32 || (bytes & (bytes - 1)) != 0 || ((uintptr_t)at & (bytes - 1)) != 0) {
		return -1;
	}
	board_make_read_only((uintptr_t)at, bytes);
	return 0;
}

long board_read(const char *path, void *at, size_t capacity)
{
	int file = (int)sys_semihost_open(path, SH_OPEN_R_B);
	long bytes = -1;

	if (file < 0) {
		return -1;
	}
	uintptr_t length = (uintptr_t)sys_semihost_flen(file);
	/* read answers how many bytes it did not read */
	if (length <= capacity && sys_semihost_read(file, at, length) == 0) {
		bytes = (long)length;
	}
	sys_semihost_close(file);
	return bytes;
}
