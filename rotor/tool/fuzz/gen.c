/* SPDX-License-Identifier: Apache-2.0 */
/* Random valid modules: their functions and sections. */
#include "rotor/tool/fuzz/gen_impl.h"

const uint8_t gen_type_byte[TYPE_COUNT] = {0x7F, 0x7E, 0x7D, 0x7C};

const struct signature gen_signatures[SIG_COUNT] = {
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

/* ---- choices and bytes ---- */

unsigned gen_choose(struct gen *g, unsigned bound)
{
	return g->choices < g->choices_end ? *g->choices++ % bound : 0;
}

void gen_byte(struct gen *g, unsigned b)
{
	if (g->at == g->end) {
		g->full = true;
		return;
	}
	*g->at++ = (uint8_t)b;
}

void gen_bytes(struct gen *g, const void *from, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		gen_byte(g, ((const uint8_t *)from)[i]);
	}
}

void gen_uleb(struct gen *g, uint64_t v)
{
	for (; v >= 0x80; v >>= 7) {
		gen_byte(g, (v & 0x7F) | 0x80);
	}
	gen_byte(g, (unsigned)v);
}

void gen_sleb(struct gen *g, int64_t v)
{
	while (v < -64 || v > 63) {
		gen_byte(g, (unsigned)(v & 0x7F) | 0x80);
		v >>= 7;
	}
	gen_byte(g, (unsigned)v & 0x7F);
}

/* Leaves five bytes for a length; patch_length writes it there. */
uint8_t *gen_reserve_length(struct gen *g)
{
	uint8_t *at = g->at;

	gen_bytes(g, "\0\0\0\0\0", 5);
	return at;
}

void gen_patch_length(struct gen *g, uint8_t *at)
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

/* ---- functions and sections ---- */

static void declare_locals(struct gen *g)
{
	gen_uleb(g, 2 * TYPE_COUNT);
	for (unsigned t = 0; t < TYPE_COUNT; t++) {
		gen_uleb(g, LOCALS_EACH);
		gen_byte(g, gen_type_byte[t]);
	}
	for (unsigned t = 0; t < TYPE_COUNT; t++) {
		gen_uleb(g, 1);
		gen_byte(g, gen_type_byte[t]);
	}
}

void gen_function_begin(struct gen *g, const struct signature *sig)
{
	g->sig = sig;
	g->depth = 0;
	g->label_count = 0;
	g->budget = 30 + gen_choose(g, 256);
	declare_locals(g);
}

static void function(struct gen *g, unsigned func)
{
	uint8_t *length = gen_reserve_length(g);
	const struct signature *sig = &gen_signatures[g->func_sig[func]];

	g->func = func;
	gen_function_begin(g, sig);
	gen_burn(g);
	for (unsigned n = 1 + gen_choose(g, 6); n != 0; n--) {
		gen_stmt(g);
	}
	for (unsigned i = 0; i < sig->result_count; i++) {
		gen_expr(g, sig->results[i]);
	}
	gen_byte(g, 0x0B);
	gen_patch_length(g, length);
}

/* run: calls every function, then gives a value of each type. */
static void function_run(struct gen *g)
{
	uint8_t *length = gen_reserve_length(g);

	g->func = g->func_count;
	gen_function_begin(g, &gen_signatures[SIG_RUN]);
	for (unsigned func = 0; func < g->func_count; func++) {
		const struct signature *sig = gen_call(g, func);

		for (unsigned i = sig->result_count; i-- != 0;) {
			gen_op_idx(g, 0x24, 1u + sig->results[i]);
		}
	}
	for (unsigned t = 0; t < TYPE_COUNT; t++) {
		gen_op_idx(g, 0x23, 1 + t);
	}
	gen_byte(g, 0x0B);
	gen_patch_length(g, length);
}

/* hash: of the first 128 KiB of memory, its size, and the globals. */
void gen_function_hash(struct gen *g)
{
	static const uint8_t body[] = {
		0x02, 1,    0x7F, 1,    0x7E,             /* locals: i32 at 0, i64 at 1 */
		0x03, 0x40,                               /* loop */
		0x20, 1,    0x42, 31,   0x7E,             /* hash * 31 */
		0x20, 0,    0x29, 0,    0,    0x85,       /* xor i64.load i */
		0x42, 13,   0x89, 0x21, 1,                /* rotl 13; local.set */
		0x20, 0,    0x41, 8,    0x6A, 0x22, 0,    /* i += 8 */
		0x41, 0x80, 0x80, 0x08, 0x49, 0x0D, 0,    /* i < 131072: br_if */
		0x0B, 0x20, 1,    0x3F, 0,    0xAD, 0x85, /* xor memory.size */
		0x23, 1,    0xAD, 0x7C, 0x23, 2,    0x85, /* add i32 global, xor i64 global */
		0xFC, 0x10, 0,    0xAD, 0x7C,             /* add table.size */
		0x0B,
	};

	gen_uleb(g, sizeof(body));
	gen_bytes(g, body, sizeof(body));
}

uint8_t *gen_section(struct gen *g, unsigned id)
{
	gen_byte(g, id);
	return gen_reserve_length(g);
}

void gen_section_types(struct gen *g)
{
	uint8_t *length = gen_section(g, 1);

	gen_uleb(g, SIG_COUNT);
	for (unsigned i = 0; i < SIG_COUNT; i++) {
		const struct signature *s = &gen_signatures[i];

		gen_byte(g, 0x60);
		gen_uleb(g, s->param_count);
		for (unsigned k = 0; k < s->param_count; k++) {
			gen_byte(g, gen_type_byte[s->params[k]]);
		}
		gen_uleb(g, s->result_count);
		for (unsigned k = 0; k < s->result_count; k++) {
			gen_byte(g, gen_type_byte[s->results[k]]);
		}
	}
	gen_patch_length(g, length);
}

static void section_functions(struct gen *g)
{
	uint8_t *length = gen_section(g, 3);

	gen_uleb(g, g->func_count + 2);
	for (unsigned i = 0; i < g->func_count; i++) {
		gen_uleb(g, g->func_sig[i]);
	}
	gen_uleb(g, SIG_RUN);
	gen_uleb(g, SIG_HASH);
	gen_patch_length(g, length);
}

static void section_table_memory(struct gen *g)
{
	uint8_t *length = gen_section(g, 4);

	gen_bytes(g, "\x01\x70\x01\x0A\x14", 5); /* funcref, 10 to 20 */
	gen_patch_length(g, length);
	length = gen_section(g, 5);
	gen_bytes(g, "\x01\x01\x02\x04", 4); /* 2 to 4 pages */
	gen_patch_length(g, length);
}

static void section_globals(struct gen *g)
{
	uint8_t *length = gen_section(g, 6);

	gen_uleb(g, 1 + TYPE_COUNT);
	gen_bytes(g, "\x7F\x01", 2);
	gen_const_i32(g, FUEL);
	gen_byte(g, 0x0B);
	for (unsigned t = 0; t < TYPE_COUNT; t++) {
		gen_byte(g, gen_type_byte[t]);
		gen_byte(g, 1);
		gen_constant(g, t);
		gen_byte(g, 0x0B);
	}
	gen_patch_length(g, length);
}

static void section_exports(struct gen *g)
{
	uint8_t *length = gen_section(g, 7);

	gen_bytes(g, "\x03\x03run\x00", 6);
	gen_uleb(g, g->func_count);
	gen_bytes(g, "\x04hash\x00", 6);
	gen_uleb(g, g->func_count + 1);
	gen_bytes(g, "\x06memory\x02\x00", 9);
	gen_patch_length(g, length);
}

static void section_elements(struct gen *g)
{
	uint8_t *length = gen_section(g, 9);

	gen_bytes(g, "\x02\x00\x41\x00\x0B", 5); /* two; the first at 0 */
	gen_uleb(g, g->func_count);
	for (unsigned i = 0; i < g->func_count; i++) {
		gen_uleb(g, i);
	}
	gen_bytes(g, "\x01\x00", 2); /* passive */
	gen_uleb(g, 4);
	for (unsigned i = 0; i < 4; i++) {
		gen_uleb(g, gen_choose(g, g->func_count));
	}
	gen_patch_length(g, length);
	length = gen_section(g, 12);
	gen_uleb(g, 2);
	gen_patch_length(g, length);
}

static void section_code(struct gen *g)
{
	uint8_t *length = gen_section(g, 10);

	gen_uleb(g, g->func_count + 2);
	for (unsigned i = 0; i < g->func_count; i++) {
		function(g, i);
	}
	function_run(g);
	gen_function_hash(g);
	gen_patch_length(g, length);
}

static void section_data(struct gen *g)
{
	uint8_t *length = gen_section(g, 11);

	gen_bytes(g, "\x02\x00\x41\x08\x0B\x0Bhello world", 17);
	gen_bytes(g, "\x01\x10", 2);
	for (unsigned i = 0; i < 16; i++) {
		gen_byte(g, gen_choose(g, 256));
	}
	gen_patch_length(g, length);
}

size_t gen_module(const uint8_t *choices, size_t count, uint8_t *out, size_t cap)
{
	struct gen g = {
		.choices = choices, .choices_end = choices + count, .at = out, .end = out + cap};

	g.func_count = 1 + gen_choose(&g, FUNCS_MAX);
	for (unsigned i = 0; i < g.func_count; i++) {
		g.func_sig[i] = (uint8_t)gen_choose(&g, SIG_CALLED);
	}
	gen_bytes(&g, "\0asm\1\0\0\0", 8);
	gen_section_types(&g);
	section_functions(&g);
	section_table_memory(&g);
	section_globals(&g);
	section_exports(&g);
	section_elements(&g);
	section_code(&g);
	section_data(&g);
	return g.full ? 0 : (size_t)(g.at - out);
}
