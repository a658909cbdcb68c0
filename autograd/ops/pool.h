/* SPDX-License-Identifier: Apache-2.0 */
/* autograd/ops/pool.h - what max and average pooling share. For autograd/ops only. */
#ifndef FV_AUTOGRAD_OPS_POOL_H
#define FV_AUTOGRAD_OPS_POOL_H

#include "autograd/op.h"

/* Output size: floor((in + 2 * pad - kernel) / stride) + 1; with ceil_mode the quotient is rounded
 * up, but the last window must start inside the picture or its left padding. */
fv_status fv_pool_infer(const fv_op_input *in, const void *attr, fv_shape *out, fv_error *err);

/* One of the four pooling kernels of kernels.h. */
typedef void fv_pool_kernel(const fv_pool *j);

/* Runs the kernel over all output rows (forward) or images (backward). `tap` may be NULL. */
void fv_pool_forward(const fv_op_args *a, fv_pool_kernel *kernel, uint8_t *tap);
void fv_pool_backward(const fv_op_args *a, fv_pool_kernel *kernel, uint8_t *tap);

#endif /* FV_AUTOGRAD_OPS_POOL_H */
