/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slices: who runs next, for how long, and what follows.
 *
 * Rules: 1. Higher priority first; within a priority the one that has waited longest.
 *        2. At most limits.slices_max slices are out; a slice has at most limits.slice_fuel.
 *        3. A task whose time is up is interrupted, and ended when its slice is back.
 */
#include "agent/state.h"

enum agent_run_status agent_slice_run(const struct agent_slice *slice)
{
	return slice->engine->run(slice->instance, slice->fuel);
}

uint64_t agent_fuel_used(const struct agent *a, const struct task *t)
{
	return a->engine->fuel_used != NULL ? a->engine->fuel_used(t->instance) : 0;
}

static void after_fuel(struct agent *a, struct task *t)
{
	if (t->fuel_limit != 0 && agent_fuel_used(a, t) >= t->fuel_limit) {
		agent_task_end(a, t, WIRE_REASON_FUEL, "%llu units of fuel",
			       (unsigned long long)t->fuel_limit);
	}
}

/* The slice is back: what it was interrupted for comes first. */
static void after_slice(struct agent *a, struct task *t, enum agent_run_status status)
{
	bool ended = status == AGENT_RUN_DONE || status == AGENT_RUN_TRAP;

	agent_task_set(a, t, status == AGENT_RUN_LATER ? AGENT_TASK_WAITING : AGENT_TASK_READY);
	if (t->orphan) {
		agent_task_forget(a, t);
		return;
	}
	if (t->end_wanted != 0 && !ended) {
		agent_task_end_kept(a, t);
		return;
	}
	t->end_wanted = 0; /* it ended by itself first */
	agent_print_take(a, t, false);
	if (t->state == AGENT_TASK_ENDED) {
		return; /* it printed more than it may */
	}
	switch (status) {
	case AGENT_RUN_DONE:
		agent_task_returned(a, t);
		break;
	case AGENT_RUN_TRAP:
		agent_task_trapped(a, t);
		break;
	case AGENT_RUN_FUEL:
		after_fuel(a, t);
		break;
	case AGENT_RUN_LATER:
		agent_effect_begin(a, t);
		break;
	}
}

void agent_slice_event(struct agent *a, const struct agent_event *e)
{
	struct task *t;

	ASSERT(e->slice.slot < a->limits.tasks_max);
	t = &a->tasks[e->slice.slot];
	ASSERT(t->state == AGENT_TASK_RUNNING);
	a->slices_out--;
	a->busy_ms += a->now_ms - t->wake_ms; /* wake_ms: when the slice was handed out */
	after_slice(a, t, e->slice.status);
}

static void lease_tick(struct agent *a, struct task *t)
{
	if (a->now_ms < t->lease_end_ms || t->state == AGENT_TASK_FREE ||
	    t->state == AGENT_TASK_ENDED || t->policy == WIRE_POLICY_KEEP) {
		return;
	}
	if (t->policy == WIRE_POLICY_STOP) {
		agent_task_end(a, t, WIRE_REASON_STOPPED,
			       "its lease ended without contact to the manager");
	} else if (t->state == AGENT_TASK_READY || t->state == AGENT_TASK_WAITING) {
		t->unparked = t->state;
		agent_task_set(a, t, AGENT_TASK_PARKED);
	} else if (t->state == AGENT_TASK_RUNNING) {
		a->engine->interrupt(t->instance);
	}
}

static bool runs(const struct task *t)
{
	return t->state == AGENT_TASK_READY || t->state == AGENT_TASK_RUNNING ||
	       t->state == AGENT_TASK_WAITING || t->state == AGENT_TASK_PARKED;
}

void agent_slice_tick(struct agent *a)
{
	for (uint32_t i = 0; i < a->limits.tasks_max; i++) {
		struct task *t = &a->tasks[i];

		lease_tick(a, t);
		if (t->state == AGENT_TASK_WAITING) {
			agent_effect_tick(a, t);
		}
		if (runs(t) && t->time_ms != 0 && a->now_ms - t->started_ms >= t->time_ms) {
			agent_task_end(a, t, WIRE_REASON_TIME, "%u ms", (unsigned)t->time_ms);
		}
		if (runs(t) && t->time_ms != 0) {
			agent_wake_at(a, BASE_MAX(t->started_ms + t->time_ms, a->now_ms + 1));
		}
		if (runs(t) && t->state != AGENT_TASK_PARKED && t->policy != WIRE_POLICY_KEEP &&
		    t->lease_end_ms != AGENT_NEVER) {
			agent_wake_at(a, BASE_MAX(t->lease_end_ms, a->now_ms + 1));
		}
	}
}

static struct task *next(struct agent *a)
{
	struct task *best = NULL;

	for (uint32_t i = 0; i < a->limits.tasks_max; i++) {
		struct task *t = &a->tasks[i];

		if (t->state != AGENT_TASK_READY || t->unsure) {
			continue;
		}
		if (best == NULL || t->priority > best->priority ||
		    (t->priority == best->priority &&
		     (int32_t)(t->last_run - best->last_run) < 0)) {
			best = t;
		}
	}
	return best;
}

static bool hand_out(struct agent *a, struct task *t)
{
	struct agent_action *action = agent_act(a, AGENT_ACTION_RUN_SLICE);
	uint64_t used, fuel = a->limits.slice_fuel;

	CHECK(action != NULL, false);
	used = agent_fuel_used(a, t);
	if (t->fuel_limit != 0) {
		fuel = BASE_MIN(fuel, t->fuel_limit > used ? t->fuel_limit - used : 1);
	}
	t->run->now_ms = a->now_ms;
	t->run->wall_ms = a->wall_ms;
	t->run->effect.kind = AGENT_EFFECT_NONE;
	t->last_run = ++a->turn;
	t->wake_ms = a->now_ms;
	action->slice = (struct agent_slice){
		.engine = a->engine,
		.instance = t->instance,
		.run = t->run,
		.fuel = fuel,
		.slot = agent_task_slot(a, t),
	};
	agent_task_set(a, t, AGENT_TASK_RUNNING);
	a->slices_out++;
	return true;
}

void agent_slice_emit(struct agent *a)
{
	struct task *t;

	if (a->quitting || !a->booted) {
		return; /* until the journal is replayed a task's end may still be told */
	}
	while (a->slices_out < a->limits.slices_max && (t = next(a)) != NULL && hand_out(a, t)) {
	}
}
