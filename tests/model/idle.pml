/* SPDX-License-Identifier: MIT */
/*
 * idle.pml - how workers fall asleep and are woken (core/sched/idle.c).
 *
 * One worker on each CPU, and a pthread outside that submits to an inbox.
 * Worker 0 starts busy, the others start by looking for work. Whoever runs an
 * item may push more, and at any moment may go on computing for ever; then
 * what it has pushed must be found by others. The property: when nothing moves
 * any more, there is no item that waits while a worker sleeps.
 *
 * What a section stores lies in its CPU's store buffer first (unseen[]) and
 * reaches memory at any later time; locked instructions and membarriers wait
 * for it. A membarrier also restarts the section in progress (cut[]). It
 * reaches the CPUs one after the other.
 *
 * A request that stands (core/sched/look.h) spares the last look its membarrier. A thief's request does
 * not stand. The pthread outside also pushes by sections, on CPU 0, whose worker it then has preempted.
 *
 * Seeds: NO_MEMBARRIER, NO_RECHECK, NO_RESTART_BY_BARRIER, NO_FLUSH_BY_BARRIER,
 * CLEAR_WITHOUT_NOTIFY, NO_CHAIN, NO_LOOK, LOOK_WITHOUT_INBOX, NO_REQUEST, NO_SECOND_LOOK,
 * POP_FORGETS_REQUEST, FAIR_PUSH_IGNORES_REQUEST, WAKE_LOOKS_BEFORE, THIEFS_STANDS,
 * STANDS_BESIDE_AWAKE, NO_FENCE_BEHIND_PUSH, OWN_NOT_LEFT.
 */
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef PUSHES
#define PUSHES 2 /* by workers, in all */
#endif
#ifndef SUBMITS
#define SUBMITS 1 /* from outside */
#endif

byte queue[WORKERS];  /* length of each CPU's run queue, in memory */
byte unseen[WORKERS]; /* pushed there, still in the store buffer */
byte inbox;
byte request[WORKERS];
#define ASKED 1
#define STANDS 2
#define OF 3 /* + worker: to stand behind its barrier */
bool cut[WORKERS]; /* the section in progress must restart */
byte idle_mask; /* who sleeps, and has not been chosen yet */
byte searching;
byte sleeping;
bool woken[WORKERS];  /* the futex */
bool asleep[WORKERS]; /* for the property only */
byte pushes = PUSHES;

#define NOBODY WORKERS
#define BIT(w) (1 << (w))
/* before a locked instruction by worker `me` */
#define FENCE queue[me] = queue[me] + unseen[me]; unseen[me] = 0

/* idle_notify */
/* A request on every CPU, and the membarrier. */
inline ask_all()
{
#ifndef NO_REQUEST
	c = 0;
	do
	:: c < WORKERS -> request[c] = OF + me; c++
	:: else -> break
	od;
#endif
#ifndef NO_MEMBARRIER
	c = 0;
	do
	:: c < WORKERS ->
		atomic {
#ifndef NO_FLUSH_BY_BARRIER
			queue[c] = queue[c] + unseen[c]; unseen[c] = 0;
#endif
#ifndef NO_RESTART_BY_BARRIER
			cut[c] = 1;
#endif
			c++
		}
	:: else -> break
	od;
#endif
	c = 0;
	do
	:: c < WORKERS ->
		atomic {
			if
			:: request[c] == OF + me -> request[c] = STANDS
			:: else
			fi;
			c++
		}
	:: else -> break
	od;
	c = 0
}

/* look_last(), but for the look itself */
inline see_to_requests()
{
#ifdef STANDS_BESIDE_AWAKE
	stands = 1;
#else
	atomic {
		if
		:: idle_mask & BIT(me) -> stands = (sleeping == WORKERS)
		:: else -> stands = (sleeping >= WORKERS - 1)
		fi
	}
#endif
	c = 0;
	do
	:: c < WORKERS && stands ->
		atomic {
			if
			:: c == me
#ifdef THIEFS_STANDS
			:: c != me -> stands = (request[c] != 0)
#else
			:: c != me -> stands = (request[c] == STANDS)
#endif
			fi;
			c++
		}
	:: else -> break
	od;
	if
	:: stands ->
#ifndef OWN_NOT_LEFT
		atomic { FENCE; request[me] = STANDS } /* by a section; what this CPU pushed before is seen before */
#endif
		stands = 0; c = 0
	:: else -> ask_all()
	fi
}

inline notify(who)
{
	do
	:: sleeping == 0 -> break
	:: else ->
		who = NOBODY;
		atomic {
			if
			:: me < WORKERS -> FENCE
			:: else
			fi;
			if
			:: searching == 0 -> searching = 1 /* on behalf of whom we choose */
			:: else -> break
			fi
		};
		do /* choose */
		:: idle_mask == 0 -> break
		:: else ->
			if
			:: idle_mask & BIT(0) -> who = 0
			:: idle_mask & BIT(1) -> who = 1
#if WORKERS > 2
			:: idle_mask & BIT(2) -> who = 2
#endif
			:: else -> break
			fi;
			atomic { /* fetch-and-clear of the bit; another may have been faster */
				if
				:: idle_mask & BIT(who) -> idle_mask = idle_mask & ~BIT(who); break
				:: else -> who = NOBODY
				fi
			}
		od;
		if
		:: who != NOBODY -> woken[who] = 1; break
		:: else -> atomic { searching-- };
#ifdef NO_SECOND_LOOK
			break
#else
			if
			:: idle_mask == 0 -> break
			:: else
			fi
#endif
		fi
	od;
	who = 0
}

proctype worker(byte me; bool starts_busy)
{
	byte c;   /* CPU looked at, or whom to wake */
	bool asked, stands;
	bool counted; /* among the searchers */

	if
	:: starts_busy -> goto running
	:: else -> goto find
	fi;

running:	/* the item has been taken off its queue */
	if
	:: atomic { pushes > 0 -> pushes--; cut[me] = 0 }; goto push
	:: goto sync
	:: goto yield
	:: goto find /* the item has ended */
	:: goto end_computing
	fi;

yield:	/* to another item that is here; this one goes to the fair queue */
	atomic {
		if
		:: unseen[me] > 0 -> unseen[me]--
		:: unseen[me] == 0 && queue[me] > 0 -> queue[me]--
		:: else -> goto running
		fi;
		cut[me] = 0
	}
#ifdef FAIR_PUSH_IGNORES_REQUEST
	atomic { unseen[me]++ }
	goto running;
#endif

push:	/* section_push, and section_fair_push */
	if
	:: atomic { request[me] != 0 -> cut[me] = 0 }; goto push_slow
	:: request[me] != 0 && queue[me] + unseen[me] == 0 -> goto push_woken
	:: request[me] == 0
	fi;
	atomic {
		if
		:: cut[me] -> cut[me] = 0; goto push
		:: else -> unseen[me]++
		fi
	}
	goto running;
push_woken: /* ready_quietly(): the request is left while somebody searches */
#ifdef WAKE_LOOKS_BEFORE
	if
	:: searching > 0
	:: searching == 0 -> goto push_slow
	fi;
	atomic { unseen[me]++ }
	goto running;
#endif
	atomic { unseen[me]++ }
	if
	:: searching > 0 -> goto running
	:: searching == 0
	fi;
	atomic { FENCE; asked = (request[me] != 0); request[me] = 0 }
	goto answered;
push_slow: /* ring_push_slow */
	atomic {
		FENCE;
		asked = (request[me] != 0);
		request[me] = 0;
		if
		:: asked
		:: else -> goto push /* another has taken it: one that is left now is to be seen */
		fi
	}
	atomic { unseen[me]++ } /* section_push_raw: reads nothing that others write */
	goto answered;

sync:	/* ring_pop_slow for an item that is not on top: it answers, then takes nothing */
	if
	:: request[me] != 0 && queue[me] + unseen[me] >= 2
	:: else -> goto running
	fi;
	atomic { FENCE; asked = (request[me] != 0); request[me] = 0 }
#ifdef POP_FORGETS_REQUEST
	asked = 0;
#endif
answered:
#ifndef CLEAR_WITHOUT_NOTIFY
	if
	:: asked ->
#ifndef NO_FENCE_BEHIND_PUSH
		atomic { FENCE }
#endif
		notify(c)
	:: else
	fi;
#endif
	asked = 0;
	goto running;

find:	/* the own queue: seen from here, so what is in the store buffer too */
	atomic {
		if
		:: unseen[me] > 0 -> unseen[me]--; goto running
		:: unseen[me] == 0 && queue[me] > 0 -> queue[me]--; goto running
		:: else
		fi
	}
	atomic { /* idle_search_begin */
		if
		:: FENCE; searching++; counted = 1
		:: searching > 0 /* enough others do */
		fi
	}
search:	c = 0;
	do
	:: c < WORKERS ->
		atomic {
			if
			:: queue[c] > 0 -> queue[c]--; goto found
			:: queue[c] == 0 && c != me && request[c] == 0 && counted -> request[c] = ASKED; c++ /* in advance */
			:: queue[c] == 0 -> c++
			fi
		}
	:: else -> break
	od;
	atomic {
		if
		:: inbox > 0 -> inbox--; goto found
		:: else
		fi
	}
	/* nothing: idle_sleep */
	woken[me] = 0;
	atomic { FENCE; sleeping++; c = 0 }
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
	see_to_requests();
#ifndef NO_RECHECK
	c = 0;
	do
	:: c < WORKERS && queue[c] == 0 && (c != me || unseen[me] == 0) -> c++
	:: c < WORKERS && (queue[c] > 0 || (c == me && unseen[me] > 0)) -> goto stay
	:: c == WORKERS -> break
	od;
	if
	:: inbox > 0 -> goto stay
	:: inbox == 0
	fi;
#endif
sleep:	c = 0;
	asleep[me] = 1;
end_asleep:
	atomic { woken[me] -> asleep[me] = 0; counted = 1 }
	atomic { sleeping-- }
	goto search; /* the waker has counted us as searching */

stay:	atomic { /* take the own bit back; if it is gone, somebody is waking us */
		c = 0;
		if
		:: idle_mask & BIT(me) -> idle_mask = idle_mask & ~BIT(me)
		:: else -> goto sleep
		fi
	}
	atomic { searching++; counted = 1 }
	atomic { sleeping-- }
	goto search;

found:	atomic {
		c = 0;
		if
		:: counted -> FENCE; searching--; asked = (searching == 0); counted = 0
		:: else
		fi
	}
#ifndef NO_CHAIN
	if
	:: asked && sleeping == WORKERS - 1 ->
		/* all others sleep: a last look instead of waking one */
#ifndef NO_LOOK
		see_to_requests();
#ifndef LOOK_WITHOUT_INBOX
		asked = inbox > 0;
#else
		asked = 0;
#endif
		c = 0;
		do
		:: c < WORKERS -> asked = asked || queue[c] > 0 || (c == me && unseen[me] > 0); c++
		:: else -> break
		od;
		c = 0;
		if
		:: asked -> notify(c)
		:: else
		fi
#endif
	:: asked && sleeping != WORKERS - 1 -> notify(c)
	:: else
	fi;
#endif
	asked = 0;
	goto running;

end_computing:
	asked = 0; c = 0;
end_for_ever:
	false
}

proctype outside()
{
	byte me = WORKERS, c, left = SUBMITS;

	do
	:: left > 0 ->
		if
		:: atomic { left--; inbox++ } /* an exchange: a full barrier */
		:: atomic { request[0] == 0 -> left--; cut[0] = 1; unseen[0]++; goto silent } /* a section */
		:: atomic { request[0] != 0 -> left--; cut[0] = 1; queue[0] = queue[0] + unseen[0]; unseen[0] = 0; request[0] = 0 }
			unseen[0]++;
#ifndef NO_FENCE_BEHIND_PUSH
			atomic { queue[0] = queue[0] + unseen[0]; unseen[0] = 0 }
#endif
		fi;
		notify(c);
silent:
		skip
	:: else -> break
	od
}

proctype store_buffer(byte cpu)
{
end_drain:
	do
	:: atomic { unseen[cpu] > 0 -> unseen[cpu]--; queue[cpu]++ }
	od
}

active proctype property()
{
end_property:
	timeout ->
	assert(!(asleep[0] || asleep[1]
#if WORKERS > 2
		 || asleep[2]
#endif
		 ) ||
	       queue[0] + queue[1]
#if WORKERS > 2
			       + queue[2]
#endif
			       + inbox == 0)
}

init {
	byte w;

	atomic {
		do
		:: w < WORKERS -> run worker(w, w == 0); run store_buffer(w); w++
		:: else -> break
		od;
		run outside()
	}
}
