/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layout: blocks one after the other, each with a head of 8 bytes; a last head of size 0, taken.
 * A free block holds its links of the free list behind its head.
 */
#include "base/pool.h"

#define POOL_NONE  UINT32_MAX
#define POOL_TAKEN 1u

enum {
	POOL_BLOCK_BYTES_MIN = 16
};

struct pool_head {
	uint32_t size;   /* with the head, a multiple of 8; bit 0: taken */
	uint32_t before; /* size of the block before; 0 for the first */
};

struct pool_links {
	uint32_t next, prev;
};

static struct pool_head *head_at(const struct pool *pool, uint32_t at)
{
	return (struct pool_head *)(pool->base + at);
}

static struct pool_links *links_at(const struct pool *pool, uint32_t at)
{
	return (struct pool_links *)(pool->base + at + POOL_HEADER_BYTES);
}

static uint32_t size_at(const struct pool *pool, uint32_t at)
{
	return head_at(pool, at)->size & ~POOL_TAKEN;
}

static uint32_t offset_of(const struct pool *pool, const void *block)
{
	uint32_t at = (uint32_t)((const uint8_t *)block - pool->base) - POOL_HEADER_BYTES;

	ASSERT(at < pool->bytes && (head_at(pool, at)->size & POOL_TAKEN));
	return at;
}

static void list_add(struct pool *pool, uint32_t at)
{
	struct pool_links *links = links_at(pool, at);

	links->prev = POOL_NONE;
	links->next = pool->free_head;
	if (pool->free_head != POOL_NONE) {
		links_at(pool, pool->free_head)->prev = at;
	}
	pool->free_head = at;
	pool->free_bytes += size_at(pool, at) - POOL_HEADER_BYTES;
}

static void list_remove(struct pool *pool, uint32_t at)
{
	struct pool_links *links = links_at(pool, at);

	if (links->prev != POOL_NONE) {
		links_at(pool, links->prev)->next = links->next;
	} else {
		pool->free_head = links->next;
	}
	if (links->next != POOL_NONE) {
		links_at(pool, links->next)->prev = links->prev;
	}
	pool->free_bytes -= size_at(pool, at) - POOL_HEADER_BYTES;
}

static void set_size(struct pool *pool, uint32_t at, uint32_t size, uint32_t taken)
{
	head_at(pool, at)->size = size | taken;
	head_at(pool, at + size)->before = size;
}

void pool_init(struct pool *pool, void *mem, size_t bytes)
{
	size_t skip = base_align_up((uintptr_t)mem, 8) - (uintptr_t)mem;

	memset(pool, 0, sizeof(*pool));
	pool->free_head = POOL_NONE;
	pool->base = (uint8_t *)mem + skip;
	bytes = bytes > skip ? BASE_MIN(bytes - skip, (size_t)1 << 30) & ~(size_t)7 : 0;
	if (bytes < POOL_BLOCK_BYTES_MIN + POOL_HEADER_BYTES) {
		return;
	}
	pool->bytes = (uint32_t)bytes - POOL_HEADER_BYTES;
	head_at(pool, pool->bytes)->size = POOL_TAKEN;
	head_at(pool, 0)->before = 0;
	set_size(pool, 0, pool->bytes, 0);
	list_add(pool, 0);
}

static uint32_t best_fit(const struct pool *pool, uint32_t size)
{
	uint32_t best = POOL_NONE, best_size = UINT32_MAX;

	for (uint32_t at = pool->free_head; at != POOL_NONE; at = links_at(pool, at)->next) {
		uint32_t have = size_at(pool, at);

		if (have >= size && have < best_size) {
			best = at;
			best_size = have;
		}
		if (have == size) {
			break;
		}
	}
	return best;
}

/* Cuts a taken block to size and frees the rest when that is worth a block. */
static void cut(struct pool *pool, uint32_t at, uint32_t size)
{
	uint32_t have = size_at(pool, at), rest = have - size;
	uint32_t behind = at + have;

	if (rest > 0 && !(head_at(pool, behind)->size & POOL_TAKEN)) {
		list_remove(pool, behind);
		rest += size_at(pool, behind);
	} else if (rest < POOL_BLOCK_BYTES_MIN) {
		return;
	}
	set_size(pool, at, size, POOL_TAKEN);
	set_size(pool, at + size, rest, 0);
	list_add(pool, at + size);
}

static uint32_t size_for(size_t bytes)
{
	size_t size = base_align_up(bytes, 8) + POOL_HEADER_BYTES;

	return (uint32_t)BASE_MAX(size, (size_t)POOL_BLOCK_BYTES_MIN);
}

void *pool_alloc(struct pool *pool, size_t bytes)
{
	uint32_t at;

	if (bytes > pool->bytes || bytes == 0) {
		return NULL;
	}
	at = best_fit(pool, size_for(bytes));
	if (at == POOL_NONE) {
		return NULL;
	}
	list_remove(pool, at);
	head_at(pool, at)->size |= POOL_TAKEN;
	cut(pool, at, size_for(bytes));
	return pool->base + at + POOL_HEADER_BYTES;
}

void pool_free(struct pool *pool, void *block)
{
	uint32_t at, size, behind;

	if (block == NULL) {
		return;
	}
	at = offset_of(pool, block);
	size = size_at(pool, at);
	behind = at + size;
	if (!(head_at(pool, behind)->size & POOL_TAKEN)) {
		list_remove(pool, behind);
		size += size_at(pool, behind);
	}
	if (at > 0 && !(head_at(pool, at - head_at(pool, at)->before)->size & POOL_TAKEN)) {
		at -= head_at(pool, at)->before;
		list_remove(pool, at);
		size += size_at(pool, at);
	}
	set_size(pool, at, size, 0);
	list_add(pool, at);
}

void pool_shrink(struct pool *pool, void *block, size_t bytes)
{
	uint32_t at = offset_of(pool, block);

	if (bytes <= pool->bytes && size_for(bytes) < size_at(pool, at)) {
		cut(pool, at, size_for(bytes));
	}
}

bool pool_grow(struct pool *pool, void *block, size_t bytes)
{
	uint32_t at = offset_of(pool, block), behind = at + size_at(pool, at), have;

	CHECK(bytes <= pool->bytes, false);
	if (size_for(bytes) <= size_at(pool, at)) {
		return true;
	}
	CHECK(!(head_at(pool, behind)->size & POOL_TAKEN), false);
	have = size_at(pool, at) + size_at(pool, behind);
	CHECK(have >= size_for(bytes), false);
	list_remove(pool, behind);
	set_size(pool, at, have, POOL_TAKEN);
	cut(pool, at, size_for(bytes));
	return true;
}

uint32_t pool_block_bytes(const struct pool *pool, const void *block)
{
	return size_at(pool, offset_of(pool, block)) - POOL_HEADER_BYTES;
}

uint32_t pool_largest(const struct pool *pool)
{
	uint32_t largest = 0;

	for (uint32_t at = pool->free_head; at != POOL_NONE; at = links_at(pool, at)->next) {
		largest = BASE_MAX(largest, size_at(pool, at) - POOL_HEADER_BYTES);
	}
	return largest;
}

void pool_check(const struct pool *pool)
{
	uint32_t before = 0, free_count = 0, listed = 0, free_bytes = 0;
	bool before_free = false;

	for (uint32_t at = 0; at < pool->bytes; at += size_at(pool, at)) {
		bool is_free = !(head_at(pool, at)->size & POOL_TAKEN);

		ASSERT(size_at(pool, at) >= POOL_BLOCK_BYTES_MIN);
		ASSERT(head_at(pool, at)->before == before && !(is_free && before_free));
		free_count += is_free;
		free_bytes += is_free ? size_at(pool, at) - POOL_HEADER_BYTES : 0;
		before_free = is_free;
		before = size_at(pool, at);
	}
	for (uint32_t at = pool->free_head; at != POOL_NONE; at = links_at(pool, at)->next) {
		ASSERT(!(head_at(pool, at)->size & POOL_TAKEN) && ++listed <= free_count);
	}
	ASSERT(listed == free_count && free_bytes == pool->free_bytes);
}
