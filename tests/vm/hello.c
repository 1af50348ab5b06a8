/* SPDX-License-Identifier: MIT */
/* hello.c - STATUS [ARG...]: says what it was given, on both streams, and exits so; "abort" aborts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	const char *v = getenv("HELLO");

	printf("hello, HELLO=%s\n", v ? v : "(unset)");
	for (int i = 2; i < argc; i++)
		printf("<%s>\n", argv[i]);
	fflush(stdout);
	fprintf(stderr, "to stderr\n");
	if (argc > 1 && !strcmp(argv[1], "abort"))
		abort();
	return argc > 1 ? atoi(argv[1]) : 0;
}
