/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the nodes of a broadcast answered: one line for each, by the name of its node.
 *
 *     task --/tasks/ID/parts--> parts of its last run --by name--> "name: value", failures on stderr
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

enum {
	PARTS_MAX = 10000, /* as many as a manager keeps */
};

struct part {
	const char *label;
	const json_t *body;
};

/* ---- names ---- */

/* id -> name, "" for a name that is not one node's. */
static json_t *labels_read(struct cli *cli)
{
	json_t *labels = json_object(), *ids = json_object(), *nodes = NULL, *node = NULL;
	size_t i = 0;

	if (api_list(&cli->http, "/proplets", "proplets", 0, &nodes) == CLI_OK) {
		json_array_foreach(nodes, i, node)
		{
			const char *id = api_text(node, "id"), *name = api_text(node, "name");
			const char *other;

			if (id == NULL || name == NULL) {
				continue;
			}
			other = json_string_value(json_object_get(ids, name));
			if (other != NULL) {
				json_object_set_new(labels, other, json_string(""));
			} else {
				json_object_set_new(ids, name, json_string(id));
			}
			json_object_set_new(labels, id, json_string(other != NULL ? "" : name));
		}
		json_decref(nodes);
	}
	json_decref(ids);
	return labels;
}

const char *node_label(struct cli *cli, const char *id)
{
	const char *name;

	if (id == NULL) {
		return "?";
	}
	if (cli->labels == NULL) {
		cli->labels = labels_read(cli);
	}
	name = json_string_value(json_object_get(cli->labels, id));
	return name != NULL && name[0] != 0 ? text_clean(name) : text_clean(api_short(id));
}

/* ---- parts ---- */

json_t *parts_get(struct cli *cli, const char *id, const json_t *task)
{
	uint64_t epoch = api_number(task, "epoch", 0);
	struct http_reply reply;
	json_t *all, *part = NULL;
	size_t i = 0;

	if (http_send(&cli->http, "GET", text("/tasks/%s/parts?limit=%d", id, PARTS_MAX), NULL,
		      &reply) != CLI_OK) {
		return NULL;
	}
	all = reply.status == 200 ? json_array() : NULL;
	json_array_foreach(json_object_get(reply.json, "parts"), i, part)
	{
		if (all != NULL && api_number(part, "epoch", epoch) == epoch) {
			json_array_append(all, part);
		}
	}
	http_free(&reply);
	return all;
}

static int by_label(const void *a, const void *b)
{
	return strcmp(((const struct part *)a)->label, ((const struct part *)b)->label);
}

static bool part_failed(const json_t *part)
{
	const char *error = api_text(part, "error");

	return error != NULL && error[0] != 0;
}

void node_value_print(const char *label, const char *value)
{
	do {
		size_t n = strcspn(value, "\n");

		text_put(stdout, text("%s:%s%.*s", label, n > 0 ? " " : "", (int)n, value));
		value += n + (value[n] != 0);
	} while (value[0] != 0);
}

/* What it published last is its result, and is there already. */
static void part_print(const struct part *p, const json_t *seen)
{
	const json_t *results = json_object_get(p->body, "results");
	const char *id = api_text(p->body, "proplet_id");
	const char *last = id != NULL ? json_string_value(json_object_get(seen, id)) : NULL;
	char *dumped = json_is_string(results) ? strdup(json_string_value(results))
		       : results == NULL || json_is_null(results)
			       ? strdup("")
			       : json_dumps(results, JSON_COMPACT | JSON_ENCODE_ANY);

	if (dumped != NULL && (last == NULL || strcmp(last, dumped) != 0) &&
	    (dumped[0] != 0 || !part_failed(p->body))) {
		node_value_print(p->label, dumped);
	}
	free(dumped);
}

size_t parts_print(struct cli *cli, const char *name, const json_t *parts, const json_t *seen)
{
	size_t count = json_array_size(parts), failed = 0, i = 0;
	struct part *rows = text_alloc((count + 1) * sizeof(*rows));
	json_t *body = NULL;

	json_array_foreach(parts, i, body)
	{
		rows[i] = (struct part){node_label(cli, api_text(body, "proplet_id")), body};
	}
	qsort(rows, count, sizeof(*rows), by_label);
	for (i = 0; i < count; i++) {
		part_print(&rows[i], seen);
	}
	fflush(stdout);
	for (i = 0; i < count; i++) {
		if (part_failed(rows[i].body)) {
			failed++;
			note("%s failed on node %s: %s", text_clean(name), rows[i].label,
			     text_clean(api_text(rows[i].body, "error")));
			backtrace_print(rows[i].body);
		}
	}
	if (failed > 0) {
		note("%s failed on %zu of %zu nodes", text_clean(name), failed, count);
	}
	return failed;
}
