/* SPDX-License-Identifier: MIT */
#include <perch/perch.h>
#include <stdio.h>
#include <unistd.h>

static int channel[2];

/* Any code that may block: this does not know of perch. */
static void *read_a_byte(void *byte)
{
	return read(channel[0], byte, 1) == 1 ? byte : NULL;
}

static void write_a_byte(void *arg)
{
	perch_block_begin();
	if (write(channel[1], arg, 1) != 1)
		perror("write");
	perch_block_end();
}

static void *first(void *arg)
{
	char byte = 0;

	/* it runs while this thread, which holds the only worker, waits for it */
	if (perch_go(write_a_byte, "*") || !perch_blocking(read_a_byte, &byte))
		return NULL;
	printf("read %c\n", byte);
	return arg;
}

int main(void)
{
	struct perch_config config = {.workers = 1};
	void *result = NULL;

	return pipe(channel) || perch_run(&config, first, channel, &result) || !result;
}
