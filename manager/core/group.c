/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs and workflows: tasks that wait for each other.
 *
 * A group is live from its start until none of its tasks is wanted any more; then its tasks leave
 * the core together.
 *
 * Rules: 1. A task runs when all it depends on has ended and its run_if holds; otherwise it is
 *           skipped, which releases those that depend on it in turn.
 *        2. A sequential job has at most one task that is not waiting for others.
 *        3. A failure in a job stops the job, unless a task of it waits for that failure.
 */
#include "manager/core/internal.h"

struct manager_group *group_find(struct manager *m, const char *id)
{
	uint32_t i = index_find(&m->group_index, id);

	return i != MANAGER_NONE ? &m->groups[i] : NULL;
}

static struct manager_group *group_of(const struct manager *m, const struct manager_task *t)
{
	return t->group != MANAGER_NONE ? &m->groups[t->group] : NULL;
}

static struct manager_group *group_new(struct manager *m, const struct manager_event *e)
{
	struct manager_group *g;

	if (m->groups_free != MANAGER_NONE) {
		g = &m->groups[m->groups_free];
		m->groups_free = g->first;
	} else if (m->groups_high < m->limits.groups_max) {
		g = &m->groups[m->groups_high++];
	} else {
		return NULL;
	}
	*g = (struct manager_group){
		.first = MANAGER_NONE,
		.last = MANAGER_NONE,
		.kind = (uint8_t)e->u.group.kind,
		.mode = (uint8_t)e->u.group.mode,
		.used = true,
		.loading = true,
	};
	manager_id_copy(g->id, sizeof(g->id), e->u.group.id);
	index_insert(&m->group_index, (uint32_t)(g - m->groups));
	m->counts.groups++;
	return g;
}

void group_add_task(struct manager *m, struct manager_group *g, struct manager_task *t)
{
	uint32_t i = task_idx(m, t);

	t->group = (uint32_t)(g - m->groups);
	t->group_next = MANAGER_NONE;
	if (g->last != MANAGER_NONE) {
		m->tasks[g->last].group_next = i;
	} else {
		g->first = i;
	}
	g->last = i;
	g->count++;
}

static uint32_t edge_new(struct manager *m, uint32_t task, uint32_t next)
{
	uint32_t i = m->edges_free;

	if (i != MANAGER_NONE) {
		m->edges_free = m->edges[i].next;
	} else if (m->edges_high < m->limits.edges_max * 2) {
		i = m->edges_high++;
	} else {
		return MANAGER_NONE;
	}
	m->edges[i] = (struct edge){task, next};
	return i;
}

static void edges_free(struct manager *m, uint32_t *list)
{
	while (*list != MANAGER_NONE) {
		uint32_t i = *list;

		*list = m->edges[i].next;
		m->edges[i].next = m->edges_free;
		m->edges_free = i;
	}
}

bool edge_add(struct manager *m, struct manager_task *t, struct manager_task *on)
{
	uint32_t a = edge_new(m, task_idx(m, on), t->deps);
	uint32_t b;

	if (a == MANAGER_NONE) {
		return false;
	}
	t->deps = a;
	b = edge_new(m, task_idx(m, t), on->dependents);
	if (b == MANAGER_NONE) {
		t->deps = m->edges[a].next;
		m->edges[a].next = m->edges_free;
		m->edges_free = a;
		return false;
	}
	on->dependents = b;
	return true;
}

static bool deps_ended(const struct manager *m, const struct manager_task *t)
{
	for (uint32_t i = t->deps; i != MANAGER_NONE; i = m->edges[i].next) {
		if (m->tasks[m->edges[i].task].phase != MANAGER_PHASE_DONE) {
			return false;
		}
	}
	return true;
}

static bool is_sequential(const struct manager_group *g)
{
	return g->kind == MANAGER_GROUP_JOB && g->mode == MANAGER_JOB_SEQUENTIAL;
}

bool group_blocked(const struct manager *m, const struct manager_task *t)
{
	const struct manager_group *g = group_of(m, t);

	if (g == NULL) {
		return false;
	}
	if (g->loading || (is_sequential(g) && g->active > 0)) {
		return true;
	}
	return !deps_ended(m, t);
}

bool group_failing(const struct manager *m, const struct manager_task *t)
{
	return t->group != MANAGER_NONE && m->groups[t->group].failing;
}

static bool is_active(enum manager_phase p)
{
	return p != MANAGER_PHASE_IDLE && p != MANAGER_PHASE_BLOCKED && p != MANAGER_PHASE_DONE;
}

void group_task_moved(struct manager *m, struct manager_task *t, enum manager_phase from,
		      enum manager_phase to)
{
	if (t->group != MANAGER_NONE) {
		m->groups[t->group].active += (uint32_t)is_active(to) - (uint32_t)is_active(from);
	}
}

void group_want(struct manager *m, struct manager_task *t, bool wanted)
{
	if (t->group != MANAGER_NONE && t->wanted != wanted) {
		m->groups[t->group].open += wanted ? 1 : -1u;
	}
	t->wanted = wanted;
}

static bool is_failure(uint8_t state)
{
	return state == MANAGER_FAILED || state == MANAGER_INTERRUPTED;
}

/* run_if, once everything it depends on has ended. */
static bool should_run(const struct manager *m, const struct manager_task *t)
{
	bool all = true, any_failed = false;

	for (uint32_t i = t->deps; i != MANAGER_NONE; i = m->edges[i].next) {
		uint8_t state = m->tasks[m->edges[i].task].state;

		all = all && state == MANAGER_COMPLETED;
		any_failed = any_failed || is_failure(state);
	}
	if (t->deps == MANAGER_NONE) {
		return true;
	}
	return t->run_if == MANAGER_RUN_IF_FAILURE ? any_failed : all;
}

static void skip(struct manager *m, struct manager_task *t, const char *why)
{
	if (t->phase == MANAGER_PHASE_IDLE || t->phase == MANAGER_PHASE_BLOCKED ||
	    t->phase == MANAGER_PHASE_QUEUED || t->phase == MANAGER_PHASE_BACKOFF) {
		task_end(m, t, MANAGER_SKIPPED, MANAGER_REASON_DONE, why, false);
	}
}

void group_evaluate(struct manager *m, struct manager_task *t)
{
	struct manager_group *g = group_of(m, t);

	if (g == NULL || g->loading || !t->wanted || t->phase == MANAGER_PHASE_DONE) {
		return;
	}
	if (g->failing && phase_is_assigned(t->phase)) {
		task_stop(m, t);
	} else if (g->failing) {
		skip(m, t,
		     g->stopping ? "skipped: the job was stopped"
				 : "skipped: another task of the job failed");
	} else if (t->phase != MANAGER_PHASE_IDLE && t->phase != MANAGER_PHASE_BLOCKED) {
		return;
	} else if (!deps_ended(m, t) || should_run(m, t)) {
		(void)task_start(m, t, true);
	} else {
		skip(m, t, "skipped: its run_if does not hold");
	}
}

static void evaluate_all(struct manager *m, struct manager_group *g)
{
	for (uint32_t i = g->first; i != MANAGER_NONE; i = m->tasks[i].group_next) {
		work_push(m, &m->tasks[i]);
	}
}

void group_start(struct manager *m, struct manager_group *g)
{
	g->loading = false;
	g->failing = false;
	g->stopping = false;
	for (uint32_t i = g->first; i != MANAGER_NONE; i = m->tasks[i].group_next) {
		struct manager_task *t = &m->tasks[i];

		if (t->phase == MANAGER_PHASE_DONE) {
			task_move(m, t, MANAGER_PHASE_IDLE);
			t->state = MANAGER_PENDING;
		}
		group_want(m, t, true);
	}
	evaluate_all(m, g);
}

static void group_halt(struct manager *m, struct manager_group *g, bool asked)
{
	g->failing = true;
	g->stopping = asked;
	evaluate_all(m, g);
}

/* The tasks leave the group; those that nothing else needs leave the core. */
void group_close_if_over(struct manager *m, struct manager_group *g)
{
	uint32_t next;

	if (g->open != 0 || g->loading) {
		return;
	}
	for (uint32_t i = g->first; i != MANAGER_NONE; i = next) {
		struct manager_task *t = &m->tasks[i];

		next = t->group_next;
		edges_free(m, &t->deps);
		edges_free(m, &t->dependents);
		t->group = MANAGER_NONE;
		task_bury(m, t);
	}
	index_remove(&m->group_index, (uint32_t)(g - m->groups));
	g->used = false;
	g->first = m->groups_free;
	m->groups_free = (uint32_t)(g - m->groups);
	m->counts.groups--;
}

static bool handles_failure(const struct manager *m, const struct manager_task *t)
{
	for (uint32_t i = t->dependents; i != MANAGER_NONE; i = m->edges[i].next) {
		const struct manager_task *d = &m->tasks[m->edges[i].task];

		if (d->run_if == MANAGER_RUN_IF_FAILURE && d->wanted) {
			return true;
		}
	}
	return false;
}

/* The next task of a sequential job: the first in order that waits for nothing else. */
static void push_next(struct manager *m, struct manager_group *g)
{
	for (uint32_t i = g->first; i != MANAGER_NONE; i = m->tasks[i].group_next) {
		struct manager_task *t = &m->tasks[i];

		if (t->phase == MANAGER_PHASE_BLOCKED && deps_ended(m, t)) {
			work_push(m, t);
			return;
		}
	}
}

void group_task_ended(struct manager *m, struct manager_task *t)
{
	struct manager_group *g = group_of(m, t);

	if (g == NULL) {
		return;
	}
	if (g->kind == MANAGER_GROUP_JOB && is_failure(t->state) && !g->failing &&
	    !handles_failure(m, t)) {
		group_halt(m, g, false);
	}
	if (!is_sequential(g)) {
		for (uint32_t i = t->dependents; i != MANAGER_NONE; i = m->edges[i].next) {
			work_push(m, &m->tasks[m->edges[i].task]);
		}
	} else if (g->active == 0) {
		push_next(m, g);
	}
	group_close_if_over(m, g);
}

void group_step(struct manager *m, const struct manager_event *e)
{
	struct manager_group *g = group_find(m, e->u.group.id);

	if (e->kind == MANAGER_EVENT_GROUP_ADD) {
		g = g != NULL ? g : group_new(m, e);
		act_answer(m, e->request, g != NULL ? MANAGER_ANSWER_OK : MANAGER_ANSWER_FULL,
			   NULL);
		return;
	}
	if (g == NULL) {
		act_answer(m, e->request, MANAGER_ANSWER_NOT_FOUND, NULL);
		return;
	}
	if (e->kind == MANAGER_EVENT_GROUP_READY) {
		g->loading = false;
		act_answer(m, e->request, MANAGER_ANSWER_OK, NULL);
		evaluate_all(m, g);
	} else if (e->kind == MANAGER_EVENT_GROUP_DROP) {
		act_answer(m, e->request, MANAGER_ANSWER_OK, NULL);
		g->loading = g->open != 0;
		group_close_if_over(m, g);
	} else if (e->kind == MANAGER_EVENT_GROUP_STOP) {
		act_answer(m, e->request, MANAGER_ANSWER_OK, NULL);
		group_halt(m, g, true);
	} else if (g->open != 0) {
		act_answer(m, e->request, MANAGER_ANSWER_RUNNING, NULL);
	} else {
		act_answer(m, e->request, MANAGER_ANSWER_OK, NULL);
		group_start(m, g);
		group_close_if_over(m, g);
	}
}
