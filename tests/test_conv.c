/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution, on shapes drawn at random (conv_specimen.h): the scalar kernels against sums in
 * double, every vector variant against the scalar one, and every result, bit for bit, against the
 * same one computed in pieces.
 */
#include "testing.h"

#include "conv_specimen.h"

#include "base/compiler.h"
#include "base/cpu.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROUNDS = 400 };

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

static void check_forward(fv_random *r, const fv_kernels *k, const fv_kernels *scalar,
                          const specimen *s)
{
    plane y = plane_make(r, s->y.pixels, s->c.out_c, SPECIMEN_GUARD), pieces = plane_copy(&y);
    plane expected = plane_copy(&y);
    const int channel = cut_channels(r, &s->c, s->c.out_c);
    float *packed = pack(k, s, true, NULL, channel);
    run_forward(k, s, packed, &y, y.pixels, y.channels);
    run_forward(k, s, packed, &pieces, fv_random_int(r, 0, y.pixels), channel);
    specimen_assert_same(s, "forward", pieces.at, y.at, y.floats);
    fv_free(packed);
    if (scalar) {
        packed = pack(scalar, s, true, NULL, s->c.out_c);
        run_forward(scalar, s, packed, &expected, y.pixels, y.channels);
        fv_free(packed);
    } else
        specimen_forward(s, &expected);
    specimen_assert_planes(s, "forward", &expected, &y, s->taps * s->group_in);
    fv_free(expected.block);
    fv_free(pieces.block);
    fv_free(y.block);
}

static void check_data(fv_random *r, const fv_kernels *k, const fv_kernels *scalar,
                       const specimen *s)
{
    plane dx = plane_make(r, s->x.pixels, s->c.in_c, SPECIMEN_GUARD), pieces = plane_copy(&dx);
    plane expected = plane_copy(&dx);
    const int channel = cut_channels(r, &s->c, s->c.in_c);
    const int rows = s->c.window.n * s->c.window.in_h;
    float *packed = pack(k, s, false, NULL, channel);
    run_data(k, s, packed, &dx, rows, dx.channels);
    run_data(k, s, packed, &pieces, fv_random_int(r, 0, rows), channel);
    specimen_assert_same(s, "backward data", pieces.at, dx.at, dx.floats);
    fv_free(packed);
    if (scalar) {
        packed = pack(scalar, s, false, NULL, s->c.in_c);
        run_data(scalar, s, packed, &expected, rows, dx.channels);
        fv_free(packed);
    } else
        specimen_data(s, &expected);
    specimen_assert_planes(s, "backward data", &expected, &dx, s->taps * s->group_out);
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
    specimen_assert_same(s, "backward weights", pieces, dw, s->weights);
    if (scalar)
        run_weights(scalar, s, expected, cut, s->c.out_c, s->c.in_c);
    else
        specimen_weights(s, expected);
    for (size_t i = 0; i < s->weights; i++)
        specimen_assert_close(s, "backward weights", (double)expected[i], (double)dw[i],
                              s->y.pixels, i);
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
    plane y = plane_make(r, s->y.pixels, s->c.out_c, SPECIMEN_GUARD), scaled = plane_copy(&y);
    float *packed = pack(k, s, true, NULL, s->c.out_c);
    run_forward(k, &plain, packed, &y, y.pixels, y.channels);
    fv_free(packed);
    packed = pack(k, s, true, scale, cut_channels(r, &s->c, s->c.out_c));
    run_forward(k, &plain, packed, &scaled, y.pixels, y.channels);
    fv_free(packed);
    for (int p = 0; p < y.pixels; p++)
        for (int o = 0; o < y.channels; o++) y.at[(ptrdiff_t)p * y.stride + o] *= scale[o];
    specimen_assert_same(s, "scaled by powers of two", scaled.at, y.at, y.floats);
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
        specimen s = specimen_make(&r);
        checks[t->check].fn(&r, &k, cpu ? &scalar : NULL, &s);
        specimen_free(&s);
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
