/* SPDX-License-Identifier: Apache-2.0 */
/* A small seeded generator of pseudo-random numbers (xorshift64*). Not for secrets. */
#ifndef BASE_PRNG_H
#define BASE_PRNG_H

#include <stdint.h>

struct prng {
	uint64_t state; /* never 0 */
};

/* Starts the sequence of a seed; every seed, 0 too, is fine. */
void prng_init(struct prng *p, uint64_t seed);

/* The next 64 bits. */
uint64_t prng_next(struct prng *p);

/* A number in [0, bound); bound is not 0. */
uint32_t prng_below(struct prng *p, uint32_t bound);

#endif
