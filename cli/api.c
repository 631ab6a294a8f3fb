/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manager's nouns: members of its JSON, states as words, collections as a whole, and what a
 * user's word for a task or a node means.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	PAGE_ROWS = 100, /* what a manager gives at once */
	FOUND_MAX = 200, /* rows of one name that are looked at: the newest */
};

json_t *api_get(const json_t *object, const char *path)
{
	const json_t *at = object;

	while (at != NULL) {
		const char *dot = strchr(path, '.');

		if (dot == NULL) {
			return json_object_get(at, path);
		}
		at = json_object_get(at, text("%.*s", (int)(dot - path), path));
		path = dot + 1;
	}
	return NULL;
}

const char *api_text(const json_t *object, const char *path)
{
	const json_t *value = api_get(object, path);

	switch (value != NULL ? json_typeof(value) : JSON_NULL) {
	case JSON_STRING:
		return json_string_value(value);
	case JSON_INTEGER:
		return text("%" JSON_INTEGER_FORMAT, json_integer_value(value));
	case JSON_REAL:
		return text("%.2f", json_real_value(value));
	case JSON_TRUE:
		return "yes";
	case JSON_FALSE:
		return "no";
	default:
		return NULL;
	}
}

uint64_t api_number(const json_t *object, const char *path, uint64_t otherwise)
{
	const json_t *value = api_get(object, path);
	double number = json_number_value(value);

	return json_is_number(value) && number >= 0 && number < 1.8e19 ? (uint64_t)number
								       : otherwise;
}

/* ---- states ---- */

static const char *const states[] = {"pending", "scheduled", "running",    "completed",
				     "failed",  "skipped",   "interrupted"};

const char *api_state(const json_t *task)
{
	const json_t *state = json_object_get(task, "state");
	json_int_t number = json_integer_value(state);

	if (json_is_integer(state) && number >= 0 &&
	    number < (json_int_t)(sizeof(states) / sizeof(states[0]))) {
		return states[number];
	}
	for (size_t i = 0; json_is_string(state) && i < sizeof(states) / sizeof(states[0]); i++) {
		if (strcasecmp(json_string_value(state), states[i]) == 0) {
			return states[i];
		}
	}
	return "unknown";
}

bool api_state_ended(const char *state)
{
	return strcmp(state, "completed") == 0 || strcmp(state, "failed") == 0 ||
	       strcmp(state, "skipped") == 0 || strcmp(state, "interrupted") == 0;
}

const char *api_short(const char *id)
{
	return id != NULL && text_is_uuid(id) ? text("%.8s", id) : id;
}

void api_print(const json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	putchar('\n');
}

/* ---- collections ---- */

/* Adds a page to all; *more: there may be another one. */
static int page_take(struct http *http, const struct http_reply *reply, const char *key,
		     uint64_t max, json_t *all, bool *more)
{
	json_t *rows = json_object_get(reply->json, key);
	uint64_t total = api_number(reply->json, "total", UINT64_MAX);

	if (!json_is_array(rows)) {
		if (json_is_null(rows)) {
			*more = false;
			return CLI_OK;
		}
		return fail(CLI_PROTOCOL, "the answer of %s has no array '%s'; is it a manager?",
			    http->base, key);
	}
	json_array_extend(all, rows);
	*more = json_array_size(rows) > 0 && json_array_size(all) < total &&
		(max == 0 || json_array_size(all) < max);
	while (max != 0 && json_array_size(all) > max) {
		json_array_remove(all, json_array_size(all) - 1);
	}
	return CLI_OK;
}

/* The rows; *total: how many the manager said there are. */
static int list(struct http *http, const char *path, const char *key, uint64_t max, json_t **out,
		uint64_t *total)
{
	json_t *all = json_array();
	bool more = true;
	int status = CLI_OK;

	while (more && status == CLI_OK) {
		struct http_reply reply;
		uint64_t offset = json_array_size(all);
		uint64_t rows = max != 0 && max - offset < PAGE_ROWS ? max - offset : PAGE_ROWS;
		const char *page = text("%s%coffset=%llu&limit=%llu", path,
					strchr(path, '?') != NULL ? '&' : '?',
					(unsigned long long)offset, (unsigned long long)rows);

		status = http_json(http, "GET", page, NULL, text("list %s", key), &reply);
		if (status == CLI_OK) {
			status = page_take(http, &reply, key, max, all, &more);
			*total = api_number(reply.json, "total", 0);
			http_free(&reply);
		}
	}
	if (status != CLI_OK) {
		json_decref(all);
		return status;
	}
	*out = all;
	return CLI_OK;
}

int api_list(struct http *http, const char *path, const char *key, uint64_t max, json_t **out)
{
	uint64_t total;

	return list(http, path, key, max, out, &total);
}

bool api_idle(const json_t *task)
{
	const char *phase = api_text(task, "phase");
	const char *schedule = api_text(task, "schedule");

	return phase != NULL && strcmp(phase, "idle") == 0 && !api_state_ended(api_state(task)) &&
	       (schedule == NULL || schedule[0] == 0);
}

/* ---- what a word means ---- */

static const struct noun {
	const char *kind, *path, *key, *id;
} nouns[] = {
	{"task", "/tasks", "tasks", "id"},
	{"node", "/proplets", "proplets", "id"},
	{"job", "/jobs", "jobs", "job_id"},
	{"workflow", "/tasks", "tasks", "workflow_id"},
};

static const struct noun *noun_find(const char *kind)
{
	for (size_t i = 0; i < sizeof(nouns) / sizeof(nouns[0]); i++) {
		if (strcmp(nouns[i].kind, kind) == 0) {
			return &nouns[i];
		}
	}
	abort();
}

/* The rows that word can mean: the name as a whole before the beginning of an id. */
struct matches {
	const char *by_name, *by_id;
	const char *open;           /* by name, and it has not ended */
	const char *newest_created; /* of those by name; by_name is that one */
	const char *names[3];       /* for the message */
	int name_count, open_count, id_count;
};

static void match_name(struct matches *m, const json_t *row, const char *id)
{
	const char *created = api_text(row, "created_at");

	if (m->name_count < 3) {
		m->names[m->name_count] = api_short(id);
	}
	if (!api_state_ended(api_state(row))) {
		m->open = id;
		m->open_count++;
	}
	if (m->name_count++ == 0 || (created != NULL && strcmp(created, m->newest_created) > 0)) {
		m->by_name = id;
		m->newest_created = created != NULL ? text("%s", created) : "";
	}
}

static bool match_row(struct matches *m, const struct noun *noun, const json_t *row,
		      const char *word)
{
	const char *id = json_string_value(json_object_get(row, noun->id));
	const char *name = json_string_value(json_object_get(row, "name"));
	bool hit = false;

	if (id == NULL) {
		return false;
	}
	if (name != NULL && strcmp(name, word) == 0 && strcmp(noun->kind, "workflow") != 0) {
		match_name(m, row, text("%s", id));
		hit = true;
	}
	if (strncmp(id, word, strlen(word)) == 0) {
		m->id_count += m->by_id == NULL || strcmp(m->by_id, id) != 0;
		m->by_id = text("%s", id);
		hit = true;
	}
	return hit;
}

static int match_choose(const struct matches *m, const char *kind, const char *word, bool only,
			const char **id)
{
	if (m->name_count > 1 && only) {
		return fail(CLI_NOT_FOUND, "%d %ss are named '%s'; give an id: %s %s%s%s",
			    m->name_count, kind, text_clean(word), m->names[0], m->names[1],
			    m->name_count > 2 ? " " : "", m->name_count > 2 ? m->names[2] : "");
	}
	if (m->name_count > 0) {
		*id = m->name_count > 1 && m->open_count == 1 ? m->open : m->by_name;
		return CLI_OK;
	}
	if (m->id_count == 1) {
		*id = m->by_id;
		return CLI_OK;
	}
	if (m->id_count > 1) {
		return fail(CLI_NOT_FOUND, "'%s' is the beginning of %d %ss' ids; give more of it",
			    text_clean(word), m->id_count, kind);
	}
	return fail(CLI_NOT_FOUND, "there is no %s '%s'; see: propctl %s list", kind,
		    text_clean(word), kind);
}

/* How many of the rows the word can mean. */
static size_t match_all(struct matches *m, const struct noun *noun, const json_t *rows,
			const char *word)
{
	json_t *row = NULL;
	size_t i = 0, hits = 0;

	json_array_foreach(rows, i, row)
	{
		hits += match_row(m, noun, row, word);
	}
	return hits;
}

/* Of more tasks of one name than are looked at, one that has not ended may be the one meant. */
static int match_open(struct http *http, const struct noun *noun, const char *word,
		      struct matches *m)
{
	m->open_count = 0;
	for (int i = 0; !api_state_ended(states[i]); i++) {
		struct matches open = {0};
		json_t *rows = NULL;
		const char *path =
			text("%s?state=%s&find=%s", noun->path, states[i], text_url(word));
		int status = api_list(http, path, noun->key, 2, &rows);

		if (status != CLI_OK) {
			return status;
		}
		match_all(&open, noun, rows, word);
		json_decref(rows);
		m->open = open.open_count > 0 ? open.open : m->open;
		m->open_count += open.open_count;
	}
	return CLI_OK;
}

/* Asks for what has this name or beginning of an id. Propeller's manager answers with everything. */
static int match_found(struct http *http, const struct noun *noun, const char *word,
		       struct matches *m)
{
	bool tasks_of = strcmp(noun->kind, "workflow") == 0; /* found by what its tasks say */
	const char *path = tasks_of ? noun->path : text("%s?find=%s", noun->path, text_url(word));
	json_t *rows = NULL;
	uint64_t total = 0;
	int status = list(http, path, noun->key, FOUND_MAX, &rows, &total);
	size_t hits, count;

	if (status != CLI_OK) {
		return status;
	}
	hits = match_all(m, noun, rows, word);
	count = json_array_size(rows);
	json_decref(rows);
	if (count >= total) {
		return CLI_OK;
	}
	if (hits < count) {
		*m = (struct matches){0};
		status = api_list(http, noun->path, noun->key, 0, &rows);
		match_all(m, noun, rows, word);
		json_decref(rows);
		return status;
	}
	*(m->name_count > 0 ? &m->name_count : &m->id_count) =
		total < INT32_MAX ? (int)total : INT32_MAX;
	return strcmp(noun->kind, "task") == 0 ? match_open(http, noun, word, m) : CLI_OK;
}

static int find(struct http *http, const char *kind, const char *word, bool only, const char **id)
{
	const struct noun *noun = noun_find(kind);
	struct matches m = {0};
	int status;

	if (text_is_uuid(word)) {
		*id = word;
		return CLI_OK;
	}
	if (word[0] == 0) {
		return fail(CLI_USAGE, "an empty word names no %s", kind);
	}
	status = match_found(http, noun, word, &m);
	return status != CLI_OK ? status : match_choose(&m, kind, word, only, id);
}

int api_find(struct http *http, const char *kind, const char *word, const char **id)
{
	return find(http, kind, word, strcmp(kind, "task") != 0, id);
}

int api_find_only(struct http *http, const char *kind, const char *word, const char **id)
{
	return find(http, kind, word, true, id);
}
