/* SPDX-License-Identifier: MIT */
#include "core/io/io.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <perch/block.h>

#include "core/io/sys.h"
#include "core/sched/idle.h"
#include "core/sched/sched.h"
#include "core/sync/object.h"
#include "rseq/inject.h"

#define CHUNK 4096
#define CHUNKS 4096
#define BATCH 128

/* Of events that are no descriptor's: all bits of the number are set. */
#define KEY_INTERRUPT UINT64_MAX
#define KEY_RING (UINT64_MAX - 1)

/*
 * A filter may refuse epoll, from the start or at any time later (`refused`). Then nobody waits
 * in queues any more: those who do are sent away (`send_away`), and each who waits blocks its
 * worker in poll(). What stays is the watch for the interrupt and for the ring, by ppoll(). A
 * waiter looks at `refused` under its queue's lock, and whoever sets it goes through all
 * queues afterwards: so the one sees the other.
 *
 * The program may close the two descriptors (close_range(), as daemons do), and have others under
 * their numbers: they are made anew, and all who wait are sent away to come back. So nothing is
 * written to a number that may not be ours: the interrupt is an eventfd that is always readable, and
 * epoll is told to care (`EPOLL_CTL_MOD`), which fails where it is not that eventfd and that epoll.
 * Who sleeps in the epoll that was closed is woken by a signal (kick()).
 */
static struct {
	struct io_fd *chunk[CHUNKS]; /* each made at its first use, and kept until stop */
	uint32_t lock;               /* of bringing it up */
	bool up;
	bool refused, send_away;
	uint32_t made; /* how often, by now */
	int epoll, interrupt, ring;
	void (*on_ring)(void);
	bool no_pwait2; /* the kernel has none, or a filter is in the way */
	pid_t asleep;   /* who keeps watch, while it may block; 0: nobody */
	int found;      /* by who keeps watch */
	struct epoll_event slept[BATCH];
	uint32_t looking __attribute__((aligned(64))); /* held by who looks */
	uint64_t looked_ns;
	struct epoll_event seen[BATCH];
} io = {.epoll = -1, .interrupt = -1, .ring = -1};

/* ---- the table ---- */

static struct io_fd *make_chunk(struct io_fd **place)
{
	struct io_fd *none = NULL, *c = aligned_alloc(64, CHUNK * sizeof(*c));

	if (!c)
		return NULL;
	for (int i = 0; i < CHUNK; i++)
		c[i] = (struct io_fd){.armed = 0};
	if (__atomic_compare_exchange_n(place, &none, c, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE))
		return c;
	free(c);
	return none;
}

static struct io_fd *find(int fd)
{
	struct io_fd *c;

	if ((unsigned)fd >= (unsigned)CHUNK * CHUNKS)
		return NULL;
	c = __atomic_load_n(&io.chunk[fd / CHUNK], __ATOMIC_ACQUIRE);
	return c ? &c[fd % CHUNK] : NULL;
}

struct io_fd *io_known(int fd)
{
	return sched_up() ? find(fd) : NULL;
}

/* Its entry, made if need be. */
static struct io_fd *find_or_make(int fd)
{
	struct io_fd *e;

	if (!sched_up() || (unsigned)fd >= (unsigned)CHUNK * CHUNKS)
		return NULL;
	e = find(fd);
	if (!e && make_chunk(&io.chunk[fd / CHUNK]))
		e = find(fd);
	return e;
}

struct io_fd *io_entry(int fd)
{
	return sched_up() && io_up() && !__atomic_load_n(&io.refused, __ATOMIC_RELAXED) ? find_or_make(fd) : NULL;
}

/* ---- bringing it up, and down ---- */

/* What a call that is not to be had says: it is not there, or a filter is. */
static bool refuses(int error)
{
	return error == ENOSYS || error == EPERM;
}

static void no_op(int signal)
{
	(void)signal;
}

/*
 * Who sleeps in an epoll that has no events for it any more comes back from there. By a signal that
 * the program does not use, of which we take possession: the last one sent may come at any time
 * later. Sent again, as one may come before the sleeper is in the call.
 */
static void kick(void)
{
	pid_t tid = __atomic_load_n(&io.asleep, __ATOMIC_SEQ_CST);
	struct sigaction a = {.sa_handler = no_op}, now;
	int signal = SIGRTMAX;

	if (!tid || tid == (pid_t)syscall(SYS_gettid))
		return;
	while (signal > SIGRTMIN && !sigaction(signal, NULL, &now) && now.sa_handler != SIG_DFL &&
	       now.sa_handler != no_op)
		signal--;
	sigaction(signal, &a, NULL);
	for (int i = 0; i < 1000 && __atomic_load_n(&io.asleep, __ATOMIC_SEQ_CST) == tid; i++) {
		syscall(SYS_tgkill, getpid(), tid, signal);
		nanosleep(&(struct timespec){0, 100000}, NULL);
	}
}

static void set_refused(void)
{
	__atomic_store_n(&io.refused, true, __ATOMIC_SEQ_CST);
	__atomic_store_n(&io.send_away, true, __ATOMIC_SEQ_CST);
}

/* Not under io.lock, for which the sleeper may wait. */
static void refuse(void)
{
	set_refused();
	kick();
}

/* Of a descriptor of the runtime's own, which is no file that epoll would not have. */
static int add(int fd, uint64_t key, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.u64 = key};
	int r;

	if (__atomic_load_n(&io.refused, __ATOMIC_RELAXED))
		return 0;
	r = epoll_ctl(io.epoll, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
	if (!refuses(-r))
		return r;
	set_refused();
	return 0;
}

/* The lock is held. */
static bool make_both(void)
{
	int interrupt = sys_keep_off_standard(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)), epoll;
	struct epoll_event e;

	if (interrupt < 0)
		return false;
	epoll = sys_keep_off_standard(epoll_create1(EPOLL_CLOEXEC));
	if (epoll < 0 ? refuses(errno) : epoll_wait(epoll, &e, 1, 0) < 0 && refuses(errno))
		set_refused();
	if (epoll < 0 && !io.refused) {
		close(interrupt);
		return false;
	}
	__atomic_store_n(&io.epoll, epoll, __ATOMIC_SEQ_CST);
	__atomic_store_n(&io.interrupt, interrupt, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&io.made, 1, __ATOMIC_RELEASE);
	if (!add(interrupt, KEY_INTERRUPT, 0))
		return true;
	close(epoll);
	close(interrupt);
	io.epoll = io.interrupt = -1;
	return false;
}

/* Both are what they were: not when the program has closed either. */
static bool both_are_ours(void)
{
	struct epoll_event e = {.events = 0, .data.u64 = KEY_INTERRUPT};

	if (epoll_ctl(io.epoll, EPOLL_CTL_ADD, io.interrupt, &e))
		return errno == EEXIST;
	epoll_ctl(io.epoll, EPOLL_CTL_DEL, io.interrupt, NULL); /* one of the program's */
	return false;
}

/* A filter says so of any descriptor, the kernel says -EBADF of none. */
static bool is_refused(void)
{
	struct epoll_event e = {0};

	return epoll_ctl(-1, EPOLL_CTL_ADD, -1, &e) && refuses(errno);
}

/* The lock is held. What is left of the old ones is nobody's: it may be the program's. */
static void make_anew(void)
{
	static bool told;

	if (is_refused()) {
		set_refused();
		return;
	}
	if (!told)
		fprintf(stderr, "perch: the program has closed descriptors of the runtime; they are made anew\n");
	told = true;
	if (!make_both()) /* there are no descriptors left */
		set_refused();
	else if (io.ring >= 0)
		add(io.ring, KEY_RING, EPOLLIN);
	__atomic_store_n(&io.send_away, true, __ATOMIC_SEQ_CST);
}

/* Something was said of a descriptor that may be ours. False: it was not. */
static __attribute__((noinline)) bool made_anew(void)
{
	bool lost;

	spin_lock(&io.lock);
	lost = io.up && !io.refused && !both_are_ours();
	if (lost)
		make_anew();
	spin_unlock(&io.lock);
	if (lost)
		kick();
	return lost;
}

/* The sleeper has an event, until it is taken back. */
static int set_interrupt(uint32_t events)
{
	struct epoll_event e = {.events = events, .data.u64 = KEY_INTERRUPT};

	return epoll_ctl(io.epoll, EPOLL_CTL_MOD, io.interrupt, &e) ? errno : 0;
}

static void io_interrupt(void)
{
	static const uint64_t one = 1;
	int saved = errno, error = 0;

	if (!__atomic_load_n(&io.refused, __ATOMIC_RELAXED))
		error = set_interrupt(EPOLLIN);
	if (error)
		made_anew();
	if (__atomic_load_n(&io.refused, __ATOMIC_RELAXED))
		while (write(io.interrupt, &one, sizeof(one)) < 0 && errno == EINTR)
			;
	errno = saved;
}

/* By the sleeper. */
static void take_interrupt_back(void)
{
	uint64_t count;

	if (__atomic_load_n(&io.refused, __ATOMIC_RELAXED))
		while (read(io.interrupt, &count, sizeof(count)) < 0 && errno == EINTR)
			;
	else if (set_interrupt(0))
		made_anew();
}

static __attribute__((noinline)) bool bring_up(void)
{
	int saved = errno;

	spin_lock(&io.lock);
	if (!io.up && make_both())
		__atomic_store_n(&io.up, true, __ATOMIC_RELEASE);
	spin_unlock(&io.lock);
	errno = saved;
	return __atomic_load_n(&io.up, __ATOMIC_RELAXED);
}

bool io_up(void)
{
	return __builtin_expect(__atomic_load_n(&io.up, __ATOMIC_ACQUIRE), 1) || bring_up();
}

int io_watch_ring(int fd, void (*fn)(void))
{
	int saved = errno, r;

	io.on_ring = fn;
	__atomic_store_n(&io.ring, fd, __ATOMIC_SEQ_CST);
	r = add(fd, KEY_RING, EPOLLIN);
	errno = saved;
	if (!r && __atomic_load_n(&io.refused, __ATOMIC_SEQ_CST))
		io_interrupt(); /* who sleeps does not know of it yet */
	return r;
}

/* ---- events ---- */

/*
 * -EAGAIN: epoll is refused from now on, or was just made anew. -EPERM is
 * what epoll says of a file that is always ready, and what a filter says; -EBADF and -EINVAL may
 * mean the program's descriptor or the runtime's: so in doubt ours are asked.
 */
static int tell_epoll(struct io_fd *e, int fd, int op, uint32_t events)
{
	struct epoll_event ev = {.events = events | EPOLLONESHOT,
				 .data.u64 = (uint64_t)e->generation << 32 | (uint32_t)fd};
	uint32_t made = __atomic_load_n(&io.made, __ATOMIC_ACQUIRE);
	int error;

	if (!epoll_ctl(io.epoll, op, fd, &ev))
		return 0;
	error = errno;
	/* mostly: the first wait there, or no room */
	if (error == ENOENT || error == EEXIST || error == ENOMEM || error == ENOSPC)
		return -error;
	/* by us, or by another meanwhile */
	return made_anew() || io.refused || __atomic_load_n(&io.made, __ATOMIC_ACQUIRE) != made ? -EAGAIN : -error;
}

static uint32_t events_of(const struct waiter *w)
{
	return (uint32_t)(uintptr_t)w->data;
}

static uint32_t all_events(const perch_waitq_t *q)
{
	uint32_t all = 0;

	for (const struct waiter *w = q->first; w; w = w->next)
		all |= events_of(w);
	return all & IO_EVENTS;
}

/* Those whom events wake, in order. */
struct woken {
	struct waiter *first, *last;
};

static void take(struct woken *woken, perch_waitq_t *q, struct waiter *w, int result)
{
	waitq_remove(q, w);
	if (result == -EBADF)
		w->data = (void *)((uintptr_t)w->data | IO_CLOSED);
	if (!wait_claim(w->wait, w))
		return;
	if (events_of(w) & IO_SHARED) {
		/* under the lock: it may not be asleep, but cannot leave before it has had that */
		unpark(w->wait->thread);
		return;
	}
	w->wait->result = result;
	w->next = NULL;
	if (woken->last)
		woken->last->next = w;
	else
		woken->first = w;
	woken->last = w;
}

/* Behind those who are ready already: the first come are served first, however many come. */
static bool wake_all(struct woken *woken)
{
	bool any = woken->first;

	while (woken->first) {
		struct waiter *w = woken->first;

		woken->first = w->next; /* its frame is gone once it is awake */
		wake_last(w->wait->thread);
	}
	return any;
}

/* All who wait there, but for `but`. */
static void take_all(struct woken *woken, perch_waitq_t *q, const struct waiter *but, int result)
{
	for (struct waiter *w = q->first, *next; w; w = next) {
		next = w->next;
		if (w != but)
			take(woken, q, w, result);
	}
}

/* Epoll is refused: all who wait try again, and then wait by other means. */
static __attribute__((noinline)) void send_all_away(void)
{
	struct woken woken = {NULL, NULL};

	__atomic_store_n(&io.send_away, false, __ATOMIC_SEQ_CST);
	for (int i = 0; i < CHUNKS; i++) {
		struct io_fd *c = __atomic_load_n(&io.chunk[i], __ATOMIC_SEQ_CST);

		for (int k = 0; c && k < CHUNK; k++) {
			waitq_lock(&c[k].queue);
			take_all(&woken, &c[k].queue, NULL, 0);
			waitq_unlock(&c[k].queue);
		}
	}
	wake_all(&woken);
}

/* Without a lock. */
static inline void send_away_if_refused(void)
{
	if (__builtin_expect(__atomic_load_n(&io.send_away, __ATOMIC_RELAXED), 0))
		send_all_away();
}

/* The lock is held. Look for what those in the queue wait for, but for `passed`: they will
 * have it passed on. `fresh` has just come; all others came when something was armed. */
static int arm(struct io_fd *e, int fd, const struct waiter *fresh, uint32_t passed, struct woken *closed)
{
	uint32_t events = all_events(&e->queue) & ~passed;
	int saved = errno, r = tell_epoll(e, fd, EPOLL_CTL_MOD, events);

	if (r == -ENOENT) {
		/* another file than the one they came to; or another epoll, and they are on their way out */
		take_all(closed, &e->queue, fresh, __atomic_load_n(&io.send_away, __ATOMIC_SEQ_CST) ? 0 : -EBADF);
		if (fresh) {
			events = events_of(fresh) & IO_EVENTS;
			e->generation++;
			r = tell_epoll(e, fd, EPOLL_CTL_ADD, events);
		} else {
			events = 0;
			r = 0;
		}
	} else if (r == -EBADF) {
		take_all(closed, &e->queue, fresh, -EBADF);
	}
	e->armed = r ? 0 : events;
	errno = saved;
	return r;
}

int io_join(struct io_fd *e, int fd, struct waiter *w, uint32_t events)
{
	struct woken closed = {NULL, NULL};
	int r;

	w->data = (void *)(uintptr_t)events;
	waitq_append(&e->queue, w);
	inject();
	r = __atomic_load_n(&io.refused, __ATOMIC_SEQ_CST) ? -EAGAIN : arm(e, fd, w, 0, &closed);
	if (r)
		waitq_remove(&e->queue, w);
	wake_all(&closed);
	return r;
}

void io_pass(int fd)
{
	struct io_fd *e = io_known(fd);
	struct woken closed = {NULL, NULL};

	if (!e || waitq_seems_empty(&e->queue))
		return;
	waitq_lock(&e->queue);
	if (!waitq_empty(&e->queue) && !e->closing)
		arm(e, fd, NULL, 0, &closed);
	waitq_unlock(&e->queue);
	wake_all(&closed);
	send_away_if_refused();
}

struct io_fd *io_close_begin(int fd)
{
	/* made, though nobody has waited there yet: who is about to has to see the mark */
	struct io_fd *e = find_or_make(fd);
	struct woken woken = {NULL, NULL};
	int saved = errno;

	if (!e)
		return NULL;
	waitq_lock(&e->queue);
	e->closing++;
	take_all(&woken, &e->queue, NULL, -EBADF);
	if (e->armed) /* the file may live on under another number, or in a child */
		epoll_ctl(io.epoll, EPOLL_CTL_DEL, fd, NULL);
	e->armed = 0;
	e->generation++;
	waitq_unlock(&e->queue);
	wake_all(&woken);
	errno = saved;
	return e;
}

void io_close_end(struct io_fd *e)
{
	waitq_lock(&e->queue);
	e->closing--;
	waitq_unlock(&e->queue);
}

/* Whom it wakes: see the head of io.h. */
static void on_event(const struct epoll_event *ev, struct woken *woken)
{
	int fd = (int)(uint32_t)ev->data.u64;
	struct io_fd *e = find(fd);
	uint32_t seen = ev->events, taken = 0, left = 0;
	bool all = seen & (EPOLLERR | EPOLLHUP);

	if (!e) /* it had one when epoll was told of it */
		return;
	waitq_lock(&e->queue);
	inject();
	if (e->generation != ev->data.u64 >> 32) {
		waitq_unlock(&e->queue);
		return;
	}
	e->armed = 0;
	for (struct waiter *w = e->queue.first, *next; w; w = next) {
		uint32_t events = events_of(w), hit = events & seen & IO_EVENTS;

		next = w->next;
		if (!hit && !all)
			left |= events;
		else if (all || events & IO_SHARED || !(hit & taken)) {
			struct waiter *before = woken->last;

			take(woken, &e->queue, w, 0);
			if (!(events & IO_SHARED) && woken->last != before)
				taken |= events;
		}
	}
	if (left & ~taken & IO_EVENTS)
		arm(e, fd, NULL, taken, woken);
	waitq_unlock(&e->queue);
}

static bool handle(const struct epoll_event *ev, int n)
{
	struct woken woken = {NULL, NULL};
	bool ring = false;

	for (int i = 0; i < n; i++) {
		if (ev[i].data.u64 == KEY_RING)
			ring = true;
		else if (ev[i].data.u64 != KEY_INTERRUPT)
			on_event(&ev[i], &woken);
	}
	if (ring)
		io.on_ring();
	return wake_all(&woken) || ring;
}

/* ---- whoever polls ---- */

/* Only the runtime's own, and without epoll. */
static int wait_own_events(struct epoll_event *ev, const struct timespec *left)
{
	struct pollfd p[2] = {{.fd = io.interrupt, .events = POLLIN},
			      {.fd = __atomic_load_n(&io.ring, __ATOMIC_SEQ_CST), .events = POLLIN}};
	static const struct timespec nap = {0, 1000000};
	int n = ppoll(p, 2, left, NULL), k = 0;

	if (n < 0 && errno != EINTR)
		nanosleep(&nap, NULL); /* ppoll() is refused too: look at what there may be now and then */
	for (int i = 0; i < 2; i++)
		if (n > 0 ? p[i].revents : n < 0 && errno != EINTR && p[i].fd >= 0)
			ev[k++] = (struct epoll_event){.events = EPOLLIN, .data.u64 = i ? KEY_RING : KEY_INTERRUPT};
	return k;
}

/* epoll_wait(), or what stands for it. */
static int wait_epoll(struct epoll_event *ev, int ms)
{
	static const struct timespec now = {0, 0};
	int n;

	if (__builtin_expect(!__atomic_load_n(&io.refused, __ATOMIC_RELAXED), 1)) {
		n = epoll_wait(io.epoll, ev, BATCH, ms);
		if (n >= 0 || errno == EINTR)
			return n;
		if (refuses(errno))
			refuse();
		else if (made_anew())
			return 0;
	}
	return wait_own_events(ev, ms ? NULL : &now);
}

static int wait_events(struct epoll_event *ev, uint64_t until)
{
	struct pollfd p = {.fd = io.epoll, .events = POLLIN};
	struct timespec left;
	uint64_t now;
	int n;

	if (until == CLOCK_NEVER)
		return wait_epoll(ev, -1);
	now = clock_ns();
	left = clock_timespec(until > now ? until - now : 0);
	if (__atomic_load_n(&io.refused, __ATOMIC_RELAXED))
		return wait_own_events(ev, &left);
	if (!io.no_pwait2) {
		n = (int)syscall(SYS_epoll_pwait2, io.epoll, ev, BATCH, &left, NULL, 0);
		if (n >= 0 || errno == EINTR)
			return n;
		if (!refuses(errno))
			return made_anew() ? 0 : n;
		io.no_pwait2 = true;
	}
	n = ppoll(&p, 1, &left, NULL);
	return n > 0 || (n < 0 && refuses(errno)) ? wait_epoll(ev, 0) : n;
}

static bool io_sleep(uint64_t until)
{
	bool something;

	__atomic_store_n(&io.asleep, worker_self()->tid, __ATOMIC_SEQ_CST);
	io.found = __atomic_load_n(&io.send_away, __ATOMIC_SEQ_CST) ? 0 : wait_events(io.slept, until);
	__atomic_store_n(&io.asleep, 0, __ATOMIC_SEQ_CST);
	something = io.found > 0 || (io.found == 0 && until != CLOCK_NEVER) ||
		    __atomic_load_n(&io.send_away, __ATOMIC_RELAXED);
	for (int i = 0; i < io.found; i++)
		if (io.slept[i].data.u64 == KEY_INTERRUPT) {
			take_interrupt_back();
			something = io.found > 1 || __atomic_load_n(&io.send_away, __ATOMIC_RELAXED);
		}
	return something;
}

static void io_deliver(void)
{
	int n = io.found;

	/* that was a look, too: the monitor need not think that nobody does */
	__atomic_store_n(&io.looked_ns, clock_ns(), __ATOMIC_RELAXED);
	io.found = 0;
	if (n > 0)
		handle(io.slept, n);
	send_away_if_refused();
}

static bool io_overdue(uint64_t now, uint64_t gap)
{
	uint64_t looked = __atomic_load_n(&io.looked_ns, __ATOMIC_RELAXED);

	return now > looked && now - looked >= gap;
}

static bool io_look(uint64_t now, uint64_t gap)
{
	bool any = false;
	int saved, n;

	if (!io_overdue(now, gap) || __atomic_exchange_n(&io.looking, 1, __ATOMIC_ACQUIRE))
		return false;
	__atomic_store_n(&io.looked_ns, now, __ATOMIC_RELAXED);
	saved = errno;
	n = wait_epoll(io.seen, 0);
	errno = saved;
	if (n > 0)
		any = handle(io.seen, n);
	send_away_if_refused();
	__atomic_store_n(&io.looking, 0, __ATOMIC_RELEASE);
	return any;
}

static const struct idle_io hooks = {io_sleep, io_interrupt, io_deliver, io_look, io_overdue};

void io_start(void)
{
	idle_io_waiters = idle_io_watched = 0;
	idle_io = &hooks;
}

void io_stop(void)
{
	if (io.up && (io.refused || both_are_ours())) {
		if (io.epoll >= 0)
			close(io.epoll);
		close(io.interrupt);
	}
	io.up = io.refused = io.send_away = false;
	io.epoll = io.interrupt = io.ring = -1;
	for (int i = 0; i < CHUNKS; i++) {
		free(io.chunk[i]);
		io.chunk[i] = NULL;
	}
}

/* ---- waiting ---- */

int io_block(int fd, uint32_t events, uint64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = (short)(events & (IO_EVENTS & ~EPOLLRDHUP))};
	int r;

	do {
		perch_block_begin();
		r = sys_poll(&p, 1, deadline);
		perch_block_end();
	} while (r == -EINTR);
	if (r < 0)
		return r;
	if (!r)
		return -ETIMEDOUT;
	return p.revents & POLLNVAL ? -EBADF : 0;
}

int io_wait(int fd, uint32_t events, enum park_reason reason, uint64_t deadline)
{
	struct waiter w;
	struct wait wait;
	struct io_fd *e;
	int r = fd < 0 ? -EBADF : object_may_wait(deadline);

	if (r)
		return r;
	e = io_entry(fd);
	if (!e)
		return io_block(fd, events, deadline);
	idle_io_begin();
	waitq_lock(&e->queue);
	if (e->closing) {
		waitq_unlock(&e->queue);
		idle_io_end();
		perch_yield();
		return 0;
	}
	wait_begin(&wait, deadline != CLOCK_NEVER);
	w.wait = &wait;
	r = io_join(e, fd, &w, events);
	if (r)
		waitq_unlock(&e->queue);
	else
		r = waitq_sleep(&e->queue, &w, reason, (void *)(intptr_t)fd, deadline, waitq_unlock_hook, &e->queue);
	idle_io_end();
	send_away_if_refused();
	if (r == -EAGAIN)
		return 0; /* by other means, the next time */
	if (r == -EPERM)
		return IO_ALWAYS;
	return r == -ENOMEM || r == -ENOSPC ? io_block(fd, events, deadline) : r;
}
