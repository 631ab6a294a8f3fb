/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the worker offers a module. Copy this file into your own project; it needs no C library.
 *
 * In:  the task's inputs, the node's clock, sensors, pins and small storage
 * Out: results, log lines
 *
 * Rules: 1. What needs a capability says so; without it the call returns PROPLET_DENIED.
 *        2. Lengths are in bytes, strings need no 0 at their end.
 *        3. An exported function without parameters reads its inputs here; one with parameters
 *           gets them as arguments, as many as it has.
 */
#ifndef PROPLET_H
#define PROPLET_H

#define PROPLET_IMPORT(name) __attribute__((import_module("proplet"), import_name(#name)))
#define PROPLET_EXPORT(name) __attribute__((export_name(#name)))

enum proplet_error {
	PROPLET_OK = 0,
	PROPLET_NOT_FOUND = -1, /* no such input, key, sensor or pin */
	PROPLET_TOO_LONG = -2,  /* longer than the worker takes */
	PROPLET_DENIED = -3,    /* the task was not given the capability */
	PROPLET_FAILED = -4,    /* the node could not do it now */
};

enum proplet_level {
	PROPLET_DEBUG = 0,
	PROPLET_INFO = 1,
	PROPLET_WARN = 2,
	PROPLET_ERROR = 3,
};

/* ---- the task's inputs, as text, in order ---- */

/* How many there are. */
PROPLET_IMPORT(input_count) int proplet_input_count(void);
/* Length of input idx (from 0); PROPLET_NOT_FOUND. */
PROPLET_IMPORT(input_len) int proplet_input_len(int idx);
/* Copies up to cap bytes of input idx; returns its whole length, or PROPLET_NOT_FOUND. */
PROPLET_IMPORT(input_copy) int proplet_input_copy(int idx, char *out, int cap);
/* Input idx as a number; 0 if there is none or it is no number. */
PROPLET_IMPORT(input_i64) long long proplet_input_i64(int idx);
PROPLET_IMPORT(input_f64) double proplet_input_f64(int idx);

/* ---- results and log ---- */

/* Publishes a value. The last one is the task's result; each of them can be read while it runs. */
PROPLET_IMPORT(publish) int proplet_publish(const char *data, int len);
/* A line for the task's log; level is one of enum proplet_level. */
PROPLET_IMPORT(log) void proplet_log(int level, const char *text, int len);

/* ---- the node ---- */

/* Copies up to cap bytes of the node's id; returns its whole length. */
PROPLET_IMPORT(node_id) int proplet_node_id(char *out, int cap);
/* Publishes to anyone who listens on app/<node>/<task>/<name>. Capability: publish */
PROPLET_IMPORT(publish_to)
int proplet_publish_to(const char *name, int name_len, const char *data, int len);
/* Milliseconds since 1970, or since the node started if it has no clock. Capability: time */
PROPLET_IMPORT(time_ms) long long proplet_time_ms(void);
/* Sleeps; the node runs other tasks meanwhile. Capability: time */
PROPLET_IMPORT(sleep_ms) int proplet_sleep_ms(int ms);
/* Small values that outlive the task and the node's power. Capability: kv. kv_get copies up to cap
 * bytes and returns the value's whole length. */
PROPLET_IMPORT(kv_get) int proplet_kv_get(const char *key, int key_len, char *out, int cap);
PROPLET_IMPORT(kv_set) int proplet_kv_set(const char *key, int key_len, const char *value, int len);
PROPLET_IMPORT(kv_delete) int proplet_kv_delete(const char *key, int key_len);
/* The value of a sensor channel of the node in *out, in its natural unit. Capability: sensor */
PROPLET_IMPORT(sensor_read) int proplet_sensor_read(const char *name, int name_len, double *out);
/* Pins: read returns 0 or 1. Capability: gpio */
PROPLET_IMPORT(gpio_read) int proplet_gpio_read(int pin);
PROPLET_IMPORT(gpio_write) int proplet_gpio_write(int pin, int value);

/* ---- helpers for C ---- */

static inline int proplet_len(const char *text)
{
	int n = 0;

	while (text[n] != 0) {
		n++;
	}
	return n;
}

static inline int proplet_say(const char *text)
{
	return proplet_publish(text, proplet_len(text));
}

static inline void proplet_note(const char *text)
{
	proplet_log(PROPLET_INFO, text, proplet_len(text));
}

#endif
