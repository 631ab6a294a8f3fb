/* SPDX-License-Identifier: Apache-2.0 */
/* Modules in pieces, the journal, and what fails: pools of every size, the store, publications, input. */
#include "agent/rig_cases_test.h"
#include "base/prng.h"
#include "base/sha256.h"

/* ---- modules */

static void digest_of(const char *script, char *out)
{
	uint8_t sum[32];
	struct sha256 h;

	sha256_init(&h);
	sha256_add(&h, script, strlen(script));
	sha256_end(&h, sum);
	wire_digest_text(sum, out);
}

static const char long_script[] = "fake\nfunc f ii i sum\n"
				  "# a comment of some length, so that the module takes a few "
				  "chunks to arrive at the worker ........\n"
				  "# a comment of some length, so that the module takes a few "
				  "chunks to arrive at the worker ........\n"
				  "# a comment of some length, so that the module takes a few "
				  "chunks to arrive at the worker ........\n"
				  "# a comment of some length, so that the module takes a few "
				  "chunks to arrive at the worker ........\n"
				  "# a comment of some length, so that the module takes a few "
				  "chunks to arrive at the worker ........\n"
				  "# a comment of some length, so that the module takes a few "
				  "chunks to arrive at the worker ........\n";

static void send_chunk(struct rig *r, const char *name, uint32_t at, uint32_t bytes)
{
	uint32_t size = sizeof(long_script) - 1;
	char data[400];

	bytes = BASE_MIN(bytes, size - at);
	rig_base64(data, long_script + at, bytes);
	rig_say(r, "registry/server/p1",
		"{\"app_name\":\"%s\",\"chunk_idx\":%u,\"total_chunks\":9,\"offset\":%u,\"size\":%"
		"u,\"data\":\"%s\"}",
		name, at / 100, at, size, data);
}

static void start_by_digest(struct rig *r, const char *id, const char *digest)
{
	rig_say(r, "control/manager/start/p1",
		"{\"id\":\"%s\",\"name\":\"f\",\"epoch\":1,\"inputs\":[1,2],\"module\":{\"digest\":"
		"\"%s\",\"size\":%u}}",
		id, digest, (unsigned)sizeof(long_script) - 1);
}

static struct rig *with_store(bool mapped)
{
	struct rig *r = rig_new();

	r->config.store = true;
	r->store_mapped = mapped;
	rig_boot(r);
	rig_online(r);
	rig_run(r, 1);
	return r;
}

TEST(module_in_chunks)
{
	for (int kind = 0; kind < 3; kind++) {
		struct rig *r = kind == 0 ? ready() : with_store(kind == 1);
		char digest[WIRE_DIGEST_TEXT];

		digest_of(long_script, digest);
		start_by_digest(r, "a", digest);
		SAW("publish registry/proplet {\"app_name\":\"sha256:");
		SAW("\"offset\":0,\"chunk_bytes\":453,\"chunks\":8}");
		send_chunk(r, digest, 0, 100);
		send_chunk(r, digest, 200, 100); /* leaves a gap */
		send_chunk(r, digest, 0, 100);   /* again */
		send_chunk(r, "sha256:other", 100, 100);
		send_chunk(r, digest, 50, 150); /* overlaps */
		rig_clear(r);
		rig_run(r, 3000);
		SAW("\"offset\":200,"); /* asked for again, from there */
		for (uint32_t at = 200; at < sizeof(long_script) - 1; at += 100) {
			send_chunk(r, digest, at, 100);
		}
		SAW("\"results\":\"3\"");
		rig_clear(r);
		start_by_digest(r, "b", digest);
		SAW("\"task_id\":\"b\",\"proplet_id\":\"p1\",\"results\":\"3\"");
		NOT("registry/proplet");
		rig_free(r);
	}
}

/* A module that there is no room to load again serves a second start all the same. */
TEST(inline_twin_without_room)
{
	struct rig *r = rig_new();
	static char script[4000];

	strcpy(script, "fake\nfunc f - i sleep 100;ret 9\n# ");
	memset(script + strlen(script), 'x', 3000);
	r->pool_bytes = 6700;
	rig_boot(r);
	rig_online(r);
	rig_start(r, "a", script, "\"capabilities\":[\"time\"],");
	rig_start(r, "b", script, "\"capabilities\":[\"time\"],");
	script[3000] = 'y';
	rig_start(r, "c", script, "\"capabilities\":[\"time\"],");
	rig_run(r, 1000);
	SAW("{\"task_id\":\"a\",\"proplet_id\":\"p1\",\"results\":\"9\"");
	SAW("{\"task_id\":\"b\",\"proplet_id\":\"p1\",\"results\":\"9\"");
	SAW("{\"task_id\":\"c\",\"proplet_id\":\"p1\",\"results\":\"\",\"error\":\"refused: no "
	    "room: ");
	expect_rest(r);
	rig_free(r);
}

TEST(module_after_a_power_cut)
{
	struct rig *r = with_store(true);
	char digest[WIRE_DIGEST_TEXT];

	digest_of(long_script, digest);
	start_by_digest(r, "a", digest);
	send_chunk(r, digest, 0, 100);
	send_chunk(r, digest, 100, 100);
	rig_boot(r);
	rig_online(r);
	rig_clear(r);
	start_by_digest(r, "a", digest);
	SAW("\"offset\":200,");
	for (uint32_t at = 200; at < sizeof(long_script) - 1; at += 100) {
		send_chunk(r, digest, at, 100);
	}
	SAW("\"results\":\"3\"");
	rig_free(r);
}

TEST(module_of_another_digest)
{
	for (int kind = 0; kind < 3; kind++) {
		struct rig *r = kind == 0 ? ready() : with_store(kind == 1);
		char digest[WIRE_DIGEST_TEXT];

		digest_of("something else", digest);
		start_by_digest(r, "a", digest);
		for (uint32_t at = 0; at < sizeof(long_script) - 1; at += 200) {
			send_chunk(r, digest, at, 200);
		}
		SAW("\"error\":\"module: ");
		SAW(" digest");
		rig_free(r);
	}
}

TEST(module_that_nobody_has)
{
	struct rig *r = ready();

	rig_say(r, "control/manager/start",
		"{\"id\":\"a\",\"name\":\"f\",\"image_url\":\"docker.io/x/"
		"y:1\",\"proplet_id\":\"p1\"}");
	SAW("{\"app_name\":\"docker.io/x/y:1\",\"proplet_id\":\"p1\"");
	rig_run(r, 70000);
	SAW("\"error\":\"module: the registry does not answer\",\"reason\":\"module\"");
	rig_say(r, "control/manager/start",
		"{\"id\":\"b\",\"name\":\"f\",\"image_url\":\"docker.io/x/"
		"y:2\",\"proplet_id\":\"p1\"}");
	rig_say(r, "registry/server/p1",
		"{\"app_name\":\"docker.io/x/y:2\",\"error\":\"no such image\"}");
	rig_run(r, 300);
	SAW("\"error\":\"module: no such image\"");
	expect_rest(r);
	rig_free(r);
}

/* As Propeller's proxy sends: numbered, to everybody, without offset and size. */
TEST(image_from_a_proxy)
{
	struct rig *r = ready();
	uint32_t size = sizeof(long_script) - 1, total = (size + 249) / 250;

	rig_say(r, "control/manager/start",
		"{\"id\":\"a\",\"name\":\"f\",\"inputs\":[\"1\",\"2\"],\"image_url\":\"x/"
		"y\",\"proplet_id\":\"p1\"}");
	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < total; i++) {
			uint32_t idx = round == 0 ? total - 1 - i : i;
			char data[400];

			rig_base64(data, long_script + idx * 250, BASE_MIN(250, size - idx * 250));
			rig_say(r, "registry/server",
				"{\"app_name\":\"x/"
				"z\",\"chunk_idx\":%u,\"total_chunks\":9,\"data\":\"AAAA\"}",
				idx);
			rig_say(r, "registry/server",
				"{\"app_name\":\"x/"
				"y\",\"chunk_idx\":%u,\"total_chunks\":%u,\"data\":\"%s\"}",
				idx, total, data);
			if (round == 1 && i == 0) { /* the next one breaks off */
				rig_base64(data, long_script + 250, 30);
				rig_say(r, "registry/server",
					"{\"app_name\":\"x/"
					"y\",\"chunk_idx\":1,\"total_chunks\":%u,\"data\":\"%s",
					total, data);
				break;
			}
		}
	}
	rig_run(r, 300);
	SAW("\"results\":\"3\",\"reason\":\"done\"");
	rig_free(r);
}

/* ---- the journal */

static struct rig *with_journal(void)
{
	struct rig *r = rig_new();

	r->config.store = r->config.journal = true;
	rig_boot(r);
	rig_online(r);
	rig_run(r, 1);
	return r;
}

static void reboot(struct rig *r)
{
	rig_clear(r);
	rig_boot(r);
	rig_run(r, 100);
}

TEST(goes_on_after_a_restart)
{
	static const char script[] = "fake\nfunc f ii i burn 500;sum\n";
	struct rig *r = with_journal();
	char file[100];

	r->hold_slices = true;
	rig_base64(file, script, sizeof(script) - 1);
	rig_say(r, "control/manager/start/p1",
		"{\"id\":\"a\",\"name\":\"f\",\"epoch\":5,\"inputs\":[20,22],\"env\":{\"K\":\"v\"},"
		"\"file\":\"%s\"}",
		file);
	SAW("journal 0 {\"id\":\"a\",\"name\":\"f\",\"epoch\":5,\"module\":{\"digest\":\"sha256:");
	r->hold_slices = false;
	reboot(r); /* offline: it runs by itself */
	SAW("journal 1 {\"task_id\":\"a\",\"results\":\"42\",\"epoch\":5,\"reason\":\"done\"");
	SAW("journal 0 -");
	reboot(r); /* and the result is kept until it is delivered */
	rig_online(r);
	rig_run(r, 100);
	SAW("{\"task_id\":\"a\",\"proplet_id\":\"p1\",\"results\":\"42\",\"epoch\":5,\"reason\":"
	    "\"done\"");
	rig_say(r, "control/manager/ack/p1", "{\"task_id\":\"a\",\"epoch\":5}");
	SAW("journal 1 -");
	reboot(r);
	expect_rest(r);
	rig_free(r);
}

TEST(more_modules_than_slots)
{
	struct rig *r = with_journal();

	for (int i = 0; i < 20; i++) {
		char script[64], file[128], want[64];

		rig_clear(r);
		snprintf(script, sizeof(script), "fake\nfunc f - i ret %d\n", i);
		rig_base64(file, script, (uint32_t)strlen(script));
		rig_say(r, "control/manager/start/p1",
			"{\"id\":\"a\",\"name\":\"f\",\"epoch\":%d,\"file\":\"%s\"}", i + 1, file);
		rig_run(r, 10);
		snprintf(want, sizeof(want), "\"results\":\"%d\"", i);
		SAW(want);
		rig_say(r, "control/manager/ack/p1", "{\"task_id\":\"a\",\"epoch\":%d}", i + 1);
		for (int k = 0; k < RIG_STORED_MAX; k++) {
			r->stored[k].used = r->stored[k].used && i % 4 != 3; /* evicts */
		}
	}
	rig_free(r);
}

/* Our manager puts epoch before file; others may not. */
TEST(epoch_after_the_file)
{
	struct rig *r = with_journal();
	static const char script[] = "fake\nfunc f - i ret 9\n";
	char file[100];

	rig_base64(file, script, sizeof(script) - 1);
	r->hold_slices = true;
	rig_say(r, "control/manager/start/p1",
		"{\"id\":\"a\",\"name\":\"f\",\"file\":\"%s\",\"epoch\":5}", file);
	r->hold_slices = false;
	reboot(r);
	rig_online(r);
	rig_run(r, 10);
	SAW("{\"task_id\":\"a\",\"proplet_id\":\"p1\",\"results\":\"9\",\"epoch\":5,\"reason\":"
	    "\"done\"");
	rig_free(r);
}

/* The same inline module again: what was begun in the store for it ends under its own digest. */
TEST(inline_module_that_is_loaded)
{
	struct rig *r = with_journal();
	static const char script[] = "fake\nfunc f - i ret 9\n";
	char file[100];

	rig_base64(file, script, sizeof(script) - 1);
	for (int i = 0; i < 3; i++) {
		rig_say(r, "control/manager/start/p1",
			"{\"id\":\"a%d\",\"name\":\"f\",\"epoch\":1,\"file\":\"%s\"}", i, file);
		rig_run(r, 10);
	}
	NOT("without a digest");
	NOT("store fails");
	reboot(r);
	EXPECT_EQ(r->stored[0].used && r->stored[0].complete, true);
	for (int i = 1; i < RIG_STORED_MAX; i++) {
		EXPECT_EQ(r->stored[i].used, false);
	}
	rig_free(r);
}

/* A store without room says so at BEGIN and at each WRITE: the module runs all the same. */
TEST(store_full_while_an_inline_module_comes)
{
	struct rig *r = with_journal();
	char script[2000] = "fake\nfunc f - i ret 9\n", file[3000];

	memset(script + strlen(script), '\n', 1500);
	rig_base64(file, script, (uint32_t)strlen(script));
	for (int i = 1; i < 6; i++) {
		char id[16], want[40];

		snprintf(id, sizeof(id), "a%d", i);
		snprintf(want, sizeof(want), "{\"task_id\":\"%s\"", id);
		r->piece_bytes = 64;
		r->store_fails_at = r->store_actions + i;
		rig_say(r, "control/manager/start/p1",
			"{\"id\":\"%s\",\"name\":\"f\",\"epoch\":1,\"file\":\"%s\"}", id, file);
		rig_run(r, 10);
		SAW(want);
		SAW("\"results\":\"9\"");
		rig_clear(r);
		reboot(r);
		rig_online(r);
	}
	rig_free(r);
}

/* Power failed between writing the result and taking the start's record out. */
TEST(start_and_result_in_the_journal)
{
	struct rig *r = with_journal();
	static const char script[] = "fake\nfunc f - i ret 1\n";
	char file[100];

	rig_base64(file, script, sizeof(script) - 1);
	r->hold_slices = true;
	rig_say(r, "control/manager/start/p1",
		"{\"id\":\"a\",\"name\":\"f\",\"epoch\":5,\"file\":\"%s\"}", file);
	r->hold_slices = false;
	r->records[1] =
		strdup("{\"task_id\":\"a\",\"results\":\"7\",\"epoch\":5,\"reason\":\"done\"}");
	r->record_bytes[1] = (uint32_t)strlen(r->records[1]);
	reboot(r);
	rig_online(r);
	rig_run(r, 10);
	SAW("{\"task_id\":\"a\",\"proplet_id\":\"p1\",\"results\":\"7\",\"epoch\":5");
	NOT("\"results\":\"1\"");
	rig_say(r, "control/manager/ack/p1", "{\"task_id\":\"a\",\"epoch\":5}");
	EXPECT(r->records[0] == NULL && r->records[1] == NULL);
	rig_free(r);
}

TEST(damaged_journal)
{
	struct rig *r = with_journal();

	r->records[0] = strdup("{\"id\":\"a\"");
	r->record_bytes[0] = 9;
	r->records[3] = strdup("nonsense");
	r->record_bytes[3] = 8;
	r->records[4] = strdup("{\"id\":\"c\",\"name\":\"f\",\"epoch\":2}");
	r->record_bytes[4] = (uint32_t)strlen(r->records[4]);
	reboot(r);
	rig_online(r);
	rig_run(r, 100);
	SAW("journal 0 -");
	SAW("\"task_id\":\"c\"");
	rig_free(r);
}

/* ---- faults as loops */

/* A pool of every size: either the task runs or it is refused with the reason; nothing is lost. */
TEST(every_pool_size)
{
	bool ran = false;

	for (size_t bytes = 0; bytes < 40000 && !ran; bytes += bytes < 4000 ? 8 : 1000) {
		struct rig *r = rig_new();

		r->pool_bytes = bytes + 1;
		rig_boot(r);
		rig_online(r);
		rig_start(r, "a", "fake\nwasi\nfunc _start - - print hi;pub x\n",
			  "\"inputs\":[1,2,3],\"env\":{\"A\":\"b\"},\"capabilities\":[\"time\"],");
		rig_run(r, 300);
		SAW("results {\"task_id\":\"a\"");
		ran = rig_saw(r, "\"reason\":\"done\"") && rig_saw(r, "\"results\":\"x\"");
		expect_rest(r);
		rig_free(r);
	}
	EXPECT(ran);
}

TEST(every_store_action_fails_in_turn)
{
	for (int n = 1;; n++) {
		struct rig *r = with_store(n % 2 == 0);
		char digest[WIRE_DIGEST_TEXT];
		bool all;

		r->store_fails_at = n / 2 + 1;
		digest_of(long_script, digest);
		start_by_digest(r, "a", digest);
		for (uint32_t at = 0; at < sizeof(long_script) - 1; at += 100) {
			send_chunk(r, digest, at, 100);
		}
		rig_run(r, 300);
		all = rig_saw(r, "\"results\":\"3\"");
		EXPECT(all || rig_saw(r, "refused: the worker's store: ") ||
		       rig_saw(r, "module: it could not be stored: "));
		rig_clear(r);
		r->store_fails_at = 0;
		rig_say(r, "control/manager/ack/p1", "{\"task_id\":\"a\",\"epoch\":1}");
		expect_rest(r);
		start_by_digest(r, "b", digest);
		for (uint32_t at = 0; at < sizeof(long_script) - 1; at += 100) {
			send_chunk(r, digest, at, 100);
		}
		rig_run(r, 300);
		SAW("\"task_id\":\"b\",\"proplet_id\":\"p1\",\"results\":\"3\"");
		rig_free(r);
		if (all) {
			EXPECT(n > 10);
			break;
		}
	}
}

TEST(publications_fail)
{
	struct rig *r = ready();

	r->publish_fails = true;
	rig_start(r, "a", "fake\nfunc f - i ret 7\n", "");
	rig_run(r, 5000);
	r->publish_fails = false;
	rig_clear(r);
	rig_run(r, 2000);
	SAW("\"task_id\":\"a\",\"proplet_id\":\"p1\",\"results\":\"7\"");
	expect_rest(r);
	rig_free(r);
}

TEST(many_small_tasks)
{
	struct rig *r = rig_new();
	struct agent_stats s;
	char id[16];

	r->pool_bytes = 20 * (4096 + 600 + 64) + 8192;
	r->limits.tasks_max = 20;
	rig_boot(r);
	rig_online(r);
	for (int i = 0; i < 20; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		rig_start(r, id, "fake\nmem 4096\nfunc f - - sleep 1000\n",
			  "\"capabilities\":[\"time\"],\"limits\":{\"memory_bytes\":4096},"
			  "\"inputs\":[\"10\",\"20\"],");
	}
	agent_stats(r->agent, &s);
	EXPECT_EQ(s.tasks_used, 20);
	EXPECT_EQ(s.refused, 0);
	rig_start(r, "more", "fake\nfunc f - - sleep 1000\n", "");
	SAW("\"task_id\":\"more\",\"proplet_id\":\"p1\",\"results\":\"\",\"error\":\"refused: no "
	    "room: every task slot is taken\"");
	rig_run(r, 3000);
	agent_stats(r->agent, &s);
	EXPECT_EQ(s.done, 20);
	rig_free(r);
}

TEST(bad_messages_change_nothing)
{
	static const char *const topics[] = {
		"control/manager/start",  "control/manager/stop",
		"control/manager/invoke", "control/manager/start/p1",
		"control/manager/ack/p1", "control/manager/lease/p1",
		"registry/server",        "registry/server/p1",
		"control/proplet/alive",  "x",
	};
	static const char *const payloads[] = {
		"",
		"{",
		"{}",
		"[]",
		"null",
		"{\"id\":1}",
		"{\"id\":\"a\"}",
		"\xff\xfe",
		"{\"id\":\"\xff\"}",
		"{\"id\":\"a\",\"name\":\"f\",\"file\":\"A\"}",
		"{\"id\":\"a\",\"name\":\"f\",\"file\":\"ZmFr\",",
		"{\"app_name\":\"x\",\"data\":\"AAAA\"}",
		"{\"data\":\"AAAA\",\"app_name\":\"x\"}",
		"{\"tasks\":[{\"id\":\"q\",\"epoch\":1},{}],\"lease_ms\":1}",
		"{\"tasks\":{},\"lease_ms\":1}",
	};
	struct rig *r = ready();
	struct agent_stats s;

	for (size_t t = 0; t < BASE_COUNT(topics); t++) {
		for (size_t p = 0; p < BASE_COUNT(payloads); p++) {
			rig_message(r, topics[t], payloads[p], strlen(payloads[p]));
		}
	}
	agent_stats(r->agent, &s);
	EXPECT_EQ(s.tasks_used, 0);
	EXPECT_EQ(s.modules_used, 0);
	EXPECT(s.messages_bad > 50);
	EXPECT_EQ(s.pool_free_bytes, s.pool_free_max_bytes);
	SAW("log message ignored: start.name: the key is missing");
	rig_start(r, "a", "fake\nfunc f - i ret 7\n", "");
	rig_run(r, 300);
	SAW("\"results\":\"7\"");
	rig_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* The fuzzer's events from seeds; agent_check runs after every step. */
TEST(random_events)
{
	struct prng prng;
	uint8_t data[400];

	for (uint64_t seed = 0; seed < 3000; seed++) {
		prng_init(&prng, seed);
		for (size_t i = 0; i < sizeof(data); i++) {
			data[i] = (uint8_t)prng_below(&prng, 256);
		}
		LLVMFuzzerTestOneInput(data, sizeof(data));
	}
}

TEST_MAIN(T(module_in_chunks) T(module_after_a_power_cut) T(inline_twin_without_room)
		  T(epoch_after_the_file) T(inline_module_that_is_loaded) T(
			  store_full_while_an_inline_module_comes) T(module_of_another_digest)
			  T(module_that_nobody_has) T(image_from_a_proxy) T(goes_on_after_a_restart)
				  T(more_modules_than_slots) T(damaged_journal)
					  T(start_and_result_in_the_journal) T(every_pool_size)
						  T(every_store_action_fails_in_turn)
							  T(publications_fail) T(many_small_tasks)
								  T(bad_messages_change_nothing)
									  T(random_events))
