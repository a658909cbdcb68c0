/* SPDX-License-Identifier: Apache-2.0 */
/* Probabilities.
 *
 *   forward    y[n,c] = exp(x[n,c] / T) / sum_k exp(x[n,k] / T)
 *   backward   dx[n,c] = 1/T * y[n,c] * (dy[n,c] - sum_k dy[n,k] y[n,k])
 */
#include "autograd/ops/rows.h"

#include <math.h>

typedef struct softmax_attr {
    double factor; /* 1 / T */
} softmax_attr;

static double factor_of(const fv_op_args *a) { return ((const softmax_attr *)a->attr)->factor; }

static fv_status infer(const fv_op_input *in, const void *attr, fv_shape *out, fv_error *err)
{
    (void)attr;
    *out = in[0].shape;
    return fv_rows_match(in[0].shape, in[0].shape, err);
}

static void measure(const fv_op_args *a, fv_op_needs *needs)
{
    (void)a;
    needs->backward_reads = FV_READS_OUT;
}

static double forward_row(const fv_op_args *a, int n)
{
    const float *x = fv_pixel(a->in[0], n);
    float *y = fv_pixel(a->out, n);
    const double log_sum = fv_row_log_sum(x, a->out.shape.c, factor_of(a), -1);
    for (int c = 0; c < a->out.shape.c; c++)
        y[c] = (float)exp(factor_of(a) * (double)x[c] - log_sum);
    return 0.0;
}

static void forward(const fv_op_args *a) { fv_rows_run(a, a->out.shape.n, forward_row); }

static double backward_row(const fv_op_args *a, int n)
{
    const float *y = fv_pixel(a->out, n), *dy = fv_pixel(a->grad_out, n);
    double mean = 0.0;
    for (int c = 0; c < a->out.shape.c; c++) mean += (double)dy[c] * (double)y[c];
    for (int c = 0; c < a->out.shape.c; c++)
        fv_row_give(a, 0, n, c, factor_of(a) * (double)y[c] * ((double)dy[c] - mean));
    return 0.0;
}

static void backward(const fv_op_args *a)
{
    if (a->grad_in[0].data) fv_rows_run(a, a->out.shape.n, backward_row);
}

const fv_op fv_op_softmax = {
    .name = "softmax",
    .attr_size = sizeof(softmax_attr),
    .infer = infer,
    .measure = measure,
    .forward = forward,
    .backward = backward,
};

fv_tensor *fv_softmax(fv_graph *g, fv_tensor *x, float temperature)
{
    const softmax_attr attr = { 1.0 / (double)temperature };
    return fv_graph_apply(g, &fv_op_softmax, 1, &x, &attr);
}
