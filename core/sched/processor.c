/* SPDX-License-Identifier: MIT */
#include "core/sched/processor.h"

#include "core/alloc/cache.h"
#include "core/sched/sched.h"
#include "core/thread/group.h"
#include "rseq/inject.h"
#include "rseq/sanitizer.h"

struct processor *processor_start(int cpu, int node, unsigned seats)
{
	struct processor *p = area_processor(percpu_of(cpu));
	uint32_t group = group_of_node(node);
	struct seat *seat = group_alloc(group, seats * sizeof(*seat));

	if (!seat)
		return NULL;
	/* before the first touch */
	group_bind(percpu_of(cpu), (size_t)1 << PERCPU_SHIFT, group);
	p->seat = seat;
	p->seats = seats;
	p->lookout = NULL;
	p->watched = p->lost = p->computing = p->taking = 0;
	p->standby = NULL;
	p->cpu = cpu;
	p->node = node;
	p->domain = 0;
	p->retired = 1;
	p->victims = NULL;
	p->forced_at = 0;
	p->inbox_lock = 0;
	timers_start(&p->timers);
	cds_wfcq_init(&p->inbox_head, &p->inbox_tail);
	return p;
}

void processor_open(struct processor *p)
{
	percpu_activate(p->cpu, group_of_node(p->node));
	__atomic_store_n(&p->retired, 0, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&sched.active, 1, __ATOMIC_SEQ_CST);
}

void processor_close(struct processor *p)
{
	__atomic_store_n(&p->retired, 1, __ATOMIC_SEQ_CST);
	__atomic_sub_fetch(&sched.active, 1, __ATOMIC_SEQ_CST);
	inject();
	percpu_deactivate(p->cpu);
	cache_close(p->cpu);
}

void processor_stop(struct processor *p)
{
	percpu_deactivate(p->cpu);
	cache_close(p->cpu);
	timers_stop(&p->timers);
	cds_wfcq_destroy(&p->inbox_head, &p->inbox_tail);
	p->victims = NULL;
	p->seat = NULL;
}

/* A thread is in at most one queue, so its link serves as the inbox's node. */
_Static_assert(sizeof(struct cds_wfcq_node) == sizeof(struct thread *), "the link is one word");

static struct cds_wfcq_node *thread_node(struct thread *t)
{
	return (struct cds_wfcq_node *)&t->next;
}

static struct thread *node_thread(struct cds_wfcq_node *n)
{
	return (struct thread *)((char *)n - offsetof(struct thread, next));
}

void processor_post(struct processor *p, struct thread *t)
{
	cds_wfcq_node_init(thread_node(t));
	SANITIZER_GIVE(t);
	cds_wfcq_enqueue(&p->inbox_head, &p->inbox_tail, thread_node(t));
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

struct thread *processor_collect_slow(struct processor *p, unsigned *taken)
{
	struct cds_wfcq_head head;
	struct cds_wfcq_tail tail;
	struct cds_wfcq_node *n, *next;
	struct thread *first = NULL;

	*taken = 0;
	if (__atomic_exchange_n(&p->inbox_lock, 1, __ATOMIC_ACQUIRE))
		return NULL;
	inject();
	cds_wfcq_init(&head, &tail);
	__cds_wfcq_splice_blocking(&head, &tail, &p->inbox_head, &p->inbox_tail);
	__atomic_store_n(&p->inbox_lock, 0, __ATOMIC_RELEASE);
	/* what was spliced is ours alone; a producer that is cut between its two
	 * steps is waited for, as the queue's documentation says */
	for (n = __cds_wfcq_first_blocking(&head, &tail); n; n = next) {
		next = __cds_wfcq_next_blocking(&head, &tail, n);
		SANITIZER_TAKE(node_thread(n));
		++*taken;
		if (!first)
			first = node_thread(n);
		else
			sched_ready_here(node_thread(n));
	}
	cds_wfcq_destroy(&head, &tail);
	return first;
}

bool processor_has_work(struct processor *p)
{
	struct percpu *a = processor_area(p);

	return ring_shared(a) || ring_private(a) || ring_fair_length(a) || !processor_inbox_empty(p);
}
