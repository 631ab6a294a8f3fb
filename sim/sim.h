/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim: a simulated fleet. The shipping agent and manager core under virtual time, in one process.
 *
 *     scenario, seed --> world: event queue, network, broker, power, flash, clocks --> summary, trace hash, violations
 *
 * In:    a scenario, a seed. Out: what happened; the same seed gives the same trace hash.
 * Owns:  all memory of the world.
 * Rules: 1. The world is the only source of time and chance.
 *        2. After each step of an agent or of the core its rules are tested (truth.c).
 * Start reading at world.c, then node.c and boss.c.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "agent/agent.h"
#include "base/prng.h"
#include "manager/core/core.h"
#include "wire/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_RATE_ONE 1000 /* rates are kept in thousandths of an event per hour */

enum {
	SECOND = 1000,
	MINUTE = 60 * SECOND,
	HOUR = 60 * MINUTE
};

/* ---- scenario ----------------------------------------------------------------------------------------- */

struct sim_scenario {
#define KEY(member, key, value, unit, text)       uint64_t member;
#define RANGE(member, key, low, high, unit, text) uint64_t member[2];
#include "sim/scenario_list.h"
#undef KEY
#undef RANGE
};

void scenario_default(struct sim_scenario *s);
/* Reads a file of lines "key value" ('#' begins a comment). On error -1 and a sentence with file and line in why. */
int scenario_read(struct sim_scenario *s, const char *path, char *why, size_t cap);
/* One setting, as on the command line. */
int scenario_set(struct sim_scenario *s, const char *key, const char *value, char *why, size_t cap);
/* Whether its values go together. On error -1 and a sentence in why. */
int scenario_check(const struct sim_scenario *s, char *why, size_t cap);
/* Explains every key on stdout. */
void scenario_explain(void);

/* ---- mutations: rules that can be broken, to see that the checks notice --------------------------------- */

#define SIM_MUTATION_LIST(X)                                                                       \
	X(SKIP_JOURNAL, "skip-journal", "a worker's journal keeps nothing")                        \
	X(OLD_EPOCH, "old-epoch", "results carry the epoch that the manager wants, not their own") \
	X(SAME_EPOCH, "same-epoch", "a task that moves keeps its epoch")                           \
	X(ACK_EARLY, "ack-early", "what the manager sends goes out before its store has it")       \
	X(FORGET_STORE, "forget-store", "one transition in fifty is not stored")                   \
	X(DROP_RESULT, "drop-result", "one acknowledged result in fifty is not kept")              \
	X(EARLY_DEATH, "early-death", "a silent worker's leases count as over at once")            \
	X(ENDLESS_LEASE, "endless-lease", "workers are told of leases that never end")             \
	X(SHORT_COUNT, "short-count", "the manager counts leases for shorter than it grants them") \
	X(RECEIPT, "from-receipt", "leases are counted from the receipt of the message")           \
	X(ANY_CONNECTION, "any-connection", "neither starts nor renewals name what they answer")   \
	X(RENEW_ALL, "renew-all", "the manager renews whatever a worker lists, of any epoch")      \
	X(EPOCH_FALLS, "epoch-falls", "a restarted manager begins with the epochs before")         \
	X(NO_WAIT, "no-wait", "a restarted worker runs what its journal kept at once")             \
	X(KEEP_MOVES, "keep-moves", "tasks that are to stay with a silent worker are moved")       \
	X(CLOCK_STOPS, "clock-stops", "a worker's clock stands still while it sleeps")             \
	X(EARLY_STEP, "early-step",                                                                \
	  "a restarted manager forgets what a workflow's steps wait for")                          \
	X(TWICE, "run-twice", "one start in twenty also goes to another worker")

enum sim_mutation {
	SIM_MUTATION_NONE,
#define X(name, word, text) SIM_MUTATION_##name,
	SIM_MUTATION_LIST(X)
#undef X
	SIM_MUTATION_COUNT,
};

/* ---- events ------------------------------------------------------------------------------------------- */

struct sim_msg; /* a publication, shared by its receivers */

enum sim_kind {
	SIM_NODE_WAKE, /* its agent asked for it */
	SIM_NODE_CONNECTED,
	SIM_NODE_MESSAGE,   /* a message reaches it */
	SIM_NODE_PUBLISHED, /* its publication is confirmed */
	SIM_NODE_SLICE,     /* a slice is over */
	SIM_LINK_CUT,
	SIM_LINK_MEND,
	SIM_POWER_CUT,
	SIM_POWER_BACK,
	SIM_SLEEP,
	SIM_AWAKE,
	SIM_CLOCK_JUMP,
	SIM_DRAIN,
	SIM_UNDRAIN,
	SIM_BOSS_WAKE,
	SIM_BOSS_MESSAGE,
	SIM_BOSS_COMMIT,
	SIM_BOSS_KILL,
	SIM_BOSS_BACK,
	SIM_BROKER_DOWN,
	SIM_BROKER_BACK,
	SIM_PARTITION,
	SIM_ARRIVAL,
	SIM_STOP_TASK,
	SIM_WILL, /* the broker notices that a worker is gone */
};

struct sim_event {
	uint64_t at, order;
	struct sim_msg *msg;
	uint32_t node, a;
	uint32_t life; /* of the node or the manager; another life's events are void */
	uint16_t b;
	uint8_t kind;
};

struct sim_msg {
	uint32_t refs, bytes;
	uint16_t topic; /* enum wire_topic */
	uint8_t qos;
	char payload[];
};

/* ---- nodes -------------------------------------------------------------------------------------------- */

enum {
	SIM_RECORDS_MAX = 64,
	SIM_QUEUE_MAX = 1000,
	SIM_SLICES_MAX = 4
};

struct sim_record {
	uint8_t *bytes;
	uint32_t size;
};

struct sim_slice {
	struct agent_slice slice;
	uint64_t began, ends;
	uint32_t task; /* index in the truth */
	uint64_t epoch;
	bool out;
};

struct sim_node {
	char id[40];
	struct agent *agent; /* NULL while it has no power */
	void *mem, *pool;
	uint32_t life;
	bool linked, online, subscribed, session; /* session: the broker keeps one */
	bool asleep, drained;
	uint64_t wake_ms,
		wake_want; /* the event that is planned; when its agent wants to be called */
	uint64_t link_free_up, link_free_down; /* links keep the order of messages */
	int32_t drift_ppm;
	uint64_t born; /* of this life, true time */
	int64_t wall_offset;
	uint64_t slept_at, slept_ms; /* since when; for how long in this life, if its clock stops */
	uint32_t link_rate;          /* bytes per second; 0: any */
	bool on_battery, device;     /* device: it beats slowly */
	uint8_t battery_told;        /* percent that its agent was told last */
	uint64_t energy_uj, charged_uj; /* used in all; when the battery was full last */
	uint64_t energy_at;             /* until when it is reckoned */
	struct sim_record journal[SIM_RECORDS_MAX];
	uint64_t modules;      /* bit for each module that is stored */
	uint16_t arriving[32]; /* the module that each of the agent's slots is about */
	struct sim_msg **held; /* the broker's, while it is away */
	uint32_t held_count, held_cap;
	uint32_t will; /* number of its connection, for the will */
	bool will_due;
	int32_t cut_in; /* actions until a power cut that was planned; -1: none */
	struct sim_slice slices[SIM_SLICES_MAX];
};

/* ---- the truth about tasks ---------------------------------------------------------------------------- */

enum {
	SIM_RUNS_MAX = 4,
	SIM_AFTER_MAX = 2,
	SIM_GROUP_TASKS_MAX = 5
};

/* Where a task began; epoch 0: nowhere. */
struct sim_run {
	uint32_t node, epoch, life;
};

struct sim_task {
	char id[24];
	uint64_t created, work, first_run, ended, limit_ms;
	uint32_t module;
	struct sim_run last;
	struct sim_run runs[SIM_RUNS_MAX]; /* the latest beginnings, a ring */
	uint32_t run_count;
	uint32_t result_epoch;
	bool idempotent, accepted, has_result;
	bool durable; /* a worker's journal has its result: done */
	bool stop_wanted;
	uint8_t policy, behaviour, priority;
	uint64_t lost_at;   /* its node died then; 0 */
	uint64_t queued_at; /* it has waited for a worker since, after that; 0 */
	bool no_room;       /* for longer than it takes to choose one */
	uint32_t starts;    /* since then */
	/* the store's row */
	bool stored;
	uint8_t phase, state;
	uint32_t row_epoch, row_node; /* UINT32_MAX: none */
	uint32_t results_counted;
	uint64_t balanced_at;                       /* it was moved for balance last; 0 */
	uint32_t group;                             /* UINT32_MAX: none */
	uint32_t after[SIM_AFTER_MAX], after_count; /* tasks that it waits for */
	bool if_failed;                             /* it runs when one of those failed */
};

/* A job or a workflow: tasks one after the other in the truth. */
struct sim_group {
	char id[24];
	uint32_t first, count;
	uint8_t kind, mode;
	bool accepted, stop_wanted;
};

enum sim_behaviour {
	SIM_ENDS,
	SIM_TRAPS,
	SIM_ENDLESS,
	SIM_BROKEN,
	SIM_GREEDY
};

/* Times in milliseconds. */
enum sim_list_kind {
	SIM_LIST_WAIT,        /* from acceptance to the first slice */
	SIM_LIST_MOVE,        /* from a worker's end to the task's first slice elsewhere */
	SIM_LIST_MOVE_DEVICE, /* the same for workers that beat slowly */
	SIM_LIST_MOVE_HELD,   /* the same, when something else was missing meanwhile: */
	SIM_LIST_COUNT
};

enum sim_held {
	SIM_HELD_OUTAGE, /* the manager or the broker */
	SIM_HELD_ROOM,   /* a worker with room */
	SIM_HELD_NEXT, /* the worker that was chosen: it did not begin either, or its link held up the start */
	SIM_HELD_COUNT
};

struct sim_list {
	uint64_t *ms;
	uint32_t count, cap;
};

struct sim_stats {
	uint64_t events, messages, accepted, ended_ok, ended_bad, reassigned, double_runs,
		refused_late;
	uint64_t cuts, power_cuts, manager_kills, broker_restarts, partitions, duplicates,
		violations, open;
	uint64_t placements, chunks, journal_writes, torn, results_late;
	uint64_t drains, jumps, sleeps, batteries, session_losses, energy_uj;
	uint64_t groups, skipped, balanced;
	uint64_t moved_late, moved_held[SIM_HELD_COUNT];
	uint64_t told; /* lines about what --trace names */
	struct sim_list lists[SIM_LIST_COUNT];
};

/* ---- the world ---------------------------------------------------------------------------------------- */

struct sim_boss;

struct sim_world {
	struct sim_scenario s;
	uint64_t seed, now, hash;
	enum sim_mutation mutation;
	struct prng chance;
	struct sim_event *heap;
	uint32_t heap_count, heap_cap;
	uint64_t order;
	struct sim_node *nodes;
	struct sim_boss *boss;
	void *node_memory; /* of all agents, one piece */
	size_t node_bytes;
	int64_t boss_wall_offset;
	bool broker_up;
	struct sim_msg **boss_held; /* the broker's, while the manager is away */
	uint32_t boss_held_count, boss_held_cap;
	bool boss_session;
	uint64_t boss_link_free;
	struct sim_task *tasks;
	uint32_t task_count, task_cap;
	struct sim_group *groups;
	uint32_t group_count, group_cap;
	struct sim_stats stats;
	const char *trace; /* id of the task or worker whose story is told, or NULL */
	bool verbose;
	uint64_t faults_end;
	uint64_t
		outage_end; /* when manager and broker were there again; UINT64_MAX: they are not */
	uint32_t *lost;     /* tasks that had lost_at; some no longer have */
	uint32_t lost_count, lost_cap;
	uint64_t settled; /* tasks that have ended or were never accepted */
	struct wire_place place;
};

struct sim_options {
	uint64_t seed;
	enum sim_mutation mutation;
	const char *trace;
	bool verbose;
};

/* Runs a scenario to its end. Returns the number of violations. */
uint64_t sim_run(const struct sim_scenario *s, const struct sim_options *o, struct sim_stats *stats,
		 uint64_t *hash);

/* ---- runs.c: many runs ---- */
struct sim_plan {
	const struct sim_scenario *scenarios;
	const char **names;
	unsigned count;
	uint64_t seed, seeds; /* seeds UINT64_MAX: without end */
	uint64_t minutes;     /* 0: until all are done */
	unsigned jobs;        /* processes at a time */
	enum sim_mutation mutation;
	const char *trace;
	bool twice, quiet;
};

/* Each scenario with each seed; prints what fails and the totals. False when something failed, or
 * when nothing happened to what trace names. */
bool sim_plan_run(const struct sim_plan *p);
/* Each mutation until a run notices it. False when one is not noticed. */
bool sim_plan_mutations(const struct sim_plan *p);
enum sim_mutation sim_mutation_of(const char *word); /* NONE when there is no such */
void sim_mutations_list(void);

/* ---- world.c ---- */
void world_at(struct sim_world *w, uint64_t at, enum sim_kind kind, uint32_t node, uint32_t life,
	      uint32_t a, uint16_t b, struct sim_msg *msg);
uint64_t world_between(struct sim_world *w, const uint64_t range[2]);
bool world_chance(struct sim_world *w, uint64_t percent);
/* Milliseconds until the next event of a rate (SIM_RATE_ONE: one per hour); UINT64_MAX when it is 0. */
uint64_t world_next(struct sim_world *w, uint64_t rate);
void world_note(struct sim_world *w, uint64_t what, uint64_t a, uint64_t b);
void world_violation(struct sim_world *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* A line for --trace if id is what it names; NULL: for whatever it names. */
void world_tell(struct sim_world *w, const char *id, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
struct sim_msg *msg_new(enum wire_topic topic, const char *payload, size_t bytes, uint8_t qos);
struct sim_msg *msg_keep(struct sim_msg *m);
void msg_drop(struct sim_msg *m);

/* The manager or the broker came or went. */
void world_outage(struct sim_world *w);
/* Signs of life of a worker are that far apart. */
uint64_t world_heartbeat(const struct sim_world *w, const struct sim_node *n);
void world_power_cut(struct sim_world *w, uint32_t node, uint64_t for_ms);

/* ---- net.c: broker and links ---- */
void net_to_node(struct sim_world *w, uint32_t node, struct sim_msg *m);
void net_to_boss(struct sim_world *w, uint32_t node, struct sim_msg *m);
/* When bytes that are sent now come out of a link; rate 0: any. */
uint64_t net_delay(struct sim_world *w, uint64_t *link_free, uint32_t rate, uint32_t bytes);
void net_node_lost(struct sim_world *w, uint32_t node); /* its connection ends: will, session */
void net_node_online(struct sim_world *w, uint32_t node);
void net_broker_down(struct sim_world *w);
void net_broker_back(struct sim_world *w);
void net_will(struct sim_world *w, const struct sim_event *e);
void net_boss_online(struct sim_world *w);

/* ---- node.c ---- */
void node_boot(struct sim_world *w, uint32_t node);
void node_event(struct sim_world *w, const struct sim_event *e);
void node_offline(struct sim_world *w, uint32_t node, const char *why);
void node_sleep(struct sim_world *w, uint32_t node);
void node_awake(struct sim_world *w, uint32_t node);
void node_energy(struct sim_world *w, uint32_t node); /* reckons what it used until now */
void node_power_off(struct sim_world *w, uint32_t node);
void node_free(struct sim_world *w, uint32_t node);
void node_cut_soon(struct sim_world *w,
		   uint32_t node); /* its power fails while it does something */

/* ---- boss.c ---- */
struct sim_boss *boss_new(struct sim_world *w);
void boss_event(struct sim_world *w, const struct sim_event *e);
void boss_boot(struct sim_world *w);
void boss_kill(struct sim_world *w);
void boss_arrival(struct sim_world *w);
bool boss_up(const struct sim_world *w);
uint32_t boss_life(const struct sim_world *w);
void boss_free(struct sim_world *w);
void boss_drain(struct sim_world *w, uint32_t node, bool drain);
uint32_t boss_live_tasks(const struct sim_world *w); /* in the core; 0 while it is down */

/* ---- module.c: the programs that tasks run, and the engine that runs them ---- */
extern const struct agent_engine sim_engine;
enum {
	SIM_MODULE_BYTES = 600,
	SIM_BROKEN_MODULE = 63,
	SIM_GREEDY_MODULE = 62
};
void module_make(uint32_t number, uint8_t out[SIM_MODULE_BYTES]);
const uint8_t *module_bytes(uint32_t number);
const uint8_t *module_digest(uint32_t number);
uint32_t module_find(const uint8_t *digest); /* UINT32_MAX: none */
/* Fuel that an instance still needs; its work was told by its argument. */
uint64_t sim_instance_left(const struct agent_instance *i);
bool sim_instance_fresh(const struct agent_instance *i); /* nothing of it has run yet */
bool sim_instance_interrupted(const struct agent_instance *i);

/* ---- truth.c ---- */
struct sim_task *truth_task(struct sim_world *w, const char *id, size_t bytes);
struct sim_task *truth_add(struct sim_world *w);
/* first: the first slice of an instance. */
void truth_slice(struct sim_world *w, uint32_t node, struct sim_task *t, uint64_t epoch,
		 bool first);
/* A worker's journal is told to keep this record. */
void truth_journal(struct sim_world *w, uint32_t node, const char *record, size_t bytes);
void truth_node_dead(struct sim_world *w, uint32_t node);
/* The store has a task's row: its phase, its node. */
void truth_row(struct sim_world *w, struct sim_task *t);
void truth_result(struct sim_world *w, struct sim_task *t, uint64_t epoch, bool ok);
/* The manager takes a task from its worker for balance. */
void truth_balanced(struct sim_world *w, struct sim_task *t);
void truth_end(struct sim_world *w);

#endif
