/* SPDX-License-Identifier: MIT */
#include "bench/workload/lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/workload/random.h"

static int split(struct lines *l)
{
	const char *at = l->text, *end = l->text + l->length;

	l->n = 0;
	for (const char *p = at; p < end; p++)
		l->n += *p == '\n';
	if (l->length && end[-1] != '\n')
		l->n++;
	l->line = calloc(l->n ? l->n : 1, sizeof(*l->line));
	if (!l->line)
		return -ENOMEM;
	for (size_t i = 0; i < l->n; i++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		struct line *line = &l->line[i];

		line->text = at;
		line->length = (size_t)((newline ? newline : end) - at);
		for (size_t b = 0; b < 8; b++)
			line->first = line->first << 8 | (b < line->length ? (unsigned char)at[b] : 0);
		at += line->length + 1;
	}
	return 0;
}

static int read_all(struct lines *l, FILE *f)
{
	size_t room = 0;

	for (;;) {
		if (room - l->length < 1 << 16) {
			char *more;

			room = room ? room * 2 : 1 << 20;
			more = realloc(l->text, room);
			if (!more)
				return -ENOMEM;
			l->text = more;
		}
		errno = 0;
		l->length += fread(l->text + l->length, 1, room - l->length, f);
		if (ferror(f))
			return errno ? -errno : -EIO;
		if (feof(f))
			return split(l);
	}
}

int lines_read(struct lines *l, const char *path)
{
	FILE *f = fopen(path, "re");
	int r;

	memset(l, 0, sizeof(*l));
	if (!f)
		return -errno;
	r = read_all(l, f);
	fclose(f);
	if (r)
		lines_free(l);
	return r;
}

/* Six words of three syllables, and what follows each. */
#define LINE_MOST 64

/* A few thousand distinct words, so that many lines begin alike. */
static size_t put_word(char *to, uint64_t number)
{
	static const char *const syllable[] = {"per", "ch",  "ka", "lo", "mi",  "ren", "sta", "tu",
					       "vo",  "wer", "xi", "ya", "zon", "bra", "du",  "fel"};
	size_t length = 0, syllables = 1 + number % 3;

	for (size_t i = 0; i < syllables; i++)
		for (const char *c = syllable[number >> (4 + 4 * i) & 15]; *c; c++)
			to[length++] = *c;
	return length;
}

int lines_generate(struct lines *l, size_t n)
{
	uint64_t state = 1;

	memset(l, 0, sizeof(*l));
	l->text = calloc(n + 1, LINE_MOST);
	if (!l->text)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		size_t words = 1 + random_next(&state) % 6;

		while (words--) {
			l->length += put_word(l->text + l->length, random_next(&state));
			l->text[l->length++] = words ? ' ' : '\n';
		}
	}
	return split(l);
}

void lines_free(struct lines *l)
{
	free(l->text);
	free(l->line);
	memset(l, 0, sizeof(*l));
}
