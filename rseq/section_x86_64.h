/* SPDX-License-Identifier: MIT */
/*
 * section_x86_64.h - the sections of section.h for x86-64; read that first.
 *
 * Each section is: store the address of its descriptor (in .data.rel.ro.rseq_cs) into
 * rseq->rseq_cs, then label 1 (start) ... label 2 (just behind the COMMIT
 * store). Label 4 is where the kernel sends us when it cut the section: in
 * __rseq_failure, behind the signature. The signature's four bytes are the
 * displacement of `ud1 0x53053053(%rip), %edi`, so a disassembler is not lost,
 * and running into it traps.
 *
 * The kernel clears rseq_cs lazily, so leaving by a jump (the slow exit) needs
 * nothing: the address is then outside [1, 2).
 */
#ifndef PERCH_RSEQ_SECTION_X86_64_H
#define PERCH_RSEQ_SECTION_X86_64_H

/* assembly keeps its columns */
/* clang-format off */

#define SECTION_STR_(x) #x
#define SECTION_STR(x) SECTION_STR_(x)

#ifdef PERCH_SECTION_DELAY /* the processor's flags are dead wherever this stands */
#define SECTION_STEP(n) \
	"movq perch_section_delay@GOTPCREL(%%rip), %%rcx\n\t" \
	"movl (%%rcx), %%ecx\n\t" \
	"incl %%ecx\n" \
	"9" #n "%=: decl %%ecx\n\t" \
	"jnz 9" #n "%=b\n\t"
#else
#define SECTION_STEP(n)
#endif

#if defined(PERCH_SECTION_DELAY) || defined(PERCH_SECTION_TWICE)
#define SECTION_CLOBBER "memory", "cc", "rcx"
#else
#define SECTION_CLOBBER "memory", "cc"
#endif

#ifdef PERCH_SECTION_TWICE
/* The CPU must still be the one whose area is in %[p] ... */
#define SECTION_TWICE_CPU \
	"movl %%fs:4(%[off]), %%ecx\n\t" \
	"shlq $" SECTION_STR(PERCPU_SHIFT) ", %%rcx\n\t" \
	"addq %[base], %%rcx\n\t" \
	"cmpq %%rcx, %[p]\n\t" \
	"je 80%=f\n\t" \
	"ud2\n" \
	"80%=:\n\t"
/* ... and the value at `where` the one that was read into %[t], plus `diff`. */
#define SECTION_TWICE_TAIL(diff) \
	"movl " SECTION_STR(PERCPU_TAIL) "(%[p]), %%ecx\n\t" \
	"addl $(" #diff "), %%ecx\n\t" \
	"cmpl %%ecx, %k[t]\n\t" \
	"je 81%=f\n\t" \
	"ud2\n" \
	"81%=:\n\t"
#else
#define SECTION_TWICE_CPU
#define SECTION_TWICE_TAIL(diff)
#endif

/* Not to be written to once it is relocated. A test finds all of them by another name. */
#ifdef PERCH_SECTIONS_NAMED
#define SECTION_TABLE_NAME "__rseq_cs"
#else
#define SECTION_TABLE_NAME ".data.rel.ro.rseq_cs"
#endif

#define SECTION_TABLE \
	".pushsection " SECTION_TABLE_NAME ", \"aw\"\n\t" \
	".balign 32\n" \
	"3%=:\n\t" \
	".long 0, 0\n\t" \
	".quad 1%=f, (2%=f - 1%=f), 4%=f\n\t" \
	".popsection\n\t" \
	".pushsection __rseq_failure, \"ax\"\n\t" \
	".byte 0x0f, 0xb9, 0x3d\n\t" \
	".long 0x53053053\n" \
	"4%=:\n\t" \
	"jmp %l[cut]\n\t" \
	".popsection\n\t"

#define SECTION_ARM \
	"leaq 3%=b(%%rip), %[u]\n\t" \
	"movq %[u], %%fs:8(%[off])\n"

#define SECTION_FIND \
	"movl %%fs:4(%[off]), %k[p]\n\t" \
	"shlq $" SECTION_STR(PERCPU_SHIFT) ", %[p]\n\t" \
	"addq %[base], %[p]\n\t" \
	SECTION_STEP(0)

/* After this, %[p] is the area of the CPU we are on, until the section ends. */
#ifdef PERCH_SEED_NO_CPU_CHECK
#define SECTION_BEGIN SECTION_TABLE SECTION_FIND SECTION_ARM "1%=:\n\t"
#else
#define SECTION_BEGIN SECTION_TABLE SECTION_ARM "1%=:\n\t" SECTION_FIND
#endif
/* For what is in no area. */
#define SECTION_BEGIN_BARE SECTION_TABLE SECTION_ARM "1%=:\n\t"
#define SECTION_END "2%=:\n\t"

#ifdef PERCH_SEED_NO_FREEZE_CHECK /* all but FROZEN is still looked at */
#define SECTION_CHECK_FLAGS \
	"testl $" SECTION_STR(PERCPU_ACTIVE) ", " SECTION_STR(PERCPU_FLAGS) "(%[p])\n\t" \
	"jz %l[slow]\n\t" \
	SECTION_STEP(1)
#define SECTION_CHECK_ATTENTION \
	"cmpl $0, " SECTION_STR(PERCPU_REQUEST) "(%[p])\n\t" \
	"jne %l[slow]\n\t" \
	SECTION_CHECK_FLAGS
#else
#define SECTION_CHECK_FLAGS \
	"cmpl $" SECTION_STR(PERCPU_ACTIVE) ", " SECTION_STR(PERCPU_FLAGS) "(%[p])\n\t" \
	"jne %l[slow]\n\t" \
	SECTION_STEP(1)
/* flags and request in one compare */
#define SECTION_CHECK_ATTENTION \
	"cmpq $" SECTION_STR(PERCPU_ACTIVE) ", " SECTION_STR(PERCPU_FLAGS) "(%[p])\n\t" \
	"jne %l[slow]\n\t" \
	SECTION_STEP(1)
#endif

#define SECTION_INLINE static inline __attribute__((__always_inline__))
#define SECTION_AND ,

/*
 * Everything around a section's body: operands, exits, retries.
 * volatile: gcc before 11.5, 12.4, 13.3 does not take it as said of an asm goto
 * with outputs, and drops a whole section whose outputs nobody reads (its bug
 * 98619). The empty asm behind keeps the outputs' moves off the other edges
 * (its bug 113921); SECTION_GIVE keeps an output from being one variable with
 * the caller's, which gcc 12.2 then overwrote on the slow exit too.
 */
#define SECTION_GIVE(to, v) \
	do { \
		uintptr_t given_; \
		__asm__ volatile("movq %1, %0" : "=r"(given_) : "r"(v)); \
		(to) = (__typeof__(to))given_; \
	} while (0)
#define SECTION_TRY \
	unsigned cuts = 0; \
	for (;;) {
#define SECTION_DONE_BY(on_done) \
		__asm__ volatile(""); \
		on_done; \
		return SECTION_DONE; \
	cut: \
		SECTION_COUNT_CUT(); \
		if (++cuts > SECTION_RETRIES) \
			return SECTION_SLOW; \
	} \
slow: \
	return SECTION_SLOW
#define SECTION_RUN(begin, body, outputs, inputs, on_done) \
	uint64_t p, t, u; \
	SECTION_TRY \
		__asm__ volatile goto(begin body SECTION_END \
				      : [p] "=&r"(p), [t] "=&r"(t), [u] "=&r"(u) outputs \
				      : [off] "r"(perch_fast.rseq_offset), [base] "r"(perch_fast.base) inputs \
				      : SECTION_CLOBBER \
				      : cut, slow); \
	SECTION_DONE_BY(on_done)

/* ---- the ring ---- */

#define SECTION_PUSH(check) \
	check \
	"movl " SECTION_STR(PERCPU_TAIL) "(%[p]), %k[t]\n\t" \
	"movl %k[t], %k[u]\n\t" \
	"subw " SECTION_STR(PERCPU_SPLIT) "(%[p]), %w[u]\n\t" \
	"movzwl %w[u], %k[u]\n\t" \
	"cmpl $" SECTION_STR(RING_CAPACITY) ", %k[u]\n\t" \
	"jae %l[slow]\n\t" \
	SECTION_STEP(2) \
	"movl %k[t], %k[u]\n\t" \
	"andl $(" SECTION_STR(RING_CAPACITY) " - 1), %k[u]\n\t" \
	"movq %[v], " SECTION_STR(PERCPU_SLOT) "(%[p], %[u], 8)\n\t" \
	SECTION_STEP(3) \
	"incl %k[t]\n\t" \
	SECTION_TWICE_CPU SECTION_TWICE_TAIL(1) \
	"movl %k[t], " SECTION_STR(PERCPU_TAIL) "(%[p])\n"

#define SECTION_TOP(check) \
	check \
	"movl " SECTION_STR(PERCPU_TAIL) "(%[p]), %k[t]\n\t" \
	"cmpw " SECTION_STR(PERCPU_SPLIT_SPLIT) "(%[p]), %w[t]\n\t" \
	"je %l[slow]\n\t" \
	SECTION_STEP(2) \
	"decl %k[t]\n\t" \
	"movl %k[t], %k[u]\n\t" \
	"andl $(" SECTION_STR(RING_CAPACITY) " - 1), %k[u]\n\t"

#define SECTION_DROP_TOP \
	SECTION_STEP(3) \
	SECTION_TWICE_CPU SECTION_TWICE_TAIL(-1) \
	"movl %k[t], " SECTION_STR(PERCPU_TAIL) "(%[p])\n"

#define SECTION_POP(check) \
	SECTION_TOP(check) \
	"movq " SECTION_STR(PERCPU_SLOT) "(%[p], %[u], 8), %[v]\n\t" \
	SECTION_DROP_TOP

#define SECTION_POP_IF(check) \
	SECTION_TOP(check) \
	"cmpq %[v], " SECTION_STR(PERCPU_SLOT) "(%[p], %[u], 8)\n\t" \
	"jne %l[slow]\n\t" \
	SECTION_DROP_TOP

SECTION_INLINE int section_push(uintptr_t item)
{
	SECTION_RUN(SECTION_BEGIN, SECTION_PUSH(SECTION_CHECK_ATTENTION), , SECTION_AND [v] "r"(item), );
}

SECTION_INLINE int section_push_raw(uintptr_t item)
{
	SECTION_RUN(SECTION_BEGIN, SECTION_PUSH(SECTION_CHECK_FLAGS), , SECTION_AND [v] "r"(item), );
}

SECTION_INLINE int section_pop(uintptr_t *item)
{
	uintptr_t v;
	SECTION_RUN(SECTION_BEGIN, SECTION_POP(SECTION_CHECK_ATTENTION), SECTION_AND [v] "=&r"(v), , SECTION_GIVE(*item, v));
}

SECTION_INLINE int section_pop_raw(uintptr_t *item)
{
	uintptr_t v;
	SECTION_RUN(SECTION_BEGIN, SECTION_POP(SECTION_CHECK_FLAGS), SECTION_AND [v] "=&r"(v), , SECTION_GIVE(*item, v));
}

SECTION_INLINE int section_pop_if(uintptr_t item)
{
	SECTION_RUN(SECTION_BEGIN, SECTION_POP_IF(SECTION_CHECK_ATTENTION), , SECTION_AND [v] "r"(item), );
}

SECTION_INLINE int section_pop_if_raw(uintptr_t item)
{
	SECTION_RUN(SECTION_BEGIN, SECTION_POP_IF(SECTION_CHECK_FLAGS), , SECTION_AND [v] "r"(item), );
}

/* The COMMIT stores are plain: x86-64 keeps the slots' stores before it. */
SECTION_INLINE int section_publish(void)
{
	SECTION_RUN(SECTION_BEGIN, SECTION_CHECK_FLAGS
		"movzwl " SECTION_STR(PERCPU_SPLIT_SPLIT) "(%[p]), %k[u]\n\t"
		"movzwl " SECTION_STR(PERCPU_TAIL) "(%[p]), %k[t]\n\t"
		"subw %w[u], %w[t]\n\t"
		"jz %l[slow]\n\t"
		SECTION_STEP(2)
		"incl %k[t]\n\t" /* at most 4097: stays within 16 bits */
		"shrl $1, %k[t]\n\t"
		"addl %k[u], %k[t]\n\t"
		SECTION_STEP(3)
		SECTION_TWICE_CPU
		"movw %w[t], " SECTION_STR(PERCPU_SPLIT_SPLIT) "(%[p])\n", , , );
}

/* ---- the fair queue ---- */

SECTION_INLINE int section_fair_push(uintptr_t item)
{
	SECTION_RUN(SECTION_BEGIN, SECTION_CHECK_ATTENTION
		"movl " SECTION_STR(PERCPU_FAIR) "+4(%[p]), %k[t]\n\t"
		"movl %k[t], %k[u]\n\t"
		"subl " SECTION_STR(PERCPU_FAIR) "(%[p]), %k[u]\n\t"
		"cmpl $" SECTION_STR(FAIR_CAPACITY) ", %k[u]\n\t"
		"jae %l[slow]\n\t"
		SECTION_STEP(2)
		"movl %k[t], %k[u]\n\t"
		"andl $(" SECTION_STR(FAIR_CAPACITY) " - 1), %k[u]\n\t"
		"movq %[v], " SECTION_STR(PERCPU_FAIR_SLOT) "(%[p], %[u], 8)\n\t"
		SECTION_STEP(3)
		"incl %k[t]\n\t"
		SECTION_TWICE_CPU
		"movl %k[t], " SECTION_STR(PERCPU_FAIR) "+4(%[p])\n", , SECTION_AND [v] "r"(item), );
}

SECTION_INLINE int section_fair_pop(uintptr_t *item)
{
	uintptr_t v;
	SECTION_RUN(SECTION_BEGIN, SECTION_CHECK_FLAGS
		"movl " SECTION_STR(PERCPU_FAIR) "(%[p]), %k[t]\n\t"
		"cmpl %k[t], " SECTION_STR(PERCPU_FAIR) "+4(%[p])\n\t"
		"je %l[slow]\n\t"
		SECTION_STEP(2)
		"movl %k[t], %k[u]\n\t"
		"andl $(" SECTION_STR(FAIR_CAPACITY) " - 1), %k[u]\n\t"
		"movq " SECTION_STR(PERCPU_FAIR_SLOT) "(%[p], %[u], 8), %[v]\n\t"
		SECTION_STEP(3)
		"incl %k[t]\n\t"
		SECTION_TWICE_CPU
		"movl %k[t], " SECTION_STR(PERCPU_FAIR) "(%[p])\n", SECTION_AND [v] "=&r"(v), , SECTION_GIVE(*item, v));
}

/* ---- free lists ---- */

SECTION_INLINE int section_list_push(unsigned list, struct section_node *node, uint64_t max)
{
	SECTION_RUN(SECTION_BEGIN, SECTION_CHECK_FLAGS
		"movq " SECTION_STR(PERCPU_LIST) "(%[p], %[i], 8), %[t]\n\t"
		"movl $1, %k[u]\n\t"
		"testq %[t], %[t]\n\t"
		"jz 5%=f\n\t"
		"addq 8(%[t]), %[u]\n\t"
		"cmpq %[m], %[u]\n\t"
		"ja %l[slow]\n"
		"5%=:\n\t"
		SECTION_STEP(2)
		"movq %[t], (%[n])\n\t"
		"movq %[u], 8(%[n])\n\t"
		SECTION_STEP(3)
		SECTION_TWICE_CPU
		"movq %[n], " SECTION_STR(PERCPU_LIST) "(%[p], %[i], 8)\n", ,
		SECTION_AND [i] "r"((uint64_t)list) SECTION_AND [n] "r"(node) SECTION_AND [m] "r"(max), );
}

SECTION_INLINE int section_list_pop(unsigned list, struct section_node **node)
{
	struct section_node *v;
	SECTION_RUN(SECTION_BEGIN, SECTION_CHECK_FLAGS
		"movq " SECTION_STR(PERCPU_LIST) "(%[p], %[i], 8), %[v]\n\t"
		"testq %[v], %[v]\n\t"
		"jz %l[slow]\n\t"
		SECTION_STEP(2)
		"movq (%[v]), %[t]\n\t"
		SECTION_STEP(3)
		SECTION_TWICE_CPU
		"movq %[t], " SECTION_STR(PERCPU_LIST) "(%[p], %[i], 8)\n", SECTION_AND [v] "=&r"(v),
		SECTION_AND [i] "r"((uint64_t)list), SECTION_GIVE(*node, v));
}

SECTION_INLINE int section_list_take(unsigned list, struct section_node **chain)
{
	struct section_node *v;
	SECTION_RUN(SECTION_BEGIN, SECTION_CHECK_FLAGS
		"movq " SECTION_STR(PERCPU_LIST) "(%[p], %[i], 8), %[v]\n\t"
		"testq %[v], %[v]\n\t"
		"jz %l[slow]\n\t"
		SECTION_STEP(2)
		SECTION_TWICE_CPU
		"movq $0, " SECTION_STR(PERCPU_LIST) "(%[p], %[i], 8)\n", SECTION_AND [v] "=&r"(v),
		SECTION_AND [i] "r"((uint64_t)list), SECTION_GIVE(*chain, v));
}

SECTION_INLINE int section_list_put(unsigned list, struct section_node *chain)
{
	SECTION_RUN(SECTION_BEGIN, SECTION_CHECK_FLAGS
		"cmpq $0, " SECTION_STR(PERCPU_LIST) "(%[p], %[i], 8)\n\t"
		"jne %l[slow]\n\t"
		SECTION_STEP(2)
		SECTION_TWICE_CPU
		"movq %[n], " SECTION_STR(PERCPU_LIST) "(%[p], %[i], 8)\n", ,
		SECTION_AND [i] "r"((uint64_t)list) SECTION_AND [n] "r"(chain), );
}

/*
 * The same for list PERCPU_LIST_ONCE + i, where every instruction counts (core/alloc): the area's
 * base and `max` may be operands in memory, and a section that was cut is not run again but takes the
 * slow exit.
 */
#define SECTION_LIST_ONCE SECTION_STR(PERCPU_LIST) "+8*" SECTION_STR(PERCPU_LIST_ONCE)
#define SECTION_ONCE(body, outputs, inputs, on_done) \
	uint64_t p, t, u; \
	__asm__ volatile goto(SECTION_BEGIN SECTION_CHECK_FLAGS body SECTION_END \
			      : [p] "=&r"(p), [t] "=&r"(t), [u] "=&r"(u) outputs \
			      : [off] "r"(perch_fast.rseq_offset), [base] "rm"(perch_fast.base) inputs \
			      : SECTION_CLOBBER \
			      : cut, slow); \
	__asm__ volatile(""); \
	on_done; \
	return SECTION_DONE; \
cut: \
	SECTION_COUNT_CUT(); \
slow: \
	return SECTION_SLOW

SECTION_INLINE int section_list_push_once(uint64_t i, struct section_node *node, const uint32_t *max)
{
	SECTION_ONCE("movq " SECTION_LIST_ONCE "(%[p], %[i], 8), %[t]\n\t"
		"movl $1, %k[u]\n\t"
		"testq %[t], %[t]\n\t"
		"jz 5%=f\n\t"
		"addl 8(%[t]), %k[u]\n\t"
		"cmpl %[m], %k[u]\n\t"
		"ja %l[slow]\n"
		"5%=:\n\t"
		SECTION_STEP(2)
		"movq %[t], (%[n])\n\t"
		"movq %[u], 8(%[n])\n\t"
		SECTION_STEP(3)
		SECTION_TWICE_CPU
		"movq %[n], " SECTION_LIST_ONCE "(%[p], %[i], 8)\n", ,
		SECTION_AND [i] "r"(i) SECTION_AND [n] "r"(node) SECTION_AND [m] "rm"(*max), );
}

SECTION_INLINE int section_list_pop_once(uint64_t i, struct section_node **node)
{
	struct section_node *v;
	SECTION_ONCE("movq " SECTION_LIST_ONCE "(%[p], %[i], 8), %[v]\n\t"
		"testq %[v], %[v]\n\t"
		"jz %l[slow]\n\t"
		SECTION_STEP(2)
		"movq (%[v]), %[t]\n\t"
		SECTION_STEP(3)
		SECTION_TWICE_CPU
		"movq %[t], " SECTION_LIST_ONCE "(%[p], %[i], 8)\n", SECTION_AND [v] "=&r"(v),
		SECTION_AND [i] "r"(i), SECTION_GIVE(*node, v));
}

/* ---- a word that leans on this CPU ---- */

/* Without the registers for an area and a tail: where locks are taken, they are scarce. */
SECTION_INLINE int section_cas(uint32_t *word, uint32_t expect, uint32_t next, uint32_t cpu)
{
	uint64_t u;
	SECTION_TRY
		__asm__ volatile goto(SECTION_BEGIN_BARE
				      "cmpl %[c], %%fs:4(%[off])\n\t"
				      "jne %l[slow]\n\t"
				      SECTION_STEP(1)
				      "cmpl %[e], (%[w])\n\t"
				      "jne %l[slow]\n\t"
				      SECTION_STEP(2)
				      "movl %[n], (%[w])\n" SECTION_END
				      : [u] "=&r"(u)
				      : [off] "r"(perch_fast.rseq_offset), [w] "r"(word), [e] "r"(expect),
					[n] "r"(next), [c] "r"(cpu)
				      : SECTION_CLOBBER
				      : cut, slow);
	SECTION_DONE_BY();
}

/* ---- counters ---- */

SECTION_INLINE int section_add(unsigned counter, uint64_t n)
{
	SECTION_RUN(SECTION_BEGIN, SECTION_CHECK_FLAGS
		SECTION_STEP(2)
		SECTION_TWICE_CPU
		"addq %[n], " SECTION_STR(PERCPU_COUNTER) "(%[p], %[i], 8)\n", ,
		SECTION_AND [i] "r"((uint64_t)counter) SECTION_AND [n] "r"(n), );
}

/* clang-format on */

#endif
