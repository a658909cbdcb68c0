/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "autograd/ops.h"
#include "base/cpu.h"
#include "data/batch_ops.h"
#include "train/loss.h"

#include <math.h>

enum { N = 4, K = 5, OUTPUTS = 3 };

static float logits[OUTPUTS][N * K];
static const float labels[N] = { 3, 0, 4, 1 };

/* Mean over the batch of the smoothed cross entropy, in double. */
static double cross_entropy(const float *x, double smoothing)
{
    double sum = 0.0;
    for (int n = 0; n < N; n++) {
        double z = 0.0;
        for (int c = 0; c < K; c++) z += exp((double)x[n * K + c]);
        for (int c = 0; c < K; c++) {
            const double t = (1.0 - smoothing) * (c == (int)labels[n]) + smoothing / K;
            sum -= t * ((double)x[n * K + c] - log(z));
        }
    }
    return sum / N;
}

typedef struct network {
    fv_params *params;
    fv_graph *graph;
    fv_slab *slab;
    fv_plan *plan;
    fv_tensor *outputs[OUTPUTS], *targets, *loss;
} network;

static fv_status build(network *net, const char *text, int outputs)
{
    fv_config *config;
    fv_loss loss;
    *net = (network){ 0 };
    assert_ok(fv_config_parse(&config, "c.yaml", text, &testing_err));
    assert_ok(fv_loss_read(&loss, fv_config_child(fv_config_root(config), "Train"), &testing_err));
    assert_ok(fv_params_create(&net->params, 1, &testing_err));
    assert_ok(fv_graph_create(&net->graph, net->params, FV_TRAIN, &testing_err));
    for (int i = 0; i < outputs; i++)
        net->outputs[i] = fv_input(net->graph, (fv_shape){ N, 1, 1, K });
    net->targets = fv_input(net->graph, (fv_shape){ N, 1, 1, 1 });
    net->loss = fv_loss_build(net->graph, &loss, net->outputs, outputs, net->targets);
    fv_config_destroy(config);
    return fv_graph_check(net->graph, &testing_err);
}

static void release(network *net)
{
    fv_plan_destroy(net->plan);
    fv_slab_destroy(net->slab);
    fv_graph_destroy(net->graph);
    fv_params_destroy(net->params);
}

static double value_of(const char *text, int outputs)
{
    network net;
    fv_kernels kernels;
    fv_kernels_init(&kernels, fv_cpu_detect());
    assert_ok(build(&net, text, outputs));
    assert_ok(fv_slab_create(&net.slab, &testing_err));
    const fv_plan_options options = { .loss = net.loss };
    assert_ok(fv_plan_create(&net.plan, net.graph, &kernels, net.slab, &options, &testing_err));
    for (int i = 0; i < outputs; i++) fv_plan_feed(net.plan, net.outputs[i], logits[i]);
    fv_plan_feed(net.plan, net.targets, labels);
    fv_plan_forward(net.plan);
    const double loss = (double)fv_plan_value(net.plan, net.loss).data[0];
    release(&net);
    return loss;
}

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-6 * fabs(expected)))
        fail_msg("%.9g instead of %.9g", value, expected);
}

static void test_values(void **unused)
{
    (void)unused;
    testing_fill("first", logits[0], N * K);
    testing_fill("second", logits[1], N * K);
    testing_fill("third", logits[2], N * K);
    assert_near(value_of("Train: [CELoss: {weight: 1.0}]", 1), cross_entropy(logits[0], 0.0));
    assert_near(value_of("Train: [CELoss: {weight: 1.0, epsilon: 0.1}]", 1),
                cross_entropy(logits[0], 0.1));
    assert_near(value_of("Train: [CELoss: {weight: 0.5, epsilon: 0.1}, CELoss: {weight: 2}]", 1),
                0.5 * cross_entropy(logits[0], 0.1) + 2.0 * cross_entropy(logits[0], 0.0));
    assert_near(value_of("Train: [GoogLeNetLoss: {weight: 1.0}]", 3),
                cross_entropy(logits[0], 0.0) + 0.3 * cross_entropy(logits[1], 0.0) +
                    0.3 * cross_entropy(logits[2], 0.0));
}

/* Mixed labels, computed in float64 by another program: 4 rows, each 0.3 its own label and 0.7 that
 * of the rows reversed; logits are 4 golden_number("logits", i). */
enum { MIXED_N = 4, MIXED_K = 10, MIXED = MIXED_N * MIXED_K };

typedef struct golden {
    const char *text;
    double loss, gradient[MIXED];
} golden;

static const golden goldens[] = {
    { "Train: [CELoss: {weight: 1.0}]",
      4.15283270615,
      { 0.0152089168,   0.000102181523, 0.000848855739, 9.18707158e-05, 0.0332364084,
        -0.00321620385, 0.00517495084,  -0.174271618,   0.103870815,    0.018953823,
        0.000572440927, 0.000568262477, -0.157717299,   0.0006969536,   0.00209013814,
        -0.0743937531,  0.0153653963,   0.208600823,    0.000351408277, 0.00386562954,
        0.000100677928, 0.000415019929, -0.0575599621,  0.00122083147,  0.000213638128,
        -0.146982719,   0.098682406,    0.0261295634,   0.0667458483,   0.011034696,
        0.000151030598, 0.0479422562,   0.00622291692,  0.119517897,    0.00015752427,
        -0.174853785,   0.0619859123,   -0.0637959717,  0.00247417013,  0.000198049061 } },
    { "Train: [MixCELoss: {weight: 1.0, epsilon: 0.1}]",
      4.16134554522,
      { 0.0127089168,   -0.00239781848, -0.00165114426, -0.00240812928,  0.0307364084,
        0.00178379615,  0.00267495084,  -0.159271618,   0.101370815,     0.016453823,
        -0.00192755907, -0.00193173752, -0.142717299,   -0.0018030464,   -0.000409861859,
        -0.0693937531,  0.0128653963,   0.206100823,    -0.00214859172,  0.00136562954,
        -0.00239932207, -0.00208498007, -0.0525599621,  -0.00127916853,  -0.00228636187,
        -0.131982719,   0.096182406,    0.0236295634,   0.0642458483,    0.00853469604,
        -0.0023489694,  0.0454422562,   0.00372291692,  0.117017897,     -0.00234247573,
        -0.159853785,   0.0594859123,   -0.0587959717,  -2.58298742e-05, -0.00230195094 } },
};

/* In [-1, 1), 24 bits: the element's number after FNV-1a of the name, through SplitMix64. */
static double golden_number(const char *name, uint64_t i)
{
    uint64_t x = 0xcbf29ce484222325u;
    for (const char *p = name; *p; p++) x = (x ^ (uint64_t)*p) * 0x100000001b3u;
    x += i + 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (double)((x ^ x >> 31) >> 40) / 8388608.0 - 1.0;
}

/* The logits are the weights of a layer that sees the unit matrix: so they have gradients. */
static void build_golden(network *net, const char *text, fv_param **weight)
{
    static const int dims[] = { MIXED_N, MIXED_K };
    fv_config *config;
    fv_loss loss;
    assert_ok(fv_config_parse(&config, "c.yaml", text, &testing_err));
    assert_ok(fv_loss_read(&loss, fv_config_child(fv_config_root(config), "Train"), &testing_err));
    assert_ok(fv_params_create(&net->params, 1, &testing_err));
    assert_ok(fv_graph_create(&net->graph, net->params, FV_TRAIN, &testing_err));
    net->outputs[0] = fv_input(net->graph, (fv_shape){ MIXED_N, 1, 1, MIXED_N });
    net->targets = fv_input(net->graph, (fv_shape){ MIXED_N, 1, 1, MIXED_K });
    fv_tensor *logit = fv_param_tensor(net->graph, "logits", FV_LINEAR_WEIGHT, 2, dims,
                                       (fv_init){ FV_INIT_CONSTANT, 0.0f });
    fv_tensor *x = fv_matmul(net->graph, net->outputs[0], logit, NULL);
    net->loss = fv_loss_build(net->graph, &loss, &x, 1, net->targets);
    assert_ok(fv_graph_check(net->graph, &testing_err));
    *weight = fv_params_find(net->params, "logits");
    for (int i = 0; i < MIXED; i++)
        (*weight)->value[i] = (float)(4.0 * golden_number("logits", (uint64_t)i));
    fv_config_destroy(config);
}

static void check_golden(const golden *expected)
{
    static const float own[] = { 5, 5, 2, 7 }, others[] = { 7, 2, 5, 5 };
    static const float shares[] = { 0.3f, 0.3f, 0.3f, 0.3f };
    static const float unit[MIXED_N * MIXED_N] = { 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1 };
    float targets[MIXED];
    network net = { 0 };
    fv_param *weight;
    fv_kernels kernels;
    fv_kernels_init(&kernels, fv_cpu_detect());
    build_golden(&net, expected->text, &weight);
    assert_ok(fv_slab_create(&net.slab, &testing_err));
    const fv_plan_options options = { .loss = net.loss };
    assert_ok(fv_plan_create(&net.plan, net.graph, &kernels, net.slab, &options, &testing_err));
    fv_mix_targets(own, others, shares, MIXED_N, MIXED_K, targets);
    fv_plan_feed(net.plan, net.outputs[0], unit);
    fv_plan_feed(net.plan, net.targets, targets);
    fv_plan_forward(net.plan);
    fv_plan_backward(net.plan, false);
    assert_near((double)fv_plan_value(net.plan, net.loss).data[0], expected->loss);
    for (int i = 0; i < MIXED; i++)
        assert_true(fabs((double)weight->grad[i] - expected->gradient[i]) < 1e-7);
    release(&net);
}

static void test_mixed_labels(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < FV_ARRAY_LEN(goldens); i++) check_golden(&goldens[i]);
}

static void test_wrong_number_of_outputs(void **unused)
{
    (void)unused;
    network net;
    assert_int_not_equal(build(&net, "Train: [CELoss: {weight: 1.0}]", 3), FV_OK);
    assert_string_equal(testing_err.message, "CELoss is for models with 1 output, this one has 3");
    release(&net);
    assert_int_not_equal(build(&net, "Train: [GoogLeNetLoss: {weight: 1.0}]", 1), FV_OK);
    assert_string_equal(testing_err.message,
                        "GoogLeNetLoss is for models with 3 outputs, this one has 1");
    release(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_mixed_labels),
        cmocka_unit_test(test_wrong_number_of_outputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
