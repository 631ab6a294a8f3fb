/* SPDX-License-Identifier: Apache-2.0 */
/* Switching between the engine's stack and native code's: AArch64. */
#define NATIVE_SP 112
#define ENGINE_SP 120

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

/* The outermost frame: x19 context, x20 thunk, x21 function, x22 cells. */
	.globl rotor_native_start
	.type rotor_native_start, %function
rotor_native_start:
	mov x0, x19
	mov x1, x21
	mov x2, x22
	blr x20
	mov w9, #100			/* request = ROTOR_NATIVE_DONE */
	str w9, [x19, #92]
	mov x0, x19
	bl rotor_native_leave
	brk #0

	.section .note.GNU-stack, "", %progbits
