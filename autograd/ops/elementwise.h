/* SPDX-License-Identifier: Apache-2.0 */
/* autograd/ops/elementwise.h - operators that look at one pixel at a time. For autograd/ops
 * only. */
#ifndef FV_AUTOGRAD_OPS_ELEMENTWISE_H
#define FV_AUTOGRAD_OPS_ELEMENTWISE_H

#include "autograd/ops/norm.h"

/* A map from x to y over all pixels, factor 1; the caller adds what else it needs. */
static inline fv_map fv_map_of(fv_view x, fv_view y, bool accumulate)
{
    return (fv_map){ .pixels = fv_shape_pixels(y.shape),
                     .channels = y.shape.c,
                     .factor = 1.0f,
                     .x = x.data,
                     .x_stride = x.pixel_stride,
                     .y = y.data,
                     .y_stride = y.pixel_stride,
                     .accumulate = accumulate };
}

/* grad_in[i] (+)= factor * grad_out, if it is wanted. */
static inline void fv_pass_gradient(const fv_op_args *a, int i, float factor)
{
    if (!a->grad_in[i].data) return;
    fv_map map = fv_map_of(a->grad_out, a->grad_in[i], a->accumulate[i]);
    map.factor = factor;
    fv_map_run(a->kernels->add, map);
}

#endif /* FV_AUTOGRAD_OPS_ELEMENTWISE_H */
