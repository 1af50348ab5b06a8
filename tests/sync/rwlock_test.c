/* SPDX-License-Identifier: MIT */
/* rwlock_test.c */
#include "tests/sync/crowd.h"

TEST(arguments)
{
	perch_rwlock_t none, l = PERCH_RWLOCK_INIT;
	struct timespec soon = in_ns(1000000);
	int x;

	memset(&none, 0x33, sizeof(none));
	for (int i = 0; i < 2; i++) {
		perch_rwlock_t *bad = i ? &none : NULL;

		EXPECT_EQ(perch_rwlock_rdlock(bad), -EINVAL);
		EXPECT_EQ(perch_rwlock_wrlock(bad), -EINVAL);
		EXPECT_EQ(perch_rwlock_tryrdlock(bad), -EINVAL);
		EXPECT_EQ(perch_rwlock_trywrlock(bad), -EINVAL);
		EXPECT_EQ(perch_rwlock_timedrdlock(bad, &soon), -EINVAL);
		EXPECT_EQ(perch_rwlock_timedwrlock(bad, &soon), -EINVAL);
		EXPECT_EQ(perch_rwlock_unlock(bad), -EINVAL);
		EXPECT_EQ(perch_rwlock_destroy(bad), -EINVAL);
	}
	EXPECT_EQ(perch_rwlock_init(NULL, NULL), -EINVAL);
	EXPECT_EQ(perch_rwlock_init(&none, &x), -EINVAL);
	EXPECT_EQ(perch_rwlock_init(&none, NULL), 0);
	EXPECT_EQ(perch_rwlock_destroy(&none), 0);
	EXPECT_EQ(perch_rwlock_rdlock(&none), -EINVAL);
	EXPECT_EQ(perch_rwlock_timedrdlock(&l, NULL), -EINVAL);
	EXPECT_EQ(perch_rwlock_timedrdlock(&l, &bad_time), -EINVAL);
	EXPECT_EQ(perch_rwlock_timedwrlock(&l, &worse_time), -EINVAL);

	EXPECT_EQ(perch_rwlock_unlock(&l), -EPERM);
	EXPECT_EQ(perch_rwlock_timedrdlock(&l, &long_past), 0);
	EXPECT_EQ(perch_rwlock_rdlock(&l), 0);
	EXPECT_EQ(perch_rwlock_tryrdlock(&l), 0);
	EXPECT_EQ(perch_rwlock_trywrlock(&l), -EBUSY);
	EXPECT_EQ(perch_rwlock_timedwrlock(&l, &long_past), -ETIMEDOUT);
	EXPECT_EQ(perch_rwlock_timedwrlock(&l, &soon), -ETIMEDOUT);
	EXPECT_EQ(perch_rwlock_destroy(&l), -EBUSY);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(perch_rwlock_unlock(&l), 0);
	EXPECT_EQ(perch_rwlock_unlock(&l), -EPERM);
	EXPECT_EQ(perch_rwlock_timedwrlock(&l, &long_past), 0);
	EXPECT_EQ(perch_rwlock_tryrdlock(&l), -EBUSY);
	EXPECT_EQ(perch_rwlock_trywrlock(&l), -EBUSY);
	EXPECT_EQ(perch_rwlock_timedrdlock(&l, &long_past), -ETIMEDOUT);
	EXPECT_EQ(perch_rwlock_timedrdlock(&l, &soon), -ETIMEDOUT);
	EXPECT_EQ(perch_rwlock_destroy(&l), -EBUSY);
	EXPECT_EQ(perch_rwlock_unlock(&l), 0);
	EXPECT_EQ(perch_rwlock_unlock(&l), -EPERM);
	EXPECT_EQ(perch_rwlock_destroy(&l), 0);
}

RUNTIME_FIXTURE(rwlock)

/* ---- readers share, writers do not ---- */

struct book {
	perch_rwlock_t l;
	uint64_t page[2]; /* plain: always equal under the lock */
	uint32_t readers, writers, most_readers, written, given_up;
	unsigned each;
};

static int lock_somehow(perch_rwlock_t *l, bool write)
{
	struct timespec at = in_ns((int64_t)harness_random_below(60000) - 10000);

	switch (harness_random_below(6)) {
	case 0:
		return write ? perch_rwlock_trywrlock(l) : perch_rwlock_tryrdlock(l);
	case 1:
	case 2:
		return write ? perch_rwlock_timedwrlock(l, &at) : perch_rwlock_timedrdlock(l, &at);
	default:
		return write ? perch_rwlock_wrlock(l) : perch_rwlock_rdlock(l);
	}
}

static void *read_and_write(void *arg)
{
	struct book *b = arg;

	for (unsigned i = 0; i < b->each; i++) {
		bool write = harness_random_below(4) == 0;
		int r = lock_somehow(&b->l, write);

		if (r) {
			ASSERT_TRUE(r == -EBUSY || r == -ETIMEDOUT);
			count_up(&b->given_up);
		} else if (write) {
			ASSERT_EQ(count_up(&b->writers), 1);
			ASSERT_EQ(__atomic_load_n(&b->readers, __ATOMIC_ACQUIRE), 0);
			b->page[0]++;
			dawdle(2000);
			b->page[1]++;
			ASSERT_EQ(__atomic_sub_fetch(&b->writers, 1, __ATOMIC_ACQ_REL), 0);
			count_up(&b->written);
			ASSERT_EQ(perch_rwlock_unlock(&b->l), 0);
		} else {
			count_up(&b->readers);
			ASSERT_EQ(__atomic_load_n(&b->writers, __ATOMIC_ACQUIRE), 0);
			dawdle(2000);
			ASSERT_EQ(b->page[0], b->page[1]);
			__atomic_sub_fetch(&b->readers, 1, __ATOMIC_ACQ_REL);
			ASSERT_EQ(perch_rwlock_unlock(&b->l), 0);
		}
		dawdle(1000);
	}
	return NULL;
}

static void all_read_and_write(unsigned threads, unsigned pthreads)
{
	struct book b = {.l = PERCH_RWLOCK_INIT, .each = 300};
	struct crowd c = {0};

	crowd_add(&c, threads, pthreads, read_and_write, &b);
	crowd_join(&c);
	EXPECT_EQ(b.page[0], b.written);
	EXPECT_EQ(b.l.word, 0);
	EXPECT_EQ(waiting(&b.l.queue), 0);
	EXPECT_EQ(perch_rwlock_destroy(&b.l), 0);
}

TEST_F(rwlock, excludes)
{
	all_read_and_write(40, 0);
	all_read_and_write(15, 5);
}

TEST(excludes_pthreads_without_the_runtime)
{
	all_read_and_write(0, 6);
}

/* ---- in order ---- */

struct place {
	struct line *line;
	unsigned number;
	bool write;
	uint32_t in, leave; /* set by whoever watches: leave */
};

struct line {
	perch_rwlock_t l;
	struct place place[16];
	struct crowd crowd;
};

static void *queue_up(void *arg)
{
	struct place *p = arg;

	ASSERT_EQ(p->write ? perch_rwlock_wrlock(&p->line->l) : perch_rwlock_rdlock(&p->line->l), 0);
	count_up(&p->in);
	while (!__atomic_load_n(&p->leave, __ATOMIC_ACQUIRE)) {
		struct timespec nap = {0, 20000};

		if (perch_self())
			perch_yield();
		else
			nanosleep(&nap, NULL);
	}
	ASSERT_EQ(perch_rwlock_unlock(&p->line->l), 0);
	return NULL;
}

/* 'r' and 'w' wait in this order; every fourth is a pthread. */
static void line_up(struct line *line, const char *modes)
{
	for (unsigned i = 0; modes[i]; i++) {
		struct place *p = &line->place[i];

		*p = (struct place){line, i, modes[i] == 'w', 0, 0};
		crowd_add(&line->crowd, i % 4 != 3, i % 4 == 3, queue_up, p);
		ASSERT_TRUE(until_waiting(&line->l.queue, i + 1));
	}
}

/* Just these are in, and nobody else. */
static void expect_in(struct line *line, unsigned first, unsigned last, unsigned all)
{
	for (unsigned i = first; i <= last; i++)
		ASSERT_TRUE(gather(&line->place[i].in, 1, 20));
	harness_delay(500000);
	for (unsigned i = last + 1; i < all; i++)
		EXPECT_EQ(__atomic_load_n(&line->place[i].in, __ATOMIC_ACQUIRE), 0);
	EXPECT_EQ(perch_rwlock_tryrdlock(&line->l), last + 1 < all || line->place[last].write ? -EBUSY : 0);
	if (last + 1 == all && !line->place[last].write)
		EXPECT_EQ(perch_rwlock_unlock(&line->l), 0);
	EXPECT_EQ(perch_rwlock_trywrlock(&line->l), -EBUSY);
	EXPECT_EQ(perch_rwlock_destroy(&line->l), -EBUSY);
	for (unsigned i = first; i <= last; i++)
		__atomic_store_n(&line->place[i].leave, 1, __ATOMIC_RELEASE);
}

TEST_F(rwlock, first_come_first_served)
{
	struct line line = {.l = PERCH_RWLOCK_INIT};

	for (int i = 0; i < 2; i++) {
		/* held for reading, or for writing */
		ASSERT_EQ(i ? perch_rwlock_wrlock(&line.l) : perch_rwlock_rdlock(&line.l), 0);
		line_up(&line, i ? "rrrrwwrwrr" : "wrrrrwrwrr");
		ASSERT_EQ(perch_rwlock_tryrdlock(&line.l), -EBUSY);
		ASSERT_EQ(perch_rwlock_unlock(&line.l), 0);
		if (i) {
			expect_in(&line, 0, 3, 10);
			expect_in(&line, 4, 4, 10);
		} else {
			expect_in(&line, 0, 0, 10);
			expect_in(&line, 1, 4, 10);
		}
		expect_in(&line, 5, 5, 10);
		expect_in(&line, 6, 6, 10);
		expect_in(&line, 7, 7, 10);
		expect_in(&line, 8, 9, 10);
		crowd_join(&line.crowd);
		ASSERT_EQ(line.l.word, 0);
	}
	EXPECT_EQ(perch_rwlock_destroy(&line.l), 0);
}

/* Readers behind a writer that gives up go in with those who read already. */
static void *give_up_writing(void *arg)
{
	struct line *line = arg;
	struct timespec at = in_ns(60000000);

	ASSERT_EQ(perch_rwlock_timedwrlock(&line->l, &at), -ETIMEDOUT);
	return NULL;
}

TEST_F(rwlock, a_writer_that_times_out_lets_readers_in)
{
	for (unsigned writers = 1; writers < 4; writers++)
		for (int pthread = 0; pthread < 2; pthread++) {
			struct line line = {.l = PERCH_RWLOCK_INIT};
			struct crowd w = {0};

			ASSERT_EQ(perch_rwlock_rdlock(&line.l), 0);
			crowd_add(&w, pthread ? 0 : writers, pthread ? writers : 0, give_up_writing, &line);
			harness_delay(2000000);
			for (unsigned i = 0; i < 6; i++) {
				line.place[i] = (struct place){&line, i, false, 0, 0};
				crowd_add(&line.crowd, i % 4 != 3, i % 4 == 3, queue_up, &line.place[i]);
			}
			/* now the readers wait, or, on a slow machine, the writers have given up already */
			crowd_join(&w);
			expect_in(&line, 0, 5, 6);
			crowd_join(&line.crowd);
			ASSERT_EQ(perch_rwlock_unlock(&line.l), 0);
			ASSERT_EQ(line.l.word, 0);
		}
}

/* ---- nobody starves ---- */

struct flood {
	perch_rwlock_t l;
	uint32_t got, many;
	uint64_t until;
	bool write;
};

/* Always one of them has the lock. */
static void *flood(void *arg)
{
	struct flood *f = arg;

	while (!__atomic_load_n(&f->got, __ATOMIC_ACQUIRE) && harness_now() < f->until) {
		ASSERT_EQ(f->write ? perch_rwlock_wrlock(&f->l) : perch_rwlock_rdlock(&f->l), 0);
		count_up(&f->many);
		perch_yield();
		if (!f->write)
			perch_yield();
		ASSERT_EQ(perch_rwlock_unlock(&f->l), 0);
	}
	return NULL;
}

static void *other(void *arg)
{
	struct flood *f = arg;

	ASSERT_EQ(f->write ? perch_rwlock_rdlock(&f->l) : perch_rwlock_wrlock(&f->l), 0);
	__atomic_store_n(&f->got, 1, __ATOMIC_RELEASE);
	ASSERT_EQ(perch_rwlock_unlock(&f->l), 0);
	return NULL;
}

TEST_F(rwlock, neither_starves)
{
	for (int i = 0; i < 4; i++) {
		struct flood f = {PERCH_RWLOCK_INIT, 0, 0, harness_now() + 20000000000u, i & 1};
		struct crowd c = {0};

		crowd_add(&c, 10, 1, flood, &f);
		ASSERT_TRUE(gather(&f.many, 20, 20));
		crowd_add(&c, i < 2, i >= 2, other, &f);
		crowd_join(&c);
		EXPECT_EQ(f.got, 1);
		EXPECT_LT(harness_now(), f.until);
	}
}

/* ---- the last one destroys it ---- */

struct shared {
	perch_rwlock_t l;
	uint32_t users;
};

static void *use_and_drop(void *arg)
{
	struct shared *s = arg;
	bool write = harness_random_below(2), last;

	ASSERT_EQ(write ? perch_rwlock_wrlock(&s->l) : perch_rwlock_rdlock(&s->l), 0);
	if (harness_random_below(4) == 0)
		perch_yield();
	if (write) {
		/* alone; so whoever counts itself last has seen all others unlock */
		last = !--s->users;
		ASSERT_EQ(perch_rwlock_unlock(&s->l), 0);
	} else {
		ASSERT_EQ(perch_rwlock_unlock(&s->l), 0);
		ASSERT_EQ(perch_rwlock_wrlock(&s->l), 0);
		last = !--s->users;
		ASSERT_EQ(perch_rwlock_unlock(&s->l), 0);
	}
	if (last) {
		ASSERT_EQ(perch_rwlock_destroy(&s->l), 0);
		expect_left_alone(s, sizeof(*s));
	}
	return NULL;
}

TEST_F(rwlock, destroyed_by_its_last_user)
{
	for (int round = 0; round < 50; round++) {
		struct shared s[5];
		struct crowd c = {0};

		for (int i = 0; i < 5; i++) {
			s[i] = (struct shared){PERCH_RWLOCK_INIT, 5};
			crowd_add(&c, 4, 1, use_and_drop, &s[i]);
		}
		crowd_join(&c);
	}
}

/* ---- in the child of a fork ---- */

static perch_rwlock_t held = PERCH_RWLOCK_INIT;

static void in_child(void *arg)
{
	struct timespec later = in_ns(3600000000000);

	(void)arg;
	EXPECT_EQ(perch_rwlock_rdlock(&held), -EPERM);
	EXPECT_EQ(perch_rwlock_wrlock(&held), -EPERM);
	EXPECT_EQ(perch_rwlock_timedrdlock(&held, &later), -EPERM);
	EXPECT_EQ(perch_rwlock_timedwrlock(&held, &later), -EPERM);
	EXPECT_EQ(perch_rwlock_tryrdlock(&held), -EBUSY);
	EXPECT_EQ(perch_rwlock_unlock(&held), 0);
	EXPECT_EQ(perch_rwlock_rdlock(&held), 0);
}

TEST(in_the_child_of_a_fork)
{
	struct harness_captured c;

	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(perch_rwlock_wrlock(&held), 0);
	ASSERT_EQ(harness_capture(&c, in_child, NULL), 0);
	EXPECT_EQ(c.status, 0);
	harness_release(&c);
	EXPECT_EQ(perch_stop(), 0);
}
