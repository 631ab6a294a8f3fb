/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Native images: which modules are worth compiling for which processors, and whether a start names
 * an image. Sans-I/O, as the rest of the core: who calls compiles and keeps the files.
 *
 * In:    starts, measured runs, wishes of people, what became of compilations, refusals of workers.
 * Out:   for a start: the module, its image, or wait; the next image to compile.
 * Owns:  the memory given at init.
 * States: NONE -pays, asked for-> QUEUED -aot_next-> COMPILING -aot_done-> READY or FAILED
 *         READY -aot_forget-> NONE; FAILED -after retry_ms, asked for-> QUEUED
 * Rules: 1. One image for each (module, target, signed or not), compiled by one process at a time.
 *        2. A start waits only if it says `always`, and only for an image that is coming.
 *        3. An image that a worker refused is not sent to it again.
 * Bounds: entries_max images; the least recently used gives way, but not one that is coming;
 *         queue_max that wait; a start looks at all entries in use.
 */
#ifndef MANAGER_CORE_AOT_H
#define MANAGER_CORE_AOT_H

#include "base/base.h"

#define AOT_TARGET_BYTES 24
#define AOT_WHY_BYTES    192
#define AOT_DIGEST_BYTES 32
#define AOT_REFUSALS_MAX 64 /* remembered; the oldest is forgotten, and tried once more */
#define AOT_NONE         UINT32_MAX

/* X(NAME, "word") */
#define AOT_STATE_LIST(X)                                                                          \
	X(NONE, "none")           /* not worth it yet, or lost */                                  \
	X(QUEUED, "queued")       /* to be compiled */                                             \
	X(COMPILING, "compiling") /* a process is at it */                                         \
	X(READY, "ready")                                                                          \
	X(FAILED, "failed") /* why says so */
enum aot_state {
#define X(name, word) AOT_STATE_##name,
	AOT_STATE_LIST(X)
#undef X
	AOT_STATE_COUNT
};

enum aot_mode {
	AOT_AUTO,   /* when it pays */
	AOT_ALWAYS, /* wait for the image, if there can be one */
	AOT_NEVER,
};

struct aot_config {
	uint32_t entries_max, queue_max;
	uint32_t starts_min; /* a module that is started that often pays */
	uint32_t run_ms_min; /* and one that was measured to run that long in all */
	uint32_t retry_ms;   /* a failed compilation is tried again after this */
};

/* What a node told of its processor and its trust. */
struct aot_node {
	char target[AOT_TARGET_BYTES]; /* "": it runs no native code */
	uint32_t abi;
	bool trusts; /* our key */
	bool takes_unsigned;
};

struct aot_image {
	uint8_t module[AOT_DIGEST_BYTES];
	uint8_t digest[AOT_DIGEST_BYTES]; /* READY: of the image */
	uint64_t module_hash;             /* as in placement_need */
	uint64_t ran_ms;                  /* measured without the image */
	uint64_t state_ms;                /* since when it is in its state */
	uint64_t used_ms;
	uint64_t order;  /* QUEUED: of its queueing */
	uint32_t starts; /* that could have used it */
	uint32_t bytes, abi, compile_ms, compiles;
	char target[AOT_TARGET_BYTES];
	char why[AOT_WHY_BYTES];
	uint8_t state; /* enum aot_state */
	bool is_signed, used;
};

/* A start of a module on a node. */
struct aot_ask {
	const uint8_t *module; /* AOT_DIGEST_BYTES */
	uint64_t module_hash;
	uint64_t node_hash;
	const struct aot_node *node; /* NULL: more than one */
	enum aot_mode mode;
	bool parks; /* it may have to be saved */
	bool lasts; /* it is meant to run long: a daemon, a latent task */
};

enum aot_choice {
	AOT_USE_MODULE,
	AOT_USE_IMAGE,
	AOT_WAIT,
};

struct aot_answer {
	enum aot_choice choice;
	uint32_t image;  /* index, AOT_NONE */
	bool queued;     /* the image was queued for this */
	const char *why; /* USE_MODULE: why there is no image; NULL if it does not pay yet. Lent */
};

struct aot;

size_t aot_mem_bytes(const struct aot_config *config);
/* Makes one in mem, which is zeroed, of aot_mem_bytes, aligned to 8. */
struct aot *aot_init(const struct aot_config *config, void *mem, size_t bytes);

/* Decides over a start, and counts it. */
void aot_start(struct aot *a, const struct aot_ask *ask, uint64_t now_ms, struct aot_answer *out);

/* A run without an image took ms. The image that pays now, queued; AOT_NONE if none does. */
uint32_t aot_ran(struct aot *a, uint64_t module_hash, const struct aot_node *node, uint64_t ms,
		 uint64_t now_ms);

/* Somebody wants an image: queues it unless it is there or coming. Its index; AOT_NONE: no room. */
uint32_t aot_want(struct aot *a, const uint8_t *module, uint64_t module_hash, const char *target,
		  bool is_signed, uint64_t now_ms);

/* The image to compile now, COMPILING from here on; AOT_NONE when nothing waits or one is at it. */
uint32_t aot_next(struct aot *a, uint64_t now_ms);
/* What became of it: done tells digest, bytes, abi, compile_ms; or why says why there is none. */
void aot_done(struct aot *a, uint32_t image, const struct aot_image *done, const char *why,
	      uint64_t now_ms);

/* At start: an image that an earlier run has compiled. False when there is no room. */
bool aot_restore(struct aot *a, const struct aot_image *image);
/* A ready image's file is lost or damaged. */
void aot_forget(struct aot *a, uint32_t image, uint64_t now_ms);
/* A worker refused the image. */
void aot_refused(struct aot *a, uint64_t node_hash, const uint8_t *digest);

/* A worker announced itself: what it refused before may do now. */
void aot_node_new(struct aot *a, uint64_t node_hash);

/* Looking: entry i, NULL when it is not in use; indexes in use are below aot_high. */
const struct aot_image *aot_image(const struct aot *a, uint32_t i);
uint32_t aot_high(const struct aot *a);
uint32_t aot_find(const struct aot *a, const uint8_t *module, const char *target, bool is_signed);
uint32_t aot_find_digest(const struct aot *a, const uint8_t *digest);

const char *aot_state_word(enum aot_state state);

/* Breaks (panics) unless the rules hold. */
void aot_check(const struct aot *a);

#endif
