/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structured control: blocks become LLVM's basic blocks, values at labels travel through slots that the optimiser removes.
 *
 * Spec: Wasm 2.0 4.4.8
 */
#include "rotorc/gen.h"

#include "base/base.h"
#include "rotor/native.h"

#include <stdlib.h>

/* ---- fuel --------------------------------------------------------------------------------------------- */

void gen_charge(struct gen *g, uint32_t units)
{
	LLVMValueRef left;

	if (g->check_fuel) {
		left = LLVMBuildLoad2(g->b, g->i32, g->fuel, "");
		left = LLVMBuildSub(g->b, left, gen_i32(g, units), "");
		LLVMBuildStore(g->b, left, g->fuel);
	}
}

/* On Thumb, where one instruction subtracts and compares: whether no more is left than is paid. */
static LLVMValueRef seems_empty(struct gen *g, LLVMValueRef before, uint32_t units)
{
	return g->t->thumb
		       ? LLVMBuildICmp(g->b, LLVMIntSLE, before, gen_i32(g, units), "")
		       : LLVMBuildICmp(g->b, LLVMIntSLT, LLVMBuildLoad2(g->b, g->i32, g->fuel, ""),
				       gen_i32(g, 0), "");
}

/* Goes back if there is enough after all, which LLVM is not to see, as it would merge the two tests. */
static void test_exactly(struct gen *g, LLVMBasicBlockRef on)
{
	LLVMTypeRef type = LLVMFunctionType(g->i32, &g->i32, 1, 0);
	LLVMValueRef same =
		LLVMGetInlineAsm(type, "", 0, "=r,0", 4, 0, 0, LLVMInlineAsmDialectATT, 0);
	LLVMValueRef left = LLVMBuildLoad2(g->b, g->i32, g->fuel, ""), enough;
	LLVMBasicBlockRef empty = gen_block(g, "empty");

	left = LLVMBuildCall2(g->b, type, same, &left, 1, "");
	enough = LLVMBuildICmp(g->b, LLVMIntSGE, left, gen_i32(g, 0), "");
	LLVMBuildCondBr(g->b, enough, on, empty);
	LLVMPositionBuilderAtEnd(g->b, empty);
}

void gen_pay(struct gen *g, uint32_t units)
{
	LLVMBasicBlockRef empty, on;
	LLVMValueRef before;

	if (!g->check_fuel) {
		return;
	}
	empty = gen_block(g, "fuel");
	on = gen_block(g, "");
	before = LLVMBuildLoad2(g->b, g->i32, g->fuel, "");
	gen_charge(g, units);
	gen_unlikely(g, LLVMBuildCondBr(g->b, seems_empty(g, before, units), empty, on));
	LLVMPositionBuilderAtEnd(g->b, empty);
	if (g->t->thumb) {
		test_exactly(g, on);
	}
	gen_fuel_stop(g);
	LLVMBuildBr(g->b, on);
	LLVMPositionBuilderAtEnd(g->b, on);
}

/*
 * A simple loop pays at its head, so that nothing stands in the way back and the optimiser sees plain counting. The way in
 * gives the price back beforehand, and branches of another price pay the difference.
 */
static bool pays_at_head(const struct gen *g, const struct gen_frame *f)
{
	return g->check_fuel && f->loop->branches == 1 && !f->loop->calls;
}

static void branch_back(struct gen *g, const struct gen_frame *f)
{
	uint32_t price = g->insn_count - f->begin;

	if (pays_at_head(g, f)) {
		gen_charge(g, price - f->loop->price);
	} else {
		gen_pay(g, price);
	}
	LLVMBuildBr(g->b, f->target);
}

/* ---- control ------------------------------------------------------------------------------------------ */

static struct gen_frame *frame_at(struct gen *g, uint32_t depth)
{
	return &g->frames[g->depth - 1 - depth];
}

static void block_type(struct gen *g, int64_t block, struct gen_frame *f)
{
	static const uint8_t one[] = {ROTOR_I32, ROTOR_I64,     ROTOR_F32,
				      ROTOR_F64, ROTOR_FUNCREF, ROTOR_EXTERNREF};

	if (block >= 0) {
		const struct rc_type *t = &g->m->types[block];

		f->params = t->params;
		f->param_count = t->param_count;
		f->results = t->results;
		f->result_count = t->result_count;
	} else if (block != -64) {
		for (unsigned i = 0; i < BASE_COUNT(one); i++) {
			if (one[i] == (uint8_t)(block & 0x7F)) {
				f->results = &one[i];
				f->result_count = 1;
			}
		}
	}
}

static LLVMValueRef *make_slots(struct gen *g, const uint8_t *types, uint32_t count)
{
	LLVMValueRef *slots = calloc(count + 1, sizeof(*slots));

	for (uint32_t i = 0; i < count; i++) {
		slots[i] = gen_alloca(g, gen_type(g, types[i]), "slot");
	}
	return slots;
}

/* The values on top of the stack go to the slots; they stay on the stack. */
static void fill_slots(struct gen *g, LLVMValueRef *slots, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		LLVMBuildStore(g->b, g->stack[g->height - count + i].v, slots[i]);
	}
}

static void push_slots(struct gen *g, const uint8_t *types, LLVMValueRef *slots, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		gen_push(g, types[i], LLVMBuildLoad2(g->b, gen_type(g, types[i]), slots[i], ""));
	}
}

void gen_return(struct gen *g, LLVMValueRef *values)
{
	const struct rc_type *t = g->ft;
	uint32_t count = t->result_count;

	if (gen_returns_fuel(g, t)) {
		values[count++] = LLVMBuildLoad2(g->b, g->i32, g->fuel, "");
	} else {
		gen_before_call(g);
	}
	if (count == 0) {
		LLVMBuildRetVoid(g->b);
	} else if (count == 1) {
		LLVMBuildRet(g->b, values[0]);
	} else {
		LLVMBuildAggregateRet(g->b, values, count);
	}
}

void gen_return_top(struct gen *g)
{
	LLVMValueRef *values = calloc(g->ft->result_count + 2, sizeof(*values));

	for (uint32_t i = 0; i < g->ft->result_count; i++) {
		values[i] = g->stack[g->height - g->ft->result_count + i].v;
	}
	gen_return(g, values);
	free(values);
}

/* A branch to a label: ends the block that is being built. */
void gen_branch(struct gen *g, uint32_t depth)
{
	struct gen_frame *f = frame_at(g, depth);

	if (f->op == 0) {
		gen_return_top(g);
		return;
	}
	fill_slots(g, f->slots, f->op == 0x03 ? f->param_count : f->result_count);
	if (f->op == 0x03) {
		branch_back(g, f);
	} else {
		LLVMBuildBr(g->b, f->target);
	}
}

struct gen_frame *gen_push_frame(struct gen *g)
{
	if (g->depth == g->frame_cap) {
		g->frame_cap = g->frame_cap * 2 + 16;
		g->frames = realloc(g->frames, g->frame_cap * sizeof(*g->frames));
	}
	g->frames[g->depth] = (struct gen_frame){.begin = g->insn_count};
	return &g->frames[g->depth++];
}

static void begin_loop(struct gen *g, struct gen_frame *f)
{
	f->target = gen_block(g, "loop");
	f->slots = make_slots(g, f->params, f->param_count);
	fill_slots(g, f->slots, f->param_count);
	f->loop = &g->loops[g->loop_count++];
	if (pays_at_head(g, f)) {
		gen_charge(g, 0 - f->loop->price);
	}
	LLVMBuildBr(g->b, f->target);
	LLVMPositionBuilderAtEnd(g->b, f->target);
	if (pays_at_head(g, f)) {
		gen_pay(g, f->loop->price);
	}
	g->height = f->height;
	push_slots(g, f->params, f->slots, f->param_count);
}

static void begin_if(struct gen *g, struct gen_frame *f, LLVMValueRef cond)
{
	LLVMBasicBlockRef then = gen_block(g, "then");

	f->other = gen_block(g, "else");
	f->inputs = calloc(f->param_count + 1, sizeof(*f->inputs));
	for (uint32_t i = 0; i < f->param_count; i++) {
		f->inputs[i] = g->stack[f->height + i].v;
	}
	cond = LLVMBuildICmp(g->b, LLVMIntNE, cond, gen_i32(g, 0), "");
	LLVMBuildCondBr(g->b, cond, then, f->other);
	LLVMPositionBuilderAtEnd(g->b, then);
}

void gen_begin(struct gen *g, const struct rc_insn *in)
{
	LLVMValueRef cond = !g->dead && in->op == 0x04 ? gen_pop(g) : NULL;
	struct gen_frame *f = gen_push_frame(g);

	f->op = (uint8_t)in->op;
	f->dead = g->dead;
	block_type(g, in->block, f);
	if (g->dead) {
		g->loop_count += in->op == 0x03;
		return;
	}
	f->height = g->height - f->param_count;
	if (in->op == 0x03) {
		begin_loop(g, f);
		return;
	}
	f->target = gen_block(g, "end");
	f->slots = make_slots(g, f->results, f->result_count);
	if (in->op == 0x04) {
		begin_if(g, f, cond);
	}
}

/* From the then part to the else part. */
void gen_else(struct gen *g)
{
	struct gen_frame *f = frame_at(g, 0);

	if (f->dead) {
		return;
	}
	if (!g->dead) {
		gen_branch(g, 0);
	}
	f->op = 0x05;
	g->dead = false;
	g->height = f->height;
	LLVMPositionBuilderAtEnd(g->b, f->other);
	for (uint32_t i = 0; i < f->param_count; i++) {
		gen_push(g, f->params[i], f->inputs[i]);
	}
}

void gen_end(struct gen *g)
{
	struct gen_frame *f = frame_at(g, 0);

	if (!f->dead && f->op == 0x04) {
		gen_else(g); /* an else part that does nothing */
		f = frame_at(g, 0);
	}
	if (!f->dead && f->op == 0) {
		if (!g->dead) {
			gen_return_top(g);
		}
	} else if (!f->dead && f->op != 0x03) {
		if (!g->dead) {
			gen_branch(g, 0);
		}
		g->dead = false;
		g->height = f->height;
		LLVMPositionBuilderAtEnd(g->b, f->target);
		push_slots(g, f->results, f->slots, f->result_count);
	}
	free(f->slots);
	free(f->inputs);
	g->depth--;
}

void gen_branch_if(struct gen *g, uint32_t depth)
{
	LLVMValueRef cond = LLVMBuildICmp(g->b, LLVMIntNE, gen_pop(g), gen_i32(g, 0), "");
	LLVMBasicBlockRef taken = gen_block(g, ""), on = gen_block(g, "");

	LLVMBuildCondBr(g->b, cond, taken, on);
	LLVMPositionBuilderAtEnd(g->b, taken);
	gen_branch(g, depth);
	LLVMPositionBuilderAtEnd(g->b, on);
}

void gen_branch_table(struct gen *g, const struct rc_insn *in)
{
	LLVMValueRef idx = gen_pop(g);
	LLVMBasicBlockRef here = LLVMGetInsertBlock(g->b);
	LLVMBasicBlockRef *blocks = calloc(g->depth, sizeof(*blocks));
	struct rc_reader r = {in->targets, NULL, NULL};
	uint32_t *depths = calloc(in->a + 1, sizeof(*depths));

	for (uint32_t i = 0; i <= in->a; i++) {
		depths[i] = rc_read_u32(&r);
		if (blocks[depths[i]] == NULL) {
			blocks[depths[i]] = gen_block(g, "case");
			LLVMPositionBuilderAtEnd(g->b, blocks[depths[i]]);
			gen_branch(g, depths[i]);
		}
	}
	LLVMPositionBuilderAtEnd(g->b, here);
	LLVMValueRef s = LLVMBuildSwitch(g->b, idx, blocks[depths[in->a]], in->a);

	for (uint32_t i = 0; i < in->a; i++) {
		LLVMAddCase(s, gen_i32(g, i), blocks[depths[i]]);
	}
	free(blocks);
	free(depths);
	g->dead = true;
}
