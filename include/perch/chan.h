/* SPDX-License-Identifier: MIT */
/*
 * perch/chan.h - channels, with Go's semantics.
 *
 *	               NULL channel     open                    closed
 *	send           waits for ever   waits for room or a     -EPIPE
 *	                                receiver; 0
 *	receive        waits for ever   waits for an element    what is buffered: 1;
 *	                                or a sender; 1          then zeros: 0
 *	close          -EINVAL          0; see below            -EALREADY
 *	len, cap       0                elements, capacity      elements, capacity
 *
 * (Where Go panics there is an error.) A try or timed form returns -EAGAIN or
 * -ETIMEDOUT instead of waiting (on). Closing wakes all who wait: receivers with
 * 0, senders with -EPIPE, their elements not sent. Elements come out in the
 * order in which they went in, waiters are served in the order in which they
 * came. An element is copied once when the other side already waits: straight
 * from the sender's memory to the receiver's.
 *
 * Threads and foreign pthreads may be at either end. In the child of a fork()
 * what would have to wait is -EPERM.
 */
#ifndef PERCH_CHAN_H
#define PERCH_CHAN_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct perch_chan perch_chan_t;

/* Largest element, in bytes. */
#define PERCH_CHAN_ELEMENT_MAX ((size_t)65536)

/*
 * perch_chan_create - make a channel.
 * @c: where it goes
 * @element: bytes of an element, 0 (a signal) to PERCH_CHAN_ELEMENT_MAX
 * @capacity: elements that it holds; 0: a send waits for its receiver
 * Returns 0, -EINVAL (c is NULL, element too large), -ENOMEM. Does not switch threads.
 */
int perch_chan_create(perch_chan_t **c, size_t element, size_t capacity);
/* -EBUSY: somebody waits at it; -EINVAL: c is NULL. What it still holds is dropped. Whoever
 * received the last element, or saw that it is closed, may destroy it at once, though the call
 * that sent, or closed, has not returned yet. Does not switch threads. */
int perch_chan_destroy(perch_chan_t *c);

/* value: the element to send; may be NULL when elements have no bytes, else that
 * is -EINVAL. May switch threads. */
int perch_chan_send(perch_chan_t *c, const void *value);
/* Does not switch threads. */
int perch_chan_trysend(perch_chan_t *c, const void *value);
/* abstime: a point of CLOCK_MONOTONIC; -EINVAL when it is NULL or tv_nsec out of
 * range. A point that has passed still takes what can be had without waiting.
 * May switch threads. */
int perch_chan_timedsend(perch_chan_t *c, const void *value, const struct timespec *abstime);

/* value: where the element goes, or NULL to drop it. Returns 1 (an element), 0
 * (closed, nothing left; *value is all zeros). May switch threads. */
int perch_chan_recv(perch_chan_t *c, void *value);
/* Does not switch threads. */
int perch_chan_tryrecv(perch_chan_t *c, void *value);
/* May switch threads. */
int perch_chan_timedrecv(perch_chan_t *c, void *value, const struct timespec *abstime);

/* Does not switch threads. */
int perch_chan_close(perch_chan_t *c);

/* Elements in the buffer now; how many it can hold. */
size_t perch_chan_len(const perch_chan_t *c);
size_t perch_chan_cap(const perch_chan_t *c);

/* ---- select ---- */

enum perch_select_op { PERCH_SEND = 1, PERCH_RECV };

typedef struct perch_select_case {
	perch_chan_t *chan; /* NULL: never ready */
	enum perch_select_op op;
	void *value; /* as in send and receive */
	int result;  /* of the chosen case: what perch_chan_send() or _recv() would return */
} perch_select_case_t;

/*
 * perch_select - do one of several sends and receives, whichever can be done.
 * @cases, @n: any number; a channel may be in several. None at all waits for ever.
 *
 * Of several that are ready one is chosen at random, each with the same chance; so it is
 * among several cases of one channel when the select had to wait.
 * A case whose channel is closed is ready.
 *
 * Returns the index of the case that was done, -EINVAL (cases is NULL and n is
 * not 0, or a case has no valid op or sends bytes from NULL), -ENOMEM (more cases
 * than the 16 that fit on the stack, and no memory for them; or more than
 * INT_MAX). May switch threads.
 */
int perch_select(perch_select_case_t *cases, size_t n);
/* With a default: -EAGAIN when none is ready. Does not switch threads. */
int perch_tryselect(perch_select_case_t *cases, size_t n);
/* -ETIMEDOUT when none was until this point of CLOCK_MONOTONIC. */
int perch_timedselect(perch_select_case_t *cases, size_t n, const struct timespec *abstime);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
