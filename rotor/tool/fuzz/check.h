/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does with a module all that an embedder may do, and stops the program where two ways that must
 * agree do not: loaded whole or in pieces; run at once or in slices of fuel, with the instance's
 * block moved between the slices.
 */
#ifndef ROTOR_TOOL_FUZZ_CHECK_H
#define ROTOR_TOOL_FUZZ_CHECK_H

#include <stddef.h>
#include <stdint.h>

/* How one call ended. */
struct check_outcome {
	int status; /* enum rotor_status */
	int trap;   /* enum rotor_trap */
	uint32_t count;
	uint64_t bits[16]; /* results; NaN as all ones */
	uint64_t fuel;     /* used by the instance so far */
	uint64_t hash;     /* of memory and globals */
};

/* Loads in both ways. variant picks the pieces. Returns 0 if the module is refused. */
int check_load(const uint8_t *wasm, size_t bytes, unsigned variant);

/* check_load, then calls up to 16 exported functions in both ways. variant picks slices, limits. */
int check_run(const uint8_t *wasm, size_t bytes, unsigned variant);

/* Calls exported functions by name, one after the other in one instance, at once. Returns how many
 * outcomes there are; 0 if the module cannot be used. */
unsigned check_calls(const uint8_t *wasm, size_t bytes, const char *const *names, unsigned count,
		     struct check_outcome *out);

/* What gen_linked makes: instantiates each in turn, and calls into all of those that are there, in
 * both ways (linked instances cannot be moved). second: gives the modules of the second way, by
 * their number; NULL: the same. Returns 0 if a module is refused. */
struct rotor_module;
typedef const struct rotor_module *(*check_loader)(unsigned part, const uint8_t *wasm,
						   size_t bytes);
int check_linked(const uint8_t *world, size_t bytes, unsigned variant, check_loader second);

/* The same once, with room for all; tells each step as a line of v8.mjs does. */
void check_linked_print(const uint8_t *world, size_t bytes);

#endif
