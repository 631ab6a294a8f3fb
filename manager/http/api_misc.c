/* SPDX-License-Identifier: Apache-2.0 */
/* Health, figures, events, modules, and what is not built in. */
#include "manager/http/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

void api_index(struct call *c)
{
	static const char page[] =
		"<!doctype html><meta charset=utf-8><title>Proplet manager</title>"
		"<h1>Proplet manager</h1><p>It places WebAssembly tasks on a fleet.</p><ul>"
		"<li><a href=/proplets>/proplets</a> the workers"
		"<li><a href=/tasks>/tasks</a> the tasks"
		"<li><a href=/openapi.json>/openapi.json</a> the whole API"
		"<li><a href=/metrics>/metrics</a> figures for Prometheus"
		"<li><a href=/health>/health</a></ul>"
		"<p>From a terminal: <code>propctl status</code>\n";

	call_text(c, 200, "text/html; charset=utf-8", strdup(page), sizeof(page) - 1);
}

void api_health(struct call *c)
{
	const char *trouble = http_broker_trouble(c->server);
	struct manager_counts n;

	manager_count(c->s->core, &n);
	call_json(c, 200,
		  json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s*, s:I, s:I, s:I}", "status",
			    trouble == NULL ? "pass" : "warn", "version",
			    http_config_of(c->server)->version, "commit", "", "description",
			    "manager service", "build_time", "", "instance_id",
			    c->s->config.entity_id, "broker",
			    trouble == NULL ? "connected" : "disconnected", "broker_trouble",
			    trouble, "proplets_alive", (json_int_t)n.nodes_alive, "tasks_live",
			    (json_int_t)n.tasks_live, "uptime_ms",
			    (json_int_t)(c->s->now_ms - c->s->started_ms)));
}

struct out {
	char *text;
	size_t bytes, capacity;
};

__attribute__((format(printf, 2, 3))) static void put(struct out *o, const char *format, ...)
{
	va_list args;
	int n;

	if (o->capacity - o->bytes < 512) {
		char *grown = realloc(o->text, o->capacity * 2 + 4096);

		if (grown == NULL) {
			return;
		}
		o->text = grown;
		o->capacity = o->capacity * 2 + 4096;
	}
	va_start(args, format);
	n = vsnprintf(o->text + o->bytes, o->capacity - o->bytes, format, args);
	va_end(args);
	o->bytes += (size_t)n;
}

static void put_one(struct out *o, const char *name, const char *type, const char *help, double v)
{
	put(o,
	    "# HELP proplet_manager_%s %s\n# TYPE proplet_manager_%s %s\nproplet_manager_%s "
	    "%.17g\n",
	    name, help, name, type, name, v);
}

static void put_requests(struct out *o, struct call *c)
{
	const struct http_count *counts = http_counts(c->server);

	put(o, "# TYPE manager_api_request_count counter\n");
	for (int i = 0; routes[i].method != NULL; i++) {
		put(o, "manager_api_request_count{method=\"%s\"} %llu\n", routes[i].name,
		    (unsigned long long)counts[i].count);
	}
	put(o, "# TYPE manager_api_request_latency_microseconds summary\n");
	for (int i = 0; routes[i].method != NULL; i++) {
		put(o, "manager_api_request_latency_microseconds_sum{method=\"%s\"} %llu\n",
		    routes[i].name, (unsigned long long)counts[i].sum_us);
		put(o, "manager_api_request_latency_microseconds_count{method=\"%s\"} %llu\n",
		    routes[i].name, (unsigned long long)counts[i].count);
	}
}

static double rss_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long pages = 0;

	if (f != NULL) {
		if (fscanf(f, "%*s %ld", &pages) != 1) {
			pages = 0;
		}
		fclose(f);
	}
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

void api_metrics(struct call *c)
{
	const struct service_stats *st = &c->s->stats;
	struct manager_counts n;
	struct image_stats im;
	struct out o = {0};
	struct rusage u;

	manager_count(c->s->core, &n);
	getrusage(RUSAGE_SELF, &u);
	put_one(&o, "proplets", "gauge", "Workers known.", n.nodes);
	put_one(&o, "proplets_alive", "gauge", "Workers alive.", n.nodes_alive);
	put_one(&o, "tasks_live", "gauge", "Tasks that have not ended, or will run again.",
		n.tasks_live);
	put_one(&o, "tasks_queued", "gauge", "Tasks that wait for a node.", n.tasks_queued);
	put_one(&o, "tasks_assigned", "gauge", "Tasks on a node.", n.tasks_assigned);
	put_one(&o, "tasks_started_total", "counter", "Assignments.", (double)n.started);
	put_one(&o, "tasks_ended_total", "counter", "Ends of tasks.", (double)n.ended);
	put_one(&o, "tasks_reassigned_total", "counter", "Tasks taken from a lost node.",
		(double)n.reassigned);
	put_one(&o, "tasks_balanced_total", "counter", "Tasks that moved to a node that came back.",
		(double)n.balanced);
	put_one(&o, "tasks_preempted_total", "counter", "Tasks that made room for others.",
		(double)n.preempted);
	put_one(&o, "results_late_total", "counter", "Results of an old epoch, refused.",
		(double)n.late);
	put_one(&o, "messages_in_total", "counter", "Messages of workers.",
		(double)st->messages_in);
	put_one(&o, "messages_out_total", "counter", "Messages to workers.",
		(double)st->messages_out);
	put_one(&o, "messages_bad_total", "counter", "Messages refused.", (double)st->bad_messages);
	put_one(&o, "log_lines_total", "counter", "Lines and values of tasks.", (double)st->logs);
	images_stats(c->s, &im);
	put_one(&o, "aot_compiles_total", "counter", "Compilations begun.", (double)im.compiles);
	put_one(&o, "aot_failures_total", "counter", "Compilations that failed.",
		(double)im.failures);
	put_one(&o, "aot_starts_total", "counter", "Starts that named a native image.",
		(double)im.starts);
	put_one(&o, "aot_refusals_total", "counter", "Native images that a worker refused.",
		(double)im.refusals);
	put_one(&o, "broker_connected", "gauge", "1 while connected to the broker.",
		http_broker_trouble(c->server) == NULL);
	put_one(&o, "resident_memory_bytes", "gauge", "Memory of this process.", rss_bytes());
	put_one(&o, "cpu_seconds_total", "counter", "Processor time of this process.",
		(double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6 +
			(double)u.ru_stime.tv_sec + (double)u.ru_stime.tv_usec / 1e6);
	put_requests(&o, c);
	call_text(c, 200, "text/plain; version=0.0.4", o.text, o.bytes);
}

void api_events(struct call *c)
{
	http_stream(c);
}

void api_fl(struct call *c)
{
	call_error(c, 501, "federated learning is not built into this manager");
}

/* ---- modules ---- */

static json_t *module_json(const struct store_module *m)
{
	char stamp[40];

	return json_pack("{s:s, s:s*, s:I, s:s}", "digest", m->digest, "source", m->source, "size",
			 (json_int_t)m->size, "created_at", time_text(m->created_ms, stamp));
}

struct listing {
	struct service *s;
	json_t *json;
};

static json_t *with_images(struct listing *l, const struct store_module *m)
{
	json_t *o = module_json(m), *images = images_json(l->s, m->digest);

	if (json_array_size(images) != 0) {
		json_object_set(o, "images", images);
	}
	json_decref(images);
	return o;
}

static void add_module(void *user, const struct store_module *m)
{
	struct listing *l = user;

	json_array_append_new(l->json, with_images(l, m));
}

static void one_module(void *user, const struct store_module *m)
{
	struct listing *l = user;

	l->json = with_images(l, m);
}

void api_module_create(struct call *c)
{
	const char *source = call_query(c, "source");
	char digest[72], error[SERVICE_TEXT];

	if (c->body_bytes == 0) {
		call_error(c, 400, "the body is empty; send the module's bytes");
		return;
	}
	if (!module_keep(c->s, c->body, c->body_bytes, source, digest, error, sizeof(error))) {
		call_error(c, 400, "%s", error);
		return;
	}
	snprintf(c->location, sizeof(c->location), "/modules/%s", digest);
	call_json(c, 201,
		  json_pack("{s:s, s:I}", "digest", digest, "size", (json_int_t)c->body_bytes));
}

void api_modules(struct call *c)
{
	uint64_t offset, limit, total = 0;
	struct listing list = {.s = c->s};

	if (!call_page(c, 100, 1000, &offset, &limit)) {
		return;
	}
	list.json = json_array();
	if (store_module_list(c->s->store, offset, limit, add_module, &list) != STORE_OK ||
	    store_module_count(c->s->store, &total) != STORE_OK) {
		json_decref(list.json);
		call_store_failed(c);
		return;
	}
	call_json(c, 200, call_envelope(offset, limit, total, "modules", list.json));
}

static void module_found(struct call *c)
{
	struct listing one = {.s = c->s};
	enum store_err err = store_module_get(c->s->store, c->segments[1], one_module, &one);

	if (err != STORE_OK) {
		call_store_error(c, err, "module");
		return;
	}
	call_json(c, 200, one.json);
}

/* Several images may be on their way: whoever waits for all of them asks again. */
void api_module(struct call *c)
{
	char key[MANAGER_ID_BYTES];
	uint64_t wait_ms;

	if (!call_number(c, "wait_ms", 0, 3600000, &wait_ms)) {
		return;
	}
	if (wait_ms != 0 && images_wait_key(c->s, c->segments[1], key)) {
		call_wait(c, key, wait_ms, module_found);
	} else {
		module_found(c);
	}
}

void api_module_compile(struct call *c)
{
	struct listing one = {.s = c->s};
	enum store_err err = store_module_get(c->s->store, c->segments[1], one_module, &one);
	const char *wrong;
	json_t *targets;

	json_decref(one.json);
	if (err != STORE_OK) {
		call_store_error(c, err, "module");
		return;
	}
	targets = json_array();
	wrong = images_want(c->s, c->segments[1], call_query(c, "target"), targets);
	if (wrong != NULL) {
		json_decref(targets);
		call_error(c, 409, "%s", wrong);
		return;
	}
	call_json(c, 202,
		  json_pack("{s:s, s:o, s:o}", "digest", c->segments[1], "targets", targets,
			    "images", images_json(c->s, c->segments[1])));
}

void api_aot(struct call *c)
{
	call_json(c, 200, images_about(c->s));
}

void api_module_bytes(struct call *c)
{
	struct module_bytes m;
	char *copy;

	if (!module_bytes(c->s, c->segments[1], &m)) {
		call_error(c, 404, "module not found");
		return;
	}
	copy = malloc(m.size + 1);
	if (copy == NULL) {
		call_error(c, 503, "out of memory");
		return;
	}
	memcpy(copy, m.bytes, m.size);
	call_text(c, 200, "application/wasm", copy, m.size);
}
