/* SPDX-License-Identifier: Apache-2.0 */
/* AutoAugment, RandAugment, TimmAutoAugment: what is drawn how often, and to what effect. */
#include "testing.h"

#include "augment_testing.h"

enum { SAME, BLACK, INVERTED, STRETCHED, FLATTENED, OTHER, OUTCOMES };

static void count_outcomes(const char *op, int counts[OUTCOMES])
{
    fv_picture p[OTHER] = { { 0 } };
    for (int i = 0; i < OTHER; i++)
        testing_resize(&plain, SIDE, SIDE, FV_PILLOW, FV_BILINEAR, &p[i]);
    fv_pixels_posterize(&p[BLACK], 0);
    fv_pixels_invert(&p[INVERTED]);
    fv_pixels_autocontrast(&p[STRETCHED]);
    fv_pixels_equalize(&p[FLATTENED]);
    memset(counts, 0, OUTCOMES * sizeof(*counts));
    run *r = open_ops(op, "");
    for (uint64_t n = 0; n < ROUNDS; n++) {
        int which = 0;
        apply(r, n);
        while (which < OTHER && !equals(r, &p[which])) which++;
        counts[which]++;
    }
    close_ops(r);
    for (int i = 0; i < OTHER; i++) fv_picture_deinit(&p[i]);
}

/* Without magnitude most actions do nothing, which shows how often each is drawn. */
static void test_rand_augment(void **state)
{
    (void)state;
    int n[OUTCOMES];
    count_outcomes("- RandAugment: {num_layers: 1, magnitude: 0}\n", n);
    assert_int_equal(n[OTHER], 0);
    assert_true(near_share(n[SAME], 9.0 / 14.0));
    assert_true(near_share(n[BLACK], 1.0 / 14.0));    /* no bit is kept */
    assert_true(near_share(n[INVERTED], 2.0 / 14.0)); /* and solarized from 0 on */
    assert_true(near_share(n[STRETCHED], 1.0 / 14.0));
    assert_true(near_share(n[FLATTENED], 1.0 / 14.0));
    count_outcomes("- RandAugment: {num_layers: 1, magnitude: 10}\n", n);
    assert_true(near_share(n[SAME], 1.0 / 14.0)); /* solarized from 256 on */
    assert_true(near_share(n[OTHER], 10.0 / 14.0));
}

static void test_timm(void **state)
{
    (void)state;
    int n[OUTCOMES];
    count_outcomes("- TimmAutoAugment: {config_str: rand-m0-n1-inc1}\n", n);
    assert_true(near_share(n[OTHER], 0.5 / 15.0)); /* posterized to 4 bits */
    assert_true(near_share(n[SAME], 0.5 + 0.5 * 11.0 / 15.0));
    assert_true(near_share(n[INVERTED], 0.5 / 15.0));
    assert_true(near_share(n[FLATTENED], 0.5 / 15.0));
    count_outcomes("- TimmAutoAugment: {config_str: rand-m0-n1-inc0}\n", n);
    assert_true(near_share(n[OTHER], 0.5 * 4.0 / 15.0)); /* enhanced by 0.1 */
    assert_true(near_share(n[BLACK], 0.5 / 15.0));
    assert_true(near_share(n[INVERTED], 0.5 * 2.0 / 15.0));
    count_outcomes("- TimmAutoAugment: {config_str: rand-m0-n1-w0-inc1}\n", n);
    assert_int_equal(n[INVERTED] + n[BLACK] + n[OTHER], 0); /* weights 0 */
    assert_true(n[STRETCHED] > 0 && n[STRETCHED] < ROUNDS * 0.03);
    count_outcomes("- TimmAutoAugment: {config_str: rand-m0-n15-w0-inc1}\n", n);
    assert_true(n[SAME] < ROUNDS / 8); /* all fifteen, each one time in two */
    count_outcomes("- TimmAutoAugment: {config_str: rand-m9-n2, prob: 0}\n", n);
    assert_int_equal(n[SAME], ROUNDS);
}

/* The rows of the policy that can leave the picture as it is, or stretched, flattened, inverted. */
static void test_auto_augment(void **state)
{
    (void)state;
    int n[OUTCOMES];
    count_outcomes("- AutoAugment:\n", n);
    /* From table 9: a row does nothing with (1 - p1)(1 - p2), and where a level changes nothing. */
    const double same =
        (0.24 + 0.16 + 0.08 + 0.16 + 0.48 + 0.12 + 0.16 + 0.0 + 0.32 + 0.24 + 0.2 + 0.24 + 0.2 +
         0.0 + 0.0 + 0.0 + 0.04 + 0.24 + 0.0 + 0.4 + 0.48 + 0.16 + 0.0 + 0.0 + 0.08) /
        25.0;
    assert_true(near_share(n[SAME], same));
    assert_true(n[FLATTENED] > ROUNDS / 10);
    assert_int_equal(n[BLACK], 0);
    assert_true(n[OTHER] > ROUNDS / 3);
}

/* The policy again, from the paper's table 9, letter by letter: an action (p posterize, s solarize,
 * e equalize, a autocontrast, c color, t contrast, r rotate, i invert, h sharpness, x shear), its
 * probability in tenths (A: ten), its level. */
static const char *const rows[] = {
    "p48r69", "s65a65", "e88e63", "p67p66", "e47s24", "e44r88", "s63e67", "p85eA2", "r23s68",
    "e68p46", "r88c40", "r49e62", "e07e88", "i64eA8", "c64tA8", "r88cA2", "c88s87", "h47i68",
    "x65eA9", "c40e63", "e47s24", "s65a65", "i64eA8", "c64tA8", "e88e63",
};

static void reserve_like(fv_picture *p, const fv_picture *in)
{
    assert_ok(fv_picture_reserve(p, in->width, in->height, &testing_err));
    memcpy(p->data, in->data, FLOATS);
}

/* out = what an action makes of `in`, turned to the one side or the other. */
static void act(const char *action, int side, const fv_picture *in, fv_picture *out)
{
    static const int bits[] = { 8, 8, 7, 7, 6, 6, 5, 5, 4, 4 };
    const int level = action[2] - '0';
    const double share = level / 9.0;
    const float factor = (float)(1.0 + side * (0.9 * share));
    fv_warp w = { .m = { 1, side * (0.3 * share), 0, 0, 1, 0 },
                  .filter = FV_BICUBIC,
                  .fill = { 128, 128, 128 } };
    reserve_like(out, in);
    switch (*action) {
    case 'p': fv_pixels_posterize(out, bits[level]); break;
    case 's': fv_pixels_solarize(out, 256.0 - 256.0 / 9.0 * level); break;
    case 'e': fv_pixels_equalize(out); break;
    case 'a': fv_pixels_autocontrast(out); break;
    case 'c': fv_pixels_color(out, factor); break;
    case 't': fv_pixels_contrast(out, factor); break;
    case 'i': fv_pixels_invert(out); break;
    case 'h': assert_ok(fv_pixels_sharpness(in, factor, out, &testing_err)); break;
    case 'r':
        w.filter = FV_NEAREST;
        fv_warp_rotate(&w, 30.0 * share, SIDE, SIDE);
        assert_ok(fv_pixels_warp(in, &w, out, &testing_err));
        break;
    default: assert_ok(fv_pixels_warp(in, &w, out, &testing_err));
    }
}

static double chance(const char *action)
{
    return action[1] == 'A' ? 1.0 : (action[1] - '0') / 10.0;
}

enum { ROWS = FV_ARRAY_LEN(rows), RESULTS = ROWS * 9 };

/* What can come out, of whatever row, and its probability. Where others are equal to it, the first
 * stands for them. */
typedef struct result {
    uint32_t crc;
    double chance;
    int found;
} result;

static uint32_t crc_of_floats(const float *x)
{
    static uint8_t bytes[FLOATS];
    for (int i = 0; i < FLOATS; i++) bytes[i] = (uint8_t)x[i];
    return testing_crc32(bytes, FLOATS);
}

/* Each of the two actions: left out, to one side, to the other. */
static void list_results(result results[RESULTS])
{
    fv_picture one = { 0 }, two = { 0 };
    memset(results, 0, RESULTS * sizeof(*results));
    for (int i = 0; i < RESULTS; i++) {
        const char *first = rows[i / 9], *second = first + 3;
        const int side1 = i % 9 / 3 - 1, side2 = i % 3 - 1;
        reserve_like(&one, &plain);
        if (side1) act(first, side1, &plain, &one);
        reserve_like(&two, &one);
        if (side2) act(second, side2, &one, &two);
        const double p1 = chance(first), p2 = chance(second);
        const uint32_t crc = testing_crc32(two.data, FLOATS);
        int same = 0;
        while (same < i && results[same].crc != crc) same++;
        if (same == i) results[i] = (result){ .crc = crc };
        results[same].chance += (side1 ? p1 / 2 : 1 - p1) * (side2 ? p2 / 2 : 1 - p2) / ROWS;
    }
    fv_picture_deinit(&one);
    fv_picture_deinit(&two);
}

/* Nothing else comes out, and everything as often as it should. */
static void test_the_policy(void **state)
{
    (void)state;
    static result results[RESULTS];
    list_results(results);
    run *r = open_ops("- AutoAugment:\n", "");
    for (uint64_t n = 0; n < 4 * ROUNDS; n++) {
        apply(r, n);
        const uint32_t crc = crc_of_floats(r->out);
        int k = 0;
        while (k < RESULTS && results[k].crc != crc) k++;
        assert_true(k < RESULTS && results[k].chance > 0.0);
        results[k].found++;
    }
    for (int k = 0; k < RESULTS; k++) {
        const double expected = results[k].chance * 4 * ROUNDS;
        assert_true(fabs(results[k].found - expected) <= 5.0 * sqrt(expected) + 2.0);
    }
    close_ops(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rand_augment),
        cmocka_unit_test(test_timm),
        cmocka_unit_test(test_auto_augment),
        cmocka_unit_test(test_the_policy),
    };
    return cmocka_run_group_tests(tests, make_file, free_file);
}
