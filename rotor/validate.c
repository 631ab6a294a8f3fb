/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Validation of function bodies, instruction by instruction, and the calls that translate them.
 *
 * Rules: 1. What reaches translate.h is valid; unreachable code is validated and not told.
 *        2. Every entry's own slot follows from the types below it.
 * Spec:  WebAssembly 2.0 3.3 and the algorithm of its appendix.
 */
#include "rotor/validate.h"

/* ---- the stack ---- */

int v_mismatch(struct rotor_loader *l)
{
	return load_unknown(l, "type mismatch in function", l->body.func);
}

bool v_live(const struct rotor_loader *l)
{
	return !l->body.ctl->dead;
}

/* The slot after the top entry's. */
uint32_t v_next_slot(const struct rotor_loader *l)
{
	if (l->sp == (struct entry *)l->body.ctl) {
		return l->body.ctl->base;
	}
	return l->sp->pos + type_cells(l->sp->type);
}

int v_push(struct rotor_loader *l, uint8_t type)
{
	uint32_t pos = v_next_slot(l), end = pos + type_cells(type);

	TRY(t_room_for_entries(l, 1));
	if (v_live(l)) {
		TRY(t_check_frame(l, end));
	}
	l->sp--;
	l->sp->type = type;
	l->sp->kind = ENTRY_TEMP;
	l->sp->pos = (uint16_t)pos;
	l->sp->lo = 0;
	l->sp->hi = 0;
	if (v_live(l)) {
		l->t.cells_max = BASE_MAX(l->t.cells_max, end);
	}
	return 0;
}

int v_push_result(struct rotor_loader *l, uint8_t type)
{
	TRY(v_push(l, type));
	return v_live(l) ? t_result(l, l->sp) : 0;
}

/* Pops a value of that type (TYPE_UNKNOWN: of any); *out, if wanted, is a copy of it. */
int v_pop(struct rotor_loader *l, uint8_t type, struct entry *out)
{
	struct entry e = {0};

	if (l->sp == (struct entry *)l->body.ctl) {
		if (!l->body.ctl->open) {
			return v_mismatch(l);
		}
		e.type = TYPE_UNKNOWN;
		e.pos = l->body.ctl->base;
	} else {
		e = *l->sp;
		if (e.type != type && e.type != TYPE_UNKNOWN && type != TYPE_UNKNOWN) {
			return v_mismatch(l);
		}
		l->sp++;
		l->t.locals_on_stack -= entry_borrows(e.kind);
	}
	if (out != NULL) {
		*out = e;
	}
	return 0;
}

/* Checks that the top entries have these types, without popping them. */
int v_peek_types(struct rotor_loader *l, const uint8_t *types, uint32_t count)
{
	const struct entry *e = l->sp;

	for (uint32_t i = count; i-- > 0; e++) {
		if (e == (struct entry *)l->body.ctl) {
			return l->body.ctl->open ? 0 : v_mismatch(l);
		}
		if (e->type != types[i] && e->type != TYPE_UNKNOWN) {
			return v_mismatch(l);
		}
	}
	return 0;
}

int v_pop_types(struct rotor_loader *l, const uint8_t *types, uint32_t count)
{
	for (uint32_t i = count; i-- > 0;) {
		TRY(v_pop(l, types[i], NULL));
	}
	return 0;
}

static int push_types(struct rotor_loader *l, const uint8_t *types, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		TRY(v_push(l, types[i]));
	}
	return 0;
}

static void become_dead(struct rotor_loader *l)
{
	l->sp = (struct entry *)l->body.ctl;
	l->body.ctl->dead = true;
	l->body.ctl->open = true;
	l->t.locals_on_stack = 0;
}

/* ---- control frames ---- */

struct value_types {
	const uint8_t *types;
	uint32_t count;
};

static const uint8_t single_types[] = {ROTOR_EXTERNREF, ROTOR_FUNCREF, ROTOR_F64,
				       ROTOR_F32,       ROTOR_I64,     ROTOR_I32};

static struct value_types ctl_params(const struct rotor_loader *l, const struct ctl *c)
{
	struct value_types none = {NULL, 0};

	if (c->kind == CTL_FUNC || (c->type & BLOCK_VALUE) != 0) {
		return none;
	}
	return (struct value_types){l->m->types[c->type]->types, l->m->types[c->type]->param_count};
}

static struct value_types ctl_results(const struct rotor_loader *l, const struct ctl *c)
{
	const struct functype *f = c->kind == CTL_FUNC ? l->body.type : NULL;
	const uint8_t *at;

	if (f == NULL && (c->type & BLOCK_VALUE) != 0) {
		at = memchr(single_types, (int)(c->type & 0x7f), sizeof(single_types));
		return (struct value_types){at, at != NULL};
	}
	f = f != NULL ? f : l->m->types[c->type];
	return (struct value_types){f->types + f->param_count, f->result_count};
}

static struct value_types label_types(const struct rotor_loader *l, const struct ctl *c)
{
	return c->kind == CTL_LOOP ? ctl_params(l, c) : ctl_results(l, c);
}

static struct entry *stack_base(const struct rotor_loader *l)
{
	return (struct entry *)l->high;
}

static int push_ctl(struct rotor_loader *l, uint8_t kind, uint32_t type)
{
	struct ctl *outer = l->body.ctl;
	uint32_t base = outer != NULL ? v_next_slot(l) : l->t.link + 1u;
	struct ctl *c;

	TRY(t_room_for_entries(l, CTL_ENTRIES));
	l->sp -= CTL_ENTRIES;
	c = (struct ctl *)l->sp;
	memset(c, 0, sizeof(*c));
	c->prev = outer != NULL ? (uint32_t)(stack_base(l) - (struct entry *)outer) : 0;
	c->type = type;
	c->base = (uint16_t)base;
	c->kind = kind;
	c->born_dead = outer != NULL && outer->dead;
	c->dead = c->born_dead;
	c->instr = l->body.instr_count;
	l->body.ctl = c;
	return 0;
}

struct ctl *validate_label(struct rotor_loader *l, uint32_t depth)
{
	struct ctl *c = l->body.ctl;

	for (; depth > 0 && c->prev != 0; depth--) {
		c = (struct ctl *)(stack_base(l) - c->prev);
	}
	return depth == 0 ? c : NULL;
}

static int find_label(struct rotor_loader *l, uint32_t depth, struct ctl **out)
{
	*out = validate_label(l, depth);
	if (*out == NULL) {
		return load_unknown(l, "unknown label", depth);
	}
	return 0;
}

int validate_begin(struct rotor_loader *l)
{
	l->body.ctl = NULL;
	TRY(t_begin(l));
	return push_ctl(l, CTL_FUNC, 0);
}

static int check_block_type(struct rotor_loader *l, uint32_t type)
{
	if ((type & BLOCK_VALUE) == 0 && type >= l->m->type_count) {
		return load_unknown(l, "unknown type", type);
	}
	return 0;
}

static int op_block(struct rotor_loader *l, const struct instr *in)
{
	uint8_t kind = in->op == 0x02 ? CTL_BLOCK : in->op == 0x03 ? CTL_LOOP : CTL_IF;
	struct ctl fresh = {.kind = kind, .type = in->a};
	struct value_types params;
	struct entry cond;
	bool was_live = v_live(l);

	TRY(check_block_type(l, in->a));
	if (kind == CTL_IF) {
		TRY(v_pop(l, ROTOR_I32, &cond));
	}
	params = ctl_params(l, &fresh);
	TRY(v_peek_types(l, params.types, params.count));
	if (was_live) {
		TRY(t_enter(l, &fresh, params.count, kind == CTL_IF ? &cond : NULL));
	}
	TRY(v_pop_types(l, params.types, params.count));
	TRY(push_ctl(l, kind, in->a));
	l->body.ctl->skip = fresh.skip;
	if (was_live && kind == CTL_LOOP) {
		TRY(t_loop(l, l->body.ctl));
	}
	return push_types(l, params.types, params.count);
}

/* The stack of a block at its end: exactly its results. */
static int check_results(struct rotor_loader *l, const struct ctl *c)
{
	struct value_types r = ctl_results(l, c);
	uint32_t count = (uint32_t)((struct entry *)c - l->sp);

	TRY(v_peek_types(l, r.types, r.count));
	if (count > r.count) {
		return v_mismatch(l);
	}
	return 0;
}

static int op_else(struct rotor_loader *l)
{
	struct ctl *c = l->body.ctl;
	struct value_types params = ctl_params(l, c);

	if (c->kind != CTL_IF) {
		return load_invalid(l, "type mismatch: else without if");
	}
	TRY(check_results(l, c));
	if (!c->born_dead) {
		TRY(t_else(l, c, ctl_results(l, c).count));
	}
	become_dead(l);
	c->dead = c->born_dead;
	c->open = false;
	c->kind = CTL_ELSE;
	return push_types(l, params.types, params.count);
}

/* An if without else leaves its parameters as results. */
static int check_no_else(struct rotor_loader *l, const struct ctl *c)
{
	struct value_types p = ctl_params(l, c), r = ctl_results(l, c);

	if (p.count != r.count || (p.count > 0 && memcmp(p.types, r.types, p.count) != 0)) {
		return v_mismatch(l);
	}
	return 0;
}

static int op_end(struct rotor_loader *l)
{
	struct ctl c = *l->body.ctl;
	struct value_types r = ctl_results(l, &c);
	bool keep = false;

	TRY(check_results(l, l->body.ctl));
	if (c.kind == CTL_IF) {
		TRY(check_no_else(l, &c));
	}
	if (!c.born_dead) {
		TRY(t_block_end(l, &c, r.count, !c.dead, &keep));
	}
	if (c.kind == CTL_FUNC) {
		l->body.ctl = NULL;
		return 0;
	}
	if (keep) {
		struct entry *to = (struct entry *)l->body.ctl + CTL_ENTRIES - r.count;

		memmove(to, l->sp, r.count * sizeof(struct entry));
		t_moved(l, l->sp, to);
		l->sp = to;
	} else {
		l->sp = (struct entry *)l->body.ctl + CTL_ENTRIES;
		l->t.locals_on_stack = 0;
	}
	l->body.ctl = (struct ctl *)(stack_base(l) - c.prev);
	return keep ? 0 : push_types(l, r.types, r.count);
}

/* ---- branches ---- */

static int op_br(struct rotor_loader *l, uint32_t depth)
{
	struct value_types v;
	struct ctl *c;

	TRY(find_label(l, depth, &c));
	v = label_types(l, c);
	TRY(v_peek_types(l, v.types, v.count));
	if (v_live(l)) {
		TRY(t_branch(l, c, v.count));
	}
	become_dead(l);
	return 0;
}

static int op_br_if(struct rotor_loader *l, uint32_t depth)
{
	struct value_types v;
	struct entry cond;
	struct ctl *c;

	TRY(find_label(l, depth, &c));
	v = label_types(l, c);
	TRY(v_pop(l, ROTOR_I32, &cond));
	TRY(v_peek_types(l, v.types, v.count));
	if (v_live(l)) {
		return t_branch_if(l, c, v.count, &cond);
	}
	TRY(v_pop_types(l, v.types, v.count));
	return push_types(l, v.types, v.count);
}

static int op_br_table(struct rotor_loader *l)
{
	TRY(v_pop(l, ROTOR_I32, &l->body.index));
	l->body.targets_any = false;
	return 0;
}

int validate_target(struct rotor_loader *l, uint32_t depth)
{
	struct body *b = &l->body;
	struct value_types v;
	struct ctl *c;

	TRY(find_label(l, depth, &c));
	v = label_types(l, c);
	if (b->targets_any && v.count != b->targets_arity) {
		return v_mismatch(l);
	}
	TRY(v_peek_types(l, v.types, v.count));
	if (v_live(l) && !b->targets_any) {
		TRY(t_table_begin(l, &b->index, b->targets_left, v.count));
	}
	b->targets_any = true;
	b->targets_arity = v.count;
	return v_live(l) ? t_table_target(l, c, depth, v.count) : 0;
}

int validate_targets_end(struct rotor_loader *l)
{
	if (v_live(l)) {
		TRY(t_table_end(l, l->body.targets_arity));
	}
	become_dead(l);
	return 0;
}

static int op_return(struct rotor_loader *l)
{
	const struct functype *f = l->body.type;

	TRY(v_peek_types(l, f->types + f->param_count, f->result_count));
	if (v_live(l)) {
		TRY(t_return(l, f->result_count));
	}
	become_dead(l);
	return 0;
}

/* ---- calls ---- */

int v_find_table(struct rotor_loader *l, uint32_t idx, uint8_t *type)
{
	if (idx >= l->m->table_count) {
		return load_unknown(l, "unknown table", idx);
	}
	*type = l->m->tables[idx].type;
	return 0;
}

/* The slot of the first of the top count entries, or of the next one. */
uint16_t v_args_slot(const struct rotor_loader *l, uint32_t count)
{
	return (uint16_t)(count > 0 ? l->sp[count - 1].pos : v_next_slot(l));
}

static int check_tail(struct rotor_loader *l, const struct functype *f)
{
	const struct functype *own = l->body.type;

	if (f->result_count != own->result_count ||
	    memcmp(f->types + f->param_count, own->types + own->param_count, f->result_count) !=
		    0) {
		return v_mismatch(l);
	}
	return 0;
}

/* A call of a function of that type: func, or the one that index (not NULL) finds in the table. */
struct callee {
	const struct functype *type;
	uint32_t func;
	struct entry *index;
	uint16_t type_idx, table;
};

static int tell_call(struct rotor_loader *l, const struct callee *c, bool tail)
{
	uint32_t count = c->type->param_count;
	uint16_t slot = v_args_slot(l, count);

	if (c->index == NULL) {
		return tail ? t_tail_call(l, c->func, count, slot)
			    : t_call(l, c->func, count, slot);
	}
	return tail ? t_tail_indirect(l, c->index, c->type_idx, c->table, count, slot)
		    : t_call_indirect(l, c->index, c->type_idx, c->table, count, slot);
}

static int call(struct rotor_loader *l, const struct callee *c, bool tail)
{
	const struct functype *f = c->type;

	TRY(v_peek_types(l, f->types, f->param_count));
	if (tail) {
		TRY(check_tail(l, f));
	}
	if (v_live(l)) {
		TRY(tell_call(l, c, tail));
	}
	TRY(v_pop_types(l, f->types, f->param_count));
	if (tail) {
		become_dead(l);
		return 0;
	}
	return push_types(l, f->types + f->param_count, f->result_count);
}

static int op_call(struct rotor_loader *l, uint32_t func, bool tail)
{
	struct callee c = {.func = func};

	if (func >= l->m->func_count) {
		return load_unknown(l, "unknown function", func);
	}
	c.type = module_functype(l->m, func);
	return call(l, &c, tail);
}

static int op_call_indirect(struct rotor_loader *l, uint32_t type, uint32_t table, bool tail)
{
	struct entry index;
	struct callee c = {.index = &index, .table = (uint16_t)table};
	uint8_t elem_type = 0;

	TRY(v_find_table(l, table, &elem_type));
	if (elem_type != ROTOR_FUNCREF) {
		return v_mismatch(l);
	}
	if (type >= l->m->type_count) {
		return load_unknown(l, "unknown type", type);
	}
	c.type = l->m->types[type];
	c.type_idx = load_first_type(l->m, type);
	TRY(v_pop(l, ROTOR_I32, &index));
	return call(l, &c, tail);
}

static int op_unreachable(struct rotor_loader *l)
{
	if (v_live(l)) {
		TRY(t_plain(l, F_UNREACHABLE, 0, NULL));
	}
	become_dead(l);
	return 0;
}

int validate_instr(struct rotor_loader *l, const struct instr *in)
{
	switch (in->op) {
	case 0x00:
		return op_unreachable(l);
	case 0x01:
		return 0;
	case 0x02:
	case 0x03:
	case 0x04:
		return op_block(l, in);
	case 0x05:
		return op_else(l);
	case 0x0b:
		return op_end(l);
	case 0x0c:
		return op_br(l, in->a);
	case 0x0d:
		return op_br_if(l, in->a);
	case 0x0e:
		return op_br_table(l);
	case 0x0f:
		return op_return(l);
	case 0x10:
	case 0x12:
		return op_call(l, in->a, in->op == 0x12);
	case 0x11:
	case 0x13:
		return op_call_indirect(l, in->a, in->b, in->op == 0x13);
	case 0x1a:
		return v_op_drop(l);
	case 0x1b:
		return v_op_select(l, TYPE_UNKNOWN);
	case 0x1c:
		return v_op_select(l, (uint8_t)in->a);
	case 0x20:
	case 0x21:
	case 0x22:
		return v_op_local(l, in);
	case 0x23:
	case 0x24:
		return v_op_global(l, in);
	case 0x25:
	case 0x26:
		return v_op_table(l, in);
	case 0x3f:
	case 0x40:
		return v_op_memory(l, in);
	case 0x41:
		return v_op_const(l, ROTOR_I32, in->k);
	case 0x42:
		return v_op_const(l, ROTOR_I64, in->k);
	case 0x43:
		return v_op_const(l, ROTOR_F32, in->k);
	case 0x44:
		return v_op_const(l, ROTOR_F64, in->k);
	default:
		return in->op >= 0x45 ? v_op_high(l, in) : v_op_memory_access(l, in);
	}
}
