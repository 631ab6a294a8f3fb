/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Imports that programs expect: WASI preview 1, and a subset of libc under the module "env".
 *
 *     program --import call--> rotor_libc, rotor_wasi --struct rotor_env--> the embedder
 *
 * In:    the tables below in a struct rotor_imports, whose user points to a struct rotor_env.
 * Out:   text for stdout and stderr; the exit status and traps, by rotor_set_exit, rotor_set_trap.
 * Owns:  nothing. The allocator's state lies in linear memory, so it is saved and moved with it.
 * Rules: 1. Each pointer of a program is checked; a bad one is a trap that names the function
 *           (libc) or the answer EFAULT (WASI).
 *        2. What the allocator reads in linear memory it does not trust: a program that scribbles
 *           over it harms itself alone.
 *        3. Nothing blocks: sleeping answers LATER, with the time to wake up in rotor_env.wake_ns.
 * Bounds: work in proportion to the bytes touched, and charged as fuel; malloc and free O(1). At most
 *        16 KB at a time (printf: 128 KB of text), so that an interrupt is heeded at once.
 * Not:   files, sockets, threads, signals: ENOSYS.
 * Spec:  wasi_snapshot_preview1 (witx); C11 7; import types as WAMR's libc-builtin has them.
 *
 * Use, with more state of the embedder's own behind the rotor_env:
 *
 *     struct my { struct rotor_env env; ... } my = {.env = {.ops = &my_ops}};
 *     const struct rotor_host_func *tables[] = {rotor_wasi, rotor_libc};
 *     struct rotor_imports imports = {.tables = tables, .table_count = 2, .user = &my};
 *     ...
 *     case ROTOR_HOST: wait until my.env.wake_ns, then rotor_import_again(instance);
 */
#ifndef ROTOR_IMPORT_IMPORT_H
#define ROTOR_IMPORT_IMPORT_H

#include "rotor/rotor.h"

struct rotor_env;

enum rotor_clock {
	ROTOR_CLOCK_REAL,      /* since 1970-01-01 UTC; since start where the time is not known */
	ROTOR_CLOCK_MONOTONIC, /* from any beginning, never backwards */
};

/* What the embedder does for a program. Any of them may be NULL. */
struct rotor_env_ops {
	/* Takes bytes that the program wrote to fd 1 (stdout) or 2 (stderr), in pieces of any
	 * size. false: no more output is allowed, which ends the program with a trap. NULL: output
	 * is dropped. */
	bool (*write)(struct rotor_env *env, unsigned fd, const char *bytes, uint32_t count);
	/* Nanoseconds. NULL: 0. */
	uint64_t (*clock_ns)(struct rotor_env *env, enum rotor_clock clock);
	/* Fills out with random bytes. NULL: random_get answers ENOSYS. */
	void (*random)(struct rotor_env *env, uint8_t *out, uint32_t bytes);
};

/* What the two tables find behind rotor_call.user: the first member of the embedder's own. */
struct rotor_env {
	const struct rotor_env_ops *ops;
	const char *const *args;    /* the program's name first; ended by 0 each */
	const char *const *environ; /* NAME=VALUE each */
	uint32_t arg_count, environ_count;
	/* Set by a sleep that answered LATER: call rotor_import_again when the monotonic clock has
	 * reached wake_ns. An embedder that moves a sleeping program to another clock shifts
	 * wake_ns. */
	bool sleeping;
	uint64_t wake_ns, sleep_ns; /* until when, and how long from the beginning */
};

/* The tables for struct rotor_imports, each ended by a row whose name is NULL. */
extern const struct rotor_host_func rotor_libc[]; /* module "env" */
extern const struct rotor_host_func rotor_wasi[]; /* module "wasi_snapshot_preview1" */

/* Tries a pending host function of one of the tables again, and answers it if it is done. Returns
 * false if it is still not time. Any function that can be called twice may be in the tables; those
 * here only sleep. */
bool rotor_import_again(struct rotor_instance *instance);

/* Does the module import malloc, calloc, realloc or strdup, so that it wants a heap? */
bool rotor_import_wants_heap(const struct rotor_module *module);

/* Bytes of the program's heap for the embedder's own use: main's argv, a message handed over. The
 * address; 0 if there is no room, no heap, or it is damaged. */
uint32_t rotor_heap_alloc(struct rotor_instance *instance, uint32_t bytes);

/* Bytes of the heap (rotor_heap) in use, with the allocator's own; 0 if nothing was allocated yet
 * or the allocator's state is damaged. */
uint32_t rotor_heap_used(struct rotor_instance *instance);

#endif
