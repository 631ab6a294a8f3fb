/* SPDX-License-Identifier: Apache-2.0 */
/* What check.c and check_link.c share. */
#ifndef ROTOR_TOOL_FUZZ_CHECK_IMPL_H
#define ROTOR_TOOL_FUZZ_CHECK_IMPL_H

#include <stdio.h>
#include <stdlib.h>

#include "rotor/rotor.h"
#include "rotor/tool/fuzz/check.h"

enum {
	CHECK_MODULE_BYTES = 1 << 20 /* of a block for a module */
};

#define AGREE(cond, what)                                                                          \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "disagreement: %s (%s:%d)\n", what, __FILE__, __LINE__);   \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

void *check_must(void *p);

const struct rotor_module *check_load_whole(void *block, const uint8_t *wasm, size_t bytes,
					    unsigned flags, struct rotor_diag *diag);

uint64_t check_hash_add(uint64_t hash, const void *bytes, size_t count);
/* Of memory and globals. */
uint64_t check_hash_state(struct rotor_instance *in);

/* The backtrace must be readable whenever the program is stopped. */
void check_look_around(struct rotor_instance *in);

#endif
