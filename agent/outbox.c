/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tasks publish and log, until it is sent: a ring of records.
 *
 * Rules: 1. Records are sent in the order in which they came, before their task's result.
 *        2. When the ring is full: online, who wants to put waits; offline, the oldest give way and
 *           are counted (stats.logs_lost).
 *        3. A record lies in one piece; a filler takes the place at the ring's end.
 */
#include "agent/state.h"
#include "base/fmt.h"

struct record {
	uint32_t bytes; /* of all, a multiple of 8 */
	uint32_t seq, data_bytes;
	uint16_t slot; /* NONE: nobody's, not to be sent */
	uint8_t kind, level;
	uint8_t name_bytes;
};

enum {
	RECORD_BYTES = sizeof(struct record),
	NAME_BYTES_MAX = 64,
};

static struct record *oldest(const struct agent *a)
{
	return (struct record *)(a->outbox.ring + a->outbox.head);
}

static bool is_filler(const struct record *r)
{
	return r->bytes < RECORD_BYTES || r->slot == NONE;
}

static void pop(struct agent *a)
{
	struct outbox *o = &a->outbox;
	struct record *r = oldest(a);

	if (!is_filler(r)) {
		a->tasks[r->slot].outbox_count--;
	}
	o->used -= r->bytes;
	o->head = o->head + r->bytes == o->bytes ? 0 : o->head + r->bytes;
	if (o->used == 0) {
		o->head = 0;
	}
}

/* Where a record of that size can be put, fillers in place; NULL when there is no room now. */
static struct record *room(struct agent *a, uint32_t bytes)
{
	struct outbox *o = &a->outbox;
	uint32_t tail = o->head + o->used;
	struct record *filler;

	if (tail >= o->bytes) {
		tail -= o->bytes;
		return o->head - tail >= bytes ? (struct record *)(o->ring + tail) : NULL;
	}
	if (o->bytes - tail >= bytes) {
		return (struct record *)(o->ring + tail);
	}
	if (o->head < bytes || o->used == 0) {
		return NULL;
	}
	filler = (struct record *)(o->ring + tail);
	filler->bytes = o->bytes - tail;
	o->used += filler->bytes;
	if (filler->bytes >= RECORD_BYTES) {
		filler->slot = NONE;
	}
	return (struct record *)o->ring;
}

static uint32_t record_bytes(uint32_t bytes)
{
	return (uint32_t)base_align_up(RECORD_BYTES + bytes, 8);
}

bool agent_outbox_could(const struct agent *a, uint32_t bytes)
{
	return bytes < a->outbox.bytes && record_bytes(bytes) <= a->outbox.bytes;
}

bool agent_outbox_put(struct agent *a, struct task *t, enum outbox_kind kind, uint8_t level,
		      struct wire_text name, struct wire_text data)
{
	uint32_t bytes = record_bytes(name.bytes + data.bytes);
	struct record *r = room(a, bytes);

	while (r == NULL && !agent_online(a) && a->outbox.used > 0) {
		a->stats.logs_lost += !is_filler(oldest(a));
		pop(a);
		r = room(a, bytes);
	}
	CHECK(r != NULL, false);
	*r = (struct record){
		.bytes = bytes,
		.seq = t->seq++,
		.data_bytes = data.bytes,
		.slot = agent_task_slot(a, t),
		.kind = (uint8_t)kind,
		.level = level,
		.name_bytes = (uint8_t)name.bytes,
	};
	memcpy(r + 1, name.at, name.bytes);
	memcpy((char *)(r + 1) + name.bytes, data.at, data.bytes);
	a->outbox.used += bytes;
	t->outbox_count++;
	return true;
}

static bool send_output(struct agent *a, const struct task *t, const struct record *r,
			struct wire_text data)
{
	struct wire_output m = {0};

	WIRE_SET_STR(&m, output, proplet_id, a->config->proplet_id);
	WIRE_SET_STR(&m, output, task_id, t->id);
	WIRE_SET(&m, output, epoch, (int64_t)t->epoch);
	WIRE_SET(&m, output, seq, r->seq);
	WIRE_SET(&m, output, data, data);
	return agent_publish(a, WIRE_TOPIC_OUTPUT, &m, NONE);
}

static bool send_log(struct agent *a, const struct task *t, const struct record *r,
		     struct wire_text data)
{
	struct wire_logs m = {0};

	WIRE_SET_STR(&m, logs, proplet_id, a->config->proplet_id);
	WIRE_SET_STR(&m, logs, task_id, t->id);
	WIRE_SET(&m, logs, epoch, (int64_t)t->epoch);
	WIRE_SET(&m, logs, seq, r->seq);
	WIRE_SET(&m, logs, level, r->level);
	WIRE_SET(&m, logs, text, data);
	return agent_publish(a, WIRE_TOPIC_LOGS, &m, NONE);
}

static bool send_event(struct agent *a, const struct task *t, const struct record *r,
		       struct wire_text data)
{
	struct wire_event m = {0};

	WIRE_SET_STR(&m, event, proplet_id, a->config->proplet_id);
	WIRE_SET(&m, event, kind, ((struct wire_text){(const char *)(r + 1), r->name_bytes}));
	WIRE_SET_STR(&m, event, task_id, t->id);
	WIRE_SET(&m, event, text, data);
	return agent_publish(a, WIRE_TOPIC_EVENT, &m, NONE);
}

static bool send_app(struct agent *a, const struct task *t, const struct record *r,
		     struct wire_text data)
{
	char topic[4 + 2 * (WIRE_ID + 1) + NAME_BYTES_MAX + 1];

	fmt_str(topic, sizeof(topic), "app/%s/%s/%.*s", a->config->proplet_id, t->id,
		(int)r->name_bytes, (const char *)(r + 1));
	return agent_publish_raw(a, topic, data.at, data.bytes);
}

static bool send(struct agent *a, const struct record *r)
{
	const struct task *t = &a->tasks[r->slot];
	struct wire_text data = {(const char *)(r + 1) + r->name_bytes, r->data_bytes};

	switch (r->kind) {
	case OUTBOX_OUTPUT:
		return send_output(a, t, r, data);
	case OUTBOX_LOG:
		return send_log(a, t, r, data);
	case OUTBOX_EVENT:
		return send_event(a, t, r, data);
	default:
		return send_app(a, t, r, data);
	}
}

void agent_outbox_emit(struct agent *a)
{
	bool sent = false;

	while (a->outbox.used > 0) {
		struct record *r = oldest(a);

		if (!is_filler(r) && !send(a, r)) {
			break;
		}
		pop(a);
		sent = true;
	}
	for (uint32_t i = 0; sent && i < a->limits.tasks_max; i++) {
		a->again = a->again || a->tasks[i].blocked;
	}
}

void agent_outbox_disown(struct agent *a, uint16_t slot)
{
	struct outbox *o = &a->outbox;
	uint32_t at = o->head;

	for (uint32_t left = o->used; left > 0;) {
		struct record *r = (struct record *)(o->ring + at);

		if (!is_filler(r) && r->slot == slot) {
			r->slot = NONE;
		}
		left -= r->bytes;
		at = at + r->bytes == o->bytes ? 0 : at + r->bytes;
	}
	a->tasks[slot].outbox_count = 0;
}
