/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modules that are not here: from the port's store, or from the registry in chunks.
 *
 * Rules: 1. Chunks are taken in order; what overlaps is skipped, what leaves a gap is asked for
 *           again. So lost, repeated and disordered messages only cost time.
 *        2. A module that goes to the store is loaded from there when the store has checked it;
 *           otherwise its bytes go to the loader as they come.
 *        3. Our manager is asked for pieces that fit the receive buffer; a proxy of Propeller's
 *           reads the name alone and sends everything.
 */
#include "agent/state.h"
#include "base/fmt.h"

enum {
	REQUEST_CHUNKS = 8,   /* asked for at once */
	CHUNK_OVERHEAD = 420, /* of a chunk message beside its data */
	CHUNK_BYTES_MAX = 128 * 1024,
	RETRY_MS_MIN = 2000,
	RETRY_MS_MAX = 30000,
	IMAGE_MS_MAX = 60000, /* without progress */
	DIGEST_MS_MAX = 300000,
};

static uint32_t chunk_bytes(const struct agent *a)
{
	uint32_t rx = a->limits.rx_buffer_bytes;
	uint32_t room = rx > CHUNK_OVERHEAD + 128 ? rx - CHUNK_OVERHEAD : 128;

	return BASE_MIN(room / 4 * 3, (uint32_t)CHUNK_BYTES_MAX);
}

static void fail(struct agent *a, struct module *m, const char *why)
{
	bool used = m->refs > 0;

	agent_act_log(a, AGENT_LOG_WARN, "module %.20s: %s", m->arrival->name, why);
	agent_module_failed(a, m, why);
	if (!used) {
		agent_module_drop(a, m);
	}
}

static void progress(struct agent *a, struct module *m)
{
	m->arrival->since_ms = a->now_ms;
	m->arrival->tries = 0;
	m->arrival->retry_ms = a->now_ms + RETRY_MS_MIN;
}

/* ---- complete */

static void loaded(struct agent *a, struct module *m)
{
	char diag[112] = "";

	if (agent_module_end(a, m, diag, sizeof(diag))) {
		agent_module_ready(a, m);
	} else {
		fail(a, m, diag);
	}
}

/* All bytes have come. */
static void complete(struct agent *a, struct module *m)
{
	if (m->in_store) {
		m->state = MODULE_SAVING;
		m->size = m->arrival->got;
		m->act_due = true;
		return;
	}
	loaded(a, m);
}

/* ---- chunks */

static struct module *awaited(struct agent *a, struct wire_text name)
{
	for (uint32_t i = 0; i < a->limits.modules_max; i++) {
		struct module *m = &a->modules[i];

		if (m->state == MODULE_ARRIVING && m->arrival->name[0] != 0 &&
		    wire_text_is(name, m->arrival->name)) {
			return m;
		}
	}
	return NULL;
}

/* Where the chunk begins in its module; false when it is none that can be taken now. */
static bool chunk_place(const struct module *m, const struct wire_chunk *c, uint32_t *at)
{
	const struct arrival *v = m->arrival;

	if (WIRE_HAS(c, chunk, offset)) {
		*at = (uint32_t)c->offset;
	} else if (c->chunk_idx == v->next_chunk) {
		*at = v->chunk_from;
	} else {
		return false;
	}
	return *at <= v->got;
}

/* The module's size, or what it may be at most, from this chunk of it; 0: unknown. */
static uint32_t size_guess(const struct agent *a, const struct module *m)
{
	const struct wire_chunk *c = &a->inbox.m.chunk;
	uint64_t guess = (uint64_t)(a->inbox.total_bytes / 4 * 3) * (uint64_t)c->total_chunks;

	if (m->size != 0) {
		return m->size;
	}
	return (uint32_t)BASE_MIN(guess, (uint64_t)a->limits.module_bytes_max);
}

/* The first data of a chunk message: finds its module. */
static bool chunk_begin(struct agent *a)
{
	struct inbox *in = &a->inbox;
	const struct wire_chunk *c = &in->m.chunk;
	struct module *m = WIRE_HAS(c, chunk, app_name) ? awaited(a, c->app_name) : NULL;
	char diag[112];

	if (m == NULL || !chunk_place(m, c, &in->chunk_at)) {
		return false;
	}
	if (WIRE_HAS(c, chunk, size) && m->size == 0) {
		m->size = (uint32_t)c->size;
	}
	if (!m->in_store && m->loader == NULL && m->code == NULL &&
	    !agent_module_begin_load(a, m, size_guess(a, m), diag, sizeof(diag))) {
		fail(a, m, diag);
		return false;
	}
	in->module = agent_module_idx(a, m);
	return true;
}

static bool store_write(struct agent *a, struct module *m, const void *data, uint32_t bytes)
{
	struct agent_action *action = agent_act(a, AGENT_ACTION_STORE_WRITE);

	CHECK(action != NULL, false);
	action->store.module = agent_module_idx(a, m);
	action->store.digest = m->digest;
	action->store.offset = m->arrival->got;
	action->store.size = bytes;
	action->store.data = data;
	m->arrival->got += bytes;
	return true;
}

static void take(struct agent *a, struct module *m, const uint8_t *data, uint32_t bytes)
{
	struct inbox *in = &a->inbox;
	char diag[112];

	if (m->in_store) {
		if (m->arrival->got + bytes > a->limits.module_bytes_max) {
			fail(a, m, "the module is longer than this worker takes");
			in->skip = true;
		} else if (!store_write(a, m, data, bytes)) {
			in->skip = true; /* it is asked for again */
		}
	} else if (!agent_module_feed(a, m, data, bytes, diag, sizeof(diag))) {
		fail(a, m, diag);
		in->skip = true;
	}
}

void agent_fetch_chunk_data(struct agent *a)
{
	struct inbox *in = &a->inbox;
	uint32_t bytes = in->reader.sink_used, skip;
	struct module *m;

	if (in->module == NONE && !chunk_begin(a)) {
		in->skip = true;
		return;
	}
	m = &a->modules[in->module];
	if (m->state != MODULE_ARRIVING || in->chunk_at > m->arrival->got) {
		in->skip = true; /* given up in between */
		return;
	}
	skip = BASE_MIN(m->arrival->got - in->chunk_at, bytes);
	in->chunk_at += bytes;
	if (bytes > skip) {
		take(a, m, in->reader.sink + skip, bytes - skip);
	}
}

/* The registry says that it cannot. */
static void chunk_error(struct agent *a, const struct wire_chunk *c)
{
	struct module *m = awaited(a, c->app_name);
	char why[112];

	if (m != NULL) {
		fmt_str(why, sizeof(why), "%s", c->error.bytes > 0 ? c->error.at : "not available");
		fail(a, m, why);
	}
}

static bool all_here(const struct module *m, const struct wire_chunk *c)
{
	if (WIRE_HAS(c, chunk, size) || m->size != 0) {
		return m->arrival->got >= (m->size != 0 ? m->size : (uint32_t)c->size);
	}
	return c->total_chunks != 0 && m->arrival->next_chunk >= (uint32_t)c->total_chunks;
}

void agent_fetch_chunk_end(struct agent *a, bool whole)
{
	struct inbox *in = &a->inbox;
	const struct wire_chunk *c = &in->m.chunk;
	struct module *m;

	if (whole && WIRE_HAS(c, chunk, error) && c->error.bytes > 0) {
		chunk_error(a, c);
		return;
	}
	if (in->module == NONE || !whole || a->modules[in->module].state != MODULE_ARRIVING) {
		in->module = NONE;
		return;
	}
	m = &a->modules[in->module];
	in->module = NONE;
	if (!WIRE_HAS(c, chunk, offset)) {
		m->arrival->next_chunk++;
		m->arrival->chunk_from = m->arrival->got;
	}
	progress(a, m);
	if (all_here(m, c)) {
		complete(a, m);
	} else if (m->arrival->got >= m->arrival->window_end && WIRE_HAS(c, chunk, offset)) {
		m->request_due = true;
	}
}

/* ---- the store's answers */

static void mapped_loaded(struct agent *a, struct module *m)
{
	pool_free(&a->pool, m->arrival);
	m->arrival = NULL;
	m->state = MODULE_LOADED;
	m->used_ms = a->now_ms;
	agent_module_ready(a, m);
}

static void store_complete(struct agent *a, struct module *m, const struct agent_event *e)
{
	struct rotor_diag diag = {.text = ""};
	char why[112];
	size_t used = 0;

	m->opened = true;
	m->begun = false;
	m->size = e->store.bytes;
	if (m->image && e->store.mapped != NULL) {
		if (!agent_image_load(a, m, e->store.mapped, m->size, why, sizeof(why))) {
			fail(a, m, why);
			return;
		}
		mapped_loaded(a, m);
		return;
	}
	if (e->store.mapped == NULL) {
		if (!agent_module_begin_load(a, m, m->size, why, sizeof(why))) {
			fail(a, m, why);
			return;
		}
		m->arrival->got = 0;
		sha256_init(&m->arrival->sum);
		m->state = MODULE_READING;
		m->act_due = true;
		return;
	}
	agent_make_room(a, (size_t)m->size * 5 + 24 * 1024);
	m->block = pool_alloc(&a->pool, BASE_MIN((size_t)m->size * 5 + 24 * 1024,
						 (size_t)pool_largest(&a->pool)));
	if (m->block == NULL) {
		fail(a, m, "no room: nothing is free to load a module into");
		return;
	}
	if (a->engine->load_mapped(m->block, pool_block_bytes(&a->pool, m->block), e->store.mapped,
				   m->size, &m->module, &used, &diag) != ROTOR_OK) {
		agent_module_diag(a, m, &diag, why, sizeof(why));
		fail(a, m, why);
		return;
	}
	pool_shrink(&a->pool, m->block, used);
	mapped_loaded(a, m);
}

static void store_partial(struct agent *a, struct module *m, uint32_t offset)
{
	if (m->state == MODULE_OPENING) {
		m->state = MODULE_BEGINNING;
		m->act_due = true;
		return;
	}
	if (m->state == MODULE_BEGINNING) {
		m->state = MODULE_ARRIVING;
		m->begun = true;
		m->request_due = true;
		m->arrival->got = m->arrival->window_end = offset;
		progress(a, m);
		if (m->size != 0 && offset >= m->size) {
			complete(a, m);
		}
	}
}

static void store_failed(struct agent *a, struct module *m, const char *text)
{
	char why[112];

	/* When all bytes are there it is they that are wrong, not the store. */
	fmt_str(why, sizeof(why), "%s: %s",
		m->state == MODULE_SAVING ? "it could not be stored" : AGENT_STORE_TROUBLE,
		text != NULL ? text : "failed");
	if (m->state != MODULE_LOADED) {
		fail(a, m, why);
	}
}

/* Answers about an inline module that is stored besides: it runs from RAM. */
static void side_answer(struct agent *a, struct module *m, const struct agent_event *e)
{
	if (e->store.state == AGENT_STORE_COMPLETE) {
		m->opened = true; /* kept open, so that it is not evicted while we may need it */
		m->begun = false;
	} else if (e->store.state == AGENT_STORE_FAILED) {
		m->side_store = false;
		agent_act_log(a, AGENT_LOG_WARN, "a module could not be stored: %s",
			      e->store.text != NULL ? e->store.text : "failed");
	}
}

/* Inline modules have no name. A store that is full may say so for each piece of one. */
static bool is_inline(const struct module *m)
{
	return m->state == MODULE_ARRIVING && m->arrival->name[0] == 0;
}

static void store_event(struct agent *a, struct module *m, const struct agent_event *e)
{
	if (m->state == MODULE_LOADED || is_inline(m)) {
		side_answer(a, m, e);
		return;
	}
	switch (e->store.state) {
	case AGENT_STORE_ABSENT:
		store_partial(a, m, 0);
		break;
	case AGENT_STORE_PARTIAL:
		store_partial(a, m, e->store.offset);
		break;
	case AGENT_STORE_COMPLETE:
		store_complete(a, m, e);
		break;
	case AGENT_STORE_FAILED:
		store_failed(a, m, e->store.text);
		break;
	}
}

static void data_event(struct agent *a, struct module *m, const struct agent_event *e)
{
	char diag[112];

	if (m->state != MODULE_READING || e->store.offset != m->arrival->got) {
		return;
	}
	if (e->store.bytes == 0) {
		fail(a, m, AGENT_STORE_TROUBLE " ended early");
		return;
	}
	if (!agent_module_feed(a, m, e->store.piece, e->store.bytes, diag, sizeof(diag))) {
		fail(a, m, diag);
		return;
	}
	if (m->arrival->got >= m->size) {
		loaded(a, m);
	} else {
		m->act_due = true;
	}
}

/* A slot that is done with is free when no answer can come for it any more. */
static void close_slot(struct module *m)
{
	if (m->state == MODULE_CLOSING && !m->act_due && m->answers == 0) {
		memset(m, 0, sizeof(*m));
	}
}

void agent_fetch_event(struct agent *a, const struct agent_event *e)
{
	struct module *m;

	if (e->store.module >= a->limits.modules_max) {
		return;
	}
	m = &a->modules[e->store.module];
	m->answers -= m->answers > 0; /* a WRITE that failed answers unasked */
	if (m->state == MODULE_FREE || m->state == MODULE_CLOSING) {
		close_slot(m); /* given up before the answer came */
		return;
	}
	if (e->kind == AGENT_EVENT_STORE_DATA) {
		data_event(a, m, e);
	} else {
		store_event(a, m, e);
	}
}

/* ---- time */

void agent_fetch_tick(struct agent *a)
{
	for (uint32_t i = 0; i < a->limits.modules_max; i++) {
		struct module *m = &a->modules[i];
		uint64_t most = m->has_digest ? DIGEST_MS_MAX : IMAGE_MS_MAX;

		if (m->state != MODULE_ARRIVING || m->arrival->name[0] == 0) {
			continue;
		}
		if (a->now_ms - m->arrival->since_ms >= most && agent_online(a)) {
			fail(a, m, "the registry does not answer");
			continue;
		}
		if (a->now_ms >= m->arrival->retry_ms) {
			m->request_due = true;
		}
		agent_wake_at(a, BASE_MAX(m->arrival->retry_ms, a->now_ms + 1));
	}
}

static bool request(struct agent *a, struct module *m)
{
	struct wire_request r = {0};
	uint32_t bytes = chunk_bytes(a);

	WIRE_SET_STR(&r, request, app_name, m->arrival->name);
	WIRE_SET_STR(&r, request, proplet_id, a->config->proplet_id);
	WIRE_SET(&r, request, offset, m->arrival->got);
	WIRE_SET(&r, request, chunk_bytes, bytes);
	WIRE_SET(&r, request, chunks, REQUEST_CHUNKS);
	CHECK(agent_publish(a, WIRE_TOPIC_REQUEST, &r, NONE), false);
	m->arrival->window_end = m->arrival->got + bytes * REQUEST_CHUNKS;
	return true;
}

/* ---- actions */

static const enum agent_action_kind state_actions[] = {
	[MODULE_OPENING] = AGENT_ACTION_STORE_OPEN,  [MODULE_BEGINNING] = AGENT_ACTION_STORE_BEGIN,
	[MODULE_SAVING] = AGENT_ACTION_STORE_COMMIT, [MODULE_READING] = AGENT_ACTION_STORE_READ,
	[MODULE_CLOSING] = AGENT_ACTION_STORE_CLOSE,
};

static void say(struct agent *a, struct module *m)
{
	bool drop = m->state == MODULE_CLOSING && !m->opened;
	struct agent_action *action =
		agent_act(a, drop ? AGENT_ACTION_STORE_DROP : state_actions[m->state]);
	uint8_t *digest = (uint8_t *)agent_text_room(a, AGENT_DIGEST_BYTES);

	if (action == NULL || digest == NULL) {
		a->out->count -= action != NULL;
		return;
	}
	memcpy(digest, m->digest, AGENT_DIGEST_BYTES);
	action->store.module = agent_module_idx(a, m);
	action->store.digest = digest;
	action->store.size = m->size;
	action->store.keep = m->has_digest;
	action->store.executable = m->image;
	if (m->state == MODULE_READING) {
		action->store.offset = m->arrival->got;
		action->store.size =
			BASE_MIN(m->size - m->arrival->got, (uint32_t)AGENT_PIECE_BYTES_MAX);
	}
	m->act_due = false;
	m->answers += m->state != MODULE_CLOSING;
	close_slot(m);
}

void agent_fetch_close(struct agent *a, struct module *m)
{
	if (m->state == MODULE_CLOSING && m->act_due) {
		say(a, m);
	}
}

void agent_fetch_emit(struct agent *a)
{
	for (uint32_t i = 0; i < a->limits.modules_max; i++) {
		struct module *m = &a->modules[i];

		if (m->act_due) {
			say(a, m);
		}
		if (m->state == MODULE_ARRIVING && m->request_due && agent_online(a) &&
		    request(a, m)) {
			uint64_t pause = (uint64_t)RETRY_MS_MIN << BASE_MIN(m->arrival->tries, 4u);

			m->arrival->tries++;
			m->request_due = false;
			m->arrival->retry_ms =
				a->now_ms +
				agent_jittered(a, BASE_MIN(pause, (uint64_t)RETRY_MS_MAX));
			agent_wake_at(a, m->arrival->retry_ms);
		}
	}
}
