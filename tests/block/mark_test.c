/* SPDX-License-Identifier: MIT */
/* mark_test.c - perch_block_begin and _end: what they keep, and where they do nothing. */
#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/block/others.h"

/* errno's address is taken anew by each call. */
static __attribute__((noinline)) int get_errno(void)
{
	__asm__ volatile("");
	return errno;
}

static __attribute__((noinline)) void set_errno(int value)
{
	__asm__ volatile("");
	errno = value;
}

/* ---- errno ---- */

struct busy {
	int fd[2];
	uint32_t begun, stop;
	bool by_call;
};

/* It has the CPU whenever another comes back, and another errno. */
static void *compute_and_yield(void *arg)
{
	struct busy *b = arg;

	while (!__atomic_load_n(&b->stop, __ATOMIC_ACQUIRE)) {
		uint64_t until = harness_now() + 1000000;

		while (harness_now() < until)
			;
		set_errno(13);
		perch_yield();
	}
	return arg;
}

static void *read_and_set_errno(void *arg)
{
	struct busy *b = arg;
	char byte;

	count_up(&b->begun);
	EXPECT_EQ(read(b->fd[0], &byte, 1), 1);
	set_errno(77);
	return arg;
}

static void *come_back_to_a_busy_cpu(void *arg)
{
	struct busy *b = arg;

	if (b->by_call) {
		EXPECT_EQ(perch_blocking(read_and_set_errno, arg), arg);
	} else {
		perch_block_begin();
		read_and_set_errno(arg);
		perch_block_end();
	}
	EXPECT_EQ(get_errno(), 77);
	return arg;
}

TEST_TIMEOUT(errno_is_kept, 120)
{
	struct perch_config config = {.workers = 1};

	ASSERT_EQ(perch_start(&config), 0);
	for (int k = 0; k < 2; k++) {
		uint64_t until = harness_now() + PATIENCE * UINT64_C(1000000000);
		struct perch_stats s = {0}, before;

		ASSERT_EQ(perch_stats_get(&before), 0);
		/* until it had to wait for its turn at the end of the call */
		do {
			struct busy b = {.by_call = k};
			perch_t reader, busy;

			ASSERT_EQ(pipe(b.fd), 0);
			ASSERT_EQ(perch_create(&reader, NULL, come_back_to_a_busy_cpu, &b), 0);
			ASSERT_TRUE(gather(&b.begun, 1, PATIENCE));
			ASSERT_EQ(perch_create(&busy, NULL, compute_and_yield, &b), 0);
			sleep_ms(30);
			ASSERT_EQ(write(b.fd[1], "", 1), 1);
			ASSERT_EQ(perch_join(reader, NULL), 0);
			__atomic_store_n(&b.stop, 1, __ATOMIC_RELEASE);
			ASSERT_EQ(perch_join(busy, NULL), 0);
			close(b.fd[0]);
			close(b.fd[1]);
			ASSERT_EQ(perch_stats_get(&s), 0);
		} while (s.handoffs_queued == before.handoffs_queued && harness_now() < until);
		EXPECT_GT(s.handoffs_queued, before.handoffs_queued);
	}
	ASSERT_EQ(perch_stop(), 0);
}

/* ---- where nothing happens ---- */

static void *same(void *arg)
{
	errno = 78;
	return arg;
}

static void mark_here(void)
{
	int x;

	errno = 77;
	perch_block_begin();
	perch_block_end();
	perch_block_end();
	perch_block_begin();
	perch_block_begin();
	perch_block_end();
	EXPECT_EQ(errno, 77);
	EXPECT_EQ(perch_blocking(same, &x), &x);
	EXPECT_EQ(errno, 78);
	EXPECT_EQ(perch_blocking(same, NULL), NULL);
}

static void *mark_on_a_pthread(void *arg)
{
	for (int i = 0; i < 1000; i++)
		mark_here();
	return arg;
}

TEST(outside_of_workers_nothing_happens)
{
	struct perch_stats s;
	pthread_t p;

	mark_here();
	ASSERT_EQ(perch_start(NULL), 0);
	mark_here();
	ASSERT_EQ(pthread_create(&p, NULL, mark_on_a_pthread, NULL), 0);
	ASSERT_EQ(pthread_join(p, NULL), 0);
	sleep_ms(50);
	ASSERT_EQ(perch_stats_get(&s), 0);
	EXPECT_EQ(s.handoffs, 0);
	EXPECT_EQ(s.spares, 0);
	EXPECT_EQ(pthreads_now().lookouts, 0);
	ASSERT_EQ(perch_stop(), 0);
	mark_here();
}

/* Many calls that do not block: nobody has to wait, and the thread stays. */
static void *mark_often(void *arg)
{
	for (int i = 0; i < 100; i++)
		mark_here();
	return arg;
}

TEST(calls_that_do_not_block)
{
	struct perch_config config = {.workers = 1};
	perch_t t[4];

	ASSERT_EQ(perch_start(&config), 0);
	for (int k = 0; k < 20; k++) {
		for (int i = 0; i < 4; i++)
			ASSERT_EQ(perch_create(&t[i], NULL, mark_often, NULL), 0);
		for (int i = 0; i < 4; i++)
			ASSERT_EQ(perch_join(t[i], NULL), 0);
	}
	ASSERT_EQ(perch_stop(), 0);
}

/* ---- nested ---- */

struct nested {
	int fd[2];
	uint32_t begun, other;
};

static void *read_nested(void *arg)
{
	struct nested *n = arg;
	char byte;

	perch_block_begin();
	perch_block_begin();
	count_up(&n->begun);
	EXPECT_EQ(read(n->fd[0], &byte, 1), 1);
	perch_block_end();
	count_up(&n->begun);
	/* no longer marked, and yet nobody waits for ever */
	EXPECT_EQ(read(n->fd[0], &byte, 1), 1);
	perch_block_end();
	return arg;
}

TEST_TIMEOUT(nested, 120)
{
	struct perch_config config = {.workers = 1};
	struct nested n = {.begun = 0};
	perch_t t;

	ASSERT_EQ(pipe(n.fd), 0);
	ASSERT_EQ(perch_start(&config), 0);
	ASSERT_EQ(perch_create(&t, NULL, read_nested, &n), 0);
	for (uint32_t i = 1; i <= 2; i++) {
		ASSERT_TRUE(gather(&n.begun, i, PATIENCE));
		EXPECT_TRUE(others_go_on());
		EXPECT_EQ(__atomic_load_n(&n.begun, __ATOMIC_ACQUIRE), i);
		ASSERT_EQ(write(n.fd[1], "", 1), 1);
	}
	ASSERT_EQ(perch_join(t, NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
}

/* ---- the child of a fork() ---- */

/* In the parent another has the CPU; in the child nobody else has anything. */
static void *fork_while_blocked(void *marked)
{
	int status;
	pid_t child;

	if (marked)
		perch_block_begin();
	sleep_ms(100); /* it is handed off from here */
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		if (marked)
			perch_block_end();
		if (perch_yield() != -EPERM)
			_exit(3);
		perch_block_begin();
		perch_block_end();
		_exit(42);
	}
	ASSERT_EQ(waitpid(child, &status, 0), child);
	if (marked)
		perch_block_end();
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(WEXITSTATUS(status), 42);
	return marked;
}

TEST_TIMEOUT(the_child_of_a_fork, 120)
{
	struct perch_config config = {.workers = 1};
	int marked;

	ASSERT_EQ(perch_start(&config), 0);
	for (int i = 0; i < 4; i++) {
		struct perch_stats before, after;
		perch_t t;

		ASSERT_EQ(perch_stats_get(&before), 0);
		ASSERT_EQ(perch_create(&t, NULL, fork_while_blocked, i % 2 ? &marked : NULL), 0);
		EXPECT_TRUE(others_go_on());
		ASSERT_EQ(perch_join(t, NULL), 0);
		ASSERT_EQ(perch_stats_get(&after), 0);
		EXPECT_GT(after.handoffs, before.handoffs);
	}
	ASSERT_EQ(perch_stop(), 0);
}
