/* SPDX-License-Identifier: MIT */
/*
 * ring.pml - the run queue of one CPU (rseq/ring.h, rseq/section.h): workers
 * on that CPU push, pop, publish and take back; thieves elsewhere steal and
 * force. Runs of any length: an item that was taken is pushed again.
 *
 * Two things of the machine are modelled, because the protocol stands on them:
 *
 *   cur   who is on the CPU. A section goes on only while that is still its own
 *         worker; another worker's step, or a membarrier (cur = NONE), cuts it.
 *   sb    the CPU's store buffer (x86-TSO): what sections store is seen here at
 *         once, and elsewhere later, in order. A locked instruction, a context
 *         switch and a membarrier wait until it is empty.
 *
 * The version is ideal: a CAS fails when any CAS that takes the next version
 * succeeded since its word was read (stale[]), as if it never wrapped.
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
#define POSITIONS 8 /* a position is kept modulo this, as modulo 2^16 in the code */
#define PLUS(p, n) (((p) + (n)) & (POSITIONS - 1))
#define LENGTH(from, to) (((to) - (from)) & (POSITIONS - 1))
#define SLOT(p) ((p) & (CAPACITY - 1))

#define NONE WORKERS
#define IN_TAIL CAPACITY /* what an entry of the store buffer is for; below: a slot */
#define IN_SPLIT (CAPACITY + 1)

/* memory, as every CPU but this one sees it */
byte head, split, tail;
byte slot[CAPACITY];
bool frozen;
/* the same, as this CPU sees it */
byte own_tail, own_split;
byte own_slot[CAPACITY];
byte splits_in_buffer;
chan sb = [BUFFER] of { byte, byte };
byte cur = NONE;

bool stale[WORKERS + THIEVES];

/* each item: where it is by rights */
#define FREE 0
#define HELD 1 /* by a push that has not committed */
#define QUEUED 2
byte where[ITEMS];
byte busy; /* operations in progress */

byte k, v, i, n, seen; /* scratch of atomic steps, 0 between them */

#define OWN_SPLIT (splits_in_buffer -> own_split : split)

inline drain_one()
{
	sb?k, v;
	if
	:: k < CAPACITY -> slot[k] = v
	:: k == IN_TAIL -> tail = v
	:: k == IN_SPLIT -> split = v; splits_in_buffer--;
		if
		:: splits_in_buffer == 0 -> own_split = 0
		:: else
		fi
	fi;
	k = 0; v = 0
}

/* A CAS on {head, split, version} has succeeded. */
inline next_version()
{
	i = 0;
	do
	:: i < WORKERS + THIEVES -> stale[i] = 1; i++
	:: else -> i = 0; break
	od
}

inline consume(item)
{
	assert(where[item] == QUEUED); /* else it was taken twice, or never pushed */
	where[item] = FREE
}

/* First step of a section, and of slow code: be on the CPU. A context switch
 * empties the store buffer. */
#define GET_CPU (cur == me || empty(sb)) -> cur = me
/* Each further step of a section begins by this. */
#ifdef NO_RESTART
#define ELSE_RESTART_AT(top) if :: cur == me || empty(sb) -> cur = me fi
#define STORE_ELSE_RESTART_AT(top) if :: (cur == me && nfull(sb)) || empty(sb) -> cur = me fi
#else
#define ELSE_RESTART_AT(top) if :: cur != me -> goto top :: cur == me fi
#define STORE_ELSE_RESTART_AT(top) if :: cur != me -> goto top :: cur == me && nfull(sb) fi
#endif
#ifdef NO_FREEZE_CHECK
#define FROZEN_SEEN false
#else
#define FROZEN_SEEN frozen
#endif

proctype worker(byte me)
{
	byte item, t, h, s;
	bool moved;

end_idle:
	atomic {
		item = 0; t = 0; h = 0; s = 0; moved = 0; stale[me] = 0;
		if
		:: /* push: the first item that is free */
			do
			:: item < ITEMS && where[item] != FREE -> item++
			:: else -> break
			od;
			if
			:: item == ITEMS -> item = 0; goto end_idle
			:: else -> where[item] = HELD; busy++; goto push
			fi
		:: busy++; goto pop
		:: busy++; goto publish
		fi
	}

push:	atomic {
		GET_CPU;
		if
		:: FROZEN_SEEN -> where[item] = FREE; goto done
		:: else
		fi
	}
	atomic {
		ELSE_RESTART_AT(push);
		t = own_tail;
#ifndef NO_ROOM_CHECK
		if
		:: LENGTH(head, t) >= CAPACITY -> where[item] = FREE; goto done
		:: else
		fi
#endif
	}
	atomic {
		STORE_ELSE_RESTART_AT(push);
		sb!SLOT(t), item; own_slot[SLOT(t)] = item
	}
	atomic { /* COMMIT */
		STORE_ELSE_RESTART_AT(push);
		sb!IN_TAIL, PLUS(t, 1); own_tail = PLUS(t, 1);
		where[item] = QUEUED;
		goto done
	}

pop:	atomic {
		GET_CPU;
		if
		:: FROZEN_SEEN -> goto done
		:: else
		fi
	}
	atomic {
		ELSE_RESTART_AT(pop);
		t = own_tail;
		if
		:: t == OWN_SPLIT -> t = 0; goto take_back
		:: else
		fi
	}
	atomic {
		ELSE_RESTART_AT(pop);
		item = own_slot[SLOT(t - 1)]
	}
	atomic { /* COMMIT */
		STORE_ELSE_RESTART_AT(pop);
		sb!IN_TAIL, PLUS(t, POSITIONS - 1); own_tail = PLUS(t, POSITIONS - 1);
		consume(item);
		goto done
	}

take_back: /* not a section; perhaps on another CPU by now */
	atomic {
		if
		:: GET_CPU; s = OWN_SPLIT
		:: moved = 1; s = split
		fi;
		h = head; stale[me] = 0;
		if
		:: LENGTH(h, s) == 0 -> goto done
		:: else
		fi
	}
	atomic { /* the CAS */
		if
		:: !moved && empty(sb) -> cur = me
		:: moved
		fi;
		if
		:: !stale[me] && head == h && split == s ->
			split = PLUS(h, LENGTH(h, s) / 2);
#ifndef NO_VERSION
			next_version()
#endif
		:: else
		fi;
		goto done
	}

publish: atomic {
		GET_CPU;
		if
		:: FROZEN_SEEN -> goto done
		:: else
		fi
	}
	atomic {
		ELSE_RESTART_AT(publish);
		t = own_tail; s = OWN_SPLIT;
		if
		:: t == s -> goto done
		:: else
		fi
	}
	atomic { /* COMMIT */
		STORE_ELSE_RESTART_AT(publish);
		own_split = PLUS(s, (LENGTH(s, t) + 1) / 2);
		sb!IN_SPLIT, own_split; splits_in_buffer++
	}

done:	atomic { busy--; goto end_idle }
}

proctype thief(byte me)
{
	byte h, s, t, first, second;

end_idle:
	atomic {
		h = 0; s = 0; t = 0; first = 0; second = 0; stale[me] = 0;
		if
		:: busy++
		:: !frozen -> frozen = 1; busy++; goto force
		fi
	}

	/* steal */
	atomic {
		h = head; s = split; stale[me] = 0;
		if
		:: h == s -> goto done
		:: else
		fi
	}
	first = slot[SLOT(h)];
	atomic {
		if
		:: LENGTH(h, s) > 2 -> second = slot[SLOT(h + 1)]
		:: else
		fi
	}
	atomic { /* the CAS */
		if
		:: !stale[me] && head == h && split == s ->
			head = PLUS(h, (LENGTH(h, s) + 1) / 2);
			consume(first);
			if
			:: LENGTH(h, s) > 2 -> consume(second)
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
		:: len(sb) > 0 -> drain_one()
		:: len(sb) == 0 -> break
		od;
#endif
#ifndef NO_RESTART_BY_BARRIER
		cur = NONE
#endif
	}
#endif
raise:	atomic { h = head; s = split; stale[me] = 0 }
	atomic {
		t = tail;
		if
		:: t == s -> goto unfreeze
		:: else -> assert(LENGTH(s, t) <= CAPACITY)
		fi
	}
	atomic { /* the CAS */
		if
		:: !stale[me] && head == h && split == s ->
			split = PLUS(s, (LENGTH(s, t) + 1) / 2);
			next_version()
		:: else -> goto raise
		fi
	}
unfreeze:
	frozen = 0;
done:	atomic { busy--; goto end_idle }
}

proctype store_buffer()
{
end_drain:
	do
	:: atomic { nempty(sb) -> drain_one() }
	od
}

/* Whenever nothing is in progress, the ring holds what is queued, each once. */
proctype audit()
{
end_audit:
	do
	:: d_step {
		busy == 0 && empty(sb) ->
		assert(LENGTH(head, split) <= LENGTH(head, tail) && LENGTH(head, tail) <= CAPACITY);
		i = 0; n = 0;
		do
		:: i < ITEMS ->
			assert(where[i] != HELD);
			n = n + (where[i] == QUEUED -> 1 : 0); i++
		:: else -> break
		od;
		assert(n == LENGTH(head, tail)); /* else one was lost, or is there twice */
		i = 0; seen = 0;
		do
		:: i < n ->
			v = slot[SLOT(head + i)];
			assert(where[v] == QUEUED && !(seen & (1 << v)));
			seen = seen | (1 << v); i++
		:: else -> break
		od;
		i = 0; n = 0; seen = 0; v = 0
	}
	od
}

init {
	byte p;

	atomic {
		run store_buffer();
		run audit();
		do
		:: p < WORKERS -> run worker(p); p++
		:: p >= WORKERS && p < WORKERS + THIEVES -> run thief(p); p++
		:: else -> break
		od
	}
}
