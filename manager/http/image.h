/* SPDX-License-Identifier: Apache-2.0 */
/* Native images of modules: compiled once, kept, named in starts. Private to manager/. */
#ifndef MANAGER_HTTP_IMAGE_H
#define MANAGER_HTTP_IMAGE_H

#include <jansson.h>

#include "manager/core/aot.h"
#include "manager/core/core.h"

struct service;
struct module_bytes;

/* A module to compile, and what became of it. */
struct compile_job {
	struct compile_job *next;
	uint32_t image; /* the core's number of it */
	uint8_t module[AOT_DIGEST_BYTES];
	char target[AOT_TARGET_BYTES];
	char key_path[600]; /* "": unsigned */
	char dir[512];      /* where the image goes, as <64 hex>.raot */
	void *wasm;
	size_t wasm_bytes;
	/* the answer */
	uint8_t digest[AOT_DIGEST_BYTES];
	uint32_t bytes, abi, compile_ms;
	char error[AOT_WHY_BYTES]; /* "" when there is an image */
};

struct image_config {
	char dir[512]; /* "": no images */
	char mode[8];  /* of tasks that say nothing: auto, always, never */
	uint32_t starts, run_ms, queue, retry_ms;
	/* Takes a copy of job and of the module; images_compiled is called with the answer. */
	void (*compile)(void *user, const struct compile_job *job, const void *wasm, size_t bytes);
	void *user;
};

struct image_stats {
	uint64_t compiles, failures, starts, refusals;
};

/* Makes folder and key if they are not there. False with a sentence. */
bool images_open(struct service *s, const struct image_config *config, char *error,
		 size_t error_bytes);
void images_close(struct service *s);

/* What a node's create message tells of native code. */
void images_node(const struct service *s, const json_t *metadata, struct aot_node *out);

/* It announced itself: what it refused before may do now. */
void images_node_new(struct service *s, const char *node_id);

/* Decides over a start: false when it waits for its image and must not be sent now; *native is what
 * the start names, or NULL. */
bool images_start(struct service *s, const struct manager_action *a, const json_t *spec,
		  json_t **native);
/* A result has come, before the core takes it: how long modules run is measured. */
void images_ran(struct service *s, const char *task_id, const json_t *result);
/* A worker's event native_refused. */
void images_refused(struct service *s, const json_t *event);
/* The compiler's answer. */
void images_compiled(struct service *s, const struct compile_job *job);

/* Sends the starts that waited and may go now; not from within a step. */
void images_tick(struct service *s);

/* An image's bytes by its digest, lent until the next call; false when there is none. */
bool images_bytes(struct service *s, const char *digest, struct module_bytes *out);
/* Whether an image's file still is what was signed. */
bool image_is_good(struct service *s, const struct aot_image *image);

/* The images of a module, for clients. */
json_t *images_json(struct service *s, const char *module);
/* Queues a module for a target (NULL: those of all workers that take images), which are added to the
 * array. NULL, or a sentence. */
const char *images_want(struct service *s, const char *module, const char *target, json_t *targets);
/* What a client waits for (service_wait) until a module's images are there or failed; false when none
 * is on its way. key: MANAGER_ID_BYTES. */
bool images_wait_key(struct service *s, const char *module, char *key);
/* Keys, targets. */
json_t *images_about(struct service *s);
void images_stats(const struct service *s, struct image_stats *out);

#endif
