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
 *               7. Where the scenario says so: a lost worker's task runs elsewhere within move-within.
 */
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	SETTLE = 20 * MINUTE /* without faults; then everything has ended */
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
	t->row_node = t->last.node = UINT32_MAX;
	w->task_count++;
	return t;
}

/* ---- running ------------------------------------------------------------------------------------------ */

static void push(uint64_t **list, uint32_t *count, uint32_t *cap, uint64_t v)
{
	if (*count == *cap) {
		*cap = *cap * 2 + 256;
		*list = realloc(*list, *cap * sizeof(**list));
	}
	(*list)[(*count)++] = v;
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

static void began(struct sim_world *w, uint32_t node, struct sim_task *t, uint32_t epoch)
{
	uint64_t took = w->now - t->lost_at;

	check_beginning(w, node, t, epoch);
	check_kept(w, node, t, epoch);
	if (t->first_run == 0) {
		t->first_run = w->now;
		push(&w->stats.wait_ms, &w->stats.wait_count, &w->stats.wait_cap,
		     w->now - t->created);
	}
	if (t->lost_at != 0 && t->last.node != node) {
		push(&w->stats.move_ms, &w->stats.move_count, &w->stats.move_cap, took);
		if (w->s.move_within != 0 && took > w->s.move_within) {
			world_violation(w, "%s ran elsewhere only %.1f s after the end of %s",
					t->id, (double)took / 1e3, w->nodes[t->last.node].id);
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

/* Its clock begins anew when the worker that was to take it over is lost, too. */
static void lost_again(struct sim_world *w, uint32_t node)
{
	for (uint32_t i = 0; w->s.move_within != 0 && i < w->task_count; i++) {
		struct sim_task *t = &w->tasks[i];

		if (t->lost_at != 0 && t->row_node == node) {
			t->lost_at = w->now;
		}
	}
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
				t->lost_at = w->now;
			}
		}
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
		if (t->behaviour == SIM_ENDS && t->state == MANAGER_FAILED && !t->stop_wanted &&
		    t->results_counted == 0) {
			world_violation(w, "%s failed without a result", t->id);
		}
		return;
	}
	w->stats.open++;
	if (w->s.quiet >= SETTLE && t->created < w->faults_end) {
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
