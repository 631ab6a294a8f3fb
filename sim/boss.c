/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manager: the shipping core, and a port with a store whose transactions take time.
 *
 *     message, command --> core --> actions: transitions to store | then, when they are durable, messages and answers
 *
 * Rules: 1. Actions are carried out in their order; what follows a transition waits until it is durable.
 *        2. A kill loses the core and every transaction that was not durable; the rows stay.
 *        3. The rows of tasks are in the truth (struct sim_task), as a database would have them.
 */
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	ARENA_BYTES = 65536,
	HELD_MAX = 64,
	PAYLOAD_BYTES = 2048
};

#define GROUP_REQUESTS                                                                             \
	(UINT64_C(1) << 32) /* + 1 + number: a group's start; smaller ones: a task's */

/* A part of a transaction, or what waits for it. */
enum step_kind {
	STEP_ROW,
	STEP_SEND,
	STEP_ANSWER
};

struct step {
	enum step_kind kind;
	uint32_t task, node; /* task: in the truth; node: whose message it is */
	struct sim_msg *msg;
	struct sim_msg *other; /* a second start, that a mutation sends */
	uint32_t other_node;
	uint64_t request;
	enum manager_answer answer;
	uint8_t phase, state;
	uint32_t row_epoch, row_node;
	bool result, ok;
};

struct batch {
	struct batch *next;
	uint32_t count;
	struct step steps[];
};

struct sim_boss {
	struct manager *core;
	void *mem;
	size_t mem_bytes;
	struct manager_limits limits;
	uint32_t life;
	bool up;
	uint64_t wake_ms;
	struct batch *first, *last; /* not durable yet */
	struct manager_actions out;
	struct manager_node_facts *facts; /* rows of nodes; id NULL: none */
	char arena[ARENA_BYTES];
	uint32_t result_task; /* of the result at hand */
	bool result_ok;
};

bool boss_up(const struct sim_world *w)
{
	return w->boss->up;
}

uint32_t boss_life(const struct sim_world *w)
{
	return w->boss->life;
}

static uint32_t node_number(const char *id)
{
	return (uint32_t)strtoul(id + 5, NULL, 10);
}

/* ---- messages to workers ------------------------------------------------------------------------------ */

static struct sim_msg *write_message(enum wire_topic topic, const struct wire_table *table,
				     const void *message, uint8_t qos)
{
	char payload[PAYLOAD_BYTES];
	size_t n = wire_write(table, message, 0, payload, sizeof(payload));

	ASSERT(n <= sizeof(payload));
	return msg_new(topic, payload, n, qos);
}

static bool names_answered(const struct sim_world *w)
{
	return w->mutation != SIM_MUTATION_RECEIPT && w->mutation != SIM_MUTATION_ANY_CONNECTION;
}

static int64_t told_lease(const struct sim_world *w)
{
	return w->mutation == SIM_MUTATION_ENDLESS_LEASE ? 24 * HOUR : (int64_t)w->s.lease;
}

static struct sim_msg *start_message(struct sim_world *w, const struct sim_task *t,
				     const struct manager_action *a)
{
	static const uint8_t policies[] = {WIRE_POLICY_KEEP, WIRE_POLICY_STOP, WIRE_POLICY_PARK};
	struct wire_start m = {0};
	char inputs[64], number[24];
	struct wire_list list = {0};

	WIRE_SET_STR(&m, start, id, t->id);
	WIRE_SET_STR(&m, start, name, "run");
	WIRE_SET(&m, start, epoch, w->mutation == SIM_MUTATION_SAME_EPOCH ? 1 : a->epoch);
	if (a->node->connection != 0 && w->mutation != SIM_MUTATION_ANY_CONNECTION) {
		WIRE_SET(&m, start, connection, (int64_t)a->node->connection);
	}
	if (a->node->has_uptime && names_answered(w)) {
		WIRE_SET(&m, start, uptime_ms, (int64_t)a->node->uptime_ms);
	}
	WIRE_SET(&m, start, lease_ms, told_lease(w));
	WIRE_SET_STR(&m, start, proplet_id, a->node->id);
	WIRE_SET(&m, start, priority, t->priority);
	WIRE_SET(&m, start, policy, policies[t->policy]);
	m.seen |= WIRE_BIT(start, module);
	memcpy(m.module.digest.sha256, module_digest(t->module), 32);
	m.module.seen = WIRE_BIT(module, digest);
	WIRE_SET(&m.module, module, size, SIM_MODULE_BYTES);
	snprintf(number, sizeof(number), "%u", (unsigned)t->work);
	wire_list_add(&list, inputs, sizeof(inputs), number, strlen(number));
	snprintf(number, sizeof(number), "%u", t->behaviour);
	wire_list_add(&list, inputs, sizeof(inputs), number, strlen(number));
	WIRE_SET(&m, start, inputs, list);
	if (t->limit_ms != 0) {
		m.seen |= WIRE_BIT(start, limits);
		WIRE_SET(&m.limits, limits, time_ms, (int64_t)t->limit_ms);
	}
	return write_message(WIRE_TOPIC_START_TO, &wire_table_start, &m, 1);
}

/* The answer of a manager that renews whatever it is told of. */
static void renew_all(struct sim_world *w, const struct wire_alive *heard)
{
	struct wire_lease m = {0};
	struct sim_msg *msg;

	if (w->mutation != SIM_MUTATION_RENEW_ALL || heard->tasks.count == 0) {
		return;
	}
	m.seen |= WIRE_BIT(lease, tasks);
	m.tasks = heard->tasks;
	WIRE_SET(&m, lease, lease_ms, told_lease(w));
	WIRE_SET(&m, lease, connection, heard->connection);
	WIRE_SET(&m, lease, uptime_ms, heard->uptime_ms);
	msg = write_message(WIRE_TOPIC_LEASE_TO, &wire_table_lease, &m, 0);
	net_to_node(w, node_number(heard->proplet_id.at), msg);
	msg_drop(msg);
}

static struct sim_msg *lease_message(struct sim_world *w, const struct manager_action *a)
{
	static struct wire_held held[HELD_MAX];
	struct wire_lease m = {0};
	const struct manager_task *t;
	uint32_t cursor = MANAGER_NONE, n = 0;

	while ((t = manager_node_leases(w->boss->core, a->node, &cursor)) != NULL && n < HELD_MAX) {
		held[n] = (struct wire_held){0};
		WIRE_SET_STR(&held[n], held, id, t->id);
		WIRE_SET(&held[n], held, epoch, t->epoch);
		if (n > 0) {
			held[n - 1].link.next = &held[n].link;
		}
		n++;
	}
	if (n == 0) {
		return NULL;
	}
	m.seen |= WIRE_BIT(lease, tasks);
	m.tasks = (struct wire_objects){&held[0].link, &held[n - 1].link, n};
	WIRE_SET(&m, lease, lease_ms, told_lease(w));
	if (a->node->has_uptime && names_answered(w)) {
		WIRE_SET(&m, lease, connection, (int64_t)a->node->connection);
		WIRE_SET(&m, lease, uptime_ms, (int64_t)a->node->uptime_ms);
	}
	return write_message(WIRE_TOPIC_LEASE_TO, &wire_table_lease, &m, 0);
}

static struct sim_msg *stop_message(const struct manager_action *a)
{
	struct wire_stop m = {0};

	WIRE_SET_STR(&m, stop, id, a->task_id);
	WIRE_SET(&m, stop, epoch, a->epoch);
	return write_message(WIRE_TOPIC_STOP_TO, &wire_table_stop, &m, 1);
}

static struct sim_msg *ack_message(const struct manager_action *a)
{
	struct wire_ack m = {0};

	WIRE_SET_STR(&m, ack, task_id, a->task_id);
	WIRE_SET(&m, ack, epoch, a->epoch);
	return write_message(WIRE_TOPIC_ACK_TO, &wire_table_ack, &m, 1);
}

/* ---- carrying out ------------------------------------------------------------------------------------- */

static void do_row(struct sim_world *w, const struct step *s)
{
	struct sim_task *t = &w->tasks[s->task];

	if (w->mutation == SIM_MUTATION_FORGET_STORE && prng_below(&w->chance, 50) == 0) {
		return;
	}
	t->phase = s->phase;
	t->state = s->state;
	t->row_epoch = s->row_epoch;
	t->row_node = s->row_node;
	truth_row(w, t);
	if (s->result &&
	    !(w->mutation == SIM_MUTATION_DROP_RESULT && prng_below(&w->chance, 50) == 0)) {
		truth_result(w, t, s->row_epoch, s->ok);
	}
	world_note(w, 1000 + s->phase, s->task, s->row_epoch);
	world_tell(w, t->id, "store: %s, %s, epoch %u", manager_phase_word(s->phase),
		   manager_state_word(s->state), s->row_epoch);
}

static void do_send(struct sim_world *w, const struct step *s)
{
	net_to_node(w, s->node, s->msg);
	if (s->other != NULL) {
		net_to_node(w, s->other_node, s->other);
	}
}

static void accept(struct sim_world *w, struct sim_task *t)
{
	if (!t->accepted) {
		t->accepted = true;
		w->stats.accepted++;
		world_tell(w, t->id, "accepted");
	}
}

static void do_answer(struct sim_world *w, const struct step *s)
{
	if (s->answer != MANAGER_ANSWER_OK && s->answer != MANAGER_ANSWER_QUEUED) {
		return;
	}
	if (s->request > GROUP_REQUESTS) {
		struct sim_group *g = &w->groups[s->request - GROUP_REQUESTS - 1];

		w->stats.groups += !g->accepted;
		g->accepted = true;
		for (uint32_t i = g->first; i < g->first + g->count; i++) {
			accept(w, &w->tasks[i]);
		}
	} else {
		accept(w, &w->tasks[s->request - 1]);
	}
}

static void do_step(struct sim_world *w, struct step *s)
{
	switch (s->kind) {
	case STEP_ROW:
		do_row(w, s);
		break;
	case STEP_SEND:
		do_send(w, s);
		msg_drop(s->msg);
		msg_drop(s->other);
		break;
	default:
		do_answer(w, s);
		break;
	}
}

static void start_elsewhere(struct sim_world *w, const struct sim_task *t,
			    const struct manager_action *a, struct step *out)
{
	struct manager_action other = *a;

	out->other_node = (out->node + 1) % (uint32_t)w->s.nodes;
	other.node = manager_node_find(w->boss->core, w->nodes[out->other_node].id);
	if (other.node != NULL && other.node != a->node) {
		out->other = start_message(w, t, &other);
	}
}

static bool make_step(struct sim_world *w, const struct manager_action *a, struct step *out)
{
	struct sim_boss *b = w->boss;
	struct sim_task *t = NULL;

	if (a->task != NULL) {
		t = truth_task(w, a->task->id, strlen(a->task->id));
	}
	*out = (struct step){.kind = STEP_SEND,
			     .node = a->node != NULL ? node_number(a->node->id) : 0};
	switch (a->kind) {
	case MANAGER_ACTION_STORE_TASK:
	case MANAGER_ACTION_STORE_RESULT:
		ASSERT(t != NULL);
		out->kind = STEP_ROW;
		out->task = (uint32_t)(t - w->tasks);
		out->phase = a->task->phase;
		out->state = a->task->state;
		out->row_epoch = a->task->epoch;
		out->row_node = UINT32_MAX;
		if (a->task->node != MANAGER_NONE) {
			out->row_node = node_number(manager_node_at(b->core, a->task->node)->id);
		}
		out->result = a->kind == MANAGER_ACTION_STORE_RESULT;
		out->ok = b->result_ok;
		return true;
	case MANAGER_ACTION_SEND_START:
		ASSERT(t != NULL && a->node != NULL);
		w->stats.placements++;
		t->starts++;
		world_tell(w, t->id, "start to %s, epoch %u", a->node->id, a->epoch);
		out->msg = start_message(w, t, a);
		if (w->mutation == SIM_MUTATION_TWICE && prng_below(&w->chance, 20) == 0) {
			start_elsewhere(w, t, a, out);
		}
		return true;
	case MANAGER_ACTION_SEND_STOP:
		if (a->node == NULL) {
			return false;
		}
		out->msg = stop_message(a);
		return true;
	case MANAGER_ACTION_SEND_ACK:
		out->msg = ack_message(a);
		return true;
	case MANAGER_ACTION_SEND_LEASE:
		out->msg = lease_message(w, a);
		return out->msg != NULL;
	case MANAGER_ACTION_ANSWER:
		out->kind = STEP_ANSWER;
		out->request = a->request;
		out->answer = a->answer;
		return a->request != 0;
	default:
		return false;
	}
}

static void note(struct sim_world *w, const struct manager_action *a)
{
	if (a->kind != MANAGER_ACTION_NOTE) {
		return;
	}
	if (a->note == MANAGER_NOTE_TASK_REASSIGNED) {
		w->stats.reassigned++;
	} else if (a->note == MANAGER_NOTE_RESULT_LATE) {
		w->stats.results_late++;
	} else if (a->note == MANAGER_NOTE_TASK_BALANCED) {
		truth_balanced(w, truth_task(w, a->task->id, strlen(a->task->id)));
	}
	if (a->task != NULL) {
		world_tell(w, a->task->id, "note: %s%s%s", manager_note_word(a->note),
			   a->node ? " " : "", a->node ? a->node->id : "");
	}
}

static void queue(struct sim_world *w, struct batch *batch)
{
	struct sim_boss *b = w->boss;

	batch->next = NULL;
	if (b->last != NULL) {
		b->last->next = batch;
	} else {
		b->first = batch;
	}
	b->last = batch;
	world_at(w, w->now + world_between(w, w->s.commit), SIM_BOSS_COMMIT, 0, b->life, 0, 0,
		 NULL);
}

/* One step of the core's actions: at once when nothing must be stored and nothing waits before. */
static void carry_out(struct sim_world *w, const struct manager_actions *out)
{
	struct batch *batch;
	bool stores = false;

	if (out->count == 0) {
		return;
	}
	batch = malloc(sizeof(*batch) + out->count * sizeof(batch->steps[0]));
	batch->count = 0;
	for (uint32_t i = 0; i < out->count; i++) {
		note(w, &out->list[i]);
		if (make_step(w, &out->list[i], &batch->steps[batch->count])) {
			struct step *s = &batch->steps[batch->count++];

			stores |= s->kind == STEP_ROW;
			if (w->mutation == SIM_MUTATION_ACK_EARLY && s->kind != STEP_ROW) {
				do_step(w, s);
				batch->count--;
			}
		}
	}
	if (stores || w->boss->first != NULL) {
		queue(w, batch);
		return;
	}
	for (uint32_t i = 0; i < batch->count; i++) {
		do_step(w, &batch->steps[i]);
	}
	free(batch);
}

static void commit(struct sim_world *w)
{
	struct sim_boss *b = w->boss;
	struct batch *batch = b->first;

	if (batch == NULL) {
		return;
	}
	b->first = batch->next;
	if (b->first == NULL) {
		b->last = NULL;
	}
	for (uint32_t i = 0; i < batch->count; i++) {
		do_step(w, &batch->steps[i]);
	}
	free(batch);
}

static void step(struct sim_world *w, struct manager_event *e)
{
	struct sim_boss *b = w->boss;

	e->now_ms = w->now + 1;
	e->wall_ms = (int64_t)w->now + 1700000000000 + w->boss_wall_offset;
	manager_step(b->core, e, &b->out);
	carry_out(w, &b->out);
	if (b->out.wake_ms != MANAGER_NEVER) {
		uint64_t at = b->out.wake_ms <= w->now + 1 ? w->now + 1 : b->out.wake_ms - 1;

		if (b->wake_ms <= w->now || at < b->wake_ms) {
			b->wake_ms = at;
			world_at(w, at, SIM_BOSS_WAKE, 0, b->life, 0, 0, NULL);
		}
	}
}

/* ---- messages of workers ------------------------------------------------------------------------------ */

static void on_create(struct sim_world *w, const struct wire_create *m)
{
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_CREATE};
	uint32_t n = node_number(m->proplet_id.at);
	struct manager_node_facts *f = &w->boss->facts[n];

	memset(f, 0, sizeof(*f));
	f->id = f->name = w->nodes[n].id;
	f->fit.pool_bytes = (uint32_t)m->metadata.pool_bytes;
	f->fit.free_bytes = (uint32_t)m->metadata.free_bytes;
	f->fit.tasks_max = (uint16_t)m->metadata.tasks_max;
	f->fit.battery_percent = WIRE_HAS(&m->metadata, metadata, battery_percent)
					 ? (uint8_t)m->metadata.battery_percent
					 : 255;
	f->fit.mains = !w->nodes[n].on_battery;
	f->heartbeat_ms = (uint32_t)m->metadata.heartbeat_ms;
	f->connection = (uint64_t)m->connection;
	f->has_uptime = WIRE_HAS(m, create, uptime_ms);
	f->uptime_ms = (uint64_t)m->uptime_ms;
	f->ours = true;
	f->direct = m->metadata.direct;
	e.u.node = *f;
	step(w, &e);
}

static void on_alive(struct sim_world *w, const struct wire_alive *m)
{
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_ALIVE};
	struct manager_held held[HELD_MAX];
	uint32_t n = 0;

	for (const struct wire_link *at = m->tasks.first; at != NULL && n < HELD_MAX;
	     at = at->next) {
		const struct wire_held *h = (const void *)at;

		held[n++] = (struct manager_held){h->id.at, (uint32_t)h->epoch};
	}
	e.u.alive.id = m->proplet_id.at;
	e.u.alive.held = held;
	e.u.alive.connection = (uint64_t)m->connection;
	e.u.alive.has_uptime = WIRE_HAS(m, alive, uptime_ms);
	e.u.alive.uptime_ms = (uint64_t)m->uptime_ms;
	e.u.alive.held_count = n;
	e.u.alive.held_complete = WIRE_HAS(m, alive, tasks) && !m->tasks_more;
	e.u.alive.has_free = WIRE_HAS(m, alive, free_bytes);
	e.u.alive.free_bytes = (uint32_t)m->free_bytes;
	e.u.alive.has_battery = WIRE_HAS(m, alive, battery_percent);
	e.u.alive.battery_percent = (uint8_t)m->battery_percent;
	step(w, &e);
	renew_all(w, m);
}

static void on_gone(struct sim_world *w, const struct wire_gone *m)
{
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_GONE};

	e.u.node_id.id = m->proplet_id.at;
	step(w, &e);
}

/* What a refusal says about room, as the manager's port reads it. */
static void told_room(const char *error, struct manager_event *e)
{
	unsigned long long need;
	unsigned have;

	e->u.result.busy = strstr(error, "every task slot is taken") != NULL;
	if (sscanf(error, "refused: no room: needs %llu bytes, the largest free block is %u", &need,
		   &have) == 2 &&
	    need <= UINT32_MAX) {
		e->u.result.need_bytes = (uint32_t)need;
		e->u.result.have_bytes = have;
	}
}

static void on_results(struct sim_world *w, const struct wire_results *m)
{
	struct manager_event e = {.kind = MANAGER_EVENT_RESULT};
	const struct manager_task *known = manager_task_find(w->boss->core, m->task_id.at);

	e.u.result.task_id = m->task_id.at;
	e.u.result.node_id = m->proplet_id.at;
	e.u.result.epoch = (uint32_t)m->epoch;
	if (w->mutation == SIM_MUTATION_OLD_EPOCH && known != NULL) {
		e.u.result.epoch = known->epoch;
	}
	e.u.result.ok = m->error.bytes == 0;
	e.u.result.empty = m->results.bytes == 0;
	e.u.result.reason = e.u.result.ok ? MANAGER_REASON_DONE
			    : WIRE_HAS(m, results, reason)
				    ? manager_reason_of(wire_words_REASON[m->reason])
				    : MANAGER_REASON_OTHER;
	if (!e.u.result.ok) {
		told_room(m->error.at, &e);
	}
	w->boss->result_ok = e.u.result.ok;
	world_tell(w, m->task_id.at, "result of epoch %u from %s: %s", e.u.result.epoch,
		   m->proplet_id.at, m->error.bytes != 0 ? m->error.at : "done");
	step(w, &e);
}

static void on_request(struct sim_world *w, const struct wire_request *m)
{
	uint8_t digest[32];
	struct wire_chunk c = {0};
	uint32_t module, size = (uint32_t)m->chunk_bytes, at = (uint32_t)m->offset;
	struct sim_msg *msg;

	if (!wire_digest_parse(m->app_name, digest) ||
	    (module = module_find(digest)) == UINT32_MAX || size == 0 || at >= SIM_MODULE_BYTES ||
	    m->proplet_id.bytes == 0) {
		return;
	}
	size = BASE_MIN(size, SIM_MODULE_BYTES - at);
	WIRE_SET(&c, chunk, app_name, m->app_name);
	WIRE_SET(&c, chunk, chunk_idx, at / m->chunk_bytes);
	WIRE_SET(&c, chunk, total_chunks, (SIM_MODULE_BYTES + m->chunk_bytes - 1) / m->chunk_bytes);
	WIRE_SET(&c, chunk, offset, at);
	WIRE_SET(&c, chunk, size, SIM_MODULE_BYTES);
	WIRE_SET(&c, chunk, data, (struct wire_bytes){module_bytes(module) + at, size});
	msg = write_message(WIRE_TOPIC_CHUNK_TO, &wire_table_chunk, &c, 1);
	net_to_node(w, node_number(m->proplet_id.at), msg);
	msg_drop(msg);
}

union any_message {
	struct wire_create create;
	struct wire_alive alive;
	struct wire_gone gone;
	struct wire_results results;
	struct wire_request request;
};

static void hear(struct sim_world *w, const struct sim_msg *msg)
{
	struct wire_reader r;
	union any_message m;

	if (msg->topic != WIRE_TOPIC_CREATE && msg->topic != WIRE_TOPIC_ALIVE &&
	    msg->topic != WIRE_TOPIC_GONE && msg->topic != WIRE_TOPIC_RESULTS &&
	    msg->topic != WIRE_TOPIC_REQUEST) {
		return;
	}
	if (wire_read_all(&r, wire_topic_table(msg->topic), &m, w->boss->arena, ARENA_BYTES,
			  msg->payload, msg->bytes) != WIRE_DONE) {
		world_violation(w, "a worker sent a message that cannot be read: %s: %s", r.diag,
				msg->payload);
		return;
	}
	switch (msg->topic) {
	case WIRE_TOPIC_CREATE:
		on_create(w, &m.create);
		break;
	case WIRE_TOPIC_ALIVE:
		on_alive(w, &m.alive);
		break;
	case WIRE_TOPIC_GONE:
		on_gone(w, &m.gone);
		break;
	case WIRE_TOPIC_RESULTS:
		on_results(w, &m.results);
		break;
	default:
		on_request(w, &m.request);
		break;
	}
}

/* ---- tasks -------------------------------------------------------------------------------------------- */

static void add_task(struct sim_world *w, const struct sim_task *t)
{
	struct manager_event e = {.kind = MANAGER_EVENT_TASK_ADD};
	struct manager_task_spec *s = &e.u.add.spec;

	s->id = t->id;
	s->priority = t->priority;
	s->idempotent = t->idempotent;
	s->queue = true;
	s->policy = w->mutation == SIM_MUTATION_KEEP_MOVES ? MANAGER_POLICY_STOP
							   : (enum manager_policy)t->policy;
	s->lease_ms = w->mutation == SIM_MUTATION_EARLY_DEATH   ? 1
		      : w->mutation == SIM_MUTATION_SHORT_COUNT ? (uint32_t)w->s.lease * 8 / 10
								: (uint32_t)w->s.lease;
	s->need.battery_percent_min = (uint8_t)w->s.battery_min;
	s->restart_attempts = (uint32_t)w->s.restarts;
	s->restart_backoff_ms = 1000;
	s->need.memory_bytes = 2048;
	for (unsigned i = 0; i < PLACEMENT_AVOID_MAX; i++) {
		s->need.avoid[i] = PLACEMENT_NONE;
	}
	s->need.module_hash = placement_hash("module", (const char[]){(char)('A' + t->module), 0});
	e.u.add.phase = (enum manager_phase)t->phase;
	e.u.add.state = (enum manager_state)t->state;
	e.u.add.epoch = t->row_epoch;
	if (w->mutation == SIM_MUTATION_EPOCH_FALLS && t->row_epoch > 1) {
		e.u.add.epoch--;
	}
	e.u.add.node_id = t->row_node != UINT32_MAX ? w->nodes[t->row_node].id : NULL;
	e.u.add.group_id = t->group != UINT32_MAX ? w->groups[t->group].id : NULL;
	s->run_if = t->if_failed ? MANAGER_RUN_IF_FAILURE : MANAGER_RUN_IF_SUCCESS;
	step(w, &e);
}

static void group_event(struct sim_world *w, const struct sim_group *g,
			enum manager_event_kind kind)
{
	struct manager_event e = {.kind = kind};

	e.u.group.id = g->id;
	step(w, &e);
}

/* A group and its tasks become live, as they are in the store; false when there is no room for all. */
static bool add_group(struct sim_world *w, const struct sim_group *g)
{
	struct manager_event e = {.kind = MANAGER_EVENT_GROUP_ADD};
	bool all = true;

	e.u.group.id = g->id;
	e.u.group.kind = (enum manager_group_kind)g->kind;
	e.u.group.mode = (enum manager_job_mode)g->mode;
	step(w, &e);
	if (w->mutation == SIM_MUTATION_EARLY_STEP) {
		group_event(w, g, MANAGER_EVENT_GROUP_READY);
	}
	for (uint32_t i = g->first; i < g->first + g->count; i++) {
		add_task(w, &w->tasks[i]);
		all = all && manager_task_find(w->boss->core, w->tasks[i].id) != NULL;
	}
	for (uint32_t i = g->first; i < g->first + g->count; i++) {
		for (uint32_t k = 0; k < w->tasks[i].after_count; k++) {
			e = (struct manager_event){.kind = MANAGER_EVENT_TASK_DEPEND};
			e.u.depend.task_id = w->tasks[i].id;
			e.u.depend.on_id = w->tasks[w->tasks[i].after[k]].id;
			step(w, &e);
		}
	}
	group_event(w, g, all ? MANAGER_EVENT_GROUP_READY : MANAGER_EVENT_GROUP_DROP);
	return all;
}

static uint8_t behaviour(struct sim_world *w)
{
	uint32_t roll = prng_below(&w->chance, 100);

	if (roll < w->s.traps) {
		return SIM_TRAPS;
	}
	if (roll < w->s.traps + w->s.endless) {
		return SIM_ENDLESS;
	}
	if (roll < w->s.traps + w->s.endless + w->s.broken) {
		return SIM_BROKEN;
	}
	return roll < w->s.traps + w->s.endless + w->s.broken + w->s.greedy ? SIM_GREEDY : SIM_ENDS;
}

static struct sim_task *new_task(struct sim_world *w)
{
	struct sim_task *t = truth_add(w);
	uint32_t roll;

	t->created = w->now;
	t->work = world_between(w, w->s.work);
	t->behaviour = behaviour(w);
	t->module = t->behaviour == SIM_BROKEN   ? SIM_BROKEN_MODULE
		    : t->behaviour == SIM_GREEDY ? SIM_GREEDY_MODULE
						 : prng_below(&w->chance, (uint32_t)w->s.modules);
	t->priority = world_chance(w, w->s.urgent) ? 80 : 50;
	t->limit_ms = t->behaviour == SIM_ENDLESS ? 2 * MINUTE : 0;
	t->idempotent = world_chance(w, w->s.idempotent);
	roll = prng_below(&w->chance, 100);
	t->policy = roll < w->s.policy_stop                      ? MANAGER_POLICY_STOP
		    : roll < w->s.policy_stop + w->s.policy_park ? MANAGER_POLICY_PARK
								 : MANAGER_POLICY_KEEP;
	t->stored = true;
	world_note(w, SIM_ARRIVAL, (uint64_t)(t - w->tasks), t->work);
	return t;
}

/* Each task but the first waits for one or two before it. */
static void chain(struct sim_world *w, struct sim_task *t, uint32_t first, uint32_t place)
{
	uint32_t on = place != 0 ? prng_below(&w->chance, place) : 0;

	if (place == 0) {
		return;
	}
	t->after[t->after_count++] = first + on;
	if (place > 1 && world_chance(w, 50)) {
		t->after[t->after_count++] = first + (on + 1) % place;
	}
	t->if_failed = world_chance(w, 15);
}

static struct sim_group *new_group(struct sim_world *w)
{
	static const struct {
		uint8_t kind, mode;
		bool chained;
	} shapes[] = {{MANAGER_GROUP_JOB, MANAGER_JOB_PARALLEL, false},
		      {MANAGER_GROUP_JOB, MANAGER_JOB_SEQUENTIAL, false},
		      {MANAGER_GROUP_JOB, MANAGER_JOB_CONFIGURABLE, true},
		      {MANAGER_GROUP_WORKFLOW, MANAGER_JOB_PARALLEL, true}};
	uint32_t shape = prng_below(&w->chance, BASE_COUNT(shapes));
	struct sim_group *g;

	if (w->group_count == w->group_cap) {
		w->group_cap = w->group_cap * 2 + 64;
		w->groups = realloc(w->groups, w->group_cap * sizeof(*w->groups));
	}
	g = &w->groups[w->group_count];
	*g = (struct sim_group){.first = w->task_count,
				.count = 2 + prng_below(&w->chance, SIM_GROUP_TASKS_MAX - 1),
				.kind = shapes[shape].kind,
				.mode = shapes[shape].mode};
	snprintf(g->id, sizeof(g->id), "group-%u", w->group_count);
	for (uint32_t i = 0; i < g->count; i++) {
		struct sim_task *t = new_task(w);

		t->group = w->group_count;
		if (shapes[shape].chained) {
			chain(w, t, g->first, i);
		}
	}
	w->group_count++;
	return g;
}

static void group_arrival(struct sim_world *w)
{
	struct manager_event e = {.kind = MANAGER_EVENT_GROUP_START};
	struct sim_group *g = new_group(w);

	if (!add_group(w, g)) {
		return;
	}
	e.u.group.id = g->id;
	e.request = GROUP_REQUESTS + (uint64_t)(g - w->groups) + 1;
	step(w, &e);
	if (world_chance(w, w->s.stops)) {
		world_at(w, w->now + w->tasks[g->first].work / 2, SIM_STOP_TASK,
			 (uint32_t)(g - w->groups), 0, 1, 0, NULL);
	}
}

void boss_arrival(struct sim_world *w)
{
	struct manager_event e = {.kind = MANAGER_EVENT_TASK_START};
	struct sim_task *t;

	if (!boss_up(w)) {
		return; /* whoever asks gets no connection */
	}
	if (world_chance(w, w->s.groups)) {
		group_arrival(w);
		return;
	}
	t = new_task(w);
	add_task(w, t);
	e.u.task.id = t->id;
	e.u.task.queue = true;
	e.request = (uint64_t)(t - w->tasks) + 1;
	step(w, &e);
	if (world_chance(w, w->s.stops)) {
		world_at(w, w->now + t->work / 2, SIM_STOP_TASK, (uint32_t)(t - w->tasks), 0, 0, 0,
			 NULL);
	}
}

/* An operator's command; the store keeps it. */
void boss_drain(struct sim_world *w, uint32_t node, bool drain)
{
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_DRAIN};

	w->nodes[node].drained = drain;
	world_note(w, SIM_DRAIN, node, drain);
	if (boss_up(w)) {
		e.u.node_id.id = w->nodes[node].id;
		e.u.node_id.drain = drain;
		e.u.node_id.deadline_ms = drain && world_chance(w, 50) ? 30 * SECOND : 0;
		step(w, &e);
	}
}

static void stop_task(struct sim_world *w, uint32_t task)
{
	struct manager_event e = {.kind = MANAGER_EVENT_TASK_STOP};

	if (boss_up(w) && w->tasks[task].phase != MANAGER_PHASE_DONE) {
		w->tasks[task].stop_wanted = true;
		e.u.task.id = w->tasks[task].id;
		step(w, &e);
	}
}

static void stop_group(struct sim_world *w, struct sim_group *g)
{
	struct manager_event e = {.kind = MANAGER_EVENT_GROUP_STOP};

	if (boss_up(w) && manager_group_find(w->boss->core, g->id) != NULL) {
		g->stop_wanted = true;
		for (uint32_t i = g->first; i < g->first + g->count; i++) {
			w->tasks[i].stop_wanted = true;
		}
		e.u.group.id = g->id;
		step(w, &e);
	}
}

uint32_t boss_live_tasks(const struct sim_world *w)
{
	struct manager_counts c = {0};

	if (w->boss->up) {
		manager_count(w->boss->core, &c);
	}
	return c.tasks_live;
}

/* ---- life --------------------------------------------------------------------------------------------- */

struct sim_boss *boss_new(struct sim_world *w)
{
	struct sim_boss *b = calloc(1, sizeof(*b));
	uint64_t live = w->s.nodes * w->s.slots + w->s.tasks / SIM_RATE_ONE + 1000;

	b->limits = (struct manager_limits){.nodes_max = (uint32_t)w->s.nodes,
					    .tasks_max = (uint32_t)BASE_MIN(live, 200000),
					    .groups_max = (uint32_t)live / 4 + 16,
					    .edges_max = (uint32_t)live,
					    .broadcasts_max = 1};
	b->mem_bytes = manager_mem_bytes(&b->limits);
	b->facts = calloc(w->s.nodes, sizeof(*b->facts));
	return b;
}

static void restore(struct sim_world *w)
{
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_RESTORE};

	for (uint32_t n = 0; n < w->s.nodes; n++) {
		if (w->boss->facts[n].id != NULL) {
			e = (struct manager_event){.kind = MANAGER_EVENT_NODE_RESTORE};
			e.u.node = w->boss->facts[n];
			step(w, &e);
			if (w->nodes[n].drained) {
				boss_drain(w, n, true);
			}
		}
	}
	for (uint32_t i = 0; i < w->task_count; i++) {
		const struct sim_task *t = &w->tasks[i];
		const struct sim_group *g = t->group != UINT32_MAX ? &w->groups[t->group] : NULL;

		if (!t->stored || t->phase == MANAGER_PHASE_DONE ||
		    t->phase == MANAGER_PHASE_IDLE) {
			continue;
		}
		if (g == NULL) {
			add_task(w, t);
		} else if (manager_group_find(w->boss->core, g->id) == NULL) {
			(void)add_group(w, g);
		}
	}
}

void boss_boot(struct sim_world *w)
{
	struct sim_boss *b = w->boss;
	struct manager_config config;
	struct manager_event tick = {.kind = MANAGER_EVENT_TICK};

	world_note(w, SIM_BOSS_BACK, b->life, 0);
	manager_config_default(&config);
	config.heartbeat_ms = (uint32_t)w->s.heartbeat;
	config.queue = true;
	config.seed = w->seed;
	b->mem = calloc(1, b->mem_bytes + 16);
	b->core = manager_init(&b->limits, &config, (void *)base_align_up((uintptr_t)b->mem, 16),
			       b->mem_bytes);
	b->up = true;
	b->life++;
	b->wake_ms = 0;
	restore(w);
	step(w, &tick);
	if (w->broker_up) {
		net_boss_online(w);
	}
}

static void forget_batches(struct sim_boss *b)
{
	while (b->first != NULL) {
		struct batch *next = b->first->next;

		for (uint32_t i = 0; i < b->first->count; i++) {
			if (b->first->steps[i].kind == STEP_SEND) {
				msg_drop(b->first->steps[i].msg);
				msg_drop(b->first->steps[i].other);
			}
		}
		free(b->first);
		b->first = next;
	}
	b->last = NULL;
}

void boss_kill(struct sim_world *w)
{
	struct sim_boss *b = w->boss;

	world_note(w, SIM_BOSS_KILL, b->life, 0);
	world_tell(w, NULL, "the manager is killed");
	forget_batches(b);
	free(b->mem);
	b->mem = b->core = NULL;
	b->up = false;
	b->life++;
}

void boss_event(struct sim_world *w, const struct sim_event *e)
{
	struct manager_event tick = {.kind = MANAGER_EVENT_TICK};

	if (e->kind == SIM_STOP_TASK) {
		if (e->a != 0) {
			stop_group(w, &w->groups[e->node]);
		} else {
			stop_task(w, e->node);
		}
		return;
	}
	if (!boss_up(w) || e->life != w->boss->life) {
		if (e->kind == SIM_BOSS_MESSAGE && e->msg->qos > 0) {
			net_to_boss(w, 0, e->msg); /* not acknowledged: again */
		}
		return;
	}
	switch (e->kind) {
	case SIM_BOSS_WAKE:
		if (w->boss->wake_ms == e->at) {
			w->boss->wake_ms = 0;
			step(w, &tick);
		}
		break;
	case SIM_BOSS_COMMIT:
		commit(w);
		break;
	default:
		hear(w, e->msg);
		break;
	}
}

void boss_free(struct sim_world *w)
{
	forget_batches(w->boss);
	free(w->boss->mem);
	free(w->boss->facts);
	free(w->boss);
}
