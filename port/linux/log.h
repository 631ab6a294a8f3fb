/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines on stderr: ts=... level=... msg="..." key=value. One write per line, so threads and
 * processes that share stderr do not mix their lines. */
#ifndef LINUX_LOG_H
#define LINUX_LOG_H

#include <stdbool.h>

enum log_level {
	LOG_DEBUG,
	LOG_INFO,
	LOG_WARN,
	LOG_ERROR,
	LOG_OFF
};

/* Lines below this level are dropped; LOG_INFO at start. */
void log_set_level(enum log_level level);
bool log_wants(enum log_level level);

/* A level by its name (debug, info, warn, warning, error, off); false if there is none. */
bool log_level_of(const char *name, enum log_level *out);

/* One line: msg, then the formatted rest as it is (key=value pairs; may be ""). Control characters
 * become spaces. Cut at 1,000 characters. */
void log_line(enum log_level level, const char *msg, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define LOG_D(msg, ...) log_line(LOG_DEBUG, msg, __VA_ARGS__)
#define LOG_I(msg, ...) log_line(LOG_INFO, msg, __VA_ARGS__)
#define LOG_W(msg, ...) log_line(LOG_WARN, msg, __VA_ARGS__)
#define LOG_E(msg, ...) log_line(LOG_ERROR, msg, __VA_ARGS__)

#endif
