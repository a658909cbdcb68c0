/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution, on shapes drawn at random: the scalar kernels against sums in double, every vector
 * variant against the scalar one, and every result, bit for bit, against the same one computed in
 * pieces.
 *
 * Buffers are laid out to catch what usually goes wrong. They are exactly as long as they must be.
 * Pixel strides exceed the channels: the gap holds NaN in inputs, which would spread, and a guard
 * value in outputs, which must survive. Pointers are off every alignment but a float's.
 */
#include "testing.h"

#include "base/compiler.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROUNDS = 250, MOST_PRODUCTS = 300000 };
static const float GUARD = 12345.0f;

/* ---- Specimens ---------------------------------------------------------------------- */

typedef struct plane {
    float *block, *at; /* the first pixel lies off alignment in its block */
    int pixels, channels, stride;
    size_t floats; /* from `at` to the end */
} plane;

typedef struct specimen {
    fv_conv c;
    int taps, group_in, group_out;
    plane x, y, residual; /* inputs; y stands for dy too */
    float *w, *bias;
    size_t weights;
    fv_activation act;
    bool with_bias, with_residual, accumulate;
} specimen;

static int pick(fv_random *r, const int *from, int count)
{
    return from[fv_random_int(r, 0, count - 1)];
}

static plane make_plane(fv_random *r, int pixels, int channels, float gap)
{
    plane p = { .pixels = pixels, .channels = channels };
    const int shift = fv_random_int(r, 0, 3);
    p.stride = channels + fv_random_int(r, 0, 1) * fv_random_int(r, 1, 20);
    p.floats = (size_t)(pixels - 1) * (size_t)p.stride + (size_t)channels;
    p.block = fv_alloc((p.floats + (size_t)shift) * sizeof(float));
    assert_non_null(p.block);
    p.at = p.block + shift;
    for (size_t i = 0; i < p.floats; i++)
        p.at[i] = i % (size_t)p.stride < (size_t)channels ? fv_random_uniform(r, -1.0f, 1.0f) : gap;
    return p;
}

static plane copy_plane(const plane *from)
{
    plane p = *from;
    const size_t bytes = (p.floats + (size_t)(from->at - from->block)) * sizeof(float);
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
    static const int wide[] = { 1, 3, 5, 8, 16, 17, 26, 32, 33, 48, 64, 65, 104, 130, 208 };
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

static specimen make_specimen(fv_random *r)
{
    specimen s = { .c = random_conv(r) };
    const fv_window *w = &s.c.window;
    s.taps = w->kernel_h * w->kernel_w;
    s.group_in = s.c.in_c / s.c.groups;
    s.group_out = s.c.out_c / s.c.groups;
    s.weights = (size_t)s.c.out_c * (size_t)s.group_in * (size_t)s.taps;
    s.x = make_plane(r, w->n * w->in_h * w->in_w, s.c.in_c, NAN);
    s.y = make_plane(r, w->n * w->out_h * w->out_w, s.c.out_c, NAN);
    s.residual = make_plane(r, s.y.pixels, s.c.out_c, NAN);
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

static void free_specimen(specimen *s)
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

static void describe(const specimen *s)
{
    const fv_window *w = &s->c.window;
    print_message("%d x %d x %d x %d (stride %d) to %d x %d x %d (stride %d), %d groups, window "
                  "%d x %d, stride %d x %d, pad %d x %d, dilation %d x %d\n",
                  w->n, w->in_h, w->in_w, s->c.in_c, s->x.stride, w->out_h, w->out_w, s->c.out_c,
                  s->y.stride, s->c.groups, w->kernel_h, w->kernel_w, w->stride_h, w->stride_w,
                  w->pad_h, w->pad_w, w->dilation_h, w->dilation_w);
}

/* Of factors in [-1, 1), 4 ulp per product has never been reached. */
static void assert_close(const specimen *s, const char *what, double expected, double actual,
                         double products, size_t at)
{
    const double bound = 4.0 * (products + 4.0) * 0x1p-23;
    if (fabs(expected - actual) <= bound) return;
    describe(s);
    fail_msg("%s, float %zu: %.9g, expected %.9g", what, at, actual, expected);
}

static void assert_same(const specimen *s, const char *what, const float *a, const float *b,
                        size_t floats)
{
    for (size_t i = 0; i < floats; i++)
        if (memcmp(&a[i], &b[i], sizeof(float)) != 0) {
            describe(s);
            fail_msg("%s, in pieces, float %zu: %.9g, in one %.9g", what, i, (double)a[i],
                     (double)b[i]);
        }
}

/* Two planes of one layout. */
static void assert_planes(const specimen *s, const char *what, const plane *expected,
                          const plane *actual, double products)
{
    for (size_t i = 0; i < actual->floats; i++)
        if (i % (size_t)actual->stride < (size_t)actual->channels)
            assert_close(s, what, (double)expected->at[i], (double)actual->at[i], products, i);
        else if (actual->at[i] != GUARD) {
            describe(s);
            fail_msg("%s wrote into the gap at float %zu", what, i);
        }
}

/* ---- Running ---------------------------------------------------------------------------- */

static void *scratch_for(const fv_kernels *k, const fv_conv *c)
{
    const size_t bytes = k->conv_scratch_bytes(c);
    unsigned char *scratch = fv_alloc(bytes);
    assert_non_null(scratch);
    memset(scratch, 0x7f, bytes); /* large floats: nothing may be taken for zero */
    return scratch;
}

static int cut_channels(fv_random *r, const fv_conv *c, int channels)
{
    if (c->groups > 1) return channels;
    return fv_min(channels, fv_random_int(r, 0, channels / FV_CONV_BLOCK) * FV_CONV_BLOCK);
}

/* Pixels [0, all) and channels [0, all) in up to four pieces. */
static void run_forward(const fv_kernels *k, const specimen *s, const float *packed, plane *y,
                        int pixel, int channel)
{
    void *scratch = scratch_for(k, &s->c);
    const int pixels[] = { 0, pixel, y->pixels }, channels[] = { 0, channel, y->channels };
    for (int piece = 0; piece < 4; piece++) {
        const fv_conv_forward job = {
            .conv = &s->c,
            .x = s->x.at,
            .x_stride = s->x.stride,
            .packed = packed,
            .y = y->at,
            .y_stride = y->stride,
            .pixel0 = pixels[piece / 2],
            .pixel1 = pixels[piece / 2 + 1],
            .channel0 = channels[piece % 2],
            .channel1 = channels[piece % 2 + 1],
            .epilogue = { .bias = s->with_bias ? s->bias : NULL,
                          .residual = s->with_residual ? s->residual.at : NULL,
                          .residual_stride = s->residual.stride,
                          .act = s->act },
            .scratch = scratch,
        };
        if (job.pixel0 < job.pixel1 && job.channel0 < job.channel1) k->conv_forward(&job);
    }
    fv_free(scratch);
}

static void run_data(const fv_kernels *k, const specimen *s, const float *packed, plane *dx,
                     int row, int channel)
{
    void *scratch = scratch_for(k, &s->c);
    const int rows[] = { 0, row, s->c.window.n * s->c.window.in_h };
    const int channels[] = { 0, channel, dx->channels };
    for (int piece = 0; piece < 4; piece++) {
        const fv_conv_backward_data job = {
            .conv = &s->c,
            .dy = s->y.at,
            .dy_stride = s->y.stride,
            .packed = packed,
            .dx = dx->at,
            .dx_stride = dx->stride,
            .row0 = rows[piece / 2],
            .row1 = rows[piece / 2 + 1],
            .channel0 = channels[piece % 2],
            .channel1 = channels[piece % 2 + 1],
            .accumulate = s->accumulate,
            .scratch = scratch,
        };
        if (job.row0 < job.row1 && job.channel0 < job.channel1) k->conv_backward_data(&job);
    }
    fv_free(scratch);
}

/* One range of pixels into one partial, in four pieces of channels. */
static void run_partial(const fv_kernels *k, const specimen *s, float *partial, const int pixels[2],
                        int out, int in, bool accumulate)
{
    void *scratch = scratch_for(k, &s->c);
    const int outs[] = { 0, out, s->c.out_c }, ins[] = { 0, in, s->c.in_c };
    for (int piece = 0; piece < 4; piece++) {
        const fv_conv_backward_weights job = {
            .conv = &s->c,
            .x = s->x.at,
            .x_stride = s->x.stride,
            .dy = s->y.at,
            .dy_stride = s->y.stride,
            .partial = partial,
            .pixel0 = pixels[0],
            .pixel1 = pixels[1],
            .out0 = outs[piece / 2],
            .out1 = outs[piece / 2 + 1],
            .in0 = ins[piece % 2],
            .in1 = ins[piece % 2 + 1],
            .accumulate = accumulate,
            .scratch = scratch,
        };
        if (job.out0 < job.out1 && job.in0 < job.in1) k->conv_backward_weights(&job);
    }
    fv_free(scratch);
}

/* Two partials: pixels [0, a), then [a, b) and, added, [b, all); reduced in two pieces. */
static void run_weights(const fv_kernels *k, const specimen *s, float *dw, const int cut[2],
                        int out, int in)
{
    const size_t floats = k->conv_partial_floats(&s->c), stride = floats + 5;
    float *partials = fv_alloc((stride + floats) * sizeof(float));
    assert_non_null(partials);
    memset(partials, 0x7f, (stride + floats) * sizeof(float));
    run_partial(k, s, partials, (int[]){ 0, cut[0] }, out, in, false);
    run_partial(k, s, partials + stride, (int[]){ cut[0], cut[1] }, out, in, false);
    run_partial(k, s, partials + stride, (int[]){ cut[1], s->y.pixels }, out, in, true);
    const int outs[] = { 0, out, s->c.out_c };
    for (int piece = 0; piece < 2; piece++) {
        const fv_conv_reduce job = { .conv = &s->c,
                                     .partials = partials,
                                     .count = 2,
                                     .partial_stride = stride,
                                     .dw = dw,
                                     .accumulate = s->accumulate,
                                     .out0 = outs[piece],
                                     .out1 = outs[piece + 1] };
        if (job.out0 < job.out1) k->conv_reduce(&job);
    }
    fv_free(partials);
}

static float *pack(const fv_kernels *k, const specimen *s, bool forward, const float *scale,
                   int channel)
{
    const fv_conv *c = &s->c;
    const size_t floats =
        forward ? k->conv_packed_forward_floats(c) : k->conv_packed_backward_floats(c);
    float *packed = fv_alloc(floats * sizeof(float));
    assert_non_null(packed);
    memset(packed, 0x7f, floats * sizeof(float));
    const int cuts[] = { 0, channel, forward ? c->out_c : c->in_c };
    for (int piece = 0; piece < 2; piece++)
        if (forward)
            k->conv_pack_forward(c, s->w, scale, packed, cuts[piece], cuts[piece + 1]);
        else
            k->conv_pack_backward(c, s->w, packed, cuts[piece], cuts[piece + 1]);
    return packed;
}

/* ---- Checks: `k` against sums in double, or, if given, against `scalar` ------------------- */

typedef void check_fn(fv_random *r, const fv_kernels *k, const fv_kernels *scalar,
                      const specimen *s);

/* y, which holds what was there before, becomes the definition's result. */
static void define_forward(const specimen *s, plane *y)
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

static void define_data(const specimen *s, plane *dx)
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

static void define_weights(const specimen *s, float *dw)
{
    double *sum = sums(s, product_weights, s->weights);
    for (size_t i = 0; i < s->weights; i++)
        dw[i] = (float)(s->accumulate ? (double)dw[i] + sum[i] : sum[i]);
    fv_free(sum);
}

static void check_forward(fv_random *r, const fv_kernels *k, const fv_kernels *scalar,
                          const specimen *s)
{
    plane y = make_plane(r, s->y.pixels, s->c.out_c, GUARD), pieces = copy_plane(&y);
    plane expected = copy_plane(&y);
    const int channel = cut_channels(r, &s->c, s->c.out_c);
    float *packed = pack(k, s, true, NULL, channel);
    run_forward(k, s, packed, &y, y.pixels, y.channels);
    run_forward(k, s, packed, &pieces, fv_random_int(r, 0, y.pixels), channel);
    assert_same(s, "forward", pieces.at, y.at, y.floats);
    fv_free(packed);
    if (scalar) {
        packed = pack(scalar, s, true, NULL, s->c.out_c);
        run_forward(scalar, s, packed, &expected, y.pixels, y.channels);
        fv_free(packed);
    } else
        define_forward(s, &expected);
    assert_planes(s, "forward", &expected, &y, s->taps * s->group_in);
    fv_free(expected.block);
    fv_free(pieces.block);
    fv_free(y.block);
}

static void check_data(fv_random *r, const fv_kernels *k, const fv_kernels *scalar,
                       const specimen *s)
{
    plane dx = make_plane(r, s->x.pixels, s->c.in_c, GUARD), pieces = copy_plane(&dx);
    plane expected = copy_plane(&dx);
    const int channel = cut_channels(r, &s->c, s->c.in_c);
    const int rows = s->c.window.n * s->c.window.in_h;
    float *packed = pack(k, s, false, NULL, channel);
    run_data(k, s, packed, &dx, rows, dx.channels);
    run_data(k, s, packed, &pieces, fv_random_int(r, 0, rows), channel);
    assert_same(s, "backward data", pieces.at, dx.at, dx.floats);
    fv_free(packed);
    if (scalar) {
        packed = pack(scalar, s, false, NULL, s->c.in_c);
        run_data(scalar, s, packed, &expected, rows, dx.channels);
        fv_free(packed);
    } else
        define_data(s, &expected);
    assert_planes(s, "backward data", &expected, &dx, s->taps * s->group_out);
    fv_free(expected.block);
    fv_free(pieces.block);
    fv_free(dx.block);
}

static void check_weights(fv_random *r, const fv_kernels *k, const fv_kernels *scalar,
                          const specimen *s)
{
    float *dw = fv_alloc(3 * s->weights * sizeof(float));
    assert_non_null(dw);
    float *pieces = dw + s->weights, *expected = pieces + s->weights;
    for (size_t i = 0; i < s->weights; i++)
        dw[i] = pieces[i] = expected[i] = fv_random_uniform(r, -1.0f, 1.0f);
    const int a = fv_random_int(r, 0, s->y.pixels), b = fv_random_int(r, a, s->y.pixels);
    const int cut[2] = { a, b };
    run_weights(k, s, dw, cut, s->c.out_c, s->c.in_c);
    run_weights(k, s, pieces, cut, cut_channels(r, &s->c, s->c.out_c),
                cut_channels(r, &s->c, s->c.in_c));
    assert_same(s, "backward weights", pieces, dw, s->weights);
    if (scalar)
        run_weights(scalar, s, expected, cut, s->c.out_c, s->c.in_c);
    else
        define_weights(s, expected);
    for (size_t i = 0; i < s->weights; i++)
        assert_close(s, "backward weights", (double)expected[i], (double)dw[i], s->y.pixels, i);
    fv_free(dw);
}

/* Scaled weights give scaled results: as if an epilogue multiplied. */
static void check_scale(fv_random *r, const fv_kernels *k, const fv_kernels *scalar,
                        const specimen *s)
{
    (void)scalar;
    specimen plain = *s;
    plain.act = FV_LINEAR;
    plain.with_bias = plain.with_residual = false;
    float *scale = fv_alloc((size_t)s->c.out_c * sizeof(float));
    assert_non_null(scale);
    for (int o = 0; o < s->c.out_c; o++) scale[o] = ldexpf(1.0f, fv_random_int(r, -3, 3));
    plane y = make_plane(r, s->y.pixels, s->c.out_c, GUARD), scaled = copy_plane(&y);
    float *packed = pack(k, s, true, NULL, s->c.out_c);
    run_forward(k, &plain, packed, &y, y.pixels, y.channels);
    fv_free(packed);
    packed = pack(k, s, true, scale, cut_channels(r, &s->c, s->c.out_c));
    run_forward(k, &plain, packed, &scaled, y.pixels, y.channels);
    fv_free(packed);
    for (int p = 0; p < y.pixels; p++)
        for (int o = 0; o < y.channels; o++) y.at[(ptrdiff_t)p * y.stride + o] *= scale[o];
    assert_same(s, "scaled by powers of two", scaled.at, y.at, y.floats);
    fv_free(scale);
    fv_free(scaled.block);
    fv_free(y.block);
}

/* ---- The list ------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    check_fn *fn;
} checks[] = {
    { "forward", check_forward },
    { "backward data", check_data },
    { "backward weights", check_weights },
    { "scale", check_scale },
};

static const struct {
    const char *name;
    unsigned cpu;
} variants[] = {
    { "scalar", FV_CPU_SCALAR },
    { "avx2", FV_CPU_AVX2 },
    { "avx512", FV_CPU_AVX2 | FV_CPU_AVX512 },
};

enum { CHECKS = FV_ARRAY_LEN(checks), VARIANTS = FV_ARRAY_LEN(variants) };

typedef struct test_case {
    char name[64];
    int check, variant;
} test_case;

static void test_rounds(void **state)
{
    const test_case *t = *state;
    const unsigned cpu = variants[t->variant].cpu;
    if ((fv_cpu_detect() & cpu) != cpu) skip();

    fv_kernels scalar, k;
    fv_kernels_init(&scalar, FV_CPU_SCALAR);
    fv_kernels_init(&k, cpu);
    fv_random r = fv_random_stream(1, FV_RANDOM_TEST, 0, fv_random_hash(checks[t->check].name));
    for (int round = 0; round < ROUNDS; round++) {
        specimen s = make_specimen(&r);
        checks[t->check].fn(&r, &k, cpu ? &scalar : NULL, &s);
        free_specimen(&s);
    }
}

int main(void)
{
    static test_case cases[CHECKS * VARIANTS];
    struct CMUnitTest tests[CHECKS * VARIANTS];
    for (int i = 0; i < CHECKS * VARIANTS; i++) {
        test_case *t = &cases[i];
        t->check = i % CHECKS;
        t->variant = i / CHECKS;
        snprintf(t->name, sizeof(t->name), "%s, %s", variants[t->variant].name,
                 checks[t->check].name);
        tests[i] = (struct CMUnitTest){ t->name, test_rounds, NULL, NULL, t };
    }
    return cmocka_run_group_tests_name("convolution", tests, NULL, NULL);
}
