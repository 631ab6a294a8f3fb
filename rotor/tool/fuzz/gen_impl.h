/* SPDX-License-Identifier: Apache-2.0 */
/* What gen.c and gen_expr.c share. */
#ifndef ROTOR_TOOL_FUZZ_GEN_IMPL_H
#define ROTOR_TOOL_FUZZ_GEN_IMPL_H

#include <stdbool.h>

#include "rotor/tool/fuzz/gen.h"

enum type {
	I32,
	I64,
	F32,
	F64,
	TYPE_COUNT
};

extern const uint8_t gen_type_byte[TYPE_COUNT];

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

enum {
	SIG_CALLED = 8,
	SIG_PAIR = 8,
	SIG_PAIR_LOOP,
	SIG_RUN,
	SIG_HASH,
	SIG_COUNT
};

extern const struct signature gen_signatures[SIG_COUNT];

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
	unsigned budget;         /* expressions left for this function */
	struct gen_world *world; /* of linked modules; NULL: the module is by itself */
};

/* gen.c, for gen_link.c: a function's locals and state; sections that all modules have. */
void gen_function_begin(struct gen *g, const struct signature *sig);
void gen_function_hash(struct gen *g);
uint8_t *gen_section(struct gen *g, unsigned id);
void gen_section_types(struct gen *g);

/* A number below bound, from the next choice. */
unsigned gen_choose(struct gen *g, unsigned bound);

void gen_byte(struct gen *g, unsigned b);
void gen_bytes(struct gen *g, const void *from, size_t count);
void gen_uleb(struct gen *g, uint64_t v);
void gen_sleb(struct gen *g, int64_t v);

/* Leaves five bytes for a length; gen_patch_length writes it there. */
uint8_t *gen_reserve_length(struct gen *g);
void gen_patch_length(struct gen *g, uint8_t *at);

void gen_op_idx(struct gen *g, unsigned op, unsigned idx);
void gen_const_i32(struct gen *g, int32_t v);
void gen_constant(struct gen *g, unsigned type);

/* Counts global 0 down; a trap when it is used up. */
void gen_burn(struct gen *g);

/* A random expression of that type; a random statement. */
void gen_expr(struct gen *g, unsigned type);
void gen_stmt(struct gen *g);

/* Calls a function directly or through the table; its results stay on the stack. */
const struct signature *gen_call(struct gen *g, unsigned func);

void gen_arguments(struct gen *g, const struct signature *sig);
bool gen_same_results(const struct signature *a, const struct signature *b);

/* gen_link.c: the same among linked modules, where a function is meant by its number in the world. */
enum {
	WORLD_SLOT_MASK = 31,
	WORLD_NONE = 255
};
unsigned gen_world_pick(struct gen *g);
unsigned gen_world_pick_for(struct gen *g, unsigned type); /* WORLD_NONE: there is none */
const struct signature *gen_world_call(struct gen *g, unsigned id);
bool gen_world_tail_call(struct gen *g);
void gen_world_stmt(struct gen *g);

#endif
