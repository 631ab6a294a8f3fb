/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Imports: host functions from tables, and what other instances export.
 *
 * Instances that share something form a group, a ring of pointers. Within it each has a number, which
 * funcrefs carry. When two groups meet, one is renumbered; none of its instances may be running.
 * Spec: WebAssembly 2.0 4.5.2 (external typing), 4.5.4.
 */
#include "rotor/instance.h"

/* ---- groups ---- */

struct rotor_instance *instance_by_number(struct rotor_instance *in, uint32_t number)
{
	struct rotor_instance *i = in;

	do {
		if (i->number == number) {
			return i;
		}
		i = i->next;
	} while (i != in);
	return NULL;
}

static bool same_group(struct rotor_instance *a, const struct rotor_instance *b)
{
	struct rotor_instance *i = a;

	do {
		if (i == b) {
			return true;
		}
		i = i->next;
	} while (i != a);
	return false;
}

static void renumber_refs(uint32_t *refs, uint32_t count, uint32_t from, uint32_t to)
{
	for (uint32_t i = 0; i < count; i++) {
		if (refs[i] >> REF_FUNC_BITS == from) {
			refs[i] = to << REF_FUNC_BITS | (refs[i] & REF_FUNC_MASK);
		}
	}
}

/* Changes a number in all references that an instance holds itself. */
static void renumber_held(struct rotor_instance *in, uint32_t from, uint32_t to)
{
	const struct rotor_module *m = in->module;

	for (uint32_t i = m->table_imports; i < m->table_count; i++) {
		struct table *t = &in->tables[i - m->table_imports];

		if (t->type == ROTOR_FUNCREF) {
			renumber_refs(t->elems, t->count, from, to);
		}
	}
	for (uint32_t i = 0; i < m->global_count; i++) {
		const struct global_type *g = &m->globals[i];

		if (g->type == ROTOR_FUNCREF && (i >= m->global_imports || !g->mutable)) {
			renumber_refs(&in->globals[g->cell], 1, from, to);
		}
	}
}

static enum rotor_err renumber(struct rotor_instance *in, uint32_t to)
{
	struct rotor_instance *i = in;

	do {
		renumber_held(i, in->number, to);
		i = i->next;
	} while (i != in);
	in->deepest = to;
	in->number = to;
	return ROTOR_OK;
}

static bool any_active(struct rotor_instance *in)
{
	struct rotor_instance *i = in;

	do {
		if (i->activation != 0 && i->state != RUN_TRAPPED) {
			return true;
		}
		i = i->next;
	} while (i != in);
	return false;
}

/* Joins the group of fresh, which is not running, to that of old. */
static enum rotor_err join(struct rotor_instance *fresh, struct rotor_instance *old,
			   struct rotor_diag *diag)
{
	struct rotor_instance *i = fresh, *next;
	uint32_t number;

	if (same_group(fresh, old)) {
		return ROTOR_OK;
	}
	if (any_active(fresh)) {
		return instance_error(diag, ROTOR_ERR_STATE,
				      "two groups of instances meet while one is running");
	}
	do {
		number = i->number;
		while (instance_by_number(old, number) != NULL ||
		       (number != i->number && instance_by_number(fresh, number) != NULL)) {
			number++;
		}
		if (number > GROUP_MAX) {
			return instance_error(diag, ROTOR_ERR_LIMIT,
					      "more than 4095 instances are linked");
		}
		TRY(renumber(i, number));
		i = i->next;
	} while (i != fresh);
	next = fresh->next;
	fresh->next = old->next;
	old->next = next;
	return ROTOR_OK;
}

/* Takes an instance out of its group. */
static void quit(struct rotor_instance *in)
{
	struct rotor_instance *before = in;

	while (before->next != in) {
		before = before->next;
	}
	before->next = in->next;
	in->next = in;
}

/* ---- types ---- */

bool link_same_type(const struct functype *a, const struct functype *b)
{
	return memcmp(a, b, sizeof(*a)) == 0 &&
	       memcmp(a->types, b->types, (size_t)a->param_count + a->result_count) == 0;
}

static char type_letter(uint8_t type)
{
	switch (type) {
	case ROTOR_I32:
		return 'i';
	case ROTOR_I64:
		return 'I';
	case ROTOR_F32:
		return 'f';
	case ROTOR_F64:
		return 'F';
	case ROTOR_FUNCREF:
		return 'p';
	default:
		return 'r';
	}
}

/* Whether a host function's type string says t. */
static bool host_type(const char *s, const struct functype *t)
{
	uint32_t count = (uint32_t)t->param_count + t->result_count;

	for (uint32_t i = 0; i < count; i++) {
		if (i == t->param_count && *s++ != ')') {
			return false;
		}
		if (*s++ != type_letter(t->types[i])) {
			return false;
		}
	}
	if (t->result_count == 0 && *s++ != ')') {
		return false;
	}
	return *s == 0;
}

static bool limits_match(uint32_t size, uint32_t max, const struct limits *want)
{
	return size >= want->min && (want->max == UINT32_MAX || max <= want->max);
}

/* ---- one import ---- */

struct linking {
	struct rotor_instance *in;
	const struct rotor_imports *from;
	struct rotor_diag *diag;
	struct rotor_import im;
	const struct import *decl;
	bool known; /* something of that name is there, of another type */
};

static bool name_is(const char *name, const char *text, uint32_t bytes)
{
	return strlen(name) == bytes && memcmp(name, text, bytes) == 0;
}

static bool is_named(const struct linking *k, const char *module, const char *name)
{
	return name_is(name, k->im.name, k->im.name_bytes) &&
	       name_is(module, k->im.module, k->im.module_bytes);
}

static const struct rotor_host_func *find_host(struct linking *k, const struct functype *type)
{
	for (uint32_t t = 0; t < k->from->table_count; t++) {
		for (const struct rotor_host_func *f = k->from->tables[t]; f->name != NULL; f++) {
			if (!is_named(k, f->module, f->name)) {
				continue;
			}
			if (host_type(f->type, type)) {
				return f;
			}
			k->known = true;
		}
	}
	return NULL;
}

static const struct rotor_extern *find_extern(struct linking *k, struct rotor_export *out)
{
	for (uint32_t i = 0; i < k->from->extern_count; i++) {
		const struct rotor_extern *e = &k->from->externs[i];

		if (!is_named(k, e->module, e->name)) {
			continue;
		}
		k->known = true;
		if (rotor_module_export(e->instance->module, e->export_idx, out) &&
		    out->kind == k->im.kind) {
			return e;
		}
	}
	return NULL;
}

static enum rotor_err refuse(struct linking *k)
{
	char name[80];
	uint32_t a = BASE_MIN(k->im.module_bytes, 30u), b = BASE_MIN(k->im.name_bytes, 48u);

	memcpy(name, k->im.module, a);
	name[a] = '.';
	memcpy(name + a + 1, k->im.name, b);
	return instance_fail(k->diag, ROTOR_ERR_LINK,
			     k->known ? "incompatible import type: " : "unknown import: ", name,
			     a + 1 + b);
}

static enum rotor_err link_func(struct linking *k, uint32_t idx)
{
	const struct functype *type = module_functype(k->in->module, idx);
	struct binding *b = &k->in->bindings[idx];
	const struct rotor_extern *e;
	struct rotor_export x;

	b->host = find_host(k, type);
	if (b->host != NULL) {
		return ROTOR_OK;
	}
	e = find_extern(k, &x);
	if (e == NULL || !link_same_type(module_functype(e->instance->module, x.idx), type)) {
		return refuse(k);
	}
	b->instance = e->instance;
	b->func = x.idx;
	k->in->linked = true;
	return join(e->instance, k->in, k->diag);
}

static enum rotor_err link_table(struct linking *k, uint32_t idx)
{
	struct rotor_export x;
	const struct rotor_extern *e = find_extern(k, &x);
	struct table *t;

	if (e == NULL) {
		return refuse(k);
	}
	t = instance_table(e->instance, x.idx);
	if (t->type != k->decl->type ||
	    !limits_match(t->count, t->declared_max, &k->decl->limits)) {
		return refuse(k);
	}
	k->in->table_ptrs[idx] = (uintptr_t)t;
	k->in->linked = true;
	return join(e->instance, k->in, k->diag);
}

static enum rotor_err link_memory(struct linking *k)
{
	struct rotor_export x;
	const struct rotor_extern *e = find_extern(k, &x);
	struct memory *m;

	if (e == NULL) {
		return refuse(k);
	}
	m = e->instance->memory;
	if (m->page_shift != k->decl->flags ||
	    !limits_match(m->pages, m->declared_max, &k->decl->limits)) {
		return refuse(k);
	}
	k->in->memory = m;
	k->in->linked = true;
	return join(e->instance, k->in, k->diag);
}

static enum rotor_err link_global(struct linking *k, uint32_t idx)
{
	struct rotor_export x;
	const struct rotor_extern *e = find_extern(k, &x);
	const struct global_type *g;

	if (e == NULL) {
		return refuse(k);
	}
	g = &e->instance->module->globals[x.idx];
	if (g->type != k->decl->type || g->mutable != (k->decl->flags != 0)) {
		return refuse(k);
	}
	/* Joined first: a funcref in it may get another number. */
	TRY(join(e->instance, k->in, k->diag));
	k->in->global_ptrs[idx] = (uintptr_t)instance_global(e->instance, x.idx);
	k->in->linked = true;
	return ROTOR_OK;
}

static enum rotor_err link_all(struct linking *k)
{
	uint32_t funcs = 0, tables = 0, globals = 0;

	for (uint32_t i = 0; rotor_module_import(k->in->module, i, &k->im); i++) {
		k->decl = &k->in->module->imports[i];
		k->known = false;
		switch (k->im.kind) {
		case ROTOR_FUNC:
			TRY(link_func(k, funcs++));
			break;
		case ROTOR_TABLE:
			TRY(link_table(k, tables++));
			break;
		case ROTOR_MEMORY:
			TRY(link_memory(k));
			break;
		default:
			TRY(link_global(k, globals++));
			break;
		}
	}
	return ROTOR_OK;
}

enum rotor_err link_imports(struct rotor_instance *in, const struct rotor_imports *imports,
			    struct rotor_diag *diag)
{
	static const struct rotor_imports none;
	struct linking k = {.in = in, .from = imports != NULL ? imports : &none, .diag = diag};
	enum rotor_err err;

	in->imports = k.from;
	err = link_all(&k);
	if (err != ROTOR_OK) {
		quit(in);
	}
	return err;
}
