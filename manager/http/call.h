/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP request and its answer. Private to manager/http. */
#ifndef MANAGER_HTTP_CALL_H
#define MANAGER_HTTP_CALL_H

#include <microhttpd.h>

#include "manager/http/http.h"

#define CALL_SEGMENTS_MAX 6
#define CALL_BODY_MAX     ((size_t)140 << 20) /* 100 MiB as base64, and what is around it */

struct call;
typedef void call_fn(struct call *c);

struct route {
	const char *method;
	const char *path; /* "/tasks/{id}/start" */
	const char *name; /* "start-task", as Propeller counts it */
	call_fn *handle;
	const char *summary;
};

struct call {
	struct http_server *server;
	struct service *s;
	struct MHD_Connection *connection;
	const struct route *route;
	const char *method;
	char path[1024];
	char *segments[CALL_SEGMENTS_MAX];
	int segment_count;
	char *body;
	size_t body_bytes, body_capacity;
	bool too_large, handled, suspended;
	bool waiting;   /* a waiter will answer */
	bool streaming; /* the response has been queued already */
	struct waiter waiter;
	char id[MANAGER_ID_BYTES]; /* of what is waited for */
	uint64_t begin_us;
	/* the answer */
	int status;
	char *reply;
	size_t reply_bytes;
	const char *content_type;
	char location[128];
	void (*finish)(struct call *c); /* answers, once the waiter is done */
	struct call *next;              /* after the commit */
};

extern const struct route routes[];

/* Answers; json is taken. */
void call_json(struct call *c, int status, json_t *taken);
void call_text(struct call *c, int status, const char *content_type, char *taken, size_t bytes);
void call_error(struct call *c, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The answer of the core as an HTTP error. */
void call_refused(struct call *c, enum manager_answer answer, const char *detail);
void call_store_failed(struct call *c);
/* The store said no: 404 with what, or 500. */
void call_store_error(struct call *c, enum store_err err, const char *what);

const char *call_query(const struct call *c, const char *key);
/* The query's `find`, a whole name or the beginning of an id; NULL if it has none. */
const char *call_find(const struct call *c);
/* Whether that names the thing of this name and id; everything if find is NULL. */
bool call_found(const char *find, const char *name, const char *id);
/* The body as JSON; NULL when the call has been answered with 400. */
json_t *call_body(struct call *c);
/* offset and limit; false when the call has been answered with 400. */
bool call_page(struct call *c, uint64_t limit_default, uint64_t limit_max, uint64_t *offset,
	       uint64_t *limit);
/* A whole number of the query; false when the call has been answered with 400. */
bool call_number(struct call *c, const char *key, uint64_t otherwise, uint64_t most, uint64_t *out);
/* {"offset","limit","total",key: items} */
json_t *call_envelope(uint64_t offset, uint64_t limit, uint64_t total, const char *key,
		      json_t *items_taken);
/* Called later to answer, when waiter c->waiter is done. */
void call_wait(struct call *c, const char *key, uint64_t wait_ms, void (*finish)(struct call *c));

/* Why there is no connection to the broker; NULL if there is one. */
const char *http_broker_trouble(const struct http_server *h);
const struct http_config *http_config_of(const struct http_server *h);
void http_fetch(struct http_server *h, const char *url, const char *task_id);
struct http_count {
	uint64_t count, sum_us;
};
const struct http_count *http_counts(const struct http_server *h);
/* Turns the call into the stream of events. */
void http_stream(struct call *c);

/* An uploaded file, lent from the body. */
struct upload {
	const char *bytes;
	size_t size;
	bool seen, bad_name;
};

/* Finds it (upload.c); false when the call has been answered. */
bool upload_read(struct call *c, struct upload *u);

/* Handlers; the table is routes.c. */
#define ROUTE(method, path, name, handle, summary) void handle(struct call *c);
#include "manager/http/route_list.h"
ROUTE_LIST
#undef ROUTE

#endif
