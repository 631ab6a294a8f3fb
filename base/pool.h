/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fixed pool: blocks of any size out of one piece of memory.
 *
 * In:     memory handed over at init, requests for bytes.
 * Out:    blocks aligned to 8, or NULL when none is large enough.
 * Rules:  1. Blocks and free blocks cover the memory; no two free blocks are neighbours.
 *         2. Every free block is in the free list, once.
 * Bounds: alloc and largest look at each free block once (best fit); free and shrink take constant
 *         time. 8 bytes of overhead per block; the smallest block is 16 bytes.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/base.h"

struct pool {
	uint8_t *base;
	uint32_t bytes;      /* of the memory in use, a multiple of 8 */
	uint32_t free_bytes; /* sum of what all free blocks could give */
	uint32_t free_head;  /* offset of the first free block; POOL_NONE */
};

enum {
	POOL_HEADER_BYTES = 8
};

/* Takes mem over, up to 1 GiB of it; what is too small gives a pool without blocks. */
void pool_init(struct pool *pool, void *mem, size_t bytes);

/* A block of at least bytes (1 or more), its content undefined; NULL when no free block is large
 * enough. */
void *pool_alloc(struct pool *pool, size_t bytes);

/* Gives a block back; NULL is nothing. */
void pool_free(struct pool *pool, void *block);

/* Gives back what lies beyond the first bytes of the block; the block stays where it is. */
void pool_shrink(struct pool *pool, void *block, size_t bytes);

/* Makes the block at least bytes long where it is; false when the memory behind it is taken. */
bool pool_grow(struct pool *pool, void *block, size_t bytes);

/* Bytes of the block that can be used. */
uint32_t pool_block_bytes(const struct pool *pool, const void *block);

/* The most bytes that pool_alloc can give now; 0 when the pool is full. */
uint32_t pool_largest(const struct pool *pool);

/* Stops the program when a rule is broken. */
void pool_check(const struct pool *pool);

#endif
