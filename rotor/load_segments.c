/* SPDX-License-Identifier: Apache-2.0 */
/* Element and data segments, and constant expressions. Spec: WebAssembly 2.0 5.5.12, 5.5.14, 3.3.10. */
#include "rotor/load.h"

/* ---- constant expressions ---- */

void load_const_begin(struct rotor_loader *l, struct const_expr *out, uint8_t type, uint8_t then)
{
	l->expr = out;
	l->expr_type = type;
	l->expr_then = then;
	l->expr_depth = 0;
	out->bytes = l->low;
	out->length = 0;
	l->step = STEP_CONST;
}

static int const_push(struct rotor_loader *l, uint8_t type)
{
	if (l->expr_depth == LOAD_CONST_DEPTH) {
		return load_fail(l, ROTOR_ERR_LIMIT, "a constant expression is nested too deeply");
	}
	l->expr_types[l->expr_depth++] = type;
	return 0;
}

static int const_global(struct rotor_loader *l, uint32_t idx)
{
	const struct rotor_module *m = l->m;

	if (idx >= m->global_imports) {
		return load_unknown(l, "unknown global", idx);
	}
	if (m->globals[idx].mutable) {
		return load_invalid(l, "constant expression required");
	}
	return const_push(l, m->globals[idx].type);
}

static int const_func(struct rotor_loader *l, uint32_t idx)
{
	if (idx >= l->m->func_count) {
		return load_unknown(l, "unknown function", idx);
	}
	l->refs[idx / 8] |= (uint8_t)(1u << idx % 8);
	return const_push(l, ROTOR_FUNCREF);
}

static int const_binary(struct rotor_loader *l, uint8_t type)
{
	uint8_t d = l->expr_depth;

	if (d < 2 || l->expr_types[d - 1] != type || l->expr_types[d - 2] != type) {
		return load_invalid(l, "type mismatch in a constant expression");
	}
	l->expr_depth--;
	return 0;
}

static int const_instr(struct rotor_loader *l, const struct instr *in)
{
	switch (in->op) {
	case 0x23:
		return const_global(l, in->a);
	case 0x41:
		return const_push(l, ROTOR_I32);
	case 0x42:
		return const_push(l, ROTOR_I64);
	case 0x43:
		return const_push(l, ROTOR_F32);
	case 0x44:
		return const_push(l, ROTOR_F64);
	case 0x6a:
	case 0x6b:
	case 0x6c:
		return const_binary(l, ROTOR_I32);
	case 0x7c:
	case 0x7d:
	case 0x7e:
		return const_binary(l, ROTOR_I64);
	case 0xd0:
		return const_push(l, (uint8_t)in->a);
	case 0xd2:
		return const_func(l, in->a);
	default:
		return load_invalid(l, "constant expression required");
	}
}

int step_const(struct rotor_loader *l)
{
	const uint8_t *from = l->p;
	struct instr in;
	uint8_t *copy;
	size_t n;

	TRY(decode_instr(l, &in));
	if (in.op == 0x0b) {
		if (l->expr_depth != 1 || l->expr_types[0] != l->expr_type) {
			return load_invalid(l, "type mismatch in a constant expression");
		}
		l->step = l->expr_then;
		return 0;
	}
	TRY(const_instr(l, &in));
	n = (size_t)(l->p - from);
	if (n > (size_t)UINT16_MAX - l->expr->length) {
		return load_fail(l, ROTOR_ERR_LIMIT, "a constant expression is too long");
	}
	copy = load_alloc(l, n, 1);
	CHECK(copy != NULL, (int)l->error);
	memcpy(copy, from, n);
	l->expr->length = (uint16_t)(l->expr->length + n);
	return 0;
}

/* ---- elements ---- */

enum {
	ELEM_PASSIVE = 1,
	ELEM_EXPLICIT = 2,
	ELEM_EXPRS = 4
};

int step_elem(struct rotor_loader *l)
{
	struct elem *e = &l->m->elems[l->i];
	uint32_t flags, table = 0;

	TRY(load_u32(l, &flags));
	if (flags > 7) {
		return load_malformed(l, "malformed elements segment kind");
	}
	if ((flags & ELEM_PASSIVE) == 0 && (flags & ELEM_EXPLICIT) != 0) {
		TRY(load_u32(l, &table));
	}
	l->elem_flags = (uint8_t)flags;
	e->type = ROTOR_FUNCREF;
	e->mode = (flags & ELEM_PASSIVE) == 0 ? SEGMENT_ACTIVE
		  : flags & ELEM_EXPLICIT     ? SEGMENT_DECLARED
					      : SEGMENT_PASSIVE;
	if (e->mode != SEGMENT_ACTIVE) {
		l->step = STEP_ELEM_KIND;
		return 0;
	}
	if (table >= l->m->table_count) {
		return load_unknown(l, "unknown table", table);
	}
	e->table = (uint16_t)table;
	load_const_begin(l, &e->offset, ROTOR_I32, STEP_ELEM_KIND);
	return 0;
}

/* Element kind or type if there is one, then the count. */
int step_elem_kind(struct rotor_loader *l)
{
	struct elem *e = &l->m->elems[l->i];
	uint8_t kind = 0, type = ROTOR_FUNCREF;
	uint32_t count;

	if ((l->elem_flags & (ELEM_PASSIVE | ELEM_EXPLICIT)) != 0) {
		TRY((l->elem_flags & ELEM_EXPRS) != 0 ? load_reftype(l, &type) : load_u8(l, &kind));
		if (kind != 0) {
			return load_malformed(l, "malformed element kind");
		}
	}
	TRY(load_count(l, &count));
	e->type = type;
	if (e->mode == SEGMENT_ACTIVE && l->m->tables[e->table].type != type) {
		return load_invalid(l, "type mismatch: elements and their table");
	}
	TRY(load_room(l, count, 4));
	e->refs = load_alloc(l, (size_t)count * 4, 4);
	CHECK(e->refs != NULL, (int)l->error);
	e->count = 0;
	l->left = count;
	l->step = STEP_ELEM_ITEM;
	return 0;
}

/* Goes to the next element, or to the next segment. */
int step_elem_item(struct rotor_loader *l)
{
	struct elem *e = &l->m->elems[l->i];
	uint32_t idx;

	if (l->left == 0) {
		l->i++;
		l->step = STEP_NEXT;
		return 0;
	}
	if ((l->elem_flags & ELEM_EXPRS) != 0) {
		l->step = STEP_ELEM_EXPR;
		return 0;
	}
	TRY(load_u32(l, &idx));
	if (idx >= l->m->func_count) {
		return load_unknown(l, "unknown function", idx);
	}
	l->refs[idx / 8] |= (uint8_t)(1u << idx % 8);
	((uint32_t *)e->refs)[e->count++] = idx + 1;
	l->left--;
	return 0;
}

/* An element that is an expression: one instruction and end. */
int step_elem_expr(struct rotor_loader *l)
{
	struct elem *e = &l->m->elems[l->i];
	struct instr in, end;
	uint32_t ref;

	TRY(decode_instr(l, &in));
	TRY(decode_instr(l, &end));
	l->expr_depth = 0;
	if (in.op == 0x0b) {
		return load_invalid(l, "type mismatch: an empty expression");
	}
	TRY(const_instr(l, &in));
	if (end.op != 0x0b) {
		l->expr_depth = 0;
		TRY(const_instr(l, &end));
		return load_invalid(l, "type mismatch in a constant expression");
	}
	if (l->expr_types[0] != e->type) {
		return load_invalid(l, "type mismatch in a constant expression");
	}
	ref = in.op == 0xd2 ? in.a + 1 : in.op == 0x23 ? (in.a | ELEM_GLOBAL) : 0;
	((uint32_t *)e->refs)[e->count++] = ref;
	l->left--;
	l->step = STEP_ELEM_ITEM;
	return 0;
}

/* ---- data ---- */

int step_data_count(struct rotor_loader *l)
{
	TRY(load_u32(l, &l->data_count));
	l->data_counted = true;
	l->i++;
	l->step = STEP_NEXT;
	return 0;
}

int step_data(struct rotor_loader *l)
{
	struct data *d = &l->m->datas[l->i];
	uint32_t flags, memory = 0;

	TRY(load_u32(l, &flags));
	if (flags > 2) {
		return load_malformed(l, "malformed data segment kind");
	}
	if (flags == 2) {
		TRY(load_u32(l, &memory));
	}
	d->mode = flags == 1 ? SEGMENT_PASSIVE : SEGMENT_ACTIVE;
	if (d->mode == SEGMENT_PASSIVE) {
		l->step = STEP_DATA_LENGTH;
		return 0;
	}
	if (memory != 0 || !l->m->memory.present) {
		return load_unknown(l, "unknown memory", memory);
	}
	load_const_begin(l, &d->offset, ROTOR_I32, STEP_DATA_LENGTH);
	return 0;
}

int step_data_length(struct rotor_loader *l)
{
	struct data *d = &l->m->datas[l->i];
	uint32_t length;

	TRY(load_count(l, &length));
	d->length = length;
	d->bytes = l->p;
	if (!l->stays) {
		d->bytes = load_alloc(l, length, 1);
		CHECK(d->bytes != NULL, (int)l->error);
	}
	l->left = length;
	l->step = STEP_DATA_BYTES;
	return 0;
}

int step_data_bytes(struct rotor_loader *l)
{
	struct data *d = &l->m->datas[l->i];
	uint32_t n = (uint32_t)BASE_MIN((size_t)(l->end - l->p), l->left);

	if (n == 0 && l->left > 0) {
		return LOAD_MORE;
	}
	if (!l->stays) {
		memcpy((uint8_t *)d->bytes + (d->length - l->left), l->p, n);
	}
	l->p += n;
	l->left -= n;
	if (l->left == 0) {
		l->i++;
		l->step = STEP_NEXT;
	}
	return 0;
}
