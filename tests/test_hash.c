/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/hash.h"

static void expect(const void *bytes, size_t size, uint32_t seed, uint64_t high, uint64_t low)
{
    const fv_hash hash = fv_hash_bytes(bytes, size, seed);
    assert_true(hash.high == high);
    assert_true(hash.low == low);
}

/* Computed with the Python package mmh3. */
static void test_known(void **state)
{
    (void)state;
    uint8_t bytes[256];
    for (int i = 0; i < 256; i++) bytes[i] = (uint8_t)i;
    expect("", 0, 0, 0, 0);
    expect("", 0, 1, 0x4610abe56eff5cb5, 0x51622daa78f83583);
    expect("a", 1, 0, 0x85555565f6597889, 0xe6b53a48510e895a);
    expect("hello, world", 12, 123, 0x2fed885fccfe9dc1, 0xdb99c2aa78f193e5);
    expect(bytes, 256, 7, 0x83f8d042aaddbfca, 0xe6cccd45bafd3493);
    expect(bytes, 31, 0, 0x053dd3e1a32cd094, 0x9ee59aefb4005490);
}

/* Every bit and the length count. */
static void test_differences(void **state)
{
    (void)state;
    uint8_t bytes[40] = { 0 };
    const fv_hash zeros = fv_hash_bytes(bytes, sizeof(bytes), 0);
    for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
        bytes[bit / 8] = (uint8_t)(1u << bit % 8);
        const fv_hash hash = fv_hash_bytes(bytes, sizeof(bytes), 0);
        assert_int_not_equal(fv_hash_compare(&zeros, &hash), 0);
        assert_int_equal(fv_hash_compare(&zeros, &hash) < 0, fv_hash_compare(&hash, &zeros) > 0);
        bytes[bit / 8] = 0;
    }
    for (size_t size = 0; size < sizeof(bytes); size++) {
        const fv_hash hash = fv_hash_bytes(bytes, size, 0);
        assert_int_not_equal(fv_hash_compare(&zeros, &hash), 0);
        assert_int_equal(fv_hash_compare(&hash, &hash), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
