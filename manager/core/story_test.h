/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the stories of the manager's core are told with: events in, actions looked at. After every
 * step all invariants are checked. A model of the store stands in for the world.
 */
#ifndef MANAGER_CORE_STORY_TEST_H
#define MANAGER_CORE_STORY_TEST_H

#pragma GCC diagnostic ignored "-Wunused-function" /* each program uses a part */

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
static int parts_lost;

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
	case MANAGER_ACTION_STORE_PART:
		parts_lost += a->text != NULL;
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

static void begin_with(uint32_t broadcasts_max)
{
	struct manager_limits l = {NODES, TASKS, 64, 512, broadcasts_max};
	struct manager_config c;
	size_t bytes = manager_mem_bytes(&l);

	free(mem);
	mem = aligned_alloc(16, base_align_up(bytes, 16));
	memset(mem, 0, bytes);
	manager_config_default(&c);
	m = manager_init(&l, &c, mem, bytes);
	now = 1000;
	row_count = sent_count = parts_lost = 0;
	memset(rows, 0, sizeof(rows));
	memset(notes, 0, sizeof(notes));
}

static void begin(void)
{
	begin_with(8);
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

/* A heartbeat; held: "task:epoch task:epoch", or NULL when it lists nothing at all. connection 0: of a
 * worker that tells neither connection nor uptime. */
static void alive_at(const char *id, const char *held, uint64_t connection, uint64_t uptime_ms)
{
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_ALIVE};
	static struct manager_held list[32];
	static char text[1024];
	char *save = NULL;

	e.u.alive.id = id;
	e.u.alive.connection = connection;
	e.u.alive.has_uptime = connection != 0;
	e.u.alive.uptime_ms = uptime_ms;
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

static void alive(const char *id, const char *held)
{
	alive_at(id, held, 0, 0);
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

static void gone(const char *id)
{
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_GONE};

	e.u.node_id.id = id;
	step(e);
}

#endif
