/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that run slices. See runners.h. */
#include "port/linux/runners.h"

static bool take(struct runners *r, struct agent_slice *out)
{
	bool got;

	pthread_mutex_lock(&r->lock);
	while (r->count == 0 && !r->ending) {
		pthread_cond_wait(&r->work, &r->lock);
	}
	got = !r->ending;
	if (got) {
		*out = r->queue[r->first];
		r->first = (r->first + 1) % RUNNERS_MAX;
		r->count--;
	}
	pthread_mutex_unlock(&r->lock);
	return got;
}

static void *run(void *arg)
{
	struct runners *r = arg;
	struct agent_slice slice;

	while (take(r, &slice)) {
		struct note *note = note_new(NOTE_SLICE);

		note->number = slice.slot;
		note->status = agent_slice_run(&slice);
		inbox_put(r->inbox, note);
	}
	return NULL;
}

int runners_start(struct runners *r, uint32_t threads, struct inbox *inbox)
{
	memset(r, 0, sizeof(*r));
	ASSERT(threads >= 1 && threads <= RUNNERS_MAX);
	r->inbox = inbox;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->work, NULL);
	for (uint32_t i = 0; i < threads; i++) {
		int err = pthread_create(&r->threads[i], NULL, run, r);

		if (err) {
			runners_end(r);
			return err;
		}
		r->thread_count++;
	}
	return 0;
}

void runners_run(struct runners *r, const struct agent_slice *slice)
{
	pthread_mutex_lock(&r->lock);
	ASSERT(r->count < RUNNERS_MAX);
	r->queue[(r->first + r->count++) % RUNNERS_MAX] = *slice;
	pthread_cond_signal(&r->work);
	pthread_mutex_unlock(&r->lock);
}

void runners_end(struct runners *r)
{
	pthread_mutex_lock(&r->lock);
	r->ending = true;
	pthread_cond_broadcast(&r->work);
	pthread_mutex_unlock(&r->lock);
	for (uint32_t i = 0; i < r->thread_count; i++) {
		pthread_join(r->threads[i], NULL);
	}
	pthread_cond_destroy(&r->work);
	pthread_mutex_destroy(&r->lock);
	r->thread_count = 0;
}
