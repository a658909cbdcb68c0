/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution by implicit GEMM: chunks of output pixels x blocks of output channels forward,
 * chunks of input rows x blocks of input channels backward to the data; backward to the weights
 * splits the sum over pixels and, where weights are many, their channels too, and adds the partial
 * sums in order. */
#include "autograd/ops/conv_impl.h"

enum {
    CHUNK_FLOATS = 1 << 16,     /* input and output of a chunk: 256 KiB, a part of L2 */
    PIXEL_MULTIPLE = 84,        /* of most register tiles */
    LARGE_WEIGHTS = 1 << 18,    /* floats: beyond this each chunk streams them from L3 or memory */
    LARGE_WEIGHTS_PIXELS = 252, /* so it should use them often */
    MIN_SPLIT_PIXELS = 128
};

static int weight_floats(const fv_conv *c)
{
    return c->out_c * (c->in_c / c->groups) * c->window.kernel_h * c->window.kernel_w;
}

static int per_chunk(const fv_conv *c)
{
    const int pixels = fv_window_pixels(&c->window);
    int want = CHUNK_FLOATS / (c->in_c + c->out_c);
    if (weight_floats(c) > LARGE_WEIGHTS) want = fv_max(want, LARGE_WEIGHTS_PIXELS);
    /* Few pixels are cut finer, so that all threads of a large machine have some. */
    want = fv_min(want, fv_ceil_div(pixels, FV_TASKS_WANTED));
    return fv_max(PIXEL_MULTIPLE, fv_round_up(want, PIXEL_MULTIPLE));
}

static int chunks(const fv_conv *c)
{
    return fv_ceil_div(fv_window_pixels(&c->window), per_chunk(c));
}

static size_t worker_bytes(const fv_kernels *k, const fv_conv *c)
{
    return fv_align(k->conv_scratch_bytes(c));
}

static size_t forward_bytes(const fv_kernels *k, const fv_conv *c)
{
    return worker_bytes(k, c) * (size_t)fv_threads_count();
}

/* ---- Forward ------------------------------------------------------------------ */

typedef struct tasks {
    const fv_conv_run *r;
    int per_chunk, chunks, per_channels;
    size_t worker_bytes;
    fv_weight_cut weights; /* backward_weights */
    float *partials;
} tasks;

static void *scratch_of(const tasks *t, int worker)
{
    return (char *)t->r->scratch + (size_t)worker * t->worker_bytes;
}

static void forward_task(void *ctx, int task, int worker)
{
    const tasks *t = ctx;
    const fv_conv_run *r = t->r;
    const int chunk = task % t->chunks, first = chunk * t->per_chunk;
    fv_conv_forward j = { .conv = &r->conv,
                          .x = r->a->in[FV_IN_X].data,
                          .x_stride = r->a->in[FV_IN_X].pixel_stride,
                          .packed = r->a->packs[0]->weights,
                          .y = r->y.data,
                          .y_stride = r->y.pixel_stride,
                          .epilogue = r->epilogue,
                          .scratch = scratch_of(t, worker) };
    j.pixel0 = first;
    j.pixel1 = fv_min(first + t->per_chunk, fv_window_pixels(&r->conv.window));
    j.channel0 = task / t->chunks * t->per_channels;
    j.channel1 = fv_min(j.channel0 + t->per_channels, r->conv.out_c);
    r->a->kernels->conv_forward(&j);
    fv_moments_take(&r->moments, r->a->kernels, chunk, r->y, first, j.pixel1 - first, j.channel0,
                    j.channel1);
}

static void forward(const fv_conv_run *r)
{
    tasks t = { .r = r, .worker_bytes = worker_bytes(r->a->kernels, &r->conv) };
    t.per_chunk = per_chunk(&r->conv);
    t.chunks = chunks(&r->conv);
    t.per_channels = fv_cut_channels(&r->conv, r->conv.out_c, t.chunks, &r->moments);
    fv_parallel_for(t.chunks * fv_ceil_div(r->conv.out_c, t.per_channels), forward_task, &t);
}

/* ---- Backward to the data ------------------------------------------------------ */

static void data_task(void *ctx, int task, int worker)
{
    const tasks *t = ctx;
    const fv_conv_run *r = t->r;
    const fv_view dy = r->a->grad_out, dx = r->a->grad_in[FV_IN_X];
    fv_conv_backward_data j = { .conv = &r->conv,
                                .dy = dy.data,
                                .dy_stride = dy.pixel_stride,
                                .packed = r->a->packs[1]->weights,
                                .dx = dx.data,
                                .dx_stride = dx.pixel_stride,
                                .accumulate = r->a->accumulate[FV_IN_X],
                                .scratch = scratch_of(t, worker) };
    j.row0 = task % t->chunks * t->per_chunk;
    j.row1 = fv_min(j.row0 + t->per_chunk, r->conv.window.n * r->conv.window.in_h);
    j.channel0 = task / t->chunks * t->per_channels;
    j.channel1 = fv_min(j.channel0 + t->per_channels, r->conv.in_c);
    r->a->kernels->conv_backward_data(&j);
}

static void backward_data(const fv_conv_run *r)
{
    const fv_window *w = &r->conv.window;
    const int rows = w->n * w->in_h, pixels = rows * w->in_w;
    int want = CHUNK_FLOATS / (r->conv.in_c + r->conv.out_c);
    if (weight_floats(&r->conv) > LARGE_WEIGHTS) want = fv_max(want, LARGE_WEIGHTS_PIXELS);
    want = fv_max(PIXEL_MULTIPLE, fv_min(want, fv_ceil_div(pixels, FV_TASKS_WANTED)));
    tasks t = { .r = r, .worker_bytes = worker_bytes(r->a->kernels, &r->conv) };
    /* Whole periods of the stride, so that each chunk has every phase. */
    t.per_chunk =
        fv_round_up(fv_ceil_div(want, w->in_w), w->in_w == 1 ? PIXEL_MULTIPLE : w->stride_h);
    t.chunks = fv_ceil_div(rows, t.per_chunk);
    t.per_channels = fv_cut_channels(&r->conv, r->conv.in_c, t.chunks, NULL);
    fv_parallel_for(t.chunks * fv_ceil_div(r->conv.in_c, t.per_channels), data_task, &t);
}

/* ---- Backward to the weights ---------------------------------------------------- */

static fv_weight_cut cut_weights(const fv_kernels *k, const fv_conv *c)
{
    return fv_cut_weights(c, k->conv_partial_floats(c), fv_window_pixels(&c->window),
                          MIN_SPLIT_PIXELS);
}

static size_t backward_bytes(const fv_kernels *k, const fv_conv *c)
{
    const fv_weight_cut w = cut_weights(k, c);
    return forward_bytes(k, c) + (size_t)w.splits * w.partial_floats * sizeof(float);
}

static void weights_task(void *ctx, int task, int worker)
{
    const tasks *t = ctx;
    const fv_conv_run *r = t->r;
    const fv_view x = r->a->in[FV_IN_X], dy = r->a->grad_out;
    const fv_weight_cut *w = &t->weights;
    const int split = task % w->splits, tile = task / w->splits;
    fv_conv_backward_weights j = { .conv = &r->conv,
                                   .x = x.data,
                                   .x_stride = x.pixel_stride,
                                   .dy = dy.data,
                                   .dy_stride = dy.pixel_stride,
                                   .partial = t->partials + (size_t)split * w->partial_floats,
                                   .scratch = scratch_of(t, worker) };
    j.pixel0 = split * w->per_split;
    j.pixel1 = fv_min(j.pixel0 + w->per_split, fv_window_pixels(&r->conv.window));
    j.out0 = tile % w->out_tiles * w->out_step;
    j.out1 = fv_min(j.out0 + w->out_step, r->conv.out_c);
    j.in0 = tile / w->out_tiles * w->in_step;
    j.in1 = fv_min(j.in0 + w->in_step, r->conv.in_c);
    r->a->kernels->conv_backward_weights(&j);
}

static void backward_weights(const fv_conv_run *r)
{
    tasks t = { .r = r, .worker_bytes = worker_bytes(r->a->kernels, &r->conv) };
    t.weights = cut_weights(r->a->kernels, &r->conv);
    t.partials = (float *)((char *)r->scratch + forward_bytes(r->a->kernels, &r->conv));
    fv_parallel_for(t.weights.splits * t.weights.out_tiles * t.weights.in_tiles, weights_task, &t);
    fv_reduce_weights(r, &t.weights, t.partials, r->a->kernels->conv_reduce);
}

const fv_conv_route fv_conv_dense = {
    .forward_pack = FV_PACK_FORWARD,
    .backward_pack = FV_PACK_BACKWARD,
    .chunks = chunks,
    .forward_bytes = forward_bytes,
    .backward_bytes = backward_bytes,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};
