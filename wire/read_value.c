/* SPDX-License-Identifier: Apache-2.0 */
/* Values: what a string, a number or a boolean means by the row of its key; base64 into the sink. */
#include "base/num.h"
#include "wire/reader.h"

const struct wire_row wire_time_rows[WIRE_TIME_ROWS] = {
	{.key = "secs_since_epoch", .kind = WIRE_KIND_INT, .hi = WIRE_WHOLE},
	{.key = "nanos_since_epoch", .kind = WIRE_KIND_INT, .hi = 999999999},
};

/* ---- values by their rows */

enum wire_status wire_reader_need_kind(struct wire_reader *r, const struct wire_row *row)
{
	static const char *const wanted[] = {
		[WIRE_KIND_TEXT] = "a string is needed",
		[WIRE_KIND_SCALAR] = "a string, number or boolean is needed",
		[WIRE_KIND_BOOL] = "true or false is needed",
		[WIRE_KIND_INT] = "a whole number is needed",
		[WIRE_KIND_NUM] = "a number is needed",
		[WIRE_KIND_TIME] = "a timestamp is needed",
		[WIRE_KIND_LIST] = "an array of strings or numbers is needed",
		[WIRE_KIND_PAIRS] = "an object of strings is needed",
		[WIRE_KIND_BYTES] = "a base64 string is needed",
		[WIRE_KIND_DIGEST] = "\"sha256:\" and 64 hex digits are needed",
		[WIRE_KIND_ANY] = "a value is needed",
		[WIRE_KIND_OBJECT] = "an object is needed",
		[WIRE_KIND_OBJECTS] = "an array of objects is needed",
		[WIRE_KIND_WORD] = "one of the known words is needed",
	};

	return wire_reader_fail(r, wanted[row->kind]);
}

static enum wire_status set_text(struct wire_reader *r, const struct wire_row *row,
				 struct wire_text text)
{
	if ((int64_t)text.bytes < row->lo || (int64_t)text.bytes > row->hi) {
		return wire_reader_fail_range(r, row, "a length");
	}
	*(struct wire_text *)wire_reader_member(wire_reader_top(r), row) = text;
	return WIRE_MORE;
}

enum wire_status wire_reader_set_any(struct wire_reader *r, const struct wire_row *row,
				     struct wire_text text, bool raw)
{
	struct wire_any any = {text.at, text.bytes, raw};

	if ((int64_t)text.bytes > row->hi) {
		return wire_reader_fail_range(r, row, "a length");
	}
	*(struct wire_any *)wire_reader_member(wire_reader_top(r), row) = any;
	return WIRE_MORE;
}

/* Texts that become something else do not stay in the arena. */
static enum wire_status set_parsed(struct wire_reader *r, const struct wire_row *row,
				   struct wire_text text)
{
	void *to = wire_reader_member(wire_reader_top(r), row);
	int word;

	r->arena_used = r->text_from;
	switch (row->kind) {
	case WIRE_KIND_DIGEST:
		return wire_digest_parse(text, ((struct wire_digest *)to)->sha256)
			       ? WIRE_MORE
			       : wire_reader_need_kind(r, row);
	case WIRE_KIND_TIME:
		((struct wire_time *)to)->uptime = false;
		return wire_time_parse(text, &((struct wire_time *)to)->ms)
			       ? WIRE_MORE
			       : wire_reader_need_kind(r, row);
	default:
		word = wire_word(row->words, text);
		if (word < 0) {
			return wire_reader_need_kind(r, row);
		}
		*(uint8_t *)to = (uint8_t)word;
		return WIRE_MORE;
	}
}

enum wire_status wire_reader_set_string(struct wire_reader *r)
{
	const struct wire_row *row = wire_reader_top(r)->row;
	enum wire_status status;
	struct wire_text text;

	TRY(wire_reader_text_begin(r));
	TRY(wire_reader_text_put(r, "", 1));
	text = wire_reader_text_end(r);
	switch (row->kind) {
	case WIRE_KIND_TEXT:
	case WIRE_KIND_SCALAR:
		status = set_text(r, row, text);
		break;
	case WIRE_KIND_ANY:
		status = wire_reader_set_any(r, row, text, false);
		break;
	default:
		status = set_parsed(r, row, text);
	}
	if (status == WIRE_MORE) {
		wire_reader_mark(wire_reader_top(r));
	}
	return status;
}

/* A whole number, also when it is written as 1e3 or 2.0. */
static bool whole_number(const char *text, size_t bytes, int64_t *out)
{
	double v;

	if (num_i64(text, bytes, out)) {
		return true;
	}
	CHECK(num_f64(text, bytes, &v) && v >= -9.2e18 && v <= 9.2e18, false);
	*out = (int64_t)v;
	return (double)*out == v;
}

enum wire_status wire_reader_set_time_part(struct wire_reader *r, const char *text, size_t bytes)
{
	const struct wire_row *row = &wire_time_rows[wire_reader_top(r)->count - 1];
	struct wire_time *time = wire_reader_top(r)->object;
	int64_t v;

	if (!whole_number(text, bytes, &v) || v < 0 || v > row->hi) {
		return wire_reader_need_kind(r, wire_reader_top(r)->row);
	}
	time->ms += row == wire_time_rows ? v * 1000 : v / 1000000;
	return WIRE_MORE;
}

static enum wire_status set_scalar_text(struct wire_reader *r, const char *text, size_t bytes)
{
	const struct wire_row *row = wire_reader_top(r)->row;

	TRY(wire_reader_text_begin(r));
	TRY(wire_reader_text_put(r, text, bytes));
	TRY(wire_reader_text_put(r, "", 1));
	TRY(row->kind == WIRE_KIND_ANY ? wire_reader_set_any(r, row, wire_reader_text_end(r), true)
				       : set_text(r, row, wire_reader_text_end(r)));
	wire_reader_mark(wire_reader_top(r));
	return WIRE_MORE;
}

enum wire_status wire_reader_set_number(struct wire_reader *r, const char *text, size_t bytes)
{
	const struct wire_row *row = wire_reader_top(r)->row;
	void *to = wire_reader_member(wire_reader_top(r), row);
	double real;
	int64_t v;

	switch (row->kind) {
	case WIRE_KIND_INT:
		if (!whole_number(text, bytes, &v) || v < row->lo || v > row->hi) {
			return wire_reader_fail_range(r, row, "a whole number");
		}
		*(int64_t *)to = v;
		break;
	case WIRE_KIND_NUM:
		if (!num_f64(text, bytes, &real) || real - real != 0) {
			return wire_reader_need_kind(r, row); /* no number, or too large for one */
		}
		*(double *)to = real;
		break;
	case WIRE_KIND_TIME:
		if (!num_f64(text, bytes, &real) || real < 0 || real > 9e15) {
			return wire_reader_need_kind(r, row);
		}
		*(struct wire_time *)to = (struct wire_time){(int64_t)real, true};
		break;
	case WIRE_KIND_SCALAR:
	case WIRE_KIND_ANY:
		return set_scalar_text(r, text, bytes);
	default:
		return wire_reader_need_kind(r, row);
	}
	wire_reader_mark(wire_reader_top(r));
	return WIRE_MORE;
}

enum wire_status wire_reader_set_bool(struct wire_reader *r, bool v)
{
	const struct wire_row *row = wire_reader_top(r)->row;

	if (row->kind == WIRE_KIND_SCALAR || row->kind == WIRE_KIND_ANY) {
		return set_scalar_text(r, v ? "true" : "false", v ? 4 : 5);
	}
	if (row->kind != WIRE_KIND_BOOL) {
		return wire_reader_need_kind(r, row);
	}
	*(bool *)wire_reader_member(wire_reader_top(r), row) = v;
	wire_reader_mark(wire_reader_top(r));
	return WIRE_MORE;
}

/* ---- base64 */

static int base64_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z') {
		return c - 'A';
	}
	if (c >= 'a' && c <= 'z') {
		return c - 'a' + 26;
	}
	if (c >= '0' && c <= '9') {
		return c - '0' + 52;
	}
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static void base64_out(struct wire_reader *r, int bytes)
{
	for (int i = 0; i < bytes; i++) {
		r->sink[r->sink_used++] = (uint8_t)(r->base64_bits >> (16 - 8 * i));
	}
	r->data_bytes += (uint32_t)bytes;
	r->base64_bits = 0;
	r->base64_count = 0;
}

/* Takes what the sink has room for; returns how much, or -1 when it is not base64. */
static long base64_take(struct wire_reader *r, const char *text, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes && r->sink_bytes - r->sink_used >= 3; i++) {
		int v = base64_value((uint8_t)text[i]);

		if (text[i] == '=' && r->base64_count >= 2) {
			r->base64_pad++;
			v = 0;
		} else if (v < 0 || r->base64_pad != 0) {
			return -1;
		}
		r->base64_bits |= (uint32_t)v << (18 - 6 * r->base64_count);
		if (++r->base64_count == 4) {
			base64_out(r, 3 - r->base64_pad);
		}
	}
	return (long)i;
}

bool wire_reader_base64_room(const struct wire_reader *r)
{
	return r->sink_bytes - r->sink_used >= 3;
}

enum wire_status wire_reader_bytes_part(struct wire_reader *r, const char *text, size_t bytes,
					const uint8_t **p)
{
	long taken;

	if (!r->text_open) {
		if (((struct wire_limits *)r->message)->seen >>
			    (wire_reader_top(r)->row - wire_reader_top(r)->table->rows) &
		    1) {
			return wire_reader_fail(r, "the key is there twice");
		}
		r->text_open = true;
		r->row = wire_reader_top(r)->row;
		r->data_bytes = 0;
		r->base64_count = r->base64_pad = 0;
		r->base64_bits = 0;
		if (r->keep) {
			r->sink = (uint8_t *)r->arena + r->arena_used;
			r->sink_bytes = r->arena_bytes - r->arena_used;
		}
	}
	taken = base64_take(r, text, bytes);
	if (taken < 0) {
		return wire_reader_fail(r, "not base64 (RFC 4648, with padding)");
	}
	if ((size_t)taken < bytes && (r->keep || r->sink_used == 0)) {
		return wire_reader_fail(r, "there is no room for its data");
	}
	*p -= bytes - (size_t)taken;
	return WIRE_MORE;
}

enum wire_status wire_reader_bytes_end(struct wire_reader *r)
{
	static const uint8_t nothing;
	const uint8_t *none = &nothing;
	struct wire_bytes *to;

	TRY(wire_reader_bytes_part(r, "", 0, &none));
	r->text_open = false;
	if (r->base64_count != 0) {
		return wire_reader_fail(r, "base64 is cut off: its length is no multiple of 4");
	}
	to = wire_reader_member(wire_reader_top(r), r->row);
	to->bytes = r->data_bytes;
	if (r->keep) {
		to->at = r->sink;
		r->arena_used += r->sink_used;
		r->sink_used = 0;
	}
	wire_reader_mark(wire_reader_top(r));
	return WIRE_MORE;
}
