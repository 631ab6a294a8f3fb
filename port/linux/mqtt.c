/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to the broker. See mqtt.h. */
#include "port/linux/mqtt.h"
#include "port/linux/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <mosquitto.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LOOP_MS     200   /* libmosquitto looks after its keep-alive that often */
#define STEADY_MS   5000  /* with twice the wait before: what lasts so long no other client ended */
#define SHORTS      4     /* so many in a row that do not are a bad link's; then it waits */
#define HOLD_MS     500   /* at first; doubles with each */
#define HOLD_MS_MAX 30000 /* half of what the agent waits for an answer */

struct mqtt {
	const struct config *config;
	struct inbox *inbox;
	struct address address;
	struct mosquitto *client;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool connect_wanted, ending, ended; /* under lock */
	bool cancelled;                     /* under lock: it is not to connect any more */
	bool begun;                         /* connected before: the next time it reconnects */
	volatile bool accepted;             /* CONNACK came with 0 */
	int refused;                        /* CONNACK's code if it was not 0 */
	unsigned shorts; /* connections in a row that were accepted and did not last */
};

static int64_t monotonic_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- callbacks, on the thread -----------------------------------------------------------------*/

static void own_address(int fd, char *out, size_t room)
{
	struct sockaddr_storage a = {0};
	socklen_t n = sizeof(a);
	const void *at;

	out[0] = 0;
	if (fd < 0 || getsockname(fd, (struct sockaddr *)&a, &n) != 0) {
		return;
	}
	at = a.ss_family == AF_INET6 ? (const void *)&((struct sockaddr_in6 *)&a)->sin6_addr
				     : (const void *)&((struct sockaddr_in *)&a)->sin_addr;
	if (inet_ntop(a.ss_family, at, out, (socklen_t)room) == NULL) {
		out[0] = 0;
	}
}

static void on_connect(struct mosquitto *client, void *user, int code, int flags)
{
	struct mqtt *m = user;
	struct note *note;

	if (code != 0) {
		m->refused = code;
		return;
	}
	m->accepted = true;
	note = note_new(NOTE_CONNECTED);
	note->flag = (flags & 1) != 0;
	own_address(mosquitto_socket(client), note->text, sizeof(note->text));
	inbox_put(m->inbox, note);
}

static void on_subscribe(struct mosquitto *client, void *user, int mid, int count, const int *qos)
{
	struct mqtt *m = user;
	struct note *note = note_new(NOTE_SUBSCRIBED);

	note->flag = true;
	for (int i = 0; i < count; i++) {
		note->flag = note->flag && qos[i] >= 0 && qos[i] <= 2;
	}
	inbox_put(m->inbox, note);
}

static void on_publish(struct mosquitto *client, void *user, int mid)
{
	struct mqtt *m = user;
	struct note *note = note_new(NOTE_PUBLISHED);

	note->number = mid;
	note->flag = true;
	inbox_put(m->inbox, note);
}

static void on_message(struct mosquitto *client, void *user, const struct mosquitto_message *in)
{
	struct mqtt *m = user;
	struct note *note;

	if (in->payloadlen < 0 || in->payloadlen > m->config->mqtt_max_packet_size) {
		LOG_W("message refused: too long", "topic=%.100s bytes=%d max=%lld", in->topic,
		      in->payloadlen, (long long)m->config->mqtt_max_packet_size);
		return;
	}
	note = note_new(NOTE_MESSAGE);
	note->topic = strdup(in->topic);
	note->topic_bytes = (uint32_t)strlen(in->topic);
	note->data_bytes = (uint32_t)in->payloadlen;
	note->data = malloc(note->data_bytes + 1);
	ASSERT(note->topic && note->data);
	if (in->payloadlen) {
		memcpy(note->data, in->payload, note->data_bytes);
	}
	inbox_put(m->inbox, note);
}

/* ---- the thread -------------------------------------------------------------------------------*/

/* TLS answers what is no TLS with an alert, which is no MQTT, and closes. */
static const char *why_ended(const struct mqtt *m, int rc)
{
	bool closed = rc == MOSQ_ERR_CONN_LOST || rc == MOSQ_ERR_PROTOCOL ||
		      rc == MOSQ_ERR_MALFORMED_PACKET ||
		      (rc == MOSQ_ERR_ERRNO && (errno == ECONNRESET || errno == EPIPE));

	if (closed && !m->accepted && !m->address.tls) {
		return "it was ended before the broker answered; if this port speaks TLS, use "
		       "mqtts://";
	}
	if (closed && m->shorts > 1) {
		return "the broker ended it soon; does another worker use this --entity-id?";
	}
	return rc == MOSQ_ERR_ERRNO ? strerror(errno)
	       : rc == MOSQ_ERR_EAI ? "this host name has no address"
	       : rc == MOSQ_ERR_TLS ? "the TLS handshake failed; does the broker speak TLS there, "
				      "and do --mqtt-tls-ca-cert and its name fit its certificate?"
				    : mosquitto_strerror(rc);
}

static void tell_disconnected(struct mqtt *m, int rc, bool late)
{
	const char *why = why_ended(m, rc);
	struct note *note = note_new(NOTE_DISCONNECTED);

	if (m->refused) {
		snprintf(note->text, sizeof(note->text), "refused by the broker: %s",
			 mosquitto_connack_string(m->refused));
	} else if (late) {
		snprintf(note->text, sizeof(note->text), "no answer within %lld ms",
			 (long long)m->config->mqtt_timeout);
	} else {
		snprintf(note->text, sizeof(note->text), "%s", why);
	}
	m->accepted = false;
	inbox_put(m->inbox, note);
}

static bool is_ending(struct mqtt *m)
{
	bool ending;

	pthread_mutex_lock(&m->lock);
	ending = m->ending;
	pthread_mutex_unlock(&m->lock);
	return ending;
}

static void cut(struct mqtt *m)
{
	int fd = mosquitto_socket(m->client);

	if (fd >= 0) {
		shutdown(fd, SHUT_RDWR);
	}
}

static int open_connection(struct mqtt *m)
{
	int rc, keep_alive = (int)(m->config->mqtt_keep_alive / 1000);

	m->refused = 0;
	m->accepted = false;
	if (m->begun) {
		return mosquitto_reconnect_async(m->client);
	}
	rc = mosquitto_connect_async(m->client, m->address.host, m->address.port, keep_alive);
	m->begun = rc != MOSQ_ERR_INVAL;
	return rc;
}

/* Acknowledges what came at once. Otherwise a broker that has not switched Nagle's algorithm off
 * waits 40 ms for it before it sends the next message. Linux forgets the option, so each time. */
static void acknowledge(struct mqtt *m)
{
	int fd = mosquitto_socket(m->client), one = 1;

	if (fd >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
	}
}

/* Up to a quarter more. */
static int64_t with_jitter(int64_t ms)
{
	unsigned char random = 0;

	return getrandom(&random, 1, GRND_NONBLOCK) == 1 ? ms + ms * random / 1024 : ms;
}

/* Two clients of one id end each other's connections: each waits longer every time. */
static int64_t hold_ms(const struct mqtt *m)
{
	unsigned doublings = m->shorts > SHORTS ? BASE_MIN(m->shorts - SHORTS - 1, 6u) : 0;

	return m->shorts > SHORTS
		       ? with_jitter(BASE_MIN((int64_t)HOLD_MS << doublings, (int64_t)HOLD_MS_MAX))
		       : 0;
}

/* Waits for that long; false if there is to be no connection any more. */
static bool hold(struct mqtt *m, int64_t ms)
{
	int64_t until = monotonic_ms() + ms;
	struct timespec at = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
	bool go;
	int rc = 0;

	if (ms > 0) {
		LOG_W("connections do not last; waiting", "ms=%lld count=%u", (long long)ms,
		      m->shorts);
	}
	pthread_mutex_lock(&m->lock);
	while (ms > 0 && !m->ending && !m->cancelled && rc == 0) {
		rc = pthread_cond_timedwait(&m->changed, &m->lock, &at);
	}
	go = !m->ending && !m->cancelled;
	pthread_mutex_unlock(&m->lock);
	return go;
}

/* One connection from its beginning to its end. */
static void serve(struct mqtt *m)
{
	int64_t wait_ms = hold_ms(m);
	bool go = hold(m, wait_ms), late = false;
	int64_t begun = monotonic_ms(), deadline = begun + m->config->mqtt_timeout;
	int64_t steady = begun + STEADY_MS + 2 * wait_ms;
	int rc = go ? open_connection(m) : MOSQ_ERR_NO_CONN;

	while (rc == MOSQ_ERR_SUCCESS) {
		rc = mosquitto_loop(m->client, LOOP_MS, 1);
		acknowledge(m);
		if (!m->accepted && !late && monotonic_ms() > deadline) {
			late = true;
			cut(m);
		}
		if (is_ending(m)) {
			cut(m);
		}
	}
	m->shorts = m->accepted && monotonic_ms() < steady ? m->shorts + 1 : 0;
	tell_disconnected(m, rc, late);
}

static bool wait_for_command(struct mqtt *m)
{
	bool go;

	pthread_mutex_lock(&m->lock);
	while (!m->connect_wanted && !m->ending) {
		pthread_cond_wait(&m->changed, &m->lock);
	}
	go = !m->ending;
	m->connect_wanted = false;
	pthread_mutex_unlock(&m->lock);
	return go;
}

static void *run(void *arg)
{
	struct mqtt *m = arg;

	while (wait_for_command(m)) {
		serve(m);
	}
	pthread_mutex_lock(&m->lock);
	m->ended = true;
	pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

/* ---- making and ending ------------------------------------------------------------------------*/

static const char *set_tls(struct mqtt *m)
{
	const struct config *c = m->config;
	const char *ca = c->mqtt_tls_ca_cert[0] ? c->mqtt_tls_ca_cert : NULL;
	const char *cert = c->mqtt_tls_client_cert[0] ? c->mqtt_tls_client_cert : NULL;
	const char *key = cert ? c->mqtt_tls_client_key : NULL;
	int rc = mosquitto_tls_set(m->client, ca, ca ? NULL : "/etc/ssl/certs", cert, key, NULL);

	if (rc == MOSQ_ERR_SUCCESS && c->mqtt_tls_insecure_skip_verify) {
		rc = mosquitto_tls_insecure_set(m->client, true);
		if (rc == MOSQ_ERR_SUCCESS) {
			rc = mosquitto_tls_opts_set(m->client, 0, NULL, NULL);
		}
	}
	if (rc == MOSQ_ERR_INVAL) {
		return "a certificate or key file cannot be read; see mqtt_tls_*";
	}
	return rc ? mosquitto_strerror(rc) : NULL;
}

static const char *configure(struct mqtt *m, const char *client_id)
{
	const struct config *c = m->config;
	const char *wrong = address_parse(c->mqtt_address, &m->address);

	CHECK(wrong == NULL, wrong);
	m->client = mosquitto_new(client_id, false, m);
	CHECK(m->client != NULL, "out of memory");
	mosquitto_threaded_set(m->client, true);
	mosquitto_int_option(m->client, MOSQ_OPT_TCP_NODELAY, 1);
	mosquitto_max_inflight_messages_set(m->client, (unsigned)c->mqtt_inflight);
	if (c->api_key[0] &&
	    mosquitto_username_pw_set(m->client, client_id, c->api_key) != MOSQ_ERR_SUCCESS) {
		return "the API key cannot be used as a password";
	}
	mosquitto_connect_with_flags_callback_set(m->client, on_connect);
	mosquitto_subscribe_callback_set(m->client, on_subscribe);
	mosquitto_publish_callback_set(m->client, on_publish);
	mosquitto_message_callback_set(m->client, on_message);
	return m->address.tls ? set_tls(m) : NULL;
}

struct mqtt *mqtt_new(const struct config *config, const char *client_id, struct inbox *inbox)
{
	struct mqtt *m = calloc(1, sizeof(*m));
	const char *wrong;

	ASSERT(m != NULL);
	mosquitto_lib_init();
	m->config = config;
	m->inbox = inbox;
	wrong = configure(m, client_id);
	if (wrong == NULL) {
		pthread_condattr_t attr;
		pthread_mutex_init(&m->lock, NULL);
		pthread_condattr_init(&attr);
		pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
		pthread_cond_init(&m->changed, &attr);
		pthread_condattr_destroy(&attr);
		int err = pthread_create(&m->thread, NULL, run, m);
		wrong = err ? strerror(err) : NULL;
	}
	if (wrong) {
		LOG_E("broker address or TLS settings cannot be used",
		      "address=\"%s\" error=\"%s\"", config->mqtt_address, wrong);
		if (m->client) {
			mosquitto_destroy(m->client);
		}
		free(m);
		mosquitto_lib_cleanup();
		return NULL;
	}
	return m;
}

void mqtt_connect(struct mqtt *m, const char *will_topic, const char *will_payload)
{
	int rc = mosquitto_will_set(m->client, will_topic, (int)strlen(will_payload), will_payload,
				    (int)m->config->mqtt_qos, false);

	if (rc != MOSQ_ERR_SUCCESS) {
		LOG_W("no last will", "error=\"%s\"", mosquitto_strerror(rc));
	}
	pthread_mutex_lock(&m->lock);
	m->connect_wanted = true;
	m->cancelled = false;
	pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->lock);
}

static void tell_not_subscribed(struct mqtt *m)
{
	struct note *note = note_new(NOTE_SUBSCRIBED);

	inbox_put(m->inbox, note);
}

void mqtt_subscribe(struct mqtt *m, const char *const *filters, int qos)
{
	char *list[8];
	int count = 0, rc;

	while (count < 8 && filters[count]) {
		list[count] = (char *)(uintptr_t)filters[count];
		count++;
	}
	rc = mosquitto_subscribe_multiple(m->client, NULL, count, list, qos, 0, NULL);
	if (rc != MOSQ_ERR_SUCCESS) {
		LOG_W("cannot subscribe", "error=\"%s\"", mosquitto_strerror(rc));
		tell_not_subscribed(m);
	}
}

int mqtt_publish(struct mqtt *m, const char *topic, const void *payload, uint32_t bytes, int qos)
{
	int mid = -1;
	int rc = mosquitto_publish(m->client, &mid, topic, (int)bytes, payload, qos, false);

	if (rc != MOSQ_ERR_SUCCESS && !(rc == MOSQ_ERR_NO_CONN && qos > 0)) {
		LOG_W("cannot publish", "topic=%.120s bytes=%u error=\"%s\"", topic, bytes,
		      mosquitto_strerror(rc));
		return -1;
	}
	return mid;
}

void mqtt_disconnect(struct mqtt *m)
{
	pthread_mutex_lock(&m->lock);
	m->cancelled = true;
	pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->lock);
	mosquitto_disconnect(m->client);
}

static bool wait_ended(struct mqtt *m, int wait_ms)
{
	struct timespec until;
	int rc = 0;
	bool ended;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&m->lock);
	m->ending = true;
	pthread_cond_broadcast(&m->changed);
	while (!m->ended && rc == 0) {
		rc = pthread_cond_timedwait(&m->changed, &m->lock, &until);
	}
	ended = m->ended;
	pthread_mutex_unlock(&m->lock);
	return ended;
}

bool mqtt_end(struct mqtt *m, int wait_ms)
{
	if (!wait_ended(m, wait_ms)) {
		return false;
	}
	pthread_join(m->thread, NULL);
	mosquitto_destroy(m->client);
	mosquitto_lib_cleanup();
	pthread_cond_destroy(&m->changed);
	pthread_mutex_destroy(&m->lock);
	free(m);
	return true;
}
