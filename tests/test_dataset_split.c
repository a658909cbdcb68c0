/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "picture_testing.h"

#include "base/compiler.h"
#include "data/dataset.h"

enum { CLASSES = 5 };

/* Of so many pictures; class 4 has one, class 3 two. */
static const int counts[CLASSES] = { 40, 33, 7, 2, 1 };

static void put_list(bool reversed)
{
    char text[4096] = "";
    size_t used = 0;
    for (int k = 0; k < CLASSES; k++) {
        const int c = reversed ? CLASSES - 1 - k : k;
        for (int i = 0; i < counts[c]; i++) {
            const int number = reversed ? counts[c] - 1 - i : i;
            used +=
                (size_t)snprintf(text + used, sizeof(text) - used, "%d/%d.jpg %d\n", c, number, c);
        }
    }
    testing_write("list.txt", text, used);
}

static fv_status open_part(fv_dataset **out, double fraction, uint64_t seed, fv_part part)
{
    const fv_dataset_options options = { .list_path = testing_path("list.txt"),
                                         .split = { fraction, seed, part } };
    return fv_dataset_open(out, &options, &testing_err);
}

/* Which pictures a part has: bit i of seen[c]. The same one twice is a failure. */
static void mark(const fv_dataset *d, uint64_t seen[CLASSES])
{
    int before = -1;
    for (int64_t i = 0; i < fv_dataset_count(d); i++) {
        int c = 0, number = 0;
        assert_int_equal(sscanf(fv_dataset_name(d, i), "%d/%d.jpg", &c, &number), 2);
        assert_int_equal(fv_dataset_label(d, i), c);
        assert_true(!(seen[c] >> number & 1));
        seen[c] |= UINT64_C(1) << number;
        assert_true(c * 100 + number > before); /* the order is the list's */
        before = c * 100 + number;
    }
}

/* Disjoint, together everything, of every class its share. */
static void test_parts(void **state)
{
    (void)state;
    static const struct {
        double fraction;
        int wanted[CLASSES];
    } table[] = {
        { 0.1, { 4, 3, 1, 1, 0 } },
        { 0.5, { 20, 17, 4, 1, 0 } },
        { 0.99, { 39, 32, 6, 1, 0 } },
    };
    put_list(false);
    for (size_t k = 0; k < FV_ARRAY_LEN(table); k++) {
        for (uint64_t seed = 0; seed < 4; seed++) {
            fv_dataset *train = NULL, *val = NULL;
            uint64_t seen[CLASSES] = { 0 }, val_seen[CLASSES] = { 0 };
            assert_ok(open_part(&train, table[k].fraction, seed, FV_PART_TRAIN));
            assert_ok(open_part(&val, table[k].fraction, seed, FV_PART_VAL));
            assert_int_equal(fv_dataset_classes(train), CLASSES);
            assert_int_equal(fv_dataset_classes(val), CLASSES);
            mark(val, val_seen);
            mark(train, seen);
            for (int c = 0; c < CLASSES; c++) {
                assert_int_equal(__builtin_popcountll(val_seen[c]), table[k].wanted[c]);
                assert_true((seen[c] & val_seen[c]) == 0);
                assert_true((seen[c] | val_seen[c]) == (UINT64_C(1) << counts[c]) - 1);
            }
            fv_dataset_close(train);
            fv_dataset_close(val);
        }
    }
}

/* Another seed is another split, another order of the list is not; and no version of the program
 * may change which pictures a seed stands for. */
static void test_repeatable(void **state)
{
    (void)state;
    uint64_t seen[3][CLASSES] = { { 0 } };
    fv_dataset *d = NULL;
    put_list(false);
    for (uint64_t seed = 0; seed < 2; seed++) {
        assert_ok(open_part(&d, 0.5, seed, FV_PART_VAL));
        mark(d, seen[seed]);
        fv_dataset_close(d);
    }
    put_list(true);
    assert_ok(open_part(&d, 0.5, 0, FV_PART_VAL));
    for (int64_t i = 0; i < fv_dataset_count(d); i++) {
        int c = 0, number = 0;
        assert_int_equal(sscanf(fv_dataset_name(d, i), "%d/%d.jpg", &c, &number), 2);
        seen[2][c] |= UINT64_C(1) << number;
    }
    fv_dataset_close(d);
    assert_memory_equal(seen[0], seen[2], sizeof(seen[0]));
    assert_memory_not_equal(seen[0], seen[1], sizeof(seen[0]));
    assert_int_equal(seen[0][2], 0x3c);
}

/* A picture that is listed twice is in one part. */
static void test_twice(void **state)
{
    (void)state;
    static const char list[] = "a 0\nb 0\nc 0\na 0\nb 0\nc 0\n";
    testing_write("list.txt", list, strlen(list));
    for (uint64_t seed = 0; seed < 8; seed++) {
        fv_dataset *train = NULL, *val = NULL;
        assert_ok(open_part(&train, 0.5, seed, FV_PART_TRAIN));
        assert_ok(open_part(&val, 0.5, seed, FV_PART_VAL));
        assert_int_equal(fv_dataset_count(train) + fv_dataset_count(val), 6);
        for (int64_t i = 0; i < fv_dataset_count(train); i++)
            for (int64_t j = 0; j < fv_dataset_count(val); j++)
                assert_string_not_equal(fv_dataset_name(train, i), fv_dataset_name(val, j));
        fv_dataset_close(train);
        fv_dataset_close(val);
    }
}

static void test_nothing_left(void **state)
{
    (void)state;
    fv_dataset *d = NULL;
    testing_write("list.txt", "a 0\nb 1\n", 8);
    assert_ok(open_part(&d, 0.5, 0, FV_PART_TRAIN));
    assert_int_equal(fv_dataset_count(d), 2);
    fv_dataset_close(d);
    assert_int_equal(open_part(&d, 0.5, 0, FV_PART_VAL), FV_ERR_FORMAT);
    assert_string_equal(testing_err.message,
                        "dataset: of 2 pictures, with val_fraction 0.5, none is in the validation "
                        "part: no class has two");
    for (size_t n = 1; n < 6; n++) {
        fv_alloc_fail_at(n);
        const fv_status status = open_part(&d, 0.5, 0, FV_PART_TRAIN);
        fv_alloc_fail_at(0);
        assert_true(status == FV_OK || status == FV_ERR_NOMEM);
        if (status == FV_OK) fv_dataset_close(d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_repeatable),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_nothing_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
