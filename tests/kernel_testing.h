/* SPDX-License-Identifier: Apache-2.0 */
/* tests/kernel_testing.h - what the tests of kernels share.
 *
 * Buffers are laid out to catch what usually goes wrong: pixel strides larger than the channels,
 * with a guard value in the gap that must survive; channel counts that are no multiple of a
 * register; pointers off their alignment; no float after the last channel of the last pixel, so
 * that the address sanitizer sees reads past the end. Inputs have NaN in their gaps.
 */
#ifndef FV_TESTS_KERNEL_TESTING_H
#define FV_TESTS_KERNEL_TESTING_H

#include "testing.h"

#include "base/compiler.h"
#include "base/cpu.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KERNEL_GUARD 12345.0f

typedef struct matrix {
    float *block; /* owned */
    float *data;
    int pixels, channels;
    ptrdiff_t stride;
} matrix;

static inline size_t matrix_floats(const matrix *m)
{
    if (m->pixels == 0) return 0;
    return (size_t)(m->pixels - 1) * (size_t)m->stride + (size_t)m->channels;
}

static inline float *matrix_at(const matrix *m, int pixel, int c)
{
    return m->data + pixel * m->stride + c;
}

/* Values in [low, high); `gap` between the pixels. */
static inline matrix matrix_create(fv_random *r, int pixels, int channels, float low, float high,
                                   float gap)
{
    matrix m = { .pixels = pixels, .channels = channels };
    const int shift = fv_random_int(r, 0, 3); /* off every alignment but a float's */
    m.stride = channels + (fv_random_int(r, 0, 1) ? fv_random_int(r, 1, 7) : 0);
    m.block = malloc(((size_t)shift + matrix_floats(&m)) * sizeof(float) + 1);
    assert_non_null(m.block);
    m.data = m.block + shift;
    for (size_t i = 0; i < matrix_floats(&m); i++) {
        const bool inside = (ptrdiff_t)i % m.stride < channels;
        m.data[i] = inside ? fv_random_uniform(r, low, high) : gap;
    }
    return m;
}

static inline matrix matrix_input(fv_random *r, int pixels, int channels)
{
    return matrix_create(r, pixels, channels, -1.0f, 1.0f, NAN);
}

/* Random too, for kernels that add to it; guards in the gaps. */
static inline matrix matrix_output(fv_random *r, int pixels, int channels)
{
    return matrix_create(r, pixels, channels, -1.0f, 1.0f, KERNEL_GUARD);
}

static inline matrix matrix_copy(const matrix *m)
{
    matrix copy = *m;
    const ptrdiff_t shift = m->data - m->block;
    copy.block = malloc(((size_t)shift + matrix_floats(m)) * sizeof(float) + 1);
    assert_non_null(copy.block);
    copy.data = copy.block + shift;
    memcpy(copy.data, m->data, matrix_floats(m) * sizeof(float));
    return copy;
}

static inline void matrix_free(matrix *m)
{
    free(m->block);
    *m = (matrix){ 0 };
}

/* The gaps must hold what matrix_output() put there. */
static inline void assert_gaps(const matrix *m, const char *what)
{
    for (size_t i = 0; i < matrix_floats(m); i++)
        if ((ptrdiff_t)i % m->stride >= m->channels && m->data[i] != KERNEL_GUARD)
            fail_msg("%s: wrote %.9g behind pixel %d of %d channels", what, (double)m->data[i],
                     (int)((ptrdiff_t)i / m->stride), m->channels);
}

/* `size`: the sum of the absolute terms; each may cost half a unit in the last place of the sum,
 * which `ulps` stands for. */
static inline void assert_near(double expected, float actual, double size, double ulps,
                               const char *what, int pixel, int c)
{
    if (isnan(expected) && isnan((double)actual)) return;
    if (!(fabs(expected - (double)actual) <= ulps * 0x1p-24 * size + 1e-30))
        fail_msg("%s: pixel %d, channel %d: %.9g, expected %.9g", what, pixel, c, (double)actual,
                 expected);
}

static inline double act_of(fv_activation act, double x)
{
    if (act == FV_LINEAR || isnan(x)) return x;
    if (x < 0.0) return 0.0;
    return act == FV_RELU6 && x > 6.0 ? 6.0 : x;
}

static inline bool act_open(fv_activation act, double x)
{
    return act == FV_LINEAR || (x > 0.0 && (act == FV_RELU || x < 6.0));
}

/* Every test of a kernel runs once for each variant that this processor has. */
static const struct kernel_variant {
    const char *name;
    unsigned cpu;
} kernel_variants[] = {
    { "scalar", FV_CPU_SCALAR },
    { "avx2", FV_CPU_AVX2 },
    { "avx512", FV_CPU_AVX2 | FV_CPU_AVX512 },
};

static inline fv_kernels kernels_of(void **state)
{
    const unsigned cpu = ((const struct kernel_variant *)*state)->cpu;
    fv_kernels k;
    if ((fv_cpu_detect() & cpu) != cpu) skip();
    fv_kernels_init(&k, cpu);
    return k;
}

typedef struct kernel_test {
    const char *name;
    CMUnitTestFunction run;
} kernel_test;

/* Runs `count` tests for all variants; returns what main() returns. */
static inline int kernel_tests_run(const kernel_test *tests, size_t count)
{
    enum { VARIANTS = FV_ARRAY_LEN(kernel_variants), MOST = 16 };
    struct CMUnitTest list[MOST * VARIANTS];
    static char names[MOST * VARIANTS][64];
    if (count > MOST) return 1;
    for (size_t i = 0; i < count * VARIANTS; i++) {
        const struct kernel_variant *v = &kernel_variants[i % VARIANTS];
        snprintf(names[i], sizeof(names[i]), "%s_%s", tests[i / VARIANTS].name, v->name);
        list[i] = (struct CMUnitTest){ .name = names[i],
                                       .test_func = tests[i / VARIANTS].run,
                                       .initial_state = (void *)(uintptr_t)v };
    }
    return _cmocka_run_group_tests("kernels", list, count * VARIANTS, NULL, NULL);
}

#endif /* FV_TESTS_KERNEL_TESTING_H */
