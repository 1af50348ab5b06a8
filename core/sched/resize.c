/* SPDX-License-Identifier: MIT */
#include "core/sched/resize.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/sched/foreign.h"
#include "core/sched/handoff.h"
#include "core/sched/idle.h"
#include "core/sched/lookout.h"
#include "core/sched/monitor.h"
#include "core/sched/park.h"
#include "core/sched/sched.h"
#include "core/sched/sleepers.h"
#include "numa/cpuset.h"
#include "numa/watch.h"
#include "rseq/inject.h"
#include "rseq/section_lock.h"

/* Workers without a seat whose place is looked at each time. */
#define PLACES 64

/* On the stack of who waits for it. */
struct request {
	struct request *next;
	struct thread *waiter;
	unsigned procs;
	int result;
	uint32_t done;
};

static struct {
	struct watch watch;
	bool follow;
	unsigned asked; /* 0: as many as may be used */
	unsigned most;  /* of those; 0: no bound */
	unsigned seats_each;
	uint64_t looked_at;
	unsigned placed; /* up to which worker, in turn */
	char told[320];  /* of what could not be found out */
	struct request *requests;
} resize;

uint64_t resize_count;

int resize_start(unsigned procs, unsigned most, unsigned seats_each, bool follow)
{
	char error[320];
	int r;

	memset(&resize, 0, sizeof(resize));
	resize_count = 0;
	resize.asked = procs;
	resize.most = most;
	resize.seats_each = seats_each;
	resize.follow = follow;
	r = watch_begin(&resize.watch, watch_root, error, sizeof(error));
	if (r)
		fprintf(stderr, "perch: %s\n", error);
	return r;
}

/* ---- where workers run ---- */

static void place(pid_t tid, const struct bitmask *cpus)
{
	struct bitmask *now;

	if (!tid || cpuset_affinity(&now, tid))
		return; /* it does not run yet: it will, where it is at home */
	/* a CPU that has just gone off is refused: the next look knows of it */
	if (!numa_bitmask_equal(now, cpus))
		numa_sched_setaffinity(tid, (struct bitmask *)cpus);
	numa_bitmask_free(now);
}

static void place_on(pid_t tid, int cpu)
{
	struct bitmask *one = cpuset_alloc((unsigned)cpu + 1);

	if (!one)
		return;
	numa_bitmask_setbit(one, (unsigned)cpu);
	place(tid, one);
	numa_bitmask_free(one);
}

/* Of `lends`, and of placing a worker, so that neither comes in between the other's. */
static pthread_mutex_t placing = PTHREAD_MUTEX_INITIALIZER;

/* `all`: what the process may use. */
static void place_worker(struct worker *w, const struct bitmask *all)
{
	struct processor *home = __atomic_load_n(&w->home, __ATOMIC_RELAXED);

	pthread_mutex_lock(&placing);
	if (w->lends)
		; /* it comes back by itself */
	else if (processor_retired(home))
		place(worker_tid(w), all);
	else
		place_on(worker_tid(w), home->cpu);
	pthread_mutex_unlock(&placing);
}

void resize_lend(struct worker *w)
{
	struct bitmask *cpus;

	pthread_mutex_lock(&placing);
	w->lends = true;
	if (!watch_affinity(&resize.watch, &cpus)) {
		numa_sched_setaffinity(0, cpus);
		numa_bitmask_free(cpus);
	}
	pthread_mutex_unlock(&placing);
}

/* A spare of a retired processor stays where it is: anywhere. */
void resize_return(struct worker *w)
{
	struct processor *home = __atomic_load_n(&w->home, __ATOMIC_RELAXED);

	pthread_mutex_lock(&placing);
	w->lends = false;
	if (!processor_retired(home))
		place_on(worker_tid(w), home->cpu);
	pthread_mutex_unlock(&placing);
}

void resize_forked(void)
{
	pthread_mutex_init(&placing, NULL); /* the monitor may have held it */
}

/*
 * Whoever moves pthreads about from outside mostly moves all of them, and the kernel
 * does when it takes a CPU away. So those that have a seat are put back each time, and of
 * the others some.
 */
static void place_workers(const struct bitmask *all)
{
	unsigned workers = sched_workers();

	for (unsigned i = 0; i < sched.set->count; i++) {
		struct processor *p = sched.set->processor[i];

		for (unsigned n = 0; n < p->seats; n++)
			if (seat_holder(p, n))
				place_worker(seat_holder(p, n), all);
		if (!processor_retired(p))
			place_on(lookout_tid(p), p->cpu);
	}
	for (unsigned i = 0; i < PLACES && i < workers; i++, resize.placed++)
		place_worker(&sched.workers[resize.placed % workers], all);
}

/* ---- out of use ---- */

/* Nobody holds this seat any more, and nobody gives it to another. */
static void empty_seat(struct processor *p, unsigned n, const struct bitmask *all)
{
	struct worker *was;
	unsigned spins = 0;

	while (!handoff_empty_seat(p, n, &was))
		percpu_wait(&spins); /* another is just giving it away */
	if (was)
		place_worker(was, all);
}

static void retire(struct processor *p, const struct bitmask *all)
{
	__atomic_add_fetch(&sched.retired, 1, __ATOMIC_SEQ_CST);
	processor_close(p);
	inject();
	handoff_no_standby(p);
	for (unsigned n = 0; n < p->seats; n++) {
		empty_seat(p, n, all);
		sleepers_add_seat(p, -1);
		inject();
	}
	/* what is left there, and what its workers were woken for */
	idle_notify();
}

/* ---- into use ---- */

/* Somebody to sit there, asleep and in no list. */
static int find_worker(struct processor *p, struct worker **out)
{
	struct worker *w = handoff_spare(p);

	for (unsigned i = 0; !w && i < sched.set->count; i++)
		if (sched.set->processor[i] != p && processor_retired(sched.set->processor[i]))
			w = handoff_move_spare(sched.set->processor[i], p);
	*out = w;
	return w ? 0 : monitor_worker(p, out);
}

static void sit_down(struct processor *p, unsigned n, struct worker *w, const struct bitmask *all)
{
	place_worker(w, all);
	__atomic_store_n(&p->seat[n].holder, w, __ATOMIC_SEQ_CST);
	sleepers_add_seat(p, 1);
	inject();
	idle_call_to_duty(w, n);
}

/* With all its seats taken, or not at all. */
static int restore(struct processor *p, const struct bitmask *all)
{
	struct worker *w[p->seats];
	unsigned n = 0;
	int r = 0;

	memset(w, 0, sizeof(w));
	while (n < p->seats && !(r = find_worker(p, &w[n])))
		n++;
	if (r) {
		while (n-- > 0)
			handoff_spare_back(w[n]);
		return r;
	}
	processor_open(p);
	inject();
	for (n = 0; n < p->seats; n++)
		sit_down(p, n, w[n], all);
	__atomic_sub_fetch(&sched.retired, 1, __ATOMIC_SEQ_CST);
	return 0;
}

/* ---- which ---- */

static bool in(const struct bitmask *set, int cpu)
{
	return (unsigned)cpu < set->size && numa_bitmask_isbitset(set, (unsigned)cpu);
}

static struct processor *processor_at(int cpu)
{
	for (unsigned i = 0; i < sched.set->count; i++)
		if (sched.set->processor[i]->cpu == cpu)
			return sched.set->processor[i];
	return NULL;
}

static bool active_at(int cpu)
{
	struct processor *p = processor_at(cpu);

	return p && !processor_retired(p);
}

/* `n` of the CPUs: those that have a processor in use first. */
static struct bitmask *choose_cpus(const struct bitmask *cpus, unsigned n)
{
	struct bitmask *chosen = cpuset_alloc((unsigned)cpus->size);

	for (int active = 1; chosen && active >= 0; active--)
		cpuset_for_each(cpu, cpus)
		{
			if (n && active_at(cpu) == active) {
				numa_bitmask_setbit(chosen, (unsigned)cpu);
				n--;
			}
		}
	return chosen;
}

/*
 * First those that come, then those that go: there is always one. When a processor cannot be
 * had: all_or_none undoes what was done; otherwise as many as can be had are
 * used, and only CPUs that are not ours any more are given up, once there is one that is.
 */
static int change(const struct bitmask *cpus, unsigned n, bool all_or_none)
{
	struct bitmask *chosen = choose_cpus(cpus, n);
	unsigned before = sched.set->count, kept = 0;
	struct processor_set *set;
	bool changed = false;
	int r = chosen ? set_add(chosen, resize.seats_each) : -ENOMEM;

	if (!chosen)
		return r;
	/* those that were never in use are retired as well, until they are */
	__atomic_add_fetch(&sched.retired, sched.set->count - before, __ATOMIC_SEQ_CST);
	set = sched.set;
	bool was_active[set->count];

	for (unsigned i = 0; i < set->count; i++) {
		struct processor *p = set->processor[i];

		was_active[i] = !processor_retired(p);
		if (in(chosen, p->cpu) && !was_active[i] && (!r || !all_or_none)) {
			int failed = restore(p, cpus);

			r = r ? r : failed;
			changed |= !failed;
		}
		kept += in(chosen, p->cpu) && !processor_retired(p);
	}
	for (unsigned i = 0; i < set->count; i++) {
		struct processor *p = set->processor[i];
		bool goes = r && all_or_none ? !was_active[i] : !in(chosen, p->cpu) && kept;

		if (goes && !processor_retired(p)) {
			retire(p, cpus);
			changed = true;
		}
	}
	numa_bitmask_free(chosen);
	__atomic_store_n(&sched.crowded, sched.seats > sched.active, __ATOMIC_RELAXED);
	if (changed)
		__atomic_add_fetch(&resize_count, 1, __ATOMIC_RELAXED);
	if (changed)
		place_workers(cpus);
	return r;
}

static unsigned wanted(const struct watch_view *view)
{
	unsigned cpus = (unsigned)cpuset_count(view->cpus), n = resize.asked;

	if (!n) {
		n = watch_procs(view);
		if (resize.most && resize.most < n)
			n = resize.most;
	}
	return n < cpus ? n : cpus;
}

/* ---- requests ---- */

int resize_request(unsigned n)
{
	struct request r = {.waiter = sched_self(), .procs = n};
	struct request *top = __atomic_load_n(&resize.requests, __ATOMIC_RELAXED);

	foreign_active(); /* the monitor will wake this one: no deadlock */
	do {
		r.next = top;
	} while (!__atomic_compare_exchange_n(&resize.requests, &top, &r, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	monitor_tell(MONITOR_RESIZE);
	while (!__atomic_load_n(&r.done, __ATOMIC_ACQUIRE))
		park(PARK_RESIZE, NULL);
	return r.result;
}

static struct request *take_requests(void)
{
	struct request *top = __atomic_exchange_n(&resize.requests, NULL, __ATOMIC_ACQUIRE), *oldest = NULL;

	while (top) {
		struct request *next = top->next;

		top->next = oldest;
		oldest = top;
		top = next;
	}
	return oldest;
}

static void answer(struct request *r, int result)
{
	struct thread *waiter = r->waiter;

	r->result = result;
	__atomic_store_n(&r->done, 1, __ATOMIC_RELEASE);
	unpark(waiter);
	foreign_rest();
}

static int serve_one(unsigned n)
{
	struct watch_view view;
	char error[320];
	int r = watch_look(&resize.watch, &view, error, sizeof(error));

	if (r)
		return r == -ENOMEM ? r : -EAGAIN;
	if (n > (unsigned)cpuset_count(view.cpus))
		r = -EINVAL;
	else
		r = change(view.cpus, n, true);
	if (!r)
		resize.asked = n;
	watch_forget(&view);
	return r;
}

void resize_serve(void)
{
	struct request *next;

	if (__builtin_expect(!__atomic_load_n(&resize.requests, __ATOMIC_RELAXED), 1))
		return;
	for (struct request *r = take_requests(); r; r = next) {
		next = r->next;
		answer(r, serve_one(r->procs));
	}
}

void resize_stop(void)
{
	struct request *next;

	for (struct request *r = take_requests(); r; r = next) {
		next = r->next;
		answer(r, -EINVAL);
	}
	watch_end(&resize.watch);
}

/* ---- the watch ---- */

static void tell(const char *error)
{
	if (!strcmp(resize.told, error))
		return;
	snprintf(resize.told, sizeof(resize.told), "%s", error);
	fprintf(stderr, "perch: what this process may use is not known, going by what it was: %s\n", error);
}

static bool as_wanted(const struct bitmask *cpus, unsigned n)
{
	for (unsigned i = 0; i < sched.set->count; i++) {
		struct processor *p = sched.set->processor[i];

		if (!processor_retired(p) && !in(cpus, p->cpu))
			return false;
	}
	return sched.active == n;
}

void resize_look(uint64_t now)
{
	struct watch_view view;
	char error[320];
	unsigned n;
	int r;

	if (!resize.follow || now - resize.looked_at < RESIZE_LOOK_NS)
		return;
	resize.looked_at = now;
	r = watch_look(&resize.watch, &view, error, sizeof(error));
	if (r) {
		/* what the program has run out of for a while is no news of ours */
		if (r != -EMFILE && r != -ENFILE && r != -ENOMEM)
			tell(error);
		return;
	}
	resize.told[0] = 0;
	n = wanted(&view);
	/* what cannot be had now is tried again at the next look */
	if (!as_wanted(view.cpus, n))
		change(view.cpus, n, false);
	place_workers(view.cpus);
	watch_forget(&view);
}
