/* SPDX-License-Identifier: Apache-2.0 */
/* propctl node: the workers of the fleet. */
#include "cli/cli.h"

#include <string.h>
#include <time.h>

static const char *node_state(const json_t *node)
{
	if (json_is_true(json_object_get(node, "draining"))) {
		return "draining";
	}
	if (json_is_true(json_object_get(node, "suspect"))) {
		return "suspect";
	}
	return json_is_true(json_object_get(node, "alive")) ? "alive" : "dead";
}

/* A fact of a node, wherever the manager puts it. */
static const char *fact(const json_t *node, const char *key)
{
	const char *value = api_text(node, key);

	return value != NULL ? value : api_text(node, text("metadata.%s", key));
}

static const char *fact_bytes(const json_t *node, const char *key)
{
	uint64_t bytes = api_number(node, key, api_number(node, text("metadata.%s", key), 0));

	return bytes > 0 ? text_bytes(bytes) : "-";
}

static const char *power(const json_t *node)
{
	const char *kind = fact(node, "power");
	const char *percent = fact(node, "battery_percent");

	if (percent != NULL && (kind == NULL || strcmp(kind, "battery") == 0)) {
		return text("%s%%", percent);
	}
	return kind;
}

/* "a, b" or "k=v, k=v" */
static const char *joined(const json_t *value)
{
	const char *out = NULL;
	const char *key = NULL;
	json_t *item = NULL;
	size_t i = 0;

	if (json_is_array(value)) {
		json_array_foreach(value, i, item)
		{
			const char *word = json_string_value(item);

			out = text("%s%s%s", out ? out : "", out ? ", " : "", word ? word : "?");
		}
	} else if (json_is_object(value)) {
		json_object_foreach((json_t *)value, key, item)
		{
			const char *word = json_string_value(item);

			out = text("%s%s%s=%s", out ? out : "", out ? ", " : "", key,
				   word ? word : "?");
		}
	}
	return out;
}

static void node_rows(struct table *t, const json_t *nodes, bool alive_only)
{
	const json_t *node = NULL;
	int64_t now = (int64_t)time(NULL);
	size_t i = 0;

	json_array_foreach(nodes, i, node)
	{
		const char *state = node_state(node);

		if (alive_only && strcmp(state, "dead") == 0) {
			continue;
		}
		table_add(t, api_short(api_text(node, "id")));
		table_add(t, api_text(node, "name"));
		table_add(t, state);
		table_add(t, api_text(node, "task_count"));
		table_add(t, fact(node, "cpu_arch"));
		table_add(t, fact(node, "os"));
		table_add(t, fact_bytes(node, "free_bytes"));
		table_add(t, fact_bytes(node, "pool_bytes"));
		table_add(t, power(node));
		table_add(t, text_age(api_text(node, "last_alive_at"), now));
		table_add(t, joined(api_get(node, "metadata.labels")));
	}
}

int node_list(struct cli *cli)
{
	struct table t = {.headers = {"ID", "NAME", "STATE", "TASKS", "ARCH", "OS", "FREE", "POOL",
				      "POWER", "SEEN", "LABELS", NULL}};
	const json_t *node = NULL;
	json_t *nodes = NULL;
	size_t i = 0;
	const bool alive = args_has(&cli->args, CLI_OPT_ALIVE);
	int status = api_list(&cli->http, alive ? "/proplets?status=active" : "/proplets",
			      "proplets", args_number(&cli->args, CLI_OPT_LIMIT, 0), &nodes);

	if (status != CLI_OK) {
		return status;
	}
	if (cli->json) {
		api_print(nodes);
	} else if (cli->quiet) {
		json_array_foreach(nodes, i, node)
		{
			text_put(stdout, text_clean(api_text(node, "id")));
		}
	} else if (json_array_size(nodes) == 0) {
		note("no nodes yet; start a worker with: proplet");
	} else {
		node_rows(&t, nodes, alive);
		table_print(&t, stdout, 0);
	}
	json_decref(nodes);
	return CLI_OK;
}

static void show_line(const char *label, const char *value)
{
	if (value != NULL && value[0] != 0 && strcmp(value, "-") != 0) {
		printf("%-14s %s\n", label, text_clean(value));
	}
}

static void show_facts(const json_t *node)
{
	static const struct {
		const char *label, *key;
		bool bytes;
	} rows[] = {
		{"description", "description", false},
		{"location", "location", false},
		{"hostname", "hostname", false},
		{"address", "ip", false},
		{"os", "os", false},
		{"arch", "cpu_arch", false},
		{"environment", "environment", false},
		{"version", "proplet_version", false},
		{"runtime", "wasm_runtime", false},
		{"engine", "engine", false},
		{"ram", "total_memory_bytes", true},
		{"pool", "pool_bytes", true},
		{"free block", "free_bytes", true},
		{"flash", "flash_bytes", true},
		{"rx buffer", "rx_buffer_bytes", true},
		{"tasks at most", "tasks_max", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		show_line(rows[i].label,
			  rows[i].bytes ? fact_bytes(node, rows[i].key) : fact(node, rows[i].key));
	}
	show_line("power", power(node));
	show_line("tags", joined(api_get(node, "metadata.tags")));
	show_line("labels", joined(api_get(node, "metadata.labels")));
	show_line("capabilities", joined(api_get(node, "metadata.capabilities")));
	show_line("features", joined(api_get(node, "metadata.features")));
	show_line("native code", api_text(node, "metadata.aot_target"));
	show_line("trusts", joined(api_get(node, "metadata.keys")));
}

int node_show(struct cli *cli)
{
	const char *id = NULL;
	struct http_reply reply;
	int status = api_find(&cli->http, "node", cli->args.args[0], &id);

	if (status == CLI_OK) {
		status = http_json(&cli->http, "GET", text("/proplets/%s", text_url(id)), NULL,
				   text("node %s", text_clean(cli->args.args[0])), &reply);
	}
	if (status != CLI_OK) {
		return status;
	}
	if (cli->json) {
		api_print(reply.json);
	} else {
		const char *seen = api_text(reply.json, "last_alive_at");

		show_line("id", api_text(reply.json, "id"));
		show_line("name", api_text(reply.json, "name"));
		show_line("state", node_state(reply.json));
		show_line("tasks", api_text(reply.json, "task_count"));
		show_line("seen", seen != NULL ? text("%s ago", text_age(seen, (int64_t)time(NULL)))
					       : "never");
		show_facts(reply.json);
	}
	http_free(&reply);
	return CLI_OK;
}

int node_drain(struct cli *cli)
{
	const char *id = NULL;
	struct http_reply reply;
	bool off = args_has(&cli->args, CLI_OPT_OFF);
	int status = api_find(&cli->http, "node", cli->args.args[0], &id);

	if (status == CLI_OK) {
		status = http_json(&cli->http, "POST", text("/proplets/%s/drain", text_url(id)),
				   json_pack("{s:b}", "drain", !off), "drain the node", &reply);
	}
	if (status != CLI_OK) {
		return status;
	}
	if (cli->json && reply.json != NULL) {
		api_print(reply.json);
	} else if (!cli->quiet) {
		note(off ? "node %s takes tasks again" : "node %s gets no new tasks",
		     api_short(id));
	}
	http_free(&reply);
	return CLI_OK;
}

/* The manager would forget a worker that is alive until its next heartbeat, which is no use. */
static int may_delete(struct cli *cli, const char *id, const char *word)
{
	struct http_reply reply;
	int status = http_json(&cli->http, "GET", text("/proplets/%s", text_url(id)), NULL,
			       text("node %s", text_clean(word)), &reply);

	if (status != CLI_OK) {
		return status;
	}
	if (strcmp(node_state(reply.json), "dead") != 0) {
		const char *name = text_clean(word);

		status =
			fail(CLI_FAILED,
			     "node %s is alive and would be back with its next heartbeat: stop its "
			     "worker first (--force forgets it until then); to give it no more "
			     "tasks: propctl node drain %s",
			     name, name);
	}
	http_free(&reply);
	return status;
}

int node_delete(struct cli *cli)
{
	int status = CLI_OK;

	for (int i = 0; i < cli->args.count && status == CLI_OK; i++) {
		const char *id = NULL;
		struct http_reply reply;

		status = api_find(&cli->http, "node", cli->args.args[i], &id);
		if (status == CLI_OK && !args_has(&cli->args, CLI_OPT_FORCE)) {
			status = may_delete(cli, id, cli->args.args[i]);
		}
		if (status == CLI_OK) {
			status = http_json(
				&cli->http, "DELETE", text("/proplets/%s", text_url(id)), NULL,
				text("delete node %s", text_clean(cli->args.args[i])), &reply);
		}
		if (status == CLI_OK) {
			http_free(&reply);
		}
	}
	return status;
}

/* Not every node tells it. */
static const char *bytes_or_none(const json_t *row, const char *path)
{
	return json_is_number(api_get(row, path)) ? text_bytes(api_number(row, path, 0)) : NULL;
}

int node_metrics(struct cli *cli)
{
	struct table t = {.headers = {"AGE", "CPU", "RSS", "HEAP USED", "HEAP FREE", "SYSTEM HEAP",
				      "RECEIVED", "SENT", "DROPPED", NULL}};
	const char *id = NULL;
	const json_t *row = NULL;
	json_t *rows = NULL;
	size_t i = 0;
	int status = api_find(&cli->http, "node", cli->args.args[0], &id);

	if (status == CLI_OK) {
		status = api_list(&cli->http, text("/proplets/%s/metrics", text_url(id)), "metrics",
				  args_number(&cli->args, CLI_OPT_LIMIT, 20), &rows);
	}
	if (status != CLI_OK) {
		return status;
	}
	json_array_foreach(rows, i, row)
	{
		const char *percent = api_text(row, "cpu_metrics.percent");

		table_add(&t, text_age(api_text(row, "timestamp"), (int64_t)time(NULL)));
		table_add(&t, percent != NULL ? text("%s%%", percent) : NULL);
		table_add(&t, text_bytes(api_number(row, "memory_metrics.rss_bytes", 0)));
		table_add(&t, text_bytes(api_number(row, "memory_metrics.heap_inuse_bytes", 0)));
		table_add(&t, text_bytes(api_number(row, "memory_metrics.heap_free_bytes", 0)));
		table_add(&t, bytes_or_none(row, "memory_metrics.system_heap_used_bytes"));
		table_add(&t, bytes_or_none(row, "network_metrics.rx_bytes"));
		table_add(&t, bytes_or_none(row, "network_metrics.tx_bytes"));
		table_add(&t, api_text(row, "network_metrics.dropped_packets"));
	}
	if (cli->json) {
		api_print(rows);
	} else if (json_array_size(rows) == 0) {
		note("node %s has reported no metrics yet", api_short(id));
	} else {
		table_print(&t, stdout, 0);
	}
	json_decref(rows);
	return CLI_OK;
}
