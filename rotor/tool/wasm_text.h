/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions of valid WebAssembly as text, for people. */
#ifndef ROTOR_TOOL_WASM_TEXT_H
#define ROTOR_TOOL_WASM_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Writes the instruction at bytes, of a valid module, into text, ended by 0 and cut if need be.
 * Returns its length in bytes; 0 if it is not known. */
size_t wasm_instr_text(char *text, size_t cap, const uint8_t *bytes, size_t left);

#endif
