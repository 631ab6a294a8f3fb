/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A map from ids to indexes: open addressing, linear probing, backward-shift removal.
 *
 * Rules: at most half the slots are in use, so probes are short and an empty slot exists.
 */
#include "manager/core/internal.h"

uint64_t index_hash(const char *id)
{
	uint64_t h = placement_hash("id", id);

	return h ^ (h >> 32);
}

static const char *id_at(const struct index *x, uint32_t idx)
{
	return x->ids + (size_t)idx * x->id_stride;
}

static bool same_id(const char *a, const char *b)
{
	size_t n = strlen(a);

	return strlen(b) == n && memcmp(a, b, n) == 0;
}

uint32_t index_find(const struct index *x, const char *id)
{
	for (uint32_t i = (uint32_t)index_hash(id) & x->mask;; i = (i + 1) & x->mask) {
		if (x->slots[i] == 0) {
			return MANAGER_NONE;
		}
		if (same_id(id_at(x, x->slots[i] - 1), id)) {
			return x->slots[i] - 1;
		}
	}
}

void index_insert(struct index *x, uint32_t idx)
{
	uint32_t i = (uint32_t)index_hash(id_at(x, idx)) & x->mask;

	while (x->slots[i] != 0) {
		i = (i + 1) & x->mask;
	}
	x->slots[i] = idx + 1;
}

void index_remove(struct index *x, uint32_t idx)
{
	uint32_t i = (uint32_t)index_hash(id_at(x, idx)) & x->mask;
	uint32_t hole;

	while (x->slots[i] != idx + 1) {
		ASSERT(x->slots[i] != 0);
		i = (i + 1) & x->mask;
	}
	hole = i;
	for (i = (i + 1) & x->mask; x->slots[i] != 0; i = (i + 1) & x->mask) {
		uint32_t home = (uint32_t)index_hash(id_at(x, x->slots[i] - 1)) & x->mask;

		/* The entry may fill the hole unless its home lies between hole and it. */
		if (((i - home) & x->mask) >= ((i - hole) & x->mask)) {
			x->slots[hole] = x->slots[i];
			hole = i;
		}
	}
	x->slots[hole] = 0;
}

uint32_t index_slots(uint32_t capacity)
{
	uint32_t n = 16;

	while (n < capacity * 2) {
		n *= 2;
	}
	return n;
}

void manager_id_copy(char *to, size_t bytes, const char *from)
{
	size_t n = strlen(from);

	n = BASE_MIN(n, bytes - 1);
	memcpy(to, from, n);
	to[n] = '\0';
}
