/* SPDX-License-Identifier: Apache-2.0 */
/* Random expressions and statements: one of a type is a random operation on random ones. */
#include <string.h>

#include "rotor/tool/fuzz/gen_impl.h"

/* ---- locals, globals ---- */

/* A local of that type. Global 1 + type is the mutable global of a type. */
static unsigned local_of(struct gen *g, unsigned type)
{
	unsigned pick = gen_choose(g, LOCALS_EACH + 1), seen = 0;

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

void gen_op_idx(struct gen *g, unsigned op, unsigned idx)
{
	gen_byte(g, op);
	gen_uleb(g, idx);
}

/* ---- constants ---- */

void gen_const_i32(struct gen *g, int32_t v)
{
	gen_byte(g, 0x41);
	gen_sleb(g, v);
}

static void const_i64(struct gen *g, int64_t v)
{
	gen_byte(g, 0x42);
	gen_sleb(g, v);
}

static const int64_t integers[] = {0,     1,         -1,        2,         7,         255,
				   65535, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, 0x100000000};

static int64_t any_integer(struct gen *g)
{
	unsigned pick = gen_choose(g, 40);

	if (pick < sizeof(integers) / sizeof(integers[0])) {
		return integers[pick];
	}
	return (int64_t)(((uint64_t)gen_choose(g, 256) << gen_choose(g, 60)) - gen_choose(g, 256));
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
	double d = values[gen_choose(g, 18)];
	float f = (float)d;
	uint32_t special = 0x7F800000;

	gen_byte(g, wide ? 0x44 : 0x43);
	if (gen_choose(g, 12) == 11) { /* infinite or not a number */
		uint64_t special64 = 0x7FF0000000000000u;

		special |= gen_choose(g, 2) != 0 ? 0x400000 : 0;
		special64 |= (special & 0x400000) != 0 ? (uint64_t)1 << 51 : 0;
		gen_bytes(g, wide ? (void *)&special64 : (void *)&special, wide ? 8 : 4);
		return;
	}
	gen_bytes(g, wide ? (void *)&d : (void *)&f, wide ? 8 : 4);
}

void gen_constant(struct gen *g, unsigned type)
{
	if (type == I32) {
		gen_const_i32(g, (int32_t)any_integer(g));
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

	gen_op_idx(g, 0x22, scratch);
	if (type == F32) {
		gen_bytes(g, "\x43\x00\x00\xC0\x7F", 5);
	} else {
		gen_bytes(g, "\x44\x00\x00\x00\x00\x00\x00\xF8\x7F", 9);
	}
	gen_op_idx(g, 0x20, scratch);
	gen_op_idx(g, 0x20, scratch);
	gen_byte(g, type == F32 ? 0x5B : 0x61);
	gen_byte(g, 0x1B);
}

/* Counts global 0 down; a trap when it is used up. */
void gen_burn(struct gen *g)
{
	gen_bytes(g, "\x23\x00\x45\x04\x40\x00\x0B",
		  7); /* global.get 0, eqz, if, unreachable, end */
	gen_bytes(g, "\x23\x00\x41\x01\x6B\x24\x00", 7); /* global 0 minus 1 */
}

static bool push_label(struct gen *g, unsigned label)
{
	if (g->label_count == LABELS_MAX) {
		return false;
	}
	g->labels[g->label_count++] = (uint8_t)label;
	return true;
}

/* A number of up to so many bits, in a slot: what a block leaves. */
static void in_slot(struct gen *g, unsigned mask)
{
	bool block = push_label(g, I32);

	if (block) {
		gen_bytes(g, "\x02\x7F", 2);
	}
	gen_expr(g, I32);
	gen_const_i32(g, (int32_t)mask);
	gen_byte(g, 0x71);
	if (block) {
		gen_byte(g, 0x0B);
		g->label_count--;
	}
}

static void address(struct gen *g)
{
	unsigned pick = gen_choose(g, 64);

	if (pick < 4) { /* of two slots, by an operation that waits for what needs it */
		in_slot(g, MEMORY_MASK >> 1);
		in_slot(g, MEMORY_MASK >> 1);
		gen_byte(g, "\x6A\x72\x73\x46"[pick]);
		return;
	}
	gen_expr(g, I32);
	if (pick != 63) {
		gen_const_i32(g, MEMORY_MASK);
		gen_byte(g, 0x71);
	}
}

/* What mostly ends a program is rare in linked ones, which do more. */
static bool is_spared(struct gen *g)
{
	return g->world != NULL && gen_choose(g, 8) != 7;
}

static void memarg(struct gen *g, unsigned align_max)
{
	gen_uleb(g, gen_choose(g, align_max + 1));
	switch (is_spared(g) ? 0 : gen_choose(g, 16)) {
	case 15:
		gen_uleb(g, (uint64_t)gen_choose(g, 256) << gen_choose(g, 16));
		break;
	case 14: /* about where an operand of 16 bits ends */
		gen_uleb(g, 65536 - 16 + gen_choose(g, 64));
		break;
	default:
		gen_uleb(g, gen_choose(g, 32));
		break;
	}
}

/* ---- control ---- */

static void block_type(struct gen *g, unsigned label)
{
	if (label == VOID) {
		gen_byte(g, 0x40);
	} else if (label == PAIR) {
		gen_sleb(g, SIG_PAIR);
	} else {
		gen_byte(g, gen_type_byte[label]);
	}
}

static void stmts(struct gen *g)
{
	for (unsigned n = gen_choose(g, 4); n != 0; n--) {
		gen_stmt(g);
	}
}

/* What a label carries, on the stack. */
static void carry(struct gen *g, unsigned label)
{
	if (label == PAIR) {
		gen_expr(g, I32);
		gen_expr(g, I64);
	} else if (label != VOID) {
		gen_expr(g, label);
	}
}

/* After a block with two results: keeps the one of that type. */
static void keep_one(struct gen *g, unsigned type)
{
	if (type == I64) {
		unsigned scratch = scratch_of(g, I64);

		gen_op_idx(g, 0x21, scratch);
		gen_byte(g, 0x1A);
		gen_op_idx(g, 0x20, scratch);
	} else {
		gen_byte(g, 0x1A);
	}
}

/* A block, loop or if whose result is the label's. */
static void structure(struct gen *g, unsigned label)
{
	unsigned kind = gen_choose(g, 3);

	if (kind == 1 && is_spared(g)) { /* a loop may have no end */
		kind = 0;
	}
	if (kind == 2) {
		gen_expr(g, I32);
	}
	if (!push_label(g, kind == 1 ? VOID : label)) {
		carry(g, label);
		return;
	}
	gen_byte(g, kind == 0 ? 0x02 : kind == 1 ? 0x03 : 0x04);
	block_type(g, label);
	if (kind == 1) {
		gen_burn(g);
	}
	stmts(g);
	carry(g, label);
	if (kind == 2 && (label != VOID || gen_choose(g, 2) != 0)) {
		gen_byte(g, 0x05);
		stmts(g);
		carry(g, label);
	}
	gen_byte(g, 0x0B);
	g->label_count--;
}

/* A loop that takes and gives two values. */
static void pair_loop(struct gen *g)
{
	carry(g, PAIR);
	if (!push_label(g, PAIR)) {
		return;
	}
	gen_byte(g, 0x03);
	gen_sleb(g, SIG_PAIR_LOOP);
	gen_burn(g);
	stmts(g);
	if (gen_choose(g, 2) != 0) { /* round again, with what is there */
		gen_expr(g, I32);
		gen_op_idx(g, 0x0D, 0);
	}
	gen_byte(g, 0x0B);
	g->label_count--;
}

/* The distance to a label that carries what is asked for; -1: there is none. */
static int find_label(struct gen *g, unsigned label)
{
	unsigned start = gen_choose(g, g->label_count + 1);

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
	unsigned label = gen_choose(g, 2) != 0 ? VOID : gen_choose(g, TYPE_COUNT + 2);
	int distance = find_label(g, label);
	unsigned kind = gen_choose(g, 4);

	if (distance < 0) {
		return;
	}
	carry(g, label);
	if (kind == 0) { /* br_table */
		int other = find_label(g, label);

		gen_expr(g, I32);
		gen_byte(g, 0x0E);
		gen_uleb(g, 2);
		gen_uleb(g, (unsigned)distance);
		gen_uleb(g, (unsigned)other);
		gen_uleb(g, (unsigned)distance);
		return; /* the rest cannot be reached, and is valid all the same */
	}
	if (kind == 1) {
		gen_op_idx(g, 0x0C, (unsigned)distance);
		return;
	}
	gen_expr(g, I32);
	gen_op_idx(g, 0x0D, (unsigned)distance);
	if (label == PAIR) {
		gen_byte(g, 0x1A);
	}
	if (label != VOID) {
		gen_byte(g, 0x1A);
	}
}

/* ---- calls ---- */

void gen_arguments(struct gen *g, const struct signature *sig)
{
	for (unsigned i = 0; i < sig->param_count; i++) {
		gen_expr(g, sig->params[i]);
	}
}

/* Calls a function directly or through the table; its results stay on the stack. */
const struct signature *gen_call(struct gen *g, unsigned func)
{
	const struct signature *sig;

	if (g->world != NULL) {
		return gen_world_call(g, func);
	}
	sig = &gen_signatures[g->func_sig[func]];
	gen_arguments(g, sig);
	if (gen_choose(g, 3) == 2) {
		if (gen_choose(g, 32) == 31) {
			gen_expr(g, I32);
			gen_const_i32(g, TABLE_ELEMS);
			gen_byte(g, 0x70); /* rem_u */
		} else {
			gen_const_i32(g, (int32_t)func);
		}
		gen_byte(g, 0x11);
		gen_uleb(g, g->func_sig[func]);
		gen_uleb(g, 0);
	} else {
		gen_op_idx(g, 0x10, func);
	}
	return sig;
}

/* A function to call: mostly one behind this one, so that calls come to an end. */
static unsigned pick_func(struct gen *g)
{
	unsigned behind = g->func + 1 < g->func_count ? g->func_count - g->func - 1 : 0;

	if (g->world != NULL) {
		return gen_world_pick(g);
	}
	if (behind == 0 || gen_choose(g, 16) == 15) {
		return gen_choose(g, g->func_count);
	}
	return g->func + 1 + gen_choose(g, behind);
}

static void call_and_drop(struct gen *g)
{
	const struct signature *sig;

	if (g->world == NULL && g->func + 1 >= g->func_count && gen_choose(g, 16) != 15) {
		return;
	}
	sig = gen_call(g, pick_func(g));

	for (unsigned i = 0; i < sig->result_count; i++) {
		gen_byte(g, 0x1A);
	}
}

static bool world_call_for(struct gen *g, unsigned type)
{
	unsigned id = gen_world_pick_for(g, type);

	if (id != WORLD_NONE && gen_call(g, id)->result_count == 2) {
		keep_one(g, type);
	}
	return id != WORLD_NONE;
}

/* A call whose result has that type; false: no function gives one. */
static bool call_for(struct gen *g, unsigned type)
{
	unsigned start;

	if (g->world != NULL) {
		return world_call_for(g, type);
	}
	start = pick_func(g);

	for (unsigned i = 0; i < g->func_count; i++) {
		unsigned func = (start + i) % g->func_count;
		const struct signature *sig = &gen_signatures[g->func_sig[func]];

		if (func <= g->func && gen_choose(g, 16) != 15) {
			continue;
		}
		if (sig->result_count == 1 && sig->results[0] == type) {
			gen_call(g, func);
			return true;
		}
		if (sig->result_count == 2 && type <= I64) {
			gen_call(g, func);
			keep_one(g, type);
			return true;
		}
	}
	return false;
}

bool gen_same_results(const struct signature *a, const struct signature *b)
{
	return a->result_count == b->result_count &&
	       memcmp(a->results, b->results, a->result_count) == 0;
}

/* false: the function picked gives something else. */
static bool tail_call(struct gen *g)
{
	unsigned func;
	const struct signature *sig;

	if (g->world != NULL) {
		return gen_world_tail_call(g);
	}
	func = pick_func(g);
	sig = &gen_signatures[g->func_sig[func]];
	if (gen_same_results(sig, g->sig) && gen_choose(g, 2) != 0) {
		gen_arguments(g, sig);
		gen_op_idx(g, 0x12, func);
		return true;
	}
	return false;
}

static void leave(struct gen *g)
{
	if (tail_call(g)) {
		return;
	}
	for (unsigned i = 0; i < g->sig->result_count; i++) {
		gen_expr(g, g->sig->results[i]);
	}
	gen_byte(g, 0x0F);
}

/* ---- statements ---- */

static void store(struct gen *g)
{
	static const struct {
		uint8_t op, type, align;
	} rows[] = {{0x36, I32, 2}, {0x37, I64, 3}, {0x38, F32, 2}, {0x39, F64, 3}, {0x3A, I32, 0},
		    {0x3B, I32, 1}, {0x3C, I64, 0}, {0x3D, I64, 1}, {0x3E, I64, 2}};
	unsigned i = gen_choose(g, 9);

	address(g);
	gen_expr(g, rows[i].type);
	if (rows[i].type >= F32) {
		canonical(g, rows[i].type);
	}
	gen_byte(g, rows[i].op);
	memarg(g, rows[i].align);
}

/* A length or offset that is mostly small. */
static void small(struct gen *g, unsigned mask)
{
	gen_expr(g, I32);
	gen_const_i32(g, (int32_t)mask);
	gen_byte(g, 0x71);
}

static unsigned slot_mask(const struct gen *g)
{
	return g->world != NULL ? WORLD_SLOT_MASK : 7;
}

static void bulk(struct gen *g)
{
	unsigned kind = gen_choose(g, 8);

	if (kind >= 4 && kind <= 6 && is_spared(g)) {
		kind = 3;
	}
	switch (kind) {
	case 0:
		small(g, MEMORY_MASK);
		gen_expr(g, I32);
		small(g, 0x3FF);
		gen_bytes(g, "\xFC\x0B\x00", 3); /* memory.fill */
		break;
	case 1:
		small(g, MEMORY_MASK);
		small(g, MEMORY_MASK);
		small(g, 0x3FF);
		gen_bytes(g, "\xFC\x0A\x00\x00", 4); /* memory.copy */
		break;
	case 2:
		small(g, MEMORY_MASK);
		small(g, 15);
		small(g, 15);
		gen_bytes(g, "\xFC\x08\x01\x00", 4); /* memory.init 1 */
		break;
	case 3:
		if (is_spared(g)) {
			gen_world_stmt(g);
			break;
		}
		small(g, slot_mask(g));
		gen_byte(g, 0xD2); /* ref.func */
		gen_uleb(g, gen_choose(g, g->func_count));
		gen_bytes(g, "\x26\x00", 2); /* table.set */
		break;
	case 4:
		small(g, slot_mask(g));
		small(g, slot_mask(g));
		small(g, 3);
		gen_bytes(g, "\xFC\x0E\x00\x00", 4); /* table.copy */
		break;
	case 5:
		small(g, slot_mask(g));
		small(g, 3);
		small(g, 3);
		gen_bytes(g, "\xFC\x0C\x01\x00", 4); /* table.init: segment 1 */
		break;
	case 6:
		small(g, slot_mask(g));
		gen_bytes(g, "\xD0\x70", 2); /* ref.null func */
		small(g, 3);
		gen_bytes(g, "\xFC\x11\x00", 3); /* table.fill */
		break;
	default:
		if (gen_choose(g, 16) == 15) {
			gen_bytes(g, gen_choose(g, 2) != 0 ? "\xFC\x09\x01" : "\xFC\x0D\x01", 3);
		}
		break;
	}
}

void gen_stmt(struct gen *g)
{
	unsigned type = gen_choose(g, TYPE_COUNT);

	if (g->depth >= DEPTH_MAX || g->budget == 0) {
		return;
	}
	g->depth++;
	g->budget--;
	switch (gen_choose(g, 14)) {
	case 0:
	case 1:
		gen_expr(g, type);
		gen_op_idx(g, 0x21, local_of(g, type));
		break;
	case 2:
		gen_expr(g, type);
		gen_op_idx(g, 0x24, 1 + type);
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
		if (gen_choose(g, 4) == 3) {
			leave(g);
		}
		break;
	case 12:
		gen_expr(g, type);
		gen_byte(g, 0x1A);
		break;
	default:
		if (g->world != NULL) {
			gen_world_stmt(g);
		}
		gen_byte(g, 0x01);
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
	unsigned i = gen_choose(g, operations[type].binary_count);

	gen_expr(g, type);
	gen_expr(g, type);
	if (type <= I64 && i >= 3 && i <= 6 &&
	    gen_choose(g, 16) != 15) { /* divisions, mostly not by 0 */
		gen_bytes(g, type == I32 ? "\x41\x01\x72" : "\x42\x01\x84", 3);
	}
	if (type >= F32 && i == 6) { /* copysign sees the sign of a NaN */
		canonical(g, type);
	}
	gen_byte(g, operations[type].binary + i);
}

static void compare(struct gen *g)
{
	unsigned type = gen_choose(g, TYPE_COUNT);

	if (type <= I64 && gen_choose(g, 6) == 5) {
		gen_expr(g, type);
		gen_byte(g, type == I32 ? 0x45 : 0x50);
		return;
	}
	gen_expr(g, type);
	gen_expr(g, type);
	gen_byte(g, operations[type].compare + gen_choose(g, operations[type].compare_count));
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
	unsigned count = sizeof(rows) / sizeof(rows[0]), i = gen_choose(g, count), tries = 0;

	while (rows[i].to != type ||
	       (is_trunc(rows[i].op) && gen_choose(g, 16) != 15 && ++tries < 60)) {
		i = (i + 1) % count;
	}
	gen_expr(g, rows[i].from);
	if (rows[i].op == 0xBC || rows[i].op == 0xBD) {
		canonical(g, rows[i].from);
	}
	if (rows[i].prefixed) {
		gen_byte(g, 0xFC);
	}
	gen_byte(g, rows[i].op);
}

static void load(struct gen *g, unsigned type)
{
	static const struct {
		uint8_t op, type, align;
	} rows[] = {{0x28, I32, 2}, {0x29, I64, 3}, {0x2A, F32, 2}, {0x2B, F64, 3}, {0x2C, I32, 0},
		    {0x2D, I32, 0}, {0x2E, I32, 1}, {0x2F, I32, 1}, {0x30, I64, 0}, {0x31, I64, 0},
		    {0x32, I64, 1}, {0x33, I64, 1}, {0x34, I64, 2}, {0x35, I64, 2}};
	unsigned i = gen_choose(g, 14);

	while (rows[i].type != type) {
		i = (i + 1) % 14;
	}
	address(g);
	gen_byte(g, rows[i].op);
	memarg(g, rows[i].align);
}

static void choose_between(struct gen *g, unsigned type)
{
	gen_expr(g, type);
	gen_expr(g, type);
	gen_expr(g, I32);
	if (gen_choose(g, 4) == 3) {
		gen_bytes(g, "\x1C\x01", 2);
		gen_byte(g, gen_type_byte[type]);
	} else {
		gen_byte(g, 0x1B);
	}
}

/* What only i32 has: sizes, growing, references. */
static void special_i32(struct gen *g)
{
	switch (gen_choose(g, 6)) {
	case 0:
		gen_bytes(g, "\x3F\x00", 2); /* memory.size */
		break;
	case 1:
		small(g, 1);
		gen_bytes(g, "\x40\x00", 2); /* memory.grow */
		break;
	case 2:
		gen_bytes(g, "\xFC\x10\x00", 3); /* table.size */
		break;
	case 3:
		small(g, slot_mask(g));
		gen_bytes(g, "\x25\x00\xD1", 3); /* table.get, ref.is_null */
		break;
	case 4:
		gen_bytes(g, "\xD0\x70", 2);
		small(g, 3);
		gen_bytes(g, "\xFC\x0F\x00", 3); /* table.grow */
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

	switch (gen_choose(g, 4)) {
	case 0:
		structure(g, type);
		return;
	case 1:
		if (type <= I64) {
			if (gen_choose(g, 2) != 0) {
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
		gen_expr(g, type);
		if (distance >= 0) { /* br_if, with the value staying if it does not branch */
			gen_expr(g, I32);
			gen_op_idx(g, 0x0D, (unsigned)distance);
		}
		return;
	default:
		gen_stmt(g);
		gen_expr(g, type);
		return;
	}
}

static void expr_deep(struct gen *g, unsigned type)
{
	switch (gen_choose(g, 12)) {
	case 0:
	case 1:
	case 2:
		binary(g, type);
		break;
	case 3:
		gen_expr(g, type);
		gen_byte(g, operations[type].unary + gen_choose(g, operations[type].unary_count));
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
		gen_expr(g, type);
		gen_op_idx(g, 0x22, local_of(g, type));
		break;
	case 9:
		control_expr(g, type);
		break;
	case 10:
		if (!call_for(g, type)) {
			gen_constant(g, type);
		}
		break;
	default:
		if (type == I32) {
			special_i32(g);
		} else {
			gen_op_idx(g, 0x23, 1 + type);
		}
		break;
	}
}

void gen_expr(struct gen *g, unsigned type)
{
	unsigned pick = gen_choose(g, 5);

	if (g->depth >= DEPTH_MAX || g->budget == 0 || pick == 0) {
		gen_constant(g, type);
	} else if (pick == 1) {
		gen_op_idx(g, 0x20, local_of(g, type));
	} else {
		g->depth++;
		g->budget--;
		expr_deep(g, type);
		g->depth--;
	}
}
