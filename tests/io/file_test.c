/* SPDX-License-Identifier: MIT */
/* file_test.c - regular files, by io_uring or, where that is refused, by plain calls. */
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tests/io/io.h"

#define SIZE 1000003

FIXTURE(files)
{
	char dir[PATH_MAX], path[PATH_MAX + 16];
};
FIXTURE_VARIANT(files)
{
	struct perch_config config;
};
FIXTURE_VARIANT_ADD(files, all_cpus){PERCH_CONFIG_INIT};
FIXTURE_VARIANT_ADD(files, alone){{.workers = 1}};
FIXTURE_VARIANT_ADD(files, crowded){{.workers = 6}};

FIXTURE_SETUP(files)
{
	const char *tmp = getenv("TEST_TMPDIR");

	snprintf(self->dir, sizeof(self->dir), "%s/io-XXXXXX", tmp ? tmp : "/var/tmp");
	ASSERT_NE(mkdtemp(self->dir), NULL);
	snprintf(self->path, sizeof(self->path), "%s/file", self->dir);
	ASSERT_EQ(perch_start(&variant->config), 0);
}

FIXTURE_TEARDOWN(files)
{
	EXPECT_EQ(perch_stop(), 0);
	unlink(self->path);
	rmdir(self->dir);
}

static bool refused(void)
{
	const char *name = getenv("PERCH_TEST_SECCOMP");

	return name && !strcmp(name, "io_uring_setup");
}

static unsigned char byte_at(size_t i)
{
	return (unsigned char)(i * 7 + i / 251);
}

/* Out of the page cache, as far as the kernel does what it is asked to. */
static void make_cold(int fd)
{
	EXPECT_EQ(perch_fsync(fd), 0);
	EXPECT_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
}

/* A page of it is there, the next is not. */
static void make_part_cold(int fd)
{
	char page[4096];

	make_cold(fd);
	EXPECT_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM), 0); /* no more than is read */
	EXPECT_EQ(pread(fd, page, sizeof(page), 0), sizeof(page));
}

struct job {
	const char *path;
	int fd;
	uint32_t turn;
};

static void *write_and_read_all(void *arg)
{
	struct job *j = arg;
	unsigned char *bytes = malloc(SIZE + 100), tail[10];
	struct iovec v[50];
	int fd = perch_open(j->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	struct stat st;

	ASSERT_GE(fd, 0);
	EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(fstat(fd, &st), 0);
	EXPECT_EQ(st.st_mode & 0700, 0600);
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = byte_at(i);
	EXPECT_EQ(perch_write(fd, bytes, 1000), 1000);
	for (int i = 0; i < 50; i++)
		v[i] = (struct iovec){bytes + 1000 + i * 1000, 1000};
	EXPECT_EQ(perch_writev(fd, v, 50), 50000);
	EXPECT_EQ(perch_pwrite(fd, bytes + 51000, SIZE - 51000, 51000), SIZE - 51000);
	EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 51000); /* pwrite leaves it */
	for (int cold = 0; cold < 3; cold++) {
		if (cold == 1)
			make_cold(fd);
		if (cold == 2)
			make_part_cold(fd);
		memset(bytes, 0, SIZE);
		EXPECT_EQ(lseek(fd, 0, SEEK_SET), 0);
		/* more than there is: all of it, not a part */
		EXPECT_EQ(perch_read(fd, bytes, SIZE + 100), SIZE);
		EXPECT_EQ(lseek(fd, 0, SEEK_CUR), SIZE);
		for (size_t i = 0; i < SIZE; i++)
			if (bytes[i] != byte_at(i))
				ASSERT_EQ(i, SIZE);
		EXPECT_EQ(perch_read(fd, bytes, 10), 0);
		if (cold)
			make_cold(fd);
		EXPECT_EQ(perch_pread(fd, tail, 10, SIZE - 5), 5);
		EXPECT_EQ(tail[4], byte_at(SIZE - 1));
		EXPECT_EQ(lseek(fd, 500, SEEK_SET), 500);
		if (cold)
			make_cold(fd);
		EXPECT_EQ(perch_readv(fd, v, 50), 50000);
		EXPECT_EQ(bytes[1000], byte_at(500));
		EXPECT_EQ(bytes[50999], byte_at(50499));
	}
	EXPECT_EQ(perch_close(fd), 0);
	free(bytes);
	return NULL;
}

TEST_F(files, what_is_written_is_read)
{
	struct job j = {.path = self->path};
	struct crowd c = {0};

	crowd_add(&c, 1, 0, write_and_read_all, &j);
	crowd_join(&c);
	crowd_add(&c, 0, 1, write_and_read_all, &j);
	crowd_join(&c);
}

static void *read_parts(void *arg)
{
	struct job *j = arg;
	unsigned char part[3000];

	for (int i = 0; i < 60; i++) {
		size_t at = harness_random_below(SIZE - sizeof(part));
		struct timespec hour = in_ns(3600000000000);

		if (i % 8 == 0)
			posix_fadvise(j->fd, 0, 0, POSIX_FADV_DONTNEED);
		if (i % 2)
			ASSERT_EQ(perch_pread(j->fd, part, sizeof(part), (off_t)at), sizeof(part));
		else
			ASSERT_EQ(perch_timedpread(j->fd, part, sizeof(part), (off_t)at, &hour), sizeof(part));
		for (size_t k = 0; k < sizeof(part); k++)
			if (part[k] != byte_at(at + k))
				ASSERT_EQ(k, sizeof(part));
	}
	return NULL;
}

TEST_F(files, many_read_at_once)
{
	struct job j = {.path = self->path};
	struct crowd c = {0};

	crowd_add(&c, 1, 0, write_and_read_all, &j);
	crowd_join(&c);
	j.fd = perch_open(self->path, O_RDONLY, 0);
	ASSERT_GE(j.fd, 0);
	crowd_add(&c, 30, 3, read_parts, &j);
	crowd_join(&c);
	EXPECT_EQ(perch_close(j.fd), 0);
	EXPECT_EQ(io_waiters(), 0);
}

/* ---- files that shrink, and errors ---- */

static void *read_what_shrinks(void *arg)
{
	struct job *j = arg;
	unsigned char *bytes = malloc(SIZE);

	for (int i = 0; i < 40; i++) {
		ssize_t n = perch_pread(j->fd, bytes, SIZE, 0);

		ASSERT_GE(n, 0);
		ASSERT_LE(n, SIZE);
		for (ssize_t k = 0; k < n; k++)
			if (bytes[k] != byte_at((size_t)k) && bytes[k])
				ASSERT_EQ(k, n);
	}
	free(bytes);
	return NULL;
}

static void *shrink(void *arg)
{
	struct job *j = arg;

	for (int i = 0; i < 200; i++) {
		EXPECT_EQ(ftruncate(j->fd, (off_t)harness_random_below(SIZE)), 0);
		perch_yield();
	}
	EXPECT_EQ(ftruncate(j->fd, 1000), 0);
	return NULL;
}

TEST_F(files, that_shrink)
{
	struct job j = {.path = self->path};
	struct crowd c = {0};
	char buffer[4000];

	crowd_add(&c, 1, 0, write_and_read_all, &j);
	crowd_join(&c);
	j.fd = open(self->path, O_RDWR);
	crowd_add(&c, 3, 1, read_what_shrinks, &j);
	crowd_add(&c, 1, 0, shrink, &j);
	crowd_join(&c);
	EXPECT_EQ(perch_pread(j.fd, buffer, sizeof(buffer), 0), 1000);
	EXPECT_EQ(perch_pread(j.fd, buffer, sizeof(buffer), 1000), 0);
	EXPECT_EQ(close(j.fd), 0);
}

static void *errors(void *arg)
{
	struct job *j = arg;
	int fd, end[2];
	char c = 0;

	EXPECT_EQ(perch_open("/nowhere/at/all", O_RDONLY, 0), -ENOENT);
	EXPECT_EQ(perch_open(j->path, O_RDONLY | O_DIRECTORY, 0), -ENOENT);
	EXPECT_EQ(perch_open(NULL, O_RDONLY, 0), -EFAULT);
	EXPECT_EQ(perch_fsync(-1), -EBADF);
	fd = perch_open(j->path, O_WRONLY | O_CREAT, 0600);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(perch_read(fd, &c, 1), -EBADF);
	EXPECT_EQ(perch_pwrite(fd, &c, 1, -1), -EINVAL);
	EXPECT_EQ(perch_pread(fd, &c, 1, -1), -EINVAL);
	EXPECT_EQ(perch_timedpwrite(fd, &c, 1, 0, NULL), -EINVAL);
	EXPECT_EQ(perch_timedpwrite(fd, &c, 1, 0, &bad_time), -EINVAL);
	EXPECT_EQ(perch_timedfsync(fd, &bad_time), -EINVAL);
	EXPECT_EQ(perch_timedopen(j->path, O_RDONLY, 0, &bad_time), -EINVAL);
	EXPECT_EQ(perch_close(fd), 0);
	EXPECT_EQ(perch_open(j->path, O_WRONLY | O_CREAT | O_EXCL, 0600), -EEXIST);
	make_pair(PIPE, end);
	EXPECT_EQ(perch_fsync(end[0]), -EINVAL);
	close_pair(end);
	fd = open("/", O_RDONLY | O_DIRECTORY);
	EXPECT_EQ(perch_read(fd, &c, 1), -EISDIR);
	close(fd);
	return NULL;
}

TEST_F(files, errors)
{
	struct job j = {.path = self->path};
	struct crowd c = {0};

	crowd_add(&c, 1, 0, errors, &j);
	crowd_join(&c);
	unlink(self->path);
	crowd_add(&c, 0, 1, errors, &j);
	crowd_join(&c);
}

/* ---- a request that is cancelled: nobody opens the FIFO's other end ---- */

static void *open_in_vain(void *arg)
{
	struct job *j = arg;

	for (int i = 0; i < 5; i++) {
		struct timespec at = in_ns(3000000);

		EXPECT_EQ(perch_timedopen(j->path, O_RDONLY, 0, &at), -ETIMEDOUT);
		EXPECT_GE((int64_t)harness_now(), at.tv_sec * 1000000000 + at.tv_nsec);
	}
	return NULL;
}

TEST_F(files, an_open_that_times_out)
{
	struct job j = {.path = self->path};
	struct crowd c = {0};

	if (refused())
		SKIP("without io_uring no deadline ends it");
	ASSERT_EQ(mkfifo(self->path, 0600), 0);
	crowd_add(&c, 4, 1, open_in_vain, &j);
	crowd_join(&c);
	EXPECT_EQ(io_waiters(), 0);
}

/* The other end comes at about the same time. */
static void *open_perhaps(void *arg)
{
	struct job *j = arg;
	struct timespec at = in_ns((int64_t)harness_random_below(300000));
	int fd = perch_timedopen(j->path, O_RDONLY, 0, &at);

	if (fd >= 0)
		EXPECT_EQ(close(fd), 0);
	else
		EXPECT_EQ(fd, -ETIMEDOUT);
	return NULL;
}

static void *open_to_write(void *arg)
{
	struct job *j = arg;
	int fd;

	harness_delay(200000);
	fd = open(j->path, O_WRONLY | O_NONBLOCK);
	if (fd >= 0)
		close(fd);
	return NULL;
}

TEST_F(files, an_open_that_times_out_just_then)
{
	struct job j = {.path = self->path};
	int first, last;

	if (refused())
		SKIP("without io_uring no deadline ends it");
	ASSERT_EQ(mkfifo(self->path, 0600), 0);
	first = open("/dev/null", O_RDONLY);
	close(first);
	for (int i = 0; i < 50; i++) {
		struct crowd c = {0};

		crowd_add(&c, 2, 0, open_perhaps, &j);
		crowd_add(&c, 0, 1, open_to_write, &j);
		crowd_join(&c);
	}
	last = open("/dev/null", O_RDONLY);
	EXPECT_LE(last, first + 10); /* the poller's own, and what others have open; of 100 none was lost */
	close(last);
}
