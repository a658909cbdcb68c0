/* SPDX-License-Identifier: Apache-2.0 */
/* io/chart.h - charts in a page (io/html.h), as inline SVG in its colours.
 *
 * Each is a <figure class=chart>; put several into a <div class=charts>. Whatever a chart says in
 * words is escaped. Pointing at a bar or a mark shows its numbers.
 */
#ifndef FV_IO_CHART_H
#define FV_IO_CHART_H

#include "io/html.h"

enum { FV_CHART_COLOURS = 8 }; /* --c0 to --c7 of the style sheet; then they begin anew */

/* Bars side by side: a histogram, or one bar per thing. */
typedef struct fv_bars {
    const char *title;
    const char *unit;         /* after a value: "%"; may be "" */
    const char *const *ticks; /* [count] below the bars, or [count + 1] between them; "": none */
    bool between;
    const char *const *labels; /* [count] that name the bars to whom points at one; NULL: ticks */
    const char *const *names;  /* [series] for the legend; NULL: there is none */
    const double *values;      /* [series][count], >= 0 */
    int count, series;
} fv_bars;
void fv_chart_bars(fv_html *html, const fv_bars *chart);

/* Numbers against numbers, joined by lines. */
typedef struct fv_curve {
    const char *name;
    const double *x, *y; /* [count]; a y that is not finite is a gap */
    int count;
} fv_curve;

typedef struct fv_curves {
    const char *title;
    const char *x_name; /* below the axis: "epoch" */
    const fv_curve *curves;
    int count;
} fv_curves;
void fv_chart_curves(fv_html *html, const fv_curves *chart);

#endif /* FV_IO_CHART_H */
