/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Broadcast tasks: assigned to every node that is alive at the start, over when all of those
 * have reported or died.
 *
 * Owns: a table of bit maps; word 0 of a slot counts the bits that are set.
 */
#include "manager/core/internal.h"

#define LOST_PER_WORK 2 /* nodes whose loss is told at once; the others when there is room again */

static uint64_t *slot(const struct manager *m, uint32_t i)
{
	return &m->broadcasts[(size_t)i * (1 + m->broadcast_words)];
}

static uint32_t free_slot(const struct manager *m)
{
	for (uint32_t i = 0; i < m->limits.broadcasts_max; i++) {
		if (slot(m, i)[0] == 0) {
			return i;
		}
	}
	return MANAGER_NONE;
}

static uint64_t fill(const struct manager *m, const struct manager_task *t, uint64_t *bits)
{
	uint64_t count = 0;

	memset(bits, 0, m->broadcast_words * sizeof(bits[0]));
	for (uint32_t i = 0; i < m->nodes_high; i++) {
		const struct manager_node *n = &m->nodes[i];

		if (n->fit.used && n->fit.alive && !n->fit.draining) {
			bits[i / 64] |= 1ull << (i % 64);
			count++;
		}
	}
	return count;
}

bool broadcast_start(struct manager *m, struct manager_task *t)
{
	uint32_t i = free_slot(m);
	struct manager_action *a;
	uint64_t count;

	if (i == MANAGER_NONE) {
		t->why = (struct placement_reason){.verdict = PLACEMENT_SLOTS};
		t->why_count = 1;
		return false;
	}
	count = fill(m, t, slot(m, i) + 1);
	if (count == 0) {
		t->why = (struct placement_reason){.verdict = PLACEMENT_DEAD};
		t->why_count = 0;
		return false;
	}
	slot(m, i)[0] = count;
	t->broadcast = i;
	t->parts_failed = 0;
	task_move(m, t, MANAGER_PHASE_ASSIGNED);
	task_move(m, t, MANAGER_PHASE_RUNNING);
	t->state = MANAGER_RUNNING;
	t->epoch++;
	t->sent_ms = m->now_ms;
	t->stops = 0;
	timer_task(m, t, MANAGER_NEVER);
	m->counts.started++;
	task_store(m, t, NULL);
	a = act(m, MANAGER_ACTION_SEND_START);
	a->task = t;
	a->epoch = t->epoch;
	act_note(m, MANAGER_NOTE_TASK_PHASE, t, NULL);
	return true;
}

bool manager_broadcast_waits(const struct manager *m, const struct manager_task *t, uint32_t node)
{
	return t->broadcast != MANAGER_NONE && node < m->limits.nodes_max &&
	       (slot(m, t->broadcast)[1 + node / 64] >> (node % 64) & 1) != 0;
}

/* Takes a node off the list; false when it was not on it. */
bool broadcast_clear(struct manager *m, struct manager_task *t, uint32_t node)
{
	if (!manager_broadcast_waits(m, t, node)) {
		return false;
	}
	slot(m, t->broadcast)[1 + node / 64] &= ~(1ull << (node % 64));
	slot(m, t->broadcast)[0]--;
	/* A count of zero would mark the slot as free while the task still holds it. */
	return true;
}

bool broadcast_empty(const struct manager *m, const struct manager_task *t)
{
	return t->broadcast == MANAGER_NONE || slot(m, t->broadcast)[0] == 0;
}

void broadcast_free(struct manager *m, struct manager_task *t)
{
	if (t->broadcast != MANAGER_NONE) {
		slot(m, t->broadcast)[0] = 0;
		t->broadcast = MANAGER_NONE;
	}
}

/* Ends a broadcast for which nobody is waited any more; stopped, done, or failed on some nodes. */
void broadcast_end_if_over(struct manager *m, struct manager_task *t)
{
	if (!broadcast_empty(m, t)) {
		return;
	}
	if (t->phase == MANAGER_PHASE_STOPPING) {
		task_end(m, t, MANAGER_INTERRUPTED, MANAGER_REASON_STOPPED, "stopped", false);
	} else if (t->parts_failed == 0) {
		task_end(m, t, MANAGER_COMPLETED, MANAGER_REASON_DONE, NULL, false);
	} else {
		task_end(m, t, MANAGER_FAILED, MANAGER_REASON_OTHER,
			 "it failed on some proplets; the result of each tells why", false);
	}
}

/*
 * A stored broadcast that runs: every node known may have it. Those that have reported are taken off by
 * broadcast_reported, those that do not come back within the time of death by broadcast_due.
 */
void broadcast_restore(struct manager *m, struct manager_task *t)
{
	uint32_t i = free_slot(m);
	uint64_t *bits;

	if (i == MANAGER_NONE) {
		return;
	}
	bits = slot(m, i);
	memset(bits, 0, (1 + m->broadcast_words) * sizeof(bits[0]));
	for (uint32_t n = 0; n < m->nodes_high; n++) {
		if (m->nodes[n].fit.used) {
			bits[1 + n / 64] |= 1ull << (n % 64);
			bits[0]++;
		}
	}
	if (bits[0] != 0) {
		t->broadcast = i;
	}
	timer_task(m, t, m->now_ms + (uint64_t)m->config.heartbeat_ms * (MANAGER_MISSED_DEAD + 1));
}

void broadcast_reported(struct manager *m, const struct manager_event *e)
{
	struct manager_task *t = task_find(m, e->u.reported.task_id);
	struct manager_node *n = node_find(m, e->u.reported.node_id);

	if (t != NULL && n != NULL && broadcast_clear(m, t, node_idx(m, n))) {
		t->parts_failed += !e->u.reported.ok;
		broadcast_end_if_over(m, t);
	}
}

void broadcast_due(struct manager *m, struct manager_task *t)
{
	timer_task(m, t, MANAGER_NEVER);
	for (uint32_t i = 0; i < m->nodes_high; i++) {
		if (!m->nodes[i].fit.alive && m->nodes[i].unseen) {
			broadcast_clear(m, t, i);
		}
	}
	broadcast_end_if_over(m, t);
}

/* Takes nodes that have died off the list, each with a part that tells so. */
void broadcast_evaluate(struct manager *m, struct manager_task *t)
{
	uint32_t told = 0;

	for (uint32_t i = 0; i < m->nodes_high; i++) {
		struct manager_action *a;

		if (m->nodes[i].fit.alive || m->nodes[i].unseen ||
		    !manager_broadcast_waits(m, t, i)) {
			continue;
		}
		if (told++ == LOST_PER_WORK) {
			work_push(m, t);
			return;
		}
		broadcast_clear(m, t, i);
		t->parts_failed++;
		a = act(m, MANAGER_ACTION_STORE_PART);
		a->task = t;
		a->node = &m->nodes[i];
		a->epoch = t->epoch;
		a->text = "lost: the worker went away before it had reported";
	}
	broadcast_end_if_over(m, t);
}

/* Whether a broadcast waits for the node. */
bool broadcast_any(const struct manager *m, uint32_t node)
{
	for (uint32_t i = 0; i < m->limits.broadcasts_max; i++) {
		if (slot(m, i)[0] != 0 && (slot(m, i)[1 + node / 64] >> (node % 64) & 1) != 0) {
			return true;
		}
	}
	return false;
}

void broadcast_node_dead(struct manager *m, uint32_t node)
{
	bool any = broadcast_any(m, node);

	for (uint32_t i = 0; any && i < m->tasks_high; i++) {
		struct manager_task *t = &m->tasks[i];

		if (t->used && !t->forget && manager_broadcast_waits(m, t, node)) {
			work_push(m, t);
		}
	}
}
