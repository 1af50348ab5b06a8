/* SPDX-License-Identifier: MIT */
#include <perch/perch.h>
#include <stdio.h>
#include <string.h>

struct message {
	struct message *next;
	char text[40];
};

static void *speak(void *arg)
{
	struct message *m = perch_alloc(sizeof(*m));

	if (!m)
		return NULL;
	m->next = arg;
	strcpy(m->text, "made in one thread, freed in another");
	return m;
}

int main(void)
{
	void *status;

	if (perch_run(NULL, speak, NULL, &status))
		return 1;
	if (status)
		puts(((struct message *)status)->text);
	perch_free(status);
	return 0;
}
