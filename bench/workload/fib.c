/* SPDX-License-Identifier: MIT */
/* fib.c - the naive fib(n): nothing but calls, so what is timed is the fork and the join. */
#include "bench/workload/fib.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "bench/workload/measure.h"

/* Neither inlined into itself nor turned into a loop, as the forks that it is
 * compared with cannot be either. */
__attribute__((noinline)) uint64_t fib_walk(int n)
{
	uint64_t a, b;

	if (n < 2)
		return (uint64_t)n;
	a = fib_walk(n - 1);
	b = fib_walk(n - 2);
	__asm__("" : "+r"(b)); /* so the second call is not the last thing done */
	return a + b;
}

struct fib_run {
	struct measurement *m;
	uint64_t (*fib)(int n);
	uint64_t expected;
};

static void fib_once(void *arg)
{
	struct fib_run *run = arg;
	uint64_t got = run->fib((int)run->m->n);

	if (got != run->expected)
		measure_wrong(run->m, "fib(%zu) is %" PRIu64 ", not %" PRIu64, run->m->n, got, run->expected);
}

static uint64_t fib_number(size_t n)
{
	uint64_t a = 0, b = 1;

	while (n--) {
		uint64_t next = a + b;

		a = b;
		b = next;
	}
	return a;
}

int measure_fib(struct measurement *m)
{
	bool typed = !strcmp(m->bench_case->workload, "fib-typed");
	struct fib_run run = {m, typed ? m->backend->fib_typed : m->backend->fib, fib_number(m->n)};
	double forks = (double)fib_number(m->n + 1) - 1; /* calls with n >= 2 */
	double ns;
	int r;

	if (!run.fib)
		return -ENOTSUP;
	params_add(m, "n=%zu forks=%.0f", m->n, forks);
	r = measure_time(m, fib_once, &run, &ns);
	if (r)
		return r;
	measure_emit(m, "ns_per_fork", "ns", "lower", ns / forks);
	measure_emit(m, "mforks_per_s", "10^6/s", "higher", forks * 1e3 / ns);
	measure_counters(m);
	return 0;
}
