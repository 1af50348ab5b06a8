/* SPDX-License-Identifier: MIT */
/*
 * timers.pml - that an armed timer is never without somebody who will look at
 * it (core/sched/timers.c, and what core/sched/idle.c does for it).
 *
 * Worker 0 starts busy, the others start by looking for work. Whoever is busy
 * may arm timers, look for those that are due at its home, or compute for ever
 * from then on; a pthread outside arms them too, and posts work; somebody
 * cancels. What fires becomes an item.
 *
 * The property: whenever nothing moves before the clock does, and a worker
 * sleeps, there is no timer that is due, no item, and no `next` in the past.
 *
 * A wheel is how many timers it has for each time, and `next`, which changes with
 * them under the wheel's lock. It is the earliest of them or any time before
 * that, as it comes: when a timer is taken out it may stay or rise, and a look at
 * which nothing was due makes it rise, or has not come to an end. Where an item
 * lies does not matter here (it does in idle.pml), so there is but a count.
 *
 * Seeds: NEXT_PAST, NEXT_FALLS, NO_IDLE_TIMER, UNTIL_BEFORE_NEXT,
 * WATCH_BEFORE_MASK, NO_WATCH, NO_END_WATCH, END_WATCH_LATE, NO_CHAIN, NO_SECOND_LOOK.
 */
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef WHEELS
#define WHEELS 1 /* processors at which timers are armed */
#endif
#ifndef ARMS
#define ARMS 2 /* in all */
#endif
#ifndef POSTS
#define POSTS 0
#endif
#ifndef CANCELS
#define CANCELS 0
#endif
#define TIMES 3 /* timers are for 1 and 3; `next` may be 2, too */
#define NEVER 4 /* as a time */
#define AT(p, time) armed[(p) * 2 + (time) / 2]
#define EARLIEST(p) (AT(p, 1) -> 1 : (AT(p, 3) -> 3 : NEVER))
#define NEXT(p) next[p]

byte now;
byte armed[WHEELS * 2];
byte next[WHEELS] = NEVER;
byte until = NEVER; /* idle.until */

byte items;
bool request[WORKERS];
byte idle_mask;
byte searching;
byte sleeping;
bool woken[WORKERS];  /* the futex */
byte arms = ARMS;
/* for the property only */
bool asleep[WORKERS];
byte watch[WORKERS]; /* asleep until then */
byte moving = WORKERS; /* in the middle of something, neither asleep nor computing for ever */

#define BIT(w) (1 << (w))

/* idle_notify */
inline notify()
{
	do
	:: atomic {
			if
			:: sleeping > 0 && searching == 0 -> searching = 1 /* on behalf of whom we choose */
			:: else -> break
			fi
		};
		atomic { /* choose, and wake: any, since the one that was seen first may be gone */
			if
			:: idle_mask & BIT(0) -> idle_mask = idle_mask & ~BIT(0); woken[0] = 1; break
			:: idle_mask & BIT(1) -> idle_mask = idle_mask & ~BIT(1); woken[1] = 1; break
#if WORKERS > 2
			:: idle_mask & BIT(2) -> idle_mask = idle_mask & ~BIT(2); woken[2] = 1; break
#endif
			:: else
			fi
		};
		atomic {
			searching--;
#ifdef NO_SECOND_LOOK
			break
#else
			if
			:: idle_mask == 0 -> break
			:: else
			fi
#endif
		}
	od
}

/* note_next: as late as it can be, or earlier, but never earlier than it was; NEVER
 * only when there is none. */
inline note(p)
{
	if
#ifdef NEXT_PAST
	:: next[p] = NEVER
#else
	:: next[p] = EARLIEST(p)
#endif
	:: EARLIEST(p) == 3 && next[p] < 2 -> next[p] = 2
#ifdef NEXT_FALLS
	:: EARLIEST(p) == 3 -> next[p] = 1
#endif
	:: EARLIEST(p) != NEVER
	fi
}

/* timer_arm, until it lets go of the lock, and the timer's time; 0: it is not
 * before `next`, and nobody need be told */
inline arm(when)
{
	atomic {
		if
		:: arms == 0
		:: arms > 0 ->
			arms--;
			if
			:: when = 1
			:: when = 3
			fi;
			if
			:: p = 0
#if WHEELS > 1
			:: p = 1
#endif
			fi;
			if
			:: when < NEXT(p) -> AT(p, when)++; next[p] = when
			:: else -> AT(p, when)++; when = 0
			fi;
			p = 0
		fi
	}
}

/* idle_timer */
inline tell(when)
{
#ifndef NO_IDLE_TIMER
	if
#ifdef UNTIL_BEFORE_NEXT
	:: atomic { when && when < seen -> when = 0; seen = 0 }; notify()
#else
	:: atomic { when && when < until -> when = 0 }; notify()
#endif
	:: else
	fi;
#endif
	when = 0
}

/* NEXT(p) <= now. One that is due becomes an item here; asked: and its push met a
 * request. None is: it was a bound. */
inline fire(p)
{
	if
	:: EARLIEST(p) <= now ->
		if
		:: AT(p, 1) -> AT(p, 1)--
		:: else -> AT(p, 3)--
		fi;
		items++;
		asked = request[me]; request[me] = 0
	:: else
	fi;
	note(p)
}

/* keep_watch. `until` is read, and changed by a CAS that tries again: one step.
 * SECOND_READ is how it once was: the timers are read again after that. */
inline keep_watch()
{
	do
	:: atomic { when = NEVER; p = 0 };
		do
		:: atomic { p < WHEELS -> when = (NEXT(p) < when -> NEXT(p) : when); p++ }
		:: p == WHEELS -> break
		od;
		atomic {
			p = 0;
			if
			:: when >= until -> when = NEVER; break
			:: else -> until = when
			fi
		};
#ifndef SECOND_READ
		break
#else
		do
		:: p < WHEELS ->
			atomic {
				if
				:: NEXT(p) >= when -> p++
				:: else -> break
				fi
			}
		:: else -> break
		od;
		if
		:: p == WHEELS -> p = 0; break
		:: else -> end_watch()
		fi
#endif
	od
}

inline waking()
{
	asleep[me] = 0; when = watch[me]; watch[me] = 0;
	moving++
}

inline end_watch()
{
	atomic {
		if
		:: when == until -> until = NEVER
		:: else
		fi
	}
}

proctype worker(byte me)
{
	byte p;    /* processor looked at */
	byte when; /* of the timer just armed; asleep: until when */
	bool asked;
	bool counted; /* among the searchers */
#ifdef UNTIL_BEFORE_NEXT
	byte seen;
#endif

	if
	:: me == 0 -> goto running
	:: else -> goto find
	fi;

running:
	if
	:: arms > 0 -> goto arming
	:: atomic { NEXT(0) <= now -> fire(0) }; goto answer /* next_slow_round */
	:: goto find
	:: goto computing
	fi;

arming:
#ifdef UNTIL_BEFORE_NEXT
	seen = until;
#endif
	arm(when);
	tell(when);
	goto running;

answer:	if
	:: atomic { asked -> asked = 0 }; notify()
	:: else
	fi;
	goto running;

find:	atomic { /* the own queue; idle_search_begin */
		if
		:: items > 0 -> items--; goto running
		:: searching++; counted = 1
		:: searching > 0 /* enough others do */
		fi
	}
search:	if
	:: atomic { items > 0 -> items--; goto found } /* without a look at timers */
	:: true
	fi;
	do /* timers_run_all */
	:: p < WHEELS ->
		atomic {
			if
			:: NEXT(p) <= now -> fire(p)
			:: NEXT(p) <= now && EARLIEST(p) > now -> p++ /* enough for once */
			:: else -> p++
			fi
		};
		if
		:: atomic { asked -> asked = 0 }; notify()
		:: else
		fi
	:: else -> break
	od;
	atomic {
		p = 0;
		if
		:: items > 0 -> items--; goto found
		:: else
		fi
	}
#ifdef END_WATCH_LATE
	end_watch();
	when = 0;
#endif
	/* nothing: idle_sleep */
#ifdef WATCH_BEFORE_MASK
	keep_watch();
#endif
	atomic { woken[me] = 0; sleeping++ }
	atomic { idle_mask = idle_mask | BIT(me) }
	atomic {
		if
		:: counted -> searching--; counted = 0
		:: else
		fi;
		if
		:: searching > 0 -> goto sleep
		:: else
		fi
	}
	atomic { /* last_look */
		request[0] = 1; request[1] = 1;
#if WORKERS > 2
		request[2] = 1;
#endif
		if
		:: items > 0 -> goto stay
		:: else
		fi
	}

sleep:
#ifdef NO_WATCH
	when = NEVER;
#elif !defined(WATCH_BEFORE_MASK)
	keep_watch();
#endif
	atomic { asleep[me] = 1; watch[me] = when; when = 0; moving-- }
end_asleep:
	if
	:: atomic { woken[me] -> waking() } /* whoever woke us has counted us as searching */
	:: atomic { /* timed out */
			watch[me] <= now && (idle_mask & BIT(me)) -> waking();
			idle_mask = idle_mask & ~BIT(me)
		};
		searching++
	fi;
#ifdef END_WATCH_LATE
	atomic { counted = 1; sleeping-- }
	goto search;
#endif
#ifndef NO_END_WATCH
	if
	:: when != NEVER -> end_watch()
	:: else
	fi;
#endif
	atomic { when = 0; counted = 1; sleeping-- }
	goto search;

stay:	atomic { /* take the own bit back; if it is gone, somebody is waking us */
		if
		:: idle_mask & BIT(me) -> idle_mask = idle_mask & ~BIT(me)
		:: else -> goto sleep
		fi
	}
#ifdef WATCH_BEFORE_MASK
	end_watch();
#endif
	atomic { searching++; counted = 1 }
	atomic { when = 0; sleeping-- }
	goto search;

found:	atomic {
#ifdef END_WATCH_LATE
		when = 0;
#endif
		if
		:: counted -> searching--; asked = (searching == 0); counted = 0
		:: else
		fi
#ifdef NO_CHAIN
		;
		asked = 0
#endif
	}
	goto answer;

computing:
	moving--;
end_for_ever:
	false
}

proctype outside()
{
	byte p, when, left = POSTS, cancels = CANCELS;
#ifdef UNTIL_BEFORE_NEXT
	byte seen;
#endif

end_outside:
	do
	:: atomic { left > 0 -> left--; items++; moving++ };
		notify();
		moving--
	:: atomic { arms > 0 -> moving++ };
#ifdef UNTIL_BEFORE_NEXT
		seen = until;
#endif
		arm(when);
		tell(when);
		moving--
	/* timer_cancel, by whomever: it tells nobody */
	:: atomic { cancels > 0 && armed[0] > 0 -> armed[0]--; cancels--; note(0) }
	:: atomic { cancels > 0 && armed[1] > 0 -> armed[1]--; cancels--; note(0) }
#if WHEELS > 1
	:: atomic { cancels > 0 && armed[2] > 0 -> armed[2]--; cancels--; note(1) }
	:: atomic { cancels > 0 && armed[3] > 0 -> armed[3]--; cancels--; note(1) }
#endif
	:: atomic { now < TIMES -> now++ }
	od
}

#define WAKES(w) (asleep[w] && (woken[w] || watch[w] <= now && (idle_mask & BIT(w))))

active proctype property()
{
end_property:
	do
	:: atomic {
		moving == 0 && !WAKES(0) && !WAKES(1) &&
#if WORKERS > 2
		!WAKES(2) && (asleep[2] ||
#else
		(
#endif
		 asleep[0] || asleep[1]) ->
		assert(items == 0 && EARLIEST(0) > now && NEXT(0) > now);
#if WHEELS > 1
		assert(EARLIEST(1) > now && NEXT(1) > now)
#endif
	}
	od
}

init {
	byte w;

	atomic {
		do
		:: w < WORKERS -> run worker(w); w++
		:: else -> break
		od;
		run outside()
	}
}
