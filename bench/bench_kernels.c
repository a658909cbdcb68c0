/* SPDX-License-Identifier: Apache-2.0 */
/* bench/bench_kernels.c - how fast the kernels are, on layers of our models, in one thread.
 *
 *     bench_kernels [--filter TEXT] [--cpu scalar|avx2|avx512] [--seconds S]
 *
 * Convolutions: GFLOP/s and percent of the measured multiply-add peak; forward, backward to the
 * input, backward to the weights; where Winograd's way fits, a second line, with the flops of
 * the direct one. Depthwise convolutions and pooling, which memory bounds: GB/s,
 * counting each tensor once. The best of many runs of at least S seconds together.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/roofline.h"
#include "kernels/kernels.h"

typedef enum kind { CONV, WINOGRAD, DEPTHWISE, MAX_POOL, AVG_POOL } kind;

typedef struct layer {
    const char *name;
    kind kind;
    int n, h, w, in_c, out_c, kernel_h, kernel_w, stride, pad_h, pad_w, dilation, groups;
} layer;

/* clang-format off */
static const layer layers[] = {
    /* name                        kind       n    h    w   in  out kh kw  s ph pw  d  g */
    { "dla34 3x3 64 56",           CONV,      4,  56,  56,  64,  64, 3, 3, 1, 1, 1, 1, 1 },
    { "dla34 3x3 128 28",          CONV,      8,  28,  28, 128, 128, 3, 3, 1, 1, 1, 1, 1 },
    { "dla34 3x3 256 14",          CONV,      8,  14,  14, 256, 256, 3, 3, 1, 1, 1, 1, 1 },
    { "dla34 3x3 512 7",           CONV,     16,   7,   7, 512, 512, 3, 3, 1, 1, 1, 1, 1 },
    { "dla34 3x3 16 224",          CONV,      1, 224, 224,  16,  16, 3, 3, 1, 1, 1, 1, 1 },
    { "dla34 3x3/2 64-128 56",     CONV,      4,  56,  56,  64, 128, 3, 3, 2, 1, 1, 1, 1 },
    { "dla34 1x1 448-256 14",      CONV,      8,  14,  14, 448, 256, 1, 1, 1, 0, 0, 1, 1 },
    { "res2net 3x3 26 56",         CONV,      4,  56,  56,  26,  26, 3, 3, 1, 1, 1, 1, 1 },
    { "res2net 3x3 52 28",         CONV,      8,  28,  28,  52,  52, 3, 3, 1, 1, 1, 1, 1 },
    { "res2net 3x3 104 14",        CONV,     16,  14,  14, 104, 104, 3, 3, 1, 1, 1, 1, 1 },
    { "res2net 3x3 208 7",         CONV,     16,   7,   7, 208, 208, 3, 3, 1, 1, 1, 1, 1 },
    { "res2net 1x1 64-104 56",     CONV,      4,  56,  56,  64, 104, 1, 1, 1, 0, 0, 1, 1 },
    { "res2net 1x1 1024-256 14",   CONV,      8,  14,  14,1024, 256, 1, 1, 1, 0, 0, 1, 1 },
    { "res2net 1x1 832-2048 7",    CONV,     16,   7,   7, 832,2048, 1, 1, 1, 0, 0, 1, 1 },
    { "res2net 1x1/2 512-1024 28", CONV,      4,  28,  28, 512,1024, 1, 1, 2, 0, 0, 1, 1 },
    { "inception 3x3 32-64 147",   CONV,      1, 147, 147,  32,  64, 3, 3, 1, 1, 1, 1, 1 },
    { "inception 3x3 80-192 73",   CONV,      1,  73,  73,  80, 192, 3, 3, 1, 0, 0, 1, 1 },
    { "inception 5x5 48-64 35",    CONV,      4,  35,  35,  48,  64, 5, 5, 1, 2, 2, 1, 1 },
    { "inception 3x3 96 35",       CONV,      4,  35,  35,  96,  96, 3, 3, 1, 1, 1, 1, 1 },
    { "inception 1x7 160 17",      CONV,      8,  17,  17, 160, 160, 1, 7, 1, 0, 3, 1, 1 },
    { "inception 7x1 192 17",      CONV,      8,  17,  17, 192, 192, 7, 1, 1, 3, 0, 1, 1 },
    { "inception 3x3/2 288-384",   CONV,      4,  35,  35, 288, 384, 3, 3, 2, 0, 0, 1, 1 },
    { "inception 1x1 768-192 17",  CONV,      8,  17,  17, 768, 192, 1, 1, 1, 0, 0, 1, 1 },
    { "xception 1x1 728 19",       CONV,      4,  19,  19, 728, 728, 1, 1, 1, 0, 0, 1, 1 },
    { "stem 3x3/2 3-32 224",       CONV,      2, 224, 224,   3,  32, 3, 3, 2, 1, 1, 1, 1 },
    { "stem 7x7/2 3-64 224",       CONV,      2, 224, 224,   3,  64, 7, 7, 2, 3, 3, 1, 1 },
    { "stem 7x7 3-16 224",         CONV,      1, 224, 224,   3,  16, 7, 7, 1, 3, 3, 1, 1 },
    { "mobilenet 1x1 32-16 112",   CONV,      4, 112, 112,  32,  16, 1, 1, 1, 0, 0, 1, 1 },
    { "mobilenet 1x1 16-96 112",   CONV,      4, 112, 112,  16,  96, 1, 1, 1, 0, 0, 1, 1 },
    { "mobilenet 1x1 96-24 56",    CONV,      8,  56,  56,  96,  24, 1, 1, 1, 0, 0, 1, 1 },
    { "mobilenet 1x1 24-144 56",   CONV,      8,  56,  56,  24, 144, 1, 1, 1, 0, 0, 1, 1 },
    { "mobilenet 1x1 144-32 28",   CONV,     16,  28,  28, 144,  32, 1, 1, 1, 0, 0, 1, 1 },
    { "mobilenet 1x1 32-192 28",   CONV,     16,  28,  28,  32, 192, 1, 1, 1, 0, 0, 1, 1 },
    { "mobilenet 1x1 64-384 14",   CONV,     32,  14,  14,  64, 384, 1, 1, 1, 0, 0, 1, 1 },
    { "mobilenet 1x1 576-96 14",   CONV,     32,  14,  14, 576,  96, 1, 1, 1, 0, 0, 1, 1 },
    { "mobilenet 1x1 160-960 7",   CONV,     32,   7,   7, 160, 960, 1, 1, 1, 0, 0, 1, 1 },
    { "mobilenet 1x1 960-320 7",   CONV,     32,   7,   7, 960, 320, 1, 1, 1, 0, 0, 1, 1 },
    { "mobilenet 1x1 320-1280 7",  CONV,     32,   7,   7, 320,1280, 1, 1, 1, 0, 0, 1, 1 },
    { "one image 3x3 256 14",      CONV,      1,  14,  14, 256, 256, 3, 3, 1, 1, 1, 1, 1 },
    { "one image 3x3 512 7",       CONV,      1,   7,   7, 512, 512, 3, 3, 1, 1, 1, 1, 1 },
    { "one image 1x1 960-320 7",   CONV,      1,   7,   7, 960, 320, 1, 1, 1, 0, 0, 1, 1 },
    { "dla60x 3x3 32x4 56",        CONV,      4,  56,  56, 128, 128, 3, 3, 1, 1, 1, 1,32 },
    { "dla60x 3x3 32x8 28",        CONV,      8,  28,  28, 256, 256, 3, 3, 1, 1, 1, 1,32 },
    { "dla60x 3x3 32x16 14",       CONV,      8,  14,  14, 512, 512, 3, 3, 1, 1, 1, 1,32 },
    { "dla60x 3x3 32x32 7",        CONV,     16,   7,   7,1024,1024, 3, 3, 1, 1, 1, 1,32 },
    { "dla46x 3x3/2 32x2 56",      CONV,      4,  56,  56,  64,  64, 3, 3, 2, 1, 1, 1,32 },
    { "depthwise 3x3 32 112",      DEPTHWISE, 4, 112, 112,  32,  32, 3, 3, 1, 1, 1, 1, 1 },
    { "depthwise 3x3/2 96 112",    DEPTHWISE, 4, 112, 112,  96,  96, 3, 3, 2, 1, 1, 1, 1 },
    { "depthwise 3x3 144 56",      DEPTHWISE, 4,  56,  56, 144, 144, 3, 3, 1, 1, 1, 1, 1 },
    { "depthwise 3x3 384 14",      DEPTHWISE,16,  14,  14, 384, 384, 3, 3, 1, 1, 1, 1, 1 },
    { "depthwise 3x3 960 7",       DEPTHWISE,32,   7,   7, 960, 960, 3, 3, 1, 1, 1, 1, 1 },
    { "max pool 3x3/2 64 112",     MAX_POOL,  4, 112, 112,  64,  64, 3, 3, 2, 1, 1, 1, 1 },
    { "max pool 2x2/2 128 56",     MAX_POOL,  4,  56,  56, 128, 128, 2, 2, 2, 0, 0, 1, 1 },
    { "average pool 3x3 288 35",   AVG_POOL,  4,  35,  35, 288, 288, 3, 3, 1, 1, 1, 1, 1 },
};
/* clang-format on */

typedef struct options {
    const char *filter;
    unsigned cpu;
    double seconds;
} options;

/* Everything a layer needs, for any kind. */
typedef struct subject {
    fv_conv conv;
    const fv_kernels *k;
    int pixels_in, pixels_out;
    float *x, *y, *dx, *w, *packed, *packed_back, *partial;
    uint8_t *tap;
    void *scratch;
    double flops, bytes; /* of one pass */
} subject;

static int outputs(int in, int kernel, int stride, int pad, int dilation)
{
    return (in + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
}

static fv_window window_of(const layer *l)
{
    fv_window w = { .n = l->n,
                    .in_h = l->h,
                    .in_w = l->w,
                    .out_h = outputs(l->h, l->kernel_h, l->stride, l->pad_h, l->dilation),
                    .out_w = outputs(l->w, l->kernel_w, l->stride, l->pad_w, l->dilation),
                    .kernel_h = l->kernel_h,
                    .kernel_w = l->kernel_w,
                    .stride_h = l->stride,
                    .stride_w = l->stride,
                    .pad_h = l->pad_h,
                    .pad_w = l->pad_w,
                    .dilation_h = l->dilation,
                    .dilation_w = l->dilation };
    /* As the graph does: where each pixel sees only itself, the batch is one column of pixels. */
    if (l->kind == CONV && l->kernel_h * l->kernel_w == 1 && l->stride == 1 && l->pad_h == 0) {
        w.in_h = w.out_h = l->n * l->h * l->w;
        w.n = w.in_w = w.out_w = 1;
    }
    return w;
}

static float *floats(size_t count)
{
    float *f = fv_alloc(count * sizeof(float));
    if (!f) {
        fprintf(stderr, "bench_kernels: no memory for %zu floats\n", count);
        exit(1);
    }
    fv_random r = fv_random_stream(1, FV_RANDOM_TEST, 0, count);
    for (size_t i = 0; i < count; i++) f[i] = fv_random_uniform(&r, -1.0f, 1.0f);
    return f;
}

static void prepare_conv(subject *s)
{
    const fv_conv *c = &s->conv;
    s->packed = floats(s->k->conv_packed_forward_floats(c));
    s->packed_back = floats(s->k->conv_packed_backward_floats(c));
    s->partial = floats(s->k->conv_partial_floats(c));
    s->scratch = floats(s->k->conv_scratch_bytes(c) / sizeof(float) + 1);
    s->k->conv_pack_forward(c, s->w, NULL, s->packed, 0, c->out_c);
    s->k->conv_pack_backward(c, s->w, s->packed_back, 0, c->in_c);
}

static void prepare_winograd(subject *s)
{
    const fv_conv *c = &s->conv, mirror = fv_winograd_mirror(c);
    size_t scratch = s->k->winograd_scratch_bytes(c), other = s->k->winograd_scratch_bytes(&mirror);
    if (other > scratch) scratch = other;
    s->packed = floats(s->k->winograd_packed_floats(c));
    s->packed_back = floats(s->k->winograd_packed_floats(c));
    s->partial = floats(s->k->winograd_partial_floats(c));
    s->scratch = floats(scratch / sizeof(float) + 1);
    s->k->winograd_pack(c, s->w, NULL, false, s->packed, 0, c->out_c);
    s->k->winograd_pack(c, s->w, NULL, true, s->packed_back, 0, c->in_c);
}

static subject prepare(const layer *l, kind way, const fv_kernels *k)
{
    subject s = { .conv = { window_of(l), l->in_c, l->out_c, l->groups }, .k = k };
    const fv_window *w = &s.conv.window;
    s.pixels_in = w->n * w->in_h * w->in_w;
    s.pixels_out = w->n * w->out_h * w->out_w;
    const size_t in = (size_t)s.pixels_in * (size_t)l->in_c;
    const size_t out = (size_t)s.pixels_out * (size_t)l->out_c;
    const size_t taps = (size_t)l->kernel_h * (size_t)l->kernel_w;
    const int group_in = l->kind == CONV ? l->in_c / l->groups : 1;
    s.x = floats(in);
    s.dx = floats(in);
    s.y = floats(out);
    s.w = floats((size_t)l->out_c * (size_t)group_in * taps);
    s.tap = (uint8_t *)floats(out);
    memset(s.tap, 0, out);
    s.flops = 2.0 * (double)out * (double)taps * group_in;
    s.bytes = 4.0 * (double)(in + out);
    if (way == CONV) prepare_conv(&s);
    if (way == WINOGRAD) prepare_winograd(&s);
    return s;
}

static void release(subject *s)
{
    void *const blocks[] = { s->x,           s->dx,      s->y,   s->w,      s->packed,
                             s->packed_back, s->partial, s->tap, s->scratch };
    for (size_t i = 0; i < FV_ARRAY_LEN(blocks); i++) fv_free(blocks[i]);
}

/* ---- What is timed: [kind][forward, backward to the input, backward to the weights] ---- */

static void conv_forward(const subject *s)
{
    s->k->conv_forward(&(fv_conv_forward){ .conv = &s->conv,
                                           .x = s->x,
                                           .x_stride = s->conv.in_c,
                                           .packed = s->packed,
                                           .y = s->y,
                                           .y_stride = s->conv.out_c,
                                           .pixel1 = s->pixels_out,
                                           .channel1 = s->conv.out_c,
                                           .scratch = s->scratch });
}

static void conv_backward_data(const subject *s)
{
    s->k->conv_backward_data(
        &(fv_conv_backward_data){ .conv = &s->conv,
                                  .dy = s->y,
                                  .dy_stride = s->conv.out_c,
                                  .packed = s->packed_back,
                                  .dx = s->dx,
                                  .dx_stride = s->conv.in_c,
                                  .row1 = s->conv.window.n * s->conv.window.in_h,
                                  .channel1 = s->conv.in_c,
                                  .scratch = s->scratch });
}

static void conv_backward_weights(const subject *s)
{
    s->k->conv_backward_weights(&(fv_conv_backward_weights){ .conv = &s->conv,
                                                             .x = s->x,
                                                             .x_stride = s->conv.in_c,
                                                             .dy = s->y,
                                                             .dy_stride = s->conv.out_c,
                                                             .partial = s->partial,
                                                             .pixel1 = s->pixels_out,
                                                             .out1 = s->conv.out_c,
                                                             .in1 = s->conv.in_c,
                                                             .scratch = s->scratch });
}

static void sweep(const subject *s, const fv_conv *c, const float *x, const float *packed, float *y)
{
    s->k->winograd_sweep(&(fv_winograd_sweep){ .conv = c,
                                               .x = x,
                                               .x_stride = c->in_c,
                                               .packed = packed,
                                               .y = y,
                                               .y_stride = c->out_c,
                                               .row1 = c->window.n * fv_winograd_rows(&c->window),
                                               .channel1 = c->out_c,
                                               .scratch = s->scratch });
}

static void winograd_forward(const subject *s) { sweep(s, &s->conv, s->x, s->packed, s->y); }

static void winograd_backward_data(const subject *s)
{
    const fv_conv mirror = fv_winograd_mirror(&s->conv);
    sweep(s, &mirror, s->y, s->packed_back, s->dx);
}

static void winograd_backward_weights(const subject *s)
{
    const fv_window *w = &s->conv.window;
    s->k->winograd_backward_weights(&(fv_winograd_weights){ .conv = &s->conv,
                                                            .x = s->x,
                                                            .dy = s->y,
                                                            .x_stride = s->conv.in_c,
                                                            .dy_stride = s->conv.out_c,
                                                            .partial = s->partial,
                                                            .row1 = w->n * fv_winograd_rows(w),
                                                            .out1 = s->conv.out_c,
                                                            .in1 = s->conv.in_c,
                                                            .scratch = s->scratch });
}

static fv_depthwise depthwise(const subject *s, const float *x, const float *w, float *y, int rows)
{
    return (fv_depthwise){ .window = &s->conv.window,
                           .channels = s->conv.in_c,
                           .x = x,
                           .x_stride = s->conv.in_c,
                           .w = w,
                           .w_stride = s->conv.in_c,
                           .y = y,
                           .y_stride = s->conv.in_c,
                           .row1 = rows };
}

static void depthwise_forward(const subject *s)
{
    const fv_window *w = &s->conv.window;
    const fv_depthwise j = depthwise(s, s->x, s->w, s->y, w->n * w->out_h);
    s->k->depthwise_forward(&j);
}

static void depthwise_backward_data(const subject *s)
{
    const fv_window *w = &s->conv.window;
    const fv_depthwise j = depthwise(s, s->y, s->w, s->dx, w->n * w->in_h);
    s->k->depthwise_backward_data(&j);
}

static void depthwise_backward_weights(const subject *s)
{
    const fv_window *w = &s->conv.window;
    const fv_depthwise j = depthwise(s, s->x, s->y, s->w, w->n * w->out_h);
    s->k->depthwise_backward_weights(&j);
}

static fv_pool pool(const subject *s, const float *x, float *y, int rows)
{
    return (fv_pool){ .window = &s->conv.window,
                      .channels = s->conv.in_c,
                      .x = x,
                      .x_stride = s->conv.in_c,
                      .y = y,
                      .y_stride = s->conv.in_c,
                      .tap = s->tap,
                      .row1 = rows };
}

static void max_pool_forward(const subject *s)
{
    const fv_pool j = pool(s, s->x, s->y, s->conv.window.n * s->conv.window.out_h);
    s->k->max_pool_forward(&j);
}

static void max_pool_backward(const subject *s)
{
    const fv_pool j = pool(s, s->y, s->dx, s->conv.window.n);
    s->k->max_pool_backward(&j);
}

static void avg_pool_forward(const subject *s)
{
    const fv_pool j = pool(s, s->x, s->y, s->conv.window.n * s->conv.window.out_h);
    s->k->avg_pool_forward(&j);
}

static void avg_pool_backward(const subject *s)
{
    const fv_pool j = pool(s, s->y, s->dx, s->conv.window.n);
    s->k->avg_pool_backward(&j);
}

typedef void pass_fn(const subject *s);

static pass_fn *const passes[][3] = {
    [CONV] = { conv_forward, conv_backward_data, conv_backward_weights },
    [WINOGRAD] = { winograd_forward, winograd_backward_data, winograd_backward_weights },
    [DEPTHWISE] = { depthwise_forward, depthwise_backward_data, depthwise_backward_weights },
    [MAX_POOL] = { max_pool_forward, max_pool_backward, NULL },
    [AVG_POOL] = { avg_pool_forward, avg_pool_backward, NULL },
};

/* Seconds of the fastest call. */
static double fastest(pass_fn *pass, const subject *s, double seconds)
{
    double best = 1e9, total = 0.0;
    pass(s);
    while (total < seconds) {
        const double start = fv_clock_seconds();
        pass(s);
        const double took = fv_clock_seconds() - start;
        total += took;
        if (took < best) best = took;
    }
    return best;
}

/* ---- The program -------------------------------------------------------------------------- */

static void run_kind(const layer *l, kind way, const fv_kernels *k, const options *o,
                     const fv_roofline *best)
{
    subject s = prepare(l, way, k);
    printf("%-28s", way == l->kind ? l->name : "  by Winograd");
    for (int i = 0; i < 3; i++) {
        pass_fn *pass = passes[way][i];
        if (!pass) continue;
        const double took = fastest(pass, &s, o->seconds);
        if (way == CONV || way == WINOGRAD)
            printf(" %8.1f %4.0f %%", s.flops / took * 1e-9, 100.0 * s.flops / took / best->flops);
        else
            printf(" %6.1f GB %3.0f %%", s.bytes / took * 1e-9,
                   100.0 * s.bytes / took / best->bytes);
        fflush(stdout);
    }
    printf("\n");
    release(&s);
}

static void run_layer(const layer *l, const fv_kernels *k, const options *o,
                      const fv_roofline *best)
{
    const fv_conv c = { window_of(l), l->in_c, l->out_c, l->groups };
    const fv_conv mirror = fv_winograd_mirror(&c);
    run_kind(l, l->kind, k, o, best);
    if (l->kind == CONV && k->winograd_fits(&c) && k->winograd_fits(&mirror))
        run_kind(l, WINOGRAD, k, o, best);
}

static int usage(void)
{
    fprintf(stderr, "usage: bench_kernels [--filter TEXT] [--cpu scalar|avx2|avx512] "
                    "[--seconds S]\n");
    return 2;
}

static int parse(int argc, char **argv, options *o)
{
    static const struct {
        const char *name;
        unsigned cpu;
    } cpus[] = { { "scalar", FV_CPU_SCALAR },
                 { "avx2", FV_CPU_AVX2 },
                 { "avx512", FV_CPU_AVX2 | FV_CPU_AVX512 } };
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *value = argv[i + 1];
        bool known = true;
        if (strcmp(argv[i], "--filter") == 0)
            o->filter = value;
        else if (strcmp(argv[i], "--seconds") == 0)
            known = (o->seconds = strtod(value, NULL)) > 0.0;
        else if (strcmp(argv[i], "--cpu") == 0) {
            known = false;
            for (size_t c = 0; c < FV_ARRAY_LEN(cpus); c++)
                if (strcmp(value, cpus[c].name) == 0) o->cpu &= cpus[c].cpu, known = true;
        } else
            known = false;
        if (!known) return usage();
    }
    return argc % 2 == 1 ? 0 : usage();
}

int main(int argc, char **argv)
{
    options o = { .filter = "", .cpu = fv_cpu_detect(), .seconds = 0.2 };
    const int status = parse(argc, argv, &o);
    if (status != 0) return status;
    fv_kernels k;
    fv_kernels_init(&k, o.cpu);
    fv_roofline best;
    fv_error err;
    if (fv_roofline_measure(&best, o.cpu, &err) != FV_OK) {
        fprintf(stderr, "bench_kernels: %s\n", err.message);
        return 1;
    }
    printf("%s, %s, one thread: peak %.1f GFLOP/s, memory read %.1f GB/s\n", fv_cpu_model(),
           fv_cpu_name(o.cpu), best.flops * 1e-9, best.bytes * 1e-9);
    printf("%-28s %15s %15s %15s\n", "layer", "forward", "to the input", "to the weights");
    for (size_t i = 0; i < FV_ARRAY_LEN(layers); i++)
        if (strstr(layers[i].name, o.filter)) run_layer(&layers[i], &k, &o, &best);
    return 0;
}
