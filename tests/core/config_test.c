/* SPDX-License-Identifier: MIT */
/* config_test.c - settings, as fields and as variables: what is taken, what is refused, and by which words. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <perch/perch.h>

#include "tests/harness/harness.h"
#include "tests/harness/helpers.h"

struct setting {
	const char *variable, *value, *field;
	struct perch_config config;
};

static void try_setting(void *arg)
{
	struct setting *s = arg;
	int r;

	if (s->variable)
		setenv(s->variable, s->value, 1);
	r = perch_start(s->field ? &s->config : NULL);
	if (!r)
		r = perch_stop();
	exit(r == 0 ? 0 : r == -EINVAL ? 22 : 1);
}

TEST(settings_are_read_and_checked)
{
	static const struct {
		struct setting s;
		int status;
	} cases[] = {
		{{"PERCH_SHUFFLE", "1", NULL, PERCH_CONFIG_INIT}, 0},
		{{"PERCH_SHUFFLE", "0", NULL, PERCH_CONFIG_INIT}, 0},
		{{"PERCH_SHUFFLE", "", NULL, PERCH_CONFIG_INIT}, 0},
		{{"PERCH_SHUFFLE", "2", NULL, PERCH_CONFIG_INIT}, 22},
		{{"PERCH_SHUFFLE", "yes", NULL, PERCH_CONFIG_INIT}, 22},
		{{"PERCH_DEADLOCK", "report", NULL, PERCH_CONFIG_INIT}, 0},
		{{"PERCH_DEADLOCK", "off", NULL, PERCH_CONFIG_INIT}, 0},
		{{"PERCH_DEADLOCK", "on", NULL, PERCH_CONFIG_INIT}, 22},
		{{"PERCH_SIGQUIT", "dump", NULL, PERCH_CONFIG_INIT}, 0},
		{{"PERCH_SIGQUIT", "off", NULL, PERCH_CONFIG_INIT}, 0},
		{{"PERCH_SIGQUIT", "of", NULL, PERCH_CONFIG_INIT}, 22},
		{{NULL, "3", "perch_config.shuffle", {.shuffle = 3}}, 22},
		{{NULL, "3", "perch_config.deadlock", {.deadlock = (enum perch_deadlock)3}}, 22},
		{{NULL, "9", "perch_config.sigquit", {.sigquit = (enum perch_sigquit)9}}, 22},
		{{"PERCH_SHUFFLE", "bad", "unused", {.shuffle = 1}}, 0}, /* the field is set: no look at the variable */
		{{"PERCH_HANDOFF", "on", NULL, PERCH_CONFIG_INIT}, 0},
		{{"PERCH_HANDOFF", "off", NULL, PERCH_CONFIG_INIT}, 0},
		{{"PERCH_HANDOFF", "", NULL, PERCH_CONFIG_INIT}, 0},
		{{"PERCH_HANDOFF", "of", NULL, PERCH_CONFIG_INIT}, 22},
		{{"PERCH_HANDOFF", "0", NULL, PERCH_CONFIG_INIT}, 22},
		{{"PERCH_SPARES", "1", NULL, PERCH_CONFIG_INIT}, 0},
		{{"PERCH_SPARES", "1000000", NULL, PERCH_CONFIG_INIT}, 0},
		{{"PERCH_SPARES", "0", NULL, PERCH_CONFIG_INIT}, 22},
		{{"PERCH_SPARES", "1000001", NULL, PERCH_CONFIG_INIT}, 22},
		{{"PERCH_SPARES", "-1", NULL, PERCH_CONFIG_INIT}, 22},
		{{"PERCH_SPARES", "1K", NULL, PERCH_CONFIG_INIT}, 22},
		{{"PERCH_SPARES", "many", NULL, PERCH_CONFIG_INIT}, 22},
		{{NULL, "3", "perch_config.handoff", {.handoff = (enum perch_handoff)3}}, 22},
		{{NULL, "1000001", "perch_config.spares", {.spares = 1000001}}, 22},
		{{"PERCH_SPARES", "bad", "unused", {.spares = 1}}, 0}, /* the field is set: no look at the variable */
		{{"PERCH_HANDOFF", "bad", "unused", {.handoff = PERCH_HANDOFF_OFF}}, 0},
		{{"PERCH_FOLLOW", "on", NULL, PERCH_CONFIG_INIT}, 0},
		{{"PERCH_FOLLOW", "off", NULL, PERCH_CONFIG_INIT}, 0},
		{{"PERCH_FOLLOW", "yes", NULL, PERCH_CONFIG_INIT}, 22},
		{{"PERCH_STEAL", "near-first", NULL, PERCH_CONFIG_INIT}, 0},
		{{"PERCH_STEAL", "flat", NULL, PERCH_CONFIG_INIT}, 0},
		{{"PERCH_STEAL", "node-only", NULL, PERCH_CONFIG_INIT}, 0},
		{{"PERCH_STEAL", "none", NULL, PERCH_CONFIG_INIT}, 0},
		{{"PERCH_STEAL", "", NULL, PERCH_CONFIG_INIT}, 0},
		{{"PERCH_STEAL", "near_first", NULL, PERCH_CONFIG_INIT}, 22},
		{{"PERCH_STEAL", "bad", "unused", {.steal = PERCH_STEAL_FLAT}}, 0},
		{{"PERCH_STEAL_DELAY", "0", NULL, PERCH_CONFIG_INIT}, 0},
		{{"PERCH_STEAL_DELAY", "1000000000", NULL, PERCH_CONFIG_INIT}, 0},
		{{"PERCH_STEAL_DELAY", "1000000001", NULL, PERCH_CONFIG_INIT}, 22},
		{{"PERCH_STEAL_DELAY", "20us", NULL, PERCH_CONFIG_INIT}, 22},
		{{NULL, "5", "perch_config.steal", {.steal = (enum perch_steal)5}}, 22},
		{{NULL, "3", "perch_config.follow", {.follow = (enum perch_follow)3}}, 22},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct setting s = cases[i].s;
		struct harness_captured c;

		ASSERT_EQ(harness_capture(&c, try_setting, &s), 0);
		EXPECT_EQ(c.status, cases[i].status << 8);
		if (cases[i].status) {
			EXPECT_CONTAINS(c.text, s.variable ? s.variable : s.field);
			EXPECT_CONTAINS(c.text, s.value);
		}
		harness_release(&c);
	}
}

/* ---- in a set-user-ID program ---- */

#define NOBODY 65534

static bool copy_as_nobody(const char *to)
{
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
	    out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	ssize_t n = -1;

	while (in >= 0 && out >= 0 && (n = sendfile(out, in, NULL, 1 << 20)) > 0)
		;
	close(in);
	close(out);
	return !n && !chown(to, NOBODY, NOBODY) && !chmod(to, 04755);
}

/* The test runs itself once more, with the variable set, as a program that is nobody's. */
TEST(a_set_user_id_program_reads_no_variables)
{
	char dir[] = "/tmp/perch-config-XXXXXX", copy[64];
	char *argv[] = {copy, "-t", "a_set_user_id_program_reads_no_variables", NULL};
	const char *given = getenv("PERCH_WORKERS");
	struct harness_captured c;

	if (getauxval(AT_SECURE)) {
		ASSERT_EQ(perch_start(NULL), 0);
		EXPECT_NE(perch_workers(), 57);
		ASSERT_EQ(perch_stop(), 0);
		return;
	}
	if (given && !strcmp(given, "57"))
		SKIP("/tmp is mounted nosuid");
	if (geteuid())
		SKIP("not root");
	ASSERT_NE(mkdtemp(dir), NULL);
	ASSERT_EQ(chmod(dir, 0755), 0);
	snprintf(copy, sizeof(copy), "%s/copy", dir);
	if (!copy_as_nobody(copy)) {
		unlink(copy);
		rmdir(dir);
		SKIP("a program cannot be made another user's here");
	}
	setenv("PERCH_WORKERS", "57", 1);
	ASSERT_EQ(harness_execute(&c, argv), 0);
	unlink(copy);
	rmdir(dir);
	EXPECT_TRUE(c.status == 0 || strstr(c.text, "SKIP"));
	harness_log("%s", c.text);
	harness_release(&c);
}
