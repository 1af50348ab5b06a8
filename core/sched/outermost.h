/* SPDX-License-Identifier: MIT */
/*
 * outermost.h - no exception leaves what perch was given to call.
 *
 * OUTERMOST() in a function says that no exception goes on to who called it: when a search
 * for a handler gets there, the process ends, with all its stacks as they were at the throw.
 * It is put where a function of the program's is called: a thread's, a loop's body, perch_once().
 * Without it the search would go on in whoever happens to have the frames below: a joiner
 * that runs the thread as a plain call, or nobody.
 *
 * It adds no instruction. It names perch_personality(), which the unwinder calls, in the
 * function's unwind table (Itanium C++ ABI: Exception Handling, 1.6; gas: .cfi_personality, with
 * a 4-byte offset). A forced unwinding, as by pthread_exit(), passes where the pthread is the
 * program's own; that of a worker ends the process, with a line.
 */
#ifndef PERCH_SCHED_OUTERMOST_H
#define PERCH_SCHED_OUTERMOST_H

#define OUTERMOST() __asm__ volatile(".cfi_personality 0x1b, perch_personality")

#endif
