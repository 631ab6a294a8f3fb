/* SPDX-License-Identifier: Apache-2.0 */
/* How interrupt_test.c has its modules: interpreted, or compiled for this machine. */
#ifndef TEST_ENGINE_INTERRUPT_LOAD_H
#define TEST_ENGINE_INTERRUPT_LOAD_H

#include "rotor/rotor.h"

/* Loads it into the block; a module that cannot be loaded ends the program. */
const struct rotor_module *interrupt_load(void *block, size_t block_bytes, const uint8_t *wasm,
					  size_t wasm_bytes);

#endif
