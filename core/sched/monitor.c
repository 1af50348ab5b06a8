/* SPDX-License-Identifier: MIT */
#include "core/sched/monitor.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/alloc/cache.h"
#include "core/sched/clock.h"
#include "core/sched/foreign.h"
#include "core/sched/handoff.h"
#include "core/sched/idle.h"
#include "core/sched/look.h"
#include "core/sched/lookout.h"
#include "core/sched/resize.h"
#include "core/sched/sched.h"
#include "core/sched/task.h"
#include "core/thread/overflow.h"
#include "core/thread/trim.h"
#include "rseq/section_lock.h"

#define LOOK_LEAST_NS 20000u
#define LOOK_MOST_NS 5000000u
/* So many looks at the least distance, then each at twice that of the last. */
#define LOOKS_CLOSE 50
#define IDLE_NS 100000000u
#define STUCK_NS 10000000u
/* A worker that has made no fair round for so long, as its rounds are long, makes one next. */
#define FAIR_NS 5000000u
/* What a worker's CPU clock says of such a time is believed. */
#define CLOCK_TELLS_NS 200000u
/* After it could not make a worker. */
/* From one pthread that was refused to the next try, and twice as long each time. */
#define RETRY_NS 5000000u
#define RETRY_MOST_NS 320000000u
#define STACK ((size_t)256 << 10)

enum { QUIT = 1u << 31 };

static struct {
	uint32_t news; /* futex */
	bool running;
	bool hands_off; /* else it only sees to the number of processors */
	pthread_t pthread;
	unsigned spares_most;
	/* its own */
	struct retry {
		uint64_t at, ns;
	} spare, lookout;
	uint64_t trim_at;    /* when free memory is looked at again (trim.h) */
	uint64_t objects_at; /* when objects are (cache_trim) */
	bool told_refused, told_bound;
} monitor;

uint32_t monitor_sleeps;
void (*monitor_posts)(void);

void monitor_tell(uint32_t news)
{
	if (!(__atomic_fetch_or(&monitor.news, news, __ATOMIC_SEQ_CST) & news))
		syscall(SYS_futex, &monitor.news, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* ---- spares ---- */

int monitor_worker(struct processor *p, struct worker **out)
{
	unsigned index = sched.worker_count;
	struct worker *w = &sched.workers[index];
	int r;

	if (index >= sched.workers_most)
		return -EAGAIN;
	worker_clear(w, p, index, 0);
	w->duty = DUTY_SPARE;
	r = worker_start(w);
	if (r)
		return r;
	__atomic_store_n(&sched.worker_count, index + 1, __ATOMIC_RELEASE);
	*out = w;
	return 0;
}

static void retry_later(struct retry *r, uint64_t now)
{
	r->ns = r->ns ? 2 * r->ns : RETRY_NS;
	if (r->ns > RETRY_MOST_NS)
		r->ns = RETRY_MOST_NS;
	r->at = now + r->ns;
}

/* A worker more, asleep, not listed. NULL: none is to be had now. */
static struct worker *make_spare(struct processor *p, uint64_t now)
{
	struct worker *w;
	int r;

	if (now < monitor.spare.at)
		return NULL;
	r = monitor_worker(p, &w);
	if (!r) {
		monitor.spare.ns = 0;
		return w;
	}
	if (sched.worker_count >= sched.workers_most) {
		if (!monitor.told_bound)
			fprintf(stderr,
				"perch: all %u spare workers (PERCH_SPARES) are in use: from now on threads "
				"wait for CPUs whose workers are blocked\n",
				monitor.spares_most);
		monitor.told_bound = true;
	} else if (!monitor.told_refused) {
		fprintf(stderr,
			"perch: no pthread for a spare worker: %s; until there is one, threads wait for CPUs "
			"whose workers are blocked\n",
			strerror(-r));
		monitor.told_refused = true;
	}
	retry_later(&monitor.spare, now);
	__atomic_add_fetch(&handoff_stats.refused, 1, __ATOMIC_RELAXED);
	return NULL;
}

static bool hand_off(struct processor *p, struct worker *w, bool computing, uint64_t now)
{
	struct worker *spare = handoff_spare(p);

	if (!spare)
		spare = make_spare(p, now);
	return spare && handoff_take(w, spare, computing);
}

/* What the lookouts want. */
static void serve(uint64_t now)
{
	for (unsigned i = 0; i < sched.set->count; i++) {
		struct processor *p = sched.set->processor[i];

		if (!__atomic_load_n(&p->watched, __ATOMIC_SEQ_CST) || processor_retired(p))
			continue;
		if (!p->lookout && now >= monitor.lookout.at && !lookout_make(p))
			retry_later(&monitor.lookout, now);
		if (!handoff_stand_by(p)) {
			struct worker *w = make_spare(p, now);

			if (w)
				handoff_spare_back(w);
		}
	}
}

/* ---- looking ---- */

/* Something waits on this CPU, and does so although its workers fork and join. */
static bool waits(struct processor *p, struct seat *s, uint64_t now)
{
	struct percpu *a = processor_area(p);
	bool ring = ring_shared(a) || ring_private(a);

	return !processor_inbox_empty(p) || ring_fair_length(a) || !spill_empty() || timers_next(&p->timers) <= now ||
	       (ring && now - s->still_since >= STUCK_NS);
}

static void begin_watch(struct seat *s, struct worker *w, uint64_t switches, uint64_t now)
{
	s->seen = w;
	s->switches = switches;
	s->since = s->cpu_at = s->still_since = now;
	s->cpu_ns = task_cpu_ns(worker_tid(w));
}

/* True: its seat was given away. */
static bool look(struct processor *p, struct seat *s, struct worker *w, uint64_t now)
{
	uint64_t switches = __atomic_load_n(&w->stats.switches, __ATOMIC_RELAXED), waited, passed, cpu;
	uint32_t tail = __atomic_load_n(&processor_area(p)->tail, __ATOMIC_RELAXED);
	const struct thread *current;
	bool runs;

	/* who forks and joins comes back to the same place all the time */
	for (int i = 0; i < 200 && tail == s->tail; i++) {
		percpu_relax();
		tail = __atomic_load_n(&processor_area(p)->tail, __ATOMIC_RELAXED);
	}
	if (tail != s->tail)
		s->still_since = now;
	s->tail = tail;
	current = worker_current(w);
	if (w != s->seen || switches != s->switches || current == &w->base) {
		begin_watch(s, w, switches, now);
		return false;
	}
	waited = now - s->since;
	passed = now - s->cpu_at;
	if (passed < LOOK_LEAST_NS / 2)
		return false;
	/* The clock is cheap, and says nothing of this moment: when looks are far
	 * apart, it may have computed and be blocked now. */
	cpu = task_cpu_ns(worker_tid(w));
	runs = passed < CLOCK_TELLS_NS && (cpu - s->cpu_ns) * 4 >= passed;
	s->cpu_ns = cpu;
	s->cpu_at = now;
	/* one that the kernel keeps waiting is as good as computing */
	if (runs || task_wants_cpu(worker_tid(w))) {
		int32_t others = (int32_t)__atomic_load_n(&p->computing, __ATOMIC_RELAXED);
		uint64_t patience = STUCK_NS * (uint64_t)(others > 0 ? others + 1 : 1);

		/* for what waits on other CPUs, too, but later: they may come to it by themselves */
		if (waited < patience ||
		    (!waits(p, s, now) &&
		     (waited < 2 * patience || now - s->still_since < STUCK_NS || !look_anything_for(p))))
			return false;
		return hand_off(p, w, true, now);
	}
	if (__atomic_load_n(&w->in_call, __ATOMIC_RELAXED) != current && waited < STUCK_NS && !waits(p, s, now) &&
	    !look_anything_for(p))
		return false;
	return hand_off(p, w, false, now);
}

/* Fair rounds are counted in rounds; where these take long, a fair one is due by the clock. */
static void see_to_fairness(struct seat *s, struct worker *w, uint64_t now)
{
	uint32_t rounds = __atomic_load_n(&w->fair_rounds, __ATOMIC_RELAXED);

	if (rounds != s->fair_rounds) {
		s->fair_rounds = rounds;
		s->fair_at = now;
	} else if (now - s->fair_at >= FAIR_NS) {
		s->fair_at = now;
		__atomic_store_n(&w->fair_due, 1, __ATOMIC_RELAXED);
	}
}

/* *active: some holder does not sleep. True: a seat was given away. */
static bool look_at_all(uint64_t now, bool *active)
{
	bool moved = false;

	*active = false;
	for (unsigned i = 0; i < sched.set->count; i++) {
		struct processor *p = sched.set->processor[i];

		for (unsigned n = 0; n < p->seats; n++) {
			struct worker *w = seat_holder(p, n);

			if (!w || idle_asleep_one(w->index)) {
				p->seat[n].seen = NULL;
				continue;
			}
			*active = true;
			see_to_fairness(&p->seat[n], w, now);
			if (monitor.hands_off)
				moved |= look(p, &p->seat[n], w, now);
		}
	}
	return moved;
}

/* ---- its life ---- */

/* All news since the last call; none after `ns`, CLOCK_NEVER: without end. */
static uint32_t listen(uint64_t ns)
{
	struct timespec t = clock_timespec(ns == CLOCK_NEVER ? 0 : ns);
	uint32_t news = __atomic_exchange_n(&monitor.news, 0, __ATOMIC_SEQ_CST);

	while (!news) {
		long r = syscall(SYS_futex, &monitor.news, FUTEX_WAIT_PRIVATE, 0, ns == CLOCK_NEVER ? NULL : &t, NULL,
				 0);

		news = __atomic_exchange_n(&monitor.news, 0, __ATOMIC_SEQ_CST);
		if (r && errno == ETIMEDOUT)
			break;
	}
	return news;
}

/* While threads and objects come and go there may always be something new. */
static uint64_t next_trim(uint64_t now, uint64_t wait)
{
	return now + (wait < TRIM_TICK_NS ? wait : TRIM_TICK_NS);
}

static void trim(uint64_t now)
{
	if (now >= monitor.trim_at)
		monitor.trim_at = next_trim(now, trim_step());
	if (now >= monitor.objects_at)
		monitor.objects_at = next_trim(now, cache_trim());
}

/* How long it may sleep beside workers that all sleep: without end when all is given back. */
static uint64_t until_trim(void)
{
	uint64_t now = clock_ns(), at = trim_wanted() ? monitor.trim_at : CLOCK_NEVER;

	if (cache_to_trim() && monitor.objects_at < at)
		at = monitor.objects_at;
	return at == CLOCK_NEVER ? at : at > now ? at - now : 0;
}

static bool all_asleep(void)
{
	bool active;

	look_at_all(clock_ns(), &active);
	return !active;
}

/* Pthreads that are no workers free objects too while all workers sleep. */
static void objects_warm(void)
{
	/* behind what was put there: either it is seen by until_trim(), or this sees that the monitor sleeps */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&monitor_sleeps, __ATOMIC_SEQ_CST))
		monitor_tell(MONITOR_OBJECTS);
}

/* A worker that wakes after it has been found asleep sees monitor_sleeps. */
static uint32_t sleep_until_active(void)
{
	uint32_t news = 0;

	__atomic_store_n(&monitor_sleeps, 1, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	while (!news && all_asleep()) {
		news = listen(until_trim());
		if (!news)
			trim(clock_ns());
	}
	__atomic_store_n(&monitor_sleeps, 0, __ATOMIC_SEQ_CST);
	return news;
}

static void make_posts(void)
{
	void (*make)(void) = __atomic_load_n(&monitor_posts, __ATOMIC_ACQUIRE);

	if (make)
		make();
}

static void *monitor_main(void *arg)
{
	const uint64_t least = monitor.hands_off ? LOOK_LEAST_NS : RESIZE_LOOK_NS;
	const uint64_t most = monitor.hands_off ? LOOK_MOST_NS : RESIZE_LOOK_NS;
	uint64_t delay = least, active_at = clock_ns();
	unsigned close = LOOKS_CLOSE;

	(void)arg;
	foreign_set_waker(false);
	pthread_setname_np(pthread_self(), "perch-monitor");
	prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
	worker_short_slice();
	for (;;) {
		uint32_t news = listen(delay);
		uint64_t now = clock_ns();
		bool active, moved;

		make_posts();
		if (news & QUIT)
			return NULL;
		resize_serve();
		resize_look(now);
		if (monitor.hands_off)
			serve(now);
		moved = look_at_all(now, &active);
		if (monitor.hands_off)
			idle_io_check(now);
		trim(now);
		overflow_look();
		if (active)
			active_at = now;
		if (moved) {
			close = LOOKS_CLOSE;
			delay = least;
		} else if (close) {
			close--;
		} else if (delay < most) {
			delay = delay * 2 < most ? delay * 2 : most;
		}
		if (now - active_at < IDLE_NS)
			continue;
		news = sleep_until_active();
		make_posts();
		if (news & QUIT)
			return NULL;
		active_at = clock_ns();
		close = LOOKS_CLOSE;
		delay = least;
	}
}

int monitor_start(unsigned spares, bool hands_off)
{
	int r;

	memset(&monitor, 0, sizeof(monitor));
	monitor.spares_most = spares;
	monitor.hands_off = hands_off;
	monitor.trim_at = monitor.objects_at = clock_ns() + TRIM_TICK_NS;
	monitor_sleeps = 0;
	r = task_start(&monitor.pthread, -1, STACK, monitor_main, NULL);
	monitor.running = !r;
	__atomic_store_n(&depot_tell, r ? NULL : objects_warm, __ATOMIC_RELEASE);
	__atomic_store_n(&idle_io_monitored, !r && hands_off, __ATOMIC_RELAXED);
	if (r)
		fprintf(stderr, "perch: no pthread for the monitor: %s\n", strerror(-r));
	return r;
}

void monitor_stop(void)
{
	if (!monitor.running)
		return;
	__atomic_store_n(&depot_tell, NULL, __ATOMIC_RELEASE);
	monitor_tell(QUIT);
	pthread_join(monitor.pthread, NULL);
	monitor.running = false;
	__atomic_store_n(&idle_io_monitored, false, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < sched.set->count; i++)
		lookout_stop(sched.set->processor[i]);
}
