/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The truth: what has really happened to each task, and the rules that must hold.
 *
 * Rules tested: 1. A task that is not idempotent never runs on a node while another runs it, too.
 *               2. A result is counted once for a (task, epoch), and a task has one result in the end.
 *               3. What was accepted is never lost: it has ended, or waits with a reason.
 *               4. When faults have stopped, everything ends, and nobody keeps anything of it.
 *               5. A worker begins a task once under each epoch (once more after each restart of its own), and
 *                  nobody begins one whose result is stored.
 *               6. A task that is to stay with its worker is not begun again once that one has kept its result.
 *               7. A step of a job or workflow begins only after what it waits for, if that ended as it asks for;
 *                  of a sequential job one step at a time.
 *               8. A task that was moved for balance rests for ten leases; only idempotent ones are moved.
 *               9. Where the scenario says so: a lost worker's task runs elsewhere within move-within.
 */
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	SETTLE = 20 * MINUTE, /* without faults; then everything has ended */
	NO_ROOM = 5 * SECOND  /* a task that is queued for longer finds no worker with room */
};

/* ---- tasks by id: "task-<number>" --------------------------------------------------------------------- */

struct sim_task *truth_task(struct sim_world *w, const char *id, size_t bytes)
{
	unsigned long n;

	if (bytes < 6 || bytes > 20 || memcmp(id, "task-", 5) != 0) {
		return NULL;
	}
	n = strtoul(id + 5, NULL, 10);
	return n < w->task_count ? &w->tasks[n] : NULL;
}

struct sim_task *truth_add(struct sim_world *w)
{
	struct sim_task *t;

	if (w->task_count == w->task_cap) {
		w->task_cap = w->task_cap * 2 + 256;
		w->tasks = realloc(w->tasks, w->task_cap * sizeof(*w->tasks));
	}
	t = &w->tasks[w->task_count];
	memset(t, 0, sizeof(*t));
	snprintf(t->id, sizeof(t->id), "task-%u", w->task_count);
	t->row_node = t->last.node = t->group = UINT32_MAX;
	w->task_count++;
	return t;
}

/* ---- running ------------------------------------------------------------------------------------------ */

static void push(struct sim_list *l, uint64_t ms)
{
	if (l->count == l->cap) {
		l->cap = l->cap * 2 + 256;
		l->ms = realloc(l->ms, l->cap * sizeof(*l->ms));
	}
	l->ms[l->count++] = ms;
}

/* Where a node has the task in its table under that epoch; false if it has not. */
static bool held(const struct sim_world *w, const struct sim_node *n, const struct sim_task *t,
		 uint32_t epoch, struct agent_task_view *v)
{
	for (uint32_t i = 0; n->agent != NULL && i < w->s.slots; i++) {
		if (agent_task_view(n->agent, i, v) && v->epoch == epoch &&
		    strcmp(v->id, t->id) == 0) {
			return true;
		}
	}
	return false;
}

/* Whether that node runs the task, or would with its next slice. */
static bool in_work(const struct sim_world *w, const struct sim_node *n, const struct sim_task *t,
		    uint32_t epoch)
{
	struct agent_task_view v;

	return !n->asleep && held(w, n, t, epoch, &v) && !v.unsure &&
	       (v.state == AGENT_TASK_READY || v.state == AGENT_TASK_RUNNING ||
		v.state == AGENT_TASK_WAITING);
}

/* Rule 1, for every other node that ran it lately. */
static void check_alone(struct sim_world *w, uint32_t node, struct sim_task *t, uint32_t epoch)
{
	for (int i = 0; i < SIM_RUNS_MAX; i++) {
		const struct sim_run *r = &t->runs[i];

		if (r->epoch == 0 || r->node == node ||
		    !in_work(w, &w->nodes[r->node], t, r->epoch)) {
			continue;
		}
		w->stats.double_runs++;
		if (!t->idempotent) {
			world_violation(w, "%s runs on %s (epoch %u) while %s (epoch %u) runs it",
					t->id, w->nodes[node].id, epoch, w->nodes[r->node].id,
					r->epoch);
		}
	}
}

/* Rule 5. Another life of the worker begins what the journal kept again. */
static void check_beginning(struct sim_world *w, uint32_t node, struct sim_task *t, uint32_t epoch)
{
	for (int i = 0; i < SIM_RUNS_MAX; i++) {
		const struct sim_run *r = &t->runs[i];

		if (r->epoch == epoch && r->node == node && r->life == w->nodes[node].life) {
			world_violation(w, "%s begins on %s a second time under epoch %u", t->id,
					w->nodes[node].id, epoch);
		}
	}
	if (t->has_result && !t->idempotent && t->phase == MANAGER_PHASE_DONE) {
		world_violation(w, "%s begins on %s (epoch %u) after its result was stored", t->id,
				w->nodes[node].id, epoch);
	}
}

/* Rule 6. A result that is kept is as good as told, to whoever waits for its worker. */
static void check_kept(struct sim_world *w, uint32_t node, const struct sim_task *t, uint32_t epoch)
{
	if (t->durable && !t->idempotent && t->policy == MANAGER_POLICY_KEEP) {
		world_violation(w, "%s begins on %s (epoch %u) though %s kept its result", t->id,
				w->nodes[node].id, epoch, w->nodes[t->last.node].id);
	}
}

static bool is_failure(uint8_t state)
{
	return state == MANAGER_FAILED || state == MANAGER_INTERRUPTED;
}

/* Whether all that it waits for has ended as it asks for. */
static bool may_begin(const struct sim_world *w, const struct sim_task *t)
{
	bool all = true, any_failed = false;

	for (uint32_t i = 0; i < t->after_count; i++) {
		const struct sim_task *on = &w->tasks[t->after[i]];

		if (on->phase != MANAGER_PHASE_DONE) {
			return false;
		}
		all = all && on->state == MANAGER_COMPLETED;
		any_failed = any_failed || is_failure(on->state);
	}
	return t->after_count == 0 || (t->if_failed ? any_failed : all);
}

/* Rule 7, as the store tells. */
static void check_group(struct sim_world *w, const struct sim_task *t)
{
	const struct sim_group *g = t->group != UINT32_MAX ? &w->groups[t->group] : NULL;

	if (g == NULL) {
		return;
	}
	if (!may_begin(w, t)) {
		world_violation(w, "%s of %s begins before its time", t->id, g->id);
	}
	for (uint32_t i = g->first; g->kind == MANAGER_GROUP_JOB &&
				    g->mode == MANAGER_JOB_SEQUENTIAL && i < g->first + g->count;
	     i++) {
		const struct sim_task *o = &w->tasks[i];

		if (o != t && o->phase != MANAGER_PHASE_IDLE && o->phase != MANAGER_PHASE_BLOCKED &&
		    o->phase != MANAGER_PHASE_DONE) {
			world_violation(w, "%s of %s begins while %s is %s", t->id, g->id, o->id,
					manager_phase_word(o->phase));
		}
	}
}

void truth_balanced(struct sim_world *w, struct sim_task *t)
{
	w->stats.balanced++;
	if (!t->idempotent) {
		world_violation(w, "%s is moved for balance, but must not run twice", t->id);
	}
	if (t->balanced_at != 0 && w->now - t->balanced_at < 10 * w->s.lease) {
		world_violation(w, "%s is moved for balance again after %.1f s", t->id,
				(double)(w->now - t->balanced_at) / 1e3);
	}
	t->balanced_at = w->now;
}

void truth_journal(struct sim_world *w, uint32_t node, const char *record, size_t bytes)
{
	char arena[1024];
	struct wire_reader r;
	struct wire_results m;
	struct sim_task *t;

	if (wire_read_all(&r, &wire_table_results, &m, arena, sizeof(arena), record, bytes) !=
	    WIRE_DONE) {
		world_violation(w, "%s keeps a result that nobody can read: %s", w->nodes[node].id,
				r.diag);
		return;
	}
	t = truth_task(w, m.task_id.at, m.task_id.bytes);
	if (t != NULL) {
		t->durable = t->durable || m.reason == WIRE_REASON_DONE;
	}
}

/* A task of a lost worker runs elsewhere. What was missing meanwhile is told apart. */
static void moved(struct sim_world *w, const struct sim_task *t, const struct sim_node *from)
{
	uint64_t took = w->now - t->lost_at;
	uint64_t most = 3 * world_heartbeat(w, from) + w->s.lease;

	if (w->outage_end > t->lost_at || t->no_room || t->starts > 1) {
		w->stats.moved_held[w->outage_end > t->lost_at ? SIM_HELD_OUTAGE
				    : t->no_room               ? SIM_HELD_ROOM
							       : SIM_HELD_NEXT]++;
		push(&w->stats.lists[SIM_LIST_MOVE_HELD], took);
		return;
	}
	push(&w->stats.lists[from->device ? SIM_LIST_MOVE_DEVICE : SIM_LIST_MOVE], took);
	w->stats.moved_late += took > most;
	if (took > most) {
		world_tell(w, t->id, "late: %.1f s after the end of %s", (double)took / 1e3,
			   from->id);
	}
	if (w->s.move_within != 0 && took > w->s.move_within) {
		world_violation(w, "%s ran elsewhere only %.1f s after the end of %s", t->id,
				(double)took / 1e3, from->id);
	}
}

static void began(struct sim_world *w, uint32_t node, struct sim_task *t, uint32_t epoch)
{
	check_beginning(w, node, t, epoch);
	check_kept(w, node, t, epoch);
	if (t->row_node == node && t->row_epoch == epoch) {
		check_group(w, t);
	}
	if (t->first_run == 0) {
		t->first_run = w->now;
		if (t->group == UINT32_MAX) {
			push(&w->stats.lists[SIM_LIST_WAIT], w->now - t->created);
		}
	}
	if (t->lost_at != 0 && t->last.node != node) {
		if (t->phase != MANAGER_PHASE_DONE) { /* otherwise nobody waits for it */
			moved(w, t, &w->nodes[t->last.node]);
		}
		t->lost_at = 0;
	}
	t->last = (struct sim_run){node, epoch, w->nodes[node].life};
	t->runs[t->run_count++ % SIM_RUNS_MAX] = t->last;
}

void truth_slice(struct sim_world *w, uint32_t node, struct sim_task *t, uint64_t epoch, bool first)
{
	if (first) {
		world_tell(w, t->id, "%s runs it, epoch %u", w->nodes[node].id, (unsigned)epoch);
		began(w, node, t, (uint32_t)epoch);
	}
	if (t->last.node == node && w->nodes[node].online) {
		t->lost_at = 0; /* its worker is back, and goes on */
	}
	check_alone(w, node, t, (uint32_t)epoch);
}

/* Whether a task leaves a dead worker when its lease is over. */
static bool leaves(const struct sim_task *t)
{
	return t->idempotent || t->policy != MANAGER_POLICY_KEEP;
}

static void lost(struct sim_world *w, struct sim_task *t)
{
	t->lost_at = w->now;
	t->queued_at = 0;
	t->no_room = false;
	t->starts = 0;
	if (w->lost_count == w->lost_cap) {
		w->lost_cap = w->lost_cap * 2 + 64;
		w->lost = realloc(w->lost, w->lost_cap * sizeof(*w->lost));
	}
	w->lost[w->lost_count++] = (uint32_t)(t - w->tasks);
}

/* Its clock begins anew when the worker that was to take it over is lost, too. */
static void lost_again(struct sim_world *w, uint32_t node)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < w->lost_count; i++) {
		struct sim_task *t = &w->tasks[w->lost[i]];

		if (t->lost_at != 0 && t->phase != MANAGER_PHASE_DONE) {
			t->lost_at = t->row_node == node ? w->now : t->lost_at;
			w->lost[kept++] = w->lost[i];
		}
	}
	w->lost_count = kept;
}

void truth_node_dead(struct sim_world *w, uint32_t node)
{
	struct sim_node *n = &w->nodes[node];
	struct agent_task_view v;

	lost_again(w, node);

	for (uint32_t i = 0; n->agent != NULL && i < w->s.slots; i++) {
		if (agent_task_view(n->agent, i, &v)) {
			struct sim_task *t = truth_task(w, v.id, strlen(v.id));

			if (t != NULL && t->last.node == node && t->last.epoch == v.epoch &&
			    t->lost_at == 0 && leaves(t) && v.state != AGENT_TASK_ENDED) {
				lost(w, t);
			}
		}
	}
}

void truth_row(struct sim_world *w, struct sim_task *t)
{
	if (t->lost_at == 0) {
		return;
	}
	if (t->phase == MANAGER_PHASE_QUEUED && t->queued_at == 0) {
		t->queued_at = w->now;
	} else if (t->row_node != UINT32_MAX && t->queued_at != 0) {
		t->no_room = t->no_room || w->now - t->queued_at > NO_ROOM;
		t->queued_at = 0;
	}
	if (t->row_node != UINT32_MAX && !w->nodes[t->row_node].online) {
		t->lost_at = w->now; /* to one that is lost, too, which nobody knows yet */
	}
}

/* ---- results ------------------------------------------------------------------------------------------ */

/* The store has taken a result. */
void truth_result(struct sim_world *w, struct sim_task *t, uint64_t epoch, bool ok)
{
	if (t->result_epoch == epoch && t->results_counted != 0) {
		world_violation(w, "%s: a second result of epoch %u was counted", t->id,
				(unsigned)epoch);
	}
	if (t->has_result && epoch < t->result_epoch) {
		world_violation(w, "%s: a result of epoch %u after one of epoch %u", t->id,
				(unsigned)epoch, t->result_epoch);
	}
	t->results_counted++;
	t->result_epoch = (uint32_t)epoch;
	t->has_result = ok || t->has_result;
	if (t->phase == MANAGER_PHASE_DONE) {
		t->ended = w->now;
		if (ok) {
			w->stats.ended_ok++;
		} else {
			w->stats.ended_bad++;
		}
	}
}

/* A step that was not run: its condition does not hold, or its job has failed or was stopped. */
static void check_skipped(struct sim_world *w, const struct sim_task *t)
{
	const struct sim_group *g = t->group != UINT32_MAX ? &w->groups[t->group] : NULL;
	bool failed = g != NULL && g->stop_wanted;

	w->stats.skipped++;
	for (uint32_t i = g != NULL ? g->first : 0; g != NULL && i < g->first + g->count; i++) {
		failed = failed || is_failure(w->tasks[i].state);
	}
	if (g == NULL || (!failed && may_begin(w, t))) {
		world_violation(w, "%s was skipped for no reason", t->id);
	}
}

/* Whether a worker runs it, or another step of its group, at this moment: it has only not ended yet. */
static bool goes_on(const struct sim_world *w, const struct sim_task *t)
{
	uint32_t first = (uint32_t)(t - w->tasks), count = 1;

	if (t->group != UINT32_MAX) {
		first = w->groups[t->group].first;
		count = w->groups[t->group].count;
	}
	for (uint32_t i = first; i < first + count; i++) {
		const struct sim_task *o = &w->tasks[i];

		if (o->phase != MANAGER_PHASE_DONE && o->row_node != UINT32_MAX &&
		    in_work(w, &w->nodes[o->row_node], o, o->row_epoch)) {
			return true;
		}
	}
	return false;
}

static void check_task(struct sim_world *w, struct sim_task *t)
{
	if (!t->accepted) {
		return;
	}
	if (t->phase == MANAGER_PHASE_DONE) {
		if (t->state == MANAGER_COMPLETED && !t->has_result) {
			world_violation(w, "%s is completed, but its result is not in the store",
					t->id);
		}
		if (t->state == MANAGER_SKIPPED) {
			check_skipped(w, t);
		}
		if (t->behaviour == SIM_ENDS && t->state == MANAGER_FAILED && !t->stop_wanted &&
		    t->results_counted == 0) {
			world_violation(w, "%s failed without a result", t->id);
		}
		return;
	}
	w->stats.open++;
	if (w->s.quiet >= SETTLE && t->created < w->faults_end && !goes_on(w, t)) {
		world_violation(w, "%s has not ended: %s, epoch %u, node %d", t->id,
				manager_phase_word(t->phase), t->row_epoch, (int)t->row_node);
	}
}

/* Nobody keeps what has ended: neither the manager's core nor a worker that could say so. */
static void check_leftovers(struct sim_world *w)
{
	uint32_t live = boss_live_tasks(w);

	if (w->stats.open == 0 && live > w->task_count - w->settled) {
		world_violation(w, "%u tasks are left in the manager, %llu have not ended", live,
				(unsigned long long)(w->task_count - w->settled));
	}
	for (uint32_t n = 0; n < w->s.nodes && w->stats.open == 0; n++) {
		struct sim_node *node = &w->nodes[n];
		struct agent_task_view v;

		for (uint32_t i = 0; node->online && i < w->s.slots; i++) {
			struct sim_task *t;

			if (!agent_task_view(node->agent, i, &v)) {
				continue;
			}
			t = truth_task(w, v.id, strlen(v.id));
			if (t != NULL && t->ended != 0 && w->now - t->ended > 20 * MINUTE) {
				world_violation(w, "%s still holds %s (%s), which ended long ago",
						node->id, t->id, agent_task_state_text(v.state));
			}
		}
	}
}

void truth_end(struct sim_world *w)
{
	for (uint32_t i = 0; i < w->task_count; i++) {
		check_task(w, &w->tasks[i]);
		w->settled += w->tasks[i].phase == MANAGER_PHASE_DONE || !w->tasks[i].accepted;
	}
	if (w->s.quiet >= SETTLE) {
		check_leftovers(w);
	}
}
