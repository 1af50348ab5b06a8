/* SPDX-License-Identifier: MIT */
#include "bench/backend/pthread_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int queue_init(struct queue *q, size_t capacity)
{
	memset(q, 0, sizeof(*q));
	q->slots = capacity ? capacity : 1;
	q->rendezvous = capacity == 0;
	q->slot = calloc(q->slots, sizeof(*q->slot));
	if (!q->slot)
		return -ENOMEM;
	pthread_mutex_init(&q->mutex, NULL);
	pthread_cond_init(&q->room, NULL);
	pthread_cond_init(&q->message, NULL);
	pthread_cond_init(&q->taken, NULL);
	return 0;
}

void queue_destroy(struct queue *q)
{
	pthread_mutex_destroy(&q->mutex);
	pthread_cond_destroy(&q->room);
	pthread_cond_destroy(&q->message);
	pthread_cond_destroy(&q->taken);
	free(q->slot);
}

void queue_send(struct queue *q, uint64_t value)
{
	uint64_t turn;

	pthread_mutex_lock(&q->mutex);
	while (q->used == q->slots)
		pthread_cond_wait(&q->room, &q->mutex);
	q->slot[(q->first + q->used++) % q->slots] = value;
	turn = ++q->sent;
	pthread_cond_signal(&q->message);
	while (q->rendezvous && q->received < turn)
		pthread_cond_wait(&q->taken, &q->mutex);
	pthread_mutex_unlock(&q->mutex);
}

bool queue_receive(struct queue *q, uint64_t *value)
{
	bool any;

	pthread_mutex_lock(&q->mutex);
	while (!q->used && !q->closed)
		pthread_cond_wait(&q->message, &q->mutex);
	any = q->used != 0;
	if (any) {
		*value = q->slot[q->first];
		q->first = (q->first + 1) % q->slots;
		q->used--;
		q->received++;
		pthread_cond_signal(&q->room);
		if (q->rendezvous)
			pthread_cond_broadcast(&q->taken); /* one of them: the others see that it is not theirs */
	}
	pthread_mutex_unlock(&q->mutex);
	return any;
}

void queue_close(struct queue *q)
{
	pthread_mutex_lock(&q->mutex);
	q->closed = true;
	pthread_cond_broadcast(&q->message);
	pthread_mutex_unlock(&q->mutex);
}
