/* SPDX-License-Identifier: Apache-2.0 */
/* The flash simulator keeps its content in memory. */
#include "flashmap.h"

#include <zephyr/drivers/flash/flash_simulator.h>

const void *flashmap_at(const struct flash_area *area, uint32_t offset)
{
	size_t bytes;
	const uint8_t *memory = flash_simulator_get_memory(area->fa_dev, &bytes);

	return memory == NULL ? NULL : memory + area->fa_off + offset;
}
