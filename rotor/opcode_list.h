/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one table of the form's operations. Enum, handlers, lengths, names and the translator's choice
 * of variants all come from these rows; a row or set that is changed here changes everywhere.
 *
 * A generic operation has variants: where its operands are (S a frame slot, A the accumulator, K a
 * 16-bit signed constant) and where its result goes (A the accumulator only, S also a slot).
 * A set names the variants that exist; the translator falls back to one that does. There are three
 * choices: fast, with ROTOR_PAIRS fast and more pairs, with ROTOR_SMALL small; their forms differ, so
 * an instance that is saved goes on where the choice is the same.
 *
 * Rules: 1. Every operation that yields a value leaves it in the accumulator of its type, also when
 *           it stores it; moves (MOV, K to slot), stores and branches leave accumulators alone.
 *        2. Units: operation, then S and K operands in order, then immediates, then the result slot.
 */
#ifndef ROTOR_OPCODE_LIST_H
#define ROTOR_OPCODE_LIST_H

/* FORM_CALL_PLACE: units in which a call knows its function's place in the form; 0: it asks funcs. */
#if defined(ROTOR_SMALL)
#include "rotor/variants_small_list.h"
#define FORM_CALL_PLACE 0
#define FORM_PAIR_LIST(P)
#else
#include "rotor/variants_fast_list.h"
#include "rotor/pairs_fast_list.h"
#if defined(ROTOR_PAIRS)
#include "rotor/pairs_wide_list.h"
#define FORM_PAIR_LIST(P) FORM_PAIR_FAST_LIST(P) FORM_PAIR_WIDE_LIST(P)
#define FORM_CALL_PLACE   2
#else
#define FORM_PAIR_LIST(P) FORM_PAIR_FAST_LIST(P)
#define FORM_CALL_PLACE   0
#endif
#endif

/* R(name, operand type, result type, set, result from a and b); NaN rules: Wasm 2.0 4.3.3. */
#define FORM_BIN_LIST(R)                                                                           \
	R(I32_ADD, u32, u32, ADD, a + b)                                                           \
	R(I32_SUB, u32, u32, SUB, a - b)                                                           \
	R(I32_MUL, u32, u32, COMM, a *b)                                                           \
	R(I32_AND, u32, u32, COMM, a &b)                                                           \
	R(I32_OR, u32, u32, COMM, a | b)                                                           \
	R(I32_XOR, u32, u32, COMM, a ^ b)                                                          \
	R(I32_SHL, u32, u32, SHIFT, a << (b & 31))                                                 \
	R(I32_SHR_S, i32, i32, SHIFT, a >> (b & 31))                                               \
	R(I32_SHR_U, u32, u32, SHIFT, a >> (b & 31))                                               \
	R(I32_ROTL, u32, u32, SHIFT, rotl32(a, b))                                                 \
	R(I32_ROTR, u32, u32, SS, rotl32(a, 0 - b))                                                \
	R(I64_ADD, u64, u64, COMM64, a + b)                                                        \
	R(I64_SUB, u64, u64, SUB64, a - b)                                                         \
	R(I64_MUL, u64, u64, COMM64, a *b)                                                         \
	R(I64_AND, u64, u64, COMM64, a &b)                                                         \
	R(I64_OR, u64, u64, COMM64, a | b)                                                         \
	R(I64_XOR, u64, u64, COMM64, a ^ b)                                                        \
	R(I64_SHL, u64, u64, SHIFT64, a << (b & 63))                                               \
	R(I64_SHR_S, i64, i64, SHIFT64, a >> (b & 63))                                             \
	R(I64_SHR_U, u64, u64, SHIFT64, a >> (b & 63))                                             \
	R(I64_ROTL, u64, u64, SHIFT64, rotl64(a, b))                                               \
	R(I64_ROTR, u64, u64, SS, rotl64(a, 0 - b))                                                \
	R(F32_ADD, f32, f32, FCOMM32, a + b)                                                       \
	R(F32_SUB, f32, f32, FSUB, a - b)                                                          \
	R(F32_MUL, f32, f32, FCOMM32, a *b)                                                        \
	R(F32_DIV, f32, f32, FSUB, a / b)                                                          \
	R(F32_MIN, f32, f32, SS, f32_min(a, b))                                                    \
	R(F32_MAX, f32, f32, SS, f32_max(a, b))                                                    \
	R(F32_COPYSIGN, f32, f32, SS, __builtin_copysignf(a, b))                                   \
	R(F64_ADD, f64, f64, FCOMM64, a + b)                                                       \
	R(F64_SUB, f64, f64, FSUB, a - b)                                                          \
	R(F64_MUL, f64, f64, FCOMM64, a *b)                                                        \
	R(F64_DIV, f64, f64, FSUB, a / b)                                                          \
	R(F64_MIN, f64, f64, SS, f64_min(a, b))                                                    \
	R(F64_MAX, f64, f64, SS, f64_max(a, b))                                                    \
	R(F64_COPYSIGN, f64, f64, SS, __builtin_copysign(a, b))                                    \
	R(F32_EQ, f32, u32, FEQ, a == b)                                                           \
	R(F32_NE, f32, u32, FEQ, a != b)                                                           \
	R(F32_LT, f32, u32, FLT, a < b)                                                            \
	R(F32_GT, f32, u32, FLT, a > b)                                                            \
	R(F32_LE, f32, u32, FLT, a <= b)                                                           \
	R(F32_GE, f32, u32, FLT, a >= b)                                                           \
	R(F64_EQ, f64, u32, FEQ, a == b)                                                           \
	R(F64_NE, f64, u32, FEQ, a != b)                                                           \
	R(F64_LT, f64, u32, FLT, a < b)                                                            \
	R(F64_GT, f64, u32, FLT, a > b)                                                            \
	R(F64_LE, f64, u32, FLT, a <= b)                                                           \
	R(F64_GE, f64, u32, FLT, a >= b)

/* R(name, type, type, set, result, trap condition, its reason, second condition, its reason) */
#define FORM_DIV_LIST(R)                                                                           \
	R(I32_DIV_S, i32, i32, DIV, a / b, b == 0, DIV_ZERO, a == INT32_MIN && b == -1, OVERFLOW)  \
	R(I32_DIV_U, u32, u32, DIV, a / b, b == 0, DIV_ZERO, false, OVERFLOW)                      \
	R(I32_REM_S, i32, i32, DIV, b == -1 ? 0 : a % b, b == 0, DIV_ZERO, false, OVERFLOW)        \
	R(I32_REM_U, u32, u32, DIV, a % b, b == 0, DIV_ZERO, false, OVERFLOW)                      \
	R(I64_DIV_S, i64, i64, DIV, a / b, b == 0, DIV_ZERO, a == INT64_MIN && b == -1, OVERFLOW)  \
	R(I64_DIV_U, u64, u64, DIV, a / b, b == 0, DIV_ZERO, false, OVERFLOW)                      \
	R(I64_REM_S, i64, i64, DIV, b == -1 ? 0 : a % b, b == 0, DIV_ZERO, false, OVERFLOW)        \
	R(I64_REM_U, u64, u64, DIV, a % b, b == 0, DIV_ZERO, false, OVERFLOW)

/* R(name, operand type, set, condition, inverse, mirror): integer comparisons. Each stands three
 * times in the form: as a value, as a forward branch (BR_) and as a charged backward one (BACK_). */
#define FORM_CMP_LIST(R)                                                                           \
	R(I32_EQ, u32, CMP, a == b, I32_NE, I32_EQ)                                                \
	R(I32_NE, u32, CMP, a != b, I32_EQ, I32_NE)                                                \
	R(I32_LT_S, i32, CMP, a < b, I32_GE_S, I32_GT_S)                                           \
	R(I32_LT_U, u32, CMP, a < b, I32_GE_U, I32_GT_U)                                           \
	R(I32_GT_S, i32, CMP_NOSS, a > b, I32_LE_S, I32_LT_S)                                      \
	R(I32_GT_U, u32, CMP_NOSS, a > b, I32_LE_U, I32_LT_U)                                      \
	R(I32_LE_S, i32, CMP, a <= b, I32_GT_S, I32_GE_S)                                          \
	R(I32_LE_U, u32, CMP, a <= b, I32_GT_U, I32_GE_U)                                          \
	R(I32_GE_S, i32, CMP_NOSS, a >= b, I32_LT_S, I32_LE_S)                                     \
	R(I32_GE_U, u32, CMP_NOSS, a >= b, I32_LT_U, I32_LE_U)                                     \
	R(I64_EQ, u64, CMP64, a == b, I64_NE, I64_EQ)                                              \
	R(I64_NE, u64, CMP64, a != b, I64_EQ, I64_NE)                                              \
	R(I64_LT_S, i64, CMP64, a < b, I64_GE_S, I64_GT_S)                                         \
	R(I64_LT_U, u64, CMP64, a < b, I64_GE_U, I64_GT_U)                                         \
	R(I64_GT_S, i64, CMP64_NOSS, a > b, I64_LE_S, I64_LT_S)                                    \
	R(I64_GT_U, u64, CMP64_NOSS, a > b, I64_LE_U, I64_LT_U)                                    \
	R(I64_LE_S, i64, CMP64, a <= b, I64_GT_S, I64_GE_S)                                        \
	R(I64_LE_U, u64, CMP64, a <= b, I64_GT_U, I64_GE_U)                                        \
	R(I64_GE_S, i64, CMP64_NOSS, a >= b, I64_LT_S, I64_LE_S)                                   \
	R(I64_GE_U, u64, CMP64_NOSS, a >= b, I64_LT_U, I64_LE_U)

/* R(name, operand type, result type, set, result from a) */
#define FORM_UN_LIST(R)                                                                            \
	R(I32_CLZ, u32, u32, UN_A, clz32(a))                                                       \
	R(I32_CTZ, u32, u32, UN_A, ctz32(a))                                                       \
	R(I32_POPCNT, u32, u32, UN_A, (uint32_t)__builtin_popcount(a))                             \
	R(I64_CLZ, u64, u64, UN_A, clz64(a))                                                       \
	R(I64_CTZ, u64, u64, UN_A, ctz64(a))                                                       \
	R(I64_POPCNT, u64, u64, UN_A, (uint64_t)__builtin_popcountll(a))                           \
	R(F32_ABS, f32, f32, UN_A, __builtin_fabsf(a))                                             \
	R(F32_NEG, f32, f32, UN_A, -a)                                                             \
	R(F32_CEIL, f32, f32, UN_A, (float)f64_round(a, ROUND_CEIL))                               \
	R(F32_FLOOR, f32, f32, UN_A, (float)f64_round(a, ROUND_FLOOR))                             \
	R(F32_TRUNC, f32, f32, UN_A, (float)f64_round(a, ROUND_TRUNC))                             \
	R(F32_NEAREST, f32, f32, UN_A, (float)f64_round(a, ROUND_NEAREST))                         \
	R(F32_SQRT, f32, f32, UN_A, __builtin_sqrtf(a))                                            \
	R(F64_ABS, f64, f64, UN_A, __builtin_fabs(a))                                              \
	R(F64_NEG, f64, f64, UN_A, -a)                                                             \
	R(F64_CEIL, f64, f64, UN_A, f64_round(a, ROUND_CEIL))                                      \
	R(F64_FLOOR, f64, f64, UN_A, f64_round(a, ROUND_FLOOR))                                    \
	R(F64_TRUNC, f64, f64, UN_A, f64_round(a, ROUND_TRUNC))                                    \
	R(F64_NEAREST, f64, f64, UN_A, f64_round(a, ROUND_NEAREST))                                \
	R(F64_SQRT, f64, f64, UN_A, __builtin_sqrt(a))                                             \
	R(I32_WRAP_I64, u64, u32, UN, (uint32_t)a)                                                 \
	R(I64_EXTEND_I32_S, i32, i64, UN, (int64_t)a)                                              \
	R(I64_EXTEND_I32_U, u32, u64, UN, (uint64_t)a)                                             \
	R(F32_CONVERT_I32_S, i32, f32, UN_A, (float)a)                                             \
	R(F32_CONVERT_I32_U, u32, f32, UN_A, (float)a)                                             \
	R(F32_CONVERT_I64_S, i64, f32, UN_A, (float)a)                                             \
	R(F32_CONVERT_I64_U, u64, f32, UN_A, (float)a)                                             \
	R(F32_DEMOTE_F64, f64, f32, UN_A, (float)a)                                                \
	R(F64_CONVERT_I32_S, i32, f64, UN_A, (double)a)                                            \
	R(F64_CONVERT_I32_U, u32, f64, UN_A, (double)a)                                            \
	R(F64_CONVERT_I64_S, i64, f64, UN_A, (double)a)                                            \
	R(F64_CONVERT_I64_U, u64, f64, UN_A, (double)a)                                            \
	R(F64_PROMOTE_F32, f32, f64, UN_A, (double)a)                                              \
	R(I32_REINTERPRET_F32, f32, u32, UN_A, f32_bits(a))                                        \
	R(I64_REINTERPRET_F64, f64, u64, UN_A, f64_bits(a))                                        \
	R(F32_REINTERPRET_I32, u32, f32, UN_A, f32_from(a))                                        \
	R(F64_REINTERPRET_I64, u64, f64, UN_A, f64_from(a))                                        \
	R(I32_EXTEND8_S, i32, i32, UN, (int8_t)a)                                                  \
	R(I32_EXTEND16_S, i32, i32, UN, (int16_t)a)                                                \
	R(I64_EXTEND8_S, i64, i64, UN_A, (int8_t)a)                                                \
	R(I64_EXTEND16_S, i64, i64, UN_A, (int16_t)a)                                              \
	R(I64_EXTEND32_S, i64, i64, UN_A, (int32_t)a)                                              \
	R(I32_TRUNC_SAT_F32_S, f32, i32, UN_A, sat_i32_f32(a))                                     \
	R(I32_TRUNC_SAT_F32_U, f32, u32, UN_A, sat_u32_f32(a))                                     \
	R(I32_TRUNC_SAT_F64_S, f64, i32, UN_A, sat_i32_f64(a))                                     \
	R(I32_TRUNC_SAT_F64_U, f64, u32, UN_A, sat_u32_f64(a))                                     \
	R(I64_TRUNC_SAT_F32_S, f32, i64, UN_A, sat_i64_f32(a))                                     \
	R(I64_TRUNC_SAT_F32_U, f32, u64, UN_A, sat_u64_f32(a))                                     \
	R(I64_TRUNC_SAT_F64_S, f64, i64, UN_A, sat_i64_f64(a))                                     \
	R(I64_TRUNC_SAT_F64_U, f64, u64, UN_A, sat_u64_f64(a))

/* R(name, operand type, result type, set, result type in C, lowest not allowed, lowest too high):
 * the value must lie strictly between. */
#define FORM_TRUNC_LIST(R)                                                                         \
	R(I32_TRUNC_F32_S, f32, i32, UN_A, int32_t, a >= -2147483648.0f, 2147483648.0f)            \
	R(I32_TRUNC_F32_U, f32, u32, UN_A, uint32_t, a > -1.0f, 4294967296.0f)                     \
	R(I32_TRUNC_F64_S, f64, i32, UN_A, int32_t, a > -2147483649.0, 2147483648.0)               \
	R(I32_TRUNC_F64_U, f64, u32, UN_A, uint32_t, a > -1.0, 4294967296.0)                       \
	R(I64_TRUNC_F32_S, f32, i64, UN_A, int64_t, a >= -9223372036854775808.0f,                  \
	  9223372036854775808.0f)                                                                  \
	R(I64_TRUNC_F32_U, f32, u64, UN_A, uint64_t, a > -1.0f, 18446744073709551616.0f)           \
	R(I64_TRUNC_F64_S, f64, i64, UN_A, int64_t, a >= -9223372036854775808.0,                   \
	  9223372036854775808.0)                                                                   \
	R(I64_TRUNC_F64_U, f64, u64, UN_A, uint64_t, a > -1.0, 18446744073709551616.0)

/* R(name, type in memory, result type, set); immediate: distance of the last byte from the address. */
#define FORM_LOAD_LIST(R)                                                                          \
	R(I32_LOAD, uint32_t, u32, LD_MOST)                                                        \
	R(I64_LOAD, uint64_t, u64, LD)                                                             \
	R(F32_LOAD, float, f32, LD)                                                                \
	R(F64_LOAD, double, f64, LD)                                                               \
	R(I32_LOAD8_S, int8_t, i32, LD)                                                            \
	R(I32_LOAD8_U, uint8_t, u32, LD_MOST)                                                      \
	R(I32_LOAD16_S, int16_t, i32, LD)                                                          \
	R(I32_LOAD16_U, uint16_t, u32, LD)                                                         \
	R(I64_LOAD8_S, int8_t, i64, LD_FEW)                                                        \
	R(I64_LOAD8_U, uint8_t, u64, LD_FEW)                                                       \
	R(I64_LOAD16_S, int16_t, i64, LD_FEW)                                                      \
	R(I64_LOAD16_U, uint16_t, u64, LD_FEW)                                                     \
	R(I64_LOAD32_S, int32_t, i64, LD_FEW)                                                      \
	R(I64_LOAD32_U, uint32_t, u64, LD_FEW)

/* R(name, type in memory, value's type, set); immediate as of loads. Floats in slots are stored as
 * integers, so only their accumulators have rows. */
#define FORM_STORE_LIST(R)                                                                         \
	R(I32_STORE, uint32_t, u32, ST_ALL)                                                        \
	R(I64_STORE, uint64_t, u64, ST_ALL)                                                        \
	R(F32_STORE, float, f32, ST_F)                                                             \
	R(F64_STORE, double, f64, ST_F)                                                            \
	R(I32_STORE8, uint8_t, u32, ST_ALL)                                                        \
	R(I32_STORE16, uint16_t, u32, ST_ALL)                                                      \
	R(I64_STORE8, uint8_t, u64, ST)                                                            \
	R(I64_STORE16, uint16_t, u64, ST)                                                          \
	R(I64_STORE32, uint32_t, u64, ST)

/* R(name, type, set): condition in the operand, then the slots of both values. */
#define FORM_SELECT_LIST(R)                                                                        \
	R(SELECT_I32, u32, SELECT)                                                                 \
	R(SELECT_I64, u64, SELECT)                                                                 \
	R(SELECT_F32, f32, SELECT)                                                                 \
	R(SELECT_F64, f64, SELECT)

/* Operations without variants. R(name, units, can trap or call) */
#define FORM_PLAIN_LIST(R)                                                                         \
	R(HALT, 1, 0)                                                                              \
	R(ENTER_IMPORT, 2, 1) /* 0: calls the import that the activation names */                  \
	R(UNREACHABLE, 1, 1)                                                                       \
	R(MOV32, 3, 0) /* from, to */                                                              \
	R(MOV64, 3, 0)                                                                             \
	R(LEA_SL, 5, 0) /* slot, 32-bit constant, to: their sum; a move */                         \
	R(LEA_SS, 4, 0) /* slot, slot, to */                                                       \
	R(K16_32, 3, 0) /* constant, to */                                                         \
	R(K32_32, 4, 0)                                                                            \
	R(K16_64, 3, 0) /* sign-extended */                                                        \
	R(K32_64, 4, 0)                                                                            \
	R(K64_64, 6, 0)                                                                            \
	R(KA_I32, 3, 0) /* constant into an accumulator */                                         \
	R(KA_I64, 3, 0) /* sign-extended from 32 bits */                                           \
	R(KA_F32, 3, 0)                                                                            \
	R(KA_F64, 5, 0)                                                                            \
	R(STA_I32, 2, 0) /* accumulator to slot */                                                 \
	R(STA_I64, 2, 0)                                                                           \
	R(STA_F32, 2, 0)                                                                           \
	R(STA_F64, 2, 0)                                                                           \
	R(LDA_I32, 2, 0) /* slot to accumulator */                                                 \
	R(LDA_I64, 2, 0)                                                                           \
	R(LDA_F32, 2, 0)                                                                           \
	R(LDA_F64, 2, 0)                                                                           \
	R(GGET32_A, 2, 0) /* own global's cell */                                                  \
	R(GGET32_S, 3, 0)                                                                          \
	R(GGET64_A, 2, 0)                                                                          \
	R(GGET64_S, 3, 0)                                                                          \
	R(GSET32_S, 3, 0) /* cell, slot */                                                         \
	R(GSET32_A, 2, 0)                                                                          \
	R(GSET64_S, 3, 0)                                                                          \
	R(GSET64_A, 2, 0)                                                                          \
	R(ADDR_S, 4, 1) /* slot plus 32-bit offset, into the accumulator */                        \
	R(ADDR_A, 3, 1)                                                                            \
	R(BR, 3, 0)      /* 32-bit distance from its own place */                                  \
	R(BR_LOOP, 5, 0) /* 32-bit cost, 32-bit distance */                                        \
	R(BRNZ_S, 4, 0)  /* slot, distance */                                                      \
	R(BRNZ_A, 3, 0)                                                                            \
	R(BRZ_S, 4, 0)                                                                             \
	R(BRZ_A, 3, 0)                                                                             \
	R(BACKNZ_S, 4, 0) /* slot, cost, distance back */                                          \
	R(BACKNZ_A, 3, 0)                                                                          \
	R(BACKZ_S, 4, 0)                                                                           \
	R(BACKZ_A, 3, 0)                                                                           \
	R(BR_TABLE, 4, 0) /* index slot, 32-bit count, count + 1 distances */                      \
	R(RETURN, 2, 0)   /* link slot */                                                          \
	R(RETURN32, 3, 0) /* result slot, link slot */                                             \
	R(RETURN64, 3, 0)                                                                          \
	R(CALL, 3 + FORM_CALL_PLACE,                                                               \
	  1)              /* function, place; last unit of every call: frame distance */           \
	R(CALL_FAR, 4, 1) /* 32-bit function */                                                    \
	R(CALL_IMPORT, 3, 1)                                                                       \
	R(CALL_INDIRECT, 5, 1) /* index slot, type, table */                                       \
	R(TAIL_CALL, 6, 1)     /* 32-bit function, argument slot, argument cells, link slot */     \
	R(TAIL_INDIRECT, 7, 1) /* index slot, type, table, cells, link slot, argument slot */      \
	R(GGET_IMPORT, 3, 0)   /* slot, global */                                                  \
	R(GSET_IMPORT, 3, 0)                                                                       \
	R(REF_FUNC, 4, 0)    /* slot, 32-bit function */                                           \
	R(MEMORY_SIZE, 2, 0) /* these take and give values in slots from the one named on */       \
	R(MEMORY_GROW, 2, 0)                                                                       \
	R(MEMORY_FILL, 2, 1)                                                                       \
	R(MEMORY_COPY, 2, 1)                                                                       \
	R(MEMORY_INIT, 3, 1) /* segment */                                                         \
	R(DATA_DROP, 2, 0)                                                                         \
	R(TABLE_GET, 3, 1) /* table */                                                             \
	R(TABLE_SET, 3, 1)                                                                         \
	R(TABLE_SIZE, 3, 0)                                                                        \
	R(TABLE_GROW, 3, 0)                                                                        \
	R(TABLE_FILL, 3, 1)                                                                        \
	R(TABLE_COPY, 4, 1) /* destination table, source table */                                  \
	R(TABLE_INIT, 4, 1) /* table, segment */                                                   \
	R(ELEM_DROP, 2, 0)

#endif
