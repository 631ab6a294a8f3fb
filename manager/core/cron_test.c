/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/core/cron.h"
#include "test/test.h"

/* Expression, from, expected next ("" when it never comes). */
static const struct {
	const char *cron, *from, *next;
} nexts[] = {
	{"* * * * *", "2026-01-01 00:00", "2026-01-01 00:01"},
	{"*/5 * * * *", "2026-01-01 00:03", "2026-01-01 00:05"},
	{"*/5 * * * *", "2026-01-01 00:55", "2026-01-01 01:00"},
	{"0 * * * *", "2026-01-01 23:30", "2026-01-02 00:00"},
	{"30 4 * * *", "2026-01-01 04:30", "2026-01-02 04:30"},
	{"0 0 1 * *", "2026-01-01 00:00", "2026-02-01 00:00"},
	{"0 0 31 * *", "2026-02-01 00:00", "2026-03-31 00:00"},
	{"0 0 29 2 *", "2026-01-01 00:00", "2028-02-29 00:00"},
	{"0 0 30 2 *", "2026-01-01 00:00", ""},
	{"0 12 * * mon-fri", "2026-01-03 00:00", "2026-01-05 12:00"}, /* a Saturday */
	{"0 12 * * 0", "2026-01-03 00:00", "2026-01-04 12:00"},
	{"0 12 * * 7", "2026-01-03 00:00", "2026-01-04 12:00"},
	{"0 12 * * SUN", "2026-01-03 00:00", "2026-01-04 12:00"},
	{"0 0 13 * 5", "2026-01-01 00:00", "2026-01-02 00:00"}, /* either day field */
	{"0 0 13 * *", "2026-01-01 00:00", "2026-01-13 00:00"},
	{"0 0 * feb,apr *", "2026-01-31 10:00", "2026-02-01 00:00"},
	{"10-20/5 8 * * *", "2026-01-01 08:15", "2026-01-01 08:20"},
	{"10-20/5 8 * * *", "2026-01-01 08:20", "2026-01-02 08:10"},
	{"5/20 * * * *", "2026-01-01 08:06", "2026-01-01 08:25"},
	{"1,2,3 1,2 * * *", "2026-01-01 01:03", "2026-01-01 02:01"},
	{"59 23 31 12 *", "2026-12-31 23:59", "2027-12-31 23:59"},
	{"  0   0  1  1  *  ", "2026-01-01 00:00", "2027-01-01 00:00"},
};

static const char *const refused[] = {
	"",
	"*",
	"* * * *",
	"* * * * * *",
	"60 * * * *",
	"* 24 * * *",
	"* * 0 * *",
	"* * 32 * *",
	"* * * 13 *",
	"* * * 0 *",
	"* * * * 8",
	"a * * * *",
	"1- * * * *",
	"5-3 * * * *",
	"*/0 * * * *",
	"1,,2 * * * *",
	"1, * * * *",
	"-1 * * * *",
	"@daily",
	"* * * foo *",
	"1-2-3 * * * *",
	"99999999999 * * * *",
};

static struct cron_time time_of(const char *s)
{
	struct cron_time t = {0};

	sscanf(s, "%d-%d-%d %d:%d", &t.year, &t.month, &t.day, &t.hour, &t.minute);
	return t;
}

TEST(next_runs)
{
	for (size_t i = 0; i < BASE_COUNT(nexts); i++) {
		struct cron_time from = time_of(nexts[i].from), next = {0};
		char text[64] = "";
		struct cron c;

		EXPECT(cron_parse(nexts[i].cron, &c) == NULL);
		if (cron_next(&c, &from, &next)) {
			snprintf(text, sizeof(text), "%04d-%02d-%02d %02d:%02d", next.year,
				 next.month, next.day, next.hour, next.minute);
		}
		if (strcmp(text, nexts[i].next) != 0) {
			TEST_FAIL("'%s' after %s is '%s', expected '%s'", nexts[i].cron,
				  nexts[i].from, text, nexts[i].next);
		}
	}
}

TEST(refuses_what_is_no_schedule)
{
	for (size_t i = 0; i < BASE_COUNT(refused); i++) {
		struct cron c = {.hours = 7};

		if (cron_parse(refused[i], &c) == NULL) {
			TEST_FAIL("'%s' was accepted", refused[i]);
		}
		EXPECT_EQ(c.hours, 7);
	}
}

TEST(days_and_dates_agree)
{
	for (int64_t d = -800000; d < 800000; d += 137) {
		int32_t y, m, day;

		cron_civil_from_days(d, &y, &m, &day);
		EXPECT_EQ(cron_days_from_civil(y, m, day), d);
	}
	EXPECT_EQ(cron_days_from_civil(2000, 3, 1), 11017);
}

TEST_MAIN(T(next_runs) T(refuses_what_is_no_schedule) T(days_and_dates_agree))
