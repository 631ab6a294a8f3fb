/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form: what a function body is translated to. 16-bit units: an operation, then its operands.
 *
 * In/Out: translate.c writes it, exec.c runs it, trap.c walks it.
 * Rules: 1. No host pointer, no host byte order visible: the same form on every machine.
 *        2. Slots are 32-bit cells counted from the frame; i64 and f64 take two.
 *        3. No accumulator is live at a label, a call or a safe point.
 *        4. An operation that stands for several with places in the map traps at its own place plus
 *           the number of those places that come before.
 * Frame: [parameters][locals][link: return place][operand stack]; a callee's frame begins at its
 *        arguments in the caller's operand stack.
 */
#ifndef ROTOR_FORM_H
#define ROTOR_FORM_H

/* Another one whenever the same operations have other units or another meaning. */
#define FORM_VERSION 2

#include <stdint.h>
#include "rotor/opcode_list.h"

/* The enumerators of a row: BASE equals the first variant. */
#define ROW_BEGIN_(name)                     F_##name##_BASE, F_##name##_BEFORE = F_##name##_BASE - 1,
#define ROW_VARIANT_(operands, result, name) F_##name##_##operands##result,

enum form_op {
#define R(name, units, maps) F_##name,
	FORM_PLAIN_LIST(R)
#undef R
#define R(name, in, out, set, ...) ROW_BEGIN_(name) SET_##set(ROW_VARIANT_, name)
	FORM_BIN_LIST(R) FORM_DIV_LIST(R) FORM_UN_LIST(R) FORM_TRUNC_LIST(R)
#undef R
#define R(name, in, out, set) ROW_BEGIN_(name) SET_##set(ROW_VARIANT_, name)
		FORM_LOAD_LIST(R) FORM_STORE_LIST(R)
#undef R
#define R(name, in, set) ROW_BEGIN_(name) SET_##set(ROW_VARIANT_, name)
			FORM_SELECT_LIST(R)
#undef R
#define R(name, in, set, ...)                                                                      \
	ROW_BEGIN_(name)                                                                           \
	SET_##set(ROW_VARIANT_, name) ROW_BEGIN_(BR_##name) SET_BR_##set(ROW_VARIANT_, BR_##name)  \
		ROW_BEGIN_(BACK_##name) SET_BACK_##set(ROW_VARIANT_, BACK_##name)
				FORM_CMP_LIST(R)
#undef R
#define P(kind, first, second) F_##first##__##second,
					FORM_PAIR_LIST(P)
#undef P
						FORM_OP_COUNT
};

/* Generic operations, in the order of the lists. */
enum form_generic {
#define R(name, ...) G_##name,
	FORM_BIN_LIST(R)
	FORM_DIV_LIST(R) FORM_CMP_LIST(R) FORM_UN_LIST(R) FORM_TRUNC_LIST(R) FORM_LOAD_LIST(R)
		FORM_STORE_LIST(R) FORM_SELECT_LIST(R) G_COUNT,
	G_CMP_FIRST = G_I32_EQ /* of FORM_CMP_LIST */
#undef R
};

/* Where operands are; twice this number, plus one for a result in a slot, is a variant's bit. */
enum form_operands {
	OPERANDS_SS,
	OPERANDS_AS,
	OPERANDS_SA,
	OPERANDS_SK,
	OPERANDS_AK,
	OPERANDS_SL,
	OPERANDS_AL,
	/* of unary operations and loads */
	OPERANDS_S = 0,
	OPERANDS_A = 1,
	/* of loads: the address is a sum */
	OPERANDS_LOAD_SS = 2,
	OPERANDS_LOAD_AS = 3,
	OPERANDS_LOAD_L = 7,
	/* of stores: the first five, then these, the address being a sum; each is a bit by itself */
	OPERANDS_STORE_SLS = 5,
	OPERANDS_STORE_SLA,
	OPERANDS_STORE_SSS,
	OPERANDS_STORE_SSA,
	OPERANDS_STORE_SLK,
	OPERANDS_STORE_LS,
	OPERANDS_STORE_LA,
};

enum form_class {
	CLASS_BIN,
	CLASS_CMP,
	CLASS_UN,
	CLASS_LOAD,
	CLASS_STORE,
	CLASS_SELECT
};

struct form_generic_info {
	uint16_t base;     /* first variant */
	uint16_t variants; /* bit set of those that exist */
	uint8_t class: 3;
	uint8_t traps: 1;
	uint8_t in: 2, out: 2; /* see form_type */
};
/* The enum rotor_type that 0 to 3 stand for in the table: I32, I64, F32, F64. */
static inline uint8_t form_type(unsigned type)
{
	return (uint8_t)(0x7f - type);
}
extern const struct form_generic_info form_generics[G_COUNT];

/* Two operations that follow each other and the one that does both; the first may be such a one. */
struct form_pair {
	uint16_t first, second, both;
};
enum {
#define P(kind, first, second) +1
	FORM_PAIR_COUNT = 0 FORM_PAIR_LIST(P)
#undef P
};
extern const struct form_pair form_pairs[FORM_PAIR_COUNT + 1];

/* Units that operands and results take. */
enum {
	UNITS_S = 1,
	UNITS_A = 0,
	UNITS_SS = 2,
	UNITS_AS = 1,
	UNITS_SA = 1,
	UNITS_SK = 2,
	UNITS_AK = 1,
	UNITS_SL = 3,
	UNITS_AL = 2,
	UNITS_SD = 5,
	UNITS_AD = 4,
	UNITS_SLS = 4,
	UNITS_SLA = 3,
	UNITS_SSS = 3,
	UNITS_SSA = 2,
	UNITS_SLK = 4,
	UNITS_L = 2,
	UNITS_LS = 3,
	UNITS_LA = 2
};

/* Units of the offset of a load and of a store: an address that is a sum or a constant has none. */
#define LOAD_OFFSET_S    1
#define LOAD_OFFSET_A    1
#define LOAD_OFFSET_SS   0
#define LOAD_OFFSET_AS   0
#define LOAD_OFFSET_SL   0
#define LOAD_OFFSET_AL   0
#define LOAD_OFFSET_L    0
#define STORE_OFFSET_SS  1
#define STORE_OFFSET_AS  1
#define STORE_OFFSET_SA  1
#define STORE_OFFSET_SK  1
#define STORE_OFFSET_AK  1
#define STORE_OFFSET_SLS 0
#define STORE_OFFSET_SLA 0
#define STORE_OFFSET_SSS 0
#define STORE_OFFSET_SSA 0
#define STORE_OFFSET_SLK 0
#define STORE_OFFSET_LS  0
#define STORE_OFFSET_LA  0

/* U_x: units of operation x; M_x: how many places in the module it has in the map. */
#define SIZE_(operands, result, name, more, maps)                                                  \
	U_##name##_##operands##result = 1 + UNITS_##operands + UNITS_##result + (more),            \
	M_##name##_##operands##result = (maps),
enum {
#define R(name, units, maps) U_##name = (units), M_##name = (maps),
	FORM_PLAIN_LIST(R)
#undef R
#define R(name, in, out, set, ...) SET_##set(SIZE_, name, 0, 0)
	FORM_BIN_LIST(R) FORM_UN_LIST(R)
#undef R
#define R(name, in, out, set, ...) SET_##set(SIZE_, name, 0, 1)
		FORM_DIV_LIST(R) FORM_TRUNC_LIST(R)
#undef R
#define LOAD_SIZE_(operands, result, name) SIZE_(operands, result, name, LOAD_OFFSET_##operands, 1)
#define STORE_SIZE_(operands, result, name)                                                        \
	SIZE_(operands, result, name, STORE_OFFSET_##operands, 1)
#define R(name, in, out, set) SET_##set(LOAD_SIZE_, name)
			FORM_LOAD_LIST(R)
#undef R
#define R(name, in, out, set) SET_##set(STORE_SIZE_, name)
				FORM_STORE_LIST(R)
#undef R
#define R(name, in, set) SET_##set(SIZE_, name, 2, 0)
					FORM_SELECT_LIST(R)
#undef R
#define R(name, in, set, ...)                                                                      \
	SET_##set(SIZE_, name, 0, 0) SET_BR_##set(SIZE_, BR_##name, 2, 0)                          \
		SET_BACK_##set(SIZE_, BACK_##name, 2, 0)
						FORM_CMP_LIST(R)
#undef R
#define P(kind, first, second)                                                                     \
	U_##first##__##second = U_##first + U_##second - 1,                                        \
	M_##first##__##second = M_##first + M_##second,
							FORM_PAIR_LIST(P)
#undef P
								FORM_SIZES_END
};

/* Of each operation: its units, and how many places in the module it has in the map. */
#define FORM_MAP_SHIFT 6
extern const uint8_t form_sizes[FORM_OP_COUNT];

static inline unsigned form_units(uint16_t op)
{
	return form_sizes[op] & ((1u << FORM_MAP_SHIFT) - 1);
}

static inline unsigned form_maps(uint16_t op)
{
	return form_sizes[op] >> FORM_MAP_SHIFT;
}

/* The first units of every module's form. */
enum {
	FORM_AT_NATIVE = 0, /* native code is to begin */
	FORM_AT_HALT = 1,
	FORM_IN_NATIVE = 2, /* native code knows where */
	FORM_AT_IMPORT = 3,
	FORM_PROLOGUE_UNITS = 6
};

/* Before a function's first unit: the body's byte offset in the module (2 units), units of its
 * form (2 units); after its form: the map. */
enum {
	FORM_HEADER_UNITS = 4
};

static inline uint32_t form_get32(const uint16_t *at)
{
	return at[0] | (uint32_t)at[1] << 16;
}

static inline void form_put32(uint16_t *at, uint32_t v)
{
	at[0] = (uint16_t)v;
	at[1] = (uint16_t)(v >> 16);
}

/* Units of the operation at pc, a branch table's entries included. */
static inline uint32_t form_length(const uint16_t *pc)
{
	if (*pc == F_BR_TABLE) {
		return 4 + 2 * (form_get32(pc + 2) + 1);
	}
	return form_units(*pc);
}

#endif
