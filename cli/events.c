/* SPDX-License-Identifier: Apache-2.0 */
/* propctl events: what the manager tells of nodes and tasks as it happens (server-sent events). */
#include "cli/cli.h"

#include <string.h>

static void event_print(const struct cli *cli, const json_t *event)
{
	const char *when = api_text(event, "time");
	const char *kind = api_text(event, "kind");
	const char *task = api_text(event, "task_id");
	const char *node = api_text(event, "proplet_id");
	const char *phase = api_text(event, "phase");
	const char *words = api_text(event, "text");
	const char *clock = when != NULL && strlen(when) > 19 ? text("%.8s", when + 11) : "-";

	if (cli->json) {
		json_dumpf(event, stdout, JSON_COMPACT);
		putchar('\n');
		return;
	}
	printf("%s  %-16s", text_clean(clock), kind != NULL ? text_clean(kind) : "?");
	if (task != NULL) {
		printf("  task %s", text_clean(api_short(task)));
	}
	if (phase != NULL) {
		printf(" %s", text_clean(phase));
	}
	if (node != NULL) {
		printf("  node %s", text_clean(api_short(node)));
	}
	printf("%s%s\n", words != NULL ? "  " : "", words != NULL ? text_clean(words) : "");
}

static void on_line(void *user, const char *line)
{
	struct cli *cli = user;

	if (strncmp(line, "data:", 5) != 0) {
		return;
	}
	json_t *event = json_loads(line + 5, 0, NULL);
	if (event != NULL) {
		event_print(cli, event);
		fflush(stdout);
		json_decref(event);
	}
}

int events_command(struct cli *cli)
{
	const char *task = args_text(&cli->args, CLI_OPT_TASK, NULL);
	const char *node = args_text(&cli->args, CLI_OPT_NODE, NULL);
	const char *path = "/events";
	const char *id = NULL;
	int status = CLI_OK;

	if (task != NULL) {
		status = api_find(&cli->http, "task", task, &id);
		path = text("/events?task_id=%s", id != NULL ? text_url(id) : "");
	} else if (node != NULL) {
		status = api_find(&cli->http, "node", node, &id);
		path = text("/events?proplet_id=%s", id != NULL ? text_url(id) : "");
	}
	if (status == CLI_OK) {
		status = http_lines(&cli->http, path, on_line, cli);
	}
	return status == CLI_INTERRUPTED ? CLI_OK : status;
}
