/* SPDX-License-Identifier: MIT */
#include "core/see/deadlock.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/sched/clock.h"
#include "core/sched/foreign.h"
#include "core/sched/handoff.h"
#include "core/sched/idle.h"
#include "core/sched/look.h"
#include "core/sched/sched.h"
#include "core/sched/task.h"
#include "core/see/stats.h"

static bool threads_exist(uint64_t *count)
{
	uint64_t finished = stats_finished(), spawned;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	spawned = stats_spawned();
	*count = spawned - finished;
	return spawned != finished;
}

static bool wakers(void)
{
	return __atomic_load_n(&foreign_wakers, __ATOMIC_SEQ_CST) > 0;
}

/* Who waits for I/O can be woken from outside. */
static bool io_waits(void)
{
	return __atomic_load_n(&idle_io_waiters, __ATOMIC_SEQ_CST) > 0;
}

bool deadlock_suspected(void)
{
	uint64_t count;

	return !wakers() && !io_waits() && !handoff_any_lost() && timers_earliest() == CLOCK_NEVER &&
	       threads_exist(&count);
}

static uint64_t what_moved(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < sched_workers(); i++) {
		const struct worker_stats *s = &sched.workers[i].stats;

		sum += __atomic_load_n(&s->switches, __ATOMIC_ACQUIRE);
		sum += __atomic_load_n(&s->wakes, __ATOMIC_ACQUIRE);
		sum += __atomic_load_n(&s->sleeps, __ATOMIC_ACQUIRE);
	}
	return sum;
}

/* ---- the pthreads of this process ---- */

struct known {
	pid_t tid;
	bool found;
};

static void compare(const struct foreign *f, void *arg)
{
	struct known *k = arg;

	if (f->tid == k->tid)
		k->found = true;
}

static bool is_known(pid_t tid)
{
	struct known k = {tid, false};

	for (unsigned i = 0; i < sched_workers() && !k.found; i++)
		k.found = __atomic_load_n(&sched.workers[i].tid, __ATOMIC_RELAXED) == tid;
	if (!k.found)
		foreign_each(compare, &k);
	return k.found;
}

/* A main pthread that has ended stays in the list until the process ends. */
static bool has_ended(pid_t tid)
{
	char state = task_state(tid);

	return !state || state == 'Z' || state == 'X';
}

/* One of those by which the kernel does io_uring's work: it wakes who waits for I/O. */
static bool is_kernels(pid_t tid)
{
	char path[64], name[5] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, name, sizeof(name) - 1) < 0)
		name[0] = 0;
	close(fd);
	return !strcmp(name, "iou-");
}

static bool strangers(void)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	bool any = !d; /* without /proc it cannot be known */

	while (d && !any && (e = readdir(d))) {
		pid_t tid = (pid_t)atoi(e->d_name);

		any = tid > 0 && !is_known(tid) && !has_ended(tid) && !is_kernels(tid);
	}
	if (d)
		closedir(d);
	return any;
}

enum deadlock deadlock_look(uint64_t *moved, uint64_t *waiting)
{
	*moved = what_moved();
	if (!sched_up() || !threads_exist(waiting) || wakers() || io_waits() || handoff_any_lost() ||
	    timers_earliest() != CLOCK_NEVER || !idle_all_asleep() || look_anything() || look_anything_pinned())
		return DEADLOCK_NO;
	return strangers() ? DEADLOCK_UNSURE : DEADLOCK_YES;
}
