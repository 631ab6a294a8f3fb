/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs and workflows. */
#include "manager/http/call.h"

#include <stdio.h>
#include <stdlib.h>

#define TASKS_MAX 10000

/* ---- creation ---- */

/* Checks each task of the body; NULL when the call has been answered. */
static json_t *check_tasks(struct call *c, const json_t *body)
{
	json_t *given = json_object_get(body, "tasks"), *specs, *task;
	char error[SERVICE_TEXT];
	size_t i;

	if (!json_is_array(given) || json_array_size(given) == 0 ||
	    json_array_size(given) > TASKS_MAX) {
		call_error(c, 400, "tasks: expected an array of 1 to %d tasks", TASKS_MAX);
		return NULL;
	}
	specs = json_array();
	json_array_foreach(given, i, task)
	{
		const char *id = string_of(task, "id");
		json_t *spec = NULL;
		char fresh[37];

		if (!task_check(c->s, task, &spec, error, sizeof(error))) {
			call_error(c, 400, "tasks[%zu].%s", i, error);
			json_decref(specs);
			return NULL;
		}
		json_array_append_new(specs, spec);
		if (id != NULL && id[0] != '\0' && !id_valid(id)) {
			call_error(c, 400, "tasks[%zu].id: '%.64s' is no id", i, id);
			json_decref(specs);
			return NULL;
		}
		uuid_make(fresh);
		json_object_set_new(spec, "id",
				    json_string(id != NULL && id[0] != '\0' ? id : fresh));
	}
	return specs;
}

/* Whether tasks depend on each other in a circle. */
static bool has_cycle(json_t *specs)
{
	size_t left = json_array_size(specs), before;
	json_t *done = json_object(), *spec, *on;
	size_t i, j;

	do {
		before = left;
		json_array_foreach(specs, i, spec)
		{
			bool ready = json_object_get(done, string_of(spec, "id")) == NULL;

			json_array_foreach(json_object_get(spec, "depends_on"), j, on)
			{
				ready = ready &&
					json_object_get(done, json_string_value(on)) != NULL;
			}
			if (ready) {
				json_object_set_new(done, string_of(spec, "id"), json_true());
				left--;
			}
		}
	} while (left != 0 && left != before);
	json_decref(done);

	return left != 0;
}

static bool check_graph(struct call *c, json_t *specs)
{
	json_t *by_id = json_object(), *spec, *on;
	bool ok = true;
	size_t i, j;

	json_array_foreach(specs, i, spec)
	{
		const char *id = string_of(spec, "id");

		if (ok && json_object_get(by_id, id) != NULL) {
			call_error(c, 400, "tasks[%zu].id: '%.64s' is there twice", i, id);
			ok = false;
		}
		json_object_set(by_id, id, spec);
	}
	json_array_foreach(specs, i, spec)
	{
		json_array_foreach(json_object_get(spec, "depends_on"), j, on)
		{
			if (ok && json_object_get(by_id, json_string_value(on)) == NULL) {
				call_error(c, 400,
					   "tasks[%zu].depends_on: there is no task '%.64s'", i,
					   json_string_value(on));
				ok = false;
			}
		}
	}
	if (ok && has_cycle(specs)) {
		call_error(c, 400, "depends_on: the tasks depend on each other in a circle");
		ok = false;
	}
	json_decref(by_id);
	return ok;
}

static bool insert_all(struct call *c, json_t *specs, const char *id, bool is_job)
{
	char error[SERVICE_TEXT];
	json_t *spec;
	size_t i;

	json_array_foreach(specs, i, spec)
	{
		json_object_set_new(spec, is_job ? "job_id" : "workflow_id", json_string(id));
		json_object_del(spec, is_job ? "workflow_id" : "job_id");
		if (!task_insert(c->s, spec, is_job ? NULL : id, is_job ? id : NULL, error,
				 sizeof(error))) {
			/* Those before it go again: all or nothing. */
			while (i-- > 0) {
				if (store_task_delete(c->s->store,
						      string_of(json_array_get(specs, i), "id")) ==
				    STORE_FAILED) {
					log_line("error", "msg=\"cannot undo a group\" group=%s",
						 id);
				}
			}
			call_error(c, 409, "%s", error);
			return false;
		}
	}
	return true;
}

/* ---- reading ---- */

struct members {
	struct service *s;
	json_t *list;
	uint64_t counts[MANAGER_STATE_COUNT];
	int64_t start_ms, finish_ms;
};

static void add_member(void *user, const struct store_task *row)
{
	struct members *m = user;

	m->counts[row->state]++;
	if (row->start_ms != 0 && (m->start_ms == 0 || row->start_ms < m->start_ms)) {
		m->start_ms = row->start_ms;
	}
	m->finish_ms = BASE_MAX(m->finish_ms, row->finish_ms);
	json_array_append_new(m->list, task_json(m->s, row));
}

static bool read_members(struct call *c, const char *id, bool is_job, struct members *m)
{
	struct store_task_filter f = {.state = -1, .oldest_first = true};

	*m = (struct members){.s = c->s, .list = json_array()};
	*(is_job ? &f.job_id : &f.workflow_id) = id;
	if (store_task_list(c->s->store, &f, 0, INT64_MAX, add_member, m) != STORE_OK) {
		json_decref(m->list);
		call_store_failed(c);
		return false;
	}
	return true;
}

struct record {
	json_t *list;
};

static void add_record(void *user, const struct store_group *g)
{
	struct record *r = user;
	char stamp[40];

	json_array_append_new(r->list, json_pack("{s:s, s:s*, s:s*, s:s}", "id", g->id, "name",
						 g->name, "mode", g->mode, "created_at",
						 time_text(g->created_ms, stamp)));
}

/* The group's record; NULL when the call has been answered. */
static json_t *find(struct call *c, const char *what)
{
	struct record r = {json_array()};
	const char *id = c->segments[1];
	enum store_err err = store_group_get(c->s->store, id, add_record, &r);
	json_t *found = err == STORE_OK ? json_incref(json_array_get(r.list, 0)) : NULL;

	json_decref(r.list);
	if (found == NULL && err == STORE_ABSENT && !uuid_valid(id)) {
		call_error(c, 400,
			   "invalid query parameters: '%.64s' is neither a UUID nor the id of a %s",
			   id, what);
	} else if (found == NULL) {
		call_store_error(c, err, what);
	}
	return found;
}

/* Jobs as GET /jobs shows them. */
static json_t *job_json(struct call *c, const json_t *record)
{
	struct members m;
	char start[40], finish[40];
	json_t *job;
	const char *state;

	if (!read_members(c, string_of(record, "id"), true, &m)) {
		return NULL;
	}
	state = job_state(m.counts);
	if (strcmp(state, "running") == 0 || strcmp(state, "pending") == 0) {
		m.finish_ms = 0;
	}
	job = json_pack("{s:O, s:O*, s:O*, s:s, s:o, s:s, s:s, s:O}", "job_id",
			json_object_get(record, "id"), "name", json_object_get(record, "name"),
			"execution_mode", json_object_get(record, "mode"), "state", state, "tasks",
			m.list, "start_time", time_text(m.start_ms, start), "finish_time",
			time_text(m.finish_ms, finish), "created_at",
			json_object_get(record, "created_at"));
	return job;
}

/* ---- jobs ---- */

static const char *mode_check(struct call *c, const json_t *body)
{
	const char *mode = string_of(body, "execution_mode");
	const char *fallback = getenv("JOB_EXECUTION_MODE");

	if (mode == NULL || mode[0] == '\0') {
		mode = fallback != NULL && fallback[0] != '\0' ? fallback : "parallel";
	}
	if (strcmp(mode, "parallel") != 0 && strcmp(mode, "sequential") != 0 &&
	    strcmp(mode, "configurable") != 0) {
		call_error(c, 400,
			   "execution_mode: '%.40s' is none of parallel, sequential, configurable",
			   mode);
		return NULL;
	}
	return mode;
}

static void create(struct call *c, const json_t *body, bool is_job)
{
	struct store_group g = {.kind = is_job ? "job" : "workflow", .created_ms = c->s->wall_ms};
	const char *given = is_job ? NULL
				   : string_of(json_array_get(json_object_get(body, "tasks"), 0),
					       "workflow_id");
	json_t *specs = check_tasks(c, body);
	struct members m;

	if (specs == NULL) {
		return;
	}
	uuid_make(c->id);
	if (given != NULL && id_valid(given)) {
		snprintf(c->id, sizeof(c->id), "%s", given);
	}
	g.id = c->id;
	g.name = string_of(body, "name");
	g.mode = is_job ? mode_check(c, body) : NULL;
	if ((is_job && g.mode == NULL) || !check_graph(c, specs) ||
	    !insert_all(c, specs, c->id, is_job)) {
		json_decref(specs);
		return;
	}
	json_decref(specs);
	if (store_group_insert(c->s->store, &g) == STORE_FAILED ||
	    !read_members(c, c->id, is_job, &m)) {
		call_store_failed(c);
		return;
	}
	if (is_job) {
		snprintf(c->location, sizeof(c->location), "/jobs/%s", c->id);
		call_json(c, 201, json_pack("{s:s, s:o}", "job_id", c->id, "tasks", m.list));
	} else {
		snprintf(c->location, sizeof(c->location), "/workflows/%s", c->id);
		call_json(c, 201, json_pack("{s:s, s:o}", "workflow_id", c->id, "tasks", m.list));
	}
}

void api_job_create(struct call *c)
{
	json_t *body = call_body(c);

	if (body != NULL) {
		create(c, body, true);
	}
	json_decref(body);
}

void api_workflow_create(struct call *c)
{
	json_t *body = call_body(c);

	if (body != NULL) {
		create(c, body, false);
	}
	json_decref(body);
}

static bool job_matches(const char *status, const json_t *job)
{
	return status == NULL || strcmp(status, string_of(job, "state")) == 0;
}

void api_jobs(struct call *c)
{
	const char *status = call_query(c, "status"), *word = call_find(c);
	struct record r = {json_array()};
	uint64_t offset, limit, seen = 0;
	json_t *list = json_array(), *record;
	size_t i;

	if (!call_page(c, 100, INT64_MAX, &offset, &limit)) {
		goto out;
	}
	status = status != NULL && status[0] != '\0' ? status : NULL;
	if (status != NULL && strcmp(status, "pending") != 0 && strcmp(status, "running") != 0 &&
	    strcmp(status, "completed") != 0 && strcmp(status, "failed") != 0) {
		call_error(c, 400,
			   "invalid query parameters: status: expected pending, running, "
			   "completed or failed");
		goto out;
	}
	if (store_group_list(c->s->store, "job", 0, INT64_MAX, add_record, &r) != STORE_OK) {
		call_store_failed(c);
		goto out;
	}
	json_array_foreach(r.list, i, record)
	{
		bool shown = seen >= offset && seen - offset < limit;
		json_t *job = NULL;

		if (!call_found(word, string_of(record, "name"), string_of(record, "id"))) {
			continue;
		}
		if (status != NULL || shown) {
			job = job_json(c, record);
			if (job == NULL || !job_matches(status, job)) {
				json_decref(job);
				continue;
			}
		}
		if (shown) {
			json_array_append(list, job);
		}
		seen++;
		json_decref(job);
	}
	call_json(c, 200, call_envelope(offset, limit, seen, "jobs", json_incref(list)));
out:
	json_decref(list);
	json_decref(r.list);
}

void api_job(struct call *c)
{
	json_t *record = find(c, "job");
	json_t *job = record != NULL ? job_json(c, record) : NULL;

	if (job != NULL) {
		call_json(c, 200, job);
	}
	json_decref(record);
}

/* ---- start and stop ---- */

static void command(struct call *c, bool is_job, bool start)
{
	struct manager_event e = {.kind = start ? MANAGER_EVENT_GROUP_START
						: MANAGER_EVENT_GROUP_STOP};
	const char *what = is_job ? "job" : "workflow";
	char error[SERVICE_TEXT], message[32];
	json_t *record = find(c, what);
	enum manager_answer answer;

	if (record == NULL) {
		return;
	}
	json_decref(record);
	if (!group_load(c->s, c->segments[1], is_job, error, sizeof(error))) {
		call_error(c, 503, "%s", error);
		return;
	}
	e.u.group.id = c->segments[1];
	answer = service_event(c->s, &e);
	if (answer != MANAGER_ANSWER_OK) {
		call_error(c, 409, "the %s is running already", what);
		return;
	}
	snprintf(message, sizeof(message), "%s %s", what, start ? "started" : "stopped");
	call_json(c, 200,
		  json_pack("{s:s, s:s}", "message", message, is_job ? "job_id" : "workflow_id",
			    c->segments[1]));
}

void api_job_start(struct call *c)
{
	command(c, true, true);
}

void api_job_stop(struct call *c)
{
	command(c, true, false);
}

void api_workflow_start(struct call *c)
{
	command(c, false, true);
}

void api_workflow_stop(struct call *c)
{
	command(c, false, false);
}

/* ---- workflows ---- */

void api_workflows(struct call *c)
{
	struct record r = {NULL};
	uint64_t offset, limit, total = 0;

	if (!call_page(c, 100, INT64_MAX, &offset, &limit)) {
		return;
	}
	r.list = json_array();
	if (store_group_list(c->s->store, "workflow", offset, limit, add_record, &r) != STORE_OK ||
	    store_group_count(c->s->store, "workflow", &total) != STORE_OK) {
		json_decref(r.list);
		call_store_failed(c);
		return;
	}
	call_json(c, 200, call_envelope(offset, limit, total, "workflows", r.list));
}

void api_workflow(struct call *c)
{
	json_t *record = find(c, "workflow");
	struct members m;

	if (record != NULL && read_members(c, c->segments[1], false, &m)) {
		call_json(c, 200,
			  json_pack("{s:s, s:s, s:o}", "workflow_id", c->segments[1], "state",
				    job_state(m.counts), "tasks", m.list));
	}
	json_decref(record);
}
