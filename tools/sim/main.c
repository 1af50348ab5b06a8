/* SPDX-License-Identifier: MIT */
/* main.c - every policy, delay and gate that was asked for, each with every seed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/sim/options.h"
#include "tools/sim/report.h"

struct job {
	struct options options;
	struct machine *machine;
	struct load *load;
	struct sim_result *result;
	unsigned rows;
	bool wrong;
};

/* 0, or -errno after a line on stderr. A wrong result is not an error here: the others still count. */
static int row(struct job *j, enum policy_kind kind, double delay_us, bool gate)
{
	const struct options *o = &j->options;
	struct policy policy;
	struct sim_setup setup = {
		.machine = j->machine,
		.load = j->load,
		.policy = &policy,
		.costs = &o->costs,
		.data = o->data,
		.data_depth = o->data_depth,
		.wake_any = o->wake_any,
		.keep_home = o->keep_home,
	};
	struct report_row r = {
		.options = o,
		.machine = j->machine,
		.load = j->load,
		.policy = kind,
		.gate = gate,
		.result = j->result,
		.results = o->seeds,
	};

	policy_init(&policy, kind);
	if (delay_us >= 0)
		policy_set_delay(&policy, (uint64_t)(delay_us * 1e3));
	policy.no_gate = !gate;
	policy.in_turn = o->in_turn;
	policy.forgets = o->forgets;
	r.delay_us = (double)policy.delay_ns[TIER_FAR] / 1e3;
	for (unsigned i = 0; i < o->seeds; i++) {
		int e;

		setup.seed = j->load->seed = o->seed + i;
		e = load_bounds(j->load, &setup.work, &setup.span);
		if (!e)
			e = sim_run(&setup, &j->result[i]);
		if (e == -EINVAL) {
			j->wrong = true;
			fprintf(stderr, "sim: %s, seed %llu: wrong: %s\n", options_policy_names[kind],
				(unsigned long long)setup.seed, j->result[i].wrong);
		} else if (e) {
			fprintf(stderr, "sim: %s\n", strerror(-e));
			return e;
		}
	}
	if (o->json) {
		report_json(stdout, &r);
	} else {
		if (!j->rows)
			report_head(stdout, &r);
		report_table(stdout, &r);
	}
	if (!j->rows++)
		report_beside(o->json ? stderr : stdout, &r);
	return 0;
}

static int all_rows(struct job *j)
{
	const struct options *o = &j->options;
	int r = 0;

	for (unsigned p = 0; !r && p < o->policies; p++) {
		if (o->policy[p] != POLICY_NEAR_FIRST) {
			r = row(j, o->policy[p], -1, true);
			continue;
		}
		for (int gate = 0; gate < 2; gate++)
			for (unsigned d = 0; !r && o->gate[gate] && d < (o->delays ? o->delays : 1); d++)
				r = row(j, o->policy[p], o->delays ? o->delay_us[d] : -1, !gate);
	}
	return r;
}

static int prepare(struct job *j)
{
	struct options *o = &j->options;
	char message[256];

	j->machine = machine_make(o->machine, o->distances, message, sizeof(message));
	if (!j->machine) {
		fprintf(stderr, "sim: --machine=%.80s: %s\n", o->machine, message);
		return -EINVAL;
	}
	j->load = load_make(o->load, j->machine->cpus, message, sizeof(message));
	if (!j->load) {
		fprintf(stderr, "sim: --load=%.80s: %s\n", o->load, message);
		return -EINVAL;
	}
	if (o->data == DATA_BLOCKS && j->load->kind == LOAD_FIB) {
		fprintf(stderr, "sim: --data=blocks: fib goes through no array\n");
		return -EINVAL;
	}
	if (o->work_ns >= 0)
		j->load->work_ns = o->work_ns;
	j->load->jitter = o->jitter;
	j->result = calloc(o->seeds, sizeof(*j->result));
	return j->result ? 0 : -ENOMEM;
}

int main(int argc, char **argv)
{
	static struct job j;
	int r = options_parse(&j.options, argc, argv);

	if (r)
		return 2;
	if (j.options.help) {
		options_help();
		return 0;
	}
	if (j.options.list_costs) {
		costs_list(&j.options.costs, stdout);
		return 0;
	}
	r = prepare(&j);
	if (r)
		return 2;
	r = all_rows(&j);
	free(j.result);
	load_free(j.load);
	machine_free(j.machine);
	if (ferror(stdout) || fflush(stdout)) {
		fprintf(stderr, "sim: the output could not be written\n");
		return 1;
	}
	return r || j.wrong;
}
