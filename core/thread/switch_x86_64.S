/* SPDX-License-Identifier: MIT */
/*
 * Where a new stack begins, and how a call returns after a switch.
 *
 * perch_switch_enter: the stack pointer is the 16-aligned top; rax and
 * rdx are the hook and its argument (switch.h). A frame with no return address
 * and no frame pointer ends every backtrace here.
 */
	.text
	.globl perch_switch_enter
	.hidden perch_switch_enter
	.type perch_switch_enter, @function
perch_switch_enter:
	.cfi_startproc
	.cfi_undefined rip
	endbr64
	xorl %ebp, %ebp
	movq %rax, %rdi
	movq %rdx, %rsi
	call perch_switch_first
	ud2
	.cfi_endproc
	.size perch_switch_enter, . - perch_switch_enter

/* To where the caller was to return, by a jump: switch_return() says why. */
	.globl perch_switch_return
	.hidden perch_switch_return
	.type perch_switch_return, @function
perch_switch_return:
	.cfi_startproc
	endbr64
	movl %edi, %eax
	popq %rcx
	.cfi_adjust_cfa_offset -8
	.cfi_register rip, rcx
	jmp *%rcx
	.cfi_endproc
	.size perch_switch_return, . - perch_switch_return

/*
 * void *perch_switch_call(fn, arg, top, save): switch.h. Its frame is what switch_stack()
 * leaves, so that a backtrace of the caller can begin at *save; it would go on at `1`.
 */
	.globl perch_switch_call
	.hidden perch_switch_call
	.type perch_switch_call, @function
perch_switch_call:
	.cfi_startproc
	endbr64
	pushq %rbp
	.cfi_adjust_cfa_offset 8
	.cfi_offset rbp, -16
	pushq %rbx
	.cfi_adjust_cfa_offset 8
	.cfi_offset rbx, -24
	leaq 1f(%rip), %rax
	pushq %rax
	.cfi_adjust_cfa_offset 8
	movq %rsp, (%rcx)
	movq %rsp, %rbx
	.cfi_def_cfa_register rbx
	movq %rdx, %rsp
	movq %rdi, %rax
	movq %rsi, %rdi
	call *%rax
	leaq 8(%rbx), %rsp
	.cfi_def_cfa rsp, 24
	popq %rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbx
	popq %rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbp
1:	ret
	.cfi_endproc
	.size perch_switch_call, . - perch_switch_call
	.section .note.GNU-stack, "", @progbits
