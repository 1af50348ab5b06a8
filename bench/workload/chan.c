/* SPDX-License-Identifier: MIT */
/* chan.c - messages through one channel; and through several, selected from. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bench/workload/measure.h"
#include "bench/workload/messages.h"

struct traffic_run {
	int (*carry)(struct traffic *x);
	struct traffic x;
	int r;
};

static void traffic_once(void *arg)
{
	struct traffic_run *run = arg;
	struct traffic warm = run->x;

	warm.each = warm.each / 10 + 1;
	run->r = run->carry(&warm);
	if (!run->r)
		run->r = run->carry(&run->x);
}

static int measure_traffic(struct measurement *m, struct traffic_run *run)
{
	const struct traffic *x = &run->x;
	uint64_t n, sum;
	int r;

	run->x.each = m->n / x->producers;
	n = (uint64_t)x->producers * x->each;
	sum = messages_sum(x->producers, x->each);
	params_add(m, "n=%" PRIu64 " producers=%zu consumers=%zu capacity=%zu", n, x->producers, x->consumers,
		   x->capacity);
	r = measure_inside(m, traffic_once, run, &run->r);
	if (r)
		return r;
	if (x->count != n)
		measure_wrong(m, "%" PRIu64 " messages arrived, not %" PRIu64, x->count, n);
	else if (x->sum != sum)
		measure_wrong(m, "the messages are not those that were sent");
	if (x->disordered)
		measure_wrong(m, "messages came out of order, or at another channel");
	measure_emit(m, "ns_per_message", "ns", "lower", (double)x->ns / (double)n);
	return 0;
}

int measure_chan(struct measurement *m)
{
	struct traffic_run run = {.carry = m->backend->chan, .x = {.producers = 1, .consumers = 1}};

	if (!run.carry)
		return -ENOTSUP;
	if (strcmp(m->bench_case->name, "unbuffered") != 0)
		run.x.capacity = 128;
	if (!strcmp(m->bench_case->name, "mpmc-4x4"))
		run.x.producers = run.x.consumers = 4;
	return measure_traffic(m, &run);
}

int measure_select(struct measurement *m)
{
	struct traffic_run run = {.carry = m->backend->select, .x = {.consumers = 1}};

	if (!run.carry)
		return -ENOTSUP;
	run.x.producers = (size_t)atoi(m->bench_case->name);
	return measure_traffic(m, &run);
}
