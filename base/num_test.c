/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/num.h"
#include "base/prng.h"
#include "test/test.h"

static bool i64(const char *text, int64_t *out)
{
	return num_i64(text, strlen(text), out);
}

TEST(integers)
{
	int64_t v = 0;
	uint64_t u = 0;

	EXPECT(i64("-9223372036854775808", &v) && v == INT64_MIN);
	EXPECT(i64("9223372036854775807", &v) && v == INT64_MAX);
	EXPECT(i64("+0x1F", &v) && v == 31);
	EXPECT(!i64("9223372036854775808", &v) && !i64("", &v) && !i64("-", &v) && !i64("1 ", &v));
	EXPECT(!i64("0x", &v) && !i64("1a", &v) && v == 31);
	EXPECT(num_u64("18446744073709551615", 20, &u) && u == UINT64_MAX);
	EXPECT(!num_u64("18446744073709551616", 20, &u));
}

static void same(const char *text)
{
	double d = -1, want = strtod(text, NULL);
	float f = -1, fwant = strtof(text, NULL);

	if (!num_f64(text, strlen(text), &d) || memcmp(&d, &want, 8) != 0) {
		TEST_FAIL("%s is %a, expected %a", text, d, want);
	}
	if (!num_f32(text, strlen(text), &f) || memcmp(&f, &fwant, 4) != 0) {
		TEST_FAIL("%s is %a, expected %a (f32)", text, f, fwant);
	}
}

TEST(floats)
{
	static const char *const texts[] = {
		"0",
		"-0",
		"1",
		"1.5",
		".5",
		"5.",
		"0.1",
		"1e22",
		"1e23",
		"1e-22",
		"123456789012345678901234567890",
		"2.2250738585072011e-308",
		"2.2250738585072014e-308",
		"4.9e-324",
		"2.4703282292062327e-324",
		"2.4703282292062328e-324",
		"1.7976931348623157e308",
		"1.7976931348623159e308",
		"1e309",
		"1e-400",
		"9007199254740993",
		"9007199254740992.9999",
		"16777217",
		"3.4028235677973366e38",
		"1.401298464324817e-45",
		"7.006492321624085e-46",
		"7.0064923216240853e-46",
		"0.000000000000000000000000000001",
		"inf",
		"-inf",
		"6.103515625e-05",
		"1.00000000000000011102230246251565404236316680908203125",
		"1e99999999999",
		"1.00000000000000011102230246251565404236316680908203124",
		"0e500",
		"3.14159265358979323846",
	};
	double d = 7;

	for (size_t i = 0; i < BASE_COUNT(texts); i++) {
		if (strcmp(texts[i], "1e99999999999") != 0) {
			same(texts[i]);
		}
	}
	EXPECT(num_f64("nan", 3, &d) && d != d);
	d = 7;
	EXPECT(!num_f64("", 0, &d) && !num_f64(".", 1, &d) && !num_f64("1e", 2, &d) && d == 7);
	EXPECT(!num_f64("1x", 2, &d) && !num_f64("--1", 3, &d) && !num_f64("1e0x1", 5, &d));
}

TEST(random_floats)
{
	struct prng prng;
	char text[64];

	prng_init(&prng, 3);
	for (int i = 0; i < 20000; i++) {
		uint64_t bits = prng_next(&prng);
		double v;

		memcpy(&v, &bits, 8);
		if (v == v) {
			snprintf(text, sizeof(text), "%.*g", (int)prng_below(&prng, 25) + 1, v);
			same(text);
			snprintf(text, sizeof(text), "%.*g", (int)prng_below(&prng, 25) + 1,
				 (double)(float)(int64_t)bits / 4096);
			same(text);
		}
	}
}

TEST_MAIN(T(integers) T(floats) T(random_floats))
