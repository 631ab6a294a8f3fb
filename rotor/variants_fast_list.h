/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which variants exist: the fast choice. SET_x(M, ...) makes them, in the order of enum form_operands;
 * MASK_x has the same as bits. SS, AS... say where operands are, the second argument where the result
 * goes; L is a constant of 32 bits (of 64 for f64, then called D).
 */
#ifndef ROTOR_VARIANTS_LIST_H
#define ROTOR_VARIANTS_LIST_H

/* clang-format off */

/* Integer arithmetic. */
#define SET_COMM(M, ...)                                                                           \
	M(SS, A, __VA_ARGS__)                                                                      \
	M(SS, S, __VA_ARGS__)                                                                      \
	M(AS, A, __VA_ARGS__)                                                                      \
	M(AS, S, __VA_ARGS__)                                                                      \
	M(SK, A, __VA_ARGS__)                                                                      \
	M(SK, S, __VA_ARGS__) M(AK, A, __VA_ARGS__) M(AK, S, __VA_ARGS__) M(SL, A, __VA_ARGS__)    \
		M(SL, S, __VA_ARGS__) M(AL, A, __VA_ARGS__) M(AL, S, __VA_ARGS__)
#define MASK_COMM   0x3fcf
#define SET_ADD     SET_COMM
#define MASK_ADD    MASK_COMM
#define SET_COMM64  SET_COMM
#define MASK_COMM64 MASK_COMM
#define SET_SUB(M, ...)                                                                            \
	M(SS, A, __VA_ARGS__)                                                                      \
	M(SS, S, __VA_ARGS__)                                                                      \
	M(AS, A, __VA_ARGS__) M(AS, S, __VA_ARGS__) M(SA, A, __VA_ARGS__) M(SA, S, __VA_ARGS__)
#define MASK_SUB   0x3f
#define SET_SUB64  SET_SUB
#define MASK_SUB64 MASK_SUB
#define SET_SHIFT(M, ...)                                                                          \
	M(SS, A, __VA_ARGS__)                                                                      \
	M(SS, S, __VA_ARGS__)                                                                      \
	M(AS, A, __VA_ARGS__)                                                                      \
	M(AS, S, __VA_ARGS__)                                                                      \
	M(SA, A, __VA_ARGS__)                                                                      \
	M(SA, S, __VA_ARGS__) M(SK, A, __VA_ARGS__) M(SK, S, __VA_ARGS__) M(AK, A, __VA_ARGS__)    \
		M(AK, S, __VA_ARGS__)
#define MASK_SHIFT      0x3ff
#define SET_SHIFT64     SET_SHIFT
#define MASK_SHIFT64    MASK_SHIFT
#define SET_SS(M, ...)  M(SS, A, __VA_ARGS__)
#define MASK_SS         0x1
#define SET_DIV(M, ...) M(SS, A, __VA_ARGS__) M(AS, A, __VA_ARGS__) M(SA, A, __VA_ARGS__)
#define MASK_DIV        0x15
/* Float arithmetic and comparisons. */
#define SET_FCOMM32(M, ...)                                                                        \
	M(SS, A, __VA_ARGS__)                                                                      \
	M(SS, S, __VA_ARGS__)                                                                      \
	M(AS, A, __VA_ARGS__)                                                                      \
	M(AS, S, __VA_ARGS__)                                                                      \
	M(SL, A, __VA_ARGS__) M(SL, S, __VA_ARGS__) M(AL, A, __VA_ARGS__) M(AL, S, __VA_ARGS__)
#define MASK_FCOMM32 0x3c0f
#define SET_FCOMM64(M, ...)                                                                        \
	M(SS, A, __VA_ARGS__)                                                                      \
	M(SS, S, __VA_ARGS__)                                                                      \
	M(AS, A, __VA_ARGS__)                                                                      \
	M(AS, S, __VA_ARGS__)                                                                      \
	M(SD, A, __VA_ARGS__) M(SD, S, __VA_ARGS__) M(AD, A, __VA_ARGS__) M(AD, S, __VA_ARGS__)
#define MASK_FCOMM64 0x3c0f
#define SET_FSUB     SET_SUB
#define MASK_FSUB    MASK_SUB
#define SET_FEQ(M, ...)                                                                            \
	M(SS, A, __VA_ARGS__) M(SS, S, __VA_ARGS__) M(AS, A, __VA_ARGS__) M(AS, S, __VA_ARGS__)
#define MASK_FEQ 0xf
#define SET_FLT  SET_SUB
#define MASK_FLT MASK_SUB
/* Integer comparisons: as values, forward branches, charged backward ones. GT and GE of two slots are
 * LT and LE swapped. */
#define SET_CMP(M, ...)                                                                            \
	M(SS, A, __VA_ARGS__)                                                                      \
	M(AS, A, __VA_ARGS__)                                                                      \
	M(SK, A, __VA_ARGS__) M(AK, A, __VA_ARGS__) M(SL, A, __VA_ARGS__) M(AL, A, __VA_ARGS__)
#define MASK_CMP 0x1545
#define SET_CMP_NOSS(M, ...)                                                                       \
	M(AS, A, __VA_ARGS__)                                                                      \
	M(SK, A, __VA_ARGS__) M(AK, A, __VA_ARGS__) M(SL, A, __VA_ARGS__) M(AL, A, __VA_ARGS__)
#define MASK_CMP_NOSS 0x1544
#define SET_CMP64(M, ...)                                                                          \
	M(SS, A, __VA_ARGS__) M(AS, A, __VA_ARGS__) M(SK, A, __VA_ARGS__) M(AK, A, __VA_ARGS__)
#define MASK_CMP64             0x145
#define SET_CMP64_NOSS(M, ...) M(AS, A, __VA_ARGS__) M(SK, A, __VA_ARGS__) M(AK, A, __VA_ARGS__)
#define MASK_CMP64_NOSS        0x144
#define SET_BR_CMP             SET_CMP
#define MASK_BR_CMP            MASK_CMP
#define SET_BACK_CMP           SET_CMP
#define MASK_BACK_CMP          MASK_CMP
#define SET_BR_CMP_NOSS        SET_CMP_NOSS
#define MASK_BR_CMP_NOSS       MASK_CMP_NOSS
#define SET_BACK_CMP_NOSS      SET_CMP_NOSS
#define MASK_BACK_CMP_NOSS     MASK_CMP_NOSS
#define SET_BR_CMP64           SET_CMP64
#define MASK_BR_CMP64          MASK_CMP64
#define SET_BACK_CMP64         SET_CMP64
#define MASK_BACK_CMP64        MASK_CMP64
#define SET_BR_CMP64_NOSS      SET_CMP64_NOSS
#define MASK_BR_CMP64_NOSS     MASK_CMP64_NOSS
#define SET_BACK_CMP64_NOSS    SET_CMP64_NOSS
#define MASK_BACK_CMP64_NOSS   MASK_CMP64_NOSS
/* Unary operations, selections. */
#define SET_UN(M, ...)                                                                             \
	M(S, A, __VA_ARGS__) M(S, S, __VA_ARGS__) M(A, A, __VA_ARGS__) M(A, S, __VA_ARGS__)
#define MASK_UN          0xf
#define SET_UN_A(M, ...) M(S, A, __VA_ARGS__) M(A, A, __VA_ARGS__)
#define MASK_UN_A        0x5
#define SET_SELECT       SET_UN
#define MASK_SELECT      MASK_UN
/* Loads: the address is a slot or the accumulator, or one of them plus a slot or a constant, or a
 * constant. */
#define SET_LD(M, ...)                                                                             \
	SET_UN(M, __VA_ARGS__)                                                                     \
	M(SS, A, __VA_ARGS__)                                                                      \
	M(SS, S, __VA_ARGS__)                                                                      \
	M(AS, A, __VA_ARGS__)                                                                      \
	M(AS, S, __VA_ARGS__)                                                                      \
	M(SL, A, __VA_ARGS__)                                                                      \
	M(SL, S, __VA_ARGS__)                                                                      \
	M(AL, A, __VA_ARGS__) M(AL, S, __VA_ARGS__) M(L, A, __VA_ARGS__) M(L, S, __VA_ARGS__)
#define MASK_LD     0xfcff
#define SET_LD_MOST  SET_LD
#define MASK_LD_MOST MASK_LD
#define SET_LD_FEW  SET_UN_A
#define MASK_LD_FEW MASK_UN_A
/* Stores: address, value; each bit of the mask is one variant. Floats only from the accumulator. */
#define SET_ST(M, ...)                                                                             \
	M(SS, A, __VA_ARGS__)                                                                      \
	M(AS, A, __VA_ARGS__) M(SA, A, __VA_ARGS__) M(SK, A, __VA_ARGS__) M(AK, A, __VA_ARGS__)
#define MASK_ST 0x1f
#define SET_ST_ALL(M, ...)                                                                         \
	SET_ST(M, __VA_ARGS__)                                                                     \
	M(SLS, A, __VA_ARGS__)                                                                     \
	M(SLA, A, __VA_ARGS__)                                                                     \
	M(SSS, A, __VA_ARGS__)                                                                     \
	M(SSA, A, __VA_ARGS__) M(SLK, A, __VA_ARGS__) M(LS, A, __VA_ARGS__) M(LA, A, __VA_ARGS__)
#define MASK_ST_ALL 0xfff
#define SET_ST_F(M, ...)                                                                           \
	M(SA, A, __VA_ARGS__)                                                                      \
	M(SLA, A, __VA_ARGS__) M(SSA, A, __VA_ARGS__) M(LA, A, __VA_ARGS__)
#define MASK_ST_F 0x944

/* clang-format on */

#endif
