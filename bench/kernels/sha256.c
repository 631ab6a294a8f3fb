/* SPDX-License-Identifier: Apache-2.0 */
/* Rotations and additions over unrolled words: SHA-256 (FIPS 180-4) of a buffer, chained. Default
 * n: 3000, on a device 10. */
#include "kernel.h"

#define BYTES 8192

static const uint32_t constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static uint32_t state[8];
static uint8_t buffer[BYTES];

static uint32_t rotate(uint32_t x, int by)
{
	return x >> by | x << (32 - by);
}

static uint32_t load_big(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void expand(uint32_t *w, const uint8_t *block)
{
	for (int i = 0; i < 16; i++) {
		w[i] = load_big(block + 4 * i);
	}
	for (int i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + w[i - 7] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) +
		       (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
	}
}

static void compress(const uint8_t *block)
{
	uint32_t w[64], s[8];

	expand(w, block);
	for (int i = 0; i < 8; i++) {
		s[i] = state[i];
	}
	for (int i = 0; i < 64; i++) {
		uint32_t e = s[4], a = s[0];
		uint32_t t1 = s[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
			      ((e & s[5]) ^ (~e & s[6])) + constants[i] + w[i];
		uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
			      ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));

		for (int k = 7; k > 0; k--) {
			s[k] = s[k - 1];
		}
		s[4] += t1;
		s[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++) {
		state[i] += s[i];
	}
}

int run(int n)
{
	uint32_t random = 3;

	for (int i = 0; i < BYTES; i++) {
		buffer[i] = (uint8_t)kernel_random(&random);
	}
	for (int i = 0; i < 8; i++) {
		state[i] = 0x6a09e667u + (uint32_t)i * 0x9e3779b9u;
	}
	for (int round = 0; round < n; round++) {
		compress(buffer + 64 * (round % (BYTES / 64)));
		for (int i = 0; i < 15; i++) {
			compress(buffer + 64 * i);
		}
		buffer[round % BYTES] ^= (uint8_t)state[0];
	}
	return (int)(state[0] ^ state[7]);
}
