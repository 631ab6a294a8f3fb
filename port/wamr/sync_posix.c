/* SPDX-License-Identifier: Apache-2.0 */
#include "port/wamr/sync.h"

#include <time.h>

enum {
	THREAD_STACK_BYTES = 256 * 1024, /* of the interpreter itself; WAMR keeps room below it */
};

void sync_init(struct sync *sync)
{
	pthread_condattr_t monotonic;

	pthread_mutex_init(&sync->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&sync->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

void sync_end(struct sync *sync)
{
	pthread_cond_destroy(&sync->changed);
	pthread_mutex_destroy(&sync->lock);
}

void sync_lock(struct sync *sync)
{
	pthread_mutex_lock(&sync->lock);
}

void sync_unlock(struct sync *sync)
{
	pthread_mutex_unlock(&sync->lock);
}

void sync_tell(struct sync *sync)
{
	pthread_cond_broadcast(&sync->changed);
}

void sync_wait(struct sync *sync)
{
	pthread_cond_wait(&sync->changed, &sync->lock);
}

int64_t sync_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool sync_wait_until(struct sync *sync, int64_t end_ms)
{
	struct timespec end = {.tv_sec = end_ms / 1000, .tv_nsec = end_ms % 1000 * 1000000l};

	return pthread_cond_timedwait(&sync->changed, &sync->lock, &end) == 0;
}

static void *start(void *user)
{
	struct sync *sync = user;

	sync->entry(sync->user);
	return NULL;
}

bool sync_thread_start(struct sync *sync, void (*entry)(void *user), void *user)
{
	pthread_attr_t attr;
	int err;

	sync->entry = entry;
	sync->user = user;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
	err = pthread_create(&sync->thread, &attr, start, sync);
	pthread_attr_destroy(&attr);
	return err == 0;
}

void sync_thread_join(struct sync *sync)
{
	pthread_join(sync->thread, NULL);
}
