/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: the shipping agent, and a port that carries out its actions in the simulated world.
 *
 * Rules: 1. Power takes everything but the journal and the stored modules; a record that was being written may be lost.
 *        2. A slice takes as long as the fuel it burns; an interrupt ends it at once.
 *        3. The worker's clock drifts; nothing but its agent reads it.
 */
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	ANSWERS_MAX = 32,
	FUEL_PER_MS = 1000,
	TEXT_BYTES = 4096
};

/* Answers to actions, handed in after the action list is done. */
struct answers {
	struct agent_event list[ANSWERS_MAX];
	uint32_t count;
};

/* ---- clocks ------------------------------------------------------------------------------------------- */

static uint64_t local_ms(const struct sim_world *w, const struct sim_node *n)
{
	int64_t lived = (int64_t)(w->now - n->born);

	return (uint64_t)(1000 + lived + lived * n->drift_ppm / 1000000);
}

static uint64_t true_ms(const struct sim_node *n, uint64_t local)
{
	int64_t lived = (int64_t)local - 1000;

	return n->born + (uint64_t)(lived - lived * n->drift_ppm / 1000000) + 1;
}

/* ---- publications ------------------------------------------------------------------------------------- */

static void publish(struct sim_world *w, uint32_t n, const struct agent_action *a)
{
	struct sim_node *node = &w->nodes[n];
	struct wire_text id;
	enum wire_topic topic =
		wire_topic_parse(&w->place, a->publish.topic, strlen(a->publish.topic), &id);
	uint64_t at;

	if (topic == WIRE_TOPIC_COUNT || !node->online) {
		return; /* the client library waits for the connection, whose end the agent hears of */
	}
	at = net_delay(w, &node->link_free_up);
	struct sim_msg *m =
		msg_new(topic, a->publish.payload, a->publish.payload_bytes, a->publish.qos);

	/* The same event: it reaches the broker, and the confirmation goes back. */
	world_at(w, at, SIM_NODE_PUBLISHED, n, node->life, a->publish.ref, 1, m);
}

/* A publication reaches the broker. */
static void arrive(struct sim_world *w, const struct sim_event *e)
{
	struct sim_node *node = &w->nodes[e->node];

	if (w->broker_up && (node->online || world_chance(w, 50))) {
		net_to_boss(w, e->node, e->msg);
	}
}

/* ---- the module store --------------------------------------------------------------------------------- */

static void answer_store(struct answers *out, uint16_t slot, enum agent_store_state state,
			 uint32_t module)
{
	struct agent_event e = {.kind = AGENT_EVENT_STORE};

	ASSERT(out->count < ANSWERS_MAX);
	e.store.module = slot;
	e.store.state = state;
	if (state == AGENT_STORE_COMPLETE) {
		e.store.bytes = SIM_MODULE_BYTES;
		e.store.mapped = module_bytes(module);
	}
	e.store.text = "no such module";
	out->list[out->count++] = e;
}

static void store(struct sim_world *w, struct sim_node *n, const struct agent_action *a,
		  struct answers *out)
{
	uint32_t module = a->store.digest != NULL ? module_find(a->store.digest) : UINT32_MAX;
	uint16_t slot = a->store.module;

	switch (a->kind) {
	case AGENT_ACTION_STORE_OPEN:
		if (module != UINT32_MAX && (n->modules >> module & 1) != 0) {
			answer_store(out, slot, AGENT_STORE_COMPLETE, module);
		} else {
			answer_store(out, slot, AGENT_STORE_ABSENT, 0);
		}
		break;
	case AGENT_ACTION_STORE_BEGIN:
		answer_store(out, slot, AGENT_STORE_PARTIAL, 0);
		break;
	case AGENT_ACTION_STORE_WRITE:
		w->stats.chunks++;
		break;
	case AGENT_ACTION_STORE_COMMIT:
		if (module != UINT32_MAX) {
			n->modules |= UINT64_C(1) << module;
			answer_store(out, slot, AGENT_STORE_COMPLETE, module);
		} else {
			answer_store(out, slot, AGENT_STORE_FAILED, 0);
		}
		break;
	default: /* DROP, CLOSE; READ is not asked since modules are mapped */
		break;
	}
}

/* ---- the journal -------------------------------------------------------------------------------------- */

static void journal(struct sim_world *w, struct sim_node *n, const struct agent_action *a)
{
	struct sim_record *r;

	ASSERT(a->journal.key < SIM_RECORDS_MAX);
	r = &n->journal[a->journal.key];
	w->stats.journal_writes++;
	free(r->bytes);
	*r = (struct sim_record){NULL, 0};
	if (a->kind == AGENT_ACTION_JOURNAL_PUT && w->mutation != SIM_MUTATION_SKIP_JOURNAL) {
		r->bytes = malloc(a->journal.bytes + 1);
		memcpy(r->bytes, a->journal.record, a->journal.bytes);
		r->size = a->journal.bytes;
	}
}

/* ---- slices ------------------------------------------------------------------------------------------- */

static void run_slice(struct sim_world *w, uint32_t n, const struct agent_action *a)
{
	struct sim_node *node = &w->nodes[n];
	struct agent_task_view view;
	uint32_t i = 0;
	uint64_t fuel = BASE_MIN(a->slice.fuel, sim_instance_left(a->slice.instance));

	while (i < SIM_SLICES_MAX && node->slices[i].out) {
		i++;
	}
	ASSERT(i < SIM_SLICES_MAX);
	node->slices[i] = (struct sim_slice){.slice = a->slice,
					     .began = w->now,
					     .ends = w->now + fuel / FUEL_PER_MS + 1,
					     .out = true};
	if (agent_task_view(node->agent, a->slice.slot, &view)) {
		struct sim_task *t = truth_task(w, view.id, strlen(view.id));

		if (t != NULL) {
			node->slices[i].task = (uint32_t)(t - w->tasks);
			node->slices[i].epoch = view.epoch;
			truth_slice(w, n, t, view.epoch, node->slices[i].ends);
		}
	}
	world_at(w, node->slices[i].ends, SIM_NODE_SLICE, n, node->life, i, 0, NULL);
}

/* Slices that an interrupt has ended come back now. */
static void end_interrupted(struct sim_world *w, uint32_t n)
{
	struct sim_node *node = &w->nodes[n];

	for (uint32_t i = 0; i < SIM_SLICES_MAX; i++) {
		struct sim_slice *s = &node->slices[i];

		if (s->out && s->ends > w->now && sim_instance_interrupted(s->slice.instance)) {
			s->ends = w->now;
			world_at(w, w->now, SIM_NODE_SLICE, n, node->life, i, 0, NULL);
		}
	}
}

/* ---- actions ------------------------------------------------------------------------------------------ */

static void connect_broker(struct sim_world *w, uint32_t n)
{
	struct sim_node *node = &w->nodes[n];
	bool can = node->linked && w->broker_up;
	uint64_t at = can ? net_delay(w, &node->link_free_up) : w->now + 2 * SECOND;

	world_at(w, at, SIM_NODE_CONNECTED, n, node->life, 0, 0, NULL);
}

static void act(struct sim_world *w, uint32_t n, const struct agent_action *a, struct answers *out)
{
	struct sim_node *node = &w->nodes[n];
	struct agent_event e = {.kind = AGENT_EVENT_SUBSCRIBED};

	switch (a->kind) {
	case AGENT_ACTION_CONNECT:
		connect_broker(w, n);
		break;
	case AGENT_ACTION_SUBSCRIBE:
		node->session = node->subscribed = true;
		e.subscribed.ok = true;
		ASSERT(out->count < ANSWERS_MAX);
		out->list[out->count++] = e;
		break;
	case AGENT_ACTION_PUBLISH:
		publish(w, n, a);
		break;
	case AGENT_ACTION_RUN_SLICE:
		run_slice(w, n, a);
		break;
	case AGENT_ACTION_JOURNAL_PUT:
	case AGENT_ACTION_JOURNAL_DELETE:
		journal(w, node, a);
		break;
	case AGENT_ACTION_LOG:
		if (w->trace != NULL && strcmp(w->trace, node->id) == 0) {
			world_tell(w, NULL, "%s: %s", node->id, a->log.text);
		}
		break;
	case AGENT_ACTION_DISCONNECT:
	case AGENT_ACTION_HOST_CALL:
		break;
	default:
		store(w, node, a, out);
		break;
	}
}

/* True when a planned power cut happens before this action: it, and what follows, is not done. */
static bool cut_here(struct sim_world *w, uint32_t n, const struct agent_action *a)
{
	struct sim_node *node = &w->nodes[n];

	if (node->cut_in < 0 || node->cut_in-- > 0) {
		return false;
	}
	if (a->kind == AGENT_ACTION_JOURNAL_PUT) {
		w->stats.torn++;
	}
	world_power_cut(w, n);
	return true;
}

static void plan_wake(struct sim_world *w, uint32_t n, uint64_t local)
{
	struct sim_node *node = &w->nodes[n];
	uint64_t at;

	if (local == AGENT_NEVER) {
		return;
	}
	at = true_ms(node, local);
	at = at < w->now ? w->now : at;
	if (node->wake_ms <= w->now || at < node->wake_ms) {
		node->wake_ms = at;
		world_at(w, at, SIM_NODE_WAKE, n, node->life, 0, 0, NULL);
	}
}

static void step(struct sim_world *w, uint32_t n, struct agent_event *e)
{
	static char text[TEXT_BYTES];
	struct sim_node *node = &w->nodes[n];
	struct agent_actions actions = {.text = text, .text_bytes = sizeof(text)};
	struct answers answers = {.count = 0};
	uint32_t life = node->life, done = 0;

	for (;;) {
		e->now_ms = local_ms(w, node);
		e->wall_ms = (int64_t)w->now + 1700000000000 + node->wall_offset;
		agent_step(node->agent, e, &actions);
		for (uint32_t i = 0; i < actions.count; i++) {
			if (cut_here(w, n, &actions.list[i])) {
				return;
			}
			act(w, n, &actions.list[i], &answers);
		}
		if (node->agent == NULL || node->life != life) {
			return;
		}
		end_interrupted(w, n);
		if (done == answers.count) {
			break;
		}
		e = &answers.list[done++];
	}
	plan_wake(w, n, actions.wake_ms);
}

/* ---- events ------------------------------------------------------------------------------------------- */

/* What the truth must know of messages: leases begin when they arrive. */
static void watch(struct sim_world *w, uint32_t n, const struct sim_msg *m)
{
	char arena[8192];
	struct wire_reader r;

	if (m->topic == WIRE_TOPIC_START_TO || m->topic == WIRE_TOPIC_START) {
		struct wire_start s;

		if (wire_read_all(&r, &wire_table_start, &s, arena, sizeof(arena), m->payload,
				  m->bytes) == WIRE_DONE) {
			struct sim_task *t = truth_task(w, s.id.at, s.id.bytes);

			world_tell(w, s.id.at, "%s hears start, epoch %u", w->nodes[n].id,
				   (unsigned)s.epoch);
			if (t != NULL) {
				truth_lease(w, n, t, (uint64_t)s.epoch, w->s.lease);
			}
		}
	} else if (m->topic == WIRE_TOPIC_LEASE_TO) {
		struct wire_lease s;

		if (wire_read_all(&r, &wire_table_lease, &s, arena, sizeof(arena), m->payload,
				  m->bytes) == WIRE_DONE) {
			for (const struct wire_link *at = s.tasks.first; at != NULL;
			     at = at->next) {
				const struct wire_held *h = (const void *)at;
				struct sim_task *t = truth_task(w, h->id.at, h->id.bytes);

				if (t != NULL) {
					truth_lease(w, n, t, (uint64_t)h->epoch, w->s.lease);
				}
			}
		}
	}
}

static void hear(struct sim_world *w, uint32_t n, const struct sim_msg *m)
{
	struct agent_event e = {.kind = AGENT_EVENT_MESSAGE};
	struct sim_node *node = &w->nodes[n];
	uint32_t life = node->life;
	char topic[160];
	size_t length = wire_topic_write(&w->place, m->topic, node->id, topic, sizeof(topic));

	watch(w, n, m);
	for (uint32_t at = 0; at == 0 || at < m->bytes; at += AGENT_PIECE_BYTES_MAX) {
		e.message.topic = topic;
		e.message.topic_bytes = (uint32_t)length;
		e.message.piece = m->payload + at;
		e.message.piece_bytes = BASE_MIN(m->bytes - at, (uint32_t)AGENT_PIECE_BYTES_MAX);
		e.message.total_bytes = m->bytes;
		e.message.first = at == 0;
		e.message.last = at + AGENT_PIECE_BYTES_MAX >= m->bytes;
		step(w, n, &e);
		if (node->agent == NULL || node->life != life) {
			return;
		}
	}
}

static void connected(struct sim_world *w, uint32_t n)
{
	struct sim_node *node = &w->nodes[n];
	struct agent_event e = {.kind = AGENT_EVENT_CONNECTED};
	uint32_t life = node->life;

	if (!node->linked || !w->broker_up) {
		e.kind = AGENT_EVENT_DISCONNECTED;
		e.link.text = "no answer";
		step(w, n, &e);
		return;
	}
	e.link.session_present = node->session;
	node->session = true;
	node->online = true;
	step(w, n, &e);
	if (node->agent != NULL && node->life == life && node->online) {
		net_node_online(w, n);
	}
}

static void slice_over(struct sim_world *w, const struct sim_event *e)
{
	struct sim_node *node = &w->nodes[e->node];
	struct sim_slice *s = &node->slices[e->a];
	struct agent_event done = {.kind = AGENT_EVENT_SLICE_DONE};

	if (!s->out || s->ends != e->at) {
		return;
	}
	s->out = false;
	if (sim_instance_interrupted(s->slice.instance)) {
		s->slice.fuel = (w->now - s->began) * FUEL_PER_MS;
	}
	node->active_ms += w->now - s->began;
	done.slice.slot = s->slice.slot;
	done.slice.status = agent_slice_run(&s->slice);
	step(w, e->node, &done);
}

void node_event(struct sim_world *w, const struct sim_event *e)
{
	struct sim_node *node = &w->nodes[e->node];
	struct agent_event tick = {.kind = AGENT_EVENT_TICK};

	if (e->kind == SIM_NODE_PUBLISHED && e->b == 1) {
		arrive(w, e); /* a message on its way is not stopped by its sender's end */
	}
	if (node->agent == NULL || e->life != node->life) {
		if (e->kind == SIM_NODE_MESSAGE && e->msg->qos > 0) {
			net_to_node(w, e->node, e->msg); /* not acknowledged: again */
		}
		return;
	}
	switch (e->kind) {
	case SIM_NODE_WAKE:
		if (node->wake_ms == e->at) {
			node->wake_ms = 0;
			step(w, e->node, &tick);
		}
		break;
	case SIM_NODE_CONNECTED:
		connected(w, e->node);
		break;
	case SIM_NODE_MESSAGE:
		if (node->online) {
			hear(w, e->node, e->msg);
		} else if (e->msg->qos > 0) {
			net_to_node(w, e->node, e->msg);
		}
		break;
	case SIM_NODE_PUBLISHED:
		if (e->a != 0) {
			tick.kind = AGENT_EVENT_PUBLISHED;
			tick.published.ref = (uint16_t)e->a;
			tick.published.ok = node->online;
			step(w, e->node, &tick);
		}
		break;
	default:
		slice_over(w, e);
		break;
	}
	if (node->agent != NULL) {
		agent_check(node->agent);
	}
}

void node_offline(struct sim_world *w, uint32_t n, const char *why)
{
	struct agent_event e = {.kind = AGENT_EVENT_DISCONNECTED, .link.text = why};

	if (w->nodes[n].agent != NULL && w->nodes[n].online) {
		step(w, n, &e);
	}
}

/* ---- power -------------------------------------------------------------------------------------------- */

static void init(struct sim_world *w, uint32_t n)
{
	static const struct agent_limits limits = {.tasks_max = 8,
						   .modules_max = 8,
						   .slices_max = 2,
						   .slice_fuel = 60 * SECOND * FUEL_PER_MS,
						   .message_bytes = 1024,
						   .outbox_bytes = 256,
						   .inflight_max = 8};
	struct sim_node *node = &w->nodes[n];
	struct agent_config config = {.proplet_id = node->id,
				      .tenant_id = w->place.tenant,
				      .channel_id = w->place.channel,
				      .cpu_arch = "sim",
				      .power = "mains",
				      .seed = w->seed * 1000003 + n + node->life * 7919u,
				      .heartbeat_ms = (uint32_t)w->s.heartbeat,
				      .qos = 1,
				      .journal = true,
				      .store = true};
	size_t bytes = agent_mem_bytes(&limits);

	if (node->mem == NULL) {
		node->mem = malloc(bytes + sizeof(config));
		node->pool = malloc(w->s.pool);
	}
	memcpy((uint8_t *)node->mem + bytes, &config, sizeof(config));
	if (agent_init(&node->agent, (void *)((uint8_t *)node->mem + bytes), &limits, &sim_engine,
		       node->mem, bytes, node->pool, w->s.pool) != AGENT_OK) {
		ASSERT(!"the scenario's pool is too small");
	}
}

void node_boot(struct sim_world *w, uint32_t n)
{
	struct sim_node *node = &w->nodes[n];
	struct agent_event e = {.kind = AGENT_EVENT_JOURNAL};
	uint32_t life;

	if (node->agent != NULL) {
		return;
	}
	life = ++node->life;
	node->born = w->now;
	node->wake_ms = 0;
	node->cut_in = -1;
	memset(node->slices, 0, sizeof(node->slices));
	init(w, n);
	for (uint32_t key = 0; key < SIM_RECORDS_MAX && node->life == life && node->agent != NULL;
	     key++) {
		struct sim_record r = node->journal[key];

		if (r.bytes != NULL) {
			uint8_t copy[4096];

			ASSERT(r.size <= sizeof(copy));
			memcpy(copy, r.bytes, r.size);
			e = (struct agent_event){.kind = AGENT_EVENT_JOURNAL};
			e.journal.key = (uint16_t)key;
			e.journal.record = copy;
			e.journal.bytes = r.size;
			step(w, n, &e);
		}
	}
	if (node->agent != NULL && node->life == life) {
		e = (struct agent_event){.kind = AGENT_EVENT_JOURNAL_END};
		step(w, n, &e);
	}
}

void node_power_off(struct sim_world *w, uint32_t n)
{
	struct sim_node *node = &w->nodes[n];

	node->agent = NULL;
	node->life++;
	node->cut_in = -1;
	memset(node->slices, 0, sizeof(node->slices));
}

void node_cut_soon(struct sim_world *w, uint32_t n)
{
	if (w->nodes[n].agent != NULL) {
		w->nodes[n].cut_in = (int32_t)prng_below(&w->chance, 12);
	}
}

void node_free(struct sim_world *w, uint32_t n)
{
	struct sim_node *node = &w->nodes[n];

	for (uint32_t i = 0; i < SIM_RECORDS_MAX; i++) {
		free(node->journal[i].bytes);
	}
	for (uint32_t i = 0; i < node->held_count; i++) {
		msg_drop(node->held[i]);
	}
	free(node->held);
	free(node->mem);
	free(node->pool);
}
