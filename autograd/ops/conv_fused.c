/* SPDX-License-Identifier: Apache-2.0 */
/* Backward of convolution and batch norm together, for the two kinds that memory bounds.
 *
 * Pointwise: a task has a range of pixels, and walks it in chunks: dy of a chunk goes to a scratch
 * that stays in the cache, from there to dx, and into the task's partial sum of the weights'
 * gradient.
 *
 * Depthwise: a task has an image, and walks its rows in chunks: dy replaces dz in place; then the
 * weights see the chunk's rows, and dx gets the rows whose every tap has been reached.
 *
 * An input that is there in its raw form only is made chunk by chunk, into the worker's scratch.
 */
#include "autograd/ops/conv_impl.h"

enum {
    CHUNK_FLOATS = 1 << 15,   /* x, dy and dx of a chunk: 128 KiB */
    CHUNK_PIXELS = 84,        /* a multiple of most register tiles */
    PARTIAL_FLOATS = 1 << 20, /* all partial weight gradients together, about */
    MIN_TASKS = 16            /* with fewer the threads of a large machine would idle */
};

/* ---- Pointwise -------------------------------------------------------------------- */

typedef struct pointwise {
    const fv_conv_run *r;
    const fv_norm *second;
    int chunk, per_task, tasks; /* pixels, pixels, count */
    size_t worker_bytes, dy_bytes, x_bytes, partial_floats;
    char *workers;
    float *partials;
} pointwise;

/* The convolution on `count` pixels, as one row. */
static fv_conv line_of(const fv_conv *c, int count)
{
    fv_conv line = *c;
    line.window.in_h = line.window.out_h = 1;
    line.window.in_w = line.window.out_w = count;
    return line;
}

/* Of any chunk: what kernels need grows with the width of a row, or with the number of rows. */
static size_t kernel_bytes(const fv_kernels *k, const fv_conv *c, int chunk)
{
    const fv_conv widest = line_of(c, chunk), narrowest = line_of(c, 1);
    return fv_align(k->conv_scratch_bytes(&widest)) + fv_align(k->conv_scratch_bytes(&narrowest));
}

static pointwise cut_pointwise(const fv_kernels *k, const fv_conv *c)
{
    pointwise p = { .dy_bytes = 0 };
    const int pixels = fv_window_pixels(&c->window), weights = c->in_c * c->out_c;
    const int fit = CHUNK_FLOATS / (2 * c->in_c + c->out_c) / CHUNK_PIXELS * CHUNK_PIXELS;
    p.chunk = fv_max(fit, CHUNK_PIXELS);
    const int splits = fv_max(1, fv_min(FV_TASKS_WANTED, PARTIAL_FLOATS / weights));
    p.per_task = fv_ceil_div(fv_ceil_div(pixels, splits), p.chunk) * p.chunk;
    p.tasks = fv_ceil_div(pixels, p.per_task);
    p.dy_bytes = fv_align((size_t)p.chunk * (size_t)c->out_c * sizeof(float));
    p.x_bytes = fv_align((size_t)p.chunk * (size_t)c->in_c * sizeof(float));
    p.worker_bytes = p.dy_bytes + p.x_bytes + kernel_bytes(k, c, p.chunk);
    p.partial_floats = fv_align(k->conv_partial_floats(c) * sizeof(float)) / sizeof(float);
    return p;
}

static bool pointwise_fits(const fv_op_args *a, const fv_conv *c)
{
    const fv_window *w = &c->window;
    const bool flat =
        w->n == 1 && w->in_w == 1 && w->kernel_h * w->kernel_w == 1 && w->stride_h == 1;
    return flat && c->groups == 1 && cut_pointwise(a->kernels, c).tasks >= MIN_TASKS;
}

static size_t pointwise_bytes(const fv_kernels *k, const fv_conv *c)
{
    const pointwise p = cut_pointwise(k, c);
    return p.worker_bytes * (size_t)fv_threads_count() +
           (size_t)p.tasks * p.partial_floats * sizeof(float);
}

/* Pixels [first, first + count): dy into the scratch, on to dx and the weights. */
static void pointwise_chunk(const pointwise *p, int first, int count, char *scratch, float *partial,
                            bool add)
{
    const fv_conv_run *r = p->r;
    const fv_view x = r->a->in[FV_IN_X], dx = r->a->grad_in[FV_IN_X];
    const fv_raw *raw = &r->a->raw[FV_IN_X];
    float *dy = (float *)(void *)scratch, *made = (float *)(void *)(scratch + p->dy_bytes);
    if (raw->y.data) fv_raw_make(r->a->kernels, raw, first, count, made);
    scratch += p->dy_bytes + p->x_bytes;
    fv_norm part = fv_norm_part(p->second, first, count);
    part.out = dy;
    part.out_stride = r->conv.out_c;
    r->a->kernels->norm_backward_apply(&part);

    const fv_conv line = line_of(&r->conv, count);
    const fv_conv_backward_data data = { .conv = &line,
                                         .dy = dy,
                                         .dy_stride = r->conv.out_c,
                                         .packed = r->a->packs[1]->weights,
                                         .dx = fv_pixel(dx, first),
                                         .dx_stride = dx.pixel_stride,
                                         .row1 = 1,
                                         .channel1 = r->conv.in_c,
                                         .accumulate = r->a->accumulate[FV_IN_X],
                                         .scratch = scratch };
    const fv_conv_backward_weights weights = { .conv = &line,
                                               .x = raw->y.data ? made : fv_pixel(x, first),
                                               .x_stride =
                                                   raw->y.data ? r->conv.in_c : x.pixel_stride,
                                               .dy = dy,
                                               .dy_stride = r->conv.out_c,
                                               .partial = partial,
                                               .pixel1 = count,
                                               .out1 = r->conv.out_c,
                                               .in1 = r->conv.in_c,
                                               .accumulate = add,
                                               .scratch = scratch };
    r->a->kernels->conv_backward_weights(&weights);
    r->a->kernels->conv_backward_data(&data);
}

static void pointwise_task(void *ctx, int task, int worker)
{
    const pointwise *p = ctx;
    const int first = task * p->per_task, pixels = fv_window_pixels(&p->r->conv.window);
    const int end = fv_min(first + p->per_task, pixels);
    char *scratch = p->workers + (size_t)worker * p->worker_bytes;
    float *partial = p->partials + (size_t)task * p->partial_floats;
    for (int at = first; at < end; at += p->chunk)
        pointwise_chunk(p, at, fv_min(p->chunk, end - at), scratch, partial, at > first);
}

static void pointwise_reduce(void *ctx, int task, int worker)
{
    (void)worker;
    const pointwise *p = ctx;
    const fv_conv *c = &p->r->conv;
    const fv_conv_reduce j = { .conv = c,
                               .partials = p->partials,
                               .count = p->tasks,
                               .partial_stride = p->partial_floats,
                               .dw = p->r->a->grad_in[FV_IN_WEIGHT].data,
                               .accumulate = p->r->a->accumulate[FV_IN_WEIGHT],
                               .out0 = task * FV_CONV_BLOCK,
                               .out1 = fv_min((task + 1) * FV_CONV_BLOCK, c->out_c) };
    p->r->a->kernels->conv_reduce(&j);
}

static void pointwise_backward(const fv_conv_run *r, const fv_norm *second)
{
    pointwise p = cut_pointwise(r->a->kernels, &r->conv);
    p.r = r;
    p.second = second;
    p.workers = r->scratch;
    p.partials = (float *)(void *)(p.workers + p.worker_bytes * (size_t)fv_threads_count());
    fv_parallel_for(p.tasks, pointwise_task, &p);
    fv_parallel_for(fv_ceil_div(r->conv.out_c, FV_CONV_BLOCK), pointwise_reduce, &p);
}

const fv_conv_fusion fv_conv_fused_pointwise = {
    .fits = pointwise_fits,
    .bytes = pointwise_bytes,
    .backward = pointwise_backward,
};

/* ---- Depthwise -------------------------------------------------------------------- */

static bool depthwise_fits(const fv_op_args *a, const fv_conv *c)
{
    (void)a;
    return fv_is_depthwise(c) && c->window.n >= MIN_TASKS;
}

/* Of one worker: a picture of the input. */
static size_t picture_bytes(const fv_conv *c)
{
    return fv_align((size_t)c->window.in_h * (size_t)c->window.in_w * (size_t)c->in_c *
                    sizeof(float));
}

static size_t depthwise_bytes(const fv_kernels *k, const fv_conv *c)
{
    (void)k;
    return picture_bytes(c) * (size_t)fv_threads_count() +
           (size_t)c->window.n * fv_depthwise_partial_floats(c) * sizeof(float);
}

typedef struct depthwise {
    const fv_conv_run *r;
    const fv_norm *second;
    fv_window window; /* of one picture */
    int rows;         /* of the output, per chunk */
    float *partials;
    char *pictures; /* of the workers */
} depthwise;

/* Where the input of a picture lies, or will once it is made. */
static fv_view picture_of(const depthwise *d, int image, int worker)
{
    const fv_op_args *a = d->r->a;
    fv_view x = a->in[FV_IN_X];
    if (!a->raw[FV_IN_X].y.data) {
        x.data = fv_image(x, image);
        return x;
    }
    char *at = d->pictures + (size_t)worker * picture_bytes(&d->r->conv);
    return (fv_view){ (float *)(void *)at, x.shape, x.shape.c };
}

/* Makes rows [from, to) of a picture from its raw form, if that is all there is. */
static void make_rows(const depthwise *d, int image, fv_view picture, int from, int to)
{
    const fv_raw *raw = &d->r->a->raw[FV_IN_X];
    const int width = d->window.in_w, before = image * d->window.in_h;
    if (raw->y.data && from < to)
        fv_raw_make(d->r->a->kernels, raw, (before + from) * width, (to - from) * width,
                    fv_pixel(picture, from * width));
}

/* Input rows that output rows before `end` see. */
static int rows_seen(const fv_window *w, int end)
{
    const int last = (end - 1) * w->stride_h - w->pad_h + (w->kernel_h - 1) * w->dilation_h;
    return fv_min(last + 1, w->in_h);
}

static void depthwise_task(void *ctx, int image, int worker)
{
    const depthwise *d = ctx;
    const fv_op_args *a = d->r->a;
    const fv_window *w = &d->window;
    const fv_view x = picture_of(d, image, worker), dx = a->grad_in[FV_IN_X], dy = a->grad_out;
    fv_depthwise weights = { .window = w,
                             .channels = x.shape.c,
                             .x = x.data,
                             .x_stride = x.pixel_stride,
                             .w = fv_image(dy, image),
                             .w_stride = dy.pixel_stride,
                             .y = d->partials +
                                  (size_t)image * fv_depthwise_partial_floats(&d->r->conv) };
    fv_depthwise data = { .window = w,
                          .channels = x.shape.c,
                          .x = fv_image(dy, image),
                          .x_stride = dy.pixel_stride,
                          .w = a->packs[0]->weights,
                          .y = fv_image(dx, image),
                          .y_stride = dx.pixel_stride,
                          .accumulate = a->accumulate[FV_IN_X] };
    for (int oy = 0, made = 0; oy < w->out_h; oy += d->rows) {
        const int end = fv_min(oy + d->rows, w->out_h), first = image * w->out_h + oy;
        const fv_norm part = fv_norm_part(d->second, first * w->out_w, (end - oy) * w->out_w);
        a->kernels->norm_backward_apply(&part);
        make_rows(d, image, x, made, rows_seen(w, end));
        made = fv_max(made, rows_seen(w, end));
        weights.row0 = oy;
        weights.row1 = end;
        weights.accumulate = oy > 0;
        a->kernels->depthwise_backward_weights(&weights);
        /* Input row iy is reached by output rows up to (iy + pad) / stride. */
        const int reached =
            end < w->out_h ? fv_min(end * w->stride_h - w->pad_h, w->in_h) : w->in_h;
        data.row1 = fv_max(reached, 0);
        if (data.row1 <= data.row0) continue;
        a->kernels->depthwise_backward_data(&data);
        data.row0 = data.row1;
    }
}

static void depthwise_backward(const fv_conv_run *r, const fv_norm *second)
{
    const fv_window *w = &r->conv.window;
    depthwise d = { .r = r, .second = second, .window = *w, .pictures = r->scratch };
    d.window.n = 1;
    d.rows = fv_rows_per_task(w->out_h, 2 * (size_t)w->out_w * (size_t)r->conv.out_c);
    d.partials =
        (float *)(void *)(d.pictures + picture_bytes(&r->conv) * (size_t)fv_threads_count());
    fv_parallel_for(w->n, depthwise_task, &d);
    fv_depthwise_reduce(r, d.partials, w->n);
}

const fv_conv_fusion fv_conv_fused_depthwise = {
    .fits = depthwise_fits,
    .bytes = depthwise_bytes,
    .backward = depthwise_backward,
};
