/* SPDX-License-Identifier: MIT */
/* register.h - how TEST and FIXTURE make themselves known to the runner. */
#ifndef PERCH_TESTS_HARNESS_REGISTER_H
#define PERCH_TESTS_HARNESS_REGISTER_H

#include <stddef.h>

#define HARNESS_SECONDS 30
#define HARNESS_STRESS 0 /* as long as harness_stress_seconds() says, and a margin */

struct harness_test {
	const char *fixture; /* name, or NULL */
	const char *name;
	void (*run)(void *self, const void *variant);
	unsigned seconds;
	int signal; /* passes only when it dies by this; 0: when it returns */
	struct harness_test *next;
};

struct harness_fixture {
	const char *name;
	size_t size;
	void (*setup)(void *self, const void *variant);
	void (*teardown)(void *self, const void *variant);
	struct harness_fixture *next;
};

struct harness_variant {
	const char *fixture;
	const char *name;
	const void *data;
	struct harness_variant *next;
};

void harness_add_test(struct harness_test *t);
void harness_add_fixture(struct harness_fixture *f);
void harness_add_variant(struct harness_variant *v);

/* Lists in the order in which they were added. */
extern struct harness_test *harness_tests;
const struct harness_fixture *harness_find_fixture(const char *name);
/* The first of that fixture behind `after` (NULL: from the start), or NULL. */
const struct harness_variant *harness_next_variant(const char *fixture, const struct harness_variant *after);

#define HARNESS_UNUSED_ __attribute__((__unused__))

#define HARNESS_REGISTER_(kind, object)                                                                                \
	__attribute__((__constructor__)) static void register_##object(void)                                           \
	{                                                                                                              \
		harness_add_##kind(&object);                                                                           \
	}

#define HARNESS_TEST_(t, ...)                                                                                          \
	static void test_##t(void);                                                                                    \
	static void test_##t##_any(void *self HARNESS_UNUSED_, const void *variant HARNESS_UNUSED_)                    \
	{                                                                                                              \
		test_##t();                                                                                            \
	}                                                                                                              \
	static struct harness_test harness_##t = {.name = #t, .run = test_##t##_any, __VA_ARGS__};                     \
	HARNESS_REGISTER_(test, harness_##t)                                                                           \
	static void test_##t(void)

#define HARNESS_TEST_F_(f, t, ...)                                                                                     \
	static void test_##f##_##t(struct fixture_##f *self, const struct variant_##f *variant);                       \
	static void test_##f##_##t##_any(void *self, const void *variant)                                              \
	{                                                                                                              \
		test_##f##_##t(self, variant);                                                                         \
	}                                                                                                              \
	static struct harness_test harness_##f##_##t = {                                                               \
		.fixture = #f, .name = #t, .run = test_##f##_##t##_any, __VA_ARGS__};                                  \
	HARNESS_REGISTER_(test, harness_##f##_##t)                                                                     \
	static void test_##f##_##t(struct fixture_##f *self HARNESS_UNUSED_,                                           \
				   const struct variant_##f *variant HARNESS_UNUSED_)

#define FIXTURE(f)                                                                                                     \
	struct variant_##f;                                                                                            \
	struct fixture_##f

#define FIXTURE_VARIANT(f) struct variant_##f

#define FIXTURE_VARIANT_ADD(f, v)                                                                                      \
	static const struct variant_##f variant_##f##_##v;                                                             \
	static struct harness_variant harness_##f##__##v = {.fixture = #f, .name = #v, .data = &variant_##f##_##v};    \
	HARNESS_REGISTER_(variant, harness_##f##__##v)                                                                 \
	static const struct variant_##f variant_##f##_##v =

#define FIXTURE_SETUP(f)                                                                                               \
	static void setup_##f(struct fixture_##f *self, const struct variant_##f *variant);                            \
	static void teardown_##f(struct fixture_##f *self, const struct variant_##f *variant);                         \
	static void setup_##f##_any(void *self, const void *variant)                                                   \
	{                                                                                                              \
		setup_##f(self, variant);                                                                              \
	}                                                                                                              \
	static void teardown_##f##_any(void *self, const void *variant)                                                \
	{                                                                                                              \
		teardown_##f(self, variant);                                                                           \
	}                                                                                                              \
	static struct harness_fixture harness_##f##_fixture = {.name = #f,                                             \
							       .size = sizeof(struct fixture_##f),                     \
							       .setup = setup_##f##_any,                               \
							       .teardown = teardown_##f##_any};                        \
	HARNESS_REGISTER_(fixture, harness_##f##_fixture)                                                              \
	static void setup_##f(struct fixture_##f *self HARNESS_UNUSED_,                                                \
			      const struct variant_##f *variant HARNESS_UNUSED_)

#define FIXTURE_TEARDOWN(f)                                                                                            \
	static void teardown_##f(struct fixture_##f *self HARNESS_UNUSED_,                                             \
				 const struct variant_##f *variant HARNESS_UNUSED_)

#endif
