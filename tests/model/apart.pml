/* SPDX-License-Identifier: MIT */
/*
 * apart.pml - sleep and wake where not everybody may take everything (the domains of
 * core/sched/idle.h): two nodes with a CPU and a worker each, which do not take from
 * each other, and a queue that is for all.
 *
 * A pthread outside makes items ready: on the CPU that it is on, and it may be moved to
 * the other between taking a request off a CPU's line and its push; or for all.
 * Worker 0 starts busy. Whoever runs an item may at any moment go on computing for ever.
 * The property: when nothing moves any more, no worker sleeps while an item waits that
 * it may take.
 *
 * idle.pml has one domain, with store buffers and sections that are cut; here all steps
 * are sequentially consistent, and a push is one.
 *
 * Seeds: ONE_COUNT, NO_PASS_ON, ANSWER_WHERE_PUSHED, ANSWER_WHERE_TAKEN, NO_ANSWER,
 * LOOK_WITHOUT_COMMON, NO_SECOND_LOOK, NO_REPAIR, NO_LOOK_AT_ALL.
 */
#ifndef POSTS
#define POSTS 3 /* from outside */
#endif
#ifndef PUSHES
#define PUSHES 1 /* by workers, for all */
#endif

byte queue[2]; /* of each CPU: its domain's */
byte common;   /* everybody's */
bool request[2];
byte searching[2], sleeping[2]; /* of each domain */
bool in_mask[2]; /* sleeps, and has not been chosen */
bool woken[2];  /* the futex */
bool asleep[2]; /* for the property only */
byte pushes = PUSHES;

#ifdef ONE_COUNT
#define COUNT(d) (searching[0] + searching[1])
#else
#define COUNT(d) searching[d]
#endif

/* notify(domain); done: somebody searches there, or has been woken */
inline notify(d)
{
	done = 0;
	do
	:: sleeping[d] == 0 -> break
	:: else ->
		atomic {
			if
			:: COUNT(d) == 0 -> searching[d]++
			:: else -> done = 1; break
			fi
		};
		atomic {
			if
			:: in_mask[d] -> in_mask[d] = 0; done = 1
			:: else
			fi
		};
		if
		:: done -> woken[d] = 1; break
		:: else -> atomic { searching[d]--; tried = 1 };
#ifdef NO_SECOND_LOOK
			break
#else
			if
			:: in_mask[d]
			:: else -> break
			fi
#endif
		fi
	od
}

/* idle_notify */
inline notify_all()
{
	do
	:: searching[0] > 0 -> break
	:: else ->
		if
		:: searching[1] > 0 -> break
		:: else
		fi;
		tried = 0;
		notify(0);
		if
		:: done -> break
		:: else
		fi;
		notify(1);
		if
		:: done -> break
		:: else
		fi;
#ifdef NO_LOOK_AT_ALL
		break
#else
		if
		:: tried && (in_mask[0] || in_mask[1])
		:: else -> break
		fi
#endif
	od;
	done = 0; tried = 0
}

/* notify_one: for what only that domain may take */
inline notify_one(d)
{
	tried = 0;
	notify(d);
#ifndef NO_REPAIR
	if
	:: !done && tried && common > 0 -> notify_all()
	:: else
	fi;
#endif
	done = 0; tried = 0
}

proctype worker(byte me; bool starts_busy)
{
	bool done, tried, last, counted;

	if
	:: starts_busy -> goto running
	:: else -> goto search
	fi;

running:
	if
	:: atomic { pushes > 0 -> pushes--; common++ }; notify_all(); goto running
	:: goto search /* the item has ended */
	:: goto end_computing
	fi;

search:	atomic { /* idle_search_begin */
		if
		:: !counted && searching[me] == 0 -> searching[me]++; counted = 1
		:: else
		fi
	}
	if
	:: atomic { queue[me] > 0 -> queue[me]-- }; goto found
	:: queue[me] == 0
	fi;
	if
	:: atomic { common > 0 -> common-- }; goto found
	:: common == 0
	fi;
	/* idle_sleep */
	woken[me] = 0;
	sleeping[me]++;
	in_mask[me] = 1;
	atomic {
		if
		:: counted -> searching[me]--; counted = 0
		:: else
		fi;
		last = (searching[me] == 0)
	}
	if
	:: last ->
		request[me] = 1;
		if
		:: queue[me] > 0 -> goto stay
		:: else
		fi;
#ifndef LOOK_WITHOUT_COMMON
		if
		:: common > 0 -> goto stay
		:: else
		fi
#endif
	:: else
	fi;
sleep:	asleep[me] = 1;
end_asleep:
	atomic { woken[me] -> asleep[me] = 0; counted = 1 };
	sleeping[me]--;
	goto search;

stay:	atomic {
		if
		:: in_mask[me] -> in_mask[me] = 0; searching[me]++; counted = 1
		:: else -> goto sleep /* chosen: its wake is on the way */
		fi
	};
	sleeping[me]--;
	goto search;

found:	atomic {
		last = 0;
		if
		:: counted -> searching[me]--; counted = 0; last = (searching[me] == 0)
		:: else
		fi
	}
	if
	:: last -> /* pass_on */
		notify(me);
#ifndef NO_PASS_ON
		if
		:: !done && common > 0 -> notify_all()
		:: else
		fi
#endif
	:: else
	fi;
	done = 0; tried = 0;
	goto running;

end_computing:
	false
}

proctype outside()
{
	byte left = POSTS, at;
	bool done, tried, asked;

next:	if
	:: left > 0 -> left--
	:: else -> goto end
	fi;
	if
	:: common++; notify_all(); goto next
	:: at = 0
	:: at = 1
	fi;

push:	/* ring_push_slow; `at` is the CPU that it is on */
	atomic { asked = request[at]; request[at] = 0 }
	if /* moved, or not */
	:: asked -> at = 1 - at
	:: skip
	fi;
	atomic {
		if
		:: !asked && request[at] -> goto push
		:: else -> queue[at]++ /* who has taken a request does not mind another */
		fi
	}
	if
	:: asked ->
#ifdef NO_ANSWER
		skip
#else
#ifdef ANSWER_WHERE_PUSHED
		notify_one(at)
#else
#ifdef ANSWER_WHERE_TAKEN
		if
		:: queue[at] > 0 && request[at] -> notify_one(1 - at)
		:: else -> notify_one(at)
		fi
#else
		/* answer_apart */
		if
		:: queue[0] > 0 || !request[0] -> notify_one(0)
		:: else
		fi;
		if
		:: queue[1] > 0 || !request[1] -> notify_one(1)
		:: else
		fi
#endif
#endif
#endif
	:: else
	fi;
	asked = 0;
	done = 0;
	goto next;
end:	skip
}

active proctype property()
{
end_property:
	timeout ->
	assert(!(asleep[0] && queue[0] > 0) && !(asleep[1] && queue[1] > 0) &&
	       !((asleep[0] || asleep[1]) && common > 0))
}

init {
	atomic { run worker(0, 1); run worker(1, 0); run outside() }
}
