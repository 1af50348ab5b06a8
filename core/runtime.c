/* SPDX-License-Identifier: MIT */
/* runtime.c - starting and stopping it all. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include <perch/perch.h>

#include "core/alloc/cache.h"
#include "core/config.h"
#include "core/io/io.h"
#include "core/io/uring.h"
#include "core/sched/aim.h"
#include "core/sched/children.h"
#include "core/sched/clock.h"
#include "core/sched/foreign.h"
#include "core/sched/handoff.h"
#include "core/sched/idle.h"
#include "core/sched/monitor.h"
#include "core/sched/resize.h"
#include "core/sched/sched.h"
#include "core/sched/sleepers.h"
#include "core/see/overflow_report.h"
#include "core/see/pages.h"
#include "core/see/reporter.h"
#include "core/see/stats.h"
#include "core/see/terminate.h"
#include "core/thread/lists.h"
#include "core/thread/overflow.h"
#include "core/thread/stack.h"
#include "core/thread/trim.h"
#include "core/time/timer.h"
#include "numa/cpuset.h"
#include "numa/quota.h"
#include "numa/watch.h"
#include "rseq/counter.h"
#include "rseq/probe.h"
#include "rseq/reserve.h"

/* The first thread of perch_run() has what a process's main has. */
#define MAIN_STACK ((size_t)8 << 20)
#define WORKERS_PER_PROCESSOR 64

static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;
static bool changing;  /* the lock is held, and the runtime is half up */
static unsigned users; /* starts that no stop belongs to yet; under the lock */
static struct perch_config config;
static struct probe probe;

/* ---- fork() ---- */

/* The queues hold what the parent will run: nothing here may take it. */
static void leave_areas(void)
{
	for (int cpu = 0; percpu_base && cpu < percpu_count; cpu++)
		if (percpu_of(cpu)->flags) /* those that were never used stay untouched */
			__atomic_store_n(&percpu_of(cpu)->flags, 0, __ATOMIC_RELEASE);
}

static void in_child(void)
{
	struct processor_set *set = sched.set;
	bool up = sched.state == SCHED_UP;

	/* whoever held it is not here */
	pthread_mutex_init(&starting, NULL);
	if (!up && !changing)
		return;
	__atomic_store_n(&sched.state, SCHED_FORKED, __ATOMIC_RELEASE);
	leave_areas();
	if (!up)
		return;
	for (unsigned i = 0; i < set->count; i++)
		cds_wfcq_init(&set->processor[i]->inbox_head, &set->processor[i]->inbox_tail);
	for (unsigned i = 0; i < sched.worker_count; i++) {
		sched.workers[i].pinned = sched.workers[i].pinned_first = NULL;
		/* there is nobody to give way to */
		sched.workers[i].duty &= ~DUTY_KIND; /* DUTY_HOLDS */
	}
	spill_forget();
	reporter_forked();
}

static void hook_fork(void)
{
	pthread_atfork(NULL, NULL, in_child);
	children_hook_fork();
}

/* ---- workers ---- */

static void stop_workers(unsigned n)
{
	__atomic_store_n(&sched.quitting, 1, __ATOMIC_SEQ_CST);
	idle_wake_all();
	for (unsigned i = 0; i < n; i++)
		worker_join(&sched.workers[i]);
	idle_stop();
	munmap(sched.workers, sched.workers_most * sizeof(*sched.workers));
	sched.workers = NULL;
	__atomic_store_n(&sched.seats, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&sched.worker_count, 0, __ATOMIC_RELAXED); /* pthreads that end look at it (idle_tell) */
}

/* One for each seat; and addresses for `spares` more. */
static int start_workers(unsigned n, unsigned spares, bool handoff)
{
	struct processor_set *set = sched.set;
	unsigned most = n + spares, i = 0;
	int r;

	sched.workers = reserve(most * sizeof(*sched.workers), PROT_READ | PROT_WRITE, 0);
	if (!sched.workers)
		return -ENOMEM;
	sched.workers_most = most;
	r = idle_start(most);
	if (r) {
		munmap(sched.workers, most * sizeof(*sched.workers));
		return r;
	}
	handoff_start();
	aim_start();
	__atomic_store_n(&sched.worker_count, n, __ATOMIC_RELAXED);
	sched.quitting = 0;
	sched.crowded = n > set->count;
	pthread_sigmask(SIG_SETMASK, NULL, &sched.signals);
	prctl(PR_GET_NAME, sched.name);
	for (unsigned seat = 0; i < n; seat++)
		for (unsigned p = 0; p < set->count && i < n; p++, i++) {
			worker_clear(&sched.workers[i], set->processor[p], i, seat);
			set->processor[p]->seat[seat].holder = &sched.workers[i];
			sleepers_add_seat(set->processor[p], 1);
		}
	for (i = 0; i < n; i++) {
		r = worker_start(&sched.workers[i]);
		if (r) {
			fprintf(stderr, "perch: no pthread for worker %u of %u: error %d\n", i + 1, n, -r);
			break;
		}
	}
	if (!r)
		r = monitor_start(spares, handoff);
	if (r)
		stop_workers(i);
	return r;
}

/* ---- the calls ---- */

static struct thread *current_of_worker(void)
{
	struct worker *w = worker_self();

	return w ? w->current : NULL;
}

/* One for each CPU, but not more than the control groups' quota keeps busy: the others
 * would only use it up sooner in each period, and then all of them stand still. */
static unsigned default_procs(unsigned cpus)
{
	struct quota quota;
	char error[320];

	if (quota_read(watch_root, &quota, error, sizeof(error))) {
		fprintf(stderr, "perch: the CPU quota is not known, going without: %s\n", error);
		return cpus;
	}
	return quota_procs(&quota, cpus);
}

static int check_counts(const struct bitmask *allowed, unsigned *procs, unsigned *workers)
{
	unsigned cpus = (unsigned)cpuset_count(allowed);

	*procs = config.procs ? config.procs : default_procs(cpus);
	if (!*procs) /* there is always a CPU that this runs on */
		*procs = 1;
	if (config.workers && config.workers < *procs && !config.procs)
		*procs = config.workers;
	*workers = config.workers ? config.workers : *procs;
	if (*procs > cpus) {
		fprintf(stderr, "perch: procs=%u (PERCH_PROCS) is more than the %u CPUs that this process may use\n",
			*procs, cpus);
		return -EINVAL;
	}
	if (*workers < *procs || *workers > *procs * WORKERS_PER_PROCESSOR) {
		fprintf(stderr,
			"perch: workers=%u (PERCH_WORKERS) is not between 1 and %d for each of the %u processors\n",
			*workers, WORKERS_PER_PROCESSOR, *procs);
		return -EINVAL;
	}
	return 0;
}

static int start(const struct perch_config *given)
{
	struct bitmask *allowed = NULL;
	unsigned procs, workers;
	int r;

	r = config_read(given, &config);
	if (!r)
		r = config_policy(&config, &sched.policy);
	if (r)
		return r;
	probe = probe_rseq();
	if (config.rseq == PERCH_RSEQ_ON && !probe.sections) {
		fprintf(stderr, "perch: rseq=on (PERCH_RSEQ) cannot be had: %s\n", probe.why_not);
		return -ENOTSUP;
	}
	if (config.rseq == PERCH_RSEQ_OFF) {
		probe.sections = false;
		probe.why_not = "switched off by rseq=off (PERCH_RSEQ)";
	}
	r = cpuset_allowed(&allowed);
	if (r)
		return r;
	r = check_counts(allowed, &procs, &workers);
	if (r)
		goto out;
	r = percpu_start(cpuset_possible(), probe.sections);
	if (r)
		goto out;
	r = stack_start(config.guard);
	if (r) {
		fprintf(stderr, "perch: guard=madvise (PERCH_GUARD) needs MADV_GUARD_INSTALL (Linux 6.13)\n");
		goto out;
	}
	r = thread_start();
	if (r)
		goto stacks;
	sched.default_class = stack_class_of(config.stack_size);
	sched.shuffle = config.shuffle && procs > 1;
	r = set_start(allowed, procs, workers);
	if (r)
		goto threads;
	overflow_report_prepare();
	overflow_start(current_of_worker, overflow_report);
	terminate_start();
	sched.began_ns = clock_ns();
	sched.never_ran = 0;
	pages_forget();
	io_start();
	r = resize_start(config.procs, config.workers, (workers + procs - 1) / procs,
			 config.follow != PERCH_FOLLOW_OFF);
	if (r)
		goto processors;
	children_start();
	r = start_workers(workers, config.spares, config.handoff != PERCH_HANDOFF_OFF);
	if (r)
		goto watch;
	r = reporter_start(&config);
	if (r) {
		monitor_stop();
		stop_workers(sched.worker_count);
		goto watch;
	}
	__atomic_store_n(&sched.state, SCHED_UP, __ATOMIC_RELEASE);
	goto out;
watch:
	resize_stop();
processors:
	terminate_stop();
	overflow_stop();
	set_stop();
threads:
	thread_stop();
stacks:
	stack_stop();
	percpu_stop();
out:
	if (allowed)
		numa_bitmask_free(allowed);
	return r;
}

/* Another part of the program uses it too. The lock is held. */
static int join_users(const struct perch_config *given)
{
	struct perch_config now = config;

	if (users == UINT_MAX)
		return -EAGAIN;
	now.procs = perch_procs();
	now.workers = perch_workers();
	if (given)
		config_tell_others(given, &now);
	users++;
	return 0;
}

/* One of several users goes: nothing is stopped. */
static bool leave_users(void)
{
	bool others;

	pthread_mutex_lock(&starting);
	others = sched_up() && users > 1;
	if (others)
		users--;
	pthread_mutex_unlock(&starting);
	return others;
}

int perch_start(const struct perch_config *given)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int saved = errno, r;

	if (__atomic_load_n(&sched.state, __ATOMIC_ACQUIRE) == SCHED_FORKED)
		return sched_check();
	pthread_once(&once, hook_fork);
	if (!worker_self())
		foreign_note();
	pthread_mutex_lock(&starting);
	if (sched_up()) {
		r = join_users(given);
	} else {
		__atomic_store_n(&changing, true, __ATOMIC_SEQ_CST);
		r = start(given);
		users = r ? 0 : 1;
		__atomic_store_n(&changing, false, __ATOMIC_SEQ_CST);
	}
	pthread_mutex_unlock(&starting);
	errno = saved;
	return r;
}

/* Every thread that was created has ended. Finished is read first: a thread
 * that is counted in it was counted as spawned before. */
static bool all_ended(void)
{
	uint64_t finished = stats_finished();

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return stats_spawned() == finished;
}

/* And no timer makes another. Timers fire again when this says no. */
static bool all_ended_for_good(void)
{
	if (!all_ended())
		return false;
	timers_hold(true);
	if (all_ended())
		return true;
	timers_hold(false);
	return false;
}

/*
 * No thread is left but those that run a timer's call: then nobody waits for
 * another period, and several of them would never all be between two calls when
 * we look. (Each bound is on its safe side: timer.h, and above.)
 */
static void end_periods_if_alone(void)
{
	uint64_t calls = timer_calls_begun(), threads, finished;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	finished = stats_finished();
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	threads = stats_spawned() - finished;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	calls -= timer_calls_ended();
	if (threads == calls)
		timer_periods_end(true);
}

int perch_stop(void)
{
	struct timespec nap = {0, 50000};
	int saved = errno, r;

	r = sched_check();
	if (r)
		return r;
	if (leave_users())
		return 0;
	if (worker_self() || reporter_self())
		return -EDEADLK;
	/* Threads may create others and call anything meanwhile. The lock is held
	 * for each look: what is counted is there only until another's stop. */
	foreign_pause(); /* from here on it wakes nobody */
	pthread_mutex_lock(&starting);
	while (sched_up() && users == 1 && !all_ended_for_good()) {
		end_periods_if_alone();
		pthread_mutex_unlock(&starting);
		nanosleep(&nap, NULL);
		if (nap.tv_nsec < 2000000)
			nap.tv_nsec *= 2;
		pthread_mutex_lock(&starting);
	}
	if (!sched_up()) {
		r = -EINVAL; /* another stopped it first */
		goto out;
	}
	if (users > 1) { /* it was started again meanwhile */
		timer_periods_end(false);
		users--;
		goto out;
	}
	users = 0;
	__atomic_store_n(&changing, true, __ATOMIC_SEQ_CST);
	__atomic_store_n(&sched.state, SCHED_DOWN, __ATOMIC_RELEASE);
	if (sched.never_ran > 1)
		fprintf(stderr, "perch: %llu detached threads never ran: no stack to be had\n",
			(unsigned long long)sched.never_ran);
	if (config.stats)
		stats_print(stderr, &probe, &config, clock_ns() - sched.began_ns);
	reporter_stop();
	monitor_stop();
	resize_stop();
	stop_workers(sched.worker_count);
	uring_stop();
	io_stop();
	timers_hold(false);
	timer_periods_end(false);
	terminate_stop();
	overflow_stop();
	set_stop();
	thread_stop();
	stack_stop();
	percpu_stop();
	__atomic_store_n(&changing, false, __ATOMIC_SEQ_CST);
out:
	pthread_mutex_unlock(&starting);
	foreign_resume();
	errno = saved;
	return r;
}

int perch_run(const struct perch_config *given, void *(*fn)(void *), void *arg, void **status)
{
	perch_attr_t attr;
	perch_t first;
	int r, stopped;

	if (!fn)
		return -EINVAL;
	r = perch_start(given);
	if (r)
		return r;
	perch_attr_init(&attr);
	perch_attr_setname(&attr, "main");
	perch_attr_setstacksize(&attr, config.stack_size > MAIN_STACK ? config.stack_size : MAIN_STACK);
	r = perch_create(&first, &attr, fn, arg);
	if (!r)
		r = perch_join(first, status);
	stopped = perch_stop();
	return r ? r : stopped;
}

unsigned perch_procs(void)
{
	return sched_up() ? __atomic_load_n(&sched.active, __ATOMIC_SEQ_CST) : 0;
}

int perch_set_procs(unsigned n)
{
	int saved = errno, r = sched_check();

	if (!r)
		r = n ? resize_request(n) : -EINVAL;
	sched_set_errno(saved);
	return r;
}

size_t perch_trim(void)
{
	int saved = errno;
	size_t bytes = sched_up() ? trim_all() : 0;

	bytes += alloc_trim();
	sched_set_errno(saved);
	return bytes;
}

unsigned perch_workers(void)
{
	return sched_up() ? __atomic_load_n(&sched.seats, __ATOMIC_SEQ_CST) : 0;
}
