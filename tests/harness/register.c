/* SPDX-License-Identifier: MIT */
#include "tests/harness/register.h"

#include <string.h>

struct harness_test *harness_tests;
static struct harness_fixture *fixtures;
static struct harness_variant *variants;

#define APPEND(list, item)                                                                                             \
	do {                                                                                                           \
		__typeof__(&(list)) end_ = &(list);                                                                    \
		while (*end_)                                                                                          \
			end_ = &(*end_)->next;                                                                         \
		*end_ = (item);                                                                                        \
	} while (0)

void harness_add_test(struct harness_test *t)
{
	APPEND(harness_tests, t);
}

void harness_add_fixture(struct harness_fixture *f)
{
	APPEND(fixtures, f);
}

void harness_add_variant(struct harness_variant *v)
{
	APPEND(variants, v);
}

const struct harness_fixture *harness_find_fixture(const char *name)
{
	const struct harness_fixture *f = fixtures;

	while (f && strcmp(f->name, name))
		f = f->next;
	return f;
}

const struct harness_variant *harness_next_variant(const char *fixture, const struct harness_variant *after)
{
	const struct harness_variant *v = after ? after->next : variants;

	while (v && strcmp(v->fixture, fixture))
		v = v->next;
	return v;
}
