/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rotor spec: runs the commands that wast2json makes of a file of the official suite.
 *
 * In:  FILE.json, and beside it the modules that it names.
 * Out: a line for each file; the last line is "N passed, N failed".
 * Rules: 1. Each command counts once, modules and registrations too.
 *        2. Modules in text form are wast2json's own matter; they count as not applicable.
 *        3. The reason of a trap must be the suite's, as far as the shorter of both says it.
 */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "rotor/tool/spec_unit.h"
#include "rotor/tool/tool.h"

enum {
	VALUES_MAX = 1100
};

struct spec {
	struct spec_world world;
	const char *path;
	char *folder; /* of the file, with a slash at its end; "" for none */
	unsigned passed, failed, not_applicable;
	bool verbose;
	const json_t *command; /* the one at work */
	char why[256];         /* why it failed */
};

/* The outcome of an action. */
struct outcome {
	enum rotor_status status;
	struct rotor_value values[VALUES_MAX];
	uint32_t count;
};

static bool fail(struct spec *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says why the command fails; always false. */
static bool fail(struct spec *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(s->why, sizeof(s->why), format, args);
	va_end(args);
	return false;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* ---- names ---- */

/* A name's bytes: wast2json writes each byte that is not ASCII as a character of that number. The
 * caller frees them. */
static struct spec_name name_of(const json_t *object, const char *key)
{
	const json_t *string = json_object_get(object, key);
	const uint8_t *from = (const uint8_t *)json_string_value(string);
	size_t count = json_string_length(string), n = 0;
	char *bytes = malloc(count + 1);

	if (bytes == NULL) {
		abort();
	}
	for (size_t i = 0; i < count; i++) {
		if ((from[i] & 0xFC) == 0xC0 && i + 1 < count) {
			bytes[n++] = (char)((from[i] & 3) << 6 | (from[i + 1] & 0x3F));
			i++;
		} else {
			bytes[n++] = (char)from[i];
		}
	}
	return (struct spec_name){bytes, n};
}

/* Finds what an action names: as the bytes above, or as the text stands. */
static bool find_field(const struct spec_unit *unit, const json_t *action, enum rotor_kind kind,
		       uint32_t *idx)
{
	const json_t *string = json_object_get(action, "field");
	struct spec_name name = name_of(action, "field");
	struct spec_name plain = {json_string_value(string), json_string_length(string)};
	bool found =
		spec_find_export(unit, name, kind, idx) || spec_find_export(unit, plain, kind, idx);

	free((char *)name.bytes);
	return found;
}

/* ---- values ---- */

static bool type_of_text(const char *text, enum rotor_type *out)
{
	static const enum rotor_type types[] = {ROTOR_I32, ROTOR_I64,     ROTOR_F32,
						ROTOR_F64, ROTOR_FUNCREF, ROTOR_EXTERNREF};

	for (unsigned i = 0; i < BASE_COUNT(types); i++) {
		if (text != NULL && strcmp(text, type_name(types[i])) == 0) {
			*out = types[i];
			return true;
		}
	}
	return false;
}

/* {"type": "f32", "value": "1065353216"}: bits, or a reference. */
static bool read_value(const json_t *json, struct rotor_value *out)
{
	const char *text = text_of(json, "value");

	if (!type_of_text(text_of(json, "type"), &out->type) || text == NULL) {
		return false;
	}
	out->u64 = strcmp(text, "null") != 0 ? strtoull(text, NULL, 10) : 0;
	if (out->type == ROTOR_EXTERNREF && strcmp(text, "null") != 0) {
		out->u64++;
	}
	return true;
}

static bool is_nan_kind(const struct rotor_value *v, bool canonical)
{
	if (v->type == ROTOR_F32) {
		uint32_t bits = v->f32_bits & 0x7FFFFFFF;

		return canonical ? bits == 0x7FC00000 : bits >= 0x7FC00000;
	}
	return canonical ? (v->f64_bits << 1 >> 1) == 0x7FF8000000000000u
			 : (v->f64_bits << 1 >> 1) >= 0x7FF8000000000000u;
}

/* Is the value what the suite expects? */
static bool value_matches(const struct rotor_value *got, const json_t *expected)
{
	const char *text = text_of(expected, "value");
	struct rotor_value want;

	if (!type_of_text(text_of(expected, "type"), &want.type) || want.type != got->type) {
		return false;
	}
	if (text == NULL) { /* any reference but null */
		return got->ref != ROTOR_REF_NULL;
	}
	if (strncmp(text, "nan:", 4) == 0) {
		return is_nan_kind(got, strcmp(text, "nan:canonical") == 0);
	}
	if (!read_value(expected, &want)) {
		return false;
	}
	if (got->type == ROTOR_I64 || got->type == ROTOR_F64) {
		return got->u64 == want.u64;
	}
	if (got->type == ROTOR_FUNCREF && want.u64 != 0) {
		return got->ref != ROTOR_REF_NULL;
	}
	return got->u32 == want.u32;
}

/* ---- actions ---- */

static bool act_invoke(struct spec *s, struct spec_unit *unit, const json_t *action,
		       struct outcome *out)
{
	const json_t *args = json_object_get(action, "args");
	struct rotor_value values[VALUES_MAX];
	struct rotor_diag diag;
	uint32_t idx, count = (uint32_t)json_array_size(args);

	if (!find_field(unit, action, ROTOR_FUNC, &idx)) {
		return fail(s, "no function '%s'", text_of(action, "field"));
	}
	for (uint32_t i = 0; i < count; i++) {
		if (i >= VALUES_MAX || !read_value(json_array_get(args, i), &values[i])) {
			return fail(s, "argument %u is not understood", (unsigned)i);
		}
	}
	if (rotor_call(unit->instance, idx, values, count, &diag) != ROTOR_OK) {
		return fail(s, "rotor_call: %s", diag.text);
	}
	out->status = spec_unit_run(unit);
	out->count = out->status == ROTOR_DONE
			     ? rotor_results(unit->instance, out->values, VALUES_MAX)
			     : 0;
	return true;
}

static bool act_get(struct spec *s, struct spec_unit *unit, const json_t *action,
		    struct outcome *out)
{
	uint32_t idx;

	if (!find_field(unit, action, ROTOR_GLOBAL, &idx)) {
		return fail(s, "no global '%s'", text_of(action, "field"));
	}
	if (rotor_global_get(unit->instance, idx, &out->values[0]) != ROTOR_OK) {
		return fail(s, "the global cannot be read");
	}
	out->count = 1;
	out->status = ROTOR_DONE;
	return true;
}

/* Does what the command's action says; false: it could not even be tried. */
static bool act(struct spec *s, struct spec_unit **unit, struct outcome *out)
{
	const json_t *action = json_object_get(s->command, "action");
	const char *type = text_of(action, "type");

	*unit = spec_find_unit(&s->world, text_of(action, "module"));
	if (*unit == NULL || (*unit)->instance == NULL) {
		return fail(s, "there is no instance");
	}
	if (type != NULL && strcmp(type, "get") == 0) {
		return act_get(s, *unit, action, out);
	}
	return act_invoke(s, *unit, action, out);
}

/* Fails with what an instance did instead. */
static bool fail_status(struct spec *s, const struct spec_unit *unit, enum rotor_status status)
{
	switch (status) {
	case ROTOR_DONE:
		return fail(s, "it ended without a trap");
	case ROTOR_TRAP:
		return fail(s, "trap: %s", rotor_trap_text(rotor_trap(unit->instance)));
	case ROTOR_FUEL:
		return fail(s, "it did not end");
	default:
		return fail(s, "a host function is pending");
	}
}

/* ---- commands ---- */

static struct spec_unit *load(struct spec *s, const char *name, enum rotor_err *err)
{
	const char *file = text_of(s->command, "filename");
	char path[4096];

	snprintf(path, sizeof(path), "%s%s", s->folder, file != NULL ? file : "?");
	return spec_unit_load(&s->world, path, name, err);
}

static bool do_module(struct spec *s)
{
	enum rotor_status status = ROTOR_TRAP;
	enum rotor_err err = ROTOR_OK;
	struct spec_unit *unit = load(s, text_of(s->command, "name"), &err);

	s->world.current = NULL;
	if (unit == NULL) {
		return fail(s, "the module's file is missing");
	}
	if (err == ROTOR_OK) {
		err = spec_unit_instantiate(&s->world, unit, &status);
	}
	if (err != ROTOR_OK) {
		return fail(s, "error %d: %s (byte %u)", (int)err, unit->diag.text,
			    (unsigned)unit->diag.offset);
	}
	if (status != ROTOR_DONE) {
		return fail_status(s, unit, status);
	}
	s->world.current = unit;
	return true;
}

static bool do_register(struct spec *s)
{
	struct spec_unit *unit = spec_find_unit(&s->world, text_of(s->command, "name"));

	if (unit == NULL || unit->instance == NULL) {
		return fail(s, "there is no instance");
	}
	spec_register(&s->world, text_of(s->command, "as"), unit);
	return true;
}

static bool do_action(struct spec *s)
{
	struct outcome out = {0};
	struct spec_unit *unit;

	return act(s, &unit, &out) &&
	       (out.status == ROTOR_DONE || fail_status(s, unit, out.status));
}

static void describe(char *text, size_t cap, const struct rotor_value *values, uint32_t count)
{
	FILE *to = fmemopen(text, cap, "w");

	for (uint32_t i = 0; to != NULL && i < count; i++) {
		fprintf(to, "%s%s ", i != 0 ? ", " : "", type_name(values[i].type));
		value_print(to, &values[i]);
	}
	if (to != NULL) {
		fclose(to);
	}
}

static bool do_assert_return(struct spec *s)
{
	const json_t *expected = json_object_get(s->command, "expected");
	struct outcome out = {0};
	struct spec_unit *unit;
	char got[128] = "";

	if (!act(s, &unit, &out)) {
		return false;
	}
	if (out.status != ROTOR_DONE) {
		return fail_status(s, unit, out.status);
	}
	describe(got, sizeof(got), out.values, out.count);
	if (out.count != json_array_size(expected)) {
		return fail(s, "%u results: %s", (unsigned)out.count, got);
	}
	for (uint32_t i = 0; i < out.count; i++) {
		if (!value_matches(&out.values[i], json_array_get(expected, i))) {
			return fail(s, "result %u is wrong: %s", (unsigned)i, got);
		}
	}
	return true;
}

/* Did it trap, for the reason that the command says? */
static bool check_trap(struct spec *s, const struct spec_unit *unit, enum rotor_status status)
{
	const char *want = text_of(s->command, "text");
	const char *got;
	size_t bytes;

	if (status != ROTOR_TRAP) {
		return fail_status(s, unit, status);
	}
	got = rotor_trap_text(rotor_trap(unit->instance));
	bytes = BASE_MIN(strlen(got), strlen(want));
	if (bytes == 0 || strncmp(got, want, bytes) != 0) {
		return fail(s, "trap: %s; expected: %s", got, want);
	}
	return true;
}

/* assert_trap and assert_exhaustion. */
static bool do_assert_trap(struct spec *s)
{
	struct outcome out = {0};
	struct spec_unit *unit;

	return act(s, &unit, &out) && check_trap(s, unit, out.status);
}

/* Loading must end with that error. */
static bool check_load(struct spec *s, enum rotor_err want, const char *word)
{
	enum rotor_err err = ROTOR_OK;
	struct spec_unit *unit = load(s, NULL, &err);

	if (unit == NULL) {
		return fail(s, "the module's file is missing");
	}
	if (err == ROTOR_OK) {
		return fail(s, "taken as a good module; expected: %s", text_of(s->command, "text"));
	}
	if (err != want || unit->diag.code != want || unit->diag.text[0] == 0) {
		return fail(s, "error %d (%s), not %s; expected: %s", (int)err, unit->diag.text,
			    word, text_of(s->command, "text"));
	}
	return true;
}

static bool do_assert_malformed(struct spec *s)
{
	return check_load(s, ROTOR_ERR_MALFORMED, "malformed");
}

static bool do_assert_invalid(struct spec *s)
{
	return check_load(s, ROTOR_ERR_INVALID, "invalid");
}

static bool do_assert_unlinkable(struct spec *s)
{
	enum rotor_status status = ROTOR_DONE;
	enum rotor_err err = ROTOR_OK;
	struct spec_unit *unit = load(s, NULL, &err);

	if (unit == NULL || err != ROTOR_OK) {
		return fail(s, "it does not load: %s", unit != NULL ? unit->diag.text : "no file");
	}
	err = spec_unit_instantiate(&s->world, unit, &status);
	if (err != ROTOR_ERR_LINK) {
		return fail(s, "error %d (%s); expected: %s", (int)err, unit->diag.text,
			    text_of(s->command, "text"));
	}
	return true;
}

static bool do_assert_uninstantiable(struct spec *s)
{
	enum rotor_status status = ROTOR_DONE;
	enum rotor_err err = ROTOR_OK;
	struct spec_unit *unit = load(s, NULL, &err);

	if (unit == NULL || err != ROTOR_OK) {
		return fail(s, "it does not load: %s", unit != NULL ? unit->diag.text : "no file");
	}
	err = spec_unit_instantiate(&s->world, unit, &status);
	if (err != ROTOR_OK) {
		return fail(s, "error %d: %s", (int)err, unit->diag.text);
	}
	return check_trap(s, unit, status);
}

static const struct {
	const char *type;
	bool (*run)(struct spec *s);
} commands[] = {
	{"module", do_module},
	{"register", do_register},
	{"action", do_action},
	{"assert_return", do_assert_return},
	{"assert_trap", do_assert_trap},
	{"assert_exhaustion", do_assert_trap},
	{"assert_malformed", do_assert_malformed},
	{"assert_invalid", do_assert_invalid},
	{"assert_unlinkable", do_assert_unlinkable},
	{"assert_uninstantiable", do_assert_uninstantiable},
};

static bool run_command(struct spec *s, const char *type)
{
	for (size_t i = 0; i < BASE_COUNT(commands); i++) {
		if (strcmp(commands[i].type, type) == 0) {
			return commands[i].run(s);
		}
	}
	return fail(s, "a command of unknown kind");
}

static void count_command(struct spec *s, const json_t *command)
{
	const char *type = text_of(command, "type"), *module_type = text_of(command, "module_type");
	const json_t *line = json_object_get(command, "line");

	s->command = command;
	s->why[0] = 0;
	type = type != NULL ? type : "?";
	if (module_type != NULL && strcmp(module_type, "text") == 0) {
		s->not_applicable++;
	} else if (run_command(s, type)) {
		s->passed++;
	} else {
		s->failed++;
		printf("%s:%lld: %s: %s\n", s->path, (long long)json_integer_value(line), type,
		       s->why);
	}
}

/* ---- files ---- */

/* The folder part of a path. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = strndup(path, slash != NULL ? (size_t)(slash - path) + 1 : 0);

	if (folder == NULL) {
		abort();
	}
	return folder;
}

static void run_file(struct spec *s, uint32_t piece_bytes, bool native)
{
	json_error_t error;
	json_t *root = json_load_file(s->path, JSON_ALLOW_NUL, &error);
	const json_t *list = json_object_get(root, "commands");
	const json_t *command;
	size_t i;

	if (root == NULL || !json_is_array(list)) {
		printf("%s: not wast2json's: %s\n", s->path,
		       root == NULL ? error.text : "no commands");
		s->failed++;
	} else if (!spec_world_begin(&s->world, piece_bytes)) {
		s->failed++;
	} else {
		s->world.native = native;
		json_array_foreach(list, i, command)
		{
			count_command(s, command);
		}
	}
	spec_world_end(&s->world);
	json_decref(root);
	printf("%s: %u passed, %u failed", s->path, s->passed, s->failed);
	if (s->not_applicable != 0) {
		printf(", %u in text form not applicable", s->not_applicable);
	}
	putchar('\n');
	fflush(stdout);
}

static const char help_text[] =
	"Usage: rotor spec [--pieces N] [--native] FILE.json...\n"
	"\n"
	"Runs the commands that wast2json made of files of the official test suite.\n"
	"\n"
	"  --pieces N   load modules in pieces of N bytes, as if they were arriving\n"
	"  --native     run the native image FILE.wasm.raot of each module FILE.wasm; a good\n"
	"               module without one fails\n"
	"\n"
	"A line for each file; the last line is \"N passed, N failed\". Exit status 1 if any "
	"failed.\n";

int command_spec(int argc, char **argv)
{
	struct options o = {.argc = argc, .at = 1, .argv = argv};
	unsigned passed = 0, failed = 0;
	uint32_t piece_bytes = 0;
	bool native = false;

	while (option_left(&o)) {
		if (option_is(&o, "--help", false) || option_is(&o, "-h", false)) {
			fputs(help_text, stdout);
			return EXIT_OK;
		}
		if (option_is(&o, "--native", false)) {
			native = true;
			continue;
		}
		if (!option_is(&o, "--pieces", true)) {
			option_unknown(&o, "spec");
		}
		piece_bytes = (uint32_t)option_number("--pieces", o.value, 1u << 30);
	}
	if (o.at == argc) {
		complain("no FILE.json; see rotor spec --help");
		return EXIT_USAGE;
	}
	for (int i = o.at; i < argc; i++) {
		struct spec s = {.path = argv[i], .folder = folder_of(argv[i])};

		run_file(&s, piece_bytes, native);
		passed += s.passed;
		failed += s.failed;
		free(s.folder);
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0 ? EXIT_FAILED : EXIT_OK;
}
