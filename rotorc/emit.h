/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the compiler: from LLVM's form to an object file in memory. */
#ifndef ROTORC_EMIT_H
#define ROTORC_EMIT_H

#include "rotorc/gen.h"

struct emit_options {
	const char *cpu, *features; /* NULL: the target's */
	int level;                  /* 0..3 */
};

/* Optimises and compiles code. *frame_bytes_max is the largest stack frame of any function. *object is the caller's to free. -1 and a sentence in why on error. */
int emit_object(struct rotorc_code *code, const struct rotorc_target *t,
		const struct emit_options *options, uint8_t **object, size_t *size,
		uint32_t *frame_bytes_max, char *why, size_t cap);

#endif
