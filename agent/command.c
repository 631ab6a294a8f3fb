/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands: start, stop, invoke, ack, lease.
 *
 * Rules: 1. A command that comes twice has the effect of one; a start, too, that comes again when its
 *           task has ended and is forgotten.
 *        2. A start is taken as a whole or refused as a whole, with the reason.
 *        3. An assignment with a higher epoch takes the place of a lower one; a lower one is ignored.
 *        4. A lease is counted from the alive message that it answers, on this worker's own clock, so
 *           that a start or a renewal gains nothing by being held up on its way.
 */
#include "agent/state.h"
#include "base/fmt.h"

enum {
	SOON_MS = 200
};

/* ---- a task's block: the run, then its texts one after the other */

struct texts {
	struct wire_text id, name, function, invocation;
	struct wire_list inputs, variables, variables2; /* variables2: the deployed ones */
};

static uint32_t texts_bytes(const struct texts *x)
{
	return (uint32_t)sizeof(struct agent_run) + x->id.bytes + x->name.bytes +
	       x->function.bytes + x->invocation.bytes + 4 + x->inputs.bytes + x->variables.bytes +
	       x->variables2.bytes;
}

static const char *keep_text(char **to, struct wire_text text)
{
	char *at = *to;

	if (text.bytes > 0) {
		memcpy(at, text.at, text.bytes);
	}
	at[text.bytes] = 0;
	*to = at + text.bytes + 1;
	return at;
}

static void keep_list(char **to, struct wire_list *out, const struct wire_list *list)
{
	if (list->bytes == 0) {
		return;
	}
	memcpy(*to, list->at, list->bytes);
	out->at = out->at != NULL ? out->at : *to;
	out->count += list->count;
	out->bytes += list->bytes;
	*to += list->bytes;
}

/* Makes the task's block; false when the pool has no room for it. */
static bool keep_texts(struct agent *a, struct task *t, const struct texts *x)
{
	uint32_t bytes = texts_bytes(x);
	char *to;

	agent_make_room(a, bytes);
	t->block = pool_alloc(&a->pool, bytes);
	if (t->block == NULL) {
		return false;
	}
	t->run = (struct agent_run *)t->block;
	memset(t->run, 0, sizeof(*t->run));
	to = t->block + sizeof(*t->run);
	t->id = keep_text(&to, x->id);
	t->name = keep_text(&to, x->name);
	t->function = x->function.bytes > 0 ? keep_text(&to, x->function) : t->name;
	t->invocation_id = x->invocation.bytes > 0 ? keep_text(&to, x->invocation) : NULL;
	keep_list(&to, &t->run->inputs, &x->inputs);
	keep_list(&to, &t->run->variables, &x->variables);
	keep_list(&to, &t->run->variables, &x->variables2);
	t->run->engine = a->engine;
	t->run->proplet_id = a->config->proplet_id;
	prng_init(&t->run->prng, prng_next(&a->prng));
	return true;
}

/* ---- start */

static uint32_t at_most(int64_t wanted, uint32_t most)
{
	uint32_t v = (uint32_t)BASE_MIN(wanted, (int64_t)UINT32_MAX);

	return most != 0 ? BASE_MIN(v, most) : v;
}

static void take_limits(struct agent *a, struct task *t, const struct wire_limits *m)
{
	const struct agent_limits *l = &a->limits;

	t->fuel_limit = WIRE_HAS(m, limits, fuel) ? (uint64_t)m->fuel : t->daemon ? 0 : l->fuel;
	t->time_ms = WIRE_HAS(m, limits, time_ms) ? at_most(m->time_ms, 0)
		     : t->daemon                  ? 0
						  : l->time_ms;
	t->stack_bytes =
		WIRE_HAS(m, limits, stack_bytes) ? at_most(m->stack_bytes, 0) : l->stack_bytes;
	t->heap_bytes = WIRE_HAS(m, limits, heap_bytes) ? at_most(m->heap_bytes, 0) : l->heap_bytes;
	t->explicit_memory = WIRE_HAS(m, limits, memory_bytes);
	t->memory_bytes = t->explicit_memory ? at_most(m->memory_bytes, l->memory_bytes_max)
					     : l->memory_bytes;
	t->output_bytes = WIRE_HAS(m, limits, output_bytes)
				  ? at_most(m->output_bytes, l->output_bytes_max)
			  : t->daemon ? 0
				      : l->output_bytes;
}

/* Seconds as Propeller's workers and documents have it, or nanoseconds as its manager does. */
static uint32_t profile_ms(const struct wire_profile *p, bool daemon)
{
	int64_t interval = p->interval;

	if (!p->enabled || (WIRE_HAS(p, profile, export_to_mqtt) && !p->export_to_mqtt)) {
		return 0;
	}
	if (!WIRE_HAS(p, profile, interval) || interval == 0) {
		return daemon ? 120000 : 10000;
	}
	if (interval >= 1000000) {
		return at_most(BASE_MAX(interval / 1000000, INT64_C(100)), 0);
	}
	return at_most(interval * 1000, 0);
}

static int cap_of(struct wire_text word)
{
	static const char *const words[] = {
#define X(name, text) text,
		AGENT_CAP_LIST(X)
#undef X
			NULL};

	return wire_word(words, word);
}

/* False when the task asks for what this worker does not have; it has ended then. */
static bool take_caps(struct agent *a, struct task *t, const struct wire_list *list)
{
	struct wire_text word;
	uint32_t at = 0;

	while (wire_list_next(list, &at, &word)) {
		int cap = cap_of(word);

		if (cap < 0 || !(a->config->capabilities >> cap & 1)) {
			agent_task_end(a, t, WIRE_REASON_REFUSED,
				       "this worker has no capability '%.*s'",
				       (int)BASE_MIN(word.bytes, 40u), word.at);
			return false;
		}
		t->caps |= 1u << cap;
	}
	return true;
}

/* The end of a lease that was granted for the alive or create message of that uptime; 0 when it is over, or
 * when no such message was sent since this worker started. */
static uint64_t lease_end(const struct agent *a, bool has_uptime, int64_t uptime_ms,
			  uint32_t lease_ms)
{
	uint64_t from = has_uptime ? a->init_ms + (uint64_t)uptime_ms : a->now_ms;

	if (lease_ms == 0) {
		return AGENT_NEVER;
	}
	return from <= a->now_ms && from + lease_ms > a->now_ms ? from + lease_ms : 0;
}

static void take_fields(struct agent *a, struct task *t, const struct wire_start *m)
{
	t->priority = WIRE_HAS(m, start, priority) ? (uint8_t)m->priority : 50;
	t->policy = m->policy;
	t->daemon = m->daemon;
	t->latent = m->latent;
	t->epoch = (uint64_t)m->epoch;
	t->lease_ms = at_most(m->lease_ms, 0);
	t->lease_end_ms = lease_end(a, WIRE_HAS(m, start, uptime_ms), m->uptime_ms, t->lease_ms);
	t->received_ms = t->started_ms = a->now_ms;
	t->metrics_ms = profile_ms(&m->monitoring_profile, t->daemon);
	t->metrics_at_ms = a->now_ms + BASE_MIN(t->metrics_ms, 100u);
	take_limits(a, t, &m->limits);
}

/* The module of the start: inline and complete, known, or to be fetched. Ends the task if none. */
static bool take_module(struct agent *a, struct task *t, const struct wire_start *m)
{
	struct inbox *in = &a->inbox;
	struct module *module;

	if (in->problem[0] != 0) {
		agent_task_end(a, t, agent_module_reason(in->problem), "%s", in->problem);
		return false;
	}
	if (in->module != NONE) {
		t->module = in->module;
		a->modules[in->module].refs++;
		in->module = NONE;
		return true;
	}
	if (WIRE_HAS(m, start, file)) {
		agent_task_end(a, t, WIRE_REASON_MODULE, "the file is empty");
		return false;
	}
	module = agent_image_want(a, t, m);
	if (module != NULL) {
		/* its module runs instead if it cannot be had */
	} else if (WIRE_HAS(m, start, module)) {
		module = agent_module_want(a, m->module.digest.sha256, NULL,
					   (uint32_t)m->module.size, in->problem,
					   sizeof(in->problem));
	} else if (m->image_url.bytes > 0) {
		module = agent_module_want(a, NULL, m->image_url.at, 0, in->problem,
					   sizeof(in->problem));
	} else {
		agent_task_end(a, t, WIRE_REASON_REFUSED,
			       "the start has no file, module or image_url");
		return false;
	}
	if (module == NULL) {
		agent_task_end(a, t, WIRE_REASON_REFUSED, "%s", in->problem);
		return false;
	}
	if (module->image && !WIRE_HAS(m, start, native)) {
		agent_task_end(a, t, WIRE_REASON_MODULE, "a native image was named as a module");
		return false;
	}
	t->module = agent_module_idx(a, module);
	module->refs++;
	return true;
}

bool agent_task_make(struct agent *a, struct task *t, const struct wire_start *m)
{
	struct texts x = {.id = m->id,
			  .name = m->name,
			  .function = m->function,
			  .inputs = m->inputs,
			  .variables = m->env};

	take_fields(a, t, m);
	CHECK(keep_texts(a, t, &x), false);
	agent_task_set(a, t, AGENT_TASK_FETCHING);
	return true;
}

bool agent_start_new(struct agent *a, struct task *t, const struct wire_start *m)
{
	CHECK(agent_task_make(a, t, m), false);
	a->stats.started++;
	if (m->encrypted) {
		agent_task_end(a, t, WIRE_REASON_REFUSED, "encrypted images are not supported");
		return true;
	}
	if (!take_caps(a, t, &m->capabilities) || !take_module(a, t, m)) {
		return true;
	}
	if (t->epoch != 0 && a->config->journal && !t->journaled &&
	    !agent_journal_accept(a, t, m)) {
		agent_task_end(a, t, WIRE_REASON_REFUSED, "the start is too long for the journal");
		return true;
	}
	if (a->modules[t->module].state == MODULE_LOADED) {
		agent_launch(a, t);
	}
	return true;
}

/* What to do with a start of a task that we have already. True: go on and start it. */
static bool supersedes(struct agent *a, struct task *t, const struct wire_start *m)
{
	uint64_t epoch = (uint64_t)m->epoch;

	if (epoch < t->epoch) {
		agent_act_log(a, AGENT_LOG_INFO, "start of %s with an old epoch is ignored", t->id);
		return false;
	}
	if (epoch == t->epoch && (t->state != AGENT_TASK_ENDED || epoch != 0)) {
		if (t->state == AGENT_TASK_ENDED && !t->sent) {
			t->report_ms = a->now_ms; /* the manager does not know: tell it again */
		}
		return false;
	}
	agent_task_forget(a, t);
	return true;
}

/* A loaded module of the same bytes; NULL if there is none. */
static struct module *loaded_twin(struct agent *a, const struct module *m)
{
	for (uint32_t i = 0; i < a->limits.modules_max; i++) {
		struct module *other = &a->modules[i];

		if (other != m && other->state == MODULE_LOADED && other->has_digest &&
		    memcmp(other->digest, m->digest, sizeof(m->digest)) == 0) {
			return other;
		}
	}
	return NULL;
}

/* The inline module is complete only now that the message is; the same may be here already. */
static void inline_end(struct agent *a)
{
	struct inbox *in = &a->inbox;
	struct module *m, *twin;
	bool loaded;

	if (in->module == NONE) {
		return;
	}
	m = &a->modules[in->module];
	loaded = agent_module_end(a, m, in->problem, sizeof(in->problem));
	twin = loaded_twin(a, m);
	if (twin == NULL && loaded) {
		return;
	}
	agent_module_drop(a, m);
	in->module = NONE;
	if (twin != NULL) {
		twin->used_ms = a->now_ms;
		in->module = agent_module_idx(a, twin);
		in->problem[0] = 0;
	}
}

/* Gives back an inline module that no task took. */
static void inline_unused(struct agent *a)
{
	struct inbox *in = &a->inbox;

	if (in->module != NONE && a->modules[in->module].refs == 0 &&
	    a->modules[in->module].state != MODULE_LOADED) {
		agent_module_drop(a, &a->modules[in->module]);
	}
	in->module = NONE;
}

static uint64_t hash(struct wire_text id)
{
	uint64_t h = 0xCBF29CE484222325u;

	for (uint32_t i = 0; i < id.bytes; i++) {
		h = (h ^ (uint8_t)id.at[i]) * 0x100000001B3u;
	}
	return h;
}

static const struct done *done_of(const struct agent *a, const struct wire_start *m)
{
	uint64_t id = hash(m->id);

	for (uint32_t i = 0; m->epoch != 0 && i < DONE_MAX; i++) {
		if (a->done[i].id == id && (uint64_t)m->epoch <= a->done[i].epoch) {
			return &a->done[i];
		}
	}
	return NULL;
}

/* The assignment is over: whatever start of it is still on its way comes too late. refused: a refusal is
 * for good, since the manager gives the task to another when it hears of it. */
static void remember(struct agent *a, struct wire_text id, int64_t epoch, const char *refused)
{
	struct done over = {hash(id), (uint64_t)epoch, refused};

	for (uint32_t i = 0; i < DONE_MAX; i++) {
		if (a->done[i].id == over.id) { /* a task has one entry, of its latest assignment */
			a->done[i] = a->done[i].epoch > over.epoch ? a->done[i] : over;
			return;
		}
	}
	a->done[a->done_next++ % DONE_MAX] = over;
}

/* Why a start is not for now; NULL when it is. */
static const char *untimely(const struct agent *a, const struct wire_start *m)
{
	if (WIRE_HAS(m, start, connection) && (uint64_t)m->connection != a->link_id) {
		return "was sent to an earlier connection";
	}
	if (lease_end(a, WIRE_HAS(m, start, uptime_ms), m->uptime_ms, at_most(m->lease_ms, 0)) ==
	    0) {
		return "came after the end of its lease";
	}
	return done_of(a, m) != NULL ? "came again after its end" : NULL;
}

static void refuse(struct agent *a, const struct wire_start *m, const char *why)
{
	agent_report_refused(a, m->id.at, (uint64_t)m->epoch, WIRE_REASON_REFUSED, why);
}

/* The first answer may not have arrived. */
static void refuse_again(struct agent *a, const struct wire_start *m)
{
	const struct done *d = done_of(a, m);

	if (d != NULL && d->refused != NULL && d->epoch == (uint64_t)m->epoch) {
		refuse(a, m, d->refused);
	}
}

void agent_command_start(struct agent *a)
{
	const struct wire_start *m = &a->inbox.m.start;
	const char *why = untimely(a, m);
	struct task *t;

	inline_end(a);
	if (why != NULL) {
		agent_act_log(a, AGENT_LOG_WARN, "start of %s %s", m->id.at, why);
		a->stats.starts_late++;
		refuse_again(a, m);
		/* The manager sees soon that it is not here; once for many. */
		a->alive_ms = BASE_MIN(a->alive_ms, a->now_ms + SOON_MS);
		inline_unused(a);
		return;
	}
	t = agent_task_find(a, m->id, wire_text_of(""));
	if (t != NULL && !supersedes(a, t, m)) {
		inline_unused(a);
		return;
	}
	t = agent_task_free_slot(a);
	if (t == NULL || !agent_start_new(a, t, m)) {
		why = t == NULL ? "no room: every task slot is taken"
				: "no room: the pool cannot hold the task's inputs";
		remember(a, m->id, m->epoch, why);
		refuse(a, m, why);
	}
	inline_unused(a);
}

/* ---- stop */

static void stop_task(struct agent *a, struct task *t, const char *why)
{
	if (t->state == AGENT_TASK_ENDED) {
		return;
	}
	if (t->state == AGENT_TASK_LATENT && t->epoch == 0) {
		agent_task_forget(a, t); /* Propeller's manager would take a report for a failure */
		return;
	}
	agent_task_end(a, t, WIRE_REASON_STOPPED, "%s", why);
}

void agent_stop_by_id(struct agent *a, struct wire_text id, const char *why)
{
	for (uint32_t i = 0; i < a->limits.tasks_max; i++) {
		struct task *t = &a->tasks[i];

		if (t->state != AGENT_TASK_FREE && wire_text_is(id, t->id)) {
			stop_task(a, t, why);
		}
	}
}

void agent_command_stop(struct agent *a)
{
	const struct wire_stop *m = &a->inbox.m.stop;
	struct task *t = agent_task_find(a, m->id, wire_text_of(""));

	if (!agent_for_us(a, WIRE_HAS(m, stop, proplet_id), m->proplet_id, m->broadcast)) {
		return;
	}
	if (t != NULL && WIRE_HAS(m, stop, epoch) && (uint64_t)m->epoch < t->epoch) {
		agent_act_log(a, AGENT_LOG_INFO, "stop of %s with an old epoch is ignored", t->id);
		return;
	}
	if (t == NULL && m->epoch != 0) {
		/* The answer may not arrive: a start that comes instead of a stop is answered, too. */
		remember(a, m->id, m->epoch, "it was stopped before it came");
		agent_report_refused(a, m->id.at, (uint64_t)m->epoch, WIRE_REASON_LOST,
				     "the worker does not have this task");
		return;
	}
	agent_stop_by_id(a, m->id, "by command");
}

/* ---- invoke */

static bool invoke_new(struct agent *a, struct task *t, struct task *latent,
		       const struct wire_invoke *m)
{
	struct texts x = {
		.id = m->id,
		.name = wire_text_of(latent->name),
		.function = wire_text_of(latent->function),
		.invocation = m->invocation_id,
		.inputs = m->inputs.count > 0 ? m->inputs : latent->run->inputs,
		.variables = m->env,
		.variables2 = latent->run->variables,
	};

	t->priority = latent->priority;
	t->policy = WIRE_POLICY_KEEP;
	t->lease_end_ms = AGENT_NEVER;
	t->received_ms = t->started_ms = a->now_ms;
	t->fuel_limit = latent->fuel_limit;
	t->time_ms = latent->time_ms;
	t->stack_bytes = latent->stack_bytes;
	t->heap_bytes = latent->heap_bytes;
	t->memory_bytes = latent->memory_bytes;
	t->explicit_memory = latent->explicit_memory;
	t->output_bytes = latent->output_bytes;
	t->caps = latent->caps;
	if (!keep_texts(a, t, &x)) {
		return false;
	}
	t->module = latent->module;
	a->modules[t->module].refs++;
	a->stats.started++;
	agent_task_set(a, t, AGENT_TASK_FETCHING);
	agent_launch(a, t);
	return true;
}

static void refuse_invoke(struct agent *a, const struct wire_invoke *m, const char *why)
{
	struct wire_invoke_results r = {0};
	char text[128];

	fmt_str(text, sizeof(text), "refused: %s", why);
	WIRE_SET(&r, invoke_results, task_id, m->id);
	WIRE_SET(&r, invoke_results, invocation_id, m->invocation_id);
	WIRE_SET_STR(&r, invoke_results, proplet_id, a->config->proplet_id);
	WIRE_SET(&r, invoke_results, results, (struct wire_any){.at = ""});
	WIRE_SET_STR(&r, invoke_results, error, text);
	WIRE_SET(&r, invoke_results, reason, WIRE_REASON_REFUSED);
	agent_publish(a, WIRE_TOPIC_INVOKE_RESULTS, &r, NONE);
}

void agent_command_invoke(struct agent *a)
{
	const struct wire_invoke *m = &a->inbox.m.invoke;
	struct task *latent = agent_task_find(a, m->id, wire_text_of("")), *t;

	if (!agent_for_us(a, WIRE_HAS(m, invoke, proplet_id), m->proplet_id, m->broadcast) ||
	    agent_task_find(a, m->id, m->invocation_id) != NULL) {
		return;
	}
	if (latent == NULL || latent->state != AGENT_TASK_LATENT) {
		/* The words by which Propeller's manager knows that it must deploy first. */
		refuse_invoke(a, m,
			      latent == NULL ? "the task has not been precompiled here"
					     : "the task is not deployed yet");
		return;
	}
	t = agent_task_free_slot(a);
	if (t == NULL || !invoke_new(a, t, latent, m)) {
		refuse_invoke(a, m, "no room for another invocation");
	}
}

/* ---- ack, lease */

void agent_command_ack(struct agent *a)
{
	const struct wire_ack *m = &a->inbox.m.ack;
	struct task *t = agent_task_find(a, m->task_id, wire_text_of(""));

	if (t != NULL && t->state == AGENT_TASK_ENDED && t->epoch == (uint64_t)m->epoch) {
		remember(a, m->task_id, m->epoch, NULL);
		agent_task_forget(a, t);
	}
}

void agent_command_lease(struct agent *a)
{
	const struct wire_lease *m = &a->inbox.m.lease;
	uint32_t ms = at_most(m->lease_ms, 0);
	uint64_t end = lease_end(a, WIRE_HAS(m, lease, uptime_ms), m->uptime_ms, ms);

	/* A manager that was not there when this worker announced itself. */
	if (m->announce) {
		a->create_due = a->alive_due = true;
	}
	if (end == 0 || (WIRE_HAS(m, lease, connection) && (uint64_t)m->connection != a->link_id)) {
		return;
	}
	for (const struct wire_link *link = m->tasks.first; link != NULL; link = link->next) {
		const struct wire_held *held = (const struct wire_held *)link;
		struct task *t = agent_task_find(a, held->id, wire_text_of(""));

		if (t == NULL || t->epoch != (uint64_t)held->epoch) {
			continue;
		}
		t->lease_ms = ms;
		t->lease_end_ms = t->unsure ? end : BASE_MAX(end, t->lease_end_ms);
		t->lease_over = t->unsure = false;
		if (t->state == AGENT_TASK_PARKED) {
			agent_task_set(a, t, (enum agent_task_state)t->unparked);
		}
	}
}
