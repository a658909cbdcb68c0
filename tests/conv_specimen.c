/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "conv_specimen.h"

#include "base/compiler.h"
#include "base/memory.h"

#include <math.h>
#include <string.h>

enum { MOST_PRODUCTS = 300000, TAIL = 16 }; /* floats guarded after the end of a plane */

static int pick(fv_random *r, const int *from, int count)
{
    return from[fv_random_int(r, 0, count - 1)];
}

/* Whether float i is of a channel, and not of a gap or after the end. */
static bool plane_has(const plane *p, size_t i)
{
    return i < p->floats && i % (size_t)p->stride < (size_t)p->channels;
}

plane plane_make(fv_random *r, int pixels, int channels, float gap)
{
    plane p = { .pixels = pixels, .channels = channels };
    const int shift = fv_random_int(r, 0, 3);
    p.stride = channels + fv_random_int(r, 0, 1) * fv_random_int(r, 1, 20);
    p.floats = (size_t)(pixels - 1) * (size_t)p.stride + (size_t)channels;
    p.block = fv_alloc((p.floats + TAIL + (size_t)shift) * sizeof(float));
    assert_non_null(p.block);
    p.at = p.block + shift;
    for (size_t i = 0; i < p.floats + TAIL; i++)
        p.at[i] = plane_has(&p, i) ? fv_random_uniform(r, -1.0f, 1.0f) : gap;
    return p;
}

plane plane_copy(const plane *from)
{
    plane p = *from;
    const size_t bytes = (p.floats + TAIL + (size_t)(from->at - from->block)) * sizeof(float);
    p.block = fv_alloc(bytes);
    assert_non_null(p.block);
    memcpy(p.block, from->block, bytes);
    p.at = p.block + (from->at - from->block);
    return p;
}

static int outputs(int in, int kernel, int stride, int pad, int dilation)
{
    const int room = in + 2 * pad - dilation * (kernel - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
}

static fv_window random_window(fv_random *r)
{
    static const int kernels[] = { 1, 1, 1, 2, 3, 3, 3, 4, 5, 7 };
    for (;;) {
        fv_window w = { .n = fv_random_int(r, 1, 3),
                        .in_h = fv_random_int(r, 1, 17),
                        .in_w = fv_random_int(r, 1, 40),
                        .kernel_h = pick(r, kernels, FV_ARRAY_LEN(kernels)),
                        .kernel_w = pick(r, kernels, FV_ARRAY_LEN(kernels)),
                        .stride_h = fv_random_int(r, 1, 3),
                        .stride_w = fv_random_int(r, 1, 3),
                        .dilation_h = fv_random_int(r, 1, 2),
                        .dilation_w = fv_random_int(r, 1, 2) };
        if (fv_random_int(r, 0, 2)) w.kernel_w = w.kernel_h;
        if (fv_random_int(r, 0, 2)) w.stride_w = w.stride_h;
        w.pad_h = fv_random_int(r, 0, w.kernel_h);
        w.pad_w = fv_random_int(r, 0, w.kernel_w);
        w.out_h = outputs(w.in_h, w.kernel_h, w.stride_h, w.pad_h, w.dilation_h);
        w.out_w = outputs(w.in_w, w.kernel_w, w.stride_w, w.pad_w, w.dilation_w);
        if (w.out_h > 0 && w.out_w > 0) return w;
    }
}

static fv_conv random_conv(fv_random *r)
{
    static const int wide[] = { 1,  3,  5,  8,  11, 16, 17, 22,  26,  28,
                                32, 33, 36, 48, 52, 64, 65, 104, 130, 208 };
    static const int narrow[] = { 1, 2, 3, 4, 4, 8, 8, 13, 16, 32, 40 };
    for (;;) {
        fv_conv c = { .window = random_window(r), .groups = 1 };
        if (fv_random_int(r, 0, 3)) {
            c.in_c = pick(r, wide, FV_ARRAY_LEN(wide));
            c.out_c = pick(r, wide, FV_ARRAY_LEN(wide));
        } else {
            c.groups = fv_random_int(r, 2, 13);
            c.in_c = c.groups * pick(r, narrow, FV_ARRAY_LEN(narrow));
            c.out_c =
                fv_random_int(r, 0, 1) ? c.in_c : c.groups * pick(r, narrow, FV_ARRAY_LEN(narrow));
        }
        const fv_window *w = &c.window;
        const double products = (double)w->n * w->out_h * w->out_w * w->kernel_h * w->kernel_w *
                                c.in_c * c.out_c / c.groups;
        if (products <= MOST_PRODUCTS) return c;
    }
}

specimen specimen_make(fv_random *r) { return specimen_of(r, random_conv(r)); }

specimen specimen_of(fv_random *r, fv_conv c)
{
    specimen s = { .c = c };
    const fv_window *w = &s.c.window;
    s.taps = w->kernel_h * w->kernel_w;
    s.group_in = s.c.in_c / s.c.groups;
    s.group_out = s.c.out_c / s.c.groups;
    s.weights = (size_t)s.c.out_c * (size_t)s.group_in * (size_t)s.taps;
    s.x = plane_make(r, w->n * w->in_h * w->in_w, s.c.in_c, NAN);
    s.y = plane_make(r, w->n * w->out_h * w->out_w, s.c.out_c, NAN);
    s.residual = plane_make(r, s.y.pixels, s.c.out_c, NAN);
    s.w = fv_alloc(s.weights * sizeof(float));
    s.bias = fv_alloc((size_t)s.c.out_c * sizeof(float));
    for (size_t i = 0; i < s.weights; i++) s.w[i] = fv_random_uniform(r, -1.0f, 1.0f);
    for (int i = 0; i < s.c.out_c; i++) s.bias[i] = fv_random_uniform(r, -1.0f, 1.0f);
    s.act = (fv_activation)fv_random_int(r, FV_LINEAR, FV_RELU6);
    s.with_bias = fv_random_int(r, 0, 1);
    s.with_residual = fv_random_int(r, 0, 1);
    s.accumulate = fv_random_int(r, 0, 1);
    return s;
}

void specimen_free(specimen *s)
{
    fv_free(s->x.block);
    fv_free(s->y.block);
    fv_free(s->residual.block);
    fv_free(s->w);
    fv_free(s->bias);
}

/* ---- The definition, in double ------------------------------------------------------ */

/* Calls fn for every product of the convolution. */
typedef void product_fn(const specimen *s, ptrdiff_t x, ptrdiff_t w, ptrdiff_t y, double *out);

static void each_product(const specimen *s, product_fn *fn, double *out)
{
    const fv_window *w = &s->c.window;
    for (int p = 0; p < s->y.pixels; p++)
        for (int tap = 0; tap < s->taps; tap++) {
            const int n = p / (w->out_h * w->out_w);
            const int iy = p / w->out_w % w->out_h * w->stride_h - w->pad_h +
                           tap / w->kernel_w * w->dilation_h;
            const int ix =
                p % w->out_w * w->stride_w - w->pad_w + tap % w->kernel_w * w->dilation_w;
            if (iy < 0 || iy >= w->in_h || ix < 0 || ix >= w->in_w) continue;
            const ptrdiff_t pixel = (ptrdiff_t)(n * w->in_h + iy) * w->in_w + ix;
            for (int o = 0; o < s->c.out_c; o++)
                for (int i = 0; i < s->group_in; i++)
                    fn(s, pixel * s->x.stride + o / s->group_out * s->group_in + i,
                       ((ptrdiff_t)o * s->group_in + i) * s->taps + tap,
                       (ptrdiff_t)p * s->y.stride + o, out);
        }
}

static void product_forward(const specimen *s, ptrdiff_t x, ptrdiff_t w, ptrdiff_t y, double *out)
{
    out[y] += (double)s->x.at[x] * (double)s->w[w];
}

static void product_data(const specimen *s, ptrdiff_t x, ptrdiff_t w, ptrdiff_t y, double *out)
{
    out[x] += (double)s->y.at[y] * (double)s->w[w];
}

static void product_weights(const specimen *s, ptrdiff_t x, ptrdiff_t w, ptrdiff_t y, double *out)
{
    out[w] += (double)s->y.at[y] * (double)s->x.at[x];
}

static double *sums(const specimen *s, product_fn *fn, size_t floats)
{
    double *out = fv_alloc(floats * sizeof(double));
    assert_non_null(out);
    each_product(s, fn, out);
    return out;
}

/* ---- Comparing ------------------------------------------------------------------------ */

static void specimen_describe(const specimen *s)
{
    const fv_window *w = &s->c.window;
    print_message("%d x %d x %d x %d (stride %d) to %d x %d x %d (stride %d), %d groups, window "
                  "%d x %d, stride %d x %d, pad %d x %d, dilation %d x %d\n",
                  w->n, w->in_h, w->in_w, s->c.in_c, s->x.stride, w->out_h, w->out_w, s->c.out_c,
                  s->y.stride, s->c.groups, w->kernel_h, w->kernel_w, w->stride_h, w->stride_w,
                  w->pad_h, w->pad_w, w->dilation_h, w->dilation_w);
}

/* Of factors in [-1, 1), 4 ulp per product has never been reached. */
void specimen_assert_close(const specimen *s, const char *what, double expected, double actual,
                           double products, size_t at)
{
    const double bound = 4.0 * (products + 4.0) * 0x1p-23;
    if (fabs(expected - actual) <= bound) return;
    specimen_describe(s);
    fail_msg("%s, float %zu: %.9g, expected %.9g", what, at, actual, expected);
}

void specimen_assert_same(const specimen *s, const char *what, const float *a, const float *b,
                          size_t floats)
{
    for (size_t i = 0; i < floats; i++)
        if (memcmp(&a[i], &b[i], sizeof(float)) != 0) {
            specimen_describe(s);
            fail_msg("%s, in pieces, float %zu: %.9g, in one %.9g", what, i, (double)a[i],
                     (double)b[i]);
        }
}

/* Two planes of one layout. */
void specimen_assert_planes(const specimen *s, const char *what, const plane *expected,
                            const plane *actual, double products)
{
    for (size_t i = 0; i < actual->floats + TAIL; i++)
        if (plane_has(actual, i))
            specimen_assert_close(s, what, (double)expected->at[i], (double)actual->at[i], products,
                                  i);
        else if (actual->at[i] != SPECIMEN_GUARD) {
            specimen_describe(s);
            fail_msg("%s wrote into a gap at float %zu", what, i);
        }
}

/* y, which holds what was there before, becomes the definition's result. */
void specimen_forward(const specimen *s, plane *y)
{
    double *sum = sums(s, product_forward, s->y.floats);
    for (int p = 0; p < y->pixels; p++)
        for (int o = 0; o < y->channels; o++) {
            double v = sum[(ptrdiff_t)p * s->y.stride + o];
            if (s->with_bias) v += (double)s->bias[o];
            if (s->with_residual)
                v += (double)s->residual.at[(ptrdiff_t)p * s->residual.stride + o];
            if (s->act != FV_LINEAR) v = fmax(v, 0.0);
            if (s->act == FV_RELU6) v = fmin(v, 6.0);
            y->at[(ptrdiff_t)p * y->stride + o] = (float)v;
        }
    fv_free(sum);
}

void specimen_data(const specimen *s, plane *dx)
{
    double *sum = sums(s, product_data, s->x.floats);
    for (int p = 0; p < dx->pixels; p++)
        for (int i = 0; i < dx->channels; i++) {
            float *at = &dx->at[(ptrdiff_t)p * dx->stride + i];
            const double v = sum[(ptrdiff_t)p * s->x.stride + i];
            *at = (float)(s->accumulate ? (double)*at + v : v);
        }
    fv_free(sum);
}

void specimen_weights(const specimen *s, float *dw)
{
    double *sum = sums(s, product_weights, s->weights);
    for (size_t i = 0; i < s->weights; i++)
        dw[i] = (float)(s->accumulate ? (double)dw[i] + sum[i] : sum[i]);
    fv_free(sum);
}
