/* SPDX-License-Identifier: MIT */
/*
 * fiber_lifo.hpp - a scheduling algorithm for Boost.Fiber that makes trees depth first: a worker
 * takes its newest fiber, and steals another's oldest.
 *
 * The library's work_stealing, as Debian builds it, takes the oldest: a tree is made breadth
 * first. In that order, on one worker, all fibers of a tree exist at once: 132 MB for 16,000 nodes.
 */
#ifndef BENCH_BACKEND_FIBER_LIFO_HPP
#define BENCH_BACKEND_FIBER_LIFO_HPP

#include <chrono>
#include <deque>
#include <vector>

#include <boost/fiber/algo/algorithm.hpp>
#include <boost/fiber/context.hpp>
#include <boost/fiber/detail/context_spmc_queue.hpp>
#include <boost/fiber/type.hpp>

class lifo : public boost::fibers::algo::algorithm
{
	using context = boost::fibers::context;

	/* The dispatcher frees the stacks of fibers that have ended, and takes in those woken by
	 * other workers: once in so many switches. */
	static constexpr unsigned DISPATCHED = 64;
	static constexpr unsigned WORKERS_MOST = 4096;

	static inline std::atomic<lifo *> worker[WORKERS_MOST];

	boost::fibers::detail::context_spmc_queue ready;
	std::deque<context *> pinned; /* the pthread's own stack, and the dispatcher */
	unsigned me, workers, picks = 0, next;

	context *first_pinned()
	{
		context *c = NULL;

		if (!pinned.empty()) {
			c = pinned.front();
			pinned.pop_front();
		}
		return c;
	}

	context *mine()
	{
		/* pop() of a queue that was never used goes wrong */
		context *c = ready.empty() ? NULL : ready.pop();

		if (c)
			context::active()->attach(c);
		return c;
	}

	context *others()
	{
		for (unsigned i = 0; i < workers; i++) {
			lifo *other;
			context *c;

			next = next + 1 < workers ? next + 1 : 0;
			other = worker[next].load(std::memory_order_acquire);
			c = other && other != this ? other->ready.steal() : NULL;
			if (c) {
				context::active()->attach(c);
				return c;
			}
		}
		return NULL;
	}

      public:
	lifo(unsigned number, unsigned of) : me(number), workers(of), next(number)
	{
		worker[me].store(this, std::memory_order_release);
	}

	void awakened(context *c) noexcept override
	{
		if (c->is_context(boost::fibers::type::pinned_context)) {
			pinned.push_back(c);
			return;
		}
		c->detach();
		ready.push(c);
	}

	context *pick_next() noexcept override
	{
		context *c = ++picks % DISPATCHED ? mine() : NULL;

		if (!c)
			c = first_pinned();
		if (!c)
			c = mine();
		return c ? c : others();
	}

	bool has_ready_fibers() const noexcept override
	{
		return !pinned.empty() || !ready.empty();
	}

	/* It looks for work until there is some, as the library's does unless told otherwise. */
	void suspend_until(const std::chrono::steady_clock::time_point &) noexcept override
	{
	}

	void notify() noexcept override
	{
	}
};

#endif
