/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/conv_group_tile.h - conv_tile.h for narrow groups: pixels x one vector of
 * channels. */
#ifndef FV_KERNELS_X86_CONV_GROUP_TILE_H
#define FV_KERNELS_X86_CONV_GROUP_TILE_H

#include "kernels/x86/conv_group.h"
#include "kernels/x86/conv_tile.h"

FV_ALWAYS_INLINE void group_tile_sum(const tile_job *j, const tile *t, tile_sums sums,
                                     const int pixels, const int size, const bool whole,
                                     const fv_mask last)
{
    for (int k = 0; k < t->taps; k++) {
        const tile_tap *tap = &t->tap[k];
        const float *w = j->panel + tap->tap * j->tap_floats;
        const float *seen[TILE_PIXELS];
        tile_look(j, t, tap, seen, pixels);
        fv_vec weight[GROUP_MAX];
        FV_UNROLL
        for (int r = 0; r < size; r++) weight[r] = fv_vec_load(w + r * FV_LANES);
        FV_UNROLL
        for (int p = 0; p < pixels; p++) {
            const fv_vec x = tile_get(seen[p], whole, last);
            const fv_vec swapped = size > 4 ? group_swap_4(x) : x;
            FV_UNROLL
            for (int r = 0; r < size; r++)
                sums[p][0] = fv_vec_fma(group_exchange(x, swapped, r), weight[r], sums[p][0]);
        }
    }
}

FV_ALWAYS_INLINE void group_tile_run(const tile_job *j, const tile *t, const int pixels,
                                     const int size)
{
    tile_sums sums;
    tile_clear(sums, pixels, 1);
    const fv_mask last = fv_mask_first(j->lanes);
    if (j->lanes == FV_LANES) {
        group_tile_sum(j, t, sums, pixels, size, true, last);
        tile_store(j, t->pixel, sums, pixels, 1, true, last);
    } else {
        group_tile_sum(j, t, sums, pixels, size, false, last);
        tile_store(j, t->pixel, sums, pixels, 1, false, last);
    }
}

#define FV_GROUP_TILE_DEFINE(pixels) \
    static void group_tile_1_##pixels(const tile_job *j, const tile *t) \
    { \
        group_tile_run(j, t, pixels, 1); \
    } \
    static void group_tile_2_##pixels(const tile_job *j, const tile *t) \
    { \
        group_tile_run(j, t, pixels, 2); \
    } \
    static void group_tile_4_##pixels(const tile_job *j, const tile *t) \
    { \
        group_tile_run(j, t, pixels, 4); \
    } \
    static void group_tile_8_##pixels(const tile_job *j, const tile *t) \
    { \
        group_tile_run(j, t, pixels, 8); \
    }
FV_TILE_EACH(FV_GROUP_TILE_DEFINE)

/* The functions for groups of `size` channels, [pixels - 1]. */
static inline tile_fn *const *group_tile_functions(int size)
{
#define FV_GROUP_TILE_1(pixels) group_tile_1_##pixels,
#define FV_GROUP_TILE_2(pixels) group_tile_2_##pixels,
#define FV_GROUP_TILE_4(pixels) group_tile_4_##pixels,
#define FV_GROUP_TILE_8(pixels) group_tile_8_##pixels,
    static tile_fn *const of_1[] = { FV_TILE_EACH(FV_GROUP_TILE_1) };
    static tile_fn *const of_2[] = { FV_TILE_EACH(FV_GROUP_TILE_2) };
    static tile_fn *const of_4[] = { FV_TILE_EACH(FV_GROUP_TILE_4) };
    static tile_fn *const of_8[] = { FV_TILE_EACH(FV_GROUP_TILE_8) };
    return size == 1 ? of_1 : size == 2 ? of_2 : size == 4 ? of_4 : of_8;
}

#endif /* FV_KERNELS_X86_CONV_GROUP_TILE_H */
