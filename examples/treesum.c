/* SPDX-License-Identifier: MIT */
/*
 * treesum - SHA-256 of every file under directories, many at once. It prints what
 *
 *	find PATH... -type f -print0 | sort -z | xargs -0 sha256sum
 *
 * prints, and follows no symbolic links either.
 *
 * A thread for each directory lists it and makes a thread for each directory in it. When
 * all is listed and sorted, a thread for each file reads it from end to end. Nobody
 * thinks about who waits for the disk: a thread that does leaves its CPU to others. A
 * semaphore bounds how many descriptors are open; a wait group knows when all have ended.
 * Lines are printed in order by whoever finishes the file that is next.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <nettle/sha2.h>
#include <perch/perch.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MOST_OPEN ((rlim_t)64)   /* descriptors at once */
#define BUFFER ((size_t)1 << 17) /* of a thread that reads a file, on its stack */
#define STACK ((size_t)1 << 18)
#define REDRAW_NS 100000000u
/* A file that could be opened has a shorter name than PATH_MAX. */
#define LINE_MOST ((size_t)2 * PATH_MAX + (size_t)2 * SHA256_DIGEST_SIZE + 4)

struct names {
	char **name;
	size_t n, room;
};

struct file {
	char *path;
	uint8_t digest[SHA256_DIGEST_SIZE];
	bool done, failed;
};

static perch_sem_t descriptors;
static perch_waitgroup_t under_way = PERCH_WAITGROUP_INIT;
static int signals = -1; /* a signalfd */
static struct timespec began;
static size_t bytes, summed; /* atomic: bytes read, and files done */
static bool failed;          /* atomic: something did; the exit status */

static struct {
	perch_mutex_t lock;
	struct names files;
} found = {.lock = PERCH_MUTEX_INIT};

/* What is on the screen belongs to who has the lock: lines, messages and the bar. */
static struct {
	perch_mutex_t lock;
	struct file *file;
	size_t n, next; /* the next to be printed */
	bool bar;       /* to be drawn; drawn now */
	bool drawn;
	bool broken; /* atomic: nobody takes the output any more */
	bool terminal;
	size_t used;
	char text[LINE_MOST]; /* whole lines, PIPE_BUF bytes or a single one */
} screen = {.lock = PERCH_MUTEX_INIT};

static void *must(void *memory)
{
	if (!memory) {
		fputs("treesum: out of memory\n", stderr);
		_exit(1);
	}
	return memory;
}

static void names_add(struct names *l, char *name)
{
	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 16;
		l->name = must(realloc(l->name, l->room * sizeof(*l->name)));
	}
	l->name[l->n++] = name;
}

/* ---- the screen; with its lock held, but for complain() and finished() ---- */

static void erase_bar(void)
{
	if (screen.drawn)
		fputs("\r\033[K", stderr);
	screen.drawn = false;
}

static void complain(const char *what, int error)
{
	perch_mutex_lock(&screen.lock);
	erase_bar();
	fprintf(stderr, "treesum: %s: %s\n", what, strerror(error));
	__atomic_store_n(&failed, true, __ATOMIC_RELAXED);
	perch_mutex_unlock(&screen.lock);
}

/* At most PIPE_BUF bytes, but for a very long name: those a pipe takes whole or not at
 * all, so whatever ends the program leaves no half line. */
static void flush(void)
{
	ssize_t r = 0;

	if (screen.used && !screen.broken)
		r = perch_write(STDOUT_FILENO, screen.text, screen.used);
	if (r < 0) {
		erase_bar();
		fprintf(stderr, "treesum: standard output: %s\n", strerror((int)-r));
		__atomic_store_n(&failed, true, __ATOMIC_RELAXED);
		__atomic_store_n(&screen.broken, true, __ATOMIC_RELAXED);
	}
	screen.used = 0;
}

/* As sha256sum does: a line with a name that has to be escaped begins with a backslash. */
static void put_line(const struct file *f)
{
	static const char hex[] = "0123456789abcdef";
	char line[LINE_MOST], *to = line;

	if (strpbrk(f->path, "\\\n\r"))
		*to++ = '\\';
	for (size_t i = 0; i < sizeof(f->digest); i++) {
		*to++ = hex[f->digest[i] >> 4];
		*to++ = hex[f->digest[i] & 15];
	}
	*to++ = ' ';
	*to++ = ' ';
	for (const char *c = f->path; *c; c++) {
		if (*c == '\\' || *c == '\n' || *c == '\r')
			*to++ = '\\';
		*to++ = (char)(*c == '\n' ? 'n' : *c == '\r' ? 'r' : *c);
	}
	*to++ = '\n';
	if (screen.used + (size_t)(to - line) > PIPE_BUF)
		flush();
	memcpy(screen.text + screen.used, line, (size_t)(to - line));
	screen.used += (size_t)(to - line);
}

/* This file is done; print what is next in order, as far as it is done too. */
static void finished(struct file *f)
{
	__atomic_fetch_add(&summed, 1, __ATOMIC_RELAXED);
	perch_mutex_lock(&screen.lock);
	f->done = true;
	for (; screen.next < screen.n && screen.file[screen.next].done; screen.next++)
		if (!screen.file[screen.next].failed)
			put_line(&screen.file[screen.next]);
	if (screen.terminal) {
		erase_bar();
		flush();
	}
	perch_mutex_unlock(&screen.lock);
}

/* Called by a timer; it can wait until the next time when the screen is in use. */
static void draw(void *unused)
{
	static const char full[] = "####################", empty[] = "....................";
	size_t read = __atomic_load_n(&bytes, __ATOMIC_RELAXED), done = __atomic_load_n(&summed, __ATOMIC_RELAXED);
	struct timespec now;
	double mb = (double)read / 1e6, s;
	int width;

	(void)unused;
	if (perch_mutex_trylock(&screen.lock))
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	s = (double)(now.tv_sec - began.tv_sec) + (double)(now.tv_nsec - began.tv_nsec) / 1e9;
	if (screen.n) {
		width = (int)(done * 20 / screen.n);
		fprintf(stderr, "\r[%.*s%.*s] %zu/%zu files, %.1f MB, %.1f MB/s\033[K", width, full, 20 - width, empty,
			done, screen.n, mb, s > 0 ? mb / s : 0);
	} else {
		fputs("\rlooking for files ...\033[K", stderr);
	}
	screen.drawn = true;
	perch_mutex_unlock(&screen.lock);
}

/* ---- directories ---- */

struct directory {
	char *path;
	struct names files, directories;
	int error;
};

static char *join(const char *directory, const char *name)
{
	size_t n = strlen(directory), size = n + strlen(name) + 2;
	char *path = must(malloc(size));

	/* as find does it: `dir/` and `file` make `dir/file` */
	snprintf(path, size, "%s%s%s", directory, n && directory[n - 1] == '/' ? "" : "/", name);
	return path;
}

/* Files and directories only. */
static void sort_out(struct directory *d, char *path, unsigned char kind)
{
	struct stat s;

	if (kind == DT_UNKNOWN && !lstat(path, &s))
		kind = S_ISREG(s.st_mode) ? DT_REG : S_ISDIR(s.st_mode) ? DT_DIR : DT_LNK;
	if (kind == DT_REG)
		names_add(&d->files, path);
	else if (kind == DT_DIR)
		names_add(&d->directories, path);
	else
		free(path);
}

/* Everything in here may block, so it is called by perch_blocking(), and errno looked at
 * here: later it may be another pthread's. */
static void *read_directory(void *arg)
{
	struct directory *d = arg;
	struct dirent *e;
	DIR *dir = opendir(d->path);

	if (!dir) {
		d->error = errno;
		return NULL;
	}
	while (errno = 0, (e = readdir(dir)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			sort_out(d, join(d->path, e->d_name), e->d_type);
	d->error = errno;
	closedir(dir);
	return NULL;
}

static void list_directory(void *arg);

static void go_into(char *path)
{
	int r;

	perch_waitgroup_add(&under_way, 1);
	r = perch_go(list_directory, path);
	if (r) {
		complain(path, -r);
		free(path);
		perch_waitgroup_done(&under_way);
	}
}

static void list_directory(void *arg)
{
	struct directory d = {.path = arg};

	perch_sem_wait(&descriptors);
	perch_blocking(read_directory, &d);
	perch_sem_post(&descriptors);
	if (d.error)
		complain(d.path, d.error);
	perch_mutex_lock(&found.lock);
	for (size_t i = 0; i < d.files.n; i++)
		names_add(&found.files, d.files.name[i]);
	perch_mutex_unlock(&found.lock);
	for (size_t i = 0; i < d.directories.n; i++)
		go_into(d.directories.name[i]);
	free(d.files.name);
	free(d.directories.name);
	free(d.path);
	perch_waitgroup_done(&under_way);
}

static void list(char **path)
{
	struct stat s;

	for (; *path; path++) {
		if (lstat(*path, &s)) {
			complain(*path, errno);
		} else if (S_ISDIR(s.st_mode)) {
			go_into(must(strdup(*path)));
		} else if (S_ISREG(s.st_mode)) {
			perch_mutex_lock(&found.lock);
			names_add(&found.files, must(strdup(*path)));
			perch_mutex_unlock(&found.lock);
		}
	}
	perch_waitgroup_wait(&under_way);
}

/* ---- files ---- */

/* What became a link or a FIFO since it was listed is an error, and nothing to wait for. */
static int sum(struct file *f)
{
	struct sha256_ctx sha;
	uint8_t buffer[BUFFER];
	off_t at = 0;
	ssize_t n;
	int fd = perch_open(f->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK, 0);

	if (fd < 0)
		return fd;
	sha256_init(&sha);
	for (; (n = perch_pread(fd, buffer, sizeof(buffer), at)) > 0; at += n) {
		sha256_update(&sha, (size_t)n, buffer);
		__atomic_fetch_add(&bytes, (size_t)n, __ATOMIC_RELAXED);
	}
	perch_close(fd);
	sha256_digest(&sha, sizeof(f->digest), f->digest);
	return (int)n;
}

static void *sum_file(void *arg)
{
	struct file *f = arg;
	int r;

	perch_yield(); /* new threads are run newest first; in line they are oldest first */
	r = sum(f);
	if (r < 0) {
		f->failed = true;
		complain(f->path, -r);
	}
	finished(f);
	perch_sem_post(&descriptors);
	perch_waitgroup_done(&under_way);
	return NULL;
}

static void sum_all(void)
{
	perch_attr_t attr;

	perch_attr_init(&attr);
	perch_attr_setstacksize(&attr, STACK);
	perch_attr_setdetachstate(&attr, PERCH_CREATE_DETACHED);
	for (size_t i = 0; i < screen.n && !__atomic_load_n(&screen.broken, __ATOMIC_RELAXED); i++) {
		int r;

		perch_sem_wait(&descriptors);
		perch_waitgroup_add(&under_way, 1);
		r = perch_create(NULL, &attr, sum_file, &screen.file[i]);
		if (r) { /* no stack to be had; later perhaps */
			complain(screen.file[i].path, -r);
			screen.file[i].failed = true;
			finished(&screen.file[i]);
			perch_sem_post(&descriptors);
			perch_waitgroup_done(&under_way);
		}
	}
	perch_waitgroup_wait(&under_way);
	perch_mutex_lock(&screen.lock);
	flush();
	perch_mutex_unlock(&screen.lock);
	perch_attr_destroy(&attr);
}

/* As sort(1): by the language's order, and by bytes what is the same in that. */
static int compare(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	int r = strcoll(x, y);

	return r ? r : strcmp(x, y);
}

static void sort(void)
{
	struct names *l = &found.files;

	if (l->n)
		qsort(l->name, l->n, sizeof(*l->name), compare);
	screen.file = must(calloc(l->n + 1, sizeof(*screen.file)));
	for (size_t i = 0; i < l->n; i++)
		screen.file[i].path = l->name[i];
	perch_mutex_lock(&screen.lock);
	screen.n = l->n;
	perch_mutex_unlock(&screen.lock);
}

/* ---- the whole ---- */

/* A thread: a signal ends the program, but not in the middle of a write to a file. Who
 * has the screen for longer waits for whoever reads the pipe. */
static void *watch_signals(void *unused)
{
	struct signalfd_siginfo signal_info;
	struct timespec soon;
	sigset_t set;

	if (perch_read(signals, &signal_info, sizeof(signal_info)) != sizeof(signal_info))
		return unused; /* -EBADF: all is done */
	clock_gettime(CLOCK_MONOTONIC, &soon);
	soon.tv_sec++;
	perch_mutex_timedlock(&screen.lock, &soon);
	erase_bar();
	sigemptyset(&set);
	sigaddset(&set, (int)signal_info.ssi_signo);
	signal((int)signal_info.ssi_signo, SIG_DFL);
	raise((int)signal_info.ssi_signo);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	return unused;
}

static void *treesum(void *paths)
{
	perch_timer_t redraw;
	perch_t watch;
	bool watched = !perch_create(&watch, NULL, watch_signals, NULL);

	clock_gettime(CLOCK_MONOTONIC, &began);
	perch_timer_init(&redraw, draw, NULL);
	if (screen.bar)
		perch_timer_start(&redraw, REDRAW_NS, REDRAW_NS);
	list(paths);
	sort();
	sum_all();
	perch_timer_destroy(&redraw);
	if (screen.bar) {
		draw(NULL);
		fputc('\n', stderr);
	}
	perch_close(signals);
	if (watched)
		perch_join(watch, NULL);
	for (size_t i = 0; i < screen.n; i++)
		free(screen.file[i].path);
	free(screen.file);
	free(found.files.name);
	return NULL;
}

/* Before the runtime starts, so that its pthreads have it blocked too. What whoever
 * started us wants ignored (nohup) stays so. */
static int take_signals(void)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction now;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (!sigaction(ends[i], NULL, &now) && now.sa_handler != SIG_IGN)
			sigaddset(&set, ends[i]);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	return signals < 0 ? -errno : 0;
}

static int usage(FILE *to, int status)
{
	fputs("usage: treesum [-j PROCS] [-q] [-h] PATH...\n"
	      "SHA-256 of every file under PATH..., sorted, as sha256sum prints it.\n"
	      "  -j PROCS  use that many CPUs (default: all)\n"
	      "  -q        no progress bar\n"
	      "  -h        this text\n",
	      to);
	return status;
}

int main(int argc, char **argv)
{
	struct perch_config config = PERCH_CONFIG_INIT;
	struct rlimit files;
	bool quiet = false;
	long procs;
	char *end;
	int option, r;

	while ((option = getopt(argc, argv, "j:qh")) != -1) {
		switch (option) {
		case 'j':
			procs = strtol(optarg, &end, 10);
			if (*end || procs < 1 || procs > UINT16_MAX)
				return usage(stderr, 2);
			config.procs = (uint32_t)procs;
			break;
		case 'q':
			quiet = true;
			break;
		default:
			return option == 'h' ? usage(stdout, 0) : usage(stderr, 2);
		}
	}
	if (optind == argc)
		return usage(stderr, 2);
	setlocale(LC_COLLATE, "");
	screen.bar = !quiet && isatty(STDERR_FILENO);
	screen.terminal = isatty(STDOUT_FILENO);
	/* half of what we may have open is the runtime's and others' */
	if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur > 2 * MOST_OPEN)
		files.rlim_cur = 2 * MOST_OPEN;
	perch_sem_init(&descriptors, 0, files.rlim_cur < 2 ? 1 : (unsigned)files.rlim_cur / 2);
	r = fcntl(STDOUT_FILENO, F_GETFD) < 0 ? -errno : take_signals();
	if (!r)
		r = perch_run(&config, treesum, argv + optind, NULL);
	if (r)
		fprintf(stderr, "treesum: cannot start: %s\n", strerror(-r));
	return r || failed;
}
