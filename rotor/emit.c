/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing the form: units, the map, moves, and the choice of an operation's variant.
 *
 * In:    operands as entries of the stack. Out: units at the module's end.
 * Owns:  the pending operation: the last one, emitted only when it is known where its result goes.
 * Rules: 1. Whatever is emitted, the pending operation comes first, or is consumed by it.
 *        2. Moves leave accumulators alone, so they may come before a pending operation.
 */
#include "rotor/emit.h"

/* ---- room; the map floats between the form, which grows up, and the stack, which grows down ---- */

static uint8_t *form_end(const struct rotor_loader *l)
{
	return (uint8_t *)(l->t.form + l->t.at);
}

static int no_room(struct rotor_loader *l)
{
	return load_fail(l, ROTOR_ERR_MEMORY, "the block is too small for this module");
}

/* Makes the gap below the map (or above it) at least bytes, if the other gap allows that. */
static int make_room(struct rotor_loader *l, size_t below, size_t above)
{
	struct translator *t = &l->t;
	uint8_t *low = form_end(l), *high = (uint8_t *)l->sp;
	size_t need = below + above + t->map_bytes, gap;

	if (need > (size_t)(high - low)) {
		return no_room(l);
	}
	if ((size_t)(t->map - low) >= below && (size_t)(high - t->map) >= t->map_bytes + above) {
		return 0;
	}
	/* The form gets the larger part of what is free. */
	gap = ((size_t)(high - low) - need) / 4 * 3;
	memmove(low + below + gap, t->map, t->map_bytes);
	t->map = low + below + gap;
	return 0;
}

int t_room_for_entries(struct rotor_loader *l, unsigned count)
{
	return make_room(l, 0, count * sizeof(struct entry));
}

/* The operation that does both; F_HALT if there is none. */
static uint16_t pair_of(uint32_t first, uint16_t second)
{
	switch (first << 16 | second) {
#define P(kind, first, second)                                                                     \
	case (uint32_t)F_##first << 16 | F_##second:                                               \
		return F_##first##__##second;
		FORM_PAIR_LIST(P)
#undef P
	default:
		return F_HALT;
	}
}

int emit_op(struct rotor_loader *l, unsigned count, const uint16_t *units)
{
	struct translator *t = &l->t;
	uint16_t both = F_HALT;

	if (t->last_at != 0) {
		both = pair_of(t->form[t->last_at], units[0]);
	}
	if (both == F_HALT) {
		t->last_at = t->at;
		return emit(l, count, units);
	}
	t->form[t->last_at] = both;
	return emit(l, count - 1, units + 1);
}

int emit_one(struct rotor_loader *l, unsigned op)
{
	return EMIT(l, (uint16_t)op);
}

int emit_two(struct rotor_loader *l, unsigned op, unsigned a)
{
	return EMIT(l, (uint16_t)op, (uint16_t)a);
}

int emit_three(struct rotor_loader *l, unsigned op, unsigned a, unsigned b)
{
	return EMIT(l, (uint16_t)op, (uint16_t)a, (uint16_t)b);
}

int emit(struct rotor_loader *l, unsigned count, const uint16_t *units)
{
	TRY(make_room(l, count * 2, 0));
	if (count > 0) {
		memcpy(l->t.form + l->t.at, units, count * 2);
	}
	l->t.at += count;
	return 0;
}

int emit_map(struct rotor_loader *l, uint32_t offset)
{
	struct translator *t = &l->t;
	uint32_t delta = offset - t->map_last;

	TRY(make_room(l, 0, 5));
	t->map_last = offset;
	for (; delta > 0x7f; delta >>= 7) {
		t->map[t->map_bytes++] = (uint8_t)(delta | 0x80);
	}
	t->map[t->map_bytes++] = (uint8_t)delta;
	return 0;
}

/* ---- accumulators ---- */

static unsigned acc_of(uint8_t type)
{
	return type == ROTOR_F32 ? 1 : type == ROTOR_F64 ? 2 : 0;
}

void emit_forget(struct translator *t)
{
	for (unsigned i = 0; i < 3; i++) {
		t->acc_slot[i] = NO_SLOT;
	}
	t->last_at = 0;
}

void emit_wrote(struct translator *t, uint16_t slot, unsigned cells)
{
	for (unsigned i = 0; i < 3; i++) {
		if (t->acc_slot[i] != NO_SLOT && t->acc_slot[i] < slot + cells &&
		    slot < t->acc_slot[i] + type_cells(t->acc_type[i])) {
			t->acc_slot[i] = NO_SLOT;
		}
	}
}

/* An operation left its result in the accumulator and, unless NO_SLOT, in slot. */
static void set_acc(struct translator *t, uint8_t type, uint16_t slot)
{
	unsigned i = acc_of(type);

	if (slot != NO_SLOT) {
		emit_wrote(t, slot, type_cells(type));
	}
	t->acc_slot[i] = slot;
	t->acc_type[i] = type;
}

bool emit_slot(const struct entry *e, uint16_t *slot)
{
	if (e->kind == ENTRY_LOCAL) {
		*slot = (uint16_t)e->lo;
	} else {
		*slot = e->pos;
	}
	return e->kind == ENTRY_LOCAL || e->kind == ENTRY_TEMP;
}

bool emit_held(const struct translator *t, const struct entry *e)
{
	unsigned i = acc_of(e->type);
	uint16_t slot;

	return emit_slot(e, &slot) && t->acc_slot[i] == slot && t->acc_type[i] == e->type;
}

/* ---- moves ---- */

/* Of four operations that follow each other, for i32, i64, f32, f64: that of the type. */
static unsigned by_type(uint8_t type, unsigned first)
{
	return type >= ROTOR_F64 ? first + ROTOR_I32 - type : first;
}

bool emit_fits16(const struct entry *e)
{
	int32_t v = (int32_t)e->lo;

	if (v < INT16_MIN || v > INT16_MAX) {
		return false;
	}
	return type_cells(e->type) == 1 || e->hi == (v < 0 ? UINT32_MAX : 0);
}

static int move_const(struct rotor_loader *l, const struct entry *e, uint16_t slot)
{
	uint16_t lo = (uint16_t)e->lo, lo2 = (uint16_t)(e->lo >> 16);
	bool two = type_cells(e->type) == 2;

	if (emit_fits16(e)) {
		return emit_three(l, two ? F_K16_64 : F_K16_32, lo, slot);
	}
	if (!two || e->hi == ((int32_t)e->lo < 0 ? UINT32_MAX : 0)) {
		return EMIT(l, two ? F_K32_64 : F_K32_32, lo, lo2, slot);
	}
	return EMIT(l, F_K64_64, lo, lo2, (uint16_t)e->hi, (uint16_t)(e->hi >> 16), slot);
}

static int move_sum(struct rotor_loader *l, const struct entry *e, uint16_t slot)
{
	if (e->kind == ENTRY_SUM) {
		return EMIT(l, F_LEA_SL, (uint16_t)e->lo, (uint16_t)e->hi, (uint16_t)(e->hi >> 16),
			    slot);
	}
	return EMIT(l, F_LEA_SS, (uint16_t)e->lo, (uint16_t)e->hi, slot);
}

int emit_move(struct rotor_loader *l, const struct entry *e, uint16_t slot)
{
	uint16_t from;

	if (emit_is_sum(e)) {
		TRY(move_sum(l, e, slot));
	} else if (!emit_slot(e, &from)) {
		TRY(move_const(l, e, slot));
	} else if (from == slot) {
		return 0;
	} else if (emit_held(&l->t, e)) {
		TRY(emit_two(l, by_type(e->type, F_STA_I32), slot));
	} else {
		TRY(emit_three(l, type_cells(e->type) == 2 ? F_MOV64 : F_MOV32, from, slot));
	}
	emit_wrote(&l->t, slot, type_cells(e->type));
	return 0;
}

int emit_sum(struct rotor_loader *l, const struct entry *e, uint16_t slot)
{
	const struct form_generic_info *info = &form_generics[G_I32_ADD];
	int32_t k = (int32_t)e->hi;
	unsigned operands = e->kind == ENTRY_SUM2              ? OPERANDS_SS
			    : k >= INT16_MIN && k <= INT16_MAX ? OPERANDS_SK
							       : OPERANDS_SL;
	uint16_t units[5] = {emit_variant(info->base, info->variants, operands, slot != NO_SLOT)};
	unsigned n = 1;

	if (units[0] == F_HALT) {
		slot = slot != NO_SLOT ? slot : e->pos;
		TRY(emit_move(l, e, slot));
		TRY(emit_two(l, F_LDA_I32, slot));
		set_acc(&l->t, ROTOR_I32, slot);
		return 0;
	}
	n += emit_operands(operands, ROTOR_I32, (uint16_t)e->lo, e->hi, units + n);
	if (slot != NO_SLOT) {
		units[n++] = slot;
	}
	TRY(emit_op(l, n, units));
	set_acc(&l->t, ROTOR_I32, slot);
	return 0;
}

int emit_const_acc(struct rotor_loader *l, const struct entry *e)
{
	uint16_t lo = (uint16_t)e->lo, lo2 = (uint16_t)(e->lo >> 16);

	if (e->type == ROTOR_F64) {
		TRY(EMIT(l, F_KA_F64, lo, lo2, (uint16_t)e->hi, (uint16_t)(e->hi >> 16)));
	} else if (e->type == ROTOR_I64 && e->hi != ((int32_t)e->lo < 0 ? UINT32_MAX : 0)) {
		TRY(move_const(l, e, e->pos));
		emit_wrote(&l->t, e->pos, 2);
		TRY(emit_two(l, F_LDA_I64, e->pos));
	} else {
		TRY(emit_three(l, by_type(e->type, F_KA_I32), lo, lo2));
	}
	set_acc(&l->t, e->type, NO_SLOT);
	return 0;
}

/* ---- the pending operation ---- */

uint16_t emit_variant_bit(uint16_t base, uint16_t variants, unsigned bit)
{
	if ((variants >> bit & 1) == 0) {
		return F_HALT;
	}
	return (uint16_t)(base + (unsigned)__builtin_popcount(variants & ((1u << bit) - 1)));
}

uint16_t emit_variant(uint16_t base, uint16_t variants, unsigned operands, bool to_slot)
{
	return emit_variant_bit(base, variants, operands * 2 + to_slot);
}

unsigned emit_operands(unsigned operands, uint8_t type, uint16_t a, uint64_t b, uint16_t *units)
{
	bool long_b = HAS_LONG && (operands == OPERANDS_SL || operands == OPERANDS_AL);
	unsigned n = 0, b_units = 1;

	if (operands != OPERANDS_AS && operands != OPERANDS_AK &&
	    !(HAS_LONG && operands == OPERANDS_AL)) {
		units[n++] = a;
	}
	if (operands == OPERANDS_SA) {
		return n;
	}
	if (long_b) {
		b_units = type == ROTOR_F64 ? 4 : 2;
	}
	for (; b_units > 0; b_units--) {
		units[n++] = (uint16_t)b;
		b >>= 16;
	}
	return n;
}

static int emit_global(struct rotor_loader *l, const struct pending *p, uint16_t slot)
{
	bool two = type_cells(p->type) == 2;

	if (slot == NO_SLOT) {
		TRY(emit_two(l, two ? F_GGET64_A : F_GGET32_A, p->a));
	} else {
		TRY(emit_three(l, two ? F_GGET64_S : F_GGET32_S, p->a, slot));
	}
	if (acc_of(p->type) == 0) {
		set_acc(&l->t, p->type, slot);
		return 0;
	}
	/* Floats pass through the integer accumulator, which is nothing's then. */
	emit_wrote(&l->t, slot, type_cells(p->type));
	l->t.acc_slot[0] = NO_SLOT;
	return 0;
}

/* The units of a load's address. */
static unsigned address_units(const struct pending *p, uint16_t *units)
{
	unsigned n = 0;

	if (!HAS_SUM_LOADS) {
		units[0] = p->a;
		return p->operands == OPERANDS_S;
	}
	if (p->operands == OPERANDS_S || p->operands == OPERANDS_LOAD_SS ||
	    p->operands == OPERANDS_SL) {
		units[n++] = p->a;
	}
	if (p->operands == OPERANDS_S || p->operands == OPERANDS_A) {
		return n;
	}
	units[n++] = (uint16_t)p->b;
	if (p->operands == OPERANDS_SL || p->operands == OPERANDS_AL ||
	    p->operands == OPERANDS_LOAD_L) {
		units[n++] = (uint16_t)(p->b >> 16);
	}
	return n;
}

/* The units of a pending operation without its result. */
static unsigned pending_units(const struct pending *p, const struct form_generic_info *info,
			      uint16_t *units)
{
	unsigned n = 1;

	if (info->class == CLASS_BIN || info->class == CLASS_CMP) {
		return 1 + emit_operands(p->operands, form_type(info->in), p->a, p->b, units + 1);
	}
	if (info->class == CLASS_LOAD) {
		n += address_units(p, units + n);
		if (p->operands <= OPERANDS_A) {
			units[n++] = p->c;
		}
		return n;
	}
	if (p->operands == OPERANDS_S) {
		units[n++] = p->a;
	}
	if (info->class == CLASS_SELECT) {
		units[n++] = p->c;
		units[n++] = p->d;
	}
	return n;
}

static int emit_pending(struct rotor_loader *l, uint16_t slot)
{
	struct pending p = l->t.pending;
	const struct form_generic_info *info;
	uint16_t units[8];
	unsigned n;
	bool direct = true;

	l->t.pending.entry = NULL;
	if (p.generic == PENDING_GLOBAL) {
		return emit_global(l, &p, slot);
	}
	info = &form_generics[p.generic];
	n = pending_units(&p, info, units);
	units[0] = emit_variant(info->base, info->variants, p.operands, slot != NO_SLOT);
	if (units[0] == F_HALT) {
		direct = false;
		units[0] = emit_variant(info->base, info->variants, p.operands, false);
	}
	ASSERT(units[0] != F_HALT);
	if (slot != NO_SLOT && direct) {
		units[n++] = slot;
	}
	if (info->traps) {
		TRY(emit_map(l, p.offset));
	}
	TRY(emit_op(l, n, units));
	if (slot != NO_SLOT && !direct) {
		TRY(emit_two(l, by_type(p.type, F_STA_I32), slot));
	}
	set_acc(&l->t, p.type, slot);
	return 0;
}

int emit_pending_acc(struct rotor_loader *l)
{
	return emit_pending(l, NO_SLOT);
}

int emit_pending_slot(struct rotor_loader *l, uint16_t slot)
{
	return emit_pending(l, slot);
}

int emit_flush(struct rotor_loader *l)
{
	struct entry *e = l->t.pending.entry;

	if (e == NULL) {
		return 0;
	}
	e->kind = ENTRY_TEMP;
	return emit_pending(l, e->pos);
}

int emit_to_slot(struct rotor_loader *l, struct entry *e, uint16_t *slot)
{
	if (e->kind == ENTRY_PENDING) {
		TRY(emit_pending(l, e->pos));
		e->kind = ENTRY_TEMP;
	} else if (e->kind == ENTRY_CONST || emit_is_sum(e)) {
		TRY(emit_move(l, e, e->pos));
		e->kind = ENTRY_TEMP;
	}
	emit_slot(e, slot);
	return 0;
}

/* ---- choosing a variant ---- */

enum {
	COST_NEVER = 100
};

/* Whether a constant fits the long operand of its type. */
static bool fits_long(const struct entry *e)
{
	return e->type != ROTOR_I64 || e->hi == ((int32_t)e->lo < 0 ? UINT32_MAX : 0);
}

static unsigned cost_of_const(const struct entry *e, char where)
{
	switch (where) {
	case 'K':
		return emit_fits16(e) && (e->type == ROTOR_I32 || e->type == ROTOR_I64)
			       ? 0
			       : COST_NEVER;
	case 'L':
		return fits_long(e) ? 1 : COST_NEVER;
	default:
		return where == 'A' ? 4 : 5;
	}
}

/* What it costs to have e in a slot, in the accumulator, as a constant. */
static unsigned cost_of(const struct translator *t, const struct entry *e, char where)
{
	switch (e->kind) {
	case ENTRY_PENDING:
		return where == 'A' ? 0 : where == 'S' ? 2 : COST_NEVER;
	case ENTRY_CONST:
		return cost_of_const(e, where);
	case ENTRY_SUM:
	case ENTRY_SUM2:
		return where == 'A' || where == 'S' ? 3 : COST_NEVER;
	default:
		return where == 'S' ? 1 : where == 'A' && emit_held(t, e) ? 0 : COST_NEVER;
	}
}

enum {
	PLACES = HAS_LONG ? 7 : 5
};
static const char places[7][2] = {{'S', 'S'}, {'A', 'S'}, {'S', 'A'}, {'S', 'K'},
				  {'A', 'K'}, {'S', 'L'}, {'A', 'L'}};

/* The cheapest of the variants; a cost of COST_NEVER or more: none. */
static unsigned choose(const struct translator *t, uint16_t variants, const struct entry *a,
		       const struct entry *b, unsigned *operands)
{
	unsigned best = COST_NEVER, cost;

	for (unsigned i = 0; i < PLACES; i++) {
		if ((variants & (1u << (2 * i))) == 0) {
			continue;
		}
		/* A held value does not outlive the emission of the other operand. */
		if ((places[i][0] == 'A' && b->kind == ENTRY_PENDING) ||
		    (places[i][1] == 'A' && a->kind == ENTRY_PENDING)) {
			continue;
		}
		cost = cost_of(t, a, places[i][0]) + cost_of(t, b, places[i][1]);
		if (cost < best) {
			best = cost;
			*operands = i;
		}
	}
	return best;
}

/* Brings e to where it is wanted; *unit is its slot or constant. */
static int bring(struct rotor_loader *l, struct entry *e, char where, uint64_t *unit)
{
	uint16_t slot = 0;

	if (where == 'S') {
		TRY(emit_to_slot(l, e, &slot));
		*unit = slot;
		return 0;
	}
	if (where == 'K' || where == 'L') {
		*unit = e->lo | (uint64_t)e->hi << 32;
		return 0;
	}
	switch (e->kind) {
	case ENTRY_PENDING:
		return emit_pending_acc(l);
	case ENTRY_CONST:
		return emit_const_acc(l, e);
	case ENTRY_SUM:
	case ENTRY_SUM2:
		return HAS_SUMS ? emit_sum(l, e, NO_SLOT) : 0;
	default:
		return 0;
	}
}

int emit_bind(struct rotor_loader *l, uint16_t variants, uint16_t mirror, struct entry *a,
	      struct entry *b, struct bound *out, bool *swapped)
{
	unsigned straight, turned, other = 0;
	struct entry *x = a, *y = b;
	uint64_t a_unit = 0, b_unit = 0;

	if (l->t.pending.entry != NULL && a->kind != ENTRY_PENDING && b->kind != ENTRY_PENDING) {
		TRY(emit_flush(l));
	}
	straight = choose(&l->t, variants, a, b, &out->operands);
	turned = mirror != 0 ? choose(&l->t, mirror, b, a, &other) : COST_NEVER;
	*swapped = turned < straight;
	if (*swapped) {
		out->operands = other;
		x = b;
		y = a;
	}
	ASSERT(BASE_MIN(straight, turned) < COST_NEVER);
	/* Moves leave accumulators alone, so the one that is wanted there comes last, unless the other
	 * is pending. */
	if (y->kind == ENTRY_PENDING ||
	    (places[out->operands][0] == 'A' && x->kind != ENTRY_PENDING)) {
		TRY(bring(l, y, places[out->operands][1], &b_unit));
		TRY(bring(l, x, places[out->operands][0], &a_unit));
	} else {
		TRY(bring(l, x, places[out->operands][0], &a_unit));
		TRY(bring(l, y, places[out->operands][1], &b_unit));
	}
	out->a = (uint16_t)a_unit;
	out->b = b_unit;
	return 0;
}

int emit_bind_one(struct rotor_loader *l, uint16_t variants, struct entry *a, struct bound *out)
{
	if (l->t.pending.entry != NULL && a->kind != ENTRY_PENDING) {
		TRY(emit_flush(l));
	}
	if (a->kind == ENTRY_PENDING) {
		out->operands = OPERANDS_A;
		return emit_pending_acc(l);
	}
	if (a->kind == ENTRY_CONST) {
		out->operands = OPERANDS_A;
		return emit_const_acc(l, a);
	}
	if (emit_is_sum(a)) {
		out->operands = OPERANDS_A;
		return emit_sum(l, a, NO_SLOT);
	}
	out->operands = emit_held(&l->t, a) ? OPERANDS_A : OPERANDS_S;
	emit_slot(a, &out->a);
	if (out->operands == OPERANDS_S && (variants & 1) == 0) {
		out->operands = OPERANDS_A;
		TRY(emit_two(l, by_type(a->type, F_LDA_I32), out->a));
		set_acc(&l->t, a->type, out->a);
	}
	return 0;
}
