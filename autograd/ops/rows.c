/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/ops/rows.h"

#include <math.h>

typedef struct row_job {
    const fv_op_args *args;
    fv_row_fn *row;
    double *values; /* NULL: not wanted */
} row_job;

static void run_row(void *ctx, int n, int worker)
{
    (void)worker;
    const row_job *job = ctx;
    const double value = job->row(job->args, n);
    if (job->values) job->values[n] = value;
}

void fv_rows_mean(const fv_op_args *a, int rows, fv_row_fn *row)
{
    row_job job = { a, row, a->scratch };
    fv_parallel_for(rows, run_row, &job);
    double sum = 0.0;
    for (int n = 0; n < rows; n++) sum += job.values[n];
    a->out.data[0] = (float)(sum / (double)rows);
}

void fv_rows_run(const fv_op_args *a, int rows, fv_row_fn *row)
{
    row_job job = { a, row, NULL };
    fv_parallel_for(rows, run_row, &job);
}

double fv_row_log_sum(const float *x, int count, double factor, int without)
{
    double largest = -INFINITY, sum = 0.0;
    for (int c = 0; c < count; c++)
        if (c != without) largest = fmax(largest, factor * (double)x[c]);
    for (int c = 0; c < count; c++)
        if (c != without) sum += exp(factor * (double)x[c] - largest);
    return largest + log(sum);
}

int fv_row_class(fv_view labels, fv_view logits, int n)
{
    if (labels.data) return (int)fv_pixel(labels, n)[0];
    const float *x = fv_pixel(logits, n);
    int best = 0;
    for (int c = 1; c < logits.shape.c; c++)
        if (x[c] > x[best]) best = c;
    return best;
}

fv_status fv_rows_match(fv_shape a, fv_shape b, fv_error *err)
{
    if (fv_shape_equal(a, b) && a.h == 1 && a.w == 1) return FV_OK;
    return fv_fail(err, FV_ERR_SHAPE, "%dx%dx%dx%d and %dx%dx%dx%d", a.n, a.h, a.w, a.c, b.n, b.h,
                   b.w, b.c);
}

fv_status fv_rows_match_labels(fv_shape x, fv_shape labels, fv_error *err)
{
    if (labels.c == 0) return FV_OK;
    if (labels.n == x.n && labels.h == 1 && labels.w == 1 && labels.c == 1) return FV_OK;
    return fv_fail(err, FV_ERR_SHAPE, "labels %dx%dx%dx%d for logits %dx%dx%dx%d", labels.n,
                   labels.h, labels.w, labels.c, x.n, x.h, x.w, x.c);
}
