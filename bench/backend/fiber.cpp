/* SPDX-License-Identifier: MIT */
/*
 * fiber.cpp - Boost.Fiber, whose fibers are threads: one for each call, node and placement, no
 * cut-off anywhere.
 *
 * What forks and joins runs on lifo (fiber_lifo.hpp), and with --variant=work_stealing on the
 * library's algorithm of that name. What waits, on one worker or on two, runs on the library's
 * default, with which a fiber stays on the pthread that made it. The rest is for work_stealing. It
 * hangs with one worker, which has nobody to steal from: that one has the default too, in the same
 * order, first in, first out.
 */
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <pthread.h>
#include <semaphore.h>
#include <new>
#include <sys/mman.h>
#include <thread>
#include <utility>
#include <vector>

#include <boost/fiber/all.hpp>

#include "bench/backend/fiber_lifo.hpp"
#include "bench/backend/peer.hpp"

namespace fibers = boost::fibers;

/* No guards, as the library comes. */
#define STACK ((size_t)32 << 10)
#define STACKS_AT_ONCE 64
/* More fibers than this at once are not made. */
#define CROWD_MOST 100000

/*
 * Stacks, kept by each pthread that one was given back to. The library's own are from malloc,
 * which asks the kernel for each in a pthread's arena, and its pooled ones are for one pthread.
 */
struct kept_stack {
	static std::vector<void *> &kept()
	{
		static thread_local std::vector<void *> stack;

		return stack;
	}
	static __attribute__((noinline)) void more(std::vector<void *> &stack)
	{
		void *start = mmap(NULL, STACKS_AT_ONCE * STACK, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (start == MAP_FAILED)
			throw std::bad_alloc();
		madvise(start, STACKS_AT_ONCE * STACK, MADV_NOHUGEPAGE); /* two pages of each are used */
		for (size_t i = 0; i < STACKS_AT_ONCE; i++)
			stack.push_back((char *)start + i * STACK);
	}
	/* Not inlined: its caller may go on in another pthread than it began in. */
	__attribute__((noinline)) boost::context::stack_context allocate()
	{
		std::vector<void *> &stack = kept();
		boost::context::stack_context s;

		if (stack.empty())
			more(stack);
		s.size = STACK;
		s.sp = (char *)stack.back() + STACK;
		stack.pop_back();
		return s;
	}
	__attribute__((noinline)) void deallocate(boost::context::stack_context &s) noexcept
	{
		kept().push_back((char *)s.sp - STACK);
	}
};

template <typename F> static fibers::fiber begin(F &&fn)
{
	return fibers::fiber(fibers::launch::post, std::allocator_arg, kept_stack(), std::forward<F>(fn));
}

/* --- workers: pthreads, each of which takes calls --- */

struct call {
	void (*fn)(void *arg);
	void *arg;
};

struct worker {
	fibers::buffered_channel<call> calls{64}; /* each is made in the pthread's first fiber */
	std::thread pthread;
};

enum order { LIFO, STEALING, ROUND_ROBIN };

static std::vector<std::unique_ptr<worker>> pool;
static enum order order;
static bool alone; /* asked for work_stealing, with one worker */

static void work(unsigned me, unsigned workers, pthread_barrier_t *all)
{
	call c;

	if (order == LIFO)
		fibers::use_scheduling_algorithm<lifo>(me, workers);
	else if (order == STEALING)
		fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(workers);
	pthread_barrier_wait(all); /* all are there to be stolen from */
	while (pool[me]->calls.pop(c) == fibers::channel_op_status::success)
		c.fn(c.arg);
	pthread_barrier_wait(all); /* nobody steals from who is gone */
}

static bool one_of(const char *word, const char *words)
{
	char text[32];

	snprintf(text, sizeof(text), " %s ", word);
	return strstr(words, text);
}

static pthread_barrier_t everybody;

static int inside(void (*fn)(void *arg), void *arg);
static size_t flat(size_t n);

/* Stacks that were touched before are what is timed: 100,000 take longer to touch than to use. */
static void warm(void *arg)
{
	(void)flat(*static_cast<const size_t *>(arg));
}

static int start(const struct measurement *m)
{
	const char *workload = m->bench_case->workload;

	if (m->variant && strcmp(m->variant, "work_stealing") != 0)
		return -EINVAL;
	alone = m->variant && m->workers == 1;
	if (alone)
		return -ENOTSUP;
	if (m->variant)
		order = STEALING;
	else if (one_of(workload, " fib fib-typed nqueens uts sort "))
		order = LIFO;
	else if (m->workers > 1 && one_of(workload, " flat burst "))
		order = STEALING;
	else
		order = ROUND_ROBIN;
	if (pthread_barrier_init(&everybody, NULL, m->workers + 1))
		return -ENOMEM;
	for (unsigned i = 0; i < m->workers; i++)
		pool.push_back(std::make_unique<worker>());
	for (unsigned i = 0; i < m->workers; i++)
		pool[i]->pthread = std::thread(work, i, m->workers, &everybody);
	pthread_barrier_wait(&everybody);
	if (!strcmp(workload, "flat")) {
		size_t n = m->n;

		return inside(warm, &n);
	}
	return 0;
}

static void stop(void)
{
	for (auto &w : pool)
		w->calls.close();
	pthread_barrier_wait(&everybody);
	for (auto &w : pool)
		w->pthread.join();
	pthread_barrier_destroy(&everybody);
}

struct first {
	void (*fn)(void *arg);
	void *arg;
	sem_t done;
};

static void first_call(void *arg)
{
	struct first *first = static_cast<struct first *>(arg);

	first->fn(first->arg);
	sem_post(&first->done);
}

static int inside(void (*fn)(void *arg), void *arg)
{
	struct first first = {fn, arg, {}};

	sem_init(&first.done, 0, 0);
	pool[0]->calls.push(call{first_call, &first});
	while (sem_wait(&first.done))
		;
	sem_destroy(&first.done);
	return 0;
}

/* --- what forks and joins --- */

static uint64_t fib(int n)
{
	uint64_t a, b;

	if (n < 2)
		return (uint64_t)n;
	fibers::fiber child = begin([&a, n] { a = fib(n - 1); });
	b = fib(n - 2);
	child.join();
	return a + b;
}

static uint32_t all_columns;

static uint64_t place(uint32_t columns, uint32_t left, uint32_t right)
{
	uint64_t below[QUEENS_MOST], count = 0;
	fibers::fiber child[QUEENS_MOST];
	int children = 0;

	if (columns == all_columns)
		return 1;
	for (uint32_t safe = queens_safe(all_columns, columns, left, right); safe; safe &= safe - 1) {
		uint32_t square = safe & -safe;
		uint64_t *result = &below[children];

		child[children++] =
			begin([=] { *result = place(columns | square, (left | square) << 1, (right | square) >> 1); });
	}
	while (children) {
		child[--children].join();
		count += below[children];
	}
	return count;
}

static uint64_t nqueens(int n)
{
	all_columns = (1u << n) - 1;
	return place(0, 0, 0);
}

static const struct uts_tree *the_tree;

struct below {
	fibers::fiber fiber;
	struct uts_totals totals;
};

static struct uts_totals walk(const struct uts_node *node);

static struct uts_totals walk_all(const struct uts_node *node, struct below *below, unsigned children)
{
	struct uts_totals sum = uts_alone(node, children);

	for (unsigned i = 0; i < children; i++)
		below[i].fiber = begin([=] {
			struct uts_node child;

			uts_child(node, i, &child);
			below[i].totals = walk(&child);
		});
	while (children) {
		below[--children].fiber.join();
		uts_add(&sum, &below[children].totals);
	}
	return sum;
}

__attribute__((noinline)) static struct uts_totals walk_few(const struct uts_node *node, unsigned children)
{
	struct below below[children];

	return walk_all(node, below, children);
}

__attribute__((noinline)) static struct uts_totals walk_many(const struct uts_node *node, unsigned children)
{
	std::vector<struct below> below(children);

	return walk_all(node, below.data(), children);
}

static struct uts_totals walk(const struct uts_node *node)
{
	unsigned children = uts_children(the_tree, node);

	if (!children)
		return uts_alone(node, 0);
	return children <= UTS_CHILDREN_MOST ? walk_few(node, children) : walk_many(node, children);
}

static struct uts_totals uts(const struct uts_tree *tree)
{
	struct uts_node root;

	the_tree = tree;
	uts_root(tree, &root);
	return walk(&root);
}

static void both(void (*f)(void *), void *a, void (*g)(void *), void *b)
{
	fibers::fiber child = begin([=] { f(a); });

	g(b);
	child.join();
}

/* --- many at once --- */

static size_t flat(size_t n)
{
	static std::vector<fibers::fiber> fiber; /* kept from run to run, as all backends do */
	static std::vector<size_t> result;
	size_t right = 0;

	if (fiber.size() < n) {
		fiber.resize(n);
		result.assign(n, 0);
	}
	for (size_t i = 0; i < n; i++)
		fiber[i] = begin([i] { result[i] = i + 1; });
	for (size_t i = 0; i < n; i++) {
		fiber[i].join();
		right += result[i] == i + 1;
		result[i] = 0;
	}
	return right;
}

/* On one worker, so plain words will do. Strict turns: neither may be ahead by more than one. */
static uint64_t yield(size_t n, uint64_t *ns)
{
	size_t each = n / 2, turns[2] = {0, 0};
	bool out_of_turn = false;
	uint64_t start = now_ns();
	fibers::fiber fiber[2];

	for (int me = 0; me < 2; me++)
		fiber[me] = begin([&, me] {
			volatile size_t *mine = &turns[me], *other = &turns[!me];

			while (*mine < each) {
				*mine = *mine + 1;
				if (*mine > *other + 1)
					out_of_turn = true;
				boost::this_fiber::yield();
			}
		});
	for (auto &f : fiber)
		f.join();
	*ns = now_ns() - start;
	return out_of_turn || turns[0] != each || turns[1] != each ? 0 : 2 * each;
}

static int burst(struct burst *b)
{
	std::vector<fibers::fiber> fiber(b->at_once);
	std::vector<struct burst_thread *> result(b->at_once);
	uint64_t start = now_ns();

	for (size_t n = 0; n < b->bursts; n++) {
		for (size_t i = 0; i < b->at_once; i++)
			fiber[i] = begin([=, &result] {
				struct burst_thread *me = &b->thread[i];

				me->begun++;
				boost::this_fiber::yield();
				me->back++;
				result[i] = me;
			});
		for (size_t i = 0; i < b->at_once; i++) {
			fiber[i].join();
			b->joined += result[i] == &b->thread[i];
			result[i] = NULL;
		}
	}
	b->ns = now_ns() - start;
	return 0;
}

/* Fewer where there would be too many; handles and results are touched before anything is counted. */
struct group {
	std::vector<fibers::fiber> fiber;
	std::vector<size_t> result;

	explicit group(struct crowd *c) : fiber(c->asked < CROWD_MOST ? c->asked : CROWD_MOST), result(fiber.size(), 0)
	{
	}
	void join(struct crowd *c)
	{
		for (size_t i = 0; i < fiber.size(); i++) {
			fiber[i].join();
			c->right += result[i] == i + 1;
		}
	}
};

static int spawned(struct crowd *c)
{
	size_t started = 0, early; /* one worker */
	struct group g(c);
	uint64_t start;
	int r = c->read(&c->before);

	start = now_ns();
	for (; c->made < g.fiber.size(); c->made++)
		g.fiber[c->made] = begin([&started, &g, i = c->made] {
			started++;
			g.result[i] = i + 1;
		});
	c->ns = now_ns() - start;
	if (!r)
		r = c->read(&c->peak);
	early = started; /* those that had begun were not "spawned, not started" */
	g.join(c);
	c->right -= early < c->right ? early : c->right;
	return r;
}

static int parked(struct crowd *c)
{
	fibers::condition_variable gate;
	fibers::mutex mutex;
	bool open = false, early = false;
	size_t arrived = 0; /* one worker */
	struct group g(c);
	uint64_t start;
	int r = c->read(&c->before);

	start = now_ns();
	for (; c->made < g.fiber.size(); c->made++)
		g.fiber[c->made] = begin([&, i = c->made] {
			std::unique_lock<fibers::mutex> lock(mutex);

			arrived++;
			while (!open)
				gate.wait(lock);
			g.result[i] = i + 1;
		});
	while (arrived < c->made)
		boost::this_fiber::yield();
	c->ns = now_ns() - start;
	if (!r)
		r = c->read(&c->peak);
	for (size_t result : g.result)
		early |= result != 0;
	start = now_ns();
	{
		std::unique_lock<fibers::mutex> lock(mutex);

		open = true;
		gate.notify_all();
	}
	g.join(c);
	c->release_ns = now_ns() - start;
	if (early)
		c->right = 0; /* not all were parked at once */
	return r;
}

/* --- who waits for each other --- */

/* fn(i) for each i in a fiber of its own, dealt to the workers in turn; until all have ended. */
template <typename F> class crew
{
	struct member {
		crew *all;
		size_t me;
	};
	F fn;
	std::vector<member> members;
	fibers::mutex mutex;
	fibers::condition_variable over;
	size_t left;

	void end()
	{
		std::unique_lock<fibers::mutex> lock(mutex);

		if (!--left)
			over.notify_all();
	}
	static void enter(void *arg)
	{
		member *m = static_cast<member *>(arg);

		begin([m] {
			m->all->fn(m->me);
			m->all->end();
		}).detach();
	}

      public:
	crew(size_t n, F body) : fn(std::move(body)), left(n)
	{
		for (size_t i = 0; i < n; i++)
			members.push_back({this, i});
	}
	/* Worker 0 calls this; itself it gives nothing to do by a channel. */
	void run()
	{
		for (auto &m : members)
			if (m.me % pool.size())
				pool[m.me % pool.size()]->calls.push(call{enter, &m});
			else
				enter(&m);
		std::unique_lock<fibers::mutex> lock(mutex);
		while (left)
			over.wait(lock);
	}
};

template <typename F> static uint64_t crew_ns(size_t n, F fn)
{
	crew<F> all(n, std::move(fn));
	uint64_t start = now_ns();

	all.run();
	return now_ns() - start;
}

/* Both forms of the game: give(who) makes the token who's, take(who) waits until it is. */
struct by_channels {
	fibers::unbuffered_channel<uint64_t> to[2];

	void give(unsigned who, uint64_t token)
	{
		to[who].push(token);
	}
	uint64_t take(unsigned who)
	{
		uint64_t token = 0;

		return to[who].pop(token) == fibers::channel_op_status::success ? token : 0;
	}
};

struct by_condition {
	fibers::mutex mutex;
	fibers::condition_variable cond;
	uint64_t token = 0;

	/* A token says by being odd whose it is: 1 goes to the second player. */
	void give(unsigned, uint64_t next)
	{
		std::unique_lock<fibers::mutex> lock(mutex);

		token = next;
		cond.notify_one();
	}
	uint64_t take(unsigned who)
	{
		std::unique_lock<fibers::mutex> lock(mutex);

		while ((token & 1) != who)
			cond.wait(lock);
		return token;
	}
};

template <typename Table> static void play(Table *table, struct pingpong *p, unsigned me, bool *wrong)
{
	uint64_t token = 0;

	for (uint64_t i = 0; i < p->n; i++) {
		if (me || i) {
			token = table->take(me);
			*wrong |= token != 2 * i + me;
		}
		table->give(!me, ++token);
	}
	if (!me) {
		token = table->take(0);
		p->token = token;
	}
}

/* The players are the first of each worker; with two, a third and a fourth yield. */
template <typename Table> static int play_all(struct pingpong *p)
{
	auto table = std::make_unique<Table>();
	bool wrong[2] = {false, false}, stayed[2] = {false, false};
	std::thread::id where[2];
	std::atomic<int> playing{2};

	p->ns = crew_ns(p->workers > 1 ? 4 : 2, [&](size_t me) {
		if (me > 1) {
			while (playing)
				boost::this_fiber::yield();
			return;
		}
		where[me] = std::this_thread::get_id();
		play(table.get(), p, (unsigned)me, &wrong[me]);
		stayed[me] = where[me] == std::this_thread::get_id();
		playing--;
	});
	p->out_of_turn = wrong[0] || wrong[1];
	p->apart = stayed[0] && stayed[1] && where[0] != where[1];
	return 0;
}

static int pingpong(struct pingpong *p)
{
	return p->cond ? play_all<by_condition>(p) : play_all<by_channels>(p);
}

static int mutex(struct locking *l)
{
	std::vector<uint64_t> longest(l->threads, 0);
	fibers::mutex mutex;

	l->ns = crew_ns(l->threads, [&](size_t me) {
		for (size_t i = 0; i < l->each; i++) {
			bool look = l->timed && i % LOCKS_PER_LOOK == 0;
			uint64_t start = look ? now_ns() : 0;

			mutex.lock();
			if (look) {
				uint64_t ns = now_ns() - start;

				if (ns > longest[me])
					longest[me] = ns;
			}
			l->count++;
			mutex.unlock();
		}
	});
	for (uint64_t ns : longest)
		if (ns > l->longest_wait_ns)
			l->longest_wait_ns = ns;
	return 0;
}

template <typename Channel> static int carry(struct traffic *x, Channel *channel)
{
	std::vector<struct taken> taken(x->consumers);
	std::atomic<size_t> senders{x->producers};

	memset(taken.data(), 0, taken.size() * sizeof(taken[0]));
	x->ns = crew_ns(x->consumers + x->producers, [&](size_t me) {
		uint64_t value;

		if (me < x->consumers) {
			while (channel->pop(value) == fibers::channel_op_status::success)
				message_take(&taken[me], value);
			return;
		}
		for (uint64_t i = 1; i <= x->each; i++)
			channel->push(message(me - x->consumers, i));
		if (!--senders)
			channel->close();
	});
	for (const struct taken &t : taken)
		taken_add(x, &t);
	return 0;
}

static int chan(struct traffic *x)
{
	if (x->capacity) {
		fibers::buffered_channel<uint64_t> channel(x->capacity);

		return carry(x, &channel);
	}
	fibers::unbuffered_channel<uint64_t> channel;

	return carry(x, &channel);
}

static const char *note(const char *workload, const char *case_name)
{
	if (order == LIFO)
		return "form=threads by=fiber scheduler=own-lifo-stealing stack=32KiB";
	if (order == STEALING)
		return "form=threads by=fiber scheduler=work_stealing stack=32KiB";
	if (!strcmp(workload, "chan") && strcmp(case_name, "unbuffered") != 0)
		return "by=buffered_channel holds=127 scheduler=round_robin";
	return "form=threads by=fiber scheduler=round_robin stack=32KiB";
}

static const char *why(const char *workload, const char *case_name)
{
	(void)case_name;
	if (alone)
		return "Boost.Fiber's work_stealing hangs with one worker, which has nobody to steal from";
	if (!strcmp(workload, "select"))
		return "Boost.Fiber cannot wait for one of several channels";
	if (!strcmp(workload, "triad") || !strcmp(workload, "jacobi"))
		return "Boost.Fiber has no loops";
	return "this backend has no more than forks and joins, yields, parking, a mutex and channels";
}

extern "C" const struct backend backend = {
	.name = "fiber",
	.slow_tasks = true,
	.variants = true,
	.start = start,
	.stop = stop,
	.inside = inside,
	.note = note,
	.why = why,
	.fib = fib,
	.fib_typed = fib,
	.nqueens = nqueens,
	.uts = uts,
	.both = both,
	.flat = flat,
	.yield = yield,
	.burst = burst,
	.spawned = spawned,
	.parked = parked,
	.pingpong = pingpong,
	.mutex = mutex,
	.chan = chan,
};
