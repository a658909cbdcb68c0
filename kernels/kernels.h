/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/kernels.h - the arithmetic, and nothing else.
 *
 * The contract of every function below:
 *   - it cannot fail, allocate, print or start threads;
 *   - it sees plain pointers; channels are contiguous, and a *_stride is the distance in
 *     floats between two neighbouring pixels, >= channels;
 *   - it touches channels [0, channels) of a pixel and nothing of the gap after, neither
 *     reading nor writing;
 *   - outputs do not overlap inputs unless the comment says "in place";
 *   - a call does a part of the work, named by ranges, so that the caller can spread the
 *     parts over threads; what it computes for one output does not depend on the ranges.
 * The scalar variant is the definition; it sums in double. Others may differ by rounding only, but
 * those of image.h not at all.
 */
#ifndef FV_KERNELS_KERNELS_H
#define FV_KERNELS_KERNELS_H

#include "kernels/convolution.h"
#include "kernels/image.h"
#include "kernels/winograd.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Pooling: all channels, output rows [row0, row1) over (n, oy) ------------------ */
typedef struct fv_pool {
    const fv_window *window;
    int channels;
    bool count_padding; /* average: divide by the whole window, clipped to the padded image,
                           and not only by its pixels inside the image */
    const float *x;     /* forward: input; backward: dy */
    ptrdiff_t x_stride;
    float *y; /* forward: output; backward: dx of whole images */
    ptrdiff_t y_stride;
    uint8_t *tap; /* max: which tap (ky * kernel_w + kx) won, [pixels][channels] dense; may be NULL
                     in forward. The first of equal values wins; padding never does. */
    int row0, row1;  /* forward: output rows; backward: images [row0, row1) */
    bool accumulate; /* backward: add to dx instead of overwriting it */
} fv_pool;

/* ---- Batch normalisation, per pixel range ------------------------------------------ */

/* mean[c] and m2[c] = sum of squared deviations from that mean, over `pixels` rows. Computed
 * about the first row, so that large means cost no digits. */
typedef void fv_moments_fn(int pixels, int channels, const float *x, ptrdiff_t x_stride,
                           float *mean, float *m2);

/* z = act(scale * y + shift + residual), or as its backward. `out` may be `y` (in place).
 * backward_reduce: with u = scale * y + shift, g = dz * act'(.), the slope taken at u, or, if
 * `z` is not NULL, seen from the result z (needed with a residual):
 *     sum_g[c] = sum g,   sum_gy[c] = sum g * (y - mean)
 * backward_apply: dy = a * g + b * (y - mean) + c per channel; residual_grad (+)= g.
 * dy may be dz (in place). */
typedef struct fv_norm {
    int pixels, channels;
    const float *y;
    ptrdiff_t y_stride;
    const float *scale, *shift;
    const float *residual;
    ptrdiff_t residual_stride;
    fv_activation act;
    float *out; /* apply: z; backward_apply: dy */
    ptrdiff_t out_stride;
    /* backward only */
    const float *dz;
    ptrdiff_t dz_stride;
    const float *z;
    ptrdiff_t z_stride;
    const float *mean;
    float *sum_g, *sum_gy;
    const float *a, *b, *c;
    float *residual_grad; /* or NULL */
    ptrdiff_t residual_grad_stride;
    bool residual_accumulate;
} fv_norm;

/* ---- Element by element, per pixel range -------------------------------------------- */

/* The operands of an elementwise kernel: x, maybe z, to y. */
typedef struct fv_map {
    int pixels, channels;
    const float *x, *z;
    ptrdiff_t x_stride, z_stride;
    float *y;
    ptrdiff_t y_stride;
    float factor;
    fv_activation act;
    bool accumulate; /* y += instead of y = */
} fv_map;

/* One step of momentum SGD on `count` floats, see optim/sgd.h. */
typedef struct fv_sgd_update {
    size_t count;
    float *w, *v;
    const float *grad;
    float lr, momentum, l2, l1;
    bool nesterov;
} fv_sgd_update;

typedef struct fv_kernels {
    unsigned cpu; /* fv_cpu bits the table was made for */

    size_t (*conv_scratch_bytes)(const fv_conv *c); /* enough for any job on it */
    size_t (*conv_packed_forward_floats)(const fv_conv *c);
    size_t (*conv_packed_backward_floats)(const fv_conv *c);
    size_t (*conv_partial_floats)(const fv_conv *c);
    /* Packs output channels [out0, out1) (forward) or input channels [in0, in1) (backward).
     * Forward multiplies channel o by scale[o] unless scale is NULL (folded batch norm). */
    void (*conv_pack_forward)(const fv_conv *c, const float *w, const float *scale, float *packed,
                              int out0, int out1);
    void (*conv_pack_backward)(const fv_conv *c, const float *w, float *packed, int in0, int in1);
    void (*conv_forward)(const fv_conv_forward *j);
    void (*conv_backward_data)(const fv_conv_backward_data *j);
    void (*conv_backward_weights)(const fv_conv_backward_weights *j);
    void (*conv_reduce)(const fv_conv_reduce *j);

    /* Whether Winograd's way is there and faster; all its others are NULL if it is not there. */
    bool (*winograd_fits)(const fv_conv *c);
    size_t (*winograd_scratch_bytes)(const fv_conv *c);
    size_t (*winograd_packed_floats)(const fv_conv *c);
    size_t (*winograd_partial_floats)(const fv_conv *c);
    /* Packs the weights of `c`, or those of its mirror, for target channels [t0, t1). */
    void (*winograd_pack)(const fv_conv *c, const float *w, const float *scale, bool mirrored,
                          float *packed, int t0, int t1);
    void (*winograd_sweep)(const fv_winograd_sweep *j);
    void (*winograd_backward_weights)(const fv_winograd_weights *j);
    void (*winograd_reduce)(const fv_conv_reduce *j); /* of its own partials */

    void (*depthwise_forward)(const fv_depthwise *j);
    void (*depthwise_backward_data)(const fv_depthwise *j);
    void (*depthwise_backward_weights)(const fv_depthwise *j);

    void (*max_pool_forward)(const fv_pool *j);
    void (*max_pool_backward)(const fv_pool *j);
    void (*avg_pool_forward)(const fv_pool *j);
    void (*avg_pool_backward)(const fv_pool *j);

    fv_moments_fn *moments;
    void (*norm_apply)(const fv_norm *j);
    void (*norm_backward_reduce)(const fv_norm *j);
    void (*norm_backward_apply)(const fv_norm *j);

    void (*activate)(const fv_map *j);          /* y (+)= act(x); in place allowed */
    void (*activate_backward)(const fv_map *j); /* y (+)= x * act'(seen from the result z) */
    void (*add)(const fv_map *j);               /* y (+)= factor * (x + z); z may be NULL: 0 */
    void (*channel_sums)(const fv_map *j);      /* y[c] (+)= factor * sum over pixels of x */

    void (*sgd)(const fv_sgd_update *j);

    void (*resample_rows)(const fv_resample *j);
    void (*resample_columns)(const fv_resample *j);
    void (*linear_row)(const fv_stencil *s, int16_t *out); /* sums >> 4, [count][3] */
    void (*linear_blend)(const fv_linear_blend *j);
    void (*cubic_row)(const fv_stencil *s, int32_t *out); /* sums, [count][3] */
    void (*cubic_blend)(const fv_cubic_blend *j);
    void (*area_blocks)(const fv_area_blocks *j);
    void (*area_row)(const fv_area_row *j);
    void (*area_sum)(const fv_area_sum *j);
    void (*normalize)(const fv_normalize *j);
} fv_kernels;

/* Fills the table with the best variant of each kernel for a set of fv_cpu bits. */
void fv_kernels_init(fv_kernels *k, unsigned cpu);

#endif /* FV_KERNELS_KERNELS_H */
