/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution: chunks of rows, all channels; the weights' gradient is summed per chunk
 * of rows and then over the chunks, in order. */
#include "autograd/ops/conv_impl.h"

/* Rows of the output per task. */
static int rows_per_task(const fv_conv *c)
{
    const fv_window *w = &c->window;
    return fv_rows_per_task(w->n * w->out_h, 2 * (size_t)w->out_w * (size_t)c->out_c);
}

static int chunks(const fv_conv *c)
{
    return fv_ceil_div(c->window.n * c->window.out_h, rows_per_task(c));
}

static size_t no_bytes(const fv_kernels *k, const fv_conv *c)
{
    (void)k;
    (void)c;
    return 0;
}

/* The rows of one image see the same weights: a task of backward_weights has many, since each
 * ends with a store of the whole partial. */
static int split_rows(const fv_conv *c)
{
    return fv_max(rows_per_task(c), fv_ceil_div(c->window.n * c->window.out_h, FV_TASKS_WANTED));
}

size_t fv_depthwise_partial_floats(const fv_conv *c)
{
    const size_t floats =
        (size_t)c->out_c * (size_t)c->window.kernel_h * (size_t)c->window.kernel_w;
    return (floats + 15) / 16 * 16;
}

static size_t backward_bytes(const fv_kernels *k, const fv_conv *c)
{
    (void)k;
    const int splits = fv_ceil_div(c->window.n * c->window.out_h, split_rows(c));
    return (size_t)splits * fv_depthwise_partial_floats(c) * sizeof(float);
}

static void forward_task(void *ctx, int task, int worker)
{
    (void)worker;
    const fv_conv_run *r = ctx;
    const fv_window *w = &r->conv.window;
    const int rows = rows_per_task(&r->conv);
    fv_depthwise j = { .window = w,
                       .channels = r->conv.out_c,
                       .x = r->a->in[FV_IN_X].data,
                       .x_stride = r->a->in[FV_IN_X].pixel_stride,
                       .w = r->a->packs[0]->weights,
                       .y = r->y.data,
                       .y_stride = r->y.pixel_stride,
                       .epilogue = r->epilogue };
    j.row0 = task * rows;
    j.row1 = fv_min(j.row0 + rows, w->n * w->out_h);
    r->a->kernels->depthwise_forward(&j);
    fv_moments_take(&r->moments, r->a->kernels, task, r->y, j.row0 * w->out_w,
                    (j.row1 - j.row0) * w->out_w, 0, j.channels);
}

static void forward(const fv_conv_run *r)
{
    fv_conv_run run = *r;
    fv_parallel_for(chunks(&r->conv), forward_task, &run);
}

static int data_rows_per_task(const fv_conv *c)
{
    const fv_window *w = &c->window;
    const int rows = fv_rows_per_task(w->n * w->in_h, 2 * (size_t)w->in_w * (size_t)c->in_c);
    return fv_ceil_div(rows, w->stride_h) * w->stride_h;
}

static void data_task(void *ctx, int task, int worker)
{
    (void)worker;
    const fv_conv_run *r = ctx;
    const fv_window *w = &r->conv.window;
    const fv_view dy = r->a->grad_out, dx = r->a->grad_in[FV_IN_X];
    const int rows = data_rows_per_task(&r->conv);
    const fv_depthwise j = { .window = w,
                             .channels = r->conv.in_c,
                             .x = dy.data,
                             .x_stride = dy.pixel_stride,
                             .w = r->a->packs[0]->weights,
                             .y = dx.data,
                             .y_stride = dx.pixel_stride,
                             .row0 = task * rows,
                             .row1 = fv_min((task + 1) * rows, w->n * w->in_h),
                             .accumulate = r->a->accumulate[FV_IN_X] };
    r->a->kernels->depthwise_backward_data(&j);
}

static void backward_data(const fv_conv_run *r)
{
    fv_conv_run run = *r;
    const int rows = r->conv.window.n * r->conv.window.in_h;
    fv_parallel_for(fv_ceil_div(rows, data_rows_per_task(&r->conv)), data_task, &run);
}

static void weights_task(void *ctx, int task, int worker)
{
    (void)worker;
    const fv_conv_run *r = ctx;
    const fv_window *w = &r->conv.window;
    const fv_view x = r->a->in[FV_IN_X], dy = r->a->grad_out;
    const int rows = split_rows(&r->conv);
    const fv_depthwise j = { .window = w,
                             .channels = r->conv.in_c,
                             .x = x.data,
                             .x_stride = x.pixel_stride,
                             .w = dy.data,
                             .w_stride = dy.pixel_stride,
                             .y = (float *)r->scratch +
                                  (size_t)task * fv_depthwise_partial_floats(&r->conv),
                             .row0 = task * rows,
                             .row1 = fv_min((task + 1) * rows, w->n * w->out_h) };
    r->a->kernels->depthwise_backward_weights(&j);
}

typedef struct reduction {
    const fv_conv_run *r;
    float *partials;
    int splits;
} reduction;

/* Sums one tap into the first partial, then puts it where the weights have it. */
static void reduce_tap(void *ctx, int tap, int worker)
{
    (void)worker;
    const reduction *d = ctx;
    const fv_conv *c = &d->r->conv;
    const int channels = c->in_c, taps = c->window.kernel_h * c->window.kernel_w;
    const bool accumulate = d->r->a->accumulate[FV_IN_WEIGHT];
    float *sum = d->partials + (ptrdiff_t)tap * channels, *dw = d->r->a->grad_in[FV_IN_WEIGHT].data;
    for (int s = 1; s < d->splits; s++) {
        const float *more = sum + (size_t)s * fv_depthwise_partial_floats(c);
        for (int i = 0; i < channels; i++) sum[i] += more[i];
    }
    for (int i = 0; i < channels; i++)
        dw[i * taps + tap] = accumulate ? dw[i * taps + tap] + sum[i] : sum[i];
}

void fv_depthwise_reduce(const fv_conv_run *r, float *partials, int splits)
{
    reduction d = { r, partials, splits };
    fv_parallel_for(r->conv.window.kernel_h * r->conv.window.kernel_w, reduce_tap, &d);
}

static void backward_weights(const fv_conv_run *r)
{
    fv_conv_run run = *r;
    const int splits = fv_ceil_div(r->conv.window.n * r->conv.window.out_h, split_rows(&r->conv));
    fv_parallel_for(splits, weights_task, &run);
    fv_depthwise_reduce(r, r->scratch, splits);
}

const fv_conv_route fv_conv_depthwise = {
    .forward_pack = FV_PACK_DEPTHWISE,
    .backward_pack = FV_PACK_DEPTHWISE,
    .chunks = chunks,
    .forward_bytes = no_bytes,
    .backward_bytes = backward_bytes,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};
