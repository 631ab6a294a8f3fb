/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal: what a worker must know again after a restart.
 *
 * Two keys per slot: 2 * slot holds the start message of an accepted task (as JSON, its module by
 * digest), 2 * slot + 1 the result of an ended one (as JSON). A task that had not ended is started
 * anew; a result is sent until acknowledged.
 *
 * Rules: 1. Only tasks with an epoch are kept: their manager sends again what we did not get.
 *        2. A record that cannot be read is forgotten, and said so.
 *        3. A restarted worker does not know how long it was away, so what may have been given to
 *           another (policy stop or park) waits for its lease to be renewed.
 */
#include "agent/state.h"

static bool put(struct agent *a, uint16_t key, const struct wire_table *table, const void *message)
{
	uint32_t bytes = (uint32_t)wire_write(table, message, 0, NULL, 0);
	struct agent_action *action;
	char *text;

	if (a->out->count == AGENT_ACTIONS_MAX || (text = agent_text_room(a, bytes)) == NULL) {
		a->again = true;
		return false;
	}
	action = agent_act(a, AGENT_ACTION_JOURNAL_PUT);
	wire_write(table, message, 0, text, bytes);
	action->journal.key = key;
	action->journal.record = text;
	action->journal.bytes = bytes;
	return true;
}

bool agent_journal_accept(struct agent *a, struct task *t, const struct wire_start *m)
{
	const struct module *module = &a->modules[t->module];
	struct wire_start record = *m;

	record.seen &=
		~(WIRE_BIT(start, file) | WIRE_BIT(start, proplet_id) | WIRE_BIT(start, state) |
		  WIRE_BIT(start, connection) | WIRE_BIT(start, uptime_ms)); /* of this life */
	if (module->has_digest && !module->image) {
		memcpy(record.module.digest.sha256, module->digest, AGENT_DIGEST_BYTES);
		record.module.size = module->size;
		record.module.seen = WIRE_BIT(module, digest) | WIRE_BIT(module, size);
		record.seen |= WIRE_BIT(start, module);
		record.seen &= ~WIRE_BIT(start, image_url);
	}
	CHECK(put(a, (uint16_t)(2 * agent_task_slot(a, t)), &wire_table_start, &record), false);
	t->journaled = true;
	return true;
}

static bool forget(struct agent *a, uint16_t key)
{
	struct agent_action *action = agent_act(a, AGENT_ACTION_JOURNAL_DELETE);

	CHECK(action != NULL, false);
	action->journal.key = key;
	return true;
}

bool agent_journal_result(struct agent *a, struct task *t)
{
	uint16_t key = (uint16_t)(2 * agent_task_slot(a, t));
	struct wire_any result = {t->result != NULL ? t->result : "", t->result_bytes, false};
	struct wire_results m = {0};

	WIRE_SET_STR(&m, results, task_id, t->id);
	WIRE_SET(&m, results, results, result);
	WIRE_SET_STR(&m, results, error, t->report);
	WIRE_SET(&m, results, epoch, (int64_t)t->epoch);
	WIRE_SET(&m, results, reason, t->reason);
	WIRE_SET(&m, results, fuel, (int64_t)t->fuel_used);
	WIRE_SET(&m, results, duration_ms, t->duration_ms);
	WIRE_SET(&m, results, memory_bytes, t->memory_peak);
	WIRE_SET(&m, results, stack_bytes, t->stack_peak);
	WIRE_SET(&m, results, exit_code, t->exit_code);
	if (t->native) {
		WIRE_SET_STR(&m, results, engine, "native");
	}
	if (wire_write(&wire_table_results, &m, 0, NULL, 0) > a->out->text_bytes) {
		return true; /* too long to keep, and to send: report.c says so */
	}
	CHECK(a->out->count + 2 <= AGENT_ACTIONS_MAX, false);
	CHECK(put(a, key + 1, &wire_table_results, &m), false);
	return forget(a, key);
}

void agent_journal_forget(struct agent *a, struct task *t)
{
	t->clear_due = t->clear_due || t->journaled;
	t->journaled = false;
}

void agent_journal_emit(struct agent *a)
{
	for (uint32_t i = 0; i < a->limits.tasks_max; i++) {
		struct task *t = &a->tasks[i];

		if (!t->clear_due) {
			continue;
		}
		if (a->out->count + 2 > AGENT_ACTIONS_MAX) {
			a->again = true;
			return;
		}
		t->clear_due = !(forget(a, (uint16_t)(2 * i)) && forget(a, (uint16_t)(2 * i + 1)));
	}
}

/* ---- after a restart */

static bool read(struct agent *a, const struct agent_event *e, const struct wire_table *table)
{
	struct inbox *in = &a->inbox;

	if (wire_read_all(&in->reader, table, &in->m, a->message_arena, a->limits.message_bytes,
			  e->journal.record, e->journal.bytes) == WIRE_DONE) {
		return true;
	}
	agent_act_log(a, AGENT_LOG_ERROR, "journal: %s", in->reader.diag);
	return false;
}

/* A record that there is no room for now must not meet the slot's next task. The manager learns from
 * the alive message that the task is not here. */
static void lost(struct agent *a, struct task *t, const char *id)
{
	agent_act_log(a, AGENT_LOG_ERROR, "journal: no room for task %s: it is given up", id);
	agent_journal_forget(a, t);
}

static void on_start(struct agent *a, struct task *t, const struct agent_event *e)
{
	if (t->state != AGENT_TASK_FREE) {
		return; /* its result came first */
	}
	if (!read(a, e, &wire_table_start)) {
		t->clear_due = true;
		return;
	}
	a->inbox.module = NONE;
	a->inbox.problem[0] = 0;
	memset(t, 0, sizeof(*t));
	t->module = NONE;
	t->journaled = true;
	if (!agent_start_new(a, t, &a->inbox.m.start)) {
		lost(a, t, a->inbox.m.start.id.at);
		return;
	}
	t->unsure = t->lease_ms != 0 && t->policy != WIRE_POLICY_KEEP;
}

static char *keep(struct agent *a, const char *text, uint32_t bytes)
{
	char *at = bytes > 0 ? pool_alloc(&a->pool, bytes + 1) : NULL;

	if (at != NULL) {
		memcpy(at, text, bytes);
		at[bytes] = 0;
	}
	return at;
}

/* A task that has ended already: what is left is to deliver its result. */
static void restore(struct agent *a, struct task *t, const struct wire_results *m)
{
	struct wire_start start = {.id = m->task_id, .name = wire_text_of("-"), .epoch = m->epoch};

	if (t->state != AGENT_TASK_FREE) {
		t->journaled = false; /* its start's record goes with the result's */
		agent_task_forget(a, t);
	}
	memset(t, 0, sizeof(*t));
	t->module = NONE;
	t->journaled = true;
	start.seen = WIRE_BIT(start, id) | WIRE_BIT(start, name) | WIRE_BIT(start, epoch);
	if (!agent_task_make(a, t, &start)) {
		lost(a, t, m->task_id.at);
		return;
	}
	agent_task_set(a, t, AGENT_TASK_ENDED);
	t->report = keep(a, m->error.at, m->error.bytes);
	t->result = keep(a, m->results.at, m->results.bytes);
	t->result_bytes = t->result != NULL ? m->results.bytes : 0;
	t->reason = m->reason;
	t->fuel_used = (uint64_t)m->fuel;
	t->duration_ms = (uint32_t)m->duration_ms;
	t->memory_peak = (uint32_t)m->memory_bytes;
	t->stack_peak = (uint32_t)m->stack_bytes;
	t->exit_code = (int32_t)m->exit_code;
	t->native = WIRE_HAS(m, results, engine) && wire_text_is(m->engine, "native");
}

/* The message is read into a block of the pool: it may be longer than any that we receive. */
static void on_result(struct agent *a, struct task *t, const struct agent_event *e)
{
	struct wire_results m;
	char *arena = pool_alloc(&a->pool, e->journal.bytes + 64);

	if (arena == NULL ||
	    wire_read_all(&a->inbox.reader, &wire_table_results, &m, arena, e->journal.bytes + 64,
			  e->journal.record, e->journal.bytes) != WIRE_DONE) {
		agent_act_log(a, AGENT_LOG_ERROR, "journal: a result cannot be read");
	} else {
		restore(a, t, &m);
	}
	pool_free(&a->pool, arena);
}

void agent_journal_event(struct agent *a, const struct agent_event *e)
{
	struct task *t;

	if (e->kind == AGENT_EVENT_JOURNAL_END) {
		a->booted = true;
		return;
	}
	if (a->booted || e->journal.key / 2 >= a->limits.tasks_max) {
		return;
	}
	t = &a->tasks[e->journal.key / 2];
	if (e->journal.key % 2 == 0) {
		on_start(a, t, e);
	} else {
		on_result(a, t, e);
	}
}
