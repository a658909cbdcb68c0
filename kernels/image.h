/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/image.h - the jobs on 8-bit pictures: what kernels.h hands to its functions for them.
 *
 * A picture is rows of pixels of three bytes; strides are in bytes from row to row. Here every
 * variant makes exactly the bytes and floats of the scalar one: sums are integers, or floats in a
 * stated order. What the weights are, and which pixels they belong to, data/resize*.c knows.
 */
#ifndef FV_KERNELS_IMAGE_H
#define FV_KERNELS_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FV_IMAGE_CHANNELS = 3,
    FV_RESAMPLE_BITS = 22,     /* behind the point of a weight of fv_resample_axis */
    FV_RESAMPLE_LOW_BITS = 12, /* of them in its lower half, so that both halves fit 16 bits */
    FV_STENCIL_TAPS = 4,       /* room in an fv_stencil */
    FV_STENCIL_BITS = 11       /* behind the point of its weights */
};

/* ---- Sums over any number of pixels (Pillow) ----------------------------------------- */

/* out[i] = clamp((2^21 + sum over t < taps[i] of w[i][t] * in[begin[i] + t]) >> 22), with
 * w[i][t] = high[i * width + t] * 4096 + low[i * width + t], 0 <= low < 4096. Up to `width` weights
 * behind the last are 0. */
typedef struct fv_resample_axis {
    int count, width;
    const int *begin, *taps; /* [count] */
    const int16_t *high, *low;
    int same; /* all taps[i], if these are equal and a multiple of 4, else 0 */
} fv_resample_axis;

/* resample_rows: `count` pixels in each of `rows` rows. resample_columns: `count` rows of `bytes`
 * bytes each; `rows` is not used. in[0] is input number `origin` of the axis. */
typedef struct fv_resample {
    const fv_resample_axis *axis;
    const uint8_t *in;
    ptrdiff_t in_stride;
    int origin;
    uint8_t *out;
    ptrdiff_t out_stride;
    int rows;
    size_t bytes;
} fv_resample;

/* ---- Two or four pixels (OpenCV) ----------------------------------------------------- */

/* Output x sees the pixels index[x][t] with weights[x][t] of 11 bits behind the point: t < 2
 * (linear) or 4 (cubic). Of each x the indices are one after the other, but that they are cut off
 * at the row's ends; they never fall from x to x + 1. */
typedef struct fv_stencil {
    int count;
    int pixels;             /* of the row that may be read */
    const int *index;       /* [count][FV_STENCIL_TAPS] */
    const int16_t *weights; /* [count][FV_STENCIL_TAPS] */
    const uint8_t *in;      /* the row */
} fv_stencil;

/* out[i] = ((b0 * top[i] >> 16) + (b1 * bottom[i] >> 16) + 2) >> 2 of results of linear_row. */
typedef struct fv_linear_blend {
    const int16_t *top, *bottom;
    int b0, b1; /* 0 to 2048 */
    uint8_t *out;
    size_t bytes;
} fv_linear_blend;

/* With b[t] = weights[t] / 2^22 in float: out[i] = clamp of rows[0][i] * b[0] + (rows[1][i] * b[1]
 * + (rows[2][i] * b[2] + rows[3][i] * b[3])), every step rounded, then to the nearest integer. From
 * `in_float` on: out[i] = clamp((2^21 + sum of rows[t][i] * weights[t]) >> 22). */
typedef struct fv_cubic_blend {
    const int32_t *rows[FV_STENCIL_TAPS];
    const int16_t *weights; /* [FV_STENCIL_TAPS] */
    uint8_t *out;
    size_t bytes, in_float;
} fv_cubic_blend;

/* ---- Areas (OpenCV) ------------------------------------------------------------------ */

/* One row of means of blocks of across x down pixels: the integer sum, times 1 / (across * down) in
 * float, rounded half to even; of 2 x 2 pixels (sum + 2) >> 2. */
typedef struct fv_area_blocks {
    int count, across, down;
    const uint8_t *in;
    ptrdiff_t in_stride;
    uint8_t *out;
} fv_area_blocks;

/* Output pixel `out` holds the input pixel `in` for `part` of its width. */
typedef struct fv_area_share {
    int out, in;
    float part;
} fv_area_share;

/* out[s.out] = sum of part * in[s.in] over its shares, in their order, beginning with 0; the shares
 * of an output stand together. */
typedef struct fv_area_row {
    const fv_area_share *shares;
    int count;  /* of shares */
    int pixels; /* of the row that may be read */
    const uint8_t *in;
    float *out;
} fv_area_row;

/* sum[i] = part * line[i] if `first`, else sum[i] + part * line[i]. If `out` is not NULL, the sum
 * is rounded to the nearest integer, clamped and written there too. */
typedef struct fv_area_sum {
    const float *line;
    float part;
    bool first;
    float *sum;
    uint8_t *out;
    size_t bytes;
} fv_area_sum;

/* ---- To floats ----------------------------------------------------------------------- */

/* out[y][x][c] = ((float)in[y][x'][c'] * factor - mean[c]) / std[c], each step rounded: x' counts
 * from the right if `mirror`, c' is 2 - c if `swap`. `out` is dense. */
typedef struct fv_normalize {
    int width, height;
    const uint8_t *in;
    ptrdiff_t in_stride; /* may be negative: upside down */
    bool mirror, swap;
    float factor, mean[FV_IMAGE_CHANNELS], std[FV_IMAGE_CHANNELS];
    float *out;
} fv_normalize;

#endif /* FV_KERNELS_IMAGE_H */
