/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/convolution.h - the jobs of convolution: what kernels.h hands to its functions for it. */
#ifndef FV_KERNELS_CONVOLUTION_H
#define FV_KERNELS_CONVOLUTION_H

#include <stdbool.h>
#include <stddef.h>

typedef enum fv_activation { FV_LINEAR = 0, FV_RELU, FV_RELU6 } fv_activation;

/* A sliding window over a batch: pixel (n, oy, ox) of the output sees pixels
 * (n, oy * stride_h - pad_h + ky * dilation_h, ox * stride_w - pad_w + kx * dilation_w). */
typedef struct fv_window {
    int n;                        /* images */
    int in_h, in_w, out_h, out_w; /* pixels */
    int kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
} fv_window;

/* What happens to a result before it is stored: y = act(result + bias + residual). */
typedef struct fv_epilogue {
    const float *bias;         /* [channels], or NULL */
    const float *residual;     /* laid out as y with its own stride, or NULL */
    ptrdiff_t residual_stride; /* floats per pixel */
    fv_activation act;
} fv_epilogue;

/* ---- Convolution -----------------------------------------------------------------
 *
 * Group g maps input channels [g*in_c/groups, (g+1)*in_c/groups) to output channels
 * [g*out_c/groups, (g+1)*out_c/groups). Weights are [out_c][in_c/groups][kernel_h][kernel_w]
 * (the order of checkpoints); the kernels read packed copies whose layout is their own.
 *
 * Implicit GEMM: a register tile of pixels x output channels; for each tap of the window a
 * table of pointers says where the tile's pixels lie, those in the padding at a row of zeros. */
typedef struct fv_conv {
    fv_window window;
    int in_c, out_c, groups;
} fv_conv;

/* Channel ranges of jobs begin at multiples of this (or, with groups, cover all channels). */
enum { FV_CONV_BLOCK = 64 };

/* Forward: output pixels [pixel0, pixel1) of the whole batch, counted over (n, oy, ox), and
 * output channels [channel0, channel1). `x` and `y` are the first pixels of the batch. */
typedef struct fv_conv_forward {
    const fv_conv *conv;
    const float *x;
    ptrdiff_t x_stride;
    const float *packed; /* from conv_pack_forward */
    float *y;
    ptrdiff_t y_stride;
    int pixel0, pixel1, channel0, channel1;
    fv_epilogue epilogue; /* bias and residual count from channel 0 */
    void *scratch;        /* conv_scratch_bytes() bytes, 64-byte aligned, of this worker alone */
} fv_conv_forward;

/* Backward to the input: dx (+)= the transpose applied to dy, for input rows [row0, row1)
 * counted over (n, iy) and input channels [channel0, channel1). */
typedef struct fv_conv_backward_data {
    const fv_conv *conv;
    const float *dy;
    ptrdiff_t dy_stride;
    const float *packed; /* from conv_pack_backward */
    float *dx;
    ptrdiff_t dx_stride;
    int row0, row1, channel0, channel1;
    bool accumulate; /* add to dx instead of overwriting it */
    void *scratch;
} fv_conv_backward_data;

/* Backward to the weights, summed over output pixels [pixel0, pixel1) of the batch, for output
 * channels [out0, out1) and, unless there are groups, input channels [in0, in1). `partial` has
 * conv_partial_floats() floats for the whole convolution, in a layout of the kernel's own; the
 * job overwrites (or adds to) what belongs to its channels. */
typedef struct fv_conv_backward_weights {
    const fv_conv *conv;
    const float *x;
    ptrdiff_t x_stride;
    const float *dy;
    ptrdiff_t dy_stride;
    float *partial;
    int pixel0, pixel1, out0, out1, in0, in1;
    bool accumulate; /* add to partial instead of overwriting it */
    void *scratch;
} fv_conv_backward_weights;

/* dw (+)= partials[0] + partials[1] + ..., in this order, for output channels [out0, out1). */
typedef struct fv_conv_reduce {
    const fv_conv *conv;
    const float *partials;
    int count;
    size_t partial_stride; /* floats from one partial to the next */
    float *dw;
    bool accumulate;
    int out0, out1;
} fv_conv_reduce;

/* ---- Depthwise convolution: one filter per channel --------------------------------
 *
 * w is [channels][kernel_h][kernel_w]; its packed form is [kernel_h][kernel_w][channels].
 * Rows are counted over (n, oy) or (n, iy). All channels in one call. */
typedef struct fv_depthwise {
    const fv_window *window;
    int channels;
    const float *x; /* forward, backward_weights: input; backward_data: dy */
    ptrdiff_t x_stride;
    const float *w; /* packed; backward_weights: dy, with w_stride */
    ptrdiff_t w_stride;
    float *y; /* forward: output; backward_data: dx; backward_weights: partial [kh][kw][channels] */
    ptrdiff_t y_stride;
    int row0, row1;
    bool accumulate;      /* of the two backwards */
    fv_epilogue epilogue; /* of forward */
} fv_depthwise;

#endif /* FV_KERNELS_CONVOLUTION_H */
