/* SPDX-License-Identifier: Apache-2.0 */
/* Switching between the engine's stack and native code's: x86-64, System V. */
#define NATIVE_SP 112
#define ENGINE_SP 120

	.text
	.globl rotor_native_enter
	.type rotor_native_enter, @function
rotor_native_enter:
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, ENGINE_SP(%rdi)
	mov NATIVE_SP(%rdi), %rsp
	jmp restore
	.size rotor_native_enter, . - rotor_native_enter

	.globl rotor_native_leave
	.type rotor_native_leave, @function
rotor_native_leave:
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, NATIVE_SP(%rdi)
	mov ENGINE_SP(%rdi), %rsp
restore:
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	ret
	.size rotor_native_leave, . - rotor_native_leave

/* The outermost frame: r12 context, r13 thunk, r14 function, r15 cells. */
	.globl rotor_native_start
	.type rotor_native_start, @function
rotor_native_start:
	mov %r12, %rdi
	mov %r14, %rsi
	mov %r15, %rdx
	call *%r13
	movl $100, 92(%r12)		/* request = ROTOR_NATIVE_DONE */
	mov %r12, %rdi
	call rotor_native_leave
	ud2
	.size rotor_native_start, . - rotor_native_start

	.section .note.GNU-stack, "", @progbits
