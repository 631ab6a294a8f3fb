/* SPDX-License-Identifier: Apache-2.0 */
/* Scenarios: small text files, one "key value" a line. */
#include "sim/sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum unit {
	COUNT,
	PERCENT,
	RATE,
	TIME,
	PPM
};

struct key {
	const char *name, *text;
	size_t offset;
	enum unit unit;
	unsigned values;
	uint64_t defaults[2];
};

static const struct key keys[] = {
#define KEY(member, key, value, unit, text)                                                        \
	{key,  text, offsetof(struct sim_scenario, member),                                        \
	 unit, 1,    {(unit) == RATE ? (value)*SIM_RATE_ONE : (value), 0}},
#define RANGE(member, key, low, high, unit, text)                                                  \
	{key, text, offsetof(struct sim_scenario, member), unit, 2, {low, high}},
#include "sim/scenario_list.h"
#undef KEY
#undef RANGE
};

static const struct {
	const char *suffix;
	uint64_t ms;
} times[] = {{"ms", 1}, {"s", SECOND}, {"min", MINUTE}, {"h", HOUR}};

void scenario_default(struct sim_scenario *s)
{
	for (size_t i = 0; i < BASE_COUNT(keys); i++) {
		memcpy((char *)s + keys[i].offset, keys[i].defaults,
		       keys[i].values * sizeof(uint64_t));
	}
}

static int parse(const struct key *k, const char *text, uint64_t *out)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || v < 0 || v > 1e15) {
		return -1;
	}
	if (k->unit == RATE) {
		*out = (uint64_t)(v * SIM_RATE_ONE);
		return *end == 0 ? 0 : -1;
	}
	if (k->unit != TIME) {
		*out = (uint64_t)v;
		return *end == 0 && (k->unit != PERCENT || v <= 100) ? 0 : -1;
	}
	for (size_t i = 0; i < BASE_COUNT(times); i++) {
		if (strcmp(end, times[i].suffix) == 0) {
			*out = (uint64_t)(v * (double)times[i].ms);
			return 0;
		}
	}
	return -1;
}

static const char *unit_text(enum unit unit)
{
	static const char *const texts[] = {
		"a number", "a percentage from 0 to 100", "a number per hour",
		"a time with ms, s, min or h, as 30s", "parts per million"};

	return texts[unit];
}

int scenario_set(struct sim_scenario *s, const char *key, const char *value, char *why, size_t cap)
{
	for (size_t i = 0; i < BASE_COUNT(keys); i++) {
		const struct key *k = &keys[i];
		char copy[128], *words[3];
		unsigned n = 0;
		uint64_t values[2];

		if (strcmp(k->name, key) != 0) {
			continue;
		}
		snprintf(copy, sizeof(copy), "%s", value);
		for (char *at = copy, *save;
		     n < 3 && (words[n] = strtok_r(at, " \t", &save)) != NULL; at = NULL) {
			n++;
		}
		if (n != k->values || parse(k, words[0], &values[0]) != 0 ||
		    (n == 2 && (parse(k, words[1], &values[1]) != 0 || values[1] < values[0]))) {
			snprintf(why, cap, "%s: expected %s%s, not '%s'", key,
				 k->values == 2 ? "two values, the lower first: " : "",
				 unit_text(k->unit), value);
			return -1;
		}
		memcpy((char *)s + k->offset, values, n * sizeof(uint64_t));
		return 0;
	}
	snprintf(why, cap, "unknown key '%s'; propsim keys lists them", key);
	return -1;
}

int scenario_check(const struct sim_scenario *s, char *why, size_t cap)
{
	const char *what = NULL;

	if (s->nodes == 0 || s->nodes > 99999) {
		what = "nodes: from 1 to 99999";
	} else if (s->slots == 0 || s->slots > 8) {
		what = "slots: from 1 to 8";
	} else if (s->threads == 0 || s->threads > SIM_SLICES_MAX) {
		what = "threads: from 1 to 4";
	} else if (s->modules == 0 || s->modules > 60) {
		what = "modules: from 1 to 60";
	} else if (s->heartbeat < SECOND || s->device_heartbeat < SECOND || s->commit[0] == 0) {
		what = "heartbeat, device-heartbeat: at least 1s; commit: at least 1ms";
	} else if (s->pool < 8192 || s->pool > UINT32_MAX) {
		what = "pool: from 8192 to 4294967295";
	} else if (s->policy_stop + s->policy_park > 100) {
		what = "policy-stop and policy-park: not more than 100 together";
	} else if (s->traps + s->endless + s->broken + s->greedy > 100) {
		what = "traps, endless, broken and greedy: not more than 100 together";
	} else if (s->slow_links != 0 && s->slow_rate == 0) {
		what = "slow-rate: at least 1";
	} else if (s->quiet > s->duration) {
		what = "quiet: not longer than duration (--hours), of which it is the end";
	}
	if (what != NULL) {
		snprintf(why, cap, "%s", what);
	}
	return what != NULL ? -1 : 0;
}

static int read_line(struct sim_scenario *s, char *line, char *why, size_t cap)
{
	char *end = strchr(line, '#'), *value;

	if (end != NULL) {
		*end = 0;
	}
	line += strspn(line, " \t\r\n");
	line[strcspn(line, "\r\n")] = 0;
	for (size_t n = strlen(line); n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t'); n--) {
		line[n - 1] = 0;
	}
	if (*line == 0) {
		return 0;
	}
	value = line + strcspn(line, " \t");
	if (*value != 0) {
		*value++ = 0;
		value += strspn(value, " \t");
	}
	return scenario_set(s, line, value, why, cap);
}

int scenario_read(struct sim_scenario *s, const char *path, char *why, size_t cap)
{
	FILE *f = fopen(path, "r");
	char line[512], text[256];
	unsigned number = 0;
	int err = 0;

	if (f == NULL) {
		snprintf(why, cap, "cannot open '%s': %s", path, strerror(errno));
		return -1;
	}
	while (err == 0 && fgets(line, sizeof(line), f) != NULL) {
		number++;
		err = read_line(s, line, text, sizeof(text));
		if (err != 0) {
			snprintf(why, cap, "%s:%u: %s", path, number, text);
		}
	}
	if (err == 0 && ferror(f)) { /* a folder can be opened, and not read */
		snprintf(why, cap, "cannot read '%s': %s", path, strerror(errno));
		err = -1;
	}
	fclose(f);
	return err;
}

static void print_value(enum unit unit, uint64_t v)
{
	unsigned i = BASE_COUNT(times) - 1;

	if (unit == RATE) {
		printf(" %g", (double)v / SIM_RATE_ONE);
		return;
	}
	if (unit != TIME || v == 0) {
		printf(" %llu", (unsigned long long)v);
		return;
	}
	while (v % times[i].ms != 0) {
		i--;
	}
	printf(" %llu%s", (unsigned long long)(v / times[i].ms), times[i].suffix);
}

void scenario_explain(void)
{
	for (size_t i = 0; i < BASE_COUNT(keys); i++) {
		printf("# %s (%s)\n%s", keys[i].text, unit_text(keys[i].unit), keys[i].name);
		for (unsigned v = 0; v < keys[i].values; v++) {
			print_value(keys[i].unit, keys[i].defaults[v]);
		}
		printf("\n");
	}
}
