/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the main loop waits for.
 *
 * In:    the broker's packets, answers made by actions, requests of the shell, time
 * Out:   one agent_event at a time
 * Rules: 1. The journal is replayed first, whole.
 *        2. The network and the loop's own answers take turns, so that neither a flood of messages
 *           nor a task that runs on and on starves the other.
 * Bounds: answers: one per task (its slice or host call), one per module, and the failures of one
 *        step's writes.
 */
#include <string.h>

#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>

#include "app.h"
#include "mqtt.h"
#include "settings.h"

LOG_MODULE_DECLARE(proplet, CONFIG_PROPLET_LOG_LEVEL);

#define ANSWERS_MAX   (CONFIG_PROPLET_TASKS_MAX + CONFIG_PROPLET_MODULES_MAX + AGENT_ACTIONS_MAX)
#define NODE_FACTS_MS CLAMP(CONFIG_PROPLET_METRICS_MS / 2, 1000, 10000)

static struct agent_event answers[ANSWERS_MAX];
static uint32_t answer_first, answer_count;
static uint16_t journal_next = UINT16_MAX;
static uint8_t record[1024];
static int64_t facts_at;
static bool network_turn;
static struct app_request request;

K_MSGQ_DEFINE(requests, sizeof(struct app_request), 4, 4);

BUILD_ASSERT(sizeof(record) >= AGENT_RECORD_BYTES_MIN);

void events_start(void)
{
	journal_next = IS_ENABLED(CONFIG_PROPLET_JOURNAL) ? 0 : UINT16_MAX;
}

void events_push(const struct agent_event *event)
{
	if (answer_count == ANSWERS_MAX) {
		LOG_ERR("more answers than a step has actions");
		k_panic();
	}
	answers[(answer_first + answer_count++) % ANSWERS_MAX] = *event;
}

bool events_request(const struct app_request *wanted)
{
	bool ok = k_msgq_put(&requests, wanted, K_NO_WAIT) == 0;

	mqtt_wake();
	return ok;
}

static bool next_journal(struct agent_event *out)
{
	if (journal_next == UINT16_MAX) {
		return false;
	}
	for (; journal_next < 2 * CONFIG_PROPLET_TASKS_MAX; journal_next++) {
		int bytes = settings_journal_get(journal_next, record, sizeof(record));

		if (bytes > 0) {
			out->kind = AGENT_EVENT_JOURNAL;
			out->journal.key = journal_next++;
			out->journal.record = record;
			out->journal.bytes = bytes;
			return true;
		}
	}
	journal_next = UINT16_MAX;
	out->kind = AGENT_EVENT_JOURNAL_END;
	return true;
}

static bool next_answer(struct agent_event *out)
{
	if (answer_count == 0) {
		return false;
	}
	*out = answers[answer_first];
	answer_first = (answer_first + 1) % ANSWERS_MAX;
	answer_count--;
	if (IS_ENABLED(CONFIG_PROPLET_STORE) && out->kind == AGENT_EVENT_STORE_DATA) {
		store_load(out);
	}
	return true;
}

static bool next_request(struct agent_event *out)
{
	if (k_msgq_get(&requests, &request, K_NO_WAIT) != 0) {
		return false;
	}
	if (request.kind == APP_REQUEST_STOP) {
		out->kind = AGENT_EVENT_STOP;
		out->stop.id = request.id;
		out->stop.id_bytes = strlen(request.id);
	} else if (request.kind == APP_REQUEST_REBOOT) {
		out->kind = AGENT_EVENT_QUIT;
	} else {
		fault_do(request.id);
		return false;
	}
	return true;
}

static bool next_facts(struct agent_event *out, int64_t now)
{
	if (now < facts_at) {
		return false;
	}
	facts_at = now + NODE_FACTS_MS;
	out->kind = AGENT_EVENT_NODE;
	out->node = node_facts();
	return true;
}

static bool next(struct agent_event *out, int64_t now)
{
	if (next_journal(out)) {
		return true;
	}
	network_turn = !network_turn;
	if (network_turn && mqtt_next(out)) {
		return true;
	}
	return next_request(out) || next_facts(out, now) || next_answer(out) ||
	       (!network_turn && mqtt_next(out));
}

void events_next(struct agent_event *out, uint64_t wake_ms)
{
	int64_t now = k_uptime_get();

	memset(out, 0, sizeof(*out));
	while (!next(out, now)) {
		if ((uint64_t)now >= wake_ms) {
			out->kind = AGENT_EVENT_TICK;
			break;
		}
		mqtt_wait(MIN(wake_ms - now, CONFIG_PROPLET_WAKE_MS));
		watchdog_feed();
		now = k_uptime_get();
	}
	out->now_ms = k_uptime_get();
	trace_add('>', out->kind, 0);
	panic_step('>', out->kind);
}
