/* SPDX-License-Identifier: Apache-2.0 */
/* Carries out what a step asked for, in its order; answers go to events.c. */
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/logging/log_ctrl.h>
#include <zephyr/sys/reboot.h>

#include "app.h"
#include "mqtt.h"
#include "settings.h"

LOG_MODULE_DECLARE(proplet, CONFIG_PROPLET_LOG_LEVEL);

static void run_slice(const struct agent_slice *slice)
{
	struct agent_event event = {.kind = AGENT_EVENT_SLICE_DONE};

	event.slice.slot = slice->slot;
	event.slice.status = agent_slice_run(slice);
	events_push(&event);
	k_busy_wait(CONFIG_PROPLET_SLICE_WAIT_US);
}

static void store(const struct agent_action *action)
{
	struct agent_event event = {0};

	if (store_do(action, &event)) {
		events_push(&event);
	}
}

static void host_call(const struct agent_action *action)
{
	struct agent_event event = {.kind = AGENT_EVENT_HOST_DONE};

	event.host.slot = action->host.slot;
	capability_do(action, &event);
	events_push(&event);
}

static void journal(const struct agent_action *action)
{
	int err = action->kind == AGENT_ACTION_JOURNAL_DELETE
			  ? settings_journal_delete(action->journal.key)
			  : settings_journal_put(action->journal.key, action->journal.record,
						 action->journal.bytes);

	if (err != 0) {
		LOG_ERR("journal: record %u is not kept (%d)", action->journal.key, err);
	}
}

static void log_line(const struct agent_action *action)
{
	switch (action->log.level) {
	case AGENT_LOG_ERROR:
		LOG_ERR("%s", action->log.text);
		break;
	case AGENT_LOG_WARN:
		LOG_WRN("%s", action->log.text);
		break;
	case AGENT_LOG_INFO:
		LOG_INF("%s", action->log.text);
		break;
	default:
		LOG_DBG("%s", action->log.text);
		break;
	}
}

static void disconnect(const struct agent_action *action)
{
	mqtt_close();
	if (action->disconnect.last) {
		LOG_INF("restarting");
		k_sleep(K_MSEC(200)); /* what was sent leaves */
		LOG_PANIC();          /* the log's last lines, too */
		sys_reboot(SYS_REBOOT_COLD);
	}
}

static void action_do(const struct agent_action *action)
{
	switch (action->kind) {
	case AGENT_ACTION_CONNECT:
		mqtt_connect_begin(action);
		break;
	case AGENT_ACTION_DISCONNECT:
		disconnect(action);
		break;
	case AGENT_ACTION_SUBSCRIBE:
		mqtt_subscribe_to(action);
		break;
	case AGENT_ACTION_PUBLISH:
		mqtt_publish_this(action);
		break;
	case AGENT_ACTION_RUN_SLICE:
		run_slice(&action->slice);
		break;
	case AGENT_ACTION_STORE_OPEN:
	case AGENT_ACTION_STORE_BEGIN:
	case AGENT_ACTION_STORE_WRITE:
	case AGENT_ACTION_STORE_COMMIT:
	case AGENT_ACTION_STORE_DROP:
	case AGENT_ACTION_STORE_READ:
	case AGENT_ACTION_STORE_CLOSE:
		store(action);
		break;
	case AGENT_ACTION_JOURNAL_PUT:
	case AGENT_ACTION_JOURNAL_DELETE:
		journal(action);
		break;
	case AGENT_ACTION_HOST_CALL:
		host_call(action);
		break;
	case AGENT_ACTION_LOG:
		log_line(action);
		break;
	}
}

void actions_do(const struct agent_actions *actions)
{
	for (uint32_t i = 0; i < actions->count; i++) {
		trace_add('<', actions->list[i].kind, 0);
		panic_step('<', actions->list[i].kind);
		action_do(&actions->list[i]);
	}
}
