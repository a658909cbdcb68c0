/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/conv_sums.h - the sums of a tile of convolution: products added in two levels.
 *
 * A float sum of n products in a row errs by about sqrt(n) roundings. So after about TILE_TERMS
 * products the registers are emptied into a second level of sums; where, depends on the number of
 * the tap alone, for tiles in the padding leave taps out and must not sum otherwise.
 */
#ifndef FV_KERNELS_X86_CONV_SUMS_H
#define FV_KERNELS_X86_CONV_SUMS_H

#include "kernels/x86/conv_panel.h"

enum {
    TILE_TERMS = 128,
    TILE_MOST_VECTORS = 4, /* of a pixel, in any kind of tile */
};

typedef fv_vec tile_sums[TILE_PIXELS][TILE_MOST_VECTORS];
typedef float tile_kept[TILE_PIXELS][TILE_MOST_VECTORS][FV_LANES];

FV_ALWAYS_INLINE void tile_clear(tile_sums sums, const int pixels, const int vectors)
{
    FV_UNROLL
    for (int p = 0; p < pixels; p++) {
        FV_UNROLL
        for (int v = 0; v < vectors; v++) sums[p][v] = fv_vec_zero();
    }
}

/* sums += the products of source channels [first, last) of a tap, with a panel of BLOCK_LANES.
 * Weights `ahead` floats on are fetched meanwhile. */
FV_ALWAYS_INLINE void tile_add_wide(const float *const seen[TILE_PIXELS], ptrdiff_t first,
                                    ptrdiff_t last, const float *w, tile_sums sums,
                                    const int pixels, ptrdiff_t ahead)
{
    w += first * BLOCK_LANES;
    for (ptrdiff_t i = first; i < last; i++, w += BLOCK_LANES) {
        fv_vec weight[TILE_VECTORS];
        FV_UNROLL
        for (int v = 0; v < TILE_VECTORS; v++) __builtin_prefetch(w + ahead + v * FV_LANES, 0, 2);
        FV_UNROLL
        for (int v = 0; v < TILE_VECTORS; v++) weight[v] = fv_vec_load(w + v * FV_LANES);
        FV_UNROLL
        for (int p = 0; p < pixels; p++) {
            const fv_vec x = fv_vec_set1(seen[p][i]);
            FV_UNROLL
            for (int v = 0; v < TILE_VECTORS; v++)
                sums[p][v] = fv_vec_fma(x, weight[v], sums[p][v]);
        }
    }
}

/* sums += the products of source channels i and, if `both`, i + 1. */
FV_ALWAYS_INLINE void tile_add_pair(const float *const seen[TILE_PIXELS], ptrdiff_t i,
                                    const float *w, tile_sums sums, const int pixels,
                                    const bool both)
{
    fv_vec weight[TILE_VECTORS];
    FV_UNROLL
    for (int v = 0; v < TILE_VECTORS; v++) weight[v] = fv_vec_load(w + v * FV_LANES);
    FV_UNROLL
    for (int p = 0; p < pixels; p++) {
        const fv_vec x = both ? fv_vec_set1_pair(seen[p] + i) : fv_vec_set1_even(seen[p] + i);
        FV_UNROLL
        for (int v = 0; v < TILE_VECTORS; v++) sums[p][v] = fv_vec_fma(x, weight[v], sums[p][v]);
    }
}

/* The same with a narrow panel: the sums of neighbouring lanes belong together. `first` is even. */
FV_ALWAYS_INLINE void tile_add_narrow(const float *const seen[TILE_PIXELS], ptrdiff_t first,
                                      ptrdiff_t last, const float *w, tile_sums sums,
                                      const int pixels)
{
    ptrdiff_t i = first;
    w += first / 2 * BLOCK_LANES;
    for (; i + 1 < last; i += 2, w += BLOCK_LANES) tile_add_pair(seen, i, w, sums, pixels, true);
    if (i < last) tile_add_pair(seen, i, w, sums, pixels, false);
}

/* The second level of sums: kept (+)= sums, sums = 0. */
FV_ALWAYS_INLINE void tile_keep(tile_kept kept, const bool first, tile_sums sums, const int pixels,
                                const int vectors)
{
    FV_UNROLL
    for (int p = 0; p < pixels; p++) {
        FV_UNROLL
        for (int v = 0; v < vectors; v++) {
            const fv_vec before = first ? fv_vec_zero() : fv_vec_load(kept[p][v]);
            fv_vec_store(kept[p][v], fv_vec_add(before, sums[p][v]));
            sums[p][v] = fv_vec_zero();
        }
    }
}

FV_ALWAYS_INLINE void tile_recall(tile_kept kept, tile_sums sums, const int pixels,
                                  const int vectors)
{
    FV_UNROLL
    for (int p = 0; p < pixels; p++) {
        FV_UNROLL
        for (int v = 0; v < vectors; v++)
            sums[p][v] = fv_vec_add(sums[p][v], fv_vec_load(kept[p][v]));
    }
}

#endif /* FV_KERNELS_X86_CONV_SUMS_H */
