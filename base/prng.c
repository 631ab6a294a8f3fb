/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"

#include "base/base.h"

void prng_init(struct prng *p, uint64_t seed)
{
	/* One step of splitmix64, so that neighbouring seeds start far apart. */
	uint64_t z = seed + 0x9E3779B97F4A7C15u;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	z ^= z >> 31;
	p->state = z != 0 ? z : 1;
}

uint64_t prng_next(struct prng *p)
{
	uint64_t x = p->state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	p->state = x;
	return x * 0x2545F4914F6CDD1Du;
}

uint32_t prng_below(struct prng *p, uint32_t bound)
{
	ASSERT(bound != 0);
	return (uint32_t)(((prng_next(p) >> 32) * bound) >> 32);
}
