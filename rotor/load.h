/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the loader: how bytes become items, where things are put, and the state of a function body.
 *
 * An item (a section's header, an instruction...) is decoded as a whole from a window of bytes. If
 * the window ends inside it, the step returns LOAD_MORE without having changed anything and is
 * called again when more bytes are there. Names, data and tables of targets have a step per part.
 */
#ifndef ROTOR_LOAD_H
#define ROTOR_LOAD_H

#include "rotor/module.h"

enum {
	LOAD_MORE = -1,
	LOAD_CARRY_BYTES = 64,
	LOAD_CONST_DEPTH = 16
};

#define TYPE_UNKNOWN 0 /* of a value in unreachable code */

/* Where the value of an entry of the operand stack is. */
enum entry_kind {
	ENTRY_TEMP,    /* in its own slot */
	ENTRY_LOCAL,   /* in local slot lo */
	ENTRY_CONST,   /* the constant lo, hi */
	ENTRY_PENDING, /* result of the operation that is not emitted yet */
	ENTRY_SUM,     /* slot lo plus constant hi, not computed yet */
	ENTRY_SUM2,    /* slots lo and hi added, not computed yet */
};

/* Whether a value depends on slots that are not the entry's own. */
static inline bool entry_borrows(uint8_t kind)
{
	return kind == ENTRY_LOCAL || kind == ENTRY_SUM || kind == ENTRY_SUM2;
}

/* An entry of the operand stack, for validation and translation. */
struct entry {
	uint32_t lo, hi;
	uint16_t pos; /* its own slot */
	uint8_t type, kind;
};

enum ctl_kind {
	CTL_FUNC,
	CTL_BLOCK,
	CTL_LOOP,
	CTL_IF,
	CTL_ELSE
};

/* A control frame; lies on the same stack as the entries, below those of its body. */
struct ctl {
	uint32_t prev;    /* entries above the outer frame, from the stack's origin */
	uint32_t type;    /* index of a functype, or BLOCK_VALUE | value type, or BLOCK_EMPTY */
	uint32_t patches; /* chain of forward jumps to its end; 0: none */
	uint32_t skip;    /* of an if: the jump to else or end; 0: none */
	uint32_t begin;   /* of a loop: place of its first unit */
	uint32_t instr;   /* instructions of the body before it */
	uint16_t base;    /* first slot of its parameters and of its results */
	uint8_t kind;
	bool dead;      /* the rest of the block cannot be reached: nothing is emitted */
	bool born_dead; /* nor could its beginning */
	bool open;      /* after br and the like: below the stack lies whatever is asked for */
};

#define BLOCK_VALUE 0x80000000u
#define BLOCK_EMPTY 0x80000040u

enum {
	CTL_ENTRIES = (sizeof(struct ctl) + sizeof(struct entry) - 1) / sizeof(struct entry)
};

/* Locals [the one before's end, end) have this type and lie in cells from slot on. */
struct local_run {
	uint32_t end;
	uint16_t slot;
	uint8_t type;
};

struct instr {
	uint16_t op; /* 0xfc's second byte plus 0x100 */
	uint32_t a, b;
	uint64_t k;
};

struct operand {
	uint8_t kind; /* OPERAND_* */
	uint32_t value;
};

/* The last operation, whose result has no place yet. */
struct pending {
	struct entry *entry; /* on the stack; NULL: nothing is pending */
	uint8_t operands;    /* enum form_operands */
	uint16_t generic;    /* enum form_generic, or PENDING_GLOBAL */
	uint16_t a;          /* slot */
	uint64_t b;          /* slot or constant */
	uint16_t c, d;       /* further units: offset, slots of select */
	uint32_t offset;     /* in the module */
	uint8_t type;
};
#define PENDING_GLOBAL G_COUNT

/* The translator's state for one function. */
struct translator {
	uint16_t *form; /* of the module */
	uint32_t at;    /* next unit */
	uint32_t begin; /* first unit of the function */
	uint8_t *map;   /* the function's map so far; floats between form and stack */
	uint32_t map_bytes, map_last;
	struct pending pending;
	uint32_t locals_on_stack; /* entries that borrow slots */
	struct entry lazy; /* a result that is not an operation but a sum; kind ENTRY_TEMP: none */
	uint32_t last_at;  /* the operation emitted last; 0: none, or a label came after */
	uint16_t acc_slot
		[3]; /* slot whose value the accumulator holds too: int, f32, f64; or NO_SLOT */
	uint8_t acc_type[3];
	uint16_t link;      /* slot of the link */
	uint32_t cells_max; /* of the frame */
	uint32_t table_at;  /* of the br_table being written: its operation */
	uint32_t table_next;
};
#define NO_SLOT 0xffff

/* The function whose body is being read. */
struct body {
	struct ctl *ctl; /* innermost; NULL after the last end */
	const struct functype *type;
	uint32_t func, end, offset;
	uint32_t at; /* offset of the instruction being translated */
	uint32_t instr_count;
	struct local_run *runs;
	uint32_t run_count, groups_left, local_count, local_cells;
	/* of a br_table */
	uint32_t targets_left, targets_arity;
	bool targets_any;
	bool skim;      /* the body is invalid; the rest is only decoded, as it may be malformed */
	uint32_t depth; /* of nested blocks, the body's own included */
	struct entry index;
};

struct utf8 {
	uint8_t need, low, high;
};

/* What is used most comes first: instructions for small processors reach only so far. */
struct rotor_loader {
	uint8_t step, section, rank;
	uint8_t type_stage;
	enum rotor_err error;
	bool stays;
	bool data_counted, data_needed;
	uint8_t name_then;
	uint8_t elem_flags;
	uint8_t expr_type, expr_then, expr_depth; /* constant expression */
	struct utf8 utf8;

	struct rotor_module *m;
	struct entry *sp;       /* the stack of entries; grows down to low */
	const uint8_t *p, *end; /* window */
	const uint8_t *start;
	uint32_t start_offset; /* of start, in the module */
	uint32_t limit;        /* offset of the end of what is being read: section, body */
	uint8_t *low, *high;   /* the free part of the block */
	uint32_t count, i;     /* items of the section */
	uint32_t left;         /* bytes or elements left of the item */
	uint32_t carry_bytes;
	struct body body;
	struct translator t;

	struct entry *origin; /* of the stack */
	uint8_t *block;
	uint32_t section_end;
	uint32_t data_count;
	uint32_t func_defined, func_bodies;
	uint32_t temp_u32;
	uint8_t *refs; /* bit per function: may be named by ref.func */
	struct const_expr *expr;
	uint8_t expr_types[LOAD_CONST_DEPTH];
	uint8_t carry[LOAD_CARRY_BYTES];
	struct rotor_diag diag;
};

/* load.c: errors, memory, reading */
int load_fail(struct rotor_loader *l, enum rotor_err code, const char *text);
int load_fail_idx(struct rotor_loader *l, enum rotor_err code, const char *text, uint32_t idx);
/* The same with the codes of most: MALFORMED, INVALID, INVALID with a number. */
int load_malformed(struct rotor_loader *l, const char *text);
int load_invalid(struct rotor_loader *l, const char *text);
int load_unknown(struct rotor_loader *l, const char *text, uint32_t idx);
static inline uint32_t load_offset(const struct rotor_loader *l)
{
	return l->start_offset + (uint32_t)(l->p - l->start);
}
/* An error if there is no room for count items of that many bytes: before the product, which may not fit a size_t. */
int load_room(struct rotor_loader *l, uint32_t count, size_t bytes);
/* Memory from the bottom of the block, for good; NULL after an error. */
void *load_alloc(struct rotor_loader *l, size_t bytes, size_t align);
/* Memory from its top, zeroed, until the load ends; only while no function is open. */
void *load_alloc_temp(struct rotor_loader *l, size_t bytes);
int load_u8(struct rotor_loader *l, uint8_t *out);
int load_u32(struct rotor_loader *l, uint32_t *out);
int load_s32(struct rotor_loader *l, uint32_t *out);
int load_s33(struct rotor_loader *l, int64_t *out);
int load_s64(struct rotor_loader *l, uint64_t *out);
int load_bytes(struct rotor_loader *l, const uint8_t **out, uint32_t count);
int load_count(struct rotor_loader *l, uint32_t *out);
int load_valtype(struct rotor_loader *l, uint8_t *out);
int load_reftype(struct rotor_loader *l, uint8_t *out);

/* steps; each state of the loader is one */
enum load_step {
	STEP_MAGIC,
	STEP_SECTION,
	STEP_COUNT,
	STEP_NEXT,
	STEP_NAME,
	STEP_TYPE,
	STEP_TYPE_VALUES,
	STEP_IMPORT,
	STEP_IMPORT_FIELD,
	STEP_IMPORT_DESC,
	STEP_FUNCTION,
	STEP_TABLE,
	STEP_MEMORY,
	STEP_GLOBAL,
	STEP_CONST,
	STEP_EXPORT,
	STEP_EXPORT_DESC,
	STEP_START,
	STEP_ELEM,
	STEP_ELEM_KIND,
	STEP_ELEM_ITEM,
	STEP_ELEM_EXPR,
	STEP_DATA_COUNT,
	STEP_BODY,
	STEP_LOCALS,
	STEP_INSTR,
	STEP_TARGETS,
	STEP_DATA,
	STEP_DATA_LENGTH,
	STEP_DATA_BYTES,
	STEP_CUSTOM,
	STEP_CUSTOM_NAMED,
	STEP_NAMES,
	STEP_NAMES_BYTES,
	STEP_SKIP,
	STEP_COUNT_OF
};
typedef int (*load_step_fn)(struct rotor_loader *l);

int step_name(struct rotor_loader *l);
/* Begins a name: reads its length, then goes through STEP_NAME to step then. */
int load_name(struct rotor_loader *l, uint8_t then, const uint8_t **at);

/* load_sections.c */
int step_type(struct rotor_loader *l);
int step_type_values(struct rotor_loader *l);
int step_import(struct rotor_loader *l);
int step_import_field(struct rotor_loader *l);
int step_import_desc(struct rotor_loader *l);
int step_function(struct rotor_loader *l);
int step_table(struct rotor_loader *l);
int step_memory(struct rotor_loader *l);
int step_global(struct rotor_loader *l);
int step_export(struct rotor_loader *l);
int step_export_desc(struct rotor_loader *l);
int step_start(struct rotor_loader *l);
/* Sets up what comes with section rank, with count items of its own. */
int load_prepare(struct rotor_loader *l, unsigned rank, uint32_t count);

/* The first of the equal types. */
uint16_t load_first_type(const struct rotor_module *m, uint32_t idx);

/* load_segments.c */
int step_elem(struct rotor_loader *l);
int step_elem_kind(struct rotor_loader *l);
int step_elem_item(struct rotor_loader *l);
int step_elem_expr(struct rotor_loader *l);
int step_data_count(struct rotor_loader *l);
int step_data(struct rotor_loader *l);
int step_data_length(struct rotor_loader *l);
int step_data_bytes(struct rotor_loader *l);
int step_const(struct rotor_loader *l);
/* Reads a constant expression of that type into *out, then goes to step then. */
void load_const_begin(struct rotor_loader *l, struct const_expr *out, uint8_t type, uint8_t then);

/* load_code.c */
int step_body(struct rotor_loader *l);
int step_locals(struct rotor_loader *l);
int step_instr(struct rotor_loader *l);
int step_targets(struct rotor_loader *l);

/* decode.c: one instruction with its immediates, except a br_table's targets (in->a: how many). */
int decode_instr(struct rotor_loader *l, struct instr *in);

/* validate.c */
int validate_begin(struct rotor_loader *l);
int validate_instr(struct rotor_loader *l, const struct instr *in);
int validate_target(struct rotor_loader *l, uint32_t depth);
int validate_targets_end(struct rotor_loader *l);
/* Type and slot of a local; false if there is none. */
bool validate_local(const struct body *b, uint32_t idx, uint8_t *type, uint16_t *slot);

#endif
