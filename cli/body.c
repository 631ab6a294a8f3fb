/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A task's JSON from the options of a command line. Keys are the manager's; only what was given is
 * sent, so that a Propeller manager is not disturbed.
 */
#include "cli/cli.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* Options that are a key with a text, a number or true. */
static void set_plain(const struct cli_args *args, json_t *task)
{
	static const struct {
		enum cli_option option;
		const char *key;
	} rows[] = {
		{CLI_OPT_INVOKE, "function"},
		{CLI_OPT_PRIORITY, "priority"},
		{CLI_OPT_BROADCAST, "broadcast"},
		{CLI_OPT_DAEMON, "daemon"},
		{CLI_OPT_LATENT, "latent"},
		{CLI_OPT_POLICY, "policy"},
		{CLI_OPT_SCHEDULE, "schedule"},
		{CLI_OPT_TIMEZONE, "timezone"},
		{CLI_OPT_IDEMPOTENT, "idempotent"},
		{CLI_OPT_IMAGE, "image_url"},
		{CLI_OPT_AOT, "aot"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *value = args_text(args, rows[i].option, NULL);
		enum cli_kind kind = cli_options[rows[i].option].kind;

		if (value == NULL) {
			continue;
		}
		json_object_set_new(task, rows[i].key,
				    kind == CLI_FLAG     ? json_true()
				    : kind == CLI_NUMBER ? json_integer((json_int_t)args_number(
								   args, rows[i].option, 0))
							 : json_string(value));
	}
}

static void set_limits(const struct cli_args *args, json_t *task)
{
	static const struct {
		enum cli_option option;
		const char *key;
	} rows[] = {
		{CLI_OPT_FUEL, "fuel"},           {CLI_OPT_TIME, "time_ms"},
		{CLI_OPT_MEMORY, "memory_bytes"}, {CLI_OPT_STACK, "stack_bytes"},
		{CLI_OPT_HEAP, "heap_bytes"},     {CLI_OPT_OUTPUT, "output_bytes"},
	};
	json_t *limits = json_object();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (args_has(args, rows[i].option)) {
			json_object_set_new(
				limits, rows[i].key,
				json_integer((json_int_t)args_number(args, rows[i].option, 0)));
		}
	}
	if (json_object_size(limits) > 0) {
		json_object_set(task, "limits", limits);
	}
	json_decref(limits);
}

/* KEY=VALUE options as an object; NULL if none was given. */
static json_t *pairs(const struct cli_args *args, enum cli_option option)
{
	json_t *object = NULL;
	int at = 0;

	for (const char *pair; (pair = args_next(args, option, &at)) != NULL;) {
		const char *equals = strchr(pair, '=');

		if (object == NULL) {
			object = json_object();
		}
		json_object_set_new(object, text("%.*s", (int)(equals - pair), pair),
				    json_string(equals + 1));
	}
	return object;
}

/* The values of a repeatable option; NULL if none was given. */
static json_t *words(const struct cli_args *args, enum cli_option option)
{
	json_t *list = NULL;
	int at = 0;

	for (const char *word; (word = args_next(args, option, &at)) != NULL;) {
		list = list != NULL ? list : json_array();
		json_array_append_new(list, json_string(word));
	}
	return list;
}

static void set_if(json_t *object, const char *key, json_t *value)
{
	if (value != NULL) {
		json_object_set_new(object, key, value);
	}
}

static void set_constraints(const struct cli_args *args, json_t *task)
{
	const char *arch = args_text(args, CLI_OPT_ARCH, NULL);
	const char *power = args_text(args, CLI_OPT_POWER, NULL);
	json_t *constraints = json_object();

	set_if(constraints, "labels", pairs(args, CLI_OPT_LABEL));
	set_if(constraints, "tags", words(args, CLI_OPT_TAG));
	set_if(constraints, "arch", arch != NULL ? json_string(arch) : NULL);
	set_if(constraints, "power", power != NULL ? json_string(power) : NULL);
	if (json_object_size(constraints) > 0) {
		json_object_set(task, "constraints", constraints);
	}
	json_decref(constraints);
}

/* "gpio,kv" is as good as --cap gpio --cap kv. */
static int set_capabilities(const struct cli_args *args, json_t *task)
{
	static const char *const known[] = {"gpio", "sensor", "kv", "time", "publish"};
	json_t *list = json_array();
	int at = 0;

	for (const char *given; (given = args_next(args, CLI_OPT_CAP, &at)) != NULL;) {
		while (*given != 0) {
			const char *word = text("%.*s", (int)strcspn(given, ","), given);
			bool good = false;

			for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
				good |= strcmp(known[i], word) == 0;
			}
			if (!good) {
				json_decref(list);
				return fail(CLI_USAGE,
					    "--cap '%s': there are gpio, sensor, kv, time and "
					    "publish",
					    text_clean(word));
			}
			json_array_append_new(list, json_string(word));
			given += strlen(word);
			given += *given == ',';
		}
	}
	if (json_array_size(list) > 0) {
		json_object_set(task, "capabilities", list);
	}
	json_decref(list);
	return CLI_OK;
}

static void set_restart(const struct cli_args *args, json_t *task)
{
	if (args_has(args, CLI_OPT_RESTART)) {
		json_object_set_new(task, "restart",
				    json_pack("{s:I}", "attempts",
					      (json_int_t)args_number(args, CLI_OPT_RESTART, 0)));
	}
}

static int set_node(struct cli *cli, json_t *task)
{
	const char *word = args_text(&cli->args, CLI_OPT_NODE, NULL);
	const char *id = NULL;

	if (word == NULL) {
		return CLI_OK;
	}
	if (args_has(&cli->args, CLI_OPT_BROADCAST)) {
		return fail(CLI_USAGE, "--node and --broadcast exclude each other");
	}
	int status = api_find(&cli->http, "node", word, &id);
	if (status == CLI_OK) {
		json_object_set_new(task, "proplet_id", json_string(id));
	}
	return status;
}

static int set_inputs(json_t *task, const char *const *inputs, int count)
{
	json_t *list = json_array();

	for (int i = 0; i < count; i++) {
		if (json_array_append_new(list, json_string(inputs[i])) != 0) {
			json_decref(list);
			return fail(CLI_DATA, "argument %d is not valid UTF-8", i + 1);
		}
	}
	if (count > 0) {
		json_object_set(task, "inputs", list);
	}
	json_decref(list);
	return CLI_OK;
}

int task_body(struct cli *cli, const char *name, const char *const *inputs, int input_count,
	      json_t **out)
{
	json_t *task = json_pack("{s:s}", "name", name);

	if (task == NULL) {
		return fail(CLI_DATA, "the name '%s' is not valid UTF-8", text_clean(name));
	}
	set_plain(&cli->args, task);
	set_limits(&cli->args, task);
	set_constraints(&cli->args, task);
	set_restart(&cli->args, task);
	set_if(task, "env", pairs(&cli->args, CLI_OPT_ENV));
	set_if(task, "metadata", pairs(&cli->args, CLI_OPT_METADATA));
	if (args_has(&cli->args, CLI_OPT_SCHEDULE)) {
		json_object_set_new(task, "is_recurring",
				    json_boolean(!args_has(&cli->args, CLI_OPT_ONCE)));
	}
	/* Ours queues unless told not to; somebody who waits wants to hear at once that none fits. */
	json_object_set_new(task, "queue", json_boolean(args_has(&cli->args, CLI_OPT_QUEUE)));
	int status = set_inputs(task, inputs, input_count);
	if (status == CLI_OK) {
		status = set_capabilities(&cli->args, task);
	}
	if (status == CLI_OK) {
		status = set_node(cli, task);
	}
	if (status != CLI_OK) {
		json_decref(task);
		return status;
	}
	*out = task;
	return CLI_OK;
}

int read_json_file(const char *path, json_t **out)
{
	bool standard = strcmp(path, "-") == 0;
	FILE *in = standard ? stdin : fopen(path, "r");
	json_error_t error;

	if (in == NULL) {
		return fail(CLI_NOT_FOUND, "%s cannot be opened: %s", path[0] != 0 ? path : "''",
			    strerror(errno));
	}
	struct stat st;
	if (fstat(fileno(in), &st) == 0 && S_ISDIR(st.st_mode)) {
		fclose(in);
		return fail(CLI_NOT_FOUND, "%s is a folder", path);
	}
	*out = json_loadf(in, JSON_REJECT_DUPLICATES, &error);
	if (!standard) {
		fclose(in);
	}
	if (*out == NULL) {
		return fail(CLI_DATA, "%s:%d:%d: no JSON: %s", path, error.line, error.column,
			    error.text);
	}
	return CLI_OK;
}
