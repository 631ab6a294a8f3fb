/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/fake.h"
#include "agent/host.h"
#include "base/fmt.h"
#include "base/num.h"

enum {
	NAME_AT = 0, /* in linear memory: where names, data and answers are put */
	DATA_AT = 64,
	BUFFER_BYTES = 160,
	MEMORY_BYTES_MIN = 256,
};

struct fake_module {
	uint32_t bytes; /* of text */
	uint32_t memory_bytes;
	bool grows, wasi, heap;
	char text[];
};

struct fake_loader {
	struct rotor_diag diag;
	size_t room;
	struct fake_module module; /* last */
};

struct fake_instance {
	struct fake_module *module;
	struct agent_run *run;
	const char *op; /* where it goes on; NULL: no call */
	uint64_t fuel, burn_left;
	uint32_t memory_bytes;
	bool interrupted, pending, answered;
	int32_t answer;
	enum rotor_trap trap;
	int32_t exit_code;
	char detail[64];
	struct rotor_value args[8], result;
	uint32_t arg_count, result_count;
	uint8_t memory[];
};

static struct fake_module *mod(const struct agent_module *m)
{
	return (struct fake_module *)(uintptr_t)m;
}

static struct fake_instance *inst(const struct agent_instance *i)
{
	return (struct fake_instance *)(uintptr_t)i;
}

/* ---- text */

/* The word at *at, ended by a space, ';' or a line's end; *at moves behind it and one space. */
static struct wire_text word(const char **at)
{
	struct wire_text w = {*at, 0};

	while (**at != 0 && **at != ' ' && **at != ';' && **at != '\n') {
		++*at;
		w.bytes++;
	}
	*at += **at == ' ';
	return w;
}

static struct wire_text rest(const char **at)
{
	struct wire_text w = {*at, 0};

	while (**at != 0 && **at != ';' && **at != '\n') {
		++*at;
		w.bytes++;
	}
	return w;
}

static int64_t number(const char **at)
{
	struct wire_text w = word(at);
	int64_t n = 0;

	num_i64(w.at, w.bytes, &n);
	return n;
}

static const char *next_line(const char *at)
{
	const char *end = strchr(at, '\n');

	return end != NULL ? end + 1 : NULL;
}

/* ---- loading */

static enum rotor_err load_begin(void *block, size_t bytes, struct agent_loader **out)
{
	struct fake_loader *l = block;

	CHECK(bytes > sizeof(*l) + 16, ROTOR_ERR_MEMORY);
	memset(l, 0, sizeof(*l));
	l->room = bytes - sizeof(*l) - 1;
	*out = (struct agent_loader *)l;
	return ROTOR_OK;
}

static enum rotor_err load_fail(struct fake_loader *l, enum rotor_err code, const char *text)
{
	l->diag.code = code;
	l->diag.offset = l->module.bytes;
	fmt_str(l->diag.text, sizeof(l->diag.text), "%s", text);
	return code;
}

static enum rotor_err load_feed(struct agent_loader *loader, const void *piece, size_t bytes)
{
	struct fake_loader *l = (struct fake_loader *)loader;

	if (bytes > l->room - l->module.bytes) {
		return load_fail(l, ROTOR_ERR_MEMORY, "the block is too small");
	}
	memcpy(l->module.text + l->module.bytes, piece, bytes);
	l->module.bytes += (uint32_t)bytes;
	l->module.text[l->module.bytes] = 0;
	if (memcmp(l->module.text, "fake\n", BASE_MIN(l->module.bytes, 5u)) != 0) {
		return load_fail(l, ROTOR_ERR_MALFORMED, "magic header not detected");
	}
	return ROTOR_OK;
}

static void parse(struct fake_module *m)
{
	m->memory_bytes = MEMORY_BYTES_MIN;
	for (const char *at = m->text; at != NULL; at = next_line(at)) {
		const char *p = at;
		struct wire_text w = word(&p);

		if (wire_text_is(w, "mem")) {
			int64_t bytes = number(&p);

			m->memory_bytes = (uint32_t)BASE_MAX(bytes, (int64_t)MEMORY_BYTES_MIN);
		}
		m->grows = m->grows || wire_text_is(w, "grow");
		m->wasi = m->wasi || wire_text_is(w, "wasi");
		m->heap = m->heap || wire_text_is(w, "heap");
	}
}

static enum rotor_err load_end(struct agent_loader *loader, struct agent_module **out, size_t *used)
{
	struct fake_loader *l = (struct fake_loader *)loader;
	struct fake_module *m = (struct fake_module *)l;
	uint32_t bytes = l->module.bytes;

	if (bytes < 5) {
		return load_fail(l, ROTOR_ERR_MALFORMED, "unexpected end of the module");
	}
	memmove(m, &l->module, sizeof(*m) + bytes + 1);
	parse(m);
	*used = sizeof(*m) + bytes + 1;
	*out = (struct agent_module *)m;
	return ROTOR_OK;
}

static const struct rotor_diag *load_diag(const struct agent_loader *loader)
{
	return &((const struct fake_loader *)loader)->diag;
}

static void load_drop(struct agent_loader *loader)
{
}

static enum rotor_err load_mapped(void *block, size_t block_bytes, const void *wasm, size_t bytes,
				  struct agent_module **out, size_t *used, struct rotor_diag *diag)
{
	struct agent_loader *l;
	enum rotor_err err = load_begin(block, block_bytes, &l);

	err = err == ROTOR_OK ? load_feed(l, wasm, bytes) : err;
	err = err == ROTOR_OK ? load_end(l, out, used) : err;
	if (err != ROTOR_OK) {
		diag->code = err;
		fmt_str(diag->text, sizeof(diag->text), "cannot be loaded");
	}
	return err;
}

static const char *image_target(uint32_t *abi)
{
	*abi = 1;
	return "fake";
}

/* The rules of an image, as far as its line tells. */
static const char *image_wrong(const struct fake_module *m, const struct rotor_image_policy *p)
{
	const char *at = strncmp(m->text, "fake\nimage ", 11) == 0 ? m->text + 11 : NULL;
	int64_t key = at != NULL ? number(&at) : 0;
	char digest[WIRE_DIGEST_TEXT];

	CHECK(at != NULL, "this is no native image");
	CHECK(key != 0 || p->allow_unsigned, "the image is not signed");
	CHECK(key == 0 || (p->key_count > 0 && p->keys[0] == key),
	      "the image is signed by a key that is not trusted here");
	wire_digest_text(p->wasm_digest, digest);
	CHECK(wire_text_is(word(&at), digest), "the image was made from another module");
	return NULL;
}

static enum rotor_err load_image(void *block, size_t block_bytes, const void *image, size_t bytes,
				 const struct rotor_image_policy *policy, struct agent_module **out,
				 size_t *used, struct rotor_diag *diag)
{
	enum rotor_err err = load_mapped(block, block_bytes, image, bytes, out, used, diag);
	const char *wrong = err == ROTOR_OK ? image_wrong((void *)*out, policy) : NULL;

	if (wrong != NULL) {
		diag->code = err = ROTOR_ERR_ARGUMENT;
		fmt_str(diag->text, sizeof(diag->text), "%s", wrong);
	}
	return err;
}

static void unload(struct agent_module *module)
{
}

/* ---- looking at a module */

static void facts(const struct agent_module *module, struct agent_module_facts *out)
{
	const struct fake_module *m = mod(module);

	*out = (struct agent_module_facts){
		.memory_bytes_min = m->memory_bytes,
		.memory_bytes_used = MEMORY_BYTES_MIN,
		.memory_grows = m->grows,
		.prints = m->wasi,
		.uses_wasi = m->wasi,
		.uses_heap = m->heap,
		.native = strncmp(m->text, "fake\nimage ", 11) == 0,
	};
}

/* Function i: its line behind "func "; NULL after the last. */
static const char *func_line(const struct fake_module *m, uint32_t i)
{
	for (const char *at = m->text; at != NULL; at = next_line(at)) {
		if (strncmp(at, "func ", 5) == 0 && i-- == 0) {
			return at + 5;
		}
	}
	return NULL;
}

static const uint8_t *types_of(struct wire_text params, struct wire_text results)
{
	/* Of each letter up to 8 in a row; a function's types are all alike. */
	static const uint8_t i32[] = {0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f};
	static const uint8_t i64[] = {0x7e, 0x7e, 0x7e, 0x7e, 0x7e, 0x7e, 0x7e, 0x7e, 0x7e};
	static const uint8_t f32[] = {0x7d, 0x7d, 0x7d, 0x7d, 0x7d, 0x7d, 0x7d, 0x7d, 0x7d};
	static const uint8_t f64[] = {0x7c, 0x7c, 0x7c, 0x7c, 0x7c, 0x7c, 0x7c, 0x7c, 0x7c};
	char letter = params.at[0] != '-' ? params.at[0] : results.at[0];

	return letter == 'I' ? i64 : letter == 'f' ? f32 : letter == 'F' ? f64 : i32;
}

static const char *func_type(const char *line, struct rotor_functype *out)
{
	struct wire_text params, results;

	word(&line);
	params = word(&line);
	results = word(&line);
	out->param_count = (uint16_t)(params.at[0] == '-' ? 0 : BASE_MIN(params.bytes, 8u));
	out->result_count = results.at[0] == '-' ? 0 : 1;
	out->types = types_of(params, results);
	return line;
}

static bool find(const struct agent_module *module, const char *name, uint32_t name_bytes,
		 struct agent_func *out)
{
	const char *line;

	for (uint32_t i = 0; (line = func_line(mod(module), i)) != NULL; i++) {
		const char *p = line;

		if (wire_text_same(word(&p), (struct wire_text){name, name_bytes})) {
			out->idx = i;
			func_type(line, &out->type);
			return true;
		}
	}
	return false;
}

static bool import(const struct agent_module *module, uint32_t i, struct rotor_import *out)
{
	return false;
}

static bool export_name(const struct agent_module *module, uint32_t i, const char **name,
			uint32_t *bytes)
{
	const char *line = func_line(mod(module), i);
	struct wire_text w;

	CHECK(line != NULL, false);
	w = word(&line);
	*name = w.at;
	*bytes = w.bytes;
	return true;
}

/* ---- instances */

static size_t instance_bytes(const struct agent_module *module, const struct rotor_limits *limits)
{
	uint64_t memory = limits->memory_used_only ? MEMORY_BYTES_MIN
						   : BASE_MAX(limits->memory_bytes_max,
							      (uint64_t)mod(module)->memory_bytes);

	return base_align_up(sizeof(struct fake_instance) + (size_t)memory + limits->stack_bytes,
			     8);
}

static enum rotor_err instantiate(void *block, size_t block_bytes, struct agent_module *module,
				  struct agent_run *run, const struct rotor_limits *limits,
				  struct agent_instance **out, struct rotor_diag *diag)
{
	struct fake_instance *i = block;

	memset(block, 0, block_bytes);
	i->module = mod(module);
	i->run = run;
	i->memory_bytes =
		limits->memory_used_only ? (uint32_t)MEMORY_BYTES_MIN : mod(module)->memory_bytes;
	*out = (struct agent_instance *)i;
	return ROTOR_OK;
}

static enum rotor_err attach(void *block, size_t block_bytes, struct agent_module *module,
			     struct agent_run *run, struct agent_instance **out,
			     struct rotor_diag *diag)
{
	struct fake_instance *i = block;

	i->run = run;
	*out = (struct agent_instance *)i;
	return ROTOR_OK;
}

static void release(struct agent_instance *instance)
{
}

static enum rotor_err call(struct agent_instance *instance, uint32_t func_idx,
			   const struct rotor_value *args, uint32_t count, struct rotor_diag *diag)
{
	struct fake_instance *i = inst(instance);
	struct rotor_functype type;

	i->op = func_type(func_line(i->module, func_idx), &type);
	i->arg_count = BASE_MIN(count, (uint32_t)BASE_COUNT(i->args));
	if (count > 0) {
		memcpy(i->args, args, i->arg_count * sizeof(*args));
	}
	i->result_count = type.result_count;
	i->result.type = (enum rotor_type)type.types[type.param_count];
	i->result.u64 = 0;
	return ROTOR_OK;
}

static void *memory_at(struct agent_instance *instance, uint32_t at, uint32_t bytes)
{
	struct fake_instance *i = inst(instance);

	CHECK(at <= i->memory_bytes && bytes <= i->memory_bytes - at, NULL);
	return i->memory + at;
}

/* ---- host functions */

static const struct agent_host_row *row(const char *name)
{
	for (uint32_t i = 0; i < agent_host_row_count; i++) {
		if (strcmp(agent_host_rows[i].name, name) == 0) {
			return &agent_host_rows[i];
		}
	}
	return NULL;
}

static uint32_t put(struct fake_instance *i, uint32_t at, uint32_t cap, struct wire_text text)
{
	uint32_t n = BASE_MIN(text.bytes, cap);

	memcpy(i->memory + at, text.at, n);
	return n;
}

static enum agent_run_status trap(struct fake_instance *i, enum rotor_trap why, const char *text)
{
	i->trap = why;
	fmt_str(i->detail, sizeof(i->detail), "%s", text);
	i->op = NULL;
	return AGENT_RUN_TRAP;
}

/* Calls a host function; the operation goes on when it is answered. */
static enum agent_run_status host(struct fake_instance *i, const char *name, uint64_t a0,
				  uint64_t a1, uint64_t a2, uint64_t a3)
{
	struct agent_call c = {.arg = {a0, a1, a2, a3}};

	switch (row(name)->fn(i->run, &c)) {
	case ROTOR_HOST_TRAP:
		return trap(i, ROTOR_TRAP_HOST, c.trap);
	case ROTOR_HOST_DONE:
		i->answered = true;
		i->answer = (int32_t)c.result;
		return AGENT_RUN_FUEL;
	default:
		i->pending = true;
		return AGENT_RUN_LATER;
	}
}

static enum agent_run_status publish(struct fake_instance *i, struct wire_text text)
{
	return host(i, "publish", DATA_AT, put(i, DATA_AT, BUFFER_BYTES, text), 0, 0);
}

/* ---- operations: each returns FUEL to go on with the next, or how the slice ends */

static enum agent_run_status done(struct fake_instance *i)
{
	i->op = NULL;
	return AGENT_RUN_DONE;
}

static enum agent_run_status give(struct fake_instance *i, const char *p)
{
	struct wire_text w = rest(&p);

	switch (i->result.type) {
	case ROTOR_F64:
		num_f64(w.at, w.bytes, &i->result.f64);
		break;
	case ROTOR_F32:
		num_f32(w.at, w.bytes, &i->result.f32);
		break;
	default:
		num_i64(w.at, w.bytes, &i->result.i64);
	}
	return done(i);
}

static enum agent_run_status sum(struct fake_instance *i)
{
	for (uint32_t k = 0; k < i->arg_count; k++) {
		switch (i->result.type) {
		case ROTOR_F64:
			i->result.f64 += i->args[k].f64;
			break;
		case ROTOR_F32:
			i->result.f32 += i->args[k].f32;
			break;
		case ROTOR_I64:
			i->result.i64 += i->args[k].i64;
			break;
		default:
			i->result.i32 += i->args[k].i32;
		}
	}
	return done(i);
}

static enum agent_run_status print(struct fake_instance *i, const char *p)
{
	struct wire_text w = rest(&p);
	struct rotor_env *env = &i->run->env;

	if (!env->ops->write(env, 1, w.at, w.bytes) || !env->ops->write(env, 1, "\n", 1)) {
		return trap(i, ROTOR_TRAP_HOST, "no more output is allowed");
	}
	i->answered = true;
	i->answer = 0;
	return AGENT_RUN_FUEL;
}

/* What an operation that asks publishes: the answer, or "err N". */
static struct wire_text asked(struct fake_instance *i, char *buf, size_t cap, bool real)
{
	double v;
	size_t n;

	if (i->answer < 0) {
		n = fmt_str(buf, cap, "err %d", (int)i->answer);
	} else if (real) {
		memcpy(&v, i->memory + DATA_AT, sizeof(v));
		n = fmt_f64(buf, v);
	} else {
		n = fmt_str(buf, cap, "%d", (int)i->answer);
	}
	return (struct wire_text){buf, (uint32_t)n};
}

static bool is(struct wire_text w, const char *name)
{
	return wire_text_is(w, name);
}

static uint32_t name_of(struct fake_instance *i, const char **p)
{
	return put(i, NAME_AT, DATA_AT, word(p));
}

/* Operations that call a host function once. */
static enum agent_run_status say(struct fake_instance *i, struct wire_text op, const char *p)
{
	uint32_t n;

	if (is(op, "pub")) {
		return publish(i, rest(&p));
	}
	if (is(op, "log")) {
		n = put(i, DATA_AT, BUFFER_BYTES, rest(&p));
		return host(i, "log", 1, DATA_AT, n, 0);
	}
	if (is(op, "sleep")) {
		return host(i, "sleep_ms", (uint64_t)number(&p), 0, 0, 0);
	}
	if (is(op, "app") || is(op, "kvset")) {
		n = name_of(i, &p);
		return host(i, is(op, "app") ? "publish_to" : "kv_set", NAME_AT, n, DATA_AT,
			    put(i, DATA_AT, BUFFER_BYTES, rest(&p)));
	}
	if (is(op, "badptr")) {
		return host(i, "publish", 0xFFFFFFF0u, 64, 0, 0);
	}
	return print(i, p);
}

/* Operations that ask and then publish the answer: burn_left tells which of the two is done. */
static enum agent_run_status ask(struct fake_instance *i, struct wire_text op, const char *p)
{
	uint32_t n;

	if (is(op, "kvget")) {
		n = name_of(i, &p);
		return host(i, "kv_get", NAME_AT, n, DATA_AT, BUFFER_BYTES);
	}
	if (is(op, "sensor")) {
		n = name_of(i, &p);
		return host(i, "sensor_read", NAME_AT, n, DATA_AT, 0);
	}
	if (is(op, "gpio")) {
		return host(i, "gpio_read", (uint64_t)number(&p), 0, 0, 0);
	}
	return host(i, "input_copy", (uint64_t)number(&p), DATA_AT, BUFFER_BYTES, 0);
}

static enum agent_run_status ask_end(struct fake_instance *i, struct wire_text op)
{
	char buf[FMT_FLOAT_BYTES];

	if (i->answer >= 0 && (is(op, "kvget") || is(op, "in"))) {
		return host(i, "publish", DATA_AT,
			    BASE_MIN((uint32_t)i->answer, (uint32_t)BUFFER_BYTES), 0, 0);
	}
	return publish(i, asked(i, buf, sizeof(buf), is(op, "sensor")));
}

static const char *const asking[] = {"kvget", "sensor", "gpio", "in"};

static bool asks(struct wire_text op)
{
	for (size_t k = 0; k < BASE_COUNT(asking); k++) {
		if (is(op, asking[k])) {
			return true;
		}
	}
	return false;
}

static enum agent_run_status burn(struct fake_instance *i, uint64_t n, uint64_t *fuel)
{
	uint64_t left = i->burn_left != 0 ? i->burn_left : n;
	uint64_t now = BASE_MIN(left, *fuel);

	*fuel -= now;
	i->fuel += now;
	i->burn_left = left - now;
	i->answered = i->burn_left == 0;
	i->answer = 0;
	return AGENT_RUN_FUEL;
}

static enum agent_run_status end_op(struct fake_instance *i, struct wire_text op, const char *p)
{
	if (is(op, "ret")) {
		return give(i, p);
	}
	if (is(op, "sum")) {
		return sum(i);
	}
	if (is(op, "trap")) {
		struct wire_text w = rest(&p);
		char text[64];

		fmt_str(text, sizeof(text), "%.*s", (int)w.bytes, w.at);
		return trap(i, ROTOR_TRAP_UNREACHABLE, text);
	}
	if (is(op, "stack")) {
		return trap(i, ROTOR_TRAP_STACK, "");
	}
	if (is(op, "exit")) {
		i->exit_code = (int32_t)number(&p);
		return trap(i, ROTOR_TRAP_EXIT, "");
	}
	return done(i); /* no operation: the function's end */
}

static enum agent_run_status step(struct fake_instance *i, uint64_t *fuel)
{
	const char *p = i->op;
	struct wire_text op = word(&p);

	if (is(op, "burn") || is(op, "forever")) {
		return burn(i, is(op, "burn") ? (uint64_t)number(&p) : UINT64_MAX, fuel);
	}
	if (asks(op)) {
		return ask(i, op, p);
	}
	if (is(op, "pub") || is(op, "log") || is(op, "sleep") || is(op, "app") || is(op, "kvset") ||
	    is(op, "badptr") || is(op, "print")) {
		return say(i, op, p);
	}
	return end_op(i, op, p);
}

/* The operation at hand is answered: on to the next, or to the second half of one that asks. */
static enum agent_run_status advance(struct fake_instance *i)
{
	const char *p = i->op;
	struct wire_text op = word(&p);

	i->answered = false;
	if (asks(op) && i->burn_left == 0) {
		i->burn_left = 1;
		return ask_end(i, op);
	}
	i->burn_left = 0;
	rest(&p);
	p += *p == ';';
	p += *p == ' ';
	i->op = p;
	return AGENT_RUN_FUEL;
}

static enum agent_run_status run(struct agent_instance *instance, uint64_t fuel)
{
	struct fake_instance *i = inst(instance);
	enum agent_run_status status = AGENT_RUN_FUEL;

	ASSERT(i->op != NULL && !i->pending);
	while (status == AGENT_RUN_FUEL && fuel > 0 && !i->interrupted) {
		if (!i->answered && i->burn_left == 0) {
			i->fuel++;
			fuel--;
		}
		status = i->answered ? advance(i) : step(i, &fuel);
	}
	i->interrupted = i->interrupted && status != AGENT_RUN_FUEL;
	return status;
}

static void answer(struct agent_instance *instance, int32_t result, const char *why)
{
	struct fake_instance *i = inst(instance);

	ASSERT(i->pending);
	i->pending = false;
	i->answered = true;
	i->answer = result;
}

static bool again(struct agent_instance *instance)
{
	return true;
}

static void interrupt(struct agent_instance *instance)
{
	inst(instance)->interrupted = true;
}

/* ---- after the end */

static uint32_t results(struct agent_instance *instance, struct rotor_value *out, uint32_t cap)
{
	const struct fake_instance *i = inst(instance);

	if (i->result_count > 0 && cap > 0) {
		out[0] = i->result;
	}
	return i->result_count;
}

static uint64_t memory_bytes(struct agent_instance *instance)
{
	return inst(instance)->memory_bytes;
}

static uint64_t fuel_used(const struct agent_instance *instance)
{
	return inst(instance)->fuel;
}

static uint32_t stack_peak(const struct agent_instance *instance)
{
	return 64;
}

static void ending(const struct agent_instance *instance, struct agent_ending *out)
{
	const struct fake_instance *i = inst(instance);

	*out = (struct agent_ending){
		.trap = i->trap,
		.exit_code = i->exit_code,
		.text = i->trap == ROTOR_TRAP_STACK         ? "call stack exhausted"
			: i->trap == ROTOR_TRAP_UNREACHABLE ? "unreachable"
							    : "host function",
		.detail = i->detail,
	};
}

static bool frame(const struct agent_instance *instance, uint32_t k, struct rotor_frame *out)
{
	CHECK(k < 2, false);
	*out = (struct rotor_frame){.func_idx = k, .offset = 10 + k};
	if (k == 0) {
		out->name = "inner";
		out->name_bytes = 5;
	}
	return true;
}

static const char *const features[] = {"save", NULL};

const struct agent_engine agent_engine_fake = {
	.name = "fake",
	.features = features,
	.load_begin = load_begin,
	.load_feed = load_feed,
	.load_end = load_end,
	.load_diag = load_diag,
	.load_drop = load_drop,
	.load_mapped = load_mapped,
	.image_target = image_target,
	.load_image = load_image,
	.unload = unload,
	.facts = facts,
	.find = find,
	.import = import,
	.export_name = export_name,
	.instance_bytes = instance_bytes,
	.instantiate = instantiate,
	.release = release,
	.call = call,
	.run = run,
	.answer = answer,
	.again = again,
	.interrupt = interrupt,
	.results = results,
	.memory_at = memory_at,
	.memory_bytes = memory_bytes,
	.fuel_used = fuel_used,
	.stack_peak = stack_peak,
	.ending = ending,
	.frame = frame,
	.attach = attach,
};
