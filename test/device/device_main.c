/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program for emulated boards; built for the host too, to compare.
 *
 *     device run FILE.wasm FUNC SLICE [ARG...]   calls FUNC with numbers, SLICE fuel at a time (0: all at once)
 *     device move FILE.wasm FUNC SLICE [ARG...]  the same, and after each slice the instance goes to another place
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

/* An instance, and where it can go. */
struct place {
	uint8_t *here, *other; /* other: NULL if it stays */
	size_t bytes;
	const struct rotor_module *module;
	struct rotor_instance *instance;
};

static const struct rotor_imports no_imports;

/* Copies the instance to its other place, ruins the old one, and goes on there. */
static bool move(struct place *p)
{
	uint8_t *old = p->here;

	memcpy(p->other, p->here, p->bytes);
	memset(old, 0xa5, p->bytes);
	p->here = p->other;
	p->other = old;
	return rotor_attach(p->here, p->bytes, p->module, &no_imports, &p->instance, NULL) ==
	       ROTOR_OK;
}

/* Runs to the end, slice by slice. */
static enum rotor_status run_slices(struct place *p, uint64_t slice)
{
	for (;;) {
		enum rotor_status status = rotor_run(p->instance, slice == 0 ? UINT64_MAX : slice);

		if (status != ROTOR_FUEL) {
			return status;
		}
		if (p->other != NULL && !move(p)) {
			printf("the moved instance was refused\n");
			return ROTOR_HOST;
		}
	}
}

/* Calls and runs to the end; prints. */
static int call(struct place *p, uint32_t func, uint64_t slice, int count, char **texts)
{
	struct rotor_functype type = rotor_module_functype(p->module, func);
	struct rotor_value args[ARGS_MAX];
	struct rotor_diag diag = {.text = ""};

	memset(args, 0, sizeof(args));
	for (int i = 0; i < BASE_MIN(count, ARGS_MAX); i++) {
		args[i].type = i < type.param_count ? (enum rotor_type)type.types[i] : ROTOR_I32;
		args[i].i64 = strtoll(texts[i], NULL, 10);
	}
	if (rotor_call(p->instance, func, args, (uint32_t)count, &diag) != ROTOR_OK) {
		return refuse("call", &diag);
	}
	uint64_t start = board_ticks();
	enum rotor_status status = run_slices(p, slice);
	uint64_t used = board_ticks() - start;
	if (status == ROTOR_DONE) {
		print_results(p->instance);
	} else {
		printf("trap: %s\n", rotor_trap_text(rotor_trap(p->instance)));
	}
	printf("fuel %llu\nticks %llu\n", (unsigned long long)rotor_fuel_used(p->instance),
	       (unsigned long long)used);
	return status == ROTOR_DONE ? 0 : 70;
}

/* A module, or a native image for this board. */
static enum rotor_err load_any(struct memory *m, const void *bytes, size_t count,
			       const struct rotor_module **out, struct rotor_diag *diag)
{
	const struct rotor_image_policy policy = {.target = rotor_image_target(),
						  .allow_unsigned = true};

	if (rotor_is_image(bytes, count)) {
		return rotor_load_image(m->at, m->bytes, bytes, count, &policy, out, diag);
	}
	return rotor_load(m->at, m->bytes, bytes, count, ROTOR_LOAD_BYTES_STAY, out, diag);
}

/* Loads the file into the beginning of m, the module after it; false when something was printed instead. */
static bool load(const char *file, struct memory *m, const struct rotor_module **out,
		 uint64_t *ticks)
{
	struct rotor_diag diag = {.text = "no room"};
	const uint8_t *wasm = m->at;
	long bytes = board_read(file, m->at, m->bytes);

	if (bytes < 0) {
		printf("%s: cannot be read, or is too long\n", file);
		return false;
	}
	shrink(m, (size_t)bytes);
	uint64_t start = board_ticks();
	if (load_any(m, wasm, (size_t)bytes, out, &diag) != ROTOR_OK) {
		refuse(file, &diag);
		return false;
	}
	*ticks = board_ticks() - start;
	shrink(m, rotor_module_bytes(*out));
	return true;
}

static int run(bool moves, int count, char **texts)
{
	const struct rotor_limits limits = {.stack_bytes = STACK_BYTES};
	struct rotor_diag diag = {.text = "no room"};
	struct rotor_module_info info;
	struct place p = {.other = NULL};
	struct memory m;
	uint64_t load_ticks;
	uint32_t func;

	m.at = board_memory(&m.bytes);
	if (!load(texts[0], &m, &p.module, &load_ticks)) {
		return 65;
	}
	p.here = m.at;
	p.bytes = rotor_instance_bytes(p.module, &limits);
	if (p.bytes > m.bytes / 2 || rotor_instantiate(p.here, p.bytes, p.module, &no_imports,
						       &limits, &p.instance, &diag) != ROTOR_OK) {
		return refuse(texts[0], &diag);
	}
	if (!rotor_module_find(p.module, texts[1], ROTOR_FUNC, &func)) {
		printf("%s: exports no function '%s'\n", texts[0], texts[1]);
		return 65;
	}
	p.other = moves ? m.at + base_align_up(p.bytes, 8) : NULL;
	int status = call(&p, func, strtoull(texts[2], NULL, 10), count - 3, texts + 3);
	rotor_module_info(p.module, &info);
	printf("load %llu\nmodule %lu\nform %lu\ncode %lu\ninstance %lu\nstack %lu\n",
	       (unsigned long long)load_ticks, (unsigned long)rotor_module_bytes(p.module),
	       (unsigned long)info.form_bytes, (unsigned long)info.code_bytes,
	       (unsigned long)p.bytes, (unsigned long)rotor_stack_peak(p.instance));
	return status;
}

int main(int argc, char **argv)
{
	char **texts;
	int count = board_arguments(argc, argv, &texts);

	if (count >= 4 && (strcmp(texts[0], "run") == 0 || strcmp(texts[0], "move") == 0)) {
		return run(texts[0][0] == 'm', count - 1, texts + 1);
	}
	if (count >= 2 && strcmp(texts[0], "spec") == 0) {
		return spec(count - 1, texts + 1);
	}
	printf("usage: device run|move FILE.wasm FUNC SLICE [ARG...] | device spec FILE.cmds...\n");
	return 64;
}
