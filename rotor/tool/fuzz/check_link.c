/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzzers and the comparison with V8 do with linked modules.
 *
 * After each module has been instantiated, which runs its start function, every instance that is
 * there is asked for run, hash, and one of the functions it has from others or for them; the newest
 * first. One that failed stays as it is if its segments may have been placed, and is gone at once
 * if it could not be linked.
 */
#include <inttypes.h>
#include <string.h>

#include "base/base.h"
#include "rotor/tool/fuzz/check_impl.h"

enum {
	PARTS_MAX = 3,
	EXPORTS_MAX = 64,
	NAME_BYTES = 8,
	STEPS_MAX = 40,
	MEMORY_BYTES_MAX = 192 << 10,
	MEMORY_BYTES_LARGE = 512 << 10,
	TABLE_ELEMS_MAX = 100,
	STACK_BYTES = 16 << 10,
	STACK_BYTES_LARGE = 1 << 20
};

#define FUEL       30000u
#define FUEL_LARGE 10000000000u

static const char *const part_names[PARTS_MAX] = {"b", "a", "c"};

enum step_kind {
	STEP_BEGIN,
	STEP_RUN,
	STEP_HASH,
	STEP_OTHER
};

struct step {
	unsigned part;
	enum step_kind kind;
	char name[NAME_BYTES];
	enum rotor_err err; /* it could not be linked */
	uint32_t nans;      /* a bit for each result that is not a number */
	struct check_outcome out;
};

struct part {
	const struct rotor_module *module;
	struct rotor_instance *instance; /* NULL: cannot be called */
	void *block;                     /* NULL: gone */
	struct rotor_imports imports;
	struct rotor_extern externs[(PARTS_MAX - 1) * EXPORTS_MAX];
};

struct world {
	struct part parts[PARTS_MAX];
	char names[PARTS_MAX][EXPORTS_MAX][NAME_BYTES];
	bool large;
	unsigned seed; /* of slices; 0: at once */
	struct step steps[STEPS_MAX];
	unsigned step_count;
};

/* ---- the host's functions, as in v8.mjs ---- */

static enum rotor_host refuse(struct rotor_call *call)
{
	rotor_set_trap(call->instance, ROTOR_TRAP_HOST, "host");
	return ROTOR_HOST_TRAP;
}

static enum rotor_host now(struct rotor_call *call)
{
	uint32_t x = rotor_arg_u32(call, 0);

	rotor_charge(call->instance, x & 7);
	rotor_result_u32(call, x * 3 + 1);
	return ROTOR_HOST_DONE;
}

static enum rotor_host answer_one(struct rotor_call *call)
{
	uint32_t x = rotor_arg_u32(call, 0);

	if ((x & 63) == 63) {
		return refuse(call);
	}
	rotor_result_u32(call, x ^ 0x55);
	return ROTOR_HOST_DONE;
}

static enum rotor_host later_one(struct rotor_call *call)
{
	return (rotor_arg_u32(call, 0) & 4) != 0 ? ROTOR_HOST_LATER : answer_one(call);
}

static enum rotor_host answer_two(struct rotor_call *call)
{
	uint32_t x = rotor_arg_u32(call, 2);
	uint64_t wide = (uint64_t)(int64_t)(int32_t)x * 7;

	call->cells[0] = x + 1;
	call->cells[1] = (uint32_t)wide;
	call->cells[2] = (uint32_t)(wide >> 32);
	return ROTOR_HOST_DONE;
}

static enum rotor_host later_two(struct rotor_call *call)
{
	return ROTOR_HOST_LATER;
}

/* In up to four parts. */
static enum rotor_host in_parts(struct rotor_call *call)
{
	uint32_t *progress = rotor_progress(call->instance), x = rotor_arg_u32(call, 4);

	if (progress[0] < (x & 3)) {
		progress[0]++;
		return ROTOR_HOST_AGAIN;
	}
	rotor_result_u64(call, rotor_arg_u64(call, 0) + 3 * rotor_arg_u64(call, 2) +
				       (uint64_t)(int64_t)(int32_t)x);
	return ROTOR_HOST_DONE;
}

static const struct rotor_host_func hosts[] = {
	{"env", "h0", "i)i", now},         {"env", "h1", "i)i", later_one},
	{"env", "h2", "Fi)iI", later_two}, {"env", "h3", "IIiF)I", in_parts},
	{NULL, NULL, NULL, NULL},
};
static const struct rotor_host_func *const tables[] = {hosts};

static void answer(struct rotor_instance *root)
{
	struct rotor_call *call = rotor_pending(root);

	AGREE(call != NULL && call->func != NULL, "nothing is pending");
	rotor_answer(root, call->func == &hosts[1] ? answer_one(call) : answer_two(call));
}

/* ---- running ---- */

static unsigned next_random(struct world *w)
{
	w->seed = w->seed * 1664525 + 1013904223;
	return w->seed >> 16;
}

/* Any instance may be told to stop; only that which is run does. */
static void interrupt_one(struct world *w)
{
	struct part *p = &w->parts[next_random(w) % PARTS_MAX];

	if (p->instance != NULL) {
		rotor_interrupt(p->instance);
	}
}

static enum rotor_status run(struct world *w, struct rotor_instance *root)
{
	uint64_t end = rotor_fuel_used(root) + (w->large ? FUEL_LARGE : FUEL);

	for (unsigned tries = 0; tries < 100000; tries++) {
		uint64_t used = rotor_fuel_used(root), left = end - used;
		enum rotor_status status;

		if (used >= end) {
			return ROTOR_FUEL;
		}
		if (w->seed != 0) {
			left = BASE_MIN(left, 1 + next_random(w) % (2u << next_random(w) % 13));
			if (next_random(w) % 8 == 0) {
				interrupt_one(w);
			}
		}
		status = rotor_run(root, left);
		if (status == ROTOR_HOST) {
			if (w->seed != 0) {
				check_look_around(root);
				AGREE(rotor_run(root, 1000) == ROTOR_HOST, "goes on unanswered");
			}
			answer(root);
		} else if (status != ROTOR_FUEL) {
			return status;
		}
	}
	return ROTOR_FUEL;
}

/* ---- steps ---- */

static struct step *step_new(struct world *w, unsigned part, enum step_kind kind, const char *name)
{
	struct step *s = &w->steps[w->step_count++];

	AGREE(w->step_count <= STEPS_MAX, "too many steps");
	memset(s, 0, sizeof(*s));
	s->part = part;
	s->kind = kind;
	snprintf(s->name, sizeof(s->name), "%s", name);
	return s;
}

/* Numbers as JavaScript has them: all but i64 as f64. */
static uint64_t bits_of(const struct rotor_value *v)
{
	struct rotor_value wide = {.type = ROTOR_F64};

	if (v->type == ROTOR_I64) {
		return v->u64;
	}
	wide.f64 = v->type == ROTOR_I32 ? v->i32 : v->type == ROTOR_F32 ? (double)v->f32 : v->f64;
	return wide.f64 != wide.f64 ? UINT64_MAX : wide.f64_bits;
}

/* Runs what was asked for. False: the fuel is used up, and what follows cannot be compared. */
static bool step_run(struct world *w, struct step *s, struct rotor_instance *root)
{
	struct rotor_value results[8];

	s->out.status = run(w, root);
	s->out.trap = s->out.status == ROTOR_TRAP ? rotor_trap(root) : 0;
	check_look_around(root);
	if (s->out.status == ROTOR_DONE && s->kind != STEP_BEGIN) {
		s->out.count = rotor_results(root, results, BASE_COUNT(results));
		for (uint32_t i = 0; i < s->out.count; i++) {
			s->out.bits[i] = bits_of(&results[i]);
			s->nans |= (uint32_t)(s->out.bits[i] == UINT64_MAX &&
					      results[i].type != ROTOR_I64)
				   << i;
		}
	}
	for (unsigned i = 0; i < PARTS_MAX; i++) {
		struct rotor_instance *in = w->parts[i].instance;
		uint64_t hash = in != NULL ? check_hash_state(in) : 0;

		s->out.hash = check_hash_add(s->out.hash, &hash, sizeof(hash));
		s->out.fuel += in != NULL ? rotor_fuel_used(in) : 0;
	}
	return s->out.status != ROTOR_FUEL;
}

static bool step_call(struct world *w, unsigned part, enum step_kind kind, const char *name,
		      uint32_t func)
{
	struct rotor_instance *in = w->parts[part].instance;
	struct rotor_functype type = rotor_module_functype(w->parts[part].module, func);
	struct step *s = step_new(w, part, kind, name);
	struct rotor_value args[4];
	struct rotor_diag diag;

	for (unsigned i = 0; i < type.param_count && i < 4; i++) {
		args[i] = (struct rotor_value){.type = type.types[i], .u64 = 1};
		if (args[i].type == ROTOR_F32) {
			args[i].f32 = 1;
		} else if (args[i].type == ROTOR_F64) {
			args[i].f64 = 1;
		}
	}
	s->err = rotor_call(in, func, args, type.param_count, &diag);
	AGREE(s->err == ROTOR_OK, "cannot be called");
	return step_run(w, s, in);
}

/* One of the exported functions in turn whose names are w and a number. */
static bool call_other(struct world *w, unsigned part)
{
	struct rotor_export export;
	uint32_t found[EXPORTS_MAX];
	unsigned count = 0;

	for (uint32_t i = 0; rotor_module_export(w->parts[part].module, i, &export); i++) {
		if (export.name[0] == 'w') {
			found[count++] = i;
		}
	}
	(void)rotor_module_export(w->parts[part].module, found[w->step_count % count], &export);
	return step_call(w, part, STEP_OTHER, w->names[part][found[w->step_count % count]],
			 export.idx);
}

static bool call_all(struct world *w, unsigned part)
{
	const struct rotor_module *module = w->parts[part].module;
	uint32_t run_func, hash_func;

	AGREE(rotor_module_find(module, "run", ROTOR_FUNC, &run_func) &&
		      rotor_module_find(module, "hash", ROTOR_FUNC, &hash_func),
	      "no run or hash");
	return step_call(w, part, STEP_RUN, "run", run_func) &&
	       step_call(w, part, STEP_HASH, "hash", hash_func) && call_other(w, part);
}

/* ---- instances ---- */

/* All that the modules before it export. */
static void offer(struct world *w, unsigned part)
{
	struct part *p = &w->parts[part];
	struct rotor_export export;
	uint32_t count = 0;

	for (unsigned from = 0; from < part; from++) {
		for (uint32_t i = 0; w->parts[from].instance != NULL && i < EXPORTS_MAX &&
				     rotor_module_export(w->parts[from].module, i, &export);
		     i++) {
			p->externs[count++] = (struct rotor_extern){
				part_names[from], w->names[from][i], w->parts[from].instance, i};
		}
	}
	p->imports = (struct rotor_imports){
		.tables = tables, .table_count = 1, .externs = p->externs, .extern_count = count};
}

static void copy_names(struct world *w, unsigned part)
{
	struct rotor_export export;

	for (uint32_t i = 0; i < EXPORTS_MAX; i++) {
		if (rotor_module_export(w->parts[part].module, i, &export)) {
			snprintf(w->names[part][i], NAME_BYTES, "%.*s", (int)export.name_bytes,
				 export.name);
		}
	}
}

/* False: the fuel is used up. */
static bool begin(struct world *w, unsigned part)
{
	struct rotor_limits limits = {.stack_bytes = w->large ? STACK_BYTES_LARGE : STACK_BYTES,
				      .memory_bytes_max =
					      w->large ? MEMORY_BYTES_LARGE : MEMORY_BYTES_MAX,
				      .table_elems_max = TABLE_ELEMS_MAX};
	struct part *p = &w->parts[part];
	struct step *s = step_new(w, part, STEP_BEGIN, "start");
	size_t bytes = rotor_instance_bytes(p->module, &limits);
	struct rotor_instance *in;
	struct rotor_diag diag;
	bool goes_on;

	AGREE(bytes < 8 << 20, "an instance is too large");
	p->block = check_must(malloc(bytes));
	memset(p->block, 0xA5, bytes);
	copy_names(w, part);
	offer(w, part);
	s->err = rotor_instantiate(p->block, bytes, p->module, &p->imports, &limits, &in, &diag);
	if (s->err != ROTOR_OK) {
		AGREE(diag.text[0] != 0, "an error without a reason");
		memset(p->block, 0x5A, bytes);
		free(p->block);
		p->block = NULL;
		return true;
	}
	p->instance = in;
	goes_on = step_run(w, s, in);
	if (s->out.status == ROTOR_TRAP) {
		p->instance =
			NULL; /* of no use to others, but functions of it may be in the table */
	}
	return goes_on;
}

static void play(struct world *w, unsigned part_count)
{
	bool goes_on = true;

	for (unsigned part = 0; part < part_count && goes_on; part++) {
		goes_on = begin(w, part);
		for (unsigned i = part + 1; i-- != 0 && goes_on;) {
			goes_on = w->parts[i].instance == NULL || call_all(w, i);
		}
	}
	for (unsigned part = 0; part < part_count && goes_on; part++) {
		goes_on = w->parts[part].instance == NULL || call_all(w, part);
	}
	for (unsigned part = 0; part < part_count; part++) {
		free(w->parts[part].block);
	}
}

/* ---- worlds ---- */

static const struct rotor_module *load_part(unsigned part, const uint8_t *wasm, size_t bytes)
{
	static _Alignas(8) uint8_t blocks[PARTS_MAX][CHECK_MODULE_BYTES];
	struct rotor_diag diag;

	return check_load_whole(blocks[part], wasm, bytes, 0, &diag);
}

/* Returns how many modules there are; 0: one is refused. */
static unsigned load_all(struct world *w, const uint8_t *bytes, size_t count, check_loader load)
{
	unsigned part = 0;

	while (part < PARTS_MAX && count > 4) {
		uint32_t length = base_load_u32(bytes);

		if (length > count - 4) {
			return 0;
		}
		w->parts[part].module = load(part, bytes + 4, length);
		if (w->parts[part].module == NULL) {
			return 0;
		}
		part++;
		bytes += 4 + length;
		count -= 4 + length;
	}
	return part;
}

/* How deep calls may go is each way's own when the second is of other modules. */
static void compare(const struct world *a, const struct world *b, bool same_modules)
{
	for (unsigned i = 0; i < a->step_count && i < b->step_count; i++) {
		const struct check_outcome *x = &a->steps[i].out, *y = &b->steps[i].out;
		bool stack = x->trap == ROTOR_TRAP_STACK || y->trap == ROTOR_TRAP_STACK;

		if (x->status == ROTOR_FUEL || y->status == ROTOR_FUEL ||
		    (stack && !same_modules)) {
			return;
		}
		AGREE(a->steps[i].err == b->steps[i].err, "linked in one way only");
		AGREE(x->status == y->status, "two ways end differently");
		AGREE(x->trap == y->trap, "two ways trap differently");
		AGREE(x->count == y->count && memcmp(x->bits, y->bits, sizeof(x->bits)) == 0,
		      "two ways give other results");
		AGREE(x->hash == y->hash, "two ways leave other memories");
		AGREE(x->fuel == y->fuel, "two ways use other fuel");
	}
	AGREE(a->step_count == b->step_count, "two ways end in other steps");
}

int check_linked(const uint8_t *bytes, size_t count, unsigned variant, check_loader second)
{
	static struct world at_once, in_slices;
	unsigned parts;

	memset(&at_once, 0, sizeof(at_once));
	memset(&in_slices, 0, sizeof(in_slices));
	at_once.large = in_slices.large = second != NULL || variant % 4 == 0;
	in_slices.seed = variant + 1;
	parts = load_all(&at_once, bytes, count, load_part);
	if (parts == 0) {
		return 0;
	}
	play(&at_once, parts);
	if (load_all(&in_slices, bytes, count, second != NULL ? second : load_part) != parts) {
		return 0;
	}
	play(&in_slices, parts);
	compare(&at_once, &in_slices, second == NULL);
	return 1;
}

static void print_step(const struct step *s)
{
	printf(" %s.%s", part_names[s->part], s->name);
	if (s->err != ROTOR_OK) {
		printf(" refused");
	} else if (s->out.status == ROTOR_TRAP) {
		printf(" trap:%s", s->out.trap == ROTOR_TRAP_HOST
					   ? "host"
					   : rotor_trap_text((enum rotor_trap)s->out.trap));
	} else if (s->out.status != ROTOR_DONE) {
		printf(" status:%d", s->out.status);
	}
	for (uint32_t i = 0; i < s->out.count; i++) {
		if ((s->nans >> i & 1) != 0) {
			printf(" nan");
		} else {
			printf(" %" PRIx64, s->out.bits[i]);
		}
	}
}

void check_linked_print(const uint8_t *bytes, size_t count)
{
	static struct world w;
	unsigned parts;

	memset(&w, 0, sizeof(w));
	w.large = true;
	parts = load_all(&w, bytes, count, load_part);
	if (parts == 0) {
		printf(" not valid\n");
		return;
	}
	play(&w, parts);
	for (unsigned i = 0; i < w.step_count; i++) {
		print_step(&w.steps[i]);
	}
	printf("\n");
}
