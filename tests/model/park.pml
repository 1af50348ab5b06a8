/* SPDX-License-Identifier: MIT */
/*
 * park.pml - park and unpark of one thread (core/sched/park.c), the switch
 * that lies between (its context must have been saved before anybody resumes
 * it), and the join of a task that another worker runs (core/task/fork.c).
 *
 * The thread G waits for each of two conditions in turn, then for a task, and
 * ends; then the frame that the task lies in is gone. Two wakers set one
 * condition each and unpark G; the carrier runs the task, writes its result,
 * marks it done and unparks whoever waited. A wake-up may come late, so G loops.
 * G runs on whichever of the two workers takes it from the run queue.
 *
 * Seeds: HOOK_BEFORE_SAVE, NO_TOKEN, NO_COMMIT_CHECK, TOUCH_AFTER_DONE,
 * NO_LOOP, DONE_BEFORE_RESULT.
 */
#define WORKERS 2
#define WAITS 2

mtype = { EMPTY, NOTIFIED, PARKED };
mtype state = EMPTY; /* thread.park */

/* the task's descriptor, in G's frame */
mtype = { NOT_DONE, WAITER, DONE };
mtype task = NOT_DONE;
bool result;
bool frame = 1;

bool condition[WAITS];

byte queued = 1;   /* times G is in a run queue */
byte running;      /* workers that execute on G's stack */
bool saved = 1;    /* G's context is what its stack says */
bool ended;

/* where G goes on when it is resumed */
mtype = { AT_CONDITION, AT_TASK };
mtype at = AT_CONDITION;
byte waits;

inline ready()
{
	atomic { assert(queued == 0); queued++ }
}

inline unpark(old)
{
#ifdef NO_TOKEN
	atomic {
		old = state;
		if
		:: state == PARKED -> state = NOTIFIED
		:: else
		fi
	};
#else
	atomic { old = state; state = NOTIFIED };
#endif
	if
	:: old == PARKED ->
		state = EMPTY;
		ready()
	:: else
	fi;
	old = EMPTY
}

proctype worker()
{
end_idle:
	atomic {
		queued > 0 -> queued--;
		assert(saved);        /* else it is resumed from a stack that is still in use */
		assert(running == 0); /* else it runs on two workers at once */
		assert(!ended);
		running++; saved = 0
	}

resumed:
	if
	:: at == AT_TASK -> goto join_task
	:: else
	fi;

next_condition:
	do
	:: waits == WAITS -> break
	:: waits < WAITS && condition[waits] -> waits++
	:: waits < WAITS && !condition[waits] -> goto park
	od;

	/* perch_task_sync_slow */
	at = AT_TASK;
	if
	:: atomic { task == NOT_DONE -> task = WAITER }
	:: task == DONE
	fi;
join_task:
	if
	:: task == WAITER -> goto park
	:: task == DONE
#ifdef NO_LOOP
	:: task == WAITER
#endif
	fi;
	assert(result);
	frame = 0; /* the function that forked returns */
	atomic { ended = 1; running-- }
	goto end_idle;

park:	if
	:: atomic { state == NOTIFIED -> state = EMPTY }; goto resumed
	:: state != NOTIFIED
	fi;
#ifndef HOOK_BEFORE_SAVE
	/* switch: the stack is left only when the context has been saved */
	atomic { saved = 1; running-- }
#endif
	/* park_commit, on the next thread's stack */
#ifdef NO_COMMIT_CHECK
	state = PARKED;
#else
	if
	:: atomic { state == EMPTY -> state = PARKED }
	:: state != EMPTY ->
		state = EMPTY;
		ready()
	fi;
#endif
#ifdef HOOK_BEFORE_SAVE
	atomic { saved = 1; running-- }
#endif
	goto end_idle
}

proctype waker(byte which)
{
	mtype old = EMPTY;

	condition[which] = 1;
	unpark(old)
}

proctype carrier()
{
	mtype was = NOT_DONE, old = EMPTY;

#ifndef DONE_BEFORE_RESULT
	assert(frame); result = 1;
#endif
	atomic { assert(frame); was = task; task = DONE };
#ifdef DONE_BEFORE_RESULT
	assert(frame); result = 1;
#endif
#ifdef TOUCH_AFTER_DONE
	assert(frame); /* reads the task again */
#endif
	if
	:: was == WAITER -> unpark(old)
	:: else
	fi
}

/* When nothing moves any more, G has ended: no unpark was lost. */
active proctype property()
{
	timeout ->
	assert(ended && queued == 0 && running == 0)
}

init {
	atomic {
		run worker(); run worker();
		run waker(0); run waker(1);
		run carrier()
	}
}
