/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks and branches.
 *
 * Values that a branch carries go to the label's slots, ascending: a source never lies below its
 * destination. Forward jumps to one label form a chain through their own distance fields until the
 * label is reached. A branch to a loop charges the instructions since its begin.
 */
#include "rotor/emit.h"

#define FAR_ENTRY 0x80000000u

/* ---- jumps ---- */

/* Sets the distance of the jump whose field is at field. */
static void patch(struct translator *t, uint32_t field, uint32_t target)
{
	form_put32(t->form + field, target - field);
}

static void patch_chain(struct translator *t, uint32_t field, uint32_t target)
{
	while (field != 0) {
		uint32_t before = form_get32(t->form + field);

		patch(t, field, target);
		field = before;
	}
}

/* Emits the distance field of a forward jump, chained to the others of *chain. */
static int emit_field(struct rotor_loader *l, uint32_t *chain)
{
	uint32_t before = *chain;

	*chain = l->t.at;
	return emit(l, 2, (const uint16_t[]){(uint16_t)before, (uint16_t)(before >> 16)});
}

static uint32_t loop_cost(const struct rotor_loader *l, const struct ctl *c)
{
	return l->body.instr_count - c->instr;
}

/* The jump itself, when all values are in place. */
static int jump(struct rotor_loader *l, struct ctl *c)
{
	uint32_t cost, distance;

	if (c->kind == CTL_FUNC) {
		return emit_two(l, F_RETURN, l->t.link);
	}
	if (c->kind != CTL_LOOP) {
		TRY(emit_one(l, F_BR));
		return emit_field(l, &c->patches);
	}
	cost = loop_cost(l, c);
	TRY(emit_three(l, F_BR_LOOP, cost, (cost >> 16)));
	distance = c->begin - l->t.at;
	return emit(l, 2, (const uint16_t[]){(uint16_t)distance, (uint16_t)(distance >> 16)});
}

/* The first slot of a label's values. */
static uint16_t label_slot(const struct ctl *c)
{
	return c->kind == CTL_FUNC ? 0 : c->base;
}

/* Moves the top count entries, settled ones, to slots from slot on. */
static int move_down(struct rotor_loader *l, uint32_t count, uint16_t slot)
{
	for (uint32_t i = count; i-- > 0;) {
		const struct entry *e = &l->sp[i];

		TRY(emit_three(l, type_cells(e->type) == 2 ? F_MOV64 : F_MOV32, e->pos, slot));
		emit_wrote(&l->t, slot, type_cells(e->type));
		slot = (uint16_t)(slot + type_cells(e->type));
	}
	return 0;
}

static bool in_place(const struct rotor_loader *l, uint32_t count, uint16_t slot)
{
	return count == 0 || l->sp[count - 1].pos == slot;
}

/* Puts the top count entries where label slot wants them; they are not used otherwise. */
static int carry(struct rotor_loader *l, uint32_t count, uint16_t slot)
{
	if (count == 1) {
		if (l->sp->kind == ENTRY_PENDING) {
			return emit_pending_slot(l, slot);
		}
		TRY(emit_flush(l));
		return emit_move(l, l->sp, slot);
	}
	TRY(t_settle(l, count));
	return in_place(l, count, slot) ? 0 : move_down(l, count, slot);
}

int t_return(struct rotor_loader *l, uint32_t arity)
{
	uint16_t slot;

	if (arity == 1 && emit_slot(l->sp, &slot) && !emit_held(&l->t, l->sp)) {
		TRY(emit_flush(l));
		return emit_three(l, type_cells(l->sp->type) == 2 ? F_RETURN64 : F_RETURN32, slot,
				  l->t.link);
	}
	TRY(carry(l, arity, 0));
	return emit_two(l, F_RETURN, l->t.link);
}

int t_branch(struct rotor_loader *l, struct ctl *c, uint32_t arity)
{
	if (c->kind == CTL_FUNC) {
		return t_return(l, arity);
	}
	TRY(carry(l, arity, c->base));
	return jump(l, c);
}

/* ---- conditions ---- */

/* A condition ready to be jumped on. */
struct test {
	struct bound at;
	uint16_t generic; /* the comparison */
	bool plain;       /* not a comparison: nonzero or zero */
	bool zero;
};

static const struct {
	struct {
		uint16_t base, variants;
	} op[2]; /* forward, back */
} branches[] = { /* from G_CMP_FIRST on */
#define R(name, in, set, ...)                                                                      \
	[G_##name - G_CMP_FIRST] = {                                                               \
		{{F_BR_##name##_BASE, MASK_BR_##set}, {F_BACK_##name##_BASE, MASK_BACK_##set}}},
		FORM_CMP_LIST(R)
#undef R
};

static bool has_branch(unsigned generic, bool back, unsigned operands)
{
	return (branches[generic - G_CMP_FIRST].op[back].variants >> (operands * 2) & 1) != 0;
}

/* The branch on the pending comparison or its inverse, if there is one. */
static bool fuse(const struct pending *p, bool invert, bool back, struct test *out)
{
	unsigned generic = invert ? t_inverse(p->generic) : p->generic;

	out->at = (struct bound){p->operands, p->a, p->b};
	if (!has_branch(generic, back, p->operands) && p->operands == OPERANDS_SS) {
		/* Of two slots it may exist with its operands swapped. */
		generic = t_mirror(generic);
		out->at.a = (uint16_t)p->b;
		out->at.b = p->a;
	}
	out->generic = (uint16_t)generic;
	return has_branch(generic, back, p->operands);
}

/* Takes the pending comparison, or brings cond to a slot or the accumulator. */
static int take_test(struct rotor_loader *l, struct entry *cond, bool invert, bool back,
		     struct test *out)
{
	struct pending p = l->t.pending;

	out->plain = true;
	out->zero = invert;
	if (cond->kind != ENTRY_PENDING || p.generic >= G_COUNT ||
	    form_generics[p.generic].class != CLASS_CMP) {
		return emit_bind_one(l, 1, cond, &out->at);
	}
	if ((p.operands == OPERANDS_SK || p.operands == OPERANDS_AK) && p.b == 0 &&
	    (p.generic == G_I32_EQ || p.generic == G_I32_NE)) {
		l->t.pending.entry = NULL;
		out->at.a = p.a;
		out->zero = (p.generic == G_I32_EQ) != invert;
		out->at.operands = p.operands == OPERANDS_SK ? OPERANDS_S : OPERANDS_A;
		return 0;
	}
	if (fuse(&p, invert, back, out)) {
		l->t.pending.entry = NULL;
		out->plain = false;
		return 0;
	}
	out->at.operands = OPERANDS_A;
	return emit_pending_acc(l);
}

/* Units of operation and operands of a test; returns how many. */
static unsigned test_units(const struct test *t, bool back, uint16_t *units)
{
	static const uint16_t plain_ops[2][2][2] = {
		{{F_BRNZ_S, F_BRNZ_A}, {F_BRZ_S, F_BRZ_A}},
		{{F_BACKNZ_S, F_BACKNZ_A}, {F_BACKZ_S, F_BACKZ_A}},
	};
	unsigned n = 1, operands = t->at.operands;

	if (t->plain) {
		units[0] = plain_ops[back][t->zero][operands == OPERANDS_A];
		units[1] = t->at.a;
		return operands == OPERANDS_A ? 1 : 2;
	}
	units[0] =
		emit_variant(branches[t->generic - G_CMP_FIRST].op[back].base,
			     branches[t->generic - G_CMP_FIRST].op[back].variants, operands, false);
	ASSERT(units[0] != F_HALT);
	return n + emit_operands(operands, form_type(form_generics[t->generic].in), t->at.a,
				 t->at.b, units + n);
}

/* Jumps forward, into the chain, if the test holds. */
static int branch_forward(struct rotor_loader *l, const struct test *t, uint32_t *chain)
{
	uint16_t units[6];
	unsigned n = test_units(t, false, units);

	TRY(emit_op(l, n, units));
	return emit_field(l, chain);
}

/* Whether a loop's begin and cost fit the short backward branches. */
static bool fits_back(const struct rotor_loader *l, const struct ctl *c)
{
	return loop_cost(l, c) <= UINT16_MAX && l->t.at + 8 - c->begin <= UINT16_MAX;
}

static int branch_back(struct rotor_loader *l, const struct test *t, const struct ctl *c)
{
	uint16_t units[8];
	unsigned n = test_units(t, true, units);

	units[n++] = (uint16_t)loop_cost(l, c);
	TRY(emit_op(l, n, units));
	units[0] = (uint16_t)(l->t.at - c->begin);
	return emit(l, 1, units);
}

static int conditional(struct rotor_loader *l, struct ctl *c, uint32_t arity, struct entry *cond,
		       bool moves)
{
	uint32_t skip = 0;
	struct test t = {0};
	bool direct = !moves && c->kind != CTL_FUNC && (c->kind != CTL_LOOP || fits_back(l, c));

	TRY(take_test(l, cond, !direct, direct && c->kind == CTL_LOOP, &t));
	if (direct) {
		return c->kind == CTL_LOOP ? branch_back(l, &t, c)
					   : branch_forward(l, &t, &c->patches);
	}
	TRY(branch_forward(l, &t, &skip));
	if (moves) {
		TRY(move_down(l, arity, label_slot(c)));
	}
	TRY(jump(l, c));
	patch(&l->t, skip, l->t.at);
	emit_forget(&l->t);
	return 0;
}

int t_branch_if(struct rotor_loader *l, struct ctl *c, uint32_t arity, struct entry *cond)
{
	/* Settling the values must not separate a pending condition from its accumulator: it only
	 * moves. */
	if (cond->kind != ENTRY_PENDING) {
		TRY(emit_flush(l));
	}
	for (uint32_t i = arity; i-- > 0;) {
		TRY(t_settle_entry(l, &l->sp[i]));
	}
	return conditional(l, c, arity, cond, arity > 0 && !in_place(l, arity, label_slot(c)));
}

/* ---- blocks ---- */

int t_enter(struct rotor_loader *l, struct ctl *c, uint32_t params, struct entry *cond)
{
	struct test t = {0};

	if (cond == NULL || cond->kind != ENTRY_PENDING) {
		TRY(emit_flush(l));
	}
	for (uint32_t i = 0; i < params; i++) {
		TRY(t_settle_entry(l, &l->sp[i]));
	}
	TRY(t_settle_locals(l));
	if (cond == NULL) {
		return 0;
	}
	TRY(take_test(l, cond, true, false, &t));
	return branch_forward(l, &t, &c->skip);
}

int t_else(struct rotor_loader *l, struct ctl *c, uint32_t results)
{
	if (!c->dead) {
		TRY(t_settle(l, results));
		TRY(emit_one(l, F_BR));
		TRY(emit_field(l, &c->patches));
	}
	patch_chain(&l->t, c->skip, l->t.at);
	c->skip = 0;
	emit_forget(&l->t);
	return 0;
}

int t_loop(struct rotor_loader *l, struct ctl *c)
{
	c->begin = l->t.at;
	emit_forget(&l->t);
	return 0;
}

int t_block_end(struct rotor_loader *l, const struct ctl *c, uint32_t results, bool live,
		bool *keep)
{
	bool target = c->patches != 0 || c->skip != 0;

	*keep = live && !target && c->kind != CTL_FUNC;
	if (*keep) {
		return 0;
	}
	if (live && c->kind == CTL_FUNC) {
		return t_return(l, results);
	}
	if (live) {
		TRY(t_settle(l, results));
	}
	patch_chain(&l->t, c->patches, l->t.at);
	patch_chain(&l->t, c->skip, l->t.at);
	emit_forget(&l->t);
	return 0;
}

/* ---- branch tables ---- */

int t_table_begin(struct rotor_loader *l, struct entry *index, uint32_t targets, uint32_t arity)
{
	uint16_t slot = 0;
	uint32_t last = targets - 1;

	TRY(t_settle_index(l, arity, index, &slot));
	l->t.table_at = l->t.at;
	return EMIT(l, F_BR_TABLE, slot, (uint16_t)last, (uint16_t)(last >> 16));
}

int t_table_target(struct rotor_loader *l, struct ctl *c, uint32_t depth, uint32_t arity)
{
	bool direct = (c->kind == CTL_BLOCK || c->kind == CTL_IF || c->kind == CTL_ELSE) &&
		      in_place(l, arity, c->base);

	if (direct) {
		return emit_field(l, &c->patches);
	}
	depth |= FAR_ENTRY;
	return emit(l, 2, (const uint16_t[]){(uint16_t)depth, (uint16_t)(depth >> 16)});
}

/* Code for the targets that need more than a jump: moves, a charge, a return. */
int t_table_end(struct rotor_loader *l, uint32_t arity)
{
	uint32_t first = l->t.table_at + 4;
	uint32_t end = first + 2 * (form_get32(l->t.form + l->t.table_at + 2) + 1);

	for (uint32_t i = first; i < end; i += 2) {
		uint32_t depth = form_get32(l->t.form + i), here = l->t.at;
		struct ctl *c;

		if ((depth & FAR_ENTRY) == 0) {
			continue;
		}
		for (uint32_t j = i; j < end; j += 2) {
			if (form_get32(l->t.form + j) == depth) {
				patch(&l->t, j, here);
			}
		}
		emit_forget(&l->t);
		c = validate_label(l, depth & ~FAR_ENTRY);
		if (!in_place(l, arity, label_slot(c))) {
			TRY(move_down(l, arity, label_slot(c)));
		}
		TRY(jump(l, c));
	}
	return 0;
}
