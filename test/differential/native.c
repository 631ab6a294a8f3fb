/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Native code beside the interpreter: random modules, or files, compiled in this process and run both ways.
 *
 *     rotor_native_fuzz [--seconds N] [--count N] [--seed N] [--keep DIR] [FILE.wasm...]
 *
 * In:    a seed, or modules.
 * Out:   a line for each difference, with the seed; the last line is "N passed, N failed": modules.
 * Rules: 1. Every exported function is called, with the same numbers both ways; results, trap, backtrace, fuel, memory
 *           and globals must be equal after each call.
 *        2. The two run in slices of different lengths; now and then with too little fuel, which both must say.
 * Bounds: FUEL_MAX for a call; a call that needs more ends the module's turn. How deep calls may go is each way's own.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/base.h"
#include "base/prng.h"
#include "rotor/import/import.h"
#include "rotor/rotor.h"
#include "rotor/tool/fuzz/gen.h"
#include "rotorc/rotorc.h"
#include "rotorc/target.h"

enum {
	CHOICES_MAX = 8000,
	MODULE_BYTES_MAX = 1 << 20,
	IMAGE_BYTES_MAX = 8 << 20,
	BLOCK_BYTES = 64 << 20,
	MEMORY_BYTES_SPARE = 8 << 16, /* to grow by */
	TABLE_ELEMS_SPARE = 1000,
	STACK_BYTES = 256 << 10,
	HEAP_BYTES = 16 << 10,
	CALLS_MAX = 40,
	ARGS_MAX = 16,
	RESULTS_MAX = 16,
	FRAMES_MAX = 64,
	FUEL_MAX = 3000000
};

/* One of the two ways. */
struct side {
	void *block;
	const struct rotor_module *module;
	struct rotor_instance *instance;
	struct rotor_env env;
	struct rotor_imports imports;
	struct prng slices;
	bool sliced;
	enum rotor_status status;
	uint64_t fuel; /* used so far */
};

static struct {
	struct side interpreted, native;
	uint8_t *image; /* memory that can be executed */
	const char *keep;
	uint64_t seed, calls;
	const char *file;
	int failed, passed;
	const uint8_t *wasm;
	size_t wasm_bytes;
	bool differs;
} t;

/* ---- the surroundings of a program: the same each time ---- */

static uint64_t env_clock(struct rotor_env *env, enum rotor_clock clock)
{
	return 1234567890123;
}

static void env_random(struct rotor_env *env, uint8_t *out, uint32_t bytes)
{
	memset(out, 0x42, bytes);
}

static const struct rotor_env_ops env_ops = {NULL, env_clock, env_random};
static const char *const env_args[] = {"program"};
static const struct rotor_host_func *const env_tables[] = {rotor_wasi, rotor_libc};

/* ---- differences ---- */

static void keep_module(void)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%llu.wasm", t.keep, (unsigned long long)t.seed);
	f = fopen(path, "wb");
	if (f != NULL) {
		fwrite(t.wasm, 1, t.wasm_bytes, f);
		fclose(f);
	}
}

__attribute__((format(printf, 1, 2))) static void differ(const char *format, ...)
{
	va_list args;

	if (t.file != NULL) {
		printf("%s: ", t.file);
	} else {
		printf("seed %llu: ", (unsigned long long)t.seed);
	}
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	if (!t.differs && t.keep != NULL && t.file == NULL) {
		keep_module();
	}
	t.differs = true;
}

static uint64_t fnv(uint64_t h, const void *bytes, uint64_t count)
{
	const uint8_t *at = bytes;

	for (uint64_t i = 0; i < count; i++) {
		h = (h ^ at[i]) * 1099511628211u;
	}
	return h;
}

static uint64_t bits_of(struct rotor_value v)
{
	switch (v.type) {
	case ROTOR_I64:
		return v.u64;
	case ROTOR_F64:
		return v.f64 != v.f64 ? UINT64_MAX : v.u64;
	case ROTOR_F32:
		return v.f32 != v.f32 ? UINT64_MAX : v.u32;
	default:
		return v.u32;
	}
}

/* Of memory and globals. */
static uint64_t digest(struct rotor_instance *instance)
{
	struct rotor_value v;
	uint64_t count, h = 14695981039346656037u;
	const void *bytes = rotor_memory(instance, &count);

	h = fnv(h, &count, sizeof(count));
	h = fnv(h, bytes, count);
	for (uint32_t i = 0; rotor_global_get(instance, i, &v) == ROTOR_OK; i++) {
		uint64_t bits = bits_of(v);

		h = fnv(h, &bits, sizeof(bits));
	}
	return h;
}

/* ---- running ---- */

/* Runs the pending call to its end, or until the fuel allowed is used. */
static void run(struct side *s, uint64_t allowed)
{
	uint64_t before = rotor_fuel_used(s->instance), used = 0;

	do {
		uint64_t slice = s->sliced ? 1 + prng_below(&s->slices, 5000) : allowed;

		s->status = rotor_run(s->instance, BASE_MIN(slice, allowed - used));
		used = rotor_fuel_used(s->instance) - before;
	} while (s->status == ROTOR_FUEL && used < allowed);
	s->fuel = rotor_fuel_used(s->instance);
}

static bool same_frame(const struct rotor_frame *a, const struct rotor_frame *b)
{
	return a->func_idx == b->func_idx && a->offset == b->offset;
}

static void compare_frames(const char *name)
{
	for (uint32_t i = 0; i < FRAMES_MAX; i++) {
		struct rotor_frame a, b;
		bool is_a = rotor_frame(t.interpreted.instance, i, &a);
		bool is_b = rotor_frame(t.native.instance, i, &b);

		if (is_a != is_b || (is_a && !same_frame(&a, &b))) {
			differ("%s: frame %u: func %u at 0x%x, natively func %u at 0x%x", name, i,
			       is_a ? a.func_idx : 0, is_a ? a.offset : 0, is_b ? b.func_idx : 0,
			       is_b ? b.offset : 0);
			return;
		}
		if (!is_a) {
			return;
		}
	}
}

static void compare_results(const char *name)
{
	struct rotor_value a[RESULTS_MAX], b[RESULTS_MAX];
	uint32_t count = rotor_results(t.interpreted.instance, a, RESULTS_MAX);

	if (rotor_results(t.native.instance, b, RESULTS_MAX) != count) {
		differ("%s: not as many results", name);
		return;
	}
	for (uint32_t i = 0; i < BASE_MIN(count, (uint32_t)RESULTS_MAX); i++) {
		if (bits_of(a[i]) != bits_of(b[i])) {
			differ("%s: result %u is %llx, natively %llx", name, i,
			       (unsigned long long)bits_of(a[i]),
			       (unsigned long long)bits_of(b[i]));
		}
	}
}

/* False when nothing more can be compared. */
static bool compare(const char *name)
{
	struct side *a = &t.interpreted, *b = &t.native;
	enum rotor_trap trap_a = rotor_trap(a->instance), trap_b = rotor_trap(b->instance);

	if ((a->status == ROTOR_TRAP && trap_a == ROTOR_TRAP_STACK) ||
	    (b->status == ROTOR_TRAP && trap_b == ROTOR_TRAP_STACK)) {
		return false;
	}
	if (a->status != b->status || (a->status == ROTOR_TRAP && trap_a != trap_b)) {
		differ("%s: status %d %s, natively %d %s", name, (int)a->status,
		       rotor_trap_text(trap_a), (int)b->status, rotor_trap_text(trap_b));
		return false;
	}
	if (a->status == ROTOR_FUEL || a->status == ROTOR_HOST) {
		return false;
	}
	if (a->fuel != b->fuel) {
		differ("%s: fuel %llu, natively %llu", name, (unsigned long long)a->fuel,
		       (unsigned long long)b->fuel);
	}
	if (a->status == ROTOR_DONE) {
		compare_results(name);
	} else {
		compare_frames(name);
	}
	if (digest(a->instance) != digest(b->instance)) {
		differ("%s: memory or globals differ", name);
	}
	return !t.differs;
}

static void make_args(struct prng *p, struct rotor_functype type, struct rotor_value *args)
{
	static const uint64_t numbers[] = {0,
					   1,
					   2,
					   7,
					   8,
					   31,
					   63,
					   100,
					   255,
					   65535,
					   65536,
					   INT32_MAX,
					   0x80000000u,
					   UINT32_MAX,
					   INT64_MAX,
					   1ull << 63,
					   UINT64_MAX,
					   0x3FF0000000000000u,
					   0x7FF8000000000000u,
					   0x3F800000};

	memset(args, 0, ARGS_MAX * sizeof(*args));
	for (uint32_t i = 0; i < type.param_count; i++) {
		args[i].type = (enum rotor_type)type.types[i];
		args[i].u64 = prng_below(p, 3) ? numbers[prng_below(p, BASE_COUNT(numbers))]
					       : prng_next(p) >> prng_below(p, 64);
		if (args[i].type == ROTOR_FUNCREF || args[i].type == ROTOR_EXTERNREF) {
			args[i].u64 = 0;
		}
	}
}

static bool start_call(struct side *s, uint32_t func, const struct rotor_value *args)
{
	struct rotor_functype type = rotor_module_functype(s->module, func);

	return rotor_call(s->instance, func, args, type.param_count, NULL) == ROTOR_OK;
}

/* The fuel both are given: mostly enough. */
static uint64_t choose_fuel(struct prng *p)
{
	return prng_below(p, 8) == 0 ? 1 + prng_below(p, 3000) : FUEL_MAX;
}

static bool call_both(struct prng *p, const struct rotor_export *e)
{
	struct rotor_functype type = rotor_module_functype(t.native.module, e->idx);
	struct rotor_value args[ARGS_MAX];
	uint64_t allowed = choose_fuel(p);
	char name[64];

	if (type.param_count > ARGS_MAX) {
		return true;
	}
	snprintf(name, sizeof(name), "%.*s", (int)BASE_MIN(e->name_bytes, 60u), e->name);
	make_args(p, type, args);
	if (start_call(&t.interpreted, e->idx, args) != start_call(&t.native, e->idx, args)) {
		differ("%s: cannot be called in one of both ways", name);
		return false;
	}
	run(&t.interpreted, allowed);
	run(&t.native, allowed);
	t.calls++;
	return compare(name);
}

/* ---- modules ---- */

static bool instantiate(struct side *s, size_t block_at, bool sliced, uint64_t seed)
{
	struct rotor_module_info info;
	struct rotor_limits limits = {.stack_bytes = STACK_BYTES, .heap_bytes = HEAP_BYTES};
	uint8_t *at = (uint8_t *)s->block + block_at;
	size_t bytes;

	rotor_module_info(s->module, &info);
	limits.memory_bytes_max =
		BASE_MIN(info.memory_bytes_max, info.memory_bytes_min + MEMORY_BYTES_SPARE);
	limits.table_elems_max = info.table_count != 0 ? TABLE_ELEMS_SPARE : 0;
	s->env = (struct rotor_env){.ops = &env_ops, .args = env_args, .arg_count = 1};
	s->imports =
		(struct rotor_imports){.tables = env_tables, .table_count = 2, .user = &s->env};
	s->sliced = sliced;
	prng_init(&s->slices, seed);
	bytes = rotor_instance_bytes(s->module, &limits);
	if (bytes > BLOCK_BYTES - block_at) {
		limits.table_elems_max = 0;
		bytes = rotor_instance_bytes(s->module, &limits);
	}
	return bytes <= BLOCK_BYTES - block_at &&
	       rotor_instantiate(at, bytes, s->module, &s->imports, &limits, &s->instance, NULL) ==
		       ROTOR_OK;
}

/* Compiles into t.image and loads it; false when the difference is told. */
static bool compile(int level)
{
	const struct rotor_image_policy policy = {.target = rotor_image_target(),
						  .allow_unsigned = true};
	struct rotorc_options options = {.target = rotorc_target_find(rotorc_target_host()),
					 .level = level};
	struct rotorc_image image;
	struct rotor_diag diag = {.text = ""};
	char why[512];

	if (rotorc_compile(t.wasm, t.wasm_bytes, &options, &image, why, sizeof(why)) != ROTORC_OK) {
		differ("not compiled: %s", why);
		return false;
	}
	if (image.size > IMAGE_BYTES_MAX) {
		free(image.bytes);
		return false;
	}
	memcpy(t.image, image.bytes, image.size);
	free(image.bytes);
	if (rotor_load_image(t.native.block, BLOCK_BYTES, t.image, image.size, &policy,
			     &t.native.module, &diag) != ROTOR_OK) {
		differ("the image is refused: %s", diag.text);
		return false;
	}
	return true;
}

static void call_all(struct prng *p)
{
	struct rotor_export e;
	int calls = 0;

	for (int turn = 0; turn < 2; turn++) {
		for (uint32_t i = 0; rotor_module_export(t.native.module, i, &e); i++) {
			if (e.kind == ROTOR_FUNC && (calls++ == CALLS_MAX || !call_both(p, &e))) {
				return;
			}
		}
	}
}

/* The module in t.wasm, both ways. */
static void try_module(uint64_t seed)
{
	static const uint8_t levels[] = {2, 2, 2, 2, 3, 1, 0, 2};
	struct side *a = &t.interpreted, *b = &t.native;
	bool is_a, is_b;
	struct prng p;

	t.differs = false;
	prng_init(&p, seed);
	if (rotor_load(a->block, BLOCK_BYTES, t.wasm, t.wasm_bytes, 0, &a->module, NULL) !=
	    ROTOR_OK) {
		return; /* not valid */
	}
	if (compile(levels[prng_below(&p, sizeof(levels))])) {
		is_a = instantiate(a, rotor_module_bytes(a->module), prng_below(&p, 2), seed + 1);
		is_b = instantiate(b, rotor_module_bytes(b->module), prng_below(&p, 2), seed + 2);
		if (is_a != is_b) {
			differ("instantiated in one of both ways only");
		} else if (is_a) {
			run(a, FUEL_MAX);
			run(b, FUEL_MAX);
			if (compare("start")) {
				call_all(&p);
			}
		}
	}
	t.failed += t.differs;
	t.passed += !t.differs;
}

static void try_seed(uint64_t seed)
{
	static uint8_t choices[CHOICES_MAX], module[MODULE_BYTES_MAX];
	struct prng p;
	uint32_t count;

	prng_init(&p, seed);
	count = 200 + prng_below(&p, CHOICES_MAX - 200);
	for (uint32_t i = 0; i < count; i++) {
		choices[i] = (uint8_t)(prng_next(&p) >> 32);
	}
	t.seed = seed;
	t.wasm = module;
	t.wasm_bytes = gen_module(choices, count, module, sizeof(module));
	if (t.wasm_bytes != 0) {
		try_module(seed);
	}
}

static void try_file(const char *path)
{
	static uint8_t bytes[MODULE_BYTES_MAX];
	FILE *f = fopen(path, "rb");

	if (f == NULL) {
		perror(path);
		exit(66);
	}
	t.file = path;
	t.wasm = bytes;
	t.wasm_bytes = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	try_module(fnv(t.seed, path, strlen(path)));
}

static double now_s(clockid_t clock)
{
	struct timespec s;

	clock_gettime(clock, &s);
	return (double)s.tv_sec + (double)s.tv_nsec * 1e-9;
}

static void *map(size_t bytes, int protection)
{
	void *at =
		mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED) {
		perror("mmap");
		exit(71);
	}
	return at;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"seconds", required_argument, NULL, 's'},
						{"count", required_argument, NULL, 'n'},
						{"seed", required_argument, NULL, 'r'},
						{"keep", required_argument, NULL, 'k'},
						{NULL, 0, NULL, 0}};
	uint64_t first = (uint64_t)time(NULL) * 100000, count = UINT64_MAX, made = 0;
	double end = now_s(CLOCK_MONOTONIC) + 20;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's':
			end = now_s(CLOCK_MONOTONIC) + atof(optarg);
			break;
		case 'n':
			count = strtoull(optarg, NULL, 10);
			end = 1e300;
			break;
		case 'r':
			first = strtoull(optarg, NULL, 10);
			break;
		case 'k':
			t.keep = optarg;
			break;
		default:
			fputs("rotor_native_fuzz [--seconds N] [--count N] [--seed N] [--keep DIR] "
			      "[FILE.wasm...]\n",
			      stderr);
			return 64;
		}
	}
	t.interpreted.block = map(BLOCK_BYTES, PROT_READ | PROT_WRITE);
	t.native.block = map(BLOCK_BYTES, PROT_READ | PROT_WRITE);
	t.image = map(IMAGE_BYTES_MAX, PROT_READ | PROT_WRITE | PROT_EXEC);
	setvbuf(stdout, NULL, _IOLBF, 0);
	t.seed = first;
	for (int i = optind; i < argc; i++) {
		try_file(argv[i]);
	}
	if (optind == argc) {
		printf("first seed %llu\n", (unsigned long long)first);
		for (; made < count && now_s(CLOCK_MONOTONIC) < end; made++) {
			try_seed(first + made);
		}
	}
	printf("%d modules, %llu calls, %.0f s of processor time\n", t.passed + t.failed,
	       (unsigned long long)t.calls, now_s(CLOCK_PROCESS_CPUTIME_ID));
	printf("%d passed, %d failed\n", t.passed, t.failed);
	return t.failed != 0;
}
