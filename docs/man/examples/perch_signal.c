/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L /* sigaction() */
#include <perch/perch.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int came; /* an eventfd */

/* write(2) may be called in a handler; perch_sem_post() may not. */
static void on_signal(int signal)
{
	const unsigned long long one = 1;

	(void)signal;
	if (write(came, &one, sizeof(one)) != sizeof(one))
		_exit(1);
}

static void *wait_for_signals(void *arg)
{
	unsigned long long n = 0;

	raise(SIGUSR1);
	/* only this thread waits */
	return perch_read(came, &n, sizeof(n)) == sizeof(n) && n == 1 ? arg : NULL;
}

int main(void)
{
	struct sigaction a = {.sa_handler = on_signal};
	void *status = NULL;

	came = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (came < 0 || sigaction(SIGUSR1, &a, NULL))
		return 1;
	return perch_run(NULL, wait_for_signals, &came, &status) || status != &came;
}
