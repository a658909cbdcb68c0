/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/memory.h"
#include "data/sampler.h"

#include <math.h>
#include <string.h>

static void check_permutation(int64_t count, uint64_t seed, uint32_t epoch)
{
    const fv_sampler s = { .count = count, .batch_size = 4, .shuffle = true, .seed = seed };
    uint8_t *seen = fv_alloc((size_t)count);
    assert_non_null(seen);
    for (int64_t i = 0; i < count; i++) {
        const int64_t k = fv_sampler_index(&s, epoch, i);
        assert_in_range(k, 0, count - 1);
        assert_int_equal(seen[k]++, 0);
    }
    fv_free(seen);
}

static void test_permutation(void **state)
{
    (void)state;
    for (int64_t count = 1; count < 70; count++) check_permutation(count, 42, (uint32_t)count);
    check_permutation(4096, 1, 0);
    check_permutation(4097, 1, 7);
    check_permutation(100003, UINT64_C(0x123456789abcdef), 3);
}

/* Epochs and seeds have orders of their own; the same ones have the same, here and everywhere. */
static void test_orders(void **state)
{
    (void)state;
    const fv_sampler a = { .count = 1000, .batch_size = 1, .shuffle = true, .seed = 1 };
    fv_sampler b = a, plain = a;
    b.seed = 2;
    plain.shuffle = false;
    int epochs = 0, seeds = 0, places = 0;
    for (int64_t i = 0; i < a.count; i++) {
        epochs += fv_sampler_index(&a, 0, i) == fv_sampler_index(&a, 1, i);
        seeds += fv_sampler_index(&a, 0, i) == fv_sampler_index(&b, 0, i);
        places += fv_sampler_index(&a, 0, i) == i;
        assert_int_equal(fv_sampler_index(&plain, 5, i), i);
    }
    /* One is expected; ten or more have probability 10^-7. */
    assert_true(epochs < 10 && seeds < 10 && places < 10);
}

/* Every sample comes first equally often: chi-squared with 9 degrees of freedom, below its 99.99 %
 * quantile; likewise for the pair at places 0 and 1, 89 degrees. */
static void test_uniform(void **state)
{
    (void)state;
    enum { COUNT = 10, EPOCHS = 18000 };
    const fv_sampler s = { .count = COUNT, .batch_size = 1, .shuffle = true, .seed = 3 };
    int first[COUNT] = { 0 }, pairs[COUNT][COUNT] = { { 0 } };
    for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
        const int64_t i = fv_sampler_index(&s, epoch, 0), k = fv_sampler_index(&s, epoch, 1);
        first[i]++;
        pairs[i][k]++;
    }
    double chi_first = 0.0, chi_pairs = 0.0;
    const double of_first = (double)EPOCHS / COUNT, of_pair = of_first / (COUNT - 1);
    for (int i = 0; i < COUNT; i++) {
        chi_first += pow(first[i] - of_first, 2) / of_first;
        for (int k = 0; k < COUNT; k++) {
            if (k != i) chi_pairs += pow(pairs[i][k] - of_pair, 2) / of_pair;
        }
    }
    if (chi_first > 33.7 || chi_pairs > 146.0)
        fail_msg("chi-squared %.1f, %.1f", chi_first, chi_pairs);
}

static void test_batches(void **state)
{
    (void)state;
    fv_sampler s = { .count = 10, .batch_size = 4 };
    assert_int_equal(fv_sampler_batches(&s), 3);
    assert_int_equal(fv_sampler_batch_size(&s, 0), 4);
    assert_int_equal(fv_sampler_batch_size(&s, 2), 2);
    s.drop_last = true;
    assert_int_equal(fv_sampler_batches(&s), 2);
    s.count = 12;
    assert_int_equal(fv_sampler_batches(&s), 3);
    assert_int_equal(fv_sampler_batch_size(&s, 2), 4);
    s.count = 3;
    assert_int_equal(fv_sampler_batches(&s), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_permutation),
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
