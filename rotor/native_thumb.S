/* SPDX-License-Identifier: Apache-2.0 */
/* Switching between the engine's stack and native code's: Thumb-2 without floating-point registers. */
#define INTERRUPT 48
#define FUEL 52
#define REQUEST 56
#define RESERVE 80
#define NATIVE_SP 84
#define ENGINE_SP 88
#define SLICE 8192

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

/* fuel(ctx, fuel): the next slice from the reserve, or leaves for fuel; keeps every register but r0. */
	.globl rotor_native_fuel
	.type rotor_native_fuel, %function
	.thumb_func
rotor_native_fuel:
	push {r2, r3}
	ldr r2, [r0, #INTERRUPT]
	ldr r2, [r2]
	cbnz r2, 1f
	adds r3, r1, #SLICE
	bmi 1f
	ldr r2, [r0, #RESERVE]
	subs r2, #SLICE
	blo 1f
	str r2, [r0, #RESERVE]
	mov r0, r3
	pop {r2, r3}
	bx lr
1:	pop {r2, r3}
	push {r7, lr}
	mov r7, sp
	push {r0-r3, r12}
	str r1, [r0, #FUEL]
	movs r1, #101			/* ROTOR_NATIVE_FUEL */
	str r1, [r0, #REQUEST]
	bl rotor_native_leave
	pop {r0-r3, r12}
	ldr r0, [r0, #FUEL]
	pop {r7, pc}

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
	str r1, [r4, #REQUEST]
	mov r0, r4
	bl rotor_native_leave
	udf #0
