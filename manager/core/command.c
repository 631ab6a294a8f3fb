/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands about one task: add, depend, schedule, start, stop, drop, invoke.
 *
 * Out: an ANSWER for each command that carries a request, after the STORE actions it caused.
 */
#include "manager/core/internal.h"

static void start_workflow(struct manager *m, struct manager_task *t, struct manager_group *g,
			   uint64_t request)
{
	group_start(m, g);
	act_answer(m, request, group_blocked(m, t) ? MANAGER_ANSWER_UNMET : MANAGER_ANSWER_OK, t);
}

static void start(struct manager *m, const struct manager_event *e)
{
	struct manager_task *t = task_find(m, e->u.task.id);
	struct manager_group *g;

	if (t == NULL) {
		act_answer(m, e->request, MANAGER_ANSWER_NOT_FOUND, NULL);
		return;
	}
	g = t->group != MANAGER_NONE ? &m->groups[t->group] : NULL;
	if (t->phase == MANAGER_PHASE_BLOCKED) {
		act_answer(m, e->request, MANAGER_ANSWER_UNMET, t);
	} else if (t->phase != MANAGER_PHASE_IDLE && t->phase != MANAGER_PHASE_DONE) {
		act_answer(m, e->request, MANAGER_ANSWER_RUNNING, t);
	} else if (g != NULL && g->kind == MANAGER_GROUP_WORKFLOW && g->open == 0) {
		start_workflow(m, t, g, e->request);
	} else {
		act_answer(m, e->request, task_start(m, t, e->u.task.queue), t);
		if (g != NULL) {
			group_close_if_over(m, g);
		} else if (!t->wanted) {
			task_bury(m, t);
		}
	}
}

static void stop(struct manager *m, const struct manager_event *e)
{
	struct manager_task *t = task_find(m, e->u.task.id);
	bool rests;

	if (t == NULL) {
		act_answer(m, e->request, MANAGER_ANSWER_NOT_FOUND, NULL);
		return;
	}
	rests = t->phase == MANAGER_PHASE_IDLE || t->phase == MANAGER_PHASE_DONE;
	task_stop(m, t);
	act_answer(m, e->request, rests ? MANAGER_ANSWER_NOT_RUNNING : MANAGER_ANSWER_OK, t);
}

/* The task's row is being deleted: it leaves its node, and the core unless a group needs it. */
static void drop(struct manager *m, const struct manager_event *e)
{
	struct manager_task *t = task_find(m, e->u.task.id);

	act_answer(m, e->request, t != NULL ? MANAGER_ANSWER_OK : MANAGER_ANSWER_NOT_FOUND, NULL);
	if (t == NULL) {
		return;
	}
	t->next_run_ms = 0;
	if (phase_is_assigned(t->phase)) {
		task_send_stop(m, t);
	}
	if (t->phase != MANAGER_PHASE_IDLE && t->phase != MANAGER_PHASE_DONE) {
		task_end(m, t, MANAGER_INTERRUPTED, MANAGER_REASON_STOPPED, "deleted", false);
	} else {
		task_bury(m, t);
	}
}

static void invoke(struct manager *m, const struct manager_event *e)
{
	struct manager_task *t = task_find(m, e->u.task.id);
	struct manager_action *a;
	struct manager_node *n;

	if (t == NULL || !t->latent || !phase_is_assigned(t->phase)) {
		act_answer(m, e->request,
			   t == NULL ? MANAGER_ANSWER_NOT_FOUND : MANAGER_ANSWER_NOT_LATENT, t);
		return;
	}
	n = node_of(m, t);
	for (uint32_t i = 0; t->is_broadcast && n == NULL && i < m->nodes_high; i++) {
		uint32_t at = (uint32_t)((i + e->request) % m->nodes_high);

		if (m->nodes[at].fit.used && m->nodes[at].fit.alive) {
			n = &m->nodes[at];
		}
	}
	if (n == NULL || !n->fit.alive) {
		act_answer(m, e->request, MANAGER_ANSWER_NO_NODE, t);
		return;
	}
	a = act(m, MANAGER_ACTION_SEND_INVOKE);
	a->task = t;
	a->node = n;
	a->epoch = t->epoch;
	a->request = e->request;
}

static void schedule(struct manager *m, const struct manager_event *e)
{
	struct manager_task *t = task_find(m, e->u.task.id);

	if (t == NULL) {
		return;
	}
	t->next_run_ms = e->u.task.next_run_ms;
	if (t->phase == MANAGER_PHASE_IDLE || t->phase == MANAGER_PHASE_DONE) {
		int64_t wait = t->next_run_ms - m->wall_ms;

		timer_task(m, t,
			   t->next_run_ms == 0 ? MANAGER_NEVER
					       : m->now_ms + (uint64_t)BASE_MAX(wait, 0));
		task_bury(m, t);
	}
}

static void depend(struct manager *m, const struct manager_event *e)
{
	struct manager_task *t = task_find(m, e->u.depend.task_id);
	struct manager_task *on = task_find(m, e->u.depend.on_id);
	bool ok = t != NULL && on != NULL && edge_add(m, t, on);

	act_answer(m, e->request, ok ? MANAGER_ANSWER_OK : MANAGER_ANSWER_FULL, t);
}

static void add(struct manager *m, const struct manager_event *e)
{
	struct manager_task *t = task_find(m, e->u.add.spec.id);

	t = t != NULL ? t : task_add(m, e);
	act_answer(m, e->request, t != NULL ? MANAGER_ANSWER_OK : MANAGER_ANSWER_FULL, t);
}

void command_step(struct manager *m, const struct manager_event *e)
{
	switch (e->kind) {
	case MANAGER_EVENT_TASK_ADD:
		add(m, e);
		break;
	case MANAGER_EVENT_TASK_DEPEND:
		depend(m, e);
		break;
	case MANAGER_EVENT_TASK_REPORTED:
		broadcast_reported(m, e);
		break;
	case MANAGER_EVENT_TASK_SCHEDULE:
		schedule(m, e);
		break;
	case MANAGER_EVENT_TASK_SEND:
		task_send(m, e);
		break;
	case MANAGER_EVENT_TASK_START:
		start(m, e);
		break;
	case MANAGER_EVENT_TASK_STOP:
		stop(m, e);
		break;
	case MANAGER_EVENT_TASK_DROP:
		drop(m, e);
		break;
	default:
		invoke(m, e);
		break;
	}
}
