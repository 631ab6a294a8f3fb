/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 (FIPS 180-4) of the task's input, or of several inputs one after the other.
 * The digest is published as text, so it is the task's result.
 */
#include "proplet.h"

typedef unsigned char byte;
typedef unsigned int word;

struct sha256 {
	word state[8];
	unsigned long long bytes;
	byte block[64];
};

static const word round_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2};

static word rotate(word v, int by)
{
	return v >> by | v << (32 - by);
}

static void schedule(word w[64], const byte *block)
{
	for (int i = 0; i < 16; i++) {
		const byte *b = block + 4 * i;

		w[i] = (word)b[0] << 24 | (word)b[1] << 16 | (word)b[2] << 8 | b[3];
	}
	for (int i = 16; i < 64; i++) {
		word s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
		word s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;

		w[i] = w[i - 16] + s0 + w[i - 7] + s1;
	}
}

static void compress(struct sha256 *s)
{
	word w[64], v[8];

	schedule(w, s->block);
	for (int i = 0; i < 8; i++) {
		v[i] = s->state[i];
	}
	for (int i = 0; i < 64; i++) {
		word s1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25);
		word choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
		word t1 = v[7] + s1 + choice + round_constants[i] + w[i];
		word s0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
		word majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);

		for (int j = 7; j > 0; j--) {
			v[j] = v[j - 1];
		}
		v[4] += t1;
		v[0] = t1 + s0 + majority;
	}
	for (int i = 0; i < 8; i++) {
		s->state[i] += v[i];
	}
}

static void sha256_init(struct sha256 *s)
{
	static const word start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
				      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

	for (int i = 0; i < 8; i++) {
		s->state[i] = start[i];
	}
	s->bytes = 0;
}

static void sha256_byte(struct sha256 *s, byte b)
{
	s->block[s->bytes++ % 64] = b;
	if (s->bytes % 64 == 0) {
		compress(s);
	}
}

static void sha256_end(struct sha256 *s)
{
	unsigned long long bits = s->bytes * 8;

	sha256_byte(s, 0x80);
	while (s->bytes % 64 != 56) {
		sha256_byte(s, 0);
	}
	for (int shift = 56; shift >= 0; shift -= 8) {
		sha256_byte(s, (byte)(bits >> shift));
	}
}

static struct sha256 hash;
static char input[1024];

static int hash_input(int idx)
{
	int len = proplet_input_copy(idx, input, sizeof(input));

	if (len > (int)sizeof(input)) {
		proplet_note("sha256: an input is longer than 1024 bytes");
		return 0;
	}
	for (int i = 0; i < len; i++) {
		sha256_byte(&hash, (byte)input[i]);
	}
	return 1;
}

PROPLET_EXPORT(sha256) int sha256(void)
{
	static const char digits[] = "0123456789abcdef";
	char text[64];

	sha256_init(&hash);
	for (int i = 0; i < proplet_input_count(); i++) {
		if (!hash_input(i)) {
			return 0;
		}
	}
	sha256_end(&hash);
	for (int i = 0; i < 64; i++) {
		text[i] = digits[hash.state[i / 8] >> (28 - i % 8 * 4) & 15];
	}
	return proplet_publish(text, sizeof(text)) == PROPLET_OK;
}
