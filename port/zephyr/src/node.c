/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who this worker is: settings, hardware and addresses as the agent's configuration.
 *
 * Rules: 1. A worker without an id makes one of its hardware id, else of random bytes, and keeps it.
 *        2. Texts stay where they are; node_refresh changes the address in place.
 */
#include <stdio.h>
#include <string.h>

#include <zephyr/drivers/hwinfo.h>
#include <zephyr/kernel.h>
#include <zephyr/linker/linker-defs.h>
#include <zephyr/logging/log.h>
#include <zephyr/net/net_ip.h>
#include <zephyr/sys/sys_heap.h>

#include "app.h"
#include "app_version.h"
#include "base/sha256.h"
#include "compat.h"
#include "net.h"
#include "settings.h"

LOG_MODULE_DECLARE(proplet, CONFIG_PROPLET_LOG_LEVEL);

#define WORDS_MAX 8

static char id[64], tenant[64], channel[64], broker[128], description[64], location[64], power[8];
static char tags_text[96], labels_text[128], address[NET_IPV4_ADDR_LEN];
static const char *tags[WORDS_MAX + 1], *labels[WORDS_MAX + 1];

/* Splits text at commas in place; up to WORDS_MAX words, ended by NULL. */
static void split(char *text, const char **words)
{
	uint32_t count = 0;

	while (count < WORDS_MAX && *text != 0) {
		char *comma = strchr(text, ',');

		words[count++] = text;
		if (comma == NULL) {
			break;
		}
		*comma = 0;
		text = comma + 1;
	}
	words[count] = NULL;
}

/* A UUID of 16 bytes, version 8 (RFC 9562 5.8: vendor's own). */
static void uuid_text(const uint8_t *bytes, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < 16; i++) {
		uint8_t b = i == 6   ? (bytes[i] & 0x0f) | 0x80
			    : i == 8 ? (bytes[i] & 0x3f) | 0x80
				     : bytes[i];

		if (i == 4 || i == 6 || i == 8 || i == 10) {
			*out++ = '-';
		}
		*out++ = digits[b >> 4];
		*out++ = digits[b & 15];
	}
	*out = 0;
}

static void id_make(void)
{
	uint8_t seed[32] = {0}, digest[SHA256_BYTES];
	struct sha256 sha;

	if (hwinfo_get_device_id(seed, sizeof(seed)) <= 0) {
		sys_rand_get(seed, sizeof(seed));
	}
	sha256_init(&sha);
	sha256_add(&sha, seed, sizeof(seed));
	sha256_end(&sha, digest);
	uuid_text(digest, id);
	if (settings_set(SETTINGS_ID, id) != 0) {
		LOG_WRN("the worker's id cannot be kept: it changes with every start");
	}
	LOG_INF("new worker id %s", id);
}

/* Says once what is missing. */
static bool complete(void)
{
	static bool told;
	const char *missing = tenant[0] == 0    ? "tenant"
			      : channel[0] == 0 ? "channel"
			      : broker[0] == 0  ? "broker"
						: NULL;

	if (missing != NULL && !told) {
		LOG_WRN("not provisioned: proplet set %s TEXT", missing);
	}
	told = missing != NULL;
	return missing == NULL;
}

bool node_configure(struct agent_config *config)
{
	settings_get(SETTINGS_TENANT, tenant, sizeof(tenant));
	settings_get(SETTINGS_CHANNEL, channel, sizeof(channel));
	settings_get(SETTINGS_BROKER, broker, sizeof(broker));
	if (!complete()) {
		return false;
	}
	if (settings_get(SETTINGS_ID, id, sizeof(id)) == 0) {
		id_make();
	}
	settings_get(SETTINGS_DESCRIPTION, description, sizeof(description));
	settings_get(SETTINGS_LOCATION, location, sizeof(location));
	settings_get(SETTINGS_POWER, power, sizeof(power));
	settings_get(SETTINGS_TAGS, tags_text, sizeof(tags_text));
	settings_get(SETTINGS_LABELS, labels_text, sizeof(labels_text));
	split(tags_text, tags);
	split(labels_text, labels);
	config->proplet_id = id;
	config->tenant_id = tenant;
	config->channel_id = channel;
	config->description = description;
	config->location = location;
	config->power = power;
	config->ip = address;
	config->environment = "embedded";
	config->os = "zephyr";
	config->hostname = CONFIG_BOARD;
	config->cpu_arch = CONFIG_ARCH;
	config->version = APP_VERSION_STRING;
	config->tags = tags;
	config->labels = labels;
	config->capabilities = capabilities();
	config->total_memory_bytes = CONFIG_PROPLET_POOL_BYTES;
	sys_rand_get(&config->seed, sizeof(config->seed));
	config->heartbeat_ms = settings_number(SETTINGS_HEARTBEAT);
	config->metrics_ms = CONFIG_PROPLET_METRICS_MS;
	config->backoff_ms_min = CONFIG_PROPLET_BACKOFF_MS_MIN;
	config->backoff_ms_max = CONFIG_PROPLET_BACKOFF_MS_MAX;
	config->qos = CONFIG_PROPLET_MQTT_QOS;
	config->journal = IS_ENABLED(CONFIG_PROPLET_JOURNAL);
	if (IS_ENABLED(CONFIG_PROPLET_NATIVE)) {
		config->images = trust_policy();
	}
	sys_rand_get(&config->seed, sizeof(config->seed));
	return true;
}

void node_refresh(void)
{
	net_address(address, sizeof(address));
}

#if defined(CONFIG_SCHED_THREAD_USAGE_ALL)

/* Share of the time that was not idle since the last call, and its sum since the start. */
static void cpu(struct agent_node *out)
{
	static uint64_t busy_before, all_before;
	k_thread_runtime_stats_t stats;

	if (k_thread_runtime_stats_all_get(&stats) == 0) {
		uint64_t all = stats.execution_cycles - all_before;
		uint64_t busy = stats.total_cycles - busy_before;

		all_before = stats.execution_cycles;
		busy_before = stats.total_cycles;
		out->cpu_percent = all == 0 ? 0 : 100.0 * (double)busy / (double)all;
		out->cpu_user_seconds =
			(double)stats.total_cycles / (double)sys_clock_hw_cycles_per_sec();
	}
}

#else

static void cpu(struct agent_node *out)
{
}

#endif

#if CONFIG_HEAP_MEM_POOL_SIZE > 0

static void system_heap(struct agent_node *out)
{
	extern struct k_heap _system_heap;
	struct sys_memory_stats stats;

	if (sys_heap_runtime_stats_get(&_system_heap.heap, &stats) == 0) {
		out->system_heap_used_bytes = stats.allocated_bytes;
		out->system_heap_free_bytes = stats.free_bytes;
		out->system_heap_max_bytes = stats.max_allocated_bytes;
	}
}

#else

static void system_heap(struct agent_node *out)
{
}

#endif

static void network(struct agent_node *out)
{
	struct net_facts net;

	net_facts(&net);
	out->rx_bytes = net.rx_bytes;
	out->tx_bytes = net.tx_bytes;
	out->rx_packets = net.rx_packets;
	out->tx_packets = net.tx_packets;
	out->dropped_packets = net.drops;
	out->resent_packets = net.tcp_resent;
}

const struct agent_node *node_facts(void)
{
	static struct agent_node facts;
	struct agent_stats stats;

	agent_stats(app_agent, &stats);
	facts = (struct agent_node){
		.battery_percent = -1,
		.heap_sys_bytes = stats.pool_bytes,
		.heap_free_bytes = stats.pool_free_bytes,
		.heap_inuse_bytes = stats.pool_bytes - stats.pool_free_bytes,
	};
	facts.heap_alloc_bytes = facts.heap_inuse_bytes;
	facts.rss_bytes = CONFIG_PROPLET_AGENT_BYTES + facts.heap_inuse_bytes;
	cpu(&facts);
	system_heap(&facts);
	network(&facts);
	return &facts;
}
