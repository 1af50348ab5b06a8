/* SPDX-License-Identifier: MIT */
/*
 * switch.h - from one stack to another.
 *
 * switch_stack(save, load, hook, arg): leave this stack, its address stored in
 * *save, for the one that was left at `load`; there, hook(arg) runs (when hook
 * is not NULL) before that side goes on. What must not happen before the old
 * stack has been left (publishing its thread, freeing it) is what hooks do.
 *
 * Saved are the registers that the ABI calls callee-saved; those that hold
 * nothing at the switch cost nothing, as the compiler is told that the asm
 * clobbers all of them but two. It is left by `jmp`: a `ret` to an address
 * that no call pushed would be mispredicted, and spoil the following ones.
 *
 * The returns after a switch are predicted from the calls before it: those of
 * the thread that left. So they are right when both wait in the same call of the
 * same function, as the threads of a parallel loop do, and else wrong, at about 20 ns
 * a switch. For that switch_stack() tells the caller where the one who left would
 * have returned to, and switch_return() returns by a jump, which is predicted by
 * what came before, when that is another place.
 *
 * The floating-point control words (MXCSR and x87 on x86-64, FPCR on aarch64)
 * stay with the worker, not with the thread: docs/caveats.md.
 */
#ifndef PERCH_THREAD_SWITCH_H
#define PERCH_THREAD_SWITCH_H

typedef void (*switch_hook)(void *arg);

/* Where a new stack begins: pops nothing, calls switch_first(hook, arg). In
 * switch_<arch>.S. */
void perch_switch_enter(void);

/* The C side of a new stack's beginning; whoever schedules defines it. */
void perch_switch_first(switch_hook hook, void *arg) __attribute__((__noreturn__));

/*
 * fn(arg) on the stack that ends at `top`, as a plain call; its result. *save: where the
 * caller's stack was left, as switch_stack() has it, for a backtrace only. What runs in fn
 * may switch threads: the call then returns under another worker, perhaps. In
 * switch_<arch>.S.
 */
void *perch_switch_call(void *(*fn)(void *arg), void *arg, void *top, void **save);

#define SWITCH_INLINE static inline __attribute__((__always_inline__))

#if defined(__x86_64__)
SWITCH_INLINE const void *switch_stack(void **save, void *load, switch_hook hook, void *arg)
{
	register void *a __asm__("rdi") = save;
	register void *b __asm__("rsi") = load;
	register switch_hook h __asm__("rax") = hook;
	register void *x __asm__("rdx") = arg;
	register const void *l __asm__("r8") = __builtin_return_address(0);
	const void *left;

	__asm__ volatile("leaq 1f(%%rip), %%rcx\n\t"
			 "pushq %%rbp\n\t"
			 "pushq %%rbx\n\t"
			 "pushq %%rcx\n\t"
			 "movq %%rsp, (%%rdi)\n\t"
			 "movq %%rsi, %%rsp\n\t"
			 "popq %%rcx\n\t"
			 "jmp *%%rcx\n"
			 "1:\n\t"
			 "popq %%rbx\n\t"
			 "popq %%rbp"
			 : "+r"(a), "+r"(b), "+r"(h), "+r"(x), "+r"(l)
			 :
			 : "rcx", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc", "xmm0", "xmm1",
			   "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
			   "xmm13", "xmm14", "xmm15");
	left = l; /* before the call, for which `l` is not kept */
	if (h)
		h(x);
	return left;
}

/* `result`, by a jump. It is const so that the compiler lets go of the caller's frame before. */
int perch_switch_return(int result) __attribute__((__const__));

/* The last thing in a function that has called switch_stack(), whose result is `left`. */
SWITCH_INLINE int switch_return(const void *left, int result)
{
	return left == __builtin_return_address(0) ? result : perch_switch_return(result);
}

/* The same when the caller is not what the program called: it returns whether it does so by a
 * jump, and from there on it is known that the others had better do so too. */
SWITCH_INLINE int switch_return_and_tell(const void *left)
{
	return left == __builtin_return_address(0) ? 0 : perch_switch_return(1);
}

SWITCH_INLINE int switch_return_as_told(int jump, int result)
{
	return jump ? perch_switch_return(result) : result;
}

/* The first frame of a new stack: what switch_stack() loads. */
static inline void *switch_prepare(void *top)
{
	void **sp = top;

	*--sp = (void *)perch_switch_enter;
	return sp;
}

/* Drop everything on this stack and begin it anew, without a hook. */
static inline __attribute__((__noreturn__)) void switch_restart(void *top)
{
	__asm__ volatile("movq %0, %%rsp\n\t"
			 "xorl %%eax, %%eax\n\t"
			 "xorl %%edx, %%edx\n\t"
			 "jmp perch_switch_enter"
			 :
			 : "r"(top)
			 : "memory", "rax", "rdx");
	__builtin_unreachable();
}
#elif defined(__aarch64__)
SWITCH_INLINE const void *switch_stack(void **save, void *load, switch_hook hook, void *arg)
{
	register void *a __asm__("x0") = save;
	register void *b __asm__("x1") = load;
	register switch_hook h __asm__("x2") = hook;
	register void *x __asm__("x3") = arg;

	/* the frame: {resume address, x29}, {x19, 0}. x18 is the platform's elsewhere; on Linux compilers use
	 * it like x17, and here keep values in it that the caller wants behind the switch. */
	__asm__ volatile("adr x4, 1f\n\t"
			 "stp x19, xzr, [sp, #-16]!\n\t"
			 "stp x4, x29, [sp, #-16]!\n\t"
			 "mov x5, sp\n\t"
			 "str x5, [x0]\n\t"
			 "mov sp, x1\n\t"
			 "ldp x4, x29, [sp], #16\n\t"
			 "br x4\n"
			 "1:\n\t"
			 "ldp x19, xzr, [sp], #16"
			 : "+r"(a), "+r"(b), "+r"(h), "+r"(x)
			 :
			 : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17",
			   "x18", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x30", "memory", "cc",
			   "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13",
			   "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26",
			   "v27", "v28", "v29", "v30", "v31");
	if (h)
		h(x);
	return NULL;
}

/* Not measured here, so plainly. */
SWITCH_INLINE int switch_return(const void *left, int result)
{
	(void)left;
	return result;
}

SWITCH_INLINE int switch_return_and_tell(const void *left)
{
	(void)left;
	return 0;
}

SWITCH_INLINE int switch_return_as_told(int jump, int result)
{
	(void)jump;
	return result;
}

static inline void *switch_prepare(void *top)
{
	void **sp = (void **)top - 2;

	sp[0] = (void *)perch_switch_enter;
	sp[1] = 0;
	return sp;
}

static inline __attribute__((__noreturn__)) void switch_restart(void *top)
{
	__asm__ volatile("mov sp, %0\n\t"
			 "mov x2, xzr\n\t"
			 "mov x3, xzr\n\t"
			 "b perch_switch_enter"
			 :
			 : "r"(top)
			 : "memory", "x2", "x3");
	__builtin_unreachable();
}
#else
#error "perch switches stacks on x86_64 and aarch64 only"
#endif

#endif
