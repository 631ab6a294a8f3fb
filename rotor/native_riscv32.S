/* SPDX-License-Identifier: Apache-2.0 */
/* Switching between the engine's stack and native code's: RISC-V, 32 bits, without floating-point registers. */
#define INTERRUPT 48
#define FUEL 52
#define REQUEST 56
#define RESERVE 80
#define NATIVE_SP 84
#define ENGINE_SP 88
#define SLICE 8192

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

/* fuel(ctx, fuel): the next slice from the reserve, or leaves for fuel; keeps every register but a0. */
	.globl rotor_native_fuel
	.type rotor_native_fuel, @function
rotor_native_fuel:
	addi sp, sp, -80
	sw a2, 8(sp)
	sw a3, 12(sp)
	sw a4, 16(sp)
	lw a2, INTERRUPT(a0)
	lw a2, 0(a2)
	bnez a2, 1f
	li a4, SLICE
	add a3, a1, a4
	bltz a3, 1f
	lw a2, RESERVE(a0)
	bltu a2, a4, 1f
	sub a2, a2, a4
	sw a2, RESERVE(a0)
	mv a0, a3
	lw a2, 8(sp)
	lw a3, 12(sp)
	lw a4, 16(sp)
	addi sp, sp, 80
	ret
1:	lw a2, 8(sp)
	lw a3, 12(sp)
	lw a4, 16(sp)
	sw ra, 76(sp)
	sw s0, 72(sp)
	addi s0, sp, 80
	sw a0, 0(sp)
	sw a1, 4(sp)
	sw a5, 20(sp)
	sw a6, 24(sp)
	sw a7, 28(sp)
	sw t0, 32(sp)
	sw t1, 36(sp)
	sw t2, 40(sp)
	sw t3, 44(sp)
	sw t4, 48(sp)
	sw t5, 52(sp)
	sw t6, 56(sp)
	sw a1, FUEL(a0)
	li a1, 101			/* ROTOR_NATIVE_FUEL */
	sw a1, REQUEST(a0)
	call rotor_native_leave
	lw a0, 0(sp)
	lw a0, FUEL(a0)
	lw a1, 4(sp)
	lw a2, 8(sp)
	lw a3, 12(sp)
	lw a4, 16(sp)
	lw a5, 20(sp)
	lw a6, 24(sp)
	lw a7, 28(sp)
	lw t0, 32(sp)
	lw t1, 36(sp)
	lw t2, 40(sp)
	lw t3, 44(sp)
	lw t4, 48(sp)
	lw t5, 52(sp)
	lw t6, 56(sp)
	lw ra, 76(sp)
	lw s0, 72(sp)
	addi sp, sp, 80
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
	sw a1, REQUEST(s1)
	mv a0, s1
	call rotor_native_leave
	unimp
