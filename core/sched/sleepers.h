/* SPDX-License-Identifier: MIT */
/*
 * sleepers.h - which workers sleep, and how many search, kept so that who wakes one finds
 * one that may take what it is woken for, and is near. When to sleep and whom to tell is
 * idle.h's.
 *
 * Domains (idle.h) have counts. The mask has a bit per worker: it sleeps, and nobody has
 * chosen it yet; in a row for each node. A worker's home, and so its row and domain, only
 * changes while its bit is clear, and it is not counted.
 *
 *	           enter   take   any, has      enter: its worker, when it goes to sleep; take:
 *	enter        -      -        -          anybody, and of several just one succeeds. All
 *	take         -      -        -          are single sequentially consistent instructions:
 *	any, has     -      -        -          who enters, then reads a count, and who raises
 *	                                        the count, then looks, do not both miss.
 */
#ifndef PERCH_SCHED_SLEEPERS_H
#define PERCH_SCHED_SLEEPERS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/sched/sched.h"
#include "core/sched/worker.h"

/* Of the workers of one domain. */
struct domain {
	uint32_t searching, sleeping, seats;
} __attribute__((aligned(64)));

struct sleepers {
	struct domain *domain;
	unsigned domains;
	uint64_t *mask;
	unsigned rows, row_words;
};
extern struct sleepers sleepers; /* read mostly */

/* By sched.policy. For so many workers, ever. 0 or -ENOMEM. */
int sleepers_start(unsigned workers);
void sleepers_stop(void);

/* Not everybody may take everything: there are several domains. */
static inline bool sleepers_apart(void)
{
	return sleepers.domains != 1;
}

static inline struct processor *home_of(const struct worker *w)
{
	return __atomic_load_n(&w->home, __ATOMIC_RELAXED);
}

static inline struct domain *domain_of(const struct worker *w)
{
	return &sleepers.domain[home_of(w)->domain];
}

static inline uint64_t *sleepers_word(const struct worker *w)
{
	return &sleepers.mask[(size_t)sched_node(home_of(w)) * sleepers.row_words + w->index / 64];
}

static inline void sleepers_enter(struct worker *w)
{
	__atomic_fetch_or(sleepers_word(w), (uint64_t)1 << w->index % 64, __ATOMIC_SEQ_CST);
}

/* True: the caller has chosen it, and is to wake it or to send it among the spares. */
static inline bool sleepers_take(struct worker *w)
{
	uint64_t bit = (uint64_t)1 << w->index % 64;

	return __atomic_fetch_and(sleepers_word(w), ~bit, __ATOMIC_SEQ_CST) & bit;
}

static inline bool sleepers_has(const struct worker *w)
{
	return __atomic_load_n(sleepers_word(w), __ATOMIC_SEQ_CST) >> w->index % 64 & 1;
}

/* Take it; when that is true, it counts as a searcher from here on. */
bool sleepers_choose(struct worker *w);
/* Take one of that domain, of the caller's CPU or node first; NULL: nobody sleeps. Who was
 * just moving may be of another domain by now: domain_of() tells. */
struct worker *sleepers_take_one(unsigned domain);
/* Somebody of that domain sleeps, and has not been chosen. */
bool sleepers_any(unsigned domain);

/* In all domains, at some moment of each. By any pthread, whether or not it runs. */
uint32_t sleepers_count(void);
bool sleepers_any_searches(void);

/* In which the caller is. */
unsigned sleepers_domain_here(void);
/* One seat more (1), or less (-1), in use. */
void sleepers_add_seat(struct processor *p, int n);

#endif
