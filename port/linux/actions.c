/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent wants done. See worker.h. */
#include "port/linux/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the connection ---------------------------------------------------------------------------*/

static void act_connect(struct worker *w, const struct agent_action *a)
{
	w->linked = true;
	mqtt_connect(w->mqtt, a->connect.will_topic, a->connect.will_payload);
}

static void act_disconnect(struct worker *w, const struct agent_action *a)
{
	w->leaving = w->leaving || a->disconnect.last;
	if (w->linked) {
		mqtt_disconnect(w->mqtt);
	} else if (w->leaving) {
		w->done = true;
	}
}

static void act_publish(struct worker *w, const struct agent_action *a)
{
	int mid = mqtt_publish(w->mqtt, a->publish.topic, a->publish.payload,
			       a->publish.payload_bytes, a->publish.qos);
	struct agent_event e = {.kind = AGENT_EVENT_PUBLISHED, .published.ref = a->publish.ref};

	if (log_wants(LOG_DEBUG)) {
		LOG_D("publish", "topic=%s bytes=%u payload=%.600s", a->publish.topic,
		      a->publish.payload_bytes, a->publish.payload);
	}
	if (a->publish.ref == 0) {
		return;
	}
	if (mid < 0) {
		worker_answer(w, &e, NULL);
	} else {
		w->ref_of_mid[mid & 0xffff] = a->publish.ref;
	}
}

/* ---- the store --------------------------------------------------------------------------------*/

static void answer_store(struct worker *w, uint16_t module, const struct store_answer *a)
{
	static const enum agent_store_state states[] = {
		[STORE_ABSENT] = AGENT_STORE_ABSENT,
		[STORE_PARTIAL] = AGENT_STORE_PARTIAL,
		[STORE_COMPLETE] = AGENT_STORE_COMPLETE,
		[STORE_FAILED] = AGENT_STORE_FAILED,
	};
	struct agent_event e = {.kind = AGENT_EVENT_STORE};
	char *text = a->state == STORE_FAILED ? strdup(a->text) : NULL;

	e.store.module = module;
	e.store.state = states[a->state];
	e.store.offset = a->offset;
	e.store.bytes = a->bytes;
	e.store.mapped = a->mapped;
	e.store.text = text;
	if (text) {
		LOG_W("module store", "error=\"%s\"", text);
	}
	worker_answer(w, &e, text);
}

static void act_store_read(struct worker *w, const struct agent_action *a)
{
	const struct store_entry *entry = &w->store.entries[a->store.module];
	struct agent_event e = {.kind = AGENT_EVENT_STORE_DATA};
	uint32_t left = entry->mapped && a->store.offset < entry->bytes
				? entry->bytes - a->store.offset
				: 0;
	uint32_t bytes = BASE_MIN(BASE_MIN(a->store.size, left), AGENT_PIECE_BYTES_MAX);

	e.store.module = a->store.module;
	e.store.offset = a->store.offset;
	e.store.bytes = bytes;
	e.store.piece = (const char *)entry->mapped + a->store.offset;
	if (bytes == 0) {
		e.kind = AGENT_EVENT_STORE;
		e.store.state = AGENT_STORE_FAILED;
		e.store.text = "read beyond the module's end";
	}
	worker_answer(w, &e, NULL);
}

static void act_store(struct worker *w, const struct agent_action *a)
{
	struct store_answer answer;
	bool tell = true;

	switch (a->kind) {
	case AGENT_ACTION_STORE_OPEN:
		store_open(&w->store, a->store.module, a->store.digest, &answer);
		break;
	case AGENT_ACTION_STORE_BEGIN:
		store_begin(&w->store, a->store.module, a->store.digest, a->store.size, &answer);
		break;
	case AGENT_ACTION_STORE_WRITE:
		tell = !store_write(&w->store, a->store.module, a->store.offset, a->store.data,
				    a->store.size, &answer);
		break;
	case AGENT_ACTION_STORE_COMMIT:
		store_commit(&w->store, a->store.module, a->store.digest, a->store.size, &answer);
		break;
	case AGENT_ACTION_STORE_DROP:
		store_drop(&w->store, a->store.module, a->store.keep);
		tell = false;
		break;
	default:
		store_close(&w->store, a->store.module);
		tell = false;
	}
	if (a->store.executable && tell && answer.state == STORE_COMPLETE) {
		(void)store_make_executable(&w->store, a->store.module, &answer);
	}
	if (tell) {
		answer_store(w, a->store.module, &answer);
	}
}

/* ---- the journal ------------------------------------------------------------------------------*/

static void act_journal(struct worker *w, const struct agent_action *a)
{
	int err = a->kind == AGENT_ACTION_JOURNAL_PUT
			  ? journal_put(&w->journal, a->journal.key, a->journal.record,
					a->journal.bytes)
			  : journal_delete(&w->journal, a->journal.key);

	if (err) {
		LOG_E("journal: a record is not kept", "key=%u error=\"%s\"", a->journal.key,
		      strerror(err));
	}
}

static void sync_journal(struct worker *w)
{
	int err = w->agent_config.journal ? journal_sync(&w->journal) : 0;

	if (err) {
		LOG_E("journal: not durable", "error=\"%s\"", strerror(err));
	}
}

/* ---- the rest ---------------------------------------------------------------------------------*/

static void act_host_call(struct worker *w, const struct agent_action *a)
{
	struct agent_event e = {.kind = AGENT_EVENT_HOST_DONE};
	struct caps_answer answer;

	caps_call(&w->caps, a, &answer);
	e.host.slot = a->host.slot;
	e.host.status = answer.status;
	e.host.value = answer.value;
	e.host.data = answer.data;
	e.host.data_bytes = answer.data_bytes;
	worker_answer(w, &e, answer.data);
}

static void act_log(const struct agent_action *a)
{
	static const enum log_level levels[] = {
		[AGENT_LOG_ERROR] = LOG_ERROR,
		[AGENT_LOG_WARN] = LOG_WARN,
		[AGENT_LOG_INFO] = LOG_INFO,
		[AGENT_LOG_DEBUG] = LOG_DEBUG,
	};
	char text[1024]; /* the length of a line; its quotes must not end msg="..." */

	snprintf(text, sizeof(text), "%s", a->log.text);
	for (char *p = text; *p; p++) {
		*p = *p == '"' ? '\'' : *p;
	}
	log_line(levels[a->log.level], text, "%s", "");
}

static void act(struct worker *w, const struct agent_action *a)
{
	switch (a->kind) {
	case AGENT_ACTION_CONNECT:
		act_connect(w, a);
		break;
	case AGENT_ACTION_DISCONNECT:
		act_disconnect(w, a);
		break;
	case AGENT_ACTION_SUBSCRIBE:
		mqtt_subscribe(w->mqtt, a->subscribe.filters, a->subscribe.qos);
		break;
	case AGENT_ACTION_PUBLISH:
		act_publish(w, a);
		break;
	case AGENT_ACTION_RUN_SLICE:
		runners_run(&w->runners, &a->slice);
		break;
	case AGENT_ACTION_STORE_READ:
		act_store_read(w, a);
		break;
	case AGENT_ACTION_JOURNAL_PUT:
	case AGENT_ACTION_JOURNAL_DELETE:
		act_journal(w, a);
		break;
	case AGENT_ACTION_HOST_CALL:
		act_host_call(w, a);
		break;
	case AGENT_ACTION_LOG:
		act_log(a);
		break;
	default:
		act_store(w, a);
	}
}

static bool is_journal(const struct agent_action *a)
{
	return a->kind == AGENT_ACTION_JOURNAL_PUT || a->kind == AGENT_ACTION_JOURNAL_DELETE;
}

void worker_act(struct worker *w)
{
	for (uint32_t i = 0; i < w->actions.count; i++) {
		const struct agent_action *a = &w->actions.list[i];

		/* what is sent must not be known to the world before it is known to the journal */
		if (a->kind == AGENT_ACTION_PUBLISH) {
			sync_journal(w);
		}
		act(w, a);
	}
	if (w->actions.count && is_journal(&w->actions.list[w->actions.count - 1])) {
		sync_journal(w);
	}
}
