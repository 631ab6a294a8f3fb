/* SPDX-License-Identifier: Apache-2.0 */
/* rotor info: what a module is, imports, exports and needs. */
#include <inttypes.h>
#include <string.h>

#include "rotor/tool/tool.h"

static void print_memory(const struct rotor_module_info *info)
{
	if (!info->has_memory) {
		puts("memory:    none");
		return;
	}
	printf("memory:    %" PRIu64 " bytes", info->memory_bytes_min);
	if (info->memory_bytes_max == UINT64_MAX) {
		printf(", no maximum");
	} else {
		printf(", at most %" PRIu64, info->memory_bytes_max);
	}
	printf(", pages of %u%s%s\n", (unsigned)info->page_bytes,
	       info->memory_imported ? ", imported" : "",
	       info->memory_grows ? ", grows" : ", never grows");
	if (!info->memory_grows && !info->memory_imported) {
		printf("           %" PRIu64 " bytes used, as far as it says\n",
		       info->memory_bytes_used);
	}
}

static void print_imports(const struct rotor_module *module)
{
	struct rotor_import import;

	for (uint32_t i = 0; rotor_module_import(module, i, &import); i++) {
		printf("import %-6s ", kind_name(import.kind));
		print_foreign(stdout, import.module, import.module_bytes);
		putchar('.');
		print_foreign(stdout, import.name, import.name_bytes);
		if (import.kind == ROTOR_FUNC) {
			putchar(' ');
			functype_print(stdout, &import.type);
		}
		putchar('\n');
	}
}

static void print_exports(const struct rotor_module *module)
{
	struct rotor_export export;

	for (uint32_t i = 0; rotor_module_export(module, i, &export); i++) {
		printf("export %-6s ", kind_name(export.kind));
		print_foreign(stdout, export.name, export.name_bytes);
		if (export.kind == ROTOR_FUNC) {
			struct rotor_functype type = rotor_module_functype(module, export.idx);

			putchar(' ');
			functype_print(stdout, &type);
		}
		putchar('\n');
	}
}

static void print_needs(const struct rotor_module *module, const struct rotor_module_info *info)
{
	struct rotor_limits limits = {.stack_bytes = 16384};
	size_t bytes;

	if (rotor_import_wants_heap(module)) {
		limits.heap_bytes = 16384;
	}
	limits.memory_used_only = !info->memory_grows && !info->memory_imported;
	bytes = rotor_instance_bytes(module, &limits);
	if (bytes == SIZE_MAX) {
		puts("instance:  cannot be");
		return;
	}
	printf("instance:  %zu bytes with a stack of 16384%s\n", bytes,
	       limits.heap_bytes != 0 ? " and a heap of 16384" : "");
	printf("pool:      %zu bytes for module and instance\n",
	       bytes + rotor_module_bytes(module));
}

static int info_file(const char *path)
{
	struct mapped file;
	struct rotor_module_info info;
	const struct rotor_module *module = module_open(path, &file);

	if (module == NULL) {
		return EXIT_INVALID;
	}
	rotor_module_info(module, &info);
	printf("module:    %u bytes, %u of them code\n", (unsigned)info.wasm_bytes,
	       (unsigned)info.code_bytes);
	printf("form:      %u bytes; %zu with all else of the module\n", (unsigned)info.form_bytes,
	       rotor_module_bytes(module));
	printf("functions: %u, tables %u, globals %u%s\n", (unsigned)info.func_count,
	       (unsigned)info.table_count, (unsigned)info.global_count,
	       info.has_start ? ", with a start function" : "");
	print_memory(&info);
	print_needs(module, &info);
	print_imports(module);
	print_exports(module);
	return EXIT_OK;
}

int command_info(int argc, char **argv)
{
	struct options o = {.argc = argc, .at = 1, .argv = argv};

	while (option_left(&o)) {
		if (option_is(&o, "--help", false) || option_is(&o, "-h", false)) {
			puts("Usage: rotor info FILE\n\n"
			     "Prints what the module is, the memory it needs, the size of its "
			     "translated form,\nits imports and exports.");
			return EXIT_OK;
		}
		option_unknown(&o, "info");
	}
	if (argc - o.at != 1) {
		complain("rotor info takes one FILE");
		return EXIT_USAGE;
	}
	return info_file(argv[o.at]);
}
