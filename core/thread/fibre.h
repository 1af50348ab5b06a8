/* SPDX-License-Identifier: MIT */
/*
 * fibre.h - telling the sanitizers that the stack changes. Without them, all
 * of this is nothing.
 */
#ifndef PERCH_THREAD_FIBRE_H
#define PERCH_THREAD_FIBRE_H

#include <stdbool.h>

#include "core/thread/stack.h"
#include "rseq/sanitizer.h"

struct worker;

#if SANITIZER_THREAD || SANITIZER_ADDRESS
/* A stack is not handed from thread to thread without a switch. */
#define FIBRE_REUSE 0
void fibre_new(struct stack *s);
void fibre_end(struct stack *s);
/* The thread on it is about to end within any number of calls. */
void fibre_deep(struct stack *s);
/* Addresses that held stacks are about to be unmapped: what threads that never
 * left their frames poisoned there must not hit whoever is mapped there next. */
void fibre_forget(void *base, size_t size);
/* from, to: NULL stands for the worker's own stack. ends: `from` is never
 * resumed. */
void fibre_leave(struct stack *from, struct stack *to, struct worker *w, bool ends);
/* The first thing on the stack arrived at; self: as `from` was when it left,
 * or NULL on a new stack. */
void fibre_arrive(struct stack *self);
/* A worker's own stack, told once by itself. */
void fibre_worker(struct worker *w);
#else
#define FIBRE_REUSE 1
static inline void fibre_new(struct stack *s)
{
	(void)s;
}
static inline void fibre_end(struct stack *s)
{
	(void)s;
}
static inline void fibre_deep(struct stack *s)
{
	(void)s;
}
static inline void fibre_forget(void *base, size_t size)
{
	(void)base;
	(void)size;
}
static inline void fibre_leave(struct stack *from, struct stack *to, struct worker *w, bool ends)
{
	(void)from;
	(void)to;
	(void)w;
	(void)ends;
}
static inline void fibre_arrive(struct stack *self)
{
	(void)self;
}
static inline void fibre_worker(struct worker *w)
{
	(void)w;
}
#endif

#endif
