/* SPDX-License-Identifier: MIT */
/*
 * section_aarch64.h - the sections of section.h for aarch64, little-endian;
 * read that first, and section_x86_64.h for the plan of a section.
 *
 * Registers: x16 is this pthread's rseq area, taken from tpidr_el0 anew each
 * time (the compiler may think it knows the thread pointer, but the caller may
 * have moved to another pthread since); x17 belongs to the delay points and
 * the second look. Both may also be used by the linker to lengthen the branch
 * back from __rseq_failure. The signature is the instruction `brk #0x45e0`.
 *
 * Ordering. On one CPU the program's order is enough, whichever pthreads run
 * there. What crosses CPUs:
 *   - The flags are loaded with acquire (ldar): whoever froze the queue clears
 *     FROZEN with release, and a section that sees it clear must also see what
 *     was changed meanwhile: split, the fair queue's head. x86-64 keeps loads
 *     in order by itself.
 *   - publish stores split with release (stlrh), behind the slots and what they
 *     point to; a thief loads the word that contains it with acquire.
 *   - push and fair_push look at head before they write a slot, and branch on
 *     it: a store is not made visible ahead of such a branch, so a slot is not
 *     written under a thief who still reads it and moves head with release.
 *   - Everything else is plain; the membarrier orders it for the one who froze.
 */
#ifndef PERCH_RSEQ_SECTION_AARCH64_H
#define PERCH_RSEQ_SECTION_AARCH64_H

#ifdef __AARCH64EB__
#error "the sections take a word's low half to be at its address: little-endian only"
#endif
#if PERCPU_FLAGS != 0
#error "ldar takes no offset: the flags must be an area's first word"
#endif

/* assembly keeps its columns */
/* clang-format off */

#define SECTION_STR_(x) #x
#define SECTION_STR(x) SECTION_STR_(x)

#ifdef PERCH_SECTION_DELAY /* the condition flags are dead wherever this stands */
#define SECTION_STEP(n) \
	"adrp x17, :got:perch_section_delay\n\t" \
	"ldr x17, [x17, #:got_lo12:perch_section_delay]\n\t" \
	"ldr w17, [x17]\n\t" \
	"add w17, w17, #1\n" \
	"9" #n "%=: subs w17, w17, #1\n\t" \
	"b.ne 9" #n "%=b\n\t"
#else
#define SECTION_STEP(n)
#endif

#define SECTION_CLOBBER "memory", "cc", "x16", "x17"

#ifdef PERCH_SECTION_TWICE
/* The CPU must still be the one whose area is in %[p] ... */
#define SECTION_TWICE_CPU \
	"ldr w17, [x16, #4]\n\t" \
	"add x17, %[base], x17, lsl #" SECTION_STR(PERCPU_SHIFT) "\n\t" \
	"cmp x17, %[p]\n\t" \
	"b.eq 80%=f\n\t" \
	"brk #1\n" \
	"80%=:\n\t"
/* ... and tail the one that was read into %[t], to which `redo` was done since. */
#define SECTION_TWICE_TAIL(redo) \
	"ldr w17, [%[p], #" SECTION_STR(PERCPU_TAIL) "]\n\t" \
	redo " w17, w17, #1\n\t" \
	"cmp w17, %w[t]\n\t" \
	"b.eq 81%=f\n\t" \
	"brk #1\n" \
	"81%=:\n\t"
#else
#define SECTION_TWICE_CPU
#define SECTION_TWICE_TAIL(redo)
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
	".inst 0xd428bc00\n" \
	"4%=:\n\t" \
	"b %l[cut]\n\t" \
	".popsection\n\t" \
	"mrs x16, tpidr_el0\n\t" \
	"add x16, x16, %[off]\n\t"

#define SECTION_ARM \
	"adrp %[u], 3%=b\n\t" \
	"add %[u], %[u], #:lo12:3%=b\n\t" \
	"str %[u], [x16, #8]\n"

#define SECTION_FIND \
	"ldr %w[p], [x16, #4]\n\t" \
	"add %[p], %[base], %[p], lsl #" SECTION_STR(PERCPU_SHIFT) "\n\t" \
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
	"ldar %w[u], [%[p]]\n\t" \
	"tst %w[u], #" SECTION_STR(PERCPU_ACTIVE) "\n\t" \
	"b.eq %l[slow]\n\t" \
	SECTION_STEP(1)
#define SECTION_CHECK_ATTENTION \
	"ldr %w[u], [%[p], #" SECTION_STR(PERCPU_REQUEST) "]\n\t" \
	"cbnz %w[u], %l[slow]\n\t" \
	SECTION_CHECK_FLAGS
#else
#define SECTION_CHECK_FLAGS \
	"ldar %w[u], [%[p]]\n\t" \
	"cmp %w[u], #" SECTION_STR(PERCPU_ACTIVE) "\n\t" \
	"b.ne %l[slow]\n\t" \
	SECTION_STEP(1)
/* flags and request in one compare */
#define SECTION_CHECK_ATTENTION \
	"ldar %[u], [%[p]]\n\t" \
	"cmp %[u], #" SECTION_STR(PERCPU_ACTIVE) "\n\t" \
	"b.ne %l[slow]\n\t" \
	SECTION_STEP(1)
#endif

#define SECTION_INLINE static inline __attribute__((__always_inline__))
#define SECTION_AND ,

/*
 * Everything around a section's body: operands, exits, retries. As to volatile
 * and the empty asm, see section_x86_64.h. An output that the caller sees goes
 * through SECTION_GIVE: a move that gcc cannot see through. With a plain one,
 * gcc 12.2 lets output and caller's variable share a place on the stack, and
 * then writes to it on the way to `slow` too.
 */
#define SECTION_GIVE(to, from) \
	do { \
		__typeof__(from) given; \
		__asm__ volatile("mov %0, %1" : "=r"(given) : "r"(from)); \
		*(to) = given; \
	} while (0)

#define SECTION_RUN(begin, body, outputs, inputs, on_done) \
	uint64_t p, t, u, s; \
	unsigned cuts = 0; \
	for (;;) { \
		__asm__ volatile goto(begin body SECTION_END \
				      : [p] "=&r"(p), [t] "=&r"(t), [u] "=&r"(u), [s] "=&r"(s) outputs \
				      : [off] "r"(perch_fast.rseq_offset), [base] "r"(perch_fast.base) inputs \
				      : SECTION_CLOBBER \
				      : cut, slow); \
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

/* ---- the ring ---- */

/* %[u]: where the slot of position %[t] is, less `slots` */
#define SECTION_SLOT_OF(capacity) \
	"and %w[u], %w[t], #(" SECTION_STR(capacity) " - 1)\n\t" \
	"add %[u], %[p], %[u], lsl #3\n\t"

#define SECTION_PUSH(check) \
	check \
	"ldr %w[t], [%[p], #" SECTION_STR(PERCPU_TAIL) "]\n\t" \
	"ldrh %w[u], [%[p], #" SECTION_STR(PERCPU_SPLIT) "]\n\t" \
	"sub %w[u], %w[t], %w[u]\n\t" \
	"and %w[u], %w[u], #0xffff\n\t" \
	"cmp %w[u], #" SECTION_STR(RING_CAPACITY) "\n\t" \
	"b.hs %l[slow]\n\t" \
	SECTION_STEP(2) \
	SECTION_SLOT_OF(RING_CAPACITY) \
	"str %[v], [%[u], #" SECTION_STR(PERCPU_SLOT) "]\n\t" \
	SECTION_STEP(3) \
	"add %w[t], %w[t], #1\n\t" \
	SECTION_TWICE_CPU SECTION_TWICE_TAIL("add") \
	"str %w[t], [%[p], #" SECTION_STR(PERCPU_TAIL) "]\n"

#define SECTION_TOP(check) \
	check \
	"ldr %w[t], [%[p], #" SECTION_STR(PERCPU_TAIL) "]\n\t" \
	"ldrh %w[u], [%[p], #" SECTION_STR(PERCPU_SPLIT_SPLIT) "]\n\t" \
	"cmp %w[u], %w[t], uxth\n\t" \
	"b.eq %l[slow]\n\t" \
	SECTION_STEP(2) \
	"sub %w[t], %w[t], #1\n\t" \
	SECTION_SLOT_OF(RING_CAPACITY)

#define SECTION_DROP_TOP \
	SECTION_STEP(3) \
	SECTION_TWICE_CPU SECTION_TWICE_TAIL("sub") \
	"str %w[t], [%[p], #" SECTION_STR(PERCPU_TAIL) "]\n"

#define SECTION_POP(check) \
	SECTION_TOP(check) \
	"ldr %[v], [%[u], #" SECTION_STR(PERCPU_SLOT) "]\n\t" \
	SECTION_DROP_TOP

#define SECTION_POP_IF(check) \
	SECTION_TOP(check) \
	"ldr %[s], [%[u], #" SECTION_STR(PERCPU_SLOT) "]\n\t" \
	"cmp %[s], %[v]\n\t" \
	"b.ne %l[slow]\n\t" \
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
	SECTION_RUN(SECTION_BEGIN, SECTION_POP(SECTION_CHECK_ATTENTION), SECTION_AND [v] "=&r"(v), , SECTION_GIVE(item, v));
}

SECTION_INLINE int section_pop_raw(uintptr_t *item)
{
	uintptr_t v;
	SECTION_RUN(SECTION_BEGIN, SECTION_POP(SECTION_CHECK_FLAGS), SECTION_AND [v] "=&r"(v), , SECTION_GIVE(item, v));
}

SECTION_INLINE int section_pop_if(uintptr_t item)
{
	SECTION_RUN(SECTION_BEGIN, SECTION_POP_IF(SECTION_CHECK_ATTENTION), , SECTION_AND [v] "r"(item), );
}

SECTION_INLINE int section_pop_if_raw(uintptr_t item)
{
	SECTION_RUN(SECTION_BEGIN, SECTION_POP_IF(SECTION_CHECK_FLAGS), , SECTION_AND [v] "r"(item), );
}

/* COMMIT is a release: it is what makes the slots visible to thieves. */
SECTION_INLINE int section_publish(void)
{
	SECTION_RUN(SECTION_BEGIN, SECTION_CHECK_FLAGS
		"ldrh %w[u], [%[p], #" SECTION_STR(PERCPU_SPLIT_SPLIT) "]\n\t"
		"ldrh %w[t], [%[p], #" SECTION_STR(PERCPU_TAIL) "]\n\t"
		"sub %w[t], %w[t], %w[u]\n\t"
		"ands %w[t], %w[t], #0xffff\n\t"
		"b.eq %l[slow]\n\t"
		SECTION_STEP(2)
		"add %w[t], %w[t], #1\n\t"
		"add %w[t], %w[u], %w[t], lsr #1\n\t"
		"add %[s], %[p], #" SECTION_STR(PERCPU_SPLIT_SPLIT) "\n\t"
		SECTION_STEP(3)
		SECTION_TWICE_CPU
		"stlrh %w[t], [%[s]]\n", , , );
}

/* ---- the fair queue ---- */

SECTION_INLINE int section_fair_push(uintptr_t item)
{
	SECTION_RUN(SECTION_BEGIN, SECTION_CHECK_ATTENTION
		"ldp %w[s], %w[t], [%[p], #" SECTION_STR(PERCPU_FAIR) "]\n\t"
		"sub %w[u], %w[t], %w[s]\n\t"
		"cmp %w[u], #" SECTION_STR(FAIR_CAPACITY) "\n\t"
		"b.hs %l[slow]\n\t"
		SECTION_STEP(2)
		SECTION_SLOT_OF(FAIR_CAPACITY)
		"add %[u], %[u], #(" SECTION_STR(PERCPU_FAIR_SLOT) ")\n\t"
		"str %[v], [%[u]]\n\t"
		SECTION_STEP(3)
		"add %w[t], %w[t], #1\n\t"
		SECTION_TWICE_CPU
		"str %w[t], [%[p], #(" SECTION_STR(PERCPU_FAIR) " + 4)]\n", , SECTION_AND [v] "r"(item), );
}

SECTION_INLINE int section_fair_pop(uintptr_t *item)
{
	uintptr_t v;
	SECTION_RUN(SECTION_BEGIN, SECTION_CHECK_FLAGS
		"ldp %w[t], %w[s], [%[p], #" SECTION_STR(PERCPU_FAIR) "]\n\t"
		"cmp %w[t], %w[s]\n\t"
		"b.eq %l[slow]\n\t"
		SECTION_STEP(2)
		SECTION_SLOT_OF(FAIR_CAPACITY)
		"add %[u], %[u], #(" SECTION_STR(PERCPU_FAIR_SLOT) ")\n\t"
		"ldr %[v], [%[u]]\n\t"
		SECTION_STEP(3)
		"add %w[t], %w[t], #1\n\t"
		SECTION_TWICE_CPU
		"str %w[t], [%[p], #" SECTION_STR(PERCPU_FAIR) "]\n", SECTION_AND [v] "=&r"(v), , SECTION_GIVE(item, v));
}

/* ---- free lists; %[s]: where the list's head is, less PERCPU_LIST ---- */

SECTION_INLINE int section_list_push(unsigned list, struct section_node *node, uint64_t max)
{
	SECTION_RUN(SECTION_BEGIN, SECTION_CHECK_FLAGS
		"add %[s], %[p], %[i], lsl #3\n\t"
		"ldr %[t], [%[s], #" SECTION_STR(PERCPU_LIST) "]\n\t"
		"mov %[u], #1\n\t"
		"cbz %[t], 5%=f\n\t"
		"ldr %[u], [%[t], #8]\n\t"
		"add %[u], %[u], #1\n\t"
		"cmp %[u], %[m]\n\t"
		"b.hi %l[slow]\n"
		"5%=:\n\t"
		SECTION_STEP(2)
		"stp %[t], %[u], [%[n]]\n\t"
		SECTION_STEP(3)
		SECTION_TWICE_CPU
		"str %[n], [%[s], #" SECTION_STR(PERCPU_LIST) "]\n", ,
		SECTION_AND [i] "r"((uint64_t)list) SECTION_AND [n] "r"(node) SECTION_AND [m] "r"(max), );
}

SECTION_INLINE int section_list_pop(unsigned list, struct section_node **node)
{
	struct section_node *v;
	SECTION_RUN(SECTION_BEGIN, SECTION_CHECK_FLAGS
		"add %[s], %[p], %[i], lsl #3\n\t"
		"ldr %[v], [%[s], #" SECTION_STR(PERCPU_LIST) "]\n\t"
		"cbz %[v], %l[slow]\n\t"
		SECTION_STEP(2)
		"ldr %[t], [%[v]]\n\t"
		SECTION_STEP(3)
		SECTION_TWICE_CPU
		"str %[t], [%[s], #" SECTION_STR(PERCPU_LIST) "]\n", SECTION_AND [v] "=&r"(v),
		SECTION_AND [i] "r"((uint64_t)list), SECTION_GIVE(node, v));
}

SECTION_INLINE int section_list_take(unsigned list, struct section_node **chain)
{
	struct section_node *v;
	SECTION_RUN(SECTION_BEGIN, SECTION_CHECK_FLAGS
		"add %[s], %[p], %[i], lsl #3\n\t"
		"ldr %[v], [%[s], #" SECTION_STR(PERCPU_LIST) "]\n\t"
		"cbz %[v], %l[slow]\n\t"
		SECTION_STEP(2)
		SECTION_TWICE_CPU
		"str xzr, [%[s], #" SECTION_STR(PERCPU_LIST) "]\n", SECTION_AND [v] "=&r"(v),
		SECTION_AND [i] "r"((uint64_t)list), SECTION_GIVE(chain, v));
}

SECTION_INLINE int section_list_put(unsigned list, struct section_node *chain)
{
	SECTION_RUN(SECTION_BEGIN, SECTION_CHECK_FLAGS
		"add %[s], %[p], %[i], lsl #3\n\t"
		"ldr %[t], [%[s], #" SECTION_STR(PERCPU_LIST) "]\n\t"
		"cbnz %[t], %l[slow]\n\t"
		SECTION_STEP(2)
		SECTION_TWICE_CPU
		"str %[n], [%[s], #" SECTION_STR(PERCPU_LIST) "]\n", ,
		SECTION_AND [i] "r"((uint64_t)list) SECTION_AND [n] "r"(chain), );
}

/* As the two above, for list PERCPU_LIST_ONCE + i; here no instruction is saved (see section_x86_64.h). */
SECTION_INLINE int section_list_push_once(uint64_t i, struct section_node *node, const uint32_t *max)
{
	return section_list_push(PERCPU_LIST_ONCE + (unsigned)i, node, *max);
}

SECTION_INLINE int section_list_pop_once(uint64_t i, struct section_node **node)
{
	return section_list_pop(PERCPU_LIST_ONCE + (unsigned)i, node);
}

/* ---- a word that leans on this CPU ---- */

SECTION_INLINE int section_cas(uint32_t *word, uint32_t expect, uint32_t next, uint32_t cpu)
{
	SECTION_RUN(SECTION_BEGIN_BARE,
		"ldr %w[t], [x16, #4]\n\t"
		"cmp %w[t], %w[c]\n\t"
		"b.ne %l[slow]\n\t"
		SECTION_STEP(1)
		"ldar %w[t], [%[w]]\n\t"
		"cmp %w[t], %w[e]\n\t"
		"b.ne %l[slow]\n\t"
		SECTION_STEP(2)
		"stlr %w[n], [%[w]]\n", ,
		SECTION_AND [w] "r"(word) SECTION_AND [e] "r"(expect) SECTION_AND [n] "r"(next) SECTION_AND [c] "r"(cpu), );
}

/* ---- counters ---- */

SECTION_INLINE int section_add(unsigned counter, uint64_t n)
{
	SECTION_RUN(SECTION_BEGIN, SECTION_CHECK_FLAGS
		"add %[s], %[p], %[i], lsl #3\n\t"
		"ldr %[t], [%[s], #" SECTION_STR(PERCPU_COUNTER) "]\n\t"
		SECTION_STEP(2)
		"add %[t], %[t], %[n]\n\t"
		SECTION_TWICE_CPU
		"str %[t], [%[s], #" SECTION_STR(PERCPU_COUNTER) "]\n", ,
		SECTION_AND [i] "r"((uint64_t)counter) SECTION_AND [n] "r"(n), );
}

/* clang-format on */

#endif
