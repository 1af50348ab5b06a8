/* SPDX-License-Identifier: MIT */
#include "tools/sim/options.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/sim/report.h"

const char *const options_policy_names[4] = {
	[POLICY_NEAR_FIRST] = "near-first",
	[POLICY_FLAT] = "flat",
	[POLICY_NODE_ONLY] = "node-only",
	[POLICY_NONE] = "none",
};

#define DELAY_MOST_US 1e6

void options_help(void)
{
	printf("sim - what a policy of stealing does on a machine that is not at hand\n\n"
	       "usage: sim [OPTION...]\n"
	       "  --machine=TEXT      as PERCH_TOPOLOGY (perch_start(3)); default 8x64. At most %d CPUs, %d nodes\n"
	       "  --distances=KIND    between the nodes of a shape such as 8x64: full (21; default), ring, mesh\n"
	       "                      (10, and 6 for each hop), two-level (sockets of 4 nodes: 12, 32)\n"
	       "  --load=LOAD         uts:TREE (T1, T3, ... as bench --list), fib:N, loop:N, loop:N:GRAIN; default "
	       "uts:T1\n"
	       "  --work=NS           of a node of the tree, or an iteration of the loop; default: as measured here\n"
	       "                      (uts 60.2, fib 1.75; loop 10)\n"
	       "  --jitter=X          each node's work is drawn from 1 +- X times that; default 0.05\n"
	       "  --policy=LIST       of near-first, flat, node-only, none; default near-first,flat\n"
	       "  --delay=LIST        us for each rank of distance until a far tier opens; default: the library's\n"
	       "  --gate=on|off|both  one of a node abroad at a time (default), or as many as want to\n"
	       "  --data=WHERE        on which node a task's data lies, and its work takes longer on another: forker\n"
	       "                      (where it was forked; default), root (where the load began), depth:N (as\n"
	       "                      forker down to depth N of the tree; whatever is below lies there too), blocks\n"
	       "                      (of an array, in turn over the nodes)\n"
	       "  --wake=near|any     a sleeper of the own node first (default), or the next one\n"
	       "  --bring=open|shut   what comes from afar is published for the neighbours (default), or not\n"
	       "  --start=random|same the victim of a tier with which a round begins: any (default), or the next one\n"
	       "                      each time\n"
	       "  --hold=on|off       a far tier stays open to a node that has just brought something home (default), "
	       "or\n"
	       "                      each thief waits for itself\n"
	       "  --seeds=N           runs of each, with seeds from --seed on; default 5\n"
	       "  --seed=N            default 1\n"
	       "  --cost=NAME=VALUE   another cost of a step; --costs lists them with where they are from\n"
	       "  --costs-file=PATH   lines of NAME=VALUE; '#' begins a comment\n"
	       "  --beside=LIST       of NAME=VALUE, measured elsewhere: shown beside the medians of the first row. "
	       "Names:\n",
	       MACHINE_CPUS_MOST, MACHINE_NODES_MOST);
	report_names(stdout, "                      ");
	printf("  --format=FORMAT     table (default), or json: one object a line\n"
	       "  --costs             list the costs, and do nothing else\n"
	       "  --help              this\n\n"
	       "The policy and the order of victims are the library's own code (numa/policy.c, numa/tier.c). Assumed:\n"
	       "  - one worker for each CPU, pinned; all sleep but the first CPU's when the load begins\n"
	       "  - a look at a victim that computes is a cache miss, at any other it is not; a line of a node at\n"
	       "    distance d takes d / 10 times as long as a near one, as ACPI defines the distance\n"
	       "  - data at distance d makes the share memory_share of a task's work d / 10 times as long\n"
	       "  - lines, links and memory are never busy, and SMT siblings and caches do not slow each other\n"
	       "  - a wake-up takes as long on each CPU; no other process runs; no hand-off, timers or I/O\n"
	       "  - a full ring (%d tasks) runs the task in the fork, instead of using an overflow queue\n\n"
	       "exit status: 0 every run came to the load's exact counts; 1 one did not; 2 bad arguments\n",
	       4096);
}

__attribute__((format(printf, 2, 3))) static int bad(const char *argument, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "sim: %s: ", argument);
	va_start(args, format);
	vfprintf(stderr, format, args); // NOLINT(clang-analyzer-valist.Uninitialized): va_start() is above
	va_end(args);
	fputc('\n', stderr);
	return -EINVAL;
}

static int number(const char *argument, const char *text, double least, double most, double *out)
{
	char *end;

	*out = strtod(text, &end);
	if (end == text || *end || !(*out >= least && *out <= most))
		return bad(argument, "'%.40s' is not a number from %g to %.10g", text, least, most);
	return 0;
}

static int whole(const char *argument, const char *text, double least, double most, double *out)
{
	int r = number(argument, text, least, most, out);

	return !r && *out != floor(*out) ? bad(argument, "'%.40s' is not a whole number", text) : r;
}

/* One of `names`; -EINVAL with all of them said. */
static int choice(const char *argument, const char *text, const char *const *names, unsigned count)
{
	char all[120] = "";

	for (unsigned i = 0; i < count; i++) {
		if (!strcmp(text, names[i]))
			return (int)i;
		strcat(strcat(all, i ? ", " : ""), names[i]);
	}
	return bad(argument, "no '%.40s'; there are %s", text, all);
}

/* Each word of a list, which is cut up. */
static int each(struct options *o, const char *argument, char *list,
		int (*take)(struct options *o, const char *argument, char *word))
{
	int r = 0;

	for (char *word = list, *next; !r && word; word = next) {
		next = strchr(word, ',');
		if (next)
			*next++ = 0;
		r = take(o, argument, word);
	}
	return r;
}

static int take_policy(struct options *o, const char *argument, char *word)
{
	int kind = choice(argument, word, options_policy_names, 4);

	if (kind < 0)
		return kind;
	for (unsigned i = 0; i < o->policies; i++)
		if (o->policy[i] == (enum policy_kind)kind)
			return bad(argument, "%s is there twice", word);
	o->policy[o->policies++] = (enum policy_kind)kind;
	return 0;
}

static int take_delay(struct options *o, const char *argument, char *word)
{
	if (o->delays == OPTIONS_LISTED_MOST)
		return bad(argument, "more than %d delays", OPTIONS_LISTED_MOST);
	return number(argument, word, 0, DELAY_MOST_US, &o->delay_us[o->delays++]);
}

static int take_known(struct options *o, const char *argument, char *word)
{
	struct options_known *k = &o->known[o->knowns];
	char *equals = strchr(word, '=');

	if (o->knowns == OPTIONS_LISTED_MOST)
		return bad(argument, "more than %d values", OPTIONS_LISTED_MOST);
	if (equals)
		*equals = 0;
	if (report_column(word) < 0)
		return bad(argument, "no result is called '%.40s'", word);
	if (!equals)
		return bad(argument, "no value for %s", word);
	snprintf(k->name, sizeof(k->name), "%s", word);
	o->knowns++;
	return number(argument, equals + 1, 0, 1e18, &k->value);
}

static int take_data(struct options *o, const char *argument, const char *value)
{
	double depth;
	int r = 0;

	o->data = DATA_DEPTH;
	if (!strcmp(value, "forker"))
		o->data_depth = UINT32_MAX;
	else if (!strcmp(value, "root"))
		o->data_depth = 0;
	else if (!strcmp(value, "blocks"))
		o->data = DATA_BLOCKS;
	else if (!strncmp(value, "depth:", 6)) {
		r = whole(argument, value + 6, 0, 1e6, &depth);
		o->data_depth = r ? 0 : (uint32_t)depth;
	} else
		r = bad(argument, "no '%.40s'; there are forker, root, depth:N, blocks", value);
	return r;
}

/* `bazel run` changes directory; a relative path is meant from where the user is. */
static int read_costs(struct options *o, const char *argument, const char *path)
{
	const char *from = getenv("BUILD_WORKING_DIRECTORY");
	char whole_path[4096], message[256];

	snprintf(whole_path, sizeof(whole_path), "%s%s%s", *path != '/' && from ? from : "",
		 *path != '/' && from ? "/" : "", path);
	return costs_read(&o->costs, whole_path, message, sizeof(message)) ? bad(argument, "%s", message) : 0;
}

static int take_value(struct options *o, const char *argument, size_t length, char *value)
{
	static const char *const distances[] = {"full", "ring", "mesh", "two-level"};
	static const char *const gates[] = {"on", "off", "both"}, *const wakes[] = {"near", "any"};
	static const char *const brings[] = {"open", "shut"}, *const formats[] = {"table", "json"};
	static const char *const starts[] = {"random", "same"};
	static const char *const holds[] = {"on", "off"};
	char message[256];
	double n;
	int r;

#define IS(name) (length == sizeof(name) - 1 && !strncmp(argument, name, length))
	if (IS("--machine")) {
		o->machine = value;
		return 0;
	}
	if (IS("--load")) {
		o->load = value;
		return 0;
	}
	if (IS("--distances")) {
		r = choice(argument, value, distances, 4);
		o->distances = (enum machine_distances)(r < 0 ? 0 : r);
		return r < 0 ? r : 0;
	}
	if (IS("--policy")) {
		o->policies = 0;
		return each(o, argument, value, take_policy);
	}
	if (IS("--delay")) {
		o->delays = 0;
		return each(o, argument, value, take_delay);
	}
	if (IS("--gate")) {
		r = choice(argument, value, gates, 3);
		o->gate[0] = r != 1;
		o->gate[1] = r != 0;
		return r < 0 ? r : 0;
	}
	if (IS("--wake")) {
		r = choice(argument, value, wakes, 2);
		o->wake_any = r == 1;
		return r < 0 ? r : 0;
	}
	if (IS("--bring")) {
		r = choice(argument, value, brings, 2);
		o->keep_home = r == 1;
		return r < 0 ? r : 0;
	}
	if (IS("--start")) {
		r = choice(argument, value, starts, 2);
		o->in_turn = r == 1;
		return r < 0 ? r : 0;
	}
	if (IS("--hold")) {
		r = choice(argument, value, holds, 2);
		o->forgets = r == 1;
		return r < 0 ? r : 0;
	}
	if (IS("--format")) {
		r = choice(argument, value, formats, 2);
		o->json = r == 1;
		return r < 0 ? r : 0;
	}
	if (IS("--seeds")) {
		r = whole(argument, value, 1, OPTIONS_SEEDS_MOST, &n);
		o->seeds = r ? 1 : (unsigned)n;
		return r;
	}
	if (IS("--seed")) {
		r = whole(argument, value, 0, 1e15, &n);
		o->seed = r ? 0 : (uint64_t)n;
		return r;
	}
	if (IS("--work"))
		return number(argument, value, 0, 1e9, &o->work_ns);
	if (IS("--jitter"))
		return number(argument, value, 0, 1, &o->jitter);
	if (IS("--data"))
		return take_data(o, argument, value);
	if (IS("--beside"))
		return each(o, argument, value, take_known);
	if (IS("--cost"))
		return costs_set(&o->costs, value, message, sizeof(message)) ? bad(argument, "%s", message) : 0;
	if (IS("--costs-file"))
		return read_costs(o, argument, value);
#undef IS
	return bad(argument, "no such option; see --help");
}

int options_parse(struct options *o, int argc, char **argv)
{
	int r = 0;

	*o = (struct options){
		.machine = "8x64",
		.load = "uts:T1",
		.policy = {POLICY_NEAR_FIRST, POLICY_FLAT},
		.policies = 2,
		.gate = {true, false},
		.seeds = 5,
		.seed = 1,
		.work_ns = -1,
		.jitter = 0.05,
		.data_depth = UINT32_MAX,
	};
	costs_init(&o->costs);
	for (int i = 1; !r && i < argc; i++) {
		char *equals = strchr(argv[i], '=');
		char *argument = strdup(argv[i]); /* to show it: lists are cut up */

		if (!argument)
			r = bad(argv[i], "no memory");
		else if (!strcmp(argv[i], "--help"))
			o->help = true;
		else if (!strcmp(argv[i], "--costs"))
			o->list_costs = true;
		else if (strncmp(argv[i], "--", 2) != 0)
			r = bad(argv[i], "not an option; see --help");
		else if (equals)
			r = take_value(o, argument, (size_t)(equals - argv[i]), equals + 1);
		else
			r = bad(argv[i], "no such option, or it needs a value: =...; see --help");
		free(argument);
	}
	return r;
}
