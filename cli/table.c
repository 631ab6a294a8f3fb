/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables for people: columns as wide as their widest cell, lines cut at the terminal's width.
 * Words that tell a state are coloured on a terminal, unless NO_COLOR is set.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	GAP = 2,
};

void table_add(struct table *t, const char *cell)
{
	if (t->count == t->capacity) {
		size_t capacity = t->capacity == 0 ? 256 : 2 * t->capacity;
		const char **cells = text_alloc(capacity * sizeof(cells[0]));

		if (t->count > 0) {
			memcpy(cells, t->cells, t->count * sizeof(cells[0]));
		}
		t->cells = cells;
		t->capacity = capacity;
	}
	t->cells[t->count++] = text_clean(cell != NULL && cell[0] != 0 ? cell : "-");
}

void table_screen(int fd, size_t *columns, size_t *lines)
{
	struct winsize size = {0};

	*columns = 80;
	*lines = 24;
	if (ioctl(fd, TIOCGWINSZ, &size) != 0) {
		return;
	}
	if (size.ws_col > 0) {
		*columns = size.ws_col;
	}
	if (size.ws_row > 0) {
		*lines = size.ws_row;
	}
}

bool table_coloured(FILE *out)
{
	const char *off = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return isatty(fileno(out)) && (off == NULL || off[0] == 0) && term != NULL &&
	       strcmp(term, "dumb") != 0;
}

static const char *colour_of(const char *cell)
{
	static const struct {
		const char *word, *colour;
	} colours[] = {
		{"completed", "\033[32m"}, {"alive", "\033[32m"},       {"running", "\033[36m"},
		{"failed", "\033[31m"},    {"interrupted", "\033[31m"}, {"dead", "\033[31m"},
		{"suspect", "\033[33m"},   {"draining", "\033[33m"},    {"stopped", "\033[33m"},
	};

	for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++) {
		if (strcmp(colours[i].word, cell) == 0) {
			return colours[i].colour;
		}
	}
	return NULL;
}

/* Bytes of the first width characters. */
static size_t cut(const char *cell, size_t width)
{
	size_t at = 0;

	while (cell[at] != 0) {
		bool begins = ((unsigned char)cell[at] & 0xc0) != 0x80;

		if (begins && width-- == 0) {
			break;
		}
		at++;
	}
	return at;
}

struct layout {
	size_t columns, widths[12], width; /* width 0: no end */
	bool coloured;
};

static void print_row(const struct layout *l, const char *const *cells, FILE *out, bool header)
{
	size_t at = 0;

	for (size_t i = 0; i < l->columns; i++) {
		size_t room = l->width == 0 ? SIZE_MAX : l->width > at ? l->width - at : 0;
		size_t bytes = cut(cells[i], room);
		size_t width = text_width(cells[i]) < room ? text_width(cells[i]) : room;
		const char *colour = !l->coloured ? NULL : header ? "\033[1m" : colour_of(cells[i]);

		fprintf(out, "%s%.*s%s", colour != NULL ? colour : "", (int)bytes, cells[i],
			colour != NULL ? "\033[0m" : "");
		at += l->widths[i] + GAP;
		if (i + 1 < l->columns && (l->width == 0 || at < l->width)) {
			fprintf(out, "%*s", (int)(l->widths[i] + GAP - width), "");
		}
	}
	fputc('\n', out);
}

void table_print(const struct table *t, FILE *out, size_t width)
{
	struct layout l = {.width = width, .coloured = table_coloured(out)};
	size_t lines = 0;

	if (width == 0 && isatty(fileno(out))) {
		table_screen(fileno(out), &l.width, &lines);
	}
	for (; t->headers[l.columns] != NULL; l.columns++) {
		l.widths[l.columns] = text_width(t->headers[l.columns]);
	}
	for (size_t i = 0; i < t->count; i++) {
		size_t *widest = &l.widths[i % l.columns];

		if (text_width(t->cells[i]) > *widest) {
			*widest = text_width(t->cells[i]);
		}
	}
	print_row(&l, t->headers, out, true);
	for (size_t i = 0; i + l.columns <= t->count; i += l.columns) {
		print_row(&l, t->cells + i, out, false);
	}
}
