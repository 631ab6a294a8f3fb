/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device program needs of its board: arguments, files of the host, a block of memory, a count of time.
 * board_host.c serves an ordinary process, board_semihost.c the emulated boards.
 */
#ifndef TEST_DEVICE_BOARD_H
#define TEST_DEVICE_BOARD_H

#include <stddef.h>
#include <stdint.h>

/* The arguments after the program's name; lent until the end. argc and argv are main's. */
int board_arguments(int argc, char **argv, char ***out);

/* The block that programs share out, aligned to 8, and its size. */
void *board_memory(size_t *bytes);

/* Time that has passed: instructions on an emulated board (in steps of 40 on the Cortex-M3), else nanoseconds. */
uint64_t board_ticks(void);

/* Makes memory (a power of two of bytes, aligned to that) readable and executable, but not writable; -1 if it cannot be. */
int board_protect(void *at, size_t bytes);

/* Reads a whole file to at; its length, or -1 if it cannot be read or is longer than capacity. */
long board_read(const char *path, void *at, size_t capacity);

#endif
