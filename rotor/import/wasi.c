/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wasi_snapshot_preview1 as far as a device has it: arguments, environment, clocks, random numbers,
 * stdout and stderr, sleeping, the end.
 *
 * Rules: 1. A bad pointer is the answer EFAULT, never a trap.
 *        2. poll_oneoff answers LATER until the earliest of its clocks has come. It may be called
 *           again with the same arguments: what it waits for stands in rotor_env.wake_ns.
 * Spec:  wasi_snapshot_preview1.witx
 */
#include "base/base.h"
#include "rotor/import/impl.h"

#define FN(name) static enum rotor_host wasi_##name(struct rotor_call *call)

enum errno_value {
	SUCCESS = 0,
	BADF = 8,
	FAULT = 21,
	INVAL = 28,
	NOSYS = 52,
	OVERFLOW = 61,
	SPIPE = 70
};

static enum rotor_host answer(struct rotor_call *call, enum errno_value errno_value)
{
	rotor_result_u32(call, errno_value);
	return ROTOR_HOST_DONE;
}

static uint8_t *memory_at(struct rotor_call *call, uint32_t at, uint32_t bytes)
{
	return rotor_memory_at(call->instance, at, bytes);
}

FN(nosys)
{
	return answer(call, NOSYS);
}

FN(badf)
{
	return answer(call, BADF);
}

/* ---- arguments and environment ---- */

/* Stores how many strings there are, and how many bytes they need. */
static enum rotor_host sizes_get(struct rotor_call *call, const char *const *texts, uint32_t count)
{
	uint8_t *count_at = memory_at(call, rotor_arg_u32(call, 0), 4);
	uint8_t *bytes_at = memory_at(call, rotor_arg_u32(call, 1), 4);
	size_t bytes = 0;

	for (uint32_t i = 0; i < count; i++) {
		bytes += strlen(texts[i]) + 1;
	}
	if (count_at == NULL || bytes_at == NULL || bytes > UINT32_MAX) {
		return answer(call, count_at == NULL || bytes_at == NULL ? FAULT : OVERFLOW);
	}
	base_store_u32(count_at, count);
	base_store_u32(bytes_at, (uint32_t)bytes);
	return answer(call, SUCCESS);
}

/* Stores the strings one behind the other, and pointers to them. */
static enum rotor_host texts_get(struct rotor_call *call, const char *const *texts, uint32_t count)
{
	uint32_t list = rotor_arg_u32(call, 0), at = rotor_arg_u32(call, 1);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t bytes = (uint32_t)strlen(texts[i]) + 1;
		uint8_t *pointer = memory_at(call, list, 4), *text = memory_at(call, at, bytes);

		if (pointer == NULL || text == NULL) {
			return answer(call, FAULT);
		}
		base_store_u32(pointer, at);
		memcpy(text, texts[i], bytes);
		list += 4;
		at += bytes;
	}
	return answer(call, SUCCESS);
}

FN(args_sizes_get)
{
	const struct rotor_env *env = call->user;

	return sizes_get(call, env->args, env->arg_count);
}

FN(args_get)
{
	const struct rotor_env *env = call->user;

	return texts_get(call, env->args, env->arg_count);
}

FN(environ_sizes_get)
{
	const struct rotor_env *env = call->user;

	return sizes_get(call, env->environ, env->environ_count);
}

FN(environ_get)
{
	const struct rotor_env *env = call->user;

	return texts_get(call, env->environ, env->environ_count);
}

/* ---- clocks and random numbers ---- */

/* The clock of a clockid; the CPU's two run like the monotonic one. false: unknown. */
static bool clock_of(uint32_t id, enum rotor_clock *out)
{
	*out = id == 0 ? ROTOR_CLOCK_REAL : ROTOR_CLOCK_MONOTONIC;
	return id <= 3;
}

FN(clock_res_get)
{
	enum rotor_clock clock;
	uint8_t *to = memory_at(call, rotor_arg_u32(call, 1), 8);

	CHECK(clock_of(rotor_arg_u32(call, 0), &clock), answer(call, INVAL));
	CHECK(to != NULL, answer(call, FAULT));
	base_store_u64(to, 1000);
	return answer(call, SUCCESS);
}

FN(clock_time_get)
{
	enum rotor_clock clock;
	uint8_t *to = memory_at(call, rotor_arg_u32(call, 3), 8);

	CHECK(clock_of(rotor_arg_u32(call, 0), &clock), answer(call, INVAL));
	CHECK(to != NULL, answer(call, FAULT));
	base_store_u64(to, import_clock_ns(call, clock));
	return answer(call, SUCCESS);
}

FN(random_get)
{
	struct rotor_env *env = call->user;
	uint32_t bytes = rotor_arg_u32(call, 1);
	struct import_part part;
	uint8_t *to = memory_at(call, rotor_arg_u32(call, 0), bytes);

	CHECK(to != NULL, answer(call, FAULT));
	CHECK(env->ops != NULL && env->ops->random != NULL, answer(call, NOSYS));
	part = import_part(call, bytes, CHARGE_READ);
	env->ops->random(env, to + part.from, part.bytes);
	return part.how == ROTOR_HOST_AGAIN ? part.how : answer(call, SUCCESS);
}

/* ---- file descriptors: 0, 1 and 2 ---- */

FN(fd_close)
{
	return answer(call, rotor_arg_u32(call, 0) <= 2 ? SUCCESS : BADF);
}

/* A character device, so that programs write whole lines at a time. */
FN(fd_fdstat_get)
{
	enum {
		CHARACTER_DEVICE = 2,
		RIGHT_READ = 1 << 1,
		RIGHT_WRITE = 1 << 6,
		APPEND = 1
	};
	uint32_t fd = rotor_arg_u32(call, 0);
	uint8_t *to = memory_at(call, rotor_arg_u32(call, 1), 24);

	CHECK(fd <= 2, answer(call, BADF));
	CHECK(to != NULL, answer(call, FAULT));
	memset(to, 0, 24);
	to[0] = CHARACTER_DEVICE;
	base_store_u16(to + 2, fd != 0 ? APPEND : 0);
	base_store_u64(to + 8, fd != 0 ? RIGHT_WRITE : RIGHT_READ);
	return answer(call, SUCCESS);
}

FN(fd_seek)
{
	return answer(call, rotor_arg_u32(call, 0) <= 2 ? SPIPE : BADF);
}

FN(fd_tell)
{
	return answer(call, rotor_arg_u32(call, 0) <= 2 ? SPIPE : BADF);
}

/* How many bytes of the vectors are written at once; false: one of them lies outside the memory. */
static bool check_vectors(struct rotor_call *call, const uint8_t *vectors, uint32_t count,
			  uint32_t *total)
{
	*total = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t bytes = base_load_u32(vectors + 8 * i + 4);

		CHECK(memory_at(call, base_load_u32(vectors + 8 * i), bytes) != NULL, false);
		*total += BASE_MIN(bytes, IMPORT_STEP - *total);
	}
	return true;
}

FN(fd_write)
{
	uint32_t fd = rotor_arg_u32(call, 0), count = rotor_arg_u32(call, 2);
	uint8_t *written = memory_at(call, rotor_arg_u32(call, 3), 4);
	const uint8_t *vectors = NULL;
	uint32_t total;

	CHECK(fd == 1 || fd == 2, answer(call, BADF));
	CHECK(count <= 1024, answer(call, INVAL));
	vectors = memory_at(call, rotor_arg_u32(call, 1), count * 8);
	CHECK(vectors != NULL && written != NULL, answer(call, FAULT));
	CHECK(check_vectors(call, vectors, count, &total), answer(call, FAULT));
	/* A program writes the rest itself, and can be stopped before. */
	for (uint32_t i = 0, left = total; left > 0; i++) {
		uint32_t bytes = BASE_MIN(base_load_u32(vectors + 8 * i + 4), left);
		const uint8_t *at = memory_at(call, base_load_u32(vectors + 8 * i), bytes);

		left -= bytes;
		if (!import_write(call, fd, (const char *)at, bytes)) {
			return ROTOR_HOST_TRAP;
		}
	}
	base_store_u32(written, total);
	return answer(call, SUCCESS);
}

/* ---- sleeping ---- */

enum {
	SUBSCRIPTION_BYTES = 48,
	EVENT_BYTES = 32,
	SUBSCRIPTIONS_MAX = 256,
	KIND_CLOCK = 0,
	FLAG_ABSOLUTE = 1
};

/* How long until the clock of a subscription comes, having slept so long already; false: not a
 * clock we have. */
static bool subscription_rest(struct rotor_call *call, const uint8_t *sub, uint64_t slept,
			      uint64_t *rest)
{
	uint64_t timeout = base_load_u64(sub + 24), from = slept;
	enum rotor_clock clock;

	if (sub[8] != KIND_CLOCK || !clock_of(base_load_u32(sub + 16), &clock)) {
		return false;
	}
	if ((base_load_u16(sub + 40) & FLAG_ABSOLUTE) != 0) {
		from = import_clock_ns(call, clock);
	}
	*rest = timeout > from ? timeout - from : 0;
	return true;
}

/* How long until one of the subscriptions has something to tell. */
static uint64_t rest_least(struct rotor_call *call, const uint8_t *subs, uint32_t count)
{
	uint64_t least = UINT64_MAX, rest;

	for (uint32_t i = 0; i < count; i++) {
		if (!subscription_rest(call, subs + i * SUBSCRIPTION_BYTES, 0, &rest)) {
			rest = 0;
		}
		least = BASE_MIN(least, rest);
	}
	return least;
}

/* Writes the events of the subscriptions that are due; returns how many. At least one: a clock that
 * was set back while we slept does not count. */
static uint32_t put_events(struct rotor_call *call, const uint8_t *subs, uint32_t count,
			   uint64_t slept, uint8_t *events)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *sub = subs + i * SUBSCRIPTION_BYTES;
		uint8_t event[EVENT_BYTES] = {0};
		uint64_t rest;

		if (!subscription_rest(call, sub, slept, &rest)) {
			base_store_u16(event + 8, NOSYS);
		} else if (rest != 0 && (n != 0 || i + 1 < count)) {
			continue;
		}
		memcpy(event, sub, 8);
		event[10] = sub[8];
		memcpy(events + n * EVENT_BYTES, event, EVENT_BYTES);
		n++;
	}
	return n;
}

FN(poll_oneoff)
{
	struct rotor_env *env = call->user;
	uint32_t count = rotor_arg_u32(call, 2);
	uint8_t *subs, *events, *number = memory_at(call, rotor_arg_u32(call, 3), 4);
	uint64_t now = import_clock_ns(call, ROTOR_CLOCK_MONOTONIC);

	CHECK(count != 0 && count <= SUBSCRIPTIONS_MAX, answer(call, INVAL));
	subs = memory_at(call, rotor_arg_u32(call, 0), count * SUBSCRIPTION_BYTES);
	events = memory_at(call, rotor_arg_u32(call, 1), count * EVENT_BYTES);
	CHECK(subs != NULL && events != NULL && number != NULL, answer(call, FAULT));
	if (!env->sleeping) {
		env->sleep_ns = rest_least(call, subs, count);
		env->wake_ns = env->sleep_ns > UINT64_MAX - now ? UINT64_MAX : now + env->sleep_ns;
	}
	env->sleeping = now < env->wake_ns;
	if (env->sleeping) {
		return ROTOR_HOST_LATER;
	}
	base_store_u32(number, put_events(call, subs, count, env->sleep_ns, events));
	return answer(call, SUCCESS);
}

FN(sched_yield)
{
	return answer(call, SUCCESS);
}

FN(proc_exit)
{
	rotor_set_exit(call->instance, (int32_t)rotor_arg_u32(call, 0));
	return ROTOR_HOST_TRAP;
}

#define WASI(name, type, fn) {"wasi_snapshot_preview1", name, type, wasi_##fn},

const struct rotor_host_func rotor_wasi[] = {
#include "rotor/import/wasi_list.h"
	{NULL, NULL, NULL, NULL},
};
