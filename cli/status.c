/* SPDX-License-Identifier: Apache-2.0 */
/*
 * propctl status and top: the fleet at a glance.
 *
 * Rules: 1. top draws only on a terminal; elsewhere it prints once.
 *        2. The terminal gets back its settings however top ends.
 */
#include "cli/cli.h"

#include <poll.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* ---- counting ---- */

struct fleet {
	uint64_t nodes, alive, pending, running, completed, failed, interrupted;
};

static int no_total(const struct cli *cli)
{
	return fail(CLI_PROTOCOL, "the answer of %s has no total; is it a manager?",
		    cli->http.base);
}

/* How many rows a list has; its total says it without the rows. */
static int count_nodes(struct cli *cli, const char *path, uint64_t *out)
{
	struct http_reply reply;
	int status = http_json(&cli->http, "GET", path, NULL, "count the nodes", &reply);

	if (status != CLI_OK) {
		return status;
	}
	*out = api_number(reply.json, "total", UINT64_MAX);
	http_free(&reply);
	return *out != UINT64_MAX ? CLI_OK : no_total(cli);
}

/* Tasks in a state. Propeller's manager does not know the query: there they are counted here. */
static int count_tasks(struct cli *cli, const char *state, uint64_t *out)
{
	struct http_reply reply;
	json_t *tasks = NULL;
	json_t *task = NULL;
	size_t i = 0;
	int status = http_json(&cli->http, "GET", text("/tasks?limit=1&state=%s", state), NULL,
			       "count the tasks", &reply);

	if (status != CLI_OK) {
		return status;
	}
	const json_t *first = json_array_get(json_object_get(reply.json, "tasks"), 0);
	bool counted = first == NULL || strcmp(api_state(first), state) == 0;
	*out = api_number(reply.json, "total", UINT64_MAX);
	http_free(&reply);
	if (counted) {
		return *out != UINT64_MAX ? CLI_OK : no_total(cli);
	}
	status = api_list(&cli->http, "/tasks", "tasks", 0, &tasks);
	*out = 0;
	json_array_foreach(tasks, i, task)
	{
		*out += strcmp(api_state(task), state) == 0;
	}
	json_decref(tasks);
	return status;
}

static int fleet_count(struct cli *cli, struct fleet *f)
{
	const struct {
		const char *state;
		uint64_t *out;
	} rows[] = {
		{"pending", &f->pending},         {"running", &f->running},
		{"completed", &f->completed},     {"failed", &f->failed},
		{"interrupted", &f->interrupted},
	};
	int status = count_nodes(cli, "/proplets?limit=1", &f->nodes);

	if (status == CLI_OK) {
		status = count_nodes(cli, "/proplets?limit=1&status=active", &f->alive);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && status == CLI_OK; i++) {
		status = count_tasks(cli, rows[i].state, rows[i].out);
	}
	return status;
}

static json_t *fleet_json(const struct fleet *f, const json_t *health)
{
	return json_pack("{s:O*, s:{s:I, s:I}, s:{s:I, s:I, s:I, s:I, s:I}}", "manager", health,
			 "nodes", "total", (json_int_t)f->nodes, "alive", (json_int_t)f->alive,
			 "tasks", "pending", (json_int_t)f->pending, "running",
			 (json_int_t)f->running, "completed", (json_int_t)f->completed, "failed",
			 (json_int_t)f->failed, "interrupted", (json_int_t)f->interrupted);
}

int status_command(struct cli *cli)
{
	struct fleet f = {0};
	struct http_reply health;
	int status = http_json(&cli->http, "GET", "/health", NULL, "health", &health);

	if (status != CLI_OK) {
		return status;
	}
	status = api_text(health.json, "status") != NULL
			 ? fleet_count(cli, &f)
			 : fail(CLI_PROTOCOL,
				"the health that %s tells has no status; is it a manager?",
				cli->http.base);
	if (status != CLI_OK) {
		http_free(&health);
		return status;
	}
	const char *version = api_text(health.json, "version");
	const char *state = api_text(health.json, "status");
	if (cli->json) {
		json_t *json = fleet_json(&f, health.json);

		api_print(json);
		json_decref(json);
	} else {
		const char *broker = api_text(health.json, "broker");
		const char *trouble = api_text(health.json, "broker_trouble");

		printf("manager  %s, version %s, %s%s%s%s%s\n", cli->http.base,
		       version ? text_clean(version) : "?", state ? text_clean(state) : "?",
		       broker ? ", broker " : "", broker ? text_clean(broker) : "",
		       trouble ? " from " : "", trouble ? text_clean(trouble) : "");
		printf("nodes    %llu alive of %llu\n", (unsigned long long)f.alive,
		       (unsigned long long)f.nodes);
		printf("tasks    %llu pending, %llu running, %llu completed, %llu failed, %llu "
		       "interrupted\n",
		       (unsigned long long)f.pending, (unsigned long long)f.running,
		       (unsigned long long)f.completed, (unsigned long long)f.failed,
		       (unsigned long long)f.interrupted);
	}
	http_free(&health);
	return f.alive > 0 ? CLI_OK : CLI_NO;
}

/* ---- top ---- */

/* Nothing but letters, digits and a dot to fill a bar with. */
static const char *load(const json_t *node)
{
	const char *percent = api_text(node, "load_percent");

	percent = percent != NULL ? percent : api_text(node, "metadata.load_percent");
	return percent != NULL ? text("%s%%", percent) : "-";
}

static void top_nodes(const json_t *nodes, size_t lines, size_t columns)
{
	struct table t = {.headers = {"NODE", "NAME", "STATE", "TASKS", "LOAD", "FREE", "POOL",
				      "SEEN", NULL}};
	json_t *node = NULL;
	size_t i = 0;

	json_array_foreach(nodes, i, node)
	{
		uint64_t free_bytes =
			api_number(node, "free_bytes", api_number(node, "metadata.free_bytes", 0));
		uint64_t pool_bytes =
			api_number(node, "pool_bytes", api_number(node, "metadata.pool_bytes", 0));
		bool alive = json_is_true(json_object_get(node, "alive"));

		if (i >= lines) {
			break;
		}
		table_add(&t, api_short(api_text(node, "id")));
		table_add(&t, api_text(node, "name"));
		table_add(&t, json_is_true(json_object_get(node, "draining")) ? "draining"
			      : alive                                         ? "alive"
									      : "dead");
		table_add(&t, api_text(node, "task_count"));
		table_add(&t, load(node));
		table_add(&t, free_bytes > 0 ? text_bytes(free_bytes) : NULL);
		table_add(&t, pool_bytes > 0 ? text_bytes(pool_bytes) : NULL);
		table_add(&t, text_age(api_text(node, "last_alive_at"), (int64_t)time(NULL)));
	}
	table_print(&t, stdout, columns);
}

static void top_tasks(const json_t *tasks, size_t lines, size_t columns)
{
	struct table t = {.headers = {"TASK", "NAME", "STATE", "NODE", "RUNS", NULL}};
	json_t *task = NULL;
	size_t i = 0;

	json_array_foreach(tasks, i, task)
	{
		if (strcmp(api_state(task), "running") != 0 || lines == 0) {
			continue;
		}
		lines--;
		table_add(&t, api_short(api_text(task, "id")));
		table_add(&t, api_text(task, "name"));
		table_add(&t, api_state(task));
		table_add(&t, api_short(api_text(task, "proplet_id")));
		table_add(&t, text_age(api_text(task, "start_time"), (int64_t)time(NULL)));
	}
	table_print(&t, stdout, columns);
}

static int top_draw(struct cli *cli, bool screen)
{
	struct fleet f = {0};
	json_t *nodes = NULL, *tasks = NULL;
	size_t columns = 0, lines = 0;
	int status = fleet_count(cli, &f);

	table_screen(STDOUT_FILENO, &columns, &lines);
	if (status == CLI_OK) {
		status = api_list(&cli->http, "/proplets", "proplets", lines, &nodes);
	}
	if (status == CLI_OK) {
		status = api_list(&cli->http, "/tasks?state=running", "tasks", lines, &tasks);
	}
	if (status == CLI_OK) {
		/* Title, two headers, two empty lines; nodes take half of the rest at most. */
		size_t room = !screen ? SIZE_MAX : lines > 8 ? lines - 6 : 2;
		size_t node_lines =
			json_array_size(nodes) < room / 2 ? json_array_size(nodes) : room / 2;
		size_t cut = screen ? columns : 0;

		printf("%s%.*s\n\n", screen ? "\033[H\033[J" : "", screen ? (int)columns : 1000,
		       text("%s   nodes %llu/%llu   tasks: %llu running, %llu pending, %llu "
			    "completed, %llu failed",
			    cli->http.base, (unsigned long long)f.alive,
			    (unsigned long long)f.nodes, (unsigned long long)f.running,
			    (unsigned long long)f.pending, (unsigned long long)f.completed,
			    (unsigned long long)f.failed));
		top_nodes(nodes, node_lines, cut);
		putchar('\n');
		top_tasks(tasks, room - node_lines, cut);
		fflush(stdout);
	}
	json_decref(nodes);
	json_decref(tasks);
	return status;
}

/* Waits for the interval; false: somebody wants to end it. */
static bool top_wait(uint64_t interval_ms)
{
	struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
	char key = 0;

	if (!isatty(STDIN_FILENO)) {
		keys.fd = -1;
	}
	if (poll(&keys, 1, (int)interval_ms) > 0 && read(STDIN_FILENO, &key, 1) <= 0) {
		return false;
	}
	return key != 'q' && key != 'Q' && key != 3 && !http_interrupted;
}

int top_command(struct cli *cli)
{
	bool screen = isatty(STDOUT_FILENO) && !args_has(&cli->args, CLI_OPT_ONCE) && !cli->json;
	uint64_t interval = args_number(&cli->args, CLI_OPT_INTERVAL, 1000);
	struct termios before, raw;
	bool keys = screen && tcgetattr(STDIN_FILENO, &before) == 0;
	const char *base = cli->http.base;
	char *kept = strdup(base);
	int status = CLI_OK;

	interval = interval < 100 ? 100 : interval > 3600000 ? 3600000 : interval;
	if (keys) {
		raw = before;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	do {
		text_reset();
		cli->http.base = kept;
		status = top_draw(cli, screen);
	} while (screen && status == CLI_OK && top_wait(interval));
	if (keys) {
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	}
	cli->http.base = "";
	free(kept);
	return status == CLI_INTERRUPTED ? CLI_OK : status;
}
