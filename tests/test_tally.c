/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/memory.h"
#include "base/random.h"
#include "eval/tally.h"

#include <math.h>

static fv_answers answers;

static void add(int label, int best, float probability)
{
    float logits[8];
    for (int c = 0; c < 8; c++)
        logits[c] = c == best ? logf(probability) : logf((1.0f - probability) / 7.0f);
    fv_answers_add(
        &answers, "x",
        &(fv_answer){ .label = label, .logits = best < 0 ? NULL : logits, .classes = 8 });
}

static int clear(void **unused)
{
    (void)unused;
    fv_answers_clear(&answers);
    return 0;
}

static void test_counts(void **unused)
{
    (void)unused;
    fv_tally t;
    add(0, 0, 0.9f);
    add(0, 2, 0.9f);
    add(0, 1, 0.9f);
    add(0, 2, 0.9f);
    add(2, 1, 0.9f);
    add(1, -1, 0.0f);
    add(2, 2, 0.9f);
    assert_ok(fv_tally_make(&t, &answers, 4, &testing_err));
    assert_int_equal(t.class_count, 4);
    assert_int_equal(t.pictures, 7);
    assert_int_equal(t.right, 2);
    assert_int_equal(t.unreadable, 1);
    const fv_class_tally expected[] = {
        { 4, 1, 1, 2, 2 }, { 1, 0, 2, -1, 0 }, { 2, 1, 3, 1, 1 }, { 0, 0, 0, -1, 0 }
    };
    for (int c = 0; c < 4; c++) {
        assert_int_equal(t.classes[c].pictures, expected[c].pictures);
        assert_int_equal(t.classes[c].right, expected[c].right);
        assert_int_equal(t.classes[c].answered, expected[c].answered);
        assert_int_equal(t.classes[c].confused, expected[c].confused);
        assert_int_equal(t.classes[c].times, expected[c].times);
    }
    const fv_confusion confusions[] = { { 0, 2, 2 }, { 0, 1, 1 }, { 2, 1, 1 } };
    assert_int_equal(t.confusion_count, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(t.confusions[i].label, confusions[i].label);
        assert_int_equal(t.confusions[i].best, confusions[i].best);
        assert_int_equal(t.confusions[i].times, confusions[i].times);
    }
    fv_tally_deinit(&t);
}

/* More classes than were told; sums agree however many there are. */
static void test_sums(void **unused)
{
    (void)unused;
    fv_tally t;
    for (int i = 0; i < 500; i++) add(i * 7 % 8, (i * 13 + i / 9) % 8, 0.5f);
    assert_ok(fv_tally_make(&t, &answers, 1, &testing_err));
    assert_int_equal(t.class_count, 8);
    int64_t pictures = 0, right = 0, wrong = 0, answered = 0;
    for (int c = 0; c < 8; c++) {
        pictures += t.classes[c].pictures;
        right += t.classes[c].right;
        answered += t.classes[c].answered;
    }
    for (size_t i = 0; i < t.confusion_count; i++) {
        wrong += t.confusions[i].times;
        assert_true(i == 0 || t.confusions[i - 1].times >= t.confusions[i].times);
    }
    assert_true(pictures == 500 && answered == 500 && right == t.right && right + wrong == 500);
    fv_tally_deinit(&t);
}

static void test_mistakes(void **unused)
{
    (void)unused;
    size_t *worst, count;
    add(0, 1, 0.5f);
    add(0, 0, 0.9f);
    add(0, 2, 0.75f);
    add(0, -1, 0.0f);
    add(1, 2, 0.5f);
    add(1, 2, 0.25f);
    assert_ok(fv_tally_mistakes(&worst, &count, &answers, &testing_err));
    assert_int_equal(count, 4);
    const size_t expected[] = { 2, 0, 4, 5 };
    for (int i = 0; i < 4; i++) assert_int_equal(worst[i], expected[i]);
    fv_free(worst);
}

static void test_nothing(void **unused)
{
    (void)unused;
    fv_tally t;
    size_t *worst, count;
    assert_ok(fv_tally_make(&t, &answers, 2, &testing_err));
    assert_true(t.pictures == 0 && t.confusion_count == 0 && t.class_count == 2);
    fv_tally_deinit(&t);
    assert_ok(fv_tally_mistakes(&worst, &count, &answers, &testing_err));
    assert_int_equal(count, 0);
    fv_free(worst);
}

static void test_memory(void **unused)
{
    (void)unused;
    fv_tally t = { 0 };
    size_t *worst = NULL, count;
    fv_error err;
    add(0, 1, 0.5f);
    for (size_t n = 1; n <= 2; n++) {
        fv_alloc_fail_at(n);
        assert_int_equal(fv_tally_make(&t, &answers, 2, &err), FV_ERR_NOMEM);
        assert_null(t.classes);
    }
    fv_alloc_fail_at(1);
    assert_int_equal(fv_tally_mistakes(&worst, &count, &answers, &err), FV_ERR_NOMEM);
    assert_null(worst);
    fv_answers_deinit(&answers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_counts, clear),   cmocka_unit_test_setup(test_sums, clear),
        cmocka_unit_test_setup(test_mistakes, clear), cmocka_unit_test_setup(test_nothing, clear),
        cmocka_unit_test_setup(test_memory, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
