/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random linked modules: up to three, of the expressions of gen_expr.c.
 *
 * The world's functions have numbers: WORLD_FUNCS_EACH for each module, then those of the host. Each
 * has the slot of its number in the one table; before its module is there the slot holds a function
 * of the first module, which has one of each type.
 *
 * Rules: 1. Calls mostly go to a function of a higher rank, in which the modules' functions take
 *           turns, so that they cross between modules and come to an end; the counter in global 0,
 *           which all share, ends the others. run sets it anew.
 *        2. Every module has the same global variables; those imported are the first ones.
 */
#include "rotor/tool/fuzz/gen_impl.h"

enum {
	PARTS_MAX = 3,
	WORLD_FUNCS_EACH = 8,
	WORLD_HOST = PARTS_MAX * WORLD_FUNCS_EACH,
	HOSTS = 4,
	WORLD_COUNT = WORLD_HOST + HOSTS,
	FUNCS_EACH_MAX = 6,
	RANKS = FUNCS_EACH_MAX * PARTS_MAX,
	TABLE_MIN = 32,
	TABLE_MAX = 48,
	GLOBAL_OFFSET = 1 + TYPE_COUNT, /* i32, immutable: where segments go */
	GLOBAL_LONG,                    /* i64, immutable */
	GLOBAL_REF,                     /* funcref, immutable */
	GLOBAL_REF_MUTABLE,
	GLOBALS,
	WORLD_FUEL = 1500,
	BUDGET = 40
};

/* Why a module cannot be instantiated. */
enum fail {
	FAIL_NOT,
	FAIL_UNKNOWN, /* an import that nobody has */
	FAIL_TYPE,    /* an import of another type */
	FAIL_TABLE,   /* a segment beyond the table's end */
	FAIL_MEMORY,
	FAIL_START, /* the start function traps in the end */
	FAIL_COUNT
};

struct gen_world {
	unsigned part_count, part; /* how many; at work */
	uint8_t func_count[PARTS_MAX];
	uint8_t sig[WORLD_COUNT];
	uint8_t fails[PARTS_MAX];
	/* What a module exports: indices of the world's functions; WORLD_NONE: not there. */
	uint8_t index[PARTS_MAX][WORLD_COUNT];
	uint8_t ids[2 * WORLD_COUNT]; /* of the module at work: the numbers of its functions */
	unsigned import_count, globals_imported;
	bool memory_imported, has_start;
	int rank; /* of the function at work; -1: run */
};

/* As in check_link.c and v8.mjs. */
static const uint8_t host_sigs[HOSTS] = {1, 1, 6, 7};
static const char part_names[] = "bac";

/* ---- calls ---- */

static bool exists(const struct gen_world *w, unsigned id)
{
	return id >= WORLD_HOST || id % WORLD_FUNCS_EACH < w->func_count[id / WORLD_FUNCS_EACH];
}

unsigned gen_world_pick(struct gen *g)
{
	const struct gen_world *w = g->world;
	unsigned rank;

	if (gen_choose(g, 6) == 5 || w->rank + 1 >= RANKS) {
		return WORLD_HOST + gen_choose(g, HOSTS);
	}
	rank = (unsigned)(w->rank + 1);
	rank = gen_choose(g, 24) == 23 ? gen_choose(g, RANKS) : rank + gen_choose(g, RANKS - rank);
	for (; rank < RANKS; rank++) {
		unsigned id = rank % PARTS_MAX * WORLD_FUNCS_EACH + rank / PARTS_MAX;

		if (exists(w, id)) {
			return id;
		}
	}
	return WORLD_HOST + gen_choose(g, HOSTS);
}

unsigned gen_world_pick_for(struct gen *g, unsigned type)
{
	for (unsigned tries = 0; tries < 6; tries++) {
		unsigned id = gen_world_pick(g);
		const struct signature *sig = &gen_signatures[g->world->sig[id]];

		if ((sig->result_count == 1 && sig->results[0] == type) ||
		    (sig->result_count == 2 && type <= I64)) {
			return id;
		}
	}
	return WORLD_NONE;
}

/* By its index, where the module has it; else, and now and then, through the table. */
static void call_by(struct gen *g, unsigned id, unsigned direct_op)
{
	unsigned index = g->world->index[g->world->part][id];

	if (index != WORLD_NONE && gen_choose(g, 3) != 2) {
		gen_op_idx(g, direct_op, index);
		return;
	}
	if (gen_choose(g, 32) == 31) {
		gen_expr(g, I32);
		gen_const_i32(g, WORLD_SLOT_MASK);
		gen_byte(g, 0x71);
	} else {
		gen_const_i32(g, (int32_t)id);
	}
	gen_op_idx(g, direct_op + 1, g->world->sig[id]);
	gen_byte(g, 0);
}

const struct signature *gen_world_call(struct gen *g, unsigned id)
{
	const struct signature *sig = &gen_signatures[g->world->sig[id]];

	gen_arguments(g, sig);
	call_by(g, id, 0x10);
	return sig;
}

bool gen_world_tail_call(struct gen *g)
{
	for (unsigned tries = 0; tries < 6; tries++) {
		unsigned id = gen_world_pick(g);
		const struct signature *sig = &gen_signatures[g->world->sig[id]];

		if (gen_same_results(sig, g->sig)) {
			gen_arguments(g, sig);
			call_by(g, id, 0x12);
			return true;
		}
	}
	return false;
}

/* ---- statements ---- */

/* Puts a function of the module into the slot of one of its type. */
static void set_slot(struct gen *g)
{
	unsigned index = gen_choose(g, g->func_count), slot = gen_choose(g, WORLD_COUNT);

	for (unsigned i = 0; i < WORLD_COUNT; i++, slot++) {
		if (g->world->sig[slot % WORLD_COUNT] == g->world->sig[g->world->ids[index]]) {
			break;
		}
	}
	gen_const_i32(g, (int32_t)(slot % WORLD_COUNT));
	gen_op_idx(g, 0xD2, index);
	gen_bytes(g, "\x26\x00", 2);
}

void gen_world_stmt(struct gen *g)
{
	const struct signature *sig;

	switch (gen_choose(g, 8)) {
	case 0:
	case 1:
		set_slot(g);
		break;
	case 2: /* into a slot that nothing else is in */
		gen_const_i32(g, WORLD_COUNT + 1);
		gen_op_idx(g, 0x23, gen_choose(g, 2) != 0 ? GLOBAL_REF : GLOBAL_REF_MUTABLE);
		gen_bytes(g, "\x26\x00", 2);
		break;
	case 3:
		gen_op_idx(g, 0xD2, gen_choose(g, g->func_count));
		gen_op_idx(g, 0x24, GLOBAL_REF_MUTABLE);
		break;
	case 4:
		gen_op_idx(g, 0x23, GLOBAL_LONG);
		gen_op_idx(g, 0x24, 1 + I64);
		break;
	default:
		sig = gen_call(g, gen_choose(g, 2) != 0 ? WORLD_HOST + gen_choose(g, HOSTS)
							: gen_world_pick(g));
		for (unsigned i = 0; i < sig->result_count; i++) {
			gen_byte(g, 0x1A);
		}
		break;
	}
}

/* ---- functions ---- */

static void begin(struct gen *g, const struct signature *sig, int rank)
{
	gen_function_begin(g, sig);
	g->budget = 20 + g->budget % BUDGET;
	g->world->rank = rank;
}

static void function(struct gen *g, unsigned i)
{
	uint8_t *length = gen_reserve_length(g);
	const struct gen_world *w = g->world;
	const struct signature *sig = &gen_signatures[w->sig[w->part * WORLD_FUNCS_EACH + i]];

	begin(g, sig, (int)(i * PARTS_MAX + w->part));
	gen_burn(g);
	for (unsigned n = 1 + gen_choose(g, 4); n != 0; n--) {
		gen_stmt(g);
	}
	if (gen_choose(g, 3) != 2 || !gen_world_tail_call(g)) {
		for (unsigned k = 0; k < sig->result_count; k++) {
			gen_expr(g, sig->results[k]);
		}
	}
	gen_byte(g, 0x0B);
	gen_patch_length(g, length);
}

static void set_fuel(struct gen *g)
{
	gen_const_i32(g, WORLD_FUEL);
	gen_bytes(g, "\x24\x00", 2);
}

/* run: calls the module's own functions, then gives a value of each type. */
static void function_run(struct gen *g)
{
	uint8_t *length = gen_reserve_length(g);
	const struct gen_world *w = g->world;

	begin(g, &gen_signatures[SIG_RUN], -1);
	set_fuel(g);
	for (unsigned i = 0; i < w->func_count[w->part]; i++) {
		const struct signature *sig = gen_call(g, w->part * WORLD_FUNCS_EACH + i);

		for (unsigned k = sig->result_count; k-- != 0;) {
			gen_op_idx(g, 0x24, 1u + sig->results[k]);
		}
	}
	for (unsigned t = 0; t < TYPE_COUNT; t++) {
		gen_op_idx(g, 0x23, 1 + t);
	}
	gen_byte(g, 0x0B);
	gen_patch_length(g, length);
}

static void function_start(struct gen *g)
{
	uint8_t *length = gen_reserve_length(g);

	begin(g, &gen_signatures[0], -1);
	set_fuel(g);
	for (unsigned n = gen_choose(g, 4); n != 0; n--) {
		gen_stmt(g);
	}
	if (g->world->fails[g->world->part] == FAIL_START) {
		gen_byte(g, 0x00);
	}
	gen_byte(g, 0x0B);
	gen_patch_length(g, length);
}

/* ---- imports ---- */

static void text(struct gen *g, const char *s, unsigned count)
{
	gen_uleb(g, count);
	gen_bytes(g, s, count);
}

/* A letter and a number below 100. */
static void numbered(struct gen *g, char letter, unsigned n)
{
	char name[3] = {letter, (char)('0' + n / 10), (char)('0' + n % 10)};

	if (n < 10) {
		name[1] = name[2];
	}
	text(g, name, n < 10 ? 2 : 3);
}

/* The first module, or one behind it that will be there. */
static unsigned provider(struct gen *g)
{
	const struct gen_world *w = g->world;

	return w->part == 2 && w->fails[1] == FAIL_NOT ? gen_choose(g, 2) : 0;
}

static void import_func(struct gen *g, unsigned id)
{
	struct gen_world *w = g->world;

	gen_uleb(g, 0);
	gen_uleb(g, w->sig[id]);
	w->index[w->part][id] = (uint8_t)w->import_count;
	w->ids[w->import_count++] = (uint8_t)id;
}

/* Functions of the host come from the host, or through another module that has them. */
static unsigned import_funcs(struct gen *g)
{
	struct gen_world *w = g->world;
	unsigned count = 0;

	for (unsigned id = 0; id < WORLD_COUNT; id++) {
		unsigned from = w->part != 0 ? provider(g) : 0;
		bool is_there = w->part != 0 && w->index[from][id] != WORLD_NONE;

		if (!exists(w, id) || (w->part != 0 && gen_choose(g, 4) == 3) ||
		    (!is_there && id < WORLD_HOST)) {
			continue;
		}
		if (is_there && (id < WORLD_HOST || gen_choose(g, 2) != 0)) {
			text(g, &part_names[from], 1);
			numbered(g, 'w', id);
		} else {
			text(g, "env", 3);
			numbered(g, 'h', id - WORLD_HOST);
		}
		import_func(g, id);
		count++;
	}
	return count;
}

static void global_type(struct gen *g, unsigned i)
{
	if (i >= GLOBAL_REF) {
		gen_byte(g, 0x70);
	} else if (i >= GLOBAL_OFFSET) {
		gen_byte(g, i == GLOBAL_OFFSET ? 0x7F : 0x7E);
	} else {
		gen_byte(g, gen_type_byte[i == 0 ? I32 : i - 1]);
	}
	gen_byte(g, i < GLOBAL_OFFSET || i == GLOBAL_REF_MUTABLE);
}

static unsigned import_others(struct gen *g)
{
	struct gen_world *w = g->world;
	unsigned count = 1;

	text(g, &part_names[provider(g)], 1);
	text(g, "t", 1);
	gen_bytes(g, "\x01\x70\x01", 3);
	gen_uleb(g, TABLE_MIN);
	gen_uleb(g, TABLE_MAX);
	w->memory_imported = gen_choose(g, 4) != 3;
	if (w->memory_imported) {
		text(g, &part_names[provider(g)], 1);
		text(g, "memory", 6);
		gen_bytes(g, "\x02\x01\x02\x04", 4);
		count++;
	}
	w->globals_imported = gen_choose(g, 2) != 0 ? GLOBALS : 1 + gen_choose(g, GLOBALS);
	for (unsigned i = 0; i < w->globals_imported; i++, count++) {
		text(g, &part_names[provider(g)], 1);
		numbered(g, 'g', i);
		gen_byte(g, 3);
		global_type(g, i);
	}
	return count;
}

static void section_imports(struct gen *g)
{
	struct gen_world *w = g->world;
	uint8_t *length = gen_section(g, 2), *number = g->at;
	unsigned count;

	gen_byte(g, 0); /* how many, below 128 */
	w->import_count = 0;
	w->globals_imported = 0;
	w->memory_imported = false;
	count = import_funcs(g);
	if (w->part != 0) {
		count += import_others(g);
	}
	if (w->fails[w->part] == FAIL_UNKNOWN || w->fails[w->part] == FAIL_TYPE) {
		text(g, "b", 1);
		text(g, w->fails[w->part] == FAIL_TYPE ? "t" : "T", 1);
		gen_bytes(g, "\x01\x70\x00", 3);
		gen_uleb(g, TABLE_MAX + 1);
		count++;
	}
	if (!g->full) {
		*number = (uint8_t)count;
	}
	gen_patch_length(g, length);
}

/* ---- sections ---- */

static void section_functions(struct gen *g)
{
	struct gen_world *w = g->world;
	uint8_t *length = gen_section(g, 3);
	unsigned count = w->func_count[w->part];

	g->func_count = w->import_count + count;
	gen_uleb(g, count + 3);
	for (unsigned i = 0; i < count; i++) {
		unsigned id = w->part * WORLD_FUNCS_EACH + i;

		w->index[w->part][id] = (uint8_t)(w->import_count + i);
		w->ids[w->import_count + i] = (uint8_t)id;
		gen_uleb(g, w->sig[id]);
	}
	gen_uleb(g, SIG_RUN);
	gen_uleb(g, SIG_HASH);
	gen_uleb(g, 0);
	gen_patch_length(g, length);
}

static void section_table_memory(struct gen *g)
{
	uint8_t *length;

	if (g->world->part == 0) {
		length = gen_section(g, 4);
		gen_bytes(g, "\x01\x70\x01", 3);
		gen_uleb(g, TABLE_MIN);
		gen_uleb(g, TABLE_MAX);
		gen_patch_length(g, length);
	}
	if (!g->world->memory_imported) {
		length = gen_section(g, 5);
		gen_bytes(g, "\x01\x01\x02\x04", 4); /* 2 to 4 pages */
		gen_patch_length(g, length);
	}
}

static void section_globals(struct gen *g)
{
	uint8_t *length = gen_section(g, 6);

	gen_uleb(g, GLOBALS - g->world->globals_imported);
	for (unsigned i = g->world->globals_imported; i < GLOBALS; i++) {
		global_type(g, i);
		if (i == 0 || i == GLOBAL_OFFSET) {
			gen_const_i32(g, i == 0 ? WORLD_FUEL : (int32_t)gen_choose(g, TABLE_MIN));
		} else if (i < GLOBAL_REF) {
			gen_constant(g, i == GLOBAL_LONG ? I64 : i - 1);
		} else {
			gen_op_idx(g, 0xD2, gen_choose(g, g->func_count));
		}
		gen_byte(g, 0x0B);
	}
	gen_patch_length(g, length);
}

static void section_exports(struct gen *g)
{
	uint8_t *length = gen_section(g, 7);
	const struct gen_world *w = g->world;
	unsigned count = 4 + GLOBALS;

	for (unsigned id = 0; id < WORLD_COUNT; id++) {
		count += w->index[w->part][id] != WORLD_NONE;
	}
	gen_uleb(g, count);
	gen_bytes(g, "\x03run\x00", 5);
	gen_uleb(g, g->func_count);
	gen_bytes(g, "\x04hash\x00", 6);
	gen_uleb(g, g->func_count + 1);
	gen_bytes(g, "\x06memory\x02\x00\x01t\x01\x00", 13);
	for (unsigned i = 0; i < GLOBALS; i++) {
		numbered(g, 'g', i);
		gen_op_idx(g, 3, i);
	}
	for (unsigned id = 0; id < WORLD_COUNT; id++) {
		if (w->index[w->part][id] != WORLD_NONE) {
			numbered(g, 'w', id);
			gen_op_idx(g, 0, w->index[w->part][id]);
		}
	}
	gen_patch_length(g, length);
}

static void section_start(struct gen *g)
{
	uint8_t *length;

	if (gen_choose(g, 4) == 3 || g->world->fails[g->world->part] == FAIL_START) {
		length = gen_section(g, 8);
		gen_uleb(g, g->func_count + 2);
		gen_patch_length(g, length);
	}
}

/* What the first module puts into a slot: a function of it of that type; -1: it is nobody's. */
static int first_of(const struct gen_world *w, unsigned slot)
{
	if (w->index[0][slot] != WORLD_NONE) {
		return w->index[0][slot];
	}
	for (unsigned id = 0; id < WORLD_COUNT && exists(w, slot); id++) {
		if (w->index[0][id] != WORLD_NONE && w->sig[id] == w->sig[slot]) {
			return w->index[0][id];
		}
	}
	return -1;
}

static void fill_table(struct gen *g)
{
	gen_bytes(g, "\x04\x41\x00\x0B", 4); /* expressions, at 0 */
	gen_uleb(g, WORLD_COUNT);
	for (unsigned slot = 0; slot < WORLD_COUNT; slot++) {
		int func = first_of(g->world, slot);

		if (func < 0) {
			gen_bytes(g, "\xD0\x70", 2);
		} else {
			gen_op_idx(g, 0xD2, (unsigned)func);
		}
		gen_byte(g, 0x0B);
	}
}

static void own_slots(struct gen *g)
{
	const struct gen_world *w = g->world;

	gen_bytes(g, "\x00\x41", 2);
	gen_byte(g, w->part * WORLD_FUNCS_EACH);
	gen_byte(g, 0x0B);
	gen_uleb(g, w->func_count[w->part]);
	for (unsigned i = 0; i < w->func_count[w->part]; i++) {
		gen_uleb(g, w->import_count + i);
	}
}

/* Functions of any kind, up to four. */
static void some_funcs(struct gen *g, unsigned count)
{
	gen_uleb(g, count);
	for (; count != 0; count--) {
		gen_uleb(g, gen_choose(g, g->func_count));
	}
}

static void section_elements(struct gen *g)
{
	const struct gen_world *w = g->world;
	bool late = w->part != 0 && gen_choose(g, 8) == 7;
	uint8_t *length = gen_section(g, 9);
	bool fails = w->fails[w->part] == FAIL_TABLE;

	gen_uleb(g, 2 + late + fails);
	if (w->part == 0) {
		fill_table(g);
	} else {
		own_slots(g);
	}
	gen_bytes(g, "\x01\x00", 2); /* passive */
	some_funcs(g, 4);
	if (late) { /* where a global says, which may be another module's */
		gen_byte(g, 0);
		if (w->globals_imported > GLOBAL_OFFSET) {
			gen_op_idx(g, 0x23, GLOBAL_OFFSET);
		} else {
			gen_const_i32(g, WORLD_COUNT);
		}
		gen_byte(g, 0x0B);
		some_funcs(g, 1 + gen_choose(g, 4));
	}
	if (fails) {
		gen_byte(g, 0);
		gen_const_i32(g, TABLE_MAX);
		gen_byte(g, 0x0B);
		some_funcs(g, 1);
	}
	gen_patch_length(g, length);
}

static unsigned data_count(const struct gen_world *w)
{
	return 2u + (w->fails[w->part] == FAIL_MEMORY);
}

static void section_code(struct gen *g)
{
	const struct gen_world *w = g->world;
	uint8_t *length = gen_section(g, 12);

	gen_uleb(g, data_count(w));
	gen_patch_length(g, length);
	length = gen_section(g, 10);
	gen_uleb(g, w->func_count[w->part] + 3u);
	for (unsigned i = 0; i < w->func_count[w->part]; i++) {
		function(g, i);
	}
	function_run(g);
	gen_function_hash(g);
	function_start(g);
	gen_patch_length(g, length);
}

static void section_data(struct gen *g)
{
	uint8_t *length = gen_section(g, 11);

	gen_uleb(g, data_count(g->world));
	gen_bytes(g, "\x00\x41\x08\x0B\x05hello", 10);
	gen_bytes(g, "\x01\x10", 2);
	for (unsigned i = 0; i < 16; i++) {
		gen_byte(g, gen_choose(g, 256));
	}
	if (data_count(g->world) == 3) {
		gen_byte(g, 0);
		gen_const_i32(g, 4 << 16);
		gen_bytes(g, "\x0B\x01!", 3);
	}
	gen_patch_length(g, length);
}

static void module(struct gen *g)
{
	gen_bytes(g, "\0asm\1\0\0\0", 8);
	gen_section_types(g);
	section_imports(g);
	section_functions(g);
	section_table_memory(g);
	section_globals(g);
	section_exports(g);
	section_start(g);
	section_elements(g);
	section_code(g);
	section_data(g);
}

/* Which functions there are, and what cannot be instantiated. */
static void plan(struct gen *g)
{
	struct gen_world *w = g->world;

	w->part_count = 2u + (gen_choose(g, 3) != 0);
	for (unsigned part = 0; part < PARTS_MAX; part++) {
		w->func_count[part] = part < w->part_count ? (uint8_t)(2 + gen_choose(g, 5)) : 0;
		for (unsigned i = 0; i < WORLD_FUNCS_EACH; i++) {
			unsigned id = part * WORLD_FUNCS_EACH + i;

			w->sig[id] = part != 0 ? w->sig[gen_choose(g, w->func_count[0])]
					       : (uint8_t)gen_choose(g, SIG_CALLED);
		}
		if (part != 0 && gen_choose(g, 8) == 7) {
			w->fails[part] = (uint8_t)gen_choose(g, FAIL_COUNT);
		}
	}
	for (unsigned i = 0; i < HOSTS; i++) {
		w->sig[WORLD_HOST + i] = host_sigs[i];
	}
	for (unsigned part = 0; part < PARTS_MAX; part++) {
		for (unsigned id = 0; id < WORLD_COUNT; id++) {
			w->index[part][id] = WORLD_NONE;
		}
	}
}

size_t gen_linked(const uint8_t *choices, size_t count, uint8_t *out, size_t cap)
{
	struct gen_world world = {.part_count = 0};
	struct gen g = {.choices = choices,
			.choices_end = choices + count,
			.at = out,
			.end = out + cap,
			.world = &world};

	plan(&g);
	for (; world.part < world.part_count; world.part++) {
		uint8_t *length = g.at;

		gen_bytes(&g, "\0\0\0\0", 4);
		module(&g);
		if (g.full) {
			return 0;
		}
		for (unsigned i = 0; i < 4; i++) {
			length[i] = (uint8_t)((size_t)(g.at - length - 4) >> 8 * i);
		}
	}
	return (size_t)(g.at - out);
}
