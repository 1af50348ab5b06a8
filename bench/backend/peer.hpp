/* SPDX-License-Identifier: MIT */
/* peer.hpp - the headers of backends and workloads, which are C, for backends in C++. */
#ifndef BENCH_BACKEND_PEER_HPP
#define BENCH_BACKEND_PEER_HPP

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* C++17 has no such word. What is declared with it has the same layout without, and no backend
 * in C++ touches it. */
#define _Atomic
extern "C" {
#include "bench/backend/backend.h"
#include "bench/backend/deep_stack.h"
#include "bench/workload/catalogue.h"
#include "bench/workload/measure.h"
#include "bench/workload/messages.h"
#include "bench/workload/nqueens.h"
}
#undef _Atomic

#endif
