/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random valid modules, from choices that are bytes of any content.
 *
 * Rules: 1. Every module is valid, ends (a counter in global 0 runs out at loops and calls) and
 *           does the same on every correct engine: where the bits of a NaN would be seen, they are
 *           made those of the canonical one.
 *        2. Used-up choices read as 0, which chooses the shortest way on.
 */
#ifndef ROTOR_TOOL_FUZZ_GEN_H
#define ROTOR_TOOL_FUZZ_GEN_H

#include <stddef.h>
#include <stdint.h>

/* Makes a module of the choices. It exports run () -> (i32, i64, f32, f64), hash () -> i64 (of its
 * memory and globals), and memory. Returns its length; 0 if out is too small. */
size_t gen_module(const uint8_t *choices, size_t count, uint8_t *out, size_t cap);

/* Makes two or three modules that are linked: each a length of 4 bytes, then the module. They are
 * instantiated in turn as "b", "a" and "c", and import from those before, and from "env" the
 * functions of check_link.c. Each exports run and hash as above, and for the others' imports "t" (the
 * table), "memory", "g0"... and "w0"... (functions by their number in the world). Now and then one cannot be
 * instantiated. Returns the length of all; 0 if out is too small. */
size_t gen_linked(const uint8_t *choices, size_t count, uint8_t *out, size_t cap);

#endif
