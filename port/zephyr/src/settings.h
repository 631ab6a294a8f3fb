/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings, journal and tasks' key-value pairs in one flash partition (NVS): durable when a call
 * returns, the old value or the new one after a power cut.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum settings_key {
#define S(name, word, id, bytes_max, secret, fallback, help) SETTINGS_##name,
#include "settings_list.h"
#undef S
	SETTINGS_COUNT
};

struct settings_row {
	const char *word, *fallback, *help;
	uint16_t id, bytes_max;
	bool secret;
};
extern const struct settings_row settings_rows[SETTINGS_COUNT];

/* Mounts the partition; one that holds nothing readable is formatted. Negative errno: without
 * storage the fallbacks are used and nothing is kept. */
int settings_init(void);

/* The setting's text, its fallback if it was never set, ended by 0. Returns its length; a text that
 * does not fit out is cut. */
size_t settings_get(enum settings_key key, char *out, size_t cap);
/* The same as a number; 0 if it is none. */
uint32_t settings_number(enum settings_key key);
/* Keeps text; "" goes back to the fallback. -ENAMETOOLONG, -ENODEV, or the flash driver's error. */
int settings_set(enum settings_key key, const char *text);
/* The key of that word; SETTINGS_COUNT if there is none. */
enum settings_key settings_find(const char *word);
/* Forgets everything: settings, journal, key-value pairs. */
int settings_erase(void);

/* Journal records, by the agent's small keys. get returns the record's length, 0 if there is none. */
int settings_journal_put(uint16_t key, const void *record, size_t bytes);
int settings_journal_delete(uint16_t key);
int settings_journal_get(uint16_t key, void *out, size_t cap);
/* Keys are below this. */
#define SETTINGS_JOURNAL_KEYS 512

/* Key-value pairs of tasks; scope is the task's name. get returns the length or -ENOENT, put
 * -ENOSPC when all entries are used, -EMSGSIZE when it is too long. */
int settings_kv_get(const char *scope, const char *key, void *out, size_t cap);
int settings_kv_put(const char *scope, const char *key, const void *value, size_t bytes);
int settings_kv_delete(const char *scope, const char *key);

/* Bytes free in the partition; negative errno. */
int settings_free_bytes(void);

#endif
