/* SPDX-License-Identifier: Apache-2.0 */
/* libc: the table, and what is neither text nor printing: numbers, the heap, time, the end. */
#include "base/base.h"
#include "rotor/import/impl.h"

#define FN(name) enum rotor_host libc_##name(struct rotor_call *call)

#define LIBC(name, type, fn)       {"env", name, type, libc_##fn},
#define LIBC_ALIAS(name, type, fn) {"env", name, type, libc_##fn},

const struct rotor_host_func rotor_libc[] = {
#include "rotor/import/libc_list.h"
	{NULL, NULL, NULL, NULL},
};

/* ---- the heap ---- */

/* The answer of an allocator's function. */
static enum rotor_host heap_answer(struct rotor_call *call, const char *wrong, uint32_t at)
{
	if (wrong != NULL) {
		return import_trap(call, wrong);
	}
	rotor_result_u32(call, at);
	return ROTOR_HOST_DONE;
}

FN(malloc)
{
	uint32_t at;
	const char *wrong = heap_alloc(call->instance, rotor_arg_u32(call, 0), &at);

	return heap_answer(call, wrong, at);
}

FN(calloc)
{
	uint64_t bytes = (uint64_t)rotor_arg_u32(call, 0) * rotor_arg_u32(call, 1);
	uint32_t *at = &rotor_progress(call->instance)[1];
	const char *wrong = NULL;
	enum rotor_host how;

	if (bytes > UINT32_MAX / 2) {
		return heap_answer(call, NULL, 0);
	}
	if (*at == 0) {
		wrong = heap_alloc(call->instance, (uint32_t)bytes, at);
	}
	if (wrong == NULL && *at != 0) {
		how = import_fill(call, *at, 0, (uint32_t)bytes);
		CHECK(how == ROTOR_HOST_DONE, how);
	}
	return heap_answer(call, wrong, *at);
}

/* The size argument becomes that of what is moved to a new block. */
FN(realloc)
{
	uint32_t old = rotor_arg_u32(call, 0), *bytes = &call->cells[1];
	uint32_t *at = &rotor_progress(call->instance)[1];
	const char *wrong = NULL;
	enum rotor_host how;

	if (*at == 0) {
		wrong = heap_realloc(call->instance, old, *bytes, at, bytes);
	}
	if (wrong == NULL && *at != 0 && *bytes != 0) {
		how = import_move(call, *at, old, *bytes);
		CHECK(how == ROTOR_HOST_DONE, how);
		wrong = heap_free(call->instance, old);
	}
	return heap_answer(call, wrong, *at);
}

FN(free)
{
	const char *wrong = heap_free(call->instance, rotor_arg_u32(call, 0));

	return wrong != NULL ? import_trap(call, wrong) : ROTOR_HOST_DONE;
}

/* Measures, allocates, then copies, from the end on. progress: bytes measured or left; the copy. */
FN(strdup)
{
	uint32_t *bytes = rotor_progress(call->instance), *at = bytes + 1;
	uint32_t s = rotor_arg_u32(call, 0), n, left;
	struct import_text text;
	const char *wrong;
	enum rotor_host how;

	if (*at == 0) {
		CHECK(import_text(call, s, *bytes, UINT32_MAX, &text), ROTOR_HOST_TRAP);
		*bytes += text.bytes;
		CHECK(text.ended, ROTOR_HOST_AGAIN);
		wrong = heap_alloc(call->instance, ++*bytes, at);
		CHECK(wrong == NULL && *at != 0, heap_answer(call, wrong, 0));
	}
	n = BASE_MIN(*bytes, (uint32_t)IMPORT_STEP);
	left = *bytes - n;
	*bytes = 0;
	how = import_move(call, *at + left, s + left, n);
	*bytes = left;
	CHECK(how == ROTOR_HOST_DONE, how);
	return left != 0 ? ROTOR_HOST_AGAIN : heap_answer(call, NULL, *at);
}

/* ---- numbers ---- */

/* What a number in text is made of. */
struct number {
	uint64_t magnitude;
	bool negative, overflow;
	uint32_t bytes; /* read; 0: there was no number */
};

static unsigned digit_of(uint8_t c)
{
	if (c >= '0' && c <= '9') {
		return c - (unsigned)'0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'z' ? c - (unsigned)'a' + 10 : 99;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Reads the digits of a base from s[i] on into n; where they end. */
static uint32_t read_digits(struct number *n, const uint8_t *s, uint32_t i, uint32_t bytes,
			    unsigned base)
{
	for (; i < bytes && digit_of(s[i]) < base; i++) {
		uint64_t old = n->magnitude;

		n->magnitude = old * base + digit_of(s[i]);
		n->overflow |= old > (UINT64_MAX - digit_of(s[i])) / base;
		n->bytes = i + 1;
	}
	return i;
}

/* Does 0x and a hexadecimal digit stand at s[i]? */
static bool is_hex(const uint8_t *s, uint32_t i, uint32_t bytes)
{
	return bytes - i > 2 && s[i] == '0' && (s[i + 1] | 0x20) == 'x' && digit_of(s[i + 2]) < 16;
}

/* C11 7.22.1.4; *end: where it stopped to read. */
static struct number read_number(const uint8_t *s, uint32_t bytes, unsigned base, uint32_t *end)
{
	struct number n = {0};
	uint32_t i = 0;

	while (i < bytes && is_space(s[i])) {
		i++;
	}
	if (i < bytes && (s[i] == '-' || s[i] == '+')) {
		n.negative = s[i++] == '-';
	}
	if ((base == 0 || base == 16) && is_hex(s, i, bytes)) {
		i += 2;
		base = 16;
	}
	if (base == 0) {
		base = i < bytes && s[i] == '0' ? 8 : 10;
	}
	if (base >= 2 && base <= 36) {
		i = read_digits(&n, s, i, bytes, base);
	}
	*end = i;
	return n;
}

/* Reads argument 0 in a base; it must end within a step. false: the trap is set. */
static bool number_arg(struct rotor_call *call, unsigned base, struct number *n)
{
	uint32_t at = rotor_arg_u32(call, 0), avail, bytes, end = 0;
	const uint8_t *s = import_tail(call, at, &avail);

	bytes = BASE_MIN(avail, (uint32_t)IMPORT_STEP);
	*n = read_number(s, bytes, base, &end);
	import_charge(call, end, CHARGE_READ);
	if (end == bytes) {
		(void)import_trap_pointer(call, at);
		return false;
	}
	return true;
}

/* The same in the base of argument 2; stores where it ended at argument 1. */
static bool number_args(struct rotor_call *call, struct number *n)
{
	uint32_t at = rotor_arg_u32(call, 0), end_at = rotor_arg_u32(call, 1);
	uint8_t *end;

	CHECK(number_arg(call, rotor_arg_u32(call, 2), n), false);
	if (end_at == 0) {
		return true;
	}
	end = rotor_memory_at(call->instance, end_at, 4);
	if (end == NULL) {
		(void)import_trap_pointer(call, end_at);
		return false;
	}
	base_store_u32(end, at + n->bytes);
	return true;
}

/* The number as a signed one whose smallest is -limit. */
static int64_t as_signed(const struct number *n, uint64_t limit)
{
	if (n->negative) {
		return n->overflow || n->magnitude > limit ? (int64_t)(0 - limit)
							   : (int64_t)(0 - n->magnitude);
	}
	return n->overflow || n->magnitude >= limit ? (int64_t)(limit - 1) : (int64_t)n->magnitude;
}

static uint64_t as_unsigned(const struct number *n, uint64_t max)
{
	if (n->overflow || n->magnitude > max) {
		return max;
	}
	return (n->negative ? 0 - n->magnitude : n->magnitude) & max;
}

/* Reads a number and answers it as a signed one of so many bits. */
static enum rotor_host signed_number(struct rotor_call *call, unsigned bits)
{
	struct number n;
	uint64_t v;

	CHECK(number_args(call, &n), ROTOR_HOST_TRAP);
	v = (uint64_t)as_signed(&n, (uint64_t)1 << (bits - 1));
	if (bits == 32) {
		rotor_result_u32(call, (uint32_t)v);
	} else {
		rotor_result_u64(call, v);
	}
	return ROTOR_HOST_DONE;
}

FN(strtol)
{
	return signed_number(call, 32);
}

FN(strtoll)
{
	return signed_number(call, 64);
}

FN(strtoul)
{
	struct number n;

	CHECK(number_args(call, &n), ROTOR_HOST_TRAP);
	rotor_result_u32(call, (uint32_t)as_unsigned(&n, UINT32_MAX));
	return ROTOR_HOST_DONE;
}

FN(strtoull)
{
	struct number n;

	CHECK(number_args(call, &n), ROTOR_HOST_TRAP);
	rotor_result_u64(call, as_unsigned(&n, UINT64_MAX));
	return ROTOR_HOST_DONE;
}

FN(atoi)
{
	struct number n;

	CHECK(number_arg(call, 10, &n), ROTOR_HOST_TRAP);
	rotor_result_u32(call, (uint32_t)as_signed(&n, (uint64_t)1 << 31));
	return ROTOR_HOST_DONE;
}

/* ---- time ---- */

FN(clock)
{
	rotor_result_u64(call, import_clock_ns(call, ROTOR_CLOCK_MONOTONIC));
	return ROTOR_HOST_DONE;
}

/* A struct timespec of 64-bit seconds and 32-bit nanoseconds. */
FN(clock_gettime)
{
	enum rotor_clock clock =
		rotor_arg_u32(call, 0) == 0 ? ROTOR_CLOCK_REAL : ROTOR_CLOCK_MONOTONIC;
	uint64_t ns = import_clock_ns(call, clock);
	uint8_t *to = rotor_memory_at(call->instance, rotor_arg_u32(call, 1), 16);

	if (to == NULL) {
		return import_trap_pointer(call, rotor_arg_u32(call, 1));
	}
	base_store_u64(to, ns / 1000000000);
	base_store_u32(to + 8, (uint32_t)(ns % 1000000000));
	base_store_u32(to + 12, 0);
	rotor_result_u32(call, 0);
	return ROTOR_HOST_DONE;
}

/* ---- the end ---- */

FN(exit)
{
	rotor_set_exit(call->instance, (int32_t)rotor_arg_u32(call, 0));
	return ROTOR_HOST_TRAP;
}

FN(abort)
{
	return import_trap(call, "the program gave up");
}

FN(cxa_begin_catch)
{
	return ROTOR_HOST_DONE;
}

FN(cxa_throw)
{
	return import_trap(call, "a C++ exception that nothing catches");
}
