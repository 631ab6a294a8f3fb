/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's module store: its slots on one side, extents of flashlog on the other.
 *
 * In:    STORE_* actions
 * Out:   answers, with the bytes where they lie if flash is mapped into memory
 * Owns:  the partition that the devicetree chooses as proplet,modules
 * Rules: 1. A module is checked against its digest the first time it is opened after a start.
 *        2. An extent bound to a slot has a user, so it is not evicted.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <zephyr/device.h>
#include <zephyr/drivers/flash.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/storage/flash_map.h>

#include "app.h"
#include "flashlog.h"
#include "flashmap.h"

LOG_MODULE_DECLARE(proplet, CONFIG_PROPLET_LOG_LEVEL);

static const struct flash_area *area;
static struct flashlog modules;
static struct flashlog_extent extents[CONFIG_PROPLET_STORE_MODULES_MAX];
static bool mounted;
static struct flashlog_extent *bound[CONFIG_PROPLET_MODULES_MAX];
static uint64_t checked; /* bit per extent: its digest was checked since the start */
static uint8_t piece[AGENT_PIECE_BYTES_MAX];

BUILD_ASSERT(CONFIG_PROPLET_STORE_MODULES_MAX <= 64);

static int part_read(void *user, uint32_t at, void *out, uint32_t bytes)
{
	return flash_area_read(area, at, out, bytes);
}

static int part_write(void *user, uint32_t at, const void *data, uint32_t bytes)
{
	return flash_area_write(area, at, data, bytes);
}

static int part_erase(void *user, uint32_t at)
{
	watchdog_feed();
	return flash_area_erase(area, at, modules.flash.sector_bytes);
}

static uint32_t sector_bytes(void)
{
	struct flash_pages_info page;

	return flash_get_page_info_by_offs(area->fa_dev, area->fa_off, &page) == 0 ? page.size : 0;
}

uint32_t store_init(void)
{
	struct flashlog_flash flash = {.read = part_read, .write = part_write, .erase = part_erase};
	enum flashlog_err err;

	if (flash_area_open(DT_FIXED_PARTITION_ID(DT_CHOSEN(proplet_modules)), &area) != 0) {
		LOG_ERR("store: the partition cannot be opened");
		return 0;
	}
	flash.bytes = area->fa_size;
	flash.unit_bytes = flash_area_align(area);
	flash.erased = flash_area_erased_val(area);
	flash.sector_bytes = sector_bytes();
	while (flash.sector_bytes != 0 && flash.sector_bytes <= 2 * FLASHLOG_HEADER_BYTES) {
		flash.sector_bytes *= 2; /* small pages are taken together */
	}
	if (flash.sector_bytes == 0 || flash.unit_bytes > FLASHLOG_UNIT_BYTES_MAX) {
		LOG_ERR("store: flash of this kind cannot be used");
		return 0;
	}
	err = flashlog_mount(&modules, &flash, extents, ARRAY_SIZE(extents));
	mounted = err == FLASHLOG_OK;
	LOG_INF("store: %s, room for a module of %u bytes, %u sectors repaired",
		flashlog_err_text(err), mounted ? flashlog_room(&modules) : 0, modules.repaired);
	return mounted ? area->fa_size : 0;
}

/* ---- answers -----------------------------------------------------------------------------------*/

static bool answer_failed(struct agent_event *out, const char *why)
{
	out->store.state = AGENT_STORE_FAILED;
	out->store.text = why;
	LOG_WRN("store: %s", why);
	return true;
}

static bool answer(struct agent_event *out, enum flashlog_err err)
{
	return err != FLASHLOG_OK && answer_failed(out, flashlog_err_text(err));
}

static bool answer_complete(struct agent_event *out, const struct flashlog_extent *extent)
{
	out->store.state = AGENT_STORE_COMPLETE;
	out->store.bytes = extent->bytes;
	out->store.mapped = flashmap_at(area, flashlog_at(&modules, extent));
	return true;
}

static bool answer_partial(struct agent_event *out, const struct flashlog_extent *extent)
{
	out->store.state = AGENT_STORE_PARTIAL;
	out->store.offset = extent->written;
	return true;
}

/* ---- actions -----------------------------------------------------------------------------------*/

static void unbind(uint16_t slot)
{
	if (bound[slot] != NULL) {
		flashlog_release(&modules, bound[slot]);
		bound[slot] = NULL;
	}
}

static enum flashlog_err check_once(struct flashlog_extent *extent)
{
	uint64_t bit = 1ull << (extent - extents);
	enum flashlog_err err = checked & bit ? FLASHLOG_OK : flashlog_verify(&modules, extent);

	checked |= err == FLASHLOG_OK ? bit : 0;
	return err;
}

/* Binds the slot to the unfinished extent of that digest, ready to go on; NULL if there is none. */
static struct flashlog_extent *resume(uint16_t slot, struct flashlog_extent *extent)
{
	uint32_t from;

	if (extent == NULL || extent->state != FLASHLOG_PARTIAL || extent->users != 0 ||
	    flashlog_resume(&modules, extent, &from) != FLASHLOG_OK) {
		return NULL;
	}
	bound[slot] = extent;
	return extent;
}

static bool open_do(const struct agent_action *action, struct agent_event *out)
{
	struct flashlog_extent *extent = flashlog_find(&modules, action->store.digest);
	uint16_t slot = action->store.module;

	unbind(slot);
	out->store.state = AGENT_STORE_ABSENT;
	if (extent == NULL) {
		return true;
	}
	if (extent->state == FLASHLOG_PARTIAL) {
		extent = resume(slot, extent);
		return extent == NULL || answer_partial(out, extent);
	}
	if (check_once(extent) != FLASHLOG_OK) {
		LOG_ERR("store: a module in flash has changed, it is dropped");
		if (extent->users == 0) {
			(void)flashlog_drop(&modules, extent);
		}
		return true;
	}
	flashlog_use(&modules, extent);
	bound[slot] = extent;
	return answer_complete(out, extent);
}

static bool begin_do(const struct agent_action *action, struct agent_event *out)
{
	static const uint8_t none[AGENT_DIGEST_BYTES];
	uint16_t slot = action->store.module;
	const uint8_t *digest = action->store.digest;
	struct flashlog_extent *extent = bound[slot];

	if (digest == NULL || memcmp(digest, none, sizeof(none)) == 0) {
		digest = NULL;
	}
	if (extent != NULL && digest != NULL && extent->state == FLASHLOG_PARTIAL &&
	    memcmp(extent->digest, digest, sizeof(none)) == 0) {
		return answer_partial(out, extent);
	}
	unbind(slot);
	if (digest != NULL) {
		extent = resume(slot, flashlog_find(&modules, digest));
		if (extent != NULL && extent->bytes == action->store.size) {
			return answer_partial(out, extent);
		}
		if (extent != NULL) {
			(void)flashlog_drop(&modules, extent);
			bound[slot] = NULL;
		}
	}
	enum flashlog_err err = flashlog_begin(&modules, action->store.size != 0 ? digest : NULL,
					       action->store.size, &extent);
	if (err == FLASHLOG_OK) {
		bound[slot] = extent;
		checked &= ~(1ull << (extent - extents));
		return answer_partial(out, extent);
	}
	return answer(out, err);
}

static bool write_do(const struct agent_action *action, struct agent_event *out)
{
	struct flashlog_extent *extent = bound[action->store.module];

	return answer(out, extent == NULL ? FLASHLOG_ERR_ORDER
					  : flashlog_write(&modules, extent, action->store.offset,
							   action->store.data, action->store.size));
}

static bool commit_do(const struct agent_action *action, struct agent_event *out)
{
	uint16_t slot = action->store.module;
	struct flashlog_extent *extent = bound[slot];
	enum flashlog_err err = FLASHLOG_ERR_ORDER;

	if (extent != NULL) {
		err = flashlog_commit(&modules, extent, action->store.digest, action->store.size);
	}
	if (err != FLASHLOG_OK) {
		bound[slot] = err == FLASHLOG_ERR_DIGEST ? NULL : extent;
		return answer(out, err);
	}
	checked |= 1ull << (extent - extents);
	return answer_complete(out, extent);
}

static bool drop_do(const struct agent_action *action)
{
	uint16_t slot = action->store.module;
	struct flashlog_extent *extent = bound[slot];

	unbind(slot);
	if (extent != NULL && extent->users == 0 && extent->state == FLASHLOG_PARTIAL &&
	    (!action->store.keep || extent->bytes == 0)) {
		(void)flashlog_drop(&modules, extent);
	}
	return false;
}

/* The bytes are fetched when the answer's turn comes: store_load. */
static bool read_do(const struct agent_action *action, struct agent_event *out)
{
	const struct flashlog_extent *extent = bound[action->store.module];

	if (extent == NULL || action->store.offset > extent->bytes) {
		return answer_failed(out, "nothing to read there");
	}
	out->kind = AGENT_EVENT_STORE_DATA;
	out->store.offset = action->store.offset;
	out->store.bytes =
		MIN(MIN(action->store.size, sizeof(piece)), extent->bytes - action->store.offset);
	return true;
}

void store_load(struct agent_event *event)
{
	const struct flashlog_extent *extent = bound[event->store.module];

	event->store.piece = piece;
	if (extent == NULL || part_read(NULL, flashlog_at(&modules, extent) + event->store.offset,
					piece, event->store.bytes) != 0) {
		event->kind = AGENT_EVENT_STORE;
		(void)answer_failed(event, "the flash cannot be read");
	}
}

bool store_do(const struct agent_action *action, struct agent_event *out)
{
	out->kind = AGENT_EVENT_STORE;
	out->store.module = action->store.module;
	if (!mounted || action->store.module >= ARRAY_SIZE(bound)) {
		return answer_failed(out, "there is no store");
	}
	switch (action->kind) {
	case AGENT_ACTION_STORE_OPEN:
		return open_do(action, out);
	case AGENT_ACTION_STORE_BEGIN:
		return begin_do(action, out);
	case AGENT_ACTION_STORE_WRITE:
		return write_do(action, out);
	case AGENT_ACTION_STORE_COMMIT:
		return commit_do(action, out);
	case AGENT_ACTION_STORE_READ:
		return read_do(action, out);
	case AGENT_ACTION_STORE_CLOSE:
		unbind(action->store.module);
		return false;
	default:
		return drop_do(action);
	}
}
