/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much memory of which kind a program gets.
 *
 * Rules: 1. What the user asked for is given, or refused: it is not made smaller.
 *        2. Without a pool address space is reserved as far as the module may grow.
 *        3. In a pool that is too small for the defaults, a memory that never grows is backed as
 *           far as the module says that it uses it, then the heap and the stack are halved.
 *        4. In a pool what remains belongs to a memory that grows.
 */
#include "rotor/tool/plan.h"

#include <inttypes.h>
#include <string.h>

#include "base/base.h"

enum {
	STACK_BYTES = 1 << 20,
	HEAP_BYTES = 64 << 10,
	POOL_STACK_BYTES = 16 << 10,
	POOL_HEAP_BYTES = 16 << 10,
	STACK_BYTES_MIN = 1 << 10,
	TABLE_ELEMS_MAX = 1 << 20
};

static uint32_t round8(uint64_t bytes)
{
	return (uint32_t)base_align_up((size_t)bytes, 8);
}

bool plan_find_main(const struct rotor_module *module, uint32_t *idx)
{
	return rotor_module_find(module, "_start", ROTOR_FUNC, idx) ||
	       rotor_module_find(module, "main", ROTOR_FUNC, idx) ||
	       rotor_module_find(module, "__main_argc_argv", ROTOR_FUNC, idx);
}

bool plan_main_has_args(const struct rotor_module *module, uint32_t idx)
{
	struct rotor_functype type = rotor_module_functype(module, idx);

	return type.param_count == 2 && type.types[0] == ROTOR_I32 && type.types[1] == ROTOR_I32;
}

/* The heap that a module gets when the user does not say. */
static uint32_t default_heap(const struct plan *plan, const struct plan_options *o)
{
	uint32_t idx;

	if (rotor_import_wants_heap(plan->module)) {
		return o->pool_given ? POOL_HEAP_BYTES : HEAP_BYTES;
	}
	return !o->invoked && plan_find_main(plan->module, &idx) &&
			       plan_main_has_args(plan->module, idx)
		       ? round8(o->args_bytes + 512)
		       : 0;
}

/* The limits before the pool has its say. */
static void first_limits(struct plan *plan, const struct plan_options *o)
{
	struct rotor_limits *l = &plan->limits;
	struct rotor_module_info info;

	rotor_module_info(plan->module, &info);
	*l = (struct rotor_limits){.block_is_zero = true};
	l->stack_bytes = o->stack_given  ? o->stack_bytes
			 : o->pool_given ? POOL_STACK_BYTES
					 : STACK_BYTES;
	l->heap_bytes = o->heap_given ? o->heap_bytes : default_heap(plan, o);
	if (o->memory_given) {
		l->memory_bytes_max = o->memory_bytes_max;
	} else if (!o->pool_given) {
		l->memory_bytes_max = BASE_MIN(info.memory_bytes_max, (uint64_t)1 << 32);
	}
	if (!o->pool_given) {
		l->table_elems_max = TABLE_ELEMS_MAX;
	}
}

static size_t bytes_needed(const struct plan *plan)
{
	return rotor_instance_bytes(plan->module, &plan->limits);
}

/* Gives a memory that grows what is left of the pool, in pages. */
static void grow_into(struct plan *plan, size_t room)
{
	struct rotor_module_info info;
	uint64_t low, high;

	rotor_module_info(plan->module, &info);
	low = info.memory_bytes_min / info.page_bytes;
	high = BASE_MIN(info.memory_bytes_max, (uint64_t)room) / info.page_bytes;
	while (low < high) {
		uint64_t middle = (low + high + 1) / 2;

		plan->limits.memory_bytes_max = middle * info.page_bytes;
		if (bytes_needed(plan) <= room) {
			low = middle;
		} else {
			high = middle - 1;
		}
	}
	plan->limits.memory_bytes_max = low * info.page_bytes;
	if (bytes_needed(plan) > room) {
		plan->limits.memory_bytes_max = 0;
	}
}

/* Makes the limits fit into room bytes; false: they cannot. */
static bool fit_pool(struct plan *plan, const struct plan_options *o, size_t room)
{
	struct rotor_module_info info;
	struct rotor_limits *l = &plan->limits;

	rotor_module_info(plan->module, &info);
	if (bytes_needed(plan) > room && !info.memory_imported) {
		l->memory_used_only = true;
	}
	while (!o->heap_given && bytes_needed(plan) > room && l->heap_bytes > 512) {
		l->heap_bytes = round8(l->heap_bytes / 2);
	}
	while (!o->stack_given && bytes_needed(plan) > room && l->stack_bytes > STACK_BYTES_MIN) {
		l->stack_bytes /= 2;
	}
	if (!o->memory_given && info.memory_grows && bytes_needed(plan) <= room) {
		grow_into(plan, room);
	}
	return bytes_needed(plan) <= room;
}

/* Reserves address space for the instance, less if there is not so much. */
static bool reserve_instance(struct plan *plan, const struct plan_options *o)
{
	for (;;) {
		size_t bytes = bytes_needed(plan);

		plan->instance_block = bytes != SIZE_MAX ? block_reserve(bytes) : NULL;
		if (plan->instance_block != NULL) {
			plan->instance_block_bytes = plan->instance_bytes = bytes;
			return true;
		}
		if (o->memory_given || plan->limits.memory_bytes_max < (64 << 10)) {
			complain("no memory for the instance%s",
				 o->memory_given
					 ? "; its own memory may need more than --memory-max"
					 : "");
			return false;
		}
		plan->limits.memory_bytes_max /= 2;
	}
}

static int load(struct plan *plan, const struct plan_options *o, const char *path,
		const struct mapped *file)
{
	struct rotor_diag diag;
	enum rotor_err err;

	plan->block_bytes = o->pool_given ? (size_t)o->pool_bytes & ~(size_t)7
					  : ((size_t)64 << 20) + 64 * file->count;
	plan->block = plan->block_bytes != 0 ? block_reserve(plan->block_bytes) : NULL;
	if (plan->block == NULL) {
		complain("no memory for a pool of %" PRIu64 " bytes",
			 o->pool_given ? o->pool_bytes : (uint64_t)plan->block_bytes);
		return EXIT_LIMIT;
	}
	err = module_load(plan->block, plan->block_bytes, file, &o->trust, &plan->module, &diag);
	if (err == ROTOR_OK) {
		return EXIT_OK;
	}
	complain("%s: %s (byte 0x%x)", path, diag.text, (unsigned)diag.offset);
	return err == ROTOR_ERR_MEMORY ? EXIT_LIMIT : EXIT_INVALID;
}

static int place(struct plan *plan, const struct plan_options *o, const char *path)
{
	size_t module_bytes = rotor_module_bytes(plan->module);

	first_limits(plan, o);
	if (!o->pool_given) {
		return reserve_instance(plan, o) ? EXIT_OK : EXIT_LIMIT;
	}
	/* The loader's leftovers. */
	memset((uint8_t *)plan->block + module_bytes, 0, plan->block_bytes - module_bytes);
	if (!fit_pool(plan, o, plan->block_bytes - module_bytes)) {
		size_t needed = bytes_needed(plan);

		complain("%s needs a pool of %zu bytes, it has %" PRIu64, path,
			 needed != SIZE_MAX ? module_bytes + needed : SIZE_MAX, o->pool_bytes);
		return EXIT_LIMIT;
	}
	plan->instance_block = (uint8_t *)plan->block + module_bytes;
	plan->instance_bytes = bytes_needed(plan);
	return EXIT_OK;
}

int plan_make(struct plan *plan, const struct plan_options *options, const char *path,
	      const struct mapped *file, const struct rotor_imports *imports)
{
	struct rotor_diag diag;
	enum rotor_err err;

	*plan = (struct plan){0};
	TRY(load(plan, options, path, file));
	TRY(place(plan, options, path));
	err = rotor_instantiate(plan->instance_block, plan->instance_bytes, plan->module, imports,
				&plan->limits, &plan->instance, &diag);
	if (err == ROTOR_OK) {
		return EXIT_OK;
	}
	complain("%s: %s%s", path, diag.text,
		 strncmp(diag.text, "unknown import: ", 16) == 0
			 ? "; here are WASI and the functions of libc.h, those of proplet.h only "
			   "in a "
			   "worker"
			 : "");
	return err == ROTOR_ERR_MEMORY || err == ROTOR_ERR_LIMIT ? EXIT_LIMIT : EXIT_INVALID;
}

void plan_free(struct plan *plan)
{
	if (plan->instance_block_bytes != 0) {
		block_free(plan->instance_block, plan->instance_block_bytes);
	}
	block_free(plan->block, plan->block_bytes);
	*plan = (struct plan){0};
}
