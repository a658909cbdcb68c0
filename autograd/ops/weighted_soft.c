/* SPDX-License-Identifier: Apache-2.0 */
/* A teacher's probabilities, weighted by how much the student has still to learn of a picture:
 *
 *   y[n,c] = w[n] * softmax(t[n] / T)[c],  w = 1 - exp(-CE(x) / (CE(t) + 1e-7))
 *
 * CE is the cross entropy with the right class, at temperature 1. Constant: no gradient.
 * Zhou et al., "Rethinking Soft Labels for Knowledge Distillation: A Bias-Variance Tradeoff
 * Perspective", ICLR 2021, arXiv:2102.00650. */
#include "autograd/ops/rows.h"

#include <math.h>

enum { LOGITS, TEACHER, LABELS };

static fv_status infer(const fv_op_input *in, const void *attr, fv_shape *out, fv_error *err)
{
    (void)attr;
    *out = in[LOGITS].shape;
    FV_TRY(fv_rows_match(in[LOGITS].shape, in[TEACHER].shape, err));
    return fv_rows_match_labels(in[LOGITS].shape, in[LABELS].shape, err);
}

static double cross_entropy(const float *x, int count, int y)
{
    return fv_row_log_sum(x, count, 1.0, -1) - (double)x[y];
}

static double forward_row(const fv_op_args *a, int n)
{
    const float *x = fv_pixel(a->in[LOGITS], n), *t = fv_pixel(a->in[TEACHER], n);
    const int count = a->out.shape.c, class = fv_row_class(a->in[LABELS], a->in[TEACHER], n);
    const double factor = 1.0 / (double)*(const float *)a->attr;
    const double ratio = cross_entropy(x, count, class) / (cross_entropy(t, count, class) + 1e-7);
    const double weight = 1.0 - exp(-fmax(ratio, 0.0));
    const double log_sum = fv_row_log_sum(t, count, factor, -1);
    for (int c = 0; c < count; c++)
        fv_pixel(a->out, n)[c] = (float)(weight * exp(factor * (double)t[c] - log_sum));
    return 0.0;
}

static void forward(const fv_op_args *a) { fv_rows_run(a, a->out.shape.n, forward_row); }

const fv_op fv_op_weighted_soft = {
    .name = "weighted_soft",
    .attr_size = sizeof(float),
    .infer = infer,
    .forward = forward,
};

fv_tensor *fv_weighted_soft(fv_graph *g, fv_tensor *logits, fv_tensor *teacher, fv_tensor *labels,
                            float temperature)
{
    fv_tensor *const in[] = { logits, teacher, labels };
    return fv_graph_apply(g, &fv_op_weighted_soft, 3, in, &temperature);
}
