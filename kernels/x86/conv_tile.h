/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/conv_tile.h - the innermost loop of convolution: a tile of pixels x channels.
 *
 * A tile is up to TILE_PIXELS target pixels, anywhere in the batch, times BLOCK_LANES channels.
 * All its sums stay in registers, over all taps of the window and all source channels: per source
 * channel one broadcast for each pixel and TILE_VECTORS loads of weights feed TILE_PIXELS *
 * TILE_VECTORS multiply-adds. Where few channels are left, for FV_LANES of them, a broadcast brings
 * a pair of source channels, so that it feeds as many. Forward: x to y; backward: dy to dx.
 */
#ifndef FV_KERNELS_X86_CONV_TILE_H
#define FV_KERNELS_X86_CONV_TILE_H

#include "kernels/x86/conv_sums.h"

/* What one tap of the window adds to a tile. */
typedef struct tile_tap {
    int tap;          /* number in the panel */
    unsigned inside;  /* bit p: pixel p sees the source here, and not padding */
    ptrdiff_t offset; /* floats from a pixel's base to what it sees */
} tile_tap;

typedef struct tile {
    int pixels, taps;
    const tile_tap *tap;
    int pixel[TILE_ROOM];      /* target pixels */
    ptrdiff_t base[TILE_ROOM]; /* floats from the first source pixel, for the first tap */
} tile;

/* Neighbours in a row: what each has more than the first. */
typedef struct tile_ramp {
    int pixel[TILE_FILLED];
    ptrdiff_t base[TILE_FILLED];
} tile_ramp;

static inline void tile_set_ramp(tile_ramp *r, int pixel_step, ptrdiff_t base_step)
{
    for (int p = 0; p < TILE_FILLED; p++) r->pixel[p] = p * pixel_step;
    for (int p = 0; p < TILE_FILLED; p++) r->base[p] = p * base_step;
}

/* Fills in TILE_FILLED pixels of a tile from number `from` on, neighbours in a row. Those after the
 * last are never looked at: loops of a known length are the fast ones. */
static inline void tile_fill(tile *t, int from, int pixel, ptrdiff_t base, const tile_ramp *r)
{
    for (int p = 0; p < TILE_FILLED; p++) t->pixel[from + p] = pixel + r->pixel[p];
    for (int p = 0; p < TILE_FILLED; p++) t->base[from + p] = base + r->base[p];
}

typedef struct tile_job {
    const float *source; /* first channel of the group */
    const float *zeros;  /* `channels` of them: the padding */
    const float *panel;
    ptrdiff_t tap_floats; /* of the panel, per tap */
    int channels;         /* source channels */
    ptrdiff_t ahead;      /* floats from weights to those that are wanted next; 0: already there */
    int together;         /* taps whose products make one sum of the first level; tile_run() */
    int lanes;            /* target channels, at most those of the panel */
    float *target;
    ptrdiff_t target_stride;
    const float *bias, *residual; /* or NULL; from the first of `lanes` */
    ptrdiff_t residual_stride;
    float low, high; /* results are clamped to this range */
    bool plain;      /* none of these: results are stored as they are */
} tile_job;

/* What each pixel sees through a tap. */
FV_ALWAYS_INLINE void tile_look(const tile_job *j, const tile *t, const tile_tap *tap,
                                const float *seen[TILE_PIXELS], const int pixels)
{
    const unsigned all = (1u << pixels) - 1u;
    if ((tap->inside & all) == all) {
        FV_UNROLL
        for (int p = 0; p < pixels; p++) seen[p] = j->source + (t->base[p] + tap->offset);
    } else {
        FV_UNROLL
        for (int p = 0; p < pixels; p++)
            seen[p] = tap->inside >> p & 1 ? j->source + (t->base[p] + tap->offset) : j->zeros;
    }
}

/* Loads or stores a whole vector, or the lanes in `last`. */
FV_ALWAYS_INLINE fv_vec tile_get(const float *from, const bool whole, const fv_mask last)
{
    return whole ? fv_vec_load(from) : fv_vec_load_mask(from, last);
}

FV_ALWAYS_INLINE void tile_put(float *to, fv_vec a, const bool whole, const fv_mask last)
{
    if (whole)
        fv_vec_store(to, a);
    else
        fv_vec_store_mask(to, last, a);
}

/* Target pixels = clamp(sums + bias + residual); vectors before the last are whole. */
FV_ALWAYS_INLINE void tile_store(const tile_job *j, const int *pixel, tile_sums sums,
                                 const int pixels, const int vectors, const bool whole,
                                 const fv_mask last)
{
    if (!j->plain) {
        const fv_vec low = fv_vec_set1(j->low), high = fv_vec_set1(j->high);
        FV_UNROLL
        for (int v = 0; v < vectors; v++) {
            const bool all = whole || v < vectors - 1;
            const ptrdiff_t at = v * FV_LANES;
            const fv_vec bias = j->bias ? tile_get(j->bias + at, all, last) : fv_vec_zero();
            FV_UNROLL
            for (int p = 0; p < pixels; p++) {
                fv_vec y = fv_vec_add(sums[p][v], bias);
                if (j->residual) {
                    const float *r = j->residual + pixel[p] * j->residual_stride + at;
                    y = fv_vec_add(y, tile_get(r, all, last));
                }
                sums[p][v] = fv_vec_min(high, fv_vec_max(low, y));
            }
        }
    }
    float *const target = j->target; /* the compiler takes vectors for what may change the job */
    const ptrdiff_t stride = j->target_stride;
    FV_UNROLL
    for (int p = 0; p < pixels; p++) {
        float *to = target + pixel[p] * stride;
        FV_UNROLL
        for (int v = 0; v < vectors; v++)
            tile_put(to + v * FV_LANES, sums[p][v], whole || v < vectors - 1, last);
    }
}

FV_ALWAYS_INLINE void tile_run(const tile_job *j, const tile *t, const int pixels, const bool wide)
{
    tile_sums sums;
    _Alignas(64) tile_kept kept;
    bool keeps = false;
    int part = 0; /* its first tap */
    tile_clear(sums, pixels, TILE_VECTORS);
    for (int k = 0; k < t->taps; k++) {
        const int tap = t->tap[k].tap;
        const float *seen[TILE_PIXELS], *w = j->panel + tap * j->tap_floats;
        bool apart = false;
        if (tap < part || tap >= part + j->together) {
            apart = k > 0;
            part = tap / j->together * j->together;
        }
        tile_look(j, t, &t->tap[k], seen, pixels);
        for (int i = 0; i < j->channels; i += TILE_TERMS) {
            const int end = fv_min(j->channels, i + TILE_TERMS);
            if (apart || i > 0) {
                tile_keep(kept, !keeps, sums, pixels, TILE_VECTORS);
                keeps = true;
            }
            if (wide)
                tile_add_wide(seen, i, end, w, sums, pixels, j->ahead);
            else
                tile_add_narrow(seen, i, end, w, sums, pixels);
        }
    }
    if (keeps) tile_recall(kept, sums, pixels, TILE_VECTORS);
    const int vectors = wide ? TILE_VECTORS : 1, rest = j->lanes - (vectors - 1) * FV_LANES;
    if (!wide) {
        FV_UNROLL
        for (int p = 0; p < pixels; p++) sums[p][0] = fv_vec_sum_pairs(sums[p][0], sums[p][1]);
    }
    if (rest == FV_LANES)
        tile_store(j, t->pixel, sums, pixels, vectors, true, fv_mask_first(FV_LANES));
    else
        tile_store(j, t->pixel, sums, pixels, vectors, false, fv_mask_first(rest));
}

/* One copy for each size of tile. */
typedef void tile_fn(const tile_job *j, const tile *t);

#define FV_TILE_DEFINE(pixels) \
    static void tile_narrow_##pixels(const tile_job *j, const tile *t) \
    { \
        tile_run(j, t, pixels, false); \
    } \
    static void tile_wide_##pixels(const tile_job *j, const tile *t) \
    { \
        tile_run(j, t, pixels, true); \
    }
FV_TILE_EACH(FV_TILE_DEFINE)

/* [wide panel][pixels - 1] */
#define FV_TILE_NARROW(pixels) tile_narrow_##pixels,
#define FV_TILE_WIDE(pixels)   tile_wide_##pixels,
static tile_fn *const tile_functions[TILE_VECTORS][TILE_PIXELS] = {
    { FV_TILE_EACH(FV_TILE_NARROW) },
    { FV_TILE_EACH(FV_TILE_WIDE) },
};

#endif /* FV_KERNELS_X86_CONV_TILE_H */
