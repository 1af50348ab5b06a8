/* SPDX-License-Identifier: MIT */
#include "core/see/overflow_report.h"

#include <execinfo.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unwind.h>

#include "core/see/symbol.h"
#include "core/thread/stack.h"

/* Frames that are looked at: all of a recursion with small frames on a stack of 16 MiB. */
#define FRAMES ((size_t)1 << 20)
/* Frames that are shown, a recursion counted as one round of it. */
#define SHOWN 64
/* As many functions may call each other in a circle for it to be told as one. */
#define CIRCLE 8
/* Where there are no addresses for that many. */
#define FRAMES_LEAST 64

struct trace {
	uintptr_t *pc; /* the first one is where it was stopped, the others are behind calls */
	size_t n, room;
	bool inside; /* the handler's own frames are passed */
};

static _Unwind_Reason_Code add(struct _Unwind_Context *context, void *arg)
{
	struct trace *t = arg;
	int in_signal = 0;
	uintptr_t pc = _Unwind_GetIPInfo(context, &in_signal);

	if (in_signal && !t->inside) {
		t->inside = true;
		t->n = 0;
	}
	if (!pc || t->n == t->room)
		return _URC_END_OF_STACK;
	t->pc[t->n++] = pc;
	return _URC_NO_REASON;
}

/* How often the p frames at `at` come again, right behind each other. */
static size_t rounds(const struct trace *t, size_t at, size_t p)
{
	size_t same = 0;

	while (at + p + same < t->n && t->pc[at + same] == t->pc[at + p + same])
		same++;
	return same / p;
}

/* The circle that covers most; 0 when there is none worth a line. */
static size_t circle(const struct trace *t, size_t at, size_t *length)
{
	size_t most = 0;

	for (size_t p = 1; p <= CIRCLE; p++) {
		size_t n = rounds(t, at, p);

		if (n >= 2 && n * p > most * *length) {
			most = n;
			*length = p;
		}
	}
	return most;
}

static void put_frame(struct symbols *symbols, size_t i, uintptr_t pc)
{
	static char line[2048];
	struct text text = {.at = line, .room = sizeof(line)};

	text_put(&text, "    #%-2zu ", i);
	if (symbols)
		symbols_put(symbols, &text, pc, i > 0);
	else
		text_put(&text, "%#lx", (unsigned long)pc);
	text_put(&text, "\n");
	text_write(&text, STDERR_FILENO);
}

static void put_trace(const struct trace *t)
{
	struct symbols *symbols = symbols_new();
	size_t shown = 0, i = 0;

	while (i < t->n && shown < SHOWN) {
		size_t length = 0, again = circle(t, i, &length);

		if (!again)
			length = 1;
		for (size_t k = 0; k < length; k++, shown++)
			put_frame(symbols, i + k, t->pc[i + k]);
		if (again)
			dprintf(STDERR_FILENO, "    ... %s %zu times more\n",
				length == 1 ? "this one" : "these in turn", again);
		i += length * (again + 1);
	}
	if (i < t->n)
		dprintf(STDERR_FILENO, "    ... and %zu more\n", t->n - i);
	if (t->n == t->room)
		dprintf(STDERR_FILENO, "    ... (only the innermost %zu frames are looked at)\n", t->n);
}

void overflow_report_prepare(void)
{
	void *frame[2];

	backtrace(frame, 2); /* gcc's unwinder is loaded at its first use */
}

void overflow_report(struct thread *t, uintptr_t address)
{
	static uintptr_t few[FRAMES_LEAST];
	struct trace trace = {.room = FRAMES};
	char name[PERCH_NAME_MAX + 1];

	thread_read_name(t, name, false);
	dprintf(STDERR_FILENO,
		"perch: thread '%s' (%#llx) overflowed its stack of %zu bytes: address %#lx is in its guard. "
		"It needs a larger one: perch_attr_setstacksize(), or PERCH_STACK_SIZE for all that ask for none. "
		"backtrace:\n",
		name, (unsigned long long)thread_handle(t), t->stack->size, (unsigned long)address);
	trace.pc = mmap(NULL, FRAMES * sizeof(*trace.pc), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (trace.pc == MAP_FAILED)
		trace = (struct trace){.pc = few, .room = FRAMES_LEAST};
	_Unwind_Backtrace(add, &trace);
	put_trace(&trace);
}
