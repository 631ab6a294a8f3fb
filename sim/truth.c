/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The truth: what has really happened to each task, and the rules that must hold.
 *
 * Rules tested: 1. A task that is not idempotent never runs on a node while another holds a valid lease and has it in work.
 *               2. A result is counted once for a (task, epoch), and a task has one result in the end.
 *               3. What was accepted is never lost: it has ended, or waits with a reason.
 *               4. When faults have stopped, everything ends.
 */
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>

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
	t->row_node = t->node = UINT32_MAX;
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

/* Whether that node's agent has the task in work under the epoch. */
static bool in_work(const struct sim_node *n, const struct sim_task *t, uint32_t epoch)
{
	struct agent_task_view v;

	for (uint32_t i = 0; n->agent != NULL && i < 8; i++) {
		if (agent_task_view(n->agent, i, &v) && v.epoch == epoch &&
		    strcmp(v.id, t->id) == 0 &&
		    (v.state == AGENT_TASK_READY || v.state == AGENT_TASK_RUNNING ||
		     v.state == AGENT_TASK_WAITING)) {
			return true;
		}
	}
	return false;
}

void truth_slice(struct sim_world *w, uint32_t node, struct sim_task *t, uint64_t epoch,
		 uint64_t until)
{
	if (t->node != node || t->epoch != epoch) {
		world_tell(w, t->id, "%s runs it, epoch %u", w->nodes[node].id, (unsigned)epoch);
		t->runs++;
		if (t->node != UINT32_MAX && t->node != node &&
		    in_work(&w->nodes[t->node], t, t->epoch)) {
			w->stats.double_runs++;
			if (!t->idempotent && t->lease_end > w->now) {
				world_violation(w,
						"%s runs on %s (epoch %u) while %s (epoch %u) "
						"holds a valid lease",
						t->id, w->nodes[node].id, (unsigned)epoch,
						w->nodes[t->node].id, t->epoch);
			}
		}
		if (t->first_run == 0) {
			t->first_run = w->now;
			push(&w->stats.wait_ms, &w->stats.wait_count, &w->stats.wait_cap,
			     w->now - t->created);
		}
		if (t->lost_at != 0 && t->node != node) {
			push(&w->stats.move_ms, &w->stats.move_count, &w->stats.move_cap,
			     w->now - t->lost_at);
		}
		t->lost_at = 0;
		t->node = node;
		t->epoch = (uint32_t)epoch;
	}
	t->ran_until = until;
}

void truth_lease(struct sim_world *w, uint32_t node, struct sim_task *t, uint64_t epoch,
		 uint64_t lease_ms)
{
	if (lease_ms == 0) {
		lease_ms = UINT64_MAX / 2;
	}
	if (t->node == node && t->epoch == epoch) {
		t->lease_end = w->now + lease_ms;
	} else if (epoch > t->epoch) {
		t->lease_end = w->now + lease_ms; /* it will run there soon */
	}
}

void truth_node_dead(struct sim_world *w, uint32_t node)
{
	struct sim_node *n = &w->nodes[node];
	struct agent_task_view v;

	n->down_since = w->now;
	for (uint32_t i = 0; n->agent != NULL && i < 8; i++) {
		if (agent_task_view(n->agent, i, &v)) {
			struct sim_task *t = truth_task(w, v.id, strlen(v.id));

			if (t != NULL && t->node == node && t->epoch == v.epoch) {
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
	if (w->s.quiet >= 20 * MINUTE && t->created < w->faults_end) {
		world_violation(w, "%s has not ended: %s, epoch %u, node %d", t->id,
				manager_phase_word(t->phase), t->row_epoch, (int)t->row_node);
	}
}

void truth_end(struct sim_world *w)
{
	for (uint32_t i = 0; i < w->task_count; i++) {
		check_task(w, &w->tasks[i]);
	}
}
