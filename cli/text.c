/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts: memory that nobody has to free, sizes and times for people, and what a terminal may be
 * given.
 *
 * Owns:  the list of texts, freed as a whole by text_reset.
 * Rules: 1. What came from elsewhere reaches a terminal only through text_clean or text_put.
 */
#include "cli/cli.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct chunk {
	struct chunk *next;
	char bytes[];
};
static struct chunk *chunks;

void *text_alloc(size_t bytes)
{
	struct chunk *chunk = calloc(1, sizeof(*chunk) + bytes + 1);

	if (chunk == NULL) {
		fputs("propctl: out of memory\n", stderr);
		exit(CLI_FAILED);
	}
	chunk->next = chunks;
	chunks = chunk;
	return chunk->bytes;
}

void text_reset(void)
{
	while (chunks != NULL) {
		struct chunk *next = chunks->next;

		free(chunks);
		chunks = next;
	}
}

const char *text(const char *format, ...)
{
	va_list args, again;

	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	char *out = text_alloc(len > 0 ? (size_t)len : 0);
	if (len > 0) {
		vsnprintf(out, (size_t)len + 1, format, again);
	}
	va_end(again);
	va_end(args);
	return out;
}

static void say(const char *format, va_list args)
{
	fputs("propctl: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

int fail(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	return status;
}

void note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
}

/* ---- for people ---- */

const char *text_bytes(uint64_t bytes)
{
	static const char *const units[] = {"KB", "MB", "GB", "TB"};
	double value = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		return text("%d B", (int)bytes);
	}
	while (value >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1024;
		unit++;
	}
	return value < 10 && value != (double)(int)value ? text("%.1f %s", value, units[unit])
							 : text("%.0f %s", value, units[unit]);
}

const char *text_ms(uint64_t ms)
{
	if (ms < 1000) {
		return text("%d ms", (int)ms);
	}
	if (ms < 60000) {
		return text("%.1f s", (double)ms / 1000);
	}
	uint64_t s = ms / 1000;
	if (s < 3600) {
		return text("%dm%02ds", (int)(s / 60), (int)(s % 60));
	}
	return s < 86400 ? text("%dh%02dm", (int)(s / 3600), (int)(s / 60 % 60))
			 : text("%dd%02dh", (int)(s / 86400), (int)(s / 3600 % 24));
}

/* "+02:00", "-0330", "Z"; seconds east of UTC. */
static long zone_of(const char *at)
{
	int hours = 0, minutes = 0;

	if ((at[0] == '+' || at[0] == '-') && sscanf(at + 1, "%2d:%2d", &hours, &minutes) >= 1) {
		return (at[0] == '-' ? -1 : 1) * (hours * 3600L + minutes * 60L);
	}
	return 0;
}

bool text_time_parse(const char *rfc3339, int64_t *seconds)
{
	struct tm tm = {0};
	int used = 0;

	if (rfc3339 == NULL ||
	    sscanf(rfc3339, "%4d-%2d-%2d%*1[Tt ]%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon,
		   &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &used) != 6) {
		return false;
	}
	/* The zero time of Go's programs stands for none. */
	if (tm.tm_year < 1970) {
		return false;
	}
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	const char *rest = rfc3339 + used;
	if (*rest == '.') {
		rest++;
		rest += strspn(rest, "0123456789");
	}
	*seconds = (int64_t)timegm(&tm) - zone_of(rest);
	return true;
}

const char *text_age(const char *rfc3339, int64_t now_s)
{
	int64_t then = 0;

	if (!text_time_parse(rfc3339, &then)) {
		return "-";
	}
	int64_t age = now_s > then ? now_s - then : 0;
	if (age < 60) {
		return text("%ds", (int)age);
	}
	if (age < 3600) {
		return text("%dm", (int)(age / 60));
	}
	return age < 86400 * 2 ? text("%dh", (int)(age / 3600)) : text("%dd", (int)(age / 86400));
}

/* ---- UTF-8 and terminals ---- */

/* Bytes of the character at s, 0 if it is none; *c its number. */
static size_t character(const unsigned char *s, uint32_t *c)
{
	size_t len = s[0] < 0x80   ? 1
		     : s[0] < 0xc2 ? 0
		     : s[0] < 0xe0 ? 2
		     : s[0] < 0xf0 ? 3
		     : s[0] < 0xf5 ? 4
				   : 0;

	*c = len < 2 ? s[0] : s[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			return 0;
		}
		*c = *c << 6 | (s[i] & 0x3f);
	}
	return len;
}

static bool steers(uint32_t c)
{
	bool direction = (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);

	return c < 0x20 || (c >= 0x7f && c < 0xa0) || direction;
}

static const char *clean(const char *raw, const char *kept)
{
	const unsigned char *s = (const unsigned char *)raw;
	char *out = text_alloc(strlen(raw));
	size_t at = 0;

	while (*s != 0) {
		uint32_t c = 0;
		size_t len = character(s, &c);

		if (len == 0 || (steers(c) && (c >= 0x80 || strchr(kept, (int)c) == NULL))) {
			out[at++] = '?';
			s += len > 0 ? len : 1;
			continue;
		}
		memcpy(out + at, s, len);
		at += len;
		s += len;
	}
	return out;
}

const char *text_clean(const char *raw)
{
	return clean(raw, "");
}

size_t text_width(const char *utf8)
{
	size_t width = 0;

	for (; *utf8 != 0; utf8++) {
		width += ((unsigned char)*utf8 & 0xc0) != 0x80;
	}
	return width;
}

void text_put(FILE *out, const char *raw)
{
	size_t len = strlen(raw);

	fputs(isatty(fileno(out)) ? clean(raw, "\n\t") : raw, out);
	if (len > 0 && raw[len - 1] != '\n') {
		fputc('\n', out);
	}
}

bool text_is_uuid(const char *word)
{
	for (int i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? word[i] != '-' : !isxdigit((unsigned char)word[i])) {
			return false;
		}
	}
	return word[36] == 0;
}

const char *text_url(const char *raw)
{
	static const char hex[] = "0123456789ABCDEF";
	char *out = text_alloc(3 * strlen(raw));
	char *at = out;

	for (; *raw != 0; raw++) {
		unsigned char c = (unsigned char)*raw;

		if (isalnum(c) || strchr("-._~:", c) != NULL) {
			*at++ = (char)c;
			continue;
		}
		*at++ = '%';
		*at++ = hex[c >> 4];
		*at++ = hex[c & 15];
	}
	return out;
}

int text_distance(const char *a, const char *b)
{
	int differing = 0;

	while (*a != 0 && *b != 0) {
		if (*a == *b) {
			a++;
			b++;
		} else if (a[1] == *b) {
			a++;
			differing++;
		} else if (*a == b[1]) {
			b++;
			differing++;
		} else {
			a++;
			b++;
			differing++;
		}
	}
	return differing + (int)strlen(a) + (int)strlen(b);
}
