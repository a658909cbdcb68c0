/* SPDX-License-Identifier: Apache-2.0 */
/* Batch normalisation by itself: where no convolution before it could take it in. The formulas are
 * in norm.h. Ioffe, Szegedy: Batch Normalization, ICML 2015, arXiv:1502.03167. */
#include "autograd/ops/conv2d.h"

static fv_status infer(const fv_op_input *in, const void *attr, fv_shape *out, fv_error *err)
{
    (void)attr;
    const int c = in[FV_IN_X].shape.c;
    for (int i = FV_IN_SCALE; i <= FV_IN_VAR; i++)
        if (!in[i].param || in[i].shape.c != c)
            return fv_fail(err, FV_ERR_SHAPE, "parameters of %d channels for %d", in[i].shape.c, c);
    *out = in[FV_IN_X].shape;
    return FV_OK;
}

static int per_chunk(fv_shape s) { return fv_rows_per_task(fv_shape_pixels(s), (size_t)s.c); }

static void measure(const fv_op_args *a, fv_op_needs *needs)
{
    const fv_shape s = a->out.shape;
    needs->saved = fv_norm_state_bytes(s.c);
    needs->forward_scratch = fv_moments_bytes(fv_ceil_div(fv_shape_pixels(s), per_chunk(s)), s.c);
    if (!a->differentiated) return;
    needs->backward_reads = FV_READS_IN(FV_IN_X) | fv_norm_reads(a, a->attr);
    needs->backward_scratch = fv_norm_backward_bytes(s);
}

typedef struct moments_run {
    const fv_op_args *a;
    fv_moments moments;
} moments_run;

static void moments_task(void *ctx, int task, int worker)
{
    (void)worker;
    const moments_run *r = ctx;
    const fv_view x = r->a->in[FV_IN_X];
    const int first = task * per_chunk(x.shape);
    const int count = fv_min(per_chunk(x.shape), fv_shape_pixels(x.shape) - first);
    fv_moments_take(&r->moments, r->a->kernels, task, x, first, count, 0, x.shape.c);
}

static void forward(const fv_op_args *a)
{
    const fv_shape s = a->out.shape;
    const fv_norm_state state = fv_norm_state_at(a->saved, s.c);
    if (fv_norm_is_fixed(a)) {
        fv_norm_fixed_state(a, a->attr, state);
    } else {
        const int chunks = fv_ceil_div(fv_shape_pixels(s), per_chunk(s));
        moments_run r = { a, fv_moments_at(a->scratch, chunks, s.c) };
        fv_parallel_for(chunks, moments_task, &r);
        fv_norm_batch_state(a, a->attr, &r.moments, state);
    }
    fv_norm_forward(a, a->attr, a->in[FV_IN_X], state);
}

static void backward(const fv_op_args *a)
{
    const fv_view dx = a->grad_in[FV_IN_X];
    fv_norm second;
    fv_norm_backward_sums(a, a->attr, a->in[FV_IN_X], fv_norm_state_at(a->saved, a->out.shape.c),
                          a->scratch, &second);
    fv_norm_backward_apply(a, &second);
    if (!dx.data) return;
    const fv_map move = { .pixels = fv_shape_pixels(dx.shape),
                          .channels = dx.shape.c,
                          .factor = 1.0f,
                          .x = a->grad_out.data,
                          .x_stride = a->grad_out.pixel_stride,
                          .y = dx.data,
                          .y_stride = dx.pixel_stride,
                          .accumulate = a->accumulate[FV_IN_X] };
    fv_map_run(a->kernels->add, move);
}

const fv_op fv_op_batch_norm = {
    .name = "batch_norm",
    .attr_size = sizeof(fv_norm_attr),
    .infer = infer,
    .measure = measure,
    .forward = forward,
    .backward = backward,
};

fv_tensor *fv_batch_norm(fv_graph *g, fv_tensor *x, fv_tensor *scale, fv_tensor *shift,
                         fv_tensor *running_mean, fv_tensor *running_var, fv_batch_norm_attr attr)
{
    fv_tensor *in[] = { [FV_IN_X] = x,
                        [FV_IN_SCALE] = scale,
                        [FV_IN_SHIFT] = shift,
                        [FV_IN_MEAN] = running_mean,
                        [FV_IN_VAR] = running_var };
    const fv_norm_attr a = { .bn = attr };
    return fv_graph_apply(g, &fv_op_batch_norm, FV_IN_RESIDUAL, in, &a);
}
