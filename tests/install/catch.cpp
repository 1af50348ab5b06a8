// SPDX-License-Identifier: MIT
// catch.cpp - threads that switch while they handle an exception rethrow their own.
#include <cstdint>
#include <perch/perch.h>

static void *work(void *mine)
{
	try {
		throw mine;
	} catch (void *) {
		perch_yield();
		try {
			throw;
		} catch (void *again) {
			return again;
		}
	}
}

static void *first(void *)
{
	uintptr_t bad = 0;
	perch_t t[20];
	void *result;

	for (uintptr_t i = 0; i < 20; i++)
		bad += perch_create(&t[i], nullptr, work, reinterpret_cast<void *>(i)) != 0;
	for (uintptr_t i = 0; i < 20; i++)
		bad += perch_join(t[i], &result) || result != reinterpret_cast<void *>(i);
	return reinterpret_cast<void *>(bad);
}

int main()
{
	void *bad = nullptr;

	return perch_run(nullptr, first, nullptr, &bad) || bad;
}
