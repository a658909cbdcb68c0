/* SPDX-License-Identifier: Apache-2.0 */
/* Targets in which some classes count more than others:
 *
 *   y[n,c] = w[c] * t[n,c] * N / D,   D = sum_n sum_c w[c] * target[n,c]
 *
 * t is the target, a class number or probabilities, smoothed: (1 - e) * target + e / K. So the mean
 * cross entropy with y is the mean weighted by the classes of the targets. y is 0 if D is 0.
 * Constant: no gradient. */
#include "autograd/ops/rows.h"

enum { TARGETS };

static fv_status infer(const fv_op_input *in, const void *attr, fv_shape *out, fv_error *err)
{
    const fv_class_weighted_attr *w = attr;
    const fv_shape t = in[TARGETS].shape;
    *out = (fv_shape){ t.n, 1, 1, w->classes };
    if (t.h == 1 && t.w == 1 && (t.c == 1 || t.c == w->classes)) return FV_OK;
    return fv_fail(err, FV_ERR_SHAPE, "targets %dx%dx%dx%d for weights of %d classes", t.n, t.h,
                   t.w, t.c, w->classes);
}

/* As it was given, a class number spread out. */
static double target(const fv_op_args *a, int n, int c)
{
    const fv_view t = a->in[TARGETS];
    const bool number = t.shape.c == 1 && a->out.shape.c > 1;
    return number ? (int)fv_pixel(t, n)[0] == c : (double)fv_pixel(t, n)[c];
}

static void forward(const fv_op_args *a)
{
    const fv_class_weighted_attr *attr = a->attr;
    const fv_shape y = a->out.shape;
    const double e = (double)attr->smoothing;
    double sum = 0.0;
    for (int n = 0; n < y.n; n++)
        for (int c = 0; c < y.c; c++) sum += (double)attr->weights[c] * target(a, n, c);
    const double factor = sum == 0.0 ? 0.0 : (double)y.n / sum;
    for (int n = 0; n < y.n; n++)
        for (int c = 0; c < y.c; c++) {
            const double t = (1.0 - e) * target(a, n, c) + e / (double)y.c;
            fv_pixel(a->out, n)[c] = (float)((double)attr->weights[c] * t * factor);
        }
}

const fv_op fv_op_class_weighted = {
    .name = "class_weighted",
    .attr_size = sizeof(fv_class_weighted_attr),
    .infer = infer,
    .forward = forward,
};

fv_tensor *fv_class_weighted(fv_graph *g, fv_tensor *targets, fv_class_weighted_attr attr)
{
    return fv_graph_apply(g, &fv_op_class_weighted, 1, &targets, &attr);
}
