/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzer: the input is a module's bytes. They are loaded whole and in pieces; what is valid is run.
 *
 * The mutator knows sections and function bodies: it changes the inside of one and makes the
 * lengths right again, so that what follows can still be read.
 */
#include <stdbool.h>
#include <string.h>

#include "rotor/tool/fuzz/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
size_t LLVMFuzzerMutate(uint8_t *data, size_t bytes, size_t bytes_max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t bytes_max, unsigned seed);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	unsigned variant = (unsigned)bytes;

	for (size_t i = 0; i < bytes; i += 1 + bytes / 8) {
		variant = variant * 31 + data[i];
	}
	(void)check_run(data, bytes, variant);
	return 0;
}

/* Reads an unsigned LEB128 number; 0 bytes: there is none. */
static size_t read_leb(const uint8_t *at, size_t left, uint32_t *out)
{
	*out = 0;
	for (size_t i = 0; i < 5 && i < left; i++) {
		*out |= (uint32_t)(at[i] & 0x7F) << 7 * i;
		if (at[i] < 0x80) {
			return i + 1;
		}
	}
	return 0;
}

static size_t write_leb(uint8_t *to, uint32_t v)
{
	size_t n = 0;

	for (; v >= 0x80; v >>= 7) {
		to[n++] = (uint8_t)(v | 0x80);
	}
	to[n++] = (uint8_t)v;
	return n;
}

/* A length field, and what it is the length of. */
struct span {
	size_t length_at, at, bytes;
};

/* The sections, or the bodies of a code section whose span is outer. Returns how many. */
static unsigned find_spans(const uint8_t *data, size_t from, size_t end, bool sections,
			   struct span *spans, unsigned max)
{
	unsigned count = 0;

	while (from < end && count < max) {
		uint32_t length;
		size_t at = from + sections,
		       n = at < end ? read_leb(data + at, end - at, &length) : 0;

		if (n == 0 || length > end - at - n) {
			break;
		}
		spans[count++] = (struct span){at, at + n, length};
		from = at + n + length;
	}
	return count;
}

/* Changes the bytes of a span and writes its new length; returns the module's. */
static size_t mutate_span(uint8_t *data, size_t bytes, size_t bytes_max, const struct span *s)
{
	static uint8_t inside[1 << 16], field[5];
	size_t room = bytes_max - bytes, tail = bytes - s->at - s->bytes, n, field_bytes;

	if (s->bytes + room > sizeof(inside)) {
		room = s->bytes < sizeof(inside) ? sizeof(inside) - s->bytes : 0;
	}
	if (s->bytes > sizeof(inside) || room < 6) {
		return LLVMFuzzerMutate(data, bytes, bytes_max);
	}
	memcpy(inside, data + s->at, s->bytes);
	n = LLVMFuzzerMutate(inside, s->bytes, s->bytes + room - 5);
	field_bytes = write_leb(field, (uint32_t)n);
	memmove(data + s->length_at + field_bytes + n, data + s->at + s->bytes, tail);
	memcpy(data + s->length_at, field, field_bytes);
	memcpy(data + s->length_at + field_bytes, inside, n);
	return s->length_at + field_bytes + n + tail;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t bytes_max, unsigned seed)
{
	struct span sections[32], bodies[64];
	unsigned count = bytes > 8 ? find_spans(data, 8, bytes, true, sections, 32) : 0;
	const struct span *s;
	unsigned body_count = 0;
	uint32_t in_vector;
	size_t n;

	if (count == 0 || seed % 16 == 0) {
		return LLVMFuzzerMutate(data, bytes, bytes_max);
	}
	s = &sections[(seed >> 4) % count];
	if (data[s->length_at - 1] == 10 && seed % 4 != 1) {
		n = read_leb(data + s->at, s->bytes, &in_vector);
		body_count = find_spans(data, s->at + n, s->at + s->bytes, false, bodies, 64);
	}
	if (body_count != 0) { /* the section's own length changes with the body's */
		const struct span *body = &bodies[(seed >> 12) % body_count];
		size_t before = bytes;
		struct span whole = *s;
		uint8_t field[5];
		size_t field_bytes, old_field = s->at - s->length_at;

		bytes = mutate_span(data, bytes, bytes_max > 5 ? bytes_max - 5 : 0, body);
		whole.bytes = s->bytes + bytes - before;
		field_bytes = write_leb(field, (uint32_t)whole.bytes);
		if (bytes + field_bytes - old_field > bytes_max) {
			return bytes;
		}
		memmove(data + s->length_at + field_bytes, data + s->at, bytes - s->at);
		memcpy(data + s->length_at, field, field_bytes);
		return bytes + field_bytes - old_field;
	}
	return mutate_span(data, bytes, bytes_max, s);
}
