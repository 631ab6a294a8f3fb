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

#define SIZES_(operands, result, name)                                                             \
	U_##name##_##operands##result | M_##name##_##operands##result << FORM_MAP_SHIFT,

const uint8_t form_sizes[FORM_OP_COUNT] = {
#define R(name, units, maps) U_##name | M_##name << FORM_MAP_SHIFT,
	FORM_PLAIN_LIST(R)
#undef R
#define R(name, in, out, set, ...) SET_##set(SIZES_, name)
		FORM_BIN_LIST(R) FORM_DIV_LIST(R) FORM_UN_LIST(R) FORM_TRUNC_LIST(R)
#undef R
#define R(name, in, out, set) SET_##set(SIZES_, name)
			FORM_LOAD_LIST(R) FORM_STORE_LIST(R)
#undef R
#define R(name, in, set) SET_##set(SIZES_, name)
				FORM_SELECT_LIST(R)
#undef R
#define R(name, in, set, ...)                                                                      \
	SET_##set(SIZES_, name) SET_BR_##set(SIZES_, BR_##name) SET_BACK_##set(SIZES_, BACK_##name)
					FORM_CMP_LIST(R)
#undef R
#define P(kind, first, second) U_##first##__##second | M_##first##__##second << FORM_MAP_SHIFT,
						FORM_PAIR_LIST(P)
#undef P
};

const struct form_pair form_pairs[FORM_PAIR_COUNT + 1] = {
#define P(kind, first, second) {F_##first, F_##second, F_##first##__##second},
	FORM_PAIR_LIST(P)
#undef P
};
