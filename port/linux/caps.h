/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tasks may use of this machine: key-value pairs in files, pins and sensors that are simulated
 * or stand in files.
 *
 * In:    a struct agent_action of kind HOST_CALL. Out: status, value, data.
 * Owns:  state/kv: a folder per task name, a file per key, both named by a hash; pins in memory.
 * Bounds: a value CAPS_VALUE_BYTES_MAX, all values of one task name CAPS_SCOPE_BYTES_MAX.
 */
#ifndef LINUX_CAPS_H
#define LINUX_CAPS_H

#include "agent/agent.h"
#include "port/linux/config.h"

#define CAPS_PINS_MAX        64
#define CAPS_VALUE_BYTES_MAX (64u << 10)
#define CAPS_SCOPE_BYTES_MAX (4u << 20)

struct caps {
	const struct config *config;
	char kv_dir[1024];
	uint8_t pins[CAPS_PINS_MAX];
};

struct caps_answer {
	int32_t status; /* 0, or a negative one of below: what a module sees */
	int64_t value;  /* of pins; of sensors in micro-units */
	char *data;     /* malloc'ed; the caller frees it */
	uint32_t data_bytes;
};

enum {
	CAPS_ABSENT = -1,  /* no such key, pin or sensor */
	CAPS_REFUSED = -2, /* too long, no room */
	CAPS_BROKEN = -4,  /* it is there and does not work */
};

/* 0 or an errno. config is kept. */
MUST_USE int caps_init(struct caps *caps, const struct config *config, const char *state_dir);
void caps_call(struct caps *caps, const struct agent_action *action, struct caps_answer *out);
/* Bits 1 << enum agent_cap of the configuration's words; a sentence through wrong if one is unknown. */
uint32_t caps_of_words(char *const *words, const char **wrong);

#endif
