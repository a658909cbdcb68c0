/* SPDX-License-Identifier: Apache-2.0 */
#include "io/chart.h"

#include "base/compiler.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>

/* In units of the drawing, that is scaled to the width there is. */
enum { WIDTH = 480, HEIGHT = 224, LEFT = 46, RIGHT = 472, TOP = 12, BOTTOM = 186, LETTER = 8 };

enum { MARKS = 60 /* a curve of so many points at most has a mark at each */ };

/* ---- Axes ---- */

typedef struct axis {
    double low, high, step; /* low and high are multiples of the step */
} axis;

/* About `parts` steps of 1, 2 or 5 times a power of ten that hold [low, high]. */
static axis make_axis(double low, double high, int parts)
{
    if (!(high > low)) {
        const double more = low == 0.0 ? 1.0 : fabs(low) / 2.0;
        high = low + more;
        if (low > 0.0) low -= more;
    }
    const double raw = (high - low) / parts, power = pow(10.0, floor(log10(raw)));
    const double digit = raw / power;
    axis a = { .step = power * (digit <= 1.0   ? 1.0
                                : digit <= 2.0 ? 2.0
                                : digit <= 5.0 ? 5.0
                                               : 10.0) };
    a.low = floor(low / a.step * (1.0 + 1e-12)) * a.step;
    a.high = ceil(high / a.step * (1.0 - 1e-12)) * a.step;
    return a;
}

static double place(const axis *a, double value, double from, double to)
{
    return from + (to - from) * (value - a->low) / (a->high - a->low);
}

/* "0.05", "20", "12k", "1.5M" */
static void write_number(char *out, size_t size, double value)
{
    const double much = fabs(value);
    if (much >= 1e6 && much < 1e9)
        snprintf(out, size, "%.4gM", value / 1e6);
    else if (much >= 1e4 && much < 1e6)
        snprintf(out, size, "%.4gk", value / 1e3);
    else
        snprintf(out, size, "%.4g", fabs(value) < 1e-300 ? 0.0 : value);
}

static void draw_y_axis(fv_html *html, const axis *a)
{
    const int steps = (int)lround((a->high - a->low) / a->step);
    for (int i = 0; i <= steps; i++) {
        char number[32];
        const double y = BOTTOM - (double)(BOTTOM - TOP) * i / steps;
        write_number(number, sizeof(number), a->low + i * a->step);
        fv_html_rawf(html,
                     "<line class=grid x1=%d x2=%d y1=%.1f y2=%.1f />"
                     "<text x=%d y=%.1f text-anchor=end>%s</text>",
                     LEFT, RIGHT, y, y, LEFT - 6, y + 4.0, number);
    }
}

static int columns_of(const char *text)
{
    int columns = 0;
    for (; *text; columns++) text += fv_max(fv_utf8_sequence(text), 1);
    return columns;
}

/* A word below the axis, centred at x as far as it stays on the drawing; unless it would touch the
 * one before, which ends at *end. */
static void draw_tick(fv_html *html, double x, const char *text, double *end)
{
    const double half = columns_of(text) * LETTER / 2.0;
    x = fmax(half, fmin(x, WIDTH - half));
    if (!*text || x - half < *end) return;
    *end = x + half + LETTER;
    fv_html_rawf(html, "<text x=%.1f y=%d text-anchor=middle>", x, BOTTOM + 18);
    fv_html_text(html, text);
    fv_html_raw(html, "</text>");
}

/* ---- Frame ---- */

static void begin(fv_html *html, const char *title)
{
    fv_html_raw(html, "<figure class=chart><figcaption>");
    fv_html_text(html, title);
    fv_html_rawf(html, "</figcaption><svg viewBox=\"0 0 %d %d\" role=img aria-label=\"", WIDTH,
                 HEIGHT);
    fv_html_text(html, title);
    fv_html_raw(html, "\">");
}

static void add_name(fv_html *html, int series, const char *name)
{
    fv_html_rawf(html, "<span><i style=\"background:var(--c%d)\"></i>", series % FV_CHART_COLOURS);
    fv_html_text(html, name);
    fv_html_raw(html, "</span>");
}

/* ---- Bars ---- */

static void draw_bar(fv_html *html, const fv_bars *c, int series, int i, const axis *a)
{
    const double slot = (double)(RIGHT - LEFT) / c->count, gap = fmin(slot * 0.15, 4.0);
    const double value = c->values[series * c->count + i], width = (slot - gap) / c->series;
    if (!(value > 0.0)) return;
    const double x = LEFT + i * slot + gap / 2.0 + series * width;
    /* What is there must be seen. */
    const double height = fmax(BOTTOM - place(a, value, BOTTOM, TOP), 1.0);
    fv_html_rawf(html, "<rect x=%.2f y=%.2f width=%.2f height=%.2f fill=\"var(--c%d)\"><title>", x,
                 BOTTOM - height, width, height, series % FV_CHART_COLOURS);
    const char *label = c->labels ? c->labels[i] : c->ticks[i];
    fv_html_textf(html, "%.200s%s%.200s: %.4g%s%.40s", label, c->names ? ", " : "",
                  c->names ? c->names[series] : "", value, *c->unit ? " " : "", c->unit);
    fv_html_raw(html, "</title></rect>");
}

void fv_chart_bars(fv_html *html, const fv_bars *c)
{
    double highest = 0.0, end = 0.0;
    for (int i = 0; i < c->series * c->count; i++) highest = fmax(highest, c->values[i]);
    const axis a = make_axis(0.0, highest, 4);
    begin(html, c->title);
    draw_y_axis(html, &a);
    for (int series = 0; series < c->series; series++)
        for (int i = 0; i < c->count; i++) draw_bar(html, c, series, i, &a);
    const double slot = (double)(RIGHT - LEFT) / fv_max(c->count, 1);
    for (int i = 0; i < c->count + c->between; i++)
        draw_tick(html, LEFT + (i + (c->between ? 0.0 : 0.5)) * slot, c->ticks[i], &end);
    fv_html_raw(html, "</svg>");
    if (c->names) {
        fv_html_raw(html, "<div class=legend>");
        for (int series = 0; series < c->series; series++) add_name(html, series, c->names[series]);
        fv_html_raw(html, "</div>");
    }
    fv_html_raw(html, "</figure>\n");
}

/* ---- Curves ---- */

typedef struct range {
    double low, high;
} range;

static void widen(range *r, double value)
{
    r->low = fmin(r->low, value);
    r->high = fmax(r->high, value);
}

static bool is_point(const fv_curve *curve, int i)
{
    return isfinite(curve->x[i]) && isfinite(curve->y[i]);
}

static void draw_curve(fv_html *html, const fv_curve *curve, int series, const axis *ax,
                       const axis *ay)
{
    fv_html_rawf(html,
                 "<path fill=none stroke=\"var(--c%d)\" stroke-width=2 "
                 "stroke-linejoin=round d=\"",
                 series % FV_CHART_COLOURS);
    bool pen = false;
    for (int i = 0; i < curve->count; i++) {
        const bool here = is_point(curve, i);
        if (here)
            fv_html_rawf(html, "%c%.1f %.1f", pen ? 'L' : 'M', place(ax, curve->x[i], LEFT, RIGHT),
                         place(ay, curve->y[i], BOTTOM, TOP));
        pen = here;
    }
    fv_html_raw(html, "\"/>");
    for (int i = 0; i < curve->count && curve->count <= MARKS; i++) {
        if (!is_point(curve, i)) continue;
        fv_html_rawf(html, "<circle cx=%.1f cy=%.1f r=3 fill=\"var(--c%d)\"><title>",
                     place(ax, curve->x[i], LEFT, RIGHT), place(ay, curve->y[i], BOTTOM, TOP),
                     series % FV_CHART_COLOURS);
        fv_html_textf(html, "%.200s: %.5g at %.6g", curve->name, curve->y[i], curve->x[i]);
        fv_html_raw(html, "</title></circle>");
    }
}

static void draw_x_axis(fv_html *html, const axis *a, const char *name)
{
    double end = 0.0;
    const int steps = (int)lround((a->high - a->low) / a->step);
    for (int i = 0; i <= steps; i++) {
        char number[32];
        const double value = a->low + i * a->step;
        write_number(number, sizeof(number), value);
        draw_tick(html, place(a, value, LEFT, RIGHT), number, &end);
    }
    fv_html_rawf(html, "<text x=%d y=%d text-anchor=middle>", (LEFT + RIGHT) / 2, HEIGHT - 5);
    fv_html_text(html, name);
    fv_html_raw(html, "</text>");
}

void fv_chart_curves(fv_html *html, const fv_curves *c)
{
    range x = { INFINITY, -INFINITY }, y = { INFINITY, -INFINITY };
    for (int k = 0; k < c->count; k++) {
        for (int i = 0; i < c->curves[k].count; i++) {
            if (!is_point(&c->curves[k], i)) continue;
            widen(&x, c->curves[k].x[i]);
            widen(&y, c->curves[k].y[i]);
        }
    }
    begin(html, c->title);
    if (x.low <= x.high) {
        const axis ax = make_axis(x.low, x.high, 6), ay = make_axis(y.low, y.high, 4);
        draw_y_axis(html, &ay);
        draw_x_axis(html, &ax, c->x_name);
        for (int k = 0; k < c->count; k++) draw_curve(html, &c->curves[k], k, &ax, &ay);
    } else {
        fv_html_rawf(html, "<text x=%d y=%d text-anchor=middle>nothing yet</text>", WIDTH / 2,
                     HEIGHT / 2);
    }
    fv_html_raw(html, "</svg><div class=legend>");
    for (int k = 0; k < c->count; k++) add_name(html, k, c->curves[k].name);
    fv_html_raw(html, "</div></figure>\n");
}
