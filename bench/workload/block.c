/* SPDX-License-Identifier: MIT */
/* block.c - threads that keep a CPU from the others, and what the others get. */
#include "bench/workload/block.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/workload/measure.h"
#include "bench/workload/random.h"

/* ---- computing ---- */

/* Knuth's, of MMIX. */
#define FACTOR UINT64_C(6364136223846793005)
#define ADDEND UINT64_C(1442695040888963407)

__attribute__((noinline)) uint64_t step(uint64_t x)
{
	return x * FACTOR + ADDEND;
}

__attribute__((noinline)) uint64_t steps(uint64_t x, uint64_t n)
{
	while (n--)
		x = x * FACTOR + ADDEND;
	return x;
}

/* In as many multiplications as n has bits: n steps are one, with other constants. */
static uint64_t steps_lead_to(uint64_t x, uint64_t n)
{
	uint64_t factor = FACTOR, addend = ADDEND;

	for (; n; n >>= 1) {
		if (n & 1)
			x = x * factor + addend;
		addend += addend * factor;
		factor *= factor;
	}
	return x;
}

void stepper_run(struct stepper *s, int (*yield)(void))
{
	for (size_t i = 0; i < s->turns; i++) {
		s->x = steps(s->x, STEPS_A_TURN);
		yield();
	}
}

/* ---- call ---- */

void calls_plain(struct calls *c)
{
	uint64_t start = now_ns(), x = c->x;

	for (size_t i = 0; i < c->n; i++)
		x = step(x);
	c->x = x;
	c->ns = now_ns() - start;
}

struct calls_run {
	struct measurement *m;
	struct calls calls, plain;
	int r;
};

static void call_once(void *arg)
{
	struct calls_run *run = arg;
	struct calls warm = {.n = run->calls.n / 10 + 1, .x = 1};

	run->r = run->m->backend->calls(&warm);
	if (!run->r)
		run->r = run->m->backend->calls(&run->calls);
	calls_plain(&run->plain);
}

static int measure_calls(struct measurement *m)
{
	struct calls_run run = {.m = m, .calls = {.n = m->n, .x = 1}, .plain = {.n = m->n, .x = 1}};
	double each, plain;
	int r;

	if (!m->backend->calls)
		return -ENOTSUP;
	r = measure_inside(m, call_once, &run, &run.r);
	if (r)
		return r;
	params_add(m, "n=%zu", m->n);
	if (run.calls.x != steps_lead_to(1, m->n) || run.plain.x != run.calls.x)
		measure_wrong(m, "%zu calls did not come to what they should", m->n);
	each = (double)run.calls.ns / (double)m->n;
	plain = (double)run.plain.ns / (double)m->n;
	measure_emit(m, "ns_per_call", "ns", "lower", each);
	if (run.calls.marked)
		measure_emit(m, "ns_of_marks", "ns", "lower", each > plain ? each - plain : 0);
	return 0;
}

/* ---- handoff ---- */

void baton_pause(struct baton *b, int (*yield)(void))
{
	uint64_t end = now_ns() + random_next(&b->random) % BATON_PAUSE_NS;

	do {
		steps(1, STEPS_A_TURN / 16);
		if (yield)
			yield();
	} while (now_ns() < end);
}

void baton_block(struct baton *b, size_t i, void (*begin)(void), void (*end)(void))
{
	unsigned char byte = 0;
	ssize_t got;

	b->cpu = sched_getcpu();
	b->since = now_ns();
	__atomic_store_n(&b->round, i + 1, __ATOMIC_RELEASE);
	if (begin)
		begin();
	got = read(b->pipe[0], &byte, 1);
	if (end)
		end();
	b->right += got == 1 && byte == (unsigned char)(i + 1) && b->together;
}

void baton_take(struct baton *b, size_t i, int (*yield)(void))
{
	unsigned char byte = (unsigned char)(i + 1);

	while (__atomic_load_n(&b->round, __ATOMIC_ACQUIRE) <= i)
		yield();
	b->ns[i] = now_ns() - b->since;
	b->together = sched_getcpu() == b->cpu;
	if (write(b->pipe[1], &byte, 1) != 1)
		exit(3); /* the other waits for it for ever */
}

struct baton_run {
	struct measurement *m;
	struct baton b;
	int r;
};

static void baton_once(void *arg)
{
	struct baton_run *run = arg;

	run->r = run->m->backend->baton(&run->b);
}

static int measure_batons(struct measurement *m)
{
	struct baton_run run = {.m = m, .b = {.n = m->n, .random = 1}};
	struct baton *b = &run.b;
	int r;

	if (!m->backend->baton)
		return -ENOTSUP;
	b->marked = !strcmp(m->bench_case->name, "handoff-marked");
	b->ns = calloc(m->n, sizeof(*b->ns));
	if (!b->ns || pipe2(b->pipe, O_CLOEXEC)) {
		r = b->ns ? -errno : -ENOMEM;
		free(b->ns);
		return r;
	}
	r = measure_inside(m, baton_once, &run, &run.r);
	if (!r) {
		params_add(m, "n=%zu pause=0-10ms", m->n);
		qsort(b->ns, m->n, sizeof(*b->ns), compare_unsigned);
		if (b->right != m->n || !b->ns[0])
			measure_wrong(m, "in %zu of %zu rounds the two met as they should", b->right, m->n);
		measure_emit(m, "p50_handoff_us", "us", "lower", (double)b->ns[percentile(m->n, 50)] / 1e3);
		measure_emit(m, "p99_handoff_us", "us", "lower", (double)b->ns[percentile(m->n, 99)] / 1e3);
	}
	close(b->pipe[0]);
	close(b->pipe[1]);
	free(b->ns);
	return r;
}

/* ---- readers, loops ---- */

void reader_read(struct reader *r, void (*begin)(void), void (*end)(void))
{
	unsigned char byte = 0;
	ssize_t got;

	__atomic_add_fetch(&r->beside->entered, 1, __ATOMIC_RELAXED);
	if (begin)
		begin();
	got = read(r->pipe[0], &byte, 1);
	if (end)
		end();
	__atomic_add_fetch(&r->beside->returned, 1, __ATOMIC_RELAXED);
	r->right = got == 1 && byte == r->byte;
}

void readers_release(struct beside *b)
{
	for (size_t i = 0; i < b->readers; i++)
		if (write(b->reader[i].pipe[1], &b->reader[i].byte, 1) != 1)
			exit(3); /* its reader waits for it for ever */
}

#define LOOP_TURN_NS UINT64_C(2000000000)

void *loop_main(void *arg)
{
	struct loop *l = arg;

	l->cpu = sched_getcpu();
	while (!__atomic_load_n(l->over, __ATOMIC_RELAXED))
		__atomic_store_n(&l->turns, l->turns + 1, __ATOMIC_RELEASE);
	return NULL;
}

uint64_t loop_turns(const struct loop *l)
{
	return __atomic_load_n(&l->turns, __ATOMIC_ACQUIRE);
}

/* On a busy machine the steppers may have ended before it got its share. */
static bool loop_goes_on(const struct loop *l)
{
	uint64_t end = now_ns() + LOOP_TURN_NS;

	while (loop_turns(l) == l->before && now_ns() < end)
		pause_ns(LOOP_TURN_NS / 1000);
	return loop_turns(l) != l->before;
}

void beside_begin(struct beside *b)
{
	for (size_t i = 0; i < b->loops; i++)
		b->loop[i].before = loop_turns(&b->loop[i]);
	b->ns = now_ns();
}

void beside_end(struct beside *b)
{
	b->ns = now_ns() - b->ns;
	b->early = __atomic_load_n(&b->returned, __ATOMIC_RELAXED);
	b->blocked = __atomic_load_n(&b->entered, __ATOMIC_RELAXED) - b->early;
	for (size_t i = 0; i < b->loops; i++)
		b->went_on += loop_goes_on(&b->loop[i]);
}

struct beside_run {
	struct measurement *m;
	size_t turns; /* of each stepper */
	struct beside alone, beside;
	int r;
};

static void steppers_set(struct beside *b, size_t turns)
{
	for (size_t i = 0; i < b->steppers; i++)
		b->stepper[i] = (struct stepper){.x = i, .turns = turns};
}

static void steppers_check(struct measurement *m, const struct beside *b)
{
	for (size_t i = 0; i < b->steppers; i++)
		if (b->stepper[i].x != steps_lead_to(i, b->stepper[i].turns * STEPS_A_TURN)) {
			measure_wrong(m, "thread %zu of those that compute did not come to what it should", i);
			return;
		}
}

static void beside_once(void *arg)
{
	struct beside_run *run = arg;

	steppers_set(&run->alone, run->turns);
	run->r = run->m->backend->beside(&run->alone);
	steppers_check(run->m, &run->alone);
	if (run->r)
		return;
	steppers_set(&run->beside, run->turns);
	run->r = run->m->backend->beside(&run->beside);
	steppers_check(run->m, &run->beside);
}

static int run_beside(struct beside_run *run, size_t steppers)
{
	struct stepper *stepper = calloc(steppers, sizeof(*stepper));
	int r;

	if (!stepper)
		return -ENOMEM;
	run->alone.steppers = run->beside.steppers = steppers;
	run->alone.stepper = run->beside.stepper = stepper;
	r = measure_inside(run->m, beside_once, run, &run->r);
	free(stepper);
	return r;
}

/* As many as there are descriptors for, but for some that the backend may need. */
#define DESCRIPTORS_LEFT 64

static size_t pipes_open(struct reader *reader, size_t asked)
{
	struct rlimit limit;
	size_t made = 0, want = 2 * asked + DESCRIPTORS_LEFT;

	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < want) {
		limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
		setrlimit(RLIMIT_NOFILE, &limit);
		if (limit.rlim_cur < want)
			asked = limit.rlim_cur > DESCRIPTORS_LEFT ? (limit.rlim_cur - DESCRIPTORS_LEFT) / 2 : 0;
	}
	while (made < asked && !pipe2(reader[made].pipe, O_CLOEXEC)) {
		reader[made].byte = (unsigned char)(made + 1);
		made++;
	}
	return made;
}

#define READERS_STEPPERS 100
static const size_t readers_turns[SIZES] = {10, 256, 1024};

static int measure_readers(struct measurement *m)
{
	struct beside_run run = {.m = m, .turns = readers_turns[m->bench_case->size]};
	struct beside *b = &run.beside;
	int r;

	if (!m->backend->beside)
		return -ENOTSUP;
	b->marked = !strcmp(m->bench_case->name, "readers-marked");
	b->reader = calloc(m->n, sizeof(*b->reader));
	if (!b->reader)
		return -ENOMEM;
	b->readers = pipes_open(b->reader, m->n);
	for (size_t i = 0; i < b->readers; i++)
		b->reader[i].beside = b;
	params_add(m, "readers=%zu computing=%d steps=%zu", b->readers, READERS_STEPPERS, run.turns * STEPS_A_TURN);
	if (b->readers < m->n)
		params_add(m, "asked=%zu", m->n);
	r = run_beside(&run, READERS_STEPPERS);
	for (size_t i = 0; i < b->readers; i++) {
		b->right += b->reader[i].right;
		close(b->reader[i].pipe[0]);
		close(b->reader[i].pipe[1]);
	}
	if (!r) {
		if (!b->readers || b->right != b->readers || b->early)
			measure_wrong(m, "%zu of %zu read what was for them, %zu before it was written", b->right,
				      b->readers, b->early);
		measure_emit(m, "ms_beside", "ms", "lower", (double)b->ns / 1e6);
		measure_emit(m, "x_alone", "x", "lower", (double)b->ns / (double)run.alone.ns);
		measure_emit(m, "blocked", "1", "higher", (double)b->blocked);
	}
	free(b->reader);
	return r;
}

#define LOOPS_STEPPERS 8

/* One on each processor. */
static size_t loops_for(unsigned workers)
{
	cpu_set_t set;
	size_t cpus = sched_getaffinity(0, sizeof(set), &set) ? 1 : (size_t)CPU_COUNT(&set);

	return workers < cpus ? workers : cpus;
}

static int measure_loops(struct measurement *m)
{
	struct beside_run run = {.m = m, .turns = m->n};
	struct beside *b = &run.beside;
	int r;

	if (!m->backend->beside)
		return -ENOTSUP;
	b->loops = loops_for(m->workers);
	b->loop = calloc(b->loops, sizeof(*b->loop));
	if (!b->loop)
		return -ENOMEM;
	for (size_t i = 0; i < b->loops; i++)
		b->loop[i].over = &b->over;
	params_add(m, "loops=%zu computing=%d steps=%zu", b->loops, LOOPS_STEPPERS, run.turns * STEPS_A_TURN);
	r = run_beside(&run, LOOPS_STEPPERS);
	if (!r) {
		if (b->went_on != b->loops)
			measure_wrong(m, "%zu of %zu loops went on beside the others", b->went_on, b->loops);
		measure_emit(m, "ms_beside", "ms", "lower", (double)b->ns / 1e6);
		measure_emit(m, "percent_share", "%", "higher", 100 * (double)run.alone.ns / (double)b->ns);
	}
	free(b->loop);
	return r;
}

int measure_block(struct measurement *m)
{
	const char *name = m->bench_case->name;

	if (!strcmp(name, "call"))
		return measure_calls(m);
	if (!strncmp(name, "handoff", 7))
		return measure_batons(m);
	return strcmp(name, "loops") != 0 ? measure_readers(m) : measure_loops(m);
}
