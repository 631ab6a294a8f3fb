/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens to structs: what each key of a message's table means.
 *
 * States: a stack of levels: the message, an OBJECT in it, an array of OBJECTS and its items, a
 *         LIST, PAIRS, or the object form of a TIME. mode says what becomes of the value at hand:
 *         KNOWN (by its row), SKIP (unknown or ignored), RAW (kept as JSON, for ANY).
 * Rules:  1. At most one text is being written to the arena at a time, at its end.
 *         2. Items of a LIST or PAIRS lie one after the other: nothing else is put between them.
 */
#include "base/fmt.h"
#include "wire/json.h"
#include "wire/reader.h"

enum mode {
	MODE_KNOWN,
	MODE_SKIP,
	MODE_RAW,
};

/* ---- errors */

struct wire_level_state *wire_reader_top(struct wire_reader *r)
{
	return &r->level[r->level_count - 1];
}

/* "start.limits.fuel: " into diag; returns its length. */
static size_t put_path(struct wire_reader *r)
{
	size_t n = fmt_str(r->diag, sizeof(r->diag), "%s", r->table->name);

	for (int i = 0; i < r->level_count && n < sizeof(r->diag); i++) {
		const struct wire_level_state *level = &r->level[i];
		bool array = level->table == NULL && level->row->kind != WIRE_KIND_TIME;

		if (array && level->row->kind != WIRE_KIND_PAIRS) {
			n += fmt_str(r->diag + n, sizeof(r->diag) - n, "[%u]",
				     (unsigned)level->count);
		} else if (level->table != NULL && level->row != NULL) {
			n += fmt_str(r->diag + n, sizeof(r->diag) - n, ".%s", level->row->key);
		}
	}
	return BASE_MIN(n, sizeof(r->diag) - 1);
}

enum wire_status wire_reader_fail(struct wire_reader *r, const char *why)
{
	size_t n = put_path(r);

	fmt_str(r->diag + n, sizeof(r->diag) - n, ": %s", why);
	r->failed = true;
	return WIRE_ERROR;
}

enum wire_status wire_reader_fail_range(struct wire_reader *r, const struct wire_row *row,
					const char *what)
{
	size_t n = put_path(r);

	fmt_str(r->diag + n, sizeof(r->diag) - n, ": %s from %lld to %lld is needed", what,
		(long long)row->lo, (long long)row->hi);
	r->failed = true;
	return WIRE_ERROR;
}

/* ---- the arena */

enum wire_status wire_reader_text_put(struct wire_reader *r, const void *text, size_t bytes)
{
	if (bytes > r->arena_bytes - r->arena_used) {
		return wire_reader_fail(r, "the message has more text than there is room for");
	}
	memcpy(r->arena + r->arena_used, text, bytes);
	r->arena_used += (uint32_t)bytes;
	return WIRE_MORE;
}

struct wire_text wire_reader_text_end(struct wire_reader *r)
{
	struct wire_text text = {r->arena + r->text_from, r->arena_used - r->text_from - 1};

	r->text_open = false;
	return text;
}

enum wire_status wire_reader_text_begin(struct wire_reader *r)
{
	static const char length[4];

	if (r->text_open) {
		return WIRE_MORE;
	}
	r->text_open = true;
	if (wire_reader_top(r)->table == NULL && wire_reader_top(r)->row->kind != WIRE_KIND_TIME) {
		TRY(wire_reader_text_put(r, length,
					 sizeof(length))); /* set when the item is whole */
	}
	r->text_from = r->arena_used;
	return WIRE_MORE;
}

static void *arena_object(struct wire_reader *r, size_t bytes)
{
	size_t at = base_align_up((uintptr_t)(r->arena + r->arena_used), 8) - (uintptr_t)r->arena;

	if (at > r->arena_bytes || bytes > r->arena_bytes - at) {
		return NULL;
	}
	r->arena_used = (uint32_t)(at + bytes);
	memset(r->arena + at, 0, bytes);
	return r->arena + at;
}

/* ---- levels and rows */

void *wire_reader_member(const struct wire_level_state *level, const struct wire_row *row)
{
	return (char *)level->object + row->offset;
}

void wire_reader_mark(struct wire_level_state *level)
{
	if (level->table != NULL && level->row != NULL) {
		/* `seen` follows the link in every struct. */
		struct wire_limits *any = level->object;

		any->seen |= UINT64_C(1) << (level->row - level->table->rows);
	}
}

static enum wire_status push(struct wire_reader *r, const struct wire_table *table,
			     const struct wire_row *row, void *object)
{
	ASSERT(r->level_count < WIRE_LEVELS_MAX);
	r->level[r->level_count++] =
		(struct wire_level_state){.table = table, .row = row, .object = object};
	return WIRE_MORE;
}

static const struct wire_row *find_row(const struct wire_row *rows, size_t count, const char *key,
				       size_t bytes)
{
	for (size_t i = 0; i < count; i++) {
		const char *have = rows[i].key;

		if (have[0] == key[0] && strlen(have) == bytes && memcmp(have, key, bytes) == 0) {
			return &rows[i];
		}
	}
	return NULL;
}

static enum wire_status key_known(struct wire_reader *r)
{
	struct wire_level_state *level = wire_reader_top(r);

	level->row = r->key_long ? NULL
				 : find_row(level->table->rows, level->table->row_count, r->key,
					    r->key_bytes);
	r->mode = level->row == NULL ? MODE_SKIP : MODE_KNOWN;
	if (r->mode == MODE_KNOWN && r->level_count == 1 &&
	    (r->ignore >> (level->row - level->table->rows) & 1)) {
		r->mode = MODE_SKIP;
	}
	return WIRE_MORE;
}

/* In the object form of a TIME: count keeps which of its keys comes, +1. */
static void key_time(struct wire_reader *r)
{
	const struct wire_row *row =
		find_row(wire_time_rows, (size_t)WIRE_TIME_ROWS, r->key, r->key_bytes);

	wire_reader_top(r)->count =
		row == NULL || r->key_long ? 0 : (uint32_t)(row - wire_time_rows) + 1;
	r->mode = wire_reader_top(r)->count == 0 ? MODE_SKIP : MODE_KNOWN;
}

/* Ends an item of a LIST or PAIRS, whose text is in the arena. */
static enum wire_status item_end(struct wire_reader *r)
{
	struct wire_level_state *level = wire_reader_top(r);
	struct wire_list *list = level->object;
	struct wire_text text;

	TRY(wire_reader_text_begin(r)); /* an empty string has no part */
	TRY(wire_reader_text_put(r, "", 1));
	text = wire_reader_text_end(r);
	base_store_u32(r->arena + r->text_from - 4, text.bytes);
	if (list->count == 0) {
		list->at = text.at - 4;
	}
	list->count++;
	list->bytes += 4 + text.bytes + 1;
	level->count++;
	if (level->row->kind == WIRE_KIND_LIST && (int64_t)list->count > level->row->hi) {
		return wire_reader_fail(r, "too many items");
	}
	return WIRE_MORE;
}

static enum wire_status key_part(struct wire_reader *r, const char *text, size_t bytes)
{
	if (wire_reader_top(r)->table == NULL && wire_reader_top(r)->row->kind == WIRE_KIND_PAIRS) {
		TRY(wire_reader_text_begin(r));
		return wire_reader_text_put(r, text, bytes);
	}
	if (bytes > sizeof(r->key) - r->key_bytes) {
		r->key_long = true;
		return WIRE_MORE;
	}
	memcpy(r->key + r->key_bytes, text, bytes);
	r->key_bytes += (uint8_t)bytes;
	return WIRE_MORE;
}

static enum wire_status key_end(struct wire_reader *r)
{
	enum wire_status status = WIRE_MORE;

	if (wire_reader_top(r)->table != NULL) {
		status = key_known(r);
	} else if (wire_reader_top(r)->row->kind == WIRE_KIND_PAIRS) {
		status = item_end(r);
	} else {
		key_time(r);
	}
	r->key_bytes = 0;
	r->key_long = false;
	return status;
}

/* ---- values as JSON, for ANY */

static enum wire_status raw_put(struct wire_reader *r, const char *text)
{
	return wire_reader_text_put(r, text, strlen(text));
}

static enum wire_status raw_string(struct wire_reader *r, const char *text, size_t bytes)
{
	char out[6];

	for (size_t i = 0; i < bytes; i++) {
		uint8_t c = (uint8_t)text[i];
		size_t n = 1;

		out[0] = (char)c;
		if (c == '"' || c == '\\') {
			out[0] = '\\';
			out[n++] = (char)c;
		} else if (c < 0x20) {
			fmt_str(out, sizeof(out), "\\u00");
			out[4] = "0123456789abcdef"[c >> 4];
			out[5] = "0123456789abcdef"[c & 15];
			n = 6;
		}
		TRY(wire_reader_text_put(r, out, n));
	}
	return WIRE_MORE;
}

/* The comma between items, the quotation mark before a string's first part. */
static enum wire_status raw_before(struct wire_reader *r, bool string)
{
	if (string && r->text_open) {
		return WIRE_MORE;
	}
	if (r->raw_comma) {
		TRY(raw_put(r, ","));
		r->raw_comma = false;
	}
	r->text_open = string;
	return string ? raw_put(r, "\"") : WIRE_MORE;
}

static enum wire_status raw_token(struct wire_reader *r, enum json_token token, const char *text,
				  size_t bytes)
{
	static const char *const fixed[] = {
		[JSON_OBJECT] = "{",    [JSON_OBJECT_END] = "}", [JSON_ARRAY] = "[",
		[JSON_ARRAY_END] = "]", [JSON_TRUE] = "true",    [JSON_FALSE] = "false",
		[JSON_NULL] = "null",
	};
	bool string = token == JSON_TEXT || token == JSON_KEY || token == JSON_TEXT_END ||
		      token == JSON_KEY_END;

	if (token == JSON_OBJECT_END || token == JSON_ARRAY_END) {
		r->raw_comma = false;
	}
	TRY(raw_before(r, string));
	r->raw_comma = true;
	switch (token) {
	case JSON_TEXT:
	case JSON_KEY:
		return raw_string(r, text, bytes);
	case JSON_KEY_END:
		r->text_open = false;
		r->raw_comma = false;
		return raw_put(r, "\":");
	case JSON_TEXT_END:
		r->text_open = false;
		return raw_put(r, "\"");
	case JSON_NUMBER:
		return wire_reader_text_put(r, text, bytes);
	case JSON_OBJECT:
	case JSON_ARRAY:
		r->raw_comma = false;
		/* fall through */
	default:
		return raw_put(r, fixed[token]);
	}
}

/* ---- tokens */

/* Whether the token ends a value that is skipped or kept raw. */
static bool passes_by(struct wire_reader *r, enum json_token token)
{
	if (token == JSON_OBJECT || token == JSON_ARRAY) {
		r->skip_depth++;
		return false;
	}
	if (token == JSON_OBJECT_END || token == JSON_ARRAY_END) {
		r->skip_depth--;
	}
	return r->skip_depth == 0 && token != JSON_TEXT;
}

static enum wire_status token_raw(struct wire_reader *r, enum json_token token, const char *text,
				  size_t bytes)
{
	struct wire_text whole;

	TRY(raw_token(r, token, text, bytes));
	if (!passes_by(r, token)) {
		return WIRE_MORE;
	}
	r->mode = MODE_KNOWN;
	TRY(wire_reader_text_put(r, "", 1));
	whole = wire_reader_text_end(r);
	TRY(wire_reader_set_any(r, wire_reader_top(r)->row, whole, true));
	wire_reader_mark(wire_reader_top(r));
	return WIRE_MORE;
}

static enum wire_status raw_begin(struct wire_reader *r, enum json_token token)
{
	TRY(wire_reader_text_begin(r));
	r->text_open = r->raw_comma = false;
	r->skip_depth = 0;
	r->mode = MODE_RAW;
	return token_raw(r, token, "", 0);
}

/* '{' or '[' as the value of a row of the message. */
static enum wire_status open_value(struct wire_reader *r, enum json_token token)
{
	const struct wire_row *row = wire_reader_top(r)->row;
	void *to = wire_reader_member(wire_reader_top(r), row);
	bool array = token == JSON_ARRAY;

	if (row->kind == WIRE_KIND_ANY) {
		return raw_begin(r, token);
	}
	if (array != (row->kind == WIRE_KIND_LIST || row->kind == WIRE_KIND_OBJECTS)) {
		return wire_reader_need_kind(r, row);
	}
	switch (row->kind) {
	case WIRE_KIND_OBJECT:
		wire_reader_mark(wire_reader_top(r));
		return push(r, row->sub, NULL, to);
	case WIRE_KIND_LIST:
	case WIRE_KIND_PAIRS:
		memset(to, 0, sizeof(struct wire_list));
		wire_reader_mark(wire_reader_top(r));
		return push(r, NULL, row, to);
	case WIRE_KIND_OBJECTS:
		wire_reader_mark(wire_reader_top(r));
		return push(r, NULL, row, to);
	case WIRE_KIND_TIME:
		memset(to, 0, sizeof(struct wire_time));
		wire_reader_mark(wire_reader_top(r));
		return push(r, NULL, row, to);
	default:
		return wire_reader_need_kind(r, row);
	}
}

/* '{' as an item of an array of objects. */
static enum wire_status open_item(struct wire_reader *r)
{
	struct wire_level_state *level = wire_reader_top(r);
	struct wire_objects *objects = level->object;
	struct wire_link *object;

	if ((int64_t)objects->count >= level->row->hi) {
		return wire_reader_fail(r, "too many items");
	}
	object = arena_object(r, level->row->sub->bytes);
	if (object == NULL) {
		return wire_reader_fail(r, "the message has more items than there is room for");
	}
	if (objects->last != NULL) {
		/* The chain is ours until the message is whole. */
		((struct wire_link *)(uintptr_t)objects->last)->next = object;
	} else {
		objects->first = object;
	}
	objects->last = object;
	objects->count++;
	return push(r, level->row->sub, NULL, object);
}

static enum wire_status missing(struct wire_reader *r, const struct wire_level_state *level)
{
	const struct wire_limits *any = level->object;

	for (uint32_t i = 0; i < level->table->row_count; i++) {
		const struct wire_row *row = &level->table->rows[i];

		if (row->need && !(any->seen >> i & 1)) {
			wire_reader_top(r)->row = row;
			return wire_reader_fail(r, "the key is missing");
		}
	}
	return WIRE_MORE;
}

static enum wire_status close_level(struct wire_reader *r)
{
	if (wire_reader_top(r)->table != NULL) {
		TRY(missing(r, wire_reader_top(r)));
	}
	if (r->level_count == 1) {
		r->whole = true;
		return WIRE_MORE;
	}
	r->level_count--;
	if (wire_reader_top(r)->table == NULL) {
		wire_reader_top(r)->count++; /* an item of an array of objects */
	}
	return WIRE_MORE;
}

/* A token inside a LIST, PAIRS, an array of OBJECTS or a TIME's object. */
static enum wire_status token_inside(struct wire_reader *r, enum json_token token, const char *text,
				     size_t bytes)
{
	const struct wire_row *row = wire_reader_top(r)->row;
	bool strings = row->kind == WIRE_KIND_LIST || row->kind == WIRE_KIND_PAIRS;

	if (row->kind == WIRE_KIND_OBJECTS) {
		return token == JSON_OBJECT ? open_item(r) : wire_reader_need_kind(r, row);
	}
	if (row->kind == WIRE_KIND_TIME) {
		return token == JSON_NUMBER ? wire_reader_set_time_part(r, text, bytes)
					    : wire_reader_need_kind(r, row);
	}
	if (strings && token == JSON_TEXT) {
		TRY(wire_reader_text_begin(r));
		return wire_reader_text_put(r, text, bytes);
	}
	if (token == JSON_NUMBER) {
		TRY(wire_reader_text_begin(r));
		TRY(wire_reader_text_put(r, text, bytes));
	} else if (token == JSON_TRUE || token == JSON_FALSE) {
		TRY(wire_reader_text_begin(r));
		TRY(raw_put(r, token == JSON_TRUE ? "true" : "false"));
	} else if (token != JSON_TEXT_END && token != JSON_NULL) {
		return wire_reader_need_kind(r, row);
	}
	return item_end(r);
}

static bool takes_text(const struct wire_row *row)
{
	return row->kind == WIRE_KIND_TEXT || row->kind == WIRE_KIND_SCALAR ||
	       row->kind == WIRE_KIND_ANY || row->kind == WIRE_KIND_DIGEST ||
	       row->kind == WIRE_KIND_TIME || row->kind == WIRE_KIND_WORD;
}

/* A token that is the value of a key. */
static enum wire_status token_value(struct wire_reader *r, enum json_token token, const char *text,
				    size_t bytes, const uint8_t **p)
{
	const struct wire_row *row = wire_reader_top(r)->row;

	switch (token) {
	case JSON_TEXT:
		if (row->kind == WIRE_KIND_BYTES) {
			return wire_reader_bytes_part(r, text, bytes, p);
		}
		if (!takes_text(row)) {
			return wire_reader_need_kind(r, row);
		}
		TRY(wire_reader_text_begin(r));
		return wire_reader_text_put(r, text, bytes);
	case JSON_TEXT_END:
		if (row->kind == WIRE_KIND_BYTES) {
			return wire_reader_bytes_end(r);
		}
		return takes_text(row) ? wire_reader_set_string(r) : wire_reader_need_kind(r, row);
	case JSON_NUMBER:
		return wire_reader_set_number(r, text, bytes);
	case JSON_TRUE:
	case JSON_FALSE:
		return wire_reader_set_bool(r, token == JSON_TRUE);
	case JSON_NULL:
		return WIRE_MORE;
	default:
		return open_value(r, token);
	}
}

static enum wire_status take(struct wire_reader *r, enum json_token token, const char *text,
			     size_t bytes, const uint8_t **p)
{
	if (!r->begun) {
		r->begun = true;
		return token == JSON_OBJECT
			       ? push(r, r->table, NULL, r->message)
			       : wire_reader_fail(r, "the message is not a JSON object");
	}
	if (r->mode == MODE_RAW) {
		return token_raw(r, token, text, bytes);
	}
	if (r->mode == MODE_SKIP) {
		r->mode = passes_by(r, token) ? MODE_KNOWN : MODE_SKIP;
		return WIRE_MORE;
	}
	switch (token) {
	case JSON_KEY:
		return key_part(r, text, bytes);
	case JSON_KEY_END:
		return key_end(r);
	case JSON_OBJECT_END:
	case JSON_ARRAY_END:
		return close_level(r);
	default:
		return wire_reader_top(r)->table != NULL ? token_value(r, token, text, bytes, p)
							 : token_inside(r, token, text, bytes);
	}
}

/* ---- public */

void wire_read_begin(struct wire_reader *r, const struct wire_table *table, void *message,
		     void *arena, size_t arena_bytes, uint64_t ignore)
{
	memset(r, 0, sizeof(*r));
	memset(message, 0, table->bytes);
	r->table = table;
	r->message = message;
	r->arena = arena;
	r->arena_bytes = (uint32_t)BASE_MIN(arena_bytes, (size_t)UINT32_MAX);
	r->ignore = ignore;
	wire_json_begin(&r->json);
}

enum wire_status wire_read(struct wire_reader *r, const void **piece, size_t *bytes)
{
	const uint8_t *p = *piece, *end = p + *bytes;
	enum wire_status status = WIRE_MORE;
	const char *text = "";
	size_t n = 0;

	if (r->failed) {
		return WIRE_ERROR;
	}
	r->sink_used = 0;
	while (p < end && status == WIRE_MORE) {
		enum json_token token;

		if (!r->keep && r->sink_used > 0 &&
		    (!wire_reader_base64_room(r) || !r->text_open)) {
			break; /* the sink is full, or the data is whole */
		}
		token = wire_json_next(&r->json, &p, end, &text, &n);
		if (token == JSON_ERROR) {
			status = wire_reader_fail(r, text);
		} else if (token != JSON_MORE) {
			status = take(r, token, text, n, &p);
		}
	}
	*bytes = (size_t)(end - p);
	*piece = p;
	return status == WIRE_MORE && r->sink_used > 0 && !r->keep ? WIRE_DATA : status;
}

enum wire_status wire_read_end(struct wire_reader *r)
{
	if (r->failed) {
		return WIRE_ERROR;
	}
	return r->whole ? WIRE_DONE : wire_reader_fail(r, "the message is cut off");
}

enum wire_status wire_read_all(struct wire_reader *r, const struct wire_table *table, void *message,
			       void *arena, size_t arena_bytes, const void *json, size_t bytes)
{
	wire_read_begin(r, table, message, arena, arena_bytes, 0);
	r->keep = true;
	TRY(wire_read(r, &json, &bytes));
	return wire_read_end(r);
}
