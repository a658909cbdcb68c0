/* SPDX-License-Identifier: Apache-2.0 */
/* autograd/ops/conv_impl.h - how a convolution is spread over tasks. For autograd/ops only.
 *
 * Three routes: dense (implicit GEMM, any groups), Winograd (3x3 of many channels) and depthwise
 * (one filter per channel). The operator, conv2d.c, does what they have in common.
 */
#ifndef FV_AUTOGRAD_OPS_CONV_IMPL_H
#define FV_AUTOGRAD_OPS_CONV_IMPL_H

#include "autograd/ops/norm.h"

/* One convolution of one node, as its tasks see it. */
typedef struct fv_conv_run {
    const fv_op_args *a;
    fv_conv conv;
    fv_view y;            /* forward: where the result goes */
    fv_epilogue epilogue; /* forward */
    fv_moments moments;   /* forward: of the result, per chunk; .partials NULL: not wanted */
    void *scratch;
} fv_conv_run;

typedef struct fv_conv_route {
    fv_pack_kind forward_pack, backward_pack; /* packs[0], packs[1]; equal: one for both */
    /* Into how many chunks the output's pixels are cut: the moments' chunks. */
    int (*chunks)(const fv_conv *c);
    size_t (*forward_bytes)(const fv_kernels *k, const fv_conv *c); /* of scratch */
    size_t (*backward_bytes)(const fv_kernels *k, const fv_conv *c);
    void (*forward)(const fv_conv_run *r);
    void (*backward_data)(const fv_conv_run *r);    /* from a->grad_out to a->grad_in[FV_IN_X] */
    void (*backward_weights)(const fv_conv_run *r); /* to a->grad_in[FV_IN_WEIGHT] */
} fv_conv_route;

extern const fv_conv_route fv_conv_dense, fv_conv_winograd, fv_conv_depthwise;

/* Whether Winograd's way is there for a convolution, and pays. */
bool fv_winograd_pays(const fv_op_args *a, const fv_conv *c);

static inline int fv_round_up(int a, int step) { return fv_ceil_div(a, step) * step; }

/* Channels per task: all, unless `chunks` alone are too few tasks. Groups are not cut. The number
 * of threads matters, unless moments are wanted (not NULL, with partials): how they are summed
 * depends on the cut, the convolution does not. */
int fv_cut_channels(const fv_conv *c, int channels, int chunks, const fv_moments *moments);

/* How the sum for the weights' gradient is cut: partial sums over splits of `units` (pixels, rows),
 * and where these are few, tiles of channels. */
typedef struct fv_weight_cut {
    int splits, per_split;                      /* count, units */
    int out_tiles, out_step, in_tiles, in_step; /* count, channels */
    size_t partial_floats;                      /* from one partial to the next */
} fv_weight_cut;

/* `floats` are one partial's; a split has at least `least` units. */
fv_weight_cut fv_cut_weights(const fv_conv *c, size_t floats, int units, int least);

/* The gradient of the weights from the partial sums of all splits. */
void fv_reduce_weights(const fv_conv_run *r, const fv_weight_cut *cut, const float *partials,
                       void (*kernel)(const fv_conv_reduce *j));

/* The second half of batch norm's backward and both backwards of the convolution in one: dy is
 * used while it is still in the cache. Only where both gradients are wanted and the shape gives
 * tasks enough. The input may be there in its raw form only. */
typedef struct fv_conv_fusion {
    bool (*fits)(const fv_op_args *a, const fv_conv *c);
    size_t (*bytes)(const fv_kernels *k, const fv_conv *c); /* of scratch */
    void (*backward)(const fv_conv_run *r, const fv_norm *second);
} fv_conv_fusion;

extern const fv_conv_fusion fv_conv_fused_pointwise, fv_conv_fused_depthwise;

static inline size_t fv_align(size_t bytes) { return (bytes + 63) / 64 * 64; }

static inline int fv_window_pixels(const fv_window *w) { return w->n * w->out_h * w->out_w; }

static inline bool fv_is_depthwise(const fv_conv *c)
{
    return c->groups > 1 && c->groups == c->in_c && c->in_c == c->out_c;
}

/* Floats of depthwise partial weight gradients, and their sum over `splits` of them to the
 * weights' gradient. */
size_t fv_depthwise_partial_floats(const fv_conv *c);
void fv_depthwise_reduce(const fv_conv_run *r, float *partials, int splits);

#endif /* FV_AUTOGRAD_OPS_CONV_IMPL_H */
