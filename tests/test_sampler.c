/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/file.h"
#include "base/memory.h"
#include "data/sampler.h"

#include <math.h>
#include <stdio.h>
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

/* ---- Balanced ---- */

/* Classes 0 to 4 of 50, 0, 3, 1 and 20 samples, in a list that mixes them. */
enum { SAMPLES = 74, LISTED = 5, PRESENT = 4 };
static const int sizes[LISTED] = { 50, 0, 3, 1, 20 };

static fv_dataset *open_dataset(void)
{
    static char text[4096];
    char path[300];
    int left[LISTED];
    fv_dataset *dataset = NULL;
    memcpy(left, sizes, sizeof(left));
    text[0] = '\0';
    for (int i = 0, label = 0; i < SAMPLES; label = (label + 1) % LISTED) {
        if (left[label] == 0) continue;
        left[label]--;
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "p%d.jpg %d\n", i++, label);
    }
    snprintf(path, sizeof(path), "%s/list.txt", testing_folder());
    assert_ok(fv_file_write(path, text, strlen(text), &testing_err));
    const fv_dataset_options options = { .image_root = "", .list_path = path, .delimiter = " " };
    assert_ok(fv_dataset_open(&dataset, &options, &testing_err));
    return dataset;
}

static void test_class_table(void **state)
{
    (void)state;
    static const int labels[PRESENT] = { 0, 2, 3, 4 };
    fv_dataset *dataset = open_dataset();
    fv_class_table *t = NULL;
    assert_ok(fv_class_table_create(&t, dataset, &testing_err));
    assert_int_equal(t->count, PRESENT);
    for (int k = 0; k < PRESENT; k++) {
        assert_int_equal(fv_class_table_size(t, k), sizes[labels[k]]);
        for (int64_t i = t->start[k]; i < t->start[k + 1]; i++) {
            assert_int_equal(fv_dataset_label(dataset, t->samples[i]), labels[k]);
            assert_true(i == t->start[k] || t->samples[i] > t->samples[i - 1]);
        }
    }
    fv_class_table_destroy(t);
    for (size_t n = 1; n <= 4; n++) {
        t = NULL;
        fv_alloc_fail_at(n);
        assert_int_equal(fv_class_table_create(&t, dataset, &testing_err), FV_ERR_NOMEM);
        fv_alloc_fail_at(0);
        assert_string_equal(testing_err.message, "classes: out of memory for 74 samples");
        assert_null(t);
    }
    fv_dataset_close(dataset);
}

/* In one epoch: every class as often, of a class every sample as often, to within one; and a sample
 * that comes again says so. */
static void check_balanced(const fv_sampler *s, const fv_dataset *dataset, uint32_t epoch)
{
    int of_class[LISTED] = { 0 }, of_sample[SAMPLES] = { 0 };
    for (int64_t i = 0; i < SAMPLES; i++) {
        const fv_draw d = fv_sampler_draw(s, epoch, i);
        assert_in_range(d.sample, 0, SAMPLES - 1);
        assert_int_equal(fv_sampler_index(s, epoch, i), d.sample);
        of_class[fv_dataset_label(dataset, d.sample)]++;
        of_sample[d.sample] |= 1 << d.repeat; /* at most 19 */
    }
    for (int label = 0; label < LISTED; label++)
        if (sizes[label])
            assert_in_range(of_class[label], SAMPLES / PRESENT, SAMPLES / PRESENT + 1);
    for (int i = 0; i < SAMPLES; i++) {
        const int label = fv_dataset_label(dataset, i);
        const int least = of_class[label] / sizes[label];
        const int times = __builtin_popcount((unsigned)of_sample[i]);
        assert_in_range(times, least, least + 1);
        assert_int_equal(of_sample[i], (1 << times) - 1); /* repeats 0, 1, ... */
    }
}

static void test_balanced(void **state)
{
    (void)state;
    fv_dataset *dataset = open_dataset();
    fv_class_table *t = NULL;
    assert_ok(fv_class_table_create(&t, dataset, &testing_err));
    const fv_sampler s = {
        .count = SAMPLES, .batch_size = 8, .shuffle = true, .seed = 9, .balance = t
    };
    int same = 0, seen[SAMPLES] = { 0 };
    for (uint32_t epoch = 0; epoch < 40; epoch++) {
        check_balanced(&s, dataset, epoch);
        for (int64_t i = 0; i < SAMPLES; i++) {
            same += fv_sampler_index(&s, epoch, i) == fv_sampler_index(&s, epoch + 1, i);
            seen[fv_sampler_index(&s, epoch, i)]++;
        }
    }
    assert_true(same < 40 * SAMPLES / 4);                       /* orders differ */
    for (int i = 0; i < SAMPLES; i++) assert_true(seen[i] > 0); /* of frequent classes too */
    fv_class_table_destroy(t);
    fv_dataset_close(dataset);
}

/* ---- Batches ---- */

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
        cmocka_unit_test(test_permutation), cmocka_unit_test(test_orders),
        cmocka_unit_test(test_uniform),     cmocka_unit_test(test_class_table),
        cmocka_unit_test(test_balanced),    cmocka_unit_test(test_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
