/* SPDX-License-Identifier: Apache-2.0 */
/* Batch normalisation of a range of pixels.
 *
 * All of these stream, so the order is that of memory: prefetchers follow no other, and in it one
 * core moves some 36 GB/s instead of 15. Few channels leave room for a group of neighbouring
 * pixels, so that what belongs to a channel is loaded once for the group, and a sum stored once. */
#include "kernels/variants.h"
#include "kernels/x86/lanes.h"

enum {
    GROUP = 4,  /* pixels; only of */
    NARROW = 32 /* channels or fewer: beyond, a group is no longer in the order of memory */
};

/* Where the gradient passes; an infinite u passes FV_RELU. */
FV_ALWAYS_INLINE fv_mask open_at(fv_activation act, fv_bounds b, fv_vec u)
{
    return act == FV_RELU ? fv_vec_gt(u, b.low) : fv_vec_open(b, u);
}

/* ---- Moments ---- */

/* Adds the differences of x from the pixel `first`, and their squares, to sum and squares. */
FV_ALWAYS_INLINE void moments_lanes(int pixels, const float *x, ptrdiff_t x_stride,
                                    const float *first, float *sum, float *squares, fv_lanes l)
{
    const fv_vec origin = fv_lanes_load(first, l);
    fv_vec s = fv_vec_zero(), q = fv_vec_zero();
#pragma GCC unroll 8
    for (int p = 0; p < pixels; p++) {
        fv_prefetch(x + p * x_stride + FV_PREFETCH_AHEAD);
        const fv_vec d = fv_vec_sub(fv_lanes_load(x + p * x_stride, l), origin);
        s = fv_vec_add(s, d);
        q = fv_vec_fma(d, d, q);
    }
    fv_lanes_store(sum, l, fv_vec_add(fv_lanes_load(sum, l), s));
    fv_lanes_store(squares, l, fv_vec_add(fv_lanes_load(squares, l), q));
}

FV_ALWAYS_INLINE void moments_group(int pixels, int channels, const float *x, ptrdiff_t x_stride,
                                    const float *first, float *sum, float *squares)
{
    int c = 0;
    for (; c + FV_LANES <= channels; c += FV_LANES)
        moments_lanes(pixels, x + c, x_stride, first + c, sum + c, squares + c, fv_lanes_all());
    if (c < channels)
        moments_lanes(pixels, x + c, x_stride, first + c, sum + c, squares + c,
                      fv_lanes_first(channels - c));
}

static void moments(int pixels, int channels, const float *x, ptrdiff_t x_stride, float *mean,
                    float *m2)
{
    int p = 0;
    for (int c = 0; c < channels; c++) mean[c] = m2[c] = 0.0f;
    for (; channels <= NARROW && p + GROUP <= pixels; p += GROUP)
        moments_group(GROUP, channels, x + p * x_stride, x_stride, x, mean, m2);
    for (; p < pixels; p++) moments_group(1, channels, x + p * x_stride, x_stride, x, mean, m2);
    if (pixels == 0) return;
    for (int c = 0; c < channels; c++) {
        const float sum = mean[c], shift = sum / (float)pixels, rest = m2[c] - shift * sum;
        mean[c] = x[c] + shift;
        m2[c] = rest < 0.0f ? 0.0f : rest; /* rounding must not make it negative */
    }
}

/* ---- Forward ---- */

FV_ALWAYS_INLINE void apply_lanes(const fv_norm *j, int first, int pixels, int c, bool residual,
                                  fv_lanes l)
{
    const fv_bounds bounds = fv_bounds_of(j->act);
    const fv_vec scale = fv_lanes_load(j->scale + c, l), shift = fv_lanes_load(j->shift + c, l);
#pragma GCC unroll 8
    for (int p = first; p < first + pixels; p++) {
        fv_vec z = fv_vec_fma(scale, fv_lanes_load(j->y + p * j->y_stride + c, l), shift);
        if (residual) z = fv_vec_add(z, fv_lanes_load(j->residual + p * j->residual_stride + c, l));
        fv_lanes_store(j->out + p * j->out_stride + c, l, fv_vec_clamp(bounds, z));
    }
}

FV_ALWAYS_INLINE void apply_group(const fv_norm *j, int p, int pixels, bool residual)
{
    int c = 0;
    for (; c + FV_LANES <= j->channels; c += FV_LANES)
        apply_lanes(j, p, pixels, c, residual, fv_lanes_all());
    if (c < j->channels) apply_lanes(j, p, pixels, c, residual, fv_lanes_first(j->channels - c));
}

FV_ALWAYS_INLINE void apply_as(const fv_norm *j, bool residual)
{
    int p = 0;
    for (; j->channels <= NARROW && p + GROUP <= j->pixels; p += GROUP)
        apply_group(j, p, GROUP, residual);
    for (; p < j->pixels; p++) apply_group(j, p, 1, residual);
}

static void apply(const fv_norm *j)
{
    if (j->residual)
        apply_as(j, true);
    else
        apply_as(j, false);
}

/* ---- Backward ---- */

/* The gradient before the activation, of the channels c of pixel p. */
FV_ALWAYS_INLINE fv_vec gradient(const fv_norm *j, fv_activation act, bool from_z, fv_vec y, int p,
                                 int c, fv_lanes l)
{
    const fv_vec dz = fv_vec_loaded(fv_lanes_load(j->dz + p * j->dz_stride + c, l));
    if (act == FV_LINEAR) return dz;
    const fv_bounds bounds = fv_bounds_of(act);
    const fv_vec u =
        from_z ? fv_lanes_load(j->z + p * j->z_stride + c, l)
               : fv_vec_fma(fv_lanes_load(j->scale + c, l), y, fv_lanes_load(j->shift + c, l));
    return fv_vec_select(open_at(act, bounds, u), dz, fv_vec_zero());
}

FV_ALWAYS_INLINE void reduce_lanes(const fv_norm *j, int first, int pixels, int c,
                                   fv_activation act, bool from_z, fv_lanes l)
{
    const fv_vec mean = fv_lanes_load(j->mean + c, l);
    fv_vec sum_g = fv_vec_zero(), sum_gy = fv_vec_zero();
#pragma GCC unroll 8
    for (int p = first; p < first + pixels; p++) {
        const fv_vec y = fv_lanes_load(j->y + p * j->y_stride + c, l);
        const fv_vec g = gradient(j, act, from_z, y, p, c, l);
        sum_g = fv_vec_add(sum_g, g);
        sum_gy = fv_vec_fma(g, fv_vec_sub(y, mean), sum_gy);
    }
    fv_lanes_store(j->sum_g + c, l, fv_vec_add(sum_g, fv_lanes_load(j->sum_g + c, l)));
    fv_lanes_store(j->sum_gy + c, l, fv_vec_add(sum_gy, fv_lanes_load(j->sum_gy + c, l)));
}

FV_ALWAYS_INLINE void backward_lanes(const fv_norm *j, int first, int pixels, int c,
                                     fv_activation act, bool from_z, fv_lanes l)
{
    const fv_vec mean = fv_lanes_load(j->mean + c, l), va = fv_lanes_load(j->a + c, l),
                 vb = fv_lanes_load(j->b + c, l), vc = fv_lanes_load(j->c + c, l);
#pragma GCC unroll 8
    for (int p = first; p < first + pixels; p++) {
        const fv_vec y = fv_lanes_load(j->y + p * j->y_stride + c, l);
        const fv_vec g = gradient(j, act, from_z, y, p, c, l);
        const fv_vec rest = fv_vec_fma(vb, fv_vec_sub(y, mean), vc);
        fv_lanes_store(j->out + p * j->out_stride + c, l, fv_vec_fma(va, g, rest));
        if (j->residual_grad) {
            float *r = j->residual_grad + p * j->residual_grad_stride + c;
            fv_lanes_store(r, l, j->residual_accumulate ? fv_vec_add(fv_lanes_load(r, l), g) : g);
        }
    }
}

typedef enum stage { REDUCE, APPLY } stage;

FV_ALWAYS_INLINE void backward_group(const fv_norm *j, stage s, int p, int pixels,
                                     fv_activation act, bool from_z)
{
    int c = 0;
    for (; c + FV_LANES <= j->channels; c += FV_LANES)
        if (s == REDUCE)
            reduce_lanes(j, p, pixels, c, act, from_z, fv_lanes_all());
        else
            backward_lanes(j, p, pixels, c, act, from_z, fv_lanes_all());
    if (c == j->channels) return;
    if (s == REDUCE)
        reduce_lanes(j, p, pixels, c, act, from_z, fv_lanes_first(j->channels - c));
    else
        backward_lanes(j, p, pixels, c, act, from_z, fv_lanes_first(j->channels - c));
}

FV_ALWAYS_INLINE void backward_as(const fv_norm *j, stage s, fv_activation act, bool from_z)
{
    int p = 0;
    for (; j->channels <= NARROW && p + GROUP <= j->pixels; p += GROUP)
        backward_group(j, s, p, GROUP, act, from_z);
    for (; p < j->pixels; p++) backward_group(j, s, p, 1, act, from_z);
}

/* One copy for each way to find the slope. */
FV_ALWAYS_INLINE void backward(const fv_norm *j, stage s)
{
    if (j->act == FV_LINEAR)
        backward_as(j, s, FV_LINEAR, false);
    else if (j->act == FV_RELU && j->z)
        backward_as(j, s, FV_RELU, true);
    else if (j->act == FV_RELU)
        backward_as(j, s, FV_RELU, false);
    else if (j->z)
        backward_as(j, s, FV_RELU6, true);
    else
        backward_as(j, s, FV_RELU6, false);
}

static void backward_reduce(const fv_norm *j)
{
    for (int c = 0; c < j->channels; c++) j->sum_g[c] = j->sum_gy[c] = 0.0f;
    backward(j, REDUCE);
}

static void backward_apply(const fv_norm *j) { backward(j, APPLY); }

void FV_VARIANT(fv_norm)(fv_kernels *k)
{
    k->moments = moments;
    k->norm_apply = apply;
    k->norm_backward_reduce = backward_reduce;
    k->norm_backward_apply = backward_apply;
}
