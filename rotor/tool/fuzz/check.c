/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzzers and the comparison with V8 do with a module. */
#include "rotor/tool/fuzz/check_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "rotor/import/import.h"
#include "rotor/rotor.h"

enum {
	MEMORY_BYTES_MAX = 128 << 10,
	MEMORY_BYTES_LARGE = 512 << 10,
	MOVES_MAX = 4, /* in one call */
	INSTANCE_BYTES_MAX = 8 << 20,
	TABLE_ELEMS_MAX = 1000,
	STACK_BYTES = 16 << 10,
	STACK_BYTES_LARGE = 4 << 20,
	HEAP_BYTES = 4096,
	CALLS_MAX = 16
};

#define FUEL       30000u
#define FUEL_LARGE 10000000000u

/* ---- the surroundings of a program: the same each time ---- */

static bool env_write(struct rotor_env *env, unsigned fd, const char *bytes, uint32_t count)
{
	/* Reads every byte, for the sanitizers. */
	uint8_t sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		sum = (uint8_t)(sum + (uint8_t)bytes[i]);
	}
	return sum != 0x77 || count < 1000;
}

static uint64_t env_clock(struct rotor_env *env, enum rotor_clock clock)
{
	return 1234567890123;
}

static void env_random(struct rotor_env *env, uint8_t *out, uint32_t bytes)
{
	memset(out, 0x42, bytes);
}

static const struct rotor_env_ops env_ops = {env_write, env_clock, env_random};
static const char *const env_args[] = {"program", "argument"};
static const struct rotor_host_func *const env_tables[] = {rotor_wasi, rotor_libc};

/* For the module, and for the one that is loaded in pieces. Static: a fresh megabyte for each
 * input would take most of the fuzzer's time. */
static _Alignas(8) uint8_t whole_block[CHECK_MODULE_BYTES], pieces_block[CHECK_MODULE_BYTES];

struct machine {
	struct rotor_env env;
	struct rotor_imports imports;
	void *block;
	size_t block_bytes;
	const struct rotor_module *module;
	struct rotor_instance *instance;
	uint64_t fuel; /* for each call */
	unsigned seed; /* of slices and moves; 0: none */
};

void *check_must(void *p)
{
	if (p == NULL) {
		abort();
	}
	return p;
}

/* ---- loading ---- */

const struct rotor_module *check_load_whole(void *block, const uint8_t *wasm, size_t bytes,
					    unsigned flags, struct rotor_diag *diag)
{
	const struct rotor_module *module = NULL;

	memset(diag, 0, sizeof(*diag));
	if (rotor_load(block, CHECK_MODULE_BYTES, wasm, bytes, flags, &module, diag) != ROTOR_OK) {
		AGREE(diag->code != ROTOR_OK && diag->text[0] != 0, "an error without a reason");
		return NULL;
	}
	return module;
}

/* Each piece lies in memory of its own that is gone afterwards. */
static const struct rotor_module *load_pieces(void *block, const uint8_t *wasm, size_t bytes,
					      unsigned variant, struct rotor_diag *diag)
{
	const struct rotor_module *module = NULL;
	struct rotor_loader *loader;
	enum rotor_err err = rotor_load_begin(block, CHECK_MODULE_BYTES, &loader);
	size_t at = 0;

	AGREE(err == ROTOR_OK, "a loader cannot begin");
	while (at < bytes && err == ROTOR_OK) {
		size_t n = 1 + (variant + at * 7) % (1 + variant % 37);
		uint8_t *piece;

		n = BASE_MIN(n, bytes - at);
		piece = check_must(malloc(n));
		memcpy(piece, wasm + at, n);
		err = rotor_load_feed(loader, piece, n);
		free(piece);
		at += n;
	}
	if (err == ROTOR_OK) {
		err = rotor_load_end(loader, &module);
	}
	*diag = *rotor_load_diag(loader);
	return err == ROTOR_OK ? module : NULL;
}

static void compare_modules(const struct rotor_module *a, const struct rotor_module *b)
{
	struct rotor_module_info x, y;

	memset(&x, 0, sizeof(x));
	memset(&y, 0, sizeof(y));
	rotor_module_info(a, &x);
	rotor_module_info(b, &y);
	AGREE(x.form_bytes == y.form_bytes && x.func_count == y.func_count &&
		      x.import_count == y.import_count && x.export_count == y.export_count,
	      "whole and in pieces give other modules");
}

/* Loads whole into *block, and in pieces; NULL if the module is refused. */
static const struct rotor_module *load_both(void *block, const uint8_t *wasm, size_t bytes,
					    unsigned variant)
{
	struct rotor_diag a, b;
	const struct rotor_module *whole =
		check_load_whole(block, wasm, bytes, variant % 2 ? ROTOR_LOAD_BYTES_STAY : 0, &a);
	const struct rotor_module *pieces = load_pieces(pieces_block, wasm, bytes, variant, &b);

	AGREE((whole != NULL) == (pieces != NULL), "only one of whole and pieces is refused");
	if (whole == NULL) {
		AGREE(a.code == b.code, "other errors for whole and pieces");
	} else {
		compare_modules(whole, pieces);
	}
	return whole;
}

int check_load(const uint8_t *wasm, size_t bytes, unsigned variant)
{
	return load_both(whole_block, wasm, bytes, variant) != NULL;
}

/* ---- instances ---- */

/* false: it cannot be instantiated; that must be the same each time. */
static bool machine_begin(struct machine *m, const struct rotor_module *module, bool large,
			  unsigned seed)
{
	struct rotor_limits limits = {.stack_bytes = large ? STACK_BYTES_LARGE : STACK_BYTES,
				      .heap_bytes = HEAP_BYTES,
				      .memory_bytes_max =
					      large ? MEMORY_BYTES_LARGE : MEMORY_BYTES_MAX,
				      .table_elems_max = TABLE_ELEMS_MAX};
	struct rotor_diag diag;

	*m = (struct machine){.env = {.ops = &env_ops, .args = env_args, .arg_count = 2},
			      .module = module,
			      .fuel = FUEL,
			      .seed = seed};
	m->imports =
		(struct rotor_imports){.tables = env_tables, .table_count = 2, .user = &m->env};
	m->block_bytes = rotor_instance_bytes(module, &limits);
	if (m->block_bytes > INSTANCE_BYTES_MAX) {
		return false;
	}
	m->block = check_must(malloc(m->block_bytes));
	memset(m->block, 0xA5, m->block_bytes);
	if (rotor_instantiate(m->block, m->block_bytes, module, &m->imports, &limits, &m->instance,
			      &diag) == ROTOR_OK) {
		return true;
	}
	AGREE(diag.text[0] != 0, "an error without a reason");
	free(m->block);
	return false;
}

/* The block goes to another place; the old one is filled with rubbish and given back. */
static void machine_move(struct machine *m)
{
	void *to = check_must(malloc(m->block_bytes));
	struct rotor_diag diag;

	memcpy(to, m->block, m->block_bytes);
	memset(m->block, 0x5A, m->block_bytes);
	free(m->block);
	m->block = to;
	AGREE(rotor_attach(to, m->block_bytes, m->module, &m->imports, &m->instance, &diag) ==
		      ROTOR_OK,
	      "a moved instance cannot be attached");
}

static unsigned next_random(struct machine *m)
{
	m->seed = m->seed * 1664525 + 1013904223;
	return m->seed >> 16;
}

/* Runs to the end or until the fuel is used up: at once, or in slices between moves. */
static enum rotor_status machine_run(struct machine *m, uint64_t fuel_end)
{
	unsigned moves = 0;

	for (unsigned tries = 0;; tries++) {
		uint64_t used = rotor_fuel_used(m->instance), left = fuel_end - used;
		enum rotor_status status;

		if (used >= fuel_end || tries > 100000) {
			return ROTOR_FUEL;
		}
		if (m->seed != 0) {
			left = BASE_MIN(left, 1 + next_random(m) % (2u << next_random(m) % 13));
			if (next_random(m) % 2 == 0 && moves < MOVES_MAX) {
				machine_move(m);
				moves++;
			}
			if (next_random(m) % 8 == 0) {
				rotor_interrupt(m->instance);
			}
		}
		status = rotor_run(m->instance, left);
		if (status == ROTOR_HOST) {
			m->env.sleeping = true; /* whatever it waits for has come */
			m->env.wake_ns = 0;
			(void)rotor_import_again(m->instance);
		} else if (status != ROTOR_FUEL) {
			return status;
		}
	}
}

uint64_t check_hash_add(uint64_t hash, const void *bytes, size_t count)
{
	const uint8_t *p = bytes;

	size_t i = 0;

	for (; i + 8 <= count; i += 8) {
		hash = (hash ^ base_load_u64(p + i)) * 0x9E3779B97F4A7C15u;
		hash ^= hash >> 29;
	}
	for (; i < count; i++) {
		hash = (hash ^ p[i]) * 0x100000001B3u;
	}
	return hash;
}

static uint64_t bits_of(const struct rotor_value *v)
{
	switch (v->type) {
	case ROTOR_F32:
		return v->f32 != v->f32 ? UINT64_MAX : v->f32_bits;
	case ROTOR_F64:
		return v->f64 != v->f64 ? UINT64_MAX : v->f64_bits;
	case ROTOR_I64:
		return v->u64;
	default:
		return v->u32;
	}
}

uint64_t check_hash_state(struct rotor_instance *in)
{
	uint64_t memory_bytes, hash = 0xCBF29CE484222325u;
	const void *memory = rotor_memory(in, &memory_bytes);
	struct rotor_value value;

	if (memory != NULL) {
		hash = check_hash_add(hash, memory, (size_t)memory_bytes);
	}
	for (uint32_t i = 0; rotor_global_get(in, i, &value) == ROTOR_OK; i++) {
		uint64_t bits = bits_of(&value);

		hash = check_hash_add(hash, &bits, 8);
	}
	return hash;
}

/* The backtrace must be readable whenever the program is stopped. */
void check_look_around(struct rotor_instance *in)
{
	struct rotor_frame frame;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < 200 && rotor_frame(in, i, &frame); i++) {
		AGREE(frame.name == NULL || frame.name_bytes < 1 << 20, "a name without end");
		sum = check_hash_add(sum, frame.name, frame.name != NULL ? frame.name_bytes : 0);
	}
	AGREE(rotor_trap_text(rotor_trap(in)) != NULL, "a trap without a text");
	AGREE(strlen(rotor_trap_detail(in)) < 64, "a detail without end");
}

/* Calls a function with arguments that are all 1. false: it cannot be called. */
static bool machine_call(struct machine *m, uint32_t func, struct check_outcome *out)
{
	struct rotor_functype type = rotor_module_functype(m->module, func);
	struct rotor_value args[16], results[16];
	struct rotor_diag diag;

	memset(out, 0, sizeof(*out));
	if (type.param_count > 16) {
		return false;
	}
	for (unsigned i = 0; i < type.param_count; i++) {
		bool is_ref = type.types[i] == ROTOR_FUNCREF || type.types[i] == ROTOR_EXTERNREF;

		args[i] = (struct rotor_value){.type = type.types[i], .u64 = !is_ref};
	}
	if (rotor_call(m->instance, func, args, type.param_count, &diag) != ROTOR_OK) {
		return false;
	}
	out->status = machine_run(m, rotor_fuel_used(m->instance) + m->fuel);
	out->trap = out->status == ROTOR_TRAP ? rotor_trap(m->instance) : 0;
	check_look_around(m->instance);
	if (out->status == ROTOR_DONE) {
		out->count = rotor_results(m->instance, results, 16);
		for (uint32_t i = 0; i < BASE_MIN(out->count, 16); i++) {
			out->bits[i] = bits_of(&results[i]);
		}
	} else if (out->status != ROTOR_TRAP) {
		rotor_reset(m->instance);
	}
	out->fuel = rotor_fuel_used(m->instance);
	out->hash = check_hash_state(m->instance);
	return true;
}

/* Calls the exported functions in turn; returns how many outcomes there are. */
static unsigned call_exports(struct machine *m, struct check_outcome *out)
{
	struct rotor_export export;
	unsigned count = 0;

	for (uint32_t i = 0; count < CALLS_MAX && rotor_module_export(m->module, i, &export); i++) {
		if (export.kind == ROTOR_FUNC && machine_call(m, export.idx, &out[count])) {
			count++;
			/* Where the fuel ended is not the same in slices. */
			if (out[count - 1].status == ROTOR_FUEL) {
				break;
			}
		}
	}
	return count;
}

/* A call that used up its fuel may end in one way and just not in the other; then all that follows
 * is another story. */
static void compare_outcomes(const struct check_outcome *a, unsigned a_count,
			     const struct check_outcome *b, unsigned b_count)
{
	for (unsigned i = 0; i < a_count && i < b_count; i++) {
		if (a[i].status == ROTOR_FUEL || b[i].status == ROTOR_FUEL) {
			return;
		}
		AGREE(a[i].status == b[i].status, "at once and in slices end differently");
		AGREE(a[i].trap == b[i].trap, "at once and in slices trap differently");
		AGREE(a[i].count == b[i].count &&
			      memcmp(a[i].bits, b[i].bits, sizeof(a[i].bits)) == 0,
		      "at once and in slices give other results");
		AGREE(a[i].hash == b[i].hash, "at once and in slices leave other memories");
		AGREE(a[i].fuel == b[i].fuel, "at once and in slices use other fuel");
	}
	AGREE(a_count == b_count, "at once and in slices end in other calls");
}

int check_run(const uint8_t *wasm, size_t bytes, unsigned variant)
{
	const struct rotor_module *module = load_both(whole_block, wasm, bytes, variant);
	struct check_outcome at_once[CALLS_MAX], in_slices[CALLS_MAX];
	unsigned counts[2] = {0, 0};
	struct machine m;

	if (module != NULL && machine_begin(&m, module, false, 0)) {
		counts[0] = call_exports(&m, at_once);
		free(m.block);
		AGREE(machine_begin(&m, module, false, variant + 1),
		      "only one instance could be made");
		counts[1] = call_exports(&m, in_slices);
		free(m.block);
		compare_outcomes(at_once, counts[0], in_slices, counts[1]);
	}
	return module != NULL;
}

unsigned check_calls(const uint8_t *wasm, size_t bytes, const char *const *names, unsigned count,
		     struct check_outcome *out)
{
	struct rotor_diag diag;
	const struct rotor_module *module = check_load_whole(whole_block, wasm, bytes, 0, &diag);
	struct machine m;
	unsigned done = 0;

	if (module != NULL && machine_begin(&m, module, true, 0)) {
		m.fuel = FUEL_LARGE;
		for (uint32_t func; done < count; done++) {
			if (!rotor_module_find(module, names[done], ROTOR_FUNC, &func) ||
			    !machine_call(&m, func, &out[done])) {
				break;
			}
		}
		free(m.block);
	}
	return done;
}
