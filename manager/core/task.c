/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of one task.
 *
 *   (ORPHANED --back, never listed--> ASSIGNED; --back, listed--> RUNNING)
 *
 *   IDLE --start--> BLOCKED --dependencies ended--> QUEUED --placed--> ASSIGNED --listed--> RUNNING
 *                                                     ^                   |                    |
 *                              restart, BACKOFF ------+---- refused ------+--- node silent --> ORPHANED
 *                                                     +---- lease over ------------------------+
 *   ASSIGNED, RUNNING --stop--> STOPPING --result--> DONE;  --preempted--> EVICTING --> QUEUED
 *
 * Rules: 1. Every move is one of MANAGER_PHASE_LIST's.
 *        2. A task has a node exactly while it is assigned (a broadcast has a bit map instead).
 *        3. What is stored comes before what is sent.
 */
#include "manager/core/internal.h"

#define STOPS_MAX   3  /* then the task ends without the node's word */
#define LOSSES_MAX  5  /* nodes that may lose one run */
#define LEASE_SLACK 10 /* 1/10 of the lease is added before it counts as over */

static const uint16_t moves[] = {
#define P(name)           (1u << MANAGER_PHASE_##name)
#define X(name, word, to) to,
	MANAGER_PHASE_LIST(X)
#undef X
#undef P
};

void task_move(struct manager *m, struct manager_task *t, enum manager_phase phase)
{
	ASSERT((moves[t->phase] >> phase & 1) != 0);
	if (t->in_queue) {
		queue_remove(m, t);
	}
	queue_unreserve(m, t);
	group_task_moved(m, t, (enum manager_phase)t->phase, phase);
	t->phase = (uint8_t)phase;
	if (phase == MANAGER_PHASE_QUEUED) {
		queue_add(m, t);
	}
}

struct manager_task *task_find(struct manager *m, const char *id)
{
	uint32_t i = index_find(&m->task_index, id);

	return i != MANAGER_NONE ? &m->tasks[i] : NULL;
}

static struct manager_task *task_slot(struct manager *m)
{
	struct manager_task *t;

	if (m->tasks_free != MANAGER_NONE) {
		t = &m->tasks[m->tasks_free];
		m->tasks_free = t->queue_next;
		return t;
	}
	return m->tasks_high < m->limits.tasks_max ? &m->tasks[m->tasks_high++] : NULL;
}

static void task_init(struct manager *m, struct manager_task *t, const struct manager_task_spec *s)
{
	*t = (struct manager_task){
		.need = s->need,
		.due_ms = MANAGER_NEVER,
		.order = ++m->order,
		.next_run_ms = s->next_run_ms,
		.node = MANAGER_NONE,
		.group = MANAGER_NONE,
		.lease_ms = s->lease_ms,
		.restart_attempts = s->restart_attempts,
		.restart_interval_ms = s->restart_interval_ms,
		.restart_backoff_ms = s->restart_backoff_ms,
		.deps = MANAGER_NONE,
		.dependents = MANAGER_NONE,
		.broadcast = MANAGER_NONE,
		.reserves = MANAGER_NONE,
		.priority = (uint8_t)BASE_MIN(s->priority, MANAGER_PRIORITY_MAX),
		.policy = (uint8_t)s->policy,
		.run_if = (uint8_t)s->run_if,
		.is_broadcast = s->broadcast,
		.daemon = s->daemon,
		.latent = s->latent,
		.idempotent = s->idempotent,
		.queue = s->queue,
		.used = true,
	};
	for (int i = 0; i < PLACEMENT_AVOID_MAX; i++) {
		t->need.avoid[i] = PLACEMENT_NONE;
	}
	t->need.priority = t->priority;
	manager_id_copy(t->id, sizeof(t->id), s->id);
}

static void task_arm(struct manager *m, struct manager_task *t)
{
	int64_t wait = t->next_run_ms - m->wall_ms;

	if (t->next_run_ms == 0) {
		timer_task(m, t, MANAGER_NEVER);
	} else {
		timer_task(m, t, m->now_ms + (uint64_t)BASE_MAX(wait, 0));
	}
}

/* Takes up a stored assignment: the node is thought to run it until it says otherwise. */
static void restore_assigned(struct manager *m, struct manager_task *t, const char *node_id,
			     enum manager_phase phase)
{
	struct manager_node *n = node_id != NULL ? node_find(m, node_id) : NULL;

	if (n == NULL) {
		t->phase = MANAGER_PHASE_QUEUED;
		t->state = MANAGER_PENDING;
		queue_add(m, t);
		m->sweep_wanted = true;
		return;
	}
	t->phase = (uint8_t)phase;
	node_list_add(m, n, t);
	t->sent_ms = m->now_ms;
	t->lease_end_ms = m->now_ms + t->lease_ms + t->lease_ms / LEASE_SLACK;
	balance_rest(m, t);
	if (phase == MANAGER_PHASE_STOPPING || phase == MANAGER_PHASE_EVICTING) {
		timer_task(m, t, m->now_ms);
	}
}

static void task_restore(struct manager *m, struct manager_task *t, const struct manager_event *e)
{
	enum manager_phase phase = e->u.add.phase;

	t->epoch = e->u.add.epoch;
	t->state = (uint8_t)e->u.add.state;
	if (t->is_broadcast && phase_is_assigned((uint8_t)phase)) {
		t->phase = (uint8_t)phase;
		broadcast_restore(m, t);
	} else if (phase_is_assigned((uint8_t)phase)) {
		restore_assigned(m, t, e->u.add.node_id, phase);
	} else if (phase == MANAGER_PHASE_QUEUED || phase == MANAGER_PHASE_BACKOFF) {
		t->phase = MANAGER_PHASE_QUEUED;
		queue_add(m, t);
		m->sweep_wanted = true;
	} else {
		t->phase = (uint8_t)phase;
		work_push(m, t);
	}
}

struct manager_task *task_add(struct manager *m, const struct manager_event *e)
{
	struct manager_group *g =
		e->u.add.group_id != NULL ? group_find(m, e->u.add.group_id) : NULL;
	struct manager_task *t = task_slot(m);

	if (t == NULL) {
		return NULL;
	}
	task_init(m, t, &e->u.add.spec);
	index_insert(&m->task_index, task_idx(m, t));
	m->counts.tasks_live++;
	if (g != NULL) {
		group_add_task(m, g, t);
	}
	if (e->u.add.phase != MANAGER_PHASE_IDLE) {
		task_restore(m, t, e);
		group_task_moved(m, t, MANAGER_PHASE_IDLE, (enum manager_phase)t->phase);
		group_want(m, t, t->phase != MANAGER_PHASE_DONE);
	}
	if (!phase_is_assigned(t->phase)) {
		task_arm(m, t);
	}
	return t;
}

/* Nothing in the core needs the task any more: no group, no schedule. */
void task_bury(struct manager *m, struct manager_task *t)
{
	if (t->forget || t->group != MANAGER_NONE || t->next_run_ms != 0) {
		return;
	}
	timer_task(m, t, MANAGER_NEVER);
	index_remove(&m->task_index, task_idx(m, t));
	m->counts.tasks_live--;
	t->forget = true;
	t->queue_next = m->graveyard;
	m->graveyard = task_idx(m, t);
}

void task_free_buried(struct manager *m)
{
	uint32_t keep = MANAGER_NONE;

	while (m->graveyard != MANAGER_NONE) {
		uint32_t i = m->graveyard;
		struct manager_task *t = &m->tasks[i];

		m->graveyard = t->queue_next;
		if (t->in_work) {
			t->queue_next = keep;
			keep = i;
		} else {
			t->used = false;
			t->queue_next = m->tasks_free;
			m->tasks_free = i;
		}
	}
	m->graveyard = keep;
}

void task_store(struct manager *m, struct manager_task *t, const char *error)
{
	struct manager_action *a = act(m, MANAGER_ACTION_STORE_TASK);

	a->task = t;
	a->node = node_of(m, t);
	a->epoch = t->epoch;
	a->text = error;
}

void task_release(struct manager *m, struct manager_task *t)
{
	struct manager_node *n = node_of(m, t);

	if (n == NULL) {
		return;
	}
	node_list_remove(m, n, t);
	if (n->fit.pool_bytes != 0) {
		n->fit.free_bytes =
			BASE_MIN(n->fit.free_bytes + t->need.memory_bytes, n->fit.pool_bytes);
	}
}

/* What an assigned task frees may be what another waits for. */
static void reuse(struct manager *m, struct manager_node *n)
{
	if (n != NULL && n->fit.alive && (m->queue_bits[0] | m->queue_bits[1]) != 0) {
		queue_place_on(m, n);
	}
}

void task_end(struct manager *m, struct manager_task *t, enum manager_state state,
	      enum manager_reason reason, const char *error, bool with_result)
{
	struct manager_node *n = node_of(m, t);
	struct manager_action *a;

	task_move(m, t, MANAGER_PHASE_DONE);
	t->state = (uint8_t)state;
	a = act(m, with_result ? MANAGER_ACTION_STORE_RESULT : MANAGER_ACTION_STORE_TASK);
	a->task = t;
	a->node = n;
	a->epoch = t->epoch;
	a->reason = reason;
	a->text = error;
	task_release(m, t);
	broadcast_free(m, t);
	group_want(m, t, false);
	m->counts.ended++;
	act_note(m, MANAGER_NOTE_TASK_PHASE, t, n);
	if (t->next_run_ms != 0 && t->next_run_ms <= m->wall_ms) {
		/* Due again while it ran: that run is skipped. */
		act(m, MANAGER_ACTION_SCHEDULE)->task = t;
	} else {
		task_arm(m, t);
	}
	group_task_ended(m, t);
	task_bury(m, t);
	reuse(m, n);
}

void task_grant(struct manager *m, struct manager_task *t, const struct manager_node *n)
{
	uint64_t from = n->has_uptime ? n->uptime_at_ms : m->now_ms;

	t->lease_end_ms = BASE_MAX(t->lease_end_ms, from + t->lease_ms + t->lease_ms / LEASE_SLACK);
}

static void send_start(struct manager *m, struct manager_task *t, struct manager_node *n)
{
	struct manager_action *a = act(m, MANAGER_ACTION_SEND_START);

	a->task = t;
	a->node = n;
	a->epoch = t->epoch;
	t->sent_ms = m->now_ms;
	task_grant(m, t, n);
}

void task_assign(struct manager *m, struct manager_task *t, struct manager_node *n)
{
	task_move(m, t, MANAGER_PHASE_ASSIGNED);
	t->state = MANAGER_RUNNING;
	t->epoch++;
	t->stops = 0;
	t->missing = 0;
	t->seen = false;
	t->lease_end_ms = 0;
	node_list_add(m, n, t);
	n->fit.free_bytes -= BASE_MIN(n->fit.free_bytes, t->need.memory_bytes);
	placement_node_cache(&n->fit, t->need.module_hash);
	timer_task(m, t, MANAGER_NEVER);
	m->counts.started++;
	task_store(m, t, NULL);
	send_start(m, t, n);
	act_note(m, MANAGER_NOTE_TASK_PHASE, t, n);
}

/* Back to the queue for another assignment; other nodes than those that refused are tried. */
void task_requeue(struct manager *m, struct manager_task *t)
{
	task_requeue_larger(m, t, 0, UINT32_MAX);
}

void task_requeue_larger(struct manager *m, struct manager_task *t, uint32_t need_bytes,
			 uint32_t have_bytes)
{
	struct manager_node *n = node_of(m, t);

	task_release(m, t);
	t->need.memory_bytes = BASE_MAX(t->need.memory_bytes, need_bytes);
	if (n != NULL) {
		n->fit.free_bytes = BASE_MIN(n->fit.free_bytes, have_bytes);
	}
	t->state = MANAGER_PENDING;
	task_move(m, t, MANAGER_PHASE_QUEUED);
	timer_task(m, t, MANAGER_NEVER);
	task_store(m, t, NULL);
	act_note(m, MANAGER_NOTE_TASK_PHASE, t, n);
	work_push(m, t); /* it may go anywhere: what becomes free is for others first */
	reuse(m, n);
}

/* The task is placed again after a while. */
void task_postpone(struct manager *m, struct manager_task *t, uint64_t wait_ms)
{
	task_release(m, t);
	task_move(m, t, MANAGER_PHASE_BACKOFF);
	t->state = MANAGER_PENDING;
	timer_task(m, t, m->now_ms + wait_ms);
	task_store(m, t, NULL);
	act_note(m, MANAGER_NOTE_TASK_PHASE, t, NULL);
}

/* Starts a run again by its restart policy; false when there is none or it is used up. */
bool task_restart(struct manager *m, struct manager_task *t, bool with_result)
{
	uint64_t wait = t->restart_backoff_ms;

	if (t->restart_interval_ms != 0 &&
	    m->now_ms - t->restart_since_ms > t->restart_interval_ms) {
		t->restarts = 0;
	}
	if (t->restarts >= t->restart_attempts || t->is_broadcast) {
		return false;
	}
	t->restart_since_ms = t->restarts == 0 ? m->now_ms : t->restart_since_ms;
	wait <<= BASE_MIN(t->restarts, 6u);
	t->restarts++;
	task_release(m, t);
	task_move(m, t, MANAGER_PHASE_BACKOFF);
	t->state = MANAGER_PENDING;
	timer_task(m, t, m->now_ms + wait);
	act(m, with_result ? MANAGER_ACTION_STORE_RESULT : MANAGER_ACTION_STORE_TASK)->task = t;
	m->out->list[m->out->count - 1].epoch = t->epoch;
	act_note(m, MANAGER_NOTE_TASK_PHASE, t, NULL);
	return true;
}

/* The node no longer runs the task and cannot say how it ended. */
void task_lost(struct manager *m, struct manager_task *t, const char *error, bool with_result)
{
	struct manager_node *n = node_of(m, t);
	bool again = t->idempotent || t->daemon || t->latent || (n != NULL && n->ours);

	if (t->phase == MANAGER_PHASE_STOPPING) {
		task_end(m, t, MANAGER_INTERRUPTED, MANAGER_REASON_STOPPED, error, with_result);
	} else if (again && t->losses < LOSSES_MAX) {
		t->losses++;
		m->counts.reassigned++;
		act_note(m, MANAGER_NOTE_TASK_REASSIGNED, t, n);
		if (n != NULL && n->ours && !with_result) {
			/* A start may still be on its way there; the stop comes behind it. */
			task_send_stop(m, t);
		}
		task_requeue(m, t);
	} else if (!task_restart(m, t, with_result)) {
		task_end(m, t, MANAGER_FAILED, MANAGER_REASON_LOST, error, with_result);
	}
}

void task_send_stop(struct manager *m, struct manager_task *t)
{
	struct manager_action *a = act(m, MANAGER_ACTION_SEND_STOP);

	a->task = t;
	a->task_id = t->id;
	a->node = node_of(m, t);
	a->epoch = t->epoch;
	t->sent_ms = m->now_ms;
	t->stops++;
	timer_task(m, t, m->now_ms + m->config.stop_wait_ms);
}

/* Takes a task from a node that may still run it; the node is told, should it come back. */
static void task_reassign(struct manager *m, struct manager_task *t)
{
	struct manager_node *n = node_of(m, t);

	m->counts.reassigned++;
	act_note(m, MANAGER_NOTE_TASK_REASSIGNED, t, n);
	if (t->phase != MANAGER_PHASE_ORPHANED && t->phase != MANAGER_PHASE_EVICTING) {
		task_move(m, t, MANAGER_PHASE_ORPHANED);
	}
	task_send_stop(m, t);
	task_requeue(m, t);
}

static bool lease_ends(const struct manager_task *t, const struct manager_node *n)
{
	return n->ours && t->lease_ms != 0 && t->policy != MANAGER_POLICY_KEEP;
}

void task_lost_contact(struct manager *m, struct manager_task *t)
{
	struct manager_node *n = node_of(m, t);

	if (t->phase == MANAGER_PHASE_STOPPING) {
		task_end(m, t, MANAGER_INTERRUPTED, MANAGER_REASON_STOPPED,
			 "stopped while its node was out of contact", false);
	} else if (t->idempotent || (lease_ends(t, n) && m->now_ms >= t->lease_end_ms)) {
		task_reassign(m, t);
	} else {
		if (t->phase != MANAGER_PHASE_ORPHANED) {
			task_move(m, t, MANAGER_PHASE_ORPHANED);
			task_store(m, t, NULL);
			act_note(m, MANAGER_NOTE_TASK_PHASE, t, n);
		}
		timer_task(m, t, lease_ends(t, n) ? t->lease_end_ms : MANAGER_NEVER);
	}
}

/* The node says that it runs the task, or is back and has not said otherwise. */
void task_seen(struct manager *m, struct manager_task *t)
{
	t->missing = 0;
	t->seen = true;
	if (t->phase == MANAGER_PHASE_ASSIGNED || t->phase == MANAGER_PHASE_ORPHANED) {
		bool back = t->phase == MANAGER_PHASE_ORPHANED;

		task_move(m, t, MANAGER_PHASE_RUNNING);
		timer_task(m, t, MANAGER_NEVER);
		if (back) {
			task_store(m, t, NULL);
			act_note(m, MANAGER_NOTE_TASK_PHASE, t, node_of(m, t));
		}
	}
}

/* The start was not sent when it was to be, since its image was not ready. */
void task_send(struct manager *m, const struct manager_event *e)
{
	struct manager_task *t = task_find(m, e->u.task.id);
	struct manager_node *n = t != NULL ? node_of(m, t) : NULL;

	if (n != NULL && t->phase == MANAGER_PHASE_ASSIGNED && t->epoch == e->u.task.epoch) {
		t->missing = 0;
		send_start(m, t, n);
	}
}

/* The node lists what it runs, and this task is not in the list. One that never was may still be on its
 * way there: the start is repeated, or the answer to the stop behind it waited for. */
void task_unseen(struct manager *m, struct manager_task *t)
{
	if (m->now_ms - t->sent_ms < m->config.start_wait_ms || ++t->missing < 2) {
		return;
	}
	t->missing = 0;
	if (t->seen) {
		task_lost(m, t, "lost: the node no longer runs the task", false);
		return;
	}
	if (t->phase == MANAGER_PHASE_ORPHANED) {
		task_move(m, t, MANAGER_PHASE_ASSIGNED);
		task_store(m, t, NULL);
		timer_task(m, t, MANAGER_NEVER);
	} else if (t->phase != MANAGER_PHASE_ASSIGNED) {
		return;
	}
	send_start(m, t, node_of(m, t));
	act_note(m, MANAGER_NOTE_START_REPEATED, t, node_of(m, t));
}

static bool may_wait_for(const struct manager *m, const struct manager_task *t, bool may_wait)
{
	return may_wait || t->queue || m->config.queue ||
	       (t->why_count != 0 && placement_verdict_transient(t->why.verdict));
}

enum manager_answer task_start(struct manager *m, struct manager_task *t, bool may_wait)
{
	uint8_t before = t->phase;

	group_want(m, t, true);
	t->restarts = t->refusals = t->losses = t->busies = 0;
	for (int i = 0; i < PLACEMENT_AVOID_MAX; i++) {
		t->need.avoid[i] = PLACEMENT_NONE;
	}
	if (group_blocked(m, t)) {
		if (before != MANAGER_PHASE_BLOCKED) {
			task_move(m, t, MANAGER_PHASE_BLOCKED);
			t->state = MANAGER_PENDING;
			task_store(m, t, NULL);
		}
		return MANAGER_ANSWER_UNMET;
	}
	task_move(m, t, MANAGER_PHASE_QUEUED);
	if (queue_place(m, t)) {
		return MANAGER_ANSWER_OK;
	}
	if (may_wait_for(m, t, may_wait) || before == MANAGER_PHASE_BLOCKED) {
		t->state = MANAGER_PENDING;
		task_store(m, t, NULL);
		return MANAGER_ANSWER_QUEUED;
	}
	group_want(m, t, false);
	task_move(m, t, before == MANAGER_PHASE_DONE ? MANAGER_PHASE_DONE : MANAGER_PHASE_IDLE);
	return m->counts.nodes_alive == 0 ? MANAGER_ANSWER_NO_NODE : MANAGER_ANSWER_NO_FIT;
}

void task_stop(struct manager *m, struct manager_task *t)
{
	switch (t->phase) {
	case MANAGER_PHASE_ASSIGNED:
	case MANAGER_PHASE_RUNNING:
	case MANAGER_PHASE_EVICTING:
		task_move(m, t, MANAGER_PHASE_STOPPING);
		task_store(m, t, NULL);
		task_send_stop(m, t);
		break;
	case MANAGER_PHASE_ORPHANED:
		task_send_stop(m, t);
		task_end(m, t, MANAGER_INTERRUPTED, MANAGER_REASON_STOPPED,
			 "stopped while its node was out of contact", false);
		break;
	case MANAGER_PHASE_BLOCKED:
	case MANAGER_PHASE_QUEUED:
	case MANAGER_PHASE_BACKOFF:
		task_end(m, t, MANAGER_INTERRUPTED, MANAGER_REASON_STOPPED, "stopped", false);
		break;
	default:
		break;
	}
}

/* A stop went unanswered. */
static void stop_due(struct manager *m, struct manager_task *t)
{
	if (t->stops < STOPS_MAX) {
		task_send_stop(m, t);
	} else if (t->phase == MANAGER_PHASE_EVICTING) {
		t->stops = 0;
		task_send_stop(m, t);
	} else {
		task_end(m, t, MANAGER_INTERRUPTED, MANAGER_REASON_STOPPED,
			 "stopped: the node did not confirm it", false);
	}
}

static void schedule_due(struct manager *m, struct manager_task *t)
{
	t->next_run_ms = 0;
	timer_task(m, t, MANAGER_NEVER);
	act(m, MANAGER_ACTION_SCHEDULE)->task = t;
	if (t->phase == MANAGER_PHASE_IDLE || t->phase == MANAGER_PHASE_DONE) {
		(void)task_start(m, t, true);
	}
}

void task_due(struct manager *m, struct manager_task *t)
{
	switch (t->phase) {
	case MANAGER_PHASE_STOPPING:
	case MANAGER_PHASE_EVICTING:
		stop_due(m, t);
		break;
	case MANAGER_PHASE_ORPHANED:
		task_lost_contact(m, t);
		break;
	case MANAGER_PHASE_BACKOFF:
		task_requeue(m, t);
		break;
	default:
		if (t->is_broadcast && phase_is_assigned(t->phase)) {
			broadcast_due(m, t);
		} else if (t->next_run_ms != 0) {
			schedule_due(m, t);
		} else {
			timer_task(m, t, MANAGER_NEVER);
		}
		break;
	}
}

static bool must_leave(const struct manager *m, const struct manager_task *t,
		       const struct manager_node *n)
{
	return n->fit.draining &&
	       (t->daemon || t->latent ||
		(n->drain_deadline_ms != 0 && m->now_ms >= n->drain_deadline_ms));
}

static void evaluate_assigned(struct manager *m, struct manager_task *t, struct manager_node *n)
{
	bool runs = t->phase == MANAGER_PHASE_ASSIGNED || t->phase == MANAGER_PHASE_RUNNING;

	if (group_failing(m, t)) {
		task_stop(m, t);
	} else if (!n->fit.alive && !n->awaited &&
		   (t->phase != MANAGER_PHASE_ORPHANED || t->due_ms == MANAGER_NEVER)) {
		task_lost_contact(m, t);
	} else if (n->fit.alive && t->phase == MANAGER_PHASE_ORPHANED && !n->ours) {
		task_seen(m, t);
	} else if (runs && must_leave(m, t, n)) {
		task_move(m, t, MANAGER_PHASE_EVICTING);
		task_store(m, t, NULL);
		task_send_stop(m, t);
	}
}

void task_evaluate(struct manager *m, struct manager_task *t)
{
	struct manager_node *n = node_of(m, t);

	if (t->broadcast != MANAGER_NONE) {
		broadcast_evaluate(m, t);
	}
	if (t->forget) {
		return;
	}
	if (t->phase == MANAGER_PHASE_QUEUED && !group_failing(m, t)) {
		(void)queue_place(m, t);
	} else if (t->gone && n != NULL) {
		task_lost(m, t, "lost: the worker restarted", false);
	} else if (n != NULL) {
		evaluate_assigned(m, t, n);
	} else {
		group_evaluate(m, t);
	}
	t->gone = false;
}
