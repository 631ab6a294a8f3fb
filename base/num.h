/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers out of decimal text, the whole text: no spaces around, no locale.
 *
 * Out:    the value, untouched when false is returned (not a number, or out of the type's range).
 * Bounds: work in proportion to the text, at most NUM_DIGITS_MAX digits count.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include "base/base.h"

enum {
	NUM_DIGITS_MAX = 800
};

/* "-12", "+12", "12", "0x1f". */
bool num_i64(const char *text, size_t bytes, int64_t *out);
/* The same without a sign, up to UINT64_MAX. */
bool num_u64(const char *text, size_t bytes, uint64_t *out);
/* "1", "-1.5", ".5", "2e-3", "inf", "-nan"; rounded correctly, to nearest. Too large: infinite. */
bool num_f64(const char *text, size_t bytes, double *out);
/* Rounded to f32 once. */
bool num_f32(const char *text, size_t bytes, float *out);

#endif
