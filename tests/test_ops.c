/* SPDX-License-Identifier: Apache-2.0 */
/* Every operator against a naive forward and against differences. */
#include "gradcheck.h"
#include "loss_checks.h"

#include "autograd/plan.h"
#include "base/compiler.h"
#include "base/cpu.h"
#include "base/threads.h"

#include <math.h>
#include <string.h>

#define at gradcheck_at

/* ---- activate ---- */

static fv_tensor *build_activate(fv_graph *g, fv_tensor *const in[], const void *ctx)
{
    return fv_activate(g, in[0], *(const fv_activation *)ctx);
}

static void reference_activate(const fv_view in[], const fv_params *params, const void *ctx,
                               fv_view y)
{
    (void)params;
    const bool six = *(const fv_activation *)ctx == FV_RELU6;
    for (int p = 0; p < fv_shape_pixels(y.shape); p++)
        for (int c = 0; c < y.shape.c; c++) {
            const float x = fv_pixel(in[0], p)[c];
            fv_pixel(y, p)[c] = x < 0 ? 0 : six && x > 6 ? 6 : x;
        }
}

static const fv_activation relu = FV_RELU, relu6 = FV_RELU6;
static const gradcheck check_activate[] = {
    { .what = "relu",
      .in = { { 2, 3, 3, 5 } },
      .build = build_activate,
      .reference = reference_activate,
      .ctx = &relu,
      .kinks = { 0 },
      .kink_count = 1 },
    { .what = "relu6",
      .in = { { 2, 3, 3, 17 } },
      .build = build_activate,
      .reference = reference_activate,
      .ctx = &relu6,
      .kinks = { 0, 6 },
      .kink_count = 2 },
    { 0 },
};

/* ---- add, scale, copy ---- */

static fv_tensor *build_add(fv_graph *g, fv_tensor *const in[], const void *ctx)
{
    (void)ctx;
    return fv_add(g, in[0], in[1]);
}

static fv_tensor *build_twice(fv_graph *g, fv_tensor *const in[], const void *ctx)
{
    (void)ctx;
    return fv_add(g, in[0], in[0]);
}

static fv_tensor *build_scale(fv_graph *g, fv_tensor *const in[], const void *ctx)
{
    return fv_scale(g, in[0], *(const float *)ctx);
}

static fv_tensor *build_copy(fv_graph *g, fv_tensor *const in[], const void *ctx)
{
    (void)ctx;
    return fv_copy(g, in[0]);
}

/* y = a * in[0] + b * in[1] */
static void linear_combination(const fv_view in[], float a, float b, fv_view y)
{
    for (int p = 0; p < fv_shape_pixels(y.shape); p++)
        for (int c = 0; c < y.shape.c; c++)
            fv_pixel(y, p)[c] =
                a * fv_pixel(in[0], p)[c] + (in[1].data ? b * fv_pixel(in[1], p)[c] : 0);
}

static void reference_add(const fv_view in[], const fv_params *params, const void *ctx, fv_view y)
{
    (void)params, (void)ctx;
    linear_combination(in, in[1].data ? 1 : 2, 1, y);
}

static void reference_scale(const fv_view in[], const fv_params *params, const void *ctx, fv_view y)
{
    (void)params;
    linear_combination(in, ctx ? *(const float *)ctx : 1, 0, y);
}

static const float factor = -0.7f;
static const gradcheck check_add[] = {
    { .what = "two",
      .in = { { 2, 3, 2, 19 }, { 2, 3, 2, 19 } },
      .build = build_add,
      .reference = reference_add },
    { .what = "itself",
      .in = { { 1, 3, 2, 5 } },
      .build = build_twice,
      .reference = reference_add },
    { 0 },
};
static const gradcheck check_scale[] = {
    { .what = "-0.7",
      .in = { { 2, 3, 2, 19 } },
      .build = build_scale,
      .reference = reference_scale,
      .ctx = &factor },
    { 0 },
};
static const gradcheck check_copy[] = {
    { .what = "copy",
      .in = { { 2, 3, 2, 19 } },
      .build = build_copy,
      .reference = reference_scale },
    { 0 },
};

/* ---- batch_norm ---- */

static fv_tensor *build_batch_norm(fv_graph *g, fv_tensor *const in[], const void *ctx)
{
    (void)ctx;
    const int c = fv_tensor_shape(in[0]).c;
    const fv_init init = { FV_INIT_CONSTANT, 1 };
    fv_tensor *scale = fv_param_tensor(g, "scale", FV_BN_WEIGHT, 1, &c, init);
    fv_tensor *shift = fv_param_tensor(g, "shift", FV_BN_BIAS, 1, &c, init);
    fv_tensor *mean = fv_param_tensor(g, "mean", FV_BN_MEAN, 1, &c, init);
    fv_tensor *variance = fv_param_tensor(g, "variance", FV_BN_VAR, 1, &c, init);
    return fv_batch_norm(g, in[0], scale, shift, mean, variance,
                         (fv_batch_norm_attr){ 1e-3f, 0.9f });
}

static void reference_batch_norm(const fv_view in[], const fv_params *params, const void *ctx,
                                 fv_view y)
{
    (void)ctx;
    const int rows = fv_shape_pixels(y.shape);
    const float *scale = fv_params_find(params, "scale")->value,
                *shift = fv_params_find(params, "shift")->value;
    for (int c = 0; c < y.shape.c; c++) {
        double mean = 0, variance = 0;
        for (int p = 0; p < rows; p++) mean += (double)fv_pixel(in[0], p)[c] / rows;
        for (int p = 0; p < rows; p++)
            variance += pow((double)fv_pixel(in[0], p)[c] - mean, 2) / rows;
        for (int p = 0; p < rows; p++)
            fv_pixel(y, p)[c] = (float)((double)scale[c] * ((double)fv_pixel(in[0], p)[c] - mean) /
                                            sqrt(variance + 1e-3) +
                                        (double)shift[c]);
    }
}

static const gradcheck check_batch_norm[] = {
    { .what = "7 channels",
      .in = { { 3, 3, 5, 7 } },
      .build = build_batch_norm,
      .reference = reference_batch_norm },
    { .what = "17 channels",
      .in = { { 2, 2, 2, 17 } },
      .build = build_batch_norm,
      .reference = reference_batch_norm },
    { 0 },
};

/* ---- conv2d ---- */

typedef struct conv_case {
    int out, kh, kw;
    bool bias;
    fv_window_attr window;
} conv_case;

static fv_tensor *build_conv2d(fv_graph *g, fv_tensor *const in[], const void *ctx)
{
    const conv_case *k = ctx;
    const int dims[] = { k->out, fv_tensor_shape(in[0]).c / k->window.groups, k->kh, k->kw };
    const fv_init init = { FV_INIT_CONSTANT, 1 };
    fv_tensor *w = fv_param_tensor(g, "w", FV_CONV_WEIGHT, 4, dims, init);
    fv_tensor *b = k->bias ? fv_param_tensor(g, "b", FV_BIAS, 1, dims, init) : NULL;
    return fv_conv2d(g, in[0], w, b, k->window);
}

static double conv_sum(fv_view x, const fv_param *w, const fv_window_attr *a, int n, int oy, int ox,
                       int o)
{
    double sum = 0;
    const int *d = w->dims, group = o / (d[0] / a->groups);
    for (int i = 0; i < d[1]; i++)
        for (int ky = 0; ky < d[2]; ky++)
            for (int kx = 0; kx < d[3]; kx++) {
                const int iy = oy * a->stride_h - a->pad_h + ky * a->dilation_h;
                const int ix = ox * a->stride_w - a->pad_w + kx * a->dilation_w;
                if (iy < 0 || ix < 0 || iy >= x.shape.h || ix >= x.shape.w) continue;
                sum += (double)*at(x, n, iy, ix, group * d[1] + i) *
                       (double)w->value[((o * d[1] + i) * d[2] + ky) * d[3] + kx];
            }
    return sum;
}

static void reference_conv2d(const fv_view in[], const fv_params *params, const void *ctx,
                             fv_view y)
{
    const conv_case *k = ctx;
    const fv_param *w = fv_params_find(params, "w"), *b = fv_params_find(params, "b");
    for (int n = 0; n < y.shape.n; n++)
        for (int oy = 0; oy < y.shape.h; oy++)
            for (int ox = 0; ox < y.shape.w; ox++)
                for (int o = 0; o < y.shape.c; o++)
                    *at(y, n, oy, ox, o) = (float)(conv_sum(in[0], w, &k->window, n, oy, ox, o) +
                                                   (b ? (double)b->value[o] : 0));
}

#define WINDOW(s, ph, pw, d, g) \
    { \
        .stride_h = s, .stride_w = s, .pad_h = ph, .pad_w = pw, .dilation_h = d, .dilation_w = d, \
        .groups = g \
    }
static const conv_case pointwise = { 5, 1, 1, false, WINDOW(1, 0, 0, 1, 1) };
static const conv_case pointwise_strided = { 5, 1, 1, true, WINDOW(2, 0, 0, 1, 1) };
static const conv_case square = { 6, 3, 3, true, WINDOW(1, 1, 1, 1, 1) };
static const conv_case strided = { 5, 3, 3, false, WINDOW(2, 1, 1, 1, 1) };
static const conv_case tall = { 4, 5, 1, false, WINDOW(1, 2, 0, 1, 1) };
static const conv_case dilated = { 3, 3, 3, false, WINDOW(1, 2, 2, 2, 1) };
static const conv_case grouped = { 6, 3, 3, false, WINDOW(1, 1, 1, 1, 3) };
static const conv_case depthwise = { 9, 3, 3, true, WINDOW(1, 1, 1, 1, 9) };
static const conv_case depthwise_strided = { 9, 3, 3, false, WINDOW(2, 1, 1, 1, 9) };
static const conv_case depthwise_dilated = { 5, 3, 3, false, WINDOW(1, 2, 2, 2, 5) };
static const conv_case stem = { 8, 7, 7, false, WINDOW(2, 3, 3, 1, 1) };

#define CONV(name, ...) \
    { \
        .what = #name, .in = { __VA_ARGS__ }, .build = build_conv2d, \
        .reference = reference_conv2d, .ctx = &(name) \
    }
static const gradcheck check_conv2d[] = {
    CONV(pointwise, { 2, 3, 2, 7 }),
    CONV(pointwise_strided, { 1, 5, 4, 3 }),
    CONV(square, { 2, 4, 3, 3 }),
    CONV(strided, { 1, 7, 5, 3 }),
    CONV(tall, { 1, 6, 3, 5 }),
    CONV(dilated, { 1, 6, 5, 2 }),
    CONV(grouped, { 1, 4, 4, 9 }),
    CONV(depthwise, { 2, 4, 5, 9 }),
    CONV(depthwise_strided, { 1, 7, 6, 9 }),
    CONV(depthwise_dilated, { 1, 5, 5, 5 }),
    CONV(stem, { 1, 9, 8, 3 }),
    { 0 },
};

/* ---- max_pool, avg_pool, global_avg_pool ---- */

static fv_tensor *build_max_pool(fv_graph *g, fv_tensor *const in[], const void *ctx)
{
    return fv_max_pool(g, in[0], *(const fv_window_attr *)ctx);
}

static fv_tensor *build_avg_pool(fv_graph *g, fv_tensor *const in[], const void *ctx)
{
    return fv_avg_pool(g, in[0], *(const fv_window_attr *)ctx);
}

static fv_tensor *build_global_avg_pool(fv_graph *g, fv_tensor *const in[], const void *ctx)
{
    (void)ctx;
    return fv_global_avg_pool(g, in[0]);
}

/* Largest value, sum and divisor of one window. */
static void look(fv_view x, const fv_window_attr *a, const int place[4], double *largest,
                 double *sum, int *divisor)
{
    *largest = -INFINITY, *sum = 0, *divisor = 0;
    for (int ky = 0; ky < a->kernel_h; ky++)
        for (int kx = 0; kx < a->kernel_w; kx++) {
            const int iy = place[1] * a->stride_h - a->pad_h + ky,
                      ix = place[2] * a->stride_w - a->pad_w + kx;
            const bool inside = iy >= 0 && ix >= 0 && iy < x.shape.h && ix < x.shape.w;
            const bool padded = iy < x.shape.h + a->pad_h && ix < x.shape.w + a->pad_w;
            *divisor += inside || (a->count_padding && padded);
            if (!inside) continue;
            const double v = (double)*at(x, place[0], iy, ix, place[3]);
            *sum += v;
            *largest = fmax(*largest, v);
        }
}

static void pool(const fv_view in[], const fv_window_attr *a, bool max, fv_view y)
{
    for (int n = 0; n < y.shape.n; n++)
        for (int oy = 0; oy < y.shape.h; oy++)
            for (int ox = 0; ox < y.shape.w; ox++)
                for (int c = 0; c < y.shape.c; c++) {
                    double largest, sum;
                    int divisor;
                    look(in[0], a, (int[4]){ n, oy, ox, c }, &largest, &sum, &divisor);
                    *at(y, n, oy, ox, c) = (float)(max ? largest : sum / divisor);
                }
}

static void reference_max_pool(const fv_view in[], const fv_params *params, const void *ctx,
                               fv_view y)
{
    (void)params;
    pool(in, ctx, true, y);
}

static void reference_avg_pool(const fv_view in[], const fv_params *params, const void *ctx,
                               fv_view y)
{
    (void)params;
    pool(in, ctx, false, y);
}

static void reference_global_avg_pool(const fv_view in[], const fv_params *params, const void *ctx,
                                      fv_view y)
{
    (void)params, (void)ctx;
    const fv_shape s = in[0].shape;
    const fv_window_attr whole = { .kernel_h = s.h, .kernel_w = s.w, .stride_h = 1, .stride_w = 1 };
    pool(in, &whole, false, y);
}

#define POOL(k, s, p, ceil, count) \
    { \
        .kernel_h = k, .kernel_w = k, .stride_h = s, .stride_w = s, .pad_h = p, .pad_w = p, \
        .dilation_h = 1, .dilation_w = 1, .groups = 1, .ceil_mode = ceil, .count_padding = count \
    }
static const fv_window_attr pool_3_2 = POOL(3, 2, 1, false, false),
                            pool_3_1 = POOL(3, 1, 1, false, false);
static const fv_window_attr pool_ceil = POOL(2, 2, 0, true, false),
                            pool_count = POOL(3, 1, 1, false, true);
static const fv_window_attr pool_floor = POOL(3, 2, 0, false, false),
                            pool_count_ceil = POOL(3, 2, 1, true, true);

#define MAX(name, ...) \
    { \
        .what = #name, .in = { __VA_ARGS__ }, .build = build_max_pool, \
        .reference = reference_max_pool, .ctx = &(name), .spread = true \
    }
#define AVG(name, ...) \
    { \
        .what = #name, .in = { __VA_ARGS__ }, .build = build_avg_pool, \
        .reference = reference_avg_pool, .ctx = &(name) \
    }
static const gradcheck check_max_pool[] = {
    MAX(pool_3_2, { 2, 7, 6, 5 }),
    MAX(pool_3_1, { 1, 4, 5, 17 }),
    MAX(pool_ceil, { 1, 5, 7, 3 }),
    MAX(pool_floor, { 1, 6, 7, 3 }),
    { 0 },
};
static const gradcheck check_avg_pool[] = {
    AVG(pool_3_2, { 2, 7, 6, 5 }),        AVG(pool_3_1, { 1, 4, 5, 17 }),
    AVG(pool_ceil, { 1, 5, 7, 3 }),       AVG(pool_count, { 1, 5, 4, 3 }),
    AVG(pool_count_ceil, { 1, 6, 6, 2 }), { 0 },
};
static const gradcheck check_global_avg_pool[] = {
    { .what = "3x4",
      .in = { { 2, 3, 4, 5 } },
      .build = build_global_avg_pool,
      .reference = reference_global_avg_pool },
    { 0 },
};

/* ---- matmul ---- */

static fv_tensor *build_matmul(fv_graph *g, fv_tensor *const in[], const void *ctx)
{
    const fv_shape s = fv_tensor_shape(in[0]);
    const int dims[] = { s.h * s.w * s.c, *(const int *)ctx };
    const fv_init init = { FV_INIT_CONSTANT, 1 };
    fv_tensor *w = fv_param_tensor(g, "w", FV_LINEAR_WEIGHT, 2, dims, init);
    return fv_matmul(g, in[0], w, fv_param_tensor(g, "b", FV_BIAS, 1, dims + 1, init));
}

static void reference_matmul(const fv_view in[], const fv_params *params, const void *ctx,
                             fv_view y)
{
    (void)ctx;
    const fv_param *w = fv_params_find(params, "w"), *b = fv_params_find(params, "b");
    const fv_shape s = in[0].shape;
    for (int n = 0; n < s.n; n++)
        for (int o = 0; o < y.shape.c; o++) {
            double sum = (double)b->value[o];
            for (int c = 0, i = 0; c < s.c; c++)
                for (int h = 0; h < s.h; h++)
                    for (int k = 0; k < s.w; k++, i++)
                        sum += (double)*at(in[0], n, h, k, c) * (double)w->value[i * y.shape.c + o];
            *at(y, n, 0, 0, o) = (float)sum;
        }
}

static const int seven = 7;
static const gradcheck check_matmul[] = {
    { .what = "vectors",
      .in = { { 3, 1, 1, 11 } },
      .build = build_matmul,
      .reference = reference_matmul,
      .ctx = &seven },
    { .what = "pictures",
      .in = { { 2, 2, 3, 4 } },
      .build = build_matmul,
      .reference = reference_matmul,
      .ctx = &seven },
    { 0 },
};

/* ---- dropout: its mask is its own affair, but see test_dropout_rates ---- */

static fv_tensor *build_dropout(fv_graph *g, fv_tensor *const in[], const void *ctx)
{
    return fv_dropout(g, in[0], 0.4f, *(const fv_dropout_mode *)ctx);
}

static const fv_dropout_mode upscale = FV_UPSCALE_IN_TRAIN, downscale = FV_DOWNSCALE_IN_INFER;
static const gradcheck check_dropout[] = {
    { .what = "upscale", .in = { { 2, 3, 2, 19 } }, .build = build_dropout, .ctx = &upscale },
    { .what = "downscale", .in = { { 2, 1, 1, 30 } }, .build = build_dropout, .ctx = &downscale },
    { 0 },
};

/* ---- one test per line of ops.def: leaving a check out does not compile ---- */

#define FV_OP(name) \
    static void test_##name(void **state) \
    { \
        (void)state; \
        gradcheck_run(#name, check_##name); \
    }
#include "autograd/ops/ops.def"
#undef FV_OP

/* ---- what needs more than a gradient check ---- */

/* Share of zeros and the value of the rest, of 40000 ones. */
static void dropout_of(fv_mode mode, fv_dropout_mode kind, uint64_t step, double *zeros,
                       float *rest)
{
    static float ones[40000];
    const int count = (int)FV_ARRAY_LEN(ones);
    for (int i = 0; i < count; i++) ones[i] = 1.0f;
    fv_kernels kernels;
    fv_params *params;
    fv_graph *g;
    fv_slab *slab;
    fv_plan *plan;
    fv_kernels_init(&kernels, fv_cpu_detect());
    assert_ok(fv_params_create(&params, 1, &testing_err));
    assert_ok(fv_graph_create(&g, params, mode, &testing_err));
    assert_ok(fv_slab_create(&slab, &testing_err));
    fv_tensor *x = fv_input(g, (fv_shape){ 2, 10, 10, 200 });
    fv_tensor *y = fv_dropout(g, x, 0.3f, kind);
    assert_ok(fv_plan_create(&plan, g, &kernels, slab,
                             &(fv_plan_options){ .outputs = &y, .output_count = 1 }, &testing_err));
    fv_plan_feed(plan, x, ones);
    fv_plan_set_step(plan, step);
    fv_plan_forward(plan);
    const float *got = fv_plan_value(plan, y).data;
    *zeros = 0;
    for (int i = 0; i < count; i++) {
        if (got[i] == 0.0f)
            *zeros += 1.0 / count;
        else
            *rest = got[i];
    }
    fv_plan_destroy(plan);
    fv_slab_destroy(slab);
    fv_graph_destroy(g);
    fv_params_destroy(params);
}

static void test_dropout_rates(void **state)
{
    (void)state;
    double zeros;
    float rest;
    dropout_of(FV_TRAIN, FV_UPSCALE_IN_TRAIN, 1, &zeros, &rest);
    assert_true(fabs(zeros - 0.3) < 0.01);
    assert_float_equal(rest, 1.0f / 0.7f, 1e-6f);
    dropout_of(FV_TRAIN, FV_DOWNSCALE_IN_INFER, 2, &zeros, &rest);
    assert_true(fabs(zeros - 0.3) < 0.01);
    assert_float_equal(rest, 1.0f, 0.0f);
    dropout_of(FV_EVAL, FV_UPSCALE_IN_TRAIN, 3, &zeros, &rest);
    assert_true(zeros == 0.0);
    assert_float_equal(rest, 1.0f, 0.0f);
    dropout_of(FV_EVAL, FV_DOWNSCALE_IN_INFER, 3, &zeros, &rest);
    assert_true(zeros == 0.0);
    assert_float_equal(rest, 0.7f, 1e-6f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define FV_OP(name) cmocka_unit_test(test_##name),
#include "autograd/ops/ops.def"
#undef FV_OP
        cmocka_unit_test(test_dropout_rates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
