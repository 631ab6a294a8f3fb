/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What validate.c tells about each valid, reachable instruction. translate.c makes the form of it; a
 * compiler can put its own implementation of these functions in translate.c's place.
 *
 * Entries that were popped are handed as copies. t_* functions that yield a value are called before
 * the result is pushed; t_result then takes the pushed entry.
 */
#ifndef ROTOR_TRANSLATE_H
#define ROTOR_TRANSLATE_H

#include "rotor/load.h"

int t_begin(struct rotor_loader *l);
int t_end(struct rotor_loader *l);

/* Checks that there is room for count more entries on the stack. */
int t_room_for_entries(struct rotor_loader *l, unsigned count);
/* Checks that a frame of so many cells is not too large for operands of 16 bits. */
int t_check_frame(struct rotor_loader *l, uint32_t cells);

/* Puts the top count entries into their own slots. */
int t_settle(struct rotor_loader *l, uint32_t count);

int t_result(struct rotor_loader *l, struct entry *e);
int t_unary(struct rotor_loader *l, unsigned generic, struct entry *a);
int t_binary(struct rotor_loader *l, unsigned generic, struct entry *a, struct entry *b);
/* last: bytes of the access less one. */
int t_load(struct rotor_loader *l, unsigned generic, struct entry *a, uint32_t offset,
	   unsigned last);
int t_store(struct rotor_loader *l, unsigned generic, struct entry *a, struct entry *v,
	    uint32_t offset, unsigned last);
int t_select(struct rotor_loader *l, uint8_t type, struct entry *a, struct entry *b,
	     struct entry *cond);
int t_drop(struct rotor_loader *l, struct entry *v);
void t_local_get(struct rotor_loader *l, struct entry *e, uint16_t slot);
int t_local_set(struct rotor_loader *l, uint16_t slot, uint8_t type, struct entry *v);
/* After the same as local.set; e is the pushed entry. */
void t_local_tee(struct rotor_loader *l, uint16_t slot, const struct entry *v, struct entry *e);
int t_global_get(struct rotor_loader *l, uint8_t type, uint16_t cell);
int t_global_set(struct rotor_loader *l, uint8_t type, uint16_t cell, struct entry *v);

/* An operation on settled operands in slots from slot on, with up to three more units. */
int t_plain(struct rotor_loader *l, unsigned op, unsigned count, const uint16_t *units);

/* Control. cond and index are popped already; values that stay are settled. */
/* Begins a block: settles its parameters and what is below; if cond is not NULL jumps over it. */
int t_enter(struct rotor_loader *l, struct ctl *c, uint32_t params, struct entry *cond);
int t_else(struct rotor_loader *l, struct ctl *c, uint32_t results);
int t_loop(struct rotor_loader *l, struct ctl *c);
/* *keep: the results stay where they are, unsettled. */
int t_block_end(struct rotor_loader *l, const struct ctl *c, uint32_t results, bool live,
		bool *keep);
/* The top entries were moved to another place of the stack. */
void t_moved(struct rotor_loader *l, const struct entry *from, struct entry *to);
int t_branch(struct rotor_loader *l, struct ctl *c, uint32_t arity);
int t_branch_if(struct rotor_loader *l, struct ctl *c, uint32_t arity, struct entry *cond);
int t_return(struct rotor_loader *l, uint32_t arity);
int t_table_begin(struct rotor_loader *l, struct entry *index, uint32_t targets, uint32_t arity);
int t_table_target(struct rotor_loader *l, struct ctl *c, uint32_t depth, uint32_t arity);
int t_table_end(struct rotor_loader *l, uint32_t arity);

/* func: index; args are the top count entries, settled by this. slot: the first one's. */
int t_call(struct rotor_loader *l, uint32_t func, uint32_t count, uint16_t slot);
int t_call_indirect(struct rotor_loader *l, struct entry *index, uint16_t type, uint16_t table,
		    uint32_t count, uint16_t slot);
int t_tail_call(struct rotor_loader *l, uint32_t func, uint32_t count, uint16_t slot);
int t_tail_indirect(struct rotor_loader *l, struct entry *index, uint16_t type, uint16_t table,
		    uint32_t count, uint16_t slot);

struct ctl *validate_label(struct rotor_loader *l, uint32_t depth);

#endif
