/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks: create, look at, change, start, stop, invoke. */
#include "manager/http/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WAIT_MS_MAX    60000
#define INVOKE_WAIT_MS 30000

/* The task's JSON; NULL when the call has been answered. */
static json_t *find(struct call *c)
{
	const char *id = c->segments[1];
	json_t *task = task_json_by_id(c->s, id);

	if (task == NULL && !uuid_valid(id)) {
		call_error(
			c, 400,
			"invalid query parameters: '%.64s' is neither a UUID nor the id of a task",
			id);
	} else if (task == NULL) {
		call_error(c, 404, "task not found");
	}
	return task;
}

static bool exists(struct call *c)
{
	json_t *task = find(c);

	json_decref(task);
	return task != NULL;
}

void api_task(struct call *c)
{
	json_t *task = find(c);

	if (task != NULL) {
		call_json(c, 200, task);
	}
}

void api_task_placement(struct call *c)
{
	json_t *task = find(c);

	if (task != NULL) {
		task_add_placement(c->s, task, true);
		call_json(c, 200, json_incref(json_object_get(task, "placement")));
		json_decref(task);
	}
}

/* ---- start ---- */

/* Downloads the module first when the manager has to; true when the call waits for nothing. */
static bool wants_download(struct call *c, const json_t *task)
{
	const char *url = string_of(task, "image_url");

	return url != NULL && json_object_get(task, "module") == NULL &&
	       !bool_of(task, "encrypted") &&
	       (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0) &&
	       http_config_of(c->server)->fetch != NULL;
}

static enum manager_answer start(struct call *c, const char *id, bool queue, char *detail,
				 size_t detail_bytes)
{
	struct manager_event e = {.kind = MANAGER_EVENT_TASK_START};
	enum manager_answer answer;
	json_t *task;

	detail[0] = '\0';
	if (!task_load(c->s, id, detail, detail_bytes)) {
		return MANAGER_ANSWER_FULL;
	}
	e.u.task.id = id;
	e.u.task.queue = queue;
	answer = service_event(c->s, &e);
	if (answer == MANAGER_ANSWER_NO_FIT) {
		task = task_json_by_id(c->s, id);
		if (task != NULL) {
			task_add_placement(c->s, task, false);
			snprintf(detail, detail_bytes, "%s",
				 string_of(json_object_get(task, "placement"), "summary"));
			json_decref(task);
		}
	}
	return answer;
}

static void started(struct call *c, enum manager_answer answer)
{
	json_t *o = json_pack("{s:b}", "started", 1);
	json_t *task;

	if (answer == MANAGER_ANSWER_QUEUED) {
		task = task_json_by_id(c->s, c->segments[1]);
		json_object_set_new(o, "queued", json_true());
		json_object_set(o, "reason",
				json_object_get(json_object_get(task, "placement"), "reason"));
		json_decref(task);
	}
	call_json(c, 200, o);
}

static bool query_true(struct call *c, const char *key)
{
	const char *v = call_query(c, key);

	return v != NULL && (strcmp(v, "true") == 0 || strcmp(v, "1") == 0);
}

void api_task_start(struct call *c)
{
	json_t *task = find(c);
	char detail[SERVICE_TEXT];
	enum manager_answer answer;

	if (task == NULL) {
		return;
	}
	if (wants_download(c, task)) {
		http_fetch(c->server, string_of(task, "image_url"), c->segments[1]);
		json_decref(task);
		call_json(c, 200,
			  json_pack("{s:b, s:b, s:s}", "started", 1, "queued", 1, "reason",
				    "the module is being downloaded"));
		return;
	}
	json_decref(task);
	answer = start(c, c->segments[1], query_true(c, "queue"), detail, sizeof(detail));
	if (answer == MANAGER_ANSWER_OK || answer == MANAGER_ANSWER_QUEUED) {
		started(c, answer);
	} else {
		call_refused(c, answer, detail);
	}
}

/* ---- create ---- */

static void created(struct call *c)
{
	json_t *task = task_json_by_id(c->s, c->id);

	if (task == NULL) {
		call_error(c, 404, "task not found");
		return;
	}
	snprintf(c->location, sizeof(c->location), "/tasks/%s", c->id);
	call_json(c, 201, task);
}

/* Dependencies of a task that joins a workflow: they are tasks of it. */
static bool check_depends(struct call *c, const json_t *spec, const char *workflow)
{
	json_t *on;
	size_t i;

	json_array_foreach(json_object_get(spec, "depends_on"), i, on)
	{
		json_t *other = task_json_by_id(c->s, json_string_value(on));
		const char *theirs = string_of(other, "workflow_id");
		bool ok = theirs != NULL && workflow != NULL && strcmp(theirs, workflow) == 0;

		json_decref(other);
		if (!ok) {
			call_error(c, 400,
				   workflow == NULL
					   ? "depends_on: needs workflow_id"
					   : "depends_on[%zu]: '%.64s' is no task of workflow "
					     "%.64s",
				   i, json_string_value(on), workflow);
			return false;
		}
	}
	return true;
}

/* Starts what was just created. A start that is refused is not lost: the task says why it waits. */
static void start_created(struct call *c, const json_t *spec, uint64_t wait_ms)
{
	char detail[SERVICE_TEXT];
	enum manager_answer answer;

	if (wants_download(c, spec)) {
		http_fetch(c->server, string_of(spec, "image_url"), c->id);
	} else {
		answer = start(c, c->id, !json_is_false(json_object_get(spec, "queue")), detail,
			       sizeof(detail));
		if (answer != MANAGER_ANSWER_OK && answer != MANAGER_ANSWER_QUEUED) {
			/* The task is there all the same. */
			snprintf(c->location, sizeof(c->location), "/tasks/%s", c->id);
			call_refused(c, answer, detail);
			return;
		}
	}
	if (wait_ms != 0) {
		call_wait(c, c->id, wait_ms, created);
	} else {
		created(c);
	}
}

/*
 * Chooses the task's id: a new one, or with the header Idempotency-Key the one that this key always
 * gives. True when that task exists: the request is a repetition of one whose answer was lost.
 */
static bool repeated(struct call *c)
{
	const char *key =
		MHD_lookup_connection_value(c->connection, MHD_HEADER_KIND, "Idempotency-Key");
	json_t *task;

	if (key == NULL || key[0] == '\0') {
		uuid_make(c->id);
		return false;
	}
	uuid_of(key, c->id);
	task = task_json_by_id(c->s, c->id);
	json_decref(task);
	return task != NULL;
}

static void create(struct call *c, const json_t *given, json_t *spec, uint64_t wait_ms)
{
	const char *workflow = string_of(spec, "workflow_id");
	char error[SERVICE_TEXT];

	if (repeated(c)) {
		/* What the first request created; it is not created or started again. */
		created(c);
		return;
	}
	json_object_set_new(spec, "id", json_string(c->id));
	if (workflow != NULL && workflow[0] == '\0') {
		workflow = NULL;
	}
	if (!check_depends(c, spec, workflow)) {
		return;
	}
	if (!task_insert(c->s, spec, workflow, NULL, error, sizeof(error))) {
		call_error(c, 500, "%s", error);
		return;
	}
	if (task_next_run(spec, c->s->wall_ms) != 0 &&
	    !task_load(c->s, c->id, error, sizeof(error))) {
		call_error(c, 503, "%s", error);
		return;
	}
	if (bool_of(given, "start")) {
		start_created(c, spec, wait_ms);
	} else {
		created(c);
	}
}

void api_task_create(struct call *c)
{
	char error[SERVICE_TEXT];
	uint64_t wait_ms;
	json_t *given, *spec = NULL;

	if (!call_number(c, "wait_ms", 0, WAIT_MS_MAX, &wait_ms)) {
		return;
	}
	given = call_body(c);
	if (given == NULL) {
		return;
	}
	if (!task_check(c->s, given, &spec, error, sizeof(error))) {
		call_error(c, 400, "%s", error);
	} else {
		create(c, given, spec, wait_ms);
	}
	json_decref(spec);
	json_decref(given);
}

/* ---- list ---- */

struct listing {
	struct service *s;
	json_t *list;
	json_t *metadata; /* every member must be equal; NULL: any */
	uint64_t offset, limit, seen;
};

static bool metadata_matches(const json_t *wanted, const json_t *task)
{
	const json_t *has = json_object_get(task, "metadata");
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)wanted, key, v)
	{
		if (!json_equal(v, json_object_get(has, key))) {
			return false;
		}
	}
	return true;
}

static void add_task(void *user, const struct store_task *row)
{
	struct listing *l = user;
	json_t *task = task_json(l->s, row);

	if (l->metadata == NULL) {
		json_array_append(l->list, task);
	} else if (metadata_matches(l->metadata, task)) {
		if (l->seen >= l->offset && l->seen - l->offset < l->limit) {
			json_array_append(l->list, task);
		}
		l->seen++;
	}
	json_decref(task);
}

static int state_of(const char *word)
{
	for (int i = 0; i < MANAGER_STATE_COUNT; i++) {
		char number[2] = {(char)('0' + i), '\0'};

		if (strcmp(manager_state_word((enum manager_state)i), word) == 0 ||
		    strcmp(number, word) == 0) {
			return i;
		}
	}
	return -1;
}

static bool list_filter(struct call *c, struct store_task_filter *f, json_t **metadata)
{
	const char *state = call_query(c, "state"), *given = call_query(c, "metadata");

	f->state = -1;
	f->workflow_id = call_query(c, "workflow_id");
	f->job_id = call_query(c, "job_id");
	f->node_id = call_query(c, "proplet_id");
	f->find = call_find(c);
	if (state != NULL && state[0] != '\0') {
		f->state = state_of(state);
		if (f->state < 0) {
			call_error(c, 400,
				   "invalid query parameters: state: '%.20s' is none of pending, "
				   "scheduled, running, completed, failed, skipped, interrupted",
				   state);
			return false;
		}
	}
	if (given != NULL && given[0] != '\0') {
		*metadata = json_loads(given, 0, NULL);
		if (!json_is_object(*metadata)) {
			json_decref(*metadata);
			*metadata = NULL;
			call_error(c, 400,
				   "invalid query parameters: metadata: expected a JSON object");
			return false;
		}
		f->spec_like = "%\"metadata\":{%";
	}
	return true;
}

void api_tasks(struct call *c)
{
	struct listing l = {.s = c->s};
	struct store_task_filter f = {0};
	uint64_t total = 0;
	bool ok;

	if (!call_page(c, 100, 100, &l.offset, &l.limit) || !list_filter(c, &f, &l.metadata)) {
		return;
	}
	l.list = json_array();
	if (l.metadata != NULL) {
		ok = store_task_list(c->s->store, &f, 0, INT64_MAX, add_task, &l) == STORE_OK;
		total = l.seen;
	} else {
		ok = store_task_list(c->s->store, &f, l.offset, l.limit, add_task, &l) ==
			     STORE_OK &&
		     store_task_count(c->s->store, &f, &total) == STORE_OK;
	}
	json_decref(l.metadata);
	if (!ok) {
		json_decref(l.list);
		call_store_failed(c);
		return;
	}
	call_json(c, 200, call_envelope(l.offset, l.limit, total, "tasks", l.list));
}

/* ---- change ---- */

static void read_spec(void *user, const struct store_task *row)
{
	*(json_t **)user = json_loads(row->spec, 0, NULL);
}

static bool save(struct call *c, const json_t *spec)
{
	struct manager_event e = {.kind = MANAGER_EVENT_TASK_SCHEDULE};
	char *text = json_dumps(spec, JSON_COMPACT);
	struct store_task row = {
		.id = c->segments[1],
		.name = string_of(spec, "name"),
		.spec = text,
		.priority = (int)int_of(spec, "priority", 50),
		.next_run_ms = task_next_run(spec, c->s->wall_ms),
		.updated_ms = c->s->wall_ms,
	};
	enum store_err err = store_task_update(c->s->store, &row);
	char error[SERVICE_TEXT];

	free(text);
	if (err != STORE_OK) {
		call_store_error(c, err, "task");
		return false;
	}
	if (row.next_run_ms != 0 && !task_load(c->s, row.id, error, sizeof(error))) {
		call_error(c, 503, "%s", error);
		return false;
	}
	e.u.task.id = row.id;
	e.u.task.next_run_ms = row.next_run_ms;
	(void)service_event(c->s, &e);
	return true;
}

/* Only these change; what is absent stays, but for what belongs to the schedule. */
static void merge(json_t *spec, const json_t *changed, const json_t *given)
{
	static const char *const keys[] = {"name",         "inputs",   "file",     "module",
					   "priority",     "metadata", "schedule", "is_recurring",
					   "timezone",     "env",      "limits",   "constraints",
					   "capabilities", "restart",  "function"};

	for (size_t i = 0; i < BASE_COUNT(keys); i++) {
		json_t *v = json_object_get(changed, keys[i]);
		bool said =
			json_object_get(given, keys[i]) != NULL ||
			(strcmp(keys[i], "module") == 0 && json_object_get(given, "file") != NULL);

		if (v != NULL && said) {
			json_object_set(spec, keys[i], v);
		}
	}
	if (string_of(given, "schedule") != NULL && string_of(given, "schedule")[0] == '\0') {
		json_object_del(spec, "schedule");
	}
}

void api_task_update(struct call *c)
{
	json_t *given, *changed = NULL, *spec = NULL, *task;
	char error[SERVICE_TEXT];

	if (!exists(c) || (given = call_body(c)) == NULL) {
		return;
	}
	if (json_is_object(given) && json_object_get(given, "name") == NULL) {
		json_object_set_new(given, "name", json_string("-"));
		if (store_task_get(c->s->store, c->segments[1], read_spec, &spec) == STORE_OK) {
			json_object_set(given, "name", json_object_get(spec, "name"));
		}
		json_decref(spec);
		spec = NULL;
	}
	if (!task_check(c->s, given, &changed, error, sizeof(error))) {
		call_error(c, 400, "%s", error);
	} else if (store_task_get(c->s->store, c->segments[1], read_spec, &spec) == STORE_OK) {
		merge(spec, changed, given);
		if (save(c, spec)) {
			task = task_json_by_id(c->s, c->segments[1]);
			call_json(c, 200, task);
		}
	}
	json_decref(spec);
	json_decref(changed);
	json_decref(given);
}

/* ---- upload ---- */

void api_task_upload(struct call *c)
{
	char digest[72], error[SERVICE_TEXT];
	struct upload u = {0};
	json_t *spec = NULL;
	size_t length = 0;
	char *base64;

	if (!exists(c) || !upload_read(c, &u)) {
		return;
	}
	if (!module_keep(c->s, u.bytes, u.size, NULL, digest, error, sizeof(error))) {
		call_error(c, 400, "%s", error);
	} else if (store_task_get(c->s->store, c->segments[1], read_spec, &spec) == STORE_OK) {
		char shown[64];

		base64 = base64_encode(u.bytes, u.size, &length);
		if (base64 != NULL) {
			snprintf(shown, sizeof(shown), length <= 20 ? "%.20s" : "%.10s<REDACTED>%s",
				 base64, base64 + (length <= 20 ? 0 : length - 10));
			json_object_set_new(spec, "file", json_string(shown));
		}
		free(base64);
		json_object_set_new(
			spec, "module",
			json_pack("{s:s, s:I}", "digest", digest, "size", (json_int_t)u.size));
		if (save(c, spec)) {
			call_json(c, 200, task_json_by_id(c->s, c->segments[1]));
		}
	}
	json_decref(spec);
}

void api_task_delete(struct call *c)
{
	struct manager_event e = {.kind = MANAGER_EVENT_TASK_DROP};
	enum store_err err;

	if (!exists(c)) {
		return;
	}
	e.u.task.id = c->segments[1];
	(void)service_event(c->s, &e);
	err = store_task_delete(c->s->store, c->segments[1]);
	if (err == STORE_OK) {
		err = store_history_clear(c->s->store, c->segments[1]);
	}
	if (err != STORE_OK) {
		call_store_error(c, err, "task");
		return;
	}
	call_text(c, 204, NULL, NULL, 0);
}

/* ---- stop, invoke ---- */

void api_task_stop(struct call *c)
{
	struct manager_event e = {.kind = MANAGER_EVENT_TASK_STOP};
	json_t *task = find(c);
	enum manager_answer answer;
	int64_t state;

	if (task == NULL) {
		return;
	}
	state = int_of(task, "state", 0);
	json_decref(task);
	e.u.task.id = c->segments[1];
	answer = service_event(c->s, &e);
	if (answer == MANAGER_ANSWER_OK || state >= MANAGER_COMPLETED) {
		call_json(c, 200, json_pack("{s:b}", "stopped", 1));
	} else {
		call_refused(c, MANAGER_ANSWER_NOT_RUNNING, "it was never started");
	}
}

static void invoked(struct call *c)
{
	const struct waiter *w = &c->waiter;

	if (w->timed_out) {
		call_error(c, 500, "the proplet did not answer within the time");
	} else if (w->failed) {
		call_error(c, 500, "%s", w->text != NULL ? w->text : "the invocation failed");
	} else {
		call_json(c, 200,
			  json_pack("{s:b, s:s}", "invoked", 1, "results",
				    w->text != NULL ? w->text : ""));
	}
}

static bool invoke_check(struct call *c, const json_t *body)
{
	const json_t *inputs = json_object_get(body, "inputs"), *env = json_object_get(body, "env");
	const char *key;
	json_t *v;
	size_t i;

	if (body != NULL && !json_is_object(body)) {
		call_error(c, 400, "expected an object");
		return false;
	}
	if ((inputs != NULL && !json_is_array(inputs) && !json_is_null(inputs)) ||
	    (env != NULL && !json_is_object(env) && !json_is_null(env))) {
		call_error(c, 400, "inputs: expected an array; env: expected an object");
		return false;
	}
	json_array_foreach(inputs, i, v)
	{
		if (!json_is_string(v) && !json_is_null(v)) {
			call_error(c, 400, "inputs[%zu]: expected a string or a number", i);
			return false;
		}
	}
	json_object_foreach((json_t *)(uintptr_t)env, key, v)
	{
		if (!json_is_string(v)) {
			call_error(c, 400, "env.%s: expected a string", key);
			return false;
		}
	}
	return true;
}

void api_task_invoke(struct call *c)
{
	struct manager_event e = {.kind = MANAGER_EVENT_TASK_INVOKE};
	enum manager_answer answer;
	json_t *body = NULL;
	uint64_t wait_ms;

	if (!exists(c) || !call_number(c, "wait_ms", INVOKE_WAIT_MS, 600000, &wait_ms) ||
	    (c->body_bytes != 0 && (body = call_body(c)) == NULL)) {
		return;
	}
	if (!invoke_check(c, body)) {
		json_decref(body);
		return;
	}
	uuid_make(c->s->invocation);
	c->s->invoke_inputs = json_object_get(body, "inputs");
	c->s->invoke_env = json_object_get(body, "env");
	e.u.task.id = c->segments[1];
	answer = service_event(c->s, &e);
	json_decref(body);
	if (c->s->invoke_sent) {
		call_wait(c, c->s->invocation, wait_ms, invoked);
	} else {
		call_refused(
			c, answer == MANAGER_ANSWER_NOT_FOUND ? MANAGER_ANSWER_NOT_LATENT : answer,
			"");
	}
}

/* ---- results and what a task told ---- */

static void results(struct call *c)
{
	json_t *task = task_json_by_id(c->s, c->segments[1]);
	json_t *v = json_object_get(task, "results");

	if (task == NULL) {
		call_error(c, 404, "task not found");
	} else if (v == NULL) {
		call_text(c, 200, "application/json", NULL, 0);
	} else {
		call_json(c, 200, json_pack("{s:O}", "results", v));
	}
	json_decref(task);
}

void api_task_results(struct call *c)
{
	json_t *task = find(c);
	uint64_t wait_ms;
	int64_t state;

	if (task == NULL) {
		return;
	}
	state = int_of(task, "state", 0);
	json_decref(task);
	if (!call_number(c, "wait_ms", 0, WAIT_MS_MAX, &wait_ms)) {
		return;
	}
	if (wait_ms != 0 && state < MANAGER_COMPLETED) {
		call_wait(c, c->segments[1], wait_ms, results);
	} else {
		results(c);
	}
}

static void add_body(void *user, const struct store_entry *e)
{
	json_t *v = json_loads(e->body, 0, NULL);

	json_array_append_new(user, v != NULL ? v : json_object());
}

/* As stored, with the manager's own sequence, by which ?after= counts. */
static void add_line(void *user, const struct store_entry *e)
{
	json_t *v = json_loads(e->body, 0, NULL);

	if (v != NULL) {
		json_object_set_new(v, "seq", json_integer((json_int_t)e->seq));
		json_array_append_new(user, v);
	}
}

static void lines(struct call *c, enum store_history kind, const char *key, bool newest_first,
		  store_entry_fn *add, bool must_exist)
{
	uint64_t offset, limit, after, total = 0;
	json_t *list;

	if ((must_exist && !exists(c)) ||
	    !call_page(c, newest_first ? 100 : 1000, 10000, &offset, &limit) ||
	    !call_number(c, "after", 0, INT64_MAX, &after)) {
		return;
	}
	list = json_array();
	if (store_history_list(c->s->store, kind, c->segments[1], after, offset, limit,
			       newest_first, add, list) != STORE_OK ||
	    store_history_count(c->s->store, kind, c->segments[1], &total) != STORE_OK) {
		json_decref(list);
		call_store_failed(c);
		return;
	}
	call_json(c, 200, call_envelope(offset, limit, total, key, list));
}

void api_task_metrics(struct call *c)
{
	lines(c, STORE_TASK_METRICS, "metrics", true, add_body, false);
}

void api_task_logs(struct call *c)
{
	lines(c, STORE_LOG, "logs", false, add_line, true);
}

void api_task_outputs(struct call *c)
{
	lines(c, STORE_OUTPUT, "outputs", false, add_line, true);
}

void api_task_parts(struct call *c)
{
	lines(c, STORE_PART, "parts", false, add_body, true);
}

void api_task_events(struct call *c)
{
	lines(c, STORE_EVENT, "events", true, add_body, true);
}
