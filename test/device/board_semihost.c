/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The emulated boards: arguments and files through semihosting.
 * Spec: Semihosting for AArch32 and AArch64; RISC-V Semihosting.
 */
#include <semihost.h>
#include <stdint.h>
#include <string.h>

#include "board.h"
#include "board_clock.h"

#define ARGUMENTS_MAX 64

static char line[2048];
static char *arguments[ARGUMENTS_MAX];

/* The host gives one line, words divided by blanks; the first is the program. */
int board_arguments(int argc, char **argv, char ***out)
{
	int count = 0;
	char *p = line;

	board_clock_start();
	if (sys_semihost_get_cmdline(line, sizeof(line)) != 0) {
		line[0] = 0;
	}
	while (count < ARGUMENTS_MAX) {
		while (*p == ' ') {
			*p++ = 0;
		}
		if (*p == 0) {
			break;
		}
		arguments[count++] = p;
		while (*p != ' ' && *p != 0) {
			p++;
		}
	}
	*out = arguments + 1;
	return count > 0 ? count - 1 : 0;
}

void *board_memory(void)
{
	return BOARD_MEMORY;
}

uint64_t board_ticks(void)
{
	return board_clock_read();
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
