/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands to workers: start, stop, invoke, acknowledgements, leases.
 *
 * In:    actions of the core, the task's document. Out: messages in the outbox.
 * Rules: 1. A worker of ours (metadata.engine) gets our keys, and what it announced "direct" for on
 *           its own topics; Propeller's Rust worker gets inputs as strings, its embedded one
 *           as numbers, and stop with id, name and state as strings.
 *        2. Renewals of leases go with QoS 0, so that none is delivered late.
 */
#include "manager/http/service.h"

#include <stdio.h>
#include <stdlib.h>

struct document {
	json_t *spec;
	int state;
	char workflow[MANAGER_ID_BYTES];
};

static void read_document(void *user, const struct store_task *row)
{
	struct document *d = user;

	d->spec = json_loads(row->spec, 0, NULL);
	d->state = row->state;
}

static void set_nonempty(json_t *to, const char *key, const json_t *spec)
{
	json_t *v = json_object_get(spec, key);

	if (v == NULL || (json_is_string(v) && json_string_length(v) == 0) ||
	    (json_is_array(v) && json_array_size(v) == 0) ||
	    (json_is_object(v) && json_object_size(v) == 0)) {
		return;
	}
	json_object_set(to, key, v);
}

/* Inputs as numbers, as Propeller's embedded worker wants them. */
static json_t *numeric(const json_t *inputs)
{
	json_t *out = json_array(), *v;
	size_t i;

	json_array_foreach(inputs, i, v)
	{
		const char *text = json_string_value(v);
		json_t *n = text != NULL ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

		if (!json_is_number(n)) {
			json_decref(n);
			n = json_integer(0);
		}
		json_array_append_new(out, n);
	}
	return out;
}

/* null inputs become "". */
static void set_inputs(json_t *to, const json_t *inputs, bool embedded)
{
	json_t *out, *v;
	size_t i;

	if (json_array_size(inputs) == 0) {
		return;
	}
	if (embedded) {
		json_object_set_new(to, "inputs", numeric(inputs));
		return;
	}
	out = json_array();
	json_array_foreach(inputs, i, v)
	{
		json_array_append_new(out, json_is_string(v) ? json_incref(v) : json_string(""));
	}
	json_object_set_new(to, "inputs", out);
}

struct parent {
	json_t *results;
	const char *id;
};

static void read_parent(void *user, const struct store_task *row)
{
	struct parent *p = user;
	json_t *v = row->results != NULL ? json_loads(row->results, JSON_DECODE_ANY, NULL) : NULL;

	if (row->state == MANAGER_COMPLETED && v != NULL) {
		json_object_set(p->results, p->id, v);
	}
	json_decref(v);
}

static void set_parents(struct service *s, json_t *to, const json_t *spec)
{
	struct parent p = {json_object(), NULL};
	json_t *on;
	size_t i;

	json_array_foreach(json_object_get(spec, "depends_on"), i, on)
	{
		p.id = json_string_value(on);
		if (p.id != NULL &&
		    store_task_get(s->store, p.id, read_parent, &p) == STORE_FAILED) {
			log_line("warn", "msg=\"cannot read a parent\" task=%s", p.id);
		}
	}
	if (json_object_size(p.results) != 0) {
		json_object_set(to, "parent_results", p.results);
	}
	json_decref(p.results);
}

/* The module: in the message when it is small or the worker cannot fetch it, else by digest. */
static void set_module(struct service *s, json_t *to, const json_t *spec,
		       const struct manager_node *n)
{
	const json_t *module = json_object_get(spec, "module");
	const char *digest = string_of(module, "digest");
	struct module_bytes bytes;
	size_t length;
	char *base64;

	if (digest == NULL) {
		set_nonempty(to, "image_url", spec);
		return;
	}
	if (n != NULL && n->ours && int_of(module, "size", 0) > s->config.inline_bytes) {
		json_object_set(to, "module", json_object_get(spec, "module"));
		return;
	}
	if (!module_bytes(s, digest, &bytes)) {
		log_line("error", "msg=\"a task's module is gone\" digest=%s", digest);
		return;
	}
	base64 = base64_encode(bytes.bytes, bytes.size, &length);
	if (base64 != NULL) {
		json_object_set_new(to, "file", json_stringn(base64, length));
	}
	free(base64);
}

static void set_ours(json_t *to, const json_t *spec, const struct manager_action *a)
{
	static const char *const keys[] = {"function", "limits", "capabilities", "policy", "aot"};

	for (size_t i = 0; i < BASE_COUNT(keys); i++) {
		set_nonempty(to, keys[i], spec);
	}
	json_object_set_new(to, "priority", json_integer(a->task->priority));
	json_object_set_new(to, "epoch", json_integer(a->epoch));
	if (a->node != NULL && a->node->connection != 0) {
		json_object_set_new(to, "connection",
				    json_integer((json_int_t)a->node->connection));
	}
	if (a->node != NULL && a->node->has_uptime) {
		json_object_set_new(to, "uptime_ms", json_integer((json_int_t)a->node->uptime_ms));
	}
	if (a->task->lease_ms != 0) {
		json_object_set_new(to, "lease_ms", json_integer(a->task->lease_ms));
	}
}

static void set_upstream(json_t *to, const json_t *spec)
{
	static const char *const keys[] = {"env", "kbs_resource_path", "monitoring_profile", "mode",
					   "hal_storage_path"};
	static const char *const flags[] = {"broadcast", "daemon", "latent", "encrypted"};
	json_t *cli_args = json_object_get(spec, "cli_args");

	json_object_set(to, "cli_args", cli_args != NULL ? cli_args : json_null());
	for (size_t i = 0; i < BASE_COUNT(flags); i++) {
		json_object_set_new(to, flags[i], json_boolean(bool_of(spec, flags[i])));
	}
	for (size_t i = 0; i < BASE_COUNT(keys); i++) {
		set_nonempty(to, keys[i], spec);
	}
}

/* native: an image that the worker is to run, its module by digest behind it; NULL if none. */
static json_t *start_message(struct service *s, const struct document *d,
			     const struct manager_action *a, json_t *native)
{
	bool ours = a->node == NULL || a->node->ours;
	json_t *m = json_object();

	json_object_set_new(m, "id", json_string(a->task->id));
	if (ours) {
		json_object_set_new(m, "epoch", json_integer(a->epoch));
	}
	if (a->node != NULL) {
		json_object_set_new(m, "proplet_id", json_string(a->node->id));
	}
	json_object_set(m, "name", json_object_get(d->spec, "name"));
	json_object_set_new(m, "state", json_integer(0));
	set_inputs(m, json_object_get(d->spec, "inputs"), a->node != NULL && a->node->embedded);
	set_upstream(m, d->spec);
	if (ours) {
		set_ours(m, d->spec, a);
	}
	set_parents(s, m, d->spec);
	if (native != NULL) {
		json_object_set_new(m, "native", native);
		json_object_set(m, "module", json_object_get(d->spec, "module"));
	} else {
		set_module(s, m, d->spec, a->node);
	}
	return m;
}

/* The topic of a command: the worker's own when it listens there. */
static const char *topic_of(const struct manager_node *n, const char *command, char *out,
			    size_t bytes)
{
	if (n != NULL && n->direct) {
		snprintf(out, bytes, "control/manager/%s/%s", command, n->id);
	} else {
		snprintf(out, bytes, "control/manager/%s", command);
	}
	return out;
}

static int qos_of(const struct service *s, const struct manager_node *n)
{
	return n != NULL && n->ours ? 1 : s->config.qos;
}

void send_start(struct service *s, const struct manager_action *a)
{
	struct document d = {0};
	json_t *native = NULL;
	char topic[160];

	if (store_task_get(s->store, a->task->id, read_document, &d) != STORE_OK ||
	    d.spec == NULL) {
		log_line("error", "msg=\"a task to start is not in the store\" task=%s",
			 a->task->id);
		return;
	}
	if (images_start(s, a, d.spec, &native)) {
		service_publish_json(s, topic_of(a->node, "start", topic, sizeof(topic)),
				     start_message(s, &d, a, native), qos_of(s, a->node));
	}
	json_decref(d.spec);
}

void send_stop(struct service *s, const struct manager_action *a)
{
	json_t *m = json_object();
	struct document d = {0};
	const char *name = "task";
	char topic[160];

	if ((a->node == NULL || !a->node->ours) &&
	    store_task_get(s->store, a->task_id, read_document, &d) == STORE_OK && d.spec != NULL) {
		name = string_of(d.spec, "name");
	}
	json_object_set_new(m, "id", json_string(a->task_id));
	json_object_set_new(m, "name", json_string(name));
	json_object_set_new(m, "state", json_string("2"));
	json_object_set_new(m, "broadcast", json_boolean(a->node == NULL));
	if (a->node != NULL) {
		json_object_set_new(m, "proplet_id", json_string(a->node->id));
	}
	if (a->node == NULL || a->node->ours) {
		json_object_set_new(m, "epoch", json_integer(a->epoch));
	}
	service_publish_json(s, topic_of(a->node, "stop", topic, sizeof(topic)), m,
			     qos_of(s, a->node));
	json_decref(d.spec);
}

void send_ack(struct service *s, const struct manager_action *a)
{
	char topic[160], *payload = malloc(160);
	int n;

	if (payload == NULL) {
		return;
	}
	snprintf(topic, sizeof(topic), "control/manager/ack/%s", a->node->id);
	/* Ids hold nothing that JSON would escape but quotes and backslashes; dump them. */
	if (strpbrk(a->task_id, "\"\\") != NULL) {
		free(payload);
		service_publish_json(s, topic,
				     json_pack("{s:s, s:I}", "task_id", a->task_id, "epoch",
					       (json_int_t)a->epoch),
				     1);
		return;
	}
	n = snprintf(payload, 160, "{\"task_id\":\"%s\",\"epoch\":%u}", a->task_id, a->epoch);
	service_publish(s, topic, payload, (size_t)n, 1);
}

void send_lease(struct service *s, const struct manager_action *a)
{
	uint32_t cursor = MANAGER_NONE, lease_ms = UINT32_MAX;
	const struct manager_task *t;
	json_t *tasks = json_array(), *m;
	char topic[160];

	while ((t = manager_node_leases(s->core, a->node, &cursor)) != NULL) {
		json_array_append_new(
			tasks, json_pack("{s:s, s:I}", "id", t->id, "epoch", (json_int_t)t->epoch));
		lease_ms = BASE_MIN(lease_ms, t->lease_ms);
	}
	if (json_array_size(tasks) == 0) {
		json_decref(tasks);
		return;
	}
	snprintf(topic, sizeof(topic), "control/manager/lease/%s", a->node->id);
	m = json_pack("{s:o, s:I}", "tasks", tasks, "lease_ms", (json_int_t)lease_ms);
	if (a->node->has_uptime) {
		json_object_set_new(m, "connection", json_integer((json_int_t)a->node->connection));
		json_object_set_new(m, "uptime_ms", json_integer((json_int_t)a->node->uptime_ms));
	}
	service_publish_json(s, topic, m, 0);
}

void send_invoke(struct service *s, const struct manager_action *a)
{
	json_t *m = json_object();
	char topic[160];

	json_object_set_new(m, "broadcast", json_false());
	json_object_set_new(m, "id", json_string(a->task->id));
	json_object_set_new(m, "invocation_id", json_string(s->invocation));
	json_object_set_new(m, "proplet_id", json_string(a->node->id));
	json_object_set_new(m, "inputs", json_null());
	set_inputs(m, s->invoke_inputs, false);
	if (json_object_size(s->invoke_env) != 0) {
		json_object_set(m, "env", (json_t *)(uintptr_t)s->invoke_env);
	}
	s->invoke_sent = true;
	service_publish_json(s, topic_of(a->node, "invoke", topic, sizeof(topic)), m,
			     qos_of(s, a->node));
}
