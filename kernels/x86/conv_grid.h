/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/conv_grid.h - which source pixels a tile of target pixels sees.
 *
 * Forward, target pixel o sees source o * stride - pad + k * dilation through tap k, in each
 * direction. Backward, target i (of dx) sees the outputs o = (i + pad - k * dilation) / stride, for
 * those k that divide. These are the same taps for all i of one phase, i mod stride; so the
 * targets of one phase form a grid for which, as in forward,
 *
 *     source(m, t) = base0 + m * base_step + t * delta      m-th target, t-th tap of the phase
 *
 * and no tap that misses is ever visited. A phase may have no taps: its targets get zero sums.
 */
#ifndef FV_KERNELS_X86_CONV_GRID_H
#define FV_KERNELS_X86_CONV_GRID_H

#include "base/compiler.h"
#include "kernels/x86/conv_tile.h"

/* One direction of a grid. */
typedef struct grid_axis {
    int first, step, count; /* targets first, first + step, ... */
    int size;               /* targets of all phases */
    int base0, base_step, delta;
    int taps, tap0, tap_step; /* taps tap0, tap0 + tap_step, ... */
    int limit;                /* sources are inside in [0, limit) */
} grid_axis;

typedef struct grid {
    grid_axis y, x;
    int kernel_w;
    ptrdiff_t stride;              /* floats per source pixel */
    tile_tap *all;                 /* [y.taps * x.taps], for tiles that see no padding */
    unsigned *y_inside, *x_inside; /* [taps] of an axis, scratch of grid_tile() */
    tile_ramp ramp;
} grid;

static inline grid_axis grid_axis_forward(int in, int out, int kernel, int stride, int pad,
                                          int dilation)
{
    return (grid_axis){
        .step = 1,
        .count = out,
        .size = out,
        .base0 = -pad,
        .base_step = stride,
        .delta = dilation,
        .taps = kernel,
        .tap_step = 1,
        .limit = in,
    };
}

/* The targets of one phase in [0, stride). */
static inline grid_axis grid_axis_backward(int in, int out, int kernel, int stride, int pad,
                                           int dilation, int phase)
{
    grid_axis a = {
        .first = phase,
        .step = stride,
        .count = phase < in ? (in - phase + stride - 1) / stride : 0,
        .size = in,
        .base_step = 1,
        .limit = out,
    };
    /* From the last tap on, so that sources ascend: caches read ahead. */
    for (int k = kernel - 1; k >= 0; k--) {
        if ((phase + pad - k * dilation) % stride != 0) continue;
        if (a.taps == 0) {
            a.tap0 = k;
            a.base0 = (phase + pad - k * dilation) / stride;
        } else if (a.taps == 1) {
            a.tap_step = k - a.tap0;
            a.delta = -a.tap_step * dilation / stride;
        }
        a.taps++;
    }
    return a;
}

static inline tile_tap grid_tap(const grid *g, int y, int x, unsigned inside)
{
    const ptrdiff_t pixels = (ptrdiff_t)y * g->y.delta * g->x.limit + (ptrdiff_t)x * g->x.delta;
    return (tile_tap){
        .tap = (g->y.tap0 + y * g->y.tap_step) * g->kernel_w + g->x.tap0 + x * g->x.tap_step,
        .inside = inside,
        .offset = pixels * g->stride,
    };
}

/* Fills in what all tiles share. */
static inline void grid_prepare(grid *g)
{
    tile_set_ramp(&g->ramp, g->x.step, g->x.base_step * g->stride);
    for (int y = 0; y < g->y.taps; y++)
        for (int x = 0; x < g->x.taps; x++) g->all[y * g->x.taps + x] = grid_tap(g, y, x, ~0u);
}

/* A target of the grid: image, and position on each axis. */
typedef struct grid_place {
    int n, y, x;
} grid_place;

static inline grid_place grid_at(const grid *g, int index)
{
    const int row = index / g->x.count;
    return (grid_place){ row / g->y.count, row % g->y.count, index % g->x.count };
}

static inline void grid_next(const grid *g, grid_place *at)
{
    if (++at->x < g->x.count) return;
    at->x = 0;
    if (++at->y < g->y.count) return;
    at->y = 0;
    at->n++;
}

/* Whether sources base + t * delta of all taps are inside. */
static inline bool grid_axis_clear(const grid_axis *a, int base)
{
    const int last = base + (a->taps - 1) * a->delta;
    return fv_min(base, last) >= 0 && fv_max(base, last) < a->limit;
}

/* Bits [first, first + count) are neighbours whose sources begin at `base` for the first tap, each
 * `step` after the last; sets those of sources that are inside. */
static inline void grid_mark_inside(const grid_axis *a, int base, int step, int first, int count,
                                    unsigned *inside)
{
    for (int t = 0; t < a->taps; t++, base += a->delta) {
        int low = 0, high = count;
        while (low < high && base + low * step < 0) low++;
        while (high > low && base + (high - 1) * step >= a->limit) high--;
        inside[t] |= ((1u << (high - low)) - 1u) << (first + low);
    }
}

/* The taps that at least one pixel of the tile at `at` sees, with the pixels that do. */
static inline int grid_list_inside(const grid *g, grid_place at, int pixels, tile_tap *out)
{
    for (int t = 0; t < g->y.taps; t++) g->y_inside[t] = 0;
    for (int t = 0; t < g->x.taps; t++) g->x_inside[t] = 0;
    for (int done = 0; done < pixels;) {
        const int count = fv_min(pixels - done, g->x.count - at.x);
        const int y = g->y.base0 + at.y * g->y.base_step, x = g->x.base0 + at.x * g->x.base_step;
        grid_mark_inside(&g->y, y, 0, done, count, g->y_inside);
        grid_mark_inside(&g->x, x, g->x.base_step, done, count, g->x_inside);
        done += count;
        at.x += count - 1;
        grid_next(g, &at);
    }
    int taps = 0;
    for (int y = 0; y < g->y.taps; y++)
        for (int x = 0; x < g->x.taps; x++) {
            const unsigned inside = g->y_inside[y] & g->x_inside[x];
            if (inside) out[taps++] = grid_tap(g, y, x, inside);
        }
    return taps;
}

/* Fills in targets [from, from + count) of a tile, neighbours in the row of `at`, and tells whether
 * they see no padding. */
static inline bool grid_tile_part(const grid *g, grid_place at, int from, int count, tile *t)
{
    const int by = g->y.base0 + at.y * g->y.base_step, bx = g->x.base0 + at.x * g->x.base_step;
    const int y = g->y.first + at.y * g->y.step, x = g->x.first + at.x * g->x.step;
    const int pixel = (at.n * g->y.size + y) * g->x.size + x;
    const ptrdiff_t base = (((ptrdiff_t)at.n * g->y.limit + by) * g->x.limit + bx) * g->stride;
    tile_fill(t, from, pixel, base, &g->ramp);
    return grid_axis_clear(&g->y, by) && grid_axis_clear(&g->x, bx) &&
           grid_axis_clear(&g->x, bx + (count - 1) * g->x.base_step);
}

/* Describes the tile of `pixels` targets at *at, and moves *at behind it. `taps` has room for
 * y.taps * x.taps of them. */
static inline void grid_tile(const grid *g, grid_place *at, int pixels, tile *t, tile_tap *taps)
{
    const grid_place start = *at;
    t->pixels = pixels;
    bool clear = true;
    for (int done = 0; done < pixels;) {
        const int count = fv_min(pixels - done, g->x.count - at->x);
        clear = grid_tile_part(g, *at, done, count, t) && clear;
        done += count;
        at->x += count - 1;
        grid_next(g, at);
    }
    t->tap = clear ? g->all : taps;
    t->taps = clear ? g->y.taps * g->x.taps : grid_list_inside(g, start, pixels, taps);
}

#endif /* FV_KERNELS_X86_CONV_GRID_H */
