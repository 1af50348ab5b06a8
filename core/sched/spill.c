/* SPDX-License-Identifier: MIT */
/*
 * spill.c - the overflow queues, one per node: first in, first out, for what
 * does not fit in a ring, and what of a fair queue others have asked for. Everybody
 * looks there every 61st round, and when it has nothing else.
 *
 *	          spill   take
 *	spill       L       L     (L: the queue's lock)
 *	take        L       L
 *
 * Items are kept in chunks, so that spilling half a ring is one step under the
 * lock. `length` is read without it: a spill ends with a full fence, as rule D
 * of idle.h wants.
 *
 * Where several nodes have memory, a queue lies on its node, and so do its chunks, which
 * perch_alloc() makes of the memory of the CPU that spills. (malloc() mixes the nodes'
 * memory; and a worker's arena, once it is empty, goes back to the kernel, so that each
 * burst of threads would fault its chunks in again.)
 */
#include <errno.h>
#include <pthread.h>

#include <perch/alloc.h>
#include <perch/task.h>

#include "core/sched/idle.h"
#include "core/sched/sched.h"
#include "core/thread/group.h"
#include "rseq/inject.h"
#include "rseq/pool.h"

#define CHUNK (RING_CAPACITY / 2)
#define SMALL_CHUNK 64
/* Taken at once: one to run, the others into the ring. */
#define TAKE 64
#define NODES POOL_GROUPS

static unsigned nodes; /* queues in use: the highest node that has a processor, plus one */

struct chunk {
	struct chunk *next;
	unsigned first, end;
	unsigned room;
	uintptr_t item[];
};

static struct queue {
	pthread_mutex_t lock;
	struct chunk *head, *tail;
	uint64_t length;
} __attribute__((aligned(64))) * queue[NODES];

int spill_start(unsigned highest_node)
{
	unsigned n = highest_node < NODES ? highest_node + 1 : NODES;

	for (unsigned i = 0; i < n; i++) {
		queue[i] = group_alloc(i, sizeof(*queue[i]));
		if (!queue[i])
			return -ENOMEM;
		pthread_mutex_init(&queue[i]->lock, NULL);
	}
	nodes = n;
	return 0;
}

void spill_stop(void)
{
	for (unsigned i = 0; i < nodes; i++)
		while (queue[i]->head) {
			struct chunk *c = queue[i]->head;

			queue[i]->head = c->next;
			perch_free(c);
		}
	nodes = 0;
}

void spill_forget(void)
{
	for (unsigned i = 0; i < nodes; i++)
		__atomic_store_n(&queue[i]->length, 0, __ATOMIC_RELAXED);
}

static unsigned node_here(void)
{
	struct percpu *a = percpu_here();

	return a ? a->group % nodes : 0;
}

static void append(struct queue *q, struct chunk *c)
{
	inject();
	pthread_mutex_lock(&q->lock);
	c->next = NULL;
	if (q->tail)
		q->tail->next = c;
	else
		q->head = c;
	q->tail = c;
	__atomic_store_n(&q->length, q->length + (c->end - c->first), __ATOMIC_RELAXED);
	pthread_mutex_unlock(&q->lock);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* For the queue of the node that this runs on. */
static struct chunk *chunk_new(unsigned room)
{
	struct chunk *c = perch_alloc(sizeof(*c) + room * sizeof(c->item[0]));

	if (c) {
		c->first = c->end = 0;
		c->room = room;
	}
	return c;
}

bool spill_ring(struct worker *w)
{
	unsigned here = node_here();
	struct chunk *c = chunk_new(CHUNK);
	struct percpu *a = percpu_here();

	if (!c)
		return false;
	ring_publish();
	while (a && c->end < CHUNK) {
		unsigned n = ring_steal(a, c->item + c->end, CHUNK - c->end);

		if (!n)
			break;
		c->end += n;
	}
	if (!c->end) {
		perch_free(c); /* others have robbed us meanwhile: there is room */
		return true;
	}
	if (w)
		stat_add(&w->stats.spilled, c->end);
	append(queue[here], c);
	idle_notify();
	return true;
}

bool spill_fair(struct worker *w)
{
	struct percpu *a = percpu_here();
	unsigned here = node_here(), n = a ? ring_fair_length(a) / 2 : 0;
	struct chunk *c = n ? chunk_new(SMALL_CHUNK) : NULL;

	if (!c)
		return false;
	if (n > c->room)
		n = c->room;
	while (c->end < n && ring_fair_pop(&c->item[c->end]) == RING_DONE)
		c->end++;
	if (!c->end) {
		perch_free(c);
		return false;
	}
	stat_add(&w->stats.spilled, c->end);
	append(queue[here], c);
	return true;
}

bool spill_item(uintptr_t item)
{
	unsigned here = node_here();
	struct queue *q = queue[here];
	struct chunk *c;
	bool done = false;

	pthread_mutex_lock(&q->lock);
	if (q->tail && q->tail->end < q->tail->room) {
		q->tail->item[q->tail->end++] = item;
		__atomic_store_n(&q->length, q->length + 1, __ATOMIC_RELAXED);
		done = true;
	}
	pthread_mutex_unlock(&q->lock);
	if (!done) {
		c = chunk_new(SMALL_CHUNK);
		if (!c)
			return false;
		c->item[c->end++] = item;
		append(q, c);
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	idle_notify();
	return true;
}

static unsigned take(unsigned group, uintptr_t *item)
{
	struct queue *q = queue[group];
	struct chunk *empty = NULL;
	unsigned n = 0;

	pthread_mutex_lock(&q->lock);
	if (q->head) {
		struct chunk *c = q->head;

		while (n < TAKE && c->first < c->end)
			item[n++] = c->item[c->first++];
		__atomic_store_n(&q->length, q->length - n, __ATOMIC_RELAXED);
		if (c->first == c->end) {
			q->head = c->next;
			if (!q->head)
				q->tail = NULL;
			empty = c;
		}
	}
	pthread_mutex_unlock(&q->lock);
	perch_free(empty);
	return n;
}

uintptr_t spill_take(void)
{
	uintptr_t item[TAKE];
	unsigned here = node_here();

	for (unsigned i = 0; i < nodes; i++) {
		unsigned at = (here + i) % nodes;
		unsigned n = __atomic_load_n(&queue[at]->length, __ATOMIC_RELAXED) ? take(at, item) : 0;

		if (!n)
			continue;
		/* it is long since they were touched, and soon they will be */
		for (unsigned k = 0; k < n; k++)
			__builtin_prefetch((void *)(item[k] & ~PERCH_TASK_TAG), 1);
		/* the oldest is run now; the next oldest shall be on top */
		for (unsigned k = n - 1; k > 0; k--)
			sched_ready_item_always(item[k]);
		return item[0];
	}
	return 0;
}

bool spill_empty(void)
{
	for (unsigned i = 0; i < nodes; i++)
		if (__atomic_load_n(&queue[i]->length, __ATOMIC_ACQUIRE))
			return false;
	return true;
}

unsigned spill_queues(void)
{
	return nodes;
}

uint64_t spill_length(unsigned i)
{
	return __atomic_load_n(&queue[i]->length, __ATOMIC_RELAXED);
}
