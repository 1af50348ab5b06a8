/* SPDX-License-Identifier: MIT */
/*
 * json_lines.c - is standard input JSON, an object a line, with the fields that
 * the bench promises? Prints "WORKLOAD CASE BACKEND WORKERS METRIC VERIFIED" for
 * each line, and ends with 1 at the first line that is not as it should be.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct field {
	const char *key;
	char type; /* s string, n number or null, b bool */
	bool seen;
	char text[512];
};

static struct field fields[] = {
	{.key = "workload", .type = 's'}, {.key = "case", .type = 's'},   {.key = "backend", .type = 's'},
	{.key = "workers", .type = 'n'},  {.key = "metric", .type = 's'}, {.key = "verified", .type = 'b'},
	{.key = "size", .type = 's'},     {.key = "params", .type = 's'}, {.key = "unit", .type = 's'},
	{.key = "better", .type = 's'},   {.key = "min", .type = 'n'},    {.key = "median", .type = 'n'},
	{.key = "max", .type = 'n'},      {.key = "n", .type = 'n'},      {.key = "machine", .type = 's'},
	{.key = "kind", .type = 's'},     {.key = "error", .type = 's'},  {.key = "policy", .type = 's'},
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))
#define PRINTED 6
#define OPTIONAL 2 /* at the end */

static const char *at;
static unsigned long line_number;

static void fail(const char *what)
{
	fprintf(stderr, "line %lu: %s, at: %.60s\n", line_number, what, at);
	exit(1);
}

static void expect(char c)
{
	if (*at != c)
		fail("not JSON");
	at++;
}

static void string(char *to, size_t size)
{
	size_t used = 0;

	expect('"');
	while (*at != '"') {
		if ((unsigned char)*at < ' ')
			fail("a control character, or the line's end, in a string");
		if (*at == '\\' && !strchr("\"\\/bfnrt", *++at))
			fail("a bad escape");
		if (used + 1 < size)
			to[used++] = *at;
		at++;
	}
	to[used] = 0;
	at++;
}

static void digits(void)
{
	if (!isdigit((unsigned char)*at))
		fail("not a number of JSON");
	while (isdigit((unsigned char)*at))
		at++;
}

static void number(void)
{
	if (*at == '-')
		at++;
	if (*at == '0' && isdigit((unsigned char)at[1]))
		fail("a number that begins with 0");
	digits();
	if (*at == '.') {
		at++;
		digits();
	}
	if (*at == 'e' || *at == 'E') {
		at++;
		if (*at == '+' || *at == '-')
			at++;
		digits();
	}
}

static bool word(const char *w)
{
	if (strncmp(at, w, strlen(w)) != 0)
		return false;
	at += strlen(w);
	return true;
}

static void value(struct field *f)
{
	const char *start = at;
	size_t length;

	if (f->type == 's') {
		string(f->text, sizeof(f->text));
		return;
	}
	if (f->type == 'b' && !word("true") && !word("false"))
		fail("neither true nor false");
	if (f->type == 'n' && !word("null"))
		number();
	length = (size_t)(at - start) < sizeof(f->text) ? (size_t)(at - start) : sizeof(f->text) - 1;
	memcpy(f->text, start, length);
	f->text[length] = 0;
}

static struct field *field(const char *key)
{
	for (size_t i = 0; i < FIELDS; i++)
		if (!strcmp(fields[i].key, key))
			return &fields[i];
	fail("a field that nobody knows");
	return NULL;
}

static void object(void)
{
	char key[64];

	expect('{');
	for (;;) {
		struct field *f;

		string(key, sizeof(key));
		f = field(key);
		if (f->seen)
			fail("a field that is there twice");
		f->seen = true;
		expect(':');
		value(f);
		if (*at != ',')
			break;
		at++;
	}
	expect('}');
	expect('\n');
	if (*at)
		fail("something behind the object");
}

static double figure(const char *key)
{
	return strtod(field(key)->text, NULL);
}

static void check_values(void)
{
	const char *better = field("better")->text;

	for (size_t i = 0; i < FIELDS - OPTIONAL; i++)
		if (!fields[i].seen || !*fields[i].text) {
			at = fields[i].key;
			if (strcmp(at, "params") != 0 || !fields[i].seen)
				fail("a field is missing or empty");
		}
	if (strcmp(better, "lower") != 0 && strcmp(better, "higher") != 0)
		fail("`better` is neither lower nor higher");
	if (strcmp(field("kind")->text, "real") != 0 && strcmp(field("kind")->text, "VM") != 0 &&
	    strcmp(field("kind")->text, "emulated") != 0)
		fail("`kind` is neither real, VM nor emulated");
	if (figure("workers") < 1)
		fail("no workers");
	if (!strcmp(field("median")->text, "null")) {
		if (figure("n") != 0 || strcmp(field("verified")->text, "false") != 0)
			fail("null figures, yet samples or verified");
		return;
	}
	if (figure("n") < 1 || figure("min") > figure("median") || figure("median") > figure("max") ||
	    figure("min") < 0)
		fail("min, median, max and n do not fit together");
}

int main(void)
{
	char line[4096];

	while (fgets(line, sizeof(line), stdin)) {
		line_number++;
		at = line;
		for (size_t i = 0; i < FIELDS; i++)
			fields[i].seen = false;
		object();
		check_values();
		for (int i = 0; i < PRINTED; i++)
			printf("%s%c", fields[i].text, i + 1 < PRINTED ? ' ' : '\n');
	}
	if (!line_number) {
		fprintf(stderr, "no lines at all\n");
		return 1;
	}
	return 0;
}
