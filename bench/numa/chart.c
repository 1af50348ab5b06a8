/* SPDX-License-Identifier: MIT */
#include "bench/numa/chart.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/arguments.h"

struct chart *chart_new(enum chart_form form, const char *title, const char *unit)
{
	struct chart *chart = calloc(1, sizeof(*chart));

	if (!chart)
		return NULL;
	chart->form = form;
	snprintf(chart->title, sizeof(chart->title), "%s", title);
	snprintf(chart->unit, sizeof(chart->unit), "%s", unit);
	return chart;
}

static int find_row(struct chart *chart, const char *name)
{
	int i = 0;

	while (i < chart->rows && strcmp(chart->row[i], name))
		i++;
	if (i == CHART_ROWS_MOST)
		return -E2BIG;
	if (i == chart->rows)
		snprintf(chart->row[chart->rows++], sizeof(chart->row[0]), "%s", name);
	return i;
}

static int find_column(struct chart *chart, const char *name)
{
	int i = 0;

	while (i < chart->columns && strcmp(chart->column[i], name))
		i++;
	if (i == CHART_COLUMNS_MOST)
		return -E2BIG;
	if (i == chart->columns) {
		snprintf(chart->column[chart->columns++], sizeof(chart->column[0]), "%s", name);
		chart->colour[i] = i;
	}
	return i;
}

static int refuse(struct chart *chart, const struct row *from)
{
	fprintf(stderr, "%s: %s: refused: one picture of two machines, '%s' (%s) and '%s' (%s)\n", program_name,
		chart->title, chart->of.machine, chart->of.kind, from->machine, from->kind);
	chart->r = -EXDEV;
	return chart->r;
}

int chart_cell(struct chart *chart, const char *row, const char *column, const struct row *from, double min,
	       double median, double max)
{
	int i, j;

	if (!*chart->of.machine)
		chart->of = *from;
	else if (!row_same_machine(&chart->of, from))
		return refuse(chart, from);
	i = find_row(chart, row);
	j = find_column(chart, column);
	if (i < 0 || j < 0) {
		fprintf(stderr, "%s: %s: more names than fit in a picture\n", program_name, chart->title);
		chart->r = -E2BIG;
		return chart->r;
	}
	chart->cell[i][j] = (struct chart_cell){min, median, max, true};
	return 0;
}

/* Between gnuplot's double quotes, where backquotes would be commands. */
static void put_text(FILE *to, const char *text)
{
	for (; *text; text++)
		fputc(*text == '"' || *text == '\\' || *text == '`' || (unsigned char)*text < ' ' ? '?' : *text, to);
}

static const char *kind_says(const struct chart *chart)
{
	if (!strcmp(chart->of.kind, "real"))
		return "real machine";
	if (!strcmp(chart->of.kind, "VM"))
		return "VM, not real hardware";
	return "EMULATED: the nodes are only described, times are not theirs";
}

/* Three lines over the whole picture, not only over its axes: machines have long names. */
static void put_head(FILE *to, const struct chart *chart)
{
	fputs("# gnuplot script, data and all: run it where it lies\nset label 1 \"", to);
	put_text(to, chart->title);
	if (chart->workers)
		fprintf(to, ", %u worker%s", chart->workers, chart->workers == 1 ? "" : "s");
	fprintf(to, "\" at screen 0.5,0.965 center noenhanced font \",15\"\nset label 2 \"%s\"", kind_says(chart));
	fputs(" at screen 0.5,0.92 center noenhanced\nset label 3 \"", to);
	put_text(to, chart->of.machine);
	fputs("\" at screen 0.5,0.88 center noenhanced font \",10\"\nset tmargin at screen 0.84\n", to);
}

static void put_figure(FILE *to, const struct chart_cell *cell, double value)
{
	if (cell->filled && isfinite(value))
		fprintf(to, " %.6g", value);
	else
		fputs(" NaN", to);
}

static double row_sum(const struct chart *chart, int row)
{
	double sum = 0;

	for (int j = 0; j < chart->columns; j++)
		if (chart->cell[row][j].filled)
			sum += chart->cell[row][j].median;
	return sum;
}

static void put_bars_data(FILE *to, const struct chart *chart)
{
	fputs("$data << END\n", to);
	for (int i = 0; i < chart->rows; i++) {
		double sum = row_sum(chart, i);

		fputc('"', to);
		put_text(to, chart->row[i]);
		if (chart->form == CHART_STACKED && !(sum > 0))
			fputs(" (no steals)", to);
		fputc('"', to);
		for (int j = 0; j < chart->columns; j++) {
			const struct chart_cell *cell = &chart->cell[i][j];

			if (chart->form == CHART_STACKED) {
				fprintf(to, " %.6g", sum > 0 && cell->filled ? 100 * cell->median / sum : 0);
				continue;
			}
			put_figure(to, cell, cell->median);
			put_figure(to, cell, cell->min);
			put_figure(to, cell, cell->max);
		}
		fputc('\n', to);
	}
	fputs("END\n", to);
}

/* Okabe and Ito's colours, which can be told apart by everyone; then again, paler. */
static const char *const colours[] = {"#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00",
				      "#F0E442", "#666666", "#80B9D9", "#F3CF80", "#80CFB9", "#E6BCD3"};
#define COLOURS ((int)(sizeof(colours) / sizeof(colours[0])))

static void put_bars(FILE *to, const struct chart *chart)
{
	bool stacked = chart->form == CHART_STACKED;

	put_bars_data(to, chart);
	fputs("set style data histogram\nset style fill solid border rgb \"#444444\"\nset boxwidth 0.9\n", to);
	fputs(stacked ? "set style histogram rowstacked\nset yrange [0:100]\n"
		      : "set style histogram errorbars gap 1.5 lw 1\nset errorbars 0.5\n",
	      to);
	if (!stacked)
		fputs(*chart->unit == '%' ? "set yrange [0:105]\n" : "set yrange [0:*]\n", to);
	fputs("set key outside right top vertical Left reverse noenhanced\nset grid ytics\nset ylabel \"", to);
	put_text(to, chart->unit);
	fputs("\" noenhanced\nset xlabel \"", to);
	put_text(to, chart->rows_are);
	fprintf(to, "\" noenhanced\nset xtics nomirror noenhanced %s\n",
		chart->rows > 8   ? "rotate by -50 left font \",10\""
		: chart->rows > 3 ? "rotate by -35 left font \",11\""
				  : "");
	if (chart->rows > 3)
		fprintf(to, "set bmargin %d\n", chart->rows > 8 ? 11 : 9);
	fputs("plot", to);
	for (int j = 0; j < chart->columns; j++) {
		int c = stacked ? j + 2 : 3 * j + 2;

		if (stacked)
			fprintf(to, "%s $data using %d:xtic(1)", j ? "," : "", c);
		else
			fprintf(to, "%s $data using %d:%d:%d:xtic(1)", j ? "," : "", c, c + 1, c + 2);
		fprintf(to, " linecolor rgb \"%s\" title \"", colours[chart->colour[j] % COLOURS]);
		put_text(to, chart->column[j]);
		fputc('"', to);
	}
	fputc('\n', to);
}

static void put_names(FILE *to, const char *axis, const char *names, size_t step, int count, const char *are)
{
	fprintf(to, "set %stics scale 0 noenhanced (", axis);
	for (int i = 0; i < count; i++) {
		fprintf(to, "%s\"", i ? ", " : "");
		put_text(to, names + (size_t)i * step);
		fprintf(to, "\" %d", i);
	}
	fprintf(to, ")\nset %slabel \"", axis);
	put_text(to, are);
	/* the first row on top */
	if (*axis == 'y')
		fprintf(to, "\" noenhanced\nset yrange [%d.5:-0.5]\n", count - 1);
	else
		fprintf(to, "\" noenhanced\nset xrange [-0.5:%d.5]\n", count - 1);
}

static void put_table(FILE *to, const struct chart *chart)
{
	double least = INFINITY, most = 0;

	fputs("$data << END\n", to);
	for (int i = 0; i < chart->rows; i++)
		for (int j = 0; j < chart->columns; j++) {
			const struct chart_cell *cell = &chart->cell[i][j];

			if (!cell->filled || !isfinite(cell->median))
				continue;
			fprintf(to, "%d %d %.6g\n", j, i, cell->median);
			least = cell->median < least ? cell->median : least;
			most = cell->median > most ? cell->median : most;
		}
	fputs("END\n", to);
	put_names(to, "x", chart->column[0], sizeof(chart->column[0]), chart->columns, chart->columns_are);
	put_names(to, "y", chart->row[0], sizeof(chart->row[0]), chart->rows, chart->rows_are);
	/* pale, so that the figures can be read; never an empty range */
	fprintf(to, "set palette defined (0 \"#f7fbff\", 1 \"#6baed6\")\nset cbrange [%.6g:%.6g]\nset cblabel \"",
		least * 0.98, most * 1.02);
	put_text(to, chart->unit);
	/* square, as large as it has entries */
	fputs("\" noenhanced\nunset key\nset size ratio -1\nset style fill solid border rgb "
	      "\"#ffffff\"\n",
	      to);
	fprintf(to,
		"plot $data using 1:2:(0.5):(0.5):3 with boxxyerror linecolor palette, "
		"$data using 1:2:(sprintf(\"%%.%df\", $3)) with labels\n",
		most < 100 ? 1 : 0);
}

static int write_script(const struct chart *chart, const char *path)
{
	static const char *const terminals[2] = {
		"svg size 1080,560 font \"DejaVu Sans,13\" background rgb \"white\"",
		"pngcairo size 1620,840 fontscale 1.35 font \"DejaVu Sans,13\" background rgb \"white\"",
	};
	FILE *f = fopen(path, "we");
	int r = 0;

	if (!f)
		return -errno;
	put_head(f, chart);
	fprintf(f, "set terminal %s\nset output \"%s.svg\"\n", terminals[0], chart->file);
	if (chart->form == CHART_TABLE)
		put_table(f, chart);
	else
		put_bars(f, chart);
	fprintf(f, "set terminal %s\nset output \"%s.png\"\nreplot\n", terminals[1], chart->file);
	if (ferror(f))
		r = -EIO;
	return fclose(f) ? -errno : r;
}

/* Its exit status, or -errno. */
static int run_gnuplot(const char *directory, const char *argument, bool silent)
{
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child < 0)
		return -errno;
	if (!child) {
		int null = silent ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;

		if (null >= 0) {
			dup2(null, STDOUT_FILENO);
			dup2(null, STDERR_FILENO);
		}
		if (!chdir(directory))
			execlp("gnuplot", "gnuplot", argument, NULL);
		_exit(127);
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int chart_check_gnuplot(void)
{
	if (!run_gnuplot(".", "--version", true))
		return 0;
	fprintf(stderr,
		"%s: gnuplot, which draws, is missing; with REPORT=1 before ./bazelw it will be installed "
		"(Debian: apt-get install gnuplot-nox)\n",
		program_name);
	return -ENOENT;
}

static bool is_there(const char *directory, const char *file, const char *suffix)
{
	char *path;
	bool there;

	if (asprintf(&path, "%s/%s%s", directory, file, suffix) < 0)
		return false;
	there = !access(path, R_OK);
	free(path);
	return there;
}

int chart_draw(const struct chart *chart, const char *directory)
{
	char *path, script[96];
	int r;

	if (chart->r)
		return chart->r;
	snprintf(script, sizeof(script), "%s.gp", chart->file);
	if (asprintf(&path, "%s/%s", directory, script) < 0)
		return -ENOMEM;
	r = write_script(chart, path);
	if (!r && (run_gnuplot(directory, script, false) || !is_there(directory, chart->file, ".svg") ||
		   !is_there(directory, chart->file, ".png")))
		r = -EIO;
	if (r)
		fprintf(stderr, "%s: %s: cannot be drawn: %s\n", program_name, path,
			r == -EIO ? "gnuplot failed" : strerror(-r));
	free(path);
	return r;
}
