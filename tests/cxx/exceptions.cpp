// SPDX-License-Identifier: MIT
#include "tests/cxx/exceptions.h"

#include <cstdint>
#include <exception>
#include <perch/perch.h>

namespace
{
constexpr int rounds = 20;

struct number {
	uintptr_t n;
};

uintptr_t faults(bool wrong)
{
	return wrong ? 1 : 0;
}

void *result(uintptr_t n)
{
	return reinterpret_cast<void *>(n);
}

uintptr_t number_of(void *arg)
{
	return reinterpret_cast<uintptr_t>(arg);
}

/* The exception that is handled is the one that was thrown here. */
uintptr_t rethrow(uintptr_t n)
{
	try {
		throw;
	} catch (const number &again) {
		return faults(again.n != n);
	} catch (...) {
		return 1;
	}
}

uintptr_t deeper(uintptr_t n, int levels)
{
	uintptr_t bad = 0;

	try {
		throw number{n};
	} catch (const number &caught) {
		perch_yield();
		if (levels)
			bad += deeper(n + 1000, levels - 1);
		perch_yield();
		bad += faults(caught.n != n) + rethrow(n);
	}
	return bad;
}

struct yields_at_its_end {
	uintptr_t *bad;

	explicit yields_at_its_end(uintptr_t *count) : bad(count)
	{
	}
	~yields_at_its_end()
	{
		*bad += faults(std::uncaught_exceptions() != 1);
		perch_yield();
		*bad += faults(std::uncaught_exceptions() != 1);
		try { /* of its own, meanwhile */
			throw number{7};
		} catch (const number &) {
			perch_yield();
		}
		*bad += faults(std::uncaught_exceptions() != 1);
	}
};
} // namespace

void *catch_yield_rethrow(void *arg)
{
	uintptr_t bad = 0;

	for (int i = 0; i < rounds; i++)
		bad += deeper(number_of(arg), 3);
	return result(bad + faults(std::current_exception() != nullptr));
}

void *wait_in_every_way(void *arg)
{
	static perch_mutex_t mutex = PERCH_MUTEX_INIT;
	uintptr_t bad = 0, n = number_of(arg);

	for (int i = 0; i < rounds; i++) {
		try {
			throw number{n};
		} catch (const number &) {
			perch_mutex_lock(&mutex);
			perch_yield();
			bad += rethrow(n);
			perch_mutex_unlock(&mutex);
			perch_sleep(50000);
			bad += rethrow(n);
		}
	}
	return result(bad);
}

void *yield_in_a_destructor(void *arg)
{
	uintptr_t bad = 0, n = number_of(arg);

	for (int i = 0; i < rounds; i++) {
		try {
			yields_at_its_end y(&bad);

			throw number{n};
		} catch (const number &caught) {
			bad += faults(caught.n != n) + faults(std::uncaught_exceptions() != 0);
		}
	}
	return result(bad);
}

void *join_in_a_handler(void *arg)
{
	uintptr_t bad = 0, n = number_of(arg);

	for (int i = 0; i < rounds; i++) {
		try {
			throw number{n};
		} catch (const number &) {
			perch_t t, u;
			void *theirs = nullptr;

			perch_create(&t, nullptr, handles_nothing, arg);
			perch_create(&u, nullptr, catch_yield_rethrow, arg);
			perch_join(u, &theirs);
			bad += number_of(theirs);
			perch_join(t, &theirs);
			bad += number_of(theirs) + rethrow(n);
		}
	}
	return result(bad);
}

void *exit_in_a_handler(void *arg)
{
	try {
		throw number{number_of(arg)};
	} catch (const number &) {
		perch_exit(nullptr);
	}
	return arg;
}

void *handles_nothing(void *)
{
	return result(faults(std::current_exception() != nullptr) + faults(std::uncaught_exceptions() != 0));
}
