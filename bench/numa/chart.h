/* SPDX-License-Identifier: MIT */
/*
 * chart.h - one picture: figures by two names, as bars or as a table of colours,
 * drawn by gnuplot from a script that stays beside it.
 *
 * All its figures are of one machine of one kind: chart_cell() refuses another.
 */
#ifndef BENCH_NUMA_CHART_H
#define BENCH_NUMA_CHART_H

#include <stdbool.h>

#include "bench/numa/rows.h"

#define CHART_ROWS_MOST 64
#define CHART_COLUMNS_MOST 64

enum chart_form {
	CHART_BARS,    /* beside each other, from the least to the most as a line on top */
	CHART_STACKED, /* shares of each row, in percent */
	CHART_TABLE,   /* colours with figures, columns across */
};

struct chart_cell {
	double min, median, max;
	bool filled;
};

struct chart {
	enum chart_form form;
	char file[80]; /* without directory and suffix */
	char title[160], rows_are[60], columns_are[60], unit[60];
	char row[CHART_ROWS_MOST][64], column[CHART_COLUMNS_MOST][48];
	int rows, columns;
	int colour[CHART_COLUMNS_MOST]; /* of a column: the same when others are dropped */
	struct chart_cell cell[CHART_ROWS_MOST][CHART_COLUMNS_MOST];
	struct row of;    /* the first that was put in: the machine */
	unsigned workers; /* 0: not to be said */
	int r;            /* the first error of chart_cell() */
};

/* A new one, empty. NULL: no memory. free() it. */
struct chart *chart_new(enum chart_form form, const char *title, const char *unit);

/*
 * Put in figures under two names, which are added when they are new.
 * @from: the result that they are of
 *
 * -EXDEV: it is of another machine, or kind of machine, than what is there;
 * -E2BIG: too many names. Both are also kept in chart->r.
 */
int chart_cell(struct chart *chart, const char *row, const char *column, const struct row *from, double min,
	       double median, double max);

/* Write directory/file.gp, and have .svg and .png made. 0; or -errno after a message. */
int chart_draw(const struct chart *chart, const char *directory);

/* Is gnuplot there? -ENOENT after a message that says how to get it. */
int chart_check_gnuplot(void);

#endif
