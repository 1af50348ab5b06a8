// SPDX-License-Identifier: MIT
#include "tests/cxx/throw.h"

#include <cstddef>
#include <perch/perch.h>
#include <stdexcept>
#include <unistd.h>

namespace
{
[[noreturn]] void throws()
{
	throw std::runtime_error("out of bounds");
}

/* What must not come back here does. */
template <typename F> void *guarded(F f)
{
	try {
		f();
	} catch (const std::exception &) {
		_exit(3);
	}
	perch_sleep(10000000000); /* of a timer, perhaps */
	return nullptr;
}

void *thread(void *)
{
	throws();
}

void *yields_and_throws(void *)
{
	perch_yield();
	throws();
}

void body(size_t, size_t, void *)
{
	throws();
}

void body_of_reduction(size_t, size_t, void *, void *)
{
	throws();
}

void combine(void *, const void *, void *)
{
}

void call(void *)
{
	throws();
}

void once()
{
	throws();
}

/* Taken by another worker before it throws. */
void call_when_taken(void *taken)
{
	__atomic_store_n(static_cast<int *>(taken), 1, __ATOMIC_RELEASE);
	throws();
}

// that it throws is what the test is about: NOLINTNEXTLINE(bugprone-exception-escape)
PERCH_TASK1(long, leaf, int, n)
{
	if (n)
		throws();
	return 1;
}
} // namespace

void *throw_itself(void *)
{
	return thread(nullptr);
}

void *throw_in_joined(void *)
{
	return guarded([] {
		perch_t t;

		perch_create(&t, nullptr, thread, nullptr);
		perch_join(t, nullptr);
	});
}

void *throw_in_started(void *)
{
	return guarded([] {
		perch_t t;

		perch_create(&t, nullptr, yields_and_throws, nullptr);
		perch_yield();
		perch_join(t, nullptr);
	});
}

void *throw_in_task(void *)
{
	return guarded([] {
		perch_call_t c;

		perch_fork(&c, call, nullptr);
		perch_sync(&c);
	});
}

void *throw_in_typed_task(void *)
{
	return guarded([] {
		struct leaf_task t;

		leaf_fork(&t, 1);
		leaf_sync(&t);
	});
}

void *throw_in_stolen_task(void *)
{
	return guarded([] {
		int taken = 0;
		perch_call_t c;

		perch_fork(&c, call_when_taken, &taken);
		while (!__atomic_load_n(&taken, __ATOMIC_ACQUIRE))
			;
		perch_sync(&c);
	});
}

void *throw_in_loop(void *)
{
	return guarded([] { perch_for(0, 1000, 10, body, nullptr); });
}

void *throw_in_reduction(void *)
{
	return guarded([] {
		long zero = 0, sum;

		perch_reduce(0, 1000, 10, sizeof(sum), &zero, body_of_reduction, combine, &sum, nullptr);
	});
}

void *throw_in_loop_by_node(void *)
{
	return guarded([] { perch_for_numa(0, 1000, 10, body, nullptr); });
}

void *throw_in_once(void *)
{
	return guarded([] {
		static perch_once_t control = PERCH_ONCE_INIT;

		perch_once(&control, once);
	});
}

void *throw_in_blocking_call(void *)
{
	return guarded([] { perch_blocking(thread, nullptr); });
}

void *throw_in_timer(void *)
{
	return guarded([] {
		static perch_timer_t timer;

		perch_timer_init(&timer, call, nullptr);
		perch_timer_start(&timer, 1000000, 0);
	});
}

void *throw_in_destructor_of_key(void *)
{
	return guarded([] {
		perch_key_t key;
		perch_t t;

		perch_key_create(&key, call);
		perch_create(
			&t, nullptr,
			[](void *k) -> void * {
				perch_setspecific(*static_cast<perch_key_t *>(k), k);
				return nullptr;
			},
			&key);
		perch_join(t, nullptr);
	});
}
