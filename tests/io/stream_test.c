/* SPDX-License-Identifier: MIT */
/* stream_test.c - reads and writes on sockets and pipes: echo, several at one descriptor,
 * what does not fit, deadlines. */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "tests/io/io.h"

RUNTIME_FIXTURE(stream)

/* ---- echo ---- */

#define ROUNDS 200

struct talk {
	int end[2];
	enum kind kind;
	uint32_t wrong;
};

static void *echo(void *arg)
{
	struct talk *t = arg;
	char buffer[64];
	ssize_t n;

	while ((n = perch_read(t->end[0], buffer, sizeof(buffer))) > 0)
		if (perch_write(t->end[0], buffer, (size_t)n) != n)
			count_up(&t->wrong);
	EXPECT_EQ(n, 0);
	EXPECT_EQ(shutdown(t->end[0], SHUT_WR), 0);
	return NULL;
}

static void *ask(void *arg)
{
	struct talk *t = arg;
	char out[64], in[64];

	for (int i = 0; i < ROUNDS; i++) {
		size_t n = 1 + harness_random_below(sizeof(out));
		ssize_t got = 0;

		memset(out, i, n);
		ASSERT_EQ(perch_send(t->end[1], out, n, 0), n);
		got = perch_recv(t->end[1], in, n, MSG_WAITALL);
		if (got != (ssize_t)n || memcmp(in, out, n))
			count_up(&t->wrong);
	}
	EXPECT_EQ(shutdown(t->end[1], SHUT_WR), 0);
	EXPECT_EQ(perch_read(t->end[1], in, 1), 0);
	return NULL;
}

static void echo_many(enum kind kind)
{
	struct talk talk[24] = {0};
	struct crowd c = {0};

	for (int i = 0; i < 24; i++) {
		make_pair(kind, talk[i].end);
		/* mostly threads; some with a pthread at one end */
		crowd_add(&c, i % 8 != 1, i % 8 == 1, echo, &talk[i]);
		crowd_add(&c, i % 8 != 2, i % 8 == 2, ask, &talk[i]);
	}
	crowd_join(&c);
	for (int i = 0; i < 24; i++) {
		EXPECT_EQ(talk[i].wrong, 0);
		close_pair(talk[i].end);
	}
	EXPECT_EQ(io_waiters(), 0);
}

TEST_F(stream, echo_over_socketpairs)
{
	echo_many(SOCKETS);
}

TEST_F(stream, echo_over_tcp)
{
	echo_many(TCP);
}

/* ---- several at one descriptor; more than fits ---- */

#define WRITERS 6
#define EACH 200000 /* bytes; a pipe holds 65,536 */

struct flood {
	int end[2];
	uint64_t in, out;
	int failed;
	uint32_t turn;
};

static void *pour(void *arg)
{
	struct flood *f = arg;
	char *bytes = malloc(EACH);
	unsigned turn = count_up(&f->turn);

	memset(bytes, 7, EACH);
	if (turn % 2) {
		ASSERT_EQ(perch_write(f->end[1], bytes, EACH), EACH);
	} else {
		struct iovec v[40];

		for (int i = 0; i < 40; i++)
			v[i] = (struct iovec){bytes + i * (EACH / 40), EACH / 40};
		ASSERT_EQ(perch_writev(f->end[1], v, 40), EACH);
	}
	__atomic_add_fetch(&f->in, EACH, __ATOMIC_RELAXED);
	free(bytes);
	return NULL;
}

static void *drain(void *arg)
{
	struct flood *f = arg;
	char buffer[5000];
	struct iovec v[3] = {{buffer, 1000}, {buffer + 1000, 0}, {buffer + 1000, 4000}};
	ssize_t n;

	while ((n = count_up(&f->turn) % 2 ? perch_readv(f->end[0], v, 3)
					   : perch_read(f->end[0], buffer, sizeof(buffer))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			if (buffer[i] != 7)
				f->failed = 1;
		__atomic_add_fetch(&f->out, (uint64_t)n, __ATOMIC_RELAXED);
	}
	EXPECT_EQ(n, 0);
	return NULL;
}

static void flood(enum kind kind)
{
	struct flood f = {.turn = 0};
	struct crowd readers = {0}, writers = {0};

	make_pair(kind, f.end);
	crowd_add(&readers, 5, 1, drain, &f);
	ASSERT_TRUE(until_io_waiters(6));
	crowd_add(&writers, WRITERS - 1, 1, pour, &f);
	crowd_join(&writers);
	if (kind == PIPE)
		EXPECT_EQ(close(f.end[1]), 0);
	else
		EXPECT_EQ(shutdown(f.end[1], SHUT_WR), 0);
	crowd_join(&readers);
	EXPECT_EQ(f.in, (uint64_t)WRITERS * EACH);
	EXPECT_EQ(f.out, f.in);
	EXPECT_EQ(f.failed, 0);
	EXPECT_EQ(close(f.end[0]), 0);
	if (kind != PIPE)
		EXPECT_EQ(close(f.end[1]), 0);
}

TEST_F(stream, many_at_a_pipe)
{
	flood(PIPE);
}

TEST_F(stream, many_at_a_socketpair)
{
	flood(SOCKETS);
}

TEST_F(stream, many_at_a_connection)
{
	flood(TCP);
}

/* While one waits to read, another waits to write, at the same socket. */
static void *write_a_lot(void *arg)
{
	int fd = *(int *)arg;
	char *bytes = calloc(1, 3000000);

	EXPECT_EQ(perch_write(fd, bytes, 3000000), 3000000);
	free(bytes);
	return NULL;
}

static void *read_one(void *arg)
{
	char c;

	EXPECT_EQ(perch_read(*(int *)arg, &c, 1), 1);
	return NULL;
}

TEST_F(stream, a_reader_and_a_writer_at_one_socket)
{
	struct crowd reader = {0}, writer = {0};
	char *bytes = malloc(3000000);
	int end[2];

	make_pair(SOCKETS, end);
	crowd_add(&reader, 1, 0, read_one, &end[0]);
	crowd_add(&writer, 1, 0, write_a_lot, &end[0]);
	ASSERT_TRUE(until_io_waiters(2));
	EXPECT_EQ(perch_recv(end[1], bytes, 3000000, MSG_WAITALL), 3000000);
	crowd_join(&writer);
	EXPECT_EQ(io_waiters(), 1);
	EXPECT_EQ(perch_write(end[1], "x", 1), 1);
	crowd_join(&reader);
	close_pair(end);
	free(bytes);
}

/* A blocking write goes on until all is written: with nobody else to run, the reader runs. */
static void *fill_and_empty(void *arg)
{
	int *end = arg;
	char buffer[4096];
	size_t sum = 0;

	while (sum < 3000000) {
		ssize_t n = perch_read(end[1], buffer, sizeof(buffer));

		ASSERT_GT(n, 0);
		sum += (size_t)n;
	}
	return NULL;
}

TEST_F(stream, O_NONBLOCK_waits_as_well)
{
	struct crowd c = {0};
	int end[2];

	make_pair(SOCKETS, end);
	ASSERT_EQ(fcntl(end[0], F_SETFL, O_NONBLOCK), 0);
	ASSERT_EQ(fcntl(end[1], F_SETFL, O_NONBLOCK), 0);
	crowd_add(&c, 1, 0, fill_and_empty, end);
	ASSERT_TRUE(until_io_waiters(1));
	crowd_add(&c, 1, 0, write_a_lot, &end[0]);
	crowd_join(&c);
	EXPECT_EQ(fcntl(end[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	close_pair(end);
}

TEST_F(stream, flags_are_left_alone)
{
	int end[2];
	char c;

	for (int kind = 0; kind < 3; kind++) {
		make_pair(kind, end);
		EXPECT_EQ(perch_write(end[1], "x", 1), 1);
		EXPECT_EQ(perch_read(end[0], &c, 1), 1);
		EXPECT_EQ(fcntl(end[0], F_GETFL) & O_NONBLOCK, 0);
		EXPECT_EQ(fcntl(end[1], F_GETFL) & O_NONBLOCK, 0);
		close_pair(end);
	}
}

/* ---- eventfd: what takes neither recv() nor, to write, RWF_NOWAIT ---- */

static void *add_up(void *arg)
{
	uint64_t n = 0;

	for (uint64_t sum = 0; sum < 100; sum += n)
		ASSERT_EQ(perch_read(*(int *)arg, &n, sizeof(n)), 8);
	return NULL;
}

TEST_F(stream, an_eventfd)
{
	struct crowd c = {0};
	int fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
	uint64_t n = 5;

	ASSERT_GE(fd, 0);
	crowd_add(&c, 1, 0, add_up, &fd);
	ASSERT_TRUE(until_io_waiters(1));
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(perch_write(fd, &n, sizeof(n)), 8);
	crowd_join(&c);
	EXPECT_EQ(close(fd), 0);
}

/* ---- deadlines ---- */

struct late {
	int fd;
	int kind;
	uint32_t through;
};

static void *give_up(void *arg)
{
	struct late *l = arg;
	struct timespec at = in_ns(3000000);
	char c;

	EXPECT_EQ(perch_timedread(l->fd, &c, 1, &at), -ETIMEDOUT);
	EXPECT_GE((int64_t)harness_now(), at.tv_sec * 1000000000 + at.tv_nsec);
	count_up(&l->through);
	return NULL;
}

static void *be_patient(void *arg)
{
	struct late *l = arg;
	struct timespec at = in_ns(3600000000000);
	char c;

	EXPECT_EQ(perch_timedread(l->fd, &c, 1, &at), 1);
	count_up(&l->through);
	return NULL;
}

TEST_F(stream, some_time_out_and_the_others_read)
{
	for (int kind = 0; kind < 3; kind++) {
		struct crowd c = {0};
		struct late l = {0};
		int end[2];

		make_pair(kind, end);
		l.fd = end[0];
		crowd_add(&c, 3, 1, give_up, &l);
		crowd_add(&c, 4, 1, be_patient, &l);
		crowd_add(&c, 3, 1, give_up, &l);
		ASSERT_TRUE(gather(&l.through, 8, 20));
		ASSERT_TRUE(until_io_waiters(5));
		EXPECT_EQ(perch_write(end[1], "12345", 5), 5);
		crowd_join(&c);
		EXPECT_EQ(l.through, 13);
		close_pair(end);
	}
}

#define VAIN 30000000 /* more than a connection takes by itself */

static void *write_in_vain(void *arg)
{
	int *end = arg;
	struct timespec at = in_ns(20000000);
	char *bytes = calloc(1, VAIN);
	ssize_t n;

	/* part of it goes, and that is what is said; then nothing does, before long */
	n = perch_timedwrite(end[1], bytes, VAIN, &at);
	EXPECT_GT(n, 0);
	EXPECT_LT(n, VAIN);
	for (int i = 0; i < 1000 && n > 0; i++)
		n = perch_timedwrite(end[1], bytes, VAIN, &at);
	EXPECT_EQ(n, -ETIMEDOUT);
	free(bytes);
	return NULL;
}

TEST_F(stream, a_write_that_times_out_says_how_far_it_came)
{
	for (int kind = 0; kind < 3; kind++) {
		struct crowd c = {0};
		int end[2];

		make_pair(kind, end);
		crowd_add(&c, 1, 0, write_in_vain, end);
		crowd_join(&c);
		close_pair(end);
	}
}

TEST_F(stream, a_point_that_has_passed_takes_what_is_there)
{
	int end[2];
	char c;

	make_pair(PIPE, end);
	EXPECT_EQ(perch_timedread(end[0], &c, 1, &long_past), -ETIMEDOUT);
	EXPECT_EQ(perch_timedwrite(end[1], "x", 1, &long_past), 1);
	EXPECT_EQ(perch_timedread(end[0], &c, 1, &long_past), 1);
	EXPECT_EQ(perch_timedread(end[0], &c, 1, NULL), -EINVAL);
	EXPECT_EQ(perch_timedread(end[0], &c, 1, &bad_time), -EINVAL);
	EXPECT_EQ(perch_timedread(end[0], &c, 1, &worse_time), -EINVAL);
	close_pair(end);
}

/* ---- arguments, and what the system says ---- */

TEST_F(stream, what_the_system_says)
{
	struct iovec v = {NULL, 0}, huge[2] = {{&v, SIZE_MAX / 2}, {&v, SIZE_MAX / 2}};
	char c[2];
	int end[2];

	errno = 77;
	make_pair(PIPE, end);
	EXPECT_EQ(perch_read(-1, c, 1), -EBADF);
	EXPECT_EQ(perch_write(-1, c, 1), -EBADF);
	EXPECT_EQ(perch_recv(end[0], c, 1, 0), -ENOTSOCK);
	EXPECT_EQ(perch_send(end[1], c, 1, 0), -ENOTSOCK);
	EXPECT_EQ(perch_read(end[1], c, 1), -EBADF);
	EXPECT_EQ(perch_write(end[0], c, 1), -EBADF);
	EXPECT_EQ(perch_readv(end[0], &v, -1), -EINVAL);
	EXPECT_EQ(perch_writev(end[1], &v, 1025), -EINVAL);
	EXPECT_EQ(perch_writev(end[1], huge, 2), -EINVAL);
	EXPECT_EQ(perch_readv(end[0], NULL, 2), -EFAULT);
	EXPECT_EQ(perch_writev(end[1], NULL, 1), -EFAULT);
	EXPECT_EQ(perch_readv(end[0], NULL, 0), 0);
	EXPECT_EQ(perch_readv(end[0], &v, 1), 0);
	EXPECT_EQ(perch_read(end[0], c, 0), 0);
	EXPECT_EQ(perch_write(end[1], c, 0), 0);
	EXPECT_EQ(perch_pread(end[0], c, 1, 0), -ESPIPE);
	EXPECT_EQ(perch_write(end[1], c, 2), 2);
	EXPECT_EQ(perch_read(end[0], NULL, 1), -EFAULT);
	EXPECT_EQ(errno, 77);
	close_pair(end);
}

/* Messages stay messages. */
TEST_F(stream, datagrams)
{
	int end[2];
	char buffer[64];

	ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, end), 0);
	EXPECT_EQ(perch_write(end[1], "abc", 3), 3);
	EXPECT_EQ(perch_write(end[1], "defgh", 5), 5);
	EXPECT_EQ(perch_recv(end[0], buffer, sizeof(buffer), MSG_WAITALL), 3);
	EXPECT_EQ(perch_read(end[0], buffer, 2), 2);
	EXPECT_EQ(perch_recv(end[0], buffer, 1, MSG_DONTWAIT), -EAGAIN);
	close_pair(end);
}
