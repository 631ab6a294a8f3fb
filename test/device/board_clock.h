/* SPDX-License-Identifier: Apache-2.0 */
/* The clocks and the free memory of the emulated boards, where one instruction takes 1 ns. */
#ifndef TEST_DEVICE_BOARD_CLOCK_H
#define TEST_DEVICE_BOARD_CLOCK_H

#include <stdint.h>

#ifdef __riscv
#define BOARD_MEMORY       ((void *)0x81000000u)
#define BOARD_MEMORY_BYTES (96u << 20)

static inline void board_clock_start(void)
{
}

/* Physical memory protection, entry 0: a naturally aligned power of two; locked, so that it binds machine mode too. */
static inline void board_make_read_only(uintptr_t at, uint32_t bytes)
{
	__asm__ volatile(".insn i 0x73, 1, x0, %0, 0x3b0" : : "r"(at >> 2 | ((bytes >> 3) - 1)));
	__asm__ volatile(".insn i 0x73, 1, x0, %0, 0x3a0" : : "r"(0x9du)); /* lock, NAPOT, X, R */
}

/* csrr of minstret and minstreth, in a form that needs no Zicsr in -march (the library has no such variant). */
#define BOARD_MINSTRET(out)  __asm__ volatile(".insn i 0x73, 2, %0, x0, -1278" : "=r"(out))
#define BOARD_MINSTRETH(out) __asm__ volatile(".insn i 0x73, 2, %0, x0, -1150" : "=r"(out))

/* The instructions retired; the high half is read twice, for it may move in between. */
static inline uint64_t board_clock_read(void)
{
	uint32_t high, low, again;

	do {
		BOARD_MINSTRETH(high);
		BOARD_MINSTRET(low);
		BOARD_MINSTRETH(again);
	} while (high != again);
	return (uint64_t)high << 32 | low;
}
#else
#define BOARD_MEMORY       ((void *)0x21000000u)
#define BOARD_MEMORY_BYTES (16u << 20)

/* CMSDK APB timer 0: counts down at 25 MHz, so once in 40 instructions. */
#define BOARD_TIMER        ((volatile uint32_t *)0x40000000u)
enum {
	BOARD_TIMER_CTRL = 0,
	BOARD_TIMER_VALUE = 1,
	BOARD_TIMER_RELOAD = 2,
};

static inline void board_clock_start(void)
{
	BOARD_TIMER[BOARD_TIMER_RELOAD] = UINT32_MAX;
	BOARD_TIMER[BOARD_TIMER_VALUE] = UINT32_MAX;
	BOARD_TIMER[BOARD_TIMER_CTRL] = 1;
}

/* The memory protection unit's region 0; other memory stays as it was. */
static inline void board_make_read_only(uintptr_t at, uint32_t bytes)
{
	volatile uint32_t *mpu = (volatile uint32_t *)0xE000ED90u;
	uint32_t log2 = 31u - (uint32_t)__builtin_clz(bytes);

	mpu[2] = 0;                              /* region 0 */
	mpu[3] = at;                             /* its base */
	mpu[4] = 6u << 24 | (log2 - 1) << 1 | 1; /* read only for all, executable, its size */
	mpu[1] = 5;                              /* on; the rest as without it */
	__asm__ volatile("dsb\n isb" : : : "memory");
}

static inline uint64_t board_clock_read(void)
{
	return (uint64_t)(UINT32_MAX - BOARD_TIMER[BOARD_TIMER_VALUE]) * 40;
}
#endif

#endif
