/* SPDX-License-Identifier: Apache-2.0 */
/* Texts for people, terminals and URLs; states and members of the manager's JSON. */
#include "cli/cli.h"

#include "test/test.h"

TEST(sizes_and_times)
{
	EXPECT_STR(text_bytes(0), "0 B");
	EXPECT_STR(text_bytes(1023), "1023 B");
	EXPECT_STR(text_bytes(1536), "1.5 KB");
	EXPECT_STR(text_bytes(40960), "40 KB");
	EXPECT_STR(text_bytes((1 << 20) - 16), "1.0 MB");
	EXPECT_STR(text_bytes(UINT64_MAX), "16777216 TB");
	EXPECT_STR(text_ms(999), "999 ms");
	EXPECT_STR(text_ms(1500), "1.5 s");
	EXPECT_STR(text_ms(61000), "1m01s");
	EXPECT_STR(text_ms(3600000), "1h00m");
	EXPECT_STR(text_ms(90000000), "1d01h");
	text_reset();
}

TEST(ages)
{
	int64_t s = 0;

	EXPECT(text_time_parse("2026-01-02T03:04:05Z", &s));
	EXPECT_EQ(s, 1767323045);
	EXPECT(text_time_parse("2026-01-02T05:04:05.123456789+02:00", &s));
	EXPECT_EQ(s, 1767323045);
	EXPECT(text_time_parse("2026-01-01T23:34:05-03:30", &s));
	EXPECT_EQ(s, 1767323045);
	EXPECT(!text_time_parse("0001-01-01T00:00:00Z", &s));
	EXPECT(!text_time_parse("yesterday", &s));
	EXPECT(!text_time_parse(NULL, &s));
	EXPECT_STR(text_age("2026-01-02T03:04:05Z", 1767323045 + 59), "59s");
	EXPECT_STR(text_age("2026-01-02T03:04:05Z", 1767323045 + 600), "10m");
	EXPECT_STR(text_age("2026-01-02T03:04:05Z", 1767323045 - 5), "0s");
	EXPECT_STR(text_age("", 5), "-");
	text_reset();
}

TEST(terminals)
{
	EXPECT_STR(text_clean("a\033[2Jb\r\n\tc"), "a?[2Jb???c");
	EXPECT_STR(text_clean("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
	EXPECT_STR(text_clean("\xff\xc3"), "??");
	EXPECT_STR(text_clean("\xc2\x9b"
			      "2J"),
		   "?2J");
	EXPECT_STR(text_clean("\xe2\x80\xae"
			      "abc"),
		   "?abc");
	EXPECT_EQ(text_width("gr\xc3\xbc\xc3\x9f"), 4);
	text_reset();
}

TEST(urls_and_ids)
{
	EXPECT_STR(text_url("a b/c?d&\xc3\xbc"), "a%20b%2Fc%3Fd%26%C3%BC");
	EXPECT(text_is_uuid("5c4b7c38-5b0c-4f7e-8b7f-1d2a1f7f4e21"));
	EXPECT(!text_is_uuid("5c4b7c38"));
	EXPECT(!text_is_uuid("5c4b7c38-5b0c-4f7e-8b7f-1d2a1f7f4e21x"));
	EXPECT(!text_is_uuid("5c4b7c38x5b0c-4f7e-8b7f-1d2a1f7f4e21"));
	EXPECT_STR(api_short("5c4b7c38-5b0c-4f7e-8b7f-1d2a1f7f4e21"), "5c4b7c38");
	EXPECT_STR(api_short("attic"), "attic");
	text_reset();
}

TEST(base64)
{
	EXPECT_STR(module_base64((const uint8_t *)"", 0), "");
	EXPECT_STR(module_base64((const uint8_t *)"f", 1), "Zg==");
	EXPECT_STR(module_base64((const uint8_t *)"fo", 2), "Zm8=");
	EXPECT_STR(module_base64((const uint8_t *)"foobar", 6), "Zm9vYmFy");
	EXPECT_STR(module_base64((const uint8_t *)"\xff\xff\xff", 3), "////");
	text_reset();
}

TEST(members)
{
	json_t *j = json_loads(
		"{\"a\":{\"b\":\"x\",\"n\":3,\"t\":true,\"r\":1.5},\"state\":3,\"z\":null,"
		"\"big\":1e300}",
		0, NULL);

	EXPECT_STR(api_text(j, "a.b"), "x");
	EXPECT_STR(api_text(j, "a.n"), "3");
	EXPECT_STR(api_text(j, "a.r"), "1.50");
	EXPECT_STR(api_text(j, "a.t"), "yes");
	EXPECT(api_text(j, "a.b.c") == NULL);
	EXPECT(api_text(j, "z") == NULL);
	EXPECT_EQ(api_number(j, "a.n", 9), 3);
	EXPECT_EQ(api_number(j, "a.b", 9), 9);
	EXPECT_EQ(api_number(j, "big", 9), 9);
	EXPECT_STR(api_state(j), "completed");
	EXPECT(api_state_ended("failed"));
	EXPECT(!api_state_ended("running"));
	json_decref(j);
	text_reset();
}

TEST_MAIN(T(sizes_and_times) T(ages) T(terminals) T(urls_and_ids) T(base64) T(members))
