/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watchdog: the hardware's, devicetree alias watchdog0, or a timer where there is none.
 *
 * Rules: 1. The main loop alone feeds it.
 *        2. Where the hardware warns before it resets, the warning keeps what the main loop was at
 *           and resets at once; if even that hangs, the hardware resets by itself.
 */
#include <zephyr/drivers/watchdog.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>

#include "app.h"
#include "compat.h"

LOG_MODULE_DECLARE(proplet, CONFIG_PROPLET_LOG_LEVEL);

#if defined(CONFIG_WATCHDOG)
static const struct device *const watchdog = DEVICE_DT_GET_OR_NULL(DT_ALIAS(watchdog0));
#else
static const struct device *const watchdog;
#endif
static int channel = -1;
static bool by_timer;

static void timer_ended(struct k_timer *timer)
{
	panic_watchdog();
}

static K_TIMER_DEFINE(timer, timer_ended, NULL);

static void warned(const struct device *dev, int id)
{
	panic_watchdog();
}

/* A driver that cannot warn is asked for no warning. */
static int install(void)
{
	struct wdt_timeout_cfg config = {
		.window = {.max = COMPAT_WDT_WINDOW(CONFIG_PROPLET_WATCHDOG_MS)},
		.callback = warned,
		.flags = WDT_FLAG_RESET_SOC,
	};
	int id = wdt_install_timeout(watchdog, &config);

	if (id < 0) {
		config.callback = NULL;
		id = wdt_install_timeout(watchdog, &config);
	}
	return id;
}

void watchdog_start(void)
{
	if (watchdog != NULL && device_is_ready(watchdog)) {
		channel = install();
	}
	if (channel < 0 || wdt_setup(watchdog, WDT_OPT_PAUSE_HALTED_BY_DBG) != 0) {
		LOG_WRN("watchdog: none in the hardware, a timer stands for it");
		channel = -1;
		by_timer = true;
	}
	watchdog_feed();
}

void watchdog_feed(void)
{
	if (by_timer) {
		k_timer_start(&timer, K_MSEC(CONFIG_PROPLET_WATCHDOG_MS), K_NO_WAIT);
	} else if (channel >= 0) {
		(void)wdt_feed(watchdog, channel);
	}
}
