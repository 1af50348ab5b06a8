/* SPDX-License-Identifier: MIT */
#include "tests/stress/rounds.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "core/sched/handoff.h"
#include "core/sched/idle.h"
#include "core/sched/sched.h"
#include "rseq/ring.h"

#define ROUND_NS 250000000u
#define QUICK_NS 750000000u
#define HANG_SECONDS 15

uint64_t progress;

static uint64_t test_end, round_end;
static unsigned rounds, least_workers;
static struct perch_config config;
static struct perch_stats total;
static uint64_t total_resizes, total_far, total_gates_seen;

/* ---- the watchdog ---- */

static void show_workers(void)
{
	for (unsigned i = 0; i < sched_workers(); i++) {
		const struct worker *w = &sched.workers[i];

		harness_log("worker %u on CPU %d, seat %u: %s, duty %u%s%s, wake %u%s%s; %llu switches, %llu parks, "
			    "%llu sleeps, %llu wakes",
			    i, w->home->cpu, w->duty >> DUTY_SEAT_SHIFT,
			    w->current == &w->base ? "between threads" : "in a thread", w->duty & DUTY_KIND,
			    w->counted ? ", counted" : "", w->dismissed ? ", dismissed" : "", w->wake,
			    worker_has_pinned(w) ? ", has pinned ones" : "", idle_asleep_one(i) ? ", sleeps" : "",
			    (unsigned long long)w->stats.switches, (unsigned long long)w->stats.parks,
			    (unsigned long long)w->stats.sleeps, (unsigned long long)w->stats.wakes);
	}
}

static void show_queues(void)
{
	struct processor_set *set = sched.set;

	for (unsigned i = 0; set && i < set->count; i++) {
		struct processor *p = set->processor[i];
		struct percpu *a = processor_area(p);

		harness_log("CPU %d: flags %u, request %u, private %u, shared %u, fair %u, inbox %s; lost %u, "
			    "computing %u, "
			    "watched %u%s",
			    p->cpu, a->flags, a->request, ring_private(a), ring_shared(a), ring_fair_length(a),
			    processor_inbox_empty(p) ? "empty" : "not empty", p->lost, p->computing, p->watched,
			    p->standby ? ", has a standby" : "");
		for (unsigned n = 0; n < p->seats; n++)
			harness_log("  seat %u: worker %u", n,
				    seat_holder(p, n) ? seat_holder(p, n)->index : UINT32_MAX);
	}
	harness_log("overflow: %s", spill_empty() ? "empty" : "not empty");
}

static void show_stats(void)
{
	struct perch_stats s;

	if (perch_stats_get(&s))
		return;
	harness_log("spawned %llu, finished %llu, carried %llu, switches %llu, parks %llu, unparks %llu, steals %llu, "
		    "forced %llu, sleeps %llu, wakes %llu, barriers %llu, spilled %llu, handoffs %llu, undone %llu, "
		    "queued %llu, refused %llu, spares %llu",
		    (unsigned long long)s.spawned, (unsigned long long)s.finished, (unsigned long long)s.carried,
		    (unsigned long long)s.switches, (unsigned long long)s.parks, (unsigned long long)s.unparks,
		    (unsigned long long)s.steals, (unsigned long long)s.forced, (unsigned long long)s.sleeps,
		    (unsigned long long)s.wakes, (unsigned long long)s.barriers, (unsigned long long)s.spilled,
		    (unsigned long long)s.handoffs, (unsigned long long)s.handoffs_undone,
		    (unsigned long long)s.handoffs_queued, (unsigned long long)s.handoffs_refused,
		    (unsigned long long)s.spares);
}

static void *watch(void *arg)
{
	uint64_t last = 0, since = harness_now();
	sigset_t all;

	(void)arg;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	for (;;) {
		struct timespec nap = {0, 200000000};
		uint64_t now = __atomic_load_n(&progress, __ATOMIC_RELAXED);

		nanosleep(&nap, NULL);
		if (now != last) {
			last = now;
			since = harness_now();
		} else if (harness_now() - since > HANG_SECONDS * 1000000000ull) {
			harness_log("nothing has moved for %d s, in round %u with %u workers, shuffle %u, stealing %s, "
				    "%u nodes",
				    HANG_SECONDS, rounds, config.workers, config.shuffle,
				    policy_name(sched.policy.kind), sched.nodes);
			show_stats();
			show_workers();
			show_queues();
			if (getenv("PERCH_TEST_ON_TIMEOUT"))
				for (;;)
					pause(); /* for the harness to look at */
			EXPECT_FALSE("a hang");
			abort();
		}
	}
	return NULL;
}

/* ---- signals, into whatever is running ---- */

static void on_tick(int signal)
{
	(void)signal;
}

static void tick(bool on)
{
	struct sigaction a = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
	struct itimerval t = {{0, on ? 100 : 0}, {0, on ? 100 : 0}};

	sigaction(SIGALRM, &a, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
}

/* ---- the number of processors, up and down ---- */

static pthread_t jostler;
static bool jostles;
static uint32_t jostle_over;

static void *jostle(void *arg)
{
	unsigned cpus = (unsigned)(uintptr_t)arg;

	while (!__atomic_load_n(&jostle_over, __ATOMIC_ACQUIRE)) {
		struct timespec nap = {0, (long)harness_random_below(3000000)};

		ASSERT_EQ(perch_set_procs(1 + (unsigned)harness_random_below(cpus)), 0);
		total_resizes++;
		if (harness_random_below(4) == 0)
			perch_trim();
		nanosleep(&nap, NULL);
	}
	return NULL;
}

static void jostle_begin(void)
{
	cpu_set_t mask;

	ASSERT_EQ(sched_getaffinity(0, sizeof(mask), &mask), 0);
	jostles = CPU_COUNT(&mask) > 1;
	jostle_over = 0;
	if (jostles)
		ASSERT_EQ(pthread_create(&jostler, NULL, jostle, (void *)(uintptr_t)CPU_COUNT(&mask)), 0);
}

static void jostle_end(void)
{
	__atomic_store_n(&jostle_over, 1, __ATOMIC_RELEASE);
	if (jostles)
		ASSERT_EQ(pthread_join(jostler, NULL), 0);
	jostles = false;
}

/* ---- nodes ---- */

/* These CPUs as two nodes, every other one on each; or as what they are. */
static void describe(bool two)
{
	char list[2][2048] = {"", ""}, text[5000];
	size_t used[2] = {0, 0};
	cpu_set_t mask;
	int n = 0;

	unsetenv("PERCH_TOPOLOGY");
	ASSERT_EQ(sched_getaffinity(0, sizeof(mask), &mask), 0);
	if (!two || CPU_COUNT(&mask) < 2)
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		int half = n % 2;

		if (!CPU_ISSET(cpu, &mask))
			continue;
		n++;
		used[half] += (size_t)snprintf(list[half] + used[half], sizeof(list[half]) - used[half], "%s%d",
					       used[half] ? "," : "", cpu);
		ASSERT_LT(used[half], sizeof(list[half]));
	}
	snprintf(text, sizeof(text), "node0=%s node1=%s", list[0], list[1]);
	setenv("PERCH_TOPOLOGY", text, 1);
}

/* Who sleeps keeps nobody from looking far. Only what is seen while all of them do counts. */
static void check_gates(void)
{
	uint64_t until = harness_now() + 20000000u;

	while (harness_now() < until) {
		struct perch_stats before, after;
		bool asleep, abroad = false;

		ASSERT_EQ(perch_stats_get(&before), 0);
		asleep = idle_all_asleep();
		for (unsigned node = 0; node < sched.node_slots; node++)
			abroad |= __atomic_load_n(&sched.gate[node].abroad, __ATOMIC_SEQ_CST) != 0;
		asleep = asleep && idle_all_asleep();
		ASSERT_EQ(perch_stats_get(&after), 0);
		if (asleep && before.sleeps == after.sleeps) {
			total_gates_seen++;
			ASSERT_FALSE(abroad);
			return;
		}
	}
}

/* ---- rounds ---- */

void rounds_begin(unsigned least)
{
	pthread_t p;

	least_workers = least;
	ASSERT_EQ(pthread_create(&p, NULL, watch, NULL), 0);
#ifdef CORE_STRESS_LONG
	test_end = harness_now() + (uint64_t)(harness_stress_seconds() * 1e9);
#else
	test_end = harness_now() + QUICK_NS;
#endif
}

static void stop_round(void)
{
	struct perch_stats s;

	jostle_end();
	check_gates();
	ASSERT_EQ(perch_stats_get(&s), 0);
	for (int tier = TIER_FAR; tier < PERCH_TIERS; tier++)
		total_far += s.steals_by_tier[tier];
	total.spawned += s.spawned;
	total.carried += s.carried;
	total.switches += s.switches;
	total.parks += s.parks;
	total.steals += s.steals;
	total.forced += s.forced;
	total.sleeps += s.sleeps;
	total.spilled += s.spilled;
	total.handoffs += s.handoffs;
	total.handoffs_undone += s.handoffs_undone;
	total.handoffs_queued += s.handoffs_queued;
	ASSERT_EQ(perch_stop(), 0);
	tick(false);
	moved();
}

bool rounds_next(void)
{
	static const uint8_t workers[] = {1, 2, 2, 2, 3, 4, 8};

	if (rounds)
		stop_round();
	if (harness_now() >= test_end) {
		harness_log(
			"%u rounds: spawned %llu, carried %llu, switches %llu, parks %llu, steals %llu, forced %llu, "
			"sleeps %llu, spilled %llu, handoffs %llu, undone %llu, queued %llu, resizes %llu, from the "
			"other node "
			"%llu, gates seen with all asleep %llu",
			rounds, (unsigned long long)total.spawned, (unsigned long long)total.carried,
			(unsigned long long)total.switches, (unsigned long long)total.parks,
			(unsigned long long)total.steals, (unsigned long long)total.forced,
			(unsigned long long)total.sleeps, (unsigned long long)total.spilled,
			(unsigned long long)total.handoffs, (unsigned long long)total.handoffs_undone,
			(unsigned long long)total.handoffs_queued, (unsigned long long)total_resizes,
			(unsigned long long)total_far, (unsigned long long)total_gates_seen);
		return false;
	}
	rounds++;
	memset(&config, 0, sizeof(config));
	do
		config.workers = workers[harness_random_below(sizeof(workers))];
	while (config.workers < least_workers);
	config.shuffle = harness_random_below(4) == 0;
	config.steal = (enum perch_steal)harness_random_below(PERCH_STEAL_NONE + 1);
	describe(harness_random_below(2));
#ifdef PERCH_SECTION_DELAY
	perch_section_delay = (uint32_t)harness_random_below(2) * (uint32_t)harness_random_below(200);
#endif
	if (harness_random_below(2))
		tick(true);
	ASSERT_EQ(perch_start(&config), 0);
	if (harness_random_below(2))
		jostle_begin();
	round_end = harness_now() + ROUND_NS;
	return true;
}

bool round_goes_on(void)
{
	return harness_now() < round_end;
}

void compute(uint64_t max_ns)
{
	uint64_t until = harness_now() + harness_random_below(max_ns);

	while (harness_now() < until)
		;
}
