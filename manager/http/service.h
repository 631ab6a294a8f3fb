/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What joins the core, the store and the outside: carries out the core's actions. Private to
 * manager/.
 *
 * Rules: 1. STORE actions are written as they come; messages and answers gather in the outbox and in
 *           the waiting calls, and leave only after service_commit has made the writes durable.
 *        2. One thread. A commit that fails ends the process: what is on disk is the truth.
 */
#ifndef MANAGER_HTTP_SERVICE_H
#define MANAGER_HTTP_SERVICE_H

#include <jansson.h>

#include "manager/core/core.h"
#include "manager/http/image.h"
#include "manager/store/store.h"

#define SERVICE_TEXT       512  /* of an error for people */
#define SERVICE_EVENTS_MAX 1024 /* remembered for the stream of events */

/* A message to publish; freed by service_outbox_clear. */
struct message {
	char *topic;
	char *payload;
	size_t bytes;
	int qos;
};

struct service_config {
	char tenant[128], channel[128];
	char entity_id[64];
	uint32_t lease_ms;     /* of tasks that name none */
	uint32_t inline_bytes; /* modules up to this travel in the start message */
	uint32_t chunk_bytes;  /* when a worker names no size */
	bool serve_registry;   /* answer Propeller's plain requests, too */
	int qos;               /* to Propeller's workers; 1 to ours */
	bool log_tasks;
	struct image_config images;
};

/* Somebody who waits: for a task's end, or for an invocation's result. */
struct waiter {
	struct waiter *next;
	char key[MANAGER_ID_BYTES]; /* task id, or invocation id */
	uint64_t deadline_ms;
	bool done;
	bool timed_out;
	char *text;  /* invocation: result or error */
	bool failed; /* invocation: text is an error */
	void *user;
	void (*wake)(struct waiter *w);
};

struct service_stats {
	uint64_t results, starts, stops, invokes, messages_in, messages_out, bad_messages, logs;
	uint64_t latency_sum_us, latency_count; /* start to result */
};

struct fleet_event {
	uint64_t seq;
	char subject[MANAGER_ID_BYTES];
	char *json;
};

struct module_cache;

struct service {
	struct service_config config;
	struct manager *core;
	struct store *store;
	void *core_mem;
	struct manager_actions actions;
	uint64_t now_ms; /* monotonic */
	int64_t wall_ms;
	uint64_t started_ms;
	struct message *outbox;
	size_t outbox_count, outbox_capacity;
	struct waiter *waiters[1024]; /* by hash of key */
	uint32_t waiter_count;
	struct waiter *woken; /* after the commit */
	struct fleet_event events[SERVICE_EVENTS_MAX];
	uint64_t event_seq;
	uint64_t next_request;
	/* of the step that runs */
	uint64_t answer_request;
	enum manager_answer answer;
	const json_t *result; /* the results message being taken */
	bool invoke_sent;
	char invocation[40];
	const json_t *invoke_inputs, *invoke_env;
	struct module_cache *modules;
	struct images *images; /* NULL: none are made */
	struct service_stats stats;
	uint64_t wake_ms;
};

struct service_limits {
	uint32_t nodes_max, tasks_max;
};

/* Opens the store and takes up what it holds. False with a sentence in error. */
bool service_open(struct service *s, const struct service_config *config,
		  const struct service_limits *limits, const struct manager_config *core,
		  const char *store_url, bool quick, char *error, size_t error_bytes);

/* Writes what is known only in memory (heartbeats) and closes. */
void service_close(struct service *s);

/* The clocks for what follows. */
void service_time(struct service *s);

/* Lets time pass: deadlines of the core and of those who wait. */
void service_tick(struct service *s);

/* When service_tick is due again, as of now. */
uint64_t service_wake_ms(const struct service *s);

/* Ends the process when the store failed: to go on would be to forget. what: for the log. */
void service_must(struct service *s, enum store_err err, const char *what);

/* Makes all writes durable, then lets the outbox go. Ends the process when the store fails. */
void service_commit(struct service *s);
void service_outbox_clear(struct service *s);

/* There is a connection to the broker, maybe a new one: asks the workers that are known and have not
 * been heard to announce themselves, so that nobody waits for their next heartbeats. */
void service_connected(struct service *s);
/* A message from the broker. topic is what follows "m/<tenant>/c/<channel>/". */
void service_message(struct service *s, const char *topic, const char *payload, size_t bytes);

/* A module that a task waits for has come, or error says why not. */
void service_downloaded(struct service *s, const char *task_id, const char *url, const void *bytes,
			size_t size, const char *error);

/* Runs one event through the core; for a command, returns the answer. */
enum manager_answer service_event(struct service *s, struct manager_event *e);

/* Adds a message; payload is taken (freed later), topic is below the prefix. */
void service_publish(struct service *s, const char *topic, char *payload, size_t bytes, int qos);
void service_publish_json(struct service *s, const char *topic, json_t *taken, int qos);

/* Something for the stream of events and for a subject's history ("" or a task or node id). */
void service_note(struct service *s, const char *kind, const char *subject, json_t *taken);

/* Waiting. The waiter is the caller's; wake is called once, after a commit. */
void service_wait(struct service *s, struct waiter *w, const char *key, uint64_t deadline_ms);
void service_wake(struct service *s, const char *key, const char *text, bool failed);
void service_wake_pending(struct service *s);

/* ---- task.c: documents <-> the core ---- */

/*
 * Checks and completes a user's task; spec_out is a new object with what is kept, file bytes go to
 * the store as a module. False with a sentence that names the key.
 */
bool task_check(struct service *s, const json_t *given, json_t **spec_out, char *error,
		size_t error_bytes);

/* A node's facts from the metadata of its create message. */
void node_facts(const char *id, const json_t *metadata, struct manager_node_facts *out);

/* The core's view of a spec. id is borrowed from the spec. */
void task_core_spec(struct service *s, const json_t *spec, struct manager_task_spec *out);

/* What a client sees of a row. */
json_t *task_json(struct service *s, const struct store_task *row);

/* One task for a client; NULL when there is none. */
json_t *task_json_by_id(struct service *s, const char *id);

/* Adds the verdict of every node (placement.nodes) to a task's JSON. */
void task_add_placement(struct service *s, json_t *task, bool all);

/* Stores a new task. False: STORE_CONFLICT or worse, said in error. */
bool task_insert(struct service *s, const json_t *spec, const char *workflow_id, const char *job_id,
		 char *error, size_t error_bytes);

/* Makes a task known to the core, with its group if it has one. */
bool task_load(struct service *s, const char *id, char *error, size_t error_bytes);
bool group_load(struct service *s, const char *id, bool is_job, char *error, size_t error_bytes);

/* Next run of a spec's schedule after wall_ms, Unix milliseconds; 0 for none. */
int64_t task_next_run(const json_t *spec, int64_t wall_ms);

/* A job's state from its tasks' states. */
const char *job_state(const uint64_t counts[MANAGER_STATE_COUNT]);

/* The store's rows become live again after a restart. */
void task_restore_all(struct service *s);

/* ---- outbound.c ---- */
void send_start(struct service *s, const struct manager_action *a);
void send_stop(struct service *s, const struct manager_action *a);
void send_ack(struct service *s, const struct manager_action *a);
void send_lease(struct service *s, const struct manager_action *a);
void send_invoke(struct service *s, const struct manager_action *a);

/* ---- inbound.c ---- */
json_t *inputs_as_text(const char *body, size_t bytes, char *error, size_t error_bytes);

/* ---- module.c ---- */
struct module_bytes {
	const uint8_t *bytes;
	size_t size;
};
/* Keeps bytes; digest ("sha256:...", 72 bytes) out. False with a sentence. */
bool module_keep(struct service *s, const void *bytes, size_t size, const char *source,
		 char digest[72], char *error, size_t error_bytes);
/* A module's bytes, lent until the next call; false when there is none. */
bool module_bytes(struct service *s, const char *digest, struct module_bytes *out);
void module_request(struct service *s, const json_t *message);
void module_cache_free(struct service *s);
bool digest_valid(const char *text);
char *base64_encode(const void *bytes, size_t size, size_t *length);

/* ---- util.c ---- */
char *time_text(int64_t ms, char out[40]);
int64_t time_parse(const char *text); /* -1 when it is none */
void uuid_make(char out[37]);
void uuid_of(const char *text, char out[37]); /* the same for the same text */
bool uuid_valid(const char *text);
bool id_valid(const char *text);
const char *string_of(const json_t *object, const char *key);
int64_t int_of(const json_t *object, const char *key, int64_t otherwise);
bool bool_of(const json_t *object, const char *key);
void name_make(char *out, size_t bytes);
uint64_t text_hash(const char *text);
void log_line(const char *level, const char *format, ...) __attribute__((format(printf, 2, 3)));
extern int log_threshold; /* 0 debug, 1 info, 2 warn, 3 error */

#endif
