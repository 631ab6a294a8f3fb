/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks that wait for a node: a list for each priority, first come first served within one.
 *
 * When a node gains room, the queue is searched for what fits that node (queue_place_on). When the
 * search ends early, a sweep walks the whole queue a few tasks at a time.
 *
 * Rules: 1. in_queue == the task's phase is QUEUED.
 *        2. What needs as much as another task that found nothing in this sweep is not tried: a long queue of
 *           like tasks before a full fleet costs one search.
 * Bounds: QUEUE_LOOK tasks per node that gains room; SWEEP_JUDGEMENTS per step; a sweep that took long is
 *         followed by a pause of a hundred times as long, more or less.
 */
#include "manager/core/internal.h"

#define QUEUE_LOOK       256
#define SWEEP_JUDGEMENTS 65536
#define SWEEP_EVERY_MS   500  /* at most */
#define SWEEP_PAUSE      1000 /* judgements for which the next sweep waits one millisecond longer */
#define VICTIMS_MAX      4

void queue_add(struct manager *m, struct manager_task *t)
{
	uint32_t i = task_idx(m, t), p = t->priority;

	ASSERT(!t->in_queue);
	t->in_queue = true;
	t->queue_next = MANAGER_NONE;
	t->queue_prev = m->queue_last[p];
	if (t->queue_prev != MANAGER_NONE) {
		m->tasks[t->queue_prev].queue_next = i;
	} else {
		m->queue_first[p] = i;
	}
	m->queue_last[p] = i;
	m->queue_bits[p / 64] |= 1ull << (p % 64);
	m->counts.tasks_queued++;
}

static int priority_below(const struct manager *m, int p)
{
	for (p--; p >= 0; p--) {
		if ((m->queue_bits[p / 64] >> (p % 64) & 1) != 0) {
			return p;
		}
	}
	return -1;
}

/* The task after t in the order of placement; the first one for NULL. */
static uint32_t queue_after(const struct manager *m, const struct manager_task *t)
{
	int p;

	if (t != NULL && t->queue_next != MANAGER_NONE) {
		return t->queue_next;
	}
	p = priority_below(m, t != NULL ? t->priority : MANAGER_PRIORITY_MAX + 1);
	return p >= 0 ? m->queue_first[p] : MANAGER_NONE;
}

void queue_remove(struct manager *m, struct manager_task *t)
{
	uint32_t p = t->priority;

	ASSERT(t->in_queue);
	if (m->sweep == task_idx(m, t)) {
		m->sweep = queue_after(m, t);
	}
	if (t->queue_prev != MANAGER_NONE) {
		m->tasks[t->queue_prev].queue_next = t->queue_next;
	} else {
		m->queue_first[p] = t->queue_next;
	}
	if (t->queue_next != MANAGER_NONE) {
		m->tasks[t->queue_next].queue_prev = t->queue_prev;
	} else {
		m->queue_last[p] = t->queue_prev;
	}
	if (m->queue_first[p] == MANAGER_NONE) {
		m->queue_bits[p / 64] &= ~(1ull << (p % 64));
	}
	t->in_queue = false;
	m->counts.tasks_queued--;
}

/* The verdict to show for a task that fits nowhere: the one that comes closest to fitting. */
static void explain(struct manager_task *t, const struct placement_choice *c)
{
	t->why = (struct placement_reason){.verdict = PLACEMENT_DEAD};
	t->why_count = 0;
	for (uint32_t v = 1; v < PLACEMENT_VERDICT_COUNT; v++) {
		if (c->counts[v] != 0 && v != PLACEMENT_PINNED) {
			t->why.verdict = (enum placement_verdict)v;
			t->why_count = c->counts[v];
		}
	}
}

static bool may_evict(const struct manager *m, const struct manager_task *t,
		      const struct manager_task *victim)
{
	return (victim->phase == MANAGER_PHASE_RUNNING ||
		victim->phase == MANAGER_PHASE_ASSIGNED) &&
	       victim->priority + m->config.preempt_gap <= t->priority;
}

/* The lowest-priority task of a node that t may push out; NULL when there is none. */
static struct manager_task *victim_of(struct manager *m, const struct manager_node *n,
				      const struct manager_task *t)
{
	struct manager_task *best = NULL;

	for (uint32_t i = n->tasks; i != MANAGER_NONE; i = m->tasks[i].node_next) {
		struct manager_task *v = &m->tasks[i];

		if (may_evict(m, t, v) &&
		    (best == NULL || v->priority < best->priority ||
		     (v->priority == best->priority && v->order > best->order))) {
			best = v;
		}
	}
	return best;
}

/* True when n would hold t without its lower-priority tasks, and nobody is being evicted yet. */
static bool eviction_helps(struct manager *m, const struct manager_node *n,
			   const struct manager_task *t)
{
	struct placement_node without = n->fit;
	struct placement_reason r;
	uint32_t freed = 0;

	for (uint32_t i = n->tasks; i != MANAGER_NONE; i = m->tasks[i].node_next) {
		const struct manager_task *v = &m->tasks[i];

		if (v->phase == MANAGER_PHASE_EVICTING) {
			return false;
		}
		if (may_evict(m, t, v)) {
			without.running--;
			freed += v->need.memory_bytes;
		}
	}
	without.free_bytes = BASE_MIN(without.free_bytes + freed, without.pool_bytes);
	placement_judge(&t->need, &without, node_idx(m, n), &r);
	return without.running != n->fit.running && r.verdict == PLACEMENT_FITS;
}

void queue_unreserve(struct manager *m, struct manager_task *t)
{
	if (t->reserves != MANAGER_NONE) {
		m->nodes[t->reserves].fit.reserved = 0;
		t->reserves = MANAGER_NONE;
	}
}

static void evict(struct manager *m, struct manager_node *n, struct manager_task *t)
{
	uint32_t freed = n->fit.free_bytes;

	n->fit.reserved = t->priority;
	t->reserves = node_idx(m, n);

	for (int i = 0; i < VICTIMS_MAX; i++) {
		struct manager_task *v = victim_of(m, n, t);

		if (v == NULL || (i > 0 && freed >= t->need.memory_bytes)) {
			return;
		}
		freed += v->need.memory_bytes;
		m->counts.preempted++;
		act_note(m, MANAGER_NOTE_TASK_PREEMPTED, v, n);
		task_move(m, v, MANAGER_PHASE_EVICTING);
		task_send_stop(m, v);
	}
}

static bool is_evicting(const struct manager *m, const struct manager_node *n)
{
	for (uint32_t i = n->tasks; n->fit.alive && i != MANAGER_NONE; i = m->tasks[i].node_next) {
		if (m->tasks[i].phase == MANAGER_PHASE_EVICTING) {
			return true;
		}
	}
	return false;
}

/* Pushes lower priorities out of one node when that makes room for t, which stays queued. */
static void preempt(struct manager *m, struct manager_task *t)
{
	struct manager_node *best = NULL;
	struct manager_task *least = NULL;

	if (t->reserves != MANAGER_NONE && !is_evicting(m, &m->nodes[t->reserves])) {
		queue_unreserve(m, t); /* it came to nothing there */
	}
	if (t->priority < m->config.preempt_gap || t->reserves != MANAGER_NONE) {
		return;
	}
	for (uint32_t i = 0; i < m->nodes_high; i++) {
		struct manager_node *n = &m->nodes[i];
		struct manager_task *v = n->fit.used && n->tasks != MANAGER_NONE && n->fit.alive
						 ? victim_of(m, n, t)
						 : NULL;

		if (v != NULL && (least == NULL || v->priority < least->priority) &&
		    eviction_helps(m, n, t)) {
			best = n;
			least = v;
		}
	}
	if (best != NULL) {
		evict(m, best, t);
	}
}

bool queue_place(struct manager *m, struct manager_task *t)
{
	struct placement_choice c;

	if (t->is_broadcast) {
		return broadcast_start(m, t);
	}
	placement_choose(&t->need, &m->nodes[0].fit, sizeof(struct manager_node), m->nodes_high,
			 m->config.seed + t->order, &c);
	if (c.node != PLACEMENT_NONE) {
		task_assign(m, t, &m->nodes[c.node]);
		return true;
	}
	explain(t, &c);
	if (c.counts[PLACEMENT_SLOTS] != 0 || c.counts[PLACEMENT_MEMORY] != 0) {
		preempt(m, t);
	}
	return false;
}

void queue_place_on(struct manager *m, struct manager_node *n)
{
	uint32_t next = queue_after(m, NULL);

	for (int looked = 0; next != MANAGER_NONE; looked++) {
		struct manager_task *t = &m->tasks[next];
		struct placement_reason r;

		if (looked == QUEUE_LOOK ||
		    m->out->count + 2 * ACTIONS_PER_WORK > MANAGER_ACTIONS_MAX) {
			m->sweep_wanted = true;
			return;
		}
		next = queue_after(m, t);
		if (t->in_work) {
			continue; /* all nodes are about to be compared for it */
		}
		placement_judge(&t->need, &n->fit, node_idx(m, n), &r);
		if (t->is_broadcast) {
			(void)broadcast_start(m, t);
		} else if (r.verdict == PLACEMENT_FITS) {
			task_assign(m, t, n);
		} else if (r.verdict == PLACEMENT_SLOTS || r.verdict == PLACEMENT_DEAD ||
			   r.verdict == PLACEMENT_RESERVED || r.verdict == PLACEMENT_DRAINING) {
			return;
		}
	}
}

/* Whether whoever does not find room for b finds none for a either; a's priority is not higher. */
static bool asks_as_much(const struct placement_need *a, const struct placement_need *b)
{
	return a->pin_hash == b->pin_hash && a->requires_count == b->requires_count &&
	       memcmp(a->requires, b->requires, a->requires_count * sizeof(a->requires[0])) == 0 &&
	       memcmp(a->avoid, b->avoid, sizeof(a->avoid)) == 0 &&
	       a->memory_bytes >= b->memory_bytes && a->flash_bytes >= b->flash_bytes &&
	       a->battery_percent_min >= b->battery_percent_min && a->mains >= b->mains;
}

static const struct swept *swept_before(const struct manager *m, const struct manager_task *t)
{
	for (uint32_t i = 0; i < m->swept_count && !t->is_broadcast; i++) {
		if (asks_as_much(&t->need, &m->swept[i].need)) {
			return &m->swept[i];
		}
	}
	return NULL;
}

static void sweep_begin(struct manager *m)
{
	m->sweep_wanted = false;
	m->sweep_after_ms = m->now_ms + SWEEP_EVERY_MS;
	m->sweep_judged = 0;
	m->swept_count = 0;
	m->sweep = queue_after(m, NULL);
}

static uint32_t sweep_one(struct manager *m, struct manager_task *t)
{
	const struct swept *before = swept_before(m, t);

	if (before != NULL) {
		t->why = before->why;
		t->why_count = before->why_count;
		return 1;
	}
	if (!queue_place(m, t) && !t->is_broadcast && m->swept_count < SWEPT_MAX) {
		m->swept[m->swept_count++] = (struct swept){t->need, t->why, t->why_count};
	}
	return m->nodes_high + 1;
}

bool queue_sweep(struct manager *m)
{
	uint32_t judged = 0;

	if (m->sweep == MANAGER_NONE && m->sweep_wanted && m->now_ms >= m->sweep_after_ms) {
		sweep_begin(m);
	}
	while (m->sweep != MANAGER_NONE) {
		struct manager_task *t = &m->tasks[m->sweep];

		if (judged > SWEEP_JUDGEMENTS ||
		    m->out->count + 2 * ACTIONS_PER_WORK > MANAGER_ACTIONS_MAX) {
			m->sweep_judged += judged;
			return false;
		}
		m->sweep = queue_after(m, t);
		judged += sweep_one(m, t);
	}
	m->sweep_judged += judged;
	m->sweep_after_ms = BASE_MAX(m->sweep_after_ms, m->now_ms + m->sweep_judged / SWEEP_PAUSE);
	m->sweep_judged = 0;
	return true;
}
