/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Five-field cron expressions: minute hour day-of-month month day-of-week. Pure.
 *
 * Fields take *, N, A-B, steps (/N) and lists; months and days also by English name; Sunday is 0
 * or 7. When both day fields are restricted, either one matches, as cron has always done.
 */
#ifndef MANAGER_CORE_CRON_H
#define MANAGER_CORE_CRON_H

#include "base/base.h"

struct cron {
	uint64_t minutes; /* bit n: minute n */
	uint32_t hours;
	uint32_t days; /* bits 1..31 */
	uint16_t months;
	uint8_t weekdays; /* bits 0..6, Sunday first */
	bool any_day;
	bool any_weekday;
};

/* A wall-clock minute of the proleptic Gregorian calendar, without a time zone. */
struct cron_time {
	int32_t year;
	int32_t month; /* 1..12 */
	int32_t day;   /* 1..31 */
	int32_t hour;
	int32_t minute;
};

/*
 * Parses text into *out. Returns NULL, or a sentence that says what is wrong; *out is then
 * untouched.
 */
MUST_USE const char *cron_parse(const char *text, struct cron *out);

/*
 * Finds the first minute after *from that matches, in the same local calendar. False when there
 * is none within eight years (30 February). Cost: days between, not minutes.
 */
MUST_USE bool cron_next(const struct cron *c, const struct cron_time *from, struct cron_time *out);

/* Days from 1970-01-01 to a civil date, and back. */
int64_t cron_days_from_civil(int32_t year, int32_t month, int32_t day);
void cron_civil_from_days(int64_t days, int32_t *year, int32_t *month, int32_t *day);

#endif
