/* SPDX-License-Identifier: Apache-2.0 */
/* Formats: reading them, integers, characters and strings. Floats are in fmt_float.c. */
#include "base/fmt.h"

#include "base/base.h"
#include "base/fmt_impl.h"

/* What fmt_run carries along. */
struct run {
	struct fmt_out *out;
	struct fmt_source *src;
	const char *at, *end;
};

void fmt_put(struct fmt_out *out, const char *bytes, size_t n)
{
	out->total += n;
	while (n != 0 && out->cap != 0) {
		size_t room = out->cap - out->len;
		size_t part = BASE_MIN(room, n);

		memmove(out->at + out->len, bytes, part);
		out->len += part;
		bytes += part;
		n -= part;
		if (n == 0 || out->flush == NULL) {
			return;
		}
		out->flush(out);
	}
}

void fmt_pad(struct fmt_out *out, char c, uint32_t n)
{
	char part[16];

	memset(part, c, sizeof(part));
	for (; n > sizeof(part); n -= sizeof(part)) {
		fmt_put(out, part, sizeof(part));
	}
	fmt_put(out, part, n);
}

void fmt_field_sign(struct fmt_field *field, const struct fmt_spec *spec, bool negative)
{
	char sign = negative                  ? '-'
		    : spec->flags & FMT_PLUS  ? '+'
		    : spec->flags & FMT_SPACE ? ' '
					      : 0;

	if (sign != 0) {
		field->prefix[field->prefix_bytes++] = sign;
	}
}

uint32_t fmt_field_begin(struct fmt_out *out, const struct fmt_spec *spec,
			 const struct fmt_field *field, bool zeros_ok)
{
	uint32_t bytes = field->prefix_bytes + field->body_bytes;
	uint32_t pad = spec->width > bytes ? spec->width - bytes : 0;
	bool left = (spec->flags & FMT_MINUS) != 0;
	bool zeros = !left && zeros_ok && (spec->flags & FMT_ZERO) != 0;

	if (!left && !zeros) {
		fmt_pad(out, ' ', pad);
	}
	fmt_put(out, field->prefix, field->prefix_bytes);
	if (zeros) {
		fmt_pad(out, '0', pad);
	}
	return left ? pad : 0;
}

/* The digits of v at the end of buf[24]; returns how many. None for 0. */
static uint32_t put_digits(char *buf, uint64_t v, unsigned base, bool capitals)
{
	const char *digits = capitals ? "0123456789ABCDEF" : "0123456789abcdef";
	uint32_t n = 0;

	for (; v != 0; v /= base) {
		buf[23 - n++] = digits[v % base];
	}
	return n;
}

static void put_integer(struct fmt_out *out, const struct fmt_spec *spec, uint64_t v)
{
	struct fmt_field field = {.prefix_bytes = 0};
	bool is_signed = spec->conversion == 'd' || spec->conversion == 'i';
	bool hex = spec->conversion == 'x' || spec->conversion == 'X';
	bool octal = spec->conversion == 'o';
	bool negative = is_signed && (int64_t)v < 0;
	uint32_t zeros, digits, behind;
	char buf[24];

	digits = put_digits(buf, negative ? 0 - v : v,
			    hex     ? 16
			    : octal ? 8
				    : 10,
			    spec->conversion == 'X');
	zeros = spec->precision < 0 ? 1 : (uint32_t)spec->precision;
	zeros = zeros > digits ? zeros - digits : 0;
	if (octal && (spec->flags & FMT_ALT) != 0 && zeros == 0) {
		zeros = 1;
	}
	if (is_signed) {
		fmt_field_sign(&field, spec, negative);
	}
	if (hex && (spec->flags & FMT_ALT) != 0 && v != 0) {
		field.prefix[field.prefix_bytes++] = '0';
		field.prefix[field.prefix_bytes++] = spec->conversion;
	}
	field.body_bytes = zeros + digits;
	behind = fmt_field_begin(out, spec, &field, spec->precision < 0);
	fmt_pad(out, '0', zeros);
	fmt_put(out, buf + 24 - digits, digits);
	fmt_pad(out, ' ', behind);
}

static void put_text(struct fmt_out *out, const struct fmt_spec *spec, const char *text,
		     uint32_t bytes)
{
	struct fmt_field field = {.body_bytes = bytes};
	uint32_t behind = fmt_field_begin(out, spec, &field, false);

	fmt_put(out, text, bytes);
	fmt_pad(out, ' ', behind);
}

static enum fmt_err run_integer(struct run *run, const struct fmt_spec *spec)
{
	bool is_signed = spec->conversion == 'd' || spec->conversion == 'i';
	uint64_t v;

	CHECK(run->src->integer(run->src, spec->length, is_signed, &v), FMT_ERR_SOURCE);
	put_integer(run->out, spec, v);
	return FMT_OK;
}

/* %p is %#x, and "(nil)" for a null pointer. */
static enum fmt_err run_pointer(struct run *run, struct fmt_spec *spec)
{
	uint64_t v;

	CHECK(run->src->integer(run->src, FMT_SIZE, false, &v), FMT_ERR_SOURCE);
	if (v == 0) {
		put_text(run->out, spec, "(nil)", 5);
		return FMT_OK;
	}
	spec->flags |= FMT_ALT;
	spec->conversion = 'x';
	put_integer(run->out, spec, v);
	return FMT_OK;
}

static enum fmt_err run_char(struct run *run, const struct fmt_spec *spec)
{
	uint64_t v;
	char c;

	CHECK(run->src->integer(run->src, FMT_INT, false, &v), FMT_ERR_SOURCE);
	c = (char)v;
	put_text(run->out, spec, &c, 1);
	return FMT_OK;
}

static enum fmt_err run_text(struct run *run, const struct fmt_spec *spec)
{
	uint32_t bytes_max = spec->precision < 0 ? UINT32_MAX : (uint32_t)spec->precision;
	const char *text;
	uint32_t bytes;

	CHECK(run->src->text(run->src, bytes_max, &text, &bytes), FMT_ERR_SOURCE);
	if (text == NULL) {
		text = "(null)";
		bytes = bytes_max < 6 ? 0 : 6;
	}
	put_text(run->out, spec, text, bytes);
	return FMT_OK;
}

static enum fmt_err run_real(struct run *run, const struct fmt_spec *spec)
{
	double v;

	CHECK(run->src->real(run->src, spec->is_long_double, &v), FMT_ERR_SOURCE);
	fmt_real(run->out, spec, v);
	return FMT_OK;
}

static uint8_t flag_of(char c)
{
	switch (c) {
	case '-':
		return FMT_MINUS;
	case '+':
		return FMT_PLUS;
	case ' ':
		return FMT_SPACE;
	case '#':
		return FMT_ALT;
	case '0':
		return FMT_ZERO;
	default:
		return 0;
	}
}

static char peek(const struct run *run)
{
	return run->at < run->end ? *run->at : 0;
}

/* A number in the format, or the next argument for a star. *given tells if either stood there. */
static enum fmt_err parse_number(struct run *run, int64_t *out, bool *given)
{
	uint64_t star;

	*out = 0;
	*given = true;
	if (peek(run) == '*') {
		run->at++;
		CHECK(run->src->integer(run->src, FMT_INT, true, &star), FMT_ERR_SOURCE);
		*out = (int64_t)star;
		return FMT_OK;
	}
	*given = peek(run) >= '0' && peek(run) <= '9';
	while (peek(run) >= '0' && peek(run) <= '9') {
		*out = *out * 10 + (*run->at++ - '0');
		*out = BASE_MIN(*out, FMT_WIDTH_MAX + 1);
	}
	return FMT_OK;
}

static void parse_length(struct run *run, struct fmt_spec *spec)
{
	static const char letters[] = "hljztL";
	static const uint8_t lengths[] = {FMT_SHORT, FMT_LONG, FMT_MAX,
					  FMT_SIZE,  FMT_DIFF, FMT_INT};
	const char *at = peek(run) != 0 ? strchr(letters, peek(run)) : NULL;

	if (at == NULL) {
		return;
	}
	spec->length = lengths[at - letters];
	spec->is_long_double = *at == 'L';
	run->at++;
	if ((*at == 'h' || *at == 'l') && peek(run) == *at) {
		spec->length = *at == 'h' ? FMT_CHAR : FMT_LLONG;
		run->at++;
	} else if (*at == 'L') {
		spec->length = FMT_LLONG;
	}
}

/* What stands between the % and the conversion's letter. */
static enum fmt_err parse_spec(struct run *run, struct fmt_spec *spec)
{
	int64_t number;
	bool given;

	*spec = (struct fmt_spec){.precision = -1};
	while (flag_of(peek(run)) != 0) {
		spec->flags |= flag_of(*run->at++);
	}
	TRY(parse_number(run, &number, &given));
	if (number < 0) {
		spec->flags |= FMT_MINUS;
		number = -number;
	}
	CHECK(number <= FMT_WIDTH_MAX, FMT_ERR_WIDTH);
	spec->width = (uint32_t)number;
	if (peek(run) == '.') {
		run->at++;
		TRY(parse_number(run, &number, &given));
		CHECK(number <= FMT_WIDTH_MAX, FMT_ERR_WIDTH);
		spec->precision = number < 0 ? -1 : (int32_t)number;
	}
	parse_length(run, spec);
	spec->conversion = peek(run);
	run->at += run->at < run->end;
	return FMT_OK;
}

/* One conversion; run->at stands behind its %. */
static enum fmt_err run_conversion(struct run *run)
{
	const char *percent = run->at - 1;
	struct fmt_spec spec;

	TRY(parse_spec(run, &spec));
	switch (spec.conversion) {
	case 'd':
	case 'i':
	case 'u':
	case 'o':
	case 'x':
	case 'X':
		return run_integer(run, &spec);
	case 'a':
	case 'A':
	case 'e':
	case 'E':
	case 'f':
	case 'F':
	case 'g':
	case 'G':
		return run_real(run, &spec);
	case 'c':
		return run_char(run, &spec);
	case 's':
		return run_text(run, &spec);
	case 'p':
		return run_pointer(run, &spec);
	case 'n':
		return run->src->count(run->src, spec.length, run->out->total) ? FMT_OK
									       : FMT_ERR_SOURCE;
	case '%':
		fmt_put(run->out, "%", 1);
		return FMT_OK;
	default:
		fmt_put(run->out, percent, (size_t)(run->at - percent));
		return FMT_OK;
	}
}

enum fmt_err fmt_run(struct fmt_out *out, const char *format, size_t format_bytes,
		     struct fmt_source *src)
{
	struct run run = {out, src, format, format + format_bytes};

	while (run.at < run.end) {
		const char *percent = memchr(run.at, '%', (size_t)(run.end - run.at));
		const char *stop = percent != NULL ? percent : run.end;

		fmt_put(out, run.at, (size_t)(stop - run.at));
		run.at = stop;
		if (percent != NULL) {
			run.at++;
			TRY(run_conversion(&run));
		}
	}
	return FMT_OK;
}

/* ---- arguments from a va_list ---- */

struct native {
	struct fmt_source src;
	va_list args;
};

static bool native_signed(struct native *n, enum fmt_length length, int64_t *v)
{
	switch (length) {
	case FMT_CHAR:
		*v = (signed char)va_arg(n->args, int);
		return true;
	case FMT_SHORT:
		*v = (short)va_arg(n->args, int);
		return true;
	case FMT_LONG:
		*v = va_arg(n->args, long);
		return true;
	case FMT_LLONG:
		*v = va_arg(n->args, long long);
		return true;
	case FMT_MAX:
		*v = va_arg(n->args, intmax_t);
		return true;
	case FMT_SIZE:
	case FMT_DIFF:
		*v = va_arg(n->args, ptrdiff_t);
		return true;
	default:
		*v = va_arg(n->args, int);
		return true;
	}
}

/* How many bits the type of that length has here. */
static unsigned native_bits(enum fmt_length length)
{
	static const uint8_t bytes[] = {
		[FMT_INT] = sizeof(int),         [FMT_CHAR] = 1,
		[FMT_SHORT] = sizeof(short),     [FMT_LONG] = sizeof(long),
		[FMT_LLONG] = sizeof(long long), [FMT_MAX] = sizeof(intmax_t),
		[FMT_SIZE] = sizeof(size_t),     [FMT_DIFF] = sizeof(ptrdiff_t)};

	return bytes[length] * 8u;
}

static bool native_integer(struct fmt_source *src, enum fmt_length length, bool is_signed,
			   uint64_t *out)
{
	struct native *n = (struct native *)src;
	int64_t v = 0;

	(void)native_signed(n, length, &v);
	*out = is_signed ? (uint64_t)v
			 : (uint64_t)v << (64 - native_bits(length)) >> (64 - native_bits(length));
	return true;
}

static bool native_real(struct fmt_source *src, bool is_long, double *out)
{
	struct native *n = (struct native *)src;

	*out = is_long ? (double)va_arg(n->args, long double) : va_arg(n->args, double);
	return true;
}

static bool native_text(struct fmt_source *src, uint32_t max, const char **out, uint32_t *bytes)
{
	struct native *n = (struct native *)src;
	const char *text = va_arg(n->args, const char *);
	const char *end;

	*out = text;
	*bytes = 0;
	if (text != NULL) {
		end = max == UINT32_MAX ? NULL : memchr(text, 0, max);
		*bytes = end != NULL         ? (uint32_t)(end - text)
			 : max == UINT32_MAX ? (uint32_t)strlen(text)
					     : max;
	}
	return true;
}

/* %n is refused: nobody needs it here. */
static bool native_count(struct fmt_source *src, enum fmt_length length, uint64_t total)
{
	return false;
}

size_t fmt_vstr(char *buf, size_t cap, const char *format, va_list args)
{
	struct fmt_out out = {.at = buf, .cap = cap != 0 ? cap - 1 : 0};
	struct native n = {.src = {native_integer, native_real, native_text, native_count}};
	enum fmt_err err;

	va_copy(n.args, args);
	err = fmt_run(&out, format, strlen(format), &n.src);
	va_end(n.args);
	if (cap != 0) {
		buf[out.len] = 0;
	}
	return err == FMT_OK ? (size_t)out.total : 0;
}

size_t fmt_str(char *buf, size_t cap, const char *format, ...)
{
	va_list args;
	size_t n;

	va_start(args, format);
	n = fmt_vstr(buf, cap, format, args);
	va_end(args);
	return n;
}
