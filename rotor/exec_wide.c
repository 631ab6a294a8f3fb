/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers that do several operations: those of ROTOR_PAIRS, made of bodies that are inlined one
 * behind the other. Only where handlers are functions.
 */
#include "rotor/exec.h"

#if defined(ROTOR_PAIRS) && !defined(ROTOR_DISPATCH_GOTO)

/* ---- bodies see the registers through their arguments ---- */

#define UNUSED __attribute__((unused))
#undef PC
#undef FP
#undef MEM
#undef ACC32
#undef ACC64
#undef FACC
#undef DACC
#undef ACCESS_TO
#define PC pc
#if defined(ROTOR_DISPATCH_LOOP)
#define BODY_PARAMS  UNUSED const uint16_t *pc, UNUSED struct exec *x
#define BODY_ARGS(u) PC + (u), X
#define FP           (x->fp)
#define MEM          (x->mem)
#define ACC32        (x->acc)
#define ACC64        (x->acc)
#define FACC         (x->facc)
#define DACC         (x->dacc)
#else
#define BODY_PARAMS                                                                                \
	UNUSED const uint16_t *pc, UNUSED uint32_t *fp, UNUSED uint64_t *acc, UNUSED uint8_t *mem, \
		UNUSED struct exec *x, UNUSED float *facc, UNUSED double *dacc
#define BODY_ARGS(u) PC + (u), FP, &ACC64, MEM, X, &FACC, &DACC
#define FP           fp
#define MEM          mem
#define ACC32        (*acc)
#define ACC64        (*acc)
#define FACC         (*facc)
#define DACC         (*dacc)
#endif
#define ACCESS_TO(bytes, to_last)                                                                  \
	uint64_t last = (uint64_t)a + (to_last);                                                   \
	if (UNLIKELY(last >= X->mem_bytes)) {                                                      \
		X->address = last;                                                                 \
		return 1;                                                                          \
	}                                                                                          \
	uint8_t *at = MEM + (size_t)(last - ((bytes)-1))
#include "rotor/exec_body.h"
#undef PC
#undef FP
#undef MEM
#undef ACC32
#undef ACC64
#undef FACC
#undef DACC

/* ---- handlers again ---- */

#if defined(ROTOR_DISPATCH_LOOP)
#define PC    (x->pc)
#define FP    (x->fp)
#define MEM   (x->mem)
#define ACC64 (x->acc)
#define FACC  (x->facc)
#define DACC  (x->dacc)
#else
#define PC    pc
#define FP    fp
#define MEM   mem
#define ACC64 acc
#define FACC  facc
#define DACC  dacc
#endif

/* Does what operation name does, its operands beginning at unit u + 1, after maps places of the map;
 * goes on behind this if it neither jumps nor traps. */
#define DO(name, u, maps)                                                                          \
	do {                                                                                       \
		uint32_t how_ = b_##name(BODY_ARGS(u));                                            \
		if (how_ >= BODY_JUMP) {                                                           \
			JUMP((int32_t)((u) + how_ - BODY_JUMP));                                   \
		}                                                                                  \
		if (UNLIKELY(how_ != 0)) {                                                         \
			PC += (maps) + how_ - 1;                                                   \
			CALL(cold_trap_memory);                                                    \
		}                                                                                  \
	} while (0)

/* How the second goes on, by its kind; the arguments as of DO. */
#define END_PLAIN(name, u, maps)                                                                   \
	DO(name, u, maps);                                                                         \
	NEXT((u) + U_##name)
#define END_BR(name, u, maps)                                                                      \
	if (c_##name(BODY_ARGS(u))) {                                                              \
		JUMP((u) + U_##name - 2);                                                          \
	}                                                                                          \
	NEXT((u) + U_##name)
#define END_BACK(name, u, maps)                                                                    \
	if (c_##name(BODY_ARGS(u))) {                                                              \
		JUMP_BACK((u) + U_##name - 2);                                                     \
	}                                                                                          \
	NEXT((u) + U_##name)
#define END_JUMP(name, u, maps) JUMP((u) + 1)
#define END_LOOP(name, u, maps) JUMP_LOOP((u) + 1)
/* Calls and returns have handlers that do not look at their own first unit. */
#define END_HANDLER(name, u, maps)                                                                 \
	PC += (u);                                                                                 \
	CALL(h_##name)

#define P(kind, first, second)                                                                     \
	HANDLER(first##__##second)                                                                 \
	{                                                                                          \
		DO(first, 0, 0);                                                                   \
		END_##kind(second, U_##first - 1, M_##first);                                      \
	}
FORM_PAIR_LIST(P)
#undef P

#endif
