/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manager's step: one event, then work that is due, within the room of the action list.
 *
 * In:    events. Out: actions and the next wake-up.
 * Rules: 1. What does not fit this step's list stays in the work list, the timers or the queue
 *           and is done in the next step, which is asked for at once.
 *        2. A task that ended stays readable until the next step.
 */
#include "manager/core/internal.h"

#define ALIGN 16

void manager_config_default(struct manager_config *c)
{
	*c = (struct manager_config){
		.heartbeat_ms = 10000,
		.heartbeat_embedded_ms = 30000,
		.stop_wait_ms = 10000,
		.start_wait_ms = 3000,
		.preempt_gap = 10,
		.seed = 1,
	};
}

static uint32_t broadcast_words(const struct manager_limits *l)
{
	return (l->nodes_max + 63) / 64;
}

struct layout {
	size_t nodes, tasks, groups, edges, broadcasts, heap, node_slots, task_slots, group_slots;
	size_t total;
};

static size_t take(size_t *at, size_t bytes)
{
	size_t here = *at;

	*at = base_align_up(here + bytes, ALIGN);
	return here;
}

static struct layout layout_of(const struct manager_limits *l)
{
	size_t at = base_align_up(sizeof(struct manager), ALIGN);
	struct layout o;

	o.nodes = take(&at, l->nodes_max * sizeof(struct manager_node));
	o.tasks = take(&at, l->tasks_max * sizeof(struct manager_task));
	o.groups = take(&at, l->groups_max * sizeof(struct manager_group));
	o.edges = take(&at, (size_t)l->edges_max * 2 * sizeof(struct edge));
	o.broadcasts = take(&at, (size_t)l->broadcasts_max * (1 + broadcast_words(l)) * 8);
	o.heap = take(&at, ((size_t)l->tasks_max + l->nodes_max) * sizeof(struct heap_entry));
	o.node_slots = take(&at, index_slots(l->nodes_max) * sizeof(uint32_t));
	o.task_slots = take(&at, index_slots(l->tasks_max) * sizeof(uint32_t));
	o.group_slots = take(&at, index_slots(l->groups_max) * sizeof(uint32_t));
	o.total = at;
	return o;
}

size_t manager_mem_bytes(const struct manager_limits *limits)
{
	return layout_of(limits).total;
}

static struct index index_make(void *slots, uint32_t capacity, const char *ids, size_t stride)
{
	return (struct index){slots, index_slots(capacity) - 1, ids, stride};
}

struct manager *manager_init(const struct manager_limits *limits,
			     const struct manager_config *config, void *mem, size_t bytes)
{
	struct layout o = layout_of(limits);
	struct manager *m = mem;
	char *at = mem;

	ASSERT(bytes >= o.total && (uintptr_t)mem % ALIGN == 0);
	*m = (struct manager){.limits = *limits, .config = *config};
	m->nodes = (void *)(at + o.nodes);
	m->tasks = (void *)(at + o.tasks);
	m->groups = (void *)(at + o.groups);
	m->edges = (void *)(at + o.edges);
	m->broadcasts = (void *)(at + o.broadcasts);
	m->broadcast_words = broadcast_words(limits);
	m->heap = (void *)(at + o.heap);
	m->node_index = index_make(at + o.node_slots, limits->nodes_max, m->nodes[0].id,
				   sizeof(struct manager_node));
	m->task_index = index_make(at + o.task_slots, limits->tasks_max, m->tasks[0].id,
				   sizeof(struct manager_task));
	m->group_index = index_make(at + o.group_slots, limits->groups_max, m->groups[0].id,
				    sizeof(struct manager_group));
	m->nodes_free = m->tasks_free = m->groups_free = m->edges_free = MANAGER_NONE;
	m->graveyard = m->work_first = m->work_last = m->sweep = MANAGER_NONE;
	for (int p = 0; p <= MANAGER_PRIORITY_MAX; p++) {
		m->queue_first[p] = m->queue_last[p] = MANAGER_NONE;
	}
	return m;
}

struct manager_action *act(struct manager *m, enum manager_action_kind kind)
{
	struct manager_action *a;

	ASSERT(m->out->count < MANAGER_ACTIONS_MAX);
	a = &m->out->list[m->out->count++];
	*a = (struct manager_action){.kind = kind};
	return a;
}

void act_note(struct manager *m, enum manager_note note, const struct manager_task *t,
	      const struct manager_node *n)
{
	struct manager_action *a = act(m, MANAGER_ACTION_NOTE);

	a->note = note;
	a->task = t;
	a->task_id = t != NULL ? t->id : NULL;
	a->node = n;
	a->epoch = t != NULL ? t->epoch : 0;
}

void act_answer(struct manager *m, uint64_t request, enum manager_answer answer,
		const struct manager_task *t)
{
	struct manager_action *a;

	if (request == 0) {
		return;
	}
	a = act(m, MANAGER_ACTION_ANSWER);
	a->request = request;
	a->answer = answer;
	a->task = t;
	a->node = t != NULL && t->node != MANAGER_NONE ? &m->nodes[t->node] : NULL;
}

void work_push(struct manager *m, struct manager_task *t)
{
	uint32_t i = task_idx(m, t);

	if (t->in_work) {
		return;
	}
	t->in_work = true;
	t->work_next = MANAGER_NONE;
	if (m->work_last != MANAGER_NONE) {
		m->tasks[m->work_last].work_next = i;
	} else {
		m->work_first = i;
	}
	m->work_last = i;
}

static struct manager_task *work_pop(struct manager *m)
{
	struct manager_task *t;

	if (m->work_first == MANAGER_NONE) {
		return NULL;
	}
	t = &m->tasks[m->work_first];
	m->work_first = t->work_next;
	if (m->work_first == MANAGER_NONE) {
		m->work_last = MANAGER_NONE;
	}
	t->in_work = false;
	return t;
}

static bool has_room(const struct manager *m)
{
	return m->out->count + ACTIONS_PER_WORK <= MANAGER_ACTIONS_MAX;
}

static bool timer_pump(struct manager *m)
{
	while (m->heap_count > 0 && m->heap[0].due_ms <= m->now_ms) {
		uint32_t ref = m->heap[0].ref;

		if (!has_room(m)) {
			return false;
		}
		if ((ref & HEAP_NODE) != 0) {
			node_due(m, &m->nodes[ref & ~HEAP_NODE]);
		} else {
			task_due(m, &m->tasks[ref]);
		}
	}
	return true;
}

static bool work_pump(struct manager *m)
{
	while (m->work_first != MANAGER_NONE) {
		if (!has_room(m)) {
			return false;
		}
		task_evaluate(m, work_pop(m));
	}
	return true;
}

static void event_step(struct manager *m, const struct manager_event *e)
{
	switch (e->kind) {
	case MANAGER_EVENT_TICK:
		break;
	case MANAGER_EVENT_NODE_RESTORE:
	case MANAGER_EVENT_NODE_CREATE:
	case MANAGER_EVENT_NODE_ALIVE:
	case MANAGER_EVENT_NODE_GONE:
	case MANAGER_EVENT_NODE_DELETE:
	case MANAGER_EVENT_NODE_DRAIN:
		node_step(m, e);
		break;
	case MANAGER_EVENT_RESULT:
		result_take(m, e);
		break;
	case MANAGER_EVENT_GROUP_ADD:
	case MANAGER_EVENT_GROUP_READY:
	case MANAGER_EVENT_GROUP_DROP:
	case MANAGER_EVENT_GROUP_START:
	case MANAGER_EVENT_GROUP_STOP:
		group_step(m, e);
		break;
	case MANAGER_EVENT_TASK_ADD:
	case MANAGER_EVENT_TASK_DEPEND:
	case MANAGER_EVENT_TASK_REPORTED:
	case MANAGER_EVENT_TASK_SCHEDULE:
	case MANAGER_EVENT_TASK_SEND:
	case MANAGER_EVENT_TASK_START:
	case MANAGER_EVENT_TASK_STOP:
	case MANAGER_EVENT_TASK_DROP:
	case MANAGER_EVENT_TASK_INVOKE:
		command_step(m, e);
		break;
	}
}

void manager_step(struct manager *m, const struct manager_event *e, struct manager_actions *out)
{
	bool all;

	ASSERT(e->now_ms >= m->now_ms);
	out->count = 0;
	m->out = out;
	m->now_ms = e->now_ms;
	m->wall_ms = e->wall_ms;
	task_free_buried(m);
	event_step(m, e);
	all = timer_pump(m);
	all = work_pump(m) && all;
	all = all && queue_sweep(m);
	if (!all) {
		out->wake_ms = m->now_ms;
	} else {
		out->wake_ms = m->heap_count > 0 ? m->heap[0].due_ms : MANAGER_NEVER;
		if (m->sweep_wanted) {
			out->wake_ms = BASE_MIN(out->wake_ms, m->sweep_after_ms);
		}
	}
	m->out = NULL;
}

const struct manager_task *manager_task_find(const struct manager *m, const char *id)
{
	uint32_t i = index_find(&m->task_index, id);

	return i != MANAGER_NONE ? &m->tasks[i] : NULL;
}

const struct manager_node *manager_node_find(const struct manager *m, const char *id)
{
	uint32_t i = index_find(&m->node_index, id);

	return i != MANAGER_NONE ? &m->nodes[i] : NULL;
}

const struct manager_group *manager_group_find(const struct manager *m, const char *id)
{
	uint32_t i = index_find(&m->group_index, id);

	return i != MANAGER_NONE ? &m->groups[i] : NULL;
}

const struct manager_node *manager_node_at(const struct manager *m, uint32_t idx)
{
	return idx < m->nodes_high && m->nodes[idx].fit.used ? &m->nodes[idx] : NULL;
}

uint32_t manager_node_slots(const struct manager *m)
{
	return m->nodes_high;
}

const struct manager_task *manager_node_leases(const struct manager *m,
					       const struct manager_node *n, uint32_t *cursor)
{
	uint32_t i = *cursor == MANAGER_NONE ? n->tasks : m->tasks[*cursor].node_next;

	while (i != MANAGER_NONE &&
	       (m->tasks[i].lease_ms == 0 || m->tasks[i].phase == MANAGER_PHASE_STOPPING ||
		m->tasks[i].phase == MANAGER_PHASE_EVICTING)) {
		i = m->tasks[i].node_next;
	}
	*cursor = i;
	return i != MANAGER_NONE ? &m->tasks[i] : NULL;
}

const struct manager_task *manager_group_tasks(const struct manager *m,
					       const struct manager_group *g, uint32_t *cursor)
{
	uint32_t i = *cursor == MANAGER_NONE ? g->first : m->tasks[*cursor].group_next;

	*cursor = i;
	return i != MANAGER_NONE ? &m->tasks[i] : NULL;
}

void manager_count(const struct manager *m, struct manager_counts *out)
{
	*out = m->counts;
}

static void check_task(const struct manager *m, const struct manager_task *t)
{
	ASSERT((t->node != MANAGER_NONE) == (phase_is_assigned(t->phase) && !t->is_broadcast));
	ASSERT(t->in_queue == (t->phase == MANAGER_PHASE_QUEUED));
	ASSERT(t->heap_pos == 0 || m->heap[t->heap_pos - 1].due_ms == t->due_ms);
	ASSERT(t->forget || index_find(&m->task_index, t->id) == (uint32_t)(t - m->tasks));
	ASSERT(!phase_is_assigned(t->phase) || t->epoch > 0);
}

static void check_node(const struct manager *m, const struct manager_node *n)
{
	uint32_t count = 0;

	for (uint32_t i = n->tasks; i != MANAGER_NONE; i = m->tasks[i].node_next) {
		ASSERT(&m->nodes[m->tasks[i].node] == n);
		count++;
	}
	ASSERT(count == n->fit.running);
}

void manager_check(const struct manager *m)
{
	uint32_t live = 0;

	for (uint32_t i = 0; i < m->tasks_high; i++) {
		if (m->tasks[i].used) {
			check_task(m, &m->tasks[i]);
			live += !m->tasks[i].forget;
		}
	}
	ASSERT(live == m->counts.tasks_live);
	for (uint32_t i = 0; i < m->nodes_high; i++) {
		if (m->nodes[i].fit.used) {
			check_node(m, &m->nodes[i]);
		}
	}
	for (uint32_t i = 1; i < m->heap_count; i++) {
		ASSERT(m->heap[(i - 1) / 2].due_ms <= m->heap[i].due_ms);
	}
}
