/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest program that embeds rotor: embed FILE FUNCTION */
#include <stdio.h>

#include "rotor/rotor.h"

static uint8_t wasm[64 << 10], pool[512 << 10] __attribute__((aligned(8)));

/* A function for modules: env.log (pointer, length). */
static enum rotor_host host_log(struct rotor_call *call)
{
	uint32_t bytes = rotor_arg_u32(call, 1);
	const char *text = rotor_memory_at(call->instance, rotor_arg_u32(call, 0), bytes);

	if (text == NULL) {
		rotor_set_trap(call->instance, ROTOR_TRAP_MEMORY, "log: bad pointer");
		return ROTOR_HOST_TRAP;
	}
	printf("%.*s\n", (int)bytes, text);
	return ROTOR_HOST_DONE;
}

static const struct rotor_host_func host[] = {{"env", "log", "ii)", host_log}, {0}};
static const struct rotor_host_func *const tables[] = {host};

int main(int argc, char **argv)
{
	const struct rotor_imports imports = {.tables = tables, .table_count = 1};
	const struct rotor_limits limits = {.stack_bytes = 16 << 10};
	struct rotor_diag diag = {.text = "usage: embed FILE FUNCTION"};
	FILE *file = argc == 3 ? fopen(argv[1], "rb") : NULL;
	size_t bytes = file != NULL ? fread(wasm, 1, sizeof(wasm), file) : 0, used;
	enum rotor_status status = ROTOR_FUEL;
	const struct rotor_module *module;
	struct rotor_instance *instance;
	struct rotor_value result;
	uint32_t func;

	/* The module lies at the beginning of the pool, the instance behind it. */
	if (file == NULL || rotor_load(pool, sizeof(pool), wasm, bytes, 0, &module, &diag) ||
	    (used = rotor_module_bytes(module),
	     rotor_instantiate(pool + used, sizeof(pool) - used, module, &imports, &limits,
			       &instance, &diag)) ||
	    !rotor_module_find(module, argv[2], ROTOR_FUNC, &func) ||
	    rotor_call(instance, func, NULL, 0, &diag)) {
		printf("error: %s\n", diag.text);
		return 1;
	}
	while (status == ROTOR_FUEL && rotor_fuel_used(instance) < 10000000) {
		status = rotor_run(instance,
				   10000); /* between the slices there is time for others */
	}
	if (status == ROTOR_DONE && rotor_results(instance, &result, 1) == 1) {
		printf("%d\n", result.i32);
	} else if (status != ROTOR_DONE) {
		printf("stopped: %s\n", rotor_trap_text(rotor_trap(instance)));
	}
	return status != ROTOR_DONE;
}
