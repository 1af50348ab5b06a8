/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "rseq/counter.h"
#include "rseq/ring.h"
#include "tests/rseq/stress_worker.h"

struct stress_floor stress_floor;

static __thread struct worker *self __attribute__((tls_model("initial-exec")));

enum operation {
	PUSH,
	POP,
	JOIN,
	PUBLISH,
	TAKE_BACK,
	STEAL_OWN,
	STEAL,
	ASK,
	FORCE,
	FAIR_PUSH,
	FAIR_POP,
	INHERIT,
	ADD,
	OPERATIONS
};

/* In 256ths. A worker keeps a mood for a while, so that queues fill, run dry,
 * and hover around empty, where head, split and tail meet. */
static const struct mood {
	uint8_t weight[OPERATIONS];
} moods[] = {
	/*  PUSH POP JOIN PUBL BACK OWN STEAL ASK FORCE FPUSH FPOP INH ADD */
	{{80, 70, 30, 5, 5, 2, 10, 6, 1, 20, 20, 1, 6}},  /* as in life */
	{{200, 10, 4, 2, 0, 0, 2, 2, 1, 30, 3, 0, 2}},    /* filling */
	{{10, 180, 0, 0, 16, 2, 4, 2, 1, 5, 32, 1, 3}},   /* draining */
	{{60, 40, 0, 60, 50, 6, 20, 4, 1, 6, 6, 1, 2}},   /* hovering: shares and takes back */
	{{30, 10, 0, 4, 0, 20, 140, 20, 4, 8, 8, 10, 2}}, /* robbing */
	{{8, 8, 200, 0, 0, 0, 20, 8, 2, 4, 4, 0, 2}},     /* forking and joining */
	{{20, 20, 0, 4, 4, 2, 30, 4, 10, 70, 76, 4, 12}}, /* forcing, fair queue */
};

#define MOODS (sizeof(moods) / sizeof(moods[0]))

static void on_signal(int signal)
{
	(void)signal;
	/* a section inside the handler, on top of whichever it has cut */
	if (self) {
		counter_add(0, 1);
		self->count[COUNT_signals]++;
	}
}

static int any_cpu(struct worker *w)
{
	return stress_floor.cpus[stress_random(&w->random) % stress_floor.n_cpus];
}

static int other_cpu(struct worker *w)
{
	int cpu = any_cpu(w);

	/* rather not our own, if there is another */
	return cpu == w->cpu ? any_cpu(w) : cpu;
}

/* What a ring operation said, counted. True when it was done. */
static bool outcome(struct worker *w, unsigned result)
{
	if (result & RING_ASKED)
		w->count[COUNT_answered]++;
	switch (result & ~(unsigned)RING_ASKED) {
	case RING_DONE:
		return true;
	case RING_EMPTY:
		w->count[COUNT_empty]++;
		return false;
	case RING_FULL:
		w->count[COUNT_full]++;
		return false;
	case RING_FROZEN:
		w->count[COUNT_frozen]++;
		return false;
	case RING_NOT_HERE:
		/* let whoever took the processor away put it back */
		if (++w->count[COUNT_not_here] % 64 == 0)
			sched_yield();
		return false;
	}
	stress_break("a ring operation returned %u, which means nothing", result);
	return false;
}

static uintptr_t push_one(struct worker *w)
{
	uintptr_t item = item_queue(&w->hoard);

	if (!item)
		return 0;
	if (!outcome(w, ring_push(item))) {
		item_unqueue(&w->hoard, item);
		return 0;
	}
	w->count[COUNT_pushed]++;
	return item;
}

static void pop_one(struct worker *w)
{
	uintptr_t item;

	if (!outcome(w, ring_pop(&item)))
		return;
	w->count[COUNT_popped]++;
	if (w->cpu >= 0)
		item_check_home(item, w->cpu, stress_floor.producers_cpu, "pop");
	item_consume(&w->hoard, item, "pop");
}

/* As fork and sync do: some are pushed, then wanted back in the opposite order. */
static void join_some(struct worker *w)
{
	uintptr_t forked[8];
	unsigned n = 0, wanted = 1 + (unsigned)(stress_random(&w->random) % 8);

	while (n < wanted && (forked[n] = push_one(w)))
		n++;
	while (n-- > 0)
		if (outcome(w, ring_pop_if(forked[n]))) {
			w->count[COUNT_joined]++;
			item_consume(&w->hoard, forked[n], "pop_if");
		}
}

static unsigned batch_limit(struct worker *w)
{
	unsigned shift = (unsigned)(stress_random(&w->random) % 12);

	return 1 + (unsigned)(stress_random(&w->random) % (1u << shift));
}

static void steal_some(struct worker *w, int cpu)
{
	unsigned n = ring_steal(percpu_of(cpu), w->batch, batch_limit(w));

	if (!n)
		return;
	w->count[COUNT_steals]++;
	w->count[COUNT_stolen] += n;
	for (unsigned i = 0; i < n; i++) {
		item_check_order(&w->hoard, &w->hoard.stolen, cpu, w->batch[i], "steal");
		item_consume(&w->hoard, w->batch[i], "steal");
	}
}

static void force_one(struct worker *w, int cpu)
{
	int n = ring_force(percpu_of(cpu), w->batch, batch_limit(w));

	if (n < 0) {
		if (n != -EBUSY && n != -EAGAIN)
			stress_break("ring_force returned %d, which means nothing", n);
		w->count[COUNT_force_refused]++;
		return;
	}
	w->count[n ? COUNT_forced_fair : COUNT_forced_reveals]++;
	for (int i = 0; i < n; i++) {
		item_check_order(&w->hoard, &w->hoard.fair, cpu, w->batch[i], "forced fair queue");
		item_consume(&w->hoard, w->batch[i], "force");
	}
}

/* From a CPU whose processor is just not there. */
static void inherit_some(struct worker *w, int cpu)
{
	int n = ring_inherit(percpu_of(cpu), w->batch, batch_limit(w));

	if (n < 0) {
		if (n != -EBUSY && n != -EAGAIN)
			stress_break("ring_inherit returned %d, which means nothing", n);
		return;
	}
	w->count[n ? COUNT_inherited_fair : COUNT_inherited]++;
	for (int i = 0; i < n; i++) {
		item_check_order(&w->hoard, &w->hoard.fair, cpu, w->batch[i], "inherited fair queue");
		item_consume(&w->hoard, w->batch[i], "inherit");
	}
}

static void fair_push_one(struct worker *w)
{
	uintptr_t item = item_queue(&w->hoard);
	unsigned full = (unsigned)w->count[COUNT_full];

	if (!item)
		return;
	if (outcome(w, ring_fair_push(item))) {
		w->count[COUNT_fair_pushed]++;
		return;
	}
	w->count[COUNT_fair_full] += (unsigned)w->count[COUNT_full] - full;
	w->count[COUNT_full] -= (unsigned)w->count[COUNT_full] - full;
	item_unqueue(&w->hoard, item);
}

static void fair_pop_one(struct worker *w)
{
	uintptr_t item;

	if (!outcome(w, ring_fair_pop(&item)))
		return;
	w->count[COUNT_fair_popped]++;
	if (w->cpu >= 0) { /* else there is no telling whose queue it was */
		item_check_home(item, w->cpu, stress_floor.producers_cpu, "fair pop");
		item_check_order(&w->hoard, &w->hoard.fair, w->cpu, item, "fair pop");
	}
	item_consume(&w->hoard, item, "fair pop");
}

static void do_one(struct worker *w, enum operation operation)
{
	struct percpu *here;

	switch (operation) {
	case PUSH:
		push_one(w);
		break;
	case POP:
		pop_one(w);
		break;
	case JOIN:
		join_some(w);
		break;
	case PUBLISH:
		w->count[COUNT_published] += ring_publish();
		break;
	case TAKE_BACK:
		here = percpu_here(); /* a hint: by now it may be another's, and that must do no harm */
		if (here)
			w->count[COUNT_taken_back] += ring_take_back(here);
		break;
	case STEAL_OWN:
		steal_some(w, w->cpu >= 0 ? w->cpu : any_cpu(w));
		break;
	case STEAL:
		steal_some(w, other_cpu(w));
		break;
	case ASK:
		w->count[COUNT_asked] += ring_ask(percpu_of(other_cpu(w)));
		break;
	case FORCE:
		force_one(w, any_cpu(w));
		break;
	case FAIR_PUSH:
		fair_push_one(w);
		break;
	case FAIR_POP:
		fair_pop_one(w);
		break;
	case INHERIT:
		inherit_some(w, any_cpu(w));
		break;
	case ADD:
	case OPERATIONS:
		counter_add(0, 1);
		w->count[COUNT_counted]++;
		break;
	}
}

/* How long the sections' delays are from now on, for all: mostly none or
 * short; now and then so long that a timer signal comes in each section. */
static void set_delay(struct worker *w)
{
#ifdef PERCH_SECTION_DELAY
	uint64_t r = stress_random(&w->random);
	uint32_t delay = 0;

	if (r % 8 < 4)
		delay = (uint32_t)(r >> 8) % 32;
	else if (r % 8 < 6)
		delay = (uint32_t)(r >> 8) % 1000;
	else if (r % 8 < 7)
		delay = (uint32_t)(r >> 8) % 20000;
	__atomic_store_n(&perch_section_delay, delay, __ATOMIC_RELAXED);
#else
	(void)w;
#endif
}

static bool over(void)
{
	return __atomic_load_n(&stress_floor.stop, __ATOMIC_RELAXED) || stress_broken();
}

static void work(struct worker *w)
{
	while (!over()) {
		const struct mood *mood = &moods[stress_random(&w->random) % MOODS];
		unsigned rounds = 1u << (stress_random(&w->random) % 14);

		set_delay(w);
		while (rounds-- && !stress_broken()) {
			unsigned r = (unsigned)(stress_random(&w->random) % 256);
			unsigned operation = 0;

			while (operation < ADD && r >= mood->weight[operation])
				r -= mood->weight[operation++];
			do_one(w, (enum operation)operation);
			/* read by main for --operations: a plain store, no locked add */
			__atomic_store_n(&w->operations, w->operations + 1, __ATOMIC_RELAXED);
			if (rounds % 256 == 0 && over())
				return;
		}
	}
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		stress_break("cannot pin a worker to CPU %d: %s", cpu, strerror(errno));
}

/* Signals to this pthread at some rate up to signal_hz; false: none to be had. */
static bool start_timer(struct worker *w, timer_t *timer)
{
	uint64_t ns = 1000000000 / stress_floor.signal_hz;
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
	struct itimerspec every = {{0, 0}, {0, 50000}};

	ns += stress_random(&w->random) % (2 * ns);
	every.it_interval.tv_sec = (time_t)(ns / 1000000000);
	every.it_interval.tv_nsec = (long)(ns % 1000000000);
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif
	event.sigev_notify_thread_id = w->tid;
	if (timer_create(CLOCK_MONOTONIC, &event, timer)) {
		stress_break("cannot create a timer: %s", strerror(errno));
		return false;
	}
	timer_settime(*timer, 0, &every, NULL);
	return true;
}

void *worker_run(void *worker)
{
	struct worker *w = worker;
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	bool timed = false;
	timer_t timer;

	if (w->cpu >= 0)
		pin(w->cpu);
	sigaction(SIGUSR1, &action, NULL);
	self = w;
	__atomic_store_n(&w->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	if (stress_floor.signal_hz)
		timed = start_timer(w, &timer);
	work(w);
	if (timed)
		timer_delete(timer);
	__atomic_store_n(&w->tid, 0, __ATOMIC_RELEASE);
	self = NULL;
#ifdef PERCH_SECTION_DELAY
	w->count[COUNT_cuts] += perch_section_cuts;
#endif
	return NULL;
}
