/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker: an agent, and everything it acts on.
 *
 * events.c finds the next event (events of this host first, then messages), actions.c carries out
 * what the agent answers, setup.c makes and ends the parts, main.c is the loop.
 */
#ifndef LINUX_WORKER_H
#define LINUX_WORKER_H

#include "agent/agent.h"
#include "port/linux/caps.h"
#include "port/linux/config.h"
#include "port/linux/inbox.h"
#include "port/linux/journal.h"
#include "port/linux/mqtt.h"
#include "port/linux/runners.h"
#include "port/linux/status.h"
#include "port/linux/store.h"
#include "port/linux/trust.h"
#include "port/linux/sysinfo.h"

/* An event that an action answered itself, with the bytes it lends. */
struct answer {
	struct agent_event event;
	void *owned;
};

struct worker {
	struct config config;
	char state_dir[1024], id[72];
	int lock_fd; /* of the state folder */

	struct sysinfo_facts facts;
	struct trust trust;
	struct agent_config agent_config;
	struct agent_limits limits;
	struct agent *agent;
	struct agent_actions actions;
	void *mem, *pool;
	size_t pool_bytes;

	struct inbox inbox;
	struct mqtt *mqtt;
	struct runners runners;
	struct store store;
	struct journal journal;
	struct caps caps;
	struct status status;

	/* events.c */
	int signal_fd;
	struct note *note;  /* the last event's; its bytes are lent to the agent */
	uint32_t note_done; /* bytes of a message handed over so far */
	bool note_begun;
	struct answer *answers; /* a ring */
	uint32_t answer_first, answer_count, answer_room;
	void *answer_owned; /* of the answer that is being handled */
	uint32_t journal_next;
	bool booted; /* the journal was replayed */
	uint64_t node_due_ms;
	struct sysinfo_meter meter;
	struct agent_node node;     /* its latest */
	uint16_t ref_of_mid[65536]; /* of publications not yet confirmed; 0: none */

	bool linked;    /* between CONNECT and its DISCONNECTED */
	bool leaving;   /* the agent said its last DISCONNECT */
	uint32_t quits; /* SIGTERM or SIGINT came that often */
	uint64_t quit_deadline_ms;
	bool done;
};

/* 0, or the exit status after an error that was logged. The configuration is read already. */
MUST_USE int worker_start(struct worker *w);
void worker_end(struct worker *w);

/* Waits at most until the agent's wake-up for the next event; false: the wait was cut short. */
bool worker_next_event(struct worker *w, struct agent_event *out);
/* Queues an event that answers an action; takes owned (malloc'ed, or NULL). */
void worker_answer(struct worker *w, const struct agent_event *event, void *owned);

/* Carries out all actions of the last step, in order. */
void worker_act(struct worker *w);

#endif
