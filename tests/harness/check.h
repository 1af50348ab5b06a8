/* SPDX-License-Identifier: MIT */
/* check.h - what ASSERT_* and EXPECT_* expand to. */
#ifndef PERCH_TESTS_HARNESS_CHECK_H
#define PERCH_TESTS_HARNESS_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum harness_relation { HARNESS_EQ, HARNESS_NE, HARNESS_LT, HARNESS_LE, HARNESS_GT, HARNESS_GE };
enum harness_likeness { HARNESS_SAME, HARNESS_DIFFERENT, HARNESS_CONTAINS };

struct harness_value {
	enum { HARNESS_INTEGER, HARNESS_REAL, HARNESS_POINTER } kind;
	union {
		__int128 integer; /* holds every integer type as the number it is */
		double real;
		const volatile void *pointer;
	};
};

struct harness_place {
	const char *file;
	int line;
	const char *left, *right; /* the two sides as written */
};

static inline struct harness_value harness_integer(__int128 v)
{
	return (struct harness_value){.kind = HARNESS_INTEGER, .integer = v};
}

static inline struct harness_value harness_real(double v)
{
	return (struct harness_value){.kind = HARNESS_REAL, .real = v};
}

static inline struct harness_value harness_pointer(const volatile void *v)
{
	return (struct harness_value){.kind = HARNESS_POINTER, .pointer = v};
}

/* True when the relation holds; else the test is marked failed and told why. */
bool harness_compare(struct harness_place place, struct harness_value a, enum harness_relation relation,
		     struct harness_value b);
bool harness_truth(struct harness_place place, bool value, bool wanted);
bool harness_strings(struct harness_place place, const char *a, enum harness_likeness likeness, const char *b);

void harness_stop(void) __attribute__((__noreturn__));
void harness_skip(const char *format, ...) __attribute__((__noreturn__, __format__(__printf__, 1, 2)));

/* a table: */
/* clang-format off */
#define HARNESS_VALUE_(x) \
	_Generic((x), \
		 _Bool: harness_integer, char: harness_integer, \
		 signed char: harness_integer, unsigned char: harness_integer, \
		 short: harness_integer, unsigned short: harness_integer, \
		 int: harness_integer, unsigned int: harness_integer, \
		 long: harness_integer, unsigned long: harness_integer, \
		 long long: harness_integer, unsigned long long: harness_integer, \
		 float: harness_real, double: harness_real, \
		 default: harness_pointer)(x)
/* clang-format on */

#define HARNESS_PLACE_(a, b) ((struct harness_place){__FILE__, __LINE__, a, b})

#define HARNESS_CHECK_(check, otherwise)                                                                               \
	do {                                                                                                           \
		if (!(check)) {                                                                                        \
			otherwise;                                                                                     \
		}                                                                                                      \
	} while (0)

#define HARNESS_COMPARE_(a, relation, b, otherwise)                                                                    \
	HARNESS_CHECK_(harness_compare(HARNESS_PLACE_(#a, #b), HARNESS_VALUE_(a), relation, HARNESS_VALUE_(b)),        \
		       otherwise)
#define HARNESS_TRUTH_(a, wanted, otherwise)                                                                           \
	HARNESS_CHECK_(harness_truth(HARNESS_PLACE_(#a, NULL), (a) ? true : false, wanted), otherwise)
#define HARNESS_STRINGS_(a, likeness, b, otherwise)                                                                    \
	HARNESS_CHECK_(harness_strings(HARNESS_PLACE_(#a, #b), a, likeness, b), otherwise)

#endif
