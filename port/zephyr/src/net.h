/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces: brought up, given addresses by DHCP, kept associated if they are Wi-Fi. */
#ifndef NET_H
#define NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <zephyr/net/socket.h>

/* Starts all interfaces; addresses come later. */
void net_start(void);

/* Waits until an interface has an IPv4 address; false after timeout_ms. */
bool net_wait(uint32_t timeout_ms);

/* The first interface's address as text; "" if there is none yet. */
void net_address(char *out, size_t cap);

/* Looks host up, a name or an address. Negative errno. Blocks up to the DNS timeout. */
int net_resolve(const char *host, uint16_t port, struct sockaddr_storage *out);

/* Facts for people: bytes and packets since the start. */
struct net_facts {
	uint32_t rx_bytes, tx_bytes, rx_packets, tx_packets, drops, tcp_resent;
};
void net_facts(struct net_facts *out);

/* Wi-Fi, where there is one: keeps every station interface associated with its network. */
void wifi_start(void);

#endif
