/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose native images this worker runs.
 *
 * In:    the settings native, trust, allow_unsigned. Out: a policy for the agent.
 * Owns:  the keys.
 */
#ifndef LINUX_TRUST_H
#define LINUX_TRUST_H

#include "port/linux/config.h"
#include "rotor/rotor.h"

enum {
	TRUST_KEYS_MAX = 16,
	TRUST_KEY_BYTES = 32,
};

struct trust {
	bool on;
	uint8_t keys[TRUST_KEYS_MAX * TRUST_KEY_BYTES];
	struct rotor_image_policy policy;
};

/* Reads the keys; false and a line in the log when one is none. */
MUST_USE int trust_read(struct trust *t, const struct config *c);
/* NULL: no native images are run. Lent as long as t is. */
const struct rotor_image_policy *trust_policy(const struct trust *t);

/* An Ed25519 check, for a policy; NULL in builds without a library that has it. trust_sodium.c or
 * trust_none.c. */
typedef bool trust_verify_fn(void *user, const uint8_t *key, const uint8_t *signature,
			     const void *bytes, size_t count);
extern trust_verify_fn *const trust_verify;

#endif
