/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/cpu.h"
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
        cmocka_unit_test(test_wrong_number_of_outputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
