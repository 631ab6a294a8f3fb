/* SPDX-License-Identifier: Apache-2.0 */
/* The names of the agent's events and actions, in the order of agent.h. */
#include <zephyr/sys/util.h>

#include "app.h"

static const char *const events[] = {
	"tick",      "connected",   "disconnected", "subscribed", "message",
	"published", "slice_done",  "store",        "store_data", "host_done",
	"journal",   "journal_end", "node",         "stop",       "quit",
};
static const char *const actions[] = {
	"connect",     "disconnect",     "subscribe",    "publish",    "run_slice",  "store_open",
	"store_begin", "store_write",    "store_commit", "store_drop", "store_read", "store_close",
	"journal_put", "journal_delete", "host_call",    "log",
};

BUILD_ASSERT(ARRAY_SIZE(events) == AGENT_EVENT_QUIT + 1);
BUILD_ASSERT(ARRAY_SIZE(actions) == AGENT_ACTION_LOG + 1);

const char *app_step_name(char what, uint8_t kind)
{
	if (what == '>') {
		return kind < ARRAY_SIZE(events) ? events[kind] : "?";
	}
	return what == '<' && kind < ARRAY_SIZE(actions) ? actions[kind] : "start";
}
