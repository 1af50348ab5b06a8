/* SPDX-License-Identifier: MIT */
/*
 * handoff.pml - the duty to schedule, given to spares and taken back
 * (core/sched/handoff.c, and what idle.c and loop.c do about it).
 *
 * The first SEATS workers hold a seat each, the others are spares. Worker 0 runs a
 * thread, the others look for something. Whoever runs one may push, come back from
 * a call (then it wants its seat again, if it has lost it), or stay in it for ever.
 * The monitor and a lookout take seats at any moment from whoever they saw running;
 * a pthread outside posts items, and makes threads ready that are pinned to any
 * worker. Where an item lies does not matter here (it does in idle.pml), so
 * there is but a count.
 *
 * The properties. Always: who gets a seat is the only one on it, and in no
 * list; no count goes below zero. When nothing moves any more: each seat has
 * its holder; each spare is listed; the counts of searchers, sleepers and
 * of those who have lost their seats are right; no item waits while a holder
 * sleeps; none waits that is pinned to a worker that sleeps, holder or spare.
 *
 * Everything that happens comes out of a budget, so a run that never ends
 * would be one in which workers keep each other busy: run.sh looks for that too.
 *
 * Seeds: see README.md.
 */
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef SEATS
#define SEATS 1
#endif
#ifndef CPUS
#define CPUS 1 /* 2: a seat each, and the third worker is a spare of the first */
#endif
#ifndef TAKES
#define TAKES 1 /* by the monitor */
#endif
#ifndef LOOKOUT
#define LOOKOUT 0 /* seats taken by the lookout, of the first CPU */
#endif
#ifndef RETURNS
#define RETURNS 1 /* from calls, by those who have lost their seats */
#endif
#ifndef PUSHES
#define PUSHES 0
#endif
#ifndef POSTS
#define POSTS 1
#endif
#ifndef PINS
#define PINS 0
#endif

#define HOLDS 0
#define LOST 1
#define SPARE 2

#define NOBODY WORKERS
#define BIT(w) (1 << (w))
#if CPUS > 1
#define HOME(w) ((w) == 1)
#define CPU_OF(seat) (seat)
#else
#define HOME(w) 0
#define CPU_OF(seat) 0
#endif

/* a worker's */
byte duty[WORKERS];
byte seat[WORKERS];
bool chosen[WORKERS], roused[WORKERS]; /* the futex */
bool dismissed[WORKERS];
bool counted[WORKERS];
bool listed[WORKERS];
bool base[WORKERS]; /* it runs no thread */
byte pinned[WORKERS];

byte holder[SEATS];
byte standby[CPUS];
bool request[CPUS];
byte items;
byte mask; /* who sleeps, and has not been chosen yet */
byte searching, sleeping, lost;

byte returns = RETURNS, pushes = PUSHES;
byte asleep[WORKERS]; /* for the property: 1 as a holder, 2 among spares */

inline one_less(what)
{
	atomic { assert(what > 0); what-- }
}

/* ---- idle.c ---- */

inline choose(w)
{
	mask & BIT(w) -> mask = mask & ~BIT(w); chosen[w] = 1; break
}

inline notify()
{
	do
	:: atomic {
			if
			:: sleeping > 0 && searching == 0 -> searching = 1
			:: else -> break
			fi
		};
		atomic {
			if
			:: choose(0)
			:: choose(1)
#if WORKERS > 2
			:: choose(2)
#endif
#if WORKERS > 3
			:: choose(3)
#endif
			:: else
			fi
		};
		atomic {
			searching--;
			if
			:: mask == 0 -> break
			:: else
			fi
		}
	od
}

/* idle_wake; in `took` whether it was asleep */
inline idle_wake(w)
{
	atomic {
		took = (mask & BIT(w)) != 0;
		mask = mask & ~BIT(w)
	};
	if
	:: took -> atomic { searching++; chosen[w] = 1 }
	:: else
	fi
}

inline rouse(w)
{
#ifdef ONE_WAKE
	chosen[w] = 1
#else
	roused[w] = 1
#endif
}

/* idle_search_end(w, true) */
inline search_end()
{
	atomic { assert(searching > 0); searching--; last = (searching == 0) };
	if
	:: last ->
#if SEATS > 1
		atomic {
			if
			:: sleeping == SEATS - 1 -> last_look(); last = took; took = 0
			:: else
			fi
		};
#endif
		if
		:: last -> last = 0; notify()
		:: else
		fi
	:: else
	fi
}

/* in `took` whether there is something; the barriers are idle.pml's */
inline last_look()
{
	atomic {
		request[0] = 1;
#if CPUS > 1
		request[1] = 1;
#endif
		took = items > 0
	}
}

/* idle_dismiss; in `took` whether it did */
inline dismiss(w, s)
{
	atomic {
		took = (mask & BIT(w)) != 0;
		mask = mask & ~BIT(w)
	};
	if
	:: took ->
#ifdef ONE_WAKE
		dismissed[w] = 1;
#endif
		cas(w, s, SPARE);
		if
		:: took ->
			atomic {
				assert(sleeping > 0); sleeping--;
#ifndef ONE_WAKE
				dismissed[w] = 1
#endif
			}
		:: else ->
			atomic {
#ifdef ONE_WAKE
				dismissed[w] = 0;
#endif
				searching++; chosen[w] = 1
			}
		fi
	:: else
	fi
}

/* HOLDS -> something: in `took` whether it did. The word has the seat in it. */
inline cas(w, s, to)
{
	atomic {
		took = duty[w] == HOLDS && seat[w] == s;
		if
		:: took -> duty[w] = to; lost = lost + (to == LOST)
		:: else
		fi
	}
}

/* ---- handoff.c ---- */

/* The list's lock is held: one step. */
inline list(w)
{
	atomic { assert(!listed[w] && duty[w] == SPARE); listed[w] = 1 }
}

inline spare_back(w)
{
	list(w);
#ifndef NO_LOOK_AT_PINNED
	if
	:: pinned[w] -> rouse(w)
	:: else
	fi
#endif
}

inline alone(w)
{
	assert(!listed[w] && standby[HOME(w)] != w &&
	       !(duty[0] == HOLDS && seat[0] == seat[w]) &&
#if WORKERS > 2
	       !(duty[2] == HOLDS && seat[2] == seat[w]) &&
#endif
#if WORKERS > 3
	       !(duty[3] == HOLDS && seat[3] == seat[w]) &&
#endif
	       !(duty[1] == HOLDS && seat[1] == seat[w]))
}

/* w has the seat s, and x becomes its holder; in `took` whether it did */
inline take(w, x, s)
{
	s = seat[w];
	cas(w, s, LOST);
	if
	:: took ->
		atomic { seat[x] = s; holder[s] = x };
		/* idle_call_to_duty */
#ifdef COUNTED_AFTER_DUTY
		atomic { alone(x); duty[x] = HOLDS; searching++ };
		counted[x] = 1;
#else
		atomic { counted[x] = 1; searching++ };
		atomic { alone(x); duty[x] = HOLDS };
#endif
		rouse(x);
		idle_wake(w);
		took = 1
	:: else
	fi
}

inline off_list(w)
{
	listed[w] && HOME(w) == CPU_OF(s) -> listed[w] = 0; x = w
}

/* handoff_spare */
inline spare()
{
	atomic {
		if
		:: off_list(0)
		:: off_list(1)
#if WORKERS > 2
		:: off_list(2)
#endif
#if WORKERS > 3
		:: off_list(3)
#endif
		:: else -> x = NOBODY
		fi
	}
}

inline put_on_standby(w)
{
	atomic {
		took = standby[HOME(w)] == NOBODY;
		if
		:: took -> standby[HOME(w)] = w
		:: else
		fi
	};
	if
	:: took ->
#ifndef NO_LOOK_AT_PINNED
		if
		:: pinned[w] -> rouse(w)
		:: else
		fi
#endif
	:: else -> spare_back(w)
	fi
}

/* A holder that was seen to run something, though that may be long ago. */
#define RUNS(n) (!(mask & BIT(holder[n])) && !base[holder[n]])
#if SEATS > 1
#define ANY_RUNS (RUNS(0) || RUNS(1))
#else
#define ANY_RUNS RUNS(0)
#endif
#if WORKERS > 3
#define ANY_LISTED (listed[0] || listed[1] || listed[2] || listed[3])
#elif WORKERS > 2
#define ANY_LISTED (listed[0] || listed[1] || listed[2])
#else
#define ANY_LISTED (listed[0] || listed[1])
#endif
#if CPUS > 1
#define ANY_LISTED_HERE (listed[0] || listed[2])
#else
#define ANY_LISTED_HERE ANY_LISTED
#endif

inline seen(n)
{
	RUNS(n) -> s = n; w = holder[n]
}

proctype monitor()
{
	byte left = TAKES, w, x = NOBODY, s;
	bool took;

end_monitor:
	do
	:: atomic { left > 0 && ANY_LISTED && ANY_RUNS ->
			if
			:: seen(0)
#if SEATS > 1
			:: seen(1)
#endif
			fi;
			left--
		};
		spare();
		if
		:: x != NOBODY ->
			take(w, x, s);
			if
			:: took
			:: else -> spare_back(x)
			fi
		:: else
		fi;
		atomic { w = 0; x = NOBODY; s = 0; took = 0 }
#if LOOKOUT > 0
	:: atomic { standby[0] == NOBODY && ANY_LISTED_HERE -> s = 0 }; /* handoff_stand_by */
		spare();
		if
		:: x != NOBODY -> put_on_standby(x)
		:: else
		fi;
		atomic { x = NOBODY; took = 0 }
#endif
	od
}

#if LOOKOUT > 0
#if CPUS > 1
#define ANY_RUNS_HERE RUNS(0)
#else
#define ANY_RUNS_HERE ANY_RUNS
#endif
proctype lookout()
{
	byte left = LOOKOUT, w, x = NOBODY, s;
	bool took;

end_lookout:
	do
	:: atomic { left > 0 && standby[0] != NOBODY && ANY_RUNS_HERE ->
			if
			:: seen(0)
#if SEATS > 1 && CPUS == 1
			:: seen(1)
#endif
			fi;
			left--
		};
		/* handoff_take_standby */
		atomic { x = standby[0]; standby[0] = NOBODY };
		if
		:: x != NOBODY ->
			take(w, x, s);
			if
			:: took
			:: else -> put_on_standby(x)
			fi
		:: else
		fi;
		atomic { w = 0; x = NOBODY; s = 0; took = 0 }
	od
}
#endif

/* ---- a worker ---- */

proctype worker(byte me)
{
	byte h;         /* whom it takes the seat back from */
	bool looks;     /* counts as a searcher */
	bool is_pinned; /* what it runs */
	bool last, took, asked;

	if
	:: !base[me] -> goto running
#ifdef COUNTED_AT_START
	:: atomic { base[me] -> looks = counted[me]; counted[me] = 0 }; goto loop
#else
	:: base[me] -> goto returning
#endif
	fi;

go:	base[me] = 0;
running:
	if
	:: atomic { pushes > 0 -> pushes--; items++; asked = request[HOME(me)]; request[HOME(me)] = 0 };
		if
		:: asked -> asked = 0; notify()
		:: else
		fi;
		goto running
	:: atomic { duty[me] != HOLDS && returns > 0 -> returns--; h = holder[seat[me]] }; goto go_on
	/* it ends, or waits: the next is taken from its stack, or by the loop */
	:: atomic { duty[me] == HOLDS && items > 0 -> items--; is_pinned = 0 }; goto running
	:: atomic { is_pinned = 0; base[me] = 1 }; goto loop
	:: atomic { is_pinned = 0; goto stuck }
	fi;

go_on:	/* handoff_go_on: regain */
	dismiss(h, seat[me]);
	if
	:: took -> spare_back(h)
	:: else ->
		if
		:: !(mask & BIT(h)) && base[h]
		:: else -> goto queue
		fi;
		cas(h, seat[me], LOST);
		if
		:: took -> idle_wake(h)
		:: else -> goto queue
		fi
	fi;
	holder[seat[me]] = me;
	atomic { h = 0; took = 0; alone(me); duty[me] = HOLDS; lost--; goto running };

queue:	atomic {
		h = 0; took = 0;
		if
		:: is_pinned -> goto running
		:: else -> base[me] = 1; items++
		fi
	};
	notify();

loop:	/* sched_loop */
	atomic {
		if
		:: duty[me] != HOLDS && !looks -> goto returning
		:: duty[me] != HOLDS && looks -> looks = 0
		:: duty[me] == HOLDS && !looks && items > 0 -> items--; goto go
		:: duty[me] == HOLDS && !looks && pinned[me] -> pinned[me]--; is_pinned = 1; goto go
		:: else -> goto search
		fi
	};
#ifndef SEARCHING_FORGOTTEN
	search_end();
#endif
	goto returning;

search:	atomic {
		if
		:: duty[me] != HOLDS && !looks -> goto loop
		:: duty[me] != HOLDS && looks -> looks = 0
		/* idle_search_begin */
		:: duty[me] == HOLDS && looks -> goto look
		:: duty[me] == HOLDS && !looks -> searching++; looks = 1; goto look
		:: duty[me] == HOLDS && !looks && searching > 0 -> goto look /* enough others do */
		fi
	};
	search_end();
	goto loop;

look:	atomic {
		if
		:: items > 0 -> items--; goto found /* at home, or elsewhere without a look at the duty */
		:: pinned[me] && duty[me] == HOLDS -> pinned[me]--; is_pinned = 1; goto found
		:: else
		fi
	};
	/* idle_sleep */
	atomic { chosen[me] = 0; roused[me] = 0; sleeping++; mask = mask | BIT(me) };
	atomic {
		if
		:: looks -> assert(searching > 0); searching--; looks = 0
		:: else
		fi;
		last = searching == 0
	};
	if
	:: last -> last = 0; last_look()
	:: else
	fi;
	atomic {
#ifndef SLEEP_THOUGH_CALLED
		took = took || pinned[me] > 0 || duty[me] != HOLDS;
#endif
		if
		:: !took -> asleep[me] = 1; goto end_asleep
		:: took && !(mask & BIT(me)) -> took = 0
		:: took && (mask & BIT(me)) ->
			took = 0;
			mask = mask & ~BIT(me);
			searching++; looks = 1;
			sleeping--;
			goto search
		fi
	};
	/* the bit is gone: chosen, or dismissed */
#ifndef NO_NOTIFY_WHEN_DISMISSED
	notify();
#endif
	asleep[me] = 1;

end_asleep:
#ifdef ONE_WAKE
	atomic { chosen[me] -> asleep[me] = 0 };
	atomic {
		if
		:: mask & BIT(me) -> mask = mask & ~BIT(me); took = 1
		:: else
		fi
	};
	if
	:: took -> took = 0; searching++
	:: else
	fi;
#else
	if
	:: atomic { chosen[me] -> asleep[me] = 0 }
	:: atomic { roused[me] -> roused[me] = 0; asleep[me] = 0 };
#ifndef ROUSED_IS_CHOSEN
		atomic {
			if
			:: dismissed[me]
			:: else -> asleep[me] = 1; goto end_asleep
			fi
		}
#endif
	fi;
#endif
	atomic {
		if
		:: dismissed[me] -> dismissed[me] = 0
		:: else -> assert(sleeping > 0); sleeping--; looks = 1; goto search
		fi
	};

#ifdef COUNTED_IN_SLEEP
	atomic { looks = counted[me]; counted[me] = 0; goto search };
#endif

returning: /* handoff_return */
	if
	:: duty[me] == HOLDS ->
		atomic { looks = counted[me]; counted[me] = 0; goto search_or_loop }
	:: duty[me] == LOST
	:: duty[me] == SPARE -> goto be_spare
	fi;
#ifndef NO_COUNTED_WHEN_LOST
	atomic { took = counted[me]; counted[me] = 0 };
	if
	:: took -> took = 0; search_end()
	:: else
	fi;
#endif
	atomic {
		if
		:: pinned[me] -> pinned[me]--; is_pinned = 1; goto go
		:: else -> chosen[me] = 0; roused[me] = 0
		fi
	};
	atomic { duty[me] = SPARE; assert(lost > 0); lost-- };
	list(me);
	goto returning;

be_spare: atomic {
		if
		:: pinned[me]
		:: else -> asleep[me] = 2; goto end_spare
		fi
	};
	atomic { /* leave_spares: either is one step, and it is in one of them at most */
		if
		:: listed[me] -> listed[me] = 0
		:: standby[HOME(me)] == me -> standby[HOME(me)] = NOBODY
		:: else -> asleep[me] = 2; goto end_spare
		fi
	};
	atomic { duty[me] = LOST; lost++ };
	goto returning;
end_spare:
	atomic { chosen[me] || roused[me] -> chosen[me] = 0; roused[me] = 0; asleep[me] = 0 };
	goto returning;

search_or_loop:
	atomic {
		if
		:: duty[me] == HOLDS -> goto search
		:: else -> goto loop
		fi
	};

found:	atomic {
		if
		:: !looks -> goto go
		:: else -> looks = 0
		fi
	};
	search_end();
	goto go;

stuck:
end_for_ever:
	false
}

proctype outside()
{
	byte posts = POSTS, pins = PINS, w;
	bool took;

end_outside:
	do
	:: atomic { posts > 0 -> posts--; items++ };
		notify()
	:: atomic { pins > 0 -> pins--;
			if
			:: w = 0
			:: w = 1
#if WORKERS > 2
			:: w = 2
#endif
#if WORKERS > 3
			:: w = 3
#endif
			fi;
			pinned[w]++
		};
		/* ready_pinned */
		idle_wake(w);
		if
		:: !took && duty[w] == SPARE -> rouse(w)
		:: else
		fi;
		atomic { w = 0; took = 0 }
	od
}

active proctype property()
{
	byte w, holders, sleepers, losers;

end_property:
	timeout ->
	atomic {
		do
		:: w < WORKERS ->
			if
			:: duty[w] == HOLDS ->
				holders++;
				assert(holder[seat[w]] == w && !listed[w] && standby[HOME(w)] != w);
				sleepers = sleepers + (asleep[w] == 1);
				assert(asleep[w] != 2 && (!asleep[w] || items == 0))
			:: duty[w] == LOST -> losers++; assert(!asleep[w])
			:: duty[w] == SPARE -> assert(asleep[w] && listed[w] + (standby[HOME(w)] == w) == 1)
			fi;
			assert(!asleep[w] || pinned[w] == 0);
			w++
		:: else -> break
		od;
		assert(holders == SEATS);
		assert(sleeping == sleepers);
		assert(lost == losers);
		assert(searching == 0)
	}
}

init {
	byte w;

	atomic {
		do
		:: w < WORKERS ->
			if
			:: w < SEATS -> holder[w] = w; seat[w] = w
			:: else -> duty[w] = SPARE; listed[w] = 1
			fi;
			base[w] = (w > 0);
			w++
		:: else -> break
		od;
		standby[0] = NOBODY;
		w = 0;
		do
		:: w < WORKERS -> run worker(w); w++
		:: else -> break
		od;
#if CPUS > 1
		standby[1] = NOBODY;
#endif
		run monitor();
#if LOOKOUT > 0
		run lookout();
#endif
		run outside()
	}
}
