/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start and exceptions of a program on QEMU's machine "sim": Xtensa with register windows, nothing beneath.
 *
 * The core that is emulated (de233_fpu) has 32 registers and no multiplication for the high half, which the ESP32-S3 has:
 * the exception for an unknown instruction computes muluh and mulsh. Every other exception ends the program.
 * Spec: Xtensa Instruction Set Architecture Reference Manual, 4.7.1 (windows), 4.4.1 (exceptions), 8.1 (the ABI).
 */
#include "layout.h"

#define PS_EXCM 0x10
#define PS_WOE  0x40000
#define SIMCALL .byte 0x00, 0x51, 0x00 /* LLVM has no name for it */

/* Translation: way 6 has eight pages of 512 MB, the same addresses inside and out; way 5 pages of 128 MB, way 4 of 1 MB. */
#define WAY4_VALUE(rights) (BOARD_MEMORY - BOARD_PHYSICAL + rights)
#define WDTLB_A2_A3 .byte 0x20, 0xe3, 0x50
#define WITLB_A2_A3 .byte 0x20, 0x63, 0x50
#define IDTLB_A3    .byte 0x00, 0xc3, 0x50
#define IITLB_A3    .byte 0x00, 0x43, 0x50
#define RX          1
#define RWX         3

	.section .vectors, "ax", @progbits
	.p2align 12
vectors:
	/* A window of four registers goes to its stack, whose pointer is in the frame that it called; and back. */
	s32e	a0, a5, -16
	s32e	a1, a5, -12
	s32e	a2, a5, -8
	s32e	a3, a5, -4
	rfwo
	.org vectors + 0x40
	l32e	a0, a5, -16
	l32e	a1, a5, -12
	l32e	a2, a5, -8
	l32e	a3, a5, -4
	rfwu
	/* Of eight: four there, four at the end of its own frame, which is where its caller's stack pointer was. */
	.org vectors + 0x80
	s32e	a0, a9, -16
	l32e	a0, a1, -12
	s32e	a1, a9, -12
	s32e	a2, a9, -8
	s32e	a3, a9, -4
	s32e	a4, a0, -32
	s32e	a5, a0, -28
	s32e	a6, a0, -24
	s32e	a7, a0, -20
	rfwo
	.org vectors + 0xc0
	l32e	a0, a9, -16
	l32e	a1, a9, -12
	l32e	a2, a9, -8
	l32e	a7, a1, -12
	l32e	a3, a9, -4
	l32e	a4, a7, -32
	l32e	a5, a7, -28
	l32e	a6, a7, -24
	l32e	a7, a7, -20
	rfwu
	/* Of twelve. */
	.org vectors + 0x100
	s32e	a0, a13, -16
	l32e	a0, a1, -12
	s32e	a1, a13, -12
	s32e	a2, a13, -8
	s32e	a3, a13, -4
	s32e	a4, a0, -48
	s32e	a5, a0, -44
	s32e	a6, a0, -40
	s32e	a7, a0, -36
	s32e	a8, a0, -32
	s32e	a9, a0, -28
	s32e	a10, a0, -24
	s32e	a11, a0, -20
	rfwo
	.org vectors + 0x140
	l32e	a0, a13, -16
	l32e	a1, a13, -12
	l32e	a2, a13, -8
	l32e	a11, a1, -12
	l32e	a3, a13, -4
	l32e	a4, a11, -48
	l32e	a5, a11, -44
	l32e	a6, a11, -40
	l32e	a7, a11, -36
	l32e	a8, a11, -32
	l32e	a9, a11, -28
	l32e	a10, a11, -24
	l32e	a11, a11, -20
	rfwu
	.org vectors + 0x300
	wsr.excsave1 a0
	j	exception
	.org vectors + 0x340
	wsr.excsave1 a0
	j	exception
	.org vectors + 0x3c0
	j	fatal

	/* Where the processor begins: far away. */
	.section .reset, "ax", @progbits
	.global _reset
_reset:
	j	1f
	.p2align 2
start:	.long	_start
1:	l32r	a0, start
	jx	a0

	.text
	.p2align 2
	.literal_position
	.global _start
_start:
	movi	a0, 0
	wsr.intenable a0
	wsr.windowbase a0
	rsync
	movi	a2, 1
	wsr.windowstart a2
	movi	a2, 0xff
	wsr.cpenable a2			/* the float unit's registers */
	movi	a2, vectors
	wsr.vecbase a2
	movi	a1, stack_top
	addi	a1, a1, -64
	movi	a0, 0			/* the end of the chain of frames */
	movi	a2, PS_WOE
	wsr.ps	a2
	rsync
	movi	a2, bss_start
	movi	a3, bss_end
	movi	a4, 0
	bgeu	a2, a3, 2f
1:	s32i	a4, a2, 0
	addi	a2, a2, 4
	bltu	a2, a3, 1b
2:	movi	a3, 0x20000000 + 6
	IITLB_A3
	IDTLB_A3
	movi	a2, BOARD_REST - BOARD_PHYSICAL + RWX
	movi	a3, BOARD_REST + 5
	WITLB_A2_A3
	WDTLB_A2_A3
	movi	a2, WAY4_VALUE(RWX)
	movi	a3, BOARD_MEMORY + 4
	WITLB_A2_A3
	WDTLB_A2_A3
	isync
	movi	a2, 1000		/* the number of arguments */
	SIMCALL
	mov	a6, a2
	movi	a2, 1001		/* their bytes; below them the stack goes on */
	SIMCALL
	addi	a2, a2, 15
	srli	a2, a2, 4
	slli	a2, a2, 4
	sub	a1, a1, a2
	mov	a7, a1
	mov	a3, a1
	movi	a2, 1002		/* the arguments */
	SIMCALL
	addi	a1, a1, -64
	movi	a4, main
	callx4	a4
	mov	a2, a6
	call0	call0__exit

	.p2align 2
	.literal_position
	.global board_make_read_only
board_make_read_only:
	entry	a1, 32
	movi	a2, WAY4_VALUE(RX)
	movi	a3, BOARD_MEMORY + 4
	WITLB_A2_A3
	WDTLB_A2_A3
	isync
	retw

	.p2align 2
	.global board_simcall
board_simcall:
	entry	a1, 32
	SIMCALL
	retw

	/* a0 is in excsave1. */
	.p2align 2
	.literal_position
exception:
	rsr.exccause a0
	bnez	a0, fatal
	movi	a0, saved
	s32i	a2, a0, 8
	s32i	a3, a0, 12
	rsr.epc1 a2
	s32i	a2, a0, 64
	l8ui	a3, a2, 2		/* muluh: 0010 1010; mulsh: 0010 1011 */
	movi	a2, 0xa2
	beq	a3, a2, 1f
	movi	a2, 0xb2
	beq	a3, a2, 1f
	j	fatal
	/* The window's registers that are still another frame's go to its stack, as touching them would have had it. */
1:	rsr.ps	a2
	s32i	a2, a0, 68
	movi	a2, PS_WOE
	wsr.ps	a2
	rsync
	or	a15, a15, a15
	movi	a2, PS_WOE | PS_EXCM
	wsr.ps	a2
	rsync
	rsr.excsave1 a2
	s32i	a2, a0, 0
	s32i	a1, a0, 4
	s32i	a4, a0, 16
	s32i	a5, a0, 20
	s32i	a6, a0, 24
	s32i	a7, a0, 28
	s32i	a8, a0, 32
	s32i	a9, a0, 36
	s32i	a10, a0, 40
	s32i	a11, a0, 44
	s32i	a12, a0, 48
	s32i	a13, a0, 52
	s32i	a14, a0, 56
	s32i	a15, a0, 60
	l32i	a2, a0, 64
	l8ui	a3, a2, 1		/* r, s */
	l8ui	a4, a2, 0		/* t, 0 */
	l8ui	a8, a2, 2
	addi	a2, a2, 3
	wsr.epc1 a2
	extui	a5, a3, 0, 4
	addx4	a5, a5, a0
	l32i	a5, a5, 0
	srli	a4, a4, 4
	addx4	a4, a4, a0
	l32i	a6, a4, 0
	srli	a3, a3, 4
	addx4	a3, a3, a0		/* where the result goes */
	extui	a9, a5, 0, 16
	extui	a10, a5, 16, 16
	extui	a11, a6, 0, 16
	extui	a12, a6, 16, 16
	mull	a13, a9, a11
	mull	a14, a10, a11
	extui	a13, a13, 16, 16
	add	a14, a14, a13
	mull	a13, a9, a12
	extui	a15, a14, 0, 16
	add	a13, a13, a15
	extui	a13, a13, 16, 16
	extui	a14, a14, 16, 16
	mull	a15, a10, a12
	add	a15, a15, a14
	add	a15, a15, a13
	bbci	a8, 4, 3f		/* mulsh: less each factor if the other is below zero */
	bgez	a5, 2f
	sub	a15, a15, a6
2:	bgez	a6, 3f
	sub	a15, a15, a5
3:	s32i	a15, a3, 0
	l32i	a2, a0, 68
	wsr.ps	a2
	rsync
	l32i	a1, a0, 4
	l32i	a2, a0, 8
	l32i	a3, a0, 12
	l32i	a4, a0, 16
	l32i	a5, a0, 20
	l32i	a6, a0, 24
	l32i	a7, a0, 28
	l32i	a8, a0, 32
	l32i	a9, a0, 36
	l32i	a10, a0, 40
	l32i	a11, a0, 44
	l32i	a12, a0, 48
	l32i	a13, a0, 52
	l32i	a14, a0, 56
	l32i	a15, a0, 60
	l32i	a0, a0, 0
	rfe

	/* Says what happened, on a stack of its own, with no windows. */
	.p2align 2
	.literal_position
fatal:
	rsr.exccause a2
	rsr.epc1 a3
	rsr.excvaddr a4
	movi	a1, stack_top
	call0	call0_board_fatal

	.section .bss.saved, "aw", @nobits
	.p2align 2
saved:	.space 72
