/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ways from code with register windows into the C library, whose code has none (the prefix call0_): arguments and results lie
 * in the same registers, a12 is the caller's there, and such a function calls nothing with windows.
 */
#define WORDS 24 /* of arguments on the stack that a function of any number of them may get */

	.macro way name
	.section .text.call0_\name, "ax", @progbits
	.p2align 2
	.global \name
	.type \name, @function
\name:
	entry	a1, 48
	mov	a12, a0
	call0	call0_\name
	mov	a0, a12
	retw
	.endm

	.macro way_with_stack name
	.section .text.call0_\name, "ax", @progbits
	.p2align 2
	.global \name
	.type \name, @function
\name:
	entry	a1, 48 + 4 * WORDS
	movi	a8, 48 + 4 * WORDS
	add	a8, a8, a1
	mov	a9, a1
	movi	a10, WORDS
1:	l32i	a11, a8, 0
	s32i	a11, a9, 0
	addi	a8, a8, 4
	addi	a9, a9, 4
	addi	a10, a10, -1
	bnez	a10, 1b
	mov	a12, a0
	call0	call0_\name
	mov	a0, a12
	retw
	.endm

	way_with_stack printf
	way_with_stack snprintf
	way_with_stack sprintf
	way_with_stack sscanf

	.irp name, vprintf, vsnprintf, puts, putchar, malloc, calloc, realloc, free, abort, \
		memchr, memcmp, memcpy, memmove, memset, strcasecmp, strchr, strcmp, strcspn, strlen, strncasecmp, strncat, \
		strncmp, strnlen, strrchr, strspn, strstr, strtod, strtof, atoi, strtol, strtoul, strtoll, strtoull, \
		isalnum, isalpha, iscntrl, isdigit, isgraph, islower, isprint, ispunct, isspace, isupper, isxdigit, tolower, toupper
	way \name
	.endr
	.irp name, sqrt, sqrtf, ceil, ceilf, floor, floorf, trunc, truncf, rint, rintf, nearbyint, nearbyintf, fmin, fmax, \
		fminf, fmaxf, ldexp, ldexpf, fabs, fabsf
	way \name
	.endr
	.irp name, __adddf3, __subdf3, __muldf3, __divdf3, __negdf2, __addsf3, __subsf3, __mulsf3, __divsf3, \
		__eqdf2, __nedf2, __gedf2, __gtdf2, __ledf2, __ltdf2, __unorddf2, \
		__eqsf2, __nesf2, __gesf2, __gtsf2, __lesf2, __ltsf2, __unordsf2, __extendsfdf2, __truncdfsf2, \
		__fixdfsi, __fixunsdfsi, __fixsfsi, __fixunssfsi, __fixdfdi, __fixunsdfdi, __fixsfdi, __fixunssfdi, \
		__floatsidf, __floatunsidf, __floatsisf, __floatunsisf, __floatdidf, __floatundidf, __floatdisf, __floatundisf, \
		__muldi3, __divdi3, __moddi3, __udivdi3, __umoddi3, __ashldi3, __ashrdi3, __lshrdi3, \
		__popcountsi2, __popcountdi2, __clzdi2, __ctzdi2, __bswapsi2, __bswapdi2
	way \name
	.endr
