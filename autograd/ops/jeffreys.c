/* SPDX-License-Identifier: Apache-2.0 */
/* Half of Jeffreys' divergence, (KL(p|q) + KL(q|p)) / 2: what PaddleClas's DMLLoss comes to.
 *
 *   forward    L = 1/N * sum_n 1/2 sum_c (p - q) * (log(p + e) - log(q + e)),  e = 1e-12
 *   backward   dp = dL/2N * (log(p + e) - log(q + e) + (p - q) / (p + e)),  and dq likewise
 *
 * Zhang et al., "Deep Mutual Learning", CVPR 2018, arXiv:1706.00384. */
#include "autograd/ops/rows.h"

#include <math.h>

static const double TINY = 1e-12;

static fv_status infer(const fv_op_input *in, const void *attr, fv_shape *out, fv_error *err)
{
    (void)attr;
    *out = (fv_shape){ 1, 1, 1, 1 };
    return fv_rows_match(in[0].shape, in[1].shape, err);
}

static void measure(const fv_op_args *a, fv_op_needs *needs)
{
    needs->forward_scratch = (size_t)a->in[0].shape.n * sizeof(double);
    needs->backward_reads = FV_READS_IN(0) | FV_READS_IN(1);
}

static double forward_row(const fv_op_args *a, int n)
{
    const float *p = fv_pixel(a->in[0], n), *q = fv_pixel(a->in[1], n);
    double sum = 0.0;
    for (int c = 0; c < a->in[0].shape.c; c++)
        sum +=
            ((double)p[c] - (double)q[c]) * (log((double)p[c] + TINY) - log((double)q[c] + TINY));
    return 0.5 * sum;
}

static void forward(const fv_op_args *a) { fv_rows_mean(a, a->in[0].shape.n, forward_row); }

static void give(const fv_op_args *a, int i, int n)
{
    if (!a->grad_in[i].data) return;
    const float *p = fv_pixel(a->in[i], n), *q = fv_pixel(a->in[1 - i], n);
    const double dl = 0.5 * (double)a->grad_out.data[0] / (double)a->in[0].shape.n;
    for (int c = 0; c < a->in[0].shape.c; c++) {
        const double own = (double)p[c] + TINY, other = (double)q[c] + TINY;
        fv_row_give(a, i, n, c, dl * (log(own) - log(other) + (own - other) / own));
    }
}

static double backward_row(const fv_op_args *a, int n)
{
    give(a, 1, n);
    give(a, 0, n);
    return 0.0;
}

static void backward(const fv_op_args *a) { fv_rows_run(a, a->in[0].shape.n, backward_row); }

const fv_op fv_op_jeffreys = {
    .name = "jeffreys",
    .infer = infer,
    .measure = measure,
    .forward = forward,
    .backward = backward,
};

fv_tensor *fv_jeffreys(fv_graph *g, fv_tensor *p, fv_tensor *q)
{
    return fv_graph_apply(g, &fv_op_jeffreys, 2, (fv_tensor *[]){ p, q }, NULL);
}
