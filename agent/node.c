/* SPDX-License-Identifier: Apache-2.0 */
/* What the node says of itself: create, alive, metrics of the node. */
#include "agent/state.h"

enum {
	LIST_BYTES_MAX = 600, /* of tags, labels, features, capabilities: what cannot be is cut */
};

static uint32_t heartbeat_ms(const struct agent *a)
{
	return a->config->heartbeat_ms != 0 ? a->config->heartbeat_ms : 4000;
}

static const char *name_space(const struct agent *a)
{
	return a->config->namespace_name != NULL ? a->config->namespace_name : "default";
}

/* ---- create */

struct lists {
	char tags[LIST_BYTES_MAX], labels[LIST_BYTES_MAX], features[256], caps[128], keys[192];
};

static void list_words(struct wire_list *list, char *buf, size_t cap, const char *const *words)
{
	for (; words != NULL && *words != NULL; words++) {
		if (!wire_list_add(list, buf, cap, *words, strlen(*words))) {
			return;
		}
	}
}

static void list_labels(struct wire_list *list, char *buf, size_t cap, const char *const *labels)
{
	for (; labels != NULL && *labels != NULL; labels++) {
		const char *mid = strchr(*labels, '=');
		size_t key = mid != NULL ? (size_t)(mid - *labels) : strlen(*labels);
		const char *value = mid != NULL ? mid + 1 : "";

		if (list->bytes + key + strlen(value) + 10 > cap) {
			return;
		}
		wire_list_add(list, buf, cap, *labels, key);
		wire_list_add(list, buf, cap, value, strlen(value));
	}
}

static void list_caps(struct wire_list *list, char *buf, size_t cap, uint32_t caps)
{
	static const char *const words[] = {
#define X(name, word) word,
		AGENT_CAP_LIST(X)
#undef X
	};

	for (uint32_t i = 0; i < AGENT_CAP_COUNT; i++) {
		if (caps >> i & 1) {
			wire_list_add(list, buf, cap, words[i], strlen(words[i]));
		}
	}
}

/* The first 16 digits of each key that is trusted; "unsigned" where that is allowed. */
static void list_keys(struct wire_list *list, char *buf, size_t cap,
		      const struct rotor_image_policy *p)
{
	static const char digits[] = "0123456789abcdef";
	char id[16];

	for (uint32_t i = 0; i < p->key_count; i++) {
		for (size_t k = 0; k < sizeof(id); k++) {
			uint8_t byte = p->keys[32 * (size_t)i + k / 2];

			id[k] = digits[k % 2 == 0 ? byte >> 4 : byte & 15];
		}
		wire_list_add(list, buf, cap, id, sizeof(id));
	}
	if (p->allow_unsigned) {
		wire_list_add(list, buf, cap, "unsigned", strlen("unsigned"));
	}
}

static void describe_images(struct agent *a, struct wire_metadata *m, char *keys, size_t cap)
{
	uint32_t abi = 0;
	const char *target = agent_image_target(a, &abi);

	if (target != NULL) {
		WIRE_SET_STR(m, metadata, aot_target, target);
		WIRE_SET(m, metadata, aot_abi, abi);
		list_keys(&m->keys, keys, cap, a->config->images);
		m->seen |= WIRE_BIT(metadata, keys);
	}
}

static void describe(struct agent *a, struct wire_metadata *m)
{
	const struct agent_config *c = a->config;

	WIRE_SET_STR(m, metadata, description, c->description);
	WIRE_SET_STR(m, metadata, location, c->location);
	WIRE_SET_STR(m, metadata, ip, c->ip);
	WIRE_SET_STR(m, metadata, environment, c->environment);
	WIRE_SET_STR(m, metadata, os, c->os);
	WIRE_SET_STR(m, metadata, hostname, c->hostname);
	WIRE_SET_STR(m, metadata, cpu_arch, c->cpu_arch);
	WIRE_SET_STR(m, metadata, proplet_version, c->version);
	WIRE_SET_STR(m, metadata, wasm_runtime, a->engine->name);
	WIRE_SET_STR(m, metadata, engine, a->engine->name);
	WIRE_SET_STR(m, metadata, power, c->power);
	WIRE_SET(m, metadata, total_memory_bytes, (int64_t)c->total_memory_bytes);
	WIRE_SET(m, metadata, direct, true);
	WIRE_SET(m, metadata, pool_bytes, a->pool.bytes);
	WIRE_SET(m, metadata, free_bytes, pool_largest(&a->pool));
	WIRE_SET(m, metadata, flash_bytes, (int64_t)c->flash_bytes);
	WIRE_SET(m, metadata, rx_buffer_bytes, a->limits.rx_buffer_bytes);
	WIRE_SET(m, metadata, tasks_max, a->limits.tasks_max);
	WIRE_SET(m, metadata, heartbeat_ms, heartbeat_ms(a));
	if (a->node.battery_percent >= 0) {
		WIRE_SET(m, metadata, battery_percent, BASE_MIN(a->node.battery_percent, 100));
	}
}

/* What is left out, in this order, when the message would be too long for the port. */
static const uint64_t spare[] = {
	WIRE_BIT(metadata, description), WIRE_BIT(metadata, location), WIRE_BIT(metadata, hostname),
	WIRE_BIT(metadata, tags),        WIRE_BIT(metadata, labels),   WIRE_BIT(metadata, features),
};

static bool emit_create(struct agent *a)
{
	struct wire_create m = {0};
	struct lists lists;
	struct wire_metadata *d = &m.metadata;

	WIRE_SET_STR(&m, create, proplet_id, a->config->proplet_id);
	WIRE_SET_STR(&m, create, namespace_name, name_space(a));
	WIRE_SET(&m, create, connection, (int64_t)a->link_id);
	WIRE_SET(&m, create, uptime_ms, (int64_t)(a->now_ms - a->init_ms));
	m.seen |= WIRE_BIT(create, metadata);
	describe(a, d);
	list_words(&d->tags, lists.tags, sizeof(lists.tags), a->config->tags);
	list_labels(&d->labels, lists.labels, sizeof(lists.labels), a->config->labels);
	list_words(&d->features, lists.features, sizeof(lists.features), a->engine->features);
	list_caps(&d->capabilities, lists.caps, sizeof(lists.caps), a->config->capabilities);
	describe_images(a, d, lists.keys, sizeof(lists.keys));
	d->seen |= WIRE_BIT(metadata, features) | WIRE_BIT(metadata, capabilities);
	d->seen |= d->tags.count > 0 ? WIRE_BIT(metadata, tags) : 0;
	d->seen |= d->labels.count > 0 ? WIRE_BIT(metadata, labels) : 0;
	for (size_t i = 0; i < BASE_COUNT(spare) && !agent_publish_fits(a, &wire_table_create, &m);
	     i++) {
		d->seen &= ~spare[i];
	}
	return agent_publish(a, WIRE_TOPIC_CREATE, &m, NONE);
}

/* ---- alive */

/* The leases we hold, as a chain in the step's text; false when it does not fit. */
static bool list_held(struct agent *a, struct wire_objects *out)
{
	for (uint32_t i = 0; i < a->limits.tasks_max; i++) {
		const struct task *t = &a->tasks[i];
		struct wire_held *held;
		uint32_t pad;

		if (t->state == AGENT_TASK_FREE || t->epoch == 0 || t->invocation_id != NULL) {
			continue;
		}
		pad = (8 - (uint32_t)((uintptr_t)(a->out->text + a->out->text_used) % 8)) % 8;
		if (a->out->text_bytes - a->out->text_used < pad + sizeof(*held)) {
			return false;
		}
		a->out->text_used += pad + sizeof(*held);
		held = (struct wire_held *)(a->out->text + a->out->text_used - sizeof(*held));
		memset(held, 0, sizeof(*held));
		WIRE_SET_STR(held, held, id, t->id);
		WIRE_SET(held, held, epoch, (int64_t)t->epoch);
		if (out->last != NULL) {
			((struct wire_link *)(uintptr_t)out->last)->next = &held->link;
		} else {
			out->first = &held->link;
		}
		out->last = &held->link;
		out->count++;
	}
	return true;
}

static uint32_t running(const struct agent *a)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < a->limits.tasks_max; i++) {
		n += a->tasks[i].state != AGENT_TASK_FREE &&
		     a->tasks[i].state != AGENT_TASK_ENDED &&
		     a->tasks[i].state != AGENT_TASK_LATENT;
	}
	return n;
}

/* The share of time in which slices were out, since it was last asked. */
static uint32_t load_percent(struct agent *a)
{
	uint64_t span = a->now_ms - a->busy_since_ms, busy = a->busy_ms;

	a->busy_ms = 0;
	a->busy_since_ms = a->now_ms;
	return span == 0 ? 0 : (uint32_t)BASE_MIN(busy * 100 / span / a->limits.slices_max, 100);
}

static bool emit_alive(struct agent *a)
{
	uint32_t text_used = a->out->text_used;
	struct wire_alive m = {0};

	WIRE_SET_STR(&m, alive, proplet_id, a->config->proplet_id);
	WIRE_SET_STR(&m, alive, status, "alive");
	WIRE_SET_STR(&m, alive, namespace_name, name_space(a));
	WIRE_SET(&m, alive, connection, (int64_t)a->link_id);
	WIRE_SET(&m, alive, uptime_ms, (int64_t)(a->now_ms - a->init_ms));
	WIRE_SET(&m, alive, free_bytes, pool_largest(&a->pool));
	WIRE_SET(&m, alive, running, running(a));
	WIRE_SET(&m, alive, load_percent, load_percent(a));
	if (a->node.battery_percent >= 0) {
		WIRE_SET(&m, alive, battery_percent, BASE_MIN(a->node.battery_percent, 100));
	}
	if (list_held(a, &m.tasks)) {
		m.seen |= WIRE_BIT(alive, tasks);
	}
	if (!WIRE_HAS(&m, alive, tasks) ||
	    (m.tasks.count != 0 && wire_write(&wire_table_alive, &m, 0, NULL, 0) + 300 >
					   a->out->text_bytes - a->out->text_used)) {
		m.seen &= ~WIRE_BIT(alive, tasks);
		WIRE_SET(&m, alive, tasks_more, true);
		a->out->text_used = text_used;
	}
	return agent_publish(a, WIRE_TOPIC_ALIVE, &m, NONE);
}

/* ---- metrics */

static struct wire_time stamp(const struct agent *a)
{
	if (a->wall_ms > 0) {
		return (struct wire_time){a->wall_ms, false};
	}
	return (struct wire_time){(int64_t)a->now_ms, true};
}

static void memory_metrics(const struct agent_node *n, struct wire_memory_metrics *m)
{
	WIRE_SET(m, memory_metrics, rss_bytes, (double)n->rss_bytes);
	WIRE_SET(m, memory_metrics, heap_alloc_bytes, (double)n->heap_alloc_bytes);
	WIRE_SET(m, memory_metrics, heap_sys_bytes, (double)n->heap_sys_bytes);
	WIRE_SET(m, memory_metrics, heap_inuse_bytes, (double)n->heap_inuse_bytes);
	if (n->heap_free_bytes != 0) {
		WIRE_SET(m, memory_metrics, heap_free_bytes, (double)n->heap_free_bytes);
	}
	if (n->system_heap_used_bytes + n->system_heap_free_bytes != 0) {
		WIRE_SET(m, memory_metrics, system_heap_used_bytes,
			 (double)n->system_heap_used_bytes);
		WIRE_SET(m, memory_metrics, system_heap_free_bytes,
			 (double)n->system_heap_free_bytes);
		WIRE_SET(m, memory_metrics, system_heap_max_bytes,
			 (double)n->system_heap_max_bytes);
	}
}

static void network_metrics(const struct agent_node *n, struct wire_network_metrics *m)
{
	WIRE_SET(m, network_metrics, rx_bytes, (double)n->rx_bytes);
	WIRE_SET(m, network_metrics, tx_bytes, (double)n->tx_bytes);
	WIRE_SET(m, network_metrics, rx_packets, (double)n->rx_packets);
	WIRE_SET(m, network_metrics, tx_packets, (double)n->tx_packets);
	WIRE_SET(m, network_metrics, dropped_packets, (double)n->dropped_packets);
	WIRE_SET(m, network_metrics, resent_packets, (double)n->resent_packets);
}

static bool emit_metrics(struct agent *a)
{
	const struct agent_node *n = &a->node;
	struct wire_metrics m = {0};

	WIRE_SET_STR(&m, metrics, proplet_id, a->config->proplet_id);
	WIRE_SET_STR(&m, metrics, namespace_name, name_space(a));
	WIRE_SET(&m, metrics, timestamp, stamp(a));
	m.seen |= WIRE_BIT(metrics, cpu_metrics) | WIRE_BIT(metrics, memory_metrics);
	WIRE_SET(&m.cpu_metrics, cpu_metrics, user_seconds, n->cpu_user_seconds);
	WIRE_SET(&m.cpu_metrics, cpu_metrics, system_seconds, n->cpu_system_seconds);
	WIRE_SET(&m.cpu_metrics, cpu_metrics, percent, n->cpu_percent);
	memory_metrics(n, &m.memory_metrics);
	if (n->rx_bytes + n->tx_bytes != 0) {
		m.seen |= WIRE_BIT(metrics, network_metrics);
		network_metrics(n, &m.network_metrics);
	}
	return agent_publish(a, WIRE_TOPIC_METRICS, &m, NONE);
}

/* Metrics of a task whose start message had a monitoring_profile. */
static bool emit_task_metrics(struct agent *a, struct task *t)
{
	struct wire_task_metrics m = {0};
	struct wire_task_sample *s = &m.metrics;
	double bytes = t->instance != NULL && t->state != AGENT_TASK_RUNNING
			       ? (double)a->engine->memory_bytes(t->instance)
			       : 0;

	WIRE_SET_STR(&m, task_metrics, task_id, t->id);
	WIRE_SET_STR(&m, task_metrics, proplet_id, a->config->proplet_id);
	WIRE_SET(&m, task_metrics, timestamp, stamp(a));
	m.seen |= WIRE_BIT(task_metrics, metrics);
	WIRE_SET(s, task_sample, cpu_percent, a->node.cpu_percent);
	WIRE_SET(s, task_sample, memory_bytes, bytes);
	WIRE_SET(s, task_sample, memory_percent,
		 a->pool.bytes > 0 ? bytes * 100 / a->pool.bytes : 0);
	WIRE_SET(s, task_sample, disk_read_bytes, 0);
	WIRE_SET(s, task_sample, disk_write_bytes, 0);
	WIRE_SET(s, task_sample, uptime_seconds, (double)((a->now_ms - t->started_ms) / 1000));
	WIRE_SET(s, task_sample, thread_count, 1);
	WIRE_SET(s, task_sample, file_descriptor_count, 0);
	return agent_publish(a, WIRE_TOPIC_TASK_METRICS, &m, NONE);
}

static void task_metrics(struct agent *a)
{
	for (uint32_t i = 0; i < a->limits.tasks_max; i++) {
		struct task *t = &a->tasks[i];
		bool runs = t->state == AGENT_TASK_READY || t->state == AGENT_TASK_RUNNING ||
			    t->state == AGENT_TASK_WAITING;

		if (t->metrics_ms == 0 || !runs) {
			continue;
		}
		if (a->now_ms >= t->metrics_at_ms && emit_task_metrics(a, t)) {
			t->metrics_at_ms = a->now_ms + t->metrics_ms;
		}
		agent_wake_at(a, BASE_MAX(t->metrics_at_ms, a->now_ms + 1));
	}
}

/* ---- when */

void agent_node_tick(struct agent *a)
{
	if (agent_online(a) && a->now_ms >= a->alive_ms) {
		a->alive_due = true;
	}
	if (agent_online(a) && a->config->metrics_ms != 0 && a->now_ms >= a->metrics_ms) {
		a->metrics_due = true;
	}
}

void agent_node_emit(struct agent *a)
{
	if (!agent_online(a) || a->quitting) {
		return;
	}
	if (a->create_due && emit_create(a)) {
		a->create_due = false;
	}
	if (!a->create_due && a->alive_due && emit_alive(a)) {
		a->alive_due = false;
		a->alive_ms = a->now_ms + agent_jittered(a, heartbeat_ms(a));
	}
	if (!a->create_due && a->metrics_due && emit_metrics(a)) {
		a->metrics_due = false;
		a->metrics_ms = a->now_ms + agent_jittered(a, a->config->metrics_ms);
	}
	if (!a->alive_due) {
		agent_wake_at(a, a->alive_ms);
	}
	if (!a->metrics_due && a->config->metrics_ms != 0) {
		agent_wake_at(a, a->metrics_ms);
	}
	task_metrics(a);
}
