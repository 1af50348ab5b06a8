/* SPDX-License-Identifier: MIT */
/* perch.c - the command `perch`: what the library sees of a machine. perch(1) is its manual. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "numa/cpuset.h"
#include "numa/described.h"
#include "numa/topology.h"

#define SETTING "PERCH_TOPOLOGY"

enum { FAILED = 1, USAGE = 2 };

static const char help[] = "usage: perch topo [--export]\n"
			   "  topo           the machine as programs that use perch see it: its nodes, their CPUs,\n"
			   "                 memory, and distances; \"emulated\" when " SETTING " describes another\n"
			   "  topo --export  a text for " SETTING ", which stands in for this machine elsewhere\n"
			   "  --help         this\n"
			   "exit status: 0, 1 when the machine cannot be read, 2 when the usage is wrong\n";

static int bad_usage(const char *what, const char *word)
{
	fprintf(stderr, word ? "perch: %s '%s'; see perch --help\n" : "perch: %s; see perch --help\n", what, word);
	return USAGE;
}

/* As perch_start() does it. NULL: a line on stderr has said why. */
static struct topology *read_machine(void)
{
	const char *text = getenv(SETTING);
	struct topology *t;
	struct bitmask *allowed;
	int r = cpuset_allowed(&allowed);

	if (r)
		return NULL;
	t = text && *text ? topology_described(SETTING, text, allowed, &r) : topology_discover(allowed, &r);
	numa_bitmask_free(allowed);
	if (!t && r == -ENOMEM)
		fputs("perch: out of memory\n", stderr);
	return t;
}

static int topo(int argc, char **argv)
{
	void (*show)(const struct topology *t, FILE *out) = topology_print;
	struct topology *t;

	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--help")) {
			fputs(help, stdout);
			return 0;
		}
		if (strcmp(argv[i], "--export"))
			return bad_usage("topo: unexpected", argv[i]);
		show = topology_describe;
	}
	t = read_machine();
	if (!t)
		return FAILED;
	show(t, stdout);
	if (show == topology_describe)
		putchar('\n');
	topology_free(t);
	return 0;
}

int main(int argc, char **argv)
{
	int r;

	if (argc < 2)
		return bad_usage("no command given", NULL);
	if (!strcmp(argv[1], "topo"))
		r = topo(argc - 2, argv + 2);
	else if (!strcmp(argv[1], "--help"))
		r = fputs(help, stdout) < 0;
	else
		return bad_usage("no such command:", argv[1]);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "perch: cannot write: %s\n", strerror(errno));
		return FAILED;
	}
	return r;
}
