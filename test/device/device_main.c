/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program for emulated boards; built for the host too, to compare.
 *
 *     device run FILE.wasm FUNC SLICE [ARG...]   calls FUNC with numbers, SLICE fuel at a time (0: all at once)
 *     device move FILE.wasm FUNC SLICE [ARG...]  the same, and after each slice the instance goes to another place
 *     device spec FILE.cmds...                   runs the specification's tests (convert makes the lists)
 *     device stop FILE FUNC FUEL                 calls FUNC with so much fuel; prints why it ended, and where
 *     device place FILE.raot FUNC SLICE [ARG...]       the same as run, with the image in memory that cannot be written
 *     device scribble FILE.raot                  writes to such memory, which must end the program
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
#define FRAMES_MAX  4
#define STACK_BYTES 65536
#define PLACE_BYTES (1u << 20) /* of memory that holds an image and cannot be written */
#define PAGE_BYTES  4096u

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

/* Loads an image into memory that cannot be written from then on. */
static bool load_in_place(const char *file, struct memory *m, const struct rotor_module **out,
			  uint64_t *ticks)
{
	struct rotor_diag diag = {.text = "no room"};
	size_t bytes = 64;
	long size;

	m->bytes -= (size_t)((uint8_t *)base_align_up((uintptr_t)m->at, PLACE_BYTES) - m->at);
	m->at = (uint8_t *)base_align_up((uintptr_t)m->at, PLACE_BYTES);
	size = board_read(file, m->at, PLACE_BYTES);
	while (size > 0 && bytes < (size_t)size) {
		bytes *= 2;
	}
	if (size < 0 || board_protect(m->at, base_align_up(bytes, PAGE_BYTES)) != 0) {
		printf("%s: cannot be read, is too long, or cannot be protected\n", file);
		return false;
	}
	const uint8_t *image = m->at;

	shrink(m, PLACE_BYTES);
	*ticks = 0;
	if (load_any(m, image, (size_t)size, out, &diag) != ROTOR_OK) {
		refuse(file, &diag);
		return false;
	}
	shrink(m, rotor_module_bytes(*out));
	printf("image %ld\n", size);
	return true;
}

static int scribble(const char *file)
{
	const struct rotor_module *module;
	struct memory m;
	uint64_t ticks;

	m.at = board_memory(&m.bytes);
	volatile uint8_t *at = (uint8_t *)base_align_up((uintptr_t)m.at, PLACE_BYTES);

	if (load_in_place(file, &m, &module, &ticks)) {
		*at = 1;
		printf("written\n");
	}
	return 0;
}

static int run(bool moves, bool in_place, int count, char **texts)
{
	const struct rotor_limits limits = {.stack_bytes = STACK_BYTES};
	struct rotor_diag diag = {.text = "no room"};
	struct rotor_module_info info;
	struct place p = {.other = NULL};
	struct memory m;
	uint64_t load_ticks;
	uint32_t func;

	m.at = board_memory(&m.bytes);
	if (!(in_place ? load_in_place : load)(texts[0], &m, &p.module, &load_ticks)) {
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

static void print_frames(struct rotor_instance *instance)
{
	struct rotor_frame frame;

	for (uint32_t i = 0; i < FRAMES_MAX && rotor_frame(instance, i, &frame); i++) {
		printf("  at %.*s, byte 0x%lx\n", (int)(frame.name ? frame.name_bytes : 1),
		       frame.name ? frame.name : "?", (unsigned long)frame.offset);
	}
}

/* Calls texts[1] with texts[2] units of fuel; says why it ended, and where. Then the instance still serves a call. */
static int stop(char **texts)
{
	const struct rotor_limits limits = {.stack_bytes = STACK_BYTES};
	const struct rotor_module *module;
	struct rotor_instance *instance;
	struct rotor_diag diag = {.text = "no room"};
	struct memory m;
	uint64_t ticks;
	uint32_t func;

	m.at = board_memory(&m.bytes);
	if (!load(texts[0], &m, &module, &ticks)) {
		return 65;
	}
	if (!rotor_module_find(module, texts[1], ROTOR_FUNC, &func) ||
	    rotor_instantiate(m.at, m.bytes, module, &no_imports, &limits, &instance, &diag) !=
		    ROTOR_OK ||
	    rotor_call(instance, func, NULL, 0, &diag) != ROTOR_OK) {
		return refuse(texts[0], &diag);
	}
	switch (rotor_run(instance, strtoull(texts[2], NULL, 10))) {
	case ROTOR_FUEL:
		printf("fuel used up: %llu\n", (unsigned long long)rotor_fuel_used(instance));
		break;
	case ROTOR_TRAP:
		printf("trap: %s\n", rotor_trap_text(rotor_trap(instance)));
		break;
	default:
		printf("it ended\n");
		break;
	}
	print_frames(instance);
	rotor_reset(instance);
	if (!rotor_module_find(module, "well", ROTOR_FUNC, &func) ||
	    rotor_call(instance, func, NULL, 0, &diag) != ROTOR_OK ||
	    rotor_run(instance, 1000) != ROTOR_DONE) {
		printf("afterwards it does not run\n");
		return 70;
	}
	print_results(instance);
	return 0;
}

int main(int argc, char **argv)
{
	char **texts;
	int count = board_arguments(argc, argv, &texts);

	if (count >= 4 && (strcmp(texts[0], "run") == 0 || strcmp(texts[0], "move") == 0)) {
		return run(texts[0][0] == 'm', false, count - 1, texts + 1);
	}
	if (count >= 4 && strcmp(texts[0], "place") == 0) {
		return run(false, true, count - 1, texts + 1);
	}
	if (count == 2 && strcmp(texts[0], "scribble") == 0) {
		return scribble(texts[1]);
	}
	if (count == 4 && strcmp(texts[0], "stop") == 0) {
		return stop(texts + 1);
	}
	if (count >= 2 && strcmp(texts[0], "spec") == 0) {
		return spec(count - 1, texts + 1);
	}
	printf("usage: device run|move|place FILE FUNC SLICE [ARG...] | spec FILE.cmds... | stop "
	       "FILE FUNC FUEL\n");
	return 64;
}
