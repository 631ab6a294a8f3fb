/* SPDX-License-Identifier: Apache-2.0 */
/* The hardware watchdog of the devicetree alias watchdog0, fed by the main loop alone. */
#include <zephyr/drivers/watchdog.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>

#include "app.h"

LOG_MODULE_DECLARE(proplet);

static const struct device *const watchdog = DEVICE_DT_GET_OR_NULL(DT_ALIAS(watchdog0));
static int channel = -1;

void watchdog_start(void)
{
	struct wdt_timeout_cfg config = {.window = {.max = CONFIG_PROPLET_WATCHDOG_MS},
					 .flags = WDT_FLAG_RESET_SOC};

	if (watchdog == NULL || !device_is_ready(watchdog)) {
		LOG_WRN("watchdog: this board has none");
		return;
	}
	channel = wdt_install_timeout(watchdog, &config);
	if (channel < 0 || wdt_setup(watchdog, WDT_OPT_PAUSE_HALTED_BY_DBG) != 0) {
		LOG_ERR("watchdog: cannot be set up");
		channel = -1;
	}
}

void watchdog_feed(void)
{
	if (channel >= 0) {
		(void)wdt_feed(watchdog, channel);
	}
}
