/* SPDX-License-Identifier: Apache-2.0 */
/* Commands, every way a task can end, host functions, leases, the link. */
#include <stdlib.h>

#include "agent/rig_cases_test.h"

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
	    "{\"proplet_id\":\"p1\",\"namespace\":\"default\",\"connection\":");
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

/* A start that waited at the broker while the link was down. */
TEST(start_of_an_earlier_connection)
{
	struct rig *r = ready();
	long long was = atoll(strstr(r->log, "\"connection\":") + 13), now;
	char extra[64];

	rig_event(r, &(struct agent_event){.kind = AGENT_EVENT_DISCONNECTED});
	rig_run(r, 5000);
	rig_clear(r);
	rig_online(r);
	now = atoll(strstr(r->log, "\"connection\":") + 13);
	EXPECT(was > 0 && now > 0 && was != now);
	snprintf(extra, sizeof(extra), "\"epoch\":1,\"connection\":%lld,", was);
	rig_start(r, "a", "fake\nfunc f - i ret 7\n", extra);
	SAW("start of a was sent to an earlier connection");
	NOT("\"task_id\":\"a\"");
	snprintf(extra, sizeof(extra), "\"epoch\":1,\"connection\":%lld,", now);
	rig_start(r, "a", "fake\nfunc f - i ret 7\n", extra);
	SAW("\"results\":\"7\",\"epoch\":1");
	rig_free(r);
}

/* What a stalled link holds up gains nothing: leases are counted from the alive message they answer. */
TEST(lease_from_the_alive_message)
{
	struct rig *r = ready();
	struct agent_task_view v;
	long long connection = atoll(strstr(r->log, "\"connection\":") + 13);
	long long up = atoll(strstr(r->log, "\"uptime_ms\":") + 12);
	char text[256];

	rig_run(r, 900);
	snprintf(text, sizeof(text), "\"epoch\":1,\"lease_ms\":800,\"uptime_ms\":%lld,", up);
	rig_start(r, "late", "fake\nfunc f - i ret 7\n", text);
	SAW("start of late came after the end of its lease");
	NOT("\"task_id\":\"late\"");
	EXPECT(!agent_task_view(r->agent, 0, &v));
	snprintf(text, sizeof(text), "\"epoch\":1,\"lease_ms\":800,\"uptime_ms\":%lld,",
		 up + 100000);
	rig_start(r, "earlier-life", "fake\nfunc f - i ret 7\n", text);
	SAW("start of earlier-life came after the end of its lease");

	r->hold_slices = true;
	snprintf(text, sizeof(text),
		 "\"epoch\":1,\"lease_ms\":2000,\"uptime_ms\":%lld,\"policy\":\"park\",", up);
	rig_start(r, "a", "fake\nfunc f - - forever\n", text);
	EXPECT(agent_task_view(r->agent, 0, &v));
	uint64_t end = v.lease_end_ms;
	snprintf(text, sizeof(text),
		 "{\"tasks\":[{\"id\":\"a\",\"epoch\":1}],\"lease_ms\":2000,\"connection\":%lld,"
		 "\"uptime_ms\":%lld}",
		 connection, up + 500);
	rig_say(r, "control/manager/lease/p1", text);
	EXPECT(agent_task_view(r->agent, 0, &v));
	EXPECT_EQ(v.lease_end_ms, end + 500);
	snprintf(text, sizeof(text),
		 "{\"tasks\":[{\"id\":\"a\",\"epoch\":1}],\"lease_ms\":2000,\"connection\":%lld,"
		 "\"uptime_ms\":%lld}",
		 connection + 1, up + 900);
	rig_say(r, "control/manager/lease/p1", text); /* for another connection */
	EXPECT(agent_task_view(r->agent, 0, &v));
	EXPECT_EQ(v.lease_end_ms, end + 500);
	rig_free(r);
}

/* The broker delivers a start twice; in between the task ended and its result was acknowledged. */
TEST(start_again_after_the_end)
{
	struct rig *r = ready();

	rig_start(r, "a", "fake\nfunc f - i ret 7\n", "\"epoch\":2,");
	SAW("\"results\":\"7\",\"epoch\":2");
	rig_say(r, "control/manager/ack/p1", "{\"task_id\":\"a\",\"epoch\":2}");
	rig_clear(r);
	rig_start(r, "a", "fake\nfunc f - i ret 7\n", "\"epoch\":2,");
	SAW("start of a came again after its end");
	rig_start(r, "a", "fake\nfunc f - i ret 7\n", "\"epoch\":1,");
	NOT("\"task_id\":\"a\"");
	rig_start(r, "a", "fake\nfunc f - i ret 8\n", "\"epoch\":3,");
	SAW("\"results\":\"8\",\"epoch\":3");
	rig_say(r, "control/manager/stop/p1", "{\"id\":\"b\",\"epoch\":5}");
	SAW("lost: the worker does not have this task");
	rig_clear(r);
	rig_start(r, "b", "fake\nfunc f - i ret 7\n", "\"epoch\":5,"); /* behind its stop */
	SAW("refused: it was stopped before it came");
	NOT("\"results\":\"7\"");
	rig_free(r);
}

/* What was refused stays refused: the manager may have given it to another. */
TEST(a_refusal_is_for_good)
{
	struct rig *r = ready();
	char id[16];

	r->hold_slices = true;
	for (int i = 0; i < 8; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		rig_start(r, id, "fake\nfunc f - - forever\n", "\"epoch\":1,");
	}
	rig_clear(r);
	rig_start(r, "more", "fake\nfunc f - i ret 7\n", "\"epoch\":1,");
	SAW("refused: no room: every task slot is taken");
	rig_say(r, "control/manager/stop/p1", "{\"id\":\"t3\",\"epoch\":1}");
	rig_say(r, "control/manager/ack/p1", "{\"task_id\":\"t3\",\"epoch\":1}");
	rig_clear(r);
	rig_start(r, "more", "fake\nfunc f - i ret 7\n", "\"epoch\":1,");
	SAW("refused: no room: every task slot is taken");
	rig_clear(r);
	rig_start(r, "more", "fake\nfunc f - i ret 7\n", "\"epoch\":2,");
	NOT("refused");
	rig_free(r);
}

TEST(alive_with_more_leases_than_a_message_holds)
{
	struct rig *r = rig_new();
	char id[64];

	r->text_bytes = AGENT_TEXT_BYTES_MIN;
	r->limits.tasks_max = 40;
	rig_boot(r);
	rig_online(r);
	rig_run(r, 1);
	for (int i = 0; i < 40; i++) {
		snprintf(id, sizeof(id), "a-task-with-a-long-id-%02d", i);
		rig_start(r, id, "fake\nfunc f - - sleep 100000\n",
			  "\"capabilities\":[\"time\"],\"epoch\":1,");
		if (i % 4 == 3) {
			rig_clear(r);
			rig_run(r, 10000);
			SAW("publish control/proplet/alive");
			NOT("too long");
		}
	}
	SAW("\"tasks_more\":true");
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

TEST(node_metrics)
{
	struct rig *r = rig_new();
	struct agent_node facts = {.battery_percent = -1, .heap_free_bytes = 5};
	struct agent_event e = {.kind = AGENT_EVENT_NODE, .node = &facts};

	r->config.metrics_ms = 1000;
	rig_boot(r);
	rig_online(r);
	rig_event(r, &e);
	rig_run(r, 1500);
	SAW("\"heap_inuse_bytes\":0,\"heap_free_bytes\":5}}"); /* what is not known is left out */
	rig_clear(r);
	facts.system_heap_used_bytes = 100;
	facts.system_heap_max_bytes = 300;
	facts.rx_bytes = 5000000000;
	facts.rx_packets = 7;
	facts.dropped_packets = 2;
	rig_event(r, &e);
	rig_run(r, 1500);
	SAW("\"system_heap_used_bytes\":100,\"system_heap_free_bytes\":0,"
	    "\"system_heap_max_bytes\":300}");
	SAW("\"network_metrics\":{\"rx_bytes\":5000000000,\"tx_bytes\":0,\"rx_packets\":7,"
	    "\"tx_packets\":0,\"dropped_packets\":2,\"resent_packets\":0}}");
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

TEST_MAIN(T(connects_and_announces) T(backs_off_and_comes_back) T(runs_an_inline_task) T(
	types_of_arguments_and_results) T(refusals_say_why) T(every_way_to_end) T(host_functions)
		  T(printed_lines_are_logged) T(for_others_is_skipped) T(stop_and_duplicates)
			  T(priorities_and_turns) T(latent_and_invoke) T(results_until_acknowledged)
				  T(epochs) T(start_of_an_earlier_connection) T(
					  lease_from_the_alive_message) T(start_again_after_the_end)
					  T(a_refusal_is_for_good) T(
						  alive_with_more_leases_than_a_message_holds)
						  T(lease_policies) T(results_outlive_the_link)
							  T(cut_off_message_is_forgotten)
								  T(offline_outputs_give_way)
									  T(online_publishers_wait)
										  T(node_metrics)
											  T(quits))
