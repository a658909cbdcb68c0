/* SPDX-License-Identifier: Apache-2.0 */
/* Dropout in PaddlePaddle's two modes, see ops.h. The mask is not stored: element i of a node in a
 * step draws word i % 4 of the Philox block i / 4 of the stream (seed, FV_RANDOM_DROPOUT, step,
 * node), forward and backward alike. */
#include "autograd/graph_impl.h"
#include "base/random.h"

typedef struct dropout_attr {
    float p;
    fv_dropout_mode mode;
} dropout_attr;

static fv_status infer(const fv_op_input *in, const void *attr, fv_shape *out, fv_error *err)
{
    const float p = ((const dropout_attr *)attr)->p;
    *out = in[0].shape;
    if (p >= 0.0f && p < 1.0f) return FV_OK;
    return fv_fail(err, FV_ERR_SHAPE, "probability %g is outside [0, 1)", (double)p);
}

typedef struct dropout_run {
    const fv_op_args *a;
    fv_view x, y;
    bool accumulate;
    float kept; /* factor of the elements that stay */
    uint32_t threshold;
    int per_task;
} dropout_run;

/* One pixel's channels; whether they stay, drawn four at a time. */
static void pixel(const dropout_run *r, int p)
{
    const int channels = r->x.shape.c, blocks = fv_ceil_div(channels, 4);
    const float *x = fv_pixel(r->x, p);
    float *y = fv_pixel(r->y, p);
    const uint32_t key[2] = { (uint32_t)r->a->seed, (uint32_t)(r->a->seed >> 32) };
    for (int b = 0; b < blocks; b++) {
        const uint32_t counter[4] = { (uint32_t)(p * blocks + b), (uint32_t)r->a->step,
                                      (uint32_t)r->a->node, (uint32_t)FV_RANDOM_DROPOUT << 24 };
        uint32_t words[4];
        fv_random_philox(key, counter, words);
        for (int c = 4 * b; c < fv_min(4 * b + 4, channels); c++) {
            const float value = words[c - 4 * b] < r->threshold ? 0.0f : r->kept * x[c];
            y[c] = r->accumulate ? y[c] + value : value;
        }
    }
}

static void pixels(void *ctx, int task, int worker)
{
    (void)worker;
    const dropout_run *r = ctx;
    const int end = fv_min((task + 1) * r->per_task, fv_shape_pixels(r->x.shape));
    for (int p = task * r->per_task; p < end; p++) pixel(r, p);
}

static void apply(const fv_op_args *a, fv_view x, fv_view y, bool accumulate)
{
    const dropout_attr *attr = a->attr;
    dropout_run r = { .a = a, .x = x, .y = y, .accumulate = accumulate, .kept = 1.0f };
    if (a->mode == FV_TRAIN) {
        r.threshold = (uint32_t)((double)attr->p * 0x1p32);
        if (attr->mode == FV_UPSCALE_IN_TRAIN) r.kept = 1.0f / (1.0f - attr->p);
    } else if (attr->mode == FV_DOWNSCALE_IN_INFER) {
        r.kept = 1.0f - attr->p;
    }
    r.per_task = fv_rows_per_task(fv_shape_pixels(x.shape), 16 * (size_t)x.shape.c);
    fv_parallel_for(fv_ceil_div(fv_shape_pixels(x.shape), r.per_task), pixels, &r);
}

static void forward(const fv_op_args *a) { apply(a, a->in[0], a->out, false); }

static void backward(const fv_op_args *a)
{
    if (a->grad_in[0].data) apply(a, a->grad_out, a->grad_in[0], a->accumulate[0]);
}

const fv_op fv_op_dropout = {
    .name = "dropout",
    .attr_size = sizeof(dropout_attr),
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

fv_tensor *fv_dropout(fv_graph *g, fv_tensor *x, float p, fv_dropout_mode mode)
{
    const dropout_attr attr = { p, mode };
    if (g->skip_dropout) return x;
    return fv_graph_apply(g, &fv_op_dropout, 1, &x, &attr);
}
