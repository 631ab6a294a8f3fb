/* SPDX-License-Identifier: Apache-2.0 */
/* The manager's core by stories: one task, nodes that fail, restarts, broadcasts. */
#include "manager/core/story_test.h"

/* ---- one task ---- */

TEST(runs_and_is_forgotten)
{
	begin();
	node("a");
	EXPECT_EQ(start(spec("t")), MANAGER_ANSWER_OK);
	EXPECT_EQ(STARTS("t", "a", 1), 1);
	EXPECT_EQ(STATE("t"), MANAGER_RUNNING);
	done("t", "a", 1);
	EXPECT_EQ(STATE("t"), MANAGER_COMPLETED);
	EXPECT_EQ(ACKS("t", "a", 1), 1);
	EXPECT_EQ(live(), 0);
	EXPECT(manager_task_find(m, "t") == NULL);
}

TEST(a_result_counts_once)
{
	begin();
	node("a");
	start(spec("t"));
	done("t", "a", 1);
	done("t", "a", 1);
	EXPECT_EQ(row_of("t")->results, 1);
	EXPECT_EQ(ACKS("t", "a", 1), 2); /* the repetition is acknowledged, too */
}

TEST(no_node_is_an_error_unless_it_may_wait)
{
	begin();
	EXPECT_EQ(start(spec("t")), MANAGER_ANSWER_NO_NODE);
	EXPECT_EQ(live(), 0);
	struct manager_task_spec s = spec("u");
	s.queue = true;
	EXPECT_EQ(start(s), MANAGER_ANSWER_QUEUED);
	EXPECT_EQ(STATE("u"), MANAGER_PENDING);
	node("a");
	EXPECT_EQ(STARTS("u", "a", 1), 1);
}

TEST(a_full_node_makes_it_wait)
{
	begin();
	node_full("a", true, 1, 0);
	EXPECT_EQ(start(spec("t")), MANAGER_ANSWER_OK);
	EXPECT_EQ(start(spec("u")), MANAGER_ANSWER_QUEUED);
	done("t", "a", 1);
	EXPECT_EQ(STARTS("u", "a", 1), 1);
}

TEST(many_that_ask_as_much_are_passed_over)
{
	struct manager_task_spec s = spec("first");
	char id[16];

	begin();
	node_full("a", true, 0, 100000);
	s.queue = true;
	s.need.memory_bytes = 50000;
	start(s);
	for (int i = 0; i < 600; i++) {
		snprintf(id, sizeof(id), "big%d", i);
		s.id = id;
		s.need.memory_bytes = 200000 + (uint32_t)i % 20;
		EXPECT_EQ(start(s), MANAGER_ANSWER_QUEUED);
	}
	s.id = "small";
	s.need.memory_bytes = 60000;
	EXPECT_EQ(start(s), MANAGER_ANSWER_QUEUED);
	done("first", "a", 1);
	pass(1000);
	EXPECT_EQ(STARTS("small", "a", 1), 1);
	EXPECT_EQ(STARTS(NULL, NULL, 0), 2);
	EXPECT_EQ(manager_task_find(m, "big599")->why.verdict, PLACEMENT_POOL);
}

TEST(a_started_task_does_not_start_again)
{
	begin();
	node("a");
	start(spec("t"));
	EXPECT_EQ(command(MANAGER_EVENT_TASK_START, "t"), MANAGER_ANSWER_RUNNING);
	EXPECT_EQ(STARTS("t", NULL, 0), 1);
}

TEST(stop_waits_for_the_node)
{
	begin();
	node("a");
	start(spec("t"));
	EXPECT_EQ(command(MANAGER_EVENT_TASK_STOP, "t"), MANAGER_ANSWER_OK);
	EXPECT_EQ(STOPS("t", "a", 1), 1);
	EXPECT_EQ(STATE("t"), MANAGER_RUNNING);
	result_full("t", "a", 1, MANAGER_REASON_STOPPED);
	EXPECT_EQ(STATE("t"), MANAGER_INTERRUPTED);
}

TEST(a_stop_is_repeated_then_given_up)
{
	begin();
	node("a");
	start(spec("t"));
	command(MANAGER_EVENT_TASK_STOP, "t");
	for (int i = 0; i < 5; i++) {
		pass(9000);
		alive("a", "t:1");
	}
	EXPECT_EQ(STATE("t"), MANAGER_INTERRUPTED);
	int stops = STOPS("t", "a", 1);
	EXPECT(stops >= 3);
	alive("a", "t:1"); /* still there: told again */
	EXPECT_EQ(STOPS("t", "a", 1), stops + 1);
}

TEST(a_foreign_result_changes_nothing)
{
	begin();
	node("a");
	node("b");
	struct manager_task_spec s = spec("t");
	s.need.pin_hash = placement_hash("id", "a");
	start(s);
	done("t", "b", 0);
	done("t", "b", 1);
	EXPECT_EQ(STATE("t"), MANAGER_RUNNING);
	done("t", NULL, 0); /* an embedded worker does not say who it is */
	EXPECT_EQ(STATE("t"), MANAGER_COMPLETED);
}

/* ---- nodes that fail ---- */

TEST(dead_after_three_heartbeats)
{
	begin();
	node("a");
	alive("a", NULL);
	pass(21000);
	EXPECT(manager_node_find(m, "a")->fit.alive);
	pass(2000);
	EXPECT(manager_node_find(m, "a")->fit.suspect);
	pass(10000);
	EXPECT(!manager_node_find(m, "a")->fit.alive);
	alive("a", NULL);
	EXPECT(manager_node_find(m, "a")->fit.alive);
}

TEST(an_idempotent_task_moves_at_once)
{
	begin();
	node("a");
	struct manager_task_spec s = spec("t");
	s.idempotent = true;
	start(s);
	node("b");
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_GONE};
	e.u.node_id.id = "a";
	step(e);
	EXPECT_EQ(STOPS("t", "a", 1), 1);
	EXPECT_EQ(STARTS("t", "b", 2), 1);
	done("t", "a", 1); /* late: refused visibly, acknowledged */
	EXPECT_EQ(notes[MANAGER_NOTE_RESULT_LATE], 1);
	EXPECT_EQ(ACKS("t", "a", 1), 1);
	EXPECT_EQ(STATE("t"), MANAGER_RUNNING);
	done("t", "b", 2);
	EXPECT_EQ(STATE("t"), MANAGER_COMPLETED);
	EXPECT_EQ(row_of("t")->results, 1);
}

TEST(a_lease_is_waited_for)
{
	begin();
	node("a");
	struct manager_task_spec s = spec("t");
	s.lease_ms = 60000;
	s.policy = MANAGER_POLICY_STOP;
	start(s);
	node("b");
	gone("a");
	EXPECT_EQ(STARTS("t", "b", 0), 0);
	for (int i = 0; i < 7; i++) {
		alive("b", "");
		pass(9000);
	}
	EXPECT_EQ(STARTS("t", "b", 0), 0);
	alive("b", "");
	pass(9000);
	EXPECT_EQ(STARTS("t", "b", 2), 1);
	alive("a", "t:1"); /* back too late: told to stop */
	EXPECT_EQ(STOPS("t", "a", 1), 2);
}

TEST(policy_keep_waits_for_the_node)
{
	begin();
	node("a");
	struct manager_task_spec s = spec("t");
	s.lease_ms = 60000;
	start(s);
	node("b");
	gone("a");
	EXPECT_EQ(row_of("t")->phase, MANAGER_PHASE_ORPHANED);
	for (int i = 0; i < 100; i++) {
		alive("b", "");
		pass(9000);
	}
	EXPECT_EQ(STARTS("t", NULL, 0), 1);
	alive("a", "t:1");
	EXPECT_EQ(row_of("t")->phase, MANAGER_PHASE_RUNNING);
	done("t", "a", 1);
	EXPECT_EQ(STATE("t"), MANAGER_COMPLETED);
}

/* Both sides count a lease from the alive message that it answers, not from when it is granted. */
TEST(a_lease_counts_from_the_alive_message)
{
	begin();
	node("a");
	alive_at("a", NULL, 7, 5000);
	uint64_t heard = now;
	pass(8000);
	struct manager_task_spec s = spec("t");
	s.lease_ms = 60000;
	s.policy = MANAGER_POLICY_STOP;
	start(s);
	EXPECT_EQ(manager_task_find(m, "t")->lease_end_ms, heard + 66000);
	EXPECT_EQ(manager_node_find(m, "a")->uptime_ms, 5000);
	alive_at("a", NULL, 7,
		 13000); /* the renewal that follows holds for tasks that are not listed, too */
	EXPECT_EQ(count_sent(MANAGER_ACTION_SEND_LEASE, NULL, "a", 0), 1);
	EXPECT_EQ(manager_task_find(m, "t")->lease_end_ms, now + 66000);
	heard = now;
	pass(1000);
	alive_at("a", NULL, 7, 12000); /* delivered late: nothing counts from it */
	EXPECT_EQ(manager_node_find(m, "a")->uptime_ms, 13000);
	EXPECT_EQ(manager_task_find(m, "t")->lease_end_ms, heard + 66000);
}

TEST(leases_are_renewed)
{
	begin();
	node("a");
	struct manager_task_spec s = spec("t");
	s.lease_ms = 30000;
	s.policy = MANAGER_POLICY_STOP;
	start(s);
	for (int i = 0; i < 20; i++) {
		pass(9000);
		alive("a", "t:1");
	}
	EXPECT_EQ(count_sent(MANAGER_ACTION_SEND_LEASE, NULL, "a", 0), 20);
	EXPECT_EQ(STARTS("t", NULL, 0), 1);
}

TEST(a_lost_start_is_repeated_with_its_epoch)
{
	begin();
	node("a");
	start(spec("t"));
	alive("a", "");
	alive("a", "");
	EXPECT_EQ(STARTS("t", "a", 1), 1); /* too early to tell */
	pass(4000);
	alive("a", "");
	alive("a", "");
	EXPECT_EQ(STARTS("t", "a", 1), 2);
	EXPECT_EQ(row_of("t")->epoch, 1);
}

/* A start that was held back for a native image goes out with the lease that the node then counts. */
TEST(a_start_that_waited_is_sent)
{
	struct manager_event e = {.kind = MANAGER_EVENT_TASK_SEND};
	struct manager_task_spec s = spec("t");

	begin();
	node("a");
	alive_at("a", NULL, 7, 5000);
	s.lease_ms = 60000;
	s.policy = MANAGER_POLICY_STOP;
	start(s);
	pass(2000);
	alive_at("a", NULL, 7, 7000);
	e.u.task.id = "t";
	e.u.task.epoch = 1;
	(void)step(e);
	EXPECT_EQ(STARTS("t", "a", 1), 2);
	EXPECT_EQ(manager_task_find(m, "t")->lease_end_ms, now + 66000);
	e.u.task.epoch = 2; /* of another run */
	(void)step(e);
	e.u.task.epoch = 1;
	alive("a", "t:1"); /* it is there: no other start */
	(void)step(e);
	e.u.task.id = "gone";
	(void)step(e);
	EXPECT_EQ(STARTS("t", "a", 0), 2);
}

/* A broker may deliver a heartbeat a second time, late: it says nothing of now. */
TEST(an_old_heartbeat_changes_nothing)
{
	begin();
	node("a");
	node("b");
	alive_at("a", "", 7, 1000);
	alive_at("a", "", 7, 2000);
	struct manager_task_spec s = spec("t");
	s.need.pin_hash = placement_hash("id", "a");
	start(s);
	pass(5000);
	alive_at("a", "t:1", 7, 7000);
	EXPECT_EQ(manager_task_find(m, "t")->phase, MANAGER_PHASE_RUNNING);
	for (int i = 0; i < 5; i++) {
		pass(1000);
		alive_at("a", "", 7, 2000 + (uint64_t)i);
	}
	alive_at("a", "t:1", 8, 13000); /* it connected anew */
	for (int i = 0; i < 5; i++) {
		pass(1000);
		alive_at("a", "", 7, 8000);
	}
	EXPECT_EQ(manager_task_find(m, "t")->epoch, 1);
	EXPECT_EQ(manager_task_find(m, "t")->phase, MANAGER_PHASE_RUNNING);
	EXPECT_EQ(manager_node_find(m, "a")->connection, 8);
	pass(1000);
	alive_at("a", "", 8, 14000);
	alive_at("a", "", 8, 15000); /* what it says now counts */
	EXPECT_EQ(notes[MANAGER_NOTE_TASK_REASSIGNED], 1);
}

/* A start that no heartbeat has confirmed may still be on its way: nothing may be placed elsewhere for
 * its not being listed. */
TEST(a_start_on_its_way_is_not_lost)
{
	begin();
	node_full("a", true, 1, 0);
	struct manager_task_spec s = spec("low");
	s.priority = 10;
	s.queue = true;
	start(s);
	s = spec("high");
	s.priority = 90;
	s.queue = true;
	start(s);
	EXPECT_EQ(row_of("low")->epoch, 1);
	EXPECT_EQ(STOPS("low", "a", 1), 1);
	node("b");
	for (int i = 0; i < 3; i++) {
		pass(5000);
		alive("a", "");
		alive("b", "high:1");
	}
	EXPECT_EQ(STARTS("low", NULL, 2), 0);
	result_full("low", "a", 1, MANAGER_REASON_LOST); /* the answer to the stop behind it */
	EXPECT_EQ(STARTS("low", NULL, 2), 1);

	start(spec("t"));
	const char *where = manager_node_at(m, manager_task_find(m, "t")->node)->id;
	bool on_a = strcmp(where, "a") == 0;
	gone(on_a ? "a" : "b");
	EXPECT_EQ(row_of("t")->phase, MANAGER_PHASE_ORPHANED);
	for (int i = 0; i < 4; i++) {
		pass(5000);
		alive(on_a ? "a" : "b", "");
	}
	EXPECT_EQ(row_of("t")->phase, MANAGER_PHASE_ASSIGNED); /* the start is repeated there */
	EXPECT_EQ(row_of("t")->epoch, 1);
	EXPECT(STARTS("t", on_a ? "a" : "b", 1) >= 2);
}

TEST(what_a_node_no_longer_runs_is_placed_again)
{
	begin();
	node("a");
	start(spec("t"));
	alive("a", "t:1");
	pass(9000);
	alive("a", "");
	EXPECT_EQ(STARTS("t", NULL, 2), 0);
	pass(9000);
	alive("a", "");
	EXPECT_EQ(STOPS("t", "a", 1), 1); /* in case that its start is still on its way */
	EXPECT_EQ(STARTS("t", NULL, 2), 1);
}

TEST(a_task_that_kills_nodes_ends)
{
	begin();
	node("a");
	start(spec("t"));
	for (uint32_t epoch = 1; epoch < 10; epoch++) {
		result_full("t", "a", epoch, MANAGER_REASON_LOST);
	}
	EXPECT_EQ(STATE("t"), MANAGER_FAILED);
	EXPECT_EQ(row_of("t")->epoch, 6);
}

TEST(propellers_worker_restarts_and_its_tasks_are_lost)
{
	begin();
	node_full("a", false, 0, 0);
	start(spec("t"));
	node_full("a", false, 0, 0);
	EXPECT_EQ(STATE("t"), MANAGER_FAILED);
	struct manager_task_spec s = spec("u");
	s.restart_attempts = 1;
	start(s);
	node_full("a", false, 0, 0);
	pass(1000);
	EXPECT_EQ(STARTS("u", "a", 2), 1);
}

TEST(unknown_tasks_on_a_node_are_stopped)
{
	begin();
	node("a");
	alive("a", "ghost:3");
	EXPECT_EQ(STOPS("ghost", "a", 3), 1);
}

/* ---- restarts, refusals, preemption ---- */

TEST(restart_policy)
{
	begin();
	node("a");
	struct manager_task_spec s = spec("t");
	s.restart_attempts = 2;
	s.restart_backoff_ms = 100;
	start(s);
	result_full("t", "a", 1, MANAGER_REASON_TRAP);
	EXPECT_EQ(row_of("t")->phase, MANAGER_PHASE_BACKOFF);
	pass(100);
	EXPECT_EQ(STARTS("t", "a", 2), 1);
	result_full("t", "a", 2, MANAGER_REASON_TRAP);
	pass(100);
	EXPECT_EQ(STARTS("t", "a", 3), 0); /* the pause doubles */
	pass(100);
	EXPECT_EQ(STARTS("t", "a", 3), 1);
	result_full("t", "a", 3, MANAGER_REASON_TRAP);
	EXPECT_EQ(STATE("t"), MANAGER_FAILED);
}

TEST(a_refusal_tries_another_node)
{
	begin();
	node("a");
	node("b");
	start(spec("t"));
	const char *first = STARTS("t", "a", 1) ? "a" : "b";
	const char *second = first[0] == 'a' ? "b" : "a";
	result_full("t", first, 1, MANAGER_REASON_REFUSED);
	EXPECT_EQ(STARTS("t", second, 2), 1);
	result_full("t", second, 2, MANAGER_REASON_REFUSED);
	EXPECT_EQ(STATE("t"), MANAGER_FAILED);
}

static void refused_for_room(const char *task, const char *node_id, uint32_t epoch, uint32_t need,
			     uint32_t have)
{
	struct manager_event e = {.kind = MANAGER_EVENT_RESULT};

	e.u.result.task_id = task;
	e.u.result.node_id = node_id;
	e.u.result.epoch = epoch;
	e.u.result.reason = MANAGER_REASON_REFUSED;
	e.u.result.need_bytes = need;
	e.u.result.have_bytes = have;
	step(e);
}

static void alive_with(const char *id, uint32_t free_bytes)
{
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_ALIVE};

	e.u.alive.id = id;
	e.u.alive.has_free = true;
	e.u.alive.free_bytes = free_bytes;
	step(e);
}

TEST(a_task_waits_for_room)
{
	begin();
	node_full("a", true, 0, 40960);
	start(spec("other"));
	start(spec("t"));
	EXPECT_EQ(STARTS("t", "a", 1), 1);
	refused_for_room("t", "a", 1, 17800, 3616);
	EXPECT_EQ(STATE("t"), MANAGER_PENDING);
	EXPECT_EQ(STARTS("t", "a", 2), 0);
	alive_with("a", 17000);
	EXPECT_EQ(STARTS("t", "a", 2), 0);
	alive_with("a", 18000);
	EXPECT_EQ(STARTS("t", "a", 2), 1);
	/* What no pool can hold is no matter of waiting. */
	refused_for_room("t", "a", 2, 50000, 40000);
	EXPECT_EQ(STATE("t"), MANAGER_FAILED);
	/* An otherwise idle node may hold what ended until it is delivered: it is tried some more. */
	done("other", "a", 1);
	start(spec("u"));
	for (uint32_t epoch = 1; epoch <= 6; epoch++) {
		EXPECT_EQ(STARTS("u", "a", epoch), 1);
		refused_for_room("u", "a", epoch, 40900, 36000);
		EXPECT_EQ(STATE("u"), MANAGER_PENDING);
		pass(100u << (epoch - 1));
	}
	refused_for_room("u", "a", 7, 40900, 36000);
	EXPECT_EQ(STATE("u"), MANAGER_FAILED);
}

TEST(want_of_room_moves_a_task)
{
	begin();
	node_full("a", true, 0, 40960);
	start(spec("t"));
	EXPECT_EQ(STARTS("t", "a", 1), 1);
	node_full("b", true, 0, 1 << 20);
	refused_for_room("t", "a", 1, 60000, 40000);
	EXPECT_EQ(STARTS("t", "b", 2), 1);
	done("t", "b", 2);
	EXPECT_EQ(STATE("t"), MANAGER_COMPLETED);
}

TEST(a_node_without_a_slot_is_tried_again)
{
	struct manager_event e = {.kind = MANAGER_EVENT_RESULT};

	begin();
	node("a");
	start(spec("t"));
	e.u.result.task_id = "t";
	e.u.result.node_id = "a";
	e.u.result.reason = MANAGER_REASON_REFUSED;
	e.u.result.busy = true;
	for (uint32_t epoch = 1; epoch <= 3; epoch++) {
		EXPECT_EQ(STARTS("t", "a", epoch), 1);
		e.u.result.epoch = epoch;
		step(e);
		EXPECT_EQ(STATE("t"), MANAGER_PENDING);
		pass(100u << (epoch - 1));
	}
	EXPECT_EQ(STARTS("t", "a", 4), 1);
	done("t", "a", 4);
	EXPECT_EQ(STATE("t"), MANAGER_COMPLETED);
}

TEST(a_higher_priority_preempts)
{
	begin();
	node_full("a", true, 1, 0);
	struct manager_task_spec low = spec("low"), high = spec("high"), near = spec("near");
	low.priority = 20;
	near.priority = 25;
	high.priority = 80;
	start(low);
	EXPECT_EQ(start(near), MANAGER_ANSWER_QUEUED); /* not higher by enough */
	EXPECT_EQ(STOPS("low", "a", 1), 0);
	EXPECT_EQ(start(high), MANAGER_ANSWER_QUEUED);
	EXPECT_EQ(STOPS("low", "a", 1), 1);
	result_full("low", "a", 1, MANAGER_REASON_STOPPED);
	EXPECT_EQ(STARTS("high", "a", 1), 1);
	EXPECT_EQ(STATE("low"), MANAGER_PENDING);
	done("high", "a", 1);
	EXPECT_EQ(STARTS("near", "a", 1), 1); /* by priority */
	done("near", "a", 1);
	EXPECT_EQ(STARTS("low", "a", 2), 1);
	done("low", "a", 2);
	EXPECT_EQ(live(), 0);
}

TEST(memory_is_reserved_and_preempted)
{
	begin();
	node_full("a", true, 0, 100000);
	struct manager_task_spec s = spec("t"), u = spec("u"), v = spec("v"), big = spec("big");
	s.need.memory_bytes = u.need.memory_bytes = v.need.memory_bytes = 40000;
	EXPECT_EQ(start(s), MANAGER_ANSWER_OK);
	EXPECT_EQ(start(u), MANAGER_ANSWER_OK);
	EXPECT_EQ(start(v), MANAGER_ANSWER_QUEUED);
	done("t", "a", 1);
	EXPECT_EQ(STARTS("v", "a", 1), 1);
	big.need.memory_bytes = 100001;
	EXPECT_EQ(start(big), MANAGER_ANSWER_NO_FIT);
	big.need.memory_bytes = 90000;
	big.priority = 90;
	EXPECT_EQ(start(big), MANAGER_ANSWER_QUEUED);
	EXPECT_EQ(STOPS(NULL, "a", 0), 2);
	result_full("u", "a", 1, MANAGER_REASON_STOPPED);
	result_full("v", "a", 1, MANAGER_REASON_STOPPED);
	EXPECT_EQ(STARTS("big", "a", 1), 1);
}

TEST(draining_moves_daemons)
{
	begin();
	node("a");
	struct manager_task_spec d = spec("d"), t = spec("t");
	d.daemon = true;
	start(d);
	start(t);
	node("b");
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_DRAIN};
	e.u.node_id.id = "a";
	e.u.node_id.drain = true;
	EXPECT_EQ(step(e), MANAGER_ANSWER_OK);
	EXPECT_EQ(STOPS("d", "a", 1), 1);
	EXPECT_EQ(STOPS("t", "a", 1), 0);
	result_full("d", "a", 1, MANAGER_REASON_STOPPED);
	EXPECT_EQ(STARTS("d", "b", 2), 1);
	EXPECT_EQ(start(spec("x")), MANAGER_ANSWER_OK);
	EXPECT_EQ(STARTS("x", "b", 1), 1);
	e.u.node_id.deadline_ms = 5000;
	step(e);
	alive("a", NULL);
	pass(5000);
	EXPECT_EQ(STOPS("t", "a", 1), 1);
}

TEST(delete_node)
{
	begin();
	node("a");
	start(spec("t"));
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_DELETE};
	e.u.node_id.id = "a";
	EXPECT_EQ(step(e), MANAGER_ANSWER_BUSY);
	done("t", "a", 1);
	EXPECT_EQ(step(e), MANAGER_ANSWER_OK);
	EXPECT_EQ(step(e), MANAGER_ANSWER_NOT_FOUND);
	node("b");
	EXPECT(manager_node_find(m, "b") != NULL);
}

/* ---- daemons, latent tasks, broadcasts ---- */

TEST(propellers_daemon_goes_on)
{
	begin();
	node_full("a", false, 0, 0);
	struct manager_task_spec d = spec("d");
	d.daemon = true;
	start(d);
	struct manager_event e = {.kind = MANAGER_EVENT_RESULT};
	e.u.result.task_id = "d";
	e.u.result.node_id = "a";
	e.u.result.ok = e.u.result.empty = true;
	step(e);
	EXPECT_EQ(STATE("d"), MANAGER_RUNNING);
	EXPECT_EQ(live(), 1);
}

TEST(invoke)
{
	begin();
	node("a");
	struct manager_task_spec l = spec("l");
	l.latent = true;
	EXPECT_EQ(command(MANAGER_EVENT_TASK_INVOKE, "l"), MANAGER_ANSWER_NOT_FOUND);
	start(l);
	command(MANAGER_EVENT_TASK_INVOKE, "l");
	EXPECT_EQ(count_sent(MANAGER_ACTION_SEND_INVOKE, "l", "a", 0) +
				  count_sent(MANAGER_ACTION_SEND_INVOKE, NULL, "a", 0) >
			  0,
		  1);
	start(spec("t"));
	EXPECT_EQ(command(MANAGER_EVENT_TASK_INVOKE, "t"), MANAGER_ANSWER_NOT_LATENT);
}

TEST(broadcast_ends_when_all_have_reported)
{
	begin();
	node("a");
	node("b");
	node("c");
	struct manager_task_spec s = spec("t");
	s.broadcast = true;
	EXPECT_EQ(start(s), MANAGER_ANSWER_OK);
	EXPECT_EQ(STARTS("t", "", 1), 1);
	done("t", "a", 1);
	done("t", "a", 1);
	done("t", "b", 1);
	EXPECT_EQ(STATE("t"), MANAGER_RUNNING);
	EXPECT_EQ(parts_lost, 0);
	gone("c");
	EXPECT_EQ(STATE("t"), MANAGER_FAILED);
	EXPECT_EQ(parts_lost, 1);
	struct manager_task_spec u = spec("u");
	u.broadcast = true;
	start(u);
	done("u", "a", 1);
	done("u", "b", 1);
	EXPECT_EQ(STATE("u"), MANAGER_COMPLETED);
}

/* More ends at once than one step has actions for. */
TEST(many_broadcasts_wait_for_a_node_that_dies)
{
	char id[16];

	begin_with(300);
	node("a");
	node("b");
	for (int i = 0; i < 300; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		struct manager_task_spec s = spec(id);
		s.broadcast = true;
		EXPECT_EQ(start(s), MANAGER_ANSWER_OK);
		done(id, "a", 1);
	}
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_DELETE};
	e.u.node_id.id = "b";
	EXPECT_EQ(step(e), MANAGER_ANSWER_BUSY);
	gone("b");
	EXPECT_EQ(parts_lost, 300);
	EXPECT_EQ(live(), 0);
	EXPECT_EQ(step(e), MANAGER_ANSWER_OK);
}

/* clang-format off */
TEST_MAIN(
	T(runs_and_is_forgotten)
	T(a_result_counts_once)
	T(no_node_is_an_error_unless_it_may_wait)
	T(a_full_node_makes_it_wait)
	T(many_that_ask_as_much_are_passed_over)
	T(a_started_task_does_not_start_again)
	T(stop_waits_for_the_node)
	T(a_stop_is_repeated_then_given_up)
	T(a_foreign_result_changes_nothing)
	T(dead_after_three_heartbeats)
	T(an_idempotent_task_moves_at_once)
	T(a_lease_is_waited_for)
	T(policy_keep_waits_for_the_node)
	T(a_lease_counts_from_the_alive_message)
	T(leases_are_renewed)
	T(a_lost_start_is_repeated_with_its_epoch)
	T(a_start_that_waited_is_sent)
	T(an_old_heartbeat_changes_nothing)
	T(a_start_on_its_way_is_not_lost)
	T(what_a_node_no_longer_runs_is_placed_again)
	T(a_task_that_kills_nodes_ends)
	T(propellers_worker_restarts_and_its_tasks_are_lost)
	T(unknown_tasks_on_a_node_are_stopped)
	T(restart_policy)
	T(a_refusal_tries_another_node)
	T(a_task_waits_for_room)
	T(want_of_room_moves_a_task)
	T(a_node_without_a_slot_is_tried_again)
	T(a_higher_priority_preempts)
	T(memory_is_reserved_and_preempted)
	T(draining_moves_daemons)
	T(delete_node)
	T(propellers_daemon_goes_on)
	T(invoke)
	T(broadcast_ends_when_all_have_reported)
	T(many_broadcasts_wait_for_a_node_that_dies))
/* clang-format on */
