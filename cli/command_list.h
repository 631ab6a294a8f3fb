/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every command and option of propctl, one row each. Parser, help, completion and the man page are
 * made from these tables.
 *
 * OPTION(id, name, letter, kind, value, help)      letter 0: none
 * COMMAND(group, name, function, arguments, min, max, options, help)      max -1: any number
 *
 * options are names of options, ended by a blank each; "+task" and "+limits" stand for the lists
 * below. In arguments the words FILE, TASK, NODE, JOB and MODULE are completed in a shell.
 */
#ifndef CLI_COMMAND_LIST_H
#define CLI_COMMAND_LIST_H

#define CLI_OPTION_LIST(OPTION)                                                                    \
	OPTION(MANAGER, "manager", 'm', TEXT, "URL",                                               \
	       "address of the manager (PROPCTL_URL; http://localhost:7070)")                      \
	OPTION(JSON, "json", 'j', FLAG, NULL, "print JSON, for programs")                          \
	OPTION(QUIET, "quiet", 'q', FLAG, NULL, "print ids or results only")                       \
	OPTION(CACERT, "cacert", 0, TEXT, "FILE", "certificates to trust (PROPCTL_CACERT)")        \
	OPTION(INSECURE, "insecure", 0, FLAG, NULL, "do not check the manager's certificate")      \
	OPTION(HELP, "help", 'h', FLAG, NULL, "explain the command")                               \
	OPTION(INVOKE, "invoke", 'i', TEXT, "FUNCTION",                                            \
	       "exported function to call; otherwise the one named like the task, _start, main, "  \
	       "run, the one named like the file, or the only one")                                \
	OPTION(NAME, "name", 'n', TEXT, "NAME", "name of the task; otherwise the file's")          \
	OPTION(NODE, "node", 0, TEXT, "NODE", "run on this node and no other")                     \
	OPTION(BROADCAST, "broadcast", 0, FLAG, NULL,                                              \
	       "run on every node; prints what each answers")                                      \
	OPTION(PRIORITY, "priority", 'p', NUMBER, "1..100", "higher runs first (50)")              \
	OPTION(ENV, "env", 'e', PAIR, "KEY=VALUE", "environment of the program; repeatable")       \
	OPTION(CAP, "cap", 'c', LIST, "CAPABILITY",                                                \
	       "let it use gpio, sensor, kv, time or publish; repeatable")                         \
	OPTION(DAEMON, "daemon", 0, FLAG, NULL, "it is meant to keep running")                     \
	OPTION(LATENT, "latent", 0, FLAG, NULL, "deploy only; propctl invoke calls it")            \
	OPTION(LABEL, "label", 'l', PAIR, "KEY=VALUE", "only nodes with this label; repeatable")   \
	OPTION(ARCH, "arch", 0, TEXT, "ARCH", "only nodes of this architecture (x86_64, arm...)")  \
	OPTION(POWER, "power", 0, TEXT, "mains|any", "mains: not on nodes with a battery (any)")   \
	OPTION(RESTART, "restart", 0, NUMBER, "TIMES", "start it again if it fails")               \
	OPTION(QUEUE, "queue", 0, FLAG, NULL, "if no node fits now, wait for one")                 \
	OPTION(IDEMPOTENT, "idempotent", 0, FLAG, NULL,                                            \
	       "it does no harm twice: it is moved at once when its node goes silent")             \
	OPTION(TAG, "tag", 't', LIST, "TAG", "only nodes with this tag; repeatable")               \
	OPTION(POLICY, "policy", 0, TEXT, "keep|stop|park",                                        \
	       "what the node does with it when contact is lost (keep)")                           \
	OPTION(AOT, "aot", 0, TEXT, "auto|always|never",                                           \
	       "run it as native code: when it pays, in any case, never (as the manager has it)")  \
	OPTION(TARGET, "target", 0, TEXT, "PROCESSOR",                                             \
	       "kind of processor: x86_64, thumbv7m... (those of all nodes)")                      \
	OPTION(SCHEDULE, "schedule", 0, TEXT, "CRON", "start by the clock: \"*/5 * * * *\"")       \
	OPTION(TIMEZONE, "timezone", 0, TEXT, "ZONE", "of the schedule (UTC)")                     \
	OPTION(ONCE, "once", 0, FLAG, NULL, "once, then stop")                                     \
	OPTION(METADATA, "metadata", 0, PAIR, "KEY=VALUE", "note kept with the task; repeatable")  \
	OPTION(FUEL, "fuel", 0, NUMBER, "COUNT", "at most this many instructions, about")          \
	OPTION(TIME, "time", 0, TIME, "TIME", "at most this long: 500ms, 30s, 5m")                 \
	OPTION(MEMORY, "memory", 0, SIZE, "BYTES", "linear memory it may grow to: 64k, 1m")        \
	OPTION(STACK, "stack", 0, SIZE, "BYTES", "stack of its functions")                         \
	OPTION(HEAP, "heap", 0, SIZE, "BYTES", "heap for malloc of the built-in libc")             \
	OPTION(OUTPUT, "output", 0, SIZE, "BYTES", "results, outputs and log lines together")      \
	OPTION(DETACH, "detach", 'd', FLAG, NULL, "start it, print its id, do not wait")           \
	OPTION(WAIT, "wait", 'w', TIME, "TIME", "wait at most this long: 500ms, 30s, 5m")          \
	OPTION(IMAGE, "image", 0, TEXT, "URL", "module as http(s) URL or OCI reference")           \
	OPTION(FILE, "file", 'f', TEXT, "FILE", "module to upload")                                \
	OPTION(START, "start", 's', FLAG, NULL, "start it at once")                                \
	OPTION(STATE, "state", 0, TEXT, "STATE",                                                   \
	       "only those that are pending, running, completed, failed...")                       \
	OPTION(LIMIT, "limit", 0, NUMBER, "COUNT", "at most this many rows (all)")                 \
	OPTION(FOLLOW, "follow", 'F', FLAG, NULL, "go on as more comes")                           \
	OPTION(OFF, "off", 0, FLAG, NULL, "take it back")                                          \
	OPTION(TASK, "task", 0, TEXT, "TASK", "only what concerns this task")                      \
	OPTION(ALIVE, "alive", 0, FLAG, NULL, "only nodes that are alive")                         \
	OPTION(INTERVAL, "interval", 0, TIME, "TIME", "between two looks (1s)")                    \
	OPTION(MODE, "mode", 0, TEXT, "parallel|sequential|configurable",                          \
	       "order of a job's tasks (as the file says)")                                        \
	OPTION(FORCE, "force", 0, FLAG, NULL,                                                      \
	       "even if the task runs (it is stopped first) or the node is alive")

/* What a task can be told, and its limits. */
#define CLI_TASK_OPTIONS                                                                           \
	"invoke node broadcast priority env cap daemon latent label tag arch power restart "       \
	"queue idempotent policy aot metadata "
#define CLI_LIMIT_OPTIONS "fuel time memory stack heap output "

#define CLI_COMMAND_LIST(COMMAND)                                                                  \
	COMMAND("", "run", run_command, "FILE [ARG...]", 1, -1,                                    \
		"name detach wait " CLI_TASK_OPTIONS CLI_LIMIT_OPTIONS,                            \
		"run a module and print its result")                                               \
	COMMAND("", "invoke", invoke_command, "TASK [ARG...]", 1, -1, "env wait ",                 \
		"call a latent task and print what it answers")                                    \
	COMMAND("", "status", status_command, "", 0, 0, "", "show how manager and fleet are")      \
	COMMAND("", "top", top_command, "", 0, 0, "once interval ",                                \
		"watch nodes and running tasks; q ends it")                                        \
	COMMAND("", "events", events_command, "", 0, 0, "task node ",                              \
		"tell what happens to nodes and tasks, until Ctrl-C")                              \
	COMMAND("node", "list", node_list, "", 0, 0, "alive limit ", "list the nodes")             \
	COMMAND("node", "show", node_show, "NODE", 1, 1, "", "tell all about a node")              \
	COMMAND("node", "drain", node_drain, "NODE", 1, 1, "off ",                                 \
		"give it no new tasks; --off lets it work again")                                  \
	COMMAND("node", "delete", node_delete, "NODE...", 1, -1, "force ",                         \
		"forget nodes that are gone")                                                      \
	COMMAND("node", "metrics", node_metrics, "NODE", 1, 1, "limit ",                           \
		"show its load as it was reported")                                                \
	COMMAND("task", "create", task_create, "NAME [ARG...]", 1, -1,                             \
		"file image start schedule timezone once " CLI_TASK_OPTIONS CLI_LIMIT_OPTIONS,     \
		"create a task")                                                                   \
	COMMAND("task", "list", task_list, "", 0, 0, "state limit ", "list the tasks")             \
	COMMAND("task", "show", task_show, "TASK", 1, 1, "", "tell all about a task")              \
	COMMAND("task", "start", task_start, "TASK...", 1, -1, "", "start tasks")                  \
	COMMAND("task", "stop", task_stop, "TASK...", 1, -1, "", "stop tasks")                     \
	COMMAND("task", "wait", task_wait, "TASK", 1, 1, "wait ",                                  \
		"wait for its end and print its result")                                           \
	COMMAND("task", "result", task_result, "TASK", 1, 1, "", "print its result")               \
	COMMAND("task", "logs", task_logs, "TASK", 1, 1, "follow ", "print what it logged")        \
	COMMAND("task", "outputs", task_outputs, "TASK", 1, 1, "follow ",                          \
		"print the values it published")                                                   \
	COMMAND("task", "metrics", task_metrics, "TASK", 1, 1, "limit ",                           \
		"show its load as it was reported")                                                \
	COMMAND("task", "upload", task_upload, "TASK FILE", 2, 2, "", "give it another module")    \
	COMMAND("task", "delete", task_delete, "TASK...", 1, -1, "force ", "forget tasks")         \
	COMMAND("job", "create", job_create, "FILE", 1, 1, "name mode start ",                     \
		"create a job, its tasks from a JSON file")                                        \
	COMMAND("job", "list", job_list, "", 0, 0, "state limit ", "list the jobs")                \
	COMMAND("job", "show", job_show, "JOB", 1, 1, "", "show a job and its tasks")              \
	COMMAND("job", "start", job_start, "JOB", 1, 1, "wait ", "start a job")                    \
	COMMAND("job", "stop", job_stop, "JOB", 1, 1, "", "stop a job")                            \
	COMMAND("workflow", "create", workflow_create, "FILE", 1, 1, "start ",                     \
		"create tasks that depend on each other, from a JSON file")                        \
	COMMAND("workflow", "list", workflow_list, "", 0, 0, "limit ", "list the workflows")       \
	COMMAND("workflow", "start", workflow_start, "WORKFLOW", 1, 1, "", "start a workflow")     \
	COMMAND("workflow", "stop", workflow_stop, "WORKFLOW", 1, 1, "",                           \
		"stop what runs of it and skip the rest")                                          \
	COMMAND("workflow", "show", workflow_show, "WORKFLOW", 1, 1, "",                           \
		"show how far a workflow is")                                                      \
	COMMAND("workflow", "wait", workflow_wait, "WORKFLOW", 1, 1, "wait ",                      \
		"wait until all its tasks have ended")                                             \
	COMMAND("module", "list", module_list, "", 0, 0, "limit ",                                 \
		"list the modules that the manager keeps")                                         \
	COMMAND("module", "upload", module_upload, "FILE...", 1, -1, "",                           \
		"upload modules and print their digests")                                          \
	COMMAND("module", "compile", module_compile, "MODULE", 1, 1, "target wait ",               \
		"make native images of a module: a file, a digest or a source")                    \
	COMMAND("module", "keys", module_keys, "", 0, 0, "",                                       \
		"show the key that signs native images; nodes have to trust it")                   \
	COMMAND("", "completion", completion_command, "bash|zsh|fish", 1, 1, "",                   \
		"print the completion of a shell")                                                 \
	COMMAND("", "man", man_command, "", 0, 0, "", "print the manual page propctl(1)")          \
	COMMAND("", "version", version_command, "", 0, 0, "", "print the version")                 \
	COMMAND("", "help", help_command, "[COMMAND...]", 0, 2, "", "explain a command")           \
	COMMAND("", "complete", complete_command, "WORD", 1, 1, "", NULL)

#endif
