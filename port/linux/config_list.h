/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every setting of the worker, in the order of --help.
 *
 * SECTION(title)
 * ROW(member, type, environment name, default, min, max, argument's name, help)
 *   The key in config.toml is the member's name; the flag is the same with '-' for '_'.
 *   Types: TEXT, SECRET (never printed), INT, SIZE (k, m, g), MS (ms, s, m; a bare number is
 *   milliseconds), SECONDS (the same, but a bare number is seconds), BOOL, LIST (repeatable, or
 *   separated by commas), LEVEL. min and max bound numbers; both 0 where they mean nothing.
 */
/* clang-format off */
SECTION("Who and where")
ROW(tenant_id, TEXT, "PROPLET_TENANT_ID", "default", 0, 0, "ID", "tenant: first part of the topics m/TENANT/c/CHANNEL/...")
ROW(channel_id, TEXT, "PROPLET_CHANNEL_ID", "default", 0, 0, "ID", "channel: second part of the topics")
ROW(entity_id, TEXT, "PROPLET_ENTITY_ID", "", 0, 0, "UUID", "this worker's id, also MQTT client id and user name; default: made once, kept in the state folder")
ROW(api_key, SECRET, "PROPLET_API_KEY", "", 0, 0, "KEY", "MQTT password; default: none, and then no user name is sent either")
ROW(namespace, TEXT, "PROPLET_MANAGER_K8S_NAMESPACE", "default", 0, 0, "NAME", "namespace in the messages")
ROW(description, TEXT, "PROPLET_DESCRIPTION", "", 0, 0, "TEXT", "description shown by the manager")
ROW(location, TEXT, "PROPLET_LOCATION", "", 0, 0, "TEXT", "location shown by the manager")
ROW(tags, LIST, "PROPLET_TAGS", "", 0, 0, "TAG", "a tag that tasks can ask for")
ROW(labels, LIST, "PROPLET_LABELS", "", 0, 0, "KEY=VALUE", "a label that tasks can ask for")
ROW(power, TEXT, "PROPLET_POWER", "mains", 0, 0, "KIND", "mains or battery")
ROW(battery_percent, INT, "PROPLET_BATTERY_PERCENT", "-1", -1, 100, "N", "charge to report; -1: none")
SECTION("Broker")
ROW(mqtt_address, TEXT, "PROPLET_MQTT_ADDRESS", "tcp://localhost:1883", 0, 0, "URL", "tcp://HOST:PORT, or ssl://, tls://, mqtts:// for TLS")
ROW(mqtt_qos, INT, "PROPLET_MQTT_QOS", "1", 0, 2, "0-2", "quality of service of subscriptions and reports")
ROW(mqtt_keep_alive, SECONDS, "PROPLET_MQTT_KEEP_ALIVE", "30", 5000, 3600000, "TIME", "keep-alive of the connection")
ROW(mqtt_timeout, SECONDS, "PROPLET_MQTT_TIMEOUT", "10", 100, 600000, "TIME", "longest wait for a connection to be accepted")
ROW(mqtt_inflight, INT, "PROPLET_MQTT_INFLIGHT", "20", 1, 1000, "N", "most reports sent and not yet acknowledged")
ROW(mqtt_max_packet_size, SIZE, "PROPLET_MQTT_MAX_PACKET_SIZE", "10m", 1024, 268435455, "BYTES", "longer messages are refused")
ROW(mqtt_tls_ca_cert, TEXT, "PROPLET_MQTT_TLS_CA_CERT", "", 0, 0, "FILE", "PEM file of the authorities to trust; default: the system's")
ROW(mqtt_tls_client_cert, TEXT, "PROPLET_MQTT_TLS_CLIENT_CERT", "", 0, 0, "FILE", "PEM file of this worker's certificate")
ROW(mqtt_tls_client_key, TEXT, "PROPLET_MQTT_TLS_CLIENT_KEY", "", 0, 0, "FILE", "PEM file of its private key")
ROW(mqtt_tls_insecure_skip_verify, BOOL, "PROPLET_MQTT_TLS_INSECURE_SKIP_VERIFY", "false", 0, 0, "", "take any certificate whatever its name (tests only)")
SECTION("Size of this worker")
ROW(pool, SIZE, "PROPLET_POOL", "64m", 8192, 4294967295, "BYTES", "memory that all tasks and modules live in; 40k behaves as a small device")
ROW(rx_buffer, SIZE, "PROPLET_RX_BUFFER", "64k", 64, 16777216, "BYTES", "receive buffer to announce: modules come in pieces that fit it")
ROW(slots, INT, "PROPLET_SLOTS", "64", 1, 65535, "N", "most tasks at a time")
ROW(threads, INT, "PROPLET_THREADS", "0", 0, 256, "N", "threads that run tasks; 0: one per core")
ROW(slice_fuel, INT, "PROPLET_SLICE_FUEL", "2000000", 1000, 1000000000, "N", "instructions a task runs before the next one's turn")
ROW(engine, TEXT, "PROPLET_ENGINE", "rotor", 0, 0, "NAME", "engine that runs the modules")
ROW(state_dir, TEXT, "PROPLET_STATE_DIR", "", 0, 0, "DIR", "folder of id, modules, journal and key-value data; default: see below")
ROW(store, SIZE, "PROPLET_STORE", "256m", 0, 1099511627776, "BYTES", "most bytes of modules kept on disk; 0: none, modules live in the pool")
SECTION("Limits of a task that brings none")
ROW(task_memory, SIZE, "PROPLET_TASK_MEMORY", "0", 0, 4294967295, "BYTES", "linear memory; 0: what fits the pool")
ROW(task_stack, SIZE, "PROPLET_TASK_STACK", "16k", 512, 1073741824, "BYTES", "stack")
ROW(task_heap, SIZE, "PROPLET_TASK_HEAP", "16k", 0, 1073741824, "BYTES", "heap of the built-in malloc")
ROW(task_fuel, INT, "PROPLET_TASK_FUEL", "0", 0, 9223372036854775807, "N", "instructions; 0: no limit")
ROW(task_time, MS, "PROPLET_TASK_TIME", "0", 0, 31536000000, "TIME", "wall time; 0: no limit")
ROW(task_output, SIZE, "PROPLET_TASK_OUTPUT", "64k", 256, 16777216, "BYTES", "printed and published bytes")
SECTION("Reports")
ROW(heartbeat_ms, MS, "PROPLET_HEARTBEAT_MS", "4000", 50, 3600000, "TIME", "time between two signs of life")
ROW(liveliness_interval, SECONDS, "PROPLET_LIVELINESS_INTERVAL", "0", 0, 3600000, "TIME", "Propeller's name of the same, in seconds; 0: heartbeat_ms counts")
ROW(metrics_interval, SECONDS, "PROPLET_METRICS_INTERVAL", "10", 100, 86400000, "TIME", "time between two reports of the node's CPU and memory")
ROW(enable_monitoring, BOOL, "PROPLET_ENABLE_MONITORING", "true", 0, 0, "", "send those reports")
ROW(collect_system_info, BOOL, "PROPLET_COLLECT_SYSTEM_INFO", "true", 0, 0, "", "announce host name, address, system, memory")
ROW(metrics_port, INT, "PROPLET_METRICS_PORT", "0", 0, 65535, "PORT", "serve /health and /metrics on 127.0.0.1:PORT; 0: off")
ROW(log_level, LEVEL, "PROPLET_LOG_LEVEL", "info", 0, 0, "LEVEL", "debug, info, warn, error or off")
SECTION("What tasks may use, if they declare it")
ROW(capabilities, LIST, "PROPLET_CAPABILITIES", "kv,time,publish", 0, 0, "NAME", "any of kv, time, publish, gpio, sensor; 'none' for nothing")
ROW(gpio_dir, TEXT, "PROPLET_GPIO_DIR", "", 0, 0, "DIR", "a file per pin holding 0 or 1; default: pins are kept in memory")
ROW(sensors, LIST, "PROPLET_SENSORS", "", 0, 0, "NAME=SOURCE", "a sensor: a number, or a file that holds one")
/* clang-format on */
#undef ROW
#undef SECTION
