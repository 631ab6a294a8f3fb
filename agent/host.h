/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host functions: what a module can call. Engines adapt their calls to these; the agent carries
 * out their effects between slices.
 *
 * In:    struct agent_call: arguments as 64-bit cells; struct agent_run: the task it is for.
 * Out:   the result at once; or LATER and an effect in the run, which the agent answers.
 * Rules: 1. A host function runs inside a slice, on any thread: it touches its run and its
 *           instance's memory, nothing else.
 *        2. Pointers of the module are checked before an effect is noted.
 */
#ifndef AGENT_HOST_H
#define AGENT_HOST_H

#include "agent/agent.h"
#include "base/prng.h"
#include "rotor/import/import.h"
#include "wire/wire.h"

/* What host functions answer instead of a value; the numbers of examples/proplet.h. */
enum agent_host_err {
	AGENT_HOST_OK = 0,
	AGENT_HOST_NOT_FOUND = -1,
	AGENT_HOST_TOO_LONG = -2,
	AGENT_HOST_DENIED = -3,
	AGENT_HOST_FAILED = -4,
};

enum agent_effect_kind {
	AGENT_EFFECT_NONE,
	AGENT_EFFECT_PUBLISH,    /* data */
	AGENT_EFFECT_PUBLISH_TO, /* name, data */
	AGENT_EFFECT_LOG,        /* level in value[0], data */
	AGENT_EFFECT_SLEEP,      /* until wake_ms */
	AGENT_EFFECT_AGAIN,      /* call the engine's again at wake_ms */
	AGENT_EFFECT_HOST,       /* op, name, data (to be written for KV_GET and SENSOR), value */
};

/* What a host function wants done. at and bytes are checked ranges of linear memory. */
struct agent_effect {
	enum agent_effect_kind kind;
	enum agent_host_op op;
	uint32_t name_at, name_bytes, data_at, data_bytes;
	int32_t value[2];
	uint64_t wake_ms;
};

/* What host functions know of their task. The agent sets it up; in a slice it is the slice's. */
struct agent_run {
	struct rotor_env env;         /* first: the libc and WASI functions find it behind user */
	struct rotor_imports imports; /* of the rotor adapter */
	const struct agent_engine *engine;
	struct agent_instance *instance;
	const char *proplet_id;
	struct wire_list inputs, variables; /* variables: PAIRS */
	struct prng prng;
	uint64_t now_ms; /* of the step that handed out the slice */
	int64_t wall_ms;
	struct agent_effect effect;
	uint32_t caps;
	/* Printed text not yet taken by the agent; what finds no room is counted. */
	char *print;
	uint32_t print_bytes, print_used, print_lost;
	/* Standard output as the task's result; NULL: it goes to print, too. */
	char *capture;
	uint32_t capture_bytes, capture_used;
	bool capture_full; /* it wanted to write more than it may */
};

/* A call as engines hand it over. */
struct agent_call {
	uint64_t arg[6]; /* i32 as 32 low bits, f64 as its bits */
	uint64_t result;
	const char *trap; /* with ROTOR_HOST_TRAP: why */
};

struct agent_host_row {
	const char *name, *type;
	enum rotor_host (*fn)(struct agent_run *run, struct agent_call *call);
};

/* The functions of module "proplet" (all but the last AGENT_HOST_ENV_COUNT) and "env" (all). */
extern const struct agent_host_row agent_host_rows[];
extern const uint32_t agent_host_row_count, agent_host_env_count;

/* For struct rotor_env: printing, clock and random numbers of a run. */
extern const struct rotor_env_ops agent_env_ops;

#endif
