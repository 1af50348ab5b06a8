/* SPDX-License-Identifier: MIT */
/* unwind_test.c - a stack that is nonsense does no harm to who looks at it. */
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/see/unwind.h"
#include "tests/see/child.h"

/* The code of this program and its libraries. */
static struct {
	uintptr_t begin, size;
} code[16];
static unsigned codes;

static int note_code(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	for (unsigned i = 0; i < info->dlpi_phnum && codes < 16; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD && info->dlpi_phdr[i].p_flags & PF_X) {
			code[codes].begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
			code[codes++].size = info->dlpi_phdr[i].p_memsz;
		}
	return 0;
}

static uintptr_t somewhere_in_code(void)
{
	unsigned i = (unsigned)harness_random_below(codes);

	return code[i].begin + harness_random_below(code[i].size);
}

/*
 * Between two pages that must not be touched: words that are code's addresses,
 * addresses in this stack and about its ends, small numbers, and anything.
 */
TEST_TIMEOUT(nonsense, 60)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), words = page / 8, most = 0;
	char *p = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t *stack = (uint64_t *)(p + page), frames = 0;
	struct unwind *u = unwind_new();
	uintptr_t pc[48];

	ASSERT_NE(p, MAP_FAILED);
	ASSERT_NE(u, NULL);
	ASSERT_EQ(mprotect(p, page, PROT_NONE), 0);
	ASSERT_EQ(mprotect(p + 2 * page, page, PROT_NONE), 0);
	dl_iterate_phdr(note_code, NULL);
	ASSERT_GT(codes, 0);
	for (int round = 0; round < 3000; round++) {
		for (size_t i = 0; i < words; i++) {
			switch (harness_random_below(4)) {
			case 0:
				stack[i] = somewhere_in_code();
				break;
			case 1:
				stack[i] = (uintptr_t)p + harness_random_below(3 * page);
				break;
			case 2:
				stack[i] = (uintptr_t)(stack + harness_random_below(words));
				break;
			default:
				stack[i] = harness_random() >> harness_random_below(64);
			}
		}
		for (int k = 0; k < 20; k++) {
			uintptr_t sp = (uintptr_t)(stack + harness_random_below(words + 4)) - 16;
			size_t n;

			if (sp >= (uintptr_t)stack && sp < (uintptr_t)(stack + words))
				*(uint64_t *)sp = somewhere_in_code();
			n = unwind_stack(u, sp, (uintptr_t)stack, (uintptr_t)(stack + words), pc, 48);
			ASSERT_LE(n, 48);
			frames += n;
			most = n > most ? n : most;
		}
	}
	harness_log("%llu frames; %zu in one backtrace", (unsigned long long)frames, most);
	EXPECT_GT(most, 2); /* some of it was followed */
	unwind_free(u);
	munmap(p, 3 * page);
}
