/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Task documents: to the core, from the store to clients, and which rows are live.
 *
 * In:  specs and rows. Out: what the core needs to know; JSON for clients.
 */
#include "manager/core/cron.h"
#include "manager/http/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- schedules ---- */

/* Runs with another time zone; the C library knows the zones. One thread. */
static void with_zone(const char *zone)
{
	static char current[80] = "UTC";

	if (zone == NULL || zone[0] == '\0') {
		zone = "UTC";
	}
	if (strcmp(current, zone) != 0) {
		snprintf(current, sizeof(current), "%s", zone);
		setenv("TZ", zone, 1);
		tzset();
	}
}

int64_t task_next_run(const json_t *spec, int64_t wall_ms)
{
	const char *schedule = string_of(spec, "schedule");
	time_t now = (time_t)(wall_ms / 1000), at;
	struct cron cron;
	struct cron_time from, to;
	struct tm tm;

	if (schedule == NULL || schedule[0] == '\0' || cron_parse(schedule, &cron) != NULL) {
		return 0;
	}
	with_zone(string_of(spec, "timezone"));
	for (int tries = 0; tries < 4; tries++) {
		localtime_r(&now, &tm);
		from = (struct cron_time){tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
					  tm.tm_min};
		if (!cron_next(&cron, &from, &to)) {
			return 0;
		}
		tm = (struct tm){.tm_year = to.year - 1900,
				 .tm_mon = to.month - 1,
				 .tm_mday = to.day,
				 .tm_hour = to.hour,
				 .tm_min = to.minute,
				 .tm_isdst = -1};
		at = mktime(&tm);
		if (at > (time_t)(wall_ms / 1000)) {
			return (int64_t)at * 1000;
		}
		/* The hour that comes twice when summer time ends: look on from an hour later. */
		now += 3600;
	}
	return 0;
}

/* ---- to the core ---- */

static void need_word(struct placement_need *n, const char *kind, const char *text)
{
	if (text != NULL && text[0] != '\0') {
		placement_need_add(n, placement_hash(kind, text));
	}
}

static void need_words(struct placement_need *n, const char *kind, const json_t *list)
{
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		need_word(n, kind, json_string_value(v));
	}
}

static void need_labels(struct placement_need *n, json_t *labels)
{
	const char *key;
	char pair[256];
	json_t *v;

	json_object_foreach(labels, key, v)
	{
		snprintf(pair, sizeof(pair), "%s=%s", key, json_string_value(v));
		need_word(n, "label", pair);
	}
}

static uint32_t clamp_u32(int64_t v)
{
	return v < 0 ? 0 : v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

/* The order is that of requirement_text below. */
static void core_need(const json_t *spec, struct placement_need *n)
{
	const json_t *c = json_object_get(spec, "constraints");
	const json_t *module = json_object_get(spec, "module");
	const char *node = string_of(spec, "proplet_id");
	const char *power = string_of(c, "power");
	int64_t memory = int_of(json_object_get(spec, "limits"), "memory_bytes", 0);

	need_word(n, "arch", string_of(c, "arch"));
	need_word(n, "os", string_of(c, "os"));
	need_word(n, "engine", string_of(c, "engine"));
	need_words(n, "capability", json_object_get(spec, "capabilities"));
	need_words(n, "tag", json_object_get(c, "tags"));
	need_words(n, "feature", json_object_get(c, "features"));
	need_labels(n, json_object_get(c, "labels"));
	memory = BASE_MAX(memory, int_of(c, "min_memory_bytes", 0));
	n->memory_bytes = clamp_u32(memory);
	n->pin_hash = node != NULL && node[0] != '\0' ? placement_hash("id", node) : 0;
	n->mains = power != NULL && strcmp(power, "mains") == 0;
	n->battery_percent_min = (uint8_t)int_of(c, "min_battery_percent", 0);
	n->flash_bytes = clamp_u32(int_of(module, "size", 0));
	if (string_of(module, "digest") != NULL) {
		n->module_hash = placement_hash("module", string_of(module, "digest"));
	}
}

/* What requirement number idx of core_need is, for people. */
static void requirement_text(const json_t *spec, uint32_t idx, char *out, size_t bytes)
{
	static const char *const words[] = {"arch", "os", "engine"};
	static const char *const lists[] = {"tags", "features"};
	static const char *const names[] = {"tag", "feature"};
	const json_t *c = json_object_get(spec, "constraints");
	json_t *v;
	size_t i;
	const char *key;

	for (i = 0; i < 3; i++) {
		const char *w = string_of(c, words[i]);

		if (w != NULL && w[0] != '\0' && idx-- == 0) {
			snprintf(out, bytes, "%s %s", words[i], w);
			return;
		}
	}
	json_array_foreach(json_object_get(spec, "capabilities"), i, v)
	{
		if (idx-- == 0) {
			snprintf(out, bytes, "capability %s", json_string_value(v));
			return;
		}
	}
	for (int l = 0; l < 2; l++) {
		json_array_foreach(json_object_get(c, lists[l]), i, v)
		{
			if (idx-- == 0) {
				snprintf(out, bytes, "%s %s", names[l], json_string_value(v));
				return;
			}
		}
	}
	json_object_foreach(json_object_get(c, "labels"), key, v)
	{
		if (idx-- == 0) {
			snprintf(out, bytes, "label %s=%s", key, json_string_value(v));
			return;
		}
	}
	snprintf(out, bytes, "requirement");
}

static enum manager_policy policy_of(const char *word)
{
	return word == NULL                ? MANAGER_POLICY_KEEP
	       : strcmp(word, "stop") == 0 ? MANAGER_POLICY_STOP
	       : strcmp(word, "park") == 0 ? MANAGER_POLICY_PARK
					   : MANAGER_POLICY_KEEP;
}

void task_core_spec(struct service *s, const json_t *spec, struct manager_task_spec *out)
{
	const json_t *restart = json_object_get(spec, "restart");
	const char *run_if = string_of(spec, "run_if");

	*out = (struct manager_task_spec){
		.id = string_of(spec, "id"),
		.priority = (uint8_t)int_of(spec, "priority", 50),
		.broadcast = bool_of(spec, "broadcast"),
		.daemon = bool_of(spec, "daemon"),
		.latent = bool_of(spec, "latent"),
		.idempotent = bool_of(spec, "idempotent"),
		.queue = bool_of(spec, "queue"),
		.policy = policy_of(string_of(spec, "policy")),
		.lease_ms = clamp_u32(int_of(spec, "lease_ms", s->config.lease_ms)),
		.restart_attempts = clamp_u32(int_of(restart, "attempts", 0)),
		.restart_interval_ms = clamp_u32(int_of(restart, "interval_ms", 0)),
		.restart_backoff_ms = clamp_u32(int_of(restart, "backoff_ms", 1000)),
		.run_if = run_if != NULL && strcmp(run_if, "failure") == 0 ? MANAGER_RUN_IF_FAILURE
									   : MANAGER_RUN_IF_SUCCESS,
	};
	core_need(spec, &out->need);
}

static void fact_words(struct placement_node *n, const char *kind, const json_t *list)
{
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		if (json_is_string(v)) {
			placement_node_add(n, placement_hash(kind, json_string_value(v)));
		}
	}
}

static void fact_word(struct placement_node *n, const char *kind, const char *text)
{
	if (text != NULL && text[0] != '\0') {
		placement_node_add(n, placement_hash(kind, text));
	}
}

static bool is_word(const char *text, const char *word)
{
	return text != NULL && strcmp(text, word) == 0;
}

void node_facts(const char *id, const json_t *m, struct manager_node_facts *out)
{
	const char *key;
	json_t *v;

	*out = (struct manager_node_facts){.id = id};
	fact_word(&out->fit, "arch", string_of(m, "cpu_arch"));
	fact_word(&out->fit, "os", string_of(m, "os"));
	fact_word(&out->fit, "engine", string_of(m, "engine"));
	fact_words(&out->fit, "capability", json_object_get(m, "capabilities"));
	fact_words(&out->fit, "tag", json_object_get(m, "tags"));
	json_object_foreach(json_object_get(m, "labels"), key, v)
	{
		char pair[256];

		snprintf(pair, sizeof(pair), "%s=%s", key,
			 json_is_string(v) ? json_string_value(v) : "");
		fact_word(&out->fit, "label", pair);
	}
	fact_words(&out->fit, "feature", json_object_get(m, "features"));
	out->ours = string_of(m, "engine") != NULL;
	out->direct = bool_of(m, "direct");
	out->embedded = !out->ours && (is_word(string_of(m, "wasm_runtime"), "wamr") ||
				       is_word(string_of(m, "environment"), "embedded"));
	out->heartbeat_ms = clamp_u32(int_of(m, "heartbeat_ms", 0));
	out->fit.pool_bytes = clamp_u32(int_of(m, "pool_bytes", 0));
	out->fit.free_bytes = clamp_u32(int_of(m, "free_bytes", out->fit.pool_bytes));
	out->fit.flash_bytes = clamp_u32(int_of(m, "flash_bytes", 0));
	out->fit.tasks_max = (uint16_t)BASE_MIN(clamp_u32(int_of(m, "tasks_max", 0)), 65535);
	out->fit.battery_percent = (uint8_t)(int_of(m, "battery_percent", 255) & 0xff);
	out->fit.mains = !is_word(string_of(m, "power"), "battery");
}

/* ---- to clients ---- */

static void set_time(json_t *o, const char *key, int64_t ms)
{
	char text[40];

	json_object_set_new(o, key, json_string(time_text(ms, text)));
}

static void set_json(json_t *o, const char *key, const char *text)
{
	json_t *v = text != NULL ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

	if (v != NULL) {
		json_object_set_new(o, key, v);
	}
}

/* Keys that every task has, whether it was given them or not. */
static void set_always(json_t *t)
{
	static const char *const flags[] = {"daemon", "encrypted"};

	if (json_object_get(t, "cli_args") == NULL) {
		json_object_set_new(t, "cli_args", json_null());
	}
	for (size_t i = 0; i < BASE_COUNT(flags); i++) {
		if (json_object_get(t, flags[i]) == NULL) {
			json_object_set_new(t, flags[i], json_false());
		}
	}
}

json_t *task_json(struct service *s, const struct store_task *row)
{
	json_t *t = json_loads(row->spec, 0, NULL);
	json_t *report = row->report != NULL ? json_loads(row->report, 0, NULL) : NULL;

	if (t == NULL) {
		t = json_object();
	}
	json_object_set_new(t, "state", json_integer(row->state));
	set_always(t);
	if (row->node_id != NULL) {
		json_object_set_new(t, "proplet_id", json_string(row->node_id));
	}
	set_json(t, "results", row->results);
	if (row->error != NULL) {
		json_object_set_new(t, "error", json_string(row->error));
	}
	set_time(t, "start_time", row->start_ms);
	set_time(t, "finish_time", row->finish_ms);
	set_time(t, "created_at", row->created_ms);
	set_time(t, "updated_at", row->updated_ms);
	set_time(t, "next_run", row->next_run_ms);
	json_object_set_new(t, "phase",
			    json_string(manager_phase_word((enum manager_phase)row->phase)));
	json_object_set_new(t, "epoch", json_integer(row->epoch));
	if (report != NULL) {
		json_object_update(t, report);
		json_decref(report);
	}
	if (row->phase == MANAGER_PHASE_QUEUED || row->phase == MANAGER_PHASE_ORPHANED ||
	    row->phase == MANAGER_PHASE_BLOCKED || row->phase == MANAGER_PHASE_BACKOFF) {
		task_add_placement(s, t, false);
	}
	return t;
}

struct by_id {
	struct service *s;
	json_t *json;
};

static void read_by_id(void *user, const struct store_task *row)
{
	struct by_id *r = user;

	r->json = task_json(r->s, row);
}

json_t *task_json_by_id(struct service *s, const char *id)
{
	struct by_id r = {s, NULL};

	return store_task_get(s->store, id, read_by_id, &r) == STORE_OK ? r.json : NULL;
}

/* ---- placement, explained ---- */

static void reason_text(const json_t *spec, const struct placement_reason *r, char *out,
			size_t bytes)
{
	char what[160];

	switch (r->verdict) {
	case PLACEMENT_REQUIREMENT:
		requirement_text(spec, r->requirement_idx, what, sizeof(what));
		snprintf(out, bytes, "lacks %s", what);
		break;
	case PLACEMENT_MEMORY:
	case PLACEMENT_POOL:
	case PLACEMENT_FLASH:
		snprintf(out, bytes, "%s: needs %u bytes, has %u",
			 placement_verdict_text(r->verdict), r->need, r->have);
		break;
	case PLACEMENT_SLOTS:
		snprintf(out, bytes, "%s (%u)", placement_verdict_text(r->verdict), r->have);
		break;
	case PLACEMENT_BATTERY:
		snprintf(out, bytes, "battery at %u percent, the task asks for %u", r->have,
			 r->need);
		break;
	case PLACEMENT_FITS:
		snprintf(out, bytes, "fits, score %d", r->score);
		break;
	default:
		snprintf(out, bytes, "%s", placement_verdict_text(r->verdict));
		break;
	}
}

static json_t *node_verdict(const json_t *spec, const struct manager_node *n,
			    const struct placement_reason *r)
{
	char text[256];

	reason_text(spec, r, text, sizeof(text));
	return json_pack("{s:s, s:s, s:s, s:s}", "proplet_id", n->id, "name", n->name, "verdict",
			 placement_verdict_word(r->verdict), "reason", text);
}

/* "2 nodes: no sign of life; 1 node: lacks capability gpio" */
static void summary(const json_t *spec, const struct placement_reason *sample,
		    const uint32_t *counts, char *out, size_t bytes)
{
	out[0] = '\0';
	for (int v = 0; v < PLACEMENT_VERDICT_COUNT; v++) {
		char text[200];

		if (counts[v] == 0) {
			continue;
		}
		reason_text(spec, &sample[v], text, sizeof(text));
		snprintf(out + strlen(out), bytes - strlen(out), "%s%u node%s: %s",
			 out[0] != '\0' ? "; " : "", counts[v], counts[v] == 1 ? "" : "s",
			 v == PLACEMENT_FITS ? "fits" : text);
	}
	if (out[0] == '\0') {
		snprintf(out, bytes, "no proplet has announced itself yet");
	}
}

static void judge_all(struct service *s, const json_t *task, json_t *placement, bool all)
{
	const struct manager_task *live = manager_task_find(s->core, string_of(task, "id"));
	struct placement_reason sample[PLACEMENT_VERDICT_COUNT] = {0};
	uint32_t counts[PLACEMENT_VERDICT_COUNT] = {0};
	json_t *nodes = json_array();
	struct manager_task_spec spec;
	char text[SERVICE_TEXT];

	task_core_spec(s, task, &spec);
	if (live != NULL) {
		spec.need = live->need;
	} else {
		for (int i = 0; i < PLACEMENT_AVOID_MAX; i++) {
			spec.need.avoid[i] = PLACEMENT_NONE;
		}
	}
	for (uint32_t i = 0; i < manager_node_slots(s->core); i++) {
		const struct manager_node *n = manager_node_at(s->core, i);
		struct placement_reason r;

		if (n == NULL) {
			continue;
		}
		placement_judge(&spec.need, &n->fit, i, &r);
		counts[r.verdict]++;
		sample[r.verdict] = r;
		if (all) {
			json_array_append_new(nodes, node_verdict(task, n, &r));
		}
	}
	summary(task, sample, counts, text, sizeof(text));
	if (json_object_get(placement, "reason") == NULL) {
		json_object_set_new(placement, "reason", json_string(text));
	}
	json_object_set_new(placement, "summary", json_string(text));
	if (all) {
		json_object_set(placement, "nodes", nodes);
	}
	json_decref(nodes);
}

void task_add_placement(struct service *s, json_t *task, bool all)
{
	const struct manager_task *live = manager_task_find(s->core, string_of(task, "id"));
	json_t *p = json_object();

	if (live != NULL && live->phase == MANAGER_PHASE_ORPHANED) {
		json_object_set_new(p, "reason",
				    json_string("its node is out of contact; it waits for "
						"the node or for the end of the lease"));
	} else if (live != NULL && live->phase == MANAGER_PHASE_BLOCKED) {
		json_object_set_new(p, "reason", json_string("waits for the tasks it depends on"));
	} else if (live != NULL && live->phase == MANAGER_PHASE_BACKOFF) {
		json_object_set_new(p, "reason", json_string("waits before it is tried again"));
	} else if (live != NULL && live->node != MANAGER_NONE) {
		json_object_set_new(p, "reason", json_string("placed"));
	}
	judge_all(s, task, p, all);
	json_object_set_new(task, "placement", p);
}

/* ---- rows ---- */

bool task_insert(struct service *s, const json_t *spec, const char *workflow_id, const char *job_id,
		 char *error, size_t error_bytes)
{
	char *text = json_dumps(spec, JSON_COMPACT);
	struct store_task row = {
		.id = string_of(spec, "id"),
		.name = string_of(spec, "name"),
		.workflow_id = workflow_id,
		.job_id = job_id,
		.spec = text,
		.created_ms = s->wall_ms,
		.updated_ms = s->wall_ms,
		.next_run_ms = task_next_run(spec, s->wall_ms),
		.priority = (int)int_of(spec, "priority", 50),
	};
	enum store_err err = text != NULL ? store_task_insert(s->store, &row) : STORE_FAILED;

	free(text);
	if (err == STORE_CONFLICT) {
		snprintf(error, error_bytes, "id: there is a task %s already", row.id);
	} else if (err != STORE_OK) {
		snprintf(error, error_bytes, "the store failed: %s", store_error(s->store));
	}
	return err == STORE_OK;
}

/* Rows become events; texts are copied since the store's rows do not outlive the callback. */
struct load {
	struct service *s;
	json_t *specs; /* array: each spec with "_phase" and so on, restored or not */
};

static void read_spec(void *user, const struct store_task *row)
{
	struct load *l = user;
	json_t *spec = json_loads(row->spec, 0, NULL);

	if (spec == NULL) {
		return;
	}
	json_object_set_new(spec, "_row",
			    json_pack("{s:i, s:i, s:I, s:I, s:s*, s:s*, s:s*}", "state", row->state,
				      "phase", row->phase, "epoch", (json_int_t)row->epoch, "next",
				      (json_int_t)row->next_run_ms, "node", row->node_id,
				      "workflow", row->workflow_id, "job", row->job_id));
	json_array_append_new(l->specs, spec);
}

static bool add_task(struct service *s, const json_t *spec, const char *group_id, char *error,
		     size_t error_bytes)
{
	const json_t *row = json_object_get(spec, "_row");
	struct manager_event e = {.kind = MANAGER_EVENT_TASK_ADD};

	task_core_spec(s, spec, &e.u.add.spec);
	e.u.add.spec.next_run_ms = int_of(row, "next", 0);
	e.u.add.group_id = group_id;
	e.u.add.node_id = string_of(row, "node");
	e.u.add.epoch = (uint32_t)int_of(row, "epoch", 0);
	e.u.add.phase = (enum manager_phase)int_of(row, "phase", 0);
	e.u.add.state = (enum manager_state)int_of(row, "state", 0);
	if (service_event(s, &e) == MANAGER_ANSWER_FULL) {
		snprintf(error, error_bytes, "%s", manager_answer_text(MANAGER_ANSWER_FULL));
		return false;
	}
	return true;
}

static bool add_edges(struct service *s, const json_t *spec, char *error, size_t error_bytes)
{
	json_t *on;
	size_t i;

	json_array_foreach(json_object_get(spec, "depends_on"), i, on)
	{
		struct manager_event e = {.kind = MANAGER_EVENT_TASK_DEPEND};

		e.u.depend.task_id = string_of(spec, "id");
		e.u.depend.on_id = json_string_value(on);
		if (service_event(s, &e) != MANAGER_ANSWER_OK) {
			snprintf(error, error_bytes,
				 "depends_on: task %s is gone, or there are too many dependencies",
				 json_string_value(on));
			return false;
		}
	}
	return true;
}

static void read_mode(void *user, const struct store_group *g)
{
	enum manager_job_mode *mode = user;

	*mode = is_word(g->mode, "sequential")     ? MANAGER_JOB_SEQUENTIAL
		: is_word(g->mode, "configurable") ? MANAGER_JOB_CONFIGURABLE
						   : MANAGER_JOB_PARALLEL;
}

static bool add_all(struct service *s, json_t *specs, const char *group_id, char *error,
		    size_t error_bytes)
{
	json_t *spec;
	size_t i;

	json_array_foreach(specs, i, spec)
	{
		if (!add_task(s, spec, group_id, error, error_bytes)) {
			return false;
		}
	}
	json_array_foreach(specs, i, spec)
	{
		if (!add_edges(s, spec, error, error_bytes)) {
			return false;
		}
	}
	return true;
}

bool group_load(struct service *s, const char *id, bool is_job, char *error, size_t error_bytes)
{
	struct store_task_filter f = {.state = -1, .oldest_first = true};
	struct manager_event e = {.kind = MANAGER_EVENT_GROUP_ADD};
	struct manager_event after = {0};
	struct load l = {s, json_array()};
	bool ok;

	if (manager_group_find(s->core, id) != NULL) {
		json_decref(l.specs);
		return true;
	}
	*(is_job ? &f.job_id : &f.workflow_id) = id;
	if (store_task_list(s->store, &f, 0, INT64_MAX, read_spec, &l) != STORE_OK) {
		snprintf(error, error_bytes, "the store failed: %s", store_error(s->store));
		json_decref(l.specs);
		return false;
	}
	e.u.group.id = id;
	e.u.group.kind = is_job ? MANAGER_GROUP_JOB : MANAGER_GROUP_WORKFLOW;
	if (is_job && store_group_get(s->store, id, read_mode, &e.u.group.mode) == STORE_FAILED) {
		log_line("warn", "msg=\"job without a record\" job=%s", id);
	}
	ok = service_event(s, &e) != MANAGER_ANSWER_FULL &&
	     add_all(s, l.specs, id, error, error_bytes);
	after.kind = ok ? MANAGER_EVENT_GROUP_READY : MANAGER_EVENT_GROUP_DROP;
	after.u.group.id = id;
	(void)service_event(s, &after);
	json_decref(l.specs);
	return ok;
}

bool task_load(struct service *s, const char *id, char *error, size_t error_bytes)
{
	struct load l = {s, json_array()};
	const json_t *row, *spec;
	const char *workflow, *job;
	bool ok = true;

	if (manager_task_find(s->core, id) != NULL) {
		json_decref(l.specs);
		return true;
	}
	if (store_task_get(s->store, id, read_spec, &l) != STORE_OK) {
		snprintf(error, error_bytes, "task not found");
		json_decref(l.specs);
		return false;
	}
	spec = json_array_get(l.specs, 0);
	row = json_object_get(spec, "_row");
	workflow = string_of(row, "workflow");
	job = string_of(row, "job");
	if (workflow != NULL || job != NULL) {
		ok = group_load(s, job != NULL ? job : workflow, job != NULL, error, error_bytes);
	}
	if (ok && manager_task_find(s->core, id) == NULL) {
		ok = add_task(s, spec, NULL, error, error_bytes);
	}
	json_decref(l.specs);
	return ok;
}

struct reports {
	struct service *s;
	const char *task_id;
	int64_t epoch;
};

/* A stored part of a broadcast's result: that node is not waited for any more. */
static void restore_part(void *user, const struct store_entry *entry)
{
	struct reports *r = user;
	struct manager_event e = {.kind = MANAGER_EVENT_TASK_REPORTED};
	json_t *part = json_loads(entry->body, 0, NULL);
	const char *error = string_of(part, "error");

	e.u.reported.task_id = r->task_id;
	e.u.reported.node_id = string_of(part, "proplet_id");
	e.u.reported.ok = error == NULL || error[0] == '\0';
	if (e.u.reported.node_id != NULL && int_of(part, "epoch", 0) == r->epoch) {
		(void)service_event(r->s, &e);
	}
	json_decref(part);
}

static void restore_parts(struct service *s, const json_t *spec)
{
	struct reports r = {s, string_of(spec, "id"),
			    int_of(json_object_get(spec, "_row"), "epoch", 0)};

	if (bool_of(spec, "broadcast")) {
		service_must(s,
			     store_history_list(s->store, STORE_PART, r.task_id, 0, 0, INT64_MAX,
						false, restore_part, &r),
			     "parts of a broadcast");
	}
}

void task_restore_all(struct service *s)
{
	struct store_task_filter f = {.state = -1, .oldest_first = true, .live = true};
	struct load l = {s, json_array()};
	char error[SERVICE_TEXT];
	json_t *spec;
	size_t i;

	service_must(s, store_task_list(s->store, &f, 0, INT64_MAX, read_spec, &l), "live tasks");
	json_array_foreach(l.specs, i, spec)
	{
		if (!task_load(s, string_of(spec, "id"), error, sizeof(error))) {
			log_line("error",
				 "msg=\"a live task is not taken up\" task=%s error=\"%s\"",
				 string_of(spec, "id"), error);
		}
		restore_parts(s, spec);
	}
	if (json_array_size(l.specs) != 0) {
		log_line("info", "msg=\"live tasks taken up\" count=%zu", json_array_size(l.specs));
	}
	json_decref(l.specs);
}

const char *job_state(const uint64_t counts[MANAGER_STATE_COUNT])
{
	if (counts[MANAGER_FAILED] + counts[MANAGER_INTERRUPTED] != 0) {
		return "failed";
	}
	if (counts[MANAGER_RUNNING] + counts[MANAGER_SCHEDULED] != 0) {
		return "running";
	}
	if (counts[MANAGER_PENDING] == 0) {
		return "completed";
	}
	return counts[MANAGER_COMPLETED] + counts[MANAGER_SKIPPED] != 0 ? "running" : "pending";
}
