/* SPDX-License-Identifier: Apache-2.0 */
/* A switch interpreter: a small stack machine running a loop of its own. Default n: 500000, on a device 3000. */
#include "kernel.h"

enum op {
	PUSH,
	LOAD,
	STORE,
	ADD,
	SUB,
	MUL,
	XOR,
	SHIFT_RIGHT,
	AND,
	LESS,
	JUMP,
	JUMP_ZERO,
	HALT,
};

/* i = 0; while (i < n) { x = x * 31 + (x >> 7 ^ i); if (x & 1) y = y + x; else y = y ^ i; i = i +
 * 1; } */
static const int16_t program[] = {
	LOAD,  0, LOAD, 1,  LESS,        JUMP_ZERO, 53,                     /* 0: while */
	LOAD,  2, PUSH, 31, MUL,                                            /* 7 */
	LOAD,  2, PUSH, 7,  SHIFT_RIGHT, LOAD,      0,  XOR, ADD, STORE, 2, /* 12 */
	LOAD,  2, PUSH, 1,  AND,         JUMP_ZERO, 37,                     /* 23 */
	LOAD,  3, LOAD, 2,  ADD,         JUMP,      42,                     /* 30 */
	LOAD,  3, LOAD, 0,  XOR,                                            /* 37: else */
	STORE, 3,                                                           /* 42 */
	LOAD,  0, PUSH, 1,  ADD,         STORE,     0,                      /* 44 */
	JUMP,  0,                                                           /* 51 */
	HALT,                                                               /* 53 */
};

static uint32_t stack[64], variables[4];

/* Runs from pc until HALT. */
static void interpret(int pc)
{
	uint32_t *sp = stack;

	for (;;) {
		switch ((enum op)program[pc++]) {
		case PUSH:
			*sp++ = (uint32_t)program[pc++];
			break;
		case LOAD:
			*sp++ = variables[program[pc++]];
			break;
		case STORE:
			variables[program[pc++]] = *--sp;
			break;
		case ADD:
			sp--;
			sp[-1] += sp[0];
			break;
		case SUB:
			sp--;
			sp[-1] -= sp[0];
			break;
		case MUL:
			sp--;
			sp[-1] *= sp[0];
			break;
		case XOR:
			sp--;
			sp[-1] ^= sp[0];
			break;
		case SHIFT_RIGHT:
			sp--;
			sp[-1] >>= sp[0] & 31;
			break;
		case AND:
			sp--;
			sp[-1] &= sp[0];
			break;
		case LESS:
			sp--;
			sp[-1] = sp[-1] < sp[0];
			break;
		case JUMP:
			pc = program[pc];
			break;
		case JUMP_ZERO:
			pc = *--sp == 0 ? program[pc] : pc + 1;
			break;
		case HALT:
			return;
		}
	}
}

int run(int n)
{
	variables[0] = 0;
	variables[1] = (uint32_t)n;
	variables[2] = 12345;
	variables[3] = 1;
	interpret(0);
	return (int)variables[3];
}
