/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent: the worker's core. Time and one event in; a bounded list of actions and a wake-up out.
 *
 *     port --event--> agent_step --actions--> port     (sockets, clock, flash, threads: the port's)
 *
 * In:    struct agent_event: messages in pieces, ends of slices, answers of stores, capabilities.
 * Out:   struct agent_actions: connect, subscribe, publish, run a slice, store, journal, host call.
 * Owns:  the memory and the pool handed over at init; tasks, modules, instances live in the pool.
 * Rules: 1. A step never blocks and never re-enters; the same events give the same actions.
 *        2. The port carries out the actions in their order, before it acknowledges (MQTT PUBACK)
 *           the message whose last piece it handed in. Order is meaning: journal before publish.
 *        3. While a slice is out (RUN_SLICE until SLICE_DONE) only agent_slice_run touches that
 *           instance; it may run on any thread. Everything else is called from one thread.
 *        4. What a step could not say (list or text full) the next one says; wake_ms is then now.
 *        5. What a peer or a module does wrong is reported to whom it concerns, never a crash.
 * Bounds: a step is O(tasks + bytes of the piece). Nothing is allocated beside mem and pool.
 * Not:   sockets, clock, files, TLS, threads: the port's.
 *
 * The main loop of a port:
 *
 *     agent_step(agent, &(struct agent_event){.kind = AGENT_EVENT_TICK, ...}, &actions);
 *     for (;;) {
 *             carry out actions.list[0..count)
 *             wait for something to happen or for actions.wake_ms
 *             fill in an event (TICK if nothing happened); agent_step(agent, &event, &actions);
 *     }
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "agent/engine.h"
#include "base/base.h"

struct agent;

enum {
	AGENT_ACTIONS_MAX = 16,       /* actions of one step */
	AGENT_PIECE_BYTES_MAX = 1024, /* a MESSAGE piece; the port cuts longer ones */
	AGENT_TEXT_BYTES_MIN = 2048,  /* of agent_actions.text: a piece decoded, a short message */
	AGENT_ID_BYTES_MAX = 64,      /* of a task id; the protocol's are UUIDs of 36 */
	AGENT_DIGEST_BYTES = 32,      /* SHA-256 */
	AGENT_RECORD_BYTES_MIN = 512, /* a journal record that a port must be able to keep */
};
#define AGENT_NEVER UINT64_MAX /* of wake_ms: nothing to wait for but events */

enum agent_err {
	AGENT_OK = 0,
	AGENT_ERR_MEMORY, /* mem or pool is smaller than needed */
	AGENT_ERR_CONFIG, /* a required text is missing or too long, a limit is out of its range */
};

/* ---- configuration ---------------------------------------------------------------------------*/

/* Who this worker is and what it announces. The agent keeps the pointers and never writes; the port
 * may change what they say between steps (an address after DHCP), it is announced at the next
 * create. Texts end with 0; NULL or "" leaves the key out. */
struct agent_config {
	const char *proplet_id;             /* required; also MQTT client id and user name */
	const char *tenant_id, *channel_id; /* required */
	const char *namespace_name;         /* NULL: "default" */
	const char *description, *location, *ip, *environment, *os, *hostname, *cpu_arch, *version;
	const char *const *tags;   /* ended by NULL; NULL if none */
	const char *const *labels; /* "key=value" each, ended by NULL; NULL if none */
	uint32_t capabilities;     /* bits 1 << enum agent_cap: what the port can do */
	uint64_t total_memory_bytes, flash_bytes;
	const char *power; /* "mains", "battery" or NULL */
	uint64_t seed; /* of jitter, WASI random and connection numbers: another at each start */
	uint32_t heartbeat_ms;   /* 0: 4000 (Propeller's manager waits 10 s in all) */
	uint32_t metrics_ms;     /* node metrics; 0: none */
	uint32_t backoff_ms_min; /* first reconnection pause; 0: 500 */
	uint32_t backoff_ms_max; /* 0: 60000 */
	uint8_t qos;             /* of publications and subscriptions: 0, 1, 2 */
	bool journal;            /* the port carries out JOURNAL_* and replays at boot */
	bool store; /* the port carries out STORE_*; otherwise modules live in the pool */
	/* Native images: whom to trust, what is allowed; wasm_digest is set by the agent. NULL:
	 * none are run. They are executed where the store has mapped them, or in the pool if what
	 * lies there can be executed. */
	const struct rotor_image_policy *images;
	bool images_in_pool;
};

/* What tasks may use at most, and the capacities of the agent's tables. 0 takes the default in
 * brackets. Defaults suit a device with a pool of 40 KB. */
struct agent_limits {
	uint32_t tasks_max;        /* slots, with ended ones whose result is not delivered [8] */
	uint32_t modules_max;      /* loaded or arriving modules [8] */
	uint32_t slices_max;       /* slices out at once: threads of the port [1] */
	uint32_t slice_fuel;       /* of one slice [100000] */
	uint32_t message_bytes;    /* text of one incoming message without its base64 [1024] */
	uint32_t outbox_bytes;     /* ring of outputs and log lines not yet published [1024] */
	uint32_t inflight_max;     /* publications not yet confirmed [8] */
	uint32_t rx_buffer_bytes;  /* announced; chunks are asked for so that they fit [1024] */
	uint32_t module_bytes_max; /* of a module's binary [1 MiB] */
	uint32_t args_max;         /* parameters of a task's function [16] */
	uint32_t print_bytes;      /* per task: printed text waiting for the next step [128] */
	/* per task, where its start message says nothing */
	uint64_t fuel;         /* [0: without end] */
	uint32_t time_ms;      /* [0: without end] */
	uint32_t stack_bytes;  /* [16384] */
	uint32_t heap_bytes;   /* of modules that use libc's malloc [16384] */
	uint32_t memory_bytes; /* to which a memory may grow [65536]; at least its minimum */
	uint32_t output_bytes; /* of all results, outputs and log text [4096] */
	/* what a start message may ask for at most; 0: what the pool gives */
	uint32_t memory_bytes_max, output_bytes_max;
};

/* Capabilities of tasks; off unless a start message grants them. */
#define AGENT_CAP_LIST(X)                                                                          \
	X(GPIO, "gpio") X(SENSOR, "sensor") X(KV, "kv") X(TIME, "time") X(PUBLISH, "publish")
enum agent_cap {
#define X(name, word) AGENT_CAP_##name,
	AGENT_CAP_LIST(X)
#undef X
	AGENT_CAP_COUNT
};

/* Facts that change; the port hands them in by AGENT_EVENT_NODE whenever it likes. */
struct agent_node {
	double cpu_percent, cpu_user_seconds, cpu_system_seconds;
	uint64_t rss_bytes, heap_alloc_bytes, heap_sys_bytes, heap_inuse_bytes, heap_free_bytes;
	/* the operating system's own heap now, and its most; all 0: it has none or does not tell */
	uint64_t system_heap_used_bytes, system_heap_free_bytes, system_heap_max_bytes;
	/* since the start, of all interfaces; bytes both 0: not told */
	uint64_t rx_bytes, tx_bytes, rx_packets, tx_packets, dropped_packets, resent_packets;
	int32_t battery_percent; /* -1: no battery or unknown */
};

/* ---- events ----------------------------------------------------------------------------------*/

enum agent_event_kind {
	AGENT_EVENT_TICK,         /* time passed; the first event after init, too */
	AGENT_EVENT_CONNECTED,    /* CONNECT succeeded (CONNACK) */
	AGENT_EVENT_DISCONNECTED, /* CONNECT failed or the connection ended; text says why */
	AGENT_EVENT_SUBSCRIBED,   /* answer to the last SUBSCRIBE (SUBACK); ok */
	AGENT_EVENT_MESSAGE,      /* a piece of an incoming publication */
	AGENT_EVENT_PUBLISHED,    /* PUBLISH ref was confirmed (ok) or failed (not ok) */
	AGENT_EVENT_SLICE_DONE,   /* agent_slice_run returned status */
	AGENT_EVENT_STORE,        /* answer to STORE_OPEN, STORE_BEGIN, STORE_COMMIT, STORE_WRITE */
	AGENT_EVENT_STORE_DATA,   /* answer to STORE_READ */
	AGENT_EVENT_HOST_DONE,    /* answer to HOST_CALL */
	AGENT_EVENT_JOURNAL,      /* at boot, once per record kept, before JOURNAL_END */
	AGENT_EVENT_JOURNAL_END,  /* all records were replayed; with config.journal the agent takes
				     no start before */
	AGENT_EVENT_NODE,         /* new facts of the node */
	AGENT_EVENT_STOP,         /* the operator at the device ends a task: text is its id */
	AGENT_EVENT_QUIT,         /* the worker ends: tasks stop, results and "gone" are sent,
				     DISCONNECT with last is the last action */
};

enum agent_store_state {
	AGENT_STORE_ABSENT,   /* nothing of it is stored (answer to OPEN) */
	AGENT_STORE_PARTIAL,  /* offset bytes of it are stored: write from there (OPEN, BEGIN) */
	AGENT_STORE_COMPLETE, /* it is there, checked; bytes, mapped (OPEN, COMMIT). It stays until
				 STORE_CLOSE */
	AGENT_STORE_FAILED,   /* text says why: no room, I/O error, COMMIT: other digest */
};

struct agent_event {
	enum agent_event_kind kind;
	uint64_t now_ms; /* monotonic, never less than in the event before */
	int64_t wall_ms; /* since 1970; 0 when unknown */
	union {
		struct {
			const char *text; /* may be NULL */
			bool session_present;
		} link; /* CONNECTED, DISCONNECTED */
		struct {
			bool ok;
		} subscribed;
		struct {
			const char *topic; /* with first; not ended by 0; later ignored */
			uint32_t topic_bytes;
			const void *piece; /* up to AGENT_PIECE_BYTES_MAX bytes, lent */
			uint32_t piece_bytes;
			uint32_t total_bytes; /* with first: of the whole payload; 0 if unknown */
			bool first, last;     /* both for a message in one piece */
		} message;
		struct {
			uint16_t ref;
			bool ok;
		} published;
		struct {
			uint16_t slot;
			enum agent_run_status status;
		} slice;
		struct {
			uint16_t module; /* as in the action */
			enum agent_store_state state;
			uint32_t offset;    /* PARTIAL: bytes stored. STORE_DATA: of the piece */
			uint32_t bytes;     /* COMPLETE: of the module. STORE_DATA: of the piece */
			const void *mapped; /* COMPLETE: its bytes, staying until STORE_CLOSE; NULL:
					       use STORE_READ */
			const void *piece; /* STORE_DATA: up to AGENT_PIECE_BYTES_MAX bytes, lent */
			const char *text;  /* FAILED: why */
		} store;
		struct {
			uint16_t slot;    /* as in the action */
			int32_t status;   /* 0 or more: fine; negative: refused, see host.h */
			int64_t value;    /* GPIO, SENSOR (in micro-units) */
			const void *data; /* KV_GET: lent */
			uint32_t data_bytes;
		} host;
		struct {
			uint16_t key;
			const void *record;
			uint32_t bytes;
		} journal;
		const struct agent_node *node; /* NODE: borrowed */
		struct {
			const char *id; /* not ended by 0 */
			uint32_t id_bytes;
		} stop;
	};
};

/* ---- actions ---------------------------------------------------------------------------------*/

enum agent_action_kind {
	AGENT_ACTION_CONNECT,     /* to the broker, session kept, with the will; answer CONNECTED or
				     DISCONNECTED */
	AGENT_ACTION_DISCONNECT,  /* last: the port may end after sending what is queued */
	AGENT_ACTION_SUBSCRIBE,   /* to all filters at once; answer SUBSCRIBED */
	AGENT_ACTION_PUBLISH,     /* answer PUBLISHED if qos > 0 */
	AGENT_ACTION_RUN_SLICE,   /* agent_slice_run(&slice) on any thread; answer SLICE_DONE */
	AGENT_ACTION_STORE_OPEN,  /* look for digest; answer STORE */
	AGENT_ACTION_STORE_BEGIN, /* make room for size bytes (0: unknown yet); bytes stored of an
				     earlier try may stay. digest all 0: told at COMMIT; answer
				     STORE */
	AGENT_ACTION_STORE_WRITE, /* data at offset; answer STORE only when it FAILED */
	AGENT_ACTION_STORE_COMMIT, /* all size bytes are written: check the digest; answer STORE */
	AGENT_ACTION_STORE_DROP, /* forget what BEGIN began (resumable: keep it for a later OPEN) */
	AGENT_ACTION_STORE_READ, /* size bytes from offset; answer STORE_DATA, or STORE FAILED */
	AGENT_ACTION_STORE_CLOSE, /* the agent uses it no more: the store may evict it */
	AGENT_ACTION_JOURNAL_PUT, /* keep record under key, durable when the next action is done */
	AGENT_ACTION_JOURNAL_DELETE, /* forget key */
	AGENT_ACTION_HOST_CALL,      /* a capability; answer HOST_DONE (at once or later) */
	AGENT_ACTION_LOG,            /* a line for the platform's log */
};

enum agent_host_op {
	AGENT_HOST_GPIO_READ,  /* value[0] pin; answer value */
	AGENT_HOST_GPIO_WRITE, /* value[0] pin, value[1] 0 or 1 */
	AGENT_HOST_SENSOR,     /* name: which, "temperature" or "device/channel"; answer value in
				  micro-units */
	AGENT_HOST_KV_GET,     /* name: key; answer data */
	AGENT_HOST_KV_SET,     /* name: key, data */
	AGENT_HOST_KV_DELETE,  /* name: key */
};

enum agent_log {
	AGENT_LOG_ERROR,
	AGENT_LOG_WARN,
	AGENT_LOG_INFO,
	AGENT_LOG_DEBUG
};

/* A slice: hand it to agent_slice_run. A plain value, to be copied into queues. */
struct agent_slice {
	const struct agent_engine *engine;
	struct agent_instance *instance;
	struct agent_run *run;
	uint64_t fuel;
	uint16_t slot;
};

/* Texts and data are lent until the next agent_step, ended by 0 where no length is given. */
struct agent_action {
	enum agent_action_kind kind;
	union {
		struct {
			const char *client_id, *will_topic;
			const char *will_payload; /* qos of the config, not retained */
		} connect;
		struct {
			bool last; /* after QUIT: nothing follows */
		} disconnect;
		struct {
			const char *filters[8]; /* ended by NULL */
			uint8_t qos;
		} subscribe;
		struct {
			const char *topic;
			const char *payload; /* ended by 0, too */
			uint32_t payload_bytes;
			uint16_t ref; /* 0 with qos 0; otherwise given back by PUBLISHED */
			uint8_t qos;
		} publish;
		struct agent_slice slice;
		struct {
			uint16_t module; /* the agent's slot, to be given back in the answer */
			const uint8_t *digest; /* AGENT_DIGEST_BYTES */
			uint32_t offset, size;
			const void *data; /* WRITE: size bytes */
			bool keep;        /* DROP: bytes stored may be resumed */
			bool executable;  /* OPEN, COMMIT: a native image, to be mapped so */
		} store;
		struct {
			uint16_t key; /* small numbers: below 2 * tasks_max */
			const void *record;
			uint32_t bytes;
		} journal;
		struct {
			uint16_t slot; /* to be given back in the answer; no index */
			enum agent_host_op op;
			const char *task_id; /* of whom; kv is per task name: scope says which */
			const char *scope;   /* name of the task: key-value pairs belong to it */
			const char *name;
			const void *data;
			uint32_t data_bytes;
			int32_t value[2];
		} host;
		struct {
			enum agent_log level;
			const char *text;
		} log;
	};
};

struct agent_actions {
	/* by the port, once */
	char *text;          /* where texts and data of the actions lie */
	uint32_t text_bytes; /* at least AGENT_TEXT_BYTES_MIN; a result must fit it, too */
	/* by the agent */
	uint32_t count;
	uint32_t text_used;
	uint64_t wake_ms; /* call again then, with TICK if nothing else happens; AGENT_NEVER: only
			     for events; not later than now: at once */
	struct agent_action list[AGENT_ACTIONS_MAX];
};

/* ---- functions -------------------------------------------------------------------------------*/

/* Fills in the defaults where limits is 0. */
void agent_limits_complete(struct agent_limits *limits);

/* Bytes of mem that agent_init needs for these limits (0 taken as the default); the pool is apart.
 */
size_t agent_mem_bytes(const struct agent_limits *limits);

/* Makes an agent in mem (aligned to 8). It keeps config, engine, mem and pool, copies limits. */
MUST_USE enum agent_err agent_init(struct agent **out, const struct agent_config *config,
				   const struct agent_limits *limits,
				   const struct agent_engine *engine, void *mem, size_t mem_bytes,
				   void *pool, size_t pool_bytes);

/* One event in, actions out. See the rules above. */
void agent_step(struct agent *agent, const struct agent_event *event, struct agent_actions *out);

/* Runs a slice; on any thread, one at a time per slice. Its status goes into SLICE_DONE. */
enum agent_run_status agent_slice_run(const struct agent_slice *slice);

/* ---- looking inside: for shells, metrics and tests --------------------------------------------*/

/* States of a task: tasks.h draws them. */
#define AGENT_TASK_STATE_LIST(X)                                                                   \
	X(FREE, "free")         /* the slot is not used */                                         \
	X(FETCHING, "fetching") /* its module is being had */                                      \
	X(READY, "ready")       /* waits for a slice */                                            \
	X(RUNNING, "running")   /* a slice is out */                                               \
	X(WAITING, "waiting")   /* a host function waits for an answer or a time */                \
	X(PARKED, "parked")     /* lease ended with policy park: kept in memory, not run */        \
	X(LATENT, "latent")     /* deployed; invocations run it */                                 \
	X(ENDED, "ended")       /* its result is not delivered yet */
enum agent_task_state {
#define X(name, word) AGENT_TASK_##name,
	AGENT_TASK_STATE_LIST(X)
#undef X
	AGENT_TASK_STATE_COUNT
};

struct agent_task_view {
	const char *id, *function; /* lent until the next step */
	enum agent_task_state state;
	uint64_t epoch, started_ms, fuel;
	uint64_t lease_end_ms; /* AGENT_NEVER: without end */
	bool unsure;           /* restored: does not run before its lease is renewed */
	uint32_t pool_bytes;   /* that the task holds in the pool */
	uint8_t priority;
	bool daemon, latent, invocation;
	bool native; /* it runs from a native image */
};

struct agent_stats {
	bool online;
	uint32_t tasks_used, tasks_max, modules_used, modules_max;
	uint32_t pool_bytes, pool_free_bytes, pool_free_max_bytes; /* max: the largest free block */
	uint32_t overhead_bytes;                                   /* mem */
	uint64_t started, done, failed, refused;                   /* tasks since init */
	uint64_t messages, messages_bad, reconnections, logs_lost;
	uint64_t
		starts_late; /* not taken: for an earlier connection, out of lease, or a second time */
};

/* The task in that slot; false when the slot is free or does not exist. */
bool agent_task_view(const struct agent *agent, uint32_t slot, struct agent_task_view *out);
void agent_stats(const struct agent *agent, struct agent_stats *out);
const struct agent_limits *agent_limits_of(const struct agent *agent);
const char *agent_task_state_text(enum agent_task_state state);

/* Checks every rule of the agent's state; for tests and the simulator. Stops the program if broken.
 */
void agent_check(const struct agent *agent);

#endif
