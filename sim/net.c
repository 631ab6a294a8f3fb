/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network and the broker: links that delay, stall and repeat; sessions that hold messages for who is away.
 *
 *     worker --link--> broker --link--> manager, and back
 *
 * Rules: 1. A connection keeps the order of its messages (MQTT over TCP).
 *        2. QoS 1 reaches a session at least once, unless the session is lost; QoS 0 only who is there.
 *        3. A worker that goes silently is noticed after one and a half keep-alives; its will is then sent.
 * Spec:  MQTT 3.1.1, 3.1.2.4, 3.1.2.5, 4.3
 */
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	WILL_DELAY = 45 * SECOND,
	HELD_MAX = 2000
};

static void hold(struct sim_msg ***list, uint32_t *count, uint32_t *cap, struct sim_msg *m)
{
	if (*count == HELD_MAX) {
		return; /* the broker's queue is full: it drops what comes */
	}
	if (*count == *cap) {
		*cap = *cap * 2 + 8;
		*list = realloc(*list, *cap * sizeof(**list));
	}
	(*list)[(*count)++] = msg_keep(m);
}

uint64_t net_delay(struct sim_world *w, uint64_t *link_free, uint32_t rate, uint32_t bytes)
{
	uint64_t at = w->now + world_between(w, w->s.delay);

	if (w->now < w->faults_end && world_chance(w, w->s.stall)) {
		at += world_between(w, w->s.stall_time);
	}
	if (at < *link_free) {
		at = *link_free;
	}
	at += rate != 0 ? (uint64_t)bytes * SECOND / rate : 0;
	*link_free = at;
	return at;
}

/* ---- to workers --------------------------------------------------------------------------------------- */

static void deliver(struct sim_world *w, uint32_t n, struct sim_msg *m)
{
	struct sim_node *node = &w->nodes[n];

	world_at(w, net_delay(w, &node->link_free_down, node->link_rate, m->bytes),
		 SIM_NODE_MESSAGE, n, node->life, 0, 0, msg_keep(m));
	if (m->qos > 0 && w->now < w->faults_end && world_chance(w, w->s.duplicate)) {
		w->stats.duplicates++;
		world_at(w,
			 net_delay(w, &node->link_free_down, node->link_rate, m->bytes) +
				 world_between(w, w->s.stall_time),
			 SIM_NODE_MESSAGE, n, node->life, 0, 0, msg_keep(m));
	}
}

void net_to_node(struct sim_world *w, uint32_t n, struct sim_msg *m)
{
	struct sim_node *node = &w->nodes[n];

	if (!w->broker_up || !node->session || !node->subscribed) {
		return;
	}
	if (node->online && node->linked) {
		deliver(w, n, m);
	} else if (m->qos > 0) {
		hold(&node->held, &node->held_count, &node->held_cap, m);
	}
}

void net_node_online(struct sim_world *w, uint32_t n)
{
	struct sim_node *node = &w->nodes[n];

	/* The broker ends the old connection, whose will it may then send, though the worker is back. */
	if (node->will_due && world_chance(w, 50)) {
		struct sim_event e = {.node = n, .a = node->will};

		net_will(w, &e);
	}
	node->will_due = false;
	node->will++;
	node->online = true;
	for (uint32_t i = 0; i < node->held_count; i++) {
		deliver(w, n, node->held[i]);
		msg_drop(node->held[i]);
	}
	node->held_count = 0;
}

void net_node_lost(struct sim_world *w, uint32_t n)
{
	struct sim_node *node = &w->nodes[n];

	if (node->online && w->broker_up) {
		node->will_due = true;
		world_at(w, w->now + WILL_DELAY, SIM_WILL, n, 0, node->will, 0, NULL);
	}
	node->online = false;
}

void net_will(struct sim_world *w, const struct sim_event *e)
{
	struct sim_node *node = &w->nodes[e->node];
	char payload[128];
	struct sim_msg *m;

	if (!node->will_due || node->will != e->a || !w->broker_up) {
		return;
	}
	node->will_due = false;
	snprintf(payload, sizeof(payload), "{\"proplet_id\":\"%s\",\"status\":\"offline\"}",
		 node->id);
	m = msg_new(WIRE_TOPIC_GONE, payload, strlen(payload), 1);
	net_to_boss(w, e->node, m);
	msg_drop(m);
}

/* ---- to the manager ----------------------------------------------------------------------------------- */

static void deliver_boss(struct sim_world *w, struct sim_msg *m)
{
	uint64_t at = w->now + 1;

	at = at < w->boss_link_free ? w->boss_link_free : at;
	w->boss_link_free = at;
	world_at(w, at, SIM_BOSS_MESSAGE, 0, boss_life(w), 0, 0, msg_keep(m));
	if (m->qos > 0 && w->now < w->faults_end && world_chance(w, w->s.duplicate)) {
		w->stats.duplicates++;
		world_at(w, at + world_between(w, w->s.stall_time), SIM_BOSS_MESSAGE, 0,
			 boss_life(w), 0, 0, msg_keep(m));
	}
}

/* A message that has reached the broker. */
void net_to_boss(struct sim_world *w, uint32_t n, struct sim_msg *m)
{
	w->stats.messages++;
	if (!w->broker_up) {
		return;
	}
	if (boss_up(w)) {
		deliver_boss(w, m);
	} else if (m->qos > 0 && w->boss_session) {
		hold(&w->boss_held, &w->boss_held_count, &w->boss_held_cap, m);
	}
}

void net_boss_online(struct sim_world *w)
{
	w->boss_session = true;
	for (uint32_t i = 0; i < w->boss_held_count; i++) {
		deliver_boss(w, w->boss_held[i]);
		msg_drop(w->boss_held[i]);
	}
	w->boss_held_count = 0;
}

/* ---- the broker --------------------------------------------------------------------------------------- */

static void forget_sessions(struct sim_world *w)
{
	for (uint32_t n = 0; n < w->s.nodes; n++) {
		struct sim_node *node = &w->nodes[n];

		node->session = node->subscribed = false;
		for (uint32_t i = 0; i < node->held_count; i++) {
			msg_drop(node->held[i]);
		}
		node->held_count = 0;
	}
	for (uint32_t i = 0; i < w->boss_held_count; i++) {
		msg_drop(w->boss_held[i]);
	}
	w->boss_held_count = 0;
	w->boss_session = boss_up(w); /* it subscribes anew when it is back */
}

void net_broker_down(struct sim_world *w)
{
	world_note(w, SIM_BROKER_DOWN, 0, 0);
	w->broker_up = false;
	for (uint32_t n = 0; n < w->s.nodes; n++) {
		w->nodes[n].will_due = false;
		if (w->nodes[n].online) {
			node_offline(w, n, "the broker is gone");
			w->nodes[n].online = false;
		}
	}
	if (world_chance(w, w->s.session_loss)) {
		w->stats.session_losses++;
		forget_sessions(w);
	}
}

void net_broker_back(struct sim_world *w)
{
	world_note(w, SIM_BROKER_BACK, 0, 0);
	w->broker_up = true;
	if (boss_up(w)) {
		net_boss_online(w);
	}
}
