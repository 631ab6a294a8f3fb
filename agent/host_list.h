/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the worker offers modules: X(name, "type", function), as module "proplet" and as "env".
 * examples/proplet.h declares them for C. Types: parameters ')' results; i i32, I i64, F f64.
 * X_ENV: as "env" alone, with the names that Propeller gives them.
 */
#ifndef AGENT_HOST_LIST_H
#define AGENT_HOST_LIST_H

#define AGENT_HOST_LIST(X)                                                                         \
	X("input_count", ")i", input_count)                                                        \
	X("input_len", "i)i", input_len)                                                           \
	X("input_copy", "iii)i", input_copy)                                                       \
	X("input_i64", "i)I", input_i64)                                                           \
	X("input_f64", "i)F", input_f64)                                                           \
	X("publish", "ii)i", publish)                                                              \
	X("log", "iii)", log)                                                                      \
	X("node_id", "ii)i", node_id)                                                              \
	X("publish_to", "iiii)i", publish_to)                                                      \
	X("time_ms", ")I", time_ms)                                                                \
	X("sleep_ms", "i)i", sleep_ms)                                                             \
	X("kv_get", "iiii)i", kv_get)                                                              \
	X("kv_set", "iiii)i", kv_set)                                                              \
	X("kv_delete", "ii)i", kv_delete)                                                          \
	X("sensor_read", "iii)i", sensor_read)                                                     \
	X("gpio_read", "i)i", gpio_read)                                                           \
	X("gpio_write", "ii)i", gpio_write)

#define AGENT_HOST_ENV_LIST(X)                                                                     \
	X("get_proplet_id", "ii)i", get_proplet_id)                                                \
	X("get_model_data", "ii)i", get_model_data)                                                \
	X("get_dataset_data", "ii)i", get_dataset_data)

#endif
