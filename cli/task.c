/* SPDX-License-Identifier: Apache-2.0 */
/* propctl task: everything about tasks but running one at once (run.c). */
#include "cli/cli.h"

#include <poll.h>
#include <string.h>
#include <time.h>

enum {
	FOLLOW_MS = 500, /* between two looks */
};

/* ---- lists ---- */

/* What there is to say about a task in a column. */
static const char *remark(const json_t *task)
{
	const char *error = api_text(task, "error");
	const char *why = api_text(task, "placement.reason");
	const char *results = api_text(task, "results");
	const char *state = api_state(task);

	if (strcmp(state, "completed") == 0 && results != NULL) {
		size_t line = strcspn(results, "\n");

		return results[line] == 0 || results[line + 1] == 0
			       ? text("%.*s", (int)line, results)
			       : text("%.*s ...", (int)line, results);
	}
	if (strcmp(state, "pending") == 0) {
		return why;
	}
	return strcmp(state, "running") == 0 ? NULL : error;
}

/* A time that was never set is told as the year 1. */
static const char *took(const json_t *task)
{
	uint64_t ms = api_number(task, "duration_ms", UINT64_MAX);
	int64_t begin = 0, end = 0;

	if (ms != UINT64_MAX) {
		return text_ms(ms);
	}
	if (!text_time_parse(api_text(task, "start_time"), &begin)) {
		return "-";
	}
	if (!text_time_parse(api_text(task, "finish_time"), &end)) {
		end = (int64_t)time(NULL);
	}
	return end >= begin ? text_ms((uint64_t)(end - begin) * 1000) : "-";
}

void task_table(const json_t *tasks)
{
	struct table t = {
		.headers = {"ID", "NAME", "STATE", "NODE", "AGE", "TOOK", "RESULT", NULL}};
	const json_t *task = NULL;
	size_t i = 0;

	json_array_foreach(tasks, i, task)
	{
		const char *age = api_text(task, "created_at");

		table_add(&t, api_short(api_text(task, "id")));
		table_add(&t, api_text(task, "name"));
		table_add(&t, api_state(task));
		table_add(&t, api_short(api_text(task, "proplet_id")));
		table_add(&t, text_age(age, (int64_t)time(NULL)));
		table_add(&t, took(task));
		table_add(&t, remark(task));
	}
	table_print(&t, stdout, 0);
}

static json_t *filtered(json_t *tasks, const char *state)
{
	json_t *out = json_array();
	json_t *task = NULL;
	size_t i = 0;

	json_array_foreach(tasks, i, task)
	{
		if (strcmp(api_state(task), state) == 0) {
			json_array_append(out, task);
		}
	}
	json_decref(tasks);
	return out;
}

int task_list(struct cli *cli)
{
	const char *state = args_text(&cli->args, CLI_OPT_STATE, NULL);
	const json_t *task = NULL;
	json_t *tasks = NULL;
	size_t i = 0;
	int status = api_list(&cli->http,
			      state != NULL ? text("/tasks?state=%s", text_url(state)) : "/tasks",
			      "tasks", args_number(&cli->args, CLI_OPT_LIMIT, 0), &tasks);

	if (status != CLI_OK) {
		return status;
	}
	if (state != NULL) {
		tasks = filtered(tasks, state);
	}
	if (cli->json) {
		api_print(tasks);
	} else if (cli->quiet) {
		json_array_foreach(tasks, i, task)
		{
			text_put(stdout, text_clean(api_text(task, "id")));
		}
	} else if (json_array_size(tasks) == 0) {
		note(state != NULL ? "no task is %s" : "no tasks yet; try: propctl run FILE.wasm",
		     state);
	} else {
		task_table(tasks);
	}
	json_decref(tasks);
	return CLI_OK;
}

/* ---- one task ---- */

/* The task of the first argument, by GET on a path below it. */
static int task_fetch(struct cli *cli, const char *below, const char **id, struct http_reply *reply)
{
	int status = api_find(&cli->http, "task", cli->args.args[0], id);

	return status != CLI_OK
		       ? status
		       : http_json(&cli->http, "GET", text("/tasks/%s%s", *id, below), NULL,
				   text("task %s", text_clean(cli->args.args[0])), reply);
}

static void show_line(const char *label, const char *value)
{
	if (value != NULL && value[0] != 0 && strcmp(value, "-") != 0 &&
	    strncmp(value, "0001-", 5) != 0) {
		printf("%-14s %s\n", label, text_clean(value));
	}
}

static void show_object(const char *label, const json_t *object)
{
	char *dumped = object != NULL ? json_dumps(object, JSON_ENCODE_ANY) : NULL;

	if (dumped != NULL && json_array_size(object) + json_object_size(object) > 0) {
		show_line(label, dumped);
	}
	free(dumped);
}

static void show_placement(const json_t *task)
{
	const json_t *row = NULL;
	size_t i = 0;

	show_line("placement", api_text(task, "placement.reason"));
	json_array_foreach(api_get(task, "placement.nodes"), i, row)
	{
		const char *node = api_text(row, "proplet_id");
		const char *why = api_text(row, "reason");

		show_line("", text("%s: %s", node ? api_short(node) : "?", why ? why : "?"));
	}
}

static void show_end(const json_t *task)
{
	const json_t *frame = NULL;
	const char *fuel = api_text(task, "fuel");
	uint64_t memory = api_number(task, "memory_bytes", 0);
	uint64_t stack = api_number(task, "stack_bytes", 0);
	size_t i = 0;

	show_line("reason", api_text(task, "reason"));
	show_line("exit status", api_text(task, "exit_code"));
	show_line("error", api_text(task, "error"));
	json_array_foreach(json_object_get(task, "backtrace"), i, frame)
	{
		const char *name = api_text(frame, "name");

		show_line(i == 0 ? "backtrace" : "",
			  text("%s, offset 0x%llx", name ? name : "?",
			       (unsigned long long)api_number(frame, "offset", 0)));
	}
	show_line("took", took(task));
	show_line("fuel", fuel);
	show_line("memory", memory > 0 ? text_bytes(memory) : NULL);
	show_line("stack", stack > 0 ? text_bytes(stack) : NULL);
}

/* What the manager and nodes wanted to be seen of it, oldest first. */
static void show_events(struct cli *cli, const char *id)
{
	struct http_reply reply;
	const json_t *rows;

	if (http_send(&cli->http, "GET", text("/tasks/%s/events?limit=20", id), NULL, &reply) !=
	    CLI_OK) {
		return;
	}
	rows = json_object_get(reply.json, "events");
	for (size_t n = reply.status == 200 ? json_array_size(rows) : 0, i = n; i > 0; i--) {
		const json_t *row = json_array_get(rows, i - 1);
		const char *when = api_text(row, "time"), *kind = api_text(row, "kind");
		const char *words = api_text(row, "text");

		show_line(i == n ? "events" : "",
			  text("%.8s %s%s%s", when != NULL && strlen(when) > 19 ? when + 11 : "",
			       kind != NULL ? kind : "?", words != NULL ? ": " : "",
			       words != NULL ? words : ""));
	}
	http_free(&reply);
}

int task_show(struct cli *cli)
{
	const char *id = NULL;
	struct http_reply reply;
	int status = task_fetch(cli, "", &id, &reply);

	if (status != CLI_OK) {
		return status;
	}
	if (cli->json) {
		api_print(reply.json);
		http_free(&reply);
		return CLI_OK;
	}
	static const struct {
		const char *label, *key;
	} rows[] = {
		{"name", "name"},          {"function", "function"},    {"aot", "aot"},
		{"engine", "engine"},      {"node", "proplet_id"},      {"priority", "priority"},
		{"created", "created_at"}, {"started", "start_time"},   {"finished", "finish_time"},
		{"next run", "next_run"},  {"schedule", "schedule"},    {"workflow", "workflow_id"},
		{"job", "job_id"},         {"module", "module.digest"}, {"image", "image_url"},
	};
	show_line("id", api_text(reply.json, "id"));
	show_line("state", api_state(reply.json));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		show_line(rows[i].label, api_text(reply.json, rows[i].key));
	}
	show_object("inputs", json_object_get(reply.json, "inputs"));
	show_object("limits", json_object_get(reply.json, "limits"));
	show_object("capabilities", json_object_get(reply.json, "capabilities"));
	show_object("depends on", json_object_get(reply.json, "depends_on"));
	show_placement(reply.json);
	show_end(reply.json);
	show_line("results", api_text(reply.json, "results"));
	http_free(&reply);
	show_events(cli, id);
	return CLI_OK;
}

int task_result(struct cli *cli)
{
	const char *id = NULL;
	struct http_reply reply;
	int status = task_fetch(cli, "", &id, &reply);

	if (status != CLI_OK) {
		return status;
	}
	const char *state = api_state(reply.json);
	const char *error = api_text(reply.json, "error");
	json_t *results = json_object_get(reply.json, "results");
	json_t *parts = json_is_true(json_object_get(reply.json, "broadcast"))
				? parts_get(cli, id, reply.json)
				: NULL;
	if (parts != NULL && cli->json) {
		api_print(parts);
	} else if (parts != NULL) {
		const char *name = api_text(reply.json, "name");

		(void)parts_print(cli, name != NULL ? name : id, parts, NULL);
	} else if (cli->json) {
		api_print(results != NULL ? results : json_null());
	} else if (json_is_string(results)) {
		text_put(stdout, json_string_value(results));
	} else if (results != NULL && !json_is_null(results)) {
		api_print(results);
	}
	if (!api_state_ended(state)) {
		status = fail(CLI_NO, "task %s is %s: no result yet; see: propctl task wait %s",
			      api_short(id), state, api_short(id));
	} else if (strcmp(state, "completed") != 0) {
		status = fail(CLI_FAILED, "task %s %s%s%s", api_short(id), state,
			      error != NULL ? ": " : "", error != NULL ? text_clean(error) : "");
	}
	json_decref(parts);
	http_free(&reply);
	return status;
}

/* ---- many tasks, one request each ---- */

static int one_task(struct cli *cli, const char *id, const char *method, const char *below,
		    const char *what)
{
	struct http_reply reply;
	int status =
		http_json(&cli->http, method, text("/tasks/%s%s", id, below), NULL, what, &reply);

	if (status == CLI_OK) {
		if (cli->json && reply.json != NULL) {
			api_print(reply.json);
		}
		http_free(&reply);
	}
	return status;
}

/* Deletes need a name that is one task's; with --force the same task is stopped before. */
static int each_task(struct cli *cli, const char *method, const char *below, const char *verb)
{
	bool delete = strcmp(method, "DELETE") == 0;
	int worst = CLI_OK;

	for (int i = 0; i < cli->args.count; i++) {
		const char *id = NULL, *word = cli->args.args[i];
		int status = delete ? api_find_only(&cli->http, "task", word, &id)
				    : api_find(&cli->http, "task", word, &id);

		if (status == CLI_OK && delete &&args_has(&cli->args, CLI_OPT_FORCE)) {
			(void)one_task(cli, id, "POST", "/stop",
				       text("stop task %s", text_clean(word)));
		}
		if (status == CLI_OK) {
			status = one_task(cli, id, method, below,
					  text("%s task %s", verb, text_clean(word)));
		}
		if (status == CLI_UNAVAILABLE || status == CLI_INTERRUPTED) {
			return status;
		}
		worst = status != CLI_OK ? status : worst;
	}
	return worst;
}

int task_start(struct cli *cli)
{
	return each_task(cli, "POST", "/start", "start");
}

int task_stop(struct cli *cli)
{
	return each_task(cli, "POST", "/stop", "stop");
}

int task_delete(struct cli *cli)
{
	return each_task(cli, "DELETE", "", "delete");
}

/* ---- create ---- */

static int create_body(struct cli *cli, json_t **body)
{
	const char *path = args_text(&cli->args, CLI_OPT_FILE, NULL);
	const struct cli_args *args = &cli->args;
	struct module_file file;
	bool stored = false;

	if (path != NULL && args_has(args, CLI_OPT_IMAGE)) {
		return fail(CLI_USAGE, "--file and --image exclude each other");
	}
	if (!args_has(args, CLI_OPT_SCHEDULE) &&
	    (args_has(args, CLI_OPT_TIMEZONE) || args_has(args, CLI_OPT_ONCE))) {
		return fail(CLI_USAGE, "--timezone and --once belong to a --schedule");
	}
	int status =
		task_body(cli, cli->args.args[0], cli->args.args + 1, cli->args.count - 1, body);

	if (status != CLI_OK || path == NULL) {
		return status;
	}
	status = module_read(&file, path);
	if (status == CLI_OK) {
		status = exports_set(&file, path, *body);
	}
	if (status == CLI_OK) {
		status = module_offer(&cli->http, &file, &stored);
	}
	if (status == CLI_OK) {
		module_attach(*body, &file, stored);
	} else {
		json_decref(*body);
	}
	module_free(&file);
	return status;
}

int task_create(struct cli *cli)
{
	json_t *body = NULL;
	struct http_reply reply;
	int status = create_body(cli, &body);

	if (status == CLI_OK) {
		status = http_json(&cli->http, "POST", "/tasks", body, "create the task", &reply);
	}
	if (status != CLI_OK) {
		return status;
	}
	const char *id = api_text(reply.json, "id");
	if (cli->json) {
		api_print(reply.json);
	} else if (id != NULL) {
		printf("%s\n", text_clean(id));
	}
	if (!cli->quiet && !args_has(&cli->args, CLI_OPT_FILE) &&
	    !args_has(&cli->args, CLI_OPT_IMAGE)) {
		note("the task has no module yet; see: propctl help task upload");
	}
	if (id != NULL && args_has(&cli->args, CLI_OPT_START)) {
		struct http_reply started;

		status = http_json(&cli->http, "POST", text("/tasks/%s/start", id), NULL,
				   "start the task", &started);
		if (status == CLI_OK) {
			http_free(&started);
		}
	}
	http_free(&reply);
	return status;
}

int task_upload(struct cli *cli)
{
	const char *id = NULL;
	struct module_file file;
	struct http_reply reply;
	int status = module_read(&file, cli->args.args[1]);

	if (status != CLI_OK) {
		return status;
	}
	status = api_find(&cli->http, "task", cli->args.args[0], &id);
	if (status == CLI_OK) {
		struct http_body body = {
			.filename = "module.wasm", .data = file.bytes, .bytes = file.size};

		status = http_send(&cli->http, "PUT", text("/tasks/%s/upload", id), &body, &reply);
		if (status == CLI_OK) {
			if (reply.status != 200) {
				status = http_refused(&cli->http, "upload", &reply);
			} else if (cli->json && reply.json != NULL) {
				api_print(reply.json);
			}
			http_free(&reply);
		}
	}
	module_free(&file);
	return status;
}

/* ---- logs, outputs, metrics ---- */

static void line_print(const struct cli *cli, const json_t *line, const char *value)
{
	const json_t *data = json_object_get(line, value);
	const char *level = api_text(line, "level");

	if (cli->json) {
		json_dumpf(line, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (json_is_string(data)) {
		bool plain = level == NULL || strcmp(level, "info") == 0;

		text_put(stdout,
			 plain ? json_string_value(data)
			       : text("%s: %s", text_clean(level), json_string_value(data)));
	} else if (data != NULL) {
		json_dumpf(data, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
		putchar('\n');
	}
}

/* Prints a growing list; with --follow until the task has ended. */
static int lines(struct cli *cli, const char *key, const char *value)
{
	const char *id = NULL;
	uint64_t seq = 0;
	bool ended = !args_has(&cli->args, CLI_OPT_FOLLOW);
	int status = api_find(&cli->http, "task", cli->args.args[0], &id);

	while (status == CLI_OK) {
		struct http_reply reply;
		const json_t *line = NULL;
		size_t i = 0;

		status = http_json(
			&cli->http, "GET",
			text("/tasks/%s/%s?after=%llu", id, key, (unsigned long long)seq), NULL,
			text("%s of task %s", key, text_clean(cli->args.args[0])), &reply);
		if (status != CLI_OK) {
			break;
		}
		json_array_foreach(json_object_get(reply.json, key), i, line)
		{
			line_print(cli, line, value);
			seq = api_number(line, "seq", seq);
		}
		fflush(stdout);
		http_free(&reply);
		if (ended) {
			break;
		}
		/* Its end is looked at before the last lines are. */
		status = task_fetch(cli, "", &id, &reply);
		if (status == CLI_OK) {
			ended = api_state_ended(api_state(reply.json));
			http_free(&reply);
			poll(NULL, 0, ended ? 0 : FOLLOW_MS);
		}
		status = http_interrupted ? CLI_INTERRUPTED : status;
	}
	return status;
}

int task_logs(struct cli *cli)
{
	return lines(cli, "logs", "text");
}

int task_outputs(struct cli *cli)
{
	return lines(cli, "outputs", "data");
}

int task_metrics(struct cli *cli)
{
	struct table t = {.headers = {"AGE", "CPU", "MEMORY", "UPTIME", NULL}};
	const char *id = NULL;
	const json_t *row = NULL;
	json_t *rows = NULL;
	size_t i = 0;
	int status = api_find(&cli->http, "task", cli->args.args[0], &id);

	if (status == CLI_OK) {
		status = api_list(&cli->http, text("/tasks/%s/metrics", id), "metrics",
				  args_number(&cli->args, CLI_OPT_LIMIT, 20), &rows);
	}
	if (status != CLI_OK) {
		return status;
	}
	json_array_foreach(rows, i, row)
	{
		const char *percent = api_text(row, "metrics.cpu_percent");

		table_add(&t, text_age(api_text(row, "timestamp"), (int64_t)time(NULL)));
		table_add(&t, percent != NULL ? text("%s%%", percent) : NULL);
		table_add(&t, text_bytes(api_number(row, "metrics.memory_bytes", 0)));
		table_add(&t, text_ms(1000 * api_number(row, "metrics.uptime_seconds", 0)));
	}
	if (cli->json) {
		api_print(rows);
	} else if (json_array_size(rows) == 0) {
		note("task %s has reported no metrics yet", api_short(id));
	} else {
		table_print(&t, stdout, 0);
	}
	json_decref(rows);
	return CLI_OK;
}
