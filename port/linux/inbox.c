/* SPDX-License-Identifier: Apache-2.0 */
/* Notes from other threads. See inbox.h. */
#include "port/linux/inbox.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

int inbox_init(struct inbox *box)
{
	memset(box, 0, sizeof(*box));
	pthread_mutex_init(&box->lock, NULL);
	pthread_cond_init(&box->room, NULL);
	box->last = &box->first;
	box->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return box->fd >= 0 ? 0 : errno;
}

void inbox_close(struct inbox *box)
{
	pthread_mutex_lock(&box->lock);
	box->closed = true;
	pthread_cond_broadcast(&box->room);
	pthread_mutex_unlock(&box->lock);
}

void inbox_end(struct inbox *box)
{
	for (struct note *n; (n = inbox_take(box)) != NULL;) {
		note_free(n);
	}
	close(box->fd);
	pthread_cond_destroy(&box->room);
	pthread_mutex_destroy(&box->lock);
}

static void wake(const struct inbox *box)
{
	uint64_t one = 1;

	while (write(box->fd, &one, sizeof(one)) < 0 && errno == EINTR) {
	}
}

static void calm(const struct inbox *box)
{
	uint64_t count;

	while (read(box->fd, &count, sizeof(count)) < 0 && errno == EINTR) {
	}
}

void inbox_put(struct inbox *box, struct note *note)
{
	uint64_t bytes = note->kind == NOTE_MESSAGE ? (uint64_t)note->data_bytes + 256 : 0;
	bool was_empty;

	pthread_mutex_lock(&box->lock);
	while (bytes && box->message_bytes > INBOX_MESSAGE_BYTES_MAX && !box->closed) {
		pthread_cond_wait(&box->room, &box->lock);
	}
	box->message_bytes += bytes;
	note->next = NULL;
	was_empty = box->first == NULL;
	*box->last = note;
	box->last = &note->next;
	if (was_empty) {
		wake(box);
	}
	pthread_mutex_unlock(&box->lock);
}

struct note *inbox_take(struct inbox *box)
{
	struct note *note;

	pthread_mutex_lock(&box->lock);
	note = box->first;
	if (note) {
		box->first = note->next;
		if (note->kind == NOTE_MESSAGE) {
			box->message_bytes -= (uint64_t)note->data_bytes + 256;
			pthread_cond_signal(&box->room);
		}
	}
	if (box->first == NULL) {
		box->last = &box->first;
		calm(box);
	}
	pthread_mutex_unlock(&box->lock);
	return note;
}

struct note *note_new(enum note_kind kind)
{
	struct note *note = calloc(1, sizeof(*note));

	ASSERT(note != NULL);
	note->kind = kind;
	return note;
}

void note_free(struct note *note)
{
	if (note) {
		free(note->topic);
		free(note->data);
		free(note);
	}
}
