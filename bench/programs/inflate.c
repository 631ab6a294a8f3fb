/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inflate (RFC 1951): decompresses a text of 9000 bytes and checks its Adler-32. The checksum of run() is 0
 * unless the text came back as it was.
 * Default n: 500, on a device 2.
 */
#include "bench/kernels/kernel.h"
#include "bench/programs/inflate_data.h"

#define CODES_MAX 288
#define BITS_MAX  15

struct huffman {
	uint16_t count[BITS_MAX + 1]; /* codes of each length */
	uint16_t symbol[CODES_MAX];   /* in the order of their codes */
};

struct stream {
	const uint8_t *in, *in_end;
	uint32_t bits, bit_count;
	uint8_t *out, *out_begin, *out_end;
	int error;
};

static const uint16_t length_base[29] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
					 15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
					 67, 83, 99, 115, 131, 163, 195, 227, 258};
static const uint8_t length_extra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
					 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
static const uint16_t distance_base[30] = {
	1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
	193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
static const uint8_t code_order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
				       11, 4,  12, 3, 13, 2, 14, 1, 15};

static uint8_t plain[INFLATE_PLAIN_BYTES];
static struct huffman literals, distances;

static uint32_t take_bits(struct stream *s, uint32_t count)
{
	while (s->bit_count < count) {
		if (s->in == s->in_end) {
			s->error = 1;
			return 0;
		}
		s->bits |= (uint32_t)*s->in++ << s->bit_count;
		s->bit_count += 8;
	}
	uint32_t v = s->bits & ((1u << count) - 1);
	s->bits >>= count;
	s->bit_count -= count;
	return v;
}

static void build(struct huffman *h, const uint8_t *lengths, int count)
{
	uint16_t place[BITS_MAX + 1];

	for (int i = 0; i <= BITS_MAX; i++) {
		h->count[i] = 0;
	}
	for (int i = 0; i < count; i++) {
		h->count[lengths[i]]++;
	}
	place[1] = 0;
	for (int i = 1; i < BITS_MAX; i++) {
		place[i + 1] = (uint16_t)(place[i] + h->count[i]);
	}
	for (int i = 0; i < count; i++) {
		if (lengths[i] != 0) {
			h->symbol[place[lengths[i]]++] = (uint16_t)i;
		}
	}
}

static int take_symbol(struct stream *s, const struct huffman *h)
{
	int code = 0, first = 0, index = 0;

	for (int length = 1; length <= BITS_MAX; length++) {
		int count = h->count[length];

		code |= (int)take_bits(s, 1);
		if (code - count < first) {
			return h->symbol[index + code - first];
		}
		index += count;
		first = (first + count) << 1;
		code <<= 1;
	}
	s->error = 1;
	return 0;
}

static void fixed_codes(void)
{
	uint8_t lengths[CODES_MAX];

	for (int i = 0; i < CODES_MAX; i++) {
		lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
	}
	build(&literals, lengths, CODES_MAX);
	for (int i = 0; i < 30; i++) {
		lengths[i] = 5;
	}
	build(&distances, lengths, 30);
}

static void dynamic_codes(struct stream *s)
{
	uint8_t lengths[320] = {0};
	int literal_count = (int)take_bits(s, 5) + 257, distance_count = (int)take_bits(s, 5) + 1;
	int code_count = (int)take_bits(s, 4) + 4;

	for (int i = 0; i < code_count; i++) {
		lengths[code_order[i]] = (uint8_t)take_bits(s, 3);
	}
	build(&literals, lengths, 19);
	for (int i = 0; i < literal_count + distance_count && !s->error;) {
		int symbol = take_symbol(s, &literals), repeat = 1;
		uint8_t length = (uint8_t)symbol;

		if (symbol >= 16) {
			length = symbol == 16 && i > 0 ? lengths[i - 1] : 0;
			repeat = symbol == 16   ? 3 + (int)take_bits(s, 2)
				 : symbol == 17 ? 3 + (int)take_bits(s, 3)
						: 11 + (int)take_bits(s, 7);
		}
		while (repeat-- > 0 && i < 320) {
			lengths[i++] = length;
		}
	}
	build(&literals, lengths, literal_count);
	build(&distances, lengths + literal_count, distance_count);
}

static void copy_match(struct stream *s, int symbol)
{
	uint32_t length = length_base[symbol] + take_bits(s, length_extra[symbol]);
	uint32_t code = (uint32_t)take_symbol(s, &distances);
	uint32_t distance = distance_base[code % 30] + take_bits(s, code < 4 ? 0 : code / 2 - 1);

	if (distance > (uint32_t)(s->out - s->out_begin) ||
	    length > (uint32_t)(s->out_end - s->out)) {
		s->error = 1;
		return;
	}
	for (const uint8_t *from = s->out - distance; length > 0; length--) {
		*s->out++ = *from++;
	}
}

static void coded_block(struct stream *s)
{
	while (!s->error) {
		int symbol = take_symbol(s, &literals);

		if (symbol == 256) {
			return;
		}
		if (symbol > 256) {
			copy_match(s, (symbol - 257) % 29);
		} else if (s->out < s->out_end) {
			*s->out++ = (uint8_t)symbol;
		} else {
			s->error = 1;
		}
	}
}

static void stored_block(struct stream *s)
{
	s->bits = s->bit_count = 0;
	uint32_t count = take_bits(s, 16);

	(void)take_bits(s, 16);
	while (count-- > 0 && s->in < s->in_end && s->out < s->out_end) {
		*s->out++ = *s->in++;
	}
}

static void inflate(struct stream *s)
{
	uint32_t last;

	do {
		last = take_bits(s, 1);
		switch (take_bits(s, 2)) {
		case 0:
			stored_block(s);
			break;
		case 1:
			fixed_codes();
			coded_block(s);
			break;
		case 2:
			dynamic_codes(s);
			coded_block(s);
			break;
		default:
			s->error = 1;
			break;
		}
	} while (!last && !s->error);
}

static uint32_t adler32(void)
{
	uint32_t a = 1, b = 0;

	for (int i = 0; i < INFLATE_PLAIN_BYTES; i++) {
		a = (a + plain[i]) % 65521;
		b = (b + a) % 65521;
	}
	return b << 16 | a;
}

int run(int n)
{
	uint32_t sum = 0;

	for (int round = 0; round < n; round++) {
		struct stream s = {.in = inflate_data,
				   .in_end = inflate_data + sizeof(inflate_data),
				   .out = plain,
				   .out_begin = plain,
				   .out_end = plain + INFLATE_PLAIN_BYTES};

		inflate(&s);
		if (s.error || adler32() != INFLATE_ADLER32) {
			return 0;
		}
		sum = kernel_mix(sum, plain[round % INFLATE_PLAIN_BYTES]);
		plain[round % INFLATE_PLAIN_BYTES] = 0;
	}
	return (int)(sum | 1);
}
