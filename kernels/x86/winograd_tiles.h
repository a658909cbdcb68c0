/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/winograd_tiles.h - blocks of tiles, and the transforms of their pixels.
 *
 * A transformed block is 16 planes, one for each place of a 4x4 tile: [place][tile][channel], with
 * the channels rounded up to whole vectors, of which those too many are zero.
 */
#ifndef FV_KERNELS_X86_WINOGRAD_TILES_H
#define FV_KERNELS_X86_WINOGRAD_TILES_H

#include "base/compiler.h"
#include "kernels/x86/conv_panel.h"
#include "kernels/x86/lanes.h"

enum {
    WINOGRAD_SIDE = 4, /* of a tile of inputs */
    WINOGRAD_PLACES = WINOGRAD_SIDE * WINOGRAD_SIDE,
    WINOGRAD_BLOCK_FLOATS = 180 * 1024, /* both sides of a block: most of the second-level cache */
    WINOGRAD_MIN_TILES = 28,
    WINOGRAD_MAX_TILES = 112,
    WINOGRAD_LARGE_WEIGHTS = 1 << 17, /* per place: they come from far away, */
    WINOGRAD_LARGE_TILES = 56,        /* so more tiles should use them */
};

/* The matrix product of one place. */
static inline panel_shape winograd_panels(const fv_conv *c)
{
    return (panel_shape){ 1, 1, c->in_c, c->out_c };
}

/* One side of a transformed block. */
typedef struct winograd_planes {
    float *at;
    ptrdiff_t plane, tile; /* floats from one to the next */
} winograd_planes;

/* Tiles of a block, a multiple of most register tiles. */
static inline int winograd_block_tiles(const fv_conv *c)
{
    int tiles = WINOGRAD_BLOCK_FLOATS / (WINOGRAD_PLACES * (c->in_c + c->out_c));
    if (c->in_c * c->out_c >= WINOGRAD_LARGE_WEIGHTS) tiles = fv_max(tiles, WINOGRAD_LARGE_TILES);
    return fv_min(fv_max(tiles, WINOGRAD_MIN_TILES), WINOGRAD_MAX_TILES) / WINOGRAD_MIN_TILES *
           WINOGRAD_MIN_TILES;
}

/* The planes lie a line of the cache off a power of two, lest all 16 fall into one set of it. */
static inline winograd_planes winograd_planes_at(float *at, int tiles, int channels)
{
    const ptrdiff_t step = panel_round(channels);
    return (winograd_planes){ at, tiles * step + 16, step };
}

static inline size_t winograd_planes_floats(int tiles, int channels)
{
    return (size_t)WINOGRAD_PLACES * ((size_t)tiles * (size_t)panel_round(channels) + 16);
}

/* Neighbouring tiles of one tile row. */
typedef struct winograd_run {
    int n, y, x;     /* picture, tile row in it, first tile */
    int tile, count; /* number in the block */
} winograd_run;

static inline int winograd_width(const fv_window *w) { return (w->out_w + 1) / 2; }

/* The tiles from number `at` of a job on that begin at tile row `row0`, at most `count`, that stand
 * in one row; they become `number` of the block. */
static inline winograd_run winograd_run_at(const fv_window *w, int row0, int at, int count,
                                           int number)
{
    const int rows = (w->out_h + 1) / 2, width = winograd_width(w);
    const int row = row0 + at / width, x = at % width;
    return (winograd_run){ row / rows, row % rows, x, number, fv_min(count, width - x) };
}

/* A picture in memory, as a transform sees it. */
typedef struct winograd_source {
    const float *at; /* first channel wanted of the first pixel of the batch */
    ptrdiff_t stride;
    int h, w, channels;
    const float *zeros; /* as many as channels, rounded up */
} winograd_source;

/* Rows of a run: where its pixel 0 lies and what a step to the right is; in the padding, zeros. */
typedef struct winograd_line {
    const float *at;
    ptrdiff_t step;
} winograd_line;

static inline winograd_line winograd_line_at(const winograd_source *s, int n, int y)
{
    if (y < 0 || y >= s->h) return (winograd_line){ s->zeros, 0 };
    return (winograd_line){ s->at + ((ptrdiff_t)n * s->h + y) * s->w * s->stride, s->stride };
}

/* One column of an input tile, times B' from the left. */
FV_ALWAYS_INLINE void winograd_column(const winograd_line line[WINOGRAD_SIDE], int x, int width,
                                      int c, fv_lanes l, fv_vec out[WINOGRAD_SIDE])
{
    if (x < 0 || x >= width) {
        FV_UNROLL
        for (int r = 0; r < WINOGRAD_SIDE; r++) out[r] = fv_vec_zero();
        return;
    }
    fv_vec d[WINOGRAD_SIDE];
    FV_UNROLL
    for (int r = 0; r < WINOGRAD_SIDE; r++)
        d[r] = fv_lanes_load(line[r].at + x * line[r].step + c, l);
    out[0] = fv_vec_sub(d[0], d[2]);
    out[1] = fv_vec_add(d[1], d[2]);
    out[2] = fv_vec_sub(d[2], d[1]);
    out[3] = fv_vec_sub(d[1], d[3]);
}

/* B' d B of the tiles of a run, one vector of channels. Neighbours share two columns. */
FV_ALWAYS_INLINE void winograd_input_lanes(const winograd_line line[WINOGRAD_SIDE], int x0,
                                           int width, const winograd_run *run, int c, fv_lanes l,
                                           const winograd_planes *to)
{
    fv_vec column[WINOGRAD_SIDE][WINOGRAD_SIDE];
    winograd_column(line, x0, width, c, l, column[0]);
    winograd_column(line, x0 + 1, width, c, l, column[1]);
    float *out = to->at + run->tile * to->tile + c;
    for (int i = 0; i < run->count; i++, out += to->tile) {
        const int x = x0 + 2 * i;
        winograd_column(line, x + 2, width, c, l, column[2]);
        winograd_column(line, x + 3, width, c, l, column[3]);
        FV_UNROLL
        for (int r = 0; r < WINOGRAD_SIDE; r++) {
            float *row = out + WINOGRAD_SIDE * r * to->plane;
            fv_vec_store(row, fv_vec_sub(column[0][r], column[2][r]));
            fv_vec_store(row + to->plane, fv_vec_add(column[1][r], column[2][r]));
            fv_vec_store(row + 2 * to->plane, fv_vec_sub(column[2][r], column[1][r]));
            fv_vec_store(row + 3 * to->plane, fv_vec_sub(column[1][r], column[3][r]));
            column[0][r] = column[2][r];
            column[1][r] = column[3][r];
        }
    }
}

/* B' d B of the tiles of a run, all channels; `w` is the window of the convolution. */
static inline void winograd_input(const winograd_source *s, const fv_window *w,
                                  const winograd_run *run, const winograd_planes *to)
{
    winograd_line line[WINOGRAD_SIDE];
    for (int r = 0; r < WINOGRAD_SIDE; r++)
        line[r] = winograd_line_at(s, run->n, 2 * run->y - w->pad_h + r);
    const int x0 = 2 * run->x - w->pad_w;
    int c = 0;
    for (; c + FV_LANES <= s->channels; c += FV_LANES)
        winograd_input_lanes(line, x0, s->w, run, c, fv_lanes_all(), to);
    if (c < s->channels)
        winograd_input_lanes(line, x0, s->w, run, c, fv_lanes_first(s->channels - c), to);
}

#endif /* FV_KERNELS_X86_WINOGRAD_TILES_H */
