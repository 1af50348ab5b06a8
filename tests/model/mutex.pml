/* SPDX-License-Identifier: MIT */
/*
 * mutex.pml - a mutex and a condition (core/sync/mutex.c, cond.c).
 *
 * Three threads, each on a CPU of its own, or a pthread outside; what each does
 * is its role, from the command line:
 *
 *	LOCKER  lock and unlock, ROUNDS times
 *	PING    take turns with the other, by the condition and signals (thread 0 and 1)
 *	WAIT    lock, wait for the flag by the condition, unlock
 *	SET     lock, set the flag, unlock, broadcast
 *	TAKE    lock, wait for a ticket by the condition, take it, unlock
 *	GIVE    lock, put a ticket there, unlock, signal; ROUNDS times
 *
 * TIMED is a mask of threads that wait with a time-out, which may come at any
 * moment (a lock is then given up, a condition looked at again); FOREIGN one of
 * threads that are pthreads outside, which a signal moves into the mutex's queue.
 *
 * That a sleeper is asleep when it is found, and woken by one, is wait.pml's; here
 * it is one step. PATIENCE may be over whenever the source looks.
 *
 * Checked: one at a time has the mutex; nobody waits for ever; from when an
 * impatient one has gone to sleep until it has the mutex (or gives up) nobody
 * else gets it; the heir's frame is there whenever it is looked at.
 *
 * Seeds: UNLOCK_LOOKS_FIRST, NO_ANNOUNCE_CHECK, LATE_KEEPS_WOKEN,
 * TAKER_KEEPS_WOKEN, FORGET_WAITERS, BARGE_IN, HANDED_BUT_FREE, FORGET_CLAIM;
 * with TIMED, GIVE_UP_KEEPS_WOKEN; with conditions, RELEASE_FIRST, ADOPT_NOBODY,
 * HEIR_ANYWHERE, HEIR_NOT_FORGOTTEN, NAME_AFTER_WAKE, HEIR_OVERTAKES.
 */
#define LOCKER 1
#define PING 2
#define WAIT 3
#define SET 4
#define TAKE 5
#define GIVE 6
#ifndef ROLE0
#define ROLE0 LOCKER
#endif
#ifndef ROLE1
#define ROLE1 LOCKER
#endif
#ifndef ROLE2
#define ROLE2 LOCKER
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef TIMED
#define TIMED 0
#endif
#ifndef FOREIGN
#define FOREIGN 0
#endif
#define IS(mask, g) (((mask) >> (g)) & 1)
#define THREADS 3
#define NONE THREADS

/* the mutex */
#define LOCKED 1
#define WAITERS 2
#define WOKEN 4
byte word;
byte owner = NONE; /* the note about an heir */

/* the queues, and their locks: the mutex's, the condition's */
#define M 0
#define C 1
bool lock[2];
byte length[2];
byte queue[2 * THREADS] = NONE;
#define AT(k, i) queue[(k) * THREADS + (i)]

/* waiters */
bool asleep[THREADS];
bool claimed[THREADS];
bool many[THREADS]; /* wait.many: this wait may time out */
bool queued[THREADS]; /* in either queue */
byte data[THREADS];
#define IMPATIENT 1
#define ADOPTED 2
byte told[THREADS];
#define YOURS 0
#define TRY 1
#define AGAIN 2
#define TIMED_OUT 3
bool frame[THREADS]; /* of a wait at the condition: its life */
bool resumed[THREADS]; /* has gone on since it was woken there */
bool taken[THREADS]; /* ready, and a worker is just switching to it */

bool inside[THREADS]; /* has the mutex */
bool waits_impatiently[THREADS];
byte turn; /* of PINGs: 0 or 1, the first or the second */
bool flag;
byte tickets;
byte ended;

inline acquire(k)
{
	atomic { !lock[k] -> lock[k] = 1 }
}

/* ---- queues; in atomic steps, under the lock ---- */

inline append(k, g)
{
	AT(k, length[k]) = g; length[k]++; queued[g] = 1
}

inline prepend(k, g)
{
	AT(k, 2) = AT(k, 1); AT(k, 1) = AT(k, 0); AT(k, 0) = g; length[k]++; queued[g] = 1
}

inline remove(k, g)
{
	if
	:: AT(k, 0) == g -> AT(k, 0) = AT(k, 1); AT(k, 1) = AT(k, 2)
	:: else ->
		if
		:: AT(k, 1) == g -> AT(k, 1) = AT(k, 2)
		:: else
		fi
	fi;
	AT(k, 2) = NONE; length[k]--; queued[g] = 0
}

/* The first that can be claimed, off the queue: w; or NONE. (A time-out claims
 * without the lock: each is tried in a step of its own.) */
inline claim_first(k, w)
{
	do
	:: atomic {
			w = AT(k, 0);
			if
			:: w == NONE -> break
			:: else -> remove(k, w)
			fi;
			if
			:: data[w] == ADOPTED || !many[w] -> break
			:: else
			fi;
#ifdef FORGET_CLAIM
			claimed[w] = 1; break
#else
			if
			:: !claimed[w] -> claimed[w] = 1; break
			:: else
			fi
#endif
		}
	od
}

inline wake(g, what)
{
	atomic { assert(asleep[g]); told[g] = what; asleep[g] = 0 }
}

/* Asleep already, and the lock let go of: until woken, or until the time is over */
inline sleep(k)
{
	if
	:: atomic { !asleep[me] && !taken[me] -> t = told[me]; resumed[me] = (k == C -> 1 : resumed[me]) }
	:: atomic { many[me] && asleep[me] && !claimed[me] ->
			claimed[me] = 1; asleep[me] = 0; t = TIMED_OUT; waits_impatiently[me] = 0
		};
		acquire(k);
		atomic {
			if
			:: queued[me] -> remove(k, me)
			:: else
			fi;
			lock[k] = 0
		}
	fi
}

/* ---- mutex ---- */

#define NOBODY_WAITS_IMPATIENTLY \
	!(waits_impatiently[0] && me != 0 || waits_impatiently[1] && me != 1 || waits_impatiently[2] && me != 2)

/* mutex_wait, until t is YOURS or TIMED_OUT */
inline mutex_wait(may_time_out)
{
	do
	:: atomic { t == YOURS || t == TIMED_OUT -> waited = 0; break }
	:: else ->
		seen = word;
		if
		:: !(seen & LOCKED) ->
			atomic {
				if
				:: word == seen ->
					assert(NOBODY_WAITS_IMPATIENTLY);
					word = seen | LOCKED;
#ifndef TAKER_KEEPS_WOKEN
					if
					:: t == TRY -> word = word & ~WOKEN
					:: else
					fi;
#endif
					t = YOURS
				:: else
				fi;
				seen = 0
			}
		:: else ->
			seen = 0;
			if
			:: IS(TIMED, me) && may_time_out ->
				/* the time is over: announce with give_up, if we are the one for whom WOKEN is */
				if
#ifdef GIVE_UP_KEEPS_WOKEN
				:: t = TIMED_OUT; goto next_look
#else
				:: t != TRY -> t = TIMED_OUT; goto next_look
				:: t == TRY ->
					acquire(M);
					atomic {
						if
						:: word & LOCKED -> word = word & ~WOKEN; t = TIMED_OUT
						:: else
						fi
					};
					lock[M] = 0;
					goto next_look
#endif
				fi
			:: true
			fi;
			acquire(M);
			atomic { /* announce, and into the queue */
#ifndef NO_ANNOUNCE_CHECK
				if
				:: !(word & LOCKED) -> lock[M] = 0; goto next_look
				:: else
				fi;
#endif
				if
				:: t == TRY && waited -> data[me] = IMPATIENT; waits_impatiently[me] = 1
				:: true
				fi;
				waited = 1;
				word = word | WAITERS;
				asleep[me] = 1; claimed[me] = 0; many[me] = IS(TIMED, me) && may_time_out;
				if
				:: t == TRY ->
#ifndef LATE_KEEPS_WOKEN
					word = word & ~WOKEN;
#endif
					prepend(M, me)
				:: else -> append(M, me)
				fi
			};
			lock[M] = 0;
			sleep(M);
next_look:		skip
		fi
	od
}

/* mutex_release; w: whom to wake */
inline mutex_release(w)
{
	do
	:: seen = word;
		assert(seen & LOCKED);
		if
		:: (seen & (WAITERS | WOKEN)) != WAITERS ->
#ifdef UNLOCK_LOOKS_FIRST
			word = seen & ~LOCKED; w = NONE; seen = 0; break
#else
			atomic {
				if
				:: word == seen -> word = seen & ~LOCKED; w = NONE; seen = 0; break
				:: else -> seen = 0
				fi
			}
#endif
		:: else ->
			acquire(M);
			if
			:: atomic { word == (LOCKED | WAITERS) -> seen = word };
				claim_first(M, w);
				atomic {
					assert(word == seen); /* else the store wipes out a change */
#ifdef FORGET_WAITERS
					word = 0;
#else
					word = (length[M] -> WAITERS : 0);
#endif
#ifdef BARGE_IN
					word = word | (w != NONE -> WOKEN : 0);
#else
					word = word | (w == NONE -> 0 : (data[w] == IMPATIENT -> LOCKED : WOKEN));
#endif
#ifdef HANDED_BUT_FREE
					word = word & ~LOCKED;
#endif
					seen = 0
				};
				lock[M] = 0;
				break
			:: atomic { word != (LOCKED | WAITERS) -> seen = 0; lock[M] = 0 }
			fi
		fi
	od
}

inline mutex_wake(w)
{
#ifdef BARGE_IN
	if
	:: w != NONE -> wake(w, TRY)
	:: else
	fi;
#else
	if
	:: w != NONE && data[w] == IMPATIENT -> wake(w, YOURS)
	:: w != NONE && data[w] != IMPATIENT -> wake(w, TRY)
	:: w == NONE
	fi;
#endif
	w = NONE
}

/* One that was claimed at the condition: into the mutex's queue, as often as
 * there is another (w), under one hold of the lock; then see who looks to them. */
inline adopt(w)
{
	atomic { data[w] = ADOPTED; append(M, w); w = NONE }
}

inline adopted(w)
{
	atomic {
		seen = word;
		word = word | WAITERS | (word & LOCKED -> 0 : WOKEN)
	};
	if
	:: !(seen & (LOCKED | WOKEN)) ->
		claim_first(M, w);
		atomic {
			if
			:: length[M] == 0 -> word = word & ~WAITERS
			:: else
			fi
		}
	:: else
	fi;
	atomic { lock[M] = 0; seen = 0 };
#ifdef ADOPT_NOBODY
	w = NONE;
#endif
	mutex_wake(w)
}

inline enter()
{
	atomic {
		assert(!(inside[0] || inside[1] || inside[2]));
		waits_impatiently[me] = 0; data[me] = 0;
		inside[me] = 1
	}
}

/* ---- condition ---- */

/* let_go's first part. `current` is whom the worker goes on with: anybody who is
 * ready. mine: the heir has the mutex. */
inline bequeath()
{
#ifdef HEIR_ANYWHERE
	current = owner;
#else
	atomic {
		if
		:: !asleep[0] && frame[0] && told[0] != TIMED_OUT && !resumed[0] && me != 0 -> current = 0; taken[0] = 1
		:: !asleep[1] && frame[1] && told[1] != TIMED_OUT && !resumed[1] && me != 1 -> current = 1; taken[1] = 1
		:: !asleep[2] && frame[2] && told[2] != TIMED_OUT && !resumed[2] && me != 2 -> current = 2; taken[2] = 1
		:: true
		fi
	};
#endif
	heir = owner;
	if
	:: heir == NONE
	:: heir != NONE ->
		assert(frame[heir]);
		if
		:: (heir == current && told[heir] == AGAIN
#ifndef HEIR_OVERTAKES
			&& word == LOCKED
#endif
			) -> atomic {
				assert(frame[heir] && NOBODY_WAITS_IMPATIENTLY);
				told[heir] = YOURS; mine = 1
			}
		:: else
		fi
	fi;
	heir = NONE
}

inline cond_wait()
{
#ifdef RELEASE_FIRST
	inside[me] = 0;
	mutex_release(w);
	acquire(C);
	atomic { frame[me] = 1; resumed[me] = 0; told[me] = TIMED_OUT;
		append(C, me); asleep[me] = 1; claimed[me] = 0;
		many[me] = IS(TIMED, me) };
	lock[C] = 0;
#else
	acquire(C);
	atomic { frame[me] = 1; resumed[me] = 0; told[me] = TIMED_OUT;
		append(C, me); asleep[me] = 1; claimed[me] = 0;
		many[me] = IS(TIMED, me); inside[me] = 0 };
	/* let_go */
	if
	:: !IS(FOREIGN, me) -> bequeath()
	:: else
	fi;
	if
	:: mine
	:: else -> mutex_release(w)
	fi;
	lock[C] = 0;
#endif
	mutex_wake(w);
	atomic {
		if
		:: current != NONE -> taken[current] = 0; current = NONE
		:: else
		fi;
		mine = 0
	};
	sleep(C);
	atomic {
		at_cond = 1; data[me] = 0;
		if
		:: t != YOURS -> told[me] = YOURS /* no longer to be given it so */
		:: else
		fi;
		if
		:: t == TIMED_OUT -> t = AGAIN
		:: else
		fi
	}
}

inline signal()
{
	if
	:: length[C] == 0 /* waitq_seems_empty */
	:: else ->
		acquire(C);
		claim_first(C, w);
		lock[C] = 0;
		if
		:: w == NONE
		:: w != NONE && IS(FOREIGN, w) ->
			acquire(M);
			adopt(w);
			adopted(w)
		:: w != NONE && !IS(FOREIGN, w) ->
#ifdef NAME_AFTER_WAKE
			wake(w, AGAIN);
			owner = w;
#else
			owner = w;
			wake(w, AGAIN);
#endif
			w = NONE
		fi
	fi
}

inline broadcast()
{
	if
	:: length[C] == 0
	:: else ->
		acquire(C);
		do /* claim_all */
		:: claim_first(C, w);
			if
			:: w == NONE -> break
			:: else -> all[all_length] = w; all_length++; w = NONE
			fi
		od;
		lock[C] = 0;
		if
		:: all_length ->
			acquire(M);
			seen = 0;
			do
			:: seen < all_length -> atomic { w = all[seen]; all[seen] = 0; seen++; adopt(w) }
			:: else -> break
			od;
			atomic { all_length = 0; seen = 0 };
			adopted(w)
		:: else
		fi
	fi
}

proctype thread(byte me; byte role)
{
	byte rounds, t, seen, w = NONE, current = NONE, heir = NONE;
	byte all[THREADS], all_length;
	bool waited, mine, at_cond;

next:	if
	:: rounds == ROUNDS || rounds == 1 && role != LOCKER && role != PING && role != GIVE -> goto out
	:: else -> rounds++; t = AGAIN
	fi;
locking: /* take() tries no harder than the first look here */
	mutex_wait(role == LOCKER);
	if
	:: t == TIMED_OUT -> goto next
	:: else
	fi;
	enter();
	if
	:: at_cond ->
#ifndef HEIR_NOT_FORGOTTEN
		if
		:: owner == me -> owner = NONE
		:: else
		fi;
#endif
		atomic { frame[me] = 0; resumed[me] = 0; at_cond = 0 }
	:: else
	fi;
	if
	:: role == WAIT && !flag || role == PING && turn != me || role == TAKE && tickets == 0 -> cond_wait(); goto locking
	:: else
	fi;
	if
	:: role == SET -> flag = 1
	:: role == PING -> turn = !turn
	:: role == TAKE -> tickets--
	:: role == GIVE -> tickets++
	:: else
	fi;
	if
	:: role == PING -> goto signalling
	:: else
	fi;
unlocking:
	inside[me] = 0;
	mutex_release(w);
	mutex_wake(w);
	if
	:: role == SET -> broadcast()
	:: role == GIVE -> goto signalling
	:: else
	fi;
	goto next;

signalling:
	signal();
	if
	:: role == PING -> goto unlocking
	:: else -> goto next
	fi;

out:	ended++
}

/* No wake-up was lost. */
active proctype property()
{
	timeout ->
	assert(ended == THREADS && word == 0 && tickets == 0 && length[M] == 0 && length[C] == 0)
}

init {
	atomic {
		run thread(0, ROLE0); run thread(1, ROLE1); run thread(2, ROLE2)
	}
}
