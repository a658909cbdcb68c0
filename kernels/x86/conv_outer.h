/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/conv_outer.h - the innermost loop of the gradient of the weights.
 *
 * For one tap, a tile of up to OUTER_CHANNELS input channels x BLOCK_LANES output channels of the
 * gradient stays in registers while the pixels pass by: each adds the outer product of its x and
 * its dy. Padding is no pixel: only those that see the input come in runs of neighbours.
 */
#ifndef FV_KERNELS_X86_CONV_OUTER_H
#define FV_KERNELS_X86_CONV_OUTER_H

#include "kernels/x86/conv_block.h"

enum { OUTER_CHANNELS = TILE_PIXELS };

typedef struct outer_job {
    const float *x;   /* first channel of the tile */
    ptrdiff_t x_step; /* floats between what neighbours see */
    const float *dy;  /* first channel of the tile, first pixel of the block */
    ptrdiff_t dy_step;
    const outer_run *run;
    int runs;
    float *sums; /* [channels][lanes] */
    bool add;    /* to what is in sums */
} outer_job;

FV_ALWAYS_INLINE void outer_tile(const outer_job *j, const int channels, const int vectors)
{
    const int lanes = vectors * FV_LANES;
    fv_vec sums[OUTER_CHANNELS][TILE_VECTORS];
    if (j->add) {
        FV_UNROLL
        for (int i = 0; i < channels; i++) {
            FV_UNROLL
            for (int v = 0; v < vectors; v++)
                sums[i][v] = fv_vec_load(j->sums + i * lanes + v * FV_LANES);
        }
    } else {
        FV_UNROLL
        for (int i = 0; i < channels; i++) {
            FV_UNROLL
            for (int v = 0; v < vectors; v++) sums[i][v] = fv_vec_zero();
        }
    }
    for (int k = 0; k < j->runs; k++) {
        const float *x = j->x + j->run[k].x, *dy = j->dy + j->run[k].first * j->dy_step;
        for (int n = j->run[k].count; n > 0; n--, x += j->x_step, dy += j->dy_step) {
            fv_vec g[TILE_VECTORS];
            FV_UNROLL
            for (int v = 0; v < vectors; v++) g[v] = fv_vec_load(dy + v * FV_LANES);
            FV_UNROLL
            for (int i = 0; i < channels; i++) {
                const fv_vec a = fv_vec_set1(x[i]);
                FV_UNROLL
                for (int v = 0; v < vectors; v++) sums[i][v] = fv_vec_fma(a, g[v], sums[i][v]);
            }
        }
    }
    FV_UNROLL
    for (int i = 0; i < channels; i++) {
        FV_UNROLL
        for (int v = 0; v < vectors; v++)
            fv_vec_store(j->sums + i * lanes + v * FV_LANES, sums[i][v]);
    }
}

typedef void outer_fn(const outer_job *j);

#define FV_OUTER_DEFINE(channels) \
    static void outer_narrow_##channels(const outer_job *j) { outer_tile(j, channels, 1); } \
    static void outer_wide_##channels(const outer_job *j) { outer_tile(j, channels, TILE_VECTORS); }
FV_TILE_EACH(FV_OUTER_DEFINE)

/* [lanes > FV_LANES][channels - 1] */
#define FV_OUTER_NARROW(channels) outer_narrow_##channels,
#define FV_OUTER_WIDE(channels)   outer_wide_##channels,
static outer_fn *const outer_functions[TILE_VECTORS][OUTER_CHANNELS] = {
    { FV_TILE_EACH(FV_OUTER_NARROW) },
    { FV_TILE_EACH(FV_OUTER_WIDE) },
};

#endif /* FV_KERNELS_X86_CONV_OUTER_H */
