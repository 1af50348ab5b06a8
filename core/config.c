/* SPDX-License-Identifier: MIT */
#include "core/config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROCS_MOST 65536
#define SPARES_MOST 1000000

static int bad(const char *name, const char *value, const char *want)
{
	fprintf(stderr, "perch: %s='%s' is not valid: %s\n", name, value, want);
	return -EINVAL;
}

/* A decimal number, with an optional suffix K, M or G (powers of 1024). */
static bool parse_size(const char *text, bool suffix, uint64_t *value)
{
	char *end;
	unsigned shift = 0;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (suffix && *end) {
		switch (*end++) {
		case 'K':
		case 'k':
			shift = 10;
			break;
		case 'M':
		case 'm':
			shift = 20;
			break;
		case 'G':
		case 'g':
			shift = 30;
			break;
		default:
			return false;
		}
	}
	if (*end || *value > UINT64_MAX >> shift)
		return false;
	*value <<= shift;
	return true;
}

/* The variable's number into *value; 1: it was set, 0: it was not. */
static int number_from(const char *name, bool suffix, uint64_t least, uint64_t most, const char *want, uint64_t *value)
{
	const char *text = secure_getenv(name);
	int saved = errno;
	bool good;

	if (!text || !*text)
		return 0;
	good = parse_size(text, suffix, value) && *value >= least && *value <= most;
	errno = saved;
	return good ? 1 : bad(name, text, want);
}

static int word_from(const char *name, const char *const *words, const char *want)
{
	const char *text = secure_getenv(name);

	if (!text || !*text)
		return 0;
	for (int i = 0; words[i]; i++)
		if (!strcmp(text, words[i]))
			return i;
	return bad(name, text, want);
}

static int field(const char *name, uint64_t value, uint64_t least, uint64_t most, const char *want)
{
	char text[24];

	if (value >= least && value <= most)
		return 0;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return bad(name, text, want);
}

#define WANT_PROCS "a number of processors, 1 to 65536"
#define WANT_WORKERS "a number of workers, 1 to 65536"
#define WANT_SPARES "a number of workers, 1 to 1000000"
#define WANT_STACK "bytes from 16K to 1G, as a number with an optional K, M or G"

int config_read(const struct perch_config *given, struct perch_config *out)
{
	static const char *const guards[] = {"auto", "madvise", "mprotect", NULL};
	static const char *const modes[] = {"auto", "on", "off", NULL};
	/* an empty variable has been taken for none before */
	static const char *const follows[] = {"", "on", "off", NULL};
	static const char *const deadlocks[] = {"", "report", "off", NULL};
	static const char *const handoffs[] = {"", "on", "off", NULL};
	static const char *const steals[] = {"", "near-first", "flat", "node-only", "none", NULL};
	static const char *const sigquits[] = {"", "dump", "off", NULL};
	uint64_t n;
	int r;

	*out = (struct perch_config)PERCH_CONFIG_INIT;
	if (given)
		*out = *given;
	if (!out->procs) {
		r = number_from("PERCH_PROCS", false, 1, PROCS_MOST, WANT_PROCS, &n);
		if (r < 0)
			return r;
		out->procs = r ? (uint32_t)n : 0;
	}
	if (!out->workers) {
		r = number_from("PERCH_WORKERS", false, 1, PROCS_MOST, WANT_WORKERS, &n);
		if (r < 0)
			return r;
		out->workers = r ? (uint32_t)n : 0;
	}
	if (!out->handoff) {
		r = word_from("PERCH_HANDOFF", handoffs, "on or off");
		if (r < 0)
			return r;
		out->handoff = (enum perch_handoff)r;
	}
	if (!out->spares) {
		r = number_from("PERCH_SPARES", false, 1, SPARES_MOST, WANT_SPARES, &n);
		if (r < 0)
			return r;
		out->spares = r ? (uint32_t)n : 10000;
	}
	if (!out->stack_size) {
		r = number_from("PERCH_STACK_SIZE", true, PERCH_STACK_MIN, PERCH_STACK_MAX, WANT_STACK, &n);
		if (r < 0)
			return r;
		out->stack_size = r ? (size_t)n : (size_t)64 << 10;
	}
	if (!out->guard) {
		r = word_from("PERCH_GUARD", guards, "auto, madvise or mprotect");
		if (r < 0)
			return r;
		out->guard = (enum perch_guard)r;
	}
	if (!out->rseq) {
		r = word_from("PERCH_RSEQ", modes, "auto, on or off");
		if (r < 0)
			return r;
		out->rseq = (enum perch_rseq_mode)r;
	}
	if (!out->shuffle) {
		r = number_from("PERCH_SHUFFLE", false, 0, 1, "0 or 1", &n);
		if (r < 0)
			return r;
		out->shuffle = r ? (uint32_t)n : 0;
	}
	if (!out->deadlock) {
		r = word_from("PERCH_DEADLOCK", deadlocks, "report or off");
		if (r < 0)
			return r;
		out->deadlock = (enum perch_deadlock)r;
	}
	if (!out->sigquit) {
		r = word_from("PERCH_SIGQUIT", sigquits, "dump or off");
		if (r < 0)
			return r;
		out->sigquit = (enum perch_sigquit)r;
	}
	if (!out->follow) {
		r = word_from("PERCH_FOLLOW", follows, "on or off");
		if (r < 0)
			return r;
		out->follow = (enum perch_follow)r;
	}
	if (!out->stats) {
		r = number_from("PERCH_STATS", false, 0, 1, "0 or 1", &n);
		if (r < 0)
			return r;
		out->stats = r ? (uint32_t)n : 0;
	}
	if (!out->steal) {
		r = word_from("PERCH_STEAL", steals, "near-first, flat, node-only or none");
		if (r < 0)
			return r;
		out->steal = (enum perch_steal)r;
	}
	if ((r = field("perch_config.procs", out->procs, 0, PROCS_MOST, WANT_PROCS)) ||
	    (r = field("perch_config.workers", out->workers, 0, PROCS_MOST, WANT_WORKERS)) ||
	    (r = field("perch_config.handoff", out->handoff, 0, PERCH_HANDOFF_OFF, "an enum perch_handoff")) ||
	    (r = field("perch_config.spares", out->spares, 1, SPARES_MOST, WANT_SPARES)) ||
	    (r = field("perch_config.stack_size", out->stack_size, PERCH_STACK_MIN, PERCH_STACK_MAX, WANT_STACK)) ||
	    (r = field("perch_config.guard", out->guard, 0, PERCH_GUARD_MPROTECT, "an enum perch_guard")) ||
	    (r = field("perch_config.rseq", out->rseq, 0, PERCH_RSEQ_OFF, "an enum perch_rseq_mode")) ||
	    (r = field("perch_config.shuffle", out->shuffle, 0, 1, "0 or 1")) ||
	    (r = field("perch_config.deadlock", out->deadlock, 0, PERCH_DEADLOCK_OFF, "an enum perch_deadlock")) ||
	    (r = field("perch_config.sigquit", out->sigquit, 0, PERCH_SIGQUIT_OFF, "an enum perch_sigquit")) ||
	    (r = field("perch_config.follow", out->follow, 0, PERCH_FOLLOW_OFF, "an enum perch_follow")) ||
	    (r = field("perch_config.stats", out->stats, 0, 1, "0 or 1")) ||
	    (r = field("perch_config.steal", out->steal, 0, PERCH_STEAL_NONE, "an enum perch_steal")))
		return r;
	return 0;
}

void config_tell_others(const struct perch_config *wanted, const struct perch_config *in_force)
{
	const struct {
		const char *name;
		uint64_t wanted, in_force;
	} fields[] = {
		{"procs", wanted->procs, in_force->procs},
		{"workers", wanted->workers, in_force->workers},
		{"handoff", wanted->handoff, in_force->handoff},
		{"spares", wanted->spares, in_force->spares},
		{"stack_size", wanted->stack_size, in_force->stack_size},
		{"guard", wanted->guard, in_force->guard},
		{"rseq", wanted->rseq, in_force->rseq},
		{"shuffle", wanted->shuffle, in_force->shuffle},
		{"deadlock", wanted->deadlock, in_force->deadlock},
		{"sigquit", wanted->sigquit, in_force->sigquit},
		{"follow", wanted->follow, in_force->follow},
		{"stats", wanted->stats, in_force->stats},
		{"steal", wanted->steal, in_force->steal},
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (fields[i].wanted && fields[i].wanted != fields[i].in_force)
			fprintf(stderr, "perch: the runtime is up with %s=%llu: %llu (perch_config.%s) has no effect\n",
				fields[i].name, (unsigned long long)fields[i].in_force,
				(unsigned long long)fields[i].wanted, fields[i].name);
}

#define DELAY_MOST 1000000000

int config_policy(const struct perch_config *config, struct policy *policy)
{
	static const enum policy_kind kinds[] = {
		[PERCH_STEAL_AUTO] = POLICY_NEAR_FIRST, [PERCH_STEAL_NEAR_FIRST] = POLICY_NEAR_FIRST,
		[PERCH_STEAL_FLAT] = POLICY_FLAT,       [PERCH_STEAL_NODE_ONLY] = POLICY_NODE_ONLY,
		[PERCH_STEAL_NONE] = POLICY_NONE,
	};
	uint64_t ns;
	int r = number_from("PERCH_STEAL_DELAY", false, 0, DELAY_MOST, "nanoseconds, 0 to 1000000000", &ns);

	if (r < 0)
		return r;
	policy_init(policy, kinds[config->steal]);
	if (r)
		policy_set_delay(policy, ns);
	return 0;
}
