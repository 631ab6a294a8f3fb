/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Switching between the engine's stack and native code's: Xtensa with register windows.
 *
 * The registers of all callers go to their stack; then the stack pointer changes, and the return takes the exception that
 * fetches the caller's registers from the new stack. No privilege is needed, and an interrupt may come at any place.
 */
#define INTERRUPT 48
#define FUEL 52
#define REQUEST 56
#define RESERVE 80
#define NATIVE_SP 84
#define ENGINE_SP 88

	.text
	.p2align 2
	.global rotor_native_enter
	.type rotor_native_enter, @function
rotor_native_enter:
	entry	a1, 64
	s32i	a0, a1, 0
	call12	spill1
	s32i	a1, a2, ENGINE_SP
	l32i	a1, a2, NATIVE_SP
	l32i	a0, a1, 0
	retw

	.p2align 2
	.global rotor_native_leave
	.type rotor_native_leave, @function
rotor_native_leave:
leave:
	entry	a1, 64
	s32i	a0, a1, 0
	call12	spill1
	s32i	a1, a2, NATIVE_SP
	l32i	a1, a2, ENGINE_SP
	l32i	a0, a1, 0
	retw

/* Five windows of twelve registers, the caller's and these, and the last one's other four: all 64. What they meet is written out. */
	.p2align 2
spill1:
	entry	a1, 48
	call12	spill2
	retw
	.p2align 2
spill2:
	entry	a1, 48
	call12	spill3
	retw
	.p2align 2
spill3:
	entry	a1, 48
	call12	spill4
	retw
	.p2align 2
spill4:
	entry	a1, 48
	mov	a12, a0
	retw

/* fuel(ctx, fuel): the next slice from the reserve, or leaves for fuel. */
	.p2align 2
	.global rotor_native_fuel
	.type rotor_native_fuel, @function
rotor_native_fuel:
	entry	a1, 32
	l32i	a4, a2, INTERRUPT
	l32i	a4, a4, 0
	bnez	a4, 1f
	movi	a5, 1
	slli	a5, a5, 13			/* SLICE, 8192 */
	add	a4, a3, a5
	bltz	a4, 1f
	l32i	a6, a2, RESERVE
	bltu	a6, a5, 1f
	sub	a6, a6, a5
	s32i	a6, a2, RESERVE
	mov	a2, a4
	retw
1:	s32i	a3, a2, FUEL
	movi	a4, 101				/* ROTOR_NATIVE_FUEL */
	s32i	a4, a2, REQUEST
	mov	a10, a2
	call8	leave
	l32i	a2, a2, FUEL
	retw

/* The outermost frame: a2 context, a3 cells; thunk and function on the stack. */
	.p2align 2
	.global rotor_native_start
	.type rotor_native_start, @function
rotor_native_start:
	l32i	a4, a1, 0
	mov	a10, a2
	l32i	a11, a1, 4
	mov	a12, a3
	callx8	a4
	movi	a4, 100				/* request = ROTOR_NATIVE_DONE */
	s32i	a4, a2, REQUEST
	mov	a10, a2
	call8	leave
	ill
