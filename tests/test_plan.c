/* SPDX-License-Identifier: Apache-2.0 */
/* Planning must not change results: fused = unfused, sharing memory = not sharing, one thread =
 * many, views = copies; and replaying allocates nothing. */
#include "testing.h"

#include "autograd/plan_impl.h"
#include "autograd/program.h"
#include "base/cpu.h"
#include "layers/layers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Large enough for what is only done on many pixels and many images. */
enum { CHANNELS = 20, SIZE = 12, BATCH = 17, CLASSES = 5 };

/* A net that has everything the planner knows: residuals with and without activation, a value read
 * twice, concatenation and slices, an activation before a convolution. */
static fv_tensor *build_net(fv_graph *g, fv_tensor *x)
{
    fv_tensor *a =
        fv_bn(g, fv_conv(g, x, "stem", .out = CHANNELS, .kernel = 3), "stem_bn", .act = FV_RELU);
    fv_tensor *b =
        fv_bn(g, fv_conv(g, a, "b", .kernel = 3, .groups = FV_DEPTHWISE), "b_bn", .act = FV_RELU6);
    b = fv_bn(g, fv_conv(g, b, "b2", .kernel = 1), "b2_bn", .act = FV_LINEAR);
    b = fv_add(g, a, b); /* residual, no activation */
    fv_tensor *c = fv_conv(g, fv_activate(g, b, FV_RELU), "c",
                           .kernel = 3); /* b is read before its ReLU too */
    c = fv_activate(g, fv_add(g, fv_bn(g, c, "c_bn", .act = FV_LINEAR), b), FV_RELU);
    fv_tensor *left = fv_slice(g, c, 0, 7), *right = fv_slice(g, c, 7, CHANNELS - 7);
    left = fv_bn(g, fv_conv(g, left, "left", .kernel = 3), "left_bn", .act = FV_RELU);
    fv_tensor *sum = fv_add(g, fv_slice(g, right, 0, 7), left);
    sum = fv_bn(g, fv_conv(g, sum, "sum", .kernel = 1), "sum_bn", .act = FV_RELU);
    fv_tensor *d = fv_concat(g, 3, (fv_tensor *[]){ left, sum, right });
    d = fv_conv(g, d, "pool", .kernel = 3, .stride = 2, .groups = FV_DEPTHWISE);
    d = fv_bn(g, d, "pool_bn", .act = FV_RELU6);
    d = fv_conv(g, d, "d", .out = 11, .kernel = 3, .stride = 2, .bias = true);
    d = fv_avg_pool(g, fv_activate(g, d, FV_RELU),
                    (fv_window_attr){ .kernel_h = 3,
                                      .kernel_w = 3,
                                      .stride_h = 1,
                                      .stride_w = 1,
                                      .pad_h = 1,
                                      .pad_w = 1,
                                      .dilation_h = 1,
                                      .dilation_w = 1,
                                      .groups = 1 });
    return fv_linear(g, fv_global_avg_pool(g, d), "out", .out = CLASSES);
}

typedef struct net {
    fv_params *params;
    fv_graph *graph;
    fv_slab *slab;
    fv_plan *plan;
    fv_kernels kernels;
    fv_tensor *logits, *loss;
    float images[BATCH * SIZE * SIZE * 3], labels[BATCH];
} net;

static void open_net(net *n, fv_mode mode, unsigned cpu, fv_plan_options options)
{
    memset(n, 0, sizeof(*n));
    testing_fill("images", n->images, FV_ARRAY_LEN(n->images));
    for (int i = 0; i < BATCH; i++) n->labels[i] = (float)(i % CLASSES);
    fv_kernels_init(&n->kernels, cpu);
    assert_ok(fv_params_create(&n->params, 7, &testing_err));
    assert_ok(fv_graph_create(&n->graph, n->params, mode, &testing_err));
    assert_ok(fv_slab_create(&n->slab, &testing_err));
    fv_tensor *x = fv_input(n->graph, (fv_shape){ BATCH, SIZE, SIZE, 3 });
    fv_tensor *t = fv_input(n->graph, (fv_shape){ BATCH, 1, 1, 1 });
    n->logits = build_net(n->graph, x);
    if (mode == FV_TRAIN) n->loss = fv_cross_entropy(n->graph, n->logits, t, 0.0f);
    for (int i = 0; i < fv_params_count(n->params); i++) { /* nothing at its start value */
        fv_param *p = fv_params_at(n->params, i);
        if (p->role == FV_CONV_WEIGHT || p->role == FV_LINEAR_WEIGHT) continue;
        testing_fill(p->name, p->value, p->count);
        for (size_t k = 0; k < p->count; k++)
            if (p->role == FV_BN_VAR || p->role == FV_BN_WEIGHT) p->value[k] += 1.5f;
    }
    options.loss = n->loss;
    options.outputs = &n->logits;
    options.output_count = 1;
    assert_ok(fv_plan_create(&n->plan, n->graph, &n->kernels, n->slab, &options, &testing_err));
    fv_plan_feed(n->plan, x, n->images);
    fv_plan_feed(n->plan, t, n->labels);
}

static void close_net(net *n)
{
    fv_plan_destroy(n->plan);
    fv_slab_destroy(n->slab);
    fv_graph_destroy(n->graph);
    fv_params_destroy(n->params);
}

static void step(net *n)
{
    fv_plan_forward(n->plan);
    if (n->loss) fv_plan_backward(n->plan, false);
}

/* Logits, gradients and running statistics agree: exactly with tolerance 0. */
static void assert_same(net *a, net *b, float tolerance)
{
    for (int i = 0; i < BATCH; i++)
        for (int c = 0; c < CLASSES; c++) {
            const float x = fv_pixel(fv_plan_value(a->plan, a->logits), i)[c];
            const float y = fv_pixel(fv_plan_value(b->plan, b->logits), i)[c];
            if (!(fabsf(x - y) <= tolerance))
                fail_msg("logit %d of %d: %.9g and %.9g", c, i, (double)x, (double)y);
        }
    for (int i = 0; i < fv_params_count(a->params); i++) {
        const fv_param *p = fv_params_at(a->params, i), *q = fv_params_at(b->params, i);
        const float *x = p->trained ? p->grad : p->value, *y = q->trained ? q->grad : q->value;
        for (size_t k = 0; k < p->count; k++)
            if (!(fabsf(x[k] - y[k]) <= tolerance))
                fail_msg("%s[%d]: %.9g and %.9g", p->name, (int)k, (double)x[k], (double)y[k]);
    }
}

static void compare_options(fv_mode mode, fv_plan_options first, fv_plan_options second,
                            float tolerance)
{
    const unsigned cpus[] = { FV_CPU_SCALAR, fv_cpu_detect() };
    for (int i = 0; i < 2; i++) {
        static net a, b;
        open_net(&a, mode, cpus[i], first);
        open_net(&b, mode, cpus[i], second);
        step(&a);
        step(&b);
        assert_same(&a, &b, tolerance);
        close_net(&a);
        close_net(&b);
    }
}

static void test_sharing_memory_changes_no_bit(void **state)
{
    (void)state;
    compare_options(FV_TRAIN, (fv_plan_options){ 0 }, (fv_plan_options){ .keep_memory = true },
                    0.0f);
    compare_options(FV_EVAL, (fv_plan_options){ 0 }, (fv_plan_options){ .keep_memory = true },
                    0.0f);
}

static void test_fusion_changes_rounding_only(void **state)
{
    (void)state;
    compare_options(FV_TRAIN, (fv_plan_options){ 0 }, (fv_plan_options){ .keep_operators = true },
                    2e-5f);
    compare_options(FV_EVAL, (fv_plan_options){ 0 }, (fv_plan_options){ .keep_operators = true },
                    2e-5f);
}

static void test_fusion_merges_what_it_can(void **state)
{
    (void)state;
    static net a;
    static const char *const expected[] = {
        "conv2d+bn+relu",
        "conv2d+bn+relu6",
        "conv2d+bn+add",
        "activate",
        "conv2d+bn+add+relu",
        "conv2d+bn+relu",
        "add",
        "conv2d+bn+relu",
        "copy",
        "conv2d+bn+relu6",
        "conv2d+relu",
        "avg_pool",
        "global_avg_pool",
        "matmul",
        "cross_entropy",
    };
    open_net(&a, FV_TRAIN, FV_CPU_SCALAR, (fv_plan_options){ 0 });
    assert_int_equal(fv_plan_node_count(a.plan), FV_ARRAY_LEN(expected));
    for (size_t i = 0; i < FV_ARRAY_LEN(expected); i++)
        assert_string_equal(fv_plan_node_info(a.plan, (int)i).op, expected[i]);
    /* `right` is a slice and cannot also be a part of the concatenation. */
    assert_int_equal(fv_plan_bytes_copied(a.plan),
                     BATCH * SIZE * SIZE * (CHANNELS - 7) * sizeof(float));
    assert_true(fv_plan_bytes(a.plan) < fv_plan_bytes_apart(a.plan));
    close_net(&a);
}

static void test_threads_change_no_bit(void **state)
{
    (void)state;
    for (int threads = 2; threads <= 5; threads++) {
        static net a, b;
        fv_threads_set(1);
        open_net(&a, FV_TRAIN, fv_cpu_detect(), (fv_plan_options){ 0 });
        step(&a);
        fv_threads_set(threads);
        open_net(&b, FV_TRAIN, fv_cpu_detect(), (fv_plan_options){ 0 });
        step(&b);
        assert_same(&a, &b, 0.0f);
        close_net(&a);
        close_net(&b);
    }
    fv_threads_set(1);
}

static void test_a_step_allocates_nothing(void **state)
{
    (void)state;
    static net a;
    open_net(&a, FV_TRAIN, fv_cpu_detect(), (fv_plan_options){ 0 });
    step(&a);
    const size_t before = fv_alloc_count();
    fv_params_touch(a.params);
    step(&a);
    assert_int_equal(fv_alloc_count(), before);
    close_net(&a);
}

static void test_replays_repeat(void **state)
{
    (void)state;
    static net a, b;
    open_net(&a, FV_TRAIN, fv_cpu_detect(), (fv_plan_options){ 0 });
    open_net(&b, FV_TRAIN, fv_cpu_detect(), (fv_plan_options){ 0 });
    step(&a);
    step(&b);
    step(&b); /* moves the running statistics once more; gradients stay */
    for (int i = 0; i < fv_params_count(a.params); i++) {
        const fv_param *p = fv_params_at(a.params, i), *q = fv_params_at(b.params, i);
        if (p->trained) assert_memory_equal(p->grad, q->grad, p->count * sizeof(float));
    }
    close_net(&a);
    close_net(&b);
}

/* Every allocation of capturing and planning fails once: reported, nothing leaks, nothing
 * crashes. */
static void test_out_of_memory(void **state)
{
    (void)state;
    fv_kernels kernels;
    fv_kernels_init(&kernels, fv_cpu_detect());
    fv_status status = FV_ERR_NOMEM;
    for (size_t n = 1; status != FV_OK; n++) {
        fv_params *params = NULL;
        fv_graph *g = NULL;
        fv_slab *slab = NULL;
        fv_plan *plan = NULL;
        assert_int_equal(status, FV_ERR_NOMEM);
        fv_alloc_fail_at(n);
        status = fv_params_create(&params, 1, &testing_err);
        if (status == FV_OK) status = fv_graph_create(&g, params, FV_TRAIN, &testing_err);
        if (status == FV_OK) status = fv_slab_create(&slab, &testing_err);
        if (status == FV_OK) {
            fv_tensor *y = build_net(g, fv_input(g, (fv_shape){ BATCH, SIZE, SIZE, 3 }));
            fv_tensor *loss =
                fv_cross_entropy(g, y, fv_input(g, (fv_shape){ BATCH, 1, 1, 1 }), 0.0f);
            const fv_plan_options options = { .loss = loss };
            status = fv_plan_create(&plan, g, &kernels, slab, &options, &testing_err);
        }
        fv_alloc_fail_at(0);
        fv_plan_destroy(plan);
        fv_slab_destroy(slab);
        fv_graph_destroy(g);
        fv_params_destroy(params);
    }
}

static void test_errors_name_the_block(void **state)
{
    (void)state;
    fv_params *params;
    fv_graph *g;
    fv_error err;
    assert_ok(fv_params_create(&params, 0, &testing_err));
    assert_ok(fv_graph_create(&g, params, FV_TRAIN, &testing_err));
    fv_tensor *x = fv_input(g, (fv_shape){ 1, 8, 8, 3 });
    fv_scope_push(g, "stage.2");
    fv_tensor *y = fv_conv(g, x, "expand", .out = 24);
    y = fv_add(g, x, y); /* 3 channels and 24 */
    y = fv_conv(g, y, "project", .out = 16);
    fv_scope_pop(g);
    assert_null(y);
    assert_int_equal(fv_graph_check(g, &err), FV_ERR_SHAPE);
    assert_string_equal(err.message, "stage.2: add: 1x8x8x3 and 1x8x8x24");
    fv_graph_destroy(g);
    fv_params_destroy(params);
}

/* The first layer with a NaN is named. */
static void test_nonfinite_values_are_found(void **state)
{
    (void)state;
    static net a;
    open_net(&a, FV_TRAIN, fv_cpu_detect(), (fv_plan_options){ 0 });
    assert_null(fv_plan_find_nonfinite(a.plan));
    fv_params_find(a.params, "c.weight")->value[3] = (float)NAN;
    fv_params_touch(a.params);
    assert_string_equal(fv_plan_find_nonfinite(a.plan), "c");
    close_net(&a);
}

/* ---- Frozen parameters -------------------------------------------------------------- */

static void test_frozen_statistics_stay(void **state)
{
    (void)state;
    static net a;
    open_net(&a, FV_TRAIN, fv_cpu_detect(), (fv_plan_options){ 0 });
    fv_params *params = a.params;
    assert_true(fv_params_freeze(params, "stem*", true, true) == 5);
    fv_graph *g;
    fv_plan *plan;
    assert_ok(fv_graph_create(&g, params, FV_TRAIN, &testing_err));
    fv_tensor *x = fv_input(g, (fv_shape){ BATCH, SIZE, SIZE, 3 });
    fv_tensor *t = fv_input(g, (fv_shape){ BATCH, 1, 1, 1 });
    fv_tensor *loss = fv_cross_entropy(g, build_net(g, x), t, 0.0f);
    assert_ok(fv_plan_create(&plan, g, &a.kernels, a.slab, &(fv_plan_options){ .loss = loss },
                             &testing_err));
    fv_plan_feed(plan, x, a.images);
    fv_plan_feed(plan, t, a.labels);
    const fv_param *frozen = fv_params_find(params, "stem_bn._mean"),
                   *tuned = fv_params_find(params, "b_bn._mean");
    const fv_param *weight = fv_params_find(params, "stem.weight");
    const float mean = frozen->value[0], moving = tuned->value[0];
    weight->grad[0] = 42.0f;
    fv_plan_forward(plan);
    fv_plan_backward(plan, false);
    assert_true(frozen->value[0] == mean && tuned->value[0] != moving);
    assert_true(weight->grad[0] == 42.0f); /* nobody writes it */
    fv_plan_destroy(plan);
    fv_graph_destroy(g);
    close_net(&a);
}

/* ---- Programs ------------------------------------------------------------------------- */

static void build_program(fv_graph *g, fv_shape images, void *ctx, fv_bindings *out)
{
    (void)ctx;
    out->images = fv_input(g, images);
    out->outputs[0] = build_net(g, out->images);
    out->output_count = 1;
    out->targets = fv_input(g, (fv_shape){ images.n, 1, 1, 1 });
    out->loss = fv_cross_entropy(g, out->outputs[0], out->targets, 0.0f);
}

/* Plans of several batch sizes share a slab that may move; each picture's logits stay what they
 * are. */
static void test_batches_of_any_size(void **state)
{
    (void)state;
    static float images[8 * SIZE * SIZE * 3];
    float first[CLASSES];
    testing_fill("images", images, FV_ARRAY_LEN(images));
    fv_kernels kernels;
    fv_params *params;
    fv_program *program;
    fv_kernels_init(&kernels, fv_cpu_detect());
    assert_ok(fv_params_create(&params, 3, &testing_err));
    assert_ok(fv_program_create(&program, params, &kernels, build_program, NULL, 0, &testing_err));
    for (int i = 0; i < 12; i++) {
        const int n = 1 + i * 5 % 8;
        fv_plan *plan;
        const fv_bindings *b;
        assert_ok(fv_program_plan(program, FV_EVAL, (fv_shape){ n, SIZE, SIZE, 3 }, &plan, &b,
                                  &testing_err));
        fv_plan_feed(plan, b->images, images);
        fv_plan_forward(plan);
        const float *got = fv_plan_value(plan, b->outputs[0]).data;
        if (i == 0) memcpy(first, got, sizeof(first));
        assert_memory_equal(got, first, sizeof(first));
    }
    fv_program_destroy(program);
    fv_params_destroy(params);
}

/* Logits of eight pictures in a program of its own. */
static void eight_logits(int threads, const float *images, float logits[8 * CLASSES])
{
    fv_kernels kernels;
    fv_params *params;
    fv_program *program;
    fv_plan *plan;
    const fv_bindings *b;
    fv_threads_set(threads);
    fv_kernels_init(&kernels, fv_cpu_detect());
    assert_ok(fv_params_create(&params, 3, &testing_err));
    assert_ok(fv_program_create(&program, params, &kernels, build_program, NULL, 0, &testing_err));
    assert_ok(
        fv_program_plan(program, FV_EVAL, (fv_shape){ 8, SIZE, SIZE, 3 }, &plan, &b, &testing_err));
    fv_plan_feed(plan, b->images, images);
    fv_plan_forward(plan);
    const fv_view v = fv_plan_value(plan, b->outputs[0]);
    assert_int_equal(v.shape.n, 8);
    memcpy(logits, v.data, 8 * CLASSES * sizeof(float));
    fv_program_destroy(program);
    fv_params_destroy(params);
    fv_threads_set(1);
}

/* With as many pictures as threads each thread has its own, else all threads share each step. */
static void test_pictures_apart_change_no_bit(void **state)
{
    (void)state;
    static float images[8 * SIZE * SIZE * 3];
    float together[8 * CLASSES], apart[8 * CLASSES];
    testing_fill("images", images, FV_ARRAY_LEN(images));
    eight_logits(9, images, together);
    for (int threads = 1; threads <= 8; threads++) {
        eight_logits(threads, images, apart);
        assert_memory_equal(apart, together, sizeof(apart));
    }
}

/* ---- Work ------------------------------------------------------------------------------ */

static uint64_t captured_macs(const fv_graph *g)
{
    uint64_t macs = 0;
    for (int i = 0; i < fv_graph_node_count(g); i++) macs += fv_graph_node_info(g, i).macs;
    return macs;
}

static void test_work_in_training(void **state)
{
    (void)state;
    net n;
    uint64_t forward = 0, backward = 0;
    open_net(&n, FV_TRAIN, fv_cpu_detect(), (fv_plan_options){ 0 });
    for (int i = 0; i < fv_plan_node_count(n.plan); i++) {
        const fv_node_work w = fv_plan_node_work(n.plan, i);
        forward += w.forward.macs;
        backward += w.backward.macs;
        assert_true(w.forward.bytes > 0 && w.backward.bytes > 0);
    }
    /* Nobody wants the gradient of the pictures. */
    const uint64_t stem = fv_plan_node_work(n.plan, 0).forward.macs;
    assert_int_equal(stem, (uint64_t)BATCH * SIZE * SIZE * CHANNELS * 27);
    assert_int_equal(forward, captured_macs(n.graph));
    assert_int_equal(backward, 2 * forward - stem);
    close_net(&n);
}

/* Three threads have a batch of two together, one has each picture apart. */
static void test_work_of_a_batch(void **state)
{
    (void)state;
    const fv_shape images = { 2, SIZE, SIZE, 3 };
    fv_kernels kernels;
    fv_params *params;
    fv_program *together, *apart;
    fv_plan *a, *b;
    const fv_bindings *bindings;
    fv_kernels_init(&kernels, FV_CPU_SCALAR);
    assert_ok(fv_params_create(&params, 3, &testing_err));
    fv_threads_set(3);
    assert_ok(fv_program_create(&together, params, &kernels, build_program, NULL, 0, &testing_err));
    assert_ok(fv_program_plan(together, FV_EVAL, images, &a, &bindings, &testing_err));
    fv_threads_set(1);
    assert_ok(fv_program_create(&apart, params, &kernels, build_program, NULL, 0, &testing_err));
    assert_ok(fv_program_plan(apart, FV_EVAL, images, &b, &bindings, &testing_err));

    assert_int_equal(fv_plan_node_count(a), fv_plan_node_count(b));
    for (int i = 0; i < fv_plan_node_count(a); i++) {
        const fv_node_work x = fv_plan_node_work(a, i), y = fv_plan_node_work(b, i);
        assert_string_equal(x.kind, y.kind);
        assert_int_equal(x.out.n, 2);
        assert_true(fv_shape_equal(x.out, y.out));
        assert_int_equal(x.forward.macs, y.forward.macs);
        assert_int_equal(x.forward.bytes, y.forward.bytes);
        assert_int_equal(x.backward.macs + x.backward.bytes, 0);
    }
    const fv_node_work stem = fv_plan_node_work(a, 0), depthwise = fv_plan_node_work(a, 1);
    const size_t pixels = 2 * SIZE * SIZE, weights = CHANNELS * 27 + 4 * CHANNELS;
    assert_string_equal(stem.kind, "conv 3x3");
    assert_int_equal(stem.forward.bytes, 4 * (pixels * (3 + CHANNELS) + weights));
    assert_string_equal(depthwise.kind, "depthwise 3x3");
    assert_int_equal(depthwise.forward.macs, pixels * CHANNELS * 9);
    fv_program_destroy(together);
    fv_program_destroy(apart);
    fv_params_destroy(params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sharing_memory_changes_no_bit),
        cmocka_unit_test(test_fusion_changes_rounding_only),
        cmocka_unit_test(test_fusion_merges_what_it_can),
        cmocka_unit_test(test_threads_change_no_bit),
        cmocka_unit_test(test_a_step_allocates_nothing),
        cmocka_unit_test(test_replays_repeat),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_errors_name_the_block),
        cmocka_unit_test(test_nonfinite_values_are_found),
        cmocka_unit_test(test_frozen_statistics_stay),
        cmocka_unit_test(test_batches_of_any_size),
        cmocka_unit_test(test_pictures_apart_change_no_bit),
        cmocka_unit_test(test_work_in_training),
        cmocka_unit_test(test_work_of_a_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
