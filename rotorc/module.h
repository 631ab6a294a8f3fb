/* SPDX-License-Identifier: Apache-2.0 */
/* A validated module as the compiler needs it, and a reader of function bodies. */
#ifndef ROTORC_MODULE_H
#define ROTORC_MODULE_H

#include "rotor/rotor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rc_type {
	const uint8_t *params, *results; /* enum rotor_type */
	uint32_t param_count, result_count;
	uint32_t same; /* the first type that is equal to this one */
};

struct rc_func {
	uint32_t type;
	bool imported;
	const uint8_t *body; /* locals and instructions */
	uint32_t body_bytes;
	uint32_t offset; /* of the body in the module */
	/* What rc_module_analyse finds. */
	bool in_table;                /* it may be called indirectly */
	bool tests_fuel, tests_stack; /* when it is entered */
	uint32_t cost;                /* fuel for entering it: its instructions */
	uint32_t weight;              /* fuel that a call takes before something tests it */
	uint32_t chain; /* functions that may be entered before one tests the stack, itself too */
};

struct rc_table {
	uint32_t count; /* the elements it begins with */
	bool imported, exported;
	bool changes;    /* an instruction writes to it */
	bool fixed;      /* elems is what it holds, always */
	uint32_t *elems; /* functions' indices plus one, 0 null */
};

struct rc_global {
	uint8_t type;
	bool mutable, imported;
	uint32_t
		slot; /* own: index of the first cell among the own globals; imported: which imported global */
};

struct rc_module {
	const uint8_t *bytes;
	size_t size;
	struct rc_type *types;
	uint32_t type_count;
	struct rc_func *funcs;
	uint32_t func_count, imported_count;
	struct rc_global *globals;
	uint32_t global_count, global_cells;
	struct rc_table *tables;
	uint32_t table_count;
	bool has_memory, memory_imported, memory_exported, memory_grows, tail_calls;
	bool memory_changes; /* its size may be another one after a call */
	/* The calls of function i: calls[call_first[i]] and on; func_count stands for an indirect one. */
	uint32_t *call_first, *calls;
	uint32_t *order;      /* functions (and func_count), those called before those that call */
	uint64_t memory_sure; /* bytes of memory that every instance backs */
	const uint8_t *code_section; /* its header byte; NULL if there is none */
	uint32_t code_section_bytes; /* with header */
};

/* Reads a module that rotor_load has validated. On error (more than this reader knows) -1. */
int rc_module_read(struct rc_module *m, const uint8_t *bytes, size_t size,
		   const struct rotor_module *validated);
void rc_module_free(struct rc_module *m);

/* analyse.c: which functions test what, and which tables are fixed. */
void rc_module_analyse(struct rc_module *m);
/* The stack that must be free below the limit, by the bytes of each function's frame, and of the largest other one. */
uint32_t rc_module_stack_room(const struct rc_module *m, const uint32_t *frames);

/* A loop of a function. */
struct rc_loop {
	uint32_t branches; /* back to it, those of one br_table counted once */
	uint32_t price;    /* of the last of them: the instructions from its begin on */
	bool calls;        /* a call is made in it */
	bool innermost;    /* no loop is in it */
};
/* loops.c: a function's loops in the order of their begins, for the caller to free; NULL if there is none. */
struct rc_loop *rc_read_loops(const struct rc_module *m, const struct rc_func *f);

/* One instruction. op is the opcode byte, or 0xFC00 | the number behind a 0xFC. */
struct rc_insn {
	uint32_t op;
	uint32_t offset; /* in the module */
	uint32_t a, b;   /* immediates in order: index, table; alignment, offset... */
	uint64_t bits;   /* a constant */
	int64_t block;   /* block type: a type's index, or below 0 a value type or nothing (-64) */
	const uint8_t *targets; /* br_table: a of them, as LEB128, then the default */
};

struct rc_reader {
	const uint8_t *at, *end, *module;
};

void rc_reader_init(struct rc_reader *r, const struct rc_module *m, const struct rc_func *f);
uint32_t rc_read_u32(struct rc_reader *r);
void rc_skip_locals(struct rc_reader *r);
/* False at the end of the body. */
bool rc_read_insn(struct rc_reader *r, struct rc_insn *out);

#endif
