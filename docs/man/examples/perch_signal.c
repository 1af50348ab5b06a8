/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L /* sigaction() */
#include <perch/perch.h>
#include <errno.h>
#include <signal.h>

static perch_sem_t came = PERCH_SEM_INIT(0);

static void on_signal(int signal)
{
	int saved = errno;

	(void)signal;
	perch_sem_post(&came);
	errno = saved;
}

static void *wait_for_signals(void *arg)
{
	raise(SIGUSR1);
	return perch_sem_wait(&came) ? NULL : arg; /* only this thread waits */
}

int main(void)
{
	struct sigaction a = {.sa_handler = on_signal};
	void *status = NULL;

	if (sigaction(SIGUSR1, &a, NULL))
		return 1;
	return perch_run(NULL, wait_for_signals, &came, &status) || status != &came;
}
