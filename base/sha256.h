/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 of bytes that come in pieces (FIPS 180-4). */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include "base/base.h"

enum {
	SHA256_BYTES = 32
};

struct sha256 {
	uint32_t state[8];
	uint64_t bytes;
	uint8_t block[64];
};

void sha256_init(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *data, size_t bytes);
/* Ends the sum; init begins another. */
void sha256_end(struct sha256 *h, uint8_t digest[SHA256_BYTES]);

#endif
