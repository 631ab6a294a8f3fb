/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings, journal and key-value pairs over Zephyr's NVS.
 *
 * In:    texts of the shell, records of the agent, values of tasks
 * Out:   the same after a restart
 * Owns:  the partition that the devicetree chooses as proplet,settings
 * Rules: 1. NVS ids: 1.. settings (settings_list.h), 0x200.. journal, 0x400.. key-value pairs.
 *        2. A key-value entry is scope, 0, key, 0, value; an entry is looked for by reading them all.
 * Bounds: a look-up of a pair reads CONFIG_PROPLET_KV_ENTRIES entries at most.
 */
#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include <zephyr/drivers/flash.h>
#include <zephyr/fs/nvs.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/storage/flash_map.h>
#include <zephyr/sys/util.h>

LOG_MODULE_DECLARE(proplet, CONFIG_PROPLET_LOG_LEVEL);

#define PARTITION_ID DT_FIXED_PARTITION_ID(DT_CHOSEN(proplet_settings))
#define ID_JOURNAL   0x200
#define ID_KV        0x400
#define SECTOR_BYTES 4096
#define SECTORS_MAX  16

const struct settings_row settings_rows[SETTINGS_COUNT] = {
#define S(name, word_, id_, bytes_max_, secret_, fallback_, help_)                                 \
	[SETTINGS_##name] = {.word = word_,                                                        \
			     .fallback = fallback_,                                                \
			     .help = help_,                                                        \
			     .id = id_,                                                            \
			     .bytes_max = bytes_max_,                                              \
			     .secret = secret_},
#include "settings_list.h"
#undef S
};

static struct nvs_fs nvs;
static bool mounted;
static K_MUTEX_DEFINE(lock);
static uint8_t kv_entry[CONFIG_PROPLET_KV_BYTES];

static int mount(const struct flash_area *area)
{
	nvs.flash_device = area->fa_dev;
	nvs.offset = area->fa_off;
	nvs.sector_size = SECTOR_BYTES;
	nvs.sector_count = MIN(area->fa_size / SECTOR_BYTES, SECTORS_MAX);
	return nvs_mount(&nvs);
}

int settings_init(void)
{
	const struct flash_area *area;
	int err = flash_area_open(PARTITION_ID, &area);

	if (err == 0) {
		err = mount(area);
		if (err != 0) {
			LOG_WRN("settings: nothing readable in flash (%d), formatting", err);
			err = flash_area_erase(area, 0, area->fa_size);
			err = err != 0 ? err : mount(area);
		}
		flash_area_close(area);
	}
	mounted = err == 0;
	if (err != 0) {
		LOG_ERR("settings: no storage (%d); nothing will be kept", err);
	}
	return err;
}

size_t settings_get(enum settings_key key, char *out, size_t cap)
{
	const struct settings_row *row = &settings_rows[key];
	ssize_t bytes = mounted ? nvs_read(&nvs, row->id, out, cap - 1) : -ENODEV;

	if (bytes <= 0) {
		strncpy(out, row->fallback, cap - 1);
		out[cap - 1] = 0;
		return strlen(out);
	}
	bytes = MIN((size_t)bytes, cap - 1);
	out[bytes] = 0;
	return strlen(out);
}

uint32_t settings_number(enum settings_key key)
{
	char text[12];

	settings_get(key, text, sizeof(text));
	return strtoul(text, NULL, 10);
}

int settings_set(enum settings_key key, const char *text)
{
	const struct settings_row *row = &settings_rows[key];
	size_t bytes = strlen(text);

	if (!mounted) {
		return -ENODEV;
	}
	if (bytes > row->bytes_max) {
		return -ENAMETOOLONG;
	}
	ssize_t done =
		bytes == 0 ? nvs_delete(&nvs, row->id) : nvs_write(&nvs, row->id, text, bytes);
	return done < 0 ? (int)done : 0;
}

enum settings_key settings_find(const char *word)
{
	for (int i = 0; i < SETTINGS_COUNT; i++) {
		if (strcmp(settings_rows[i].word, word) == 0) {
			return i;
		}
	}
	return SETTINGS_COUNT;
}

int settings_erase(void)
{
	int err = mounted ? nvs_clear(&nvs) : -ENODEV;

	return err != 0 ? err : settings_init();
}

/* ---- journal ---------------------------------------------------------------------------------*/

int settings_journal_put(uint16_t key, const void *record, size_t bytes)
{
	if (!mounted || key >= SETTINGS_JOURNAL_KEYS) {
		return -ENODEV;
	}
	ssize_t done = nvs_write(&nvs, ID_JOURNAL + key, record, bytes);

	return done < 0 ? (int)done : 0;
}

int settings_journal_delete(uint16_t key)
{
	return mounted ? nvs_delete(&nvs, ID_JOURNAL + key) : -ENODEV;
}

int settings_journal_get(uint16_t key, void *out, size_t cap)
{
	ssize_t bytes = mounted ? nvs_read(&nvs, ID_JOURNAL + key, out, cap) : 0;

	return bytes > 0 && (size_t)bytes <= cap ? (int)bytes : 0;
}

/* ---- key-value pairs -------------------------------------------------------------------------*/

/* Writes "scope 0 key 0" into kv_entry; its length, or 0 if it does not fit. */
static size_t kv_head(const char *scope, const char *key, uint8_t *out, size_t cap)
{
	size_t scope_bytes = strlen(scope) + 1, key_bytes = strlen(key) + 1;

	if (scope_bytes + key_bytes > cap) {
		return 0;
	}
	memcpy(out, scope, scope_bytes);
	memcpy(out + scope_bytes, key, key_bytes);
	return scope_bytes + key_bytes;
}

/* The entry of that head, its bytes in kv_entry and its length in *bytes; -ENOENT with the first
 * free entry in *unused (or -1). */
static int kv_find(const uint8_t *head, size_t head_bytes, size_t *bytes, int *unused)
{
	*unused = -1;
	for (int i = 0; i < CONFIG_PROPLET_KV_ENTRIES; i++) {
		ssize_t n = nvs_read(&nvs, ID_KV + i, kv_entry, sizeof(kv_entry));

		if (n <= 0) {
			*unused = *unused < 0 ? i : *unused;
		} else if ((size_t)n >= head_bytes && memcmp(kv_entry, head, head_bytes) == 0) {
			*bytes = n;
			return i;
		}
	}
	return -ENOENT;
}

static int kv_get(const char *scope, const char *key, void *out, size_t cap)
{
	uint8_t head[CONFIG_PROPLET_KV_BYTES];
	size_t head_bytes = kv_head(scope, key, head, sizeof(head)), bytes = 0;
	int unused, at = head_bytes == 0 ? -ENOENT : kv_find(head, head_bytes, &bytes, &unused);

	if (at < 0) {
		return at;
	}
	bytes -= head_bytes;
	memcpy(out, kv_entry + head_bytes, MIN(bytes, cap));
	return bytes;
}

static int kv_put(const char *scope, const char *key, const void *value, size_t bytes)
{
	uint8_t head[CONFIG_PROPLET_KV_BYTES];
	size_t head_bytes = kv_head(scope, key, head, sizeof(head)), old_bytes;
	int unused;

	if (head_bytes == 0 || bytes > sizeof(kv_entry) - head_bytes) {
		return -EMSGSIZE;
	}
	int at = kv_find(head, head_bytes, &old_bytes, &unused);
	at = at >= 0 ? at : unused;
	if (at < 0) {
		return -ENOSPC;
	}
	memcpy(kv_entry, head, head_bytes);
	memcpy(kv_entry + head_bytes, value, bytes);
	ssize_t done = nvs_write(&nvs, ID_KV + at, kv_entry, head_bytes + bytes);
	return done < 0 ? (int)done : 0;
}

int settings_kv_get(const char *scope, const char *key, void *out, size_t cap)
{
	k_mutex_lock(&lock, K_FOREVER);
	int n = mounted ? kv_get(scope, key, out, cap) : -ENODEV;

	k_mutex_unlock(&lock);
	return n;
}

int settings_kv_put(const char *scope, const char *key, const void *value, size_t bytes)
{
	k_mutex_lock(&lock, K_FOREVER);
	int err = mounted ? kv_put(scope, key, value, bytes) : -ENODEV;

	k_mutex_unlock(&lock);
	return err;
}

int settings_kv_delete(const char *scope, const char *key)
{
	uint8_t head[CONFIG_PROPLET_KV_BYTES];
	size_t head_bytes = kv_head(scope, key, head, sizeof(head)), bytes;
	int unused;

	k_mutex_lock(&lock, K_FOREVER);
	int at = !mounted || head_bytes == 0 ? -ENOENT : kv_find(head, head_bytes, &bytes, &unused);
	int err = at < 0 ? at : nvs_delete(&nvs, ID_KV + at);

	k_mutex_unlock(&lock);
	return err;
}

int settings_free_bytes(void)
{
	return mounted ? (int)nvs_calc_free_space(&nvs) : -ENODEV;
}
