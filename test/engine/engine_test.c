/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine through its public header: memory that is too small everywhere, pieces of every size, slices of every size,
 * stacks of every size, instances that move. Runs on emulated boards too.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "rotor/import/import.h"
#include "rotor/rotor.h"
#include "test/engine/modules.h"
#include "test/test.h"

#define WORK_N 40

static bool twice_interrupts;

static enum rotor_host twice(struct rotor_call *call)
{
	if (twice_interrupts) {
		rotor_interrupt(call->instance);
	}
	rotor_result_u32(call, rotor_arg_u32(call, 0) * 2);
	return ROTOR_HOST_DONE;
}

static const struct rotor_host_func env_table[] = {{"env", "twice", "i)i", twice},
						   {NULL, NULL, NULL, NULL}};
static const struct rotor_host_func *const tables[] = {env_table, rotor_libc};
static const struct rotor_imports imports = {.tables = tables, .table_count = 2};

/* A block of just so many bytes, so that a sanitizer sees each one beyond. */
static void *block(size_t bytes)
{
	return malloc(bytes == 0 ? 1 : bytes);
}

static enum rotor_err load(void *at, size_t bytes, const struct rotor_module **out,
			   struct rotor_diag *diag)
{
	return rotor_load(at, bytes, module_mixed, sizeof(module_mixed), 0, out, diag);
}

/* In pieces of so many bytes. */
static enum rotor_err load_pieces(void *at, size_t bytes, size_t piece,
				  const struct rotor_module **out)
{
	struct rotor_loader *loader;
	enum rotor_err err = rotor_load_begin(at, bytes, &loader);

	for (size_t i = 0; err == ROTOR_OK && i < sizeof(module_mixed); i += piece) {
		size_t left = sizeof(module_mixed) - i;

		err = rotor_load_feed(loader, module_mixed + i, left < piece ? left : piece);
	}
	return err == ROTOR_OK ? rotor_load_end(loader, out) : err;
}

/* The least block in which it loads, found by trying each. */
static size_t least_block(size_t piece)
{
	for (size_t bytes = 0; bytes < 65536; bytes += 8) {
		const struct rotor_module *module;
		void *at = block(bytes);
		enum rotor_err err = piece == 0 ? load(at, bytes, &module, NULL)
						: load_pieces(at, bytes, piece, &module);

		free(at);
		if (err == ROTOR_OK) {
			return bytes;
		}
		if (err != ROTOR_ERR_MEMORY) {
			TEST_FAIL("%zu bytes: error %d", bytes, (int)err);
			return 0;
		}
	}
	TEST_FAIL("does not load in 64 KB");
	return 0;
}

TEST(every_block_too_small_to_load)
{
	size_t whole = least_block(0);

	EXPECT(whole > 0);
	EXPECT(least_block(1) > 0);
	EXPECT(least_block(13) > 0);
}

struct world {
	void *module_at, *at;
	size_t bytes;
	const struct rotor_module *module;
	struct rotor_instance *instance;
};

static struct world make_of(const uint8_t *wasm, size_t wasm_bytes, struct rotor_limits limits)
{
	struct world w = {.module_at = block(16384)};

	ASSERT(rotor_load(w.module_at, 16384, wasm, wasm_bytes, 0, &w.module, NULL) == ROTOR_OK);
	w.bytes = rotor_instance_bytes(w.module, &limits);
	w.at = block(w.bytes);
	ASSERT(rotor_instantiate(w.at, w.bytes, w.module, &imports, &limits, &w.instance, NULL) ==
	       ROTOR_OK);
	return w;
}

static struct world make(struct rotor_limits limits)
{
	return make_of(module_mixed, sizeof(module_mixed), limits);
}

static void drop(struct world *w)
{
	free(w->at);
	free(w->module_at);
}

TEST(every_block_too_small_to_instantiate)
{
	const struct rotor_limits limits = {.stack_bytes = 512};
	struct world w = make(limits);
	struct rotor_instance *instance;

	for (size_t bytes = 0; bytes < w.bytes; bytes += bytes < 2048 ? 8 : 1024) {
		void *at = block(bytes);

		EXPECT_EQ(
			rotor_instantiate(at, bytes, w.module, &imports, &limits, &instance, NULL),
			ROTOR_ERR_MEMORY);
		free(at);
	}
	drop(&w);
}

/* A count that times the size of an item does not fit 32 bits, in sections that claim 4 GiB. */
TEST(counts_beyond_all_memory_are_refused)
{
	static const struct {
		const char *bytes;
		size_t count;
	} of[] = {
		{"\0asm\1\0\0\0\1\4\1\x60\0\0\3\2\1\0"
		 "\x0a\x80\xff\xff\xff\x0f\1\xe0\xff\xff\xff\7\x80\x80\x80\x80\2\1\x7f\1\x7f",
		 39},
		{"\0asm\1\0\0\0\7\x80\xff\xff\xff\x0f\x80\x80\x80\x80\4\1\x61\3\0", 23},
		{"\0asm\1\0\0\0\2\x80\xff\xff\xff\x0f\x80\x80\x80\x80\4\1\x61\1\x62\3\x7f\0", 26},
		{"\0asm\1\0\0\0\1\4\1\x60\0\0\3\2\1\0\4\4\1\x70\0\1"
		 "\x09\x80\xff\xff\xff\x0f\1\0\x41\0\x0b\x80\x80\x80\x80\4\0\0\0\0",
		 44},
	};

	for (unsigned i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		void *at = block(8192);
		struct rotor_loader *loader;
		enum rotor_err err = rotor_load_begin(at, 8192, &loader);

		for (size_t n = 0; err == ROTOR_OK && n < of[i].count; n++) {
			err = rotor_load_feed(loader, of[i].bytes + n, 1);
		}
		EXPECT_EQ(err, ROTOR_ERR_MEMORY);
		free(at);
	}
}

TEST(pieces_of_every_size_make_the_same_module)
{
	static uint64_t one[2048], other[2048];
	const struct rotor_module *a, *b;

	EXPECT_EQ(load(one, sizeof(one), &a, NULL), ROTOR_OK);
	for (size_t piece = 1; piece <= sizeof(module_mixed); piece++) {
		EXPECT_EQ(load_pieces(other, sizeof(other), piece, &b), ROTOR_OK);
		EXPECT_EQ(rotor_module_bytes(a), rotor_module_bytes(b));
	}
}

TEST(every_truncation_is_refused)
{
	static uint64_t at[2048];
	const struct rotor_module *module;

	for (size_t bytes = 8; bytes < sizeof(module_mixed); bytes++) {
		enum rotor_err err =
			rotor_load(at, sizeof(at), module_mixed, bytes, 0, &module, NULL);

		/* Only at the end of a section is it a module still. */
		EXPECT(err == ROTOR_ERR_MALFORMED || err == ROTOR_ERR_INVALID || bytes < 110);
	}
}

/* Starts a call of an export with one i32. */
static void start(struct rotor_instance *instance, const char *name, int32_t argument)
{
	struct rotor_value value = {.type = ROTOR_I32, .i32 = argument};
	uint32_t func;

	ASSERT(rotor_module_find(rotor_instance_module(instance), name, ROTOR_FUNC, &func));
	ASSERT(rotor_call(instance, func, &value, 1, NULL) == ROTOR_OK);
}

static int64_t result(struct rotor_instance *instance)
{
	struct rotor_value value = {.type = ROTOR_I32};

	EXPECT_EQ(rotor_results(instance, &value, 1), 1);
	return value.type == ROTOR_I32 ? value.i32 : value.i64;
}

static enum rotor_status run_slices(struct rotor_instance *instance, uint64_t slice)
{
	enum rotor_status status;

	do {
		status = rotor_run(instance, slice);
	} while (status == ROTOR_FUEL);
	return status;
}

TEST(slices_change_neither_result_nor_fuel)
{
	const struct rotor_limits limits = {.stack_bytes = 4096};
	struct world w = make(limits);

	start(w.instance, "work", WORK_N);
	EXPECT_EQ(rotor_run(w.instance, UINT64_MAX), ROTOR_DONE);
	int64_t want = result(w.instance);
	uint64_t fuel = rotor_fuel_used(w.instance);

	drop(&w);
	for (uint64_t slice = 1; slice < 3000; slice += slice < 40 ? 1 : 97) {
		w = make(limits);
		start(w.instance, "work", WORK_N);
		EXPECT_EQ(run_slices(w.instance, slice), ROTOR_DONE);
		EXPECT_EQ(result(w.instance), want);
		EXPECT_EQ(rotor_fuel_used(w.instance), fuel);
		drop(&w);
	}
}

TEST(an_instance_moves_between_slices)
{
	const struct rotor_limits limits = {.stack_bytes = 4096};
	struct world w = make(limits);

	start(w.instance, "work", WORK_N);
	EXPECT_EQ(rotor_run(w.instance, UINT64_MAX), ROTOR_DONE);
	int64_t want = result(w.instance);

	drop(&w);
	w = make(limits);
	start(w.instance, "work", WORK_N);
	while (rotor_run(w.instance, 100) == ROTOR_FUEL) {
		void *there = block(w.bytes);

		memcpy(there, w.at, w.bytes);
		memset(w.at, 0xa5, w.bytes);
		free(w.at);
		w.at = there;
		EXPECT_EQ(rotor_attach(there, w.bytes, w.module, &imports, &w.instance, NULL),
			  ROTOR_OK);
	}
	EXPECT_EQ(result(w.instance), want);
	drop(&w);
}

/* Functions of libc that take long are stopped, saved and gone on with as memory.fill is. */
TEST(host_functions_stop_in_the_middle)
{
	const struct rotor_limits limits = {.stack_bytes = 512};
	const int32_t n = 100000;
	struct world w = make_of(module_libc, sizeof(module_libc), limits);
	unsigned stops = 0;

	start(w.instance, "work", n);
	EXPECT_EQ(rotor_run(w.instance, UINT64_MAX), ROTOR_DONE);
	uint64_t fuel = rotor_fuel_used(w.instance);
	EXPECT(fuel > 4 * (uint64_t)n / 64);
	EXPECT_EQ(result(w.instance), n - 11 + 8 + n / 3 - 11);
	drop(&w);
	w = make_of(module_libc, sizeof(module_libc), limits);
	start(w.instance, "work", n);
	for (;;) {
		uint64_t before = rotor_fuel_used(w.instance);

		/* The flag stops it as soon as no fuel does. */
		rotor_interrupt(w.instance);
		if (rotor_run(w.instance, stops % 2 == 0 ? 1 : UINT64_MAX) != ROTOR_FUEL) {
			break;
		}
		EXPECT(rotor_fuel_used(w.instance) - before <= 2200);
		void *there = block(w.bytes);

		memcpy(there, w.at, w.bytes);
		memset(w.at, 0xa5, w.bytes);
		free(w.at);
		w.at = there;
		EXPECT_EQ(rotor_attach(there, w.bytes, w.module, &imports, &w.instance, NULL),
			  ROTOR_OK);
		stops++;
	}
	EXPECT(stops > 20);
	EXPECT_EQ(result(w.instance), n - 11 + 8 + n / 3 - 11);
	EXPECT_EQ(rotor_fuel_used(w.instance), fuel);
	/* What was under way is forgotten. */
	start(w.instance, "work", n);
	for (int i = 0; i < 3; i++) {
		rotor_interrupt(w.instance);
		EXPECT_EQ(rotor_run(w.instance, UINT64_MAX), ROTOR_FUEL);
	}
	rotor_reset(w.instance);
	start(w.instance, "work", n);
	EXPECT_EQ(rotor_run(w.instance, UINT64_MAX), ROTOR_DONE);
	EXPECT_EQ(result(w.instance), n - 11 + 8 + n / 3 - 11);
	drop(&w);
}

/* One that has no room for more, say, is not called again before the run has ended. */
TEST(a_host_function_that_interrupts_ends_the_run)
{
	struct world w = make((struct rotor_limits){.stack_bytes = 4096});
	uint64_t want, fuel;
	int runs = 0;

	start(w.instance, "work", 10);
	EXPECT_EQ(rotor_run(w.instance, UINT64_MAX), ROTOR_DONE);
	want = (uint64_t)result(w.instance);
	fuel = rotor_fuel_used(w.instance);
	drop(&w);
	w = make((struct rotor_limits){.stack_bytes = 4096});
	twice_interrupts = true;
	start(w.instance, "work", 10);
	while (rotor_run(w.instance, UINT64_MAX) == ROTOR_FUEL) {
		runs++;
	}
	twice_interrupts = false;
	EXPECT_EQ(runs, 5); /* of ten rounds every second one calls it */
	EXPECT_EQ((uint64_t)result(w.instance), want);
	EXPECT_EQ(rotor_fuel_used(w.instance), fuel);
	drop(&w);
}

TEST(stacks_of_every_size)
{
	for (uint32_t bytes = 32; bytes < 4096; bytes += 4) {
		struct world w = make((struct rotor_limits){.stack_bytes = bytes});
		struct rotor_value value = {.type = ROTOR_I32, .i32 = 60};
		uint32_t func;

		ASSERT(rotor_module_find(w.module, "down", ROTOR_FUNC, &func));
		if (rotor_call(w.instance, func, &value, 1, NULL) == ROTOR_OK) {
			enum rotor_status status = run_slices(w.instance, 50);

			EXPECT(status == ROTOR_DONE ||
			       (status == ROTOR_TRAP &&
				rotor_trap(w.instance) == ROTOR_TRAP_STACK));
			EXPECT(rotor_stack_peak(w.instance) <= bytes);
		}
		drop(&w);
	}
}

TEST(deep_recursion_is_a_trap_and_the_instance_goes_on)
{
	struct world w = make((struct rotor_limits){.stack_bytes = 2048});

	start(w.instance, "down", 1000000);
	EXPECT_EQ(run_slices(w.instance, 1000), ROTOR_TRAP);
	EXPECT_EQ(rotor_trap(w.instance), ROTOR_TRAP_STACK);
	start(w.instance, "fib", 10);
	EXPECT_EQ(run_slices(w.instance, 1000), ROTOR_DONE);
	EXPECT_EQ(result(w.instance), 55);
	drop(&w);
}

TEST(an_instance_costs_at_most_a_kilobyte)
{
	const struct rotor_limits limits = {.stack_bytes = 2048};
	struct world w = make(limits);

	/* one page, a table of 4, a global of 8 bytes */
	EXPECT(w.bytes - 65536 - 2048 - 4 * 4 - 8 <= 1024);
	drop(&w);
}

/* 6 KB used of a page that stays, 16 KB of stack, 16 KB of heap: all in 40 KB, with the module. */
TEST(a_small_program_fits_in_40_kilobytes)
{
	static uint64_t pool[40960 / 8];
	const struct rotor_limits limits = {
		.stack_bytes = 16384, .heap_bytes = 16384, .memory_used_only = true};
	const struct rotor_module *module;
	struct rotor_instance *instance;
	uint64_t memory_bytes;

	EXPECT_EQ(rotor_load(pool, sizeof(pool), module_small, sizeof(module_small),
			     ROTOR_LOAD_BYTES_STAY, &module, NULL),
		  ROTOR_OK);
	size_t used = rotor_module_bytes(module), need = rotor_instance_bytes(module, &limits);
	EXPECT(used + need <= sizeof(pool));
	if (used + need > sizeof(pool)) {
		return;
	}
	EXPECT_EQ(rotor_instantiate((char *)pool + used, need, module, &imports, &limits, &instance,
				    NULL),
		  ROTOR_OK);
	EXPECT_EQ(rotor_run(instance, 1000), ROTOR_DONE);
	EXPECT(rotor_memory(instance, &memory_bytes) != NULL);
	start(instance, "f", 4096);
	EXPECT_EQ(rotor_run(instance, 1000), ROTOR_DONE);
	EXPECT_EQ(result(instance), 'd');
	start(instance, "f", 65535);
	EXPECT_EQ(rotor_run(instance, 1000), ROTOR_TRAP);
	EXPECT_EQ(rotor_trap(instance), ROTOR_TRAP_UNBACKED);
	start(instance, "f", 65536);
	EXPECT_EQ(rotor_run(instance, 1000), ROTOR_TRAP);
	EXPECT_EQ(rotor_trap(instance), ROTOR_TRAP_MEMORY);
}

TEST_MAIN(T(every_block_too_small_to_load) T(every_block_too_small_to_instantiate) T(
	pieces_of_every_size_make_the_same_module) T(every_truncation_is_refused)
		  T(counts_beyond_all_memory_are_refused) T(slices_change_neither_result_nor_fuel)
			  T(an_instance_moves_between_slices) T(host_functions_stop_in_the_middle)
				  T(a_host_function_that_interrupts_ends_the_run)
					  T(stacks_of_every_size) T(
						  deep_recursion_is_a_trap_and_the_instance_goes_on)
						  T(an_instance_costs_at_most_a_kilobyte)
							  T(a_small_program_fits_in_40_kilobytes))
