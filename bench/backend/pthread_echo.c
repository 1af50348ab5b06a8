/* SPDX-License-Identifier: MIT */
/* pthread_echo.c - the echo server: a pthread for each connection, which blocks in the kernel. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/backend/pthread_waits.h"

#define MESSAGE 64
#define STACK ((size_t)64 << 10)

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg, one = 1;
	char buffer[MESSAGE];
	ssize_t n;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0)
		if (send(fd, buffer, (size_t)n, MSG_NOSIGNAL) != n)
			break;
	close(fd);
	return NULL;
}

int pthread_echo(struct echoing *e)
{
	pthread_t *t = calloc(e->connections, sizeof(*t));
	pthread_attr_t attr;
	size_t made = 0;
	int r = t ? 0 : -ENOMEM;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	while (!r && made < e->connections) {
		int fd = accept4(e->listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			r = -errno;
		else
			r = -pthread_create(&t[made], &attr, serve, (void *)(intptr_t)fd);
		made += !r;
	}
	if (r)
		exit(3); /* those who are there wait for the client, and it for the others */
	while (made)
		pthread_join(t[--made], NULL);
	pthread_attr_destroy(&attr);
	free(t);
	return r;
}
