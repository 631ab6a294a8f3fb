/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manager's core by stories: events in, actions looked at. After every step all invariants are
 * checked. A model of the store and of the workers stands in for the world.
 */
#include "manager/core/core.h"
#include "test/test.h"

#include <stdlib.h>

#define NODES 64
#define TASKS 2048

static struct manager *m;
static void *mem;
static struct manager_actions out;
static uint64_t now;
static uint64_t next_request;
static enum manager_answer answer;

/* What the store knows of a task, by the actions. */
static struct row {
	char id[MANAGER_ID_BYTES];
	int state, phase;
	uint32_t epoch;
	char node[MANAGER_ID_BYTES];
	int results;
} rows[TASKS];
static int row_count;

/* Messages sent since the last clear. */
static struct sent {
	enum manager_action_kind kind;
	char id[MANAGER_ID_BYTES], node[MANAGER_ID_BYTES];
	uint32_t epoch;
} sent[4096];
static int sent_count;
static int notes[MANAGER_NOTE_COUNT];

static struct row *row_of(const char *id)
{
	for (int i = 0; i < row_count; i++) {
		if (strcmp(rows[i].id, id) == 0) {
			return &rows[i];
		}
	}
	snprintf(rows[row_count].id, MANAGER_ID_BYTES, "%s", id);
	return &rows[row_count++];
}

static void take_store(const struct manager_action *a)
{
	struct row *r = row_of(a->task->id);

	/* Rule 2: an epoch never falls. */
	if (a->task->epoch < r->epoch) {
		TEST_FAIL("epoch of %s fell from %u to %u", r->id, r->epoch, a->task->epoch);
	}
	r->state = a->task->state;
	r->phase = a->task->phase;
	r->epoch = a->task->epoch;
	r->results += a->kind == MANAGER_ACTION_STORE_RESULT;
	snprintf(r->node, sizeof(r->node), "%s", a->node != NULL ? a->node->id : "");
}

static void take_send(const struct manager_action *a)
{
	struct sent *s = &sent[sent_count++ % 4096];

	s->kind = a->kind;
	s->epoch = a->epoch;
	snprintf(s->id, sizeof(s->id), "%s",
		 a->task_id != NULL ? a->task_id
		 : a->task != NULL  ? a->task->id
				    : "");
	snprintf(s->node, sizeof(s->node), "%s", a->node != NULL ? a->node->id : "");
	if (a->kind == MANAGER_ACTION_SEND_START) {
		/* Rule 2: stored before it is sent. */
		EXPECT_EQ(row_of(s->id)->epoch, a->epoch);
		EXPECT_EQ(row_of(s->id)->state, MANAGER_RUNNING);
	}
}

static void take(const struct manager_action *a)
{
	switch (a->kind) {
	case MANAGER_ACTION_STORE_TASK:
	case MANAGER_ACTION_STORE_RESULT:
		take_store(a);
		break;
	case MANAGER_ACTION_ANSWER:
		if (a->request == next_request) {
			answer = a->answer;
		}
		break;
	case MANAGER_ACTION_NOTE:
		notes[a->note]++;
		break;
	case MANAGER_ACTION_STORE_NODE:
	case MANAGER_ACTION_SCHEDULE:
		break;
	default:
		take_send(a);
		break;
	}
}

static enum manager_answer step(struct manager_event e)
{
	e.now_ms = now;
	e.wall_ms = 1700000000000 + (int64_t)now;
	e.request = ++next_request;
	answer = MANAGER_ANSWER_COUNT;
	for (int i = 0; i < 100000; i++) {
		manager_step(m, &e, &out);
		manager_check(m);
		for (uint32_t k = 0; k < out.count; k++) {
			take(&out.list[k]);
		}
		if (out.wake_ms > now) {
			return answer;
		}
		e = (struct manager_event){
			.kind = MANAGER_EVENT_TICK, .now_ms = now, .wall_ms = e.wall_ms};
	}
	TEST_FAIL("the step never came to rest");
	return answer;
}

static void pass(uint64_t ms)
{
	uint64_t until = now + ms;

	while (now < until) {
		now = BASE_MIN(out.wake_ms > now ? out.wake_ms : now + 1, until);
		step((struct manager_event){.kind = MANAGER_EVENT_TICK});
	}
}

static void begin(void)
{
	struct manager_limits l = {NODES, TASKS, 64, 512, 8};
	struct manager_config c;
	size_t bytes = manager_mem_bytes(&l);

	free(mem);
	mem = aligned_alloc(16, base_align_up(bytes, 16));
	memset(mem, 0, bytes);
	manager_config_default(&c);
	m = manager_init(&l, &c, mem, bytes);
	now = 1000;
	row_count = sent_count = 0;
	memset(rows, 0, sizeof(rows));
	memset(notes, 0, sizeof(notes));
}

static void node_full(const char *id, bool ours, uint16_t tasks_max, uint32_t pool)
{
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_CREATE};

	e.u.node = (struct manager_node_facts){.id = id, .name = "n", .ours = ours, .direct = ours};
	e.u.node.fit.tasks_max = tasks_max;
	e.u.node.fit.pool_bytes = pool;
	e.u.node.fit.free_bytes = pool;
	e.u.node.fit.battery_percent = 255;
	e.u.node.fit.mains = true;
	step(e);
}

static void node(const char *id)
{
	node_full(id, true, 0, 0);
}

/* A heartbeat; held: "task:epoch task:epoch", or NULL when it lists nothing at all. */
static void alive(const char *id, const char *held)
{
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_ALIVE};
	static struct manager_held list[32];
	static char text[1024];
	char *save = NULL;

	e.u.alive.id = id;
	if (held != NULL) {
		snprintf(text, sizeof(text), "%s", held);
		for (char *p = strtok_r(text, " ", &save); p != NULL;
		     p = strtok_r(NULL, " ", &save)) {
			char *colon = strchr(p, ':');

			*colon = '\0';
			list[e.u.alive.held_count++] =
				(struct manager_held){p, (uint32_t)atoi(colon + 1)};
		}
		e.u.alive.held = list;
		e.u.alive.held_complete = true;
	}
	step(e);
}

static struct manager_task_spec spec(const char *id)
{
	return (struct manager_task_spec){.id = id, .priority = 50};
}

static enum manager_answer add(struct manager_task_spec s)
{
	struct manager_event e = {.kind = MANAGER_EVENT_TASK_ADD};

	e.u.add.spec = s;
	return step(e);
}

static enum manager_answer command(enum manager_event_kind kind, const char *id)
{
	struct manager_event e = {.kind = kind};

	e.u.task.id = id;
	return step(e);
}

static enum manager_answer start(struct manager_task_spec s)
{
	add(s);
	return command(MANAGER_EVENT_TASK_START, s.id);
}

static void result_full(const char *task, const char *node_id, uint32_t epoch,
			enum manager_reason reason)
{
	struct manager_event e = {.kind = MANAGER_EVENT_RESULT};

	e.u.result.task_id = task;
	e.u.result.node_id = node_id;
	e.u.result.epoch = epoch;
	e.u.result.ok = reason == MANAGER_REASON_DONE;
	e.u.result.reason = reason;
	step(e);
}

static void done(const char *task, const char *node_id, uint32_t epoch)
{
	result_full(task, node_id, epoch, MANAGER_REASON_DONE);
}

static int count_sent(enum manager_action_kind kind, const char *id, const char *node_id,
		      uint32_t epoch)
{
	int n = 0;

	for (int i = 0; i < sent_count; i++) {
		n += sent[i].kind == kind && (id == NULL || strcmp(id, sent[i].id) == 0) &&
		     (node_id == NULL || strcmp(node_id, sent[i].node) == 0) &&
		     (epoch == 0 || epoch == sent[i].epoch);
	}
	return n;
}

#define STARTS(id, node, epoch) count_sent(MANAGER_ACTION_SEND_START, id, node, epoch)
#define STOPS(id, node, epoch)  count_sent(MANAGER_ACTION_SEND_STOP, id, node, epoch)
#define ACKS(id, node, epoch)   count_sent(MANAGER_ACTION_SEND_ACK, id, node, epoch)
#define STATE(id)               (row_of(id)->state)

static uint32_t live(void)
{
	struct manager_counts c;

	manager_count(m, &c);
	return c.tasks_live;
}

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

static void gone(const char *id)
{
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_GONE};

	e.u.node_id.id = id;
	step(e);
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
	/* Nor is what an otherwise idle node has no room for. */
	done("other", "a", 1);
	start(spec("u"));
	refused_for_room("u", "a", 1, 40900, 36000);
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
	gone("c");
	EXPECT_EQ(STATE("t"), MANAGER_FAILED);
	struct manager_task_spec u = spec("u");
	u.broadcast = true;
	start(u);
	done("u", "a", 1);
	done("u", "b", 1);
	EXPECT_EQ(STATE("u"), MANAGER_COMPLETED);
}

/* ---- groups ---- */

static void group(const char *id, enum manager_group_kind kind, enum manager_job_mode mode)
{
	struct manager_event e = {.kind = MANAGER_EVENT_GROUP_ADD};

	e.u.group.id = id;
	e.u.group.kind = kind;
	e.u.group.mode = mode;
	step(e);
}

/* "c<a,b" adds c that depends on a and b; "c!a" runs when a failed. */
static void member(const char *group_id, const char *text)
{
	struct manager_event e = {.kind = MANAGER_EVENT_TASK_ADD};
	char id[2] = {text[0], '\0'};

	e.u.add.spec = spec(id);
	e.u.add.spec.run_if = text[1] == '!' ? MANAGER_RUN_IF_FAILURE : MANAGER_RUN_IF_SUCCESS;
	e.u.add.group_id = group_id;
	step(e);
	for (const char *p = text + 1; *p != '\0'; p++) {
		struct manager_event d = {.kind = MANAGER_EVENT_TASK_DEPEND};
		char on[2] = {*p, '\0'};

		if (*p == '<' || *p == '!' || *p == ',') {
			continue;
		}
		d.u.depend.task_id = id;
		d.u.depend.on_id = on;
		EXPECT_EQ(step(d), MANAGER_ANSWER_OK);
	}
}

static void members(const char *group_id, const char *const *texts)
{
	for (; *texts != NULL; texts++) {
		member(group_id, *texts);
	}
}

static enum manager_answer group_command(enum manager_event_kind kind, const char *id)
{
	struct manager_event e = {.kind = kind};

	e.u.group.id = id;
	return step(e);
}

#define GROUP(kind, mode, ...)                                                                     \
	do {                                                                                       \
		begin();                                                                           \
		node("n");                                                                         \
		group("g", kind, mode);                                                            \
		members("g", (const char *const[]){__VA_ARGS__, NULL});                            \
	} while (0)

TEST(workflow_by_its_dependencies)
{
	GROUP(MANAGER_GROUP_WORKFLOW, 0, "a", "b", "c<a,b", "d<c", "e!c", "f<e");
	EXPECT_EQ(command(MANAGER_EVENT_TASK_START, "a"), MANAGER_ANSWER_OK);
	EXPECT_EQ(STARTS("a", NULL, 0) + STARTS("b", NULL, 0), 2);
	done("a", "n", 1);
	EXPECT_EQ(STARTS("c", NULL, 0), 0);
	done("b", "n", 1);
	EXPECT_EQ(STARTS("c", NULL, 0), 1);
	done("c", "n", 1);
	EXPECT_EQ(STARTS("d", NULL, 0), 1);
	EXPECT_EQ(STATE("e"), MANAGER_SKIPPED);
	EXPECT_EQ(STATE("f"), MANAGER_SKIPPED); /* a skipped task releases its dependents */
	done("d", "n", 1);
	EXPECT_EQ(live(), 0);
}

TEST(workflow_run_if_failure)
{
	GROUP(MANAGER_GROUP_WORKFLOW, 0, "a", "b<a", "c!a", "d<c");
	command(MANAGER_EVENT_TASK_START, "a");
	result_full("a", "n", 1, MANAGER_REASON_TRAP);
	EXPECT_EQ(STATE("b"), MANAGER_SKIPPED);
	EXPECT_EQ(STARTS("c", NULL, 0), 1);
	done("c", "n", 1);
	EXPECT_EQ(STARTS("d", NULL, 0), 1);
	done("d", "n", 1);
	EXPECT_EQ(live(), 0);
}

TEST(starting_a_leaf_says_unmet_and_begins)
{
	GROUP(MANAGER_GROUP_WORKFLOW, 0, "a", "b<a");
	EXPECT_EQ(command(MANAGER_EVENT_TASK_START, "b"), MANAGER_ANSWER_UNMET);
	EXPECT_EQ(STARTS("a", NULL, 0), 1);
	done("a", "n", 1);
	EXPECT_EQ(STARTS("b", NULL, 0), 1);
}

TEST(a_sequential_job_waits)
{
	GROUP(MANAGER_GROUP_JOB, MANAGER_JOB_SEQUENTIAL, "a", "b", "c", "d<a");
	EXPECT_EQ(group_command(MANAGER_EVENT_GROUP_START, "g"), MANAGER_ANSWER_OK);
	EXPECT_EQ(STARTS(NULL, NULL, 0), 1);
	done("a", "n", 1);
	EXPECT_EQ(STARTS("b", NULL, 0), 1);
	EXPECT_EQ(STARTS("c", NULL, 0) + STARTS("d", NULL, 0), 0);
	done("b", "n", 1);
	EXPECT_EQ(STARTS("c", NULL, 0), 1);
	done("c", "n", 1);
	EXPECT_EQ(STARTS("d", NULL, 0), 1);
	done("d", "n", 1);
	EXPECT_EQ(live(), 0);
}

TEST(sequential_with_a_dependency_backwards)
{
	GROUP(MANAGER_GROUP_JOB, MANAGER_JOB_SEQUENTIAL, "a", "b");
	begin();
	node("n");
	group("g", MANAGER_GROUP_JOB, MANAGER_JOB_SEQUENTIAL);
	member("g", "a");
	member("g", "b");
	struct manager_event d = {.kind = MANAGER_EVENT_TASK_DEPEND};
	d.u.depend.task_id = "a";
	d.u.depend.on_id = "b";
	step(d);
	group_command(MANAGER_EVENT_GROUP_START, "g");
	EXPECT_EQ(STARTS("b", NULL, 0), 1);
	EXPECT_EQ(STARTS("a", NULL, 0), 0);
	done("b", "n", 1);
	EXPECT_EQ(STARTS("a", NULL, 0), 1);
}

TEST(a_failure_stops_the_job)
{
	GROUP(MANAGER_GROUP_JOB, MANAGER_JOB_PARALLEL, "a", "b", "c<b");
	group_command(MANAGER_EVENT_GROUP_START, "g");
	EXPECT_EQ(STARTS(NULL, NULL, 0), 2);
	result_full("a", "n", 1, MANAGER_REASON_TRAP);
	EXPECT_EQ(STOPS("b", "n", 1), 1);
	EXPECT_EQ(STATE("c"), MANAGER_SKIPPED);
	result_full("b", "n", 1, MANAGER_REASON_STOPPED);
	EXPECT_EQ(STATE("b"), MANAGER_INTERRUPTED);
	EXPECT_EQ(live(), 0);
}

TEST(a_job_runs_again)
{
	GROUP(MANAGER_GROUP_JOB, MANAGER_JOB_PARALLEL, "a", "b<a");
	group_command(MANAGER_EVENT_GROUP_START, "g");
	EXPECT_EQ(group_command(MANAGER_EVENT_GROUP_START, "g"), MANAGER_ANSWER_RUNNING);
	done("a", "n", 1);
	done("b", "n", 1);
	EXPECT_EQ(live(), 0);
	group("g", MANAGER_GROUP_JOB, MANAGER_JOB_PARALLEL);
	struct manager_event e = {.kind = MANAGER_EVENT_TASK_ADD};
	e.u.add.group_id = "g";
	e.u.add.phase = MANAGER_PHASE_DONE;
	e.u.add.state = MANAGER_COMPLETED;
	e.u.add.epoch = 1;
	e.u.add.spec = spec("a");
	step(e);
	e.u.add.spec = spec("b");
	step(e);
	EXPECT_EQ(group_command(MANAGER_EVENT_GROUP_START, "g"), MANAGER_ANSWER_OK);
	EXPECT_EQ(STARTS("a", "n", 2), 1);
}

TEST(stop_a_job)
{
	GROUP(MANAGER_GROUP_JOB, MANAGER_JOB_SEQUENTIAL, "a", "b", "c");
	group_command(MANAGER_EVENT_GROUP_START, "g");
	EXPECT_EQ(group_command(MANAGER_EVENT_GROUP_STOP, "g"), MANAGER_ANSWER_OK);
	EXPECT_EQ(STOPS("a", "n", 1), 1);
	EXPECT_EQ(STATE("b"), MANAGER_SKIPPED);
	result_full("a", "n", 1, MANAGER_REASON_STOPPED);
	EXPECT_EQ(live(), 0);
}

TEST(a_job_larger_than_the_action_list)
{
	begin();
	node("n");
	group("g", MANAGER_GROUP_JOB, MANAGER_JOB_PARALLEL);
	for (int i = 0; i < 1500; i++) {
		struct manager_event e = {.kind = MANAGER_EVENT_TASK_ADD};
		char id[16];

		snprintf(id, sizeof(id), "t%d", i);
		e.u.add.spec = spec(id);
		e.u.add.group_id = "g";
		step(e);
	}
	group_command(MANAGER_EVENT_GROUP_START, "g");
	EXPECT_EQ(STARTS(NULL, NULL, 0), 1500);
	gone("n"); /* and 1,500 tasks of a node that dies */
	alive("n", NULL);
}

/* ---- schedules ---- */

TEST(a_schedule_fires_and_skips_when_late)
{
	begin();
	node("n");
	struct manager_task_spec s = spec("t");
	s.next_run_ms = 1700000000000 + (int64_t)now + 5000;
	add(s);
	pass(4999);
	EXPECT_EQ(STARTS("t", NULL, 0), 0);
	pass(1);
	EXPECT_EQ(STARTS("t", NULL, 0), 1);
	struct manager_event e = {.kind = MANAGER_EVENT_TASK_SCHEDULE};
	e.u.task.id = "t";
	e.u.task.next_run_ms = 1700000000000 + (int64_t)now + 5000;
	step(e);
	done("t", "n", 1);
	alive("n", "");
	pass(5000);
	EXPECT_EQ(STARTS("t", "n", 2), 1);
	done("t", "n", 2);
	EXPECT_EQ(live(), 0); /* no next run was set */
}

/* ---- restore ---- */

TEST(restored_tasks_go_on)
{
	begin();
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_RESTORE};
	e.u.node = (struct manager_node_facts){.id = "a", .name = "n", .ours = true};
	e.u.node.fit.battery_percent = 255;
	step(e);
	e = (struct manager_event){.kind = MANAGER_EVENT_TASK_ADD};
	e.u.add.spec = spec("t");
	e.u.add.phase = MANAGER_PHASE_ASSIGNED;
	e.u.add.state = MANAGER_RUNNING;
	e.u.add.epoch = 7;
	e.u.add.node_id = "a";
	step(e);
	e.u.add.spec = spec("q");
	e.u.add.phase = MANAGER_PHASE_QUEUED;
	e.u.add.state = MANAGER_PENDING;
	e.u.add.epoch = 2;
	step(e);
	row_of("t")->epoch = 7;
	row_of("t")->state = MANAGER_RUNNING;
	node("a");
	EXPECT_EQ(STARTS("q", "a", 3), 1);
	alive("a", "q:3");
	pass(4000);
	alive("a", "q:3");
	alive("a", "q:3");
	EXPECT_EQ(STARTS("t", "a", 7), 1); /* it never got there: the same epoch again */
	done("t", "a", 7);
	EXPECT_EQ(STATE("t"), MANAGER_COMPLETED);
}

TEST(a_restored_broadcast_ends)
{
	begin();
	node("a");
	node("b");
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_RESTORE};
	e.u.node = (struct manager_node_facts){.id = "c", .name = "n", .ours = true};
	step(e); /* never comes back */
	e = (struct manager_event){.kind = MANAGER_EVENT_TASK_ADD};
	e.u.add.spec = spec("t");
	e.u.add.spec.broadcast = true;
	e.u.add.phase = MANAGER_PHASE_RUNNING;
	e.u.add.state = MANAGER_RUNNING;
	e.u.add.epoch = 2;
	step(e);
	row_of("t")->epoch = 2;
	e = (struct manager_event){.kind = MANAGER_EVENT_TASK_REPORTED};
	e.u.reported.task_id = "t";
	e.u.reported.node_id = "a";
	e.u.reported.ok = true;
	step(e);
	done("t", "b", 2);
	EXPECT_EQ(live(), 1);
	pass(40000);
	EXPECT_EQ(STATE("t"), MANAGER_COMPLETED);
	EXPECT_EQ(live(), 0);
}

/* ---- limits ---- */

TEST(full_tables_say_so)
{
	begin();
	for (int i = 0; i < TASKS; i++) {
		char id[16];

		snprintf(id, sizeof(id), "t%d", i);
		EXPECT_EQ(add(spec(id)), MANAGER_ANSWER_OK);
	}
	EXPECT_EQ(add(spec("one-more")), MANAGER_ANSWER_FULL);
	EXPECT_EQ(command(MANAGER_EVENT_TASK_DROP, "t5"), MANAGER_ANSWER_OK);
	EXPECT_EQ(add(spec("one-more")), MANAGER_ANSWER_OK);
	for (int i = 0; i <= NODES; i++) {
		char id[16];

		snprintf(id, sizeof(id), "n%d", i);
		node(id);
	}
	EXPECT_EQ(notes[MANAGER_NOTE_NODES_FULL], 1);
}

/* ---- a random world ---- */

static uint64_t seed;

static uint32_t below(uint32_t bound)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed % bound);
}

/* What a worker of the model runs: task and epoch. */
static struct model {
	char id[16];
	uint32_t epoch;
} running[4][64];
static int running_count[4];

static int node_number(const char *id)
{
	return id[0] == '\0' ? -1 : id[1] - '0';
}

static void model_take(void)
{
	for (int i = 0; i < sent_count; i++) {
		int n = node_number(sent[i].node);

		if (n < 0 || n > 3) {
			continue;
		}
		if (sent[i].kind == MANAGER_ACTION_SEND_START && running_count[n] < 64 &&
		    below(8) != 0) {
			struct model *r = &running[n][running_count[n]++];

			snprintf(r->id, sizeof(r->id), "%s", sent[i].id);
			r->epoch = sent[i].epoch;
		} else if (sent[i].kind == MANAGER_ACTION_SEND_STOP) {
			for (int k = 0; k < running_count[n]; k++) {
				if (strcmp(running[n][k].id, sent[i].id) == 0 &&
				    running[n][k].epoch <= sent[i].epoch) {
					running[n][k] = running[n][--running_count[n]];
					break;
				}
			}
		}
	}
	sent_count = 0;
}

static void model_alive(int n)
{
	char id[3] = {'n', (char)('0' + n), '\0'}, held[2048] = "";

	for (int k = 0; k < running_count[n] && k < 30; k++) {
		snprintf(held + strlen(held), sizeof(held) - strlen(held), "%s:%u ",
			 running[n][k].id, running[n][k].epoch);
	}
	alive(id, held);
}

static void model_result(int n)
{
	static const enum manager_reason reasons[] = {
		MANAGER_REASON_DONE,    MANAGER_REASON_DONE,    MANAGER_REASON_TRAP,
		MANAGER_REASON_STOPPED, MANAGER_REASON_REFUSED, MANAGER_REASON_LOST};
	char id[3] = {'n', (char)('0' + n), '\0'};
	int k;

	if (running_count[n] == 0) {
		return;
	}
	k = (int)below((uint32_t)running_count[n]);
	struct model r = running[n][k];
	running[n][k] = running[n][--running_count[n]];
	result_full(r.id, id, r.epoch, reasons[below(6)]);
}

static void random_task(int number)
{
	struct manager_task_spec s;
	char id[16];

	snprintf(id, sizeof(id), "t%d", number);
	s = spec(id);
	s.priority = (uint8_t)below(101);
	s.idempotent = below(2);
	s.queue = below(4) != 0;
	s.daemon = below(8) == 0;
	s.broadcast = below(16) == 0;
	s.lease_ms = below(3) * 10000;
	s.policy = (enum manager_policy)below(3);
	s.restart_attempts = below(3);
	s.need.memory_bytes = below(3) * 20000;
	start(s);
}

static void random_event(int i)
{
	int n = (int)below(4);
	char id[3] = {'n', (char)('0' + n), '\0'}, task[16];
	struct manager_event e = {0};

	snprintf(task, sizeof(task), "t%u", below((uint32_t)i + 1));
	switch (below(12)) {
	case 0:
	case 1:
	case 2:
		random_task(i);
		break;
	case 3:
		node_full(id, n != 3, (uint16_t)(n == 0 ? 4 : 0), n == 1 ? 100000 : 0);
		break;
	case 4:
		gone(id);
		running_count[n] = below(2) ? running_count[n] : 0;
		break;
	case 5:
		command(below(2) ? MANAGER_EVENT_TASK_STOP : MANAGER_EVENT_TASK_START, task);
		break;
	case 6:
		e.kind = MANAGER_EVENT_NODE_DRAIN;
		e.u.node_id.id = id;
		e.u.node_id.drain = below(3) == 0;
		e.u.node_id.deadline_ms = below(2) * 100;
		step(e);
		break;
	case 7:
		command(below(4) ? MANAGER_EVENT_TASK_INVOKE : MANAGER_EVENT_TASK_DROP, task);
		break;
	case 8:
		pass(below(15000));
		break;
	case 9:
		model_alive(n);
		break;
	default:
		model_result(n);
		break;
	}
	model_take();
}

TEST(a_random_world_holds_the_rules)
{
	for (uint64_t world = 1; world <= 60 && !test_failed_here; world++) {
		begin();
		seed = world * 0x9E3779B97F4A7C15u;
		memset(running_count, 0, sizeof(running_count));
		for (int i = 0; i < 600; i++) {
			random_event(i);
		}
		if (test_failed_here) {
			printf("in world %llu\n", (unsigned long long)world);
		}
	}
}

/* clang-format off */
TEST_MAIN(
	T(runs_and_is_forgotten)
	T(a_result_counts_once)
	T(no_node_is_an_error_unless_it_may_wait)
	T(a_full_node_makes_it_wait)
	T(a_started_task_does_not_start_again)
	T(stop_waits_for_the_node)
	T(a_stop_is_repeated_then_given_up)
	T(a_foreign_result_changes_nothing)
	T(dead_after_three_heartbeats)
	T(an_idempotent_task_moves_at_once)
	T(a_lease_is_waited_for)
	T(policy_keep_waits_for_the_node)
	T(leases_are_renewed)
	T(a_lost_start_is_repeated_with_its_epoch)
	T(what_a_node_no_longer_runs_is_placed_again)
	T(a_task_that_kills_nodes_ends)
	T(propellers_worker_restarts_and_its_tasks_are_lost)
	T(unknown_tasks_on_a_node_are_stopped)
	T(restart_policy)
	T(a_refusal_tries_another_node)
	T(a_task_waits_for_room)
	T(want_of_room_moves_a_task)
	T(a_higher_priority_preempts)
	T(memory_is_reserved_and_preempted)
	T(draining_moves_daemons)
	T(delete_node)
	T(propellers_daemon_goes_on)
	T(invoke)
	T(broadcast_ends_when_all_have_reported)
	T(workflow_by_its_dependencies)
	T(workflow_run_if_failure)
	T(starting_a_leaf_says_unmet_and_begins)
	T(a_sequential_job_waits)
	T(sequential_with_a_dependency_backwards)
	T(a_failure_stops_the_job)
	T(a_job_runs_again)
	T(stop_a_job)
	T(a_job_larger_than_the_action_list)
	T(a_schedule_fires_and_skips_when_late)
	T(restored_tasks_go_on)
	T(a_restored_broadcast_ends)
	T(full_tables_say_so)
	T(a_random_world_holds_the_rules))
/* clang-format on */
