/* SPDX-License-Identifier: Apache-2.0 */
/* A byte-oriented LZ77 compressor with a hash table, and its decompressor. Default n: 150, on a device 1. */
#include "kernel.h"

#define BYTES     16384
#define HASH_BITS 11

static uint8_t plain[BYTES], packed[BYTES * 2], again[BYTES];
static int32_t last_seen[1 << HASH_BITS];

static void make_plain(uint32_t seed)
{
	int i = 0;

	while (i < BYTES) {
		uint32_t r = kernel_random(&seed);
		int count = 3 + (int)(r >> 4 & 15), back = 1 + (int)(r >> 8 & 1023);

		for (int k = 0; k < count && i < BYTES; k++, i++) {
			plain[i] = (r & 3) != 0 && i >= back ? plain[i - back]
							     : (uint8_t)(r >> (k & 15));
		}
	}
}

static uint32_t hash3(const uint8_t *p)
{
	return ((uint32_t)(p[0] | p[1] << 8 | p[2] << 16) * 2654435761u) >> (32 - HASH_BITS);
}

static int match_bytes(int at, int from)
{
	int count = 0;

	while (at + count < BYTES && count < 130 && plain[at + count] == plain[from + count]) {
		count++;
	}
	return count;
}

/* Tokens: 0lllllll literal run of l + 1 bytes; 1lllllll dd dd copy l + 3 bytes from distance d. */
static int pack(void)
{
	int out = 0, literal = -1;

	for (int i = 0; i < 1 << HASH_BITS; i++) {
		last_seen[i] = -1;
	}
	for (int i = 0; i < BYTES;) {
		int from = -1, count = 0;

		if (i + 3 <= BYTES) {
			int32_t *seen = &last_seen[hash3(plain + i)];

			from = *seen;
			*seen = i;
		}
		if (from >= 0) {
			count = match_bytes(i, from);
		}
		if (count >= 4) {
			packed[out++] = (uint8_t)(0x80 | (count - 3));
			packed[out++] = (uint8_t)(i - from);
			packed[out++] = (uint8_t)((i - from) >> 8);
			i += count;
			literal = -1;
			continue;
		}
		if (literal < 0 || packed[literal] == 127) {
			literal = out++;
			packed[literal] = 0;
		} else {
			packed[literal]++;
		}
		packed[out++] = plain[i++];
	}
	return out;
}

static void unpack(int count)
{
	uint8_t *to = again;

	for (int i = 0; i < count;) {
		int token = packed[i++];

		if (token & 0x80) {
			const uint8_t *from = to - (packed[i] | packed[i + 1] << 8);

			i += 2;
			for (int k = (token & 127) + 3; k > 0; k--) {
				*to++ = *from++;
			}
		} else {
			for (int k = token + 1; k > 0; k--) {
				*to++ = packed[i++];
			}
		}
	}
}

int run(int n)
{
	uint32_t sum = 0;

	for (int round = 0; round < n; round++) {
		make_plain((uint32_t)round * 77 + 1);
		int count = pack();

		for (int k = 0; k < 3; k++) {
			unpack(count);
		}
		sum = kernel_mix(sum, (uint32_t)count);
		for (int i = 0; i < BYTES; i++) {
			sum = kernel_mix(sum, (uint32_t)(again[i] ^ plain[i]) << 8 | again[i]);
		}
	}
	return (int)sum;
}
