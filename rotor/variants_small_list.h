/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which variants exist: the small choice. SET_x(M, ...) makes them, in the order of enum form_operands;
 * MASK_x has the same as bits. SS, AS... say where operands are, the second argument where the result
 * goes; L is a constant of 32 bits (of 64 for f64, then called D).
 */
#ifndef ROTOR_VARIANTS_LIST_H
#define ROTOR_VARIANTS_LIST_H

/* clang-format off */

/* Integer arithmetic. */
#define SET_ADD(M, ...)                                                                            \
	M(SS, A, __VA_ARGS__)                                                                      \
	M(SS, S, __VA_ARGS__)                                                                      \
	M(AS, A, __VA_ARGS__)                                                                      \
	M(AS, S, __VA_ARGS__)                                                                      \
	M(SK, A, __VA_ARGS__) M(SK, S, __VA_ARGS__) M(AK, A, __VA_ARGS__) M(AK, S, __VA_ARGS__)
#define MASK_ADD 0x3cf
#define SET_COMM(M, ...)                                                                           \
	M(SS, A, __VA_ARGS__)                                                                      \
	M(AS, A, __VA_ARGS__) M(AS, S, __VA_ARGS__) M(SK, A, __VA_ARGS__) M(AK, A, __VA_ARGS__)
#define MASK_COMM               0x14d
#define SET_COMM64(M, ...)      M(SS, A, __VA_ARGS__) M(AS, A, __VA_ARGS__)
#define MASK_COMM64             0x5
#define SET_SUB(M, ...)         M(SS, A, __VA_ARGS__) M(AS, A, __VA_ARGS__) M(SA, A, __VA_ARGS__)
#define MASK_SUB                0x15
#define SET_SUB64               SET_COMM64
#define MASK_SUB64              MASK_COMM64
#define SET_SHIFT(M, ...)                                                                          \
	M(SS, A, __VA_ARGS__)                                                                      \
	M(AS, A, __VA_ARGS__) M(SK, A, __VA_ARGS__) M(AK, A, __VA_ARGS__)
#define MASK_SHIFT              0x145
#define SET_SHIFT64(M, ...)     M(SS, A, __VA_ARGS__) M(AK, A, __VA_ARGS__)
#define MASK_SHIFT64            0x101
#define SET_SS(M, ...)          M(SS, A, __VA_ARGS__)
#define MASK_SS                 0x1
#define SET_DIV                 SET_SS
#define MASK_DIV                MASK_SS
/* Float arithmetic and comparisons. */
#define SET_FCOMM32             SET_COMM64
#define MASK_FCOMM32            MASK_COMM64
#define SET_FCOMM64             SET_COMM64
#define MASK_FCOMM64            MASK_COMM64
#define SET_FSUB                SET_SUB
#define MASK_FSUB               MASK_SUB
#define SET_FEQ                 SET_SS
#define MASK_FEQ                MASK_SS
#define SET_FLT                 SET_SS
#define MASK_FLT                MASK_SS
/* Integer comparisons: as values, forward branches, charged backward ones. GT and GE of two slots are
 * LT and LE swapped. */
#define SET_CMP(M, ...)         M(SS, A, __VA_ARGS__) M(AK, A, __VA_ARGS__)
#define MASK_CMP                0x101
#define SET_CMP_NOSS(M, ...)    M(AK, A, __VA_ARGS__)
#define MASK_CMP_NOSS           0x100
#define SET_BR_CMP(M, ...)      M(SS, A, __VA_ARGS__) M(AK, A, __VA_ARGS__)
#define MASK_BR_CMP             0x101
#define SET_BR_CMP_NOSS(M, ...) M(AK, A, __VA_ARGS__)
#define MASK_BR_CMP_NOSS        0x100
#define SET_CMP64               SET_SS
#define MASK_CMP64              MASK_SS
#define SET_BACK_CMP(M, ...)
#define MASK_BACK_CMP 0
#define SET_BACK_CMP_NOSS(M, ...)
#define MASK_BACK_CMP_NOSS 0
#define SET_BR_CMP64(M, ...)
#define MASK_BR_CMP64 0
#define SET_BACK_CMP64(M, ...)
#define MASK_BACK_CMP64 0
#define SET_CMP64_NOSS(M, ...)
#define MASK_CMP64_NOSS 0
#define SET_BR_CMP64_NOSS(M, ...)
#define MASK_BR_CMP64_NOSS 0
#define SET_BACK_CMP64_NOSS(M, ...)
#define MASK_BACK_CMP64_NOSS 0
/* Unary operations, selections. */
#define SET_UN(M, ...)       M(A, A, __VA_ARGS__)
#define MASK_UN              0x4
#define SET_UN_A             SET_UN
#define MASK_UN_A            MASK_UN
#define SET_SELECT           SET_UN
#define MASK_SELECT          MASK_UN
/* Loads: the address is a slot or the accumulator. */
#define SET_LD(M, ...)       M(S, A, __VA_ARGS__) M(A, A, __VA_ARGS__)
#define MASK_LD              0x5
#define SET_LD_MOST(M, ...)                                                                        \
	M(S, A, __VA_ARGS__) M(S, S, __VA_ARGS__) M(A, A, __VA_ARGS__) M(A, S, __VA_ARGS__)
#define MASK_LD_MOST 0xf
#define SET_LD_FEW           SET_UN
#define MASK_LD_FEW          MASK_UN
/* Stores: address, value; each bit of the mask is one variant. Floats only from the accumulator. */
#define SET_ST(M, ...)       M(SS, A, __VA_ARGS__) M(AS, A, __VA_ARGS__)
#define MASK_ST              0x3
#define SET_ST_ALL(M, ...)   M(SS, A, __VA_ARGS__) M(AS, A, __VA_ARGS__) M(SA, A, __VA_ARGS__)
#define MASK_ST_ALL          0x7
#define SET_ST_F(M, ...)     M(SA, A, __VA_ARGS__)
#define MASK_ST_F            0x4

/* clang-format on */

#endif
