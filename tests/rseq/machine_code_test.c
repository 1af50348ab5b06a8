/* SPDX-License-Identifier: MIT */
/*
 * machine_code_test.c - reads what the compiler made of the paths that must be
 * cheap, by objdump of this very program: no locked instruction, no fence, no
 * call and no system call in any section, nor on the fast path of fork, sync,
 * push, pop and their like.
 */
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <perch/task.h>

#include "rseq/counter.h"
#include "rseq/pool.h"
#include "rseq/ring.h"
#include "tests/harness/harness.h"

/* ---- what is looked at ---- */

/* The slow ways of core/: named here so that the paths end in them, never called. */
int perch_task_fork_slow(perch_task_t *task)
{
	(void)task;
	abort();
}

int perch_task_sync_slow(perch_task_t *task)
{
	(void)task;
	abort();
}

void perch_call_run(perch_task_t *task)
{
	(void)task;
	abort();
}

__thread uintptr_t perch_stack_limit;

#ifdef __clang__
#define PATH __attribute__((__noinline__, __used__))
#else
#define PATH __attribute__((__noinline__, __used__, __noclone__))
#endif

PATH int path_task_fork(perch_task_t *task)
{
	return perch_task_fork(task);
}

PATH int path_task_claim(perch_task_t *task)
{
	return perch_task_claim(task);
}

PATH int path_fork(perch_call_t *call, void (*fn)(void *), void *arg)
{
	return perch_fork(call, fn, arg);
}

PERCH_VOID_TASK1(typed, int *, counter)
{
	++*counter;
}

PATH void path_typed_fork(struct typed_task *task, int *counter)
{
	typed_fork(task, counter);
}

/* The body is inlined here: what is left of a sync is the claim. */
PATH void path_typed_sync(struct typed_task *task)
{
	typed_sync(task);
}

PATH unsigned path_push(uintptr_t item)
{
	return ring_push(item);
}

PATH unsigned path_pop(uintptr_t *item)
{
	return ring_pop(item);
}

PATH unsigned path_pop_if(uintptr_t item)
{
	return ring_pop_if(item);
}

PATH unsigned path_fair_push(uintptr_t item)
{
	return ring_fair_push(item);
}

PATH unsigned path_fair_pop(uintptr_t *item)
{
	return ring_fair_pop(item);
}

PATH void *path_pool_get(struct pool *pool)
{
	return pool_get(pool);
}

PATH void path_pool_put(struct pool *pool, void *object)
{
	pool_put(pool, object);
}

PATH int path_list_push_once(uint64_t list, struct section_node *node, const uint32_t *most)
{
	return section_list_push_once(list, node, most);
}

PATH int path_list_pop_once(uint64_t list, struct section_node **node)
{
	return section_list_pop_once(list, node);
}

PATH int path_cas(uint32_t *word, uint32_t old, uint32_t next, uint32_t cpu)
{
	return section_cas(word, old, next, cpu);
}

PATH void path_counter_add(uint64_t n)
{
	counter_add(3, n);
}

PATH int path_publish(void)
{
	return section_publish();
}

PATH int path_list_take(struct section_node **chain)
{
	return section_list_take(1, chain);
}

PATH int path_list_put(struct section_node *chain)
{
	return section_list_put(1, chain);
}

/* What must be objected to; laid out as a path with a section would be. */
#if defined(__x86_64__)
#define BAD(name, instruction)                                                                                         \
	__asm__(".pushsection .text\n.globl " #name "\n.type " #name ", @function\n" #name ":\n"                       \
		"movq %r10, %fs:8(%rax)\n" instruction "\nmovl %r9d, 8(%r8)\nret\n"                                    \
		".size " #name ", . - " #name "\n.popsection")
BAD(bad_lock, "lock; incl 8(%r8)");
BAD(bad_xchg, "xchgl %eax, 8(%r8)");
BAD(bad_mfence, "mfence");
BAD(bad_lfence, "lfence");
BAD(bad_sfence, "sfence");
BAD(bad_call, "call abort@plt");
BAD(bad_indirect_call, "call *8(%r8)");
BAD(bad_syscall, "syscall");
BAD(good, "xchg %ax, %ax\nincl %r9d");
#endif

/* ---- how it is read ---- */

struct instruction {
	uintptr_t address;
	char text[96]; /* mnemonic and operands */
};

static struct instruction *code;
static size_t code_length;
static struct {
	char name[64];
	size_t at;
} * symbols;
static size_t symbol_count;

static void read_code(void)
{
	char *const objdump[] = {"/usr/bin/objdump", "-dw", "--no-show-raw-insn", "/proc/self/exe", NULL};
	char path[4096];
	struct harness_captured c;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *argv[5], *line, *rest;

#if !defined(__x86_64__)
	SKIP("written for x86-64's instructions");
#endif
	ASSERT_GT(n, 0);
	path[n] = 0;
	memcpy(argv, objdump, sizeof(argv));
	argv[3] = path;
	if (access(argv[0], X_OK))
		SKIP("there is no objdump here");
	ASSERT_EQ(harness_execute(&c, argv), 0);
	ASSERT_EQ(c.status, 0);
	code = calloc(c.length / 8, sizeof(*code));
	symbols = calloc(c.length / 16, sizeof(*symbols));
	for (line = strtok_r(c.text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		unsigned long address;
		int at = 0;

		if (sscanf(line, "%lx <%63[^>]>:", &address, symbols[symbol_count].name) == 2) {
			symbols[symbol_count++].at = code_length;
		} else if (sscanf(line, " %lx:\t%n", &address, &at) == 1 && at) {
			code[code_length].address = address;
			snprintf(code[code_length++].text, sizeof(code[0].text), "%s", line + at);
		}
	}
	ASSERT_GT(code_length, 1000);
}

static size_t find_symbol(const char *name)
{
	for (size_t i = 0; i < symbol_count; i++)
		if (!strcmp(symbols[i].name, name))
			return symbols[i].at;
	return SIZE_MAX;
}

static size_t find_address(uintptr_t address)
{
	size_t low = 0, high = code_length;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (code[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < code_length && code[low].address == address ? low : SIZE_MAX;
}

static bool starts(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* What is wrong with having this instruction there, or NULL. */
static const char *objection(const char *text)
{
	static const char *const never[] = {"lock ",   "mfence",   "lfence", "sfence", "call",
					    "syscall", "sysenter", "int ",   "cpuid",  "serialize"};

	for (unsigned i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (starts(text, never[i]) || (starts(text, "bnd ") && starts(text + 4, never[i])))
			return never[i];
	if (starts(text, "xchg") && strchr(text, '('))
		return "xchg with memory, which locks";
	return NULL;
}

struct verdict {
	const char *objection;
	unsigned length;
	bool section;     /* a descriptor was stored: it is a section's path */
	bool stack_check; /* the stack pointer was compared with the limit */
};

/*
 * The path when no conditional jump is taken: in the sections all of them lead
 * to the slow exit, and the compiler lays out the likely way straight on.
 */
static struct verdict walk(const char *function)
{
	struct verdict v = {0};
	size_t i = find_symbol(function);

	ASSERT_NE(i, SIZE_MAX);
	for (; i < code_length && v.length < 200; i++) {
		const char *text = code[i].text;
		unsigned long target;

		v.length++;
		if (starts(text, "mov") && strstr(text, "%fs:0x8("))
			v.section = true;
		if (starts(text, "cmp") && strstr(text, "%fs:") && strstr(text, "%rsp"))
			v.stack_check = true;
		if ((v.objection = objection(text))) {
			harness_log("%s: %lx: %s", function, code[i].address, text);
			return v;
		}
		if (starts(text, "ret"))
			return v;
		if (starts(text, "jmp ") && sscanf(text, "jmp %lx", &target) == 1) {
			i = find_address(target);
			ASSERT_NE(i, SIZE_MAX);
			i--;
		}
	}
	v.objection = "no end";
	return v;
}

static const char *const paths[] = {
	"path_task_fork",   "path_task_claim", "path_fork",           "path_typed_fork",    "path_typed_sync",
	"path_push",        "path_pop",        "path_pop_if",         "path_fair_push",     "path_fair_pop",
	"path_pool_get",    "path_pool_put",   "path_publish",        "path_list_take",     "path_list_put",
	"path_counter_add", "path_cas",        "path_list_push_once", "path_list_pop_once",
};

TEST(fast_paths_are_plain)
{
	read_code();
	for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct verdict v = walk(paths[i]);

		harness_log("%s: %u instructions", paths[i], v.length);
		EXPECT_STREQ(v.objection, NULL);
		EXPECT_TRUE(v.section); /* else the compiler has dropped it, or the walk went astray */
		if (!v.section)
			harness_log("%s has no section", paths[i]);
	}
}

TEST(sync_checks_the_stack)
{
	read_code();
	EXPECT_TRUE(walk("path_task_claim").stack_check);
	EXPECT_TRUE(walk("path_typed_sync").stack_check);
}

struct descriptor {
	uint32_t version, flags;
	uint64_t start, length, cut;
};

extern const struct descriptor __start___rseq_cs[], __stop___rseq_cs[];

static int note_base(struct dl_phdr_info *info, size_t size, void *base)
{
	(void)size;
	*(uintptr_t *)base = info->dlpi_addr;
	return 1; /* the first is the program itself */
}

/* Every section in this program, those of the whole of rseq/ among them. */
TEST(sections_are_plain)
{
	uintptr_t base = 0;
	unsigned n = 0;

	read_code();
	dl_iterate_phdr(note_base, &base);
	for (const struct descriptor *d = __start___rseq_cs; d < __stop___rseq_cs; d++, n++) {
		size_t i = find_address(d->start - base);
		uintptr_t end = d->start - base + d->length;
		const char *last = "";

		ASSERT_EQ(d->version, 0);
		ASSERT_EQ(d->flags, 0);
		ASSERT_NE(i, SIZE_MAX);
		EXPECT_EQ(((const uint32_t *)d->cut)[-1], 0x53053053);
		EXPECT_TRUE(d->cut < d->start || d->cut >= d->start + d->length);
		/* right before it: the descriptor is stored */
		EXPECT_CONTAINS(code[i - 1].text, "%fs:0x8(");
		for (; i < code_length && code[i].address < end; i++) {
			if (objection(code[i].text))
				harness_log("%lx: %s", code[i].address, code[i].text);
			EXPECT_STREQ(objection(code[i].text), NULL);
			EXPECT_FALSE(starts(code[i].text, "ret"));
			last = code[i].text;
		}
		EXPECT_EQ(code[i].address, end); /* it ends behind a whole instruction ... */
		/* ... which is the store that commits */
		EXPECT_TRUE(starts(last, "mov") || starts(last, "add"));
		EXPECT_TRUE(*last && last[strlen(last) - 1] == ')');
	}
	harness_log("%u sections", n);
	EXPECT_GE(n, sizeof(paths) / sizeof(paths[0]));
}

TEST(bad_code_is_seen)
{
#if defined(__x86_64__)
	static const char *const bad[] = {"bad_lock",   "bad_xchg", "bad_mfence",        "bad_lfence",
					  "bad_sfence", "bad_call", "bad_indirect_call", "bad_syscall"};

	read_code();
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT_NE(walk(bad[i]).objection, NULL);
	EXPECT_STREQ(walk("good").objection, NULL);
	EXPECT_FALSE(walk("good").stack_check);
#else
	read_code();
#endif
}
