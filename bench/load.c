/* SPDX-License-Identifier: MIT */
/*
 * load.c - the client of `echo`, the same for every backend: pthreads with an epoll each, and
 * nothing of what is measured.
 *
 *	bench_load PORT CONNECTIONS REQUESTS
 *
 * Each connection to 127.0.0.1 sends 64 bytes, waits until they are back, looks whether they are the
 * same, and sends the next; the first on each only warms up. Out comes a line: requests answered
 * rightly, their time in ns, and the 50th and 99th percentile of one's.
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define THREADS 2
#define MESSAGE 64
#define BATCH 128
#define QUIET_MS 20000 /* no answer for so long: give up */

struct connection {
	int fd;
	uint64_t sent; /* requests */
	uint64_t since;
	size_t got; /* bytes of the answer */
	char out[MESSAGE], in[MESSAGE];
};

struct client {
	pthread_t pthread;
	struct connection *connection;
	size_t connections, requests; /* of this client */
	uint64_t *ns;                 /* of each that was answered */
	size_t answered, right;
	uint64_t began, ended;
};

static int port;
static pthread_barrier_t start;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const char *what)
{
	fprintf(stderr, "bench_load: %s: %s\n", what, strerror(errno));
	exit(3);
}

static void send_next(struct connection *c)
{
	c->sent++;
	c->got = 0;
	memset(c->out, (int)(c->sent + (uint64_t)c->fd), MESSAGE);
	memcpy(c->out, &c->sent, sizeof(c->sent));
	c->since = now_ns();
	if (send(c->fd, c->out, MESSAGE, MSG_NOSIGNAL) != MESSAGE)
		fail("send");
}

/* True once the whole answer is there. */
static bool receive(struct connection *c)
{
	ssize_t n = recv(c->fd, c->in + c->got, MESSAGE - c->got, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0)
		fail("recv");
	c->got += (size_t)n;
	return c->got == MESSAGE;
}

static void open_all(struct client *c, int epoll)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int one = 1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (size_t i = 0; i < c->connections; i++) {
		struct connection *k = &c->connection[i];
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = k};

		k->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (k->fd < 0 || connect(k->fd, (struct sockaddr *)&a, sizeof(a)) ||
		    setsockopt(k->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) ||
		    epoll_ctl(epoll, EPOLL_CTL_ADD, k->fd, &e))
			fail("connect");
	}
}

/* Until `requests` have been answered on them all; timed or not. */
static void talk(struct client *c, int epoll, size_t requests, bool timed)
{
	size_t sent = 0, back = 0;
	struct epoll_event e[BATCH];

	for (size_t i = 0; i < c->connections && sent < requests; i++, sent++)
		send_next(&c->connection[i]);
	while (back < requests) {
		int n = epoll_wait(epoll, e, BATCH, QUIET_MS);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n ? errno : ETIMEDOUT;
			fail("waiting for an answer");
		}
		for (int i = 0; i < n; i++) {
			struct connection *k = e[i].data.ptr;

			if (!receive(k))
				continue;
			back++;
			if (timed) {
				c->ns[c->answered++] = now_ns() - k->since;
				c->right += !memcmp(k->in, k->out, MESSAGE);
			}
			if (sent < requests) {
				send_next(k);
				sent++;
			}
		}
	}
}

static void *run(void *arg)
{
	struct client *c = arg;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0)
		fail("epoll_create1");
	open_all(c, epoll);
	talk(c, epoll, c->connections, false);
	pthread_barrier_wait(&start);
	c->began = now_ns();
	talk(c, epoll, c->requests, true);
	c->ended = now_ns();
	for (size_t i = 0; i < c->connections; i++)
		close(c->connection[i].fd);
	return NULL;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void put_result(const struct client *client, uint64_t *all, size_t requests)
{
	uint64_t began = UINT64_MAX, ended = 0;
	size_t n = 0, right = 0;

	for (int i = 0; i < THREADS; i++) {
		memcpy(all + n, client[i].ns, client[i].answered * sizeof(*all));
		n += client[i].answered;
		right += client[i].right;
		began = client[i].began < began ? client[i].began : began;
		ended = client[i].ended > ended ? client[i].ended : ended;
	}
	qsort(all, n, sizeof(*all), compare);
	if (n != requests)
		exit(3);
	printf("%zu %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", right, ended - began, all[n / 2], all[n * 99 / 100]);
}

int main(int argc, char **argv)
{
	struct client client[THREADS] = {{0}};
	struct rlimit files;
	size_t connections, requests;
	uint64_t *all;

	if (argc != 4) {
		fprintf(stderr, "usage: bench_load PORT CONNECTIONS REQUESTS\n");
		return 2;
	}
	port = atoi(argv[1]);
	connections = strtoul(argv[2], NULL, 10);
	requests = strtoul(argv[3], NULL, 10);
	if (port < 1 || port > 65535 || connections < THREADS || connections > 100000 || requests < 100) {
		fprintf(stderr, "bench_load: out of range\n");
		return 2;
	}
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	all = calloc(requests, sizeof(*all));
	pthread_barrier_init(&start, NULL, THREADS);
	for (size_t i = 0; i < THREADS; i++) {
		struct client *c = &client[i];

		c->connections = connections / THREADS + (i < connections % THREADS);
		c->requests = requests / THREADS + (i < requests % THREADS);
		c->connection = calloc(c->connections, sizeof(*c->connection));
		c->ns = calloc(c->requests, sizeof(*c->ns));
		if (!all || !c->connection || !c->ns || pthread_create(&c->pthread, NULL, run, c))
			fail("start");
	}
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(client[i].pthread, NULL);
	put_result(client, all, requests);
	return fflush(stdout) ? 3 : 0;
}
