/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a loaded module to a prepared call, and from its return to a result.
 *
 * Rules: 1. What cannot run is refused before anything of it runs, saying what is missing.
 *        2. The function: the key `function`; else `name`, then main, run, _start. _initialize, if
 *           exported, runs first.
 *        3. Inputs become arguments of the parameters' types, exactly as many; a function without
 *           parameters reads them by host functions; for _start they are the program's arguments.
 */
#include "agent/state.h"
#include "base/fmt.h"
#include "base/num.h"

enum {
	ARGS_MAX = 64,        /* limits.args_max is at most this */
	USED_ONLY_SHARE = 16, /* an instance larger than this part of the pool gets only the
				    memory that its module says it uses */
	VALUES_MAX = 16,      /* results of a function that are told */
	NAMES_BYTES = 80,     /* of the exports that a message lists */
};

static const struct agent_engine *engine_of(const struct agent *a)
{
	return a->engine;
}

static struct agent_module *module_of(const struct agent *a, const struct task *t)
{
	return a->modules[t->module].module;
}

static bool is_start(const struct task *t)
{
	return strcmp(t->function, "_start") == 0;
}

/* ---- the function */

static void list_exports(const struct agent *a, const struct task *t, char *out, size_t cap)
{
	const char *name;
	uint32_t bytes;
	size_t n = 0;

	out[0] = 0;
	for (uint32_t i = 0; engine_of(a)->export_name(module_of(a, t), i, &name, &bytes); i++) {
		if (n + bytes + 6 > cap) {
			fmt_str(out + n, cap - n, "...");
			return;
		}
		n += fmt_str(out + n, cap - n, "%s%.*s", n > 0 ? ", " : "", (int)bytes, name);
	}
}

static bool find(const struct agent *a, const struct task *t, const char *name,
		 struct agent_func *out)
{
	return engine_of(a)->find(module_of(a, t), name, (uint32_t)strlen(name), out);
}

static bool choose_function(struct agent *a, struct task *t, struct agent_func *out)
{
	static const char *const others[] = {"main", "run", "_start"};
	char names[NAMES_BYTES];

	if (find(a, t, t->function, out)) {
		return true;
	}
	for (size_t i = 0; t->function == t->name && i < BASE_COUNT(others); i++) {
		if (find(a, t, others[i], out)) {
			t->function = others[i];
			return true;
		}
	}
	list_exports(a, t, names, sizeof(names));
	agent_task_end(a, t, WIRE_REASON_REFUSED, "unknown function '%.60s'; the module exports %s",
		       t->function, names[0] != 0 ? names : "no function");
	return false;
}

/* ---- arguments */

static const char *type_name(enum rotor_type type)
{
	switch (type) {
	case ROTOR_I32:
		return "i32";
	case ROTOR_I64:
		return "i64";
	case ROTOR_F32:
		return "f32";
	case ROTOR_F64:
		return "f64";
	default:
		return "a reference";
	}
}

static bool parse_arg(struct wire_text text, struct rotor_value *v)
{
	int64_t n;

	switch (v->type) {
	case ROTOR_I32:
		CHECK(num_i64(text.at, text.bytes, &n) && n >= INT32_MIN && n <= UINT32_MAX, false);
		v->u32 = (uint32_t)n;
		return true;
	case ROTOR_I64:
		return num_i64(text.at, text.bytes, &v->i64) ||
		       num_u64(text.at, text.bytes, &v->u64);
	case ROTOR_F32:
		return num_f32(text.at, text.bytes, &v->f32);
	case ROTOR_F64:
		return num_f64(text.at, text.bytes, &v->f64);
	default:
		return false;
	}
}

static bool count_fits(const struct task *t, const struct agent_func *f)
{
	uint32_t count = t->run->inputs.count;

	return f->type.param_count == count || f->type.param_count == 0 ||
	       (count == 0 && f->type.param_count == 2 && strcmp(t->function, "main") == 0);
}

/* The arguments of the call; main(argc, argv) without inputs gets zeros. */
static bool take_args(struct agent *a, struct task *t, const struct agent_func *f,
		      struct rotor_value *args)
{
	struct wire_text text;
	uint32_t at = 0;

	if (!count_fits(t, f)) {
		agent_task_end(a, t, WIRE_REASON_REFUSED,
			       "bad arguments: '%.60s' takes %u, %u were given", t->function,
			       f->type.param_count, (unsigned)t->run->inputs.count);
		return false;
	}
	if (f->type.param_count > a->limits.args_max) {
		agent_task_end(a, t, WIRE_REASON_REFUSED,
			       "bad arguments: '%.60s' takes %u, at most %u can be given",
			       t->function, f->type.param_count, (unsigned)a->limits.args_max);
		return false;
	}
	for (uint32_t i = 0; i < f->type.param_count; i++) {
		args[i] = (struct rotor_value){.type = (enum rotor_type)f->type.types[i]};
		if (wire_list_next(&t->run->inputs, &at, &text) && !parse_arg(text, &args[i])) {
			agent_task_end(a, t, WIRE_REASON_REFUSED,
				       "bad arguments: argument %u '%.*s' is not %s",
				       (unsigned)i + 1, (int)BASE_MIN(text.bytes, 40u), text.at,
				       type_name(args[i].type));
			return false;
		}
	}
	return true;
}

/* ---- memory */

static void choose_limits(struct agent *a, struct task *t, const struct agent_module_facts *facts,
			  struct rotor_limits *limits)
{
	size_t whole;

	*limits = (struct rotor_limits){
		.stack_bytes = t->stack_bytes,
		.heap_bytes = facts->uses_heap ? t->heap_bytes : 0,
		.memory_bytes_max = facts->memory_grows || t->explicit_memory ? t->memory_bytes : 0,
	};
	limits->memory_bytes_max =
		BASE_MAX(limits->memory_bytes_max, facts->memory_bytes_min + limits->heap_bytes);
	whole = engine_of(a)->instance_bytes(module_of(a, t), limits);
	if (!facts->memory_grows && !t->explicit_memory &&
	    (whole > a->pool.bytes / USED_ONLY_SHARE || whole > pool_largest(&a->pool))) {
		limits->memory_used_only = true;
		limits->memory_bytes_max = 0;
	}
	if (facts->memory_grows && !t->explicit_memory && whole > pool_largest(&a->pool)) {
		limits->memory_bytes_max = facts->memory_bytes_min + limits->heap_bytes;
	}
}

/* The module of an image may run where the image cannot. */
static void __attribute__((format(printf, 3, 4)))
refuse(struct agent *a, struct task *t, const char *format, ...)
{
	char text[160];
	va_list args;

	va_start(args, format);
	fmt_vstr(text, sizeof(text), format, args);
	va_end(args);
	if (a->modules[t->module].image) {
		agent_image_fall_back(a, t, text);
	} else {
		agent_task_end(a, t, WIRE_REASON_REFUSED, "%s", text);
	}
}

static bool make_instance(struct agent *a, struct task *t, const struct agent_module_facts *facts)
{
	struct rotor_limits limits;
	struct rotor_diag diag = {.text = ""};
	size_t bytes;

	if (t->explicit_memory && facts->memory_bytes_min > t->memory_bytes) {
		agent_task_end(a, t, WIRE_REASON_REFUSED,
			       "no room: the module needs %llu bytes of memory, its limit is %u",
			       (unsigned long long)facts->memory_bytes_min,
			       (unsigned)t->memory_bytes);
		return false;
	}
	choose_limits(a, t, facts, &limits);
	bytes = engine_of(a)->instance_bytes(module_of(a, t), &limits);
	if (bytes < SIZE_MAX && agent_make_room(a, bytes)) {
		t->instance_block = pool_alloc(&a->pool, bytes);
	}
	if (t->instance_block == NULL) {
		refuse(a, t, "no room: needs %llu bytes, the largest free block is %u bytes",
		       (unsigned long long)bytes, (unsigned)pool_largest(&a->pool));
		return false;
	}
	if (engine_of(a)->instantiate(t->instance_block, bytes, module_of(a, t), t->run, &limits,
				      &t->instance, &diag) != ROTOR_OK) {
		pool_free(&a->pool, t->instance_block);
		t->instance_block = NULL;
		t->instance = NULL;
		refuse(a, t, "%s", diag.text);
		return false;
	}
	t->run->instance = t->instance;
	return true;
}

/* ---- what printing and WASI need: one block */

struct extra {
	uint32_t args, variables, text_bytes, print_bytes;
};

static struct extra extra_of(const struct agent *a, const struct task *t,
			     const struct agent_module_facts *facts)
{
	const struct agent_run *run = t->run;
	struct extra x = {.print_bytes = facts->prints ? a->limits.print_bytes : 0};

	if (facts->uses_wasi) {
		x.args = 1 + (is_start(t) ? run->inputs.count : 0);
		x.variables = run->variables.count / 2 + 1;
		/* each item's 5 bytes beside its text are enough for '=' and 0 */
		x.text_bytes = run->variables.bytes + (uint32_t)strlen("PROPLET_ID=") +
			       (uint32_t)strlen(run->proplet_id) + 1;
	}
	return x;
}

static void put_variables(struct agent_run *run, const char **list, char *text)
{
	struct wire_text key, value;
	uint32_t at = 0, n = 0;

	while (wire_list_next(&run->variables, &at, &key) &&
	       wire_list_next(&run->variables, &at, &value)) {
		list[n++] = text;
		memcpy(text, key.at, key.bytes);
		text[key.bytes] = '=';
		memcpy(text + key.bytes + 1, value.at, value.bytes + 1);
		text += key.bytes + 1 + value.bytes + 1;
	}
	list[n++] = text;
	memcpy(text, "PROPLET_ID=", 11);
	memcpy(text + 11, run->proplet_id, strlen(run->proplet_id) + 1);
	run->env.environ = list;
	run->env.environ_count = n;
}

static void put_args(struct task *t, const char **list, uint32_t count)
{
	struct wire_text text;
	uint32_t at = 0;

	list[0] = t->name;
	for (uint32_t i = 1; i < count && wire_list_next(&t->run->inputs, &at, &text); i++) {
		list[i] = text.at;
	}
	t->run->env.args = list;
	t->run->env.arg_count = count;
}

static bool make_extra(struct agent *a, struct task *t, const struct agent_module_facts *facts)
{
	struct extra x = extra_of(a, t, facts);
	size_t lists = (x.args + x.variables) * sizeof(char *);
	size_t bytes = lists + x.text_bytes + x.print_bytes;
	bool capture = facts->prints && is_start(t) && !t->daemon;

	t->run->env.ops = &agent_env_ops;
	if (bytes > 0) {
		agent_make_room(a, bytes);
		t->extra = pool_alloc(&a->pool, bytes);
	}
	if (capture) {
		agent_make_room(a, t->output_bytes);
		t->result = pool_alloc(&a->pool, BASE_MAX(t->output_bytes, 1u));
	}
	if ((bytes > 0 && t->extra == NULL) || (capture && t->result == NULL)) {
		agent_task_end(
			a, t, WIRE_REASON_REFUSED,
			"no room: needs %u bytes for its output, the largest free block is %u "
			"bytes",
			(unsigned)(bytes + (capture ? t->output_bytes : 0)),
			(unsigned)pool_largest(&a->pool));
		return false;
	}
	if (capture) {
		t->capturing = true;
		t->run->capture = t->result;
		t->run->capture_bytes = t->output_bytes;
	}
	if (x.args > 0) {
		put_args(t, (const char **)(void *)t->extra, x.args);
		put_variables(t->run, (const char **)(void *)t->extra + x.args, t->extra + lists);
	}
	t->run->print = bytes > 0 ? t->extra + lists + x.text_bytes : NULL;
	t->run->print_bytes = x.print_bytes;
	return true;
}

/* ---- launch */

static bool call(struct agent *a, struct task *t, const struct agent_func *f)
{
	struct rotor_value args[ARGS_MAX];
	struct rotor_diag diag = {.text = ""};
	struct agent_func init;

	if (!take_args(a, t, f, args)) {
		return false;
	}
	t->func_idx = f->idx;
	t->init_pending = find(a, t, "_initialize", &init) && init.type.param_count == 0 &&
			  strcmp(t->function, "_initialize") != 0;
	if (engine_of(a)->call(t->instance, t->init_pending ? init.idx : f->idx,
			       t->init_pending ? NULL : args,
			       t->init_pending ? 0 : f->type.param_count, &diag) != ROTOR_OK) {
		agent_task_end(a, t, WIRE_REASON_REFUSED, "%s", diag.text);
		return false;
	}
	return true;
}

/* The instance exists, the task is FETCHING: its state changes only when all is well. */
static bool prepare(struct agent *a, struct task *t, const struct agent_func *f)
{
	struct agent_module_facts facts;

	if (t->fuel_limit != 0 && engine_of(a)->fuel_used == NULL) {
		agent_task_end(a, t, WIRE_REASON_REFUSED,
			       "the engine %s counts no fuel: limit the time instead",
			       engine_of(a)->name);
		return false;
	}
	engine_of(a)->facts(module_of(a, t), &facts);
	t->native = facts.native;
	return make_extra(a, t, &facts) && make_instance(a, t, &facts) && call(a, t, f);
}

void agent_launch(struct agent *a, struct task *t)
{
	struct agent_func f;

	if (!choose_function(a, t, &f)) {
		return;
	}
	t->started_ms = a->now_ms;
	if (t->latent && t->invocation_id == NULL) {
		agent_task_set(a, t, AGENT_TASK_LATENT);
		return;
	}
	if (prepare(a, t, &f)) {
		t->run->caps = t->caps;
		agent_task_set(a, t, AGENT_TASK_READY);
	}
}

/* ---- the end of a call */

static size_t put_value(char *out, size_t cap, const struct rotor_value *v)
{
	char text[FMT_FLOAT_BYTES];

	switch (v->type) {
	case ROTOR_I32:
		return fmt_str(out, cap, "%d", (int)v->i32);
	case ROTOR_I64:
		return fmt_str(out, cap, "%lld", (long long)v->i64);
	case ROTOR_F32:
		fmt_f32(text, v->f32);
		return fmt_str(out, cap, "%s", text);
	case ROTOR_F64:
		fmt_f64(text, v->f64);
		return fmt_str(out, cap, "%s", text);
	default:
		return fmt_str(out, cap, "%s", v->ref == ROTOR_REF_NULL ? "null" : "ref");
	}
}

/* The values that the function returned, with commas; returns how long they are. */
static uint32_t put_values(struct agent *a, struct task *t, char *text, size_t cap)
{
	struct rotor_value values[VALUES_MAX];
	uint32_t count = engine_of(a)->results(t->instance, values, VALUES_MAX);
	size_t n = 0;

	for (uint32_t i = 0; i < BASE_MIN(count, (uint32_t)VALUES_MAX); i++) {
		n += fmt_str(text + n, cap - n, i > 0 ? "," : "");
		n += put_value(text + n, cap - n, &values[i]);
	}
	return (uint32_t)n;
}

static void keep_capture(struct agent *a, struct task *t)
{
	t->result_bytes = t->run->capture_used;
	pool_shrink(&a->pool, t->result, BASE_MAX(t->result_bytes, 1u));
	t->run->capture = NULL;
}

/* After _initialize: the function itself. */
static void call_next(struct agent *a, struct task *t)
{
	struct rotor_value args[ARGS_MAX];
	struct rotor_diag diag = {.text = ""};
	struct agent_func f;

	t->init_pending = false;
	if (!choose_function(a, t, &f) || !take_args(a, t, &f, args)) {
		return;
	}
	if (engine_of(a)->call(t->instance, f.idx, args, f.type.param_count, &diag) != ROTOR_OK) {
		agent_task_end(a, t, WIRE_REASON_TRAP, "%s", diag.text);
	}
}

void agent_task_returned(struct agent *a, struct task *t)
{
	char values[VALUES_MAX * FMT_FLOAT_BYTES];

	if (t->init_pending) {
		call_next(a, t);
		return;
	}
	if (t->capturing) {
		keep_capture(a, t);
	}
	agent_task_done(a, t, values, put_values(a, t, values, sizeof(values)));
}

static void trapped_by(struct agent *a, struct task *t, const struct agent_ending *e)
{
	switch (e->trap) {
	case ROTOR_TRAP_STACK:
		agent_task_end(a, t, WIRE_REASON_STACK, "%s, the stack has %u bytes", e->text,
			       (unsigned)t->stack_bytes);
		break;
	case ROTOR_TRAP_UNBACKED:
		agent_task_end(
			a, t, WIRE_REASON_MEMORY,
			"memory beyond what the module declares it uses; ask for memory_bytes");
		break;
	case ROTOR_TRAP_HOST:
		agent_task_end(a, t, WIRE_REASON_TRAP, "%s",
			       e->detail[0] != 0 ? e->detail : e->text);
		break;
	default:
		agent_task_end(a, t, WIRE_REASON_TRAP, "%s%s%s", e->text,
			       e->detail[0] != 0 ? ": " : "", e->detail);
	}
}

void agent_task_trapped(struct agent *a, struct task *t)
{
	struct agent_ending e = {.text = "", .detail = ""};

	engine_of(a)->ending(t->instance, &e);
	if (t->capturing) {
		keep_capture(a, t);
	}
	if (t->run->capture_full) {
		agent_task_end(a, t, WIRE_REASON_OUTPUT, "it printed more than %u bytes",
			       (unsigned)t->output_bytes);
	} else if (e.trap != ROTOR_TRAP_EXIT) {
		trapped_by(a, t, &e);
	} else if (e.exit_code == 0) {
		agent_task_done(a, t, "", 0);
	} else {
		t->exit_code = e.exit_code;
		agent_task_end(a, t, WIRE_REASON_EXIT, "%d", (int)e.exit_code);
	}
}
