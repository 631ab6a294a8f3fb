/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions of valid WebAssembly as text. */
#include "rotor/tool/wasm_text.h"

#include <inttypes.h>
#include <string.h>

#include "base/base.h"
#include "base/fmt.h"
#include "rotor/tool/tool.h"

struct row {
	char immediates;
	const char *name;
};

#define W(opcode, immediates, name) [opcode] = {immediates, name},
#define P(opcode, immediates, name)
static const struct row rows[256] = {
#include "rotor/tool/wasm_text_list.h"
};
#undef W
#undef P
#define W(opcode, immediates, name)
#define P(opcode, immediates, name) [opcode] = {immediates, name},
static const struct row prefixed[] = {
#include "rotor/tool/wasm_text_list.h"
};
#undef W
#undef P

struct reader {
	const uint8_t *at, *end;
};

static uint64_t read_leb(struct reader *r, bool is_signed)
{
	uint64_t v = 0;
	unsigned shift = 0;
	uint8_t byte = 0;

	do {
		byte = r->at < r->end ? *r->at++ : 0;
		v |= shift < 64 ? (uint64_t)(byte & 0x7F) << shift : 0;
		shift += 7;
	} while (byte >= 0x80);
	if (is_signed && shift < 64 && (byte & 0x40) != 0) {
		v |= ~(uint64_t)0 << shift;
	}
	return v;
}

static uint64_t read_fixed(struct reader *r, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes && r->at < r->end; i++) {
		v |= (uint64_t)*r->at++ << 8 * i;
	}
	return v;
}

/* A block's type: nothing, a value's type, or the index of a function type. */
static void put_block_type(struct fmt_out *out, struct reader *r)
{
	int64_t type = (int64_t)read_leb(r, true);
	char text[32];

	if (type == -64) {
		return;
	}
	fmt_str(text, sizeof(text), type < 0 ? " %s" : " (type %s%d)",
		type < 0 ? type_name((enum rotor_type)(type & 0x7F)) : "", (int)type);
	fmt_put(out, text, strlen(text));
}

static void put_number(struct fmt_out *out, const char *before, int64_t v)
{
	char text[40];

	fmt_put(out, text, fmt_str(text, sizeof(text), "%s%lld", before, (long long)v));
}

static void put_float(struct fmt_out *out, struct reader *r, bool wide)
{
	struct rotor_value v = {.u64 = read_fixed(r, wide ? 8 : 4)};
	char text[FMT_FLOAT_BYTES];

	fmt_put(out, " ", 1);
	fmt_put(out, text, wide ? fmt_f64(text, v.f64) : fmt_f32(text, v.f32));
}

static void put_indices(struct fmt_out *out, struct reader *r, uint64_t count)
{
	for (uint64_t i = 0; i < count && r->at < r->end; i++) {
		put_number(out, " ", (int64_t)read_leb(r, false));
	}
}

static void put_memory(struct fmt_out *out, struct reader *r)
{
	uint64_t align = read_leb(r, false), offset = read_leb(r, false);

	if (offset != 0) {
		put_number(out, " offset=", (int64_t)offset);
	}
	put_number(out, " align=", (int64_t)1 << (align & 31));
}

static void put_types(struct fmt_out *out, struct reader *r, uint64_t count)
{
	for (uint64_t i = 0; i < count && r->at < r->end; i++) {
		const char *name = type_name((enum rotor_type) * r->at++);

		fmt_put(out, " ", 1);
		fmt_put(out, name, strlen(name));
	}
}

static void put_immediates(struct fmt_out *out, struct reader *r, char kind)
{
	switch (kind) {
	case 'b':
		put_block_type(out, r);
		break;
	case 'u':
		put_indices(out, r, 1);
		break;
	case 'w':
		put_indices(out, r, 2);
		break;
	case 'c':
		put_number(out, " type ", (int64_t)read_leb(r, false));
		put_number(out, " table ", (int64_t)read_leb(r, false));
		break;
	case 't':
		put_indices(out, r, read_leb(r, false) + 1);
		break;
	case 'v':
		put_types(out, r, read_leb(r, false));
		break;
	case 'r':
		put_types(out, r, 1);
		break;
	case 'm':
		put_memory(out, r);
		break;
	case 'z':
		(void)read_leb(r, false);
		break;
	case 'i':
	case 'j':
		put_number(out, " ", (int64_t)read_leb(r, true));
		break;
	case 'f':
	case 'd':
		put_float(out, r, kind == 'd');
		break;
	default:
		break;
	}
}

size_t wasm_instr_text(char *text, size_t cap, const uint8_t *bytes, size_t left)
{
	struct reader r = {bytes, bytes + left};
	struct fmt_out out = {.at = text, .cap = cap - 1};
	struct row row;

	if (left == 0) {
		return 0;
	}
	row = rows[*r.at++];
	if (*bytes == 0xFC) {
		uint64_t second = read_leb(&r, false);

		row = second < BASE_COUNT(prefixed) ? prefixed[second] : (struct row){0, NULL};
	}
	if (row.name == NULL) {
		return 0;
	}
	fmt_put(&out, row.name, strlen(row.name));
	put_immediates(&out, &r, row.immediates);
	text[out.len] = 0;
	return (size_t)(r.at - bytes);
}
