/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/fake.h"
#include "agent/rig_test.h"
#include "base/sha256.h"

static void note(struct rig *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(struct rig *r, const char *format, ...)
{
	va_list args;

	if (r->log_bytes + 4096 > sizeof(r->log)) {
		return;
	}
	va_start(args, format);
	r->log_bytes += (uint32_t)vsnprintf(r->log + r->log_bytes, 4000, format, args);
	va_end(args);
	r->log_bytes = BASE_MIN(r->log_bytes, (uint32_t)sizeof(r->log) - 2);
	r->log[r->log_bytes++] = '\n';
	r->log[r->log_bytes] = 0;
}

struct rig *rig_new(void)
{
	struct rig *r = calloc(1, sizeof(*r));

	r->config = (struct agent_config){
		.proplet_id = "p1",
		.tenant_id = "t",
		.channel_id = "c",
		.capabilities = (1u << AGENT_CAP_COUNT) - 1,
		.seed = 1,
		.qos = 1,
	};
	r->engine = &agent_engine_fake;
	r->pool_bytes = 64 * 1024;
	r->text_bytes = 8192;
	r->limits.stack_bytes = 64;
	r->limits.slice_fuel = 100;
	r->store_mapped = true;
	return r;
}

static void later(struct rig *r, const struct agent_event *e)
{
	if (r->queue_count == BASE_COUNT(r->queue)) {
		abort();
	}
	r->queue[(r->queue_from + r->queue_count++) % BASE_COUNT(r->queue)] = *e;
}

/* ---- the store */

static struct rig_stored *find(struct rig *r, const uint8_t *digest)
{
	for (int i = 0; i < RIG_STORED_MAX; i++) {
		if (r->stored[i].used &&
		    memcmp(r->stored[i].digest, digest, AGENT_DIGEST_BYTES) == 0) {
			return &r->stored[i];
		}
	}
	return NULL;
}

static struct rig_stored *make(struct rig *r, const uint8_t *digest)
{
	for (int i = 0; i < RIG_STORED_MAX; i++) {
		if (!r->stored[i].used) {
			memset(&r->stored[i], 0, sizeof(r->stored[i]));
			r->stored[i].used = true;
			memcpy(r->stored[i].digest, digest, AGENT_DIGEST_BYTES);
			return &r->stored[i];
		}
	}
	return NULL;
}

static void store_answer(struct rig *r, uint16_t module, enum agent_store_state state,
			 struct rig_stored *s, const char *text)
{
	struct agent_event e = {.kind = AGENT_EVENT_STORE,
				.store = {.module = module, .state = state, .text = text}};

	if (s != NULL) {
		e.store.offset = e.store.bytes = s->bytes;
		e.store.mapped = state == AGENT_STORE_COMPLETE && r->store_mapped ? s->data : NULL;
	}
	later(r, &e);
}

static enum agent_store_state commit(struct rig_stored *s, const uint8_t *digest, uint32_t size)
{
	uint8_t sum[32];
	struct sha256 h;

	sha256_init(&h);
	sha256_add(&h, s->data, s->bytes);
	sha256_end(&h, sum);
	if (s->bytes != size || memcmp(sum, digest, 32) != 0) {
		s->used = false;
		return AGENT_STORE_FAILED;
	}
	memcpy(s->digest, digest, 32);
	s->complete = true;
	return AGENT_STORE_COMPLETE;
}

static void store_act(struct rig *r, const struct agent_action *a)
{
	static const uint8_t unnamed[AGENT_DIGEST_BYTES];
	uint8_t digest[AGENT_DIGEST_BYTES];
	struct rig_stored *s;
	uint16_t module = a->store.module;

	memcpy(digest, a->store.digest, sizeof(digest));
	s = find(r, digest);
	if (a->kind != AGENT_ACTION_STORE_CLOSE && a->kind != AGENT_ACTION_STORE_DROP &&
	    ++r->store_actions == r->store_fails_at) {
		note(r, "store fails");
		store_answer(r, module, AGENT_STORE_FAILED, NULL, "no room");
		return;
	}
	switch (a->kind) {
	case AGENT_ACTION_STORE_OPEN:
		store_answer(r, module,
			     s == NULL     ? AGENT_STORE_ABSENT
			     : s->complete ? AGENT_STORE_COMPLETE
					   : AGENT_STORE_PARTIAL,
			     s, NULL);
		break;
	case AGENT_ACTION_STORE_BEGIN:
		s = s != NULL ? s : make(r, digest);
		store_answer(r, module, s != NULL ? AGENT_STORE_PARTIAL : AGENT_STORE_FAILED, s,
			     "full");
		break;
	case AGENT_ACTION_STORE_WRITE:
		if (s != NULL && a->store.offset + a->store.size <= RIG_STORED_BYTES) {
			memcpy(s->data + a->store.offset, a->store.data, a->store.size);
			s->bytes = a->store.offset + a->store.size;
		} else {
			store_answer(r, module, AGENT_STORE_FAILED, NULL, "too long");
		}
		break;
	case AGENT_ACTION_STORE_COMMIT:
		if (memcmp(digest, unnamed, sizeof(digest)) == 0) {
			note(r, "commit without a digest");
		}
		s = s != NULL ? s : find(r, unnamed);
		store_answer(r, module,
			     s != NULL ? commit(s, digest, a->store.size) : AGENT_STORE_FAILED, s,
			     "another digest");
		break;
	case AGENT_ACTION_STORE_READ: {
		struct agent_event e = {.kind = AGENT_EVENT_STORE_DATA, .store.module = module};

		e.store.offset = a->store.offset;
		e.store.bytes = a->store.size;
		e.store.piece = s->data + a->store.offset;
		later(r, &e);
		break;
	}
	case AGENT_ACTION_STORE_DROP:
		if (s != NULL && !a->store.keep) {
			s->used = false;
		}
		break;
	default:
		break;
	}
}

/* ---- carrying out actions */

static void journal_act(struct rig *r, const struct agent_action *a)
{
	uint16_t key = a->journal.key;

	free(r->records[key]);
	r->records[key] = NULL;
	if (a->kind == AGENT_ACTION_JOURNAL_PUT) {
		r->records[key] = malloc(a->journal.bytes);
		memcpy(r->records[key], a->journal.record, a->journal.bytes);
		r->record_bytes[key] = a->journal.bytes;
		note(r, "journal %u %.*s", key, (int)a->journal.bytes,
		     (const char *)a->journal.record);
	} else {
		note(r, "journal %u -", key);
	}
}

static void host_act(struct rig *r, const struct agent_action *a)
{
	struct agent_event e = {.kind = AGENT_EVENT_HOST_DONE, .host.slot = a->host.slot};

	note(r, "host %d %s %s %.*s %d %d", a->host.op, a->host.scope, a->host.name,
	     (int)a->host.data_bytes, a->host.data != NULL ? (const char *)a->host.data : "",
	     (int)a->host.value[0], (int)a->host.value[1]);
	if (r->hold_hosts) {
		return;
	}
	e.host.value = a->host.op == AGENT_HOST_SENSOR ? 21500000 : 1;
	e.host.data = "stored";
	e.host.data_bytes = 6;
	later(r, &e);
}

static void slice_act(struct rig *r, const struct agent_action *a)
{
	struct agent_event e = {.kind = AGENT_EVENT_SLICE_DONE, .slice.slot = a->slice.slot};

	if (r->hold_slices) {
		r->held[r->held_count++] = a->slice;
		return;
	}
	e.slice.status = agent_slice_run(&a->slice);
	r->now_ms += r->slice_ms;
	later(r, &e);
}

static void publish_act(struct rig *r, const struct agent_action *a)
{
	struct agent_event e = {.kind = AGENT_EVENT_PUBLISHED};

	note(r, "publish %s %s", a->publish.topic + strlen("m/t/c/c/"), a->publish.payload);
	e.published.ref = a->publish.ref;
	e.published.ok = !r->publish_fails;
	if (a->publish.qos > 0 && !r->hold_acks) {
		later(r, &e);
	}
}

static void act(struct rig *r, const struct agent_action *a)
{
	switch (a->kind) {
	case AGENT_ACTION_CONNECT:
		note(r, "connect %s will %s %s", a->connect.client_id,
		     a->connect.will_topic + strlen("m/t/c/c/"), a->connect.will_payload);
		break;
	case AGENT_ACTION_DISCONNECT:
		note(r, a->disconnect.last ? "disconnect last" : "disconnect");
		r->ended = r->ended || a->disconnect.last;
		break;
	case AGENT_ACTION_SUBSCRIBE:
		for (int i = 0; a->subscribe.filters[i] != NULL; i++) {
			note(r, "subscribe %s", a->subscribe.filters[i] + strlen("m/t/c/c/"));
		}
		break;
	case AGENT_ACTION_PUBLISH:
		publish_act(r, a);
		break;
	case AGENT_ACTION_RUN_SLICE:
		slice_act(r, a);
		break;
	case AGENT_ACTION_JOURNAL_PUT:
	case AGENT_ACTION_JOURNAL_DELETE:
		journal_act(r, a);
		break;
	case AGENT_ACTION_HOST_CALL:
		host_act(r, a);
		break;
	case AGENT_ACTION_LOG:
		note(r, "log %s", a->log.text);
		break;
	default:
		note(r, "store %d offset %u size %u", (int)a->kind - AGENT_ACTION_STORE_OPEN,
		     a->store.offset, a->store.size);
		store_act(r, a);
	}
}

static void step(struct rig *r, const struct agent_event *event)
{
	struct agent_event e = *event;

	e.now_ms = r->now_ms;
	e.wall_ms = r->wall_ms;
	memset(r->actions.text, 0x55, r->text_bytes); /* what was lent is gone */
	agent_step(r->agent, &e, &r->actions);
	agent_check(r->agent);
	r->steps++;
	r->wake_ms = r->actions.wake_ms;
	for (uint32_t i = 0; i < r->actions.count; i++) {
		act(r, &r->actions.list[i]);
	}
}

/* The event, and whatever its actions are answered with. */
void rig_event(struct rig *r, const struct agent_event *event)
{
	uint32_t left = 50000;

	step(r, event);
	while (r->queue_count > 0 && left-- > 0) {
		struct agent_event e = r->queue[r->queue_from];

		r->queue_from = (r->queue_from + 1) % BASE_COUNT(r->queue);
		r->queue_count--;
		step(r, &e);
	}
}

void rig_run(struct rig *r, uint64_t ms)
{
	static const struct agent_event tick = {.kind = AGENT_EVENT_TICK};
	uint64_t until = r->now_ms + ms;
	uint32_t at_once = 0;

	rig_event(r, &tick);
	while (r->wake_ms <= until) {
		at_once = r->wake_ms <= r->now_ms ? at_once + 1 : 0;
		if (at_once > 10000) {
			note(r, "RIG: the agent does not come to rest");
			break;
		}
		r->now_ms = BASE_MAX(r->now_ms, r->wake_ms);
		rig_event(r, &tick);
	}
	r->now_ms = until;
}

void rig_boot(struct rig *r)
{
	r->mem_bytes = agent_mem_bytes(&r->limits);
	free(r->mem);
	free(r->pool);
	r->mem = malloc(r->mem_bytes);
	r->pool = malloc(r->pool_bytes);
	free(r->actions.text);
	r->actions.text = malloc(r->text_bytes);
	r->actions.text_bytes = (uint32_t)r->text_bytes;
	r->held_count = r->queue_count = 0;
	if (agent_init(&r->agent, &r->config, &r->limits, r->engine, r->mem, r->mem_bytes, r->pool,
		       r->pool_bytes) != AGENT_OK) {
		abort();
	}
	for (uint16_t i = 0; r->config.journal && i < RIG_RECORDS_MAX; i++) {
		if (r->records[i] != NULL) {
			rig_event(r, &(struct agent_event){
					     .kind = AGENT_EVENT_JOURNAL,
					     .journal = {i, r->records[i], r->record_bytes[i]}});
		}
	}
	if (r->config.journal) {
		rig_event(r, &(struct agent_event){.kind = AGENT_EVENT_JOURNAL_END});
	}
	rig_event(r, &(struct agent_event){.kind = AGENT_EVENT_TICK});
}

void rig_free(struct rig *r)
{
	for (int i = 0; i < RIG_RECORDS_MAX; i++) {
		free(r->records[i]);
	}
	free(r->mem);
	free(r->pool);
	free(r->actions.text);
	free(r);
}

void rig_online(struct rig *r)
{
	rig_event(r, &(struct agent_event){.kind = AGENT_EVENT_CONNECTED});
	rig_event(r, &(struct agent_event){.kind = AGENT_EVENT_SUBSCRIBED, .subscribed.ok = true});
}

void rig_message(struct rig *r, const char *topic, const char *payload, size_t bytes)
{
	uint32_t most = r->piece_bytes != 0 ? r->piece_bytes : AGENT_PIECE_BYTES_MAX;
	char whole[256];
	size_t at = 0;

	snprintf(whole, sizeof(whole), "m/t/c/c/%s", topic);
	do {
		uint32_t n = (uint32_t)BASE_MIN(bytes - at, (size_t)most);
		/* a copy of its own size, so that a sanitizer sees its end */
		char *piece = malloc(n + (n == 0));
		struct agent_event e = {.kind = AGENT_EVENT_MESSAGE};

		memcpy(piece, payload + at, n);
		e.message.topic = whole;
		e.message.topic_bytes = (uint32_t)strlen(whole);
		e.message.piece = piece;
		e.message.piece_bytes = n;
		e.message.total_bytes = (uint32_t)bytes;
		e.message.first = at == 0;
		e.message.last = at + n == bytes;
		rig_event(r, &e);
		free(piece);
		at += n;
	} while (at < bytes);
}

void rig_say(struct rig *r, const char *topic, const char *format, ...)
{
	static char text[1 << 17];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	rig_message(r, topic, text, strlen(text));
}

uint32_t rig_base64(char *out, const void *data, uint32_t bytes)
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = data;
	uint32_t n = 0;

	for (uint32_t i = 0; i < bytes; i += 3) {
		uint32_t b = (uint32_t)p[i] << 16 | (i + 1 < bytes ? p[i + 1] << 8 : 0) |
			     (i + 2 < bytes ? p[i + 2] : 0);

		out[n++] = digit[b >> 18];
		out[n++] = digit[b >> 12 & 63];
		out[n++] = i + 1 < bytes ? digit[b >> 6 & 63] : '=';
		out[n++] = i + 2 < bytes ? digit[b & 63] : '=';
	}
	out[n] = 0;
	return n;
}

void rig_start(struct rig *r, const char *id, const char *script, const char *extra)
{
	static char file[1 << 16];

	rig_base64(file, script, (uint32_t)strlen(script));
	rig_say(r, "control/manager/start",
		"{\"id\":\"%s\",\"name\":\"f\",%s\"file\":\"%s\",\"proplet_id\":\"p1\"}", id, extra,
		file);
}

bool rig_saw(const struct rig *r, const char *text)
{
	return strstr(r->log, text) != NULL;
}

void rig_clear(struct rig *r)
{
	r->log_bytes = 0;
	r->log[0] = 0;
}
