/* SPDX-License-Identifier: Apache-2.0 */
/* Ed25519 by libsodium. */
#include "port/linux/trust.h"

#include <sodium.h>

static bool verify(void *user, const uint8_t *key, const uint8_t *signature, const void *bytes,
		   size_t count)
{
	return sodium_init() >= 0 && crypto_sign_verify_detached(signature, bytes, count, key) == 0;
}

trust_verify_fn *const trust_verify = verify;
