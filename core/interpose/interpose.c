/* SPDX-License-Identifier: MIT */
/*
 * interpose.c - the C library's calls that make a pthread or a process, as a program finds
 * them that is linked with libperch.so: from a thread, they give what they make what the
 * process has (core/sched/children.h). From anywhere else they only pass the call on.
 *
 * Found in this order: whatever the program itself or a sanitizer puts before
 * libperch.so, this, the C library. So each goes on to what is next after this one.
 *
 * Not in libperch.a, where there may be nothing behind it. fork() has handlers for this
 * (pthread_atfork), also there. vfork(), clone() and clone3() cannot be had: a child
 * that shares its parent's stack cannot return from a function in between.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <threads.h>

#include "core/sched/children.h"

/* Weak: a sanitizer that is linked statically has its own, and must be called first. */
#define SHOWN __attribute__((visibility("default"), weak))

/* The next one of this name, looked for once: any of several that look finds the same. */
#define NEXT(name)                                                                                                     \
	({                                                                                                             \
		static __typeof__(&(name)) found;                                                                      \
		__typeof__(&(name)) next = __atomic_load_n(&found, __ATOMIC_RELAXED);                                  \
		if (!next) {                                                                                           \
			*(void **)&next = dlsym(RTLD_NEXT, #name);                                                     \
			__atomic_store_n(&found, next, __ATOMIC_RELAXED);                                              \
		}                                                                                                      \
		next;                                                                                                  \
	})

/* The call, with what the process has. */
#define PASS_ON(name, ...)                                                                                             \
	({                                                                                                             \
		bool lends = children_begin();                                                                         \
		__typeof__(name(__VA_ARGS__)) result = NEXT(name)(__VA_ARGS__);                                        \
		if (lends)                                                                                             \
			children_made();                                                                               \
		result;                                                                                                \
	})

SHOWN int pthread_create(pthread_t *restrict pthread, const pthread_attr_t *restrict attr, void *(*fn)(void *),
			 void *restrict arg)
{
	return PASS_ON(pthread_create, pthread, attr, fn, arg);
}

SHOWN int thrd_create(thrd_t *pthread, thrd_start_t fn, void *arg)
{
	return PASS_ON(thrd_create, pthread, fn, arg);
}

SHOWN int posix_spawn(pid_t *restrict pid, const char *restrict path, const posix_spawn_file_actions_t *restrict acts,
		      const posix_spawnattr_t *restrict attr, char *const argv[restrict], char *const envp[restrict])
{
	return PASS_ON(posix_spawn, pid, path, acts, attr, argv, envp);
}

SHOWN int posix_spawnp(pid_t *restrict pid, const char *restrict file, const posix_spawn_file_actions_t *restrict acts,
		       const posix_spawnattr_t *restrict attr, char *const argv[restrict], char *const envp[restrict])
{
	return PASS_ON(posix_spawnp, pid, file, acts, attr, argv, envp);
}

SHOWN int system(const char *command)
{
	return PASS_ON(system, command); /* NOLINT(cert-env33-c): the program calls it, we pass it on */
}

SHOWN FILE *popen(const char *command, const char *type)
{
	return PASS_ON(popen, command, type); /* NOLINT(cert-env33-c): as above */
}
