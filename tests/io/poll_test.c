/* SPDX-License-Identifier: MIT */
/* poll_test.c - perch_poll: one wait at many descriptors. */
#include "tests/io/io.h"

RUNTIME_FIXTURE(polls)

#define ENDS 20

struct watch {
	int end[ENDS][2];
	uint32_t waiting, seen;
};

static void *poll_all(void *arg)
{
	struct watch *w = arg;
	struct pollfd p[ENDS + 2];
	uint32_t left = ENDS;

	for (int i = 0; i < ENDS; i++)
		p[i] = (struct pollfd){.fd = w->end[i][0], .events = POLLIN};
	p[ENDS] = (struct pollfd){.fd = -1, .events = POLLIN};
	p[ENDS + 1] = p[3]; /* twice the same */
	count_up(&w->waiting);
	while (left) {
		int n = perch_poll(p, ENDS + 2, -1), found = 0;

		ASSERT_GT(n, 0);
		for (int i = 0; i < ENDS; i++)
			if (p[i].revents) {
				EXPECT_EQ(p[i].revents, POLLIN);
				found++;
				left--;
				p[i].fd = -1;
				if (i == 3) {
					EXPECT_EQ(p[ENDS + 1].revents, POLLIN);
					p[ENDS + 1].fd = -1;
					found++;
				}
				count_up(&w->seen);
			}
		EXPECT_EQ(found, n);
	}
	return NULL;
}

TEST_F(polls, several_see_every_event)
{
	struct watch w = {.seen = 0};
	struct crowd c = {0};

	for (int i = 0; i < ENDS; i++)
		make_pair(i % 3, w.end[i]);
	crowd_add(&c, 4, 2, poll_all, &w);
	ASSERT_TRUE(until_io_waiters(6));
	for (int i = 0; i < ENDS; i++) {
		EXPECT_EQ(write(w.end[(i * 7) % ENDS][1], "x", 1), 1);
		EXPECT_TRUE(gather(&w.seen, 6 * (uint32_t)(i + 1), 20));
	}
	crowd_join(&c);
	EXPECT_EQ(io_waiters(), 0);
	for (int i = 0; i < ENDS; i++)
		close_pair(w.end[i]);
}

static void *time_out(void *arg)
{
	struct pollfd p = {.fd = *(int *)arg, .events = POLLIN};
	uint64_t now = harness_now();
	struct timespec at;

	EXPECT_EQ(perch_poll(&p, 1, 0), 0);
	EXPECT_EQ(perch_poll(&p, 1, 3), 0);
	EXPECT_GE(harness_now(), now + 3000000);
	EXPECT_EQ(p.revents, 0);
	at = in_ns(3000000);
	EXPECT_EQ(perch_timedpoll(&p, 1, &at), -ETIMEDOUT);
	EXPECT_GE((int64_t)harness_now(), at.tv_sec * 1000000000 + at.tv_nsec);
	EXPECT_EQ(perch_timedpoll(&p, 1, &long_past), -ETIMEDOUT);
	EXPECT_EQ(perch_timedpoll(&p, 1, NULL), -EINVAL);
	EXPECT_EQ(perch_poll(NULL, 0, 2), 0);
	return NULL;
}

TEST_F(polls, times_out)
{
	struct crowd c = {0};
	int end[2];

	make_pair(PIPE, end);
	crowd_add(&c, 3, 1, time_out, &end[0]);
	crowd_join(&c);
	close_pair(end);
}

/* The event comes when the time does, more or less. */
static void *poll_a_moment(void *arg)
{
	int *end = arg;
	struct pollfd p[2] = {{.fd = end[0], .events = POLLIN}, {.fd = end[1], .events = POLLIN}};
	char c;

	for (int i = 0; i < 200; i++) {
		struct timespec at = in_ns((int64_t)harness_random_below(60000));
		int r = perch_timedpoll(p, 2, &at);

		if (r == -ETIMEDOUT)
			continue;
		ASSERT_EQ(r, 1);
		ASSERT_EQ(p[0].revents, POLLIN);
		perch_recv(end[0], &c, 1, MSG_DONTWAIT);
	}
	return NULL;
}

static void *write_a_moment(void *arg)
{
	int *end = arg;

	for (int i = 0; i < 200; i++) {
		ASSERT_EQ(perch_write(end[1], "x", 1), 1);
		dawdle(60000);
	}
	return NULL;
}

TEST_F(polls, woken_and_timed_out_at_once)
{
	struct crowd c = {0};
	int end[2];

	make_pair(SOCKETS, end);
	crowd_add(&c, 3, 1, poll_a_moment, end);
	crowd_add(&c, 1, 0, write_a_moment, end);
	crowd_join(&c);
	close_pair(end);
}

TEST_F(polls, what_is_always_ready_and_what_hangs_up)
{
	struct pollfd p = {.fd = open("/proc/self/exe", O_RDONLY), .events = POLLIN | POLLOUT};
	int end[2];

	EXPECT_EQ(perch_poll(&p, 1, -1), 1);
	EXPECT_EQ(p.revents, POLLIN | POLLOUT);
	close(p.fd);
	EXPECT_EQ(perch_poll(&p, 1, -1), 1);
	EXPECT_EQ(p.revents, POLLNVAL);
	make_pair(PIPE, end);
	close(end[1]);
	p = (struct pollfd){.fd = end[0], .events = 0};
	EXPECT_EQ(perch_poll(&p, 1, -1), 1);
	EXPECT_EQ(p.revents, POLLHUP);
	close(end[0]);
}
