/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "agent/agent.h"
#include "agent/fake.h"
#include "agent/rig_test.h"
#include "base/prng.h"
#include "base/sha256.h"
#include "test/test.h"

#define SAW(text)                                                                                  \
	do {                                                                                       \
		if (!rig_saw(r, text)) {                                                           \
			TEST_FAIL("not seen: %s\n in\n%s", text, r->log);                          \
		}                                                                                  \
	} while (0)
#define NOT(text)                                                                                  \
	do {                                                                                       \
		if (rig_saw(r, text)) {                                                            \
			TEST_FAIL("seen: %s\n in\n%s", text, r->log);                              \
		}                                                                                  \
	} while (0)

static struct rig *ready(void)
{
	struct rig *r = rig_new();

	rig_boot(r);
	rig_online(r);
	rig_run(r, 1);
	return r;
}

/* All is given back: no task, and the pool is whole but for cached modules. */
static void expect_rest(struct rig *r)
{
	struct agent_stats s;

	agent_stats(r->agent, &s);
	EXPECT_EQ(s.tasks_used, 0);
}

TEST(connects_and_announces)
{
	struct rig *r = rig_new();

	rig_boot(r);
	SAW("connect p1 will control/proplet/gone {\"proplet_id\":\"p1\",\"status\":\"offline\"}");
	rig_online(r);
	SAW("subscribe control/manager/start\n");
	SAW("subscribe control/manager/+/p1\n");
	SAW("subscribe registry/server/p1\n");
	SAW("publish control/proplet/create "
	    "{\"proplet_id\":\"p1\",\"namespace\":\"default\",\"metadata\":{");
	SAW("publish control/proplet/alive {\"proplet_id\":\"p1\",\"status\":\"alive\"");
	rig_clear(r);
	rig_run(r, 20000);
	SAW("control/proplet/alive");
	NOT("control/proplet/create");
	rig_free(r);
}

TEST(backs_off_and_comes_back)
{
	struct rig *r = rig_new();
	uint64_t last = 0, pause = 0;

	rig_boot(r);
	for (int i = 0; i < 12; i++) {
		rig_event(r, &(struct agent_event){.kind = AGENT_EVENT_DISCONNECTED,
						   .link.text = "refused"});
		last = r->now_ms;
		rig_clear(r);
		while (!rig_saw(r, "connect p1")) {
			EXPECT(r->wake_ms > r->now_ms && r->wake_ms < r->now_ms + 70000);
			r->now_ms = r->wake_ms;
			rig_event(r, &(struct agent_event){.kind = AGENT_EVENT_TICK});
		}
		pause = r->now_ms - last;
		EXPECT(pause >= (i == 0 ? 400u : 1));
	}
	EXPECT(pause > 50000 && pause < 70000);
	rig_online(r);
	SAW("control/proplet/create");
	rig_free(r);
}

TEST(runs_an_inline_task)
{
	for (uint32_t piece = 1; piece < 400; piece += piece < 20 ? 1 : 37) {
		struct rig *r = ready();

		r->piece_bytes = piece;
		rig_start(r, "a", "fake\nfunc f ii i sum\n", "\"inputs\":[\"10\",\"20\"],");
		NOT("control/proplet/results"); /* not before 200 ms are over */
		rig_run(r, 300);
		SAW("publish control/proplet/results "
		    "{\"task_id\":\"a\",\"proplet_id\":\"p1\",\"results\":\"30\",\"reason\":"
		    "\"done\"");
		expect_rest(r);
		rig_free(r);
	}
}

TEST(types_of_arguments_and_results)
{
	static const struct {
		const char *types, *inputs, *result;
	} cases[] = {
		{"ii i", "\"-1\",3", "\"2\""},
		{"i i", "4294967295", "\"-1\""},
		{"II I", "\"9223372036854775806\",1", "\"9223372036854775807\""},
		{"F F", "\"0.1\"", "\"0.1\""},
		{"f f", "0.1", "\"0.1\""},
		{"FF F", "\"1e300\",\"-inf\"", "\"-inf\""},
		{"- i", "", "\"0\""},
		{"- -", "", "\"\""},
	};

	for (size_t i = 0; i < BASE_COUNT(cases); i++) {
		struct rig *r = ready();
		char script[100], extra[100], want[100];

		snprintf(script, sizeof(script), "fake\nfunc f %s sum\n", cases[i].types);
		snprintf(extra, sizeof(extra), "\"inputs\":[%s],", cases[i].inputs);
		snprintf(want, sizeof(want), "\"results\":%s,\"reason\":\"done\"", cases[i].result);
		rig_start(r, "a", script, extra);
		rig_run(r, 300);
		SAW(want);
		rig_free(r);
	}
}

TEST(refusals_say_why)
{
	static const struct {
		const char *script, *extra, *error;
	} cases[] = {
		{"fake\nfunc f ii i sum\n", "\"inputs\":[1],",
		 "refused: bad arguments: 'f' takes 2, 1 were given"},
		{"fake\nfunc f i i sum\n", "\"inputs\":[\"x\"],",
		 "refused: bad arguments: argument 1 'x' is not i32"},
		{"fake\nfunc f i i sum\n", "\"inputs\":[4294967296],", "is not i32"},
		{"fake\nfunc g - -\n", "", "refused: unknown function 'f'; the module exports g"},
		{"fake\nfunc g - -\n", "\"function\":\"h\",", "refused: unknown function 'h'"},
		{"fake\n", "", "the module exports no function"},
		{"fake\nmem 100000\ngrow\nfunc f - -\n", "", "refused: no room: needs "},
		{"fake\nfunc f - -\n", "\"capabilities\":[\"fly\"],",
		 "refused: this worker has no capability 'fly'"},
		{"fake\nfunc f - -\n", "\"encrypted\":true,",
		 "refused: encrypted images are not supported"},
		{"junk", "", "module: magic header not detected (at byte 4)"},
		{"fa", "", "module: unexpected end of the module (at byte 2)"},
	};

	for (size_t i = 0; i < BASE_COUNT(cases); i++) {
		struct rig *r = ready();

		rig_start(r, "a", cases[i].script, cases[i].extra);
		rig_run(r, 300);
		SAW(cases[i].error);
		expect_rest(r);
		rig_free(r);
	}
}

TEST(every_way_to_end)
{
	static const struct {
		const char *script, *extra, *want;
	} cases[] = {
		{"fake\nfunc f - - trap boom\n", "",
		 "\"error\":\"trap: unreachable: boom\",\"reason\":\"trap\""},
		{"fake\nfunc f - - trap boom\n", "",
		 "\"backtrace\":[{\"func\":0,\"name\":\"inner\",\"offset\":10},{\"func\":1,"
		 "\"offset\":11}]"},
		{"fake\nfunc f - - stack\n", "", "\"error\":\"limit reached: stack: "},
		{"fake\nfunc f - - exit 3\n", "",
		 "\"error\":\"exit status 3\",\"reason\":\"exit\""},
		{"fake\nfunc f - - exit 3\n", "", "\"exit_code\":3"},
		{"fake\nfunc f - - exit 0\n", "", "\"results\":\"\",\"reason\":\"done\""},
		{"fake\nfunc f - - forever\n", "\"limits\":{\"fuel\":5000},",
		 "\"error\":\"limit reached: fuel: 5000 units of "
		 "fuel\",\"reason\":\"fuel\",\"fuel\":5000"},
		{"fake\nfunc f - - burn 4998\n", "\"limits\":{\"fuel\":5000},",
		 "\"reason\":\"done\""},
		{"fake\nfunc f - - sleep 9000\n",
		 "\"capabilities\":[\"time\"],\"limits\":{\"time_ms\":100},",
		 "\"error\":\"limit reached: time: 100 ms\",\"reason\":\"time\""},
		{"fake\nfunc f - - pub 0123456789;pub 0123456789\n",
		 "\"limits\":{\"output_bytes\":15},", "limit reached: output: more than 15 bytes"},
		{"fake\nfunc f - - badptr\n", "",
		 "trap: a host function got a pointer outside the memory"},
		{"fake\nfunc f - - pub one;pub two;ret 7\n", "", "\"results\":\"two\""},
		{"fake\nwasi\nfunc _start - - print hello;print you\n", "\"inputs\":[\"x\"],",
		 "\"results\":\"hello\\nyou\\n\""},
		{"fake\nwasi\nfunc _start - - print 0123456789;\n",
		 "\"limits\":{\"output_bytes\":5},",
		 "limit reached: output: it printed more than 5 bytes"},
		{"fake\nfunc _initialize - - pub init\nfunc f i i sum\n", "\"inputs\":[4],",
		 "\"data\":\"init\""},
		{"fake\nfunc main - i ret 5\n", "", "\"results\":\"5\""},
	};

	for (size_t i = 0; i < BASE_COUNT(cases); i++) {
		struct rig *r = ready();

		rig_start(r, "a", cases[i].script, cases[i].extra);
		rig_run(r, 600);
		SAW(cases[i].want);
		expect_rest(r);
		rig_free(r);
	}
}

TEST(host_functions)
{
	static const struct {
		const char *ops, *extra, *want;
	} cases[] = {
		{"log hi", "",
		 "control/proplet/logs "
		 "{\"proplet_id\":\"p1\",\"task_id\":\"a\",\"epoch\":0,\"seq\":0,\"level\":"
		 "\"info\",\"text\":\"hi\"}"},
		{"pub 5", "",
		 "control/proplet/output "
		 "{\"proplet_id\":\"p1\",\"task_id\":\"a\",\"epoch\":0,\"seq\":0,\"data\":\"5\"}"},
		{"app temp 21.5", "\"capabilities\":[\"publish\"],", "publish app/p1/a/temp 21.5"},
		{"app te+mp 21.5;pub x", "\"capabilities\":[\"publish\"],", "\"data\":\"x\""},
		{"in 1", "\"inputs\":[\"a\",\"bcd\"],", "\"data\":\"bcd\""},
		{"in 2", "\"inputs\":[\"a\",\"bcd\"],", "\"data\":\"err -1\""},
		{"kvget k", "", "\"data\":\"err -3\""},
		{"kvget k", "\"capabilities\":[\"kv\"],", "\"data\":\"stored\""},
		{"kvset k some", "\"capabilities\":[\"kv\"],", "host 4 f k some"},
		{"sensor temperature", "\"capabilities\":[\"sensor\"],", "\"data\":\"21.5\""},
		{"gpio 5", "\"capabilities\":[\"gpio\"],", "\"data\":\"1\""},
		{"gpio 5", "", "\"data\":\"err -3\""},
	};

	for (size_t i = 0; i < BASE_COUNT(cases); i++) {
		struct rig *r = ready();
		char script[200];

		snprintf(script, sizeof(script), "fake\nfunc f - - %s\n", cases[i].ops);
		rig_start(r, "a", script, cases[i].extra);
		rig_run(r, 300);
		SAW(cases[i].want);
		SAW("\"reason\":\"done\"");
		expect_rest(r);
		rig_free(r);
	}
}

TEST(printed_lines_are_logged)
{
	struct rig *r = ready();

	rig_start(r, "a", "fake\nwasi\nfunc f - - print one;print two\n", "");
	rig_run(r, 300);
	SAW("\"seq\":0,\"level\":\"info\",\"text\":\"one\"");
	SAW("\"seq\":1,\"level\":\"info\",\"text\":\"two\"");
	SAW("\"results\":\"\",\"reason\":\"done\"");
	rig_free(r);
}

TEST(for_others_is_skipped)
{
	struct rig *r = ready();
	struct agent_stats s;

	rig_say(r, "control/manager/start",
		"{\"id\":\"a\",\"name\":\"f\",\"file\":\"ZmFrZQo=\",\"inputs\":[],\"broadcast\":"
		"false,\"proplet_id\":\"p2\"}");
	rig_say(r, "control/manager/start",
		"{\"proplet_id\":\"p2\",\"id\":\"a\",\"name\":\"f\",\"file\":\"ZmFrZQo=\"}");
	rig_say(r, "control/manager/start/p2",
		"{\"id\":\"a\",\"name\":\"f\",\"file\":\"ZmFrZQo=\"}");
	rig_run(r, 300);
	NOT("results");
	agent_stats(r->agent, &s);
	EXPECT_EQ(s.modules_used, 0);
	EXPECT_EQ(s.pool_free_bytes, s.pool_free_max_bytes);
	rig_say(r, "control/manager/start/p1",
		"{\"id\":\"b\",\"name\":\"f\",\"file\":\"ZmFrZQo=\",\"broadcast\":true,\"proplet_"
		"id\":\"p2\"}");
	rig_run(r, 300);
	SAW("\"task_id\":\"b\"");
	rig_free(r);
}

TEST(stop_and_duplicates)
{
	struct rig *r = ready();

	r->hold_slices = true;
	rig_start(r, "a", "fake\nfunc f - - forever\n", "");
	rig_start(r, "a", "fake\nfunc f - - forever\n", "");
	EXPECT_EQ(r->held_count, 1);
	rig_say(r, "control/manager/stop",
		"{\"broadcast\":false,\"id\":\"a\",\"proplet_id\":\"p1\"}");
	rig_run(r, 300);
	NOT("results");
	EXPECT_EQ(agent_slice_run(&r->held[0]), AGENT_RUN_FUEL); /* interrupted: returns at once */
	rig_event(r, &(struct agent_event){.kind = AGENT_EVENT_SLICE_DONE,
					   .slice = {r->held[0].slot, AGENT_RUN_FUEL}});
	rig_run(r, 1);
	SAW("\"error\":\"stopped: by command\",\"reason\":\"stopped\"");
	expect_rest(r);
	rig_free(r);
}

TEST(priorities_and_turns)
{
	struct rig *r = ready();
	int order[8];

	r->hold_slices = true;
	rig_start(r, "low", "fake\nfunc f - - forever\n", "\"priority\":10,");
	rig_start(r, "a", "fake\nfunc f - - forever\n", "");
	rig_start(r, "b", "fake\nfunc f - - forever\n", "");
	for (int i = 0; i < 8; i++) {
		struct agent_slice s = r->held[r->held_count - 1];

		order[i] = s.slot;
		r->held_count = 0;
		rig_event(r, &(struct agent_event){.kind = AGENT_EVENT_SLICE_DONE,
						   .slice = {s.slot, agent_slice_run(&s)}});
		EXPECT_EQ(r->held_count, 1);
	}
	EXPECT_EQ(order[0], 0); /* it was alone when it began */
	for (int i = 1; i < 8; i++) {
		EXPECT_EQ(order[i], 1 + (i - 1) % 2);
	}
	rig_free(r);
}

TEST(latent_and_invoke)
{
	struct rig *r = ready();

	rig_start(r, "a", "fake\nfunc f ii i sum\n", "\"latent\":true,\"inputs\":[1,2],");
	rig_run(r, 500);
	NOT("results");
	rig_say(r, "control/manager/invoke",
		"{\"id\":\"a\",\"invocation_id\":\"i1\",\"inputs\":[\"5\",\"6\"],\"proplet_id\":"
		"\"p1\"}");
	SAW("invoke_results "
	    "{\"task_id\":\"a\",\"invocation_id\":\"i1\",\"proplet_id\":\"p1\",\"results\":\"11\","
	    "\"reason\":\"done\"");
	rig_say(r, "control/manager/invoke",
		"{\"id\":\"a\",\"invocation_id\":\"i2\",\"inputs\":null}");
	SAW("\"invocation_id\":\"i2\",\"proplet_id\":\"p1\",\"results\":\"3\"");
	rig_say(r, "control/manager/invoke", "{\"id\":\"z\",\"invocation_id\":\"i3\"}");
	SAW("\"error\":\"refused: the task has not been precompiled here\"");
	rig_say(r, "control/manager/stop", "{\"id\":\"a\"}");
	rig_run(r, 500);
	expect_rest(r);
	rig_free(r);
}

/* ---- leases */

TEST(results_until_acknowledged)
{
	struct rig *r = ready();

	rig_start(r, "a", "fake\nfunc f - i ret 7\n", "\"epoch\":3,");
	SAW("\"results\":\"7\",\"epoch\":3,\"reason\":\"done\"");
	rig_clear(r);
	rig_run(r, 30000);
	SAW("\"results\":\"7\",\"epoch\":3");
	rig_say(r, "control/manager/ack/p1", "{\"task_id\":\"a\",\"epoch\":2}");
	rig_clear(r);
	rig_run(r, 90000);
	SAW("\"results\":\"7\",\"epoch\":3");
	rig_say(r, "control/manager/ack/p1", "{\"task_id\":\"a\",\"epoch\":3}");
	expect_rest(r);
	rig_clear(r);
	rig_run(r, 200000);
	NOT("results");
	rig_free(r);
}

TEST(epochs)
{
	struct rig *r = ready();

	r->hold_slices = true;
	rig_start(r, "a", "fake\nfunc f - - forever\n", "\"epoch\":3,");
	rig_start(r, "a", "fake\nfunc f - i ret 1\n", "\"epoch\":2,");
	rig_say(r, "control/manager/stop", "{\"id\":\"a\",\"epoch\":2}");
	SAW("start of a with an old epoch is ignored");
	SAW("stop of a with an old epoch is ignored");
	NOT("results");
	rig_free(r);
	r = ready();
	r->hold_slices = true;
	rig_start(r, "a", "fake\nfunc f - - forever\n", "\"epoch\":3,");
	EXPECT_EQ(r->held_count, 1);
	rig_start(r, "a", "fake\nfunc f - i ret 1\n", "\"epoch\":4,");
	r->hold_slices = false;
	rig_event(r,
		  &(struct agent_event){.kind = AGENT_EVENT_SLICE_DONE,
					.slice = {r->held[0].slot, agent_slice_run(&r->held[0])}});
	rig_run(r, 10);
	SAW("\"results\":\"1\",\"epoch\":4");
	NOT("\"epoch\":3,\"reason\"");
	rig_free(r);
}

TEST(lease_policies)
{
	struct rig *r = ready();
	struct agent_task_view v;

	r->hold_slices = true; /* sleepers only */
	rig_start(r, "keep", "fake\nfunc f - - sleep 100000\n",
		  "\"epoch\":1,\"lease_ms\":1000,\"capabilities\":[\"time\"],");
	rig_start(r, "stop", "fake\nfunc f - - sleep 100000\n",
		  "\"epoch\":1,\"lease_ms\":1000,\"policy\":\"stop\",\"capabilities\":[\"time\"],");
	rig_start(r, "park", "fake\nfunc f - - sleep 100000\n",
		  "\"epoch\":1,\"lease_ms\":1000,\"policy\":\"park\",\"capabilities\":[\"time\"],");
	r->hold_slices = false;
	rig_event(r,
		  &(struct agent_event){.kind = AGENT_EVENT_SLICE_DONE,
					.slice = {r->held[0].slot, agent_slice_run(&r->held[0])}});
	rig_run(r, 500);
	rig_say(r, "control/manager/lease/p1",
		"{\"tasks\":[{\"id\":\"park\",\"epoch\":1}],\"lease_ms\":2000}");
	rig_run(r, 1000);
	SAW("\"error\":\"stopped: its lease ended without contact to the manager\"");
	EXPECT(agent_task_view(r->agent, 0, &v) && v.state == AGENT_TASK_WAITING);
	EXPECT(agent_task_view(r->agent, 2, &v) && v.state == AGENT_TASK_WAITING);
	rig_run(r, 1200);
	EXPECT(agent_task_view(r->agent, 2, &v) && v.state == AGENT_TASK_PARKED);
	rig_say(r, "control/manager/lease/p1",
		"{\"tasks\":[{\"id\":\"park\",\"epoch\":1}],\"lease_ms\":0}");
	EXPECT(agent_task_view(r->agent, 2, &v) && v.state == AGENT_TASK_WAITING);
	rig_run(r, 100000);
	SAW("{\"task_id\":\"keep\",\"proplet_id\":\"p1\",\"results\":\"\",\"epoch\":1,\"reason\":"
	    "\"done\"");
	SAW("{\"task_id\":\"park\",\"proplet_id\":\"p1\",\"results\":\"\",\"epoch\":1,\"reason\":"
	    "\"done\"");
	SAW("\"tasks\":[{\"id\":\"keep\",\"epoch\":1},{\"id\":\"stop\",\"epoch\":1},{\"id\":"
	    "\"park\",\"epoch\":1}]");
	rig_free(r);
}

/* ---- the link */

TEST(results_outlive_the_link)
{
	struct rig *r = ready();

	r->hold_acks = true;
	rig_start(r, "a", "fake\nfunc f - i ret 7\n", "");
	rig_run(r, 300);
	SAW("\"task_id\":\"a\"");
	rig_event(r, &(struct agent_event){.kind = AGENT_EVENT_DISCONNECTED});
	rig_clear(r);
	rig_run(r, 5000);
	NOT("results");
	r->hold_acks = false;
	rig_online(r);
	rig_run(r, 2000);
	SAW("\"task_id\":\"a\",\"proplet_id\":\"p1\",\"results\":\"7\"");
	expect_rest(r);
	rig_free(r);
}

TEST(cut_off_message_is_forgotten)
{
	struct rig *r = ready();
	struct agent_event e = {.kind = AGENT_EVENT_MESSAGE};
	static const char topic[] = "m/t/c/c/control/manager/start";
	static const char part[] = "{\"id\":\"a\",\"name\":\"f\",\"file\":\"ZmFrZQpmYWtl";
	struct agent_stats s;

	e.message.topic = topic;
	e.message.topic_bytes = sizeof(topic) - 1;
	e.message.piece = part;
	e.message.piece_bytes = sizeof(part) - 1;
	e.message.first = true;
	rig_event(r, &e);
	rig_event(r, &(struct agent_event){.kind = AGENT_EVENT_DISCONNECTED});
	agent_stats(r->agent, &s);
	EXPECT_EQ(s.modules_used, 0);
	EXPECT_EQ(s.pool_free_bytes, s.pool_free_max_bytes);
	rig_run(r, 1000);
	rig_online(r);
	rig_start(r, "b", "fake\nfunc f - i ret 7\n", "");
	rig_run(r, 300);
	SAW("\"task_id\":\"b\"");
	rig_free(r);
}

TEST(offline_outputs_give_way)
{
	struct rig *r = ready();
	struct agent_stats s;
	char script[2000] = "fake\nfunc f - - ";

	for (int i = 0; i < 40; i++) {
		snprintf(script + strlen(script), sizeof(script) - strlen(script),
			 "pub value number %d;", i);
	}
	rig_event(r, &(struct agent_event){.kind = AGENT_EVENT_DISCONNECTED});
	rig_start(r, "a", script, "");
	agent_stats(r->agent, &s);
	EXPECT(s.logs_lost > 0 && s.logs_lost < 40);
	rig_run(r, 2000);
	rig_online(r);
	rig_run(r, 2000);
	SAW("\"results\":\"value number 39\",\"reason\":\"done\"");
	NOT("value number 1\"");
	rig_free(r);
}

TEST(online_publishers_wait)
{
	struct rig *r = ready();
	char script[2000] = "fake\nfunc f - - ";

	for (int i = 0; i < 60; i++) {
		snprintf(script + strlen(script), sizeof(script) - strlen(script),
			 "pub value number %d;", i);
	}
	r->hold_acks = true;
	rig_start(r, "a", script, "");
	NOT("value number 59");
	r->hold_acks = false;
	for (int i = 0; i < 200; i++) {
		rig_event(r, &(struct agent_event){.kind = AGENT_EVENT_PUBLISHED,
						   .published = {(uint16_t)i, true}});
	}
	rig_run(r, 1000);
	for (int i = 0; i < 60; i++) {
		char want[64];

		snprintf(want, sizeof(want), "\"seq\":%d,\"data\":\"value number %d\"", i, i);
		SAW(want);
	}
	SAW("\"reason\":\"done\"");
	rig_free(r);
}

TEST(quits)
{
	struct rig *r = ready();

	rig_start(r, "a", "fake\nfunc f - - sleep 100000\n", "\"capabilities\":[\"time\"],");
	rig_event(r, &(struct agent_event){.kind = AGENT_EVENT_QUIT});
	rig_run(r, 5000);
	SAW("\"error\":\"stopped: the worker is shutting down\"");
	SAW("publish control/proplet/gone {\"proplet_id\":\"p1\",\"status\":\"offline\"}");
	SAW("disconnect last");
	EXPECT(r->ended);
	rig_free(r);
}

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
		EXPECT(all || rig_saw(r, "module: the worker's store: "));
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

TEST_MAIN(T(connects_and_announces) T(backs_off_and_comes_back) T(runs_an_inline_task) T(
	types_of_arguments_and_results) T(refusals_say_why) T(every_way_to_end) T(host_functions)
		  T(printed_lines_are_logged) T(for_others_is_skipped) T(stop_and_duplicates) T(
			  priorities_and_turns) T(latent_and_invoke) T(results_until_acknowledged)
			  T(epochs) T(lease_policies) T(results_outlive_the_link) T(
				  cut_off_message_is_forgotten) T(offline_outputs_give_way)
				  T(online_publishers_wait) T(quits) T(module_in_chunks) T(
					  module_after_a_power_cut) T(module_of_another_digest)
					  T(module_that_nobody_has) T(image_from_a_proxy) T(
						  goes_on_after_a_restart) T(damaged_journal)
						  T(more_modules_than_slots) T(every_pool_size) T(
							  every_store_action_fails_in_turn)
							  T(publications_fail) T(many_small_tasks)
								  T(bad_messages_change_nothing)
									  T(random_events))
