/* SPDX-License-Identifier: MIT */
#ifndef BENCH_WORKLOAD_FIB_H
#define BENCH_WORKLOAD_FIB_H

#include <stdint.h>

/* fib(n) by two real calls at every n >= 2: the serial backend, and below a cut-off. */
uint64_t fib_walk(int n);

#endif
