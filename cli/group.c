/* SPDX-License-Identifier: Apache-2.0 */
/*
 * propctl job and workflow: tasks that belong together, written in a JSON file.
 *
 * In:    {"name", "execution_mode", "tasks": [...]} or just the array of tasks. Beside the manager's
 *        keys a task may say "wasm": a file, named from where the JSON file lies, that is offered
 *        by digest; and "depends_on" may name tasks of the same file by their names.
 * Rules: 1. Tasks get their ids here, so that dependencies can name them.
 *        2. A key that nobody knows is refused.
 */
#include "cli/cli.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* ---- from the file to the manager's form ---- */

static const char *uuid_make(void)
{
	uint8_t r[16] = {0};

	if (getrandom(r, sizeof(r), 0) != (ssize_t)sizeof(r)) {
		abort();
	}
	r[6] = (uint8_t)((r[6] & 0x0f) | 0x40);
	r[8] = (uint8_t)((r[8] & 0x3f) | 0x80);
	return text("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", r[0],
		    r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12],
		    r[13], r[14], r[15]);
}

/* "wasm": "add.wasm" becomes the module by digest. */
static int module_of_task(struct cli *cli, const char *path, json_t *task)
{
	const char *wasm = json_string_value(json_object_get(task, "wasm"));
	const char *slash = strrchr(path, '/');
	struct module_file file;
	bool stored = false;

	if (wasm == NULL) {
		const char *bytes = json_string_value(json_object_get(task, "file"));
		size_t n = bytes != NULL ? strlen(bytes) : 0;

		return n > 5 && strcmp(bytes + n - 5, ".wasm") == 0
			       ? fail(CLI_DATA,
				      "%s: \"file\" holds a module in base64; name one with "
				      "\"wasm\": \"%s\"",
				      path, text_clean(bytes))
			       : CLI_OK;
	}
	const char *from = wasm[0] == '/' || slash == NULL
				   ? wasm
				   : text("%.*s/%s", (int)(slash - path), path, wasm);
	int status = module_read(&file, from);
	if (status == CLI_OK) {
		status = exports_set(&file, from, task);
	}
	if (status == CLI_OK) {
		status = module_offer(&cli->http, &file, &stored);
	}
	if (status == CLI_OK) {
		module_attach(task, &file, stored);
		json_object_del(task, "wasm");
	}
	module_free(&file);
	return status;
}

static const char *id_of_name(const json_t *tasks, const char *name)
{
	const json_t *task = NULL;
	size_t i = 0;

	json_array_foreach(tasks, i, task)
	{
		const char *other = json_string_value(json_object_get(task, "name"));

		if (other != NULL && strcmp(other, name) == 0) {
			return json_string_value(json_object_get(task, "id"));
		}
	}
	return NULL;
}

static int dependencies_name(const char *path, const json_t *tasks, json_t *task)
{
	json_t *depends = json_object_get(task, "depends_on");
	json_t *item = NULL;
	size_t i = 0;

	json_array_foreach(depends, i, item)
	{
		const char *word = json_string_value(item);
		const char *id = word != NULL ? id_of_name(tasks, word) : NULL;

		if (id == NULL && (word == NULL || !text_is_uuid(word))) {
			return fail(CLI_DATA,
				    "%s: task '%s' depends on '%s', which is no task of it", path,
				    json_string_value(json_object_get(task, "name")),
				    word != NULL ? text_clean(word) : "?");
		}
		if (id != NULL) {
			json_array_set_new(depends, i, json_string(id));
		}
	}
	return CLI_OK;
}

static int task_check(const char *path, size_t i, json_t *task)
{
	const char *name = json_string_value(json_object_get(task, "name"));

	if (!json_is_object(task)) {
		return fail(CLI_DATA, "%s: task %d is no JSON object", path, (int)i + 1);
	}
	if (name == NULL || name[0] == 0) {
		return fail(CLI_DATA, "%s: task %d has no \"name\"", path, (int)i + 1);
	}
	int status = keys_check_task(path, task);
	if (status != CLI_OK) {
		return status;
	}
	if (json_object_get(task, "id") == NULL) {
		json_object_set_new(task, "id", json_string(uuid_make()));
	}
	return CLI_OK;
}

static int tasks_prepare(struct cli *cli, const char *path, json_t *tasks)
{
	json_t *task = NULL;
	size_t i = 0;
	int status = CLI_OK;

	json_array_foreach(tasks, i, task)
	{
		status = task_check(path, i, task);
		if (status != CLI_OK) {
			return status;
		}
	}
	json_array_foreach(tasks, i, task)
	{
		status = dependencies_name(path, tasks, task);
		if (status == CLI_OK) {
			status = module_of_task(cli, path, task);
		}
		if (status != CLI_OK) {
			return status;
		}
	}
	return CLI_OK;
}

/* The file as {"tasks": [...], ...}. */
static int group_read(struct cli *cli, const char *path, bool job, json_t **out)
{
	json_t *json = NULL;
	int status = read_json_file(path, &json);

	if (status != CLI_OK) {
		return status;
	}
	if (json_is_array(json)) {
		json = json_pack("{s:o}", "tasks", json);
	}
	json_t *tasks = json_object_get(json, "tasks");
	status = keys_check_group(path, json, job);
	if (status == CLI_OK) {
		status = json_array_size(tasks) == 0
				 ? fail(CLI_DATA,
					"%s: there is no array \"tasks\" with tasks in it", path)
				 : tasks_prepare(cli, path, tasks);
	}
	if (status != CLI_OK) {
		json_decref(json);
		return status;
	}
	*out = json;
	return CLI_OK;
}

static int post_start(struct cli *cli, const char *path, const char *what)
{
	struct http_reply reply;
	int status = http_json(&cli->http, "POST", path, NULL, what, &reply);

	if (status == CLI_OK) {
		http_free(&reply);
	}
	return status;
}

/* ---- jobs ---- */

int job_create(struct cli *cli)
{
	const char *mode = args_text(&cli->args, CLI_OPT_MODE, NULL);
	const char *name = args_text(&cli->args, CLI_OPT_NAME, NULL);
	struct http_reply reply;
	json_t *body = NULL;
	int status = group_read(cli, cli->args.args[0], true, &body);

	if (status != CLI_OK) {
		return status;
	}
	if (mode != NULL) {
		json_object_set_new(body, "execution_mode", json_string(mode));
	}
	if (name != NULL) {
		json_object_set_new(body, "name", json_string(name));
	}
	status = http_json(&cli->http, "POST", "/jobs", body, "create the job", &reply);
	if (status != CLI_OK) {
		return status;
	}
	const char *id = api_text(reply.json, "job_id");
	if (cli->json) {
		api_print(reply.json);
	} else if (id != NULL) {
		printf("%s\n", text_clean(id));
	}
	if (id != NULL && args_has(&cli->args, CLI_OPT_START)) {
		status = post_start(cli, text("/jobs/%s/start", text_url(id)), "start the job");
	}
	http_free(&reply);
	return status;
}

static const char *job_state(const json_t *job)
{
	const char *word = json_string_value(json_object_get(job, "state"));

	return word != NULL ? word : api_state(job);
}

int job_list(struct cli *cli)
{
	struct table t = {.headers = {"ID", "NAME", "STATE", "TASKS", "AGE", NULL}};
	const char *state = args_text(&cli->args, CLI_OPT_STATE, NULL);
	const json_t *job = NULL;
	json_t *jobs = NULL;
	size_t i = 0;
	int status = api_list(&cli->http,
			      state != NULL ? text("/jobs?status=%s", text_url(state)) : "/jobs",
			      "jobs", args_number(&cli->args, CLI_OPT_LIMIT, 0), &jobs);

	if (status != CLI_OK) {
		return status;
	}
	json_array_foreach(jobs, i, job)
	{
		table_add(&t, api_short(api_text(job, "job_id")));
		table_add(&t, api_text(job, "name"));
		table_add(&t, job_state(job));
		table_add(&t, text("%d", (int)json_array_size(json_object_get(job, "tasks"))));
		table_add(&t, text_age(api_text(job, "created_at"), (int64_t)time(NULL)));
	}
	if (cli->json) {
		api_print(jobs);
	} else if (cli->quiet) {
		json_array_foreach(jobs, i, job)
		{
			text_put(stdout, text_clean(api_text(job, "job_id")));
		}
	} else if (json_array_size(jobs) == 0) {
		note("no jobs; make one with: propctl job create FILE");
	} else {
		table_print(&t, stdout, 0);
	}
	json_decref(jobs);
	return CLI_OK;
}

int job_show(struct cli *cli)
{
	const char *id = NULL;
	struct http_reply reply;
	int status = api_find(&cli->http, "job", cli->args.args[0], &id);

	if (status == CLI_OK) {
		status = http_json(&cli->http, "GET", text("/jobs/%s", text_url(id)), NULL,
				   text("job %s", text_clean(cli->args.args[0])), &reply);
	}
	if (status != CLI_OK) {
		return status;
	}
	if (cli->json) {
		api_print(reply.json);
	} else {
		task_table(json_object_get(reply.json, "tasks"));
	}
	http_free(&reply);
	return CLI_OK;
}

/* ---- the end of many tasks ---- */

/* CLI_OK all completed or skipped, CLI_FAILED one failed, CLI_NO some go on. */
static int tasks_state(const json_t *tasks)
{
	const json_t *task = NULL;
	size_t i = 0;
	int status = CLI_OK;

	json_array_foreach(tasks, i, task)
	{
		const char *state = api_state(task);

		if (!api_state_ended(state)) {
			return CLI_NO;
		}
		if (strcmp(state, "failed") == 0 || strcmp(state, "interrupted") == 0) {
			status = CLI_FAILED;
		}
	}
	return status;
}

static const char *first_open(const json_t *tasks)
{
	const json_t *task = NULL;
	const char *pending = NULL;
	size_t i = 0;

	json_array_foreach(tasks, i, task)
	{
		const char *state = api_state(task);

		if (strcmp(state, "running") == 0 || strcmp(state, "scheduled") == 0) {
			return api_text(task, "id");
		}
		if (!api_state_ended(state)) {
			pending = api_text(task, "id");
		}
	}
	return pending;
}

/* Rows of "tasks" at path; those of the workflow if one is given, which Propeller's manager can only
 * be asked for by listing all. */
static int tasks_fetch(struct cli *cli, const char *path, const char *workflow, json_t **out)
{
	struct http_reply reply;
	json_t *tasks = NULL;
	json_t *task = NULL;
	size_t i = 0;

	if (workflow == NULL) {
		int status = http_json(&cli->http, "GET", path, NULL, "look at the tasks", &reply);

		if (status == CLI_OK) {
			*out = json_incref(json_object_get(reply.json, "tasks"));
			http_free(&reply);
			status = *out != NULL ? CLI_OK
					      : fail(CLI_PROTOCOL, "the answer has no tasks");
		}
		return status;
	}
	int status = http_send(&cli->http, "GET", text("/workflows/%s", text_url(workflow)), NULL,
			       &reply);
	if (status == CLI_OK && reply.status == 200) {
		*out = json_incref(json_object_get(reply.json, "tasks"));
	}
	http_free(&reply);
	if (status != CLI_OK || *out != NULL) {
		return status;
	}
	status = api_list(&cli->http, path, "tasks", 0, &tasks);
	if (status != CLI_OK) {
		return status;
	}
	*out = json_array();
	json_array_foreach(tasks, i, task)
	{
		const char *id = api_text(task, "workflow_id");

		if (id != NULL && strcmp(id, workflow) == 0) {
			json_array_append(*out, task);
		}
	}
	json_decref(tasks);
	return CLI_OK;
}

static bool all_idle(const json_t *tasks)
{
	const json_t *task = NULL;
	size_t i = 0;

	json_array_foreach(tasks, i, task)
	{
		if (!api_idle(task)) {
			return false;
		}
	}
	return json_array_size(tasks) > 0;
}

static int group_wait(struct cli *cli, const char *path, const char *workflow)
{
	uint64_t wait = args_number(&cli->args, CLI_OPT_WAIT, UINT64_MAX);
	struct timespec begin, now;
	bool told = false;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (;;) {
		json_t *tasks = NULL;
		struct http_reply reply;
		int status = tasks_fetch(cli, path, workflow, &tasks);

		if (status != CLI_OK) {
			return status;
		}
		int ended = tasks_state(tasks);
		clock_gettime(CLOCK_MONOTONIC, &now);
		bool late = (uint64_t)(now.tv_sec - begin.tv_sec) * 1000 >= wait;
		if (ended != CLI_NO || late) {
			cli->json ? api_print(tasks) : task_table(tasks);
			json_decref(tasks);
			return ended == CLI_NO
				       ? fail(CLI_LIMIT, "not all of its tasks have ended yet")
				       : ended;
		}
		if (!told && all_idle(tasks)) {
			told = true;
			note("none of its tasks is started; see: propctl %s start",
			     workflow != NULL ? "workflow" : "job");
		}
		const char *open = first_open(tasks);
		status = http_send(&cli->http, "GET",
				   text("/tasks/%s/results?wait_ms=250", open ? open : ""), NULL,
				   &reply);
		json_decref(tasks);
		if (status != CLI_OK) {
			return status;
		}
		http_free(&reply);
		poll(NULL, 0, 20);
	}
}

int job_start(struct cli *cli)
{
	const char *id = NULL;
	int status = api_find(&cli->http, "job", cli->args.args[0], &id);

	if (status == CLI_OK) {
		status = post_start(cli, text("/jobs/%s/start", text_url(id)),
				    text("start job %s", text_clean(cli->args.args[0])));
	}
	if (status == CLI_OK && args_has(&cli->args, CLI_OPT_WAIT)) {
		status = group_wait(cli, text("/jobs/%s", text_url(id)), NULL);
	}
	return status;
}

int job_stop(struct cli *cli)
{
	const char *id = NULL;
	int status = api_find(&cli->http, "job", cli->args.args[0], &id);

	return status != CLI_OK ? status
				: post_start(cli, text("/jobs/%s/stop", text_url(id)),
					     text("stop job %s", text_clean(cli->args.args[0])));
}

/* ---- workflows ---- */

/* For a manager that starts no workflow as a whole (Propeller's): starts those that depend on
 * nothing; it starts the others when their turn comes, and perhaps has started some of these with
 * the first (409). */
static int roots_start(struct cli *cli, const json_t *tasks)
{
	const json_t *task = NULL;
	size_t i = 0;
	int status = CLI_OK;

	json_array_foreach(tasks, i, task)
	{
		const char *id = api_text(task, "id");
		struct http_reply reply;

		if (id == NULL || json_array_size(json_object_get(task, "depends_on")) > 0) {
			continue;
		}
		status = http_send(&cli->http, "POST", text("/tasks/%s/start", text_url(id)), NULL,
				   &reply);
		if (status == CLI_OK && reply.status >= 400 && reply.status != 409) {
			status = http_refused(&cli->http, "start the workflow", &reply);
		}
		if (status != CLI_OK) {
			return status;
		}
		http_free(&reply);
	}
	return CLI_OK;
}

static int workflow_run(struct cli *cli, const char *id, const json_t *tasks)
{
	struct http_reply reply;
	int status = http_send(&cli->http, "POST", text("/workflows/%s/start", text_url(id)), NULL,
			       &reply);

	if (status != CLI_OK) {
		return status;
	}
	if (reply.status == 404 && tasks != NULL) {
		status = roots_start(cli, tasks);
	} else if (reply.status >= 400) {
		status = http_refused(&cli->http, "start the workflow", &reply);
	}
	http_free(&reply);
	return status;
}

int workflow_create(struct cli *cli)
{
	json_t *body = NULL;
	struct http_reply reply;
	int status = group_read(cli, cli->args.args[0], false, &body);

	if (status == CLI_OK) {
		status = http_json(&cli->http, "POST", "/workflows", body, "create the workflow",
				   &reply);
	}
	if (status != CLI_OK) {
		return status;
	}
	json_t *tasks = json_object_get(reply.json, "tasks");
	const char *id = api_text(json_array_get(tasks, 0), "workflow_id");
	if (cli->json) {
		api_print(reply.json);
	} else if (id != NULL) {
		printf("%s\n", text_clean(id));
	}
	if (id != NULL && args_has(&cli->args, CLI_OPT_START)) {
		status = workflow_run(cli, id, tasks);
	}
	http_free(&reply);
	return status;
}

static void workflow_row(struct table *t, const json_t *record, const json_t *full)
{
	table_add(t, api_short(api_text(record, "id")));
	table_add(t, job_state(full));
	table_add(t, text("%d", (int)json_array_size(json_object_get(full, "tasks"))));
	table_add(t, text_age(api_text(record, "created_at"), (int64_t)time(NULL)));
}

int workflow_list(struct cli *cli)
{
	struct table t = {.headers = {"ID", "STATE", "TASKS", "AGE", NULL}};
	const json_t *row = NULL;
	json_t *rows = NULL;
	size_t i = 0;
	int status = api_list(&cli->http, "/workflows", "workflows",
			      args_number(&cli->args, CLI_OPT_LIMIT, 0), &rows);

	if (status != CLI_OK) {
		return status;
	}
	json_array_foreach(rows, i, row)
	{
		const char *id = api_text(row, "id");
		struct http_reply reply;

		if (id == NULL || cli->json || status != CLI_OK) {
			continue;
		}
		if (cli->quiet) {
			text_put(stdout, text_clean(id));
			continue;
		}
		status = http_json(&cli->http, "GET", text("/workflows/%s", text_url(id)), NULL,
				   "list the workflows", &reply);
		if (status == CLI_OK) {
			workflow_row(&t, row, reply.json);
			http_free(&reply);
		}
	}
	if (cli->json) {
		api_print(rows);
	} else if (json_array_size(rows) == 0) {
		note("no workflows; make one with: propctl workflow create FILE");
	} else if (!cli->quiet) {
		table_print(&t, stdout, 0);
	}
	json_decref(rows);
	return status;
}

/* The workflow's id and, if wanted, its tasks. */
static int workflow_find(struct cli *cli, const char **id, json_t **tasks)
{
	int status = api_find(&cli->http, "workflow", cli->args.args[0], id);

	return status == CLI_OK && tasks != NULL ? tasks_fetch(cli, "/tasks", *id, tasks) : status;
}

int workflow_show(struct cli *cli)
{
	const char *id = NULL;
	json_t *tasks = NULL;
	int status = workflow_find(cli, &id, &tasks);

	if (status != CLI_OK) {
		return status;
	}
	cli->json ? api_print(tasks) : task_table(tasks);
	json_decref(tasks);
	return CLI_OK;
}

int workflow_start(struct cli *cli)
{
	const char *id = NULL;
	json_t *tasks = NULL;
	int status = workflow_find(cli, &id, &tasks);

	if (status == CLI_OK) {
		status = workflow_run(cli, id, tasks);
	}
	json_decref(tasks);
	return status;
}

int workflow_stop(struct cli *cli)
{
	const char *id = NULL;
	int status = workflow_find(cli, &id, NULL);

	return status != CLI_OK
		       ? status
		       : post_start(cli, text("/workflows/%s/stop", text_url(id)),
				    text("stop workflow %s", text_clean(cli->args.args[0])));
}

int workflow_wait(struct cli *cli)
{
	const char *id = NULL;
	int status = workflow_find(cli, &id, NULL);

	return status == CLI_OK ? group_wait(cli, "/tasks", id) : status;
}
