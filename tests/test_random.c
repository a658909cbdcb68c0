/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/compiler.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* kat_vectors of Random123, the authors' own library: philox4x32, 10 rounds. */
static void test_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } vectors[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff },
          { 0xffffffff, 0xffffffff },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (size_t i = 0; i < FV_ARRAY_LEN(vectors); i++) {
        uint32_t out[4];
        fv_random_philox(vectors[i].key, vectors[i].counter, out);
        assert_memory_equal(out, vectors[i].out, sizeof(out));
    }
}

/* A stream is its blocks in order, each the function of the counter that random.h promises. */
static void test_stream_is_its_counter(void **state)
{
    (void)state;
    const uint64_t seed = 0x0123456789abcdef, index = 0x00fedcba98765432;
    fv_random r = fv_random_stream(seed, FV_RANDOM_AUGMENT, 7, index);
    for (uint32_t block = 0; block < 3; block++) {
        const uint32_t key[2] = { 0x89abcdef, 0x01234567 };
        const uint32_t counter[4] = { block, 7, 0x98765432, 0x03fedcba };
        uint32_t expected[4];
        fv_random_philox(key, counter, expected);
        for (int i = 0; i < 4; i++) assert_int_equal(fv_random_u32(&r), expected[i]);
    }
}

static void test_copy_keeps_position(void **state)
{
    (void)state;
    fv_random a = fv_random_stream(1, FV_RANDOM_TEST, 0, 0);
    for (int i = 0; i < 5; i++) fv_random_u32(&a);
    fv_random b = a;
    for (int i = 0; i < 20; i++) assert_int_equal(fv_random_u32(&a), fv_random_u32(&b));
}

static void test_ranges(void **state)
{
    (void)state;
    fv_random r = fv_random_stream(2, FV_RANDOM_TEST, 0, 0);
    for (int i = 0; i < 100000; i++) {
        const float f = fv_random_float(&r);
        assert_true(f >= 0.0f && f < 1.0f);
        const double d = fv_random_double(&r);
        assert_true(d >= 0.0 && d < 1.0);
        const float narrow = fv_random_uniform(&r, 1.0f, 1.0000002f);
        assert_true(narrow >= 1.0f && narrow < 1.0000002f);
        assert_true(fv_random_uniform(&r, 3.0f, 3.0f) >= 3.0f);
        const int n = fv_random_int(&r, -3, 3);
        assert_in_range(n + 3, 0, 6);
        assert_int_equal(fv_random_int(&r, 5, 5), 5);
    }
    bool negative = false, positive = false;
    for (int i = 0; i < 64; i++) {
        const int n = fv_random_int(&r, INT32_MIN, INT32_MAX);
        negative = negative || n < 0;
        positive = positive || n > 0;
    }
    assert_true(negative && positive);
}

/* Three values in a range that 2^32 is no multiple of: a modulus would be fair to 1e-9 here, so
 * take 3 * 2^30 values, where it would give the first third twice as often. */
static void test_int_is_unbiased(void **state)
{
    (void)state;
    enum { DRAWS = 30000, THIRD = 1 << 30 };
    fv_random r = fv_random_stream(3, FV_RANDOM_TEST, 0, 0);
    int count[3] = { 0 };
    for (int i = 0; i < DRAWS; i++) {
        const int64_t n = (int64_t)fv_random_int(&r, -2 * THIRD, THIRD - 1) + (int64_t)2 * THIRD;
        count[n / THIRD]++;
    }
    /* 10000 expected, deviation 82: six of them. */
    for (int i = 0; i < 3; i++) assert_in_range(count[i], 9500, 10500);
}

/* Moments within six deviations of their estimates. */
static void test_normal(void **state)
{
    (void)state;
    enum { DRAWS = 200000 };
    fv_random r = fv_random_stream(4, FV_RANDOM_TEST, 0, 0);
    double sum = 0.0, squares = 0.0, cubes = 0.0, fourths = 0.0;
    for (int i = 0; i < DRAWS; i++) {
        const double x = (double)fv_random_normal(&r);
        assert_true(isfinite(x));
        sum += x;
        squares += x * x;
        cubes += x * x * x;
        fourths += x * x * x * x;
    }
    const double unit = 6.0 / sqrt(DRAWS);
    assert_true(fabs(sum / DRAWS) < unit);
    assert_true(fabs(squares / DRAWS - 1.0) < unit * sqrt(2.0));
    assert_true(fabs(cubes / DRAWS) < unit * sqrt(15.0));
    assert_true(fabs(fourths / DRAWS - 3.0) < unit * sqrt(96.0));
}

static void test_streams_differ(void **state)
{
    (void)state;
    const fv_random streams[] = {
        fv_random_stream(1, FV_RANDOM_INIT, 0, 0),
        fv_random_stream(2, FV_RANDOM_INIT, 0, 0),
        fv_random_stream((uint64_t)1 << 32 | 1, FV_RANDOM_INIT, 0, 0),
        fv_random_stream(1, FV_RANDOM_SHUFFLE, 0, 0),
        fv_random_stream(1, FV_RANDOM_INIT, 1, 0),
        fv_random_stream(1, FV_RANDOM_INIT, 0, 1),
        fv_random_stream(1, FV_RANDOM_INIT, 0, (uint64_t)1 << 32),
        fv_random_stream(1, FV_RANDOM_INIT, 0, (uint64_t)1 << 55),
    };
    for (size_t i = 0; i < FV_ARRAY_LEN(streams); i++)
        for (size_t j = 0; j < i; j++) {
            fv_random a = streams[i], b = streams[j];
            int equal = 0;
            for (int n = 0; n < 16; n++) equal += fv_random_u32(&a) == fv_random_u32(&b);
            assert_int_equal(equal, 0);
        }
}

/* FNV-1a of "foobar" is 85944171f73967e8 (draft-eastlake-fnv); folded to 56 bits. */
static void test_hash(void **state)
{
    (void)state;
    assert_true(fv_random_hash("foobar") == (UINT64_C(0x944171f73967e8) ^ 0x85));
    assert_true(fv_random_hash("") == (UINT64_C(0xf29ce484222325) ^ 0xcb));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),       cmocka_unit_test(test_stream_is_its_counter),
        cmocka_unit_test(test_copy_keeps_position), cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_int_is_unbiased),     cmocka_unit_test(test_normal),
        cmocka_unit_test(test_streams_differ),      cmocka_unit_test(test_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
