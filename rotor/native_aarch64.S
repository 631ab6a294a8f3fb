/* SPDX-License-Identifier: Apache-2.0 */
/* Switching between the engine's stack and native code's: AArch64. */
#define INTERRUPT 96
#define FUEL 104
#define REQUEST 108
#define RESERVE 132
#define NATIVE_SP 136
#define ENGINE_SP 144
#define SLICE 152
#define TICK 156
#define SLICE_LEAST 8192
#define SLICE_MOST 131072

.macro save
	sub sp, sp, #160
	stp x29, x30, [sp, #0]
	stp x19, x20, [sp, #16]
	stp x21, x22, [sp, #32]
	stp x23, x24, [sp, #48]
	stp x25, x26, [sp, #64]
	stp x27, x28, [sp, #80]
	stp d8, d9, [sp, #96]
	stp d10, d11, [sp, #112]
	stp d12, d13, [sp, #128]
	stp d14, d15, [sp, #144]
.endm

	.text
	.globl rotor_native_enter
	.type rotor_native_enter, %function
rotor_native_enter:
	save
	mov x9, sp
	str x9, [x0, #ENGINE_SP]
	ldr x9, [x0, #NATIVE_SP]
	b restore

	.globl rotor_native_leave
	.type rotor_native_leave, %function
rotor_native_leave:
	save
	mov x9, sp
	str x9, [x0, #NATIVE_SP]
	ldr x9, [x0, #ENGINE_SP]
restore:
	mov sp, x9
	ldp x29, x30, [sp, #0]
	ldp x19, x20, [sp, #16]
	ldp x21, x22, [sp, #32]
	ldp x23, x24, [sp, #48]
	ldp x25, x26, [sp, #64]
	ldp x27, x28, [sp, #80]
	ldp d8, d9, [sp, #96]
	ldp d10, d11, [sp, #112]
	ldp d12, d13, [sp, #128]
	ldp d14, d15, [sp, #144]
	add sp, sp, #160
	ret

/* fuel(ctx, fuel): the next slice from the reserve, or leaves for fuel; keeps x9 to x15 and what leaving keeps. */
	.globl rotor_native_fuel
	.type rotor_native_fuel, %function
rotor_native_fuel:
	ldr x16, [x0, #INTERRUPT]
	ldr w16, [x16]
	cbnz w16, 1f
	mrs x2, cntvct_el0
	mrs x3, cntfrq_el0
	ldr w4, [x0, #TICK]
	str w2, [x0, #TICK]
	sub w4, w2, w4			/* how long the slice took */
	ldr w17, [x0, #SLICE]
	mov w5, #SLICE_MOST
	cmp w4, w3, lsr #18		/* 4 microseconds */
	b.hs 2f
	cmp w17, w5
	b.hs 3f
	lsl w17, w17, #1
2:	cmp w4, w3, lsr #14		/* 61 microseconds */
	b.lo 3f
	mov w17, #SLICE_LEAST
3:	str w17, [x0, #SLICE]
	adds w16, w1, w17
	b.mi 1f
	ldr w8, [x0, #RESERVE]
	subs w8, w8, w17
	b.lo 1f
	str w8, [x0, #RESERVE]
	mov w0, w16
	ret
1:	stp x29, x30, [sp, #-80]!
	mov x29, sp
	stp x0, x9, [sp, #16]
	stp x10, x11, [sp, #32]
	stp x12, x13, [sp, #48]
	stp x14, x15, [sp, #64]
	str w1, [x0, #FUEL]
	mov w9, #101			/* ROTOR_NATIVE_FUEL */
	str w9, [x0, #REQUEST]
	bl rotor_native_leave
	ldp x0, x9, [sp, #16]
	ldp x10, x11, [sp, #32]
	ldp x12, x13, [sp, #48]
	ldp x14, x15, [sp, #64]
	ldr w0, [x0, #FUEL]
	ldp x29, x30, [sp], #80
	ret

/* The outermost frame: x19 context, x20 thunk, x21 function, x22 cells. */
	.globl rotor_native_start
	.type rotor_native_start, %function
rotor_native_start:
	mov x0, x19
	mov x1, x21
	mov x2, x22
	blr x20
	mov w9, #100			/* request = ROTOR_NATIVE_DONE */
	str w9, [x19, #REQUEST]
	mov x0, x19
	bl rotor_native_leave
	brk #0

	.section .note.GNU-stack, "", %progbits
