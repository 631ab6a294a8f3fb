/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look inside over HTTP, on 127.0.0.1 alone: /health, /metrics (Prometheus), /state, /pools,
 * /limits.
 *
 * Rules: 1. Nothing blocks: a slow client costs one of STATUS_CLIENTS_MAX places, the oldest goes.
 *        2. Read only: nothing that comes in changes anything.
 */
#ifndef LINUX_STATUS_H
#define LINUX_STATUS_H

#include "base/base.h"

#include <poll.h>

#define STATUS_CLIENTS_MAX 8
#define STATUS_FDS_MAX     (STATUS_CLIENTS_MAX + 1)

struct worker;

struct status_client {
	int fd; /* 0: the place is free */
	uint32_t in_bytes, age;
	char in[1024];
	char *out;
	size_t out_bytes, out_done;
};

struct status {
	bool on;
	int fd;
	uint32_t accepted;
	struct status_client clients[STATUS_CLIENTS_MAX];
};

/* Listens; port 0: does nothing, ever. 0 or an errno, which it logged. */
MUST_USE int status_start(struct status *s, int port);
void status_end(struct status *s);
/* What to poll for: fills up to STATUS_FDS_MAX, returns how many. */
int status_poll(const struct status *s, struct pollfd *fds);
/* Serves what poll found. */
void status_serve(struct status *s, const struct pollfd *fds, const struct worker *w);

#endif
