/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution: the definition.
 *
 * Forward and backward to the data are the same weighted sum over the taps of a window; only
 * where the taps hit differs (kernels/window.h). */
#include "kernels/variants.h"
#include "kernels/window.h"

/* The sum of one output channel: taps `ty` x `tx` of `image`, whose rows have `width` pixels. */
static float window_sum(const fv_depthwise *j, const float *image, int width, fv_taps ty,
                        fv_taps tx, int c)
{
    double sum = 0.0;
    for (int ky = 0; ky < ty.count; ky++)
        for (int kx = 0; kx < tx.count; kx++) {
            const int row = ty.at + ky * ty.at_step, column = tx.at + kx * tx.at_step;
            const int k = (ty.k + ky * ty.k_step) * j->window->kernel_w + tx.k + kx * tx.k_step;
            const float *px = image + ((ptrdiff_t)row * width + column) * j->x_stride;
            sum += (double)px[c] * (double)j->w[(ptrdiff_t)k * j->channels + c];
        }
    return (float)sum;
}

static float activation(fv_activation act, float x)
{
    if (act == FV_LINEAR) return x;
    if (x < 0.0f) return 0.0f; /* in this order NaN stays NaN */
    return act == FV_RELU6 && x > 6.0f ? 6.0f : x;
}

static void forward(const fv_depthwise *j)
{
    const fv_window *w = j->window;
    const fv_axis rows = fv_window_rows(w), columns = fv_window_columns(w);
    const fv_epilogue *e = &j->epilogue;

    for (int row = j->row0; row < j->row1; row++) {
        const float *image = j->x + (ptrdiff_t)(row / w->out_h) * w->in_h * w->in_w * j->x_stride;
        const fv_taps ty = fv_taps_forward(&rows, row % w->out_h);
        for (int ox = 0; ox < w->out_w; ox++) {
            const ptrdiff_t pixel = (ptrdiff_t)row * w->out_w + ox;
            const fv_taps tx = fv_taps_forward(&columns, ox);
            for (int c = 0; c < j->channels; c++) {
                float sum = window_sum(j, image, w->in_w, ty, tx, c);
                if (e->bias) sum += e->bias[c];
                if (e->residual) sum += e->residual[pixel * e->residual_stride + c];
                j->y[pixel * j->y_stride + c] = activation(e->act, sum);
            }
        }
    }
}

static void backward_data(const fv_depthwise *j)
{
    const fv_window *w = j->window;
    const fv_axis rows = fv_window_rows(w), columns = fv_window_columns(w);

    for (int row = j->row0; row < j->row1; row++) {
        const float *image = j->x + (ptrdiff_t)(row / w->in_h) * w->out_h * w->out_w * j->x_stride;
        const fv_taps ty = fv_taps_backward(&rows, fv_axis_period(&rows), row % w->in_h);
        for (int ix = 0; ix < w->in_w; ix++) {
            float *y = j->y + ((ptrdiff_t)row * w->in_w + ix) * j->y_stride;
            const fv_taps tx = fv_taps_backward(&columns, fv_axis_period(&columns), ix);
            for (int c = 0; c < j->channels; c++) {
                const float sum = window_sum(j, image, w->out_w, ty, tx, c);
                y[c] = j->accumulate ? y[c] + sum : sum;
            }
        }
    }
}

/* partial += dy of one output pixel times the inputs under it. */
static void add_pixel(const fv_depthwise *j, const float *image, const float *dy, fv_taps ty,
                      fv_taps tx)
{
    for (int ky = 0; ky < ty.count; ky++)
        for (int kx = 0; kx < tx.count; kx++) {
            const int row = ty.at + ky * ty.at_step, column = tx.at + kx * tx.at_step;
            const int k = (ty.k + ky) * j->window->kernel_w + tx.k + kx;
            const float *x = image + ((ptrdiff_t)row * j->window->in_w + column) * j->x_stride;
            float *partial = j->y + (ptrdiff_t)k * j->channels;
            for (int c = 0; c < j->channels; c++) partial[c] += x[c] * dy[c];
        }
}

static void backward_weights(const fv_depthwise *j)
{
    const fv_window *w = j->window;
    const fv_axis rows = fv_window_rows(w), columns = fv_window_columns(w);
    const ptrdiff_t floats = (ptrdiff_t)w->kernel_h * w->kernel_w * j->channels;

    if (!j->accumulate)
        for (ptrdiff_t i = 0; i < floats; i++) j->y[i] = 0.0f;
    for (int row = j->row0; row < j->row1; row++) {
        const float *image = j->x + (ptrdiff_t)(row / w->out_h) * w->in_h * w->in_w * j->x_stride;
        const fv_taps ty = fv_taps_forward(&rows, row % w->out_h);
        for (int ox = 0; ox < w->out_w; ox++)
            add_pixel(j, image, j->w + ((ptrdiff_t)row * w->out_w + ox) * j->w_stride, ty,
                      fv_taps_forward(&columns, ox));
    }
}

void fv_depthwise_scalar(fv_kernels *k)
{
    k->depthwise_forward = forward;
    k->depthwise_backward_data = backward_data;
    k->depthwise_backward_weights = backward_weights;
}
