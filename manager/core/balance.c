/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Balance: a node that came back, or came anew, takes a part of what crowded ones run.
 *
 *   returned --quiet for SETTLE heartbeats--> pulls one task after the other --nothing gains--> as any other
 *
 * Only what may begin anew elsewhere moves: idempotent tasks, daemons and latent ones that are not pinned. The task
 * is stopped where it runs, and placed when its node has confirmed that, so it never runs twice.
 *
 * Rules: 1. A move gains at least GAIN points of placement: more than one task's worth, so none is worth its way back.
 *        2. A moved task rests for RESTS leases, ten minutes at least.
 *        3. Tasks that wait for a node come first; one move each EVERY_MS in the whole fleet.
 *        4. Of a node's tasks the one begun last moves: it loses least.
 * Bounds: one pass over nodes and their tasks, each EVERY_MS at most.
 */
#include "manager/core/internal.h"

#define SETTLE      10 /* heartbeats */
#define GAIN        150
#define RESTS       10
#define REST_MS_MIN 600000u
#define EVERY_MS    1000

static uint64_t rest_ms(const struct manager_task *t)
{
	return BASE_MAX((uint64_t)t->lease_ms * RESTS, REST_MS_MIN);
}

static bool may_move(const struct manager *m, const struct manager_task *t)
{
	return (t->idempotent || t->daemon || t->latent) && t->phase == MANAGER_PHASE_RUNNING &&
	       !t->is_broadcast && t->need.pin_hash == 0 && !group_failing(m, t) &&
	       (t->balanced_ms == 0 || m->now_ms - t->balanced_ms >= rest_ms(t));
}

/* The task that began last of those that may move; NULL when there is none, or one moves already. */
static struct manager_task *youngest(const struct manager *m, const struct manager_node *n)
{
	struct manager_task *best = NULL;

	for (uint32_t i = n->tasks; i != MANAGER_NONE; i = m->tasks[i].node_next) {
		struct manager_task *t = &m->tasks[i];

		if (t->phase == MANAGER_PHASE_EVICTING) {
			return NULL;
		}
		if (may_move(m, t) && (best == NULL || t->sent_ms > best->sent_ms)) {
			best = t;
		}
	}
	return best;
}

/* How much better t is placed on to than on from, where it runs; 0 or less when it does not fit. */
static int32_t gain(const struct manager *m, const struct manager_task *t,
		    const struct manager_node *from, const struct manager_node *to)
{
	struct placement_node without = from->fit;
	struct placement_reason there, here;

	placement_judge(&t->need, &to->fit, node_idx(m, to), &there);
	if (there.verdict != PLACEMENT_FITS) {
		return 0;
	}
	without.running--;
	without.reserved = 0;
	without.free_bytes =
		BASE_MIN(without.free_bytes + t->need.memory_bytes, without.pool_bytes);
	placement_judge(&t->need, &without, node_idx(m, from), &here);
	return here.verdict == PLACEMENT_FITS ? there.score - here.score : 0;
}

static void move(struct manager *m, struct manager_task *t, struct manager_node *from)
{
	m->counts.balanced++;
	t->balanced_ms = m->now_ms;
	act_note(m, MANAGER_NOTE_TASK_BALANCED, t, from);
	task_move(m, t, MANAGER_PHASE_EVICTING);
	task_store(m, t, NULL);
	task_send_stop(m, t);
}

void balance_rest(struct manager *m, struct manager_task *t)
{
	t->balanced_ms = m->now_ms;
}

void balance_returned(struct manager *m, struct manager_node *n)
{
	n->returned = true;
	n->returned_ms = m->now_ms;
}

void balance_pull(struct manager *m, struct manager_node *to)
{
	struct manager_task *best = NULL;
	int32_t best_gain = GAIN - 1;

	if (!to->returned || to->fit.draining || !to->fit.alive || !to->ours ||
	    m->now_ms - to->returned_ms < (uint64_t)to->heartbeat_ms * SETTLE ||
	    m->now_ms < m->balance_after_ms || m->counts.tasks_queued != 0) {
		return;
	}
	m->balance_after_ms = m->now_ms + EVERY_MS;
	for (uint32_t i = 0; i < m->nodes_high; i++) {
		struct manager_node *n = &m->nodes[i];
		struct manager_task *t = n->fit.used && n->fit.alive && n->ours && n != to &&
							 n->fit.running > to->fit.running + 1
						 ? youngest(m, n)
						 : NULL;
		int32_t g = t != NULL ? gain(m, t, n, to) : 0;

		if (g > best_gain) {
			best = t;
			best_gain = g;
		}
	}
	if (best != NULL) {
		move(m, best, node_of(m, best));
	} else {
		to->returned = false;
	}
}
