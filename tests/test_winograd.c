/* SPDX-License-Identifier: Apache-2.0 */
/* Winograd's way against the definition of convolution, on random shapes with gaps and guards
 * (conv_specimen.h), and every result, bit for bit, against the same one computed in pieces. */
#include "testing.h"

#include "conv_specimen.h"

#include "base/compiler.h"
#include "base/cpu.h"
#include "base/memory.h"

#include <string.h>

enum { ROUNDS = 150, ERROR_FACTOR = 8 }; /* its transforms round too */

static fv_conv random_conv(fv_random *r, const fv_kernels *k)
{
    static const int channels[] = { 8, 13, 16, 17, 26, 32, 48, 52, 64, 65, 104, 160 };
    for (;;) {
        fv_conv c = { .groups = 1 };
        c.in_c = channels[fv_random_int(r, 0, FV_ARRAY_LEN(channels) - 1)];
        c.out_c = channels[fv_random_int(r, 0, FV_ARRAY_LEN(channels) - 1)];
        fv_window *w = &c.window;
        *w = (fv_window){ fv_random_int(r, 1, 3),
                          fv_random_int(r, 3, 15),
                          fv_random_int(r, 3, 33),
                          0,
                          0,
                          3,
                          3,
                          1,
                          1,
                          fv_random_int(r, 0, 2),
                          fv_random_int(r, 0, 2),
                          1,
                          1 };
        w->out_h = w->in_h + 2 * w->pad_h - 2;
        w->out_w = w->in_w + 2 * w->pad_w - 2;
        if (k->winograd_fits(&c)) return c;
    }
}

static void *filled(size_t bytes)
{
    void *p = fv_alloc(bytes);
    assert_non_null(p);
    memset(p, 0x7f, bytes); /* large floats: nothing may be taken for zero */
    return p;
}

static int cut_channels(fv_random *r, int channels)
{
    return fv_min(channels, fv_random_int(r, 0, channels / FV_CONV_BLOCK) * FV_CONV_BLOCK);
}

static int tile_rows(const fv_conv *c) { return c->window.n * fv_winograd_rows(&c->window); }

/* ---- Sweeps --------------------------------------------------------------------------- */

/* Packed in two pieces. */
static float *pack(const fv_kernels *k, const specimen *s, const float *scale, bool mirrored,
                   int channel)
{
    float *packed = filled(k->winograd_packed_floats(&s->c) * sizeof(float));
    const int cuts[] = { 0, channel, mirrored ? s->c.in_c : s->c.out_c };
    for (int piece = 0; piece < 2; piece++)
        k->winograd_pack(&s->c, s->w, scale, mirrored, packed, cuts[piece], cuts[piece + 1]);
    return packed;
}

/* All of y in four pieces, cut at a tile row and a channel. */
static void sweep(const fv_kernels *k, const fv_conv *c, const plane *x, const float *packed,
                  fv_epilogue epilogue, plane *y, int row, int channel)
{
    void *scratch = filled(k->winograd_scratch_bytes(c));
    const int rows[] = { 0, row, tile_rows(c) }, channels[] = { 0, channel, c->out_c };
    for (int piece = 0; piece < 4; piece++) {
        const fv_winograd_sweep job = { .conv = c,
                                        .x = x->at,
                                        .x_stride = x->stride,
                                        .packed = packed,
                                        .y = y->at,
                                        .y_stride = y->stride,
                                        .row0 = rows[piece / 2],
                                        .row1 = rows[piece / 2 + 1],
                                        .channel0 = channels[piece % 2],
                                        .channel1 = channels[piece % 2 + 1],
                                        .epilogue = epilogue,
                                        .scratch = scratch };
        if (job.channel0 < job.channel1) k->winograd_sweep(&job);
    }
    fv_free(scratch);
}

static void check_forward(fv_random *r, const fv_kernels *k, const specimen *s)
{
    plane y = plane_make(r, s->y.pixels, s->c.out_c, SPECIMEN_GUARD), pieces = plane_copy(&y);
    plane expected = plane_copy(&y);
    const fv_epilogue e = { .bias = s->with_bias ? s->bias : NULL,
                            .residual = s->with_residual ? s->residual.at : NULL,
                            .residual_stride = s->residual.stride,
                            .act = s->act };
    const int channel = cut_channels(r, s->c.out_c);
    float *packed = pack(k, s, NULL, false, channel);
    sweep(k, &s->c, &s->x, packed, e, &y, 0, 0);
    sweep(k, &s->c, &s->x, packed, e, &pieces, fv_random_int(r, 0, tile_rows(&s->c)), channel);
    specimen_assert_same(s, "forward", pieces.at, y.at, y.floats);
    specimen_forward(s, &expected);
    specimen_assert_planes(s, "forward", &expected, &y, ERROR_FACTOR * 9 * s->c.in_c);
    fv_free(packed);
    fv_free(expected.block);
    fv_free(pieces.block);
    fv_free(y.block);
}

static void check_data(fv_random *r, const fv_kernels *k, const specimen *s)
{
    const fv_conv mirror = fv_winograd_mirror(&s->c);
    if (!k->winograd_fits(&mirror)) return;
    plane dx = plane_make(r, s->x.pixels, s->c.in_c, SPECIMEN_GUARD), pieces = plane_copy(&dx);
    plane expected = plane_copy(&dx);
    fv_epilogue e = { .residual = s->accumulate ? dx.at : NULL, .residual_stride = dx.stride };
    const int channel = cut_channels(r, s->c.in_c);
    float *packed = pack(k, s, NULL, true, channel);
    sweep(k, &mirror, &s->y, packed, e, &dx, 0, 0);
    if (s->accumulate) e.residual = pieces.at;
    sweep(k, &mirror, &s->y, packed, e, &pieces, fv_random_int(r, 0, tile_rows(&mirror)), channel);
    specimen_assert_same(s, "backward data", pieces.at, dx.at, dx.floats);
    specimen_data(s, &expected);
    specimen_assert_planes(s, "backward data", &expected, &dx, ERROR_FACTOR * 9 * s->c.out_c);
    fv_free(packed);
    fv_free(expected.block);
    fv_free(pieces.block);
    fv_free(dx.block);
}

/* ---- Weights -------------------------------------------------------------------------- */

static void run_partial(const fv_kernels *k, const specimen *s, float *partial, int row0, int row1,
                        int out, int in)
{
    void *scratch = filled(k->winograd_scratch_bytes(&s->c));
    const int outs[] = { 0, out, s->c.out_c }, ins[] = { 0, in, s->c.in_c };
    for (int piece = 0; piece < 4; piece++) {
        const fv_winograd_weights job = { .conv = &s->c,
                                          .x = s->x.at,
                                          .dy = s->y.at,
                                          .x_stride = s->x.stride,
                                          .dy_stride = s->y.stride,
                                          .partial = partial,
                                          .row0 = row0,
                                          .row1 = row1,
                                          .out0 = outs[piece / 2],
                                          .out1 = outs[piece / 2 + 1],
                                          .in0 = ins[piece % 2],
                                          .in1 = ins[piece % 2 + 1],
                                          .scratch = scratch };
        if (job.out0 < job.out1 && job.in0 < job.in1) k->winograd_backward_weights(&job);
    }
    fv_free(scratch);
}

/* Two partials, of the tile rows before and from `row` on; reduced in two pieces. */
static void run_weights(const fv_kernels *k, const specimen *s, float *dw, int row, int out, int in)
{
    const size_t floats = k->winograd_partial_floats(&s->c), stride = floats + 5;
    float *partials = filled((stride + floats) * sizeof(float));
    run_partial(k, s, partials, 0, row, out, in);
    run_partial(k, s, partials + stride, row, tile_rows(&s->c), out, in);
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
        if (job.out0 < job.out1) k->winograd_reduce(&job);
    }
    fv_free(partials);
}

static void check_weights(fv_random *r, const fv_kernels *k, const specimen *s)
{
    float *dw = fv_alloc(3 * s->weights * sizeof(float));
    assert_non_null(dw);
    float *pieces = dw + s->weights, *expected = pieces + s->weights;
    for (size_t i = 0; i < s->weights; i++)
        dw[i] = pieces[i] = expected[i] = fv_random_uniform(r, -1.0f, 1.0f);
    const int row = fv_random_int(r, 0, tile_rows(&s->c));
    run_weights(k, s, dw, row, s->c.out_c, s->c.in_c);
    run_weights(k, s, pieces, row, cut_channels(r, s->c.out_c), cut_channels(r, s->c.in_c));
    specimen_assert_same(s, "backward weights", pieces, dw, s->weights);
    specimen_weights(s, expected);
    for (size_t i = 0; i < s->weights; i++)
        specimen_assert_close(s, "backward weights", (double)expected[i], (double)dw[i],
                              ERROR_FACTOR * s->y.pixels, i);
    fv_free(dw);
}

/* Scaled weights give scaled results. */
static void check_scale(fv_random *r, const fv_kernels *k, const specimen *s)
{
    float *scale = fv_alloc((size_t)s->c.out_c * sizeof(float));
    assert_non_null(scale);
    for (int o = 0; o < s->c.out_c; o++) scale[o] = o % 2 ? 4.0f : 0.5f;
    plane y = plane_make(r, s->y.pixels, s->c.out_c, SPECIMEN_GUARD), scaled = plane_copy(&y);
    float *plain = pack(k, s, NULL, false, 0), *packed = pack(k, s, scale, false, 0);
    const fv_epilogue none = { .act = FV_LINEAR };
    sweep(k, &s->c, &s->x, plain, none, &y, 0, 0);
    sweep(k, &s->c, &s->x, packed, none, &scaled, 0, 0);
    for (int p = 0; p < y.pixels; p++)
        for (int o = 0; o < y.channels; o++) y.at[(ptrdiff_t)p * y.stride + o] *= scale[o];
    specimen_assert_same(s, "scaled by powers of two", scaled.at, y.at, y.floats);
    fv_free(plain);
    fv_free(packed);
    fv_free(scale);
    fv_free(scaled.block);
    fv_free(y.block);
}

/* ---- The list --------------------------------------------------------------------------- */

typedef void check_fn(fv_random *r, const fv_kernels *k, const specimen *s);

static void rounds(unsigned cpu, check_fn *check)
{
    if ((fv_cpu_detect() & cpu) != cpu) skip();
    fv_kernels k;
    fv_kernels_init(&k, cpu);
    fv_random r = fv_random_stream(1, FV_RANDOM_TEST, 0, fv_random_hash("winograd"));
    for (int round = 0; round < ROUNDS; round++) {
        specimen s = specimen_of(&r, random_conv(&r, &k));
        check(&r, &k, &s);
        specimen_free(&s);
    }
}

#define WINOGRAD_TESTS(isa, cpu) \
    static void test_forward_##isa(void **state) \
    { \
        (void)state; \
        rounds(cpu, check_forward); \
    } \
    static void test_data_##isa(void **state) \
    { \
        (void)state; \
        rounds(cpu, check_data); \
    } \
    static void test_weights_##isa(void **state) \
    { \
        (void)state; \
        rounds(cpu, check_weights); \
    } \
    static void test_scale_##isa(void **state) \
    { \
        (void)state; \
        rounds(cpu, check_scale); \
    }

WINOGRAD_TESTS(avx2, FV_CPU_AVX2)
WINOGRAD_TESTS(avx512, FV_CPU_AVX2 | FV_CPU_AVX512)

static void test_scalar_has_none(void **state)
{
    (void)state;
    fv_kernels k;
    fv_kernels_init(&k, FV_CPU_SCALAR);
    const fv_conv c = { { 1, 56, 56, 56, 56, 3, 3, 1, 1, 1, 1, 1, 1 }, 64, 64, 1 };
    assert_false(k.winograd_fits(&c));
}

static void test_which_fit(void **state)
{
    (void)state;
    if (!(fv_cpu_detect() & FV_CPU_AVX2)) skip();
    fv_kernels k;
    fv_kernels_init(&k, FV_CPU_AVX2);
    const fv_conv wide = { { 1, 56, 56, 56, 56, 3, 3, 1, 1, 1, 1, 1, 1 }, 64, 64, 1 };
    assert_true(k.winograd_fits(&wide));
    fv_conv c = wide;
    c.window.stride_h = c.window.stride_w = 2;
    assert_false(k.winograd_fits(&c));
    c = wide;
    c.window.kernel_h = 1;
    assert_false(k.winograd_fits(&c));
    c = wide;
    c.window.dilation_w = 2;
    assert_false(k.winograd_fits(&c));
    c = wide;
    c.groups = 2;
    assert_false(k.winograd_fits(&c));
    c = wide;
    c.in_c = 3;
    assert_false(k.winograd_fits(&c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward_avx2),    cmocka_unit_test(test_data_avx2),
        cmocka_unit_test(test_weights_avx2),    cmocka_unit_test(test_scale_avx2),
        cmocka_unit_test(test_forward_avx512),  cmocka_unit_test(test_data_avx512),
        cmocka_unit_test(test_weights_avx512),  cmocka_unit_test(test_scale_avx512),
        cmocka_unit_test(test_scalar_has_none), cmocka_unit_test(test_which_fit),
    };
    return cmocka_run_group_tests_name("winograd", tests, NULL, NULL);
}
