/* SPDX-License-Identifier: Apache-2.0 */
/* How far two tables are from being correlated, line by line; a line is a row or a column.
 *
 *   forward    L = 1 - mean over lines of r,  r = sum a' b' / (|a'| |b'| + 1e-8),  a' = a - mean a
 *   backward   da = -dL/lines * (b' - r a' |b'| / |a'|) / (|a'| |b'| + 1e-8),  and db likewise
 *
 * Huang et al., "Knowledge Distillation from A Stronger Teacher", NeurIPS 2022,
 * arXiv:2205.10536. */
#include "autograd/ops/rows.h"

#include <math.h>

typedef struct correlation_attr {
    bool columns;
} correlation_attr;

/* Line i of a table: element k is at data[k * step]. */
typedef struct line {
    const float *data;
    int step;
    double mean, norm;
} line;

static bool by_columns(const fv_op_args *a) { return ((const correlation_attr *)a->attr)->columns; }

static int lines(const fv_op_args *a)
{
    return by_columns(a) ? a->in[0].shape.c : a->in[0].shape.n;
}

static int length(const fv_op_args *a)
{
    return by_columns(a) ? a->in[0].shape.n : a->in[0].shape.c;
}

static line line_of(const fv_op_args *a, int input, int i)
{
    const fv_view v = a->in[input];
    line l = { .data = by_columns(a) ? v.data + i : fv_pixel(v, i),
               .step = by_columns(a) ? v.pixel_stride : 1 };
    double square = 0.0;
    for (int k = 0; k < length(a); k++) l.mean += (double)l.data[k * l.step];
    l.mean /= (double)length(a);
    for (int k = 0; k < length(a); k++) {
        const double d = (double)l.data[k * l.step] - l.mean;
        square += d * d;
    }
    l.norm = sqrt(square);
    return l;
}

static double centred(const line *l, int k) { return (double)l->data[k * l->step] - l->mean; }

static double scale_of(const line *a, const line *b) { return 1.0 / (a->norm * b->norm + 1e-8); }

static double correlation(const line *a, const line *b, int count)
{
    double sum = 0.0;
    for (int k = 0; k < count; k++) sum += centred(a, k) * centred(b, k);
    return sum * scale_of(a, b);
}

static fv_status infer(const fv_op_input *in, const void *attr, fv_shape *out, fv_error *err)
{
    (void)attr;
    *out = (fv_shape){ 1, 1, 1, 1 };
    return fv_rows_match(in[0].shape, in[1].shape, err);
}

static void measure(const fv_op_args *a, fv_op_needs *needs)
{
    needs->forward_scratch = (size_t)lines(a) * sizeof(double);
    needs->backward_reads = FV_READS_IN(0) | FV_READS_IN(1);
}

static double forward_line(const fv_op_args *a, int i)
{
    const line p = line_of(a, 0, i), q = line_of(a, 1, i);
    return 1.0 - correlation(&p, &q, length(a));
}

static void forward(const fv_op_args *a) { fv_rows_mean(a, lines(a), forward_line); }

static void give(const fv_op_args *a, int input, int i, const line *own, const line *other)
{
    if (!a->grad_in[input].data) return;
    const double dl = (double)a->grad_out.data[0] / (double)lines(a), scale = scale_of(own, other);
    const double r = correlation(own, other, length(a));
    const double ratio = own->norm > 0.0 ? r * other->norm / own->norm : 0.0;
    for (int k = 0; k < length(a); k++) {
        const double g = -dl * scale * (centred(other, k) - ratio * centred(own, k));
        if (by_columns(a))
            fv_row_give(a, input, k, i, g);
        else
            fv_row_give(a, input, i, k, g);
    }
}

static double backward_line(const fv_op_args *a, int i)
{
    const line p = line_of(a, 0, i), q = line_of(a, 1, i);
    give(a, 1, i, &q, &p);
    give(a, 0, i, &p, &q);
    return 0.0;
}

static void backward(const fv_op_args *a) { fv_rows_run(a, lines(a), backward_line); }

const fv_op fv_op_correlation = {
    .name = "correlation",
    .attr_size = sizeof(correlation_attr),
    .infer = infer,
    .measure = measure,
    .forward = forward,
    .backward = backward,
};

fv_tensor *fv_correlation(fv_graph *g, fv_tensor *a, fv_tensor *b, bool columns)
{
    const correlation_attr attr = { columns };
    return fv_graph_apply(g, &fv_op_correlation, 2, (fv_tensor *[]){ a, b }, &attr);
}
