/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection: when to connect, what to subscribe to, what is under way.
 *
 * Rules: 1. After every connection: subscribe, announce (create, alive), then everything else.
 *        2. The pause before a connection doubles up to a bound and is jittered; it starts anew
 *           once we are online.
 *        3. Each connection has a number of its own, announced; a start that was sent to an earlier
 *           one waited at the broker, perhaps for long, and is not for now.
 *        4. What was under way when the connection ended counts as not delivered.
 */
#include "agent/state.h"
#include "base/fmt.h"

enum {
	FLIGHT_MS_MAX = 30000, /* a port that never confirms must not block us for ever */
	QUIT_MS_MAX = 2000,    /* for results before we go */
	ANSWER_MS_MAX = 60000, /* for CONNECTED and SUBSCRIBED */
};

bool agent_online(const struct agent *a)
{
	return a->link == LINK_ONLINE;
}

uint64_t agent_jittered(struct agent *a, uint64_t ms)
{
	uint32_t spread = (uint32_t)BASE_MIN(ms / 5, UINT64_C(1000000000));

	return ms - spread / 2 + (spread > 0 ? prng_below(&a->prng, spread) : 0);
}

static uint32_t or_default(uint32_t v, uint32_t otherwise)
{
	return v != 0 ? v : otherwise;
}

static void go_offline(struct agent *a)
{
	uint32_t least = or_default(a->config->backoff_ms_min, 500);
	uint32_t most = or_default(a->config->backoff_ms_max, 60000);

	a->link = LINK_OFFLINE;
	a->connect_due = true;
	a->subscribe_due = false;
	a->backoff_ms = a->backoff_ms == 0 ? least : BASE_MIN(a->backoff_ms * 2, most);
	a->connect_ms = a->now_ms + agent_jittered(a, a->backoff_ms);
	agent_inbox_abort(a);
	for (uint32_t i = 0; i < a->limits.inflight_max; i++) {
		struct inflight f = a->inflight[i];

		a->inflight[i].ref = 0;
		if (f.ref != 0 && f.slot != NONE) {
			agent_report_delivered(a, f.slot, false);
		}
	}
	a->inflight_count = 0;
	agent_report_lost(a);
}

static void go_online(struct agent *a)
{
	a->link = LINK_ONLINE;
	a->backoff_ms = 0;
	a->create_due = a->alive_due = true;
	a->stats.reconnections++;
	agent_act_log(a, AGENT_LOG_INFO, "online as %s", a->config->proplet_id);
}

static void on_published(struct agent *a, uint16_t ref, bool ok)
{
	for (uint32_t i = 0; i < a->limits.inflight_max; i++) {
		struct inflight f = a->inflight[i];

		if (f.ref == 0 || f.ref != ref) {
			continue;
		}
		a->inflight[i].ref = 0;
		a->inflight_count--;
		if (f.slot != NONE) {
			agent_report_delivered(a, f.slot, ok);
		}
	}
}

static void on_quit(struct agent *a)
{
	if (a->quitting) {
		a->quit_ms = a->now_ms; /* asked again: now */
		return;
	}
	a->quitting = true;
	a->quit_ms = a->now_ms + QUIT_MS_MAX;
	for (uint32_t i = 0; i < a->limits.tasks_max; i++) {
		struct task *t = &a->tasks[i];

		if (t->state == AGENT_TASK_FREE || t->state == AGENT_TASK_ENDED) {
			continue;
		}
		if (t->state == AGENT_TASK_RUNNING) {
			a->engine->interrupt(t->instance);
		}
		if (!t->journaled) {
			agent_task_end(a, t, WIRE_REASON_STOPPED, "the worker is shutting down");
		}
	}
}

void agent_link_event(struct agent *a, const struct agent_event *e)
{
	switch (e->kind) {
	case AGENT_EVENT_CONNECTED:
		if (a->link == LINK_CONNECTING) {
			a->link = LINK_SUBSCRIBING;
			a->link_id = prng_next(&a->prng) % WIRE_WHOLE + 1;
			a->subscribe_due = true;
			a->connect_ms = a->now_ms;
		}
		break;
	case AGENT_EVENT_DISCONNECTED:
		agent_act_log(a, AGENT_LOG_WARN, "no connection: %s",
			      e->link.text != NULL ? e->link.text : "closed");
		go_offline(a);
		break;
	case AGENT_EVENT_SUBSCRIBED:
		if (a->link == LINK_SUBSCRIBING && e->subscribed.ok) {
			go_online(a);
		} else if (a->link == LINK_SUBSCRIBING) {
			agent_act_log(a, AGENT_LOG_ERROR, "the broker refuses the subscription");
			agent_act(a, AGENT_ACTION_DISCONNECT);
			go_offline(a);
		}
		break;
	case AGENT_EVENT_PUBLISHED:
		on_published(a, e->published.ref, e->published.ok);
		break;
	default:
		on_quit(a);
	}
}

static void drop_stale(struct agent *a)
{
	for (uint32_t i = 0; i < a->limits.inflight_max; i++) {
		if (a->inflight[i].ref != 0 &&
		    a->now_ms - a->inflight[i].since_ms > FLIGHT_MS_MAX) {
			on_published(a, a->inflight[i].ref, false);
		}
	}
}

void agent_link_tick(struct agent *a)
{
	if ((a->link == LINK_CONNECTING || a->link == LINK_SUBSCRIBING) &&
	    a->now_ms - a->connect_ms > ANSWER_MS_MAX) {
		agent_act_log(a, AGENT_LOG_WARN, "no answer from the broker");
		agent_act(a, AGENT_ACTION_DISCONNECT);
		go_offline(a);
	}
	drop_stale(a);
}

static void emit_connect(struct agent *a)
{
	struct wire_gone gone = {0};
	struct agent_action *action;
	size_t topic_bytes, bytes;
	char *text;

	WIRE_SET_STR(&gone, gone, proplet_id, a->config->proplet_id);
	WIRE_SET_STR(&gone, gone, status, "offline");
	topic_bytes = wire_topic_write(&a->place, WIRE_TOPIC_GONE, "", NULL, 0) + 1;
	bytes = wire_write(&wire_table_gone, &gone, 0, NULL, 0) + 1;
	text = agent_text_room(a, (uint32_t)(topic_bytes + bytes));
	action = text != NULL ? agent_act(a, AGENT_ACTION_CONNECT) : NULL;
	if (action == NULL) {
		return;
	}
	wire_topic_write(&a->place, WIRE_TOPIC_GONE, "", text, topic_bytes);
	wire_write(&wire_table_gone, &gone, 0, text + topic_bytes, bytes);
	text[topic_bytes + bytes - 1] = 0;
	action->connect.client_id = a->config->proplet_id;
	action->connect.will_topic = text;
	action->connect.will_payload = text + topic_bytes;
	a->connect_due = false;
	a->connect_ms = a->now_ms;
	a->link = LINK_CONNECTING;
}

static const struct {
	enum wire_topic topic;
	const char *text; /* instead: the filter behind the prefix, ended by our id */
} filters[] = {
	{WIRE_TOPIC_START, NULL},    {WIRE_TOPIC_STOP, NULL},
	{WIRE_TOPIC_INVOKE, NULL},   {WIRE_TOPIC_CHUNK, NULL},
	{WIRE_TOPIC_CHUNK_TO, NULL}, {WIRE_TOPIC_COUNT, "control/manager/+/"},
};

static size_t filter_write(const struct agent *a, size_t i, char *buf, size_t cap)
{
	if (filters[i].text == NULL) {
		return wire_topic_write(&a->place, filters[i].topic, a->config->proplet_id, buf,
					cap);
	}
	return fmt_str(buf, cap, "m/%s/c/%s/%s%s", a->place.tenant, a->place.channel,
		       filters[i].text, a->config->proplet_id);
}

static void emit_subscribe(struct agent *a)
{
	struct agent_action *action = agent_act(a, AGENT_ACTION_SUBSCRIBE);

	if (action == NULL) {
		return;
	}
	action->subscribe.qos = a->config->qos;
	for (size_t i = 0; i < BASE_COUNT(filters); i++) {
		uint32_t bytes = (uint32_t)filter_write(a, i, NULL, 0) + 1;
		char *text = agent_text_room(a, bytes);

		if (text == NULL) {
			a->out->count--; /* ids are bounded: the next step has room */
			return;
		}
		filter_write(a, i, text, bytes);
		action->subscribe.filters[i] = text;
	}
	a->subscribe_due = false;
}

static bool settled(const struct agent *a)
{
	for (uint32_t i = 0; i < a->limits.tasks_max; i++) {
		const struct task *t = &a->tasks[i];

		if (t->state == AGENT_TASK_RUNNING ||
		    (t->state == AGENT_TASK_ENDED && !t->journaled && agent_online(a))) {
			return false;
		}
	}
	return a->slices_out == 0 && (a->inflight_count == 0 || !agent_online(a));
}

static void emit_quit(struct agent *a)
{
	struct wire_gone gone = {0};
	struct agent_action *action;

	if (!settled(a) && a->now_ms < a->quit_ms) {
		agent_wake_at(a, a->quit_ms);
		return;
	}
	WIRE_SET_STR(&gone, gone, proplet_id, a->config->proplet_id);
	WIRE_SET_STR(&gone, gone, status, "offline");
	if (agent_online(a) && !a->gone_sent) {
		a->gone_sent = agent_publish(a, WIRE_TOPIC_GONE, &gone, NONE);
	}
	if (agent_online(a) && !a->gone_sent && a->now_ms < a->quit_ms + QUIT_MS_MAX) {
		agent_wake_at(a, a->quit_ms + QUIT_MS_MAX);
		return;
	}
	action = agent_act(a, AGENT_ACTION_DISCONNECT);
	if (action != NULL) {
		action->disconnect.last = true;
		a->left = true;
		a->link = LINK_OFFLINE;
		a->connect_due = false;
		a->inflight_count = 0;
		memset(a->inflight, 0, a->limits.inflight_max * sizeof(*a->inflight));
	}
}

void agent_link_emit(struct agent *a)
{
	if (a->left) {
		return;
	}
	if (a->quitting) {
		emit_quit(a);
		return;
	}
	if (!a->booted) {
		return; /* JOURNAL_END comes */
	}
	if (a->connect_due && a->now_ms >= a->connect_ms) {
		emit_connect(a);
	} else if (a->connect_due) {
		agent_wake_at(a, a->connect_ms);
	}
	if (a->subscribe_due) {
		emit_subscribe(a);
	}
	if (a->link == LINK_CONNECTING || a->link == LINK_SUBSCRIBING) {
		agent_wake_at(a, a->connect_ms + ANSWER_MS_MAX + 1);
	}
	if (a->inflight_count > 0) {
		agent_wake_at(a, a->now_ms + FLIGHT_MS_MAX + 1);
	}
}
