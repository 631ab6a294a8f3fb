/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world: the queue of events in virtual time, chance, the story and the hash of everything that happens.
 *
 * Rules: 1. Events at the same time happen in the order in which they were planned.
 *        2. Everything that happens goes into the hash; two runs of a seed must have the same.
 */
#include "sim/sim.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- events ------------------------------------------------------------------------------------------- */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at < b->at || (a->at == b->at && a->order < b->order);
}

void world_at(struct sim_world *w, uint64_t at, enum sim_kind kind, uint32_t node, uint32_t life,
	      uint32_t a, uint16_t b, struct sim_msg *msg)
{
	uint32_t i = w->heap_count;
	struct sim_event e = {at, w->order++, msg, node, a, life, b, (uint8_t)kind};

	if (w->heap_count == w->heap_cap) {
		w->heap_cap = w->heap_cap * 2 + 1024;
		w->heap = realloc(w->heap, w->heap_cap * sizeof(*w->heap));
	}
	w->heap_count++;
	while (i > 0 && before(&e, &w->heap[(i - 1) / 2])) {
		w->heap[i] = w->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	w->heap[i] = e;
}

static struct sim_event take(struct sim_world *w)
{
	struct sim_event top = w->heap[0], last = w->heap[--w->heap_count];
	uint32_t i = 0;

	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= w->heap_count) {
			break;
		}
		if (child + 1 < w->heap_count && before(&w->heap[child + 1], &w->heap[child])) {
			child++;
		}
		if (!before(&w->heap[child], &last)) {
			break;
		}
		w->heap[i] = w->heap[child];
		i = child;
	}
	w->heap[i] = last;
	return top;
}

/* ---- chance ------------------------------------------------------------------------------------------- */

uint64_t world_between(struct sim_world *w, const uint64_t range[2])
{
	return range[0] +
	       (range[1] > range[0] ? prng_next(&w->chance) % (range[1] - range[0] + 1) : 0);
}

bool world_chance(struct sim_world *w, uint64_t percent)
{
	return prng_below(&w->chance, 100) < percent;
}

uint64_t world_next(struct sim_world *w, uint64_t rate)
{
	double u = ((double)prng_below(&w->chance, 1000000) + 1) / 1000001;

	return rate == 0 ? UINT64_MAX
			 : (uint64_t)(-log(u) * (double)HOUR * SIM_RATE_ONE / (double)rate) + 1;
}

/* ---- hash, story, violations -------------------------------------------------------------------------- */

void world_note(struct sim_world *w, uint64_t what, uint64_t a, uint64_t b)
{
	uint64_t parts[] = {w->now, what, a, b};

	for (unsigned i = 0; i < BASE_COUNT(parts); i++) {
		w->hash = (w->hash ^ parts[i]) * 0x100000001B3u;
		w->hash ^= w->hash >> 29;
	}
}

static void stamp(const struct sim_world *w)
{
	uint64_t t = w->now;

	printf("%3u:%02u:%02u.%03u  ", (unsigned)(t / HOUR), (unsigned)(t / MINUTE % 60),
	       (unsigned)(t / SECOND % 60), (unsigned)(t % SECOND));
}

void world_violation(struct sim_world *w, const char *format, ...)
{
	va_list args;

	w->stats.violations++;
	if (w->stats.violations > 20 || !w->verbose) {
		return;
	}
	stamp(w);
	printf("VIOLATION ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

void world_tell(struct sim_world *w, const char *id, const char *format, ...)
{
	va_list args;

	if (w->trace == NULL || (id != NULL && strcmp(id, w->trace) != 0)) {
		return;
	}
	w->stats.told += id != NULL;
	stamp(w);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

/* ---- messages ----------------------------------------------------------------------------------------- */

struct sim_msg *msg_new(enum wire_topic topic, const char *payload, size_t bytes, uint8_t qos)
{
	struct sim_msg *m = malloc(sizeof(*m) + bytes + 1);

	m->refs = 1;
	m->bytes = (uint32_t)bytes;
	m->topic = (uint16_t)topic;
	m->qos = qos;
	memcpy(m->payload, payload, bytes);
	m->payload[bytes] = 0;
	return m;
}

struct sim_msg *msg_keep(struct sim_msg *m)
{
	m->refs++;
	return m;
}

void msg_drop(struct sim_msg *m)
{
	if (m != NULL && --m->refs == 0) {
		free(m);
	}
}

/* ---- faults ------------------------------------------------------------------------------------------- */

static void plan(struct sim_world *w, enum sim_kind kind, uint32_t node, uint64_t rate)
{
	uint64_t in = world_next(w, rate);

	if (in != UINT64_MAX && w->now + in < w->faults_end) {
		world_at(w, w->now + in, kind, node, 0, 0, 0, NULL);
	}
}

static void cut(struct sim_world *w, uint32_t n, uint64_t back)
{
	struct sim_node *node = &w->nodes[n];

	if (!node->linked || node->agent == NULL || node->asleep) {
		return;
	}
	node->linked = false;
	w->stats.cuts++;
	world_note(w, SIM_LINK_CUT, n, back);
	world_at(w, back, SIM_LINK_MEND, n, node->life, 0, 0, NULL);
	truth_node_dead(w, n);
	node_offline(w, n, "the link was cut");
	net_node_lost(w, n);
}

static void mend(struct sim_world *w, uint32_t n)
{
	struct sim_node *node = &w->nodes[n];

	node->linked = true;
	world_note(w, SIM_LINK_MEND, n, 0);
}

void world_outage(struct sim_world *w)
{
	w->outage_end = w->broker_up && boss_up(w) ? w->now : UINT64_MAX;
}

uint64_t world_heartbeat(const struct sim_world *w, const struct sim_node *n)
{
	return n->device ? w->s.device_heartbeat : w->s.heartbeat;
}

void world_power_cut(struct sim_world *w, uint32_t n, uint64_t for_ms)
{
	struct sim_node *node = &w->nodes[n];

	if (node->agent == NULL) {
		return;
	}
	w->stats.power_cuts++;
	world_note(w, SIM_POWER_CUT, n, 0);
	truth_node_dead(w, n);
	node_power_off(w, n);
	net_node_lost(w, n);
	world_at(w, w->now + for_ms, SIM_POWER_BACK, n, 0, 0, 0, NULL);
}

static void power_back(struct sim_world *w, uint32_t n)
{
	world_note(w, SIM_POWER_BACK, n, 0);
	w->nodes[n].linked = true;
	node_boot(w, n);
}

static void partition(struct sim_world *w)
{
	uint64_t back = w->now + world_between(w, w->s.partition_time);

	w->stats.partitions++;
	for (uint32_t n = 0; n < w->s.nodes; n++) {
		if (world_chance(w, w->s.partition_part)) {
			cut(w, n, back);
		}
	}
}

static void broker_down(struct sim_world *w)
{
	if (w->broker_up) {
		w->stats.broker_restarts++;
		net_broker_down(w);
		world_outage(w);
		world_at(w, w->now + world_between(w, w->s.broker_down), SIM_BROKER_BACK, 0, 0, 0,
			 0, NULL);
	}
}

static void boss_down(struct sim_world *w)
{
	if (boss_up(w)) {
		w->stats.manager_kills++;
		boss_kill(w);
		world_outage(w);
		world_at(w, w->now + world_between(w, w->s.manager_down), SIM_BOSS_BACK, 0, 0, 0, 0,
			 NULL);
	}
}

static void fall_asleep(struct sim_world *w, uint32_t n)
{
	struct sim_node *node = &w->nodes[n];
	uint64_t until = w->now + world_between(w, w->s.sleep_time);

	if (until >= w->faults_end) {
		return;
	}
	if (node->agent != NULL && node->linked && !node->asleep) {
		w->stats.sleeps++;
		world_note(w, SIM_SLEEP, n, until);
		truth_node_dead(w, n);
		node_sleep(w, n);
		net_node_lost(w, n);
		world_at(w, until, SIM_AWAKE, n, node->life, 0, 0, NULL);
	}
	world_at(w, until + world_between(w, w->s.awake_time), SIM_SLEEP, n, 0, 0, 0, NULL);
}

static void jump(struct sim_world *w, uint32_t n)
{
	int64_t by = (int64_t)(prng_next(&w->chance) % (96 * (uint64_t)HOUR)) - 48 * (int64_t)HOUR;

	w->stats.jumps++;
	if (n < w->s.nodes) {
		w->nodes[n].wall_offset = by;
	} else {
		w->boss_wall_offset = by;
	}
}

static void drain(struct sim_world *w)
{
	uint32_t n = prng_below(&w->chance, (uint32_t)w->s.nodes);

	w->stats.drains++;
	boss_drain(w, n, true);
	world_at(w, w->now + world_between(w, w->s.drain_time), SIM_UNDRAIN, n, 0, 0, 0, NULL);
}

static void fault(struct sim_world *w, const struct sim_event *e)
{
	switch (e->kind) {
	case SIM_LINK_CUT:
		cut(w, e->node, w->now + world_between(w, w->s.cut_time));
		plan(w, SIM_LINK_CUT, e->node, w->s.cuts);
		break;
	case SIM_LINK_MEND:
		if (e->life == w->nodes[e->node].life) {
			mend(w, e->node);
		}
		break;
	case SIM_POWER_CUT:
		if (world_chance(w, w->s.torn)) {
			node_cut_soon(w, e->node);
		} else {
			world_power_cut(w, e->node, world_between(w, w->s.power_cut_time));
		}
		plan(w, SIM_POWER_CUT, e->node, w->s.power_cuts);
		break;
	case SIM_POWER_BACK:
		power_back(w, e->node);
		break;
	case SIM_SLEEP:
		fall_asleep(w, e->node);
		break;
	case SIM_AWAKE:
		if (e->life == w->nodes[e->node].life) {
			node_awake(w, e->node);
		}
		break;
	case SIM_CLOCK_JUMP:
		jump(w, e->node);
		plan(w, SIM_CLOCK_JUMP, e->node, w->s.jumps);
		break;
	case SIM_DRAIN:
		drain(w);
		plan(w, SIM_DRAIN, 0, w->s.drains);
		break;
	case SIM_UNDRAIN:
		boss_drain(w, e->node, false);
		break;
	case SIM_WILL:
		net_will(w, e);
		break;
	case SIM_PARTITION:
		partition(w);
		plan(w, SIM_PARTITION, 0, w->s.partitions);
		break;
	case SIM_BROKER_DOWN:
		broker_down(w);
		plan(w, SIM_BROKER_DOWN, 0, w->s.broker_restarts);
		break;
	case SIM_BROKER_BACK:
		net_broker_back(w);
		world_outage(w);
		break;
	case SIM_BOSS_KILL:
		boss_down(w);
		plan(w, SIM_BOSS_KILL, 0, w->s.manager_kills);
		break;
	default: /* SIM_BOSS_BACK */
		boss_boot(w);
		world_outage(w);
		break;
	}
}

static void plan_faults(struct sim_world *w)
{
	for (uint32_t n = 0; n < w->s.nodes; n++) {
		plan(w, SIM_LINK_CUT, n, w->s.cuts);
		plan(w, SIM_POWER_CUT, n, w->s.power_cuts);
		if (world_chance(w, w->s.sleepers)) {
			world_at(w, w->now + world_between(w, w->s.awake_time), SIM_SLEEP, n, 0, 0,
				 0, NULL);
		}
		plan(w, SIM_CLOCK_JUMP, n, w->s.jumps);
	}
	plan(w, SIM_CLOCK_JUMP, (uint32_t)w->s.nodes, w->s.jumps);
	plan(w, SIM_DRAIN, 0, w->s.drains);
	plan(w, SIM_BOSS_KILL, 0, w->s.manager_kills);
	plan(w, SIM_BROKER_DOWN, 0, w->s.broker_restarts);
	plan(w, SIM_PARTITION, 0, w->s.partitions);
}

/* ---- the run ------------------------------------------------------------------------------------------ */

static void dispatch(struct sim_world *w, const struct sim_event *e)
{
	switch (e->kind) {
	case SIM_NODE_WAKE:
	case SIM_NODE_CONNECTED:
	case SIM_NODE_MESSAGE:
	case SIM_NODE_PUBLISHED:
	case SIM_NODE_SLICE:
		node_event(w, e);
		break;
	case SIM_BOSS_WAKE:
	case SIM_BOSS_MESSAGE:
	case SIM_BOSS_COMMIT:
	case SIM_STOP_TASK:
		boss_event(w, e);
		break;
	case SIM_ARRIVAL:
		boss_arrival(w);
		plan(w, SIM_ARRIVAL, 0, w->s.tasks);
		break;
	default:
		fault(w, e);
		break;
	}
}

static void build(struct sim_world *w)
{
	w->broker_up = true;
	w->faults_end = w->s.duration > w->s.quiet ? w->s.duration - w->s.quiet : 0;
	w->place = (struct wire_place){"sim", "fleet"};
	w->nodes = calloc(w->s.nodes, sizeof(*w->nodes));
	w->boss = boss_new(w);
	boss_boot(w);
	for (uint32_t n = 0; n < w->s.nodes; n++) {
		struct sim_node *node = &w->nodes[n];

		snprintf(node->id, sizeof(node->id), "node-%05u", n);
		node->linked = true;
		node->drift_ppm = (int32_t)prng_below(&w->chance, (uint32_t)(2 * w->s.drift + 1)) -
				  (int32_t)w->s.drift;
		node->on_battery = world_chance(w, w->s.battery);
		node->device = w->s.devices != 0 && world_chance(w, w->s.devices);
		node->link_rate = world_chance(w, w->s.slow_links) ? (uint32_t)w->s.slow_rate : 0;
		world_at(w, prng_next(&w->chance) % world_heartbeat(w, node), SIM_POWER_BACK, n, 0,
			 0, 0, NULL);
	}
	plan_faults(w);
	plan(w, SIM_ARRIVAL, 0, w->s.tasks);
}

static void demolish(struct sim_world *w)
{
	for (uint32_t i = 0; i < w->heap_count; i++) {
		msg_drop(w->heap[i].msg);
	}
	for (uint32_t n = 0; n < w->s.nodes; n++) {
		node_free(w, n);
	}
	boss_free(w);
	for (uint32_t i = 0; i < w->boss_held_count; i++) {
		msg_drop(w->boss_held[i]);
	}
	free(w->boss_held);
	free(w->node_memory);
	free(w->nodes);
	free(w->heap);
	free(w->tasks);
	free(w->groups);
	free(w->lost);
}

uint64_t sim_run(const struct sim_scenario *s, const struct sim_options *o, struct sim_stats *stats,
		 uint64_t *hash)
{
	struct sim_world w = {.s = *s,
			      .seed = o->seed,
			      .mutation = o->mutation,
			      .trace = o->trace,
			      .verbose = o->verbose,
			      .hash = 0xCBF29CE484222325u};

	prng_init(&w.chance, o->seed);
	build(&w);
	while (w.heap_count != 0 && w.heap[0].at <= w.s.duration) {
		struct sim_event e = take(&w);

		w.now = e.at;
		w.stats.events++;
		dispatch(&w, &e);
		msg_drop(e.msg);
	}
	w.now = w.s.duration;
	truth_end(&w);
	for (uint32_t n = 0; n < w.s.nodes; n++) {
		node_energy(&w, n);
		w.stats.energy_uj += w.nodes[n].energy_uj;
	}
	*stats = w.stats;
	*hash = w.hash;
	demolish(&w);
	return stats->violations;
}
