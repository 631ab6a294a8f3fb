/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces, addresses, names.
 *
 * In:    what the drivers bring up; DHCP and DNS servers
 * Out:   "there is an address", addresses of names
 * Rules: 1. Every interface runs DHCP as soon as its link is there.
 *        2. What is lost comes back by itself: DHCP renews, wifi.c associates again.
 */
#include "net.h"

#include <errno.h>
#include <string.h>

#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/net/dhcpv4.h>
#include <zephyr/net/dns_resolve.h>
#include <zephyr/net/net_if.h>
#include <zephyr/net/net_ip.h>
#include <zephyr/net/net_stats.h>

#include "compat.h"

LOG_MODULE_DECLARE(proplet, CONFIG_PROPLET_LOG_LEVEL);

#define DNS_MS 4000

static K_SEM_DEFINE(address_came, 0, 1);
static struct net_mgmt_event_callback address_events;

static void on_address(struct net_mgmt_event_callback *cb, compat_net_event event,
		       struct net_if *iface)
{
	char text[NET_IPV4_ADDR_LEN];

	if (event == NET_EVENT_IPV4_ADDR_ADD) {
		net_address(text, sizeof(text));
		LOG_INF("network: address %s", text);
		k_sem_give(&address_came);
	} else if (event == NET_EVENT_IPV4_ADDR_DEL) {
		LOG_WRN("network: address lost");
	}
}

static void interface_start(struct net_if *iface, void *user)
{
	net_if_up(iface);
	if (IS_ENABLED(CONFIG_NET_DHCPV4)) {
		net_dhcpv4_start(iface);
	}
}

void net_start(void)
{
	net_mgmt_init_event_callback(&address_events, on_address,
				     NET_EVENT_IPV4_ADDR_ADD | NET_EVENT_IPV4_ADDR_DEL);
	net_mgmt_add_event_callback(&address_events);
	net_if_foreach(interface_start, NULL);
	if (IS_ENABLED(CONFIG_WIFI)) {
		wifi_start();
	}
}

static void address_find(struct net_if *iface, void *user)
{
	const struct in_addr **found = user;

	if (*found == NULL) {
		*found = net_if_ipv4_get_global_addr(iface, NET_ADDR_PREFERRED);
	}
}

static const struct in_addr *address(void)
{
	const struct in_addr *found = NULL;

	net_if_foreach(address_find, &found);
	return found;
}

bool net_wait(uint32_t timeout_ms)
{
	int64_t end = k_uptime_get() + timeout_ms;

	while (address() == NULL) {
		int64_t left = end - k_uptime_get();

		if (left <= 0) {
			return false;
		}
		k_sem_take(&address_came, K_MSEC(left));
	}
	return true;
}

void net_address(char *out, size_t cap)
{
	const struct in_addr *found = address();

	if (found == NULL || net_addr_ntop(AF_INET, found, out, cap) == NULL) {
		out[0] = 0;
	}
}

/* One lookup at a time; the resolver's thread fills it in. */
static struct {
	struct k_sem done;
	struct sockaddr_storage *out;
	bool found;
} lookup;

static void on_name(enum dns_resolve_status status, struct dns_addrinfo *info, void *user)
{
	if (status == DNS_EAI_INPROGRESS && info != NULL && !lookup.found) {
		memcpy(lookup.out, &info->ai_addr, info->ai_addrlen);
		lookup.found = true;
	} else if (status != DNS_EAI_INPROGRESS) {
		k_sem_give(&lookup.done);
	}
}

static bool name_lookup(const char *host, enum dns_query_type type, struct sockaddr_storage *out)
{
	k_sem_init(&lookup.done, 0, 1);
	lookup.out = out;
	lookup.found = false;
	if (dns_get_addr_info(host, type, NULL, on_name, NULL, DNS_MS) != 0) {
		return false;
	}
	return k_sem_take(&lookup.done, K_MSEC(DNS_MS + 1000)) == 0 && lookup.found;
}

int net_resolve(const char *host, uint16_t port, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (!net_ipaddr_parse(host, strlen(host), (struct sockaddr *)out) &&
	    !name_lookup(host, DNS_QUERY_TYPE_A, out) &&
	    !(IS_ENABLED(CONFIG_NET_IPV6) && name_lookup(host, DNS_QUERY_TYPE_AAAA, out))) {
		return -EHOSTUNREACH;
	}
	if (out->ss_family == AF_INET) {
		net_sin((struct sockaddr *)out)->sin_port = htons(port);
	} else {
		net_sin6((struct sockaddr *)out)->sin6_port = htons(port);
	}
	return 0;
}

void net_facts(struct net_facts *out)
{
	struct net_stats stats;

	memset(out, 0, sizeof(*out));
	if (net_mgmt(NET_REQUEST_STATS_GET_ALL, NULL, &stats, sizeof(stats)) == 0) {
		out->rx_bytes = stats.bytes.received;
		out->tx_bytes = stats.bytes.sent;
		out->rx_packets = stats.ipv4.recv;
		out->tx_packets = stats.ipv4.sent;
		out->drops = stats.ipv4.drop + stats.processing_error;
		out->tcp_resent = stats.tcp.resent;
	}
}
