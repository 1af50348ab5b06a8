/* SPDX-License-Identifier: MIT */
/*
 * cut_test.c - every section, so slow that it is cut most of the time: two
 * pthreads on each CPU, signals, and moves from CPU to CPU in mid-section. For
 * slow machines (an emulated guest): few operations, but hardly one in peace.
 * Each object must stay in exactly one place, and no addition may be lost.
 *
 * The control: the same with rseq_cs written where the kernel does not look
 * must go wrong, else this could not tell. A build with PERCH_SEED_* expects
 * the moved one to go wrong.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "numa/cpuset.h"
#include "rseq/abi.h"
#include "rseq/probe.h"
#include "rseq/ring.h"
#include "tests/harness/harness.h"

#define WORKERS_MAX 64
#define OBJECTS 32 /* a worker's, to begin with */
#define LIST 3
#define COUNTER 5
#define LIST_MAX 24
/* A section lasts about half the time between two signals to one pthread. */
#define SECTION_NS_PER_WORKER 100000
/* It goes on until enough was done and cut (a seeded build: until it shows). */
#define SECONDS_MIN 4
#define SECONDS_MAX 40
#define ENOUGH 2000

struct object {
	struct section_node node;
	uint32_t held; /* by a worker, not in any queue */
};

struct worker {
	pthread_t pthread;
	pid_t tid;
	int cpu;
	uint64_t operations, added, cuts;
	uint64_t failures[11]; /* of each operation: SLOW */
	uint64_t done[11];
	uint32_t hands;
	struct object *hand[WORKERS_MAX * OBJECTS];
};

static struct worker worker[WORKERS_MAX];
static struct object object[WORKERS_MAX * OBJECTS];
static int cpus[WORKERS_MAX], n_cpus, n_workers;
static bool stop, fake;
static uint32_t doubled;
static __thread struct rseq_area unseen; /* by the kernel */

static void take(struct worker *w, void *p)
{
	struct object *o = p;

	if (o < object || o >= object + WORKERS_MAX * OBJECTS || __atomic_exchange_n(&o->held, 1, __ATOMIC_ACQ_REL)) {
		__atomic_fetch_add(&doubled, 1, __ATOMIC_RELAXED);
		return;
	}
	w->hand[w->hands++] = o;
}

static struct object *give(struct worker *w)
{
	struct object *o = w->hand[--w->hands];

	__atomic_store_n(&o->held, 0, __ATOMIC_RELEASE);
	return o;
}

static void take_chain(struct worker *w, struct section_node *n)
{
	/* bounded: a list that was broken may go round */
	for (unsigned i = 0; n && i <= LIST_MAX + 1; i++) {
		struct section_node *next = n->next;

		take(w, n);
		n = next;
	}
}

/* One section; SECTION_DONE or SECTION_SLOW. */
static int operate(struct worker *w, unsigned which)
{
	struct section_node *node = NULL;
	uintptr_t item = 0;
	struct object *o, *below;
	int r = SECTION_SLOW;

	switch (which) {
	case 0:
	case 4:
	case 6:
		if (!w->hands)
			break;
		o = give(w);
		if (which == 4)
			r = section_fair_push((uintptr_t)o);
		else if (which == 6)
			r = section_list_push(LIST, &o->node, LIST_MAX);
		else
			r = w->operations & 1 ? section_push((uintptr_t)o) : section_push_raw((uintptr_t)o);
		if (r == SECTION_SLOW)
			take(w, o);
		break;
	case 1:
		r = w->operations & 1 ? section_pop(&item) : section_pop_raw(&item);
		if (r == SECTION_DONE)
			take(w, (void *)item);
		break;
	case 2: /* join: often the top, sometimes taken by the neighbour meanwhile */
		if (!w->hands)
			break;
		o = give(w);
		if (section_push((uintptr_t)o) == SECTION_SLOW) {
			take(w, o);
			break;
		}
		r = w->operations & 1 ? section_pop_if((uintptr_t)o) : section_pop_if_raw((uintptr_t)o);
		if (r == SECTION_DONE)
			take(w, o);
		break;
	case 3:
		r = section_publish();
		if (w->operations & 1 && percpu_here())
			ring_take_back(percpu_here());
		break;
	case 5:
		r = section_fair_pop(&item);
		if (r == SECTION_DONE)
			take(w, (void *)item);
		break;
	case 7:
		r = section_list_pop(LIST, &node);
		if (r == SECTION_DONE)
			take(w, node);
		break;
	case 8:
		r = section_list_take(LIST, &node);
		if (r == SECTION_DONE)
			take_chain(w, node);
		break;
	case 9:
		if (w->hands < 2)
			break;
		o = give(w);
		below = give(w);
		o->node = (struct section_node){.next = &below->node, .depth = 2};
		below->node = (struct section_node){.next = NULL, .depth = 1};
		r = section_list_put(LIST, &o->node);
		if (r == SECTION_SLOW) {
			take(w, o);
			take(w, below);
		}
		break;
	default:
		r = section_add(COUNTER, 1);
		w->added += r == SECTION_DONE;
	}
	return r;
}

static void pin(pid_t tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	sched_setaffinity(tid, sizeof(set), &set);
}

static void *run(void *arg)
{
	struct worker *w = arg;

	pin(0, w->cpu);
	unseen.cpu_id = (uint32_t)w->cpu;
	__atomic_store_n(&w->tid, gettid(), __ATOMIC_RELEASE);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		/* additions half of the time: they show a loss at once */
		uint64_t x = harness_random_below(22);
		unsigned which = x > 10 ? 10 : (unsigned)x;

		if (operate(w, which) == SECTION_DONE)
			w->done[which]++;
		else
			w->failures[which]++;
		__atomic_store_n(&w->operations, w->operations + 1, __ATOMIC_RELAXED);
		__atomic_store_n(&w->cuts, perch_section_cuts, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void on_signal(int sig)
{
	(void)sig;
}

/* How many rounds at each step make a section last that long. */
static uint32_t rounds_for(uint64_t ns)
{
	uint64_t least = UINT64_MAX;

	perch_section_delay = 100000;
	for (int i = 0; i < 5; i++) {
		uint64_t began = harness_now(), took;

		section_list_put(LIST, NULL); /* leaves the list as it is: empty */
		took = harness_now() - began;
		if (took < least)
			least = took;
	}
	return (uint32_t)(ns * 100000 / (least + 1)) + 1;
}

static void start(void)
{
	struct probe probe = probe_rseq();
	struct bitmask *allowed;

	if (!probe.sections)
		SKIP("no sections: %s", probe.why_not);
	ASSERT_EQ(cpuset_allowed(&allowed), 0);
	cpuset_for_each(cpu, allowed) if (n_cpus < WORKERS_MAX / 2) cpus[n_cpus++] = cpu;
	numa_bitmask_free(allowed);
	ASSERT_EQ(percpu_start(cpuset_possible(), true), 0);
	for (int i = 0; i < n_cpus; i++)
		percpu_activate(cpus[i], 0);
	n_workers = 2 * n_cpus;
	perch_section_delay = rounds_for((uint64_t)n_workers * SECTION_NS_PER_WORKER);
	if (fake)
		perch_fast.rseq_offset = (char *)&unseen - (char *)__builtin_thread_pointer();
}

/* Everything back out of the queues, with nobody running. */
static void drain(struct worker *w)
{
	perch_section_delay = 0;
	for (int i = 0; i < n_cpus; i++) {
		struct percpu *a = percpu_of(cpus[i]);
		uintptr_t item;
		unsigned bound = WORKERS_MAX * OBJECTS; /* what is broken may have no end */

		pin(0, cpus[i]);
		unseen.cpu_id = (uint32_t)cpus[i];
		while (bound-- && section_fair_pop(&item) == SECTION_DONE)
			take(w, (void *)item);
		for (bound = WORKERS_MAX * OBJECTS; bound; bound--) {
			if (section_pop_raw(&item) == SECTION_DONE)
				take(w, (void *)item);
			else if (!ring_take_back(a))
				break;
		}
		take_chain(w, a->list[LIST]);
	}
}

static bool enough(uint64_t began)
{
	uint64_t operations = 0, cuts = 0, ns = harness_now() - began;

	if (ns < SECONDS_MIN * 1000000000ull || ns > SECONDS_MAX * 1000000000ull)
		return ns > SECONDS_MAX * 1000000000ull;
#ifdef CUT_TEST_SEEDED
	return __atomic_load_n(&doubled, __ATOMIC_RELAXED);
#endif
	for (int i = 0; i < n_workers; i++) {
		operations += __atomic_load_n(&worker[i].operations, __ATOMIC_RELAXED);
		cuts += __atomic_load_n(&worker[i].cuts, __ATOMIC_RELAXED);
	}
	return fake ? operations > ENOUGH : operations > ENOUGH && cuts > ENOUGH;
}

/* True when something was lost or doubled; says what happened. */
static bool broken(bool move)
{
	static const char *const name[] = {"push",      "pop",      "pop_if",    "publish",  "fair_push", "fair_pop",
					   "list_push", "list_pop", "list_take", "list_put", "add"};
	uint64_t began = harness_now(), done[11] = {0}, operations = 0, cuts = 0, added = 0, sum = 0, held = 0;
	uint64_t failures[11] = {0};
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	sigaction(SIGUSR1, &sa, NULL);
	for (int i = 0; i < n_workers; i++) {
		struct worker *w = &worker[i];

		w->cpu = cpus[i % n_cpus];
		for (int j = 0; j < OBJECTS; j++)
			take(w, &object[i * OBJECTS + j]);
	}
	for (int i = 0; i < n_workers; i++)
		pthread_create(&worker[i].pthread, NULL, run, &worker[i]);
	while (!enough(began)) {
		struct worker *w = &worker[harness_random_below((uint64_t)n_workers)];
		struct timespec pause = {.tv_nsec = (long)harness_random_below(400000)};

		if (__atomic_load_n(&w->tid, __ATOMIC_ACQUIRE)) {
			if (move && harness_random_below(2))
				pin(w->tid, cpus[harness_random_below((uint64_t)n_cpus)]);
			else
				pthread_kill(w->pthread, SIGUSR1);
		}
		nanosleep(&pause, NULL);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < n_workers; i++) {
		pthread_join(worker[i].pthread, NULL);
		operations += worker[i].operations;
		cuts += worker[i].cuts;
		added += worker[i].added;
		for (int j = 0; j < 11; j++) {
			done[j] += worker[i].done[j];
			failures[j] += worker[i].failures[j];
		}
	}
	drain(&worker[0]);
	for (int i = 0; i < n_workers * OBJECTS; i++)
		held += object[i].held;
	for (int i = 0; i < n_cpus; i++)
		sum += percpu_of(cpus[i])->counter[COUNTER];
	harness_log("%d CPUs, %d workers: %llu operations, cut %llu times; added %llu, found %llu; "
		    "objects %d, found %llu, doubled %u",
		    n_cpus, n_workers, (unsigned long long)operations, (unsigned long long)cuts,
		    (unsigned long long)added, (unsigned long long)sum, n_workers * OBJECTS, (unsigned long long)held,
		    doubled);
	for (int j = 0; j < 11; j++) {
		harness_log("%-9s done %llu, not %llu", name[j], (unsigned long long)done[j],
			    (unsigned long long)failures[j]);
		EXPECT_GT(done[j], 0);
	}
	if (!fake)
		EXPECT_GT(cuts, 0);
	return doubled || sum != added || held != (uint64_t)n_workers * OBJECTS;
}

#ifdef CUT_TEST_SEEDED
TEST_TIMEOUT(seeded_bug_is_found_when_moved, 90)
{
	start();
	if (n_cpus < 2)
		SKIP("one CPU only: nowhere to move");
	EXPECT_TRUE(broken(true));
}
#else
TEST_TIMEOUT(pinned, 90)
{
	start();
	EXPECT_FALSE(broken(false));
}

TEST_TIMEOUT(moved, 90)
{
	start();
	EXPECT_FALSE(broken(true));
}

static void run_unseen(void *unused)
{
	(void)unused;
	fake = true;
	start();
	_exit(broken(false));
}

TEST_TIMEOUT(control_without_the_kernel_it_breaks, 90)
{
	struct probe probe = probe_rseq();
	struct harness_captured c;

	if (!probe.sections)
		SKIP("no sections: %s", probe.why_not);
	ASSERT_EQ(harness_capture(&c, run_unseen, NULL), 0);
	/* by the final count; or the second look saw it at once, and trapped */
	harness_log("%s %d", WIFSIGNALED(c.status) ? "trapped: signal" : "counted: status",
		    WIFSIGNALED(c.status) ? WTERMSIG(c.status) : WEXITSTATUS(c.status));
	if (WIFSIGNALED(c.status))
		EXPECT_TRUE(WTERMSIG(c.status) == SIGILL || WTERMSIG(c.status) == SIGTRAP);
	else
		EXPECT_EQ(WEXITSTATUS(c.status), 1);
	harness_release(&c);
}
#endif
