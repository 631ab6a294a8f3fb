/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked of a loaded module: facts, imports, exports, names, places. */
#include "rotor/module.h"

#include "rotor/image.h"
#include "rotor/native_run.h"

enum {
	NATIVE_STACK_BYTES = 2048, /* for its context, helpers and leaving; see native.c */
};

uint32_t module_leb(const uint8_t **at)
{
	uint32_t v = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = *(*at)++;
		v |= (uint32_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return v;
}

size_t rotor_module_bytes(const struct rotor_module *m)
{
	return m->block_bytes;
}

/* An expression that is one i32.const. */
static bool const_u32(const struct const_expr *e, uint32_t *out)
{
	const uint8_t *at = e->bytes;
	uint64_t v = 0;
	unsigned shift = 0;

	if (e->length < 2 || *at++ != 0x41) {
		return false;
	}
	do {
		v |= (uint64_t)(*at & 0x7f) << shift;
		shift += 7;
	} while ((*at++ & 0x80) != 0);
	if (shift < 32 && (at[-1] & 0x40) != 0) {
		v |= ~UINT64_C(0) << shift;
	}
	*out = (uint32_t)v;
	return at == e->bytes + e->length;
}

/* The value of an exported immutable i32 global. */
static uint32_t exported_u32(const struct rotor_module *m, const char *name)
{
	uint32_t idx, v = 0;

	if (rotor_module_find(m, name, ROTOR_GLOBAL, &idx) && idx >= m->global_imports &&
	    m->globals[idx].type == ROTOR_I32) {
		(void)const_u32(&m->globals[idx].init, &v);
	}
	return v;
}

uint64_t module_page_bytes(uint32_t pages, uint8_t page_shift)
{
	return page_shift == 0 ? pages : (uint64_t)pages << 16;
}

uint64_t module_memory_used(const struct rotor_module *m)
{
	uint64_t declared = module_page_bytes(m->memory.limits.min, m->memory.page_shift), used = 0;
	uint32_t at;

	for (uint32_t i = 0; i < m->data_count; i++) {
		const struct data *d = &m->datas[i];

		if (d->mode != SEGMENT_ACTIVE) {
			continue;
		}
		if (!const_u32(&d->offset, &at)) {
			return declared;
		}
		used = BASE_MAX(used, (uint64_t)at + d->length);
	}
	used = BASE_MAX(used, (uint64_t)exported_u32(m, "__heap_base"));
	used = BASE_MAX(used, (uint64_t)exported_u32(m, "__data_end"));
	if (m->global_count > m->global_imports) {
		const struct global_type *sp = &m->globals[m->global_imports];

		if (sp->mutable && sp->type == ROTOR_I32 && const_u32(&sp->init, &at)) {
			used = BASE_MAX(used, (uint64_t)at);
		}
	}
	return BASE_MIN(used, declared);
}

void rotor_module_info(const struct rotor_module *m, struct rotor_module_info *out)
{
	const struct memory_type *memory = &m->memory;

	*out = (struct rotor_module_info){
		.wasm_bytes = m->wasm_bytes,
		.code_bytes = m->code_bytes,
		.form_bytes = m->form_bytes,
		.func_count = m->func_count,
		.import_count = m->import_count,
		.export_count = m->export_count,
		.table_count = m->table_count,
		.global_count = m->global_count,
		.has_memory = memory->present,
		.memory_imported = memory->imported,
		.memory_grows = m->memory_grows,
		.page_bytes = 1u << memory->page_shift,
		.memory_bytes_min = module_page_bytes(memory->limits.min, memory->page_shift),
		.memory_bytes_max =
			memory->limits.max == UINT32_MAX
				? UINT64_MAX
				: module_page_bytes(memory->limits.max, memory->page_shift),
		.memory_bytes_used = memory->present ? module_memory_used(m) : 0,
		.has_start = m->start != ROTOR_NO_IDX,
		.native_bytes = module_native(m) != NULL
					? module_native(m)->frame_bytes + NATIVE_STACK_BYTES
					: 0,
	};
}

uint32_t rotor_image_abi(void)
{
	return ROTOR_NATIVE_ABI;
}

const char *rotor_image_target_name(uint16_t target)
{
	static const char *const names[] = {
#define X(id, name) [id] = name,
		ROTOR_IMAGE_TARGET_LIST(X)
#undef X
	};

	return target < BASE_COUNT(names) ? names[target] : NULL;
}

static struct rotor_functype functype(const struct functype *t)
{
	return (struct rotor_functype){t->param_count, t->result_count, t->types};
}

bool rotor_module_import(const struct rotor_module *m, uint32_t i, struct rotor_import *out)
{
	const struct import *im = &m->imports[i];
	const uint8_t *at;

	if (i >= m->import_count) {
		return false;
	}
	memset(out, 0, sizeof(*out));
	at = im->names;
	out->module_bytes = module_leb(&at);
	out->module = (const char *)at;
	at += out->module_bytes;
	out->name_bytes = module_leb(&at);
	out->name = (const char *)at;
	out->kind = (enum rotor_kind)im->kind;
	if (im->kind == ROTOR_FUNC) {
		out->type = functype(m->types[im->func_type]);
	}
	return true;
}

bool rotor_module_export(const struct rotor_module *m, uint32_t i, struct rotor_export *out)
{
	const uint8_t *at;

	if (i >= m->export_count) {
		return false;
	}
	at = m->exports[i].name;
	out->name_bytes = module_leb(&at);
	out->name = (const char *)at;
	out->kind = (enum rotor_kind)m->exports[i].kind;
	out->idx = m->exports[i].idx;
	return true;
}

bool rotor_module_find(const struct rotor_module *m, const char *name, enum rotor_kind kind,
		       uint32_t *idx)
{
	struct rotor_export e;
	size_t bytes = strlen(name);

	for (uint32_t i = 0; rotor_module_export(m, i, &e); i++) {
		if (e.kind == kind && e.name_bytes == bytes && memcmp(e.name, name, bytes) == 0) {
			*idx = e.idx;
			return true;
		}
	}
	return false;
}

struct rotor_functype rotor_module_functype(const struct rotor_module *m, uint32_t idx)
{
	return functype(module_functype(m, idx));
}

/* ---- names ---- */

/* A length or index of the name section, which nobody has checked. */
static bool unchecked_leb(const uint8_t **at, const uint8_t *end, uint32_t *out)
{
	uint32_t v = 0;

	for (unsigned shift = 0; *at < end && shift < 35; shift += 7) {
		uint8_t byte = *(*at)++;

		v |= (uint32_t)(byte & 0x7f) << shift;
		if ((byte & 0x80) == 0) {
			*out = v;
			return true;
		}
	}
	return false;
}

static bool section_name(const struct rotor_module *m, uint32_t idx, const char **name,
			 uint32_t *bytes)
{
	const uint8_t *at = m->names, *end;
	uint32_t count, func;

	if (at == NULL) {
		return false;
	}
	end = at + m->names_bytes;
	if (!unchecked_leb(&at, end, &count)) {
		return false;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (!unchecked_leb(&at, end, &func) || !unchecked_leb(&at, end, bytes) ||
		    *bytes > (size_t)(end - at)) {
			return false;
		}
		*name = (const char *)at;
		if (func == idx) {
			return true;
		}
		at += *bytes;
	}
	return false;
}

static bool import_name(const struct rotor_module *m, uint32_t idx, const char **name,
			uint32_t *bytes)
{
	struct rotor_import im;
	uint32_t func = 0;

	for (uint32_t i = 0; rotor_module_import(m, i, &im); i++) {
		if (im.kind == ROTOR_FUNC && func++ == idx) {
			*name = im.name;
			*bytes = im.name_bytes;
			return true;
		}
	}
	return false;
}

bool rotor_module_funcname(const struct rotor_module *m, uint32_t idx, const char **name,
			   uint32_t *bytes)
{
	struct rotor_export e;

	if (section_name(m, idx, name, bytes)) {
		return true;
	}
	for (uint32_t i = 0; rotor_module_export(m, i, &e); i++) {
		if (e.kind == ROTOR_FUNC && e.idx == idx) {
			*name = e.name;
			*bytes = e.name_bytes;
			return true;
		}
	}
	return idx < m->func_imports && import_name(m, idx, name, bytes);
}

/* ---- places ---- */

uint32_t module_func_at(const struct rotor_module *m, uint32_t pc)
{
	uint32_t low = m->func_imports, high = m->func_count;

	if (low == high || pc < m->funcs[low].form) {
		return ROTOR_NO_IDX;
	}
	while (low + 1 < high) {
		uint32_t mid = low + (high - low) / 2;

		if (m->funcs[mid].form <= pc) {
			low = mid;
		} else {
			high = mid;
		}
	}
	return low;
}

uint32_t module_offset_at(const struct rotor_module *m, uint32_t func, uint32_t pc)
{
	uint32_t at = m->funcs[func].form, offset = form_get32(m->form + at - FORM_HEADER_UNITS);
	uint32_t end = at + form_get32(m->form + at - FORM_HEADER_UNITS + 2);
	const uint8_t *map = (const uint8_t *)(m->form + end);

	for (; at <= pc && at < end; at += form_length(m->form + at)) {
		unsigned maps = form_maps(m->form[at]);

		/* Of several in one operation, pc says which: form.h. */
		for (unsigned i = 0; i < maps && at + i <= pc; i++) {
			offset += module_leb(&map);
		}
	}
	return offset;
}
