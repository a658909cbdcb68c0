/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "eval/metrics.h"
#include "eval/predictor.h"

#include <limits.h>
#include <math.h>

static void test_rank(void **state)
{
    (void)state;
    const float logits[] = { 1.0f, 3.0f, 2.0f, -1.0f };
    assert_int_equal(fv_rank(logits, 4, 1), 0);
    assert_int_equal(fv_rank(logits, 4, 2), 1);
    assert_int_equal(fv_rank(logits, 4, 0), 2);
    assert_int_equal(fv_rank(logits, 4, 3), 3);
}

static void test_ties_go_to_the_lower_id(void **state)
{
    (void)state;
    const float logits[] = { 0.0f, 0.0f, 0.0f, 0.0f };
    for (int c = 0; c < 4; c++) assert_int_equal(fv_rank(logits, 4, c), c);
}

static void test_nan_is_never_right(void **state)
{
    (void)state;
    const float own[] = { 1.0f, NAN, 2.0f }, other[] = { NAN, 5.0f, INFINITY };
    assert_int_equal(fv_rank(own, 3, 1), INT_MAX);
    assert_int_equal(fv_rank(own, 3, 2), 1);
    assert_int_equal(fv_rank(other, 3, 1), 2);

    fv_metrics m = { 0 };
    fv_metrics_add(&m, own, 3, 1);
    assert_int_equal(m.images, 1);
    assert_int_equal(m.nonfinite, 1);
    assert_true(fv_metrics_top(&m, 5) == 0.0); /* although there are only 3 classes */
    assert_true(isnan(fv_metrics_loss(&m)));
}

static void test_counts(void **state)
{
    (void)state;
    const float logits[] = { 6.0f, 5.0f, 4.0f, 3.0f, 2.0f, 1.0f };
    fv_metrics m = { 0 };
    assert_true(fv_metrics_top(&m, 1) == 0.0);
    assert_true(fv_metrics_loss(&m) == 0.0);
    for (int c = 0; c < 6; c++) fv_metrics_add(&m, logits, 6, c);
    fv_metrics_add_unreadable(&m);
    fv_metrics_add_unreadable(&m);
    assert_int_equal(m.images, 8);
    assert_int_equal(m.unreadable, 2);
    assert_true(fv_metrics_top(&m, 1) == 1.0 / 8.0);
    assert_true(fv_metrics_top(&m, 2) == 2.0 / 8.0);
    assert_true(fv_metrics_top(&m, 5) == 5.0 / 8.0);
}

static void test_fewer_classes_than_k(void **state)
{
    (void)state;
    const float logits[] = { 1.0f, 2.0f };
    fv_metrics m = { 0 };
    fv_metrics_add(&m, logits, 2, 0);
    assert_true(fv_metrics_top(&m, 1) == 0.0);
    assert_true(fv_metrics_top(&m, 5) == 1.0);
}

/* -log softmax, also where exp() alone would overflow. */
static void test_loss_and_confidence(void **state)
{
    (void)state;
    const float logits[] = { 1000.0f, 999.0f, 998.0f };
    fv_metrics m = { 0 };
    fv_metrics_add(&m, logits, 3, 1);
    const double sum = 1.0 + exp(-1.0) + exp(-2.0);
    assert_true(fabs(fv_metrics_loss(&m) - (1.0 + log(sum))) < 1e-12);
    assert_true(fabs(fv_metrics_confidence(&m) - 1.0 / sum) < 1e-12);
    fv_metrics_add_unreadable(&m); /* no answer: in neither mean */
    assert_true(fabs(fv_metrics_loss(&m) - (1.0 + log(sum))) < 1e-12);
}

static void test_best_classes(void **state)
{
    (void)state;
    const float logits[] = { 1.0f, 4.0f, 2.0f, 4.0f, 3.0f };
    int ids[5];
    float scores[5];
    double sum = 0.0, total = 0.0;
    for (int c = 0; c < 5; c++) sum += exp((double)logits[c] - 4.0);

    for (int k = 1; k <= 5; k++) {
        static const int order[] = { 1, 3, 4, 2, 0 };
        assert_true(fv_best_classes(logits, 5, k, ids, scores));
        for (int i = 0; i < k; i++) {
            assert_int_equal(ids[i], order[i]);
            const double expected = exp((double)logits[order[i]] - 4.0) / sum;
            assert_true(fabs((double)scores[i] - expected) < 1e-7);
        }
    }
    for (int i = 0; i < 5; i++) total += (double)scores[i];
    assert_true(fabs(total - 1.0) < 1e-6);

    const float nan[] = { 1.0f, NAN }, inf[] = { INFINITY, 1.0f };
    assert_false(fv_best_classes(nan, 2, 1, ids, scores));
    assert_false(fv_best_classes(inf, 2, 1, ids, scores));
}

/* The best class is the one whose rank is 0, and so on. */
static void test_best_classes_are_ranks(void **state)
{
    (void)state;
    enum { CLASSES = 37 };
    float logits[CLASSES], scores[CLASSES];
    int ids[CLASSES];
    testing_fill("logits", logits, CLASSES);
    for (int c = 0; c < CLASSES; c++) logits[c] = roundf(4.0f * logits[c]); /* many ties */
    assert_true(fv_best_classes(logits, CLASSES, CLASSES, ids, scores));
    for (int i = 0; i < CLASSES; i++) assert_int_equal(fv_rank(logits, CLASSES, ids[i]), i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rank),
        cmocka_unit_test(test_ties_go_to_the_lower_id),
        cmocka_unit_test(test_nan_is_never_right),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_fewer_classes_than_k),
        cmocka_unit_test(test_loss_and_confidence),
        cmocka_unit_test(test_best_classes),
        cmocka_unit_test(test_best_classes_are_ranks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
