/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/conv_tail_tile.h - conv_tile.h for the panels of conv_tail.h. */
#ifndef FV_KERNELS_X86_CONV_TAIL_TILE_H
#define FV_KERNELS_X86_CONV_TAIL_TILE_H

#include "kernels/x86/conv_tail.h"
#include "kernels/x86/conv_tile.h"

/* sums[first ...] += the products of source channels [i, i + n), which share `vectors`. */
FV_ALWAYS_INLINE void tail_add(const float *const seen[TILE_PIXELS], ptrdiff_t i, const float *w,
                               tile_sums sums, const int pixels, const int first, const int vectors,
                               const int share, int n)
{
    fv_vec weight[TILE_MOST_VECTORS];
    FV_UNROLL
    for (int v = 0; v < vectors; v++) weight[v] = fv_vec_load(w + v * FV_LANES);
    FV_UNROLL
    for (int p = 0; p < pixels; p++) {
        const fv_vec x = tail_broadcast(seen[p] + i, share, n);
        FV_UNROLL
        for (int v = 0; v < vectors; v++)
            sums[p][first + v] = fv_vec_fma(x, weight[v], sums[p][first + v]);
    }
}

/* sums += the products of a step. */
FV_ALWAYS_INLINE void tail_step(const float *const seen[TILE_PIXELS], ptrdiff_t i, const float *w,
                                tile_sums sums, const int pixels, const tail_kind k)
{
    if (k.pairs) {
        FV_UNROLL
        for (int s = 0; s < k.share; s += 2, w += k.pairs * FV_LANES)
            tail_add(seen, i + s, w, sums, pixels, 0, k.pairs, 2, 2);
    }
    if (k.shared) tail_add(seen, i, w, sums, pixels, k.pairs, k.shared, k.share, k.share);
}

/* The same for the last step, of `rest` < share sources. */
FV_ALWAYS_INLINE void tail_rest(const float *const seen[TILE_PIXELS], ptrdiff_t i, const float *w,
                                tile_sums sums, const int pixels, const tail_kind k, const int rest)
{
    if (k.pairs) {
        for (int s = 0; s + 1 < rest; s += 2, w += k.pairs * FV_LANES)
            tail_add(seen, i + s, w, sums, pixels, 0, k.pairs, 2, 2);
        if (rest % 2) {
            tail_add(seen, i + rest - 1, w, sums, pixels, 0, k.pairs, 2, 1);
            w += k.pairs * FV_LANES;
        }
    }
    if (k.shared) tail_add(seen, i, w, sums, pixels, k.pairs, k.shared, k.share, rest);
}

/* sums += the products of sources [from, to) of a tap; `from` begins a step. */
FV_ALWAYS_INLINE void tail_tap(const float *const seen[TILE_PIXELS], ptrdiff_t from, ptrdiff_t to,
                               const float *w, tile_sums sums, const int pixels, const tail_kind k)
{
    const int rest = (int)(to - from) % k.share;
    const ptrdiff_t whole = to - rest, step = tail_floats(k, k.share);
    w += from / k.share * step;
    for (ptrdiff_t i = from; i < whole; i += k.share, w += step)
        tail_step(seen, i, w, sums, pixels, k);
    if (rest) tail_rest(seen, whole, w, sums, pixels, k, rest);
}

/* out = vectors with half as many lanes for each target. */
FV_ALWAYS_INLINE void tail_halve(const fv_vec *in, const int vectors, fv_vec *out)
{
    FV_UNROLL
    for (int v = 0; v < vectors; v += 2)
        out[v / 2] = fv_vec_sum_pairs(in[v], v + 1 < vectors ? in[v + 1] : fv_vec_zero());
}

/* out = what the lanes of each target come to. */
FV_ALWAYS_INLINE void tail_total(const fv_vec sums[TILE_MOST_VECTORS],
                                 fv_vec out[TILE_MOST_VECTORS], const tail_kind k)
{
    fv_vec quads[TILE_MOST_VECTORS], pairs[TILE_MOST_VECTORS];
    FV_UNROLL
    for (int v = 0; v < k.pairs; v++) pairs[v] = sums[v];
    int vectors = k.shared;
    if (k.share == 8) {
        tail_halve(sums + k.pairs, vectors, quads);
        vectors = (vectors + 1) / 2;
        tail_halve(quads, vectors, pairs + k.pairs);
    } else
        tail_halve(sums + k.pairs, vectors, pairs + k.pairs);
    tail_halve(pairs, k.pairs + (vectors + 1) / 2, out);
}

/* What a tile adds up in registers: sources [from, to) of taps [tap, end). Bit shift + p of these
 * is pixel p's. */
typedef struct tail_range {
    ptrdiff_t from, to;
    int tap, end, shift;
    bool first, last; /* of its tile */
} tail_range;

FV_ALWAYS_INLINE void tail_run(const tile_job *j, const tile *t, const tail_range *r,
                               tile_kept kept, const int pixels, const tail_kind k)
{
    tile_sums sums;
    tile_clear(sums, pixels, k.pairs + k.shared);
    for (int n = r->tap; n < r->end; n++) {
        const tile_tap tap = { t->tap[n].tap, t->tap[n].inside >> r->shift, t->tap[n].offset };
        const float *seen[TILE_PIXELS];
        tile_look(j, t, &tap, seen, pixels);
        tail_tap(seen, r->from, r->to, j->panel + tap.tap * j->tap_floats, sums, pixels, k);
    }
    if (!r->last) {
        tile_keep(kept, r->first, sums, pixels, k.pairs + k.shared);
        return;
    }
    if (!r->first) tile_recall(kept, sums, pixels, k.pairs + k.shared);
    tile_sums out;
    FV_UNROLL
    for (int p = 0; p < pixels; p++) tail_total(sums[p], out[p], k);
    const int stored = tail_targets(k) > FV_LANES ? 2 : 1;
    const fv_mask last = fv_mask_first(j->lanes - (stored - 1) * FV_LANES);
    tile_store(j, t->pixel, out, pixels, stored, false, last);
}

typedef void tail_fn(const tile_job *j, const tile *t, const tail_range *r, tile_kept kept);

/* One copy for each kind and size of tile, up to tail_pixels(). */
#if defined(FV_ISA_AVX512)
#define FV_TAIL_HALF(X, ...) \
    X(1, __VA_ARGS__) \
    X(2, __VA_ARGS__) \
    X(3, __VA_ARGS__) X(4, __VA_ARGS__) X(5, __VA_ARGS__) X(6, __VA_ARGS__) X(7, __VA_ARGS__)
#define FV_TAIL_FULL(X, ...) \
    FV_TAIL_HALF(X, __VA_ARGS__) \
    X(8, __VA_ARGS__) \
    X(9, __VA_ARGS__) \
    X(10, __VA_ARGS__) X(11, __VA_ARGS__) X(12, __VA_ARGS__) X(13, __VA_ARGS__) X(14, __VA_ARGS__)
#else
#define FV_TAIL_HALF(X, ...) X(1, __VA_ARGS__) X(2, __VA_ARGS__) X(3, __VA_ARGS__)
#define FV_TAIL_FULL(X, ...) \
    FV_TAIL_HALF(X, __VA_ARGS__) X(4, __VA_ARGS__) X(5, __VA_ARGS__) X(6, __VA_ARGS__)
#endif

#define FV_TAIL_DEFINE(pixels, name, pairs, shared, share) \
    static void tail_##name##_##pixels(const tile_job *j, const tile *t, const tail_range *r, \
                                       tile_kept kept) \
    { \
        tail_run(j, t, r, kept, pixels, (tail_kind){ pairs, shared, share }); \
    }
#define FV_TAIL_DEFINE_TWO(...)  FV_TAIL_FULL(FV_TAIL_DEFINE, __VA_ARGS__)
#define FV_TAIL_DEFINE_MORE(...) FV_TAIL_HALF(FV_TAIL_DEFINE, __VA_ARGS__)
FV_TAIL_TWO(FV_TAIL_DEFINE_TWO)
FV_TAIL_MORE(FV_TAIL_DEFINE_MORE)

/* [tail_kinds][pixels - 1] */
#define FV_TAIL_NAME(pixels, name, ...) tail_##name##_##pixels,
#define FV_TAIL_NAME_TWO(...)           { FV_TAIL_FULL(FV_TAIL_NAME, __VA_ARGS__) },
#define FV_TAIL_NAME_MORE(...)          { FV_TAIL_HALF(FV_TAIL_NAME, __VA_ARGS__) },
static tail_fn *const tail_functions[][TILE_PIXELS] = { FV_TAIL_TWO(FV_TAIL_NAME_TWO)
                                                            FV_TAIL_MORE(FV_TAIL_NAME_MORE) };

/* The end of the taps from `tap` on whose products are added up together. */
static inline int tail_taps_together(const tile *t, int tap, int together)
{
    const int low = t->tap[tap].tap / together * together, high = low + together;
    do tap++;
    while (tap < t->taps && t->tap[tap].tap >= low && t->tap[tap].tap < high);
    return tap;
}

/* Pixels [shift, shift + tile.pixels) of the tile that the taps belong to. */
static inline void tail_tile(const tile_job *j, int kind, const tile *t, int shift)
{
    const tail_kind k = tail_kinds[kind];
    const int terms = TILE_TERMS * (k.pairs ? 2 : k.share); /* sources for as many products */
    const int together = fv_max(1, terms / j->channels);    /* taps */
    tail_fn *const run = tail_functions[kind][t->pixels - 1];
    _Alignas(64) tile_kept kept;
    tail_range r = { .shift = shift, .first = true };
    do {
        r.tap = r.end;
        if (t->taps > 0) r.end = tail_taps_together(t, r.tap, together);
        r.from = 0;
        do {
            r.to = fv_min(j->channels, (int)r.from + terms);
            r.last = r.end == t->taps && r.to == j->channels;
            run(j, t, &r, kept);
            r.from = r.to;
            r.first = false;
        } while (r.to < j->channels);
    } while (!r.last);
}

#endif /* FV_KERNELS_X86_CONV_TAIL_TILE_H */
