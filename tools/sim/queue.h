/* SPDX-License-Identifier: MIT */
/*
 * queue.h - the events that are to come: a heap of (time, CPU), four children to a
 * node. Each CPU that is awake has exactly one event, when it goes on. Only the
 * first is ever changed or removed, so nobody need know where the others lie.
 */
#ifndef SIM_QUEUE_H
#define SIM_QUEUE_H

#include <stdint.h>

struct event {
	uint64_t at;
	uint64_t cpu; /* of two at the same time the lower CPU comes first */
};

struct queue {
	unsigned count;
	struct event *event; /* room for one of each CPU */
};

static inline int event_before(struct event a, struct event b)
{
	return a.at != b.at ? a.at < b.at : a.cpu < b.cpu;
}

static inline void queue_insert(struct queue *q, uint64_t at, unsigned cpu)
{
	struct event e = {at, cpu};
	unsigned i = q->count++;

	for (; i && event_before(e, q->event[(i - 1) / 4]); i = (i - 1) / 4)
		q->event[i] = q->event[(i - 1) / 4];
	q->event[i] = e;
}

static inline void queue_sink(struct queue *q, struct event e)
{
	unsigned i = 0;

	for (;;) {
		unsigned first = 4 * i + 1, best = first;

		if (first >= q->count)
			break;
		for (unsigned k = first + 1; k < first + 4 && k < q->count; k++)
			if (event_before(q->event[k], q->event[best]))
				best = k;
		if (!event_before(q->event[best], e))
			break;
		q->event[i] = q->event[best];
		i = best;
	}
	q->event[i] = e;
}

/* The first is later now. */
static inline void queue_delay(struct queue *q, uint64_t at)
{
	queue_sink(q, (struct event){at, q->event[0].cpu});
}

static inline void queue_drop(struct queue *q)
{
	if (--q->count)
		queue_sink(q, q->event[q->count]);
}

/* When the one after the first comes; UINT64_MAX: there is none. */
static inline uint64_t queue_second(const struct queue *q)
{
	uint64_t at = UINT64_MAX;

	for (unsigned i = 1; i < 5 && i < q->count; i++)
		if (q->event[i].at < at)
			at = q->event[i].at;
	return at;
}

#endif
