/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results: what a worker says about the end of a task.
 *
 * Rules: 1. A result is taken once for each (task, epoch), from the node that was assigned.
 *        2. Every result with an epoch is acknowledged, also one that is late or unknown, so that
 *           the worker can forget it; but only after what it changes is stored.
 */
#include "manager/core/internal.h"

#define REFUSALS_MAX 4
#define BUSIES_MAX   20  /* then a node without a free slot is a refusal as any other */
#define ROOM_TRIES   6   /* of a node that we think empty */
#define BUSY_WAIT_MS 100 /* doubled each time, up to 6.4 seconds */

static void acknowledge(struct manager *m, const struct manager_event *e,
			const struct manager_node *n)
{
	struct manager_action *a;

	if (e->u.result.epoch == 0 || n == NULL) {
		return;
	}
	a = act(m, MANAGER_ACTION_SEND_ACK);
	a->task_id = e->u.result.task_id;
	a->node = n;
	a->epoch = e->u.result.epoch;
}

static void avoid(struct manager_task *t)
{
	t->need.avoid[t->refusals % PLACEMENT_AVOID_MAX] = t->node;
	t->refusals++;
}

/* Whether some node could run it, now or when others have ended there. */
static bool may_fit(const struct manager *m, const struct manager_task *t)
{
	struct placement_choice c;

	placement_choose(&t->need, &m->nodes[0].fit, sizeof(struct manager_node), m->nodes_high,
			 t->order, &c);
	return c.node != PLACEMENT_NONE ||
	       c.counts[PLACEMENT_MEMORY] + c.counts[PLACEMENT_SLOTS] != 0;
}

/* The node has no block as large as the task turned out to need: placement knows that from now on,
 * and the task waits for room as any other. True if that is what it was refused for. Not of a node
 * that has nothing else to run: that is still_holds. */
static bool refused_for_room(struct manager *m, struct manager_task *t,
			     const struct manager_event *e)
{
	uint32_t need = e->u.result.need_bytes, before = t->need.memory_bytes;

	if (need <= e->u.result.have_bytes || t->node == MANAGER_NONE ||
	    m->nodes[t->node].fit.running <= 1) {
		return false;
	}
	t->need.memory_bytes = BASE_MAX(before, need);
	bool fits = may_fit(m, t);
	t->need.memory_bytes = before; /* as it was promised to the node */
	if (fits) {
		task_requeue_larger(m, t, need, e->u.result.have_bytes);
	}
	return fits;
}

/* The node has nothing else to run that we know of, and all of its pool would do: what ended there
 * may lie in it until its result is delivered. */
static bool still_holds(const struct manager *m, const struct manager_task *t,
			const struct manager_event *e)
{
	return e->u.result.need_bytes > e->u.result.have_bytes && t->node != MANAGER_NONE &&
	       m->nodes[t->node].fit.running <= 1 &&
	       e->u.result.need_bytes <= m->nodes[t->node].fit.pool_bytes;
}

static void refused(struct manager *m, struct manager_task *t, const struct manager_event *e)
{
	struct placement_choice c;

	if ((e->u.result.busy && t->busies < BUSIES_MAX) ||
	    (still_holds(m, t, e) && t->busies < ROOM_TRIES)) {
		/* Results that it could not deliver yet take slots that we think are free. */
		task_postpone(m, t, (uint64_t)BUSY_WAIT_MS << BASE_MIN(t->busies, 6));
		t->busies++;
		return;
	}
	if (refused_for_room(m, t, e)) {
		return;
	}
	avoid(t);
	placement_choose(&t->need, &m->nodes[0].fit, sizeof(struct manager_node), m->nodes_high,
			 t->order, &c);
	if (t->refusals < REFUSALS_MAX && c.node != PLACEMENT_NONE) {
		task_requeue(m, t);
	} else {
		task_end(m, t, MANAGER_FAILED, MANAGER_REASON_REFUSED, NULL, true);
	}
}

static void failed(struct manager *m, struct manager_task *t, const struct manager_event *e)
{
	enum manager_reason reason = e->u.result.reason;

	if (t->phase == MANAGER_PHASE_STOPPING) {
		task_end(m, t, MANAGER_INTERRUPTED, MANAGER_REASON_STOPPED, NULL, true);
		return;
	}
	if (t->phase == MANAGER_PHASE_EVICTING &&
	    (reason == MANAGER_REASON_STOPPED || reason == MANAGER_REASON_PREEMPTED ||
	     reason == MANAGER_REASON_OTHER)) {
		task_requeue(m, t);
		return;
	}
	switch (reason) {
	case MANAGER_REASON_REFUSED:
		refused(m, t, e);
		break;
	case MANAGER_REASON_STOPPED:
	case MANAGER_REASON_PREEMPTED:
	case MANAGER_REASON_LOST:
		task_lost(m, t, NULL, true);
		break;
	default:
		if (!task_restart(m, t, true)) {
			task_end(m, t, MANAGER_FAILED, reason, NULL, true);
		}
		break;
	}
}

/* Propeller's workers report a daemon or latent task as done when it has only begun. */
static bool only_begun(const struct manager_task *t, const struct manager_event *e)
{
	return e->u.result.ok && e->u.result.empty && (t->daemon || t->latent) &&
	       e->u.result.epoch == 0 && t->phase != MANAGER_PHASE_STOPPING;
}

static uint32_t any_embedded(const struct manager *m, const struct manager_task *t)
{
	for (uint32_t i = 0; i < m->nodes_high; i++) {
		if (m->nodes[i].embedded && manager_broadcast_waits(m, t, i)) {
			return i;
		}
	}
	return MANAGER_NONE;
}

static void broadcast_result(struct manager *m, struct manager_task *t,
			     const struct manager_node *n, const struct manager_event *e)
{
	uint32_t i = n != NULL ? node_idx(m, n) : any_embedded(m, t);
	struct manager_action *a;

	if (only_begun(t, e) || (t->broadcast != MANAGER_NONE && !broadcast_clear(m, t, i))) {
		return;
	}
	t->parts_failed += !e->u.result.ok;
	a = act(m, MANAGER_ACTION_STORE_PART);
	a->task = t;
	a->node = n;
	a->epoch = t->epoch;
	broadcast_end_if_over(m, t);
}

/* The result comes from another node or another epoch than the one that counts. */
static bool is_foreign(struct manager *m, const struct manager_task *t,
		       const struct manager_node *n, const struct manager_event *e)
{
	if (!phase_is_assigned(t->phase)) {
		return true;
	}
	if (e->u.result.epoch != 0 && e->u.result.epoch != t->epoch) {
		return true;
	}
	return !t->is_broadcast && e->u.result.node_id != NULL &&
	       (n == NULL || node_idx(m, n) != t->node);
}

static void refuse_late(struct manager *m, struct manager_task *t, const struct manager_node *n,
			const struct manager_event *e)
{
	bool late = e->u.result.epoch != 0 && e->u.result.epoch < t->epoch;

	m->counts.late += late;
	act_note(m, late ? MANAGER_NOTE_RESULT_LATE : MANAGER_NOTE_RESULT_FOREIGN, t, n);
	acknowledge(m, e, n);
}

void result_take(struct manager *m, const struct manager_event *e)
{
	struct manager_node *n =
		e->u.result.node_id != NULL ? node_find(m, e->u.result.node_id) : NULL;
	struct manager_task *t = task_find(m, e->u.result.task_id);

	if (t == NULL) {
		acknowledge(m, e, n);
	} else if (is_foreign(m, t, n, e)) {
		refuse_late(m, t, n, e);
	} else if (t->is_broadcast) {
		broadcast_result(m, t, n, e);
		acknowledge(m, e, n);
	} else if (only_begun(t, e)) {
		task_seen(m, t);
	} else {
		if (e->u.result.ok) {
			task_end(m, t, MANAGER_COMPLETED, MANAGER_REASON_DONE, NULL, true);
		} else {
			failed(m, t, e);
		}
		acknowledge(m, e, n);
	}
}
