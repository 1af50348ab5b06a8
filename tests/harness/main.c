/* SPDX-License-Identifier: MIT */
/* main.c - the command line of every test program, and its KTAP. */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/harness/helpers.h"
#include "tests/harness/internal.h"

enum { EXIT_ALL_PASSED = 0, EXIT_SOME_FAILED = 1, EXIT_USAGE = 2, EXIT_ALL_SKIPPED = 4 };

#define MAX_GLOBS 64

static const char *globs[MAX_GLOBS];
static unsigned glob_count;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define BUILD_FACTOR 4.0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define BUILD_FACTOR 4.0
#endif
#endif
#ifndef BUILD_FACTOR
#define BUILD_FACTOR 1.0
#endif

static void usage(FILE *to, const char *program)
{
	fprintf(to,
		"usage: %s [-l] [-t GLOB]... [-T FACTOR] [-h]\n"
		"  -l         list the tests\n"
		"  -t GLOB    run only tests whose name, [fixture.[variant.]]test, matches; may be repeated\n"
		"  -T FACTOR  stretch all time-outs (or PERCH_TEST_TIMEOUT_FACTOR)\n"
		"status: 0 all passed, 1 some failed, 2 bad usage or nothing selected, 4 all skipped\n"
		"environment: PERCH_TEST_SEED, PERCH_TEST_SECCOMP=membarrier, PERCH_STRESS_SECONDS,\n"
		"  PERCH_TEST_ON_TIMEOUT='COMMAND with $1 for the process'\n",
		program);
}

static bool selected(const char *name)
{
	if (!glob_count)
		return true;
	for (unsigned i = 0; i < glob_count; i++)
		if (!fnmatch(globs[i], name, 0))
			return true;
	return false;
}

/* The next case behind *c, in order; false when there is none. */
static bool next_case(struct harness_case *c)
{
	const struct harness_variant *v = NULL;

	if (c->variant)
		v = harness_next_variant(c->test->fixture, c->variant);
	if (!v) {
		c->test = c->test ? c->test->next : harness_tests;
		if (!c->test)
			return false;
		c->fixture = NULL;
		if (c->test->fixture) {
			c->fixture = harness_find_fixture(c->test->fixture);
			if (!c->fixture) {
				fprintf(stderr, "harness: fixture '%s' has no FIXTURE_SETUP\n", c->test->fixture);
				exit(EXIT_USAGE);
			}
			v = harness_next_variant(c->test->fixture, NULL);
		}
	}
	c->variant = v;
	if (v)
		snprintf(c->name, sizeof(c->name), "%s.%s.%s", c->fixture->name, v->name, c->test->name);
	else if (c->fixture)
		snprintf(c->name, sizeof(c->name), "%s.%s", c->fixture->name, c->test->name);
	else
		snprintf(c->name, sizeof(c->name), "%s", c->test->name);
	return true;
}

static unsigned count_selected(bool list)
{
	struct harness_case c = {0};
	unsigned n = 0;

	while (next_case(&c)) {
		if (!selected(c.name))
			continue;
		n++;
		if (list)
			puts(c.name);
	}
	return n;
}

static int run_all(unsigned planned, double factor)
{
	unsigned n = 0, count[3] = {0, 0, 0};
	struct harness_case c = {0};

	printf("KTAP version 1\n1..%u\n", planned);
	while (next_case(&c)) {
		enum harness_outcome o;

		if (!selected(c.name))
			continue;
		fflush(stdout);
		o = harness_run_case(&c, factor);
		count[o]++;
		printf("%s %u %s", o == HARNESS_FAILED ? "not ok" : "ok", ++n, c.name);
		if (o == HARNESS_SKIPPED)
			printf(" # SKIP %s", harness_report->reason);
		printf("\n");
	}
	printf("# Totals: pass:%u fail:%u xfail:0 xpass:0 skip:%u error:0\n", count[HARNESS_PASSED],
	       count[HARNESS_FAILED], count[HARNESS_SKIPPED]);
	fflush(stdout);
	if (count[HARNESS_FAILED])
		return EXIT_SOME_FAILED;
	/* Bazel knows no skipped tests, and takes every status but 0 for a failure. */
	return count[HARNESS_PASSED] || getenv("TEST_SRCDIR") ? EXIT_ALL_PASSED : EXIT_ALL_SKIPPED;
}

static double parse_factor(const char *text, const char *from)
{
	char *end;
	double f = strtod(text, &end);

	if (end == text || *end || !(f > 0) || f > 1e4) {
		fprintf(stderr, "%s: '%s' is not a factor between 0 and 10000\n", from, text);
		exit(EXIT_USAGE);
	}
	return f;
}

int main(int argc, char **argv)
{
	const char *factor_text = getenv("PERCH_TEST_TIMEOUT_FACTOR");
	const char *bazel_filter = getenv("TESTBRIDGE_TEST_ONLY");
	double factor = 1;
	bool list = false;
	unsigned n;
	int opt;

	if (factor_text && *factor_text)
		factor = parse_factor(factor_text, "PERCH_TEST_TIMEOUT_FACTOR");
	while ((opt = getopt(argc, argv, "lt:T:h")) != -1) {
		switch (opt) {
		case 'l':
			list = true;
			break;
		case 't':
			if (glob_count == MAX_GLOBS) {
				fprintf(stderr, "%s: more than %d -t\n", argv[0], MAX_GLOBS);
				return EXIT_USAGE;
			}
			globs[glob_count++] = optarg;
			break;
		case 'T':
			factor = parse_factor(optarg, "-T");
			break;
		case 'h':
			usage(stdout, argv[0]);
			return 0;
		default:
			usage(stderr, argv[0]);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "%s: unexpected '%s'\n", argv[0], argv[optind]);
		usage(stderr, argv[0]);
		return EXIT_USAGE;
	}
	if (!glob_count && bazel_filter && *bazel_filter)
		globs[glob_count++] = bazel_filter;
	n = count_selected(list);
	if (list)
		return 0;
	if (!n) {
		fprintf(stderr, "%s: no test is selected%s%s\n", argv[0], glob_count ? " by " : "",
			glob_count ? globs[0] : "");
		return EXIT_USAGE;
	}
	harness_report = mmap(NULL, sizeof(*harness_report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (harness_report == MAP_FAILED) {
		fprintf(stderr, "%s: mmap: %s\n", argv[0], strerror(errno));
		return EXIT_SOME_FAILED;
	}
	harness_seed();
	return run_all(n, factor * BUILD_FACTOR);
}
