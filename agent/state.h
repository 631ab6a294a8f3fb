/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to agent/: the agent's state, and what its files offer each other.
 *
 * A step is: apply the event (link.c, inbox.c, slice.c, fetch.c, effect.c), run the timers, then
 * say what is due (emit.c). What is due is never a queue but a fact of the state (a flag, a time),
 * so an action that found no room in this step is found due again in the next.
 *
 * Link:   OFFLINE -CONNECT-> CONNECTING -CONNECTED-> SUBSCRIBING -SUBSCRIBED-> ONLINE
 *            ^------------ DISCONNECTED, after a pause of the backoff ---------------+
 * Task:   FREE -start-> FETCHING -module loaded-> READY <-> RUNNING <-> WAITING
 *            FETCHING, READY, RUNNING, WAITING, PARKED, LATENT -end-> ENDED -delivered-> FREE
 *            READY, WAITING -lease over, policy park-> PARKED -lease renewed-> READY or WAITING
 * Module: with a store: OPENING -> BEGINNING -> ARRIVING -> SAVING -> READING (not if mapped) -> LOADED
 *         without one, and inline: ARRIVING -> LOADED; at the end CLOSING (store) -> FREE
 */
#ifndef AGENT_STATE_H
#define AGENT_STATE_H

#include "agent/agent.h"
#include "agent/host.h"
#include "base/pool.h"
#include "base/prng.h"
#include "base/sha256.h"
#include "wire/wire.h"

#define NONE     UINT16_MAX
#define DONE_MAX 16 /* assignments remembered after their end: twice the tasks of a device */

enum link_state {
	LINK_OFFLINE,
	LINK_CONNECTING,
	LINK_SUBSCRIBING,
	LINK_ONLINE,
};

/* How a task is to end, or ended. */
struct ending {
	enum wire_reason reason;
	char text[160]; /* after the reason's first word; ended by 0 */
};

struct task {
	uint8_t state;    /* enum agent_task_state */
	uint8_t unparked; /* PARKED: the state to go back to */
	uint8_t priority, policy;
	uint8_t reason;     /* ENDED: enum wire_reason */
	uint8_t end_wanted; /* RUNNING: reason + 1 to end with when the slice is back */
	bool daemon, latent, journaled, lease_over;
	bool unsure; /* restored by a worker that does not know how long it was away: it does not run
			before the manager renews its lease */
	bool orphan; /* RUNNING: nobody asks for it any more; forgotten when its slice is back */
	uint8_t host_round; /* of its HOST_CALL: which one of its slot */
	bool host_due;      /* WAITING: the HOST_CALL is still to be said */
	bool blocked;       /* WAITING: its effect finds no room in the outbox */
	bool published;     /* result holds the last published value */
	bool sent;          /* ENDED: the result is under way */
	bool clear_due;     /* FREE: its records are still to be taken out of the journal */
	bool record_due;    /* ENDED: its result is still to be written down in the journal */
	bool capturing;     /* result is the buffer of its standard output */
	bool explicit_memory;
	uint16_t module;       /* index; NONE */
	uint16_t outbox_count; /* its records in the outbox */
	uint16_t tries;
	uint32_t caps, last_run, seq, output_used;
	uint32_t stack_bytes, heap_bytes, memory_bytes, output_bytes, time_ms;
	uint32_t lease_ms, metrics_ms;
	uint64_t epoch, fuel_limit;
	uint64_t received_ms, started_ms, lease_end_ms, wake_ms, report_ms, metrics_at_ms;
	/* one block of the pool: run, texts, inputs, variables */
	char *block;
	char *extra; /* print buffer, arguments and variables in WASI's form; NULL */
	const char *id, *name, *function, *invocation_id; /* invocation_id: NULL if none */
	struct agent_run *run;
	/* the instance */
	void *instance_block;
	struct agent_instance *instance;
	uint32_t func_idx;
	bool init_pending; /* _initialize runs before the function */
	bool native;       /* its instance runs, or ran, from a native image */
	/* what is kept of it after its end; blocks of the pool or NULL */
	char *result;
	uint32_t result_bytes;
	char *report; /* text of the error, then frames: see report.c */
	uint32_t report_bytes, frame_count;
	uint64_t fuel_used;
	uint32_t duration_ms, memory_peak, stack_peak;
	int32_t exit_code;
};

enum module_state {
	MODULE_FREE,
	MODULE_OPENING,   /* the store is asked whether it has it */
	MODULE_BEGINNING, /* the store makes room for it */
	MODULE_ARRIVING,  /* its bytes come in */
	MODULE_SAVING,    /* the store checks it */
	MODULE_READING,   /* from the store to the loader */
	MODULE_LOADED,
	MODULE_CLOSING, /* the store is still to be told that we are done with it */
};

/* Bookkeeping of a module that is not loaded yet: a block of the pool. */
struct arrival {
	struct sha256 sum;
	uint32_t got;        /* bytes taken so far */
	uint32_t next_chunk; /* of a peer that numbers its chunks */
	uint32_t chunk_from; /* where that chunk begins */
	uint32_t window_end; /* bytes asked for so far */
	uint32_t tries;
	uint64_t retry_ms, since_ms;
	char name[]; /* app_name: digest or image_url; "" inline */
};

struct module {
	uint8_t state;    /* enum module_state */
	bool has_digest;  /* it is known which one it will be */
	bool in_store;    /* it goes to or comes from the store */
	bool opened;      /* the store holds it open for us */
	bool begun;       /* the store keeps bytes of it that are not complete */
	bool side_store;  /* inline: its bytes go to the store besides */
	bool act_due;     /* the store action of its state is still to be said */
	bool request_due; /* ARRIVING: a registry request is to be sent */
	bool image;       /* a native image */
	uint8_t answers;  /* of the store that are still to come: the slot is kept till then */
	uint16_t refs;    /* tasks that use it or wait for it */
	uint32_t size;    /* 0: not known yet */
	uint64_t used_ms;
	uint8_t digest[AGENT_DIGEST_BYTES];
	/* image: the module it was made from, which runs instead if the image cannot */
	uint8_t wasm[AGENT_DIGEST_BYTES];
	uint32_t wasm_size;
	struct arrival *arrival;
	void *code;  /* image: its bytes, when they are executed in the pool */
	void *block; /* of the loader, then of the module */
	struct agent_loader *loader;
	struct agent_module *module;
};

struct inflight {
	uint16_t ref;  /* 0: free */
	uint16_t slot; /* whose result it is; NONE */
	uint64_t since_ms;
};

/* The message that is coming in. */
struct inbox {
	uint8_t topic;     /* enum wire_topic */
	bool active;       /* between its first and last piece */
	bool skip;         /* it is of no interest, or broken */
	bool direct;       /* its topic is ours alone */
	uint16_t module;   /* inline or chunk goes there; NONE */
	char problem[112]; /* why its data cannot be taken; "" */
	uint32_t total_bytes;
	uint32_t chunk_at; /* where the next decoded byte of a chunk belongs in its module */
	struct wire_reader reader;
	union {
		uint64_t seen;
		struct wire_start start;
		struct wire_stop stop;
		struct wire_invoke invoke;
		struct wire_ack ack;
		struct wire_lease lease;
		struct wire_chunk chunk;
	} m;
};

struct outbox {
	char *ring;
	uint32_t bytes, head, used; /* head: of the oldest record; used: with fillers */
};

struct agent {
	const struct agent_config *config;
	const struct agent_engine *engine;
	struct agent_limits limits;
	struct wire_place place;
	struct prng prng;
	struct pool pool;
	uint32_t mem_bytes;
	struct task *tasks;
	struct module *modules;
	struct inflight *inflight;
	char *message_arena;
	struct outbox outbox;
	struct inbox inbox;
	struct agent_node node;
	struct agent_stats stats;

	/* of the step */
	struct agent_actions *out;
	uint64_t now_ms;
	int64_t wall_ms;
	bool again; /* something that is due found no room */

	/* link */
	uint8_t link; /* enum link_state */
	bool connect_due, subscribe_due, create_due, alive_due, metrics_due;
	bool booted; /* the journal is replayed */
	bool quitting, gone_sent, left;
	uint32_t backoff_ms, inflight_count, slices_out, turn, host_calls;
	uint64_t init_ms, connect_ms, alive_ms, metrics_ms, quit_ms;
	uint64_t
		link_id; /* of this connection, as announced; a start may name the one it was sent to */
	uint16_t next_ref;
	struct done {
		uint64_t id, epoch;  /* id: its hash */
		const char *refused; /* why it was not taken; NULL: its result is acknowledged */
	} done[DONE_MAX];            /* assignments that are over; a ring */
	uint32_t done_next;
	uint64_t busy_since_ms, busy_ms; /* of the load */
	bool begun;
};

/* ---- actions (emit.c) */

/* A new action, or NULL when the list is full (again is set). */
struct agent_action *agent_act(struct agent *a, enum agent_action_kind kind);
/* Room in the step's text; NULL when there is not that much (again is set). */
char *agent_text_room(struct agent *a, uint32_t bytes);
void agent_act_log(struct agent *a, enum agent_log level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Publishes a message; false when there was no room now, in the list, the text or inflight. slot:
 * whose result it is, NONE otherwise. */
bool agent_publish(struct agent *a, enum wire_topic topic, const void *message, uint16_t slot);
/* The same to a topic behind the prefix, with a payload as it is. */
bool agent_publish_raw(struct agent *a, const char *topic, const char *payload, uint32_t bytes);
/* Whether the message fits a message of this port at all. */
bool agent_publish_fits(const struct agent *a, const struct wire_table *table, const void *message);
/* Says everything that is due, and when to call again. */
void agent_emit(struct agent *a);
void agent_wake_at(struct agent *a, uint64_t ms);

/* ---- link.c */
void agent_link_tick(struct agent *a);
void agent_link_event(struct agent *a, const struct agent_event *e);
void agent_link_emit(struct agent *a);
bool agent_online(const struct agent *a);
/* ms, more or less by a tenth. */
uint64_t agent_jittered(struct agent *a, uint64_t ms);

/* ---- inbox.c */
void agent_inbox_event(struct agent *a, const struct agent_event *e);
/* Gives up the message that was coming in. */
void agent_inbox_abort(struct agent *a);
/* Whether a command with that proplet_id is for this worker. */
bool agent_for_us(const struct agent *a, bool has_id, struct wire_text proplet_id, bool broadcast);
/* The commands (command.c), whole messages in the inbox. */
void agent_command_start(struct agent *a);
void agent_command_stop(struct agent *a);
void agent_command_invoke(struct agent *a);
void agent_command_ack(struct agent *a);
void agent_command_lease(struct agent *a);
/* Ends the task of that id at the operator's wish. */
void agent_stop_by_id(struct agent *a, struct wire_text id, const char *why);

/* ---- task.c */
uint16_t agent_task_slot(const struct agent *a, const struct task *t);
struct task *agent_task_find(struct agent *a, struct wire_text id, struct wire_text invocation_id);
struct task *agent_task_free_slot(struct agent *a);
void agent_task_set(struct agent *a, struct task *t, enum agent_task_state state);
/* The task's function returned: its results are values, unless something else is its result. */
void agent_task_done(struct agent *a, struct task *t, const char *values, uint32_t bytes);
/* Ends a task whose slice is back and that was to end: task_end was called for it already. */
void agent_task_end_kept(struct agent *a, struct task *t);
/* Ends the task now, or when its slice is back. */
void agent_task_end(struct agent *a, struct task *t, enum wire_reason reason, const char *format,
		    ...) __attribute__((format(printf, 4, 5)));
/* Its slot, its memory, its journal records. */
void agent_task_forget(struct agent *a, struct task *t);
/* Frees instance and module reference, keeps what the report needs. */
void agent_task_release(struct agent *a, struct task *t);
void agent_task_check_all(const struct agent *a);

/* ---- launch.c: from a loaded module to a running instance */
void agent_launch(struct agent *a, struct task *t);
/* Ends a function that returned. */
void agent_task_returned(struct agent *a, struct task *t);
void agent_task_trapped(struct agent *a, struct task *t);

/* ---- slice.c */
void agent_slice_event(struct agent *a, const struct agent_event *e);
void agent_slice_emit(struct agent *a);
void agent_slice_tick(struct agent *a);
/* Of the task's instance; 0 where the engine does not count. */
uint64_t agent_fuel_used(const struct agent *a, const struct task *t);

/* ---- effect.c */
void agent_effect_begin(struct agent *a, struct task *t);
void agent_effect_event(struct agent *a, const struct agent_event *e);
void agent_effect_tick(struct agent *a, struct task *t);
void agent_effect_emit(struct agent *a);
/* Takes what the task printed. last: also a line without its end. */
void agent_print_take(struct agent *a, struct task *t, bool last);
/* Counts bytes of output; false when the limit is reached (the task has ended then). */
bool agent_output_count(struct agent *a, struct task *t, uint32_t bytes);

/* ---- outbox.c */
enum outbox_kind {
	OUTBOX_OUTPUT,
	OUTBOX_LOG,
	OUTBOX_APP,
	OUTBOX_EVENT
};
/* Keeps a record to be sent; false when it does not fit now (online: try again; offline: the oldest
 * give way). name: of OUTBOX_APP; the kind of an OUTBOX_EVENT. */
bool agent_outbox_put(struct agent *a, struct task *t, enum outbox_kind kind, uint8_t level,
		      struct wire_text name, struct wire_text data);
/* Whether such a record fits an empty outbox. */
bool agent_outbox_could(const struct agent *a, uint32_t bytes);
void agent_outbox_emit(struct agent *a);
/* Takes the records of a slot out of the outbox's reckoning: the task is forgotten. */
void agent_outbox_disown(struct agent *a, uint16_t slot);

/* ---- module.c, fetch.c */
struct module *agent_module_by_digest(struct agent *a, const uint8_t *digest);
struct module *agent_module_slot(struct agent *a);
uint16_t agent_module_idx(const struct agent *a, const struct module *m);
/* Gives up unused modules, the longest unused first, until a block of bytes can be had. */
bool agent_make_room(struct agent *a, size_t bytes);
void agent_module_unref(struct agent *a, uint16_t idx);
void agent_module_drop(struct agent *a, struct module *m);
/* A module that is had by its digest or from an image; NULL with diag when there is no room. */
struct module *agent_module_want(struct agent *a, const uint8_t *digest, const char *image,
				 uint32_t size, char *diag, size_t diag_bytes);
/* An inline module's: begin takes a slot. Without room to load it (diag says so) its digest is still
 * found out, for it may be one that is loaded already. */
struct module *agent_module_inline(struct agent *a, uint32_t size, char *diag, size_t diag_bytes);
/* Gives up loading, but not finding out the digest. */
void agent_module_only_sum(struct agent *a, struct module *m);
/* Takes bytes of a module in order; false when it cannot be loaded (the module is dropped and its
 * tasks have ended; inline: the inbox has the problem). */
bool agent_module_begin_load(struct agent *a, struct module *m, uint32_t size, char *diag,
			     size_t bytes);
bool agent_module_feed(struct agent *a, struct module *m, const void *data, uint32_t bytes,
		       char *diag, size_t diag_bytes);
bool agent_module_end(struct agent *a, struct module *m, char *diag, size_t diag_bytes);
/* The module is loaded: its tasks begin. */
void agent_module_ready(struct agent *a, struct module *m);
/* Ends the tasks that wait for it. */
void agent_module_failed(struct agent *a, struct module *m, const char *why);
/* What the engine says of a module that it could not load, as text for people. */
void agent_module_diag(struct agent *a, const struct module *m, const struct rotor_diag *d,
		       char *text, size_t text_bytes);
/* How the reason begins when this worker's store did not keep a module. */
#define AGENT_STORE_TROUBLE "the worker's store"
/* What a task's end is called when its module could not be had. */
enum wire_reason agent_module_reason(const char *why);
void agent_module_check_all(const struct agent *a);
void agent_fetch_event(struct agent *a, const struct agent_event *e);
/* Says at once that the store is not needed for a dropped module, so that its slot is free. */
void agent_fetch_close(struct agent *a, struct module *m);
void agent_fetch_tick(struct agent *a);
void agent_fetch_emit(struct agent *a);
void agent_fetch_chunk_data(struct agent *a);
void agent_fetch_chunk_end(struct agent *a, bool whole);

/* ---- image.c */
/* The native image that the start names, when there is one that may be run here; else NULL, and an
 * event tells why. t: whose start it is. */
struct module *agent_image_want(struct agent *a, struct task *t, const struct wire_start *m);
/* What this worker's images are for; NULL when it runs none. */
const char *agent_image_target(const struct agent *a, uint32_t *abi);
/* Makes room in the pool for an image's bytes. */
bool agent_image_begin(struct agent *a, struct module *m, uint32_t size, char *diag,
		       size_t diag_bytes);
/* Makes a module of an image whose bytes stay where they are; false with diag. */
bool agent_image_load(struct agent *a, struct module *m, const void *image, uint32_t bytes,
		      char *diag, size_t diag_bytes);
/* A FETCHING task does without its image: it takes the module, which may be here already. */
void agent_image_fall_back(struct agent *a, struct task *t, const char *why);

/* ---- report.c */
/* What is to be kept of a task's end while its instance is given back. */
struct report {
	uint32_t bytes, frame_count;
	char at[640]; /* the error text and 0; then frames: function, offset (4 bytes each), name, 0 */
};
/* Writes down how the task ended; text NULL: what report_keep kept before. */
void agent_report_write(struct agent *a, const struct task *t, enum wire_reason reason,
			const char *text, bool backtrace, struct report *out);
/* Keeps it with the task, as much as the pool has room for. */
void agent_report_keep(struct agent *a, struct task *t, const struct report *report);
void agent_report_emit(struct agent *a);
void agent_report_delivered(struct agent *a, uint16_t slot, bool ok);
/* Says at once that a start was refused; for when there is no slot to keep it. */
void agent_report_refused(struct agent *a, const char *id, uint64_t epoch, enum wire_reason reason,
			  const char *why);
void agent_report_lost(struct agent *a);
const char *agent_reason_prefix(enum wire_reason reason);

/* ---- node.c: create, alive, gone, metrics */
void agent_node_emit(struct agent *a);
void agent_node_tick(struct agent *a);

/* ---- journal.c */
/* Keeps an accepted task; false when it could not be written down in this step. */
bool agent_journal_accept(struct agent *a, struct task *t, const struct wire_start *m);
/* Keeps its result; false when there was no room in this step. */
bool agent_journal_result(struct agent *a, struct task *t);
void agent_journal_forget(struct agent *a, struct task *t);
void agent_journal_emit(struct agent *a);
/* Fills in a task as a start message says, without a module; the slot is free. False: the pool has no
 * room (command.c) */
bool agent_task_make(struct agent *a, struct task *t, const struct wire_start *m);
/* Begins a task as a start message says; the slot is free. False: the pool has no room (command.c) */
bool agent_start_new(struct agent *a, struct task *t, const struct wire_start *m);
void agent_journal_event(struct agent *a, const struct agent_event *e);

#endif
