/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory, globals, calls, and the instructions that the engine carries out.
 *
 * Rules: 1. An access is made only after one comparison has shown that it lies inside the memory.
 *        2. What may differ after other code ran (fuel, memory) is written back before and read again after.
 * Spec:  Wasm 2.0 4.4.7, 4.4.8
 */
#include "rotorc/gen.h"

#include "base/base.h"
#include "rotor/native.h"

#include <stdio.h>
#include <stdlib.h>

/* Registers for floats, on each target that has tail calls, and results that are returned in registers. */
enum {
	TAIL_FLOATS = 8,
	TAIL_FLOAT_RESULTS = 2,
	TAIL_RESULTS = 3
};

/* ---- memory ------------------------------------------------------------------------------------------- */

/* The host address of a checked access of bytes at address + offset. */
static LLVMValueRef checked(struct gen *g, LLVMValueRef address, uint32_t offset, unsigned bytes)
{
	LLVMValueRef size = LLVMBuildLoad2(g->b, g->size, g->mem_bytes, ""), limit, at, outside;
	uint64_t reach = (uint64_t)offset + bytes;

	if (g->t->pointer_bits == 64) {
		/* In 64 bits nothing wraps; signed, since the limit is below 0 when the memory is too small. */
		at = LLVMBuildZExt(g->b, address, g->i64, "");
		limit = LLVMBuildSub(g->b, size, gen_i64(g, reach), "");
		outside = LLVMBuildICmp(g->b, LLVMIntSGT, at, limit, "");
	} else if (reach > UINT32_MAX) {
		gen_trap_if(g, LLVMConstInt(g->i1, 1, 0), ROTOR_TRAP_MEMORY);
		return LLVMBuildLoad2(g->b, g->ptr, g->mem, "");
	} else {
		at = address;
		limit = LLVMBuildSub(g->b, size, gen_i32(g, (uint32_t)reach), "");
		outside = LLVMBuildICmp(g->b, LLVMIntUGT, at, limit, "");
		if (reach > g->m->memory_sure) {
			LLVMValueRef small = LLVMBuildICmp(g->b, LLVMIntULT, size,
							   gen_i32(g, (uint32_t)reach), "");

			outside = LLVMBuildOr(g->b, outside, small, "");
		}
	}
	gen_trap_if(g, outside, ROTOR_TRAP_MEMORY);
	LLVMValueRef base = LLVMBuildLoad2(g->b, g->ptr, g->mem, "");
	LLVMValueRef sum = LLVMBuildAdd(g->b, at, LLVMConstInt(g->size, offset, 0), "");

	return LLVMBuildGEP2(g->b, g->i8, base, &sum, 1, "");
}

struct access {
	uint8_t type;  /* of the value */
	uint8_t bytes; /* in memory */
	bool is_signed;
};

static const struct access loads[] = {
	{ROTOR_I32, 4, 0}, {ROTOR_I64, 8, 0}, {ROTOR_F32, 4, 0}, {ROTOR_F64, 8, 0},
	{ROTOR_I32, 1, 1}, {ROTOR_I32, 1, 0}, {ROTOR_I32, 2, 1}, {ROTOR_I32, 2, 0},
	{ROTOR_I64, 1, 1}, {ROTOR_I64, 1, 0}, {ROTOR_I64, 2, 1}, {ROTOR_I64, 2, 0},
	{ROTOR_I64, 4, 1}, {ROTOR_I64, 4, 0},
};

static const struct access stores[] = {
	{ROTOR_I32, 4, 0}, {ROTOR_I64, 8, 0}, {ROTOR_F32, 4, 0},
	{ROTOR_F64, 8, 0}, {ROTOR_I32, 1, 0}, {ROTOR_I32, 2, 0},
	{ROTOR_I64, 1, 0}, {ROTOR_I64, 2, 0}, {ROTOR_I64, 4, 0},
};

static LLVMTypeRef int_of(const struct gen *g, unsigned bytes)
{
	return bytes == 1 ? g->i8 : bytes == 2 ? g->i16 : bytes == 4 ? g->i32 : g->i64;
}

void gen_load(struct gen *g, const struct rc_insn *in)
{
	struct access a = loads[in->op - 0x28];
	LLVMTypeRef whole = gen_type(g, a.type);
	bool narrow = (a.type == ROTOR_I32 && a.bytes < 4) || (a.type == ROTOR_I64 && a.bytes < 8);
	LLVMTypeRef t = narrow ? int_of(g, a.bytes) : whole;
	LLVMValueRef at = checked(g, gen_pop(g), in->b, a.bytes), v;

	v = gen_tag(g, LLVMBuildLoad2(g->b, t, at, ""), true);
	LLVMSetAlignment(v, 1);
	/* A trap must not be forgotten because nobody reads the value: the check stands on its own. */
	if (narrow) {
		v = a.is_signed ? LLVMBuildSExt(g->b, v, whole, "")
				: LLVMBuildZExt(g->b, v, whole, "");
	}
	gen_push(g, a.type, v);
}

/* An integer that the function may load again as a float: one that is as wide, or both halves of it. */
static LLVMValueRef hide_stored(struct gen *g, LLVMValueRef v)
{
	LLVMValueRef low, high, shift = gen_i64(g, 32);

	if (LLVMTypeOf(v) == g->i32) {
		return g->loads_f32 ? gen_hide(g, v) : v;
	}
	if (LLVMTypeOf(v) != g->i64 || !(g->loads_f32 || g->loads_f64)) {
		return v;
	}
	if (g->t->pointer_bits == 64) {
		return gen_hide(g, v);
	}
	low = gen_hide(g, LLVMBuildTrunc(g->b, v, g->i32, ""));
	high = gen_hide(g, LLVMBuildTrunc(g->b, LLVMBuildLShr(g->b, v, shift, ""), g->i32, ""));
	high = LLVMBuildShl(g->b, LLVMBuildZExt(g->b, high, g->i64, ""), shift, "");
	return LLVMBuildOr(g->b, high, LLVMBuildZExt(g->b, low, g->i64, ""), "");
}

void gen_store(struct gen *g, const struct rc_insn *in)
{
	struct access a = stores[in->op - 0x36];
	LLVMValueRef v = gen_pop(g), at = checked(g, gen_pop(g), in->b, a.bytes);
	bool narrow = (a.type == ROTOR_I32 && a.bytes < 4) || (a.type == ROTOR_I64 && a.bytes < 8);

	if (narrow) {
		v = LLVMBuildTrunc(g->b, v, int_of(g, a.bytes), "");
	}
	v = a.type == ROTOR_F32 || a.type == ROTOR_F64 ? v : hide_stored(g, v);
	LLVMSetAlignment(gen_tag(g, LLVMBuildStore(g->b, v, at), true), 1);
}

/* ---- cells -------------------------------------------------------------------------------------------- */

static LLVMValueRef cell_at(struct gen *g, LLVMValueRef cells, uint32_t cell)
{
	LLVMValueRef idx = gen_i32(g, cell);

	return LLVMBuildGEP2(g->b, g->i32, cells, &idx, 1, "");
}

static unsigned cells_of(uint8_t type)
{
	return type == ROTOR_I64 || type == ROTOR_F64 ? 2 : 1;
}

void gen_store_cell(struct gen *g, LLVMValueRef cells, uint32_t cell, uint8_t type, LLVMValueRef v)
{
	LLVMSetAlignment(gen_tag(g, LLVMBuildStore(g->b, v, cell_at(g, cells, cell)), false), 4);
}

LLVMValueRef gen_load_cell(struct gen *g, LLVMValueRef cells, uint32_t cell, uint8_t type)
{
	LLVMValueRef v = LLVMBuildLoad2(g->b, gen_type(g, type), cell_at(g, cells, cell), "");

	LLVMSetAlignment(v, 4);
	return gen_tag(g, v, false);
}

/* Pointer idx of an array of pointers that take 8 bytes each. */
static LLVMValueRef pointer_at(struct gen *g, LLVMValueRef array, uint32_t idx)
{
	LLVMValueRef at = gen_i32(g, idx);

	return LLVMBuildLoad2(g->b, g->ptr, LLVMBuildGEP2(g->b, g->i64, array, &at, 1, ""), "");
}

void gen_global(struct gen *g, const struct rc_insn *in)
{
	const struct rc_global *global = &g->m->globals[in->a];
	LLVMValueRef cells =
		gen_load_field(g, global->imported ? GEN_IMPORTED_GLOBALS : GEN_GLOBALS);
	uint32_t cell = global->slot;

	if (global->imported) {
		cells = pointer_at(g, cells, global->slot);
		LLVMSetMetadata(cells, g->invariant_kind, g->invariant);
		cell = 0;
	}
	if (in->op == 0x23) {
		gen_push(g, global->type, gen_load_cell(g, cells, cell, global->type));
	} else {
		gen_store_cell(g, cells, cell, global->type, gen_pop(g));
	}
}

/* ---- requests ----------------------------------------------------------------------------------------- */

/* Hands the request to the engine; it comes back here unless the program ends. */
static void leave(struct gen *g, uint32_t request, LLVMValueRef operand)
{
	LLVMTypeRef type = LLVMFunctionType(g->none, &g->ptr, 1, 0);

	gen_before_call(g);
	gen_store_field(g, GEN_REQUEST, gen_i32(g, request));
	gen_store_field(g, GEN_OPERAND, operand);
	gen_store_field(g, GEN_OFFSET, gen_i32(g, g->offset));
	gen_at_offset(g, true);
	LLVMValueRef call =
		LLVMBuildCall2(g->b, type, gen_load_field(g, GEN_LEAVE), &g->ctx, 1, "");

	LLVMAddCallSiteAttribute(call, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
				 LLVMCreateEnumAttribute(g->lc, g->nomerge_kind, 0));
	gen_at_offset(g, false);
}

LLVMValueRef gen_scratch(struct gen *g, uint32_t cells)
{
	if (g->scratch == NULL || g->scratch_cells < cells) {
		g->scratch = gen_alloca(g, LLVMArrayType2(g->i32, cells), "cells");
		g->scratch_cells = cells;
	}
	return g->scratch;
}

void gen_request(struct gen *g, uint32_t request, uint32_t operand, unsigned count, uint8_t result)
{
	LLVMValueRef cells = NULL;

	if (count != 0 || result != 0) {
		cells = gen_scratch(g, 4);
		gen_store_field(g, GEN_CELLS_PTR, cells);
	}
	for (unsigned i = count; i-- > 0;) {
		uint8_t type = g->stack[g->height - 1].type;

		gen_store_cell(g, cells, i, type, gen_pop(g));
	}
	leave(g, request, gen_i32(g, operand));
	gen_after_call(g);
	if (result != 0) {
		gen_push(g, result, gen_load_cell(g, cells, 0, result));
	}
}

/* ---- calls -------------------------------------------------------------------------------------------- */

/* The arguments of a call of native code, popped; returns how many. */
static unsigned take_args(struct gen *g, const struct rc_type *t, LLVMValueRef *args)
{
	unsigned own = gen_own_params(g);

	args[0] = g->ctx;
	if (g->check_fuel) {
		args[1] = LLVMBuildLoad2(g->b, g->i32, g->fuel, "");
	}
	for (uint32_t i = t->param_count; i-- > 0;) {
		args[own + i] = gen_pop(g);
	}
	return own + t->param_count;
}

/* What a call of native code gave: results, and fuel. */
static void take_results(struct gen *g, const struct rc_type *t, LLVMValueRef v)
{
	bool fuel = gen_returns_fuel(g, t);
	uint32_t count = t->result_count + fuel;

	if (fuel) {
		LLVMBuildStore(g->b, count == 1 ? v : LLVMBuildExtractValue(g->b, v, count - 1, ""),
			       g->fuel);
	} else if (g->check_fuel) {
		LLVMBuildStore(g->b, gen_load_field(g, GEN_FUEL), g->fuel);
	}
	if (g->m->has_memory && g->m->memory_changes) {
		gen_read_memory_fields(g);
	}
	for (uint32_t i = 0; i < t->result_count; i++) {
		gen_push(g, t->results[i], count == 1 ? v : LLVMBuildExtractValue(g->b, v, i, ""));
	}
}

static uint32_t count_floats(const uint8_t *types, uint32_t count)
{
	uint32_t floats = 0;

	for (uint32_t i = 0; i < count; i++) {
		floats += types[i] == ROTOR_F32 || types[i] == ROTOR_F64;
	}
	return floats;
}

/*
 * Do a function's arguments and results travel in registers? LLVM 22 loses arguments of tail calls that do not (x86-64),
 * ends its process for such results, and tells no size of the stack that they take.
 */
static bool in_registers(const struct gen *g, const struct rc_type *t)
{
	uint32_t floats = count_floats(t->params, t->param_count);
	uint32_t words = t->param_count - floats + gen_own_params(g) - 1;
	uint32_t float_results = count_floats(t->results, t->result_count);

	return floats <= TAIL_FLOATS && words <= g->t->tail_words &&
	       float_results <= TAIL_FLOAT_RESULTS &&
	       t->result_count - float_results <= TAIL_RESULTS;
}

/* A call of native code, direct or through a pointer. As a tail call it also returns. */
static void call_native(struct gen *g, uint32_t type, LLVMValueRef callee, bool tail)
{
	const struct rc_type *t = &g->m->types[type];
	LLVMTypeRef fn = g->types[t->same];
	LLVMValueRef *args = calloc(t->param_count + 2, sizeof(*args)), call;
	unsigned count = take_args(g, t, args);

	if (tail && !(in_registers(g, t) && in_registers(g, g->ft))) {
		gen_fail(g,
			 "target %s cannot promise a tail call with so many arguments or results "
			 "(byte %u)",
			 g->t->name, (unsigned)g->offset);
	}
	gen_at_offset(g, true);
	call = LLVMBuildCall2(g->b, fn, callee, args, count, "");
	gen_at_offset(g, false);
	free(args);
	gen_mark_call(g, call);
	if (tail) {
		LLVMSetTailCallKind(call, LLVMTailCallKindMustTail);
		if (LLVMGetReturnType(fn) == g->none) {
			LLVMBuildRetVoid(g->b);
		} else {
			LLVMBuildRet(g->b, call);
		}
		g->dead = true;
		return;
	}
	take_results(g, t, call);
}

/* A call that the engine carries out: imported functions and references of other instances. */
static void call_engine(struct gen *g, uint32_t type, uint32_t request, LLVMValueRef operand)
{
	const struct rc_type *t = &g->m->types[type];
	uint32_t in = 0, out = 0, cell;
	LLVMValueRef cells;

	for (uint32_t i = 0; i < t->param_count; i++) {
		in += cells_of(t->params[i]);
	}
	for (uint32_t i = 0; i < t->result_count; i++) {
		out += cells_of(t->results[i]);
	}
	cells = gen_scratch(g, BASE_MAX(BASE_MAX(in, out), 1));
	cell = in;
	for (uint32_t i = t->param_count; i-- > 0;) {
		cell -= cells_of(t->params[i]);
		gen_store_cell(g, cells, cell, t->params[i], gen_pop(g));
	}
	gen_store_field(g, GEN_CELLS_PTR, cells);
	leave(g, request, operand);
	gen_after_call(g);
	cell = 0;
	for (uint32_t i = 0; i < t->result_count; i++) {
		gen_push(g, t->results[i], gen_load_cell(g, cells, cell, t->results[i]));
		cell += cells_of(t->results[i]);
	}
}

static void return_stack(struct gen *g, const struct rc_type *t)
{
	LLVMValueRef *values = calloc(t->result_count + 2, sizeof(*values));

	for (uint32_t i = t->result_count; i-- > 0;) {
		values[i] = gen_pop(g);
	}
	gen_return(g, values);
	free(values);
	g->dead = true;
}

/* Row idx of an array of structs in the context, field which. */
static LLVMValueRef row_field(struct gen *g, LLVMTypeRef row, LLVMValueRef base, LLVMValueRef idx,
			      unsigned which, LLVMTypeRef type)
{
	LLVMValueRef path[] = {idx, gen_i32(g, which)};

	return gen_tag(g,
		       LLVMBuildLoad2(g->b, type, LLVMBuildGEP2(g->b, row, base, path, 2, ""), ""),
		       false);
}

/* The code of one of our own functions: base of the text plus the row's offset. */
static LLVMValueRef code_of(struct gen *g, LLVMValueRef funcs, LLVMValueRef idx)
{
	LLVMValueRef offset = row_field(g, g->func_row, funcs, idx, 0, g->i32);
	LLVMValueRef text = gen_load_field(g, GEN_TEXT);

	if (g->t->pointer_bits == 64) {
		offset = LLVMBuildZExt(g->b, offset, g->i64, "");
	}
	return LLVMBuildGEP2(g->b, g->i8, text, &offset, 1, "");
}

void gen_call(struct gen *g, uint32_t func, bool tail)
{
	const struct rc_func *f = &g->m->funcs[func];

	if (!f->imported) {
		/* Where a call cannot be relative, the table of functions tells the address. */
		LLVMValueRef callee = g->t->by_assembly ? code_of(g, gen_load_field(g, GEN_FUNCS),
								  gen_i32(g, func))
							: g->funcs[func];

		call_native(g, f->type, callee, tail);
		return;
	}
	call_engine(g, f->type, ROTOR_NATIVE_CALL, gen_i32(g, func));
	if (tail) {
		return_stack(g, &g->m->types[f->type]);
	}
}

/* The rows of a fixed table, beside the code: {type, distance to the function's code from the table}. */
static LLVMValueRef fixed_table(struct gen *g, uint32_t idx)
{
	const struct rc_table *t = &g->m->tables[idx];
	LLVMTypeRef row = LLVMStructTypeInContext(g->lc, (LLVMTypeRef[]){g->i32, g->i32}, 2, 0);
	LLVMValueRef *rows, table = g->tables[idx];
	char name[32];

	if (table != NULL) {
		return table;
	}
	snprintf(name, sizeof(name), "table.%u", idx);
	table = g->tables[idx] = LLVMAddGlobal(g->mod, LLVMArrayType2(row, t->count), name);
	rows = calloc(t->count + 1, sizeof(*rows));
	for (uint32_t i = 0; i < t->count; i++) {
		bool own = t->elems[i] != 0 && !g->m->funcs[t->elems[i] - 1].imported;
		LLVMValueRef parts[] = {gen_i32(g, UINT32_MAX), gen_i32(g, 0)};

		if (own) {
			LLVMValueRef code = LLVMConstPtrToInt(g->funcs[t->elems[i] - 1], g->size);
			LLVMValueRef d = LLVMConstSub(code, LLVMConstPtrToInt(table, g->size));

			parts[0] = gen_i32(g, g->m->types[g->m->funcs[t->elems[i] - 1].type].same);
			parts[1] = g->size == g->i32 ? d : LLVMConstTrunc(d, g->i32);
		}
		rows[i] = LLVMConstStructInContext(g->lc, parts, 2, 0);
	}
	LLVMSetInitializer(table, LLVMConstArray2(row, rows, t->count));
	LLVMSetGlobalConstant(table, 1);
	LLVMSetLinkage(table, LLVMPrivateLinkage);
	LLVMSetAlignment(table, 8);
	free(rows);
	return table;
}

static LLVMValueRef wide(struct gen *g, LLVMValueRef v, bool is_signed)
{
	return g->t->pointer_bits == 32 ? v
	       : is_signed              ? LLVMBuildSExt(g->b, v, g->i64, "")
					: LLVMBuildZExt(g->b, v, g->i64, "");
}

/* Goes to the block other unless the condition holds. */
static void expect(struct gen *g, LLVMValueRef not, LLVMBasicBlockRef other)
{
	LLVMBasicBlockRef on = gen_block(g, "");

	gen_unlikely(g, LLVMBuildCondBr(g->b, not, other, on));
	LLVMPositionBuilderAtEnd(g->b, on);
}

/* The code of element idx of a fixed table, if it is of the type; else on to other. */
static LLVMValueRef find_fixed(struct gen *g, const struct rc_insn *in, LLVMValueRef idx,
			       LLVMBasicBlockRef other)
{
	const struct rc_table *t = &g->m->tables[in->b];
	LLVMTypeRef row = LLVMStructTypeInContext(g->lc, (LLVMTypeRef[]){g->i32, g->i32}, 2, 0);
	LLVMValueRef table = fixed_table(g, in->b), type, distance;

	expect(g, LLVMBuildICmp(g->b, LLVMIntUGE, idx, gen_i32(g, t->count), ""), other);
	idx = wide(g, idx, false);
	type = row_field(g, row, table, idx, 0, g->i32);
	LLVMSetMetadata(type, g->invariant_kind, g->invariant);
	expect(g, LLVMBuildICmp(g->b, LLVMIntNE, type, gen_i32(g, g->m->types[in->a].same), ""),
	       other);
	distance = row_field(g, row, table, idx, 1, g->i32);
	LLVMSetMetadata(distance, g->invariant_kind, g->invariant);
	distance = wide(g, distance, true);
	distance = LLVMBuildGEP2(g->b, g->i8, table, &distance, 1, "");
	if (g->t->thumb) {
		distance = LLVMBuildPtrToInt(g->b, distance, g->i32, "");
		distance = LLVMBuildOr(g->b, distance, gen_i32(g, 1), "");
		distance = LLVMBuildIntToPtr(g->b, distance, g->ptr, "");
	}
	return distance;
}

/* The same for any table. A reference is ours when its high bits say so; then the type of the row decides. */
static LLVMValueRef find_element(struct gen *g, const struct rc_insn *in, LLVMValueRef idx,
				 LLVMBasicBlockRef other)
{
	LLVMValueRef table = pointer_at(g, gen_load_field(g, GEN_TABLES), in->b);
	LLVMValueRef count = row_field(g, g->table_row, table, gen_i32(g, 0), 1, g->i32);
	LLVMValueRef elems, ref, func, own, funcs, type;

	expect(g, LLVMBuildICmp(g->b, LLVMIntUGE, idx, count, ""), other);
	elems = gen_tag(g, LLVMBuildLoad2(g->b, g->ptr, table, ""), false);
	idx = wide(g, idx, false);
	ref = LLVMBuildGEP2(g->b, g->i32, elems, &idx, 1, "");
	ref = gen_tag(g, LLVMBuildLoad2(g->b, g->i32, ref, ""), false);
	/* Below func_count the function is ours; the subtraction wraps for others and for null. */
	func = LLVMBuildSub(g->b, ref, gen_load_field(g, GEN_SELF), "");
	own = LLVMBuildSub(g->b, func, gen_i32(g, g->m->imported_count), "");
	expect(g,
	       LLVMBuildICmp(g->b, LLVMIntUGE, own,
			     gen_i32(g, g->m->func_count - g->m->imported_count), ""),
	       other);
	funcs = gen_load_field(g, GEN_FUNCS);
	func = wide(g, func, false);
	type = row_field(g, g->func_row, funcs, func, 1, g->i32);
	expect(g, LLVMBuildICmp(g->b, LLVMIntNE, type, gen_i32(g, g->m->types[in->a].same), ""),
	       other);
	return code_of(g, funcs, func);
}

static void store_results(struct gen *g, const struct rc_type *t, LLVMValueRef *slots)
{
	for (uint32_t i = t->result_count; i-- > 0;) {
		LLVMBuildStore(g->b, gen_pop(g), slots[i]);
	}
}

/*
 * in: type a, table b. Whatever is not a function of our own of that type goes to the engine, which finds out what it is.
 */
void gen_call_indirect(struct gen *g, const struct rc_insn *in, bool tail)
{
	const struct rc_type *t = &g->m->types[in->a];
	LLVMBasicBlockRef engine = gen_block(g, "engine"), join = gen_block(g, "join");
	LLVMValueRef idx = gen_pop(g), code;
	uint32_t base = g->height - t->param_count;
	struct gen_value *saved = calloc(t->param_count + 1, sizeof(*saved));
	LLVMValueRef *out = calloc(t->result_count + 1, sizeof(*out));
	bool fixed = g->m->tables[in->b].fixed && !g->t->by_assembly;

	if (t->param_count != 0) {
		memcpy(saved, g->stack + base, t->param_count * sizeof(*saved));
	}
	for (uint32_t i = 0; i < t->result_count; i++) {
		out[i] = gen_alloca(g, gen_type(g, t->results[i]), "result");
	}
	code = fixed ? find_fixed(g, in, idx, engine) : find_element(g, in, idx, engine);
	call_native(g, in->a, code, tail);
	if (!tail) {
		store_results(g, t, out);
		LLVMBuildBr(g->b, join);
	}

	LLVMPositionBuilderAtEnd(g->b, engine);
	g->dead = false;
	g->height = base;
	for (uint32_t i = 0; i < t->param_count; i++) {
		gen_push(g, saved[i].type, saved[i].v);
	}
	gen_store_field(g, GEN_OPERAND2, gen_i32(g, in->a));
	gen_store_field(g, GEN_OPERAND3, gen_i32(g, in->b));
	call_engine(g, in->a, ROTOR_NATIVE_CALL_TABLE, idx);
	store_results(g, t, out);
	LLVMBuildBr(g->b, join);

	LLVMPositionBuilderAtEnd(g->b, join);
	for (uint32_t i = 0; i < t->result_count; i++) {
		gen_push(g, t->results[i],
			 LLVMBuildLoad2(g->b, gen_type(g, t->results[i]), out[i], ""));
	}
	free(saved);
	free(out);
	if (tail) {
		return_stack(g, t);
	}
}

/* ---- thunks ------------------------------------------------------------------------------------------- */

static void thunk(struct gen *g, uint32_t type)
{
	const struct rc_type *t = &g->m->types[type];
	LLVMTypeRef params[] = {g->ptr, g->ptr, g->ptr};
	char name[32];
	uint32_t cell = 0;
	unsigned own = gen_own_params(g);
	LLVMValueRef *args = calloc(t->param_count + own, sizeof(*args)), call;
	bool fuel = gen_returns_fuel(g, t);
	uint32_t count = t->result_count + fuel;

	snprintf(name, sizeof(name), "thunk.%u", type);
	LLVMValueRef fn = LLVMAddFunction(g->mod, name, LLVMFunctionType(g->none, params, 3, 0));

	gen_attributes(g, fn);
	LLVMPositionBuilderAtEnd(g->b, LLVMAppendBasicBlockInContext(g->lc, fn, ""));
	g->ctx = args[0] = LLVMGetParam(fn, 0);
	if (g->check_fuel) {
		args[1] = gen_load_field(g, GEN_FUEL);
	}
	for (uint32_t i = 0; i < t->param_count; i++) {
		args[own + i] = gen_load_cell(g, LLVMGetParam(fn, 2), cell, t->params[i]);
		cell += cells_of(t->params[i]);
	}
	call = LLVMBuildCall2(g->b, g->types[type], LLVMGetParam(fn, 1), args, own + t->param_count,
			      "");
	gen_mark_call(g, call);
	if (fuel) {
		gen_store_field(g, GEN_FUEL,
				count == 1 ? call
					   : LLVMBuildExtractValue(g->b, call, count - 1, ""));
	}
	cell = 0;
	for (uint32_t i = 0; i < t->result_count; i++) {
		LLVMValueRef v = count == 1 ? call : LLVMBuildExtractValue(g->b, call, i, "");

		gen_store_cell(g, LLVMGetParam(fn, 2), cell, t->results[i], v);
		cell += cells_of(t->results[i]);
	}
	LLVMBuildRetVoid(g->b);
	free(args);
}

void gen_thunks(struct gen *g)
{
	for (uint32_t i = 0; i < g->m->type_count; i++) {
		if (g->m->types[i].same == i) {
			thunk(g, i);
		}
	}
}
