/* SPDX-License-Identifier: MIT */
/*
 * perch/block.h - calls that may block in the kernel, or in other code that does
 * not know of perch: a read, an MPI call, somebody's pthread mutex.
 *
 * Any such call may be made as it is: when a worker does not come back for a
 * while, its CPU is given to another worker (within 10 ms). Marking a call makes
 * that a matter of microseconds, and costs a few nanoseconds when it does not
 * block.
 */
#ifndef PERCH_BLOCK_H
#define PERCH_BLOCK_H

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * perch_block_begin, perch_block_end - what the calling thread does between the
 * two may block. The CPU goes on with other threads as soon as it does.
 *
 * perch_block_begin() does not switch threads. perch_block_end() may: if the CPU
 * has been given to another meanwhile, and has something to run, the thread waits
 * for its turn, and may go on on another pthread. errno is kept across it. Pairs
 * may be nested: the first end ends them all, for the purpose of this. From a
 * pthread that is no worker, or while the runtime is not running, they do nothing.
 */
void perch_block_begin(void);
void perch_block_end(void);

/* perch_blocking - fn(arg) between the two. Returns what fn returned; errno is
 * as fn left it. May switch threads. */
void *perch_blocking(void *(*fn)(void *), void *arg);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
