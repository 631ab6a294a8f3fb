/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What other threads tell the main thread: notes in the order they came, and a descriptor to poll.
 *
 * Rules: 1. A note belongs to who took it; note_free ends it.
 *        2. Messages wait for room when the main thread is behind, so a flood ends in the broker's
 *           own flow control and not in memory here; all other notes always go in.
 */
#ifndef LINUX_INBOX_H
#define LINUX_INBOX_H

#include "agent/engine.h"
#include "base/base.h"

#include <pthread.h>

enum note_kind {
	NOTE_CONNECTED,    /* flag: session present; text: this host's address */
	NOTE_DISCONNECTED, /* text: why */
	NOTE_SUBSCRIBED,   /* flag: all filters were granted */
	NOTE_MESSAGE,      /* topic, data */
	NOTE_PUBLISHED,    /* number: message id; flag: ok */
	NOTE_SLICE,        /* number: slot, status */
};

struct note {
	struct note *next;
	enum note_kind kind;
	bool flag;
	int number;
	enum agent_run_status status;
	char text[128];
	char *topic;
	uint8_t *data;
	uint32_t topic_bytes, data_bytes;
};

struct inbox {
	pthread_mutex_t lock;
	pthread_cond_t room;
	struct note *first, **last;
	uint64_t message_bytes;
	bool closed;
	int fd; /* readable when there is a note */
};

#define INBOX_MESSAGE_BYTES_MAX (32u << 20)

/* 0 or an errno. */
MUST_USE int inbox_init(struct inbox *box);
/* Nobody waits for room any more. */
void inbox_close(struct inbox *box);
void inbox_end(struct inbox *box);
/* Takes the note. */
void inbox_put(struct inbox *box, struct note *note);
/* The oldest note, or NULL. */
struct note *inbox_take(struct inbox *box);

/* A new note; aborts the program when there is no memory for it. */
struct note *note_new(enum note_kind kind);
void note_free(struct note *note);

#endif
