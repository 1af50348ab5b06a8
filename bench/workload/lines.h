/* SPDX-License-Identifier: MIT */
/* lines.h - lines of a text to be sorted as memcmp would. */
#ifndef BENCH_WORKLOAD_LINES_H
#define BENCH_WORKLOAD_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct line {
	uint64_t first; /* its first 8 bytes, big-endian: most comparisons end here */
	const char *text;
	size_t length; /* without the newline */
};

struct lines {
	char *text;
	size_t length;
	struct line *line;
	size_t n;
};

static inline int line_compare(const struct line *a, const struct line *b)
{
	size_t common = a->length < b->length ? a->length : b->length;
	int r;

	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	r = memcmp(a->text, b->text, common);
	if (r)
		return r;
	return a->length < b->length ? -1 : a->length > b->length;
}

/* 0 or -errno. */
int lines_read(struct lines *l, const char *path);
/* n lines of words, the same ones each time. */
int lines_generate(struct lines *l, size_t n);
void lines_free(struct lines *l);

#endif
