/* SPDX-License-Identifier: MIT */
/* runtime.c - starting and stopping it all. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include <perch/perch.h>

#include "core/config.h"
#include "core/sched/clock.h"
#include "core/sched/idle.h"
#include "core/sched/sched.h"
#include "core/see/stats.h"
#include "core/thread/lists.h"
#include "core/thread/overflow.h"
#include "core/thread/stack.h"
#include "numa/cpuset.h"
#include "numa/tier.h"
#include "numa/topology.h"
#include "rseq/counter.h"
#include "rseq/probe.h"

/* The first thread of perch_run() has what a process's main has. */
#define MAIN_STACK ((size_t)8 << 20)
#define WORKERS_PER_PROCESSOR 64

static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;
static struct perch_config config;
static struct probe probe;
static uint64_t started_ns;

/* ---- fork() ---- */

static void in_child(void)
{
	struct processor_set *set = sched.set;

	if (sched.state != SCHED_UP)
		return;
	__atomic_store_n(&sched.state, SCHED_FORKED, __ATOMIC_RELEASE);
	/* the queues hold what the parent will run: nothing here may take it */
	for (unsigned i = 0; i < set->count; i++) {
		__atomic_store_n(&processor_area(set->processor[i])->flags, 0, __ATOMIC_RELEASE);
		cds_wfcq_init(&set->processor[i]->inbox_head, &set->processor[i]->inbox_tail);
	}
	spill_forget();
}

static void hook_fork(void)
{
	pthread_atfork(NULL, NULL, in_child);
}

/* ---- processors ---- */

static int set_victims(struct processor *p, const struct topology *topology, const struct bitmask *cpus, unsigned count)
{
	struct tier_victim *order = calloc(count, sizeof(*order));
	int n;

	p->victims = calloc(count, sizeof(*p->victims));
	p->victim_count = 0;
	if (!order || !p->victims) {
		free(order);
		return -ENOMEM;
	}
	n = tier_order(topology, p->cpu, cpus, order, (int)count);
	for (int i = 0; i < n; i++)
		if (order[i].cpu != p->cpu)
			p->victims[p->victim_count++] = area_processor(percpu_of(order[i].cpu));
	free(order);
	return n < 0 ? n : 0;
}

static void stop_processors(void)
{
	struct processor_set *set = sched.set;

	for (unsigned i = 0; i < set->count; i++)
		processor_stop(set->processor[i]);
	/* no worker is left that could still read it */
	sched.set = NULL;
	free(set);
}

/* The first `count` of the allowed CPUs get a processor each. */
static int start_processors(const struct bitmask *allowed, unsigned count)
{
	struct processor_set *set = calloc(1, sizeof(*set) + count * sizeof(set->processor[0]));
	struct bitmask *used = numa_bitmask_alloc((unsigned)allowed->size);
	struct topology *topology;
	int r = 0;

	topology = topology_discover(allowed, &r);
	if (!set || !used || !topology) {
		r = topology || !r ? -ENOMEM : r;
		goto out;
	}
	spill_start((unsigned)topology_nodes(topology) - 1);
	cpuset_for_each(cpu, allowed)
	{
		int node = topology_node_of_cpu(topology, cpu);

		if (set->count == count)
			break;
		set->processor[set->count++] = processor_start(cpu, node < 0 ? 0 : node);
		numa_bitmask_setbit(used, (unsigned)cpu);
	}
	rcu_assign_pointer(sched.set, set);
	for (unsigned i = 0; i < count && !r; i++)
		r = set_victims(set->processor[i], topology, used, count);
	if (r)
		stop_processors();
	set = NULL;
out:
	topology_free(topology);
	if (used)
		numa_bitmask_free(used);
	free(set);
	return r;
}

/* ---- workers ---- */

static void stop_workers(unsigned n)
{
	__atomic_store_n(&sched.quitting, 1, __ATOMIC_SEQ_CST);
	idle_wake_all();
	for (unsigned i = 0; i < n; i++)
		worker_join(&sched.workers[i]);
	idle_stop();
	free(sched.workers);
	sched.workers = NULL;
	sched.worker_count = 0;
}

static int start_workers(unsigned n)
{
	int r;

	sched.workers = aligned_alloc(64, n * sizeof(*sched.workers));
	if (!sched.workers)
		return -ENOMEM;
	r = idle_start(n);
	if (r) {
		free(sched.workers);
		return r;
	}
	sched.worker_count = n;
	sched.quitting = 0;
	sched.crowded = n > sched.set->count;
	/* round and round, so that each processor has as many, give or take one */
	for (unsigned i = 0, p = 0; i < n; i++, p = p + 1 < sched.set->count ? p + 1 : 0)
		worker_clear(&sched.workers[i], sched.set->processor[p], i);
	for (unsigned i = 0; i < n; i++) {
		r = worker_start(&sched.workers[i]);
		if (r) {
			fprintf(stderr, "perch: no pthread for worker %u of %u: error %d\n", i + 1, n, -r);
			stop_workers(i);
			return r;
		}
	}
	return 0;
}

/* ---- the calls ---- */

static struct thread *current_of_worker(void)
{
	struct worker *w = worker_self();

	return w ? w->current : NULL;
}

static int check_counts(const struct bitmask *allowed, unsigned *procs, unsigned *workers)
{
	unsigned cpus = (unsigned)cpuset_count(allowed);

	*procs = config.procs ? config.procs : cpus;
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
	r = start_processors(allowed, procs);
	if (r)
		goto threads;
	overflow_start(current_of_worker);
	r = start_workers(workers);
	if (r)
		goto processors;
	started_ns = clock_ns();
	__atomic_store_n(&sched.state, SCHED_UP, __ATOMIC_RELEASE);
	goto out;
processors:
	overflow_stop();
	stop_processors();
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

int perch_start(const struct perch_config *given)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int saved = errno, r;

	if (__atomic_load_n(&sched.state, __ATOMIC_ACQUIRE) == SCHED_FORKED)
		return sched_check();
	pthread_once(&once, hook_fork);
	pthread_mutex_lock(&starting);
	r = sched_up() ? -EALREADY : start(given);
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
	return stats_counter(COUNTER_SPAWNED) == finished;
}

int perch_stop(void)
{
	struct timespec nap = {0, 50000};
	int saved = errno, r;

	if (worker_self())
		return -EDEADLK;
	r = sched_check();
	if (r)
		return r;
	/* Threads may create others and call anything meanwhile. The lock is held
	 * for each look: what is counted is there only until another's stop. */
	pthread_mutex_lock(&starting);
	while (sched_up() && !all_ended()) {
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
	__atomic_store_n(&sched.state, SCHED_DOWN, __ATOMIC_RELEASE);
	if (config.stats)
		stats_print(stderr, &probe, &config, clock_ns() - started_ns);
	stop_workers(sched.worker_count);
	overflow_stop();
	stop_processors();
	spill_stop();
	thread_stop();
	stack_stop();
	percpu_stop();
out:
	pthread_mutex_unlock(&starting);
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
	return sched_up() ? sched.set->count : 0;
}

unsigned perch_workers(void)
{
	return sched_up() ? sched.worker_count : 0;
}
