/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines. See log.h. */
#include "port/linux/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 1024

static enum log_level level_min = LOG_INFO;

static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};

void log_set_level(enum log_level level)
{
	level_min = level;
}

bool log_wants(enum log_level level)
{
	return level >= level_min;
}

bool log_level_of(const char *name, enum log_level *out)
{
	if (strcasecmp(name, "warning") == 0) {
		name = "warn";
	}
	for (int i = 0; i <= LOG_OFF; i++) {
		if (strcasecmp(name, level_names[i]) == 0) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}

static int put_time(char *out, size_t bytes)
{
	struct timespec now;
	struct tm parts;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	size_t n = strftime(out, bytes, "ts=%Y-%m-%dT%H:%M:%S", &parts);
	return (int)n + snprintf(out + n, bytes - n, ".%03ldZ", now.tv_nsec / 1000000);
}

void log_line(enum log_level level, const char *msg, const char *format, ...)
{
	char line[LINE_BYTES];
	va_list args;
	int room = LINE_BYTES - 2, n;

	if (!log_wants(level)) {
		return;
	}
	n = put_time(line, sizeof(line));
	n += snprintf(line + n, (size_t)(room - n), " level=%s msg=\"%s\"%s", level_names[level],
		      msg, format[0] ? " " : "");
	n = n < room ? n : room;
	va_start(args, format);
	n += vsnprintf(line + n, (size_t)(room - n) + 1, format, args);
	va_end(args);
	n = n < room ? n : room;
	for (int i = 0; i < n; i++) {
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) {
			line[i] = ' ';
		}
	}
	while (n > 0 && line[n - 1] == ' ') {
		n--;
	}
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) < 0) {
		return; /* nobody reads the log: nothing to tell that to */
	}
}
