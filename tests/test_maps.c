/* SPDX-License-Identifier: Apache-2.0 */
/* Batch normalisation, elementwise kernels and the optimiser's: every variant against the formulas
 * of kernels/kernels.h in double, on shapes drawn at random. */
#include "kernel_testing.h"

enum { ROUNDS = 300 };

static int random_pixels(fv_random *r)
{
    return fv_random_int(r, 1, fv_random_int(r, 0, 3) ? 40 : 200);
}
static int random_channels(fv_random *r) { return fv_random_int(r, 1, 70); }
static fv_activation random_act(fv_random *r) { return (fv_activation)fv_random_int(r, 0, 2); }

/* One float per channel. */
static matrix random_vector(fv_random *r, int channels, float low, float high)
{
    return matrix_create(r, 1, channels, low, high, NAN);
}

static double value(const matrix *m, int pixel, int c) { return (double)*matrix_at(m, pixel, c); }

/* ---- Batch normalisation ---- */

/* A mean of thousands must cost no digits of the deviations. */
static void check_moments(const fv_kernels *k, fv_random *r)
{
    const int pixels = random_pixels(r), channels = random_channels(r);
    const float offset = fv_random_int(r, 0, 1) ? 4096.0f : 0.0f;
    matrix x = matrix_create(r, pixels, channels, offset - 1.0f, offset + 1.0f, NAN);
    matrix mean = matrix_output(r, 1, channels), m2 = matrix_output(r, 1, channels);
    k->moments(pixels, channels, x.data, x.stride, mean.data, m2.data);
    for (int c = 0; c < channels; c++) {
        double sum = 0.0, squares = 0.0;
        for (int p = 0; p < pixels; p++) sum += value(&x, p, c);
        for (int p = 0; p < pixels; p++) squares += pow(value(&x, p, c) - sum / pixels, 2.0);
        assert_near(sum / pixels, *matrix_at(&mean, 0, c), (double)offset + 0.5 * pixels + 1.0, 4.0,
                    "mean", 0, c);
        assert_near(squares, *matrix_at(&m2, 0, c), 4.0 * pixels, (double)pixels, "m2", 0, c);
        assert_true(*matrix_at(&m2, 0, c) >= 0.0f);
    }
    matrix_free(&x);
    matrix_free(&mean);
    matrix_free(&m2);
}

static void check_norm_apply(const fv_kernels *k, fv_random *r)
{
    const int pixels = random_pixels(r), channels = random_channels(r);
    const bool in_place = fv_random_int(r, 0, 1), with_residual = fv_random_int(r, 0, 1);
    matrix y = matrix_output(r, pixels, channels), before = matrix_copy(&y);
    matrix z = matrix_output(r, pixels, channels), residual = matrix_input(r, pixels, channels);
    matrix scale = random_vector(r, channels, -6.0f, 6.0f),
           shift = random_vector(r, channels, -4.0f, 4.0f);
    const matrix *out = in_place ? &y : &z;
    const fv_norm job = { .pixels = pixels,
                          .channels = channels,
                          .y = y.data,
                          .y_stride = y.stride,
                          .scale = scale.data,
                          .shift = shift.data,
                          .residual = with_residual ? residual.data : NULL,
                          .residual_stride = residual.stride,
                          .act = random_act(r),
                          .out = out->data,
                          .out_stride = out->stride };
    k->norm_apply(&job);
    for (int p = 0; p < pixels; p++)
        for (int c = 0; c < channels; c++) {
            double u = value(&scale, 0, c) * value(&before, p, c) + value(&shift, 0, c);
            if (with_residual) u += value(&residual, p, c);
            assert_near(act_of(job.act, u), *matrix_at(out, p, c), 16.0, 4.0, "norm_apply", p, c);
        }
    assert_gaps(out, "norm_apply");
    matrix_free(&y);
    matrix_free(&before);
    matrix_free(&z);
    matrix_free(&residual);
    matrix_free(&scale);
    matrix_free(&shift);
}

/* What the two backward kernels share. */
typedef struct backward {
    fv_norm job;
    matrix y, dz, z, scale, shift, mean;
} backward;

static backward backward_create(fv_random *r)
{
    const int pixels = random_pixels(r), channels = random_channels(r);
    backward b = { .y = matrix_input(r, pixels, channels),
                   .dz = matrix_output(r, pixels, channels),
                   .z = matrix_create(r, pixels, channels, -4.0f, 10.0f, NAN),
                   .scale = random_vector(r, channels, -6.0f, 6.0f),
                   .shift = random_vector(r, channels, -4.0f, 8.0f),
                   .mean = random_vector(r, channels, -1.0f, 1.0f) };
    b.job = (fv_norm){ .pixels = pixels,
                       .channels = channels,
                       .act = random_act(r),
                       .y = b.y.data,
                       .y_stride = b.y.stride,
                       .scale = b.scale.data,
                       .shift = b.shift.data,
                       .dz = b.dz.data,
                       .dz_stride = b.dz.stride,
                       .z = fv_random_int(r, 0, 1) ? b.z.data : NULL,
                       .z_stride = b.z.stride,
                       .mean = b.mean.data };
    return b;
}

static void backward_free(backward *b)
{
    matrix_free(&b->y);
    matrix_free(&b->dz);
    matrix_free(&b->z);
    matrix_free(&b->scale);
    matrix_free(&b->shift);
    matrix_free(&b->mean);
}

static double gradient(const backward *b, const matrix *dz, int p, int c)
{
    const double u = b->job.z
                       ? value(&b->z, p, c)
                       : value(&b->scale, 0, c) * value(&b->y, p, c) + value(&b->shift, 0, c);
    return act_open(b->job.act, u) ? value(dz, p, c) : 0.0;
}

static void check_norm_reduce(const fv_kernels *k, fv_random *r)
{
    backward b = backward_create(r);
    matrix sum_g = matrix_output(r, 1, b.job.channels),
           sum_gy = matrix_output(r, 1, b.job.channels);
    b.job.sum_g = sum_g.data;
    b.job.sum_gy = sum_gy.data;
    k->norm_backward_reduce(&b.job);
    for (int c = 0; c < b.job.channels; c++) {
        double g = 0.0, gy = 0.0;
        for (int p = 0; p < b.job.pixels; p++) {
            const double one = gradient(&b, &b.dz, p, c);
            g += one;
            gy += one * (value(&b.y, p, c) - value(&b.mean, 0, c));
        }
        assert_near(g, *matrix_at(&sum_g, 0, c), b.job.pixels, 32.0, "sum_g", 0, c);
        assert_near(gy, *matrix_at(&sum_gy, 0, c), b.job.pixels, 64.0, "sum_gy", 0, c);
    }
    matrix_free(&sum_g);
    matrix_free(&sum_gy);
    backward_free(&b);
}

static void check_norm_backward(const fv_kernels *k, fv_random *r)
{
    backward b = backward_create(r);
    const int pixels = b.job.pixels, channels = b.job.channels;
    const bool in_place = fv_random_int(r, 0, 1), with_residual = fv_random_int(r, 0, 1);
    matrix factors = matrix_create(r, 3, channels, -1.0f, 1.0f, NAN), dz = matrix_copy(&b.dz);
    matrix dy = matrix_output(r, pixels, channels), grad = matrix_output(r, pixels, channels);
    matrix grad_before = matrix_copy(&grad);
    const matrix *out = in_place ? &b.dz : &dy;
    b.job.a = matrix_at(&factors, 0, 0);
    b.job.b = matrix_at(&factors, 1, 0);
    b.job.c = matrix_at(&factors, 2, 0);
    b.job.out = out->data;
    b.job.out_stride = out->stride;
    b.job.residual_grad = with_residual ? grad.data : NULL;
    b.job.residual_grad_stride = grad.stride;
    b.job.residual_accumulate = fv_random_int(r, 0, 1);
    k->norm_backward_apply(&b.job);
    for (int p = 0; p < pixels; p++)
        for (int c = 0; c < channels; c++) {
            const double g = gradient(&b, &dz, p, c);
            const double rest = value(&factors, 1, c) * (value(&b.y, p, c) - value(&b.mean, 0, c));
            const double expected = value(&factors, 0, c) * g + rest + value(&factors, 2, c);
            const double old = value(&grad_before, p, c),
                         sum = b.job.residual_accumulate ? old + g : g;
            assert_near(expected, *matrix_at(out, p, c), 4.0, 4.0, "norm_backward", p, c);
            assert_near(with_residual ? sum : old, *matrix_at(&grad, p, c), 2.0, 1.0, "residual", p,
                        c);
        }
    assert_gaps(out, "norm_backward");
    assert_gaps(&grad, "residual");
    matrix_free(&factors);
    matrix_free(&dz);
    matrix_free(&dy);
    matrix_free(&grad);
    matrix_free(&grad_before);
    backward_free(&b);
}

/* ---- Element by element ---- */

typedef enum map_kind { ACTIVATE, ACTIVATE_BACKWARD, ADD, CHANNEL_SUMS } map_kind;

static double naive_map(map_kind kind, const fv_map *j, double x, double z)
{
    if (kind == ACTIVATE) return act_of(j->act, x);
    if (kind == ACTIVATE_BACKWARD) return act_open(j->act, z) ? x : 0.0;
    return (double)j->factor * (j->z ? x + z : x);
}

static void check_map(const fv_kernels *k, fv_random *r, map_kind kind)
{
    void (*const kernels[])(const fv_map *) = { k->activate, k->activate_backward, k->add };
    const int pixels = random_pixels(r), channels = random_channels(r);
    const bool in_place = kind == ACTIVATE && fv_random_int(r, 0, 1);
    matrix x = matrix_create(r, pixels, channels, -9.0f, 9.0f, KERNEL_GUARD),
           x_before = matrix_copy(&x);
    matrix y = matrix_output(r, pixels, channels),
           z = matrix_create(r, pixels, channels, -9.0f, 9.0f, NAN);
    const matrix *out = in_place ? &x : &y;
    matrix before = matrix_copy(out);
    const fv_map job = { .pixels = pixels,
                         .channels = channels,
                         .x = x.data,
                         .x_stride = x.stride,
                         .z = kind == ACTIVATE_BACKWARD || fv_random_int(r, 0, 1) ? z.data : NULL,
                         .z_stride = z.stride,
                         .y = out->data,
                         .y_stride = out->stride,
                         .factor = fv_random_uniform(r, -2.0f, 2.0f),
                         .act = random_act(r),
                         .accumulate = fv_random_int(r, 0, 1) };
    kernels[kind](&job);
    for (int p = 0; p < pixels; p++)
        for (int c = 0; c < channels; c++) {
            double expected = naive_map(kind, &job, value(&x_before, p, c), value(&z, p, c));
            if (job.accumulate) expected += value(&before, p, c);
            assert_near(expected, *matrix_at(out, p, c), 40.0, 3.0, "map", p, c);
        }
    assert_gaps(out, "map");
    matrix_free(&x);
    matrix_free(&x_before);
    matrix_free(&y);
    matrix_free(&z);
    matrix_free(&before);
}

static void check_activate(const fv_kernels *k, fv_random *r) { check_map(k, r, ACTIVATE); }
static void check_backward(const fv_kernels *k, fv_random *r)
{
    check_map(k, r, ACTIVATE_BACKWARD);
}
static void check_add(const fv_kernels *k, fv_random *r) { check_map(k, r, ADD); }

static void check_channel_sums(const fv_kernels *k, fv_random *r)
{
    const int pixels = random_pixels(r), channels = random_channels(r);
    matrix x = matrix_input(r, pixels, channels), y = matrix_output(r, 1, channels),
           before = matrix_copy(&y);
    const fv_map job = { .pixels = pixels,
                         .channels = channels,
                         .x = x.data,
                         .x_stride = x.stride,
                         .y = y.data,
                         .factor = fv_random_uniform(r, -2.0f, 2.0f),
                         .accumulate = fv_random_int(r, 0, 1) };
    k->channel_sums(&job);
    for (int c = 0; c < channels; c++) {
        double sum = 0.0;
        for (int p = 0; p < pixels; p++) sum += value(&x, p, c);
        const double expected =
            (double)job.factor * sum + (job.accumulate ? value(&before, 0, c) : 0.0);
        assert_near(expected, *matrix_at(&y, 0, c), 2.0 * pixels + 1.0, 32.0, "channel_sums", 0, c);
    }
    matrix_free(&x);
    matrix_free(&y);
    matrix_free(&before);
}

/* A loss that is no number must be seen as such at the end. */
static void test_nan(void **state)
{
    const fv_kernels k = kernels_of(state);
    enum { CHANNELS = 37 };
    float x[CHANNELS], ones[CHANNELS], zeros[CHANNELS] = { 0 }, y[CHANNELS], z[CHANNELS];
    for (int c = 0; c < CHANNELS; c++) {
        x[c] = c % 5 == 0 ? NAN : -1.0f;
        ones[c] = 1.0f;
    }
    for (int act = FV_LINEAR; act <= FV_RELU6; act++) {
        k.activate(&(fv_map){ .pixels = 1,
                              .channels = CHANNELS,
                              .x = x,
                              .x_stride = CHANNELS,
                              .y = y,
                              .y_stride = CHANNELS,
                              .act = (fv_activation)act });
        k.norm_apply(&(fv_norm){ .pixels = 1,
                                 .channels = CHANNELS,
                                 .y = x,
                                 .y_stride = CHANNELS,
                                 .scale = ones,
                                 .shift = zeros,
                                 .act = (fv_activation)act,
                                 .out = z,
                                 .out_stride = CHANNELS });
        for (int c = 0; c < CHANNELS; c++) {
            assert_int_equal(isnan(y[c]) != 0, c % 5 == 0);
            assert_int_equal(isnan(z[c]) != 0, c % 5 == 0);
        }
    }
}

/* ---- SGD ---- */

static void check_sgd(const fv_kernels *k, fv_random *r)
{
    const int count = fv_random_int(r, 0, 100);
    matrix w = matrix_output(r, 1, count + 1), v = matrix_output(r, 1, count + 1),
           grad = matrix_input(r, 1, count + 1);
    if (count > 3) *matrix_at(&w, 0, 3) = 0.0f; /* without a sign */
    matrix w0 = matrix_copy(&w), v0 = matrix_copy(&v);
    const fv_sgd_update job = { .count = (size_t)count,
                                .w = w.data,
                                .v = v.data,
                                .grad = grad.data,
                                .lr = fv_random_float(r),
                                .momentum = fv_random_float(r),
                                .l2 = fv_random_float(r),
                                .l1 = fv_random_int(r, 0, 1) ? fv_random_float(r) : 0.0f,
                                .nesterov = fv_random_int(r, 0, 1) };
    k->sgd(&job);
    for (int i = 0; i < count; i++) {
        const double old = value(&w0, 0, i), sign = (old > 0.0) - (old < 0.0);
        const double d = value(&grad, 0, i) + (double)job.l2 * old + (double)job.l1 * sign;
        const double velocity = (double)job.momentum * value(&v0, 0, i) + d;
        const double step = job.nesterov ? d + (double)job.momentum * velocity : velocity;
        assert_near(velocity, *matrix_at(&v, 0, i), 4.0, 4.0, "velocity", 0, i);
        assert_near(old - (double)job.lr * step, *matrix_at(&w, 0, i), 8.0, 4.0, "weight", 0, i);
    }
    assert_true(*matrix_at(&w, 0, count) == *matrix_at(&w0, 0, count));
    assert_true(*matrix_at(&v, 0, count) == *matrix_at(&v0, 0, count));
    matrix_free(&w);
    matrix_free(&v);
    matrix_free(&grad);
    matrix_free(&w0);
    matrix_free(&v0);
}

static void rounds(void **state, const char *name, void (*check)(const fv_kernels *, fv_random *))
{
    const fv_kernels k = kernels_of(state);
    fv_random r = fv_random_stream(4, FV_RANDOM_TEST, 0, fv_random_hash(name));
    for (int i = 0; i < ROUNDS; i++) check(&k, &r);
}

static void test_moments(void **state) { rounds(state, "moments", check_moments); }
static void test_norm_apply(void **state) { rounds(state, "norm_apply", check_norm_apply); }
static void test_norm_reduce(void **state) { rounds(state, "norm_reduce", check_norm_reduce); }
static void test_norm_backward(void **state)
{
    rounds(state, "norm_backward", check_norm_backward);
}
static void test_activate(void **state) { rounds(state, "activate", check_activate); }
static void test_backward(void **state) { rounds(state, "activate_backward", check_backward); }
static void test_add(void **state) { rounds(state, "add", check_add); }
static void test_channel_sums(void **state) { rounds(state, "channel_sums", check_channel_sums); }
static void test_sgd(void **state) { rounds(state, "sgd", check_sgd); }

int main(void)
{
    static const kernel_test tests[] = {
        { "moments", test_moments },
        { "norm_apply", test_norm_apply },
        { "norm_backward_reduce", test_norm_reduce },
        { "norm_backward_apply", test_norm_backward },
        { "activate", test_activate },
        { "activate_backward", test_backward },
        { "add", test_add },
        { "channel_sums", test_channel_sums },
        { "nan", test_nan },
        { "sgd", test_sgd },
    };
    return kernel_tests_run(tests, FV_ARRAY_LEN(tests));
}
