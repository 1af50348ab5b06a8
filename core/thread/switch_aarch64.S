/* SPDX-License-Identifier: MIT */
/*
 * Where a new stack begins. The stack pointer is the 16-aligned top; x2 and x3
 * are the hook and its argument (switch.h). A frame with no return address and
 * no frame pointer ends every backtrace here.
 */
	.text
	.globl perch_switch_enter
	.hidden perch_switch_enter
	.type perch_switch_enter, %function
perch_switch_enter:
	.cfi_startproc
	.cfi_undefined x30
	mov x29, xzr
	mov x30, xzr
	mov x0, x2
	mov x1, x3
	bl perch_switch_first
	brk #0x1
	.cfi_endproc
	.size perch_switch_enter, . - perch_switch_enter
	.section .note.GNU-stack, "", %progbits
