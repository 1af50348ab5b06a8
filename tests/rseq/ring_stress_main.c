/* SPDX-License-Identifier: MIT */
/* ring_stress_main.c - the stress test by hand: its long form, and its seeds. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/rseq/ring_stress.h"

static int usage(FILE *to)
{
	fputs("usage: ring_stress [OPTION]...\n"
	      "Every operation of the run queues, at random, from 2 to 4 workers on each CPU;\n"
	      "each item must come out exactly once, and in order where order is promised.\n"
	      "  --seconds=S          stop after S seconds (default 5, or without limit beside --operations)\n"
	      "  --operations=N       stop after N operations; the long form is --operations=1000000000\n"
	      "  --workers-per-cpu=N  1 to 4; default: 2 to 4, another number each round\n"
	      "  --migrate            half of the workers are moved between CPUs all the time\n"
	      "  --signals=HZ         fastest timer signals to each worker (default 20000; 0: none)\n"
	      "  --no-flap            do not take processors away and put them back\n"
	      "  --round=S            account for everything every S seconds (default 0.5)\n"
	      "  --seed=N             of the random choices (default 1)\n"
	      "status: 0 right, 1 something was lost, doubled or out of order, 2 it could not run\n",
	      to);
	return to == stderr ? 2 : 0;
}

static double number(const char *text, const char *option, double least, double most)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !(v >= least && v <= most)) {
		fprintf(stderr, "ring_stress: --%s=%s: not a number from %g to %g\n", option, text, least, most);
		exit(2);
	}
	return v;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"seconds", required_argument, NULL, 's'},
		{"operations", required_argument, NULL, 'n'},
		{"workers-per-cpu", required_argument, NULL, 'w'},
		{"migrate", no_argument, NULL, 'm'},
		{"signals", required_argument, NULL, 'z'},
		{"no-flap", no_argument, NULL, 'f'},
		{"round", required_argument, NULL, 'r'},
		{"seed", required_argument, NULL, 'e'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct stress_options o = STRESS_OPTIONS_INIT;
	double seconds = 0;
	int c, r;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			seconds = number(optarg, "seconds", 0.1, 1e6);
			break;
		case 'n':
			o.operations = (uint64_t)number(optarg, "operations", 1, 1e15);
			break;
		case 'w':
			o.per_cpu = (unsigned)number(optarg, "workers-per-cpu", 1, 4);
			break;
		case 'm':
			o.migrate = true;
			break;
		case 'z':
			o.signal_hz = (unsigned)number(optarg, "signals", 0, 100000);
			break;
		case 'f':
			o.flap = false;
			break;
		case 'r':
			o.round_seconds = number(optarg, "round", 0.01, 3600);
			break;
		case 'e':
			o.seed = (uint64_t)number(optarg, "seed", 0, 1e15);
			break;
		case 'h':
			return usage(stdout);
		default:
			return usage(stderr);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "ring_stress: what is '%s'?\n", argv[optind]);
		return usage(stderr);
	}
	if (seconds > 0)
		o.seconds = seconds;
	else if (o.operations)
		o.seconds = 1e6;
	r = ring_stress(&o);
	if (r < 0) {
		fprintf(stderr, "ring_stress: could not run: %s\n", strerror(-r));
		return 2;
	}
	puts(r ? "BROKEN" : "OK");
	return r;
}
