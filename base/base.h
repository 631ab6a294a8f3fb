/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Idioms that every folder shares: checks, assertions, sizes, little-endian access.
 *
 * Rules: 1. CHECK is for the fault of a peer, a user or a module: it returns an error.
 *        2. ASSERT is for our own fault: it stops the program, in release builds too.
 *        3. Nothing here needs an OS; of the C library only mem* and strlen are used.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MUST_USE __attribute__((warn_unused_result))

/* Stops the program when our own reasoning was wrong. */
#define ASSERT(cond) ((cond) ? (void)0 : __builtin_trap())

/* Returns err from the function when cond does not hold. */
#define CHECK(cond, err)                                                                           \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			return (err);                                                              \
		}                                                                                  \
	} while (0)

/* Returns from the function when expr is not 0 (OK). Only while nothing is owned. */
#define TRY(expr)                                                                                  \
	do {                                                                                       \
		__typeof__(expr) try_err_ = (expr);                                                \
		if (try_err_ != 0) {                                                               \
			return try_err_;                                                           \
		}                                                                                  \
	} while (0)

#define BASE_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BASE_MIN(a, b)    ((a) < (b) ? (a) : (b))
#define BASE_MAX(a, b)    ((a) > (b) ? (a) : (b))

/* Rounds n up to a multiple of align, a power of two. */
static inline size_t base_align_up(size_t n, size_t align)
{
	return (n + align - 1) & ~(align - 1);
}

/* Little-endian access at any alignment. */
static inline uint16_t base_load_u16(const void *at)
{
	const uint8_t *p = at;

	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t base_load_u32(const void *at)
{
	const uint8_t *p = at;

	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t base_load_u64(const void *at)
{
	const uint8_t *p = at;

	return base_load_u32(p) | (uint64_t)base_load_u32(p + 4) << 32;
}

static inline void base_store_u16(void *at, uint16_t v)
{
	uint8_t *p = at;

	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void base_store_u32(void *at, uint32_t v)
{
	base_store_u16(at, (uint16_t)v);
	base_store_u16((uint8_t *)at + 2, (uint16_t)(v >> 16));
}

static inline void base_store_u64(void *at, uint64_t v)
{
	base_store_u32(at, (uint32_t)v);
	base_store_u32((uint8_t *)at + 4, (uint32_t)(v >> 32));
}

#endif
