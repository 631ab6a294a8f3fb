/* SPDX-License-Identifier: Apache-2.0 */
/*
 * malloc for programs without one of their own: segregated lists with immediate merging, all of
 * whose state lies in the program's linear memory.
 *
 *     heap:  [head: magic, bytes in use, bitmap, list heads][block][block]...[block]
 *     block: [bytes of the block before it][own bytes | 1 if used][payload, or next, previous]
 *
 * Rules:  1. A block starts at a multiple of 8; its bytes are a multiple of 8, at least 16.
 *         2. Two free blocks never stand side by side.
 *         3. A block is in the list of its class if and only if it is free.
 *         4. Nothing read from linear memory is believed before it is checked: an address by
 *            block_at, a neighbour or a list link by what that one says itself. What does not
 *            agree is reported as damage; no step depends on the number of blocks.
 * Bounds: O(1) but for the copying of realloc; 8 bytes for each block, and the head.
 */
#include "base/base.h"
#include "rotor/import/impl.h"

#define MAGIC       0x70616568u
#define BLOCK_HEAD  8u
#define BLOCK_MIN   16u
#define USED        1u
#define CLASS_MAX   112u /* of the largest block possible */
#define TRIES_MAX   8u   /* blocks looked at in the list whose blocks may be too small */
#define HEAD_USED   4u   /* offsets in the head */
#define HEAD_BITMAP 8u
#define HEAD_LISTS  24u

static const char damaged[] = "the heap is damaged";

/* The heap of one call. Addresses are those of the linear memory. */
struct heap {
	uint8_t *region; /* its bytes; first byte has the address region_at */
	uint32_t region_at;
	uint32_t head; /* address of the head */
	uint32_t first, end;
};

static uint32_t load(const struct heap *h, uint32_t at)
{
	return base_load_u32(h->region + (at - h->region_at));
}

static void store(const struct heap *h, uint32_t at, uint32_t v)
{
	base_store_u32(h->region + (at - h->region_at), v);
}

/* Four classes for each power of two, in units of 8 bytes. */
static uint32_t class_of(uint32_t bytes)
{
	uint32_t units = bytes / 8, log;

	if (units < 8) {
		return units;
	}
	log = 31u - (uint32_t)__builtin_clz(units);
	return 8 + (log - 3) * 4 + (units >> (log - 2) & 3);
}

/* The first class of which every block has so many bytes. */
static uint32_t class_above(uint32_t bytes)
{
	uint32_t units = bytes / 8;

	if (units >= 8) {
		units += (1u << (29u - (uint32_t)__builtin_clz(units))) - 1;
	}
	return class_of(units * 8);
}

static uint32_t block_bytes(const struct heap *h, uint32_t block)
{
	return load(h, block + 4) & ~USED;
}

static bool block_used(const struct heap *h, uint32_t block)
{
	return (load(h, block + 4) & USED) != 0;
}

/* Do so many bytes make a block there? Sums of what damaged memory says may not. */
static bool fits(const struct heap *h, uint32_t block, uint32_t bytes)
{
	return bytes >= BLOCK_MIN && bytes % 8 == 0 && bytes <= h->end - block;
}

/* Can a block stand there, and do its bytes fit? */
static bool block_at(const struct heap *h, uint32_t block)
{
	return block >= h->first && block < h->end && block % 8 == 0 &&
	       h->end - block >= BLOCK_MIN && fits(h, block, block_bytes(h, block));
}

/* The block behind it in *next, 0 if it is the last; false: they disagree. */
static bool block_next(const struct heap *h, uint32_t block, uint32_t *next)
{
	uint32_t bytes = block_bytes(h, block);

	*next = block + bytes;
	if (*next == h->end) {
		*next = 0;
		return true;
	}
	return block_at(h, *next) && load(h, *next) == bytes;
}

/* The block before it in *prev, 0 if it is the first; false: they disagree. */
static bool block_prev(const struct heap *h, uint32_t block, uint32_t *prev)
{
	uint32_t bytes = load(h, block);

	*prev = 0;
	if (block == h->first) {
		return bytes == 0;
	}
	*prev = block - bytes;
	return bytes <= block && block_at(h, *prev) && block_bytes(h, *prev) == bytes;
}

static uint32_t list_at(const struct heap *h, uint32_t class)
{
	return h->head + HEAD_LISTS + class * 4;
}

static void mark_class(const struct heap *h, uint32_t class, bool any)
{
	uint32_t at = h->head + HEAD_BITMAP + class / 32 * 4;
	uint32_t bit = 1u << class % 32;

	store(h, at, any ? load(h, at) | bit : load(h, at) & ~bit);
}

/* Makes it a free block at the head of its list. */
static bool list_insert(const struct heap *h, uint32_t block, uint32_t bytes)
{
	uint32_t class = class_of(bytes), list = list_at(h, class), old;

	if (!fits(h, block, bytes)) {
		return false;
	}
	old = load(h, list);
	if (old != 0 && !block_at(h, old)) {
		return false;
	}
	store(h, block + 4, bytes);
	store(h, block + 8, old);
	store(h, block + 12, 0);
	if (old != 0) {
		store(h, old + 12, block);
	}
	store(h, list, block);
	mark_class(h, class, true);
	return true;
}

/* Takes a free block out of its list; false: its links disagree. */
static bool list_remove(const struct heap *h, uint32_t block)
{
	uint32_t class = class_of(block_bytes(h, block)), list = list_at(h, class);
	uint32_t next = load(h, block + 8), prev = load(h, block + 12);

	if (block_used(h, block) || (next != 0 && !block_at(h, next)) ||
	    (prev != 0 && !block_at(h, prev)) || load(h, prev != 0 ? prev + 8 : list) != block) {
		return false;
	}
	if (next != 0) {
		store(h, next + 12, prev);
	}
	store(h, prev != 0 ? prev + 8 : list, next);
	if (prev == 0 && next == 0) {
		mark_class(h, class, false);
	}
	return true;
}

/* Writes the bytes of a block, used or not, where the block behind it looks for them. */
static void tell_next(const struct heap *h, uint32_t block, uint32_t bytes)
{
	if (bytes <= h->end - block - BLOCK_HEAD) {
		store(h, block + bytes, bytes);
	}
}

static void count_used(const struct heap *h, uint32_t more, uint32_t less)
{
	store(h, h->head + HEAD_USED, load(h, h->head + HEAD_USED) + more - less);
}

/* Gives a used block that size and makes a free block of the rest if one fits. The block behind
 * is not free, or the caller has merged it before. */
static bool block_trim(const struct heap *h, uint32_t block, uint32_t have, uint32_t want)
{
	uint32_t rest = have - want;

	if (!fits(h, block, have)) {
		return false;
	}
	if (rest < BLOCK_MIN) {
		want = have;
	}
	store(h, block + 4, want | USED);
	tell_next(h, block, want);
	count_used(h, want, 0);
	if (want == have) {
		return true;
	}
	tell_next(h, block + want, rest);
	return list_insert(h, block + want, rest);
}

/* Where the blocks begin: behind a head with lists for the classes that can occur. */
static void heap_layout(struct heap *h)
{
	uint32_t classes = class_of(h->end - h->head) + 1;

	h->first = (uint32_t)base_align_up(list_at(h, classes), 8);
}

static bool heap_init(const struct heap *h)
{
	memset(h->region + (h->head - h->region_at), 0, h->first - h->head);
	store(h, h->head, MAGIC);
	count_used(h, h->first - h->head, 0);
	store(h, h->first, 0);
	return list_insert(h, h->first, h->end - h->first);
}

/* Where the instance's heap lies; false: it has none. */
static bool heap_find(struct rotor_instance *instance, struct heap *out)
{
	uint32_t at, bytes;
	struct heap h = {0};

	rotor_heap(instance, &at, &bytes);
	h.region_at = at;
	h.region = rotor_memory_at(instance, at, bytes);
	h.head = (uint32_t)base_align_up(at, 8);
	h.end = (at + bytes) & ~7u;
	if (h.region == NULL || bytes < 256 || h.end <= h.head) {
		return false;
	}
	heap_layout(&h);
	*out = h;
	return true;
}

/* The instance's heap, made ready if this is its first use. *out has no region if there is none. */
static const char *heap_open(struct rotor_instance *instance, struct heap *out)
{
	uint32_t magic;

	*out = (struct heap){0};
	if (!heap_find(instance, out)) {
		return NULL;
	}
	magic = load(out, out->head);
	return magic == MAGIC || (magic == 0 && heap_init(out)) ? NULL : damaged;
}

/* The lowest class from that one on that has a block; CLASS_MAX if none. */
static uint32_t class_find(const struct heap *h, uint32_t class)
{
	uint32_t classes = (h->first - h->head - HEAD_LISTS) / 4;

	for (uint32_t word = class / 32; word < 4; word++) {
		uint32_t bits = load(h, h->head + HEAD_BITMAP + word * 4);

		if (word == class / 32) {
			bits &= ~0u << class % 32;
		}
		if (bits != 0) {
			class = word * 32 + (uint32_t)__builtin_ctz(bits);
			return class < classes ? class : CLASS_MAX;
		}
	}
	return CLASS_MAX;
}

/* A free block of so many bytes in *out, 0 if there is none. */
static const char *block_find(const struct heap *h, uint32_t bytes, uint32_t *out)
{
	uint32_t class = class_find(h, class_above(bytes)), block;

	*out = 0;
	if (class < CLASS_MAX) {
		block = load(h, list_at(h, class));
		*out = block_at(h, block) && block_bytes(h, block) >= bytes ? block : 0;
		return *out != 0 ? NULL : damaged;
	}
	if (bytes > h->end - h->first) {
		return NULL;
	}
	block = load(h, list_at(h, class_of(bytes)));
	for (unsigned i = 0; i < TRIES_MAX && block != 0; i++) {
		if (!block_at(h, block)) {
			return damaged;
		}
		if (block_bytes(h, block) >= bytes) {
			*out = block;
			return NULL;
		}
		block = load(h, block + 8);
	}
	return NULL;
}

/* The bytes of a block with so large a payload; 0: never. */
static uint32_t bytes_for(uint32_t payload)
{
	if (payload > UINT32_MAX / 2) {
		return 0;
	}
	payload = (uint32_t)base_align_up(payload, 8) + BLOCK_HEAD;
	return BASE_MAX(payload, BLOCK_MIN);
}

static const char *alloc_in(const struct heap *h, uint32_t bytes, uint32_t *out)
{
	uint32_t want = bytes_for(bytes), block, have;
	const char *wrong;

	*out = 0;
	if (want == 0) {
		return NULL;
	}
	wrong = block_find(h, want, &block);
	if (wrong != NULL || block == 0) {
		return wrong;
	}
	have = block_bytes(h, block);
	if (!list_remove(h, block) || !block_trim(h, block, have, want)) {
		return damaged;
	}
	*out = block + BLOCK_HEAD;
	return NULL;
}

/* The block of a pointer that the program gives back. */
static const char *block_of(const struct heap *h, uint32_t at, uint32_t *block)
{
	uint32_t next, prev;

	*block = at - BLOCK_HEAD;
	if (h->region == NULL || at < BLOCK_HEAD || !block_at(h, *block)) {
		return "not a pointer from malloc";
	}
	if (!block_used(h, *block)) {
		return "freed before, or never allocated";
	}
	return block_next(h, *block, &next) && block_prev(h, *block, &prev) ? NULL : damaged;
}

static const char *free_in(const struct heap *h, uint32_t at)
{
	uint32_t block, next, prev, bytes;
	const char *wrong = block_of(h, at, &block);

	if (wrong != NULL) {
		return wrong;
	}
	bytes = block_bytes(h, block);
	count_used(h, 0, bytes);
	if (!block_next(h, block, &next) || !block_prev(h, block, &prev)) {
		return damaged;
	}
	if (next != 0 && !block_used(h, next)) {
		if (!list_remove(h, next)) {
			return damaged;
		}
		bytes += block_bytes(h, next);
	}
	if (prev != 0 && !block_used(h, prev)) {
		if (!list_remove(h, prev)) {
			return damaged;
		}
		bytes += block_bytes(h, prev);
		block = prev;
	}
	tell_next(h, block, bytes);
	return list_insert(h, block, bytes) ? NULL : damaged;
}

/* Changes the size of a block where it stands; *done false: there is no room for that. */
static const char *resize_in(const struct heap *h, uint32_t block, uint32_t want, bool *done)
{
	uint32_t have = block_bytes(h, block), all = have, next;

	*done = false;
	if (!block_next(h, block, &next)) {
		return damaged;
	}
	if (next != 0 && !block_used(h, next)) {
		all += block_bytes(h, next);
	} else {
		next = 0;
	}
	if (want == 0 || all < want) {
		return NULL;
	}
	*done = true;
	count_used(h, 0, have);
	return (next == 0 || list_remove(h, next)) && block_trim(h, block, all, want) ? NULL
										      : damaged;
}

const char *heap_alloc(struct rotor_instance *instance, uint32_t bytes, uint32_t *out)
{
	struct heap h;
	const char *wrong = heap_open(instance, &h);

	*out = 0;
	return wrong != NULL || h.region == NULL ? wrong : alloc_in(&h, bytes, out);
}

const char *heap_free(struct rotor_instance *instance, uint32_t at)
{
	struct heap h;
	const char *wrong;

	if (at == 0) {
		return NULL;
	}
	wrong = heap_open(instance, &h);
	return wrong != NULL ? wrong : free_in(&h, at);
}

const char *heap_realloc(struct rotor_instance *instance, uint32_t at, uint32_t bytes,
			 uint32_t *out, uint32_t *copy)
{
	struct heap h;
	const char *wrong = heap_open(instance, &h);
	uint32_t block, payload;
	bool done;

	*out = 0;
	*copy = 0;
	if (wrong != NULL || (at == 0 && h.region == NULL)) {
		return wrong;
	}
	if (at == 0) {
		return alloc_in(&h, bytes, out);
	}
	wrong = block_of(&h, at, &block);
	if (wrong != NULL) {
		return wrong;
	}
	payload = block_bytes(&h, block) - BLOCK_HEAD;
	wrong = resize_in(&h, block, bytes_for(bytes), &done);
	if (wrong != NULL || done) {
		*out = at;
		return wrong;
	}
	*copy = BASE_MIN(payload, bytes);
	return alloc_in(&h, bytes, out);
}

uint32_t rotor_heap_alloc(struct rotor_instance *instance, uint32_t bytes)
{
	uint32_t at;

	return heap_alloc(instance, bytes, &at) == NULL ? at : 0;
}

uint32_t rotor_heap_used(struct rotor_instance *instance)
{
	struct heap h;

	if (!heap_find(instance, &h) || load(&h, h.head) != MAGIC) {
		return 0;
	}
	return load(&h, h.head + HEAD_USED);
}
