/* SPDX-License-Identifier: MIT */
#include "core/sched/sleepers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/sched/handoff.h"
#include "rseq/inject.h"
#include "rseq/reserve.h"

#define NODES_MOST 1024 /* as the kernel has, and PERCH_TOPOLOGY */

struct sleepers sleepers;

static unsigned domains_of(enum policy_kind kind)
{
	switch (kind) {
	case POLICY_NODE_ONLY:
		return sched.node_slots;
	case POLICY_NONE:
		return (unsigned)percpu_count;
	default:
		return 1;
	}
}

/* Addresses for all that there may ever be, kept for ever: a pthread that ends looks at
 * the counts (idle_tell), whoever stops the runtime at that moment. */
static struct domain *map_domains(void)
{
	size_t most = percpu_count > NODES_MOST ? (size_t)percpu_count : NODES_MOST;

	return reserve(most * sizeof(struct domain), PROT_READ | PROT_WRITE, 0);
}

/* By atomics, as that pthread may look even while the runtime is started again. */
static void clear_domains(unsigned n)
{
	for (unsigned d = 0; d < n; d++) {
		__atomic_store_n(&sleepers.domain[d].searching, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&sleepers.domain[d].sleeping, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&sleepers.domain[d].seats, 0, __ATOMIC_RELAXED);
	}
}

int sleepers_start(unsigned workers)
{
	size_t size;

	if (!sleepers.domain && !(sleepers.domain = map_domains()))
		return -ENOMEM;
	clear_domains(sleepers.domains);
	__atomic_store_n(&sleepers.domains, domains_of(sched.policy.kind), __ATOMIC_RELAXED);
	clear_domains(sleepers.domains);
	sleepers.rows = sched.node_slots;
	sleepers.row_words = (workers + 511) / 512 * 8; /* whole lines */
	size = (size_t)sleepers.rows * sleepers.row_words * sizeof(*sleepers.mask);
	sleepers.mask = aligned_alloc(64, size);
	if (!sleepers.mask)
		return -ENOMEM;
	memset(sleepers.mask, 0, size);
	return 0;
}

void sleepers_stop(void)
{
	free(sleepers.mask);
	sleepers.mask = NULL;
}

void sleepers_add_seat(struct processor *p, int n)
{
	__atomic_add_fetch(&sleepers.domain[p->domain].seats, (uint32_t)n, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&sched.seats, (uint32_t)n, __ATOMIC_SEQ_CST);
}

uint32_t sleepers_count(void)
{
	uint32_t sum = 0;

	unsigned n = __atomic_load_n(&sleepers.domains, __ATOMIC_RELAXED);

	for (unsigned d = 0; d < n; d++)
		sum += __atomic_load_n(&sleepers.domain[d].sleeping, __ATOMIC_SEQ_CST);
	return sum;
}

bool sleepers_any_searches(void)
{
	unsigned n = __atomic_load_n(&sleepers.domains, __ATOMIC_RELAXED);

	for (unsigned d = 0; d < n; d++)
		if (__atomic_load_n(&sleepers.domain[d].searching, __ATOMIC_SEQ_CST))
			return true;
	return false;
}

bool sleepers_choose(struct worker *w)
{
	if (!sleepers_take(w))
		return false;
	__atomic_add_fetch(&domain_of(w)->searching, 1, __ATOMIC_SEQ_CST);
	return true;
}

/*
 * Of those who are at home on that CPU. For a foreign pthread which runs there:
 * what it has made ready lies in the queue of this CPU, and it will soon let go
 * of it, mostly; to wake another CPU costs an interrupt there.
 */
static struct worker *choose_at(struct processor *p)
{
	for (unsigned i = 0; i < p->seats; i++) {
		struct worker *w = seat_holder(p, i);

		if (w && sleepers_has(w) && sleepers_take(w))
			return w;
	}
	return NULL;
}

/* One whose home is on that node; `first`: in whose word. */
static struct worker *choose_on(unsigned node, unsigned first)
{
	unsigned words = (sched_workers() + 63) / 64;

	for (unsigned i = 0; i < words; i++) {
		unsigned at = (first / 64 + i) % words;
		uint64_t *word = &sleepers.mask[(size_t)node * sleepers.row_words + at], bits, bit;

		while ((bits = __atomic_load_n(word, __ATOMIC_SEQ_CST))) {
			bit = bits & -bits;
			inject();
			/* in this row: a bit that is there is of one whose home is here */
			if (__atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST) & bit)
				return &sched.workers[at * 64 + (unsigned)__builtin_ctzll(bit)];
		}
	}
	return NULL;
}

struct worker *sleepers_take_one(unsigned domain)
{
	struct worker *self = worker_self(), *w = NULL;
	struct percpu *a = self ? NULL : percpu_here();
	struct processor *here = self ? self->home : a ? area_processor(a) : NULL;
	unsigned row = here ? sched_node(here) : 0, first = self ? self->index : 0;

	if (!self && here && here->domain == domain)
		w = choose_at(here);
	if (w)
		return w;
	switch (sched.policy.kind) {
	case POLICY_NONE: /* a domain is a processor, by its place in the set */
		return domain < sched_set()->count ? choose_at(sched_set()->processor[domain]) : NULL;
	case POLICY_NODE_ONLY: /* a node */
		return choose_on(domain, first);
	default:
		for (unsigned i = 0; i < sleepers.rows && !w; i++)
			w = choose_on((row + i) % sleepers.rows, first);
		return w;
	}
}

bool sleepers_any(unsigned domain)
{
	unsigned words = (sched_workers() + 63) / 64;
	bool one = sched.policy.kind == POLICY_NODE_ONLY;

	if (sched.policy.kind == POLICY_NONE) {
		struct processor *p = domain < sched_set()->count ? sched_set()->processor[domain] : NULL;

		for (unsigned i = 0; p && i < p->seats; i++)
			if (seat_holder(p, i) && sleepers_has(seat_holder(p, i)))
				return true;
		return false;
	}
	for (unsigned row = one ? domain : 0; row < (one ? domain + 1 : sleepers.rows); row++)
		for (unsigned i = 0; i < words; i++)
			if (__atomic_load_n(&sleepers.mask[(size_t)row * sleepers.row_words + i], __ATOMIC_SEQ_CST))
				return true;
	return false;
}

unsigned sleepers_domain_here(void)
{
	struct worker *self = worker_self();
	struct percpu *a = self ? NULL : percpu_here();

	return self ? self->home->domain : a ? area_processor(a)->domain : 0;
}
