/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <perch/perch.h>
#include <stdint.h>
#include <stdio.h>

static void echo(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char buffer[64];
	ssize_t n;

	while ((n = perch_read(fd, buffer, sizeof(buffer))) > 0)
		perch_write(fd, buffer, (size_t)n);
	perch_close(fd);
}

static void *first(void *arg)
{
	struct timespec past = {0, 0};
	int end[2];
	char c = 'x';

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, end) || perch_go(echo, (void *)(intptr_t)end[1]))
		return NULL;
	if (perch_write(end[0], &c, 1) != 1 || perch_read(end[0], &c, 1) != 1)
		return NULL;
	if (perch_timedread(end[0], &c, 1, &past) != -ETIMEDOUT || perch_close(end[0]))
		return NULL;
	printf("%c\n", c);
	return arg;
}

int main(void)
{
	void *good = NULL;

	return perch_run(NULL, first, "", &good) || !good;
}
