/* SPDX-License-Identifier: MIT */
/*
 * ring.pml - the run queue of one CPU (rseq/ring.h, rseq/section.h): workers
 * on that CPU push, pop, publish and take back; thieves elsewhere steal and
 * force. Runs of any length: an item that was taken is pushed again.
 *
 * Two things of the machine are modelled, because the protocol stands on them:
 *
 *   inside  whose section is in progress on the CPU. It may be cut at any step;
 *         only then, or at its end, can another worker's begin. A membarrier
 *         cuts it too. What was cut starts anew, as any operation may.
 *   sb      the CPU's store buffer (x86-TSO): what sections store is seen here at
 *         once, and elsewhere later, in order. A locked instruction and a
 *         membarrier wait until it is empty. (So does a context switch; the
 *         model lets it be, which allows more, not less.)
 *
 * Two things are ideal. The version never wraps: a CAS fails when any CAS that
 * takes the next version succeeded since its word was read (!fresh[]). And
 * positions are counted from head, so that head is always 0 and states that
 * differ only by how far the ring has turned are one; when a thief moves head
 * by n, n is taken off every position that anybody holds (turn).
 *
 * Seeds: NO_BARRIER, NO_RESTART_BY_BARRIER, NO_FLUSH_BY_BARRIER, NO_RESTART,
 * NO_FREEZE_CHECK, NO_VERSION, NO_ROOM_CHECK.
 */
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef THIEVES
#define THIEVES 1
#endif
#ifndef ITEMS
#define ITEMS 3
#endif
#ifndef BUFFER
#define BUFFER 2
#endif

#define CAPACITY 4
#define PLUS(p, n) (((p) + (n)) & 7) /* so that a seeded bug stays in range */
#define MINUS(p, n) (((p) - (n)) & 7)
#define SLOT(p) ((p) & (CAPACITY - 1))
#define HALF_UP(n) (((n) + 1) / 2)
#define NONE WORKERS
#define EMPTY ITEMS

/* memory, as every other CPU sees it */
byte split, tail;
byte slot[CAPACITY];
bool frozen;
/* the same, as this CPU sees it */
byte own_tail, own_slot[CAPACITY];
#define OWN_SPLIT (sb_splits -> sb_split : split)
/* the store buffer, oldest first */
#define TO_SLOT 1
#define TO_TAIL 2
#define TO_SPLIT 3
byte sb_kind[BUFFER], sb_position[BUFFER], sb_item[BUFFER];
byte sb_used, sb_splits, sb_split;
#define SB_EMPTY (sb_used == 0)
#define SB_ROOM (sb_used < BUFFER)

byte inside = NONE;
bool cut; /* by a membarrier, and has not noticed yet */
byte t[WORKERS], s[WORKERS]; /* tail and split as a section read them */
#define UNUSED 15
bool fresh[WORKERS + THIEVES]; /* has read the word, and its version is still the same */
byte busy; /* operations in progress */

/* where each item is by rights */
#define FREE 0
#define HELD 1 /* by a push that has not committed */
#define QUEUED 2
byte where[ITEMS];

byte i, n, x; /* scratch of atomic steps, 0 between them */

inline store(kind, position, item)
{
	sb_kind[sb_used] = kind; sb_position[sb_used] = position; sb_item[sb_used] = item;
	sb_used++
}

inline drain_one()
{
	if
	:: sb_kind[0] == TO_SLOT -> slot[SLOT(sb_position[0])] = sb_item[0]
	:: sb_kind[0] == TO_TAIL ->
		if
		:: sb_position[0] < tail -> slot[SLOT(sb_position[0])] = EMPTY
		:: else
		fi;
		tail = sb_position[0]
	:: sb_kind[0] == TO_SPLIT -> split = sb_position[0]; sb_splits--;
		if
		:: sb_splits == 0 -> sb_split = 0
		:: else
		fi
	fi;
	sb_used--;
	i = 0;
	do
	:: i < sb_used ->
		sb_kind[i] = sb_kind[i + 1]; sb_position[i] = sb_position[i + 1]; sb_item[i] = sb_item[i + 1];
		i++
	:: else -> break
	od;
	sb_kind[i] = 0; sb_position[i] = 0; sb_item[i] = 0;
	i = 0
}

/* A CAS on {head, split, version} has succeeded. */
inline next_version()
{
	i = 0;
	do
	:: i < WORKERS + THIEVES -> fresh[i] = 0; i++
	:: else -> i = 0; break
	od
}

/* Head has moved by one. (A slot that was taken from is emptied here and in pop:
 * nothing may depend on what is left in it.) */
inline turn()
{
	slot[0] = EMPTY; own_slot[0] = EMPTY;
	x = slot[0];
	slot[0] = slot[1]; slot[1] = slot[2]; slot[2] = slot[3]; slot[3] = x;
	x = own_slot[0];
	own_slot[0] = own_slot[1]; own_slot[1] = own_slot[2]; own_slot[2] = own_slot[3]; own_slot[3] = x;
	x = 0;
	tail = MINUS(tail, 1); own_tail = MINUS(own_tail, 1);
	split = MINUS(split, 1);
	if
	:: sb_splits -> sb_split = MINUS(sb_split, 1)
	:: else
	fi;
	i = 0;
	do
	:: i < sb_used -> sb_position[i] = MINUS(sb_position[i], 1); i++
	:: else -> i = 0; break
	od;
	do
	:: i < WORKERS ->
		t[i] = (t[i] == UNUSED -> UNUSED : MINUS(t[i], 1));
		s[i] = (s[i] == UNUSED -> UNUSED : MINUS(s[i], 1));
		i++
	:: else -> i = 0; break
	od
}

inline consume(item)
{
	assert(item < ITEMS);           /* else the slot was empty */
	assert(where[item] == QUEUED); /* else it was taken twice, or never pushed */
	where[item] = FREE
}

#ifdef NO_FREEZE_CHECK
#define FROZEN_SEEN false
#else
#define FROZEN_SEEN frozen
#endif
/* A section's first step looks at the flags; each further step may find itself
 * cut, or waits for its guard. */
#ifdef NO_RESTART
#define BEGIN_SECTION !FROZEN_SEEN
#define STEP(guard, restart) guard
#define LEAVE_SECTION skip
#else
#define BEGIN_SECTION inside == NONE && !FROZEN_SEEN -> inside = me
#define STEP(guard, restart) \
	if \
	:: !cut && (guard) \
	:: goto restart \
	fi
#define LEAVE_SECTION \
	if \
	:: inside == me -> inside = NONE; cut = 0 \
	:: else \
	fi
#endif

proctype worker(byte me)
{
	byte item, was;
	bool moved;

end_idle:
	atomic {
		BEGIN_SECTION;
		busy++;
		if
		:: /* push: the first item that is free */
			do
			:: item < ITEMS && where[item] != FREE -> item++
			:: else -> break
			od;
			if
			:: item == ITEMS -> goto done
			:: else -> where[item] = HELD; goto push
			fi
		:: goto pop
		:: goto publish
		fi
	}

push:	atomic {
		STEP(true, push_nothing);
		t[me] = own_tail;
#ifndef NO_ROOM_CHECK
		if
		:: own_tail >= CAPACITY -> goto push_nothing
		:: else
		fi
#endif
	}
	atomic {
		STEP(SB_ROOM, push_nothing);
		d_step {
			store(TO_SLOT, t[me], item);
			own_slot[SLOT(t[me])] = item
		}
	}
	atomic { /* COMMIT */
		STEP(SB_ROOM, push_nothing);
		d_step {
			own_tail = PLUS(t[me], 1);
			store(TO_TAIL, own_tail, 0);
			where[item] = QUEUED
		};
		goto done
	}
push_nothing:
	atomic { where[item] = FREE; goto done }

pop:	atomic {
		STEP(true, done);
		t[me] = own_tail;
		if
		:: t[me] == OWN_SPLIT -> goto take_back
		:: else
		fi
	}
	atomic {
		STEP(true, done);
		item = own_slot[SLOT(t[me] - 1)]
	}
	atomic { /* COMMIT */
		STEP(SB_ROOM, done);
		d_step {
			own_tail = MINUS(t[me], 1);
			store(TO_TAIL, own_tail, 0);
			own_slot[SLOT(own_tail)] = EMPTY;
			consume(item)
		};
		goto done
	}

take_back: /* not a section; the worker may even have been moved to another CPU */
	atomic {
		LEAVE_SECTION;
		t[me] = UNUSED
	}
	atomic {
		if
		:: was = OWN_SPLIT
		:: moved = 1; was = split
		fi;
		fresh[me] = 1;
		if
		:: was == 0 -> goto done
		:: else
		fi
	}
	atomic { /* the CAS */
		moved || SB_EMPTY;
		if
		:: fresh[me] && split == was ->
			split = was / 2;
#ifndef NO_VERSION
			next_version()
#endif
		:: else
		fi;
		goto done
	}

publish: atomic {
		STEP(true, done);
		t[me] = own_tail; s[me] = OWN_SPLIT;
		if
		:: t[me] == s[me] -> goto done
		:: else
		fi
	}
	atomic { /* COMMIT */
		STEP(SB_ROOM, done);
		d_step {
			sb_split = PLUS(s[me], HALF_UP(MINUS(t[me], s[me])));
			store(TO_SPLIT, sb_split, 0);
			sb_splits++
		};
		goto done
	}

done:	atomic {
		LEAVE_SECTION;
		item = 0; was = 0; moved = 0; t[me] = UNUSED; s[me] = UNUSED; fresh[me] = 0;
		busy--;
		goto end_idle
	}
}

proctype thief(byte me)
{
	byte was, end, first, second; /* split, tail and items as read */

end_idle:
	atomic {
		if
		:: busy++
		:: !frozen -> frozen = 1; busy++; goto force
		fi
	}

	/* steal */
	atomic {
		was = split; fresh[me] = 1;
		if
		:: was == 0 -> goto done
		:: else
		fi
	}
	first = slot[0];
	atomic {
		if
		:: was > 2 -> second = slot[1]
		:: else
		fi
	}
	atomic { /* the CAS */
		if
		:: fresh[me] && split == was ->
			consume(first);
			turn();
			if
			:: was > 2 -> consume(second); turn()
			:: else
			fi;
			next_version()
		:: else
		fi;
		goto done
	}

force:
#ifndef NO_BARRIER
	atomic { /* membarrier on that CPU */
#ifndef NO_FLUSH_BY_BARRIER
		do
		:: sb_used > 0 -> drain_one()
		:: else -> break
		od;
#endif
#ifndef NO_RESTART_BY_BARRIER
		cut = (inside != NONE)
#endif
	}
#endif
raise:	atomic { was = split; fresh[me] = 1 }
	atomic {
		/* not fresh: the CAS would fail, and what was read is counted from another head */
		if
		:: !fresh[me] -> goto raise
		:: fresh[me] && tail == was -> goto unfreeze
		:: else -> end = tail; assert(MINUS(end, was) <= CAPACITY)
		fi
	}
	atomic { /* the CAS */
		if
		:: fresh[me] && split == was ->
			split = PLUS(was, HALF_UP(MINUS(end, was)));
			next_version()
		:: else -> goto raise
		fi
	}
unfreeze:
	frozen = 0;
done:	atomic { was = 0; end = 0; first = 0; second = 0; fresh[me] = 0; busy--; goto end_idle }
}

proctype store_buffer()
{
end_drain:
	do
	:: d_step { sb_used > 0 -> drain_one() }
	od
}

/* Whenever nothing is in progress, the ring holds what is queued, each once. */
proctype audit()
{
end_audit:
	do
	:: d_step {
		busy == 0 && SB_EMPTY ->
		assert(split <= tail && tail <= CAPACITY);
		i = 0; n = 0;
		do
		:: i < ITEMS ->
			assert(where[i] != HELD);
			n = n + (where[i] == QUEUED -> 1 : 0); i++
		:: else -> break
		od;
		assert(n == tail); /* else one was lost, or is there twice */
		i = 0; n = 0;
		do
		:: i < tail ->
			assert(slot[i] < ITEMS && where[slot[i]] == QUEUED && !(n & (1 << slot[i])));
			n = n | (1 << slot[i]); i++
		:: else -> break
		od;
		i = 0; n = 0
	}
	od
}

init {
	atomic {
		i = 0;
		do
		:: i < CAPACITY -> slot[i] = EMPTY; own_slot[i] = EMPTY; i++
		:: else -> i = 0; break
		od;
		run store_buffer();
		run audit();
		do
		:: i < WORKERS -> t[i] = UNUSED; s[i] = UNUSED; run worker(i); i++
		:: i >= WORKERS && i < WORKERS + THIEVES -> run thief(i); i++
		:: else -> i = 0; break
		od
	}
}
