/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rotorc: compiles a WebAssembly module ahead of time into a native image for a device.
 *
 *     module bytes --validate (rotor)--> LLVM --link--> image (.raot), signed
 *
 * In:    a module; a target; a key if the image is to be signed
 * Out:   an image as rotor/image.h has it, which rotor loads
 * Not:   thread safe; LLVM may abort the process when a target's code generator is at its limits, so a service runs the
 *        program rotorc for each module.
 */
#ifndef ROTORC_ROTORC_H
#define ROTORC_ROTORC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rotorc_target;

enum rotorc_err {
	ROTORC_OK = 0,
	ROTORC_ERR_MODULE,  /* not a valid module */
	ROTORC_ERR_TARGET,  /* unknown, or not able to do what the module needs */
	ROTORC_ERR_COMPILE, /* LLVM or the linker could not */
	ROTORC_ERR_KEY,     /* not a key */
};

struct rotorc_options {
	const struct rotorc_target *target;
	const char *cpu, *features; /* NULL: the target's own */
	int level;                  /* optimisation 0..3 */
	bool small;                 /* prefer small code */
	bool no_fuel;       /* leave out metering and interrupts: only to measure what they cost */
	const uint8_t *key; /* Ed25519 secret key, 64 bytes as libsodium has it; NULL: unsigned */
	char **llvm;        /* if not NULL, takes LLVM's form as text, the caller's to free */
};

struct rotorc_image {
	uint8_t *bytes;
	size_t size;
};

/* Asks LLVM for the processor and features of the options. What it does not know it tells on stderr, and may end the
 * process: call this in one of its own. ROTORC_ERR_TARGET and a sentence in why if it lacks the target. */
enum rotorc_err rotorc_try(const struct rotorc_options *options, char *why, size_t cap);

/* Compiles. On success *out is the caller's to free; on error a sentence is in why (cap bytes). */
enum rotorc_err rotorc_compile(const uint8_t *wasm, size_t size,
			       const struct rotorc_options *options, struct rotorc_image *out,
			       char *why, size_t cap);

/* Writes what an image holds to stdout; disassembles its text too. -1 if it is no image. */
int rotorc_inspect(const uint8_t *image, size_t size, bool disassemble);

#endif
