/* SPDX-License-Identifier: Apache-2.0 */
/* Where a partition's bytes can be read like memory. */
#ifndef FLASHMAP_H
#define FLASHMAP_H

#include <stdint.h>

#include <zephyr/storage/flash_map.h>

/* The byte at offset of the partition, or NULL where flash is not mapped: then it is read by the
 * driver. */
const void *flashmap_at(const struct flash_area *area, uint32_t offset);

#endif
