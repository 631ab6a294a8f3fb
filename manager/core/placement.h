/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Placement: which node should run a task. Pure functions over what a task needs and what a node
 * has; every choice and every refusal comes with its reason.
 *
 * Words (architecture, labels, tags, capabilities, features, engine) are compared as 64-bit
 * hashes of "kind:text", so that a node takes little memory whatever its labels.
 */
#ifndef MANAGER_CORE_PLACEMENT_H
#define MANAGER_CORE_PLACEMENT_H

#include "base/base.h"
#include "manager/core/core_list.h"

#define PLACEMENT_WORDS_MAX    24   /* words of one node: labels, tags, features... */
#define PLACEMENT_REQUIRES_MAX 12   /* words one task may require */
#define PLACEMENT_CACHED_MAX   6    /* modules remembered as being in a node's store */
#define PLACEMENT_AVOID_MAX    4    /* nodes that refused a task */
#define PLACEMENT_LOOK_MAX     1000 /* nodes that fit and are compared */
#define PLACEMENT_NONE         UINT32_MAX

enum placement_verdict {
#define X(name, word, transient, text) PLACEMENT_##name,
	PLACEMENT_VERDICT_LIST(X)
#undef X
	PLACEMENT_VERDICT_COUNT
};

/* What a task needs. Zero means no demand. */
struct placement_need {
	uint64_t pin_hash; /* of the node's id; 0 when any node will do */
	uint64_t module_hash;
	uint64_t requires[PLACEMENT_REQUIRES_MAX];
	uint64_t requires_bloom;
	uint32_t memory_bytes; /* one free block */
	uint32_t flash_bytes;
	uint32_t avoid[PLACEMENT_AVOID_MAX]; /* node indexes, PLACEMENT_NONE when unused */
	uint8_t requires_count;
	uint8_t battery_percent_min;
	uint8_t priority;
	bool mains;
};

/* What a node has, as far as placement asks. What is looked at of every node comes first. */
struct placement_node {
	uint64_t id_hash;
	uint64_t words_bloom;
	uint32_t pool_bytes;  /* 0: not told */
	uint32_t free_bytes;  /* largest free block, less what was promised since; if pool_bytes */
	uint32_t flash_bytes; /* 0: not told */
	uint16_t tasks_max;   /* 0: no limit told */
	uint16_t running;     /* tasks we assigned and that have not ended */
	uint8_t words_count;
	uint8_t cached_next;
	uint8_t load_percent;
	uint8_t battery_percent; /* 255: not told */
	uint8_t reserved;        /* only this priority and higher ones are placed here */
	bool mains;
	bool alive;
	bool suspect;
	bool draining;
	bool used; /* the slot holds a node */
	uint64_t cached[PLACEMENT_CACHED_MAX];
	uint64_t words[PLACEMENT_WORDS_MAX];
};

/* One node's verdict, with the numbers behind it. */
struct placement_reason {
	enum placement_verdict verdict;
	uint32_t requirement_idx; /* of need->requires, for REQUIREMENT */
	uint32_t need;
	uint32_t have;
	int32_t score; /* higher is better, for FITS */
};

/* A choice among many: the winner, and how many nodes fell to which verdict (all, when nothing fits). */
struct placement_choice {
	uint32_t node; /* PLACEMENT_NONE when nothing fits */
	struct placement_reason best;
	uint32_t counts[PLACEMENT_VERDICT_COUNT];
};

/* The hash of a word: FNV-1a of kind, ':' and text. Never 0. */
uint64_t placement_hash(const char *kind, const char *text);

/* Adds a word; one more than fits is dropped and false returned. */
bool placement_node_add(struct placement_node *n, uint64_t word);
bool placement_need_add(struct placement_need *n, uint64_t word);

/* Remembers that a node holds a module; the oldest is forgotten. */
void placement_node_cache(struct placement_node *n, uint64_t module_hash);

/* Judges one node. node_idx is its index, for need->avoid. */
void placement_judge(const struct placement_need *need, const struct placement_node *node,
		     uint32_t node_idx, struct placement_reason *out);

/*
 * The best of count nodes; among equals the one that (salt + index) hashes lowest, so that equal
 * nodes share the work. Of a great fleet, the best of PLACEMENT_LOOK_MAX nodes that fit, counted from
 * one that salt chooses. stride is the distance of two nodes in bytes. Cost: count judgements at most.
 */
void placement_choose(const struct placement_need *need, const struct placement_node *nodes,
		      size_t stride, uint32_t count, uint64_t salt, struct placement_choice *out);

const char *placement_verdict_word(enum placement_verdict v);
const char *placement_verdict_text(enum placement_verdict v);
bool placement_verdict_transient(enum placement_verdict v);

#endif
