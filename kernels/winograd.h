/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/winograd.h - the jobs of 3x3 convolution by Winograd's F(2x2, 3x3).
 *
 * A tile of 2x2 outputs, of the 4x4 inputs d under it and the window g, is
 *
 *     A' ((G g G') . (B' d B)) A        ' transposed, . element by element
 *
 *     B' = 1  0 -1  0    G = 1    0    0     A' = 1  1  1  0
 *          0  1  1  0        1/2  1/2  1/2        0  1 -1 -1
 *          0 -1  1  0        1/2 -1/2  1/2
 *          0  1  0 -1        0    0    1
 *
 * which takes 16 multiplications for each pair of channels instead of 36: over all channels, 16
 * matrix products [tiles][in] x [in][out]. The gradient of g is G' (sum over tiles of
 * (B' d B) . (A dy A')) G. Lavin, Gray: Fast algorithms for convolutional neural networks, 2016.
 *
 * The convolutions are those of winograd_fits(). Tile rows are counted over (n, oy / 2): where a
 * picture's height is odd its last row of pixels is a tile row of its own. There is no scalar
 * variant: the definition is the convolution.
 */
#ifndef FV_KERNELS_WINOGRAD_H
#define FV_KERNELS_WINOGRAD_H

#include "kernels/convolution.h"

/* Forward: tile rows [row0, row1) and output channels [channel0, channel1), whose ends are
 * multiples of FV_CONV_BLOCK or the last. Backward to the input it is the same job on the mirrored
 * convolution, from dy to dx. */
typedef struct fv_winograd_sweep {
    const fv_conv *conv;
    const float *x;
    ptrdiff_t x_stride;
    const float *packed; /* from winograd_pack */
    float *y;
    ptrdiff_t y_stride;
    int row0, row1, channel0, channel1;
    fv_epilogue epilogue; /* its residual may be y itself */
    void *scratch;        /* winograd_scratch_bytes(), 64-byte aligned, of this worker alone */
} fv_winograd_sweep;

/* Backward to the weights, summed over tile rows [row0, row1), for output channels [out0, out1) and
 * input channels [in0, in1). `partial` has winograd_partial_floats() for the whole convolution. */
typedef struct fv_winograd_weights {
    const fv_conv *conv;
    const float *x, *dy;
    ptrdiff_t x_stride, dy_stride;
    float *partial;
    int row0, row1, out0, out1, in0, in1;
    void *scratch;
} fv_winograd_weights;

/* The convolution that takes dy to dx: of the same window, turned by half a turn. */
static inline fv_conv fv_winograd_mirror(const fv_conv *c)
{
    fv_conv m = *c;
    m.in_c = c->out_c;
    m.out_c = c->in_c;
    m.window.in_h = c->window.out_h;
    m.window.in_w = c->window.out_w;
    m.window.out_h = c->window.in_h;
    m.window.out_w = c->window.in_w;
    m.window.pad_h = 2 - c->window.pad_h;
    m.window.pad_w = 2 - c->window.pad_w;
    return m;
}

/* Tile rows of a picture, and pixels before tile row `row` of the batch. */
static inline int fv_winograd_rows(const fv_window *w) { return (w->out_h + 1) / 2; }

static inline int fv_winograd_pixels_before(const fv_window *w, int row)
{
    const int rows = fv_winograd_rows(w), line = 2 * (row % rows);
    return (row / rows * w->out_h + line) * w->out_w;
}

#endif /* FV_KERNELS_WINOGRAD_H */
