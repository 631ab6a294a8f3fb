/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cron expressions: parsing into bit sets, and the next matching minute.
 *
 * In:  text; a local minute.
 * Out: bit sets; the next local minute.
 * Bounds: cron_next looks at no more than eight years of days and at one day's minutes.
 */
#include "manager/core/cron.h"

#define CRON_YEARS_MAX 8

/* A field: its range, and names for its values. */
struct field {
	int lo, hi;
	char names[40]; /* three letters each, from lo on */
	char error[88];
};

static const struct field fields[5] = {
	{0, 59, "", "minute (first field): expected 0-59, *, ranges, steps or lists"},
	{0, 23, "", "hour (second field): expected 0-23, *, ranges, steps or lists"},
	{1, 31, "", "day of month (third field): expected 1-31, *, ranges, steps or lists"},
	{1, 12, "janfebmaraprmayjunjulaugsepoctnovdec",
	 "month (fourth field): expected 1-12, jan-dec, *, ranges, steps or lists"},
	{0, 7, "sunmontuewedthufrisat",
	 "day of week (fifth field): expected 0-7, sun-sat, *, ranges, steps or lists"},
};

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool is_name(const char *name, const char *s)
{
	return name[0] == lower(s[0]) && name[1] == lower(s[1]) && name[2] == lower(s[2]);
}

/* Reads a number or a name; -1 when there is none. */
static int value(const char **s, const struct field *f)
{
	int v = -1;

	for (; **s >= '0' && **s <= '9' && v < 1000; (*s)++) {
		v = (v < 0 ? 0 : v) * 10 + (**s - '0');
	}
	if (v >= 0) {
		return v;
	}
	for (int i = 0; f->names[0] != '\0' && f->names[3 * i] != '\0'; i++) {
		if (lower((*s)[0]) >= 'a' && (*s)[1] != '\0' && is_name(&f->names[3 * i], *s)) {
			*s += 3;
			return f->lo + i;
		}
	}
	return -1;
}

/* One element of a list: *, N, A-B, each with an optional /STEP. */
static bool element(const char **s, const struct field *f, uint64_t *bits, bool *any)
{
	int lo = f->lo, hi = f->hi == 7 ? 6 : f->hi, step = 1;
	bool single = false;

	if (**s == '*' || **s == '?') {
		(*s)++;
		*any = *any || **s != '/';
	} else {
		lo = value(s, f);
		single = **s != '-';
		if (!single) {
			(*s)++;
		}
		hi = single ? lo : value(s, f);
	}
	if (**s == '/') {
		(*s)++;
		step = value(s, f);
		hi = single ? f->hi : hi;
	}
	if (lo < f->lo || hi > f->hi || lo > hi || step <= 0) {
		return false;
	}
	for (int v = lo; v <= hi; v += step) {
		*bits |= 1ull << v;
	}
	return true;
}

static bool list(const char **s, const struct field *f, uint64_t *bits, bool *any)
{
	*bits = 0;
	*any = false;
	for (;;) {
		if (!element(s, f, bits, any)) {
			return false;
		}
		if (**s != ',') {
			return **s == '\0' || **s == ' ' || **s == '\t';
		}
		(*s)++;
	}
}

static void blanks(const char **s)
{
	while (**s == ' ' || **s == '\t') {
		(*s)++;
	}
}

const char *cron_parse(const char *text, struct cron *out)
{
	uint64_t bits[5];
	bool any[5];

	for (int i = 0; i < 5; i++) {
		blanks(&text);
		if (*text == '\0') {
			return "five fields are needed: minute hour day-of-month month day-of-week";
		}
		if (!list(&text, &fields[i], &bits[i], &any[i])) {
			return fields[i].error;
		}
	}
	blanks(&text);
	if (*text != '\0') {
		return "there is text after the fifth field";
	}
	*out = (struct cron){
		.minutes = bits[0],
		.hours = (uint32_t)bits[1],
		.days = (uint32_t)bits[2],
		.months = (uint16_t)bits[3],
		.weekdays = (uint8_t)((bits[4] | bits[4] >> 7) & 0x7f),
		.any_day = any[2],
		.any_weekday = any[4],
	};
	return NULL;
}

int64_t cron_days_from_civil(int32_t year, int32_t month, int32_t day)
{
	int64_t y = (int64_t)year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void cron_civil_from_days(int64_t days, int32_t *year, int32_t *month, int32_t *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*day = (int32_t)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int32_t)(mp < 10 ? mp + 3 : mp - 9);
	*year = (int32_t)(yoe + era * 400 + (*month <= 2));
}

static bool day_matches(const struct cron *c, int64_t days, const struct cron_time *t)
{
	bool day = (c->days >> t->day & 1) != 0;
	bool weekday = (c->weekdays >> ((days % 7 + 7 + 4) % 7) & 1) != 0;

	if ((c->months >> t->month & 1) == 0) {
		return false;
	}
	if (c->any_day || c->any_weekday) {
		return day && weekday;
	}
	return day || weekday;
}

/* The first matching minute of a day at or after hour:minute; false when the day has none. */
static bool minute_of_day(const struct cron *c, int hour, int minute, struct cron_time *t)
{
	for (int h = hour; h < 24; h++) {
		if ((c->hours >> h & 1) == 0) {
			continue;
		}
		for (int m = h == hour ? minute : 0; m < 60; m++) {
			if ((c->minutes >> m & 1) != 0) {
				t->hour = h;
				t->minute = m;
				return true;
			}
		}
	}
	return false;
}

bool cron_next(const struct cron *c, const struct cron_time *from, struct cron_time *out)
{
	int64_t first = cron_days_from_civil(from->year, from->month, from->day);
	int hour = from->hour, minute = from->minute + 1;

	for (int64_t d = first; d < first + CRON_YEARS_MAX * 366; d++) {
		struct cron_time t = {0};

		cron_civil_from_days(d, &t.year, &t.month, &t.day);
		if (day_matches(c, d, &t) && minute_of_day(c, hour, minute, &t)) {
			*out = t;
			return true;
		}
		hour = 0;
		minute = 0;
	}
	return false;
}
