/* SPDX-License-Identifier: MIT */
/* rows.h - results that were written before: the lines of results.json files. */
#ifndef BENCH_NUMA_ROWS_H
#define BENCH_NUMA_ROWS_H

#include <stdbool.h>
#include <stddef.h>

struct row {
	char workload[24], name[48], size[8], backend[16], policy[16], metric[40], unit[16];
	char params[256], machine[512], kind[12], error[160];
	unsigned workers;
	double min, median, max; /* NAN: it failed */
	int samples;
	bool verified;
};

struct rows {
	struct row *row;
	size_t count, room;
};

/*
 * Add the lines of a file. A line that is no result, does not say what kind of
 * machine it is of, or says again what another has said, is an error.
 * 0; or -errno after a message that names the file and the line.
 */
int rows_read(struct rows *rows, const char *path);
void rows_free(struct rows *rows);

/* "perch/flat", or "omp". */
void row_label(const struct row *row, char *text, size_t size);
/* Figures that may stand beside each other: the same machine, of the same kind. */
bool row_same_machine(const struct row *a, const struct row *b);

#endif
