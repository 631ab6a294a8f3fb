/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the program proplet-manager share: settings, the broker link, downloads. */
#ifndef MANAGER_MANAGER_H
#define MANAGER_MANAGER_H

#include "manager/http/http.h"

struct settings {
#define TEXT(name, flag, env, file, otherwise, help)           char name[512];
#define NUMBER(name, flag, env, file, otherwise, lo, hi, help) int64_t name;
#define FLAG(name, flag, env, file, help)                      bool name;
#include "manager/settings_list.h"
	SETTINGS_LIST
#undef TEXT
#undef NUMBER
#undef FLAG
};

/*
 * Fills in settings from defaults, file, environment and arguments, the later ones winning. Returns
 * -1 to go on, or the status to exit with (help and errors have been printed).
 */
int settings_read(struct settings *out, int argc, char **argv);

/* ---- the link to the broker: its own thread, a queue to ours ---- */

struct mqtt;

struct mqtt_message {
	struct mqtt_message *next;
	char *topic; /* below the prefix */
	char *payload;
	size_t bytes;
};

/* Begins to connect and keeps trying. NULL with a sentence in error. */
struct mqtt *mqtt_start(const struct settings *settings, int wake_fd, char *error,
			size_t error_bytes);
void mqtt_stop(struct mqtt *m);
/* Why there is no connection, "tcp://host:1883: Connection refused"; "" if there is one. */
void mqtt_trouble(struct mqtt *m, char *out, size_t out_bytes);
/* All messages that have come, in order; free each with mqtt_message_free. */
struct mqtt_message *mqtt_take(struct mqtt *m);
void mqtt_message_free(struct mqtt_message *message);
void mqtt_publish(struct mqtt *m, const struct message *message);

/* ---- downloads of modules: a thread each, few at a time ---- */

struct fetch_result {
	struct fetch_result *next;
	char url[2048];
	char task_id[MANAGER_ID_BYTES];
	char *bytes;
	size_t size;
	char error[256]; /* "" when it worked */
};

struct fetcher;
struct fetcher *fetch_start(int wake_fd, size_t bytes_max);
void fetch_stop(struct fetcher *f);
void fetch_add(void *fetcher, const char *url, const char *task_id);
struct fetch_result *fetch_take(struct fetcher *f);
void fetch_result_free(struct fetch_result *r);

/* ---- compiling: a process for each module, one at a time ---- */

struct compiler;
/* settings is kept. */
struct compiler *compile_start(const struct settings *settings, int wake_fd);
void compile_stop(struct compiler *c);
/* As image_config.compile. */
void compile_add(void *compiler, const struct compile_job *job, const void *wasm, size_t bytes);
/* All answers that have come; free each. */
struct compile_job *compile_take(struct compiler *c);
void compile_free(struct compile_job *job);

#endif
