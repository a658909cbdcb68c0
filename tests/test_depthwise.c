/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution: every variant against sums in double, on shapes drawn at random. */
#include "kernel_testing.h"

enum { ROUNDS = 300 };

typedef struct problem {
    fv_window window;
    int channels;
    matrix x, y; /* input and output images */
    float *w;    /* [kernel_h][kernel_w][channels] */
} problem;

static fv_window random_window(fv_random *r)
{
    for (;;) {
        fv_window w = { .n = fv_random_int(r, 1, 3),
                        .in_h = fv_random_int(r, 1, 13),
                        .in_w = fv_random_int(r, 1, 29),
                        .kernel_h = fv_random_int(r, 1, 5),
                        .kernel_w = fv_random_int(r, 1, 5),
                        .stride_h = fv_random_int(r, 1, 3),
                        .stride_w = fv_random_int(r, 1, 3),
                        .dilation_h = fv_random_int(r, 1, 3),
                        .dilation_w = fv_random_int(r, 1, 3) };
        if (fv_random_int(r, 0, 1)) { /* what models use, more often than not */
            w.kernel_h = w.kernel_w = 3;
            w.stride_h = w.stride_w = fv_random_int(r, 1, 2);
            w.dilation_h = w.dilation_w = fv_random_int(r, 0, 3) ? 1 : 2;
        }
        w.pad_h = fv_random_int(r, 0, (w.kernel_h - 1) * w.dilation_h);
        w.pad_w = fv_random_int(r, 0, (w.kernel_w - 1) * w.dilation_w);
        w.out_h = (w.in_h + 2 * w.pad_h - (w.kernel_h - 1) * w.dilation_h - 1) / w.stride_h + 1;
        w.out_w = (w.in_w + 2 * w.pad_w - (w.kernel_w - 1) * w.dilation_w - 1) / w.stride_w + 1;
        if (w.out_h > 0 && w.out_w > 0) return w;
    }
}

static problem problem_create(fv_random *r)
{
    problem p = { .window = random_window(r), .channels = fv_random_int(r, 1, 50) };
    const fv_window *w = &p.window;
    const size_t weights = (size_t)(w->kernel_h * w->kernel_w) * (size_t)p.channels;
    p.x = matrix_input(r, w->n * w->in_h * w->in_w, p.channels);
    p.y = matrix_input(r, w->n * w->out_h * w->out_w, p.channels);
    p.w = malloc(weights * sizeof(float));
    assert_non_null(p.w);
    for (size_t i = 0; i < weights; i++) p.w[i] = fv_random_uniform(r, -1.0f, 1.0f);
    return p;
}

static void problem_free(problem *p)
{
    matrix_free(&p->x);
    matrix_free(&p->y);
    free(p->w);
}

/* Input pixel under tap (ky, kx) of output pixel `out`, or -1 in the padding. */
static int input_pixel(const fv_window *w, int out, int ky, int kx)
{
    const int ox = out % w->out_w, oy = out / w->out_w % w->out_h, n = out / w->out_w / w->out_h;
    const int iy = oy * w->stride_h - w->pad_h + ky * w->dilation_h;
    const int ix = ox * w->stride_w - w->pad_w + kx * w->dilation_w;
    if (iy < 0 || iy >= w->in_h || ix < 0 || ix >= w->in_w) return -1;
    return (n * w->in_h + iy) * w->in_w + ix;
}

/* What one tap of one output pixel adds: to an output, an input, or a weight. */
typedef enum target { TO_OUTPUT, TO_INPUT, TO_WEIGHT } target;

/* All sums over output rows [row0, row1), in double, and beside each that of its absolute terms. */
static void naive(const problem *p, target to, int row0, int row1, double *sums, double *sizes)
{
    const fv_window *w = &p->window;
    for (int out = row0 * w->out_w; out < row1 * w->out_w; out++)
        for (int k = 0; k < w->kernel_h * w->kernel_w; k++) {
            const int in = input_pixel(w, out, k / w->kernel_w, k % w->kernel_w);
            if (in < 0) continue;
            for (int c = 0; c < p->channels; c++) {
                const double x = (double)*matrix_at(&p->x, in, c),
                             y = (double)*matrix_at(&p->y, out, c),
                             weight = (double)p->w[k * p->channels + c];
                const double term = to == TO_OUTPUT ? x * weight
                                  : to == TO_INPUT  ? y * weight
                                                    : x * y;
                const int i = to == TO_OUTPUT ? out : to == TO_INPUT ? in : k;
                sums[i * p->channels + c] += term;
                sizes[i * p->channels + c] += fabs(term);
            }
        }
}

/* Rows [0, rows) in three parts, the middle one first: the parts must not know each other. */
static void run_in_parts(void (*kernel)(const fv_depthwise *), fv_depthwise *job, fv_random *r,
                         int rows)
{
    int a = fv_random_int(r, 0, rows), b = fv_random_int(r, 0, rows);
    if (a > b) {
        const int swap = a;
        a = b;
        b = swap;
    }
    const int parts[3][2] = { { a, b }, { 0, a }, { b, rows } };
    for (int i = 0; i < 3; i++) {
        job->row0 = parts[i][0];
        job->row1 = parts[i][1];
        kernel(job);
    }
}

static double *zeros(int count)
{
    double *block = calloc((size_t)count, sizeof(double));
    assert_non_null(block);
    return block;
}

static void check_forward(const fv_kernels *k, fv_random *r)
{
    problem p = problem_create(r);
    const int count = p.y.pixels * p.channels;
    double *sums = zeros(count), *sizes = zeros(count);
    matrix y = matrix_output(r, p.y.pixels, p.channels);
    matrix bias = matrix_input(r, 1, p.channels),
           residual = matrix_input(r, p.y.pixels, p.channels);
    const bool with_bias = fv_random_int(r, 0, 1), with_residual = fv_random_int(r, 0, 1);
    fv_depthwise job = { .window = &p.window,
                         .channels = p.channels,
                         .x = p.x.data,
                         .x_stride = p.x.stride,
                         .w = p.w,
                         .y = y.data,
                         .y_stride = y.stride,
                         .epilogue = { .bias = with_bias ? bias.data : NULL,
                                       .residual = with_residual ? residual.data : NULL,
                                       .residual_stride = residual.stride,
                                       .act = (fv_activation)fv_random_int(r, 0, 2) } };
    run_in_parts(k->depthwise_forward, &job, r, p.window.n * p.window.out_h);

    naive(&p, TO_OUTPUT, 0, p.window.n * p.window.out_h, sums, sizes);
    for (int i = 0; i < count; i++) {
        const int pixel = i / p.channels, c = i % p.channels;
        if (with_bias) sums[i] += (double)bias.data[c];
        if (with_residual) sums[i] += (double)*matrix_at(&residual, pixel, c);
        const double expected = act_of(job.epilogue.act, sums[i]);
        assert_near(expected, *matrix_at(&y, pixel, c), sizes[i] + 2.0, 32.0, "forward", pixel, c);
    }
    assert_gaps(&y, "forward");
    matrix_free(&y);
    matrix_free(&bias);
    matrix_free(&residual);
    free(sums);
    free(sizes);
    problem_free(&p);
}

static void check_backward_data(const fv_kernels *k, fv_random *r)
{
    problem p = problem_create(r);
    const int count = p.x.pixels * p.channels;
    double *sums = zeros(count), *sizes = zeros(count);
    matrix dx = matrix_output(r, p.x.pixels, p.channels), before = matrix_copy(&dx);
    fv_depthwise job = { .window = &p.window,
                         .channels = p.channels,
                         .x = p.y.data,
                         .x_stride = p.y.stride,
                         .w = p.w,
                         .y = dx.data,
                         .y_stride = dx.stride,
                         .accumulate = fv_random_int(r, 0, 1) };
    run_in_parts(k->depthwise_backward_data, &job, r, p.window.n * p.window.in_h);

    naive(&p, TO_INPUT, 0, p.window.n * p.window.out_h, sums, sizes);
    for (int i = 0; i < count; i++) {
        const int pixel = i / p.channels, c = i % p.channels;
        if (job.accumulate) sums[i] += (double)*matrix_at(&before, pixel, c);
        assert_near(sums[i], *matrix_at(&dx, pixel, c), sizes[i] + 1.0, 32.0, "backward_data",
                    pixel, c);
    }
    assert_gaps(&dx, "backward_data");
    matrix_free(&dx);
    matrix_free(&before);
    free(sums);
    free(sizes);
    problem_free(&p);
}

static void check_backward_weights(const fv_kernels *k, fv_random *r)
{
    problem p = problem_create(r);
    const int taps = p.window.kernel_h * p.window.kernel_w, count = taps * p.channels;
    const int rows = p.window.n * p.window.out_h, row1 = fv_random_int(r, 0, rows);
    double *sums = zeros(count), *sizes = zeros(count);
    /* dense, with a guard behind it */
    float *const guarded = malloc(((size_t)count + 1) * sizeof(float));
    assert_non_null(guarded);
    for (int i = 0; i <= count; i++) guarded[i] = i < count ? 0.25f : KERNEL_GUARD;
    fv_depthwise job = { .window = &p.window,
                         .channels = p.channels,
                         .x = p.x.data,
                         .x_stride = p.x.stride,
                         .w = p.y.data,
                         .w_stride = p.y.stride,
                         .y = guarded,
                         .row0 = fv_random_int(r, 0, row1),
                         .row1 = row1,
                         .accumulate = fv_random_int(r, 0, 1) };
    k->depthwise_backward_weights(&job);

    naive(&p, TO_WEIGHT, job.row0, job.row1, sums, sizes);
    for (int i = 0; i < count; i++) {
        if (job.accumulate) sums[i] += 0.25;
        assert_near(sums[i], guarded[i], sizes[i] + 1.0, 64.0, "backward_weights", i / p.channels,
                    i % p.channels);
    }
    assert_true(guarded[count] == KERNEL_GUARD);
    free(guarded);
    free(sums);
    free(sizes);
    problem_free(&p);
}

static void rounds(void **state, const char *name, void (*check)(const fv_kernels *, fv_random *))
{
    const fv_kernels k = kernels_of(state);
    fv_random r = fv_random_stream(2, FV_RANDOM_TEST, 0, fv_random_hash(name));
    for (int i = 0; i < ROUNDS; i++) check(&k, &r);
}

static void test_forward(void **state) { rounds(state, "forward", check_forward); }
static void test_backward_data(void **state) { rounds(state, "data", check_backward_data); }
static void test_backward_weights(void **state)
{
    rounds(state, "weights", check_backward_weights);
}

/* One NaN in the input must reach the output through every activation. */
static void test_nan(void **state)
{
    const fv_kernels k = kernels_of(state);
    const fv_window window = { .n = 1,
                               .in_h = 3,
                               .in_w = 12,
                               .out_h = 3,
                               .out_w = 12,
                               .kernel_h = 3,
                               .kernel_w = 3,
                               .stride_h = 1,
                               .stride_w = 1,
                               .pad_h = 1,
                               .pad_w = 1,
                               .dilation_h = 1,
                               .dilation_w = 1 };
    enum { CHANNELS = 19 };
    float x[36 * CHANNELS], w[9 * CHANNELS], y[36 * CHANNELS];
    testing_fill("x", x, FV_ARRAY_LEN(x));
    testing_fill("w", w, FV_ARRAY_LEN(w));
    x[14 * CHANNELS + 3] = x[14 * CHANNELS + 18] = NAN;
    for (int act = FV_LINEAR; act <= FV_RELU6; act++) {
        k.depthwise_forward(&(fv_depthwise){ .window = &window,
                                             .channels = CHANNELS,
                                             .x = x,
                                             .x_stride = CHANNELS,
                                             .w = w,
                                             .y = y,
                                             .y_stride = CHANNELS,
                                             .row1 = 3,
                                             .epilogue = { .act = (fv_activation)act } });
        for (int i = 0; i < 36 * CHANNELS; i++) {
            const int column = i / CHANNELS % 12, c = i % CHANNELS;
            const bool touched = (c == 3 || c == 18) && column >= 1 && column <= 3;
            assert_int_equal(isnan(y[i]) != 0, touched);
        }
    }
}

int main(void)
{
    static const kernel_test tests[] = {
        { "forward", test_forward },
        { "backward_data", test_backward_data },
        { "backward_weights", test_backward_weights },
        { "nan", test_nan },
    };
    return kernel_tests_run(tests, FV_ARRAY_LEN(tests));
}
