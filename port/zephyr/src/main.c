/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firmware's main loop: wait, step, carry out.
 *
 * In:    events (events.c)
 * Out:   actions (actions.c)
 * Owns:  the agent, its memory and the pool all tasks live in
 * Rules: 1. Only this thread calls agent_step; the shell looks inside under app_lock.
 *        2. A message is acknowledged when all that it asked for is done.
 *        3. The watchdog is fed once a turn, here and while flash is erased.
 */
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>

#include "agent/agent.h"
#include "app.h"
#include "compat.h"
#include "mqtt.h"
#include "net.h"
#include "settings.h"

LOG_MODULE_REGISTER(proplet, CONFIG_PROPLET_LOG_LEVEL);

struct agent *app_agent;
K_MUTEX_DEFINE(app_lock);

static uint8_t agent_mem[CONFIG_PROPLET_AGENT_BYTES] __aligned(8);
static uint8_t pool[CONFIG_PROPLET_POOL_BYTES] __aligned(8);
static char text[CONFIG_PROPLET_TEXT_BYTES];
static struct agent_config config;
static struct agent_actions actions = {.text = text, .text_bytes = sizeof(text)};

static const struct agent_limits limits = {
	.tasks_max = CONFIG_PROPLET_TASKS_MAX,
	.modules_max = CONFIG_PROPLET_MODULES_MAX,
	.slices_max = 1,
	.slice_fuel = CONFIG_PROPLET_SLICE_FUEL,
	.message_bytes = CONFIG_PROPLET_MESSAGE_BYTES,
	.outbox_bytes = CONFIG_PROPLET_OUTBOX_BYTES,
	.inflight_max = CONFIG_PROPLET_INFLIGHT_MAX,
	.rx_buffer_bytes = CONFIG_PROPLET_RX_BUFFER_BYTES,
	.module_bytes_max = CONFIG_PROPLET_MODULE_BYTES_MAX,
	.args_max = CONFIG_PROPLET_ARGS_MAX,
	.print_bytes = CONFIG_PROPLET_PRINT_BYTES,
	.fuel = CONFIG_PROPLET_TASK_FUEL_MILLIONS * 1000000ull,
	.time_ms = CONFIG_PROPLET_TASK_TIME_MS,
	.stack_bytes = CONFIG_PROPLET_TASK_STACK_BYTES,
	.heap_bytes = CONFIG_PROPLET_TASK_HEAP_BYTES,
	.memory_bytes = CONFIG_PROPLET_TASK_MEMORY_BYTES,
	.output_bytes = CONFIG_PROPLET_TASK_OUTPUT_BYTES,
	.memory_bytes_max = CONFIG_PROPLET_TASK_MEMORY_BYTES_MAX,
	.output_bytes_max = CONFIG_PROPLET_TASK_OUTPUT_BYTES_MAX,
};

static void agent_start(void)
{
	size_t needed = agent_mem_bytes(&limits);
	enum agent_err err = agent_init(&app_agent, &config, &limits, engine(), agent_mem,
					sizeof(agent_mem), pool, sizeof(pool));

	if (err == AGENT_ERR_MEMORY) {
		LOG_ERR("CONFIG_PROPLET_AGENT_BYTES is %u, these limits need %u",
			(unsigned)sizeof(agent_mem), (unsigned)needed);
	}
	__ASSERT_NO_MSG(err == AGENT_OK);
	if (err != AGENT_OK) {
		k_panic();
	}
	LOG_INF("agent: %u of %u bytes, pool %u bytes", (unsigned)needed,
		(unsigned)sizeof(agent_mem), (unsigned)sizeof(pool));
}

static void start(void)
{
	panic_init();
	(void)settings_init();
	config.flash_bytes = store_init();
	config.store = config.flash_bytes != 0;
	net_start();
	mqtt_start();
	while (!node_configure(&config)) {
		k_sleep(K_SECONDS(1));
	}
	agent_start();
	events_start();
	watchdog_start();
}

static void step(const struct agent_event *event)
{
	k_mutex_lock(&app_lock, K_FOREVER);
	agent_step(app_agent, event, &actions);
	k_mutex_unlock(&app_lock);
	actions_do(&actions);
	mqtt_handled();
}

int main(void)
{
	struct agent_event event = {.kind = AGENT_EVENT_TICK};

	start();
	for (;;) {
		step(&event);
		watchdog_feed();
		k_yield(); /* the shell and the log have the same priority */
		node_refresh();
		panic_report(&config);
		events_next(&event, actions.wake_ms);
	}
	return 0;
}
