/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "bench/workload/measure.h"

static void flat_once(void *arg)
{
	struct measurement *m = arg;
	size_t right = m->backend->flat(m->n);

	if (right != m->n)
		measure_wrong(m, "%zu of %zu threads gave the right result", right, m->n);
}

int measure_flat(struct measurement *m)
{
	double ns;
	int r;

	if (!m->backend->flat)
		return -ENOTSUP;
	params_add(m, "n=%zu", m->n);
	r = measure_time(m, flat_once, m, &ns);
	if (r)
		return r;
	measure_emit(m, "ns_per_thread", "ns", "lower", ns / (double)m->n);
	measure_emit(m, "mthreads_per_s", "10^6/s", "higher", (double)m->n * 1e3 / ns);
	measure_counters(m);
	return 0;
}
