/* SPDX-License-Identifier: Apache-2.0 */
/* Switching between the engine's stack and native code's: x86-64, System V. */
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
#define TICKS_FEW 16384
#define TICKS_MANY 262144

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

/* fuel(ctx, fuel): the next slice from the reserve, or leaves for fuel; keeps every register but rax and r11. */
	.globl rotor_native_fuel
	.type rotor_native_fuel, @function
rotor_native_fuel:
	mov INTERRUPT(%rdi), %r11
	cmpl $0, (%r11)
	jne 1f
	push %rdx
	rdtsc
	mov %eax, %edx
	sub TICK(%rdi), %eax		/* how long the slice took */
	mov %edx, TICK(%rdi)
	pop %rdx
	mov SLICE(%rdi), %r11d
	cmp $TICKS_FEW, %eax
	jae 2f
	cmp $SLICE_MOST, %r11d
	jae 3f
	add %r11d, %r11d
2:	cmp $TICKS_MANY, %eax
	jb 3f
	mov $SLICE_LEAST, %r11d
3:	mov %r11d, SLICE(%rdi)
	lea (%rsi,%r11), %eax
	test %eax, %eax
	js 1f
	cmp %r11d, RESERVE(%rdi)
	jb 1f
	sub %r11d, RESERVE(%rdi)
	ret
1:	push %rbp
	mov %rsp, %rbp
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	sub $264, %rsp
	movups %xmm0, 0(%rsp)
	movups %xmm1, 16(%rsp)
	movups %xmm2, 32(%rsp)
	movups %xmm3, 48(%rsp)
	movups %xmm4, 64(%rsp)
	movups %xmm5, 80(%rsp)
	movups %xmm6, 96(%rsp)
	movups %xmm7, 112(%rsp)
	movups %xmm8, 128(%rsp)
	movups %xmm9, 144(%rsp)
	movups %xmm10, 160(%rsp)
	movups %xmm11, 176(%rsp)
	movups %xmm12, 192(%rsp)
	movups %xmm13, 208(%rsp)
	movups %xmm14, 224(%rsp)
	movups %xmm15, 240(%rsp)
	mov %esi, FUEL(%rdi)
	movl $101, REQUEST(%rdi)	/* ROTOR_NATIVE_FUEL */
	call rotor_native_leave
	movups 0(%rsp), %xmm0
	movups 16(%rsp), %xmm1
	movups 32(%rsp), %xmm2
	movups 48(%rsp), %xmm3
	movups 64(%rsp), %xmm4
	movups 80(%rsp), %xmm5
	movups 96(%rsp), %xmm6
	movups 112(%rsp), %xmm7
	movups 128(%rsp), %xmm8
	movups 144(%rsp), %xmm9
	movups 160(%rsp), %xmm10
	movups 176(%rsp), %xmm11
	movups 192(%rsp), %xmm12
	movups 208(%rsp), %xmm13
	movups 224(%rsp), %xmm14
	movups 240(%rsp), %xmm15
	add $264, %rsp
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rdx
	pop %rcx
	mov FUEL(%rdi), %eax
	pop %rbp
	ret
	.size rotor_native_fuel, . - rotor_native_fuel

/* The outermost frame: r12 context, r13 thunk, r14 function, r15 cells. */
	.globl rotor_native_start
	.type rotor_native_start, @function
rotor_native_start:
	mov %r12, %rdi
	mov %r14, %rsi
	mov %r15, %rdx
	call *%r13
	movl $100, REQUEST(%r12)		/* request = ROTOR_NATIVE_DONE */
	mov %r12, %rdi
	call rotor_native_leave
	ud2
	.size rotor_native_start, . - rotor_native_start

	.section .note.GNU-stack, "", @progbits
