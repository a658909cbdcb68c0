/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/lanes.h - a vector's worth of channels, whole or cut short at the last channel.
 *
 * A kernel's body is written once, for some lanes, and inlined twice: with `full` known to be
 * true the masks vanish. */
#ifndef FV_KERNELS_X86_LANES_H
#define FV_KERNELS_X86_LANES_H

#include "kernels/kernels.h"
#include "kernels/simd.h"

#include <math.h>

typedef struct fv_lanes {
    bool full;
    int count;
    fv_mask mask;
} fv_lanes;

FV_ALWAYS_INLINE fv_lanes fv_lanes_all(void)
{
    return (fv_lanes){ .full = true, .count = FV_LANES, .mask = fv_mask_first(FV_LANES) };
}

FV_ALWAYS_INLINE fv_lanes fv_lanes_first(int count)
{
    return (fv_lanes){ .full = false, .count = count, .mask = fv_mask_first(count) };
}

FV_ALWAYS_INLINE fv_vec fv_lanes_load(const float *p, fv_lanes l)
{
    return l.full ? fv_vec_load(p) : fv_vec_load_mask(p, l.mask);
}

FV_ALWAYS_INLINE void fv_lanes_store(float *p, fv_lanes l, fv_vec a)
{
    if (l.full)
        fv_vec_store(p, a);
    else
        fv_vec_store_mask(p, l.mask, a);
}

/* Asks for the line of memory that holds p[0], which need not exist. */
FV_ALWAYS_INLINE void fv_prefetch(const float *p) { _mm_prefetch((const char *)p, _MM_HINT_T0); }

enum { FV_PREFETCH_AHEAD = 512 }; /* floats: half a page */

/* Keeps the compiler from folding a load into a masked operation: the load would wait for the mask,
 * and memory twice as long. */
FV_ALWAYS_INLINE fv_vec fv_vec_loaded(fv_vec a)
{
#if defined(FV_ISA_AVX512)
    __asm__("" : "+v"(a));
#else
    __asm__("" : "+x"(a));
#endif
    return a;
}

/* An activation as bounds: act(x) = min(max(x, low), high). */
typedef struct fv_bounds {
    fv_vec low, high;
} fv_bounds;

FV_ALWAYS_INLINE fv_bounds fv_bounds_of(fv_activation act)
{
    return (fv_bounds){ fv_vec_set1(act == FV_LINEAR ? -INFINITY : 0.0f),
                        fv_vec_set1(act == FV_RELU6 ? 6.0f : INFINITY) };
}

/* The operands stand in the order in which NaN survives. */
FV_ALWAYS_INLINE fv_vec fv_vec_clamp(fv_bounds b, fv_vec x)
{
    return fv_vec_min(b.high, fv_vec_max(b.low, x));
}

/* Where the slope of an activation other than FV_LINEAR is one, seen from its input or result. */
FV_ALWAYS_INLINE fv_mask fv_vec_open(fv_bounds b, fv_vec x)
{
    return fv_mask_and(fv_vec_gt(x, b.low), fv_vec_lt(x, b.high));
}

#endif /* FV_KERNELS_X86_LANES_H */
