/* SPDX-License-Identifier: Apache-2.0 */
/* Formats against the C library's snprintf, and shortest floats against reading them back. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/fmt.h"
#include "base/prng.h"
#include "test/test.h"

#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static char ours[70000], theirs[70000];

/* Formats the same with both and compares text and length. The compiler is not to know the format.
 */
#define SAME(format, ...)                                                                          \
	do {                                                                                       \
		const char *volatile f_ = (format);                                                \
		size_t a_ = fmt_str(ours, sizeof(ours), f_, ##__VA_ARGS__);                        \
		size_t b_ = (size_t)snprintf(theirs, sizeof(theirs), f_, ##__VA_ARGS__);           \
		if (a_ != b_ || strcmp(ours, theirs) != 0) {                                       \
			TEST_FAIL("\"%s\": got \"%.200s\" (%zu), expected \"%.200s\" (%zu)", f_,   \
				  ours, a_, theirs, b_);                                           \
		}                                                                                  \
	} while (0)

/* All flags, some widths and precisions, before the given end of a conversion. */
static void build_format(char *out, unsigned flags, int width, int precision, const char *end)
{
	char *p = out;

	*p++ = '[';
	*p++ = '%';
	for (unsigned i = 0; i < 5; i++) {
		if (flags >> i & 1) {
			*p++ = "-+ #0"[i];
		}
	}
	if (width >= 0) {
		p += sprintf(p, "%d", width);
	}
	if (precision >= 0) {
		p += sprintf(p, ".%d", precision);
	}
	sprintf(p, "%s]", end);
}

static const int widths[] = {-1, 1, 5, 12, 30};
static const int precisions[] = {-1, 0, 1, 3, 9, 20, 40};

/* Calls body with every format made of the parts. */
#define EACH_FORMAT(end, body)                                                                     \
	for (unsigned g_ = 0; g_ < 32; g_++) {                                                     \
		for (unsigned w_ = 0; w_ < 5; w_++) {                                              \
			for (unsigned p_ = 0; p_ < 7; p_++) {                                      \
				char format[64];                                                   \
				build_format(format, g_, widths[w_], precisions[p_], end);         \
				body;                                                              \
			}                                                                          \
		}                                                                                  \
	}

TEST(integers_like_libc)
{
	static const int values[] = {0, 1, -1, 7, 8, 42, -12345, INT32_MAX, INT32_MIN, 255, 65536};
	static const char *const ends[] = {"d", "i", "u", "o", "x", "X", "hd", "hhd", "hu", "hhx"};

	for (unsigned e = 0; e < 10; e++) {
		for (unsigned i = 0; i < 11; i++) {
			EACH_FORMAT(ends[e], SAME(format, values[i]));
		}
	}
}

TEST(long_integers_like_libc)
{
	static const long long values[] = {0, -1, 1LL << 40, INT64_MAX, INT64_MIN, 1000000007};
	static const char *const ends[] = {"lld", "llu", "llo", "llx", "jd", "ju",
					   "zu",  "zd",  "td",  "ld",  "lX", "li"};

	for (unsigned e = 0; e < 12; e++) {
		for (unsigned i = 0; i < 6; i++) {
			EACH_FORMAT(ends[e], SAME(format, values[i]));
		}
	}
}

static const double doubles[] = {0.0,
				 -0.0,
				 1.0,
				 -1.5,
				 0.1,
				 0.5,
				 1.5,
				 2.5,
				 9.5,
				 9.995,
				 99.5,
				 999999.5,
				 9999995.0,
				 123456.789,
				 1e-4,
				 9.9999e-5,
				 1e-5,
				 1e10,
				 1e21,
				 1e22,
				 1e23,
				 1e100,
				 DBL_MAX,
				 DBL_MIN,
				 4.9406564584124654e-324,
				 2.2250738585072011e-308,
				 3.14159265358979312,
				 0.000244140625,
				 1048576.5,
				 4503599627370497.5,
				 1e15,
				 123456789012345678.0,
				 INFINITY,
				 -INFINITY,
				 NAN};

TEST(floats_like_libc)
{
	static const char *const ends[] = {"f", "F", "e", "E", "g", "G", "a", "A"};

	for (unsigned e = 0; e < 8; e++) {
		for (unsigned i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++) {
			/* glibc loses the zeros that # keeps when %g rounds up to the next power. */
			if ((ends[e][0] | 0x20) == 'g' && doubles[i] == 999999.5) {
				continue;
			}
			EACH_FORMAT(ends[e], SAME(format, doubles[i]));
		}
	}
	fmt_str(ours, sizeof(ours), "%#g", 999999.5);
	EXPECT_STR(ours, "1.00000e+06");
}

static double random_double(struct prng *prng)
{
	union {
		uint64_t u;
		double d;
	} bits = {prng_next(prng)};

	return bits.d;
}

TEST(random_floats_like_libc)
{
	static const char *const formats[] = {"%.17g", "%g",   "%e",   "%.0f", "%.3f",
					      "%.15g", "%.1e", "%a",   "%f",   "%.3a",
					      "%#.9g", "%.0e", "%.60f"};
	struct prng prng;

	prng_init(&prng, 1);
	for (unsigned i = 0; i < 20000; i++) {
		double v = random_double(&prng);
		double half = (double)(int64_t)(prng_next(&prng) >> 40) / 64;

		SAME(formats[i % 13], v);
		SAME(formats[i % 13], half);
		SAME(formats[i % 13], half / 1000);
	}
}

TEST(exact_floats_with_many_digits)
{
	SAME("%.1100f", 4.9406564584124654e-324);
	SAME("%.1100e", DBL_MAX / 3);
	SAME("%.800g", DBL_MIN);
	SAME("%.60000f", 0.3);
	SAME("%Lf %Le", (long double)1.25, (long double)3);
}

TEST(text_like_libc)
{
	static const char *const texts[] = {"", "a", "hello", "a longer text than that"};

	for (unsigned i = 0; i < 4; i++) {
		for (unsigned w = 0; w < 5; w++) {
			for (unsigned p = 0; p < 7; p++) {
				char format[64];

				build_format(format, 0, widths[w], precisions[p], "s");
				SAME(format, texts[i]);
				build_format(format, 1, widths[w], precisions[p], "s");
				SAME(format, texts[i]);
			}
		}
	}
	SAME("%c|%5c|%-5c|", 'x', 'y', 'z');
	SAME("%s|%10s|%.3s|%.8s", NULL, NULL, NULL, NULL);
	SAME("%p %p %20p|%-20p|", (void *)0, (void *)4096, (void *)1, (void *)2);
	SAME("plain");
	SAME("");
	SAME("%%|100%% %d", 3);
}

TEST(stars_like_libc)
{
	SAME("%*d|%-*d|%*d", 5, 1, 5, 2, -5, 3);
	SAME("%.*f|%.*f|%*.*f", 2, 1.005, -1, 2.5, 10, 3, 3.14159);
	SAME("%.*s|%.*d", 2, "abc", 4, 7);
}

TEST(cuts_and_counts)
{
	const char *volatile too_wide = "%99999999999999999999d";
	char buf[4];

	EXPECT_EQ(fmt_str(buf, sizeof(buf), "%d", 12345), 5);
	EXPECT_STR(buf, "123");
	EXPECT_EQ(fmt_str(NULL, 0, "%100d", 1), 100);
	EXPECT_EQ(fmt_str(buf, 1, "abc"), 3);
	EXPECT_STR(buf, "");
	EXPECT_EQ(fmt_str(ours, sizeof(ours), "%*d", 65536, 1), 0);
	EXPECT_EQ(fmt_str(ours, sizeof(ours), too_wide, 1), 0);
}

TEST(unknown_conversions_stand_as_they_are)
{
	const char *volatile unknown = "a%yb%", *volatile cut = "%-5";

	EXPECT_EQ(fmt_str(ours, sizeof(ours), unknown, 1), 5);
	EXPECT_STR(ours, "a%yb%");
	fmt_str(ours, sizeof(ours), cut);
	EXPECT_STR(ours, "%-5");
}

/* A sink that counts and checks the pieces it gets. */
struct counting {
	struct fmt_out out;
	char piece[7];
	unsigned calls;
	char all[100];
	size_t bytes;
};

static void take_piece(struct fmt_out *out)
{
	struct counting *c = (struct counting *)out;

	c->calls++;
	memcpy(c->all + c->bytes, out->at, out->len);
	c->bytes += out->len;
	out->len = 0;
}

TEST(flushes_a_full_buffer)
{
	struct counting c = {.out = {.flush = take_piece}};

	c.out.at = c.piece;
	c.out.cap = sizeof(c.piece);
	fmt_put(&c.out, "0123456789", 10);
	fmt_pad(&c.out, 'x', 20);
	take_piece(&c.out);
	EXPECT_EQ(c.bytes, 30);
	EXPECT_EQ(c.out.total, 30);
	EXPECT(memcmp(c.all, "0123456789xxxxxxxxxxxxxxxxxxxx", 30) == 0);
}

static unsigned significant_digits(const char *text)
{
	unsigned n = 0, zeros = 0;

	for (; *text != 0 && *text != 'e'; text++) {
		if (*text >= '1' && *text <= '9') {
			n += zeros + 1;
			zeros = 0;
		} else if (*text == '0' && n != 0) {
			zeros++;
		}
	}
	return n;
}

/* Does it read back, and is there no shorter %g that does? */
static void check_shortest_f64(double v)
{
	char text[FMT_FLOAT_BYTES], longer[64];
	unsigned digits;

	fmt_f64(text, v);
	digits = significant_digits(text);
	if (strtod(text, NULL) != v) {
		TEST_FAIL("%.17g became %s", v, text);
	}
	for (unsigned n = 1; n < digits; n++) {
		snprintf(longer, sizeof(longer), "%.*g", (int)n, v);
		if (strtod(longer, NULL) == v) {
			TEST_FAIL("%s is shorter than %s", longer, text);
		}
	}
	/* Of those as long as it, none is nearer: rounding correctly to so many digits is best. */
	snprintf(longer, sizeof(longer), "%.*e", (int)(digits != 0 ? digits - 1 : 0), v);
	if (strtod(longer, NULL) == v) {
		char again[64];

		snprintf(again, sizeof(again), "%.*e", (int)(digits != 0 ? digits - 1 : 0),
			 strtod(text, NULL));
		if (strcmp(again, longer) != 0) {
			TEST_FAIL("%s is nearer than %s", longer, text);
		}
	}
}

static void check_shortest_f32(float v)
{
	char text[FMT_FLOAT_BYTES], longer[64];
	unsigned digits;

	fmt_f32(text, v);
	digits = significant_digits(text);
	if (strtof(text, NULL) != v) {
		TEST_FAIL("%.9g became %s", (double)v, text);
	}
	for (unsigned n = 1; n < digits; n++) {
		snprintf(longer, sizeof(longer), "%.*g", (int)n, (double)v);
		if (strtof(longer, NULL) == v) {
			TEST_FAIL("%s is shorter than %s", longer, text);
		}
	}
}

TEST(shortest_reads_back)
{
	struct prng prng;

	for (unsigned i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++) {
		if (isfinite(doubles[i])) {
			check_shortest_f64(doubles[i]);
			check_shortest_f32((float)fmin(doubles[i], FLT_MAX));
		}
	}
	for (int e = -1074; e < 1024; e++) {
		check_shortest_f64(ldexp(1, e));
	}
	for (int e = -149; e < 128; e++) {
		check_shortest_f32(ldexpf(1, e));
	}
	prng_init(&prng, 2);
	for (unsigned i = 0; i < 5000; i++) {
		union {
			uint32_t u;
			float f;
		} bits = {(uint32_t)prng_next(&prng)};
		double v = random_double(&prng);

		check_shortest_f64(isfinite(v) ? v : 1);
		check_shortest_f64((double)(int64_t)(prng_next(&prng) >> 44) / 1000);
		check_shortest_f32(isfinite(bits.f) ? bits.f : 1);
	}
}

static const char *f64_text(double v)
{
	static char text[FMT_FLOAT_BYTES];

	EXPECT_EQ(fmt_f64(text, v), strlen(text));
	return text;
}

TEST(shortest_looks_plain)
{
	EXPECT_STR(f64_text(0), "0");
	EXPECT_STR(f64_text(-0.0), "-0");
	EXPECT_STR(f64_text(0.1), "0.1");
	EXPECT_STR(f64_text(100), "100");
	EXPECT_STR(f64_text(-123.25), "-123.25");
	EXPECT_STR(f64_text(1e20), "100000000000000000000");
	EXPECT_STR(f64_text(1e21), "1e+21");
	EXPECT_STR(f64_text(1e-7), "0.0000001");
	EXPECT_STR(f64_text(1.5e-8), "1.5e-8");
	EXPECT_STR(f64_text(9007199254740993.0), "9007199254740992");
	EXPECT_STR(f64_text(5e-324), "5e-324");
	EXPECT_STR(f64_text(DBL_MAX), "1.7976931348623157e+308");
	EXPECT_STR(f64_text(INFINITY), "inf");
	EXPECT_STR(f64_text(-INFINITY), "-inf");
	EXPECT_STR(f64_text((double)NAN), "nan");
	EXPECT_STR(f64_text(0.3), "0.3");
	EXPECT_STR(f64_text(2.0 / 3), "0.6666666666666666");
}

TEST_MAIN(T(integers_like_libc) T(long_integers_like_libc) T(floats_like_libc)
		  T(random_floats_like_libc) T(exact_floats_with_many_digits) T(text_like_libc)
			  T(stars_like_libc) T(cuts_and_counts)
				  T(unknown_conversions_stand_as_they_are) T(flushes_a_full_buffer)
					  T(shortest_reads_back) T(shortest_looks_plain))
