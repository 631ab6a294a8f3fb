/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection to the broker, as events and actions of the agent.
 *
 *     AGENT_ACTION_CONNECT --> mqtt_connect_begin     (a thread of its own connects)
 *     AGENT_ACTION_SUBSCRIBE, PUBLISH, DISCONNECT --> mqtt_*
 *     mqtt_next --> CONNECTED, DISCONNECTED, SUBSCRIBED, PUBLISHED, MESSAGE
 *
 * Rules: 1. Only the main loop calls these; the connecting thread owns the client between
 *           connect_begin and CONNECTED or DISCONNECTED.
 *        2. A message is acknowledged by mqtt_handled, after its last piece was handled.
 *        3. Messages with QoS 2 that come again before they are released are read, acknowledged and
 *           not handed on.
 */
#ifndef MQTT_H
#define MQTT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/agent.h"

void mqtt_start(void);
/* Texts are copied. */
void mqtt_connect_begin(const struct agent_action *action);
void mqtt_subscribe_to(const struct agent_action *action);
void mqtt_publish_this(const struct agent_action *action);
void mqtt_close(void);

/* Fills in what happened, if something did. Never blocks. */
bool mqtt_next(struct agent_event *out);
/* The main loop did all that the last MESSAGE event asked for. */
void mqtt_handled(void);
/* Waits until the socket has something, mqtt_wake is called or timeout_ms passed. */
void mqtt_wait(uint32_t timeout_ms);
/* From any thread: ends a wait (at once while not connected, else at its next turn). */
void mqtt_wake(void);
bool mqtt_is_up(void);

#endif
