/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/conv_pack_vector.c - the weights of convolution in the order in which its sweeps read
 * them. */
#include "kernels/variants.h"
#include "kernels/x86/conv_group.h"
#include "kernels/x86/conv_rows.h"
#include "kernels/x86/conv_tail.h"

#include <string.h>

/* The weights in the order of checkpoints: strides in floats, and how many neighbouring taps are
 * one tap of the panels; see conv_rows.h. */
typedef struct weight_strides {
    size_t group, source, target;
    int merged;
} weight_strides;

/* Where source i (of `sources`, with lane 0) of a tap stands in a panel, and how far its lanes are
 * apart. */
static float *panel_source(const panel_shape *s, float *panel, int lanes, int tap, int i)
{
    if (lanes == BLOCK_LANES)
        return panel + ((size_t)tap * (size_t)s->sources + (size_t)i) * BLOCK_LANES;
    const size_t pairs = (size_t)(s->sources + 1) / 2;
    return panel + ((size_t)tap * pairs + (size_t)(i / 2)) * BLOCK_LANES + i % 2;
}

static void pack_panel(const panel_shape *s, const weight_strides *stride, const float *w,
                       const float *scale, int target, float *panel)
{
    const int lanes = panel_lanes(s, target), used = fv_min(lanes, s->targets - target);
    const int step = lanes == BLOCK_LANES ? 1 : 2, channels = s->sources / stride->merged;
    for (int i = 0; i < s->sources; i++)
        for (int tap = 0; tap < s->taps; tap++) {
            float *to = panel_source(s, panel, lanes, tap, i);
            const float *from = w + (size_t)(i % channels) * stride->source +
                                (size_t)(tap * stride->merged + i / channels);
            for (int t = 0; t < used; t++) {
                const float value = from[(size_t)(target + t) * stride->target];
                to[t * step] = scale ? value * scale[target + t] : value;
            }
            for (int t = used; t < lanes; t++) to[t * step] = 0.0f;
        }
    if (lanes == BLOCK_LANES || s->sources % 2 == 0) return;
    for (int tap = 0; tap < s->taps; tap++) { /* the last pair lacks its second */
        float *to = panel_source(s, panel, lanes, tap, s->sources - 1) + 1;
        for (int t = 0; t < lanes; t++) to[t * step] = 0.0f;
    }
}

/* The panel of the last targets of a group; see conv_tail.h. */
static void pack_tail(const panel_shape *s, tail_kind kind, const weight_strides *stride,
                      const float *w, const float *scale, int target, float *panel)
{
    const int used = s->targets - target, channels = s->sources / stride->merged;
    const ptrdiff_t floats = tail_floats(kind, s->sources);
    memset(panel, 0, (size_t)s->taps * (size_t)floats * sizeof(float));
    for (int i = 0; i < s->sources; i++)
        for (int t = 0; t < used; t++) {
            float *to = panel + tail_place(kind, s->sources, i, t);
            const float *from = w + (size_t)(target + t) * stride->target +
                                (size_t)(i % channels) * stride->source + (size_t)(i / channels);
            for (int tap = 0; tap < s->taps; tap++) {
                const float value = from[tap * stride->merged];
                to[tap * floats] = scale ? value * scale[target + t] : value;
            }
        }
}

/* Targets [first, last), counted over all groups. */
static void pack(const panel_shape *s, const weight_strides *stride, const float *w,
                 const float *scale, float *packed, int first, int last)
{
    const int tail = tail_choose(s);
    for (int g = first / s->targets; g * s->targets < last; g++) {
        const int start = g * s->targets;
        const float *group = w + (size_t)g * stride->group, *scales = scale ? scale + start : NULL;
        for (int t = fv_max(first - start, 0); t < fv_min(last - start, s->targets);
             t += BLOCK_LANES) {
            float *panel = packed + panel_at(s, g, t);
            if (tail >= 0 && s->targets - t < BLOCK_LANES)
                pack_tail(s, tail_kinds[tail], stride, group, scales, t, panel);
            else
                pack_panel(s, stride, group, scales, t, panel);
        }
    }
}

/* Targets [first, last) of narrow groups. Weight (target, r) is at target * stride->target +
 * source * stride->source, where group stands before both. */
static void pack_narrow(const fv_conv *c, const weight_strides *stride, const float *w,
                        const float *scale, float *packed, int first, int last)
{
    const int size = group_size(c), taps = c->window.kernel_h * c->window.kernel_w;
    const int end = last == c->in_c ? panel_round(last) : last; /* lanes after the last are zero */
    for (int t = first; t < end; t++) {
        float *lane = packed + group_panel_at(c, t / FV_LANES * FV_LANES) + t % FV_LANES;
        const float *group = w + (size_t)(t / size) * stride->group;
        for (int tap = 0; tap < taps; tap++)
            for (int r = 0; r < size; r++) {
                const int target = t % size, source = target ^ r;
                float value = 0.0f;
                if (t < last) {
                    value = group[(size_t)target * stride->target +
                                  (size_t)source * stride->source + (size_t)tap];
                    if (scale) value *= scale[t];
                }
                lane[(ptrdiff_t)(tap * size + r) * FV_LANES] = value;
            }
    }
}

static void pack_forward(const fv_conv *c, const float *w, const float *scale, float *packed,
                         int out0, int out1)
{
    const panel_shape s = sweep_panels(c);
    const size_t taps = (size_t)c->window.kernel_h * (size_t)c->window.kernel_w;
    const size_t row = (size_t)(c->in_c / c->groups) * taps;
    const weight_strides stride = { .group = (size_t)s.targets * row,
                                    .source = taps,
                                    .target = row,
                                    .merged = rows_worthwhile(c) ? c->window.kernel_w : 1 };
    if (group_size(c))
        pack_narrow(c, &stride, w, scale, packed, out0, out1);
    else
        pack(&s, &stride, w, scale, packed, out0, out1);
}

static void pack_backward(const fv_conv *c, const float *w, float *packed, int in0, int in1)
{
    const panel_shape s = panel_backward(c);
    const size_t taps = (size_t)s.taps, row = (size_t)s.targets * taps;
    const weight_strides stride = {
        .group = (size_t)s.sources * row, .source = row, .target = taps, .merged = 1
    };
    if (group_size(c))
        pack_narrow(c, &stride, w, NULL, packed, in0, in1);
    else
        pack(&s, &stride, w, NULL, packed, in0, in1);
}

static size_t packed_forward_floats(const fv_conv *c)
{
    const panel_shape s = sweep_panels(c);
    return group_size(c) ? group_packed_floats(c) : panel_floats(&s);
}

static size_t packed_backward_floats(const fv_conv *c)
{
    const panel_shape s = panel_backward(c);
    return group_size(c) ? group_packed_floats(c) : panel_floats(&s);
}

void FV_VARIANT(fv_conv_pack)(fv_kernels *k)
{
    k->conv_packed_forward_floats = packed_forward_floats;
    k->conv_packed_backward_floats = packed_backward_floats;
    k->conv_pack_forward = pack_forward;
    k->conv_pack_backward = pack_backward;
}
