/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Placement: filter, then score.
 *
 * In:    what a task needs, what the nodes have.
 * Out:   a verdict with numbers for each node; the best node.
 * Rules: 1. A node that fails a filter is never chosen, whatever its score.
 *        2. The same input gives the same choice.
 * Bounds: one pass over the nodes, no memory.
 */
#include "manager/core/placement.h"

#define SCORE_CACHED  300 /* the module is in the node's store: no transfer */
#define SCORE_SUSPECT 2000
#define SCORE_IDLE    100 /* per task that runs there already, less */

uint64_t placement_hash(const char *kind, const char *text)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *kind != '\0'; kind++) {
		h = (h ^ (uint8_t)*kind) * 0x100000001b3u;
	}
	h = (h ^ ':') * 0x100000001b3u;
	for (; *text != '\0'; text++) {
		h = (h ^ (uint8_t)*text) * 0x100000001b3u;
	}
	return h != 0 ? h : 1;
}

static uint64_t bloom(uint64_t word)
{
	return 1ull << (word >> 58);
}

bool placement_node_add(struct placement_node *n, uint64_t word)
{
	if (n->words_count == PLACEMENT_WORDS_MAX) {
		return false;
	}
	n->words[n->words_count++] = word;
	n->words_bloom |= bloom(word);
	return true;
}

bool placement_need_add(struct placement_need *n, uint64_t word)
{
	if (n->requires_count == PLACEMENT_REQUIRES_MAX) {
		return false;
	}
	n->requires[n->requires_count++] = word;
	n->requires_bloom |= bloom(word);
	return true;
}

static bool is_cached(const struct placement_node *n, uint64_t module_hash)
{
	for (int i = 0; i < PLACEMENT_CACHED_MAX; i++) {
		if (n->cached[i] == module_hash && module_hash != 0) {
			return true;
		}
	}
	return false;
}

void placement_node_cache(struct placement_node *n, uint64_t module_hash)
{
	if (module_hash != 0 && !is_cached(n, module_hash)) {
		n->cached[n->cached_next] = module_hash;
		n->cached_next = (uint8_t)((n->cached_next + 1) % PLACEMENT_CACHED_MAX);
	}
}

static bool has_word(const struct placement_node *n, uint64_t word)
{
	for (int i = 0; i < n->words_count; i++) {
		if (n->words[i] == word) {
			return true;
		}
	}
	return false;
}

/* The first requirement that the node lacks; requires_count when it has all. */
static uint32_t lacking(const struct placement_need *need, const struct placement_node *n)
{
	uint32_t i = 0;

	while (i < need->requires_count && has_word(n, need->requires[i])) {
		i++;
	}
	return i;
}

static bool is_avoided(const struct placement_need *need, uint32_t node_idx)
{
	for (int i = 0; i < PLACEMENT_AVOID_MAX; i++) {
		if (need->avoid[i] == node_idx) {
			return true;
		}
	}
	return false;
}

/* What the task asks of a node as such, whatever the node does at the moment. */
static enum placement_verdict judge_kind(const struct placement_need *need,
					 const struct placement_node *n, struct placement_reason *r)
{
	if ((need->requires_bloom & ~n->words_bloom) != 0 || need->requires_count != 0) {
		r->requirement_idx = lacking(need, n);
		if (r->requirement_idx < need->requires_count) {
			return PLACEMENT_REQUIREMENT;
		}
	}
	if (need->mains && !n->mains) {
		return PLACEMENT_POWER;
	}
	if (n->pool_bytes != 0 && need->memory_bytes > n->pool_bytes) {
		r->need = need->memory_bytes;
		r->have = n->pool_bytes;
		return PLACEMENT_POOL;
	}
	if (n->flash_bytes != 0 && need->flash_bytes > n->flash_bytes) {
		r->need = need->flash_bytes;
		r->have = n->flash_bytes;
		return PLACEMENT_FLASH;
	}
	return PLACEMENT_FITS;
}

/* What the task asks of the node's state at the moment. */
static enum placement_verdict judge_now(const struct placement_need *need,
					const struct placement_node *n, struct placement_reason *r)
{
	if (n->battery_percent != 255 && n->battery_percent < need->battery_percent_min &&
	    !n->mains) {
		r->need = need->battery_percent_min;
		r->have = n->battery_percent;
		return PLACEMENT_BATTERY;
	}
	if (need->priority < n->reserved) {
		r->need = n->reserved;
		r->have = need->priority;
		return PLACEMENT_RESERVED;
	}
	if (n->tasks_max != 0 && n->running >= n->tasks_max) {
		r->need = (uint32_t)n->running + 1;
		r->have = n->tasks_max;
		return PLACEMENT_SLOTS;
	}
	if (n->pool_bytes != 0 && need->memory_bytes > n->free_bytes) {
		r->need = need->memory_bytes;
		r->have = n->free_bytes;
		return PLACEMENT_MEMORY;
	}
	return PLACEMENT_FITS;
}

static int32_t score(const struct placement_need *need, const struct placement_node *n)
{
	int32_t s = 0;

	s -= SCORE_IDLE * n->running / (n->tasks_max != 0 ? 1 + n->tasks_max / 16 : 1);
	s -= 2 * n->load_percent;
	if (n->pool_bytes != 0) {
		uint32_t left = n->free_bytes - BASE_MIN(need->memory_bytes, n->free_bytes);

		s += (int32_t)((uint64_t)left * 100 / n->pool_bytes);
	}
	if (!n->mains && n->battery_percent != 255) {
		s -= 100 - n->battery_percent;
	}
	s += is_cached(n, need->module_hash) ? SCORE_CACHED : 0;
	s -= n->suspect ? SCORE_SUSPECT : 0;
	return s;
}

void placement_judge(const struct placement_need *need, const struct placement_node *n,
		     uint32_t node_idx, struct placement_reason *out)
{
	*out = (struct placement_reason){0};
	if (need->pin_hash != 0 && need->pin_hash != n->id_hash) {
		out->verdict = PLACEMENT_PINNED;
	} else if (!n->alive) {
		out->verdict = PLACEMENT_DEAD;
	} else if (n->draining) {
		out->verdict = PLACEMENT_DRAINING;
	} else if (is_avoided(need, node_idx)) {
		out->verdict = PLACEMENT_REFUSED;
	} else {
		out->verdict = judge_kind(need, n, out);
		if (out->verdict == PLACEMENT_FITS) {
			out->verdict = judge_now(need, n, out);
		}
		if (out->verdict == PLACEMENT_FITS) {
			out->score = score(need, n);
		}
	}
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 31)) * 0x9E3779B97F4A7C15u;
	return x ^ (x >> 29);
}

void placement_choose(const struct placement_need *need, const struct placement_node *nodes,
		      size_t stride, uint32_t count, uint64_t salt, struct placement_choice *out)
{
	uint64_t best_mix = 0;

	*out = (struct placement_choice){.node = PLACEMENT_NONE};
	for (uint32_t i = 0; i < count; i++) {
		const struct placement_node *n = (const void *)((const char *)nodes + i * stride);
		struct placement_reason r;
		uint64_t m;

		if (!n->used) {
			continue;
		}
		placement_judge(need, n, i, &r);
		out->counts[r.verdict]++;
		if (r.verdict != PLACEMENT_FITS) {
			continue;
		}
		m = mix(salt + i);
		if (out->node == PLACEMENT_NONE || r.score > out->best.score ||
		    (r.score == out->best.score && m < best_mix)) {
			out->node = i;
			out->best = r;
			best_mix = m;
		}
	}
}

static const struct {
	char word[16];
	char text[56];
	bool transient;
} verdicts[] = {
#define X(name, word, transient, text) {word, text, transient},
	PLACEMENT_VERDICT_LIST(X)
#undef X
};

const char *placement_verdict_word(enum placement_verdict v)
{
	return verdicts[v].word;
}

const char *placement_verdict_text(enum placement_verdict v)
{
	return verdicts[v].text;
}

bool placement_verdict_transient(enum placement_verdict v)
{
	return verdicts[v].transient;
}
