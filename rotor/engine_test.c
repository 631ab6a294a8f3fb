/* SPDX-License-Identifier: Apache-2.0 */
/* The engine as a whole, through rotor.h: loading in pieces, memory refused, fuel, stops, copies, traps. */
#include <stdlib.h>

#include "rotor/rotor.h"
#include "test/test.h"

/*
 * (module
 *   (type $ii (func (param i32) (result i32)))
 *   (import "env" "later" (func $later (type $ii)))
 *   (memory (export "memory") 1 4)
 *   (global $sp (mut i32) (i32.const 4096))
 *   (table 4 4 funcref)
 *   (elem (i32.const 0) $double $square)
 *   (data (i32.const 16) "rotor")
 *   (func $double (type $ii) (i32.mul (local.get 0) (i32.const 2)))
 *   (func $square (type $ii) (i32.mul (local.get 0) (local.get 0)))
 *   ;; sum of both over 0..n-1, through the table, memory and 64-bit arithmetic
 *   (func $sum (export "sum") (param $n i32) (result i64) (local $i i32) (local $s i64)
 *     (loop $l
 *       (local.set $s (i64.add (local.get $s)
 *         (i64.extend_i32_u (call_indirect (type $ii) (local.get $i) (i32.and (local.get $i) (i32.const 1))))))
 *       (i64.store offset=64 (i32.const 0) (local.get $s))
 *       (local.set $i (i32.add (local.get $i) (i32.const 1)))
 *       (br_if $l (i32.lt_u (local.get $i) (local.get $n))))
 *     (i64.load offset=64 (i32.const 0)))
 *   (func $deep (export "deep") (param i32) (result i32)
 *     (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
 *   (func $ask (export "ask") (param i32) (result i32)
 *     (i32.add (call $later (local.get 0)) (i32.const 1000)))
 *   (func $forever (export "forever") (loop (br 0)))
 *   (func $fill (export "fill") (param i32)
 *     (drop (memory.grow (i32.const 3)))
 *     (loop (memory.fill (i32.const 0) (local.get 0) (i32.const 262144)) (br 0)))
 *   (func $inner (param i32) (result i32) (i32.load offset=8 (local.get 0)))
 *   (func $outer (export "outer") (param i32) (result i32) (i32.add (call $inner (local.get 0)) (i32.const 1)))
 *   (func (export "fib") (param i32) (result i32)
 *     (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
 *       (else (i32.add (call 10 (i32.sub (local.get 0) (i32.const 1))) (call 10 (i32.sub (local.get 0) (i32.const 2)))))))
 * )
 */
/* clang-format off */
static const uint8_t program[] = {
	0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x12, 0x04, 0x60, 0x01, 0x7f, 0x01, 0x7f,
	0x60, 0x01, 0x7f, 0x01, 0x7e, 0x60, 0x00, 0x00, 0x60, 0x01, 0x7f, 0x00, 0x02, 0x0d, 0x01, 0x03,
	0x65, 0x6e, 0x76, 0x05, 0x6c, 0x61, 0x74, 0x65, 0x72, 0x00, 0x00, 0x03, 0x0b, 0x0a, 0x00, 0x00,
	0x01, 0x00, 0x00, 0x02, 0x03, 0x00, 0x00, 0x00, 0x04, 0x05, 0x01, 0x70, 0x01, 0x04, 0x04, 0x05,
	0x04, 0x01, 0x01, 0x01, 0x04, 0x06, 0x07, 0x01, 0x7f, 0x01, 0x41, 0x80, 0x20, 0x0b, 0x07, 0x3c,
	0x08, 0x06, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 0x02, 0x00, 0x03, 0x73, 0x75, 0x6d, 0x00, 0x03,
	0x04, 0x64, 0x65, 0x65, 0x70, 0x00, 0x04, 0x03, 0x61, 0x73, 0x6b, 0x00, 0x05, 0x07, 0x66, 0x6f,
	0x72, 0x65, 0x76, 0x65, 0x72, 0x00, 0x06, 0x04, 0x66, 0x69, 0x6c, 0x6c, 0x00, 0x07, 0x05, 0x6f,
	0x75, 0x74, 0x65, 0x72, 0x00, 0x09, 0x03, 0x66, 0x69, 0x62, 0x00, 0x0a, 0x09, 0x08, 0x01, 0x00,
	0x41, 0x00, 0x0b, 0x02, 0x01, 0x02, 0x0a, 0xac, 0x01, 0x0a, 0x07, 0x00, 0x20, 0x00, 0x41, 0x02,
	0x6c, 0x0b, 0x07, 0x00, 0x20, 0x00, 0x20, 0x00, 0x6c, 0x0b, 0x33, 0x02, 0x01, 0x7f, 0x01, 0x7e,
	0x03, 0x40, 0x20, 0x02, 0x20, 0x01, 0x20, 0x01, 0x41, 0x01, 0x71, 0x11, 0x00, 0x00, 0xad, 0x7c,
	0x21, 0x02, 0x41, 0x00, 0x20, 0x02, 0x37, 0x03, 0x40, 0x20, 0x01, 0x41, 0x01, 0x6a, 0x21, 0x01,
	0x20, 0x01, 0x20, 0x00, 0x49, 0x0d, 0x00, 0x0b, 0x41, 0x00, 0x29, 0x03, 0x40, 0x0b, 0x0c, 0x00,
	0x20, 0x00, 0x41, 0x01, 0x6a, 0x10, 0x04, 0x41, 0x01, 0x6a, 0x0b, 0x0a, 0x00, 0x20, 0x00, 0x10,
	0x00, 0x41, 0xe8, 0x07, 0x6a, 0x0b, 0x07, 0x00, 0x03, 0x40, 0x0c, 0x00, 0x0b, 0x0b, 0x17, 0x00,
	0x41, 0x03, 0x40, 0x00, 0x1a, 0x03, 0x40, 0x41, 0x00, 0x20, 0x00, 0x41, 0x80, 0x80, 0x10, 0xfc,
	0x0b, 0x00, 0x0c, 0x00, 0x0b, 0x0b, 0x07, 0x00, 0x20, 0x00, 0x28, 0x02, 0x08, 0x0b, 0x09, 0x00,
	0x20, 0x00, 0x10, 0x08, 0x41, 0x01, 0x6a, 0x0b, 0x1c, 0x00, 0x20, 0x00, 0x41, 0x02, 0x48, 0x04,
	0x7f, 0x20, 0x00, 0x05, 0x20, 0x00, 0x41, 0x01, 0x6b, 0x10, 0x0a, 0x20, 0x00, 0x41, 0x02, 0x6b,
	0x10, 0x0a, 0x6a, 0x0b, 0x0b, 0x0b, 0x0b, 0x01, 0x00, 0x41, 0x10, 0x0b, 0x05, 0x72, 0x6f, 0x74,
	0x6f, 0x72, 0x00, 0x7c, 0x04, 0x6e, 0x61, 0x6d, 0x65, 0x01, 0x45, 0x0a, 0x00, 0x05, 0x6c, 0x61,
	0x74, 0x65, 0x72, 0x01, 0x06, 0x64, 0x6f, 0x75, 0x62, 0x6c, 0x65, 0x02, 0x06, 0x73, 0x71, 0x75,
	0x61, 0x72, 0x65, 0x03, 0x03, 0x73, 0x75, 0x6d, 0x04, 0x04, 0x64, 0x65, 0x65, 0x70, 0x05, 0x03,
	0x61, 0x73, 0x6b, 0x06, 0x07, 0x66, 0x6f, 0x72, 0x65, 0x76, 0x65, 0x72, 0x07, 0x04, 0x66, 0x69,
	0x6c, 0x6c, 0x08, 0x05, 0x69, 0x6e, 0x6e, 0x65, 0x72, 0x09, 0x05, 0x6f, 0x75, 0x74, 0x65, 0x72,
	0x02, 0x20, 0x0b, 0x00, 0x00, 0x01, 0x00, 0x02, 0x00, 0x03, 0x03, 0x00, 0x01, 0x6e, 0x01, 0x01,
	0x69, 0x02, 0x01, 0x73, 0x04, 0x00, 0x05, 0x00, 0x06, 0x00, 0x07, 0x00, 0x08, 0x00, 0x09, 0x00,
	0x0a, 0x00, 0x04, 0x05, 0x01, 0x00, 0x02, 0x69, 0x69, 0x07, 0x05, 0x01, 0x00, 0x02, 0x73, 0x70,
};

/* One page, of which 2048 bytes are used; exports peek(i32) -> i32. */
static const uint8_t frugal[] = {
	0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x06, 0x01, 0x60, 0x01, 0x7f, 0x01, 0x7f,
	0x03, 0x02, 0x01, 0x00, 0x05, 0x03, 0x01, 0x00, 0x01, 0x06, 0x07, 0x01, 0x7f, 0x01, 0x41, 0x80,
	0x10, 0x0b, 0x07, 0x08, 0x01, 0x04, 0x70, 0x65, 0x65, 0x6b, 0x00, 0x00, 0x0a, 0x09, 0x01, 0x07,
	0x00, 0x20, 0x00, 0x2d, 0x00, 0x00, 0x0b, 0x0b, 0x0a, 0x01, 0x00, 0x41, 0x80, 0x08, 0x0b, 0x03,
	0x61, 0x62, 0x63,
};
/* clang-format on */

enum {
	BLOCK_BYTES = 1 << 20,
	UNITS = 1 << 30
};

static enum rotor_host later(struct rotor_call *call)
{
	return ROTOR_HOST_LATER;
}

static const struct rotor_host_func host[] = {{"env", "later", "i)i", later}, {0}};
static const struct rotor_host_func *const tables[] = {host};
static const struct rotor_imports imports = {.tables = tables, .table_count = 1};

struct bench {
	_Alignas(8) uint8_t module_block[BLOCK_BYTES], block[BLOCK_BYTES], other[BLOCK_BYTES];
	const struct rotor_module *module;
	struct rotor_instance *in;
	struct rotor_limits limits;
};
static struct bench b;

static void set_up(const uint8_t *wasm, size_t bytes, struct rotor_limits limits)
{
	struct rotor_diag diag = {0};

	b.limits = limits;
	EXPECT_EQ(rotor_load(b.module_block, BLOCK_BYTES, wasm, bytes, 0, &b.module, &diag), 0);
	EXPECT_STR(diag.text, "");
	EXPECT_EQ(rotor_instantiate(b.block, BLOCK_BYTES, b.module, &imports, &b.limits, &b.in,
				    &diag),
		  0);
	EXPECT_EQ(rotor_run(b.in, 0), ROTOR_DONE);
}

static void set_up_program(void)
{
	set_up(program, sizeof(program),
	       (struct rotor_limits){.stack_bytes = 4096, .memory_bytes_max = 4 << 16});
}

static void call(const char *name, int32_t arg, uint32_t count)
{
	struct rotor_value v = {.type = ROTOR_I32, .i32 = arg};
	uint32_t func = 0;

	EXPECT(rotor_module_find(b.module, name, ROTOR_FUNC, &func));
	EXPECT_EQ(rotor_call(b.in, func, &v, count, NULL), 0);
}

static int64_t result(void)
{
	struct rotor_value v = {0};

	EXPECT_EQ(rotor_results(b.in, &v, 1), 1);
	return v.type == ROTOR_I64 ? v.i64 : v.i32;
}

/* Sum over i < n of 2i for even i, i * i for odd i. */
static int64_t sum(int n)
{
	int64_t s = 0;

	for (int i = 0; i < n; i++) {
		s += i % 2 == 0 ? 2 * i : i * i;
	}
	return s;
}

/* ---- loading ---- */

static enum rotor_err load_in_pieces(const uint8_t *wasm, size_t bytes, size_t piece,
				     size_t block_bytes, const struct rotor_module **out)
{
	struct rotor_loader *l;
	enum rotor_err err = rotor_load_begin(b.other, block_bytes, &l);

	for (size_t at = 0; err == 0 && at < bytes; at += piece) {
		err = rotor_load_feed(l, wasm + at, at + piece < bytes ? piece : bytes - at);
	}
	return err != 0 ? err : rotor_load_end(l, out);
}

TEST(pieces_of_any_size_give_the_same_module)
{
	const struct rotor_module *m;
	struct rotor_module_info whole, pieces;

	set_up_program();
	rotor_module_info(b.module, &whole);
	for (size_t piece = 1; piece < 80; piece++) {
		EXPECT_EQ(load_in_pieces(program, sizeof(program), piece, BLOCK_BYTES, &m), 0);
		rotor_module_info(m, &pieces);
		EXPECT_EQ(memcmp(&whole, &pieces, sizeof(whole)), 0);
		EXPECT_EQ(rotor_module_bytes(m), rotor_module_bytes(b.module));
	}
}

TEST(too_small_a_block_is_refused_at_every_size)
{
	const struct rotor_module *m = NULL;
	size_t bytes = 0;
	enum rotor_err err;

	for (; bytes < BLOCK_BYTES; bytes += 8) {
		/* Its own allocation, so that a sanitizer sees what lies outside. */
		uint8_t *block = malloc(bytes + 8);

		err = rotor_load(block, bytes, program, sizeof(program), 0, &m, NULL);
		free(block);
		if (err == 0) {
			break;
		}
		EXPECT_EQ(err, ROTOR_ERR_MEMORY);
		EXPECT_EQ(load_in_pieces(program, sizeof(program), 7, bytes, &m), ROTOR_ERR_MEMORY);
	}
	EXPECT(bytes < 8192);
}

TEST(every_prefix_and_every_changed_byte_is_harmless)
{
	static uint8_t copy[sizeof(program)];
	const struct rotor_module *m;
	unsigned refused = 0;

	for (size_t i = 0; i < sizeof(program); i++) {
		refused += rotor_load(b.other, BLOCK_BYTES, program, i, 0, &m, NULL) != 0;
		for (int bit = 0; bit < 8; bit++) {
			memcpy(copy, program, sizeof(program));
			copy[i] ^= (uint8_t)(1 << bit);
			refused += rotor_load(b.other, BLOCK_BYTES, copy, sizeof(copy), 0, &m,
					      NULL) != 0;
			refused += load_in_pieces(copy, sizeof(copy), 5, BLOCK_BYTES, &m) != 0;
		}
	}
	EXPECT(refused > sizeof(program));
}

TEST(errors_say_what_and_where)
{
	static const uint8_t invalid[] = {0, 'a', 's', 'm', 1, 0,  0, 0, 1, 4, 1,    0x60, 0,
					  0, 3,   2,   1,   0, 10, 5, 1, 3, 0, 0x6a, 0x0b};
	const struct rotor_module *m;
	struct rotor_diag diag;

	EXPECT_EQ(rotor_load(b.other, BLOCK_BYTES, "nonsense", 8, 0, &m, &diag),
		  ROTOR_ERR_MALFORMED);
	EXPECT_STR(diag.text, "magic header not detected");
	EXPECT_EQ(rotor_load(b.other, BLOCK_BYTES, invalid, sizeof(invalid), 0, &m, &diag),
		  ROTOR_ERR_INVALID);
	EXPECT_STR(diag.text, "type mismatch in function 0");
	EXPECT_EQ(diag.offset, 24);
}

static void put(uint8_t **at, const char *bytes, size_t count)
{
	memcpy(*at, bytes, count);
	*at += count;
}

static void put_leb(uint8_t **at, uint32_t v)
{
	for (; v > 0x7f; v >>= 7) {
		*(*at)++ = (uint8_t)(v | 0x80);
	}
	*(*at)++ = (uint8_t)v;
}

/* A function of 1000 i64 results and 60000 locals that tail-calls itself above so many values. */
static size_t wide_module(uint8_t *out, uint32_t values)
{
	uint8_t *at = out;

	put(&at, "\0asm\1\0\0\0\1", 9);
	put_leb(&at, 1005);
	put(&at, "\1\x60\0", 3);
	put_leb(&at, 1000);
	memset(at, 0x7e, 1000);
	at += 1000;
	put(&at, "\3\2\1\0\7\5\1\1t\0\0\x0a", 12);
	put_leb(&at, 2 * values + 11);
	put(&at, "\1", 1);
	put_leb(&at, 2 * values + 8);
	put(&at, "\1\xe0\xd4\3\x7f", 5);
	for (uint32_t i = 0; i < values; i++) {
		put(&at, "\x41\0", 2);
	}
	put(&at, "\x12\0\x0b", 3);
	return (size_t)(at - out);
}

TEST(a_frame_is_never_larger_than_its_check)
{
	for (uint32_t values = 2900; values < 4995; values += 5) {
		size_t bytes = wide_module(b.other, values);
		struct rotor_diag diag = {0};
		enum rotor_err err = rotor_load(b.module_block, BLOCK_BYTES, b.other, bytes, 0,
						&b.module, &diag);

		EXPECT_EQ(err, values > 2999 ? ROTOR_ERR_LIMIT : ROTOR_OK);
		if (err == ROTOR_OK) {
			set_up(b.other, bytes, (struct rotor_limits){.stack_bytes = 16384});
			EXPECT_EQ(rotor_call_name(b.in, "t", NULL, 0, NULL), ROTOR_ERR_LIMIT);
		} else {
			EXPECT(strstr(diag.text, "cells in a frame") != NULL);
		}
	}
}

TEST(an_instance_needs_what_it_says)
{
	size_t bytes;

	set_up_program();
	bytes = rotor_instance_bytes(b.module, &b.limits);
	EXPECT_EQ(rotor_instantiate(b.block, bytes - 8, b.module, &imports, &b.limits, &b.in, NULL),
		  ROTOR_ERR_MEMORY);
	EXPECT_EQ(rotor_instantiate(b.block, bytes, b.module, &imports, &b.limits, &b.in, NULL), 0);
	/* Beyond memory, stack, table and global at most 1 KB. */
	EXPECT(bytes - (4 << 16) - 4096 - 4 * 4 - 4 <= 1024);
}

/* ---- fuel, stops, copies ---- */

TEST(fuel_is_the_same_in_slices_and_in_copies)
{
	uint64_t whole;

	set_up_program();
	call("sum", 100, 1);
	EXPECT_EQ(rotor_run(b.in, UNITS), ROTOR_DONE);
	EXPECT_EQ(result(), sum(100));
	whole = rotor_fuel_used(b.in);
	for (uint64_t slice = 1; slice * 8 < whole; slice = slice * 3 + 1) {
		uint8_t *here = b.block, *there = b.other;
		size_t bytes;
		int stops = 0;

		set_up_program();
		bytes = rotor_instance_bytes(b.module, &b.limits);
		call("sum", 100, 1);
		while (rotor_run(b.in, slice) == ROTOR_FUEL) {
			uint8_t *from = here;

			memcpy(there, here, bytes);
			memset(here, 0xee, bytes);
			here = there;
			there = from;
			EXPECT_EQ(rotor_attach(here, bytes, b.module, &imports, &b.in, NULL), 0);
			stops++;
		}
		EXPECT(stops > 5);
		EXPECT_EQ(result(), sum(100));
		EXPECT_EQ(rotor_fuel_used(b.in), whole);
	}
}

TEST(a_deep_program_is_copied_between_slices)
{
	size_t bytes;

	set_up_program();
	bytes = rotor_instance_bytes(b.module, &b.limits);
	call("fib", 12, 1);
	while (rotor_run(b.in, 20) == ROTOR_FUEL) {
		uint8_t *to = (uint8_t *)b.in == b.block ? b.other : b.block;

		memcpy(to, b.in, bytes);
		EXPECT_EQ(rotor_attach(to, bytes, b.module, &imports, &b.in, NULL), 0);
	}
	EXPECT_EQ(result(), 144);
}

TEST(an_interrupt_stops_a_loop_and_a_fill)
{
	set_up_program();
	call("forever", 0, 0);
	rotor_interrupt(b.in);
	EXPECT_EQ(rotor_run(b.in, UINT64_MAX), ROTOR_FUEL);
	EXPECT(rotor_fuel_used(b.in) < 20000);
	rotor_reset(b.in);
	call("fill", 7, 1);
	rotor_interrupt(b.in);
	EXPECT_EQ(rotor_run(b.in, UINT64_MAX), ROTOR_FUEL);
	EXPECT(rotor_fuel_used(b.in) < 40000);
	rotor_reset(b.in);
	call("sum", 4, 1);
	EXPECT_EQ(rotor_run(b.in, UNITS), ROTOR_DONE);
	EXPECT_EQ(result(), sum(4));
}

TEST(a_host_function_answers_later_and_elsewhere)
{
	struct rotor_call *pending;

	set_up_program();
	call("ask", 5, 1);
	EXPECT_EQ(rotor_run(b.in, UNITS), ROTOR_HOST);
	EXPECT_EQ(rotor_run(b.in, UNITS), ROTOR_HOST);
	memcpy(b.other, b.block, BLOCK_BYTES);
	EXPECT_EQ(rotor_attach(b.other, BLOCK_BYTES, b.module, &imports, &b.in, NULL), 0);
	/* Another call while this one waits. */
	call("sum", 3, 1);
	EXPECT_EQ(rotor_run(b.in, UNITS), ROTOR_DONE);
	EXPECT_EQ(result(), sum(3));
	pending = rotor_pending(b.in);
	EXPECT(pending != NULL && rotor_arg_u32(pending, 0) == 5);
	rotor_result_u32(pending, 42);
	rotor_answer(b.in, ROTOR_HOST_DONE);
	EXPECT_EQ(rotor_run(b.in, UNITS), ROTOR_DONE);
	EXPECT_EQ(result(), 1042);
}

TEST(a_call_while_another_waits_may_wait_too)
{
	struct rotor_call *pending;

	set_up_program();
	for (int i = 0; i < 3; i++) {
		call("ask", 5 + i, 1);
		EXPECT_EQ(rotor_run(b.in, UNITS), ROTOR_HOST);
	}
	for (int i = 3; i-- != 0;) {
		pending = rotor_pending(b.in);
		EXPECT(pending != NULL && rotor_arg_u32(pending, 0) == 5u + (uint32_t)i);
		rotor_result_u32(pending, 40 + (uint32_t)i);
		rotor_answer(b.in, ROTOR_HOST_DONE);
		EXPECT_EQ(rotor_run(b.in, UNITS), ROTOR_DONE);
		EXPECT_EQ(result(), 1040 + i);
	}
}

/* ---- linking ---- */

/* (module (func (export "g") (result i32) (i32.const 100))) */
static const uint8_t giver[] = {
	0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x05, 0x01, 0x60,
	0x00, 0x01, 0x7f, 0x03, 0x02, 0x01, 0x00, 0x07, 0x05, 0x01, 0x01, 0x67,
	0x00, 0x00, 0x0a, 0x07, 0x01, 0x05, 0x00, 0x41, 0xe4, 0x00, 0x0b,
};

/* (module (import "b" "g" (func $g (result i32))) (func (export "f") (result i32) (call $g))) */
static const uint8_t taker[] = {
	0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7f,
	0x02, 0x07, 0x01, 0x01, 0x62, 0x01, 0x67, 0x00, 0x00, 0x03, 0x02, 0x01, 0x00, 0x07, 0x05,
	0x01, 0x01, 0x66, 0x00, 0x01, 0x0a, 0x06, 0x01, 0x04, 0x00, 0x10, 0x00, 0x0b,
};

/* (module (import "b" "g" (func (result i32))) (import "b" "none" (func))) */
static const uint8_t refused[] = {
	0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x02, 0x60,
	0x00, 0x01, 0x7f, 0x60, 0x00, 0x00, 0x02, 0x10, 0x02, 0x01, 0x62, 0x01,
	0x67, 0x00, 0x00, 0x01, 0x62, 0x04, 0x6e, 0x6f, 0x6e, 0x65, 0x00, 0x01,
};

static enum rotor_err instantiate(const uint8_t *wasm, size_t bytes, void *at, size_t at_bytes,
				  const struct rotor_imports *from, void *block, size_t block_bytes,
				  struct rotor_instance **out)
{
	const struct rotor_limits limits = {.stack_bytes = 1024};
	const struct rotor_module *m;

	EXPECT_EQ(rotor_load(at, at_bytes, wasm, bytes, 0, &m, NULL), 0);
	return rotor_instantiate(block, block_bytes, m, from, &limits, out, NULL);
}

TEST(an_instance_that_was_not_made_leaves_no_trace)
{
	enum {
		EACH = 1 << 14
	};
	struct rotor_extern shared = {.module = "b", .name = "g"};
	const struct rotor_imports from = {.externs = &shared, .extern_count = 1};
	void *gone = malloc(EACH);

	set_up(giver, sizeof(giver), (struct rotor_limits){.stack_bytes = 1024});
	shared.instance = b.in;
	EXPECT_EQ(instantiate(refused, sizeof(refused), b.other, EACH, &from, gone, EACH, &b.in),
		  ROTOR_ERR_LINK);
	memset(gone, 0xff, EACH);
	free(gone); /* a sanitizer sees who looks at it */
	EXPECT_EQ(instantiate(taker, sizeof(taker), b.other, EACH, &from, b.other + EACH, EACH,
			      &b.in),
		  0);
	EXPECT_EQ(rotor_call_name(b.in, "f", NULL, 0, NULL), 0);
	EXPECT_EQ(rotor_run(b.in, UNITS), ROTOR_DONE);
	EXPECT_EQ(result(), 100);
}

/* ---- traps ---- */

TEST(a_trap_says_why_and_where)
{
	struct rotor_frame f;

	set_up_program();
	call("outer", -4, 1);
	EXPECT_EQ(rotor_run(b.in, UNITS), ROTOR_TRAP);
	EXPECT_EQ(rotor_trap(b.in), ROTOR_TRAP_MEMORY);
	EXPECT_STR(rotor_trap_text(rotor_trap(b.in)), "out of bounds memory access");
	EXPECT(rotor_frame(b.in, 0, &f));
	EXPECT_EQ(f.func_idx, 8);
	EXPECT(f.name_bytes == 5 && memcmp(f.name, "inner", 5) == 0);
	EXPECT_EQ(program[f.offset], 0x28); /* i32.load */
	EXPECT(rotor_frame(b.in, 1, &f));
	EXPECT_EQ(f.func_idx, 9);
	EXPECT_EQ(program[f.offset], 0x10); /* call */
	EXPECT(!rotor_frame(b.in, 2, &f));
}

TEST(endless_recursion_is_a_trap_and_leaves_the_instance_well)
{
	set_up_program();
	call("deep", 0, 1);
	EXPECT_EQ(rotor_run(b.in, UINT64_MAX), ROTOR_TRAP);
	EXPECT_EQ(rotor_trap(b.in), ROTOR_TRAP_STACK);
	EXPECT(rotor_stack_peak(b.in) > 4000 && rotor_stack_peak(b.in) <= 4096);
	call("fib", 10, 1);
	EXPECT_EQ(rotor_run(b.in, UNITS), ROTOR_DONE);
	EXPECT_EQ(result(), 55);
}

TEST(memory_beyond_what_is_used_is_a_trap_of_its_own)
{
	set_up(frugal, sizeof(frugal),
	       (struct rotor_limits){.stack_bytes = 256, .memory_used_only = true});
	EXPECT(rotor_instance_bytes(b.module, &b.limits) < 2048 + 256 + 1024);
	call("peek", 1025, 1);
	EXPECT_EQ(rotor_run(b.in, UNITS), ROTOR_DONE);
	EXPECT_EQ(result(), 'b');
	call("peek", 2048, 1);
	EXPECT_EQ(rotor_run(b.in, UNITS), ROTOR_TRAP);
	EXPECT_EQ(rotor_trap(b.in), ROTOR_TRAP_UNBACKED);
	call("peek", 65536, 1);
	EXPECT_EQ(rotor_run(b.in, UNITS), ROTOR_TRAP);
	EXPECT_EQ(rotor_trap(b.in), ROTOR_TRAP_MEMORY);
}

TEST(calls_with_wrong_arguments_are_refused)
{
	struct rotor_value v = {.type = ROTOR_I64};

	set_up_program();
	EXPECT_EQ(rotor_call(b.in, 99, &v, 1, NULL), ROTOR_ERR_ARGUMENT);
	EXPECT_EQ(rotor_call(b.in, 3, &v, 1, NULL), ROTOR_ERR_ARGUMENT);
	EXPECT_EQ(rotor_call(b.in, 3, &v, 0, NULL), ROTOR_ERR_ARGUMENT);
	call("sum", 9, 1);
	EXPECT_EQ(rotor_call(b.in, 6, NULL, 0, NULL), ROTOR_ERR_STATE);
}

TEST_MAIN(
	T(pieces_of_any_size_give_the_same_module) T(too_small_a_block_is_refused_at_every_size) T(
		every_prefix_and_every_changed_byte_is_harmless) T(errors_say_what_and_where)
		T(a_frame_is_never_larger_than_its_check) T(an_instance_needs_what_it_says) T(
			fuel_is_the_same_in_slices_and_in_copies) T(a_deep_program_is_copied_between_slices)
			T(an_interrupt_stops_a_loop_and_a_fill) T(
				a_host_function_answers_later_and_elsewhere)
				T(a_call_while_another_waits_may_wait_too) T(
					an_instance_that_was_not_made_leaves_no_trace)
					T(a_trap_says_why_and_where) T(
						endless_recursion_is_a_trap_and_leaves_the_instance_well)
						T(memory_beyond_what_is_used_is_a_trap_of_its_own)
							T(calls_with_wrong_arguments_are_refused))
