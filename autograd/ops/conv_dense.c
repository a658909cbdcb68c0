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
    PARTIAL_FLOATS = 1 << 20,   /* all partial weight gradients together, about */
    MIN_SPLIT_PIXELS = 128
};

static int weight_floats(const fv_conv *c)
{
    return c->out_c * (c->in_c / c->groups) * c->window.kernel_h * c->window.kernel_w;
}

static int round_up(int a, int multiple) { return fv_ceil_div(a, multiple) * multiple; }

/* Channels per task: all, unless pixels alone give too few tasks. Groups are not cut. */
static int cut_channels(const fv_conv *c, int channels, int chunks)
{
    if (c->groups > 1 || chunks >= FV_TASKS_WANTED) return channels;
    const int blocks = fv_ceil_div(channels, FV_CONV_BLOCK);
    const int wanted = fv_min(blocks, fv_ceil_div(FV_TASKS_WANTED, chunks));
    return fv_ceil_div(blocks, wanted) * FV_CONV_BLOCK;
}

static void cut(const fv_conv *c, int *chunks, int *per_chunk)
{
    const int pixels = fv_window_pixels(&c->window);
    int want = CHUNK_FLOATS / (c->in_c + c->out_c);
    if (weight_floats(c) > LARGE_WEIGHTS) want = fv_max(want, LARGE_WEIGHTS_PIXELS);
    /* Few pixels are cut finer, so that all threads of a large machine have some. */
    want = fv_min(want, fv_ceil_div(pixels, FV_TASKS_WANTED));
    *per_chunk = fv_max(PIXEL_MULTIPLE, round_up(want, PIXEL_MULTIPLE));
    *chunks = fv_ceil_div(pixels, *per_chunk);
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
    /* backward_weights */
    int out_tiles, in_tiles, out_step, in_step, splits;
    float *partials;
    size_t partial_floats;
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
    if (!r->moments.partials) return;
    float *mean = fv_moments_mean(&r->moments, chunk) + j.channel0;
    r->a->kernels->moments(j.pixel1 - j.pixel0, j.channel1 - j.channel0,
                           r->y.data + first * r->y.pixel_stride + j.channel0, r->y.pixel_stride,
                           mean, mean + r->conv.out_c);
}

static void forward(const fv_conv_run *r)
{
    tasks t = { .r = r, .worker_bytes = worker_bytes(r->a->kernels, &r->conv) };
    cut(&r->conv, &t.chunks, &t.per_chunk);
    t.per_channels = cut_channels(&r->conv, r->conv.out_c, t.chunks);
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
    t.per_chunk = round_up(fv_ceil_div(want, w->in_w), w->in_w == 1 ? PIXEL_MULTIPLE : w->stride_h);
    t.chunks = fv_ceil_div(rows, t.per_chunk);
    t.per_channels = cut_channels(&r->conv, r->conv.in_c, t.chunks);
    fv_parallel_for(t.chunks * fv_ceil_div(r->conv.in_c, t.per_channels), data_task, &t);
}

/* ---- Backward to the weights ---------------------------------------------------- */

static tasks cut_weights(const fv_kernels *k, const fv_conv *c)
{
    const int pixels = fv_window_pixels(&c->window), weights = weight_floats(c);
    tasks t = { .worker_bytes = worker_bytes(k, c), .out_tiles = 1, .in_tiles = 1 };
    t.splits = fv_max(1, fv_min(FV_TASKS_WANTED, PARTIAL_FLOATS / weights));
    t.splits = fv_max(1, fv_min(t.splits, pixels / MIN_SPLIT_PIXELS));
    if (c->groups == 1) {
        const int wanted = fv_ceil_div(FV_TASKS_WANTED, t.splits);
        t.out_tiles = fv_min(wanted, fv_ceil_div(c->out_c, FV_CONV_BLOCK));
        t.in_tiles = fv_min(fv_ceil_div(wanted, t.out_tiles), fv_ceil_div(c->in_c, FV_CONV_BLOCK));
    }
    t.out_step = round_up(fv_ceil_div(c->out_c, t.out_tiles), FV_CONV_BLOCK);
    t.in_step = round_up(fv_ceil_div(c->in_c, t.in_tiles), FV_CONV_BLOCK);
    t.out_tiles = fv_ceil_div(c->out_c, t.out_step);
    t.in_tiles = fv_ceil_div(c->in_c, t.in_step);
    t.per_chunk = fv_ceil_div(pixels, t.splits);
    t.splits = fv_ceil_div(pixels, t.per_chunk);
    t.partial_floats = fv_align(k->conv_partial_floats(c) * sizeof(float)) / sizeof(float);
    return t;
}

static size_t backward_bytes(const fv_kernels *k, const fv_conv *c)
{
    const tasks t = cut_weights(k, c);
    return t.worker_bytes * (size_t)fv_threads_count() +
           (size_t)t.splits * t.partial_floats * sizeof(float);
}

static void weights_task(void *ctx, int task, int worker)
{
    const tasks *t = ctx;
    const fv_conv_run *r = t->r;
    const fv_view x = r->a->in[FV_IN_X], dy = r->a->grad_out;
    const int split = task % t->splits, tile = task / t->splits;
    fv_conv_backward_weights j = { .conv = &r->conv,
                                   .x = x.data,
                                   .x_stride = x.pixel_stride,
                                   .dy = dy.data,
                                   .dy_stride = dy.pixel_stride,
                                   .partial = t->partials + (size_t)split * t->partial_floats,
                                   .scratch = scratch_of(t, worker) };
    j.pixel0 = split * t->per_chunk;
    j.pixel1 = fv_min(j.pixel0 + t->per_chunk, fv_window_pixels(&r->conv.window));
    j.out0 = tile % t->out_tiles * t->out_step;
    j.out1 = fv_min(j.out0 + t->out_step, r->conv.out_c);
    j.in0 = tile / t->out_tiles * t->in_step;
    j.in1 = fv_min(j.in0 + t->in_step, r->conv.in_c);
    r->a->kernels->conv_backward_weights(&j);
}

static void reduce_task(void *ctx, int task, int worker)
{
    (void)worker;
    const tasks *t = ctx;
    const fv_conv_run *r = t->r;
    const int step = r->conv.groups > 1 ? r->conv.out_c : FV_CONV_BLOCK;
    const fv_conv_reduce j = { .conv = &r->conv,
                               .partials = t->partials,
                               .count = t->splits,
                               .partial_stride = t->partial_floats,
                               .dw = r->a->grad_in[FV_IN_WEIGHT].data,
                               .accumulate = r->a->accumulate[FV_IN_WEIGHT],
                               .out0 = task * step,
                               .out1 = fv_min((task + 1) * step, r->conv.out_c) };
    r->a->kernels->conv_reduce(&j);
}

static void backward_weights(const fv_conv_run *r)
{
    tasks t = cut_weights(r->a->kernels, &r->conv);
    t.r = r;
    t.partials = (float *)((char *)r->scratch + t.worker_bytes * (size_t)fv_threads_count());
    fv_parallel_for(t.splits * t.out_tiles * t.in_tiles, weights_task, &t);
    const int blocks = r->conv.groups > 1 ? 1 : fv_ceil_div(r->conv.out_c, FV_CONV_BLOCK);
    fv_parallel_for(blocks, reduce_task, &t);
}

const fv_conv_route fv_conv_dense = {
    .cut = cut,
    .forward_bytes = forward_bytes,
    .backward_bytes = backward_bytes,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};
