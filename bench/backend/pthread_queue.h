/* SPDX-License-Identifier: MIT */
/*
 * pthread_queue.h - what a user of pthreads has for a channel: a bounded queue
 * under a mutex, with a condition for room and one for messages. With no
 * capacity a sender also waits until its message has been taken.
 */
#ifndef BENCH_BACKEND_PTHREAD_QUEUE_H
#define BENCH_BACKEND_PTHREAD_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue {
	pthread_mutex_t mutex;
	pthread_cond_t room, message, taken;
	size_t slots, used, first;
	bool rendezvous, closed;
	uint64_t sent, received; /* with no capacity: the sender's turn, and how many were taken */
	uint64_t *slot;
};

/* 0 or -errno. */
int queue_init(struct queue *q, size_t capacity);
void queue_destroy(struct queue *q);
void queue_send(struct queue *q, uint64_t value);
/* False: closed, and nothing left. */
bool queue_receive(struct queue *q, uint64_t *value);
void queue_close(struct queue *q);

#endif
