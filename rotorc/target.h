/* SPDX-License-Identifier: Apache-2.0 */
/* The processors that rotorc compiles for. */
#ifndef ROTORC_TARGET_H
#define ROTORC_TARGET_H

#include <stdbool.h>
#include <stdint.h>

struct rotorc_target {
	const char *name;
	uint16_t id; /* in the image */
	const char *triple, *cpu, *features;
	const char *tune; /* whose speeds count unless the caller names a cpu; NULL: cpu's */
	const char *
		always; /* features put behind those asked for: what the engine's switch of stacks takes for granted */
	uint8_t pointer_bits;
	bool f32_unit, f64_unit;    /* instructions for arithmetic */
	bool f32_round, f64_round;  /* instructions for ceil, floor, trunc, nearest */
	bool f32_sqrt_div;          /* instructions for square root and division */
	const char *float_register; /* the letter that inline assembly has for them, where there is
				       a unit; r: none, they go in as their bits */
	bool i64_native;            /* 64-bit division and shifts need no helper */
	uint8_t tail_words; /* registers for arguments that are no floats, where LLVM promises tail calls; 0: nowhere */
	uint8_t keeps;        /* LLVM's number of the convention that keeps registers; 0 none */
	uint8_t keeps_other;  /* the same where another processor or features were asked for */
	uint8_t result_words; /* registers for results */
	bool tiny_code;       /* the code model that reaches data relative to the program counter */
	bool by_assembly;     /* objects are made from assembly text */
	bool thumb;
};

/* The target of that name; NULL if there is none. */
const struct rotorc_target *rotorc_target_find(const char *name);
/* The target with that id; NULL if there is none. */
const struct rotorc_target *rotorc_target_by_id(uint16_t id);
/* Target i, for listing; NULL at the end. */
const struct rotorc_target *rotorc_target_at(unsigned i);
/* The name of the target that this program itself runs on, or NULL. */
const char *rotorc_target_host(void);

#endif
