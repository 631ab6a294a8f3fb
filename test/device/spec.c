/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a file of the specification's tests from a command list (made by convert), inside one block of memory.
 *
 * In:     the list; a block.
 * Out:    counts; a line for each failure; the fuel that all calls used, which is the same on every machine.
 * Owns:   nothing beyond the block. From its beginning: the modules and instances that later ones may refer to
 *         (named, registered or with imports), then the module at hand.
 * Rules:  1. A module for which the block has no room, or that is empty, is left out, with all commands on it.
 *         2. Every call runs in slices of SLICE fuel, so that each test is also one of stopping and going on.
 *         3. Every module is also loaded in small pieces, which must give the same error, or a module as long.
 * Bounds: FUEL_MAX for one call.
 *         4. A native image runs as the module it was made from.
 * Not:    modules in the text format.
 */
#include "spec.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "rotor/rotor.h"

#define SLICE          777
#define FUEL_MAX       2000000000u
#define STACK_BYTES    98304 /* of a module that nothing later refers to */
#define STACK_KEPT     24576 /* of others, of which there may be many */
#define TABLE_ELEMS    20000
#define INSTANCES_MAX  128
#define EXTERNS_MAX    1024
#define VALUES_MAX     32
#define MEMORY_RESERVE (1u << 20)

enum kind {
	MODULE = 1,
	REGISTER,
	ACTION,
	ASSERT_RETURN,
	ASSERT_TRAP,
	ASSERT_EXHAUSTION,
	ASSERT_MALFORMED,
	ASSERT_INVALID,
	ASSERT_UNLINKABLE,
	ASSERT_UNINSTANTIABLE,
	ACCEPTED, /* loads */
	REFUSED,  /* is malformed or invalid */
};

enum form {
	EXACT,
	NAN_CANONICAL,
	NAN_ARITHMETIC,
	ANY_REF,
};

struct text {
	const char *at;
	uint32_t bytes;
};

struct value {
	enum form form;
	struct rotor_value value;
};

struct action {
	bool get;
	struct text module, field;
	uint32_t count;
	struct value args[VALUES_MAX];
};

struct named {
	struct text name;
	struct rotor_instance *instance; /* NULL: left out */
};

struct spec {
	const char *file;
	const uint8_t *at, *end; /* of the list */
	uint8_t *keep;           /* what lies below stays */
	uint8_t *top;            /* what lies between keep and top is the module at hand */
	uint8_t *block_end;
	uint32_t line;
	struct rotor_instance *current; /* NULL: left out */
	bool current_stays;
	struct named names[INSTANCES_MAX];
	uint32_t name_count;
	struct rotor_extern externs[EXTERNS_MAX];
	struct rotor_imports imports;
	struct spec_counts counts;
};

/* ---- reading the list */

static uint32_t take(struct spec *s, uint32_t bytes)
{
	uint32_t v = 0;

	if ((size_t)(s->end - s->at) < bytes) {
		s->at = s->end;
		return 0;
	}
	for (uint32_t i = 0; i < bytes; i++) {
		v |= (uint32_t)*s->at++ << 8 * i;
	}
	return v;
}

static struct text take_bytes(struct spec *s, uint32_t bytes)
{
	struct text t = {(const char *)s->at, BASE_MIN(bytes, (uint32_t)(s->end - s->at))};

	s->at += t.bytes;
	return t;
}

static struct text take_text(struct spec *s)
{
	return take_bytes(s, take(s, 2));
}

static struct value take_value(struct spec *s)
{
	struct value v;

	memset(&v, 0, sizeof(v));
	v.value.type = (enum rotor_type)take(s, 1);
	v.form = (enum form)take(s, 1);
	v.value.u64 = take(s, 4);
	v.value.u64 |= (uint64_t)take(s, 4) << 32;
	return v;
}

static uint32_t take_values(struct spec *s, struct value *out)
{
	uint32_t count = take(s, 1);

	for (uint32_t i = 0; i < count; i++) {
		struct value v = take_value(s);

		if (i < VALUES_MAX) {
			out[i] = v;
		}
	}
	return BASE_MIN(count, VALUES_MAX);
}

static void take_action(struct spec *s, struct action *out)
{
	out->get = take(s, 1) == 1;
	out->module = take_text(s);
	out->field = take_text(s);
	out->count = take_values(s, out->args);
}

/* ---- verdicts */

static void pass(struct spec *s)
{
	s->counts.passed++;
}

__attribute__((format(printf, 2, 3))) static void fail(struct spec *s, const char *format, ...)
{
	va_list args;

	s->counts.failed++;
	printf("%s:%lu: ", s->file, (unsigned long)s->line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

static void verdict(struct spec *s, bool good, const char *what, const char *detail)
{
	if (good) {
		pass(s);
	} else {
		fail(s, "%s: %s", what, detail);
	}
}

static bool same_text(struct text a, const char *b, uint32_t b_bytes)
{
	return a.bytes == b_bytes && memcmp(a.at, b, b_bytes) == 0;
}

/* ---- modules */

/* Goes on until the instance has something to say; adds the fuel used. */
static enum rotor_status run(struct spec *s, struct rotor_instance *instance)
{
	uint64_t before = rotor_fuel_used(instance);
	enum rotor_status status;

	do {
		status = rotor_run(instance, SLICE);
	} while (status == ROTOR_FUEL && rotor_fuel_used(instance) - before < FUEL_MAX);
	s->counts.fuel += rotor_fuel_used(instance) - before;
	return status;
}

/* Memory up to a declared maximum, if the block has it to spare; limits down to what must be. */
static bool choose_limits(const struct spec *s, const struct rotor_module *module, size_t room,
			  struct rotor_limits *limits)
{
	struct rotor_module_info info;
	uint64_t spare = s->current_stays ? MEMORY_RESERVE : room / 8 * 5;

	rotor_module_info(module, &info);
	*limits = (struct rotor_limits){.stack_bytes = s->current_stays ? STACK_KEPT : STACK_BYTES};
	if (info.has_memory && !info.memory_imported) {
		limits->memory_bytes_max =
			BASE_MIN(info.memory_bytes_max, info.memory_bytes_min + spare);
	}
	limits->table_elems_max = info.table_count != 0 ? TABLE_ELEMS : 0;
	if (rotor_instance_bytes(module, limits) <= room) {
		return true;
	}
	limits->table_elems_max = 0;
	if (rotor_instance_bytes(module, limits) <= room) {
		return true;
	}
	limits->memory_bytes_max = 0;
	return rotor_instance_bytes(module, limits) <= room;
}

static void forget_current(struct spec *s)
{
	if (s->current_stays) {
		s->keep = s->top;
	}
	s->current = NULL;
	s->current_stays = false;
	s->top = s->keep;
}

static enum rotor_err load_pieces(struct text wasm, void *block, size_t block_bytes,
				  uint32_t piece_bytes, const struct rotor_module **out,
				  struct rotor_diag *diag)
{
	struct rotor_loader *loader;
	enum rotor_err err = ROTOR_OK;

	TRY(rotor_load_begin(block, block_bytes, &loader));
	for (uint32_t at = 0; at < wasm.bytes && err == ROTOR_OK; at += piece_bytes) {
		err = rotor_load_feed(loader, wasm.at + at, BASE_MIN(piece_bytes, wasm.bytes - at));
	}
	if (err == ROTOR_OK) {
		err = rotor_load_end(loader, out);
	}
	if (err != ROTOR_OK) {
		*diag = *rotor_load_diag(loader);
	}
	return err;
}

/* A native image, copied to where it can stay: to the place given, the module behind it. */
static enum rotor_err load_image(struct spec *s, struct text image, uint8_t *at, uint8_t **end,
				 const struct rotor_module **out, struct rotor_diag *diag)
{
	const struct rotor_image_policy policy = {.target = rotor_image_target(),
						  .allow_unsigned = true};
	uint8_t *copy = (uint8_t *)base_align_up((uintptr_t)at, 64);
	uint8_t *block = copy + base_align_up(image.bytes, 8);

	if (block > s->block_end) {
		return ROTOR_ERR_MEMORY;
	}
	memcpy(copy, image.at, image.bytes);
	TRY(rotor_load_image(block, (size_t)(s->block_end - block), copy, image.bytes, &policy, out,
			     diag));
	*end = block + rotor_module_bytes(*out);
	return ROTOR_OK;
}

/* Loads at the place given, after a try in pieces in the same place, whose outcome must agree. */
static enum rotor_err load(struct spec *s, struct text wasm, uint8_t *at,
			   const struct rotor_module **out, struct rotor_diag *diag)
{
	static const uint16_t piece_bytes[] = {1, 2, 3, 7, 64, 100, 512};
	struct rotor_diag pieces_diag = {.text = ""};
	const struct rotor_module *module;
	size_t room = (size_t)(s->block_end - at), pieces_bytes = 0;
	uint32_t piece = piece_bytes[s->line % BASE_COUNT(piece_bytes)];
	enum rotor_err pieces = load_pieces(wasm, at, room, piece, &module, &pieces_diag);

	if (pieces == ROTOR_OK) {
		pieces_bytes = rotor_module_bytes(module);
	}
	enum rotor_err err = rotor_load(at, room, wasm.at, wasm.bytes, 0, out, diag);
	if (err != pieces || (err != ROTOR_OK && strcmp(diag->text, pieces_diag.text) != 0)) {
		fail(s, "whole: error %d at %lu (%s); in pieces of %lu: error %d at %lu (%s)",
		     (int)err, (unsigned long)diag->offset, diag->text, (unsigned long)piece,
		     (int)pieces, (unsigned long)pieces_diag.offset, pieces_diag.text);
	} else if (err == ROTOR_OK && rotor_module_bytes(*out) != pieces_bytes) {
		fail(s, "the module takes %lu bytes, loaded in pieces of %lu %lu",
		     (unsigned long)rotor_module_bytes(*out), (unsigned long)piece,
		     (unsigned long)pieces_bytes);
	}
	return err;
}

/* Loads and instantiates; what is made lies between keep and top. LIMIT stands for no room. */
static enum rotor_err make(struct spec *s, struct text wasm, struct rotor_diag *diag)
{
	const struct rotor_module *module;
	struct rotor_instance *instance;
	struct rotor_import import;
	struct rotor_limits limits;
	if (wasm.bytes == 0) {
		return ROTOR_ERR_MEMORY; /* it could not be compiled */
	}
	if (rotor_is_image(wasm.at, wasm.bytes)) {
		TRY(load_image(s, wasm, s->keep, &s->top, &module, diag));
	} else {
		TRY(load(s, wasm, s->keep, &module, diag));
		s->top = s->keep + rotor_module_bytes(module);
	}
	s->current_stays |= rotor_module_import(module, 0, &import);
	if (!choose_limits(s, module, (size_t)(s->block_end - s->top), &limits)) {
		return ROTOR_ERR_MEMORY;
	}
	size_t bytes = rotor_instance_bytes(module, &limits);
	TRY(rotor_instantiate(s->top, bytes, module, &s->imports, &limits, &instance, diag));
	s->top += bytes;
	s->current = instance;
	return ROTOR_OK;
}

static void name_current(struct spec *s, struct text name)
{
	if (s->name_count < INSTANCES_MAX) {
		s->names[s->name_count++] = (struct named){name, s->current};
	}
	s->current_stays = true;
}

static void do_module(struct spec *s)
{
	struct text name = take_text(s), wasm = take_bytes(s, take(s, 4));
	struct rotor_diag diag = {.text = ""};
	enum rotor_err err;

	forget_current(s);
	s->current_stays = name.bytes != 0;
	err = make(s, wasm, &diag);
	if (err == ROTOR_ERR_MEMORY) {
		printf("%s:%lu: left out: no room for the module\n", s->file,
		       (unsigned long)s->line);
		s->counts.left_out++;
		s->current = NULL;
	} else if (err != ROTOR_OK) {
		fail(s, "module refused: %s", diag.text);
		s->current = NULL;
	} else if (run(s, s->current) != ROTOR_DONE) {
		fail(s, "start: %s", rotor_trap_text(rotor_trap(s->current)));
	} else {
		pass(s);
	}
	if (name.bytes != 0) {
		name_current(s, name);
	}
}

/* The latest instance of that name; "" is the module at hand. NULL: left out, or unknown. */
static struct rotor_instance *find(const struct spec *s, struct text name)
{
	if (name.bytes == 0) {
		return s->current;
	}
	for (uint32_t i = s->name_count; i-- > 0;) {
		if (same_text(name, s->names[i].name.at, s->names[i].name.bytes)) {
			return s->names[i].instance;
		}
	}
	return NULL;
}

/* A copy ended by 0, below keep for good: only called when nothing lies above. */
static const char *copy_text(uint8_t **at, const char *text, uint32_t bytes)
{
	char *copy = (char *)*at;

	memcpy(copy, text, bytes);
	copy[bytes] = 0;
	*at += base_align_up(bytes + 1, 8);
	return copy;
}

static void do_register(struct spec *s)
{
	struct text as = take_text(s), name = take_text(s);
	struct rotor_instance *instance = find(s, name);
	struct rotor_export export;

	if (instance == NULL) {
		return;
	}
	if (instance == s->current) {
		s->current_stays = true;
	}
	const char *module = copy_text(&s->top, as.at, as.bytes);
	for (uint32_t i = 0; rotor_module_export(rotor_instance_module(instance), i, &export);
	     i++) {
		if (s->imports.extern_count == EXTERNS_MAX) {
			fail(s, "more than %d exports registered", EXTERNS_MAX);
			return;
		}
		const char *field = copy_text(&s->top, export.name, export.name_bytes);

		s->externs[s->imports.extern_count++] =
			(struct rotor_extern){module, field, instance, i};
	}
	/* What has been copied lies above the module at hand and must stay with it. */
	s->current_stays = true;
}

/* ---- actions */

enum outcome {
	RETURNED,
	TRAPPED,
	LEFT_OUT,
	IMPOSSIBLE, /* no such export, or not callable so */
};

static bool find_export(const struct rotor_module *module, struct text field, enum rotor_kind kind,
			uint32_t *idx)
{
	struct rotor_export export;

	for (uint32_t i = 0; rotor_module_export(module, i, &export); i++) {
		if (export.kind == kind && same_text(field, export.name, export.name_bytes)) {
			*idx = export.idx;
			return true;
		}
	}
	return false;
}

static enum outcome invoke(struct spec *s, struct rotor_instance *instance, const struct action *a,
			   struct rotor_value *results, uint32_t *count)
{
	struct rotor_value args[VALUES_MAX];
	uint32_t idx;

	for (uint32_t i = 0; i < a->count; i++) {
		args[i] = a->args[i].value;
	}
	rotor_reset(instance);
	if (!find_export(rotor_instance_module(instance), a->field, ROTOR_FUNC, &idx) ||
	    rotor_call(instance, idx, args, a->count, NULL) != ROTOR_OK) {
		return IMPOSSIBLE;
	}
	switch (run(s, instance)) {
	case ROTOR_DONE:
		*count = rotor_results(instance, results, VALUES_MAX);
		return RETURNED;
	case ROTOR_TRAP:
		return TRAPPED;
	default:
		return IMPOSSIBLE;
	}
}

static enum outcome act(struct spec *s, const struct action *a, struct rotor_instance **instance,
			struct rotor_value *results, uint32_t *count)
{
	uint32_t idx;

	*instance = find(s, a->module);
	if (*instance == NULL) {
		return LEFT_OUT;
	}
	if (!a->get) {
		return invoke(s, *instance, a, results, count);
	}
	*count = 1;
	if (!find_export(rotor_instance_module(*instance), a->field, ROTOR_GLOBAL, &idx) ||
	    rotor_global_get(*instance, idx, &results[0]) != ROTOR_OK) {
		return IMPOSSIBLE;
	}
	return RETURNED;
}

static bool wide(enum rotor_type type)
{
	return type == ROTOR_I64 || type == ROTOR_F64;
}

static uint64_t bits_of(const struct rotor_value *v)
{
	return wide(v->type) ? v->u64 : v->u32;
}

static bool matches(const struct value *want, const struct rotor_value *got)
{
	uint64_t bits = bits_of(got);
	uint64_t canonical = wide(got->type) ? 0x7ff8000000000000u : 0x7fc00000u;
	uint64_t sign = wide(got->type) ? 0x8000000000000000u : 0x80000000u;

	if (want->value.type != got->type) {
		return false;
	}
	switch (want->form) {
	case NAN_CANONICAL:
		return (bits & ~sign) == canonical;
	case NAN_ARITHMETIC:
		return (bits & canonical) == canonical;
	case ANY_REF:
		return bits != ROTOR_REF_NULL;
	default:
		return bits == bits_of(&want->value);
	}
}

static void check_results(struct spec *s, const struct value *want, uint32_t want_count,
			  const struct rotor_value *got, uint32_t count)
{
	if (count != want_count) {
		fail(s, "%lu results, expected %lu", (unsigned long)count,
		     (unsigned long)want_count);
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (!matches(&want[i], &got[i])) {
			fail(s, "result %lu is 0x%llx, expected 0x%llx (form %d)", (unsigned long)i,
			     (unsigned long long)bits_of(&got[i]),
			     (unsigned long long)bits_of(&want[i].value), (int)want[i].form);
			return;
		}
	}
	pass(s);
}

/* Trap texts agree if one begins with the other. */
static bool same_trap(struct text want, const char *got)
{
	size_t bytes = strlen(got);

	return memcmp(want.at, got, BASE_MIN(bytes, want.bytes)) == 0;
}

static void do_action(struct spec *s, enum kind kind)
{
	struct action a;
	struct rotor_instance *instance;
	struct rotor_value results[VALUES_MAX];
	struct value want[VALUES_MAX];
	struct text trap = {"", 0};
	uint32_t count = 0, want_count = 0;

	take_action(s, &a);
	if (kind == ASSERT_RETURN) {
		want_count = take_values(s, want);
	} else if (kind != ACTION) {
		trap = take_text(s);
	}
	enum outcome outcome = act(s, &a, &instance, results, &count);
	if (outcome == LEFT_OUT) {
		s->counts.left_out++;
	} else if (outcome == IMPOSSIBLE) {
		fail(s, "%.*s cannot be called so", (int)a.field.bytes, a.field.at);
	} else if (outcome == RETURNED && kind == ASSERT_RETURN) {
		check_results(s, want, want_count, results, count);
	} else if (outcome == TRAPPED && (kind == ASSERT_TRAP || kind == ASSERT_EXHAUSTION)) {
		const char *got = rotor_trap_text(rotor_trap(instance));

		verdict(s, same_trap(trap, got), "another trap", got);
	} else if (outcome == TRAPPED) {
		fail(s, "trap: %s", rotor_trap_text(rotor_trap(instance)));
	} else {
		verdict(s, kind == ACTION, "no trap, expected one", a.field.at);
	}
}

/* ---- modules that must be refused */

static bool expected_error(enum kind kind, enum rotor_err err)
{
	switch (kind) {
	case ASSERT_MALFORMED:
		return err == ROTOR_ERR_MALFORMED;
	case ASSERT_INVALID:
		return err == ROTOR_ERR_INVALID;
	default:
		return err == ROTOR_ERR_LINK;
	}
}

/* The module at hand stays what it was, as later commands may refer to it. */
static void do_refused(struct spec *s, enum kind kind)
{
	struct text wasm = take_bytes(s, take(s, 4));
	struct rotor_diag diag = {.text = "accepted"};
	struct rotor_instance *before = s->current;
	uint8_t *keep = s->keep, *top = s->top;
	bool stays = s->current_stays;

	s->keep = s->top;
	s->current_stays = false;
	enum rotor_err err = make(s, wasm, &diag);
	bool imports = s->current_stays;
	if (err == ROTOR_ERR_MEMORY) {
		s->counts.left_out++;
	} else if (kind != ASSERT_UNINSTANTIABLE) {
		verdict(s, expected_error(kind, err), "not refused as expected", diag.text);
	} else if (err != ROTOR_OK) {
		fail(s, "refused instead of trapping: %s", diag.text);
	} else {
		verdict(s, run(s, s->current) == ROTOR_TRAP, "no trap at the start", "");
	}
	/* It may have left references to itself in shared tables, though it trapped. */
	if (err == ROTOR_OK && imports) {
		s->keep = s->top;
		s->current_stays = true;
	} else {
		s->keep = keep;
		s->top = top;
		s->current_stays = stays;
	}
	s->current = before;
}

/* Only loads, above all that is. */
static void do_load(struct spec *s, bool accepted)
{
	struct text wasm = take_bytes(s, take(s, 4));
	struct rotor_diag diag = {.text = "accepted"};
	const struct rotor_module *module;
	enum rotor_err err = load(s, wasm, s->top, &module, &diag);

	if (accepted) {
		verdict(s, err == ROTOR_OK, "refused", diag.text);
	} else {
		verdict(s, err == ROTOR_ERR_MALFORMED || err == ROTOR_ERR_INVALID,
			"not refused as expected", diag.text);
	}
}

static void do_command(struct spec *s, enum kind kind)
{
	switch (kind) {
	case MODULE:
		do_module(s);
		break;
	case REGISTER:
		do_register(s);
		break;
	case ACTION:
	case ASSERT_RETURN:
	case ASSERT_TRAP:
	case ASSERT_EXHAUSTION:
		do_action(s, kind);
		break;
	case ASSERT_MALFORMED:
	case ASSERT_INVALID:
	case ASSERT_UNLINKABLE:
	case ASSERT_UNINSTANTIABLE:
		do_refused(s, kind);
		break;
	case ACCEPTED:
	case REFUSED:
		do_load(s, kind == ACCEPTED);
		break;
	}
}

int spec_run(const char *name, const uint8_t *list, size_t list_bytes, void *block,
	     size_t block_bytes, struct spec_counts *out)
{
	struct spec *s = block;
	size_t own = base_align_up(sizeof(*s), 8);

	if (list_bytes < 4 || memcmp(list, "RSP1", 4) != 0 || block_bytes < own) {
		return -1;
	}
	memset(s, 0, sizeof(*s));
	s->file = name;
	s->at = list + 4;
	s->end = list + list_bytes;
	s->keep = s->top = (uint8_t *)block + own;
	s->block_end = (uint8_t *)block + block_bytes / 8 * 8;
	s->imports.externs = s->externs;
	while (s->at < s->end) {
		enum kind kind = (enum kind)take(s, 1);

		s->line = take(s, 4);
		do_command(s, kind);
	}
	*out = s->counts;
	return 0;
}
