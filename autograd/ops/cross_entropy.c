/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax and cross entropy in one.
 *
 *   forward    L = 1/N * sum_n -sum_c t[n,c] * log p[n,c],  p = softmax(x[n])
 *   backward   dx[n,c] = dL / N * (p[n,c] * sum_c t[n,c] - t[n,c])
 *
 * As a divergence sum_c t log t is added to it, which is constant.
 * Targets are class numbers or probabilities; with smoothing e, t = (1 - e) * target + e / K
 * (Szegedy et al., CVPR 2016, arXiv:1512.00567, section 7). In double: K = 1000 exponentials are
 * added. */
#include "autograd/ops/rows.h"

#include <math.h>

typedef struct cross_entropy_attr {
    float smoothing;
    bool divergence;
} cross_entropy_attr;

enum { LOGITS, TARGETS };

static fv_status infer(const fv_op_input *in, const void *attr, fv_shape *out, fv_error *err)
{
    const float e = ((const cross_entropy_attr *)attr)->smoothing;
    const fv_shape x = in[LOGITS].shape, t = in[TARGETS].shape;
    *out = (fv_shape){ 1, 1, 1, 1 };
    if (x.h != 1 || x.w != 1 || t.h != 1 || t.w != 1 || t.n != x.n || (t.c != 1 && t.c != x.c))
        return fv_fail(err, FV_ERR_SHAPE, "targets %dx%dx%dx%d for logits %dx%dx%dx%d", t.n, t.h,
                       t.w, t.c, x.n, x.h, x.w, x.c);
    if (!(e >= 0.0f && e < 1.0f))
        return fv_fail(err, FV_ERR_SHAPE, "smoothing %g is outside [0, 1)", (double)e);
    return FV_OK;
}

/* Saved: p [n][K]. Forward's scratch: the loss of each image, in double. */
static void measure(const fv_op_args *a, fv_op_needs *needs)
{
    needs->saved = fv_shape_floats(a->in[LOGITS].shape) * sizeof(float);
    needs->forward_scratch = (size_t)a->in[LOGITS].shape.n * sizeof(double);
    needs->backward_reads = FV_READS_IN(TARGETS);
}

/* t[n,c], smoothed. */
static double target(const fv_op_args *a, int n, int c)
{
    const double e = (double)((const cross_entropy_attr *)a->attr)->smoothing;
    const fv_view t = a->in[TARGETS];
    const int classes = a->in[LOGITS].shape.c;
    const double hard =
        t.shape.c == 1 && classes > 1 ? (int)fv_pixel(t, n)[0] == c : (double)fv_pixel(t, n)[c];
    return (1.0 - e) * hard + e / (double)classes;
}

static double forward_row(const fv_op_args *a, int n)
{
    const bool divergence = ((const cross_entropy_attr *)a->attr)->divergence;
    const int classes = a->in[LOGITS].shape.c;
    const float *logit = fv_pixel(a->in[LOGITS], n);
    float *p = (float *)a->saved + (size_t)n * (size_t)classes;
    const double log_sum = fv_row_log_sum(logit, classes, 1.0, -1);
    double loss = 0.0;
    for (int c = 0; c < classes; c++) {
        const double log_p = (double)logit[c] - log_sum, t = target(a, n, c);
        p[c] = (float)exp(log_p);
        if (t != 0.0) loss -= t * (divergence ? log_p - log(t) : log_p);
    }
    /* A NaN that the maximum skipped must not be lost. */
    return loss + 0.0 * log_sum;
}

static void forward(const fv_op_args *a) { fv_rows_mean(a, a->in[LOGITS].shape.n, forward_row); }

static double backward_row(const fv_op_args *a, int n)
{
    const int classes = a->in[LOGITS].shape.c;
    const float *p = (const float *)a->saved + (size_t)n * (size_t)classes;
    const double dl = (double)a->grad_out.data[0] / (double)a->in[LOGITS].shape.n;
    double total = 0.0;
    for (int c = 0; c < classes; c++) total += target(a, n, c);
    for (int c = 0; c < classes; c++)
        fv_row_give(a, LOGITS, n, c, dl * ((double)p[c] * total - target(a, n, c)));
    return 0.0;
}

static void backward(const fv_op_args *a)
{
    if (a->grad_in[LOGITS].data) fv_rows_run(a, a->in[LOGITS].shape.n, backward_row);
}

const fv_op fv_op_cross_entropy = {
    .name = "cross_entropy",
    .attr_size = sizeof(cross_entropy_attr),
    .infer = infer,
    .measure = measure,
    .forward = forward,
    .backward = backward,
};

static fv_tensor *apply(fv_graph *g, fv_tensor *logits, fv_tensor *targets, cross_entropy_attr attr)
{
    fv_tensor *const in[] = { logits, fv_detach(g, targets) };
    return fv_graph_apply(g, &fv_op_cross_entropy, 2, in, &attr);
}

fv_tensor *fv_cross_entropy(fv_graph *g, fv_tensor *logits, fv_tensor *targets, float smoothing)
{
    return apply(g, logits, targets, (cross_entropy_attr){ .smoothing = smoothing });
}

fv_tensor *fv_kl_divergence(fv_graph *g, fv_tensor *logits, fv_tensor *targets)
{
    return apply(g, logits, targets, (cross_entropy_attr){ .divergence = true });
}
