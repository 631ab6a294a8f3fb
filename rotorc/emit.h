/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the compiler: from LLVM's form to an object file in memory. */
#ifndef ROTORC_EMIT_H
#define ROTORC_EMIT_H

#include "rotorc/gen.h"

struct emit_options {
	const char *cpu, *features; /* NULL: the target's */
	int level;                  /* 0..3 */
};

/* Optimises and compiles code. frames takes the bytes of the stack frame of each of func_count functions, and in one more
 * place that of the largest other frame; it holds zeros before. *object is the caller's to free. -1 and a sentence in why
 * on error. */
int emit_object(struct rotorc_code *code, const struct rotorc_target *t,
		const struct emit_options *options, uint8_t **object, size_t *size,
		uint32_t *frames, uint32_t func_count, char *why, size_t cap);

/* Does LLVM have the target? It says on stderr which processor or feature of the options it does not know, and ends the
 * process where it cannot go on without it. -1 and a sentence in why if it lacks the target. */
int emit_try(const struct rotorc_target *t, const struct emit_options *options, char *why,
	     size_t cap);

#endif
