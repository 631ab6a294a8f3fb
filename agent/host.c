/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/host.h"
#include "agent/host_list.h"
#include "base/num.h"

typedef enum rotor_host host_fn(struct agent_run *run, struct agent_call *call);

static enum rotor_host done(struct agent_call *call, int32_t result)
{
	call->result = (uint32_t)result;
	return ROTOR_HOST_DONE;
}

static enum rotor_host bad_pointer(struct agent_call *call)
{
	call->trap = "a host function got a pointer outside the memory";
	return ROTOR_HOST_TRAP;
}

/* No bytes are everywhere, even in a module without a memory. */
static void *memory(struct agent_run *run, uint64_t at, uint64_t bytes)
{
	if ((uint32_t)bytes == 0) {
		return run;
	}
	return run->engine->memory_at(run->instance, (uint32_t)at, (uint32_t)bytes);
}

/* Copies text to the module's buffer, as much as fits; answers its whole length. */
static enum rotor_host copy_out(struct agent_run *run, struct agent_call *call,
				struct wire_text text, uint64_t at, uint64_t cap)
{
	int32_t room = BASE_MAX((int32_t)cap, 0);
	uint32_t n = BASE_MIN(text.bytes, (uint32_t)room);
	void *to = memory(run, at, n);

	if (to == NULL) {
		return bad_pointer(call);
	}
	memcpy(to, text.at, n);
	return done(call, (int32_t)text.bytes);
}

/* ---- inputs */

static bool input(const struct agent_run *run, const struct agent_call *call, struct wire_text *out)
{
	return wire_list_item(&run->inputs, (uint32_t)call->arg[0], out);
}

static host_fn input_count, input_len, input_copy, input_i64, input_f64;

static enum rotor_host input_count(struct agent_run *run, struct agent_call *call)
{
	return done(call, (int32_t)run->inputs.count);
}

static enum rotor_host input_len(struct agent_run *run, struct agent_call *call)
{
	struct wire_text text;

	return done(call, input(run, call, &text) ? (int32_t)text.bytes : AGENT_HOST_NOT_FOUND);
}

static enum rotor_host input_copy(struct agent_run *run, struct agent_call *call)
{
	struct wire_text text;

	if (!input(run, call, &text)) {
		return done(call, AGENT_HOST_NOT_FOUND);
	}
	return copy_out(run, call, text, call->arg[1], call->arg[2]);
}

static enum rotor_host input_i64(struct agent_run *run, struct agent_call *call)
{
	struct wire_text text;
	int64_t v = 0;

	if (input(run, call, &text)) {
		num_i64(text.at, text.bytes, &v);
	}
	call->result = (uint64_t)v;
	return ROTOR_HOST_DONE;
}

static enum rotor_host input_f64(struct agent_run *run, struct agent_call *call)
{
	struct wire_text text;
	double v = 0;

	if (input(run, call, &text)) {
		num_f64(text.at, text.bytes, &v);
	}
	memcpy(&call->result, &v, sizeof(v));
	return ROTOR_HOST_DONE;
}

/* ---- effects */

static enum rotor_host later(struct agent_run *run, struct agent_effect effect)
{
	run->effect = effect;
	return ROTOR_HOST_LATER;
}

static bool granted(const struct agent_run *run, enum agent_cap cap)
{
	return (run->caps >> cap & 1) != 0;
}

static host_fn publish, log_line, publish_to, sleep_ms, time_ms, node_id;

static enum rotor_host publish(struct agent_run *run, struct agent_call *call)
{
	if (memory(run, call->arg[0], call->arg[1]) == NULL) {
		return bad_pointer(call);
	}
	return later(run, (struct agent_effect){.kind = AGENT_EFFECT_PUBLISH,
						.data_at = (uint32_t)call->arg[0],
						.data_bytes = (uint32_t)call->arg[1]});
}

static enum rotor_host log_line(struct agent_run *run, struct agent_call *call)
{
	if (memory(run, call->arg[1], call->arg[2]) == NULL) {
		return bad_pointer(call);
	}
	return later(run, (struct agent_effect){.kind = AGENT_EFFECT_LOG,
						.value = {(int32_t)call->arg[0]},
						.data_at = (uint32_t)call->arg[1],
						.data_bytes = (uint32_t)call->arg[2]});
}

static enum rotor_host publish_to(struct agent_run *run, struct agent_call *call)
{
	if (!granted(run, AGENT_CAP_PUBLISH)) {
		return done(call, AGENT_HOST_DENIED);
	}
	if (memory(run, call->arg[0], call->arg[1]) == NULL ||
	    memory(run, call->arg[2], call->arg[3]) == NULL) {
		return bad_pointer(call);
	}
	return later(run, (struct agent_effect){.kind = AGENT_EFFECT_PUBLISH_TO,
						.name_at = (uint32_t)call->arg[0],
						.name_bytes = (uint32_t)call->arg[1],
						.data_at = (uint32_t)call->arg[2],
						.data_bytes = (uint32_t)call->arg[3]});
}

static enum rotor_host node_id(struct agent_run *run, struct agent_call *call)
{
	return copy_out(run, call, wire_text_of(run->proplet_id), call->arg[0], call->arg[1]);
}

static enum rotor_host time_ms(struct agent_run *run, struct agent_call *call)
{
	if (!granted(run, AGENT_CAP_TIME)) {
		call->result = (uint64_t)(int64_t)AGENT_HOST_DENIED;
	} else {
		call->result = run->wall_ms != 0 ? (uint64_t)run->wall_ms : run->now_ms;
	}
	return ROTOR_HOST_DONE;
}

static enum rotor_host sleep_ms(struct agent_run *run, struct agent_call *call)
{
	if (!granted(run, AGENT_CAP_TIME)) {
		return done(call, AGENT_HOST_DENIED);
	}
	return later(run,
		     (struct agent_effect){
			     .kind = AGENT_EFFECT_SLEEP,
			     .wake_ms = run->now_ms + (uint32_t)BASE_MAX((int32_t)call->arg[0], 0),
		     });
}

/* A capability that the port carries out. */
static enum rotor_host host(struct agent_run *run, struct agent_call *call, enum agent_cap cap,
			    struct agent_effect effect)
{
	if (!granted(run, cap)) {
		return done(call, AGENT_HOST_DENIED);
	}
	if (memory(run, effect.name_at, effect.name_bytes) == NULL ||
	    memory(run, effect.data_at, effect.data_bytes) == NULL) {
		return bad_pointer(call);
	}
	effect.kind = AGENT_EFFECT_HOST;
	return later(run, effect);
}

static host_fn kv_get, kv_set, kv_delete, sensor_read, gpio_read, gpio_write;

static enum rotor_host kv_get(struct agent_run *run, struct agent_call *call)
{
	return host(run, call, AGENT_CAP_KV,
		    (struct agent_effect){
			    .op = AGENT_HOST_KV_GET,
			    .name_at = (uint32_t)call->arg[0],
			    .name_bytes = (uint32_t)call->arg[1],
			    .data_at = (uint32_t)call->arg[2],
			    .data_bytes = (uint32_t)BASE_MAX((int32_t)call->arg[3], 0),
		    });
}

static enum rotor_host kv_set(struct agent_run *run, struct agent_call *call)
{
	return host(run, call, AGENT_CAP_KV,
		    (struct agent_effect){
			    .op = AGENT_HOST_KV_SET,
			    .name_at = (uint32_t)call->arg[0],
			    .name_bytes = (uint32_t)call->arg[1],
			    .data_at = (uint32_t)call->arg[2],
			    .data_bytes = (uint32_t)call->arg[3],
		    });
}

static enum rotor_host kv_delete(struct agent_run *run, struct agent_call *call)
{
	return host(run, call, AGENT_CAP_KV,
		    (struct agent_effect){.op = AGENT_HOST_KV_DELETE,
					  .name_at = (uint32_t)call->arg[0],
					  .name_bytes = (uint32_t)call->arg[1]});
}

static enum rotor_host sensor_read(struct agent_run *run, struct agent_call *call)
{
	return host(run, call, AGENT_CAP_SENSOR,
		    (struct agent_effect){.op = AGENT_HOST_SENSOR,
					  .name_at = (uint32_t)call->arg[0],
					  .name_bytes = (uint32_t)call->arg[1],
					  .data_at = (uint32_t)call->arg[2],
					  .data_bytes = sizeof(double)});
}

static enum rotor_host gpio_read(struct agent_run *run, struct agent_call *call)
{
	return host(run, call, AGENT_CAP_GPIO,
		    (struct agent_effect){.op = AGENT_HOST_GPIO_READ,
					  .value = {(int32_t)call->arg[0]}});
}

static enum rotor_host gpio_write(struct agent_run *run, struct agent_call *call)
{
	return host(run, call, AGENT_CAP_GPIO,
		    (struct agent_effect){
			    .op = AGENT_HOST_GPIO_WRITE,
			    .value = {(int32_t)call->arg[0], (int32_t)call->arg[1] != 0},
		    });
}

/* ---- Propeller's: text in the module's own heap, its offset and length where the module says */

static enum rotor_host give_text(struct agent_run *run, struct agent_call *call,
				 struct wire_text text)
{
	uint8_t *at_out = memory(run, call->arg[0], 4), *len_out = memory(run, call->arg[1], 4);
	uint32_t at;
	char *to;

	if (at_out == NULL || len_out == NULL) {
		return bad_pointer(call);
	}
	at = run->engine->heap_alloc != NULL
		     ? run->engine->heap_alloc(run->instance, text.bytes + 1)
		     : 0;
	to = at != 0 ? memory(run, at, text.bytes + 1) : NULL;
	if (to == NULL) {
		return done(call, 0);
	}
	memcpy(to, text.at, text.bytes);
	to[text.bytes] = 0;
	base_store_u32(at_out, at);
	base_store_u32(len_out, text.bytes);
	return done(call, 1);
}

static enum rotor_host give_variable(struct agent_run *run, struct agent_call *call,
				     const char *name)
{
	struct wire_text text;

	if (!wire_pairs_find(&run->variables, name, &text)) {
		return done(call, 0);
	}
	return give_text(run, call, text);
}

static host_fn get_proplet_id, get_model_data, get_dataset_data;

static enum rotor_host get_proplet_id(struct agent_run *run, struct agent_call *call)
{
	return give_text(run, call, wire_text_of(run->proplet_id));
}

static enum rotor_host get_model_data(struct agent_run *run, struct agent_call *call)
{
	return give_variable(run, call, "MODEL_DATA");
}

static enum rotor_host get_dataset_data(struct agent_run *run, struct agent_call *call)
{
	return give_variable(run, call, "DATASET_DATA");
}

#define log               log_line /* of the list; the C library's log is another */
#define X(name, type, fn) {name, type, fn},
const struct agent_host_row agent_host_rows[] = {AGENT_HOST_LIST(X) AGENT_HOST_ENV_LIST(X)};
#undef X
#undef log
#define X(name, type, fn) +1
const uint32_t agent_host_env_count = 0 AGENT_HOST_ENV_LIST(X);
const uint32_t agent_host_row_count = BASE_COUNT(agent_host_rows);
#undef X

/* ---- libc and WASI */

static bool capture(struct agent_run *run, const char *bytes, uint32_t count)
{
	uint32_t n = BASE_MIN(count, run->capture_bytes - run->capture_used);

	memcpy(run->capture + run->capture_used, bytes, n);
	run->capture_used += n;
	run->capture_full = n < count;
	return n == count;
}

static bool env_write(struct rotor_env *env, unsigned fd, const char *bytes, uint32_t count)
{
	struct agent_run *run = (struct agent_run *)env;
	uint32_t n = BASE_MIN(count, run->print_bytes - run->print_used);

	if (fd == 1 && run->capture != NULL) {
		return capture(run, bytes, count);
	}
	if (n > 0) {
		memcpy(run->print + run->print_used, bytes, n);
	}
	run->print_used += n;
	run->print_lost += count - n;
	if (run->print_used > run->print_bytes / 2) {
		run->engine->interrupt(run->instance); /* so that the agent takes it soon */
	}
	return true;
}

static uint64_t env_clock_ns(struct rotor_env *env, enum rotor_clock clock)
{
	const struct agent_run *run = (const struct agent_run *)env;

	if (clock == ROTOR_CLOCK_REAL && run->wall_ms != 0) {
		return (uint64_t)run->wall_ms * 1000000;
	}
	return run->now_ms * 1000000;
}

static void env_random(struct rotor_env *env, uint8_t *out, uint32_t bytes)
{
	struct agent_run *run = (struct agent_run *)env;

	for (uint32_t i = 0; i < bytes; i++) {
		out[i] = (uint8_t)(prng_next(&run->prng) >> 32);
	}
}

const struct rotor_env_ops agent_env_ops = {
	.write = env_write,
	.clock_ns = env_clock_ns,
	.random = env_random,
};
