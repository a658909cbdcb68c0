/* SPDX-License-Identifier: Apache-2.0 */
/* OpenBLAS as we load it: the right kernels, the right products, an untouched environment. */
#include "testing.h"

#include "base/compiler.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "kernels/blas.h"

#include <math.h>
#include <stdlib.h>
#include <strings.h>

typedef struct product {
    bool ta, tb;
    int m, n, k;
    float alpha, beta;
} product;

/* c[m,n] with rows of n + 3 floats, in double, beside the sum of absolute terms. */
static double naive(const product *p, const float *a, const float *b, int i, int j, double *size)
{
    const int lda = (p->ta ? p->m : p->k) + 1, ldb = (p->tb ? p->k : p->n) + 2;
    double sum = 0.0;
    for (int l = 0; l < p->k; l++) {
        const double t = (double)(p->ta ? a[l * lda + i] : a[i * lda + l]) *
                         (double)(p->tb ? b[j * ldb + l] : b[l * ldb + j]);
        sum += t;
        *size += fabs(t);
    }
    return sum;
}

static void check_product(const product *p)
{
    const int lda = (p->ta ? p->m : p->k) + 1, ldb = (p->tb ? p->k : p->n) + 2, ldc = p->n + 3;
    const size_t na = (size_t)(p->ta ? p->k : p->m) * (size_t)lda;
    const size_t nb = (size_t)(p->tb ? p->n : p->k) * (size_t)ldb;
    const size_t nc = (size_t)p->m * (size_t)ldc;
    float *a = fv_alloc(na * sizeof(float)), *b = fv_alloc(nb * sizeof(float));
    float *c = fv_alloc(nc * sizeof(float)), *before = fv_alloc(nc * sizeof(float));
    assert_true(a && b && c && before);
    testing_fill("a", a, na);
    testing_fill("b", b, nb);
    testing_fill("c", before, nc);
    /* With beta = 0 what was there must not matter, not even if it was no number. */
    for (size_t i = 0; i < nc; i++) c[i] = p->beta == 0.0f ? NAN : before[i];

    fv_blas_sgemm(p->ta, p->tb, p->m, p->n, p->k, p->alpha, a, lda, b, ldb, p->beta, c, ldc);

    for (int i = 0; i < p->m; i++)
        for (int j = 0; j < p->n; j++) {
            double size = 0.0;
            const double sum = naive(p, a, b, i, j, &size);
            const double expected =
                (double)p->alpha * sum + (double)p->beta * (double)before[i * ldc + j];
            if (!(fabs((double)c[i * ldc + j] - expected) <= 1e-6 * (size + 1.0)))
                fail_msg("%d x %d x %d at (%d, %d): %.9g, expected %.9g", p->m, p->n, p->k, i, j,
                         (double)c[i * ldc + j], expected);
        }
    fv_free(a);
    fv_free(b);
    fv_free(c);
    fv_free(before);
}

static void test_products(void **state)
{
    (void)state;
    static const int sizes[][3] = { { 1, 1, 1 },     { 5, 3, 7 },       { 17, 33, 65 },
                                    { 32, 102, 64 }, { 64, 1000, 128 }, { 130, 70, 300 } };
    for (size_t s = 0; s < FV_ARRAY_LEN(sizes); s++)
        for (int t = 0; t < 8; t++)
            check_product(&(product){ .ta = t & 1,
                                      .tb = t & 2,
                                      .m = sizes[s][0],
                                      .n = sizes[s][1],
                                      .k = sizes[s][2],
                                      .alpha = t & 4 ? 0.5f : 1.0f,
                                      .beta = t & 4 ? 1.0f : 0.0f });
}

/* An AVX-512 processor must not be served with AVX2 kernels. */
static void test_core(void **state)
{
    (void)state;
    if (!(fv_cpu_detect() & FV_CPU_AVX512)) skip();
    static const char *const good[] = { "SkylakeX", "Cooperlake", "SapphireRapids" };
    for (size_t i = 0; i < FV_ARRAY_LEN(good); i++)
        if (strcasecmp(fv_blas_core(), good[i]) == 0) return;
    fail_msg("OpenBLAS uses its %s kernels", fv_blas_core());
}

/* The variables are read and changed while loading, and are afterwards as they were: one set, one
 * not. */
static int open_library(void **state)
{
    (void)state;
    assert_int_equal(setenv("OPENBLAS_NUM_THREADS", "3", 1), 0);
    assert_int_equal(unsetenv("OPENBLAS_CORETYPE"), 0);
    assert_string_equal(fv_blas_core(), "none");
    assert_ok(fv_blas_open(&testing_err));
    assert_ok(fv_blas_open(&testing_err));
    assert_string_equal(getenv("OPENBLAS_NUM_THREADS"), "3");
    assert_null(getenv("OPENBLAS_CORETYPE"));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_core),
    };
    return cmocka_run_group_tests(tests, open_library, NULL);
}
