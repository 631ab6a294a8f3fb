/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The module table: loading as bytes arrive, sharing, giving up what nobody uses.
 *
 * Rules: 1. A module is loaded once and shared by its tasks; refs counts them.
 *        2. A loaded module without tasks stays until its room is needed.
 *        3. Bytes go to the loader in order; nothing but their digest is kept of them.
 */
#include "agent/state.h"
#include "base/fmt.h"

enum {
	/* What a loader may need for a module of some bytes: its form, names, and its own state. */
	LOAD_FACTOR = 5,
	LOAD_BYTES = 24 * 1024,
};

uint16_t agent_module_idx(const struct agent *a, const struct module *m)
{
	return (uint16_t)(m - a->modules);
}

struct module *agent_module_by_digest(struct agent *a, const uint8_t *digest)
{
	for (uint32_t i = 0; i < a->limits.modules_max; i++) {
		struct module *m = &a->modules[i];

		if (m->state != MODULE_FREE && m->state != MODULE_CLOSING && m->has_digest &&
		    memcmp(m->digest, digest, AGENT_DIGEST_BYTES) == 0) {
			return m;
		}
	}
	return NULL;
}

/* ---- giving up */

static void free_parts(struct agent *a, struct module *m)
{
	if (m->loader != NULL) {
		a->engine->load_drop(m->loader);
	}
	if (m->module != NULL) {
		a->engine->unload(m->module);
	}
	pool_free(&a->pool, m->block);
	pool_free(&a->pool, m->code);
	pool_free(&a->pool, m->arrival);
	m->loader = NULL;
	m->module = NULL;
	m->block = NULL;
	m->code = NULL;
	m->arrival = NULL;
}

void agent_module_drop(struct agent *a, struct module *m)
{
	bool close = m->opened || m->begun || m->state == MODULE_BEGINNING ||
		     m->state == MODULE_OPENING || m->state == MODULE_SAVING;

	free_parts(a, m);
	m->refs = 0;
	m->act_due = m->request_due = false;
	if (m->in_store && (close || m->answers > 0)) {
		m->state = MODULE_CLOSING;
		m->act_due = true;
	} else {
		memset(m, 0, sizeof(*m));
	}
}

void agent_module_unref(struct agent *a, uint16_t idx)
{
	struct module *m = &a->modules[idx];

	ASSERT(m->refs > 0);
	m->refs--;
	m->used_ms = a->now_ms;
	if (m->refs == 0 && m->state != MODULE_LOADED) {
		agent_module_drop(a, m);
	}
}

static struct module *least_used(struct agent *a)
{
	struct module *least = NULL;

	for (uint32_t i = 0; i < a->limits.modules_max; i++) {
		struct module *m = &a->modules[i];

		if (m->state == MODULE_LOADED && m->refs == 0 && a->inbox.module != i &&
		    (least == NULL || m->used_ms < least->used_ms)) {
			least = m;
		}
	}
	return least;
}

bool agent_make_room(struct agent *a, size_t bytes)
{
	struct module *m;

	while (pool_largest(&a->pool) < bytes) {
		m = least_used(a);
		if (m == NULL) {
			return false;
		}
		agent_module_drop(a, m);
	}
	return true;
}

struct module *agent_module_slot(struct agent *a)
{
	struct module *m;

	for (uint32_t i = 0; i < a->limits.modules_max; i++) {
		if (a->modules[i].state == MODULE_FREE) {
			return &a->modules[i];
		}
	}
	m = least_used(a);
	if (m == NULL) {
		return NULL;
	}
	agent_module_drop(a, m);
	agent_fetch_close(a, m);
	return m->state == MODULE_FREE ? m : NULL;
}

/* ---- arriving */

static struct module *begin(struct agent *a, const char *name, char *diag, size_t diag_bytes)
{
	struct module *m = agent_module_slot(a);
	size_t bytes = sizeof(struct arrival) + strlen(name) + 1;

	if (m == NULL) {
		fmt_str(diag, diag_bytes, "no room: every module slot is taken");
		return NULL;
	}
	agent_make_room(a, bytes);
	m->arrival = pool_alloc(&a->pool, bytes);
	if (m->arrival == NULL) {
		fmt_str(diag, diag_bytes,
			"no room: a module needs %u bytes to arrive, the largest free block is %u",
			(unsigned)bytes, (unsigned)pool_largest(&a->pool));
		return NULL;
	}
	memset(m->arrival, 0, sizeof(*m->arrival));
	memcpy(m->arrival->name, name, strlen(name) + 1);
	sha256_init(&m->arrival->sum);
	m->arrival->since_ms = m->arrival->retry_ms = a->now_ms;
	m->state = MODULE_ARRIVING;
	return m;
}

/*
 * Whether the start that is coming in may have to run again after a restart, so that its module is
 * kept besides. A start on a topic of our own comes from a manager with epochs, wherever in the
 * message it is; on the common topic the epoch has to precede the file.
 */
static bool may_be_leased(const struct agent *a)
{
	const struct wire_start *start = &a->inbox.m.start;

	if (a->inbox.direct) {
		return start->epoch != 0 || !WIRE_HAS(start, start, epoch);
	}
	return start->epoch != 0 && WIRE_HAS(start, start, proplet_id);
}

struct module *agent_module_inline(struct agent *a, uint32_t size, char *diag, size_t diag_bytes)
{
	struct module *m = begin(a, "", diag, diag_bytes);

	if (m == NULL) {
		return NULL;
	}
	if (!agent_module_begin_load(a, m, size, diag, diag_bytes)) {
		agent_module_only_sum(a, m); /* it may be one that is loaded already */
		return m;
	}
	if (a->config->store && a->config->journal && may_be_leased(a)) {
		struct agent_action *action = agent_act(a, AGENT_ACTION_STORE_BEGIN);

		if (action != NULL) {
			action->store.module = agent_module_idx(a, m);
			action->store.digest = m->digest; /* all 0: told at COMMIT */
			m->side_store = m->in_store = m->begun = true;
			m->answers++;
		}
	}
	return m;
}

struct module *agent_module_want(struct agent *a, const uint8_t *digest, const char *image,
				 uint32_t size, char *diag, size_t diag_bytes)
{
	char name[WIRE_DIGEST_TEXT];
	struct module *m;

	if (size > a->limits.module_bytes_max) {
		fmt_str(diag, diag_bytes, "the module has %u bytes, this worker takes at most %u",
			(unsigned)size, (unsigned)a->limits.module_bytes_max);
		return NULL;
	}
	if (digest != NULL) {
		m = agent_module_by_digest(a, digest);
		if (m != NULL) {
			m->used_ms = a->now_ms;
			return m;
		}
		wire_digest_text(digest, name);
	}
	m = begin(a, digest != NULL ? name : image, diag, diag_bytes);
	if (m == NULL) {
		return NULL;
	}
	m->size = size;
	if (digest != NULL) {
		memcpy(m->digest, digest, AGENT_DIGEST_BYTES);
		m->has_digest = true;
		m->in_store = a->config->store;
	}
	if (m->in_store) {
		m->state = MODULE_OPENING;
		m->act_due = true;
	}
	return m;
}

/* ---- loading */

bool agent_module_begin_load(struct agent *a, struct module *m, uint32_t size, char *diag,
			     size_t diag_bytes)
{
	/* Of unknown size: the largest block, but what is cached is not given up for it. */
	size_t want = size != 0 ? (size_t)size * LOAD_FACTOR + LOAD_BYTES : SIZE_MAX;
	uint32_t bytes;

	if (size > a->limits.module_bytes_max) {
		fmt_str(diag, diag_bytes,
			"the module has about %u bytes, this worker takes at most %u",
			(unsigned)size, (unsigned)a->limits.module_bytes_max);
		return false;
	}
	if (m->image) {
		return agent_image_begin(a, m, size, diag, diag_bytes);
	}
	agent_make_room(a, size != 0 ? want : LOAD_BYTES);
	bytes = (uint32_t)BASE_MIN(want, (size_t)pool_largest(&a->pool));
	m->block = pool_alloc(&a->pool, bytes);
	if (m->block == NULL ||
	    a->engine->load_begin(m->block, pool_block_bytes(&a->pool, m->block), &m->loader) !=
		    ROTOR_OK) {
		m->loader = NULL;
		fmt_str(diag, diag_bytes,
			"no room: the largest free block of %u bytes is too small to load a module",
			(unsigned)bytes);
		return false;
	}
	return true;
}

void agent_module_diag(struct agent *a, const struct module *m, const struct rotor_diag *d,
		       char *text, size_t text_bytes)
{
	if (d->code == ROTOR_ERR_MEMORY) {
		fmt_str(text, text_bytes, "no room: %s (block of %u bytes)", d->text,
			(unsigned)pool_block_bytes(&a->pool, m->block));
	} else {
		fmt_str(text, text_bytes, "%s (at byte %u)", d->text, (unsigned)d->offset);
	}
}

static bool load_failed(struct agent *a, struct module *m, char *diag, size_t diag_bytes)
{
	agent_module_diag(a, m, a->engine->load_diag(m->loader), diag, diag_bytes);
	return false;
}

static void write_side(struct agent *a, struct module *m, const void *data, uint32_t bytes)
{
	struct agent_action *action = agent_act(a, AGENT_ACTION_STORE_WRITE);

	if (action == NULL) {
		m->side_store = false; /* CLOSING drops what was begun */
		return;
	}
	action->store.module = agent_module_idx(a, m);
	action->store.digest = m->digest;
	action->store.offset = m->arrival->got;
	action->store.size = bytes;
	action->store.data = data;
}

bool agent_module_feed(struct agent *a, struct module *m, const void *data, uint32_t bytes,
		       char *diag, size_t diag_bytes)
{
	if (bytes >
	    a->limits.module_bytes_max - BASE_MIN(m->arrival->got, a->limits.module_bytes_max)) {
		fmt_str(diag, diag_bytes, "the module is longer than %u bytes",
			(unsigned)a->limits.module_bytes_max);
		return false;
	}
	if (m->code != NULL) {
		if (bytes > pool_block_bytes(&a->pool, m->code) - m->arrival->got) {
			fmt_str(diag, diag_bytes, "the image is longer than it was said to be");
			return false;
		}
		memcpy((char *)m->code + m->arrival->got, data, bytes);
	}
	sha256_add(&m->arrival->sum, data, bytes);
	if (m->side_store) {
		write_side(a, m, data, bytes);
	}
	m->arrival->got += bytes;
	if (m->loader != NULL && a->engine->load_feed(m->loader, data, bytes) != ROTOR_OK) {
		return load_failed(a, m, diag, diag_bytes);
	}
	return true;
}

void agent_module_only_sum(struct agent *a, struct module *m)
{
	if (m->loader != NULL) {
		a->engine->load_drop(m->loader);
		m->loader = NULL;
	}
	pool_free(&a->pool, m->block);
	m->block = NULL;
}

static void commit_side(struct agent *a, struct module *m, uint32_t size)
{
	struct agent_action *action = agent_act(a, AGENT_ACTION_STORE_COMMIT);

	if (action != NULL) {
		action->store.module = agent_module_idx(a, m);
		action->store.digest = m->digest;
		action->store.size = size;
		m->begun = false;
		m->answers++;
	}
	m->side_store = false;
}

bool agent_module_end(struct agent *a, struct module *m, char *diag, size_t diag_bytes)
{
	uint8_t digest[AGENT_DIGEST_BYTES];
	size_t used = 0;

	sha256_end(&m->arrival->sum, digest);
	if (m->loader == NULL && m->code == NULL) {
		memcpy(m->digest, digest, sizeof(digest));
		return false; /* diag was told when there was no room for it */
	}
	if (m->has_digest && memcmp(digest, m->digest, sizeof(digest)) != 0) {
		fmt_str(diag, diag_bytes, "its bytes have another digest than the one asked for");
		return false;
	}
	if (m->code != NULL) {
		CHECK(agent_image_load(a, m, m->code, m->arrival->got, diag, diag_bytes), false);
	} else if (a->engine->load_end(m->loader, &m->module, &used) != ROTOR_OK) {
		return load_failed(a, m, diag, diag_bytes);
	} else {
		m->loader = NULL;
		pool_shrink(&a->pool, m->block, used);
	}
	memcpy(m->digest, digest, sizeof(digest));
	m->has_digest = true;
	if (m->side_store) {
		commit_side(a, m, m->arrival->got);
	}
	m->size = m->arrival->got;
	pool_free(&a->pool, m->arrival);
	m->arrival = NULL;
	m->state = MODULE_LOADED;
	m->used_ms = a->now_ms;
	return true;
}

void agent_module_ready(struct agent *a, struct module *m)
{
	uint16_t idx = agent_module_idx(a, m);

	for (uint32_t i = 0; i < a->limits.tasks_max; i++) {
		struct task *t = &a->tasks[i];

		if (t->state == AGENT_TASK_FETCHING && t->module == idx &&
		    m->state == MODULE_LOADED) {
			agent_launch(a, t);
		}
	}
}

static bool begins_with(const char *text, const char *with)
{
	size_t bytes = strlen(with);

	return strlen(text) >= bytes && memcmp(text, with, bytes) == 0;
}

/* Want of room or a bad store is this worker's, not the module's: another worker may take the task. */
enum wire_reason agent_module_reason(const char *why)
{
	return begins_with(why, "no room") || begins_with(why, AGENT_STORE_TROUBLE)
		       ? WIRE_REASON_REFUSED
		       : WIRE_REASON_MODULE;
}

void agent_module_failed(struct agent *a, struct module *m, const char *why)
{
	uint16_t idx = agent_module_idx(a, m);

	for (uint32_t i = 0; i < a->limits.tasks_max; i++) {
		struct task *t = &a->tasks[i];

		if (t->state != AGENT_TASK_FETCHING || t->module != idx) {
			continue;
		}
		if (m->image) {
			agent_image_fall_back(a, t, why);
		} else {
			agent_task_end(a, t, agent_module_reason(why), "%s",
				       why); /* the last one drops it */
		}
	}
}

/* ---- rules */

static void check(const struct agent *a, const struct module *m)
{
	uint16_t idx = agent_module_idx(a, m);
	uint32_t refs = 0;

	for (uint32_t i = 0; i < a->limits.tasks_max; i++) {
		refs += a->tasks[i].state != AGENT_TASK_FREE && a->tasks[i].module == idx;
	}
	ASSERT(refs == m->refs);
	ASSERT((m->module != NULL) == (m->state == MODULE_LOADED));
	ASSERT((m->arrival != NULL) == (m->state != MODULE_FREE && m->state != MODULE_LOADED &&
					m->state != MODULE_CLOSING));
	ASSERT(m->loader == NULL || m->block != NULL);
	ASSERT(m->state != MODULE_FREE || (m->block == NULL && m->code == NULL));
	ASSERT(m->code == NULL || m->image);
}

void agent_module_check_all(const struct agent *a)
{
	for (uint32_t i = 0; i < a->limits.modules_max; i++) {
		check(a, &a->modules[i]);
	}
}
