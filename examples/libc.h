/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C library functions that every worker has built in, for programs without one of their own
 * (module "env"). Add the prototypes you need: printf and str* families, malloc, ctype.
 * A program that uses malloc asks for a heap: propctl run --heap 4k.
 */
#ifndef LIBC_H
#define LIBC_H

#define LIBC_IMPORT(name) __attribute__((import_module("env"), import_name(#name)))

typedef __SIZE_TYPE__ size_t;

LIBC_IMPORT(printf) int printf(const char *format, ...);
LIBC_IMPORT(snprintf) int snprintf(char *out, size_t cap, const char *format, ...);
LIBC_IMPORT(puts) int puts(const char *text);
LIBC_IMPORT(putchar) int putchar(int c);
LIBC_IMPORT(strlen) size_t strlen(const char *text);
LIBC_IMPORT(memcpy) void *memcpy(void *to, const void *from, size_t bytes);
LIBC_IMPORT(memset) void *memset(void *to, int value, size_t bytes);
LIBC_IMPORT(strtol) int strtol(const char *text, char **end, int base);
LIBC_IMPORT(malloc) void *malloc(size_t bytes);
LIBC_IMPORT(free) void free(void *p);

#endif
