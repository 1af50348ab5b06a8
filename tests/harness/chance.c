/* SPDX-License-Identifier: MIT */
/* chance.c - random numbers that a seed brings back, delays, and time. */
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "tests/harness/helpers.h"
#include "tests/harness/internal.h"

static uint64_t seed;
static uint64_t sequences; /* handed out, one for each pthread */
static __thread uint64_t state;
static uint64_t stress_began;

uint64_t harness_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t harness_seed(void)
{
	const char *given = getenv("PERCH_TEST_SEED");

	if (!seed)
		seed = given ? strtoull(given, NULL, 0) : harness_now();
	if (!seed)
		seed = 1;
	return seed;
}

/* splitmix64 (Steele, Lea, Flood, 2014) */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

/* noinline: a caller that moves between pthreads must not keep the address of `state` */
__attribute__((__noinline__)) uint64_t harness_random(void)
{
	if (!state)
		state = mix(harness_seed() + 0x632be59bd9b4e019 * __atomic_add_fetch(&sequences, 1, __ATOMIC_RELAXED)) |
			1;
	state += 0x9e3779b97f4a7c15;
	return mix(state);
}

uint64_t harness_random_below(uint64_t n)
{
	return (uint64_t)(((unsigned __int128)harness_random() * n) >> 64);
}

void harness_delay(uint64_t max_ns)
{
	uint64_t until;

	if (!max_ns)
		return;
	if (harness_random_below(16) == 0) {
		sched_yield();
		return;
	}
	until = harness_now() + harness_random_below(max_ns);
	while (harness_now() < until)
		;
}

double harness_stress_seconds(void)
{
	const char *given = getenv("PERCH_STRESS_SECONDS");
	double seconds = given ? strtod(given, NULL) : 0;

	return seconds > 0 ? seconds : 10;
}

void harness_stress_begin(void)
{
	stress_began = harness_now();
}

bool harness_stress_over(void)
{
	return (double)(harness_now() - stress_began) > harness_stress_seconds() * 1e9;
}
