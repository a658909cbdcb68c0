/* SPDX-License-Identifier: Apache-2.0 */
#include "loss_checks.h"

#include <math.h>

/* Differences are compared absolutely: small gradients are made large enough to be wrong. */
static const float LOUD = 20.0f;

static double x_at(fv_view x, int n, int c) { return (double)fv_pixel(x, n)[c]; }

/* softmax(x[n] * factor)[c], the slow way */
static double p_at(fv_view x, int n, int c, double factor)
{
    double sum = 0;
    for (int k = 0; k < x.shape.c; k++) sum += exp(factor * x_at(x, n, k));
    return exp(factor * x_at(x, n, c)) / sum;
}

/* ---- cross_entropy ---- */

static fv_tensor *build_cross_entropy(fv_graph *g, fv_tensor *const in[], const void *ctx)
{
    return fv_cross_entropy(g, in[0], in[1], *(const float *)ctx);
}

static void reference_cross_entropy(const fv_view in[], const fv_params *params, const void *ctx,
                                    fv_view y)
{
    (void)params;
    const double e = (double)*(const float *)ctx;
    const int classes = in[0].shape.c;
    double loss = 0;
    for (int n = 0; n < in[0].shape.n; n++) {
        double sum = 0;
        for (int c = 0; c < classes; c++) sum += exp((double)fv_pixel(in[0], n)[c]);
        for (int c = 0; c < classes; c++) {
            const float *t = fv_pixel(in[1], n);
            const double hard = in[1].shape.c == 1 ? (double)((int)t[0] == c) : (double)t[c];
            loss -= ((1 - e) * hard + e / classes) * ((double)fv_pixel(in[0], n)[c] - log(sum)) /
                    in[0].shape.n;
        }
    }
    y.data[0] = (float)loss;
}

static const float sharp = 0, smooth = 0.1f;
#define CE(name, ctx_, targets, labels_) \
    { \
        .what = name, .in = { { 3, 1, 1, 6 }, { 3, 1, 1, targets } }, .constant = { false, true }, \
        .build = build_cross_entropy, .reference = reference_cross_entropy, .ctx = ctx_, \
        .labels = labels_ \
    }
const gradcheck check_cross_entropy[] = {
    CE("labels", &sharp, 1, true),
    CE("smoothed", &smooth, 1, true),
    CE("soft", &sharp, 6, false),
    CE("soft, smoothed", &smooth, 6, false),
    { 0 },
};

/* ---- softmax ---- */

static fv_tensor *build_softmax(fv_graph *g, fv_tensor *const in[], const void *ctx)
{
    return fv_scale(g, fv_softmax(g, in[0], *(const float *)ctx), LOUD);
}

static void reference_softmax(const fv_view in[], const fv_params *params, const void *ctx,
                              fv_view y)
{
    (void)params;
    for (int n = 0; n < y.shape.n; n++)
        for (int c = 0; c < y.shape.c; c++)
            fv_pixel(y, n)[c] = LOUD * (float)p_at(in[0], n, c, 1.0 / (double)*(const float *)ctx);
}

static const float plain = 1.0f, warm = 4.0f;
const gradcheck check_softmax[] = {
    { .what = "T 1",
      .in = { { 3, 1, 1, 6 } },
      .build = build_softmax,
      .reference = reference_softmax,
      .ctx = &plain },
    { .what = "T 4",
      .in = { { 2, 1, 1, 19 } },
      .build = build_softmax,
      .reference = reference_softmax,
      .ctx = &warm },
    { 0 },
};

/* ---- jeffreys ---- */

static fv_tensor *build_jeffreys(fv_graph *g, fv_tensor *const in[], const void *ctx)
{
    (void)ctx;
    fv_tensor *p = fv_softmax(g, in[0], 1.0f), *q = fv_softmax(g, in[1], 0.5f);
    return fv_scale(g, fv_jeffreys(g, p, q), LOUD);
}

static void reference_jeffreys(const fv_view in[], const fv_params *params, const void *ctx,
                               fv_view y)
{
    (void)params, (void)ctx;
    double there = 0, back = 0;
    for (int n = 0; n < in[0].shape.n; n++)
        for (int c = 0; c < in[0].shape.c; c++) {
            const double p = p_at(in[0], n, c, 1), q = p_at(in[1], n, c, 2);
            there += p * log(p / q);
            back += q * log(q / p);
        }
    y.data[0] = LOUD * (float)((there + back) / 2 / in[0].shape.n);
}

const gradcheck check_jeffreys[] = {
    { .what = "both learn",
      .in = { { 3, 1, 1, 7 }, { 3, 1, 1, 7 } },
      .build = build_jeffreys,
      .reference = reference_jeffreys },
    { 0 },
};

/* ---- correlation ---- */

static fv_tensor *build_correlation(fv_graph *g, fv_tensor *const in[], const void *ctx)
{
    return fv_scale(g, fv_correlation(g, in[0], in[1], *(const bool *)ctx), LOUD);
}

/* By covariances: E[ab] - E[a] E[b]. */
static double correlation_of(const fv_view in[], bool columns, int line)
{
    double a = 0, b = 0, aa = 0, bb = 0, ab = 0;
    const int count = columns ? in[0].shape.n : in[0].shape.c;
    for (int k = 0; k < count; k++) {
        const double u = columns ? x_at(in[0], k, line) : x_at(in[0], line, k);
        const double v = columns ? x_at(in[1], k, line) : x_at(in[1], line, k);
        a += u / count, b += v / count;
        aa += u * u / count, bb += v * v / count, ab += u * v / count;
    }
    return (ab - a * b) / sqrt((aa - a * a) * (bb - b * b));
}

static void reference_correlation(const fv_view in[], const fv_params *params, const void *ctx,
                                  fv_view y)
{
    (void)params;
    const bool columns = *(const bool *)ctx;
    const int lines = columns ? in[0].shape.c : in[0].shape.n;
    double sum = 0;
    for (int i = 0; i < lines; i++) sum += correlation_of(in, columns, i);
    y.data[0] = LOUD * (float)(1 - sum / lines);
}

static const bool by_rows = false, by_columns = true;
const gradcheck check_correlation[] = {
    { .what = "rows",
      .in = { { 3, 1, 1, 7 }, { 3, 1, 1, 7 } },
      .build = build_correlation,
      .reference = reference_correlation,
      .ctx = &by_rows },
    { .what = "columns",
      .in = { { 5, 1, 1, 4 }, { 5, 1, 1, 4 } },
      .build = build_correlation,
      .reference = reference_correlation,
      .ctx = &by_columns },
    { 0 },
};

/* ---- decoupled_kl ---- */

static fv_tensor *build_decoupled(fv_graph *g, fv_tensor *const in[], const void *ctx)
{
    fv_tensor *loss = fv_decoupled_kl(g, in[0], in[1], NULL, *(const fv_decoupled_attr *)ctx);
    return fv_scale(g, loss, LOUD);
}

static int first_choice(fv_view x, int n)
{
    int best = 0;
    for (int c = 0; c < x.shape.c; c++)
        if (x_at(x, n, c) > x_at(x, n, best)) best = c;
    return best;
}

static void reference_decoupled(const fv_view in[], const fv_params *params, const void *ctx,
                                fv_view y)
{
    (void)params;
    const fv_decoupled_attr *o = ctx;
    const double factor = 1 / (double)o->temperature;
    double sum = 0;
    for (int n = 0; n < in[0].shape.n; n++) {
        const int own = first_choice(in[1], n);
        const double p = p_at(in[0], n, own, factor), q = p_at(in[1], n, own, factor);
        sum += (double)o->alpha * (q * log(q / p) + (1 - q) * log((1 - q) / (1 - p)));
        for (int c = 0; c < in[0].shape.c; c++) {
            if (c == own) continue;
            const double u = p_at(in[0], n, c, factor) / (1 - p);
            const double v = p_at(in[1], n, c, factor) / (1 - q);
            sum += (double)o->beta * v * log(v / u);
        }
    }
    y.data[0] = LOUD * (float)(sum / in[0].shape.n / factor / factor);
}

static const fv_decoupled_attr equal_parts = { 1, 1, 1 }, unequal_parts = { 4, 0.5f, 3 };
#define DECOUPLED(name, ctx_, classes) \
    { \
        .what = name, .in = { { 3, 1, 1, classes }, { 3, 1, 1, classes } }, \
        .constant = { false, true }, .build = build_decoupled, .reference = reference_decoupled, \
        .ctx = ctx_ \
    }
const gradcheck check_decoupled_kl[] = {
    DECOUPLED("1 and 1", &equal_parts, 6),
    DECOUPLED("0.5 and 3, T 4", &unequal_parts, 6),
    DECOUPLED("two classes", &equal_parts, 2),
    { 0 },
};

/* ---- weighted_soft ---- */

/* A sum, so that something has a gradient. */
static fv_tensor *build_weighted(fv_graph *g, fv_tensor *const in[], const void *ctx)
{
    fv_tensor *student = fv_scale(g, in[1], -0.5f);
    return fv_add(g, in[0], fv_weighted_soft(g, student, in[1], NULL, *(const float *)ctx));
}

static void reference_weighted(const fv_view in[], const fv_params *params, const void *ctx,
                               fv_view y)
{
    (void)params;
    const double factor = 1 / (double)*(const float *)ctx;
    for (int n = 0; n < y.shape.n; n++) {
        const int own = first_choice(in[1], n);
        const double student = p_at(in[1], n, own, -0.5), teacher = p_at(in[1], n, own, 1);
        const double weight = 1 - exp(-log(student) / log(teacher));
        for (int c = 0; c < y.shape.c; c++)
            fv_pixel(y, n)[c] = (float)(x_at(in[0], n, c) + weight * p_at(in[1], n, c, factor));
    }
}

const gradcheck check_weighted_soft[] = {
    { .what = "T 4",
      .in = { { 3, 1, 1, 6 }, { 3, 1, 1, 6 } },
      .constant = { false, true },
      .build = build_weighted,
      .reference = reference_weighted,
      .ctx = &warm },
    { 0 },
};

/* ---- class_weighted ---- */

enum { WEIGHTED = 6 };
static const float class_weights[WEIGHTED] = { 0.5f, 2.0f, 0.25f, 1.0f, 3.0f, 0.75f };
static const float no_weights[WEIGHTED] = { 0 };

/* The cross entropy that it is for. */
static fv_tensor *build_class_weighted(fv_graph *g, fv_tensor *const in[], const void *ctx)
{
    return fv_cross_entropy(
        g, in[0], fv_class_weighted(g, in[1], *(const fv_class_weighted_attr *)ctx), 0.0f);
}

static void reference_class_weighted(const fv_view in[], const fv_params *params, const void *ctx,
                                     fv_view y)
{
    (void)params;
    const fv_class_weighted_attr *attr = ctx;
    double loss = 0, all = 0;
    for (int n = 0; n < in[0].shape.n; n++)
        for (int c = 0; c < WEIGHTED; c++) {
            const float *t = fv_pixel(in[1], n);
            const double hard = in[1].shape.c == 1 ? (double)((int)t[0] == c) : (double)t[c];
            const double e = (double)attr->smoothing, w = (double)attr->weights[c];
            loss -= w * ((1 - e) * hard + e / WEIGHTED) * log(p_at(in[0], n, c, 1));
            all += w * hard;
        }
    y.data[0] = all == 0 ? 0.0f : (float)(loss / all);
}

static const fv_class_weighted_attr weighted = { WEIGHTED, 0.0f, class_weights },
                                    weighted_smooth = { WEIGHTED, 0.1f, class_weights },
                                    weightless = { WEIGHTED, 0.1f, no_weights };
#define CLASS_WEIGHTED(name, ctx_, targets, labels_) \
    { \
        .what = name, .in = { { 3, 1, 1, WEIGHTED }, { 3, 1, 1, targets } }, \
        .constant = { false, true }, .build = build_class_weighted, \
        .reference = reference_class_weighted, .ctx = ctx_, .labels = labels_ \
    }
const gradcheck check_class_weighted[] = {
    CLASS_WEIGHTED("labels", &weighted, 1, true),
    CLASS_WEIGHTED("smoothed", &weighted_smooth, 1, true),
    CLASS_WEIGHTED("soft", &weighted, WEIGHTED, false),
    CLASS_WEIGHTED("soft, smoothed", &weighted_smooth, WEIGHTED, false),
    CLASS_WEIGHTED("weightless", &weightless, 1, true),
    { 0 },
};
