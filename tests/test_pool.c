/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling: every variant against the definition in double, on shapes drawn at random. */
#include "kernel_testing.h"

enum { ROUNDS = 300 };

/* Every window holds a pixel of the image; with ceil windows the last may be ragged. */
static fv_window random_window(fv_random *r)
{
    for (;;) {
        fv_window w = { .n = fv_random_int(r, 1, 3),
                        .in_h = fv_random_int(r, 1, 13),
                        .in_w = fv_random_int(r, 1, 13),
                        .kernel_h = fv_random_int(r, 1, 5),
                        .kernel_w = fv_random_int(r, 1, 5),
                        .stride_h = fv_random_int(r, 1, 4),
                        .stride_w = fv_random_int(r, 1, 4),
                        .dilation_h = 1,
                        .dilation_w = 1 };
        w.pad_h = fv_random_int(r, 0, w.kernel_h / 2);
        w.pad_w = fv_random_int(r, 0, w.kernel_w / 2);
        const int ceil_h = fv_random_int(r, 0, 1) ? w.stride_h - 1 : 0;
        const int ceil_w = fv_random_int(r, 0, 1) ? w.stride_w - 1 : 0;
        w.out_h = (w.in_h + 2 * w.pad_h - w.kernel_h + ceil_h) / w.stride_h + 1;
        w.out_w = (w.in_w + 2 * w.pad_w - w.kernel_w + ceil_w) / w.stride_w + 1;
        if ((w.out_h - 1) * w.stride_h >= w.in_h + w.pad_h) w.out_h--;
        if ((w.out_w - 1) * w.stride_w >= w.in_w + w.pad_w) w.out_w--;
        const bool fits = w.in_h + 2 * w.pad_h >= w.kernel_h && w.in_w + 2 * w.pad_w >= w.kernel_w;
        if (fits && w.out_h > 0 && w.out_w > 0) return w;
    }
}

/* Input pixel under tap k of output pixel `out`, or -1 in the padding. */
static int input_pixel(const fv_window *w, int out, int k)
{
    const int ox = out % w->out_w, oy = out / w->out_w % w->out_h, n = out / w->out_w / w->out_h;
    const int iy = oy * w->stride_h - w->pad_h + k / w->kernel_w;
    const int ix = ox * w->stride_w - w->pad_w + k % w->kernel_w;
    if (iy < 0 || iy >= w->in_h || ix < 0 || ix >= w->in_w) return -1;
    return (n * w->in_h + iy) * w->in_w + ix;
}

/* What the average of output pixel `out` divides by. */
static int divisor(const fv_window *w, int out, bool count_padding)
{
    const int y0 = out / w->out_w % w->out_h * w->stride_h - w->pad_h;
    const int x0 = out % w->out_w * w->stride_w - w->pad_w;
    int count = 0;
    for (int k = 0; k < w->kernel_h * w->kernel_w; k++) {
        const int iy = y0 + k / w->kernel_w, ix = x0 + k % w->kernel_w;
        count += count_padding ? iy < w->in_h + w->pad_h && ix < w->in_w + w->pad_w
                               : input_pixel(w, out, k) >= 0;
    }
    return count;
}

/* Few different values, so that equal ones meet; now and then one that is no number. */
static void quantize(fv_random *r, matrix *m)
{
    const bool special = fv_random_int(r, 0, 3) == 0;
    for (int p = 0; p < m->pixels; p++)
        for (int c = 0; c < m->channels; c++) {
            float *x = matrix_at(m, p, c);
            *x = floorf(*x * 4.0f) / 4.0f;
            if (!special) continue;
            const int dice = fv_random_int(r, 0, 40);
            if (dice < 3) *x = dice == 0 ? NAN : dice == 1 ? INFINITY : -INFINITY;
        }
}

static uint8_t *taps_create(int count)
{
    uint8_t *taps = malloc((size_t)count + 1);
    assert_non_null(taps);
    memset(taps, 0xee, (size_t)count + 1);
    return taps;
}

static void run_in_parts(void (*kernel)(const fv_pool *), fv_pool *job, fv_random *r, int rows)
{
    const int middle = fv_random_int(r, 0, rows);
    job->row0 = middle;
    job->row1 = rows;
    kernel(job);
    job->row0 = 0;
    job->row1 = middle;
    kernel(job);
}

/* The first of the largest values of a window, or the first NaN. */
static int naive_tap(const fv_window *w, const matrix *x, int out, int c)
{
    int best = -1;
    for (int k = 0; k < w->kernel_h * w->kernel_w; k++) {
        const int in = input_pixel(w, out, k);
        if (in < 0) continue;
        const float value = *matrix_at(x, in, c);
        const float so_far = best < 0 ? 0.0f : *matrix_at(x, input_pixel(w, out, best), c);
        if (best < 0 || value > so_far || (isnan(value) && !isnan(so_far))) best = k;
    }
    return best;
}

static void check_max_forward(const fv_kernels *k, fv_random *r)
{
    const fv_window w = random_window(r);
    const int channels = fv_random_int(r, 1, 50), outputs = w.n * w.out_h * w.out_w;
    matrix x = matrix_input(r, w.n * w.in_h * w.in_w, channels),
           y = matrix_output(r, outputs, channels);
    uint8_t *taps = fv_random_int(r, 0, 2) ? taps_create(outputs * channels) : NULL;
    quantize(r, &x);
    fv_pool job = { .window = &w,
                    .channels = channels,
                    .x = x.data,
                    .x_stride = x.stride,
                    .y = y.data,
                    .y_stride = y.stride,
                    .tap = taps };
    run_in_parts(k->max_pool_forward, &job, r, w.n * w.out_h);

    for (int out = 0; out < outputs; out++)
        for (int c = 0; c < channels; c++) {
            const int tap = naive_tap(&w, &x, out, c);
            const float expected = *matrix_at(&x, input_pixel(&w, out, tap), c);
            const float actual = *matrix_at(&y, out, c);
            if (!(actual == expected || (isnan(actual) && isnan(expected))))
                fail_msg("max: pixel %d, channel %d: %.9g, expected %.9g", out, c, (double)actual,
                         (double)expected);
            if (taps) assert_int_equal(taps[out * channels + c], tap);
        }
    if (taps) assert_int_equal(taps[outputs * channels], 0xee);
    assert_gaps(&y, "max");
    matrix_free(&x);
    matrix_free(&y);
    free(taps);
}

static void check_avg_forward(const fv_kernels *k, fv_random *r)
{
    const fv_window w = random_window(r);
    const int channels = fv_random_int(r, 1, 50), outputs = w.n * w.out_h * w.out_w;
    matrix x = matrix_input(r, w.n * w.in_h * w.in_w, channels),
           y = matrix_output(r, outputs, channels);
    fv_pool job = { .window = &w,
                    .channels = channels,
                    .x = x.data,
                    .x_stride = x.stride,
                    .y = y.data,
                    .y_stride = y.stride,
                    .count_padding = fv_random_int(r, 0, 1) };
    run_in_parts(k->avg_pool_forward, &job, r, w.n * w.out_h);

    for (int out = 0; out < outputs; out++)
        for (int c = 0; c < channels; c++) {
            double sum = 0.0;
            for (int t = 0; t < w.kernel_h * w.kernel_w; t++) {
                const int in = input_pixel(&w, out, t);
                if (in >= 0) sum += (double)*matrix_at(&x, in, c);
            }
            assert_near(sum / divisor(&w, out, job.count_padding), *matrix_at(&y, out, c), 1.0,
                        32.0, "average", out, c);
        }
    assert_gaps(&y, "average");
    matrix_free(&x);
    matrix_free(&y);
}

/* dx (+)= what each output hands back: all to its tap, or to all pixels alike if `taps` is NULL. */
static void naive_backward(const fv_pool *job, const matrix *dy, const uint8_t *taps, double *sums)
{
    const fv_window *w = job->window;
    for (int out = 0; out < dy->pixels; out++)
        for (int k = 0; k < w->kernel_h * w->kernel_w; k++) {
            const int in = input_pixel(w, out, k);
            if (in < 0) continue;
            for (int c = 0; c < dy->channels; c++) {
                const double g = (double)*matrix_at(dy, out, c);
                if (!taps)
                    sums[in * dy->channels + c] += g / divisor(w, out, job->count_padding);
                else if (taps[out * dy->channels + c] == k)
                    sums[in * dy->channels + c] += g;
            }
        }
}

static void check_backward(const fv_kernels *k, fv_random *r, bool max)
{
    const fv_window w = random_window(r);
    const int channels = fv_random_int(r, 1, 50);
    const int inputs = w.n * w.in_h * w.in_w, outputs = w.n * w.out_h * w.out_w;
    matrix x = matrix_input(r, inputs, channels), dy = matrix_input(r, outputs, channels);
    matrix dx = matrix_output(r, inputs, channels), before = matrix_copy(&dx);
    uint8_t *taps = max ? taps_create(outputs * channels) : NULL;
    double *sums = calloc((size_t)inputs * (size_t)channels, sizeof(double));
    assert_non_null(sums);
    quantize(r, &x);
    for (int i = 0; taps && i < outputs * channels; i++)
        taps[i] = (uint8_t)naive_tap(&w, &x, i / channels, i % channels);
    fv_pool job = { .window = &w,
                    .channels = channels,
                    .x = dy.data,
                    .x_stride = dy.stride,
                    .y = dx.data,
                    .y_stride = dx.stride,
                    .tap = taps,
                    .count_padding = fv_random_int(r, 0, 1),
                    .accumulate = fv_random_int(r, 0, 1) };
    run_in_parts(max ? k->max_pool_backward : k->avg_pool_backward, &job, r, w.n);

    naive_backward(&job, &dy, taps, sums);
    for (int i = 0; i < inputs * channels; i++) {
        const int pixel = i / channels, c = i % channels;
        if (job.accumulate) sums[i] += (double)*matrix_at(&before, pixel, c);
        assert_near(sums[i], *matrix_at(&dx, pixel, c), 8.0, 32.0,
                    max ? "max back" : "average back", pixel, c);
    }
    assert_gaps(&dx, "backward");
    matrix_free(&x);
    matrix_free(&dy);
    matrix_free(&dx);
    matrix_free(&before);
    free(taps);
    free(sums);
}

static void check_max_backward(const fv_kernels *k, fv_random *r) { check_backward(k, r, true); }
static void check_avg_backward(const fv_kernels *k, fv_random *r) { check_backward(k, r, false); }

static void rounds(void **state, const char *name, void (*check)(const fv_kernels *, fv_random *))
{
    const fv_kernels k = kernels_of(state);
    fv_random r = fv_random_stream(3, FV_RANDOM_TEST, 0, fv_random_hash(name));
    for (int i = 0; i < ROUNDS; i++) check(&k, &r);
}

static void test_max_forward(void **state) { rounds(state, "max", check_max_forward); }
static void test_max_backward(void **state) { rounds(state, "max back", check_max_backward); }
static void test_avg_forward(void **state) { rounds(state, "avg", check_avg_forward); }
static void test_avg_backward(void **state) { rounds(state, "avg back", check_avg_backward); }

int main(void)
{
    static const kernel_test tests[] = {
        { "max_forward", test_max_forward },
        { "max_backward", test_max_backward },
        { "avg_forward", test_avg_forward },
        { "avg_backward", test_avg_backward },
    };
    return kernel_tests_run(tests, FV_ARRAY_LEN(tests));
}
