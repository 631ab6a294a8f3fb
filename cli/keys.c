/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of job and workflow files. A manager drops those that it does not know, as Propeller's
 * clients expect; in a file that somebody has written such a key is a mistake, which is told.
 */
#include "cli/cli.h"

#include <string.h>

/* The one list of them, which the manager reads, too. */
#include "wire/task_field_list.h"

#define KEY(key, ...) #key,

static const char *const task_keys[] = {TASK_FIELD_LIST(KEY) "id", "file", "wasm", NULL};
static const char *const limit_keys[] = {TASK_LIMIT_LIST(KEY) NULL};
static const char *const constraint_keys[] = {TASK_CONSTRAINT_LIST(KEY) NULL};
static const char *const restart_keys[] = {TASK_RESTART_LIST(KEY) NULL};
static const char *const job_keys[] = {"name", "execution_mode", "tasks", NULL};
static const char *const workflow_keys[] = {"tasks", NULL};

static int check(const char *where, const json_t *object, const char *const *known)
{
	const char *key = NULL;
	json_t *value = NULL;

	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		const char *best = NULL;
		int best_distance = 4;

		for (size_t i = 0; known[i] != NULL && best_distance > 0; i++) {
			int d = text_distance(key, known[i]);

			if (d < best_distance) {
				best_distance = d;
				best = known[i];
			}
		}
		if (best_distance > 0) {
			return fail(CLI_DATA, "%s: unknown key \"%s\"%s%s%s", where,
				    text_clean(key), best != NULL ? "; did you mean \"" : "",
				    best != NULL ? best : "", best != NULL ? "\"?" : "");
		}
	}
	return CLI_OK;
}

int keys_check_task(const char *path, const json_t *task)
{
	static const struct {
		const char *key;
		const char *const *known;
	} within[] = {{"limits", limit_keys},
		      {"constraints", constraint_keys},
		      {"restart", restart_keys}};
	const char *name = json_string_value(json_object_get(task, "name"));
	const char *where = text("%s: task '%s'", path, text_clean(name != NULL ? name : "?"));
	int status = check(where, task, task_keys);

	for (size_t i = 0; status == CLI_OK && i < sizeof(within) / sizeof(within[0]); i++) {
		status = check(text("%s, %s", where, within[i].key),
			       json_object_get(task, within[i].key), within[i].known);
	}
	return status;
}

int keys_check_group(const char *path, const json_t *group, bool job)
{
	return check(path, group, job ? job_keys : workflow_keys);
}
