/* SPDX-License-Identifier: Apache-2.0 */
/* All that embedding takes: embed FILE FUNCTION. env.log(pointer, length) is there for modules. */
#include <stdio.h>
#include "rotor/rotor.h"

static uint8_t wasm[1 << 16], pools[2][1 << 18] __attribute__((aligned(8)));

static enum rotor_host host_log(struct rotor_call *call)
{
	uint32_t bytes = rotor_arg_u32(call, 1);
	const char *text = rotor_arg_memory(call, 0, bytes);

	return text == NULL || printf("%.*s\n", (int)bytes, text) < 0 ? ROTOR_HOST_TRAP
								      : ROTOR_HOST_DONE;
}

int main(int argc, char **argv)
{
	static const struct rotor_host_func host[] = {{"env", "log", "ii)", host_log}, {0}};
	static const struct rotor_host_func *const tables[] = {host};
	const struct rotor_imports imports = {.tables = tables, .table_count = 1};
	const struct rotor_limits limits = {.stack_bytes = 16 << 10};
	struct rotor_diag diag = {.text = "usage: embed FILE FUNCTION"};
	FILE *file = argc == 3 ? fopen(argv[1], "rb") : NULL;
	size_t bytes = file != NULL ? fread(wasm, 1, sizeof(wasm), file) : 0, size = sizeof(*pools);
	const struct rotor_module *module;
	struct rotor_instance *in;
	struct rotor_value result = {0};

	if (file == NULL || rotor_load(pools[0], size, wasm, bytes, 0, &module, &diag) ||
	    rotor_instantiate(pools[1], size, module, &imports, &limits, &in, &diag) ||
	    rotor_call_name(in, argv[2], NULL, 0, &diag)) {
		return (printf("error: %s\n", diag.text), 1);
	}
	if (rotor_run(in, 10000000) != ROTOR_DONE) { /* or in slices, with time for others */
		return (printf("stopped: %s\n", rotor_trap_text(rotor_trap(in))), 1);
	}
	return rotor_results(in, &result, 1) == 1 && printf("%d\n", result.i32) < 0;
}
