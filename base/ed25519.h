/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checking Ed25519 signatures (RFC 8032, 5.1.7), for devices that have no library for it.
 *
 * Not: making keys or signatures. Its time depends on what is checked, none of which is secret.
 */
#ifndef BASE_ED25519_H
#define BASE_ED25519_H

#include "base/base.h"

/* True if signature (64 bytes) is the one of key (32 bytes) over the bytes. Keys and numbers that are
 * not in their one proper form are refused. About 4000 multiplications of 256 bits, and SHA-512. */
bool ed25519_verify(const uint8_t *key, const uint8_t *signature, const void *data, size_t bytes);

#endif
