/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/conv_group.h - convolution with many narrow groups.
 *
 * With 1, 2, 4 or 8 channels in each group, in and out, one vector spans several groups. The
 * products of a group of s channels are then s multiply-adds of whole vectors, one for each
 * r in [0, s), in which the lane of channel c meets the source channel c ^ r of its own group:
 * a permutation of the lanes that lie as in memory. Weights, and partial sums of their gradient,
 * are packed as [vector of channels][tap][r][lane].
 */
#ifndef FV_KERNELS_X86_CONV_GROUP_H
#define FV_KERNELS_X86_CONV_GROUP_H

#include "kernels/x86/conv_panel.h"

enum { GROUP_MAX = 8 };

/* Channels of a group if they are few enough, else 0. */
static inline int group_size(const fv_conv *c)
{
    const int size = c->in_c / c->groups;
    const bool narrow = size == 1 || size == 2 || size == 4 || size == 8;
    return c->groups > 1 && c->in_c == c->out_c && narrow ? size : 0;
}

static inline size_t group_packed_floats(const fv_conv *c)
{
    const size_t taps = (size_t)c->window.kernel_h * (size_t)c->window.kernel_w;
    return (size_t)panel_round(c->in_c) * taps * (size_t)group_size(c);
}

/* The first float of the panel of the vector that begins at `channel`. */
static inline size_t group_panel_at(const fv_conv *c, int channel)
{
    const size_t taps = (size_t)c->window.kernel_h * (size_t)c->window.kernel_w;
    return (size_t)channel * taps * (size_t)group_size(c);
}

/* x with lanes l and l ^ 4 exchanged. */
FV_ALWAYS_INLINE fv_vec group_swap_4(fv_vec x)
{
#if defined(FV_ISA_AVX512)
    return _mm512_shuffle_f32x4(x, x, 0xb1);
#else
    return _mm256_permute2f128_ps(x, x, 1);
#endif
}

#if defined(FV_ISA_AVX512)
#define FV_GROUP_PERMUTE(x, order) _mm512_permute_ps(x, order)
#else
#define FV_GROUP_PERMUTE(x, order) _mm256_permute_ps(x, order)
#endif

/* x with lanes l and l ^ r exchanged; `swapped` is group_swap_4(x). */
FV_ALWAYS_INLINE fv_vec group_exchange(fv_vec x, fv_vec swapped, const int r)
{
    const fv_vec from = r & 4 ? swapped : x;
    switch (r & 3) {
    case 1: return FV_GROUP_PERMUTE(from, 0xb1);
    case 2: return FV_GROUP_PERMUTE(from, 0x4e);
    case 3: return FV_GROUP_PERMUTE(from, 0x1b);
    default: return from;
    }
}

#endif /* FV_KERNELS_X86_CONV_GROUP_H */
