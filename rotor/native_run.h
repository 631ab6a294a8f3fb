/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the engine: native code of a module, and running it. */
#ifndef ROTOR_NATIVE_RUN_H
#define ROTOR_NATIVE_RUN_H

#include "rotor/instance.h"
#include "rotor/native.h"

enum native_helper {
#define HELPER(name, type) NATIVE_HELPER_##name,
#include "rotor/native_helper_list.h"
#undef HELPER
	NATIVE_HELPER_COUNT
};

struct rotor_native_helpers {
	void (*rows[NATIVE_HELPER_COUNT])(void);
};
extern const struct rotor_native_helpers rotor_native_helpers;

/* The parts of an image that running needs; lies behind its module in the module's block. */
struct native {
	const uint8_t *text, *map, *thunks;
	const struct rotor_native_func *funcs;
	uint32_t text_bytes, map_bytes, frame_bytes, memory_bytes;
};

/* Lies at the upper end of an instance's stack while native code is in work there; its frames lie below. */
struct native_state {
	struct rotor_native_ctx ctx;
	uintptr_t base; /* record of the innermost activation's native stack */
	bool pending;   /* the request is not carried out to its end */
};

/* As exec_run, for an instance whose module is native. */
enum stop native_run(struct rotor_instance *in, uint64_t *fuel, uint64_t *used,
		     const uint32_t *interrupt);

/* An activation ends whose native code had begun. */
void native_leave(struct rotor_instance *in);

/* The first cell of the stack that activations must stay below, with room for native code. */
uint32_t native_stack_end(const struct rotor_instance *in);

/* Frame i of the innermost activation's native code. */
bool native_frame(const struct rotor_instance *in, uint32_t i, struct rotor_frame *out);

#endif
