/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "bench/workload/measure.h"

struct pingpong_run {
	const struct backend *backend;
	struct pingpong p;
	int r;
};

static void pingpong_once(void *arg)
{
	struct pingpong_run *run = arg;
	struct pingpong warm = run->p;

	warm.n = warm.n / 10 + 1;
	run->r = run->backend->pingpong(&warm);
	if (!run->r)
		run->r = run->backend->pingpong(&run->p);
}

int measure_pingpong(struct measurement *m)
{
	struct pingpong_run run = {.backend = m->backend, .p = {.n = m->n, .workers = m->workers}};
	const struct pingpong *p = &run.p;
	int r;

	if (!m->backend->pingpong)
		return -ENOTSUP;
	run.p.cond = !strcmp(m->bench_case->name, "cond");
	params_add(m, "n=%zu", m->n);
	if (m->workers > 1)
		params_add(m, "yielders=2");
	r = measure_inside(m, pingpong_once, &run, &run.r);
	if (r)
		return r;
	if (p->out_of_turn)
		measure_wrong(m, "a token came out of turn");
	if (p->token != 2 * (uint64_t)m->n)
		measure_wrong(m, "handed over %" PRIu64 " times, not %zu", p->token, 2 * m->n);
	if (m->workers > 1 && !p->apart)
		measure_wrong(m, "the two were not on two workers");
	measure_emit(m, "ns_per_round_trip", "ns", "lower", (double)p->ns / (double)m->n);
	return 0;
}
