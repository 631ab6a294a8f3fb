/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structs to JSON. The whole message is gone through each time, but only a window of it is put
 * down: so a message of any length can be sent through a small buffer, and measured with none.
 *
 * Rules:  1. What is put depends on the message alone, never on the window.
 *         2. Long base64 is not encoded outside the window.
 */
#include "base/fmt.h"
#include "wire/wire.h"

struct window {
	char *buf;
	size_t from, to; /* of the message's bytes */
	size_t at;
};

static void put(struct window *w, const char *text, size_t bytes)
{
	if (w->at + bytes > w->from && w->at < w->to) {
		size_t skip = w->at < w->from ? w->from - w->at : 0;
		size_t n = BASE_MIN(bytes, w->to - w->at) - skip;

		memcpy(w->buf + (w->at + skip - w->from), text + skip, n);
	}
	w->at += bytes;
}

static void put_str(struct window *w, const char *text)
{
	put(w, text, strlen(text));
}

static void put_escape(struct window *w, uint8_t c)
{
	static const char short_from[] = "\"\\\b\f\n\r\t", short_to[] = "\"\\bfnrt";
	const char *found = c != 0 ? memchr(short_from, c, sizeof(short_from) - 1) : NULL;
	char out[8] = "\\u00";

	if (found != NULL) {
		out[1] = short_to[found - short_from];
		put(w, out, 2);
		return;
	}
	out[4] = "0123456789abcdef"[c >> 4];
	out[5] = "0123456789abcdef"[c & 15];
	put(w, out, 6);
}

static bool plain(uint8_t c)
{
	return c >= 0x20 && c != '"' && c != '\\';
}

static void put_string(struct window *w, const char *text, size_t bytes)
{
	size_t at = 0;

	put(w, "\"", 1);
	while (at < bytes) {
		size_t run = 0, valid = wire_utf8_valid(text + at, bytes - at);

		if (valid == 0) {
			put_str(w, "\xEF\xBF\xBD");
			at++;
			continue;
		}
		for (size_t end = at + valid; at < end; at += run) {
			for (run = 0; at + run < end && plain((uint8_t)text[at + run]); run++) {
			}
			put(w, text + at, run);
			if (at + run < end) {
				put_escape(w, (uint8_t)text[at + run]);
				run++;
			}
		}
	}
	put(w, "\"", 1);
}

static void put_int(struct window *w, int64_t v)
{
	char out[24];
	size_t at = sizeof(out);
	uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	do {
		out[--at] = (char)('0' + left % 10);
		left /= 10;
	} while (left != 0);
	if (v < 0) {
		out[--at] = '-';
	}
	put(w, out + at, sizeof(out) - at);
}

static void put_real(struct window *w, double v)
{
	char out[FMT_FLOAT_BYTES];

	if (v != v || v - v != 0) {
		put_str(w, "null"); /* JSON has neither NaN nor infinity */
		return;
	}
	put(w, out, fmt_f64(out, v));
}

static void put_base64(struct window *w, const struct wire_bytes *data)
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t groups = (data->bytes + 2) / 3, g = 0, last = groups, at;

	put(w, "\"", 1);
	at = w->at;
	if (w->from > at) {
		g = BASE_MIN(groups, (w->from - at) / 4);
	}
	if (w->to < at + groups * 4) {
		last = w->to > at ? (w->to - at + 3) / 4 : g;
	}
	w->at = at + g * 4;
	for (; g < last; g++) {
		size_t left = data->bytes - g * 3;
		const uint8_t *p = data->at + g * 3;
		uint32_t bits =
			(uint32_t)p[0] << 16 | (left > 1 ? p[1] << 8 : 0) | (left > 2 ? p[2] : 0);
		char out[4] = {digit[bits >> 18], digit[bits >> 12 & 63],
			       left > 1 ? digit[bits >> 6 & 63] : '=',
			       left > 2 ? digit[bits & 63] : '='};

		put(w, out, 4);
	}
	w->at = at + groups * 4;
	put(w, "\"", 1);
}

/* Whether the text is a number as JSON writes it, more or less: digits, sign, point, exponent. */
static bool number_like(struct wire_text t)
{
	uint32_t i = t.bytes > 0 && t.at[0] == '-', digits = i;
	int points = 0;

	CHECK(t.bytes <= WIRE_NUMBER_BYTES_MAX, false);
	for (; i < t.bytes; i++) {
		bool point = t.at[i] == '.' && i > digits && i + 1 < t.bytes;

		points += point;
		CHECK(point || (t.at[i] >= '0' && t.at[i] <= '9'), false);
	}
	CHECK(points <= 1 && t.bytes > digits, false);
	return t.at[digits] != '0' || t.bytes == digits + 1 || t.at[digits + 1] == '.';
}

static void put_list(struct window *w, const struct wire_list *list)
{
	struct wire_text item;
	uint32_t at = 0;

	put(w, "[", 1);
	while (wire_list_next(list, &at, &item)) {
		if (list->numbers && number_like(item)) {
			put(w, item.at, item.bytes);
		} else {
			put_string(w, item.at, item.bytes);
		}
		put(w, ",", at < list->bytes);
	}
	put(w, "]", 1);
}

static void put_pairs(struct window *w, const struct wire_list *list)
{
	struct wire_text key, value;
	uint32_t at = 0;

	put(w, "{", 1);
	while (wire_list_next(list, &at, &key) && wire_list_next(list, &at, &value)) {
		put_string(w, key.at, key.bytes);
		put(w, ":", 1);
		put_string(w, value.at, value.bytes);
		put(w, ",", at < list->bytes);
	}
	put(w, "}", 1);
}

static void put_time(struct window *w, const struct wire_time *time)
{
	char out[WIRE_TIME_TEXT];

	if (time->uptime) {
		put_int(w, time->ms);
		return;
	}
	wire_time_text(time->ms, out);
	put_string(w, out, strlen(out));
}

static void put_digest(struct window *w, const struct wire_digest *digest)
{
	char out[WIRE_DIGEST_TEXT];

	wire_digest_text(digest->sha256, out);
	put_string(w, out, WIRE_DIGEST_TEXT - 1);
}

static void put_any(struct window *w, const struct wire_any *any)
{
	if (any->raw) {
		put(w, any->at, any->bytes);
	} else {
		put_string(w, any->at, any->bytes);
	}
}

static void put_scalar(struct window *w, const struct wire_row *row, const void *from)
{
	const struct wire_text *text = from;

	switch (row->kind) {
	case WIRE_KIND_BOOL:
		put_str(w, *(const bool *)from ? "true" : "false");
		break;
	case WIRE_KIND_INT:
		put_int(w, *(const int64_t *)from);
		break;
	case WIRE_KIND_NUM:
		put_real(w, *(const double *)from);
		break;
	case WIRE_KIND_TIME:
		put_time(w, from);
		break;
	case WIRE_KIND_LIST:
		put_list(w, from);
		break;
	case WIRE_KIND_PAIRS:
		put_pairs(w, from);
		break;
	case WIRE_KIND_BYTES:
		put_base64(w, from);
		break;
	case WIRE_KIND_DIGEST:
		put_digest(w, from);
		break;
	case WIRE_KIND_ANY:
		put_any(w, from);
		break;
	case WIRE_KIND_WORD:
		put_string(w, row->words[*(const uint8_t *)from],
			   strlen(row->words[*(const uint8_t *)from]));
		break;
	default:
		put_string(w, text->at, text->bytes);
	}
}

/* Where the writer is: an object, its next row, and the chain it is an item of. */
struct place {
	const struct wire_table *table;
	const char *object;
	uint32_t row;
	bool comma, in_array;
};

enum {
	PLACES_MAX = 4
};

static struct place enter(struct window *w, const struct wire_table *table, const void *object,
			  bool in_array)
{
	put(w, "{", 1);
	return (struct place){.table = table, .object = object, .in_array = in_array};
}

/* Ends an object; returns whether the next item of its array has been begun in its place. */
static bool leave(struct window *w, struct place *at)
{
	const struct wire_link *link = (const struct wire_link *)at->object;

	put(w, "}", 1);
	if (!at->in_array) {
		return false;
	}
	if (link->next == NULL) {
		put(w, "]", 1);
		return false;
	}
	put(w, ",", 1);
	*at = enter(w, at->table, link->next, true);
	return true;
}

/* Puts key and value of a row; for an OBJECT or OBJECTS that has items *into is where to go on. */
static bool put_row(struct window *w, const struct wire_row *row, const char *object,
		    struct place *into)
{
	const void *from = object + row->offset;

	put_string(w, row->key, strlen(row->key));
	put(w, ":", 1);
	if (row->kind == WIRE_KIND_OBJECT) {
		*into = enter(w, row->sub, from, false);
		return true;
	}
	if (row->kind == WIRE_KIND_OBJECTS) {
		const struct wire_objects *objects = from;

		put(w, "[", 1);
		if (objects->first == NULL) {
			put(w, "]", 1);
			return false;
		}
		*into = enter(w, row->sub, objects->first, true);
		return true;
	}
	put_scalar(w, row, from);
	return false;
}

size_t wire_write(const struct wire_table *table, const void *message, size_t from, char *buf,
		  size_t cap)
{
	struct window w = {.buf = buf, .from = from, .to = from + cap};
	struct place place[PLACES_MAX];
	int depth = 0;

	place[0] = enter(&w, table, message, false);
	while (depth >= 0) {
		struct place *at = &place[depth];
		const struct wire_row *row = &at->table->rows[at->row];

		if (at->row == at->table->row_count) {
			depth -= !leave(&w, at);
			continue;
		}
		if (((const struct wire_limits *)(const void *)at->object)->seen >> at->row++ & 1) {
			ASSERT(depth + 1 < PLACES_MAX);
			put(&w, ",", at->comma);
			at->comma = true;
			depth += put_row(&w, row, at->object, &place[depth + 1]);
		}
	}
	return w.at;
}
