/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shell's words: proplet status|tasks|pools|limits|trace|stop|set|unset|erase|reboot.
 *
 * Rules: 1. Looking inside the agent happens under app_lock, between its steps.
 *        2. Secret settings are never shown.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zephyr/kernel.h>
#include <zephyr/shell/shell.h>

#include "app.h"
#include "mqtt.h"
#include "net.h"
#include "settings.h"

static struct trace_entry trace[CONFIG_PROPLET_TRACE_ENTRIES];
static uint32_t trace_count;
static char setting[IS_ENABLED(CONFIG_PROPLET_TLS) ? 2048 : 320];

void trace_add(char what, uint8_t kind, uint16_t detail)
{
	static const uint8_t boring = AGENT_EVENT_TICK;
	struct trace_entry *last = &trace[(trace_count - 1) % ARRAY_SIZE(trace)];

	if (what == '>' && kind == boring) {
		return;
	}
	if (trace_count > 0 && last->what == what && last->kind == kind) {
		last->detail++;
		return;
	}
	trace[trace_count++ % ARRAY_SIZE(trace)] = (struct trace_entry){
		.at_ms = k_uptime_get_32(), .what = what, .kind = kind, .detail = 1};
}

/* The agent for looking inside, locked; NULL (not locked) before it was made. */
static struct agent *look(const struct shell *sh)
{
	k_mutex_lock(&app_lock, K_FOREVER);
	if (app_agent == NULL) {
		k_mutex_unlock(&app_lock);
		shell_print(sh, "the worker waits for its settings: proplet set");
	}
	return app_agent;
}

static int cmd_status(const struct shell *sh, size_t argc, char **argv)
{
	char address[32];
	struct net_facts net;
	struct agent_stats s = {0};

	net_address(address, sizeof(address));
	net_facts(&net);
	settings_get(SETTINGS_ID, setting, sizeof(setting));
	shell_print(sh, "id       %s", setting);
	if (look(sh) != NULL) {
		agent_stats(app_agent, &s);
		k_mutex_unlock(&app_lock);
	}
	shell_print(sh, "online   %s, up %u s", s.online ? "yes" : "no", k_uptime_get_32() / 1000);
	shell_print(sh, "address  %s", address[0] != 0 ? address : "none yet");
	shell_print(sh, "network  %u bytes in, %u out, %u dropped, %u resent", net.rx_bytes,
		    net.tx_bytes, net.drops, net.tcp_resent);
	shell_print(sh, "tasks    %u now, %u started, %u done, %u failed, %u refused", s.tasks_used,
		    (unsigned)s.started, (unsigned)s.done, (unsigned)s.failed, (unsigned)s.refused);
	shell_print(sh, "messages %u, %u not understood, %u reconnections", (unsigned)s.messages,
		    (unsigned)s.messages_bad, (unsigned)s.reconnections);
	shell_print(sh, "last end %s", panic_text()[0] != 0 ? panic_text() : "well");
	return 0;
}

static int cmd_tasks(const struct shell *sh, size_t argc, char **argv)
{
	struct agent_task_view task;

	if (look(sh) == NULL) {
		return 0;
	}
	for (uint32_t i = 0; i < CONFIG_PROPLET_TASKS_MAX; i++) {
		if (agent_task_view(app_agent, i, &task)) {
			shell_print(sh, "%-36s %-8s %-16s prio %u, %u bytes, %u kfuel", task.id,
				    agent_task_state_text(task.state), task.function, task.priority,
				    task.pool_bytes, (unsigned)(task.fuel / 1000));
		}
	}
	k_mutex_unlock(&app_lock);
	return 0;
}

static void thread_line(const struct k_thread *thread, void *user)
{
	const struct shell *sh = user;
	size_t unused = 0;

	if (k_thread_stack_space_get(thread, &unused) == 0) {
		const char *name = k_thread_name_get((k_tid_t)thread);

		shell_print(sh, "stack    %-16s %u of %u bytes at most", name != NULL ? name : "?",
			    (unsigned)(thread->stack_info.size - unused),
			    (unsigned)thread->stack_info.size);
	}
}

static int cmd_pools(const struct shell *sh, size_t argc, char **argv)
{
	struct agent_stats s;

	if (look(sh) != NULL) {
		agent_stats(app_agent, &s);
		k_mutex_unlock(&app_lock);
		shell_print(sh, "pool     %u bytes, %u free, largest block %u", s.pool_bytes,
			    s.pool_free_bytes, s.pool_free_max_bytes);
		shell_print(sh, "agent    %u of %u bytes", s.overhead_bytes,
			    CONFIG_PROPLET_AGENT_BYTES);
		shell_print(sh, "slots    tasks %u of %u, modules %u of %u", s.tasks_used,
			    s.tasks_max, s.modules_used, s.modules_max);
	}
	shell_print(sh, "settings %d bytes free", settings_free_bytes());
	k_thread_foreach(thread_line, (void *)sh);
	return 0;
}

/* clang-format off */
#define LIMITS(X) \
	X(tasks_max) \
	X(modules_max) \
	X(slice_fuel) \
	X(message_bytes) \
	X(outbox_bytes) \
	X(inflight_max) \
	X(rx_buffer_bytes) \
	X(module_bytes_max) \
	X(args_max) \
	X(print_bytes) \
	X(time_ms) \
	X(stack_bytes) \
	X(heap_bytes) \
	X(memory_bytes) \
	X(output_bytes) \
	X(memory_bytes_max) \
	X(output_bytes_max)
/* clang-format on */

static int cmd_limits(const struct shell *sh, size_t argc, char **argv)
{
	if (look(sh) == NULL) {
		return 0;
	}
	const struct agent_limits *limits = agent_limits_of(app_agent);

#define X(name) shell_print(sh, "%-17s %u", #name, limits->name);
	LIMITS(X)
#undef X
	k_mutex_unlock(&app_lock);
	return 0;
}

static int cmd_trace(const struct shell *sh, size_t argc, char **argv)
{
	uint32_t size = ARRAY_SIZE(trace), first = trace_count > size ? trace_count - size : 0;

	for (uint32_t i = first; i < trace_count; i++) {
		const struct trace_entry *e = &trace[i % size];

		shell_print(sh, "%8u ms %s %s x%u", e->at_ms, e->what == '>' ? "->" : "<-",
			    app_step_name(e->what, e->kind), e->detail);
	}
	return 0;
}

static int cmd_stop(const struct shell *sh, size_t argc, char **argv)
{
	struct app_request request = {.kind = APP_REQUEST_STOP};

	strncpy(request.id, argv[1], sizeof(request.id) - 1);
	shell_print(sh, events_request(&request) ? "asked" : "busy, try again");
	return 0;
}

static int cmd_fault(const struct shell *sh, size_t argc, char **argv)
{
	struct app_request request = {.kind = APP_REQUEST_FAULT};

	strncpy(request.id, argv[1], sizeof(request.id) - 1);
	shell_print(sh, events_request(&request) ? "asked" : "busy, try again");
	return 0;
}

static int cmd_reboot(const struct shell *sh, size_t argc, char **argv)
{
	struct app_request request = {.kind = APP_REQUEST_REBOOT};

	shell_print(sh, events_request(&request) ? "asked" : "busy, try again");
	return 0;
}

static void settings_show(const struct shell *sh)
{
	for (int i = 0; i < SETTINGS_COUNT; i++) {
		const struct settings_row *row = &settings_rows[i];
		size_t bytes = settings_get(i, setting, sizeof(setting));

		if (row->secret || bytes > 64) {
			snprintf(setting, sizeof(setting), bytes > 0 ? "(%u bytes)" : "",
				 (unsigned)bytes);
		}
		shell_print(sh, "%-13s %-36s %s", row->word, setting, row->help);
	}
}

static int setting_keep(const struct shell *sh, const char *word, const char *text, bool append)
{
	enum settings_key key = settings_find(word);
	size_t there = 0;
	int err;

	if (key == SETTINGS_COUNT) {
		shell_error(sh, "no setting '%s'; proplet set shows them", word);
		return -EINVAL;
	}
	if (append) {
		there = settings_get(key, setting, sizeof(setting));
	}
	if (there + strlen(text) >= sizeof(setting)) {
		shell_error(sh, "longer than %u", settings_rows[key].bytes_max);
		return -EINVAL;
	}
	strcpy(setting + there, text);
	err = settings_set(key, setting);
	memset(setting, 0, sizeof(setting));
	if (err != 0) {
		shell_error(sh, "'%s' is not kept: %s", word,
			    err == -ENAMETOOLONG ? "it is too long" : "the flash refuses");
		return err;
	}
	shell_print(sh, "kept; it counts from the next start on (proplet reboot)");
	return 0;
}

static int cmd_set(const struct shell *sh, size_t argc, char **argv)
{
	if (argc == 1) {
		settings_show(sh);
		return 0;
	}
	return setting_keep(sh, argv[1], argc > 2 ? argv[2] : "", false);
}

static int cmd_append(const struct shell *sh, size_t argc, char **argv)
{
	return setting_keep(sh, argv[1], argv[2], true);
}

static int cmd_erase(const struct shell *sh, size_t argc, char **argv)
{
	if (strcmp(argv[1], "everything") != 0) {
		shell_error(sh, "proplet erase everything: forgets settings, journal and pairs");
		return -EINVAL;
	}
	shell_print(sh, settings_erase() == 0 ? "erased" : "the flash refuses");
	return 0;
}

SHELL_STATIC_SUBCMD_SET_CREATE(
	words, SHELL_CMD(status, NULL, "what the worker is doing", cmd_status),
	SHELL_CMD(tasks, NULL, "its tasks", cmd_tasks),
	SHELL_CMD(pools, NULL, "memory and stacks", cmd_pools),
	SHELL_CMD(limits, NULL, "its limits", cmd_limits),
	SHELL_CMD(trace, NULL, "the last events and actions", cmd_trace),
	SHELL_CMD_ARG(stop, NULL, "stop ID: ends a task", cmd_stop, 2, 0),
	SHELL_CMD_ARG(set, NULL, "set [WORD [TEXT]]: shows or keeps settings", cmd_set, 1, 2),
	SHELL_CMD_ARG(append, NULL, "append WORD TEXT: adds to a long setting", cmd_append, 3, 0),
	SHELL_CMD_ARG(erase, NULL, "erase everything: forgets all settings", cmd_erase, 2, 0),
	SHELL_CMD(reboot, NULL, "tells the manager, ends tasks, restarts", cmd_reboot),
	SHELL_COND_CMD_ARG(CONFIG_PROPLET_FAULTS, fault, NULL, "fault hang|panic|fault: for tests",
			   cmd_fault, 2, 0),
	SHELL_SUBCMD_SET_END);
SHELL_CMD_REGISTER(proplet, &words, "the worker", NULL);
