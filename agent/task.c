/* SPDX-License-Identifier: Apache-2.0 */
/* The task table: states and their legal moves, endings, forgetting. */
#include "agent/state.h"
#include "base/fmt.h"

#define TO(state) (1u << AGENT_TASK_##state)

/* Where each state may go. Every state but FREE may end; every state may be forgotten. */
static const uint16_t legal[AGENT_TASK_STATE_COUNT] = {
	[AGENT_TASK_FREE] = TO(FETCHING) | TO(ENDED),
	[AGENT_TASK_FETCHING] = TO(READY) | TO(LATENT) | TO(ENDED) | TO(FREE),
	[AGENT_TASK_READY] = TO(RUNNING) | TO(PARKED) | TO(ENDED) | TO(FREE),
	[AGENT_TASK_RUNNING] = TO(READY) | TO(WAITING),
	[AGENT_TASK_WAITING] = TO(READY) | TO(PARKED) | TO(ENDED) | TO(FREE),
	[AGENT_TASK_PARKED] = TO(READY) | TO(WAITING) | TO(ENDED) | TO(FREE),
	[AGENT_TASK_LATENT] = TO(ENDED) | TO(FREE),
	[AGENT_TASK_ENDED] = TO(FREE),
};

uint16_t agent_task_slot(const struct agent *a, const struct task *t)
{
	return (uint16_t)(t - a->tasks);
}

struct task *agent_task_find(struct agent *a, struct wire_text id, struct wire_text invocation_id)
{
	for (uint32_t i = 0; i < a->limits.tasks_max; i++) {
		struct task *t = &a->tasks[i];

		if (t->state != AGENT_TASK_FREE && !t->orphan && wire_text_is(id, t->id) &&
		    wire_text_same(invocation_id, wire_text_of(t->invocation_id))) {
			return t;
		}
	}
	return NULL;
}

struct task *agent_task_free_slot(struct agent *a)
{
	for (uint32_t i = 0; i < a->limits.tasks_max; i++) {
		if (a->tasks[i].state == AGENT_TASK_FREE && !a->tasks[i].clear_due) {
			memset(&a->tasks[i], 0, sizeof(a->tasks[i]));
			a->tasks[i].module = NONE;
			return &a->tasks[i];
		}
	}
	return NULL;
}

void agent_task_set(struct agent *a, struct task *t, enum agent_task_state state)
{
	ASSERT(legal[t->state] >> state & 1);
	t->state = (uint8_t)state;
}

static void free_block(struct agent *a, void *at)
{
	void **block = at;

	pool_free(&a->pool, *block);
	*block = NULL;
}

void agent_task_release(struct agent *a, struct task *t)
{
	if (t->instance != NULL) {
		a->engine->release(t->instance);
		t->instance = NULL;
	}
	free_block(a, &t->instance_block);
	free_block(a, &t->extra);
	if (t->module != NONE) {
		agent_module_unref(a, t->module);
		t->module = NONE;
	}
}

/* What the instance knows that the report tells. */
static void take_figures(struct agent *a, struct task *t)
{
	t->duration_ms = (uint32_t)BASE_MIN(a->now_ms - t->started_ms, (uint64_t)UINT32_MAX);
	if (t->instance == NULL) {
		return;
	}
	t->fuel_used = agent_fuel_used(a, t);
	t->stack_peak = a->engine->stack_peak != NULL ? a->engine->stack_peak(t->instance) : 0;
	t->memory_peak =
		(uint32_t)BASE_MIN(a->engine->memory_bytes(t->instance), (uint64_t)UINT32_MAX);
	agent_print_take(a, t, true);
}

enum {
	LATER_MS = 200
}; /* Propeller's manager may overwrite a result that comes sooner */

static void set_ended(struct agent *a, struct task *t, enum wire_reason reason)
{
	bool early = t->epoch == 0 && t->invocation_id == NULL;

	t->reason = (uint8_t)reason;
	t->end_wanted = 0;
	agent_task_set(a, t, AGENT_TASK_ENDED);
	t->report_ms = early ? BASE_MAX(a->now_ms, t->received_ms + LATER_MS) : a->now_ms;
	t->record_due = t->journaled;
	agent_act_log(a, AGENT_LOG_INFO, "task %s ended: %s", t->id,
		      t->report != NULL ? t->report : wire_words_REASON[reason]);
}

/* text NULL: it was kept already. */
static void end_now(struct agent *a, struct task *t, enum wire_reason reason, const char *text)
{
	bool backtrace = reason == WIRE_REASON_TRAP || reason == WIRE_REASON_FUEL ||
			 reason == WIRE_REASON_TIME || reason == WIRE_REASON_STACK ||
			 reason == WIRE_REASON_MEMORY;
	struct report report;

	take_figures(a, t);
	agent_report_write(a, t, reason, text, backtrace, &report);
	agent_task_release(a, t); /* first, so that there is room for the report */
	agent_report_keep(a, t, &report);
	a->stats.failed += reason != WIRE_REASON_REFUSED;
	a->stats.refused += reason == WIRE_REASON_REFUSED;
	set_ended(a, t, reason);
}

void agent_task_done(struct agent *a, struct task *t, const char *values, uint32_t bytes)
{
	take_figures(a, t);
	agent_task_release(a, t);
	if (t->result == NULL && bytes > 0) {
		agent_make_room(a, bytes);
		t->result = pool_alloc(&a->pool, bytes);
		t->result_bytes = t->result != NULL ? bytes : 0;
		memcpy(t->result != NULL ? t->result : (char *)&bytes, values, t->result_bytes);
	}
	a->stats.done++;
	set_ended(a, t, WIRE_REASON_DONE);
}

void agent_task_end_kept(struct agent *a, struct task *t)
{
	end_now(a, t, (enum wire_reason)(t->end_wanted - 1), NULL);
}

void agent_task_end(struct agent *a, struct task *t, enum wire_reason reason, const char *format,
		    ...)
{
	struct report report;
	char text[200];
	va_list args;

	va_start(args, format);
	fmt_vstr(text, sizeof(text), format, args);
	va_end(args);
	if (t->state != AGENT_TASK_RUNNING) {
		end_now(a, t, reason, text);
		return;
	}
	if (t->end_wanted == 0) {
		t->end_wanted = (uint8_t)(reason + 1);
		agent_report_write(a, t, reason, text, false, &report);
		agent_report_keep(a, t, &report);
		a->engine->interrupt(t->instance);
	}
}

void agent_task_forget(struct agent *a, struct task *t)
{
	agent_journal_forget(a, t);
	if (t->state == AGENT_TASK_RUNNING) {
		t->journaled = false;
		t->orphan = true;
		a->engine->interrupt(t->instance);
		return;
	}
	agent_task_release(a, t);
	agent_outbox_disown(a, agent_task_slot(a, t));
	free_block(a, &t->block);
	free_block(a, &t->result);
	free_block(a, &t->report);
	t->run = NULL;
	t->end_wanted = 0; /* an orphan's slice may have been told to end */
	agent_task_set(a, t, AGENT_TASK_FREE);
}

/* ---- rules */

static void check(const struct agent *a, const struct task *t)
{
	bool has_instance = t->state == AGENT_TASK_READY || t->state == AGENT_TASK_RUNNING ||
			    t->state == AGENT_TASK_WAITING || t->state == AGENT_TASK_PARKED;

	ASSERT(t->state < AGENT_TASK_STATE_COUNT);
	ASSERT((t->instance != NULL) == has_instance);
	ASSERT((t->instance_block != NULL) == has_instance);
	ASSERT((t->block != NULL) == (t->state != AGENT_TASK_FREE));
	ASSERT(t->state != AGENT_TASK_FREE || (t->result == NULL && t->report == NULL));
	ASSERT(t->end_wanted == 0 || t->state == AGENT_TASK_RUNNING ||
	       t->state == AGENT_TASK_ENDED);
	ASSERT(!has_instance ||
	       (t->module != NONE && a->modules[t->module].state == MODULE_LOADED));
}

void agent_task_check_all(const struct agent *a)
{
	uint32_t out = 0;

	for (uint32_t i = 0; i < a->limits.tasks_max; i++) {
		check(a, &a->tasks[i]);
		out += a->tasks[i].state == AGENT_TASK_RUNNING;
	}
	ASSERT(out == a->slices_out && out <= a->limits.slices_max);
}
