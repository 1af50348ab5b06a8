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

/*
 * void *perch_switch_call(fn, arg, top, save): switch.h. Its frame is what switch_stack()
 * leaves, so that a backtrace of the caller can begin at *save; it would go on at `1`.
 */
	.globl perch_switch_call
	.hidden perch_switch_call
	.type perch_switch_call, %function
perch_switch_call:
	.cfi_startproc
	stp x29, x30, [sp, #-16]!
	.cfi_def_cfa_offset 16
	.cfi_offset x29, -16
	.cfi_offset x30, -8
	mov x29, sp
	.cfi_def_cfa_register x29
	stp x19, xzr, [sp, #-16]!
	.cfi_offset x19, -32
	adr x4, 1f
	stp x4, x29, [sp, #-16]!
	mov x19, sp
	str x19, [x3]
	mov sp, x2
	mov x4, x0
	mov x0, x1
	blr x4
	add sp, x19, #16
	ldp x19, x4, [sp], #16
	.cfi_restore x19
	.cfi_def_cfa sp, 16
1:	ldp x29, x30, [sp], #16
	.cfi_restore x29
	.cfi_restore x30
	.cfi_def_cfa_offset 0
	ret
	.cfi_endproc
	.size perch_switch_call, . - perch_switch_call
	.section .note.GNU-stack, "", %progbits
