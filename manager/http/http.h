/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manager's HTTP API: Propeller's, and what Proplet adds. libmicrohttpd within the caller's
 * loop: no threads.
 *
 *     http_start(&config, service) -> wait until http_fd() is readable or http_timeout_ms() is over
 *     -> http_run() -> service_commit() -> http_after_commit()
 *
 * Rules: an answer to a request that wrote something leaves only after the commit.
 */
#ifndef MANAGER_HTTP_HTTP_H
#define MANAGER_HTTP_HTTP_H

#include "manager/http/service.h"

struct http_config {
	char host[64];
	int port;
	const char *cert; /* PEM texts; NULL without TLS */
	const char *key;
	const char *version;
	void (*fetch)(void *user, const char *url, const char *task_id); /* start of a download */
	void *fetch_user;
};

struct http_server;

/* Listens; NULL with a sentence in error. */
struct http_server *http_start(const struct http_config *config, struct service *s, char *error,
			       size_t error_bytes);
void http_stop(struct http_server *h);

int http_fd(const struct http_server *h);
/* How long the caller may wait, at most limit_ms. */
int http_timeout_ms(const struct http_server *h, int limit_ms);
/* Serves what there is to serve. */
void http_run(struct http_server *h);
/* Lets the answers go whose writes are durable now, and the stream of events. */
void http_after_commit(struct http_server *h);
/* Told by the main program: why there is no connection to the broker, NULL if there is one. */
void http_set_broker(struct http_server *h, const char *trouble);

#endif
