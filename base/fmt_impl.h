/* SPDX-License-Identifier: Apache-2.0 */
/* What fmt.c and fmt_float.c share; private to base. */
#ifndef BASE_FMT_IMPL_H
#define BASE_FMT_IMPL_H

#include "base/fmt.h"

enum {
	FMT_MINUS = 1,
	FMT_PLUS = 2,
	FMT_SPACE = 4,
	FMT_ALT = 8,
	FMT_ZERO = 16
};

/* One conversion of a format. */
struct fmt_spec {
	uint8_t flags;
	bool is_long_double;
	enum fmt_length length;
	char conversion;
	uint32_t width;
	int32_t precision; /* -1: none */
};

/* One conversion's text in its parts, which fmt_field puts out with the padding that the flags
 * ask for: [spaces] prefix [zeros] body [spaces]. The body is digits, then zeros. */
struct fmt_field {
	char prefix[4]; /* sign, 0x */
	uint8_t prefix_bytes;
	uint32_t body_bytes; /* length of what follows the prefix */
};

/* Puts what stands before the body, and returns the spaces that stand behind it. */
uint32_t fmt_field_begin(struct fmt_out *out, const struct fmt_spec *spec,
			 const struct fmt_field *field, bool zeros_ok);

/* The sign that a number gets: its text in field->prefix. */
void fmt_field_sign(struct fmt_field *field, const struct fmt_spec *spec, bool negative);

/* The conversions a e f g and their capitals. */
void fmt_real(struct fmt_out *out, const struct fmt_spec *spec, double v);

#endif
