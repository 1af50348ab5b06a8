/* SPDX-License-Identifier: MIT */
/*
 * starpu.c - StarPU: tasks that a program submits, all on CPUs. It is for graphs of larger tasks,
 * and on other processors too; what it has of these workloads is many tasks, and a loop as a task
 * for each block. The pthread that submits is none of the workers.
 */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <starpu.h>

#include "bench/backend/backend.h"
#include "bench/workload/catalogue.h"
#include "bench/workload/measure.h"

/* It writes what it has measured of the machine into its home, which is none of ours. */
static char home[PATH_MAX];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static void remove_home(void)
{
	nftw(home, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int start(const struct measurement *m)
{
	struct starpu_conf conf;
	const char *tmp = getenv("TMPDIR");
	int r;

	snprintf(home, sizeof(home), "%s/bench_starpu.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(home))
		return -errno;
	setenv("STARPU_HOME", home, 1);
	setenv("STARPU_SILENT", "1", 1);
	setenv("STARPU_CALIBRATE", "0", 1);
	setenv("STARPU_BUS_CALIBRATE", "0", 1);
	starpu_conf_init(&conf);
	conf.ncpus = (int)m->workers;
	conf.ncuda = 0;
	conf.nopencl = 0;
	r = starpu_init(&conf);
	if (r) {
		remove_home();
		return r;
	}
	if (starpu_cpu_worker_get_count() == m->workers)
		return 0;
	starpu_shutdown();
	remove_home();
	return -EAGAIN; /* fewer workers would be another measurement */
}

static void stop(void)
{
	starpu_shutdown();
	remove_home();
}

static int inside(void (*fn)(void *arg), void *arg)
{
	fn(arg);
	return 0;
}

/* 0 or -errno. */
static int submit(struct starpu_codelet *codelet, void *arg, size_t size)
{
	struct starpu_task *task = starpu_task_create();

	if (!task)
		return -ENOMEM;
	task->cl = codelet;
	task->cl_arg = arg;
	task->cl_arg_size = size;
	return starpu_task_submit(task);
}

static void plus_one(void *buffers[], void *arg)
{
	size_t *n = arg;

	(void)buffers;
	*n += 1;
}

static size_t flat(size_t n)
{
	static struct starpu_codelet codelet = {.cpu_funcs = {plus_one}, .nbuffers = 0};
	static size_t *value; /* kept from run to run, as all backends do */
	static size_t room;
	size_t right = 0;

	if (room < n) {
		free(value);
		value = calloc(n, sizeof(*value));
		room = value ? n : 0;
	}
	if (room < n)
		return 0;
	for (size_t i = 0; i < n; i++) {
		value[i] = i;
		if (submit(&codelet, &value[i], sizeof(value[i])))
			break; /* seen as results that are wrong */
	}
	starpu_task_wait_for_all();
	for (size_t i = 0; i < n; i++)
		right += value[i] == i + 1;
	return right;
}

struct block {
	const struct memory_loop *loop;
	size_t number;
};

static void run_block(void *buffers[], void *arg)
{
	const struct block *block = arg;

	(void)buffers;
	block->loop->body(block->number, block->loop->context);
}

static int loop(struct memory_loop *l)
{
	static struct starpu_codelet codelet = {.cpu_funcs = {run_block}, .nbuffers = 0};
	struct block *block;
	int r = 0;

	if (l->by_node)
		return -ENOTSUP;
	block = malloc(l->blocks * sizeof(*block));
	if (!block)
		return -ENOMEM;
	for (size_t b = 0; b < l->blocks && !r; b++) {
		block[b] = (struct block){l, b};
		r = submit(&codelet, &block[b], sizeof(block[b]));
	}
	starpu_task_wait_for_all();
	free(block);
	return r;
}

static const char *note(const char *workload, const char *case_name)
{
	(void)case_name;
	return strcmp(workload, "flat") != 0 ? "by=a-task-a-block" : "form=tasks by=starpu_task_submit";
}

static const char *why(const char *workload, const char *case_name)
{
	if (case_by_node(case_name))
		return "StarPU's tasks go to who is idle, see the case for";
	if (!strcmp(workload, "mem"))
		return "a task of StarPU may run as it is submitted, and cannot park";
	return "a task of StarPU must not wait for others: what forks and joins, or waits, cannot be written with it";
}

const struct backend backend = {
	.name = "starpu",
	.slow_tasks = true,
	.start = start,
	.stop = stop,
	.inside = inside,
	.note = note,
	.why = why,
	.flat = flat,
	.loop = loop,
};
