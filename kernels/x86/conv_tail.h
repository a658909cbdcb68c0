/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/conv_tail.h - the last panel of a group, where targets would not fill its lanes.
 *
 * Lanes that no target needs take other sources: in a vector of pairs, quads or octets, 2, 4 or 8
 * neighbouring lanes share one target, and each meets another source; their sums are added up at
 * the end. So 26 targets cost 3 vectors of pairs (24 targets) and one of octets (2), which is 13
 * multiply-adds for 8 sources, where whole vectors would cost 16.
 *
 * The panel is [tap][step], a step being `share` neighbouring sources; in a step come [pair of
 * sources][vector of pairs] and then [shared vector]. The last step of a tap may lack sources: then
 * a pair without any is left out, and otherwise the weights of what lacks are zeros.
 */
#ifndef FV_KERNELS_X86_CONV_TAIL_H
#define FV_KERNELS_X86_CONV_TAIL_H

#include "base/compiler.h"
#include "kernels/x86/conv_panel.h"

enum {
    TAIL_PAIRS = FV_LANES / 2,     /* targets of a vector of pairs */
    TAIL_PIXELS = TILE_PIXELS / 2, /* of a tile with more vectors */
    TAIL_MIN_PRODUCTS = 16,        /* of a target: fewer do not pay for the adding up */
    TAIL_WORTHWHILE = 95,          /* percent of the multiply-adds that a usual panel would cost */
};

typedef struct tail_kind {
    int pairs;         /* vectors of pairs */
    int shared, share; /* other vectors, and how many lanes share a target there */
} tail_kind;

/* X(name, pairs, shared, share). Those of TILE_VECTORS take whole tiles, those of more take halves;
 * four are too many for the registers of AVX2. */
#define FV_TAIL_TWO(X) X(q2, 0, 2, 4)
#if defined(FV_ISA_AVX512)
#define FV_TAIL_MORE(X) \
    X(q3, 0, 3, 4) X(p2q1, 2, 1, 4) X(p3, 3, 0, 2) X(p3o1, 3, 1, 8) X(p3q1, 3, 1, 4)
#else
#define FV_TAIL_MORE(X) X(q3, 0, 3, 4) X(p2q1, 2, 1, 4) X(p3, 3, 0, 2)
#endif

#define FV_TAIL_KIND(name, pairs, shared, share) { pairs, shared, share },
static const tail_kind tail_kinds[] = { FV_TAIL_TWO(FV_TAIL_KIND) FV_TAIL_MORE(FV_TAIL_KIND) };

static inline int tail_targets(tail_kind k)
{
    return k.pairs * TAIL_PAIRS + k.shared * (FV_LANES / k.share);
}

/* Vectors of weights, and so multiply-adds for a pixel, for the first `sources` of a tap: whole
 * steps, or all. */
static inline int tail_vectors(tail_kind k, int sources)
{
    const int rest = sources % k.share;
    return sources / k.share * (k.share / 2 * k.pairs + k.shared) + (rest + 1) / 2 * k.pairs +
           (rest > 0 ? k.shared : 0);
}

/* Floats of a tap. */
static inline ptrdiff_t tail_floats(tail_kind k, int sources)
{
    return (ptrdiff_t)tail_vectors(k, sources) * FV_LANES;
}

/* Pixels of a tile, at most. */
static inline int tail_pixels(tail_kind k)
{
    return k.pairs + k.shared > TILE_VECTORS ? TAIL_PIXELS : TILE_PIXELS;
}

/* Where the weight of a source, of `sources`, and a target stands in a tap. */
static inline ptrdiff_t tail_place(tail_kind k, int sources, int source, int target)
{
    const int i = source % k.share, start = source - i;
    const ptrdiff_t step = tail_floats(k, start);
    if (target < k.pairs * TAIL_PAIRS)
        return step + i / 2 * k.pairs * FV_LANES + target * 2 + i % 2;
    const int pairs = (fv_min(k.share, sources - start) + 1) / 2 * k.pairs;
    return step + pairs * FV_LANES + (target - k.pairs * TAIL_PAIRS) * k.share + i;
}

/* p[0] ... p[n - 1], and zeros up to `share`, in each `share` neighbouring lanes. */
FV_ALWAYS_INLINE fv_vec tail_broadcast(const float *p, const int share, int n)
{
    if (share == 2) return n < 2 ? fv_vec_set1_even(p) : fv_vec_set1_pair(p);
#if defined(FV_ISA_AVX512)
    const __mmask8 some = (__mmask8)((1u << n) - 1u);
    if (share == 4)
        return _mm512_broadcast_f32x4(n < 4 ? _mm_maskz_loadu_ps(some, p) : _mm_loadu_ps(p));
    return _mm512_broadcast_f32x8(n < 8 ? _mm256_maskz_loadu_ps(some, p) : _mm256_loadu_ps(p));
#else
    const __m128i some = _mm_cmpgt_epi32(_mm_set1_epi32(n), _mm_setr_epi32(0, 1, 2, 3));
    const __m128 x = n < 4 ? _mm_maskload_ps(p, some) : _mm_loadu_ps(p);
    return _mm256_set_m128(x, x);
#endif
}

/* The kind that is best for the last panel of each group, or -1 if a usual panel is. */
static inline int tail_choose(const panel_shape *s)
{
    const int targets = s->targets % BLOCK_LANES, sources = s->sources;
    const bool wide = targets > FV_LANES;
    int best = -1, least = (wide ? sources : (sources + 1) / 2) * TILE_VECTORS;
    least = least * TAIL_WORTHWHILE / 100 + 1;
    if (targets == 0 || sources * s->taps < TAIL_MIN_PRODUCTS) return -1;
    for (int i = 0; i < (int)FV_ARRAY_LEN(tail_kinds); i++) {
        const int room = tail_targets(tail_kinds[i]);
        const int vectors = tail_vectors(tail_kinds[i], sources);
        if (room < targets || (room > FV_LANES) != wide || vectors >= least) continue;
        least = vectors;
        best = i;
    }
    return best;
}

#endif /* FV_KERNELS_X86_CONV_TAIL_H */
