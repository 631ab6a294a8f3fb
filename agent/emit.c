/* SPDX-License-Identifier: Apache-2.0 */
/* Actions: room for them, publications, and the order in which what is due is said. */
#include "agent/state.h"
#include "base/fmt.h"

struct agent_action *agent_act(struct agent *a, enum agent_action_kind kind)
{
	struct agent_action *action;

	if (a->out->count == AGENT_ACTIONS_MAX) {
		a->again = true;
		return NULL;
	}
	action = &a->out->list[a->out->count++];
	memset(action, 0, sizeof(*action));
	action->kind = kind;
	return action;
}

char *agent_text_room(struct agent *a, uint32_t bytes)
{
	char *at = a->out->text + a->out->text_used;

	if (bytes > a->out->text_bytes - a->out->text_used) {
		a->again = true;
		return NULL;
	}
	a->out->text_used += bytes;
	return at;
}

void agent_act_log(struct agent *a, enum agent_log level, const char *format, ...)
{
	struct agent_action *action;
	char line[160], *text;
	va_list args;

	/* Lines for people must not crowd out what matters. */
	if (a->out->count >= AGENT_ACTIONS_MAX - 4 ||
	    a->out->text_bytes - a->out->text_used < AGENT_TEXT_BYTES_MIN / 2) {
		a->stats.logs_lost++;
		return;
	}
	va_start(args, format);
	fmt_vstr(line, sizeof(line), format, args);
	va_end(args);
	text = agent_text_room(a, (uint32_t)strlen(line) + 1);
	action = agent_act(a, AGENT_ACTION_LOG);
	memcpy(text, line, strlen(line) + 1);
	action->log.level = level;
	action->log.text = text;
}

static struct inflight *inflight_free(struct agent *a)
{
	for (uint32_t i = 0; i < a->limits.inflight_max; i++) {
		if (a->inflight[i].ref == 0) {
			return &a->inflight[i];
		}
	}
	return NULL;
}

/* A PUBLISH action without its texts; NULL when it cannot be said now. */
static struct agent_action *publish_action(struct agent *a, uint16_t slot)
{
	struct inflight *flight = inflight_free(a);
	struct agent_action *action;

	if (!agent_online(a) || (a->config->qos > 0 && flight == NULL)) {
		return NULL; /* PUBLISHED or CONNECTED comes */
	}
	action = agent_act(a, AGENT_ACTION_PUBLISH);
	if (action == NULL) {
		return NULL;
	}
	action->publish.qos = a->config->qos;
	if (a->config->qos > 0) {
		a->next_ref = a->next_ref == UINT16_MAX ? 1 : a->next_ref + 1;
		*flight = (struct inflight){a->next_ref, slot, a->now_ms};
		a->inflight_count++;
		action->publish.ref = a->next_ref;
	}
	return action;
}

static bool can_publish(const struct agent *a)
{
	return agent_online(a) &&
	       (a->config->qos == 0 || a->inflight_count < a->limits.inflight_max);
}

bool agent_publish(struct agent *a, enum wire_topic topic, const void *message, uint16_t slot)
{
	const struct wire_table *table = wire_topic_table(topic);
	uint32_t room = a->out->text_bytes - a->out->text_used, payload_at;
	char *text = a->out->text + a->out->text_used;
	size_t topic_bytes, payload_bytes;
	struct agent_action *action;

	CHECK(can_publish(a), false);
	topic_bytes = wire_topic_write(&a->place, topic, a->config->proplet_id, text, room) + 1;
	payload_at = BASE_MIN((uint32_t)topic_bytes, room);
	payload_bytes = wire_write(table, message, 0, text + payload_at, room - payload_at) + 1;
	if (topic_bytes + payload_bytes > a->out->text_bytes) {
		agent_act_log(a, AGENT_LOG_ERROR,
			      "a message of %u bytes is too long for this port: dropped",
			      (unsigned)payload_bytes);
		return true;
	}
	if (a->out->count == AGENT_ACTIONS_MAX || topic_bytes + payload_bytes > room) {
		a->again = true;
		return false;
	}
	action = publish_action(a, slot);
	ASSERT(action != NULL);
	a->out->text_used += (uint32_t)(topic_bytes + payload_bytes);
	text[topic_bytes + payload_bytes - 1] = 0;
	action->publish.topic = text;
	action->publish.payload = text + topic_bytes;
	action->publish.payload_bytes = (uint32_t)payload_bytes - 1;
	return true;
}

bool agent_publish_raw(struct agent *a, const char *topic, const char *payload, uint32_t bytes)
{
	size_t topic_bytes = strlen("m/") + strlen(a->place.tenant) + strlen("/c/") +
			     strlen(a->place.channel) + 1 + strlen(topic) + 1;
	struct agent_action *action;
	char *text;

	CHECK(can_publish(a), false);
	if (a->out->count == AGENT_ACTIONS_MAX ||
	    (text = agent_text_room(a, (uint32_t)topic_bytes + bytes + 1)) == NULL) {
		a->again = true;
		return false;
	}
	action = publish_action(a, NONE);
	ASSERT(action != NULL);
	fmt_str(text, topic_bytes, "m/%s/c/%s/%s", a->place.tenant, a->place.channel, topic);
	memcpy(text + topic_bytes, payload, bytes);
	text[topic_bytes + bytes] = 0;
	action->publish.topic = text;
	action->publish.payload = text + topic_bytes;
	action->publish.payload_bytes = bytes;
	return true;
}

bool agent_publish_fits(const struct agent *a, const struct wire_table *table, const void *message)
{
	return wire_write(table, message, 0, NULL, 0) + 300 <= a->out->text_bytes;
}

void agent_wake_at(struct agent *a, uint64_t ms)
{
	a->out->wake_ms = BASE_MIN(a->out->wake_ms, ms);
}

/* Modules' store actions and slices come before reports: they are what keeps things moving. */
void agent_emit(struct agent *a)
{
	agent_link_emit(a);
	agent_journal_emit(a);
	agent_fetch_emit(a);
	agent_slice_emit(a);
	agent_effect_emit(a);
	agent_node_emit(a);
	agent_outbox_emit(a);
	agent_report_emit(a);
	if (a->again) {
		a->out->wake_ms = a->now_ms;
	}
}
