/* SPDX-License-Identifier: Apache-2.0 */
/* The items of the sections from types to start. Spec: WebAssembly 2.0 5.5.4 to 5.5.11, 3.4. */
#include "rotor/load.h"

static int item_done(struct rotor_loader *l)
{
	l->i++;
	l->step = STEP_NEXT;
	return 0;
}

/* ---- types ---- */

enum {
	TYPE_PARAMS_COUNT,
	TYPE_PARAMS,
	TYPE_RESULTS_COUNT,
	TYPE_RESULTS
};
enum {
	TYPE_VALUES_MAX = 1000,
	TYPES_MAX = 65535
};

int step_type(struct rotor_loader *l)
{
	struct functype *t;
	uint8_t kind;

	TRY(load_u8(l, &kind));
	if (kind != 0x60) {
		return load_malformed(l, "malformed function type");
	}
	t = load_alloc(l, sizeof(struct functype), 4);
	CHECK(t != NULL, (int)l->error);
	l->m->types[l->i] = t;
	l->type_stage = TYPE_PARAMS_COUNT;
	l->step = STEP_TYPE_VALUES;
	return 0;
}

/* Replaces the type just read by an equal earlier one. */
static void intern_type(struct rotor_loader *l)
{
	const struct functype *t = l->m->types[l->i];
	size_t bytes = sizeof(*t) + t->param_count + t->result_count;

	for (uint32_t i = 0; i < l->i; i++) {
		if (memcmp(l->m->types[i], t, sizeof(*t)) == 0 &&
		    memcmp(l->m->types[i], t, bytes) == 0) {
			l->m->types[l->i] = l->m->types[i];
			l->low = (uint8_t *)t;
			return;
		}
	}
}

static int type_count(struct rotor_loader *l, struct functype *t)
{
	uint32_t count;

	TRY(load_count(l, &count));
	if (count > TYPE_VALUES_MAX) {
		return load_fail(l, ROTOR_ERR_LIMIT, "a function type has more than 1000 values");
	}
	if (l->type_stage == TYPE_PARAMS_COUNT) {
		t->param_count = (uint16_t)count;
	} else {
		t->result_count = (uint16_t)count;
	}
	l->left = count;
	l->type_stage++;
	return 0;
}

int step_type_values(struct rotor_loader *l)
{
	struct functype *t = (struct functype *)l->m->types[l->i];
	uint8_t type, *at;

	if (l->type_stage == TYPE_PARAMS_COUNT || l->type_stage == TYPE_RESULTS_COUNT) {
		return type_count(l, t);
	}
	if (l->left > 0) {
		TRY(load_valtype(l, &type));
		at = load_alloc(l, 1, 1);
		CHECK(at != NULL, (int)l->error);
		*at = type;
		l->left--;
		if (l->type_stage == TYPE_PARAMS) {
			t->param_cells = (uint16_t)(t->param_cells + type_cells(type));
		} else {
			t->result_cells = (uint16_t)(t->result_cells + type_cells(type));
		}
		return 0;
	}
	if (l->type_stage == TYPE_PARAMS) {
		l->type_stage = TYPE_RESULTS_COUNT;
		return 0;
	}
	intern_type(l);
	return item_done(l);
}

uint16_t load_first_type(const struct rotor_module *m, uint32_t idx)
{
	uint32_t i = 0;

	while (m->types[i] != m->types[idx]) {
		i++;
	}
	return (uint16_t)i;
}

static int read_type_idx(struct rotor_loader *l, uint16_t *out)
{
	uint32_t idx;

	TRY(load_u32(l, &idx));
	if (idx >= l->m->type_count) {
		return load_unknown(l, "unknown type", idx);
	}
	*out = load_first_type(l->m, idx);
	return 0;
}

/* ---- limits, tables, memories, globals ---- */

static int read_limits(struct rotor_loader *l, uint8_t flags_allowed, uint8_t *flags,
		       struct limits *out)
{
	TRY(load_u8(l, flags));
	if ((*flags & ~flags_allowed) != 0) {
		return load_malformed(l, *flags & 0x80 ? "integer representation too long"
						       : "malformed limits flags");
	}
	TRY(load_u32(l, &out->min));
	out->max = UINT32_MAX;
	if (*flags & 1) {
		TRY(load_u32(l, &out->max));
	}
	return 0;
}

static int check_limits(struct rotor_loader *l, const struct limits *limits)
{
	if (limits->min > limits->max) {
		return load_invalid(l, "size minimum must not be greater than maximum");
	}
	return 0;
}

static int read_table_type(struct rotor_loader *l, struct table_type *out)
{
	uint8_t flags;

	TRY(load_reftype(l, &out->type));
	TRY(read_limits(l, 1, &flags, &out->limits));
	return check_limits(l, &out->limits);
}

static int read_memory_type(struct rotor_loader *l, struct limits *out, uint8_t *page_shift)
{
	uint8_t flags;
	uint32_t shift = 16;

	TRY(read_limits(l, 9, &flags, out));
	if (flags & 8) {
		TRY(load_u32(l, &shift));
		if (shift > 64) {
			return load_malformed(l, "invalid custom page size");
		}
		if (shift != 0 && shift != 16) {
			return load_invalid(l, "invalid custom page size");
		}
	}
	*page_shift = (uint8_t)shift;
	if (shift == 16 && (out->min > 65536 || ((flags & 1) && out->max > 65536))) {
		return load_invalid(l, "memory size must be at most 65536 pages (4GiB)");
	}
	return check_limits(l, out);
}

static int read_global_type(struct rotor_loader *l, uint8_t *type, uint8_t *mutable)
{
	TRY(load_valtype(l, type));
	TRY(load_u8(l, mutable));
	if (*mutable > 1) {
		return load_malformed(l, "malformed mutability");
	}
	return 0;
}

static int add_memory(struct rotor_loader *l, const struct limits *limits, uint8_t shift,
		      bool imported)
{
	if (l->m->memory.present) {
		return load_invalid(l, "multiple memories");
	}
	l->m->memory.present = true;
	l->m->memory.imported = imported;
	l->m->memory.limits = *limits;
	l->m->memory.page_shift = shift;
	return 0;
}

/* ---- imports ---- */

int step_import(struct rotor_loader *l)
{
	return load_name(l, STEP_IMPORT_FIELD, &l->m->imports[l->i].names);
}

int step_import_field(struct rotor_loader *l)
{
	const uint8_t *at;

	return load_name(l, STEP_IMPORT_DESC, &at);
}

static int import_desc(struct rotor_loader *l, struct import *i)
{
	struct table_type table;

	switch (i->kind) {
	case ROTOR_FUNC:
		TRY(read_type_idx(l, &i->func_type));
		break;
	case ROTOR_TABLE:
		TRY(read_table_type(l, &table));
		i->type = table.type;
		i->limits = table.limits;
		break;
	case ROTOR_MEMORY:
		TRY(read_memory_type(l, &i->limits, &i->flags));
		break;
	case ROTOR_GLOBAL:
		TRY(read_global_type(l, &i->type, &i->flags));
		break;
	default:
		return load_malformed(l, "malformed import kind");
	}
	return 0;
}

int step_import_desc(struct rotor_loader *l)
{
	struct rotor_module *m = l->m;
	struct import i = m->imports[l->i];

	TRY(load_u8(l, &i.kind));
	TRY(import_desc(l, &i));
	m->imports[l->i] = i;
	m->func_imports += i.kind == ROTOR_FUNC;
	m->table_imports += i.kind == ROTOR_TABLE;
	m->global_imports += i.kind == ROTOR_GLOBAL;
	if (i.kind == ROTOR_MEMORY) {
		TRY(add_memory(l, &i.limits, i.flags, true));
	}
	return item_done(l);
}

/* ---- definitions ---- */

int step_function(struct rotor_loader *l)
{
	uint16_t type;

	TRY(read_type_idx(l, &type));
	l->m->funcs[l->m->func_imports + l->i++].type = type;
	l->step = STEP_NEXT;
	return 0;
}

int step_table(struct rotor_loader *l)
{
	struct table_type table;

	TRY(read_table_type(l, &table));
	l->m->tables[l->m->table_imports + l->i++] = table;
	l->step = STEP_NEXT;
	return 0;
}

int step_memory(struct rotor_loader *l)
{
	struct limits limits;
	uint8_t shift;

	TRY(read_memory_type(l, &limits, &shift));
	TRY(add_memory(l, &limits, shift, false));
	return item_done(l);
}

/* Gives a global its place in an instance. */
static int place_global(struct rotor_loader *l, struct global_type *g, bool imported)
{
	if (imported && g->mutable) {
		return 0;
	}
	if (l->m->global_cells > 65000) {
		return load_fail(l, ROTOR_ERR_LIMIT, "more than 65000 cells of globals");
	}
	g->cell = (uint16_t)l->m->global_cells;
	l->m->global_cells += type_cells(g->type);
	return 0;
}

int step_global(struct rotor_loader *l)
{
	struct global_type *g = &l->m->globals[l->m->global_imports + l->i];
	uint8_t type, mutable;

	TRY(read_global_type(l, &type, &mutable));
	g->type = type;
	g->mutable = mutable != 0;
	TRY(place_global(l, g, false));
	load_const_begin(l, &g->init, type, STEP_NEXT);
	l->i++;
	return 0;
}

/* ---- exports and start ---- */

int step_export(struct rotor_loader *l)
{
	return load_name(l, STEP_EXPORT_DESC, &l->m->exports[l->i].name);
}

static bool export_twice(const struct rotor_module *m, uint32_t i)
{
	const uint8_t *a = m->exports[i].name, *b;
	uint32_t a_bytes = module_leb(&a);

	for (uint32_t j = 0; j < i; j++) {
		b = m->exports[j].name;
		if (module_leb(&b) == a_bytes && memcmp(a, b, a_bytes) == 0) {
			return true;
		}
	}
	return false;
}

int step_export_desc(struct rotor_loader *l)
{
	struct rotor_module *m = l->m;
	const uint32_t counts[4] = {m->func_count, m->table_count, m->memory.present,
				    m->global_count};
	static const char *const unknown[4] = {"unknown function", "unknown table",
					       "unknown memory", "unknown global"};
	uint8_t kind;
	uint32_t idx;

	TRY(load_u8(l, &kind));
	if (kind > ROTOR_GLOBAL) {
		return load_malformed(l, "malformed export kind");
	}
	TRY(load_u32(l, &idx));
	if (idx >= counts[kind]) {
		return load_unknown(l, unknown[kind], idx);
	}
	m->exports[l->i].kind = kind;
	m->exports[l->i].idx = idx;
	if (export_twice(m, l->i)) {
		return load_invalid(l, "duplicate export name");
	}
	if (kind == ROTOR_FUNC) {
		l->refs[idx / 8] |= (uint8_t)(1u << idx % 8);
	}
	l->i++;
	m->export_count = l->i;
	l->step = STEP_NEXT;
	return 0;
}

int step_start(struct rotor_loader *l)
{
	const struct functype *t;
	uint32_t idx;

	TRY(load_u32(l, &idx));
	if (idx >= l->m->func_count) {
		return load_unknown(l, "unknown function", idx);
	}
	t = module_functype(l->m, idx);
	if (t->param_count != 0 || t->result_count != 0) {
		return load_invalid(l, "start function must have no parameters and no results");
	}
	l->m->start = idx;
	return item_done(l);
}

/* ---- places for what a section brings ---- */

/* Room for count items of a kind, at most max of them. */
static int room_for(struct rotor_loader *l, uint32_t count, uint32_t max, size_t bytes, void *out)
{
	void *at;

	if (count > max) {
		return load_fail_idx(l, ROTOR_ERR_LIMIT, "a section has more items than", max);
	}
	TRY(load_room(l, count, bytes));
	at = load_alloc(l, count * bytes, 8);
	CHECK(at != NULL, (int)l->error);
	memcpy(out, &at, sizeof(at));
	return 0;
}

static int prepare_functions(struct rotor_loader *l, uint32_t count)
{
	struct rotor_module *m = l->m;
	uint32_t f = 0;

	m->func_count = m->func_imports + count;
	l->func_defined = count;
	TRY(room_for(l, m->func_count, (1u << 20) - 1, sizeof(struct func), &m->funcs));
	l->refs = load_alloc_temp(l, (m->func_count + 7) / 8);
	CHECK(l->refs != NULL, (int)l->error);
	for (uint32_t i = 0; i < m->import_count; i++) {
		if (m->imports[i].kind == ROTOR_FUNC) {
			m->funcs[f++].type = m->imports[i].func_type;
		}
	}
	return 0;
}

static int prepare_tables(struct rotor_loader *l, uint32_t count)
{
	struct rotor_module *m = l->m;
	uint32_t t = 0;

	m->table_count = m->table_imports + count;
	TRY(room_for(l, m->table_count, 65535, sizeof(struct table_type), &m->tables));
	for (uint32_t i = 0; i < m->import_count; i++) {
		if (m->imports[i].kind == ROTOR_TABLE) {
			m->tables[t].type = m->imports[i].type;
			m->tables[t++].limits = m->imports[i].limits;
		}
	}
	return 0;
}

static int prepare_globals(struct rotor_loader *l, uint32_t count)
{
	struct rotor_module *m = l->m;
	uint32_t g = 0;

	m->global_count = m->global_imports + count;
	TRY(room_for(l, m->global_count, 65535, sizeof(struct global_type), &m->globals));
	for (uint32_t i = 0; i < m->import_count; i++) {
		if (m->imports[i].kind == ROTOR_GLOBAL) {
			m->globals[g].type = m->imports[i].type;
			m->globals[g].mutable = m->imports[i].flags != 0;
			TRY(place_global(l, &m->globals[g++], true));
		}
	}
	return 0;
}

static int prepare_code(struct rotor_loader *l, uint32_t count)
{
	static const uint16_t prologue[FORM_PROLOGUE_UNITS] = {0, F_HALT, 0, F_ENTER_IMPORT,
							       0, F_HALT};
	uint16_t *form;

	if (count != l->func_defined) {
		return load_malformed(l, "function and code section have inconsistent lengths");
	}
	form = load_alloc(l, sizeof(prologue), 8);
	CHECK(form != NULL, (int)l->error);
	memcpy(form, prologue, sizeof(prologue));
	l->m->form = form;
	l->m->form_bytes = sizeof(prologue);
	return 0;
}

static int prepare_data(struct rotor_loader *l, uint32_t count)
{
	if (l->data_counted && l->data_count != count) {
		return load_malformed(l, "data count and data section have inconsistent lengths");
	}
	if (l->data_needed && !l->data_counted && count > 0) {
		return load_malformed(l, "data count section required");
	}
	l->m->data_count = count;
	return room_for(l, count, UINT32_MAX, sizeof(struct data), &l->m->datas);
}

int load_prepare(struct rotor_loader *l, unsigned rank, uint32_t count)
{
	struct rotor_module *m = l->m;

	switch (rank) {
	case 1:
		m->type_count = count;
		return room_for(l, count, TYPES_MAX, sizeof(struct functype *), &m->types);
	case 2:
		m->import_count = count;
		return room_for(l, count, UINT32_MAX, sizeof(struct import), &m->imports);
	case 3:
		return prepare_functions(l, count);
	case 4:
		return prepare_tables(l, count);
	case 6:
		return prepare_globals(l, count);
	case 7:
		return room_for(l, count, UINT32_MAX, sizeof(struct export), &m->exports);
	case 9:
		m->elem_count = count;
		return room_for(l, count, UINT32_MAX, sizeof(struct elem), &m->elems);
	case 11:
		return prepare_code(l, count);
	case 12:
		return prepare_data(l, count);
	default:
		return 0;
	}
}
