/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What host functions asked for, carried out between slices; and what tasks print.
 *
 * Rules: 1. A task that waits is answered exactly once, by whichever comes: room, time, the port.
 *        2. The module's memory is read and written only while its task is not RUNNING.
 */
#include "agent/state.h"
#include "base/fmt.h"

enum {
	NAME_BYTES_MAX = 64,
	LOG_BYTES_MAX = 1024
};

static struct wire_text memory_text(const struct agent *a, const struct task *t, uint32_t at,
				    uint32_t bytes)
{
	const char *text = bytes > 0 ? a->engine->memory_at(t->instance, at, bytes) : "";

	ASSERT(text != NULL); /* checked when the effect was noted; memory never shrinks */
	return (struct wire_text){text, bytes};
}

static void answer(struct agent *a, struct task *t, int32_t result)
{
	t->blocked = t->host_due = false;
	t->run->effect.kind = AGENT_EFFECT_NONE;
	a->engine->answer(t->instance, result, NULL);
	if (t->state == AGENT_TASK_PARKED) {
		t->unparked = AGENT_TASK_READY;
	} else {
		agent_task_set(a, t, AGENT_TASK_READY);
	}
}

bool agent_output_count(struct agent *a, struct task *t, uint32_t bytes)
{
	t->output_used = bytes > UINT32_MAX - t->output_used ? UINT32_MAX : t->output_used + bytes;
	if (t->output_bytes == 0 || t->output_used <= t->output_bytes) {
		return true;
	}
	agent_task_end(a, t, WIRE_REASON_OUTPUT, "more than %u bytes of output",
		       (unsigned)t->output_bytes);
	return false;
}

/* ---- publish, log */

/* The last published value is the task's result. */
static bool keep_result(struct agent *a, struct task *t, struct wire_text data)
{
	char *kept;

	agent_make_room(a, data.bytes + 1);
	kept = pool_alloc(&a->pool, data.bytes + 1);
	CHECK(kept != NULL, false);
	memcpy(kept, data.at, data.bytes);
	t->run->capture = NULL;
	t->capturing = false;
	pool_free(&a->pool, t->result);
	t->result = kept;
	t->result_bytes = data.bytes;
	t->published = true;
	return true;
}

static bool name_ok(struct wire_text name)
{
	return name.bytes > 0 && name.bytes <= NAME_BYTES_MAX &&
	       memchr(name.at, '+', name.bytes) == NULL &&
	       memchr(name.at, '#', name.bytes) == NULL && memchr(name.at, 0, name.bytes) == NULL &&
	       wire_utf8_valid(name.at, name.bytes) == name.bytes;
}

/* Module levels count from debug, the wire's from error. */
static uint8_t level_of(int32_t level)
{
	return level <= 0   ? WIRE_LEVEL_DEBUG
	       : level >= 3 ? WIRE_LEVEL_ERROR
			    : (uint8_t)(WIRE_LEVEL_DEBUG - level);
}

/* Whether data of that length can be sent in one message by this port, escaped at worst. */
static bool sendable(const struct agent *a, struct wire_text data, uint32_t name_bytes)
{
	return agent_outbox_could(a, data.bytes + name_bytes) &&
	       data.bytes + 500 <= a->out->text_bytes;
}

static void put_effect(struct agent *a, struct task *t)
{
	const struct agent_effect *e = &t->run->effect;
	struct wire_text data = memory_text(a, t, e->data_at, e->data_bytes);
	struct wire_text name = memory_text(a, t, e->name_at, e->name_bytes);
	enum outbox_kind kind = e->kind == AGENT_EFFECT_PUBLISH ? OUTBOX_OUTPUT
				: e->kind == AGENT_EFFECT_LOG   ? OUTBOX_LOG
								: OUTBOX_APP;

	if (kind == OUTBOX_LOG) {
		data.bytes = BASE_MIN(data.bytes,
				      BASE_MIN((uint32_t)LOG_BYTES_MAX, a->outbox.bytes / 2));
	}
	if (kind == OUTBOX_APP && !name_ok(name)) {
		answer(a, t, AGENT_HOST_FAILED);
	} else if (!sendable(a, data, name.bytes)) {
		answer(a, t, AGENT_HOST_TOO_LONG);
	} else if (agent_outbox_put(a, t, kind, level_of(e->value[0]), name, data)) {
		if (kind == OUTBOX_OUTPUT && !keep_result(a, t, data)) {
			answer(a, t, AGENT_HOST_FAILED);
			return;
		}
		if (agent_output_count(a, t, data.bytes)) {
			answer(a, t, AGENT_HOST_OK);
		}
	}
}

/* ---- waiting */

static void wake(struct agent *a, struct task *t)
{
	struct agent_run *run = t->run;

	if (run->effect.kind == AGENT_EFFECT_SLEEP) {
		answer(a, t, AGENT_HOST_OK);
		return;
	}
	run->now_ms = a->now_ms;
	run->wall_ms = a->wall_ms;
	if (a->engine->again(t->instance)) {
		run->effect.kind = AGENT_EFFECT_NONE;
		agent_task_set(a, t, AGENT_TASK_READY);
	} else {
		t->wake_ms = BASE_MAX((run->env.wake_ns + 999999) / 1000000, a->now_ms + 1);
	}
}

void agent_effect_tick(struct agent *a, struct task *t)
{
	if (t->blocked) {
		put_effect(a, t);
	} else if (a->now_ms >= t->wake_ms) {
		wake(a, t);
	}
	if (t->state == AGENT_TASK_WAITING && t->wake_ms != AGENT_NEVER) {
		agent_wake_at(a, t->wake_ms);
	}
}

void agent_effect_begin(struct agent *a, struct task *t)
{
	struct agent_effect *e = &t->run->effect;

	if (e->kind == AGENT_EFFECT_NONE) {
		ASSERT(t->run->env.sleeping); /* nothing else answers later */
		e->kind = AGENT_EFFECT_AGAIN;
		e->wake_ms = (t->run->env.wake_ns + 999999) / 1000000;
	}
	t->blocked = t->host_due = false;
	t->wake_ms = AGENT_NEVER;
	switch (e->kind) {
	case AGENT_EFFECT_SLEEP:
	case AGENT_EFFECT_AGAIN:
		t->wake_ms = e->wake_ms;
		break;
	case AGENT_EFFECT_HOST:
		t->host_due = true;
		break;
	default:
		t->blocked = true;
	}
	agent_effect_tick(a, t);
}

/* ---- capabilities of the port */

static char *keep(struct agent *a, struct wire_text text)
{
	char *to = agent_text_room(a, text.bytes + 1);

	if (to != NULL) {
		memcpy(to, text.at, text.bytes);
		to[text.bytes] = 0;
	}
	return to;
}

/* The slot, and which of its calls it is: an answer that comes after its task's end finds none. */
static uint16_t host_ref(struct agent *a, struct task *t)
{
	uint32_t rounds = BASE_MIN((uint32_t)UINT16_MAX / a->limits.tasks_max, 255u);

	t->host_round = (uint8_t)(a->host_calls++ % rounds);
	return (uint16_t)(agent_task_slot(a, t) + t->host_round * a->limits.tasks_max);
}

/* What KV_SET hands over lies in the module's memory, which stays while the task waits. */
static bool say_host(struct agent *a, struct task *t)
{
	const struct agent_effect *e = &t->run->effect;
	struct wire_text name = memory_text(a, t, e->name_at, e->name_bytes);
	bool set = e->op == AGENT_HOST_KV_SET;
	struct agent_action *action;
	char *kept;

	if (e->name_bytes > NAME_BYTES_MAX) {
		answer(a, t, AGENT_HOST_TOO_LONG);
		return true;
	}
	kept = a->out->count < AGENT_ACTIONS_MAX ? keep(a, name) : NULL;
	action = kept != NULL ? agent_act(a, AGENT_ACTION_HOST_CALL) : NULL;
	CHECK(action != NULL, false);
	action->host.slot = host_ref(a, t);
	action->host.op = e->op;
	action->host.task_id = t->id;
	action->host.scope = t->name;
	action->host.name = kept;
	action->host.data = set ? memory_text(a, t, e->data_at, e->data_bytes).at : NULL;
	action->host.data_bytes = set ? e->data_bytes : 0;
	action->host.value[0] = e->value[0];
	action->host.value[1] = e->value[1];
	return true;
}

void agent_effect_emit(struct agent *a)
{
	for (uint32_t i = 0; i < a->limits.tasks_max; i++) {
		struct task *t = &a->tasks[i];

		if (t->state != AGENT_TASK_WAITING || !t->host_due) {
			continue;
		}
		if (!say_host(a, t)) {
			a->again = true;
			return;
		}
		t->host_due = false;
		a->again = a->again || t->state == AGENT_TASK_READY;
	}
}

static int32_t give(struct agent *a, struct task *t, const struct agent_event *e)
{
	const struct agent_effect *effect = &t->run->effect;
	void *to = a->engine->memory_at(t->instance, effect->data_at, effect->data_bytes);
	double real = (double)e->host.value / 1e6;

	if (e->host.status < 0) {
		return e->host.status;
	}
	switch (effect->op) {
	case AGENT_HOST_KV_GET:
		memcpy(to, e->host.data, BASE_MIN(effect->data_bytes, e->host.data_bytes));
		return (int32_t)e->host.data_bytes;
	case AGENT_HOST_SENSOR:
		memcpy(to, &real, sizeof(real));
		return AGENT_HOST_OK;
	case AGENT_HOST_GPIO_READ:
		return e->host.value != 0;
	default:
		return AGENT_HOST_OK;
	}
}

void agent_effect_event(struct agent *a, const struct agent_event *e)
{
	struct task *t;

	t = &a->tasks[e->host.slot % a->limits.tasks_max];
	if (e->host.slot / a->limits.tasks_max == t->host_round &&
	    (t->state == AGENT_TASK_WAITING || t->state == AGENT_TASK_PARKED) && !t->host_due &&
	    t->run->effect.kind == AGENT_EFFECT_HOST) {
		answer(a, t, give(a, t, e));
	}
}

/* ---- printed text */

/* Bytes of the next line without its end, *whole with it; false when there is none yet. */
static bool next_line(const struct agent_run *run, bool last, uint32_t *bytes, uint32_t *whole)
{
	const char *end = run->print_used > 0 ? memchr(run->print, '\n', run->print_used) : NULL;

	if (end != NULL) {
		*bytes = (uint32_t)(end - run->print);
		*whole = *bytes + 1;
		return true;
	}
	*bytes = *whole = run->print_used;
	return run->print_used > 0 && (last || run->print_used == run->print_bytes);
}

static void tell_lost(struct agent *a, struct task *t)
{
	char text[64];
	uint32_t n;

	if (t->run->print_lost == 0) {
		return;
	}
	n = (uint32_t)fmt_str(text, sizeof(text), "(%u bytes of output were lost)",
			      (unsigned)t->run->print_lost);
	if (agent_outbox_put(a, t, OUTBOX_LOG, WIRE_LEVEL_WARN, wire_text_of(""),
			     (struct wire_text){text, n})) {
		t->run->print_lost = 0;
	}
}

void agent_print_take(struct agent *a, struct task *t, bool last)
{
	struct agent_run *run = t->run;
	uint32_t bytes, whole, taken = 0;

	while (next_line(run, last, &bytes, &whole)) {
		uint32_t n = BASE_MIN(bytes, a->outbox.bytes / 2);

		if (!agent_outbox_put(a, t, OUTBOX_LOG, WIRE_LEVEL_INFO, wire_text_of(""),
				      (struct wire_text){run->print, n})) {
			break; /* what finds no room later is counted as lost */
		}
		taken += bytes;
		run->print_used -= whole;
		memmove(run->print, run->print + whole, run->print_used);
	}
	if (last) {
		run->print_lost += run->print_used;
		run->print_used = 0;
	}
	tell_lost(a, t);
	if (!last && taken > 0) {
		agent_output_count(a, t, taken);
	}
}
