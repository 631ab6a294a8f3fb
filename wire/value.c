/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers of values: texts, lists, words, digests, timestamps. */
#include "base/fmt.h"
#include "wire/wire.h"

bool wire_text_is(struct wire_text text, const char *str)
{
	return wire_text_same(text, wire_text_of(str));
}

bool wire_text_same(struct wire_text a, struct wire_text b)
{
	return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.at, b.at, a.bytes) == 0);
}

bool wire_list_next(const struct wire_list *list, uint32_t *at, struct wire_text *out)
{
	uint32_t bytes;

	CHECK(*at < list->bytes, false);
	bytes = base_load_u32(list->at + *at);
	*out = (struct wire_text){list->at + *at + 4, bytes};
	*at += 4 + bytes + 1;
	return true;
}

bool wire_list_item(const struct wire_list *list, uint32_t i, struct wire_text *out)
{
	uint32_t at = 0;

	while (wire_list_next(list, &at, out)) {
		if (i-- == 0) {
			return true;
		}
	}
	return false;
}

bool wire_list_add(struct wire_list *list, char *buf, size_t cap, const char *text, size_t bytes)
{
	CHECK(cap >= list->bytes + 5 && bytes <= cap - list->bytes - 5, false);
	base_store_u32(buf + list->bytes, (uint32_t)bytes);
	memcpy(buf + list->bytes + 4, text, bytes);
	buf[list->bytes + 4 + bytes] = 0;
	list->at = buf;
	list->bytes += (uint32_t)bytes + 5;
	list->count++;
	return true;
}

bool wire_pairs_find(const struct wire_list *pairs, const char *key, struct wire_text *out)
{
	struct wire_text name, value;
	uint32_t at = 0;

	while (wire_list_next(pairs, &at, &name) && wire_list_next(pairs, &at, &value)) {
		if (wire_text_is(name, key)) {
			*out = value;
			return true;
		}
	}
	return false;
}

int wire_word(const char *const *words, struct wire_text text)
{
	for (int i = 0; words[i] != NULL; i++) {
		if (wire_text_is(text, words[i])) {
			return i;
		}
	}
	return -1;
}

void wire_digest_text(const uint8_t *sha256, char out[WIRE_DIGEST_TEXT])
{
	memcpy(out, "sha256:", 7);
	for (int i = 0; i < WIRE_DIGEST_BYTES; i++) {
		out[7 + 2 * i] = "0123456789abcdef"[sha256[i] >> 4];
		out[8 + 2 * i] = "0123456789abcdef"[sha256[i] & 15];
	}
	out[WIRE_DIGEST_TEXT - 1] = 0;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool wire_digest_parse(struct wire_text text, uint8_t *sha256)
{
	uint8_t digest[WIRE_DIGEST_BYTES];

	CHECK(text.bytes == WIRE_DIGEST_TEXT - 1 && memcmp(text.at, "sha256:", 7) == 0, false);
	for (int i = 0; i < WIRE_DIGEST_BYTES; i++) {
		int high = hex_value(text.at[7 + 2 * i]), low = hex_value(text.at[8 + 2 * i]);

		CHECK(high >= 0 && low >= 0, false);
		digest[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(sha256, digest, sizeof(digest));
	return true;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar, and back; years begin in March. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t era, year_of_era, day_of_year;

	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	year_of_era = year - era * 400;
	day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

static void date_of(int64_t days, int *year, int *month, int *day)
{
	int64_t era, day_of_era, year_of_era, day_of_year, shifted;

	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	day_of_era = days - era * 146097;
	year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	shifted = (5 * day_of_year + 2) / 153;
	*day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
	*month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
	*year = (int)(year_of_era + era * 400 + (*month <= 2));
}

void wire_time_text(int64_t ms, char out[WIRE_TIME_TEXT])
{
	int64_t days, rest;
	int year, month, day;

	ms = BASE_MIN(BASE_MAX(ms, INT64_C(0)), INT64_C(253402300799999)); /* year 9999 */
	days = ms / 86400000;
	rest = ms % 86400000;
	date_of(days, &year, &month, &day);
	fmt_str(out, WIRE_TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day,
		(int)(rest / 3600000), (int)(rest / 60000 % 60), (int)(rest / 1000 % 60),
		(int)(rest % 1000));
}

static bool two_digits(const char *at, int max, int *out)
{
	CHECK(at[0] >= '0' && at[0] <= '9' && at[1] >= '0' && at[1] <= '9', false);
	*out = (at[0] - '0') * 10 + at[1] - '0';
	return *out <= max;
}

/* "Z", "+01:30" */
static bool zone_parse(const char *at, size_t bytes, int64_t *ms)
{
	int hours, minutes;

	if (bytes == 1 && (at[0] | 0x20) == 'z') {
		*ms = 0;
		return true;
	}
	CHECK(bytes == 6 && (at[0] == '+' || at[0] == '-') && at[3] == ':', false);
	CHECK(two_digits(at + 1, 23, &hours) && two_digits(at + 4, 59, &minutes), false);
	*ms = (hours * 60 + minutes) * INT64_C(60000) * (at[0] == '-' ? -1 : 1);
	return true;
}

static size_t fraction_parse(const char *at, size_t bytes, int *ms)
{
	size_t i = 1;
	int unit = 100;

	*ms = 0;
	if (bytes == 0 || at[0] != '.') {
		return 0;
	}
	for (; i < bytes && at[i] >= '0' && at[i] <= '9'; i++, unit /= 10) {
		*ms += (at[i] - '0') * unit;
	}
	return i;
}

bool wire_time_parse(struct wire_text text, int64_t *ms)
{
	int century, year, month, day, hour, minute, second, milli;
	const char *t = text.at;
	int64_t zone;
	size_t at;

	CHECK(text.bytes >= 20 && t[4] == '-' && t[7] == '-' && (t[10] | 0x20) == 't', false);
	CHECK(t[13] == ':' && t[16] == ':', false);
	CHECK(two_digits(t, 99, &century) && two_digits(t + 2, 99, &year), false);
	CHECK(two_digits(t + 5, 12, &month) && two_digits(t + 8, 31, &day), false);
	CHECK(two_digits(t + 11, 23, &hour) && two_digits(t + 14, 59, &minute), false);
	CHECK(two_digits(t + 17, 60, &second) && month >= 1 && day >= 1, false);
	at = 19 + fraction_parse(t + 19, text.bytes - 19, &milli);
	CHECK(zone_parse(t + at, text.bytes - at, &zone), false);
	*ms = days_of(century * 100 + year, month, day) * 86400000 +
	      ((hour * 60 + minute) * INT64_C(60) + second) * 1000 + milli - zone;
	return true;
}

/* Bytes of the valid UTF-8 character at the beginning (RFC 3629); 0 if there is none. */
static size_t utf8_char(const uint8_t *p, size_t bytes)
{
	uint8_t min = 0x80, max = 0xBF;
	size_t n;

	if (p[0] < 0x80) {
		return 1;
	}
	n = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
	CHECK(p[0] >= 0xC2 && p[0] <= 0xF4 && bytes >= n, 0);
	min = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : min;
	max = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : max;
	CHECK(p[1] >= min && p[1] <= max, 0);
	for (size_t i = 2; i < n; i++) {
		CHECK(p[i] >= 0x80 && p[i] <= 0xBF, 0);
	}
	return n;
}

size_t wire_utf8_valid(const char *text, size_t bytes)
{
	size_t at = 0, n;

	while (at < bytes && (n = utf8_char((const uint8_t *)text + at, bytes - at)) > 0) {
		at += n;
	}
	return at;
}
