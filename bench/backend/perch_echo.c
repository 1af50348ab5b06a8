/* SPDX-License-Identifier: MIT */
/* perch_echo.c - the echo server: a thread for each connection. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>

#include "bench/backend/perch_waits.h"

#define MESSAGE 64

static perch_waitgroup_t open_connections = PERCH_WAITGROUP_INIT;

static void serve(void *arg)
{
	int fd = (int)(intptr_t)arg, one = 1;
	char buffer[MESSAGE];
	ssize_t n;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	while ((n = perch_read(fd, buffer, sizeof(buffer))) > 0)
		if (perch_write(fd, buffer, (size_t)n) != n)
			break;
	perch_close(fd);
	perch_waitgroup_done(&open_connections);
}

int perch_bench_echo(struct echoing *e)
{
	int r = 0;

	for (size_t i = 0; i < e->connections; i++) {
		int fd = perch_accept(e->listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			return fd;
		perch_waitgroup_add(&open_connections, 1);
		r = perch_go(serve, (void *)(intptr_t)fd);
		if (r)
			return r;
	}
	return perch_waitgroup_wait(&open_connections);
}
