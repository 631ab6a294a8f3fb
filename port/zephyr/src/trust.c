/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose native images this worker runs: the setting trust, public keys of 64 hexadecimal digits.
 *
 * Rules: 1. A key that is none is left out, with a line in the log: what nobody has read right is not
 *           trusted.
 *        2. Images are executed where the store has them, if the processor can reach it there.
 */
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/sys/util.h>

#include "app.h"
#include "base/ed25519.h"
#include "settings.h"

LOG_MODULE_DECLARE(proplet, CONFIG_PROPLET_LOG_LEVEL);

enum {
	KEY_BYTES = 32,
	KEYS_MAX = 2, /* the setting holds no more */
};

static uint8_t keys[KEYS_MAX * KEY_BYTES];
static struct rotor_image_policy policy;

static bool verify(void *user, const uint8_t *key, const uint8_t *signature, const void *bytes,
		   size_t count)
{
	bool ok;

	watchdog_feed();
	ok = ed25519_verify(key, signature, bytes, count);
	watchdog_feed();
	return ok;
}

static void read_keys(void)
{
	char text[KEYS_MAX * (2 * KEY_BYTES + 1) + 1];
	const char *at = text;

	settings_get(SETTINGS_TRUST, text, sizeof(text));
	while (*at != 0 && policy.key_count < KEYS_MAX) {
		size_t digits = strcspn(at, ",");

		if (digits == 2 * KEY_BYTES &&
		    hex2bin(at, digits, keys + policy.key_count * KEY_BYTES, KEY_BYTES) ==
			    KEY_BYTES) {
			policy.key_count++;
		} else {
			LOG_WRN("trust: a key has 64 hexadecimal digits, this one is left out");
		}
		at += digits + (at[digits] == ',');
	}
}

const struct rotor_image_policy *trust_policy(void)
{
	policy = (struct rotor_image_policy){
		.keys = keys,
		.allow_unsigned = IS_ENABLED(CONFIG_PROPLET_NATIVE_UNSIGNED),
		.verify = verify,
	};
	read_keys();
	return &policy;
}
