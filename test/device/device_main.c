/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program for emulated boards; built for the host too, to compare.
 *
 *     device run FILE.wasm FUNC SLICE [ARG...]   calls FUNC with numbers, SLICE fuel at a time (0: all at once)
 *     device spec FILE.cmds...                   runs the specification's tests (convert makes the lists)
 *
 * run prints "result R", "fuel F", "ticks T" of the call, and what it takes of memory. Numbers are decimal; floats are
 * given and printed as their bits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "board.h"
#include "rotor/rotor.h"
#include "spec.h"

#define ARGS_MAX    8
#define STACK_BYTES 65536

struct memory {
	uint8_t *at;
	size_t bytes;
};

static void shrink(struct memory *m, size_t bytes)
{
	bytes = base_align_up(bytes, 8);
	m->at += bytes;
	m->bytes -= bytes;
}

static int spec(int count, char **files)
{
	struct spec_counts sum = {0, 0, 0, 0};

	for (int i = 0; i < count; i++) {
		struct memory m;
		struct spec_counts c = {0, 0, 0, 0};

		m.at = board_memory(&m.bytes);
		const uint8_t *list = m.at;
		long bytes = board_read(files[i], m.at, m.bytes);

		if (bytes < 0) {
			printf("%s: cannot be read, or is too long\n", files[i]);
			sum.failed++;
			continue;
		}
		shrink(&m, (size_t)bytes);
		if (spec_run(files[i], list, (size_t)bytes, m.at, m.bytes, &c) != 0) {
			printf("%s: not a command list\n", files[i]);
			c.failed++;
		}
		printf("%s: %d passed, %d failed, %d left out, fuel %llu\n", files[i], c.passed,
		       c.failed, c.left_out, (unsigned long long)c.fuel);
		sum.passed += c.passed;
		sum.failed += c.failed;
	}
	printf("%d passed, %d failed\n", sum.passed, sum.failed);
	return sum.failed != 0;
}

static int refuse(const char *what, const struct rotor_diag *diag)
{
	printf("%s: %s\n", what, diag->text);
	return 65;
}

static void print_results(struct rotor_instance *instance)
{
	struct rotor_value results[ARGS_MAX];
	uint32_t count = rotor_results(instance, results, ARGS_MAX);

	for (uint32_t i = 0; i < count; i++) {
		bool wide = results[i].type == ROTOR_I64 || results[i].type == ROTOR_F64;

		printf("result %lld\n",
		       wide ? (long long)results[i].i64 : (long long)results[i].i32);
	}
}

/* Calls and runs to the end; prints. */
static int call(struct rotor_instance *instance, uint32_t func, uint64_t slice, int count,
		char **texts)
{
	struct rotor_functype type = rotor_module_functype(rotor_instance_module(instance), func);
	struct rotor_value args[ARGS_MAX];
	struct rotor_diag diag = {.text = ""};
	enum rotor_status status;

	memset(args, 0, sizeof(args));
	for (int i = 0; i < BASE_MIN(count, ARGS_MAX); i++) {
		args[i].type = i < type.param_count ? (enum rotor_type)type.types[i] : ROTOR_I32;
		args[i].i64 = strtoll(texts[i], NULL, 10);
	}
	if (rotor_call(instance, func, args, (uint32_t)count, &diag) != ROTOR_OK) {
		return refuse("call", &diag);
	}
	uint64_t start = board_ticks();
	do {
		status = rotor_run(instance, slice == 0 ? UINT64_MAX : slice);
	} while (status == ROTOR_FUEL);
	uint64_t used = board_ticks() - start;
	if (status != ROTOR_DONE) {
		printf("trap: %s\n", rotor_trap_text(rotor_trap(instance)));
	} else {
		print_results(instance);
	}
	printf("fuel %llu\nticks %llu\n", (unsigned long long)rotor_fuel_used(instance),
	       (unsigned long long)used);
	return status == ROTOR_DONE ? 0 : 70;
}

static int run(int count, char **texts)
{
	static const struct rotor_imports no_imports;
	const struct rotor_limits limits = {.stack_bytes = STACK_BYTES};
	struct rotor_diag diag = {.text = "no room"};
	struct rotor_module_info info;
	struct rotor_instance *instance;
	const struct rotor_module *module;
	struct memory m;
	uint32_t func;

	m.at = board_memory(&m.bytes);
	const uint8_t *wasm = m.at;
	long bytes = board_read(texts[0], m.at, m.bytes);
	if (bytes < 0) {
		printf("%s: cannot be read, or is too long\n", texts[0]);
		return 65;
	}
	shrink(&m, (size_t)bytes);
	uint64_t start = board_ticks();
	if (rotor_load(m.at, m.bytes, wasm, (size_t)bytes, ROTOR_LOAD_BYTES_STAY, &module, &diag) !=
	    ROTOR_OK) {
		return refuse(texts[0], &diag);
	}
	uint64_t load = board_ticks() - start;
	shrink(&m, rotor_module_bytes(module));
	size_t need = rotor_instance_bytes(module, &limits);
	if (need > m.bytes || rotor_instantiate(m.at, need, module, &no_imports, &limits, &instance,
						&diag) != ROTOR_OK) {
		return refuse(texts[0], &diag);
	}
	if (!rotor_module_find(module, texts[1], ROTOR_FUNC, &func)) {
		printf("%s: exports no function '%s'\n", texts[0], texts[1]);
		return 65;
	}
	int status = call(instance, func, strtoull(texts[2], NULL, 10), count - 3, texts + 3);
	rotor_module_info(module, &info);
	printf("load %llu\nmodule %lu\nform %lu\ncode %lu\ninstance %lu\nstack %lu\n",
	       (unsigned long long)load, (unsigned long)rotor_module_bytes(module),
	       (unsigned long)info.form_bytes, (unsigned long)info.code_bytes, (unsigned long)need,
	       (unsigned long)rotor_stack_peak(instance));
	return status;
}

int main(int argc, char **argv)
{
	char **texts;
	int count = board_arguments(argc, argv, &texts);

	if (count >= 4 && strcmp(texts[0], "run") == 0) {
		return run(count - 1, texts + 1);
	}
	if (count >= 2 && strcmp(texts[0], "spec") == 0) {
		return spec(count - 1, texts + 1);
	}
	printf("usage: device run FILE.wasm FUNC SLICE [ARG...] | device spec FILE.cmds...\n");
	return 64;
}
