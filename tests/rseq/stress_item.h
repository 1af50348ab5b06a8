/* SPDX-License-Identifier: MIT */
/*
 * stress_item.h - the items that the stress test moves through the queues, and
 * the proof that each was consumed exactly once.
 *
 * There is a fixed number of items, used again and again; what goes into a
 * queue is {generation, number}. An item that is not in a queue is on exactly
 * one worker's free list. A doubled item is noticed when it is consumed (its
 * generation has passed), or when it is queued twice, or at the latest when a
 * round ends: then every item must be in exactly one place. Nothing here is a
 * locked instruction, which would keep apart what the test wants to collide.
 */
#ifndef PERCH_TESTS_RSEQ_STRESS_ITEM_H
#define PERCH_TESTS_RSEQ_STRESS_ITEM_H

#include <stdbool.h>
#include <stdint.h>

#define STRESS_WORKERS 64
#define STRESS_CPUS 64

struct item {
	uint64_t state;    /* generation << 1 | queued */
	uint64_t sequence; /* of its producer's pushes */
	uint32_t producer;
	uint32_t place; /* when a round ends: how often it was found */
};

/* Sequences must rise along a queue; what was seen last of each producer. */
struct order {
	uint64_t last[STRESS_CPUS][STRESS_WORKERS];
};

struct hoard {
	uint32_t *item; /* numbers of items in nobody's queue */
	uint32_t length;
	uint32_t worker;
	uint64_t sequence;
	struct order stolen; /* by victim: the ring's old end, in the order of positions */
	struct order fair;   /* by CPU: the fair queue's old end */
};

extern uint32_t item_count;

/* The first thing that was wrong; NULL while all is well. */
const char *stress_broken(void);
/* Keeps the first message and prints each of the first few on stderr. */
void stress_break(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

/* Make `count` items, dealt out to the hoards. 0 or -ENOMEM. */
int item_start(uint32_t count, struct hoard *hoards, unsigned n);
void item_stop(struct hoard *hoards, unsigned n);

/* Take an item from the hoard, mark it queued. 0: there is none. */
uintptr_t item_queue(struct hoard *h);
/* The queue did not take it: back with it. */
void item_unqueue(struct hoard *h, uintptr_t word);
/* It came out of a queue. `from` says how, for the message. */
void item_consume(struct hoard *h, uintptr_t word, const char *from);
/* To be called before item_consume(): this came from the old end of cpu's queue. */
void item_check_order(struct hoard *h, struct order *order, int cpu, uintptr_t word, const char *from);
/* To be called before item_consume(): a worker pinned to `cpu` took it from its
 * own queue; a producer that was always pinned must have been pinned there. */
void item_check_home(uintptr_t word, int cpu, const int *producers_cpu, const char *from);

/*
 * While no worker runs: every item must be in one hoard and not queued, or in
 * one slot of the `n` CPUs' queues and of the generation that was queued.
 */
void item_account(struct hoard *hoards, unsigned n_hoards, const int *cpus, unsigned n);

#endif
