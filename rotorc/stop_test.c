/* SPDX-License-Identifier: Apache-2.0 */
/* Stops of native code for fuel: what they must not lose, and what the code must notice after one. */
#define _DEFAULT_SOURCE

#include <stdlib.h>
#include <sys/mman.h>

#include "base/base.h"
#include "rotor/rotor.h"
#include "rotorc/rotorc.h"
#include "rotorc/target.h"
#include "test/test.h"

/* clang-format off */

/*
(module
  (memory 1)
  (data (i32.const 0)
    "\00\00\00\00\00\00\f0\3f\00\00\00\00\00\00\00\40\00\00\00\00\00\00\08\40\00\00\00\00\00\00\10\40")
  (func (export "f") (param i32) (result f64) (local f64 f64 f64 f64)
    (loop $l
      (local.set 1 (f64.add (local.get 1) (f64.load (i32.const 0))))
      (local.set 2 (f64.add (local.get 2) (f64.load (i32.const 8))))
      (local.set 3 (f64.add (local.get 3) (f64.load (i32.const 16))))
      (local.set 4 (f64.add (local.get 4) (f64.load (i32.const 24))))
      (f64.store (i32.const 64) (local.get 1)) (f64.store (i32.const 72) (local.get 2))
      (f64.store (i32.const 80) (local.get 3)) (f64.store (i32.const 88) (local.get 4))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (f64.add (f64.add (local.get 1) (local.get 2)) (f64.add (local.get 3) (local.get 4)))))
 */
static const uint8_t four_sums[] = {
	0,97,115,109,1,0,0,0,1,6,1,96,1,127,1,124,3,2,1,0,5,3,1,0,
	1,7,5,1,1,102,0,0,10,101,1,99,1,4,124,3,64,32,1,65,0,43,3,0,
	160,33,1,32,2,65,8,43,3,0,160,33,2,32,3,65,16,43,3,0,160,33,3,32,
	4,65,24,43,3,0,160,33,4,65,192,0,32,1,57,3,0,65,200,0,32,2,57,3,
	0,65,208,0,32,3,57,3,0,65,216,0,32,4,57,3,0,32,0,65,1,107,34,0,
	13,0,11,32,1,32,2,160,32,3,32,4,160,160,11,11,38,1,0,65,0,11,32,0,
	0,0,0,0,0,240,63,0,0,0,0,0,0,0,64,0,0,0,0,0,0,8,64,0,
	0,0,0,0,0,16,64,
};

/*
(module
  (memory (export "memory") 1)
  (func (export "f") (param i32) (result f64)
    (if (i32.load (i32.const 16)) (then (return (f64.const 0))))
    (loop $l (br_if $l (i32.eqz (i32.load (i32.const 16)))))
    (f64.load (i32.const 24))))
 */
static const uint8_t waits[] = {
	0,97,115,109,1,0,0,0,1,6,1,96,1,127,1,124,3,2,1,0,5,3,1,0,
	1,7,14,2,6,109,101,109,111,114,121,2,0,1,102,0,0,10,38,1,36,0,65,16,
	40,2,0,4,64,68,0,0,0,0,0,0,0,0,15,11,3,64,65,16,40,2,0,69,
	13,0,11,65,24,43,3,0,11,
};

/* clang-format on */

enum {
	STOPS_MAX = 1000 /* of a program, before it counts as endless */
};

static uint64_t module_at[4096], instance_at[1 << 14];

/* f(10000) in code for that processor, in slices of 20,000 units, with between() after each. */
static double run(const uint8_t *wasm, size_t bytes, const char *cpu,
		  void (*between)(struct rotor_instance *instance, unsigned stop))
{
	struct rotorc_options options = {
		.target = rotorc_target_find(rotorc_target_host()), .cpu = cpu, .level = 2};
	struct rotor_image_policy policy = {.target = rotor_image_target(), .allow_unsigned = true};
	struct rotor_limits limits = {.stack_bytes = 16384};
	struct rotor_value n = {.type = ROTOR_I32, .u32 = 10000}, result = {0};
	const struct rotor_module *module;
	struct rotor_instance *instance;
	struct rotorc_image image;
	enum rotor_status status;
	unsigned stops = 0;
	char why[256];
	void *code;

	ASSERT(rotorc_compile(wasm, bytes, &options, &image, why, sizeof(why)) == ROTORC_OK);
	code = mmap(NULL, image.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT(code != MAP_FAILED);
	memcpy(code, image.bytes, image.size);
	ASSERT(mprotect(code, image.size, PROT_READ | PROT_EXEC) == 0);
	ASSERT(rotor_load_image(module_at, sizeof(module_at), code, image.size, &policy, &module,
				NULL) == ROTOR_OK);
	ASSERT(rotor_instantiate(instance_at, sizeof(instance_at), module, NULL, &limits, &instance,
				 NULL) == ROTOR_OK);
	ASSERT(rotor_call_name(instance, "f", &n, 1, NULL) == ROTOR_OK);
	while ((status = rotor_run(instance, 20000)) == ROTOR_FUEL && stops < STOPS_MAX) {
		between(instance, stops++);
	}
	EXPECT_EQ(status, ROTOR_DONE);
	EXPECT(stops > 5);
	EXPECT_EQ(rotor_results(instance, &result, 1), 1);
	munmap(code, image.size);
	free(image.bytes);
	return result.f64;
}

__attribute__((target("avx"))) static void clear_vectors(struct rotor_instance *instance,
							 unsigned stop)
{
	(void)instance;
	(void)stop;
	__asm__ volatile("vzeroall" ::
				 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
				   "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
				   "xmm15");
}

TEST(avx2)
{
	if (!__builtin_cpu_supports("avx2")) {
		puts("this processor has no AVX2: its test is NOT RUN");
		return;
	}
	EXPECT_EQ(run(four_sums, sizeof(four_sums), NULL, clear_vectors), 100000);
	EXPECT_EQ(run(four_sums, sizeof(four_sums), "haswell", clear_vectors), 100000);
}

TEST(avx512)
{
	if (!__builtin_cpu_supports("avx512vl")) {
		puts("this processor has no AVX-512: its test is NOT RUN");
		return;
	}
	EXPECT_EQ(run(four_sums, sizeof(four_sums), "skylake-avx512", clear_vectors), 100000);
}

static void answer(struct rotor_instance *instance, unsigned stop)
{
	double value = 6.25;

	if (stop == 9) {
		memcpy(rotor_memory_at(instance, 24, sizeof(value)), &value, sizeof(value));
		*(uint32_t *)rotor_memory_at(instance, 16, 4) = 1;
	}
}

/* As between two slices of the interpreter, the host may write in the program's memory. */
TEST(memory_written_between_slices)
{
	EXPECT_EQ(run(waits, sizeof(waits), NULL, answer), 6.25);
}

TEST_MAIN(T(avx2) T(avx512) T(memory_written_between_slices))
