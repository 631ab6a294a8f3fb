/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/ed25519.h"
#include "base/sha512.h"
#include "test/test.h"

static size_t from_hex(const char *hex, uint8_t *out)
{
	size_t n = 0;
	unsigned byte;

	for (; hex[0] != 0; hex += 2, n++) {
		EXPECT_EQ(sscanf(hex, "%2x", &byte), 1);
		out[n] = (uint8_t)byte;
	}
	return n;
}

TEST(sha512_of_known_texts)
{
	static const struct {
		const char *text, *hex;
	} cases[] = {
		{"",
		 "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0"
		 "ff8318d2877eec2f63b931bd47417a81a538327af927da3e"},
		{"abc",
		 "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a8"
		 "36ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
		{"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopq"
		 "klmnopqrlmnopqrsmnopqrstnopqrstu",
		 "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018501d289e4900f7e4"
		 "331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909"},
	};

	for (size_t i = 0; i < BASE_COUNT(cases); i++) {
		uint8_t want[64], got[64];
		struct sha512 h;

		from_hex(cases[i].hex, want);
		sha512_init(&h);
		for (const char *at = cases[i].text; *at != 0; at++) {
			sha512_add(&h, at, 1);
		}
		sha512_end(&h, got);
		EXPECT(memcmp(got, want, sizeof(got)) == 0);
	}
}

/* RFC 8032, 7.1 */
static const struct vector {
	const char *key, *message, *signature;
} vectors[] = {
	{"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
	 "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701"
	 "cf9"
	 "b46bd25bf5f0595bbe24655141438e7a100b"},
	{"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
	 "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d"
	 "0f1"
	 "1d8c387b2eaeb4302aeeb00d291612bb0c00"},
	{"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
	 "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f7609"
	 "84d"
	 "c6594a7c15e9716ed28dc027beceea1ec40a"},
};

TEST(known_signatures)
{
	for (size_t i = 0; i < BASE_COUNT(vectors); i++) {
		uint8_t key[32], signature[64], message[64];
		size_t n = from_hex(vectors[i].message, message);

		from_hex(vectors[i].key, key);
		from_hex(vectors[i].signature, signature);
		EXPECT(ed25519_verify(key, signature, message, n));
	}
}

/* Every bit of the signature, the key and the message counts. */
TEST(each_bit_counts)
{
	uint8_t key[32], signature[64], message[2];

	from_hex(vectors[2].key, key);
	from_hex(vectors[2].signature, signature);
	from_hex(vectors[2].message, message);
	for (int i = 0; i < 8 * 64; i++) {
		signature[i / 8] ^= (uint8_t)(1 << i % 8);
		EXPECT(!ed25519_verify(key, signature, message, 2));
		signature[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (int i = 0; i < 8 * 32; i++) {
		key[i / 8] ^= (uint8_t)(1 << i % 8);
		EXPECT(!ed25519_verify(key, signature, message, 2));
		key[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (int i = 0; i < 16; i++) {
		message[i / 8] ^= (uint8_t)(1 << i % 8);
		EXPECT(!ed25519_verify(key, signature, message, 2));
		message[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	EXPECT(!ed25519_verify(key, signature, message, 1));
	EXPECT(ed25519_verify(key, signature, message, 2));
}

/* A number or a point in another than its one form would let the same signature have two. */
TEST(other_forms_are_refused)
{
	static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a,       0x63,
					  0x12, 0x58, 0xd6, 0x9c, 0xf7,       0xa2,
					  0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
	uint8_t key[32], signature[64];
	uint32_t carry = 0;

	from_hex(vectors[0].key, key);
	from_hex(vectors[0].signature, signature);
	for (int i = 0; i < 32; i++) { /* S + L */
		carry += (uint32_t)signature[32 + i] + order[i];
		signature[32 + i] = (uint8_t)carry;
		carry >>= 8;
	}
	EXPECT(!ed25519_verify(key, signature, "", 0));
	memset(key, 0xff, sizeof(key)); /* y is not below the prime */
	EXPECT(!ed25519_verify(key, signature, "", 0));
}

TEST_MAIN(T(sha512_of_known_texts) T(known_signatures) T(each_bit_counts)
		  T(other_forms_are_refused))
