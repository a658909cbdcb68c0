/* SPDX-License-Identifier: Apache-2.0 */
/* autograd/ops/norm.h - batch normalisation as a part of other operators. For autograd/ops only.
 *
 * With N pixels, mean m and biased variance v of a channel, s = 1 / sqrt(v + epsilon):
 *
 *   forward   z = act(scale * y + shift + residual),  scale = weight * s, shift = bias - scale * m
 *   backward  g = dz * act'(.),  dbias = sum g,  dweight = s * sum g * (y - m)
 *             dy = scale * (g - dbias / N - (y - m) * s^2 * sum(g * (y - m)) / N)
 *
 * and only dy = scale * g where running statistics are used. backward recomputes all it needs from
 * y; what forward saves is the four vectors of fv_norm_state. The sums are made per chunk of pixels
 * in float and combined in double in the order of the chunks.
 */
#ifndef FV_AUTOGRAD_OPS_NORM_H
#define FV_AUTOGRAD_OPS_NORM_H

#include "autograd/op.h"

/* Where batch norm finds its inputs, alone or fused into a convolution. */
enum {
    FV_IN_X,
    FV_IN_WEIGHT,
    FV_IN_BIAS,
    FV_IN_SCALE,
    FV_IN_SHIFT,
    FV_IN_MEAN,
    FV_IN_VAR,
    FV_IN_RESIDUAL
};

typedef struct fv_norm_attr {
    fv_batch_norm_attr bn;
    fv_activation act;
} fv_norm_attr;

/* Four vectors of `channels` floats in a block of fv_norm_state_bytes(). */
typedef struct fv_norm_state {
    float *mean, *inverse; /* s */
    float *scale, *shift;
} fv_norm_state;

/* The room for a state, and the state in such a block. */
size_t fv_norm_state_bytes(int channels);
fv_norm_state fv_norm_state_at(void *memory, int channels);

/* Partial moments, of chunks of pixels. */
typedef struct fv_moments {
    float *partials; /* [chunks]: mean[channels], m2[channels]; NULL: not wanted */
    int *pixels;     /* [chunks] */
    int chunks, channels;
} fv_moments;

/* The room for partial moments. */
size_t fv_moments_bytes(int chunks, int channels);
/* In a block of fv_moments_bytes(). */
fv_moments fv_moments_at(void *memory, int chunks, int channels);
/* Takes those of pixels [first, first + count) of y, channels [channel0, channel1), as a chunk's.
 * Does nothing where they are not wanted. */
void fv_moments_take(const fv_moments *m, const fv_kernels *k, int chunk, fv_view y, int first,
                     int count, int channel0, int channel1);

/* True if the running statistics are used: in evaluation, or when they are frozen. */
bool fv_norm_is_fixed(const fv_op_args *a);

/* Fills the state from the partial moments, and moves the running statistics. */
void fv_norm_batch_state(const fv_op_args *a, const fv_norm_attr *attr, const fv_moments *m,
                         fv_norm_state state);
/* Fills the state from the running statistics. */
void fv_norm_fixed_state(const fv_op_args *a, const fv_norm_attr *attr, fv_norm_state state);

/* a->out = act(scale * y + shift + residual). y has the shape of a->out. */
void fv_norm_forward(const fv_op_args *a, const fv_norm_attr *attr, fv_view y, fv_norm_state state);

/* Backward in two halves. The first makes the sums, writes the gradients of weight and bias, and
 * fills `second`: the job that turns all of a->grad_out into dy, in place, and writes the
 * residual's gradient. `scratch` has fv_norm_backward_bytes() and must live until the second half
 * is done. */
void fv_norm_backward_sums(const fv_op_args *a, const fv_norm_attr *attr, fv_view y,
                           fv_norm_state state, void *scratch, fv_norm *second);
/* The part of a job that concerns pixels [first, first + count). */
fv_norm fv_norm_part(const fv_norm *job, int first, int count);
/* Makes pixels [first, first + count) of a tensor from its raw form, densely. */
void fv_raw_make(const fv_kernels *k, const fv_raw *raw, int first, int count, float *out);
/* The whole second half. */
void fv_norm_backward_apply(const fv_op_args *a, const fv_norm *second);
size_t fv_norm_backward_bytes(fv_shape y);

/* The values of backward_reads besides y. */
unsigned fv_norm_reads(const fv_op_args *a, const fv_norm_attr *attr);

/* Runs an elementwise kernel over all pixels of `map`, cut into tasks. */
void fv_map_run(void (*kernel)(const fv_map *j), fv_map map);

/* dz to g = dz * act'(z), in place, and to the residual; for operators without batch norm. */
void fv_act_backward(const fv_op_args *a, fv_activation act);

#endif /* FV_AUTOGRAD_OPS_NORM_H */
