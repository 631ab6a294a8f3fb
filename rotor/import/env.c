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

const char *import_string(struct rotor_call *call, unsigned i, uint32_t *bytes)
{
	const char *s = rotor_memory_str(call->instance, rotor_arg_u32(call, i), bytes);

	if (s == NULL) {
		(void)import_trap_pointer(call, rotor_arg_u32(call, i));
	}
	return s;
}

uint8_t *import_tail(struct rotor_call *call, uint32_t at, uint32_t *bytes)
{
	uint64_t memory_bytes;
	uint8_t *memory = rotor_memory(call->instance, &memory_bytes);

	if (memory == NULL || at > memory_bytes) {
		return NULL;
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
