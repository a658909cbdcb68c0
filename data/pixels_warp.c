/* SPDX-License-Identifier: Apache-2.0 */
/* Affine maps, as Pillow computes them: without interpolation in fixed point, 16.16, unless the map
 * only scales or the picture is too large for it; with interpolation in double. */
#include "base/compiler.h"
#include "data/pixels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Nearest ---- */

/* The column, or row, a coordinate lies in; -1: left of all. */
static int cell(double x, int size)
{
    if (!(x >= 0.0 && x < size)) return -1;
    return (int)x;
}

static void put(const fv_picture *in, int x, int y, uint8_t *out)
{
    memcpy(out, in->data + ((size_t)y * (size_t)in->width + (size_t)x) * 3, 3);
}

/* m[1] and m[3] are 0. Positions are summed up, with the rounding of sums. */
static void warp_scale(const fv_picture *in, const double m[6], fv_picture *out)
{
    double y = m[5] + m[4] * 0.5;
    uint8_t *q = out->data;
    for (int row = 0; row < out->height; row++, y += m[4]) {
        const int from = cell(y, in->height);
        double x = m[2] + m[0] * 0.5;
        for (int column = 0; column < out->width; column++, x += m[0], q += 3) {
            const int at = cell(x, in->width);
            if (from >= 0 && at >= 0) put(in, at, from, q);
        }
    }
}

static int64_t fixed(double x) { return (int64_t)floor(x * 65536.0 + 0.5); }

static void warp_fixed(const fv_picture *in, const double m[6], fv_picture *out)
{
    const int64_t dx = fixed(m[0]), dy = fixed(m[3]), row_dx = fixed(m[1]), row_dy = fixed(m[4]);
    int64_t row_x = fixed(m[2] + m[0] * 0.5 + m[1] * 0.5);
    int64_t row_y = fixed(m[5] + m[3] * 0.5 + m[4] * 0.5);
    uint8_t *q = out->data;
    for (int row = 0; row < out->height; row++, row_x += row_dx, row_y += row_dy) {
        int64_t x = row_x, y = row_y;
        for (int column = 0; column < out->width; column++, x += dx, y += dy, q += 3) {
            const int64_t at = x >> 16, from = y >> 16;
            if (at >= 0 && at < in->width && from >= 0 && from < in->height)
                put(in, (int)at, (int)from, q);
        }
    }
}

static void warp_double(const fv_picture *in, const double m[6], fv_picture *out)
{
    double row_x = m[2] + m[1] * 0.5 + m[0] * 0.5, row_y = m[5] + m[4] * 0.5 + m[3] * 0.5;
    uint8_t *q = out->data;
    for (int row = 0; row < out->height; row++, row_x += m[1], row_y += m[4]) {
        double x = row_x, y = row_y;
        for (int column = 0; column < out->width; column++, x += m[0], y += m[3], q += 3) {
            const int at = cell(x, in->width), from = cell(y, in->height);
            if (at >= 0 && from >= 0) put(in, at, from, q);
        }
    }
}

static bool fits_fixed(const double m[6], int x, int y)
{
    return fabs(x * m[0] + y * m[1] + m[2]) < 32768.0 && fabs(x * m[3] + y * m[4] + m[5]) < 32768.0;
}

static void warp_nearest(const fv_picture *in, const double m[6], fv_picture *out)
{
    const int w = out->width, h = out->height;
    if (m[1] == 0.0 && m[3] == 0.0)
        warp_scale(in, m, out);
    else if (fits_fixed(m, 0, 0) && fits_fixed(m, w, h) && fits_fixed(m, 0, h) &&
             fits_fixed(m, w, 0))
        warp_fixed(in, m, out);
    else
        warp_double(in, m, out);
}

/* ---- Interpolated ---- */

/* Four columns and the place between the second and the third. */
typedef struct span {
    int offset[4]; /* bytes within a row */
    double d;
} span;

static double cubic(double a, double b, double c, double e, double d)
{
    const double p2 = -a + c, p3 = 2.0 * (a - b) + c - e, p4 = -a + b - c + e;
    return b + d * (p2 + d * (p3 + d * p4));
}

static double row_value(const uint8_t *row, const span *s, int c, bool is_cubic)
{
    if (s->d == 0.0) return row[s->offset[1] + c];
    if (is_cubic)
        return cubic(row[s->offset[0] + c], row[s->offset[1] + c], row[s->offset[2] + c],
                     row[s->offset[3] + c], s->d);
    const double a = row[s->offset[1] + c], b = row[s->offset[2] + c];
    return a + (b - a) * s->d;
}

/* Outside, a row or column is like the nearest one inside. */
static int inside(int i, int size) { return fv_max(0, fv_min(i, size - 1)); }

/* Rounded down, from -1 on. */
static int below(double x)
{
    const int i = (int)x;
    return (double)i > x ? i - 1 : i;
}

static void interpolate(const fv_picture *in, double x, double y, bool is_cubic, uint8_t *out)
{
    const int column = below(x - 0.5), row = below(y - 0.5);
    const double dy = y - 0.5 - row;
    const uint8_t *rows[4];
    span s = { .d = x - 0.5 - column };
    for (int i = 0; i < 4; i++) {
        s.offset[i] = inside(column - 1 + i, in->width) * 3;
        rows[i] = in->data + (size_t)inside(row - 1 + i, in->height) * (size_t)in->width * 3;
    }
    for (int c = 0; c < 3; c++) {
        double v = row_value(rows[1], &s, c, is_cubic);
        if (dy != 0.0 && is_cubic)
            v = cubic(row_value(rows[0], &s, c, true), v, row_value(rows[2], &s, c, true),
                      row_value(rows[3], &s, c, true), dy);
        else if (dy != 0.0)
            v = v + (row_value(rows[2], &s, c, false) - v) * dy;
        out[c] = v <= 0.0 ? 0 : v >= 255.0 ? 255 : (uint8_t)v;
    }
}

static void warp_interpolated(const fv_picture *in, const double m[6], bool is_cubic,
                              fv_picture *out)
{
    uint8_t *q = out->data;
    for (int row = 0; row < out->height; row++) {
        const double yc = row + 0.5;
        for (int column = 0; column < out->width; column++, q += 3) {
            const double xc = column + 0.5;
            const double x = m[0] * xc + m[1] * yc + m[2], y = m[3] * xc + m[4] * yc + m[5];
            if (x >= 0.0 && x < in->width && y >= 0.0 && y < in->height)
                interpolate(in, x, y, is_cubic, q);
        }
    }
}

/* ---- Both ---- */

fv_status fv_pixels_warp(const fv_picture *in, const fv_warp *warp, fv_picture *out, fv_error *err)
{
    FV_TRY(fv_picture_reserve(out, in->width, in->height, err));
    const size_t pixels = (size_t)out->width * (size_t)out->height;
    for (size_t i = 0; i < pixels; i++) memcpy(out->data + 3 * i, warp->fill, 3);
    if (warp->filter == FV_NEAREST)
        warp_nearest(in, warp->m, out);
    else
        warp_interpolated(in, warp->m, warp->filter == FV_BICUBIC, out);
    return FV_OK;
}

/* To 15 decimals, correctly, as Python's round() does. */
static double rounded(double x)
{
    char text[32];
    snprintf(text, sizeof(text), "%.15f", x);
    return strtod(text, NULL);
}

void fv_warp_rotate(fv_warp *warp, double degrees, int width, int height)
{
    const double turn = fmod(degrees, 360.0), positive = turn < 0.0 ? turn + 360.0 : turn;
    const double angle = -(positive * (3.14159265358979323846 / 180.0));
    const double c = rounded(cos(angle)), s = rounded(sin(angle)), opposite = rounded(-sin(angle));
    const double x = width / 2.0, y = height / 2.0;
    double *m = warp->m;
    m[0] = c, m[1] = s, m[3] = opposite, m[4] = c;
    m[2] = c * -x + s * -y + 0.0 + x;
    m[5] = opposite * -x + c * -y + 0.0 + y;
}
