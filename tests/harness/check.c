/* SPDX-License-Identifier: MIT */
#include "tests/harness/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/harness/helpers.h"
#include "tests/harness/internal.h"

struct harness_report *harness_report;
sigjmp_buf harness_escape;
pid_t harness_escape_tid;

static const char *const relation_text[] = {"==", "!=", "<", "<=", ">", ">="};

void harness_log(const char *format, ...)
{
	char line[1024];
	int n = snprintf(line, sizeof(line), "# ");
	va_list args;

	va_start(args, format);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n, format, args);
	va_end(args);
	if (n > (int)sizeof(line) - 1)
		n = (int)sizeof(line) - 1;
	for (char *c = line; (c = memchr(c, '\n', (size_t)(line + n - c))); c++)
		*c = ' '; /* a line of KTAP stays one line */
	line[n++] = '\n';
	/* not stdio: threads and crashes must not mix or lose lines */
	if (write(STDOUT_FILENO, line, (size_t)n) < 0)
		return;
}

static void mark_failed(void)
{
	__atomic_fetch_add(&harness_report->failures, 1, __ATOMIC_RELAXED);
}

static const char *show(char *buffer, size_t size, struct harness_value v)
{
	switch (v.kind) {
	case HARNESS_INTEGER:
		if (v.integer < 0)
			snprintf(buffer, size, "%lld", (long long)v.integer);
		else if (v.integer < 10000)
			snprintf(buffer, size, "%llu", (unsigned long long)v.integer);
		else
			snprintf(buffer, size, "%llu (0x%llx)", (unsigned long long)v.integer,
				 (unsigned long long)v.integer);
		break;
	case HARNESS_REAL:
		snprintf(buffer, size, "%.17g", v.real);
		break;
	case HARNESS_POINTER:
		snprintf(buffer, size, "%p", (void *)(uintptr_t)v.pointer);
		break;
	}
	return buffer;
}

static double as_real(struct harness_value v)
{
	return v.kind == HARNESS_REAL ? v.real : (double)v.integer;
}

#define HOLDS(a, relation, b)                                                                                          \
	((relation) == HARNESS_EQ   ? (a) == (b)                                                                       \
	 : (relation) == HARNESS_NE ? (a) != (b)                                                                       \
	 : (relation) == HARNESS_LT ? (a) < (b)                                                                        \
	 : (relation) == HARNESS_LE ? (a) <= (b)                                                                       \
	 : (relation) == HARNESS_GT ? (a) > (b)                                                                        \
				    : (a) >= (b))

bool harness_compare(struct harness_place place, struct harness_value a, enum harness_relation relation,
		     struct harness_value b)
{
	char left[64], right[64];
	bool holds;

	if (a.kind == HARNESS_REAL || b.kind == HARNESS_REAL) {
		double x = as_real(a), y = as_real(b);

		holds = HOLDS(x, relation, y);
	} else {
		__int128 x = a.kind == HARNESS_POINTER ? (__int128)(uintptr_t)a.pointer : a.integer;
		__int128 y = b.kind == HARNESS_POINTER ? (__int128)(uintptr_t)b.pointer : b.integer;

		holds = HOLDS(x, relation, y);
	}
	if (holds)
		return true;
	mark_failed();
	harness_log("%s:%d: expected %s %s %s, but the left is %s and the right %s", place.file, place.line, place.left,
		    relation_text[relation], place.right, show(left, sizeof(left), a), show(right, sizeof(right), b));
	return false;
}

bool harness_truth(struct harness_place place, bool value, bool wanted)
{
	if (value == wanted)
		return true;
	mark_failed();
	harness_log("%s:%d: expected %s to be %s", place.file, place.line, place.left, wanted ? "true" : "false");
	return false;
}

bool harness_strings(struct harness_place place, const char *a, enum harness_likeness likeness, const char *b)
{
	static const char *const verb[] = {"to equal", "to differ from", "to contain"};
	bool holds;

	if (!a || !b)
		holds = likeness == HARNESS_CONTAINS ? false : (a == b) == (likeness == HARNESS_SAME);
	else if (likeness == HARNESS_CONTAINS)
		holds = strstr(a, b) != NULL;
	else
		holds = (strcmp(a, b) == 0) == (likeness == HARNESS_SAME);
	if (holds)
		return true;
	mark_failed();
	harness_log("%s:%d: expected %s %s %s, but the first is \"%.300s\" and the second \"%.300s\"", place.file,
		    place.line, place.left, verb[likeness], place.right, a ? a : "(null)", b ? b : "(null)");
	return false;
}

void harness_stop(void)
{
	if (harness_escape_tid && (pid_t)syscall(SYS_gettid) == harness_escape_tid)
		siglongjmp(harness_escape, 1);
	harness_report->ended = true;
	_exit(1);
}

void harness_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(harness_report->reason, sizeof(harness_report->reason), format, args);
	va_end(args);
	harness_report->skipped = true;
	harness_stop();
}
