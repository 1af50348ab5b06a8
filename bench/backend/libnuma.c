/* SPDX-License-Identifier: MIT */
/*
 * libnuma.c - bench_libnuma: no runtime, but the machine: how far the memory of
 * one node is from the CPUs of another. Called as the backends are, with
 *
 *	--workload=nodes --case=FROM-TO --size=SIZE --workers=CPUS
 *
 * Latency: one pinned pthread follows a random cycle through all lines of a
 * piece of memory. Bandwidth: so many pinned pthreads of node FROM read it, each
 * a part. Exit status as the backends'.
 */
#include <errno.h>
#include <numa.h>
#include <numaif.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/workload/measure.h"

#define LINE 64
#define READ_LEAST_NS UINT64_C(200000000)
/* Caches of this many times their size would hold a part that shows. */
#define CACHES 4

struct pair {
	int from, to;
	size_t bytes, cache;
	unsigned workers;
	int *cpu; /* of node `from`, as many as workers */
	char *memory;
};

/* A line of the cycle; bench/workload/measure.c wants a backend. */
struct link {
	struct link *next;
	uint64_t number;
	char rest[LINE - 16];
};

const struct backend backend = {.name = "libnuma"};

static int failed(const char *what, int error)
{
	fprintf(stderr, "bench_libnuma: %s: %s\n", what, strerror(error));
	return 3;
}

static int pin(int cpu)
{
	cpu_set_t *set = CPU_ALLOC((size_t)cpu + 1);
	size_t size = CPU_ALLOC_SIZE((size_t)cpu + 1);
	int r;

	if (!set)
		return -ENOMEM;
	CPU_ZERO_S(size, set);
	CPU_SET_S((size_t)cpu, size, set);
	r = sched_setaffinity(0, size, set) ? -errno : 0;
	CPU_FREE(set);
	return r;
}

/* The CPUs of the node that this process may use. */
static int find_cpus(struct pair *p)
{
	struct bitmask *of_node = numa_allocate_cpumask(), *mine = numa_allocate_cpumask();
	unsigned found = 0;
	int r = numa_node_to_cpus(p->from, of_node);

	if (!r)
		r = numa_sched_getaffinity(0, mine) < 0;
	p->cpu = calloc(p->workers, sizeof(*p->cpu));
	for (unsigned cpu = 0; !r && p->cpu && cpu < of_node->size && found < p->workers; cpu++)
		if (numa_bitmask_isbitset(of_node, cpu) && numa_bitmask_isbitset(mine, cpu))
			p->cpu[found++] = (int)cpu;
	numa_bitmask_free(of_node);
	numa_bitmask_free(mine);
	return found == p->workers ? 0 : -EINVAL;
}

/* Bound, touched. */
static int find_memory(struct pair *p)
{
	struct bitmask *node = numa_allocate_nodemask();
	int r;

	p->memory = mmap(NULL, p->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p->memory == MAP_FAILED) {
		numa_bitmask_free(node);
		return -ENOMEM;
	}
	madvise(p->memory, p->bytes, MADV_HUGEPAGE); /* else it is the TLB that is measured */
	numa_bitmask_setbit(node, (unsigned)p->to);
	r = mbind(p->memory, p->bytes, MPOL_BIND, node->maskp, node->size + 1, 0) ? -errno : 0;
	numa_bitmask_free(node);
	if (r == -ENOSYS) /* no NUMA in this kernel: there is one node */
		r = p->to ? -EINVAL : 0;
	if (!r)
		memset(p->memory, 1, p->bytes);
	return r;
}

/* A page in each MiB: is it there? */
static void check_memory(struct measurement *m, const struct pair *p)
{
	for (size_t at = 0; at < p->bytes; at += (size_t)1 << 20) {
		void *page = p->memory + at;
		int node = -1;

		if (syscall(SYS_move_pages, 0, 1UL, &page, NULL, &node, 0) < 0) {
			if (errno != ENOSYS)
				measure_wrong(m, "where its memory is cannot be asked: %s", strerror(errno));
			return;
		}
		if (node != p->to) {
			measure_wrong(m, "memory that was bound to node %d is on node %d", p->to, node);
			return;
		}
	}
}

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* One cycle through all lines (Sattolo), in an order that no prefetcher knows. */
static void make_cycle(struct link *line, size_t lines)
{
	uint64_t state = 0x9e3779b97f4a7c15;

	for (size_t i = 0; i < lines; i++)
		line[i].number = i;
	for (size_t i = lines - 1; i > 0; i--) {
		size_t j = random_next(&state) % i;
		uint64_t number = line[i].number;

		line[i].number = line[j].number;
		line[j].number = number;
	}
	/* `number` is now a cyclic permutation: who is next */
	for (size_t i = 0; i < lines; i++)
		line[i].next = &line[line[i].number];
}

/* Returns ns per load. All lines, each once, and back at the first. */
static double chase(struct measurement *m, const struct pair *p)
{
	struct link *line = (struct link *)p->memory, *at = line;
	size_t lines = p->bytes / LINE;
	uint64_t start, ns, sum = 0;

	make_cycle(line, lines);
	start = now_ns();
	for (size_t i = 0; i < lines; i++) {
		sum += at->number; /* in the line that is loaded anyway */
		at = at->next;
	}
	ns = now_ns() - start;
	if (at != line || sum != (uint64_t)lines * (lines - 1) / 2)
		measure_wrong(m, "the cycle did not go through each of %zu lines once", lines);
	return (double)ns / (double)lines;
}

struct reading {
	const struct pair *p;
	pthread_barrier_t *gate;
	unsigned number;
	size_t words;
	const uint64_t *part;
	uint64_t passes, sum, begin, end;
	int r;
};

static uint64_t read_part(const uint64_t *part, size_t words)
{
	uint64_t a = 0, b = 0, c = 0, d = 0;

	for (size_t i = 0; i < words; i += 4) {
		a += part[i];
		b += part[i + 1];
		c += part[i + 2];
		d += part[i + 3];
	}
	return a + b + c + d;
}

static void *read_thread(void *arg)
{
	struct reading *r = arg;

	r->r = pin(r->p->cpu[r->number]);
	pthread_barrier_wait(r->gate);
	r->begin = now_ns();
	do {
		r->sum += read_part(r->part, r->words);
		r->passes++;
		r->end = now_ns();
	} while (r->end - r->begin < READ_LEAST_NS);
	return NULL;
}

/* Sum of what each read in its own time, in GB/s. 0 and *gb; 3. */
static int read_all(struct measurement *m, const struct pair *p, double *gb)
{
	size_t words = p->bytes / 8 / p->workers / 4 * 4;
	struct reading *reading = calloc(p->workers, sizeof(*reading));
	pthread_t *t = calloc(p->workers, sizeof(*t));
	pthread_barrier_t gate;
	unsigned made = 0;
	int r = 0;

	if (!reading || !t) {
		free(reading);
		free(t);
		return failed("no memory", ENOMEM);
	}
	memset(p->memory, 1, p->bytes);
	pthread_barrier_init(&gate, NULL, p->workers);
	for (; made < p->workers; made++) {
		reading[made] =
			(struct reading){p, &gate, made, words, (uint64_t *)p->memory + made * words, 0, 0, 0, 0, 0};
		r = pthread_create(&t[made], NULL, read_thread, &reading[made]);
		if (r) /* those that wait at the gate end with the process */
			return failed("no pthread", r);
	}
	*gb = 0;
	for (unsigned i = 0; i < p->workers; i++) {
		pthread_join(t[i], NULL);
		if (reading[i].r)
			r = failed("a pthread cannot be pinned", -reading[i].r);
		if (reading[i].sum != reading[i].passes * words * UINT64_C(0x0101010101010101))
			measure_wrong(m, "pthread %u read something else than is there", i);
		*gb += (double)(reading[i].passes * words * 8) / (double)(reading[i].end - reading[i].begin);
	}
	pthread_barrier_destroy(&gate);
	free(reading);
	free(t);
	return r;
}

static size_t last_cache(void)
{
	long size = sysconf(_SC_LEVEL4_CACHE_SIZE);

	if (size <= 0)
		size = sysconf(_SC_LEVEL3_CACHE_SIZE);
	if (size <= 0)
		size = sysconf(_SC_LEVEL2_CACHE_SIZE);
	return size > 0 ? (size_t)size : 0;
}

/* Small is small whatever the caches are, for tests; the others are larger than they are. */
static size_t bytes_of(enum bench_size size, size_t cache)
{
	size_t least = (size_t)(size == SIZE_SMALL ? 4 : size == SIZE_MEDIUM ? 128 : 1024) << 20;

	if (size == SIZE_SMALL || least >= CACHES * cache)
		return least;
	return (CACHES * cache + 0xfffff) & ~(size_t)0xfffff;
}

static int measure(struct measurement *m, struct pair *p)
{
	double gb = 0, ns;
	int r = find_cpus(p);

	if (r)
		return failed("the node has not so many CPUs that may be used", -r);
	r = find_memory(p);
	if (r)
		return failed("no memory on the node", -r);
	r = pin(p->cpu[0]);
	if (r)
		return failed("cannot be pinned", -r);
	check_memory(m, p);
	ns = chase(m, p);
	r = read_all(m, p, &gb);
	if (r)
		return r;
	params_add(m, "from=%d to=%d distance=%d bytes=%zu last_cache=%zu", p->from, p->to,
		   numa_distance(p->from, p->to), p->bytes, p->cache);
	measure_emit(m, "ns_per_load", "ns", "lower", ns);
	measure_emit(m, "read_gb_per_s", "GB/s", "higher", gb);
	return m->verified ? 0 : 1;
}

static const char *value_of(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc; i++)
		if (!strncmp(argv[i], name, strlen(name)))
			return argv[i] + strlen(name);
	return "";
}

int main(int argc, char **argv)
{
	const char *name = value_of(argc, argv, "--case="), *workers = value_of(argc, argv, "--workers=");
	struct bench_case c = {"nodes", SIZE_SMALL, name, 0, 0};
	struct measurement m = {.backend = &backend, .bench_case = &c, .verified = true};
	struct pair p = {.workers = 1};
	char rest;
	int r;

	if (sscanf(name, "%d-%d%c", &p.from, &p.to, &rest) != 2 || sscanf(workers, "%u%c", &p.workers, &rest) != 1 ||
	    size_parse(value_of(argc, argv, "--size="), &c.size) || !p.workers || p.from < 0 || p.to < 0) {
		fprintf(stderr, "usage: bench_libnuma --workload=nodes --case=FROM-TO --size=SIZE --workers=CPUS\n");
		return 2;
	}
	if (numa_available() < 0 && (p.from || p.to)) {
		fprintf(stderr, "bench_libnuma: this kernel has no NUMA, and so no nodes but 0\n");
		return 2;
	}
	m.workers = p.workers;
	p.cache = last_cache();
	p.bytes = bytes_of(c.size, p.cache);
	r = measure(&m, &p);
	free(p.cpu);
	if (fflush(stdout) || ferror(stdout))
		return failed("cannot write the result", errno);
	return r;
}
