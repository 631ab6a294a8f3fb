/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of proplet-manager:
 *   TEXT(member, flag, environment, key in config.toml, default, help)
 *   NUMBER(member, flag, environment, key, default, lowest, highest, help)
 *   FLAG(member, flag, environment, key, help)
 */
#define SETTINGS_LIST                                                                              \
	TEXT(mqtt, "mqtt", "MANAGER_MQTT_ADDRESS", "mqtt_address", "tcp://localhost:1883",         \
	     "the broker: tcp://HOST:PORT, or ssl:// for TLS")                                     \
	TEXT(tenant, "tenant", "MANAGER_TENANT_ID", "tenant_id", "default",                        \
	     "tenant: the first part of m/TENANT/c/CHANNEL")                                       \
	TEXT(channel, "channel", "MANAGER_CHANNEL_ID", "channel_id", "default", "channel")         \
	TEXT(entity, "entity", "MANAGER_ENTITY_ID", "entity_id", "proplet-manager",                \
	     "id and user name at the broker")                                                     \
	TEXT(api_key, "api-key", "MANAGER_API_KEY", "api_key", "", "password at the broker")       \
	NUMBER(qos, "qos", "MANAGER_MQTT_QOS", "mqtt_qos", 2, 0, 2,                                \
	       "quality of service to workers of Propeller; ours get 1")                           \
	TEXT(tls_ca, "tls-ca", "MANAGER_MQTT_TLS_CA_CERT", "mqtt_tls_ca_cert", "",                 \
	     "file with the authorities that may sign the broker's certificate")                   \
	TEXT(tls_cert, "tls-cert", "MANAGER_MQTT_TLS_CLIENT_CERT", "mqtt_tls_client_cert", "",     \
	     "our certificate for the broker")                                                     \
	TEXT(tls_key, "tls-key", "MANAGER_MQTT_TLS_CLIENT_KEY", "mqtt_tls_client_key", "",         \
	     "its key")                                                                            \
	FLAG(tls_insecure, "tls-insecure", "MANAGER_MQTT_TLS_INSECURE_SKIP_VERIFY",                \
	     "mqtt_tls_insecure", "accept any certificate of the broker")                          \
	TEXT(http_host, "http-host", "MANAGER_HTTP_HOST", "http_host", "localhost",                \
	     "address to serve the API on; 0.0.0.0 for all")                                       \
	NUMBER(http_port, "http-port", "MANAGER_HTTP_PORT", "http_port", 7070, 1, 65535,           \
	       "port of the API")                                                                  \
	TEXT(http_cert, "http-cert", "MANAGER_HTTP_SERVER_CERT", "http_server_cert", "",           \
	     "file with the certificate: then the API speaks HTTPS")                               \
	TEXT(http_key, "http-key", "MANAGER_HTTP_SERVER_KEY", "http_server_key", "", "its key")    \
	TEXT(store, "store", "MANAGER_STORE", "store", "sqlite:proplet-manager.db",                \
	     "where the state lives: sqlite:///PATH or postgres://USER:PASSWORD@HOST/DATABASE")    \
	FLAG(standby, "standby", "MANAGER_STANDBY", "standby",                                     \
	     "while another manager has the store, wait, and take over when it ends")              \
	FLAG(quick, "quick-commits", "MANAGER_QUICK_COMMITS", "quick_commits",                     \
	     "do not wait for the disk: a power cut may take the last commits, a crash may not")   \
	NUMBER(nodes_max, "nodes-max", "MANAGER_NODES_MAX", "nodes_max", 10000, 1, 1000000,        \
	       "workers it can know")                                                              \
	NUMBER(tasks_max, "tasks-max", "MANAGER_TASKS_MAX", "tasks_max", 100000, 1, 10000000,      \
	       "tasks that run or wait at a time; ended ones are in the store alone")              \
	NUMBER(heartbeat_ms, "heartbeat-ms", "MANAGER_HEARTBEAT_MS", "heartbeat_ms", 10000, 50,    \
	       3600000, "heartbeat of workers that announce none; three missed: dead")             \
	NUMBER(lease_ms, "lease-ms", "MANAGER_LEASE_MS", "lease_ms", 60000, 0, 4294967295,         \
	       "lease of tasks that name none; 0: without end")                                    \
	NUMBER(stop_wait_ms, "stop-wait-ms", "MANAGER_STOP_WAIT_MS", "stop_wait_ms", 10000, 50,    \
	       600000, "a stop that is not confirmed is repeated after this")                      \
	NUMBER(start_wait_ms, "start-wait-ms", "MANAGER_START_WAIT_MS", "start_wait_ms", 3000, 50, \
	       600000, "a start that the worker does not list is repeated after this")             \
	FLAG(queue, "queue", "MANAGER_QUEUE", "queue",                                             \
	     "a start that no worker fits waits for one, though not asked to")                     \
	NUMBER(inline_bytes, "inline-bytes", "MANAGER_INLINE_BYTES", "inline_bytes", 2048, 0,      \
	       1048576, "modules up to this travel in the start message")                          \
	FLAG(serve_registry, "serve-registry", "MANAGER_SERVE_REGISTRY", "serve_registry",         \
	     "answer Propeller's plain registry requests for modules we have")                     \
	TEXT(aot, "aot", "MANAGER_AOT", "aot", "auto",                                             \
	     "native images for tasks that do not say: auto (when it pays), always, never")        \
	TEXT(aot_dir, "aot-dir", "MANAGER_AOT_DIR", "aot_dir", "",                                 \
	     "folder of images and of the key that signs them; default: beside the database, "     \
	     "with .aot behind its name")                                                          \
	TEXT(rotorc, "rotorc", "MANAGER_ROTORC", "rotorc", "",                                     \
	     "the compiler; default: beside this program, or in PATH")                             \
	NUMBER(aot_starts, "aot-starts", "MANAGER_AOT_STARTS", "aot_starts", 5, 1, 1000000000,     \
	       "auto: a module is compiled when it was started that often on a kind of processor") \
	NUMBER(aot_run_ms, "aot-run-ms", "MANAGER_AOT_RUN_MS", "aot_run_ms", 2000, 1, 4294967295,  \
	       "auto: or when its runs took that long in all; daemons are compiled at once")       \
	NUMBER(aot_time_ms, "aot-time-ms", "MANAGER_AOT_TIME_MS", "aot_time_ms", 60000, 50,        \
	       3600000, "a compilation that takes longer is ended")                                \
	NUMBER(aot_memory_mb, "aot-memory-mb", "MANAGER_AOT_MEMORY_MB", "aot_memory_mb", 2048, 0,  \
	       1048576, "address space of a compilation; 0: no limit")                             \
	NUMBER(aot_queue, "aot-queue", "MANAGER_AOT_QUEUE", "aot_queue", 64, 1, 1000,              \
	       "modules that may wait to be compiled")                                             \
	NUMBER(aot_retry_ms, "aot-retry-ms", "MANAGER_AOT_RETRY_MS", "aot_retry_ms", 600000, 0,    \
	       4294967295, "a compilation that failed is tried again after this")                  \
	TEXT(log_level, "log-level", "MANAGER_LOG_LEVEL", "log_level", "info",                     \
	     "debug, info, warn or error")
