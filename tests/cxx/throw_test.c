/* SPDX-License-Identifier: MIT */
/* throw_test.c - an exception that leaves what perch was given to call ends the process, whoever runs it. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <perch/perch.h>

#include "tests/cxx/throw.h"
#include "tests/harness/harness.h"
#include "tests/harness/helpers.h"

FIXTURE(throw)
{
	int unused;
};
FIXTURE_VARIANT(throw)
{
	void *(*fn)(void *);
	unsigned least_procs;
};
FIXTURE_VARIANT_ADD(throw, thread){throw_itself, 1};
FIXTURE_VARIANT_ADD(throw, joined){throw_in_joined, 1};
FIXTURE_VARIANT_ADD(throw, started){throw_in_started, 1};
FIXTURE_VARIANT_ADD(throw, task){throw_in_task, 1};
FIXTURE_VARIANT_ADD(throw, typed_task){throw_in_typed_task, 1};
FIXTURE_VARIANT_ADD(throw, stolen_task){throw_in_stolen_task, 2};
FIXTURE_VARIANT_ADD(throw, loop){throw_in_loop, 1};
FIXTURE_VARIANT_ADD(throw, reduction){throw_in_reduction, 1};
FIXTURE_VARIANT_ADD(throw, loop_by_node){throw_in_loop_by_node, 1};
FIXTURE_VARIANT_ADD(throw, once){throw_in_once, 1};
FIXTURE_VARIANT_ADD(throw, blocking_call){throw_in_blocking_call, 1};
FIXTURE_VARIANT_ADD(throw, timer){throw_in_timer, 1};
FIXTURE_VARIANT_ADD(throw, destructor_of_key){throw_in_destructor_of_key, 1};

struct run {
	void *(*fn)(void *);
	unsigned procs;
};

static void child(void *arg)
{
	const struct run *r = arg;
	struct perch_config config = PERCH_CONFIG_INIT;
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	config.procs = r->procs;
	perch_run(&config, r->fn, NULL, NULL);
}

FIXTURE_SETUP(throw)
{
	(void)self;
	(void)variant;
}

FIXTURE_TEARDOWN(throw)
{
	(void)self;
	(void)variant;
}

static void expect_end(void *(*fn)(void *), unsigned procs)
{
	struct run r = {fn, procs};
	struct harness_captured c;

	ASSERT_EQ(harness_capture(&c, child, &r), 0);
	harness_log("%s", c.text);
	EXPECT_TRUE(WIFSIGNALED(c.status));
	EXPECT_EQ(WTERMSIG(c.status), SIGABRT);
	EXPECT_CONTAINS(c.text, "perch: std::terminate() in thread '");
	EXPECT_CONTAINS(c.text, "out of bounds"); /* what the C++ runtime says of it */
	harness_release(&c);
}

TEST_F(throw, ends_the_process)
{
	(void)self;
	for (unsigned procs = variant->least_procs; procs <= 2; procs++)
		expect_end(variant->fn, procs);
}
