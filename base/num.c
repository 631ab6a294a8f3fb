/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Floats: most have few digits and are exact products of doubles. The others are brought by
 * shifts into [1/2, 1) as long decimals, of which the mantissa's bits are then read off.
 */
#include "base/num.h"

struct decimal {
	int count; /* digits */
	int point; /* the value is 0.digits * 10^point */
	bool more; /* not 0 digits were cut off */
	uint8_t digit[NUM_DIGITS_MAX];
};

/* Mantissa bits and exponent range of a type. */
struct float_type {
	int bits, exp_min, exp_max;
};

static const struct float_type type_f64 = {53, -1074, 1024};
static const struct float_type type_f32 = {24, -149, 128};

static int digit_value(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

bool num_u64(const char *text, size_t bytes, uint64_t *out)
{
	uint64_t value = 0;
	unsigned base = 10;

	if (bytes > 2 && text[0] == '0' && (text[1] | 0x20) == 'x') {
		base = 16;
		text += 2;
		bytes -= 2;
	}
	CHECK(bytes > 0, false);
	for (size_t i = 0; i < bytes; i++) {
		unsigned d = (unsigned)digit_value(text[i]);

		CHECK(d < base && value <= (UINT64_MAX - d) / base, false);
		value = value * base + d;
	}
	*out = value;
	return true;
}

bool num_i64(const char *text, size_t bytes, int64_t *out)
{
	bool negative = bytes > 0 && text[0] == '-';
	size_t skip = negative || (bytes > 0 && text[0] == '+');
	uint64_t value;

	CHECK(num_u64(text + skip, bytes - skip, &value), false);
	CHECK(value <= (uint64_t)INT64_MAX + negative, false);
	*out = negative ? (int64_t)(0 - value) : (int64_t)value;
	return true;
}

static void decimal_trim(struct decimal *d)
{
	while (d->count > 0 && d->digit[d->count - 1] == 0) {
		d->count--;
	}
	if (d->count == 0) {
		d->point = 0;
	}
}

static void decimal_put(struct decimal *d, int digit)
{
	if (d->count < NUM_DIGITS_MAX) {
		d->digit[d->count++] = (uint8_t)digit;
	} else {
		d->more = d->more || digit != 0;
	}
}

/* Divides by 2^by, by <= 28. */
static void decimal_right(struct decimal *d, int by)
{
	uint64_t n = 0;
	int from = 0, count = d->count;

	d->count = 0;
	while (n >> by == 0 && (from < count || n != 0)) {
		n = n * 10 + (from < count ? d->digit[from] : 0);
		from++;
	}
	d->point -= from - 1;
	while (n != 0 || from < count) {
		int digit = (int)(n >> by);

		n &= ((uint64_t)1 << by) - 1;
		/* the write stays behind the read: from is at least one ahead */
		decimal_put(d, digit);
		n = n * 10 + (from < count ? d->digit[from] : 0);
		from++;
	}
	decimal_trim(d);
}

/* Multiplies by 2^by, by <= 28. */
static void decimal_left(struct decimal *d, int by)
{
	uint64_t carry = 0;
	uint8_t front[12];
	int extra = 0, keep;

	for (int i = d->count - 1; i >= 0; i--) {
		carry += (uint64_t)d->digit[i] << by;
		d->digit[i] = (uint8_t)(carry % 10);
		carry /= 10;
	}
	for (; carry > 0; carry /= 10) {
		front[extra++] = (uint8_t)(carry % 10);
	}
	keep = BASE_MIN(d->count, NUM_DIGITS_MAX - extra);
	for (int i = keep; i < d->count; i++) {
		d->more = d->more || d->digit[i] != 0;
	}
	memmove(d->digit + extra, d->digit, (size_t)keep);
	for (int i = 0; i < extra; i++) {
		d->digit[i] = front[extra - 1 - i];
	}
	d->count = keep + extra;
	d->point += extra;
	decimal_trim(d);
}

/* The integer part, rounded to nearest, ties to even; it has at most 18 digits. */
static uint64_t decimal_round(const struct decimal *d)
{
	uint64_t n = 0;
	bool up = false;

	for (int i = 0; i < d->point; i++) {
		n = n * 10 + (i < d->count ? d->digit[i] : 0);
	}
	if (d->point >= 0 && d->point < d->count) {
		bool tie = d->digit[d->point] == 5 && d->point + 1 == d->count && !d->more;

		up = tie ? (n & 1) != 0 : d->digit[d->point] >= 5;
	}
	return n + up;
}

/* mantissa * 2^exp of a mantissa of up to 53 bits, without rounding but for the end. */
static double scale(uint64_t mantissa, int exp)
{
	double v = (double)mantissa;

	for (; exp > 0 && v != 0 && v < __builtin_inf(); exp--) {
		v *= 2;
	}
	for (; exp < 0; exp++) {
		v /= 2;
	}
	return v;
}

static double decimal_value(struct decimal *d, const struct float_type *type)
{
	int exp = 0, bits = type->bits;

	if (d->count == 0 || d->point < -400) {
		return 0;
	}
	if (d->point > 400) {
		return __builtin_inf();
	}
	while (d->point > 0) {
		int by = d->point > 8 ? 27 : d->point * 3;

		decimal_right(d, by);
		exp += by;
	}
	while (d->point < 0 || (d->count > 0 && d->digit[0] < 5)) {
		int by = d->point < -8 ? 27 : d->point < 0 ? -d->point * 3 : 1;

		decimal_left(d, by);
		exp -= by;
	}
	/* now in [1/2, 1): take the mantissa's bits, fewer for subnormal numbers */
	bits = BASE_MIN(bits, exp - type->exp_min);
	if (bits < 0) {
		return 0;
	}
	for (int left = bits; left > 0; left -= BASE_MIN(left, 27)) {
		decimal_left(d, BASE_MIN(left, 27));
	}
	if (exp > type->exp_max) {
		return __builtin_inf();
	}
	return scale(decimal_round(d), exp - bits);
}

static double power_of_10(int n)
{
	double v = 1;

	for (; n > 0; n--) {
		v *= 10; /* exact up to 10^22 */
	}
	return v;
}

/* Few digits, small exponent: one exact operation. False where that is not so. */
static bool decimal_exact(const struct decimal *d, double *out)
{
	uint64_t n = 0;
	int exp = d->point - d->count;

	CHECK(d->count <= 15 && exp >= -22 && exp <= 22, false);
	for (int i = 0; i < d->count; i++) {
		n = n * 10 + d->digit[i];
	}
	*out = exp < 0 ? (double)n / power_of_10(-exp) : (double)n * power_of_10(exp);
	return true;
}

static bool read_exponent(const char *text, size_t bytes, struct decimal *d)
{
	int64_t exp;

	if (bytes == 0) {
		return true;
	}
	CHECK((text[0] | 0x20) == 'e', false);
	CHECK(memchr(text, 'x', bytes) == NULL && memchr(text, 'X', bytes) == NULL, false);
	CHECK(num_i64(text + 1, bytes - 1, &exp), false);
	exp = BASE_MAX(BASE_MIN(exp, 100000), -100000);
	d->point += (int)exp;
	return true;
}

static bool read_decimal(const char *text, size_t bytes, struct decimal *d)
{
	bool any = false, point = false;
	size_t i;

	d->count = d->point = 0;
	d->more = false;
	for (i = 0; i < bytes; i++) {
		if (text[i] == '.' && !point) {
			point = true;
			continue;
		}
		if (text[i] < '0' || text[i] > '9') {
			break;
		}
		any = true;
		if (d->count > 0 || text[i] != '0') {
			decimal_put(d, text[i] - '0');
			d->point += !point;
		} else {
			d->point -= point;
		}
	}
	CHECK(any && read_exponent(text + i, bytes - i, d), false);
	decimal_trim(d);
	return true;
}

static bool is_word(const char *text, size_t bytes, const char *word)
{
	CHECK(bytes == strlen(word), false);
	for (size_t i = 0; i < bytes; i++) {
		CHECK((text[i] | 0x20) == word[i], false);
	}
	return true;
}

static bool parse(const char *text, size_t bytes, const struct float_type *type, double *out)
{
	bool negative = bytes > 0 && text[0] == '-';
	size_t skip = negative || (bytes > 0 && text[0] == '+');
	struct decimal d;
	double v;

	text += skip;
	bytes -= skip;
	if (is_word(text, bytes, "nan")) {
		v = __builtin_nan("");
	} else if (is_word(text, bytes, "inf") || is_word(text, bytes, "infinity")) {
		v = __builtin_inf();
	} else {
		CHECK(read_decimal(text, bytes, &d), false);
		if (type->bits != 53 || !decimal_exact(&d, &v)) {
			v = decimal_value(&d, type);
		}
	}
	*out = negative ? -v : v;
	return true;
}

bool num_f64(const char *text, size_t bytes, double *out)
{
	return parse(text, bytes, &type_f64, out);
}

bool num_f32(const char *text, size_t bytes, float *out)
{
	double v;

	CHECK(parse(text, bytes, &type_f32, &v), false);
	*out = (float)v;
	return true;
}
