/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations on memory and tables as a whole, in steps of bounded size.
 *
 * A step works on a chunk and moves its progress into the operands' slots, so it can be stopped
 * between two steps and goes on later, also in a copy of the block.
 * Bounds: BULK_BYTES bytes or BULK_ELEMS elements a step.
 * Spec:   WebAssembly 2.0 4.4.5, 4.4.6, 4.4.7.
 */
#include "rotor/exec.h"

enum {
	BULK_BYTES = 65536,
	BULK_ELEMS = 16384,
	BYTES_PER_FUEL = 64,
	ELEMS_PER_FUEL = 16
};

static enum bulk trap(struct exec *x, enum rotor_trap why)
{
	x->trap = (uint8_t)why;
	return BULK_TRAP;
}

static bool inside(uint64_t size, uint32_t at, uint32_t count)
{
	return (uint64_t)at + count <= size;
}

static enum bulk trap_memory(struct exec *x, uint64_t end)
{
	const struct memory *m = x->in->memory;

	if (m->used_only && end <= module_page_bytes(m->pages, m->page_shift)) {
		return trap(x, ROTOR_TRAP_UNBACKED);
	}
	return trap(x, ROTOR_TRAP_MEMORY);
}

static uint32_t fuel_for(uint32_t count, uint32_t per_unit)
{
	return (count + per_unit - 1) / per_unit;
}

/* ---- memory ---- */

/* Progress of an operation whose operands are destination, source, count. */
static enum bulk advance(uint32_t *o, uint32_t n, bool source)
{
	o[0] += n;
	o[1] += source ? n : 0;
	o[2] -= n;
	return o[2] == 0 ? BULK_DONE : BULK_AGAIN;
}

static enum bulk memory_fill(struct exec *x, uint32_t *o)
{
	uint32_t n = BASE_MIN(o[2], (uint32_t)BULK_BYTES);

	if (!inside(x->mem_bytes, o[0], o[2])) {
		return trap_memory(x, (uint64_t)o[0] + o[2]);
	}
	x->cost = fuel_for(n, BYTES_PER_FUEL);
	if (n > 0) {
		memset(x->mem + o[0], (int)(o[1] & 0xff), n);
	}
	return advance(o, n, false);
}

/* Moves o[2] elements of 1 << shift bytes within or between memories or tables. */
static enum bulk copy(uint8_t *to, const uint8_t *from, unsigned shift, uint32_t n, uint32_t *o)
{
	uint32_t rest = o[2] - n;

	if (n == 0) {
		return BULK_DONE;
	}
	if (o[0] <= o[1]) {
		memmove(to + ((size_t)o[0] << shift), from + ((size_t)o[1] << shift),
			(size_t)n << shift);
		return advance(o, n, true);
	}
	/* From the end on, as the destination may lie over the source's rest. */
	memmove(to + ((size_t)(o[0] + rest) << shift), from + ((size_t)(o[1] + rest) << shift),
		(size_t)n << shift);
	o[2] = rest;
	return rest == 0 ? BULK_DONE : BULK_AGAIN;
}

static enum bulk memory_copy(struct exec *x, uint32_t *o)
{
	uint32_t n = BASE_MIN(o[2], (uint32_t)BULK_BYTES);

	if (!inside(x->mem_bytes, o[0], o[2]) || !inside(x->mem_bytes, o[1], o[2])) {
		return trap_memory(x, (uint64_t)BASE_MAX(o[0], o[1]) + o[2]);
	}
	x->cost = fuel_for(n, BYTES_PER_FUEL);
	return copy(x->mem, x->mem, 0, n, o);
}

static enum bulk memory_init(struct exec *x, uint32_t *o, uint32_t segment)
{
	const struct data *d = &x->in->module->datas[segment];
	uint32_t n = BASE_MIN(o[2], (uint32_t)BULK_BYTES);
	bool gone = instance_dropped(x->in, x->in->module->elem_count + segment);

	if (!inside(x->mem_bytes, o[0], o[2]) || !inside(gone ? 0 : d->length, o[1], o[2])) {
		return trap_memory(x, UINT64_MAX);
	}
	x->cost = fuel_for(n, BYTES_PER_FUEL);
	if (n > 0) {
		memcpy(x->mem + o[0], d->bytes + o[1], n);
	}
	return advance(o, n, true);
}

static enum bulk memory_grow_step(struct exec *x, uint32_t *o)
{
	struct memory *m = x->in->memory;
	uint64_t end, n;

	if (!memory_can_grow(m, o[0], &end)) {
		o[0] = UINT32_MAX;
		return BULK_DONE;
	}
	if (m->zeroed < end) {
		n = BASE_MIN(end - m->zeroed, (uint64_t)BULK_BYTES);
		memset(m->bytes + m->zeroed, 0, (size_t)n);
		m->zeroed += n;
		return BULK_AGAIN;
	}
	x->cost = (uint32_t)((module_page_bytes(o[0], m->page_shift) + BYTES_PER_FUEL - 1) /
			     BYTES_PER_FUEL);
	o[0] = memory_grow(m, o[0]);
	x->mem_bytes = m->backed;
	return BULK_DONE;
}

/* ---- tables ---- */

static enum bulk table_fill(struct exec *x, struct table *t, uint32_t *o)
{
	uint32_t n = BASE_MIN(o[2], (uint32_t)BULK_ELEMS);

	if (!inside(t->count, o[0], o[2])) {
		return trap(x, ROTOR_TRAP_TABLE);
	}
	x->cost = fuel_for(n, ELEMS_PER_FUEL);
	for (uint32_t i = 0; i < n; i++) {
		t->elems[o[0] + i] = o[1];
	}
	return advance(o, n, false);
}

static enum bulk table_copy(struct exec *x, struct table *to, const struct table *from, uint32_t *o)
{
	uint32_t n = BASE_MIN(o[2], (uint32_t)BULK_ELEMS);

	if (!inside(to->count, o[0], o[2]) || !inside(from->count, o[1], o[2])) {
		return trap(x, ROTOR_TRAP_TABLE);
	}
	x->cost = fuel_for(n, ELEMS_PER_FUEL);
	return copy((uint8_t *)to->elems, (const uint8_t *)from->elems, 2, n, o);
}

static enum bulk table_init(struct exec *x, struct table *t, uint32_t segment, uint32_t *o)
{
	const struct elem *e = &x->in->module->elems[segment];
	uint32_t n = BASE_MIN(o[2], (uint32_t)BULK_ELEMS);
	bool gone = instance_dropped(x->in, segment);

	if (!inside(t->count, o[0], o[2]) || !inside(gone ? 0 : e->count, o[1], o[2])) {
		return trap(x, ROTOR_TRAP_TABLE);
	}
	x->cost = fuel_for(n, ELEMS_PER_FUEL);
	for (uint32_t i = 0; i < n; i++) {
		t->elems[o[0] + i] = instance_elem(x->in, e, o[1] + i);
	}
	return advance(o, n, true);
}

static enum bulk table_grow_step(struct exec *x, struct table *t, uint32_t *o)
{
	uint32_t count = o[1];

	x->cost = fuel_for(BASE_MIN(count, t->max), ELEMS_PER_FUEL);
	o[0] = table_grow(t, count, o[0]);
	return BULK_DONE;
}

static enum bulk table_access(struct exec *x, struct table *t, uint32_t *o, bool set)
{
	if (o[0] >= t->count) {
		return trap(x, ROTOR_TRAP_TABLE);
	}
	if (set) {
		t->elems[o[0]] = o[1];
	} else {
		o[0] = t->elems[o[0]];
	}
	return BULK_DONE;
}

static enum bulk table_step(struct exec *x, const uint16_t *pc, uint32_t *o)
{
	struct table *t = instance_table(x->in, pc[2]);

	switch (pc[0]) {
	case F_TABLE_GET:
	case F_TABLE_SET:
		return table_access(x, t, o, pc[0] == F_TABLE_SET);
	case F_TABLE_SIZE:
		o[0] = t->count;
		return BULK_DONE;
	case F_TABLE_GROW:
		return table_grow_step(x, t, o);
	case F_TABLE_FILL:
		return table_fill(x, t, o);
	case F_TABLE_COPY:
		return table_copy(x, t, instance_table(x->in, pc[3]), o);
	default:
		return table_init(x, t, pc[3], o);
	}
}

/* ---- globals of others, references ---- */

static enum bulk global_step(struct exec *x, const uint16_t *pc, uint32_t *o)
{
	uint32_t *cells = instance_global(x->in, pc[2]);
	uint32_t *to = pc[0] == F_GGET_IMPORT ? o : cells;
	const uint32_t *from = pc[0] == F_GGET_IMPORT ? cells : o;

	to[0] = from[0];
	if (type_cells(x->in->module->globals[pc[2]].type) == 2) {
		to[1] = from[1];
	}
	return BULK_DONE;
}

enum bulk bulk_step(struct exec *x, const uint16_t *pc, uint32_t *fp)
{
	uint32_t *o = fp + pc[1];

	x->cost = 0;
	switch (pc[0]) {
	case F_GGET_IMPORT:
	case F_GSET_IMPORT:
		return global_step(x, pc, o);
	case F_REF_FUNC:
		o[0] = instance_ref(x->in, form_get32(pc + 2));
		return BULK_DONE;
	case F_MEMORY_SIZE:
		o[0] = x->in->memory->pages;
		return BULK_DONE;
	case F_MEMORY_GROW:
		return memory_grow_step(x, o);
	case F_MEMORY_FILL:
		return memory_fill(x, o);
	case F_MEMORY_COPY:
		return memory_copy(x, o);
	case F_MEMORY_INIT:
		return memory_init(x, o, pc[2]);
	case F_DATA_DROP:
		instance_drop(x->in, x->in->module->elem_count + pc[1]);
		return BULK_DONE;
	case F_ELEM_DROP:
		instance_drop(x->in, pc[1]);
		return BULK_DONE;
	default:
		return table_step(x, pc, o);
	}
}
