/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the translator: writing units, and the one operation whose result has no place yet. */
#ifndef ROTOR_EMIT_H
#define ROTOR_EMIT_H

#include "rotor/translate.h"

/* Appends units. */
int emit(struct rotor_loader *l, unsigned count, const uint16_t *units);
/* Appends an operation, which may become one with the operation before. */
int emit_op(struct rotor_loader *l, unsigned count, const uint16_t *units);
/* The same of up to three units in registers, which takes less code at each of many places. */
int emit_one(struct rotor_loader *l, unsigned op);
int emit_two(struct rotor_loader *l, unsigned op, unsigned a);
int emit_three(struct rotor_loader *l, unsigned op, unsigned a, unsigned b);
#define EMIT(l, ...)                                                                               \
	emit_op((l), sizeof((uint16_t[]){__VA_ARGS__}) / 2, (const uint16_t[]){__VA_ARGS__})
/* Notes the place in the module of the operation that comes next. */
int emit_map(struct rotor_loader *l, uint32_t offset);

/* What the choice of variants has: what there is no variant for is not compiled. */
enum {
	HAS_SUM_LOADS = (MASK_LD & ~0xf) != 0, /* of addresses that are sums */
	HAS_SUM_STORES = (MASK_ST_ALL >> OPERANDS_STORE_SLS) != 0,
	HAS_SUMS = HAS_SUM_LOADS,
	HAS_LONG = (MASK_ADD >> (2 * OPERANDS_SL)) != 0, /* 32-bit constants as operands */
};
static inline bool emit_is_sum(const struct entry *e)
{
	return HAS_SUMS && (e->kind == ENTRY_SUM || e->kind == ENTRY_SUM2);
}

/* The accumulators: what slots they hold the value of too. */
void emit_forget(struct translator *t);
/* cells from slot on were written by something that leaves accumulators alone. */
void emit_wrote(struct translator *t, uint16_t slot, unsigned cells);
bool emit_held(const struct translator *t, const struct entry *e);
/* Whether a constant fits the short operand of its type. */
bool emit_fits16(const struct entry *e);
bool emit_slot(const struct entry *e, uint16_t *slot);

/* The number of an operation's variant, or F_HALT if there is none; bit: its bit in variants. */
uint16_t emit_variant_bit(uint16_t base, uint16_t variants, unsigned bit);
uint16_t emit_variant(uint16_t base, uint16_t variants, unsigned operands, bool to_slot);

/* Emits what is pending: its result to the accumulator, a slot, or the slot of its entry. */
int emit_pending_acc(struct rotor_loader *l);
int emit_pending_slot(struct rotor_loader *l, uint16_t slot);
int emit_flush(struct rotor_loader *l);

/* Moves a value that is not pending to a slot, or a constant to its accumulator. */
int emit_move(struct rotor_loader *l, const struct entry *e, uint16_t slot);
/* Computes a sum into the accumulator and, unless NO_SLOT, a slot. */
int emit_sum(struct rotor_loader *l, const struct entry *e, uint16_t slot);
int emit_const_acc(struct rotor_loader *l, const struct entry *e);
/* Units of operands a and b, in this order, appended to *units; how many. */
unsigned emit_operands(unsigned operands, uint8_t type, uint16_t a, uint64_t b, uint16_t *units);
/* Puts a popped value into its own slot if it is not in a slot yet; *slot is where it is then. */
int emit_to_slot(struct rotor_loader *l, struct entry *e, uint16_t *slot);

/* Both operands of a binary operation, comparison or store brought to where a variant wants them. */
struct bound {
	unsigned operands;
	uint16_t a; /* slot */
	uint64_t b; /* slot or constant */
};
/* Chooses among variants, then brings a and b there. mirror: with operands swapped; 0: none. */
int emit_bind(struct rotor_loader *l, uint16_t variants, uint16_t mirror, struct entry *a,
	      struct entry *b, struct bound *out, bool *swapped);
/* The one operand of an operation: from a slot, if it has a variant for that, or the accumulator. */
int emit_bind_one(struct rotor_loader *l, uint16_t variants, struct entry *a, struct bound *out);

/* translate.c for translate_control.c */
int t_settle_entry(struct rotor_loader *l, struct entry *e);
/* Settles the entries of the innermost block that refer to locals. */
int t_settle_locals(struct rotor_loader *l);
/* Settles the top count entries, and the popped index above them. */
int t_settle_index(struct rotor_loader *l, uint32_t count, struct entry *index, uint16_t *slot);
unsigned t_inverse(unsigned generic);
unsigned t_mirror(unsigned generic);

#endif
