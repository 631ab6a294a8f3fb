/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The link to the broker, by libmosquitto's own thread.
 *
 * In:    messages to publish. Out: a queue of messages that came, and a wake-up through an eventfd.
 * Rules: subscribes anew on every connect; keeps its session at the broker, so that results that
 *        come while the manager is away wait for it. When our queue is full the thread waits,
 *        which makes the broker wait.
 */
#include "manager/manager.h"

#include <mosquitto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define QUEUE_MAX 20000

struct mqtt {
	struct mosquitto *mosq;
	pthread_mutex_t lock;
	pthread_cond_t room;
	struct mqtt_message *first, *last;
	size_t count;
	int wake_fd;
	atomic_bool connected;
	bool stopping;
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

	if (rc != 0) {
		log_line("error", "msg=\"the broker refuses us\" reason=\"%s\"",
			 mosquitto_connack_string(rc));
		return;
	}
	subscribe(m, "control/proplet/+");
	subscribe(m, "registry/proplet");
	atomic_store(&m->connected, true);
	log_line("info", "msg=\"connected to the broker\" host=%s port=%d", m->host, m->port);
	wake(m);
}

static void on_disconnect(struct mosquitto *mosq, void *cls, int rc)
{
	struct mqtt *m = cls;

	if (atomic_exchange(&m->connected, false) && rc != 0) {
		log_line("warn",
			 "msg=\"connection to the broker lost; trying again\" reason=\"%s\"",
			 mosquitto_strerror(rc));
	}
	wake(m);
}

static void on_message(struct mosquitto *mosq, void *cls, const struct mosquitto_message *in)
{
	struct mqtt *m = cls;
	struct mqtt_message *out;

	if (strncmp(in->topic, m->prefix, m->prefix_bytes) != 0) {
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

bool mqtt_connected(const struct mqtt *m)
{
	return atomic_load(&m->connected);
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

static bool setup_tls(struct mqtt *m, const struct settings *s, char *error, size_t error_bytes)
{
	const char *ca = s->tls_ca[0] != '\0' ? s->tls_ca : NULL;
	const char *cert = s->tls_cert[0] != '\0' ? s->tls_cert : NULL;
	const char *key = s->tls_key[0] != '\0' ? s->tls_key : NULL;
	int rc = mosquitto_tls_set(m->mosq, ca, ca == NULL ? "/etc/ssl/certs" : NULL, cert, key,
				   NULL);

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
	mosquitto_reconnect_delay_set(m->mosq, 1, 30, true);
	mosquitto_connect_callback_set(m->mosq, on_connect);
	mosquitto_disconnect_callback_set(m->mosq, on_disconnect);
	mosquitto_message_callback_set(m->mosq, on_message);
	if (s->api_key[0] != '\0') {
		mosquitto_username_pw_set(m->mosq, s->entity, s->api_key);
	}
}

struct mqtt *mqtt_start(const struct settings *s, int wake_fd, char *error, size_t error_bytes)
{
	struct mqtt *m = calloc(1, sizeof(*m));
	bool tls = false;
	int rc;

	if (m == NULL) {
		snprintf(error, error_bytes, "out of memory");
		return NULL;
	}
	m->wake_fd = wake_fd;
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->room, NULL);
	m->prefix_bytes = (size_t)snprintf(m->prefix, sizeof(m->prefix), "m/%.120s/c/%.120s/",
					   s->tenant, s->channel);
	mosquitto_lib_init();
	m->mosq = mosquitto_new(s->entity, false, m);
	if (m->mosq == NULL || !address_of(m, s->mqtt, &tls, error, error_bytes) ||
	    ((tls || s->tls_ca[0] != '\0') && !setup_tls(m, s, error, error_bytes))) {
		mqtt_stop(m);
		return NULL;
	}
	configure(m, s);
	rc = mosquitto_connect_async(m->mosq, m->host, m->port, 30);
	if (rc != MOSQ_ERR_SUCCESS) {
		log_line("warn", "msg=\"the broker is not there yet; trying on\" host=%s port=%d",
			 m->host, m->port);
	}
	rc = mosquitto_loop_start(m->mosq);
	if (rc != MOSQ_ERR_SUCCESS) {
		snprintf(error, error_bytes, "broker: %s", mosquitto_strerror(rc));
		mqtt_stop(m);
		return NULL;
	}
	return m;
}

void mqtt_stop(struct mqtt *m)
{
	if (m->mosq != NULL) {
		pthread_mutex_lock(&m->lock);
		m->stopping = true;
		pthread_cond_broadcast(&m->room);
		pthread_mutex_unlock(&m->lock);
		mosquitto_disconnect(m->mosq);
		mosquitto_loop_stop(m->mosq, !atomic_load(&m->connected));
		mosquitto_destroy(m->mosq);
	}
	for (struct mqtt_message *x = mqtt_take(m), *next; x != NULL; x = next) {
		next = x->next;
		mqtt_message_free(x);
	}
	mosquitto_lib_cleanup();
	free(m);
}
