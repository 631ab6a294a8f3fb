/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/prng.h"
#include "manager/core/aot.h"
#include "test/test.h"

static const struct aot_config config = {
	.entries_max = 8, .queue_max = 3, .starts_min = 5, .run_ms_min = 2000, .retry_ms = 600000};
static const struct aot_node x86 = {.target = "x86_64", .abi = 1, .trusts = true};

static const uint8_t *digest(int n)
{
	static uint8_t d[16][AOT_DIGEST_BYTES];

	memset(d[n], n + 1, AOT_DIGEST_BYTES);
	return d[n];
}

static struct aot *new (void)
{
	size_t bytes = aot_mem_bytes(&config);

	return aot_init(&config, calloc(1, bytes), bytes);
}

static struct aot_ask ask(int module, enum aot_mode mode)
{
	return (struct aot_ask){.module = digest(module),
				.module_hash = (uint64_t)module + 1,
				.node_hash = 77,
				.node = &x86,
				.mode = mode};
}

static struct aot_answer start(struct aot *a, const struct aot_ask *q, uint64_t now_ms)
{
	struct aot_answer out;

	aot_start(a, q, now_ms, &out);
	aot_check(a);
	return out;
}

static void finish(struct aot *a, const char *why, uint64_t now_ms)
{
	uint32_t i = aot_next(a, now_ms);
	struct aot_image done = {.bytes = 100, .abi = 1, .compile_ms = 5};

	EXPECT(i != AOT_NONE);
	EXPECT_EQ(aot_next(a, now_ms), AOT_NONE); /* one at a time */
	memset(done.digest, 0x40 + (int)i, sizeof(done.digest));
	aot_done(a, i, &done, why, now_ms);
	aot_check(a);
}

TEST(always_waits_and_then_uses_it)
{
	struct aot *a = new ();
	struct aot_ask q = ask(0, AOT_ALWAYS);
	struct aot_answer r = start(a, &q, 0);

	EXPECT_EQ(r.choice, AOT_WAIT);
	EXPECT(r.queued);
	r = start(a, &q, 1);
	EXPECT_EQ(r.choice, AOT_WAIT);
	EXPECT(!r.queued);
	finish(a, NULL, 2);
	EXPECT_EQ(start(a, &q, 3).choice, AOT_USE_IMAGE);
	EXPECT_EQ(aot_next(a, 3), AOT_NONE); /* once */
	EXPECT_EQ(aot_image(a, 0)->compiles, 1);
	free(a);
}

TEST(auto_when_it_is_started_often)
{
	struct aot *a = new ();
	struct aot_ask q = ask(0, AOT_AUTO);

	for (int i = 1; i < 5; i++) {
		struct aot_answer r = start(a, &q, 0);

		EXPECT(r.choice == AOT_USE_MODULE && !r.queued && r.why == NULL);
	}
	EXPECT(start(a, &q, 0).queued);
	EXPECT_EQ(start(a, &q, 0).choice, AOT_USE_MODULE); /* it does not wait */
	finish(a, NULL, 0);
	EXPECT_EQ(start(a, &q, 0).choice, AOT_USE_IMAGE);
	free(a);
}

TEST(auto_when_it_runs_long)
{
	struct aot *a = new ();
	struct aot_ask q = ask(0, AOT_AUTO);

	(void)start(a, &q, 0);
	EXPECT_EQ(aot_ran(a, 1, &x86, 1999, 0), AOT_NONE);
	EXPECT_EQ(aot_ran(a, 9, &x86, 9999, 0), AOT_NONE); /* another module */
	EXPECT_EQ(aot_ran(a, 1, &x86, 1, 0), 0);
	EXPECT_EQ(aot_ran(a, 1, &x86, 9999, 0), AOT_NONE); /* queued already */
	free(a);
	a = new ();
	q.lasts = true;
	EXPECT(start(a, &q, 0).queued); /* a daemon */
	free(a);
}

TEST(out_of_the_question)
{
	static const struct aot_node none = {.target = ""},
				     stranger = {.target = "x86_64", .abi = 1};
	struct aot *a = new ();
	struct aot_ask q = ask(0, AOT_ALWAYS);

	q.node = NULL;
	EXPECT(strstr(start(a, &q, 0).why, "broadcast") != NULL);
	q.node = &none;
	EXPECT(strstr(start(a, &q, 0).why, "runs no native code") != NULL);
	q.node = &stranger;
	EXPECT(strstr(start(a, &q, 0).why, "does not trust") != NULL);
	q.node = &x86;
	q.parks = true;
	EXPECT(strstr(start(a, &q, 0).why, "cannot be saved") != NULL);
	EXPECT_EQ(aot_high(a), 0);
	q.parks = false;
	q.mode = AOT_NEVER;
	EXPECT(start(a, &q, 0).why == NULL);
	free(a);
}

TEST(unsigned_where_that_is_allowed)
{
	static const struct aot_node takes = {.target = "x86_64", .abi = 1, .takes_unsigned = true};
	struct aot *a = new ();
	struct aot_ask q = ask(0, AOT_ALWAYS);

	q.node = &takes;
	EXPECT(start(a, &q, 0).queued);
	q.node = &x86;
	EXPECT(start(a, &q, 0).queued); /* another image */
	EXPECT(!aot_image(a, 0)->is_signed && aot_image(a, 1)->is_signed);
	free(a);
}

TEST(failures_are_told_and_tried_again_later)
{
	struct aot *a = new ();
	struct aot_ask q = ask(0, AOT_ALWAYS);
	struct aot_answer r;

	(void)start(a, &q, 0);
	finish(a, "it took too long", 1000);
	r = start(a, &q, 1001);
	EXPECT_EQ(r.choice, AOT_USE_MODULE);
	EXPECT(strcmp(r.why, "it took too long") == 0);
	EXPECT_EQ(start(a, &q, 1000 + 600000).choice, AOT_WAIT);
	finish(a, "again", 700000);
	EXPECT_EQ(aot_want(a, digest(0), 1, "x86_64", true, 700001), 0); /* asked for: at once */
	EXPECT_EQ(aot_image(a, 0)->state, AOT_STATE_QUEUED);
	free(a);
}

TEST(the_queue_is_bounded)
{
	struct aot *a = new ();
	struct aot_answer r;

	for (int i = 0; i < 3; i++) {
		struct aot_ask q = ask(i, AOT_ALWAYS);

		EXPECT_EQ(start(a, &q, 0).choice, AOT_WAIT);
	}
	struct aot_ask q = ask(3, AOT_ALWAYS);
	r = start(a, &q, 0);
	EXPECT_EQ(r.choice, AOT_USE_MODULE);
	EXPECT(strstr(r.why, "too many") != NULL);
	EXPECT_EQ(aot_want(a, digest(4), 5, "x86_64", true, 0), AOT_NONE);
	for (uint32_t i = 0; i < 3; i++) { /* first come, first served */
		EXPECT_EQ(aot_next(a, 0), i);
		aot_done(a, i, &(struct aot_image){.abi = 1}, NULL, 0);
	}
	free(a);
}

TEST(refusals_and_other_engines)
{
	struct aot *a = new ();
	struct aot_ask q = ask(0, AOT_ALWAYS);
	struct aot_node newer = x86;

	(void)start(a, &q, 0);
	finish(a, NULL, 0);
	newer.abi = 2;
	q.node = &newer;
	EXPECT(strstr(start(a, &q, 0).why, "another version") != NULL);
	q.node = &x86;
	aot_refused(a, 77, aot_image(a, 0)->digest);
	EXPECT(strstr(start(a, &q, 0).why, "refused this image before") != NULL);
	q.node_hash = 78;
	EXPECT_EQ(start(a, &q, 0).choice, AOT_USE_IMAGE);
	q.node_hash = 77;
	aot_node_new(a, 77); /* it came back, perhaps with our key */
	EXPECT_EQ(start(a, &q, 0).choice, AOT_USE_IMAGE);
	EXPECT_EQ(aot_find_digest(a, aot_image(a, 0)->digest), 0);
	aot_forget(a, 0, 0);
	EXPECT_EQ(start(a, &q, 0).choice, AOT_WAIT);
	free(a);
}

TEST(the_least_used_gives_way)
{
	struct aot *a = new ();

	for (int i = 0; i < 10; i++) {
		struct aot_ask q = ask(i, i < 2 ? AOT_ALWAYS : AOT_AUTO);

		(void)start(a, &q, (uint64_t)i);
	}
	EXPECT_EQ(aot_high(a), 8);
	EXPECT(aot_find(a, digest(0), "x86_64", true) != AOT_NONE); /* it is coming */
	EXPECT_EQ(aot_find(a, digest(2), "x86_64", true), AOT_NONE);
	EXPECT(aot_find(a, digest(9), "x86_64", true) != AOT_NONE);
	free(a);
}

TEST(restored_images)
{
	struct aot *a = new ();
	struct aot_image i = {.target = "x86_64", .is_signed = true, .abi = 1, .bytes = 9};
	struct aot_ask q = ask(0, AOT_AUTO);

	memcpy(i.module, digest(0), AOT_DIGEST_BYTES);
	EXPECT(aot_restore(a, &i));
	EXPECT(aot_restore(a, &i)); /* again: the same */
	EXPECT_EQ(aot_high(a), 1);
	EXPECT_EQ(start(a, &q, 0).choice, AOT_USE_IMAGE);
	EXPECT_EQ(aot_image(a, 0)->compiles, 0);
	free(a);
}

TEST(anything_in_any_order)
{
	struct aot *a = new ();
	struct prng p;
	uint32_t out = AOT_NONE;

	prng_init(&p, 5);
	for (uint64_t now = 0; now < 200000; now++) {
		uint64_t r = prng_next(&p);
		struct aot_ask q = ask((int)(r >> 8 & 15), (enum aot_mode)(r >> 16 & 1));

		switch (r % 6) {
		case 0:
			out = out == AOT_NONE ? aot_next(a, now) : out;
			break;
		case 1:
			if (out != AOT_NONE) {
				aot_done(a, out, &(struct aot_image){.abi = 1},
					 r >> 20 & 1 ? "no" : NULL, now);
				out = AOT_NONE;
			}
			break;
		case 2:
			(void)aot_ran(a, (r >> 8 & 15) + 1, &x86, r >> 50, now);
			break;
		case 3:
			(void)aot_want(a, q.module, q.module_hash, "x86_64", true, now);
			break;
		default:
			(void)start(a, &q, now);
		}
		aot_check(a);
	}
	free(a);
}

TEST_MAIN(T(always_waits_and_then_uses_it) T(auto_when_it_is_started_often)
		  T(auto_when_it_runs_long) T(out_of_the_question) T(unsigned_where_that_is_allowed)
			  T(failures_are_told_and_tried_again_later) T(the_queue_is_bounded)
				  T(refusals_and_other_engines) T(the_least_used_gives_way)
					  T(restored_images) T(anything_in_any_order))
