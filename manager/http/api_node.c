/* SPDX-License-Identifier: Apache-2.0 */
/* Workers: /proplets, also known as /nodes. */
#include "manager/http/call.h"

#include <stdio.h>
#include <stdlib.h>

static void set_state(json_t *o, const struct manager_node *n)
{
	char stamp[40];

	json_object_set_new(o, "task_count", json_integer(n->fit.running));
	json_object_set_new(o, "alive", json_boolean(n->fit.alive));
	json_object_set_new(o, "suspect", json_boolean(n->fit.alive && n->fit.suspect));
	json_object_set_new(o, "draining", json_boolean(n->fit.draining));
	if (n->alive_count != 0) {
		int64_t last = n->alive_at_ms[(n->alive_count - 1) % MANAGER_ALIVE_AT_MAX];

		json_object_set_new(o, "last_alive_at", json_string(time_text(last, stamp)));
	}
	if (n->fit.pool_bytes != 0) {
		json_object_set_new(o, "free_bytes", json_integer(n->fit.free_bytes));
	}
	json_object_set_new(o, "load_percent", json_integer(n->fit.load_percent));
	if (n->fit.battery_percent != 255) {
		json_object_set_new(o, "battery_percent", json_integer(n->fit.battery_percent));
	}
	json_object_set_new(o, "heartbeat_ms", json_integer(n->heartbeat_ms));
}

static json_t *node_json(struct service *s, const struct store_node *row)
{
	const struct manager_node *n = manager_node_find(s->core, row->id);
	json_t *metadata = row->metadata != NULL ? json_loads(row->metadata, 0, NULL) : NULL;
	json_t *o = json_object();

	json_object_set_new(o, "id", json_string(row->id));
	json_object_set_new(o, "name", json_string(row->name != NULL ? row->name : ""));
	if (n != NULL) {
		set_state(o, n);
	}
	json_object_set_new(o, "metadata", metadata != NULL ? metadata : json_object());
	return o;
}

struct reading {
	struct service *s;
	json_t *list;
	int active; /* -1: any */
	const char *find;
	uint64_t offset, limit, seen;
};

static void add_node(void *user, const struct store_node *row)
{
	struct reading *r = user;
	const struct manager_node *n = manager_node_find(r->s->core, row->id);
	bool alive = n != NULL && n->fit.alive;

	if ((r->active >= 0 && alive != (r->active == 1)) ||
	    !call_found(r->find, row->name, row->id)) {
		return;
	}
	if (r->seen >= r->offset && r->seen - r->offset < r->limit) {
		json_array_append_new(r->list, node_json(r->s, row));
	}
	r->seen++;
}

static void one_node(void *user, const struct store_node *row)
{
	struct reading *r = user;

	r->list = node_json(r->s, row);
}

void api_nodes(struct call *c)
{
	struct reading r = {.s = c->s, .active = -1, .find = call_find(c)};
	const char *status = call_query(c, "status");
	struct manager_counts n;

	if (!call_page(c, 100, INT64_MAX, &r.offset, &r.limit)) {
		return;
	}
	if (status != NULL && status[0] != '\0' && strcmp(status, "all") != 0) {
		r.active = strcmp(status, "active") == 0 ? 1 : 0;
		if (r.active == 0 && strcmp(status, "inactive") != 0) {
			call_error(c, 400,
				   "invalid query parameters: status: expected active or inactive");
			return;
		}
	}
	manager_count(c->s->core, &n);
	r.list = json_array();
	if (store_node_list(c->s->store, 0, INT64_MAX, add_node, &r) != STORE_OK) {
		json_decref(r.list);
		call_store_failed(c);
		return;
	}
	call_json(c, 200, call_envelope(r.offset, r.limit, r.seen, "proplets", r.list));
}

/* The node's row as JSON; NULL when the call has been answered. */
static json_t *find(struct call *c)
{
	struct reading r = {.s = c->s};
	const char *id = c->segments[1];
	enum store_err err = store_node_get(c->s->store, id, one_node, &r);

	if (err == STORE_ABSENT && !uuid_valid(id)) {
		call_error(c, 400,
			   "invalid query parameters: '%.64s' is neither a UUID nor the id of a "
			   "proplet",
			   id);
		return NULL;
	}
	if (err != STORE_OK) {
		call_store_error(c, err, "proplet");
		return NULL;
	}
	return r.list;
}

void api_node(struct call *c)
{
	json_t *node = find(c);

	if (node != NULL) {
		call_json(c, 200, node);
	}
}

void api_node_delete(struct call *c)
{
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_DELETE};
	json_t *node = find(c);
	enum manager_answer answer;

	if (node == NULL) {
		return;
	}
	json_decref(node);
	e.u.node_id.id = c->segments[1];
	answer = service_event(c->s, &e);
	if (answer != MANAGER_ANSWER_OK && answer != MANAGER_ANSWER_NOT_FOUND) {
		call_refused(c, answer, "");
		return;
	}
	if (store_node_delete(c->s->store, c->segments[1]) == STORE_FAILED) {
		call_store_failed(c);
		return;
	}
	call_text(c, 204, NULL, NULL, 0);
}

void api_node_drain(struct call *c)
{
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_DRAIN};
	json_t *node = find(c), *body = NULL;

	if (node == NULL) {
		return;
	}
	json_decref(node);
	e.u.node_id.drain = true;
	e.u.node_id.id = c->segments[1];
	if (c->body_bytes != 0) {
		body = call_body(c);
		if (body == NULL) {
			return;
		}
		e.u.node_id.drain = !json_is_false(json_object_get(body, "drain"));
		e.u.node_id.deadline_ms =
			(uint32_t)BASE_MIN(BASE_MAX(int_of(body, "deadline_ms", 0), 0), UINT32_MAX);
		json_decref(body);
	}
	(void)service_event(c->s, &e);
	node = find(c);
	if (node != NULL) {
		call_json(c, 200, node);
	}
}

void api_node_sdf(struct call *c)
{
	json_t *node = find(c);
	json_t *string = json_pack("{s:s}", "type", "string");
	json_t *doc;
	char title[160];

	if (node == NULL) {
		json_decref(string);
		return;
	}
	snprintf(title, sizeof(title), "Proplet %s", string_of(node, "name"));
	doc = json_pack(
		"{s:{s:s, s:s, s:s}, s:{s:{s:{s:O, s:O, s:{s:s}, s:{s:s}, s:{s:s}}, s:{s:{s:s}, "
		"s:{s:s}}, s:{s:{s:s}, s:{s:s}}}}, s:{s:{s:s}, s:{s:s}}}",
		"info", "title", title, "version", http_config_of(c->server)->version, "license",
		"Apache-2.0", "sdfThing", "Proplet", "sdfProperty", "id", string, "name", string,
		"alive", "type", "boolean", "task_count", "type", "integer", "metadata", "type",
		"object", "sdfAction", "start_task", "description", "Runs a task", "stop_task",
		"description", "Stops a task", "sdfEvent", "heartbeat", "description",
		"It is alive", "task_result", "description", "A task has ended", "sdfData", "task",
		"type", "object", "metrics", "type", "object");
	json_decref(string);
	json_decref(node);
	call_json(c, 200, doc);
}

static void add_entry(void *user, const struct store_entry *e)
{
	json_t *v = json_loads(e->body, 0, NULL);

	json_array_append_new(user, v != NULL ? v : json_object());
}

/* A page of one history of a node. */
static void history(struct call *c, enum store_history kind, const char *key)
{
	uint64_t offset, limit, total = 0;
	json_t *list;

	if (!call_page(c, 100, INT64_MAX, &offset, &limit)) {
		return;
	}
	list = json_array();
	if (store_history_list(c->s->store, kind, c->segments[1], 0, offset, limit, true, add_entry,
			       list) != STORE_OK ||
	    store_history_count(c->s->store, kind, c->segments[1], &total) != STORE_OK) {
		json_decref(list);
		call_store_failed(c);
		return;
	}
	call_json(c, 200, call_envelope(offset, limit, total, key, list));
}

void api_node_metrics(struct call *c)
{
	history(c, STORE_NODE_METRICS, "metrics");
}

void api_node_events(struct call *c)
{
	history(c, STORE_EVENT, "events");
}

void api_node_alive(struct call *c)
{
	const struct manager_node *n = manager_node_find(c->s->core, c->segments[1]);
	uint32_t count = n != NULL ? BASE_MIN(n->alive_count, MANAGER_ALIVE_AT_MAX) : 0;
	uint64_t offset, limit;
	json_t *list;

	if (n == NULL) {
		call_error(c, 404, "proplet not found");
		return;
	}
	if (!call_page(c, 100, INT64_MAX, &offset, &limit)) {
		return;
	}
	list = json_array();
	for (uint32_t i = (uint32_t)BASE_MIN(offset, count); i < count && i - offset < limit; i++) {
		char stamp[40];
		int64_t at = n->alive_at_ms[(n->alive_count - count + i) % MANAGER_ALIVE_AT_MAX];

		json_array_append_new(list, json_string(time_text(at, stamp)));
	}
	call_json(c, 200, call_envelope(offset, limit, count, "history", list));
}

struct tasks {
	struct service *s;
	json_t *list;
};

static void add_task(void *user, const struct store_task *row)
{
	struct tasks *t = user;

	json_array_append_new(t->list, task_json(t->s, row));
}

void api_node_tasks(struct call *c)
{
	struct store_task_filter f = {.state = -1, .node_id = c->segments[1]};
	struct tasks t = {c->s, NULL};
	uint64_t offset, limit, total = 0;

	if (!call_page(c, 100, 100, &offset, &limit)) {
		return;
	}
	t.list = json_array();
	if (store_task_list(c->s->store, &f, offset, limit, add_task, &t) != STORE_OK ||
	    store_task_count(c->s->store, &f, &total) != STORE_OK) {
		json_decref(t.list);
		call_store_failed(c);
		return;
	}
	call_json(c, 200, call_envelope(offset, limit, total, "tasks", t.list));
}
