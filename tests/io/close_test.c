/* SPDX-License-Identifier: MIT */
/* close_test.c - descriptors that are closed under those who wait, and numbers that are
 * used again. */
#include "core/io/io.h"
#include "tests/io/io.h"

RUNTIME_FIXTURE(closing)

struct waiting {
	int fd;
	ssize_t expected;
	uint32_t through;
};

static void *read_it(void *arg)
{
	struct waiting *v = arg;
	char c;

	EXPECT_EQ(perch_read(v->fd, &c, 1), v->expected);
	count_up(&v->through);
	return NULL;
}

static void *read_it_for_an_hour(void *arg)
{
	struct waiting *v = arg;
	struct timespec at = in_ns(3600000000000);
	char c;

	EXPECT_EQ(perch_timedread(v->fd, &c, 1, &at), v->expected);
	count_up(&v->through);
	return NULL;
}

static void *accept_it(void *arg)
{
	struct waiting *v = arg;

	EXPECT_EQ(perch_accept(v->fd, NULL, NULL, 0), v->expected);
	count_up(&v->through);
	return NULL;
}

static void *poll_it(void *arg)
{
	struct waiting *v = arg;
	struct pollfd p = {.fd = v->fd, .events = POLLIN};

	EXPECT_EQ(perch_poll(&p, 1, -1), 1);
	EXPECT_EQ(p.revents, POLLNVAL);
	count_up(&v->through);
	return NULL;
}

static void *close_it(void *arg)
{
	EXPECT_EQ(perch_close(*(int *)arg), 0);
	return NULL;
}

TEST_F(closing, perch_close_wakes_all_who_wait)
{
	for (int kind = 0; kind < 3; kind++) {
		struct crowd c = {0};
		int end[2];
		struct waiting v = {.expected = -EBADF};
		struct pollfd other;

		make_pair(kind, end);
		v.fd = end[0];
		crowd_add(&c, 5, 2, read_it, &v);
		crowd_add(&c, 5, 2, read_it_for_an_hour, &v);
		crowd_add(&c, 2, 1, poll_it, &v);
		ASSERT_TRUE(until_io_waiters(17));
		crowd_add(&c, kind != 1, kind == 1, close_it, &end[0]);
		crowd_join(&c);
		EXPECT_EQ(v.through, 17);
		/* (others may have that number by now) */
		other = (struct pollfd){.fd = end[1], .events = POLLIN};
		EXPECT_EQ(poll(&other, 1, 20000), 1);
		EXPECT_EQ(close(end[1]), 0);
		EXPECT_EQ(io_waiters(), 0);
	}
}

TEST_F(closing, those_who_write_and_accept_too)
{
	struct crowd c = {0};
	struct sockaddr_in a;
	struct waiting v = {.expected = -EBADF};

	v.fd = listener(&a);
	crowd_add(&c, 5, 2, accept_it, &v);
	ASSERT_TRUE(until_io_waiters(7));
	EXPECT_EQ(perch_close(v.fd), 0);
	crowd_join(&c);
	EXPECT_EQ(v.through, 7);
}

/* A copy of the descriptor keeps the file; what waits at the number is told all the same. */
TEST_F(closing, with_a_copy_left)
{
	struct waiting v = {.expected = -EBADF}, again[2] = {{.expected = 1}, {.expected = 1}};
	struct crowd c = {0};
	int end[2], copy;

	make_pair(PIPE, end);
	v.fd = end[0];
	copy = dup(end[0]);
	crowd_add(&c, 3, 0, read_it, &v);
	ASSERT_TRUE(until_io_waiters(3));
	ASSERT_EQ(perch_close(end[0]), 0);
	crowd_join(&c);
	/* back under the old number, and under the new */
	ASSERT_EQ(dup2(copy, end[0]), end[0]);
	again[0].fd = end[0];
	crowd_add(&c, 1, 0, read_it, &again[0]);
	again[1].fd = copy;
	crowd_add(&c, 1, 0, read_it, &again[1]);
	ASSERT_TRUE(until_io_waiters(2));
	EXPECT_EQ(write(end[1], "xy", 2), 2);
	crowd_join(&c);
	close(copy);
	close_pair(end);
}

/* ---- numbers used again, by plain close() ---- */

static void *read_one(void *arg)
{
	char c;

	EXPECT_EQ(perch_read(*(int *)arg, &c, 1), 1);
	EXPECT_EQ(c, 'x');
	return NULL;
}

static void wait_and_write(int *end)
{
	struct crowd c = {0};

	crowd_add(&c, 2, 0, read_one, &end[0]);
	ASSERT_TRUE(until_io_waiters(2));
	EXPECT_EQ(write(end[1], "x", 1), 1);
	EXPECT_EQ(write(end[1], "x", 1), 1);
	crowd_join(&c);
}

TEST_F(closing, a_number_used_again)
{
	int before = -1, again = 0;

	for (int i = 0; i < 30; i++) {
		int end[2];

		make_pair(i % 2 ? SOCKETS : PIPE, end);
		again += end[0] + end[1] == before;
		before = end[0] + end[1];
		wait_and_write(end);
		close_pair(end);
	}
	EXPECT_GT(again, 10); /* or it would show nothing */
}

/* The file that had the number lives on, armed, in a child of fork() or under another
 * number; its events are not this one's. */
TEST_F(closing, a_number_used_again_with_the_old_file_alive)
{
	int end[2], copy, other[2];
	struct crowd c = {0};

	make_pair(PIPE, end);
	wait_and_write(end); /* now epoll knows it */
	copy = dup(end[0]);
	make_pair(PIPE, other);
	ASSERT_EQ(dup2(other[0], end[0]), end[0]);
	crowd_add(&c, 1, 0, read_one, &end[0]);
	ASSERT_TRUE(until_io_waiters(1));
	EXPECT_EQ(write(end[1], "y", 1), 1); /* the old file */
	harness_delay(3000000);
	EXPECT_EQ(io_waiters(), 1);
	EXPECT_EQ(write(other[1], "x", 1), 1);
	crowd_join(&c);
	close(copy);
	close_pair(other);
	close_pair(end);
}

/* True once n wait in the queue of this number: who only counts as a waiter yet would
 * come to whatever has the number by then. */
static bool until_waiting_at(int fd, unsigned n)
{
	uint64_t until = harness_now() + 20000000000u;
	unsigned found = 0;

	while (found != n && harness_now() < until) {
		struct io_fd *e = io_known(fd);

		found = 0;
		if (e) {
			waitq_lock(&e->queue);
			for (const struct waiter *w = e->queue.first; w; w = w->next)
				found++;
			waitq_unlock(&e->queue);
		}
		nanosleep(&(struct timespec){0, 20000}, NULL);
	}
	return found == n;
}

/* Closed by plain close() under those who wait: who comes next, to another file under that
 * number, tells them. */
TEST_F(closing, the_next_to_wait_tells_those_who_were_left)
{
	struct waiting v = {.expected = -EBADF};
	struct crowd left = {0}, next = {0};
	int end[2], other[2];

	make_pair(SOCKETS, end);
	make_pair(SOCKETS, other);
	v.fd = end[0];
	crowd_add(&left, 3, 1, read_it, &v);
	ASSERT_TRUE(until_waiting_at(v.fd, 4));
	ASSERT_EQ(dup2(other[0], end[0]), end[0]);
	crowd_add(&next, 1, 0, read_one, &end[0]);
	crowd_join(&left);
	EXPECT_EQ(v.through, 4);
	EXPECT_EQ(write(other[1], "x", 1), 1);
	crowd_join(&next);
	close_pair(other);
	close_pair(end);
}

/* Some wait while another closes, again and again: nobody hangs. The number is one that
 * nobody else takes: open() in the monitor takes the lowest, and who comes after the close
 * would wait at that file. */
#define APART_FROM_OTHERS 300
static uint32_t told;

static void *read_in_race(void *arg)
{
	char c;

	EXPECT_EQ(perch_read(*(int *)arg, &c, 1), -EBADF);
	count_up(&told);
	return NULL;
}

static void *close_in_race(void *arg)
{
	dawdle(20000);
	EXPECT_EQ(perch_close(*(int *)arg), 0);
	return NULL;
}

TEST_F(closing, waits_and_closes_at_once)
{
	for (int i = 0; i < 300; i++) {
		struct crowd c = {0};
		int end[2], apart;

		make_pair(SOCKETS, end);
		apart = fcntl(end[0], F_DUPFD_CLOEXEC, APART_FROM_OTHERS);
		ASSERT_GE(apart, APART_FROM_OTHERS);
		EXPECT_EQ(close(end[0]), 0);
		crowd_add(&c, 2, i % 16 == 0, read_in_race, &apart);
		crowd_add(&c, 1, 0, close_in_race, &apart);
		crowd_join(&c);
		EXPECT_EQ(close(end[1]), 0);
	}
	EXPECT_EQ(io_waiters(), 0);
	EXPECT_EQ(told, 2 * 300 + 19);
}
