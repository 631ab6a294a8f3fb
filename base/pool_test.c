/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"
#include "base/prng.h"
#include "test/test.h"

static uint64_t memory[1024];

TEST(gives_and_takes)
{
	struct pool pool;
	uint32_t all;
	void *a, *b;

	pool_init(&pool, memory, sizeof(memory));
	all = pool_largest(&pool);
	EXPECT_EQ(all, sizeof(memory) - 16);
	a = pool_alloc(&pool, 100);
	b = pool_alloc(&pool, 1);
	EXPECT(a != NULL && b != NULL);
	EXPECT_EQ(pool_block_bytes(&pool, a), 104);
	pool_free(&pool, a);
	pool_check(&pool);
	EXPECT(pool_alloc(&pool, 104) == a);
	pool_free(&pool, a);
	pool_free(&pool, b);
	pool_free(&pool, NULL);
	pool_check(&pool);
	EXPECT_EQ(pool_largest(&pool), all);
}

TEST(everything_at_once)
{
	struct pool pool;
	uint32_t all;
	void *a;

	pool_init(&pool, memory, sizeof(memory));
	all = pool_largest(&pool);
	EXPECT(pool_alloc(&pool, all + 1) == NULL);
	a = pool_alloc(&pool, all);
	EXPECT(a != NULL && pool_alloc(&pool, 1) == NULL);
	EXPECT_EQ(pool_largest(&pool), 0);
	pool_shrink(&pool, a, 64);
	pool_check(&pool);
	EXPECT_EQ(pool_largest(&pool), all - 72);
	EXPECT(pool_grow(&pool, a, all) && !pool_grow(&pool, a, all + 8));
	pool_free(&pool, a);
	pool_check(&pool);
}

TEST(too_small)
{
	struct pool pool;

	for (size_t bytes = 0; bytes < 40; bytes++) {
		pool_init(&pool, (uint8_t *)memory + 1, bytes);
		EXPECT(pool_alloc(&pool, 64) == NULL);
		pool_check(&pool);
	}
}

TEST(random_use)
{
	struct pool pool;
	struct prng prng;
	uint8_t *block[64] = {0};
	uint32_t bytes[64] = {0};

	pool_init(&pool, memory, sizeof(memory));
	prng_init(&prng, 1);
	for (int i = 0; i < 20000; i++) {
		uint32_t k = prng_below(&prng, 64), n = 1 + prng_below(&prng, 300);

		if (block[k] != NULL && prng_below(&prng, 4) == 0 &&
		    pool_grow(&pool, block[k], n)) {
			bytes[k] = BASE_MIN(bytes[k], n);
		} else if (block[k] != NULL && prng_below(&prng, 4) == 0) {
			pool_shrink(&pool, block[k], n);
			bytes[k] = BASE_MIN(bytes[k], n);
		} else if (block[k] != NULL) {
			for (uint32_t j = 0; j < bytes[k]; j++) {
				EXPECT_EQ(block[k][j], k);
			}
			pool_free(&pool, block[k]);
			block[k] = NULL;
		} else {
			uint32_t largest = pool_largest(&pool);

			block[k] = pool_alloc(&pool, n);
			EXPECT_EQ(block[k] != NULL, n <= largest);
			bytes[k] = n;
			if (block[k] != NULL) {
				memset(block[k], (int)k, n);
			}
		}
		pool_check(&pool);
	}
}

TEST_MAIN(T(gives_and_takes) T(everything_at_once) T(too_small) T(random_use))
