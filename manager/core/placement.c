/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Placement: filter, then score.
 *
 * In:    what a task needs, what the nodes have.
 * Out:   a verdict with numbers for each node; the best node.
 * Rules: 1. A node that fails a filter is never chosen, whatever its score.
 *        2. The same input gives the same choice.
 * Bounds: one pass over the nodes, which ends early when enough fit; no memory.
 */
#include "manager/core/placement.h"

#define SCORE_CACHED                                                                               \
	80 /* the module is in the node's store: no transfer, but no idle node either */
#define SCORE_SUSPECT  2000
#define SCORE_IDLE     100 /* per task that runs there already, less */
#define SCORE_ROOM_MAX 100u

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
static inline enum placement_verdict judge_kind(const struct placement_need *need,
						const struct placement_node *n,
						struct placement_reason *r)
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
static inline enum placement_verdict judge_now(const struct placement_need *need,
					       const struct placement_node *n,
					       struct placement_reason *r)
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

/* The share of the pool that stays free: at most SCORE_ROOM_MAX. */
static int32_t score_room(const struct placement_need *need, const struct placement_node *n)
{
	uint32_t left = n->free_bytes - BASE_MIN(need->memory_bytes, n->free_bytes);

	if (n->pool_bytes == 0) {
		return 0;
	}
	return (int32_t)(left <= UINT32_MAX / SCORE_ROOM_MAX
				 ? left * SCORE_ROOM_MAX / n->pool_bytes
				 : (uint64_t)left * SCORE_ROOM_MAX / n->pool_bytes);
}

/* All but score_room. */
static int32_t score_rest(const struct placement_need *need, const struct placement_node *n)
{
	int32_t s = -2 * n->load_percent;

	if (n->running != 0) {
		s -= SCORE_IDLE * n->running / (n->tasks_max != 0 ? 1 + n->tasks_max / 16 : 1);
	}
	if (!n->mains && n->battery_percent != 255) {
		s -= 100 - n->battery_percent;
	}
	s += is_cached(n, need->module_hash) ? SCORE_CACHED : 0;
	s -= n->suspect ? SCORE_SUSPECT : 0;
	return s;
}

static inline enum placement_verdict judge(const struct placement_need *need,
					   const struct placement_node *n, uint32_t node_idx,
					   struct placement_reason *r)
{
	enum placement_verdict v;

	if (need->pin_hash != 0 && need->pin_hash != n->id_hash) {
		return PLACEMENT_PINNED;
	}
	if (!n->alive) {
		return PLACEMENT_DEAD;
	}
	if (n->draining) {
		return PLACEMENT_DRAINING;
	}
	if (is_avoided(need, node_idx)) {
		return PLACEMENT_REFUSED;
	}
	v = judge_kind(need, n, r);
	return v == PLACEMENT_FITS ? judge_now(need, n, r) : v;
}

void placement_judge(const struct placement_need *need, const struct placement_node *n,
		     uint32_t node_idx, struct placement_reason *out)
{
	*out = (struct placement_reason){0};
	out->verdict = judge(need, n, node_idx, out);
	if (out->verdict == PLACEMENT_FITS) {
		out->score = score_rest(need, n) + score_room(need, n);
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
	uint32_t from = count > PLACEMENT_LOOK_MAX ? (uint32_t)(mix(salt) % count) : 0;
	uint64_t best_mix = 0;

	*out = (struct placement_choice){.node = PLACEMENT_NONE};
	for (uint32_t seen = 0; seen < count && out->counts[PLACEMENT_FITS] < PLACEMENT_LOOK_MAX;
	     seen++) {
		uint32_t i = from + seen < count ? from + seen : from + seen - count;
		const struct placement_node *n = (const void *)((const char *)nodes + i * stride);
		struct placement_reason r;
		int32_t s;
		uint64_t m;

		if (!n->used) {
			continue;
		}
		r.verdict = judge(need, n, i, &r);
		out->counts[r.verdict]++;
		if (r.verdict != PLACEMENT_FITS) {
			continue;
		}
		s = score_rest(need, n);
		if (out->node != PLACEMENT_NONE && s + (int32_t)SCORE_ROOM_MAX < out->best.score) {
			continue;
		}
		s += score_room(need, n);
		m = mix(salt + i);
		if (out->node == PLACEMENT_NONE || s > out->best.score ||
		    (s == out->best.score && m < best_mix)) {
			out->node = i;
			out->best.score = s;
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
