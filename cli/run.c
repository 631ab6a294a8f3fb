/* SPDX-License-Identifier: Apache-2.0 */
/*
 * propctl run, invoke and wait: a task from its start to its result.
 *
 *     file -> offered by digest -> task created and started -> long poll -> result, logs, outputs
 *
 * Rules: 1. Nothing sleeps: the manager answers a long poll when the task has ended.
 *        2. stdout gets what the task published and its result; its log goes to stderr.
 *        3. The exit status tells how the task ended.
 */
#include "cli/cli.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	FIRST_MS = 100,    /* for the end of a task, within the request that starts it */
	POLL_MS = 1000,    /* a long poll; between two of them logs are fetched */
	POLL_TTY_MS = 200, /* the same where somebody watches */
	RETURN_MS = 15000, /* for a manager that was there before */
	RETRY_MS = 200,    /* between two tries of that */
	STOP_MS = 5000,    /* how long a task that was told to stop is waited for */
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct waiting {
	struct cli *cli;
	const char *id;
	uint64_t begin_ms, end_ms; /* end: when to give up, UINT64_MAX never */
	bool stop_on_interrupt, stopping, watched;
	unsigned turn;
	uint64_t log_seq, output_seq;
	bool no_logs, no_outputs; /* the manager has no such route */
	char *last_output;
	json_t *last_outputs; /* of a broadcast: by the id of the node */
	json_t *task;         /* as it was seen last */
};

/* ---- what it says meanwhile ---- */

static void progress_clear(struct waiting *w)
{
	if (w->watched && w->turn > 0) {
		fputs("\r\033[K", stderr);
		fflush(stderr);
	}
}

static void progress_show(struct waiting *w)
{
	static const char *const frames[] = {"|", "/", "-", "\\"};
	const char *node = api_text(w->task, "proplet_id");
	const char *why = api_text(w->task, "placement.reason");

	if (!w->watched) {
		return;
	}
	fprintf(stderr, "\r\033[K%s %s", frames[w->turn++ % 4], api_state(w->task));
	if (node != NULL && node[0] != 0) {
		fprintf(stderr, " on %s", text_clean(api_short(node)));
	}
	fprintf(stderr, "  %s", text_ms(now_ms() - w->begin_ms));
	if (why != NULL && strcmp(api_state(w->task), "pending") == 0) {
		fprintf(stderr, "  (%s)", text_clean(why));
	}
	fflush(stderr);
}

/* One of the task's growing lists from what was seen on. *absent: the manager has none. */
static int lines_get(struct waiting *w, const char *key, uint64_t after, bool *absent,
		     struct http_reply *reply)
{
	if (*absent) {
		return CLI_NO;
	}
	int status =
		http_send(&w->cli->http, "GET",
			  text("/tasks/%s/%s?after=%llu", w->id, key, (unsigned long long)after),
			  NULL, reply);
	if (status == CLI_OK && reply->status != 200) {
		*absent = true;
		http_free(reply);
		return CLI_NO;
	}
	return status;
}

static void log_print(const json_t *line)
{
	const char *level = api_text(line, "level");
	const char *words = api_text(line, "text");
	bool plain = level == NULL || strcmp(level, "info") == 0 || strcmp(level, "stdout") == 0;

	if (words != NULL) {
		text_put(stderr, plain ? words : text("%s: %s", text_clean(level), words));
	}
}

static int logs_show(struct waiting *w)
{
	struct http_reply reply;
	json_t *line = NULL;
	size_t i = 0;
	int status = lines_get(w, "logs", w->log_seq, &w->no_logs, &reply);

	if (status != CLI_OK) {
		return status == CLI_NO ? CLI_OK : status;
	}
	json_array_foreach(json_object_get(reply.json, "logs"), i, line)
	{
		uint64_t seq = api_number(line, "seq", w->log_seq);

		progress_clear(w);
		log_print(line);
		w->log_seq = seq > w->log_seq ? seq : w->log_seq;
	}
	http_free(&reply);
	return CLI_OK;
}

static bool is_broadcast(const json_t *task)
{
	return json_is_true(json_object_get(task, "broadcast"));
}

static void output_print(struct waiting *w, const json_t *output)
{
	const json_t *data = json_object_get(output, "data");
	char *dumped = json_is_string(data) ? strdup(json_string_value(data))
					    : json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY);

	if (dumped == NULL) {
		return;
	}
	progress_clear(w);
	if (is_broadcast(w->task)) {
		const char *node = api_text(output, "proplet_id");

		node_value_print(node_label(w->cli, node), dumped);
		json_object_set_new(w->last_outputs, node != NULL ? node : "", json_string(dumped));
	} else {
		text_put(stdout, dumped);
	}
	fflush(stdout);
	free(w->last_output);
	w->last_output = dumped;
}

static int outputs_show(struct waiting *w)
{
	struct http_reply reply;
	json_t *output = NULL;
	size_t i = 0;
	int status = lines_get(w, "outputs", w->output_seq, &w->no_outputs, &reply);

	if (status != CLI_OK) {
		return status == CLI_NO ? CLI_OK : status;
	}
	json_array_foreach(json_object_get(reply.json, "outputs"), i, output)
	{
		uint64_t seq = api_number(output, "seq", w->output_seq);

		output_print(w, output);
		w->output_seq = seq > w->output_seq ? seq : w->output_seq;
	}
	http_free(&reply);
	return CLI_OK;
}

static int lines_show(struct waiting *w)
{
	if (w->cli->json || w->cli->quiet) {
		return CLI_OK;
	}
	int status = logs_show(w);
	return status == CLI_OK ? outputs_show(w) : status;
}

/* ---- how it ended ---- */

static int status_of_reason(const json_t *task)
{
	static const char *const limits[] = {"fuel", "time", "memory", "stack", "output"};
	const char *reason = api_text(task, "reason");
	const char *error = api_text(task, "error");
	uint64_t code = api_number(task, "exit_code", 0);

	if (strcmp(api_state(task), "completed") == 0) {
		return CLI_OK;
	}
	for (size_t i = 0; reason != NULL && i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (strcmp(limits[i], reason) == 0) {
			return CLI_LIMIT;
		}
	}
	if (reason != NULL && strcmp(reason, "exit") == 0 && code > 0 && code < 256) {
		return (int)code;
	}
	bool limit = error != NULL && strncmp(error, "limit reached", 13) == 0;
	return limit ? CLI_LIMIT : CLI_FAILED;
}

void backtrace_print(const json_t *task)
{
	json_t *frame = NULL;
	size_t i = 0;

	json_array_foreach(json_object_get(task, "backtrace"), i, frame)
	{
		const char *name = api_text(frame, "name");
		const char *func = api_text(frame, "func");

		fprintf(stderr, "    at %s, offset 0x%llx\n",
			name != NULL && name[0] != 0 ? text_clean(name)
						     : text("function %s", func ? func : "?"),
			(unsigned long long)api_number(frame, "offset", 0));
	}
}

static void result_print(const struct waiting *w)
{
	const json_t *results = json_object_get(w->task, "results");

	if (results == NULL || json_is_null(results)) {
		return;
	}
	char *dumped = json_is_string(results)
			       ? strdup(json_string_value(results))
			       : json_dumps(results, JSON_COMPACT | JSON_ENCODE_ANY);
	/* What was published last is the result, and is there already. */
	bool seen = dumped != NULL && w->last_output != NULL && strcmp(dumped, w->last_output) == 0;
	if (dumped != NULL && !seen) {
		text_put(stdout, dumped);
	}
	free(dumped);
}

static const char *where_of(const json_t *task)
{
	const char *node = api_text(task, "proplet_id");

	return node != NULL && node[0] != 0 ? text(" on node %s", text_clean(api_short(node))) : "";
}

static int ended(struct waiting *w)
{
	const char *state = api_state(w->task);
	const char *error = api_text(w->task, "error");
	const char *name = api_text(w->task, "name");
	int status = status_of_reason(w->task);
	json_t *parts = is_broadcast(w->task) ? parts_get(w->cli, w->id, w->task) : NULL;
	size_t failed = 0;

	name = name != NULL ? name : w->id;
	if (w->cli->json) {
		if (parts != NULL) {
			json_object_set_new(w->task, "parts", parts);
		}
		api_print(w->task);
		return w->stopping ? CLI_INTERRUPTED : status;
	}
	if (parts != NULL) {
		failed = parts_print(w->cli, name, parts, w->last_outputs);
		json_decref(parts);
	} else {
		result_print(w);
	}
	if (status == CLI_OK) {
		return CLI_OK;
	}
	if (failed > 0 && strcmp(state, "failed") == 0) {
		return w->stopping ? CLI_INTERRUPTED : status;
	}
	fflush(stdout);
	note("%s %s%s%s%s", text_clean(name), state, where_of(w->task),
	     error != NULL && error[0] != 0 ? ": " : "", error != NULL ? text_clean(error) : "");
	backtrace_print(w->task);
	return w->stopping ? CLI_INTERRUPTED : status;
}

/* ---- waiting ---- */

static int task_get(struct waiting *w)
{
	struct http_reply reply;
	int status = http_json(&w->cli->http, "GET", text("/tasks/%s", w->id), NULL,
			       text("task %s", api_short(w->id)), &reply);

	if (status == CLI_OK) {
		json_decref(w->task);
		w->task = json_incref(reply.json);
		http_free(&reply);
	}
	return status;
}

/* One long poll. A manager that knows none answers at once: then a pause takes its place. */
static int poll_once(struct waiting *w)
{
	uint64_t now = now_ms();
	uint64_t wait = w->watched ? POLL_TTY_MS : POLL_MS;
	struct http_reply reply;

	if (w->end_ms - now < wait) {
		wait = w->end_ms - now;
	}
	int status =
		http_send(&w->cli->http, "GET",
			  text("/tasks/%s/results?wait_ms=%llu", w->id, (unsigned long long)wait),
			  NULL, &reply);
	if (status != CLI_OK) {
		return status;
	}
	http_free(&reply);
	status = task_get(w);
	if (status == CLI_OK && !api_state_ended(api_state(w->task)) && now_ms() - now < wait / 4 &&
	    wait >= 4) {
		poll(NULL, 0, wait < 50 ? (int)wait : 50);
	}
	return status;
}

/* A manager that is restarted is waited for: the task goes on without it. */
static int poll_patiently(struct waiting *w)
{
	int status = poll_once(w);
	uint64_t until_ms = now_ms() + RETURN_MS;

	if (status != CLI_UNAVAILABLE || w->task == NULL) {
		return status;
	}
	progress_clear(w);
	note("trying again for %s", text_ms(RETURN_MS));
	w->cli->http.silent = true;
	while (status == CLI_UNAVAILABLE && now_ms() < until_ms && !http_interrupted) {
		poll(NULL, 0, RETRY_MS);
		status = poll_once(w);
	}
	w->cli->http.silent = false;
	return status == CLI_UNAVAILABLE ? poll_once(w) : status;
}

static int interrupted(struct waiting *w)
{
	struct http_reply reply;

	http_interrupted = 0;
	progress_clear(w);
	if (!w->stop_on_interrupt || w->stopping) {
		note("task %s goes on; see: propctl task wait %s", api_short(w->id),
		     api_short(w->id));
		return CLI_INTERRUPTED;
	}
	note("stopping task %s", api_short(w->id));
	w->stopping = true;
	w->end_ms = now_ms() + STOP_MS;
	int status = http_send(&w->cli->http, "POST", text("/tasks/%s/stop", w->id), NULL, &reply);
	http_free(&reply);
	return status;
}

/* After a look at the task: says what is new. *over: there is no more to wait for. */
static int looked(struct waiting *w, int status, bool *over)
{
	*over = true;
	if (status == CLI_OK) {
		status = lines_show(w);
	}
	if (status == CLI_INTERRUPTED || (status == CLI_OK && http_interrupted)) {
		status = interrupted(w);
	}
	if (status != CLI_OK) {
		return status;
	}
	if (w->task != NULL && api_state_ended(api_state(w->task))) {
		progress_clear(w);
		return ended(w);
	}
	if (now_ms() >= w->end_ms) {
		progress_clear(w);
		return fail(w->stopping ? CLI_INTERRUPTED : CLI_LIMIT,
			    "task %s is still %s; see: propctl task wait %s", api_short(w->id),
			    api_state(w->task), api_short(w->id));
	}
	progress_show(w);
	*over = false;
	return CLI_OK;
}

static int wait_loop(struct waiting *w)
{
	bool over = false;
	int status = CLI_OK;

	if (w->task != NULL) {
		status = looked(w, CLI_OK, &over);
	}
	while (!over) {
		status = looked(w, poll_patiently(w), &over);
	}
	return status;
}

int wait_task(struct cli *cli, const char *id, json_t *task, bool stop_on_interrupt)
{
	uint64_t wait = args_number(&cli->args, CLI_OPT_WAIT, UINT64_MAX);
	struct waiting w = {
		.cli = cli,
		.id = id,
		.begin_ms = now_ms(),
		.task = json_incref(task),
		.last_outputs = json_object(),
		.stop_on_interrupt = stop_on_interrupt,
		.watched = isatty(STDERR_FILENO) && !cli->json && !cli->quiet,
	};

	w.end_ms = wait > UINT64_MAX - w.begin_ms ? UINT64_MAX : w.begin_ms + wait;
	int status = wait_loop(&w);
	json_decref(w.task);
	json_decref(w.last_outputs);
	free(w.last_output);
	return status;
}

/* ---- run ---- */

static int start_apart(struct cli *cli, const char *id)
{
	struct http_reply reply;
	int status = http_json(&cli->http, "POST", text("/tasks/%s/start", id), NULL,
			       "start the task", &reply);

	if (status == CLI_OK) {
		http_free(&reply);
	}
	return status;
}

/* Nobody took it, which was said: it is not left behind. */
static void forget(struct cli *cli, const char *location)
{
	struct http_reply reply;

	if (location != NULL && strncmp(location, "/tasks/", 7) == 0 &&
	    http_send(&cli->http, "DELETE", location, NULL, &reply) == CLI_OK) {
		http_free(&reply);
	}
}

/* Creates the task, starts it and waits a moment for its end, in one request. */
static int create(struct cli *cli, const json_t *body, bool wait, struct http_reply *reply)
{
	char *dumped = json_dumps(body, JSON_COMPACT);
	struct http_body sent = {.data = dumped, .bytes = dumped != NULL ? strlen(dumped) : 0};

	cli->http.patient = true; /* otherwise it would start with nobody to know its id */
	int status = http_send(&cli->http, "POST",
			       wait ? text("/tasks?wait_ms=%d", FIRST_MS) : "/tasks", &sent, reply);
	cli->http.patient = false;
	free(dumped);
	if (status == CLI_OK && (reply->status < 200 || reply->status > 299)) {
		status = http_refused(&cli->http, "run the task", reply);
		forget(cli, reply->location);
		http_free(reply);
	}
	return status;
}

/* The task is started by a second request with a manager that knows no other way (Propeller's).
 * *task: as it was answered. */
static int create_and_start(struct cli *cli, json_t *body, bool wait, json_t **task)
{
	struct http_reply reply;

	json_object_set_new(body, "start", json_true());
	int status = create(cli, body, wait, &reply);
	if (status != CLI_OK) {
		return status;
	}
	const char *id = api_text(reply.json, "id");
	bool started = strcmp(api_state(reply.json), "pending") != 0 ||
		       api_get(reply.json, "placement") != NULL;
	if (id == NULL || id[0] == 0) {
		status = fail(CLI_PROTOCOL, "the answer of %s has no task id; is it a manager?",
			      cli->http.base);
	} else if (!started) {
		status = start_apart(cli, id);
	}
	if (status == CLI_OK) {
		*task = json_incref(reply.json);
	}
	http_free(&reply);
	return status;
}

/* Sends the module if need be, and the task. */
static int run_file(struct cli *cli, const struct module_file *file, bool wait, json_t **task)
{
	const char *name = args_text(&cli->args, CLI_OPT_NAME, module_stem(cli->args.args[0]));
	json_t *body = NULL;
	bool stored = false;
	int status = task_body(cli, name, cli->args.args + 1, cli->args.count - 1, &body);

	if (status != CLI_OK) {
		return status;
	}
	status = exports_set(file, cli->args.args[0], body);
	if (status == CLI_OK) {
		status = module_offer(&cli->http, file, &stored);
	}
	if (status == CLI_OK) {
		module_attach(body, file, stored);
		status = create_and_start(cli, body, wait, task);
	}
	json_decref(body);
	return status;
}

int run_command(struct cli *cli)
{
	bool wait = !args_has(&cli->args, CLI_OPT_DETACH) && !args_has(&cli->args, CLI_OPT_LATENT);
	struct module_file file;
	json_t *task = NULL;
	int status = module_read(&file, cli->args.args[0]);

	if (status != CLI_OK) {
		return status;
	}
	status = run_file(cli, &file, wait, &task);
	module_free(&file);
	if (status != CLI_OK) {
		return status;
	}
	const char *id = text("%s", api_text(task, "id"));
	if (wait) {
		status = wait_task(cli, id, task, true);
	} else if (cli->json) {
		api_print(task);
	} else {
		printf("%s\n", text_clean(id));
	}
	json_decref(task);
	return status;
}

int task_wait(struct cli *cli)
{
	const char *id = NULL;
	struct http_reply reply;
	int status = api_find(&cli->http, "task", cli->args.args[0], &id);

	if (status == CLI_OK) {
		status = http_json(&cli->http, "GET", text("/tasks/%s", text_url(id)), NULL,
				   text("show task %s", text_clean(cli->args.args[0])), &reply);
	}
	if (status != CLI_OK) {
		return status;
	}
	if (api_idle(reply.json)) {
		note("task %s is not started; see: propctl task start %s", api_short(id),
		     api_short(id));
	}
	status = wait_task(cli, id, reply.json, false);
	http_free(&reply);
	return status;
}

/* ---- invoke ---- */

int invoke_command(struct cli *cli)
{
	const char *id = NULL;
	struct http_reply reply;
	json_t *all = NULL;
	json_t *body = json_object();
	int status = task_body(cli, "invoke", cli->args.args + 1, cli->args.count - 1, &all);

	if (status == CLI_OK) {
		json_t *inputs = json_object_get(all, "inputs");
		json_t *env = json_object_get(all, "env");

		json_object_set_new(body, "inputs", inputs ? json_incref(inputs) : json_array());
		if (env != NULL) {
			json_object_set(body, "env", env);
		}
		json_decref(all);
		status = api_find(&cli->http, "task", cli->args.args[0], &id);
	}
	if (status != CLI_OK) {
		json_decref(body);
		return status;
	}
	const char *path = text("/tasks/%s/invoke", id);
	if (args_has(&cli->args, CLI_OPT_WAIT)) {
		path = text("%s?wait_ms=%llu", path,
			    (unsigned long long)args_number(&cli->args, CLI_OPT_WAIT, 0));
	}
	status = http_json(&cli->http, "POST", path, body,
			   text("invoke %s", text_clean(cli->args.args[0])), &reply);
	if (status != CLI_OK) {
		return status;
	}
	const char *results = api_text(reply.json, "results");
	if (cli->json) {
		api_print(reply.json);
	} else if (results != NULL) {
		text_put(stdout, results);
	}
	http_free(&reply);
	return CLI_OK;
}
