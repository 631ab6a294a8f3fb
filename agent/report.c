/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results: how a task ended, told until it is known to have arrived.
 *
 * Rules: 1. Without an epoch: once, when the broker has it the task is forgotten.
 *        2. With an epoch: again and again, until the manager acknowledges it.
 *        3. First written down in the journal, then sent; after what the task published before.
 */
#include "agent/state.h"
#include "base/fmt.h"

enum {
	FRAMES_MAX = 8,
	FRAME_NAME_MAX = 48,
	RETRY_MS_MIN = 5000,
	RETRY_MS_MAX = 60000,
	FAILED_MS = 1000, /* after a publication that failed */
};

const char *agent_reason_prefix(enum wire_reason reason)
{
	static const char *const prefix[WIRE_REASON_COUNT] = {
		[WIRE_REASON_DONE] = "",
		[WIRE_REASON_TRAP] = "trap: ",
		[WIRE_REASON_EXIT] = "exit status ",
		[WIRE_REASON_FUEL] = "limit reached: fuel: ",
		[WIRE_REASON_TIME] = "limit reached: time: ",
		[WIRE_REASON_MEMORY] = "limit reached: memory: ",
		[WIRE_REASON_STACK] = "limit reached: stack: ",
		[WIRE_REASON_OUTPUT] = "limit reached: output: ",
		[WIRE_REASON_STOPPED] = "stopped: ",
		[WIRE_REASON_PREEMPTED] = "preempted: ",
		[WIRE_REASON_REFUSED] = "refused: ",
		[WIRE_REASON_MODULE] = "module: ",
		[WIRE_REASON_LOST] = "lost: ",
	};

	return prefix[reason];
}

/* ---- what is kept */

static void put_frame(struct report *out, const struct rotor_frame *f)
{
	uint32_t name = f->name != NULL ? BASE_MIN(f->name_bytes, (uint32_t)FRAME_NAME_MAX) : 0;

	if (out->bytes + 9 + name > sizeof(out->at)) {
		return;
	}
	base_store_u32(out->at + out->bytes, f->func_idx);
	base_store_u32(out->at + out->bytes + 4, f->offset);
	if (name > 0) {
		memcpy(out->at + out->bytes + 8, f->name, name);
	}
	out->at[out->bytes + 8 + name] = 0;
	out->bytes += 9 + name;
	out->frame_count++;
}

void agent_report_write(struct agent *a, const struct task *t, enum wire_reason reason,
			const char *text, bool backtrace, struct report *out)
{
	struct rotor_frame frame;

	out->frame_count = 0;
	if (text != NULL) {
		fmt_str(out->at, 256, "%s%s", agent_reason_prefix(reason), text);
	} else {
		fmt_str(out->at, 256, "%s",
			t->report != NULL ? t->report : agent_reason_prefix(reason));
	}
	out->bytes = (uint32_t)strlen(out->at) + 1;
	for (uint32_t i = 0; backtrace && t->instance != NULL && i < FRAMES_MAX &&
			     a->engine->frame(t->instance, i, &frame);
	     i++) {
		put_frame(out, &frame);
	}
}

void agent_report_keep(struct agent *a, struct task *t, const struct report *report)
{
	uint32_t text = (uint32_t)strlen(report->at) + 1;

	pool_free(&a->pool, t->report);
	agent_make_room(a, report->bytes);
	t->report = pool_alloc(&a->pool, report->bytes);
	t->report_bytes = report->bytes;
	t->frame_count = report->frame_count;
	if (t->report == NULL && report->frame_count > 0) {
		t->report = pool_alloc(&a->pool, text);
		t->report_bytes = text;
		t->frame_count = 0;
	}
	if (t->report == NULL) {
		t->report_bytes = t->frame_count = 0; /* the reason alone is told */
		return;
	}
	memcpy(t->report, report->at, t->report_bytes);
}

/* ---- what is sent */

static void chain_frames(const struct task *t, struct wire_objects *out, struct wire_frame *frames)
{
	const char *at = t->report + strlen(t->report) + 1;

	for (uint32_t i = 0; i < t->frame_count; i++) {
		struct wire_frame *f = &frames[i];

		memset(f, 0, sizeof(*f));
		WIRE_SET(f, frame, func, base_load_u32(at));
		WIRE_SET(f, frame, offset, base_load_u32(at + 4));
		if (at[8] != 0) {
			WIRE_SET_STR(f, frame, name, at + 8);
		}
		at += 8 + strlen(at + 8) + 1;
		if (i > 0) {
			frames[i - 1].link.next = &f->link;
		}
	}
	out->first = &frames[0].link;
	out->last = &frames[t->frame_count - 1].link;
	out->count = t->frame_count;
}

static const char *error_of(const struct task *t)
{
	if (t->reason == WIRE_REASON_DONE) {
		return NULL;
	}
	return t->report != NULL ? t->report : agent_reason_prefix((enum wire_reason)t->reason);
}

static void fill(struct agent *a, const struct task *t, struct wire_results *m,
		 struct wire_frame *frames)
{
	struct wire_any result = {t->result != NULL ? t->result : "", t->result_bytes, false};

	WIRE_SET_STR(m, results, task_id, t->id);
	WIRE_SET_STR(m, results, proplet_id, a->config->proplet_id);
	WIRE_SET(m, results, results, result);
	WIRE_SET_STR(m, results, error, error_of(t));
	WIRE_SET(m, results, reason, t->reason);
	WIRE_SET(m, results, fuel, (int64_t)t->fuel_used);
	WIRE_SET(m, results, duration_ms, t->duration_ms);
	WIRE_SET(m, results, memory_bytes, t->memory_peak);
	WIRE_SET(m, results, stack_bytes, t->stack_peak);
	if (t->epoch != 0) {
		WIRE_SET(m, results, epoch, (int64_t)t->epoch);
	}
	if (t->native) {
		WIRE_SET_STR(m, results, engine, "native");
	}
	if (t->reason == WIRE_REASON_EXIT) {
		WIRE_SET(m, results, exit_code, t->exit_code);
	}
	if (t->frame_count > 0) {
		m->seen |= WIRE_BIT(results, backtrace);
		chain_frames(t, &m->backtrace, frames);
	}
}

/* The rows of invoke_results are those of results but for the first ones. */
static void fill_invocation(const struct task *t, const struct wire_results *m,
			    struct wire_invoke_results *r)
{
	WIRE_SET(r, invoke_results, task_id, m->task_id);
	WIRE_SET_STR(r, invoke_results, invocation_id, t->invocation_id);
	WIRE_SET(r, invoke_results, proplet_id, m->proplet_id);
	WIRE_SET(r, invoke_results, results, m->results);
	if (WIRE_HAS(m, results, error)) {
		WIRE_SET(r, invoke_results, error, m->error);
	}
	WIRE_SET(r, invoke_results, reason, m->reason);
	WIRE_SET(r, invoke_results, fuel, m->fuel);
	WIRE_SET(r, invoke_results, duration_ms, m->duration_ms);
	WIRE_SET(r, invoke_results, memory_bytes, m->memory_bytes);
	WIRE_SET(r, invoke_results, stack_bytes, m->stack_bytes);
	if (WIRE_HAS(m, results, backtrace)) {
		WIRE_SET(r, invoke_results, backtrace, m->backtrace);
	}
	if (WIRE_HAS(m, results, engine)) {
		WIRE_SET(r, invoke_results, engine, m->engine);
	}
	if (WIRE_HAS(m, results, exit_code)) {
		WIRE_SET(r, invoke_results, exit_code, m->exit_code);
	}
}

/* A result too long for any message of this port becomes an error that says so. */
static void too_long(struct agent *a, struct task *t)
{
	struct report report = {.frame_count = 0};

	fmt_str(report.at, sizeof(report.at),
		"%sthe result of %u bytes does not fit a message of this worker",
		agent_reason_prefix(WIRE_REASON_OUTPUT), (unsigned)t->result_bytes);
	report.bytes = (uint32_t)strlen(report.at) + 1;
	pool_free(&a->pool, t->result);
	t->result = NULL;
	t->result_bytes = 0;
	t->reason = WIRE_REASON_OUTPUT;
	agent_report_keep(a, t, &report);
}

static bool send(struct agent *a, struct task *t)
{
	struct wire_frame frames[FRAMES_MAX];
	struct wire_results m = {0};
	struct wire_invoke_results r = {0};

	fill(a, t, &m, frames);
	if (!agent_publish_fits(a, &wire_table_results, &m) && t->result != NULL) {
		too_long(a, t);
		memset(&m, 0, sizeof(m));
		fill(a, t, &m, frames);
	}
	if (t->invocation_id == NULL) {
		return agent_publish(a, WIRE_TOPIC_RESULTS, &m, agent_task_slot(a, t));
	}
	fill_invocation(t, &m, &r);
	return agent_publish(a, WIRE_TOPIC_INVOKE_RESULTS, &r, agent_task_slot(a, t));
}

static void emit_one(struct agent *a, struct task *t)
{
	if (t->record_due && agent_journal_result(a, t)) {
		t->record_due = false;
	}
	if (t->record_due || !agent_online(a) || t->sent || t->outbox_count > 0) {
		return; /* records of the outbox go first; what moves them wakes us */
	}
	if (a->now_ms < t->report_ms) {
		agent_wake_at(a, t->report_ms);
		return;
	}
	if (!send(a, t)) {
		return;
	}
	t->sent = true;
	if (a->config->qos == 0) {
		agent_report_delivered(a, agent_task_slot(a, t), true);
	}
}

void agent_report_emit(struct agent *a)
{
	for (uint32_t i = 0; i < a->limits.tasks_max; i++) {
		if (a->tasks[i].state == AGENT_TASK_ENDED) {
			emit_one(a, &a->tasks[i]);
		}
	}
}

void agent_report_delivered(struct agent *a, uint16_t slot, bool ok)
{
	struct task *t = &a->tasks[slot];
	uint64_t retry_ms = RETRY_MS_MIN << BASE_MIN(t->tries, (uint16_t)4);

	if (t->state != AGENT_TASK_ENDED || !t->sent) {
		return;
	}
	if (ok && t->epoch == 0) {
		agent_task_forget(a, t);
		return;
	}
	t->sent = false;
	t->tries++;
	t->report_ms =
		a->now_ms +
		(ok ? agent_jittered(a, BASE_MIN(retry_ms, (uint64_t)RETRY_MS_MAX)) : FAILED_MS);
	agent_wake_at(a, t->report_ms);
}

void agent_report_lost(struct agent *a)
{
	for (uint32_t i = 0; i < a->limits.tasks_max; i++) {
		struct task *t = &a->tasks[i];

		if (t->state == AGENT_TASK_ENDED) {
			t->sent = false;
			t->report_ms = BASE_MIN(t->report_ms, a->now_ms + FAILED_MS);
		}
	}
}

void agent_report_refused(struct agent *a, const char *id, uint64_t epoch, enum wire_reason reason,
			  const char *why)
{
	struct wire_results m = {0};
	char text[200];

	fmt_str(text, sizeof(text), "%s%s", agent_reason_prefix(reason), why);
	WIRE_SET_STR(&m, results, task_id, id);
	WIRE_SET_STR(&m, results, proplet_id, a->config->proplet_id);
	WIRE_SET(&m, results, results, (struct wire_any){.at = ""});
	WIRE_SET_STR(&m, results, error, text);
	WIRE_SET(&m, results, reason, (uint8_t)reason);
	if (epoch != 0) {
		WIRE_SET(&m, results, epoch, (int64_t)epoch);
	}
	a->stats.refused++;
	agent_publish(a, WIRE_TOPIC_RESULTS, &m, NONE);
}
