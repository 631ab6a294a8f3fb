/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-512 of bytes that come in pieces (FIPS 180-4). */
#ifndef BASE_SHA512_H
#define BASE_SHA512_H

#include "base/base.h"

enum {
	SHA512_BYTES = 64
};

struct sha512 {
	uint64_t state[8];
	uint64_t bytes;
	uint8_t block[128];
};

void sha512_init(struct sha512 *h);
void sha512_add(struct sha512 *h, const void *data, size_t bytes);
/* Ends the sum; init begins another. */
void sha512_end(struct sha512 *h, uint8_t digest[SHA512_BYTES]);

#endif
