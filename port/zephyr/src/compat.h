/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Zephyr calls otherwise in 3.4 than in 4.x. The code is written with the names of 4.x; nothing
 * else in the port looks at the version.
 */
#ifndef COMPAT_H
#define COMPAT_H

#include <zephyr/kernel.h>
#include <zephyr/net/net_mgmt.h>

#include <version.h>

#if KERNEL_VERSION_NUMBER >= ZEPHYR_VERSION(3, 5, 0)
#include <zephyr/random/random.h>
#else
#include <zephyr/random/rand32.h>
#endif

/* Events of net_mgmt are 64 bits wide from 4.2 on. */
#if KERNEL_VERSION_NUMBER >= ZEPHYR_VERSION(4, 2, 0)
typedef uint64_t compat_net_event;
#else
typedef uint32_t compat_net_event;
#endif

#if KERNEL_VERSION_NUMBER >= ZEPHYR_VERSION(4, 1, 0)
#define COMPAT_FATAL_ESF const struct arch_esf
#else
#define COMPAT_FATAL_ESF const z_arch_esf_t
#endif

/* The driver of the CMSDK watchdog took seconds until 3.7; all others always took milliseconds. */
#if defined(CONFIG_WDOG_CMSDK_APB) && KERNEL_VERSION_NUMBER < ZEPHYR_VERSION(3, 7, 0)
#define COMPAT_WDT_WINDOW(ms) ((ms) / 1000)
#else
#define COMPAT_WDT_WINDOW(ms) (ms)
#endif

#if defined(CONFIG_ARM)
#define COMPAT_ESF_PC(esf) ((uint32_t)(esf)->basic.pc)
#elif defined(CONFIG_RISCV)
#define COMPAT_ESF_PC(esf) ((uint32_t)(esf)->mepc)
#else
#define COMPAT_ESF_PC(esf) 0u
#endif

#if defined(CONFIG_CPU_CORTEX_M)
#include <cmsis_core.h>
/* The seventh word of what the processor pushed (Armv7-M B1.5.6). */
#define COMPAT_INTERRUPTED_PC() (((const uint32_t *)__get_PSP())[6])
#else
#define COMPAT_INTERRUPTED_PC() 0u
#endif

/* Where a fatal error happened; 0 where the architecture does not say. */
static inline uint32_t compat_esf_pc(COMPAT_FATAL_ESF *esf)
{
	return esf == NULL ? 0 : COMPAT_ESF_PC(esf);
}

/* In an interrupt: where it met the thread; 0 where that is not known. */
static inline uint32_t compat_interrupted_pc(void)
{
	return COMPAT_INTERRUPTED_PC();
}

#endif
