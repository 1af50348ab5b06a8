/* SPDX-License-Identifier: MIT */
/*
 * block.h - the workloads in which a thread keeps its CPU from the others: by a
 * call that blocks in the kernel, or by a loop that does not end. What the backend
 * is asked to do, and what it did; the checks are shared (block.c).
 */
#ifndef BENCH_WORKLOAD_BLOCK_H
#define BENCH_WORKLOAD_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Computing: n steps take n multiplications, one after the other; where they lead
 * can be told by fewer (block.c). Not inlined: a call that does next to nothing.
 */
uint64_t step(uint64_t x);
uint64_t steps(uint64_t x, uint64_t n);

/* Calls of step(), which does not block, marked as if it might. */
struct calls {
	size_t n;
	uint64_t x; /* 1; then what n steps make of it */
	uint64_t ns;
	bool marked; /* the backend did */
};
void calls_plain(struct calls *c);

/*
 * One worker. A thread notes the time and blocks in read() on an empty pipe; the
 * thread that is queued on its CPU notes the time too, and writes to the pipe.
 * Before each round the first computes for a while, up to BATON_PAUSE_NS.
 */
struct baton {
	bool marked;
	size_t n;     /* rounds */
	uint64_t *ns; /* n: from before the read() until the other runs */
	size_t right; /* read what the other wrote in this round, and on the same CPU */
	int pipe[2];
	uint64_t random;
	uint64_t since;
	size_t round; /* the one in which somebody blocks, or is about to; from 1 */
	int cpu;
	bool together; /* the two were on one CPU */
};
#define BATON_PAUSE_NS 10000000

/* What the backend builds it of. begin and end: the marks, or NULL. */
void baton_pause(struct baton *b, int (*yield)(void));
void baton_block(struct baton *b, size_t i, void (*begin)(void), void (*end)(void));
void baton_take(struct baton *b, size_t i, int (*yield)(void));

/* A thread that computes a fixed amount, and yields now and then. */
struct stepper {
	uint64_t x;
	size_t turns; /* of STEPS_A_TURN each */
};
#define STEPS_A_TURN 65536
void stepper_run(struct stepper *s, int (*yield)(void));

struct beside;

/* A thread that waits for its byte, in read(). */
struct reader {
	struct beside *beside;
	int pipe[2];
	unsigned char byte; /* its own */
	bool right;
};
/* begin and end: the marks, or NULL. */
void reader_read(struct reader *r, void (*begin)(void), void (*end)(void));
/* Let them all go on. */
void readers_release(struct beside *b);

/* A thread that does not come to a scheduling point. On cache lines of its own. */
struct loop {
	uint64_t turns;
	uint64_t before; /* turns made when the steppers were begun */
	const bool *over;
	int cpu;
	char apart[256 - 3 * sizeof(uint64_t) - sizeof(int)];
};
void *loop_main(void *loop);
uint64_t loop_turns(const struct loop *l);

/* Steppers, beside readers or beside loops; or by themselves. */
struct beside {
	size_t steppers;
	struct stepper *stepper;
	uint64_t ns; /* until the last stepper ended */
	bool marked;
	size_t readers;
	struct reader *reader;
	size_t entered, returned; /* readers, before and after their read() */
	size_t blocked, early;    /* were in it, or had returned, when the last stepper ended */
	size_t right;
	size_t loops;
	struct loop *loop;
	size_t went_on; /* loops, since the steppers were begun */
	bool over;
};
/* When all loops run, and readers and steppers are about to be made; and when the
 * last stepper has ended. */
void beside_begin(struct beside *b);
void beside_end(struct beside *b);

#endif
