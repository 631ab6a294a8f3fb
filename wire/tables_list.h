/* SPDX-License-Identifier: Apache-2.0 */
/* Part of tables.c: one table per part and message, THIS being its struct. Parts come first. */

#define THIS struct wire_limits
static const struct wire_row rows_limits[] = {WIRE_LIMITS(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(limits, rows_limits)

#define THIS struct wire_module
static const struct wire_row rows_module[] = {WIRE_MODULE(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(module, rows_module)

#define THIS struct wire_native
static const struct wire_row rows_native[] = {WIRE_NATIVE(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(native, rows_native)

#define THIS struct wire_profile
static const struct wire_row rows_profile[] = {WIRE_PROFILE(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(profile, rows_profile)

#define THIS struct wire_held
static const struct wire_row rows_held[] = {WIRE_HELD(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(held, rows_held)

#define THIS struct wire_metadata
static const struct wire_row rows_metadata[] = {WIRE_METADATA(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(metadata, rows_metadata)

#define THIS struct wire_frame
static const struct wire_row rows_frame[] = {WIRE_FRAME(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(frame, rows_frame)

#define THIS struct wire_cpu_metrics
static const struct wire_row rows_cpu_metrics[] = {WIRE_CPU_METRICS(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(cpu_metrics, rows_cpu_metrics)

#define THIS struct wire_memory_metrics
static const struct wire_row rows_memory_metrics[] = {WIRE_MEMORY_METRICS(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(memory_metrics, rows_memory_metrics)

#define THIS struct wire_network_metrics
static const struct wire_row rows_network_metrics[] = {WIRE_NETWORK_METRICS(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(network_metrics, rows_network_metrics)

#define THIS struct wire_task_sample
static const struct wire_row rows_task_sample[] = {WIRE_TASK_SAMPLE(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(task_sample, rows_task_sample)

#define THIS struct wire_task_aggregate
static const struct wire_row rows_task_aggregate[] = {WIRE_TASK_AGGREGATE(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(task_aggregate, rows_task_aggregate)

#define THIS struct wire_start
static const struct wire_row rows_start[] = {WIRE_START(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(start, rows_start)

#define THIS struct wire_stop
static const struct wire_row rows_stop[] = {WIRE_STOP(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(stop, rows_stop)

#define THIS struct wire_invoke
static const struct wire_row rows_invoke[] = {WIRE_INVOKE(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(invoke, rows_invoke)

#define THIS struct wire_ack
static const struct wire_row rows_ack[] = {WIRE_ACK(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(ack, rows_ack)

#define THIS struct wire_lease
static const struct wire_row rows_lease[] = {WIRE_LEASE(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(lease, rows_lease)

#define THIS struct wire_create
static const struct wire_row rows_create[] = {WIRE_CREATE(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(create, rows_create)

#define THIS struct wire_alive
static const struct wire_row rows_alive[] = {WIRE_ALIVE(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(alive, rows_alive)

#define THIS struct wire_gone
static const struct wire_row rows_gone[] = {WIRE_GONE(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(gone, rows_gone)

#define THIS struct wire_results
static const struct wire_row rows_results[] = {WIRE_RESULTS(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(results, rows_results)

#define THIS struct wire_invoke_results
static const struct wire_row rows_invoke_results[] = {WIRE_INVOKE_RESULTS(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(invoke_results, rows_invoke_results)

#define THIS struct wire_metrics
static const struct wire_row rows_metrics[] = {WIRE_METRICS(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(metrics, rows_metrics)

#define THIS struct wire_task_metrics
static const struct wire_row rows_task_metrics[] = {WIRE_TASK_METRICS(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(task_metrics, rows_task_metrics)

#define THIS struct wire_output
static const struct wire_row rows_output[] = {WIRE_OUTPUT(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(output, rows_output)

#define THIS struct wire_logs
static const struct wire_row rows_logs[] = {WIRE_LOGS(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(logs, rows_logs)

#define THIS struct wire_event
static const struct wire_row rows_event[] = {WIRE_EVENT(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(event, rows_event)

#define THIS struct wire_request
static const struct wire_row rows_request[] = {WIRE_REQUEST(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(request, rows_request)

#define THIS struct wire_chunk
static const struct wire_row rows_chunk[] = {WIRE_CHUNK(ROW_F, ROW_O, ROW_W)};
#undef THIS
TABLE(chunk, rows_chunk)
