/* SPDX-License-Identifier: MIT */
#include "core/see/text.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE 512
/* For how long a reader of a non-blocking file may keep us waiting. */
#define PATIENCE_MS 5000

void text_put(struct text *t, const char *format, ...)
{
	char piece[PIECE];
	va_list args;
	size_t length;
	int n;

	va_start(args, format);
	n = vsnprintf(piece, sizeof(piece), format, args);
	va_end(args);
	if (n < 0)
		return;
	length = (size_t)n < sizeof(piece) ? (size_t)n : sizeof(piece) - 1;
	if (t->length + length > t->room) {
		size_t room = t->room ? 2 * t->room : 16384;
		char *more = realloc(t->at, room);

		if (!more) {
			t->error = -ENOMEM;
			return;
		}
		t->at = more;
		t->room = room;
	}
	memcpy(t->at + t->length, piece, length);
	t->length += length;
}

void text_number(struct text *t, uint64_t n)
{
	char digits[24], out[32];
	int length = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n), k = 0;

	for (int i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			out[k++] = ',';
		out[k++] = digits[i];
	}
	out[k] = 0;
	text_put(t, "%s", out);
}

void text_time(struct text *t, uint64_t ms)
{
	unsigned long long s = ms / 1000;

	if (s < 10)
		text_put(t, "%llu.%03u s", s, (unsigned)(ms % 1000));
	else if (s < 600)
		text_put(t, "%llu s", s);
	else if (s < 36000)
		text_put(t, "%llu min", s / 60);
	else
		text_put(t, "%llu h %llu min", s / 3600, s / 60 % 60);
}

int text_write(const struct text *t, int fd)
{
	size_t done = 0;

	while (done < t->length) {
		ssize_t n = write(fd, t->at + done, t->length - done);
		struct pollfd ready = {fd, POLLOUT, 0};

		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN && poll(&ready, 1, PATIENCE_MS) > 0)
			continue;
		else if (errno != EINTR)
			return -errno;
	}
	return t->error;
}

void text_free(struct text *t)
{
	free(t->at);
	*t = (struct text){0};
}
