/* SPDX-License-Identifier: Apache-2.0 */
/* Private to wire/: what read.c (tokens and levels) and read_value.c (values) offer each other. */
#ifndef WIRE_READER_H
#define WIRE_READER_H

#include "wire/wire.h"

/* ---- read.c */

/* The innermost level. */
struct wire_level_state *wire_reader_top(struct wire_reader *r);
/* WIRE_ERROR, with the path of the key at hand and why in diag. */
enum wire_status wire_reader_fail(struct wire_reader *r, const char *why);
/* The same: "WHAT from LO to HI is needed", of the row. */
enum wire_status wire_reader_fail_range(struct wire_reader *r, const struct wire_row *row,
					const char *what);
/* A text in the arena: begin (if it has not begun), put its parts and a 0, end. */
enum wire_status wire_reader_text_begin(struct wire_reader *r);
enum wire_status wire_reader_text_put(struct wire_reader *r, const void *text, size_t bytes);
struct wire_text wire_reader_text_end(struct wire_reader *r);
/* Where the row's member is. */
void *wire_reader_member(const struct wire_level_state *level, const struct wire_row *row);
/* Notes in `seen` that the level's key was there. */
void wire_reader_mark(struct wire_level_state *level);

/* ---- read_value.c: each sets the member of the key at hand and marks it */

enum {
	WIRE_TIME_ROWS = 2
};
/* The members of a TIME in pieces: "secs_since_epoch" and "nanos_since_epoch". */
extern const struct wire_row wire_time_rows[WIRE_TIME_ROWS];

/* WIRE_ERROR: a value of the row's kind is needed. */
enum wire_status wire_reader_need_kind(struct wire_reader *r, const struct wire_row *row);
enum wire_status wire_reader_set_any(struct wire_reader *r, const struct wire_row *row,
				     struct wire_text text, bool raw);
enum wire_status wire_reader_set_string(struct wire_reader *r);
enum wire_status wire_reader_set_number(struct wire_reader *r, const char *text, size_t bytes);
enum wire_status wire_reader_set_bool(struct wire_reader *r, bool v);
enum wire_status wire_reader_set_time_part(struct wire_reader *r, const char *text, size_t bytes);
/* Base64: *p moves back over what the sink has no room for. */
enum wire_status wire_reader_bytes_part(struct wire_reader *r, const char *text, size_t bytes,
					const uint8_t **p);
enum wire_status wire_reader_bytes_end(struct wire_reader *r);
bool wire_reader_base64_room(const struct wire_reader *r);

#endif
