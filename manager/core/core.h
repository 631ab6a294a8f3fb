/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manager's core: one state machine for the fleet, its tasks, jobs, workflows and leases.
 * Sans-I/O: an event in, a bounded list of actions out.
 *
 *     manager_init(m, &limits, &config, mem, manager_mem_bytes(&limits));
 *     for (;;) { wait for an event or for out.wake_ms; manager_step(m, &event, &out); do the actions; }
 *
 * In:    decoded messages of workers, commands of people, the passing of time.
 * Out:   what to store, what to send, what to answer. The order is meaning: an action may be
 *        carried out only when all STORE actions before it are durable.
 * Owns:  the memory given at init. Strings of an event are borrowed until the step returns; the
 *        pointers in actions are lent until the next step.
 * Rules: 1. A task is assigned to at most one node under one epoch (a broadcast to all, under one).
 *        2. An epoch never falls; it is stored before it is sent.
 *        3. A result is taken once for a (task, epoch); an older epoch's is refused visibly.
 *        4. A task that is not idempotent leaves a silent node only when its lease is over, or when
 *           the node itself says that it no longer runs it.
 *        5. A lease is counted from the receipt of the message that the start or renewal answers; the
 *           worker counts the same from when it sent that message, so its lease ends first.
 * Bounds: memory as computed by manager_mem_bytes; a step does bounded work and asks to be called
 *        again at once (wake_ms == now) when more is left.
 * Not:   documents, results, logs, cron expressions in time zones: the caller's (manager/http).
 */
#ifndef MANAGER_CORE_CORE_H
#define MANAGER_CORE_CORE_H

#include "base/base.h"
#include "manager/core/aot.h"
#include "manager/core/core_list.h"
#include "manager/core/placement.h"

#define MANAGER_ID_BYTES        64 /* of an id, with its NUL; Propeller's devices keep 63 characters */
#define MANAGER_NAME_BYTES      32
#define MANAGER_ALIVE_AT_MAX    10  /* heartbeats remembered; Propeller shows ten */
#define MANAGER_ACTIONS_MAX     512 /* of one step */
#define MANAGER_NONE            UINT32_MAX
#define MANAGER_NEVER           UINT64_MAX
#define MANAGER_PRIORITY_MAX    100
#define MANAGER_MISSED_SUSPECT  2 /* heartbeats */
#define MANAGER_MISSED_DEAD     3
#define MANAGER_CONNECTIONS_MAX 3 /* of a node that are remembered after their end */

enum manager_state {
#define X(name, word) MANAGER_##name,
	MANAGER_STATE_LIST(X)
#undef X
	MANAGER_STATE_COUNT
};

enum manager_phase {
#define X(name, word, moves) MANAGER_PHASE_##name,
	MANAGER_PHASE_LIST(X)
#undef X
	MANAGER_PHASE_COUNT
};

enum manager_reason {
#define X(name, word) MANAGER_REASON_##name,
	MANAGER_REASON_LIST(X)
#undef X
	MANAGER_REASON_COUNT
};

enum manager_answer {
#define X(name, text) MANAGER_ANSWER_##name,
	MANAGER_ANSWER_LIST(X)
#undef X
	MANAGER_ANSWER_COUNT
};

enum manager_note {
#define X(name, word) MANAGER_NOTE_##name,
	MANAGER_NOTE_LIST(X)
#undef X
	MANAGER_NOTE_COUNT
};

enum manager_policy {
	MANAGER_POLICY_KEEP,
	MANAGER_POLICY_STOP,
	MANAGER_POLICY_PARK,
};

enum manager_run_if {
	MANAGER_RUN_IF_SUCCESS,
	MANAGER_RUN_IF_FAILURE,
};

enum manager_group_kind {
	MANAGER_GROUP_NONE,
	MANAGER_GROUP_WORKFLOW,
	MANAGER_GROUP_JOB,
};

enum manager_job_mode {
	MANAGER_JOB_PARALLEL,
	MANAGER_JOB_SEQUENTIAL,
	MANAGER_JOB_CONFIGURABLE,
};

/* Capacities. What is full answers FULL (tasks, groups, edges) or is told in a note (nodes). */
struct manager_limits {
	uint32_t nodes_max;
	uint32_t tasks_max;  /* live ones */
	uint32_t groups_max; /* live jobs and workflows */
	uint32_t edges_max;  /* dependencies of live tasks */
	uint32_t broadcasts_max;
};

struct manager_config {
	uint32_t heartbeat_ms;          /* of a node that announces none; 10,000 */
	uint32_t heartbeat_embedded_ms; /* of Propeller's embedded one; 30,000 */
	uint32_t stop_wait_ms;          /* a stop is repeated after this; 10,000 */
	uint32_t start_wait_ms;  /* an assignment missing in a heartbeat after this is sent again */
	uint32_t orphan_wait_ms; /* silence after which an upstream node's idempotent task moves */
	uint32_t preempt_gap;    /* a priority must be higher by this to preempt; 10 */
	bool queue;              /* a start that nothing fits waits, though not asked to */
	uint64_t seed;
};

/* What a task is to the core. The document it comes from is the caller's. */
struct manager_task_spec {
	const char *id;
	struct placement_need need;
	uint8_t priority;
	bool broadcast;
	bool daemon;
	bool latent;
	bool idempotent;
	bool queue;
	enum manager_policy policy;
	uint32_t lease_ms;
	uint32_t restart_attempts;
	uint32_t restart_interval_ms; /* attempts are counted within it; 0 for ever */
	uint32_t restart_backoff_ms;
	enum manager_run_if run_if;
	int64_t next_run_ms; /* Unix time of the next scheduled run; 0 for none */
};

struct manager_task {
	char id[MANAGER_ID_BYTES];
	struct placement_need need;
	uint64_t due_ms;  /* of the next thing to do, MANAGER_NEVER for none */
	uint64_t sent_ms; /* when the last start or stop was sent */
	uint64_t lease_end_ms;
	uint64_t order; /* of creation, for fairness */
	uint64_t restart_since_ms;
	uint64_t balanced_ms; /* when it was moved for balance; 0: never */
	int64_t next_run_ms;
	uint32_t node; /* index, MANAGER_NONE */
	uint32_t epoch;
	uint32_t group;
	uint32_t lease_ms;
	uint32_t restart_attempts, restart_interval_ms, restart_backoff_ms, restarts;
	uint32_t deps, dependents; /* edge lists */
	uint32_t seen_serial;      /* of the last heartbeat that listed it */
	uint32_t broadcast;        /* slot of the broadcast table */
	uint32_t reserves;         /* node on which others make room for it, MANAGER_NONE */
	uint32_t heap_pos;
	uint32_t queue_prev, queue_next;
	uint32_t node_prev, node_next;
	uint32_t group_next;
	uint32_t work_next;
	uint32_t why_count; /* nodes that fell to why.verdict */
	struct placement_reason why;
	uint8_t state, phase, priority, policy, run_if;
	uint8_t stops;         /* times a stop was sent */
	uint8_t refusals;      /* nodes that refused this run */
	uint8_t busies;        /* nodes that had no slot free after all */
	uint8_t missing;       /* heartbeats in a row that did not list it */
	uint8_t losses;        /* times a node lost this run */
	uint32_t parts_failed; /* nodes of a broadcast that failed */
	bool is_broadcast, daemon, latent, idempotent, queue;
	bool in_queue, in_work, used, wanted, forget, gone;
	bool seen; /* the node has listed it under this epoch */
};

struct manager_node {
	struct placement_node fit; /* first: placement walks an array of these */
	char id[MANAGER_ID_BYTES];
	char name[MANAGER_NAME_BYTES];
	int64_t alive_at_ms[MANAGER_ALIVE_AT_MAX]; /* Unix times, a ring */
	uint64_t seen_ms;
	uint64_t due_ms;
	uint64_t drain_deadline_ms;
	uint64_t returned_ms; /* since when it is alive again */
	uint64_t connection;  /* as it told last; a start names it, see docs/protocol.md */
	uint64_t uptime_ms; /* of its clock, in the last message of that connection that told it */
	uint64_t uptime_at_ms; /* when that came; leases are counted from here */
	uint64_t connections_before[MANAGER_CONNECTIONS_MAX]; /* what comes from there is old */
	bool has_uptime; /* false: a worker that does not tell counts from the receipt */
	uint32_t heartbeat_ms;
	struct aot_node aot;
	uint32_t tasks; /* list of assigned tasks */
	uint32_t heap_pos;
	uint32_t alive_count; /* heartbeats ever */
	bool ours;            /* speaks our additions: epochs, leases, acknowledgements */
	bool direct;          /* takes commands on its own topics */
	bool embedded;        /* Propeller's embedded worker */
	bool awaited;         /* restored, and may be heard of again */
	bool unseen;          /* restored, and not heard of since */
	bool returned;        /* it may take a part of what crowded nodes run */
};

struct manager_group {
	char id[MANAGER_ID_BYTES];
	uint32_t first, last; /* tasks */
	uint32_t count;
	uint32_t open;   /* tasks that are wanted and have not ended */
	uint32_t active; /* of those, the ones that no longer wait for others */
	uint8_t kind, mode;
	bool used;
	bool loading;  /* its tasks and what they depend on are still coming */
	bool failing;  /* what has not ended is stopped or skipped */
	bool stopping; /* because somebody asked for it */
};

/* What a worker tells about itself, in create; absent numbers are 0, battery 255. */
struct manager_node_facts {
	const char *id;
	const char *name; /* given by the caller; kept when the node is known */
	struct placement_node fit;
	uint64_t connection; /* number of its connection; 0 when it tells none */
	uint64_t uptime_ms;
	uint32_t heartbeat_ms;
	struct aot_node aot;
	bool ours, direct, embedded, has_uptime;
};

struct manager_held {
	const char *id;
	uint32_t epoch;
};

enum manager_event_kind {
	MANAGER_EVENT_TICK,         /* time passed */
	MANAGER_EVENT_NODE_RESTORE, /* at start: a stored node, not alive yet */
	MANAGER_EVENT_NODE_CREATE,
	MANAGER_EVENT_NODE_ALIVE,
	MANAGER_EVENT_NODE_GONE,
	MANAGER_EVENT_NODE_DELETE, /* command */
	MANAGER_EVENT_NODE_DRAIN,  /* command */
	MANAGER_EVENT_RESULT,
	MANAGER_EVENT_GROUP_ADD,   /* a job or workflow becomes live; its tasks follow */
	MANAGER_EVENT_GROUP_READY, /* with what they depend on: before that, none of them begins */
	MANAGER_EVENT_GROUP_DROP, /* not all of it found room: it leaves, unless a part goes on already */
	MANAGER_EVENT_TASK_ADD,      /* a task becomes live, idle or as it was stored */
	MANAGER_EVENT_TASK_DEPEND,   /* both tasks are live */
	MANAGER_EVENT_TASK_REPORTED, /* at start: a node's result of a broadcast is stored already */
	MANAGER_EVENT_TASK_SCHEDULE,
	MANAGER_EVENT_TASK_SEND, /* a start that waited for an image goes out, if it still counts */
	MANAGER_EVENT_TASK_START,  /* command */
	MANAGER_EVENT_TASK_STOP,   /* command */
	MANAGER_EVENT_TASK_DROP,   /* command: the task is being deleted */
	MANAGER_EVENT_TASK_INVOKE, /* command */
	MANAGER_EVENT_GROUP_START, /* command */
	MANAGER_EVENT_GROUP_STOP,  /* command */
};

struct manager_event {
	uint64_t now_ms;  /* a clock that never goes back */
	int64_t wall_ms;  /* Unix time */
	uint64_t request; /* of a command; comes back in ANSWER */
	enum manager_event_kind kind;
	union {
		struct manager_node_facts node; /* NODE_RESTORE, NODE_CREATE */
		struct {
			const char *id;
			const struct manager_held *held;
			uint64_t connection; /* 0 when it tells none */
			uint64_t uptime_ms;
			uint32_t held_count;
			uint32_t free_bytes;
			uint8_t load_percent, battery_percent;
			bool has_free, has_load, has_battery, has_uptime;
			bool held_complete; /* what is not in held is not held */
		} alive;
		struct {
			const char *id;
			bool drain;
			uint32_t deadline_ms; /* all tasks move after it; 0: only daemons do */
		} node_id;                    /* NODE_GONE, NODE_DELETE, NODE_DRAIN */
		struct {
			const char *task_id;
			const char *node_id; /* NULL when the message did not say */
			uint32_t epoch;      /* 0 when the peer knows none */
			bool ok;
			bool empty; /* no result text */
			bool busy;  /* REFUSED, but the node may take it in a moment */
			/* With REFUSED for want of memory: what one block would have to be, and
			 * what the largest one is. 0: not told. */
			uint32_t need_bytes, have_bytes;
			enum manager_reason reason;
		} result;
		struct {
			const char *id;
			enum manager_group_kind kind;
			enum manager_job_mode mode;
		} group;
		struct {
			struct manager_task_spec spec;
			const char *group_id; /* live already, or NULL */
			const char *node_id;  /* of a restored assignment */
			uint32_t epoch;
			enum manager_phase phase; /* IDLE for a new one */
			enum manager_state state;
		} add;
		struct {
			const char *task_id;
			const char *on_id;
		} depend;
		struct {
			const char *task_id;
			const char *node_id;
			bool ok;
		} reported;
		struct {
			const char *id;
			bool queue;          /* TASK_START: wait when nothing fits */
			int64_t next_run_ms; /* TASK_SCHEDULE */
			uint32_t epoch;      /* TASK_SEND */
		} task;
	} u;
};

enum manager_action_kind {
	MANAGER_ACTION_STORE_TASK, /* state, phase, node, epoch of task; text is its error or NULL */
	MANAGER_ACTION_STORE_RESULT, /* STORE_TASK, and the result of this event belongs to it */
	MANAGER_ACTION_STORE_PART, /* one node's of a broadcast: the result of this event, or text, why
				    * it has none */
	MANAGER_ACTION_STORE_NODE, /* alive, draining changed */
	MANAGER_ACTION_SEND_START,
	MANAGER_ACTION_SEND_STOP,   /* task_id, epoch, node (NULL: to all) */
	MANAGER_ACTION_SEND_ACK,    /* task_id, epoch, node */
	MANAGER_ACTION_SEND_LEASE,  /* node: what manager_node_leases lists */
	MANAGER_ACTION_SEND_INVOKE, /* task, node, request */
	MANAGER_ACTION_ANSWER,      /* request, answer, task (or NULL) */
	MANAGER_ACTION_NOTE,        /* note, task or node or both */
	MANAGER_ACTION_SCHEDULE,    /* task wants its next run computed: TASK_SCHEDULE */
};

struct manager_action {
	enum manager_action_kind kind;
	const struct manager_task *task;
	const struct manager_node *node;
	const char *task_id;
	const char *text;
	uint64_t request;
	uint32_t epoch;
	enum manager_answer answer;
	enum manager_note note;
	enum manager_reason reason; /* STORE_TASK of an ended task */
};

struct manager_actions {
	uint64_t wake_ms; /* call again at the latest then */
	uint32_t count;
	struct manager_action list[MANAGER_ACTIONS_MAX];
};

struct manager;

/* Bytes that manager_init wants for these limits. */
size_t manager_mem_bytes(const struct manager_limits *limits);

/*
 * Makes a manager in mem (keeps it; must be zeroed, of manager_mem_bytes and aligned to 16).
 * Untouched memory stays untouched, so capacity that is not used costs no pages.
 */
struct manager *manager_init(const struct manager_limits *limits,
			     const struct manager_config *config, void *mem, size_t bytes);

/* A config with the documented defaults. */
void manager_config_default(struct manager_config *config);

/* One event. The actions replace what out held. */
void manager_step(struct manager *m, const struct manager_event *event,
		  struct manager_actions *out);

/* Looking at the state; NULL when there is none. Lent until the next step. */
const struct manager_task *manager_task_find(const struct manager *m, const char *id);
const struct manager_node *manager_node_find(const struct manager *m, const char *id);
const struct manager_group *manager_group_find(const struct manager *m, const char *id);
const struct manager_node *manager_node_at(const struct manager *m, uint32_t node_idx);
uint32_t manager_node_slots(const struct manager *m); /* indexes in use are below */

/* The tasks a node holds leases of: start with MANAGER_NONE; NULL after the last. */
const struct manager_task *manager_node_leases(const struct manager *m,
					       const struct manager_node *node, uint32_t *cursor);

/* A group's tasks in the order they were added: start with MANAGER_NONE; NULL after the last. */
const struct manager_task *manager_group_tasks(const struct manager *m,
					       const struct manager_group *group, uint32_t *cursor);

/* True when a broadcast task was assigned to this node and it has not reported. */
bool manager_broadcast_waits(const struct manager *m, const struct manager_task *task,
			     uint32_t node_idx);

struct manager_counts {
	uint32_t nodes, nodes_alive, tasks_live, tasks_queued, tasks_assigned, groups;
	uint64_t started, ended, reassigned, preempted, balanced, late;
};
void manager_count(const struct manager *m, struct manager_counts *out);

/* Breaks (panics) unless all invariants hold. Cost: all nodes and tasks. For tests. */
void manager_check(const struct manager *m);

const char *manager_state_word(enum manager_state s);
const char *manager_phase_word(enum manager_phase p);
const char *manager_reason_word(enum manager_reason r);
enum manager_reason manager_reason_of(const char *word); /* OTHER when unknown */
const char *manager_answer_text(enum manager_answer a);
const char *manager_note_word(enum manager_note n);

#endif
