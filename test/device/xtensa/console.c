/* SPDX-License-Identifier: Apache-2.0 */
/* What the C library needs below it, in its own ABI (without register windows): standard output, the end. */
#include <stdio.h>
#include <stdlib.h>

enum {
	SIMCALL_EXIT = 1,
	SIMCALL_WRITE = 4,
};

static char line[256];
static unsigned used;

static int simcall(int what, int a, int b, int c)
{
	register int a2 __asm__("a2") = what;
	register int a3 __asm__("a3") = a;
	register int a4 __asm__("a4") = b;
	register int a5 __asm__("a5") = c;

	__asm__ volatile("simcall" : "+r"(a2), "+r"(a3) : "r"(a4), "r"(a5) : "memory");
	return a2;
}

static int flush(FILE *file)
{
	simcall(SIMCALL_WRITE, 1, (int)line, (int)used);
	used = 0;
	return 0;
}

static int put(char c, FILE *file)
{
	line[used++] = c;
	if (c == '\n' || used == sizeof(line)) {
		flush(file);
	}
	return (unsigned char)c;
}

static FILE out = FDEV_SETUP_STREAM(put, NULL, flush, _FDEV_SETUP_WRITE);

FILE *const stdout = &out;
FILE *const stderr = &out;

void _exit(int status)
{
	flush(&out);
	for (;;) {
		simcall(SIMCALL_EXIT, status, 0, 0);
	}
}

/* An exception that nothing handles: start.S comes here. */
void board_fatal(unsigned cause, unsigned pc, unsigned address)
{
	printf("exception %u at 0x%x, address 0x%x\n", cause, pc, address);
	_exit(99);
}

void abort(void)
{
	printf("aborted\n");
	_exit(134);
}
