/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries out the core's actions: writes, messages, those who wait.
 *
 * In:    events. Out: rows in the store, messages in the outbox, wakened waiters.
 * Rules: see service.h.
 */
#include "manager/http/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void service_time(struct service *s)
{
	struct timespec mono, real;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &real);
	s->now_ms = (uint64_t)mono.tv_sec * 1000 + (uint64_t)mono.tv_nsec / 1000000;
	s->wall_ms = (int64_t)real.tv_sec * 1000 + real.tv_nsec / 1000000;
}

/* ---- messages ---- */

void service_publish(struct service *s, const char *topic, char *payload, size_t bytes, int qos)
{
	char full[600];

	if (s->outbox_count == s->outbox_capacity) {
		size_t capacity = s->outbox_capacity != 0 ? s->outbox_capacity * 2 : 64;
		struct message *grown = realloc(s->outbox, capacity * sizeof(*grown));

		if (grown == NULL) {
			log_line("error", "msg=\"out of memory: message lost\" topic=%s", topic);
			free(payload);
			return;
		}
		s->outbox = grown;
		s->outbox_capacity = capacity;
	}
	snprintf(full, sizeof(full), "m/%s/c/%s/%s", s->config.tenant, s->config.channel, topic);
	s->outbox[s->outbox_count++] = (struct message){strdup(full), payload, bytes, qos};
	s->stats.messages_out++;
}

void service_publish_json(struct service *s, const char *topic, json_t *taken, int qos)
{
	char *payload = json_dumps(taken, JSON_COMPACT);

	json_decref(taken);
	if (payload != NULL) {
		service_publish(s, topic, payload, strlen(payload), qos);
	}
}

void service_outbox_clear(struct service *s)
{
	for (size_t i = 0; i < s->outbox_count; i++) {
		free(s->outbox[i].topic);
		free(s->outbox[i].payload);
	}
	s->outbox_count = 0;
}

/* ---- those who wait ---- */

static struct waiter **bucket(struct service *s, const char *key)
{
	return &s->waiters[text_hash(key) % BASE_COUNT(s->waiters)];
}

void service_wait(struct service *s, struct waiter *w, const char *key, uint64_t deadline_ms)
{
	struct waiter **b = bucket(s, key);

	snprintf(w->key, sizeof(w->key), "%s", key);
	w->deadline_ms = deadline_ms;
	w->done = false;
	w->timed_out = false;
	w->next = *b;
	*b = w;
	s->waiter_count++;
	s->wake_ms = BASE_MIN(s->wake_ms, deadline_ms);
}

static void wake_at(struct service *s, struct waiter **at, bool timed_out)
{
	struct waiter *w = *at;

	*at = w->next;
	s->waiter_count--;
	w->done = true;
	w->timed_out = timed_out;
	w->next = s->woken;
	s->woken = w;
}

void service_wake(struct service *s, const char *key, const char *text, bool failed)
{
	for (struct waiter **at = bucket(s, key); *at != NULL;) {
		struct waiter *w = *at;

		if (strcmp(w->key, key) != 0) {
			at = &w->next;
			continue;
		}
		free(w->text);
		w->text = text != NULL ? strdup(text) : NULL;
		w->failed = failed;
		wake_at(s, at, false);
	}
}

/* Wakes those whose time is up; returns the next deadline. */
static uint64_t expire(struct service *s)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < BASE_COUNT(s->waiters) && s->waiter_count > 0; i++) {
		for (struct waiter **at = &s->waiters[i]; *at != NULL;) {
			if ((*at)->deadline_ms <= s->now_ms) {
				wake_at(s, at, true);
			} else {
				next = BASE_MIN(next, (*at)->deadline_ms);
				at = &(*at)->next;
			}
		}
	}
	return next;
}

void service_wake_pending(struct service *s)
{
	while (s->woken != NULL) {
		struct waiter *w = s->woken;

		s->woken = w->next;
		w->wake(w);
	}
}

/* ---- events for people ---- */

void service_note(struct service *s, const char *kind, const char *subject, json_t *taken)
{
	struct fleet_event *slot = &s->events[++s->event_seq % SERVICE_EVENTS_MAX];
	char stamp[40];

	json_object_set_new(taken, "kind", json_string(kind));
	json_object_set_new(taken, "time", json_string(time_text(s->wall_ms, stamp)));
	json_object_set_new(taken, "seq", json_integer((json_int_t)s->event_seq));
	free(slot->json);
	slot->seq = s->event_seq;
	slot->json = json_dumps(taken, JSON_COMPACT);
	json_decref(taken);
	snprintf(slot->subject, sizeof(slot->subject), "%s", subject);
}

/* ---- actions ---- */

void service_must(struct service *s, enum store_err err, const char *what)
{
	if (err == STORE_FAILED) {
		log_line("error",
			 "msg=\"the store failed; ending, what is stored stays true\" what=\"%s\" "
			 "error=\"%s\"",
			 what, store_error(s->store));
		exit(74);
	}
}

static json_t *report_of(const json_t *result)
{
	static const char *const keys[] = {"fuel",        "duration_ms", "memory_bytes",
					   "stack_bytes", "backtrace",   "exit_code",
					   "engine"};
	json_t *report = json_object();

	for (size_t i = 0; i < BASE_COUNT(keys); i++) {
		json_t *v = json_object_get(result, keys[i]);

		if (v != NULL && !json_is_null(v)) {
			json_object_set(report, keys[i], v);
		}
	}
	return report;
}

static char *results_text(const json_t *result)
{
	const json_t *v = json_object_get(result, "results");

	if (v == NULL || json_is_null(v)) {
		return NULL;
	}
	return json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
}

static bool is_terminal(int state)
{
	return state >= MANAGER_COMPLETED;
}

static void store_task(struct service *s, const struct manager_action *a, bool with_result)
{
	const struct manager_task *t = a->task;
	struct store_task row = {
		.id = t->id,
		.node_id = a->node != NULL ? a->node->id : NULL,
		.error = a->text,
		.updated_ms = s->wall_ms,
		.epoch = a->epoch,
		.state = t->state,
		.phase = t->phase,
	};
	char *results = NULL, *report = NULL;

	if (t->phase == MANAGER_PHASE_ASSIGNED ||
	    (t->is_broadcast && t->state == MANAGER_RUNNING)) {
		row.start_ms = s->wall_ms;
		row.clear = true;
	}
	if (is_terminal(t->state)) {
		row.finish_ms = s->wall_ms;
	}
	if (with_result && s->result != NULL) {
		json_t *r = report_of(s->result);

		json_object_set_new(r, "reason", json_string(manager_reason_word(a->reason)));
		report = json_dumps(r, JSON_COMPACT);
		json_decref(r);
		results = results_text(s->result);
		row.error = row.error != NULL ? row.error : string_of(s->result, "error");
	} else if (is_terminal(t->state) && a->reason != MANAGER_REASON_DONE) {
		char text[64];

		snprintf(text, sizeof(text), "{\"reason\":\"%s\"}", manager_reason_word(a->reason));
		report = strdup(text);
	}
	row.results = results;
	row.report = report;
	service_must(s, store_task_move(s->store, &row), "task");
	free(results);
	free(report);
	if (is_terminal(t->state) || t->phase == MANAGER_PHASE_DONE) {
		s->stats.results++;
		service_wake(s, t->id, NULL, false);
	}
}

/* One node's result of a broadcast: kept for itself, and as the task's latest; or why it has none. */
static void store_part(struct service *s, const struct manager_action *a)
{
	const json_t *result = a->text == NULL ? s->result : NULL;
	json_t *part = report_of(result);
	struct store_task row = {.id = a->task->id,
				 .state = a->task->state,
				 .phase = a->task->phase,
				 .epoch = a->task->epoch,
				 .updated_ms = s->wall_ms};
	char *results = results_text(result), *body;

	json_object_set_new(part, "proplet_id",
			    a->node != NULL ? json_string(a->node->id) : json_null());
	json_object_set_new(part, "epoch", json_integer(a->epoch));
	json_object_set(part, "results", json_object_get(result, "results"));
	json_object_set(part, "error", json_object_get(result, "error"));
	if (a->text != NULL) {
		json_object_set_new(part, "error", json_string(a->text));
	}
	body = json_dumps(part, JSON_COMPACT);
	json_decref(part);
	service_must(s,
		     store_history_add(s->store, STORE_PART, a->task->id, s->wall_ms, body, 10000),
		     "part");
	row.results = results;
	service_must(s, store_task_move(s->store, &row), "part");
	free(body);
	free(results);
}

static char *alive_json(const struct manager_node *n)
{
	json_t *list = json_array();
	uint32_t count = BASE_MIN(n->alive_count, MANAGER_ALIVE_AT_MAX);
	char *text;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = (n->alive_count - count + i) % MANAGER_ALIVE_AT_MAX;

		json_array_append_new(list, json_integer((json_int_t)n->alive_at_ms[at]));
	}
	text = json_dumps(list, JSON_COMPACT);
	json_decref(list);
	return text;
}

static void store_node(struct service *s, const struct manager_node *n)
{
	char *alive = alive_json(n);
	struct store_node row = {
		.id = n->id, .name = n->name, .alive_at = alive, .draining = n->fit.draining};
	enum store_err err = store_node_touch(s->store, &row);

	if (err == STORE_ABSENT) {
		/* It has sent heartbeats alone so far. */
		row.metadata = "{}";
		row.created_ms = s->wall_ms;
		err = store_node_put(s->store, &row);
	}
	service_must(s, err, "node");
	free(alive);
}

static void note(struct service *s, const struct manager_action *a)
{
	json_t *n = json_object();

	if (a->task != NULL) {
		json_object_set_new(n, "task_id", json_string(a->task->id));
		json_object_set_new(n, "state", json_integer(a->task->state));
		json_object_set_new(n, "phase", json_string(manager_phase_word(a->task->phase)));
		json_object_set_new(n, "epoch", json_integer(a->epoch));
	}
	if (a->node != NULL) {
		json_object_set_new(n, "proplet_id", json_string(a->node->id));
	}
	if (a->note != MANAGER_NOTE_TASK_PHASE) {
		log_line("info", "event=%s%s%s%s%s", manager_note_word(a->note),
			 a->node != NULL ? " node=" : "", a->node != NULL ? a->node->id : "",
			 a->task != NULL ? " task=" : "", a->task != NULL ? a->task->id : "");
	}
	service_note(s, manager_note_word(a->note),
		     a->task != NULL   ? a->task->id
		     : a->node != NULL ? a->node->id
				       : "",
		     n);
}

struct schedule_read {
	struct service *s;
	int64_t next_ms;
};

static void read_schedule(void *user, const struct store_task *row)
{
	struct schedule_read *r = user;
	json_t *spec = json_loads(row->spec, 0, NULL);

	if (spec != NULL && bool_of(spec, "is_recurring")) {
		r->next_ms = task_next_run(spec, r->s->wall_ms);
	}
	json_decref(spec);
}

static void step(struct service *s, struct manager_event *e);

static void act(struct service *s, const struct manager_action *a)
{
	switch (a->kind) {
	case MANAGER_ACTION_STORE_TASK:
		store_task(s, a, false);
		break;
	case MANAGER_ACTION_STORE_RESULT:
		store_task(s, a, true);
		break;
	case MANAGER_ACTION_STORE_PART:
		store_part(s, a);
		break;
	case MANAGER_ACTION_STORE_NODE:
		store_node(s, a->node);
		break;
	case MANAGER_ACTION_SEND_START:
		s->stats.starts++;
		send_start(s, a);
		break;
	case MANAGER_ACTION_SEND_STOP:
		s->stats.stops++;
		send_stop(s, a);
		break;
	case MANAGER_ACTION_SEND_ACK:
		send_ack(s, a);
		break;
	case MANAGER_ACTION_SEND_LEASE:
		send_lease(s, a);
		break;
	case MANAGER_ACTION_SEND_INVOKE:
		s->stats.invokes++;
		send_invoke(s, a);
		break;
	case MANAGER_ACTION_ANSWER:
		if (a->request == s->answer_request) {
			s->answer = a->answer;
		}
		break;
	case MANAGER_ACTION_NOTE:
		note(s, a);
		break;
	case MANAGER_ACTION_SCHEDULE:
		break; /* after the step: it is an event of its own */
	}
}

/* Tasks whose schedule fired in this step; their ids, for events after it. */
struct fired {
	char (*ids)[MANAGER_ID_BYTES];
	size_t count;
};

static struct fired collect_fired(struct service *s)
{
	struct fired f = {0};

	for (uint32_t i = 0; i < s->actions.count; i++) {
		f.count += s->actions.list[i].kind == MANAGER_ACTION_SCHEDULE;
	}
	f.ids = f.count != 0 ? calloc(f.count, MANAGER_ID_BYTES) : NULL;
	f.count = 0;
	for (uint32_t i = 0; f.ids != NULL && i < s->actions.count; i++) {
		if (s->actions.list[i].kind == MANAGER_ACTION_SCHEDULE) {
			memcpy(f.ids[f.count++], s->actions.list[i].task->id, MANAGER_ID_BYTES);
		}
	}
	return f;
}

static void reschedule(struct service *s, const char *id)
{
	struct schedule_read r = {s, 0};
	struct manager_event e = {.kind = MANAGER_EVENT_TASK_SCHEDULE, .u.task.id = id};

	service_must(s, store_task_get(s->store, id, read_schedule, &r), "schedule");
	service_must(s, store_task_schedule(s->store, id, r.next_ms), "schedule");
	e.u.task.next_run_ms = r.next_ms;
	step(s, &e);
}

static void step(struct service *s, struct manager_event *e)
{
	struct fired fired;

	e->now_ms = s->now_ms;
	e->wall_ms = s->wall_ms;
	for (;;) {
		manager_step(s->core, e, &s->actions);
		for (uint32_t i = 0; i < s->actions.count; i++) {
			act(s, &s->actions.list[i]);
		}
		fired = collect_fired(s);
		for (size_t i = 0; i < fired.count; i++) {
			reschedule(s, fired.ids[i]);
		}
		free(fired.ids);
		if (s->actions.wake_ms > s->now_ms) {
			break;
		}
		*e = (struct manager_event){
			.kind = MANAGER_EVENT_TICK, .now_ms = s->now_ms, .wall_ms = s->wall_ms};
	}
	s->wake_ms = BASE_MIN(s->wake_ms, s->actions.wake_ms);
}

enum manager_answer service_event(struct service *s, struct manager_event *e)
{
	e->request = ++s->next_request;
	s->answer_request = e->request;
	s->answer = MANAGER_ANSWER_OK;
	s->invoke_sent = false;
	step(s, e);
	return s->answer;
}

void service_tick(struct service *s)
{
	struct manager_event e = {.kind = MANAGER_EVENT_TICK};
	uint64_t next = expire(s);

	s->wake_ms = next;
	step(s, &e);
}

uint64_t service_wake_ms(const struct service *s)
{
	return s->wake_ms;
}

void service_commit(struct service *s)
{
	if (store_dirty(s->store)) {
		service_must(s, store_commit(s->store), "commit");
	}
}

/* ---- downloads ---- */

static void fail_download(struct service *s, const char *task_id, const char *url, const char *why)
{
	char text[SERVICE_TEXT];
	struct store_task row = {.id = task_id,
				 .state = MANAGER_FAILED,
				 .phase = MANAGER_PHASE_DONE,
				 .error = text,
				 .report = "{\"reason\":\"module\"}",
				 .updated_ms = s->wall_ms,
				 .finish_ms = s->wall_ms};

	snprintf(text, sizeof(text), "module: cannot download %.300s: %s", url, why);
	service_must(s, store_task_move(s->store, &row), "download");
	service_wake(s, task_id, NULL, false);
}

static void read_spec(void *user, const struct store_task *row)
{
	*(json_t **)user = json_loads(row->spec, 0, NULL);
}

static bool give_module(struct service *s, const char *task_id, const char *digest, size_t size)
{
	json_t *spec = NULL;
	struct store_task row = {.id = task_id, .updated_ms = s->wall_ms};
	char *text;
	bool ok;

	if (store_task_get(s->store, task_id, read_spec, &spec) != STORE_OK || spec == NULL) {
		return false; /* deleted meanwhile */
	}
	json_object_set_new(spec, "module",
			    json_pack("{s:s, s:I}", "digest", digest, "size", (json_int_t)size));
	text = json_dumps(spec, JSON_COMPACT);
	row.spec = text;
	row.name = string_of(spec, "name");
	row.priority = (int)int_of(spec, "priority", 50);
	row.next_run_ms = task_next_run(spec, s->wall_ms);
	ok = store_task_update(s->store, &row) == STORE_OK;
	free(text);
	json_decref(spec);
	return ok;
}

void service_downloaded(struct service *s, const char *task_id, const char *url, const void *bytes,
			size_t size, const char *error)
{
	struct manager_event e = {.kind = MANAGER_EVENT_TASK_START};
	char digest[72], text[SERVICE_TEXT] = "";

	if (error[0] != '\0' ||
	    !module_keep(s, bytes != NULL ? bytes : "", size, url, digest, text, sizeof(text))) {
		fail_download(s, task_id, url, error[0] != '\0' ? error : text);
		return;
	}
	if (!give_module(s, task_id, digest, size)) {
		return;
	}
	if (!task_load(s, task_id, text, sizeof(text))) {
		fail_download(s, task_id, url, text);
		return;
	}
	e.u.task.id = task_id;
	e.u.task.queue = true;
	(void)service_event(s, &e);
}

/* ---- open and close ---- */

static void restore_node(void *user, const struct store_node *row)
{
	struct service *s = user;
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_RESTORE};
	json_t *metadata = json_loads(row->metadata, 0, NULL);

	node_facts(row->id, metadata, &e.u.node);
	images_node(s, metadata, &e.u.node.aot);
	e.u.node.name = row->name;
	(void)service_event(s, &e);
	json_decref(metadata);
	if (row->draining) {
		e = (struct manager_event){.kind = MANAGER_EVENT_NODE_DRAIN};
		e.u.node_id.id = row->id;
		e.u.node_id.drain = true;
		(void)service_event(s, &e);
	}
}

bool service_open(struct service *s, const struct service_config *config,
		  const struct service_limits *limits, const struct manager_config *core,
		  const char *store_url, bool quick, char *error, size_t error_bytes)
{
	struct manager_limits l = {
		.nodes_max = limits->nodes_max,
		.tasks_max = limits->tasks_max,
		.groups_max = limits->tasks_max / 8 + 16,
		.edges_max = limits->tasks_max,
		.broadcasts_max = 256,
	};
	size_t bytes = manager_mem_bytes(&l);

	s->config = *config;
	s->store = store_open(store_url, quick, error, error_bytes);
	if (s->store == NULL) {
		return false;
	}
	s->core_mem = calloc(1, bytes);
	if (s->core_mem == NULL) {
		snprintf(error, error_bytes, "out of memory: %zu bytes for %u nodes and %u tasks",
			 bytes, l.nodes_max, l.tasks_max);
		return false;
	}
	s->core = manager_init(&l, core, s->core_mem, bytes);
	service_time(s);
	if (!images_open(s, &config->images, error, error_bytes)) {
		return false;
	}
	s->started_ms = s->now_ms;
	s->wake_ms = s->now_ms;
	service_must(s, store_node_list(s->store, 0, INT64_MAX, restore_node, s), "nodes");
	task_restore_all(s);
	service_commit(s);
	return true;
}

void service_close(struct service *s)
{
	for (uint32_t i = 0; s->core != NULL && i < manager_node_slots(s->core); i++) {
		const struct manager_node *n = manager_node_at(s->core, i);

		if (n != NULL) {
			store_node(s, n);
		}
	}
	store_close(s->store);
	service_outbox_clear(s);
	module_cache_free(s);
	images_close(s);
	free(s->outbox);
	free(s->core_mem);
	for (size_t i = 0; i < SERVICE_EVENTS_MAX; i++) {
		free(s->events[i].json);
	}
}
