/* SPDX-License-Identifier: Apache-2.0 */
/* How the dense ways of convolution, direct and Winograd's, are cut into tasks. */
#include "autograd/ops/conv_impl.h"

enum {
    PARTIAL_FLOATS = 1 << 20, /* all partial weight gradients together, about */
    TASKS_PER_THREAD = 8
};

int fv_cut_channels(const fv_conv *c, int channels, int chunks, const fv_moments *moments)
{
    int tasks = FV_TASKS_WANTED;
    if (!moments || !moments->partials)
        tasks = fv_min(tasks, TASKS_PER_THREAD * fv_threads_count());
    if (c->groups > 1 || chunks >= tasks) return channels;
    const int blocks = fv_ceil_div(channels, FV_CONV_BLOCK);
    const int wanted = fv_min(blocks, fv_ceil_div(tasks, chunks));
    return fv_ceil_div(blocks, wanted) * FV_CONV_BLOCK;
}

fv_weight_cut fv_cut_weights(const fv_conv *c, size_t floats, int units, int least)
{
    fv_weight_cut w = { .out_tiles = 1, .in_tiles = 1 };
    w.splits = fv_min(FV_TASKS_WANTED, (int)(PARTIAL_FLOATS / floats));
    w.splits = fv_max(1, fv_min(w.splits, units / least));
    if (c->groups == 1) {
        const int wanted = fv_ceil_div(FV_TASKS_WANTED, w.splits);
        w.out_tiles = fv_min(wanted, fv_ceil_div(c->out_c, FV_CONV_BLOCK));
        w.in_tiles = fv_min(fv_ceil_div(wanted, w.out_tiles), fv_ceil_div(c->in_c, FV_CONV_BLOCK));
    }
    w.out_step = fv_round_up(fv_ceil_div(c->out_c, w.out_tiles), FV_CONV_BLOCK);
    w.in_step = fv_round_up(fv_ceil_div(c->in_c, w.in_tiles), FV_CONV_BLOCK);
    w.out_tiles = fv_ceil_div(c->out_c, w.out_step);
    w.in_tiles = fv_ceil_div(c->in_c, w.in_step);
    w.per_split = fv_ceil_div(units, w.splits);
    w.splits = fv_ceil_div(units, w.per_split);
    w.partial_floats = fv_align(floats * sizeof(float)) / sizeof(float);
    return w;
}

typedef struct reduction {
    const fv_conv *conv;
    fv_conv_reduce all;
    void (*kernel)(const fv_conv_reduce *j);
    int step; /* output channels per task */
} reduction;

static void reduce_task(void *ctx, int task, int worker)
{
    (void)worker;
    const reduction *r = ctx;
    fv_conv_reduce j = r->all;
    j.out0 = task * r->step;
    j.out1 = fv_min(j.out0 + r->step, r->conv->out_c);
    r->kernel(&j);
}

void fv_reduce_weights(const fv_conv_run *run, const fv_weight_cut *cut, const float *partials,
                       void (*kernel)(const fv_conv_reduce *j))
{
    const fv_conv *c = &run->conv;
    reduction r = { .conv = c,
                    .all = { .conv = c,
                             .partials = partials,
                             .count = cut->splits,
                             .partial_stride = cut->partial_floats,
                             .dw = run->a->grad_in[FV_IN_WEIGHT].data,
                             .accumulate = run->a->accumulate[FV_IN_WEIGHT] },
                    .kernel = kernel,
                    .step = c->groups > 1 ? c->out_c : FV_CONV_BLOCK };
    fv_parallel_for(fv_ceil_div(c->out_c, r.step), reduce_task, &r);
}
