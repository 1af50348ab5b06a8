/* SPDX-License-Identifier: MIT */
#include "tests/refuse/work.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <perch/perch.h>

#define THREADS 3000
#define ITEMS 20000

/* Says which line was not as it should be. */
#define TEXT_(line) #line
#define TEXT(line) TEXT_(line)
#define CHECK(is)                                                                                                      \
	do {                                                                                                           \
		if (!(is))                                                                                             \
			return "work.c:" TEXT(__LINE__) ": " #is;                                                      \
	} while (0)

static void nap(long ns)
{
	nanosleep(&(struct timespec){0, ns}, NULL);
}

/* ---- threads, tasks ---- */

static perch_event_t gate;
static perch_mutex_t mutex;
static unsigned long sum;

static void *waits(void *n)
{
	perch_event_wait(&gate);
	perch_mutex_lock(&mutex);
	sum += (unsigned long)n;
	perch_mutex_unlock(&mutex);
	perch_yield();
	return n;
}

static const char *threads(void)
{
	static perch_t t[THREADS];

	perch_event_init(&gate);
	perch_mutex_init(&mutex, NULL);
	sum = 0;
	for (unsigned long i = 0; i < THREADS; i++)
		CHECK(!perch_create(&t[i], NULL, waits, (void *)i));
	nap(3000000); /* they sleep, all of them */
	perch_event_set(&gate);
	for (unsigned long i = 0; i < THREADS; i++)
		CHECK(!perch_join(t[i], NULL));
	CHECK(sum == (unsigned long)THREADS * (THREADS - 1) / 2);
	return NULL;
}

static void add(size_t lo, size_t hi, void *total)
{
	for (size_t i = lo; i < hi; i++)
		__atomic_add_fetch((unsigned long *)total, i, __ATOMIC_RELAXED);
}

static const char *loop(void)
{
	unsigned long total = 0;

	CHECK(!perch_for(0, ITEMS, 10, add, &total));
	CHECK(total == (unsigned long)ITEMS * (ITEMS - 1) / 2);
	return NULL;
}

/* ---- time ---- */

static perch_sem_t ticks;

static void tick(void *sem)
{
	perch_sem_post(sem);
}

static const char *timers(void)
{
	perch_timer_t timer;

	perch_sem_init(&ticks, 0, 0);
	CHECK(!perch_timer_init(&timer, tick, &ticks));
	CHECK(!perch_timer_start(&timer, 1000000, 2000000));
	for (int i = 0; i < 3; i++)
		CHECK(!perch_sem_wait(&ticks));
	CHECK(!perch_timer_destroy(&timer));
	CHECK(!perch_sleep(2000000));
	return NULL;
}

/* ---- I/O ---- */

struct end {
	int fd;
	const char *wrong;
};

static const char *reply_to(int fd)
{
	char b;

	for (int i = 0; i < 20; i++) {
		CHECK(perch_read(fd, &b, 1) == 1);
		if (i % 5 == 0)
			perch_sleep(200000); /* the other one has to wait, then */
		CHECK(perch_write(fd, &b, 1) == 1);
	}
	return NULL;
}

static void *replies(void *arg)
{
	struct end *e = arg;

	e->wrong = reply_to(e->fd);
	return NULL;
}

static const char *asks(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char b;

	for (char i = 0; i < 20; i++) {
		CHECK(perch_write(fd, &i, 1) == 1);
		if (i % 2)
			CHECK(perch_poll(&p, 1, 10000) == 1);
		CHECK(perch_read(fd, &b, 1) == 1 && b == i);
	}
	return NULL;
}

static void *asks_in_thread(void *arg)
{
	struct end *e = arg;

	e->wrong = asks(e->fd);
	return NULL;
}

static const char *sockets(void)
{
	struct end end[2];
	perch_t t[2];
	int fd[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	end[0].fd = fd[0];
	end[1].fd = fd[1];
	CHECK(!perch_create(&t[0], NULL, replies, &end[0]));
	CHECK(!perch_create(&t[1], NULL, asks_in_thread, &end[1]));
	CHECK(!perch_join(t[0], NULL));
	CHECK(!perch_join(t[1], NULL));
	close(fd[0]);
	close(fd[1]);
	return end[0].wrong ? end[0].wrong : end[1].wrong;
}

static void *sleeps_in_kernel(void *arg)
{
	nap(15000000); /* long enough for a hand-off */
	return arg;
}

static const char *in_file(void)
{
	char name[] = "/tmp/refuse.XXXXXX", b[5] = "";
	int fd = mkstemp(name);

	CHECK(fd >= 0);
	unlink(name);
	CHECK(perch_pwrite(fd, "hello", 5, 0) == 5);
	CHECK(!perch_fsync(fd));
	CHECK(perch_pread(fd, b, 5, 0) == 5 && !memcmp(b, "hello", 5));
	close(fd);
	CHECK(perch_blocking(sleeps_in_kernel, b) == b);
	return NULL;
}

static void *in_file_in_thread(void *wrong)
{
	*(const char **)wrong = in_file();
	return NULL;
}

static const char *files(void)
{
	const char *wrong = NULL;
	perch_t t;

	CHECK(!perch_create(&t, NULL, in_file_in_thread, &wrong));
	CHECK(!perch_join(t, NULL));
	return wrong;
}

/* ---- the rest ---- */

static const char *services(void)
{
	unsigned procs = perch_procs();
	struct perch_stats stats;
	void *large = perch_alloc(10 << 20), *small;
	int r, null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	CHECK(large);
	memset(large, 1, 10 << 20);
	perch_free(large);
	small = perch_alloc(100);
	CHECK(small);
	perch_free(small);
	r = perch_set_procs(1);
	CHECK(r == -EAGAIN ? perch_procs() == procs : !r && perch_procs() == 1); /* -EAGAIN: not told what there is */
	CHECK(r == -EAGAIN || (!perch_set_procs(procs) && perch_procs() == procs));
	perch_stats_get(&stats);
	CHECK(null < 0 || !perch_dump(null));
	close(null);
	perch_trim();
	return NULL;
}

const char *work(void)
{
	static const char *(*const part[])(void) = {threads, loop, timers, sockets, files, services};

	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
		const char *wrong = part[i]();

		if (wrong)
			return wrong;
	}
	nap(5000000); /* the workers sleep */
	return loop();
}
