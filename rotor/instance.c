/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making an instance in one block, and what can be asked of it.
 *
 * Layout: the instance, tables, table pointers, bindings, global pointers, globals, dropped bits,
 * elements of tables, stack, linear memory. Every part begins at a multiple of 8, so the layout is the
 * same on every machine.
 */
#include "rotor/native_run.h"

enum {
	STACK_BYTES_DEFAULT = 16384,
	STACK_PAINT = 0xa5a5a5a5
};

/* Where the parts of a block are. */
struct layout {
	size_t tables, table_ptrs, bindings, global_ptrs, globals, dropped, elems, stack, memory;
	size_t bytes;
	uint32_t stack_cells, heap_at, heap_bytes, pages, elem_count;
	uint64_t memory_room, memory_backed;
	bool used_only, fits;
};

/* Elements that own table i gets room for: its share of what is left to grow by. */
static uint32_t table_room(const struct rotor_module *m, uint32_t i, uint32_t *spare)
{
	const struct limits *t = &m->tables[i].limits;
	uint32_t share = *spare / (m->table_count - i), more = BASE_MIN(share, t->max - t->min);

	*spare -= more;
	return t->min + more;
}

/* What all tables may grow by, together. */
static uint32_t table_spare(const struct rotor_module *m, const struct rotor_limits *limits)
{
	uint64_t min = 0;

	for (uint32_t i = m->table_imports; i < m->table_count; i++) {
		min += m->tables[i].limits.min;
	}
	return limits->table_elems_max > min ? (uint32_t)(limits->table_elems_max - min) : 0;
}

/* The heap lies above what the module uses; the memory gets as many pages as that takes. */
static void place_heap(uint64_t used, const struct rotor_limits *limits, struct layout *o)
{
	if (limits->heap_bytes == 0) {
		return;
	}
	used = (used + 15) & ~UINT64_C(15);
	o->heap_at = (uint32_t)used;
	o->heap_bytes = limits->heap_bytes & ~15u;
	if (used + o->heap_bytes > UINT32_MAX) {
		o->fits = false;
	}
}

static void place_memory(const struct rotor_module *m, const struct rotor_limits *limits,
			 struct layout *o)
{
	const struct memory_type *t = &m->memory;
	uint64_t page = module_page_bytes(1, t->page_shift), used = module_memory_used(m), wanted,
		 max;

	if (!t->present || t->imported) {
		return;
	}
	place_heap(used, limits, o);
	wanted = module_page_bytes(t->limits.min, t->page_shift);
	wanted = BASE_MAX(wanted, (uint64_t)o->heap_at + o->heap_bytes);
	wanted += page - 1;
	o->pages = (uint32_t)(t->page_shift == 0 ? wanted : wanted >> 16);
	if (o->pages > t->limits.max) {
		o->fits = false;
	}
	o->memory_backed = module_page_bytes(o->pages, t->page_shift);
	o->memory_room = o->memory_backed;
	if (limits->memory_used_only && !m->memory_grows && t->page_shift == 16) {
		o->memory_backed = BASE_MAX(used, (uint64_t)o->heap_at + o->heap_bytes);
		o->memory_backed = BASE_MIN((o->memory_backed + 7) & ~UINT64_C(7), o->memory_room);
		o->memory_room = o->memory_backed;
		o->used_only = true;
		return;
	}
	max = t->page_shift == 16 ? BASE_MIN(t->limits.max, UINT32_C(65536)) : t->limits.max;
	max = module_page_bytes((uint32_t)max, t->page_shift);
	max = BASE_MIN(max, limits->memory_bytes_max) & ~(page - 1);
	if (limits->memory_bytes_max != 0 && o->memory_backed > limits->memory_bytes_max) {
		o->fits = false;
	}
	o->memory_room = BASE_MAX(o->memory_room, max);
}

/* Reserves a part of count items. */
static size_t part(struct layout *o, size_t count, size_t bytes)
{
	size_t at = o->bytes;

	if (count > (SIZE_MAX / 2 - o->bytes) / bytes) {
		o->fits = false;
		return at;
	}
	o->bytes = base_align_up(o->bytes + count * bytes, 8);
	return at;
}

static struct layout lay_out(const struct rotor_module *m, const struct rotor_limits *limits)
{
	struct layout o = {.fits = true};
	uint32_t own = m->table_count - m->table_imports, spare = table_spare(m, limits);
	uint64_t elems = 0;

	for (uint32_t i = m->table_imports; i < m->table_count; i++) {
		elems += table_room(m, i, &spare);
	}
	place_memory(m, limits, &o);
	o.stack_cells = (limits->stack_bytes != 0 ? limits->stack_bytes : STACK_BYTES_DEFAULT) / 4;
	o.stack_cells = BASE_MIN(o.stack_cells, UINT32_C(0x3fffffff));
	part(&o, 1, sizeof(struct rotor_instance));
	o.tables = part(&o, own, sizeof(struct table));
	o.table_ptrs = part(&o, m->table_count, 8);
	o.bindings = part(&o, m->func_imports, sizeof(struct binding));
	o.global_ptrs = part(&o, m->global_imports, 8);
	o.globals = part(&o, m->global_cells, 4);
	o.dropped = part(&o, ((size_t)m->elem_count + m->data_count + 7) / 8, 1);
	o.elems = part(&o, (size_t)BASE_MIN(elems, SIZE_MAX), 4);
	o.stack = part(&o, o.stack_cells + STACK_SPARE_CELLS, 4);
	o.memory = part(&o, (size_t)BASE_MIN(o.memory_room, SIZE_MAX), 1);
	return o;
}

size_t rotor_instance_bytes(const struct rotor_module *m, const struct rotor_limits *limits)
{
	struct layout o = lay_out(m, limits);

	return o.fits ? o.bytes : SIZE_MAX;
}

/* ---- making ---- */

enum rotor_err instance_fail(struct rotor_diag *diag, enum rotor_err code, const char *text,
			     const char *name, size_t name_bytes)
{
	size_t n = strlen(text);

	if (diag == NULL) {
		return code;
	}
	diag->code = code;
	diag->offset = 0;
	n = BASE_MIN(n, sizeof(diag->text) - 1);
	memcpy(diag->text, text, n);
	name_bytes = BASE_MIN(name_bytes, sizeof(diag->text) - 1 - n);
	if (name_bytes > 0) {
		memcpy(diag->text + n, name, name_bytes);
	}
	diag->text[n + name_bytes] = 0;
	return code;
}

enum rotor_err instance_error(struct rotor_diag *diag, enum rotor_err code, const char *text)
{
	return instance_fail(diag, code, text, NULL, 0);
}

static void set_pointers(struct rotor_instance *in, const struct layout *o)
{
	uint8_t *block = (uint8_t *)in;

	in->tables = (struct table *)(block + o->tables);
	in->table_ptrs = (uint64_t *)(block + o->table_ptrs);
	in->bindings = (struct binding *)(block + o->bindings);
	in->global_ptrs = (uint64_t *)(block + o->global_ptrs);
	in->globals = (uint32_t *)(block + o->globals);
	in->dropped = block + o->dropped;
	in->stack = (uint32_t *)(block + o->stack);
	in->next = in;
}

/* Points the instance's own tables and memory at their places in the block. */
static void set_own(struct rotor_instance *in, const struct layout *o)
{
	const struct rotor_module *m = in->module;
	uint32_t *elems = (uint32_t *)((uint8_t *)in + o->elems);

	for (uint32_t i = m->table_imports; i < m->table_count; i++) {
		struct table *t = &in->tables[i - m->table_imports];

		t->elems = elems;
		elems += t->max;
		in->table_ptrs[i] = (uintptr_t)t;
	}
	in->memory = NULL;
	if (m->memory.present && !m->memory.imported) {
		in->memory = &in->own_memory;
		in->own_memory.bytes = (uint8_t *)in + o->memory;
	}
}

static void init_tables(struct rotor_instance *in, const struct rotor_limits *limits)
{
	const struct rotor_module *m = in->module;
	uint32_t spare = table_spare(m, limits);

	for (uint32_t i = m->table_imports; i < m->table_count; i++) {
		struct table *t = &in->tables[i - m->table_imports];

		t->count = m->tables[i].limits.min;
		t->max = table_room(m, i, &spare);
		t->declared_max = m->tables[i].limits.max;
		t->type = m->tables[i].type;
	}
}

static void init_memory(struct rotor_instance *in, const struct rotor_limits *limits,
			const struct layout *o)
{
	const struct memory_type *t = &in->module->memory;
	struct memory *m = &in->own_memory;

	if (!t->present || t->imported) {
		return;
	}
	m->backed = o->memory_backed;
	m->room = o->memory_room;
	m->pages = o->pages;
	m->pages_max = (uint32_t)BASE_MIN(o->memory_room >> t->page_shift, (uint64_t)UINT32_MAX);
	m->declared_max = t->limits.max;
	m->page_shift = t->page_shift;
	m->used_only = o->used_only;
	m->zeroed = limits->block_is_zero ? o->memory_room : o->memory_backed;
	if (!limits->block_is_zero) {
		memset((uint8_t *)in + o->memory, 0, (size_t)o->memory_backed);
	}
}

static void init_globals(struct rotor_instance *in)
{
	const struct rotor_module *m = in->module;

	for (uint32_t i = 0; i < m->global_count; i++) {
		const struct global_type *g = &m->globals[i];
		uint64_t v;

		if (i < m->global_imports && g->mutable) {
			continue;
		}
		if (i < m->global_imports) {
			const uint32_t *from = (const uint32_t *)(uintptr_t)in->global_ptrs[i];

			v = from[0] | (type_cells(g->type) == 2 ? (uint64_t)from[1] << 32 : 0);
		} else {
			v = instance_const(in, &g->init);
		}
		in->globals[g->cell] = (uint32_t)v;
		if (type_cells(g->type) == 2) {
			in->globals[g->cell + 1] = (uint32_t)(v >> 32);
		}
	}
}

enum rotor_err rotor_instantiate(void *block, size_t block_bytes, const struct rotor_module *m,
				 const struct rotor_imports *imports,
				 const struct rotor_limits *limits, struct rotor_instance **out,
				 struct rotor_diag *diag)
{
	struct layout o = lay_out(m, limits);
	struct rotor_instance *in = block;

	if (!o.fits) {
		return instance_error(diag, ROTOR_ERR_LIMIT,
				      "more memory is needed than the limits allow");
	}
	if (module_native(m) != NULL && m->memory.present && !m->memory.imported &&
	    o.memory_backed < module_native(m)->memory_bytes) {
		return instance_error(diag, ROTOR_ERR_LIMIT,
				      "native code needs all the memory that the module declares");
	}
	if (block_bytes < o.bytes) {
		return instance_error(diag, ROTOR_ERR_MEMORY,
				      "the block is too small for an instance");
	}
	memset(in, 0, o.stack);
	in->magic = INSTANCE_MAGIC;
	in->block_bytes = o.bytes;
	in->module_hash = m->hash;
	in->module = m;
	in->imports = imports;
	in->number = 1;
	in->stack_cells = o.stack_cells;
	in->heap_at = o.heap_at;
	in->heap_bytes = o.heap_bytes;
	in->table_elems_max = limits->table_elems_max;
	in->deepest = in->number;
	set_pointers(in, &o);
	init_tables(in, limits);
	init_memory(in, limits, &o);
	set_own(in, &o);
	for (uint32_t i = 0; i < o.stack_cells; i++) {
		in->stack[i] = STACK_PAINT;
	}
	TRY(link_imports(in, imports, diag));
	init_globals(in);
	*out = in;
	return ROTOR_OK;
}

/* The limits that led to this block's layout. */
static struct rotor_limits limits_of(const struct rotor_instance *in)
{
	return (struct rotor_limits){
		.stack_bytes = in->stack_cells * 4,
		.heap_bytes = in->heap_bytes,
		.table_elems_max = in->table_elems_max,
		.memory_bytes_max = in->own_memory.room,
		.memory_used_only = in->own_memory.used_only,
	};
}

enum rotor_err rotor_attach(void *block, size_t block_bytes, const struct rotor_module *m,
			    const struct rotor_imports *imports, struct rotor_instance **out,
			    struct rotor_diag *diag)
{
	struct rotor_instance *in = block;
	struct rotor_limits limits;
	struct layout o;

	if (block_bytes < sizeof(*in) || in->magic != INSTANCE_MAGIC ||
	    in->module_hash != m->hash) {
		return instance_error(diag, ROTOR_ERR_ARGUMENT,
				      "the block holds no instance of this module");
	}
	if (module_native(m) != NULL && in->activation != 0) {
		return instance_error(diag, ROTOR_ERR_UNSUPPORTED,
				      "a program in native code cannot be moved while it runs");
	}
	if (in->linked) {
		return instance_error(diag, ROTOR_ERR_UNSUPPORTED,
				      "a linked instance cannot be moved");
	}
	in->module = m;
	in->imports = imports;
	in->tables = (struct table *)(in + 1);
	limits = limits_of(in);
	o = lay_out(m, &limits);
	if (!o.fits || o.bytes > block_bytes || o.bytes != in->block_bytes) {
		return instance_error(diag, ROTOR_ERR_ARGUMENT,
				      "the block is shorter than its instance");
	}
	set_pointers(in, &o);
	set_own(in, &o);
	TRY(link_imports(in, imports, diag));
	in->running = false;
	*out = in;
	return ROTOR_OK;
}

/* ---- constant expressions ---- */

static uint64_t expr_leb(const uint8_t **at)
{
	uint64_t v = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = *(*at)++;
		v |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	if (shift < 64 && (byte & 0x40) != 0) {
		v |= ~UINT64_C(0) << shift;
	}
	return v;
}

static uint64_t global_value(const struct rotor_instance *in, uint32_t idx)
{
	const uint32_t *cells = instance_global(in, idx);

	return cells[0] |
	       (type_cells(in->module->globals[idx].type) == 2 ? (uint64_t)cells[1] << 32 : 0);
}

/* The value that one instruction of an expression pushes. */
static uint64_t expr_push(const struct rotor_instance *in, uint8_t op, const uint8_t **at)
{
	uint64_t v;

	switch (op) {
	case 0x23:
		return global_value(in, module_leb(at));
	case 0x41:
	case 0x42:
		return expr_leb(at);
	case 0x43:
		v = base_load_u32(*at);
		*at += 4;
		return v;
	case 0x44:
		v = base_load_u64(*at);
		*at += 8;
		return v;
	case 0xd0:
		++*at;
		return ROTOR_REF_NULL;
	default:
		return instance_ref(in, module_leb(at));
	}
}

uint64_t instance_const(const struct rotor_instance *in, const struct const_expr *e)
{
	const uint8_t *at = e->bytes, *end = at + e->length;
	uint64_t stack[16];
	unsigned depth = 0;

	while (at < end) {
		uint8_t op = *at++;

		switch (op) {
		case 0x6a:
		case 0x7c:
			depth--;
			stack[depth - 1] += stack[depth];
			break;
		case 0x6b:
		case 0x7d:
			depth--;
			stack[depth - 1] -= stack[depth];
			break;
		case 0x6c:
		case 0x7e:
			depth--;
			stack[depth - 1] *= stack[depth];
			break;
		default:
			ASSERT(depth < BASE_COUNT(stack));
			stack[depth++] = expr_push(in, op, &at);
		}
	}
	return stack[0];
}

uint32_t instance_elem(const struct rotor_instance *in, const struct elem *e, uint32_t i)
{
	uint32_t ref = e->refs[i];

	if ((ref & ELEM_GLOBAL) != 0) {
		return (uint32_t)global_value(in, ref & ~ELEM_GLOBAL);
	}
	return ref == 0 ? ROTOR_REF_NULL : instance_ref(in, ref - 1);
}

/* ---- growing ---- */

bool memory_can_grow(const struct memory *m, uint32_t pages, uint64_t *end)
{
	uint64_t max = BASE_MIN(m->declared_max, m->pages_max);

	*end = ((uint64_t)m->pages + pages) << m->page_shift;
	return (uint64_t)m->pages + pages <= max && (pages == 0 || !m->used_only);
}

uint32_t memory_grow(struct memory *m, uint32_t pages)
{
	uint32_t old = m->pages;
	uint64_t end;

	if (!memory_can_grow(m, pages, &end)) {
		return UINT32_MAX;
	}
	if (pages > 0) {
		if (end > m->zeroed) {
			memset(m->bytes + m->zeroed, 0, (size_t)(end - m->zeroed));
			m->zeroed = end;
		}
		m->pages += pages;
		m->backed = end;
	}
	return old;
}

uint32_t table_grow(struct table *t, uint32_t count, uint32_t fill)
{
	uint32_t old = t->count;

	if (count > t->max - old) {
		return UINT32_MAX;
	}
	for (uint32_t i = 0; i < count; i++) {
		t->elems[old + i] = fill;
	}
	t->count = old + count;
	return old;
}

/* ---- what can be asked ---- */

const struct rotor_module *rotor_instance_module(const struct rotor_instance *in)
{
	return in->module;
}

uint32_t *instance_global(const struct rotor_instance *in, uint32_t idx)
{
	if (idx < in->module->global_imports && in->module->globals[idx].mutable) {
		return (uint32_t *)(uintptr_t)in->global_ptrs[idx];
	}
	return in->globals + in->module->globals[idx].cell;
}

void *rotor_memory(struct rotor_instance *in, uint64_t *bytes)
{
	*bytes = in->memory != NULL ? in->memory->backed : 0;
	return in->memory != NULL ? in->memory->bytes : NULL;
}

void *rotor_memory_at(struct rotor_instance *in, uint32_t at, uint32_t bytes)
{
	const struct memory *m = in->memory;

	if (m == NULL || (uint64_t)at + bytes > m->backed) {
		return NULL;
	}
	return m->bytes + at;
}

void *rotor_arg_memory(struct rotor_call *call, unsigned cell, uint32_t bytes)
{
	void *at = rotor_memory_at(call->instance, rotor_arg_u32(call, cell), bytes);

	if (at == NULL) {
		rotor_set_trap(call->instance, ROTOR_TRAP_MEMORY, call->func->name);
	}
	return at;
}

const char *rotor_memory_str(struct rotor_instance *in, uint32_t at, uint32_t *bytes)
{
	const uint8_t *from = rotor_memory_at(in, at, 0), *end;

	if (from == NULL) {
		return NULL;
	}
	end = memchr(from, 0, (size_t)(in->memory->backed - at));
	if (end == NULL) {
		return NULL;
	}
	*bytes = (uint32_t)(end - from);
	return (const char *)from;
}

uint32_t rotor_memory_grow(struct rotor_instance *in, uint32_t pages)
{
	return in->memory != NULL ? memory_grow(in->memory, pages) : UINT32_MAX;
}

enum rotor_err rotor_global_get(struct rotor_instance *in, uint32_t idx, struct rotor_value *out)
{
	CHECK(idx < in->module->global_count, ROTOR_ERR_ARGUMENT);
	out->type = (enum rotor_type)in->module->globals[idx].type;
	out->u64 = global_value(in, idx);
	return ROTOR_OK;
}

enum rotor_err rotor_global_set(struct rotor_instance *in, uint32_t idx, struct rotor_value value)
{
	uint32_t *cells;

	CHECK(idx < in->module->global_count, ROTOR_ERR_ARGUMENT);
	CHECK(in->module->globals[idx].mutable, ROTOR_ERR_ARGUMENT);
	CHECK(in->module->globals[idx].type == value.type, ROTOR_ERR_ARGUMENT);
	cells = instance_global(in, idx);
	cells[0] = value.u32;
	if (type_cells((uint8_t)value.type) == 2) {
		cells[1] = (uint32_t)(value.u64 >> 32);
	}
	return ROTOR_OK;
}

bool rotor_ref_func(const struct rotor_instance *in, uint32_t ref, uint32_t *func_idx)
{
	if (ref == ROTOR_REF_NULL || ref >> REF_FUNC_BITS != in->number) {
		return false;
	}
	*func_idx = (ref & REF_FUNC_MASK) - 1;
	return true;
}

void rotor_heap(const struct rotor_instance *in, uint32_t *at, uint32_t *bytes)
{
	*at = in->heap_at;
	*bytes = in->heap_bytes;
}

void rotor_charge(struct rotor_instance *in, uint32_t units)
{
	const uint32_t most = 1u << 24; /* fits a slice's counter many times */

	units = BASE_MIN(units, most);
	in->host_charge = BASE_MIN(in->host_charge + units, most);
}

uint32_t *rotor_progress(struct rotor_instance *in)
{
	return in->progress;
}

uint64_t rotor_fuel_used(const struct rotor_instance *in)
{
	return in->fuel_used + in->host_charge;
}

uint32_t rotor_stack_peak(const struct rotor_instance *in)
{
	uint32_t cells = in->stack_cells;

	while (cells > 0 && in->stack[cells - 1] == STACK_PAINT) {
		cells--;
	}
	return cells * 4;
}

void rotor_interrupt(struct rotor_instance *in)
{
	__atomic_store_n(&in->interrupt, 1, __ATOMIC_RELAXED);
}
