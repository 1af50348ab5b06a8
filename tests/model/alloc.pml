/* SPDX-License-Identifier: MIT */
/*
 * alloc.pml - objects of one class (core/alloc): a pthread of CPU 0, with SECOND another, between which
 * the kernel switches at any time, and with REMOTE one of CPU 1, take and give them by their CPUs' lists,
 * whoever took them; the lists hand over to a depot and get from it; another pthread takes the lists from
 * outside, and gives back the memory of the page in which all objects lie. Each CPU has a store
 * buffer of one word.
 *
 * An object is had by one at a time; none is lost; the page is given back only when all
 * objects lie in the depot.
 *
 * Seeds: NO_BARRIER, NO_RESTART, NO_FLUSH, NO_FREEZE_CHECK, NO_CUT, NEXT_AFTER_GIVEN, NO_UNPARK,
 * COOL_UNLOCKED.
 */
#ifndef OBJECTS
#define OBJECTS 3
#endif
#ifndef ROUNDS
#define ROUNDS 2 /* calls of each pthread */
#endif
#ifndef TRIMS
#define TRIMS 1
#endif
#ifdef SECOND
#define SECONDS 1
#else
#define SECONDS 0
#endif
#ifdef REMOTE
#define REMOTES 1
#else
#define REMOTES 0
#endif
#define USERS (1 + SECONDS + REMOTES)
#define MOST 2 /* on a list */

#define cpu_of(i) (i / 2) /* 0, 0, 1 */

byte head[2], buffer[2]; /* 0: none; objects are 1 to OBJECTS */
bool buffered[2], frozen[2], cut[3];
byte current; /* who runs on CPU 0 */
byte next[OBJECTS + 1], depth[OBJECTS + 1];
bool held[OBJECTS + 1], inside[OBJECTS + 1], parked[OBJECTS + 1]; /* by a user; the depot; there */
byte n_parked;
byte ended;

#define runs(i) (cpu_of(i) == 1 || current == i)
#define view(c) (buffered[c] -> buffer[c] : head[c])

inline drain(c)
{
	if
	:: buffered[c] -> head[c] = buffer[c]; buffered[c] = false
	:: else
	fi
}

inline commit(i, value)
{
	if
#ifdef NO_CUT
	:: atomic { runs(i) -> drain(cpu_of(i)); buffered[cpu_of(i)] = true; buffer[cpu_of(i)] = value }; done = true
#else
	:: atomic { runs(i) && !cut[i] -> drain(cpu_of(i)); buffered[cpu_of(i)] = true; buffer[cpu_of(i)] = value };
		done = true
	:: atomic { cut[i] } /* starts over */
#endif
	fi
}

inline start(i)
{
	atomic { runs(i) -> cut[i] = false };
#ifdef NO_FREEZE_CHECK
	slow = false
#else
	atomic { runs(i) -> slow = frozen[cpu_of(i)] }
#endif
}

inline pop(i)
{
	done = false;
	do
	:: done -> break
	:: else ->
		start(i);
		if
		:: slow -> break
		:: else ->
			atomic { runs(i) -> h = view(cpu_of(i)) };
			if
			:: h == 0 -> break
			:: else ->
				atomic { runs(i) -> t = next[h] };
				commit(i, t)
			fi
		fi
	od
}

inline push(i)
{
	done = false;
	do
	:: done -> break
	:: else ->
		start(i);
		if
		:: slow -> break
		:: else ->
			atomic { runs(i) -> h = view(cpu_of(i)); t = (h -> depth[h] + 1 : 1) };
			if
			:: t > MOST -> break
			:: else ->
				atomic { runs(i) -> next[o] = h; depth[o] = t };
				commit(i, o)
			fi
		fi
	od
}

/* All of the list. */
inline take(i)
{
	done = false;
	do
	:: done -> break
	:: else ->
		start(i);
		if
		:: slow -> h = 0; break
		:: else ->
			atomic { runs(i) -> h = view(cpu_of(i)) };
			if
			:: h == 0 -> break
			:: else -> commit(i, 0)
			fi
		fi
	od
}

/* The depot's lock is held for each step of these. */
inline put_inside(x)
{
	atomic { assert(!inside[x] && !held[x]); inside[x] = true }
}

inline get_inside(x)
{
	atomic {
		if
		:: inside[1] -> x = 1
		:: inside[2] -> x = 2
		:: inside[OBJECTS] -> x = OBJECTS
		:: else -> x = 0
		fi;
		if
		:: x && parked[x] ->
#ifndef NO_UNPARK
			parked[x] = false; n_parked--;
#endif
			inside[x] = false
		:: x && !parked[x] -> inside[x] = false
		:: else
		fi
	}
}

inline give_chain(x)
{
	do
	:: x == 0 -> break
	:: else ->
#ifdef NEXT_AFTER_GIVEN
		put_inside(x);
		x = next[x]
#else
		t = next[x];
		put_inside(x);
		x = t
#endif
	od
}

inline alloc(i)
{
	pop(i);
	o = 0;
	if
	:: done -> o = h
	:: else -> get_inside(o)
	fi;
	if
	:: o -> atomic { assert(!held[o] && !inside[o]); held[o] = true }
	:: else
	fi
}

/* Of whoever holds it. */
inline free(i)
{
	o = 0;
	atomic {
		if
		:: held[1] -> o = 1
		:: held[2] -> o = 2
		:: held[OBJECTS] -> o = OBJECTS
		:: else
		fi;
		held[o] = false
	};
	if
	:: o ->
		push(i);
		if
		:: !done ->
			take(i);
			if
			:: done -> give_chain(h)
			:: else
			fi;
			put_inside(o)
		:: else
		fi
	:: else
	fi
}

proctype user(byte i)
{
	byte h, t, o, n;
	bool done, slow;

	for (n : 1 .. ROUNDS) {
		if
		:: alloc(i)
		:: free(i)
		fi
	}
	ended++
}

/* percpu_take_lists(), then depot_cool(). */
proctype trim()
{
	byte c, x, t, n;

	for (n : 1 .. TRIMS) {
		if
		:: c = 0
#ifdef REMOTE
		:: c = 1
#endif
		fi;
		frozen[c] = true;
#ifndef NO_BARRIER
		atomic {
#ifndef NO_FLUSH
			drain(c);
#endif
#ifndef NO_RESTART
			if
			:: c == 0 -> cut[current] = true
			:: else -> cut[2] = true
			fi
#endif
		}
#endif
		x = head[c];
		head[c] = 0;
		frozen[c] = false;
		give_chain(x);
		atomic {
			for (x : 1 .. OBJECTS) {
				if
				:: inside[x] && !parked[x] -> parked[x] = true; n_parked++
				:: else
				fi
			}
			t = n_parked
#ifdef COOL_UNLOCKED
		}
		atomic {
#else
			;
#endif
			if
			:: t == OBJECTS -> /* the page goes */
				for (x : 1 .. OBJECTS) { assert(inside[x]) }
			:: else
			fi;
			x = 0
		}
	}
	ended++
}

/* The kernel: another pthread on CPU 0, or a buffer drains by itself; in the end, where all objects are. */
active proctype kernel()
{
	byte x, n, c;

	do
	:: atomic { ended < USERS + 1 -> cut[current] = true; drain(0); current = SECONDS - current }
	:: atomic { buffered[0] -> drain(0) }
	:: atomic { buffered[1] -> drain(1) }
	:: atomic { ended == USERS + 1 && !buffered[0] && !buffered[1] -> break }
	od;
	atomic {
		for (x : 1 .. OBJECTS) { n = n + held[x] + inside[x] }
		for (c : 0 .. 1) {
			x = head[c];
			do
			:: x == 0 -> break
			:: else ->
				assert(!held[x] && !inside[x] && n < OBJECTS);
				n++;
				x = next[x]
			od
		}
		assert(n == OBJECTS)
	}
}

init
{
	atomic {
		inside[1] = true;
		next[2] = 3; depth[2] = 2; depth[3] = 1; head[0] = 2;
		run user(0);
#ifdef SECOND
		run user(1);
#endif
#ifdef REMOTE
		run user(2);
#endif
		run trim()
	}
}
