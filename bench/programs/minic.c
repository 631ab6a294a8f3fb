/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A compiler and a virtual machine for a small language: functions of int, arrays, while, if, expressions with
 * precedence. It compiles its program on each round and runs it.
 * Default n: 60, on a device 1.
 */
#include "bench/kernels/kernel.h"

#define CODE_MAX    2048
#define STACK_MAX   1024
#define SYMBOLS_MAX 64
#define ARRAY_CELLS 1024

enum token {
	T_END,
	T_NUMBER,
	T_NAME,
	T_PUNCT,
};

enum op {
	O_CONST,
	O_LOCAL,
	O_SET_LOCAL,
	O_LOAD,
	O_STORE,
	O_JUMP,
	O_JUMP_ZERO,
	O_CALL,
	O_RETURN,
	O_DROP,
	O_BINARY, /* followed by an enum binary */
};

enum binary {
	B_OR,
	B_AND,
	B_XOR,
	B_EQUAL,
	B_NOT_EQUAL,
	B_LESS,
	B_GREATER,
	B_ADD,
	B_SUBTRACT,
	B_MULTIPLY,
	B_DIVIDE,
	B_MODULO,
	B_NONE,
};

struct symbol {
	const char *name;
	int bytes, value, params;
};

static const char *const source =
	"fn gcd(a, b) { while (b) { t = a % b; a = b; b = t; } return a; }"
	"fn power(b, e, m) { r = 1; while (e) { if (e & 1) { r = r * b % m; } b = b * b % m; e = e "
	"/ 2; } return r; }"
	"fn partition(low, high) { p = [high]; i = low; j = low;"
	"  while (j < high) { if ([j] < p) { t = [i]; [i] = [j]; [j] = t; i = i + 1; } j = j + 1; }"
	"  t = [i]; [i] = [high]; [high] = t; return i; }"
	"fn sort(low, high) { if (low < high) { p = partition(low, high); sort(low, p - 1); sort(p "
	"+ 1, high); }"
	"  return 0; }"
	"fn fill(n, seed) { i = 0; while (i < n) { seed = (seed * 1103 + 12345) % 65536; [i] = "
	"seed; i = i + 1; }"
	"  return seed; }"
	"fn fib(n) { if (n < 2) { return n; } return fib(n - 1) + fib(n - 2); }"
	"fn main(seed) { s = fill(600, seed % 65536); sort(0, 599); i = 1; bad = 0;"
	"  while (i < 600) { if ([i] < [i - 1]) { bad = bad + 1; } s = s ^ [i] * i; i = i + 1; }"
	"  i = 1; while (i < 200) { s = s + gcd(i * 12, 360) * power(i, 13, 1009); i = i + 1; }"
	"  return s + fib(15) + bad * 1000000; }";

static const struct {
	char text[3];
	uint8_t precedence, op;
} operators[] = {
	{"|", 1, B_OR},         {"^", 2, B_XOR},      {"&", 3, B_AND},     {"==", 4, B_EQUAL},
	{"!=", 4, B_NOT_EQUAL}, {"<", 5, B_LESS},     {">", 5, B_GREATER}, {"+", 6, B_ADD},
	{"-", 6, B_SUBTRACT},   {"*", 7, B_MULTIPLY}, {"/", 7, B_DIVIDE},  {"%", 7, B_MODULO},
};

static int32_t code[CODE_MAX], stack[STACK_MAX], array[ARRAY_CELLS];
static struct symbol functions[SYMBOLS_MAX], locals[SYMBOLS_MAX];
static int code_count, function_count, local_count, failed;

/* The scanner: the token at hand. */
static const char *at, *token_at;
static enum token token;
static int token_bytes, token_number;

static int is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void advance(void)
{
	while (*at == ' ' || *at == '\n') {
		at++;
	}
	token_at = at;
	if (*at == 0) {
		token = T_END;
	} else if (is_digit(*at)) {
		token = T_NUMBER;
		for (token_number = 0; is_digit(*at); at++) {
			token_number = token_number * 10 + (*at - '0');
		}
	} else if (is_letter(*at)) {
		token = T_NAME;
		while (is_letter(*at) || is_digit(*at)) {
			at++;
		}
	} else {
		token = T_PUNCT;
		at += (at[1] == '=' && (*at == '=' || *at == '!')) ? 2 : 1;
	}
	token_bytes = (int)(at - token_at);
}

static int is_punct(char c)
{
	return token == T_PUNCT && token_bytes == 1 && *token_at == c;
}

static void expect(char c)
{
	failed |= !is_punct(c);
	advance();
}

static int same_name(const struct symbol *s, const char *name, int bytes)
{
	if (s->bytes != bytes) {
		return 0;
	}
	for (int i = 0; i < bytes; i++) {
		if (s->name[i] != name[i]) {
			return 0;
		}
	}
	return 1;
}

static int find(const struct symbol *table, int count, const char *name, int bytes)
{
	for (int i = 0; i < count; i++) {
		if (same_name(&table[i], name, bytes)) {
			return i;
		}
	}
	return -1;
}

static int is_word(const char *word, int bytes)
{
	struct symbol s = {word, bytes, 0, 0};

	return token == T_NAME && same_name(&s, token_at, token_bytes);
}

static void emit(int32_t c)
{
	if (code_count < CODE_MAX) {
		code[code_count++] = c;
	}
}

static void emit2(int32_t a, int32_t b)
{
	emit(a);
	emit(b);
}

static int local_of(const char *name, int bytes)
{
	int i = find(locals, local_count, name, bytes);

	if (i < 0) {
		i = local_count++;
		locals[i] = (struct symbol){name, bytes, i, 0};
	}
	return i;
}

static void expression(int precedence);

static void call(const char *name, int bytes)
{
	int function = find(functions, function_count, name, bytes), count = 0;

	advance();
	while (!is_punct(')') && token != T_END) {
		expression(0);
		count++;
		if (!is_punct(',')) {
			break;
		}
		advance();
	}
	expect(')');
	failed |= function < 0 || functions[function].params != count;
	emit2(O_CALL, function);
}

static void primary(void)
{
	const char *name = token_at;
	int bytes = token_bytes;

	if (token == T_NUMBER) {
		emit2(O_CONST, token_number);
		advance();
	} else if (token == T_NAME) {
		advance();
		if (is_punct('(')) {
			call(name, bytes);
		} else {
			emit2(O_LOCAL, local_of(name, bytes));
		}
	} else if (is_punct('(')) {
		advance();
		expression(0);
		expect(')');
	} else if (is_punct('[')) {
		advance();
		expression(0);
		expect(']');
		emit(O_LOAD);
	} else {
		failed = 1;
		advance();
	}
}

static int operator_here(void)
{
	for (int i = 0; i < (int)(sizeof(operators) / sizeof(operators[0])); i++) {
		const char *text = operators[i].text;

		if (token == T_PUNCT && text[0] == token_at[0] &&
		    (text[1] == 0 ? token_bytes == 1 : token_bytes == 2)) {
			return i;
		}
	}
	return -1;
}

static void expression(int precedence)
{
	primary();
	for (;;) {
		int i = operator_here();

		if (i < 0 || operators[i].precedence <= precedence) {
			return;
		}
		advance();
		expression(operators[i].precedence);
		emit2(O_BINARY, operators[i].op);
	}
}

static void block(void);

static void condition_and_block(int loops)
{
	int start, jump;

	advance();
	start = code_count;
	expect('(');
	expression(0);
	expect(')');
	emit2(O_JUMP_ZERO, 0);
	jump = code_count - 1;
	block();
	if (loops) {
		emit2(O_JUMP, start);
	}
	code[jump] = code_count;
}

static void assignment(void)
{
	int local = -1;

	if (is_punct('[')) {
		advance();
		expression(0);
		expect(']');
	} else {
		local = local_of(token_at, token_bytes);
		advance();
	}
	expect('=');
	expression(0);
	expect(';');
	if (local < 0) {
		emit(O_STORE);
	} else {
		emit2(O_SET_LOCAL, local);
	}
}

static void statement(void)
{
	if (is_word("while", 5)) {
		condition_and_block(1);
	} else if (is_word("if", 2)) {
		condition_and_block(0);
	} else if (is_word("return", 6)) {
		advance();
		expression(0);
		expect(';');
		emit(O_RETURN);
	} else if (token == T_NAME && find(functions, function_count, token_at, token_bytes) >= 0) {
		expression(0);
		expect(';');
		emit(O_DROP);
	} else {
		assignment();
	}
}

static void block(void)
{
	expect('{');
	while (!is_punct('}') && token != T_END && !failed) {
		statement();
	}
	expect('}');
}

static void function(void)
{
	struct symbol *f;

	advance();
	f = &functions[function_count++];
	*f = (struct symbol){token_at, token_bytes, code_count, 0};
	advance();
	expect('(');
	local_count = 0;
	while (token == T_NAME) {
		local_of(token_at, token_bytes);
		advance();
		if (is_punct(',')) {
			advance();
		}
	}
	f->params = local_count;
	expect(')');
	emit(0); /* the number of locals, known at the end */
	block();
	code[f->value] = local_count;
}

static void compile(void)
{
	at = source;
	code_count = function_count = failed = 0;
	advance();
	while (is_word("fn", 2) && !failed) {
		function();
	}
}

static int32_t binary(enum binary op, int32_t a, int32_t b)
{
	switch (op) {
	case B_OR:
		return a | b;
	case B_AND:
		return a & b;
	case B_XOR:
		return a ^ b;
	case B_EQUAL:
		return a == b;
	case B_NOT_EQUAL:
		return a != b;
	case B_LESS:
		return a < b;
	case B_GREATER:
		return a > b;
	case B_ADD:
		return (int32_t)((uint32_t)a + (uint32_t)b);
	case B_SUBTRACT:
		return (int32_t)((uint32_t)a - (uint32_t)b);
	case B_MULTIPLY:
		return (int32_t)((uint32_t)a * (uint32_t)b);
	case B_DIVIDE:
		return b == 0 ? 0 : a / b;
	case B_MODULO:
		return b == 0 ? 0 : a % b;
	default:
		return 0;
	}
}

/* Frame: arguments and locals from fp on; above them the caller's fp and pc. */
static int32_t execute(int function_idx, int32_t argument)
{
	int32_t *sp = stack, *fp = stack;
	int pc = functions[function_idx].value, depth = 1;

	*sp++ = argument;
	sp = fp + code[pc++];
	for (;;) {
		int32_t t;

		switch ((enum op)code[pc++]) {
		case O_CONST:
			*sp++ = code[pc++];
			break;
		case O_LOCAL:
			*sp++ = fp[code[pc++]];
			break;
		case O_SET_LOCAL:
			fp[code[pc++]] = *--sp;
			break;
		case O_LOAD:
			sp[-1] = array[sp[-1] & (ARRAY_CELLS - 1)];
			break;
		case O_STORE:
			sp -= 2;
			array[sp[0] & (ARRAY_CELLS - 1)] = sp[1];
			break;
		case O_JUMP:
			pc = code[pc];
			break;
		case O_JUMP_ZERO:
			pc = *--sp == 0 ? code[pc] : pc + 1;
			break;
		case O_CALL: {
			const struct symbol *f = &functions[code[pc++]];
			int32_t *frame = sp - f->params;
			int count = code[f->value];

			if (frame + count + 32 > stack + STACK_MAX) {
				return -1;
			}
			frame[count] = (int32_t)(fp - stack);
			frame[count + 1] = pc;
			fp = frame;
			sp = frame + count + 2;
			pc = f->value + 1;
			depth++;
			break;
		}
		case O_RETURN:
			t = *--sp;
			if (--depth == 0) {
				return t;
			}
			/* The frame's size stands before the function's code: found by its symbol. */
			for (int i = function_count - 1; i >= 0; i--) {
				if (functions[i].value < pc) {
					int count = code[functions[i].value];

					sp = fp;
					pc = fp[count + 1];
					fp = stack + fp[count];
					break;
				}
			}
			*sp++ = t;
			break;
		case O_DROP:
			sp--;
			break;
		case O_BINARY:
			sp--;
			sp[-1] = binary((enum binary)code[pc++], sp[-1], sp[0]);
			break;
		}
	}
}

int run(int n)
{
	uint32_t sum = 0;

	for (int round = 0; round < n; round++) {
		compile();
		if (failed) {
			return 0;
		}
		sum = kernel_mix(sum, (uint32_t)execute(function_count - 1, round * 7 + 1));
	}
	return (int)sum;
}
