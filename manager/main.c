/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proplet-manager: the main loop.
 *
 *     wait -> messages, downloads, requests, time -> commit -> publish, answer
 *
 * One thread does all of that; libmosquitto's thread moves bytes, another one downloads modules.
 */
#include "manager/manager.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define IDLE_MS      1000
#define STANDBY_MS   500
#define MODULE_BYTES (100u << 20)
#define EX_SOFTWARE  70
#define EX_CONFIG    78

struct program {
	struct settings settings;
	struct service service;
	struct http_server *http;
	struct mqtt *mqtt;
	struct fetcher *fetcher;
	struct compiler *compiler;
	char *cert, *key;
	int wake_fd, signal_fd;
	bool stop;
};

static int fail(const char *error)
{
	fprintf(stderr, "proplet-manager: %s\n", error);
	return EX_CONFIG;
}

static char *read_pem(const char *path, char *error, size_t error_bytes)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 65536);

	if (f == NULL || text == NULL || fread(text, 1, 65535, f) == 0) {
		snprintf(error, error_bytes, "cannot read '%s': %s", path, strerror(errno));
		free(text);
		text = NULL;
	}
	if (f != NULL) {
		fclose(f);
	}
	return text;
}

/* Where images and their key lie. */
static void aot_dir(const struct settings *s, char *out, size_t bytes)
{
	const char *path = s->store;

	out[0] = '\0';
	if (s->aot_dir[0] != '\0') {
		snprintf(out, bytes, "%s", s->aot_dir);
	} else if (strncmp(path, "postgres", 8) == 0) {
		snprintf(out, bytes, "proplet-manager.aot");
	} else if (strncmp(path, "sqlite:", 7) == 0 && strcmp(path, "sqlite::memory:") != 0) {
		path += strncmp(path, "sqlite://", 9) == 0 ? 9 : 7;
		snprintf(out, bytes, "%.500s.aot", path);
	}
}

static bool open_service(struct program *p, char *error, size_t error_bytes)
{
	const struct settings *s = &p->settings;
	struct service_limits limits = {(uint32_t)s->nodes_max, (uint32_t)s->tasks_max};
	struct service_config config = {
		.lease_ms = (uint32_t)s->lease_ms,
		.inline_bytes = (uint32_t)s->inline_bytes,
		.chunk_bytes = 512000,
		.serve_registry = s->serve_registry,
		.qos = (int)s->qos,
	};
	struct manager_config core;

	config.images = (struct image_config){.starts = (uint32_t)s->aot_starts,
					      .run_ms = (uint32_t)s->aot_run_ms,
					      .queue = (uint32_t)s->aot_queue,
					      .retry_ms = (uint32_t)s->aot_retry_ms,
					      .compile = compile_add,
					      .user = p->compiler};
	aot_dir(s, config.images.dir, sizeof(config.images.dir));
	snprintf(config.images.mode, sizeof(config.images.mode), "%.7s", s->aot);
	manager_config_default(&core);
	core.heartbeat_ms = (uint32_t)s->heartbeat_ms;
	core.stop_wait_ms = (uint32_t)s->stop_wait_ms;
	core.start_wait_ms = (uint32_t)s->start_wait_ms;
	core.queue = s->queue;
	core.seed = randombytes_random();
	snprintf(config.tenant, sizeof(config.tenant), "%.120s", s->tenant);
	snprintf(config.channel, sizeof(config.channel), "%.120s", s->channel);
	snprintf(config.entity_id, sizeof(config.entity_id), "%.60s", s->entity);
	return service_open(&p->service, &config, &limits, &core, s->store, s->quick, error,
			    error_bytes);
}

static bool open_http(struct program *p, char *error, size_t error_bytes)
{
	const struct settings *s = &p->settings;
	struct http_config config = {.port = (int)s->http_port,
				     .version = PROPLET_VERSION,
				     .fetch = fetch_add,
				     .fetch_user = p->fetcher};

	if (s->http_cert[0] != '\0') {
		p->cert = read_pem(s->http_cert, error, error_bytes);
		p->key = p->cert != NULL ? read_pem(s->http_key, error, error_bytes) : NULL;
		if (p->key == NULL) {
			return false;
		}
		config.cert = p->cert;
		config.key = p->key;
	}
	snprintf(config.host, sizeof(config.host), "%.63s", s->http_host);
	p->http = http_start(&config, &p->service, error, error_bytes);
	return p->http != NULL;
}

static bool open_signals(struct program *p)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	p->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	p->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return p->signal_fd >= 0 && p->wake_fd >= 0;
}

/* Waits until no other manager has the store; false when this one is asked to end meanwhile. */
static bool stand_by(struct program *p)
{
	struct pollfd fd = {.fd = p->signal_fd, .events = POLLIN};
	bool told = false;

	while (p->settings.standby && store_taken(p->settings.store)) {
		if (!told) {
			log_line("info", "msg=\"stands by: another manager has the store\"");
			told = true;
		}
		if (poll(&fd, 1, STANDBY_MS) > 0) {
			return false;
		}
	}
	return true;
}

static int set_up(struct program *p)
{
	char error[512] = "";
	bool ok;

	if (sodium_init() < 0 || !open_signals(p)) {
		return fail("the system gives no random numbers or signals");
	}
	p->fetcher = fetch_start(p->wake_fd, MODULE_BYTES);
	p->compiler = compile_start(&p->settings, p->wake_fd);
	if (p->fetcher == NULL || p->compiler == NULL) {
		return fail("out of memory");
	}
	do {
		if (!stand_by(p)) {
			p->stop = true;
			return 0;
		}
		ok = open_service(p, error, sizeof(error));
	} while (!ok && p->settings.standby && store_taken(p->settings.store));
	if (!ok || !open_http(p, error, sizeof(error))) {
		return fail(error);
	}
	p->mqtt = mqtt_start(&p->settings, p->wake_fd, error, sizeof(error));
	if (p->mqtt == NULL) {
		return fail(error);
	}
	log_line("info",
		 "msg=\"ready\" version=%s http=http%s://%s:%lld store=\"%s\" prefix=m/%s/c/%s",
		 PROPLET_VERSION, p->cert != NULL ? "s" : "", p->settings.http_host,
		 (long long)p->settings.http_port,
		 strncmp(p->settings.store, "postgres", 8) == 0 ? "postgres" : p->settings.store,
		 p->settings.tenant, p->settings.channel);
	return 0;
}

static void wait_for_work(struct program *p)
{
	struct service *s = &p->service;
	uint64_t wake = service_wake_ms(s);
	int timeout = wake <= s->now_ms            ? 0
		      : wake - s->now_ms < IDLE_MS ? (int)(wake - s->now_ms)
						   : IDLE_MS;
	struct pollfd fds[] = {{.fd = p->wake_fd, .events = POLLIN},
			       {.fd = http_fd(p->http), .events = POLLIN},
			       {.fd = p->signal_fd, .events = POLLIN}};
	uint64_t count;

	if (poll(fds, 3, http_timeout_ms(p->http, timeout)) < 0 && errno != EINTR) {
		log_line("error", "msg=\"poll failed\" reason=\"%s\"", strerror(errno));
	}
	if (fds[0].revents != 0 && read(p->wake_fd, &count, sizeof(count)) < 0) {
		count = 0; /* somebody else's wake-up: nothing is lost */
	}
	p->stop = fds[2].revents != 0;
	service_time(s);
}

static void take_messages(struct program *p)
{
	struct mqtt_message *next;

	for (struct mqtt_message *m = mqtt_take(p->mqtt); m != NULL; m = next) {
		next = m->next;
		service_message(&p->service, m->topic, m->payload, m->bytes);
		mqtt_message_free(m);
	}
}

static void take_downloads(struct program *p)
{
	struct fetch_result *next;

	for (struct fetch_result *r = fetch_take(p->fetcher); r != NULL; r = next) {
		next = r->next;
		service_downloaded(&p->service, r->task_id, r->url, r->bytes, r->size, r->error);
		fetch_result_free(r);
	}
}

static void take_images(struct program *p)
{
	struct compile_job *next;

	for (struct compile_job *j = compile_take(p->compiler); j != NULL; j = next) {
		next = j->next;
		images_compiled(&p->service, j);
		compile_free(j);
	}
}

static void publish_all(struct program *p)
{
	for (size_t i = 0; i < p->service.outbox_count; i++) {
		mqtt_publish(p->mqtt, &p->service.outbox[i]);
	}
	service_outbox_clear(&p->service);
}

static void run(struct program *p)
{
	char trouble[256];
	bool connected = false;

	while (!p->stop) {
		wait_for_work(p);
		take_messages(p);
		take_downloads(p);
		take_images(p);
		images_tick(&p->service);
		mqtt_trouble(p->mqtt, trouble, sizeof(trouble));
		if (trouble[0] == '\0' && !connected) {
			service_connected(&p->service);
		}
		connected = trouble[0] == '\0';
		http_set_broker(p->http, trouble);
		http_run(p->http);
		if (service_wake_ms(&p->service) <= p->service.now_ms) {
			service_tick(&p->service);
		}
		service_commit(&p->service);
		publish_all(p);
		http_after_commit(p->http);
	}
}

static void tear_down(struct program *p)
{
	http_stop(p->http);
	if (p->mqtt != NULL) {
		mqtt_stop(p->mqtt);
	}
	fetch_stop(p->fetcher);
	compile_stop(p->compiler);
	if (p->service.store != NULL) {
		service_close(&p->service);
	}
	free(p->cert);
	free(p->key);
}

int main(int argc, char **argv)
{
	static struct program program;
	static const char *const levels[] = {"debug", "info", "warn", "error"};
	int status = settings_read(&program.settings, argc, argv);

	if (status >= 0) {
		return status;
	}
	for (int i = 0; i < 4; i++) {
		if (strcmp(levels[i], program.settings.log_level) == 0) {
			log_threshold = i;
		}
	}
	status = set_up(&program);
	if (status == 0 && !program.stop) {
		run(&program);
		log_line("info", "msg=\"ending; tasks go on, their results wait at the broker\"");
	}
	tear_down(&program);
	return status;
}
