/* SPDX-License-Identifier: Apache-2.0 */
/* Switching between the engine's stack and native code's: RISC-V, 32 bits, without floating-point registers. */
#define NATIVE_SP 68
#define ENGINE_SP 72

.macro save
	addi sp, sp, -64
	sw ra, 0(sp)
	sw s0, 4(sp)
	sw s1, 8(sp)
	sw s2, 12(sp)
	sw s3, 16(sp)
	sw s4, 20(sp)
	sw s5, 24(sp)
	sw s6, 28(sp)
	sw s7, 32(sp)
	sw s8, 36(sp)
	sw s9, 40(sp)
	sw s10, 44(sp)
	sw s11, 48(sp)
.endm

	.text
	.globl rotor_native_enter
	.type rotor_native_enter, @function
rotor_native_enter:
	save
	sw sp, ENGINE_SP(a0)
	lw sp, NATIVE_SP(a0)
	j restore

	.globl rotor_native_leave
	.type rotor_native_leave, @function
rotor_native_leave:
	save
	sw sp, NATIVE_SP(a0)
	lw sp, ENGINE_SP(a0)
restore:
	lw ra, 0(sp)
	lw s0, 4(sp)
	lw s1, 8(sp)
	lw s2, 12(sp)
	lw s3, 16(sp)
	lw s4, 20(sp)
	lw s5, 24(sp)
	lw s6, 28(sp)
	lw s7, 32(sp)
	lw s8, 36(sp)
	lw s9, 40(sp)
	lw s10, 44(sp)
	lw s11, 48(sp)
	addi sp, sp, 64
	ret

/* The outermost frame: s1 context, s2 thunk, s3 function, s4 cells. */
	.globl rotor_native_start
	.type rotor_native_start, @function
rotor_native_start:
	mv a0, s1
	mv a1, s3
	mv a2, s4
	jalr s2
	li a1, 100			/* request = ROTOR_NATIVE_DONE */
	sw a1, 48(s1)
	mv a0, s1
	call rotor_native_leave
	unimp
