/* SPDX-License-Identifier: Apache-2.0 */
#include "testing_config.h"

#include "base/compiler.h"
#include "base/memory.h"
#include "data/batch_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_COUNT = 16, HEIGHT = 19, WIDTH = 24, IMAGE = HEIGHT * WIDTH * 3, ROUNDS = 300 };

/* Picture n holds n + 1 everywhere, so that what a pixel is made of can be read off it. */
typedef struct mixed {
    fv_config *config;
    fv_batch_ops *ops;
    int count;
    float images[MAX_COUNT * IMAGE], labels[MAX_COUNT], partners[MAX_COUNT], shares[MAX_COUNT];
    void *scratch;
} mixed;

static fv_status try_open(mixed *m, const char *ops)
{
    char text[512];
    snprintf(text, sizeof(text), "ops: %s", ops);
    memset(m, 0, sizeof(*m));
    m->config = config_parse(text);
    return fv_batch_ops_create(&m->ops, fv_config_child(fv_config_root(m->config), "ops"),
                               &testing_err);
}

static void open_mixed(mixed *m, const char *ops, int count)
{
    assert_ok(try_open(m, ops));
    m->count = count;
    m->scratch = fv_alloc(fv_batch_ops_scratch(m->ops, count, HEIGHT, WIDTH));
    assert_non_null(m->scratch);
}

static void close_mixed(mixed *m)
{
    fv_free(m->scratch);
    fv_batch_ops_destroy(m->ops);
    fv_config_destroy(m->config);
}

static void run(mixed *m, uint64_t number)
{
    fv_random r = fv_random_stream(5, FV_RANDOM_BATCH, 0, number);
    for (int n = 0; n < m->count; n++) {
        m->labels[n] = (float)(n + 1);
        for (int i = 0; i < IMAGE; i++) m->images[n * IMAGE + i] = (float)(n + 1);
    }
    const fv_mixture mixture = { m->count,  HEIGHT,      WIDTH,     m->images,
                                 m->labels, m->partners, m->shares, m->scratch };
    fv_batch_ops_run(m->ops, &mixture, &r);
}

/* Share of picture n in its pixel i, given its partner. */
static double share_of(const mixed *m, int n, int i)
{
    const double own = (double)m->labels[n], other = (double)m->partners[n];
    return ((double)m->images[n * IMAGE + i] - other) / (own - other);
}

/* Partners are a permutation; what a picture keeps in the mean is what its label gets. */
static void check_batch(const mixed *m)
{
    bool seen[MAX_COUNT + 1] = { false };
    for (int n = 0; n < m->count; n++) {
        const int partner = (int)m->partners[n];
        assert_true(partner >= 1 && partner <= m->count);
        assert_false(seen[partner]);
        seen[partner] = true;
        double sum = 0.0;
        if (partner == n + 1) {
            for (int i = 0; i < IMAGE; i++) assert_true(m->images[n * IMAGE + i] == (float)(n + 1));
            assert_true(m->shares[n] == 1.0f);
            continue;
        }
        for (int i = 0; i < IMAGE; i++) {
            const double share = share_of(m, n, i);
            assert_true(share >= -1e-5 && share <= 1.0 + 1e-5);
            assert_true(fabs(share - share_of(m, n, i - i % 3)) < 1e-5); /* all channels alike */
            sum += share;
        }
        assert_true(fabs(sum / IMAGE - (double)m->shares[n]) < 1e-4);
    }
}

static double first_share(const mixed *m)
{
    for (int n = 0; n < m->count; n++)
        if (m->partners[n] != m->labels[n]) return (double)m->shares[n];
    return -1.0;
}

/* Mean and variance of the shares, against Beta's: 1/2 and 1 / (4 (2 alpha + 1)). */
static void check_beta(const char *ops, double alpha)
{
    mixed m;
    double sum = 0.0, squares = 0.0;
    open_mixed(&m, ops, 7);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        run(&m, i);
        const double share = first_share(&m);
        sum += share, squares += share * share;
    }
    close_mixed(&m);
    const double mean = sum / ROUNDS, variance = squares / ROUNDS - mean * mean;
    assert_true(fabs(mean - 0.5) < 0.1);
    assert_true(fabs(variance * 4.0 * (2.0 * alpha + 1.0) - 1.0) < 0.2);
}

static void test_mixup(void **state)
{
    (void)state;
    mixed m;
    open_mixed(&m, "[MixupOperator: {alpha: 0.5}]", 9);
    for (uint64_t i = 0; i < 20; i++) {
        run(&m, i);
        check_batch(&m);
        for (int n = 0; n < m.count; n++)
            for (int k = 0; k < IMAGE && m.partners[n] != m.labels[n]; k++)
                assert_true(fabs(share_of(&m, n, k) - first_share(&m)) < 1e-5);
    }
    close_mixed(&m);
    check_beta("[MixupOperator: {alpha: 0.2}]", 0.2);
    check_beta("[MixupOperator: ]", 1.0);
    check_beta("[MixupOperator: {alpha: 50}]", 50.0);
}

/* A box of whole pixels is the partner's, and its size follows lambda. */
static void test_cutmix(void **state)
{
    (void)state;
    mixed m;
    int cut = 0;
    open_mixed(&m, "[CutmixOperator: {alpha: 1.0}]", 6);
    for (uint64_t i = 0; i < 60; i++) {
        run(&m, i);
        check_batch(&m);
        int n = 0, top = HEIGHT, left = WIDTH, bottom = 0, right = 0, inside = 0;
        while (n < m.count && m.partners[n] == m.labels[n]) n++;
        for (int k = 0; k < HEIGHT * WIDTH && n < m.count; k++) {
            const double share = share_of(&m, n, 3 * k);
            assert_true(share == 0.0 || share == 1.0);
            if (share == 1.0) continue;
            inside++;
            top = fv_min(top, k / WIDTH), bottom = fv_max(bottom, k / WIDTH + 1);
            left = fv_min(left, k % WIDTH), right = fv_max(right, k % WIDTH + 1);
        }
        if (inside) assert_int_equal(inside, (bottom - top) * (right - left));
        cut += inside > 0;
    }
    close_mixed(&m);
    assert_true(cut > 40);
}

/* Few blobs: along a row the mask changes rarely; with max_soft it has values in between. */
static void test_fmix(void **state)
{
    (void)state;
    mixed m;
    for (int soft = 0; soft < 2; soft++) {
        int changes = 0, between = 0;
        open_mixed(&m, soft ? "[FmixOperator: {max_soft: 0.2}]" : "[FmixOperator: ]", 5);
        for (uint64_t i = 0; i < 30; i++) {
            run(&m, i);
            check_batch(&m);
            int n = 0;
            while (n < m.count && m.partners[n] == m.labels[n]) n++;
            for (int k = 0; k < HEIGHT * WIDTH && n < m.count; k++) {
                const double share = share_of(&m, n, 3 * k);
                between += share > 1e-4 && share < 1.0 - 1e-4;
                if (k % WIDTH) changes += fabs(share - share_of(&m, n, 3 * k - 3)) > 0.5;
            }
        }
        assert_true(soft ? between > 1000 : between == 0);
        assert_true(soft || (changes > 30 && changes < 30 * HEIGHT * 3));
        close_mixed(&m);
    }
    check_beta("[FmixOperator: {alpha: 1.0}]", 1.0);
}

static void test_sampler(void **state)
{
    (void)state;
    mixed m;
    int none = 0, mixup = 0, cutmix = 0;
    open_mixed(&m,
               "[OpSampler: {MixupOperator: {alpha: 0.8, prob: 0.3},"
               " CutmixOperator: {alpha: 1.0, prob: 0.5}}]",
               8);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        run(&m, i);
        check_batch(&m);
        int same = 0, n = 0;
        for (int k = 0; k < m.count; k++) same += m.partners[k] == m.labels[k];
        if (same == m.count) {
            none++;
            continue;
        }
        while (m.partners[n] == m.labels[n]) n++;
        const double share = share_of(&m, n, 0), corner = share_of(&m, n, IMAGE - 1);
        const bool even = fabs(share - (double)m.shares[n]) < 1e-5 && fabs(share - corner) < 1e-5;
        mixup += even && share > 0.0 && share < 1.0;
        cutmix += !even || share == 0.0 || share == 1.0;
    }
    close_mixed(&m);
    assert_true(abs(none - ROUNDS / 5) < 30);
    assert_true(abs(mixup - ROUNDS * 3 / 10) < 30);
    assert_true(abs(cutmix - ROUNDS / 2) < 30);
}

/* One picture has no partner; the draw depends on the stream alone. */
static void test_small_and_again(void **state)
{
    (void)state;
    mixed m, again;
    open_mixed(&m, "[MixupOperator: {alpha: 0.001}]", 1);
    for (uint64_t i = 0; i < 50; i++) {
        run(&m, i);
        check_batch(&m);
    }
    close_mixed(&m);
    open_mixed(&m, "[FmixOperator: {alpha: 0.2, decay_power: 2, reformulate: True}]", 16);
    open_mixed(&again, "[FmixOperator: {alpha: 0.2, decay_power: 2, reformulate: True}]", 16);
    run(&again, 4);
    run(&m, 3);
    assert_memory_not_equal(m.images, again.images, sizeof(m.images));
    run(&m, 4);
    assert_memory_equal(m.images, again.images, sizeof(m.images));
    assert_memory_equal(m.shares, again.shares, sizeof(m.shares));
    close_mixed(&m);
    close_mixed(&again);
}

static void test_targets(void **state)
{
    (void)state;
    static const float labels[] = { 0, 2, 1 }, partners[] = { 2, 0, 1 };
    static const float shares[] = { 0.75f, 0.25f, 0.5f };
    static const float expected[] = { 0.75f, 0, 0.25f, 0.75f, 0, 0.25f, 0, 1, 0 };
    float targets[9];
    memset(targets, 1, sizeof(targets));
    fv_mix_targets(labels, partners, shares, 3, 3, targets);
    assert_memory_equal(targets, expected, sizeof(expected));
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *ops, *message;
    } table[] = {
        { "[]",
          "a.yaml:1:1: ops: must be a list of one operation; OpSampler draws one of several" },
        { "MixupOperator",
          "a.yaml:1:1: ops: must be a list of one operation; OpSampler draws one of several" },
        { "[MixupOperator: , CutmixOperator: ]",
          "a.yaml:1:1: ops: must be a list of one operation; OpSampler draws one of several" },
        { "[MixupOperator]", "a.yaml:1:7: ops.0: must be one operation, \"- Name: {options}\"" },
        { "[MixUpOperator: {alpha: 1}]", "a.yaml:1:7: ops.0: no operation on batches "
                                         "\"MixUpOperator\", did you mean \"MixupOperator\"?" },
        { "[Blur: ]", "a.yaml:1:7: ops.0: no operation on batches \"Blur\": there are "
                      "MixupOperator, CutmixOperator, FmixOperator and OpSampler" },
        { "[MixupOperator: {alpha: 0}]",
          "a.yaml:1:23: ops.0.MixupOperator.alpha: 0 is outside [0.001, 1000]" },
        { "[MixupOperator: {alpha: 1, prob: 0.5}]",
          "a.yaml:1:33: ops.0.MixupOperator.prob: unknown key, known here: alpha" },
        { "[FmixOperator: {decay: 3}]",
          "a.yaml:1:22: ops.0.FmixOperator.decay: unknown key, did you mean \"decay_power\"?" },
        { "[FmixOperator: {max_soft: 0.6}]",
          "a.yaml:1:22: ops.0.FmixOperator.max_soft: 0.6 is outside [0, 0.5]" },
        { "[OpSampler: ]", "a.yaml:1:7: ops.0: must hold operations, e.g. {MixupOperator: {alpha: "
                           "0.8, prob: 0.5}}" },
        { "[OpSampler: {CutmixOperator: {alpha: 1}}]",
          "a.yaml:1:19: ops.0.OpSampler.CutmixOperator.prob: must be given" },
        { "[OpSampler: {CutmixOperator: {prob: 0.6}, FmixOperator: {prob: 0.5}}]",
          "a.yaml:1:7: ops.0.OpSampler: the probabilities add up to 1.1, which is more than 1" },
        { "[OpSampler: {OpSampler: {prob: 0.6}}]",
          "a.yaml:1:19: ops.0.OpSampler.OpSampler: no operation on batches \"OpSampler\": there "
          "are MixupOperator, CutmixOperator, FmixOperator" },
    };
    for (size_t i = 0; i < FV_ARRAY_LEN(table); i++) {
        mixed m;
        config_expect_error(try_open(&m, table[i].ops), table[i].message);
        assert_null(m.ops);
        fv_config_destroy(m.config);
    }
    mixed m;
    assert_ok(try_open(&m, "null"));
    assert_null(m.ops);
    fv_config_destroy(m.config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mixup),   cmocka_unit_test(test_cutmix),
        cmocka_unit_test(test_fmix),    cmocka_unit_test(test_sampler),
        cmocka_unit_test(test_targets), cmocka_unit_test(test_small_and_again),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
