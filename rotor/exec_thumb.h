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

/* The registers are where they were: no copies of them are kept over a call. */
#define CALLED __asm__ volatile("" : "+r"(pc), "+r"(fp), "+r"(x));

#define IN_REGISTER(v) __asm__("" : "+r"(v))

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

/* The slice without the cost; it is looked at after the next operation is known. */
#define CHARGE_AND_NEXT(cost, units)                                                               \
	do {                                                                                       \
		uint32_t op_, left_;                                                               \
		__asm__ volatile goto(                                                             \
			"ldr %2, [%6, %4]\n\tsubs %2, %2, %3\n\tstr %2, [%6, %4]\n\t"              \
			"ldrh %1, [%0, %5]!\n\tbmi %l[cold_fuel]\n\t"                              \
			"ldr pc, [%7, %1, lsl #2]"                                                 \
			: "+r"(pc), "=&r"(op_), "=&r"(left_)                                       \
			: "r"(cost), "i"(offsetof(struct exec, slice)), "i"(2 * (units)), "r"(x),  \
			  "r"(labels)                                                              \
			: "cc", "memory"                                                           \
			: dispatch, cold_fuel);                                                    \
		__builtin_unreachable();                                                           \
	} while (0)
#define CHARGE_AND_GO(cost) CHARGE_AND_NEXT(cost, 0)

#define JUMP_LOOP(n)                                                                               \
	do {                                                                                       \
		uint32_t cost_, by_;                                                               \
		__asm__ volatile("ldr %1, [%0, %3]\n\tldr %2, [%0, %4]\n\t"                        \
				 "add %0, %0, %2, lsl #1"                                          \
				 : "+r"(pc), "=&r"(cost_), "=&r"(by_)                              \
				 : "i"(2 * (n)), "i"(2 * (n) + 4));                                \
		CHARGE_AND_NEXT(cost_, (n) + 2);                                                   \
	} while (0)
#define JUMP_BACK(n)                                                                               \
	do {                                                                                       \
		uint32_t cost_, by_;                                                               \
		__asm__ volatile("ldrh %1, [%0, %3]\n\tldrh %2, [%0, %4]\n\t"                      \
				 "sub %0, %0, %2, lsl #1"                                          \
				 : "+r"(pc), "=&r"(cost_), "=&r"(by_)                              \
				 : "i"(2 * (n)), "i"(2 * (n) + 2));                                \
		CHARGE_AND_NEXT(cost_, (n) + 1);                                                   \
	} while (0)

/* ZERO does that. */
#define FREE_ACCUMULATOR

/* Zeroes count cells from at on, four at a time; no accumulator is live. */
#define ZERO(at, count)                                                                            \
	do {                                                                                       \
		uint32_t *at_ = (at), left_ = (count);                                             \
		__asm__ volatile("cbz %1, 2f\n\tmov %2, #0\n\tmov %3, #0\n"                        \
				 "1:\tstrd %2, %3, [%0], #8\n\tstrd %2, %3, [%0], #8\n\t"          \
				 "subs %1, %1, #4\n\tbgt 1b\n2:"                                   \
				 : "+r"(at_), "+l"(left_), "=&r"(acc), "=&r"(acc_high)             \
				 :                                                                 \
				 : "cc", "memory");                                                \
	} while (0)

/* Checks bytes at a, the last of which is at a plus unit n; at is where they are. Register 3 has the
 * last byte's address for what is told of a trap. */
#define ACCESS_1(bytes, n)                                                                         \
	register uint32_t last __asm__("r3");                                                      \
	__asm__ volatile goto("adds %0, %1, %2\n\tbcs %l[cold_trap_wrapped]\n\t"                   \
			      "cmp %0, %3\n\tbcs %l[cold_trap_beyond]"                             \
			      : "=r"(last)                                                         \
			      : "r"(a), "r"((uint32_t)PC[n]), "r"(mem_bytes)                       \
			      : "cc"                                                               \
			      : cold_trap_wrapped, cold_trap_beyond);                              \
	uint8_t *at = MEM + (last - ((bytes)-1))
#define ACCESS_0(bytes, n)                                                                         \
	register uint32_t last __asm__("r3") = a;                                                  \
	if ((bytes) > 1) {                                                                         \
		__asm__ volatile goto("adds %0, %1, %2\n\tbcs %l[cold_trap_wrapped]"               \
				      : "=r"(last)                                                 \
				      : "r"(a), "i"((bytes)-1)                                     \
				      : "cc"                                                       \
				      : cold_trap_wrapped);                                        \
	}                                                                                          \
	__asm__ volatile goto("cmp %0, %1\n\tbcs %l[cold_trap_beyond]"                             \
			      :                                                                    \
			      : "r"(last), "r"(mem_bytes)                                          \
			      : "cc"                                                               \
			      : cold_trap_beyond);                                                 \
	uint8_t *at = MEM + a
#define ACCESS_LAST                                                                                \
	register uint32_t access_last __asm__("r3");                                               \
	__asm__ volatile("" : "=r"(access_last))

#endif
