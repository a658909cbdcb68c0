/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling: the definition. Every window must hold at least one pixel of the image. */
#include "kernels/variants.h"
#include "kernels/window.h"

#include <math.h>

/* The first pixel of the image that has output row `row`, counted over the batch. */
static const float *image_of(const fv_pool *j, int row)
{
    const fv_window *w = j->window;
    return j->x + (ptrdiff_t)(row / w->out_h) * w->in_h * w->in_w * j->x_stride;
}

/* The largest value of channel c in a window; NaN is larger than all. *tap says where. */
static float window_max(const fv_pool *j, const float *image, fv_taps ty, fv_taps tx, int c,
                        uint8_t *tap)
{
    float best = -INFINITY;
    *tap = (uint8_t)(ty.k * j->window->kernel_w + tx.k);
    for (int ky = 0; ky < ty.count; ky++)
        for (int kx = 0; kx < tx.count; kx++) {
            const int row = ty.at + ky * ty.at_step, column = tx.at + kx * tx.at_step;
            const float x = image[((ptrdiff_t)row * j->window->in_w + column) * j->x_stride + c];
            if (x > best || (isnan(x) && !isnan(best))) {
                best = x;
                *tap = (uint8_t)((ty.k + ky) * j->window->kernel_w + tx.k + kx);
            }
        }
    return best;
}

static void max_forward(const fv_pool *j)
{
    const fv_window *w = j->window;
    const fv_axis rows = fv_window_rows(w), columns = fv_window_columns(w);

    for (int row = j->row0; row < j->row1; row++) {
        const fv_taps ty = fv_taps_forward(&rows, row % w->out_h);
        for (int ox = 0; ox < w->out_w; ox++) {
            const ptrdiff_t pixel = (ptrdiff_t)row * w->out_w + ox;
            const fv_taps tx = fv_taps_forward(&columns, ox);
            for (int c = 0; c < j->channels; c++) {
                uint8_t tap;
                j->y[pixel * j->y_stride + c] = window_max(j, image_of(j, row), ty, tx, c, &tap);
                if (j->tap) j->tap[pixel * j->channels + c] = tap;
            }
        }
    }
}

/* The sum of dy over the outputs that chose this input pixel. */
static float chosen_sum(const fv_pool *j, int n, fv_taps ty, fv_taps tx, int c)
{
    const fv_window *w = j->window;
    double sum = 0.0;
    for (int ky = ty.count - 1; ky >= 0; ky--)
        for (int kx = tx.count - 1; kx >= 0; kx--) {
            const int oy = ty.at + ky * ty.at_step, ox = tx.at + kx * tx.at_step;
            const int tap = (ty.k + ky * ty.k_step) * w->kernel_w + tx.k + kx * tx.k_step;
            const ptrdiff_t pixel = ((ptrdiff_t)n * w->out_h + oy) * w->out_w + ox;
            if (j->tap[pixel * j->channels + c] == tap)
                sum += (double)j->x[pixel * j->x_stride + c];
        }
    return (float)sum;
}

static void max_backward(const fv_pool *j)
{
    const fv_window *w = j->window;
    const fv_axis rows = fv_window_rows(w), columns = fv_window_columns(w);

    for (int row = j->row0 * w->in_h; row < j->row1 * w->in_h; row++) {
        const fv_taps ty = fv_taps_backward(&rows, fv_axis_period(&rows), row % w->in_h);
        for (int ix = 0; ix < w->in_w; ix++) {
            float *dx = j->y + ((ptrdiff_t)row * w->in_w + ix) * j->y_stride;
            const fv_taps tx = fv_taps_backward(&columns, fv_axis_period(&columns), ix);
            for (int c = 0; c < j->channels; c++) {
                const float sum = chosen_sum(j, row / w->in_h, ty, tx, c);
                dx[c] = j->accumulate ? dx[c] + sum : sum;
            }
        }
    }
}

static void avg_forward(const fv_pool *j)
{
    const fv_window *w = j->window;
    const fv_axis rows = fv_window_rows(w), columns = fv_window_columns(w);

    for (int row = j->row0; row < j->row1; row++) {
        const int oy = row % w->out_h;
        const fv_taps ty = fv_taps_forward(&rows, oy);
        for (int ox = 0; ox < w->out_w; ox++) {
            float *y = j->y + ((ptrdiff_t)row * w->out_w + ox) * j->y_stride;
            const fv_taps tx = fv_taps_forward(&columns, ox);
            const float factor = fv_window_share(w, oy, ox, j->count_padding);
            for (int c = 0; c < j->channels; c++) {
                double sum = 0.0;
                for (int ky = 0; ky < ty.count; ky++)
                    for (int kx = 0; kx < tx.count; kx++) {
                        const int iy = ty.at + ky * ty.at_step, ix = tx.at + kx * tx.at_step;
                        sum += (double)image_of(
                            j, row)[((ptrdiff_t)iy * w->in_w + ix) * j->x_stride + c];
                    }
                y[c] = (float)sum * factor;
            }
        }
    }
}

/* The sum over the outputs that this input pixel is under, each with its window's share. */
static float shares_sum(const fv_pool *j, int n, fv_taps ty, fv_taps tx, int c)
{
    const fv_window *w = j->window;
    double sum = 0.0;
    for (int ky = 0; ky < ty.count; ky++)
        for (int kx = 0; kx < tx.count; kx++) {
            const int oy = ty.at + ky * ty.at_step, ox = tx.at + kx * tx.at_step;
            const ptrdiff_t pixel = ((ptrdiff_t)n * w->out_h + oy) * w->out_w + ox;
            const float factor = fv_window_share(w, oy, ox, j->count_padding);
            sum += (double)(j->x[pixel * j->x_stride + c] * factor);
        }
    return (float)sum;
}

static void avg_backward(const fv_pool *j)
{
    const fv_window *w = j->window;
    const fv_axis rows = fv_window_rows(w), columns = fv_window_columns(w);

    for (int row = j->row0 * w->in_h; row < j->row1 * w->in_h; row++) {
        const fv_taps ty = fv_taps_backward(&rows, fv_axis_period(&rows), row % w->in_h);
        for (int ix = 0; ix < w->in_w; ix++) {
            float *dx = j->y + ((ptrdiff_t)row * w->in_w + ix) * j->y_stride;
            const fv_taps tx = fv_taps_backward(&columns, fv_axis_period(&columns), ix);
            for (int c = 0; c < j->channels; c++) {
                const float sum = shares_sum(j, row / w->in_h, ty, tx, c);
                dx[c] = j->accumulate ? dx[c] + sum : sum;
            }
        }
    }
}

void fv_pool_scalar(fv_kernels *k)
{
    k->max_pool_forward = max_forward;
    k->max_pool_backward = max_backward;
    k->avg_pool_forward = avg_forward;
    k->avg_pool_backward = avg_backward;
}
