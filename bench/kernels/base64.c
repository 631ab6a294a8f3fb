/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes through small tables: base64, there and back, and hexadecimal. Default n: 1200, on a device 2. */
#include "kernel.h"

#define BYTES 12288

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static uint8_t data[BYTES], back[BYTES], value_of[256];
static char text[BYTES * 2 + 4];

static void encode(void)
{
	char *to = text;

	for (int i = 0; i < BYTES; i += 3) {
		uint32_t v = (uint32_t)data[i] << 16 | (uint32_t)data[i + 1] << 8 | data[i + 2];

		*to++ = letters[v >> 18];
		*to++ = letters[v >> 12 & 63];
		*to++ = letters[v >> 6 & 63];
		*to++ = letters[v & 63];
	}
	*to = 0;
}

static int decode(void)
{
	uint32_t v = 0;
	int count = 0, out = 0;

	for (const char *p = text; *p != 0; p++) {
		uint8_t six = value_of[(uint8_t)*p];

		if (six == 255) {
			continue;
		}
		v = v << 6 | six;
		if (++count == 4) {
			back[out++] = (uint8_t)(v >> 16);
			back[out++] = (uint8_t)(v >> 8);
			back[out++] = (uint8_t)v;
			count = 0;
		}
	}
	return out;
}

static void hexadecimal(void)
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < BYTES / 4; i++) {
		text[2 * i] = digits[back[i] >> 4];
		text[2 * i + 1] = digits[back[i] & 15];
	}
}

int run(int n)
{
	uint32_t sum = 0, random = 17;

	for (int i = 0; i < 256; i++) {
		value_of[i] = 255;
	}
	for (int i = 0; i < 64; i++) {
		value_of[(uint8_t)letters[i]] = (uint8_t)i;
	}
	for (int i = 0; i < BYTES; i++) {
		data[i] = (uint8_t)kernel_random(&random);
	}
	for (int round = 0; round < n; round++) {
		data[round % BYTES] ^= (uint8_t)round;
		encode();
		sum = kernel_mix(sum, (uint32_t)decode());
		hexadecimal();
		sum = kernel_mix(sum, (uint32_t)(back[round % BYTES] << 8 | text[round % 1000]));
	}
	return (int)sum;
}
