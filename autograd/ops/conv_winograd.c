/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution by Winograd's way: chunks of tile rows x blocks of channels, forward and, mirrored,
 * backward to the input; backward to the weights as in conv_dense.c, with tile rows for pixels. */
#include "autograd/ops/conv_impl.h"

enum {
    TASK_TILES = 84, /* enough to use each packed weight often */
    MIN_TASK_TILES = 28,
    LARGE_WEIGHTS = 1 << 17, /* pairs of channels: their weights come from far away, */
    LARGE_TASK_TILES = 168,  /* so more tiles should use them */
    MIN_SPLIT_TILES = 112,   /* of the sum for the weights */
    FAR_WEIGHTS = 1 << 21,   /* floats, packed: with few tiles they cost more than they save */
    FAR_TILES = 64,
};

static int tiles_across(const fv_window *w) { return (w->out_w + 1) / 2; }

static int tile_rows(const fv_conv *c) { return c->window.n * fv_winograd_rows(&c->window); }

/* Must not depend on the number of images: a picture's result would. */
bool fv_winograd_pays(const fv_op_args *a, const fv_conv *c)
{
    if (!a->kernels->winograd_fits(c)) return false;
    if (a->mode == FV_EVAL)
        return 16 * c->in_c * c->out_c <= FAR_WEIGHTS ||
               fv_winograd_rows(&c->window) * tiles_across(&c->window) >= FAR_TILES;
    const fv_conv mirror = fv_winograd_mirror(c);
    return a->kernels->winograd_fits(&mirror);
}

/* Tile rows per task. */
static int rows_per_task(const fv_conv *c)
{
    const int rows = tile_rows(c), across = tiles_across(&c->window);
    int want = c->in_c * c->out_c >= LARGE_WEIGHTS ? LARGE_TASK_TILES : TASK_TILES;
    want = fv_min(want, fv_ceil_div(rows * across, FV_TASKS_WANTED));
    return fv_ceil_div(fv_max(want, MIN_TASK_TILES), across);
}

static int chunks(const fv_conv *c) { return fv_ceil_div(tile_rows(c), rows_per_task(c)); }

static size_t worker_bytes(const fv_kernels *k, const fv_conv *c)
{
    return fv_align(k->winograd_scratch_bytes(c));
}

static size_t forward_bytes(const fv_kernels *k, const fv_conv *c)
{
    return worker_bytes(k, c) * (size_t)fv_threads_count();
}

/* ---- Forward, and backward to the input ------------------------------------------- */

typedef struct tasks {
    const fv_conv_run *r;
    fv_winograd_sweep sweep; /* of everything */
    const fv_moments *moments;
    int chunks, per_chunk, per_channels;
    size_t worker_bytes;
} tasks;

static void sweep_task(void *ctx, int task, int worker)
{
    const tasks *t = ctx;
    const fv_window *w = &t->sweep.conv->window;
    const int chunk = task % t->chunks;
    fv_winograd_sweep j = t->sweep;
    j.scratch = (char *)t->r->scratch + (size_t)worker * t->worker_bytes;
    j.row0 = chunk * t->per_chunk;
    j.row1 = fv_min(j.row0 + t->per_chunk, t->sweep.row1);
    j.channel0 = task / t->chunks * t->per_channels;
    j.channel1 = fv_min(j.channel0 + t->per_channels, t->sweep.channel1);
    t->r->a->kernels->winograd_sweep(&j);
    if (!t->moments) return;
    const int first = fv_winograd_pixels_before(w, j.row0);
    fv_moments_take(t->moments, t->r->a->kernels, chunk, t->r->y, first,
                    fv_winograd_pixels_before(w, j.row1) - first, j.channel0, j.channel1);
}

static void run(tasks *t, const fv_conv *c)
{
    t->sweep.conv = c;
    t->sweep.row1 = tile_rows(c);
    t->sweep.channel1 = c->out_c;
    t->worker_bytes = worker_bytes(t->r->a->kernels, c);
    t->chunks = chunks(c);
    t->per_chunk = rows_per_task(c);
    t->per_channels = fv_cut_channels(c, c->out_c, t->chunks, t->moments);
    fv_parallel_for(t->chunks * fv_ceil_div(c->out_c, t->per_channels), sweep_task, t);
}

static void forward(const fv_conv_run *r)
{
    const fv_view x = r->a->in[FV_IN_X];
    tasks t = { .r = r,
                .moments = &r->moments,
                .sweep = { .x = x.data,
                           .x_stride = x.pixel_stride,
                           .packed = r->a->packs[0]->weights,
                           .y = r->y.data,
                           .y_stride = r->y.pixel_stride,
                           .epilogue = r->epilogue } };
    run(&t, &r->conv);
}

static void backward_data(const fv_conv_run *r)
{
    const fv_conv mirror = fv_winograd_mirror(&r->conv);
    const fv_view dy = r->a->grad_out, dx = r->a->grad_in[FV_IN_X];
    tasks t = { .r = r,
                .sweep = { .x = dy.data,
                           .x_stride = dy.pixel_stride,
                           .packed = r->a->packs[1]->weights,
                           .y = dx.data,
                           .y_stride = dx.pixel_stride } };
    if (r->a->accumulate[FV_IN_X]) {
        t.sweep.epilogue.residual = dx.data;
        t.sweep.epilogue.residual_stride = dx.pixel_stride;
    }
    run(&t, &mirror);
}

/* ---- Backward to the weights -------------------------------------------------------- */

typedef struct weight_tasks {
    const fv_conv_run *r;
    fv_weight_cut cut;
    size_t worker_bytes;
    float *partials;
} weight_tasks;

static fv_weight_cut cut_weights(const fv_kernels *k, const fv_conv *c)
{
    return fv_cut_weights(c, k->winograd_partial_floats(c), tile_rows(c),
                          fv_ceil_div(MIN_SPLIT_TILES, tiles_across(&c->window)));
}

/* Of both backwards. */
static size_t backward_workers(const fv_kernels *k, const fv_conv *c)
{
    const fv_conv mirror = fv_winograd_mirror(c);
    const size_t one = worker_bytes(k, c), other = worker_bytes(k, &mirror);
    return (one > other ? one : other) * (size_t)fv_threads_count();
}

static size_t backward_bytes(const fv_kernels *k, const fv_conv *c)
{
    const fv_weight_cut w = cut_weights(k, c);
    return backward_workers(k, c) + (size_t)w.splits * w.partial_floats * sizeof(float);
}

static void weights_task(void *ctx, int task, int worker)
{
    const weight_tasks *t = ctx;
    const fv_conv_run *r = t->r;
    const fv_weight_cut *w = &t->cut;
    const fv_view x = r->a->in[FV_IN_X], dy = r->a->grad_out;
    const int split = task % w->splits, tile = task / w->splits;
    fv_winograd_weights j = { .conv = &r->conv,
                              .x = x.data,
                              .dy = dy.data,
                              .x_stride = x.pixel_stride,
                              .dy_stride = dy.pixel_stride,
                              .partial = t->partials + (size_t)split * w->partial_floats,
                              .scratch = (char *)r->scratch + (size_t)worker * t->worker_bytes };
    j.row0 = split * w->per_split;
    j.row1 = fv_min(j.row0 + w->per_split, tile_rows(&r->conv));
    j.out0 = tile % w->out_tiles * w->out_step;
    j.out1 = fv_min(j.out0 + w->out_step, r->conv.out_c);
    j.in0 = tile / w->out_tiles * w->in_step;
    j.in1 = fv_min(j.in0 + w->in_step, r->conv.in_c);
    r->a->kernels->winograd_backward_weights(&j);
}

static void backward_weights(const fv_conv_run *r)
{
    const fv_kernels *k = r->a->kernels;
    weight_tasks t = { .r = r,
                       .cut = cut_weights(k, &r->conv),
                       .worker_bytes = worker_bytes(k, &r->conv) };
    t.partials = (float *)(void *)((char *)r->scratch + backward_workers(k, &r->conv));
    fv_parallel_for(t.cut.splits * t.cut.out_tiles * t.cut.in_tiles, weights_task, &t);
    fv_reduce_weights(r, &t.cut, t.partials, k->winograd_reduce);
}

const fv_conv_route fv_conv_winograd = {
    .forward_pack = FV_PACK_WINOGRAD,
    .backward_pack = FV_PACK_MIRRORED,
    .chunks = chunks,
    .forward_bytes = forward_bytes,
    .backward_bytes = backward_bytes,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};
