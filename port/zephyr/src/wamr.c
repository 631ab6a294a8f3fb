/* SPDX-License-Identifier: Apache-2.0 */
/* WAMR as this firmware's engine, with a heap of its own. */
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>

#include "app.h"
#include "port/wamr/wamr.h"

LOG_MODULE_DECLARE(proplet, CONFIG_PROPLET_LOG_LEVEL);

static uint8_t heap[CONFIG_PROPLET_WAMR_HEAP_BYTES] __aligned(8);

const struct agent_engine *engine(void)
{
	if (!agent_engine_wamr_init(heap, sizeof(heap))) {
		LOG_ERR("wamr: does not start in %u bytes", (unsigned)sizeof(heap));
		k_panic();
	}
	return &agent_engine_wamr;
}
