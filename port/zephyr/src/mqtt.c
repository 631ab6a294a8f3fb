/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MQTT 3.1.1 by Zephyr's library.
 *
 * In:    actions of the agent; packets of the broker
 * Out:   events for the agent; acknowledgements
 * Owns:  the socket, the client, the thread that connects
 * States:
 *        DOWN --connect_begin--> CONNECTING --CONNACK--> UP --error, close--> DOWN
 *                                    +--error, timeout--> DOWN
 * Rules: 1. Payload is read in pieces of the receive buffer, as much as is there; a message may be of
 *           any length.
 *        2. Packet ids: the agent's ref for publications, SUBSCRIBE_ID for SUBSCRIBE.
 *        3. PUBACK and PUBREC leave when the message was handled (persist before answering); every
 *           PUBREC gets its PUBREL, every PUBREL its PUBCOMP.
 *        4. After a keep-alive without a byte from the broker it is asked (PINGREQ); after one and a
 *           half the connection is left.
 * Bounds: sending blocks for CONFIG_NET_SOCKET_MAX_SEND_WAIT at most, then the connection ends.
 * Spec:  MQTT 3.1.1 4.3 (QoS), 3.1.2.10 (keep-alive)
 */
#include "mqtt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/net/mqtt.h>
#include <zephyr/net/socket.h>

#include "net.h"
#include "settings.h"
#include "tls.h"

LOG_MODULE_DECLARE(proplet, CONFIG_PROPLET_LOG_LEVEL);

#define SUBSCRIBE_ID   0xffff
#define ANSWERS_MAX    24
#define UNRELEASED_MAX 16
#define TOPIC_MAX      192
#define CONNACK_MS_MIN 5000 /* however long the handshake took */

enum link_state {
	LINK_DOWN,
	LINK_CONNECTING,
	LINK_UP
};

/* A message on its way in. */
struct incoming {
	char topic[TOPIC_MAX];
	uint32_t topic_bytes, left;
	uint16_t id;
	uint8_t qos;
	bool open, first, repeated, to_be_answered;
};

static struct {
	struct mqtt_client client;
	struct sockaddr_storage broker;
	struct mqtt_utf8 user, password;
	struct mqtt_topic will_topic;
	struct mqtt_utf8 will_message;
	char id[64], key[256], will_topic_text[TOPIC_MAX], will_text[192], host[128];
	uint8_t rx[CONFIG_PROPLET_MQTT_HEADER_BYTES], tx[CONFIG_PROPLET_MQTT_HEADER_BYTES];
	uint8_t piece[CONFIG_PROPLET_RX_BUFFER_BYTES];
	atomic_t state;        /* enum link_state */
	int64_t give_up_ms;    /* while CONNECTING: when it has taken too long */
	bool told_up, end_due; /* CONNECTED was handed on; DISCONNECTED is to be */
	bool session_present, connack, refused;
	bool asked;       /* a PINGREQ left since heard_ms */
	int64_t heard_ms; /* when the broker last sent something */
	const char *why;
	struct incoming incoming;
	struct agent_event answers[ANSWERS_MAX]; /* SUBSCRIBED, PUBLISHED */
	uint32_t answer_first, answer_count;
	uint16_t unreleased[UNRELEASED_MAX]; /* ids of QoS 2 handed on, not yet released; 0 free */
} lnk;

static K_SEM_DEFINE(connect_wanted, 0, 1);
static K_SEM_DEFINE(wake, 0, 1);

static enum link_state state(void)
{
	return atomic_get(&lnk.state);
}

bool mqtt_is_up(void)
{
	return state() == LINK_UP;
}

void mqtt_wake(void)
{
	k_sem_give(&wake);
}

/* ---- answers for the agent -------------------------------------------------------------------*/

static void answer_push(const struct agent_event *event)
{
	if (lnk.answer_count == ANSWERS_MAX) {
		LOG_ERR("mqtt: more answers than the loop takes");
		return;
	}
	lnk.answers[(lnk.answer_first + lnk.answer_count++) % ANSWERS_MAX] = *event;
}

static void published(uint16_t ref, bool ok)
{
	struct agent_event event = {.kind = AGENT_EVENT_PUBLISHED};

	event.published.ref = ref;
	event.published.ok = ok;
	answer_push(&event);
}

static void subscribed(const struct mqtt_suback_param *suback)
{
	struct agent_event event = {.kind = AGENT_EVENT_SUBSCRIBED};

	event.subscribed.ok = true;
	for (uint32_t i = 0; i < suback->return_codes.len; i++) {
		if (suback->return_codes.data[i] == MQTT_SUBACK_FAILURE) {
			LOG_ERR("mqtt: the broker refuses topic %u", i);
			event.subscribed.ok = false;
		}
	}
	answer_push(&event);
}

/* ---- QoS 2: what was handed on and not released ------------------------------------------------*/

static uint16_t *unreleased_find(uint16_t id)
{
	for (int i = 0; i < UNRELEASED_MAX; i++) {
		if (lnk.unreleased[i] == id) {
			return &lnk.unreleased[i];
		}
	}
	return NULL;
}

static void unreleased_add(uint16_t id)
{
	uint16_t *slot = unreleased_find(0);

	if (slot == NULL) { /* the broker has more under way than it should: forget the oldest */
		memmove(lnk.unreleased, lnk.unreleased + 1,
			sizeof(lnk.unreleased) - sizeof(lnk.unreleased[0]));
		slot = &lnk.unreleased[UNRELEASED_MAX - 1];
	}
	*slot = id;
}

static void released(uint16_t id)
{
	const struct mqtt_pubcomp_param pubcomp = {.message_id = id};
	uint16_t *slot = unreleased_find(id);

	if (slot != NULL) {
		*slot = 0;
	}
	mqtt_publish_qos2_complete(&lnk.client, &pubcomp);
}

/* ---- the library's events ----------------------------------------------------------------------*/

static void message_begins(const struct mqtt_publish_param *publish)
{
	const struct mqtt_utf8 *topic = &publish->message.topic.topic;
	struct incoming *in = &lnk.incoming;

	memset(in, 0, offsetof(struct incoming, open));
	in->topic_bytes = MIN(topic->size, TOPIC_MAX);
	memcpy(in->topic, topic->utf8, in->topic_bytes);
	in->left = publish->message.payload.len;
	in->id = publish->message_id;
	in->qos = publish->message.topic.qos;
	in->repeated = in->qos == MQTT_QOS_2_EXACTLY_ONCE && unreleased_find(in->id) != NULL;
	in->first = true;
	in->open = true;
	in->to_be_answered = false;
}

static void connack(const struct mqtt_evt *evt)
{
	lnk.connack = true;
	lnk.refused = evt->result != 0;
	lnk.session_present = evt->param.connack.session_present_flag != 0;
	if (lnk.refused) {
		lnk.why = evt->param.connack.return_code == MQTT_BAD_USER_NAME_OR_PASSWORD ||
					  evt->param.connack.return_code == MQTT_NOT_AUTHORIZED
				  ? "the broker refuses id and key"
				  : "the broker refuses the connection";
	}
}

static void on_event(struct mqtt_client *client, const struct mqtt_evt *evt)
{
	const struct mqtt_pubrel_param pubrel = {.message_id = evt->param.pubrec.message_id};

	switch (evt->type) {
	case MQTT_EVT_CONNACK:
		connack(evt);
		break;
	case MQTT_EVT_DISCONNECT:
		atomic_cas(&lnk.state, LINK_UP, LINK_DOWN);
		break;
	case MQTT_EVT_PUBLISH:
		message_begins(&evt->param.publish);
		break;
	case MQTT_EVT_PUBACK:
		published(evt->param.puback.message_id, true);
		break;
	case MQTT_EVT_PUBREC:
		mqtt_publish_qos2_release(client, &pubrel);
		break;
	case MQTT_EVT_PUBREL:
		released(evt->param.pubrel.message_id);
		break;
	case MQTT_EVT_PUBCOMP:
		published(evt->param.pubcomp.message_id, true);
		break;
	case MQTT_EVT_SUBACK:
		subscribed(&evt->param.suback);
		break;
	default:
		break;
	}
}

/* ---- silence -----------------------------------------------------------------------------------*/

static void heard(void)
{
	lnk.heard_ms = k_uptime_get();
	lnk.asked = false;
}

/* The library asks only when the worker itself was silent for a keep-alive; heartbeats never let it
 * be, and a broker that is gone without a word would not be missed. */
static void silence_check(void)
{
	int64_t quiet_ms = k_uptime_get() - lnk.heard_ms;
	int64_t keep_alive_ms = 1000 * lnk.client.keepalive;

	if (keep_alive_ms == 0 || quiet_ms < keep_alive_ms) {
		return;
	}
	if (quiet_ms >= keep_alive_ms + keep_alive_ms / 2) {
		lnk.why = "the broker is silent";
		mqtt_abort(&lnk.client);
		atomic_set(&lnk.state, LINK_DOWN);
	} else if (!lnk.asked) {
		lnk.asked = true;
		(void)mqtt_ping(&lnk.client);
	}
}

/* ---- connecting, in its own thread -------------------------------------------------------------*/

static struct mqtt_utf8 utf8(const char *text)
{
	return (struct mqtt_utf8){.utf8 = (const uint8_t *)text, .size = strlen(text)};
}

static void client_prepare(void)
{
	struct mqtt_client *client = &lnk.client;

	mqtt_client_init(client);
	client->broker = &lnk.broker;
	client->evt_cb = on_event;
	client->client_id = utf8(lnk.id);
	lnk.user = utf8(lnk.id);
	client->user_name = &lnk.user;
	lnk.password = utf8(lnk.key);
	client->password = lnk.password.size > 0 ? &lnk.password : NULL;
	lnk.will_topic.topic = utf8(lnk.will_topic_text);
	lnk.will_topic.qos = CONFIG_PROPLET_MQTT_QOS;
	lnk.will_message = utf8(lnk.will_text);
	client->will_topic = &lnk.will_topic;
	client->will_message = &lnk.will_message;
	client->protocol_version = MQTT_VERSION_3_1_1;
	client->clean_session = 0;
	client->keepalive = MIN(settings_number(SETTINGS_KEEP_ALIVE), UINT16_MAX);
	client->rx_buf = lnk.rx;
	client->rx_buf_size = sizeof(lnk.rx);
	client->tx_buf = lnk.tx;
	client->tx_buf_size = sizeof(lnk.tx);
	client->transport.type = MQTT_TRANSPORT_NON_SECURE;
}

static int socket_of(const struct mqtt_client *client)
{
	return tls_wanted() ? tls_socket(client) : client->transport.tcp.sock;
}

/* Small packets leave at once: an acknowledgement must not wait for the peer's delayed one. */
static void hurry(void)
{
	int on = 1;

	(void)zsock_setsockopt(socket_of(&lnk.client), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static const char *connack_wait(int64_t end)
{
	while (!lnk.connack) {
		struct zsock_pollfd fd = {.fd = socket_of(&lnk.client), .events = ZSOCK_POLLIN};
		int64_t left = end - k_uptime_get();

		if (left <= 0 || zsock_poll(&fd, 1, (int)left) <= 0) {
			return "the broker does not answer";
		}
		if (mqtt_input(&lnk.client) != 0 && !lnk.refused) {
			return "the broker closed the connection";
		}
	}
	return lnk.refused ? lnk.why : NULL;
}

/* Connects; NULL, or why it did not. */
static const char *connect_now(void)
{
	int64_t end = k_uptime_get() + CONFIG_PROPLET_CONNECT_TIMEOUT_MS;
	const char *why;
	int err;

	settings_get(SETTINGS_BROKER, lnk.host, sizeof(lnk.host));
	settings_get(SETTINGS_KEY, lnk.key, sizeof(lnk.key));
	lnk.connack = lnk.refused = false;
	if (!net_wait(CONFIG_PROPLET_CONNECT_TIMEOUT_MS)) {
		return "no network address";
	}
	if (net_resolve(lnk.host, settings_number(SETTINGS_PORT), &lnk.broker) != 0) {
		return "the broker's name is not known";
	}
	client_prepare();
	if (tls_wanted() && tls_prepare(&lnk.client, lnk.host) != 0) {
		return "TLS: certificates are missing or wrong";
	}
	err = mqtt_connect(&lnk.client);
	if (err != 0) {
		return tls_wanted() && err == -ECONNABORTED
			       ? "the broker's certificate or the TLS handshake is wrong"
			       : "the broker cannot be reached";
	}
	hurry();
	why = connack_wait(MAX(end, k_uptime_get() + CONNACK_MS_MIN));
	if (why != NULL) {
		mqtt_abort(&lnk.client);
	}
	heard();
	return why;
}

static void link_thread(void *a, void *b, void *c)
{
	for (;;) {
		k_sem_take(&connect_wanted, K_FOREVER);
		lnk.why = connect_now();
		atomic_set(&lnk.state, lnk.why == NULL ? LINK_UP : LINK_DOWN);
		mqtt_wake();
	}
}

K_THREAD_STACK_DEFINE(link_stack, CONFIG_PROPLET_LINK_STACK_BYTES);
static struct k_thread link;

void mqtt_start(void)
{
	k_thread_create(&link, link_stack, K_THREAD_STACK_SIZEOF(link_stack), link_thread, NULL,
			NULL, NULL, K_PRIO_PREEMPT(8), 0, K_NO_WAIT);
	k_thread_name_set(&link, "proplet_link");
}

/* ---- actions -----------------------------------------------------------------------------------*/

static void text_copy(char *out, size_t cap, const char *text)
{
	strncpy(out, text != NULL ? text : "", cap - 1);
	out[cap - 1] = 0;
}

void mqtt_connect_begin(const struct agent_action *action)
{
	if (state() != LINK_DOWN) {
		return;
	}
	text_copy(lnk.id, sizeof(lnk.id), action->connect.client_id);
	text_copy(lnk.will_topic_text, sizeof(lnk.will_topic_text), action->connect.will_topic);
	text_copy(lnk.will_text, sizeof(lnk.will_text), action->connect.will_payload);
	lnk.told_up = false;
	lnk.end_due = true;
	lnk.incoming.open = lnk.incoming.to_be_answered = false;
	lnk.answer_count = 0;
	lnk.give_up_ms = k_uptime_get() + 2 * CONFIG_PROPLET_CONNECT_TIMEOUT_MS + CONNACK_MS_MIN;
	atomic_set(&lnk.state, LINK_CONNECTING);
	k_sem_give(&connect_wanted);
}

void mqtt_subscribe_to(const struct agent_action *action)
{
	struct mqtt_topic topics[8];
	struct mqtt_subscription_list list = {.list = topics, .message_id = SUBSCRIBE_ID};

	while (list.list_count < ARRAY_SIZE(topics) &&
	       action->subscribe.filters[list.list_count] != NULL) {
		topics[list.list_count].topic = utf8(action->subscribe.filters[list.list_count]);
		topics[list.list_count].qos = action->subscribe.qos;
		list.list_count++;
	}
	if (mqtt_is_up() && mqtt_subscribe(&lnk.client, &list) != 0) {
		LOG_WRN("mqtt: cannot subscribe");
		mqtt_close();
	}
}

void mqtt_publish_this(const struct agent_action *action)
{
	struct mqtt_publish_param param = {.message_id = action->publish.ref};
	int err;

	param.message.topic.topic = utf8(action->publish.topic);
	param.message.topic.qos = action->publish.qos;
	param.message.payload.data = (uint8_t *)action->publish.payload;
	param.message.payload.len = action->publish.payload_bytes;
	err = mqtt_is_up() ? mqtt_publish(&lnk.client, &param) : -ENOTCONN;
	if (err != 0 && action->publish.qos > 0) {
		LOG_WRN("mqtt: cannot publish on %s (%d)", action->publish.topic, err);
		published(action->publish.ref, false);
	}
}

void mqtt_close(void)
{
	if (mqtt_is_up()) {
		lnk.why = "closed";
		mqtt_disconnect(&lnk.client);
		atomic_set(&lnk.state, LINK_DOWN);
	}
}

/* ---- events ------------------------------------------------------------------------------------*/

/* The connection came or went since the last call. */
static bool next_link(struct agent_event *out)
{
	if (state() == LINK_UP && !lnk.told_up) {
		lnk.told_up = true;
		out->kind = AGENT_EVENT_CONNECTED;
		out->link.text = NULL;
		out->link.session_present = lnk.session_present;
		if (!lnk.session_present) {
			memset(lnk.unreleased, 0, sizeof(lnk.unreleased));
		}
		return true;
	}
	if (state() == LINK_DOWN && lnk.end_due) {
		lnk.end_due = false;
		lnk.incoming.open = lnk.incoming.to_be_answered = false;
		lnk.answer_count = 0;
		out->kind = AGENT_EVENT_DISCONNECTED;
		out->link.text = lnk.why != NULL ? lnk.why : "the connection ended";
		lnk.why = NULL;
		LOG_WRN("mqtt: disconnected: %s", out->link.text);
		return true;
	}
	return false;
}

static bool next_answer(struct agent_event *out)
{
	if (lnk.answer_count == 0) {
		return false;
	}
	*out = lnk.answers[lnk.answer_first];
	lnk.answer_first = (lnk.answer_first + 1) % ANSWERS_MAX;
	lnk.answer_count--;
	return true;
}

/* What of the open message is there; false if nothing is, or if it is not to be handed on. */
static bool next_piece(struct agent_event *out)
{
	struct incoming *in = &lnk.incoming;
	int bytes = 0;

	if (in->left > 0) {
		bytes = mqtt_read_publish_payload(&lnk.client, lnk.piece,
						  MIN(in->left, sizeof(lnk.piece)));
		if (bytes == -EAGAIN) {
			return false;
		}
		if (bytes <= 0) {
			lnk.why = "the connection broke inside a message";
			mqtt_abort(&lnk.client);
			atomic_set(&lnk.state, LINK_DOWN);
			return false;
		}
	}
	heard();
	in->left -= bytes;
	out->kind = AGENT_EVENT_MESSAGE;
	out->message.topic = in->topic;
	out->message.topic_bytes = in->topic_bytes;
	out->message.piece = lnk.piece;
	out->message.piece_bytes = bytes;
	out->message.total_bytes = in->first ? bytes + in->left : 0;
	out->message.first = in->first;
	out->message.last = in->left == 0;
	in->first = false;
	in->open = in->left > 0;
	in->to_be_answered = in->left == 0 && in->qos > 0;
	if (in->repeated) {
		mqtt_handled();
		return false;
	}
	return true;
}

void mqtt_handled(void)
{
	struct incoming *in = &lnk.incoming;
	const struct mqtt_puback_param puback = {.message_id = in->id};
	const struct mqtt_pubrec_param pubrec = {.message_id = in->id};

	if (!in->to_be_answered || !mqtt_is_up()) {
		return;
	}
	in->to_be_answered = false;
	if (in->qos == MQTT_QOS_1_AT_LEAST_ONCE) {
		mqtt_publish_qos1_ack(&lnk.client, &puback);
	} else {
		if (!in->repeated) {
			unreleased_add(in->id);
		}
		mqtt_publish_qos2_receive(&lnk.client, &pubrec);
	}
}

static bool socket_has_data(void)
{
	struct zsock_pollfd fd = {.fd = socket_of(&lnk.client), .events = ZSOCK_POLLIN};

	return zsock_poll(&fd, 1, 0) > 0;
}

/* A broker that takes the connection and then says nothing holds the connecting thread for good. */
static void handshake_watch(void)
{
	if (state() == LINK_CONNECTING && k_uptime_get() >= lnk.give_up_ms) {
		tls_give_up(&lnk.client);
		lnk.give_up_ms += CONNACK_MS_MIN;
	}
}

bool mqtt_next(struct agent_event *out)
{
	if (next_link(out)) {
		return true;
	}
	if (!mqtt_is_up()) {
		handshake_watch();
		return false;
	}
	if (next_answer(out)) {
		return true;
	}
	if (!lnk.incoming.open && socket_has_data()) {
		heard();
		(void)mqtt_input(&lnk.client); /* an error ends the connection, told below */
	}
	if (mqtt_is_up() && lnk.incoming.open && next_piece(out)) {
		return true;
	}
	if (mqtt_is_up()) {
		(void)mqtt_live(&lnk.client);
		silence_check();
	}
	return next_link(out) || (mqtt_is_up() && next_answer(out));
}

void mqtt_wait(uint32_t timeout_ms)
{
	if (mqtt_is_up()) {
		struct zsock_pollfd fd = {.fd = socket_of(&lnk.client), .events = ZSOCK_POLLIN};

		zsock_poll(&fd, 1, MIN(timeout_ms, CONFIG_PROPLET_WAKE_MS));
	} else {
		k_sem_take(&wake, K_MSEC(MIN(timeout_ms, CONFIG_PROPLET_WAKE_MS)));
	}
}
