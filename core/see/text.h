/* SPDX-License-Identifier: MIT */
/* text.h - a text that is put together in memory, and then written at once. */
#ifndef PERCH_SEE_TEXT_H
#define PERCH_SEE_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
	char *at;
	size_t length, room;
	int error; /* -ENOMEM, once something did not fit */
};

void text_put(struct text *t, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));
/* A number with commas between thousands. */
void text_number(struct text *t, uint64_t n);
/* Milliseconds as seconds, as short as reads well: 0.012 s, 12 s, 3 h 20 min. */
void text_time(struct text *t, uint64_t ms);
/* Write it. 0, or the error of what went wrong first. */
int text_write(const struct text *t, int fd);
void text_free(struct text *t);

#endif
