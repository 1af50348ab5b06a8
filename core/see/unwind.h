/* SPDX-License-Identifier: MIT */
/*
 * unwind.h - the backtrace of a thread that is not running, from another pthread.
 *
 * Such a thread may be resumed while it is looked at, so what is read from its
 * stack may be anything: every read is checked against the stack's bounds, and
 * what comes out is a list of numbers that need not be addresses of code. The
 * caller looks afterwards whether the thread still waits, and throws them away
 * if not.
 *
 * Why this is not a library's work. gcc's _Unwind_Backtrace and libunwind's
 * local cursor begin where the caller stands and follow what they find in
 * memory, which crashes on a stack that changes below them. libunwind's remote
 * cursor and elfutils' libdw read through callbacks, but then every program
 * that links perch needs them (and libelf, liblzma, libz ...), the static archive
 * and the aarch64 build too; loaded by dlopen() they would be missing just
 * where a deadlock is reported. So: the unwind table is found by the compiler's
 * own library (_Unwind_Find_FDE, which every program that can call
 * pthread_exit() has), and only the table's rows are worked out here.
 *
 * Source: DWARF 5, 6.4 and 7.24; Linux Standard Base, "Exception Frames".
 */
#ifndef PERCH_SEE_UNWIND_H
#define PERCH_SEE_UNWIND_H

#include <stddef.h>
#include <stdint.h>

struct unwind; /* rows that were worked out, and scratch; about 300 KB */

struct unwind *unwind_new(void); /* NULL: no memory */
void unwind_free(struct unwind *u);

/*
 * unwind_stack - the return addresses of a stack that switch_stack() has left.
 * @sp: where it was left
 * @low, @high: the bounds of what may be read
 * @pc: room for `most` addresses, the innermost first; that one is an address
 *      at which execution goes on, the others are behind their calls
 *
 * Returns how many were stored.
 */
size_t unwind_stack(struct unwind *u, uintptr_t sp, uintptr_t low, uintptr_t high, uintptr_t *pc, size_t most);

#endif
