/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/conv_panel.h - sizes of tiles, and where the panels of packed weights lie.
 *
 * Seen from a sweep, forward or backward, the weights of a group connect `sources` channels with
 * `targets` channels through `taps`. They are packed into panels [tap][source][lane], one for each
 * block of BLOCK_LANES targets. If FV_LANES are enough for the last of a group, it is narrow:
 * [tap][pair of sources][lane][source of the pair]. The panels of a group follow each other, then
 * those of the next.
 *
 * Partial sums of the weights' gradient lie in the same places, but always as [tap][source][lane].
 */
#ifndef FV_KERNELS_X86_CONV_PANEL_H
#define FV_KERNELS_X86_CONV_PANEL_H

#include "base/compiler.h"
#include "kernels/kernels.h"
#include "kernels/simd.h"

/* Accumulators, weights and one broadcast fill the registers. */
enum {
    TILE_VECTORS = 2,
    TILE_PIXELS = (FV_VECTOR_REGISTERS - TILE_VECTORS - 2) / TILE_VECTORS,
    TILE_FILLED = (TILE_PIXELS + 7) / 8 * 8,
    TILE_ROOM = TILE_PIXELS + TILE_FILLED, /* any pixel may be the first of those filled in */
    BLOCK_LANES = TILE_VECTORS * FV_LANES,
};

/* For one copy of a function for each size of tile: FV_TILE_EACH(X) is X(1) X(2) ...
 * X(TILE_PIXELS). */
#if defined(FV_ISA_AVX512)
#define FV_TILE_EACH(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#else
#define FV_TILE_EACH(X) X(1) X(2) X(3) X(4) X(5) X(6)
#endif

typedef struct panel_shape {
    int groups, taps, sources, targets; /* channels of one group */
} panel_shape;

static inline panel_shape panel_forward(const fv_conv *c)
{
    const int taps = c->window.kernel_h * c->window.kernel_w;
    return (panel_shape){ c->groups, taps, c->in_c / c->groups, c->out_c / c->groups };
}

static inline panel_shape panel_backward(const fv_conv *c)
{
    const int taps = c->window.kernel_h * c->window.kernel_w;
    return (panel_shape){ c->groups, taps, c->out_c / c->groups, c->in_c / c->groups };
}

static inline int panel_round(int channels)
{
    return (channels + FV_LANES - 1) / FV_LANES * FV_LANES;
}

/* Lanes of the panel that begins at channel `target`. */
static inline int panel_lanes(const panel_shape *s, int target)
{
    return fv_min(BLOCK_LANES, panel_round(s->targets - target));
}

/* First float of the panel that begins at channel `target` of a group. */
static inline size_t panel_at(const panel_shape *s, int group, int target)
{
    const size_t row = (size_t)s->taps * (size_t)(s->sources + s->sources % 2);
    return ((size_t)group * (size_t)panel_round(s->targets) + (size_t)target) * row;
}

static inline size_t panel_floats(const panel_shape *s) { return panel_at(s, s->groups, 0); }

enum { AHEAD_FLOATS = 1 << 16 }; /* of all panels: fewer stay in the second-level cache */

/* How far ahead of the panel at work the next one is fetched, in floats; 0: it is not. Weights of
 * large layers come from memory each time, and each is used for a few tiles only. */
static inline ptrdiff_t panel_ahead(const panel_shape *s)
{
    if (panel_floats(s) < AHEAD_FLOATS) return 0;
    return (ptrdiff_t)s->taps * s->sources * BLOCK_LANES;
}

#endif /* FV_KERNELS_X86_CONV_PANEL_H */
