/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every message of the protocol: one row per key.
 *
 *     F(KIND, member, "key", lo, hi, NEED | 0)      a value
 *     O(KIND, member, "key", sub, max, NEED | 0)    OBJECT: one; OBJECTS: an array of up to max
 *     W(member, "key", LIST, NEED | 0)              one of the words of words_list.h
 *
 * KIND and what lo and hi bound:
 *     TEXT    string; bytes                      LIST    array of strings or numbers; how many
 *     BOOL    true or false; -                   PAIRS   object of strings; how many
 *     INT     whole number; its value            BYTES   base64, streamed when read; -
 *     NUM     number; -                          DIGEST  "sha256:" and 64 hex digits; -
 *     TIME    timestamp in any of the forms; -   ANY     any JSON value; bytes
 *     SCALAR  string or number or bool, kept as text; bytes
 *
 * null counts as absent, but for NULLABLE... there is none. Keys that are not here are skipped.
 * A message's sub-objects come before it.
 */
#ifndef WIRE_MESSAGES_LIST_H
#define WIRE_MESSAGES_LIST_H

#define WIRE_ID    64 /* ids of tasks, proplets, invocations; UUIDs have 36 */
#define WIRE_LONG  INT64_MAX
#define WIRE_TEXT  (1 << 20)
#define WIRE_WHOLE INT64_C(9007199254740991) /* what every JSON reader keeps exactly */

/* ---- parts of start */

#define WIRE_LIMITS(F, O, W)                                                                       \
	F(INT, fuel, "fuel", 0, WIRE_WHOLE, 0)                                                     \
	F(INT, time_ms, "time_ms", 0, WIRE_WHOLE, 0)                                               \
	F(INT, memory_bytes, "memory_bytes", 0, UINT32_MAX, 0)                                     \
	F(INT, stack_bytes, "stack_bytes", 0, UINT32_MAX, 0)                                       \
	F(INT, heap_bytes, "heap_bytes", 0, UINT32_MAX, 0)                                         \
	F(INT, output_bytes, "output_bytes", 0, UINT32_MAX, 0)

#define WIRE_MODULE(F, O, W)                                                                       \
	F(DIGEST, digest, "digest", 0, 0, NEED)                                                    \
	F(INT, size, "size", 0, UINT32_MAX, 0)

#define WIRE_NATIVE(F, O, W)                                                                       \
	F(DIGEST, digest, "digest", 0, 0, NEED)                                                    \
	F(INT, size, "size", 0, UINT32_MAX, 0)                                                     \
	F(TEXT, target, "target", 0, 64, 0)

#define WIRE_PROFILE(F, O, W)                                                                      \
	F(BOOL, enabled, "enabled", 0, 0, 0)                                                       \
	F(INT, interval, "interval", 0, WIRE_LONG, 0)                                              \
	F(BOOL, collect_cpu, "collect_cpu", 0, 0, 0)                                               \
	F(BOOL, collect_memory, "collect_memory", 0, 0, 0)                                         \
	F(BOOL, collect_disk_io, "collect_disk_io", 0, 0, 0)                                       \
	F(BOOL, collect_threads, "collect_threads", 0, 0, 0)                                       \
	F(BOOL, collect_file_descriptors, "collect_file_descriptors", 0, 0, 0)                     \
	F(BOOL, export_to_mqtt, "export_to_mqtt", 0, 0, 0)                                         \
	F(BOOL, retain_history, "retain_history", 0, 0, 0)                                         \
	F(INT, history_size, "history_size", 0, WIRE_WHOLE, 0)

/* ---- from the manager */

#define WIRE_START(F, O, W)                                                                        \
	F(TEXT, id, "id", 1, WIRE_ID, NEED)                                                        \
	F(TEXT, name, "name", 1, 256, NEED)                                                        \
	F(INT, state, "state", 0, 255, 0)                                                          \
	F(TEXT, function, "function", 0, 256, 0)                                                   \
	F(INT, epoch, "epoch", 0, WIRE_WHOLE, 0)                                                   \
	F(INT, lease_ms, "lease_ms", 0, WIRE_WHOLE, 0)                                             \
	F(INT, connection, "connection", 0, WIRE_WHOLE, 0)                                         \
	F(INT, uptime_ms, "uptime_ms", 0, WIRE_WHOLE, 0)                                           \
	F(TEXT, proplet_id, "proplet_id", 0, WIRE_ID, 0)                                           \
	F(INT, priority, "priority", 0, 100, 0)                                                    \
	F(TEXT, image_url, "image_url", 0, 2048, 0)                                                \
	O(OBJECT, module, "module", module, 1, 0)                                                  \
	O(OBJECT, native, "native", native, 1, 0)                                                  \
	F(LIST, inputs, "inputs", 0, 65535, 0)                                                     \
	F(LIST, cli_args, "cli_args", 0, 65535, 0)                                                 \
	F(BOOL, broadcast, "broadcast", 0, 0, 0)                                                   \
	F(BOOL, daemon, "daemon", 0, 0, 0)                                                         \
	F(BOOL, latent, "latent", 0, 0, 0)                                                         \
	F(BOOL, encrypted, "encrypted", 0, 0, 0)                                                   \
	F(PAIRS, env, "env", 0, 65535, 0)                                                          \
	F(TEXT, kbs_resource_path, "kbs_resource_path", 0, 2048, 0)                                \
	F(TEXT, hal_storage_path, "hal_storage_path", 0, 2048, 0)                                  \
	F(TEXT, mode, "mode", 0, 64, 0)                                                            \
	O(OBJECT, monitoring_profile, "monitoring_profile", profile, 1, 0)                         \
	O(OBJECT, limits, "limits", limits, 1, 0)                                                  \
	F(LIST, capabilities, "capabilities", 0, 64, 0)                                            \
	W(policy, "policy", POLICY, 0)                                                             \
	W(aot, "aot", AOT, 0)                                                                      \
	F(ANY, parent_results, "parent_results", 0, WIRE_TEXT, 0)                                  \
	F(BYTES, file, "file", 0, 0, 0)

#define WIRE_STOP(F, O, W)                                                                         \
	F(TEXT, id, "id", 1, WIRE_ID, NEED)                                                        \
	F(TEXT, name, "name", 0, 256, 0)                                                           \
	F(SCALAR, state, "state", 0, 16, 0)                                                        \
	F(BOOL, broadcast, "broadcast", 0, 0, 0)                                                   \
	F(TEXT, proplet_id, "proplet_id", 0, WIRE_ID, 0)                                           \
	F(INT, epoch, "epoch", 0, WIRE_WHOLE, 0)

#define WIRE_INVOKE(F, O, W)                                                                       \
	F(TEXT, id, "id", 1, WIRE_ID, NEED)                                                        \
	F(TEXT, invocation_id, "invocation_id", 1, WIRE_ID, NEED)                                  \
	F(BOOL, broadcast, "broadcast", 0, 0, 0)                                                   \
	F(TEXT, proplet_id, "proplet_id", 0, WIRE_ID, 0)                                           \
	F(LIST, inputs, "inputs", 0, 65535, 0)                                                     \
	F(PAIRS, env, "env", 0, 65535, 0)

#define WIRE_ACK(F, O, W)                                                                          \
	F(TEXT, task_id, "task_id", 1, WIRE_ID, NEED)                                              \
	F(INT, epoch, "epoch", 0, WIRE_WHOLE, NEED)

/* A lease: which assignment of which task. */
#define WIRE_HELD(F, O, W)                                                                         \
	F(TEXT, id, "id", 1, WIRE_ID, NEED)                                                        \
	F(INT, epoch, "epoch", 0, WIRE_WHOLE, NEED)

#define WIRE_LEASE(F, O, W)                                                                        \
	O(OBJECTS, tasks, "tasks", held, 65535, NEED)                                              \
	F(INT, lease_ms, "lease_ms", 0, WIRE_WHOLE, NEED)                                          \
	F(INT, connection, "connection", 0, WIRE_WHOLE, 0)                                         \
	F(INT, uptime_ms, "uptime_ms", 0, WIRE_WHOLE, 0)                                           \
	F(BOOL, announce, "announce", 0, 0, 0)

/* ---- from a worker */

#define WIRE_METADATA(F, O, W)                                                                     \
	F(TEXT, description, "description", 0, 1024, 0)                                            \
	F(LIST, tags, "tags", 0, 1024, 0)                                                          \
	F(TEXT, location, "location", 0, 256, 0)                                                   \
	F(TEXT, ip, "ip", 0, 64, 0)                                                                \
	F(TEXT, environment, "environment", 0, 64, 0)                                              \
	F(TEXT, os, "os", 0, 64, 0)                                                                \
	F(TEXT, hostname, "hostname", 0, 256, 0)                                                   \
	F(TEXT, cpu_arch, "cpu_arch", 0, 64, 0)                                                    \
	F(INT, total_memory_bytes, "total_memory_bytes", 0, WIRE_WHOLE, 0)                         \
	F(TEXT, proplet_version, "proplet_version", 0, 64, 0)                                      \
	F(TEXT, wasm_runtime, "wasm_runtime", 0, 256, 0)                                           \
	F(TEXT, engine, "engine", 0, 64, 0)                                                        \
	F(LIST, features, "features", 0, 64, 0)                                                    \
	F(LIST, capabilities, "capabilities", 0, 64, 0)                                            \
	F(PAIRS, labels, "labels", 0, 256, 0)                                                      \
	F(BOOL, direct, "direct", 0, 0, 0)                                                         \
	F(INT, pool_bytes, "pool_bytes", 0, WIRE_WHOLE, 0)                                         \
	F(INT, free_bytes, "free_bytes", 0, WIRE_WHOLE, 0)                                         \
	F(INT, flash_bytes, "flash_bytes", 0, WIRE_WHOLE, 0)                                       \
	F(INT, rx_buffer_bytes, "rx_buffer_bytes", 0, WIRE_WHOLE, 0)                               \
	F(INT, tasks_max, "tasks_max", 0, WIRE_WHOLE, 0)                                           \
	F(INT, heartbeat_ms, "heartbeat_ms", 0, WIRE_WHOLE, 0)                                     \
	F(TEXT, power, "power", 0, 32, 0)                                                          \
	F(INT, battery_percent, "battery_percent", 0, 100, 0)                                      \
	F(TEXT, aot_target, "aot_target", 0, 64, 0)                                                \
	F(INT, aot_abi, "aot_abi", 0, WIRE_WHOLE, 0)                                               \
	F(LIST, keys, "keys", 0, 64, 0)

#define WIRE_CREATE(F, O, W)                                                                       \
	F(TEXT, proplet_id, "proplet_id", 1, WIRE_ID, NEED)                                        \
	F(TEXT, namespace_name, "namespace", 0, 256, 0)                                            \
	F(INT, connection, "connection", 0, WIRE_WHOLE, 0)                                         \
	F(INT, uptime_ms, "uptime_ms", 0, WIRE_WHOLE, 0)                                           \
	O(OBJECT, metadata, "metadata", metadata, 1, 0)

#define WIRE_ALIVE(F, O, W)                                                                        \
	F(TEXT, proplet_id, "proplet_id", 1, WIRE_ID, NEED)                                        \
	F(TEXT, status, "status", 0, 32, 0)                                                        \
	F(TEXT, namespace_name, "namespace", 0, 256, 0)                                            \
	F(INT, connection, "connection", 0, WIRE_WHOLE, 0)                                         \
	F(INT, uptime_ms, "uptime_ms", 0, WIRE_WHOLE, 0)                                           \
	F(INT, free_bytes, "free_bytes", 0, WIRE_WHOLE, 0)                                         \
	F(INT, running, "running", 0, WIRE_WHOLE, 0)                                               \
	F(INT, load_percent, "load_percent", 0, WIRE_WHOLE, 0)                                     \
	F(INT, battery_percent, "battery_percent", 0, 100, 0)                                      \
	O(OBJECTS, tasks, "tasks", held, 65535, 0)                                                 \
	F(BOOL, tasks_more, "tasks_more", 0, 0, 0)

#define WIRE_GONE(F, O, W)                                                                         \
	F(TEXT, proplet_id, "proplet_id", 1, WIRE_ID, NEED)                                        \
	F(TEXT, status, "status", 0, 32, 0)

/* A frame of a backtrace. */
#define WIRE_FRAME(F, O, W)                                                                        \
	F(INT, func, "func", 0, UINT32_MAX, NEED)                                                  \
	F(TEXT, name, "name", 0, 256, 0)                                                           \
	F(INT, offset, "offset", 0, UINT32_MAX, 0)

#define WIRE_RESULTS(F, O, W)                                                                      \
	F(TEXT, task_id, "task_id", 1, WIRE_ID, NEED)                                              \
	F(TEXT, proplet_id, "proplet_id", 0, WIRE_ID, 0)                                           \
	F(ANY, results, "results", 0, WIRE_TEXT * 16, 0)                                           \
	F(TEXT, error, "error", 0, WIRE_TEXT, 0)                                                   \
	F(INT, epoch, "epoch", 0, WIRE_WHOLE, 0)                                                   \
	W(reason, "reason", REASON, 0)                                                             \
	F(INT, fuel, "fuel", 0, WIRE_WHOLE, 0)                                                     \
	F(INT, duration_ms, "duration_ms", 0, WIRE_WHOLE, 0)                                       \
	F(INT, memory_bytes, "memory_bytes", 0, WIRE_WHOLE, 0)                                     \
	F(INT, stack_bytes, "stack_bytes", 0, WIRE_WHOLE, 0)                                       \
	O(OBJECTS, backtrace, "backtrace", frame, 1024, 0)                                         \
	F(INT, exit_code, "exit_code", INT32_MIN, INT32_MAX, 0)                                    \
	F(TEXT, engine, "engine", 0, 32, 0)

#define WIRE_INVOKE_RESULTS(F, O, W)                                                               \
	F(TEXT, task_id, "task_id", 1, WIRE_ID, NEED)                                              \
	F(TEXT, invocation_id, "invocation_id", 0, WIRE_ID, 0)                                     \
	F(TEXT, proplet_id, "proplet_id", 0, WIRE_ID, 0)                                           \
	F(ANY, results, "results", 0, WIRE_TEXT * 16, 0)                                           \
	F(TEXT, error, "error", 0, WIRE_TEXT, 0)                                                   \
	W(reason, "reason", REASON, 0)                                                             \
	F(INT, fuel, "fuel", 0, WIRE_WHOLE, 0)                                                     \
	F(INT, duration_ms, "duration_ms", 0, WIRE_WHOLE, 0)                                       \
	F(INT, memory_bytes, "memory_bytes", 0, WIRE_WHOLE, 0)                                     \
	F(INT, stack_bytes, "stack_bytes", 0, WIRE_WHOLE, 0)                                       \
	O(OBJECTS, backtrace, "backtrace", frame, 1024, 0)                                         \
	F(INT, exit_code, "exit_code", INT32_MIN, INT32_MAX, 0)                                    \
	F(TEXT, engine, "engine", 0, 32, 0)

#define WIRE_CPU_METRICS(F, O, W)                                                                  \
	F(NUM, user_seconds, "user_seconds", 0, 0, 0)                                              \
	F(NUM, system_seconds, "system_seconds", 0, 0, 0)                                          \
	F(NUM, percent, "percent", 0, 0, 0)

#define WIRE_MEMORY_METRICS(F, O, W)                                                               \
	F(NUM, rss_bytes, "rss_bytes", 0, 0, 0)                                                    \
	F(NUM, heap_alloc_bytes, "heap_alloc_bytes", 0, 0, 0)                                      \
	F(NUM, heap_sys_bytes, "heap_sys_bytes", 0, 0, 0)                                          \
	F(NUM, heap_inuse_bytes, "heap_inuse_bytes", 0, 0, 0)                                      \
	F(NUM, heap_free_bytes, "heap_free_bytes", 0, 0, 0)                                        \
	F(NUM, heap_max_alloc_bytes, "heap_max_alloc_bytes", 0, 0, 0)                              \
	F(NUM, container_usage_bytes, "container_usage_bytes", 0, 0, 0)                            \
	F(NUM, container_limit_bytes, "container_limit_bytes", 0, 0, 0)                            \
	F(NUM, system_heap_used_bytes, "system_heap_used_bytes", 0, 0, 0)                          \
	F(NUM, system_heap_free_bytes, "system_heap_free_bytes", 0, 0, 0)                          \
	F(NUM, system_heap_max_bytes, "system_heap_max_bytes", 0, 0, 0)

#define WIRE_NETWORK_METRICS(F, O, W)                                                              \
	F(NUM, rx_bytes, "rx_bytes", 0, 0, 0)                                                      \
	F(NUM, tx_bytes, "tx_bytes", 0, 0, 0)                                                      \
	F(NUM, rx_packets, "rx_packets", 0, 0, 0)                                                  \
	F(NUM, tx_packets, "tx_packets", 0, 0, 0)                                                  \
	F(NUM, dropped_packets, "dropped_packets", 0, 0, 0)                                        \
	F(NUM, resent_packets, "resent_packets", 0, 0, 0)

#define WIRE_METRICS(F, O, W)                                                                      \
	F(TEXT, proplet_id, "proplet_id", 1, WIRE_ID, NEED)                                        \
	F(TEXT, namespace_name, "namespace", 0, 256, 0)                                            \
	F(TIME, timestamp, "timestamp", 0, 0, 0)                                                   \
	O(OBJECT, cpu_metrics, "cpu_metrics", cpu_metrics, 1, 0)                                   \
	O(OBJECT, memory_metrics, "memory_metrics", memory_metrics, 1, 0)                          \
	O(OBJECT, network_metrics, "network_metrics", network_metrics, 1, 0)

#define WIRE_TASK_SAMPLE(F, O, W)                                                                  \
	F(NUM, cpu_percent, "cpu_percent", 0, 0, 0)                                                \
	F(NUM, memory_bytes, "memory_bytes", 0, 0, 0)                                              \
	F(NUM, memory_percent, "memory_percent", 0, 0, 0)                                          \
	F(NUM, disk_read_bytes, "disk_read_bytes", 0, 0, 0)                                        \
	F(NUM, disk_write_bytes, "disk_write_bytes", 0, 0, 0)                                      \
	F(NUM, uptime_seconds, "uptime_seconds", 0, 0, 0)                                          \
	F(NUM, thread_count, "thread_count", 0, 0, 0)                                              \
	F(NUM, file_descriptor_count, "file_descriptor_count", 0, 0, 0)

#define WIRE_TASK_AGGREGATE(F, O, W)                                                               \
	F(NUM, avg_cpu_usage, "avg_cpu_usage", 0, 0, 0)                                            \
	F(NUM, max_cpu_usage, "max_cpu_usage", 0, 0, 0)                                            \
	F(NUM, avg_memory_usage, "avg_memory_usage", 0, 0, 0)                                      \
	F(NUM, max_memory_usage, "max_memory_usage", 0, 0, 0)                                      \
	F(NUM, total_disk_read, "total_disk_read", 0, 0, 0)                                        \
	F(NUM, total_disk_write, "total_disk_write", 0, 0, 0)                                      \
	F(NUM, sample_count, "sample_count", 0, 0, 0)

#define WIRE_TASK_METRICS(F, O, W)                                                                 \
	F(TEXT, task_id, "task_id", 1, WIRE_ID, NEED)                                              \
	F(TEXT, proplet_id, "proplet_id", 1, WIRE_ID, NEED)                                        \
	O(OBJECT, metrics, "metrics", task_sample, 1, 0)                                           \
	O(OBJECT, aggregated, "aggregated", task_aggregate, 1, 0)                                  \
	F(TIME, timestamp, "timestamp", 0, 0, 0)

#define WIRE_OUTPUT(F, O, W)                                                                       \
	F(TEXT, proplet_id, "proplet_id", 1, WIRE_ID, NEED)                                        \
	F(TEXT, task_id, "task_id", 1, WIRE_ID, NEED)                                              \
	F(INT, epoch, "epoch", 0, WIRE_WHOLE, 0)                                                   \
	F(INT, seq, "seq", 0, WIRE_WHOLE, 0)                                                       \
	F(TEXT, data, "data", 0, WIRE_TEXT * 16, NEED)

#define WIRE_LOGS(F, O, W)                                                                         \
	F(TEXT, proplet_id, "proplet_id", 1, WIRE_ID, NEED)                                        \
	F(TEXT, task_id, "task_id", 1, WIRE_ID, NEED)                                              \
	F(INT, epoch, "epoch", 0, WIRE_WHOLE, 0)                                                   \
	F(INT, seq, "seq", 0, WIRE_WHOLE, 0)                                                       \
	W(level, "level", LEVEL, 0)                                                                \
	F(TEXT, text, "text", 0, WIRE_TEXT, NEED)

#define WIRE_EVENT(F, O, W)                                                                        \
	F(TEXT, proplet_id, "proplet_id", 1, WIRE_ID, NEED)                                        \
	F(TEXT, kind, "kind", 1, 64, NEED)                                                         \
	F(TEXT, task_id, "task_id", 0, WIRE_ID, 0)                                                 \
	F(TEXT, text, "text", 0, WIRE_TEXT, 0)

/* ---- registry */

#define WIRE_REQUEST(F, O, W)                                                                      \
	F(TEXT, app_name, "app_name", 1, 2048, NEED)                                               \
	F(TEXT, proplet_id, "proplet_id", 0, WIRE_ID, 0)                                           \
	F(INT, offset, "offset", 0, UINT32_MAX, 0)                                                 \
	F(INT, chunk_bytes, "chunk_bytes", 1, UINT32_MAX, 0)                                       \
	F(INT, chunks, "chunks", 1, UINT32_MAX, 0)

#define WIRE_CHUNK(F, O, W)                                                                        \
	F(TEXT, app_name, "app_name", 1, 2048, NEED)                                               \
	F(INT, chunk_idx, "chunk_idx", 0, UINT32_MAX, 0)                                           \
	F(INT, total_chunks, "total_chunks", 0, UINT32_MAX, 0)                                     \
	F(INT, offset, "offset", 0, UINT32_MAX, 0)                                                 \
	F(INT, size, "size", 0, UINT32_MAX, 0)                                                     \
	F(DIGEST, digest, "digest", 0, 0, 0)                                                       \
	F(TEXT, error, "error", 0, 1024, 0)                                                        \
	F(BYTES, data, "data", 0, 0, 0)

/* Parts first, then messages: X(name, LIST). */
#define WIRE_PART_LIST(X)                                                                          \
	X(limits, WIRE_LIMITS)                                                                     \
	X(module, WIRE_MODULE)                                                                     \
	X(native, WIRE_NATIVE)                                                                     \
	X(profile, WIRE_PROFILE)                                                                   \
	X(held, WIRE_HELD)                                                                         \
	X(metadata, WIRE_METADATA)                                                                 \
	X(frame, WIRE_FRAME)                                                                       \
	X(cpu_metrics, WIRE_CPU_METRICS)                                                           \
	X(memory_metrics, WIRE_MEMORY_METRICS)                                                     \
	X(network_metrics, WIRE_NETWORK_METRICS)                                                   \
	X(task_sample, WIRE_TASK_SAMPLE)                                                           \
	X(task_aggregate, WIRE_TASK_AGGREGATE)

#define WIRE_MESSAGE_LIST(X)                                                                       \
	X(start, WIRE_START)                                                                       \
	X(stop, WIRE_STOP)                                                                         \
	X(invoke, WIRE_INVOKE)                                                                     \
	X(ack, WIRE_ACK)                                                                           \
	X(lease, WIRE_LEASE)                                                                       \
	X(create, WIRE_CREATE)                                                                     \
	X(alive, WIRE_ALIVE)                                                                       \
	X(gone, WIRE_GONE)                                                                         \
	X(results, WIRE_RESULTS)                                                                   \
	X(invoke_results, WIRE_INVOKE_RESULTS)                                                     \
	X(metrics, WIRE_METRICS)                                                                   \
	X(task_metrics, WIRE_TASK_METRICS)                                                         \
	X(output, WIRE_OUTPUT)                                                                     \
	X(logs, WIRE_LOGS)                                                                         \
	X(event, WIRE_EVENT)                                                                       \
	X(request, WIRE_REQUEST)                                                                   \
	X(chunk, WIRE_CHUNK)

/* Topics behind the prefix m/<tenant>/c/<channel>/: X(NAME, "topic", message). With "+" at the end
 * a proplet's id follows. */
#define WIRE_TOPIC_LIST(X)                                                                         \
	X(START, "control/manager/start", start)                                                   \
	X(STOP, "control/manager/stop", stop)                                                      \
	X(INVOKE, "control/manager/invoke", invoke)                                                \
	X(START_TO, "control/manager/start/+", start)                                              \
	X(STOP_TO, "control/manager/stop/+", stop)                                                 \
	X(INVOKE_TO, "control/manager/invoke/+", invoke)                                           \
	X(ACK_TO, "control/manager/ack/+", ack)                                                    \
	X(LEASE_TO, "control/manager/lease/+", lease)                                              \
	X(CREATE, "control/proplet/create", create)                                                \
	X(ALIVE, "control/proplet/alive", alive)                                                   \
	X(GONE, "control/proplet/gone", gone)                                                      \
	X(RESULTS, "control/proplet/results", results)                                             \
	X(INVOKE_RESULTS, "control/proplet/invoke_results", invoke_results)                        \
	X(METRICS, "control/proplet/metrics", metrics)                                             \
	X(TASK_METRICS, "control/proplet/task_metrics", task_metrics)                              \
	X(OUTPUT, "control/proplet/output", output)                                                \
	X(LOGS, "control/proplet/logs", logs)                                                      \
	X(EVENT, "control/proplet/event", event)                                                   \
	X(REQUEST, "registry/proplet", request)                                                    \
	X(CHUNK, "registry/server", chunk)                                                         \
	X(CHUNK_TO, "registry/server/+", chunk)

#endif
