/* SPDX-License-Identifier: Apache-2.0 */
/* Switching between the engine's stack and native code's: Thumb-2 without floating-point registers. */
#define NATIVE_SP 68
#define ENGINE_SP 72

	.syntax unified
	.thumb
	.text
	.globl rotor_native_enter
	.type rotor_native_enter, %function
	.thumb_func
rotor_native_enter:
	push {r4-r11, lr}
	mov r1, sp
	str r1, [r0, #ENGINE_SP]
	ldr r1, [r0, #NATIVE_SP]
	mov sp, r1
	pop {r4-r11, pc}

	.globl rotor_native_leave
	.type rotor_native_leave, %function
	.thumb_func
rotor_native_leave:
	push {r4-r11, lr}
	mov r1, sp
	str r1, [r0, #NATIVE_SP]
	ldr r1, [r0, #ENGINE_SP]
	mov sp, r1
	pop {r4-r11, pc}

/* The outermost frame: r4 context, r5 thunk, r6 function, r8 cells. */
	.globl rotor_native_start
	.type rotor_native_start, %function
	.thumb_func
rotor_native_start:
	mov r0, r4
	mov r1, r6
	mov r2, r8
	blx r5
	movs r1, #100			/* request = ROTOR_NATIVE_DONE */
	str r1, [r4, #48]
	mov r0, r4
	bl rotor_native_leave
	udf #0
