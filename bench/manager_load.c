/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load for a manager: workers that answer at once, over MQTT, and clients that start tasks, over
 * HTTP. Prints tasks per second and the time from the request to the stored result.
 *
 *     manager_load --http 7070 --mqtt 1883 --workers 100 --tasks 20000 [--clients 64] [--rate N]
 *
 * A worker here is an identity with heartbeats; several share one MQTT connection (--connections).
 * --rate starts that many tasks a second whatever the answers do; without it, each client starts the
 * next task when the last one has ended. --idle S only keeps the workers alive for S seconds.
 *
 * A task is one request that waits for the result; with --steps 1 it is three, as every manager of
 * Propeller's API knows them: create, start, and, once the worker has answered, ask until the result
 * is there. --peer 1: the manager is Propeller's own, with one topic for the starts of all workers
 * and neither epochs nor acknowledgements; implies --steps 1. A task without its result after
 * LOST_MS counts as failed. --answer-ms N: workers answer N ms after the start.
 */
#include <errno.h>
#include <fcntl.h>
#include <mosquitto.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX     512
#define CONNECTIONS_MAX 1024
#define PREFIX          "m/default/c/default/"
#define LOST_MS         3000
#define ASK_US_MAX      16000

static struct {
	int http, mqtt, workers, tasks, clients, rate, connections, idle_s, slots, steps, peer,
		answer_ms;
} options = {.http = 7070,
	     .mqtt = 1883,
	     .workers = 100,
	     .tasks = 10000,
	     .clients = 64,
	     .connections = 8};

static atomic_ullong starts_seen, acks_seen, subscribed;
static struct mosquitto *links[CONNECTIONS_MAX];
static char reply_template[1024];
static int answered_fd; /* an eventfd: some client's worker has answered */
static atomic_bool answered[CLIENTS_MAX];

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void die(const char *what)
{
	fprintf(stderr, "manager_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- workers ---- */

static void worker_id(int i, char *out)
{
	sprintf(out, "00000000-0000-4000-8000-%012d", i);
}

/* Copies the string that follows "key":" in a message. */
static bool member(const char *json, const char *key, char *out, size_t bytes)
{
	const char *at = strstr(json, key);
	size_t n;

	if (at == NULL) {
		return false;
	}
	at += strlen(key);
	n = strcspn(at, "\"");
	if (n >= bytes) {
		return false;
	}
	memcpy(out, at, n);
	out[n] = '\0';
	return true;
}

/* Tells the client that a worker has answered its task, whose name is "cNUMBER". */
static void tell_client(const char *start)
{
	const char *name = strstr(start, "\"name\":\"c");
	int number = name != NULL ? atoi(name + 9) : -1;
	uint64_t one = 1;

	if (number >= 0 && number < CLIENTS_MAX) {
		atomic_store(&answered[number], true);
		if (write(answered_fd, &one, sizeof(one)) < 0) {
			die("cannot wake the clients");
		}
	}
}

/* Several links hear each start of --peer: the one whose worker is named takes it. */
static bool is_mine(int link, const char *node)
{
	const char *digits = strrchr(node, '-');

	return digits != NULL && atoi(digits + 1) % options.connections == link;
}

static void on_message(struct mosquitto *mosq, void *cls, const struct mosquitto_message *in)
{
	char text[4096], id[64], node[64], reply[512], epoch_text[40] = "";
	const char *epoch;
	size_t n = (size_t)in->payloadlen < sizeof(text) - 1 ? (size_t)in->payloadlen
							     : sizeof(text) - 1;
	int bytes;

	if (strstr(in->topic, "/ack/") != NULL) {
		atomic_fetch_add(&acks_seen, 1);
		return;
	}
	if (strstr(in->topic, "/start") == NULL) {
		return;
	}
	memcpy(text, in->payload, n);
	text[n] = '\0';
	epoch = strstr(text, "\"epoch\":");
	if (!member(text, "\"id\":\"", id, sizeof(id)) ||
	    !member(text, "\"proplet_id\":\"", node, sizeof(node)) ||
	    (epoch == NULL) != (options.peer != 0) || !is_mine((int)(intptr_t)cls - 1, node)) {
		return;
	}
	if (epoch != NULL) {
		snprintf(epoch_text, sizeof(epoch_text), "\"epoch\":%d,", atoi(epoch + 8));
	}
	atomic_fetch_add(&starts_seen, 1);
	bytes = snprintf(reply, sizeof(reply),
			 "{\"task_id\":\"%s\",\"proplet_id\":\"%s\",%s\"results\":\"42\","
			 "\"reason\":\"done\",\"fuel\":7,\"duration_ms\":0}",
			 id, node, epoch_text);
	if (options.answer_ms != 0) {
		usleep((useconds_t)options.answer_ms * 1000);
	}
	mosquitto_publish(mosq, NULL, PREFIX "control/proplet/results", bytes, reply, 1, false);
	tell_client(text);
}

static void on_connect(struct mosquitto *mosq, void *cls, int rc)
{
	int link = (int)(intptr_t)cls - 1;
	char id[64], topic[160];

	if (options.peer != 0) {
		mosquitto_subscribe(mosq, NULL, PREFIX "control/manager/start", 1);
		return;
	}
	for (int i = link; i < options.workers; i += options.connections) {
		static const char *const commands[] = {"start", "ack"};

		worker_id(i, id);
		for (int k = 0; k < 2; k++) {
			snprintf(topic, sizeof(topic), PREFIX "control/manager/%s/%s", commands[k],
				 id);
			mosquitto_subscribe(mosq, NULL, topic, 1);
		}
	}
}

static void on_subscribe(struct mosquitto *mosq, void *cls, int mid, int count, const int *qos)
{
	atomic_fetch_add(&subscribed, 1);
}

static void announce(bool create)
{
	char id[64], text[512];

	for (int i = 0; i < options.workers; i++) {
		struct mosquitto *link = links[i % options.connections];
		int n;

		worker_id(i, id);
		n = create ? snprintf(
				     text, sizeof(text),
				     "{\"proplet_id\":\"%s\",\"metadata\":{\"cpu_arch\":\"x86_64\","
				     "\"engine\":\"rotor\",\"direct\":true,\"heartbeat_ms\":10000,"
				     "\"tasks_max\":%d,\"pool_bytes\":1048576}}",
				     id, options.slots)
			   : snprintf(text, sizeof(text),
				      "{\"proplet_id\":\"%s\",\"status\":\"alive\"}", id);
		mosquitto_publish(link, NULL,
				  create ? PREFIX "control/proplet/create"
					 : PREFIX "control/proplet/alive",
				  n, text, 1, false);
	}
}

static void workers_start(void)
{
	mosquitto_lib_init();
	for (int i = 0; i < options.connections; i++) {
		char name[64];

		snprintf(name, sizeof(name), "load-%d-%d", (int)getpid(), i);
		links[i] = mosquitto_new(name, true, (void *)(intptr_t)(i + 1)); /* not NULL */
		mosquitto_int_option(links[i], MOSQ_OPT_TCP_NODELAY, 1);
		mosquitto_max_inflight_messages_set(links[i], 10000);
		mosquitto_connect_callback_set(links[i], on_connect);
		mosquitto_message_callback_set(links[i], on_message);
		mosquitto_subscribe_callback_set(links[i], on_subscribe);
		if (mosquitto_connect(links[i], "127.0.0.1", options.mqtt, 60) !=
		    MOSQ_ERR_SUCCESS) {
			die("cannot connect to the broker");
		}
		mosquitto_loop_start(links[i]);
	}
	while (atomic_load(&subscribed) < (options.peer != 0 ? (unsigned)options.connections
							     : 2ull * (unsigned)options.workers)) {
		usleep(1000);
	}
	announce(true);
	announce(false);
	usleep(300000 + (useconds_t)options.workers * 100);
}

/* ---- clients ---- */

enum phase {
	PHASE_ONE,
	PHASE_CREATE,
	PHASE_START,
	PHASE_WAIT,
	PHASE_ASK
};

struct client {
	int fd, number;
	bool busy;
	enum phase phase;
	uint64_t begun_us, ask_us, ask_wait_us; /* when to ask for the result, and again after */
	char task[64];
	char in[8192];
	size_t in_bytes;
};

static struct client clients[CLIENTS_MAX];
static uint32_t *latency_us;
static int done, failed;
static uint64_t last_good_us; /* when the last task that did not fail had its result */

static int http_connect(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.http)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
		die("cannot connect to the manager");
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void client_send(struct client *c, const char *request)
{
	size_t n = strlen(request);

	c->in_bytes = 0;
	if (write(c->fd, request, n) != (ssize_t)n) {
		die("cannot send a request");
	}
}

/* A request for the client's task, without a body. */
static void client_call(struct client *c, enum phase phase, const char *method, const char *suffix)
{
	char request[200];

	c->phase = phase;
	snprintf(request, sizeof(request),
		 "%s /tasks/%s%s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", method, c->task,
		 suffix);
	client_send(c, request);
}

static void client_create(struct client *c)
{
	char request[400], body[160];
	int n = snprintf(body, sizeof(body),
			 "{\"name\":\"c%d\",\"inputs\":[\"10\",\"20\"],\"file\":\"AGFzbQEAAAA=\"}",
			 c->number);

	snprintf(request, sizeof(request),
		 "POST /tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		 "Content-Length: %d\r\n\r\n%s",
		 n, body);
	c->phase = PHASE_CREATE;
	client_send(c, request);
}

static void client_start(struct client *c)
{
	c->busy = true;
	c->begun_us = now_us();
	if (options.steps != 0) {
		atomic_store(&answered[c->number], false);
		client_create(c);
	} else {
		c->phase = PHASE_ONE;
		client_send(c, reply_template);
	}
}

/* True when the whole answer has come. */
static bool client_read(struct client *c)
{
	ssize_t n = read(c->fd, c->in + c->in_bytes, sizeof(c->in) - 1 - c->in_bytes);
	char *head, *length;

	if (n <= 0) {
		die("the manager closed a connection");
	}
	c->in_bytes += (size_t)n;
	c->in[c->in_bytes] = '\0';
	head = strstr(c->in, "\r\n\r\n");
	length = strcasestr(c->in, "content-length:");
	return head != NULL && length != NULL &&
	       c->in_bytes >= (size_t)(head + 4 - c->in) + strtoul(length + 15, NULL, 10);
}

static void client_done(struct client *c, bool good)
{
	uint64_t now = now_us();

	latency_us[done++] = (uint32_t)(now - c->begun_us);
	if (good) {
		last_good_us = now;
	} else if (failed++ == 0) {
		fprintf(stderr, "first failure: %s\n", c->in);
	}
	c->busy = false;
}

/* The whole answer to the last request has come. */
static void client_next(struct client *c)
{
	uint64_t now = now_us();
	bool completed = strstr(c->in, "\"state\":3") != NULL;

	if (c->phase == PHASE_ONE) {
		client_done(c, completed && strncmp(c->in, "HTTP/1.1 201", 12) == 0);
	} else if (c->phase == PHASE_CREATE &&
		   member(c->in, "\"id\":\"", c->task, sizeof(c->task))) {
		client_call(c, PHASE_START, "POST", "/start");
	} else if (c->phase == PHASE_START && strncmp(c->in, "HTTP/1.1 200", 12) == 0) {
		c->phase = PHASE_WAIT;
		c->ask_us = atomic_load(&answered[c->number]) ? now : 0;
		c->ask_wait_us = 500;
	} else if (c->phase == PHASE_ASK && !completed && now - c->begun_us < LOST_MS * 1000) {
		c->phase = PHASE_WAIT;
		c->ask_us = now + c->ask_wait_us;
		c->ask_wait_us = c->ask_wait_us < ASK_US_MAX ? c->ask_wait_us * 2 : ASK_US_MAX;
	} else {
		client_done(c, completed);
	}
}

/* Asks for results that should be there. Returns when to look again, in ms, at most `wait`. */
static int ask_due(int wait)
{
	uint64_t now = now_us();

	for (int i = 0; i < options.clients; i++) {
		struct client *c = &clients[i];

		if (!c->busy || c->phase != PHASE_WAIT) {
			continue;
		}
		if (c->ask_us == 0 && atomic_load(&answered[i])) {
			c->ask_us = now;
		}
		if (c->ask_us == 0 && now - c->begun_us > LOST_MS * 1000) {
			client_done(c, false);
		} else if (c->ask_us != 0 && c->ask_us <= now) {
			client_call(c, PHASE_ASK, "GET", "");
		} else if (c->ask_us != 0 && (int)((c->ask_us - now) / 1000) < wait) {
			wait = (int)((c->ask_us - now) / 1000);
		}
	}
	return wait;
}

static char *upload_module(void)
{
	static const char request[] = "POST /modules HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n"
				      "Content-Type: application/wasm\r\n\r\n";
	static char digest[80];
	struct client c = {.fd = http_connect()};
	char bytes[sizeof(request) + 8];

	memcpy(bytes, request, sizeof(request) - 1);
	memcpy(bytes + sizeof(request) - 1, "\0asm\1\0\0\0", 8);
	if (write(c.fd, bytes, sizeof(request) + 7) < 0) {
		die("cannot upload");
	}
	while (!client_read(&c)) {
	}
	member(c.in, "\"digest\":\"", digest, sizeof(digest));
	close(c.fd);
	return digest;
}

static void make_request(void)
{
	char body[300];
	int n = snprintf(body, sizeof(body),
			 "{\"name\":\"add\",\"inputs\":[\"10\",\"20\"],\"start\":true,\"module\":{"
			 "\"digest\":\"%s\"}}",
			 upload_module());

	snprintf(reply_template, sizeof(reply_template),
		 "POST /tasks?wait_ms=60000 HTTP/1.1\r\nHost: x\r\nContent-Type: "
		 "application/json\r\n"
		 "Content-Length: %d\r\n\r\n%s",
		 n, body);
}

static struct client *idle_client(void)
{
	static int next;

	for (int i = 0; i < options.clients; i++) {
		next = (next + 1) % options.clients;
		if (!clients[next].busy) {
			return &clients[next];
		}
	}
	return NULL;
}

/* Starts what is due by the rate, or as much as there are idle clients. Returns when to look again. */
static int start_due(uint64_t begun_us, int *started)
{
	while (*started < options.tasks) {
		uint64_t due = options.rate != 0 ? begun_us + (uint64_t)*started * 1000000 /
								      (uint64_t)options.rate
						 : 0;
		uint64_t now = now_us();
		struct client *c;

		if (due > now) {
			return (int)((due - now) / 1000);
		}
		c = idle_client();
		if (c == NULL) {
			return 100;
		}
		client_start(c);
		if (options.rate != 0) {
			c->begun_us = due; /* waiting for a client counts, too */
		}
		(*started)++;
	}
	return 100;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void run(void)
{
	int poll_fd = epoll_create1(0), started = 0;
	struct epoll_event events[64], told = {.events = EPOLLIN};
	uint64_t begun = now_us(), beat = begun;
	double seconds;

	for (int i = 0; i < options.clients; i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = &clients[i]};

		clients[i].number = i;
		clients[i].fd = http_connect();
		epoll_ctl(poll_fd, EPOLL_CTL_ADD, clients[i].fd, &e);
	}
	epoll_ctl(poll_fd, EPOLL_CTL_ADD, answered_fd, &told);
	while (done < options.tasks) {
		int wait = ask_due(start_due(begun, &started));
		int n = epoll_wait(poll_fd, events, 64, wait);

		for (int i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;
			uint64_t count;

			if (c == NULL) {
				(void)!read(answered_fd, &count, sizeof(count));
			} else if (client_read(c)) {
				client_next(c);
			}
		}
		if (now_us() - beat > 3000000) {
			beat = now_us();
			announce(false);
		}
	}
	seconds = (double)(last_good_us - begun) / 1e6;
	qsort(latency_us, (size_t)done, sizeof(latency_us[0]), by_size);
	printf("{\"workers\":%d,\"tasks\":%d,\"failed\":%d,\"seconds\":%.3f,\"tasks_per_second\":%."
	       "0f,"
	       "\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f,\"starts\":%llu,\"acks\":%llu}\n",
	       options.workers, done, failed, seconds, (done - failed) / seconds,
	       latency_us[done / 2] / 1e3, latency_us[done * 99 / 100] / 1e3,
	       latency_us[done - 1] / 1e3, atomic_load(&starts_seen), atomic_load(&acks_seen));
}

static void idle(void)
{
	for (int s = 0; s < options.idle_s; s++) {
		if (s % 8 == 0) {
			announce(false);
		}
		sleep(1);
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int *value;
	} names[] = {{"--http", &options.http},
		     {"--mqtt", &options.mqtt},
		     {"--workers", &options.workers},
		     {"--tasks", &options.tasks},
		     {"--clients", &options.clients},
		     {"--rate", &options.rate},
		     {"--connections", &options.connections},
		     {"--idle", &options.idle_s},
		     {"--slots", &options.slots},
		     {"--steps", &options.steps},
		     {"--peer", &options.peer},
		     {"--answer-ms", &options.answer_ms}};

	for (int i = 1; i < argc; i += 2) {
		size_t k = 0;

		while (k < sizeof(names) / sizeof(names[0]) &&
		       strcmp(names[k].name, argv[i]) != 0) {
			k++;
		}
		if (k == sizeof(names) / sizeof(names[0]) || i + 1 == argc) {
			fprintf(stderr, "manager_load: '%s'? See the top of bench/manager_load.c\n",
				argv[i]);
			return 64;
		}
		*names[k].value = atoi(argv[i + 1]);
	}
	options.clients = options.clients < CLIENTS_MAX ? options.clients : CLIENTS_MAX;
	options.connections =
		options.connections < options.workers ? options.connections : options.workers;
	options.connections =
		options.connections < CONNECTIONS_MAX ? options.connections : CONNECTIONS_MAX;
	options.steps |= options.peer;
	answered_fd = eventfd(0, EFD_NONBLOCK);
	latency_us = calloc((size_t)options.tasks + 1, sizeof(latency_us[0]));
	workers_start();
	if (options.idle_s != 0) {
		idle();
	} else {
		if (options.steps == 0) {
			make_request();
		}
		run();
	}
	fflush(stdout);
	_exit(failed != 0);
}
