/* SPDX-License-Identifier: Apache-2.0 */
/* Flash that the processor sees at a fixed address; 0: not at all. */
#include "flashmap.h"

const void *flashmap_at(const struct flash_area *area, uint32_t offset)
{
	uintptr_t base = CONFIG_PROPLET_STORE_MAP_ADDRESS;

	return base == 0 ? NULL : (const uint8_t *)base + area->fa_off + offset;
}
