/* SPDX-License-Identifier: Apache-2.0 */
/* All bins are of one width on a logarithmic scale: sizes differ by factors. */
#include "cli/check_data_charts.h"

#include "base/compiler.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEAST_BINS = 5,
    BINS = 72,      /* at most */
    WORD = 40,      /* bytes of a tick or a label */
    CLASS_BARS = 40 /* more classes are not drawn one by one */
};

typedef struct histogram {
    const fv_check_report *report;
    double values[FV_TWINS_PARTS * BINS]; /* [part][bin], dense from `low` to `high` when drawn */
    int low, high;                        /* the bins that are not empty, inclusive */
    char ticks[BINS + 1][WORD], labels[BINS][WORD];
} histogram;

/* Which bin a readable picture falls into; any number. */
typedef int bin_fn(const fv_census_picture *picture);

static void count(histogram *h, bin_fn *bin)
{
    const fv_check *c = &h->report->check;
    h->low = BINS;
    h->high = -1;
    memset(h->values, 0, sizeof(h->values));
    for (int part = 0; part < fv_min(c->part_count, FV_TWINS_PARTS); part++) {
        const fv_census *census = &c->parts[part];
        for (int64_t i = 0; i < census->count; i++) {
            if (!census->pictures[i].readable) continue;
            const int b = fv_max(0, fv_min(bin(&census->pictures[i]), BINS - 1));
            h->values[part * BINS + b] += 100.0 / (double)census->readable;
            h->low = fv_min(h->low, b);
            h->high = fv_max(h->high, b);
        }
    }
    memset(h->ticks, 0, sizeof(h->ticks));
}

/* Where all are alike, bare bins on either side say so. */
static void widen(histogram *h)
{
    while (h->high - h->low + 1 < LEAST_BINS) {
        h->low = fv_max(h->low - 1, 0);
        h->high = fv_min(h->high + 1, BINS - 1);
    }
}

/* The bins between low and high, with what stands below them. */
static void draw(fv_html *html, histogram *h, const char *title, bool between)
{
    static const char *const names[FV_TWINS_PARTS] = { "train", "val" };
    const int parts = h->report->check.part_count, bins = h->high - h->low + 1;
    const char *ticks[BINS + 1], *labels[BINS];
    double values[FV_TWINS_PARTS * BINS];
    for (int i = 0; i <= bins; i++) ticks[i] = h->ticks[h->low + i];
    for (int i = 0; i < bins; i++) labels[i] = h->labels[h->low + i];
    for (int part = 0; part < parts; part++)
        for (int i = 0; i < bins; i++)
            values[part * bins + i] = h->values[part * BINS + h->low + i];
    fv_chart_bars(html, &(fv_bars){ .title = title,
                                    .unit = "%",
                                    .ticks = ticks,
                                    .between = between,
                                    .labels = labels,
                                    .names = parts > 1 ? names : NULL,
                                    .values = values,
                                    .count = bins,
                                    .series = parts });
}

/* ---- Sizes ---- */

enum { SIDE_STEPS = 4 /* bins between a size and its double */, ASPECT_STEPS = 5, ASPECT_MOST = 3 };

static double side_of(int bin) { return exp2((double)bin / SIDE_STEPS); }

/* The edges are whole numbers of pixels, so that a side of 256 is never put below 256. */
static int bin_side(const fv_census_picture *p)
{
    const int side = fv_min(p->width, p->height);
    int bin = (int)(log2(side) * SIDE_STEPS);
    while (ceil(side_of(bin + 1)) <= side) bin++;
    while (bin > 0 && ceil(side_of(bin)) > side) bin--;
    return bin;
}

static void draw_sides(fv_html *html, histogram *h)
{
    count(h, bin_side);
    if (h->high < 0) return;
    widen(h);
    for (int i = 0; i <= BINS; i++) snprintf(h->ticks[i], WORD, "%.0f", ceil(side_of(i)));
    for (int i = 0; i < BINS; i++)
        snprintf(h->labels[i], WORD, "%.0f to %.0f pixels", ceil(side_of(i)),
                 ceil(side_of(i + 1)) - 1.0);
    draw(html, h, "Shorter side, pixels (% of pictures)", true);
}

static int bin_aspect(const fv_census_picture *p)
{
    return (int)lround(log2((double)p->width / p->height) * ASPECT_STEPS) +
           ASPECT_MOST * ASPECT_STEPS;
}

static void draw_aspects(fv_html *html, histogram *h)
{
    count(h, bin_aspect);
    if (h->high < 0) return;
    const int middle = ASPECT_MOST * ASPECT_STEPS;
    /* Square is always in sight. */
    h->low = fv_min(h->low, middle - ASPECT_STEPS);
    h->high = fv_min(fv_max(h->high, middle + ASPECT_STEPS), 2 * middle);
    for (int i = 0; i < BINS; i++) {
        const double ratio = exp2((double)abs(i - middle) / ASPECT_STEPS);
        const char *label = i < middle ? "about 1 : %.2f" : "about %.2f : 1";
        const char *tick = i < middle ? "1:%.0f" : "%.0f:1";
        snprintf(h->labels[i], WORD, label, ratio);
        if ((i - middle) % ASPECT_STEPS == 0) snprintf(h->ticks[i], WORD, tick, ratio);
    }
    draw(html, h, "Width to height (% of pictures)", false);
}

static int bin_bytes(const fv_census_picture *p)
{
    return (int)floor(log2(fmax(p->bytes, 1.0) / 1024.0) * 2.0) + 20;
}

static void write_bytes(char *out, double kib)
{
    if (kib < 1.0)
        snprintf(out, WORD, "%.0f B", kib * 1024.0);
    else if (kib < 1024.0)
        snprintf(out, WORD, "%.0fk", kib);
    else
        snprintf(out, WORD, "%.0fM", kib / 1024.0);
}

static void draw_bytes(fv_html *html, histogram *h)
{
    count(h, bin_bytes);
    if (h->high < 0) return;
    widen(h);
    for (int i = 0; i <= BINS; i++) write_bytes(h->ticks[i], exp2((i - 20) / 2.0));
    for (int i = 0; i < BINS; i++)
        snprintf(h->labels[i], WORD, "%.12s to %.12s bytes", h->ticks[i], h->ticks[i + 1]);
    draw(html, h, "Bytes of a file (% of pictures)", true);
}

/* ---- Classes ---- */

static void draw_few_classes(fv_html *html, const fv_check_report *r)
{
    static const char *const names[FV_TWINS_PARTS] = { "train", "val" };
    const fv_check *c = &r->check;
    char words[CLASS_BARS][WORD];
    const char *ticks[CLASS_BARS], *labels[CLASS_BARS];
    double values[FV_TWINS_PARTS * CLASS_BARS];
    for (int label = 0; label < c->classes; label++) {
        const char *name = fv_check_report_class_name(r, 0, label);
        snprintf(words[label], WORD, "%d", label);
        ticks[label] = words[label];
        labels[label] = *name ? name : words[label];
        for (int part = 0; part < c->part_count; part++)
            values[part * c->classes + label] = (double)fv_check_class_count(c, part, label);
    }
    fv_chart_bars(html, &(fv_bars){ .title = "Pictures per class",
                                    .unit = "pictures",
                                    .ticks = ticks,
                                    .labels = labels,
                                    .names = c->part_count > 1 ? names : NULL,
                                    .values = values,
                                    .count = c->classes,
                                    .series = c->part_count });
}

static int compare_doubles(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x == *y ? 0 : *x < *y ? 1 : -1;
}

/* Largest class first; of so many classes, CLASS_BARS at even distances. */
static void draw_many_classes(fv_html *html, const fv_check_report *r)
{
    const fv_check *c = &r->check;
    char words[CLASS_BARS][WORD];
    const char *ticks[CLASS_BARS];
    double values[CLASS_BARS], *counts = fv_alloc((size_t)c->classes * sizeof(*counts));
    if (!counts) {
        html->failed = true;
        return;
    }
    for (int label = 0; label < c->classes; label++)
        counts[label] = (double)fv_check_class_count(c, 0, label);
    qsort(counts, (size_t)c->classes, sizeof(*counts), compare_doubles);
    for (int i = 0; i < CLASS_BARS; i++) {
        const int rank = (int)((int64_t)i * (c->classes - 1) / (CLASS_BARS - 1));
        values[i] = counts[rank];
        snprintf(words[i], WORD, "%d", rank + 1);
        ticks[i] = words[i];
    }
    fv_chart_bars(html, &(fv_bars){ .title = "Pictures of the classes in train, largest first",
                                    .unit = "pictures",
                                    .ticks = ticks,
                                    .values = values,
                                    .count = CLASS_BARS,
                                    .series = 1 });
    fv_free(counts);
}

void fv_check_add_charts(fv_html *html, const fv_check_report *report)
{
    histogram h = { .report = report };
    fv_html_raw(html, "<h2>Sizes and counts</h2>\n<div class=charts>\n");
    draw_sides(html, &h);
    draw_aspects(html, &h);
    if (report->check.classes <= CLASS_BARS)
        draw_few_classes(html, report);
    else
        draw_many_classes(html, report);
    draw_bytes(html, &h);
    fv_html_raw(html, "</div>\n");
}
