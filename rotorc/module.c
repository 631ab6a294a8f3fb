/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the sections and function bodies of a module that the engine has validated, so nothing is checked again.
 *
 * Spec: Wasm 2.0 5.4, 5.5
 */
#include "rotorc/module.h"

#include "base/base.h"

#include <stdlib.h>

static uint64_t read_uleb(struct rc_reader *r)
{
	uint64_t v = 0;
	int shift = 0;
	uint8_t b;

	do {
		b = *r->at++;
		v |= (uint64_t)(b & 0x7F) << shift;
		shift += 7;
	} while ((b & 0x80) != 0);
	return v;
}

static int64_t read_sleb(struct rc_reader *r)
{
	uint64_t v = 0;
	int shift = 0;
	uint8_t b;

	do {
		b = *r->at++;
		v |= (uint64_t)(b & 0x7F) << shift;
		shift += 7;
	} while ((b & 0x80) != 0);
	if (shift < 64 && (b & 0x40) != 0) {
		v |= ~(uint64_t)0 << shift;
	}
	return (int64_t)v;
}

uint32_t rc_read_u32(struct rc_reader *r)
{
	return (uint32_t)read_uleb(r);
}

static void skip_name(struct rc_reader *r)
{
	r->at += rc_read_u32(r);
}

/* Limits of a table or memory: flags, minimum, and what the flags say (maximum, page size). */
static uint64_t read_limits(struct rc_reader *r, uint32_t *page_bytes)
{
	uint32_t flags = *r->at++;
	uint64_t min = read_uleb(r);

	*page_bytes = 65536;
	if ((flags & 1) != 0) {
		read_uleb(r);
	}
	if ((flags & 8) != 0) {
		*page_bytes = 1u << read_uleb(r);
	}
	return min;
}

static void read_types(struct rc_module *m, struct rc_reader *r)
{
	m->type_count = rc_read_u32(r);
	m->types = calloc(m->type_count + 1, sizeof(*m->types));
	for (uint32_t i = 0; i < m->type_count; i++) {
		struct rc_type *t = &m->types[i];

		r->at++; /* 0x60 */
		t->param_count = rc_read_u32(r);
		t->params = r->at;
		r->at += t->param_count;
		t->result_count = rc_read_u32(r);
		t->results = r->at;
		r->at += t->result_count;
		for (t->same = 0; t->same < i; t->same++) {
			const struct rc_type *o = &m->types[t->same];

			if (o->param_count == t->param_count &&
			    o->result_count == t->result_count &&
			    memcmp(o->params, t->params, t->param_count) == 0 &&
			    memcmp(o->results, t->results, t->result_count) == 0) {
				break;
			}
		}
	}
}

static struct rc_func *add_func(struct rc_module *m)
{
	m->funcs = realloc(m->funcs, (m->func_count + 1) * sizeof(*m->funcs));
	m->funcs[m->func_count] = (struct rc_func){0};
	return &m->funcs[m->func_count++];
}

static struct rc_global *add_global(struct rc_module *m)
{
	m->globals = realloc(m->globals, (m->global_count + 1) * sizeof(*m->globals));
	m->globals[m->global_count] = (struct rc_global){0};
	return &m->globals[m->global_count++];
}

/* The next cells of the globals that have some: all but imported mutable ones. */
static uint32_t take_cells(struct rc_module *m, uint8_t type)
{
	uint32_t at = m->global_cells;

	m->global_cells += type == ROTOR_I64 || type == ROTOR_F64 ? 2 : 1;
	return at;
}

static void add_table(struct rc_module *m, uint64_t count, bool imported)
{
	struct rc_table t = {.count = (uint32_t)count, .imported = imported, .fixed = true};

	/* A table so large is no program's table of functions. */
	t.fixed = count <= 1u << 20;
	t.elems = calloc(t.fixed ? t.count + 1 : 1, sizeof(*t.elems));
	m->tables = realloc(m->tables, (m->table_count + 1) * sizeof(*m->tables));
	m->tables[m->table_count++] = t;
}

static void read_imports(struct rc_module *m, struct rc_reader *r)
{
	uint32_t count = rc_read_u32(r), page;

	for (uint32_t i = 0; i < count; i++) {
		skip_name(r);
		skip_name(r);
		switch (*r->at++) {
		case ROTOR_FUNC: {
			struct rc_func *f = add_func(m);

			f->type = rc_read_u32(r);
			f->imported = true;
			m->imported_count++;
			break;
		}
		case ROTOR_TABLE:
			r->at++;
			add_table(m, read_limits(r, &page), true);
			break;
		case ROTOR_MEMORY:
			read_limits(r, &page);
			m->has_memory = m->memory_imported = true;
			break;
		default: {
			struct rc_global *g = add_global(m);

			g->type = *r->at++;
			g->mutable = *r->at++ != 0;
			g->imported = g->mutable;
			g->slot = g->mutable ? m->global_count - 1 : take_cells(m, g->type);
			break;
		}
		}
	}
}

static void skip_const_expr(struct rc_reader *r)
{
	for (;;) {
		uint8_t op = *r->at++;

		switch (op) {
		case 0x0B:
			return;
		case 0x41:
		case 0x42:
			read_sleb(r);
			break;
		case 0x43:
			r->at += 4;
			break;
		case 0x44:
			r->at += 8;
			break;
		case 0x23:
		case 0xD2:
			rc_read_u32(r);
			break;
		case 0xD0:
			r->at++;
			break;
		default:
			break; /* arithmetic of extended constants has no immediate */
		}
	}
}

static void read_globals(struct rc_module *m, struct rc_reader *r)
{
	uint32_t count = rc_read_u32(r);

	for (uint32_t i = 0; i < count; i++) {
		struct rc_global *g = add_global(m);
		struct rc_reader at;

		g->type = *r->at++;
		g->mutable = *r->at++ != 0;
		g->slot = take_cells(m, g->type);
		at = *r;
		skip_const_expr(r);
		if (*at.at++ == 0xD2) {
			m->funcs[rc_read_u32(&at)].in_table = true;
		}
	}
}

static void read_code(struct rc_module *m, struct rc_reader *r)
{
	uint32_t count = rc_read_u32(r);

	for (uint32_t i = 0; i < count; i++) {
		struct rc_func *f = &m->funcs[m->imported_count + i];

		f->body_bytes = rc_read_u32(r);
		f->body = r->at;
		f->offset = (uint32_t)(r->at - m->bytes);
		r->at += f->body_bytes;
	}
}

static void read_tables(struct rc_module *m, struct rc_reader *r)
{
	uint32_t count = rc_read_u32(r), page;

	for (uint32_t i = 0; i < count; i++) {
		r->at++; /* the type of its elements */
		add_table(m, read_limits(r, &page), false);
	}
}

static void read_exports(struct rc_module *m, struct rc_reader *r)
{
	uint32_t count = rc_read_u32(r);

	for (uint32_t i = 0; i < count; i++) {
		uint8_t kind;
		uint32_t idx;

		skip_name(r);
		kind = *r->at++;
		idx = rc_read_u32(r);
		if (kind == ROTOR_FUNC) {
			m->funcs[idx].in_table = true; /* others may put it into one */
		} else if (kind == ROTOR_TABLE) {
			m->tables[idx].exported = true;
		} else if (kind == ROTOR_MEMORY) {
			m->memory_exported = true;
		}
	}
}

/* An element's constant expression: the function's index plus one, 0 null; false if it is something else. */
static bool read_elem_expr(struct rc_reader *r, uint32_t *out)
{
	struct rc_reader at = *r;
	uint8_t op = *at.at++;

	skip_const_expr(r);
	if (op == 0xD2) {
		*out = rc_read_u32(&at) + 1;
	} else {
		*out = 0;
		at.at++; /* the type of ref.null */
	}
	return (op == 0xD2 || op == 0xD0) && *at.at == 0x0B;
}

/* A place in a table; false if it is not a plain number. */
static bool read_place(struct rc_reader *r, uint32_t *out)
{
	struct rc_reader at = *r;
	uint8_t op = *at.at++;

	skip_const_expr(r);
	*out = op == 0x41 ? (uint32_t)read_sleb(&at) : 0;
	return op == 0x41 && *at.at == 0x0B;
}

/* Spec: Wasm 2.0 5.5.12: bit 0 passive or declarative, bit 1 an explicit table, bit 2 expressions. */
static void read_segment(struct rc_module *m, struct rc_reader *r)
{
	uint32_t flags = rc_read_u32(r), table = 0, place = 0, count;
	bool active = (flags & 1) == 0, known = true;

	if (active) {
		table = (flags & 2) != 0 ? rc_read_u32(r) : 0;
		known = read_place(r, &place);
	}
	if ((flags & 3) != 0) {
		r->at++; /* the kind or type of its elements */
	}
	count = rc_read_u32(r);
	if (active) {
		struct rc_table *t = &m->tables[table];

		t->fixed &= known && (uint64_t)place + count <= t->count;
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t elem;

		if ((flags & 4) != 0) {
			known &= read_elem_expr(r, &elem);
		} else {
			elem = rc_read_u32(r) + 1;
		}
		if (elem != 0) {
			m->funcs[elem - 1].in_table = true;
		}
		if (active) {
			m->tables[table].fixed &= known;
			if (m->tables[table].fixed) {
				m->tables[table].elems[place + i] = elem;
			}
		}
	}
}

static void read_segments(struct rc_module *m, struct rc_reader *r)
{
	uint32_t count = rc_read_u32(r);

	for (uint32_t i = 0; i < count; i++) {
		read_segment(m, r);
	}
}

static void read_section(struct rc_module *m, uint8_t id, struct rc_reader r)
{
	uint32_t count, page;

	switch (id) {
	case 1:
		read_types(m, &r);
		break;
	case 2:
		read_imports(m, &r);
		break;
	case 3:
		count = rc_read_u32(&r);
		for (uint32_t i = 0; i < count; i++) {
			add_func(m)->type = rc_read_u32(&r);
		}
		break;
	case 4:
		read_tables(m, &r);
		break;
	case 5:
		if (rc_read_u32(&r) != 0) {
			read_limits(&r, &page);
			m->has_memory = true;
		}
		break;
	case 6:
		read_globals(m, &r);
		break;
	case 7:
		read_exports(m, &r);
		break;
	case 9:
		read_segments(m, &r);
		break;
	case 10:
		read_code(m, &r);
		break;
	default:
		break;
	}
}

int rc_module_read(struct rc_module *m, const uint8_t *bytes, size_t size,
		   const struct rotor_module *validated)
{
	struct rc_reader r = {bytes + 8, bytes + size, bytes};
	struct rotor_module_info info;

	memset(m, 0, sizeof(*m));
	m->bytes = bytes;
	m->size = size;
	while (r.at < r.end) {
		const uint8_t *header = r.at;
		uint8_t id = *r.at++;
		uint32_t length = rc_read_u32(&r);

		if (id == 10) {
			m->code_section = header;
			m->code_section_bytes = (uint32_t)(r.at + length - header);
		}
		read_section(m, id, (struct rc_reader){r.at, r.at + length, bytes});
		r.at += length;
	}
	rotor_module_info(validated, &info);
	rc_module_analyse(m);
	m->memory_grows = info.memory_grows;
	m->memory_sure = BASE_MIN(info.memory_bytes_min, info.memory_bytes_used);
	if (m->memory_imported) {
		m->memory_sure = 0;
		m->memory_grows = true;
	}
	m->memory_changes = m->memory_grows || m->memory_exported;
	return 0;
}

void rc_module_free(struct rc_module *m)
{
	free(m->types);
	free(m->funcs);
	free(m->globals);
	for (uint32_t i = 0; i < m->table_count; i++) {
		free(m->tables[i].elems);
	}
	free(m->tables);
	free(m->call_first);
	free(m->calls);
	free(m->order);
	memset(m, 0, sizeof(*m));
}

void rc_reader_init(struct rc_reader *r, const struct rc_module *m, const struct rc_func *f)
{
	*r = (struct rc_reader){f->body, f->body + f->body_bytes, m->bytes};
}

void rc_skip_locals(struct rc_reader *r)
{
	uint32_t groups = rc_read_u32(r);

	for (uint32_t i = 0; i < groups; i++) {
		rc_read_u32(r);
		r->at++;
	}
}

static void read_prefixed(struct rc_reader *r, struct rc_insn *out)
{
	out->op = 0xFC00 | rc_read_u32(r);
	switch (out->op & 0xFF) {
	case 8:  /* memory.init */
	case 10: /* memory.copy */
	case 12: /* table.init */
	case 14: /* table.copy */
		out->a = rc_read_u32(r);
		out->b = rc_read_u32(r);
		break;
	default:
		if ((out->op & 0xFF) > 7) {
			out->a = rc_read_u32(r);
		}
		break;
	}
}

static void read_immediates(struct rc_reader *r, struct rc_insn *out)
{
	switch (out->op) {
	case 0x02: /* block */
	case 0x03: /* loop */
	case 0x04: /* if */
		out->block = read_sleb(r);
		break;
	case 0x0E: /* br_table */
		out->a = rc_read_u32(r);
		out->targets = r->at;
		for (uint32_t i = 0; i <= out->a; i++) {
			rc_read_u32(r);
		}
		break;
	case 0x11: /* call_indirect */
	case 0x13: /* return_call_indirect */
		out->a = rc_read_u32(r);
		out->b = rc_read_u32(r);
		break;
	case 0x1C: /* select t */
		out->a = rc_read_u32(r);
		out->b = *r->at;
		r->at += out->a;
		break;
	case 0x41:
	case 0x42:
		out->bits = (uint64_t)read_sleb(r);
		break;
	case 0x43:
		out->bits = base_load_u32(r->at);
		r->at += 4;
		break;
	case 0x44:
		out->bits = base_load_u64(r->at);
		r->at += 8;
		break;
	case 0x0C: /* br */
	case 0x0D: /* br_if */
	case 0x10: /* call */
	case 0x12: /* return_call */
	case 0x3F: /* memory.size */
	case 0x40: /* memory.grow */
	case 0xD0: /* ref.null */
	case 0xD2: /* ref.func */
		out->a = rc_read_u32(r);
		break;
	case 0xFC:
		read_prefixed(r, out);
		break;
	default:
		if (out->op >= 0x20 && out->op <= 0x26) {
			out->a = rc_read_u32(r);
		} else if (out->op >= 0x28 && out->op <= 0x3E) {
			out->a = rc_read_u32(r);
			out->b = rc_read_u32(r);
		}
		break;
	}
}

bool rc_read_insn(struct rc_reader *r, struct rc_insn *out)
{
	if (r->at >= r->end) {
		return false;
	}
	*out = (struct rc_insn){.offset = (uint32_t)(r->at - r->module)};
	out->op = *r->at++;
	read_immediates(r, out);
	return true;
}
