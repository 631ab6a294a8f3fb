/* SPDX-License-Identifier: Apache-2.0 */
/* TLS for the connection to the broker; inline nothing where the image is built without it. */
#ifndef TLS_H
#define TLS_H

#include <stdbool.h>
#include <zephyr/net/mqtt.h>

#if defined(CONFIG_PROPLET_TLS)

/* Whether the settings ask for it. */
bool tls_wanted(void);
/* Hands the certificates of the settings to Zephyr and sets the client up; host is checked against
 * the broker's certificate and must stay. Negative errno: no CA, or not base64. */
int tls_prepare(struct mqtt_client *client, const char *host);
int tls_socket(const struct mqtt_client *client);
/* From another thread than the one that connects: lets a handshake fail that waits for its peer. */
void tls_give_up(const struct mqtt_client *client);

#else

static inline bool tls_wanted(void)
{
	return false;
}
static inline int tls_prepare(struct mqtt_client *client, const char *host)
{
	return 0;
}
static inline int tls_socket(const struct mqtt_client *client)
{
	return -1;
}
static inline void tls_give_up(const struct mqtt_client *client)
{
}

#endif
#endif
