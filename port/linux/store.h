/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modules on disk, by content hash.
 *
 * In:    the agent's STORE_* actions. Out: the answer to each as a struct store_answer.
 * Owns:  dir and the files in it: <64 hex>.wasm (whole, checked), <64 hex>.part (written so far
 *        without holes: resumed after a restart), new-<n> (digest not known yet, or with holes:
 *        removed at the next start).
 * States of an entry: absent -> writing -> complete -> open (mapped) -> complete.
 * Rules: 1. A .wasm appears by rename, after fsync and a right digest; so it is whole or not there.
 *        2. It is checked again when it is opened after a change on disk; a damaged one is removed.
 *        3. The least recently used goes first; open ones last: the name goes at once, the bytes when
 *           they are closed, so a mapping always stays whole. What is being written stays.
 * Bounds: bytes_max of all files; a module larger than that is refused.
 */
#ifndef LINUX_STORE_H
#define LINUX_STORE_H

#include "base/base.h"
#include "base/sha256.h"

enum store_state {
	STORE_ABSENT,
	STORE_PARTIAL,  /* offset bytes are there */
	STORE_COMPLETE, /* bytes and mapped are set */
	STORE_FAILED,   /* text says why */
};

struct store_answer {
	enum store_state state;
	uint32_t offset, bytes;
	const void *mapped; /* until store_close of that module */
	char text[160];
};

/* A module in use: the agent's slot is the index. */
struct store_entry {
	bool used;
	int fd; /* while writing; -1 otherwise */
	uint8_t digest[SHA256_BYTES];
	bool digest_known, holes;
	uint32_t written; /* bytes from 0 on without a hole */
	uint32_t top;     /* end of the furthest write */
	const void *mapped;
	uint32_t bytes;
	char name[80]; /* of the file in dir */
};

struct store {
	char dir[1024];
	uint64_t bytes_max;
	uint32_t entry_count;
	struct store_entry *entries;
	uint64_t damaged, evicted; /* files removed since the start */
};

/* Makes dir if needed and removes what an earlier run left unfinished. 0 or an errno. */
MUST_USE int store_init(struct store *s, const char *dir, uint64_t bytes_max, uint32_t entries);
void store_end(struct store *s);

void store_open(struct store *s, uint16_t module, const uint8_t *digest, struct store_answer *out);
/* size 0: unknown yet. digest all 0: unknown until commit. */
void store_begin(struct store *s, uint16_t module, const uint8_t *digest, uint32_t size,
		 struct store_answer *out);
/* False: it failed, out says why. */
bool store_write(struct store *s, uint16_t module, uint32_t offset, const void *data,
		 uint32_t bytes, struct store_answer *out);
void store_commit(struct store *s, uint16_t module, const uint8_t *digest, uint32_t size,
		  struct store_answer *out);
/* Lets the bytes of a complete module, a native image, be executed where they are mapped. False: out
 * says why not. */
bool store_make_executable(struct store *s, uint16_t module, struct store_answer *out);
/* keep: what is written without holes stays for a later store_begin. */
void store_drop(struct store *s, uint16_t module, bool keep);
void store_close(struct store *s, uint16_t module);
/* Bytes of all files in dir. */
uint64_t store_bytes(const struct store *s);

#endif
