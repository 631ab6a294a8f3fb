/* SPDX-License-Identifier: Apache-2.0 */
/* One instruction and its immediates from bytes. Spec: WebAssembly 2.0 5.4. */
#include "rotor/load.h"

/* Kinds of immediates, one letter per opcode: '.' none, '!' no such opcode. */
static const char plain[0x45] = /* below the numeric operations */
	/* 00 */ "..bbb.!!!!!.llt."
		 /* 10 */ "fyfy!!!!!!..S!!!"
		 /* 20 */ "uuuuuuu!mmmmmmmm"
		 /* 30 */ "mmmmmmmmmmmmmmmz"
		 /* 40 */ "zijde";
enum {
	OP_NUMERIC_LAST = 0xc4,
	OP_REF_NULL = 0xd0,
	OP_REF_IS_NULL,
	OP_REF_FUNC,
	OP_PREFIX = 0xfc
};

static char kind_of(uint8_t op)
{
	if (op < sizeof(plain)) {
		return plain[op];
	}
	if (op <= OP_NUMERIC_LAST || op == OP_REF_IS_NULL) {
		return '.';
	}
	return op == OP_REF_NULL ? 'r' : op == OP_REF_FUNC ? 'u' : '!';
}

/* After 0xfc: 's' segment and memory, 'w' two indices swapped on the way, 'v' two, 'Z' two zeros. */
static const char prefixed[] = "........suZzwuvuuu";

static int zero_byte(struct rotor_loader *l)
{
	uint8_t b;

	TRY(load_u8(l, &b));
	if (b != 0) {
		return load_malformed(l, "zero byte expected");
	}
	return 0;
}

static int block_type(struct rotor_loader *l, uint32_t *out)
{
	const uint8_t *from = l->p;
	int64_t t;

	TRY(load_s33(l, &t));
	if (t >= 0) {
		/* No module has so many types; the highest bit is BLOCK_VALUE. */
		*out = (uint32_t)BASE_MIN(t, (int64_t)INT32_MAX);
		return 0;
	}
	*out = BLOCK_VALUE | (uint32_t)(t & 0x7f);
	if (l->p - from != 1 ||
	    (t != -64 && (t < -4 || t > -1) && !type_is_ref((uint8_t)(t & 0x7f)))) {
		return load_malformed(l, "malformed block type");
	}
	return 0;
}

static int select_type(struct rotor_loader *l, struct instr *in)
{
	uint8_t type;

	TRY(load_u32(l, &in->b));
	if (in->b != 1) {
		return load_invalid(l, "invalid result arity");
	}
	TRY(load_valtype(l, &type));
	in->a = type;
	return 0;
}

static int mem_arg(struct rotor_loader *l, struct instr *in)
{
	TRY(load_u32(l, &in->b));
	if (in->b >= 32) {
		return load_malformed(l, "malformed memop flags");
	}
	return load_u32(l, &in->a);
}

static int float_bits(struct rotor_loader *l, unsigned bytes, uint64_t *out)
{
	const uint8_t *at;

	TRY(load_bytes(l, &at, bytes));
	*out = bytes == 4 ? base_load_u32(at) : base_load_u64(at);
	return 0;
}

static int immediate(struct rotor_loader *l, char kind, struct instr *in)
{
	uint32_t k;
	uint8_t type;

	switch (kind) {
	case '.':
		return 0;
	case 'b':
		return block_type(l, &in->a);
	case 'l':
	case 't':
	case 'f':
	case 'u':
		return load_u32(l, &in->a);
	case 'y':
	case 'v':
	case 'w':
		TRY(load_u32(l, &in->a));
		return load_u32(l, &in->b);
	case 'S':
		return select_type(l, in);
	case 'm':
		return mem_arg(l, in);
	case 'z':
		return zero_byte(l);
	case 'Z':
		TRY(zero_byte(l));
		return zero_byte(l);
	case 's':
		TRY(load_u32(l, &in->a));
		return zero_byte(l);
	case 'i':
		TRY(load_s32(l, &k));
		in->k = k;
		return 0;
	case 'j':
		return load_s64(l, &in->k);
	case 'd':
		return float_bits(l, 4, &in->k);
	case 'e':
		return float_bits(l, 8, &in->k);
	case 'r':
		TRY(load_reftype(l, &type));
		in->a = type;
		return 0;
	default:
		return load_fail_idx(l, ROTOR_ERR_MALFORMED, "illegal opcode", in->op);
	}
}

int decode_instr(struct rotor_loader *l, struct instr *in)
{
	uint8_t op;
	uint32_t sub;

	TRY(load_u8(l, &op));
	in->op = op;
	if (op != OP_PREFIX) {
		return immediate(l, kind_of(op), in);
	}
	TRY(load_u32(l, &sub));
	in->op = (uint16_t)(0x100 + BASE_MIN(sub, 255u));
	return immediate(l, sub < sizeof(prefixed) - 1 ? prefixed[sub] : '!', in);
}
