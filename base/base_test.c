/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"
#include "base/prng.h"
#include "test/test.h"

TEST(little_endian_round_trips)
{
	uint8_t b[8];

	base_store_u64(b, 0x0123456789ABCDEFu);
	EXPECT_EQ(b[0], 0xEF);
	EXPECT_EQ(b[7], 0x01);
	EXPECT(base_load_u64(b) == 0x0123456789ABCDEFu);
	EXPECT_EQ(base_load_u32(b), 0x89ABCDEFu);
	EXPECT_EQ(base_load_u16(b), 0xCDEF);
}

TEST(align_up)
{
	EXPECT_EQ(base_align_up(0, 8), 0);
	EXPECT_EQ(base_align_up(1, 8), 8);
	EXPECT_EQ(base_align_up(8, 8), 8);
}

TEST(prng_repeats_and_is_bounded)
{
	struct prng a, b;

	prng_init(&a, 7);
	prng_init(&b, 7);
	for (int i = 0; i < 1000; i++) {
		uint32_t x = prng_below(&a, 10);

		EXPECT(x < 10);
		EXPECT_EQ(x, prng_below(&b, 10));
	}
}

TEST_MAIN(T(little_endian_round_trips) T(align_up) T(prng_repeats_and_is_bounded))
