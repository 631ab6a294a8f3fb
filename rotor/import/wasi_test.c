/* SPDX-License-Identifier: Apache-2.0 */
/* The heap and WASI. */
#include "base/prng.h"
#include "rotor/import/instance_test.h"

/* ---- the heap ---- */

struct piece {
	uint32_t at, bytes;
	uint8_t fill;
};

/* Is the piece inside the heap, aligned, and filled as it was left? */
static void check_piece(const struct piece *p)
{
	EXPECT(p->at >= HEAP_AT && p->at + p->bytes <= HEAP_AT + HEAP_BYTES && p->at % 8 == 0);
	for (uint32_t i = 0; i < p->bytes; i++) {
		if (instance.memory[p->at + i] != p->fill) {
			TEST_FAIL("piece 0x%x was overwritten at %u", p->at, i);
			return;
		}
	}
}

static void fill_piece(struct piece *p, uint8_t fill)
{
	p->fill = fill;
	memset(instance.memory + p->at, fill, p->bytes);
}

/* One random step of a program with 64 pieces. */
static void heap_step(struct prng *prng, struct piece *p)
{
	uint32_t bytes = prng_below(prng, prng_below(prng, 8) == 0 ? 3000 : 100);
	uint32_t at;

	if (p->at != 0) {
		check_piece(p);
	}
	if (prng_below(prng, 3) == 0) {
		uint32_t kept = BASE_MIN(bytes, p->bytes);

		at = CALL("realloc", p->at, bytes);
		if (at != 0) {
			*p = (struct piece){at, p->at != 0 ? kept : 0, p->fill};
			check_piece(p);
			p->bytes = bytes;
			fill_piece(p, (uint8_t)bytes);
		}
	} else if (p->at != 0) {
		CALL("free", p->at);
		*p = (struct piece){0};
	} else {
		*p = (struct piece){CALL("malloc", bytes), bytes, 0};
		if (p->at != 0) {
			fill_piece(p, (uint8_t)(bytes + 1));
		}
	}
	EXPECT(how != ROTOR_HOST_TRAP);
}

TEST(heap_random_program)
{
	for (unsigned seed = 1; seed < 30; seed++) {
		struct piece pieces[64] = {{0}};
		struct prng prng;
		uint32_t empty, whole;

		fresh();
		prng_init(&prng, seed);
		whole = CALL("malloc", 16000);
		EXPECT(whole != 0);
		CALL("free", whole);
		empty = rotor_heap_used(&instance);
		for (unsigned i = 0; i < 3000; i++) {
			heap_step(&prng, &pieces[prng_below(&prng, 64)]);
		}
		for (unsigned i = 0; i < 64; i++) {
			CALL("free", pieces[i].at);
			EXPECT_EQ(how, ROTOR_HOST_DONE);
		}
		EXPECT_EQ(rotor_heap_used(&instance), empty);
		EXPECT_EQ(CALL("malloc", 16000), whole);
		EXPECT_EQ(instance.memory[HEAP_AT - 1], 0);
		EXPECT_EQ(instance.memory[HEAP_AT + HEAP_BYTES], 0);
	}
}

TEST(heap_answers)
{
	fresh();
	EXPECT_EQ(CALL("malloc", 20000), 0);
	EXPECT_EQ(CALL("malloc", 0xFFFFFFFF), 0);
	EXPECT_EQ(CALL("calloc", 0x10000, 0x10001), 0);
	EXPECT_EQ(CALL("realloc", 0, 0xFFFFFFF0), 0);
	EXPECT(CALL("malloc", 0) != CALL("malloc", 0));
	memset(instance.memory + HEAP_AT + 2000, 0xFF, 100);
	uint32_t at = CALL("calloc", 50, 100);
	EXPECT(at != 0);
	for (unsigned i = 0; i < 5000; i++) {
		EXPECT_EQ(instance.memory[at + i], 0);
	}
	EXPECT_STR(text_at(CALL("strdup", put(100, "copy"))), "copy");
	EXPECT_TRAP(CALL("strdup", 65536), ROTOR_TRAP_MEMORY);
	CALL("free", 0);
	EXPECT_EQ(how, ROTOR_HOST_DONE);
	CALL("free", at);
	EXPECT_EQ(how, ROTOR_HOST_DONE);
	EXPECT_TRAP(CALL("free", at), ROTOR_TRAP_HOST);
	EXPECT_TRAP(CALL("free", 4), ROTOR_TRAP_HOST);
	EXPECT_TRAP(CALL("free", at + 4), ROTOR_TRAP_HOST);
	EXPECT_TRAP(CALL("free", 0xFFFFFFF0), ROTOR_TRAP_HOST);
	EXPECT_TRAP(CALL("realloc", 64, 10), ROTOR_TRAP_HOST);
	instance.heap_bytes = 0;
	EXPECT_EQ(CALL("malloc", 1), 0);
	EXPECT_TRAP(CALL("free", at), ROTOR_TRAP_HOST);
}

/* All bytes but the heap's must stay what they are, whatever stands in the heap. */
TEST(heap_scribbled_over)
{
	for (unsigned seed = 1; seed < 300; seed++) {
		struct prng prng;
		uint32_t pieces[16] = {0};

		fresh();
		prng_init(&prng, seed);
		memset(instance.memory, 0xA5, HEAP_AT);
		memset(instance.memory + HEAP_AT + HEAP_BYTES, 0xA5,
		       MEMORY_BYTES - HEAP_AT - HEAP_BYTES);
		for (unsigned i = 0; i < 400; i++) {
			uint32_t *p = &pieces[prng_below(&prng, 16)];
			uint32_t at = HEAP_AT + prng_below(&prng, 600), v = prng_below(&prng, 700);

			if (prng_below(&prng, 6) == 0) {
				put_u32(at & ~3u, prng_below(&prng, 2)
							  ? HEAP_AT + 4 + (v & ~7u)
							  : (uint32_t)prng_next(&prng) >>
								    prng_below(&prng, 32));
			}
			if (prng_below(&prng, 2) == 0) {
				*p = CALL("realloc", *p, v);
			} else {
				CALL("free", *p);
				*p = CALL("malloc", v);
			}
			if (how == ROTOR_HOST_TRAP) {
				*p = 0;
			}
		}
		for (uint32_t i = 0; i < MEMORY_BYTES; i++) {
			if (i == HEAP_AT) {
				i += HEAP_BYTES;
			}
			EXPECT_EQ(instance.memory[i], 0xA5);
		}
	}
}

TEST(heap_of_any_size)
{
	fresh();
	for (uint32_t bytes = 0; bytes < 3000; bytes += 7) {
		uint32_t at, most = 0;

		memset(instance.memory, 0, MEMORY_BYTES);
		instance.heap_bytes = bytes;
		for (uint32_t n = 1; n < bytes; n += 8) {
			at = CALL("malloc", n);
			if (at != 0) {
				most = n;
				EXPECT(at + n <= HEAP_AT + bytes);
				CALL("free", at);
			}
		}
		EXPECT(bytes < 256 || most + 200 > bytes);
	}
}

TEST(modules_that_want_a_heap)
{
	const struct rotor_import with[] = {{"env", "puts", 3, 4, ROTOR_FUNC, {0}},
					    {"env", "realloc", 3, 7, ROTOR_FUNC, {0}},
					    {0}};
	const struct rotor_import without[] = {{"evn", "malloc", 3, 6, ROTOR_FUNC, {0}}, {0}};

	EXPECT(rotor_import_wants_heap((const struct rotor_module *)with));
	EXPECT(!rotor_import_wants_heap((const struct rotor_module *)without));
}

/* ---- WASI ---- */

TEST(wasi_arguments)
{
	fresh();
	EXPECT_EQ(CALL("args_sizes_get", 1000, 1004), 0);
	EXPECT_EQ(get_u32(1000), 3);
	EXPECT_EQ(get_u32(1004), 5 + 4 + 10);
	EXPECT_EQ(CALL("args_get", 2000, 3000), 0);
	EXPECT_STR(text_at(get_u32(2000)), "prog");
	EXPECT_STR(text_at(get_u32(2008)), "two words");
	EXPECT_EQ(CALL("environ_sizes_get", 1000, 1004), 0);
	EXPECT_EQ(get_u32(1000), 2);
	EXPECT_EQ(CALL("environ_get", 2000, 3000), 0);
	EXPECT_STR(text_at(get_u32(2004)), "PATH=/bin");
	EXPECT_EQ(CALL("args_get", 65532, 3000), 21);
	EXPECT_EQ(CALL("args_get", 2000, 65530), 21);
	EXPECT_EQ(CALL("args_sizes_get", 65533, 0), 21);
}

TEST(wasi_writes)
{
	fresh();
	put(100, "hello ");
	put(200, "world\n");
	put_u32(1000, 100);
	put_u32(1004, 6);
	put_u32(1008, 200);
	put_u32(1012, 6);
	EXPECT_EQ(CALL("fd_write", 1, 1000, 2, 500), 0);
	EXPECT_STR(my.out, "hello world\n");
	EXPECT_EQ(get_u32(500), 12);
	EXPECT_EQ(CALL("fd_write", 2, 1008, 1, 500), 0);
	EXPECT_STR(my.err, "world\n");
	EXPECT_EQ(CALL("fd_write", 3, 1000, 2, 500), 8);
	EXPECT_EQ(CALL("fd_write", 1, 65530, 2, 500), 21);
	EXPECT_EQ(CALL("fd_write", 1, 1000, 0x20000001, 500), 28);
	EXPECT_EQ(CALL("fd_write", 1, 1000, 2, 65535), 21);
	put_u32(1008, 65535);
	EXPECT_EQ(CALL("fd_write", 1, 1000, 2, 500), 21);
	EXPECT_STR(my.out, "hello world\n");
	put_u32(1008, 200);
	my.refuse = true;
	EXPECT_TRAP(CALL("fd_write", 1, 1000, 2, 500), ROTOR_TRAP_HOST);
}

TEST(wasi_small_answers)
{
	fresh();
	EXPECT_EQ(CALL("fd_close", 1), 0);
	EXPECT_EQ(CALL("fd_close", 5), 8);
	EXPECT_EQ(CALL("fd_seek", 1, 0, 0, 0, 500), 70);
	EXPECT_EQ(CALL("fd_prestat_get", 3, 500), 8);
	EXPECT_EQ(CALL("path_open", 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 52);
	EXPECT_EQ(CALL("fd_fdstat_get", 1, 500), 0);
	EXPECT_EQ(instance.memory[500], 2);
	EXPECT_EQ(get_u32(508), 64);
	EXPECT_EQ(CALL("fd_fdstat_get", 9, 500), 8);
	EXPECT_EQ(CALL("fd_fdstat_get", 1, 65520), 21);
	EXPECT_EQ(CALL("sched_yield"), 0);
	EXPECT_EQ(CALL("random_get", 600, 16), 0);
	EXPECT_EQ(get_u32(612), 0x5A5A5A5A);
	EXPECT_EQ(get_u32(616), 0);
	EXPECT_EQ(CALL("random_get", 65530, 16), 21);
	my.now = 77;
	EXPECT_EQ(CALL("clock_time_get", 1, 0, 0, 700), 0);
	EXPECT_EQ(get_u32(700), 77);
	EXPECT_EQ(CALL("clock_time_get", 9, 0, 0, 700), 28);
	EXPECT_EQ(CALL("clock_res_get", 0, 700), 0);
	CALL("proc_exit", 3);
	EXPECT_EQ(instance.exit_code, 3);
	EXPECT_EQ(how, ROTOR_HOST_TRAP);
}

static void subscribe(uint32_t i, uint8_t kind, uint32_t clock, uint64_t timeout, uint16_t flags)
{
	uint8_t *s = instance.memory + 1000 + i * 48;

	memset(s, 0, 48);
	base_store_u64(s, 100 + i);
	s[8] = kind;
	base_store_u32(s + 16, clock);
	base_store_u64(s + 24, timeout);
	base_store_u16(s + 40, flags);
}

TEST(wasi_sleeps_without_blocking)
{
	fresh();
	my.now = 1000;
	subscribe(0, 0, 1, 500, 0);
	subscribe(1, 0, 0, 1000000000000u + 1200, 1);
	CALL("poll_oneoff", 1000, 3000, 2, 500);
	EXPECT_EQ(how, ROTOR_HOST_LATER);
	EXPECT_EQ(my.env.wake_ns, 1200);
	my.now = 1199;
	EXPECT(!rotor_import_again(&instance));
	EXPECT_EQ(my.env.wake_ns, 1200);
	my.now = 1200;
	EXPECT(rotor_import_again(&instance));
	EXPECT_EQ(cells[0], 0);
	EXPECT(!my.env.sleeping);
	EXPECT_EQ(get_u32(500), 1);
	EXPECT_EQ(get_u32(3000), 101);
	EXPECT(!rotor_import_again(&instance));
	CALL("poll_oneoff", 1000, 3000, 1, 500);
	EXPECT_EQ(how, ROTOR_HOST_LATER);
	my.now = 1700;
	EXPECT(rotor_import_again(&instance));
	EXPECT_EQ(get_u32(500), 1);
	EXPECT_EQ(get_u32(3000), 100);
}

TEST(wasi_poll_answers)
{
	fresh();
	my.now = 1000;
	subscribe(0, 0, 1, 0, 0);
	EXPECT_EQ(CALL("poll_oneoff", 1000, 3000, 1, 500), 0);
	EXPECT_EQ(how, ROTOR_HOST_DONE);
	subscribe(0, 1, 0, 0, 0);
	subscribe(1, 0, 1, 100, 0);
	EXPECT_EQ(CALL("poll_oneoff", 1000, 3000, 2, 500), 0);
	EXPECT_EQ(get_u32(500), 1);
	EXPECT_EQ(base_load_u16(instance.memory + 3008), 52);
	EXPECT_EQ(CALL("poll_oneoff", 1000, 3000, 0, 500), 28);
	EXPECT_EQ(CALL("poll_oneoff", 65500, 3000, 1, 500), 21);
	subscribe(0, 0, 1, UINT64_MAX, 0);
	CALL("poll_oneoff", 1000, 3000, 1, 500);
	EXPECT_EQ(how, ROTOR_HOST_LATER);
	EXPECT(my.env.wake_ns == UINT64_MAX);
}

TEST_MAIN(T(heap_random_program) T(heap_answers) T(heap_scribbled_over) T(heap_of_any_size)
		  T(modules_that_want_a_heap) T(wasi_arguments) T(wasi_writes) T(wasi_small_answers)
			  T(wasi_sleeps_without_blocking) T(wasi_poll_answers))
