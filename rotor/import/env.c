/* SPDX-License-Identifier: Apache-2.0 */
/* What libc and WASI have in common: the embedder's side, and refusing bad pointers. */
#include "base/base.h"
#include "base/fmt.h"
#include "rotor/import/impl.h"

bool import_write(struct rotor_call *call, unsigned fd, const char *bytes, uint32_t count)
{
	struct rotor_env *env = call->user;

	import_charge(call, count, CHARGE_READ);
	if (count == 0 || env == NULL || env->ops == NULL || env->ops->write == NULL) {
		return true;
	}
	if (env->ops->write(env, fd, bytes, count)) {
		return true;
	}
	(void)import_trap(call, "no more output is allowed");
	return false;
}

void import_charge(struct rotor_call *call, uint64_t bytes, uint32_t bytes_per_unit)
{
	if (bytes >= bytes_per_unit) {
		rotor_charge(call->instance,
			     (uint32_t)BASE_MIN(bytes / bytes_per_unit, UINT32_MAX));
	}
}

uint64_t import_clock_ns(const struct rotor_call *call, enum rotor_clock clock)
{
	struct rotor_env *env = call->user;

	if (env == NULL || env->ops == NULL || env->ops->clock_ns == NULL) {
		return 0;
	}
	return env->ops->clock_ns(env, clock);
}

enum rotor_host import_trap(struct rotor_call *call, const char *why)
{
	char text[64];

	fmt_str(text, sizeof(text), "%s: %s", call->func->name, why);
	rotor_set_trap(call->instance, ROTOR_TRAP_HOST, text);
	return ROTOR_HOST_TRAP;
}

enum rotor_host import_trap_pointer(struct rotor_call *call, uint32_t at)
{
	char text[64];

	fmt_str(text, sizeof(text), "%s: bad pointer 0x%x", call->func->name, (unsigned)at);
	rotor_set_trap(call->instance, ROTOR_TRAP_MEMORY, text);
	return ROTOR_HOST_TRAP;
}

uint8_t *import_bytes(struct rotor_call *call, uint32_t at, uint32_t bytes)
{
	uint8_t *p = rotor_memory_at(call->instance, bytes != 0 ? at : 0, bytes);

	if (p == NULL) {
		(void)import_trap_pointer(call, at);
	}
	return p;
}

struct import_part import_part(struct rotor_call *call, uint32_t bytes, uint32_t bytes_per_unit)
{
	uint32_t *progress = rotor_progress(call->instance);
	struct import_part part = {BASE_MIN(*progress, bytes), 0, ROTOR_HOST_DONE};

	part.bytes = bytes - part.from;
	if (part.bytes > IMPORT_STEP) {
		part.bytes = IMPORT_STEP;
		part.how = ROTOR_HOST_AGAIN;
	}
	*progress = part.from + part.bytes;
	import_charge(call, part.bytes, bytes_per_unit);
	return part;
}

enum rotor_host import_move(struct rotor_call *call, uint32_t to, uint32_t from, uint32_t bytes)
{
	uint8_t *d = import_bytes(call, to, bytes), *s;
	struct import_part part;

	CHECK(d != NULL, ROTOR_HOST_TRAP);
	s = import_bytes(call, from, bytes);
	CHECK(s != NULL, ROTOR_HOST_TRAP);
	part = import_part(call, bytes, CHARGE_MOVED);
	if (d > s) {
		/* From the end on, as the destination may lie over the source's rest. */
		part.from = bytes - part.from - part.bytes;
	}
	memmove(d + part.from, s + part.from, part.bytes);
	return part.how;
}

enum rotor_host import_fill(struct rotor_call *call, uint32_t at, uint32_t value, uint32_t bytes)
{
	uint8_t *to = import_bytes(call, at, bytes);
	struct import_part part;

	CHECK(to != NULL, ROTOR_HOST_TRAP);
	part = import_part(call, bytes, CHARGE_MOVED);
	memset(to + part.from, (int)(value & 0xFF), part.bytes);
	return part.how;
}

bool import_text(struct rotor_call *call, uint32_t at, uint32_t from, uint32_t max,
		 struct import_text *out)
{
	uint32_t n = BASE_MIN(max - from, (uint32_t)IMPORT_STEP), avail, room;
	const uint8_t *s = import_tail(call, at + from, &avail), *end;

	room = at + from < at ? 0 : BASE_MIN(avail, n); /* addresses do not go round */
	end = memchr(s, 0, room);
	if (end == NULL && room < n) {
		(void)import_trap_pointer(call, at);
		return false;
	}
	out->at = s;
	out->bytes = end != NULL ? (uint32_t)(end - s) : n;
	out->zero = end != NULL;
	out->ended = out->zero || from + n == max;
	import_charge(call, out->bytes, CHARGE_READ);
	return true;
}

uint8_t *import_tail(struct rotor_call *call, uint32_t at, uint32_t *bytes)
{
	uint64_t memory_bytes;
	uint8_t *memory = rotor_memory(call->instance, &memory_bytes);

	if (at >= memory_bytes) {
		*bytes = 0;
		return (uint8_t *)bytes;
	}
	*bytes = (uint32_t)BASE_MIN(memory_bytes - at, UINT32_MAX);
	return memory + at;
}

bool rotor_import_again(struct rotor_instance *instance)
{
	struct rotor_call *call = rotor_pending(instance);
	enum rotor_host how;

	if (call == NULL) {
		return false;
	}
	how = call->func->fn(call);
	if (how == ROTOR_HOST_LATER) {
		return false;
	}
	rotor_answer(instance, how);
	return true;
}

static bool is_named(const struct rotor_import *import, const char *name)
{
	return import->name_bytes == strlen(name) &&
	       memcmp(import->name, name, import->name_bytes) == 0;
}

bool rotor_import_wants_heap(const struct rotor_module *module)
{
	static const char *const names[] = {"malloc", "calloc",  "realloc",
					    "strdup", "_strdup", "__cxa_allocate_exception"};
	struct rotor_import import;

	for (uint32_t i = 0; rotor_module_import(module, i, &import); i++) {
		if (import.module_bytes != 3 || memcmp(import.module, "env", 3) != 0) {
			continue;
		}
		for (unsigned n = 0; n < BASE_COUNT(names); n++) {
			if (is_named(&import, names[n])) {
				return true;
			}
		}
	}
	return false;
}
