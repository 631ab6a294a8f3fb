/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libc: printf and its relatives. A variable argument list is a pointer to the arguments in linear
 * memory, each at a multiple of its size (the C ABI of wasm32).
 */
#include "base/base.h"
#include "base/fmt.h"
#include "rotor/import/impl.h"

#define FN(name) enum rotor_host libc_##name(struct rotor_call *call)

/* The arguments of one call. */
struct varargs {
	struct fmt_source src;
	struct rotor_call *call;
	const struct fmt_out *out;
	uint32_t at;   /* the next argument */
	uint32_t bad;  /* the pointer that could not be followed, after an error; 0: too long */
	uint32_t work; /* what floats cost */
};

/* A call is one step, so it cannot make more text; a float counts as so many bytes. */
enum {
	PRINT_MAX = 131072,
	PRINT_FLOAT = 512
};

/* The next argument, whose size is also its alignment; NULL: outside the memory. */
static const uint8_t *next_arg(struct varargs *v, uint32_t bytes)
{
	const uint8_t *arg;

	v->bad = 0;
	CHECK(v->out->total + v->work <= PRINT_MAX, NULL);
	v->at = (v->at + bytes - 1) & ~(bytes - 1);
	arg = rotor_memory_at(v->call->instance, v->at, bytes);
	v->bad = v->at;
	v->at += bytes;
	return arg;
}

static bool arg_integer(struct fmt_source *src, enum fmt_length length, bool is_signed,
			uint64_t *out)
{
	bool wide = length == FMT_LLONG || length == FMT_MAX;
	const uint8_t *arg = next_arg((struct varargs *)src, wide ? 8 : 4);
	unsigned drop = wide ? 0 : length == FMT_CHAR ? 56 : length == FMT_SHORT ? 48 : 32;
	uint64_t bits;

	CHECK(arg != NULL, false);
	bits = (wide ? base_load_u64(arg) : base_load_u32(arg)) << drop;
	*out = is_signed ? (uint64_t)((int64_t)bits >> drop) : bits >> drop;
	return true;
}

/* A long double is of 128 bits here; it loses what a double cannot hold. */
static uint64_t quad_to_double(uint64_t low, uint64_t high)
{
	uint64_t sign = high >> 63 << 63, fraction = high << 16 >> 12 | low >> 60;
	int exponent = (int)(high >> 48 & 0x7FFF) - 16383 + 1023;

	if (exponent == 0x7FFF - 16383 + 1023) {
		bool nan = (high << 16 | low) != 0;

		return sign | (uint64_t)0x7FF << 52 | (uint64_t)nan << 51;
	}
	if (exponent >= 0x7FF) {
		return sign | (uint64_t)0x7FF << 52;
	}
	if (exponent <= -53) {
		return sign;
	}
	if (exponent <= 0) {
		fraction = (fraction | (uint64_t)1 << 52) >> (1 - exponent);
		exponent = 0;
	} else if ((low << 4) >> 63 != 0 && ((low << 5) != 0 || (fraction & 1) != 0)) {
		fraction++; /* carries into the exponent where it must */
	}
	return sign | (((uint64_t)exponent << 52) + fraction);
}

static bool arg_real(struct fmt_source *src, bool is_long, double *out)
{
	const uint8_t *arg = next_arg((struct varargs *)src, is_long ? 16 : 8);
	union {
		uint64_t u;
		double d;
	} v;

	CHECK(arg != NULL, false);
	((struct varargs *)src)->work += PRINT_FLOAT;
	v.u = base_load_u64(arg);
	if (is_long) {
		v.u = quad_to_double(v.u, base_load_u64(arg + 8));
	}
	*out = v.d;
	return true;
}

static bool arg_text(struct fmt_source *src, uint32_t max, const char **out, uint32_t *bytes)
{
	struct varargs *v = (struct varargs *)src;
	const uint8_t *arg = next_arg(v, 4), *text, *end;
	uint32_t avail;

	CHECK(arg != NULL, false);
	v->bad = base_load_u32(arg);
	*out = NULL;
	*bytes = 0;
	if (v->bad == 0) {
		return true;
	}
	text = import_tail(v->call, v->bad, &avail);
	if (BASE_MIN(avail, max) > PRINT_MAX) {
		v->bad = 0;
		avail = PRINT_MAX;
	}
	end = memchr(text, 0, BASE_MIN(avail, max));
	CHECK(end != NULL || avail >= max, false);
	*out = (const char *)text;
	*bytes = end != NULL ? (uint32_t)(end - text) : max;
	return true;
}

/* %n */
static bool arg_count(struct fmt_source *src, enum fmt_length length, uint64_t total)
{
	struct varargs *v = (struct varargs *)src;
	const uint8_t *arg = next_arg(v, 4);
	uint32_t bytes = length == FMT_CHAR                         ? 1
			 : length == FMT_SHORT                      ? 2
			 : length == FMT_LLONG || length == FMT_MAX ? 8
								    : 4;
	uint8_t *to;

	CHECK(arg != NULL, false);
	v->bad = base_load_u32(arg);
	to = rotor_memory_at(v->call->instance, v->bad, bytes);
	CHECK(to != NULL, false);
	for (uint32_t i = 0; i < bytes; i++) {
		to[i] = (uint8_t)(total >> 8 * i);
	}
	return true;
}

/* Formats with the format in argument i and the list behind it. *result is what printf returns;
 * false: the trap is set. */
static bool format_args(struct rotor_call *call, unsigned i, struct fmt_out *out, uint32_t *result)
{
	struct varargs v = {.src = {arg_integer, arg_real, arg_text, arg_count},
			    .call = call,
			    .out = out,
			    .at = rotor_arg_u32(call, i + 1)};
	struct import_text format;
	enum fmt_err err;

	CHECK(import_text(call, rotor_arg_u32(call, i), 0, UINT32_MAX, &format), false);
	err = fmt_run(out, (const char *)format.at, format.bytes, &v.src);
	import_charge(call, out->total, CHARGE_MADE);
	if (err == FMT_ERR_SOURCE && v.bad != 0) {
		(void)import_trap_pointer(call, v.bad);
		return false;
	}
	*result = err != FMT_OK || !format.ended ? UINT32_MAX : (uint32_t)out->total;
	return true;
}

/* ---- to stdout ---- */

struct to_stdout {
	struct fmt_out out;
	struct rotor_call *call;
	bool refused;
	char buf[128];
};

static void flush_stdout(struct fmt_out *out)
{
	struct to_stdout *to = (struct to_stdout *)out;

	if (!to->refused) {
		to->refused = !import_write(to->call, 1, to->buf, (uint32_t)out->len);
	}
	out->len = 0;
}

FN(printf)
{
	struct to_stdout to = {.out = {.cap = sizeof(to.buf), .flush = flush_stdout}, .call = call};
	uint32_t result;

	to.out.at = to.buf;
	CHECK(format_args(call, 0, &to.out, &result), ROTOR_HOST_TRAP);
	flush_stdout(&to.out);
	CHECK(!to.refused, ROTOR_HOST_TRAP);
	rotor_result_u32(call, result);
	return ROTOR_HOST_DONE;
}

FN(puts)
{
	uint32_t *progress = rotor_progress(call->instance);
	struct import_text s;

	CHECK(import_text(call, rotor_arg_u32(call, 0), *progress, UINT32_MAX, &s) &&
		      import_write(call, 1, (const char *)s.at, s.bytes),
	      ROTOR_HOST_TRAP);
	*progress += s.bytes;
	if (!s.ended) {
		return ROTOR_HOST_AGAIN;
	}
	CHECK(import_write(call, 1, "\n", 1), ROTOR_HOST_TRAP);
	rotor_result_u32(call, 1);
	return ROTOR_HOST_DONE;
}

FN(putchar)
{
	char c = (char)rotor_arg_u32(call, 0);

	CHECK(import_write(call, 1, &c, 1), ROTOR_HOST_TRAP);
	rotor_result_u32(call, (uint8_t)c);
	return ROTOR_HOST_DONE;
}

/* ---- to memory ---- */

/* Formats to argument 0, at most cap bytes with the 0 at the end. */
static enum rotor_host print_to_memory(struct rotor_call *call, unsigned i, uint32_t cap)
{
	uint32_t avail, result;
	uint8_t *to = import_tail(call, rotor_arg_u32(call, 0), &avail);
	struct fmt_out out = {0};

	if (cap != 0 && avail == 0) {
		return import_trap_pointer(call, rotor_arg_u32(call, 0));
	}
	if (cap != 0) {
		out.at = (char *)to;
		out.cap = BASE_MIN(cap, avail) - 1;
	}
	CHECK(format_args(call, i, &out, &result), ROTOR_HOST_TRAP);
	if (cap > avail && out.total > out.cap) {
		return import_trap_pointer(call, rotor_arg_u32(call, 0));
	}
	if (cap != 0) {
		to[out.len] = 0;
	}
	rotor_result_u32(call, result);
	return ROTOR_HOST_DONE;
}

FN(sprintf)
{
	return print_to_memory(call, 1, UINT32_MAX);
}

FN(snprintf)
{
	return print_to_memory(call, 2, rotor_arg_u32(call, 1));
}
