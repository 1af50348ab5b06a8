/* SPDX-License-Identifier: MIT */
/*
 * main.c - the program of each backend: one measurement, as raw JSON on stdout.
 *
 *	bench_NAME --workload=W --size=S --case=C --workers=N [--file=PATH]
 *		[--variant=WORD] [--steal=POLICY] [--tiers] [--cpu-nodes=NODE,NODE,...]
 *
 * Exit status: 0 measured, 1 measured and found wrong, 2 bad arguments, 3 could
 * not be measured. What this backend does not have is {"skipped":"why"} and 0.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/workload/home.h"
#include "bench/workload/measure.h"

static const struct {
	const char *workload;
	int (*measure)(struct measurement *m);
} measures[] = {
	/* clang-format off */
	{"fib", measure_fib},
	{"fib-typed", measure_fib},
	{"nqueens", measure_nqueens},
	{"uts", measure_uts},
	{"sort", measure_sort},
	{"flat", measure_flat},
	{"yield", measure_yield},
	{"burst", measure_burst},
	{"mem", measure_mem},
	{"mutex", measure_mutex},
	{"pingpong", measure_pingpong},
	{"chan", measure_chan},
	{"wake", measure_wake},
	{"select", measure_select},
	{"timers", measure_timers},
	{"echo", measure_echo},
	{"block", measure_block},
	{"triad", measure_triad},
	{"jacobi", measure_jacobi},
	{"placement", measure_placement},
	{"alloc", measure_alloc},
	/* clang-format on */
};

struct arguments {
	const char *workload, *bench_case, *workers, *file, *variant, *steal, *cpu_nodes;
	enum bench_size size;
	bool tiers;
};

static int bad(const char *what, const char *value)
{
	fprintf(stderr, "bench_%s: %s '%s'\n", backend.name, what, value);
	return 2;
}

static int parse(int argc, char **argv, struct arguments *a)
{
	for (int i = 1; i < argc; i++) {
		const char *value = strchr(argv[i], '=');
		size_t length = value ? (size_t)(value - argv[i]) : 0;

		if (value)
			value++;
		if (length == 10 && !strncmp(argv[i], "--workload", length))
			a->workload = value;
		else if (length == 6 && !strncmp(argv[i], "--case", length))
			a->bench_case = value;
		else if (length == 9 && !strncmp(argv[i], "--workers", length))
			a->workers = value;
		else if (length == 6 && !strncmp(argv[i], "--file", length))
			a->file = value;
		else if (length == 9 && !strncmp(argv[i], "--variant", length))
			a->variant = value;
		else if (length == 7 && !strncmp(argv[i], "--steal", length))
			a->steal = value;
		else if (length == 11 && !strncmp(argv[i], "--cpu-nodes", length))
			a->cpu_nodes = value;
		else if (!strcmp(argv[i], "--tiers"))
			a->tiers = true;
		else if (length == 6 && !strncmp(argv[i], "--size", length)) {
			if (size_parse(value, &a->size))
				return bad("no such size", value);
		} else
			return bad("unexpected argument", argv[i]);
	}
	return 0;
}

static int fill(struct measurement *m, const struct arguments *a)
{
	const struct workload_info *info;
	bool slow;
	char *end;
	unsigned long workers = strtoul(a->workers, &end, 10);

	if (!*a->workers || *end || workers < 1 || workers > 4096)
		return bad("--workers must be 1 to 4096, not", a->workers);
	m->bench_case = case_find(a->workload, a->size, a->bench_case);
	if (!m->bench_case)
		return bad("no such workload, or no such case and size of it:", a->workload);
	info = workload_find(a->workload);
	if (workers != 1 && case_one_worker(m->bench_case))
		return bad("with this workload --workers must be 1, not", a->workers);
	m->workers = (unsigned)workers;
	m->file = a->file;
	m->variant = a->variant;
	m->steal = a->steal;
	m->tiers = a->tiers;
	m->cpu_nodes = a->cpu_nodes;
	if (m->variant && !backend.variants)
		return bad("this backend has no --variant, here it is", m->variant);
	if (m->steal && strncmp(backend.name, "perch", 5) != 0)
		return bad("only perch has --steal, here it is", m->steal);
	if (m->cpu_nodes && home_describe(m->cpu_nodes))
		return bad("--cpu-nodes must be a list of numbers, not", m->cpu_nodes);
	slow = info->waits ? backend.slow_waits : backend.slow_tasks;
	m->n = slow && m->bench_case->n_slow ? m->bench_case->n_slow : m->bench_case->n;
	return 0;
}

static int skip(const struct measurement *m)
{
	const char *why = backend.why ? backend.why(m->bench_case->workload, m->bench_case->name) : NULL;

	printf("{\"skipped\":\"%s\"}\n", why ? why : "this backend has no such thing");
	return 0;
}

static int run(struct measurement *m)
{
	int r = backend.start ? backend.start(m) : 0;

	if (r == -ENOTSUP)
		return skip(m);
	if (r) {
		fprintf(stderr, "bench_%s: the runtime does not start with %u workers: %s\n", backend.name, m->workers,
			strerror(-r));
		return 3;
	}
	m->note = backend.note ? backend.note(m->bench_case->workload, m->bench_case->name) : NULL;
	r = -ENOENT;
	for (size_t i = 0; i < sizeof(measures) / sizeof(measures[0]); i++)
		if (!strcmp(measures[i].workload, m->bench_case->workload))
			r = measures[i].measure(m);
	if (backend.stop)
		backend.stop();
	if (r == -ENOTSUP)
		return skip(m);
	if (r)
		return 3;
	return m->verified ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct arguments a = {.workload = "", .bench_case = "", .workers = "1", .size = SIZE_SMALL};
	struct measurement m = {.backend = &backend, .verified = true};
	int r;

	r = parse(argc, argv, &a);
	if (!r)
		r = fill(&m, &a);
	if (!r)
		r = run(&m);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "bench_%s: cannot write the result: %s\n", backend.name, strerror(errno));
		return 3;
	}
	return r;
}
