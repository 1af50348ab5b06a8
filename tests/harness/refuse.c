/* SPDX-License-Identifier: MIT */
/*
 * refuse.c - a seccomp filter that makes one system call fail with EPERM, as
 * container runtimes do to what they do not know; or that kills who makes it.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/harness/helpers.h"
#include "tests/harness/internal.h"

#if defined(__x86_64__)
#define THIS_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "refuse.c: which AUDIT_ARCH is this?"
#endif

static int number_of(const char *syscall_name)
{
	static const struct {
		const char *name;
		int number;
	} known[] = {
		{"get_mempolicy", SYS_get_mempolicy},   {"io_uring_enter", SYS_io_uring_enter},
		{"io_uring_setup", SYS_io_uring_setup}, {"mbind", SYS_mbind},
		{"membarrier", SYS_membarrier},         {"move_pages", SYS_move_pages},
		{"sched_setattr", SYS_sched_setattr},   {"sched_setscheduler", SYS_sched_setscheduler},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(syscall_name, known[i].name))
			return known[i].number;
	return -EINVAL;
}

/* What the kernel does instead of the call. */
static int filter_number(int number, uint32_t action, unsigned flags)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCHITECTURE, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};

	if (number < 0)
		return number;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program))
		return -errno;
	return 0;
}

static int filter_call(const char *syscall_name, uint32_t action, unsigned flags)
{
	return filter_number(number_of(syscall_name), action, flags);
}

int harness_refuse_number(int number, int error)
{
	return filter_number(number, SECCOMP_RET_ERRNO | (uint32_t)error, SECCOMP_FILTER_FLAG_TSYNC);
}

int harness_refuse(const char *syscall_name)
{
	return filter_call(syscall_name, SECCOMP_RET_ERRNO | EPERM, 0);
}

int harness_refuse_from_now_on(const char *syscall_name, int error)
{
	return filter_call(syscall_name, SECCOMP_RET_ERRNO | (uint32_t)error, SECCOMP_FILTER_FLAG_TSYNC);
}

int harness_forbid(const char *syscall_name)
{
	return filter_call(syscall_name, SECCOMP_RET_KILL_PROCESS, 0);
}

int harness_refuse_by_environment(void)
{
	const char *name = getenv("PERCH_TEST_SECCOMP");

	return name && name[0] ? harness_refuse(name) : 0;
}
