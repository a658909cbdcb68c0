/* SPDX-License-Identifier: Apache-2.0 */
/* Batch normalisation of a range of pixels, a block of pixels at a time: what belongs to a channel
 * is loaded once for the block. Sums are taken within the block first, then over blocks, which
 * keeps digits that one long float sum would lose. */
#include "kernels/variants.h"
#include "kernels/x86/lanes.h"

enum { BLOCK = 16 }; /* pixels */

/* Where the gradient passes; an infinite u passes FV_RELU. */
FV_ALWAYS_INLINE fv_mask open_at(fv_activation act, fv_bounds b, fv_vec u)
{
    return act == FV_RELU ? fv_vec_gt(u, b.low) : fv_vec_open(b, u);
}

/* ---- Moments ---- */

/* Adds the differences of x from the pixel `first`, and their squares, to sum and squares. */
FV_ALWAYS_INLINE void moments_block(int pixels, const float *x, ptrdiff_t x_stride,
                                    const float *first, float *sum, float *squares, fv_lanes l)
{
    const fv_vec origin = fv_lanes_load(first, l);
    fv_vec s = fv_vec_zero(), q = fv_vec_zero();
    for (int p = 0; p < pixels; p++) {
        const fv_vec d = fv_vec_sub(fv_lanes_load(x + p * x_stride, l), origin);
        s = fv_vec_add(s, d);
        q = fv_vec_fma(d, d, q);
    }
    fv_lanes_store(sum, l, fv_vec_add(fv_lanes_load(sum, l), s));
    fv_lanes_store(squares, l, fv_vec_add(fv_lanes_load(squares, l), q));
}

static void moments(int pixels, int channels, const float *x, ptrdiff_t x_stride, float *mean,
                    float *m2)
{
    for (int c = 0; c < channels; c++) mean[c] = m2[c] = 0.0f;
    for (int p = 0; p < pixels; p += BLOCK) {
        const int n = pixels - p < BLOCK ? pixels - p : BLOCK;
        const float *block = x + p * x_stride;
        int c = 0;
        for (; c + FV_LANES <= channels; c += FV_LANES)
            moments_block(n, block + c, x_stride, x + c, mean + c, m2 + c, fv_lanes_all());
        if (c < channels)
            moments_block(n, block + c, x_stride, x + c, mean + c, m2 + c,
                          fv_lanes_first(channels - c));
    }
    if (pixels == 0) return;
    for (int c = 0; c < channels; c++) {
        const float sum = mean[c], shift = sum / (float)pixels, rest = m2[c] - shift * sum;
        mean[c] = x[c] + shift;
        m2[c] = rest < 0.0f ? 0.0f : rest; /* rounding must not make it negative */
    }
}

/* ---- Forward ---- */

FV_ALWAYS_INLINE void apply_block(const fv_norm *j, int p, int end, int c, bool residual,
                                  fv_lanes l)
{
    const fv_bounds bounds = fv_bounds_of(j->act);
    const fv_vec scale = fv_lanes_load(j->scale + c, l), shift = fv_lanes_load(j->shift + c, l);
    const float *y = j->y + p * j->y_stride + c;
    const float *r = residual ? j->residual + p * j->residual_stride + c : NULL;
    float *out = j->out + p * j->out_stride + c;
    for (; p < end; p++, y += j->y_stride, out += j->out_stride) {
        fv_vec z = fv_vec_fma(scale, fv_lanes_load(y, l), shift);
        if (residual) {
            z = fv_vec_add(z, fv_lanes_load(r, l));
            r += j->residual_stride;
        }
        fv_lanes_store(out, l, fv_vec_clamp(bounds, z));
    }
}

FV_ALWAYS_INLINE void apply_as(const fv_norm *j, bool residual)
{
    for (int p = 0; p < j->pixels; p += BLOCK) {
        const int end = j->pixels - p < BLOCK ? j->pixels : p + BLOCK;
        int c = 0;
        for (; c + FV_LANES <= j->channels; c += FV_LANES)
            apply_block(j, p, end, c, residual, fv_lanes_all());
        if (c < j->channels) apply_block(j, p, end, c, residual, fv_lanes_first(j->channels - c));
    }
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
    const fv_vec dz = fv_lanes_load(j->dz + p * j->dz_stride + c, l);
    if (act == FV_LINEAR) return dz;
    const fv_bounds bounds = fv_bounds_of(act);
    const fv_vec u =
        from_z ? fv_lanes_load(j->z + p * j->z_stride + c, l)
               : fv_vec_fma(fv_lanes_load(j->scale + c, l), y, fv_lanes_load(j->shift + c, l));
    return fv_vec_select(open_at(act, bounds, u), dz, fv_vec_zero());
}

/* Overwrites (`first`) or adds to the sums. */
FV_ALWAYS_INLINE void reduce_block(const fv_norm *j, int p, int end, int c, fv_activation act,
                                   bool from_z, fv_lanes l)
{
    const bool first = p == 0;
    const fv_vec mean = fv_lanes_load(j->mean + c, l);
    fv_vec sum_g = fv_vec_zero(), sum_gy = fv_vec_zero();
    for (; p < end; p++) {
        const fv_vec y = fv_lanes_load(j->y + p * j->y_stride + c, l);
        const fv_vec g = gradient(j, act, from_z, y, p, c, l);
        sum_g = fv_vec_add(sum_g, g);
        sum_gy = fv_vec_fma(g, fv_vec_sub(y, mean), sum_gy);
    }
    if (!first) {
        sum_g = fv_vec_add(sum_g, fv_lanes_load(j->sum_g + c, l));
        sum_gy = fv_vec_add(sum_gy, fv_lanes_load(j->sum_gy + c, l));
    }
    fv_lanes_store(j->sum_g + c, l, sum_g);
    fv_lanes_store(j->sum_gy + c, l, sum_gy);
}

FV_ALWAYS_INLINE void reduce_as(const fv_norm *j, fv_activation act, bool from_z)
{
    int p = 0;
    do { /* once for no pixels, too: the sums are zero then */
        const int end = j->pixels - p < BLOCK ? j->pixels : p + BLOCK;
        int c = 0;
        for (; c + FV_LANES <= j->channels; c += FV_LANES)
            reduce_block(j, p, end, c, act, from_z, fv_lanes_all());
        if (c < j->channels)
            reduce_block(j, p, end, c, act, from_z, fv_lanes_first(j->channels - c));
        p = end;
    } while (p < j->pixels);
}

static void backward_reduce(const fv_norm *j)
{
    if (j->act == FV_LINEAR)
        reduce_as(j, FV_LINEAR, false);
    else if (j->act == FV_RELU && j->z)
        reduce_as(j, FV_RELU, true);
    else if (j->act == FV_RELU)
        reduce_as(j, FV_RELU, false);
    else if (j->z)
        reduce_as(j, FV_RELU6, true);
    else
        reduce_as(j, FV_RELU6, false);
}

FV_ALWAYS_INLINE void backward_block(const fv_norm *j, int p, int end, int c, fv_activation act,
                                     bool from_z, fv_lanes l)
{
    const fv_vec mean = fv_lanes_load(j->mean + c, l), va = fv_lanes_load(j->a + c, l),
                 vb = fv_lanes_load(j->b + c, l), vc = fv_lanes_load(j->c + c, l);
    for (; p < end; p++) {
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

FV_ALWAYS_INLINE void backward_as(const fv_norm *j, fv_activation act, bool from_z)
{
    for (int p = 0; p < j->pixels; p += BLOCK) {
        const int end = j->pixels - p < BLOCK ? j->pixels : p + BLOCK;
        int c = 0;
        for (; c + FV_LANES <= j->channels; c += FV_LANES)
            backward_block(j, p, end, c, act, from_z, fv_lanes_all());
        if (c < j->channels)
            backward_block(j, p, end, c, act, from_z, fv_lanes_first(j->channels - c));
    }
}

static void backward_apply(const fv_norm *j)
{
    if (j->act == FV_LINEAR)
        backward_as(j, FV_LINEAR, false);
    else if (j->act == FV_RELU && j->z)
        backward_as(j, FV_RELU, true);
    else if (j->act == FV_RELU)
        backward_as(j, FV_RELU, false);
    else if (j->z)
        backward_as(j, FV_RELU6, true);
    else
        backward_as(j, FV_RELU6, false);
}

void FV_VARIANT(fv_norm)(fv_kernels *k)
{
    k->moments = moments;
    k->norm_apply = apply;
    k->norm_backward_reduce = backward_reduce;
    k->norm_backward_apply = backward_apply;
}
