/* SPDX-License-Identifier: Apache-2.0 */
/* The modules and instances of one file of the suite, and how they are linked. */
#include "rotor/tool/image.h"
#include "rotor/tool/spec_unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

enum {
	STACK_BYTES = 256 << 10,
	MEMORY_BYTES_MAX = 1 << 30,
	TABLE_ELEMS_MAX = 1 << 20,
	SLICES_MAX = 400 /* of a run, before it counts as endless */
};

#define SLICE_FUEL 10000000u

/* (module
 *   (global (export "global_i32") i32 (i32.const 666))
 *   (global (export "global_i64") i64 (i64.const 666))
 *   (global (export "global_f32") f32 (f32.const 666.6))
 *   (global (export "global_f64") f64 (f64.const 666.6))
 *   (table (export "table") 10 20 funcref)
 *   (memory (export "memory") 1 2))
 */
static const uint8_t spectest_wasm[] = {
	0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x04, 0x05, 0x01, 0x70, 0x01, 0x0a, 0x14,
	0x05, 0x04, 0x01, 0x01, 0x01, 0x02, 0x06, 0x21, 0x04, 0x7f, 0x00, 0x41, 0x9a, 0x05, 0x0b,
	0x7e, 0x00, 0x42, 0x9a, 0x05, 0x0b, 0x7d, 0x00, 0x43, 0x66, 0xa6, 0x26, 0x44, 0x0b, 0x7c,
	0x00, 0x44, 0xcd, 0xcc, 0xcc, 0xcc, 0xcc, 0xd4, 0x84, 0x40, 0x0b, 0x07, 0x46, 0x06, 0x0a,
	0x67, 0x6c, 0x6f, 0x62, 0x61, 0x6c, 0x5f, 0x69, 0x33, 0x32, 0x03, 0x00, 0x0a, 0x67, 0x6c,
	0x6f, 0x62, 0x61, 0x6c, 0x5f, 0x69, 0x36, 0x34, 0x03, 0x01, 0x0a, 0x67, 0x6c, 0x6f, 0x62,
	0x61, 0x6c, 0x5f, 0x66, 0x33, 0x32, 0x03, 0x02, 0x0a, 0x67, 0x6c, 0x6f, 0x62, 0x61, 0x6c,
	0x5f, 0x66, 0x36, 0x34, 0x03, 0x03, 0x05, 0x74, 0x61, 0x62, 0x6c, 0x65, 0x01, 0x00, 0x06,
	0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 0x02, 0x00,
};

static enum rotor_host print_nothing(struct rotor_call *call)
{
	return ROTOR_HOST_DONE;
}

static const struct rotor_host_func spectest_funcs[] = {
	{"spectest", "print", ")", print_nothing},
	{"spectest", "print_i32", "i)", print_nothing},
	{"spectest", "print_i64", "I)", print_nothing},
	{"spectest", "print_f32", "f)", print_nothing},
	{"spectest", "print_f64", "F)", print_nothing},
	{"spectest", "print_i32_f32", "if)", print_nothing},
	{"spectest", "print_f64_f64", "FF)", print_nothing},
	{NULL, NULL, NULL, NULL},
};

static const struct rotor_host_func *const tables[] = {spectest_funcs};

static void *must(void *memory)
{
	if (memory == NULL) {
		complain("out of memory");
		exit(EXIT_LIMIT);
	}
	return memory;
}

static struct spec_unit *unit_new(struct spec_world *world, const char *name)
{
	struct spec_unit *unit = must(calloc(1, sizeof(*unit)));

	unit->name = name != NULL ? must(strdup(name)) : NULL;
	unit->next = world->units;
	world->units = unit;
	return unit;
}

/* The module's bytes piece by piece, each from a buffer that is gone afterwards. */
static enum rotor_err load_pieces(struct spec_unit *unit, uint32_t piece_bytes)
{
	struct rotor_loader *loader;
	enum rotor_err err =
		rotor_load_begin(unit->module_block, unit->module_block_bytes, &loader);
	uint8_t *piece;

	if (err != ROTOR_OK) {
		return err;
	}
	for (size_t at = 0; at < unit->file.count && err == ROTOR_OK; at += piece_bytes) {
		size_t bytes = BASE_MIN(unit->file.count - at, piece_bytes);

		piece = must(malloc(bytes));
		memcpy(piece, (const uint8_t *)unit->file.bytes + at, bytes);
		err = rotor_load_feed(loader, piece, bytes);
		free(piece);
	}
	if (err == ROTOR_OK) {
		err = rotor_load_end(loader, &unit->module);
	}
	if (err != ROTOR_OK) {
		unit->diag = *rotor_load_diag(loader);
	}
	return err;
}

/* Native code in place of the module; false: there is none. */
static bool load_native(struct spec_unit *unit, const char *path, enum rotor_err *err)
{
	const struct image_trust trust = {.allow_unsigned = true};
	char image[4096];
	struct mapped file;

	snprintf(image, sizeof(image), "%s.raot", path);
	if (access(image, R_OK) != 0 || !file_map(image, &file)) {
		return false;
	}
	file_unmap(&unit->file);
	unit->file = file;
	unit->module_block_bytes = ((size_t)16 << 20) + 64 * unit->file.count;
	unit->module_block = must(block_reserve(unit->module_block_bytes));
	*err = module_load(unit->module_block, unit->module_block_bytes, &unit->file, &trust,
			   &unit->module, &unit->diag);
	return true;
}

static enum rotor_err load_unit(struct spec_unit *unit, uint32_t piece_bytes)
{
	unit->module_block_bytes = ((size_t)16 << 20) + 64 * unit->file.count;
	unit->module_block = must(block_reserve(unit->module_block_bytes));
	if (piece_bytes != 0) {
		return load_pieces(unit, piece_bytes);
	}
	return rotor_load(unit->module_block, unit->module_block_bytes, unit->file.bytes,
			  unit->file.count, ROTOR_LOAD_BYTES_STAY, &unit->module, &unit->diag);
}

struct spec_unit *spec_unit_load(struct spec_world *world, const char *path, const char *name,
				 enum rotor_err *err)
{
	struct spec_unit *unit = unit_new(world, name);

	if (!file_map(path, &unit->file)) {
		return NULL;
	}
	if (world->native && load_native(unit, path, err)) {
		return unit;
	}
	*err = load_unit(unit, world->piece_bytes);
	if (world->native && *err == ROTOR_OK) {
		*err = ROTOR_ERR_UNSUPPORTED;
		unit->diag = (struct rotor_diag){.code = ROTOR_ERR_UNSUPPORTED,
						 .text = "it has no native image"};
	}
	return unit;
}

/* ---- linking ---- */

static bool same(const char *text, const char *bytes, uint32_t count)
{
	return strlen(text) == count && memcmp(text, bytes, count) == 0;
}

/* The export that an import asks for, of whatever kind: the engine compares the types. */
static bool find_extern(const struct spec_world *world, const struct rotor_import *import,
			struct rotor_extern *out)
{
	struct rotor_export export;

	for (const struct spec_registered *r = world->registered; r != NULL; r = r->next) {
		if (!same(r->as, import->module, import->module_bytes)) {
			continue;
		}
		for (uint32_t i = 0; rotor_module_export(r->unit->module, i, &export); i++) {
			if (export.name_bytes == import->name_bytes &&
			    memcmp(export.name, import->name, export.name_bytes) == 0) {
				*out = (struct rotor_extern){NULL, NULL, r->unit->instance, i};
				return true;
			}
		}
		return false;
	}
	return false;
}

static char *copy_name(const char *bytes, uint32_t count)
{
	char *copy = must(calloc(1, count + 1u));

	memcpy(copy, bytes, count);
	return copy;
}

/* Makes the list of what the unit's imports are found in. */
static void link_unit(const struct spec_world *world, struct spec_unit *unit)
{
	struct rotor_import import;
	uint32_t count = 0;

	while (rotor_module_import(unit->module, count, &import)) {
		count++;
	}
	unit->externs = must(calloc(count + 1u, sizeof(*unit->externs)));
	unit->imports = (struct rotor_imports){
		.tables = tables, .table_count = 1, .externs = unit->externs};
	for (uint32_t i = 0; i < count; i++) {
		struct rotor_extern *e = &unit->externs[unit->imports.extern_count];

		(void)rotor_module_import(unit->module, i, &import);
		if (find_extern(world, &import, e)) {
			e->module = copy_name(import.module, import.module_bytes);
			e->name = copy_name(import.name, import.name_bytes);
			unit->imports.extern_count++;
		}
	}
}

enum rotor_status spec_unit_run(struct spec_unit *unit)
{
	enum rotor_status status = ROTOR_FUEL;

	for (unsigned i = 0; i < SLICES_MAX && status == ROTOR_FUEL; i++) {
		status = rotor_run(unit->instance, SLICE_FUEL);
	}
	if (status == ROTOR_FUEL) {
		rotor_reset(unit->instance);
	}
	return status;
}

enum rotor_err spec_unit_instantiate(struct spec_world *world, struct spec_unit *unit,
				     enum rotor_status *status)
{
	struct rotor_limits limits = {.stack_bytes = STACK_BYTES,
				      .memory_bytes_max = MEMORY_BYTES_MAX,
				      .table_elems_max = TABLE_ELEMS_MAX,
				      .block_is_zero = true};
	enum rotor_err err;

	link_unit(world, unit);
	unit->instance_block_bytes = rotor_instance_bytes(unit->module, &limits);
	if (unit->instance_block_bytes == SIZE_MAX) {
		limits.memory_bytes_max = (uint64_t)1 << 32;
		unit->instance_block_bytes = rotor_instance_bytes(unit->module, &limits);
	}
	unit->instance_block = unit->instance_block_bytes != SIZE_MAX
				       ? block_reserve(unit->instance_block_bytes)
				       : NULL;
	if (unit->instance_block == NULL) {
		unit->instance_block_bytes = 0;
		return ROTOR_ERR_MEMORY;
	}
	err = rotor_instantiate(unit->instance_block, unit->instance_block_bytes, unit->module,
				&unit->imports, &limits, &unit->instance, &unit->diag);
	if (err == ROTOR_OK) {
		*status = spec_unit_run(unit);
	}
	return err;
}

/* ---- names ---- */

void spec_register(struct spec_world *world, const char *as, struct spec_unit *unit)
{
	struct spec_registered *r = must(calloc(1, sizeof(*r)));

	*r = (struct spec_registered){world->registered, must(strdup(as)), unit};
	world->registered = r;
}

struct spec_unit *spec_find_unit(const struct spec_world *world, const char *name)
{
	if (name == NULL) {
		return world->current;
	}
	for (struct spec_unit *unit = world->units; unit != NULL; unit = unit->next) {
		if (unit->name != NULL && strcmp(unit->name, name) == 0) {
			return unit;
		}
	}
	return NULL;
}

bool spec_find_export(const struct spec_unit *unit, struct spec_name name, enum rotor_kind kind,
		      uint32_t *idx)
{
	struct rotor_export export;

	for (uint32_t i = 0; rotor_module_export(unit->module, i, &export); i++) {
		if (export.kind == kind && export.name_bytes == name.count &&
		    memcmp(export.name, name.bytes, name.count) == 0) {
			*idx = export.idx;
			return true;
		}
	}
	return false;
}

/* ---- begin and end ---- */

bool spec_world_begin(struct spec_world *world, uint32_t piece_bytes)
{
	enum rotor_status status = ROTOR_TRAP;
	struct spec_unit *unit;

	*world = (struct spec_world){.piece_bytes = piece_bytes};
	unit = unit_new(world, NULL);
	unit->file = (struct mapped){spectest_wasm, sizeof(spectest_wasm)};
	if (load_unit(unit, 0) != ROTOR_OK ||
	    spec_unit_instantiate(world, unit, &status) != ROTOR_OK || status != ROTOR_DONE) {
		complain("the module spectest cannot be used: %s", unit->diag.text);
		return false;
	}
	spec_register(world, "spectest", unit);
	return true;
}

static void unit_free(struct spec_unit *unit)
{
	for (uint32_t i = 0; i < unit->imports.extern_count; i++) {
		free((char *)unit->externs[i].module);
		free((char *)unit->externs[i].name);
	}
	free(unit->externs);
	block_free(unit->instance_block, unit->instance_block_bytes);
	block_free(unit->module_block, unit->module_block_bytes);
	if (unit->file.bytes != spectest_wasm) {
		file_unmap(&unit->file);
	}
	free(unit->name);
	free(unit);
}

void spec_world_end(struct spec_world *world)
{
	while (world->registered != NULL) {
		struct spec_registered *r = world->registered;

		world->registered = r->next;
		free(r->as);
		free(r);
	}
	while (world->units != NULL) {
		struct spec_unit *unit = world->units;

		world->units = unit->next;
		unit_free(unit);
	}
}
