/* SPDX-License-Identifier: Apache-2.0 */
/* Init, the step, and what can be seen from outside. */
#include "agent/agent.h"
#include "agent/state.h"

struct limit_default {
	uint16_t offset;
	uint32_t value;
};

/* For a device with a pool of 40 KB behind a receive buffer of 1 KB. */
static const struct limit_default limit_defaults[] = {
	{offsetof(struct agent_limits, tasks_max), 8},
	{offsetof(struct agent_limits, modules_max), 8},
	{offsetof(struct agent_limits, slices_max), 1},
	{offsetof(struct agent_limits, slice_fuel), 100000},
	{offsetof(struct agent_limits, message_bytes), 1024},
	{offsetof(struct agent_limits, outbox_bytes), 1024},
	{offsetof(struct agent_limits, inflight_max), 8},
	{offsetof(struct agent_limits, rx_buffer_bytes), 1024},
	{offsetof(struct agent_limits, module_bytes_max), 1 << 20},
	{offsetof(struct agent_limits, args_max), 16},
	{offsetof(struct agent_limits, print_bytes), 128},
	{offsetof(struct agent_limits, stack_bytes), 16384},
	{offsetof(struct agent_limits, heap_bytes), 16384},
	{offsetof(struct agent_limits, memory_bytes), 65536},
	{offsetof(struct agent_limits, output_bytes), 4096},
};

void agent_limits_complete(struct agent_limits *limits)
{
	for (size_t i = 0; i < BASE_COUNT(limit_defaults); i++) {
		uint32_t *limit = (uint32_t *)((char *)limits + limit_defaults[i].offset);

		*limit = *limit != 0 ? *limit : limit_defaults[i].value;
	}
}

/* Where the agent's tables lie in mem. */
struct layout {
	size_t tasks, modules, inflight, message, outbox, end;
};

static struct layout lay_out(const struct agent_limits *l)
{
	struct layout at;

	at.tasks = base_align_up(sizeof(struct agent), 8);
	at.modules = at.tasks + l->tasks_max * sizeof(struct task);
	at.inflight = at.modules + l->modules_max * sizeof(struct module);
	at.message = base_align_up(at.inflight + l->inflight_max * sizeof(struct inflight), 8);
	at.outbox = base_align_up(at.message + l->message_bytes, 8);
	at.end = base_align_up(at.outbox + l->outbox_bytes, 8);
	return at;
}

size_t agent_mem_bytes(const struct agent_limits *limits)
{
	struct agent_limits l = *limits;

	agent_limits_complete(&l);
	return lay_out(&l).end;
}

static bool text_ok(const char *text, size_t max)
{
	return text != NULL && text[0] != 0 && strlen(text) <= max;
}

static bool limits_ok(const struct agent_limits *l)
{
	return l->tasks_max < 30000 && l->modules_max < NONE && l->inflight_max < NONE &&
	       l->slices_max <= l->tasks_max + l->slices_max && l->args_max <= 64;
}

static void set_out(struct agent *a, const struct layout *at)
{
	char *mem = (char *)a;

	a->tasks = (struct task *)(mem + at->tasks);
	a->modules = (struct module *)(mem + at->modules);
	a->inflight = (struct inflight *)(mem + at->inflight);
	a->message_arena = mem + at->message;
	a->outbox.ring = mem + at->outbox;
	a->outbox.bytes = a->limits.outbox_bytes & ~7u;
	for (uint32_t i = 0; i < a->limits.tasks_max; i++) {
		a->tasks[i].module = NONE;
	}
}

enum agent_err agent_init(struct agent **out, const struct agent_config *config,
			  const struct agent_limits *limits, const struct agent_engine *engine,
			  void *mem, size_t mem_bytes, void *pool, size_t pool_bytes)
{
	struct agent_limits l = *limits;
	struct agent *a = mem;
	struct layout at;

	agent_limits_complete(&l);
	at = lay_out(&l);
	CHECK(text_ok(config->proplet_id, WIRE_ID) && text_ok(config->tenant_id, WIRE_ID) &&
		      text_ok(config->channel_id, WIRE_ID) && config->qos <= 2 && limits_ok(&l),
	      AGENT_ERR_CONFIG);
	CHECK(mem_bytes >= at.end && (uintptr_t)mem % 8 == 0, AGENT_ERR_MEMORY);
	memset(mem, 0, at.end);
	a->config = config;
	a->engine = engine;
	a->limits = l;
	a->place = (struct wire_place){config->tenant_id, config->channel_id};
	a->mem_bytes = (uint32_t)at.end;
	a->node.battery_percent = -1;
	a->booted = !config->journal;
	a->inbox.module = NONE;
	a->connect_due = true;
	a->stats.tasks_max = l.tasks_max;
	a->stats.modules_max = l.modules_max;
	prng_init(&a->prng, config->seed);
	pool_init(&a->pool, pool, pool_bytes);
	set_out(a, &at);
	*out = a;
	return AGENT_OK;
}

static void apply(struct agent *a, const struct agent_event *e)
{
	switch (e->kind) {
	case AGENT_EVENT_TICK:
		break;
	case AGENT_EVENT_CONNECTED:
	case AGENT_EVENT_DISCONNECTED:
	case AGENT_EVENT_SUBSCRIBED:
	case AGENT_EVENT_PUBLISHED:
	case AGENT_EVENT_QUIT:
		agent_link_event(a, e);
		break;
	case AGENT_EVENT_MESSAGE:
		agent_inbox_event(a, e);
		break;
	case AGENT_EVENT_SLICE_DONE:
		agent_slice_event(a, e);
		break;
	case AGENT_EVENT_STORE:
	case AGENT_EVENT_STORE_DATA:
		agent_fetch_event(a, e);
		break;
	case AGENT_EVENT_HOST_DONE:
		agent_effect_event(a, e);
		break;
	case AGENT_EVENT_JOURNAL:
	case AGENT_EVENT_JOURNAL_END:
		agent_journal_event(a, e);
		break;
	case AGENT_EVENT_NODE:
		a->node = *e->node;
		break;
	case AGENT_EVENT_STOP:
		agent_stop_by_id(a, (struct wire_text){e->stop.id, e->stop.id_bytes},
				 "by the operator at the device");
		break;
	}
}

void agent_step(struct agent *a, const struct agent_event *event, struct agent_actions *out)
{
	ASSERT(out->text_bytes >= AGENT_TEXT_BYTES_MIN);
	out->count = 0;
	out->text_used = 0;
	out->wake_ms = AGENT_NEVER;
	a->out = out;
	a->again = false;
	a->now_ms = BASE_MAX(a->now_ms, event->now_ms);
	a->wall_ms = event->wall_ms;
	if (!a->begun) {
		a->begun = true;
		a->init_ms = a->metrics_ms = a->busy_since_ms = a->now_ms;
		a->connect_ms = a->now_ms;
	}
	apply(a, event);
	agent_link_tick(a);
	agent_slice_tick(a);
	agent_fetch_tick(a);
	agent_node_tick(a);
	agent_emit(a);
	a->out = NULL;
}

/* ---- looking inside */

static const char *const state_texts[] = {
#define X(name, word) word,
	AGENT_TASK_STATE_LIST(X)
#undef X
};

const char *agent_task_state_text(enum agent_task_state state)
{
	return state < AGENT_TASK_STATE_COUNT ? state_texts[state] : "?";
}

const struct agent_limits *agent_limits_of(const struct agent *agent)
{
	return &agent->limits;
}

static uint32_t block_bytes(const struct agent *a, const void *block)
{
	return block != NULL ? pool_block_bytes(&a->pool, block) + POOL_HEADER_BYTES : 0;
}

bool agent_task_view(const struct agent *a, uint32_t slot, struct agent_task_view *out)
{
	const struct task *t;

	CHECK(slot < a->limits.tasks_max && a->tasks[slot].state != AGENT_TASK_FREE, false);
	t = &a->tasks[slot];
	*out = (struct agent_task_view){
		.id = t->id,
		.function = t->function,
		.state = (enum agent_task_state)t->state,
		.epoch = t->epoch,
		.started_ms = t->started_ms,
		.lease_end_ms = t->lease_end_ms,
		.unsure = t->unsure,
		.fuel = t->state != AGENT_TASK_RUNNING && t->instance != NULL
				? agent_fuel_used(a, t)
				: t->fuel_used,
		.pool_bytes = block_bytes(a, t->block) + block_bytes(a, t->instance_block) +
			      block_bytes(a, t->result) + block_bytes(a, t->report),
		.priority = t->priority,
		.daemon = t->daemon,
		.latent = t->latent,
		.invocation = t->invocation_id != NULL,
		.native = t->native,
	};
	return true;
}

void agent_stats(const struct agent *a, struct agent_stats *out)
{
	*out = a->stats;
	out->online = a->link == LINK_ONLINE;
	out->overhead_bytes = a->mem_bytes;
	out->pool_bytes = a->pool.bytes;
	out->pool_free_bytes = a->pool.free_bytes;
	out->pool_free_max_bytes = pool_largest(&a->pool);
	for (uint32_t i = 0; i < a->limits.tasks_max; i++) {
		out->tasks_used += a->tasks[i].state != AGENT_TASK_FREE;
	}
	for (uint32_t i = 0; i < a->limits.modules_max; i++) {
		out->modules_used += a->modules[i].state != MODULE_FREE;
	}
}

void agent_check(const struct agent *a)
{
	pool_check(&a->pool);
	agent_task_check_all(a);
	agent_module_check_all(a);
	ASSERT(a->outbox.used <= a->outbox.bytes);
	ASSERT(a->link == LINK_ONLINE || a->inflight_count == 0 || a->link == LINK_SUBSCRIBING);
}
