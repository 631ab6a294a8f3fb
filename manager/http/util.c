/* SPDX-License-Identifier: Apache-2.0 */
/* Small things the manager's host side needs everywhere: times, ids, names, log lines. */
#include "manager/http/service.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int log_threshold = 1;

/* RFC 3339 in UTC; the year 1 for 0, as Propeller shows a time that never was. */
char *time_text(int64_t ms, char out[40])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	if (ms == 0) {
		strcpy(out, "0001-01-01T00:00:00Z");
		return out;
	}
	gmtime_r(&seconds, &tm);
	strftime(out, 40, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + strlen(out), 16, ".%03dZ", (int)(ms % 1000));
	return out;
}

int64_t time_parse(const char *text)
{
	struct tm tm = {0};
	int n = 0, zone_h = 0, zone_m = 0;
	char sign = 'Z';
	double fraction = 0;

	if (sscanf(text, "%4d-%2d-%2d%*1[Tt ]%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) < 6 ||
	    n == 0) {
		return -1;
	}
	if (text[n] == '.') {
		char *end = NULL;

		fraction = strtod(text + n, &end);
		n = (int)(end - text);
	}
	if (sscanf(text + n, "%c%2d:%2d", &sign, &zone_h, &zone_m) < 1) {
		return -1;
	}
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	return ((int64_t)timegm(&tm) - (sign == '-' ? -1 : 1) * (zone_h * 3600 + zone_m * 60)) *
		       1000 +
	       (int64_t)(fraction * 1000);
}

/* RFC 9562: version 4 is random, version 8 what we make of a hash. */
static void uuid_write(uint8_t b[16], int version, char out[37])
{
	char hex[33];

	b[6] = (uint8_t)((b[6] & 0x0f) | version << 4);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	sodium_bin2hex(hex, sizeof(hex), b, 16);
	snprintf(out, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

void uuid_make(char out[37])
{
	uint8_t b[16];

	randombytes_buf(b, sizeof(b));
	uuid_write(b, 4, out);
}

void uuid_of(const char *text, char out[37])
{
	uint8_t hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, (const uint8_t *)text, strlen(text));
	uuid_write(hash, 8, out);
}

bool uuid_valid(const char *t)
{
	for (int i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		bool hex = (t[i] >= '0' && t[i] <= '9') || (t[i] >= 'a' && t[i] <= 'f') ||
			   (t[i] >= 'A' && t[i] <= 'F');

		if (dash ? t[i] != '-' : !hex) {
			return false;
		}
	}
	return t[36] == '\0';
}

bool id_valid(const char *t)
{
	size_t n = 0;

	for (; t[n] != '\0'; n++) {
		if (t[n] <= ' ' || t[n] == '/' || t[n] == '+' || t[n] == '#' || t[n] == 0x7f) {
			return false;
		}
	}
	return n > 0 && n < MANAGER_ID_BYTES;
}

const char *string_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

int64_t int_of(const json_t *object, const char *key, int64_t otherwise)
{
	const json_t *v = json_object_get(object, key);

	if (json_is_real(v)) {
		double d = json_real_value(v);

		return d > -9e18 && d < 9e18 ? (int64_t)d : otherwise;
	}
	return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

bool bool_of(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

void name_make(char *out, size_t bytes)
{
	static const char *const first[] = {
		"amber",  "brave", "calm",   "clever", "cosy",   "dusty", "eager",  "fair",
		"gentle", "happy", "jolly",  "keen",   "lively", "lucky", "mellow", "merry",
		"misty",  "noble", "plain",  "proud",  "quick",  "quiet", "rapid",  "shiny",
		"silent", "solid", "steady", "sunny",  "swift",  "tidy",  "warm",   "witty"};
	static const char *const second[] = {
		"badger", "beaver", "bison", "crane", "deer",  "eagle", "falcon", "finch",
		"fox",    "goose",  "hare",  "hawk",  "heron", "horse", "ibex",   "lark",
		"lynx",   "marten", "mole",  "moose", "otter", "owl",   "pike",   "plover",
		"raven",  "robin",  "seal",  "stoat", "swan",  "tern",  "trout",  "wren"};

	snprintf(out, bytes, "%s-%s", first[randombytes_uniform(BASE_COUNT(first))],
		 second[randombytes_uniform(BASE_COUNT(second))]);
}

uint64_t text_hash(const char *text)
{
	return placement_hash("", text);
}

static int level_of(const char *level)
{
	static const char *const levels[] = {"debug", "info", "warn", "error"};

	for (int i = 0; i < 4; i++) {
		if (strcmp(levels[i], level) == 0) {
			return i;
		}
	}
	return 3;
}

void log_line(const char *level, const char *format, ...)
{
	struct timespec t;
	char stamp[40];
	char line[1024];
	va_list args;

	if (level_of(level) < log_threshold) {
		return;
	}
	clock_gettime(CLOCK_REALTIME, &t);
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	fprintf(stderr, "ts=%s level=%s %s\n",
		time_text((int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000, stamp), level, line);
}
