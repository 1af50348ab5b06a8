/* SPDX-License-Identifier: MIT */
/*
 * echo - a TCP server that sends back what it gets.
 *
 * A thread for each connection, in straight lines: receive, send, again. One thread
 * accepts, one waits for a signal, and closes the listening socket under the first.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <perch/perch.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER 16384 /* of each connection, on its stack */
#define GRACE_S 1    /* for connections to end by themselves, after a signal */
#define PAUSE_NS 50000000u

struct connection {
	int fd;
	struct connection *next, **at; /* in `open` */
};

static int listener = -1, signals = -1;
static unsigned idle_s; /* a connection without traffic for so long is closed; 0: never */
static bool stopping;   /* atomic */
static perch_waitgroup_t connections = PERCH_WAITGROUP_INIT;
static uint64_t served, bytes; /* atomic: connections that were accepted, bytes sent back */

/* Those that are open, for when they must be ended. */
static struct {
	perch_mutex_t lock;
	struct connection *first;
} open_ones = {.lock = PERCH_MUTEX_INIT};

static struct timespec in_seconds(unsigned seconds)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += seconds;
	return t;
}

/* ---- a connection ---- */

static ssize_t receive(int fd, char *buffer, size_t size)
{
	struct timespec until;

	if (!idle_s)
		return perch_recv(fd, buffer, size, 0);
	until = in_seconds(idle_s);
	return perch_timedrecv(fd, buffer, size, 0, &until);
}

/* All n bytes, unless there is an error, or the peer does not take them in time. */
static ssize_t send_back(int fd, const char *buffer, size_t n)
{
	struct timespec until;

	if (!idle_s)
		return perch_send(fd, buffer, n, 0);
	until = in_seconds(idle_s);
	return perch_timedsend(fd, buffer, n, 0, &until);
}

/* Until the peer has no more to say (and has all of it back), is idle, or is gone. */
static void serve(struct connection *c)
{
	char buffer[BUFFER];
	ssize_t got, sent;

	while ((got = receive(c->fd, buffer, sizeof(buffer))) > 0) {
		sent = send_back(c->fd, buffer, (size_t)got);
		if (sent > 0)
			__atomic_fetch_add(&bytes, (uint64_t)sent, __ATOMIC_RELAXED);
		if (sent < got)
			break;
	}
}

static void open_add(struct connection *c)
{
	perch_mutex_lock(&open_ones.lock);
	c->at = &open_ones.first;
	c->next = open_ones.first;
	if (c->next)
		c->next->at = &c->next;
	open_ones.first = c;
	perch_mutex_unlock(&open_ones.lock);
}

/* Closed with the lock held: nobody shuts down a descriptor that is another's by now. */
static void open_remove(struct connection *c)
{
	perch_mutex_lock(&open_ones.lock);
	*c->at = c->next;
	if (c->next)
		c->next->at = c->at;
	perch_close(c->fd);
	perch_mutex_unlock(&open_ones.lock);
}

static void connection_main(void *arg)
{
	struct connection *c = arg;

	serve(c);
	open_remove(c);
	free(c);
	perch_waitgroup_done(&connections);
}

/* ---- accepting ---- */

static int start(int fd)
{
	struct connection *c = malloc(sizeof(*c));
	int r;

	if (!c) {
		perch_close(fd);
		return -ENOMEM;
	}
	c->fd = fd;
	open_add(c);
	perch_waitgroup_add(&connections, 1);
	r = perch_go(connection_main, c);
	if (r) {
		open_remove(c);
		free(c);
		perch_waitgroup_done(&connections);
	}
	return r;
}

/* True: it is about this connection, or about what others may give back; try again. */
static bool survivable(int error)
{
	static bool said;

	switch (error) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		if (!said)
			fprintf(stderr, "echo: cannot take more connections: %s; waiting\n", strerror(error));
		said = true;
		perch_sleep(PAUSE_NS);
		return true;
	case ECONNABORTED: /* it has gone already; and what accept(2) passes on from the network */
	case ENETDOWN:
	case EPROTO:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
	case EPERM:
		return true;
	default:
		return false;
	}
}

static int accept_all(void)
{
	while (!__atomic_load_n(&stopping, __ATOMIC_ACQUIRE)) {
		int fd = perch_accept(listener, NULL, NULL, SOCK_CLOEXEC);
		int r = fd < 0 ? fd : start(fd);

		if (fd >= 0 && !r)
			__atomic_fetch_add(&served, 1, __ATOMIC_RELAXED);
		else if (!survivable(-r))
			return __atomic_load_n(&stopping, __ATOMIC_ACQUIRE) ? 0 : r;
	}
	return 0;
}

/* A thread: SIGINT or SIGTERM ends accept_all(), by -EBADF. */
static void *watch_signals(void *unused)
{
	struct signalfd_siginfo info;

	if (perch_read(signals, &info, sizeof(info)) == sizeof(info)) {
		__atomic_store_n(&stopping, true, __ATOMIC_RELEASE);
		perch_close(listener);
	}
	return unused;
}

static void end_connections(void)
{
	struct timespec until = in_seconds(GRACE_S);

	if (!perch_waitgroup_timedwait(&connections, &until))
		return;
	perch_mutex_lock(&open_ones.lock);
	for (struct connection *c = open_ones.first; c; c = c->next)
		shutdown(c->fd, SHUT_RDWR); /* its thread sees the end */
	perch_mutex_unlock(&open_ones.lock);
	perch_waitgroup_wait(&connections);
}

static void *echo(void *status)
{
	perch_t watch;
	int r = perch_create(&watch, NULL, watch_signals, NULL);

	if (!r) {
		r = accept_all();
		perch_close(signals); /* after an error: nobody has sent one */
		perch_join(watch, NULL);
	}
	if (r)
		fprintf(stderr, "echo: accept: %s\n", strerror(-r));
	end_connections();
	*(int *)status = r ? 1 : 0;
	return NULL;
}

/* ---- the start ---- */

/* On a numeric address: no names are looked up, which would block. */
static int listen_on(const char *address, const char *port)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *a;
	int r = getaddrinfo(address, port, &hints, &a), fd, one = 1;

	if (r) {
		fprintf(stderr, "echo: %s, port %s: %s\n", address, port, gai_strerror(r));
		return -1;
	}
	fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) || /* those accepted inherit it */
	    bind(fd, a->ai_addr, a->ai_addrlen) || listen(fd, SOMAXCONN)) {
		fprintf(stderr, "echo: %s, port %s: %s\n", address, port, strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(a);
	return fd;
}

static int say_where(void)
{
	struct sockaddr_storage a = {0};
	socklen_t length = sizeof(a);
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (getsockname(listener, (struct sockaddr *)&a, &length) ||
	    getnameinfo((struct sockaddr *)&a, length, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV))
		return -1;
	printf(a.ss_family == AF_INET6 ? "listening on [%s]:%s\n" : "listening on %s:%s\n", host, port);
	return fflush(stdout);
}

/* Before the runtime starts, so that its pthreads have them blocked too. */
static int take_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int usage(FILE *to, int status)
{
	fputs("usage: echo [-p PORT] [-a ADDRESS] [-j PROCS] [-t SECONDS]\n"
	      "Send back what comes in by TCP, until SIGINT or SIGTERM.\n"
	      "  -p PORT     listen there (default: a free one)\n"
	      "  -a ADDRESS  numeric, IPv4 or IPv6 (default: 127.0.0.1)\n"
	      "  -j PROCS    use that many CPUs (default: all)\n"
	      "  -t SECONDS  close connections without traffic for so long (default: never)\n"
	      "  -h          this text\n",
	      to);
	return status;
}

/* 1 to most, else 0. */
static unsigned number(const char *text, unsigned most)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	return *end || *text == '-' || n > most ? 0 : (unsigned)n;
}

int main(int argc, char **argv)
{
	struct perch_config config = PERCH_CONFIG_INIT;
	const char *address = "127.0.0.1", *port = "0";
	int option, r, status = 1;

	while ((option = getopt(argc, argv, "p:a:j:t:h")) != -1) {
		switch (option) {
		case 'p':
			port = optarg;
			r = number(optarg, 65535) || !strcmp(optarg, "0");
			break;
		case 'a':
			address = optarg;
			r = 1;
			break;
		case 'j':
			r = (config.procs = number(optarg, 65535)) != 0;
			break;
		case 't':
			r = (idle_s = number(optarg, 1000000)) != 0;
			break;
		case 'h':
			return usage(stdout, 0);
		default:
			r = 0;
		}
		if (!r)
			return usage(stderr, 2);
	}
	if (optind != argc)
		return usage(stderr, 2);
	signals = take_signals();
	listener = signals < 0 ? -1 : listen_on(address, port);
	if (listener < 0 || say_where())
		return 1;
	r = perch_run(&config, echo, &status, NULL);
	if (r) {
		fprintf(stderr, "echo: cannot start: %s\n", strerror(-r));
		return 1;
	}
	printf("served %llu connections, %llu bytes\n", (unsigned long long)served, (unsigned long long)bytes);
	return fflush(stdout) ? 1 : status;
}
