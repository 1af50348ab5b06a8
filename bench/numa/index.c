/* SPDX-License-Identifier: MIT */
#include "bench/numa/index.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/arguments.h"
#include "bench/numa/figures.h"

static const char *const head =
	"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>perch: NUMA experiments</title>\n"
	"<style>body{font-family:sans-serif;max-width:1120px;margin:2em auto;padding:0 1em;color:#222}\n"
	"table{border-collapse:collapse;font-size:small}td,th{padding:.15em .6em;border-bottom:1px solid #ddd;"
	"text-align:left}\ntd.n{text-align:right;font-variant-numeric:tabular-nums}img{max-width:100%;border:1px "
	"solid #ddd}\n.kind{padding:.1em .5em;border-radius:.3em;color:#fff}.real{background:#009E73}"
	".VM{background:#0072B2}.emulated{background:#D55E00}.no{color:#c00;font-weight:bold}</style></head><body>\n"
	"<h1>NUMA experiments</h1>\n<p>Each section is of one machine. <b>real</b>: hardware. <b>VM</b>: a hypervisor "
	"is below, the nodes are what it shows; under an emulator (TCG) times say nothing, counts do. "
	"<b>emulated</b>: PERCH_TOPOLOGY described another machine than there is: who steals from whom is as there, "
	"times are not. Figures of different sections are not to be compared.</p>\n";

static void put_text(FILE *to, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '&':
			fputs("&amp;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		default:
			fputc(*text, to);
		}
}

struct page {
	FILE *to;
	const char *directory;
	bool wrong;
};

static int draw(void *arg, const struct chart *chart)
{
	struct page *page = arg;
	int r = chart_draw(chart, page->directory);

	if (r)
		return r;
	fputs("<figure><img alt=\"", page->to);
	put_text(page->to, chart->title);
	fprintf(page->to,
		"\" src=\"%s.svg\"><figcaption>%s, %s: <a href=\"%s.svg\">SVG</a> <a href=\"%s.png\">PNG</a> "
		"<a href=\"%s.gp\">gnuplot</a></figcaption></figure>\n",
		chart->file, chart->title, chart->of.kind, chart->file, chart->file, chart->file);
	return 0;
}

static void put_row(struct page *page, const struct row *row)
{
	char label[48];

	row_label(row, label, sizeof(label));
	fputs("<tr><td>", page->to);
	put_text(page->to, row->workload);
	fputs("<td>", page->to);
	put_text(page->to, row->name);
	fputs("<td>", page->to);
	put_text(page->to, label);
	fprintf(page->to, "<td class=\"n\">%u<td>", row->workers);
	put_text(page->to, row->metric);
	if (isfinite(row->median))
		fprintf(page->to, "<td class=\"n\">%.4g<td class=\"n\">%.4g<td class=\"n\">%.4g<td>", row->min,
			row->median, row->max);
	else
		fputs("<td><td><td><td>", page->to);
	put_text(page->to, row->unit);
	fprintf(page->to, "<td class=\"n\">%d<td%s>%s", row->samples, row->verified ? "" : " class=\"no\"",
		row->verified ? "yes" : "NO ");
	put_text(page->to, row->error);
	fputs("</tr>\n", page->to);
	page->wrong |= !row->verified;
}

static void put_rows(struct page *page, const struct rows *rows, const struct row *machine)
{
	fputs("<details><summary>All figures</summary><table><tr><th>workload<th>case<th>by<th>workers<th>metric"
	      "<th>min<th>median<th>max<th>unit<th>runs<th>verified</tr>\n",
	      page->to);
	for (size_t i = 0; i < rows->count; i++)
		if (row_same_machine(&rows->row[i], machine))
			put_row(page, &rows->row[i]);
	fputs("</table></details>\n", page->to);
}

static void put_warnings(struct page *page, const struct rows *rows, const struct row *machine)
{
	size_t wrong = 0;

	for (size_t i = 0; i < rows->count; i++)
		wrong += row_same_machine(&rows->row[i], machine) && !rows->row[i].verified;
	if (wrong)
		fprintf(page->to, "<p class=\"no\">%zu figures are NOT verified; see the table.</p>\n", wrong);
}

/* The first row of each machine. */
static bool is_first(const struct rows *rows, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (row_same_machine(&rows->row[j], &rows->row[i]))
			return false;
	return true;
}

/* "vm", or "vm2" for the second of its kind. */
static void find_prefix(const struct rows *rows, size_t i, char *prefix, size_t size)
{
	int same_kind = 1;

	for (size_t j = 0; j < i; j++)
		same_kind += is_first(rows, j) && !strcmp(rows->row[j].kind, rows->row[i].kind);
	if (same_kind > 1)
		snprintf(prefix, size, "%s%d", rows->row[i].kind, same_kind);
	else
		snprintf(prefix, size, "%s", rows->row[i].kind);
	for (char *c = prefix; *c; c++)
		*c = (char)tolower((unsigned char)*c);
}

static int put_machine(struct page *page, const struct rows *rows, size_t i)
{
	const struct row *machine = &rows->row[i];
	char prefix[24];
	int r;

	find_prefix(rows, i, prefix, sizeof(prefix));
	fprintf(page->to, "<h2 id=\"%s\"><span class=\"kind %s\">%s</span> ", prefix, machine->kind, machine->kind);
	put_text(page->to, machine->machine);
	fputs("</h2>\n", page->to);
	put_warnings(page, rows, machine);
	r = figures_make(rows, machine, prefix, draw, page);
	put_rows(page, rows, machine);
	return r;
}

int index_write(const struct rows *rows, const char *directory)
{
	struct page page = {.directory = directory};
	char *path;
	int r = 0;

	if (asprintf(&path, "%s/index.html", directory) < 0)
		return 1;
	page.to = fopen(path, "we");
	if (page.to) {
		fputs(head, page.to);
		for (size_t i = 0; i < rows->count && !r; i++)
			if (is_first(rows, i))
				r = put_machine(&page, rows, i);
		fputs("</body></html>\n", page.to);
		if (ferror(page.to) | fclose(page.to))
			r = -EIO;
	} else
		r = -errno;
	if (r)
		fprintf(stderr, "%s: %s: %s\n", program_name, path, strerror(-r));
	else if (page.wrong)
		fprintf(stderr, "%s: NOT everything in the report is verified\n", program_name);
	free(path);
	return r || page.wrong;
}

int index_check_gnuplot(void)
{
	return chart_check_gnuplot();
}
