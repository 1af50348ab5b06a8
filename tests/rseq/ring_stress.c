/* SPDX-License-Identifier: MIT */
/*
 * ring_stress.c - rounds of all workers on all CPUs, with whoever disturbs
 * them; and after each round the accounts.
 */
#include "tests/rseq/ring_stress.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "rseq/counter.h"
#include "rseq/probe.h"
#include "rseq/ring.h"
#include "tests/rseq/stress_worker.h"

#define MAX_PER_CPU 4
/* Enough for every ring and fair queue to be full while workers hold some. */
#define ITEMS_PER_CPU (2 * (RING_CAPACITY + FAIR_CAPACITY))

static int cpus[STRESS_CPUS];
static unsigned n_cpus;
static struct worker *workers;
static unsigned n_workers; /* that exist; a round may use fewer */
static unsigned n_working;
static int producers_cpu[STRESS_WORKERS];
static uint64_t random_state;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void sleep_ns(long ns)
{
	struct timespec t = {0, ns};

	nanosleep(&t, NULL);
}

static int find_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return -errno;
	n_cpus = 0;
	for (int i = 0; i < CPU_SETSIZE && n_cpus < STRESS_WORKERS / MAX_PER_CPU; i++)
		if (CPU_ISSET(i, &set))
			cpus[n_cpus++] = i;
	return 0;
}

/* Positions begin shortly before they wrap, all of them. */
static void near_the_wrap(struct percpu *a)
{
	a->tail = UINT32_MAX - RING_CAPACITY;
	a->split = (uint64_t)UINT32_MAX << 32 | (uint64_t)(uint16_t)a->tail << 16 | (uint16_t)a->tail;
	a->fair_head = a->fair_tail = UINT32_MAX - FAIR_CAPACITY;
}

static int start_areas(bool sections)
{
	int r = percpu_start(cpus[n_cpus - 1] + 1, sections);

	if (r)
		return r;
	for (unsigned i = 0; i < n_cpus; i++) {
		near_the_wrap(percpu_of(cpus[i]));
		percpu_activate(cpus[i], 0);
	}
	return 0;
}

static int start_workers(const struct stress_options *o)
{
	static struct hoard hoards[STRESS_WORKERS];
	int r;

	n_workers = n_cpus * (o->per_cpu ? o->per_cpu : MAX_PER_CPU);
	workers = calloc(n_workers, sizeof(*workers));
	if (!workers)
		return -ENOMEM;
	r = item_start(n_cpus * ITEMS_PER_CPU, hoards, n_workers);
	for (unsigned i = 0; i < n_workers; i++) {
		workers[i].cpu = producers_cpu[i] = o->migrate && i / n_cpus % 2 ? -1 : cpus[i % n_cpus];
		workers[i].random = stress_random(&random_state) | 1;
		workers[i].hoard = hoards[i];
	}
	return r;
}

/* Moves workers from outside, so that it hits them anywhere, in a section too. */
static void *mover_run(void *seed)
{
	uint64_t random = (uintptr_t)seed | 1;

	while (!__atomic_load_n(&stress_floor.stop, __ATOMIC_RELAXED) && !stress_broken()) {
		struct worker *w = &workers[stress_random(&random) % n_working];
		pid_t tid = __atomic_load_n(&w->tid, __ATOMIC_ACQUIRE);
		cpu_set_t set;

		if (w->cpu >= 0 || !tid)
			continue;
		CPU_ZERO(&set);
		CPU_SET(cpus[stress_random(&random) % n_cpus], &set);
		sched_setaffinity(tid, sizeof(set), &set);
		sleep_ns((long)(stress_random(&random) % 200000));
	}
	return NULL;
}

static void spin_ns(double ns)
{
	double until = now() + ns * 1e-9;

	while (now() < until)
		;
}

/* Takes processors away and puts them back. While one is away nobody may
 * change what only sections may change; the old end may be inherited. */
static void *flapper_run(void *seed)
{
	uint64_t random = (uintptr_t)seed | 1;

	/* else it waits behind the workers of a CPU that has no processor meanwhile;
	 * where this is refused, it is only less of a test */
	(void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), -20);
	while (!__atomic_load_n(&stress_floor.stop, __ATOMIC_RELAXED) && !stress_broken()) {
		int cpu = cpus[stress_random(&random) % n_cpus];
		struct percpu *a = percpu_of(cpu);
		uint32_t tail, end;

		percpu_deactivate(cpu);
		tail = __atomic_load_n(&a->tail, __ATOMIC_ACQUIRE);
		end = __atomic_load_n(&a->fair_tail, __ATOMIC_ACQUIRE);
		if (stress_random(&random) % 2)
			sched_yield();
		spin_ns((double)(stress_random(&random) % 30000));
		if (tail != __atomic_load_n(&a->tail, __ATOMIC_ACQUIRE) ||
		    end != __atomic_load_n(&a->fair_tail, __ATOMIC_ACQUIRE))
			stress_break("CPU %d's queue changed while it had no processor: tail %u to %u, fair %u to %u",
				     cpu, tail, a->tail, end, a->fair_tail);
		percpu_activate(cpu, 0);
		sleep_ns((long)(stress_random(&random) % 2000000));
	}
	return NULL;
}

static uint64_t operations(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n_workers; i++)
		sum += __atomic_load_n(&workers[i].operations, __ATOMIC_RELAXED);
	return sum;
}

/*
 * Where sections and the handler's own take longer than it is from signal to
 * signal, which depends on how busy the machine is, nobody gets on, and nobody
 * comes to choose another delay. Only this pthread gets no signals.
 */
static void no_delay(void)
{
#ifdef PERCH_SECTION_DELAY
	__atomic_store_n(&perch_section_delay, 0, __ATOMIC_RELAXED);
#endif
}

static void wait_for_round(const struct stress_options *o, double end)
{
	uint64_t before = operations();
	unsigned still = 0;

	while (now() < end && !stress_broken() && !(o->operations && before >= o->operations)) {
		uint64_t sum;

		sleep_ns(2000000);
		sum = operations();
		still = sum == before ? still + 1 : 0;
		before = sum;
		if (still >= 10)
			no_delay();
	}
	__atomic_store_n(&stress_floor.stop, true, __ATOMIC_RELAXED);
	/* again and again: one may be choosing a delay just now */
	for (unsigned i = 0; i < n_working; i++)
		while (__atomic_load_n(&workers[i].tid, __ATOMIC_ACQUIRE)) {
			no_delay();
			sleep_ns(1000000);
		}
}

static uint64_t sum_of(enum stress_count c)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n_workers; i++)
		sum += workers[i].count[c];
	return sum;
}

static void account(void)
{
	static struct hoard hoards[STRESS_WORKERS];
	uint64_t counted = counter_sum(0, cpus, (int)n_cpus);
	uint64_t expected = sum_of(COUNT_counted) + sum_of(COUNT_signals);
	uint64_t asked = sum_of(COUNT_answered);

	for (unsigned i = 0; i < n_workers; i++)
		hoards[i] = workers[i].hoard;
	item_account(hoards, n_workers, cpus, n_cpus);
	for (unsigned i = 0; i < n_cpus; i++)
		asked += percpu_of(cpus[i])->request;
	if (asked != sum_of(COUNT_asked))
		stress_break("%" PRIu64 " requests were left, but %" PRIu64 " were answered or are there",
			     sum_of(COUNT_asked), asked);
	if (counted != expected)
		stress_break("the counters say %" PRIu64 ", but %" PRIu64 " were added", counted, expected);
}

static int run_round(const struct stress_options *o, double deadline)
{
	pthread_t mover, flapper;
	unsigned per_cpu = o->per_cpu ? o->per_cpu : 2 + (unsigned)(stress_random(&random_state) % 3);
	double end = now() + o->round_seconds;
	int r;

	if (end > deadline)
		end = deadline;
	n_working = per_cpu * n_cpus;
	__atomic_store_n(&stress_floor.stop, false, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < n_working; i++)
		if ((r = pthread_create(&workers[i].pthread, NULL, worker_run, &workers[i])))
			return -r;
	if (o->migrate && (r = pthread_create(&mover, NULL, mover_run, (void *)stress_random(&random_state))))
		return -r;
	if (o->flap && (r = pthread_create(&flapper, NULL, flapper_run, (void *)stress_random(&random_state))))
		return -r;
	wait_for_round(o, end);
	if (o->migrate)
		pthread_join(mover, NULL);
	if (o->flap)
		pthread_join(flapper, NULL);
	for (unsigned i = 0; i < n_working; i++)
		pthread_join(workers[i].pthread, NULL);
	if (!stress_broken())
		account();
	return 0;
}

static void report(const struct stress_options *o, const struct probe *probe, double seconds, unsigned rounds)
{
	static const char *const names[COUNTS] = {
#define STRESS_COUNT_NAME(name) #name,
		STRESS_COUNTS(STRESS_COUNT_NAME)};

	printf("# ring_stress: %s, %u CPUs, %s workers each, %s, signals up to %u Hz%s\n",
	       probe->sections ? "sections" : "locks", n_cpus, o->per_cpu ? "a fixed number of" : "2 to 4",
	       o->migrate ? "half of them moved about" : "pinned", o->signal_hz,
	       o->flap ? ", processors taken away and put back" : "");
	if (!probe->sections)
		printf("# no sections: %s\n", probe->why_not);
	printf("# operations %" PRIu64 " in %.1f s and %u rounds, seed %" PRIu64 "\n#", operations(), seconds, rounds,
	       o->seed);
	for (unsigned c = 0; c < COUNTS; c++)
		printf("%s %s %" PRIu64, c && c % 6 == 0 ? "\n#" : "", names[c], sum_of((enum stress_count)c));
	printf("\n");
	fflush(stdout);
}

int ring_stress(const struct stress_options *o)
{
	struct probe probe = probe_rseq();
	double began = now(), deadline = began + o->seconds;
	unsigned rounds = 0;
	int r;

	random_state = o->seed * 0x9e3779b97f4a7c15 | 1;
	if ((r = find_cpus()) || (r = start_areas(probe.sections)) || (r = start_workers(o)))
		return r;
	stress_floor.cpus = cpus;
	stress_floor.n_cpus = n_cpus;
	stress_floor.producers_cpu = producers_cpu;
	stress_floor.signal_hz = o->signal_hz;
	do {
		r = run_round(o, deadline);
		rounds++;
	} while (!r && !stress_broken() && now() < deadline && !(o->operations && operations() >= o->operations));
	report(o, &probe, now() - began, rounds);
	return r ? r : stress_broken() ? 1 : 0;
}
