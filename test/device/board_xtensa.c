/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The emulated Xtensa core: arguments and files through simcalls, memory that start.S has mapped.
 * Spec: QEMU's simcalls: the number in a2, then arguments; the result in a2.
 */
#include "board.h"
#include "xtensa/layout.h"

enum {
	SIMCALL_READ = 3,
	SIMCALL_OPEN = 5,
	SIMCALL_CLOSE = 6,
	SIMCALL_SEEK = 19,
	FROM_START = 0,
	FROM_END = 2,
	NS_PER_TICK = 25, /* the core's clock of 40 MHz */
};

/* Both in start.S. */
int board_simcall(int number, intptr_t a, intptr_t b, intptr_t c);
void board_make_read_only(void);

/* start.S has asked the host for them; there is no program name. */
int board_arguments(int argc, char **argv, char ***out)
{
	*out = argv;
	return argc;
}

void *board_memory(size_t *bytes)
{
	*bytes = 96u << 20;
	return (void *)BOARD_MEMORY;
}

uint64_t board_ticks(void)
{
	uint32_t cycles;

	__asm__ volatile("rsr %0, ccount" : "=r"(cycles));
	return (uint64_t)cycles * NS_PER_TICK;
}

/* The first page of the memory can be: it has a place in the translation of its own. */
int board_protect(void *at, size_t bytes)
{
	if ((uintptr_t)at != BOARD_MEMORY || bytes > BOARD_PAGE_BYTES) {
		return -1;
	}
	board_make_read_only();
	return 0;
}

long board_read(const char *path, void *at, size_t capacity)
{
	int file = board_simcall(SIMCALL_OPEN, (intptr_t)path, 0, 0);
	long bytes = -1;

	if (file < 0) {
		return -1;
	}
	int length = board_simcall(SIMCALL_SEEK, file, 0, FROM_END);

	board_simcall(SIMCALL_SEEK, file, 0, FROM_START);
	if (length >= 0 && (size_t)length <= capacity &&
	    board_simcall(SIMCALL_READ, file, (intptr_t)at, length) == length) {
		bytes = length;
	}
	board_simcall(SIMCALL_CLOSE, file, 0, 0);
	return bytes;
}
