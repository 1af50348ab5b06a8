/* SPDX-License-Identifier: MIT */
#include "numa/watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "numa/cpuset.h"
#include "numa/sysfs.h"

const char *watch_root = "";

static int get_mask(struct bitmask **out, pid_t tid, char *error, size_t size)
{
	int r = cpuset_affinity(out, tid);

	if (r)
		snprintf(error, size, "the affinity mask of %d: %s", (int)tid, strerror(-r));
	return r;
}

int watch_begin(struct watch *w, const char *root, char *error, size_t size)
{
	struct bitmask *main_mask;
	int r;

	w->root = root;
	w->at = NULL;
	r = get_mask(&w->at, 0, error, size);
	if (r)
		return r;
	r = get_mask(&main_mask, getpid(), error, size);
	if (r) {
		watch_end(w);
		return r;
	}
	if (numa_bitmask_equal(w->at, main_mask))
		watch_end(w);
	numa_bitmask_free(main_mask);
	return 0;
}

void watch_end(struct watch *w)
{
	if (w->at)
		numa_bitmask_free(w->at);
	w->at = NULL;
}

static struct bitmask *copy(const struct bitmask *set)
{
	struct bitmask *out = cpuset_alloc((unsigned)set->size);

	if (out)
		copy_bitmask_to_bitmask((struct bitmask *)set, out);
	return out;
}

/* The kernel leaves CPUs that are off out of the masks it tells, but not out of one
 * that was kept. */
static int cut_to_online(const struct watch *w, struct bitmask *cpus, char *error, size_t size)
{
	struct sysfs s = {.root = w->root};
	struct bitmask *online;
	int r = sysfs_list(&s, &online, "/sys/devices/system/cpu/online");

	if (r == -ENOENT)
		return 0; /* no sysfs */
	if (r) {
		snprintf(error, size, "%s", s.error);
		return r;
	}
	cpuset_keep(cpus, online);
	numa_bitmask_free(online);
	return 0;
}

int watch_affinity(const struct watch *w, struct bitmask **out)
{
	if (!w->at)
		return cpuset_affinity(out, getpid());
	*out = copy(w->at);
	return *out ? 0 : -ENOMEM;
}

int watch_look(const struct watch *w, struct watch_view *view, char *error, size_t size)
{
	int r = watch_affinity(w, &view->cpus);

	if (r)
		snprintf(error, size, "the affinity mask of the process: %s", strerror(-r));
	if (!r)
		r = cut_to_online(w, view->cpus, error, size);
	if (!r)
		r = cpuset_cut(w->root, view->cpus, error, size);
	if (!r)
		r = quota_read(w->root, &view->quota, error, size);
	if (r)
		watch_forget(view);
	return r;
}

void watch_forget(struct watch_view *view)
{
	if (view->cpus)
		numa_bitmask_free(view->cpus);
	view->cpus = NULL;
}

unsigned watch_procs(const struct watch_view *view)
{
	return quota_procs(&view->quota, (unsigned)cpuset_count(view->cpus));
}
