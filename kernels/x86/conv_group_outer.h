/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/conv_group_outer.h - conv_outer.h for narrow groups: one tap of a few vectors. */
#ifndef FV_KERNELS_X86_CONV_GROUP_OUTER_H
#define FV_KERNELS_X86_CONV_GROUP_OUTER_H

#include "kernels/x86/conv_group.h"
#include "kernels/x86/conv_outer.h"

/* Vectors of channels at once: enough sums for the latency of a multiply-add. */
enum { GROUP_VECTORS = 4 };

typedef struct group_job {
    outer_job outer;      /* of the first vector; sums are [r][lane] */
    ptrdiff_t panel_step; /* floats from the sums of a vector to those of the next */
    fv_mask last;         /* lanes of a lone vector that is not whole */
} group_job;

FV_ALWAYS_INLINE void group_outer_tile(const group_job *g, const int size, const int vectors,
                                       const bool whole)
{
    const outer_job *j = &g->outer;
    fv_vec sums[GROUP_VECTORS][GROUP_MAX];
    FV_UNROLL
    for (int v = 0; v < vectors; v++) {
        FV_UNROLL
        for (int r = 0; r < size; r++) {
            const float *from = j->sums + v * g->panel_step + r * FV_LANES;
            sums[v][r] = j->add ? fv_vec_load(from) : fv_vec_zero();
        }
    }
    for (int k = 0; k < j->runs; k++) {
        const float *px = j->x + j->run[k].x, *dy = j->dy + j->run[k].first * j->dy_step;
        for (int n = j->run[k].count; n > 0; n--, px += j->x_step, dy += j->dy_step) {
            FV_UNROLL
            for (int v = 0; v < vectors; v++) {
                const ptrdiff_t at = v * FV_LANES;
                const fv_vec x = whole ? fv_vec_load(px + at) : fv_vec_load_mask(px, g->last);
                const fv_vec d = whole ? fv_vec_load(dy + at) : fv_vec_load_mask(dy, g->last);
                const fv_vec swapped = size > 4 ? group_swap_4(x) : x;
                FV_UNROLL
                for (int r = 0; r < size; r++)
                    sums[v][r] = fv_vec_fma(group_exchange(x, swapped, r), d, sums[v][r]);
            }
        }
    }
    FV_UNROLL
    for (int v = 0; v < vectors; v++) {
        FV_UNROLL
        for (int r = 0; r < size; r++)
            fv_vec_store(j->sums + v * g->panel_step + r * FV_LANES, sums[v][r]);
    }
}

typedef void group_outer_fn(const group_job *j);

/* How `size` channels are done: so many vectors at once, the rest one by one. */
typedef struct group_outer {
    int vectors;
    group_outer_fn *many, *one, *part;
} group_outer;

#define FV_GROUP_OUTER_DEFINE(size, vectors) \
    static void group_outer_many_##size(const group_job *j) \
    { \
        group_outer_tile(j, size, vectors, true); \
    } \
    static void group_outer_one_##size(const group_job *j) { group_outer_tile(j, size, 1, true); } \
    static void group_outer_part_##size(const group_job *j) { group_outer_tile(j, size, 1, false); }
FV_GROUP_OUTER_DEFINE(1, 4)
FV_GROUP_OUTER_DEFINE(2, 4)
FV_GROUP_OUTER_DEFINE(4, 2)
FV_GROUP_OUTER_DEFINE(8, 1)

static inline group_outer group_outer_of(int size)
{
#define FV_GROUP_OUTER(size, vectors) \
    (group_outer) \
    { \
        vectors, group_outer_many_##size, group_outer_one_##size, group_outer_part_##size \
    }
    switch (size) {
    case 1: return FV_GROUP_OUTER(1, 4);
    case 2: return FV_GROUP_OUTER(2, 4);
    case 4: return FV_GROUP_OUTER(4, 2);
    default: return FV_GROUP_OUTER(8, 1);
    }
}

#endif /* FV_KERNELS_X86_CONV_GROUP_OUTER_H */
