/* SPDX-License-Identifier: Apache-2.0 */
/* Random valid modules: an expression of a type is a random operation on random expressions. */
#include "rotor/tool/fuzz/gen.h"

#include <stdbool.h>
#include <string.h>

enum type {
	I32,
	I64,
	F32,
	F64,
	TYPE_COUNT
};

static const uint8_t type_byte[] = {0x7F, 0x7E, 0x7D, 0x7C};

enum {
	VOID = TYPE_COUNT,
	PAIR, /* of a label: i32 and i64 */
	FUNCS_MAX = 8,
	LABELS_MAX = 24,
	LOCALS_EACH = 3, /* of each type, behind the parameters */
	FUEL = 2000,
	DEPTH_MAX = 7,
	TABLE_ELEMS = 10,
	MEMORY_MASK = 0x7FFF
};

/* The function types that occur; the last ones are those of blocks and exports. */
struct signature {
	uint8_t param_count, params[4], result_count, results[4];
};

static const struct signature signatures[] = {
	{0, {0}, 0, {0}},
	{1, {I32}, 1, {I32}},
	{2, {I64, F64}, 1, {F64}},
	{2, {I32, I32}, 1, {I64}},
	{1, {F32}, 1, {F32}},
	{3, {I32, I64, F32}, 1, {I32}},
	{2, {F64, I32}, 2, {I32, I64}},
	{4, {I64, I64, I32, F64}, 1, {I64}},
	{0, {0}, 2, {I32, I64}},           /* SIG_PAIR */
	{2, {I32, I64}, 2, {I32, I64}},    /* SIG_PAIR_LOOP */
	{0, {0}, 4, {I32, I64, F32, F64}}, /* SIG_RUN */
	{0, {0}, 1, {I64}},                /* SIG_HASH */
};

enum {
	SIG_CALLED = 8,
	SIG_PAIR = 8,
	SIG_PAIR_LOOP,
	SIG_RUN,
	SIG_HASH,
	SIG_COUNT
};

struct gen {
	const uint8_t *choices, *choices_end;
	uint8_t *at, *end; /* output; end is past it when it did not fit */
	bool full;
	uint8_t func_sig[FUNCS_MAX];
	unsigned func_count;
	unsigned func; /* at work; func_count: run */
	const struct signature *sig;
	uint8_t labels[LABELS_MAX]; /* what a branch to it carries: a type, VOID or PAIR */
	unsigned label_count, depth;
	unsigned budget; /* expressions left for this function */
};

static void expr(struct gen *g, unsigned type);
static void stmt(struct gen *g);

/* ---- choices and bytes ---- */

static unsigned choose(struct gen *g, unsigned bound)
{
	return g->choices < g->choices_end ? *g->choices++ % bound : 0;
}

static void byte(struct gen *g, unsigned b)
{
	if (g->at == g->end) {
		g->full = true;
		return;
	}
	*g->at++ = (uint8_t)b;
}

static void bytes(struct gen *g, const void *from, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		byte(g, ((const uint8_t *)from)[i]);
	}
}

static void uleb(struct gen *g, uint64_t v)
{
	for (; v >= 0x80; v >>= 7) {
		byte(g, (v & 0x7F) | 0x80);
	}
	byte(g, (unsigned)v);
}

static void sleb(struct gen *g, int64_t v)
{
	while (v < -64 || v > 63) {
		byte(g, (unsigned)(v & 0x7F) | 0x80);
		v >>= 7;
	}
	byte(g, (unsigned)v & 0x7F);
}

/* Leaves five bytes for a length; patch_length writes it there. */
static uint8_t *reserve_length(struct gen *g)
{
	uint8_t *at = g->at;

	bytes(g, "\0\0\0\0\0", 5);
	return at;
}

static void patch_length(struct gen *g, uint8_t *at)
{
	uint32_t length;

	if (g->full) {
		return;
	}
	length = (uint32_t)(g->at - at - 5);
	for (unsigned i = 0; i < 5; i++) {
		at[i] = (uint8_t)((length >> 7 * i & 0x7F) | (i < 4 ? 0x80 : 0));
	}
}

/* ---- locals, globals ---- */

/* A local of that type. Global 1 + type is the mutable global of a type. */
static unsigned local_of(struct gen *g, unsigned type)
{
	unsigned pick = choose(g, LOCALS_EACH + 1), seen = 0;

	for (unsigned i = 0; pick == LOCALS_EACH && i < g->sig->param_count; i++) {
		if (g->sig->params[i] == type) {
			seen = i + 1;
		}
	}
	if (seen != 0) {
		return seen - 1;
	}
	return g->sig->param_count + type * LOCALS_EACH + pick % LOCALS_EACH;
}

/* The scratch local of a type, used to look at a value twice. */
static unsigned scratch_of(const struct gen *g, unsigned type)
{
	return g->sig->param_count + TYPE_COUNT * LOCALS_EACH + type;
}

static void op_idx(struct gen *g, unsigned op, unsigned idx)
{
	byte(g, op);
	uleb(g, idx);
}

/* ---- constants ---- */

static void const_i32(struct gen *g, int32_t v)
{
	byte(g, 0x41);
	sleb(g, v);
}

static void const_i64(struct gen *g, int64_t v)
{
	byte(g, 0x42);
	sleb(g, v);
}

static const int64_t integers[] = {0,     1,         -1,        2,         7,         255,
				   65535, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, 0x100000000};

static int64_t any_integer(struct gen *g)
{
	unsigned pick = choose(g, 40);

	if (pick < sizeof(integers) / sizeof(integers[0])) {
		return integers[pick];
	}
	return (int64_t)(((uint64_t)choose(g, 256) << choose(g, 60)) - choose(g, 256));
}

static void any_float(struct gen *g, bool wide)
{
	static const double values[] = {0.0,
					-0.0,
					1.0,
					-1.0,
					0.5,
					2.5,
					-3.75,
					1e10,
					-1e-10,
					3e38,
					1e300,
					4294967295.0,
					2147483648.0,
					-2147483649.0,
					9223372036854775808.0,
					18446744073709551616.0,
					1e-310,
					1e-40};
	double d = values[choose(g, 18)];
	float f = (float)d;
	uint32_t special = 0x7F800000;

	byte(g, wide ? 0x44 : 0x43);
	if (choose(g, 12) == 11) { /* infinite or not a number */
		uint64_t special64 = 0x7FF0000000000000u;

		special |= choose(g, 2) != 0 ? 0x400000 : 0;
		special64 |= (special & 0x400000) != 0 ? (uint64_t)1 << 51 : 0;
		bytes(g, wide ? (void *)&special64 : (void *)&special, wide ? 8 : 4);
		return;
	}
	bytes(g, wide ? (void *)&d : (void *)&f, wide ? 8 : 4);
}

static void constant(struct gen *g, unsigned type)
{
	if (type == I32) {
		const_i32(g, (int32_t)any_integer(g));
	} else if (type == I64) {
		const_i64(g, any_integer(g));
	} else {
		any_float(g, type == F64);
	}
}

/* ---- small sequences ---- */

/* Makes a NaN on the stack the canonical one: x, nan, x == x, select. */
static void canonical(struct gen *g, unsigned type)
{
	unsigned scratch = scratch_of(g, type);

	op_idx(g, 0x22, scratch);
	if (type == F32) {
		bytes(g, "\x43\x00\x00\xC0\x7F", 5);
	} else {
		bytes(g, "\x44\x00\x00\x00\x00\x00\x00\xF8\x7F", 9);
	}
	op_idx(g, 0x20, scratch);
	op_idx(g, 0x20, scratch);
	byte(g, type == F32 ? 0x5B : 0x61);
	byte(g, 0x1B);
}

/* Counts global 0 down; a trap when it is used up. */
static void burn(struct gen *g)
{
	bytes(g, "\x23\x00\x45\x04\x40\x00\x0B", 7); /* global.get 0, eqz, if, unreachable, end */
	bytes(g, "\x23\x00\x41\x01\x6B\x24\x00", 7); /* global 0 minus 1 */
}

static void address(struct gen *g)
{
	expr(g, I32);
	if (choose(g, 64) != 63) {
		const_i32(g, MEMORY_MASK);
		byte(g, 0x71);
	}
}

static void memarg(struct gen *g, unsigned align_max)
{
	uleb(g, choose(g, align_max + 1));
	uleb(g, choose(g, 16) == 15 ? (uint64_t)choose(g, 256) << choose(g, 16) : choose(g, 32));
}

/* ---- control ---- */

static void block_type(struct gen *g, unsigned label)
{
	if (label == VOID) {
		byte(g, 0x40);
	} else if (label == PAIR) {
		sleb(g, SIG_PAIR);
	} else {
		byte(g, type_byte[label]);
	}
}

static bool push_label(struct gen *g, unsigned label)
{
	if (g->label_count == LABELS_MAX) {
		return false;
	}
	g->labels[g->label_count++] = (uint8_t)label;
	return true;
}

static void stmts(struct gen *g)
{
	for (unsigned n = choose(g, 4); n != 0; n--) {
		stmt(g);
	}
}

/* What a label carries, on the stack. */
static void carry(struct gen *g, unsigned label)
{
	if (label == PAIR) {
		expr(g, I32);
		expr(g, I64);
	} else if (label != VOID) {
		expr(g, label);
	}
}

/* After a block with two results: keeps the one of that type. */
static void keep_one(struct gen *g, unsigned type)
{
	if (type == I64) {
		unsigned scratch = scratch_of(g, I64);

		op_idx(g, 0x21, scratch);
		byte(g, 0x1A);
		op_idx(g, 0x20, scratch);
	} else {
		byte(g, 0x1A);
	}
}

/* A block, loop or if whose result is the label's. */
static void structure(struct gen *g, unsigned label)
{
	unsigned kind = choose(g, 3);

	if (kind == 2) {
		expr(g, I32);
	}
	if (!push_label(g, kind == 1 ? VOID : label)) {
		carry(g, label);
		return;
	}
	byte(g, kind == 0 ? 0x02 : kind == 1 ? 0x03 : 0x04);
	block_type(g, label);
	if (kind == 1) {
		burn(g);
	}
	stmts(g);
	carry(g, label);
	if (kind == 2 && (label != VOID || choose(g, 2) != 0)) {
		byte(g, 0x05);
		stmts(g);
		carry(g, label);
	}
	byte(g, 0x0B);
	g->label_count--;
}

/* A loop that takes and gives two values. */
static void pair_loop(struct gen *g)
{
	carry(g, PAIR);
	if (!push_label(g, PAIR)) {
		return;
	}
	byte(g, 0x03);
	sleb(g, SIG_PAIR_LOOP);
	burn(g);
	stmts(g);
	if (choose(g, 2) != 0) { /* round again, with what is there */
		expr(g, I32);
		op_idx(g, 0x0D, 0);
	}
	byte(g, 0x0B);
	g->label_count--;
}

/* The distance to a label that carries what is asked for; -1: there is none. */
static int find_label(struct gen *g, unsigned label)
{
	unsigned start = choose(g, g->label_count + 1);

	for (unsigned i = 0; i < g->label_count; i++) {
		unsigned k = (start + i) % g->label_count;

		if (g->labels[k] == label) {
			return (int)(g->label_count - 1 - k);
		}
	}
	return -1;
}

static void branch(struct gen *g)
{
	unsigned label = choose(g, 2) != 0 ? VOID : choose(g, TYPE_COUNT + 2);
	int distance = find_label(g, label);
	unsigned kind = choose(g, 4);

	if (distance < 0) {
		return;
	}
	carry(g, label);
	if (kind == 0) { /* br_table */
		int other = find_label(g, label);

		expr(g, I32);
		byte(g, 0x0E);
		uleb(g, 2);
		uleb(g, (unsigned)distance);
		uleb(g, (unsigned)other);
		uleb(g, (unsigned)distance);
		return; /* the rest cannot be reached, and is valid all the same */
	}
	if (kind == 1) {
		op_idx(g, 0x0C, (unsigned)distance);
		return;
	}
	expr(g, I32);
	op_idx(g, 0x0D, (unsigned)distance);
	if (label == PAIR) {
		byte(g, 0x1A);
	}
	if (label != VOID) {
		byte(g, 0x1A);
	}
}

/* ---- calls ---- */

static void arguments(struct gen *g, const struct signature *sig)
{
	for (unsigned i = 0; i < sig->param_count; i++) {
		expr(g, sig->params[i]);
	}
}

/* Calls a function directly or through the table; its results stay on the stack. */
static const struct signature *call(struct gen *g, unsigned func)
{
	const struct signature *sig = &signatures[g->func_sig[func]];

	arguments(g, sig);
	if (choose(g, 3) == 2) {
		if (choose(g, 32) == 31) {
			expr(g, I32);
			const_i32(g, TABLE_ELEMS);
			byte(g, 0x70); /* rem_u */
		} else {
			const_i32(g, (int32_t)func);
		}
		byte(g, 0x11);
		uleb(g, g->func_sig[func]);
		uleb(g, 0);
	} else {
		op_idx(g, 0x10, func);
	}
	return sig;
}

/* A function to call: mostly one behind this one, so that calls come to an end. */
static unsigned pick_func(struct gen *g)
{
	unsigned behind = g->func + 1 < g->func_count ? g->func_count - g->func - 1 : 0;

	if (behind == 0 || choose(g, 16) == 15) {
		return choose(g, g->func_count);
	}
	return g->func + 1 + choose(g, behind);
}

static void call_and_drop(struct gen *g)
{
	const struct signature *sig;

	if (g->func + 1 >= g->func_count && choose(g, 16) != 15) {
		return;
	}
	sig = call(g, pick_func(g));

	for (unsigned i = 0; i < sig->result_count; i++) {
		byte(g, 0x1A);
	}
}

/* A call whose result has that type; false: no function gives one. */
static bool call_for(struct gen *g, unsigned type)
{
	unsigned start = pick_func(g);

	for (unsigned i = 0; i < g->func_count; i++) {
		unsigned func = (start + i) % g->func_count;
		const struct signature *sig = &signatures[g->func_sig[func]];

		if (func <= g->func && choose(g, 16) != 15) {
			continue;
		}
		if (sig->result_count == 1 && sig->results[0] == type) {
			call(g, func);
			return true;
		}
		if (sig->result_count == 2 && type <= I64) {
			call(g, func);
			keep_one(g, type);
			return true;
		}
	}
	return false;
}

static bool same_results(const struct signature *a, const struct signature *b)
{
	return a->result_count == b->result_count &&
	       memcmp(a->results, b->results, a->result_count) == 0;
}

static void leave(struct gen *g)
{
	unsigned func = pick_func(g);
	const struct signature *sig = &signatures[g->func_sig[func]];

	if (same_results(sig, g->sig) && choose(g, 2) != 0) {
		arguments(g, sig);
		op_idx(g, 0x12, func);
		return;
	}
	for (unsigned i = 0; i < g->sig->result_count; i++) {
		expr(g, g->sig->results[i]);
	}
	byte(g, 0x0F);
}

/* ---- statements ---- */

static void store(struct gen *g)
{
	static const struct {
		uint8_t op, type, align;
	} rows[] = {{0x36, I32, 2}, {0x37, I64, 3}, {0x38, F32, 2}, {0x39, F64, 3}, {0x3A, I32, 0},
		    {0x3B, I32, 1}, {0x3C, I64, 0}, {0x3D, I64, 1}, {0x3E, I64, 2}};
	unsigned i = choose(g, 9);

	address(g);
	expr(g, rows[i].type);
	if (rows[i].type >= F32) {
		canonical(g, rows[i].type);
	}
	byte(g, rows[i].op);
	memarg(g, rows[i].align);
}

/* A length or offset that is mostly small. */
static void small(struct gen *g, unsigned mask)
{
	expr(g, I32);
	const_i32(g, (int32_t)mask);
	byte(g, 0x71);
}

static void bulk(struct gen *g)
{
	unsigned kind = choose(g, 8);

	switch (kind) {
	case 0:
		small(g, MEMORY_MASK);
		expr(g, I32);
		small(g, 0x3FF);
		bytes(g, "\xFC\x0B\x00", 3); /* memory.fill */
		break;
	case 1:
		small(g, MEMORY_MASK);
		small(g, MEMORY_MASK);
		small(g, 0x3FF);
		bytes(g, "\xFC\x0A\x00\x00", 4); /* memory.copy */
		break;
	case 2:
		small(g, MEMORY_MASK);
		small(g, 15);
		small(g, 15);
		bytes(g, "\xFC\x08\x01\x00", 4); /* memory.init 1 */
		break;
	case 3:
		small(g, 7);
		byte(g, 0xD2); /* ref.func */
		uleb(g, choose(g, g->func_count));
		bytes(g, "\x26\x00", 2); /* table.set */
		break;
	case 4:
		small(g, 7);
		small(g, 7);
		small(g, 3);
		bytes(g, "\xFC\x0E\x00\x00", 4); /* table.copy */
		break;
	case 5:
		small(g, 7);
		small(g, 3);
		small(g, 3);
		bytes(g, "\xFC\x0C\x01\x00", 4); /* table.init: segment 1 */
		break;
	case 6:
		small(g, 7);
		bytes(g, "\xD0\x70", 2); /* ref.null func */
		small(g, 3);
		bytes(g, "\xFC\x11\x00", 3); /* table.fill */
		break;
	default:
		if (choose(g, 16) == 15) {
			bytes(g, choose(g, 2) != 0 ? "\xFC\x09\x01" : "\xFC\x0D\x01", 3);
		}
		break;
	}
}

static void stmt(struct gen *g)
{
	unsigned type = choose(g, TYPE_COUNT);

	if (g->depth >= DEPTH_MAX || g->budget == 0) {
		return;
	}
	g->depth++;
	g->budget--;
	switch (choose(g, 14)) {
	case 0:
	case 1:
		expr(g, type);
		op_idx(g, 0x21, local_of(g, type));
		break;
	case 2:
		expr(g, type);
		op_idx(g, 0x24, 1 + type);
		break;
	case 3:
	case 4:
		store(g);
		break;
	case 5:
	case 6:
		structure(g, VOID);
		break;
	case 7:
	case 8:
		branch(g);
		break;
	case 9:
		call_and_drop(g);
		break;
	case 10:
		bulk(g);
		break;
	case 11:
		if (choose(g, 4) == 3) {
			leave(g);
		}
		break;
	case 12:
		expr(g, type);
		byte(g, 0x1A);
		break;
	default:
		byte(g, 0x01);
		break;
	}
	g->depth--;
}

/* ---- expressions ---- */

/* The operations of two operands of a type, and of one; comparisons. */
static const struct {
	uint8_t binary, binary_count, unary, unary_count, compare, compare_count;
} operations[] = {
	{0x6A, 15, 0x67, 3, 0x46, 10},
	{0x7C, 15, 0x79, 3, 0x51, 10},
	{0x92, 7, 0x8B, 7, 0x5B, 6},
	{0xA0, 7, 0x99, 7, 0x61, 6},
};

static void binary(struct gen *g, unsigned type)
{
	unsigned i = choose(g, operations[type].binary_count);

	expr(g, type);
	expr(g, type);
	if (type <= I64 && i >= 3 && i <= 6 &&
	    choose(g, 16) != 15) { /* divisions, mostly not by 0 */
		bytes(g, type == I32 ? "\x41\x01\x72" : "\x42\x01\x84", 3);
	}
	if (type >= F32 && i == 6) { /* copysign sees the sign of a NaN */
		canonical(g, type);
	}
	byte(g, operations[type].binary + i);
}

static void compare(struct gen *g)
{
	unsigned type = choose(g, TYPE_COUNT);

	if (type <= I64 && choose(g, 6) == 5) {
		expr(g, type);
		byte(g, type == I32 ? 0x45 : 0x50);
		return;
	}
	expr(g, type);
	expr(g, type);
	byte(g, operations[type].compare + choose(g, operations[type].compare_count));
}

/* A conversion that may trap. */
static bool is_trunc(unsigned op)
{
	return (op >= 0xA8 && op <= 0xAB) || (op >= 0xAE && op <= 0xB1);
}

/* From another type. */
static void convert(struct gen *g, unsigned type)
{
	static const struct {
		uint8_t op, from, to, prefixed;
	} rows[] = {
		{0xA7, I64, I32, 0}, {0xA8, F32, I32, 0}, {0xA9, F32, I32, 0}, {0xAA, F64, I32, 0},
		{0xAB, F64, I32, 0}, {0xAC, I32, I64, 0}, {0xAD, I32, I64, 0}, {0xAE, F32, I64, 0},
		{0xAF, F32, I64, 0}, {0xB0, F64, I64, 0}, {0xB1, F64, I64, 0}, {0xB2, I32, F32, 0},
		{0xB3, I32, F32, 0}, {0xB4, I64, F32, 0}, {0xB5, I64, F32, 0}, {0xB6, F64, F32, 0},
		{0xB7, I32, F64, 0}, {0xB8, I32, F64, 0}, {0xB9, I64, F64, 0}, {0xBA, I64, F64, 0},
		{0xBB, F32, F64, 0}, {0xBC, F32, I32, 0}, {0xBD, F64, I64, 0}, {0xBE, I32, F32, 0},
		{0xBF, I64, F64, 0}, {0xC0, I32, I32, 0}, {0xC1, I32, I32, 0}, {0xC2, I64, I64, 0},
		{0xC3, I64, I64, 0}, {0xC4, I64, I64, 0}, {0, F32, I32, 1},    {1, F32, I32, 1},
		{2, F64, I32, 1},    {3, F64, I32, 1},    {4, F32, I64, 1},    {5, F32, I64, 1},
		{6, F64, I64, 1},    {7, F64, I64, 1}};
	unsigned count = sizeof(rows) / sizeof(rows[0]), i = choose(g, count), tries = 0;

	while (rows[i].to != type ||
	       (is_trunc(rows[i].op) && choose(g, 16) != 15 && ++tries < 60)) {
		i = (i + 1) % count;
	}
	expr(g, rows[i].from);
	if (rows[i].op == 0xBC || rows[i].op == 0xBD) {
		canonical(g, rows[i].from);
	}
	if (rows[i].prefixed) {
		byte(g, 0xFC);
	}
	byte(g, rows[i].op);
}

static void load(struct gen *g, unsigned type)
{
	static const struct {
		uint8_t op, type, align;
	} rows[] = {{0x28, I32, 2}, {0x29, I64, 3}, {0x2A, F32, 2}, {0x2B, F64, 3}, {0x2C, I32, 0},
		    {0x2D, I32, 0}, {0x2E, I32, 1}, {0x2F, I32, 1}, {0x30, I64, 0}, {0x31, I64, 0},
		    {0x32, I64, 1}, {0x33, I64, 1}, {0x34, I64, 2}, {0x35, I64, 2}};
	unsigned i = choose(g, 14);

	while (rows[i].type != type) {
		i = (i + 1) % 14;
	}
	address(g);
	byte(g, rows[i].op);
	memarg(g, rows[i].align);
}

static void choose_between(struct gen *g, unsigned type)
{
	expr(g, type);
	expr(g, type);
	expr(g, I32);
	if (choose(g, 4) == 3) {
		bytes(g, "\x1C\x01", 2);
		byte(g, type_byte[type]);
	} else {
		byte(g, 0x1B);
	}
}

/* What only i32 has: sizes, growing, references. */
static void special_i32(struct gen *g)
{
	switch (choose(g, 6)) {
	case 0:
		bytes(g, "\x3F\x00", 2); /* memory.size */
		break;
	case 1:
		small(g, 1);
		bytes(g, "\x40\x00", 2); /* memory.grow */
		break;
	case 2:
		bytes(g, "\xFC\x10\x00", 3); /* table.size */
		break;
	case 3:
		small(g, 7);
		bytes(g, "\x25\x00\xD1", 3); /* table.get, ref.is_null */
		break;
	case 4:
		bytes(g, "\xD0\x70", 2);
		small(g, 3);
		bytes(g, "\xFC\x0F\x00", 3); /* table.grow */
		break;
	default:
		compare(g);
		break;
	}
}

/* An expression that takes part in control flow. */
static void control_expr(struct gen *g, unsigned type)
{
	int distance = find_label(g, type);

	switch (choose(g, 4)) {
	case 0:
		structure(g, type);
		return;
	case 1:
		if (type <= I64) {
			if (choose(g, 2) != 0) {
				structure(g, PAIR);
			} else {
				pair_loop(g);
			}
			keep_one(g, type);
			return;
		}
		structure(g, type);
		return;
	case 2:
		expr(g, type);
		if (distance >= 0) { /* br_if, with the value staying if it does not branch */
			expr(g, I32);
			op_idx(g, 0x0D, (unsigned)distance);
		}
		return;
	default:
		stmt(g);
		expr(g, type);
		return;
	}
}

static void expr_deep(struct gen *g, unsigned type)
{
	switch (choose(g, 12)) {
	case 0:
	case 1:
	case 2:
		binary(g, type);
		break;
	case 3:
		expr(g, type);
		byte(g, operations[type].unary + choose(g, operations[type].unary_count));
		break;
	case 4:
		convert(g, type);
		break;
	case 5:
	case 6:
		load(g, type);
		break;
	case 7:
		choose_between(g, type);
		break;
	case 8:
		expr(g, type);
		op_idx(g, 0x22, local_of(g, type));
		break;
	case 9:
		control_expr(g, type);
		break;
	case 10:
		if (!call_for(g, type)) {
			constant(g, type);
		}
		break;
	default:
		if (type == I32) {
			special_i32(g);
		} else {
			op_idx(g, 0x23, 1 + type);
		}
		break;
	}
}

static void expr(struct gen *g, unsigned type)
{
	unsigned pick = choose(g, 5);

	if (g->depth >= DEPTH_MAX || g->budget == 0 || pick == 0) {
		constant(g, type);
	} else if (pick == 1) {
		op_idx(g, 0x20, local_of(g, type));
	} else {
		g->depth++;
		g->budget--;
		expr_deep(g, type);
		g->depth--;
	}
}

/* ---- functions and sections ---- */

static void declare_locals(struct gen *g)
{
	uleb(g, 2 * TYPE_COUNT);
	for (unsigned t = 0; t < TYPE_COUNT; t++) {
		uleb(g, LOCALS_EACH);
		byte(g, type_byte[t]);
	}
	for (unsigned t = 0; t < TYPE_COUNT; t++) {
		uleb(g, 1);
		byte(g, type_byte[t]);
	}
}

static void function_begin(struct gen *g, const struct signature *sig)
{
	g->sig = sig;
	g->depth = 0;
	g->label_count = 0;
	g->budget = 30 + choose(g, 256);
	declare_locals(g);
}

static void function(struct gen *g, unsigned func)
{
	uint8_t *length = reserve_length(g);
	const struct signature *sig = &signatures[g->func_sig[func]];

	g->func = func;
	function_begin(g, sig);
	burn(g);
	for (unsigned n = 1 + choose(g, 6); n != 0; n--) {
		stmt(g);
	}
	for (unsigned i = 0; i < sig->result_count; i++) {
		expr(g, sig->results[i]);
	}
	byte(g, 0x0B);
	patch_length(g, length);
}

/* run: calls every function, then gives a value of each type. */
static void function_run(struct gen *g)
{
	uint8_t *length = reserve_length(g);

	g->func = g->func_count;
	function_begin(g, &signatures[SIG_RUN]);
	for (unsigned func = 0; func < g->func_count; func++) {
		const struct signature *sig = call(g, func);

		for (unsigned i = sig->result_count; i-- != 0;) {
			op_idx(g, 0x24, 1u + sig->results[i]);
		}
	}
	for (unsigned t = 0; t < TYPE_COUNT; t++) {
		op_idx(g, 0x23, 1 + t);
	}
	byte(g, 0x0B);
	patch_length(g, length);
}

/* hash: of the first 64 KiB of memory, its size, and the globals. */
static void function_hash(struct gen *g)
{
	static const uint8_t body[] = {
		0x02, 1,    0x7F, 1,    0x7E,             /* locals: i32 at 0, i64 at 1 */
		0x03, 0x40,                               /* loop */
		0x20, 1,    0x42, 31,   0x7E,             /* hash * 31 */
		0x20, 0,    0x29, 0,    0,    0x85,       /* xor i64.load i */
		0x42, 13,   0x89, 0x21, 1,                /* rotl 13; local.set */
		0x20, 0,    0x41, 8,    0x6A, 0x22, 0,    /* i += 8 */
		0x41, 0x80, 0x80, 0x04, 0x49, 0x0D, 0,    /* i < 65536: br_if */
		0x0B, 0x20, 1,    0x3F, 0,    0xAD, 0x85, /* xor memory.size */
		0x23, 1,    0xAD, 0x7C, 0x23, 2,    0x85, /* add i32 global, xor i64 global */
		0xFC, 0x10, 0,    0xAD, 0x7C,             /* add table.size */
		0x0B,
	};

	uleb(g, sizeof(body));
	bytes(g, body, sizeof(body));
}

static uint8_t *section(struct gen *g, unsigned id)
{
	byte(g, id);
	return reserve_length(g);
}

static void section_types(struct gen *g)
{
	uint8_t *length = section(g, 1);

	uleb(g, SIG_COUNT);
	for (unsigned i = 0; i < SIG_COUNT; i++) {
		const struct signature *s = &signatures[i];

		byte(g, 0x60);
		uleb(g, s->param_count);
		for (unsigned k = 0; k < s->param_count; k++) {
			byte(g, type_byte[s->params[k]]);
		}
		uleb(g, s->result_count);
		for (unsigned k = 0; k < s->result_count; k++) {
			byte(g, type_byte[s->results[k]]);
		}
	}
	patch_length(g, length);
}

static void section_functions(struct gen *g)
{
	uint8_t *length = section(g, 3);

	uleb(g, g->func_count + 2);
	for (unsigned i = 0; i < g->func_count; i++) {
		uleb(g, g->func_sig[i]);
	}
	uleb(g, SIG_RUN);
	uleb(g, SIG_HASH);
	patch_length(g, length);
}

static void section_table_memory(struct gen *g)
{
	uint8_t *length = section(g, 4);

	bytes(g, "\x01\x70\x01\x0A\x14", 5); /* funcref, 10 to 20 */
	patch_length(g, length);
	length = section(g, 5);
	bytes(g, "\x01\x01\x01\x04", 4); /* 1 to 4 pages */
	patch_length(g, length);
}

static void section_globals(struct gen *g)
{
	uint8_t *length = section(g, 6);

	uleb(g, 1 + TYPE_COUNT);
	bytes(g, "\x7F\x01", 2);
	const_i32(g, FUEL);
	byte(g, 0x0B);
	for (unsigned t = 0; t < TYPE_COUNT; t++) {
		byte(g, type_byte[t]);
		byte(g, 1);
		constant(g, t);
		byte(g, 0x0B);
	}
	patch_length(g, length);
}

static void section_exports(struct gen *g)
{
	uint8_t *length = section(g, 7);

	bytes(g, "\x03\x03run\x00", 6);
	uleb(g, g->func_count);
	bytes(g, "\x04hash\x00", 6);
	uleb(g, g->func_count + 1);
	bytes(g, "\x06memory\x02\x00", 9);
	patch_length(g, length);
}

static void section_elements(struct gen *g)
{
	uint8_t *length = section(g, 9);

	bytes(g, "\x02\x00\x41\x00\x0B", 5); /* two; the first at 0 */
	uleb(g, g->func_count);
	for (unsigned i = 0; i < g->func_count; i++) {
		uleb(g, i);
	}
	bytes(g, "\x01\x00", 2); /* passive */
	uleb(g, 4);
	for (unsigned i = 0; i < 4; i++) {
		uleb(g, choose(g, g->func_count));
	}
	patch_length(g, length);
	length = section(g, 12);
	uleb(g, 2);
	patch_length(g, length);
}

static void section_code(struct gen *g)
{
	uint8_t *length = section(g, 10);

	uleb(g, g->func_count + 2);
	for (unsigned i = 0; i < g->func_count; i++) {
		function(g, i);
	}
	function_run(g);
	function_hash(g);
	patch_length(g, length);
}

static void section_data(struct gen *g)
{
	uint8_t *length = section(g, 11);

	bytes(g, "\x02\x00\x41\x08\x0B\x0Bhello world", 17);
	bytes(g, "\x01\x10", 2);
	for (unsigned i = 0; i < 16; i++) {
		byte(g, choose(g, 256));
	}
	patch_length(g, length);
}

size_t gen_module(const uint8_t *choices, size_t count, uint8_t *out, size_t cap)
{
	struct gen g = {
		.choices = choices, .choices_end = choices + count, .at = out, .end = out + cap};

	g.func_count = 1 + choose(&g, FUNCS_MAX);
	for (unsigned i = 0; i < g.func_count; i++) {
		g.func_sig[i] = (uint8_t)choose(&g, SIG_CALLED);
	}
	bytes(&g, "\0asm\1\0\0\0", 8);
	section_types(&g);
	section_functions(&g);
	section_table_memory(&g);
	section_globals(&g);
	section_exports(&g);
	section_elements(&g);
	section_code(&g);
	section_data(&g);
	return g.full ? 0 : (size_t)(g.at - out);
}
