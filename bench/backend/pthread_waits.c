/* SPDX-License-Identifier: MIT */
#include "bench/backend/pthread_waits.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "bench/backend/pthread_queue.h"
#include "bench/workload/measure.h"
#include "bench/workload/messages.h"

struct member {
	void *(*fn)(void *);
	void *arg;
	pthread_barrier_t *start;
};

static void *begin(void *arg)
{
	const struct member *m = arg;

	pthread_barrier_wait(m->start);
	return m->fn(m->arg);
}

int pthread_crew(size_t n, void *(*fn)(void *), void *args, size_t size, uint64_t *ns)
{
	pthread_barrier_t barrier;
	struct member member[n];
	pthread_t t[n];
	uint64_t start;

	pthread_barrier_init(&barrier, NULL, (unsigned)n + 1);
	for (size_t i = 0; i < n; i++) {
		int r;

		member[i] = (struct member){fn, (char *)args + i * size, &barrier};
		r = pthread_create(&t[i], NULL, begin, &member[i]);
		if (r && i)
			exit(3); /* those who are there wait for the others */
		if (r)
			return -r;
	}
	pthread_barrier_wait(&barrier);
	start = now_ns();
	for (size_t i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	*ns = now_ns() - start;
	pthread_barrier_destroy(&barrier);
	return 0;
}

struct table {
	struct pingpong *p;
	struct queue to[2];
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	uint64_t token; /* under the mutex */
	bool wrong[2], stayed[2], over;
};

struct player {
	struct table *table;
	unsigned me;
};

/* With two workers: each, and its yielder, on a CPU of its own, the first two of those that start() left. */
int pthread_sit_down(unsigned me)
{
	cpu_set_t set;
	int cpu = -1;

	sched_getaffinity(0, sizeof(set), &set);
	for (unsigned i = 0; i <= me; i++)
		for (cpu++; cpu < CPU_SETSIZE && !CPU_ISSET(cpu, &set);)
			cpu++;
	if (cpu == CPU_SETSIZE)
		return -1; /* there is but one: at least they are two pthreads */
	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -1 : cpu;
}

static bool play_chan(struct table *t, unsigned me)
{
	bool wrong = false;
	uint64_t token = 0;

	for (uint64_t i = 0; i < t->p->n; i++) {
		if (me || i) {
			wrong |= !queue_receive(&t->to[me], &token);
			wrong |= token != 2 * i + me;
		}
		queue_send(&t->to[!me], ++token);
	}
	if (!me) {
		wrong |= !queue_receive(&t->to[0], &token);
		t->token = token;
	}
	return wrong;
}

static bool play_cond(struct table *t, unsigned me)
{
	bool wrong = false;

	for (uint64_t i = 0; i < t->p->n; i++) {
		pthread_mutex_lock(&t->mutex);
		while ((t->token & 1) != me)
			pthread_cond_wait(&t->cond, &t->mutex);
		wrong |= t->token++ != 2 * i + me;
		pthread_cond_signal(&t->cond);
		pthread_mutex_unlock(&t->mutex);
	}
	return wrong;
}

static void *play(void *arg)
{
	const struct player *player = arg;
	struct table *t = player->table;
	unsigned me = player->me;
	uint64_t start;
	int cpu = t->p->workers > 1 ? pthread_sit_down(me % 2) : -1;

	if (me > 1) {
		while (!__atomic_load_n(&t->over, __ATOMIC_ACQUIRE))
			sched_yield();
		return NULL;
	}
	start = now_ns();
	t->wrong[me] = t->p->cond ? play_cond(t, me) : play_chan(t, me);
	if (!me) {
		t->p->ns = now_ns() - start;
		__atomic_store_n(&t->over, true, __ATOMIC_RELEASE);
	}
	t->stayed[me] = cpu < 0 || sched_getcpu() == cpu;
	return NULL;
}

int pthread_pingpong(struct pingpong *p)
{
	struct table table = {.p = p, .mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
	struct player player[4] = {{&table, 0}, {&table, 1}, {&table, 2}, {&table, 3}};
	uint64_t ns;
	int r;

	for (int i = 0; i < 2; i++) {
		r = queue_init(&table.to[i], 0);
		if (r)
			return r;
	}
	r = pthread_crew(p->workers > 1 ? 4 : 2, play, player, sizeof(player[0]), &ns);
	p->token = table.token;
	p->out_of_turn = table.wrong[0] || table.wrong[1];
	p->apart = table.stayed[0] && table.stayed[1];
	for (int i = 0; i < 2; i++)
		queue_destroy(&table.to[i]);
	return r;
}

struct crew {
	pthread_mutex_t mutex;
	uint64_t count;
	size_t each;
	bool timed;
};

struct locker {
	struct crew *crew;
	uint64_t longest_ns;
};

static void lock_and_look(struct locker *l)
{
	struct crew *crew = l->crew;

	for (size_t i = 0; i < crew->each; i++) {
		uint64_t ns = i % LOCKS_PER_LOOK ? 0 : now_ns();

		pthread_mutex_lock(&crew->mutex);
		if (ns) {
			ns = now_ns() - ns;
			l->longest_ns = ns > l->longest_ns ? ns : l->longest_ns;
		}
		crew->count++;
		pthread_mutex_unlock(&crew->mutex);
	}
}

static void *lock_all(void *arg)
{
	struct locker *l = arg;
	struct crew *crew = l->crew;

	if (crew->timed) {
		lock_and_look(l);
		return NULL;
	}
	for (size_t i = 0; i < crew->each; i++) {
		pthread_mutex_lock(&crew->mutex);
		crew->count++;
		pthread_mutex_unlock(&crew->mutex);
	}
	return NULL;
}

int pthread_locking(struct locking *l)
{
	struct crew crew = {.mutex = PTHREAD_MUTEX_INITIALIZER, .each = l->each, .timed = l->timed};
	struct locker locker[l->threads];
	int r;

	for (size_t i = 0; i < l->threads; i++)
		locker[i] = (struct locker){&crew, 0};
	r = pthread_crew(l->threads, lock_all, locker, sizeof(locker[0]), &l->ns);
	l->count = crew.count;
	l->longest_wait_ns = 0;
	for (size_t i = 0; i < l->threads; i++)
		if (locker[i].longest_ns > l->longest_wait_ns)
			l->longest_wait_ns = locker[i].longest_ns;
	return r;
}

struct line {
	struct queue queue;
	size_t each;
	uint32_t senders; /* the last closes it */
};

/* A producer, or a consumer. */
struct end {
	struct line *line;
	bool takes;
	size_t me;
	struct taken taken;
};

static void *traffic(void *arg)
{
	struct end *e = arg;
	struct line *line = e->line;
	uint64_t value;

	if (e->takes) {
		while (queue_receive(&line->queue, &value))
			message_take(&e->taken, value);
		return NULL;
	}
	for (uint64_t i = 1; i <= line->each; i++)
		queue_send(&line->queue, message(e->me, i));
	if (__atomic_sub_fetch(&line->senders, 1, __ATOMIC_ACQ_REL) == 0)
		queue_close(&line->queue);
	return NULL;
}

int pthread_chan(struct traffic *x)
{
	struct line line = {.each = x->each, .senders = (uint32_t)x->producers};
	size_t ends = x->producers + x->consumers;
	struct end *end = calloc(ends, sizeof(*end));
	int r = end ? queue_init(&line.queue, x->capacity) : -ENOMEM;

	if (r) {
		free(end);
		return r;
	}
	for (size_t i = 0; i < ends; i++) {
		end[i].line = &line;
		end[i].takes = i >= x->producers;
		end[i].me = i;
	}
	r = pthread_crew(ends, traffic, end, sizeof(*end), &x->ns);
	for (size_t i = x->producers; i < ends; i++)
		taken_add(x, &end[i].taken);
	queue_destroy(&line.queue);
	free(end);
	return r;
}
