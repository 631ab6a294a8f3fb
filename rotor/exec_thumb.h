/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dispatch on Arm machines with Thumb-2 (GCC): the function of exec_goto.c keeps everything that
 * outlives a handler in a register of its own, so that no handler saves or loads any of it.
 *
 * The registers are exec_goto.c's; functions that handlers call keep all of them (AAPCS32 6.1.1).
 * The jump to the next handler is an asm that the compiler knows as a jump to "dispatch", whose own
 * indirect jump goes to every handler. It names a second label so that nothing takes it for a plain
 * jump, which could be merged with others.
 */
#ifndef ROTOR_EXEC_THUMB_H
#define ROTOR_EXEC_THUMB_H

/* Floats are computed by functions: their accumulators lie in memory. */
#define EXEC_REGS                                                                                  \
	float facc;                                                                                \
	double dacc;
#define EXEC_START      exec_thumb
/* A jump by a loaded address goes to Thumb code if the lowest bit is set. */
#define LABEL_AT(label) ((const char *)&&label + 1)
#define EXEC_LOCALS(exec, table)                                                                   \
	acc = acc_high = 0;                                                                        \
	x = exec;                                                                                  \
	labels = table;                                                                            \
	pc = x->pc;                                                                                \
	fp = x->fp;                                                                                \
	mem = x->mem;                                                                              \
	mem_bytes = (uint32_t)x->mem_bytes

#define PC        pc
#define FP        fp
#define MEM       mem
#define MEM_BYTES mem_bytes
#define ACC32     acc
#define FACC      (x->facc)
#define DACC      (x->dacc)
#define RELOAD    mem_bytes = (uint32_t)x->mem_bytes

/* The 64-bit accumulator is the 32-bit one and a second register. */
#define SETA_u32(v) ACC32 = (uint32_t)(v)
#define GETA_u64    ((uint64_t)acc_high << 32 | acc)
#define SETA_u64(v)                                                                                \
	do {                                                                                       \
		uint64_t v_ = (uint64_t)(v);                                                       \
		acc = (uint32_t)v_;                                                                \
		acc_high = (uint32_t)(v_ >> 32);                                                   \
	} while (0)

/* A handler knows nothing of these values but where they are. */
#define HANDLER_BEGIN                                                                              \
	__asm__ volatile(""                                                                        \
			 : "+r"(pc), "+r"(fp), "+r"(acc), "+r"(acc_high), "+r"(x), "+r"(labels),   \
			   "+r"(mem), "+r"(mem_bytes));

#define NEXT(units)                                                                                \
	do {                                                                                       \
		uint32_t op_;                                                                      \
		__asm__ volatile goto("ldrh %1, [%0, %2]!\n\tldr pc, [%3, %1, lsl #2]"             \
				      : "+r"(pc), "=&r"(op_)                                       \
				      : "i"(2 * (units)), "r"(labels)                              \
				      :                                                            \
				      : dispatch, cold_fuel);                                      \
		__builtin_unreachable();                                                           \
	} while (0)
#define GO                                                                                         \
	do {                                                                                       \
		uint32_t op_;                                                                      \
		__asm__ volatile goto("ldrh %0, [%1]\n\tldr pc, [%2, %0, lsl #2]"                  \
				      : "=&r"(op_)                                                 \
				      : "r"(pc), "r"(labels)                                       \
				      :                                                            \
				      : dispatch, cold_fuel);                                      \
		__builtin_unreachable();                                                           \
	} while (0)

#endif
