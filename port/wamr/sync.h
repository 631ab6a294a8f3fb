/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine needs of an operating system: a lock, a word that something changed, one thread.
 * sync_posix.c and sync_zephyr.c carry it out.
 *
 * Rules: 1. sync_tell, sync_wait and sync_wait_until are called with the lock held.
 */
#ifndef WAMR_SYNC_H
#define WAMR_SYNC_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__ZEPHYR__)
#include <zephyr/kernel.h>
struct sync {
	struct k_mutex lock;
	struct k_condvar changed;
	void (*entry)(void *user);
	void *user;
	uint32_t thread; /* its place in the table */
};
#else
#include <pthread.h>
struct sync {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	void (*entry)(void *user);
	void *user;
};
#endif

void sync_init(struct sync *sync);
/* No thread of it may run. */
void sync_end(struct sync *sync);
void sync_lock(struct sync *sync);
void sync_unlock(struct sync *sync);
/* Wakes all that wait. */
void sync_tell(struct sync *sync);
void sync_wait(struct sync *sync);
/* Milliseconds of a clock that never goes back. */
int64_t sync_now_ms(void);
/* False when that time is over. */
bool sync_wait_until(struct sync *sync, int64_t end_ms);
/* One thread at a time, until sync_thread_join; false: there is none to be had. */
bool sync_thread_start(struct sync *sync, void (*entry)(void *user), void *user);
void sync_thread_join(struct sync *sync);

#endif
