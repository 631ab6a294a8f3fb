/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns:  CONFIG_PROPLET_WAMR_THREADS threads with their stacks: so many programs are under way at once
 * Rules: 1. They have the lowest priority: the main loop, which waits for them, comes before.
 *        2. Threads are started and joined by the main loop alone.
 */
#include "port/wamr/sync.h"

K_THREAD_STACK_ARRAY_DEFINE(stacks, CONFIG_PROPLET_WAMR_THREADS, CONFIG_PROPLET_WAMR_STACK_BYTES);
static struct k_thread threads[CONFIG_PROPLET_WAMR_THREADS];
static uint32_t used; /* bit per thread */

void sync_init(struct sync *sync)
{
	k_mutex_init(&sync->lock);
	k_condvar_init(&sync->changed);
}

void sync_end(struct sync *sync)
{
}

void sync_lock(struct sync *sync)
{
	k_mutex_lock(&sync->lock, K_FOREVER);
}

void sync_unlock(struct sync *sync)
{
	k_mutex_unlock(&sync->lock);
}

void sync_tell(struct sync *sync)
{
	k_condvar_broadcast(&sync->changed);
}

void sync_wait(struct sync *sync)
{
	k_condvar_wait(&sync->changed, &sync->lock, K_FOREVER);
}

int64_t sync_now_ms(void)
{
	return k_uptime_get();
}

bool sync_wait_until(struct sync *sync, int64_t end_ms)
{
	int64_t left = end_ms - k_uptime_get();

	return left > 0 && k_condvar_wait(&sync->changed, &sync->lock, K_MSEC(left)) == 0;
}

static void start(void *user, void *unused, void *unused_too)
{
	struct sync *sync = user;

	sync->entry(sync->user);
}

bool sync_thread_start(struct sync *sync, void (*entry)(void *user), void *user)
{
	sync->entry = entry;
	sync->user = user;
	for (uint32_t i = 0; i < ARRAY_SIZE(threads); i++) {
		if ((used & 1u << i) == 0) {
			used |= 1u << i;
			sync->thread = i;
			k_thread_create(&threads[i], stacks[i], K_THREAD_STACK_SIZEOF(stacks[i]),
					start, sync, NULL, NULL, K_LOWEST_APPLICATION_THREAD_PRIO,
					0, K_NO_WAIT);
			k_thread_name_set(&threads[i], "wamr");
			return true;
		}
	}
	return false;
}

void sync_thread_join(struct sync *sync)
{
	k_thread_join(&threads[sync->thread], K_FOREVER);
	used &= ~(1u << sync->thread);
}
