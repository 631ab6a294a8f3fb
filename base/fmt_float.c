/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Floats as text, exactly: a double is expanded to all its decimal digits in limbs of nine, and
 * then rounded where the precision ends.
 *
 * Bounds: at most 2^-1074, which is 767 digits behind 308 zeros: 122 limbs. 0.5 KB of stack.
 */
#include "base/fmt_impl.h"

#include "base/base.h"

#define LIMB       1000000000u
#define LIMB_COUNT 128u

/* The number is the sum of limb[i] * 10^(9 * (point - i)), i from first to last; what lies outside
 * is 0. */
struct decimal {
	int first, last, point;
	uint32_t limb[LIMB_COUNT];
};

/* A double taken apart: mantissa * 2^exp2, negative or not. */
struct parts {
	uint64_t mantissa;
	int exp2;
	bool negative, special; /* special: infinite, or with a mantissa not a number */
};

static uint32_t pow10_u32(unsigned n)
{
	uint32_t v = 1;

	while (n-- != 0) {
		v *= 10;
	}
	return v;
}

static struct parts take_apart(double v)
{
	union {
		double d;
		uint64_t u;
	} bits = {v};
	struct parts p = {bits.u & 0xFFFFFFFFFFFFFu, (int)(bits.u >> 52 & 0x7FF), bits.u >> 63 != 0,
			  false};

	if (p.exp2 == 0x7FF) {
		p.special = true;
	} else if (p.exp2 == 0) {
		p.exp2 = -1074;
	} else {
		p.mantissa |= (uint64_t)1 << 52;
		p.exp2 -= 1075;
	}
	return p;
}

/* d *= 2^bits, bits at most 29. */
static void decimal_double(struct decimal *d, unsigned bits)
{
	uint32_t carry = 0;

	for (int i = d->last; i >= d->first; i--) {
		uint64_t x = ((uint64_t)d->limb[i] << bits) + carry;

		carry = (uint32_t)(x / LIMB);
		d->limb[i] = (uint32_t)(x % LIMB);
	}
	if (carry != 0) {
		d->limb[--d->first] = carry;
	}
}

/* d /= 2^bits, bits at most 9, since 2^9 divides LIMB. */
static void decimal_halve(struct decimal *d, unsigned bits)
{
	uint32_t carry = 0;

	for (int i = d->first; i <= d->last; i++) {
		uint32_t rest = d->limb[i] & ((1u << bits) - 1);

		d->limb[i] = (d->limb[i] >> bits) + carry;
		carry = (LIMB >> bits) * rest;
	}
	if (carry != 0) {
		d->limb[++d->last] = carry;
	}
	if (d->limb[d->first] == 0 && d->first < d->last) {
		d->first++;
	}
}

/* All digits of mantissa * 2^exp2; mantissa below 2^55. */
static void decimal_expand(struct decimal *d, uint64_t mantissa, int exp2)
{
	memset(d, 0, sizeof(*d));
	d->point = exp2 > 0 ? 38 : 3;
	d->last = d->point;
	d->first = d->point - 1;
	d->limb[d->point] = (uint32_t)(mantissa % LIMB);
	d->limb[d->point - 1] = (uint32_t)(mantissa / LIMB);
	for (; exp2 > 0; exp2 -= BASE_MIN(exp2, 29)) {
		decimal_double(d, (unsigned)BASE_MIN(exp2, 29));
	}
	for (; exp2 < 0; exp2 += BASE_MIN(-exp2, 9)) {
		decimal_halve(d, (unsigned)BASE_MIN(-exp2, 9));
	}
	while (d->first < d->last && d->limb[d->first] == 0) {
		d->first++;
	}
}

/* The limb that holds the digit of weight 10^pos. */
static int limb_of(const struct decimal *d, int pos)
{
	return d->point - (pos >= 0 ? pos / 9 : (pos - 8) / 9);
}

static unsigned digit_in_limb(int pos)
{
	return (unsigned)(pos >= 0 ? pos % 9 : (9 - -pos % 9) % 9);
}

/* The digit of weight 10^pos. */
static unsigned decimal_digit(const struct decimal *d, int pos)
{
	int i = limb_of(d, pos);

	if (i < d->first || i > d->last) {
		return 0;
	}
	return d->limb[i] / pow10_u32(digit_in_limb(pos)) % 10;
}

/* The weight of the first digit that is not 0; 0 for the number 0. */
static int decimal_exponent(const struct decimal *d)
{
	int i = d->first, pos;
	uint32_t v;

	while (i <= d->last && d->limb[i] == 0) {
		i++;
	}
	if (i > d->last) {
		return 0;
	}
	pos = (d->point - i) * 9;
	for (v = d->limb[i]; v >= 10; v /= 10) {
		pos++;
	}
	return pos;
}

/* Is any digit below the weight 10^pos not 0? */
static bool decimal_rest(const struct decimal *d, int pos)
{
	int i = limb_of(d, pos);

	if (i < d->first) {
		i = d->first - 1;
	} else if (i <= d->last && d->limb[i] % pow10_u32(digit_in_limb(pos)) != 0) {
		return true;
	}
	for (i++; i <= d->last; i++) {
		if (d->limb[i] != 0) {
			return true;
		}
	}
	return false;
}

/* Adds 10^pos. */
static void decimal_add(struct decimal *d, int pos)
{
	int i = limb_of(d, pos);

	d->first = BASE_MIN(d->first, i);
	d->limb[i] += pow10_u32(digit_in_limb(pos));
	while (d->limb[i] >= LIMB) {
		d->limb[i] -= LIMB;
		i--;
		d->first = BASE_MIN(d->first, i);
		d->limb[i]++;
	}
}

/* Rounds to a multiple of 10^pos, to nearest, ties to even. */
static void decimal_round(struct decimal *d, int pos)
{
	unsigned next = decimal_digit(d, pos - 1);
	bool up =
		next > 5 || (next == 5 && (decimal_rest(d, pos - 1) || decimal_digit(d, pos) % 2));
	int i = limb_of(d, pos);

	if (i > d->last) {
		return;
	}
	if (i >= d->first) {
		d->limb[i] -= d->limb[i] % pow10_u32(digit_in_limb(pos));
	}
	for (int k = BASE_MAX(i + 1, d->first); k <= d->last; k++) {
		d->limb[k] = 0;
	}
	if (up) {
		decimal_add(d, pos);
	}
}

/* Puts the digits of the weights from 10^from down to 10^to. */
static void put_decimal(struct fmt_out *out, const struct decimal *d, int from, int to)
{
	int end = BASE_MAX(to, (d->point - d->last) * 9);

	for (; from >= end; from--) {
		char c = (char)('0' + decimal_digit(d, from));

		fmt_put(out, &c, 1);
	}
	if (from >= to) {
		fmt_pad(out, '0', (uint32_t)(from - to + 1));
	}
}

/* 123.456; d is rounded to precision digits behind the point. */
static void put_fixed(struct fmt_out *out, const struct fmt_spec *spec, struct fmt_field *field,
		      const struct decimal *d, int precision)
{
	int from = BASE_MAX(decimal_exponent(d), 0);
	bool point = precision > 0 || (spec->flags & FMT_ALT) != 0;
	uint32_t behind;

	field->body_bytes = (uint32_t)(from + 1 + point + precision);
	behind = fmt_field_begin(out, spec, field, true);
	put_decimal(out, d, from, 0);
	fmt_put(out, ".", point);
	put_decimal(out, d, -1, -precision);
	fmt_pad(out, ' ', behind);
}

/* e+06 or p-3: at least digits_min digits. Returns its length in buf[8]. */
static uint32_t exponent_text(char *buf, char letter, int exponent, unsigned digits_min)
{
	uint32_t n = 0, digits = 0;
	unsigned v = (unsigned)(exponent < 0 ? -exponent : exponent);

	buf[n++] = letter;
	buf[n++] = exponent < 0 ? '-' : '+';
	for (unsigned rest = v; rest != 0 || digits < digits_min; rest /= 10) {
		digits++;
	}
	for (uint32_t i = digits; i-- != 0; v /= 10) {
		buf[n + i] = (char)('0' + v % 10);
	}
	return n + digits;
}

/* 1.234e+05; d is rounded to precision + 1 digits. */
static void put_scientific(struct fmt_out *out, const struct fmt_spec *spec,
			   struct fmt_field *field, const struct decimal *d, int precision)
{
	int from = decimal_exponent(d);
	bool point = precision > 0 || (spec->flags & FMT_ALT) != 0;
	bool capitals = spec->conversion < 'a';
	char buf[8];
	uint32_t behind, bytes = exponent_text(buf, capitals ? 'E' : 'e', from, 2);

	field->body_bytes = (uint32_t)(1 + point + precision) + bytes;
	behind = fmt_field_begin(out, spec, field, true);
	put_decimal(out, d, from, from);
	fmt_put(out, ".", point);
	put_decimal(out, d, from - 1, from - precision);
	fmt_put(out, buf, bytes);
	fmt_pad(out, ' ', behind);
}

/* %g: whichever of the two is shorter, without zeros at the end. C11 7.21.6.1. */
static void put_general(struct fmt_out *out, const struct fmt_spec *spec, struct fmt_field *field,
			struct decimal *d, int precision)
{
	int digits = precision == 0 ? 1 : precision;
	int exponent;

	decimal_round(d, decimal_exponent(d) - digits + 1);
	exponent = decimal_exponent(d);
	if ((spec->flags & FMT_ALT) == 0) {
		int lowest = exponent - digits + 1;

		lowest = BASE_MAX(lowest, (d->point - d->last) * 9);
		while (lowest < exponent && decimal_digit(d, lowest) == 0) {
			lowest++;
		}
		if (exponent >= -4 && exponent < digits) {
			put_fixed(out, spec, field, d, BASE_MAX(-lowest, 0));
		} else {
			put_scientific(out, spec, field, d, exponent - lowest);
		}
	} else if (exponent >= -4 && exponent < digits) {
		put_fixed(out, spec, field, d, digits - 1 - exponent);
	} else {
		put_scientific(out, spec, field, d, digits - 1);
	}
}

static void put_special(struct fmt_out *out, const struct fmt_spec *spec, struct fmt_field *field,
			const struct parts *p)
{
	bool capitals = spec->conversion < 'a';
	const char *text = p->mantissa != 0 ? capitals ? "NAN" : "nan" : capitals ? "INF" : "inf";
	uint32_t behind;

	field->body_bytes = 3;
	behind = fmt_field_begin(out, spec, field, false);
	fmt_put(out, text, 3);
	fmt_pad(out, ' ', behind);
}

/* Rounds the 52 fraction bits of a mantissa to so many hexadecimal digits. */
static uint64_t round_hex(uint64_t mantissa, int digits)
{
	unsigned drop = (unsigned)(52 - 4 * digits);
	uint64_t unit = (uint64_t)1 << drop, rest = mantissa & (unit - 1);

	mantissa -= rest;
	if (rest > unit / 2 || (rest == unit / 2 && (mantissa & unit) != 0)) {
		mantissa += unit;
	}
	return mantissa;
}

/* %a: 0x1.8p+1. */
static void put_hex(struct fmt_out *out, const struct fmt_spec *spec, struct fmt_field *field,
		    const struct parts *p)
{
	bool capitals = spec->conversion == 'A';
	const char *hex = capitals ? "0123456789ABCDEF" : "0123456789abcdef";
	uint64_t m = p->mantissa;
	int digits = 13, exponent = m == 0 ? 0 : p->exp2 + 52;
	uint32_t behind, bytes;
	char buf[8], digit[14];
	bool point;

	if (spec->precision >= 0 && spec->precision < 13) {
		digits = spec->precision;
		m = round_hex(m, digits);
	}
	while (spec->precision < 0 && digits > 0 && (m >> (52 - 4 * digits) & 15) == 0) {
		digits--;
	}
	for (int i = 0; i <= digits; i++) {
		digit[i] = hex[m >> (52 - 4 * i) & 15];
	}
	point = digits > 0 || spec->precision > 0 || (spec->flags & FMT_ALT) != 0;
	bytes = exponent_text(buf, capitals ? 'P' : 'p', exponent, 1);
	field->prefix[field->prefix_bytes++] = '0';
	field->prefix[field->prefix_bytes++] = capitals ? 'X' : 'x';
	field->body_bytes = 1 + point + bytes + (uint32_t)BASE_MAX(digits, spec->precision);
	behind = fmt_field_begin(out, spec, field, true);
	fmt_put(out, digit, 1);
	fmt_put(out, ".", point);
	fmt_put(out, digit + 1, (size_t)digits);
	fmt_pad(out, '0', (uint32_t)BASE_MAX(spec->precision - digits, 0));
	fmt_put(out, buf, bytes);
	fmt_pad(out, ' ', behind);
}

void fmt_real(struct fmt_out *out, const struct fmt_spec *spec, double v)
{
	struct fmt_field field = {.prefix_bytes = 0};
	struct parts p = take_apart(v);
	int precision = spec->precision < 0 ? 6 : spec->precision;
	char letter = (char)(spec->conversion | 0x20);
	struct decimal d;

	fmt_field_sign(&field, spec, p.negative);
	if (p.special) {
		put_special(out, spec, &field, &p);
		return;
	}
	if (letter == 'a') {
		put_hex(out, spec, &field, &p);
		return;
	}
	decimal_expand(&d, p.mantissa, p.exp2);
	if (letter == 'f') {
		decimal_round(&d, -precision);
		put_fixed(out, spec, &field, &d, precision);
	} else if (letter == 'e') {
		decimal_round(&d, decimal_exponent(&d) - precision);
		put_scientific(out, spec, &field, &d, precision);
	} else {
		put_general(out, spec, &field, &d, precision);
	}
}

/* ---- the shortest text ---- */

/* The 19 digits from the weight 10^top on, and if anything follows them. */
struct digits19 {
	uint64_t v;
	bool more;
};

static struct digits19 take_19(const struct decimal *d, int top)
{
	struct digits19 t = {0, decimal_rest(d, top - 18)};

	for (int i = 0; i < 19; i++) {
		t.v = t.v * 10 + decimal_digit(d, top - i);
	}
	return t;
}

/* The fewest digits between the numbers halfway to the neighbours of mantissa * 2^exp2; of those
 * the nearest. Returns them as a 19-digit number whose first digit has the weight 10^*top. */
static uint64_t shortest(uint64_t mantissa, int exp2, bool lower_is_near, int *top)
{
	struct decimal d;
	struct digits19 low, mid, high;
	bool even = mantissa % 2 == 0;

	decimal_expand(&d, mantissa * 4 + 2, exp2 - 2);
	*top = decimal_exponent(&d);
	high = take_19(&d, *top);
	decimal_expand(&d, mantissa * 4, exp2 - 2);
	mid = take_19(&d, *top);
	decimal_expand(&d, mantissa * 4 - (lower_is_near ? 1 : 2), exp2 - 2);
	low = take_19(&d, *top);
	for (uint64_t unit = 1000000000000000000u;; unit /= 10) {
		uint64_t below = mid.v - mid.v % unit, above = below + unit;
		bool low_ok = below > low.v || (below == low.v && !low.more && even);
		bool high_ok = above < high.v || (above == high.v && (high.more || even));

		if (low_ok || high_ok) {
			uint64_t up = above - mid.v, down = mid.v - below;
			bool nearer_up =
				up < down || (up == down && (mid.more || below / unit % 2));

			return high_ok && (!low_ok || nearer_up) ? above : below;
		}
		ASSERT(unit != 1);
	}
}

/* Writes digits (of 19, the first of weight 10^top) as plain or scientific text. */
static size_t put_shortest(char *buf, bool negative, uint64_t digits, int top)
{
	struct fmt_out out = {.at = buf, .cap = FMT_FLOAT_BYTES - 1};
	char text[20], exponent[8];
	int count = 19;

	for (; digits < 1000000000000000000u; digits *= 10) {
		top--;
	}
	for (int i = 19; i-- > 0; digits /= 10) {
		text[i] = (char)('0' + digits % 10);
	}
	while (count > 1 && text[count - 1] == '0') {
		count--;
	}
	fmt_put(&out, "-", negative);
	if (top >= 21 || top < -7) {
		fmt_put(&out, text, 1);
		fmt_put(&out, ".", count > 1);
		fmt_put(&out, text + 1, (size_t)(count - 1));
		fmt_put(&out, exponent, exponent_text(exponent, 'e', top, 1));
	} else if (top < 0) {
		fmt_put(&out, "0.", 2);
		fmt_pad(&out, '0', (uint32_t)(-top - 1));
		fmt_put(&out, text, (size_t)count);
	} else {
		int whole = BASE_MIN(count, top + 1);

		fmt_put(&out, text, (size_t)whole);
		fmt_pad(&out, '0', (uint32_t)(top + 1 - whole));
		fmt_put(&out, ".", count > whole);
		fmt_put(&out, text + whole, (size_t)(count - whole));
	}
	buf[out.len] = 0;
	return out.len;
}

static size_t put_plain(char *buf, bool negative, const char *text)
{
	return fmt_str(buf, FMT_FLOAT_BYTES, "%s%s", negative ? "-" : "", text);
}

size_t fmt_f64(char *buf, double v)
{
	struct parts p = take_apart(v);
	uint64_t digits;
	int top;

	if (p.special || p.mantissa == 0) {
		return put_plain(buf, p.negative,
				 !p.special        ? "0"
				 : p.mantissa != 0 ? "nan"
						   : "inf");
	}
	digits = shortest(p.mantissa, p.exp2, p.mantissa == (uint64_t)1 << 52 && p.exp2 > -1074,
			  &top);
	return put_shortest(buf, p.negative, digits, top);
}

size_t fmt_f32(char *buf, float v)
{
	union {
		float f;
		uint32_t u;
	} bits = {v};
	uint64_t mantissa = bits.u & 0x7FFFFF, digits;
	int exp2 = (int)(bits.u >> 23 & 0xFF), top;
	bool negative = bits.u >> 31 != 0;

	if (exp2 == 0xFF || (exp2 == 0 && mantissa == 0)) {
		return put_plain(buf, negative, exp2 == 0 ? "0" : mantissa != 0 ? "nan" : "inf");
	}
	mantissa |= exp2 != 0 ? 1u << 23 : 0;
	exp2 = exp2 != 0 ? exp2 - 150 : -149;
	digits = shortest(mantissa, exp2, mantissa == 1u << 23 && exp2 > -149, &top);
	return put_shortest(buf, negative, digits, top);
}
