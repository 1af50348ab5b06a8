/* SPDX-License-Identifier: MIT */
#include "core/see/reporter.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <perch/see.h>

#include "core/sched/clock.h"
#include "core/sched/foreign.h"
#include "core/sched/idle.h"
#include "core/sched/task.h"
#include "core/sched/worker.h"
#include "core/see/deadlock.h"
#include "core/see/dump.h"
#include "core/see/text.h"

/* A deadlock holds still for this long before it is believed. */
#define CONFIRM_NS 50000000u
/* When only unknown pthreads are in the way: so many more looks, each after
 * twice the time; 51 s in all. They may end, and nobody would say so. */
#define LOOKS_MOST 10
/* Of what is printed with it, and of what a deadlock handler may need. */
#define STACK ((size_t)256 << 10)

enum { TOLD_QUIT = 1, TOLD_DUMP = 2, TOLD_ASLEEP = 4 };

static struct {
	uint32_t told;   /* futex: bits of the above */
	uint32_t asleep; /* TOLD_ASLEEP has been told, and not been looked into yet */
	bool running;
	bool watches; /* for deadlocks */
	bool insists; /* though there are pthreads that perch does not know */
	bool quits;   /* SIGQUIT is ours */
	pthread_t pthread;
	struct sigaction before;
	/* what the reporter itself remembers */
	bool looking; /* a deadlock is being confirmed */
	unsigned looks;
	uint64_t look_at; /* when next */
	uint64_t moved;   /* at the last look */
	bool reported;
	uint64_t reported_moved;
} reporter;

static __thread bool is_reporter;

static struct {
	pthread_mutex_t lock;
	void (*fn)(void *);
	void *arg;
} handler = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool reporter_self(void)
{
	return is_reporter;
}

/* ---- telling it ---- */

static void tell(uint32_t news)
{
	if (!(__atomic_fetch_or(&reporter.told, news, __ATOMIC_SEQ_CST) & news))
		syscall(SYS_futex, &reporter.told, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void on_quit(int signal)
{
	int saved = errno;

	(void)signal;
	tell(TOLD_DUMP);
	errno = saved;
}

/* idle_asleep. What a worker can see cheaply is looked at here. */
static void on_asleep(void)
{
	if (__atomic_load_n(&reporter.asleep, __ATOMIC_SEQ_CST))
		return;
	if (worker_self() && !deadlock_suspected())
		return;
	if (!__atomic_exchange_n(&reporter.asleep, 1, __ATOMIC_SEQ_CST))
		tell(TOLD_ASLEEP);
}

/* ---- its life ---- */

/* All news since the last call; 0: it is time to look again. */
static uint32_t listen(void)
{
	struct timespec at = clock_timespec(reporter.look_at);
	uint32_t news;

	while (!(news = __atomic_exchange_n(&reporter.told, 0, __ATOMIC_SEQ_CST))) {
		if (reporter.looking && clock_ns() >= reporter.look_at)
			return 0;
		syscall(SYS_futex, &reporter.told, FUTEX_WAIT_BITSET_PRIVATE, 0, reporter.looking ? &at : NULL, NULL,
			FUTEX_BITSET_MATCH_ANY);
	}
	return news;
}

static void dump_to_stderr(void)
{
	struct text t = {0};

	if (!dump_begin())
		return;
	dump_put(&t);
	dump_end();
	text_write(&t, STDERR_FILENO);
	text_free(&t);
}

/* What the program has printed so far. A thread that waits may hold a stream's
 * lock for ever, so no more than this is tried, and not exit(). */
static void flush(FILE *f)
{
	if (ftrylockfile(f))
		return;
	fflush_unlocked(f);
	funlockfile(f);
}

static void act(void)
{
	void (*fn)(void *);
	void *arg;

	pthread_mutex_lock(&handler.lock);
	fn = handler.fn;
	arg = handler.arg;
	pthread_mutex_unlock(&handler.lock);
	if (fn) {
		fn(arg);
		return;
	}
	flush(stdout);
	flush(stderr);
	_exit(PERCH_DEADLOCK_STATUS);
}

static void look_later(unsigned doublings)
{
	reporter.look_at = clock_ns() + ((uint64_t)CONFIRM_NS << doublings);
}

/* The first look: worth watching? Or a later one: is it a deadlock? */
static void look(bool first)
{
	struct text t = {0};
	uint64_t moved, waiting;
	enum deadlock found = DEADLOCK_NO;
	bool still, report = false;

	/* what is told from here on is worth another look */
	__atomic_store_n(&reporter.asleep, 0, __ATOMIC_SEQ_CST);
	if (!dump_begin()) {
		reporter.looking = false;
		return;
	}
	found = deadlock_look(&moved, &waiting);
	still = !first && moved == reporter.moved;
	reporter.moved = moved;
	if (found == DEADLOCK_NO || (reporter.reported && moved == reporter.reported_moved)) {
		reporter.looking = false;
	} else if (!still) {
		reporter.looking = true;
		reporter.looks = 0;
		look_later(0);
	} else if (found == DEADLOCK_UNSURE && !reporter.insists) {
		reporter.looking = ++reporter.looks < LOOKS_MOST;
		look_later(reporter.looks);
	} else {
		text_put(&t, "perch: deadlock: %llu thread%s and nothing can wake %s\n", (unsigned long long)waiting,
			 waiting > 1 ? "s wait" : " waits", waiting > 1 ? "them" : "it");
		dump_put(&t);
		reporter.looking = false;
		reporter.reported = true;
		reporter.reported_moved = moved;
		report = true;
	}
	dump_end();
	if (report) {
		text_write(&t, STDERR_FILENO);
		text_free(&t);
		act();
	}
}

static void *reporter_main(void *arg)
{
	(void)arg;
	is_reporter = true;
	/* it wakes somebody only when a deadlock has been reported */
	foreign_set_waker(false);
	pthread_setname_np(pthread_self(), "perch-reporter");
	for (;;) {
		uint32_t news = listen();

		if (news & TOLD_QUIT)
			return NULL;
		if (news & TOLD_DUMP)
			dump_to_stderr();
		if (news & TOLD_ASLEEP && !reporter.looking)
			look(true);
		else if (reporter.looking && clock_ns() >= reporter.look_at)
			look(false);
	}
}

/* ---- SIGQUIT ---- */

static bool ignored_from_outside;

/* A shell script starts what it puts into the background with SIGQUIT ignored: a batch job,
 * which wants a dump most. What is ignored before main() was not the program's doing. */
static __attribute__((constructor)) void look_at_signal(void)
{
	struct sigaction a;

	ignored_from_outside = !sigaction(SIGQUIT, NULL, &a) && !(a.sa_flags & SA_SIGINFO) && a.sa_handler == SIG_IGN;
}

static void take_signal(void)
{
	struct sigaction a = {.sa_handler = on_quit, .sa_flags = SA_RESTART | SA_ONSTACK};

	if (sigaction(SIGQUIT, NULL, &reporter.before) || reporter.before.sa_flags & SA_SIGINFO)
		return;
	if (reporter.before.sa_handler != SIG_DFL && !(reporter.before.sa_handler == SIG_IGN && ignored_from_outside))
		return;
	sigemptyset(&a.sa_mask);
	reporter.quits = !sigaction(SIGQUIT, &a, NULL);
}

static void give_signal_back(void)
{
	struct sigaction now;

	/* somebody may have put a handler over ours meanwhile: leave theirs */
	if (reporter.quits && !sigaction(SIGQUIT, NULL, &now) && now.sa_handler == on_quit)
		sigaction(SIGQUIT, &reporter.before, NULL);
	reporter.quits = false;
}

/* ---- start and stop ---- */

int reporter_start(const struct perch_config *config)
{
	bool wants_signal = config->sigquit != PERCH_SIGQUIT_OFF;
	int r;

	memset(&reporter, 0, sizeof(reporter));
	reporter.watches = config->deadlock != PERCH_DEADLOCK_OFF;
	reporter.insists = config->deadlock == PERCH_DEADLOCK_REPORT;
	if (wants_signal)
		take_signal();
	if (reporter.quits || reporter.watches) {
		r = task_start(&reporter.pthread, -1, STACK, reporter_main, NULL);
		if (r) {
			fprintf(stderr, "perch: no pthread for reports: error %d\n", -r);
			give_signal_back();
			return r;
		}
		reporter.running = true;
	}
	dump_allow(true);
	if (reporter.watches)
		__atomic_store_n(&idle_asleep, on_asleep, __ATOMIC_RELEASE);
	return 0;
}

void reporter_stop(void)
{
	__atomic_store_n(&idle_asleep, NULL, __ATOMIC_RELEASE);
	give_signal_back();
	dump_allow(false);
	if (!reporter.running)
		return;
	tell(TOLD_QUIT);
	pthread_join(reporter.pthread, NULL);
	reporter.running = false;
}

void reporter_forked(void)
{
	__atomic_store_n(&idle_asleep, NULL, __ATOMIC_RELEASE);
	give_signal_back();
}

/* ---- the calls ---- */

int perch_deadlock_handler(void (*fn)(void *), void *arg)
{
	pthread_mutex_lock(&handler.lock);
	handler.fn = fn;
	handler.arg = arg;
	pthread_mutex_unlock(&handler.lock);
	return 0;
}

int perch_waker_register(void)
{
	return worker_self() ? -EPERM : foreign_set_waker(true);
}

int perch_waker_unregister(void)
{
	return worker_self() ? -EPERM : foreign_set_waker(false);
}
