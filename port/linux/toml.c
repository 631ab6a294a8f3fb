/* SPDX-License-Identifier: Apache-2.0 */
/* A reader of configuration files. See toml.h. */
#include "port/linux/toml.h"

#include <stdio.h>
#include <stdlib.h>

static int fail(struct toml *t, const char *text)
{
	snprintf(t->error, sizeof(t->error), "%s", text);
	return -1;
}

static bool is_key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

static void skip_blanks(struct toml *t)
{
	while (t->at < t->end && (*t->at == ' ' || *t->at == '\t' || *t->at == '\r')) {
		t->at++;
	}
}

static void skip_comment(struct toml *t)
{
	if (t->at < t->end && *t->at == '#') {
		while (t->at < t->end && *t->at != '\n') {
			t->at++;
		}
	}
}

/* Blanks, comments and line ends. */
static void skip_lines(struct toml *t)
{
	for (;;) {
		skip_blanks(t);
		skip_comment(t);
		if (t->at >= t->end || *t->at != '\n') {
			return;
		}
		t->at++;
		t->line++;
	}
}

static int put(struct toml *t, char c)
{
	if (t->value_bytes == t->value_room) {
		size_t room = t->value_room ? 2 * t->value_room : 256;
		char *grown = realloc(t->value, room);

		if (grown == NULL) {
			return fail(t, "out of memory");
		}
		t->value = grown;
		t->value_room = room;
	}
	t->value[t->value_bytes++] = c;
	return 0;
}

static int read_name(struct toml *t, char *out, size_t room, const char *what)
{
	size_t n = 0;

	while (t->at < t->end && is_key_char(*t->at)) {
		if (n + 1 >= room) {
			return fail(t, "a name is longer than 63 characters");
		}
		out[n++] = *t->at++;
	}
	out[n] = 0;
	return n ? 0 : fail(t, what);
}

static int read_section(struct toml *t)
{
	t->at++;
	skip_blanks(t);
	TRY(read_name(t, t->section, sizeof(t->section), "expected [section]"));
	skip_blanks(t);
	if (t->at >= t->end || *t->at != ']') {
		return fail(t, "expected ] after the section's name");
	}
	t->at++;
	return 0;
}

static int read_escape(struct toml *t)
{
	static const char from[] = "bfnrt\"\\", to[] = "\b\f\n\r\t\"\\";
	const char *found = t->at < t->end && *t->at ? strchr(from, *t->at) : NULL;

	if (found == NULL) {
		return fail(t, "unknown escape in a string; known: \\b \\f \\n \\r \\t \\\" \\\\");
	}
	t->at++;
	return put(t, to[found - from]);
}

static int read_string(struct toml *t)
{
	char quote = *t->at++;

	while (t->at < t->end && *t->at != quote) {
		char c = *t->at++;

		if (c == '\n' || c == 0) {
			return fail(t, "a string is not closed on its line");
		}
		if (c == '\\' && quote == '"') {
			TRY(read_escape(t));
		} else {
			TRY(put(t, c));
		}
	}
	if (t->at >= t->end) {
		return fail(t, "a string is not closed");
	}
	t->at++;
	t->value_count++;
	return put(t, 0);
}

/* An integer or a boolean, kept as its text. */
static int read_word(struct toml *t)
{
	size_t n = 0;

	while (t->at < t->end && (is_key_char(*t->at) || *t->at == '+')) {
		TRY(put(t, *t->at++));
		n++;
	}
	if (n == 0) {
		return fail(t,
			    "expected a value: \"text\", a number, true, false or [\"a\", \"b\"]");
	}
	t->value_count++;
	return put(t, 0);
}

static int read_scalar(struct toml *t)
{
	if (t->at < t->end && (*t->at == '"' || *t->at == '\'')) {
		return read_string(t);
	}
	return read_word(t);
}

static int read_array(struct toml *t)
{
	t->at++;
	t->is_array = true;
	for (;;) {
		skip_lines(t);
		if (t->at < t->end && *t->at == ']') {
			t->at++;
			return 0;
		}
		TRY(read_scalar(t));
		skip_lines(t);
		if (t->at < t->end && *t->at == ',') {
			t->at++;
		} else if (t->at >= t->end || *t->at != ']') {
			return fail(t, "expected , or ] in an array");
		}
	}
}

static int read_line_end(struct toml *t)
{
	skip_blanks(t);
	skip_comment(t);
	if (t->at < t->end && *t->at != '\n') {
		return fail(t, "something follows the value on its line");
	}
	return 0;
}

static int read_pair(struct toml *t)
{
	t->key_line = t->line;
	t->value_bytes = 0;
	t->value_count = 0;
	t->is_array = false;
	TRY(read_name(t, t->key, sizeof(t->key), "expected a key or a [section]"));
	skip_blanks(t);
	if (t->at >= t->end || *t->at != '=') {
		return fail(t, "expected = after the key");
	}
	t->at++;
	skip_blanks(t);
	TRY(t->at < t->end && *t->at == '[' ? read_array(t) : read_scalar(t));
	return read_line_end(t);
}

int toml_next(struct toml *t)
{
	for (;;) {
		skip_lines(t);
		if (t->at >= t->end) {
			return 0;
		}
		if (*t->at != '[') {
			return read_pair(t) == 0 ? 1 : -1;
		}
		if (read_section(t) != 0 || read_line_end(t) != 0) {
			return -1;
		}
	}
}

void toml_end(struct toml *t)
{
	free(t->value);
	t->value = NULL;
	t->value_room = t->value_bytes = 0;
}
