/* SPDX-License-Identifier: MIT */
/*
 * exceptions.h - what a C++ runtime keeps for each pthread belongs to the thread that runs there.
 *
 * The exceptions that were caught and whose handlers still run, and how many are in
 * flight: two words for each pthread, which __cxa_get_globals() points to (Itanium C++ ABI,
 * 2.2.2; libstdc++ and libc++abi). They are zero but while a handler, or a destructor that
 * an exception runs, is active. A thread that switches then keeps them in its own frame,
 * and puts them back where it goes on; the next thread begins with zeroes.
 *
 *	who                                what it does
 *	switch_to(), with words not zero   keeps them across the switch
 *	perch_join(), the same             waits; it does not run the other thread on its stack
 *	perch_exit()                       zeroes them: the handlers it was called in do not end
 *
 * Without a C++ runtime, or with one that was loaded after perch_start(), nothing is kept,
 * and the look is at two words of the worker's own.
 */
#ifndef PERCH_SCHED_EXCEPTIONS_H
#define PERCH_SCHED_EXCEPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct exceptions {
	void *caught; /* the innermost */
	unsigned in_flight;
};

/* Of the calling pthread; `none` when there is no C++ runtime. */
struct exceptions *exceptions_here(struct exceptions *none);

static inline __attribute__((always_inline)) bool exceptions_any(const struct exceptions *e)
{
	return __builtin_expect(((uintptr_t)e->caught | e->in_flight) != 0, 0);
}

static inline void exceptions_drop(struct exceptions *e)
{
	*e = (struct exceptions){0};
}

#endif
