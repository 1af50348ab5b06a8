/* SPDX-License-Identifier: MIT */
/*
 * bias.pml - a word that leans on a CPU (rseq/bias.h): pthreads of that CPU,
 * which the kernel switches at any time, change it by sections; pthreads of
 * other CPUs take the lean off. The CPU has a store buffer of one word.
 *
 * As it is: the spin lock, which is let go of by a plain store. With WORD: the
 * form by bias_cas(), where one more pthread sets WAITERS while the word is
 * held, and whoever lets go of it must see that.
 *
 * Who holds it, alone, may let it lean again, LEANS_AGAIN times.
 *
 * Seeds: BIAS_NO_BARRIER, TWO_LEAVE, NO_RESTART, NO_FLUSH, STORE_TO_UNLOCK (with
 * WORD).
 */
#ifndef HERE
#define HERE 2 /* pthreads of the CPU that it leans on */
#endif
#ifndef THERE
#define THERE 2 /* pthreads elsewhere, a CPU each */
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef LEANS_AGAIN
#define LEANS_AGAIN 1
#endif

#define HELD 1
#define LEAVING 2
#define LEANS 4
#define WAITERS 8

byte memory = LEANS;
bool buffered; /* of the CPU that it leans on */
byte buffer;
byte current;  /* which of its pthreads it runs */
bool cut[HERE];
bool leaving;  /* the lock of those who take it off */
byte inside;
byte again = LEANS_AGAIN;
byte set, seen; /* WAITERS */
byte ended;
#ifdef WORD
#define ALL (HERE + THERE + 1)
#else
#define ALL (HERE + THERE)
#endif

#define view (buffered -> buffer : memory)

inline drain()
{
	if
	:: buffered -> memory = buffer; buffered = false
	:: else
	fi
}

inline barrier()
{
#ifdef BIAS_NO_BARRIER
	skip
#else
	atomic {
#ifndef NO_FLUSH
		drain();
#endif
#ifndef NO_RESTART
		cut[current] = true;
#endif
	}
#endif
}

/* From elsewhere: LEAVING, the barrier, `to`. */
inline take_off(from, to, ok)
{
	ok = false;
#ifndef TWO_LEAVE
	atomic { !leaving -> leaving = true };
#endif
	if
	:: atomic { memory == from -> memory = from | LEAVING };
		barrier();
		if
		:: atomic { memory == (from | LEAVING) -> memory = to; ok = true }
		:: else
		fi
	:: else
	fi;
#ifndef TWO_LEAVE
	leaving = false;
#endif
}

/* On the CPU: the section of a CAS. */
inline section(i, from, to, ok)
{
	ok = false;
	do
	:: atomic { current == i -> cut[i] = false };
		atomic { current == i -> t = view };
		if
		:: atomic { cut[i] } /* starts over */
		:: else ->
			if
			:: t != from -> break
			:: t == from ->
				if
				:: atomic { current == i && !cut[i] -> drain(); buffered = true; buffer = to; ok = true };
					break
				:: atomic { cut[i] }
				fi
			fi
		fi
	od
}

/* Either side's CAS on a word that may lean; `here` says which. */
inline cas(i, here, from, to, ok)
{
	ok = false;
	if
	:: (from & LEANS) && here -> section(i, from, to, ok)
	:: (from & LEANS) && !here -> take_off(from, from & ~LEANS, ok); ok = false
	:: else ->
		atomic {
			if
			:: here -> current == i; drain()
			:: else
			fi;
			if
			:: memory == from -> memory = to; ok = true
			:: else
			fi
		}
	fi
}

inline look(i, here, w)
{
	atomic {
		if
		:: here -> current == i; w = view
		:: else -> w = memory
		fi
	}
}

inline hold()
{
	inside++;
	assert(inside == 1);
	inside--
}

/* What the word becomes: once nothing but HELD is in it, it may lean again. */
inline unlocked(w, next)
{
	atomic {
		next = w & ~(HELD | WAITERS);
		if
		:: w == HELD && again > 0 -> again--; next = LEANS
		:: true
		fi
	}
}

inline lock(i, here)
{
	do
	:: look(i, here, w);
		if
		:: w & (HELD | LEAVING) ->
			/* waits; asking again would only be more of the same */
			if
			:: here -> !(view & (HELD | LEAVING))
			:: !here -> !(memory & (HELD | LEAVING))
			fi
		:: else ->
			if
#ifndef WORD
			:: (w & LEANS) && !here -> take_off(w, HELD, ok)
			:: else -> cas(i, here, w, w | HELD, ok)
#else
			:: true -> cas(i, here, w, w | HELD, ok)
#endif
			fi;
			if
			:: ok -> break
			:: else
			fi
		fi
	od
}

inline unlock(i, here)
{
#if defined(WORD) && !defined(STORE_TO_UNLOCK)
	do
	:: look(i, here, w);
		if
		:: w & LEAVING ->
			if
			:: here -> !(view & LEAVING)
			:: !here -> !(memory & LEAVING)
			fi
		:: else ->
			unlocked(w, next);
			cas(i, here, w, next, ok);
			if
			:: ok -> break
			:: else -> /* the lean that it did not get */
				if
				:: w == HELD && next == LEANS -> again++
				:: else
				fi
			fi
		fi
	od;
	if
	:: w & WAITERS -> seen++
	:: else
	fi
#else
	look(i, here, w);
	unlocked(w, next);
	if
	:: here -> atomic { current == i -> drain(); buffered = true; buffer = next }
	:: else -> memory = next
	fi;
	if
	:: w & WAITERS -> seen++
	:: else
	fi
#endif
}

proctype here(byte i)
{
	byte w, t, next, n;
	bool ok;

	for (n : 1 .. ROUNDS) {
		lock(i, true);
		hold();
		unlock(i, true);
	}
	ended++
}

proctype there(byte i)
{
	byte w, t, next, n;
	bool ok;

	for (n : 1 .. ROUNDS) {
		lock(i, false);
		hold();
		unlock(i, false);
	}
	ended++
}

#ifdef WORD
/* Once, while it is held; or never, when all have ended. */
proctype waiter()
{
	byte w, t;
	bool ok;

	do
	:: memory & HELD && !(memory & (LEAVING | WAITERS)) ->
		w = memory;
		if
		:: w & HELD && !(w & (LEAVING | WAITERS)) ->
			cas(0, false, w, w | WAITERS, ok);
			if
			:: ok -> set++; break
			:: else
			fi
		:: else
		fi
	:: ended == HERE + THERE -> break
	od;
	ended++
}
#endif

/* The kernel: another pthread on the CPU, or the buffer drains by itself. */
active proctype kernel()
{
	byte i;

	do
	:: atomic {
		ended < ALL ->
		drain();
		cut[current] = true;
		select(i : 0 .. HERE - 1);
		current = i
	}
	:: atomic { buffered -> drain() }
	:: atomic { ended == ALL && !buffered -> break }
	od;
	assert(!(memory & (HELD | LEAVING)));
	assert(set == seen)
}

init
{
	byte i;

	atomic {
		for (i : 0 .. HERE - 1) { run here(i) }
		for (i : 0 .. THERE - 1) { run there(i) }
#ifdef WORD
		run waiter();
#endif
	}
}
