/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Formatted text: C's printf conversions, and the shortest decimal form of floats.
 *
 *     format, arguments --fmt_run--> fmt_out (a buffer, emptied by its owner when it is full)
 *
 * In:     a format as in C 7.21.6.1 and a source of its arguments: a va_list, or whatever the
 *         owner of a struct fmt_source reads them from.
 * Out:    bytes in a struct fmt_out.
 * Rules:  1. Floats are rounded correctly (to nearest, ties to even) for every precision.
 *         2. No allocation; at most 1 KB of stack; nothing is locale dependent.
 * Bounds: width and precision at most FMT_WIDTH_MAX each; work in proportion to the output.
 * Not:    wide characters and positional arguments; such conversions are copied as they stand.
 * Spec:   C11 7.21.6.1.
 */
#ifndef BASE_FMT_H
#define BASE_FMT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest width and precision; a format that asks for more is refused. */
#define FMT_WIDTH_MAX 65535

/* Where text goes. */
struct fmt_out {
	char *at;       /* the buffer */
	size_t cap;     /* its size */
	size_t len;     /* bytes in it, at most cap */
	uint64_t total; /* bytes put so far, whether they fitted or not */
	/* Empties the buffer: takes at[0..len) and sets len to 0. NULL: what does not fit is
	 * dropped. */
	void (*flush)(struct fmt_out *out);
};

/* Appends n bytes, or n times the same one. */
void fmt_put(struct fmt_out *out, const char *bytes, size_t n);
void fmt_pad(struct fmt_out *out, char c, uint32_t n);

enum fmt_length {
	FMT_INT,
	FMT_CHAR,
	FMT_SHORT,
	FMT_LONG,
	FMT_LLONG,
	FMT_MAX,
	FMT_SIZE,
	FMT_DIFF
};

/* Where the arguments of a format come from. Each function takes the next argument and returns
 * false when there is none to be had, which ends fmt_run. */
struct fmt_source {
	/* An integer of that length, extended to 64 bits with its sign or with zeros. */
	bool (*integer)(struct fmt_source *src, enum fmt_length length, bool is_signed,
			uint64_t *out);
	bool (*real)(struct fmt_source *src, bool is_long, double *out);
	/* A string and its length, at most max bytes; *out NULL for a null pointer. */
	bool (*text)(struct fmt_source *src, uint32_t max, const char **out, uint32_t *bytes);
	/* %n: stores total where the next argument points. */
	bool (*count)(struct fmt_source *src, enum fmt_length length, uint64_t total);
};

enum fmt_err {
	FMT_OK = 0,
	FMT_ERR_SOURCE, /* a function of the source returned false */
	FMT_ERR_WIDTH,  /* a width or precision above FMT_WIDTH_MAX */
};

/* Formats; the text up to an error stays in out. */
enum fmt_err fmt_run(struct fmt_out *out, const char *format, size_t format_bytes,
		     struct fmt_source *src);

/* Formats into buf, which it ends by 0 if cap is not 0. Returns the length of the whole text
 * without the 0, which is cap or more if the text was cut; 0 after an error in the format. */
size_t fmt_str(char *buf, size_t cap, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
size_t fmt_vstr(char *buf, size_t cap, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

/* Bytes that fmt_f64 and fmt_f32 need at most, with the 0 at the end. */
#define FMT_FLOAT_BYTES 32

/* The shortest decimal text that reads back as v: "0.1", "-0", "1e+21", "inf", "-nan". Plain digits
 * from 1e-7 up to 1e21, else with an exponent. buf has FMT_FLOAT_BYTES; returns the length. */
size_t fmt_f64(char *buf, double v);
size_t fmt_f32(char *buf, float v);

#endif
