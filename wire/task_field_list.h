/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a user may say of a task: X(key, KIND, lo, hi). Kinds: TEXT (hi: bytes at most), BOOL, INT,
 * TEXTS (array of strings), INPUTS (strings or numbers), PAIRS (object of strings), OBJECT.
 * Keys that are not here are accepted and dropped, as Propeller does.
 */
#define TASK_FIELD_LIST(X)                                                                         \
	X(name, TEXT, 1, 255)                                                                      \
	X(kind, TEXT, 0, 32)                                                                       \
	X(image_url, TEXT, 0, 2048)                                                                \
	X(cli_args, TEXTS, 0, 1024)                                                                \
	X(inputs, INPUTS, 0, 4096)                                                                 \
	X(env, PAIRS, 0, 1024)                                                                     \
	X(daemon, BOOL, 0, 0)                                                                      \
	X(latent, BOOL, 0, 0)                                                                      \
	X(encrypted, BOOL, 0, 0)                                                                   \
	X(kbs_resource_path, TEXT, 0, 2048)                                                        \
	X(proplet_id, TEXT, 0, 63)                                                                 \
	X(depends_on, TEXTS, 0, 1024)                                                              \
	X(run_if, TEXT, 0, 16)                                                                     \
	X(workflow_id, TEXT, 0, 63)                                                                \
	X(job_id, TEXT, 0, 63)                                                                     \
	X(monitoring_profile, OBJECT, 0, 0)                                                        \
	X(mode, TEXT, 0, 32)                                                                       \
	X(schedule, TEXT, 0, 255)                                                                  \
	X(is_recurring, BOOL, 0, 0)                                                                \
	X(timezone, TEXT, 0, 63)                                                                   \
	X(broadcast, BOOL, 0, 0)                                                                   \
	X(priority, INT, 0, 100)                                                                   \
	X(metadata, OBJECT, 0, 0)                                                                  \
	X(hal_storage_path, TEXT, 0, 2048)                                                         \
	X(function, TEXT, 0, 255)                                                                  \
	X(limits, OBJECT, 0, 0)                                                                    \
	X(capabilities, TEXTS, 0, 16)                                                              \
	X(constraints, OBJECT, 0, 0)                                                               \
	X(restart, OBJECT, 0, 0)                                                                   \
	X(idempotent, BOOL, 0, 0)                                                                  \
	X(policy, TEXT, 0, 8)                                                                      \
	X(lease_ms, INT, 0, 4294967295)                                                            \
	X(aot, TEXT, 0, 8)                                                                         \
	X(queue, BOOL, 0, 0)                                                                       \
	X(module, OBJECT, 0, 0)

/* Members of limits, all whole numbers: X(key). */
#define TASK_LIMIT_LIST(X)                                                                         \
	X(fuel)                                                                                    \
	X(time_ms)                                                                                 \
	X(memory_bytes)                                                                            \
	X(stack_bytes)                                                                             \
	X(heap_bytes)                                                                              \
	X(output_bytes)

/* Members of constraints: X(key, KIND, lo, hi). */
#define TASK_CONSTRAINT_LIST(X)                                                                    \
	X(arch, TEXT, 0, 64)                                                                       \
	X(os, TEXT, 0, 64)                                                                         \
	X(engine, TEXT, 0, 64)                                                                     \
	X(labels, PAIRS, 0, 16)                                                                    \
	X(tags, TEXTS, 0, 16)                                                                      \
	X(features, TEXTS, 0, 16)                                                                  \
	X(min_memory_bytes, INT, 0, 4294967295)                                                    \
	X(power, TEXT, 0, 8)                                                                       \
	X(min_battery_percent, INT, 0, 100)

/* Members of restart: X(key, KIND, lo, hi). */
#define TASK_RESTART_LIST(X)                                                                       \
	X(attempts, INT, 0, 1000000)                                                               \
	X(interval_ms, INT, 0, 4294967295)                                                         \
	X(backoff_ms, INT, 0, 86400000)
