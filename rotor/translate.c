/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From valid instructions on values to the form.
 *
 * local.get and constants emit nothing: an entry of the stack remembers where its value is. The last
 * operation stays pending until its consumer (accumulator), a local.set (that local's slot), or
 * anything else (its own slot) tells where its result goes.
 *
 * Rules: 1. A local that entries still refer to is copied to their slots before it is set.
 *        2. At the begin of a block everything below is settled, so that all paths agree.
 *        3. Constants are never settled without need: they do not change.
 * Not:   validation (validate.c), encoding (emit.c), control flow (translate_control.c).
 */
#include "rotor/emit.h"

/* ---- functions ---- */

int t_begin(struct rotor_loader *l)
{
	static const uint16_t header[FORM_HEADER_UNITS];
	struct translator *t = &l->t;
	uint32_t link = BASE_MAX(l->body.local_cells, (uint32_t)l->body.type->result_cells);

	memset(t, 0, sizeof(*t));
	t->form = l->m->form;
	t->at = (uint32_t)((uint16_t *)l->low - t->form);
	t->map = l->low;
	t->map_last = l->body.offset;
	t->link = (uint16_t)link;
	t->cells_max = link + 1;
	emit_forget(t);
	TRY(emit(l, FORM_HEADER_UNITS, header));
	t->begin = t->at;
	return 0;
}

/* The calls that wait for a function's place, the last of them at call, are told. */
static void tell_place(const struct translator *t, uint32_t call, uint32_t place)
{
	while (FORM_CALL_PLACE != 0 && call != 0) {
		uint32_t before = form_get32(t->form + call);

		form_put32(t->form + call, place);
		call = before;
	}
}

int t_end(struct rotor_loader *l)
{
	struct translator *t = &l->t;
	struct func *f = &l->m->funcs[l->body.func];
	uint16_t *header = t->form + t->begin - FORM_HEADER_UNITS;
	uint8_t *to = (uint8_t *)(t->form + t->at);

	form_put32(header, l->body.offset);
	form_put32(header + 2, t->at - t->begin);
	memmove(to, t->map, t->map_bytes);
	to += t->map_bytes;
	if (t->map_bytes % 2 != 0) {
		if (to == (uint8_t *)l->high) {
			return load_fail(l, ROTOR_ERR_MEMORY,
					 "the block is too small for this module");
		}
		*to++ = 0;
	}
	l->low = to;
	l->m->form_bytes = (uint32_t)(to - (uint8_t *)t->form);
	tell_place(t, f->form, t->begin);
	f->form = t->begin;
	f->cost = l->body.instr_count;
	f->zero_from = l->body.type->param_cells;
	f->zero_count = (uint16_t)(t->link - f->zero_from);
	ASSERT(t->cells_max <= UINT16_MAX);
	f->frame_cells = (uint16_t)t->cells_max;
	return 0;
}

/* ---- settling ---- */

static int settle(struct rotor_loader *l, struct entry *e, bool consts)
{
	if (e->kind == ENTRY_TEMP || (e->kind == ENTRY_CONST && !consts)) {
		return 0;
	}
	if (e->kind == ENTRY_PENDING) {
		return emit_flush(l);
	}
	TRY(emit_move(l, e, e->pos));
	l->t.locals_on_stack -= entry_borrows(e->kind);
	e->kind = ENTRY_TEMP;
	return 0;
}

int t_settle(struct rotor_loader *l, uint32_t count)
{
	TRY(emit_flush(l));
	for (uint32_t i = count; i-- > 0;) {
		TRY(settle(l, &l->sp[i], true));
	}
	return 0;
}

int t_settle_entry(struct rotor_loader *l, struct entry *e)
{
	return settle(l, e, true);
}

int t_settle_locals(struct rotor_loader *l)
{
	struct entry *e = (struct entry *)l->body.ctl;

	while (e > l->sp && l->t.locals_on_stack > 0) {
		e--;
		TRY(settle(l, e, false));
	}
	return 0;
}

static bool refers_to(const struct entry *e, uint16_t slot)
{
	return entry_borrows(e->kind) &&
	       (e->lo == slot || (HAS_SUMS && e->kind == ENTRY_SUM2 && e->hi == slot));
}

/* Copies local slot to the entries that refer to it. */
static int preserve(struct rotor_loader *l, uint16_t slot)
{
	struct entry *e = (struct entry *)l->body.ctl;

	if (l->t.locals_on_stack == 0) {
		return 0;
	}
	while (e > l->sp) {
		e--;
		if (refers_to(e, slot)) {
			TRY(settle(l, e, false));
		}
	}
	return 0;
}

void t_moved(struct rotor_loader *l, const struct entry *from, struct entry *to)
{
	if (l->t.pending.entry != NULL) {
		l->t.pending.entry = to + (l->t.pending.entry - from);
	}
}

/* ---- values ---- */

int t_result(struct rotor_loader *l, struct entry *e)
{
	struct pending *p = &l->t.pending;

	if (HAS_SUMS && l->t.lazy.kind != ENTRY_TEMP) {
		e->kind = l->t.lazy.kind;
		e->lo = l->t.lazy.lo;
		e->hi = l->t.lazy.hi;
		l->t.lazy.kind = ENTRY_TEMP;
		l->t.locals_on_stack++;
		return 0;
	}
	p->entry = e;
	e->kind = ENTRY_PENDING;
	/* There is no way from a global to a float accumulator. */
	if (p->generic == PENDING_GLOBAL && (e->type == ROTOR_F32 || e->type == ROTOR_F64)) {
		return emit_flush(l);
	}
	return 0;
}

static void set_pending(struct rotor_loader *l, unsigned generic, const struct bound *at)
{
	struct pending *p = &l->t.pending;

	p->entry = NULL;
	p->generic = (uint16_t)generic;
	p->operands = (uint8_t)at->operands;
	p->a = at->a;
	p->b = at->b;
	p->type = form_type(form_generics[generic].out);
	p->offset = l->body.at;
}

int t_unary(struct rotor_loader *l, unsigned generic, struct entry *a)
{
	struct bound at = {0};

	TRY(emit_bind_one(l, form_generics[generic].variants, a, &at));
	set_pending(l, generic, &at);
	return 0;
}

/* Of the comparisons, from the first on. */
static const struct {
	uint8_t inverse, mirror;
} others[] = {
#define R(name, in, set, expr, inverse, mirror) {G_##inverse, G_##mirror},
	FORM_CMP_LIST(R)
#undef R
};
_Static_assert(G_COUNT <= UINT8_MAX, "a generic operation fits a byte");

unsigned t_inverse(unsigned generic)
{
	return others[generic - G_CMP_FIRST].inverse;
}

unsigned t_mirror(unsigned generic)
{
	return others[generic - G_CMP_FIRST].mirror;
}

static bool is_const(const struct entry *e, uint64_t k)
{
	return e->kind == ENTRY_CONST && e->lo == (uint32_t)k &&
	       (type_cells(e->type) == 1 || e->hi == (uint32_t)(k >> 32));
}

/* Turns operations with a constant into ones that have variants for it. */
static unsigned simplify(unsigned generic, struct entry *b)
{
	uint64_t k = b->lo | (uint64_t)b->hi << 32;

	if (b->kind != ENTRY_CONST) {
		return generic;
	}
	if (generic == G_I32_SUB || generic == G_I64_SUB) {
		k = 0 - k;
		generic = generic == G_I32_SUB ? G_I32_ADD : G_I64_ADD;
	} else if (generic == G_F32_SUB || generic == G_F64_SUB) {
		/* Adding the negative is the same; the sign of a NaN result may be either. */
		k ^= generic == G_F32_SUB ? UINT64_C(1) << 31 : UINT64_C(1) << 63;
		generic = generic == G_F32_SUB ? G_F32_ADD : G_F64_ADD;
	} else if (generic == G_I32_ROTR || generic == G_I64_ROTR) {
		k = 0 - k;
		generic = generic == G_I32_ROTR ? G_I32_ROTL : G_I64_ROTL;
	}
	/* Handlers rely on this. */
	if (generic >= G_I32_SHL && generic <= G_I32_ROTL) {
		k &= 31;
	} else if (generic >= G_I64_SHL && generic <= G_I64_ROTL) {
		k &= 63;
	}
	b->lo = (uint32_t)k;
	b->hi = (uint32_t)(k >> 32);
	return generic;
}

/* The operation with its operands swapped; G_COUNT if there is none. */
static unsigned mirror_of(unsigned generic)
{
	switch (generic) {
	case G_I32_ADD:
	case G_I32_MUL:
	case G_I32_AND:
	case G_I32_OR:
	case G_I32_XOR:
	case G_I64_ADD:
	case G_I64_MUL:
	case G_I64_AND:
	case G_I64_OR:
	case G_I64_XOR:
	case G_F32_ADD:
	case G_F32_MUL:
	case G_F32_EQ:
	case G_F32_NE:
	case G_F64_ADD:
	case G_F64_MUL:
	case G_F64_EQ:
	case G_F64_NE:
		return generic;
	default:
		return form_generics[generic].class == CLASS_CMP ? t_mirror(generic) : G_COUNT;
	}
}

/* Turns a comparison into its opposite; of two slots, GT and GE are LT and LE swapped. */
static void invert(struct pending *p)
{
	p->generic = (uint16_t)t_inverse(p->generic);
	if (p->operands == OPERANDS_SS && (form_generics[p->generic].variants & 3) == 0) {
		uint16_t first = p->a;

		p->a = p->b;
		p->b = first;
		p->generic = (uint16_t)t_mirror(p->generic);
	}
}

/* Whether a's slot holds its value until the result, in the place of first, is used. */
static bool stays(const struct entry *a, const struct entry *first)
{
	return a->kind == ENTRY_LOCAL || (a->kind == ENTRY_TEMP && a->pos == first->pos);
}

/* a + b as a sum that is computed where it is used. */
static bool lazy_sum(struct translator *t, const struct entry *a, const struct entry *b)
{
	uint16_t slot_a, slot_b;

	if (b->kind == ENTRY_CONST && a->kind == ENTRY_SUM) {
		t->lazy = *a;
		t->lazy.hi += b->lo;
		return true;
	}
	if (!stays(a, a) || !emit_slot(a, &slot_a) || emit_held(t, a)) {
		return false;
	}
	if (b->kind == ENTRY_CONST) {
		t->lazy.kind = ENTRY_SUM;
		t->lazy.hi = b->lo;
	} else if (stays(b, a) && emit_slot(b, &slot_b) && !emit_held(t, b)) {
		t->lazy.kind = ENTRY_SUM2;
		t->lazy.hi = slot_b;
	} else {
		return false;
	}
	t->lazy.lo = slot_a;
	return true;
}

int t_binary(struct rotor_loader *l, unsigned generic, struct entry *a, struct entry *b)
{
	struct pending *p = &l->t.pending;
	struct bound at = {0};
	unsigned mirror;
	bool swapped;

	/* eqz of a comparison that is not emitted yet. */
	if ((generic == G_I32_EQ) && is_const(b, 0) && a->kind == ENTRY_PENDING &&
	    p->generic < G_COUNT && form_generics[p->generic].class == CLASS_CMP) {
		invert(p);
		return 0;
	}
	generic = simplify(generic, b);
	if (HAS_SUMS && generic == G_I32_ADD && lazy_sum(&l->t, a, b)) {
		return 0;
	}
	mirror = mirror_of(generic);
	TRY(emit_bind(l, form_generics[generic].variants,
		      mirror < G_COUNT ? form_generics[mirror].variants : 0, a, b, &at, &swapped));
	set_pending(l, swapped ? mirror : generic, &at);
	return 0;
}

/* An offset that is over 16 bits at the last byte is added beforehand, into the accumulator. */
static int far_address(struct rotor_loader *l, struct entry *a, uint32_t offset, struct bound *at)
{
	TRY(emit_bind_one(l, 1, a, at));
	TRY(emit_map(l, l->body.at));
	if (at->operands == OPERANDS_A) {
		TRY(emit_three(l, F_ADDR_A, offset, (offset >> 16)));
	} else {
		TRY(EMIT(l, F_ADDR_S, at->a, (uint16_t)offset, (uint16_t)(offset >> 16)));
	}
	l->t.acc_slot[0] = NO_SLOT;
	at->operands = OPERANDS_A;
	return 0;
}

/* A constant address takes an offset into itself, unless their sum is over 32 bits. */
static void merge_offset(struct entry *a, uint32_t *offset)
{
	if (a->kind == ENTRY_CONST && *offset <= UINT32_MAX - a->lo) {
		a->lo += *offset;
		*offset = 0;
	}
}

/* Makes the address of a load, without offset, of a sum or constant; false: it is none, or there is no
 * variant. */
static bool load_of_sum(struct rotor_loader *l, unsigned generic, const struct entry *a,
			struct bound *at)
{
	const struct pending *p = &l->t.pending;

	if (a->kind == ENTRY_SUM || a->kind == ENTRY_SUM2) {
		at->operands = a->kind == ENTRY_SUM ? OPERANDS_SL : OPERANDS_LOAD_SS;
		at->a = (uint16_t)a->lo;
		at->b = a->hi;
	} else if (a->kind == ENTRY_CONST) {
		at->operands = OPERANDS_LOAD_L;
		at->b = a->lo;
	} else if (a->kind == ENTRY_PENDING && p->generic == G_I32_ADD &&
		   p->operands != OPERANDS_SA) {
		/* The addition is pending: it is not emitted but taken over. */
		at->a = p->a;
		at->b = p->b;
		at->operands = p->operands == OPERANDS_SS   ? (unsigned)OPERANDS_LOAD_SS
			       : p->operands == OPERANDS_AS ? (unsigned)OPERANDS_LOAD_AS
			       : p->operands == OPERANDS_SK || p->operands == OPERANDS_SL
				       ? (unsigned)OPERANDS_SL
				       : (unsigned)OPERANDS_AL;
	} else {
		return false;
	}
	return (form_generics[generic].variants >> (at->operands * 2) & 1) != 0;
}

int t_load(struct rotor_loader *l, unsigned generic, struct entry *a, uint32_t offset,
	   unsigned last)
{
	struct bound at = {0};

	merge_offset(a, &offset);
	if (offset > UINT16_MAX - last) {
		TRY(far_address(l, a, offset, &at));
		offset = 0;
	} else if (!HAS_SUM_LOADS || offset != 0 || !load_of_sum(l, generic, a, &at)) {
		TRY(emit_bind_one(l, form_generics[generic].variants, a, &at));
	} else if (a->kind != ENTRY_PENDING) {
		TRY(emit_flush(l));
	}
	set_pending(l, generic, &at);
	l->t.pending.c = (uint16_t)(offset + last);
	return 0;
}

/* A store's variants as emit_bind wants them: two bits each, of the first five. */
static uint16_t bind_mask(uint16_t variants)
{
	uint16_t mask = 0;

	for (unsigned i = 0; i < 5; i++) {
		mask = (uint16_t)(mask | (variants >> i & 1) << (2 * i));
	}
	return mask;
}

static int emit_store(struct rotor_loader *l, unsigned generic, const struct bound *at,
		      unsigned to_last)
{
	const struct form_generic_info *info = &form_generics[generic];
	uint16_t units[8] = {emit_variant_bit(info->base, info->variants, at->operands)};
	unsigned n = 1;

	ASSERT(units[0] != F_HALT);
	n += emit_operands(at->operands, ROTOR_I32, at->a, at->b & 0xffff, units + n);
	units[n++] = (uint16_t)to_last;
	TRY(emit_map(l, l->body.at));
	return emit_op(l, n, units);
}

/* The variant of a store to a sum or a constant address. */
static unsigned sum_store_operands(const struct entry *a, bool acc, bool constant)
{
	if (a->kind == ENTRY_CONST) {
		return acc ? OPERANDS_STORE_LA : OPERANDS_STORE_LS;
	}
	if (constant) {
		return OPERANDS_STORE_SLK;
	}
	if (a->kind == ENTRY_SUM2) {
		return acc ? OPERANDS_STORE_SSA : OPERANDS_STORE_SSS;
	}
	return acc ? OPERANDS_STORE_SLA : OPERANDS_STORE_SLS;
}

/* Stores to a sum or a constant address without offset: the value is in the accumulator, a slot, or a constant. */
static int store_to_sum(struct rotor_loader *l, unsigned generic, const struct entry *a,
			struct entry *v)
{
	const struct form_generic_info *info = &form_generics[generic];
	bool acc = v->kind == ENTRY_PENDING || emit_held(&l->t, v);
	bool constant = a->kind == ENTRY_SUM && v->kind == ENTRY_CONST && emit_fits16(v);
	uint32_t k = a->kind == ENTRY_CONST ? a->lo : a->hi;
	uint16_t units[8], slot = (uint16_t)v->lo;
	unsigned n = 1;

	if (v->kind == ENTRY_PENDING) {
		TRY(emit_pending_acc(l));
	} else if (!acc && !constant) {
		TRY(emit_to_slot(l, v, &slot));
	}
	units[0] =
		emit_variant_bit(info->base, info->variants, sum_store_operands(a, acc, constant));
	ASSERT(units[0] != F_HALT);
	if (a->kind != ENTRY_CONST) {
		units[n++] = (uint16_t)a->lo;
	}
	units[n++] = (uint16_t)k;
	if (a->kind != ENTRY_SUM2) {
		units[n++] = (uint16_t)(k >> 16);
	}
	if (!acc) {
		units[n++] = slot;
	}
	TRY(emit_map(l, l->body.at));
	return emit_op(l, n, units);
}

/* A float in its accumulator is stored from there, any other as the integer of its bits. */
static unsigned store_as(const struct rotor_loader *l, unsigned generic, const struct entry *a,
			 struct entry *v)
{
	bool is_float = generic == G_F32_STORE || generic == G_F64_STORE;

	if (!is_float || v->kind == ENTRY_PENDING ||
	    (emit_held(&l->t, v) && a->kind != ENTRY_PENDING)) {
		return generic;
	}
	v->type = generic == G_F32_STORE ? ROTOR_I32 : ROTOR_I64;
	return generic == G_F32_STORE ? G_I32_STORE : G_I64_STORE;
}

/* The address in a slot plus offset; then the value as it is. */
static int far_store(struct rotor_loader *l, unsigned generic, struct entry *a, struct entry *v,
		     uint32_t offset, unsigned last)
{
	struct bound at = {0};
	uint16_t slot;

	if (a->kind == ENTRY_PENDING) {
		TRY(emit_to_slot(l, a, &slot)); /* its operands may lie where the value goes */
	}
	TRY(emit_to_slot(l, v, &slot));
	TRY(far_address(l, a, offset, &at));
	at.operands = OPERANDS_AS;
	at.b = slot;
	generic = generic == G_F32_STORE   ? G_I32_STORE
		  : generic == G_F64_STORE ? G_I64_STORE
					   : generic;
	return emit_store(l, generic, &at, last);
}

int t_store(struct rotor_loader *l, unsigned generic, struct entry *a, struct entry *v,
	    uint32_t offset, unsigned last)
{
	struct bound at = {0};
	bool swapped;

	if (l->t.pending.entry != NULL && a->kind != ENTRY_PENDING && v->kind != ENTRY_PENDING) {
		TRY(emit_flush(l));
	}
	merge_offset(a, &offset);
	if (offset > UINT16_MAX - last) {
		return far_store(l, generic, a, v, offset, last);
	}
	generic = store_as(l, generic, a, v);
	if (HAS_SUM_STORES && offset == 0 && (emit_is_sum(a) || a->kind == ENTRY_CONST) &&
	    (form_generics[generic].variants >> OPERANDS_STORE_SLA & 1) != 0) {
		return store_to_sum(l, generic, a, v);
	}
	TRY(emit_bind(l, bind_mask(form_generics[generic].variants), 0, a, v, &at, &swapped));
	return emit_store(l, generic, &at, offset + last);
}

int t_select(struct rotor_loader *l, uint8_t type, struct entry *a, struct entry *b,
	     struct entry *cond)
{
	static const uint16_t generics[4] = {G_SELECT_I32, G_SELECT_I64, G_SELECT_F32,
					     G_SELECT_F64};
	struct bound at = {0};
	uint16_t slot_a, slot_b;
	unsigned i = type == ROTOR_I64 ? 1 : type == ROTOR_F32 ? 2 : type == ROTOR_F64 ? 3 : 0;

	if (l->t.pending.entry != NULL && a->kind != ENTRY_PENDING && b->kind != ENTRY_PENDING &&
	    cond->kind != ENTRY_PENDING) {
		TRY(emit_flush(l));
	}
	TRY(emit_to_slot(l, a, &slot_a));
	TRY(emit_to_slot(l, b, &slot_b));
	TRY(emit_bind_one(l, form_generics[generics[i]].variants, cond, &at));
	set_pending(l, generics[i], &at);
	l->t.pending.c = slot_a;
	l->t.pending.d = slot_b;
	l->t.pending.type = type_is_ref(type) ? ROTOR_I32 : type;
	return 0;
}

int t_drop(struct rotor_loader *l, struct entry *v)
{
	struct pending *p = &l->t.pending;

	if (v->kind != ENTRY_PENDING) {
		return 0;
	}
	if (p->generic != PENDING_GLOBAL && form_generics[p->generic].traps) {
		return emit_pending_acc(l);
	}
	p->entry = NULL;
	return 0;
}

/* ---- locals and globals ---- */

void t_local_get(struct rotor_loader *l, struct entry *e, uint16_t slot)
{
	e->kind = ENTRY_LOCAL;
	e->lo = slot;
	l->t.locals_on_stack++;
}

int t_local_set(struct rotor_loader *l, uint16_t slot, uint8_t type, struct entry *v)
{
	uint16_t from;

	if (emit_slot(v, &from) && from == slot) {
		return 0;
	}
	if (v->kind == ENTRY_PENDING) {
		TRY(preserve(l, slot));
		return emit_pending_slot(l, slot);
	}
	TRY(emit_flush(l));
	TRY(preserve(l, slot));
	if (emit_is_sum(v)) {
		return emit_sum(l, v, slot);
	}
	return emit_move(l, v, slot);
}

void t_local_tee(struct rotor_loader *l, uint16_t slot, const struct entry *v, struct entry *e)
{
	if (v->kind == ENTRY_CONST) {
		e->kind = ENTRY_CONST;
		e->lo = v->lo;
		e->hi = v->hi;
		return;
	}
	t_local_get(l, e, slot);
}

int t_global_get(struct rotor_loader *l, uint8_t type, uint16_t cell)
{
	struct pending *p = &l->t.pending;

	TRY(emit_flush(l));
	p->generic = PENDING_GLOBAL;
	p->a = cell;
	p->type = type;
	return 0;
}

int t_global_set(struct rotor_loader *l, uint8_t type, uint16_t cell, struct entry *v)
{
	bool two = type_cells(type) == 2, is_float = type == ROTOR_F32 || type == ROTOR_F64;
	uint16_t slot;

	if (v->kind == ENTRY_PENDING && !is_float) {
		TRY(emit_pending_acc(l));
		return emit_two(l, two ? F_GSET64_A : F_GSET32_A, cell);
	}
	if (v->kind != ENTRY_PENDING) {
		TRY(emit_flush(l));
	}
	if (emit_is_sum(v)) {
		TRY(emit_sum(l, v, NO_SLOT));
		return emit_two(l, F_GSET32_A, cell);
	}
	if (!is_float && emit_held(&l->t, v)) {
		return emit_two(l, two ? F_GSET64_A : F_GSET32_A, cell);
	}
	TRY(emit_to_slot(l, v, &slot));
	return emit_three(l, two ? F_GSET64_S : F_GSET32_S, cell, slot);
}

/* ---- operations on settled operands ---- */

int t_plain(struct rotor_loader *l, unsigned op, unsigned count, const uint16_t *units)
{
	uint16_t first = (uint16_t)op;

	TRY(emit_flush(l));
	if (form_maps(first) != 0) {
		TRY(emit_map(l, l->body.at));
	}
	TRY(emit_op(l, 1, &first));
	TRY(emit(l, count, units));
	emit_forget(&l->t);
	return 0;
}

static int call(struct rotor_loader *l, unsigned op, uint32_t args, unsigned count,
		const uint16_t *units)
{
	TRY(t_settle(l, args));
	return t_plain(l, op, count, units);
}

/* Calls of a function that is not translated yet form a chain through the places that they are to
 * know; it begins in the function's own place. */
static int call_own(struct rotor_loader *l, uint16_t func, uint32_t count, uint16_t slot)
{
	struct func *f = &l->m->funcs[func];
	uint32_t place = func == l->body.func ? l->t.begin : f->form;
	uint16_t units[4] = {func, slot};

	if (FORM_CALL_PLACE == 0) {
		return call(l, F_CALL, count, 2, units);
	}
	form_put32(units + 1, place);
	units[3] = slot;
	TRY(call(l, F_CALL, count, 4, units));
	if (func > l->body.func) {
		f->form = l->t.at - 3;
	}
	return 0;
}

int t_call(struct rotor_loader *l, uint32_t func, uint32_t count, uint16_t slot)
{
	uint16_t lo = (uint16_t)func, hi = (uint16_t)(func >> 16);

	if (func < l->m->func_imports && hi == 0) {
		return call(l, F_CALL_IMPORT, count, 2, (uint16_t[]){lo, slot});
	}
	if (hi == 0) {
		return call_own(l, lo, count, slot);
	}
	return call(l, F_CALL_FAR, count, 3, (uint16_t[]){lo, hi, slot});
}

int t_settle_index(struct rotor_loader *l, uint32_t count, struct entry *index, uint16_t *slot)
{
	if (index->kind == ENTRY_PENDING) {
		TRY(emit_to_slot(l, index, slot));
	}
	TRY(t_settle(l, count));
	return emit_to_slot(l, index, slot);
}

int t_call_indirect(struct rotor_loader *l, struct entry *index, uint16_t type, uint16_t table,
		    uint32_t count, uint16_t slot)
{
	uint16_t at = 0;

	TRY(t_settle_index(l, count, index, &at));
	return t_plain(l, F_CALL_INDIRECT, 4, (uint16_t[]){at, type, table, slot});
}

/* After a tail call that turned out to go elsewhere: its results are at slot, return them. */
static int tail_return(struct rotor_loader *l, uint16_t slot)
{
	const struct functype *f = l->body.type;
	uint16_t to = 0;

	for (uint32_t i = 0; i < f->result_count; i++) {
		unsigned cells = type_cells(f->types[f->param_count + i]);

		TRY(emit_three(l, cells == 2 ? F_MOV64 : F_MOV32, (slot + to), to));
		to = (uint16_t)(to + cells);
	}
	return emit_two(l, F_RETURN, l->t.link);
}

int t_check_frame(struct rotor_loader *l, uint32_t cells)
{
	if (cells > 65000) {
		return load_fail_idx(l, ROTOR_ERR_LIMIT,
				     "more than 65000 cells in a frame: function", l->body.func);
	}
	return 0;
}

/* Room for what a call leaves at slot, if it turns out to be an ordinary one. */
static int reserve_results(struct rotor_loader *l, uint16_t slot)
{
	uint32_t end = slot + (uint32_t)l->body.type->result_cells;

	TRY(t_check_frame(l, end));
	l->t.cells_max = BASE_MAX(l->t.cells_max, end);
	return 0;
}

int t_tail_call(struct rotor_loader *l, uint32_t func, uint32_t count, uint16_t slot)
{
	const struct functype *f = module_functype(l->m, func);

	TRY(reserve_results(l, slot));
	if (func < l->m->func_imports) {
		TRY(t_call(l, func, count, slot));
		return tail_return(l, slot);
	}
	return call(l, F_TAIL_CALL, count, 5,
		    (uint16_t[]){(uint16_t)func, (uint16_t)(func >> 16), slot, f->param_cells,
				 l->t.link});
}

int t_tail_indirect(struct rotor_loader *l, struct entry *index, uint16_t type, uint16_t table,
		    uint32_t count, uint16_t slot)
{
	uint16_t at = 0;

	TRY(reserve_results(l, slot));
	TRY(t_settle_index(l, count, index, &at));
	TRY(t_plain(
		l, F_TAIL_INDIRECT, 6,
		(uint16_t[]){at, type, table, l->m->types[type]->param_cells, l->t.link, slot}));
	return tail_return(l, slot);
}
