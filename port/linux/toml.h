/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of TOML 1.0 that configuration files here use: sections, keys, strings in either
 * quotes, integers, booleans, arrays of strings over one or more lines, comments.
 *
 * Not: dates, floats, inline tables, dotted keys, multi-line strings. They are an error that says so.
 */
#ifndef LINUX_TOML_H
#define LINUX_TOML_H

#include "base/base.h"

/* Where reading stands. The caller sets at and end and line = 1; the rest is 0. */
struct toml {
	const char *at, *end;
	int line;
	char section[64]; /* of the last key; "" before the first */
	char key[64];
	int key_line;
	char *value; /* of the last key; an array's elements one after the other, each ended by 0 */
	size_t value_bytes, value_room;
	int value_count;
	bool is_array;
	char error[128]; /* one sentence, without the line */
};

/* The next key with its value: 1, 0 at the end, -1 on an error (error and line say what, where). */
MUST_USE int toml_next(struct toml *t);
/* Frees what toml_next took. */
void toml_end(struct toml *t);

#endif
