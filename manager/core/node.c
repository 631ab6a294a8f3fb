/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes: what they tell, whether they live, and what they hold.
 *
 *   unknown --create, alive--> alive --2 heartbeats missed--> suspect --3 missed, gone--> dead
 *                                ^------------- alive, create -----+------------------------+
 *
 * Rules: 1. A heartbeat's list of tasks is compared with ours: what is ours goes on, what is not
 *           is told to stop, what is missing twice is started again or taken as lost.
 *        2. A node's tasks are dealt with through the work list, so that a node with many
 *           tasks does not overflow a step.
 */
#include "manager/core/internal.h"

struct manager_node *node_find(struct manager *m, const char *id)
{
	uint32_t i = index_find(&m->node_index, id);

	return i != MANAGER_NONE ? &m->nodes[i] : NULL;
}

void node_list_add(struct manager *m, struct manager_node *n, struct manager_task *t)
{
	uint32_t i = task_idx(m, t);

	t->node = node_idx(m, n);
	t->node_prev = MANAGER_NONE;
	t->node_next = n->tasks;
	if (n->tasks != MANAGER_NONE) {
		m->tasks[n->tasks].node_prev = i;
	}
	n->tasks = i;
	n->fit.running++;
	m->counts.tasks_assigned++;
}

void node_list_remove(struct manager *m, struct manager_node *n, struct manager_task *t)
{
	if (t->node_prev != MANAGER_NONE) {
		m->tasks[t->node_prev].node_next = t->node_next;
	} else {
		n->tasks = t->node_next;
	}
	if (t->node_next != MANAGER_NONE) {
		m->tasks[t->node_next].node_prev = t->node_prev;
	}
	t->node = MANAGER_NONE;
	n->fit.running--;
	m->counts.tasks_assigned--;
}

static void evaluate_tasks(struct manager *m, struct manager_node *n)
{
	for (uint32_t i = n->tasks; i != MANAGER_NONE; i = m->tasks[i].node_next) {
		work_push(m, &m->tasks[i]);
	}
}

static void store_node(struct manager *m, struct manager_node *n, enum manager_note note)
{
	act(m, MANAGER_ACTION_STORE_NODE)->node = n;
	act_note(m, note, NULL, n);
}

static void node_arm(struct manager *m, struct manager_node *n)
{
	uint64_t due = MANAGER_NEVER;
	uint64_t hb = n->heartbeat_ms;

	if (n->fit.alive) {
		due = n->seen_ms +
		      hb * (n->fit.suspect ? MANAGER_MISSED_DEAD : MANAGER_MISSED_SUSPECT) + hb / 4;
	}
	if (n->awaited) {
		due = n->seen_ms + hb * MANAGER_MISSED_DEAD + hb / 4;
	}
	if (n->drain_deadline_ms > m->now_ms) {
		due = BASE_MIN(due, n->drain_deadline_ms);
	}
	timer_node(m, n, due);
}

static void node_dead(struct manager *m, struct manager_node *n, enum manager_note note)
{
	if (!n->fit.alive) {
		return;
	}
	n->fit.alive = false;
	m->counts.nodes_alive--;
	node_arm(m, n);
	store_node(m, n, note);
	evaluate_tasks(m, n);
	broadcast_node_dead(m, node_idx(m, n));
}

void node_due(struct manager *m, struct manager_node *n)
{
	uint64_t silent = m->now_ms - n->seen_ms;

	if (n->fit.alive && silent >= (uint64_t)n->heartbeat_ms * MANAGER_MISSED_DEAD) {
		node_dead(m, n, MANAGER_NOTE_NODE_DEAD);
	} else if (n->fit.alive && silent >= (uint64_t)n->heartbeat_ms * MANAGER_MISSED_SUSPECT) {
		n->fit.suspect = true;
		act_note(m, MANAGER_NOTE_NODE_SUSPECT, NULL, n);
	}
	if (n->awaited && silent >= (uint64_t)n->heartbeat_ms * MANAGER_MISSED_DEAD) {
		n->awaited = false;
		evaluate_tasks(m, n);
	}
	if (n->fit.draining) {
		evaluate_tasks(m, n);
	}
	node_arm(m, n);
}

static struct manager_node *node_slot(struct manager *m)
{
	struct manager_node *n;

	if (m->nodes_free != MANAGER_NONE) {
		n = &m->nodes[m->nodes_free];
		m->nodes_free = n->tasks;
		return n;
	}
	return m->nodes_high < m->limits.nodes_max ? &m->nodes[m->nodes_high++] : NULL;
}

static struct manager_node *node_add(struct manager *m, const char *id)
{
	struct manager_node *n = node_slot(m);

	if (n == NULL) {
		act_note(m, MANAGER_NOTE_NODES_FULL, NULL, NULL);
		return NULL;
	}
	*n = (struct manager_node){.tasks = MANAGER_NONE, .due_ms = MANAGER_NEVER};
	manager_id_copy(n->id, sizeof(n->id), id);
	n->fit.used = true;
	n->fit.id_hash = placement_hash("id", id);
	n->fit.battery_percent = 255;
	n->fit.mains = true;
	n->heartbeat_ms = m->config.heartbeat_ms;
	index_insert(&m->node_index, node_idx(m, n));
	m->counts.nodes++;
	return n;
}

/* Whether later messages of the node are here already: the broker may deliver one a second time. */
static bool is_stale(const struct manager_node *n, uint64_t connection, bool has,
		     uint64_t uptime_ms)
{
	for (int i = 0; connection != 0 && i < MANAGER_CONNECTIONS_MAX; i++) {
		if (connection == n->connections_before[i]) {
			return true;
		}
	}
	return connection != 0 && connection == n->connection && n->has_uptime && has &&
	       uptime_ms < n->uptime_ms;
}

/* From what instant, on the node's clock and on ours, leases are counted. */
static void take_uptime(struct manager *m, struct manager_node *n, uint64_t connection, bool has,
			uint64_t uptime_ms)
{
	if (connection != 0 && connection != n->connection) {
		for (int i = MANAGER_CONNECTIONS_MAX - 1; i > 0; i--) {
			n->connections_before[i] = n->connections_before[i - 1];
		}
		n->connections_before[0] = n->connection;
	} else if (n->has_uptime && has && uptime_ms == n->uptime_ms) {
		return; /* the same again */
	}
	n->connection = connection != 0 ? connection : n->connection;
	n->has_uptime = has && connection != 0;
	n->uptime_ms = uptime_ms;
	n->uptime_at_ms = m->now_ms;
}

/* Takes over what the node tells of itself; what we know of it stays. */
static void take_facts(struct manager *m, struct manager_node *n,
		       const struct manager_node_facts *f)
{
	struct placement_node had = n->fit;

	n->fit = f->fit;
	n->fit.id_hash = had.id_hash;
	n->fit.used = true;
	n->fit.alive = had.alive;
	n->fit.suspect = had.suspect;
	n->fit.draining = had.draining;
	n->fit.running = had.running;
	n->fit.reserved = had.reserved;
	memcpy(n->fit.cached, had.cached, sizeof(had.cached));
	n->fit.cached_next = had.cached_next;
	n->ours = f->ours;
	n->direct = f->direct;
	n->embedded = f->embedded;
	take_uptime(m, n, f->connection, f->has_uptime, f->uptime_ms);
	n->aot = f->aot;
	n->heartbeat_ms = f->heartbeat_ms != 0 ? f->heartbeat_ms
			  : f->embedded        ? m->config.heartbeat_embedded_ms
					       : m->config.heartbeat_ms;
	if (f->name != NULL && n->name[0] == '\0') {
		manager_id_copy(n->name, sizeof(n->name), f->name);
	}
}

static void node_alive(struct manager *m, struct manager_node *n)
{
	n->seen_ms = m->now_ms;
	n->awaited = n->unseen = false;
	n->alive_at_ms[n->alive_count++ % MANAGER_ALIVE_AT_MAX] = m->wall_ms;
	n->fit.suspect = false;
	if (!n->fit.alive) {
		n->fit.alive = true;
		m->counts.nodes_alive++;
		store_node(m, n, MANAGER_NOTE_NODE_ALIVE);
		balance_returned(m, n);
		if (!n->ours) {
			evaluate_tasks(m, n);
		}
	}
	node_arm(m, n);
}

static void place_waiting(struct manager *m, struct manager_node *n)
{
	if ((m->queue_bits[0] | m->queue_bits[1]) != 0 && !n->fit.draining) {
		queue_place_on(m, n);
	}
}

/* A worker of Propeller's announces itself only when it starts: what it ran is gone. */
static void lose_all(struct manager *m, struct manager_node *n)
{
	for (uint32_t i = n->tasks; i != MANAGER_NONE; i = m->tasks[i].node_next) {
		m->tasks[i].gone = true;
		work_push(m, &m->tasks[i]);
	}
}

static void create(struct manager *m, const struct manager_event *e)
{
	const struct manager_node_facts *f = &e->u.node;
	struct manager_node *n = node_find(m, f->id);

	if (n == NULL) {
		n = node_add(m, f->id);
	} else if (!f->ours && e->kind == MANAGER_EVENT_NODE_CREATE) {
		lose_all(m, n);
	}
	if (n == NULL || is_stale(n, f->connection, f->has_uptime, f->uptime_ms)) {
		return;
	}
	take_facts(m, n, f);
	if (e->kind == MANAGER_EVENT_NODE_CREATE) {
		node_alive(m, n);
		place_waiting(m, n);
	} else if (!n->fit.alive) {
		n->seen_ms = m->now_ms; /* it may have died meanwhile */
		n->awaited = n->unseen = true;
		node_arm(m, n);
	}
}

static void stop_stale(struct manager *m, const struct manager_held *h, struct manager_node *n)
{
	struct manager_action *a = act(m, MANAGER_ACTION_SEND_STOP);

	a->task_id = h->id;
	a->epoch = h->epoch;
	a->node = n;
}

static bool few_left(const struct manager *m)
{
	return m->out->count + 2 * ACTIONS_PER_WORK > MANAGER_ACTIONS_MAX;
}

/* Compares what the node holds with what it should hold. */
static void reconcile(struct manager *m, struct manager_node *n, const struct manager_event *e)
{
	uint32_t next;

	m->alive_serial++;
	for (uint32_t i = 0; i < e->u.alive.held_count && !few_left(m); i++) {
		const struct manager_held *h = &e->u.alive.held[i];
		struct manager_task *t = task_find(m, h->id);

		if (t != NULL && t->is_broadcast && phase_is_assigned(t->phase)) {
			continue;
		}
		if (t == NULL || t->node != node_idx(m, n) || t->epoch != h->epoch) {
			stop_stale(m, h, n);
			continue;
		}
		t->seen_serial = m->alive_serial;
		task_seen(m, t);
	}
	for (uint32_t i = n->tasks; i != MANAGER_NONE && !few_left(m); i = next) {
		struct manager_task *t = &m->tasks[i];

		next = t->node_next;
		if (t->seen_serial == m->alive_serial) {
			continue;
		}
		if (t->phase == MANAGER_PHASE_ASSIGNED) {
			n->fit.free_bytes -= BASE_MIN(n->fit.free_bytes, t->need.memory_bytes);
		}
		if (e->u.alive.held_complete) {
			task_unseen(m, t);
		}
	}
}

static void send_leases(struct manager *m, struct manager_node *n)
{
	uint32_t cursor = MANAGER_NONE;

	if (manager_node_leases(m, n, &cursor) == NULL) {
		return;
	}
	while (cursor != MANAGER_NONE) {
		task_grant(m, &m->tasks[cursor], n);
		(void)manager_node_leases(m, n, &cursor);
	}
	act(m, MANAGER_ACTION_SEND_LEASE)->node = n;
}

static void alive(struct manager *m, const struct manager_event *e)
{
	struct manager_node *n = node_find(m, e->u.alive.id);

	n = n != NULL ? n : node_add(m, e->u.alive.id);
	if (n == NULL ||
	    is_stale(n, e->u.alive.connection, e->u.alive.has_uptime, e->u.alive.uptime_ms)) {
		return;
	}
	node_alive(m, n);
	take_uptime(m, n, e->u.alive.connection, e->u.alive.has_uptime, e->u.alive.uptime_ms);
	n->fit.free_bytes = e->u.alive.has_free ? e->u.alive.free_bytes : n->fit.free_bytes;
	n->fit.load_percent = e->u.alive.has_load ? e->u.alive.load_percent : n->fit.load_percent;
	if (e->u.alive.has_battery) {
		n->fit.battery_percent = e->u.alive.battery_percent;
	}
	if (n->ours && (e->u.alive.held_count != 0 || e->u.alive.held_complete)) {
		reconcile(m, n, e);
	}
	if (n->ours) {
		send_leases(m, n);
	}
	place_waiting(m, n);
	balance_pull(m, n);
}

static void delete (struct manager *m, const struct manager_event *e)
{
	struct manager_node *n = node_find(m, e->u.node_id.id);

	if (n == NULL) {
		act_answer(m, e->request, MANAGER_ANSWER_NOT_FOUND, NULL);
		return;
	}
	if (n->tasks != MANAGER_NONE || broadcast_any(m, node_idx(m, n))) {
		act_answer(m, e->request, MANAGER_ANSWER_BUSY, NULL);
		return;
	}
	m->counts.nodes_alive -= n->fit.alive;
	m->counts.nodes--;
	n->fit.alive = false;
	timer_node(m, n, MANAGER_NEVER);
	index_remove(&m->node_index, node_idx(m, n));
	n->fit.used = false;
	n->tasks = m->nodes_free;
	m->nodes_free = node_idx(m, n);
	act_answer(m, e->request, MANAGER_ANSWER_OK, NULL);
}

static void drain(struct manager *m, const struct manager_event *e)
{
	struct manager_node *n = node_find(m, e->u.node_id.id);

	if (n == NULL) {
		act_answer(m, e->request, MANAGER_ANSWER_NOT_FOUND, NULL);
		return;
	}
	n->fit.draining = e->u.node_id.drain;
	if (!n->fit.draining) {
		balance_returned(m, n);
	}
	n->drain_deadline_ms = n->fit.draining && e->u.node_id.deadline_ms != 0
				       ? m->now_ms + e->u.node_id.deadline_ms
				       : 0;
	act(m, MANAGER_ACTION_STORE_NODE)->node = n;
	act_answer(m, e->request, MANAGER_ANSWER_OK, NULL);
	evaluate_tasks(m, n);
	node_arm(m, n);
	if (n->fit.alive) {
		place_waiting(m, n);
	}
}

void node_step(struct manager *m, const struct manager_event *e)
{
	struct manager_node *n;

	switch (e->kind) {
	case MANAGER_EVENT_NODE_RESTORE:
	case MANAGER_EVENT_NODE_CREATE:
		create(m, e);
		break;
	case MANAGER_EVENT_NODE_ALIVE:
		alive(m, e);
		break;
	case MANAGER_EVENT_NODE_GONE:
		n = node_find(m, e->u.node_id.id);
		if (n != NULL) {
			node_dead(m, n, MANAGER_NOTE_NODE_GONE);
		}
		break;
	case MANAGER_EVENT_NODE_DELETE:
		delete (m, e);
		break;
	default:
		drain(m, e);
		break;
	}
}
