/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the manager's core share. Private to manager/core. */
#ifndef MANAGER_CORE_INTERNAL_H
#define MANAGER_CORE_INTERNAL_H

#include "manager/core/core.h"

/* Room that one unit of work may need in the action list; the pump stops below it. */
#define ACTIONS_PER_WORK 12

/* Needs that a sweep of the queue remembers. */
#define SWEPT_MAX 8

/* Open-addressed map from an id to an index; slots hold index + 1, 0 is empty. */
struct index {
	uint32_t *slots;
	uint32_t mask;
	const char *ids;  /* of entry 0 */
	size_t id_stride; /* from one entry's id to the next */
};

struct edge {
	uint32_t task; /* the other end */
	uint32_t next;
};

struct heap_entry {
	uint64_t due_ms;
	uint32_t ref; /* task index, or node index with HEAP_NODE */
};
#define HEAP_NODE 0x80000000u

struct manager {
	struct manager_limits limits;
	struct manager_config config;
	struct manager_node *nodes;
	struct manager_task *tasks;
	struct manager_group *groups;
	struct edge *edges;
	uint64_t *broadcasts; /* broadcasts_max bit maps of nodes */
	struct heap_entry *heap;
	struct index node_index, task_index, group_index;
	uint32_t heap_count;
	uint32_t nodes_high, tasks_high, groups_high, edges_high; /* never used from here on */
	uint32_t nodes_free, tasks_free, groups_free, edges_free; /* lists of freed ones */
	uint32_t graveyard; /* tasks to free at the next step */
	uint32_t work_first, work_last;
	uint32_t queue_first[MANAGER_PRIORITY_MAX + 1], queue_last[MANAGER_PRIORITY_MAX + 1];
	uint64_t queue_bits[2]; /* priorities with somebody waiting */
	uint32_t sweep;         /* queued task to look at next; MANAGER_NONE: no sweep goes on */
	bool sweep_wanted;      /* something may fit now that did not */
	uint64_t sweep_after_ms;
	uint64_t sweep_judged; /* nodes looked at in this sweep */
	struct swept {
		struct placement_need need;
		struct placement_reason why;
		uint32_t why_count;
	} swept[SWEPT_MAX]; /* needs that nothing fitted in this sweep */
	uint32_t swept_count;
	uint64_t balance_after_ms;
	uint32_t broadcast_words;
	uint32_t alive_serial;
	uint64_t order;
	uint64_t now_ms;
	int64_t wall_ms;
	struct manager_counts counts;
	struct manager_actions *out;
};

/* index.c */
uint64_t index_hash(const char *id);
uint32_t index_find(const struct index *x, const char *id);
void index_insert(struct index *x, uint32_t idx);
void index_remove(struct index *x, uint32_t idx);
uint32_t index_slots(uint32_t capacity);
void manager_id_copy(char *to, size_t bytes, const char *from);

/* timer.c */
void timer_task(struct manager *m, struct manager_task *t, uint64_t due_ms);
void timer_node(struct manager *m, struct manager_node *n, uint64_t due_ms);

/* core.c */
struct manager_action *act(struct manager *m, enum manager_action_kind kind);
void act_note(struct manager *m, enum manager_note note, const struct manager_task *t,
	      const struct manager_node *n);
void act_answer(struct manager *m, uint64_t request, enum manager_answer answer,
		const struct manager_task *t);
void work_push(struct manager *m, struct manager_task *t);

static inline uint32_t task_idx(const struct manager *m, const struct manager_task *t)
{
	return (uint32_t)(t - m->tasks);
}

static inline uint32_t node_idx(const struct manager *m, const struct manager_node *n)
{
	return (uint32_t)(n - m->nodes);
}

static inline struct manager_node *node_of(struct manager *m, const struct manager_task *t)
{
	return t->node != MANAGER_NONE ? &m->nodes[t->node] : NULL;
}

static inline bool phase_is_assigned(uint8_t phase)
{
	return phase == MANAGER_PHASE_ASSIGNED || phase == MANAGER_PHASE_RUNNING ||
	       phase == MANAGER_PHASE_STOPPING || phase == MANAGER_PHASE_EVICTING ||
	       phase == MANAGER_PHASE_ORPHANED;
}

/* task.c: the life of one task */
struct manager_task *task_find(struct manager *m, const char *id);
struct manager_task *task_add(struct manager *m, const struct manager_event *e);
void task_move(struct manager *m, struct manager_task *t, enum manager_phase phase);
void task_store(struct manager *m, struct manager_task *t, const char *error);
void task_end(struct manager *m, struct manager_task *t, enum manager_state state,
	      enum manager_reason reason, const char *error, bool with_result);
void task_requeue(struct manager *m, struct manager_task *t);
void task_postpone(struct manager *m, struct manager_task *t, uint64_t wait_ms);
/* The same for a task whose node has told that it needs need_bytes and the node only has have. */
void task_requeue_larger(struct manager *m, struct manager_task *t, uint32_t need_bytes,
			 uint32_t have_bytes);
void task_lost(struct manager *m, struct manager_task *t, const char *error, bool with_result);
bool task_restart(struct manager *m, struct manager_task *t, bool with_result);
enum manager_answer task_start(struct manager *m, struct manager_task *t, bool may_wait);
void task_lost_contact(struct manager *m, struct manager_task *t);
void task_seen(struct manager *m, struct manager_task *t);
/* A start or renewal of the lease goes out: it holds for as long as the worker may count on it. */
void task_grant(struct manager *m, struct manager_task *t, const struct manager_node *n);
void task_unseen(struct manager *m, struct manager_task *t);
void task_send(struct manager *m, const struct manager_event *e);
void task_assign(struct manager *m, struct manager_task *t, struct manager_node *n);
void task_release(struct manager *m, struct manager_task *t);
void task_send_stop(struct manager *m, struct manager_task *t);
void task_due(struct manager *m, struct manager_task *t);
void task_evaluate(struct manager *m, struct manager_task *t);
void task_bury(struct manager *m, struct manager_task *t);
void task_free_buried(struct manager *m);
void task_stop(struct manager *m, struct manager_task *t);

/* command.c */
void command_step(struct manager *m, const struct manager_event *e);

/* balance.c: nodes that came back take a part */
void balance_returned(struct manager *m, struct manager_node *n);
void balance_pull(struct manager *m, struct manager_node *to);
void balance_rest(struct manager *m, struct manager_task *t); /* as if it had moved just now */

/* result.c */
void result_take(struct manager *m, const struct manager_event *e);

/* broadcast.c */
bool broadcast_start(struct manager *m, struct manager_task *t);
void broadcast_restore(struct manager *m, struct manager_task *t);
void broadcast_reported(struct manager *m, const struct manager_event *e);
void broadcast_due(struct manager *m, struct manager_task *t);
void broadcast_evaluate(struct manager *m, struct manager_task *t);
bool broadcast_any(const struct manager *m, uint32_t node);
bool broadcast_clear(struct manager *m, struct manager_task *t, uint32_t node);
void broadcast_end_if_over(struct manager *m, struct manager_task *t);
bool broadcast_empty(const struct manager *m, const struct manager_task *t);
void broadcast_free(struct manager *m, struct manager_task *t);
void broadcast_node_dead(struct manager *m, uint32_t node);

/* queue.c: tasks that wait for a node */
void queue_add(struct manager *m, struct manager_task *t);
void queue_remove(struct manager *m, struct manager_task *t);
bool queue_place(struct manager *m, struct manager_task *t);
void queue_place_on(struct manager *m, struct manager_node *n);
bool queue_sweep(struct manager *m);
void queue_unreserve(struct manager *m, struct manager_task *t);

/* node.c */
struct manager_node *node_find(struct manager *m, const char *id);
void node_step(struct manager *m, const struct manager_event *e);
void node_due(struct manager *m, struct manager_node *n);
void node_list_add(struct manager *m, struct manager_node *n, struct manager_task *t);
void node_list_remove(struct manager *m, struct manager_node *n, struct manager_task *t);

/* group.c: jobs and workflows */
struct manager_group *group_find(struct manager *m, const char *id);
void group_step(struct manager *m, const struct manager_event *e);
void group_start(struct manager *m, struct manager_group *g);
void group_add_task(struct manager *m, struct manager_group *g, struct manager_task *t);
void group_task_moved(struct manager *m, struct manager_task *t, enum manager_phase from,
		      enum manager_phase to);
void group_task_ended(struct manager *m, struct manager_task *t);
void group_want(struct manager *m, struct manager_task *t, bool wanted);
bool group_blocked(const struct manager *m, const struct manager_task *t);
bool group_failing(const struct manager *m, const struct manager_task *t);
void group_evaluate(struct manager *m, struct manager_task *t);
void group_close_if_over(struct manager *m, struct manager_group *g);
bool edge_add(struct manager *m, struct manager_task *t, struct manager_task *on);

#endif
