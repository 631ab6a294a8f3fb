/* SPDX-License-Identifier: Apache-2.0 */
/* Lays the sections of one relocatable ELF object out as one position-independent blob. */
#ifndef ROTORC_LINK_H
#define ROTORC_LINK_H

#include <stddef.h>
#include <stdint.h>

struct rotorc_symbol {
	char *name;
	uint32_t offset; /* in the blob */
	uint32_t bytes;
};

struct rotorc_blob {
	uint8_t *bytes; /* text and read-only data */
	uint32_t size;
	struct rotorc_symbol *symbols; /* functions that the object defines, in its order */
	uint32_t symbol_count;
	uint8_t *lines; /* the DWARF line table, relocated against the blob */
	uint32_t lines_size;
};

/* Fills *out from an object. On error returns -1 with a sentence in why (cap bytes); out is then
 * empty. The caller frees with rotorc_blob_free. Every symbol must be defined in the object; a
 * relocation that would need an address known only on the device is an error. */
int rotorc_link(const uint8_t *object, size_t size, struct rotorc_blob *out, char *why, size_t cap);

void rotorc_blob_free(struct rotorc_blob *blob);

#endif
