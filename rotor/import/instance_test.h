/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of the imports: an instance that is nothing but a memory, and an embedder. */
#ifndef ROTOR_IMPORT_INSTANCE_TEST_H
#define ROTOR_IMPORT_INSTANCE_TEST_H

#include <stdlib.h>

#include "base/base.h"
#include "rotor/import/impl.h"
#include "test/test.h"

#pragma GCC diagnostic ignored "-Wunused-function"

/* ---- the instance ---- */

enum {
	MEMORY_BYTES = 65536,
	HEAP_AT = 0x8004,
	HEAP_BYTES = 16384
};

struct rotor_instance {
	uint8_t *memory; /* from malloc, so that a sanitizer sees what lies outside */
	uint32_t heap_bytes;
	enum rotor_trap trap;
	char detail[64];
	int32_t exit_code;
	struct rotor_call *pending;
	uint32_t progress[2];
};

void *rotor_memory_at(struct rotor_instance *i, uint32_t at, uint32_t bytes)
{
	return at <= MEMORY_BYTES && bytes <= MEMORY_BYTES - at ? i->memory + at : NULL;
}

void *rotor_memory(struct rotor_instance *i, uint64_t *bytes)
{
	*bytes = MEMORY_BYTES;
	return i->memory;
}

void rotor_heap(const struct rotor_instance *i, uint32_t *at, uint32_t *bytes)
{
	*at = HEAP_AT;
	*bytes = i->heap_bytes;
}

void rotor_set_trap(struct rotor_instance *i, enum rotor_trap trap, const char *text)
{
	i->trap = trap;
	snprintf(i->detail, sizeof(i->detail), "%s", text);
}

void rotor_set_exit(struct rotor_instance *i, int32_t code)
{
	i->trap = ROTOR_TRAP_EXIT;
	i->exit_code = code;
}

static uint64_t charged;

void rotor_charge(struct rotor_instance *i, uint32_t units)
{
	charged += units;
}

uint32_t *rotor_progress(struct rotor_instance *i)
{
	return i->progress;
}

struct rotor_call *rotor_pending(struct rotor_instance *i)
{
	return i->pending;
}

void rotor_answer(struct rotor_instance *i, enum rotor_host how)
{
	i->pending = NULL;
}

bool rotor_module_import(const struct rotor_module *m, uint32_t i, struct rotor_import *out)
{
	const struct rotor_import *imports = (const struct rotor_import *)m;

	*out = imports[i];
	return imports[i].name != NULL;
}

/* ---- the embedder ---- */

struct my {
	struct rotor_env env;
	char out[512], err[512];
	uint64_t now;
	bool refuse;
};

static bool my_write(struct rotor_env *env, unsigned fd, const char *bytes, uint32_t count)
{
	struct my *my = (struct my *)env;
	char *to = fd == 2 ? my->err : my->out;

	if (my->refuse) {
		return false;
	}
	strncat(to, bytes, BASE_MIN(count, 511 - strlen(to)));
	return true;
}

static uint64_t my_clock(struct rotor_env *env, enum rotor_clock clock)
{
	return ((struct my *)env)->now + (clock == ROTOR_CLOCK_REAL ? 1000000000000u : 0);
}

static void my_random(struct rotor_env *env, uint8_t *out, uint32_t bytes)
{
	memset(out, 0x5A, bytes);
}

static const struct rotor_env_ops my_ops = {my_write, my_clock, my_random};

static struct rotor_instance instance;
static struct my my;
static uint32_t cells[16];
static enum rotor_host how;

static void fresh(void)
{
	static const char *const args[] = {"prog", "one", "two words"};
	static const char *const environ_[] = {"A=1", "PATH=/bin"};

	free(instance.memory);
	instance = (struct rotor_instance){.memory = calloc(1, MEMORY_BYTES),
					   .heap_bytes = HEAP_BYTES};
	my = (struct my){.env = {.ops = &my_ops,
				 .args = args,
				 .arg_count = 3,
				 .environ = environ_,
				 .environ_count = 2}};
}

static const struct rotor_host_func *find(const char *name)
{
	for (const struct rotor_host_func *f = rotor_libc; f->name != NULL; f++) {
		if (strcmp(f->name, name) == 0) {
			return f;
		}
	}
	for (const struct rotor_host_func *f = rotor_wasi; f->name != NULL; f++) {
		if (strcmp(f->name, name) == 0) {
			return f;
		}
	}
	TEST_FAIL("no function %s", name);
	return rotor_libc;
}

/* Calls with i32 arguments; returns the first cell. */
static uint32_t call_with(const char *name, const uint32_t *args, unsigned count)
{
	static struct rotor_call call;

	memset(cells, 0xEE, sizeof(cells));
	memcpy(cells, args, count * 4);
	call = (struct rotor_call){&instance, &my, cells, find(name)};
	instance.trap = ROTOR_TRAP_NONE;
	memset(instance.progress, 0, sizeof(instance.progress));
	do {
		how = call.func->fn(&call);
	} while (how == ROTOR_HOST_AGAIN);
	instance.pending = how == ROTOR_HOST_LATER ? &call : NULL;
	return cells[0];
}

#define CALL(name, ...)                                                                            \
	call_with(name, (const uint32_t[]){0, ##__VA_ARGS__} + 1,                                  \
		  sizeof((const uint32_t[]){0, ##__VA_ARGS__}) / 4 - 1)

#define EXPECT_TRAP(expr, kind)                                                                    \
	do {                                                                                       \
		(void)(expr);                                                                      \
		EXPECT_EQ(how, ROTOR_HOST_TRAP);                                                   \
		EXPECT_EQ(instance.trap, kind);                                                    \
	} while (0)

static uint32_t put(uint32_t at, const char *text)
{
	memcpy(instance.memory + at, text, strlen(text) + 1);
	return at;
}

static const char *text_at(uint32_t at)
{
	return (const char *)instance.memory + at;
}

static void put_u32(uint32_t at, uint32_t v)
{
	base_store_u32(instance.memory + at, v);
}

static uint32_t get_u32(uint32_t at)
{
	return base_load_u32(instance.memory + at);
}

#endif
