/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a validated module to LLVM's form: one function for each function, control flow by basic blocks.
 *
 * In:    a module that the engine has validated, the target
 * Out:   an LLVM module: functions f<idx>, thunks thunk.<type>
 * Rules: 1. Nothing is generated that needs an address from outside the module: the context has all pointers.
 *        2. Functions are never inlined into each other: a backtrace shows what the source has.
 *        3. Fuel is charged exactly as the interpreter does: a function's whole body when it is entered, the body of a
 *           loop for each branch back to its begin.
 * Spec:  Wasm 2.0 4.4
 */
#include "rotorc/gen.h"

#include "base/base.h"
#include "rotor/native.h"

#include <llvm-c/IRReader.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void gen_fail(struct gen *g, const char *format, ...)
{
	va_list args;

	if (g->failed) {
		return;
	}
	g->failed = true;
	va_start(args, format);
	vsnprintf(g->why, g->cap, format, args);
	va_end(args);
}

/* ---- small pieces ------------------------------------------------------------------------------------- */

LLVMValueRef gen_i32(const struct gen *g, uint32_t v)
{
	return LLVMConstInt(g->i32, v, 0);
}

LLVMValueRef gen_i64(const struct gen *g, uint64_t v)
{
	return LLVMConstInt(g->i64, v, 0);
}

LLVMTypeRef gen_type(const struct gen *g, uint8_t type)
{
	switch (type) {
	case ROTOR_I64:
		return g->i64;
	case ROTOR_F32:
		return g->t->f32_unit ? g->f32 : g->i32;
	case ROTOR_F64:
		return g->t->f64_unit ? g->f64 : g->i64;
	default:
		return g->i32;
	}
}

LLVMValueRef gen_as_bits(struct gen *g, LLVMValueRef v)
{
	LLVMTypeRef t = LLVMTypeOf(v);

	return t == g->f32   ? LLVMBuildBitCast(g->b, v, g->i32, "")
	       : t == g->f64 ? LLVMBuildBitCast(g->b, v, g->i64, "")
			     : v;
}

LLVMValueRef gen_from_bits(struct gen *g, uint8_t type, LLVMValueRef v)
{
	LLVMTypeRef t = gen_type(g, type);

	return t == LLVMTypeOf(v) ? v : LLVMBuildBitCast(g->b, v, t, "");
}

void gen_push(struct gen *g, uint8_t type, LLVMValueRef v)
{
	if (g->height == g->stack_cap) {
		g->stack_cap = g->stack_cap * 2 + 64;
		g->stack = realloc(g->stack, g->stack_cap * sizeof(*g->stack));
	}
	if (LLVMIsAConstantFP(v)) {
		g->stack[g->height++] = (struct gen_value){gen_hide(g, v), v, type};
	} else {
		g->stack[g->height++] = (struct gen_value){v, NULL, type};
	}
}

LLVMValueRef gen_pop(struct gen *g)
{
	ASSERT(g->height > 0);
	return g->stack[--g->height].v;
}

LLVMBasicBlockRef gen_block(struct gen *g, const char *name)
{
	return LLVMAppendBasicBlockInContext(g->lc, g->fn, name);
}

/* In the entry block, so that it is one slot whatever loops around. */
LLVMValueRef gen_alloca(struct gen *g, LLVMTypeRef type, const char *name)
{
	LLVMBasicBlockRef here = LLVMGetInsertBlock(g->b), entry = LLVMGetEntryBasicBlock(g->fn);
	LLVMValueRef first = LLVMGetFirstInstruction(entry), v;

	if (first != NULL) {
		LLVMPositionBuilderBefore(g->b, first);
	} else {
		LLVMPositionBuilderAtEnd(g->b, entry);
	}
	v = LLVMBuildAlloca(g->b, type, name);
	LLVMPositionBuilderAtEnd(g->b, here);
	return v;
}

LLVMValueRef gen_tag(struct gen *g, LLVMValueRef insn, bool memory)
{
	LLVMSetMetadata(insn, g->tbaa_kind, memory ? g->tbaa_mem : g->tbaa_ctx);
	return insn;
}

LLVMValueRef gen_field(struct gen *g, enum gen_field field)
{
	return LLVMBuildStructGEP2(g->b, g->ctx_type, g->ctx, field, "");
}

/* Every instance backs that many bytes, so comparisons with what is surely below need not be made. */
static void mark_size(struct gen *g, LLVMValueRef v)
{
	uint64_t most = g->t->pointer_bits == 64 ? (UINT64_C(1) << 32) + 1 : 0;
	LLVMMetadataRef range[] = {LLVMValueAsMetadata(LLVMConstInt(g->size, g->m->memory_sure, 0)),
				   LLVMValueAsMetadata(LLVMConstInt(g->size, most, 0))};

	if (g->m->memory_sure != 0) {
		LLVMSetMetadata(v, LLVMGetMDKindIDInContext(g->lc, "range", 5),
				LLVMMetadataAsValue(g->lc, LLVMMDNodeInContext2(g->lc, range, 2)));
	}
}

LLVMValueRef gen_load_field(struct gen *g, enum gen_field field)
{
	LLVMTypeRef t = LLVMStructGetTypeAtIndex(g->ctx_type, field);
	LLVMValueRef v = gen_tag(g, LLVMBuildLoad2(g->b, t, gen_field(g, field), ""), false);

	bool changes = field == GEN_MEMORY_BYTES ? g->m->memory_changes
						 : field > GEN_STACK_LIMIT && field != GEN_SELF;

	if (!changes) {
		LLVMSetMetadata(v, g->invariant_kind, g->invariant);
	}
	if (field == GEN_MEMORY_BYTES) {
		mark_size(g, v);
	}
	return v;
}

void gen_store_field(struct gen *g, enum gen_field field, LLVMValueRef v)
{
	gen_tag(g, LLVMBuildStore(g->b, v, gen_field(g, field)), false);
}

LLVMValueRef gen_intrinsic(struct gen *g, const char *name, LLVMTypeRef type, LLVMValueRef *args,
			   unsigned count)
{
	unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
	LLVMValueRef f = LLVMGetIntrinsicDeclaration(g->mod, id, &type, 1);

	return LLVMBuildCall2(g->b, LLVMIntrinsicGetType(g->lc, id, &type, 1), f, args, count, "");
}

void gen_at_offset(struct gen *g, bool on)
{
	LLVMSetCurrentDebugLocation2(
		g->b, on ? LLVMDIBuilderCreateDebugLocation(g->lc, g->offset, 0, g->di_scope, NULL)
			 : NULL);
}

struct helper_row {
	const char *name, *type;
};

static const struct helper_row helper_rows[] = {
#define HELPER(name, type) {#name, type},
#include "rotor/native_helper_list.h"
#undef HELPER
};

LLVMValueRef gen_call_helper(struct gen *g, unsigned helper, LLVMValueRef *args)
{
	const char *type = helper_rows[helper].type;
	LLVMTypeRef params[4];
	unsigned count = 0;

	for (const char *c = type + 2; *c != 0; c++) {
		params[count++] = *c == 'I' ? g->i64 : g->i32;
	}
	LLVMTypeRef ft = LLVMFunctionType(type[0] == 'I' ? g->i64 : g->i32, params, count, 0);
	LLVMValueRef idx = gen_i32(g, helper), table = gen_load_field(g, GEN_HELPERS);
	LLVMValueRef fn =
		LLVMBuildLoad2(g->b, g->ptr, LLVMBuildGEP2(g->b, g->ptr, table, &idx, 1, ""), "");

	LLVMSetMetadata(fn, g->invariant_kind, g->invariant);
	gen_at_offset(g, true);
	LLVMValueRef v = LLVMBuildCall2(g->b, ft, fn, args, count, "");

	gen_at_offset(g, false);
	/* It reads and writes nothing, so that memory needs not be read again. */
	unsigned kind = LLVMGetEnumAttributeKindForName("memory", 6);

	LLVMAddCallSiteAttribute(v, (unsigned)LLVMAttributeFunctionIndex,
				 LLVMCreateEnumAttribute(g->lc, kind, 0));
	return v;
}

void gen_before_call(struct gen *g)
{
	if (g->check_fuel) {
		gen_store_field(g, GEN_FUEL, LLVMBuildLoad2(g->b, g->i32, g->fuel, ""));
	}
}

void gen_read_memory_fields(struct gen *g)
{
	LLVMBuildStore(g->b, gen_load_field(g, GEN_MEMORY), g->mem);
	LLVMBuildStore(g->b, gen_load_field(g, GEN_MEMORY_BYTES), g->mem_bytes);
}

void gen_after_call(struct gen *g)
{
	if (g->check_fuel) {
		LLVMBuildStore(g->b, gen_load_field(g, GEN_FUEL), g->fuel);
	}
	if (g->m->has_memory && g->m->memory_changes) {
		gen_read_memory_fields(g);
	}
}

static void mark(struct gen *g, LLVMValueRef call, LLVMAttributeIndex at, unsigned kind)
{
	LLVMAddCallSiteAttribute(call, at, LLVMCreateEnumAttribute(g->lc, kind, 0));
}

void gen_mark_call(struct gen *g, LLVMValueRef call)
{
	if (g->fast_calls) {
		LLVMSetInstructionCallConv(call, GEN_TAILCC);
	}
	mark(g, call, 1, g->self_kind);
	mark(g, call, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, g->nomerge_kind);
}

static const char thumb_stop[] = "={r0},{r0},{r1},r,~{lr},~{cc},~{memory}";
static const char thumb_stop_float[] =
	"={r0},{r0},{r1},r,~{lr},~{cc},~{memory},~{d0},~{d1},~{d2},~{d3},~{d4},~{d5},~{d6},~{d7}";

/*
 * A call that keeps all registers but those of the result and of the return address. On Thumb, where LLVM has no such
 * convention, it is an instruction that LLVM does not look into.
 */
static LLVMValueRef call_fuel_stop(struct gen *g)
{
	LLVMTypeRef params[] = {g->ptr, g->i32, g->ptr};
	LLVMTypeRef type = LLVMFunctionType(g->i32, params, g->t->thumb ? 3 : 2, 0);
	LLVMValueRef stop = gen_load_field(g, GEN_FUEL_STOP), callee = stop, call;
	LLVMValueRef args[] = {g->ctx, LLVMBuildLoad2(g->b, g->i32, g->fuel, ""), stop};

	if (g->t->thumb) {
		const char *kept = g->t->f32_unit ? thumb_stop_float : thumb_stop;

		callee = LLVMGetInlineAsm(type, "blx $3", 6, kept, strlen(kept), 1, 0,
					  LLVMInlineAsmDialectATT, 0);
	}
	gen_at_offset(g, true);
	call = LLVMBuildCall2(g->b, type, callee, args, g->t->thumb ? 3 : 2, "");
	gen_at_offset(g, false);
	if (!g->t->thumb) {
		LLVMSetInstructionCallConv(call, g->t->keeps);
	}
	return call;
}

void gen_fuel_stop(struct gen *g)
{
	LLVMValueRef call = call_fuel_stop(g);

	mark(g, call, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, g->nomerge_kind);
	LLVMAddCallSiteAttribute(call, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
				 g->reads_only);
	LLVMBuildStore(g->b, call, g->fuel);
	/* Memory that others have grown meanwhile may as well be noticed at the next call. */
}

/* ---- traps -------------------------------------------------------------------------------------------- */

void gen_unlikely(struct gen *g, LLVMValueRef branch)
{
	LLVMMetadataRef parts[] = {LLVMMDStringInContext2(g->lc, "branch_weights", 14),
				   LLVMValueAsMetadata(gen_i32(g, 1)),
				   LLVMValueAsMetadata(gen_i32(g, 100000))};

	LLVMSetMetadata(branch, LLVMGetMDKindIDInContext(g->lc, "prof", 4),
			LLVMMetadataAsValue(g->lc, LLVMMDNodeInContext2(g->lc, parts, 3)));
}

/* One block for each reason; which instruction it was comes in as a value. */
static LLVMBasicBlockRef trap_block(struct gen *g, enum rotor_trap trap)
{
	LLVMBasicBlockRef here = LLVMGetInsertBlock(g->b), block = g->trap_blocks[trap];
	LLVMTypeRef type = LLVMFunctionType(g->none, &g->ptr, 1, 0);

	if (block != NULL) {
		return block;
	}
	block = g->trap_blocks[trap] = gen_block(g, "trap");
	LLVMPositionBuilderAtEnd(g->b, block);
	g->trap_offsets[trap] = LLVMBuildPhi(g->b, g->i32, "offset");
	gen_before_call(g);
	gen_store_field(g, GEN_REQUEST, gen_i32(g, trap));
	gen_store_field(g, GEN_OFFSET, g->trap_offsets[trap]);
	gen_at_offset(g, true);
	LLVMBuildCall2(g->b, type, gen_load_field(g, GEN_LEAVE), &g->ctx, 1, "");
	gen_at_offset(g, false);
	LLVMBuildUnreachable(g->b);
	LLVMPositionBuilderAtEnd(g->b, here);
	return block;
}

static void add_trap(struct gen *g, enum rotor_trap trap)
{
	LLVMValueRef offset = gen_i32(g, g->offset);
	LLVMBasicBlockRef here = LLVMGetInsertBlock(g->b);

	LLVMAddIncoming(g->trap_offsets[trap], &offset, &here, 1);
}

void gen_trap_if(struct gen *g, LLVMValueRef cond, enum rotor_trap trap)
{
	LLVMBasicBlockRef block = trap_block(g, trap), on = gen_block(g, "");

	add_trap(g, trap);
	gen_unlikely(g, LLVMBuildCondBr(g->b, cond, block, on));
	LLVMPositionBuilderAtEnd(g->b, on);
}

void gen_trap(struct gen *g, enum rotor_trap trap)
{
	LLVMBasicBlockRef block = trap_block(g, trap);

	add_trap(g, trap);
	LLVMBuildBr(g->b, block);
	g->dead = true;
}

static void select_value(struct gen *g)
{
	LLVMValueRef cond = LLVMBuildICmp(g->b, LLVMIntNE, gen_pop(g), gen_i32(g, 0), ""),
		     b = gen_pop(g);
	uint8_t type = g->stack[g->height - 1].type;
	LLVMValueRef a = gen_pop(g);

	gen_push(g, type, LLVMBuildSelect(g->b, cond, a, b, ""));
}

/* ---- instructions ------------------------------------------------------------------------------------- */

static void control(struct gen *g, const struct rc_insn *in)
{
	switch (in->op) {
	case 0x00:
		gen_trap(g, ROTOR_TRAP_UNREACHABLE);
		break;
	case 0x0C:
		gen_branch(g, in->a);
		g->dead = true;
		break;
	case 0x0D:
		gen_branch_if(g, in->a);
		break;
	case 0x0E:
		gen_branch_table(g, in);
		break;
	case 0x0F:
		gen_return_top(g);
		g->dead = true;
		break;
	case 0x10:
	case 0x12:
		gen_call(g, in->a, in->op == 0x12);
		break;
	case 0x11:
	case 0x13:
		gen_call_indirect(g, in, in->op == 0x13);
		break;
	case 0x1A:
		gen_pop(g);
		break;
	case 0x1B:
	case 0x1C:
		select_value(g);
		break;
	default: /* nop */
		break;
	}
}

static void variable(struct gen *g, const struct rc_insn *in)
{
	switch (in->op) {
	case 0x20:
		gen_push(g, g->local_types[in->a],
			 LLVMBuildLoad2(g->b, gen_type(g, g->local_types[in->a]), g->locals[in->a],
					""));
		break;
	case 0x21:
		LLVMBuildStore(g->b, gen_pop(g), g->locals[in->a]);
		break;
	case 0x22:
		LLVMBuildStore(g->b, g->stack[g->height - 1].v, g->locals[in->a]);
		break;
	case 0x23:
	case 0x24:
		gen_global(g, in);
		break;
	case 0x25:
		gen_request(g, ROTOR_NATIVE_TABLE_GET, in->a, 1, ROTOR_FUNCREF);
		break;
	default:
		gen_request(g, ROTOR_NATIVE_TABLE_SET, in->a, 2, 0);
		break;
	}
}

static void bulk(struct gen *g, const struct rc_insn *in)
{
	switch (in->op & 0xFF) {
	case 8:
		gen_request(g, ROTOR_NATIVE_MEMORY_INIT, in->a, 3, 0);
		break;
	case 9:
		gen_request(g, ROTOR_NATIVE_DATA_DROP, in->a, 0, 0);
		break;
	case 10:
		gen_request(g, ROTOR_NATIVE_MEMORY_COPY, 0, 3, 0);
		break;
	case 11:
		gen_request(g, ROTOR_NATIVE_MEMORY_FILL, 0, 3, 0);
		break;
	case 12:
		gen_request(g, ROTOR_NATIVE_TABLE_INIT, in->b << 16 | in->a, 3, 0);
		break;
	case 13:
		gen_request(g, ROTOR_NATIVE_ELEM_DROP, in->a, 0, 0);
		break;
	case 14:
		gen_request(g, ROTOR_NATIVE_TABLE_COPY, in->a << 16 | in->b, 3, 0);
		break;
	case 15:
		gen_request(g, ROTOR_NATIVE_TABLE_GROW, in->a, 2, ROTOR_I32);
		break;
	case 16:
		gen_request(g, ROTOR_NATIVE_TABLE_SIZE, in->a, 0, ROTOR_I32);
		break;
	default:
		gen_request(g, ROTOR_NATIVE_TABLE_FILL, in->a, 3, 0);
		break;
	}
}

static void reference(struct gen *g, const struct rc_insn *in)
{
	LLVMValueRef a;

	switch (in->op) {
	case 0xD0:
		gen_push(g, (uint8_t)in->a, gen_i32(g, 0));
		break;
	case 0xD1:
		a = LLVMBuildICmp(g->b, LLVMIntEQ, gen_pop(g), gen_i32(g, 0), "");
		gen_push(g, ROTOR_I32, LLVMBuildZExt(g->b, a, g->i32, ""));
		break;
	default:
		gen_request(g, ROTOR_NATIVE_REF_FUNC, in->a, 0, ROTOR_FUNCREF);
		break;
	}
}

static void plain(struct gen *g, const struct rc_insn *in)
{
	uint32_t op = in->op;

	if (op >= 0xFC08) {
		bulk(g, in);
	} else if (op >= 0xFC00) {
		gen_numeric(g, in);
	} else if (op >= 0xD0) {
		reference(g, in);
	} else if (op >= 0x41) {
		gen_numeric(g, in);
	} else if (op == 0x40) {
		gen_request(g, ROTOR_NATIVE_MEMORY_GROW, 0, 1, ROTOR_I32);
	} else if (op == 0x3F) {
		gen_request(g, ROTOR_NATIVE_MEMORY_SIZE, 0, 0, ROTOR_I32);
	} else if (op >= 0x36) {
		gen_store(g, in);
	} else if (op >= 0x28) {
		gen_load(g, in);
	} else if (op >= 0x20) {
		variable(g, in);
	} else {
		control(g, in);
	}
}

static void instruction(struct gen *g, const struct rc_insn *in)
{
	g->insn_count++;
	g->offset = in->offset;
	switch (in->op) {
	case 0x02:
	case 0x03:
	case 0x04:
		gen_begin(g, in);
		break;
	case 0x05:
		gen_else(g);
		break;
	case 0x0B:
		gen_end(g);
		break;
	default:
		if (!g->dead) {
			plain(g, in);
		}
		break;
	}
}

/* ---- functions ---------------------------------------------------------------------------------------- */

static void add_local(struct gen *g, uint8_t type, LLVMValueRef v)
{
	g->locals = realloc(g->locals, (g->local_count + 1) * sizeof(*g->locals));
	g->local_types = realloc(g->local_types, g->local_count + 1);
	g->locals[g->local_count] = LLVMBuildAlloca(g->b, gen_type(g, type), "local");
	g->local_types[g->local_count++] = type;
	LLVMBuildStore(g->b, v, g->locals[g->local_count - 1]);
}

static void make_locals(struct gen *g, struct rc_reader *r)
{
	uint32_t groups;

	g->local_count = 0;
	for (uint32_t i = 0; i < g->ft->param_count; i++) {
		add_local(g, g->ft->params[i], LLVMGetParam(g->fn, gen_own_params(g) + i));
	}
	groups = rc_read_u32(r);
	for (uint32_t i = 0; i < groups; i++) {
		uint32_t count = rc_read_u32(r);
		uint8_t type = *r->at++;

		for (uint32_t k = 0; k < count; k++) {
			LLVMValueRef zero = LLVMConstNull(gen_type(g, type));

			add_local(g, type, LLVMIsAConstantFP(zero) ? gen_hide(g, zero) : zero);
		}
	}
}

/* A frame that reaches below the limit is a trap; the frame is there when this runs. */
static void check_stack(struct gen *g)
{
	LLVMValueRef sp = gen_intrinsic(g, "llvm.stacksave", g->ptr, NULL, 0);

	sp = LLVMBuildPtrToInt(g->b, sp, g->size, "");
	gen_trap_if(g, LLVMBuildICmp(g->b, LLVMIntULT, sp, gen_load_field(g, GEN_STACK_LIMIT), ""),
		    ROTOR_TRAP_STACK);
}

/* Pays for the body; a small function leaves the test to others. */
static void enter(struct gen *g)
{
	if (g->f->tests_fuel) {
		gen_pay(g, g->f->cost);
	} else {
		gen_charge(g, g->f->cost);
	}
}

static void describe(struct gen *g, uint32_t idx, const char *name)
{
	g->di_scope = LLVMDIBuilderCreateFunction(g->di, g->di_file, name, strlen(name), name,
						  strlen(name), g->di_file, g->f->offset,
						  g->di_type, 0, 1, g->f->offset, 0, 1);
	LLVMSetSubprogram(g->fn, g->di_scope);
}

static void find_float_loads(struct gen *g)
{
	struct rc_reader r;
	struct rc_insn in;

	g->loads_f32 = g->loads_f64 = false;
	rc_reader_init(&r, g->m, g->f);
	rc_skip_locals(&r);
	while (rc_read_insn(&r, &in)) {
		g->loads_f32 |= in.op == 0x2A && g->t->f32_unit;
		g->loads_f64 |= in.op == 0x2B && g->t->f64_unit;
	}
}

static void function(struct gen *g, uint32_t idx)
{
	struct rc_reader r;
	struct rc_insn in;
	struct gen_frame *outer;
	char name[16];

	g->f = &g->m->funcs[idx];
	g->ft = &g->m->types[g->f->type];
	g->fn = g->funcs[idx];
	g->ctx = LLVMGetParam(g->fn, 0);
	g->height = g->depth = g->insn_count = g->loop_count = 0;
	g->loops = rc_read_loops(g->m, g->f);
	find_float_loads(g);
	g->dead = false;
	g->offset = g->f->offset;
	g->scratch = NULL;
	memset(g->trap_blocks, 0, sizeof(g->trap_blocks));
	snprintf(name, sizeof(name), "f%u", idx);
	describe(g, idx, name);

	LLVMPositionBuilderAtEnd(g->b, gen_block(g, "entry"));
	rc_reader_init(&r, g->m, g->f);
	g->fuel = LLVMBuildAlloca(g->b, g->i32, "fuel");
	g->mem = LLVMBuildAlloca(g->b, g->ptr, "mem");
	g->mem_bytes = LLVMBuildAlloca(g->b, g->size, "mem_bytes");
	make_locals(g, &r);
	if (g->check_fuel) {
		LLVMBuildStore(g->b, LLVMGetParam(g->fn, 1), g->fuel);
	}
	gen_read_memory_fields(g);
	if (g->f->tests_stack) {
		check_stack(g);
	}
	enter(g);
	outer = gen_push_frame(g);
	outer->result_count = g->ft->result_count;
	outer->results = g->ft->results;
	while (!g->failed && rc_read_insn(&r, &in)) {
		instruction(g, &in);
	}
	free(g->loops);
}

/* ---- the module --------------------------------------------------------------------------------------- */

static void attribute(struct gen *g, LLVMValueRef fn, const char *key, const char *value)
{
	unsigned kind = LLVMGetEnumAttributeKindForName(key, strlen(key));
	LLVMAttributeRef a = value == NULL
				     ? LLVMCreateEnumAttribute(g->lc, kind, 0)
				     : LLVMCreateStringAttribute(g->lc, key, (unsigned)strlen(key),
								 value, (unsigned)strlen(value));

	LLVMAddAttributeAtIndex(fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, a);
}

void gen_attributes(struct gen *g, LLVMValueRef fn)
{
	LLVMSetVisibility(fn, LLVMHiddenVisibility);
	attribute(g, fn, "noinline", NULL);
	attribute(g, fn, "nounwind", NULL);
	attribute(g, fn, "no-builtins", "");
	/* Endless recursion must exhaust the stack, and a backtrace have every frame. */
	attribute(g, fn, "disable-tail-calls", "true");
	attribute(g, fn, "warn-stack-size", "0"); /* how the frame's size is learnt */
	attribute(g, fn, "no-realign-stack", ""); /* that size is all of it */
	if (g->t->by_assembly) {
		attribute(g, fn, "no-jump-tables", "true");
	} else {
		attribute(g, fn, "frame-pointer", "all");
	}
	if (g->small) {
		attribute(g, fn, "optsize", NULL);
	}
}

static void declare(struct gen *g, uint32_t idx)
{
	char name[16];

	snprintf(name, sizeof(name), "f%u", idx);
	g->funcs[idx] =
		LLVMAddFunction(g->mod, name, g->types[g->m->types[g->m->funcs[idx].type].same]);
	if (g->fast_calls) {
		LLVMSetFunctionCallConv(g->funcs[idx], GEN_TAILCC);
	}
	LLVMAddAttributeAtIndex(g->funcs[idx], 1, LLVMCreateEnumAttribute(g->lc, g->self_kind, 0));
	gen_attributes(g, g->funcs[idx]);
}

unsigned gen_own_params(const struct gen *g)
{
	return g->check_fuel ? 2 : 1;
}

bool gen_returns_fuel(const struct gen *g, const struct rc_type *t)
{
	unsigned words = 1;

	for (uint32_t i = 0; i < t->result_count; i++) {
		bool wide = t->results[i] == ROTOR_I64 || t->results[i] == ROTOR_F64;

		words += wide && g->t->pointer_bits == 32 ? 2 : 1;
	}
	return g->check_fuel && words <= g->t->result_words;
}

static LLVMTypeRef function_type(struct gen *g, const struct rc_type *t)
{
	LLVMTypeRef *params = calloc(t->param_count + 2, sizeof(*params));
	LLVMTypeRef *results = calloc(t->result_count + 1, sizeof(*results)), result, whole;
	uint32_t own = gen_own_params(g), count = t->result_count;

	params[0] = g->ptr;
	params[1] = g->i32;
	for (uint32_t i = 0; i < t->param_count; i++) {
		params[own + i] = gen_type(g, t->params[i]);
	}
	for (uint32_t i = 0; i < count; i++) {
		results[i] = gen_type(g, t->results[i]);
	}
	if (gen_returns_fuel(g, t)) {
		results[count++] = g->i32;
	}
	result = count == 0   ? g->none
		 : count == 1 ? results[0]
			      : LLVMStructTypeInContext(g->lc, results, count, 0);
	whole = LLVMFunctionType(result, params, own + t->param_count, 0);
	free(params);
	free(results);
	return whole;
}

static LLVMValueRef tbaa(struct gen *g, LLVMMetadataRef root, const char *name)
{
	LLVMMetadataRef zero = LLVMValueAsMetadata(gen_i64(g, 0));
	LLVMMetadataRef type[] = {LLVMMDStringInContext2(g->lc, name, strlen(name)), root, zero};
	LLVMMetadataRef node = LLVMMDNodeInContext2(g->lc, type, 3);
	LLVMMetadataRef access[] = {node, node, zero};

	return LLVMMetadataAsValue(g->lc, LLVMMDNodeInContext2(g->lc, access, 3));
}

static void make_types(struct gen *g)
{
	LLVMContextRef lc = g->lc;

	g->i1 = LLVMInt1TypeInContext(lc);
	g->i8 = LLVMInt8TypeInContext(lc);
	g->i16 = LLVMInt16TypeInContext(lc);
	g->i32 = LLVMInt32TypeInContext(lc);
	g->i64 = LLVMInt64TypeInContext(lc);
	g->f32 = LLVMFloatTypeInContext(lc);
	g->f64 = LLVMDoubleTypeInContext(lc);
	g->none = LLVMVoidTypeInContext(lc);
	g->ptr = LLVMPointerTypeInContext(lc, 0);
	g->size = g->t->pointer_bits == 64 ? g->i64 : g->i32;

	LLVMTypeRef fields[GEN_FIELD_COUNT];

	for (int i = 0; i < GEN_FIELD_COUNT; i++) {
		fields[i] = i >= GEN_FUEL                                   ? g->i32
			    : i == GEN_MEMORY_BYTES || i == GEN_STACK_LIMIT ? g->size
									    : g->ptr;
	}
	g->ctx_type = LLVMStructTypeInContext(lc, fields, GEN_FIELD_COUNT, 0);
	g->func_row = LLVMStructTypeInContext(lc, (LLVMTypeRef[]){g->i32, g->i32, g->i32}, 3, 0);
	g->table_row = LLVMStructTypeInContext(lc, (LLVMTypeRef[]){g->i64, g->i32}, 2, 0);
}

static unsigned kind_of(const char *name)
{
	return LLVMGetEnumAttributeKindForName(name, strlen(name));
}

/*
 * What memory a function may touch is numbered otherwise in each LLVM, so its own reader makes the attribute. At a stop for
 * fuel the host may write in linear memory, to which the context leads.
 */
static void make_attributes(struct gen *g)
{
	static const char text[] = "declare void @f() "
				   "memory(read, argmem: readwrite, inaccessiblemem: readwrite)\n"
				   "declare void @g() memory(none)";
	LLVMMemoryBufferRef buffer =
		LLVMCreateMemoryBufferWithMemoryRangeCopy(text, sizeof(text) - 1, "");
	LLVMModuleRef mod;
	char *message = NULL;

	g->self_kind = kind_of("swiftself");
	g->nomerge_kind = kind_of("nomerge");
	if (LLVMParseIRInContext(g->lc, buffer, &mod, &message) != 0) {
		gen_fail(g, "LLVM does not read the attribute: %s", message);
		LLVMDisposeMessage(message);
		return;
	}
	g->reads_only = LLVMGetEnumAttributeAtIndex(LLVMGetNamedFunction(mod, "f"),
						    (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
						    kind_of("memory"));
	g->touches_none = LLVMGetEnumAttributeAtIndex(
		LLVMGetNamedFunction(mod, "g"), (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
		kind_of("memory"));
	LLVMDisposeModule(mod);
}

static void make_metadata(struct gen *g)
{
	LLVMMetadataRef name = LLVMMDStringInContext2(g->lc, "rotorc", 6), root;
	LLVMMetadataRef file;

	root = LLVMMDNodeInContext2(g->lc, &name, 1);
	g->tbaa_kind = LLVMGetMDKindIDInContext(g->lc, "tbaa", 4);
	g->invariant_kind = LLVMGetMDKindIDInContext(g->lc, "invariant.load", 14);
	g->tbaa_ctx = tbaa(g, root, "context");
	g->tbaa_mem = tbaa(g, root, "memory");
	g->invariant = LLVMMetadataAsValue(g->lc, LLVMMDNodeInContext2(g->lc, NULL, 0));

	g->di = LLVMCreateDIBuilder(g->mod);
	file = g->di_file = LLVMDIBuilderCreateFile(g->di, "module.wasm", 11, ".", 1);
	LLVMDIBuilderCreateCompileUnit(g->di, LLVMDWARFSourceLanguageC, file, "rotorc", 6, 1, "", 0,
				       0, "", 0, LLVMDWARFEmissionLineTablesOnly, 0, 0, 0, "", 0,
				       "", 0);
	g->di_type = LLVMDIBuilderCreateSubroutineType(g->di, file, NULL, 0, LLVMDIFlagZero);
	LLVMAddModuleFlag(g->mod, LLVMModuleFlagBehaviorWarning, "Debug Info Version", 18,
			  LLVMValueAsMetadata(gen_i32(g, LLVMDebugMetadataVersion())));
	LLVMAddModuleFlag(g->mod, LLVMModuleFlagBehaviorWarning, "Dwarf Version", 13,
			  LLVMValueAsMetadata(gen_i32(g, 4)));
}

int gen_module(const struct rc_module *m, const struct rotorc_target *t,
	       const struct rotorc_gen_options *options, struct rotorc_code *out, char *why,
	       size_t cap)
{
	struct gen g = {.m = m,
			.t = t,
			.why = why,
			.cap = cap,
			.check_fuel = options->fuel,
			.small = options->small};

	*out = (struct rotorc_code){0};
	if (m->tail_calls && t->tail_words == 0) {
		snprintf(why, cap, "target %s cannot promise tail calls, which this module makes",
			 t->name);
		return -1;
	}
	g.fast_calls = m->tail_calls;
	g.lc = LLVMContextCreate();
	g.mod = LLVMModuleCreateWithNameInContext("module", g.lc);
	g.b = LLVMCreateBuilderInContext(g.lc);
	make_types(&g);
	make_metadata(&g);
	make_attributes(&g);
	g.types = calloc(m->type_count + 1, sizeof(*g.types));
	g.funcs = calloc(m->func_count + 1, sizeof(*g.funcs));
	g.tables = calloc(m->table_count + 1, sizeof(*g.tables));
	for (uint32_t i = 0; i < m->type_count; i++) {
		g.types[i] = function_type(&g, &m->types[i]);
	}
	for (uint32_t i = m->imported_count; i < m->func_count; i++) {
		declare(&g, i);
	}
	for (uint32_t i = m->imported_count; i < m->func_count && !g.failed; i++) {
		function(&g, i);
	}
	LLVMSetCurrentDebugLocation2(g.b, NULL);
	gen_thunks(&g);
	LLVMDIBuilderFinalize(g.di);
	LLVMDisposeDIBuilder(g.di);
	LLVMDisposeBuilder(g.b);
	free(g.types);
	free(g.funcs);
	free(g.tables);
	free(g.locals);
	free(g.local_types);
	free(g.stack);
	free(g.frames);
	*out = (struct rotorc_code){g.lc, g.mod};
	if (g.failed) {
		gen_free(out);
		return -1;
	}
	return 0;
}

char *gen_text(const struct rotorc_code *code)
{
	char *text = LLVMPrintModuleToString(code->mod), *copy = strdup(text);

	LLVMDisposeMessage(text);
	return copy;
}

void gen_free(struct rotorc_code *code)
{
	LLVMDisposeModule(code->mod);
	LLVMContextDispose(code->lc);
}
