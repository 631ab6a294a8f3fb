/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that run slices of tasks; each slice's end goes into the inbox as NOTE_SLICE. */
#ifndef LINUX_RUNNERS_H
#define LINUX_RUNNERS_H

#include "agent/agent.h"
#include "port/linux/inbox.h"

#include <pthread.h>

#define RUNNERS_MAX 256

struct runners {
	pthread_t threads[RUNNERS_MAX];
	uint32_t thread_count;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct agent_slice queue[RUNNERS_MAX]; /* a ring; the agent has at most thread_count out */
	uint32_t first, count;
	bool ending;
	struct inbox *inbox;
};

/* Starts the threads (1 to RUNNERS_MAX). 0 or an errno. inbox is kept. */
MUST_USE int runners_start(struct runners *r, uint32_t threads, struct inbox *inbox);
void runners_run(struct runners *r, const struct agent_slice *slice);
/* Waits for slices that run; those queued are not begun. */
void runners_end(struct runners *r);

#endif
