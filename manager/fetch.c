/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Downloads of modules over http(s), one after the other in a thread of their own.
 *
 * In:    URLs with the task that waits. Out: bytes or the reason, and a wake-up through an eventfd.
 * Bounds: bytes_max for one module, 30 seconds for one download, QUEUE_MAX that wait.
 */
#include "manager/manager.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define QUEUE_MAX 1000
#define SECONDS   30L

struct fetcher {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct fetch_result *todo, *done;
	size_t count, bytes_max;
	int wake_fd;
	bool stopping;
};

struct sink {
	struct fetch_result *r;
	size_t max;
};

static size_t on_bytes(char *data, size_t one, size_t n, void *user)
{
	struct sink *k = user;
	char *grown;

	if (k->r->size + n > k->max) {
		snprintf(k->r->error, sizeof(k->r->error), "it is larger than %zu bytes", k->max);
		return 0;
	}
	grown = realloc(k->r->bytes, k->r->size + n + 1);
	if (grown == NULL) {
		return 0;
	}
	memcpy(grown + k->r->size, data, n);
	k->r->bytes = grown;
	k->r->size += n;
	return n;
}

static void download(CURL *curl, struct fetch_result *r, size_t max)
{
	struct sink k = {r, max};
	CURLcode rc;

	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_URL, r->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
	curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, SECONDS);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &k);
	rc = curl_easy_perform(curl);
	if (rc != CURLE_OK && r->error[0] == '\0') {
		long status = 0;

		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
		if (rc == CURLE_HTTP_RETURNED_ERROR) {
			snprintf(r->error, sizeof(r->error), "the server answered %ld", status);
		} else {
			snprintf(r->error, sizeof(r->error), "%s", curl_easy_strerror(rc));
		}
	}
}

static struct fetch_result *next_of(struct fetcher *f)
{
	struct fetch_result *r;

	pthread_mutex_lock(&f->lock);
	while (f->todo == NULL && !f->stopping) {
		pthread_cond_wait(&f->work, &f->lock);
	}
	r = f->stopping ? NULL : f->todo;
	if (r != NULL) {
		f->todo = r->next;
		f->count--;
	}
	pthread_mutex_unlock(&f->lock);
	return r;
}

static void finish(struct fetcher *f, struct fetch_result *r)
{
	uint64_t one = 1;
	ssize_t n;

	pthread_mutex_lock(&f->lock);
	r->next = f->done;
	f->done = r;
	pthread_mutex_unlock(&f->lock);
	n = write(f->wake_fd, &one, sizeof(one));
	(void)n;
}

static void *run(void *user)
{
	struct fetcher *f = user;
	CURL *curl = curl_easy_init();
	struct fetch_result *r;

	while ((r = next_of(f)) != NULL) {
		if (curl != NULL) {
			download(curl, r, f->bytes_max);
		} else {
			snprintf(r->error, sizeof(r->error), "out of memory");
		}
		finish(f, r);
	}
	curl_easy_cleanup(curl);
	return NULL;
}

struct fetcher *fetch_start(int wake_fd, size_t bytes_max)
{
	struct fetcher *f = calloc(1, sizeof(*f));

	if (f == NULL) {
		return NULL;
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	f->wake_fd = wake_fd;
	f->bytes_max = bytes_max;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->work, NULL);
	if (pthread_create(&f->thread, NULL, run, f) != 0) {
		free(f);
		return NULL;
	}
	return f;
}

void fetch_add(void *fetcher, const char *url, const char *task_id)
{
	struct fetcher *f = fetcher;
	struct fetch_result *r = calloc(1, sizeof(*r));
	struct fetch_result **at;

	if (r == NULL) {
		return;
	}
	snprintf(r->url, sizeof(r->url), "%s", url);
	snprintf(r->task_id, sizeof(r->task_id), "%s", task_id);
	pthread_mutex_lock(&f->lock);
	if (f->count == QUEUE_MAX) {
		snprintf(r->error, sizeof(r->error), "too many downloads wait");
		r->next = f->done;
		f->done = r;
	} else {
		for (at = &f->todo; *at != NULL; at = &(*at)->next) {
		}
		*at = r;
		f->count++;
		pthread_cond_signal(&f->work);
	}
	pthread_mutex_unlock(&f->lock);
}

struct fetch_result *fetch_take(struct fetcher *f)
{
	struct fetch_result *all;

	pthread_mutex_lock(&f->lock);
	all = f->done;
	f->done = NULL;
	pthread_mutex_unlock(&f->lock);
	return all;
}

void fetch_result_free(struct fetch_result *r)
{
	free(r->bytes);
	free(r);
}

void fetch_stop(struct fetcher *f)
{
	struct fetch_result *next;

	if (f == NULL) {
		return;
	}
	pthread_mutex_lock(&f->lock);
	f->stopping = true;
	pthread_cond_signal(&f->work);
	pthread_mutex_unlock(&f->lock);
	pthread_join(f->thread, NULL);
	for (struct fetch_result *r = f->todo; r != NULL; r = next) {
		next = r->next;
		fetch_result_free(r);
	}
	for (struct fetch_result *r = f->done; r != NULL; r = next) {
		next = r->next;
		fetch_result_free(r);
	}
	curl_global_cleanup();
	free(f);
}
