/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: the shipping agent, and a port that carries out its actions in the simulated world.
 *
 * Rules: 1. Power takes everything but the journal and the stored modules; a record that was being written may be lost.
 *        2. A slice takes as long as the fuel it burns; an interrupt ends it at once.
 *        3. The worker's clock drifts; nothing but its agent reads it. It goes on while the worker sleeps.
 */
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
	ANSWERS_MAX = 32,
	FUEL_PER_MS = 1000,
	TEXT_BYTES = 4096,
	CUT_AT_WRITE = -2, /* of cut_in: at the next write to the journal */
	CHECK_ALL_NODES = 1000
};

/* Answers to actions, handed in after the action list is done. */
struct answers {
	struct agent_event list[ANSWERS_MAX];
	uint32_t count;
};

/* ---- clocks ------------------------------------------------------------------------------------------- */

static uint64_t local_at(const struct sim_node *n, uint64_t now)
{
	int64_t lived = (int64_t)(now - n->born - n->slept_ms);

	return (uint64_t)(1000 + lived + lived * n->drift_ppm / 1000000);
}

static uint64_t local_ms(const struct sim_world *w, const struct sim_node *n)
{
	return local_at(n, w->now);
}

/* The first instant at which the worker's clock shows it: earlier, it would ask for the same again. */
static uint64_t true_ms(const struct sim_node *n, uint64_t local)
{
	int64_t lived = (int64_t)local - 1000;
	uint64_t at = n->born + n->slept_ms + (uint64_t)(lived - lived * n->drift_ppm / 1000000);

	while (local_at(n, at) < local) {
		at++;
	}
	return at;
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
	at = net_delay(w, &node->link_free_up, node->link_rate, a->publish.payload_bytes);
	node->energy_uj += w->s.message_energy * 1000;
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
	bool put = a->kind == AGENT_ACTION_JOURNAL_PUT;

	struct sim_record *r;

	ASSERT(a->journal.key < SIM_RECORDS_MAX);
	r = &n->journal[a->journal.key];
	w->stats.journal_writes++;
	free(r->bytes);
	*r = (struct sim_record){NULL, 0};
	if (put && a->journal.key % 2 == 1) {
		truth_journal(w, (uint32_t)(n - w->nodes), a->journal.record, a->journal.bytes);
	}
	if (put && w->mutation != SIM_MUTATION_SKIP_JOURNAL) {
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
			truth_slice(w, n, t, view.epoch, sim_instance_fresh(a->slice.instance));
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
	uint64_t at =
		can ? net_delay(w, &node->link_free_up, node->link_rate, 200) : w->now + 2 * SECOND;

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
		world_tell(w, node->id, "%s: %s", node->id, a->log.text);
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

	if (node->cut_in == CUT_AT_WRITE && a->kind == AGENT_ACTION_JOURNAL_PUT) {
		node->cut_in = 0;
	}
	if (node->cut_in < 0 || node->cut_in-- > 0) {
		return false;
	}
	if (a->kind == AGENT_ACTION_JOURNAL_PUT) {
		w->stats.torn++;
	}
	world_power_cut(w, n, world_between(w, w->s.power_cut_time));
	return true;
}

static void plan_wake(struct sim_world *w, uint32_t n, uint64_t local)
{
	struct sim_node *node = &w->nodes[n];
	uint64_t at;

	node->wake_want = UINT64_MAX;
	if (local == AGENT_NEVER) {
		return;
	}
	at = true_ms(node, local);
	at = at < w->now ? w->now : at;
	node->wake_want = at;
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

static void hear(struct sim_world *w, uint32_t n, const struct sim_msg *m)
{
	struct agent_event e = {.kind = AGENT_EVENT_MESSAGE};
	struct sim_node *node = &w->nodes[n];
	uint32_t life = node->life;
	char topic[160];

	node->energy_uj += w->s.message_energy * 1000;
	size_t length = wire_topic_write(&w->place, m->topic, node->id, topic, sizeof(topic));

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
	node->energy_uj += (w->now - s->began) * w->s.power_active;
	done.slice.slot = s->slice.slot;
	done.slice.status = agent_slice_run(&s->slice);
	step(w, e->node, &done);
}

/* What happens to a worker that sleeps. Its slices and timers go on when it wakes up. */
static void sleeping(struct sim_world *w, const struct sim_event *e)
{
	if (e->kind == SIM_NODE_MESSAGE && e->msg->qos > 0) {
		net_to_node(w, e->node, e->msg);
	}
}

void node_energy(struct sim_world *w, uint32_t n)
{
	struct sim_node *node = &w->nodes[n];
	uint64_t power = node->agent == NULL ? 0
			 : node->asleep      ? w->s.power_sleep
					     : w->s.power_idle;

	node->energy_uj += (w->now - node->energy_at) * power;
	node->energy_at = w->now;
}

/* Tells its agent what is left; an empty battery is a power cut until it is full again. */
static void drain_battery(struct sim_world *w, uint32_t n)
{
	struct sim_node *node = &w->nodes[n];
	struct agent_node facts = {0};
	struct agent_event e = {.kind = AGENT_EVENT_NODE, .node = &facts};
	uint64_t full = w->s.capacity * 3600 * 1000, used;
	uint8_t percent;

	if (!node->on_battery || node->agent == NULL || node->asleep) {
		return;
	}
	node_energy(w, n);
	used = node->energy_uj - node->charged_uj;
	if (used >= full && w->now < w->faults_end) {
		w->stats.batteries++;
		node->charged_uj = node->energy_uj;
		node->battery_told = 255;
		world_power_cut(w, n, world_between(w, w->s.recharge));
		return;
	}
	percent = used >= full ? 0 : (uint8_t)(100 - used * 100 / full);
	if (percent != node->battery_told) {
		node->battery_told = percent;
		facts.battery_percent = percent;
		step(w, n, &e);
	}
}

void node_event(struct sim_world *w, const struct sim_event *e)
{
	struct sim_node *node = &w->nodes[e->node];
	struct agent_event tick = {.kind = AGENT_EVENT_TICK};

	if (e->kind == SIM_NODE_PUBLISHED && e->b == 1) {
		arrive(w, e); /* a message on its way is not stopped by its sender's end */
	}
	if (node->asleep && node->agent != NULL && e->life == node->life) {
		sleeping(w, e);
		return;
	}
	if (node->agent == NULL || e->life != node->life) {
		if (e->kind == SIM_NODE_MESSAGE && e->msg->qos > 0) {
			net_to_node(w, e->node, e->msg); /* not acknowledged: again */
		}
		return;
	}
	switch (e->kind) {
	case SIM_NODE_WAKE:
		if (node->wake_ms != e->at) {
			break;
		}
		node->wake_ms = 0;
		if (node->wake_want <= w->now) {
			step(w, e->node, &tick);
		} else if (node->wake_want != UINT64_MAX) {
			node->wake_ms = node->wake_want;
			world_at(w, node->wake_ms, SIM_NODE_WAKE, e->node, node->life, 0, 0, NULL);
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
	if (node->agent != NULL && (w->s.nodes <= CHECK_ALL_NODES || w->stats.events % 16 == 0)) {
		agent_check(node->agent);
	}
	drain_battery(w, e->node);
}

/* Of a great fleet, the rules of one agent in sixteen are tested at each step. */

/* The processor stands still. Who dialled it finds out by and by. */
void node_sleep(struct sim_world *w, uint32_t n)
{
	struct sim_node *node = &w->nodes[n];

	node_energy(w, n);
	node->asleep = true;
	node->slept_at = w->now;
	node->linked = false;
	world_tell(w, node->id, "falls asleep");
}

void node_awake(struct sim_world *w, uint32_t n)
{
	struct sim_node *node = &w->nodes[n];
	struct agent_event e = {.kind = AGENT_EVENT_DISCONNECTED,
				.link.text = "the link was off while it slept"};
	uint64_t slept = w->now - node->slept_at;

	node_energy(w, n);
	node->asleep = false;
	node->linked = true;
	node->slept_ms += w->mutation == SIM_MUTATION_CLOCK_STOPS ? slept : 0;
	world_tell(w, node->id, "wakes up");
	for (uint32_t i = 0; i < SIM_SLICES_MAX; i++) {
		struct sim_slice *s = &node->slices[i];

		if (s->out) {
			s->began += slept;
			s->ends += slept;
			world_at(w, s->ends, SIM_NODE_SLICE, n, node->life, i, 0, NULL);
		}
	}
	node->wake_ms = 0;
	step(w, n, &e);
}

void node_offline(struct sim_world *w, uint32_t n, const char *why)
{
	struct agent_event e = {.kind = AGENT_EVENT_DISCONNECTED, .link.text = why};

	if (w->nodes[n].agent != NULL && w->nodes[n].online) {
		step(w, n, &e);
	}
}

/* ---- power -------------------------------------------------------------------------------------------- */

static struct agent_limits limits_of(const struct sim_world *w)
{
	return (struct agent_limits){.tasks_max = (uint32_t)w->s.slots,
				     .modules_max = (uint32_t)w->s.slots,
				     .slices_max = (uint32_t)w->s.threads,
				     .slice_fuel = 60 * SECOND * FUEL_PER_MS,
				     .message_bytes = 1024,
				     .outbox_bytes = 256,
				     .inflight_max = 8};
}

/* One piece for the whole fleet: large pages make a great fleet twice as fast. */
static void reserve(struct sim_world *w, size_t agent_bytes)
{
	size_t page = 2u << 20, bytes;

	w->node_bytes = base_align_up(agent_bytes + w->s.pool, 64);
	bytes = base_align_up(w->node_bytes * w->s.nodes, page);
	w->node_memory = aligned_alloc(page, bytes);
	if (w->node_memory == NULL) {
		fputs("propsim: no memory for so many workers\n", stderr);
		exit(EXIT_FAILURE);
	}
	if (bytes > 8 * page) {
		(void)madvise(w->node_memory, bytes, MADV_HUGEPAGE);
	}
}

static void init(struct sim_world *w, uint32_t n)
{
	const struct agent_limits limits = limits_of(w);
	struct sim_node *node = &w->nodes[n];
	struct agent_config config = {.proplet_id = node->id,
				      .tenant_id = w->place.tenant,
				      .channel_id = w->place.channel,
				      .cpu_arch = "sim",
				      .power = node->on_battery ? "battery" : "mains",
				      .seed = w->seed * 1000003 + n + node->life * 7919u,
				      .heartbeat_ms = (uint32_t)world_heartbeat(w, node),
				      .qos = 1,
				      .journal = true,
				      .store = true};
	size_t bytes = agent_mem_bytes(&limits);

	if (w->node_memory == NULL) {
		reserve(w, base_align_up(bytes + sizeof(config), 64));
	}
	if (node->mem == NULL) {
		node->mem = (char *)w->node_memory + n * w->node_bytes;
		node->pool = (char *)node->mem + base_align_up(bytes + sizeof(config), 64);
	}
	memcpy((uint8_t *)node->mem + bytes, &config, sizeof(config));
	if (agent_init(&node->agent, (void *)((uint8_t *)node->mem + bytes), &limits, &sim_engine,
		       node->mem, bytes, node->pool, w->s.pool) != AGENT_OK) {
		ASSERT(!"the scenario's pool is too small");
	}
}

static void forget_policy(char *record, uint32_t bytes)
{
	static const char key[] = "\"policy\":\"";

	for (uint32_t i = 0; i + sizeof(key) + 3 < bytes; i++) {
		if (memcmp(record + i, key, sizeof(key) - 1) == 0) {
			memcpy(record + i + sizeof(key) - 1, "keep", 4);
		}
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
	node->slept_ms = 0;
	node->asleep = false;
	node->energy_at = w->now;
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
			if (w->mutation == SIM_MUTATION_NO_WAIT) {
				forget_policy((char *)copy, r.size);
			}
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

	node_energy(w, n);
	node->agent = NULL;
	node->asleep = false;
	node->life++;
	node->cut_in = -1;
	memset(node->slices, 0, sizeof(node->slices));
}

void node_cut_soon(struct sim_world *w, uint32_t n)
{
	if (w->nodes[n].agent != NULL) {
		w->nodes[n].cut_in =
			world_chance(w, 50) ? CUT_AT_WRITE : (int32_t)prng_below(&w->chance, 12);
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
}
