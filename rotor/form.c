/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the form, made from opcode_list.h. */
#include "rotor/form.h"
#include "rotor/rotor.h"

enum {
	TYPE_u32 = 0,
	TYPE_i32 = 0,
	TYPE_u64 = 1,
	TYPE_i64 = 1,
	TYPE_f32 = 2,
	TYPE_f64 = 3
};

const struct form_generic_info form_generics[G_COUNT] = {
#define R(name, in, out, set, ...)                                                                 \
	{F_##name##_BASE, MASK_##set, CLASS_BIN, 0, TYPE_##in, TYPE_##out},
	FORM_BIN_LIST(R)
#undef R
#define R(name, in, out, set, ...)                                                                 \
	{F_##name##_BASE, MASK_##set, CLASS_BIN, 1, TYPE_##in, TYPE_##out},
		FORM_DIV_LIST(R)
#undef R
#define R(name, in, set, ...) {F_##name##_BASE, MASK_##set, CLASS_CMP, 0, TYPE_##in, TYPE_i32},
			FORM_CMP_LIST(R)
#undef R
#define R(name, in, out, set, ...)                                                                 \
	{F_##name##_BASE, MASK_##set, CLASS_UN, 0, TYPE_##in, TYPE_##out},
				FORM_UN_LIST(R)
#undef R
#define R(name, in, out, set, ...)                                                                 \
	{F_##name##_BASE, MASK_##set, CLASS_UN, 1, TYPE_##in, TYPE_##out},
					FORM_TRUNC_LIST(R)
#undef R
#define R(name, in, out, set) {F_##name##_BASE, MASK_##set, CLASS_LOAD, 1, TYPE_i32, TYPE_##out},
						FORM_LOAD_LIST(R)
#undef R
#define R(name, in, out, set) {F_##name##_BASE, MASK_##set, CLASS_STORE, 1, TYPE_i32, TYPE_##out},
							FORM_STORE_LIST(R)
#undef R
#define R(name, in, set) {F_##name##_BASE, MASK_##set, CLASS_SELECT, 0, TYPE_i32, TYPE_##in},
								FORM_SELECT_LIST(R)
#undef R
};

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

#define PLAIN_(operands, result, more) (1 + UNITS_##operands + UNITS_##result + (more)),
#define MAPPED_(operands, result, more)                                                            \
	(1 + UNITS_##operands + UNITS_##result + (more)) | FORM_MAPPED,

const uint8_t form_units[FORM_OP_COUNT] = {
#define R(name, units, maps) (units) | ((maps) ? FORM_MAPPED : 0),
	FORM_PLAIN_LIST(R)
#undef R
#define R(name, in, out, set, ...) SET_##set(PLAIN_, 0)
		FORM_BIN_LIST(R)
#undef R
#define R(name, in, out, set, ...) SET_##set(MAPPED_, 0)
			FORM_DIV_LIST(R)
#undef R
#define R(name, in, out, set, ...) SET_##set(PLAIN_, 0)
				FORM_UN_LIST(R)
#undef R
#define R(name, in, out, set, ...) SET_##set(MAPPED_, 0)
					FORM_TRUNC_LIST(R)
#undef R
#define R(name, in, out, set) SET_##set(MAPPED_, 1)
						FORM_LOAD_LIST(R) FORM_STORE_LIST(R)
#undef R
#define R(name, in, set) SET_##set(PLAIN_, 2)
							FORM_SELECT_LIST(R)
#undef R
#define R(name, in, set, ...) SET_##set(PLAIN_, 0) SET_BR_##set(PLAIN_, 2) SET_BACK_##set(PLAIN_, 2)
								FORM_CMP_LIST(R)
#undef R
#define P(first, second, units, maps) (units) | ((maps) ? FORM_MAPPED : 0),
									FORM_PAIR_LIST(P)
#undef P
};

const struct form_pair form_pairs[FORM_PAIR_COUNT] = {
#define P(first, second, units, maps) {F_##first, F_##second, F_##first##__##second},
	FORM_PAIR_LIST(P)
#undef P
};
