/* SPDX-License-Identifier: MIT */
/* fault_test.c - signals all the time, no descriptors, no room, peers that go; a runtime that is
 * down, and a child of fork(). */
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "tests/io/io.h"

RUNTIME_FIXTURE(faults)

/* ---- EINTR ---- */

static uint32_t signals;

static void on_alarm(int signal)
{
	(void)signal;
	__atomic_add_fetch(&signals, 1, __ATOMIC_RELAXED);
}

/* To whichever pthread does not block it: mostly where it hurts. */
static void storm(bool on)
{
	struct sigaction a = {.sa_handler = on_alarm}; /* no SA_RESTART */
	struct itimerval every = {{0, on ? 150 : 0}, {0, on ? 150 : 0}};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	if (on)
		ASSERT_EQ(sigaction(SIGALRM, &a, NULL), 0);
	ASSERT_EQ(setitimer(ITIMER_REAL, &every, NULL), 0);
}

struct storm {
	int end[2], back[2];
	int listener;
	uint32_t over;
};

#define ROUNDS 300

static void *answer(void *arg)
{
	struct storm *s = arg;
	char buffer[100];

	for (int i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(perch_read(s->end[0], buffer, 1), 1);
		if (i % 3 == 0)
			harness_delay(100000);
		ASSERT_EQ(perch_write(s->back[1], buffer, 1), 1);
	}
	return NULL;
}

static void *question(void *arg)
{
	struct storm *s = arg;
	struct pollfd p = {.fd = s->back[0], .events = POLLIN};
	char c;

	for (int i = 0; i < ROUNDS; i++) {
		struct timespec hour = in_ns(3600000000000);

		ASSERT_EQ(perch_write(s->end[1], "x", 1), 1);
		if (i % 2)
			ASSERT_EQ(perch_poll(&p, 1, -1), 1);
		ASSERT_EQ(perch_timedread(s->back[0], &c, 1, &hour), 1);
	}
	return NULL;
}

static void *time_out(void *arg)
{
	struct storm *s = arg;

	for (int i = 0; i < 20; i++) {
		struct timespec at = in_ns(1000000);
		struct pollfd p = {.fd = s->listener, .events = POLLIN};

		if (i % 2)
			ASSERT_EQ(perch_timedaccept(s->listener, NULL, NULL, 0, &at), -ETIMEDOUT);
		else
			ASSERT_EQ(perch_timedpoll(&p, 1, &at), -ETIMEDOUT);
		ASSERT_GE((int64_t)harness_now(), at.tv_sec * 1000000000 + at.tv_nsec);
	}
	return NULL;
}

static void *use_files(void *arg)
{
	char path[] = "/tmp/perch-io-XXXXXX", bytes[5000] = {1};
	int fd = mkstemp(path);

	ASSERT_GE(fd, 0);
	for (int i = 0; i < 50; i++) {
		int other;

		ASSERT_EQ(perch_pwrite(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
		ASSERT_EQ(perch_fsync(fd), 0);
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		ASSERT_EQ(perch_pread(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
		other = perch_open(path, O_RDONLY, 0);
		ASSERT_GE(other, 0);
		ASSERT_EQ(perch_close(other), 0);
	}
	close(fd);
	unlink(path);
	return arg;
}

TEST_F(faults, signals_all_the_time)
{
	struct storm s[6] = {{.over = 0}};
	struct sockaddr_in a;
	struct crowd c = {0};

	storm(true);
	for (int i = 0; i < 6; i++) {
		make_pair(i % 3, s[i].end);
		make_pair(i % 3, s[i].back);
		s[i].listener = listener(&a);
		crowd_add(&c, i != 1, i == 1, question, &s[i]);
		crowd_add(&c, i != 2, i == 2, answer, &s[i]);
		crowd_add(&c, i != 3, i == 3, time_out, &s[i]);
	}
	crowd_add(&c, 2, 0, use_files, NULL);
	crowd_join(&c);
	storm(false);
	EXPECT_GT(__atomic_load_n(&signals, __ATOMIC_RELAXED), 50);
	for (int i = 0; i < 6; i++) {
		close_pair(s[i].end);
		close_pair(s[i].back);
		close(s[i].listener);
	}
}

/* ---- no room, no descriptors ---- */

static void *write_to_full(void *arg)
{
	int fd = perch_open("/dev/full", O_WRONLY | O_CLOEXEC, 0);
	static const char bytes[70000];

	ASSERT_GE(fd, 0);
	EXPECT_EQ(perch_write(fd, bytes, sizeof(bytes)), -ENOSPC);
	EXPECT_EQ(perch_close(fd), 0);
	return arg;
}

TEST_F(faults, ENOSPC_is_passed_on)
{
	struct crowd c = {0};

	crowd_add(&c, 1, 1, write_to_full, NULL);
	crowd_join(&c);
}

struct poor {
	int end[2], listener;
	struct sockaddr_in at;
	uint32_t began;
};

static void *open_another(void *arg)
{
	struct poor *p = arg;

	EXPECT_EQ(perch_open("/dev/null", O_RDONLY, 0), -EMFILE);
	EXPECT_EQ(perch_accept(p->listener, NULL, NULL, 0), -EMFILE);
	return NULL;
}

static void *wait_all_the_same(void *arg)
{
	struct poor *p = arg;
	char c;

	count_up(&p->began);
	EXPECT_EQ(perch_read(p->end[0], &c, 1), 1);
	return NULL;
}

static struct rlimit before;

/* By the limit, not by taking all: the monitor opens a file now and then, and one would
 * be free when it has closed it. (0 would be too few for poll().) */
static void exhaust(void)
{
	struct rlimit few;

	ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){1, before.rlim_max};
	ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
	ASSERT_EQ(dup(0), -1);
	ASSERT_EQ(errno, EMFILE);
}

/* What looks for leaks at the end needs some. */
static void relieve(void)
{
	ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST_F(faults, EMFILE_is_passed_on)
{
	struct poor p = {.began = 0};
	struct crowd c = {0};
	int fd;

	p.listener = listener(&p.at);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	ASSERT_EQ(connect(fd, (struct sockaddr *)&p.at, sizeof(p.at)), 0);
	exhaust();
	crowd_add(&c, 1, 1, open_another, &p);
	crowd_join(&c);
	relieve();
}

/* Not even the poller's own are to be had: then a wait blocks its pthread. */
TEST_F(faults, a_wait_without_descriptors)
{
	struct poor p = {.began = 0};
	struct crowd c = {0};

	make_pair(SOCKETS, p.end);
	exhaust();
	crowd_add(&c, 1, 1, wait_all_the_same, &p);
	ASSERT_TRUE(gather(&p.began, 2, 20));
	EXPECT_EQ(write(p.end[1], "xy", 2), 2);
	crowd_join(&c);
	relieve();
}

/* ---- peers that go ---- */

static void *read_from_one_that_resets(void *arg)
{
	char c;

	EXPECT_EQ(perch_read(*(int *)arg, &c, 1), -ECONNRESET);
	return NULL;
}

static void *write_to_one_that_resets(void *arg)
{
	char *bytes = calloc(1, 30000000);
	ssize_t n = perch_write(*(int *)arg, bytes, 30000000);

	/* what went before counts; the next says it */
	EXPECT_GT(n, 0);
	EXPECT_LT(n, 30000000);
	n = perch_write(*(int *)arg, bytes, 1);
	if (n != -ECONNRESET)
		EXPECT_EQ(n, -EPIPE);
	free(bytes);
	return NULL;
}

TEST_F(faults, a_peer_that_resets)
{
	struct linger abortive = {1, 0};

	for (int i = 0; i < 4; i++) {
		struct crowd c = {0};
		int end[2];

		make_pair(TCP, end);
		crowd_add(&c, i % 2, !(i % 2), i / 2 ? write_to_one_that_resets : read_from_one_that_resets, &end[0]);
		ASSERT_TRUE(until_io_waiters(1));
		ASSERT_EQ(setsockopt(end[1], SOL_SOCKET, SO_LINGER, &abortive, sizeof(abortive)), 0);
		EXPECT_EQ(close(end[1]), 0);
		crowd_join(&c);
		EXPECT_EQ(close(end[0]), 0);
	}
}

/* A socket raises no SIGPIPE (which would end this process); a pipe does unless it is ignored. */
static void *write_to_nobody(void *arg)
{
	int end[2];
	struct iovec v[2] = {{"x", 1}, {"y", 1}};

	for (int kind = 0; kind < 3; kind++) {
		make_pair(kind, end);
		close(end[0]);
		if (kind == PIPE)
			signal(SIGPIPE, SIG_IGN);
		if (kind == TCP)
			perch_write(end[1], "x", 1); /* to which the answer is a reset */
		EXPECT_EQ(perch_write(end[1], "x", 1), -EPIPE);
		EXPECT_EQ(perch_writev(end[1], v, 2), -EPIPE);
		if (kind != PIPE)
			EXPECT_EQ(perch_send(end[1], "x", 1, 0), -EPIPE);
		close(end[1]);
		signal(SIGPIPE, SIG_DFL);
	}
	return arg;
}

TEST_F(faults, a_reader_that_is_gone)
{
	struct crowd c = {0};

	crowd_add(&c, 1, 0, write_to_nobody, NULL);
	crowd_join(&c);
	crowd_add(&c, 0, 1, write_to_nobody, NULL);
	crowd_join(&c);
}

/* ---- a runtime that is down ---- */

static void *write_soon(void *arg)
{
	int *end = arg;

	harness_delay(2000000);
	EXPECT_EQ(perch_write(end[1], "x", 1), 1);
	return NULL;
}

static void use_all(void)
{
	for (int kind = 0; kind < 3; kind++) {
		struct timespec at = in_ns(1000000);
		struct pollfd p = {.events = POLLIN};
		struct crowd c = {0};
		char byte;
		int end[2];

		make_pair(kind, end);
		EXPECT_EQ(perch_timedread(end[0], &byte, 1, &at), -ETIMEDOUT);
		crowd_add(&c, 0, 1, write_soon, end);
		EXPECT_EQ(perch_read(end[0], &byte, 1), 1);
		crowd_join(&c);
		crowd_add(&c, 0, 1, write_soon, end);
		p.fd = end[0];
		EXPECT_EQ(perch_poll(&p, 1, -1), 1);
		crowd_join(&c);
		EXPECT_EQ(perch_close(end[0]), 0);
		EXPECT_EQ(perch_close(end[1]), 0);
	}
}

/* ---- the ring is refused, by a filter that comes later ---- */

static void *sync_a_file(void *name)
{
	int fd = perch_open(name, O_RDWR, 0);
	struct timespec at = in_ns(10000000000);

	ASSERT_GE(fd, 0);
	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(perch_fsync(fd), 0);
		ASSERT_EQ(perch_timedfsync(fd, &at), 0);
		perch_yield();
	}
	EXPECT_EQ(perch_close(fd), 0);
	return NULL;
}

TEST_F(faults, the_ring_is_refused_after_its_first_use)
{
	char name[] = "/tmp/perch-ring-XXXXXX";
	struct crowd c = {0};
	int fd = mkstemp(name);

	ASSERT_GE(fd, 0);
	crowd_add(&c, 4, 0, sync_a_file, name);
	crowd_join(&c);
	crowd_add(&c, 8, 2, sync_a_file, name);
	ASSERT_EQ(harness_refuse_from_now_on("io_uring_enter", variant->config.workers ? ENOSYS : EPERM), 0);
	crowd_join(&c);
	crowd_add(&c, 8, 2, sync_a_file, name);
	crowd_join(&c);
	unlink(name);
	close(fd);
}

TEST(while_the_runtime_is_down)
{
	use_all();
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(perch_start(NULL), 0);
		use_all();
		ASSERT_EQ(perch_stop(), 0);
		use_all();
	}
}

/* ---- a child of fork() ---- */

TEST_F(faults, in_the_child_of_a_fork)
{
	struct poor p = {.began = 0};
	struct crowd c = {0};
	char byte;
	int status, end[2];
	pid_t child;

	make_pair(PIPE, p.end);
	make_pair(PIPE, end);
	crowd_add(&c, 2, 0, wait_all_the_same, &p);
	ASSERT_TRUE(until_io_waiters(2));
	child = fork();
	if (!child) {
		struct pollfd q = {.fd = p.end[0], .events = POLLIN};
		bool good = perch_read(p.end[0], &byte, 1) == -EPERM && perch_poll(&q, 1, -1) == -EPERM &&
			    perch_write(end[1], "z", 1) == 1 && perch_read(end[0], &byte, 1) == 1 &&
			    perch_close(p.end[0]) == 0 && perch_read(p.end[0], &byte, 1) == -EBADF;

		_exit(!good);
	}
	ASSERT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(write(p.end[1], "xy", 2), 2);
	crowd_join(&c);
	close_pair(p.end);
	close_pair(end);
}
