/* SPDX-License-Identifier: Apache-2.0 */
/* autograd/ops/rows.h - losses: operators that work row by row, a row being what belongs to one
 * picture, in double. For autograd/ops only. */
#ifndef FV_AUTOGRAD_OPS_ROWS_H
#define FV_AUTOGRAD_OPS_ROWS_H

#include "autograd/op.h"

/* The value of row n, or nothing but its gradient. */
typedef double fv_row_fn(const fv_op_args *a, int n);

/* out = 1/rows * sum_n row(n), added in the order of rows, in a->scratch: one double for each. */
void fv_rows_mean(const fv_op_args *a, int rows, fv_row_fn *row);
void fv_rows_run(const fv_op_args *a, int rows, fv_row_fn *row);

/* log sum_c exp(factor * x[c]) over all c but `without`; -1: over all. */
double fv_row_log_sum(const float *x, int count, double factor, int without);

/* The class of row n: what `labels` says or, without data, the largest of the row of `logits`. */
int fv_row_class(fv_view labels, fv_view logits, int n);

/* Adds to, or overwrites, element c of input i's gradient in row n. */
static inline void fv_row_give(const fv_op_args *a, int i, int n, int c, double g)
{
    float *d = &fv_pixel(a->grad_in[i], n)[c];
    *d = a->accumulate[i] ? *d + (float)g : (float)g;
}

/* Two tensors of the same shape [n, 1, 1, c]. */
fv_status fv_rows_match(fv_shape a, fv_shape b, fv_error *err);
/* A third, [n, 1, 1, 1], or absent. */
fv_status fv_rows_match_labels(fv_shape x, fv_shape labels, fv_error *err);

#endif /* FV_AUTOGRAD_OPS_ROWS_H */
