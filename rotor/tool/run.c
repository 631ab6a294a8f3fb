/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rotor run: runs a program to its end.
 *
 *     options -> map the file -> load -> plan the memory -> instantiate -> call -> run -> results
 *
 * Rules: 1. With --pool all that belongs to the module lies in one block of that size; the file
 *           itself is mapped, as it would lie in flash.
 *        2. A time limit is a signal that calls rotor_interrupt; the loop looks at the clock.
 *        3. Signals have a stack of their own, as native code runs on the task's, which has no room for them.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "rotor/tool/plan.h"
#include "rotor/tool/tool.h"

enum {
	FRAMES_SHOWN = 50,
	SIGNAL_STACK_BYTES = 64 << 10 /* at least; more where the processor's registers take more */
};

struct run {
	struct plan_options options;
	const char *path, *invoke;
	uint64_t fuel, time_ms, deadline_ns;
	bool stats;
	const char **environ;
	uint32_t environ_count;
	char **args; /* of the program */
	int arg_count;
	struct mapped file;
	struct plan plan;
	struct rotor_env env;
	struct rotor_instance *instance;
};

static const char help_text[] =
	"Usage: rotor run [OPTION...] FILE [ARG...]\n"
	"\n"
	"Runs the function _start of a module, else main, and prints its results, one per line.\n"
	"\n"
	"  --invoke NAME   call this exported function; ARG... are its arguments\n"
	"  --fuel N        stop after about N units (one is one WebAssembly instruction)\n"
	"  --time-ms N     stop after N milliseconds\n"
	"  --stack N       bytes of the program's stack of frames\n"
	"  --heap N        bytes for malloc, for modules that import it\n"
	"  --memory-max N  bytes of linear memory at most\n"
	"  --pool N        everything inside N bytes\n"
	"  --env K=V       a variable of the program's environment; may be given again\n"
	"  --trust KEY     run native images that this public key (a file) signed\n"
	"  --unsigned      run native images that nobody signed\n"
	"  --stats         what it took, on stderr\n"
	"\n"
	"Sizes take k, m or g behind the number. Without --pool: a stack of 1m, a heap of 64k if\n"
	"malloc is imported, memory as far as the module grows it. With it: a stack and a heap of\n"
	"16k, less if that does not fit.\n"
	"\n"
	"Exit status: 0, or the program's own; 64 usage, 65 module or argument cannot be used,\n"
	"70 the program trapped, 75 a limit was reached.\n";

static void add_environ(struct run *run, const char *text)
{
	if (strchr(text, '=') == NULL || text[0] == '=') {
		complain("--env: '%s' is not NAME=VALUE", text);
		exit(EXIT_USAGE);
	}
	run->environ = realloc(run->environ, (run->environ_count + 1) * sizeof(run->environ[0]));
	if (run->environ == NULL) {
		abort();
	}
	run->environ[run->environ_count++] = text;
}

/* One option; false: unknown. */
static bool parse_option(struct run *run, struct options *o)
{
	struct plan_options *p = &run->options;

	if (option_is(o, "--invoke", true)) {
		run->invoke = o->value;
		p->invoked = true;
	} else if (option_is(o, "--fuel", true)) {
		run->fuel = option_number("--fuel", o->value, UINT64_MAX);
	} else if (option_is(o, "--time-ms", true)) {
		run->time_ms = option_number("--time-ms", o->value, (uint64_t)1 << 40);
	} else if (option_is(o, "--stack", true)) {
		p->stack_bytes = (uint32_t)option_number("--stack", o->value, 1u << 30);
		p->stack_given = true;
	} else if (option_is(o, "--heap", true)) {
		p->heap_bytes = (uint32_t)option_number("--heap", o->value, 1u << 30);
		p->heap_given = true;
	} else if (option_is(o, "--memory-max", true)) {
		p->memory_bytes_max = option_number("--memory-max", o->value, (uint64_t)1 << 32);
		p->memory_given = true;
	} else if (option_is(o, "--pool", true)) {
		p->pool_bytes = option_number("--pool", o->value, (uint64_t)1 << 36);
		p->pool_given = true;
	} else if (option_is(o, "--env", true)) {
		add_environ(run, o->value);
	} else if (option_is(o, "--trust", true)) {
		image_trust_key(&p->trust, o->value);
	} else if (option_is(o, "--unsigned", false)) {
		p->trust.allow_unsigned = true;
	} else if (option_is(o, "--stats", false)) {
		run->stats = true;
	} else {
		return false;
	}
	return true;
}

static void parse_options(struct run *run, int argc, char **argv)
{
	struct options o = {.argc = argc, .at = 1, .argv = argv};

	while (option_left(&o)) {
		if (option_is(&o, "--help", false) || option_is(&o, "-h", false)) {
			fputs(help_text, stdout);
			exit(EXIT_OK);
		}
		if (!parse_option(run, &o)) {
			option_unknown(&o, "run");
		}
	}
	if (o.at >= argc) {
		complain("no FILE; see rotor run --help");
		exit(EXIT_USAGE);
	}
	run->path = argv[o.at];
	run->args = argv + o.at;
	run->arg_count = argc - o.at;
}

/* ---- what to call ---- */

/* Finds the function to run. false after complaining. */
static bool find_function(struct run *run, uint32_t *idx)
{
	const struct rotor_module *module = run->plan.module;

	if (run->invoke != NULL) {
		if (rotor_module_find(module, run->invoke, ROTOR_FUNC, idx)) {
			return true;
		}
		complain("%s exports no function '%s'; rotor info lists those it has", run->path,
			 run->invoke);
		return false;
	}
	if (plan_find_main(module, idx)) {
		return true;
	}
	complain("%s exports neither _start nor main; name a function with --invoke F before the "
		 "file; "
		 "rotor info lists them",
		 run->path);
	return false;
}

/* main(argc, argv): the arguments lie in the heap. false: there is no room for them. */
static bool put_argv(struct run *run, struct rotor_value *values)
{
	uint32_t count = (uint32_t)run->arg_count, bytes = (count + 1) * 4, list, at;
	uint8_t *pointer;

	for (uint32_t i = 0; i < count; i++) {
		bytes += (uint32_t)strlen(run->args[i]) + 1;
	}
	list = rotor_heap_alloc(run->instance, bytes);
	values[0] = (struct rotor_value){.type = ROTOR_I32, .i32 = list != 0 ? run->arg_count : 0};
	values[1] = (struct rotor_value){.type = ROTOR_I32, .u32 = list};
	if (list == 0) {
		return count == 1;
	}
	pointer = rotor_memory_at(run->instance, list, bytes);
	memset(pointer, 0, bytes);
	at = list + (count + 1) * 4;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t n = (uint32_t)strlen(run->args[i]) + 1;

		memcpy(pointer + 4 * i, &at, 4);
		memcpy(pointer + (at - list), run->args[i], n);
		at += n;
	}
	return true;
}

/* The arguments of an invoked function, from text. NULL after complaining. */
static struct rotor_value *parse_args(struct run *run, const struct rotor_functype *type)
{
	struct rotor_value *values = calloc(type->param_count + 1u, sizeof(*values));
	int given = run->arg_count - 1;

	if (values == NULL || given != type->param_count) {
		complain("%s takes %u argument%s, %d given", run->invoke, type->param_count,
			 type->param_count == 1 ? "" : "s", given);
		free(values);
		return NULL;
	}
	for (int i = 0; i < given; i++) {
		if (!value_parse(run->args[i + 1], type->types[i], &values[i])) {
			complain("argument %d, '%s', is not %s", i + 1, run->args[i + 1],
				 type_name(type->types[i]));
			free(values);
			return NULL;
		}
	}
	return values;
}

/* Prepares the call. Returns an exit status. */
static int begin_call(struct run *run, uint32_t func_idx)
{
	struct rotor_functype type = rotor_module_functype(run->plan.module, func_idx);
	struct rotor_value argv[2], *values = argv;
	struct rotor_diag diag;
	enum rotor_err err;

	if (run->invoke == NULL && plan_main_has_args(run->plan.module, func_idx)) {
		if (!put_argv(run, argv)) {
			complain("main has no room for its arguments; give it some with --heap");
			return EXIT_LIMIT;
		}
	} else if (run->invoke != NULL) {
		values = parse_args(run, &type);
		if (values == NULL) {
			return EXIT_INVALID;
		}
	} else if (type.param_count != 0) {
		complain("the function takes arguments; call it with --invoke");
		return EXIT_INVALID;
	}
	err = rotor_call(run->instance, func_idx, values, type.param_count, &diag);
	if (values != argv) {
		free(values);
	}
	if (err != ROTOR_OK) {
		complain("%s", diag.text);
		return err == ROTOR_ERR_LIMIT ? EXIT_LIMIT : EXIT_INVALID;
	}
	return EXIT_OK;
}

/* ---- running ---- */

static struct rotor_instance *interrupt_whom; /* for the signal */

static void on_alarm(int signal_number)
{
	rotor_interrupt(interrupt_whom);
}

/* Has signals that ask for it handled on a stack of their own. */
static void give_signals_a_stack(void)
{
	static uint8_t some[SIGNAL_STACK_BYTES];
	long asked = sysconf(_SC_SIGSTKSZ);
	stack_t stack = {.ss_sp = some, .ss_size = sizeof(some)};

	if (asked > SIGNAL_STACK_BYTES) {
		stack.ss_size = (size_t)asked;
		stack.ss_sp = malloc(stack.ss_size);
	}
	if (stack.ss_sp == NULL || sigaltstack(&stack, NULL) != 0) {
		abort();
	}
}

/* Has the signal come at the deadline, and every millisecond after it. */
static void start_timer(struct run *run)
{
	struct itimerval timer = {.it_interval = {.tv_usec = 1000}};
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART | SA_ONSTACK};

	if (run->time_ms == 0) {
		return;
	}
	run->deadline_ns = host_monotonic_ns() + run->time_ms * 1000000u;
	timer.it_value.tv_sec = (time_t)(run->time_ms / 1000);
	timer.it_value.tv_usec = (suseconds_t)(run->time_ms % 1000 * 1000);
	interrupt_whom = run->instance;
	give_signals_a_stack();
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void stop_timer(void)
{
	struct itimerval never = {{0, 0}, {0, 0}};

	setitimer(ITIMER_REAL, &never, NULL);
}

static bool time_is_up(const struct run *run)
{
	return run->time_ms != 0 && host_monotonic_ns() >= run->deadline_ns;
}

static void print_backtrace(const struct rotor_instance *instance)
{
	struct rotor_frame frame;
	uint32_t i = 0;

	for (; i < FRAMES_SHOWN && rotor_frame(instance, i, &frame); i++) {
		fputs("    at ", stderr);
		if (frame.name != NULL) {
			print_foreign(stderr, frame.name, frame.name_bytes);
			fputc(' ', stderr);
		}
		fprintf(stderr, "(function %u, byte 0x%x)\n", (unsigned)frame.func_idx,
			(unsigned)frame.offset);
	}
	if (rotor_frame(instance, i, &frame)) {
		fputs("    and more\n", stderr);
	}
}

static int report_limit(const struct run *run, const char *what)
{
	fflush(stdout);
	fprintf(stderr, "limit reached: %s\n", what);
	print_backtrace(run->instance);
	return EXIT_LIMIT;
}

static int report_trap(const struct run *run)
{
	enum rotor_trap trap = rotor_trap(run->instance);
	const char *detail = rotor_trap_detail(run->instance);

	fflush(stdout);
	if (trap == ROTOR_TRAP_EXIT) {
		return rotor_exit_code(run->instance) & 0xFF;
	}
	if (trap == ROTOR_TRAP_HOST) {
		fprintf(stderr, "trap: %s\n", detail);
	} else if (*detail != 0) {
		fprintf(stderr, "trap: %s (%s)\n", rotor_trap_text(trap), detail);
	} else {
		fprintf(stderr, "trap: %s\n", rotor_trap_text(trap));
	}
	print_backtrace(run->instance);
	return EXIT_TRAP;
}

static void print_results(const struct run *run)
{
	struct rotor_value some[16], *results = some;
	uint32_t count = rotor_results(run->instance, some, 16);

	if (count > 16) {
		results = calloc(count, sizeof(*results));
		if (results == NULL) {
			abort();
		}
		rotor_results(run->instance, results, count);
	}
	for (uint32_t i = 0; i < count; i++) {
		value_print(stdout, &results[i]);
		putchar('\n');
	}
	if (results != some) {
		free(results);
	}
}

/* A host function is pending: sleeps until it may be tried again. */
static void wait_for_host(const struct run *run)
{
	uint64_t until = run->env.wake_ns;

	if (run->time_ms != 0 && until > run->deadline_ns) {
		until = run->deadline_ns;
	}
	fflush(stdout);
	host_sleep_until(until);
	(void)rotor_import_again(run->instance);
}

/* Runs until done, trapped or out of something. Returns an exit status, or -1 when DONE. */
static int run_on(struct run *run)
{
	for (;;) {
		uint64_t used = rotor_fuel_used(run->instance);
		enum rotor_status status;

		if (used >= run->fuel) {
			return report_limit(run, "fuel");
		}
		if (time_is_up(run)) {
			return report_limit(run, "time");
		}
		status = rotor_run(run->instance, run->fuel - used);
		if (status == ROTOR_DONE) {
			return -1;
		}
		if (status == ROTOR_TRAP) {
			return report_trap(run);
		}
		if (status == ROTOR_HOST) {
			wait_for_host(run);
		}
	}
}

static void print_stats(const struct run *run)
{
	struct rotor_module_info info;
	uint64_t memory_bytes = 0;

	rotor_module_info(run->plan.module, &info);
	(void)rotor_memory(run->instance, &memory_bytes);
	fprintf(stderr, "fuel %" PRIu64 "\n", rotor_fuel_used(run->instance));
	fprintf(stderr, "stack peak %u of %u bytes\n", (unsigned)rotor_stack_peak(run->instance),
		(unsigned)run->plan.limits.stack_bytes);
	fprintf(stderr, "memory %" PRIu64 " bytes\n", memory_bytes);
	fprintf(stderr, "heap used %u of %u bytes\n", (unsigned)rotor_heap_used(run->instance),
		(unsigned)run->plan.limits.heap_bytes);
	fprintf(stderr, "form %u bytes for %u bytes of code\n", (unsigned)info.form_bytes,
		(unsigned)info.code_bytes);
	fprintf(stderr, "module %zu bytes\n", rotor_module_bytes(run->plan.module));
	fprintf(stderr, "instance %zu bytes\n", run->plan.instance_bytes);
}

/* A library (a WASI reactor) is made ready by _initialize before a function of it is called.
 * Returns -1 when that is done or not needed, else an exit status. */
static int initialize(struct run *run)
{
	const struct rotor_module *module = run->plan.module;
	uint32_t func_idx;
	struct rotor_diag diag;

	if (run->invoke == NULL || strcmp(run->invoke, "_initialize") == 0 ||
	    !rotor_module_find(module, "_initialize", ROTOR_FUNC, &func_idx) ||
	    rotor_module_functype(module, func_idx).param_count != 0) {
		return -1;
	}
	if (rotor_call(run->instance, func_idx, NULL, 0, &diag) != ROTOR_OK) {
		complain("%s", diag.text);
		return EXIT_LIMIT;
	}
	return run_on(run);
}

/* Calls the function and runs it to its end. */
static int call_and_run(struct run *run)
{
	uint32_t func_idx;
	int status;

	if (!find_function(run, &func_idx)) {
		return EXIT_INVALID;
	}
	status = initialize(run);
	if (status != -1) {
		return status;
	}
	status = begin_call(run, func_idx);
	if (status != EXIT_OK) {
		return status;
	}
	status = run_on(run);
	if (status != -1) {
		return status;
	}
	print_results(run);
	return EXIT_OK;
}

static int run_program(struct run *run)
{
	int status;

	start_timer(run);
	status = call_and_run(run);
	stop_timer();
	if (fflush(stdout) != 0) {
		complain("cannot write the output");
	}
	if (run->stats) {
		print_stats(run);
	}
	return status;
}

int command_run(int argc, char **argv)
{
	static const struct rotor_host_func *const tables[] = {rotor_wasi, rotor_libc};
	struct run run = {.fuel = UINT64_MAX};
	const struct rotor_imports imports = {.tables = tables, .table_count = 2, .user = &run.env};
	int status;

	parse_options(&run, argc, argv);
	if (!file_map(run.path, &run.file)) {
		return EXIT_INVALID;
	}
	run.env = (struct rotor_env){.ops = &host_ops,
				     .args = (const char *const *)run.args,
				     .arg_count = (uint32_t)run.arg_count,
				     .environ = run.environ,
				     .environ_count = run.environ_count};
	for (int i = 0; i < run.arg_count; i++) {
		run.options.args_bytes += (uint32_t)strlen(run.args[i]) + 5;
	}
	status = plan_make(&run.plan, &run.options, run.path, &run.file, &imports);
	if (status == EXIT_OK) {
		run.instance = run.plan.instance;
		status = run_program(&run);
	}
	plan_free(&run.plan);
	free(run.environ);
	return status;
}
