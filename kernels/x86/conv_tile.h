/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/conv_tile.h - the innermost loop of convolution: a tile of pixels x channels.
 *
 * A tile is up to TILE_PIXELS target pixels, anywhere in the batch, times BLOCK_LANES channels.
 * All its sums stay in registers, over all taps of the window and all source channels: per source
 * channel one broadcast for each pixel and TILE_VECTORS loads of weights feed TILE_PIXELS *
 * TILE_VECTORS multiply-adds. The same code serves forward (source x, target y) and backward to the
 * input (source dy, target dx).
 */
#ifndef FV_KERNELS_X86_CONV_TILE_H
#define FV_KERNELS_X86_CONV_TILE_H

#include "kernels/x86/conv_panel.h"

/* What one tap of the window adds to a tile. */
typedef struct tile_tap {
    int tap;          /* number in the panel */
    unsigned inside;  /* bit p: pixel p sees the source here, and not padding */
    ptrdiff_t offset; /* floats from a pixel's base to what it sees */
} tile_tap;

typedef struct tile {
    int pixels, taps;
    const tile_tap *tap;
    int pixel[TILE_PIXELS];      /* target pixels */
    ptrdiff_t base[TILE_PIXELS]; /* floats from the first source pixel, for the first tap */
} tile;

typedef struct tile_job {
    const float *source; /* first channel of the group */
    const float *zeros;  /* `channels` of them: the padding */
    const float *panel;
    int channels; /* source channels */
    int lanes;    /* target channels, at most those of the panel */
    float *target;
    ptrdiff_t target_stride;
    const float *bias, *residual; /* or NULL; from the first of `lanes` */
    ptrdiff_t residual_stride;
    float low, high; /* results are clamped to this range */
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

/* sums += the products of one tap. */
FV_ALWAYS_INLINE void tile_add_tap(const tile_job *j, const tile *t, const tile_tap *tap,
                                   fv_vec sums[TILE_PIXELS][TILE_VECTORS], const int pixels,
                                   const int vectors)
{
    const float *seen[TILE_PIXELS];
    tile_look(j, t, tap, seen, pixels);
    const float *w = j->panel + (ptrdiff_t)tap->tap * j->channels * (vectors * FV_LANES);
    for (ptrdiff_t i = 0; i < j->channels; i++, w += vectors * FV_LANES) {
        fv_vec weight[TILE_VECTORS];
        FV_UNROLL
        for (int v = 0; v < vectors; v++) weight[v] = fv_vec_load(w + v * FV_LANES);
        FV_UNROLL
        for (int p = 0; p < pixels; p++) {
            const fv_vec x = fv_vec_set1(seen[p][i]);
            FV_UNROLL
            for (int v = 0; v < vectors; v++) sums[p][v] = fv_vec_fma(x, weight[v], sums[p][v]);
        }
    }
}

/* target = clamp(sums + bias + residual); vectors outside `last` are whole. */
FV_ALWAYS_INLINE void tile_store(const tile_job *j, const tile *t,
                                 fv_vec sums[TILE_PIXELS][TILE_VECTORS], const int pixels,
                                 const int vectors, const bool whole, const fv_mask last)
{
    const fv_vec low = fv_vec_set1(j->low), high = fv_vec_set1(j->high);
    FV_UNROLL
    for (int v = 0; v < vectors; v++) {
        const bool masked = !whole && v == vectors - 1;
        const ptrdiff_t at = v * FV_LANES;
        fv_vec bias = fv_vec_zero();
        if (j->bias)
            bias = masked ? fv_vec_load_mask(j->bias + at, last) : fv_vec_load(j->bias + at);
        FV_UNROLL
        for (int p = 0; p < pixels; p++) {
            fv_vec y = fv_vec_add(sums[p][v], bias);
            if (j->residual) {
                const float *r = j->residual + t->pixel[p] * j->residual_stride + at;
                y = fv_vec_add(y, masked ? fv_vec_load_mask(r, last) : fv_vec_load(r));
            }
            y = fv_vec_min(high, fv_vec_max(low, y));
            float *to = j->target + t->pixel[p] * j->target_stride + at;
            if (masked)
                fv_vec_store_mask(to, last, y);
            else
                fv_vec_store(to, y);
        }
    }
}

FV_ALWAYS_INLINE void tile_run(const tile_job *j, const tile *t, const int pixels,
                               const int vectors)
{
    fv_vec sums[TILE_PIXELS][TILE_VECTORS];
    FV_UNROLL
    for (int p = 0; p < pixels; p++) {
        FV_UNROLL
        for (int v = 0; v < vectors; v++) sums[p][v] = fv_vec_zero();
    }
    for (int k = 0; k < t->taps; k++) tile_add_tap(j, t, &t->tap[k], sums, pixels, vectors);
    const int rest = j->lanes - (vectors - 1) * FV_LANES;
    if (rest == FV_LANES)
        tile_store(j, t, sums, pixels, vectors, true, fv_mask_first(FV_LANES));
    else
        tile_store(j, t, sums, pixels, vectors, false, fv_mask_first(rest));
}

/* One copy for each size of tile. */
typedef void tile_fn(const tile_job *j, const tile *t);

#define FV_TILE_DEFINE(pixels) \
    static void tile_narrow_##pixels(const tile_job *j, const tile *t) \
    { \
        tile_run(j, t, pixels, 1); \
    } \
    static void tile_wide_##pixels(const tile_job *j, const tile *t) \
    { \
        tile_run(j, t, pixels, TILE_VECTORS); \
    }
FV_TILE_EACH(FV_TILE_DEFINE)

/* [lanes > FV_LANES][pixels - 1] */
#define FV_TILE_NARROW(pixels) tile_narrow_##pixels,
#define FV_TILE_WIDE(pixels)   tile_wide_##pixels,
static tile_fn *const tile_functions[TILE_VECTORS][TILE_PIXELS] = {
    { FV_TILE_EACH(FV_TILE_NARROW) },
    { FV_TILE_EACH(FV_TILE_WIDE) },
};

#endif /* FV_KERNELS_X86_CONV_TILE_H */
