/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/window.h - which taps of a sliding window fall inside the image.
 *
 * Both axes of a window are treated alike: along one axis, the output at position `o` is a
 * weighted sum of the inputs at o * stride - pad + k * dilation, for taps k in [0, kernel).
 * The transpose, from an input position i, sees the outputs (i + pad - k * dilation) / stride,
 * where that is whole. In both directions the taps that hit something are an arithmetic
 * progression, and so are the positions that they hit: that is an fv_taps.
 */
#ifndef FV_KERNELS_WINDOW_H
#define FV_KERNELS_WINDOW_H

#include "base/compiler.h"
#include "kernels/kernels.h"

/* One axis of an fv_window. */
typedef struct fv_axis {
    int in, out; /* positions */
    int kernel, stride, pad, dilation;
} fv_axis;

/* Tap k + t * k_step hits position at + t * at_step, for t in [0, count). */
typedef struct fv_taps {
    int count;
    int k, k_step;
    int at, at_step;
} fv_taps;

static inline fv_axis fv_window_rows(const fv_window *w)
{
    return (fv_axis){ .in = w->in_h,
                      .out = w->out_h,
                      .kernel = w->kernel_h,
                      .stride = w->stride_h,
                      .pad = w->pad_h,
                      .dilation = w->dilation_h };
}

static inline fv_axis fv_window_columns(const fv_window *w)
{
    return (fv_axis){ .in = w->in_w,
                      .out = w->out_w,
                      .kernel = w->kernel_w,
                      .stride = w->stride_w,
                      .pad = w->pad_w,
                      .dilation = w->dilation_w };
}

/* The inputs under output `o`. */
static inline fv_taps fv_taps_forward(const fv_axis *a, int o)
{
    const int start = o * a->stride - a->pad;
    int first = 0, end = a->kernel;
    if (start < 0) first = (-start + a->dilation - 1) / a->dilation;
    if (start + (a->kernel - 1) * a->dilation >= a->in)
        end = start < a->in ? (a->in - start + a->dilation - 1) / a->dilation : 0;
    return (fv_taps){ .count = fv_max(end - first, 0),
                      .k = first,
                      .k_step = 1,
                      .at = start + first * a->dilation,
                      .at_step = a->dilation };
}

/* How many taps in a row lead from one whole quotient by the stride to the next. */
static inline int fv_axis_period(const fv_axis *a)
{
    int period = 1;
    while (period * a->dilation % a->stride != 0) period++;
    return period;
}

/* The outputs that input `i` is under, before any are cut off at the ends of the axis: at descends
 * from the first tap on. `period` is fv_axis_period(). */
static inline fv_taps fv_taps_backward_all(const fv_axis *a, int period, int i)
{
    fv_taps t = { .k_step = period, .at_step = -(period * a->dilation / a->stride) };
    while (t.k < period && (i + a->pad - t.k * a->dilation) % a->stride != 0) t.k++;
    if (t.k >= period || t.k >= a->kernel) return t;
    t.count = (a->kernel - t.k + period - 1) / period;
    t.at = (i + a->pad - t.k * a->dilation) / a->stride;
    return t;
}

/* The outputs that input `i` is under. */
static inline fv_taps fv_taps_backward(const fv_axis *a, int period, int i)
{
    fv_taps t = fv_taps_backward_all(a, period, i);
    while (t.count > 0 && t.at >= a->out) {
        t.k += t.k_step;
        t.at += t.at_step;
        t.count--;
    }
    while (t.count > 0 && t.at + (t.count - 1) * t.at_step < 0) t.count--;
    return t;
}

/* How many taps of output `o` lie inside the image or, with count_padding, the padded image. */
static inline int fv_taps_inside(const fv_axis *a, int o, bool count_padding)
{
    fv_axis image = *a;
    if (count_padding) {
        image.in += 2 * a->pad;
        image.pad = 0;
    }
    return fv_taps_forward(&image, o).count;
}

/* What one pixel weighs in the average of output (oy, ox). */
static inline float fv_window_share(const fv_window *w, int oy, int ox, bool count_padding)
{
    const fv_axis rows = fv_window_rows(w), columns = fv_window_columns(w);
    return 1.0f / (float)(fv_taps_inside(&rows, oy, count_padding) *
                          fv_taps_inside(&columns, ox, count_padding));
}

#endif /* FV_KERNELS_WINDOW_H */
