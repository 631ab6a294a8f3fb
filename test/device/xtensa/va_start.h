/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Included before every C file. LLVM 22 begins a list of arguments with the address of the first unnamed one in a register
 * and with that one's index, and then adds both. Not mended: arguments of 64 bits, and lists after six named arguments;
 * nothing that runs here has them but the C library, which another compiler made.
 */
#ifndef TEST_DEVICE_XTENSA_VA_START_H
#define TEST_DEVICE_XTENSA_VA_START_H

#include <stdarg.h>

#undef va_start
#define va_start(list, last)                                                                       \
	(__builtin_va_start(list, last), (void)((list).__va_reg -= (list).__va_ndx / 4))

#endif
