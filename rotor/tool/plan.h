/* SPDX-License-Identifier: Apache-2.0 */
/* How much memory of which kind a program gets, and an instance in it. */
#ifndef ROTOR_TOOL_PLAN_H
#define ROTOR_TOOL_PLAN_H

#include "rotor/tool/image.h"
#include "rotor/tool/tool.h"

/* What the user asked for. */
struct plan_options {
	uint32_t stack_bytes, heap_bytes;
	uint64_t memory_bytes_max, pool_bytes;
	bool stack_given, heap_given, memory_given, pool_given;
	bool invoked; /* a function was named; main does not count */
	struct image_trust trust;
	uint32_t args_bytes; /* that main(argc, argv) would need */
};

struct plan {
	void *block; /* with a pool: for all; otherwise for the module */
	size_t block_bytes;
	void *instance_block;
	size_t instance_block_bytes; /* 0 with a pool */
	const struct rotor_module *module;
	struct rotor_limits limits;
	size_t instance_bytes;
	struct rotor_instance *instance;
};

/* The function that runs when the user names none: _start, else main, also as clang names one that
 * takes arguments. */
bool plan_find_main(const struct rotor_module *module, uint32_t *idx);

/* Is it called as main(argc, argv)? */
bool plan_main_has_args(const struct rotor_module *module, uint32_t idx);

/* Loads and instantiates. Returns EXIT_OK, or another exit status after complaining. */
int plan_make(struct plan *plan, const struct plan_options *options, const char *path,
	      const struct mapped *file, const struct rotor_imports *imports);

void plan_free(struct plan *plan);

#endif
