/* SPDX-License-Identifier: MIT */
#include "numa/described.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* The kernel's own limits. */
#define CPUS_MOST 8192
#define NODES_MOST 1024

#define MEMORY_MOST (1l << 59) /* ten times that is a long, too */
#define MEMORY_UNSAID (1ull << 30)
#define DISTANCE_LOCAL 10
#define DISTANCE_UNSAID 20
#define BLANKS " \t\n\r\v\f;"

/*
 * The text is gone through three times: how large the tables must be; the nodes;
 * what is said of their CPUs and distances, which needs all nodes.
 */
enum pass { MEASURE, NODES, REST };

struct reader {
	const char *text, *p;
	enum pass pass;
	struct topology *t; /* not when measuring */
	int cpus, nodes;    /* numbers met are below these */
	long possible;      /* 0: not said */
	const char *possible_at;
	bool shape, node, distance; /* met */
	int group;                  /* the first CPU that was written of this one */
	char *message;
	size_t size;
};

__attribute__((format(printf, 3, 4))) static int fail(struct reader *r, const char *at, const char *format, ...)
{
	int n = snprintf(r->message, r->size, "column %td: ", at - r->text + 1);
	va_list args;

	va_start(args, format);
	if (n >= 0 && (size_t)n < r->size)
		vsnprintf(r->message + n, r->size - (size_t)n, format, args);
	va_end(args);
	return -EINVAL;
}

static bool at_end(const char *p)
{
	return !*p || strchr(BLANKS, *p);
}

/* The rest of an item, to show it: on one line, and not too much of it. */
struct shown {
	char text[24];
};

static struct shown shown(const char *p)
{
	struct shown s = {"the end"};
	size_t n = 0;

	if (at_end(p))
		return s;
	s.text[n++] = '\'';
	for (; !at_end(p) && n < sizeof(s.text) - 2; p++)
		s.text[n++] = isprint((unsigned char)*p) ? *p : '?';
	s.text[n++] = '\'';
	s.text[n] = 0;
	return s;
}

static bool skip(struct reader *r, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(r->p, word, n) != 0)
		return false;
	r->p += n;
	return true;
}

/* A number from `least` to `most` of what `what` names. */
static int number(struct reader *r, const char *what, long least, long most, long *out)
{
	const char *at = r->p;
	long n = 0;

	if (!isdigit((unsigned char)*at))
		return fail(r, at, "expected %s, found %s", what, shown(at).text);
	for (; isdigit((unsigned char)*r->p); r->p++)
		if (n <= most) /* no further: it could overflow */
			n = n * 10 + (*r->p - '0');
	if (n < least || n > most)
		return fail(r, at, "%s is %ld to %ld, not %.*s", what, least, most,
			    (int)(r->p - at < 20 ? r->p - at : 20), at);
	*out = n;
	return 0;
}

/* ---- CPUs ---- */

/* Groups of CPUs that have no number of their own. */
enum { CORE, CACHE };

static int *group_of(struct topology *t, int cpu, int kind)
{
	return kind == CORE ? &t->cpu[cpu].core : &t->cpu[cpu].cache;
}

typedef int take_fn(struct reader *r, const char *at, int cpu, int value);

static int list(struct reader *r, take_fn *take, int value)
{
	for (;;) {
		const char *at = r->p;
		long first, last;
		int error = number(r, "a CPU", 0, CPUS_MOST - 1, &first);

		if (error)
			return error;
		last = first;
		if (skip(r, "-"))
			error = number(r, "a CPU", 0, CPUS_MOST - 1, &last);
		if (!error && last < first)
			error = fail(r, at, "%ld-%ld runs backwards", first, last);
		for (long cpu = first; !error && cpu <= last; cpu++)
			error = take(r, at, (int)cpu, value);
		if (error || !skip(r, ","))
			return error;
	}
}

static int take_node(struct reader *r, const char *at, int cpu, int node)
{
	if (cpu >= r->cpus)
		r->cpus = cpu + 1;
	if (r->pass == MEASURE)
		return 0;
	if (r->t->cpu[cpu].node >= 0)
		return fail(r, at, "CPU %d is on node %d already", cpu, r->t->cpu[cpu].node);
	r->t->cpu[cpu].node = node;
	r->t->node[node].cpus++;
	return 0;
}

/* Note a value of a CPU, once. */
static int tell(struct reader *r, const char *at, int cpu, int *field, int value, const char *what)
{
	if (*field >= 0)
		return fail(r, at, "CPU %d has a %s already", cpu, what);
	*field = value;
	return 0;
}

static int check_cpu(struct reader *r, const char *at, int cpu)
{
	return topology_node_of_cpu(r->t, cpu) < 0 ? fail(r, at, "CPU %d is on no node", cpu) : 0;
}

static int take_package(struct reader *r, const char *at, int cpu, int package)
{
	int error = check_cpu(r, at, cpu);

	return error ? error : tell(r, at, cpu, &r->t->cpu[cpu].package, package, "package");
}

static int take_group(struct reader *r, const char *at, int cpu, int kind)
{
	int error = check_cpu(r, at, cpu);

	if (r->group < 0)
		r->group = cpu;
	return error ? error : tell(r, at, cpu, group_of(r->t, cpu, kind), r->group, kind == CORE ? "core" : "cache");
}

static int groups(struct reader *r, int kind)
{
	int error;

	do {
		r->group = -1;
		error = list(r, take_group, kind);
	} while (!error && skip(r, "/"));
	return error;
}

/* Groups are called by their lowest CPU, and were so far by the first that was written. */
static void rename_groups(struct topology *t, int kind)
{
	for (int low = 0; low < t->cpus; low++) {
		int was = *group_of(t, low, kind);

		/* so it is the first of its group that is met here, the lowest */
		if (was <= low)
			continue;
		for (int cpu = low; cpu < t->cpus; cpu++)
			if (*group_of(t, cpu, kind) == was)
				*group_of(t, cpu, kind) = low;
	}
}

/* ---- nodes ---- */

static int size(struct reader *r, uint64_t *out)
{
	static const char unit[] = "KMGT";
	const char *at = r->p, *u;
	long n;
	int shift = 0, error = number(r, "a size", 0, MEMORY_MOST, &n);

	if (error)
		return error;
	u = *r->p ? strchr(unit, *r->p) : NULL;
	if (u) {
		r->p++;
		shift = 10 * (int)(u - unit + 1);
	}
	if (n > MEMORY_MOST >> shift)
		return fail(r, at, "a size is %ld bytes at most", MEMORY_MOST);
	*out = (uint64_t)n << shift;
	return 0;
}

static int add_node(struct reader *r, const char *at, int node)
{
	if (node >= r->nodes)
		r->nodes = node + 1;
	if (r->pass == MEASURE)
		return 0;
	if (r->t->node[node].present)
		return fail(r, at, "node %d is there already", node);
	r->t->node[node].present = true;
	r->t->node[node].memory = MEMORY_UNSAID;
	r->t->nodes_present++;
	return 0;
}

static int node_item(struct reader *r, const char *at, int node)
{
	uint64_t memory = MEMORY_UNSAID;
	int error;

	if (r->shape)
		return fail(r, at, "a node beside a shape such as 2x4");
	r->node = true;
	error = add_node(r, at, node);
	if (!error && !skip(r, "none"))
		error = list(r, take_node, node);
	if (!error && skip(r, ":"))
		error = size(r, &memory);
	if (!error && r->pass != MEASURE)
		r->t->node[node].memory = memory;
	return error;
}

static int shape_item(struct reader *r)
{
	const char *at = r->p;
	long nodes, cores, threads = 0, each;
	int error = number(r, "the number of nodes", 1, NODES_MOST, &nodes);

	if (!error && !skip(r, "x"))
		error = fail(r, r->p, "expected x and the number of cores, found %s", shown(r->p).text);
	if (!error)
		error = number(r, "the number of cores", 1, CPUS_MOST, &cores);
	if (!error && skip(r, "x"))
		error = number(r, "the number of threads", 1, CPUS_MOST, &threads);
	if (error)
		return error;
	each = threads ? cores * threads : cores;
	if (nodes * each > CPUS_MOST)
		return fail(r, at, "%ld CPUs, and %d is the most", nodes * each, CPUS_MOST);
	if (r->shape || r->node)
		return fail(r, at, r->shape ? "a second shape" : "a shape such as 2x4 beside a node");
	r->shape = true;
	for (int cpu = 0; !error && cpu < nodes * each; cpu++) {
		int node = cpu / (int)each;

		if (cpu % each == 0)
			error = add_node(r, at, node);
		if (!error)
			error = take_node(r, at, cpu, node);
		if (!error && threads && r->pass != MEASURE)
			r->t->cpu[cpu].core = cpu - cpu % (int)threads;
	}
	return error;
}

/* ---- distances ---- */

static int distance_row(struct reader *r, int from)
{
	struct topology *t = r->t;
	int met = 0;

	for (int to = 0; to < t->nodes; to++) {
		const char *at;
		long d;
		int error;

		if (!t->node[to].present)
			continue;
		if (met++ && !skip(r, ","))
			return fail(r, r->p, "expected ',' and the distance from node %d to node %d, found %s", from,
				    to, shown(r->p).text);
		at = r->p;
		error = number(r, "a distance", DISTANCE_LOCAL, UINT16_MAX, &d);
		if (error)
			return error;
		if (to == from && d != DISTANCE_LOCAL)
			return fail(r, at, "distance of a node to itself is %d, not %ld", DISTANCE_LOCAL, d);
		t->distance[from * t->nodes + to] = (uint16_t)d;
	}
	if (*r->p == ',')
		return fail(r, r->p, "more distances than the %d nodes", t->nodes_present);
	return 0;
}

static int distances(struct reader *r)
{
	int met = 0, error = 0;

	for (int from = 0; !error && from < r->t->nodes; from++) {
		if (!r->t->node[from].present)
			continue;
		if (met++ && !skip(r, "/"))
			return fail(r, r->p, "expected '/' and the distances from node %d, found %s", from,
				    shown(r->p).text);
		error = distance_row(r, from);
	}
	if (!error && *r->p == '/')
		return fail(r, r->p, "more rows than the %d nodes", r->t->nodes_present);
	return error;
}

static void fill_distances(struct topology *t)
{
	for (int from = 0; from < t->nodes; from++)
		for (int to = 0; to < t->nodes; to++)
			if (t->node[from].present && t->node[to].present)
				t->distance[from * t->nodes + to] = from == to ? DISTANCE_LOCAL : DISTANCE_UNSAID;
}

/* ---- items ---- */

/* Nothing of this one in this pass. */
static int pass_over(struct reader *r)
{
	while (!at_end(r->p))
		r->p++;
	return 0;
}

static int once(struct reader *r, const char *at, bool *met)
{
	if (*met)
		return fail(r, at, "%s again", shown(at).text);
	*met = true;
	return 0;
}

/* "node12=": a word with a number; the number, -1 for another item, -EINVAL for a bad one. */
static int numbered(struct reader *r, const char *word, const char *what, long most)
{
	long n = -1;
	int error;

	if (!skip(r, word))
		return -1;
	error = number(r, what, 0, most, &n);
	if (!error && !skip(r, "="))
		error = fail(r, r->p, "expected '=', found %s", shown(r->p).text);
	return error ? error : (int)n;
}

static int item(struct reader *r)
{
	const char *at = r->p;
	bool rest = r->pass == REST, met;
	int n, error;

	if (isdigit((unsigned char)*at))
		return rest ? pass_over(r) : shape_item(r);
	n = numbered(r, "node", "the number of a node", NODES_MOST - 1);
	if (n != -1)
		return n < 0 ? n : rest ? pass_over(r) : node_item(r, at, n);
	n = numbered(r, "package", "the number of a package", 1 << 20);
	if (n != -1)
		return n < 0 ? n : rest ? list(r, take_package, n) : pass_over(r);
	if (skip(r, "core="))
		return rest ? groups(r, CORE) : pass_over(r);
	if (skip(r, "cache="))
		return rest ? groups(r, CACHE) : pass_over(r);
	if (skip(r, "distance=")) {
		if (!rest)
			return pass_over(r);
		error = once(r, at, &r->distance);
		return error ? error : distances(r);
	}
	if (skip(r, "possible=")) {
		if (r->pass != MEASURE)
			return pass_over(r);
		met = r->possible > 0;
		error = once(r, at, &met);
		r->possible_at = r->p;
		return error ? error : number(r, "the number of CPUs", 1, CPUS_MOST, &r->possible);
	}
	return fail(r, at, "%s is none of nodeN=, packageN=, core=, cache=, distance=, possible=, NxN", shown(at).text);
}

static int go_through(struct reader *r, enum pass pass)
{
	r->pass = pass;
	r->p = r->text;
	r->shape = r->node = false;
	for (;;) {
		int error;

		r->p += strspn(r->p, BLANKS);
		if (!*r->p)
			return 0;
		error = item(r);
		if (error)
			return error;
		if (!at_end(r->p))
			return fail(r, r->p, "expected the end of this item, found %s", shown(r->p).text);
	}
}

/* ---- the whole ---- */

static int measure(struct reader *r)
{
	int error = go_through(r, MEASURE);

	if (error)
		return error;
	if (!r->nodes)
		return fail(r, r->p, "no node is described");
	if (!r->cpus)
		return fail(r, r->p, "no node has a CPU");
	if (r->possible && r->possible < r->cpus)
		return fail(r, r->possible_at, "there is a CPU %d, so not %ld but %d or more are possible", r->cpus - 1,
			    r->possible, r->cpus);
	if (r->possible)
		r->cpus = (int)r->possible;
	return 0;
}

static void finish(struct topology *t)
{
	bool memory = false;

	rename_groups(t, CORE);
	rename_groups(t, CACHE);
	for (int cpu = 0; cpu < t->cpus; cpu++) {
		struct topology_cpu *c = &t->cpu[cpu];

		if (c->node >= 0) {
			t->cores_unknown += c->core < 0;
			t->caches_unknown += c->cache < 0;
		}
		if (c->core < 0)
			c->core = cpu;
	}
	topology_find_memory_nodes(t);
	/* A machine has memory; if none is told, as without NUMA, each node is as good as another. */
	for (int node = 0; node < t->nodes; node++)
		memory |= t->node[node].memory > 0;
	for (int node = 0; !memory && node < t->nodes; node++)
		if (t->node[node].present)
			t->node[node].memory_node = node;
}

static int fill(struct reader *r, const struct bitmask *allowed)
{
	int error, missing;

	for (int cpu = 0; cpu < r->t->cpus; cpu++)
		r->t->cpu[cpu].core = -1; /* not told, until finish() */
	error = go_through(r, NODES);
	if (error)
		return error;
	fill_distances(r->t);
	error = go_through(r, REST);
	if (error)
		return error;
	finish(r->t);
	missing = topology_mark_allowed(r->t, allowed);
	if (missing < 0)
		return 0;
	snprintf(r->message, r->size, "CPU %d is to be used, but no node that is described has it", missing);
	return -EINVAL;
}

struct topology *topology_parse(const char *text, const struct bitmask *allowed, int *error, char *message, size_t size)
{
	struct reader r = {.text = text, .message = message, .size = size};
	int e = measure(&r);

	if (!e) {
		r.t = topology_make(r.cpus, r.nodes);
		if (r.t) {
			r.t->emulated = true;
			e = fill(&r, allowed);
		} else {
			snprintf(message, size, "no memory for the tables");
			e = -ENOMEM;
		}
	}
	if (error)
		*error = e;
	if (!e)
		return r.t;
	topology_free(r.t);
	return NULL;
}

struct topology *topology_described(const char *name, const char *text, const struct bitmask *allowed, int *error)
{
	char message[320];
	struct topology *t = topology_parse(text, allowed, error, message, sizeof(message));

	if (t)
		topology_ask_libnuma(t);
	else
		fprintf(stderr, "perch: %s: %s\n", name, message);
	return t;
}
