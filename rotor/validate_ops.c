/* SPDX-License-Identifier: Apache-2.0 */
/* Validation of numeric, variable, memory, table and reference instructions. Spec: WebAssembly 2.0 3.3. */
#include "rotor/validate.h"

/* Opcodes 0x45 to 0xc4: the generic operation; G_EQZ are done by comparing with 0. */
enum {
	G_I32_EQZ = G_COUNT + 1,
	G_I64_EQZ
};
_Static_assert(G_I64_EQZ <= UINT8_MAX, "the tables below are of bytes");

static const uint8_t numeric[0xc4 - 0x45 + 1] = {
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

static const uint8_t saturating[8] = {
	G_I32_TRUNC_SAT_F32_S, G_I32_TRUNC_SAT_F32_U, G_I32_TRUNC_SAT_F64_S, G_I32_TRUNC_SAT_F64_U,
	G_I64_TRUNC_SAT_F32_S, G_I64_TRUNC_SAT_F32_U, G_I64_TRUNC_SAT_F64_S, G_I64_TRUNC_SAT_F64_U,
};

/* Opcodes 0x28 to 0x3e: the operation and its natural alignment as a power of two. */
static const struct {
	uint8_t generic, align;
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

/* ---- values ---- */

int v_op_numeric(struct rotor_loader *l, unsigned generic)
{
	const struct form_generic_info *info = &form_generics[generic];
	struct entry a, b;

	if (info->class != CLASS_UN) {
		TRY(v_pop(l, form_type(info->in), &b));
	}
	TRY(v_pop(l, form_type(info->in), &a));
	if (v_live(l)) {
		TRY(info->class == CLASS_UN ? t_unary(l, generic, &a)
					    : t_binary(l, generic, &a, &b));
	}
	return v_push_result(l, form_type(info->out));
}

/* eqz and ref.is_null: a comparison with zero. */
int v_op_eqz(struct rotor_loader *l, uint8_t type)
{
	struct entry a, zero = {.kind = ENTRY_CONST, .type = type};

	TRY(v_pop(l, type, &a));
	if (type == TYPE_UNKNOWN && a.type != TYPE_UNKNOWN && !type_is_ref(a.type)) {
		return v_mismatch(l);
	}
	if (v_live(l)) {
		zero.pos = (uint16_t)(a.pos + type_cells(a.type));
		l->t.cells_max = BASE_MAX(l->t.cells_max, zero.pos + 2u);
		TRY(t_binary(l, type == ROTOR_I64 ? G_I64_EQ : G_I32_EQ, &a, &zero));
	}
	return v_push_result(l, ROTOR_I32);
}

int v_op_memory_access(struct rotor_loader *l, const struct instr *in)
{
	unsigned i = in->op - 0x28u, generic = memory_ops[i].generic,
		 last = (1u << memory_ops[i].align) - 1;
	struct entry addr, value;

	if (!l->m->memory.present) {
		return load_invalid(l, "unknown memory 0");
	}
	if (in->b > memory_ops[i].align) {
		return load_invalid(l, "alignment must not be larger than natural");
	}
	if (in->op >= 0x36) {
		TRY(v_pop(l, store_types[in->op - 0x36], &value));
		TRY(v_pop(l, ROTOR_I32, &addr));
		return v_live(l) ? t_store(l, generic, &addr, &value, in->a, last) : 0;
	}
	TRY(v_pop(l, ROTOR_I32, &addr));
	if (v_live(l)) {
		TRY(t_load(l, generic, &addr, in->a, last));
	}
	return v_push_result(l, form_type(form_generics[generic].out));
}

int v_op_const(struct rotor_loader *l, uint8_t type, uint64_t k)
{
	TRY(v_push(l, type));
	l->sp->kind = ENTRY_CONST;
	l->sp->lo = (uint32_t)k;
	l->sp->hi = (uint32_t)(k >> 32);
	return 0;
}

int v_op_local(struct rotor_loader *l, const struct instr *in)
{
	uint8_t type = 0;
	uint16_t slot;
	struct entry v;

	if (!validate_local(&l->body, in->a, &type, &slot)) {
		return load_unknown(l, "unknown local", in->a);
	}
	if (in->op == 0x20) {
		TRY(v_push(l, type));
		if (v_live(l)) {
			t_local_get(l, l->sp, slot);
		}
		return 0;
	}
	TRY(v_pop(l, type, &v));
	if (v_live(l)) {
		TRY(t_local_set(l, slot, type, &v));
	}
	if (in->op == 0x22) {
		TRY(v_push(l, type));
		if (v_live(l)) {
			t_local_tee(l, slot, &v, l->sp);
		}
	}
	return 0;
}

static int global_get(struct rotor_loader *l, const struct global_type *g, uint32_t idx)
{
	uint16_t units[2];

	if (idx >= l->m->global_imports || !g->mutable) {
		if (v_live(l)) {
			TRY(t_global_get(l, g->type, g->cell));
		}
		return v_push_result(l, g->type);
	}
	TRY(v_push(l, g->type));
	units[0] = l->sp->pos;
	units[1] = (uint16_t)idx;
	return v_live(l) ? t_plain(l, F_GGET_IMPORT, 2, units) : 0;
}

int v_op_global(struct rotor_loader *l, const struct instr *in)
{
	const struct global_type *g = &l->m->globals[in->a];
	struct entry v;
	uint16_t units[2];

	if (in->a >= l->m->global_count) {
		return load_unknown(l, "unknown global", in->a);
	}
	if (in->op == 0x23) {
		return global_get(l, g, in->a);
	}
	if (!g->mutable) {
		return load_unknown(l, "global is immutable", in->a);
	}
	if (in->a < l->m->global_imports) {
		TRY(v_peek_types(l, &g->type, 1));
		if (v_live(l)) {
			TRY(t_settle(l, 1));
			units[0] = l->sp->pos;
			units[1] = (uint16_t)in->a;
			TRY(t_plain(l, F_GSET_IMPORT, 2, units));
		}
		return v_pop(l, g->type, NULL);
	}
	TRY(v_pop(l, g->type, &v));
	return v_live(l) ? t_global_set(l, g->type, g->cell, &v) : 0;
}

int v_op_select(struct rotor_loader *l, uint8_t type)
{
	struct entry a, b, cond;

	TRY(v_pop(l, ROTOR_I32, &cond));
	TRY(v_pop(l, type, &b));
	TRY(v_pop(l, type, &a));
	if (type == TYPE_UNKNOWN) {
		type = a.type != TYPE_UNKNOWN ? a.type : b.type;
		if (type_is_ref(type) || type_is_ref(b.type) ||
		    (b.type != type && b.type != TYPE_UNKNOWN)) {
			return v_mismatch(l);
		}
	}
	if (v_live(l)) {
		TRY(t_select(l, type, &a, &b, &cond));
	}
	return v_push_result(l, type);
}

int v_op_drop(struct rotor_loader *l)
{
	struct entry v;

	TRY(v_pop(l, TYPE_UNKNOWN, &v));
	return v_live(l) ? t_drop(l, &v) : 0;
}

int v_op_ref_func(struct rotor_loader *l, uint32_t func)
{
	uint16_t units[3];

	if (func >= l->m->func_count) {
		return load_unknown(l, "unknown function", func);
	}
	if ((l->refs[func / 8] & (1u << func % 8)) == 0) {
		return load_unknown(l, "undeclared function reference", func);
	}
	TRY(v_push(l, ROTOR_FUNCREF));
	units[0] = l->sp->pos;
	units[1] = (uint16_t)func;
	units[2] = (uint16_t)(func >> 16);
	return v_live(l) ? t_plain(l, F_REF_FUNC, 3, units) : 0;
}

/* ---- operations on settled operands ---- */

/* Settles operands of these types, emits op with the first one's slot and units, pushes result. */
static int settled(struct rotor_loader *l, unsigned op, const uint8_t *types, uint32_t count,
		   uint8_t result, unsigned unit_count, uint16_t unit1, uint16_t unit2)
{
	uint16_t units[3] = {0, unit1, unit2};

	TRY(v_peek_types(l, types, count));
	if (v_live(l)) {
		units[0] = v_args_slot(l, count);
		TRY(t_settle(l, count));
		TRY(t_plain(l, op, 1 + unit_count, units));
	}
	TRY(v_pop_types(l, types, count));
	return result != 0 ? v_push(l, result) : 0;
}

static const uint8_t three_i32[3] = {ROTOR_I32, ROTOR_I32, ROTOR_I32};

static int need_memory(struct rotor_loader *l)
{
	if (!l->m->memory.present) {
		return load_invalid(l, "unknown memory 0");
	}
	return 0;
}

static int need_data(struct rotor_loader *l, uint32_t idx)
{
	/* Without a count it depends on what follows which error it is. */
	l->data_needed = true;
	if (l->data_counted && idx >= l->data_count) {
		return load_unknown(l, "unknown data segment", idx);
	}
	if (idx > UINT16_MAX) {
		return load_fail(l, ROTOR_ERR_LIMIT, "more than 65536 data segments");
	}
	return 0;
}

static int need_elem(struct rotor_loader *l, uint32_t idx)
{
	if (idx >= l->m->elem_count) {
		return load_unknown(l, "unknown elem segment", idx);
	}
	if (idx > UINT16_MAX) {
		return load_fail(l, ROTOR_ERR_LIMIT, "more than 65536 element segments");
	}
	return 0;
}

int v_op_memory(struct rotor_loader *l, const struct instr *in)
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
		return v_live(l) ? t_plain(l, F_DATA_DROP, 1, &unit) : 0;
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

	TRY(v_find_table(l, in->b, &type));
	TRY(need_elem(l, in->a));
	if (l->m->elems[in->a].type != type) {
		return v_mismatch(l);
	}
	return settled(l, F_TABLE_INIT, three_i32, 3, 0, 2, (uint16_t)in->b, (uint16_t)in->a);
}

static int op_table_copy(struct rotor_loader *l, const struct instr *in)
{
	uint8_t to = 0, from = 0;

	TRY(v_find_table(l, in->a, &to));
	TRY(v_find_table(l, in->b, &from));
	if (to != from) {
		return v_mismatch(l);
	}
	return settled(l, F_TABLE_COPY, three_i32, 3, 0, 2, (uint16_t)in->a, (uint16_t)in->b);
}

int v_op_table(struct rotor_loader *l, const struct instr *in)
{
	uint16_t table = (uint16_t)in->a;
	uint8_t type = 0;

	TRY(v_find_table(l, in->a, &type));
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

int v_op_prefixed(struct rotor_loader *l, const struct instr *in)
{
	unsigned sub = in->op - 0x100u;
	uint16_t unit = (uint16_t)in->a;

	if (sub < 8) {
		return v_op_numeric(l, saturating[sub]);
	}
	if (sub < 12) {
		return v_op_memory(l, in);
	}
	switch (sub) {
	case 12:
		return op_table_init(l, in);
	case 13:
		TRY(need_elem(l, in->a));
		return v_live(l) ? t_plain(l, F_ELEM_DROP, 1, &unit) : 0;
	case 14:
		return op_table_copy(l, in);
	default:
		return v_op_table(l, in);
	}
}

/* Opcodes 0x45 on and the prefixed ones. */
int v_op_high(struct rotor_loader *l, const struct instr *in)
{
	uint16_t generic;

	if (in->op >= 0x100) {
		return v_op_prefixed(l, in);
	}
	switch (in->op) {
	case 0xd0:
		return v_op_const(l, (uint8_t)in->a, 0);
	case 0xd1:
		return v_op_eqz(l, TYPE_UNKNOWN);
	case 0xd2:
		return v_op_ref_func(l, in->a);
	default:
		generic = numeric[in->op - 0x45];
		if (generic == G_I32_EQZ || generic == G_I64_EQZ) {
			return v_op_eqz(l, generic == G_I32_EQZ ? ROTOR_I32 : ROTOR_I64);
		}
		return v_op_numeric(l, generic);
	}
}
