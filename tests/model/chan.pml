/* SPDX-License-Identifier: MIT */
/*
 * chan.pml - two channels, those who send, receive and select, and close
 * (core/chan).
 *
 * Up to four threads; A0 is what the first does at channel 0 (SEND or RECV), B1
 * what the second does at channel 1, and so on; a thread that has something to do
 * at both selects. Each does it ROUNDS times. CLOSE is a mask of channels that are
 * closed, at any moment. TIMED is a mask of threads that wait with a time-out,
 * which may come at any moment.
 *
 * That a sleeper's stack has been left before it can be found is wait.pml's. But
 * the hook that lets go of the locks is a process of its own: a select may be
 * woken before that has come to its end.
 *
 * A queue is a set, of threads; any that can be claimed may be the first. Elements
 * have numbers, one for each thread and round.
 *
 * Checked: what was sent is received once, or still in the buffer; what was not, is
 * not; nobody waits for ever; no waiter is left in a queue; the frame of a select
 * is there when it is touched.
 *
 * Seeds: NO_CLAIM, LOCKS_NOT_IN_ORDER, NOT_TAKEN_OFF, TAKEN_OFF_WITHOUT_LOCK,
 * HOOK_READS_LATE, WAKE_BEFORE_COPY, LOOK_THEN_WAIT, SLOT_NOT_REFILLED; with
 * CLOSE, CLOSE_FORGETS_SENDERS, CLOSE_FORGETS_RECEIVERS, SEND_AFTER_CLOSE.
 */
#define SEND 1
#define RECV 2
#ifndef A0
#define A0 0
#endif
#ifndef A1
#define A1 0
#endif
#ifndef B0
#define B0 0
#endif
#ifndef B1
#define B1 0
#endif
#ifndef C0
#define C0 0
#endif
#ifndef C1
#define C1 0
#endif
#ifndef D0
#define D0 0
#endif
#ifndef D1
#define D1 0
#endif
#ifndef CAPACITY0
#define CAPACITY0 0
#endif
#ifndef CAPACITY1
#define CAPACITY1 0
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef CLOSE
#define CLOSE 0
#endif
#ifndef TIMED
#define TIMED 0
#endif
#define THREADS 4
#define ELEMENTS (THREADS * ROUNDS)
#define NONE 15
#define BIT(g) (1 << (g))
#define IS(mask, g) (((mask) >> (g)) & 1)
#define CAPACITY(c) (CAPACITY0 * (1 - c) + CAPACITY1 * c)

/* channels */
bool lock[2], closed[2], filled[2];
byte buffer[2];
byte senders[2], receivers[2]; /* sets of threads */

/* threads */
bool frame[THREADS]; /* wait and waiters are there */
bool asleep[THREADS];
bool claimed[THREADS];
bool many[THREADS];
bool hook[THREADS];    /* has not let go of the last lock */
byte by[THREADS];      /* the channel whose waiter was claimed; NONE: time-out */
byte offers[THREADS];  /* the element */
byte mail[THREADS];    /* what was received */
byte result[THREADS];
#define OK 1
#define CLOSED 2 /* 0, or -EPIPE */
#define NOTHING 3 /* -EAGAIN */
#define TIMED_OUT 4
byte ended;

bool sent[ELEMENTS], received[ELEMENTS];

inline acquire(c)
{
	atomic { !lock[c] -> lock[c] = 1 }
}

#ifdef NO_CLAIM
#define CAN_CLAIM(g) true
#else
#define CAN_CLAIM(g) !(many[g] && claimed[g])
#endif

/* waitq_claim: peer, or NONE. Those that cannot be claimed are passed over. (A
 * macro, since an array can be no parameter of an inline.) */
#define CLAIM(set, c) \
	if \
	:: IS(set[c], 0) && CAN_CLAIM(0) -> peer = 0 \
	:: IS(set[c], 1) && CAN_CLAIM(1) -> peer = 1 \
	:: IS(set[c], 2) && CAN_CLAIM(2) -> peer = 2 \
	:: IS(set[c], 3) && CAN_CLAIM(3) -> peer = 3 \
	:: else -> peer = NONE \
	fi; \
	if \
	:: peer != NONE -> \
		assert(frame[peer]); \
		set[c] = set[c] & ~BIT(peer); claimed[peer] = 1; by[peer] = c \
	:: else \
	fi

inline wake(g, what)
{
	atomic { assert(frame[g] && asleep[g]); result[g] = what; asleep[g] = 0 }
}

/* Under the lock, so one step; r, and perhaps a peer. */
inline send_deal(c)
{
	if
#ifndef SEND_AFTER_CLOSE
	:: closed[c] -> r = CLOSED
	:: !closed[c] ->
#else
	:: true ->
#endif
		CLAIM(receivers, c);
		if
		:: peer != NONE -> r = OK
		:: peer == NONE && CAPACITY(c) > filled[c] -> buffer[c] = el; filled[c] = 1; r = OK
		:: else -> r = NOTHING
		fi
	fi
}

inline receive_deal(c)
{
	CLAIM(senders, c);
	if
	:: filled[c] ->
		e = buffer[c]; r = OK;
		if
		:: peer != NONE ->
#ifdef SLOT_NOT_REFILLED
			filled[c] = 0
#else
			buffer[c] = offers[peer]
#endif
		:: else -> filled[c] = 0
		fi
	:: !filled[c] && peer != NONE -> r = OK
	:: !filled[c] && peer == NONE && closed[c] -> r = CLOSED
	:: else -> r = NOTHING
	fi
}

/* chan_sent, chan_received: without the lock */
inline keep()
{
	if
	:: peer == NONE
	:: peer != NONE && op == SEND ->
#ifdef WAKE_BEFORE_COPY
		wake(peer, OK);
		atomic { assert(frame[peer]); mail[peer] = el };
#else
		atomic { assert(frame[peer]); mail[peer] = el };
		wake(peer, OK);
#endif
	:: peer != NONE && op == RECV ->
		atomic {
			if
			:: CAPACITY(c) == 0 -> assert(frame[peer]); e = offers[peer]
			:: else
			fi
		};
		wake(peer, OK)
	fi;
	peer = NONE
}

/* What came of it */
inline note(op)
{
	atomic {
		if
		:: op == SEND && r == OK -> sent[el] = 1
		:: op == RECV && r == OK -> assert(e < ELEMENTS && !received[e]); received[e] = 1
		:: else
		fi;
		e = NONE
	}
}

proctype thread(byte me; byte op0; byte op1)
{
	byte round, el, e = NONE, r, peer = NONE, c, op;
	byte untried; /* cases */

next:	if
	:: round == ROUNDS -> goto out
	:: else -> el = me * ROUNDS + round; round++
	fi;
	/* lock_all */
#ifdef LOCKS_NOT_IN_ORDER
	if
	:: me & 1 ->
		if
		:: op1 -> acquire(1)
		:: else
		fi;
		if
		:: op0 -> acquire(0)
		:: else
		fi;
		goto locked
	:: else
	fi;
#endif
	if
	:: op0 -> acquire(0)
	:: else
	fi;
	if
	:: op1 -> acquire(1)
	:: else
	fi;
locked:	/* do_ready; each case that is not ready is tried, and found to be so */
	untried = (op0 -> 1 : 0) | (op1 -> 2 : 0);
	do
	:: untried == 0 -> break
	:: else ->
		atomic {
			if
			:: untried & 1 -> c = 0; untried = untried & ~1
			:: untried & 2 -> c = 1; untried = untried & ~2
			fi;
			op = (c == 0 -> op0 : op1);
			if
			:: op == SEND ->
				if
				:: c == 0 -> send_deal(0)
				:: else -> send_deal(1)
				fi
			:: else ->
				if
				:: c == 0 -> receive_deal(0)
				:: else -> receive_deal(1)
				fi
			fi;
			if
			:: r == NOTHING
			:: else -> untried = 0; break
			fi
		}
	od;
	if
	:: r == NOTHING -> goto wait
	:: else
	fi;
	if
	:: op0 -> lock[0] = 0
	:: else
	fi;
	if
	:: op1 -> lock[1] = 0
	:: else
	fi;
	keep();
	note(op);
	atomic { r = 0; c = 0; op = 0; goto next }

wait:
#ifdef LOOK_THEN_WAIT
	if
	:: op0 -> lock[0] = 0
	:: else
	fi;
	if
	:: op1 -> lock[1] = 0
	:: else
	fi;
	if
	:: op0 -> acquire(0)
	:: else
	fi;
	if
	:: op1 -> acquire(1)
	:: else
	fi;
#endif
	atomic { /* wait_for_one */
		assert(!frame[me] && !hook[me]);
		frame[me] = 1; claimed[me] = 0; by[me] = NONE; offers[me] = el; mail[me] = NONE; r = 0; c = 0; op = 0;
		many[me] = (op0 && op1 || IS(TIMED, me));
		asleep[me] = 1;
		if
		:: op0 == SEND -> senders[0] = senders[0] | BIT(me)
		:: op0 == RECV -> receivers[0] = receivers[0] | BIT(me)
		:: else
		fi;
		if
		:: op1 == SEND -> senders[1] = senders[1] | BIT(me)
		:: op1 == RECV -> receivers[1] = receivers[1] | BIT(me)
		:: else
		fi;
		hook[me] = 1 /* it lets go of the locks */
	}
	if
	:: atomic { !asleep[me] -> r = result[me] }
	:: atomic { IS(TIMED, me) && asleep[me] && !claimed[me] -> claimed[me] = 1; asleep[me] = 0; r = TIMED_OUT }
	fi;
	/* leave: every queue but that in which it was claimed */
#ifndef NOT_TAKEN_OFF
	if
	:: op0 && by[me] != 0 ->
#ifndef TAKEN_OFF_WITHOUT_LOCK
		acquire(0);
#endif
		atomic { senders[0] = senders[0] & ~BIT(me); receivers[0] = receivers[0] & ~BIT(me) };
#ifndef TAKEN_OFF_WITHOUT_LOCK
		lock[0] = 0
#endif
	:: else
	fi;
	if
	:: op1 && by[me] != 1 ->
#ifndef TAKEN_OFF_WITHOUT_LOCK
		acquire(1);
#endif
		atomic { senders[1] = senders[1] & ~BIT(me); receivers[1] = receivers[1] & ~BIT(me) };
#ifndef TAKEN_OFF_WITHOUT_LOCK
		lock[1] = 0
#endif
	:: else
	fi;
#endif
	atomic {
		assert(!IS(senders[0] | senders[1] | receivers[0] | receivers[1], me));
		e = mail[me]; frame[me] = 0
	}
	if
	:: r == TIMED_OUT
	:: r != TIMED_OUT && by[me] == 0 -> note(op0)
	:: r != TIMED_OUT && by[me] == 1 -> note(op1)
	fi;
	atomic { r = 0; e = NONE; goto next }

out:	ended++
}

/* unlock_all, on the next thread's stack */
proctype hooks(byte g; byte op0; byte op1)
{
end_hooks:
	do
	:: hook[g] ->
		if
		:: op0 && op1 -> atomic { assert(frame[g]); lock[0] = 0 }; /* and it reads which is the next */
			assert(frame[g])
		:: op0 && !op1
		:: else
		fi;
		atomic { lock[(op1 -> 1 : 0)] = 0; hook[g] = 0 };
#ifdef HOOK_READS_LATE
		assert(frame[g])
#endif
	od
}

proctype closer(byte c)
{
	byte gone_senders, gone_receivers, peer = NONE;

	acquire(c);
	closed[c] = 1;
#ifndef CLOSE_FORGETS_RECEIVERS
	do /* claim_all */
	:: atomic {
			if
			:: c == 0 -> CLAIM(receivers, 0)
			:: else -> CLAIM(receivers, 1)
			fi;
			if
			:: peer == NONE -> break
			:: else -> gone_receivers = gone_receivers | BIT(peer); peer = NONE
			fi
		}
	od;
#endif
#ifndef CLOSE_FORGETS_SENDERS
	do
	:: atomic {
			if
			:: c == 0 -> CLAIM(senders, 0)
			:: else -> CLAIM(senders, 1)
			fi;
			if
			:: peer == NONE -> break
			:: else -> gone_senders = gone_senders | BIT(peer); peer = NONE
			fi
		}
	od;
#endif
	lock[c] = 0;
	do
	:: gone_receivers | gone_senders ->
		atomic {
			peer = 0;
			do
			:: IS(gone_receivers | gone_senders, peer) -> break
			:: else -> peer++
			od;
			gone_receivers = gone_receivers & ~BIT(peer); gone_senders = gone_senders & ~BIT(peer)
		};
		wake(peer, CLOSED)
	:: else -> break
	od;
	ended++
}

#define STARTED(x, y) ((x || y) -> 1 : 0)

active proctype property()
{
	byte e;

	timeout ->
	assert(ended == STARTED(A0, A1) + STARTED(B0, B1) + STARTED(C0, C1) + STARTED(D0, D1) +
			IS(CLOSE, 0) + IS(CLOSE, 1));
	do
	:: e < ELEMENTS ->
		assert(sent[e] == (received[e] || filled[0] && buffer[0] == e || filled[1] && buffer[1] == e));
		e++
	:: else -> break
	od
}

init {
	atomic {
		if
		:: A0 || A1 -> run thread(0, A0, A1); run hooks(0, A0, A1)
		:: else
		fi;
		if
		:: B0 || B1 -> run thread(1, B0, B1); run hooks(1, B0, B1)
		:: else
		fi;
		if
		:: C0 || C1 -> run thread(2, C0, C1); run hooks(2, C0, C1)
		:: else
		fi;
		if
		:: D0 || D1 -> run thread(3, D0, D1); run hooks(3, D0, D1)
		:: else
		fi;
		if
		:: IS(CLOSE, 0) -> run closer(0)
		:: else
		fi;
		if
		:: IS(CLOSE, 1) -> run closer(1)
		:: else
		fi
	}
}
