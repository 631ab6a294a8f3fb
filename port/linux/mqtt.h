/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection to the broker: libmosquitto on a thread of its own.
 *
 * In:    commands from the main thread, none of which blocks.
 * Out:   notes in the inbox: CONNECTED, DISCONNECTED (once per mqtt_connect), SUBSCRIBED, MESSAGE,
 *        PUBLISHED.
 * Rules: 1. It connects only when told: pauses and their length are the agent's decision.
 *        2. The session is kept by the broker (clean session off); publications that were not
 *           acknowledged are sent again by libmosquitto after the next connection.
 *        3. libmosquitto acknowledges a message before the agent has seen it: what must not be lost
 *           to a crash in between is made safe above (epochs, acknowledgements of the manager).
 */
#ifndef LINUX_MQTT_H
#define LINUX_MQTT_H

#include "port/linux/config.h"
#include "port/linux/inbox.h"

struct mqtt;

/* NULL after an error that it logged. config and inbox are kept. */
struct mqtt *mqtt_new(const struct config *config, const char *client_id, struct inbox *inbox);
/* Connects, with this will. */
void mqtt_connect(struct mqtt *m, const char *will_topic, const char *will_payload);
void mqtt_subscribe(struct mqtt *m, const char *const *filters, int qos);
/* The message id for NOTE_PUBLISHED, or -1 if it could not be queued. */
int mqtt_publish(struct mqtt *m, const char *topic, const void *payload, uint32_t bytes, int qos);
/* Ends the connection when what is queued was written. */
void mqtt_disconnect(struct mqtt *m);
/* Ends the thread, cutting the connection if there is one. False if it did not end within wait_ms
 * (it hangs in a name look-up): then nothing is freed, and it may still put notes. */
bool mqtt_end(struct mqtt *m, int wait_ms);

#endif
