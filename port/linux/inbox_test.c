/* SPDX-License-Identifier: Apache-2.0 */
/* The inbox: order kept per thread, messages wait for room, closing lets everybody go. */
#include "port/linux/inbox.h"
#include "test/test.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	NOTES = 20000,
	THREADS = 3
};

static struct inbox box;

static void *put_numbers(void *arg)
{
	for (int i = 0; i < NOTES; i++) {
		struct note *n = note_new(NOTE_PUBLISHED);

		n->number = i;
		n->status = (enum agent_run_status)(intptr_t)arg;
		inbox_put(&box, n);
	}
	return NULL;
}

static bool is_readable(void)
{
	struct pollfd p = {.fd = box.fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

TEST(order_of_each_thread)
{
	pthread_t threads[THREADS];
	int next[THREADS] = {0}, got = 0;

	EXPECT_EQ(inbox_init(&box), 0);
	EXPECT(!is_readable());
	for (intptr_t i = 0; i < THREADS; i++) {
		pthread_create(&threads[i], NULL, put_numbers, (void *)i);
	}
	while (got < NOTES * THREADS) {
		struct pollfd p = {.fd = box.fd, .events = POLLIN};
		struct note *n;

		EXPECT_EQ(poll(&p, 1, 10000), 1);
		while ((n = inbox_take(&box)) != NULL) {
			EXPECT_EQ(n->number, next[n->status]++);
			note_free(n);
			got++;
		}
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
	EXPECT(!is_readable());
	inbox_end(&box);
}

static void put_message(uint32_t bytes)
{
	struct note *n = note_new(NOTE_MESSAGE);

	n->data = malloc(bytes);
	n->data_bytes = bytes;
	inbox_put(&box, n);
}

static void *put_messages(void *arg)
{
	for (int i = 0; i < 40; i++) {
		put_message(4u << 20);
	}
	return NULL;
}

TEST(messages_wait_for_room)
{
	pthread_t thread;
	int got = 0;

	EXPECT_EQ(inbox_init(&box), 0);
	pthread_create(&thread, NULL, put_messages, NULL);
	while (got < 40) {
		struct note *n = inbox_take(&box);

		pthread_mutex_lock(&box.lock);
		EXPECT(box.message_bytes <= INBOX_MESSAGE_BYTES_MAX + (5u << 20));
		pthread_mutex_unlock(&box.lock);
		got += n != NULL;
		note_free(n);
	}
	pthread_join(thread, NULL);
	inbox_end(&box);
}

TEST(closing_lets_go)
{
	pthread_t thread;

	EXPECT_EQ(inbox_init(&box), 0);
	pthread_create(&thread, NULL, put_messages, NULL);
	while (!is_readable()) {
	}
	inbox_close(&box);
	pthread_join(thread, NULL);
	inbox_end(&box);
}

TEST_MAIN(T(order_of_each_thread) T(messages_wait_for_room) T(closing_lets_go))
