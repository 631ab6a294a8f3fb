/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent asks of a WebAssembly engine: a table of functions. rotor is the default
 * (agent_engine_rotor), WAMR may stand behind the same table, tests and the simulator use
 * agent_engine_fake.
 *
 * In:    blocks of the agent's pool (aligned to 8), module bytes, arguments, fuel.
 * Out:   modules and instances inside those blocks; results, traps, fuel used.
 * Owns:  nothing beside the blocks, unless a row says so (WAMR has a heap of its own).
 * Rules: 1. An instance is used by one thread at a time; interrupt alone may come from any thread.
 *        2. run returns soon after interrupt, and never blocks.
 *        3. What an engine cannot do has a NULL row; the agent refuses it with a reason.
 * Values, types, limits and diagnostics are those of rotor.h, whichever engine is meant.
 */
#ifndef AGENT_ENGINE_H
#define AGENT_ENGINE_H

#include "base/base.h"
#include "rotor/rotor.h"

struct agent_module;   /* a loaded module, at the beginning of its block */
struct agent_loader;   /* a module being loaded; its block's end may hold its state */
struct agent_instance; /* an instance, at the beginning of its block */
struct agent_run;      /* what host functions know of the task: agent/host.h */

enum agent_run_status {
	AGENT_RUN_DONE,  /* the call ended; results can be read */
	AGENT_RUN_TRAP,  /* it ended with a trap or by exit: see agent_ending */
	AGENT_RUN_FUEL,  /* the slice is used up or an interrupt came; run again to go on */
	AGENT_RUN_LATER, /* a host function waits for an answer (agent_run holds what for) */
};

/* How a program ended that did not end well. Texts are lent until the instance is released. */
struct agent_ending {
	enum rotor_trap trap; /* ROTOR_TRAP_EXIT: exit_code says which */
	int32_t exit_code;
	const char *text;   /* the reason in words */
	const char *detail; /* more about it; "" if nothing */
};

/* Facts of a module for admission. */
struct agent_module_facts {
	uint32_t func_count, import_count;
	uint64_t memory_bytes_min;  /* declared */
	uint64_t memory_bytes_used; /* what it declares it uses, for memories that never grow */
	bool memory_grows;
	bool prints;    /* imports functions that print: it needs a print buffer */
	bool uses_heap; /* imports malloc and the like, or host functions that allocate for it */
	bool uses_wasi;
	bool native; /* loaded from an image */
};

/* An exported function. */
struct agent_func {
	uint32_t idx;
	struct rotor_functype type; /* lent by the module */
};

struct agent_engine {
	const char *name;            /* as announced: "rotor", "wamr" */
	const char *const *features; /* words of docs/protocol.md, ended by NULL */

	/* Loads a module as its bytes arrive. begin takes the whole block; after end the module
	 * keeps *used bytes at its beginning. On an error diag says why and nothing is kept. */
	enum rotor_err (*load_begin)(void *block, size_t block_bytes, struct agent_loader **out);
	enum rotor_err (*load_feed)(struct agent_loader *loader, const void *piece, size_t bytes);
	enum rotor_err (*load_end)(struct agent_loader *loader, struct agent_module **out,
				   size_t *used);
	const struct rotor_diag *(*load_diag)(const struct agent_loader *loader);
	/* Drops a loader before its end (a connection lost, a start for another node). */
	void (*load_drop)(struct agent_loader *loader);

	/* Loads a module whose bytes stay where they are until unload (flash, a mapped file). */
	enum rotor_err (*load_mapped)(void *block, size_t block_bytes, const void *wasm,
				      size_t wasm_bytes, struct agent_module **out, size_t *used,
				      struct rotor_diag *diag);
	void (*unload)(struct agent_module *module);

	/* Native images; NULL: it runs none. image_target: the processor's name in starts, and the
	 * version of the contract with native code; NULL when this build runs none. load_image: as
	 * load_mapped, for an image in memory that can be executed, if the policy allows it. */
	const char *(*image_target)(uint32_t *abi);
	enum rotor_err (*load_image)(void *block, size_t block_bytes, const void *image,
				     size_t image_bytes, const struct rotor_image_policy *policy,
				     struct agent_module **out, size_t *used,
				     struct rotor_diag *diag);

	void (*facts)(const struct agent_module *module, struct agent_module_facts *out);
	/* The exported function of that name; false when there is none. */
	bool (*find)(const struct agent_module *module, const char *name, uint32_t name_bytes,
		     struct agent_func *out);
	/* Import i; false after the last. */
	bool (*import)(const struct agent_module *module, uint32_t i, struct rotor_import *out);
	/* Exported function i for messages, its name lent, not ended by 0; false after the last. */
	bool (*export_name)(const struct agent_module *module, uint32_t i, const char **name,
			    uint32_t *bytes);

	/* Bytes of the block that instantiate needs; SIZE_MAX: cannot be. */
	size_t (*instance_bytes)(const struct agent_module *module,
				 const struct rotor_limits *limits);
	/* run is kept: host functions get it. */
	enum rotor_err (*instantiate)(void *block, size_t block_bytes, struct agent_module *module,
				      struct agent_run *run, const struct rotor_limits *limits,
				      struct agent_instance **out, struct rotor_diag *diag);
	void (*release)(struct agent_instance *instance);

	enum rotor_err (*call)(struct agent_instance *instance, uint32_t func_idx,
			       const struct rotor_value *args, uint32_t count,
			       struct rotor_diag *diag);
	enum agent_run_status (*run)(struct agent_instance *instance, uint64_t fuel);
	/* After LATER: the pending host function ends with this i32 result, or as a trap with text
	 * when trap is not NULL. */
	void (*answer)(struct agent_instance *instance, int32_t result, const char *trap);
	/* After LATER with AGENT_EFFECT_AGAIN: tries the pending function again; true when it is
	 * answered now. */
	bool (*again)(struct agent_instance *instance);
	/* Room in the module's own heap for the host's data; 0 if there is none. */
	uint32_t (*heap_alloc)(struct agent_instance *instance, uint32_t bytes);
	void (*interrupt)(struct agent_instance *instance); /* from any thread */
	uint32_t (*results)(struct agent_instance *instance, struct rotor_value *out, uint32_t cap);
	/* Bytes [at, at + bytes) of memory 0; NULL if any lies outside. */
	void *(*memory_at)(struct agent_instance *instance, uint32_t at, uint32_t bytes);
	uint64_t (*memory_bytes)(struct agent_instance *instance);
	/* NULL: it does not count; a task with a limit of fuel is refused. */
	uint64_t (*fuel_used)(const struct agent_instance *instance);
	/* NULL: unknown. */
	uint32_t (*stack_peak)(const struct agent_instance *instance);
	void (*ending)(const struct agent_instance *instance, struct agent_ending *out);
	bool (*frame)(const struct agent_instance *instance, uint32_t i, struct rotor_frame *out);
	/* After the instance's block was copied to another place; NULL: cannot save. */
	enum rotor_err (*attach)(void *block, size_t block_bytes, struct agent_module *module,
				 struct agent_run *run, struct agent_instance **out,
				 struct rotor_diag *diag);
};

extern const struct agent_engine agent_engine_rotor;

#endif
