/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha256.h"
#include "test/test.h"

static void expect_sum(const char *text, size_t piece, const char *want)
{
	struct sha256 h;
	uint8_t digest[32];
	char hex[65];

	sha256_init(&h);
	for (size_t i = 0; i < strlen(text); i += piece) {
		sha256_add(&h, text + i, BASE_MIN(piece, strlen(text) - i));
	}
	sha256_end(&h, digest);
	for (int i = 0; i < 32; i++) {
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	}
	EXPECT_STR(hex, want);
}

/* The examples of FIPS 180. */
TEST(known_sums)
{
	for (size_t piece = 1; piece < 70; piece++) {
		expect_sum("", piece,
			   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
		expect_sum("abc", piece,
			   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
		expect_sum("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", piece,
			   "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	}
}

TEST(a_million)
{
	static char text[1000001];

	memset(text, 'a', 1000000);
	expect_sum(text, 1000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_MAIN(T(known_sums) T(a_million))
