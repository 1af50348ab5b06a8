/* SPDX-License-Identifier: MIT */
/*
 * liar.c - a backend each of whose results is wrong by a little, in the ways a
 * broken scheduler is: something lost, something done twice. If a workload's
 * check lets one pass, it checks nothing.
 */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/backend/backend.h"
#include "bench/test/liar_alloc.h"
#include "bench/workload/lines.h"
#include "bench/workload/measure.h"
#include "bench/workload/messages.h"

static int inside(void (*fn)(void *arg), void *arg)
{
	fn(arg);
	return 0;
}

static uint64_t fib(int n)
{
	uint64_t a = 0, b = 1;

	while (n--) {
		uint64_t next = a + b;

		a = b;
		b = next;
	}
	return a - 1; /* one leaf was lost */
}

static uint64_t nqueens(int n)
{
	return n == 8 ? 93 : 0; /* one solution counted twice */
}

static struct uts_totals uts(const struct uts_tree *tree)
{
	struct uts_node root;
	struct uts_totals sum;

	uts_root(tree, &root);
	sum = uts_walk(tree, &root);
	sum.leaves--; /* the node was counted, its being a leaf lost */
	return sum;
}

/*
 * Once everything below the outermost pair is sorted: of the keys, one is lost
 * and its neighbour doubled, which leaves them in order; of the lines, two
 * change places. What each half is sorted into is the second word of its range.
 */
static bool keys;

static void both(void (*f)(void *), void *a, void (*g)(void *), void *b)
{
	static int above, lied;
	struct line *line;
	uint64_t *key;

	above++;
	f(a);
	g(b);
	above--;
	if (above || lied)
		return;
	lied = 1;
	if (keys) {
		key = ((void **)a)[1];
		key[0] = key[1];
	} else {
		struct line first;

		line = ((void **)a)[1];
		first = line[0];
		line[0] = line[100];
		line[100] = first;
	}
}

static const char *note(const char *workload, const char *case_name)
{
	(void)workload;
	keys = !strcmp(case_name, "keys");
	return NULL;
}

static size_t flat(size_t n)
{
	return n - 1;
}

static uint64_t yield(size_t n, uint64_t *ns)
{
	*ns = n;
	return 0;
}

static int crowd(struct crowd *c)
{
	c->made = c->asked;
	c->right = c->asked - 1;
	c->ns = 1;
	return c->read(&c->before) || c->read(&c->peak);
}

static int pingpong(struct pingpong *p)
{
	p->ns = p->n;
	p->token = 2 * p->n - !p->cond; /* handed over once less */
	p->out_of_turn = p->cond;
	p->apart = false; /* an honest liar: it has one worker */
	return 0;
}

/* Two had the mutex at the same time, and one addition was lost. */
static int mutex(struct locking *l)
{
	l->count = l->threads * l->each - 1;
	l->ns = l->longest_wait_ns = 1;
	return 0;
}

/*
 * A message is lost; or it is, and its neighbour is doubled, which the count
 * does not show; or two change places, which the sum does not show either.
 */
enum lie { LOST, DOUBLED, OVERTAKEN };

static int lie_of(struct traffic *x, enum lie lie)
{
	struct taken taken = {.count = 0};

	for (size_t p = 0; p < x->producers; p++)
		for (uint64_t i = 1; i <= x->each; i++) {
			uint64_t number = i;

			if (i == x->each / 2 && !p) {
				if (lie == LOST)
					continue;
				number++;
			} else if (i == x->each / 2 + 1 && !p && lie == OVERTAKEN)
				number--;
			message_take(&taken, message(p, number));
			if (lie == DOUBLED)
				taken.disordered = false; /* nobody looked */
		}
	taken_add(x, &taken);
	x->ns = 1;
	return 0;
}

static int chan(struct traffic *x)
{
	return lie_of(x, !x->capacity ? LOST : x->producers == 1 ? DOUBLED : OVERTAKEN);
}

static int choose(struct traffic *x)
{
	return lie_of(x, x->producers == 2 ? LOST : x->producers == 8 ? DOUBLED : OVERTAKEN);
}

static int timers(struct arming *a)
{
	a->made = a->asked;
	a->cancelled = a->made - 1;
	a->arm_ns = a->cancel_ns = 1;
	return 0;
}

static int sleeps(struct sleeping *s)
{
	for (size_t i = 0; i < s->n; i++)
		s->late_ns[i] = i != 3;
	s->late_ns[3] = -1;
	return 0;
}

/* One thread was lost in its yield. */
static int burst(struct burst *b)
{
	for (size_t i = 0; i < b->at_once; i++)
		b->thread[i].begun = b->thread[i].back = (uint32_t)b->bursts;
	b->thread[b->at_once / 2].back--;
	b->joined = b->at_once * b->bursts;
	b->ns = 1;
	return 0;
}

/* The calls of one timer are left out, and another's come early. */
static int periodic(struct periodic *p)
{
	for (size_t i = 0; i < p->timers; i++)
		ticker_arm(&p->ticker[i]);
	periodic_begin(p);
	for (size_t i = 1; i < p->timers; i++)
		ticker_call(&p->ticker[i]);
	pause_ns(2 * p->period_ns);
	return 0;
}

static int wake(struct waking *w)
{
	for (size_t i = 0; i < w->n; i++)
		w->ns[i] = 1;
	w->right = w->n - 1;
	return 0;
}

/* One byte of each answer is another. */
static int echo(struct echoing *e)
{
	struct pollfd p[e->connections];
	size_t left = e->connections;
	char buffer[64];

	for (size_t i = 0; i < e->connections; i++)
		p[i] = (struct pollfd){.fd = accept(e->listener, NULL, NULL), .events = POLLIN};
	while (left && poll(p, e->connections, -1) > 0)
		for (size_t i = 0; i < e->connections; i++) {
			ssize_t n;

			if (p[i].fd < 0 || !p[i].revents)
				continue;
			n = recv(p[i].fd, buffer, sizeof(buffer), 0);
			if (n <= 0) {
				close(p[i].fd);
				p[i].fd = -1;
				left--;
				continue;
			}
			buffer[n - 1]++;
			send(p[i].fd, buffer, (size_t)n, MSG_NOSIGNAL);
		}
	return 0;
}

static int idle(struct idling *i)
{
	i->made = i->asked;
	i->right = i->asked - 1;
	return 0;
}

static unsigned workers;

static int start(const struct measurement *m)
{
	workers = m->workers;
	return 0;
}

static int calls(struct calls *c)
{
	c->x = steps(c->x, c->n - 1); /* one was left out */
	c->ns = 1;
	return 0;
}

static int baton(struct baton *b)
{
	for (size_t i = 0; i < b->n; i++)
		b->ns[i] = 1;
	b->right = b->n - b->marked; /* not marked: a time that cannot be */
	b->ns[0] = b->marked;
	return 0;
}

/*
 * Marked: a reader got another's byte; not marked: one came back before anything
 * was written. The loop stood still; with two workers, somebody lost a step.
 */
static int beside(struct beside *b)
{
	beside_begin(b);
	for (size_t i = 0; i < b->steppers; i++)
		b->stepper[i].x = steps(b->stepper[i].x, b->stepper[i].turns * STEPS_A_TURN);
	b->stepper[0].x += workers > 1;
	for (size_t i = 0; i < b->loops; i++)
		b->loop[i].turns += workers > 1;
	beside_end(b);
	for (size_t i = 0; i < b->readers; i++)
		b->reader[i].right = i || !b->marked;
	b->early = b->readers && !b->marked;
	return 0;
}

/* A block is left out; by node, one is done twice in place of another. */
static int loop(struct memory_loop *l)
{
	for (size_t b = 0; b + 1 < l->blocks; b++)
		l->body(b, l->context);
	if (l->by_node)
		l->body(0, l->context);
	return 0;
}

/* All were there, and one came back with something else. */
static int placement(struct placement *p)
{
	for (size_t i = 0; i < p->n; i++)
		placement_born(p, i);
	placement_look(p);
	for (size_t i = 0; i < p->n; i++)
		placement_woken(p, i);
	p->right = p->n - 1;
	p->ns = 1;
	return 0;
}

const struct backend backend = {
	.name = "liar",
	.start = start,
	.inside = inside,
	.note = note,
	.fib = fib,
	.fib_typed = fib,
	.nqueens = nqueens,
	.uts = uts,
	.both = both,
	.flat = flat,
	.burst = burst,
	.yield = yield,
	.spawned = crowd,
	.parked = crowd,
	.pingpong = pingpong,
	.mutex = mutex,
	.chan = chan,
	.select = choose,
	.timers = timers,
	.sleeps = sleeps,
	.periodic = periodic,
	.wake = wake,
	.echo = echo,
	.idle = idle,
	.calls = calls,
	.baton = baton,
	.beside = beside,
	.loop = loop,
	.placement = placement,
	.alloc_pairs = liar_pairs,
	.alloc_handover = liar_handover,
	.alloc_larson = liar_larson,
};
