/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates from the settings (base64 of DER) into Zephyr's TLS sockets.
 *
 * Rules: 1. The broker's certificate must be signed by tls.ca and bear the broker's name.
 *        2. With tls.cert and tls.key the worker shows its own.
 *        3. Zephyr's handshake waits for its peer without end, and holds the TLS socket meanwhile;
 *           only the TCP socket below can be reached, and is known by its peer.
 *        4. The buffers stay: Mbed TLS reads them at every handshake.
 */
#include "tls.h"

#include <errno.h>
#include <string.h>

#include <zephyr/kernel.h>
#include <zephyr/net/socket.h>
#include <zephyr/net/tls_credentials.h>
#include <zephyr/sys/base64.h>

#include "settings.h"

#define DER_BYTES_MAX 1536

enum {
	TAG = 1
};

static uint8_t ca[DER_BYTES_MAX], cert[DER_BYTES_MAX], key[DER_BYTES_MAX];
static char text[2048];
static sec_tag_t tags[] = {TAG};

bool tls_wanted(void)
{
	return settings_number(SETTINGS_TLS) != 0;
}

/* Hands one credential on; 0 also when the setting is empty, then *there is false. */
static int credential_add(enum settings_key setting, enum tls_credential_type type, uint8_t *der,
			  bool *there)
{
	size_t bytes = 0, chars = settings_get(setting, text, sizeof(text));
	int err = chars == 0
			  ? 0
			  : base64_decode(der, DER_BYTES_MAX, &bytes, (const uint8_t *)text, chars);

	*there = bytes > 0;
	(void)tls_credential_delete(TAG, type);
	if (err == 0 && bytes > 0) {
		err = tls_credential_add(TAG, type, der, bytes);
	}
	memset(text, 0, sizeof(text));
	return err;
}

int tls_prepare(struct mqtt_client *client, const char *host)
{
	struct mqtt_sec_config *config = &client->transport.tls.config;
	bool has_ca, has_cert, has_key;
	int err = credential_add(SETTINGS_TLS_CA, TLS_CREDENTIAL_CA_CERTIFICATE, ca, &has_ca);

	err = err != 0 ? err
		       : credential_add(SETTINGS_TLS_CERT, TLS_CREDENTIAL_SERVER_CERTIFICATE, cert,
					&has_cert);
	err = err != 0
		      ? err
		      : credential_add(SETTINGS_TLS_KEY, TLS_CREDENTIAL_PRIVATE_KEY, key, &has_key);
	if (err != 0 || !has_ca) {
		return err != 0 ? err : -ENOENT;
	}
	client->transport.type = MQTT_TRANSPORT_SECURE;
	config->peer_verify = TLS_PEER_VERIFY_REQUIRED;
	config->sec_tag_list = tags;
	config->sec_tag_count = ARRAY_SIZE(tags);
	config->hostname = host;
	return 0;
}

int tls_socket(const struct mqtt_client *client)
{
	return client->transport.tls.sock;
}

/* Whether a socket's peer is that broker. */
static bool peer_is(int sock, const struct sockaddr_storage *broker)
{
	struct sockaddr_storage peer = {0};
	socklen_t bytes = sizeof(peer);
	const struct sockaddr_in *a = (const struct sockaddr_in *)&peer;
	const struct sockaddr_in *b = (const struct sockaddr_in *)broker;

	return zsock_getpeername(sock, (struct sockaddr *)&peer, &bytes) == 0 &&
	       peer.ss_family == broker->ss_family && a->sin_port == b->sin_port;
}

void tls_give_up(const struct mqtt_client *client)
{
	for (int sock = 0; sock < CONFIG_POSIX_MAX_FDS; sock++) {
		if (sock != client->transport.tls.sock && peer_is(sock, client->broker)) {
			(void)zsock_shutdown(sock, ZSOCK_SHUT_RD);
		}
	}
}
