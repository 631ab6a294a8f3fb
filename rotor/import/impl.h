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

/* Argument i as a string, not charged; NULL: the trap is set. */
const char *import_string(struct rotor_call *call, unsigned i, uint32_t *bytes);

/* The bytes of memory from at to its end; NULL if at lies behind the end. */
uint8_t *import_tail(struct rotor_call *call, uint32_t at, uint32_t *bytes);

/* ---- heap.c ---- */

/* Each returns what was wrong with the heap or the pointer, NULL if nothing; *out is 0 when there
 * is no room. */
const char *heap_alloc(struct rotor_instance *instance, uint32_t bytes, uint32_t *out);
const char *heap_free(struct rotor_instance *instance, uint32_t at);
const char *heap_realloc(struct rotor_instance *instance, uint32_t at, uint32_t bytes,
			 uint32_t *out);

/* ---- libc_*.c: every function of libc_list.h ---- */

#define LIBC(name, type, fn) enum rotor_host libc_##fn(struct rotor_call *call);
#define LIBC_ALIAS(name, type, fn)
#include "rotor/import/libc_list.h"
#undef LIBC
#undef LIBC_ALIAS

#endif
