/* SPDX-License-Identifier: Apache-2.0 */
/* A short dependent loop with a table in memory: CRC-32, by table and bit by bit. Default n: 200, on a device 1.
 */
#include "kernel.h"

#define BYTES 65536

static uint32_t table[256];
static uint8_t buffer[BYTES];

static uint32_t bitwise(uint32_t crc)
{
	for (int k = 0; k < 8; k++) {
		crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
	}
	return crc;
}

static uint32_t update(uint32_t crc, const uint8_t *p, int count)
{
	crc = ~crc;
	while (count-- > 0) {
		crc = crc >> 8 ^ table[(crc ^ *p++) & 255];
	}
	return ~crc;
}

int run(int n)
{
	uint32_t crc = 0;

	for (uint32_t i = 0; i < 256; i++) {
		table[i] = bitwise(i);
	}
	for (int i = 0; i < BYTES; i++) {
		buffer[i] = (uint8_t)(i * 7 + (i >> 8));
	}
	for (int round = 0; round < n; round++) {
		crc = update(crc, buffer + round % 64, BYTES - 64);
		for (int i = 0; i < 512; i++) {
			crc = bitwise(crc ^ buffer[i]);
		}
	}
	return (int)crc;
}
