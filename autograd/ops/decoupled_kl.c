/* SPDX-License-Identifier: Apache-2.0 */
/* KL(q|p) in two parts: the right class against the rest, and the rest among itself.
 *
 *   p = softmax(x / T), q = softmax(t / T), y the class, p', q': the same without class y
 *   forward    L = T^2 / N * sum_n alpha * KL((q_y, 1 - q_y) | (p_y, 1 - p_y)) + beta * KL(q'|p')
 *   backward   dx_y = dL T/N * alpha * (p_y - q_y)
 *              dx_c = dL T/N * (alpha * p'_c (q_y - p_y) + beta * (p'_c - q'_c))
 *
 * Zhao et al., "Decoupled Knowledge Distillation", CVPR 2022, arXiv:2203.08679. */
#include "autograd/ops/rows.h"

#include <math.h>

enum { LOGITS, TEACHER, LABELS };

static fv_status infer(const fv_op_input *in, const void *attr, fv_shape *out, fv_error *err)
{
    (void)attr;
    *out = (fv_shape){ 1, 1, 1, 1 };
    FV_TRY(fv_rows_match(in[LOGITS].shape, in[TEACHER].shape, err));
    if (in[LOGITS].shape.c < 2)
        return fv_fail(err, FV_ERR_SHAPE, "there must be two classes at least");
    return fv_rows_match_labels(in[LOGITS].shape, in[LABELS].shape, err);
}

static void measure(const fv_op_args *a, fv_op_needs *needs)
{
    needs->forward_scratch = (size_t)a->in[LOGITS].shape.n * sizeof(double);
    needs->backward_reads = FV_READS_IN(LOGITS) | FV_READS_IN(TEACHER) | FV_READS_IN(LABELS);
}

/* A row of logits: logarithms of what the whole and what the rest adds up to, and of the share that
 * class y and the rest have. */
typedef struct shares {
    double all, rest, log_own, log_rest;
} shares;

static shares shares_of(const float *x, int count, double factor, int y)
{
    shares s = { .all = fv_row_log_sum(x, count, factor, -1),
                 .rest = fv_row_log_sum(x, count, factor, y) };
    s.log_own = factor * (double)x[y] - s.all;
    s.log_rest = s.rest - s.all;
    return s;
}

typedef struct row {
    const float *x, *t;
    int count, y;
    double factor;
    shares p, q;
} row;

static row row_of(const fv_op_args *a, int n)
{
    row r = { .x = fv_pixel(a->in[LOGITS], n),
              .t = fv_pixel(a->in[TEACHER], n),
              .count = a->in[LOGITS].shape.c,
              .y = fv_row_class(a->in[LABELS], a->in[TEACHER], n),
              .factor = 1.0 / (double)((const fv_decoupled_attr *)a->attr)->temperature };
    r.p = shares_of(r.x, r.count, r.factor, r.y);
    r.q = shares_of(r.t, r.count, r.factor, r.y);
    return r;
}

/* log p'_c and log q'_c */
static double log_p(const row *r, int c) { return r->factor * (double)r->x[c] - r->p.rest; }
static double log_q(const row *r, int c) { return r->factor * (double)r->t[c] - r->q.rest; }

static double forward_row(const fv_op_args *a, int n)
{
    const fv_decoupled_attr *o = a->attr;
    const row r = row_of(a, n);
    const double target = exp(r.q.log_own) * (r.q.log_own - r.p.log_own) +
                          exp(r.q.log_rest) * (r.q.log_rest - r.p.log_rest);
    double others = 0.0;
    for (int c = 0; c < r.count; c++)
        if (c != r.y) others += exp(log_q(&r, c)) * (log_q(&r, c) - log_p(&r, c));
    return ((double)o->alpha * target + (double)o->beta * others) / (r.factor * r.factor);
}

static void forward(const fv_op_args *a) { fv_rows_mean(a, a->in[LOGITS].shape.n, forward_row); }

static double backward_row(const fv_op_args *a, int n)
{
    const fv_decoupled_attr *o = a->attr;
    const row r = row_of(a, n);
    const double dl = (double)a->grad_out.data[0] / (r.factor * (double)a->in[LOGITS].shape.n);
    const double excess = (double)o->alpha * (exp(r.p.log_own) - exp(r.q.log_own));
    for (int c = 0; c < r.count; c++) {
        double g = excess;
        if (c != r.y) {
            const double p = exp(log_p(&r, c));
            g = (double)o->beta * (p - exp(log_q(&r, c))) - p * excess;
        }
        fv_row_give(a, LOGITS, n, c, dl * g);
    }
    return 0.0;
}

static void backward(const fv_op_args *a)
{
    if (a->grad_in[LOGITS].data) fv_rows_run(a, a->in[LOGITS].shape.n, backward_row);
}

const fv_op fv_op_decoupled_kl = {
    .name = "decoupled_kl",
    .attr_size = sizeof(fv_decoupled_attr),
    .infer = infer,
    .measure = measure,
    .forward = forward,
    .backward = backward,
};

fv_tensor *fv_decoupled_kl(fv_graph *g, fv_tensor *logits, fv_tensor *teacher, fv_tensor *labels,
                           fv_decoupled_attr attr)
{
    fv_tensor *const in[] = { logits, fv_detach(g, teacher), labels };
    return fv_graph_apply(g, &fv_op_decoupled_kl, 3, in, &attr);
}
