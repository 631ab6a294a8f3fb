/* SPDX-License-Identifier: Apache-2.0 */
/* What a loaded module consists of. Written by load*.c, read by everything else. */
#ifndef ROTOR_MODULE_H
#define ROTOR_MODULE_H

#include "base/base.h"
#include "rotor/form.h"
#include "rotor/rotor.h"

enum {
	ROTOR_NO_IDX = 0xffffffffu
};

/* A function type. Equal types of one module are the same object. */
struct functype {
	uint16_t param_count, result_count;
	uint16_t param_cells, result_cells;
	uint8_t types[];
};

/* A function. Of an imported one only type is meant. */
struct func {
	uint32_t form;        /* place of its first unit */
	uint32_t cost;        /* fuel of one call: instructions of the body */
	uint16_t zero_from;   /* first cell of the locals that are not parameters */
	uint16_t zero_count;  /* cells of those; then comes the link */
	uint16_t frame_cells; /* of the whole frame */
	uint16_t type;        /* the first of the equal types */
};

struct limits {
	uint32_t min, max; /* max UINT32_MAX: none */
};

struct table_type {
	struct limits limits;
	uint8_t type;
};

struct memory_type {
	struct limits limits;
	uint8_t page_shift; /* 16 or 0 */
	bool present, imported;
};

/* A constant expression: its bytes without the final end, or the value where that is all. */
struct const_expr {
	const uint8_t *bytes;
	uint16_t length;
};

struct global_type {
	struct const_expr init;
	uint16_t cell; /* in the globals of an instance; an imported mutable one has none */
	uint8_t type;
	bool mutable;
};

struct import {
	const uint8_t *names; /* length, module, length, name as in the module */
	uint8_t kind;
	uint8_t type;  /* of tables and globals */
	uint8_t flags; /* mutable global; page shift of a memory */
	uint16_t func_type;
	struct limits limits;
};

struct export
{
	const uint8_t *name; /* length, name */
	uint32_t idx;
	uint8_t kind;
};

enum segment_mode {
	SEGMENT_ACTIVE,
	SEGMENT_PASSIVE,
	SEGMENT_DECLARED
};

/* An element is a function index plus 1, or 0 for null, or a global's index with the top bit. */
#define ELEM_GLOBAL 0x80000000u

struct elem {
	struct const_expr offset;
	const uint32_t *refs;
	uint32_t count;
	uint16_t table;
	uint8_t mode, type;
};

struct data {
	struct const_expr offset;
	const uint8_t *bytes;
	uint32_t length;
	uint8_t mode;
};

struct native;

/* Small things and what is used most first, as in struct rotor_loader. */
struct rotor_module {
	struct memory_type memory;
	bool memory_grows, complete;
	const struct functype **types;
	struct func *funcs;
	uint16_t *form;
	struct import *imports;
	struct export *exports;
	struct table_type *tables;
	struct global_type *globals;
	struct elem *elems;
	struct data *datas;
	const struct native *native; /* its code, if it came as an image; else NULL */
	uint32_t type_count, func_count, func_imports, import_count, export_count;
	uint32_t table_count, table_imports, global_count, global_imports;
	uint32_t elem_count, data_count, start;
	uint32_t global_cells;
	const uint8_t *names; /* the function names of the name section */
	uint32_t names_bytes;
	uint32_t block_bytes, wasm_bytes, code_bytes, form_bytes;
	uint64_t hash; /* of the module's bytes */
};

static inline const struct functype *module_functype(const struct rotor_module *m, uint32_t func)
{
	return m->types[m->funcs[func].type];
}

/* The module's native code; NULL: it has none, as all have none in a build without (ROTOR_NO_NATIVE). */
#if defined(ROTOR_NO_NATIVE)
static inline const struct native *module_native(const struct rotor_module *m)
{
	return NULL;
}
#else
static inline const struct native *module_native(const struct rotor_module *m)
{
	return m->native;
}
#endif

/* Cells of a value. */
static inline unsigned type_cells(uint8_t type)
{
	return type == ROTOR_I64 || type == ROTOR_F64 ? 2 : 1;
}

static inline bool type_is_ref(uint8_t type)
{
	return type == ROTOR_FUNCREF || type == ROTOR_EXTERNREF;
}

/* Reads a length or index that was checked when it was loaded. */
uint32_t module_leb(const uint8_t **at);

/* Bytes of memory 0 that the module declares it uses. */
uint64_t module_memory_used(const struct rotor_module *m);
/* Bytes of so many pages. */
uint64_t module_page_bytes(uint32_t pages, uint8_t page_shift);

/* The function whose form pc (place of a unit) lies in; ROTOR_NO_IDX for the prologue. */
uint32_t module_func_at(const struct rotor_module *m, uint32_t pc);

/* The byte offset in the module of the operation at pc, which is in the map. */
uint32_t module_offset_at(const struct rotor_module *m, uint32_t func, uint32_t pc);

#endif
