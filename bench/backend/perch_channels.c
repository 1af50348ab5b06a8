/* SPDX-License-Identifier: MIT */
/* perch_channels.c - messages through channels. */
#include <errno.h>
#include <stdlib.h>

#include "bench/backend/perch_waits.h"
#include "bench/workload/measure.h"
#include "bench/workload/messages.h"

struct line {
	perch_chan_t *chan;
	size_t each;
	uint32_t senders; /* the last closes it */
};

struct producer {
	struct line *line;
	size_t me;
};

struct consumer {
	struct line *line;
	struct taken taken;
};

static void *produce(void *arg)
{
	const struct producer *p = arg;
	struct line *line = p->line;

	for (uint64_t i = 1; i <= line->each; i++) {
		uint64_t value = message(p->me, i);

		if (perch_chan_send(line->chan, &value))
			break; /* seen as messages that are missing */
	}
	if (__atomic_sub_fetch(&line->senders, 1, __ATOMIC_ACQ_REL) == 0)
		perch_chan_close(line->chan);
	return NULL;
}

static void *consume(void *arg)
{
	struct consumer *c = arg;
	uint64_t value;

	while (perch_chan_recv(c->line->chan, &value) == 1)
		message_take(&c->taken, value);
	return NULL;
}

int perch_bench_chan(struct traffic *x)
{
	struct consumer *consumer = calloc(x->consumers, sizeof(*consumer));
	struct producer producer[x->producers];
	struct line line = {.each = x->each, .senders = (uint32_t)x->producers};
	perch_t t[x->producers + x->consumers];
	size_t made = 0;
	uint64_t start;
	int r = consumer ? perch_chan_create(&line.chan, sizeof(uint64_t), x->capacity) : -ENOMEM;

	if (r) {
		free(consumer);
		return r;
	}
	for (size_t i = 0; i < x->producers; i++)
		producer[i] = (struct producer){&line, i};
	for (size_t i = 0; i < x->consumers; i++)
		consumer[i].line = &line;
	start = now_ns();
	r = start_all(t, &made, x->consumers, consume, consumer, sizeof(*consumer));
	if (!r)
		r = start_all(t, &made, x->producers, produce, producer, sizeof(*producer));
	if (r)
		exit(3); /* those who are there wait for the others */
	r = join_all(t, made);
	x->ns = now_ns() - start;
	for (size_t i = 0; i < x->consumers; i++)
		taken_add(x, &consumer[i].taken);
	perch_chan_destroy(line.chan);
	free(consumer);
	return r;
}

struct selector {
	perch_select_case_t *cases;
	uint64_t *value;
	size_t n, total;
	struct taken taken;
};

static void *select_all(void *arg)
{
	struct selector *s = arg;

	for (size_t i = 0; i < s->total; i++) {
		int at = perch_select(s->cases, s->n);

		if (at < 0 || s->cases[at].result != 1 || s->value[at] >> PRODUCER_SHIFT != (uint64_t)at) {
			s->taken.disordered = true;
			continue;
		}
		message_take(&s->taken, s->value[at]);
	}
	return NULL;
}

/* The senders of what is not taken would wait for ever: so as many as are sent are taken. */
int perch_bench_selects(struct traffic *x)
{
	perch_select_case_t cases[x->producers];
	struct producer producer[x->producers];
	struct line line[x->producers];
	uint64_t value[x->producers];
	struct selector s = {.cases = cases, .value = value, .n = x->producers, .total = x->producers * x->each};
	perch_t t[x->producers + 1];
	size_t made = 0;
	uint64_t start;
	int r = 0;

	for (size_t i = 0; i < x->producers && !r; i++) {
		line[i] = (struct line){.each = x->each, .senders = 2}; /* never closed */
		r = perch_chan_create(&line[i].chan, sizeof(uint64_t), x->capacity);
		producer[i] = (struct producer){&line[i], i};
		cases[i] = (perch_select_case_t){line[i].chan, PERCH_RECV, &value[i], 0};
	}
	if (r)
		return r;
	start = now_ns();
	r = start_all(t, &made, 1, select_all, &s, sizeof(s));
	if (!r)
		r = start_all(t, &made, x->producers, produce, producer, sizeof(*producer));
	if (r)
		exit(3);
	r = join_all(t, made);
	x->ns = now_ns() - start;
	taken_add(x, &s.taken);
	for (size_t i = 0; i < x->producers; i++)
		perch_chan_destroy(line[i].chan);
	return r;
}
