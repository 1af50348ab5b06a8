/* SPDX-License-Identifier: MIT */
/* pthread_alloc.h - malloc and free, of whichever library is in force. */
#ifndef BENCH_BACKEND_PTHREAD_ALLOC_H
#define BENCH_BACKEND_PTHREAD_ALLOC_H

#include "bench/workload/alloc.h"

/* Is malloc() of this library, such as "libjemalloc.so.2"? 0; -EINVAL: it is no name of a
 * library; -ENOTSUP: it is of another one, pthread_malloc_why() says of which. */
int pthread_malloc_of(const char *library);
const char *pthread_malloc_why(void);

int pthread_pairs(struct alloc_pairs *a);
int pthread_handover(struct alloc_handover *h);
int pthread_larson(struct alloc_larson *l);

#endif
