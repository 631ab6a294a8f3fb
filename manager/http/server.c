/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmicrohttpd within the manager's own loop.
 *
 * In:    requests. Out: answers; those that wrote something after the commit.
 * Owns:  connections, calls, the clients of the stream of events.
 * States of a call: receiving --last byte--> handled --> answered
 *                                             |  writes: suspended until the commit
 *                                             +- waits: suspended until its waiter is woken
 */
#include "manager/http/call.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 8000
#define ROUTES_MAX      96

struct stream {
	struct stream *next;
	struct http_server *server;
	struct MHD_Connection *connection;
	uint64_t seq;
	char subject[MANAGER_ID_BYTES]; /* "" for all */
	char *pending;
	size_t pending_bytes, pending_at;
	bool suspended;
};

struct http_server {
	struct http_config config;
	struct service *s;
	struct MHD_Daemon *daemon;
	struct call *after_commit;
	struct stream *streams;
	struct http_count counts[ROUTES_MAX];
	char broker[256]; /* why there is no connection to it; "" if there is one */
	bool stopping;
	bool more; /* MHD has something to do at once */
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- answers ---- */

void call_text(struct call *c, int status, const char *content_type, char *taken, size_t bytes)
{
	free(c->reply);
	c->status = status;
	c->content_type = content_type;
	c->reply = taken;
	c->reply_bytes = bytes;
}

void call_json(struct call *c, int status, json_t *taken)
{
	size_t n = json_dumpb(taken, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
	char *text = malloc(n + 2);

	if (text == NULL) {
		json_decref(taken);
		call_text(c, 500, "application/json", NULL, 0);
		return;
	}
	json_dumpb(taken, text, n, JSON_COMPACT | JSON_ENCODE_ANY);
	text[n] = '\n';
	json_decref(taken);
	call_text(c, status, "application/json", text, n + 1);
}

void call_error(struct call *c, int status, const char *format, ...)
{
	char text[SERVICE_TEXT * 2];
	json_t *message;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	message = json_string(text);
	if (message == NULL) {
		/* Somebody sent bytes that are not UTF-8, and we quote them. */
		for (char *p = text; *p != '\0'; p++) {
			*p = *p < ' ' || *p > '~' ? '?' : *p;
		}
		message = json_string(text);
	}
	call_json(c, status, json_pack("{s:o}", "error", message));
}

void call_store_failed(struct call *c)
{
	call_error(c, 500, "the store failed: %s", store_error(c->s->store));
}

void call_store_error(struct call *c, enum store_err err, const char *what)
{
	if (err == STORE_ABSENT) {
		call_error(c, 404, "%s not found", what);
	} else {
		call_store_failed(c);
	}
}

void call_refused(struct call *c, enum manager_answer answer, const char *detail)
{
	static const int status[MANAGER_ANSWER_COUNT] = {
		[MANAGER_ANSWER_NOT_FOUND] = 404,  [MANAGER_ANSWER_NO_NODE] = 500,
		[MANAGER_ANSWER_NO_FIT] = 500,     [MANAGER_ANSWER_UNMET] = 409,
		[MANAGER_ANSWER_RUNNING] = 409,    [MANAGER_ANSWER_NOT_RUNNING] = 409,
		[MANAGER_ANSWER_NOT_LATENT] = 409, [MANAGER_ANSWER_BUSY] = 409,
		[MANAGER_ANSWER_FULL] = 503,
	};

	const char *trouble = http_broker_trouble(c->server);

	if (answer == MANAGER_ANSWER_NO_NODE && detail[0] == '\0' && trouble != NULL) {
		call_error(c, 500, "%s: the manager has no connection to the broker %s",
			   manager_answer_text(answer), trouble);
		return;
	}
	call_error(c, status[answer] != 0 ? status[answer] : 500, "%s%s%s",
		   manager_answer_text(answer), detail[0] != '\0' ? ": " : "", detail);
}

json_t *call_envelope(uint64_t offset, uint64_t limit, uint64_t total, const char *key,
		      json_t *items_taken)
{
	return json_pack("{s:I, s:I, s:I, s:o}", "offset", (json_int_t)offset, "limit",
			 (json_int_t)limit, "total", (json_int_t)total, key, items_taken);
}

/* ---- requests ---- */

const char *call_query(const struct call *c, const char *key)
{
	return MHD_lookup_connection_value(c->connection, MHD_GET_ARGUMENT_KIND, key);
}

const char *call_find(const struct call *c)
{
	const char *find = call_query(c, "find");

	return find != NULL && find[0] != '\0' ? find : NULL;
}

bool call_found(const char *find, const char *name, const char *id)
{
	return find == NULL || (name != NULL && strcmp(name, find) == 0) ||
	       strncmp(id, find, strlen(find)) == 0;
}

bool call_number(struct call *c, const char *key, uint64_t otherwise, uint64_t most, uint64_t *out)
{
	const char *text = call_query(c, key);
	char *end = NULL;

	*out = otherwise;
	if (text == NULL || text[0] == '\0') {
		return true;
	}
	*out = strtoull(text, &end, 10);
	if (*end != '\0' || text[0] < '0' || text[0] > '9' || strlen(text) > 19 || *out > most) {
		call_error(c, 400, "invalid query parameters: %s: expected a number up to %llu",
			   key, (unsigned long long)most);
		return false;
	}
	return true;
}

bool call_page(struct call *c, uint64_t limit_default, uint64_t limit_max, uint64_t *offset,
	       uint64_t *limit)
{
	if (!call_number(c, "offset", 0, INT64_MAX, offset) ||
	    !call_number(c, "limit", limit_default, limit_max, limit)) {
		return false;
	}
	if (*limit == 0 && limit_max == 100) {
		call_error(c, 400, "invalid query parameters: limit: expected 1 to 100");
		return false;
	}
	return true;
}

json_t *call_body(struct call *c)
{
	const char *type =
		MHD_lookup_connection_value(c->connection, MHD_HEADER_KIND, "Content-Type");
	char error[SERVICE_TEXT];
	json_t *json;

	if (type == NULL || strstr(type, "application/json") == NULL) {
		call_error(c, 400, "unsupported content type: expected application/json");
		return NULL;
	}
	json = inputs_as_text(c->body != NULL ? c->body : "", c->body_bytes, error, sizeof(error));
	if (json == NULL) {
		call_error(c, 400, "%s", error);
	}
	return json;
}

/* ---- dispatch ---- */

static int split(char *path, char **segments)
{
	int count = 0;
	char *save = NULL;

	for (char *p = strtok_r(path, "/", &save); p != NULL; p = strtok_r(NULL, "/", &save)) {
		if (count == CALL_SEGMENTS_MAX) {
			return -1;
		}
		segments[count++] = p;
	}
	return count;
}

static bool path_matches(const struct route *r, const struct call *c)
{
	char pattern[128], *segments[CALL_SEGMENTS_MAX];
	int count;

	snprintf(pattern, sizeof(pattern), "%s", r->path);
	count = split(pattern, segments);
	if (count != c->segment_count) {
		return false;
	}
	for (int i = 0; i < count; i++) {
		if (segments[i][0] != '{' && strcmp(segments[i], c->segments[i]) != 0) {
			return false;
		}
	}
	return true;
}

static void dispatch(struct call *c)
{
	const char *method = strcmp(c->method, "HEAD") == 0 ? "GET" : c->method;
	bool path_known = false;

	if (c->too_large) {
		call_error(c, 413, "the body is larger than 100 MiB");
		return;
	}
	c->segment_count = split(c->path, c->segments);
	/* Nodes are proplets to Propeller. */
	if (c->segment_count > 0 && strcmp(c->segments[0], "nodes") == 0) {
		c->segments[0] = (char *)(uintptr_t) "proplets";
	}
	for (const struct route *r = routes; r->method != NULL; r++) {
		if (!path_matches(r, c)) {
			continue;
		}
		path_known = true;
		if (strcmp(r->method, method) == 0) {
			c->route = r;
			r->handle(c);
			return;
		}
	}
	if (path_known) {
		call_error(c, 405, "%s is not a method of this path; see /openapi.json", c->method);
	} else {
		call_error(c, 404, "there is no such path; see /openapi.json");
	}
}

static enum MHD_Result send_reply(struct call *c)
{
	struct MHD_Response *r;
	enum MHD_Result ok;
	char *reply = c->reply;

	if (c->route != NULL) {
		struct http_count *n = &c->server->counts[c->route - routes];

		n->count++;
		n->sum_us += now_us() - c->begin_us;
	}
	c->reply = NULL;
	r = MHD_create_response_from_buffer(c->reply_bytes, reply != NULL ? reply : "",
					    reply != NULL ? MHD_RESPMEM_MUST_FREE
							  : MHD_RESPMEM_PERSISTENT);
	if (r == NULL) {
		free(reply);
		return MHD_NO;
	}
	if (c->content_type != NULL) {
		MHD_add_response_header(r, "Content-Type", c->content_type);
	}
	if (c->location[0] != '\0') {
		MHD_add_response_header(r, "Location", c->location);
	}
	ok = MHD_queue_response(c->connection, (unsigned)c->status, r);
	MHD_destroy_response(r);
	return ok;
}

static void waiter_woken(struct waiter *w)
{
	struct call *c = w->user;

	c->waiting = false;
	c->finish(c);
	if (c->suspended) {
		c->suspended = false;
		c->server->more = true;
		MHD_resume_connection(c->connection);
	}
}

void call_wait(struct call *c, const char *key, uint64_t wait_ms, void (*finish)(struct call *c))
{
	c->waiting = true;
	c->finish = finish;
	c->waiter.user = c;
	c->waiter.wake = waiter_woken;
	service_wait(c->s, &c->waiter, key, c->s->now_ms + wait_ms);
}

static enum MHD_Result handle(struct call *c)
{
	service_time(c->s);
	c->begin_us = now_us();
	dispatch(c);
	if (c->streaming) {
		return MHD_YES;
	}
	if (c->waiting) {
		c->suspended = true;
		MHD_suspend_connection(c->connection);
		return MHD_YES;
	}
	if (store_dirty(c->s->store)) {
		c->suspended = true;
		c->next = c->server->after_commit;
		c->server->after_commit = c;
		MHD_suspend_connection(c->connection);
		return MHD_YES;
	}
	return send_reply(c);
}

static bool body_add(struct call *c, const char *data, size_t bytes)
{
	if (c->body_bytes + bytes > CALL_BODY_MAX) {
		c->too_large = true;
		return false;
	}
	if (c->body_bytes + bytes + 1 > c->body_capacity) {
		size_t capacity = BASE_MAX(c->body_capacity * 2, c->body_bytes + bytes + 1);
		char *grown = realloc(c->body, capacity);

		if (grown == NULL) {
			c->too_large = true;
			return false;
		}
		c->body = grown;
		c->body_capacity = capacity;
	}
	memcpy(c->body + c->body_bytes, data, bytes);
	c->body_bytes += bytes;
	c->body[c->body_bytes] = '\0';
	return true;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *data_bytes, void **con_cls)
{
	struct http_server *h = cls;
	struct call *c = *con_cls;

	if (c == NULL) {
		c = calloc(1, sizeof(*c));
		if (c == NULL) {
			return MHD_NO;
		}
		c->server = h;
		c->s = h->s;
		c->connection = connection;
		c->method = method;
		snprintf(c->path, sizeof(c->path), "%s", url);
		*con_cls = c;
		return MHD_YES;
	}
	if (*data_bytes != 0) {
		if (!c->too_large) {
			body_add(c, data, *data_bytes);
		}
		*data_bytes = 0;
		return MHD_YES;
	}
	if (c->handled) {
		return send_reply(c);
	}
	c->handled = true;
	return handle(c);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
			 enum MHD_RequestTerminationCode code)
{
	struct call *c = *con_cls;

	if (c == NULL) {
		return;
	}
	free(c->waiter.text);
	free(c->body);
	free(c->reply);
	free(c);
	*con_cls = NULL;
}

/* ---- the stream of events ---- */

static bool stream_next(struct stream *st)
{
	struct service *s = st->server->s;

	while (st->seq < s->event_seq) {
		const struct fleet_event *e;

		if (s->event_seq - st->seq > SERVICE_EVENTS_MAX) {
			st->seq = s->event_seq - SERVICE_EVENTS_MAX;
		}
		e = &s->events[++st->seq % SERVICE_EVENTS_MAX];
		if (e->json == NULL ||
		    (st->subject[0] != '\0' && strcmp(st->subject, e->subject) != 0)) {
			continue;
		}
		free(st->pending);
		st->pending = malloc(strlen(e->json) + 64);
		if (st->pending == NULL) {
			return false;
		}
		st->pending_bytes = (size_t)sprintf(st->pending, "id: %llu\ndata: %s\n\n",
						    (unsigned long long)e->seq, e->json);
		st->pending_at = 0;
		return true;
	}
	return false;
}

static ssize_t stream_read(void *cls, uint64_t pos, char *buf, size_t max)
{
	struct stream *st = cls;
	size_t n;

	if (st->server->stopping) {
		return MHD_CONTENT_READER_END_OF_STREAM;
	}
	if (st->pending_at == st->pending_bytes && !stream_next(st)) {
		st->suspended = true;
		MHD_suspend_connection(st->connection);
		return 0;
	}
	n = BASE_MIN(max, st->pending_bytes - st->pending_at);
	memcpy(buf, st->pending + st->pending_at, n);
	st->pending_at += n;
	return (ssize_t)n;
}

static void stream_free(void *cls)
{
	struct stream *st = cls;

	for (struct stream **at = &st->server->streams; *at != NULL; at = &(*at)->next) {
		if (*at == st) {
			*at = st->next;
			break;
		}
	}
	free(st->pending);
	free(st);
}

void http_stream(struct call *c)
{
	struct stream *st = calloc(1, sizeof(*st));
	const char *subject = call_query(c, "task_id");
	struct MHD_Response *r;

	if (st == NULL) {
		call_error(c, 503, "out of memory");
		return;
	}
	subject = subject != NULL ? subject : call_query(c, "proplet_id");
	snprintf(st->subject, sizeof(st->subject), "%s", subject != NULL ? subject : "");
	st->server = c->server;
	st->connection = c->connection;
	st->seq = c->s->event_seq;
	st->pending = strdup(": events of the manager\n\n");
	st->pending_bytes = st->pending != NULL ? strlen(st->pending) : 0;
	st->next = c->server->streams;
	c->server->streams = st;
	r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, stream_read, st, stream_free);
	MHD_add_response_header(r, "Content-Type", "text/event-stream");
	MHD_add_response_header(r, "Cache-Control", "no-cache");
	c->streaming = true;
	MHD_queue_response(c->connection, 200, r);
	MHD_destroy_response(r);
}

static void streams_resume(struct http_server *h, bool all)
{
	for (struct stream *st = h->streams; st != NULL; st = st->next) {
		if (st->suspended && (all || st->seq < h->s->event_seq)) {
			st->suspended = false;
			h->more = true;
			MHD_resume_connection(st->connection);
		}
	}
}

/* ---- the server ---- */

const struct http_config *http_config_of(const struct http_server *h)
{
	return &h->config;
}

const struct http_count *http_counts(const struct http_server *h)
{
	return h->counts;
}

const char *http_broker_trouble(const struct http_server *h)
{
	return h->broker[0] != '\0' ? h->broker : NULL;
}

void http_set_broker(struct http_server *h, const char *trouble)
{
	snprintf(h->broker, sizeof(h->broker), "%s", trouble != NULL ? trouble : "");
}

void http_fetch(struct http_server *h, const char *url, const char *task_id)
{
	h->config.fetch(h->config.fetch_user, url, task_id);
}

static bool address_of(const struct http_config *config, struct sockaddr_storage *out, char *error,
		       size_t error_bytes)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *found = NULL;
	char port[8];
	int rc;

	snprintf(port, sizeof(port), "%d", config->port);
	/* localhost: IPv4, which every client tries. */
	if (strcmp(config->host, "localhost") == 0) {
		hints.ai_family = AF_INET;
	}
	rc = getaddrinfo(config->host[0] != '\0' ? config->host : NULL, port, &hints, &found);
	if (rc != 0) {
		snprintf(error, error_bytes, "HTTP host '%s': %s", config->host, gai_strerror(rc));
		return false;
	}
	memcpy(out, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return true;
}

/* The listening socket, made here so that what fails can be told; -1 with a sentence in error. */
static int listen_on(const struct http_config *config, const struct sockaddr_storage *address,
		     char *error, size_t error_bytes)
{
	socklen_t bytes = address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
							 : sizeof(struct sockaddr_in);
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
	    bind(fd, (const struct sockaddr *)address, bytes) == 0 && listen(fd, 1024) == 0) {
		return fd;
	}
	snprintf(error, error_bytes, "cannot listen on %s:%d: %s; see --http-host and --http-port",
		 config->host, config->port, strerror(errno));
	if (fd >= 0) {
		close(fd);
	}
	return -1;
}

struct http_server *http_start(const struct http_config *config, struct service *s, char *error,
			       size_t error_bytes)
{
	struct http_server *h = calloc(1, sizeof(*h));
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC;
	struct sockaddr_storage address;
	int fd;
	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)config->cert},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)config->key},
		{MHD_OPTION_END, 0, NULL}};

	if (h == NULL) {
		snprintf(error, error_bytes, "out of memory");
		return NULL;
	}
	h->config = *config;
	h->s = s;
	if (!address_of(config, &address, error, error_bytes)) {
		free(h);
		return NULL;
	}
	fd = listen_on(config, &address, error, error_bytes);
	if (fd < 0) {
		free(h);
		return NULL;
	}
	flags |= address.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0;
	flags |= config->cert != NULL ? MHD_USE_TLS : 0;
	h->daemon = MHD_start_daemon(
		flags, (uint16_t)config->port, NULL, NULL, on_request, h, MHD_OPTION_LISTEN_SOCKET,
		fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_CONNECTION_LIMIT,
		CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, 60u,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)16384,
		config->cert != NULL ? MHD_OPTION_ARRAY : MHD_OPTION_END, tls, MHD_OPTION_END);
	if (h->daemon == NULL) {
		snprintf(error, error_bytes, "HTTP on %s:%d cannot be served%s", config->host,
			 config->port,
			 config->cert != NULL ? "; are --http-cert and --http-key PEM files that "
						"belong together?"
					      : "");
		close(fd);
		free(h);
		return NULL;
	}
	return h;
}

/* Everybody who waits gets an answer. */
static void release_all(struct http_server *h)
{
	h->more = false;
	streams_resume(h, true);
	for (size_t i = 0; i < BASE_COUNT(h->s->waiters); i++) {
		for (struct waiter *w = h->s->waiters[i]; w != NULL; w = w->next) {
			w->deadline_ms = 0;
		}
	}
	service_tick(h->s);
	service_commit(h->s);
	http_after_commit(h);
}

void http_stop(struct http_server *h)
{
	MHD_socket listen_fd;

	if (h == NULL) {
		return;
	}
	h->stopping = true;
	listen_fd = MHD_quiesce_daemon(h->daemon);
	do {
		release_all(h);
		MHD_run(h->daemon);
	} while (h->s->waiter_count != 0 || h->after_commit != NULL || h->more);
	MHD_stop_daemon(h->daemon);
	if (listen_fd != MHD_INVALID_SOCKET) {
		close(listen_fd);
	}
	free(h);
}

int http_fd(const struct http_server *h)
{
	return MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

int http_timeout_ms(const struct http_server *h, int limit_ms)
{
	MHD_UNSIGNED_LONG_LONG t;

	if (h->more) {
		return 0;
	}
	if (MHD_get_timeout(h->daemon, &t) == MHD_YES && t < (MHD_UNSIGNED_LONG_LONG)limit_ms) {
		return (int)t;
	}
	return limit_ms;
}

void http_run(struct http_server *h)
{
	h->more = false;
	MHD_run(h->daemon);
}

void http_after_commit(struct http_server *h)
{
	while (h->after_commit != NULL) {
		struct call *c = h->after_commit;

		h->after_commit = c->next;
		c->next = NULL;
		c->suspended = false;
		h->more = true;
		MHD_resume_connection(c->connection);
	}
	service_wake_pending(h->s);
	if (h->streams != NULL) {
		streams_resume(h, false);
	}
}
