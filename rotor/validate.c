/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Validation of function bodies, instruction by instruction, and the calls that translate them.
 *
 * Rules: 1. What reaches translate.h is valid; unreachable code is validated and not told.
 *        2. Every entry's own slot follows from the types below it.
 * Spec:  WebAssembly 2.0 3.3 and the algorithm of its appendix.
 */
#include "rotor/translate.h"

/* Opcodes 0x45 to 0xc4: the generic operation; G_EQZ are done by comparing with 0. */
enum {
	G_I32_EQZ = G_COUNT + 1,
	G_I64_EQZ
};

static const uint16_t numeric[0xc4 - 0x45 + 1] = {
	G_I32_EQZ,
	G_I32_EQ,
	G_I32_NE,
	G_I32_LT_S,
	G_I32_LT_U,
	G_I32_GT_S,
	G_I32_GT_U,
	G_I32_LE_S,
	G_I32_LE_U,
	G_I32_GE_S,
	G_I32_GE_U,
	G_I64_EQZ,
	G_I64_EQ,
	G_I64_NE,
	G_I64_LT_S,
	G_I64_LT_U,
	G_I64_GT_S,
	G_I64_GT_U,
	G_I64_LE_S,
	G_I64_LE_U,
	G_I64_GE_S,
	G_I64_GE_U,
	G_F32_EQ,
	G_F32_NE,
	G_F32_LT,
	G_F32_GT,
	G_F32_LE,
	G_F32_GE,
	G_F64_EQ,
	G_F64_NE,
	G_F64_LT,
	G_F64_GT,
	G_F64_LE,
	G_F64_GE,
	G_I32_CLZ,
	G_I32_CTZ,
	G_I32_POPCNT,
	G_I32_ADD,
	G_I32_SUB,
	G_I32_MUL,
	G_I32_DIV_S,
	G_I32_DIV_U,
	G_I32_REM_S,
	G_I32_REM_U,
	G_I32_AND,
	G_I32_OR,
	G_I32_XOR,
	G_I32_SHL,
	G_I32_SHR_S,
	G_I32_SHR_U,
	G_I32_ROTL,
	G_I32_ROTR,
	G_I64_CLZ,
	G_I64_CTZ,
	G_I64_POPCNT,
	G_I64_ADD,
	G_I64_SUB,
	G_I64_MUL,
	G_I64_DIV_S,
	G_I64_DIV_U,
	G_I64_REM_S,
	G_I64_REM_U,
	G_I64_AND,
	G_I64_OR,
	G_I64_XOR,
	G_I64_SHL,
	G_I64_SHR_S,
	G_I64_SHR_U,
	G_I64_ROTL,
	G_I64_ROTR,
	G_F32_ABS,
	G_F32_NEG,
	G_F32_CEIL,
	G_F32_FLOOR,
	G_F32_TRUNC,
	G_F32_NEAREST,
	G_F32_SQRT,
	G_F32_ADD,
	G_F32_SUB,
	G_F32_MUL,
	G_F32_DIV,
	G_F32_MIN,
	G_F32_MAX,
	G_F32_COPYSIGN,
	G_F64_ABS,
	G_F64_NEG,
	G_F64_CEIL,
	G_F64_FLOOR,
	G_F64_TRUNC,
	G_F64_NEAREST,
	G_F64_SQRT,
	G_F64_ADD,
	G_F64_SUB,
	G_F64_MUL,
	G_F64_DIV,
	G_F64_MIN,
	G_F64_MAX,
	G_F64_COPYSIGN,
	G_I32_WRAP_I64,
	G_I32_TRUNC_F32_S,
	G_I32_TRUNC_F32_U,
	G_I32_TRUNC_F64_S,
	G_I32_TRUNC_F64_U,
	G_I64_EXTEND_I32_S,
	G_I64_EXTEND_I32_U,
	G_I64_TRUNC_F32_S,
	G_I64_TRUNC_F32_U,
	G_I64_TRUNC_F64_S,
	G_I64_TRUNC_F64_U,
	G_F32_CONVERT_I32_S,
	G_F32_CONVERT_I32_U,
	G_F32_CONVERT_I64_S,
	G_F32_CONVERT_I64_U,
	G_F32_DEMOTE_F64,
	G_F64_CONVERT_I32_S,
	G_F64_CONVERT_I32_U,
	G_F64_CONVERT_I64_S,
	G_F64_CONVERT_I64_U,
	G_F64_PROMOTE_F32,
	G_I32_REINTERPRET_F32,
	G_I64_REINTERPRET_F64,
	G_F32_REINTERPRET_I32,
	G_F64_REINTERPRET_I64,
	G_I32_EXTEND8_S,
	G_I32_EXTEND16_S,
	G_I64_EXTEND8_S,
	G_I64_EXTEND16_S,
	G_I64_EXTEND32_S,
};

static const uint16_t saturating[8] = {
	G_I32_TRUNC_SAT_F32_S, G_I32_TRUNC_SAT_F32_U, G_I32_TRUNC_SAT_F64_S, G_I32_TRUNC_SAT_F64_U,
	G_I64_TRUNC_SAT_F32_S, G_I64_TRUNC_SAT_F32_U, G_I64_TRUNC_SAT_F64_S, G_I64_TRUNC_SAT_F64_U,
};

/* Opcodes 0x28 to 0x3e: the operation and its natural alignment as a power of two. */
static const struct {
	uint16_t generic;
	uint8_t align;
} memory_ops[0x3e - 0x28 + 1] = {
	{G_I32_LOAD, 2},     {G_I64_LOAD, 3},     {G_F32_LOAD, 2},     {G_F64_LOAD, 3},
	{G_I32_LOAD8_S, 0},  {G_I32_LOAD8_U, 0},  {G_I32_LOAD16_S, 1}, {G_I32_LOAD16_U, 1},
	{G_I64_LOAD8_S, 0},  {G_I64_LOAD8_U, 0},  {G_I64_LOAD16_S, 1}, {G_I64_LOAD16_U, 1},
	{G_I64_LOAD32_S, 2}, {G_I64_LOAD32_U, 2}, {G_I32_STORE, 2},    {G_I64_STORE, 3},
	{G_F32_STORE, 2},    {G_F64_STORE, 3},    {G_I32_STORE8, 0},   {G_I32_STORE16, 1},
	{G_I64_STORE8, 0},   {G_I64_STORE16, 1},  {G_I64_STORE32, 2},
};

static const uint8_t store_types[9] = {ROTOR_I32, ROTOR_I64, ROTOR_F32, ROTOR_F64, ROTOR_I32,
				       ROTOR_I32, ROTOR_I64, ROTOR_I64, ROTOR_I64};

/* ---- the stack ---- */

static int mismatch(struct rotor_loader *l)
{
	return load_fail_idx(l, ROTOR_ERR_INVALID, "type mismatch in function", l->body.func);
}

static bool live(const struct rotor_loader *l)
{
	return !l->body.ctl->dead;
}

/* The slot after the top entry's. */
static uint32_t next_slot(const struct rotor_loader *l)
{
	if (l->sp == (struct entry *)l->body.ctl) {
		return l->body.ctl->base;
	}
	return l->sp->pos + type_cells(l->sp->type);
}

static int push(struct rotor_loader *l, uint8_t type)
{
	uint32_t pos = next_slot(l), end = pos + type_cells(type);

	TRY(t_room_for_entries(l, 1));
	if (live(l) && end > 65000) {
		return load_fail_idx(l, ROTOR_ERR_LIMIT,
				     "more than 65000 cells in a frame: function", l->body.func);
	}
	l->sp--;
	l->sp->type = type;
	l->sp->kind = ENTRY_TEMP;
	l->sp->pos = (uint16_t)pos;
	l->sp->lo = 0;
	l->sp->hi = 0;
	if (live(l)) {
		l->t.cells_max = BASE_MAX(l->t.cells_max, end);
	}
	return 0;
}

static int push_result(struct rotor_loader *l, uint8_t type)
{
	TRY(push(l, type));
	return live(l) ? t_result(l, l->sp) : 0;
}

/* Pops a value of that type (TYPE_UNKNOWN: of any); *out, if wanted, is a copy of it. */
static int pop(struct rotor_loader *l, uint8_t type, struct entry *out)
{
	struct entry e = {0};

	if (l->sp == (struct entry *)l->body.ctl) {
		if (!l->body.ctl->open) {
			return mismatch(l);
		}
		e.type = TYPE_UNKNOWN;
		e.pos = l->body.ctl->base;
	} else {
		e = *l->sp;
		if (e.type != type && e.type != TYPE_UNKNOWN && type != TYPE_UNKNOWN) {
			return mismatch(l);
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
static int peek_types(struct rotor_loader *l, const uint8_t *types, uint32_t count)
{
	const struct entry *e = l->sp;

	for (uint32_t i = count; i-- > 0; e++) {
		if (e == (struct entry *)l->body.ctl) {
			return l->body.ctl->open ? 0 : mismatch(l);
		}
		if (e->type != types[i] && e->type != TYPE_UNKNOWN) {
			return mismatch(l);
		}
	}
	return 0;
}

static int pop_types(struct rotor_loader *l, const uint8_t *types, uint32_t count)
{
	for (uint32_t i = count; i-- > 0;) {
		TRY(pop(l, types[i], NULL));
	}
	return 0;
}

static int push_types(struct rotor_loader *l, const uint8_t *types, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		TRY(push(l, types[i]));
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
	uint32_t base = outer != NULL ? next_slot(l) : l->t.link + 1u;
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
		return load_fail_idx(l, ROTOR_ERR_INVALID, "unknown label", depth);
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
		return load_fail_idx(l, ROTOR_ERR_INVALID, "unknown type", type);
	}
	return 0;
}

static int op_block(struct rotor_loader *l, const struct instr *in)
{
	uint8_t kind = in->op == 0x02 ? CTL_BLOCK : in->op == 0x03 ? CTL_LOOP : CTL_IF;
	struct ctl fresh = {.kind = kind, .type = in->a};
	struct value_types params;
	struct entry cond;
	bool was_live = live(l);

	TRY(check_block_type(l, in->a));
	if (kind == CTL_IF) {
		TRY(pop(l, ROTOR_I32, &cond));
	}
	params = ctl_params(l, &fresh);
	TRY(peek_types(l, params.types, params.count));
	if (was_live) {
		TRY(t_enter(l, &fresh, params.count, kind == CTL_IF ? &cond : NULL));
	}
	TRY(pop_types(l, params.types, params.count));
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

	TRY(peek_types(l, r.types, r.count));
	if (count > r.count) {
		return mismatch(l);
	}
	return 0;
}

static int op_else(struct rotor_loader *l)
{
	struct ctl *c = l->body.ctl;
	struct value_types params = ctl_params(l, c);

	if (c->kind != CTL_IF) {
		return load_fail(l, ROTOR_ERR_INVALID, "type mismatch: else without if");
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
		return mismatch(l);
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
	TRY(peek_types(l, v.types, v.count));
	if (live(l)) {
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
	TRY(pop(l, ROTOR_I32, &cond));
	TRY(peek_types(l, v.types, v.count));
	if (live(l)) {
		return t_branch_if(l, c, v.count, &cond);
	}
	TRY(pop_types(l, v.types, v.count));
	return push_types(l, v.types, v.count);
}

static int op_br_table(struct rotor_loader *l)
{
	TRY(pop(l, ROTOR_I32, &l->body.index));
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
		return mismatch(l);
	}
	TRY(peek_types(l, v.types, v.count));
	if (live(l) && !b->targets_any) {
		TRY(t_table_begin(l, &b->index, b->targets_left, v.count));
	}
	b->targets_any = true;
	b->targets_arity = v.count;
	return live(l) ? t_table_target(l, c, depth, v.count) : 0;
}

int validate_targets_end(struct rotor_loader *l)
{
	if (live(l)) {
		TRY(t_table_end(l, l->body.targets_arity));
	}
	become_dead(l);
	return 0;
}

static int op_return(struct rotor_loader *l)
{
	const struct functype *f = l->body.type;

	TRY(peek_types(l, f->types + f->param_count, f->result_count));
	if (live(l)) {
		TRY(t_return(l, f->result_count));
	}
	become_dead(l);
	return 0;
}

/* ---- calls ---- */

static int find_table(struct rotor_loader *l, uint32_t idx, uint8_t *type)
{
	if (idx >= l->m->table_count) {
		return load_fail_idx(l, ROTOR_ERR_INVALID, "unknown table", idx);
	}
	*type = l->m->tables[idx].type;
	return 0;
}

/* The slot of the first of the top count entries, or of the next one. */
static uint16_t args_slot(const struct rotor_loader *l, uint32_t count)
{
	return (uint16_t)(count > 0 ? l->sp[count - 1].pos : next_slot(l));
}

static int check_tail(struct rotor_loader *l, const struct functype *f)
{
	const struct functype *own = l->body.type;

	if (f->result_count != own->result_count ||
	    memcmp(f->types + f->param_count, own->types + own->param_count, f->result_count) !=
		    0) {
		return mismatch(l);
	}
	return 0;
}

static int op_call(struct rotor_loader *l, uint32_t func, bool tail)
{
	const struct functype *f;

	if (func >= l->m->func_count) {
		return load_fail_idx(l, ROTOR_ERR_INVALID, "unknown function", func);
	}
	f = module_functype(l->m, func);
	TRY(peek_types(l, f->types, f->param_count));
	if (tail) {
		TRY(check_tail(l, f));
	}
	if (live(l)) {
		uint16_t slot = args_slot(l, f->param_count);

		TRY(tail ? t_tail_call(l, func, f->param_count, slot)
			 : t_call(l, func, f->param_count, slot));
	}
	TRY(pop_types(l, f->types, f->param_count));
	if (tail) {
		become_dead(l);
		return 0;
	}
	return push_types(l, f->types + f->param_count, f->result_count);
}

static int op_call_indirect(struct rotor_loader *l, uint32_t type, uint32_t table, bool tail)
{
	const struct functype *f;
	struct entry index;
	uint8_t elem_type = 0;

	TRY(find_table(l, table, &elem_type));
	if (elem_type != ROTOR_FUNCREF) {
		return mismatch(l);
	}
	if (type >= l->m->type_count) {
		return load_fail_idx(l, ROTOR_ERR_INVALID, "unknown type", type);
	}
	f = l->m->types[type];
	TRY(pop(l, ROTOR_I32, &index));
	TRY(peek_types(l, f->types, f->param_count));
	if (tail) {
		TRY(check_tail(l, f));
	}
	if (live(l)) {
		uint16_t slot = args_slot(l, f->param_count);

		type = load_first_type(l->m, type);
		TRY(tail ? t_tail_indirect(l, &index, (uint16_t)type, (uint16_t)table,
					   f->param_count, slot)
			 : t_call_indirect(l, &index, (uint16_t)type, (uint16_t)table,
					   f->param_count, slot));
	}
	TRY(pop_types(l, f->types, f->param_count));
	if (tail) {
		become_dead(l);
		return 0;
	}
	return push_types(l, f->types + f->param_count, f->result_count);
}

/* ---- values ---- */

static int op_numeric(struct rotor_loader *l, unsigned generic)
{
	const struct form_generic_info *info = &form_generics[generic];
	struct entry a, b;

	if (info->class != CLASS_UN) {
		TRY(pop(l, info->in, &b));
	}
	TRY(pop(l, info->in, &a));
	if (live(l)) {
		TRY(info->class == CLASS_UN ? t_unary(l, generic, &a)
					    : t_binary(l, generic, &a, &b));
	}
	return push_result(l, info->out);
}

/* eqz and ref.is_null: a comparison with zero. */
static int op_eqz(struct rotor_loader *l, uint8_t type)
{
	struct entry a, zero = {.kind = ENTRY_CONST, .type = type};

	TRY(pop(l, type, &a));
	if (type == TYPE_UNKNOWN && a.type != TYPE_UNKNOWN && !type_is_ref(a.type)) {
		return mismatch(l);
	}
	if (live(l)) {
		zero.pos = (uint16_t)(a.pos + type_cells(a.type));
		l->t.cells_max = BASE_MAX(l->t.cells_max, zero.pos + 2u);
		TRY(t_binary(l, type == ROTOR_I64 ? G_I64_EQ : G_I32_EQ, &a, &zero));
	}
	return push_result(l, ROTOR_I32);
}

static int op_memory_access(struct rotor_loader *l, const struct instr *in)
{
	unsigned i = in->op - 0x28u, generic = memory_ops[i].generic;
	struct entry addr, value;

	if (!l->m->memory.present) {
		return load_fail(l, ROTOR_ERR_INVALID, "unknown memory 0");
	}
	if (in->b > memory_ops[i].align) {
		return load_fail(l, ROTOR_ERR_INVALID, "alignment must not be larger than natural");
	}
	if (in->op >= 0x36) {
		TRY(pop(l, store_types[in->op - 0x36], &value));
		TRY(pop(l, ROTOR_I32, &addr));
		return live(l) ? t_store(l, generic, &addr, &value, in->a) : 0;
	}
	TRY(pop(l, ROTOR_I32, &addr));
	if (live(l)) {
		TRY(t_load(l, generic, &addr, in->a));
	}
	return push_result(l, form_generics[generic].out);
}

static int op_const(struct rotor_loader *l, uint8_t type, uint64_t k)
{
	TRY(push(l, type));
	l->sp->kind = ENTRY_CONST;
	l->sp->lo = (uint32_t)k;
	l->sp->hi = (uint32_t)(k >> 32);
	return 0;
}

static int op_local(struct rotor_loader *l, const struct instr *in)
{
	uint8_t type = 0;
	uint16_t slot;
	struct entry v;

	if (!validate_local(&l->body, in->a, &type, &slot)) {
		return load_fail_idx(l, ROTOR_ERR_INVALID, "unknown local", in->a);
	}
	if (in->op == 0x20) {
		TRY(push(l, type));
		if (live(l)) {
			t_local_get(l, l->sp, slot);
		}
		return 0;
	}
	TRY(pop(l, type, &v));
	if (live(l)) {
		TRY(t_local_set(l, slot, type, &v));
	}
	if (in->op == 0x22) {
		TRY(push(l, type));
		if (live(l)) {
			t_local_tee(l, slot, &v, l->sp);
		}
	}
	return 0;
}

static int global_get(struct rotor_loader *l, const struct global_type *g, uint32_t idx)
{
	uint16_t units[2];

	if (idx >= l->m->global_imports || !g->mutable) {
		if (live(l)) {
			TRY(t_global_get(l, g->type, g->cell));
		}
		return push_result(l, g->type);
	}
	TRY(push(l, g->type));
	units[0] = l->sp->pos;
	units[1] = (uint16_t)idx;
	return live(l) ? t_plain(l, F_GGET_IMPORT, 2, units) : 0;
}

static int op_global(struct rotor_loader *l, const struct instr *in)
{
	const struct global_type *g = &l->m->globals[in->a];
	struct entry v;
	uint16_t units[2];

	if (in->a >= l->m->global_count) {
		return load_fail_idx(l, ROTOR_ERR_INVALID, "unknown global", in->a);
	}
	if (in->op == 0x23) {
		return global_get(l, g, in->a);
	}
	if (!g->mutable) {
		return load_fail_idx(l, ROTOR_ERR_INVALID, "global is immutable", in->a);
	}
	if (in->a < l->m->global_imports) {
		TRY(peek_types(l, &g->type, 1));
		if (live(l)) {
			TRY(t_settle(l, 1));
			units[0] = l->sp->pos;
			units[1] = (uint16_t)in->a;
			TRY(t_plain(l, F_GSET_IMPORT, 2, units));
		}
		return pop(l, g->type, NULL);
	}
	TRY(pop(l, g->type, &v));
	return live(l) ? t_global_set(l, g->type, g->cell, &v) : 0;
}

static int op_select(struct rotor_loader *l, uint8_t type)
{
	struct entry a, b, cond;

	TRY(pop(l, ROTOR_I32, &cond));
	TRY(pop(l, type, &b));
	TRY(pop(l, type, &a));
	if (type == TYPE_UNKNOWN) {
		type = a.type != TYPE_UNKNOWN ? a.type : b.type;
		if (type_is_ref(type) || type_is_ref(b.type) ||
		    (b.type != type && b.type != TYPE_UNKNOWN)) {
			return mismatch(l);
		}
	}
	if (live(l)) {
		TRY(t_select(l, type, &a, &b, &cond));
	}
	return push_result(l, type);
}

static int op_drop(struct rotor_loader *l)
{
	struct entry v;

	TRY(pop(l, TYPE_UNKNOWN, &v));
	return live(l) ? t_drop(l, &v) : 0;
}

static int op_ref_func(struct rotor_loader *l, uint32_t func)
{
	uint16_t units[3];

	if (func >= l->m->func_count) {
		return load_fail_idx(l, ROTOR_ERR_INVALID, "unknown function", func);
	}
	if ((l->refs[func / 8] & (1u << func % 8)) == 0) {
		return load_fail_idx(l, ROTOR_ERR_INVALID, "undeclared function reference", func);
	}
	TRY(push(l, ROTOR_FUNCREF));
	units[0] = l->sp->pos;
	units[1] = (uint16_t)func;
	units[2] = (uint16_t)(func >> 16);
	return live(l) ? t_plain(l, F_REF_FUNC, 3, units) : 0;
}

/* ---- operations on settled operands ---- */

/* Settles operands of these types, emits op with the first one's slot and units, pushes result. */
static int settled(struct rotor_loader *l, unsigned op, const uint8_t *types, uint32_t count,
		   uint8_t result, unsigned unit_count, uint16_t unit1, uint16_t unit2)
{
	uint16_t units[3] = {0, unit1, unit2};

	TRY(peek_types(l, types, count));
	if (live(l)) {
		units[0] = args_slot(l, count);
		TRY(t_settle(l, count));
		TRY(t_plain(l, op, 1 + unit_count, units));
	}
	TRY(pop_types(l, types, count));
	return result != 0 ? push(l, result) : 0;
}

static const uint8_t three_i32[3] = {ROTOR_I32, ROTOR_I32, ROTOR_I32};

static int need_memory(struct rotor_loader *l)
{
	if (!l->m->memory.present) {
		return load_fail(l, ROTOR_ERR_INVALID, "unknown memory 0");
	}
	return 0;
}

static int need_data(struct rotor_loader *l, uint32_t idx)
{
	/* Without a count it depends on what follows which error it is. */
	l->data_needed = true;
	if (l->data_counted && idx >= l->data_count) {
		return load_fail_idx(l, ROTOR_ERR_INVALID, "unknown data segment", idx);
	}
	if (idx > UINT16_MAX) {
		return load_fail(l, ROTOR_ERR_LIMIT, "more than 65536 data segments");
	}
	return 0;
}

static int need_elem(struct rotor_loader *l, uint32_t idx)
{
	if (idx >= l->m->elem_count) {
		return load_fail_idx(l, ROTOR_ERR_INVALID, "unknown elem segment", idx);
	}
	if (idx > UINT16_MAX) {
		return load_fail(l, ROTOR_ERR_LIMIT, "more than 65536 element segments");
	}
	return 0;
}

static int op_memory(struct rotor_loader *l, const struct instr *in)
{
	switch (in->op) {
	case 0x3f:
		TRY(need_memory(l));
		return settled(l, F_MEMORY_SIZE, NULL, 0, ROTOR_I32, 0, 0, 0);
	case 0x40:
		TRY(need_memory(l));
		l->m->memory_grows = true;
		return settled(l, F_MEMORY_GROW, three_i32, 1, ROTOR_I32, 0, 0, 0);
	case 0x108:
		TRY(need_memory(l));
		TRY(need_data(l, in->a));
		return settled(l, F_MEMORY_INIT, three_i32, 3, 0, 1, (uint16_t)in->a, 0);
	case 0x109: {
		uint16_t unit = (uint16_t)in->a;

		TRY(need_data(l, in->a));
		return live(l) ? t_plain(l, F_DATA_DROP, 1, &unit) : 0;
	}
	case 0x10a:
		TRY(need_memory(l));
		return settled(l, F_MEMORY_COPY, three_i32, 3, 0, 0, 0, 0);
	default:
		TRY(need_memory(l));
		return settled(l, F_MEMORY_FILL, three_i32, 3, 0, 0, 0, 0);
	}
}

static int op_table_init(struct rotor_loader *l, const struct instr *in)
{
	uint8_t type = 0;

	TRY(find_table(l, in->b, &type));
	TRY(need_elem(l, in->a));
	if (l->m->elems[in->a].type != type) {
		return mismatch(l);
	}
	return settled(l, F_TABLE_INIT, three_i32, 3, 0, 2, (uint16_t)in->b, (uint16_t)in->a);
}

static int op_table_copy(struct rotor_loader *l, const struct instr *in)
{
	uint8_t to = 0, from = 0;

	TRY(find_table(l, in->a, &to));
	TRY(find_table(l, in->b, &from));
	if (to != from) {
		return mismatch(l);
	}
	return settled(l, F_TABLE_COPY, three_i32, 3, 0, 2, (uint16_t)in->a, (uint16_t)in->b);
}

static int op_table(struct rotor_loader *l, const struct instr *in)
{
	uint16_t table = (uint16_t)in->a;
	uint8_t type = 0;

	TRY(find_table(l, in->a, &type));
	switch (in->op) {
	case 0x25:
		return settled(l, F_TABLE_GET, three_i32, 1, type, 1, table, 0);
	case 0x26:
		return settled(l, F_TABLE_SET, (uint8_t[]){ROTOR_I32, type}, 2, 0, 1, table, 0);
	case 0x10f:
		return settled(l, F_TABLE_GROW, (uint8_t[]){type, ROTOR_I32}, 2, ROTOR_I32, 1,
			       table, 0);
	case 0x110:
		return settled(l, F_TABLE_SIZE, NULL, 0, ROTOR_I32, 1, table, 0);
	default:
		return settled(l, F_TABLE_FILL, (uint8_t[]){ROTOR_I32, type, ROTOR_I32}, 3, 0, 1,
			       table, 0);
	}
}

static int op_prefixed(struct rotor_loader *l, const struct instr *in)
{
	unsigned sub = in->op - 0x100u;
	uint16_t unit = (uint16_t)in->a;

	if (sub < 8) {
		return op_numeric(l, saturating[sub]);
	}
	if (sub < 12) {
		return op_memory(l, in);
	}
	switch (sub) {
	case 12:
		return op_table_init(l, in);
	case 13:
		TRY(need_elem(l, in->a));
		return live(l) ? t_plain(l, F_ELEM_DROP, 1, &unit) : 0;
	case 14:
		return op_table_copy(l, in);
	default:
		return op_table(l, in);
	}
}

static int op_unreachable(struct rotor_loader *l)
{
	if (live(l)) {
		TRY(t_plain(l, F_UNREACHABLE, 0, NULL));
	}
	become_dead(l);
	return 0;
}

/* Opcodes 0x45 on and the prefixed ones. */
static int op_high(struct rotor_loader *l, const struct instr *in)
{
	uint16_t generic;

	if (in->op >= 0x100) {
		return op_prefixed(l, in);
	}
	switch (in->op) {
	case 0xd0:
		return op_const(l, (uint8_t)in->a, 0);
	case 0xd1:
		return op_eqz(l, TYPE_UNKNOWN);
	case 0xd2:
		return op_ref_func(l, in->a);
	default:
		generic = numeric[in->op - 0x45];
		if (generic == G_I32_EQZ || generic == G_I64_EQZ) {
			return op_eqz(l, generic == G_I32_EQZ ? ROTOR_I32 : ROTOR_I64);
		}
		return op_numeric(l, generic);
	}
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
		return op_drop(l);
	case 0x1b:
		return op_select(l, TYPE_UNKNOWN);
	case 0x1c:
		return op_select(l, (uint8_t)in->a);
	case 0x20:
	case 0x21:
	case 0x22:
		return op_local(l, in);
	case 0x23:
	case 0x24:
		return op_global(l, in);
	case 0x25:
	case 0x26:
		return op_table(l, in);
	case 0x3f:
	case 0x40:
		return op_memory(l, in);
	case 0x41:
		return op_const(l, ROTOR_I32, in->k);
	case 0x42:
		return op_const(l, ROTOR_I64, in->k);
	case 0x43:
		return op_const(l, ROTOR_F32, in->k);
	case 0x44:
		return op_const(l, ROTOR_F64, in->k);
	default:
		return in->op >= 0x45 ? op_high(l, in) : op_memory_access(l, in);
	}
}
