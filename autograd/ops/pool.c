/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/ops/pool.h"

static int out_size(int in, int kernel, int stride, int pad, bool ceil_mode)
{
    const int span = in + 2 * pad - kernel;
    if (span < 0) return ceil_mode && in > 0 ? 1 : 0;
    int out = (ceil_mode ? fv_ceil_div(span, stride) : span / stride) + 1;
    if (ceil_mode && (out - 1) * stride >= in + pad) out--;
    return out;
}

fv_status fv_pool_infer(const fv_op_input *in, const void *attr, fv_shape *out, fv_error *err)
{
    const fv_window_attr *w = attr;
    const fv_shape x = in[0].shape;
    if (w->kernel_h < 1 || w->kernel_w < 1 || w->kernel_h * w->kernel_w > 255)
        return fv_fail(err, FV_ERR_SHAPE, "a window of %dx%d: needs 1 to 255 taps", w->kernel_h,
                       w->kernel_w);
    if (2 * w->pad_h > w->kernel_h || 2 * w->pad_w > w->kernel_w)
        return fv_fail(err, FV_ERR_SHAPE, "padding %dx%d exceeds half the window %dx%d", w->pad_h,
                       w->pad_w, w->kernel_h, w->kernel_w);
    *out = (fv_shape){ x.n, out_size(x.h, w->kernel_h, w->stride_h, w->pad_h, w->ceil_mode),
                       out_size(x.w, w->kernel_w, w->stride_w, w->pad_w, w->ceil_mode), x.c };
    if (out->h < 1 || out->w < 1)
        return fv_fail(err, FV_ERR_SHAPE, "a %dx%d window does not fit a picture of %dx%d",
                       w->kernel_h, w->kernel_w, x.h, x.w);
    return FV_OK;
}

typedef struct pool_run {
    fv_window window;
    fv_pool job;
    fv_pool_kernel *kernel;
    int rows, per_task;
} pool_run;

static pool_run run_of(const fv_op_args *a, fv_pool_kernel *kernel, uint8_t *tap)
{
    const fv_window_attr *w = a->attr;
    const fv_shape x = a->in[0].shape, y = a->out.shape;
    pool_run r = { .window = { x.n, x.h, x.w, y.h, y.w, w->kernel_h, w->kernel_w, w->stride_h,
                               w->stride_w, w->pad_h, w->pad_w, 1, 1 },
                   .kernel = kernel };
    r.job = (fv_pool){ .channels = x.c, .count_padding = w->count_padding, .tap = tap };
    return r;
}

static void pool_task(void *ctx, int task, int worker)
{
    (void)worker;
    const pool_run *r = ctx;
    fv_pool j = r->job;
    j.window = &r->window;
    j.row0 = task * r->per_task;
    j.row1 = fv_min(j.row0 + r->per_task, r->rows);
    r->kernel(&j);
}

void fv_pool_forward(const fv_op_args *a, fv_pool_kernel *kernel, uint8_t *tap)
{
    const fv_view x = a->in[0], y = a->out;
    pool_run r = run_of(a, kernel, tap);
    r.job.x = x.data;
    r.job.x_stride = x.pixel_stride;
    r.job.y = y.data;
    r.job.y_stride = y.pixel_stride;
    r.rows = y.shape.n * y.shape.h;
    r.per_task = fv_rows_per_task(r.rows, (size_t)(x.shape.w * r.window.stride_h + y.shape.w) *
                                              (size_t)x.shape.c);
    fv_parallel_for(fv_ceil_div(r.rows, r.per_task), pool_task, &r);
}

void fv_pool_backward(const fv_op_args *a, fv_pool_kernel *kernel, uint8_t *tap)
{
    const fv_view dy = a->grad_out, dx = a->grad_in[0];
    if (!dx.data) return;
    pool_run r = run_of(a, kernel, tap);
    r.job.x = dy.data;
    r.job.x_stride = dy.pixel_stride;
    r.job.y = dx.data;
    r.job.y_stride = dx.pixel_stride;
    r.job.accumulate = a->accumulate[0];
    r.rows = dx.shape.n;
    r.per_task = 1;
    fv_parallel_for(r.rows, pool_task, &r);
}
