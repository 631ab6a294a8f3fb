/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks what users say of tasks, by the tables of task_field_list.h.
 *
 * In:  the JSON of a request. Out: a new object with what is kept, or a sentence naming the key.
 */
#include "manager/core/cron.h"
#include "manager/http/service.h"
#include "wire/task_field_list.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define METADATA_BYTES_MAX (1u << 20)

enum kind {
	TEXT,
	BOOL,
	INT,
	TEXTS,
	INPUTS,
	PAIRS,
	OBJECT,
};

struct field {
	const char *key;
	enum kind kind;
	int64_t lo, hi;
};

static const struct field task_fields[] = {
#define X(key, kind, lo, hi) {#key, kind, lo, hi},
	TASK_FIELD_LIST(X){NULL, 0, 0, 0},
};
static const struct field constraint_fields[] = {TASK_CONSTRAINT_LIST(X){NULL, 0, 0, 0}};
static const struct field restart_fields[] = {TASK_RESTART_LIST(X){NULL, 0, 0, 0}};
#undef X
static const struct field limit_fields[] = {
#define X(key) {#key, INT, 0, INT64_MAX},
	TASK_LIMIT_LIST(X)
#undef X
		{NULL, 0, 0, 0},
};

struct diag {
	char *text;
	size_t bytes;
};

__attribute__((format(printf, 2, 3))) static bool wrong(struct diag *d, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(d->text, d->bytes, format, args);
	va_end(args);
	return false;
}

static const char *type_name(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_NULL:
		return "null";
	default:
		return "a boolean";
	}
}

static bool check_text(const struct field *f, const json_t *v, struct diag *d)
{
	if (!json_is_string(v)) {
		return wrong(d, "%s: expected a string, got %s", f->key, type_name(v));
	}
	if ((int64_t)json_string_length(v) < f->lo) {
		return wrong(d, "%s: must not be empty", f->key);
	}
	if ((int64_t)json_string_length(v) > f->hi) {
		return wrong(d, "%s: %zu bytes are too long, at most %lld", f->key,
			     json_string_length(v), (long long)f->hi);
	}
	return true;
}

static bool check_int(const struct field *f, const json_t *v, struct diag *d)
{
	if (!json_is_integer(v)) {
		return wrong(d, "%s: expected a whole number, got %s", f->key, type_name(v));
	}
	if (json_integer_value(v) < f->lo || json_integer_value(v) > f->hi) {
		return wrong(d, "%s: %lld is not within %lld..%lld", f->key,
			     (long long)json_integer_value(v), (long long)f->lo, (long long)f->hi);
	}
	return true;
}

static bool check_texts(const struct field *f, const json_t *v, struct diag *d)
{
	json_t *item;
	size_t i;

	if (!json_is_array(v)) {
		return wrong(d, "%s: expected an array, got %s", f->key, type_name(v));
	}
	if ((int64_t)json_array_size(v) > f->hi) {
		return wrong(d, "%s: %zu elements are too many, at most %lld", f->key,
			     json_array_size(v), (long long)f->hi);
	}
	json_array_foreach(v, i, item)
	{
		if (!json_is_string(item) && !(f->kind == INPUTS && json_is_null(item))) {
			return wrong(d, "%s[%zu]: expected a string%s, got %s", f->key, i,
				     f->kind == INPUTS ? " or a number" : "", type_name(item));
		}
	}
	return true;
}

static bool check_object(const struct field *f, const json_t *v, struct diag *d)
{
	const char *key;
	json_t *item;

	if (!json_is_object(v)) {
		return wrong(d, "%s: expected an object, got %s", f->key, type_name(v));
	}
	if (f->kind == OBJECT) {
		return true;
	}
	if ((int64_t)json_object_size(v) > f->hi) {
		return wrong(d, "%s: %zu members are too many, at most %lld", f->key,
			     json_object_size(v), (long long)f->hi);
	}
	json_object_foreach((json_t *)(uintptr_t)v, key, item)
	{
		if (!json_is_string(item)) {
			return wrong(d, "%s.%s: expected a string, got %s", f->key, key,
				     type_name(item));
		}
	}
	return true;
}

static bool check_field(const struct field *f, const json_t *v, struct diag *d)
{
	switch (f->kind) {
	case TEXT:
		return check_text(f, v, d);
	case BOOL:
		return json_is_boolean(v) ||
		       wrong(d, "%s: expected true or false, got %s", f->key, type_name(v));
	case INT:
		return check_int(f, v, d);
	case TEXTS:
	case INPUTS:
		return check_texts(f, v, d);
	default:
		return check_object(f, v, d);
	}
}

/* Copies the known members of given into out; within: prefix for error messages, or NULL. */
static bool check_fields(const struct field *fields, const json_t *given, const char *within,
			 json_t *out, struct diag *d)
{
	for (const struct field *f = fields; f->key != NULL; f++) {
		json_t *v = json_object_get(given, f->key);
		char path[80];
		struct field named = *f;

		if (v == NULL || json_is_null(v)) {
			continue;
		}
		snprintf(path, sizeof(path), "%s%s%s", within != NULL ? within : "",
			 within != NULL ? "." : "", f->key);
		named.key = path;
		if (!check_field(&named, v, d)) {
			return false;
		}
		json_object_set(out, f->key, v);
	}
	return true;
}

static bool check_within(const struct field *fields, json_t *spec, const char *key, struct diag *d)
{
	json_t *given = json_object_get(spec, key);
	json_t *kept;
	const char *name;
	json_t *v;

	if (given == NULL) {
		return true;
	}
	json_object_foreach(given, name, v)
	{
		const struct field *f = fields;

		while (f->key != NULL && strcmp(f->key, name) != 0) {
			f++;
		}
		if (f->key == NULL) {
			return wrong(d, "%s.%s: there is no such key", key, name);
		}
	}
	kept = json_object();
	if (!check_fields(fields, given, key, kept, d)) {
		json_decref(kept);
		return false;
	}
	json_object_set_new(spec, key, kept);
	return true;
}

/* The key, when given, is one of the words. */
static bool check_word(const json_t *spec, const char *within, const char *key,
		       const char *const *words, struct diag *d)
{
	const json_t *at = within != NULL ? json_object_get(spec, within) : spec;
	const char *v = string_of(at, key);
	char list[100] = "";

	if (v == NULL || v[0] == '\0') {
		return true;
	}
	for (int i = 0; words[i] != NULL; i++) {
		if (strcmp(v, words[i]) == 0) {
			return true;
		}
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "",
			 words[i]);
	}
	return wrong(d, "%s%s%s: '%.40s' is none of %s", within != NULL ? within : "",
		     within != NULL ? "." : "", key, v, list);
}

static bool check_words(const json_t *spec, struct diag *d)
{
	static const char *const run_if[] = {"success", "failure", NULL};
	static const char *const policy[] = {"keep", "stop", "park", NULL};
	static const char *const aot[] = {"auto", "always", "never", NULL};
	static const char *const power[] = {"mains", "any", NULL};
	static const char *const kind[] = {"standard", "federated", NULL};

	return check_word(spec, NULL, "run_if", run_if, d) &&
	       check_word(spec, NULL, "policy", policy, d) &&
	       check_word(spec, NULL, "aot", aot, d) && check_word(spec, NULL, "kind", kind, d) &&
	       check_word(spec, "constraints", "power", power, d);
}

/* A zone that is not there would silently be UTC. */
static bool check_zone(const json_t *spec, struct diag *d)
{
	const char *zone = string_of(spec, "timezone"), *folder = getenv("TZDIR");
	char path[512];
	struct stat st;

	if (zone == NULL || zone[0] == '\0' || strcmp(zone, "UTC") == 0) {
		return true;
	}
	snprintf(path, sizeof(path), "%s/%s",
		 folder != NULL && folder[0] != '\0' ? folder : "/usr/share/zoneinfo", zone);
	if (zone[0] == '/' || strstr(zone, "..") != NULL || stat(path, &st) != 0 ||
	    !S_ISREG(st.st_mode)) {
		return wrong(d,
			     "timezone: '%.63s' is not known to the manager's machine; expected a "
			     "name such as UTC or Europe/Berlin",
			     zone);
	}
	return true;
}

static bool check_schedule(const json_t *spec, struct diag *d)
{
	const char *schedule = string_of(spec, "schedule");
	struct cron cron;
	const char *error;

	if (schedule == NULL || schedule[0] == '\0') {
		return true;
	}
	error = cron_parse(schedule, &cron);
	if (error != NULL) {
		return wrong(d, "schedule: '%.60s': %s", schedule, error);
	}
	if (task_next_run(spec, 1700000000000) == 0) {
		return wrong(d, "schedule: '%.60s' never comes", schedule);
	}
	return true;
}

static bool check_together(const json_t *spec, struct diag *d)
{
	const char *node = string_of(spec, "proplet_id");
	json_t *metadata = json_object_get(spec, "metadata");
	size_t requires = json_array_size(json_object_get(spec, "capabilities"));
	json_t *c = json_object_get(spec, "constraints");

	if (bool_of(spec, "broadcast") && node != NULL && node[0] != '\0') {
		return wrong(d, "broadcast: excludes proplet_id; give one of them");
	}
	if (metadata != NULL && json_dumpb(metadata, NULL, 0, JSON_COMPACT) > METADATA_BYTES_MAX) {
		return wrong(d, "metadata: is larger than 1 MiB");
	}
	requires += json_object_size(json_object_get(c, "labels")) +
		    json_array_size(json_object_get(c, "tags")) +
		    json_array_size(json_object_get(c, "features")) + 3;
	if (requires > PLACEMENT_REQUIRES_MAX) {
		return wrong(d,
			     "constraints: with the capabilities more than %d words are required",
			     PLACEMENT_REQUIRES_MAX - 3);
	}
	return true;
}

/* What responses show of an inline file: its ends. */
static json_t *redacted(const char *base64)
{
	size_t n = strlen(base64);
	char text[64];

	if (n <= 20) {
		return json_string(base64);
	}
	snprintf(text, sizeof(text), "%.10s<REDACTED>%s", base64, base64 + n - 10);
	return json_string(text);
}

static bool keep_file(struct service *s, const char *base64, json_t *spec, struct diag *d)
{
	size_t n = strlen(base64), size = 0;
	uint8_t *bytes = malloc(n / 4 * 3 + 4);
	char digest[72];
	bool ok;

	if (bytes == NULL || sodium_base642bin(bytes, n / 4 * 3 + 4, base64, n, "\r\n ", &size,
					       NULL, sodium_base64_VARIANT_ORIGINAL) != 0) {
		free(bytes);
		return wrong(d, "file: is not padded standard base64");
	}
	ok = module_keep(s, bytes, size, NULL, digest, d->text, d->bytes);
	free(bytes);
	if (!ok) {
		return false;
	}
	json_object_set_new(spec, "file", redacted(base64));
	json_object_set_new(spec, "module",
			    json_pack("{s:s, s:I}", "digest", digest, "size", (json_int_t)size));
	return true;
}

static void count_module(void *user, const struct store_module *m)
{
	*(json_int_t *)user = (json_int_t)m->size;
}

static bool check_module(struct service *s, json_t *spec, struct diag *d)
{
	json_t *module = json_object_get(spec, "module");
	const char *digest = string_of(module, "digest");
	json_int_t size = -1;

	if (module == NULL) {
		return true;
	}
	if (digest == NULL || !digest_valid(digest)) {
		return wrong(d, "module.digest: expected sha256: and 64 hexadecimal digits");
	}
	if (store_module_get(s->store, digest, count_module, &size) != STORE_OK) {
		return wrong(d, "module.digest: %s is not known here; upload it with POST /modules",
			     digest);
	}
	json_object_set_new(spec, "module",
			    json_pack("{s:s, s:I}", "digest", digest, "size", size));
	return true;
}

static bool check_all(struct service *s, const json_t *given, json_t *spec, struct diag *d)
{
	const json_t *file = json_object_get(given, "file");

	if (!json_is_object(given)) {
		return wrong(d, "expected an object, got %s", type_name(given));
	}
	if (!check_fields(task_fields, given, NULL, spec, d)) {
		return false;
	}
	if (string_of(spec, "name") == NULL) {
		return wrong(d, "name: is missing");
	}
	if (!check_within(limit_fields, spec, "limits", d) ||
	    !check_within(constraint_fields, spec, "constraints", d) ||
	    !check_within(restart_fields, spec, "restart", d) || !check_words(spec, d) ||
	    !check_zone(spec, d) || !check_schedule(spec, d) || !check_together(spec, d)) {
		return false;
	}
	if (file == NULL || json_is_null(file)) {
		return check_module(s, spec, d);
	}
	if (!json_is_string(file)) {
		return wrong(d, "file: expected base64 in a string, got %s", type_name(file));
	}
	return json_string_length(file) == 0 || keep_file(s, json_string_value(file), spec, d);
}

bool task_check(struct service *s, const json_t *given, json_t **spec_out, char *error,
		size_t error_bytes)
{
	struct diag d = {error, error_bytes};
	json_t *spec = json_object();

	if (!check_all(s, given, spec, &d)) {
		json_decref(spec);
		return false;
	}
	if (int_of(spec, "priority", 0) == 0) {
		json_object_set_new(spec, "priority", json_integer(50));
	}
	if (string_of(spec, "kind") == NULL) {
		json_object_set_new(spec, "kind", json_string("standard"));
	}
	*spec_out = spec;
	return true;
}
