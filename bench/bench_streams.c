/* SPDX-License-Identifier: Apache-2.0 */
/* bench/bench_streams.c - how fast the kernels are that do little with much memory.
 *
 *     bench_streams [THREADS]
 *
 * GB/s, counting each tensor that is read or written once; the best of many runs. What memory
 * itself gives is the column "copy". Tensors of 1 MB stay in the cache, those of 64 MB do not.
 */
#include "base/clock.h"
#include "base/compiler.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernels/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TASKS = 64, VECTORS = 8 };

/* Two inputs, an output and some values per channel, cut into tasks by pixels. */
typedef struct subject {
    fv_kernels k;
    int pixels, channels;
    float *x, *z, *y, *vectors, *sums;
} subject;

typedef struct part {
    const subject *s;
    int pixels;
    float *x, *z, *y, *sums;
} part;

static fv_map map_of(const part *p)
{
    const int c = p->s->channels;
    return (fv_map){ .pixels = p->pixels,
                     .channels = c,
                     .x = p->x,
                     .x_stride = c,
                     .z_stride = c,
                     .y = p->y,
                     .y_stride = c,
                     .factor = 1.0f,
                     .act = FV_RELU };
}

static fv_norm norm_of(const part *p)
{
    const int c = p->s->channels;
    const float *v = p->s->vectors;
    return (fv_norm){ .pixels = p->pixels,
                      .channels = c,
                      .y = p->x,
                      .y_stride = c,
                      .scale = v,
                      .shift = v + c,
                      .act = FV_RELU,
                      .out = p->y,
                      .out_stride = c,
                      .dz = p->z,
                      .dz_stride = c,
                      .mean = v + 2 * c,
                      .sum_g = p->sums,
                      .sum_gy = p->sums + c,
                      .a = v + 3 * c,
                      .b = v + 4 * c,
                      .c = v + 5 * c };
}

static void run_copy(const part *p)
{
    memcpy(p->y, p->x, sizeof(float) * (size_t)p->pixels * (size_t)p->s->channels);
}

static void run_moments(const part *p)
{
    const int c = p->s->channels;
    p->s->k.moments(p->pixels, c, p->x, c, p->sums, p->sums + c);
}

static void run_norm_apply(const part *p)
{
    const fv_norm n = norm_of(p);
    p->s->k.norm_apply(&n);
}

static void run_norm_reduce(const part *p)
{
    const fv_norm n = norm_of(p);
    p->s->k.norm_backward_reduce(&n);
}

static void run_norm_backward(const part *p)
{
    const fv_norm n = norm_of(p);
    p->s->k.norm_backward_apply(&n);
}

static void run_activate(const part *p)
{
    const fv_map m = map_of(p);
    p->s->k.activate(&m);
}

static void run_activate_backward(const part *p)
{
    fv_map m = map_of(p);
    m.z = p->z;
    p->s->k.activate_backward(&m);
}

static void run_channel_sums(const part *p)
{
    fv_map m = map_of(p);
    m.y = p->sums;
    p->s->k.channel_sums(&m);
}

static void run_sgd(const part *p)
{
    p->s->k.sgd(&(fv_sgd_update){ .count = (size_t)p->pixels * (size_t)p->s->channels,
                                  .w = p->x,
                                  .v = p->y,
                                  .grad = p->z,
                                  .momentum = 0.9f,
                                  .l2 = 1e-4f });
}

static const struct stream {
    const char *name;
    void (*run)(const part *p);
    int passes; /* tensors read or written */
} streams[] = {
    { "copy", run_copy, 2 },
    { "moments", run_moments, 1 },
    { "norm", run_norm_apply, 2 },
    { "norm sums", run_norm_reduce, 2 },
    { "norm back", run_norm_backward, 3 },
    { "activate", run_activate, 2 },
    { "act back", run_activate_backward, 3 },
    { "sums", run_channel_sums, 1 },
    { "sgd", run_sgd, 5 },
};

typedef struct run {
    const subject *s;
    const struct stream *stream;
} run;

static void task(void *ctx, int i, int worker)
{
    const run *r = ctx;
    const subject *s = r->s;
    const int begin = (int)((long)s->pixels * i / TASKS);
    const int end = (int)((long)s->pixels * (i + 1) / TASKS);
    const ptrdiff_t offset = (ptrdiff_t)begin * s->channels;
    (void)worker;
    r->stream->run(&(part){ s, end - begin, s->x + offset, s->z + offset, s->y + offset,
                            s->sums + (ptrdiff_t)i * 2 * s->channels });
}

static double best_seconds(run *r)
{
    const double start = fv_clock_seconds();
    double best = 1e30;
    for (int i = 0; i < 3 || fv_clock_seconds() - start < 0.2; i++) {
        const double before = fv_clock_seconds();
        fv_parallel_for(TASKS, task, r);
        const double seconds = fv_clock_seconds() - before;
        if (seconds < best) best = seconds;
    }
    return best;
}

static float *floats(size_t count)
{
    float *f = fv_alloc(count * sizeof(float));
    if (!f) {
        fprintf(stderr, "bench_streams: no memory for %zu floats\n", count);
        exit(1);
    }
    for (size_t i = 0; i < count; i++) f[i] = (float)(i * 7919 % 2001) * 0.001f - 1.0f;
    return f;
}

static void measure(const fv_kernels *k, int megabytes, int channels)
{
    subject s = { .k = *k, .channels = channels };
    s.pixels = (int)((long)megabytes * 1024 * 1024 / 4 / channels);
    const size_t count = (size_t)s.pixels * (size_t)channels;
    s.x = floats(count);
    s.z = floats(count);
    s.y = floats(count);
    s.vectors = floats((size_t)VECTORS * (size_t)channels);
    s.sums = floats((size_t)TASKS * 2 * (size_t)channels);
    printf("%3d MB x %4d", megabytes, channels);
    for (size_t i = 0; i < FV_ARRAY_LEN(streams); i++) {
        run r = { &s, &streams[i] };
        printf("%11.1f", 4e-9 * (double)count * streams[i].passes / best_seconds(&r));
    }
    printf("\n");
    fv_free(s.x);
    fv_free(s.z);
    fv_free(s.y);
    fv_free(s.vectors);
    fv_free(s.sums);
}

int main(int argc, char **argv)
{
    static const int channels[] = { 24, 32, 64, 144, 576, 960 };
    fv_kernels k;
    fv_kernels_init(&k, fv_cpu_detect());
    fv_threads_set(argc > 1 && atoi(argv[1]) > 1 ? atoi(argv[1]) : 1);
    printf("%s, %s, %d threads, GB/s\n%13s", fv_cpu_model(), fv_cpu_name(k.cpu), fv_threads_count(),
           "");
    for (size_t i = 0; i < FV_ARRAY_LEN(streams); i++) printf("%11s", streams[i].name);
    printf("\n");
    for (size_t c = 0; c < FV_ARRAY_LEN(channels); c++) measure(&k, 1, channels[c]);
    for (size_t c = 0; c < FV_ARRAY_LEN(channels); c++) measure(&k, 64, channels[c]);
    return 0;
}
