/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#ifndef ROTOR_IMPORT_IMPL_H
#define ROTOR_IMPORT_IMPL_H

#include "rotor/import/import.h"

/* ---- env.c ---- */

/* Hands text of the program to the embedder; false: no more is allowed, and the trap is set. */
bool import_write(struct rotor_call *call, unsigned fd, const char *bytes, uint32_t count);

uint64_t import_clock_ns(const struct rotor_call *call, enum rotor_clock clock);

/* What bytes cost: those that are moved, those that are looked at one by one, those made by printf. */
enum {
	CHARGE_MOVED = 64,
	CHARGE_READ = 16,
	CHARGE_MADE = 2
};

/* Charges a unit of fuel for each so many bytes. */
void import_charge(struct rotor_call *call, uint64_t bytes, uint32_t bytes_per_unit);

/* Ends the program with a trap of the host function: "NAME: WHY". */
enum rotor_host import_trap(struct rotor_call *call, const char *why);

/* The same for a pointer that leads outside the memory. */
enum rotor_host import_trap_pointer(struct rotor_call *call, uint32_t at);

/* Host functions do at most so much at a time, then ask to be called again, so that they can be
 * stopped. */
enum {
	IMPORT_STEP = 16384
};

/* The part that is next of a work of so many bytes. */
struct import_part {
	uint32_t from, bytes;
	enum rotor_host how; /* how to answer after it: done, or again */
};

/* Takes and charges the next part; rotor_progress(...)[0] moves on. */
struct import_part import_part(struct rotor_call *call, uint32_t bytes, uint32_t bytes_per_unit);

/* Moves the next part of so many bytes, as memmove does. */
enum rotor_host import_move(struct rotor_call *call, uint32_t to, uint32_t from, uint32_t bytes);

/* Sets the next part of so many bytes to a value. */
enum rotor_host import_fill(struct rotor_call *call, uint32_t at, uint32_t value, uint32_t bytes);

/* A piece of a string. */
struct import_text {
	const uint8_t *at;
	uint32_t bytes; /* at most IMPORT_STEP, without the 0 */
	bool zero;      /* a 0 follows it */
	bool ended;     /* by a 0, or as long as is allowed */
};

/* The piece of the string at an address that begins after so many bytes of it; it has at most max
 * bytes. Charged; false: the trap is set. */
bool import_text(struct rotor_call *call, uint32_t at, uint32_t from, uint32_t max,
		 struct import_text *out);

/* Bytes [at, at + bytes) of memory, anywhere if there are none; NULL: the trap is set. */
uint8_t *import_bytes(struct rotor_call *call, uint32_t at, uint32_t bytes);

/* The bytes of memory from at to its end; none if at lies behind it. Not NULL. */
uint8_t *import_tail(struct rotor_call *call, uint32_t at, uint32_t *bytes);

/* ---- heap.c ---- */

/* Each returns what was wrong with the heap or the pointer, NULL if nothing; *out is 0 when there
 * is no room. *copy: bytes that must be moved from the old place to the new one, and the old one freed then. */
const char *heap_alloc(struct rotor_instance *instance, uint32_t bytes, uint32_t *out);
const char *heap_free(struct rotor_instance *instance, uint32_t at);
const char *heap_realloc(struct rotor_instance *instance, uint32_t at, uint32_t bytes,
			 uint32_t *out, uint32_t *copy);

/* ---- libc_*.c: every function of libc_list.h ---- */

#define LIBC(name, type, fn) enum rotor_host libc_##fn(struct rotor_call *call);
#define LIBC_ALIAS(name, type, fn)
#include "rotor/import/libc_list.h"
#undef LIBC
#undef LIBC_ALIAS

#endif
