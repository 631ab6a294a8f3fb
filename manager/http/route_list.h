/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API: ROUTE(METHOD, path, name, handler, summary). The OpenAPI description, the metrics and
 * the dispatcher come from this table; the first row that matches is taken.
 */
#define ROUTE_LIST                                                                                 \
	ROUTE("GET", "/", "index", api_index, "What this server is and where to look")             \
	ROUTE("GET", "/health", "health", api_health, "Whether the manager works")                 \
	ROUTE("GET", "/metrics", "metrics", api_metrics, "Figures for Prometheus")                 \
	ROUTE("GET", "/openapi.json", "openapi", api_openapi, "This description")                  \
	ROUTE("GET", "/events", "events", api_events,                                              \
	      "Server-sent events: what happens to nodes and tasks; ?task_id=, ?proplet_id=")      \
	ROUTE("GET", "/proplets", "list-proplets", api_nodes,                                      \
	      "All workers; ?status=active or inactive, ?find= by name or beginning of the id")    \
	ROUTE("GET", "/proplets/{id}", "get-proplet", api_node, "One worker")                      \
	ROUTE("DELETE", "/proplets/{id}", "delete-proplet", api_node_delete,                       \
	      "Forgets a worker that has no tasks; one that is alive is back at its next "         \
	      "heartbeat")                                                                         \
	ROUTE("GET", "/proplets/{id}/sdf", "get-proplet-sdf", api_node_sdf,                        \
	      "The worker as a Semantic Definition Format document")                               \
	ROUTE("GET", "/proplets/{id}/metrics", "get-proplet-metrics", api_node_metrics,            \
	      "What the worker reported of itself")                                                \
	ROUTE("GET", "/proplets/{id}/alive-history", "get-proplet-alive-history", api_node_alive,  \
	      "Its last heartbeats")                                                               \
	ROUTE("GET", "/proplets/{id}/events", "get-proplet-events", api_node_events,               \
	      "What it wanted an operator to see")                                                 \
	ROUTE("GET", "/proplets/{id}/tasks", "get-proplet-tasks", api_node_tasks,                  \
	      "Tasks that were last placed there")                                                 \
	ROUTE("POST", "/proplets/{id}/drain", "drain-proplet", api_node_drain,                     \
	      "No new tasks; daemons move away, all tasks after deadline_ms")                      \
	ROUTE("POST", "/tasks", "create-task", api_task_create,                                    \
	      "Creates a task; with \"start\":true starts it, with ?wait_ms= waits for its end")   \
	ROUTE("GET", "/tasks", "list-tasks", api_tasks,                                            \
	      "All tasks, newest first; filters: ?state=, ?proplet_id=, ?workflow_id=, ?job_id=, " \
	      "?metadata=, ?find= by name or beginning of the id")                                 \
	ROUTE("GET", "/tasks/{id}", "get-task", api_task, "One task")                              \
	ROUTE("PUT", "/tasks/{id}", "update-task", api_task_update,                                \
	      "Changes name, inputs, file, priority, metadata or schedule")                        \
	ROUTE("PUT", "/tasks/{id}/upload", "upload-task-file", api_task_upload,                    \
	      "Gives the task its module: multipart field file, or the bytes as application/wasm") \
	ROUTE("DELETE", "/tasks/{id}", "delete-task", api_task_delete,                             \
	      "Stops a running task and forgets it")                                               \
	ROUTE("POST", "/tasks/{id}/start", "start-task", api_task_start,                           \
	      "Runs the task; with ?queue=true it waits for a node that fits")                     \
	ROUTE("POST", "/tasks/{id}/stop", "stop-task", api_task_stop, "Stops the task")            \
	ROUTE("POST", "/tasks/{id}/invoke", "invoke-task", api_task_invoke,                        \
	      "Calls a latent task that runs and answers with its result")                         \
	ROUTE("GET", "/tasks/{id}/metrics", "get-task-metrics", api_task_metrics,                  \
	      "What workers measured of the task")                                                 \
	ROUTE("GET", "/tasks/{id}/results", "get-task-results", api_task_results,                  \
	      "Its result; ?wait_ms= waits for the end")                                           \
	ROUTE("GET", "/tasks/{id}/logs", "get-task-logs", api_task_logs,                           \
	      "Lines it logged or printed; ?after=SEQ")                                            \
	ROUTE("GET", "/tasks/{id}/outputs", "get-task-outputs", api_task_outputs,                  \
	      "Values it published while it ran; ?after=SEQ")                                      \
	ROUTE("GET", "/tasks/{id}/parts", "get-task-parts", api_task_parts,                        \
	      "Results of a broadcast task, one for each worker")                                  \
	ROUTE("GET", "/tasks/{id}/events", "get-task-events", api_task_events,                     \
	      "What workers wanted an operator to see of it")                                      \
	ROUTE("GET", "/tasks/{id}/placement", "get-task-placement", api_task_placement,            \
	      "Which worker would take it, and why the others would not")                          \
	ROUTE("POST", "/workflows", "create-workflow", api_workflow_create,                        \
	      "Creates tasks that depend on each other")                                           \
	ROUTE("GET", "/workflows", "list-workflows", api_workflows, "All workflows")               \
	ROUTE("GET", "/workflows/{id}", "get-workflow", api_workflow, "A workflow's tasks")        \
	ROUTE("POST", "/workflows/{id}/start", "start-workflow", api_workflow_start,               \
	      "Runs the whole workflow")                                                           \
	ROUTE("POST", "/workflows/{id}/stop", "stop-workflow", api_workflow_stop,                  \
	      "Stops what runs and skips the rest")                                                \
	ROUTE("POST", "/jobs", "create-job", api_job_create, "Creates a job with its tasks")       \
	ROUTE("GET", "/jobs", "list-jobs", api_jobs, "All jobs; ?status= and ?find= filter")       \
	ROUTE("GET", "/jobs/{id}", "get-job", api_job, "A job's tasks")                            \
	ROUTE("POST", "/jobs/{id}/start", "start-job", api_job_start, "Runs the job")              \
	ROUTE("POST", "/jobs/{id}/stop", "stop-job", api_job_stop, "Stops the job")                \
	ROUTE("POST", "/modules", "upload-module", api_module_create,                              \
	      "Keeps a module under its digest; the body is its bytes, ?source= names it")         \
	ROUTE("GET", "/modules", "list-modules", api_modules, "All modules, newest first")         \
	ROUTE("GET", "/modules/{digest}", "get-module", api_module,                                \
	      "One module's record; ?wait_ms= waits for images that are being made")               \
	ROUTE("GET", "/modules/{digest}/bytes", "get-module-bytes", api_module_bytes,              \
	      "The module itself")                                                                 \
	ROUTE("POST", "/modules/{digest}/compile", "compile-module", api_module_compile,           \
	      "Makes native images of it; ?target= for one processor, else all workers'; "         \
	      "?wait_ms=")                                                                         \
	ROUTE("GET", "/aot", "get-aot", api_aot,                                                   \
	      "The key that signs native images, and the processors of the workers")               \
	ROUTE("POST", "/fl/experiments", "configure-experiment", api_fl,                           \
	      "Federated learning: not built in")                                                  \
	ROUTE("GET", "/fl/task", "get-fl-task", api_fl, "Federated learning: not built in")        \
	ROUTE("POST", "/fl/update", "post-fl-update", api_fl, "Federated learning: not built in")  \
	ROUTE("POST", "/fl/update_cbor", "post-fl-update-cbor", api_fl,                            \
	      "Federated learning: not built in")                                                  \
	ROUTE("GET", "/fl/rounds/{id}/complete", "get-round-status", api_fl,                       \
	      "Federated learning: not built in")
