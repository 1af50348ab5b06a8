/* SPDX-License-Identifier: MIT */
/*
 * refuse.c - a seccomp filter that makes one system call fail with EPERM, as
 * container runtimes do to what they do not know.
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
	if (!strcmp(syscall_name, "membarrier"))
		return SYS_membarrier;
	if (!strcmp(syscall_name, "io_uring_setup"))
		return SYS_io_uring_setup;
	if (!strcmp(syscall_name, "mbind"))
		return SYS_mbind;
	if (!strcmp(syscall_name, "sched_setscheduler"))
		return SYS_sched_setscheduler;
	return strcmp(syscall_name, "sched_setattr") ? -EINVAL : SYS_sched_setattr;
}

int harness_refuse(const char *syscall_name)
{
	int number = number_of(syscall_name);
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCHITECTURE, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};

	if (number < 0)
		return number;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return -errno;
	return 0;
}

int harness_refuse_by_environment(void)
{
	const char *name = getenv("PERCH_TEST_SECCOMP");

	return name && name[0] ? harness_refuse(name) : 0;
}
