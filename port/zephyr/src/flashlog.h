/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flashlog: modules in a flash partition, found by their SHA-256, whole or half written.
 *
 * In:    bytes of modules in order; a table of three flash functions. No Zephyr, no malloc.
 * Out:   extents of neighbouring sectors, so that a module can be used where it lies.
 * Owns:  the partition.
 * States of an extent:
 *        free --begin--> partial --commit--> complete --evict--> (marked dead) --> free
 *                          |  power cut: partial, resumed at the last whole sector group
 *                          +--drop--> (marked dead) --> free
 * Rules: 1. Sectors outside an extent are erased; flashlog_mount makes it so after a power cut.
 *        2. Nothing is written twice without an erase between, as flash with ECC asks.
 *        3. An extent is marked dead before its first sector is erased, and its header's sector is
 *           erased last: a cut in between is finished at the next mount.
 *        4. A complete extent's digest was checked when it was committed; flashlog_verify does it
 *           again.
 * Bounds: mount reads the whole partition once; begin writes one header; write erases nothing.
 */
#ifndef FLASHLOG_H
#define FLASHLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FLASHLOG_DIGEST_BYTES = 32,
	FLASHLOG_HEADER_BYTES = 1024, /* before a module's bytes, in the extent's first sector */
	FLASHLOG_UNIT_BYTES_MAX = 32, /* largest unit of writing */
};

enum flashlog_err {
	FLASHLOG_OK = 0,
	FLASHLOG_ERR_IO,     /* the flash refused or did not keep what was written */
	FLASHLOG_ERR_ROOM,   /* no neighbouring free sectors for it */
	FLASHLOG_ERR_FULL,   /* all of the caller's extents are used */
	FLASHLOG_ERR_ORDER,  /* not the next byte, more than announced, or not all of it */
	FLASHLOG_ERR_DIGEST, /* the bytes are not those of the digest */
};

/* The flash: offsets from the partition's beginning; 0 is success. read any bytes, write whole units,
 * erase one sector. */
struct flashlog_flash {
	int (*read)(void *user, uint32_t at, void *out, uint32_t bytes);
	int (*write)(void *user, uint32_t at, const void *data, uint32_t bytes);
	int (*erase)(void *user, uint32_t at);
	void *user;
	uint32_t bytes, sector_bytes; /* sector_bytes at least FLASHLOG_HEADER_BYTES */
	uint32_t unit_bytes;          /* 1, 2, 4, 8, 16 or 32 */
	uint8_t erased;               /* value of an erased byte */
};

enum flashlog_state {
	FLASHLOG_FREE,
	FLASHLOG_PARTIAL,
	FLASHLOG_COMPLETE
};

struct flashlog_extent {
	uint32_t sector, sectors; /* where it lies */
	uint32_t bytes;           /* of the module; PARTIAL with unknown length: 0 */
	uint32_t written;         /* PARTIAL: bytes handed to write */
	uint32_t order;           /* grows with every use: the smallest is evicted first */
	uint8_t digest[FLASHLOG_DIGEST_BYTES];
	uint8_t state; /* enum flashlog_state */
	uint8_t users; /* not evicted while above 0 */
	uint8_t tail_bytes;
	uint8_t tail[FLASHLOG_UNIT_BYTES_MAX]; /* of the unit not yet whole */
};

struct flashlog {
	struct flashlog_flash flash;
	uint32_t order;
	uint32_t extents_max;
	uint32_t repaired; /* sectors that mount erased */
	struct flashlog_extent *extents;
};

/* Reads the partition and finishes what a power cut left undone. The log keeps extents, extents_max
 * of them: as many modules as it can hold. */
enum flashlog_err flashlog_mount(struct flashlog *log, const struct flashlog_flash *flash,
				 struct flashlog_extent *extents, uint32_t extents_max);

/* The extent of that digest, or NULL. */
struct flashlog_extent *flashlog_find(struct flashlog *log, const uint8_t *digest);

/* Makes room for a module and writes its header; modules that nobody uses are evicted, the one
 * longest unused first. bytes 0 with digest NULL: both are told at commit; it gets the largest
 * free run. *out is PARTIAL with one user. */
enum flashlog_err flashlog_begin(struct flashlog *log, const uint8_t *digest, uint32_t bytes,
				 struct flashlog_extent **out);
/* Takes a partial extent up again: *from is the byte to go on with. */
enum flashlog_err flashlog_resume(struct flashlog *log, struct flashlog_extent *extent,
				  uint32_t *from);
/* Adds bytes at offset, which must be the next one. */
enum flashlog_err flashlog_write(struct flashlog *log, struct flashlog_extent *extent,
				 uint32_t offset, const void *data, uint32_t bytes);
/* Ends the module: checks length and digest by reading it back. After ERR_DIGEST the extent is gone.
 */
enum flashlog_err flashlog_commit(struct flashlog *log, struct flashlog_extent *extent,
				  const uint8_t *digest, uint32_t bytes);
/* Reads a complete module back: is it still what its digest says? */
enum flashlog_err flashlog_verify(struct flashlog *log, const struct flashlog_extent *extent);
/* Counts a user more or less; use also makes it the latest used. */
void flashlog_use(struct flashlog *log, struct flashlog_extent *extent);
void flashlog_release(struct flashlog *log, struct flashlog_extent *extent);
/* Frees an extent, whatever its state. */
enum flashlog_err flashlog_drop(struct flashlog *log, struct flashlog_extent *extent);

/* Offset of the module's first byte in the partition. */
uint32_t flashlog_at(const struct flashlog *log, const struct flashlog_extent *extent);
/* The longest module that fits without evicting a used one. */
uint32_t flashlog_room(const struct flashlog *log);
const char *flashlog_err_text(enum flashlog_err err);
/* Stops the program if extents overlap or lie outside. */
void flashlog_check(const struct flashlog *log);

#endif
