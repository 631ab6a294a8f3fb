/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small Forth: reads words, compiles definitions to threaded code, runs them. The program it is given computes
 * primes, greatest common divisors, a bubble sort and Collatz lengths.
 * Default n: 25, on a device 1.
 */
#include "bench/kernels/kernel.h"

#define DICTIONARY_MAX 96
#define CODE_MAX       2048
#define STACK_MAX      256

typedef int32_t cell;

enum primitive {
	P_EXIT,
	P_LITERAL,
	P_BRANCH,
	P_BRANCH_ZERO,
	P_ADD,
	P_SUBTRACT,
	P_MULTIPLY,
	P_DIVIDE,
	P_MODULO,
	P_DUP,
	P_DROP,
	P_SWAP,
	P_OVER,
	P_ROT,
	P_EQUAL,
	P_LESS,
	P_GREATER,
	P_AND,
	P_OR,
	P_XOR,
	P_FETCH,
	P_STORE,
	P_TO_R,
	P_FROM_R,
	P_I,
	P_LOOP,
	P_EMIT,
	P_COUNT,
	/* compile-time words */
	P_IF = P_COUNT,
	P_ELSE,
	P_THEN,
	P_BEGIN,
	P_WHILE,
	P_REPEAT,
	P_UNTIL,
	P_DO,
	P_END_LOOP,
	P_COLON,
	P_SEMICOLON,
};

static const char *const primitive_names = "exit lit branch 0branch + - * / mod dup drop swap over "
					   "rot = < > and or xor @ ! >r r> i (loop) emit "
					   "if else then begin while repeat until do loop : ; ";

static const char *const source =
	": gcd begin dup while swap over mod repeat drop ; "
	": gcds 0 swap 1 do i 360 gcd + loop ; "
	": prime dup 2 < if drop 0 exit then 2 begin over over dup * < 0 = while "
	"  over over mod 0 = if drop drop 0 exit then 1 + repeat drop drop 1 ; "
	": primes 0 swap 2 do i prime + loop ; "
	": even 1 and 0 = ; "
	": collatz 0 swap begin dup 1 > while dup even if 2 / else 3 * 1 + then swap 1 + swap "
	"repeat drop ; "
	": longest 0 swap 1 do i collatz over over < if swap then drop loop ; "
	": fill 0 do i 7919 * 1009 mod i ! loop ; "
	": exchange dup @ over 1 + @ over over > if >r over r> swap ! swap 1 + ! else drop drop "
	"drop then ; "
	": pass 0 do i exchange loop ; "
	": bubble dup fill dup 0 do dup 1 - pass loop drop ; "
	": checksum 0 swap 0 do 31 * i @ + loop ; "
	": main 400 gcds 1500 primes + 400 longest + 60 bubble 60 checksum xor 42 emit ; ";

static cell data[STACK_MAX], calls[STACK_MAX], code[CODE_MAX], memory[256];
static struct {
	const char *name;
	int bytes;
	cell start; /* < P_COUNT...: a primitive, else CODE_MAX + place in code */
} dictionary[DICTIONARY_MAX];
static int dictionary_count, code_count;
static uint32_t emitted;

static int same(const char *a, const char *b, int bytes)
{
	for (int i = 0; i < bytes; i++) {
		if (a[i] != b[i]) {
			return 0;
		}
	}
	return 1;
}

static int find(const char *word, int bytes)
{
	for (int i = dictionary_count - 1; i >= 0; i--) {
		if (dictionary[i].bytes == bytes && same(dictionary[i].name, word, bytes)) {
			return i;
		}
	}
	return -1;
}

static void define(const char *name, int bytes, cell start)
{
	dictionary[dictionary_count].name = name;
	dictionary[dictionary_count].bytes = bytes;
	dictionary[dictionary_count++].start = start;
}

/* The next word of *p, its length; 0 at the end. */
static const char *next_word(const char **p, int *bytes)
{
	while (**p == ' ') {
		(*p)++;
	}
	const char *start = *p;
	while (**p != ' ' && **p != 0) {
		(*p)++;
	}
	*bytes = (int)(*p - start);
	return start;
}

static void emit(cell c)
{
	code[code_count++] = c;
}

/* What if, begin, do and their ends compile; forward jumps are kept on the data stack. */
static cell *compile_control(enum primitive word, cell *sp)
{
	cell t;

	switch (word) {
	case P_IF:
	case P_WHILE:
		emit(P_BRANCH_ZERO);
		*sp++ = code_count;
		emit(0);
		break;
	case P_ELSE:
		emit(P_BRANCH);
		t = sp[-1];
		sp[-1] = code_count;
		emit(0);
		code[t] = code_count;
		break;
	case P_THEN:
		code[*--sp] = code_count;
		break;
	case P_BEGIN:
		*sp++ = code_count;
		break;
	case P_REPEAT:
		t = *--sp;
		emit(P_BRANCH);
		emit(*--sp);
		code[t] = code_count;
		break;
	case P_UNTIL:
		emit(P_BRANCH_ZERO);
		emit(*--sp);
		break;
	case P_DO:
		emit(P_SWAP);
		emit(P_TO_R);
		emit(P_TO_R);
		*sp++ = code_count;
		break;
	case P_END_LOOP:
		emit(P_LOOP);
		emit(*--sp);
		break;
	default:
		break;
	}
	return sp;
}

static void compile(const char *text)
{
	cell *sp = data;
	int bytes;

	for (const char *word = next_word(&text, &bytes); bytes > 0;
	     word = next_word(&text, &bytes)) {
		int entry = find(word, bytes);

		if (entry < 0) {
			cell v = 0;

			for (int i = 0; i < bytes; i++) {
				v = v * 10 + (word[i] - '0');
			}
			emit(P_LITERAL);
			emit(v);
			continue;
		}
		cell start = dictionary[entry].start;
		if (start == P_COLON) {
			word = next_word(&text, &bytes);
			define(word, bytes, CODE_MAX + code_count);
		} else if (start == P_SEMICOLON) {
			emit(P_EXIT);
		} else if (start >= P_COUNT && start < CODE_MAX) {
			sp = compile_control((enum primitive)start, sp);
		} else {
			emit(start);
		}
	}
}

static cell execute(cell start)
{
	cell *sp = data, *rp = calls, t;
	const cell *pc = code + (start - CODE_MAX);

	*rp++ = -1;
	for (;;) {
		cell op = *pc++;

		if (op >= CODE_MAX) {
			*rp++ = (cell)(pc - code);
			pc = code + (op - CODE_MAX);
			continue;
		}
		switch ((enum primitive)op) {
		case P_EXIT:
			t = *--rp;
			if (t < 0) {
				return sp[-1];
			}
			pc = code + t;
			break;
		case P_LITERAL:
			*sp++ = *pc++;
			break;
		case P_BRANCH:
			pc = code + *pc;
			break;
		case P_BRANCH_ZERO:
			pc = *--sp == 0 ? code + *pc : pc + 1;
			break;
		case P_ADD:
			sp--;
			sp[-1] = (cell)((uint32_t)sp[-1] + (uint32_t)sp[0]);
			break;
		case P_SUBTRACT:
			sp--;
			sp[-1] = (cell)((uint32_t)sp[-1] - (uint32_t)sp[0]);
			break;
		case P_MULTIPLY:
			sp--;
			sp[-1] = (cell)((uint32_t)sp[-1] * (uint32_t)sp[0]);
			break;
		case P_DIVIDE:
			sp--;
			sp[-1] = sp[0] == 0 ? 0 : sp[-1] / sp[0];
			break;
		case P_MODULO:
			sp--;
			sp[-1] = sp[0] == 0 ? 0 : sp[-1] % sp[0];
			break;
		case P_DUP:
			sp[0] = sp[-1];
			sp++;
			break;
		case P_DROP:
			sp--;
			break;
		case P_SWAP:
			t = sp[-1];
			sp[-1] = sp[-2];
			sp[-2] = t;
			break;
		case P_OVER:
			sp[0] = sp[-2];
			sp++;
			break;
		case P_ROT:
			t = sp[-3];
			sp[-3] = sp[-2];
			sp[-2] = sp[-1];
			sp[-1] = t;
			break;
		case P_EQUAL:
			sp--;
			sp[-1] = sp[-1] == sp[0];
			break;
		case P_LESS:
			sp--;
			sp[-1] = sp[-1] < sp[0];
			break;
		case P_GREATER:
			sp--;
			sp[-1] = sp[-1] > sp[0];
			break;
		case P_AND:
			sp--;
			sp[-1] &= sp[0];
			break;
		case P_OR:
			sp--;
			sp[-1] |= sp[0];
			break;
		case P_XOR:
			sp--;
			sp[-1] ^= sp[0];
			break;
		case P_FETCH:
			sp[-1] = memory[sp[-1] & 255];
			break;
		case P_STORE:
			sp -= 2;
			memory[sp[1] & 255] = sp[0];
			break;
		case P_TO_R:
			*rp++ = *--sp;
			break;
		case P_FROM_R:
			*sp++ = *--rp;
			break;
		case P_I:
			*sp++ = rp[-1];
			break;
		case P_LOOP:
			if (++rp[-1] < rp[-2]) {
				pc = code + *pc;
			} else {
				rp -= 2;
				pc++;
			}
			break;
		case P_EMIT:
			emitted = kernel_mix(emitted, (uint32_t) * --sp);
			break;
		default:
			return 0;
		}
	}
}

int run(int n)
{
	uint32_t sum = 0;

	for (int round = 0; round < n; round++) {
		const char *names = primitive_names;
		int bytes;

		dictionary_count = code_count = 0;
		for (cell i = 0; *names != 0; i++) {
			const char *name = next_word(&names, &bytes);

			if (bytes > 0) {
				define(name, bytes, i);
			}
		}
		compile(source);
		sum = kernel_mix(sum,
				 (uint32_t)execute(dictionary[find("main", 4)].start) + emitted);
	}
	return (int)sum;
}
