/* SPDX-License-Identifier: Apache-2.0 */
/* Native images: when to compile, when to use. See aot.h. */
#include "manager/core/aot.h"

struct refusal {
	uint64_t node_hash;
	uint8_t digest[AOT_DIGEST_BYTES];
};

struct aot {
	struct aot_config config;
	uint32_t high, queued, compiling;
	uint64_t order;
	struct refusal refusals[AOT_REFUSALS_MAX];
	uint32_t refusals_next;
	struct aot_image images[];
};

size_t aot_mem_bytes(const struct aot_config *config)
{
	return sizeof(struct aot) + config->entries_max * sizeof(struct aot_image);
}

struct aot *aot_init(const struct aot_config *config, void *mem, size_t bytes)
{
	struct aot *a = mem;

	ASSERT(bytes >= aot_mem_bytes(config) && config->entries_max > config->queue_max);
	a->config = *config;
	return a;
}

/* ---- the table */

const struct aot_image *aot_image(const struct aot *a, uint32_t i)
{
	return i < a->high && a->images[i].used ? &a->images[i] : NULL;
}

uint32_t aot_high(const struct aot *a)
{
	return a->high;
}

uint32_t aot_find(const struct aot *a, const uint8_t *module, const char *target, bool is_signed)
{
	for (uint32_t i = 0; i < a->high; i++) {
		const struct aot_image *e = &a->images[i];

		if (e->used && e->is_signed == is_signed &&
		    memcmp(e->module, module, AOT_DIGEST_BYTES) == 0 &&
		    strcmp(e->target, target) == 0) {
			return i;
		}
	}
	return AOT_NONE;
}

uint32_t aot_find_digest(const struct aot *a, const uint8_t *digest)
{
	for (uint32_t i = 0; i < a->high; i++) {
		const struct aot_image *e = &a->images[i];

		if (e->used && e->state == AOT_STATE_READY &&
		    memcmp(e->digest, digest, AOT_DIGEST_BYTES) == 0) {
			return i;
		}
	}
	return AOT_NONE;
}

static bool is_coming(const struct aot_image *e)
{
	return e->state == AOT_STATE_QUEUED || e->state == AOT_STATE_COMPILING;
}

/* A slot for a new entry: one never used, or the least recently used. */
static uint32_t slot(struct aot *a)
{
	uint32_t best = AOT_NONE;

	if (a->high < a->config.entries_max) {
		return a->high++;
	}
	for (uint32_t i = 0; i < a->high; i++) {
		if (!is_coming(&a->images[i]) &&
		    (best == AOT_NONE || a->images[i].used_ms < a->images[best].used_ms)) {
			best = i;
		}
	}
	return best;
}

static uint32_t find_or_add(struct aot *a, const uint8_t *module, uint64_t module_hash,
			    const char *target, bool is_signed, uint64_t now_ms)
{
	uint32_t i = aot_find(a, module, target, is_signed);
	struct aot_image *e;

	if (i == AOT_NONE) {
		i = slot(a); /* there is one: the queue is shorter than the table */
		e = &a->images[i];
		*e = (struct aot_image){.module_hash = module_hash,
					.is_signed = is_signed,
					.used = true,
					.state_ms = now_ms};
		memcpy(e->module, module, AOT_DIGEST_BYTES);
		memcpy(e->target, target, BASE_MIN(strlen(target), (size_t)AOT_TARGET_BYTES - 1));
	}
	a->images[i].used_ms = now_ms;
	a->images[i].module_hash = module_hash;
	return i;
}

/* ---- moves */

static void move(struct aot *a, struct aot_image *e, enum aot_state state, uint64_t now_ms)
{
	a->queued -= e->state == AOT_STATE_QUEUED;
	a->compiling -= e->state == AOT_STATE_COMPILING;
	e->state = (uint8_t)state;
	e->state_ms = now_ms;
	a->queued += state == AOT_STATE_QUEUED;
	a->compiling += state == AOT_STATE_COMPILING;
}

static bool queue(struct aot *a, struct aot_image *e, uint64_t now_ms)
{
	if (a->queued >= a->config.queue_max) {
		return false;
	}
	move(a, e, AOT_STATE_QUEUED, now_ms);
	e->order = ++a->order;
	return true;
}

uint32_t aot_next(struct aot *a, uint64_t now_ms)
{
	uint32_t best = AOT_NONE;

	if (a->compiling != 0 || a->queued == 0) {
		return AOT_NONE;
	}
	for (uint32_t i = 0; i < a->high; i++) {
		const struct aot_image *e = &a->images[i];

		if (e->used && e->state == AOT_STATE_QUEUED &&
		    (best == AOT_NONE || e->order < a->images[best].order)) {
			best = i;
		}
	}
	move(a, &a->images[best], AOT_STATE_COMPILING, now_ms);
	return best;
}

void aot_done(struct aot *a, uint32_t image, const struct aot_image *done, const char *why,
	      uint64_t now_ms)
{
	struct aot_image *e = &a->images[image];

	ASSERT(e->used && e->state == AOT_STATE_COMPILING);
	e->compiles++;
	e->compile_ms = done->compile_ms;
	if (why != NULL) {
		size_t bytes = BASE_MIN(strlen(why), sizeof(e->why) - 1);

		memcpy(e->why, why, bytes);
		e->why[bytes] = '\0';
		move(a, e, AOT_STATE_FAILED, now_ms);
		return;
	}
	memcpy(e->digest, done->digest, AOT_DIGEST_BYTES);
	e->bytes = done->bytes;
	e->abi = done->abi;
	e->why[0] = '\0';
	move(a, e, AOT_STATE_READY, now_ms);
}

bool aot_restore(struct aot *a, const struct aot_image *image)
{
	uint32_t i = aot_find(a, image->module, image->target, image->is_signed);

	if (i == AOT_NONE && a->high == a->config.entries_max) {
		return false;
	}
	i = i == AOT_NONE ? a->high++ : i;
	a->images[i] = *image;
	a->images[i].used = true;
	a->images[i].state = AOT_STATE_READY;
	return true;
}

void aot_forget(struct aot *a, uint32_t image, uint64_t now_ms)
{
	struct aot_image *e = &a->images[image];

	if (e->state == AOT_STATE_READY) {
		move(a, e, AOT_STATE_NONE, now_ms);
	}
}

/* ---- refusals */

void aot_refused(struct aot *a, uint64_t node_hash, const uint8_t *digest)
{
	struct refusal *r = &a->refusals[a->refusals_next];

	a->refusals_next = (a->refusals_next + 1) % AOT_REFUSALS_MAX;
	r->node_hash = node_hash;
	memcpy(r->digest, digest, AOT_DIGEST_BYTES);
}

void aot_node_new(struct aot *a, uint64_t node_hash)
{
	for (uint32_t i = 0; i < AOT_REFUSALS_MAX; i++) {
		if (a->refusals[i].node_hash == node_hash) {
			a->refusals[i].node_hash = 0;
		}
	}
}

static bool was_refused(const struct aot *a, uint64_t node_hash, const uint8_t *digest)
{
	for (uint32_t i = 0; i < AOT_REFUSALS_MAX; i++) {
		if (a->refusals[i].node_hash == node_hash && node_hash != 0 &&
		    memcmp(a->refusals[i].digest, digest, AOT_DIGEST_BYTES) == 0) {
			return true;
		}
	}
	return false;
}

/* ---- decisions */

static bool pays(const struct aot *a, const struct aot_image *e)
{
	return e->starts >= a->config.starts_min || e->ran_ms >= a->config.run_ms_min;
}

static bool may_try(const struct aot *a, const struct aot_image *e, uint64_t now_ms)
{
	return e->state == AOT_STATE_NONE ||
	       (e->state == AOT_STATE_FAILED && now_ms - e->state_ms >= a->config.retry_ms);
}

/* Why no image is for this start, whatever images there are; NULL if one may be. */
static const char *out_of_question(const struct aot_ask *ask)
{
	if (ask->node == NULL) {
		return "a broadcast runs its module everywhere";
	}
	if (ask->node->target[0] == '\0') {
		return "the worker runs no native code";
	}
	if (ask->parks) {
		return "a program in native code cannot be saved, as its policy may ask for";
	}
	if (!ask->node->trusts && !ask->node->takes_unsigned) {
		return "the worker does not trust this manager's key: propctl module keys shows it";
	}
	return NULL;
}

static void use_ready(const struct aot *a, const struct aot_ask *ask, const struct aot_image *e,
		      struct aot_answer *out)
{
	if (e->abi != ask->node->abi) {
		out->why = "the worker's engine is of another version than the compiler";
	} else if (was_refused(a, ask->node_hash, e->digest)) {
		out->why = "the worker refused this image before";
	} else {
		out->choice = AOT_USE_IMAGE;
	}
}

void aot_start(struct aot *a, const struct aot_ask *ask, uint64_t now_ms, struct aot_answer *out)
{
	struct aot_image *e;

	*out = (struct aot_answer){.choice = AOT_USE_MODULE, .image = AOT_NONE};
	if (ask->mode == AOT_NEVER) {
		return;
	}
	out->why = out_of_question(ask);
	if (out->why != NULL) {
		return;
	}
	out->image = find_or_add(a, ask->module, ask->module_hash, ask->node->target,
				 ask->node->trusts, now_ms);
	e = &a->images[out->image];
	e->starts++;
	if (may_try(a, e, now_ms) && (ask->mode == AOT_ALWAYS || ask->lasts || pays(a, e))) {
		out->queued = queue(a, e, now_ms);
		out->why = out->queued ? NULL : "too many modules wait to be compiled";
	}
	if (e->state == AOT_STATE_READY) {
		use_ready(a, ask, e, out);
	} else if (is_coming(e)) {
		out->choice = ask->mode == AOT_ALWAYS ? AOT_WAIT : AOT_USE_MODULE;
	} else if (e->state == AOT_STATE_FAILED && out->why == NULL) {
		out->why = e->why;
	}
}

uint32_t aot_ran(struct aot *a, uint64_t module_hash, const struct aot_node *node, uint64_t ms,
		 uint64_t now_ms)
{
	for (uint32_t i = 0; i < a->high && module_hash != 0; i++) {
		struct aot_image *e = &a->images[i];

		if (!e->used || e->module_hash != module_hash || e->is_signed != node->trusts ||
		    strcmp(e->target, node->target) != 0) {
			continue;
		}
		e->ran_ms += ms;
		return may_try(a, e, now_ms) && pays(a, e) && queue(a, e, now_ms) ? i : AOT_NONE;
	}
	return AOT_NONE;
}

uint32_t aot_want(struct aot *a, const uint8_t *module, uint64_t module_hash, const char *target,
		  bool is_signed, uint64_t now_ms)
{
	uint32_t i = find_or_add(a, module, module_hash, target, is_signed, now_ms);
	struct aot_image *e = &a->images[i];

	if (e->state == AOT_STATE_READY || is_coming(e)) {
		return i;
	}
	return queue(a, e, now_ms) ? i : AOT_NONE;
}

const char *aot_state_word(enum aot_state state)
{
	static const char *const words[] = {
#define X(name, word) word,
		AOT_STATE_LIST(X)
#undef X
	};

	return words[state];
}

void aot_check(const struct aot *a)
{
	uint32_t queued = 0, compiling = 0;

	ASSERT(a->high <= a->config.entries_max);
	for (uint32_t i = 0; i < a->high; i++) {
		const struct aot_image *e = &a->images[i];

		ASSERT(e->used && e->state < AOT_STATE_COUNT);
		ASSERT(aot_find(a, e->module, e->target, e->is_signed) == i);
		queued += e->state == AOT_STATE_QUEUED;
		compiling += e->state == AOT_STATE_COMPILING;
	}
	ASSERT(queued == a->queued && queued <= a->config.queue_max);
	ASSERT(compiling == a->compiling && compiling <= 1);
}
