/* SPDX-License-Identifier: MIT */
/*
 * wait.pml - waiting in a queue under its lock, with or without a time-out
 * (core/sched/waitq.h, waitq.c; park_with and wake in park.c; the states of a
 * timer in timers.c).
 *
 * The object is a count of gifts. Waiter 0 waits for ever, waiter 1 with a
 * time-out; both are threads that run on either of two workers. With FOREIGN a
 * pthread waits too, with a time-out. Each waits ROUNDS times, and each time in a
 * new frame: its wait, its place in the queue and its timer lie there. Two givers
 * claim the first they find and wake it, or leave the gift; the ticker is the
 * worker that fires timers, at any moment after they were armed.
 *
 * frame[] is the life of each waiter's frame, 0 when it is gone; whoever touches
 * it has the number of the life that he means. The queue is a set, since the
 * order matters to nothing that is checked here.
 *
 * Seeds: UNLOCK_BEFORE_LEFT, ARM_AFTER_UNLOCK, SLEEP_READ_LATE, DONE_BEFORE_CLAIM,
 * NO_CLAIM, CLAIM_WITHOUT_MANY, NO_CANCEL_WAIT, NOT_TAKEN_OUT, LOOK_WITHOUT_LOCK,
 * RESULT_AFTER_WAKE, WAKE_AFTER_LOST_CLAIM; with FOREIGN, RETURN_UNCLAIMED.
 */
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef GIFTS
#define GIFTS 1 /* of each giver */
#endif
#define THREADS 2
#ifdef FOREIGN
#define WAITERS 3
#else
#define WAITERS 2
#endif
#define TIMED(g) ((g) > 0)
#ifdef CLAIM_WITHOUT_MANY
#define MANY(g) false
#else
#define MANY(g) TIMED(g)
#endif
#define NONE WAITERS

/* the object */
bool lock;
bool in_queue[WAITERS]; /* waiter.queued, too */
byte value;

/* the waiters' frames: of waitq_wait, and of wait_sleep inside of it */
byte frame[WAITERS];
bool inner[WAITERS];
bool claimed[WAITERS];
bool by[WAITERS]; /* a giver has claimed it */
bool result[WAITERS]; /* 1: a gift */
mtype = { IDLE, ARMED, FIRING };
mtype timer[WAITERS] = IDLE;

#define TOUCH(g, life) assert(frame[g] == (life))

/* threads */
bool ready[THREADS];   /* in a run queue */
bool asleep[THREADS];  /* in park_with, and not woken */
bool saved[THREADS];   /* the context is what the stack says */
byte running[THREADS]; /* workers that execute on that stack */
byte rounds[WAITERS];
bool ended[WAITERS];
mtype = { AT_START, AT_WAKE };
mtype at[THREADS] = AT_START;
/* the foreign pthread's stand-in: thread.woken, and its token */
bool told, token;

byte had, given; /* gifts */

inline acquire()
{
	atomic { !lock -> lock = 1 }
}

/* wait_claim, of what lives in this frame; ours: it is */
inline claim(g, life, who)
{
#ifdef NO_CLAIM
	atomic { TOUCH(g, life); ours = (!MANY(g) || !claimed[g]) };
	atomic { TOUCH(g, life); claimed[g] = 1; by[g] = (ours -> who : by[g]) }
#else
	atomic {
		TOUCH(g, life);
		ours = (!MANY(g) || !claimed[g]);
		if
		:: ours -> claimed[g] = MANY(g); by[g] = who
		:: else
		fi
	}
#endif
}

/* park.c's */
inline wake(g)
{
	if
	:: g < THREADS -> atomic { assert(asleep[g] && !ready[g]); asleep[g] = 0; ready[g] = 1 }
#ifdef FOREIGN
	:: else ->
		assert(!told);
		told = 1;
		token = 1
#endif
	fi
}

/* timer_cancel */
inline cancel(g)
{
	if
	:: timer[g] == IDLE
	:: timer[g] != IDLE ->
		atomic { /* under the wheel's lock */
			if
			:: timer[g] == ARMED -> timer[g] = IDLE
			:: else
			fi
		};
#ifndef NO_CANCEL_WAIT
		timer[g] == IDLE
#endif
	fi
}

/* the end of waitq_wait, when it timed out */
inline take_out(g)
{
#ifdef NOT_TAKEN_OUT
	skip
#else
#ifdef LOOK_WITHOUT_LOCK
	if
	:: !in_queue[g] -> goto leave
	:: else
	fi;
#endif
	acquire();
	in_queue[g] = 0;
	lock = 0
#endif
}

proctype worker()
{
	byte g; /* whose code it runs, or whose hook */
	byte life;

end_idle:
	atomic {
		if
		:: ready[0] -> ready[0] = 0; g = 0
		:: ready[1] -> ready[1] = 0; g = 1
		fi;
		life = 0;
		assert(saved[g]);        /* else it is resumed from a stack that is still in use */
		assert(running[g] == 0); /* else it runs on two workers at once */
		saved[g] = 0; running[g]++;
		if
		:: at[g] == AT_WAKE -> life = frame[g]; goto awake
		:: else
		fi
	}

start:	atomic { !lock -> lock = 1; rounds[g]++; life = rounds[g] }
	if
	:: atomic { value > 0 -> value--; had++ }; goto unlock
	:: value == 0
	fi;
	atomic { /* wait_begin, waitq_append */
		frame[g] = life; claimed[g] = 0; by[g] = 0; result[g] = 0; timer[g] = IDLE;
		in_queue[g] = 1; at[g] = AT_WAKE; asleep[g] = 1; inner[g] = 1
	}
#ifdef UNLOCK_BEFORE_LEFT
	lock = 0;
#endif
	atomic { saved[g] = 1; running[g]-- } /* the switch */
	/* the hook: arm_and_unlock, or unlock_queue */
#ifndef ARM_AFTER_UNLOCK
	if
	:: TIMED(g) -> atomic { TOUCH(g, life); assert(inner[g]); timer[g] = ARMED }
	:: else
	fi;
#endif
#ifdef SLEEP_READ_LATE
	assert(inner[g]); /* which queue it is */
#endif
#ifndef UNLOCK_BEFORE_LEFT
	lock = 0;
#endif
#ifdef ARM_AFTER_UNLOCK
	if
	:: TIMED(g) -> atomic { TOUCH(g, life); timer[g] = ARMED }
	:: else
	fi;
#endif
	goto end_idle;

awake:	if
	:: TIMED(g) -> cancel(g)
	:: else
	fi;
	atomic {
		inner[g] = 0;
		had = had + result[g];
		if
		:: !MANY(g) || by[g] -> goto leave
		:: else
		fi
	};
	take_out(g);
leave:	atomic { frame[g] = 0; at[g] = AT_START; goto next }
unlock:	lock = 0;
next:	atomic {
		if
		:: rounds[g] < ROUNDS -> goto start
		:: else -> ended[g] = 1; running[g]--; goto end_idle
		fi
	}
}

proctype giver()
{
	byte g = NONE, life, left = GIFTS;
	bool ours;

	do
	:: left == 0 -> break
	:: else ->
		acquire();
		left--; given++;
		do /* waitq_claim */
		:: atomic { !(in_queue[0] || in_queue[1]
#ifdef FOREIGN
			      || in_queue[2]
#endif
			      ) -> value++; g = NONE; break }
		:: else ->
			atomic {
				if
				:: in_queue[0] -> g = 0
				:: in_queue[1] -> g = 1
#ifdef FOREIGN
				:: in_queue[2] -> g = 2
#endif
				fi;
				in_queue[g] = 0; life = frame[g];
				assert(life) /* else a waiter that has returned was in the queue */
			};
			claim(g, life, 1);
			if
			:: ours -> break
			:: else -> g = NONE
#ifdef WAKE_AFTER_LOST_CLAIM
				; break
#endif
			fi
		od;
		lock = 0;
		if
		:: g != NONE ->
#ifdef RESULT_AFTER_WAKE
			wake(g);
			atomic { TOUCH(g, life); result[g] = 1 };
#else
			atomic { TOUCH(g, life); result[g] = 1 };
			wake(g);
#endif
			atomic { g = NONE; life = 0; ours = 0 }
		:: else -> life = 0; ours = 0
		fi
	od
}

/* timers_run, and time_out, of thread 1's */
proctype ticker()
{
	byte life;
	bool ours;

end_ticker:
	do
	:: atomic { timer[1] == ARMED -> timer[1] = FIRING; life = frame[1]; assert(life) };
#ifdef DONE_BEFORE_CLAIM
		timer[1] = IDLE;
#endif
		claim(1, life, 0);
		if
		:: ours -> TOUCH(1, life); result[1] = 0
		:: else
		fi;
#ifndef DONE_BEFORE_CLAIM
		atomic { TOUCH(1, life); timer[1] = IDLE };
#endif
		if
		:: ours -> wake(1)
		:: else
		fi;
		atomic { ours = 0; life = 0 }
	od
}

#ifdef FOREIGN
#define F 2
/* foreign_sleep, and park_foreign_until */
proctype foreign()
{
	bool ours;

	do
	:: rounds[F] == ROUNDS -> break
	:: else ->
		acquire();
		rounds[F]++;
		if
		:: atomic { value > 0 -> value--; had++; lock = 0 }; goto next
		:: value == 0
		fi;
		atomic {
			frame[F] = rounds[F]; claimed[F] = 0; by[F] = 0; result[F] = 0;
			in_queue[F] = 1
		};
		lock = 0;
again:		if
		:: told -> goto woken
		:: !told
		fi;
		if
		:: goto too_late
		:: atomic { token -> token = 0 }; goto again
		fi;
too_late:	atomic { token = 0 };
#ifdef RETURN_UNCLAIMED
		goto out;
#endif
		claim(F, rounds[F], 0);
		if
		:: atomic { ours -> ours = 0; goto out }
		:: else
		fi;
		do /* somebody was faster, and its wake is on the way */
		:: told -> break
		:: atomic { token -> token = 0 }
		od;
woken:		told = 0;
		had = had + result[F];
		if
		:: by[F] -> goto leave
		:: else
		fi;
out:		take_out(F);
leave:		frame[F] = 0;
next:		skip
	od;
	ended[F] = 1
}
#endif

/* When nothing moves any more, no gift was lost or had twice, whoever waits
 * with a time-out has come back, and nobody waits for what is there. */
active proctype property()
{
	timeout ->
	assert(had + value == given);
	assert(ended[1] && running[0] + running[1] == 0);
	assert(ended[0] || asleep[0] && in_queue[0] && value == 0);
#ifdef FOREIGN
	assert(ended[F] && !told)
#endif
}

init {
	atomic {
		saved[0] = 1; saved[1] = 1; ready[0] = 1; ready[1] = 1;
		run worker(); run worker();
		run giver(); run giver();
		run ticker();
#ifdef FOREIGN
		run foreign()
#endif
	}
}
