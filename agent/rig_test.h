/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A port for tests, without an OS: one agent, a store and a journal in memory, time by hand. What
 * the agent does is written down as lines of text; slices and store actions are carried out at once.
 */
#ifndef AGENT_RIG_TEST_H
#define AGENT_RIG_TEST_H

#include "agent/agent.h"
#include "wire/wire.h"

enum {
	RIG_LOG_BYTES = 1 << 18,
	RIG_STORED_MAX = 8,
	RIG_STORED_BYTES = 1 << 16,
	RIG_RECORDS_MAX = 64,
};

struct rig_stored {
	uint8_t digest[AGENT_DIGEST_BYTES];
	uint8_t data[RIG_STORED_BYTES];
	uint32_t bytes;
	bool used, complete;
};

struct rig {
	struct agent *agent;
	struct agent_config config;
	struct agent_limits limits;
	const struct agent_engine *engine;
	struct agent_actions actions;
	void *mem, *pool, *text;
	size_t mem_bytes, pool_bytes, text_bytes;
	uint64_t now_ms, wake_ms;
	int64_t wall_ms;
	char log[RIG_LOG_BYTES]; /* what was done, a line each */
	uint32_t log_bytes;
	struct rig_stored stored[RIG_STORED_MAX];
	bool store_mapped;  /* the store's modules can be used where they are */
	int store_fails_at; /* the n-th store action fails; 0: none */
	int store_actions;
	bool publish_fails; /* publications are answered as failed */
	bool hold_acks;     /* publications are not answered */
	bool hold_hosts;    /* capabilities are not answered */
	bool hold_slices;   /* slices are kept in held[] */
	uint32_t slice_ms;  /* of time that each slice takes */
	struct agent_slice held[64];
	uint32_t held_count;
	char *records[RIG_RECORDS_MAX];
	uint32_t record_bytes[RIG_RECORDS_MAX];
	uint32_t piece_bytes; /* of messages; 0: as long as may be */
	uint32_t steps;
	bool ended;                    /* DISCONNECT with last came */
	struct agent_event queue[256]; /* answers to actions, not yet handed in */
	uint32_t queue_from, queue_count;
};

/* A rig with defaults (fake engine, pool of 64 KB, no store, no journal), to be changed before
 * rig_boot. */
struct rig *rig_new(void);
void rig_boot(struct rig *r); /* makes the agent, replays the journal, first tick */
void rig_free(struct rig *r);

void rig_event(struct rig *r, const struct agent_event *e);
/* Steps with ticks until the agent has nothing to say before ms from now are over. */
void rig_run(struct rig *r, uint64_t ms);
/* Connects and subscribes as far as it is asked to. */
void rig_online(struct rig *r);
/* A message on a topic behind the prefix. */
void rig_message(struct rig *r, const char *topic, const char *payload, size_t bytes);
void rig_say(struct rig *r, const char *topic, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A start of a module script, inline; extra: further keys, ended by a comma, or "". */
void rig_start(struct rig *r, const char *id, const char *script, const char *extra);
/* Whether the log has the text; forgets what was logged when it is asked for with rig_clear. */
bool rig_saw(const struct rig *r, const char *text);
void rig_clear(struct rig *r);
uint32_t rig_base64(char *out, const void *data, uint32_t bytes);

#endif
