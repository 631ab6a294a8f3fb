/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON as tokens.
 *
 * States:   VALUE -> (string, number, literal) -> AFTER -> ',' -> VALUE or KEY, ']' or '}' -> AFTER
 *           '{' -> KEY_FIRST -> KEY string -> COLON -> VALUE      '[' -> VALUE_FIRST
 *           AFTER at depth 0: only white space follows
 * Rules:    a byte is taken once; nothing is kept but what is in struct wire_json.
 * Bounds:   depth WIRE_DEPTH_MAX, numbers WIRE_NUMBER_BYTES_MAX; strings have no bound here.
 * Spec:     RFC 8259; RFC 3629 (UTF-8).
 */
#include "wire/json.h"

enum json_state {
	AT_VALUE,
	AT_VALUE_FIRST, /* or ']' */
	AT_KEY,
	AT_KEY_FIRST, /* or '}' */
	AT_COLON,
	AT_AFTER,
	IN_STRING,
	IN_ESCAPE,
	IN_UNIT,
	IN_NUMBER,
	IN_LITERAL,
};

static const char *const literals[] = {"true", "false", "null"};

void wire_json_begin(struct wire_json *j)
{
	memset(j, 0, sizeof(*j));
}

bool wire_json_ended(const struct wire_json *j)
{
	return j->state == AT_AFTER && j->depth == 0;
}

static enum json_token fail(const char **text, const char *why)
{
	*text = why;
	return JSON_ERROR;
}

/* ---- strings */

static bool utf8_lead(struct wire_json *j, uint8_t c)
{
	j->utf8_min = 0x80;
	j->utf8_max = 0xBF;
	if (c >= 0xC2 && c <= 0xDF) {
		j->utf8_left = 1;
	} else if (c >= 0xE0 && c <= 0xEF) {
		j->utf8_left = 2;
		j->utf8_min = c == 0xE0 ? 0xA0 : 0x80;
		j->utf8_max = c == 0xED ? 0x9F : 0xBF;
	} else if (c >= 0xF0 && c <= 0xF4) {
		j->utf8_left = 3;
		j->utf8_min = c == 0xF0 ? 0x90 : 0x80;
		j->utf8_max = c == 0xF4 ? 0x8F : 0xBF;
	} else {
		return false;
	}
	return true;
}

/* One byte of a string that is not plain ASCII. */
static bool utf8_step(struct wire_json *j, uint8_t c)
{
	if (j->utf8_left == 0) {
		return c < 0x80 || utf8_lead(j, c);
	}
	CHECK(c >= j->utf8_min && c <= j->utf8_max, false);
	j->utf8_left--;
	j->utf8_min = 0x80;
	j->utf8_max = 0xBF;
	return true;
}

static enum json_token string_part(const struct wire_json *j, const void *at, size_t n,
				   const char **text, size_t *bytes)
{
	*text = at;
	*bytes = n;
	return j->in_key ? JSON_KEY : JSON_TEXT;
}

static enum json_token string_end(struct wire_json *j, const char **text)
{
	if (j->utf8_left != 0 || j->high != 0) {
		return fail(text, "text is not valid UTF-8");
	}
	j->state = j->in_key ? AT_COLON : AT_AFTER;
	return j->in_key ? JSON_KEY_END : JSON_TEXT_END;
}

static enum json_token string_run(struct wire_json *j, const uint8_t **p, const uint8_t *end,
				  const char **text, size_t *bytes)
{
	const uint8_t *at = *p;

	if (j->high != 0 && *at != '\\') {
		return fail(text, "a \\u surrogate stands alone");
	}
	while (at < end && *at != '"' && *at != '\\') {
		if (*at < 0x20) {
			return fail(text, "a control character in a string");
		}
		if ((*at >= 0x80 || j->utf8_left != 0) && !utf8_step(j, *at)) {
			return fail(text, "text is not valid UTF-8");
		}
		at++;
	}
	if (at > *p) {
		const uint8_t *from = *p;

		*p = at;
		return string_part(j, from, (size_t)(at - from), text, bytes);
	}
	++*p;
	if (*at == '"') {
		return string_end(j, text);
	}
	if (j->utf8_left != 0) {
		return fail(text, "text is not valid UTF-8");
	}
	j->state = IN_ESCAPE;
	return JSON_MORE;
}

static size_t utf8_put(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xC0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xE0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3F));
		out[2] = (char)(0x80 | (c & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3F));
	out[2] = (char)(0x80 | (c >> 6 & 0x3F));
	out[3] = (char)(0x80 | (c & 0x3F));
	return 4;
}

static enum json_token escape(struct wire_json *j, uint8_t c, const char **text, size_t *bytes)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found = c != 0 ? memchr(from, c, sizeof(from) - 1) : NULL;

	if (c == 'u') {
		j->state = IN_UNIT;
		j->unit = 0;
		j->unit_digits = 0;
		return JSON_MORE;
	}
	if (found == NULL) {
		return fail(text, "an unknown escape in a string");
	}
	if (j->high != 0) {
		return fail(text, "a \\u surrogate stands alone");
	}
	j->state = IN_STRING;
	j->out[0] = to[found - from];
	return string_part(j, j->out, 1, text, bytes);
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum json_token unit_digit(struct wire_json *j, uint8_t c, const char **text, size_t *bytes)
{
	uint32_t code;

	if (hex_value(c) < 0) {
		return fail(text, "a \\u escape without four hex digits");
	}
	j->unit = (uint16_t)(j->unit << 4 | hex_value(c));
	if (++j->unit_digits < 4) {
		return JSON_MORE;
	}
	j->state = IN_STRING;
	code = j->unit;
	if ((j->high != 0) != (code >= 0xDC00 && code <= 0xDFFF)) {
		return fail(text, "a \\u surrogate stands alone");
	}
	if (code >= 0xD800 && code <= 0xDBFF) {
		j->high = j->unit;
		return JSON_MORE;
	}
	if (j->high != 0) {
		code = 0x10000 + ((uint32_t)(j->high - 0xD800) << 10) + (code - 0xDC00);
		j->high = 0;
	}
	return string_part(j, j->out, utf8_put(j->out, code), text, bytes);
}

/* ---- numbers and literals */

static const char *digits(const char *at)
{
	while (*at >= '0' && *at <= '9') {
		at++;
	}
	return at;
}

static bool number_valid(const char *at)
{
	const char *from;

	at += *at == '-';
	from = at;
	at = digits(at);
	CHECK(at > from && (*from != '0' || at == from + 1), false);
	if (*at == '.') {
		from = ++at;
		at = digits(at);
		CHECK(at > from, false);
	}
	if (*at == 'e' || *at == 'E') {
		at++;
		at += *at == '+' || *at == '-';
		from = at;
		at = digits(at);
		CHECK(at > from, false);
	}
	return *at == 0;
}

static bool number_char(uint8_t c)
{
	return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static enum json_token number(struct wire_json *j, const uint8_t **p, const uint8_t *end,
			      const char **text, size_t *bytes)
{
	for (; *p < end && number_char(**p); ++*p) {
		if (j->number_bytes == WIRE_NUMBER_BYTES_MAX) {
			return fail(text, "a number has too many digits");
		}
		j->number[j->number_bytes++] = (char)**p;
	}
	if (*p == end) {
		return JSON_MORE;
	}
	j->number[j->number_bytes] = 0;
	j->state = AT_AFTER;
	if (!number_valid(j->number)) {
		return fail(text, "not a number as JSON writes it");
	}
	*text = j->number;
	*bytes = j->number_bytes;
	return JSON_NUMBER;
}

static enum json_token literal(struct wire_json *j, uint8_t c, const char **text)
{
	const char *word = literals[j->literal];

	if (c != (uint8_t)word[j->literal_at]) {
		return fail(text, "unknown word; a string needs quotation marks");
	}
	if (word[++j->literal_at] != 0) {
		return JSON_MORE;
	}
	j->state = AT_AFTER;
	return (enum json_token)(JSON_TRUE + j->literal);
}

/* ---- structure */

static enum json_token open(struct wire_json *j, bool array, const char **text)
{
	if (j->depth == WIRE_DEPTH_MAX) {
		return fail(text, "objects and arrays are nested too deeply");
	}
	j->arrays = array ? j->arrays | UINT32_C(1) << j->depth
			  : j->arrays & ~(UINT32_C(1) << j->depth);
	j->depth++;
	j->state = array ? AT_VALUE_FIRST : AT_KEY_FIRST;
	return array ? JSON_ARRAY : JSON_OBJECT;
}

static enum json_token close(struct wire_json *j, bool array)
{
	j->depth--;
	j->state = AT_AFTER;
	return array ? JSON_ARRAY_END : JSON_OBJECT_END;
}

static bool in_array(const struct wire_json *j)
{
	return (j->arrays >> (j->depth - 1) & 1) != 0;
}

static enum json_token value(struct wire_json *j, uint8_t c, const char **text)
{
	if (c == '{' || c == '[') {
		return open(j, c == '[', text);
	}
	if (c == '"') {
		j->state = IN_STRING;
		j->in_key = false;
		return JSON_MORE;
	}
	if (c == '-' || (c >= '0' && c <= '9')) {
		j->state = IN_NUMBER;
		j->number[0] = (char)c;
		j->number_bytes = 1;
		return JSON_MORE;
	}
	for (uint8_t i = 0; i < BASE_COUNT(literals); i++) {
		if (c == (uint8_t)literals[i][0]) {
			j->state = IN_LITERAL;
			j->literal = i;
			j->literal_at = 1;
			return JSON_MORE;
		}
	}
	return fail(text, "a value is missing");
}

static enum json_token after(struct wire_json *j, uint8_t c, const char **text)
{
	if (j->depth == 0) {
		return fail(text, "something follows the end of the message");
	}
	if (c == ',') {
		j->state = in_array(j) ? AT_VALUE : AT_KEY;
		return JSON_MORE;
	}
	if (c == (in_array(j) ? ']' : '}')) {
		return close(j, in_array(j));
	}
	return fail(text, "a comma or closing bracket is missing");
}

static enum json_token structure(struct wire_json *j, uint8_t c, const char **text)
{
	switch (j->state) {
	case AT_VALUE_FIRST:
		if (c == ']') {
			return close(j, true);
		}
		return value(j, c, text);
	case AT_VALUE:
		return value(j, c, text);
	case AT_KEY_FIRST:
		if (c == '}') {
			return close(j, false);
		}
		break;
	case AT_COLON:
		if (c != ':') {
			return fail(text, "a colon is missing after a key");
		}
		j->state = AT_VALUE;
		return JSON_MORE;
	case AT_AFTER:
		return after(j, c, text);
	default:
		break;
	}
	if (c != '"') {
		return fail(text, "a key in quotation marks is missing");
	}
	j->state = IN_STRING;
	j->in_key = true;
	return JSON_MORE;
}

static bool white(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

enum json_token wire_json_next(struct wire_json *j, const uint8_t **p, const uint8_t *end,
			       const char **text, size_t *bytes)
{
	enum json_token token = JSON_MORE;

	while (*p < end && token == JSON_MORE) {
		switch (j->state) {
		case IN_STRING:
			token = string_run(j, p, end, text, bytes);
			break;
		case IN_ESCAPE:
			token = escape(j, *(*p)++, text, bytes);
			break;
		case IN_UNIT:
			token = unit_digit(j, *(*p)++, text, bytes);
			break;
		case IN_NUMBER:
			token = number(j, p, end, text, bytes);
			break;
		case IN_LITERAL:
			token = literal(j, *(*p)++, text);
			break;
		default:
			if (white(**p)) {
				++*p;
			} else {
				token = structure(j, *(*p)++, text);
			}
		}
	}
	return token;
}
