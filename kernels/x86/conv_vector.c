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
    if (rows_worthwhile(c)) rows = rows_floats(c, fv_min(w->out_w, SWEEP_MAX_TILES * TILE_PIXELS));
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

static void run_tiles(tile_job *job, tile_fn *const *functions, const tile *tiles, int count)
{
    for (int i = 0; i < count; i++) {
        functions[tiles[i].pixels - 1](job, &tiles[i]);
        job->ahead = 0;
    }
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

/* Every panel with every tile of a block, whose target pixels are counted from pixel0. */
static void run_block(const sweep *s, const float *source, ptrdiff_t pixel0, int tiles)
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
            job.target += pixel0 * job.target_stride;
            if (job.residual) job.residual += pixel0 * job.residual_stride;
            job.channels = panels->sources;
            job.ahead = panel_ahead(panels);
            job.together = fv_max(1, TILE_TERMS / panels->sources);
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
        const int each = pixels / tiles, more = pixels % tiles; /* tiles of one pixel more */
        for (int i = 0; i < tiles; i++)
            grid_tile(g, &at, each + (i < more), &s->tiles[i], s->taps + (size_t)i * taps);
        if (s->group_size)
            run_narrow(s, tiles);
        else
            run_block(s, s->source, 0, tiles);
    }
}

/* Rows have the same tiles, but for how many pixels and taps: run_rows() fills these in. */
static void list_row_tiles(const sweep *s, const fv_conv *c, int count)
{
    const ptrdiff_t step = (ptrdiff_t)c->window.stride_w * c->in_c;
    tile_ramp ramp;
    tile_set_ramp(&ramp, 1, step);
    for (int p = 0; p < count; p += TILE_PIXELS) {
        tile *t = &s->tiles[p / TILE_PIXELS];
        t->tap = s->all;
        tile_fill(t, 0, p, p * step, &ramp);
    }
}

/* The rows of the window that are inside, `pitch` pixels apart. */
static int list_row_taps(const sweep *s, const fv_conv *c, int top, ptrdiff_t pitch)
{
    const fv_window *w = &c->window;
    int taps = 0;
    for (int k = 0; k < w->kernel_h; k++) {
        const int iy = top + k * w->dilation_h;
        if (iy >= 0 && iy < w->in_h) s->all[taps++] = (tile_tap){ k, ~0u, k * pitch * c->in_c };
    }
    return taps;
}

/* `count` outputs of a row from `at` on, from copied input rows or from the input itself; see
 * conv_rows.h. */
static void run_rows(const sweep *s, const fv_conv *c, grid_place at, int count, bool copied)
{
    const fv_window *w = &c->window;
    const int n = at.n, oy = at.y, ox = at.x, tiles = tiles_for(count);
    const int top = oy * w->stride_h - w->pad_h;
    const float *source = s->rows;
    ptrdiff_t pitch = rows_width(w, count);
    if (copied)
        rows_copy(c, s->source, s->source_stride, n, oy, ox, count, s->rows);
    else {
        const ptrdiff_t line = (ptrdiff_t)n * w->in_h + top;
        source = s->source + (line * w->in_w + ox * w->stride_w - w->pad_w) * c->in_c;
        pitch = (ptrdiff_t)w->dilation_h * w->in_w;
    }
    const int taps = list_row_taps(s, c, top, pitch);
    for (int i = 0; i < tiles; i++) {
        s->tiles[i].taps = taps;
        s->tiles[i].pixels = fv_min(TILE_PIXELS, count - i * TILE_PIXELS);
    }
    run_block(s, source, ((ptrdiff_t)n * w->out_h + oy) * w->out_w + ox, tiles);
}

static void forward_rows(const sweep *s, const fv_conv *c, int pixel0, int pixel1)
{
    const fv_window *w = &c->window;
    const int most = fv_min(w->out_w, SWEEP_MAX_TILES * TILE_PIXELS), row = pixel0 / w->out_w;
    const rows_inside inside = rows_find_inside(c, s->source_stride);
    grid_place at = { row / w->out_h, row % w->out_h, pixel0 % w->out_w };
    list_row_tiles(s, c, most);
    for (int p = pixel0; p < pixel1;) {
        int count = fv_min(fv_min(w->out_w - at.x, pixel1 - p), most);
        const bool copied = rows_cut(inside, at.x, &count);
        run_rows(s, c, at, count, copied);
        p += count;
        at.x += count;
        if (at.x < w->out_w) continue;
        at.x = 0;
        if (++at.y < w->out_h) continue;
        at.y = 0;
        at.n++;
    }
}

/* Where each pixel sees only itself, a batch of pictures of any shape is one long row: then tiles
 * do not end with the rows. */
static fv_window sweep_window(const fv_window *w)
{
    fv_window line = *w;
    if (w->kernel_h * w->kernel_w * w->stride_h * w->stride_w == 1 && w->pad_h + w->pad_w == 0) {
        line.in_w = line.out_w = w->n * w->in_h * w->in_w;
        line.n = line.in_h = line.out_h = 1;
    }
    return line;
}

static void forward(const fv_conv_forward *j)
{
    const fv_conv *c = j->conv;
    const fv_window window = sweep_window(&c->window), *w = &window;
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
    grid_prepare(&g);
    run_grid(&s, &g, j->pixel0, j->pixel1);
}

/* Targets of the grid in rows before `row` of the input, counted over (n, iy); rows are those of
 * in_w pixels, the grid may be one long row. */
static int targets_before(const grid *g, int row, int in_w)
{
    if (g->x.size > in_w) return row * in_w;
    const int n = row / g->y.size, rest = row % g->y.size - g->y.first;
    const int rows = rest > 0 ? (rest + g->y.step - 1) / g->y.step : 0;
    return (n * g->y.count + rows) * g->x.count;
}

static void backward_data(const fv_conv_backward_data *j)
{
    const fv_conv *c = j->conv;
    const fv_window window = sweep_window(&c->window), *w = &window;
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
        grid_prepare(&g);
        const int in_w = c->window.in_w;
        run_grid(&s, &g, targets_before(&g, j->row0, in_w), targets_before(&g, j->row1, in_w));
    }
}

void FV_VARIANT(fv_conv)(fv_kernels *k)
{
    k->conv_scratch_bytes = scratch_bytes;
    k->conv_forward = forward;
    k->conv_backward_data = backward_data;
}
