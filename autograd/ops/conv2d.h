/* SPDX-License-Identifier: Apache-2.0 */
/* autograd/ops/conv2d.h - the convolution's attributes, which fusion edits. For autograd/ only. */
#ifndef FV_AUTOGRAD_OPS_CONV2D_H
#define FV_AUTOGRAD_OPS_CONV2D_H

#include "autograd/ops/norm.h"

/* z = act(batch_norm(conv(x) + bias) + residual), each part but conv optional: inputs that are
 * absent say which. As captured there is neither batch norm nor residual nor activation. */
typedef struct fv_conv2d_attr {
    fv_window_attr window;
    fv_norm_attr norm; /* .bn with batch norm, .act always */
} fv_conv2d_attr;

extern const fv_op fv_op_conv2d, fv_op_batch_norm, fv_op_activate, fv_op_add;

#endif /* FV_AUTOGRAD_OPS_CONV2D_H */
