/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of workers, and the texts of requests.
 *
 * In:    JSON of any peer: Propeller's Rust and embedded workers, and ours.
 * Out:   events for the core, history, wakened waiters.
 * Rules: a message that is wrong is counted and logged with its reason; nothing else happens.
 */
#include "manager/http/service.h"

#include <stdio.h>
#include <stdlib.h>

#define LOGS_KEPT    1000
#define OUTPUTS_KEPT 1000
#define HELD_MAX     4096

static void bad(struct service *s, const char *topic, const char *why)
{
	s->stats.bad_messages++;
	log_line("warn", "msg=\"message refused\" topic=%s reason=\"%s\"", topic, why);
}

/* A member that must be a usable id; NULL otherwise. */
static const char *id_of(const json_t *m, const char *key)
{
	const char *id = string_of(m, key);

	return id != NULL && id_valid(id) ? id : NULL;
}

static void on_create(struct service *s, const char *topic, json_t *m)
{
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_CREATE};
	json_t *metadata = json_object_get(m, "metadata");
	const char *id = id_of(m, "proplet_id");
	struct store_node row = {.alive_at = "[]", .created_ms = s->wall_ms};
	const struct manager_node *n;
	char name[MANAGER_NAME_BYTES];
	char *text;

	if (id == NULL) {
		bad(s, topic, "proplet_id: expected an id");
		return;
	}
	metadata = json_is_object(metadata) ? json_incref(metadata) : json_object();
	node_facts(id, metadata, &e.u.node);
	images_node(s, metadata, &e.u.node.aot);
	images_node_new(s, id);
	e.u.node.connection = (uint64_t)int_of(m, "connection", 0);
	e.u.node.has_uptime = int_of(m, "uptime_ms", -1) >= 0;
	e.u.node.uptime_ms = (uint64_t)int_of(m, "uptime_ms", 0);
	name_make(name, sizeof(name));
	e.u.node.name = name;
	text = json_dumps(metadata, JSON_COMPACT);
	n = manager_node_find(s->core, id);
	row.id = id;
	row.name = n != NULL && n->name[0] != '\0' ? n->name : name;
	row.metadata = text;
	row.draining = n != NULL && n->fit.draining;
	if (store_node_put(s->store, &row) != STORE_OK) {
		log_line("error", "msg=\"cannot store a node\" error=\"%s\"",
			 store_error(s->store));
	}
	(void)service_event(s, &e);
	log_line("info", "event=node_announced node=%s arch=%s engine=%s", id,
		 string_of(metadata, "cpu_arch") ? string_of(metadata, "cpu_arch") : "?",
		 string_of(metadata, "engine") ? string_of(metadata, "engine") : "?");
	free(text);
	json_decref(metadata);
}

static uint32_t number_u32(const json_t *m, const char *key)
{
	int64_t v = int_of(m, key, 0);

	return v < 0 ? 0 : v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static uint32_t take_held(const json_t *tasks, struct manager_held *held)
{
	uint32_t count = 0;
	json_t *v;
	size_t i;

	json_array_foreach(tasks, i, v)
	{
		const char *id = id_of(v, "id");

		if (id != NULL && count < HELD_MAX) {
			held[count++] = (struct manager_held){id, number_u32(v, "epoch")};
		}
	}
	return count;
}

/* Asks a worker to announce itself. Propeller's do not hear this. */
static void ask_to_announce(struct service *s, const struct manager_node *n)
{
	char topic[160];

	snprintf(topic, sizeof(topic), "control/manager/lease/%s", n->id);
	service_publish_json(
		s, topic, json_pack("{s:[], s:i, s:b}", "tasks", "lease_ms", 0, "announce", 1), 0);
}

/* What a worker is and can do is not known when nobody listened as it announced itself. */
static void ask_who_it_is(struct service *s, const char *id)
{
	const struct manager_node *n = manager_node_find(s->core, id);

	if (n != NULL && !n->ours && n->fit.words_count == 0) {
		ask_to_announce(s, n);
	}
}

void service_connected(struct service *s)
{
	for (uint32_t i = 0; i < manager_node_slots(s->core); i++) {
		const struct manager_node *n = manager_node_at(s->core, i);

		if (n != NULL && n->ours && !n->fit.alive) {
			ask_to_announce(s, n);
		}
	}
}

static void on_alive(struct service *s, const char *topic, json_t *m)
{
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_ALIVE};
	struct manager_held held[HELD_MAX];
	const char *id = id_of(m, "proplet_id"), *status = string_of(m, "status");
	json_t *tasks = json_object_get(m, "tasks");

	if (id == NULL) {
		bad(s, topic, "proplet_id: expected an id");
		return;
	}
	if (status != NULL && strcmp(status, "offline") == 0) {
		e.kind = MANAGER_EVENT_NODE_GONE;
		e.u.node_id.id = id;
		(void)service_event(s, &e);
		return;
	}
	e.u.alive.id = id;
	e.u.alive.connection = (uint64_t)int_of(m, "connection", 0);
	e.u.alive.has_uptime = int_of(m, "uptime_ms", -1) >= 0;
	e.u.alive.uptime_ms = (uint64_t)int_of(m, "uptime_ms", 0);
	e.u.alive.has_free = json_is_number(json_object_get(m, "free_bytes"));
	e.u.alive.free_bytes = number_u32(m, "free_bytes");
	e.u.alive.has_load = json_is_number(json_object_get(m, "load_percent"));
	e.u.alive.load_percent = (uint8_t)BASE_MIN(number_u32(m, "load_percent"), 100);
	e.u.alive.has_battery = json_is_number(json_object_get(m, "battery_percent"));
	e.u.alive.battery_percent = (uint8_t)BASE_MIN(number_u32(m, "battery_percent"), 100);
	e.u.alive.held = held;
	e.u.alive.held_count = take_held(tasks, held);
	e.u.alive.held_complete = json_is_array(tasks) && !bool_of(m, "tasks_more") &&
				  json_array_size(tasks) == e.u.alive.held_count;
	(void)service_event(s, &e);
	ask_who_it_is(s, id);
}

static void on_gone(struct service *s, const char *topic, json_t *m)
{
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_GONE};

	e.u.node_id.id = id_of(m, "proplet_id");
	if (e.u.node_id.id == NULL) {
		bad(s, topic, "proplet_id: expected an id");
		return;
	}
	(void)service_event(s, &e);
}

/* The number behind words in text; false when it is not there. */
static bool number_after(const char *text, const char *words, uint32_t *out)
{
	const char *at = strstr(text, words);
	unsigned long v = at != NULL ? strtoul(at + strlen(words), NULL, 10) : 0;

	*out = v < UINT32_MAX / 2 ? (uint32_t)v : UINT32_MAX / 2;
	return at != NULL;
}

/* "refused: no room: needs 17800 bytes, the largest free block is 3616 bytes", or for a module that
 * did not find room when it was loaded, "refused: no room: ... block of 1640 bytes...". Others tell no
 * number: something has to become free, however little. What is over a limit never fits. */
static void take_room(const char *error, struct manager_event *e)
{
	uint32_t need, have;

	e->u.result.busy = error != NULL && strstr(error, "every task slot is taken") != NULL;
	if (error == NULL || strncmp(error, "refused: no room: ", 18) != 0) {
		return;
	}
	if (number_after(error, "needs ", &need) &&
	    number_after(error, "largest free block is ", &have)) {
		e->u.result.need_bytes = need;
		e->u.result.have_bytes = have;
	} else if (number_after(error, "block of ", &have)) {
		e->u.result.need_bytes = 2 * have + 1024; /* how much more is not known */
		e->u.result.have_bytes = have;
	} else if (!e->u.result.busy && strstr(error, "its limit is") == NULL) {
		e->u.result.need_bytes = 1;
	}
}

static void on_results(struct service *s, const char *topic, json_t *m)
{
	struct manager_event e = {.kind = MANAGER_EVENT_RESULT};
	const json_t *results = json_object_get(m, "results");
	const char *error = string_of(m, "error");
	const char *reason = string_of(m, "reason");

	e.u.result.task_id = id_of(m, "task_id");
	if (e.u.result.task_id == NULL) {
		bad(s, topic, "task_id: expected an id");
		return;
	}
	e.u.result.node_id = id_of(m, "proplet_id");
	e.u.result.epoch = number_u32(m, "epoch");
	e.u.result.ok = error == NULL || error[0] == '\0';
	e.u.result.empty = results == NULL || json_is_null(results) ||
			   (json_is_string(results) && json_string_length(results) == 0);
	e.u.result.reason = reason != NULL  ? manager_reason_of(reason)
			    : e.u.result.ok ? MANAGER_REASON_DONE
					    : MANAGER_REASON_OTHER;
	take_room(error, &e);
	images_ran(s, e.u.result.task_id, m);
	s->result = m;
	(void)service_event(s, &e);
	s->result = NULL;
}

static void on_invoke_results(struct service *s, const char *topic, json_t *m)
{
	const char *invocation = id_of(m, "invocation_id");
	const char *error = string_of(m, "error");
	const json_t *results = json_object_get(m, "results");
	char *text;

	if (invocation == NULL) {
		bad(s, topic, "invocation_id: expected an id");
		return;
	}
	if (error != NULL && error[0] != '\0') {
		service_wake(s, invocation, error, true);
		return;
	}
	text = json_is_string(results)
		       ? strdup(json_string_value(results))
		       : json_dumps(results != NULL ? results : json_null(), JSON_ENCODE_ANY);
	service_wake(s, invocation, json_is_null(results) ? "" : text, false);
	free(text);
}

/* Time of a report: RFC 3339, Rust's object, or (a device's uptime) ours. */
static int64_t report_time(const struct service *s, const json_t *m)
{
	const json_t *v = json_object_get(m, "timestamp");
	int64_t ms = -1;

	if (json_is_string(v)) {
		ms = time_parse(json_string_value(v));
	} else if (json_is_object(v)) {
		ms = int_of(v, "secs_since_epoch", 0) * 1000 +
		     int_of(v, "nanos_since_epoch", 0) / 1000000;
	}
	return ms > 0 ? ms : s->wall_ms;
}

static void keep_history(struct service *s, enum store_history kind, const char *subject,
			 const json_t *m, uint32_t keep)
{
	char *text = json_dumps(m, JSON_COMPACT);

	if (text != NULL &&
	    store_history_add(s->store, kind, subject, s->wall_ms, text, keep) != STORE_OK) {
		log_line("error", "msg=\"cannot store history\" error=\"%s\"",
			 store_error(s->store));
	}
	free(text);
}

static void on_metrics(struct service *s, const char *topic, json_t *m)
{
	const char *id = id_of(m, "proplet_id");
	char stamp[40];

	if (id == NULL) {
		bad(s, topic, "proplet_id: expected an id");
		return;
	}
	json_object_set_new(m, "timestamp", json_string(time_text(report_time(s, m), stamp)));
	keep_history(s, STORE_NODE_METRICS, id, m, STORE_HISTORY_MAX);
}

static void on_task_metrics(struct service *s, const char *topic, json_t *m)
{
	const char *id = id_of(m, "task_id");
	char stamp[40];

	if (id == NULL || id_of(m, "proplet_id") == NULL) {
		bad(s, topic, "task_id, proplet_id: expected ids");
		return;
	}
	if (json_is_null(json_object_get(m, "aggregated"))) {
		json_object_del(m, "aggregated");
	}
	json_object_set_new(m, "timestamp", json_string(time_text(report_time(s, m), stamp)));
	keep_history(s, STORE_TASK_METRICS, id, m, STORE_HISTORY_MAX);
}

/* A line or a value of a running task: kept, and streamed. */
static void on_line(struct service *s, const char *topic, json_t *m, enum store_history kind)
{
	const char *id = id_of(m, "task_id");
	char stamp[40];

	if (id == NULL) {
		bad(s, topic, "task_id: expected an id");
		return;
	}
	s->stats.logs++;
	json_object_set_new(m, "time", json_string(time_text(s->wall_ms, stamp)));
	keep_history(s, kind, id, m, kind == STORE_LOG ? LOGS_KEPT : OUTPUTS_KEPT);
	service_note(s, kind == STORE_LOG ? "log" : "output", id, json_deep_copy(m));
}

static void on_logs(struct service *s, const char *topic, json_t *m)
{
	on_line(s, topic, m, STORE_LOG);
}

static void on_output(struct service *s, const char *topic, json_t *m)
{
	on_line(s, topic, m, STORE_OUTPUT);
}

static void on_event(struct service *s, const char *topic, json_t *m)
{
	const char *task = id_of(m, "task_id"), *node = id_of(m, "proplet_id");
	const char *kind = string_of(m, "kind");
	char stamp[40];

	if (node == NULL) {
		bad(s, topic, "proplet_id: expected an id");
		return;
	}
	json_object_set_new(m, "time", json_string(time_text(s->wall_ms, stamp)));
	log_line("info", "event=worker_event node=%s kind=%s text=\"%s\"", node, kind ? kind : "?",
		 string_of(m, "text") ? string_of(m, "text") : "");
	keep_history(s, STORE_EVENT, task != NULL ? task : node, m, STORE_HISTORY_MAX);
	if (kind != NULL && strcmp(kind, "native_refused") == 0) {
		images_refused(s, m);
	}
	service_note(s, kind != NULL ? kind : "worker_event", task != NULL ? task : node,
		     json_deep_copy(m));
}

static void on_registry(struct service *s, const char *topic, json_t *m)
{
	module_request(s, m);
}

typedef void handler(struct service *s, const char *topic, json_t *m);

static const struct {
	const char *topic;
	handler *handle;
} handlers[] = {
	{"control/proplet/results", on_results},
	{"control/proplet/alive", on_alive},
	{"control/proplet/logs", on_logs},
	{"control/proplet/output", on_output},
	{"control/proplet/task_metrics", on_task_metrics},
	{"control/proplet/metrics", on_metrics},
	{"registry/proplet", on_registry},
	{"control/proplet/create", on_create},
	{"control/proplet/gone", on_gone},
	{"control/proplet/invoke_results", on_invoke_results},
	{"control/proplet/event", on_event},
};

void service_message(struct service *s, const char *topic, const char *payload, size_t bytes)
{
	json_error_t error;
	json_t *m;

	s->stats.messages_in++;
	for (size_t i = 0; i < BASE_COUNT(handlers); i++) {
		if (strcmp(handlers[i].topic, topic) != 0) {
			continue;
		}
		m = json_loadb(payload, bytes, JSON_ALLOW_NUL, &error);
		if (!json_is_object(m)) {
			bad(s, topic, m == NULL ? error.text : "expected a JSON object");
		} else {
			handlers[i].handle(s, topic, m);
		}
		json_decref(m);
		return;
	}
}

/* ---- inputs keep their numbers' text ---- */

/* A walk over JSON text that knows where the inputs of a task are. */
struct walk {
	const char *at, *end;
	char *out;
	size_t out_bytes;
	int depth;
	bool array[64]; /* kind of each open container */
	bool inputs;    /* the innermost array is a task's inputs */
	int inputs_depth;
};

static void copy(struct walk *w, size_t n)
{
	memcpy(w->out + w->out_bytes, w->at, n);
	w->out_bytes += n;
	w->at += n;
}

static size_t string_length(const struct walk *w)
{
	const char *p = w->at + 1;

	while (p < w->end && *p != '"') {
		p += *p == '\\' && p + 1 < w->end ? 2 : 1;
	}
	return (size_t)(BASE_MIN(p + 1, w->end) - w->at);
}

/* True when a string that ends before p is the key "inputs" of a task: root.inputs, or that of an
 * element of an array of the root. */
static bool is_inputs_key(const struct walk *w, const char *start, size_t n)
{
	const char *p = start + n;

	if (n != 8 || memcmp(start, "\"inputs\"", 8) != 0) {
		return false;
	}
	if (!(w->depth == 1 || (w->depth == 3 && w->array[1])) || w->array[w->depth - 1]) {
		return false;
	}
	while (p < w->end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r' || *p == ':')) {
		p++;
	}
	return p < w->end && *p == '[';
}

static void copy_number(struct walk *w)
{
	size_t n = 0;

	while (w->at + n < w->end && strchr("0123456789+-.eE", w->at[n]) != NULL &&
	       w->at[n] != '\0') {
		n++;
	}
	w->out[w->out_bytes++] = '"';
	copy(w, n);
	w->out[w->out_bytes++] = '"';
}

static void walk_step(struct walk *w, bool *expect)
{
	char c = *w->at;

	if (c == '"') {
		size_t n = string_length(w);

		*expect = is_inputs_key(w, w->at, n);
		copy(w, n);
	} else if (c == '{' || c == '[') {
		if (*expect && c == '[') {
			w->inputs = true;
			w->inputs_depth = w->depth;
		}
		*expect = false;
		if (w->depth < 64) {
			w->array[w->depth] = c == '[';
		}
		w->depth++;
		copy(w, 1);
	} else if (c == '}' || c == ']') {
		w->depth -= w->depth > 0;
		w->inputs = w->inputs && w->depth > w->inputs_depth;
		copy(w, 1);
	} else if (w->inputs && w->depth == w->inputs_depth + 1 &&
		   (c == '-' || (c >= '0' && c <= '9'))) {
		copy_number(w);
	} else {
		copy(w, 1);
	}
}

json_t *inputs_as_text(const char *body, size_t bytes, char *error, size_t error_bytes)
{
	struct walk w = {.at = body, .end = body + bytes, .out = malloc(bytes * 2 + 16)};
	json_error_t why;
	bool expect = false;
	json_t *json;

	if (w.out == NULL) {
		snprintf(error, error_bytes, "out of memory");
		return NULL;
	}
	while (w.at < w.end && w.depth < 60) {
		walk_step(&w, &expect);
	}
	if (w.at < w.end) {
		copy(&w, (size_t)(w.end - w.at));
	}
	json = json_loadb(w.out, w.out_bytes, JSON_REJECT_DUPLICATES, &why);
	if (json == NULL) {
		snprintf(error, error_bytes, "the body is not valid JSON: %s (line %d, column %d)",
			 why.text, why.line, why.column);
	}
	free(w.out);
	return json;
}
