/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exported functions of a module, read from its export section: to choose the function when none
 * was named, and to say at once when there is none of that name.
 *
 * Rules: 1. Whatever the file holds, nothing outside of it is read; a module that cannot be
 *           understood has no exports here, and the worker will say what is wrong with it.
 * Spec:  Wasm 2.0 5.5.10
 */
#include "cli/cli.h"

#include <string.h>

enum {
	SECTION_EXPORT = 7,
	KIND_FUNCTION = 0,
};

struct reader {
	const uint8_t *at, *end;
	bool bad;
};

static uint8_t read_byte(struct reader *r)
{
	if (r->at >= r->end) {
		r->bad = true;
		return 0;
	}
	return *r->at++;
}

static uint32_t read_u32(struct reader *r)
{
	uint32_t value = 0;

	for (unsigned shift = 0; shift < 35 && !r->bad; shift += 7) {
		uint8_t b = read_byte(r);

		value |= (uint32_t)(b & 0x7f) << (shift & 31);
		if (b < 0x80) {
			return value;
		}
	}
	r->bad = true;
	return 0;
}

/* The next count bytes, or NULL. */
static const uint8_t *read_bytes(struct reader *r, uint32_t count)
{
	const uint8_t *at = r->at;

	if (r->bad || count > (size_t)(r->end - r->at)) {
		r->bad = true;
		return NULL;
	}
	r->at += count;
	return at;
}

static bool find_section(const struct module_file *file, struct reader *out)
{
	struct reader r = {file->bytes + 8, file->bytes + file->size, false};

	while (!r.bad && r.at < r.end) {
		uint8_t id = read_byte(&r);
		uint32_t size = read_u32(&r);
		const uint8_t *content = read_bytes(&r, size);

		if (content != NULL && id == SECTION_EXPORT) {
			*out = (struct reader){content, content + size, false};
			return true;
		}
	}
	return false;
}

int exports_read(const struct module_file *file, const char **names, int max)
{
	struct reader r;
	int found = 0;

	if (!find_section(file, &r)) {
		return 0;
	}
	uint32_t count = read_u32(&r);
	for (uint32_t i = 0; i < count && found < max; i++) {
		uint32_t len = read_u32(&r);
		const uint8_t *name = read_bytes(&r, len);
		uint8_t kind = read_byte(&r);

		(void)read_u32(&r);
		if (r.bad) {
			return found;
		}
		if (kind == KIND_FUNCTION) {
			names[found++] = text("%.*s", (int)len, (const char *)name);
		}
	}
	return found;
}

static bool among(const char *const *names, int count, const char *name)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0) {
			return true;
		}
	}
	return false;
}

static const char *joined(const char *const *names, int count)
{
	const char *out = "";

	for (int i = 0; i < count && i < 12; i++) {
		out = text("%s%s%s", out, i > 0 ? ", " : "", text_clean(names[i]));
	}
	return count > 12 ? text("%s...", out) : out;
}

static int choose(const struct module_file *file, const char *wanted, const char *task,
		  const char *stem, const char **function)
{
	const char *names[64];
	int count = exports_read(file, names, 64);

	*function = wanted;
	if (count == 0 || count == 64) {
		return CLI_OK;
	}
	if (wanted != NULL) {
		return among(names, count, wanted)
			       ? CLI_OK
			       : fail(CLI_DATA, "%s exports no function '%s'; it exports %s",
				      file->path, text_clean(wanted), joined(names, count));
	}
	/* The worker finds these by itself. */
	if (among(names, count, task)) {
		return CLI_OK;
	}
	/* A program of a toolchain: its main is not to be called from outside. */
	if (among(names, count, "_start")) {
		*function = "_start";
		return CLI_OK;
	}
	if (among(names, count, "main") || among(names, count, "run")) {
		return CLI_OK;
	}
	if (among(names, count, stem) || count == 1) {
		*function = among(names, count, stem) ? stem : names[0];
		return CLI_OK;
	}
	return fail(CLI_DATA, "which function of %s? It exports %s; name one with --invoke",
		    file->path, joined(names, count));
}

const char *module_stem(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash != NULL ? slash + 1 : path;
	const char *dot = strrchr(base, '.');

	if (strcmp(path, "-") == 0) {
		return "stdin";
	}
	return dot != NULL && dot > base ? text("%.*s", (int)(dot - base), base) : base;
}

int exports_set(const struct module_file *file, const char *path, json_t *task)
{
	const char *name = json_string_value(json_object_get(task, "name"));
	const char *function = json_string_value(json_object_get(task, "function"));
	int status = choose(file, function, name, module_stem(path), &function);

	if (status == CLI_OK && function != NULL) {
		json_object_set_new(task, "function", json_string(function));
	}
	return status;
}
