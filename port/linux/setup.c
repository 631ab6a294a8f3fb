/* SPDX-License-Identifier: Apache-2.0 */
/* Making the worker's parts, and ending them. See worker.h. */
#include "port/linux/worker.h"
#include "port/linux/engines.h"
#include "port/linux/files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
	EXIT_CONFIG = 64,
	EXIT_PLACE = 69,
	EXIT_INTERNAL = 70
};

#define MODULE_BYTES_MAX (100u << 20) /* as Propeller's manager takes at most */
#define SMALL_POOL_BYTES (1u << 20)   /* below it, tables are those of a device */

/* ---- the state folder -------------------------------------------------------------------------*/

static void choose_dir(struct worker *w)
{
	const char *given = w->config.state_dir, *system = getenv("STATE_DIRECTORY");
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	size_t n = sizeof(w->state_dir);

	if (given[0]) {
		snprintf(w->state_dir, n, "%s", given);
	} else if (system && system[0]) {
		snprintf(w->state_dir, n, "%s", system);
	} else if (geteuid() == 0) {
		snprintf(w->state_dir, n, "/var/lib/proplet");
	} else if (xdg && xdg[0]) {
		snprintf(w->state_dir, n, "%s/proplet", xdg);
	} else {
		snprintf(w->state_dir, n, "%s/.local/state/proplet", home ? home : "/tmp");
	}
}

static int lock_dir(struct worker *w)
{
	char path[FILES_PATH_MAX + 8];

	snprintf(path, sizeof(path), "%s/lock", w->state_dir);
	w->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (w->lock_fd < 0) {
		LOG_E("state folder cannot be used; choose another with --state-dir",
		      "dir=%s error=\"%s\"", w->state_dir, strerror(errno));
		return EXIT_PLACE;
	}
	if (flock(w->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		LOG_E("state folder is in use by another proplet; give this one its own with "
		      "--state-dir",
		      "dir=%s", w->state_dir);
		return EXIT_PLACE;
	}
	return 0;
}

static int open_dir(struct worker *w)
{
	int err;

	choose_dir(w);
	err = files_make_dirs(w->state_dir);
	if (err) {
		LOG_E("state folder cannot be made; choose another with --state-dir",
		      "dir=%s error=\"%s\"", w->state_dir, strerror(err));
		return EXIT_PLACE;
	}
	return lock_dir(w);
}

/* The id of the configuration, else the one of the folder, else a new one. */
static int find_id(struct worker *w)
{
	char path[FILES_PATH_MAX + 8], *kept;
	size_t bytes;

	if (w->config.entity_id[0]) {
		snprintf(w->id, sizeof(w->id), "%.64s", w->config.entity_id);
		return 0;
	}
	snprintf(path, sizeof(path), "%s/id", w->state_dir);
	kept = files_get(path, 64, &bytes);
	if (kept && bytes >= 36 && strspn(kept, "0123456789abcdef-") == 36) {
		snprintf(w->id, sizeof(w->id), "%.36s", kept);
		free(kept);
		return 0;
	}
	free(kept);
	sysinfo_uuid(w->id);
	int err = files_put(w->state_dir, "id", w->id, 36);
	if (err) {
		LOG_E("state folder cannot be written", "dir=%s error=\"%s\"", w->state_dir,
		      strerror(err));
		return EXIT_PLACE;
	}
	return 0;
}

static int open_files(struct worker *w)
{
	char path[FILES_PATH_MAX + 16];
	int err;

	TRY(open_dir(w));
	TRY(find_id(w));
	snprintf(path, sizeof(path), "%s/modules", w->state_dir);
	err = store_init(&w->store, path, (uint64_t)w->config.store, w->limits.modules_max);
	err = err ? err : journal_open(&w->journal, w->state_dir);
	err = err ? err : caps_init(&w->caps, &w->config, w->state_dir);
	if (err) {
		LOG_E("state folder cannot be used", "dir=%s error=\"%s\"", w->state_dir,
		      strerror(err));
		return EXIT_PLACE;
	}
	if (w->journal.repair) {
		LOG_W("journal repaired", "what=\"%s\"", w->journal.repair);
	}
	return 0;
}

/* ---- the agent --------------------------------------------------------------------------------*/

static uint32_t clamp(int64_t v, uint32_t least, uint32_t most)
{
	return v < least ? least : v > most ? most : (uint32_t)v;
}

static void fill_limits(struct worker *w)
{
	const struct config *c = &w->config;
	struct agent_limits *l = &w->limits;
	bool small = c->pool < SMALL_POOL_BYTES;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int64_t threads = c->threads ? c->threads : cores;

	l->tasks_max = (uint32_t)c->slots;
	l->modules_max = clamp(c->slots + 8, 8, UINT16_MAX);
	l->slices_max = clamp(threads, 1, RUNNERS_MAX);
	l->slice_fuel = (uint32_t)c->slice_fuel;
	l->message_bytes = clamp(c->rx_buffer, 1024, 1u << 20);
	l->outbox_bytes = small ? 2048 : 1u << 20;
	l->inflight_max = clamp(c->mqtt_inflight, 1, 1000);
	l->rx_buffer_bytes = (uint32_t)c->rx_buffer;
	l->module_bytes_max = clamp(c->store ? c->store : c->pool, 1024, MODULE_BYTES_MAX);
	l->args_max = small ? 16 : 64;
	l->print_bytes = small ? 128 : 4096;
	l->fuel = (uint64_t)c->task_fuel;
	l->time_ms = clamp(c->task_time, 0, UINT32_MAX);
	l->stack_bytes = (uint32_t)c->task_stack;
	l->heap_bytes = (uint32_t)c->task_heap;
	l->memory_bytes = clamp(c->task_memory ? c->task_memory : c->pool, 1, UINT32_MAX);
	l->output_bytes = (uint32_t)c->task_output;
	l->output_bytes_max = small ? 0 : BASE_MAX(l->output_bytes, 1u << 20);
	agent_limits_complete(l);
}

static const char *or_null(const char *text)
{
	return text[0] ? text : NULL;
}

static void fill_node_facts(struct worker *w)
{
	struct agent_config *a = &w->agent_config;

	if (!w->config.collect_system_info) {
		return;
	}
	sysinfo_read(&w->facts);
	a->ip = w->facts.ip;
	a->environment = w->facts.environment;
	a->os = w->facts.os;
	a->hostname = w->facts.hostname;
	a->cpu_arch = w->facts.arch;
	a->total_memory_bytes = w->facts.total_memory_bytes;
}

static int fill_agent_config(struct worker *w)
{
	const struct config *c = &w->config;
	struct agent_config *a = &w->agent_config;
	const char *wrong;

	*a = (struct agent_config){
		.proplet_id = w->id,
		.tenant_id = c->tenant_id,
		.channel_id = c->channel_id,
		.namespace_name = c->namespace,
		.description = or_null(c->description),
		.location = or_null(c->location),
		.version = "0.1.0",
		.tags = (const char *const *)c->tags,
		.labels = (const char *const *)c->labels,
		.capabilities = caps_of_words(c->capabilities, &wrong),
		.flash_bytes = (uint64_t)c->store,
		.power = c->power,
		.seed = sysinfo_random(),
		.heartbeat_ms = (uint32_t)(c->liveliness_interval ? c->liveliness_interval
								  : c->heartbeat_ms),
		.metrics_ms = c->enable_monitoring ? (uint32_t)c->metrics_interval : 0,
		.qos = (uint8_t)c->mqtt_qos,
		.journal = true,
		.store = c->store > 0,
	};
	TRY(trust_read(&w->trust, c) ? EXIT_CONFIG : 0);
	a->images = trust_policy(&w->trust);
	if (wrong) {
		LOG_E("unknown capability; known: kv, time, publish, gpio, sensor, none", "name=%s",
		      wrong);
		return EXIT_CONFIG;
	}
	if (c->gpio_dir[0] && access(c->gpio_dir, X_OK) != 0) {
		LOG_E("the folder of the pins cannot be used; see --gpio-dir",
		      "dir=%s error=\"%s\"", c->gpio_dir, strerror(errno));
		return EXIT_CONFIG;
	}
	fill_node_facts(w);
	return 0;
}

static int make_agent(struct worker *w)
{
	const struct agent_engine *engine = engines_find(w->config.engine, (size_t)w->config.pool);
	size_t mem_bytes = agent_mem_bytes(&w->limits);
	size_t text_bytes =
		6 * (size_t)BASE_MAX(w->limits.output_bytes_max, w->limits.output_bytes) +
		(256u << 10);
	enum agent_err err;

	CHECK(engine != NULL, EXIT_CONFIG);
	w->mem = aligned_alloc(64, base_align_up(mem_bytes, 64));
	w->pool_bytes = (size_t)w->config.pool;
	w->pool = mmap(NULL, w->pool_bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	w->actions.text = malloc(text_bytes);
	w->actions.text_bytes = (uint32_t)text_bytes;
	if (w->mem == NULL || w->pool == MAP_FAILED || w->actions.text == NULL) {
		LOG_E("no memory for the pool; take a smaller --pool or fewer --slots",
		      "pool=%zu tables=%zu", w->pool_bytes, mem_bytes);
		return EXIT_PLACE;
	}
	err = agent_init(&w->agent, &w->agent_config, &w->limits, engine, w->mem, mem_bytes,
			 w->pool, w->pool_bytes);
	if (err) {
		LOG_E(err == AGENT_ERR_MEMORY
			      ? "the pool is too small for any task; take a larger --pool"
			      : "a name or limit is out of its range",
		      "pool=%zu", w->pool_bytes);
		return EXIT_CONFIG;
	}
	return 0;
}

/* ---- all of it --------------------------------------------------------------------------------*/

static int start_threads(struct worker *w)
{
	int err = inbox_init(&w->inbox);

	err = err ? err : runners_start(&w->runners, w->limits.slices_max, &w->inbox);
	if (err) {
		LOG_E("cannot start threads", "error=\"%s\"", strerror(err));
		return EXIT_INTERNAL;
	}
	w->mqtt = mqtt_new(&w->config, w->id, &w->inbox);
	return w->mqtt ? 0 : EXIT_CONFIG;
}

static int take_signals(struct worker *w)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	w->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return w->signal_fd >= 0 ? 0 : EXIT_INTERNAL;
}

int worker_start(struct worker *w)
{
	log_set_level(w->config.log_level);
	TRY(take_signals(w));
	fill_limits(w);
	TRY(open_files(w));
	TRY(fill_agent_config(w));
	TRY(make_agent(w));
	TRY(start_threads(w));
	TRY(status_start(&w->status, (int)w->config.metrics_port) ? EXIT_PLACE : 0);
	LOG_I("started",
	      "id=%s tenant=%s channel=%s broker=%s pool=%zu slots=%u threads=%u engine=%s "
	      "state=%s",
	      w->id, w->config.tenant_id, w->config.channel_id, w->config.mqtt_address,
	      w->pool_bytes, w->limits.tasks_max, w->limits.slices_max, w->config.engine,
	      w->state_dir);
	return 0;
}

void worker_end(struct worker *w)
{
	status_end(&w->status);
	inbox_close(&w->inbox);
	runners_end(&w->runners);
	if (!mqtt_end(w->mqtt, 500)) {
		return; /* its thread still uses the inbox: the process ends with it */
	}
	inbox_end(&w->inbox);
	journal_close(&w->journal);
	store_end(&w->store);
	free(w->answers);
	free(w->answer_owned);
	note_free(w->note);
	free(w->actions.text);
	munmap(w->pool, w->pool_bytes);
	free(w->mem);
	close(w->signal_fd);
	close(w->lock_fd);
	config_free(&w->config);
}
