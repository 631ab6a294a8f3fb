/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the compiler: the state of translating a module into LLVM's form. */
#ifndef ROTORC_GEN_H
#define ROTORC_GEN_H

#include "rotorc/module.h"
#include "rotorc/target.h"

#include <llvm-c/Core.h>
#include <llvm-c/DebugInfo.h>

/* LLVM's numbers of calling conventions. */
enum {
	GEN_PRESERVE_MOST = 14,
	GEN_PRESERVE_ALL = 15,
	GEN_TAILCC = 18
};
enum {
	GEN_CELLS = 64
}; /* values that a request carries without extra space */

/* Fields of struct rotor_native_ctx, in its order. */
enum gen_field {
	GEN_LEAVE,
	GEN_FUEL_STOP,
	GEN_MEMORY,
	GEN_MEMORY_BYTES,
	GEN_GLOBALS,
	GEN_IMPORTED_GLOBALS,
	GEN_TABLES,
	GEN_FUNCS,
	GEN_TEXT,
	GEN_HELPERS,
	GEN_STACK_LIMIT,
	GEN_CELLS_PTR,
	GEN_INTERRUPT,
	GEN_FUEL,
	GEN_REQUEST,
	GEN_OPERAND,
	GEN_OPERAND2,
	GEN_OPERAND3,
	GEN_OFFSET,
	GEN_SELF,
	GEN_FIELD_COUNT,
};

struct gen_value {
	LLVMValueRef v;
	LLVMValueRef literal; /* v as the optimiser may see it; NULL: it is no constant float */
	uint8_t type;         /* enum rotor_type; 0 in unreachable code */
};

/* A block, loop, if or the function itself. */
struct gen_frame {
	uint8_t op; /* 0x02 block, 0x03 loop, 0x04 if, 0x05 else, 0 function */
	bool dead;  /* the frame as a whole is unreachable: nothing is emitted for it */
	uint32_t height;
	const uint8_t *params, *results;
	uint32_t param_count, result_count;
	LLVMBasicBlockRef target, other; /* where br goes; the else part of an if */
	const struct rc_loop *loop;      /* what is known of a loop */
	LLVMValueRef *slots;             /* allocas that carry values to the target */
	LLVMValueRef *inputs;            /* the values of an if's parameters, for its else */
	uint32_t begin;                  /* instruction count at a loop's begin */
};

struct gen {
	const struct rc_module *m;
	const struct rotorc_target *t;
	LLVMContextRef lc;
	LLVMModuleRef mod;
	LLVMBuilderRef b;
	LLVMDIBuilderRef di;
	LLVMMetadataRef di_scope, di_file, di_type;
	LLVMTypeRef i1, i8, i16, i32, i64, f32, f64, ptr, size, none, ctx_type, func_row, table_row;
	LLVMTypeRef *types; /* of functions, by type index */
	LLVMValueRef *funcs;
	LLVMValueRef *tables; /* constants that hold a fixed table's rows, NULL until needed */
	unsigned tbaa_kind;
	LLVMValueRef tbaa_ctx, tbaa_mem, invariant;
	unsigned invariant_kind, self_kind, nomerge_kind;
	LLVMAttributeRef touches_none; /* no memory at all */
	LLVMAttributeRef reads_only;   /* writes nothing but what its arguments point to */
	bool fast_calls; /* every function has the calling convention that allows tail calls */
	bool check_fuel, small;

	/* The function at hand. */
	const struct rc_func *f;
	const struct rc_type *ft;
	LLVMValueRef fn, ctx;
	LLVMValueRef *locals;
	uint8_t *local_types;
	uint32_t local_count;
	LLVMValueRef fuel, mem, mem_bytes; /* allocas */
	LLVMValueRef scratch;              /* alloca for the cells of requests, NULL until needed */
	uint32_t scratch_cells;
	LLVMBasicBlockRef trap_blocks[16];
	LLVMValueRef trap_offsets[16]; /* phis */
	struct gen_value *stack;
	uint32_t height, stack_cap;
	struct gen_frame *frames;
	uint32_t depth, frame_cap;
	struct rc_loop *loops; /* the function's, and how many have begun */
	uint32_t loop_count;
	bool dead;
	bool loads_f32, loads_f64;
	uint32_t insn_count;
	uint32_t offset;

	char *why;
	size_t cap;
	bool failed;
};

/* ---- gen.c ---- */
LLVMTypeRef gen_type(const struct gen *g, uint8_t type);
void gen_push(struct gen *g, uint8_t type, LLVMValueRef v);
LLVMValueRef gen_pop(struct gen *g);
LLVMValueRef gen_field(struct gen *g, enum gen_field field);
LLVMValueRef gen_load_field(struct gen *g, enum gen_field field);
void gen_store_field(struct gen *g, enum gen_field field, LLVMValueRef v);
LLVMValueRef gen_i32(const struct gen *g, uint32_t v);
LLVMValueRef gen_i64(const struct gen *g, uint64_t v);
/* Branches to the trap when cond is true. */
void gen_trap_if(struct gen *g, LLVMValueRef cond, enum rotor_trap trap);
void gen_trap(struct gen *g, enum rotor_trap trap);
/* What every generated function must have. */
void gen_attributes(struct gen *g, LLVMValueRef fn);
LLVMBasicBlockRef gen_block(struct gen *g, const char *name);
/* Everything that must stand in memory before code outside the function runs, and what must be read again after. */
void gen_before_call(struct gen *g);
void gen_after_call(struct gen *g);
void gen_read_memory_fields(struct gen *g);
/* The same, by the convention that keeps registers, around a stop for fuel. */
void gen_fuel_stop(struct gen *g);
/* Marks a call of generated code: convention, where the context goes, its place kept. */
void gen_mark_call(struct gen *g, LLVMValueRef call);
/* Fuel comes back from a function of this type beside its results, else in the context. */
bool gen_returns_fuel(const struct gen *g, const struct rc_type *t);
/* Parameters before those of the module: the context and the fuel. */
unsigned gen_own_params(const struct gen *g);
LLVMValueRef gen_call_helper(struct gen *g, unsigned helper, LLVMValueRef *args);
LLVMValueRef gen_alloca(struct gen *g, LLVMTypeRef type, const char *name);
void gen_fail(struct gen *g, const char *format, ...);
LLVMValueRef gen_intrinsic(struct gen *g, const char *name, LLVMTypeRef type, LLVMValueRef *args,
			   unsigned count);
LLVMValueRef gen_as_bits(struct gen *g, LLVMValueRef v); /* float to integer of its size */
LLVMValueRef gen_from_bits(struct gen *g, uint8_t type,
			   LLVMValueRef v); /* and back, where the target has floats */
/* The same value, of which the optimiser knows nothing: see gen_num.c. */
LLVMValueRef gen_hide(struct gen *g, LLVMValueRef v);
/* Calls built from here on carry the instruction's offset as their line, or none. */
void gen_at_offset(struct gen *g, bool on);
LLVMValueRef gen_tag(struct gen *g, LLVMValueRef insn, bool memory);

/* Tells the optimiser that a branch is hardly ever taken. */
void gen_unlikely(struct gen *g, LLVMValueRef branch);

/* ---- gen_control.c: fuel and structured control ---- */
void gen_charge(struct gen *g, uint32_t units);
/* The same, and a stop if that was more than was left. */
void gen_pay(struct gen *g, uint32_t units);
struct gen_frame *gen_push_frame(struct gen *g);
void gen_begin(struct gen *g, const struct rc_insn *in);
void gen_else(struct gen *g);
void gen_end(struct gen *g);
/* A branch to a label: ends the block that is being built. */
void gen_branch(struct gen *g, uint32_t depth);
void gen_branch_if(struct gen *g, uint32_t depth);
void gen_branch_table(struct gen *g, const struct rc_insn *in);
void gen_return_top(struct gen *g);

/* ---- gen_num.c ---- */
void gen_numeric(struct gen *g, const struct rc_insn *in);

/* ---- gen_mem.c: memory, tables, globals, calls ---- */
void gen_load(struct gen *g, const struct rc_insn *in);
void gen_store(struct gen *g, const struct rc_insn *in);
void gen_global(struct gen *g, const struct rc_insn *in);
void gen_call(struct gen *g, uint32_t func, bool tail);
void gen_call_indirect(struct gen *g, const struct rc_insn *in, bool tail);
/* An instruction that the engine carries out: takes count values, puts back one of the type, or none if 0. */
void gen_request(struct gen *g, uint32_t request, uint32_t operand, unsigned count, uint8_t result);
void gen_store_cell(struct gen *g, LLVMValueRef cells, uint32_t cell, uint8_t type, LLVMValueRef v);
/* Room for that many cells in the function's frame. */
LLVMValueRef gen_scratch(struct gen *g, uint32_t cells);
LLVMValueRef gen_load_cell(struct gen *g, LLVMValueRef cells, uint32_t cell, uint8_t type);
void gen_return(struct gen *g, LLVMValueRef *values);
/* The functions that take their arguments from cells and put their results there, one for each type. */
void gen_thunks(struct gen *g);

/* ---- the way in ---- */
struct rotorc_code {
	LLVMContextRef lc;
	LLVMModuleRef mod;
};
struct rotorc_gen_options {
	bool fuel;  /* count fuel and test for interrupts; off only to measure its cost */
	bool small; /* prefer small code */
};
/* Translates a module; -1 and a sentence in why if something cannot be. */
int gen_module(const struct rc_module *m, const struct rotorc_target *t,
	       const struct rotorc_gen_options *options, struct rotorc_code *out, char *why,
	       size_t cap);

/* LLVM's form as text, the caller's to free. */
char *gen_text(const struct rotorc_code *code);
void gen_free(struct rotorc_code *code);

#endif
