/* SPDX-License-Identifier: Apache-2.0 */
/* Inside validation: validate.c has the stack, blocks, branches and calls; validate_ops.c all else. */
#ifndef ROTOR_VALIDATE_H
#define ROTOR_VALIDATE_H

#include "rotor/translate.h"

/* An error of types in the function being read. */
int v_mismatch(struct rotor_loader *l);
/* Whether the place in the code can be reached. */
bool v_live(const struct rotor_loader *l);
/* The slot after the top entry's. */
uint32_t v_next_slot(const struct rotor_loader *l);
int v_push(struct rotor_loader *l, uint8_t type);
/* Pushes what the translator was just told of. */
int v_push_result(struct rotor_loader *l, uint8_t type);
/* Pops a value of that type (TYPE_UNKNOWN: of any); *out, if wanted, is a copy of it. */
int v_pop(struct rotor_loader *l, uint8_t type, struct entry *out);
/* Checks that the top entries have these types, without popping them. */
int v_peek_types(struct rotor_loader *l, const uint8_t *types, uint32_t count);
int v_pop_types(struct rotor_loader *l, const uint8_t *types, uint32_t count);
/* The slot of the first of the top count entries, or of the next one. */
uint16_t v_args_slot(const struct rotor_loader *l, uint32_t count);
int v_find_table(struct rotor_loader *l, uint32_t idx, uint8_t *type);

/* Instructions. */
int v_op_const(struct rotor_loader *l, uint8_t type, uint64_t k);
int v_op_drop(struct rotor_loader *l);
int v_op_eqz(struct rotor_loader *l, uint8_t type);
int v_op_global(struct rotor_loader *l, const struct instr *in);
int v_op_high(struct rotor_loader *l, const struct instr *in);
int v_op_local(struct rotor_loader *l, const struct instr *in);
int v_op_memory(struct rotor_loader *l, const struct instr *in);
int v_op_memory_access(struct rotor_loader *l, const struct instr *in);
int v_op_numeric(struct rotor_loader *l, unsigned generic);
int v_op_prefixed(struct rotor_loader *l, const struct instr *in);
int v_op_ref_func(struct rotor_loader *l, uint32_t func);
int v_op_select(struct rotor_loader *l, uint8_t type);
int v_op_table(struct rotor_loader *l, const struct instr *in);

#endif
