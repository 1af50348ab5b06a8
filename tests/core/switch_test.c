/* SPDX-License-Identifier: MIT */
/* switch_test.c - what a caller keeps in registers is there behind a switch. */
#include <stdint.h>
#include <stdlib.h>

#include "core/thread/switch.h"
#include "rseq/sanitizer.h"
#include "tests/harness/gather.h"

#define VALUES 40 /* more than there are registers */

static void *here, *there;

/* All that a called function may change, and a value of the caller's cannot be in if it is to last. */
static void scramble(void)
{
#if defined(__aarch64__)
	__asm__ volatile("mov x0, #-1\n\tmov x1, #-1\n\tmov x2, #-1\n\tmov x3, #-1\n\tmov x4, #-1\n\t"
			 "mov x5, #-1\n\tmov x6, #-1\n\tmov x7, #-1\n\tmov x8, #-1\n\tmov x9, #-1\n\t"
			 "mov x10, #-1\n\tmov x11, #-1\n\tmov x12, #-1\n\tmov x13, #-1\n\tmov x14, #-1\n\t"
			 "mov x15, #-1\n\tmov x16, #-1\n\tmov x17, #-1\n\tmov x18, #-1"
			 :
			 :
			 : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
			   "x14", "x15", "x16", "x17", "x18");
#else
	__asm__ volatile("movq $-1, %%rax\n\tmovq $-1, %%rcx\n\tmovq $-1, %%rdx\n\tmovq $-1, %%rsi\n\t"
			 "movq $-1, %%rdi\n\tmovq $-1, %%r8\n\tmovq $-1, %%r9\n\tmovq $-1, %%r10\n\t"
			 "movq $-1, %%r11"
			 :
			 :
			 : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11");
#endif
}

/* A hook that never comes to an end: so nothing of a thread is needed. */
static void other_side(void *arg)
{
	(void)arg;
	for (;;) {
		scramble();
		switch_stack(&there, here, NULL, NULL);
	}
}

/* How many of the values are not what they were. */
static __attribute__((noinline)) unsigned changed(const volatile uint64_t *value, switch_hook begin)
{
	unsigned wrong = 0;
	uint64_t kept[VALUES];

#pragma GCC unroll 40
	for (int i = 0; i < VALUES; i++)
		kept[i] = value[i];
	switch_stack(&here, there, begin, NULL);
#pragma GCC unroll 40
	for (int i = 0; i < VALUES; i++)
		wrong += kept[i] != value[i];
	return wrong;
}

TEST(registers_outlive_a_switch)
{
	enum { STACK = 64 << 10 };
	char *stack = aligned_alloc(16, STACK);
	uint64_t value[VALUES];

	if (SANITIZER_ADDRESS || SANITIZER_THREAD)
		SKIP("the sanitizer has to be told of stacks");
	ASSERT_NE(stack, NULL);
	for (uint64_t i = 0; i < VALUES; i++)
		value[i] = i * UINT64_C(0x9e3779b97f4a7c15);
	there = switch_prepare(stack + STACK);
	EXPECT_EQ(changed(value, other_side), 0);
	for (int i = 0; i < 100; i++)
		EXPECT_EQ(changed(value, NULL), 0);
	free(stack);
}
