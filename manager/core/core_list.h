/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manager's words as tables. Each list takes X with one row per word.
 */
#ifndef MANAGER_CORE_CORE_LIST_H
#define MANAGER_CORE_CORE_LIST_H

/* What people and peers see of a task: X(NAME, "word"). The order is Propeller's numbering. */
#define MANAGER_STATE_LIST(X)                                                                      \
	X(PENDING, "pending")                                                                      \
	X(SCHEDULED, "scheduled")                                                                  \
	X(RUNNING, "running")                                                                      \
	X(COMPLETED, "completed")                                                                  \
	X(FAILED, "failed")                                                                        \
	X(SKIPPED, "skipped")                                                                      \
	X(INTERRUPTED, "interrupted")

/* Where a task is in the manager's own machine: X(NAME, "word", phases it may move to). */
#define MANAGER_PHASE_LIST(X)                                                                      \
	X(IDLE, "idle", P(BLOCKED) | P(QUEUED) | P(DONE))                                          \
	X(BLOCKED, "blocked", P(QUEUED) | P(DONE))                                                 \
	X(QUEUED, "queued", P(ASSIGNED) | P(DONE) | P(IDLE))                                       \
	X(ASSIGNED, "assigned",                                                                    \
	  P(RUNNING) | P(STOPPING) | P(EVICTING) | P(ORPHANED) | P(BACKOFF) | P(QUEUED) | P(DONE)) \
	X(RUNNING, "running",                                                                      \
	  P(STOPPING) | P(EVICTING) | P(ORPHANED) | P(BACKOFF) | P(QUEUED) | P(DONE))              \
	X(STOPPING, "stopping", P(DONE))                                                           \
	X(EVICTING, "evicting", P(QUEUED) | P(STOPPING) | P(ORPHANED) | P(DONE) | P(BACKOFF))      \
	X(ORPHANED, "orphaned",                                                                    \
	  P(ASSIGNED) | P(RUNNING) | P(QUEUED) | P(STOPPING) | P(BACKOFF) | P(DONE))               \
	X(BACKOFF, "backoff", P(QUEUED) | P(DONE))                                                 \
	X(DONE, "done", P(QUEUED) | P(BLOCKED) | P(IDLE))

/* How a run ended, as in the key "reason" of results: X(NAME, "word"). */
#define MANAGER_REASON_LIST(X)                                                                     \
	X(DONE, "done")                                                                            \
	X(TRAP, "trap")                                                                            \
	X(EXIT, "exit")                                                                            \
	X(FUEL, "fuel")                                                                            \
	X(TIME, "time")                                                                            \
	X(MEMORY, "memory")                                                                        \
	X(STACK, "stack")                                                                          \
	X(OUTPUT, "output")                                                                        \
	X(STOPPED, "stopped")                                                                      \
	X(PREEMPTED, "preempted")                                                                  \
	X(REFUSED, "refused")                                                                      \
	X(MODULE, "module")                                                                        \
	X(LOST, "lost")                                                                            \
	X(OTHER, "other")

/*
 * What placement says about one node for one task:
 * X(NAME, "word", 1 when waiting may change it without anybody acting, "sentence").
 */
#define PLACEMENT_VERDICT_LIST(X)                                                                  \
	X(FITS, "fits", 1, "the task fits")                                                        \
	X(DEAD, "dead", 0, "no sign of life")                                                      \
	X(DRAINING, "draining", 0, "is being drained")                                             \
	X(PINNED, "pinned", 0, "the task is pinned to another node")                               \
	X(REFUSED, "refused", 0, "the node refused this task")                                     \
	X(REQUIREMENT, "requirement", 0, "lacks what the task requires")                           \
	X(POWER, "power", 0, "does not run on mains power")                                        \
	X(BATTERY, "battery", 1, "battery below what the task asks for")                           \
	X(POOL, "pool", 0, "its memory pool is smaller than the task needs")                       \
	X(FLASH, "flash", 0, "too little flash for the module")                                    \
	X(MEMORY, "memory", 1, "largest free memory block is too small now")                       \
	X(RESERVED, "reserved", 1, "makes room for a task of higher priority")                     \
	X(SLOTS, "slots", 1, "runs as many tasks as it can")

/* Answers to commands: X(NAME, "sentence"). */
#define MANAGER_ANSWER_LIST(X)                                                                     \
	X(OK, "done")                                                                              \
	X(QUEUED, "waits for a node")                                                              \
	X(NOT_FOUND, "not found")                                                                  \
	X(NO_NODE, "no active proplets available")                                                 \
	X(NO_FIT, "no proplet satisfies what the task requires")                                   \
	X(UNMET, "the task has unmet dependencies")                                                \
	X(RUNNING, "the task is running already")                                                  \
	X(NOT_RUNNING, "the task is not running")                                                  \
	X(NOT_LATENT, "the task is not a latent task that runs")                                   \
	X(BUSY, "the proplet has tasks; stop or drain them first")                                 \
	X(FULL, "the manager holds as many live tasks as it can")

/* Things worth telling an operator: X(NAME, "kind of event"). */
#define MANAGER_NOTE_LIST(X)                                                                       \
	X(NODE_ALIVE, "node_alive")                                                                \
	X(NODE_SUSPECT, "node_suspect")                                                            \
	X(NODE_DEAD, "node_dead")                                                                  \
	X(NODE_GONE, "node_gone")                                                                  \
	X(NODES_FULL, "nodes_full")                                                                \
	X(TASK_PHASE, "task")                                                                      \
	X(TASK_PREEMPTED, "task_preempted")                                                        \
	X(TASK_BALANCED, "task_balanced")                                                          \
	X(TASK_REASSIGNED, "task_reassigned")                                                      \
	X(RESULT_LATE, "result_late")                                                              \
	X(RESULT_FOREIGN, "result_foreign")                                                        \
	X(START_REPEATED, "start_repeated")

#endif
