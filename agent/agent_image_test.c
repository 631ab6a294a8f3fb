/* SPDX-License-Identifier: Apache-2.0 */
/* Native images: run where they may be; everything that is wrong with one ends in its module. */
#include "agent/rig_cases_test.h"
#include "base/sha256.h"

static const char module[] = "fake\nfunc f ii i sum\n";

static const uint8_t trusted[32] = {7, 0xab, 0xcd};
static const struct rotor_image_policy policy = {.keys = trusted, .key_count = 1};

static void digest_of(const char *script, char *out)
{
	uint8_t sum[32];
	struct sha256 h;

	sha256_init(&h);
	sha256_add(&h, script, strlen(script));
	sha256_end(&h, sum);
	wire_digest_text(sum, out);
}

/* An image of the module, signed with the key; it answers with its own result. */
static const char *image_of(const char *script, int key)
{
	static char image[400];
	char digest[WIRE_DIGEST_TEXT];

	digest_of(script, digest);
	snprintf(image, sizeof(image), "fake\nimage %d %s\nfunc f ii i burn 5000; ret 99\n", key,
		 digest);
	return image;
}

static void start(struct rig *r, const char *id, const char *image, const char *extra)
{
	char of_module[WIRE_DIGEST_TEXT], of_image[WIRE_DIGEST_TEXT];

	digest_of(module, of_module);
	digest_of(image, of_image);
	rig_say(r, "control/manager/start/p1",
		"{\"id\":\"%s\",\"name\":\"f\",\"epoch\":1,\"inputs\":[1,2],%s\"module\":{"
		"\"digest\":\"%s\",\"size\":%u},\"native\":{\"digest\":\"%s\",\"size\":%u,"
		"\"target\":\"fake\"}}",
		id, extra, of_module, (unsigned)strlen(module), of_image, (unsigned)strlen(image));
}

static void deliver(struct rig *r, const char *script)
{
	char name[WIRE_DIGEST_TEXT], data[600];

	digest_of(script, name);
	rig_base64(data, script, (uint32_t)strlen(script));
	rig_say(r, "registry/server/p1",
		"{\"app_name\":\"%s\",\"chunk_idx\":0,\"total_chunks\":1,\"offset\":0,\"size\":%u,"
		"\"data\":\"%s\"}",
		name, (unsigned)strlen(script), data);
}

enum place {
	MAPPED,    /* by the store */
	FROM_READ, /* by the store in pieces, into the pool */
	IN_POOL,   /* no store */
};

static struct rig *with_images(enum place place)
{
	struct rig *r = rig_new();

	r->config.images = &policy;
	r->config.images_in_pool = place != MAPPED;
	r->config.store = place != IN_POOL;
	r->config.journal = true;
	r->store_mapped = place == MAPPED;
	rig_boot(r);
	rig_online(r);
	rig_run(r, 1);
	return r;
}

static void ack(struct rig *r, const char *id)
{
	rig_say(r, "control/manager/ack/p1", "{\"task_id\":\"%s\",\"epoch\":1}", id);
}

TEST(announces_target_and_keys)
{
	struct rig *r = with_images(MAPPED);

	SAW("\"aot_target\":\"fake\",\"aot_abi\":1,\"keys\":[\"07abcd0000000000\"]");
	rig_free(r);
	r = ready();
	NOT("aot_target");
	rig_free(r);
}

TEST(runs_an_image)
{
	for (int place = MAPPED; place <= IN_POOL; place++) {
		struct rig *r = with_images((enum place)place);
		const char *image = image_of(module, 7);
		struct agent_task_view v;

		start(r, "a", image, "");
		deliver(r, image);
		rig_run(r, 10);
		SAW("\"task_id\":\"a\",\"proplet_id\":\"p1\",\"results\":\"99\"");
		SAW("\"engine\":\"native\"");
		NOT("native_refused");
		ack(r, "a");
		rig_clear(r);
		start(r, "b", image, ""); /* it is here already */
		NOT("registry/proplet");
		EXPECT(!agent_task_view(r->agent, 0, &v) || v.native);
		rig_run(r, 10);
		SAW("\"results\":\"99\"");
		ack(r, "b");
		expect_rest(r);
		rig_free(r);
	}
}

static void expect_module_instead(struct rig *r, const char *why)
{
	SAW(why);
	SAW("publish control/proplet/event "
	    "{\"proplet_id\":\"p1\",\"kind\":\"native_refused\",\"task_id\":\"a\"");
	deliver(r, module);
	rig_run(r, 10);
	SAW("\"task_id\":\"a\",\"proplet_id\":\"p1\",\"results\":\"3\"");
	NOT("\"engine\":\"native\"");
	ack(r, "a");
	expect_rest(r);
	rig_free(r);
}

TEST(what_is_wrong_with_an_image)
{
	static const struct {
		const char *of;
		int key;
		const char *why;
	} cases[] = {
		{module, 8, "signed by a key that is not trusted here"},
		{module, 0, "the image is not signed"},
		{"fake\nfunc other", 7, "the image was made from another module"},
	};

	for (int place = MAPPED; place <= IN_POOL; place++) {
		for (size_t i = 0; i < BASE_COUNT(cases); i++) {
			struct rig *r = with_images((enum place)place);
			const char *image = image_of(cases[i].of, cases[i].key);

			start(r, "a", image, "");
			deliver(r, image);
			expect_module_instead(r, cases[i].why);
		}
	}
}

TEST(an_altered_image)
{
	for (int place = MAPPED; place <= IN_POOL; place++) {
		struct rig *r = with_images((enum place)place);
		char name[WIRE_DIGEST_TEXT], data[600], altered[400];
		const char *image = image_of(module, 7);

		snprintf(altered, sizeof(altered), "%s", image);
		altered[strlen(altered) - 3] ^= 1;
		digest_of(image, name);
		start(r, "a", image, "");
		rig_base64(data, altered, (uint32_t)strlen(altered));
		rig_say(r, "registry/server/p1",
			"{\"app_name\":\"%s\",\"offset\":0,\"size\":%u,\"data\":\"%s\"}", name,
			(unsigned)strlen(altered), data);
		expect_module_instead(r, "digest");
	}
}

TEST(an_image_that_nobody_has)
{
	struct rig *r = with_images(MAPPED);
	const char *image = image_of(module, 7);
	char name[WIRE_DIGEST_TEXT];

	digest_of(image, name);
	start(r, "a", image, "");
	rig_say(r, "registry/server/p1", "{\"app_name\":\"%s\",\"error\":\"no such image\"}", name);
	expect_module_instead(r, "no such image");
}

TEST(starts_whose_image_is_out_of_the_question)
{
	struct rig *r = with_images(MAPPED);

	start(r, "a", image_of(module, 7), "\"policy\":\"park\",");
	expect_module_instead(r, "cannot be saved");

	r = ready(); /* runs no images */
	start(r, "a", image_of(module, 7), "");
	expect_module_instead(r, "this worker runs no native code");

	r = with_images(MAPPED);
	r->config.images_in_pool = false;
	r->store_mapped = false;
	start(r, "a", image_of(module, 7), "");
	deliver(r, image_of(module, 7));
	expect_module_instead(r, "no memory that a program can run from");
}

TEST(never_is_never)
{
	struct rig *r = with_images(MAPPED);

	start(r, "a", image_of(module, 7), "\"aot\":\"never\",");
	deliver(r, module);
	rig_run(r, 10);
	SAW("\"results\":\"3\"");
	NOT("native_refused");
	rig_free(r);
}

TEST(an_image_is_no_module)
{
	struct rig *r = with_images(MAPPED);
	const char *image = image_of(module, 7);
	char name[WIRE_DIGEST_TEXT];

	digest_of(image, name);
	start(r, "a", image, "");
	deliver(r, image);
	rig_say(r, "control/manager/start/p1",
		"{\"id\":\"b\",\"name\":\"f\",\"epoch\":1,\"module\":{\"digest\":\"%s\",\"size\":9}"
		"}",
		name);
	SAW("\"task_id\":\"b\",\"proplet_id\":\"p1\",\"results\":\"\",\"error\":\"module: a native "
	    "image was named as a module\"");
	rig_free(r);
}

/* Two tasks wait for one image that is refused: both take the module, which is had once. */
TEST(two_wait_for_a_refused_image)
{
	struct rig *r = with_images(MAPPED);
	const char *image = image_of(module, 8);

	start(r, "a", image, "");
	start(r, "b", image, "");
	deliver(r, image);
	deliver(r, module);
	rig_run(r, 10);
	SAW("\"task_id\":\"a\",\"proplet_id\":\"p1\",\"results\":\"3\"");
	SAW("\"task_id\":\"b\",\"proplet_id\":\"p1\",\"results\":\"3\"");
	rig_free(r);
}

TEST(runs_again_after_a_restart)
{
	struct rig *r = with_images(MAPPED);
	const char *image = image_of(module, 7);

	r->hold_slices = true;
	start(r, "a", image, "");
	deliver(r, image);
	SAW("\"native\":{\"digest\":\"sha256:");
	rig_clear(r);
	r->hold_slices = false;
	rig_boot(r); /* the power was cut while it ran */
	rig_online(r);
	rig_run(r, 10);
	NOT("registry/proplet");
	SAW("\"results\":\"99\"");
	SAW("\"engine\":\"native\"");
	rig_clear(r);
	rig_boot(r); /* and again before the result was acknowledged */
	rig_online(r);
	rig_run(r, 10);
	SAW("\"engine\":\"native\"");
	rig_free(r);
}

TEST(every_store_action_fails_in_turn)
{
	for (int place = MAPPED; place <= FROM_READ; place++) {
		for (int n = 1; n < 14; n++) {
			struct rig *r = with_images((enum place)place);
			const char *image = image_of(module, 7);

			r->store_fails_at = n;
			start(r, "a", image, "");
			deliver(r, image);
			deliver(r, module);
			rig_run(r, 10000);
			deliver(r, image);
			deliver(r, module);
			rig_run(r, 10000);
			SAW("publish control/proplet/results {\"task_id\":\"a\"");
			rig_free(r);
		}
	}
}

/* Pools of every size: the task runs from the image or the module, or is refused. */
TEST(every_pool_size)
{
	bool native = false;

	for (size_t bytes = 512; !native && bytes < 400000; bytes += bytes < 8192 ? 64 : 2048) {
		struct rig *r = rig_new();
		const char *image = image_of(module, 7);

		r->config.images = &policy;
		r->config.images_in_pool = true;
		r->pool_bytes = bytes;
		rig_boot(r);
		rig_online(r);
		rig_run(r, 1);
		start(r, "a", image, "");
		deliver(r, image);
		deliver(r, module);
		rig_run(r, 10000);
		SAW("publish control/proplet/results {\"task_id\":\"a\"");
		native = rig_saw(r, "\"engine\":\"native\"");
		rig_free(r);
	}
	EXPECT(native);
}

TEST(latent_and_invoke)
{
	struct rig *r = with_images(MAPPED);
	const char *image = image_of(module, 7);

	start(r, "a", image, "\"latent\":true,");
	deliver(r, image);
	rig_say(r, "control/manager/invoke/p1",
		"{\"id\":\"a\",\"invocation_id\":\"i1\",\"inputs\":[\"5\",\"6\"]}");
	rig_run(r, 10);
	SAW("\"invocation_id\":\"i1\",\"proplet_id\":\"p1\",\"results\":\"99\"");
	SAW("\"engine\":\"native\"");
	rig_free(r);
}

TEST_MAIN(T(announces_target_and_keys) T(runs_an_image) T(what_is_wrong_with_an_image)
		  T(an_altered_image) T(an_image_that_nobody_has)
			  T(starts_whose_image_is_out_of_the_question) T(never_is_never)
				  T(an_image_is_no_module) T(two_wait_for_a_refused_image)
					  T(runs_again_after_a_restart)
						  T(every_store_action_fails_in_turn)
							  T(every_pool_size) T(latent_and_invoke))
