/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the compiler: the DWARF line table, which carries module offsets as line numbers. */
#ifndef ROTORC_LINES_H
#define ROTORC_LINES_H

#include <stddef.h>
#include <stdint.h>

struct lines_row {
	uint32_t text;   /* offset in the text of the first instruction of the row */
	uint32_t offset; /* byte offset in the module; 0: none */
};

/* Reads the table (DWARF 4) into rows sorted by text, the caller's to free. -1 if it is not understood. */
int lines_read(const uint8_t *table, size_t size, unsigned address_bytes, struct lines_row **rows,
	       uint32_t *count);

#endif
