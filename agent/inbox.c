/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages as they come in, piece by piece.
 *
 * Rules: 1. A message for another worker is skipped as soon as that is known; what it brought is
 *           given back.
 *        2. Module bytes go on at once (loader or store); nothing else is kept of them.
 *        3. A broken message is logged and counted, and changes nothing.
 */
#include "agent/state.h"
#include "base/fmt.h"

enum {
	/* Decoded bytes of a piece, and the rest of the piece before. */
	SINK_BYTES = AGENT_PIECE_BYTES_MAX / 4 * 3 + 3,
};

bool agent_for_us(const struct agent *a, bool has_id, struct wire_text proplet_id, bool broadcast)
{
	return a->inbox.direct || broadcast || !has_id || proplet_id.bytes == 0 ||
	       wire_text_is(proplet_id, a->config->proplet_id);
}

/* Keys of a start that a worker has no use for. */
static uint64_t ignored(enum wire_topic topic)
{
	if (topic == WIRE_TOPIC_START || topic == WIRE_TOPIC_START_TO) {
		return WIRE_BIT(start, parent_results) | WIRE_BIT(start, cli_args) |
		       WIRE_BIT(start, hal_storage_path) | WIRE_BIT(start, kbs_resource_path) |
		       WIRE_BIT(start, mode);
	}
	return 0;
}

static void drop_inline(struct agent *a)
{
	struct inbox *in = &a->inbox;
	bool start = in->topic == WIRE_TOPIC_START || in->topic == WIRE_TOPIC_START_TO;

	if (start && in->module != NONE) {
		agent_module_drop(a, &a->modules[in->module]);
	}
	in->module = NONE;
}

static void skip(struct agent *a)
{
	drop_inline(a);
	a->inbox.skip = true;
}

void agent_inbox_abort(struct agent *a)
{
	if (a->inbox.active && !a->inbox.skip) {
		skip(a);
	}
	a->inbox.active = false;
}

static bool wanted(const struct agent *a, enum wire_topic topic, struct wire_text id)
{
	if (id.bytes != 0 && !wire_text_is(id, a->config->proplet_id)) {
		return false;
	}
	if (topic == WIRE_TOPIC_ACK_TO) {
		return true;
	}
	return !a->quitting && topic <= WIRE_TOPIC_CHUNK_TO &&
	       (topic <= WIRE_TOPIC_LEASE_TO || topic >= WIRE_TOPIC_CHUNK);
}

static void begin(struct agent *a, const struct agent_event *e)
{
	struct inbox *in = &a->inbox;
	struct wire_text id;

	agent_inbox_abort(a);
	in->topic =
		(uint8_t)wire_topic_parse(&a->place, e->message.topic, e->message.topic_bytes, &id);
	in->active = true;
	in->skip = in->topic >= WIRE_TOPIC_COUNT || !wanted(a, (enum wire_topic)in->topic, id);
	in->direct = id.bytes != 0;
	in->module = NONE;
	in->problem[0] = 0;
	in->total_bytes = e->message.total_bytes;
	a->stats.messages++;
	if (!in->skip) {
		wire_read_begin(&in->reader, wire_topic_table((enum wire_topic)in->topic), &in->m,
				a->message_arena, a->limits.message_bytes,
				ignored((enum wire_topic)in->topic));
	}
}

/* ---- the module inside a start message */

static bool start_is_not_ours(const struct agent *a)
{
	const struct wire_start *m = &a->inbox.m.start;

	return !agent_for_us(a, WIRE_HAS(m, start, proplet_id), m->proplet_id, m->broadcast);
}

static void inline_data(struct agent *a, const void *data, uint32_t bytes)
{
	struct inbox *in = &a->inbox;
	struct module *m;

	if (in->problem[0] != 0 && in->module == NONE) {
		return; /* the rest of the message still tells whose it is */
	}
	if (in->module == NONE) {
		uint32_t size = in->total_bytes / 4 * 3;

		m = agent_module_inline(a, size, in->problem, sizeof(in->problem));
		if (m == NULL) {
			return;
		}
		in->module = agent_module_idx(a, m);
	}
	m = &a->modules[in->module];
	if (!agent_module_feed(a, m, data, bytes, in->problem, sizeof(in->problem))) {
		bool no_room = agent_module_reason(in->problem) == WIRE_REASON_REFUSED;

		if (no_room) {
			agent_module_only_sum(a, m);
		} else {
			agent_module_drop(a, m);
			in->module = NONE;
		}
	}
}

static void data(struct agent *a)
{
	struct inbox *in = &a->inbox;

	if (in->topic == WIRE_TOPIC_CHUNK || in->topic == WIRE_TOPIC_CHUNK_TO) {
		agent_fetch_chunk_data(a);
	} else {
		inline_data(a, in->reader.sink, in->reader.sink_used);
	}
}

/* ---- pieces */

static void broken(struct agent *a)
{
	a->stats.messages_bad++;
	agent_act_log(a, AGENT_LOG_WARN, "message ignored: %s", a->inbox.reader.diag);
	if (a->inbox.topic == WIRE_TOPIC_CHUNK || a->inbox.topic == WIRE_TOPIC_CHUNK_TO) {
		agent_fetch_chunk_end(a, false);
	}
	/* A start of which we know whose it is gets an answer. */
	if ((a->inbox.topic == WIRE_TOPIC_START || a->inbox.topic == WIRE_TOPIC_START_TO) &&
	    WIRE_HAS(&a->inbox.m.start, start, id) &&
	    (a->inbox.direct || WIRE_HAS(&a->inbox.m.start, start, proplet_id)) &&
	    !start_is_not_ours(a)) {
		agent_report_refused(a, a->inbox.m.start.id.at, (uint64_t)a->inbox.m.start.epoch,
				     WIRE_REASON_REFUSED, a->inbox.reader.diag);
	}
	skip(a);
}

static void piece(struct agent *a, const void *at, size_t bytes)
{
	struct inbox *in = &a->inbox;
	enum wire_status status;

	do {
		char *sink = agent_text_room(a, SINK_BYTES);

		ASSERT(sink != NULL); /* a piece is decoded to at most two of these */
		in->reader.sink = (uint8_t *)sink;
		in->reader.sink_bytes = SINK_BYTES;
		status = wire_read(&in->reader, &at, &bytes);
		if (status == WIRE_DATA && !in->skip) {
			data(a);
		}
		if (status != WIRE_DATA || !a->config->store) {
			a->out->text_used -= SINK_BYTES; /* nothing of it is lent to an action */
		}
	} while (status == WIRE_DATA && !in->skip);
	if (status == WIRE_ERROR) {
		broken(a);
	} else if (in->topic <= WIRE_TOPIC_START_TO && !in->skip &&
		   (in->topic == WIRE_TOPIC_START || in->topic == WIRE_TOPIC_START_TO) &&
		   start_is_not_ours(a)) {
		skip(a);
	}
}

static void command(struct agent *a)
{
	switch (a->inbox.topic) {
	case WIRE_TOPIC_START:
	case WIRE_TOPIC_START_TO:
		agent_command_start(a);
		break;
	case WIRE_TOPIC_STOP:
	case WIRE_TOPIC_STOP_TO:
		agent_command_stop(a);
		break;
	case WIRE_TOPIC_INVOKE:
	case WIRE_TOPIC_INVOKE_TO:
		agent_command_invoke(a);
		break;
	case WIRE_TOPIC_ACK_TO:
		agent_command_ack(a);
		break;
	case WIRE_TOPIC_LEASE_TO:
		agent_command_lease(a);
		break;
	default:
		agent_fetch_chunk_end(a, true);
	}
}

void agent_inbox_event(struct agent *a, const struct agent_event *e)
{
	struct inbox *in = &a->inbox;

	if (e->message.first) {
		begin(a, e);
	}
	if (!in->active) {
		return;
	}
	if (!in->skip) {
		ASSERT(e->message.piece_bytes <= AGENT_PIECE_BYTES_MAX);
		piece(a, e->message.piece, e->message.piece_bytes);
	}
	if (e->message.last && !in->skip) {
		if (wire_read_end(&in->reader) == WIRE_DONE) {
			command(a);
		} else {
			broken(a);
		}
	}
	in->active = in->active && !e->message.last;
}
