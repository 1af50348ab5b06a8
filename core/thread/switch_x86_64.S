/* SPDX-License-Identifier: MIT */
/*
 * Where a new stack begins. The stack pointer is the 16-aligned top; rax and
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
	.section .note.GNU-stack, "", @progbits
