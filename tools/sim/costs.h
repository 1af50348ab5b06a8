/* SPDX-License-Identifier: MIT */
/*
 * costs.h - what each step costs, in ns unless said, where that is known from, and
 * how it is set: by --cost=NAME=VALUE, or a file of such lines.
 */
#ifndef SIM_COSTS_H
#define SIM_COSTS_H

#include <stdint.h>
#include <stdio.h>

/* name, default, what it is, where it is from */
#define COSTS(X)                                                                                                       \
	X(fork, 2.6, "fork and sync of a task that nobody takes", "README: uts, 62.8 - 60.2")                          \
	X(cached, 4, "look at a victim whose line has not changed", "assumed")                                         \
	X(miss_sibling, 20, "a line of the same core's other CPU", "assumed: both use one cache")                      \
	X(miss_cache, 50, "a line of a CPU that shares the last-level cache", "assumed")                               \
	X(miss_node, 100, "a line of another CPU of the node", "190 measured in a VM, 31-537; lower on metal")         \
	X(miss_local, 100, "what miss_far is a multiple of: a line of another CPU, at distance 10", "as miss_node")    \
	X(answer, 50, "owner: publish for a request, beside the miss", "assumed: a section, a switch of the line")     \
	X(take_back, 25, "owner: take the shared part back", "design.md: CAS and exchange 12 each")                    \
	X(start, 60, "a stolen task gets a carrier and a stack", "23 for create and join, and two misses")             \
	X(park, 30, "a thread waits for its stolen task, or goes on", "design.md: a yield is 7-8, two exchanges")      \
	X(item, 3, "put away one more stolen task", "a push, 2")                                                       \
	X(round, 400, "between two rounds of a search", "16 pauses: 190-600 measured")                                 \
	X(force, 20000, "thief: force an owner", "20-50 us measured in a VM")                                          \
	X(interrupt, 5000, "what a CPU that computes loses by an interrupt", "4-10 us measured in a VM")               \
	X(barrier, 5000, "the last look: one barrier for all", "0.4-10 us measured in a VM")                           \
	X(wake, 2000, "from the wake to the first instruction", "README: 1.7-2.3 us")                                  \
	X(notify, 1000, "waker: the system call", "sched_yield is 1450")                                               \
	X(sleep, 1000, "go to sleep in the kernel", "assumed: as notify")                                              \
	X(linger, 5000, "look at one's own queue when enough search", "sched.c")                                       \
	X(spin_least, 20000, "search, at least", "idle.c")                                                             \
	X(spin_most, 400000, "search, at most", "idle.c")                                                              \
	X(short_sleep, 100000, "a sleep that was not worth it", "idle.c")                                              \
	X(force_gap, 50000, "between two forces of one owner", "steal.c")                                              \
	X(memory_share, 0.3, "share of a task's time that waits for its memory (0 to 1)", "assumed")

struct costs {
#define X(name, value, what, from) double name;
	COSTS(X)
#undef X
};

void costs_init(struct costs *c);

/* NAME=VALUE. 0, or -EINVAL with what is wrong in `message`. */
int costs_set(struct costs *c, const char *text, char *message, size_t size);
/* A file of such lines; '#' begins a comment. The message names the line. */
int costs_read(struct costs *c, const char *path, char *message, size_t size);
/* All of them, with where they are from. */
void costs_list(const struct costs *c, FILE *out);

/* Time is kept in ps, so that 2.6 ns is not 3. */
#define SIM_NS UINT64_C(1000)
static inline uint64_t costs_ps(double ns)
{
	return (uint64_t)(ns * (double)SIM_NS + 0.5);
}

#endif
