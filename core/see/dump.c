/* SPDX-License-Identifier: MIT */
#include "core/alloc/cache.h"
#include "core/see/dump.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include <perch/perch.h>

#include "core/sched/clock.h"
#include "core/sched/foreign.h"
#include "core/sched/idle.h"
#include "core/sched/sched.h"
#include "core/see/crowd.h"
#include "core/see/pages.h"
#include "core/see/quiet.h"
#include "core/see/reason.h"
#include "core/see/stats.h"
#include "core/see/symbol.h"

/* No flood: of more groups than this, only the number of threads is said. */
#define GROUPS_SHOWN 200
#define OBJECTS_SHOWN 4
#define FOREIGN_SHOWN 100

void (*dump_describe)(struct text *t, unsigned reason, const void *object);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool up;

bool dump_begin(void)
{
	pthread_mutex_lock(&lock);
	if (up)
		return true;
	pthread_mutex_unlock(&lock);
	return false;
}

void dump_end(void)
{
	pthread_mutex_unlock(&lock);
}

void dump_allow(bool now)
{
	pthread_mutex_lock(&lock);
	up = now;
	pthread_mutex_unlock(&lock);
}

/* ---- processors and workers ---- */

static void put_handle(struct text *t, perch_t handle, const char *name)
{
	text_put(t, "%#llx%s%s%s", (unsigned long long)handle, *name ? " '" : "", name, *name ? "'" : "");
}

static void put_header(struct text *t, uint64_t now)
{
	uint64_t finished = stats_finished(), spawned = stats_spawned();

	text_put(t, "perch " PERCH_VERSION ": process %d, up for ", (int)getpid());
	text_time(t, (now - sched.began_ns) / 1000000u);
	text_put(t, "; %u processors, %u workers; threads: ", perch_procs(), perch_workers());
	text_number(t, spawned);
	text_put(t, " created, ");
	text_number(t, finished);
	text_put(t, " ended\n");
	text_put(t, "topology: %u node%s%s\n", sched.nodes, sched.nodes == 1 ? "" : "s",
		 sched.emulated ? ", emulated" : "");
	text_put(t, "stealing: %s\n", policy_name(sched.policy.kind));
}

static void put_placement(struct text *t)
{
	struct perch_numa_pages pages;
	char line[PAGES_TEXT];

	if (pages_verify(&pages))
		t->error = -ENOMEM;
	else if (pages_tell(&pages, line))
		text_put(t, "placement: %s\n", line);
}

static void put_bytes(struct text *t, size_t bytes)
{
	if (bytes >> 20)
		text_put(t, "%zu MiB", bytes >> 20);
	else
		text_put(t, "%zu KiB", bytes >> 10);
}

/* Nothing where none was ever made. */
static void put_objects(struct text *t)
{
	struct cache_counts c;

	cache_count(&c);
	if (!c.taken && !c.large)
		return;
	text_put(t, "objects: ");
	put_bytes(t, c.taken);
	text_put(t, " taken, of which ");
	put_bytes(t, c.free);
	text_put(t, " lie in depots; ");
	put_bytes(t, c.returned);
	text_put(t, " given back so far; ");
	text_number(t, c.large);
	text_put(t, " large ones, of ");
	put_bytes(t, c.large_bytes);
	text_put(t, "\n");
}

static void put_processor(struct text *t, unsigned i, uint64_t now)
{
	struct processor *p = sched_set()->processor[i];
	struct percpu *a = processor_area(p);
	uint64_t next = timers_next(&p->timers);

	text_put(t, "processor %u: CPU %d, node %d%s; ring %u shared + %u private, fair queue %u, inbox %s, ", i,
		 p->cpu, p->node, processor_retired(p) ? ", out of use" : "", ring_shared(a), ring_private(a),
		 ring_fair_length(a), processor_inbox_empty(p) ? "empty" : "not empty");
	if (next == CLOCK_NEVER) {
		text_put(t, "no timers\n");
	} else {
		text_put(t, "next timer in ");
		text_time(t, next > now ? (next - now) / 1000000u : 0);
		text_put(t, "\n");
	}
}

static void put_worker(struct text *t, unsigned i)
{
	struct worker *w = &sched.workers[i];
	const struct thread *current = (const struct thread *)quiet_read(&w->current);
	char name[PERCH_NAME_MAX + 1];
	struct thread seen;

	text_put(t, "worker %u: CPU %d, pthread %d, ", i, __atomic_load_n(&w->home, __ATOMIC_RELAXED)->cpu,
		 (int)worker_tid(w));
	if (idle_asleep_one(i)) {
		text_put(t, "asleep");
	} else if (current == &w->base) {
		text_put(t, "searching");
	} else {
		memset(&seen, 0, sizeof(seen));
		quiet_copy(&seen, current, sizeof(seen) / 8);
		crowd_name(current, seen.generation, name);
		text_put(t, "runs %s ", seen.flags & THREAD_CARRIER ? "task" : "thread");
		put_handle(t, (perch_t)seen.generation << THREAD_HANDLE_BITS | (uintptr_t)current, name);
		if (!worker_on_duty(w))
			text_put(t, ", and another schedules here");
	}
	text_put(t, "; ");
	text_number(t, __atomic_load_n(&w->stats.switches, __ATOMIC_RELAXED));
	text_put(t, " switches, ");
	text_number(t, __atomic_load_n(&w->stats.steals, __ATOMIC_RELAXED));
	text_put(t, " steals\n");
}

/* ---- threads ---- */

/* What is waited for: in join it is a thread. */
static void put_object(struct text *t, unsigned reason, const void *object)
{
	uintptr_t at = (uintptr_t)object - (uintptr_t)thread_range;

	if (reason_has_fd(reason)) {
		text_put(t, "descriptor %d", (int)(intptr_t)object);
	} else if (reason == PARK_JOIN && at < __atomic_load_n(&thread_range_used, __ATOMIC_RELAXED)) {
		struct thread seen = {0};
		char name[PERCH_NAME_MAX + 1];

		quiet_copy(&seen, object, sizeof(seen) / 8);
		crowd_name(object, seen.generation, name);
		text_put(t, "thread ");
		put_handle(t, (perch_t)seen.generation << THREAD_HANDLE_BITS | (uintptr_t)object, name);
	} else {
		text_put(t, "%#lx", (unsigned long)(uintptr_t)object);
	}
	if (dump_describe)
		dump_describe(t, reason, object);
}

static void put_age(struct text *t, uint32_t since, uint32_t now_ms)
{
	text_time(t, now_ms > since ? now_ms - since : 0);
}

static void put_wait(struct text *t, const struct crowd_group *x, uint32_t now_ms)
{
	text_put(t, " in %s, ", reason_name(x->reason));
	put_age(t, x->since_last, now_ms);
	if (x->since_first != x->since_last) {
		text_put(t, " to ");
		put_age(t, x->since_first, now_ms);
	}
	if (x->objects > CROWD_OBJECTS)
		text_put(t, ", at more than %d objects: ", CROWD_OBJECTS);
	else if (x->objects > 1)
		text_put(t, ", at %u objects: ", x->objects);
	else
		text_put(t, ", at ");
	for (uint32_t i = 0; i < x->objects && i < OBJECTS_SHOWN; i++) {
		text_put(t, "%s", i ? ", " : "");
		put_object(t, x->reason, x->object[i]);
	}
	if (x->objects > OBJECTS_SHOWN)
		text_put(t, " ...");
}

static const char *const doing[CROWD_STATES][2] = {
	[CROWD_WAITS] = {" waits", " wait"},
	[CROWD_READY] = {" is ready to run", " are ready to run"},
	[CROWD_RUNS] = {" runs", " run"},
	[CROWD_LENT] = {" waits in join, of a thread that has its stack",
			" wait in join, of threads that have their stacks"},
	[CROWD_NEW] = {" has not started", " have not started"},
	[CROWD_ENDED] = {" has ended, and was not joined", " have ended, and were not joined"},
};

static void put_group(struct text *t, struct symbols *symbols, const struct crowd_group *x, uint32_t now_ms)
{
	text_put(t, "\n");
	text_number(t, x->count);
	text_put(t, "%s%s", x->task ? " task" : " thread", x->count > 1 ? "s" : "");
	text_put(t, "%s", doing[x->state][x->count > 1]);
	if (x->state == CROWD_WAITS)
		put_wait(t, x, now_ms);
	if (x->state != CROWD_ENDED) {
		text_put(t, "; stack%s of ", x->count > 1 ? "s" : "");
		put_bytes(t, x->stack_least);
		if (x->stack_most != x->stack_least) {
			text_put(t, " to ");
			put_bytes(t, x->stack_most);
		}
	}
	text_put(t, "\n   ");
	for (uint32_t i = 0; i < x->names; i++) {
		text_put(t, "%s ", i ? "," : "");
		put_handle(t, x->name[i].handle, x->name[i].name);
	}
	if (x->count > x->names)
		text_put(t, " and others");
	text_put(t, "\n");
	for (uint32_t i = 0; i < x->frames; i++) {
		text_put(t, "    #%-2u ", i);
		symbols_put(symbols, t, x->pc[i], i > 0);
		text_put(t, "\n");
	}
	if (x->deeper)
		text_put(t, "    ... (only %d frames are shown)\n", CROWD_FRAMES);
	if (x->moved)
		text_put(t, "    no backtrace: went on while it was looked at\n");
}

static void put_threads(struct text *t, uint32_t now_ms)
{
	static const char *const what[CROWD_STATES] = {
		"wait", "ready", "run", "in join, stack lent", "not started", "ended, not joined",
	};
	struct symbols *symbols = symbols_new();
	uint64_t left_out = 0;
	struct crowd c;
	int r = crowd_gather(&c);

	if (r || !symbols) {
		t->error = -ENOMEM;
		goto out;
	}
	text_put(t, "threads:");
	for (int i = 0; i < CROWD_STATES; i++) {
		if (i && i != CROWD_RUNS && i != CROWD_READY && !c.count[i])
			continue;
		text_put(t, "%s ", i ? "," : "");
		text_number(t, c.count[i]);
		text_put(t, " %s", what[i]);
	}
	text_put(t, "\n");
	for (size_t i = 0; i < c.groups; i++) {
		if (i < GROUPS_SHOWN)
			put_group(t, symbols, c.group[i], now_ms);
		else
			left_out += c.group[i]->count;
	}
	if (left_out || c.not_grouped) {
		text_put(t, "\nand ");
		text_number(t, left_out + c.not_grouped);
		text_put(t, " more, which differ from all of these\n");
	}
out:
	if (!r)
		crowd_free(&c);
	symbols_free(symbols);
}

/* ---- pthreads that wait in perch ---- */

struct strangers {
	struct text *text;
	uint32_t now_ms;
	unsigned count;
};

static void put_foreign(const struct foreign *f, void *arg)
{
	struct strangers *s = arg;
	struct thread seen = {0};

	quiet_copy(&seen, &f->thread, sizeof(seen) / 8);
	if (!seen.reason || s->count++ >= FOREIGN_SHOWN)
		return;
	text_put(s->text, "\npthread %d, which is no worker, waits in %s, ", (int)f->tid, reason_name(seen.reason));
	put_age(s->text, seen.since, s->now_ms);
	text_put(s->text, ", at ");
	put_object(s->text, seen.reason, seen.wait_for);
	text_put(s->text, "\n");
}

static void put_foreigners(struct text *t, uint32_t now_ms)
{
	struct strangers s = {t, now_ms, 0};

	foreign_each(put_foreign, &s);
	if (s.count > FOREIGN_SHOWN)
		text_put(t, "\nand %u pthreads more\n", s.count - FOREIGN_SHOWN);
}

void dump_put(struct text *t)
{
	uint64_t now = clock_ns();
	unsigned spares = 0;

	put_header(t, now);
	put_placement(t);
	put_objects(t);
	for (unsigned i = 0; i < sched_set()->count; i++)
		put_processor(t, i, now);
	for (unsigned i = 0; i < spill_queues(); i++)
		if (spill_length(i) || !i)
			text_put(t, "overflow queue of node %u: %llu\n", i, (unsigned long long)spill_length(i));
	for (unsigned i = 0; i < sched_workers(); i++) {
		/* of those that do nothing, only how many there are */
		if (worker_duty(&sched.workers[i]) == DUTY_SPARE)
			spares++;
		else
			put_worker(t, i);
	}
	if (spares)
		text_put(t, "spare workers, asleep: %u\n", spares);
	put_threads(t, sched_age_ms(now));
	put_foreigners(t, sched_age_ms(now));
	text_put(t, "\n");
}

int perch_dump(int fd)
{
	struct text t = {0};
	int saved = errno, r = sched_check();

	if (r)
		return r;
	if (dump_begin()) {
		dump_put(&t);
		dump_end();
		r = text_write(&t, fd);
	} else {
		r = -EINVAL;
	}
	text_free(&t);
	errno = saved;
	return r;
}
