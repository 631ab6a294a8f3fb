/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers that stop, call elsewhere, or work on memory and tables as a whole; the cold ends of others.
 *
 * Rule: fuel is charged once per event, after its effect: stopping charges nothing twice.
 */
#include "rotor/exec.h"

#if defined(EXEC_HANDLERS)

/* ---- stopping ---- */

HANDLER(HALT)
{
	X->why = STOP_DONE;
	LEAVE;
}

HANDLER(UNREACHABLE)
{
	TRAP(UNREACHABLE);
}

COLD_HANDLER(cold_trap)
{
	X->why = STOP_TRAP;
	LEAVE;
}

#if defined(ROTOR_DISPATCH_GOTO)
COLD_HANDLER(cold_trap_wrapped)
{
	ACCESS_LAST;
	X->address = UINT64_C(0x100000000) + access_last;
	CALL(cold_trap_memory);
}

COLD_HANDLER(cold_trap_beyond)
{
	ACCESS_LAST;
	X->address = access_last;
	CALL(cold_trap_memory);
}
#endif

COLD_HANDLER(cold_trap_memory)
{
	const struct memory *m = X->in->memory;
	bool unbacked = m->used_only && X->address < module_page_bytes(m->pages, m->page_shift);

	X->trap = unbacked ? ROTOR_TRAP_UNBACKED : ROTOR_TRAP_MEMORY;
	CALL(cold_trap);
}

COLD_HANDLER(cold_fuel)
{
	if (exec_next_slice(X)) {
		GO;
	}
	X->why = STOP_FUEL;
	LEAVE;
}

/* ---- calls of other than own functions ---- */

/* What the host function charged is paid; now is the time to stop for it, or because it asked for
 * that: for room for what the program prints. */
#define ANSWERED(units)                                                                            \
	do {                                                                                       \
		RELOAD;                                                                            \
		PC += (units);                                                                     \
		if (UNLIKELY(exec_interrupted(X))) {                                               \
			X->why = STOP_FUEL;                                                        \
			LEAVE;                                                                     \
		}                                                                                  \
		CHARGE_AND_GO(0);                                                                  \
	} while (0)

COLD_HANDLER(cold_import)
{
	if (exec_import(X, PC[1], PC, FP, FP + PC[2])) {
		ANSWERED(3);
	}
	LEAVE;
}

COLD_HANDLER(cold_import_far)
{
	if (exec_import(X, *(const unit32 *)&PC[1], PC, FP, FP + PC[3])) {
		ANSWERED(4);
	}
	LEAVE;
}

/* A call of an import from outside: the activation says which. */
COLD_HANDLER(cold_enter_import)
{
	const struct activation *a = instance_activation(X->in);

	if (exec_import(X, a->func, PC, FP, FP)) {
		ANSWERED(2);
	}
	LEAVE;
}

COLD_HANDLER(cold_indirect)
{
	if (exec_elsewhere(X, PC, FP, PC[4])) {
		ANSWERED(5);
	}
	LEAVE;
}

COLD_HANDLER(cold_tail_elsewhere)
{
	if (exec_elsewhere(X, PC, FP, PC[6])) {
		ANSWERED(7);
	}
	LEAVE;
}

/* ---- operations on memory and tables as a whole, references, imported globals ---- */

COLD_HANDLER(cold_bulk)
{
	enum bulk how = bulk_step(X, PC, FP);

	RELOAD;
	if (how == BULK_TRAP) {
		CALL(cold_trap);
	}
	if (how == BULK_DONE) {
		PC += form_units(*PC);
	} else if (exec_interrupted(X)) {
		X->slice -= (int32_t)X->cost;
		X->why = STOP_FUEL;
		LEAVE;
	}
	CHARGE_AND_GO(X->cost);
}

#define H_BULK(name)                                                                               \
	HANDLER(name)                                                                              \
	{                                                                                          \
		CALL(cold_bulk);                                                                   \
	}
H_BULK(GGET_IMPORT)
H_BULK(GSET_IMPORT)
H_BULK(REF_FUNC)
H_BULK(MEMORY_SIZE)
H_BULK(MEMORY_GROW)
H_BULK(MEMORY_FILL)
H_BULK(MEMORY_COPY)
H_BULK(MEMORY_INIT)
H_BULK(DATA_DROP)
H_BULK(TABLE_GET)
H_BULK(TABLE_SET)
H_BULK(TABLE_SIZE)
H_BULK(TABLE_GROW)
H_BULK(TABLE_FILL)
H_BULK(TABLE_COPY)
H_BULK(TABLE_INIT)
H_BULK(ELEM_DROP)

#endif
