/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/conv_panel.h - where the panels of packed weights lie; see conv_tile.h.
 *
 * Seen from a sweep, forward or backward, the weights of a group connect `sources` channels with
 * `targets` channels through `taps`. The panels of a group follow each other, then those of the next.
 */
#ifndef FV_KERNELS_X86_CONV_PANEL_H
#define FV_KERNELS_X86_CONV_PANEL_H

#include "base/compiler.h"
#include "kernels/x86/conv_tile.h"

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
    const size_t row = (size_t)s->taps * (size_t)s->sources;
    return ((size_t)group * (size_t)panel_round(s->targets) + (size_t)target) * row;
}

static inline size_t panel_floats(const panel_shape *s) { return panel_at(s, s->groups, 0); }

#endif /* FV_KERNELS_X86_CONV_PANEL_H */
