/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "numa/cpuset.h"
#include "numa/sysfs.h"
#include "tests/harness/harness.h"
#include "tests/numa/machine.h"

/* The list written out again: "0 1 2 8". */
static char *spell(const char *list)
{
	static char text[256];
	struct bitmask *set;
	int r = sysfs_parse_list(list, &set), n = 0;

	if (r) {
		EXPECT_NULL(set);
		return NULL;
	}
	text[0] = 0;
	cpuset_for_each(cpu, set) n += snprintf(text + n, sizeof(text) - (size_t)n, n ? " %d" : "%d", cpu);
	numa_bitmask_free(set);
	return text;
}

TEST(lists)
{
	EXPECT_STREQ(spell("0"), "0");
	EXPECT_STREQ(spell("0-2,8"), "0 1 2 8");
	EXPECT_STREQ(spell("63-64,127,128,1000"), "63 64 127 128 1000");
	EXPECT_STREQ(spell("5,3"), "3 5");
	EXPECT_STREQ(spell(""), "");
}

TEST(bad_lists)
{
	static const char *const bad[] = {"x", "-1", "3-", "3-1", "0,,1", "0,", ",0", "0 1", "0-1-2", "99999999", "1x"};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (spell(bad[i]))
			harness_log("'%s' was taken for a list", bad[i]);
		EXPECT_NULL(spell(bad[i]));
	}
}

FIXTURE(files)
{
	struct machine m;
	struct sysfs s;
};
FIXTURE_SETUP(files)
{
	machine_make(&self->m);
	self->s.root = self->m.root;
}
FIXTURE_TEARDOWN(files)
{
	machine_remove(&self->m);
}

TEST_F(files, reads_all_of_a_long_file)
{
	char *text, *long_text = malloc(100001);

	memset(long_text, 'x', 100000);
	long_text[100000] = 0;
	machine_write(&self->m, "/long", "%s \n", long_text);
	ASSERT_EQ(sysfs_read(&self->s, &text, "/%s", "long"), 0);
	EXPECT_EQ(strlen(text), 100000);
	EXPECT_STREQ(text, long_text);
	free(text);
	free(long_text);
}

TEST_F(files, failures_name_the_file)
{
	struct bitmask *set;
	char *text;
	long n;

	EXPECT_EQ(sysfs_read(&self->s, &text, "/not/there%d", 7), -ENOENT);
	EXPECT_CONTAINS(self->s.error, self->m.root);
	EXPECT_CONTAINS(self->s.error, "/not/there7: No such file");
	machine_write(&self->m, "/number", "12 monkeys");
	EXPECT_EQ(sysfs_number(&self->s, &n, "/number"), -EINVAL);
	EXPECT_CONTAINS(self->s.error, "/number: expected a number, found '12 monkeys'");
	EXPECT_EQ(sysfs_list(&self->s, &set, "/number"), -EINVAL);
	EXPECT_CONTAINS(self->s.error, "/number: expected a list such as 0-3,8, found '12 monkeys'");
	machine_write(&self->m, "/number", "-1");
	EXPECT_EQ(sysfs_number(&self->s, &n, "/number"), 0);
	EXPECT_EQ(n, -1);
	machine_write(&self->m, "/directory/file", "x");
	EXPECT_EQ(sysfs_read(&self->s, &text, "/directory"), -EISDIR);
}
