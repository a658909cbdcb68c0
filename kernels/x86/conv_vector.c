/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/conv_vector.c - convolution, forward and backward to the input.
 *
 * Both are sweeps over a grid of targets (conv_grid.h): a block of tiles is described once, its
 * source pixels come into the cache, and then each panel of weights meets each tile of the block.
 */
#include "base/compiler.h"
#include "kernels/variants.h"
#include "kernels/x86/conv_block.h"
#include "kernels/x86/conv_grid.h"
#include "kernels/x86/conv_group_tile.h"
#include "kernels/x86/conv_rows.h"
#include "kernels/x86/conv_tail_tile.h"
#include "kernels/x86/scratch.h"

#include <math.h>
#include <string.h>

enum {
    SWEEP_MAX_TILES = 32, /* of a block */
    SWEEP_MIN_TILES = 4,
    SWEEP_SOURCE_BYTES = 384 * 1024, /* of a block: a part of the second-level cache */
};

typedef struct sweep {
    const float *source;
    ptrdiff_t source_stride;
    const float *packed;
    panel_shape panels;
    int tail;       /* kind of the last panel of each group; see tail_choose() */
    int group_size; /* of narrow groups, else 0; see conv_group.h */
    int channel0, channel1;
    tile_job job; /* target and epilogue, from channel 0 */
    float *zeros; /* and all else in scratch */
    tile *tiles;
    tile_tap *taps, *all;
    unsigned *inside;
    float *rows;
} sweep;

/* ---- Scratch ---------------------------------------------------------------------- */

static size_t lay_out_scratch(sweep *s, const fv_conv *c, void *scratch)
{
    const fv_window *w = &c->window;
    const size_t taps = (size_t)w->kernel_h * (size_t)w->kernel_w;
    const size_t channels = (size_t)fv_max(c->in_c, c->out_c) / (size_t)c->groups;
    size_t used = 0, rows = 0;
    if (rows_worthwhile(c))
        rows = (size_t)w->kernel_h * (size_t)c->in_c *
               (size_t)rows_width(w, fv_min(w->out_w, SWEEP_MAX_TILES * TILE_PIXELS));
    s->zeros = scratch_cut(scratch, &used, (channels + FV_LANES) * sizeof(float));
    s->tiles = scratch_cut(scratch, &used, SWEEP_MAX_TILES * sizeof(tile));
    s->taps = scratch_cut(scratch, &used, SWEEP_MAX_TILES * taps * sizeof(tile_tap));
    s->all = scratch_cut(scratch, &used, taps * sizeof(tile_tap));
    s->inside = scratch_cut(scratch, &used, (size_t)(w->kernel_h + w->kernel_w) * sizeof(unsigned));
    s->rows = scratch_cut(scratch, &used, rows * sizeof(float));
    return used;
}

static size_t scratch_bytes(const fv_conv *c)
{
    sweep s;
    const size_t forward_bytes = lay_out_scratch(&s, c, NULL),
                 weights_bytes = block_scratch_bytes(c);
    return forward_bytes > weights_bytes ? forward_bytes : weights_bytes;
}

/* ---- Packing ---------------------------------------------------------------------- */

static panel_shape sweep_panels(const fv_conv *c)
{
    return rows_worthwhile(c) ? rows_panels(c) : panel_forward(c);
}

/* The weights in the order of checkpoints: strides in floats, and how many neighbouring taps are
 * one tap of the panels; see conv_rows.h. */
typedef struct weight_strides {
    size_t group, source, target;
    int merged;
} weight_strides;

/* Where source i (of `sources`, with lane 0) of a tap stands in a panel, and how far its lanes are
 * apart. */
static float *panel_source(const panel_shape *s, float *panel, int lanes, int tap, int i)
{
    if (lanes == BLOCK_LANES)
        return panel + ((size_t)tap * (size_t)s->sources + (size_t)i) * BLOCK_LANES;
    const size_t pairs = (size_t)(s->sources + 1) / 2;
    return panel + ((size_t)tap * pairs + (size_t)(i / 2)) * BLOCK_LANES + i % 2;
}

static void pack_panel(const panel_shape *s, const weight_strides *stride, const float *w,
                       const float *scale, int target, float *panel)
{
    const int lanes = panel_lanes(s, target), used = fv_min(lanes, s->targets - target);
    const int step = lanes == BLOCK_LANES ? 1 : 2, channels = s->sources / stride->merged;
    for (int i = 0; i < s->sources; i++)
        for (int tap = 0; tap < s->taps; tap++) {
            float *to = panel_source(s, panel, lanes, tap, i);
            const float *from = w + (size_t)(i % channels) * stride->source +
                                (size_t)(tap * stride->merged + i / channels);
            for (int t = 0; t < used; t++) {
                const float value = from[(size_t)(target + t) * stride->target];
                to[t * step] = scale ? value * scale[target + t] : value;
            }
            for (int t = used; t < lanes; t++) to[t * step] = 0.0f;
        }
    if (lanes == BLOCK_LANES || s->sources % 2 == 0) return;
    for (int tap = 0; tap < s->taps; tap++) { /* the last pair lacks its second */
        float *to = panel_source(s, panel, lanes, tap, s->sources - 1) + 1;
        for (int t = 0; t < lanes; t++) to[t * step] = 0.0f;
    }
}

/* The panel of the last targets of a group; see conv_tail.h. */
static void pack_tail(const panel_shape *s, tail_kind kind, const weight_strides *stride,
                      const float *w, const float *scale, int target, float *panel)
{
    const int used = s->targets - target, channels = s->sources / stride->merged;
    const ptrdiff_t floats = tail_floats(kind, s->sources);
    memset(panel, 0, (size_t)s->taps * (size_t)floats * sizeof(float));
    for (int i = 0; i < s->sources; i++)
        for (int t = 0; t < used; t++) {
            float *to = panel + tail_place(kind, s->sources, i, t);
            const float *from = w + (size_t)(target + t) * stride->target +
                                (size_t)(i % channels) * stride->source + (size_t)(i / channels);
            for (int tap = 0; tap < s->taps; tap++) {
                const float value = from[tap * stride->merged];
                to[tap * floats] = scale ? value * scale[target + t] : value;
            }
        }
}

/* Targets [first, last), counted over all groups. */
static void pack(const panel_shape *s, const weight_strides *stride, const float *w,
                 const float *scale, float *packed, int first, int last)
{
    const int tail = tail_choose(s);
    for (int g = first / s->targets; g * s->targets < last; g++) {
        const int start = g * s->targets;
        const float *group = w + (size_t)g * stride->group, *scales = scale ? scale + start : NULL;
        for (int t = fv_max(first - start, 0); t < fv_min(last - start, s->targets);
             t += BLOCK_LANES) {
            float *panel = packed + panel_at(s, g, t);
            if (tail >= 0 && s->targets - t < BLOCK_LANES)
                pack_tail(s, tail_kinds[tail], stride, group, scales, t, panel);
            else
                pack_panel(s, stride, group, scales, t, panel);
        }
    }
}

/* Targets [first, last) of narrow groups. Weight (target, r) is at target * stride->target +
 * source * stride->source, where group stands before both. */
static void pack_narrow(const fv_conv *c, const weight_strides *stride, const float *w,
                        const float *scale, float *packed, int first, int last)
{
    const int size = group_size(c), taps = c->window.kernel_h * c->window.kernel_w;
    const int end = last == c->in_c ? panel_round(last) : last; /* lanes after the last are zero */
    for (int t = first; t < end; t++) {
        float *lane = packed + group_panel_at(c, t / FV_LANES * FV_LANES) + t % FV_LANES;
        const float *group = w + (size_t)(t / size) * stride->group;
        for (int tap = 0; tap < taps; tap++)
            for (int r = 0; r < size; r++) {
                const int target = t % size, source = target ^ r;
                float value = 0.0f;
                if (t < last) {
                    value = group[(size_t)target * stride->target +
                                  (size_t)source * stride->source + (size_t)tap];
                    if (scale) value *= scale[t];
                }
                lane[(ptrdiff_t)(tap * size + r) * FV_LANES] = value;
            }
    }
}

static void pack_forward(const fv_conv *c, const float *w, const float *scale, float *packed,
                         int out0, int out1)
{
    const panel_shape s = sweep_panels(c);
    const size_t taps = (size_t)c->window.kernel_h * (size_t)c->window.kernel_w;
    const size_t row = (size_t)(c->in_c / c->groups) * taps;
    const weight_strides stride = { .group = (size_t)s.targets * row,
                                    .source = taps,
                                    .target = row,
                                    .merged = rows_worthwhile(c) ? c->window.kernel_w : 1 };
    if (group_size(c))
        pack_narrow(c, &stride, w, scale, packed, out0, out1);
    else
        pack(&s, &stride, w, scale, packed, out0, out1);
}

static void pack_backward(const fv_conv *c, const float *w, float *packed, int in0, int in1)
{
    const panel_shape s = panel_backward(c);
    const size_t taps = (size_t)s.taps, row = (size_t)s.targets * taps;
    const weight_strides stride = {
        .group = (size_t)s.sources * row, .source = row, .target = taps, .merged = 1
    };
    if (group_size(c))
        pack_narrow(c, &stride, w, NULL, packed, in0, in1);
    else
        pack(&s, &stride, w, NULL, packed, in0, in1);
}

static size_t packed_forward_floats(const fv_conv *c)
{
    const panel_shape s = sweep_panels(c);
    return group_size(c) ? group_packed_floats(c) : panel_floats(&s);
}

static size_t packed_backward_floats(const fv_conv *c)
{
    const panel_shape s = panel_backward(c);
    return group_size(c) ? group_packed_floats(c) : panel_floats(&s);
}

/* ---- Sweeps ------------------------------------------------------------------------ */

/* The job for the panel of `lanes` channels that begins at `channel`. */
static tile_job panel_job(const sweep *s, const float *panel, int channel, int lanes)
{
    tile_job job = s->job;
    job.zeros = s->zeros;
    job.panel = panel;
    job.lanes = lanes;
    job.target += channel;
    if (job.bias) job.bias += channel;
    if (job.residual) job.residual += channel;
    return job;
}

/* Pixels of tile i, if a block of `pixels` is cut as evenly as can be. */
static int tile_share(int pixels, int tiles, int i)
{
    return pixels * (i + 1) / tiles - pixels * i / tiles;
}

static void run_tiles(const tile_job *job, tile_fn *const *functions, const tile *tiles, int count)
{
    for (int i = 0; i < count; i++) functions[tiles[i].pixels - 1](job, &tiles[i]);
}

/* Pixels [first, first + pixels) of a tile, at most TAIL_PIXELS; its taps are shared. */
static void tile_part(const tile *t, int first, int pixels, tile *part)
{
    part->pixels = pixels;
    part->taps = t->taps;
    part->tap = t->tap;
    memcpy(part->pixel, t->pixel + first, TAIL_PIXELS * sizeof(*t->pixel));
    memcpy(part->base, t->base + first, TAIL_PIXELS * sizeof(*t->base));
}

/* The same with the last panel of a group, for which a tile may be too large. */
static void run_tail(const tile_job *job, int kind, const tile *tiles, int count)
{
    for (int i = 0; i < count; i++) {
        const tile *t = &tiles[i];
        if (t->pixels <= tail_pixels(tail_kinds[kind])) {
            tail_tile(job, kind, t, 0);
            continue;
        }
        tile part;
        const int half = t->pixels / 2;
        tile_part(t, 0, half, &part);
        tail_tile(job, kind, &part, 0);
        tile_part(t, half, t->pixels - half, &part);
        tail_tile(job, kind, &part, half);
    }
}

/* Every panel with every tile of a block. */
static void run_block(const sweep *s, const float *source, int tiles)
{
    const panel_shape *panels = &s->panels;
    for (int g = s->channel0 / panels->targets; g * panels->targets < s->channel1; g++) {
        const int start = g * panels->targets;
        const int first = fv_max(s->channel0 - start, 0);
        const int last = fv_min(s->channel1 - start, panels->targets);
        for (int t = first; t < last; t += BLOCK_LANES) {
            const bool wide = panel_lanes(panels, t) == BLOCK_LANES;
            const int used = fv_min(last - t, BLOCK_LANES);
            tile_job job = panel_job(s, s->packed + panel_at(panels, g, t), start + t, used);
            job.source = source + (ptrdiff_t)g * panels->sources;
            job.channels = panels->sources;
            job.tap_floats =
                (ptrdiff_t)(wide ? panels->sources : (panels->sources + 1) / 2) * BLOCK_LANES;
            if (s->tail >= 0 && panels->targets - t < BLOCK_LANES) {
                job.tap_floats = tail_floats(tail_kinds[s->tail], panels->sources);
                run_tail(&job, s->tail, s->tiles, tiles);
            } else
                run_tiles(&job, tile_functions[wide], s->tiles, tiles);
        }
    }
}

/* The same for narrow groups. Their panels are small, and a vector is but a slice of a pixel: so
 * tile by tile. */
static void run_narrow(const sweep *s, int tiles)
{
    tile_fn *const *functions = group_tile_functions(s->group_size);
    for (int i = 0; i < tiles; i++)
        for (int t = s->channel0; t < s->channel1; t += FV_LANES) {
            const float *panel = s->packed + (ptrdiff_t)t * s->panels.taps * s->group_size;
            tile_job job = panel_job(s, panel, t, fv_min(s->channel1 - t, FV_LANES));
            job.source = s->source + t;
            job.tap_floats = s->group_size * FV_LANES;
            functions[s->tiles[i].pixels - 1](&job, &s->tiles[i]);
        }
}

static int tiles_for(int pixels) { return (pixels + TILE_PIXELS - 1) / TILE_PIXELS; }

/* Targets [first, last) of the grid. */
static void run_grid(const sweep *s, const grid *g, int first, int last)
{
    if (first >= last) return;
    const int channels = s->panels.sources * (s->group_size ? s->panels.groups : 1);
    const int wanted = SWEEP_SOURCE_BYTES / ((int)sizeof(float) * TILE_PIXELS * channels);
    const int most = TILE_PIXELS * fv_max(fv_min(wanted, SWEEP_MAX_TILES), SWEEP_MIN_TILES);
    const size_t taps = (size_t)g->y.taps * (size_t)g->x.taps;
    grid_place at = grid_at(g, first);
    for (int done = first; done < last; done += most) {
        const int pixels = fv_min(most, last - done), tiles = tiles_for(pixels);
        for (int i = 0; i < tiles; i++)
            grid_tile(g, &at, tile_share(pixels, tiles, i), &s->tiles[i],
                      s->taps + (size_t)i * taps);
        if (s->group_size)
            run_narrow(s, tiles);
        else
            run_block(s, s->source, tiles);
    }
}

/* Outputs [ox, ox + count) of row `row`, from copied input rows or from the input itself; see
 * conv_rows.h. */
static void run_rows(const sweep *s, const fv_conv *c, int row, int ox, int count, bool copied)
{
    const fv_window *w = &c->window;
    const int n = row / w->out_h, oy = row % w->out_h, tiles = tiles_for(count);
    const int top = oy * w->stride_h - w->pad_h;
    ptrdiff_t start = 0, pitch = rows_width(w, count);
    if (copied)
        rows_copy(c, s->source, s->source_stride, n, oy, ox, count, s->rows);
    else {
        start = ((ptrdiff_t)n * w->in_h + top) * w->in_w + ox * w->stride_w - w->pad_w;
        pitch = (ptrdiff_t)w->dilation_h * w->in_w;
    }
    int taps = 0;
    for (int k = 0; k < w->kernel_h; k++) {
        const int iy = top + k * w->dilation_h;
        if (iy < 0 || iy >= w->in_h) continue;
        s->all[taps++] = (tile_tap){ k, ~0u, k * pitch * c->in_c };
    }
    int p = 0;
    for (int i = 0; i < tiles; i++) {
        tile *t = &s->tiles[i];
        t->pixels = tile_share(count, tiles, i);
        t->tap = s->all;
        t->taps = taps;
        for (int q = 0; q < t->pixels; q++, p++) {
            t->pixel[q] = row * w->out_w + ox + p;
            t->base[q] = (start + p * w->stride_w) * c->in_c;
        }
    }
    run_block(s, copied ? s->rows : s->source, tiles);
}

static void forward_rows(const sweep *s, const fv_conv *c, int pixel0, int pixel1)
{
    const int out_w = c->window.out_w;
    for (int p = pixel0; p < pixel1;) {
        const int ox = p % out_w;
        int count = fv_min(fv_min(out_w - ox, pixel1 - p), SWEEP_MAX_TILES * TILE_PIXELS);
        const bool copied = rows_cut(c, s->source_stride, ox, &count);
        run_rows(s, c, p / out_w, ox, count, copied);
        p += count;
    }
}

static void forward(const fv_conv_forward *j)
{
    const fv_conv *c = j->conv;
    const fv_window *w = &c->window;
    const fv_epilogue *e = &j->epilogue;
    sweep s = {
        .source = j->x,
        .source_stride = j->x_stride,
        .packed = j->packed,
        .panels = sweep_panels(c),
        .group_size = group_size(c),
        .channel0 = j->channel0,
        .channel1 = j->channel1,
        .job = { .target = j->y,
                 .target_stride = j->y_stride,
                 .bias = e->bias,
                 .residual = e->residual,
                 .residual_stride = e->residual_stride,
                 .low = e->act == FV_LINEAR ? -INFINITY : 0.0f,
                 .high = e->act == FV_RELU6 ? 6.0f : INFINITY,
                 .plain = !e->bias && !e->residual && e->act == FV_LINEAR },
    };
    s.tail = tail_choose(&s.panels);
    lay_out_scratch(&s, c, j->scratch);
    if (rows_worthwhile(c)) {
        forward_rows(&s, c, j->pixel0, j->pixel1);
        return;
    }
    memset(s.zeros, 0, (size_t)(s.panels.sources + FV_LANES) * sizeof(float));
    grid g = {
        .y =
            grid_axis_forward(w->in_h, w->out_h, w->kernel_h, w->stride_h, w->pad_h, w->dilation_h),
        .x =
            grid_axis_forward(w->in_w, w->out_w, w->kernel_w, w->stride_w, w->pad_w, w->dilation_w),
        .kernel_w = w->kernel_w,
        .stride = j->x_stride,
        .all = s.all,
        .y_inside = s.inside,
        .x_inside = s.inside + w->kernel_h,
    };
    grid_list_all(&g);
    run_grid(&s, &g, j->pixel0, j->pixel1);
}

/* Targets of the grid in rows before `row` of the input, counted over (n, iy). */
static int targets_before(const grid *g, int row)
{
    const int n = row / g->y.size, rest = row % g->y.size - g->y.first;
    const int rows = rest > 0 ? (rest + g->y.step - 1) / g->y.step : 0;
    return (n * g->y.count + rows) * g->x.count;
}

static void backward_data(const fv_conv_backward_data *j)
{
    const fv_conv *c = j->conv;
    const fv_window *w = &c->window;
    sweep s = {
        .source = j->dy,
        .source_stride = j->dy_stride,
        .packed = j->packed,
        .panels = panel_backward(c),
        .group_size = group_size(c),
        .channel0 = j->channel0,
        .channel1 = j->channel1,
        .job = { .target = j->dx,
                 .target_stride = j->dx_stride,
                 .residual = j->accumulate ? j->dx : NULL,
                 .residual_stride = j->dx_stride,
                 .low = -INFINITY,
                 .high = INFINITY,
                 .plain = !j->accumulate },
    };
    s.tail = tail_choose(&s.panels);
    lay_out_scratch(&s, c, j->scratch);
    memset(s.zeros, 0, (size_t)(s.panels.sources + FV_LANES) * sizeof(float));
    for (int phase = 0; phase < w->stride_h * w->stride_w; phase++) {
        grid g = {
            .y = grid_axis_backward(w->in_h, w->out_h, w->kernel_h, w->stride_h, w->pad_h,
                                    w->dilation_h, phase / w->stride_w),
            .x = grid_axis_backward(w->in_w, w->out_w, w->kernel_w, w->stride_w, w->pad_w,
                                    w->dilation_w, phase % w->stride_w),
            .kernel_w = w->kernel_w,
            .stride = j->dy_stride,
            .all = s.all,
            .y_inside = s.inside,
            .x_inside = s.inside + w->kernel_h,
        };
        if (g.y.count == 0 || g.x.count == 0) continue;
        if (j->accumulate && (g.y.taps == 0 || g.x.taps == 0)) continue;
        grid_list_all(&g);
        run_grid(&s, &g, targets_before(&g, j->row0), targets_before(&g, j->row1));
    }
}

void FV_VARIANT(fv_conv)(fv_kernels *k)
{
    k->conv_scratch_bytes = scratch_bytes;
    k->conv_packed_forward_floats = packed_forward_floats;
    k->conv_packed_backward_floats = packed_backward_floats;
    k->conv_pack_forward = pack_forward;
    k->conv_pack_backward = pack_backward;
    k->conv_forward = forward;
    k->conv_backward_data = backward_data;
}
