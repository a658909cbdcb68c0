/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/conv_weights_vector.c - the gradient of convolution's weights.
 *
 * Partial sums are laid out as packed weights are (conv_panel.h). Pixels come in blocks; what a
 * tile reads of a block stays in the cache while all taps pass over it. The slice of dy that all
 * input channels and taps multiply is first copied, so that it is dense and its last vector whole.
 */
#include "base/compiler.h"
#include "kernels/variants.h"
#include "kernels/x86/conv_group_outer.h"

#include <string.h>

enum { COPY_MIN_TILES = 3 }; /* that use a slice of dy, to make its copy worthwhile */

typedef struct block {
    const fv_conv_backward_weights *job;
    panel_shape panels;
    const float *source;
    ptrdiff_t x_step;
    int first, count; /* output pixels */
    int taps, channels, in0, in1;
    bool add;
    outer_run *runs; /* [taps][max_runs] */
    int *run_count;  /* [taps] */
    int max_runs;
    float *dy; /* copied slice, [count][lanes] */
    float *rows;
} block;

static size_t partial_floats(const fv_conv *c)
{
    const panel_shape s = panel_forward(c);
    return group_size(c) ? group_packed_floats(c) : panel_floats(&s);
}

/* ---- Runs ------------------------------------------------------------------------------ */

/* Adds outputs [ox0, ox1) of row `row` that see the input through tap (ky, kx), if any do. */
static void list_row(block *b, int ky, int kx, int row, int ox0, int ox1)
{
    const fv_window *w = &b->job->conv->window;
    const int iy = row % w->out_h * w->stride_h - w->pad_h + ky * w->dilation_h;
    if (iy < 0 || iy >= w->in_h) return;
    const int shift = kx * w->dilation_w - w->pad_w; /* ix = ox * stride_w + shift */
    if (shift < 0) ox0 = fv_max(ox0, (-shift + w->stride_w - 1) / w->stride_w);
    if (shift >= w->in_w) return;
    ox1 = fv_min(ox1, (w->in_w - 1 - shift) / w->stride_w + 1);
    if (ox0 >= ox1) return;

    const ptrdiff_t line = (ptrdiff_t)(row / w->out_h) * w->in_h + iy;
    const outer_run run = {
        .x = (line * w->in_w + (ptrdiff_t)ox0 * w->stride_w + shift) * b->job->x_stride,
        .first = row * w->out_w + ox0 - b->first,
        .count = ox1 - ox0,
    };
    const int tap = ky * w->kernel_w + kx;
    outer_run *next = b->runs + (ptrdiff_t)tap * b->max_runs + b->run_count[tap];
    if (b->run_count[tap] > 0) {
        outer_run *last = next - 1;
        if (last->first + last->count == run.first && last->x + last->count * b->x_step == run.x) {
            last->count += run.count;
            return;
        }
    }
    *next = run;
    b->run_count[tap]++;
}

static void list_runs(block *b)
{
    const fv_window *w = &b->job->conv->window;
    memset(b->run_count, 0, (size_t)b->taps * sizeof(int));
    for (int p = b->first; p < b->first + b->count;) {
        const int row = p / w->out_w, ox = p % w->out_w;
        const int ox1 = fv_min(w->out_w, ox + b->first + b->count - p);
        for (int ky = 0; ky < w->kernel_h; ky++)
            for (int kx = 0; kx < w->kernel_w; kx++) list_row(b, ky, kx, row, ox, ox1);
        p += ox1 - ox;
    }
}

/* The block is outputs of one row, its taps are rows of the window; see conv_rows.h. */
static void copy_rows(block *b)
{
    const fv_conv *c = b->job->conv;
    const fv_window *w = &c->window;
    const int row = b->first / w->out_w, oy = row % w->out_h;
    rows_copy(c, b->job->x, b->job->x_stride, row / w->out_h, oy, b->first % w->out_w, b->count,
              b->rows);
    for (int k = 0; k < w->kernel_h; k++) {
        const int iy = oy * w->stride_h - w->pad_h + k * w->dilation_h;
        b->run_count[k] = iy >= 0 && iy < w->in_h;
        b->runs[k * b->max_runs] =
            (outer_run){ (ptrdiff_t)k * rows_width(w, b->count) * c->in_c, 0, b->count };
    }
}

/* ---- A block ----------------------------------------------------------------------------- */

/* dy of the block, from channel `channel`, of which `used` exist. */
static void copy_dy(const block *b, int channel, int used, int lanes)
{
    const float *from = b->job->dy + b->first * b->job->dy_stride + channel;
    float *to = b->dy;
    const int whole = used / FV_LANES * FV_LANES;
    for (int p = 0; p < b->count; p++, from += b->job->dy_stride, to += lanes) {
        for (int v = 0; v < whole; v += FV_LANES) fv_vec_store(to + v, fv_vec_load(from + v));
        if (whole < lanes) fv_vec_store(to + whole, fv_vec_load_n(from + whole, used - whole));
    }
}

/* All taps and input channels with output channels [t, t + BLOCK_LANES) of group g. */
static void run_panel(const block *b, int g, int t)
{
    const panel_shape *panels = &b->panels;
    const int lanes = panel_lanes(panels, t), used = fv_min(lanes, panels->targets - t);
    const int channels = b->in1 - b->in0;
    const int tiles = (channels + OUTER_CHANNELS - 1) / OUTER_CHANNELS;
    float *sums = b->job->partial + panel_at(panels, g, t);
    outer_fn *const *functions = outer_functions[lanes > FV_LANES];
    outer_job job = { .x_step = b->x_step, .add = b->add };
    const bool dense = b->job->dy_stride == lanes; /* already */
    if (used < lanes || (tiles * b->taps >= COPY_MIN_TILES && !dense)) {
        copy_dy(b, g * panels->targets + t, used, lanes);
        job.dy = b->dy;
        job.dy_step = lanes;
    } else {
        job.dy_step = b->job->dy_stride;
        job.dy = b->job->dy + b->first * job.dy_step + g * panels->targets + t;
    }
    for (int i = 0; i < tiles; i++) {
        const int in0 = b->in0 + channels * i / tiles, in1 = b->in0 + channels * (i + 1) / tiles;
        job.x = b->source + (ptrdiff_t)g * panels->sources + in0;
        for (int tap = 0; tap < b->taps; tap++) {
            job.run = b->runs + (ptrdiff_t)tap * b->max_runs;
            job.runs = b->run_count[tap];
            job.sums = sums + ((ptrdiff_t)tap * b->channels + in0) * lanes;
            functions[in1 - in0 - 1](&job);
        }
    }
}

/* All taps with `vectors` vectors of narrow groups, from channel c on. */
static void run_vectors(const block *b, group_outer_fn *fn, int c)
{
    const fv_conv_backward_weights *j = b->job;
    const int size = b->panels.sources, lanes = fv_min(FV_LANES, b->job->conv->in_c - c);
    group_job job = {
        .outer = { .x = j->x + c,
                   .x_step = b->x_step,
                   .dy = j->dy + b->first * j->dy_stride + c,
                   .dy_step = j->dy_stride,
                   .add = b->add },
        .panel_step = (ptrdiff_t)FV_LANES * b->taps * size,
        .last = fv_mask_first(lanes),
    };
    float *sums = j->partial + group_panel_at(j->conv, c);
    for (int tap = 0; tap < b->taps; tap++) {
        job.outer.run = b->runs + (ptrdiff_t)tap * b->max_runs;
        job.outer.runs = b->run_count[tap];
        job.outer.sums = sums + (ptrdiff_t)tap * size * FV_LANES;
        fn(&job);
    }
}

static void run_narrow(const block *b)
{
    const group_outer outer = group_outer_of(b->panels.sources);
    const int end = b->job->out1, many = outer.vectors * FV_LANES;
    int c = b->job->out0;
    for (; c + many <= end; c += many) run_vectors(b, outer.many, c);
    for (; c + FV_LANES <= end; c += FV_LANES) run_vectors(b, outer.one, c);
    if (c < end) run_vectors(b, outer.part, c);
}

static void run_block(const block *b)
{
    const fv_conv_backward_weights *j = b->job;
    const int targets = b->panels.targets;
    for (int g = j->out0 / targets; g * targets < j->out1; g++) {
        const int first = fv_max(j->out0 - g * targets, 0);
        const int last = fv_min(j->out1 - g * targets, targets);
        for (int t = first; t < last; t += BLOCK_LANES) run_panel(b, g, t);
    }
}

static void backward_weights(const fv_conv_backward_weights *j)
{
    const fv_conv *c = j->conv;
    const fv_window *w = &c->window;
    const bool rows = rows_worthwhile(c);
    const int group_in = c->in_c / c->groups;
    unsigned char *scratch = j->scratch;
    block b = { .job = j, .panels = panel_forward(c), .max_runs = block_rows(c) };
    b.runs = (void *)scratch;
    b.run_count = (void *)(scratch += runs_bytes(c));
    b.dy = (void *)(scratch += counts_bytes(c));
    b.rows = (void *)(scratch + dy_bytes(c));
    b.source = rows ? b.rows : j->x;
    b.x_step = (rows ? c->in_c : j->x_stride) * (ptrdiff_t)w->stride_w;
    b.taps = rows ? w->kernel_h : w->kernel_h * w->kernel_w;
    b.channels = rows ? w->kernel_w * c->in_c : group_in;
    b.in0 = rows || c->groups > 1 ? 0 : j->in0;
    b.in1 = rows || c->groups > 1 ? b.channels : j->in1;

    b.first = j->pixel0;
    do { /* once, even without pixels: to write zeros */
        b.count = fv_min(block_pixels(c), j->pixel1 - b.first);
        if (rows) b.count = fv_min(b.count, w->out_w - b.first % w->out_w);
        b.add = j->accumulate || b.first > j->pixel0;
        if (rows && b.count > 0)
            copy_rows(&b);
        else
            list_runs(&b);
        if (group_size(c))
            run_narrow(&b);
        else
            run_block(&b);
        b.first += b.count;
    } while (b.first < j->pixel1);
}

/* ---- Reduction ------------------------------------------------------------------------------ */

enum { REDUCE_ROWS = 16 };

/* Rows [first, first + count) of a panel, in the order of checkpoints, summed and transposed. */
static void reduce_rows(const fv_conv_reduce *j, const panel_shape *s, int g, int t, int first,
                        int count)
{
    const int lanes = panel_lanes(s, t), used = fv_min(lanes, s->targets - t);
    float sums[REDUCE_ROWS][BLOCK_LANES];
    for (int r = 0; r < count; r++) {
        const int row = (first + r) % s->taps * s->sources + (first + r) / s->taps;
        const float *from = j->partials + panel_at(s, g, t) + (size_t)row * (size_t)lanes;
        for (int v = 0; v < lanes; v += FV_LANES) {
            fv_vec sum = fv_vec_load(from + v);
            for (int k = 1; k < j->count; k++)
                sum = fv_vec_add(sum, fv_vec_load(from + (size_t)k * j->partial_stride + v));
            fv_vec_store(sums[r] + v, sum);
        }
    }
    const size_t length = (size_t)s->sources * (size_t)s->taps;
    float *to = j->dw + (size_t)(g * s->targets + t) * length + first;
    for (int o = 0; o < used; o++, to += length)
        for (int r = 0; r < count; r++) to[r] = j->accumulate ? to[r] + sums[r][o] : sums[r][o];
}

/* One channel of narrow groups. */
static void reduce_narrow(const fv_conv_reduce *j, int channel)
{
    const int taps = j->conv->window.kernel_h * j->conv->window.kernel_w;
    const int size = group_size(j->conv);
    const size_t at = group_panel_at(j->conv, channel / FV_LANES * FV_LANES);
    const float *lane = j->partials + at + channel % FV_LANES;
    float *dw = j->dw + (ptrdiff_t)channel * size * taps;
    for (int row = 0; row < taps * size; row++) {
        const float *from = lane + (ptrdiff_t)row * FV_LANES;
        float sum = 0.0f;
        for (int k = 0; k < j->count; k++) sum += from[(size_t)k * j->partial_stride];
        const int source = channel % size ^ row % size;
        float *to = dw + source * taps + row / size;
        *to = j->accumulate ? *to + sum : sum;
    }
}

static void reduce(const fv_conv_reduce *j)
{
    if (group_size(j->conv)) {
        for (int o = j->out0; o < j->out1; o++) reduce_narrow(j, o);
        return;
    }
    const panel_shape s = panel_forward(j->conv);
    const int length = s.sources * s.taps;
    for (int g = j->out0 / s.targets; g * s.targets < j->out1; g++) {
        const int last = fv_min(j->out1 - g * s.targets, s.targets);
        for (int t = fv_max(j->out0 - g * s.targets, 0); t < last; t += BLOCK_LANES)
            for (int r = 0; r < length; r += REDUCE_ROWS)
                reduce_rows(j, &s, g, t, r, fv_min(REDUCE_ROWS, length - r));
    }
}

void FV_VARIANT(fv_conv_weights)(fv_kernels *k)
{
    k->conv_partial_floats = partial_floats;
    k->conv_backward_weights = backward_weights;
    k->conv_reduce = reduce;
}
