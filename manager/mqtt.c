/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The link to the broker, libmosquitto on a thread.
 *
 * In:    messages to publish. Out: a queue of messages that came, and a wake-up through an eventfd.
 * Rules: subscribes anew on every connect; keeps its session at the broker, so that results that
 *        come while the manager is away wait for it. When our queue is full the thread waits,
 *        which makes the broker wait. Whatever ends a connection (a certificate that has expired,
 *        a name without an address, bytes that are no MQTT), the next try follows: the library's
 *        own loop gives up for some of them. Each waits longer than the one before, also when one
 *        served connection follows the other and none lasts: two clients of one name end each
 *        other's. A broker that was away in between had another reason.
 */
#include "manager/manager.h"

#include <errno.h>
#include <mosquitto.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_MAX    20000
#define LOOP_MS      1000  /* the library looks after its keep-alive that often */
#define ANSWER_MS    10000 /* a broker that accepts and stays silent is given up after this */
#define AT_ONCE_MS   5000  /* a connection that was served and ends sooner had little time */
#define SHORTS       4     /* so many in a row are a bad link's; more, another client's */
#define DELAY_MS     250   /* before the first new try; doubles with each */
#define DELAY_MS_MAX 30000
#define END_MS       2000
#define KEEP_ALIVE_S 30
#define MESSAGE_MAX  (16 << 20) /* bytes; as text, JSON takes some ten times that for a moment */

struct mqtt {
	struct mosquitto *mosq;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t room; /* in the queue; also: stopping, ended */
	struct mqtt_message *first, *last;
	size_t count;
	int wake_fd;
	atomic_bool connected;
	bool running, stopping, ended; /* under lock, but running */
	bool begun;                    /* tried before: the next try reconnects */
	bool tls;
	unsigned shorts; /* connections in a row that were served and did not last */
	int refused;     /* CONNACK's code if it was not 0 */
	char why[160];   /* no connection; under lock */
	char prefix[300];
	size_t prefix_bytes;
	char host[256];
	int port;
};

static void wake(struct mqtt *m)
{
	uint64_t one = 1;
	ssize_t n = write(m->wake_fd, &one, sizeof(one));

	(void)n; /* full means that it is awake */
}

static void subscribe(struct mqtt *m, const char *below)
{
	char topic[400];

	snprintf(topic, sizeof(topic), "%s%s", m->prefix, below);
	mosquitto_subscribe(m->mosq, NULL, topic, 2);
}

static void on_connect(struct mosquitto *mosq, void *cls, int rc)
{
	struct mqtt *m = cls;

	m->refused = rc;
	if (rc != 0) {
		return;
	}
	subscribe(m, "control/proplet/+");
	subscribe(m, "registry/proplet");
	atomic_store(&m->connected, true);
	log_line("info", "msg=\"connected to the broker\" host=%s port=%d", m->host, m->port);
	wake(m);
}

static void on_message(struct mosquitto *mosq, void *cls, const struct mosquitto_message *in)
{
	struct mqtt *m = cls;
	struct mqtt_message *out;

	if (strncmp(in->topic, m->prefix, m->prefix_bytes) != 0) {
		return;
	}
	if (in->payloadlen > MESSAGE_MAX) {
		log_line("warn", "msg=\"message refused\" topic=%.200s bytes=%d most=%d", in->topic,
			 in->payloadlen, MESSAGE_MAX);
		return;
	}
	out = calloc(1, sizeof(*out));
	if (out == NULL) {
		return;
	}
	out->topic = strdup(in->topic + m->prefix_bytes);
	out->bytes = (size_t)in->payloadlen;
	out->payload = malloc(out->bytes + 1);
	if (out->payload == NULL || out->topic == NULL) {
		mqtt_message_free(out);
		return;
	}
	memcpy(out->payload, in->payload != NULL ? in->payload : "", out->bytes);
	out->payload[out->bytes] = '\0';
	pthread_mutex_lock(&m->lock);
	while (m->count >= QUEUE_MAX && !m->stopping) {
		pthread_cond_wait(&m->room, &m->lock);
	}
	if (m->last != NULL) {
		m->last->next = out;
	} else {
		m->first = out;
	}
	m->last = out;
	m->count++;
	pthread_mutex_unlock(&m->lock);
	wake(m);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int begin_connection(struct mqtt *m)
{
	int rc;

	m->refused = 0;
	if (m->begun) {
		return mosquitto_reconnect_async(m->mosq);
	}
	rc = mosquitto_connect_async(m->mosq, m->host, m->port, KEEP_ALIVE_S);
	m->begun = rc != MOSQ_ERR_INVAL;
	return rc;
}

/* Acknowledges at once what came. Otherwise a broker that has not switched Nagle's algorithm off
 * waits 40 ms for it before it sends the next message. Linux forgets the option, so each time. */
static void acknowledge(struct mqtt *m)
{
	int fd = mosquitto_socket(m->mosq), one = 1;

	if (fd >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
	}
}

static bool is_stopping(struct mqtt *m)
{
	bool stopping;

	pthread_mutex_lock(&m->lock);
	stopping = m->stopping;
	pthread_mutex_unlock(&m->lock);
	return stopping;
}

/* What ended a connection. TLS answers with an alert, which is no MQTT, and closes. */
static const char *why_ended(const struct mqtt *m, int rc, int error, bool served)
{
	bool closed = rc == MOSQ_ERR_CONN_LOST || rc == MOSQ_ERR_PROTOCOL ||
		      rc == MOSQ_ERR_MALFORMED_PACKET ||
		      (rc == MOSQ_ERR_ERRNO && (error == ECONNRESET || error == EPIPE));

	if (closed && !served && !m->tls) {
		return "it was ended before the broker answered; if this port speaks TLS, use "
		       "mqtts://";
	}
	if (closed && served && m->shorts > 0) {
		return "the broker ended it soon; does another client use this --entity?";
	}
	return rc == MOSQ_ERR_ERRNO ? strerror(error)
	       : rc == MOSQ_ERR_TLS ? "the TLS handshake failed; do --tls-ca and the host's "
				      "name fit its certificate?"
	       : rc == MOSQ_ERR_EAI ? "this host name has no address"
				    : mosquitto_strerror(rc);
}

/* One connection from its beginning to its end; `why` says what ended it. True if it was one.
 * steady_ms: one that lasts as long was not ended by another client. */
static bool serve(struct mqtt *m, int64_t steady_ms, char *why, size_t why_bytes)
{
	int64_t begun = now_ms(), deadline = begun + ANSWER_MS;
	int rc = begin_connection(m), error = errno;
	bool late = false, served = false;

	while (rc == MOSQ_ERR_SUCCESS) {
		rc = mosquitto_loop(m->mosq, LOOP_MS, 1);
		error = errno;
		acknowledge(m);
		served = served || atomic_load(&m->connected);
		if (!served && !late && now_ms() > deadline) {
			late = true;
			shutdown(mosquitto_socket(m->mosq), SHUT_RDWR);
		}
	}
	atomic_store(&m->connected, false);
	m->shorts = served && now_ms() - begun < steady_ms ? m->shorts + 1 : 0;
	snprintf(why, why_bytes, "%s",
		 m->refused != 0 ? mosquitto_connack_string(m->refused)
		 : late          ? "it accepts connections and does not answer"
				 : why_ended(m, rc, error, served));
	return served;
}

/* Waits for that long; false if the link is to end. */
static bool pause_ms(struct mqtt *m, int64_t ms)
{
	struct timespec until;
	bool go_on;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&m->lock);
	while (!m->stopping && rc != ETIMEDOUT) {
		rc = pthread_cond_timedwait(&m->room, &m->lock, &until);
	}
	go_on = !m->stopping;
	pthread_mutex_unlock(&m->lock);
	return go_on;
}

/* Up to a quarter more, so that not all clients of a broker come back in one instant. */
static int64_t with_jitter(int64_t ms)
{
	unsigned char random = 0;

	return getrandom(&random, 1, GRND_NONBLOCK) == 1 ? ms + ms * random / 1024 : ms;
}

static void *run(void *arg)
{
	struct mqtt *m = arg;
	int64_t delay_ms = DELAY_MS;
	char why[160];

	while (!is_stopping(m)) {
		bool served = serve(m, AT_ONCE_MS + 2 * delay_ms, why, sizeof(why));

		pthread_mutex_lock(&m->lock);
		snprintf(m->why, sizeof(m->why), "%s", why);
		pthread_mutex_unlock(&m->lock);
		wake(m);
		if (is_stopping(m)) {
			break;
		}
		delay_ms = served && m->shorts <= SHORTS ? DELAY_MS : delay_ms;
		log_line("warn",
			 "msg=\"%s; trying again\" host=%s port=%d next_ms=%lld reason=\"%s\"",
			 served ? "connection to the broker lost" : "no connection to the broker",
			 m->host, m->port, (long long)delay_ms, why);
		if (!pause_ms(m, with_jitter(delay_ms))) {
			break;
		}
		delay_ms = delay_ms * 2 < DELAY_MS_MAX ? delay_ms * 2 : DELAY_MS_MAX;
	}
	pthread_mutex_lock(&m->lock);
	m->ended = true;
	pthread_cond_broadcast(&m->room);
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

void mqtt_message_free(struct mqtt_message *message)
{
	free(message->topic);
	free(message->payload);
	free(message);
}

struct mqtt_message *mqtt_take(struct mqtt *m)
{
	struct mqtt_message *all;

	pthread_mutex_lock(&m->lock);
	all = m->first;
	m->first = m->last = NULL;
	m->count = 0;
	pthread_cond_broadcast(&m->room);
	pthread_mutex_unlock(&m->lock);
	return all;
}

void mqtt_trouble(struct mqtt *m, char *out, size_t out_bytes)
{
	if (atomic_load(&m->connected)) {
		out[0] = '\0';
		return;
	}
	pthread_mutex_lock(&m->lock);
	snprintf(out, out_bytes, "%s:%d: %s", m->host, m->port,
		 m->why[0] != '\0' ? m->why : "not tried yet");
	pthread_mutex_unlock(&m->lock);
}

void mqtt_publish(struct mqtt *m, const struct message *message)
{
	int rc = mosquitto_publish(m->mosq, NULL, message->topic, (int)message->bytes,
				   message->payload, message->qos, false);

	/* Without a connection the library keeps what has a quality of service. */
	if (rc != MOSQ_ERR_SUCCESS && rc != MOSQ_ERR_NO_CONN) {
		log_line("error", "msg=\"cannot publish\" topic=%s bytes=%zu reason=\"%s\"",
			 message->topic, message->bytes, mosquitto_strerror(rc));
	}
}

static bool address_of(struct mqtt *m, const char *url, bool *tls, char *error, size_t error_bytes)
{
	static const struct {
		const char *scheme;
		bool tls;
	} schemes[] = {{"tcp://", false}, {"mqtt://", false}, {"ssl://", true},
		       {"tls://", true},  {"mqtts://", true}, {"", false}};
	const char *rest = url, *colon;
	size_t n;

	for (size_t i = 0; i < BASE_COUNT(schemes); i++) {
		if (strncmp(url, schemes[i].scheme, strlen(schemes[i].scheme)) == 0) {
			rest = url + strlen(schemes[i].scheme);
			*tls = schemes[i].tls;
			break;
		}
	}
	colon = strrchr(rest, ':');
	if (rest[0] == '[') {
		const char *end = strchr(rest, ']');

		colon = end != NULL && end[1] == ':' ? end + 1 : NULL;
		rest++;
		n = end != NULL ? (size_t)(end - rest) : 0;
	} else {
		n = colon != NULL ? (size_t)(colon - rest) : strlen(rest);
	}
	m->port = colon != NULL ? atoi(colon + 1) : *tls ? 8883 : 1883;
	snprintf(m->host, sizeof(m->host), "%.*s", (int)n, rest);
	if (n == 0 || m->port <= 0 || m->port > 65535) {
		snprintf(error, error_bytes, "--mqtt: '%s' is no address; expected tcp://HOST:PORT",
			 url);
		return false;
	}
	return true;
}

/* The first of the files that cannot be read; NULL if all can. */
static const char *unreadable(const struct settings *s)
{
	const char *const files[] = {s->tls_ca, s->tls_cert, s->tls_key};

	for (size_t i = 0; i < BASE_COUNT(files); i++) {
		if (files[i][0] != '\0' && access(files[i], R_OK) != 0) {
			return files[i];
		}
	}
	return NULL;
}

static bool setup_tls(struct mqtt *m, const struct settings *s, char *error, size_t error_bytes)
{
	const char *ca = s->tls_ca[0] != '\0' ? s->tls_ca : NULL;
	const char *cert = s->tls_cert[0] != '\0' ? s->tls_cert : NULL;
	const char *key = s->tls_key[0] != '\0' ? s->tls_key : NULL;
	const char *file = unreadable(s);
	int rc;

	if (file != NULL) {
		snprintf(error, error_bytes, "TLS to the broker: cannot read '%.300s': %s", file,
			 strerror(errno));
		return false;
	}
	m->tls = true;
	rc = mosquitto_tls_set(m->mosq, ca, ca == NULL ? "/etc/ssl/certs" : NULL, cert, key, NULL);

	if (rc == MOSQ_ERR_SUCCESS && s->tls_insecure) {
		mosquitto_tls_opts_set(m->mosq, 0, NULL, NULL);
		rc = mosquitto_tls_insecure_set(m->mosq, true);
	}
	if (rc != MOSQ_ERR_SUCCESS) {
		snprintf(error, error_bytes,
			 "TLS to the broker: %s; see --tls-ca, --tls-cert, --tls-key",
			 mosquitto_strerror(rc));
	}
	return rc == MOSQ_ERR_SUCCESS;
}

static void configure(struct mqtt *m, const struct settings *s)
{
	mosquitto_int_option(m->mosq, MOSQ_OPT_TCP_NODELAY, 1);
	mosquitto_max_inflight_messages_set(m->mosq, 1000);
	mosquitto_threaded_set(m->mosq, true);
	mosquitto_connect_callback_set(m->mosq, on_connect);
	mosquitto_message_callback_set(m->mosq, on_message);
	if (s->api_key[0] != '\0') {
		mosquitto_username_pw_set(m->mosq, s->entity, s->api_key);
	}
}

struct mqtt *mqtt_start(const struct settings *s, int wake_fd, char *error, size_t error_bytes)
{
	struct mqtt *m = calloc(1, sizeof(*m));
	pthread_condattr_t attr;
	int rc;

	if (m == NULL) {
		snprintf(error, error_bytes, "out of memory");
		return NULL;
	}
	m->wake_fd = wake_fd;
	pthread_mutex_init(&m->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&m->room, &attr);
	m->prefix_bytes = (size_t)snprintf(m->prefix, sizeof(m->prefix), "m/%.120s/c/%.120s/",
					   s->tenant, s->channel);
	mosquitto_lib_init();
	m->mosq = mosquitto_new(s->entity, false, m);
	if (m->mosq == NULL || !address_of(m, s->mqtt, &m->tls, error, error_bytes) ||
	    ((m->tls || s->tls_ca[0] != '\0') && !setup_tls(m, s, error, error_bytes))) {
		mqtt_stop(m);
		return NULL;
	}
	configure(m, s);
	rc = pthread_create(&m->thread, NULL, run, m);
	m->running = rc == 0;
	if (rc != 0) {
		snprintf(error, error_bytes, "no thread for the broker: %s", strerror(rc));
		mqtt_stop(m);
		return NULL;
	}
	return m;
}

/* False if the thread hangs, in the look-up of a name for example. */
static bool end_thread(struct mqtt *m)
{
	int64_t until = now_ms() + END_MS;
	bool ended;

	pthread_mutex_lock(&m->lock);
	m->stopping = true;
	pthread_cond_broadcast(&m->room);
	pthread_mutex_unlock(&m->lock);
	mosquitto_disconnect(m->mosq);
	do {
		struct timespec soon = {.tv_nsec = 2000000};

		nanosleep(&soon, NULL);
		pthread_mutex_lock(&m->lock);
		ended = m->ended;
		pthread_mutex_unlock(&m->lock);
	} while (!ended && now_ms() < until);
	if (ended) {
		pthread_join(m->thread, NULL);
	}
	return ended;
}

void mqtt_stop(struct mqtt *m)
{
	if (m->running && !end_thread(m)) {
		return; /* the process ends, and the thread with it */
	}
	if (m->mosq != NULL) {
		mosquitto_destroy(m->mosq);
	}
	for (struct mqtt_message *x = mqtt_take(m), *next; x != NULL; x = next) {
		next = x->next;
		mqtt_message_free(x);
	}
	mosquitto_lib_cleanup();
	free(m);
}
