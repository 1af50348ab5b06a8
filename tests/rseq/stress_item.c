/* SPDX-License-Identifier: MIT */
#include "tests/rseq/stress_item.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rseq/ring.h"

#define GET(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define SET(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELAXED)

uint32_t item_count;
static struct item *items;
static char first[256];
static unsigned breaks;
static bool broken;

const char *stress_broken(void)
{
	return __atomic_load_n(&broken, __ATOMIC_ACQUIRE) ? first : NULL;
}

void stress_break(const char *format, ...)
{
	unsigned mine = __atomic_fetch_add(&breaks, 1, __ATOMIC_RELAXED);
	char line[256];
	va_list list;
	int n;

	va_start(list, format);
	vsnprintf(line, sizeof(line) - 1, format, list);
	va_end(list);
	if (mine == 0) {
		memcpy(first, line, sizeof(first));
		__atomic_store_n(&broken, true, __ATOMIC_RELEASE);
	}
	if (mine < 5) {
		n = (int)strlen(line);
		line[n++] = '\n';
		if (write(STDERR_FILENO, line, (size_t)n) < 0)
			abort();
	}
}

int item_start(uint32_t count, struct hoard *hoards, unsigned n)
{
	item_count = count;
	items = calloc(count, sizeof(*items));
	if (!items)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		hoards[i].item = malloc(count * sizeof(*hoards[i].item));
		if (!hoards[i].item)
			return -ENOMEM;
		hoards[i].length = 0;
		hoards[i].worker = i;
	}
	for (uint32_t i = 0, k = 0; i < count; i++, k = k + 1 < n ? k + 1 : 0)
		hoards[k].item[hoards[k].length++] = i;
	return 0;
}

void item_stop(struct hoard *hoards, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		free(hoards[i].item);
	free(items);
	items = NULL;
}

static uintptr_t word_of(uint32_t number, uint64_t generation)
{
	return (uintptr_t)(generation << 32 | (number + 1));
}

static struct item *item_of(uintptr_t word)
{
	uint32_t number = (uint32_t)word - 1;

	return number < item_count ? &items[number] : NULL;
}

static bool is_queued(uintptr_t word)
{
	uint64_t state = GET(item_of(word)->state);

	return state & 1 && (uint32_t)(state >> 1) == (uint32_t)(word >> 32);
}

uintptr_t item_queue(struct hoard *h)
{
	uint32_t number;
	uint64_t state;

	if (!h->length)
		return 0;
	number = h->item[--h->length];
	state = GET(items[number].state);
	if (state & 1) {
		stress_break("item %" PRIu32 " is doubled: worker %" PRIu32
			     " holds it while it is queued (generation %" PRIu64 ")",
			     number, h->worker, state >> 1);
		return 0;
	}
	SET(items[number].producer, h->worker);
	SET(items[number].sequence, ++h->sequence);
	SET(items[number].state, ((state >> 1) + 1) << 1 | 1);
	return word_of(number, (state >> 1) + 1);
}

void item_unqueue(struct hoard *h, uintptr_t word)
{
	struct item *item = item_of(word);

	SET(item->state, GET(item->state) & ~(uint64_t)1);
	h->item[h->length++] = (uint32_t)word - 1;
}

void item_consume(struct hoard *h, uintptr_t word, const char *from)
{
	struct item *item = item_of(word);

	if (!item) {
		stress_break("%s returned %#" PRIxPTR ", which was never pushed", from, word);
		return;
	}
	if (!is_queued(word)) {
		stress_break("item %" PRIu32 " is doubled: %s returned generation %" PRIu32 " again, now at %" PRIu64
			     " (%s)",
			     (uint32_t)word - 1, from, (uint32_t)(word >> 32), GET(item->state) >> 1,
			     GET(item->state) & 1 ? "queued" : "free");
		return; /* it has its place already */
	}
	SET(item->state, GET(item->state) & ~(uint64_t)1);
	if (h->length < item_count)
		h->item[h->length++] = (uint32_t)word - 1;
	else
		stress_break("worker %" PRIu32 " holds more items than there are", h->worker);
}

void item_check_order(struct hoard *h, struct order *order, int cpu, uintptr_t word, const char *from)
{
	struct item *item = item_of(word);
	uint64_t sequence, *last;
	uint32_t producer;

	if (!item || !is_queued(word))
		return; /* item_consume() will say so */
	producer = GET(item->producer);
	sequence = GET(item->sequence);
	if (producer >= STRESS_WORKERS)
		return;
	last = &order->last[cpu][producer];
	if (sequence <= *last)
		stress_break("out of order: worker %" PRIu32 ", %s of CPU %d: push %" PRIu64 " of worker %" PRIu32
			     " after its push %" PRIu64,
			     h->worker, from, cpu, sequence, producer, *last);
	*last = sequence;
}

void item_check_home(uintptr_t word, int cpu, const int *producers_cpu, const char *from)
{
	struct item *item = item_of(word);
	uint32_t producer;

	if (!item || !is_queued(word))
		return;
	producer = GET(item->producer);
	if (producer < STRESS_WORKERS && producers_cpu[producer] >= 0 && producers_cpu[producer] != cpu)
		stress_break("%s on CPU %d returned item %" PRIu32 ", which was pushed on CPU %d", from, cpu,
			     (uint32_t)word - 1, producers_cpu[producer]);
}

static void found(uintptr_t word, const char *where, int cpu)
{
	struct item *item = item_of(word);

	if (!item)
		stress_break("%s of CPU %d holds %#" PRIxPTR ", which was never pushed", where, cpu, word);
	else if (!is_queued(word))
		stress_break("item %" PRIu32 " is doubled: still in %s of CPU %d at generation %" PRIu32
			     ", and at %" PRIu64,
			     (uint32_t)word - 1, where, cpu, (uint32_t)(word >> 32), item->state >> 1);
	else if (item->place++)
		stress_break("item %" PRIu32 " is doubled: in %s of CPU %d and elsewhere", (uint32_t)word - 1, where,
			     cpu);
}

void item_account(struct hoard *hoards, unsigned n_hoards, const int *cpus, unsigned n)
{
	uint32_t lost = 0, example = 0;

	for (uint32_t i = 0; i < item_count; i++)
		items[i].place = 0;
	for (unsigned i = 0; i < n; i++) {
		struct percpu *a = percpu_of(cpus[i]);
		uint16_t head = (uint16_t)a->split, split = (uint16_t)(a->split >> 16);
		uint16_t length = (uint16_t)(a->tail - head);
		uint32_t fair = a->fair_tail - a->fair_head;

		if (length > RING_CAPACITY || (uint16_t)(split - head) > length || fair > FAIR_CAPACITY) {
			stress_break("CPU %d's positions are wrong: head %u split %u tail %u, fair %u to %u", cpus[i],
				     head, split, a->tail, a->fair_head, a->fair_tail);
			continue;
		}
		if (a->flags != (percpu_locked ? PERCPU_BY_LOCK : PERCPU_ACTIVE) || a->lock)
			stress_break("CPU %d is left with flags %#x, lock %u", cpus[i], a->flags, a->lock);
		for (unsigned k = 0; k < length; k++)
			found(a->slot[(head + k) % RING_CAPACITY], "the ring", cpus[i]);
		for (unsigned k = 0; k < fair; k++)
			found(a->fair_slot[(a->fair_head + k) % FAIR_CAPACITY], "the fair queue", cpus[i]);
	}
	for (unsigned i = 0; i < n_hoards; i++)
		for (uint32_t k = 0; k < hoards[i].length; k++) {
			struct item *item = &items[hoards[i].item[k]];

			if (item->place++ || item->state & 1)
				stress_break("item %" PRIu32 " is doubled: worker %u holds it and it is %s",
					     hoards[i].item[k], i, item->state & 1 ? "queued" : "held elsewhere");
		}
	for (uint32_t i = 0; i < item_count; i++)
		if (!items[i].place) {
			lost++;
			example = i;
		}
	if (lost)
		stress_break("%" PRIu32 " items are lost, such as %" PRIu32 " (generation %" PRIu64 ")", lost, example,
			     items[example].state >> 1);
}
